# amaranth: UnusedElaboratable=no

"""Tests of USB: packets and levels, LUNA's device from a host's side, and bytes over bad wires."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.hdl import Fragment
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from spiker_boards.builder.bitstream import make_plan, read_report
from spiker_boards.catalog import BOARDS
from spiker_boards.fit import estimate_board_area
from spiker_boards.gateware.pll import Clock
from spiker_boards.gateware.top import BoardTop
from spiker_boards.gateware.usb import PRODUCT, VENDOR, UsbCarrier
from spiker_boards.simulation.board import BoardPins, ModelClock
from spiker_boards.simulation.usb.host import UsbHost
from spiker_boards.simulation.usb.line import (
    Octet,
    PacketReceiver,
    PacketSender,
    Pid,
    data_packet,
    handshake,
    token,
)
from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.frames import IDENTIFY, IDENTITY, Frame, Reader, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator
from spiker_hdl.rtl.streams.queue import Queue
from spiker_hdl.simulate.byte_stream import CompiledWire
from spiker_hdl.simulate.shared_library import TOOLS
from spiker_hdl.tools.programs import ToolError

from support.small import make_network

LEVELS = {"0": 0b00, "J": 0b01, "K": 0b10, "1": 0b11}


# -- packets and levels, by hand -----------------------------------------------------------------


@pytest.mark.parametrize(
    "packet, expected",
    [
        # Of the USB-IF's paper on its CRCs, in the order on the wire: 10111, 11100, 01110, 10111.
        (token(Pid.SETUP, 0x15, 0xE), "2d 15 ef"),
        (token(Pid.OUT, 0x3A, 0xA), "e1 3a 3d"),
        (token(Pid.IN, 0x70, 0x4), "69 70 72"),
        (token(Pid.SOF, 0x001), "a5 01 e8"),
        # And 1111 0111 0101 1110, 0111 0000 0011 1000.
        (data_packet(Pid.DATA0, bytes([0, 1, 2, 3])), "c3 00 01 02 03 ef 7a"),
        (data_packet(Pid.DATA1, bytes([0x23, 0x45, 0x67, 0x89])), "4b 23 45 67 89 0e 1c"),
        (data_packet(Pid.DATA1, b""), "4b 00 00"),
        (handshake(Pid.ACK), "d2"),
    ],
)
def test_packets_by_hand(packet, expected):
    assert packet.hex(" ") == expected


def test_identifiers_stand_behind_their_complements():
    assert all(pid & 0xF == ~pid >> 4 & 0xF for pid in Pid)


async def give(ctx, stream, packet):
    """Offer the bytes of a packet, without a pause."""
    for n, octet in enumerate(packet):
        ctx.set(stream.valid, 1)
        ctx.set(stream.payload, {"octet": octet, "last": n == len(packet) - 1})
        await ctx.tick().until(stream.ready)
    ctx.set(stream.valid, 0)


def sent_levels(packets):
    """Return what a sender makes of packets: its levels in each cycle that it drives."""
    dut = PacketSender()
    results = []

    async def feed(ctx):
        for packet in packets:
            await give(ctx, dut.i, packet)
            await ctx.tick().repeat(60)

    async def note(ctx):
        while True:
            *_, driving, levels = await ctx.tick().sample(dut.driving, dut.levels)
            if driving:
                results.append(levels)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_process(note)
    simulator.add_testbench(feed)
    simulator.run()
    return results


SYNC, END = "KJKJKJKK", "00J"


@pytest.mark.parametrize(
    "packet, bits",
    [
        # 0100 1011, the lowest bit first; a zero changes the level, and a one does not.
        ("d2", "JJKJJKKK"),
        ("c3", "KKJKJKKK"),
        # With the last bit of the sync pattern, six ones: the zero that is put in follows.
        ("1f", "KKKKKJKJK"),
        # 1111 1111 twice: behind six ones in a row, wherever bytes begin.
        ("80 ff ff", "JKJKJKJJ" + "JJJJJKKK" + "KKKKJJJJJJ"),
        # Six ones at the very end.
        ("03 fc", "KKJKJKJK" + "JKKKKKKKJ"),
    ],
)
def test_levels_by_hand(packet, bits):
    result = sent_levels([bytes.fromhex(packet)])
    assert result == [LEVELS[bit] for bit in SYNC + bits + END for _ in range(4)]


def heard(levels):
    """Return the packets that a receiver hears, and whether it finds each good."""
    dut = PacketReceiver()
    results, octets = [], bytearray()

    async def process(ctx):
        for level in levels:
            ctx.set(dut.levels, level)
            *_, valid, octet, end, good = await ctx.tick().sample(
                dut.valid, dut.octet, dut.end, dut.good
            )
            if valid:
                octets.append(octet)
            if end:
                results.append((bytes(octets), bool(good)))
                octets.clear()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()
    return results


IDLE = 20 * [LEVELS["J"]]


def test_a_receiver_hears_what_a_sender_says():
    random = np.random.default_rng(1)
    packets = [bytes([255] * 9), bytes(5), b"\x7e\x3f\xfc", *(random.bytes(n) for n in (1, 2, 12))]
    levels = []
    for n, packet in enumerate(packets):
        # Of another clock, and with edges that come early or late by a cycle.
        bits = sent_levels([packet])[::4]
        ends = np.cumsum(np.full(len(bits), 4)) + random.integers(0, 2, len(bits))
        widths = np.diff(ends, prepend=random.integers(0, 2))
        levels += IDLE + n % 4 * [LEVELS["J"]] + np.repeat(bits, widths).tolist()
    assert heard(levels + IDLE) == [(packet, True) for packet in packets]


@pytest.mark.parametrize(
    "bits",
    [
        "JJKJJKK",  # a bit too few
        "JJKJJKKKJ",  # and one too many
        "KKKKKKKK",  # seven ones
        "JJ1JJKKK",  # and levels that there are not
    ],
)
def test_a_receiver_finds_damage(bits):
    levels = [LEVELS[bit] for bit in SYNC + bits + END for _ in range(4)]
    whole = [LEVELS[level] for level in SYNC + "JJKJJKKK" + END for _ in range(4)]
    result = heard(IDLE + levels + IDLE + whole + IDLE)
    assert len(result) == 2
    assert not result[0][1]
    assert result[1] == (handshake(Pid.ACK), True)


# -- LUNA's device, from a host's side -----------------------------------------------------------


def port():
    return SimpleNamespace(
        d_p=io.SimulationPort("io", 1),
        d_n=io.SimulationPort("io", 1),
        pullup=io.SimulationPort("o", 1),
    )


def clocked(m):
    """Let the oscillator be the clock of all else."""
    m.domains.oscillator = ClockDomain(reset_less=True, local=True)
    m.d.comb += ClockSignal("oscillator").eq(ClockSignal())


class Plugged(wiring.Component):
    """A device with packets before it."""

    say: In(stream.Signature(Octet()))
    reset: In(1)
    octet: Out(8)
    valid: Out(1)
    end: Out(1)
    good: Out(1)
    driving: Out(1)
    own: Out(1)
    pulled: Out(1)
    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()

        pins = port()
        clocked(m)
        m.submodules.carrier = carrier = UsbCarrier(pins, product="Board", serial="c0ffee")
        m.submodules.sender = sender = PacketSender()
        m.submodules.receiver = receiver = PacketReceiver()
        wiring.connect(m, wiring.flipped(self.say), sender.i)
        wiring.connect(m, wiring.flipped(self.i), carrier.i)
        wiring.connect(m, carrier.o, wiring.flipped(self.o))
        driven = Cat(pins.d_p.o & pins.d_p.oe, pins.d_n.o & pins.d_n.oe)
        m.d.comb += [
            self.driving.eq(pins.d_p.oe | pins.d_n.oe),
            self.pulled.eq(pins.pullup.o),
            self.own.eq(sender.driving),
            receiver.levels.eq(Mux(self.driving, driven, LEVELS["J"])),
            Cat(pins.d_p.i, pins.d_n.i).eq(
                Mux(self.reset, LEVELS["0"], Mux(sender.driving, sender.levels, receiver.levels))
            ),
            self.octet.eq(receiver.octet),
            self.valid.eq(receiver.valid),
            self.end.eq(receiver.end),
            self.good.eq(receiver.good),
        ]

        return m


class Computer:
    """Speaks to a device a packet at a time, and notes when it answers."""

    def __init__(self, dut):
        self.dut = dut
        self.delays = []
        self.bytes = bytearray()

    async def reset(self, ctx):
        ctx.set(self.dut.reset, 1)
        for _ in range(1400):
            await ctx.tick()
            assert ctx.get(self.dut.pulled)
        ctx.set(self.dut.reset, 0)
        await ctx.tick().repeat(40)

    async def say(self, ctx, packet):
        await give(ctx, self.dut.say, packet)
        await ctx.tick().until(~self.dut.own)

    async def hear(self, ctx):
        """Return the next packet, or none if it does not come within 18 bits."""
        dut, octets, wait, begun = self.dut, bytearray(), 0, False
        while begun or wait < 18 * 4:
            *_, driving, valid, octet, end, good = await ctx.tick().sample(
                dut.driving, dut.valid, dut.octet, dut.end, dut.good
            )
            if driving and not begun:
                begun = True
                self.delays.append(wait / 4 + 1)  # behind the last bit of the end, which is J
            wait += 1
            if valid:
                octets.append(octet)
            if end:
                assert good
                await ctx.tick().until(~dut.driving)
                await ctx.tick().repeat(12)
                return bytes(octets)
        return None

    async def ask(self, ctx, address, endpoint=0, acknowledge=True):
        await self.say(ctx, token(Pid.IN, address, endpoint))
        result = await self.hear(ctx)
        if result is not None and result[0] in {Pid.DATA0, Pid.DATA1}:
            assert result == data_packet(Pid(result[0]), result[1:-2])
            if acknowledge:
                await self.say(ctx, handshake(Pid.ACK))
                await ctx.tick().repeat(12)
            return result[0], result[1:-2]
        return result

    async def tell(self, ctx, first, data):
        await self.say(ctx, first)
        await ctx.tick().repeat(12)
        await self.say(ctx, data)
        return await self.hear(ctx)

    async def control(self, ctx, address, setup):
        """Return what a request from the device brings, or whether one to it is taken."""
        request = bytes.fromhex(setup)
        first = await self.tell(ctx, token(Pid.SETUP, address), data_packet(Pid.DATA0, request))
        assert first == handshake(Pid.ACK)
        if not request[0] & 0x80:
            return await self.ask(ctx, address) == (Pid.DATA1, b"")
        octets, pid, part = b"", Pid.DATA1, bytes(64)
        while len(part) == 64:
            answer, part = await self.ask(ctx, address)
            assert answer == pid
            octets, pid = octets + part, Pid.DATA0 if pid == Pid.DATA1 else Pid.DATA1
        done = await self.tell(ctx, token(Pid.OUT, address), data_packet(Pid.DATA1, b""))
        assert done == handshake(Pid.ACK)
        return octets


def with_computer(process, limit=60_000):
    dut = Plugged()
    computer = Computer(dut)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await ctx.tick().until(dut.pulled)
        await ctx.tick().repeat(40)
        await computer.reset(ctx)
        await process(ctx, computer)

    async def note(ctx):
        while True:
            *_, valid, octet = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                computer.bytes.append(octet)

    async def deadline(ctx):
        for _ in range(limit):
            await ctx.tick()
        pytest.fail(f"still running after {limit} cycles")

    simulator = Simulator(dut)
    simulator.add_clock(1 / 48e6)
    simulator.add_process(note)
    simulator.add_process(deadline)
    simulator.add_testbench(bench)
    simulator.run()
    return computer


def descriptors(text):
    """Return the descriptors in a configuration, by type."""
    results = {}
    while text:
        results.setdefault(text[1], []).append(text[: text[0]])
        text = text[text[0] :]
    return results


def test_the_device_says_what_it_is():
    answers = {}

    async def process(ctx, computer):
        answers["device"] = await computer.control(ctx, 0, "80 06 00 01 00 00 40 00")
        assert await computer.control(ctx, 0, "00 05 55 00 00 00 00 00")
        # It has gone from where it was, and a damaged token is for nobody.
        await computer.say(ctx, token(Pid.IN, 0))
        assert await computer.hear(ctx) is None
        wrong = bytearray(token(Pid.IN, 0x55))
        wrong[2] ^= 0x80
        await computer.say(ctx, wrong)
        assert await computer.hear(ctx) is None
        answers["all"] = await computer.control(ctx, 0x55, "80 06 00 02 00 00 ff 00")
        for n in (1, 2, 3):
            answers[n] = await computer.control(ctx, 0x55, f"80 06 0{n} 03 09 04 ff 00")
        assert await computer.control(ctx, 0x55, "00 09 01 00 00 00 00 00")

    computer = with_computer(process)
    device = answers["device"]
    assert len(device) == device[0] == 18
    assert int.from_bytes(device[8:10], "little") == VENDOR == 0x1209
    assert int.from_bytes(device[10:12], "little") == PRODUCT
    strings = [answers[n][2:].decode("utf-16-le") for n in device[14:17]]
    assert strings == ["spiker-hdl", "Board", "c0ffee"]
    by_type = descriptors(answers["all"])
    assert int.from_bytes(by_type[2][0][2:4], "little") == len(answers["all"])
    # Interfaces of the classes CDC, ACM, and CDC Data.
    assert [tuple(descriptor[5:7]) for descriptor in by_type[4]] == [(0x02, 0x02), (0x0A, 0x00)]
    # Bulk, 64 bytes each way, by the number that the model of a host takes for granted.
    bulk = {
        (descriptor[2], int.from_bytes(descriptor[4:6], "little"))
        for descriptor in by_type[5]
        if descriptor[3] == 2
    }
    assert bulk == {(0x84, 64), (0x04, 64)}
    # 7.1.18 gives a device 6.5 bits, and computers wait for 16; LUNA takes most of that.
    assert 2 <= min(computer.delays)
    assert max(computer.delays) <= 15


def test_bytes_are_taken_once_and_given_until_acknowledged():
    text = bytes(range(70))

    async def process(ctx, computer):
        dut = computer.dut
        give_it, ask_it = token(Pid.OUT, 0, 4), token(Pid.IN, 0, 4)
        assert ask_it != give_it
        first, second = data_packet(Pid.DATA0, b"one"), data_packet(Pid.DATA1, b"two")
        wrong = bytearray(first)
        wrong[1] ^= 1
        assert await computer.tell(ctx, give_it, wrong) is None
        for packet in (first, first, second, second):
            assert await computer.tell(ctx, give_it, packet) == handshake(Pid.ACK)
        assert await computer.ask(ctx, 0, 4) == handshake(Pid.NAK)
        for octet in text:
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, octet)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(200)
        assert await computer.ask(ctx, 0, 4, acknowledge=False) == (Pid.DATA0, text[:64])
        assert await computer.ask(ctx, 0, 4) == (Pid.DATA0, text[:64])
        assert await computer.ask(ctx, 0, 4) == (Pid.DATA1, text[64:])
        assert await computer.ask(ctx, 0, 4) == handshake(Pid.NAK)

    assert with_computer(process).bytes == b"onetwo"


def test_a_reset_of_the_bus_begins_anew():
    async def process(ctx, computer):
        dut = computer.dut
        give_it, first = token(Pid.OUT, 0, 4), data_packet(Pid.DATA0, b"one")
        for octet in b"xy":
            assert await computer.tell(ctx, give_it, first) == handshake(Pid.ACK)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, octet)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(200)
            assert await computer.ask(ctx, 0, 4) == (Pid.DATA0, bytes([octet]))
            assert await computer.control(ctx, 0, "00 05 55 00 00 00 00 00")
            await computer.reset(ctx)

    assert with_computer(process).bytes == b"oneone"


# -- bytes, from a host's side -------------------------------------------------------------------

SLOW = 64


class Echo(wiring.Component):
    """A device that gives back what it is given, not as fast as it comes, behind a bad cable.

    The cable is bad from a byte 1 on, and good from a byte 0 on.
    """

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))
    idle: Out(1)

    def elaborate(self, platform):
        m = Module()

        pins = port()
        clocked(m)
        m.submodules.host = host = UsbHost()
        m.submodules.carrier = carrier = UsbCarrier(pins, product="Echo", serial="0")
        m.submodules.queue = queue = Queue(8, depth=16)
        wiring.connect(m, wiring.flipped(self.i), host.i)
        wiring.connect(m, host.o, wiring.flipped(self.o))
        wiring.connect(m, queue.o, carrier.i)
        wait, bad = Signal(range(SLOW)), Signal()
        take = carrier.o.valid & queue.i.ready & (wait == 0)
        m.d.sync += wait.eq(wait - 1)
        with m.If(take & (carrier.o.payload < 2)):
            m.d.sync += bad.eq(carrier.o.payload[0])
        # For a bit or so once in a while, neither side knows what is on the wires.
        random, hit = Signal(31, init=1), Signal(range(6))
        m.d.sync += random.eq(Cat(random[30] ^ random[27], random))
        with m.If(hit != 0):
            m.d.sync += hit.eq(hit - 1)
        with m.Elif(bad & (random[:11] == 0)):
            m.d.sync += hit.eq(5)
        noise = Mux(hit != 0, random[:2], 0)
        m.d.comb += [
            queue.i.payload.eq(carrier.o.payload),
            queue.i.valid.eq(carrier.o.valid & (wait == 0)),
            carrier.o.ready.eq(queue.i.ready & (wait == 0)),
            host.wires.pulled.eq(pins.pullup.o),
            host.wires.driving.eq(pins.d_p.oe | pins.d_n.oe),
            host.wires.drive.eq(Cat(pins.d_p.o, pins.d_n.o) ^ noise),
            Cat(pins.d_p.i, pins.d_n.i).eq(host.wires.levels ^ noise),
            host.busy.eq(~carrier.idle | queue.o.valid),
            self.idle.eq(host.idle),
        ]

        return m


def test_bytes_come_once_over_a_bad_cable():
    text = bytes(np.random.default_rng(3).integers(2, 256, 20_000, dtype=np.uint8))
    wire = CompiledWire(Echo())

    def echoed(octets):
        begin = wire.cycles
        result = wire.turn(octets, 20_000_000)
        assert wire.idle
        return result, wire.cycles - begin

    echo, quick = echoed(b"\0" + text)
    assert echo == b"\0" + text
    # Some packets went again, but not all time was spent on that.
    echo, slow = echoed(b"\1" + text)
    assert echo == b"\1" + text
    assert 1.2 * quick < slow < 4 * quick
    # No more than a packet of 64 bytes each way, a poll, and frames.
    assert quick / len(text) < 100
    wire.reset()
    assert echoed(b"anew")[0] == b"anew"


PRESS = 0xFF


class Pressed(wiring.Component):
    """A board in a computer's socket, whose button a byte of 255 presses for a while."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))
    idle: Out(1)

    def elaborate(self, platform):
        m = Module()

        link = Link(Accelerator(make_network(3)), version="0.1.0")
        top = BoardTop(BOARDS["orangecrab"], link, clock=ModelClock)
        m.submodules.host = host = UsbHost()
        m.submodules.board = board = BoardPins(top)
        wiring.connect(m, wiring.flipped(self.i), host.i)
        wiring.connect(m, host.o, wiring.flipped(self.o))
        wiring.connect(m, host.wires, board.wires)
        register = Signal(range(5000))
        with m.If(self.i.valid & self.i.ready & (self.i.payload == PRESS)):
            m.d.sync += register.eq(4999)
        with m.Elif(register != 0):
            m.d.sync += register.eq(register - 1)
        m.d.comb += [
            board.clk.eq(ClockSignal()),
            board.pressed.eq(register != 0),
            host.busy.eq(~board.idle),
            self.idle.eq(host.idle & (register == 0)),
        ]

        return m


