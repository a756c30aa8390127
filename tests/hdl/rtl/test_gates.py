# amaranth: UnusedElaboratable=no

"""Tests of the gates: every operation on all small numbers, against Python's integers."""

from itertools import product
from random import Random

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from events import clocked

from spiker_hdl.model import INTEGERS, Decay, signed_range
from spiker_hdl.rtl import Gates

from bench import simulate

X = [*range(-32, 32)]


def answers(operation, shapes, cases, held):
    """Return what gates make of an operation, for each case of its operands."""
    operands = [Signal(shape) for shape in shapes]
    found = []

    class Operation(wiring.Component):
        o: Out(signed(24))

        def elaborate(self, platform):
            m = Module()
            gates = Gates(m) if held else Gates()
            m.d.comb += self.o.eq(operation(gates, *operands))
            return m

    dut = Operation()

    async def testbench(ctx):
        for case in cases:
            for operand, value in zip(operands, case, strict=True):
                ctx.set(operand, value)
            found.append(ctx.get(dut.o))

    simulate(clocked(dut), testbench)
    return found


def check(operation, shapes, cases):
    wanted = [int(operation(INTEGERS, *case)) for case in cases]
    for held in (False, True):
        assert answers(operation, shapes, cases, held) == wanted


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
    wanted = [x - (x * n >> 4) for x, n in cases]
    given = answers(
        lambda via, x, n: via.decay(x, Decay.of(n, 4)), [signed(10), unsigned(5)], cases, True
    )
    assert given == wanted


def test_what_is_needed_several_times_becomes_one_signal():
    m = Module()
    gates = Gates(m)
    x = Signal(4)
    assert gates.held(x, "x") is x
    assert isinstance(gates.held(x + 1, "more"), Signal)
    assert isinstance(gates.held(3, "three"), Const)
    assert not isinstance(Gates().held(x + 1, "more"), Signal)
