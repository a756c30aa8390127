"""Runs of a network: populations in order, and those in a cycle together, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiker_hdl.model import Network, Readout
from spiker_hdl.model.neurons.intervals import NEVER_BRANCH
from spiker_train.kernels.choice import chosen, note
from spiker_train.network.arithmetic import FloatingPoint, Tensors, through
from spiker_train.network.cell import IntegerCell
from spiker_train.network.coupling import CoupledRun
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.time import PICOSECOND, Steps

from .convolved import convolved
from .delays import DelayLine, arrivals, delayed, pending_arrivals, still_delayed
from .fused import advance_group, product
from .fused_layer import FusedLayer
from .prepare import Core, Dynamics, cores, into
from .stacked import draws_of, project, shared_project
from .state import NetworkState, check_start

if TYPE_CHECKING:
    from spiker_train.network.network import SpikingNetwork

__all__ = ["Outcome", "groups", "run_network"]


@dataclass(frozen=True)
class Outcome:
    """The output of a network in training.

    Members
    -------
    scores : tensor, shape (samples, classes)
        Scores of the first readout; in an integer run, the integers of the reference.
    logits : tensor, shape (samples, classes)
        The same scores in floating-point units.
    answers : mapping of str to tensor, each of shape (samples, classes)
        Scores of every readout, by name.
    spikes : mapping of str to tensor, each of shape (samples, steps, size)
        Spikes, or outputs, of every layer that emits events, with gradients.
    states : mapping of str to tensor, each of shape (samples, steps, size)
        Recorded states and currents, as ``"layer.state"`` or ``"connection.state"``: a state at the
        end of each step, a current in it.
    after : NetworkState
        State in which the run ends, from which another can start.
    times : array of float, shape (steps,), or None
        Times at which the steps begin, in seconds; None in a run without seconds.
    ends : array of float, shape (steps,), or None
        Times at which they end, and of which recorded states are.
    kernels : mapping of str to str
        How each layer ran: ``"fused"``, by a kernel over all steps, or ``"eager"``, step by step.
    """

    scores: torch.Tensor
    logits: torch.Tensor
    answers: Mapping[str, torch.Tensor]
    spikes: Mapping[str, torch.Tensor]
    states: Mapping[str, torch.Tensor]
    after: NetworkState
    times: np.ndarray | None = None
    ends: np.ndarray | None = None
    kernels: Mapping[str, str] = field(default_factory=dict)


def run_network(
    net: "SpikingNetwork",
    inputs: dict[str, torch.Tensor],
    integers: Quantization | None,
    record: Sequence[str],
    steps: Steps,
    start: NetworkState | None = None,
    kernel: str | None = None,
) -> Outcome:
    """Run samples: see :meth:`SpikingNetwork.forward <.network.SpikingNetwork.forward>`."""
    ready = cores(net, integers, steps.distinct)
    samples = len(next(iter(inputs.values())))
    _check_samples(net, samples)
    if start is not None:
        check_start(start, net, ready, samples, steps.lengths is not None, integers)
    recorded = _check_record(net, record, integers)
    for readout in net.readouts:
        if readout.kind not in {"count", "first"}:
            cell = net.layer[readout.population].cell
            recorded.add(f"{readout.population}.{cell.potential}")
    updates = samples * draws_of(net.connections) * sum(layer.size for layer in net.layers)
    fused = chosen(kernel, updates * steps.count)
    run = _Run(net, ready, dict(inputs), steps, start, recorded, fused)
    for group in net.groups:
        run.advance(group)
    scores = {
        read.name: _grouped(_score(read.kind, read.population, net.layer, run), read)
        for read in net.readouts
    }
    first = net.readouts[0]
    logits = scores[first.name]
    if first.kind not in {"count", "first"}:
        layer = net.layer[first.population]
        if integers is not None:
            logits = logits * integers.scale(layer)
        elif isinstance(layer.cell, IntegerCell):
            logits = logits * layer.cell.scale
    spikes = {name: train for name, train in run.trains.items() if name in net.layer}
    kept = {name: run.states[name] for name in record if "." in name}
    scales = None
    if integers is not None:
        scales = {layer.name: integers.scale(layer) for layer in net.layers}
    seconds = steps.lengths is not None
    return Outcome(
        scores[first.name],
        logits,
        scores,
        spikes,
        kept,
        NetworkState(
            steps.end,
            seconds,
            scales,
            run.neurons,
            run.synapses,
            run.delay_lines(),
            run.couplings,
        ),
        steps.begins / 1e12 if seconds else None,
        (steps.begins + np.asarray(steps.lengths)) / 1e12 if seconds else None,
        run.kernels,
    )


def _check_samples(net: "SpikingNetwork", samples: int) -> None:
    """Check that values of single samples are as many as the samples."""
    for layer in net.layers:
        for count in layer.cell.samples - {samples}:
            raise ValueError(
                f"Layer {layer.name!r} has parameters for {count} samples, and so the run must "
                f"have as many, not {samples}"
            )
    for connection in net.connections:
        if connection.dynamics is not None:
            for count in connection.dynamics.samples - {samples}:
                raise ValueError(
                    f"Dynamics of {connection.name!r} have parameters for {count} samples, and so "
                    f"the run must have as many, not {samples}"
                )


def _check_record(
    net: "SpikingNetwork", record: Sequence[str], integers: Quantization | None
) -> set[str]:
    if isinstance(record, str):
        raise TypeError(f"Record must be a list of names, such as [{record!r}], not one name")
    known = {f"{layer.name}.{state}" for layer in net.layers for state in layer.cell.states}
    known |= {f"{layer.name}.current" for layer in net.layers}
    known |= {f"{layer.name}.inhibition" for layer in net.layers if layer.coupling is not None}
    known |= {layer.name for layer in net.layers if layer.cell.emits}
    for connection in net.connections:
        kind = connection.dynamics
        if kind is None or integers is None:
            known.add(f"{connection.name}.current")
        if kind is not None and integers is None:
            known |= {f"{connection.name}.{state}" for state in kind.states}
        elif kind is not None and integers is not None:
            states = integers.neuron(net.layer[connection.target]).states
            known |= {f"{connection.target}.{state}" for state in states}
    for name in record:
        if name not in known:
            raise ValueError(f"Record must name one of {', '.join(sorted(known))}, not {name!r}")
    return {name for name in record if "." in name}


class _Run:
    """What a run keeps while it goes through the groups of layers.

    Members
    -------
    trains : dict of str to tensor, each of shape (samples, steps, size)
        Spikes of the inputs and of all layers that have been run.
    states : dict of str to tensor, each of shape (samples, steps, size)
        Recorded states and currents.
    neurons, synapses : dict of str to dict of str to tensor
        States after the last step, by layer and by connection.
    couplings : dict of str to dict of str to tensor
        The same of couplings, by layer.
    kernels : dict of str to str
        How each layer ran, see :class:`Outcome`.
    """

    def __init__(
        self,
        net: "SpikingNetwork",
        cores: Mapping[str, Core],
        inputs: dict[str, torch.Tensor],
        steps: Steps,
        start: NetworkState | None,
        recorded: set[str],
        fused: bool = False,
    ):
        self.net = net
        self.cores = cores
        self.trains = inputs
        self.steps = steps
        self.start = start
        self.recorded = recorded
        self.fused = fused
        self.kernels: dict[str, str] = {}
        # Each draw of weights runs all samples.
        self.samples = len(next(iter(inputs.values()))) * draws_of(net.connections)
        self.states: dict[str, torch.Tensor] = {}
        self.neurons: dict[str, dict[str, torch.Tensor]] = {}
        self.synapses: dict[str, dict[str, torch.Tensor]] = {}
        self.couplings: dict[str, dict[str, torch.Tensor]] = {}

    def line(self, connection: Connection) -> DelayLine | None:
        """Return the events of a connection that were on their way when the run began."""
        return None if self.start is None else self.start.delays.get(connection.name)

    def advance(self, names: Sequence[str]) -> None:
        """Run a layer, or layers that form a cycle together, through all steps.

        Currents from outside the cycle are computed for all steps at once, and currents within it
        step by step.
        """
        inside = set(names)
        populations = [_Population(self, self.cores[name], inside) for name in names]
        fused = self.fused and self._advance_fused(populations)
        self.kernels |= dict.fromkeys(names, "fused" if fused else "eager")
        if fused:
            return
        fired: dict[str, list[torch.Tensor]] = {name: [] for name in names}
        for t in range(self.steps.count):
            length = self.steps.length(t)
            for population in populations:
                population.advance(t, length, fired)
        for population in populations:
            name = population.name
            if population.core.layer.cell.emits:
                self.trains[name] = torch.stack(fired[name], dim=1)
            self.neurons[name] = population.states
            if population.coupling is not None:
                self.couplings[name] = population.coupling.states
            for synapse in population.synapses:
                self.synapses[synapse.name] = synapse.states
            for trace, values in population.traces.items():
                self.states[f"{trace[0]}.{trace[1]}"] = torch.stack(values, dim=1)

    def _advance_fused(self, populations: "list[_Population]") -> bool:
        """Run layers by kernels; return False if they have to run step by step."""
        for population in populations:
            reason = population.obstacle()
            if reason is not None:
                note(f"A layer of {type(population.core.neuron).__name__}", reason)
                return False
        layers = [FusedLayer(population, self) for population in populations]
        loops = [loop for layer in layers for loop in layer.loops]
        outcomes = advance_group([layer.ready for layer in layers], loops)
        if outcomes is None:
            return False
        for layer, outcome in zip(layers, outcomes, strict=True):
            layer.take(outcome)
        return True

    def delay_lines(self) -> dict[str, DelayLine]:
        """Return the events that are on their way when the run ends."""
        return {
            connection.name: still_delayed(
                connection, self.trains[connection.source], self.steps, self.line(connection)
            )
            for connection in self.net.connections
            if connection.late
        }


class _Population:
    """A layer in a run: the currents that reach it, its states, and what is recorded."""

    def __init__(self, run: _Run, core: Core, inside: set[str]):
        self.core = core
        self.name = core.layer.name
        self.shape = (run.samples, core.layer.size)
        before = None if run.start is None else run.start.neurons[self.name]
        self.states: dict[str, torch.Tensor] = {
            name: rest.expand(self.shape) if before is None else before[name].to(rest)
            for name, rest in core.rest.items()
        }
        self.bias = core.bias
        self.coupling = None
        if core.coupling is not None:
            left = None if run.start is None else run.start.couplings[self.name]
            device = run.net.like().device
            self.coupling = CoupledRun(core.coupling, self.shape, device, left)
        connections = into(run.net, core.layer)
        self.loops = [
            _Loop(run, connection, core)
            for connection in connections
            if connection.source in inside and connection.name not in core.dynamics
        ]
        self.synapses = [
            _Synapse(run, core.dynamics[connection.name], core, connection.source in inside)
            for connection in connections
            if connection.name in core.dynamics
        ]
        self.traces: dict[tuple[str, str], list[torch.Tensor]] = {}
        names = {self.name, *(connection.name for connection in connections)}
        for trace in run.recorded:
            owner, _, what = trace.rpartition(".")
            if owner in names:
                self.traces[owner, what] = []
        self.recorded = bool(self.traces)
        self.totals = [
            self._total(run, [c for c in connections if core.receptors[c.name] == k], inside)
            for k in range(core.neuron.receptors)
        ]
        self.total = self.totals[0]

    @cached_property
    def flows(self) -> list[Sequence[torch.Tensor] | None]:
        """The currents from outside the cycle, step by step, for each receptor."""
        return [None if total is None else total.unbind(1) for total in self.totals]

    def obstacle(self) -> str | None:
        """Return why no kernel can run the layer, or None."""
        if self.core.neuron.receptors > 1:
            return "its neurons have several receptors"
        if (
            self.coupling is not None
            and self.core.divisor is not None
            and (self.name, "current") in self.traces
        ):
            return "the current of its neurons, which are in integers and coupled, is recorded"
        if not all(synapse.pooled for synapse in self.synapses):
            return "its synapses have a state for each pair"
        if self.synapses and self.core.divisor is not None:
            return "its neurons are in integers, and its synapses in floating point"
        return None

    def current(self, run: _Run) -> torch.Tensor:
        """Return the current from outside the cycle in all steps, with the bias."""
        current = self.total
        if current is None:
            zeros = self._or_zeros(None).unsqueeze(1)
            current = zeros.expand(-1, run.steps.count, -1)
        return current if self.bias is None else current + self.bias

    def _total(
        self, run: _Run, connections: list[Connection], inside: set[str]
    ) -> torch.Tensor | None:
        """Return the currents from outside the cycle in all steps, None if there are none."""
        total = None
        for connection in connections:
            if connection.source in inside or connection.name in self.core.dynamics:
                continue
            train = run.trains[connection.source]
            if connection.late:
                line = run.line(connection)
                train = delayed(connection, train, run.steps, line, self.core.dtype)
            shared = connection.source not in run.net.layer  # all draws have the same input
            current = _all_steps(connection, self.core, train, shared, run)
            if (connection.name, "current") in self.traces:
                self.traces[connection.name, "current"] = list(current.unbind(1))
            total = _plus(total, current)
        return total

    def advance(self, t: int, length: int | None, fired: dict[str, list[torch.Tensor]]) -> None:
        """Compute one step, and add the events to those of the group."""
        core = self.core
        inhibited = None if self.coupling is None else self.coupling.inhibited()
        currents = [
            self._received(k, t, length, fired, inhibited) for k in range(core.neuron.receptors)
        ]
        if self.recorded and "current" not in self.states:
            self._keep(
                self.name, "current", torch.stack(currents).sum(0) if currents[1:] else currents[0]
            )
        if core.divisor is not None:
            currents = [current.to(core.dtype) / core.divisor for current in currents]
            currents = [through(current, current.detach().round()) for current in currents]
        spikes, self.states = _step(core, core.timed[length], self.states, currents)
        if self.coupling is not None and inhibited is not None:
            spikes = self.coupling.emit(spikes.expand(self.shape), inhibited, length)
        if core.layer.cell.emits:
            fired[self.name].append(spikes)
        if self.recorded and self.coupling is not None and "inhibition" not in self.states:
            left = self.coupling.left.to(core.dtype)
            unit = PICOSECOND if self.coupling.timed else 1
            self._keep(self.name, "inhibition", (left * unit).expand(self.shape))
        if self.recorded:
            for state, values in self.states.items():
                self._keep(self.name, state, values)

    def _received(
        self,
        receptor: int,
        t: int,
        length: int | None,
        fired: dict[str, list[torch.Tensor]],
        inhibited: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the current that reaches a receptor in a step, with the bias."""
        flow, numbers = self.flows[receptor], self.core.receptors
        current = None if flow is None else flow[t]
        for loop in self.loops:
            if numbers[loop.connection.name] != receptor:
                continue
            value = loop.current(t, fired)
            if value is not None:
                current = _plus(current, value)
            if (loop.connection.name, "current") in self.traces:
                self._keep(loop.connection.name, "current", self._or_zeros(value))
        current = _discarded(current, inhibited)
        for synapse in self.synapses:
            if numbers[synapse.name] != receptor:
                continue
            value = synapse.advance(t, length, fired, inhibited)
            current = _plus(current, value)
            if self.recorded:
                self._keep(synapse.name, "current", value)
                for state, values in synapse.states.items():
                    self._keep(synapse.name, state, values)
        current = self._or_zeros(current)
        if self.bias is not None and receptor == self.core.neuron.bias_receptor:
            current = current + _discarded(self.bias, inhibited)
        return current

    def _or_zeros(self, current: torch.Tensor | None) -> torch.Tensor:
        if current is not None:
            return current
        like = next(iter(self.states.values()), self.bias)
        device = None if like is None else like.device
        return torch.zeros(self.shape, dtype=self.core.dtype, device=device)

    def _keep(self, owner: str, what: str, values: torch.Tensor) -> None:
        trace = self.traces.get((owner, what))
        if trace is not None:
            trace.append(values * PICOSECOND if what in self.core.counted else values)


