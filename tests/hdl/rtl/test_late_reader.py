# amaranth: UnusedElaboratable=no
"""Tests of an accelerator whose results are fetched late: none is lost, none is overwritten."""

import numpy as np
import pytest
from events import END, LAST, written

from spiker_hdl.model import If, Input, Mapping, Network, Population, Projection, Readout
from spiker_hdl.rtl import Accelerator

from bench import get, put, simulate

RELAY = Network(
    [Input("x", 2)],
    [Population("p", 2, If(width=4, threshold=0, reset="zero"))],
    [Projection("x", "p", np.eye(2, dtype=int))],
    [Readout("p")],
)


@pytest.mark.parametrize("wait", [0, 40, 200])
def test_results_wait_for_their_reader(wait):
    dut = Accelerator(RELAY, Mapping.default(RELAY, form="events"))
    found = []

    async def drive(ctx):
        # Class 0 twice, class 1 once, class 1 twice.
        for event in [(0, 0), END, (0, 0), LAST, (1, 0), LAST, (1, 0), END, (1, 0), LAST]:
            await put(ctx, dut.i, written(event))

    async def take(ctx):
        for _ in range(3):
            for _ in range(wait):
                await ctx.tick()
            p = (await get(ctx, dut.o)).answers.p
            found.append((p.winner, [*p.scores], p.steps))

    simulate(dut, drive, take, watch=[dut.o])
    assert found == [(0, [2, 0], 2), (1, [0, 1], 1), (1, [0, 2], 2)]
