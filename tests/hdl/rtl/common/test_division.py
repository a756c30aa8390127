"""Tests of division by constants: against Python, for every value."""

import pytest
from amaranth import *
from amaranth.sim import Simulator

from spiker_hdl.rtl.common.division import by_constant, divided, reciprocal


@pytest.mark.parametrize("limit", [1, 2, 5, 28, 100, 784, 4096])
def test_reciprocal_is_exact_for_every_value_below_the_limit(limit):
    for divisor in [*range(1, 40), 49, 100, 127, 128, 129, 783, 784, 785]:
        factor, shift = reciprocal(divisor, limit)
        quotients = [value * factor >> shift for value in range(limit)]
        assert quotients == [value // divisor for value in range(limit)], divisor


def test_reciprocal_is_as_narrow_as_its_limit_lets_it_be():
    assert reciprocal(3, 2) == (1, 1)  # 0 and 1 by 2 are 0, as by 3
    assert reciprocal(3, 7) == (3, 3)
    assert reciprocal(7, 784) == (1171, 13)
    assert reciprocal(8, 784) == (1, 3)


def computed(width, make, values):
    """Return what a combinational function of a value of a width gives."""
    value, results = Signal(width), []
    m = Module()
    outputs = [Signal.like(Value.cast(part), name=f"o{n}") for n, part in enumerate(make(value))]
    m.d.comb += [o.eq(part) for o, part in zip(outputs, make(value), strict=True)]

    async def testbench(ctx):
        for number in values:
            ctx.set(value, number)
            results.append(tuple(map(ctx.get, outputs)))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    return results


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 7, 8, 12, 28, 49, 60, 100])
def test_quotient_and_remainder(divisor):
    limit = 60
    results = computed(6, lambda value: divided(value, divisor, limit), range(limit))
    assert results == [divmod(value, divisor) for value in range(limit)]


@pytest.mark.parametrize("factor", [0, 1, 2, 3, 7, 10, 23, 255, 256])
def test_product_by_a_constant(factor):
    results = computed(5, lambda value: [by_constant(value, factor)], range(32))
    assert results == [(value * factor,) for value in range(32)]
