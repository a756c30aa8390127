"""The account that quantisation gives of the integers that it chose."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from spiker_train.network.time import Duration

__all__ = ["Change", "QuantizationReport", "change_of", "change_of_time", "rms", "worst_change"]


@dataclass(frozen=True)
class Change:
    """A floating-point parameter and the integers that replace it.

    Members
    -------
    where : str
        Name of the layer or connection.
    what : str
        Field, such as ``"threshold"``, ``"decay"`` or ``"weights"``.
    target : float
        Floating-point value. If there is a value per neuron, it is the value of the neuron with the
        greatest error; for weights, it is their root mean square.
    integer : str
        The integers that the hardware has.
    quantized : float
        The value of these integers in the units of the target; for weights, their root mean square.
    error : float
        Greatest difference, relative to the target; for weights, the root mean square of the
        differences, relative to the root mean square of the weights.
    errors : tuple of float
        Relative error of each neuron, where there is a value per neuron.
    """

    where: str
    what: str
    target: float
    integer: str
    quantized: float
    error: float
    errors: tuple[float, ...] = ()


@dataclass
class QuantizationReport:
    """An account of a quantisation, which :func:`~spiker_train.quantize` fills in.

    Members
    -------
    scales : dict of str to float
        By layer, the floating-point value of the integer 1.
    changes : list of Change
    warnings : list of str
        By name, neurons that can never fire or always do, weights, thresholds and decays that are
        lost, and layers that saturate or go silent on the calibration samples.
    activity : dict of str to float
        By layer, spikes per neuron and step on the calibration samples.
    widths : dict of str to int
        By layer, bits of its membrane potentials.
    grids : dict of str to float
        By connection whose weights were integers times one number and are kept exactly, that
        number.
    shifts : dict of str to int
        By connection, by how many bits its target has a finer resolution than its weights.
    saturation : dict of str to float
        By layer, the share of neurons and steps in which a state is at an end of its range, on the
        calibration samples.
    tuned : list of float
        Validation accuracy after each epoch of fine-tuning.
    implausible : list of str
        Those of the warnings that do not depend on the calibration samples.
    """

    scales: dict[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    activity: dict[str, float] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    grids: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, int] = field(default_factory=dict)
    saturation: dict[str, float] = field(default_factory=dict)
    tuned: list[float] = field(default_factory=list)
    implausible: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{'where':<20} {'what':<14} {'target':>10} {'quantised':>10} {'error':>8}  integer"
        ]
        lines += [
            f"{change.where:<20} "
            f"{change.what + ' (rms)' if change.what == 'weights' else change.what:<14} "
            f"{change.target:>10.5g} {change.quantized:>10.5g} {change.error:>8.2%}  "
            f"{change.integer}"
            for change in self.changes
        ]
        for name, bits in self.widths.items():
            share = self.saturation.get(name)
            ends = "" if share is None else f", at an end of their range in {share:.2%} of steps"
            lines.append(f"{name:<20} potentials of {bits} bits{ends}")
        for name, grid in self.grids.items():
            lines.append(f"{name:<20} weights stay integers times {grid:.5g}")
        return "\n".join(lines + [f"warning: {warning}" for warning in self.warnings])

    def to_json(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        return asdict(self)


def rms(values: np.ndarray) -> float:
    """Return the root mean square of values, 0 where there are none."""
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def change_of(
    where: str, what: str, target: np.ndarray, integer: np.ndarray, scale: float
) -> Change:
    """Return the change of a parameter whose integers are in units of a scale."""
    shown = (
        f"{int(integer)}" if integer.ndim == 0 else f"{int(integer.min())}..{int(integer.max())}"
    )
    return worst_change(where, what, target, integer * scale, shown)


def change_of_time(
    where: str, what: str, duration: Duration, steps: int | tuple[int, ...], step: int | None
) -> Change:
    """Return the change of a time in seconds into steps of a length in picoseconds."""
    assert step is not None
    target = np.asarray(duration.seconds, dtype=float)
    whole = np.asarray(steps, dtype=float)
    shown = f"{int(whole)}" if whole.ndim == 0 else f"{int(whole.min())}..{int(whole.max())}"
    return worst_change(
        where, what, target, whole * step / 1e12, f"{shown} step" + "s" * (shown != "1")
    )


def worst_change(
    where: str, what: str, target: np.ndarray, quantized: np.ndarray, shown: str
) -> Change:
    """Return the change of a parameter, described by the neuron with the greatest error.

    Parameters
    ----------
    where, what : str
        Names of the layer and of the field.
    target, quantized : array of float, shape () or (neurons,)
        Values before and after, in the same units.
    shown : str
        The integers, as text.
    """
    target, quantized = np.broadcast_arrays(np.atleast_1d(target), np.atleast_1d(quantized))
    difference = np.abs(quantized - target)
    errors = difference / np.where(difference > 0, np.maximum(np.abs(target), 1e-300), 1.0)
    worst = int(difference.argmax())
    return Change(
        where,
        what,
        float(target[worst]),
        shown,
        float(quantized[worst]),
        float(errors[worst]),
        tuple(errors.tolist()) if len(errors) > 1 else (),
    )
