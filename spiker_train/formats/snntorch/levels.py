"""Integer neurons for snnTorch neurons whose potentials are rounded to levels (``state_quant``)."""

from dataclasses import dataclass
from inspect import getclosurevars
from math import frexp, log2
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.model import Decay, Lif
from spiker_train.network.cell import IntegerCell
from spiker_train.network.integers.grids import NEAR, grid_of, shift_between

__all__ = ["check_on_levels", "levelled_grid", "read_levels"]

WAY = (
    "; drop state_quant and let quantize choose the bits, or take levels of "
    "lower_limit=1, upper_limit=1 - 2**(2 - num_bits)"
)
MOST = 2**12
"""Greatest number of levels, which float32 can distinguish."""


@dataclass(frozen=True)
class Levels:
    """Uniform levels, ``step`` apart: ``below`` of them below 0, and ``above`` of them above."""

    values: np.ndarray
    step: float
    below: int
    above: int


def read_levels(
    what: str, part: Any, threshold: np.ndarray, decay: np.ndarray, reset: str, timing: str
) -> IntegerCell:
    """Return integer neurons that compute the same as a ``Leaky`` with ``state_quant``.

    snnTorch takes the nearest level, of two the lower one, after each update. Our decay rounds up,
    ``x - floor(x / 2**k)`` being the least integer from the product on. A potential that lies
    ``2**(k - 1)`` above snnTorch's makes one the other: the least integer from ``y - 1/2`` on is
    the nearest to ``y``, of two the lower.

    Parameters
    ----------
    what : str
        Name in messages.
    part : nn.Module
    threshold, decay : array of float
        One value, or one for each neuron.
    reset, timing : str
        The reset, and when it takes place, as for :class:`~spiker_hdl.model.SpikingNeuron`.

    Raises
    ------
    TypeError, ValueError
        If integers would not compute the same, with the reason.
    """
    levels = _levels(what, part.state_quant)
    for name in ("threshold", "beta"):
        if isinstance(getattr(part, name), nn.Parameter):
            raise ValueError(f"{what}: learn_{name} must be False with state_quant, not True")
    form = _decay(what, decay, levels)
    offset = 2 ** (form.bits - 1) if form.bits else 0
    if reset == "subtract" and (offset or timing == "snntorch_immediate"):
        setting = f"beta={1 - 2.0**-form.bits:g}" if offset else "reset_delay=False"
        raise ValueError(
            f"{what}: reset_mechanism must be 'zero' with state_quant and {setting}, "
            "not 'subtract': "
            f"its levels are rounded otherwise than integers are{WAY}"
        )
    if offset > levels.below:
        raise ValueError(
            f"{what}: state_quant must have at least {offset} levels below 0 for this beta, "
            f"not {levels.below}{WAY}"
        )
    fires_above = _thresholds(what, threshold, levels, reset)
    highest = int(np.max(fires_above)) + 1 if reset == "zero" else levels.above
    width = _width(what, offset + highest, levels.below - offset, reset, levels)
    limits = fires_above + offset
    return IntegerCell(
        Lif(
            width=width,
            threshold=int(limits) if limits.ndim == 0 else tuple(int(limit) for limit in limits),
            decay=form,
            reset="value" if reset == "zero" else reset,
            reset_value=offset if reset == "zero" else 0,
            reset_timing=timing,
            floor=offset - levels.below,
            v=offset,
        ),
        scale=levels.step,
        surrogate=None if part.surrogate_disable else part.spike_grad,
    )


def _levels(what: str, quantizer: Any) -> Levels:
    """Return the levels of a quantiser of states, which must be uniform."""
    from_snntorch = getattr(quantizer, "__module__", "") == "snntorch.functional.quant"
    values = getclosurevars(quantizer).nonlocals.get("levels") if from_snntorch else None
    if not isinstance(values, torch.Tensor):
        raise ValueError(
            f"{what}: state_quant must be made by snntorch.functional.quant.state_quant, "
            f"not {getattr(quantizer, '__name__', type(quantizer).__name__)}"
        )
    levels = values.detach().cpu().double().numpy()
    if not 2 <= len(levels) <= MOST:
        raise ValueError(f"{what}: state_quant must have 2 to {MOST} levels, not {len(levels)}")
    step = float(levels[-1] - levels[0]) / (len(levels) - 1)
    even = levels[0] + np.arange(len(levels)) * step
    if not step > 0 or np.abs(levels - even).max() > step / 256:
        raise ValueError(f"{what}: state_quant must be uniform, not of levels of other steps{WAY}")
    below = round(-levels[0] / step)
    nearest = float(levels[np.abs(levels).argmin()])
    numbers = np.arange(len(levels)) - below
    exact = grid_of(levels[levels != 0]) or step
    step = exact if abs(exact - step) <= NEAR * step else step
    if not 0 <= below < len(levels) or np.abs(levels - numbers * step).max() > step / 256:
        raise ValueError(
            f"{what}: state_quant must have the level 0, where potentials rest, not {nearest:.5g} "
            f"as the nearest{WAY}"
        )
    return Levels(levels, step, below, len(levels) - 1 - below)


