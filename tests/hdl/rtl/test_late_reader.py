# amaranth: UnusedElaboratable=no
"""Tests of an accelerator whose results are fetched late, or whose first input comes late."""

import numpy as np
import pytest

from spiker_hdl.model import If, Input, Mapping, Network, Population, Projection, Readout
from spiker_hdl.rtl import Accelerator

from support.bench import get, put, simulate
from support.events import END, LAST, written

RELAY = Network(
    [Input("x", 2)],
    [Population("p", 2, If(width=4, threshold=0, reset="zero"))],
    [Projection("x", "p", np.eye(2, dtype=int))],
    [Readout("p")],
)


@pytest.mark.parametrize("wait", [0, 40, 200])
def test_results_wait_for_their_reader(wait):
    dut = Accelerator(RELAY, Mapping.default(RELAY, form="events"))
    results = []

    async def drive(ctx):
        # Class 0 twice, class 1 once, class 1 twice.
        for event in [(0, 0), END, (0, 0), LAST, (1, 0), LAST, (1, 0), END, (1, 0), LAST]:
            await put(ctx, dut.i, written(event))

    async def take(ctx):
        for _ in range(3):
            for _ in range(wait):
                await ctx.tick()
            p = (await get(ctx, dut.o)).answers.p
            results.append((p.winner, [*p.scores], p.steps))

    simulate(dut, drive, take, watch=[dut.o])
    assert results == [(0, [2, 0], 2), (1, [0, 1], 1), (1, [0, 2], 2)]


LATE = Network(
    [Input("a", 2), Input("b", 2)],
    [Population("p", 3, If(width=6, threshold=2))],
    [
        Projection("a", "p", np.ones((3, 2), dtype=int), delay=3),
        Projection("b", "p", np.full((3, 2), 2)),
    ],
    [Readout("p")],
)


def test_an_input_that_comes_when_all_is_computed_is_timed_from_its_first_beat():
    # All steps of a sample are before the delay of its first input, which is not waited for.
    dut = Accelerator(LATE, Mapping.default(LATE, form="events"))
    begun, results = [], []

    async def drive(ctx):
        for _ in range(3):
            await put(ctx, dut.i_b, written((0, 0)))
            await put(ctx, dut.i_b, written(LAST))
            for _ in range(60):
                await ctx.tick()
            await put(ctx, dut.i_a, written(LAST))
            for _ in range(20):
                await ctx.tick()
        done.append(True)

    async def watch(ctx):
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while not done:
            *_, begins, valid, p = await ctx.tick().sample(
                dut.i_a.valid & dut.i_a.ready, dut.o.valid, dut.o.p
            )
            if begins:
                begun.append(cycle)
            if valid:
                results.append((cycle, p.cycles))
            cycle += 1

    done = []
    simulate(dut, drive, watch, deadline=2_000)
    assert results == [(cycle + 4, 4) for cycle in begun]
    assert len(results) == 3