class _Loop:
    """A connection within a cycle: its events, step by step."""

    def __init__(self, run: _Run, connection: Connection, core: Core):
        self.connection = connection
        self.core = core
        self.due: dict[int, list[int]] = {}
        for source, target in enumerate(arrivals(connection, run.steps).tolist()):
            self.due.setdefault(target, []).append(source)
        self.pending: dict[int, list[torch.Tensor]] = {}
        line = run.line(connection) if connection.late else None
        if line is not None:
            for n, target in enumerate(pending_arrivals(connection, line, run.steps).tolist()):
                self.pending.setdefault(target, []).append(line.events[:, n])

    def events(self, t: int, fired: dict[str, list[torch.Tensor]] | None) -> torch.Tensor | None:
        """Return the events that arrive in a step, None if none can.

        Parameters
        ----------
        t : int
        fired : dict of str to list of tensor, or None
            Events of each layer; None for those alone that were on their way when the run began.
        """
        total = None
        for events in self.pending.get(t, ()):
            total = _plus(total, events.to(self.core.dtype))
        if fired is not None:
            train = fired[self.connection.source]
            for source in self.due.get(t, ()):
                total = _plus(total, train[source])
        return total

    def current(self, t: int, fired: dict[str, list[torch.Tensor]] | None) -> torch.Tensor | None:
        """Return the current of a step, None if no events can arrive in it: see :meth:`events`."""
        events = self.events(t, fired)
        return None if events is None else _project(self.connection, self.core, events)


