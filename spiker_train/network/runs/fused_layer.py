"""Layers of a run as kernels take them, and their outcomes as the run takes these."""

from typing import TYPE_CHECKING, Any

import torch

from spiker_train.network.arithmetic import through
from spiker_train.network.layers import Connection
from spiker_train.network.time import PICOSECOND

from .delays import arrivals
from .fused import Advanced, Ready

if TYPE_CHECKING:
    from .run import _Loop, _Population, _Run

__all__ = ["FusedLayer"]


class FusedLayer:
    """A layer of a run, arranged for a kernel.

    Its inputs are the current that reaches the neurons as it is, and one for each connection that
    has dynamics, or that lies in the cycle and whose current is recorded.

    Parameters
    ----------
    population : _Population
    run : _Run

    Members
    -------
    ready : Ready
    loops : list of (Connection, int, tuple of int)
        Connections within the cycle, each with its input and the steps in which events arrive.
    """

    def __init__(self, population: "_Population", run: "_Run"):
        self.run = run
        self.population = population
        self.loops: list[tuple[Connection, int, tuple[int, ...]]] = []
        self.synapses: list[str] = []  # names of the dynamics' connections, by input
        self._inputs: list[Any] = []
        self._filters: list[Any] = []
        self._watched: dict[str, int | None] = {}
        self._names: dict[tuple[str, str], str] = {}  # states of the kernel, by what is recorded
        core = population.core
        self._starts = {name: x.expand(population.shape) for name, x in population.states.items()}
        self._add_plain()
        for synapse in population.synapses:
            self._add_dynamics(synapse)
        name = population.name
        self._names |= {(name, state): state for state in core.rest}
        self._alone = not (population.loops or population.synapses or population.coupling)
        if not self._alone:
            self._watch(name, None)
        if population.coupling is not None:
            self._inputs.append(self._zeros())  # who is inhibited, which the kernel writes
        traces = [known for trace, known in self._names.items() if trace in population.traces]
        self.ready = Ready(
            core,
            tuple(self._inputs),
            self._starts,
            tuple(traces),
            tuple(self._filters),
            self._watched,
            run.steps.lengths,
            # Currents are read again where they are returned.
            spare=not any(what == "current" for _, what in population.traces),
            before=None if population.coupling is None else population.coupling.states,
            inhibition=(name, "inhibition") in population.traces,
        )

    def _add_plain(self) -> None:
        """Add the inputs without dynamics."""
        population, core = self.population, self.population.core
        traces = population.traces
        own = [loop for loop in population.loops if (loop.connection.name, "current") in traces]
        shared = [loop for loop in population.loops if loop not in own]
        if (
            population.total is not None
            or population.bias is not None
            or shared
            or not (own or population.synapses)
        ):
            current = population.current(self.run)
            if core.divisor is not None:
                current = current.to(core.dtype) / core.divisor
                current = through(current, current.detach().round())
            for loop in shared:
                current = self._add_loop(loop, current)
            self._add(current, None)
        for loop in own:
            self._watch(loop.connection.name, len(self._inputs))
            self._add(self._add_loop(loop, self._zeros()), None)

    def _add_dynamics(self, synapse: Any) -> None:
        """Add the input of a connection that has dynamics."""
        number = len(self._inputs)
        x = synapse.train if synapse.loop is None else self._add_loop(synapse.loop, self._zeros())
        self._watch(synapse.name, number)
        for state, values in synapse.states.items():
            self._starts[f"input{number}_{state}"] = values.expand(self.population.shape)
            self._names[synapse.name, state] = f"input{number}_{state}"
        self._add(x, synapse.dynamics)

    def _add(self, x: torch.Tensor, dynamics: Any) -> None:
        self._inputs.append(x)
        self._filters.append(dynamics)

    def _add_loop(self, loop: "_Loop", current: torch.Tensor) -> torch.Tensor:
        """Note a connection of the cycle, and add what was on its way when the run began."""
        due = tuple(arrivals(loop.connection, self.run.steps).tolist())
        self.loops.append((loop.connection, len(self._inputs), due))
        for t in loop.pending:
            value = loop.current(t, None) if t < self.run.steps.count else None
            if value is not None:
                index = torch.tensor([t], device=current.device)
                current = current.index_add(1, index, value.unsqueeze(1).to(current.dtype))
        return current

    def _zeros(self) -> torch.Tensor:
        samples, size = self.population.shape
        like = next(iter(self._starts.values()), None)
        zeros = torch.zeros(
            (), dtype=self.population.core.dtype, device=None if like is None else like.device
        )
        return zeros.expand(samples, self.run.steps.count, size)

    def _watch(self, owner: str, number: int | None) -> None:
        """Have a current returned, if it is recorded and no state of the neurons."""
        population = self.population
        if (owner, "current") not in population.traces:
            return
        if owner == population.name and "current" in population.states:
            return
        known = "current" if number is None else f"current{number}"
        self._watched[known] = number
        self._names[owner, "current"] = known

    def take(self, outcome: Advanced) -> None:
        """Hand the outcome of the kernel to the run."""
        run, population = self.run, self.population
        name, core = population.name, population.core
        if outcome.spikes is not None:
            run.trains[name] = outcome.spikes
        if outcome.coupling is not None:
            run.couplings[name] = outcome.coupling
        run.neurons[name] = {state: outcome.after[state] for state in core.rest}
        for synapse in population.synapses:
            run.synapses[synapse.name] = {
                state: outcome.after[self._names[synapse.name, state]] for state in synapse.states
            }
        for (owner, what), values in population.traces.items():
            known = self._names.get((owner, what))
            if known is not None:
                kept = outcome.states[known]
                in_time = owner == name and what in core.counted
                run.states[f"{owner}.{what}"] = kept * PICOSECOND if in_time else kept
            elif (owner, what) == (name, "inhibition") and outcome.inhibition is not None:
                coupling = population.coupling
                unit = PICOSECOND if coupling is not None and coupling.timed else 1
                left = outcome.inhibition.to(core.dtype) * unit
                run.states[f"{name}.inhibition"] = left.unsqueeze(-1).expand(
                    *left.shape, population.shape[1]
                )
            elif owner == name:  # the current of a layer that nothing within the kernel adds to
                run.states[f"{name}.current"] = population.current(run)
            else:
                run.states[f"{owner}.{what}"] = torch.stack(values, dim=1)
