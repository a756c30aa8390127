"""A neuron's operations over several clock cycles, whoever wrote them."""

import operator
from collections.abc import Callable
from typing import Any

from amaranth import *

from spiker_hdl.model import Arithmetic, Decay

from .combinational import CombinationalArithmetic

__all__ = ["Operand", "PipelinedArithmetic", "budget"]

# What operations take, in units of about 0.1 ns of an ECP5 of speed grade 6 with its wires.
TABLE = 10
CARRY = 18
CARRIED = 3  # bits of a carry chain in one unit
OUT = 12  # from the end of a carry chain, where a comparison comes out, to a look-up table


class Operand:
    """A value of a neuron's equations, and when it is known.

    Parameters
    ----------
    via : Staged
    value : ValueLike
    stage : int
        Cycle of the step in which it is known.
    depth : int
        How long it takes in that cycle.
    """

    __hash__ = object.__hash__

    def __init__(self, via: "PipelinedArithmetic", value: Any, stage: int = 0, depth: int = 0):
        self.via = via
        self.stage = stage
        self.depth = depth
        self.held = [Value.cast(value)]

    def at(self, stage: int) -> Value:
        """Return the value in a cycle, not before the one in which it is known.

        Each cycle has one register, for all that use the value in it.
        """
        while len(self.held) <= stage - self.stage:
            self.held.append(self.via.register(self.held[-1]))
        return self.held[stage - self.stage]

    def __bool__(self) -> bool:
        return bool(self.held[0])  # which Amaranth refuses, with the reason

    def __add__(self, other):
        return self.via.carry(operator.add, self, other)

    def __radd__(self, other):
        return self.via.carry(operator.add, other, self)

    def __sub__(self, other):
        return self.via.carry(operator.sub, self, other)

    def __rsub__(self, other):
        return self.via.carry(operator.sub, other, self)

    def __mul__(self, other):
        return self.via.multiply(self, other)

    __rmul__ = __mul__

    def __neg__(self):
        return self.via.carry(operator.neg, self)

    def __rshift__(self, bits: int):
        return self.via.join(operator.rshift, 0, self, bits)

    def __lt__(self, other):
        return self.via.compare(operator.lt, self, other)

    def __le__(self, other):
        return self.via.compare(operator.le, self, other)

    def __gt__(self, other):
        return self.via.compare(operator.gt, self, other)

    def __ge__(self, other):
        return self.via.compare(operator.ge, self, other)

    def __eq__(self, other):
        return self.via.compare(operator.eq, self, other)


class PipelinedArithmetic(Arithmetic):
    """Operations on :class:`Operand`, with registers between them.

    An operation that would make its cycle longer than ``cycle_budget`` begins the next one, and
    what it needs of cycles before waits in registers. The last cycle takes all that is left.

    Parameters
    ----------
    m : Module or None
        Where registers and gates go; with None, operations are only weighed.
    stages : int
        Cycles.
    cycle_budget : int
        How long each of them may be; see :func:`budget`.
    """

    def __init__(self, m: Module | None, *, stages: int, cycle_budget: int):
        self.m = m
        self.stages = stages
        self.cycle_budget = cycle_budget
        self.gates = CombinationalArithmetic(m)
        self.deepest = 0

    def given(self, value: Any) -> Any:
        """Make an operand of what is known at first; plain integers stay what they are."""
        return value if isinstance(value, int) else Operand(self, value)

    def taken(self, value: Any) -> Value:
        """Return a value in the last cycle."""
        return value.at(self.stages - 1) if isinstance(value, Operand) else Value.cast(value)

    def register(self, value: Value) -> Value:
        """Return a value as it was in the cycle before."""
        if self.m is None or isinstance(value, Const):
            return value
        later = Signal(value.shape(), name="later")
        self.m.d.sync += later.eq(value)
        return later

    def join(self, function: Callable, cost: int, *operands: Any) -> Operand:
        """Compute something of operands, in the first cycle that has the time for it."""
        known = [one for one in operands if isinstance(one, Operand)]
        stage = max((one.stage for one in known), default=0)
        depth = max((one.depth for one in known if one.stage == stage), default=0)
        if depth and depth + cost > self.cycle_budget and stage < self.stages - 1:
            stage, depth = stage + 1, 0
        self.deepest = max(self.deepest, depth + cost)
        values = [one.at(stage) if isinstance(one, Operand) else one for one in operands]
        return Operand(self, function(*values), stage, depth + cost)

    def carry(self, function: Callable, *operands: Any) -> Operand:
        """Compute a sum with a carry chain."""
        return self.join(function, CARRY + _width(*operands) // CARRIED, *operands)

    def compare(self, function: Callable, *operands: Any) -> Operand:
        """Compute a test with a carry chain."""
        return self.join(function, CARRY + _width(*operands) // CARRIED + OUT, *operands)

    def multiply(self, x: Any, y: Any) -> Operand:
        """Multiply, as a tree of adders does."""
        least = min(_width(x), _width(y))
        cost = least.bit_length() * (CARRY + (_width(x) + _width(y)) // CARRIED)
        return self.join(operator.mul, cost, x, y)

    def decay(self, x, decay: Decay):
        if isinstance(decay.numerator, Operand):
            return super().decay(x, decay)
        terms = decay.numerator.bit_count()
        cost = (1 + (terms - 1).bit_length()) * (CARRY + _width(x) // CARRIED) if terms else 0
        return self.join(lambda one: self.gates.decay(one, decay), cost, x)

    def above(self, x, limit):
        return self.compare(self.gates.above, x, limit)

    def reaches(self, x, limit):
        return self.compare(self.gates.reaches, x, limit)

    def both(self, a, b):
        return self.join(self.gates.both, TABLE // 2, a, b)

    def either(self, a, b):
        return self.join(self.gates.either, TABLE // 2, a, b)

    def invert(self, test):
        return self.join(self.gates.invert, 0, test)

    def select(self, test, yes, no):
        return self.join(self.gates.select, TABLE, test, yes, no)

    def maximum(self, x, y):
        cost = CARRY + _width(x, y) // CARRIED + OUT + TABLE
        return self.join(self.gates.maximum, cost, x, y)

    def saturate(self, x, low: int, high: int):
        return self.join(lambda one: self.gates.saturate(one, low, high), 3 * TABLE, x)


def budget(stages: int, compute: Callable[[PipelinedArithmetic], Any]) -> int:
    """Return the least length of a cycle with which a computation takes as many as are given.

    Parameters
    ----------
    stages : int
    compute : callable
        Does all operations with the arithmetic that it is given, and takes no heed of the values.
    """

    def deepest(cycle_budget: int) -> int:
        via = PipelinedArithmetic(None, stages=stages, cycle_budget=cycle_budget)
        compute(via)
        return via.deepest

    # Whatever a cycle may take, one of these does: a shorter one only fills the last cycle more.
    found = deepest(0)
    for cycle_budget in range(found):
        if deepest(cycle_budget) <= cycle_budget:
            return cycle_budget
    return found


def _width(*operands: Any) -> int:
    values = [one.held[0] if isinstance(one, Operand) else Value.cast(one) for one in operands]
    return max(len(value) for value in values)
