# amaranth: UnusedElaboratable=no

"""Tests of the gates: every operation on all small numbers, against Python's integers."""

from itertools import product
from random import Random

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from spiker_hdl.model import INTEGERS, Decay, signed_range
from spiker_hdl.rtl import CombinationalArithmetic
from spiker_hdl.rtl.neurons.pipelined import CARRIED, CARRY, OUT, TABLE, PipelinedArithmetic, budget

from support.bench import simulate
from support.events import clocked

X = [*range(-32, 32)]


STAGES = 3


class Operation(wiring.Component):
    """An operation on ports, as gates or over several cycles, each operation in the next."""

    o: Out(signed(24))

    def __init__(self, operation, shapes, kind):
        super().__init__()
        self.operation = operation
        self.operands = [Signal(shape) for shape in shapes]
        self.kind = kind

    def elaborate(self, platform):
        m = Module()
        if self.kind == "staged":
            via = PipelinedArithmetic(m, stages=STAGES, cycle_budget=1)
            result = via.result(self.operation(via, *map(via.operand, self.operands)))
        else:
            result = self.operation(
                CombinationalArithmetic(m if self.kind == "held" else None), *self.operands
            )
        m.d.comb += self.o.eq(result)
        return m


def answers(operation, shapes, cases, kind):
    """Return what gates make of an operation, for each case of its operands."""
    dut = Operation(operation, shapes, kind)
    waits = STAGES - 1 if kind == "staged" else 0
    results = []

    async def testbench(ctx):
        # A case a cycle, so that one is kept apart from the next.
        for case in [*cases, *[cases[-1]] * waits]:
            for operand, value in zip(dut.operands, case, strict=True):
                ctx.set(operand, value)
            results.append(ctx.get(dut.o))
            if waits:
                await ctx.tick()

    simulate(clocked(dut), testbench)
    return results[waits:]


def check(operation, shapes, cases):
    expected = [int(operation(INTEGERS, *case)) for case in cases]
    for kind in ("plain", "held", "staged"):
        assert answers(operation, shapes, cases, kind) == expected


UNARY = {
    **{f"shift by {k}": lambda via, x, k=k: via.shift(x, k) for k in (0, 1, 3, 6, 9)},
    **{
        f"decay by {decay}": lambda via, x, decay=decay: via.decay(x, decay)
        for decay in (
            Decay(0, 0),
            Decay(1, 0),
            Decay(0, 3),
            Decay(8, 3),
            Decay.shift(1),
            Decay.shift(5),
            Decay.shift(9),
            Decay.shifts(1, 3),
            Decay(5, 3),
            Decay(13, 4),
        )
    },
    **{
        f"{name} to {low}..{high}": lambda via, x, name=name, low=low, high=high: getattr(
            via, name
        )(x, low, high)
        for name in ("clamp", "saturate")
        for low, high in (
            signed_range(2),
            signed_range(4),
            signed_range(6),
            signed_range(7),
            signed_range(12),
            (0, 1),
            (0, 7),
            (0, 31),
            (0, 63),
            (-5, 7),
            (-8, 3),
            (-3, 0),
            (-2, 5),
            (-9, -2),
            (2, 9),
            (-1, 0),
            (0, 0),
        )
    },
}


@pytest.mark.parametrize("name", UNARY)
def test_unary_operations(name):
    check(UNARY[name], [signed(6)], [(x,) for x in X])


@pytest.mark.parametrize(
    "low, high",
    [
        signed_range(3),
        signed_range(6),
        (0, 7),
        (-2, 5),
        (-2, 63),
        (3, 9),
    ],
)
def test_saturation_of_what_is_never_negative(low, high):
    check(lambda via, x: via.saturate(x, low, high), [unsigned(5)], [(x,) for x in range(32)])


