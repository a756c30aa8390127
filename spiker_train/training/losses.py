r"""Losses, and regularisers of activity.

A loss is called with :class:`Answers` and the targets of a batch, and returns a number with
gradients; so is a function of yours. Where samples differ in their steps, they are padded at their
ends, and ``mask`` has the steps that are each sample's own: all here see these alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite
from typing import Any

import torch
from torch import nn

from spiker_hdl.base.checks import shown
from spiker_train.network.runs.run import Outcome

__all__ = [
    "LOSSES",
    "ActivityBand",
    "Answers",
    "CountCrossEntropy",
    "CrossEntropy",
    "MeanSquare",
    "PotentialCrossEntropy",
    "SpikeL1",
    "VanRossum",
    "classification_loss",
    "spikes_per_sample",
]


@dataclass(frozen=True)
class Answers:
    """The answers of a network to a batch.

    Members
    -------
    outcome : Outcome
        Scores, logits, and the spikes of layers that fire; spikes after a sample's own steps are 0.
    spikes : tensor, shape (samples, steps, size), or None
        Spikes of the population of the first readout; None where it does not spike.
    potentials : tensor, shape (samples, steps, size), or None
        Its potentials, in floating-point units; None unless the loss has ``potentials = True``.
    mask : tensor of bool, shape (samples, steps)
        Steps that are the sample's own.
    """

    outcome: Outcome
    spikes: torch.Tensor | None
    potentials: torch.Tensor | None
    mask: torch.Tensor


@dataclass(frozen=True)
class _Tempered:
    """A loss of labels whose scores are divided by a temperature."""

    temperature: float = 1.0
    potentials = False
    classes = True

    def __post_init__(self) -> None:
        _positive("Temperature", self.temperature)


@dataclass(frozen=True)
class CrossEntropy(_Tempered):
    """The mean cross entropy of the first readout's scores, whatever they are.

    Parameters
    ----------
    temperature : float
        Divisor of the scores, in floating-point units.
    """

    def __call__(self, answers: Answers, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss for labels of the shape (samples,)."""
        return classification_loss(answers.outcome, targets, self.temperature)


