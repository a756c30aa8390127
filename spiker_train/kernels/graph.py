"""The expression graph of a step, and the symbolic values of which its operations are recorded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

__all__ = ["Graph", "NotRecordedError", "Value"]

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
        ``input``, n       the n-th input of the step
        ``parameter``, n   the n-th of ``tensors``
        ``constant``, n    the n-th of ``constants``
        ``literal``, x     one of :data:`LITERALS`
        ================== ================================================
    tensors : list of tensor
        Parameters of shape (), (neurons,) or (samples, neurons), in the order of their first use.
    constants : list of float
        Numbers that settings of the neuron and its arithmetic give.
    fired : int or None
        Node that tells which neurons fire, or has their output.
    after : dict of str to int
        Nodes of the states after the step.
    coupling : (int, int, int) or None
        For neurons that inhibit each other, the number of the input that tells which are inhibited,
        which the kernel itself writes, and the numbers of two constants: the length of the
        inhibition, and that of the step.
    """

    nodes: list[tuple[str, tuple]] = field(default_factory=list)
    tensors: list[torch.Tensor] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    fired: int | None = None
    after: dict[str, int] = field(default_factory=dict)
    coupling: tuple[int, int, int] | None = None
    _known: dict[tuple[str, tuple], int] = field(default_factory=dict)
    _leaves: dict[int, int] = field(default_factory=dict)

    @property
    def structure(self) -> tuple:
        """All that the source of a kernel depends on."""
        return tuple(self.nodes), self.fired, tuple(self.after.items()), self.coupling

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
