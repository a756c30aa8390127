"""Read networks of snnTorch: chains of linear maps and leaky neurons, recurrent ones among them."""

from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.model import CurrentLif, Input, Lif, Readout

from .cell import Cell
from .network import Connection, Layer, SpikingNetwork

__all__ = ["from_snntorch"]

SKIPPED = (nn.Flatten, nn.Dropout, nn.Identity)
RESETS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}
ALL_NEURONS = "Leaky, Synaptic, RLeaky, RSynaptic"


def from_snntorch(
    module: nn.Module,
    *,
    readout: str = "count",
    values: tuple[int, int] = (0, 1),
    name: str = "network",
    exact: bool = True,
) -> SpikingNetwork:
    """Make a network of what an snnTorch module computes.

    The module is an ``nn.Sequential``, or has its layers as attributes in the order in which they
    act: ``Linear`` and neurons by turns, and ``Flatten`` or, since it does nothing once trained,
    ``Dropout``. Neurons are ``Leaky``, ``Synaptic``, ``RLeaky`` and ``RSynaptic``, the recurrent
    ones all to all or one to one; their recurrence becomes a connection to themselves with a delay
    of one step, its bias a part of the layer's. Parameters that snnTorch learns are learned here.

    Spikes and potentials are those of snnTorch 1.0, up to the rounding of floating-point sums, but
    for two resets, which ``exact=False`` lets pass:

    - ``Leaky`` with ``reset_mechanism="zero"`` and ``reset_delay=True`` forgets the potential in
      the step after the spike and keeps that step's input. It fires as with a reset in the same
      step, which is what it becomes; but the potential right after a spike is zero here, and above
      the threshold in snnTorch, so a readout that compares potentials is refused. (With the same
      options, ``Synaptic``, ``RLeaky`` and ``RSynaptic`` lose the input as well, and are kept as
      they are, potentials included.)
    - With ``reset_mechanism="subtract"`` and ``reset_delay=False``, snnTorch tests a potential that
      was above the threshold even after a reset as if it had given up the threshold once more; here
      it is tested as it is. The networks agree until the first such potential.

    Parameters
    ----------
    module : nn.Module
    readout : str
        How the last layer answers: see :data:`~spiker_hdl.model.READOUTS`.
    values : (int, int)
        Range of the input's values.
    name : str
    exact : bool
        Whether to refuse what is not kept.

    Raises
    ------
    TypeError
        If the module holds anything else, with its name.
    ValueError
        If its layers do not take turns, or a neuron has an option that has no meaning here.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"Model must be an nn.Module, not {module!r}")
    kinds = _kinds()
    layers: list[Layer] = []
    connections: list[Connection] = []
    owners: dict[int, str] = {}
    size, linear, last, before = 0, None, ("", None), "input"
    for label, part in _parts(module):
        if type(part) in SKIPPED:
            _check_flatten(label, part)
        elif type(part) is nn.Linear:
            if linear is not None:
                raise ValueError(f"Module {label!r} must follow neurons, not another Linear")
            linear = part
            size = size or part.in_features
        elif type(part) in kinds:
            if linear is None:
                raise ValueError(f"Module {label!r} must follow a Linear")
            if id(part) in owners:
                raise ValueError(
                    f"Module {label!r} must have a state of its own, not that of "
                    f"{owners[id(part)]!r}"
                )
            owners[id(part)] = label
            own = f"layer{len(layers) + 1}"
            links = [Connection(before, own, _array(linear.weight))]
            bias = None if linear.bias is None else _array(linear.bias)
            if kinds[type(part)]:
                link, more = _recurrence(label, part, own, linear.out_features)
                links.append(link)
                bias = more if bias is None else bias if more is None else bias + more
            cell = _cell(label, part, linear.out_features, exact)
            layers.append(Layer(own, linear.out_features, cell, False if bias is None else bias))
            connections += links
            linear, last, before = None, (label, part), own
        else:
            raise TypeError(
                f"Module {label!r} must be one of Linear, {ALL_NEURONS}, Flatten, Dropout, "
                f"not of type {type(part).__name__}"
            )
    if linear is not None:
        raise ValueError(f"The last Linear must be followed by one of {ALL_NEURONS}")
    if not layers:
        raise ValueError(f"Model must have a Linear and neurons, not {type(module).__name__}")
    if exact:
        _check_readout(readout, *last)
    return SpikingNetwork(
        inputs=[Input("input", size, *values)],
        layers=layers,
        connections=connections,
        readouts=[Readout(before, readout)],
        name=name,
    )


def _kinds() -> dict[type, bool]:
    """Return the types of neurons that are read, and whether they are recurrent."""
    import snntorch

    return {
        snntorch.Leaky: False,
        snntorch.Synaptic: False,
        snntorch.RLeaky: True,
        snntorch.RSynaptic: True,
    }


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    found = []
    # Not named_children: it leaves out what stands there a second time.
    for label, part in module._modules.items():
        if type(part) is nn.Sequential:
            found += _parts(part, f"{prefix}{label}.")
        elif part is not None:
            found.append((f"{prefix}{label}", part))
    return found


def _array(value: Any) -> np.ndarray:
    return torch.as_tensor(value).detach().cpu().double().numpy()


def _check_flatten(label: str, part: nn.Module) -> None:
    if isinstance(part, nn.Flatten):
        for what, given, plain in (
            ("start_dim", part.start_dim, 1),
            ("end_dim", part.end_dim, -1),
        ):
            if given != plain:
                raise ValueError(f"Flatten {label!r}: {what} must be {plain}, not {given}")


def _check_readout(readout: str, label: str, part: Any) -> None:
    forgets = type(part).__name__ == "Leaky" and part.reset_delay
    if forgets and part.reset_mechanism == "zero" and readout not in {"count", "first"}:
        raise ValueError(
            f"Leaky {label!r}: readout must be 'count' or 'first', not {readout!r}, since a late "
            "reset to zero leaves other potentials here; take reset_delay=False, or exact=False"
        )


def _reset(label: str, part: Any) -> str:
    kind, given = type(part).__name__, part.reset_mechanism
    # What snnTorch computes is chosen when a neuron is made, and does not follow the attribute.
    made = RESETS.get(getattr(part.state_function, "__name__", ""))
    if made != given:
        raise ValueError(
            f"{kind} {label!r}: reset_mechanism must be as it was made, {made!r}, not {given!r}"
        )
    return given


def _cell(label: str, part: Any, size: int, exact: bool) -> Cell:
    kind, reset = type(part).__name__, _reset(label, part)
    for what, given, plain in (
        ("inhibition", bool(part.inhibition), False),
        ("state_quant", bool(part.state_quant), False),
        ("graded_spikes_factor", _furthest(part.graded_spikes_factor, 1.0), 1.0),
    ):
        if given != plain:
            raise ValueError(f"{kind} {label!r}: {what} must be {plain}, not {given}")
    if kind == "RSynaptic" and not part.reset_delay:
        raise ValueError(
            f"RSynaptic {label!r}: reset_delay must be True, not False, which in snnTorch 1.0 "
            "either fails or resets late all the same"
        )
    if exact and reset == "subtract" and not part.reset_delay:
        raise ValueError(
            f"{kind} {label!r}: reset_delay must be True, not False, to subtract: potentials that "
            "one reset leaves above the threshold fire otherwise here; if there are none, take "
            "exact=False"
        )
    threshold = _per_neuron(label, part, "threshold", size)
    if reset != "none" and threshold.min() < 0:
        raise ValueError(
            f"{kind} {label!r}: threshold must be at least 0 to be reset, not {threshold.min()}"
        )
    # Leaky alone keeps the input of the step after the spike: a reset to zero that is not late.
    forgets = kind == "Leaky" and reset == "zero"
    names = {"threshold": "threshold", "decay": "beta"}
    values: dict[str, Any] = {
        "threshold": threshold,
        "decay": _per_neuron(label, part, "beta", size).clip(0, 1),
    }
    if kind in {"Synaptic", "RSynaptic"}:
        names["current_decay"] = "alpha"
        values["current_decay"] = _per_neuron(label, part, "alpha", size).clip(0, 1)
    return Cell(
        CurrentLif if "current_decay" in values else Lif,
        reset=reset,
        late=bool(part.reset_delay) and reset != "none" and not forgets,
        learn=[own for own, its in names.items() if isinstance(getattr(part, its), nn.Parameter)],
        surrogate=None if part.surrogate_disable else part.spike_grad,
        **values,
    )


def _furthest(value: Any, plain: float) -> float:
    found = _array(value).reshape(-1)
    return float(found[np.abs(found - plain).argmax()])


def _per_neuron(label: str, part: Any, what: str, size: int) -> np.ndarray:
    return _one_or(f"{type(part).__name__} {label!r}: {what}", getattr(part, what), size)


def _one_or(what: str, value: Any, size: int) -> np.ndarray:
    found = _array(value).reshape(-1)
    if len(found) not in {1, size}:
        raise ValueError(f"{what} must be one or {size} values, not {len(found)}")
    return found[0] if len(found) == 1 else found


def _recurrence(label: str, part: Any, own: str, size: int) -> tuple[Connection, np.ndarray | None]:
    """Return the connection of a layer to itself, and the bias that comes with it."""
    through = part.recurrent
    if type(through) is nn.Linear:
        if through.out_features != size:
            raise ValueError(
                f"{type(part).__name__} {label!r}: linear_features must be {size}, "
                f"not {through.out_features}"
            )
        bias = None if through.bias is None else _array(through.bias)
        return Connection(own, own, _array(through.weight), delay=1), bias
    if type(through).__name__ == "RecurrentOneToOne":
        weights = _one_or(f"{type(part).__name__} {label!r}: V", through.V, size)
        each = np.full(size, weights)
        return Connection(own, own, each, delay=1, kind="one_to_one"), None
    raise TypeError(
        f"{type(part).__name__} {label!r}: recurrence must be a Linear or one to one, "
        f"not of type {type(through).__name__}"
    )
