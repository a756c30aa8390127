"""Floating-point networks, as `spiker import` writes them, and samples for them."""

from collections.abc import Mapping
from pathlib import Path

from spiker_train import SpikingNetwork, load_floating_point

from .files import way_of
from .samples import Samples, find_samples

__all__ = ["MOST_STEPS", "max_steps_of", "open_floating_point", "samples_for"]

FEW = 500
"""Samples that are run where no number is given."""

USUAL_STEPS = 256
MOST_STEPS = 2**16 - 1
"""Steps of a sample that a network takes by default, and at most."""


def open_floating_point(path: Path) -> SpikingNetwork:
    """Load a floating-point network."""
    if not path.is_file():
        raise ValueError(f"Network must be a file that `spiker import` made, and {path} is missing")
    other = way_of(path, "safetensors")
    if other:
        raise ValueError(f"Network must be a file that `spiker import` made, and {path} is {other}")
    return load_floating_point(path)


def max_steps_of(samples: Samples | None, max_steps: int | None) -> int:
    """Return the most steps that a network is to take: 256, or as many as its samples have.

    Raises
    ------
    ValueError
        If the samples have more than ``max_steps``.
    """
    steps = 0 if samples is None else _steps(samples)
    if max_steps is not None and steps > max_steps:
        raise ValueError(
            f"--max-steps must be at least the {steps} steps of the data, not {max_steps}"
        )
    return max_steps or max(USUAL_STEPS, steps)


def _steps(samples: Samples) -> int:
    """Return the number of time steps of samples, which all inputs have alike."""
    spikes = samples.spikes
    return (next(iter(spikes.values())) if isinstance(spikes, Mapping) else spikes).shape[1]


def samples_for(
    net: SpikingNetwork, data: str, count: int | None, encoder: str | None, steps: int | None
) -> Samples:
    """Return samples for a floating-point network, :data:`FEW` by default."""
    samples = find_samples(net.graph, data, count, encoder, steps)
    return samples if count is not None else samples.first(min(FEW, len(samples)))