def _decay(what: str, beta: np.ndarray, levels: Levels) -> Decay:
    """Return a decay that is exact on these levels: 1, 0 or 1 - 2**-k."""
    known = np.unique(beta)
    if known.size > 1:
        raise ValueError(f"{what}: beta must be one for all neurons with state_quant, not several")
    lost = 1 - float(known[0])
    if lost == 0:
        return Decay(0, 0)
    bits = round(-log2(lost))
    if lost != 2.0**-bits or bits > 12:
        raise ValueError(
            f"{what}: beta must be 0, 1 or 1 - 2**-k, with k of 1 to 12, with state_quant, not "
            f"{float(known[0]):.6g}, whose products are rounded to levels otherwise than by "
            "integers; drop state_quant and let quantize choose the bits"
        )
    if bits and not _is_exact(levels):
        raise ValueError(
            f"{what}: levels of state_quant must be integers times a power of two with "
            f"beta={float(known[0]):g}, not times {levels.step:.5g}, since float32 rounds "
            "halves of these levels up or down"
        )
    return Decay.shift(bits)


def _is_exact(levels: Levels) -> bool:
    numbers = np.arange(len(levels.values)) - levels.below
    return frexp(levels.step)[0] == 0.5 and np.array_equal(levels.values, numbers * levels.step)


def _thresholds(what: str, threshold: np.ndarray, levels: Levels, reset: str) -> np.ndarray:
    """Return the highest level that does not fire, in steps, for each threshold."""
    single = np.float32(levels.values)
    fires = single > threshold.astype(np.float32)[..., None]
    if not fires.any(-1).all():
        raise ValueError(
            f"{what}: threshold must be below the greatest level of state_quant, "
            f"{levels.values[-1]:.5g}, to be passed, not {float(np.max(threshold)):.5g}"
        )
    numbers = fires.argmax(-1) - 1 - levels.below
    off = np.abs(threshold - numbers * levels.step)
    if reset == "subtract" and off.max() > levels.step / 256:
        bad = float(np.broadcast_to(threshold, off.shape).reshape(-1)[off.argmax()])
        raise ValueError(
            f"{what}: threshold must be a level of state_quant, an integer times "
            f"{levels.step:.5g}, to be subtracted, not {bad:.5g}{WAY}"
        )
    return numbers


def _width(what: str, high: int, low: int, reset: str, levels: Levels) -> int:
    width = max(high.bit_length() + 1, (max(low, 1) - 1).bit_length() + 1, 2)
    if reset != "zero" and high != 2 ** (width - 1) - 1:
        raise ValueError(
            f"{what}: state_quant must have 2**n - 1 levels above 0 with "
            f"reset_mechanism={reset!r}, where integers saturate, not {levels.above}{WAY}"
        )
    return width


def levelled_grid(cell: Any, weights: np.ndarray) -> float | None:
    """Return the coarsest grid of weights in front of integer neurons that a shift can make."""
    grid = grid_of(weights)
    if grid is not None:
        shift = shift_between(grid, cell.scale) if grid >= cell.scale * (1 - NEAR) else None
        grid = cell.scale if shift is None else cell.scale * 2.0**shift
    return grid


def check_on_levels(what: str, cell: Any, values: np.ndarray, kind: str) -> None:
    """Raise :exc:`ValueError` if inputs of neurons lie between their levels."""
    numbers = np.asarray(values, dtype=float) / cell.scale
    off = np.abs(numbers - np.rint(numbers))
    if off.size and off.max() > 2.0**-10:
        bad = float(np.asarray(values).reshape(-1)[off.argmax()])
        raise ValueError(
            f"{what}: {kind} must be integers times the step {cell.scale:.5g} of state_quant, not "
            f"{bad:.5g}: sums are rounded to levels, not each; quantise them to that step, or drop "
            "state_quant and let quantize choose the bits"
        )