def test_a_button_draws_the_plug():
    wire = CompiledWire(Pressed())
    ask = b"\0" + encode(Frame(IDENTIFY.code, 0))
    assert PRESS not in ask
    network = make_network(3)
    identity = Identity.of(network, Mapping.default(network), "0.1.0")
    page = Frame(IDENTITY.code, 0, 0, identity.to_bytes()[:48])

    def turn(text):
        begin = wire.cycles
        result = Reader().feed(wire.turn(text, 200_000))
        assert wire.idle
        return result, wire.cycles - begin

    first, enumerated = turn(ask)
    assert first[-1] == page
    again, quick = turn(ask)
    assert again == [page]
    assert quick < enumerated / 2
    # What is on its way is lost; and the device must be found anew before it answers.
    turn(bytes([PRESS]))
    assert page in turn(ask)[0]
    _, anew = turn(bytes([PRESS]) + bytes(200) + ask)
    assert anew > enumerated
    assert turn(ask)[0] == [page]


# -- clocks, and what is refused -----------------------------------------------------------------


class Divided(wiring.Component):
    """Counts by a clock that a register makes of the other: the wire gives the count."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))
    idle: Out(1)

    def elaborate(self, platform):
        m = Module()

        m.domains.half = ClockDomain(reset_less=True, local=True)
        clk, count = Signal(), Signal(8)
        m.d.sync += clk.eq(~clk)
        m.d.half += count.eq(count + 1)
        m.d.comb += [ClockSignal("half").eq(clk), self.o.payload.eq(count), self.o.valid.eq(1)]
        m.d.comb += self.i.ready.eq(1)

        return m


@pytest.mark.parametrize("tool", TOOLS)
def test_a_clock_that_a_register_makes(tool):
    assert list(CompiledWire(Divided(), tool=tool).turn(b"", 9)) == [0, 1, 1, 2, 2, 3, 3, 4, 4]


class Lattice:
    """A platform that takes constraints, and no more."""

    device = "LFE5U-25F"

    def __init__(self):
        self.constraints = []

    def add_clock_constraint(self, clock, frequency):
        self.constraints.append((clock.name, frequency))


def test_its_clock_is_constrained():
    platform = Lattice()
    Fragment.get(UsbCarrier(port(), product="x", serial="1"), platform)
    assert platform.constraints == [("clk", 12_000_000)]


@pytest.mark.parametrize("frequency", [48_000_000, 36_000_000])
def test_the_oscillator_goes_past_the_pll(frequency):
    pin = io.SimulationPort("i", 1, name="pin")
    clock = Clock(pin, "ecp5", "LFE5U-25F", 48_000_000, frequency)
    ports = [pin.i, clock.clk, clock.locked, clock.source]
    text = rtlil.convert(clock, ports=ports, emit_src=False)
    assert "connect \\source \\pin__i [0]" in text
    assert ("connect \\clk \\pin__i [0]" in text) == (frequency == 48_000_000)


def test_place_and_route_is_told_of_both(tmp_path):
    link = Link(Accelerator(make_network(3)), version="0.1.0")
    make_plan(BoardTop(BOARDS["orangecrab"], link, frequency=36_000_000), tmp_path, {})
    text = (tmp_path / "top.lpf").read_text()
    assert 'FREQUENCY PORT "clk_0__io" 48000000.0 HZ;' in text
    assert 'FREQUENCY NET "carrier.clk" 12000000.0 HZ;' in text
    for part, pin in {"d_p": "N1", "d_n": "M2", "pullup": "N2"}.items():
        assert f'LOCATE COMP "usb_0__{part}__io" SITE "{pin}";' in text


def test_clocks_that_are_not_the_accelerators():
    cells = {"TRELLIS_COMB": {"used": 1, "available": 2}}
    clocks = {
        "accelerator": {"achieved": 45.0, "constraint": 30.0},
        "wires": {"achieved": 72.0, "constraint": 48.0},
        "device": {"achieved": 90.0, "constraint": 12.0},
    }
    report = {"utilization": cells, "fmax": clocks}
    target = BOARDS["orangecrab"]
    assert read_report(report, target, "top.bit", 30_000_000).fmax == 45_000_000
    clocks["device"]["achieved"] = 11.0
    assert read_report(report, target, "top.bit", 30_000_000).fmax < 30_000_000


def test_it_adds_look_up_tables():
    target, network = BOARDS["orangecrab"], make_network(3)
    mapping = Mapping.default(network)
    bare = estimate_board_area(replace(target, usb=None, uart=("uart", 0)), network, mapping)
    assert bare == estimate_area(network, mapping, "ecp5")
    assert estimate_board_area(target, network, mapping).luts > bare.luts + 1000


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"usb": None}, "Link must be a UART or USB, and OrangeCrab r0.2, 25F has neither"),
        ({"uart": ("uart", 0)}, "Link must be a UART or USB, and OrangeCrab r0.2, 25F has both"),
        ({"oscillator": 25_000_000}, "Oscillator must have 48 MHz for USB, not 25 MHz"),
    ],
)
def test_targets_that_there_are_not(changed, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(BOARDS["orangecrab"], **changed)


def test_any_clock_goes_with_usb():
    BOARDS["orangecrab"].check_clock(37_123_456)
    with pytest.raises(ValueError, match="Clock must be at least 4 times"):
        BOARDS["ulx3s_25f"].check_clock(3_000_000)


@pytest.mark.parametrize("words", [{"product": 1, "serial": "1"}, {"product": "x", "serial": None}])
def test_words_that_are_none(words):
    with pytest.raises(TypeError, match="must be a str, not"):
        UsbCarrier(port(), **words)


def test_luna_that_is_missing(monkeypatch):
    monkeypatch.setattr("spiker_boards.gateware.usb.find_spec", lambda name: None)
    message = (
        r"LUNA must be installed for USB, and is missing: pip install 'spiker-hdl\[build,cli\]'"
    )
    with pytest.raises(ToolError, match=f"^{message}$"):
        UsbCarrier(port(), product="x", serial="1")
