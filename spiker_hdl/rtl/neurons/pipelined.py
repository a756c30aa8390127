"""A neuron's operations divided among several clock cycles."""

import operator
from collections.abc import Callable
from typing import Any

from amaranth import *

from spiker_hdl.model import Arithmetic, Decay

from .combinational import CombinationalArithmetic

__all__ = ["Operand", "PipelinedArithmetic", "budget"]

# Delays of operations with their wires, in units of about 0.1 ns on an ECP5 of speed grade 6.
TABLE = 10  # a look-up table
CARRY = 18  # onto a carry chain and off it
CARRIED = 3  # bits of a carry chain that take one unit
OUT = 12  # from the carry output, which is the result of a comparison, to a look-up table


class Operand:
    """A value of a neuron's equations, with the cycle in which it is computed.

    Parameters
    ----------
    via : PipelinedArithmetic
        Arithmetic that operators use.
    value : ValueLike
        The value.
    stage : int
        Number of the cycle in which it is computed.
    depth : int
        Delay from the beginning of that cycle.
    """

    __hash__ = object.__hash__

    def __init__(self, via: "PipelinedArithmetic", value: Any, stage: int = 0, depth: int = 0):
        self.via = via
        self.stage = stage
        self.depth = depth
        self.delayed = [Value.cast(value)]  # in its own cycle, and in those behind it

    def at(self, stage: int) -> Value:
        """Return the value in a cycle, which must not be before the one in which it is computed.

        All uses in one cycle share one register.
        """
        # Registers are made on demand: a value that no later cycle uses is not delayed.
        while len(self.delayed) <= stage - self.stage:
            self.delayed.append(self.via.register(self.delayed[-1]))
        return self.delayed[stage - self.stage]

    def __bool__(self) -> bool:
        return bool(self.delayed[0])  # Amaranth refuses this, and says why

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
    """Operations on :class:`Operand`, divided among cycles by registers.

    An operation that would make its cycle longer than ``cycle_budget`` goes to the next cycle, and
    its operands of earlier cycles are delayed by registers. The last cycle has all that is left.

    Parameters
    ----------
    m : Module or None
        Module to which registers and logic are added; with None, delays are only added up.
    stages : int
        Number of cycles.
    cycle_budget : int
        Maximum delay of a cycle; see :func:`budget`.
    """

    def __init__(self, m: Module | None, *, stages: int, cycle_budget: int):
        self.m = m
        self.stages = stages
        self.cycle_budget = cycle_budget
        self.combinational = CombinationalArithmetic(m)
        self.deepest = 0

    def operand(self, value: Any) -> Any:
        """Return a value of the first cycle as an operand; plain integers stay what they are."""
        return value if isinstance(value, int) else Operand(self, value)

    def result(self, value: Any) -> Value:
        """Return a value as it is in the last cycle."""
        return value.at(self.stages - 1) if isinstance(value, Operand) else Value.cast(value)

    def register(self, value: Value) -> Value:
        """Return a value as it was one cycle earlier."""
        if self.m is None or isinstance(value, Const):
            return value
        delayed = Signal(value.shape(), name="delayed")
        self.m.d.sync += delayed.eq(value)
        return delayed

    def join(self, function: Callable, cost: int, *operands: Any) -> Operand:
        """Compute a function of operands, in the first cycle in which there is time for it."""
        known = [operand for operand in operands if isinstance(operand, Operand)]
        # The latest operand decides the cycle, and the slowest of that cycle when it can begin.
        stage = max((operand.stage for operand in known), default=0)
        depth = max((operand.depth for operand in known if operand.stage == stage), default=0)
        # An operation that begins a cycle stays in it, however long it takes: it cannot be split.
        if depth and depth + cost > self.cycle_budget and stage < self.stages - 1:
            stage, depth = stage + 1, 0
        self.deepest = max(self.deepest, depth + cost)
        values = [
            operand.at(stage) if isinstance(operand, Operand) else operand for operand in operands
        ]
        return Operand(self, function(*values), stage, depth + cost)

    def carry(self, function: Callable, *operands: Any) -> Operand:
        """Compute a sum with a carry chain."""
        return self.join(function, CARRY + _width(*operands) // CARRIED, *operands)

    def compare(self, function: Callable, *operands: Any) -> Operand:
        """Compute a comparison with a carry chain."""
        return self.join(function, CARRY + _width(*operands) // CARRIED + OUT, *operands)

    def multiply(self, x: Any, y: Any) -> Operand:
        """Multiply; the delay is estimated as for a tree of adders."""
        # As many levels of adders as it takes to halve the partial products down to one.
        terms = min(_width(x), _width(y))
        cost = terms.bit_length() * (CARRY + (_width(x) + _width(y)) // CARRIED)
        return self.join(operator.mul, cost, x, y)

    def decay(self, x, decay: Decay):
        if isinstance(decay.numerator, Operand):
            return super().decay(x, decay)
        # One adder for each 1 of the numerator, in a tree, and one for the subtraction.
        terms = decay.numerator.bit_count()
        cost = (1 + (terms - 1).bit_length()) * (CARRY + _width(x) // CARRIED) if terms else 0
        return self.join(lambda value: self.combinational.decay(value, decay), cost, x)

    def above(self, x, limit):
        return self.compare(self.combinational.above, x, limit)

    def reaches(self, x, limit):
        return self.compare(self.combinational.reaches, x, limit)

    def both(self, a, b):
        return self.join(self.combinational.both, TABLE // 2, a, b)

    def either(self, a, b):
        return self.join(self.combinational.either, TABLE // 2, a, b)

    def invert(self, test):
        return self.join(self.combinational.invert, 0, test)

    def select(self, test, yes, no):
        return self.join(self.combinational.select, TABLE, test, yes, no)

    def maximum(self, x, y):
        cost = CARRY + _width(x, y) // CARRIED + OUT + TABLE
        return self.join(self.combinational.maximum, cost, x, y)

    def clamp(self, x, low, high):
        if isinstance(x, Operand) and isinstance(low, int) and isinstance(high, int):
            return self.saturate(x, low, high)
        return super().clamp(x, low, high)

    def saturate(self, x, low: int, high: int):
        return self.join(lambda value: self.combinational.saturate(value, low, high), 3 * TABLE, x)


def budget(stages: int, compute: Callable[[PipelinedArithmetic], Any]) -> int:
    """Return the smallest cycle budget with which a computation takes a number of cycles.

    Parameters
    ----------
    stages : int
        Number of cycles.
    compute : callable
        Does all operations with the arithmetic that it is passed, whatever the values are.
    """

    def deepest(cycle_budget: int) -> int:
        via = PipelinedArithmetic(None, stages=stages, cycle_budget=cycle_budget)
        compute(via)
        return via.deepest

    # With a budget of 0 the last cycle has all that the others cannot take: an upper limit.
    limit = deepest(0)
    for cycle_budget in range(limit):
        if deepest(cycle_budget) <= cycle_budget:
            return cycle_budget
    return limit


def _width(*operands: Any) -> int:
    values = [
        operand.delayed[0] if isinstance(operand, Operand) else Value.cast(operand)
        for operand in operands
    ]
    return max(len(value) for value in values)
