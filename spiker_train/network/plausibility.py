"""Implausible networks: neurons that never or always fire, and weights that become zero.

Such a network is rarely meant. Causes are weights that were scaled for another program, time
constants in another unit, or too few bits.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiker_hdl.model import CurrentLif, If, Lif, Network
from spiker_hdl.model.bounds import firing

from .cell import Cell
from .runs.convolved import convolved_ends

if TYPE_CHECKING:
    from .layers import Connection, Layer
    from .network import SpikingNetwork

__all__ = ["ImplausibleWarning", "implausible", "implausible_integers", "lost_decays", "warn_of"]

LONG = 1000
"""Steps above which a time constant is probably in another unit."""


class ImplausibleWarning(UserWarning):
    """Warning of a network that is probably not meant, such as of neurons that can never fire."""


def warn_of(messages: Sequence[str]) -> None:
    """Issue messages as warnings to the caller of the calling function."""
    for message in messages:
        warnings.warn(message, ImplausibleWarning, stacklevel=3)


def implausible(net: "SpikingNetwork") -> list[str]:
    """Return messages on implausible layers of a floating-point network, by name."""
    messages = []
    sources = {
        declared.name: (float(declared.low), float(declared.high)) for declared in net.inputs
    }
    for layer in net.layers:
        low, high = layer.cell.event_range or (0, 1)
        sources[layer.name] = float(low), float(high)
    for layer in net.layers:
        if not isinstance(layer.cell, Cell):
            continue
        messages += _slow(layer, layer.cell)
        if layer.cell.has_seconds or any(link.dynamics is not None for link in layer.incoming):
            continue  # what a neuron reaches depends on the length of the steps
        if layer.cell.kind in {CurrentLif, If, Lif} and _heard(layer.name, net.connections, net):
            links = [
                connection for connection in net.connections if connection.target == layer.name
            ]
            messages += _firing(layer, layer.cell, *_currents(layer, links, sources))
    return messages


def _heard(name: str, links: Sequence[Any], net: Any) -> bool:
    """Tell whether a connection or a readout uses the spikes of a layer."""
    read = any(
        readout.population == name and readout.kind in {"count", "first"}
        for readout in net.readouts
    )
    return read or any(connection.source == name for connection in links)


def _slow(layer: "Layer", cell: Cell) -> list[str]:
    """Return messages on decays with implausibly long time constants."""
    messages = []
    for name, role in cell.roles.items():
        if role != "decay" or name in cell.exact or name in cell.taus:
            continue
        left = 1 - cell.value(name)
        if (left > 0).all() and (left < 1 / LONG).all():
            factor, steps = float(1 - left.max()), 1 / float(left.max())
            messages.append(
                f"{name.replace('_', ' ')} of {layer.name!r} is {factor:.6g}, a time constant of "
                f"{steps:.0f} steps: see that time constants and dt are in one unit, and that the "
                "writer is the one that wrote the file"
            )
    return messages


def _currents(
    layer: "Layer", links: Sequence["Connection"], sources: dict[str, tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the greatest current of each neuron, each of shape (neurons,)."""
    low, high = (torch.zeros(layer.size, dtype=torch.float64) for _ in range(2))
    for connection in links:
        weights = connection.masked().detach().cpu().double()
        up, down = weights.clamp(min=0), weights.clamp(max=0)
        smallest, greatest = sources[connection.source]
        if connection.convolution is not None:
            ends = convolved_ends(connection, (up, down), smallest, greatest)
            low, high = low + ends[0], high + ends[1]
            continue
        if connection.kind != "one_to_one":
            up, down = up.sum(1), down.sum(1)
        low += up * smallest + down * greatest
        high += up * greatest + down * smallest
    biases = layer.biases
    bias = 0.0 if biases is None else biases.detach().cpu().double()
    return (low + bias).numpy(), (high + bias).numpy()


def _firing(layer: "Layer", cell: Cell, low: np.ndarray, high: np.ndarray) -> list[str]:
    threshold = np.broadcast_to(cell.value("threshold"), high.shape)
    settings, rest = cell.settings, cell.value("v")
    if cell.kind is CurrentLif:
        high = _greatest_sum(high, cell.value("current_decay"), cell.value("i"))
    decay = np.ones(()) if cell.kind is If else cell.value("decay")
    towards = np.zeros(()) if cell.kind is If else cell.value("rest")
    greatest = towards + _greatest_sum(high, decay, rest - towards)
    if settings["reset"] == "value":
        greatest = np.maximum(greatest, cell.value("reset_value"))
    reaches = greatest > threshold if settings["fire"] == ">" else greatest >= threshold
    if not reaches.any():
        at = int((greatest - threshold).argmax())
        return [
            f"{layer.name!r} can never fire: no input brings a potential above {greatest[at]:.4g}, "
            f"and the threshold is {threshold[at]:.4g}; see that weights and thresholds are of one "
            "scale"
        ]
    immediate = settings["reset"] == "none" or settings["reset_timing"] == "immediate"
    begins = cell.value("reset_value").min() if settings["reset"] == "value" else 0.0
    calm = not immediate or cell.value("refractory").any()
    calm = calm or min(rest.min(), begins, towards.min()) < 0
    if cell.kind is CurrentLif:
        calm = calm or cell.value("i").min() < 0
    calm = calm or layer.coupling is not None  # only the winner fires
    if not calm and (low > np.maximum(threshold, 0)).all():
        return [f"{layer.name!r} fires in every step, whatever its input: see its bias"]
    return []


def _greatest_sum(current: np.ndarray, decay: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return an upper bound of a leaky sum of currents, shape (neurons,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        settled = np.where(current > 0, current / (1 - decay), 0.0)
    return np.maximum(settled, rest)


def implausible_integers(network: Network) -> list[str]:
    """Return messages on implausible populations of an integer network, by name."""
    messages = []
    for name, (fires, rests) in firing(network).items():
        if not _heard(name, network.projections, network):
            continue
        if not fires:
            messages.append(f"{name!r} can never fire: give weights or potentials more bits")
        elif not rests:
            messages.append(f"{name!r} fires in every step, whatever its input")
    return messages


def lost_decays(where: str, what: str, target: Any, quantized: Any) -> list[str]:
    """Return messages on decays whose quantised factor is 1, without leak, or 0."""
    target, quantized = np.broadcast_arrays(np.atleast_1d(target), np.atleast_1d(quantized))
    label = f"{what.replace('_', ' ')} of {where!r}"
    if ((target < 1) & (quantized >= 1)).all():
        return [f"{label} is quantised to 1, from {target.max():.6g}: nothing leaks"]
    if ((target > 0) & (quantized <= 0)).all():
        return [f"{label} is quantised to 0, from {target.min():.6g}: nothing is kept"]
    return []
