"""The state of a network between two runs: of neurons, synapses, delay lines and the clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from spiker_hdl.base.checks import shown
from spiker_train.network.integers.quantization import Quantization

from .delays import DelayLine
from .stacked import draws_of

if TYPE_CHECKING:
    from spiker_train.network.network import SpikingNetwork

    from .prepare import Core

__all__ = ["NetworkState", "check_start", "check_state"]


@dataclass(frozen=True)
class NetworkState:
    """The state in which a run ends, and from which another can start.

    Members
    -------
    clock : int
        Time at which the run ended, in picoseconds; in steps where it had no seconds.
    seconds : bool
        Whether the run had its steps in seconds.
    scales : mapping of str to float, or None
        By layer, the floating-point value of the integer 1, where the run was in integers.
    neurons : mapping of str to mapping of str to tensor, each of shape (samples, size)
        By layer, its states.
    synapses : mapping of str to mapping of str to tensor
        By connection that has dynamics, their states, each of shape (samples, target size), or
        (samples, target size, source size) where they are kept per pair.
    delays : mapping of str to DelayLine
        By connection that has a delay, the events that are on their way.
    couplings : mapping of str to mapping of str to tensor
        By layer that has a coupling, ``"winner"``, which neuron fired last without inhibition, of
        bool and shape (samples, size), and ``"left"``, the remaining inhibition in whole
        picoseconds or steps, of int64 and shape (samples, 1).
    """

    clock: int
    seconds: bool
    scales: Mapping[str, float] | None
    neurons: Mapping[str, Mapping[str, torch.Tensor]]
    synapses: Mapping[str, Mapping[str, torch.Tensor]]
    delays: Mapping[str, DelayLine]
    couplings: Mapping[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number of samples."""
        tensors = [
            value
            for part in (self.neurons, self.synapses)
            for states in part.values()
            for value in states.values()
        ]
        tensors += [line.events for line in self.delays.values()]
        return len(tensors[0])

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "NetworkState":
        """Return the state with a function applied to each of its tensors.

        Parameters
        ----------
        change : callable
            From a tensor whose first axis is the sample to a tensor.
        """

        def changed(part: Mapping[str, Mapping[str, torch.Tensor]]) -> dict[str, dict]:
            return {
                owner: {name: change(value) for name, value in states.items()}
                for owner, states in part.items()
            }

        return replace(
            self,
            neurons=changed(self.neurons),
            synapses=changed(self.synapses),
            couplings=changed(self.couplings),
            delays={
                name: DelayLine(line.due, change(line.events)) for name, line in self.delays.items()
            },
        )

    def detach(self) -> "NetworkState":
        """Return the state without gradients, for truncated backpropagation through time."""
        return self.map(torch.Tensor.detach)

    def select(self, samples: Any) -> "NetworkState":
        """Return the state of some samples, given by an index of their axis."""
        return self.map(lambda value: value[samples])


def check_state(start: Any) -> None:
    """Raise :exc:`TypeError` if what a run is to start from is no :class:`NetworkState`."""
    if not isinstance(start, NetworkState):
        raise TypeError(f"Start must be the NetworkState after another run, not {shown(start)}")


def check_start(
    start: Any,
    net: "SpikingNetwork",
    cores: Mapping[str, "Core"],
    samples: int,
    seconds: bool,
    integers: Quantization | None,
) -> None:
    """Check that a run can start from a state.

    Raises
    ------
    TypeError
        If it is no :class:`NetworkState`.
    ValueError
        If it is the state of another network, of other samples, or of a run of another kind.
    """
    check_state(start)
    if start.seconds != seconds:
        kinds = {True: "a run with dt or plan", False: "a run without dt and plan"}
        raise ValueError(f"Start must be after {kinds[seconds]}, not after {kinds[start.seconds]}")
    if (start.scales is None) != (integers is None):
        kinds = {True: "in floating point", False: "in integers"}
        expected_kind, actual_kind = kinds[integers is None], kinds[start.scales is None]
        raise ValueError(f"Start must be after a run {expected_kind}, not {actual_kind}")
    if integers is not None and dict(start.scales or {}) != _scales(net, integers):
        raise ValueError("Start must be after a run with the same scales, not with others")
    expected: dict[str, tuple[int, ...]] = {}
    rows = samples * draws_of(net.connections)
    for name, core in cores.items():
        for state in core.rest:
            expected[f"{name}.{state}"] = rows, core.layer.size
        if core.coupling is not None:
            expected |= {f"{name} coupling.winner": (rows, core.layer.size)}
            expected |= {f"{name} coupling.left": (rows, 1)}
        for name_of, dynamics in core.dynamics.items():
            for state in dynamics.rest:
                expected[f"{name_of}.{state}"] = dynamics.connection.state_shape(rows)
    actual = {
        f"{owner}.{name}": tuple(value.shape)
        for part in (start.neurons, start.synapses)
        for owner, states in part.items()
        for name, value in states.items()
    } | {
        f"{owner} coupling.{name}": tuple(value.shape)
        for owner, states in start.couplings.items()
        for name, value in states.items()
    }
    for name in sorted(set(actual) ^ set(expected)):
        verb = "lack" if name in expected else "have"
        raise ValueError(f"Start must have the states of this network, and so not {verb} {name!r}")
    for name, shape in expected.items():
        if actual[name] != shape:
            raise ValueError(f"Start must have {name} of shape {shape}, not {actual[name]}")
    lines = {connection.name for connection in net.connections if connection.late}
    if set(start.delays) != lines:
        raise ValueError(
            f"Start must have the delays of {sorted(lines)}, not of {sorted(start.delays)}"
        )
    for name, line in start.delays.items():
        source = next(c.source for c in net.connections if c.name == name)
        count = rows if source in net.layer else samples
        shape = count, len(line.due), net.graph.nodes[source].size
        if tuple(line.events.shape) != shape:
            raise ValueError(
                f"Start must have delayed events of {name!r} of shape {shape}, not "
                f"{tuple(line.events.shape)}"
            )


def _scales(net: "SpikingNetwork", integers: Quantization) -> dict[str, float]:
    return {layer.name: integers.scale(layer) for layer in net.layers}
