"""Input spikes of a run, checked once for every engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .graph import Input
from .network import Network

__all__ = ["Stimulus", "by_input", "check_record", "sent", "stimulus"]


@dataclass(frozen=True)
class Stimulus:
    """Samples for a network.

    Members
    -------
    steps : array of int, shape (samples,)
        Time steps of each sample.
    values : mapping of str to list of array, each of shape (steps, size)
        For each input, the samples.
    """

    steps: np.ndarray
    values: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.steps)

    def group(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Return the values of ``samples``, all of the same steps, stacked."""
        return {
            name: each[samples]
            if isinstance(each, np.ndarray)
            else np.stack([each[n] for n in samples])
            for name, each in self.values.items()
        }

    def sample(self, n: int) -> dict[str, np.ndarray]:
        """Return the values of sample ``n``, by input."""
        return {name: each[n] for name, each in self.values.items()}


def stimulus(network: Network, spikes: Any, *, window: int | None = None) -> Stimulus:
    """Check input spikes against a network.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        An array has the shape (samples, steps, size); a list has one array of shape (steps, size)
        a sample, and the samples may differ in steps. An array without mapping is for a network
        with one input. Booleans count as integers.
    window : int, optional
        Steps from one result to the next, of which each sample must have a whole number.

    Raises
    ------
    TypeError
        If ``spikes`` are no integers.
    ValueError
        If a shape, a value or a number of steps is not what the network takes.
    """
    values, steps = by_input(network, spikes), None
    for one in network.inputs:
        own = np.array([len(sample) for sample in values[one.name]], dtype=np.int64)
        if one.held:
            _check_held(one, values[one.name])
        if steps is not None and not np.array_equal(own, steps):
            raise ValueError("Spikes of all inputs must have the same samples and steps")
        steps = own
    assert steps is not None  # a network has inputs
    if len(steps) == 0:
        raise ValueError("Spikes must have at least one sample, not none")
    reach = steps if window is None else np.full(1, window)
    least, most = int(reach.min()), int(reach.max())
    what = "Sample" if window is None else "Window"
    if least < 1 or most > network.longest:
        given = least if least < 1 else most
        raise ValueError(f"{what} must have 1 to {network.longest} steps, not {given}")
    wrong = steps[(steps < 1) | (steps % (window or 1) != 0)]
    if len(wrong):
        given = int(wrong[0])
        raise ValueError(f"Sample must have a multiple of {window} steps, not {given}")
    return Stimulus(steps, values)


def by_input(network: Network, spikes: Any) -> dict[str, Any]:
    """Check the shapes and values of spikes, and return them by input.

    Parameters
    ----------
    network, spikes
        As for :func:`stimulus`.

    Raises
    ------
    TypeError
        If ``spikes`` are no integers.
    ValueError
        If a shape or a value is not what the network takes.
    """
    if not isinstance(spikes, Mapping):
        if len(network.inputs) != 1:
            names = ", ".join(repr(one.name) for one in network.inputs)
            raise ValueError(f"Spikes must be a mapping with an array for each of {names}")
        spikes = {network.inputs[0].name: spikes}
    wanted = {one.name for one in network.inputs}
    if set(spikes) != wanted:
        raise ValueError(f"Spikes must be given for {sorted(wanted)}, not {sorted(spikes)}")
    return {one.name: _check_input(one, spikes[one.name]) for one in network.inputs}


def _check_input(one: Input, spikes: Any) -> Any:
    what = f"Spikes of input {one.name!r}"
    if isinstance(spikes, np.ndarray):
        if spikes.ndim != 3 or spikes.shape[2] != one.size:
            raise ValueError(
                f"{what} must have the shape (samples, steps, {one.size}), not {spikes.shape}"
            )
        return _check_values(one, what, spikes)
    if not isinstance(spikes, Sequence):
        raise TypeError(f"{what} must be an array or a list of arrays, not {spikes!r}")
    for sample in spikes:
        if not isinstance(sample, np.ndarray):
            raise TypeError(f"{what} must be a list of arrays, not of {type(sample).__name__}")
        if sample.ndim != 2 or sample.shape[1] != one.size:
            raise ValueError(f"{what} must have the shape (steps, {one.size}), not {sample.shape}")
    return [_check_values(one, what, sample) for sample in spikes]


def _check_values(one: Input, what: str, spikes: np.ndarray) -> np.ndarray:
    if spikes.dtype.kind == "b":
        return spikes.astype(np.int8)
    if spikes.dtype.kind not in "iu":
        raise TypeError(f"{what} must be integers, not {spikes.dtype}")
    if spikes.size:
        low, high = int(spikes.min()), int(spikes.max())
        if low < one.low or high > one.high:
            given = low if low < one.low else high
            raise ValueError(f"{what} must be in {one.low}..{one.high}, not {given}")
    return spikes


def _check_held(one: Input, samples: Any) -> None:
    for n, sample in enumerate(samples):
        changed = np.flatnonzero((sample != sample[:1]).any(axis=1))
        if len(changed):
            raise ValueError(
                f"Spikes of input {one.name!r} must be the same in every step, since it is held, "
                f"not other ones in step {changed[0]} of sample {n}"
            )


def sent(one: Input, sample: np.ndarray) -> np.ndarray:
    """Return what is sent of a sample, shape (steps, size): of a held input, the first step."""
    if not one.held:
        return sample
    first = np.zeros_like(sample)
    first[:1] = sample[:1]
    return first


def check_record(network: Network, record: Sequence[str]) -> tuple[str, ...]:
    """Check names of what is to be recorded: ``"population"`` or ``"population.state"``.

    Raises
    ------
    TypeError
        If ``record`` is a lone string, or one of it is no string.
    ValueError
        If there is no such population or state, or a population never fires.
    """
    several = isinstance(record, Sequence) and not isinstance(record, str)
    if not several or not all(isinstance(name, str) for name in record):
        raise TypeError(f"Record must be a sequence of names, not {record!r}")
    known = []
    for one in network.populations:
        known += [one.name] if one.neuron.spiking else []
        known += [f"{one.name}.{name}" for name in one.neuron.states]
    for name in record:
        if name not in known:
            listed = ", ".join(repr(one) for one in known)
            raise ValueError(f"Record must name one of {listed}, not {name!r}")
    return tuple(record)
