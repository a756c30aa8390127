"""Tests of products without multipliers: all weights and values of a few bits."""

import pytest
from amaranth import *
from amaranth.sim import Simulator

from spiker_hdl.rtl.common.adders import product


@pytest.mark.parametrize(
    "weight, value",
    [
        (signed(4), unsigned(4)),  # narrow: by two bits at once
        (signed(3), unsigned(3)),
        (unsigned(4), unsigned(2)),
        (signed(4), unsigned(1)),
        (signed(5), unsigned(3)),  # by single bits
        (signed(4), signed(3)),
    ],
)
def test_product_of_all_weights_and_values(weight, value):
    w, v, result = Signal(weight), Signal(value), Signal(signed(12))
    m = Module()
    m.d.comb += result.eq(product(w, v))

    async def testbench(ctx):
        for n in range(2**weight.width):
            for k in range(2**value.width):
                ctx.set(w, Const(n, weight).value)
                ctx.set(v, Const(k, value).value)
                assert ctx.get(result) == Const(n, weight).value * Const(k, value).value

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()


def test_product_with_an_event_without_a_value_is_the_weight():
    weight = Signal(signed(4))
    assert product(weight, Const(0, 0)) is weight
