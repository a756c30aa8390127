"""Steps of neurons and synapses, recorded as graphs by an arithmetic on symbolic values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import torch

from spiker_hdl.model import Arithmetic, Decay

from .graph import Graph, NotRecordedError, Value

__all__ = ["Filter", "Recorder", "record"]


class Recorder(Arithmetic):
    """Operations that are recorded as ``spiker_train.Tensors`` or ``FloatingPoint`` compute them.

    Parameters
    ----------
    graph : Graph
    scale : float or None
        Floating-point value of the integer potential 1; None to record floating point, in which
        nothing is rounded and nothing saturates.
    """

    def __init__(self, graph: Graph, scale: float | None):
        self.graph = graph
        self.scale = scale

    def shift(self, x, bits: int):
        x = self.graph.lift(x)
        if not bits:
            return x
        x = x * (1 / 2**bits)  # exact, as the division is
        return x if self.scale is None else self.graph.add("floor", x.index)

    def divide(self, x, divisor: Any):
        x = self.graph.lift(x)
        return x / divisor if self.scale is None else super().divide(x, divisor)

    def decay(self, x, decay: Any):
        if self.scale is None:
            return self.graph.lift(x) * decay.factor
        return super().decay(self.graph.lift(x), decay)

    def above(self, x, limit):
        return self._spike(x, limit, self.graph.lift(x) > limit, -1)

    def reaches(self, x, limit):
        return self._spike(x, limit, self.graph.lift(x) >= limit, 1)

    def _spike(self, x: Any, limit: Any, fired: Value, side: int) -> Value:
        distance = self.graph.lift(x) - limit
        if self.scale is not None:
            distance = (distance - 0.5 if side < 0 else distance + 0.5) * self.scale
        return self.graph.add("spike", distance.index, fired.index)

    def both(self, a, b):
        a, b = self.graph.lift(a), self.graph.lift(b)
        if a.is_test and b.is_test:
            return self.graph.add("and", a.index, b.index)
        return a.number * b.number

    def either(self, a, b):
        a, b = self.graph.lift(a), self.graph.lift(b)
        if a.is_test and b.is_test:
            return self.graph.add("or", a.index, b.index)
        a, b = a.number, b.number
        return a + b - a * b

    def invert(self, test):
        return ~test if test.is_test else 1 - test

    def select(self, test, yes, no):
        test, yes, no = self.graph.lift(test), self.graph.lift(yes), self.graph.lift(no)
        chosen = test if test.is_test else test > 0.5
        if yes.is_test or no.is_test:
            raise NotRecordedError("its step selects between tests")
        return self.graph.add("select", chosen.index, yes.index, no.index)

    def maximum(self, x, y):
        return self.graph.lift(x)._make("max", x, y)

    def clamp(self, x, low, high):
        return self.graph.lift(x)._make("min", self.maximum(x, low), high)

    def saturate(self, x, low: int, high: int):
        if self.scale is None:
            return self.graph.lift(x)
        low_value, high_value = self.graph.lift(low), self.graph.lift(high)
        return self.graph.add("clamp", self.graph.lift(x).index, low_value.index, high_value.index)


@dataclass(frozen=True)
class Filter:
    """Dynamics that an input passes through before it reaches the neuron.

    Members
    -------
    step : callable
        Step of the dynamics, as that of a synapse kind.
    parameters : namespace
        What the step reads, as for :func:`record`.
    states : mapping of str to str
        Names of its states in the graph, by the names that they have in the step.
    gain : tensor or None
        Factor of the input.
    """

    step: Any
    parameters: SimpleNamespace
    states: Mapping[str, str]
    gain: torch.Tensor | None


def record(
    neuron: Any,
    parameters: SimpleNamespace,
    states: Iterable[str],
    scale: float | None,
    *,
    filters: Sequence[Filter | None] = (None,),
    counted: frozenset[str] = frozenset(),
    watched: Mapping[str, int | None] | None = None,
    coupling: tuple[float, float] | None = None,
) -> Graph:
    """Record the step of a neuron, with the dynamics of its synapses.

    Parameters
    ----------
    neuron : Neuron
    parameters : namespace
        Tensors, decays with tensors, and anything else that a step may read, by name.
    states : iterable of str
        Names of the neuron's states.
    scale : float or None
        As for :class:`Recorder`.
    filters : sequence of Filter or None
        For each input its dynamics, None for those that reach the neuron as they are. The current
        of the neuron is the sum of what they return.
    counted : set of str
        States that count down times, and stop at 0.
    watched : mapping of str to int or None, optional
        Names of further states, each of which holds a current: that of an input after its dynamics,
        by the number of the input, or their sum, by None.
    coupling : (float, float), optional
        For neurons that inhibit each other, the length of the inhibition and that of the step. The
        input after all others then tells which neurons are inhibited, which discard their input.

    Raises
    ------
    NotRecordedError
        If the step does something that has no equal in a kernel.
    """
    graph = Graph()
    try:
        inhibited = None if coupling is None else _coupled(graph, len(filters), coupling)
        currents = [_filtered(graph, n, passed, inhibited) for n, passed in enumerate(filters)]
        reaching = [
            x if passed is not None else _discarded(graph, x, inhibited)
            for x, passed in zip(currents, filters, strict=True)
        ]
        current = reaching[0]
        for another in reaching[1:]:
            current = current + another
        before = {name: graph.add("state", name) for name in states}
        fired, after = neuron.step(
            _bound(graph, parameters), SimpleNamespace(**before), current, Recorder(graph, scale)
        )
        own = _values(graph, after, before)
        own |= {name: graph.add("max", own[name].index, graph.lift(0).index) for name in counted}
        _keep(graph, own)
        if neuron.spiking:
            if not isinstance(fired, Value) or fired.is_test:
                raise NotRecordedError("its step decides who fires without a gradient")
            graph.fired = fired.index
        elif neuron.emits:
            output = graph.lift(fired)
            if output.is_test:
                raise NotRecordedError("its step returns a test as its output")
            graph.fired = output.index
    except (TypeError, AttributeError, RuntimeError, ValueError) as error:
        # What a step does beyond the arithmetic, it does on tensors alone.
        raise NotRecordedError(f"its step does not take symbols ({error})") from None
    _keep(
        graph,
        {
            name: current if number is None else currents[number]
            for name, number in (watched or {}).items()
        },
    )
    return graph


def _coupled(graph: Graph, number: int, coupling: tuple[float, float]) -> Value:
    """Return which neurons are inhibited, and note the constants of the coupling."""
    first = len(graph.constants)
    graph.constants += map(float, coupling)
    graph.coupling = number, first, first + 1
    return graph.add("input", number) > 0


def _discarded(graph: Graph, x: Value, inhibited: Value | None) -> Value:
    """Return a current with 0 for the neurons that are inhibited."""
    if inhibited is None:
        return x
    return graph.add("select", inhibited.index, graph.lift(0).index, x.index)


def _filtered(graph: Graph, number: int, passed: Filter | None, inhibited: Value | None) -> Value:
    """Return the current of an input, after its dynamics.

    Inhibited neurons discard what enters the dynamics, and what leaves those without a state.
    """
    x = graph.add("input", number)
    if passed is None:
        return x
    x = _discarded(graph, x, inhibited)
    if passed.gain is not None:
        x = x * passed.gain
    before = {name: graph.add("state", known) for name, known in passed.states.items()}
    # In floating point, as no integers have dynamics that are no part of the neuron.
    current, after = passed.step(
        _bound(graph, passed.parameters), SimpleNamespace(**before), x, Recorder(graph, None)
    )
    values = _values(graph, after, before)
    _keep(graph, {passed.states[name]: value for name, value in values.items()})
    current = graph.lift(current)
    if current.is_test:
        raise NotRecordedError("its step returns a test as a current")
    return current if passed.states else _discarded(graph, current, inhibited)


def _values(graph: Graph, after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Value]:
    """Return the states after a step."""
    if set(after) != set(before):
        raise NotRecordedError("its step returns other states than it has")
    values = {name: graph.lift(after[name]) for name in before}
    if any(value.is_test for value in values.values()):
        raise NotRecordedError("its step returns a test as a state")
    return values


def _keep(graph: Graph, values: Mapping[str, Value]) -> None:
    for name, value in values.items():
        if name in graph.after:
            raise NotRecordedError(f"it has two states named {name!r}")
        graph.after[name] = value.index


def _bound(graph: Graph, parameters: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(**{name: _bind(graph, x) for name, x in vars(parameters).items()})


def _bind(graph: Graph, value: Any) -> Any:
    if isinstance(value, SimpleNamespace):
        return _bound(graph, value)
    if isinstance(value, list):
        return [_bind(graph, part) for part in value]
    if isinstance(value, torch.Tensor):
        return graph.lift(value)
    if isinstance(value, Decay):
        if isinstance(value.numerator, torch.Tensor | tuple):
            return Decay.of(graph.lift(value.numerator), value.bits)
        return value
    if isinstance(getattr(value, "factor", None), torch.Tensor):
        return _RecordedDecay(graph, value)
    return value


class _RecordedDecay:
    """A decay in floating point as operands of a graph."""

    bits = 0

    def __init__(self, graph: Graph, decay: Any):
        self._graph = graph
        self._decay = decay
        self.factor = graph.lift(decay.factor)

    @cached_property
    def integral(self) -> Value:
        return self._graph.lift(self._decay.integral)

    @property
    def numerator(self) -> Value:
        return 1 - self.factor