class _Synapse:
    """A connection with dynamics in a run."""

    def __init__(self, run: _Run, dynamics: Dynamics, core: Core, inside: bool):
        self.dynamics = dynamics
        self.core = core
        self.connection = connection = dynamics.connection
        self.name = connection.name
        self.shape = connection.state_shape(run.samples)
        self.pooled = connection.pooled
        before = None if run.start is None else run.start.synapses[self.name]
        self.states: dict[str, torch.Tensor] = {
            name: rest.expand(self.shape) if before is None else before[name].to(rest)
            for name, rest in dynamics.rest.items()
        }
        self.dtype = core.weights[self.name].dtype
        self.via = FloatingPoint(core.layer.cell.surrogate, self.dtype)
        self.loop = _Loop(run, connection, core) if inside else None
        self.flow: Sequence[torch.Tensor] = ()
        self.train: torch.Tensor | None = None
        if not inside:
            train = run.trains[connection.source]
            if connection.late:
                train = delayed(connection, train, run.steps, run.line(connection), self.dtype)
            # The products of all steps at once, where states are of targets.
            if self.pooled:
                shared = connection.source not in run.net.layer
                train = _all_steps(connection, core, train, shared, run)
            self.train = train.to(self.dtype)
            self.flow = self.train.unbind(1)

    def advance(
        self,
        t: int,
        length: int | None,
        fired: dict[str, list[torch.Tensor]],
        inhibited: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute one step, and return the current that reaches the neurons.

        Weighted events that reach inhibited neurons are discarded, and so are constants of a kind
        without a state.
        """
        x = self._weighted(t, fired)
        if inhibited is not None:
            x = torch.where(inhibited if self.pooled else inhibited.unsqueeze(-1), 0, x)
        if self.dynamics.gain is not None:
            x = x * self.dynamics.gain
        current, after = self.dynamics.kind.step(
            self.dynamics.timed[length], SimpleNamespace(**self.states), x, self.via
        )
        what = f"The step of {type(self.dynamics.kind).__name__}"
        if set(after) != set(self.states):
            raise ValueError(
                f"{what} must return the states {sorted(self.states)}, not {sorted(after)}"
            )
        self.states = {
            name: torch.as_tensor(after[name], dtype=self.dtype, device=x.device).expand(self.shape)
            for name in self.states
        }
        current = torch.as_tensor(current, dtype=self.dtype, device=x.device).expand(self.shape)
        if self.pooled:
            return current if self.states else _discarded(current, inhibited)
        if self.connection.mask is not None:
            current = current * self.connection.mask
        return current.sum(-1)

    def _weighted(self, t: int, fired: dict[str, list[torch.Tensor]]) -> torch.Tensor:
        """Return the weighted events of a step, for targets or for pairs."""
        weights = self.core.weights[self.name]
        events = self.flow[t] if self.loop is None else self.loop.events(t, fired)
        if events is None:
            return torch.zeros(self.shape, dtype=self.dtype, device=weights.device)
        if not self.pooled:
            return _pairs(weights, events.to(self.dtype), self.shape[0])
        return events if self.loop is None else _project(self.connection, self.core, events)


def _step(
    core: Core, parameters: SimpleNamespace, states: dict, currents: list[torch.Tensor]
) -> tuple[Any, dict]:
    """Return the spikes and states after a step with a current for each receptor."""
    shape, device = currents[0].shape, currents[0].device
    current = core.neuron.as_current(currents)
    what = f"The step of {type(core.neuron).__name__}"
    try:
        fired, after = core.neuron.step(parameters, SimpleNamespace(**states), current, core.via)
    except RuntimeError as error:
        if "Boolean value of Tensor" not in str(error):
            raise
        raise TypeError(NEVER_BRANCH) from None
    if set(after) != set(states):
        raise ValueError(f"{what} must return the states {sorted(states)}, not {sorted(after)}")
    if core.layer.cell.spiking and not (
        isinstance(fired, torch.Tensor) and fired.dtype == core.dtype
    ):
        raise TypeError(
            f"{what} must decide who fires by via.above or via.reaches, which have a "
            "gradient, not by a plain comparison"
        )
    if core.layer.cell.emits and not core.layer.cell.spiking:
        if fired is None:
            raise ValueError(f"{what} must return its output, not None")
        fired = torch.as_tensor(fired, dtype=core.dtype, device=device).expand(shape)
    recorded = {
        name: torch.as_tensor(after[name], dtype=core.dtype, device=device).expand(shape)
        for name in states
        if name not in core.counted
    }
    for name in core.counted:
        # Whole picoseconds, exact in this format. What has run out is 0, not below it.
        left = torch.as_tensor(after[name], dtype=torch.float64, device=device)
        recorded[name] = left.clamp_min(0).expand(shape)
    return fired, recorded


def _discarded(current: Any, inhibited: torch.Tensor | None) -> Any:
    """Return a current, or None, with 0 for the neurons that are inhibited."""
    return current if current is None or inhibited is None else torch.where(inhibited, 0, current)


def _plus(total: Any, value: torch.Tensor) -> torch.Tensor:
    return value if total is None else total + value


def _all_steps(
    connection: Connection, core: Core, train: torch.Tensor, shared: bool, run: _Run
) -> torch.Tensor:
    """Return the currents of all steps; those of static images are convolved once."""
    static = getattr(run.net.graph.nodes[connection.source], "static", False)
    steps = train.shape[1]
    if connection.kind != "convolution" or not static or bool((train[:, 1:] != train[:, :1]).any()):
        return _normalized(connection, _project(connection, core, train, shared, run.fused))
    once = _project(connection, core, train[:, :1], shared, run.fused)
    return _normalized(connection, once).expand(-1, steps, -1).contiguous()


def _normalized(connection: Connection, current: torch.Tensor) -> torch.Tensor:
    normalization = connection.normalization
    return current if normalization is None else normalization(current)


def _project(
    connection: Connection,
    core: Core,
    events: torch.Tensor,
    shared: bool = False,
    fused: bool = False,
) -> torch.Tensor:
    weights = core.weights[connection.name]
    if connection.kind == "convolution":
        return convolved(connection, weights, events, shared, isinstance(core.via, Tensors))
    pointwise = connection.kind == "one_to_one"
    if fused and not pointwise:
        return product(weights, events, shared)
    return (shared_project if shared else project)(weights, events.to(weights.dtype), pointwise)


def _pairs(weights: torch.Tensor, events: torch.Tensor, rows: int) -> torch.Tensor:
    """Return events times weights for each pair, shape (rows, target size, source size)."""
    if weights.ndim == 3:  # several draws, each of which runs all samples
        events = events.repeat(rows // len(events), 1)
        weights = weights.repeat_interleave(rows // len(weights), 0)
    return events.unsqueeze(1) * weights


def _score(kind: str, name: str, layers: dict[str, Layer], run: _Run) -> torch.Tensor:
    if kind == "count":
        return run.trains[name].sum(1)
    if kind == "first":
        return (1 - (1 - run.trains[name]).cumprod(1)).sum(1)
    potential = run.states[f"{name}.{layers[name].cell.potential}"]
    if kind == "last":
        return potential[:, -1]
    return potential.amax(1) if kind == "largest" else potential.double().sum(1)


def _grouped(scores: torch.Tensor, readout: Readout) -> torch.Tensor:
    return scores if readout.groups is None else scores.unflatten(1, (readout.groups, -1)).sum(2)


def groups(graph: Network) -> list[list[str]]:
    """Return the populations in order, those that form a cycle together (Tarjan 1972)."""
    following: dict[str, list[str]] = {name: [] for name in graph.order}
    for projection in graph.projections:
        if projection.source in following:
            following[projection.source].append(projection.target)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    members: list[str] = []
    waiting: set[str] = set()
    groups_found: list[list[str]] = []
    for root in graph.order:
        if root in number:
            continue
        path = [(root, iter(following[root]))]
        number[root] = low[root] = len(number)
        members.append(root)
        waiting.add(root)
        while path:
            name, ahead = path[-1]
            for target in ahead:
                if target not in number:
                    number[target] = low[target] = len(number)
                    members.append(target)
                    waiting.add(target)
                    path.append((target, iter(following[target])))
                    break
                if target in waiting:
                    low[name] = min(low[name], number[target])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == number[name]:
                    at = members.index(name)
                    groups_found.append(members[at:])
                    waiting.difference_update(members[at:])
                    del members[at:]
    place = {name: n for n, name in enumerate(graph.order)}
    return [sorted(group, key=place.__getitem__) for group in reversed(groups_found)]
