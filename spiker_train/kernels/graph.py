"""The expression graph of a neuron's step, recorded by an arithmetic on symbolic values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from spiker_hdl.model import Arithmetic, Decay

__all__ = ["Graph", "NotRecordedError", "Recorder", "Value", "record"]

LITERALS = (-1, 0, 0.5, 1, 2)
"""Constants that belong to the structure of a graph; all others are operands of a kernel."""

TESTS = frozenset({"gt", "ge", "eq", "and", "or", "not"})
"""Operations whose result is a test."""


class NotRecordedError(Exception):
    """A step that cannot be recorded; the message says why."""


@dataclass
class Graph:
    """The operations of a step, each after its operands.

    Members
    -------
    nodes : list of (str, tuple)
        Operations and their operands: indices of nodes, and for leaves what they are.

        ================== ================================================
        ``state``, name    state before the step
        ``current``        input current
        ``parameter``, n   the n-th of ``tensors``
        ``constant``, n    the n-th of ``constants``
        ``literal``, x     one of :data:`LITERALS`
        ================== ================================================
    tensors : list of tensor
        Parameters of shape (), (neurons,) or (samples, neurons), in the order of their first use.
    constants : list of float
        Numbers that settings of the neuron and its arithmetic give.
    fired : int or None
        Node that tells which neurons fire.
    after : dict of str to int
        Nodes of the states after the step.
    """

    nodes: list[tuple[str, tuple]] = field(default_factory=list)
    tensors: list[torch.Tensor] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    fired: int | None = None
    after: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[str, tuple], int] = field(default_factory=dict)
    _leaves: dict[int, int] = field(default_factory=dict)

    @property
    def structure(self) -> tuple:
        """All that the source of a kernel depends on."""
        return tuple(self.nodes), self.fired, tuple(self.after.items())

    def add(self, operation: str, *operands: Any) -> "Value":
        """Return the value of an operation, which is recorded once."""
        key = operation, operands
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(key)
        return Value(self, self._known[key])

    def lift(self, x: Any) -> "Value":
        """Return a value for any operand of a step."""
        if isinstance(x, Value):
            return x
        if isinstance(x, torch.Tensor):
            return self._tensor(x)
        if isinstance(x, tuple | np.ndarray):
            return self._tensor(torch.as_tensor(np.asarray(x, dtype=np.float64)))
        if isinstance(x, bool) or not isinstance(x, int | float | np.integer | np.floating):
            raise NotRecordedError(f"its step has an operand of type {type(x).__name__}")
        if x in LITERALS:
            return self.add("literal", LITERALS[LITERALS.index(x)])
        self.constants.append(float(x))
        return self.add("constant", len(self.constants) - 1)

    def _tensor(self, x: torch.Tensor) -> "Value":
        if id(x) not in self._leaves:
            if x.ndim > 2 or not x.dtype.is_floating_point:
                raise NotRecordedError(
                    f"its step has a tensor of shape {tuple(x.shape)} and type {x.dtype}"
                )
            self._leaves[id(x)] = len(self.tensors)
            self.tensors.append(x)
        return self.add("parameter", self._leaves[id(x)])


class Value:
    """The result of a recorded operation: a number, or the outcome of a test.

    Parameters
    ----------
    graph : Graph
    index : int
        Its node.
    """

    __array_ufunc__ = None  # NumPy arrays leave the operators to this class
    __hash__ = object.__hash__

    def __init__(self, graph: Graph, index: int):
        self.graph = graph
        self.index = index

    @property
    def is_test(self) -> bool:
        """Whether it is the outcome of a test, and not a number."""
        return self.graph.nodes[self.index][0] in TESTS

    @property
    def number(self) -> "Value":
        """The same as a number, 1 where a test holds."""
        return self.graph.add("number", self.index) if self.is_test else self

    def _make(self, operation: str, a: Any, b: Any) -> "Value":
        a, b = self.graph.lift(a), self.graph.lift(b)
        if a.is_test or b.is_test:
            raise NotRecordedError("its step computes with the outcome of a test")
        return self.graph.add(operation, a.index, b.index)

    def __add__(self, other):
        return self._make("add", self, other)

    def __radd__(self, other):
        return self._make("add", other, self)

    def __sub__(self, other):
        return self._make("sub", self, other)

    def __rsub__(self, other):
        return self._make("sub", other, self)

    def __mul__(self, other):
        return self._make("mul", self, other)

    def __rmul__(self, other):
        return self._make("mul", other, self)

    def __truediv__(self, other):
        return self._make("div", self, other)

    def __rtruediv__(self, other):
        return self._make("div", other, self)

    def __neg__(self):
        return self._make("sub", 0, self)

    def __gt__(self, other):
        return self._make("gt", self, other)

    def __lt__(self, other):
        return self._make("gt", other, self)

    def __ge__(self, other):
        return self._make("ge", self, other)

    def __le__(self, other):
        return self._make("ge", other, self)

    def __eq__(self, other):
        return self._make("eq", self, other)

    def __ne__(self, other):
        return self.graph.add("not", (self == other).index)

    def __invert__(self):
        if not self.is_test:
            raise NotRecordedError("its step inverts a number")
        return self.graph.add("not", self.index)

    def __bool__(self):
        raise NotRecordedError("its step branches on an operand")

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in _OPERATORS and len(args) == 2 and not kwargs:
            return _OPERATORS[name](*args)
        raise NotRecordedError(f"its step calls {name or function}")


def _operator(name: str) -> Callable:
    # The left operand is a tensor, so that the operator of the right one is called.
    def apply(a, b):
        return (b.graph if isinstance(b, Value) else a.graph).lift(a)._make(name, a, b)

    return apply


_OPERATORS = {
    torch_name: _operator(name)
    for name in ("add", "sub", "mul", "div", "gt", "ge", "eq")
    for torch_name in (name, f"__{name}__")
} | {"true_divide": _operator("div"), "__truediv__": _operator("div")}
for _name in ("rsub", "__rsub__"):
    _OPERATORS[_name] = lambda a, b: _operator("sub")(b, a)
for _name, _turned in (("lt", "gt"), ("le", "ge")):
    for _torch_name in (_name, f"__{_name}__"):
        _OPERATORS[_torch_name] = lambda a, b, turned=_turned: _operator(turned)(b, a)


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


def record(
    neuron: Any,
    parameters: SimpleNamespace,
    states: Mapping[str, Any],
    scale: float | None,
    bias: torch.Tensor | None = None,
) -> Graph:
    """Record the step of a neuron.

    Parameters
    ----------
    neuron : Neuron
    parameters : namespace
        Tensors, decays with tensors, and anything else that a step may read, by name.
    states : iterable of str
        Names of the states.
    scale : float or None
        As for :class:`Recorder`.
    bias : tensor, optional
        Added to the current before the step.

    Raises
    ------
    NotRecordedError
        If the step does something that has no equal in a kernel.
    """
    graph = Graph()
    bound = {name: _bind(graph, value) for name, value in vars(parameters).items()}
    before = {name: graph.add("state", name) for name in states}
    current = graph.add("current")
    if bias is not None:
        current = current + bias
    try:
        fired, after = neuron.step(
            SimpleNamespace(**bound), SimpleNamespace(**before), current, Recorder(graph, scale)
        )
        if set(after) != set(before):
            raise NotRecordedError("its step returns other states than it has")
        for name in states:
            value = graph.lift(after[name])
            if value.is_test:
                raise NotRecordedError("its step returns a test as a state")
            graph.after[name] = value.index
        if neuron.spiking:
            if not isinstance(fired, Value) or fired.is_test:
                raise NotRecordedError("its step decides who fires without a gradient")
            graph.fired = fired.index
    except (TypeError, AttributeError, RuntimeError, ValueError) as error:
        # What a step does beyond the arithmetic, it does on tensors alone.
        raise NotRecordedError(f"its step does not take symbols ({error})") from None
    return graph


def _bind(graph: Graph, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return graph.lift(value)
    if isinstance(value, Decay):
        if isinstance(value.numerator, torch.Tensor | tuple):
            return Decay.of(graph.lift(value.numerator), value.bits)
        return value
    factor = getattr(value, "factor", None)
    if isinstance(factor, torch.Tensor):
        return type(value)(graph.lift(factor))
    return value
