"""Read networks of snnTorch: chains of linear maps and leaky neurons."""

from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.model import Input, Lif, Readout

from .cell import Cell
from .network import Connection, Layer, SpikingNetwork

__all__ = ["from_snntorch"]


def from_snntorch(
    module: nn.Module,
    *,
    readout: str = "count",
    values: tuple[int, int] = (0, 1),
    name: str = "network",
) -> SpikingNetwork:
    """Make a network of what an snnTorch module computes.

    The module is an ``nn.Sequential``, or has its layers as attributes in the order in which they
    act: ``Linear`` and ``Leaky`` by turns, and ``Flatten`` or, since it does nothing once trained,
    ``Dropout``.

    Spikes are those of snnTorch, up to the rounding of floating-point sums. Its late reset
    (``reset_delay=True``) by subtraction is kept as it is. Its late reset to zero lets the input of
    that step through, and so gives the spikes of a reset in the same step, which is what it
    becomes: potentials right after a spike differ. Without delay, snnTorch gives up the threshold
    once until the potential has come below it; here, once a spike.

    Parameters
    ----------
    module : nn.Module
    readout : str
        How the last layer answers: see :data:`~spiker_hdl.model.READOUTS`.
    values : (int, int)
        Range of the input's values.
    name : str

    Raises
    ------
    TypeError
        If the module holds anything else, with its name.
    ValueError
        If its layers do not take turns, or a neuron has an option that has no meaning here.
    """
    import snntorch

    if not isinstance(module, nn.Module):
        raise TypeError(f"Model must be an nn.Module, not {module!r}")
    layers: list[Layer] = []
    connections: list[Connection] = []
    size, linear, before = 0, None, "input"
    for label, part in _parts(module):
        if isinstance(part, nn.Flatten | nn.Dropout | nn.Identity):
            continue
        if isinstance(part, nn.Linear):
            if linear is not None:
                raise ValueError(f"Module {label!r} must follow neurons, not another Linear")
            linear = part
            size = size or part.in_features
        elif type(part) is snntorch.Leaky:
            if linear is None:
                raise ValueError(f"Module {label!r} must follow a Linear")
            own = f"layer{len(layers) + 1}"
            cell = _cell(label, part, linear.out_features)
            bias = False if linear.bias is None else _array(linear.bias)
            layers.append(Layer(own, linear.out_features, cell, bias))
            connections.append(Connection(before, own, _array(linear.weight)))
            linear, before = None, own
        else:
            raise TypeError(
                f"Module {label!r} must be a Linear, Leaky, Flatten or Dropout, "
                f"not of type {type(part).__name__}"
            )
    if linear is not None:
        raise ValueError("The last Linear must be followed by a Leaky")
    if not layers:
        raise ValueError(f"Model must have a Linear and a Leaky, not {type(module).__name__}")
    return SpikingNetwork(
        inputs=[Input("input", size, *values)],
        layers=layers,
        connections=connections,
        readouts=[Readout(before, readout)],
        name=name,
    )


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    found = []
    for label, part in module.named_children():
        if type(part) is nn.Sequential:
            found += _parts(part, f"{prefix}{label}.")
        else:
            found.append((f"{prefix}{label}", part))
    return found


def _array(value: Any) -> np.ndarray:
    return torch.as_tensor(value).detach().cpu().double().numpy()


def _cell(label: str, leaky: Any, size: int) -> Cell:
    reset = leaky.reset_mechanism
    for what, given, plain in (
        ("inhibition", bool(leaky.inhibition), False),
        ("state_quant", bool(leaky.state_quant), False),
        ("graded_spikes_factor", float(torch.as_tensor(leaky.graded_spikes_factor).max()), 1.0),
    ):
        if given != plain:
            raise ValueError(f"Leaky {label!r}: {what} must be {plain}, not {given}")
    return Cell(
        Lif,
        threshold=_per_neuron(label, "threshold", leaky.threshold, size),
        decay=_per_neuron(label, "beta", leaky.beta, size).clip(0, 1),
        reset=reset,
        late=bool(leaky.reset_delay) and reset == "subtract",
        surrogate=leaky.spike_grad,
    )


def _per_neuron(label: str, what: str, value: Any, size: int) -> np.ndarray:
    found = _array(value).reshape(-1)
    if len(found) not in {1, size}:
        raise ValueError(f"Leaky {label!r}: {what} must be one or {size} values, not {len(found)}")
    return found[0] if len(found) == 1 else found