BINARY = {
    "above": lambda via, x, y: via.above(x, y),
    "reaches": lambda via, x, y: via.reaches(x, y),
    "maximum": lambda via, x, y: via.maximum(x, y),
    "select": lambda via, x, y: via.select(x > y, x - y, y + x),
    "both": lambda via, x, y: via.both(x > 0, y > 0),
    "either": lambda via, x, y: via.either(x > 0, y > 0),
    "invert": lambda via, x, y: via.invert(x > y),
    "a sum that saturates": lambda via, x, y: via.saturate(via.shift(x, 1) + y, -8, 7),
    "all that stands between operands": lambda via, x, y: (
        via.select(via.both(x < y, 3 <= x), -x * 3, 7 - y)
        + via.select(via.either(x >= 2, 1 > y), x * y, 2 * x + 1)
        + via.select(x <= y - 3, 1 + y, 0)
        + via.select(x == y, 5, 0)
    ),
    "what comes early and late": lambda via, x, y: via.saturate(x + y, -4, 5) - x - y,
    "what the sum leaves": lambda via, x, y: via.maximum(x + y, -3) - y,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", [(signed(4), signed(4)), (signed(5), unsigned(3))])
def test_binary_operations(name, shapes):
    ranges = [
        range(-(2 ** (s.width - 1)), 2 ** (s.width - 1)) if s.signed else range(2**s.width)
        for s in shapes
    ]
    check(BINARY[name], shapes, [*product(*ranges)])


def test_decay_by_a_numerator_that_is_a_signal():
    random = Random(1)
    cases = [(x, n) for x in (-512, -511, -1, 0, 1, 511) for n in range(17)]
    cases += [(random.randint(-512, 511), random.randint(0, 16)) for _ in range(100)]
    expected = [x - (x * n >> 4) for x, n in cases]
    for kind in ("held", "staged"):
        given = answers(
            lambda via, x, n: via.decay(x, Decay.of(n, 4)), [signed(10), unsigned(5)], cases, kind
        )
        assert given == expected


def test_what_is_needed_several_times_becomes_one_signal():
    m = Module()
    gates = CombinationalArithmetic(m)
    x = Signal(4)
    assert gates.shared(x, "x") is x
    assert isinstance(gates.shared(x + 1, "more"), Signal)
    assert isinstance(gates.shared(3, "three"), Const)
    assert not isinstance(CombinationalArithmetic().shared(x + 1, "more"), Signal)


def cycle_budget(stages, operation, *widths):
    return budget(
        stages, lambda via: operation(via, *[via.operand(Signal(width)) for width in widths])
    )


def test_stages_share_out_what_is_to_be_done():
    adder, comparator = CARRY + 9 // CARRIED, CARRY + 10 // CARRIED + OUT

    def sums(via, a, b, c):
        return a + b > c

    assert cycle_budget(1, sums, 9, 9, 9) == adder + comparator
    assert cycle_budget(2, sums, 9, 9, 9) == comparator
    # No more stages make an operation shorter.
    assert cycle_budget(4, sums, 9, 9, 9) == comparator

    def difference(via, x, y):
        return via.select(x > y, x - y, x)

    assert cycle_budget(1, difference, 10, 10) == comparator + TABLE
    assert cycle_budget(2, difference, 10, 10) == comparator


def test_uses_in_one_cycle_share_a_register():
    m = Module()
    via = PipelinedArithmetic(m, stages=3, cycle_budget=1)
    x = via.operand(Signal(4))
    late = via.select(x + 1 > 5, x, 0)
    assert late.stage == 2
    assert x.at(2) is x.at(2)
    assert [len(value) for value in x.delayed] == [4] * 3
    assert via.result(7).value == 7


def test_operand_is_refused_as_a_python_condition():
    via = PipelinedArithmetic(None, stages=2, cycle_budget=1)
    with pytest.raises(TypeError, match="Attempted to convert Amaranth value to Python boolean"):
        bool(via.operand(Signal()) > 0)
