# amaranth: UnusedElaboratable=no

"""Tests of the UART, and of a link behind its two wires."""

from random import Random

import pytest
from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.sim import Simulator

import spiker_hdl
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.frames import DATA, POLL, RESET, RESULT, Frame, Reader, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import Port, ResultLayout, data_payloads
from spiker_hdl.link.uart import Uart, UartReceiver, UartTransmitter
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator

from support.bench import get, pause, put, simulate
from support.small import make_network
from support.talking import spikes_for


def bits(octet):
    """Return what is on the wire for a byte: start bit, data with the lowest first, stop bit."""
    return [0, *(octet >> n & 1 for n in range(8)), 1]


def watch(levels, divisor):
    """Return the bytes that levels of a wire, one a cycle, are: sampled in the middle of bits."""
    results, at = [], 0
    while True:
        while at < len(levels) and levels[at]:
            at += 1
        middles = [at + divisor * n + divisor // 2 for n in range(10)]
        if middles[-1] >= len(levels):
            return bytes(results)
        assert [levels[n] for n in middles][9] == 1, "no stop bit"
        results.append(sum(levels[middles[n + 1]] << n for n in range(8)))
        at = middles[-1]


@pytest.mark.parametrize("divisor", [4, 5, 16])
def test_transmitter_by_hand(divisor):
    dut, levels = UartTransmitter(divisor), []

    async def source(ctx):
        for octet in (0x35, 0x00, 0xFF):
            await put(ctx, dut.i, octet)

    async def sink(ctx):
        for _ in range(divisor * 32 + 8):
            *_, level = await ctx.tick().sample(dut.tx)
            levels.append(level)

    simulate(dut, source, sink)
    expected = [
        level for octet in (0x35, 0x00, 0xFF) for level in bits(octet) for _ in range(divisor)
    ]
    start = levels.index(0)
    result = levels[start:]
    # Between two bytes the stop bit may last a cycle longer.
    runs = watch(levels, divisor)
    assert runs == b"\x35\x00\xff"
    assert result[: 9 * divisor] == expected[: 9 * divisor]
    assert levels[:start] == [1] * start


@pytest.mark.parametrize("divisor, stretch", [(4, 1.0), (16, 0.97), (16, 1.03), (40, 1.03)])
def test_receiver_takes_clocks_that_differ(divisor, stretch):
    random = Random(divisor)
    sent = bytes(random.choices([0, 1, 0x55, 0x80, 0xFF, 0x35], k=12))
    dut, results = UartReceiver(divisor), []

    async def source(ctx):
        level, time, now = 1, 0.0, 0
        for octet in sent:
            for level in bits(octet):
                ctx.set(dut.rx, level)
                time += divisor * stretch
                while now < time:
                    await ctx.tick()
                    now += 1
            await pause(ctx, random, 0.5)

    async def sink(ctx):
        for _ in sent:
            results.append(await get(ctx, dut.o))

    simulate(dut, source, sink)
    assert bytes(results) == sent


def test_receiver_drops_what_is_no_byte():
    dut, results = UartReceiver(8), []

    async def source(ctx):
        async def level(value, cycles):
            ctx.set(dut.rx, value)
            for _ in range(cycles):
                await ctx.tick()

        async def octet(value):
            for bit in bits(value):
                await level(bit, 8)

        await level(1, 20)
        await level(0, 2)  # too short for a start bit
        await level(1, 30)
        await octet(0x11)
        await level(0, 200)  # a break
        await level(1, 8)
        await octet(0x22)
        for driven in [*bits(0x33)[:9], 0]:  # no stop bit
            await level(driven, 8)
        await level(1, 16)
        await octet(0x44)
        await level(1, 20)

    async def sink(ctx):
        while True:
            results.append(await get(ctx, dut.o))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink, background=True)
    simulator.run()
    assert results == [0x11, 0x22, 0x44]


def test_a_sample_over_two_wires():
    divisor = 4
    network = make_network(4)
    spikes = spikes_for(network, 1, 1, 2)
    dut, link, m = Uart(divisor), Link(Accelerator(network), version="0.1.0"), Module()
    m.submodules += [dut, link]
    wiring.connect(m, dut.o, link.i)
    wiring.connect(m, link.o, dut.i)
    identity = Identity.of(network, Mapping.default(network), "0.1.0")
    port = Port.of(network.inputs[0], 0, identity)
    (payload,) = data_payloads([port], {"input": spikes[0]})
    text = b"\xff\x00" + b"".join((
        encode(Frame(RESET.code, 0, 3)),
        encode(Frame(DATA.code, 0, 3, payload)),
        encode(Frame(POLL.code, 0, 3, b"\x01\x00")),
    ))
    levels = []

    async def source(ctx):
        for octet in text:
            for level in bits(octet):
                ctx.set(dut.rx, level)
                for _ in range(divisor):
                    await ctx.tick()

    async def sink(ctx):
        for _ in range(10 * divisor * 90):
            *_, level = await ctx.tick().sample(dut.tx)
            levels.append(level)

    simulate(m, source, sink)
    frames = Reader().feed(watch(levels, divisor))
    payloads = [frame.payload for frame in frames if frame.code == RESULT.code]
    result = ResultLayout(network).result(payloads, "board")
    assert not spiker_hdl.run(network, spikes).differences(result)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: UartReceiver(3), ValueError, "Divisor must be at least 4, not 3"),
        (lambda: UartTransmitter(8.0), TypeError, "Divisor must be an int, not 8.0"),
        (lambda: Uart(3), ValueError, "Divisor must be at least 4, not 3"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_converts():
    assert "rx" in rtlil.convert(UartReceiver(4))
    assert "tx" in rtlil.convert(UartTransmitter(4))
