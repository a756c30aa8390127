"""The scenes of the timing diagrams: what is simulated, and which signals are shown."""

from collections.abc import Callable

import numpy as np
from amaranth.hdl import Value

from spiker_hdl.model import Mapping
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import beats_between
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl import (
    Accelerator,
    ImageEncoder,
    PopulationCore,
    Queue,
    UpdateSequencer,
    WeightMemory,
)

from .designs import make_network, make_writable
from .link_handshakes import LINK_SCENES
from .waveform import Lane, Raw, Waveform, binary, hexadecimal, put, record, show_streams, take

__all__ = ["SCENES"]


def stream_transfer() -> Waveform:
    """Show a stream: a queue whose source pauses, and whose sink is not always ready."""
    dut = Queue(8, depth=2)

    async def source(ctx):
        for payload, pause in ((0x11, 2), (0x22, 0), (0x33, 0), (0x44, 0)):
            await put(ctx, dut.i, payload, pause)

    async def sink(ctx):
        for pause in (7, 0, 1, 0):
            await take(ctx, dut.o, pause)

    lanes, streams = show_streams(dut)
    return record(dut, lanes, source, sink, cycles=16, streams=streams)


def sample_to_result() -> Waveform:
    """Show a sample of two steps as it enters an accelerator, and its result."""
    network = make_network()
    dut = Accelerator(network)
    sample = np.array([[1, 0, 1, 1], [0, 1, 1, 0]])
    beats = payloads(dut, network.inputs[0], sample)

    async def source(ctx):
        for beat in beats:
            await put(ctx, Raw(dut.i), beat)

    async def sink(ctx):
        while not ctx.get(dut.o.valid):
            await ctx.tick()
        await take(ctx, dut.o, 1)

    lanes = [
        Lane("idle", dut.idle),
        Lane("i.valid", dut.i.valid),
        Lane("i.ready", dut.i.ready),
        Lane("i.p.values", Value.cast(dut.i.p["values"]), binary(4), when=dut.i.valid),
        Lane("i.p.last", dut.i.p.last, when=dut.i.valid),
        Lane("o.valid", dut.o.valid),
        Lane("o.ready", dut.o.ready),
        Lane("o.p.cycles", dut.o.p.cycles, when=dut.o.valid),
    ]
    streams = {
        "i.p.values": (dut.i.valid, dut.i.ready),
        "o.p.cycles": (dut.o.valid, dut.o.ready),
    }
    return record(dut, lanes, source, sink, cycles=44, streams=streams)


def population_step() -> Waveform:
    """Show a time step in a population of four neurons: its events, its token, its spikes."""
    network = make_network()
    dut = PopulationCore(network, "hidden", mapping=Mapping.default(network))
    items = [(0, 0, 0), (2, 0, 0), (3, 0, 0), (0, 1, 0), (1, 0, 0), (0, 1, 1)]

    async def source(ctx):
        for address, end, last in items:
            await put(ctx, dut.i0, {"address": address, "end": end, "last": last})

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)

    lanes = [
        Lane("i0.valid", dut.i0.valid),
        Lane("i0.ready", dut.i0.ready),
        Lane("i0.p", dut.i0.p, event, when=dut.i0.valid),
        Lane("finish", dut.finish),
        Lane("outcome.valid", dut.outcome.valid),
        Lane("outcome.fired", dut.outcome.fired, binary(4), when=dut.outcome.valid),
        Lane("o.valid", dut.o.valid),
        Lane("o.ready", dut.o.ready),
        Lane("o.p", dut.o.p, event, when=dut.o.valid),
    ]
    streams = {"i0.p": (dut.i0.valid, dut.i0.ready), "o.p": (dut.o.valid, dut.o.ready)}
    return record(dut, lanes, source, sink, cycles=26, streams=streams)


