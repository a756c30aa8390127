"""NIR nodes of layers: the inverse of the algebra of :mod:`~.rules`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.model import Accumulator, CurrentLif, If, Integrator, Lif
from spiker_train.network.cell import Cell, IntegerCell
from spiker_train.network.layers import Layer
from spiker_train.network.time import step_length

from .rules import Rules

__all__ = ["Written", "written"]

KINDS = (If, Lif, CurrentLif, Integrator, Accumulator)


@dataclass(frozen=True)
class Written:
    """The NIR nodes of a layer.

    Members
    -------
    node : NIRNode or None
        None for a sum without memory.
    threshold : NIRNode or None
        Threshold behind an integrator whose spikes are used.
    bias : array of float, shape (size,), or None
        Bias that the connections of the layer must add.
    """

    node: Any
    threshold: Any
    bias: np.ndarray | None


def written(layer: Layer, rules: Rules, shape: tuple[int, ...], exact: bool) -> Written:
    """Return the nodes of a layer.

    Parameters
    ----------
    layer : Layer
    rules : Rules
        Rules with ``dt``, ``rule`` and ``start``.
    shape : tuple of int
        Shape of the parameters of the nodes.
    exact : bool
        Whether to refuse a reset that NIR cannot express.

    Raises
    ------
    TypeError
        If the neurons are in integers, or of a model for which NIR has no node.
    ValueError
        If they have an option that NIR cannot express, with its name.
    """
    import nir

    cell = layer.cell
    if _is_maximum(layer):
        # A threshold between no spike and one, without memory, fires where a spike of many is.
        return Written(nir.Threshold(np.full(shape, 0.5)), None, None)
    if not isinstance(cell, Cell) or cell.kind not in KINDS:
        raise TypeError(
            f"Layer {layer.name!r} must be of {', '.join(kind.__name__ for kind in KINDS)} in "
            f"floating point to be a node of NIR, not of {cell.kind.__name__}"
        )
    _check_options(layer, cell, exact)

    def full(value: Any) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, dtype=float), layer.size).reshape(shape).copy()

    step = step_length(rules.dt) if cell.has_seconds else None

    def by_neuron(name: str) -> np.ndarray:
        return np.broadcast_to(cell.value(name, step), layer.size)

    rest = by_neuron("v")
    bias = np.zeros(layer.size)
    if layer.biases is not None:
        bias = layer.biases.detach().cpu().double().numpy().copy()
    beta = by_neuron("decay") if "decay" in cell.roles else np.ones(layer.size)
    if rest.any() and rules.start != "leak":
        raise ValueError(
            f"Rest v of layer {layer.name!r} must be 0, not {rest[rest != 0][0]}, or start='leak' "
            "be given: NIR does not say where potentials start"
        )
    if (beta == 1).all() and cell.kind is not CurrentLif:
        return _whole(layer, rules, full, bias, rest)
    if (beta == 1).any():
        raise ValueError(
            f"Decay of layer {layer.name!r} must be below 1 for all neurons, or 1 for all: a node "
            "of NIR leaks, or does not"
        )
    if "rest" in cell.roles and cell.value("rest").any():
        # A leak towards the rest potential adds this in each step, as a constant current.
        bias = bias + (1 - beta) * by_neuron("rest")
    fires = cell.spiking and cell.settings["reset"] != "none"
    if not fires and cell.kind is not CurrentLif and not (beta.any() or rest.any()):
        node = nir.Threshold(full(cell.value("threshold"))) if cell.spiking else None
        return Written(node, None, _some(bias))
    leaks = _current_based if cell.kind is CurrentLif else _leaky
    node, bias = leaks(layer, rules, full, (beta, rest, bias), fires)
    return Written(node, _behind(cell, full), _some(bias))


def _is_maximum(layer: Layer) -> bool:
    """Tell whether neurons fire in each step in which they count a spike, as a maximum does."""
    cell = layer.cell
    if not isinstance(cell, IntegerCell) or not isinstance(cell.fixed, If) or cell.scale != 1:
        return False
    plain = If(width=cell.fixed.width, threshold=1, fire=">=", reset="zero")
    counts = all(bool((link.stored() == 1).all()) for link in layer.incoming)
    return cell.fixed == plain and counts and layer.bias is None and layer.coupling is None


def _leaky(
    layer: Layer, rules: Rules, full: Any, values: tuple[np.ndarray, ...], fires: bool
) -> tuple[Any, np.ndarray]:
    """Return the node of neurons with a leak, and their bias around where they rest."""
    import nir

    beta, rest, bias = values
    leak = {
        "r": full(1 / (1 - beta)),
        "v_leak": full(rest),
        "tau": full(rules.tau(f"Decay of layer {layer.name!r}", beta)),
    }
    node = nir.LIF(**leak, **_firing(layer.cell, full)) if fires else nir.LI(**leak)
    return node, bias - (1 - beta) * rest


def _current_based(
    layer: Layer, rules: Rules, full: Any, values: tuple[np.ndarray, ...], fires: bool
) -> tuple[Any, np.ndarray]:
    """Return the node of neurons with a synaptic current, and their bias around where it rests."""
    import nir

    cell: Any = layer.cell
    beta, rest, bias = values
    alpha, current = (
        np.broadcast_to(cell.value(name), layer.size) for name in ("current_decay", "i")
    )
    if (alpha == 1).any():
        raise ValueError(f"Current decay of layer {layer.name!r} must be below 1, not 1")
    if rules.start == "leak" and not np.allclose(rest, current / (1 - beta), 1e-12, 1e-12):
        raise ValueError(
            f"Rest v of layer {layer.name!r} must be where its current holds it, "
            f"i / (1 - decay), not {rest[0]}, to be written with start='leak'"
        )
    leak = {
        "r": full(1 / (1 - beta)),
        "v_leak": full(current / (1 - beta)),
        "tau_mem": full(rules.tau(f"Decay of layer {layer.name!r}", beta)),
        "tau_syn": full(rules.tau(f"Current decay of layer {layer.name!r}", alpha)),
        "w_in": full(1 / (1 - alpha)),
    }
    node = nir.CubaLIF(**leak, **_firing(cell, full)) if fires else nir.CubaLI(**leak)
    return node, bias - (1 - alpha) * current


def _whole(layer: Layer, rules: Rules, full: Any, bias: np.ndarray, rest: np.ndarray) -> Written:
    """Return the nodes of neurons without leak."""
    import nir

    cell: Any = layer.cell
    if rest.any():
        raise ValueError(
            f"Rest v of layer {layer.name!r} must be 0 without leak, not {rest[rest != 0][0]}"
        )
    r = full(1 / rules.dt)
    if cell.spiking and cell.settings["reset"] != "none":
        return Written(nir.IF(r=r, **_firing(cell, full)), None, _some(bias))
    return Written(nir.I(r=r), _behind(cell, full), _some(bias))


def _firing(cell: Any, full: Any) -> dict[str, Any]:
    value = cell.value("reset_value") if cell.settings["reset"] == "value" else 0.0
    return {"v_threshold": full(cell.value("threshold")), "v_reset": full(value)}


def _behind(cell: Any, full: Any) -> Any:
    import nir

    if not cell.spiking or cell.settings["reset"] != "none":
        return None
    return nir.Threshold(full(cell.value("threshold")))


def _some(bias: np.ndarray) -> np.ndarray | None:
    return bias if bias.any() else None


def _check_options(layer: Layer, cell: Cell, exact: bool) -> None:
    """Refuse options that NIR cannot express."""
    if cell.samples:
        raise ValueError(
            f"Layer {layer.name!r} must have one set of parameters to be a node of NIR, not one "
            f"for each of {max(cell.samples)} samples"
        )
    for name in cell.durations:
        raise ValueError(f"{name} of layer {layer.name!r} must be 0 to be a node of NIR")
    neutral = {"refractory": 0, "fire": ">", "floor": None}
    resets = cell.settings.get("reset", "none")
    if cell.kind is CurrentLif:
        neutral |= {"rest": 0.0}
    if exact and resets != "none":
        neutral |= {"reset_timing": "immediate"}
    for name, plain in neutral.items():
        value = cell.settings.get(name, plain)
        if name == "floor" and name in cell.roles and name not in cell.settings:
            value = float(cell.value(name))
        if name == "refractory" and name in cell.roles:
            # One or one per neuron: the greatest is named.
            value = int(cell.value(name).max())
        if name == "rest":
            value = float(max(np.atleast_1d(cell.value(name)), key=abs))
        if value != plain and (exact or name in {"refractory", "floor", "rest"}):
            raise ValueError(
                f"{name} of layer {layer.name!r} must be {plain!r} to be a node of NIR, "
                f"not {value!r}"
            )
    if exact and resets == "subtract":
        raise ValueError(
            f"reset of layer {layer.name!r} must be 'zero', 'value' or 'none' to be a node of NIR, "
            "not 'subtract'; exact=False writes a reset to zero, which from_nir(reset='subtract') "
            "reads as it is meant"
        )
    for name in ("countdown", "pending"):
        if name in cell.roles and cell.value(name).any():
            raise ValueError(f"{name} of layer {layer.name!r} must be 0 at rest to be in NIR")
