"""The scenes of the timing diagrams that show how an accelerator is reached: AXI, UART, frames."""

from collections.abc import Callable

import numpy as np
from amaranth.utils import ceil_log2

from spiker_hdl import __version__
from spiker_hdl.link.axi.accelerator import AxiAccelerator
from spiker_hdl.link.axi.lite import ControlBlock
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.frames import RESET, Frame, encode
from spiker_hdl.link.protocol.registers import constant_values, register
from spiker_hdl.link.uart import Uart
from spiker_hdl.model import Mapping
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl import Accelerator

from .designs import make_network
from .waveform import Lane, Waveform, hexadecimal, put, record, show_streams, take

__all__ = ["LINK_SCENES"]


def axi_stream() -> Waveform:
    """Show a packet that is a sample, and the result, a packet of one beat."""
    network = make_network()
    dut = AxiAccelerator(Accelerator(network), version=__version__)
    (node,) = network.inputs
    beats = payloads(dut.accelerator, node, np.array([[1, 0, 1, 1], [0, 1, 1, 0]]))
    top = ceil_log2(max(beats) + 1) - 1

    async def source(ctx):
        for beat in beats:
            ctx.set(dut.s_axis.tdata, beat & (1 << top) - 1)
            ctx.set(dut.s_axis.tlast, beat >> top)
            ctx.set(dut.s_axis.tvalid, 1)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.s_axis.tready)
        ctx.set(dut.s_axis.tvalid, 0)
        ctx.set(dut.s_axis.tlast, 0)

    async def sink(ctx):
        valid = 0
        while not valid:
            _, _, valid = await ctx.tick().sample(dut.m_axis.tvalid)
        await ctx.tick()
        ctx.set(dut.m_axis.tready, 1)
        await ctx.tick()
        ctx.set(dut.m_axis.tready, 0)

    lanes, streams = [], {}
    for name in ("s_axis", "m_axis"):
        port = getattr(dut, name)
        lanes += [
            Lane(f"{name}_tvalid", port.tvalid),
            Lane(f"{name}_tready", port.tready),
            Lane(f"{name}_tdata", port.tdata, hexadecimal, when=port.tvalid),
            Lane(f"{name}_tlast", port.tlast, when=port.tvalid),
        ]
        streams[f"{name}_tdata"] = (port.tvalid, port.tready)
    lanes.append(Lane("idle", dut.idle))
    return record(dut, lanes, source, sink, cycles=48, streams=streams)


def axi_lite() -> Waveform:
    """Show a register that is written, then read, over AXI4-Lite."""
    network = make_network()
    dut = ControlBlock(constant_values(network, Mapping.default(network), __version__))
    bus = dut.bus

    async def send(ctx, valid, ready, **values):
        for name, value in values.items():
            ctx.set(getattr(bus, name), value)
        ctx.set(getattr(bus, valid), 1)
        taken = 0
        while not taken:
            _, _, taken = await ctx.tick().sample(getattr(bus, ready))
        ctx.set(getattr(bus, valid), 0)

    async def receive(ctx, valid, ready):
        ctx.set(getattr(bus, ready), 1)
        there = 0
        while not there:
            _, _, there = await ctx.tick().sample(getattr(bus, valid))
        ctx.set(getattr(bus, ready), 0)

    async def processor(ctx):
        await ctx.tick()
        await send(ctx, "awvalid", "awready", awaddr=register("interrupt").address)
        await send(ctx, "wvalid", "wready", wdata=1, wstrb=15)
        await receive(ctx, "bvalid", "bready")
        await ctx.tick()
        await send(ctx, "arvalid", "arready", araddr=register("interrupt").address)
        await receive(ctx, "rvalid", "rready")

    lanes, streams = [], {}
    for channel, data in (
        ("aw", "awaddr"),
        ("w", "wdata"),
        ("b", "bresp"),
        ("ar", "araddr"),
        ("r", "rdata"),
    ):
        valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
        lanes += [Lane(f"{channel}valid", valid), Lane(f"{channel}ready", ready)]
        lanes.append(Lane(data, getattr(bus, data), hexadecimal, when=valid))
        streams[data] = (valid, ready)
    return record(dut, lanes, processor, cycles=14, streams=streams)


def uart_byte() -> Waveform:
    """Show the byte 0x4d on the wire, four cycles a bit, between a start bit and a stop bit."""
    dut = Uart(4)

    async def source(ctx):
        await put(ctx, dut.i, 0x4D)

    async def wire(ctx):
        while True:
            ctx.set(dut.rx, ctx.get(dut.tx))
            await ctx.tick()

    async def sink(ctx):
        await take(ctx, dut.o)

    lanes = [
        Lane("i.valid", dut.i.valid),
        Lane("i.ready", dut.i.ready),
        Lane("i.payload", dut.i.payload, hexadecimal, when=dut.i.valid),
        Lane("tx = rx", dut.tx),
        Lane("o.valid", dut.o.valid),
        Lane("o.ready", dut.o.ready),
        Lane("o.payload", dut.o.payload, hexadecimal, when=dut.o.valid),
    ]
    streams = {
        "i.payload": (dut.i.valid, dut.i.ready),
        "o.payload": (dut.o.valid, dut.o.ready),
    }
    return record(dut, lanes, source, wire, sink, cycles=46, streams=streams, whole=True)


def link_frame() -> Waveform:
    """Show a reset as bytes of a frame, and the status with which the board answers."""
    dut = Link(Accelerator(make_network()), version=__version__)
    frame = encode(Frame(RESET.code, session=1))

    async def host(ctx):
        await ctx.tick()
        for byte in frame:
            await put(ctx, dut.i, byte)

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)

    lanes, streams = show_streams(dut)
    return record(dut, lanes, host, sink, cycles=44, streams=streams)


LINK_SCENES: dict[str, Callable[[], Waveform]] = {
    "axi_stream": axi_stream,
    "axi_lite": axi_lite,
    "uart": uart_byte,
    "frame": link_frame,
}
"""The scenes, by the names of their drawings."""
