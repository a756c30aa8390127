# amaranth: UnusedElaboratable=no

"""What drives an accelerator behind AXI in Amaranth's simulator, and reads it."""

from functools import partial

import pytest
from amaranth import Value
from amaranth.sim import Simulator

import spiker_hdl
from spiker_hdl.link.axi.accelerator import AxiAccelerator
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl import Accelerator

__all__ = ["beats", "make", "offer", "read", "simulate", "take", "write"]

HELD = {
    "m_axis": ("m_axis", "tvalid", "tready", ("tdata", "tlast")),
    "b": ("s_axil", "bvalid", "bready", ("bresp",)),
    "r": ("s_axil", "rvalid", "rready", ("rdata", "rresp")),
}


def simulate(dut, *testbenches, deadline=20_000):
    """Run testbenches, watching that each channel holds what it offers."""

    async def hold(ctx, key):
        port, valid, ready, parts = HELD[key]
        port = getattr(dut, port)
        offered = None
        while True:
            signals = [getattr(port, name) for name in (valid, ready, *parts)]
            _, _, valid_now, ready_now, *now = await ctx.tick().sample(*signals)
            if offered is not None:
                assert (valid_now, now) == (1, offered), f"{key} not held until taken"
            offered = now if valid_now and not ready_now else None

    async def give_up(ctx):
        for _ in range(deadline):
            await ctx.tick()
        pytest.fail(f"still running after {deadline} cycles")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for key in HELD:
        simulator.add_testbench(partial(hold, key=key), background=True)
    simulator.add_testbench(give_up, background=True)
    simulator.run()


async def offer(ctx, port, valid, ready, **values):
    """Offer what a channel carries until it is taken."""
    for name, value in values.items():
        ctx.set(getattr(port, name), value)
    ctx.set(getattr(port, valid), 1)
    taken = 0
    while not taken:
        _, _, taken = await ctx.tick().sample(getattr(port, ready))
    ctx.set(getattr(port, valid), 0)


async def take(ctx, port, valid, ready, *names):
    """Wait for what a channel carries, and take it."""
    ctx.set(getattr(port, ready), 1)
    there = 0
    while not there:
        signals = [getattr(port, name) for name in (valid, *names)]
        _, _, there, *fields = await ctx.tick().sample(*signals)
    ctx.set(getattr(port, ready), 0)
    return fields


async def read(ctx, bus, address):
    await offer(ctx, bus, "arvalid", "arready", araddr=address)
    return await take(ctx, bus, "rvalid", "rready", "rdata", "rresp")


async def write(ctx, bus, address, value, strobe=15, first="aw", wait=0):
    channels = {
        "aw": partial(offer, ctx, bus, "awvalid", "awready", awaddr=address),
        "w": partial(offer, ctx, bus, "wvalid", "wready", wdata=value, wstrb=strobe),
    }
    await channels.pop(first)()
    for _ in range(wait):
        await ctx.tick()
    await next(iter(channels.values()))()
    return (await take(ctx, bus, "bvalid", "bready", "bresp"))[0]


def beats(dut, node, sample):
    """Return the beats of a sample as tdata and tlast."""
    inner = dut.accelerator
    words = payloads(inner, node, sample)
    top = Value.cast(getattr(inner, inner.ports[node.name]).payload).shape().width - 1
    return [(word & (1 << top) - 1, word >> top) for word in words]


def make(network, mapping=None):
    return AxiAccelerator(Accelerator(network, mapping), version=spiker_hdl.__version__)
