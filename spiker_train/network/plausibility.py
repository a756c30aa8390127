"""What no network should be: neurons that can never fire or always do, and weights that are lost.

Such a network is rarely meant. It comes of weights that were scaled for another program, of time
constants in another unit, or of too few bits.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiker_hdl.model import CurrentLif, If, Lif, Network
from spiker_hdl.model.bounds import firing

from .cell import Cell

if TYPE_CHECKING:
    from .layers import Connection, Layer
    from .network import SpikingNetwork

__all__ = ["ImplausibleWarning", "implausible", "implausible_integers", "lost_decays", "warn_of"]

LONG = 1000
"""Steps beyond which a time constant is rather one in another unit."""


class ImplausibleWarning(UserWarning):
    """A network computes what nobody can have meant, such as neurons that can never fire."""


def warn_of(found: Sequence[str]) -> None:
    """Warn the caller of a function of the library, where it gets no report."""
    for one in found:
        warnings.warn(one, ImplausibleWarning, stacklevel=3)


def implausible(net: "SpikingNetwork") -> list[str]:
    """Return what a network of real numbers cannot be meant to be, by name."""
    found = []
    sources = {one.name: (float(one.low), float(one.high)) for one in net.inputs}
    sources |= {one.name: (0.0, 1.0) for one in net.layers}
    for layer in net.layers:
        if not isinstance(layer.cell, Cell):
            continue
        found += _slow(layer, layer.cell)
        if layer.cell.kind in {CurrentLif, If, Lif} and _heard(layer.name, net.connections, net):
            links = [one for one in net.connections if one.target == layer.name]
            found += _firing(layer, layer.cell, *_currents(layer, links, sources))
    return found


def _heard(name: str, links: Sequence[Any], net: Any) -> bool:
    """Tell whether anything takes the spikes of a layer."""
    read = any(one.population == name and one.kind in {"count", "first"} for one in net.readouts)
    return read or any(one.source == name for one in links)


def _slow(layer: "Layer", cell: Cell) -> list[str]:
    """Return decays that keep nearly all for very long."""
    found = []
    for name, role in cell.roles.items():
        if role != "decay" or name in cell.exact:
            continue
        left = 1 - cell.real(name)
        if (left > 0).all() and (left < 1 / LONG).all():
            factor, steps = float(1 - left.max()), 1 / float(left.max())
            found.append(
                f"{name.replace('_', ' ')} of {layer.name!r} is {factor:.6g}, a time constant of "
                f"{steps:.0f} steps: see that time constants and dt are in one unit, and that the "
                "writer is the one that wrote the file"
            )
    return found


def _currents(
    layer: "Layer", links: Sequence["Connection"], sources: dict[str, tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest current of each neuron."""
    low, high = (torch.zeros(layer.size, dtype=torch.float64) for _ in range(2))
    for one in links:
        weights = one.masked().detach().cpu().double()
        up, down = weights.clamp(min=0), weights.clamp(max=0)
        if one.kind != "one_to_one":
            up, down = up.sum(1), down.sum(1)
        least, most = sources[one.source]
        low += up * least + down * most
        high += up * most + down * least
    bias = 0.0 if layer.bias is None else layer.bias.detach().cpu().double()
    return (low + bias).numpy(), (high + bias).numpy()


def _firing(layer: "Layer", cell: Cell, low: np.ndarray, high: np.ndarray) -> list[str]:
    threshold = np.broadcast_to(cell.real("threshold"), high.shape)
    settings, rest = cell.settings, cell.real("v")
    if cell.kind is CurrentLif:
        high = _most(high, cell.real("current_decay"), cell.real("i"))
    decay = np.ones(()) if cell.kind is If else cell.real("decay")
    most = _most(high, decay, rest)
    if settings["reset"] == "value":
        most = np.maximum(most, cell.real("reset_value"))
    reaches = most > threshold if settings["fire"] == ">" else most >= threshold
    if not reaches.any():
        at = int((most - threshold).argmax())
        return [
            f"{layer.name!r} can never fire: no input brings a potential above {most[at]:.4g}, "
            f"and the threshold is {threshold[at]:.4g}; see that weights and thresholds are of one "
            "scale"
        ]
    immediate = settings["reset"] == "none" or settings["reset_timing"] == "immediate"
    begins = cell.real("reset_value").min() if settings["reset"] == "value" else 0.0
    calm = not immediate or settings["refractory"] or min(rest.min(), begins) < 0
    if cell.kind is CurrentLif:
        calm = calm or cell.real("i").min() < 0
    if not calm and (low > np.maximum(threshold, 0)).all():
        return [f"{layer.name!r} fires in every step, whatever its input: see its bias"]
    return []


def _most(current: np.ndarray, decay: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return what a leaking sum of at most a current never goes beyond."""
    with np.errstate(divide="ignore", invalid="ignore"):
        held = np.where(current > 0, current / (1 - decay), 0.0)
    return np.maximum(held, rest)


def implausible_integers(network: Network) -> list[str]:
    """Return what a network of integers cannot be meant to be, by name."""
    found = []
    for name, (fires, rests) in firing(network).items():
        if not _heard(name, network.projections, network):
            continue
        if not fires:
            found.append(f"{name!r} can never fire: give weights or potentials more bits")
        elif not rests:
            found.append(f"{name!r} fires in every step, whatever its input")
    return found


def lost_decays(where: str, what: str, real: Any, became: Any) -> list[str]:
    """Return which decays became those of no leak at all, or of no memory."""
    real, became = np.broadcast_arrays(np.atleast_1d(real), np.atleast_1d(became))
    label = f"{what.replace('_', ' ')} of {where!r}"
    if ((real < 1) & (became >= 1)).all():
        return [f"{label} became 1, from {real.max():.6g}: it leaks nothing"]
    if ((real > 0) & (became <= 0)).all():
        return [f"{label} became 0, from {real.min():.6g}: it keeps nothing"]
    return []