@dataclass(frozen=True)
class CountCrossEntropy(_Tempered):
    """The mean cross entropy of spike counts of the first readout's population.

    Parameters
    ----------
    temperature : float
        Spikes by which a count must be greater to be ``e`` times as likely.
    """

    def __call__(self, answers: Answers, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss for labels of the shape (samples,)."""
        counts = _spikes(answers).sum(1)
        return nn.functional.cross_entropy(counts / self.temperature, targets)


@dataclass(frozen=True)
class PotentialCrossEntropy(_Tempered):
    """The cross entropy of potentials in each step, as the mean over steps and then over samples.

    Parameters
    ----------
    temperature : float
        Divisor of the potentials, in floating-point units.
    """

    potentials = True

    def __call__(self, answers: Answers, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss for labels of the shape (samples,)."""
        potentials, mask = _potentials(answers), answers.mask
        steps = potentials.shape[1]
        each = nn.functional.cross_entropy(
            (potentials / self.temperature).transpose(1, 2),
            targets[:, None].expand(-1, steps),
            reduction="none",
        )
        return ((each * mask).sum(1) / mask.sum(1)).mean()


@dataclass(frozen=True)
class VanRossum:
    r"""The squared distance of van Rossum (2001) from target spikes, as the mean over neurons.

    Each train is convolved with :math:`e^{-t / \tau}` from each of its spikes on. With the
    difference :math:`f` of the two, of trains whose spikes are in whole steps,

    .. math::

        D^2 = \frac{1}{\tau} \int_0^\infty f(t)^2\,dt
            = \frac{1 - q^2}{2} \sum_{k < T} f_k^2 + \frac{q^2}{2} f_{T-1}^2, \qquad
        f_k = q f_{k-1} + s_k - s^*_k, \qquad q = e^{-1 / \tau}

    exactly, the time after the last step included. One spike more or less is a distance of 1/2.

    Parameters
    ----------
    tau : float
        Time constant, in steps.
    """

    tau: float = 10.0
    potentials = False
    classes = False

    def __post_init__(self) -> None:
        _positive("Time constant", self.tau)

    def __call__(self, answers: Answers, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss for target spikes of the shape (samples, steps, size)."""
        spikes, mask = _spikes(answers), answers.mask
        difference = (spikes - targets.to(spikes.dtype)) * mask[..., None]
        q = exp(-1 / self.tau)
        trace = torch.zeros_like(difference[:, 0])
        total, last = torch.zeros_like(trace), torch.zeros_like(trace)
        for k in range(difference.shape[1]):
            trace = q * trace + difference[:, k]
            # A sample that has ended decays on: what remains is in the last term.
            total = total + trace.square() * mask[:, k, None]
            last = torch.where(mask[:, k, None], trace, last)
        return ((1 - q * q) / 2 * total + q * q / 2 * last.square()).mean()


@dataclass(frozen=True)
class MeanSquare:
    """The mean square of the difference of potentials from targets, over neurons and own steps."""

    potentials = True
    classes = False

    def __call__(self, answers: Answers, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss for targets of the shape (samples, steps, size), in floating point."""
        potentials, mask = _potentials(answers), answers.mask
        square = (potentials - targets.to(potentials.dtype)).square().mean(2) * mask
        return (square.sum(1) / mask.sum(1)).mean()


LOSSES = {
    "cross_entropy": CrossEntropy,
    "count_cross_entropy": CountCrossEntropy,
    "potential_cross_entropy": PotentialCrossEntropy,
    "van_rossum": VanRossum,
    "mean_square": MeanSquare,
}
"""Losses by name."""


@dataclass(frozen=True)
class ActivityBand:
    r"""A penalty on neurons whose mean rate is too low or too high.

    With the rate :math:`r_n` of neuron :math:`n`, in spikes per step over the own steps of all
    samples of a batch,

    .. math:: \text{strength} \cdot \frac{1}{N} \sum_n
        \max(0, r_\text{low} - r_n)^2 + \max(0, r_n - r_\text{high})^2

    Parameters
    ----------
    low, high : float
        Rates in spikes per step, in 0..1.
    strength : float
    layers : sequence of str, optional
        Names of layers; all that spike by default.
    """

    low: float
    high: float
    strength: float = 1.0
    layers: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for what, value in (("Low rate", self.low), ("High rate", self.high)):
            if not 0 <= value <= 1:
                raise ValueError(f"{what} must be in 0..1, not {value!r}")
        if self.low > self.high:
            raise ValueError(f"Rates must be in order, not {self.low!r}..{self.high!r}")
        _positive("Strength", self.strength)

    def __call__(self, answers: Answers) -> torch.Tensor:
        """Return the penalty of a batch."""
        steps = answers.mask.sum()
        rates = torch.cat([train.sum((0, 1)) / steps for train in _of(answers, self.layers)])
        low, high = nn.functional.relu(self.low - rates), nn.functional.relu(rates - self.high)
        return self.strength * (low.square() + high.square()).mean()


@dataclass(frozen=True)
class SpikeL1:
    """A penalty on each spike: strength times the mean number of spikes per sample.

    Parameters
    ----------
    strength : float
    layers : sequence of str, optional
        Names of layers; all that spike by default.
    """

    strength: float
    layers: Sequence[str] | None = None

    def __post_init__(self) -> None:
        _positive("Strength", self.strength)

    def __call__(self, answers: Answers) -> torch.Tensor:
        """Return the penalty of a batch."""
        trains = _of(answers, self.layers)
        return self.strength * torch.stack([train.sum((1, 2)).mean() for train in trains]).sum()


def classification_loss(outcome: Outcome, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the mean cross entropy of the first readout's scores.

    Parameters
    ----------
    outcome : Outcome
    labels : tensor of int64, shape (samples,)
    temperature : float
        Divisor of the scores, in floating-point units.
    """
    return nn.functional.cross_entropy(outcome.logits / temperature, labels)


def spikes_per_sample(outcome: Outcome, layers: Sequence[str]) -> Any:
    """Return the mean number of spikes of some layers per sample, with its gradient."""
    return sum((outcome.spikes[name].sum((1, 2)).mean() for name in layers), start=0.0)


def _of(answers: Answers, layers: Sequence[str] | None) -> list[torch.Tensor]:
    known = answers.outcome.spikes
    for name in layers or ():
        if name not in known:
            raise ValueError(f"Layer must be one that spikes, {', '.join(known)}, not {name!r}")
    trains = [known[name] for name in (known if layers is None else layers)]
    if not trains:
        raise ValueError("Network must have a layer that spikes to penalise its activity, not none")
    return trains


def _spikes(answers: Answers) -> torch.Tensor:
    if answers.spikes is None:
        raise ValueError(
            "Loss of spikes must have a first readout whose population spikes, not an integrator"
        )
    return answers.spikes


def _potentials(answers: Answers) -> torch.Tensor:
    assert answers.potentials is not None  # recorded, since the loss says that it needs them
    return answers.potentials


def _positive(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} must be a number, not {shown(value)}")
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{what} must be a positive number, not {value!r}")
