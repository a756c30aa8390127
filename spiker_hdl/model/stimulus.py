"""Input spikes of a run, checked once for every engine."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.conversions import integer_array, is_array

from .graph import Input
from .network import Network

__all__ = ["Stimulus", "by_input", "check_record", "stimulus", "transmitted"]


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
            name: values[samples]
            if isinstance(values, np.ndarray)
            else np.stack([values[n] for n in samples])
            for name, values in self.values.items()
        }

    def sample(self, n: int) -> dict[str, np.ndarray]:
        """Return the values of sample ``n``, by input."""
        return {name: values[n] for name, values in self.values.items()}


def stimulus(network: Network, spikes: Any, *, window: int | None = None) -> Stimulus:
    """Check input spikes against a network.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        An array has the shape (samples, steps, size); a list has one array of shape (steps, size)
        for each sample, and the samples may differ in steps. An array without a mapping is for a
        network with one input. Tensors and nested lists are arrays, too. Booleans count as
        integers.
    window : int, optional
        Steps from one answer to the next; the steps of each sample must be a multiple.

    Raises
    ------
    TypeError
        If ``spikes`` are no integers.
    ValueError
        If a shape, a value or a number of steps is not what the network takes.
    """
    window = None if window is None else check_int("Window", window, 1)
    values, steps = by_input(network, spikes), None
    for node in network.inputs:
        own = np.array([len(sample) for sample in values[node.name]], dtype=np.int64)
        if node.static:
            _check_static(node, values[node.name])
        if steps is not None and not np.array_equal(own, steps):
            first = network.inputs[0].name
            raise ValueError(
                "Spikes of all inputs must have the same samples and steps, not "
                f"{_extent(steps)} for {first!r} and {_extent(own)} for {node.name!r}"
            )
        steps = own
    assert steps is not None  # a network has inputs
    if len(steps) == 0:
        raise ValueError("Spikes must have at least one sample, not none")
    reach = steps if window is None else np.full(1, window)
    shortest, longest = int(reach.min()), int(reach.max())
    what = "Sample" if window is None else "Window"
    if shortest < 1 or longest > network.max_steps:
        count = shortest if shortest < 1 else longest
        hint = _steps_first(values, lambda count: shortest > 0 and 1 < count <= network.max_steps)
        raise ValueError(
            f"{what} must have 1 to {network.max_steps} steps (max_steps= of the network), "
            f"not {count}{hint}"
        )
    wrong = steps[(steps < 1) | (steps % (window or 1) != 0)]
    if len(wrong):
        count = int(wrong[0])
        hint = _steps_first(values, lambda count: count > 0 and count % (window or 1) == 0)
        raise ValueError(f"Sample must have a multiple of {window} steps, not {count}{hint}")
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
            names = ", ".join(repr(node.name) for node in network.inputs)
            raise ValueError(f"Spikes must be a mapping with an array for each of {names}")
        spikes = {network.inputs[0].name: spikes}
    expected = {node.name for node in network.inputs}
    if set(spikes) != expected:
        raise ValueError(
            f"Spikes must be given for {sorted(expected)}, not {shown(sorted(map(str, spikes)))}"
        )
    return {node.name: _check_input(node, spikes[node.name]) for node in network.inputs}


def _check_input(node: Input, spikes: Any) -> Any:
    what = f"Spikes of input {node.name!r}"
    ragged = isinstance(spikes, np.ndarray) and spikes.dtype.kind == "O" and spikes.ndim == 1
    if is_array(spikes) and not ragged:
        return _check_values(node, what, spikes, ("samples", "steps"))
    if not isinstance(spikes, Sequence | np.ndarray) or isinstance(spikes, str | bytes):
        raise TypeError(f"{what} must be an array or a list of arrays, not {shown(spikes)}")
    for sample in spikes:
        if not is_array(sample) and not isinstance(sample, list | tuple):
            raise TypeError(f"{what} must be a list of arrays, not of {type(sample).__name__}")
    return [_check_values(node, what, sample, ("steps",)) for sample in spikes]


def _check_values(node: Input, what: str, values: Any, axes: tuple[str, ...]) -> np.ndarray:
    spikes = integer_array(what, values, booleans=True)
    if spikes.ndim != len(axes) + 1 or spikes.shape[-1] != node.size:
        raise ValueError(
            f"{what} must have the shape ({', '.join(axes)}, {node.size}), not {spikes.shape}"
            f"{_axis_hint(node, spikes.shape, axes)}"
        )
    if spikes.size:
        low, high = int(spikes.min()), int(spikes.max())
        if low < node.low or high > node.high:
            value = low if low < node.low else high
            raise ValueError(f"{what} must be in {node.low}..{node.high}, not {value}")
    return spikes


def _axis_hint(node: Input, shape: tuple[int, ...], axes: tuple[str, ...]) -> str:
    """Return how spikes become of the right shape, where there is exactly one way."""
    axis_count = len(axes) + 1
    if len(shape) > axis_count and math.prod(shape[len(axes) :]) == node.size:
        return f": flatten all axes after {axes[-1]}"
    if len(shape) == axis_count - 1 and shape[-1:] == (node.size,):
        return f": put an axis of {axes[0]} in front"
    if len(shape) == axis_count and shape.count(node.size) == 1:
        return f": move axis {shape.index(node.size)}, of {node.size}, to the end"
    return ""


def _steps_first(values: Mapping[str, Any], fits: Callable[[int], bool]) -> str:
    """Return that steps may be the first axis, where the axes of arrays only fit so."""
    shapes = [array.shape for array in values.values() if isinstance(array, np.ndarray)]
    if not shapes or not fits(shapes[0][0]):
        return ""
    return (
        f": the axes are (samples, steps, size), which are {shapes[0]}; where steps come first, "
        "swap the first two"
    )


def _extent(steps: np.ndarray) -> str:
    same = len(set(steps.tolist())) == 1
    return f"{len(steps)} samples" + (f" of {steps[0]} steps" if same else "")


def _check_static(node: Input, samples: Any) -> None:
    for n, sample in enumerate(samples):
        changed = np.flatnonzero((sample != sample[:1]).any(axis=1))
        if len(changed):
            turned = isinstance(samples, np.ndarray) and bool((samples == samples[:1]).all())
            hint = _steps_first({node.name: samples}, lambda _, turned=turned: turned)
            raise ValueError(
                f"Spikes of input {node.name!r} must be the same in every step, since it is "
                f"static, not other ones in step {changed[0]} of sample {n}{hint}"
            )


def transmitted(node: Input, sample: np.ndarray) -> np.ndarray:
    """Return the events of a sample that are transmitted, shape (steps, size).

    Of a static input, these are the events of the first step.
    """
    if not node.static:
        return sample
    first = np.zeros_like(sample)
    first[:1] = sample[:1]
    return first


def check_record(network: Network, record: Sequence[str]) -> tuple[str, ...]:
    """Check the names of events and states to record: ``"population"``, ``"population.state"``.

    Raises
    ------
    TypeError
        If ``record`` is a lone string, or one of it is no string.
    ValueError
        If there is no such population or state, or a population emits no events.
    """
    several = isinstance(record, Sequence) and not isinstance(record, str)
    if not several or not all(isinstance(name, str) for name in record):
        raise TypeError(f"Record must be a sequence of names, not {shown(record)}")
    known = []
    for population in network.populations:
        known += [population.name] if population.neuron.emits else []
        known += [f"{population.name}.{name}" for name in population.neuron.states]
    for name in record:
        if name not in known:
            listed = ", ".join(map(repr, known))
            raise ValueError(f"Record must name one of {listed}, not {shown(name)}")
    return tuple(str.__str__(name) for name in record)
