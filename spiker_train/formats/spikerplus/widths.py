"""Quantizations that correspond to Spiker's bit widths."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_train.network.cell import Cell
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.layers import Layer
from spiker_train.network.network import SpikingNetwork

__all__ = ["cell_values", "fits", "spiker_quantizations", "widths"]

WIDTHS = ("weights_bw", "neurons_bw", "fp_dec")


def spiker_quantizations(
    net: SpikingNetwork, optim_config: Mapping[str, Any]
) -> list[Quantization]:
    """Return the quantizations that correspond to Spiker's bit widths.

    Weights have ``weights_bw`` bits, potentials ``neurons_bw`` bits, and the integer 1 is
    ``2 ** -fp_dec`` in each layer whose threshold fits at that scale; the scales of other layers
    are left to be fitted. Decays that are not a shift use a multiplier.

    Parameters
    ----------
    net : SpikingNetwork
    optim_config : mapping
        ``weights_bw``, ``neurons_bw`` and ``fp_dec``: numbers, as its generator takes them, or
        ranges with ``min`` and ``max``, as its optimiser does.

    Returns
    -------
    list of Quantization
        One for each combination, in Spiker's order.

    Raises
    ------
    TypeError, ValueError
        If a key is unknown or missing, or a value out of range.
    """
    choices = widths(optim_config)
    decays = [
        cell_values(layer, name)
        for layer in net.layers
        for name in ("decay", "current_decay")
        if isinstance(layer.cell, Cell) and name in layer.cell.roles
    ]
    exact = all(
        np.isin(decay, [0.0, 1.0, *(1 - 2.0**-k for k in range(1, 9))]).all() for decay in decays
    )
    return [
        Quantization(
            weights=weights,
            potentials=neurons,
            decay="shift" if exact else "multiplier",
            scales={
                layer.name: 2.0**-places for layer in net.layers if fits(layer, neurons, places)
            },
        )
        for places in choices["fp_dec"]
        for weights in choices["weights_bw"]
        for neurons in choices["neurons_bw"]
    ]


def widths(optim_config: Any) -> dict[str, list[int]]:
    """Return the possible widths, by key."""
    if not isinstance(optim_config, Mapping):
        raise TypeError(f"optim_config must be a mapping, not {optim_config!r}")
    for key in optim_config:
        if key not in WIDTHS:
            raise ValueError(f"Keys of optim_config must be {', '.join(WIDTHS)}, not {key!r}")
    choices = {}
    for key, low, high in (("weights_bw", 2, 16), ("neurons_bw", 2, 32), ("fp_dec", 0, 31)):
        if key not in optim_config:
            raise ValueError(f"optim_config must have {key!r}, which it does not")
        values = optim_config[key]
        ends = (values, values)
        if isinstance(values, Mapping):
            if set(values) != {"min", "max"}:
                raise ValueError(f"{key} must have 'min' and 'max', not {sorted(values)}")
            ends = (values["min"], values["max"])
        ends = tuple(check_int(key, end) for end in ends)
        for end in ends:
            if not low <= end <= high:
                raise ValueError(f"{key} must be in {low}..{high}, not {end}")
        if ends[0] > ends[1]:
            raise ValueError(f"{key} must have a min of at most its max {ends[1]}, not {ends[0]}")
        choices[key] = list(range(ends[0], ends[1] + 1))
    return choices


def cell_values(layer: Layer, name: str) -> np.ndarray:
    """Return the floating-point values of a field of a layer's cell."""
    if not isinstance(layer.cell, Cell):
        raise TypeError(f"Cell of layer {layer.name!r} must be a Cell, not {layer.cell!r}")
    return layer.cell.value(name)


def fits(layer: Layer, neurons: int, places: int) -> bool:
    """Tell whether a threshold with a number of binary places fits a number of bits."""
    return float(np.abs(cell_values(layer, "threshold")).max()) * 2**places < 2 ** (neurons - 1) - 1