def update_turns() -> Waveform:
    """Show the turns of six neurons, two at a time, after a step of a sample has ended."""
    dut = UpdateSequencer(6, lanes=6, units=2)

    async def begin(ctx):
        for last in (0, 1):
            await ctx.tick()
            ctx.set(dut.begin, 1)
            ctx.set(dut.last, last)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            ctx.set(dut.last, 0)
            for _ in range(4):
                await ctx.tick()

    lanes = [
        Lane("begin", dut.begin),
        Lane("last", dut.last),
        Lane("turn.take", dut.turn.take),
        Lane("ahead", dut.ahead, str, when=dut.turn.take),
        Lane("go", dut.go),
        Lane("group", dut.group, str, when=dut.go),
        Lane("first", dut.first),
        Lane("final", dut.final),
    ]
    return record(dut, lanes, begin, cycles=14)


def weight_read() -> Waveform:
    """Show rows of weights: each is there two cycles after it was asked for."""
    network = make_network()
    dut = WeightMemory(network.into("hidden"), lanes=4)

    async def ask(ctx):
        await ctx.tick()
        for row in (2, 0, None, 3):
            ctx.set(dut.read[0], row is not None)
            ctx.set(dut.row[0], row or 0)
            await ctx.tick()
        ctx.set(dut.read[0], 0)

    lanes = [
        Lane("read[0]", dut.read[0]),
        Lane("row[0]", dut.row[0], str, when=dut.read[0]),
        *(Lane(f"weights[0][{n}]", dut.weights[0][n], str) for n in range(4)),
    ]
    return record(dut, lanes, ask, cycles=8)


def loading() -> Waveform:
    """Show weights replaced as the hardware runs: taken while no sample is on its way."""
    network, other = make_network(), make_network(seed=2)
    dut = Accelerator(network, make_writable(network))
    words = beats_between(network, other, dut.mapping)

    async def load(ctx):
        await ctx.tick()
        for word in words:
            await put(ctx, Raw(dut.load), word)

    async def source(ctx):
        for beat in payloads(dut, network.inputs[0], np.array([[1, 0, 1, 1]])):
            await put(ctx, Raw(dut.i), beat)
        ctx.set(dut.o.ready, 1)

    lanes = [
        Lane("i.valid", dut.i.valid),
        Lane("i.ready", dut.i.ready),
        Lane("idle", dut.idle),
        Lane("o.valid", dut.o.valid),
        Lane("load.valid", dut.load.valid),
        Lane("load.ready", dut.load.ready),
        Lane("load.p.kind", dut.load.p.kind, str, when=dut.load.valid),
        Lane("load.p.data", dut.load.p.data, hexadecimal, when=dut.load.valid),
    ]
    streams = {"load.p.data": (dut.load.valid, dut.load.ready)}
    return record(dut, lanes, load, source, cycles=38, streams=streams)


def pixels_to_spikes() -> Waveform:
    """Show a picture of three values, encoded by rate for two steps."""
    dut = ImageEncoder(3, Encoding("rate", steps=2))

    async def source(ctx):
        for n, value in enumerate((200, 20, 130)):
            await put(ctx, dut.i, {"value": value, "last": int(n == 2)})

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)

    lanes = [
        Lane("i.valid", dut.i.valid),
        Lane("i.ready", dut.i.ready),
        Lane("i.p.value", dut.i.p["value"], str, when=dut.i.valid),
        Lane("i.p.last", dut.i.p.last, when=dut.i.valid),
        Lane("o.valid", dut.o.valid),
        Lane("o.ready", dut.o.ready),
        Lane("o.p.value", dut.o.p["value"], str, when=dut.o.valid),
        Lane("o.p.last", dut.o.p.last, when=dut.o.valid),
        Lane("idle", dut.idle),
    ]
    streams = {
        "i.p.value": (dut.i.valid, dut.i.ready),
        "o.p.value": (dut.o.valid, dut.o.ready),
    }
    return record(dut, lanes, source, sink, cycles=10, streams=streams)


SCENES: dict[str, Callable[[], Waveform]] = {
    "stream": stream_transfer,
    "sample": sample_to_result,
    "population": population_step,
    "turns": update_turns,
    "weights": weight_read,
    "loading": loading,
    "encoder": pixels_to_spikes,
    **LINK_SCENES,
}
"""The scenes, by the names of their drawings."""


def event(value) -> str:
    """Show an address event, or the token that ends a step."""
    if value.end:
        return "E!" if value.last else "E"
    return str(value.address)
