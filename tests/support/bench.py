"""What every simulation needs: a clock with a deadline, and streams driven as they should be."""

from functools import partial

import pytest
from amaranth.sim import Simulator

__all__ = ["get", "hold", "pause", "put", "simulate"]


def simulate(dut, *testbenches, watch=(), deadline=10_000, vcd=None):
    """Run ``testbenches`` to their end, watching the output streams in ``watch``.

    Parameters
    ----------
    dut : wiring.Component
        What is simulated, clocked in ``sync``.
    *testbenches : async function
        Each called with the simulator's context, from time zero on.
    watch : iterable of stream.Interface
        Streams whose payloads must be held until taken.
    deadline : int
        Cycles after which the test fails.
    vcd : path or None
        File for the waveforms; without it, none are written.
    """

    async def give_up(ctx):
        for _ in range(deadline):
            await ctx.tick()
        pytest.fail(f"still running after {deadline} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for testbench in testbenches:
        sim.add_testbench(testbench)
    for stream in watch:
        sim.add_testbench(partial(hold, stream=stream), background=True)
    sim.add_testbench(give_up, background=True)
    if vcd is None:
        sim.run()
    else:
        with sim.write_vcd(str(vcd)):
            sim.run()


async def hold(ctx, stream):
    """Fail if an offered payload changes or is withdrawn before it is taken."""
    offered = None
    while True:
        _, _, *now = await ctx.tick().sample(stream.valid, stream.ready, stream.payload)
        valid, ready, payload = now
        if offered is not None:
            assert (valid, payload) == (1, offered), "payload not held until taken"
        offered = payload if valid and not ready else None


async def put(ctx, stream, payload):
    """Offer ``payload`` until it is taken."""
    ctx.set(stream.payload, payload)
    ctx.set(stream.valid, 1)
    # Not `until`: left half-way by a failing test, it raises again when it is collected.
    ready = 0
    while not ready:
        _, _, ready = await ctx.tick().sample(stream.ready)
    ctx.set(stream.valid, 0)


async def get(ctx, stream):
    """Wait for a payload, and take it."""
    ctx.set(stream.ready, 1)
    valid = 0
    while not valid:
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
    ctx.set(stream.ready, 0)
    return payload


async def pause(ctx, random, chance):
    """Let cycles pass, as long as a throw of the dice comes out below ``chance``."""
    while random.random() < chance:
        await ctx.tick()
