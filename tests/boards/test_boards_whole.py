"""Tests of the top of every board, simulated from its pins, against the reference."""

import numpy as np
import pytest
from amaranth.sim import Simulator

import spiker_hdl
from spiker_boards.catalog import BOARDS
from spiker_boards.gateware.top import BoardTop
from spiker_boards.host.session import Exchange
from spiker_boards.simulation.board import BoardOnWire, BoardPins, ModelClock
from spiker_boards.simulation.zynq_ps import ArmOnWire
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.frames import IDENTIFY, IDENTITY, Frame, Reader, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import Port, ResultLayout, data_payloads
from spiker_hdl.model import Mapping, encoders, load, stimulus
from spiker_hdl.rtl import Accelerator
from spiker_hdl.simulate.byte_stream import CompiledWire, InterpretedWire
from spiker_train.data.images import load_dataset

from support.small import make_network

HZ = 1e6  # cycles that the exchange takes for a second


class Talk:
    """The host's own session with a simulated board, whose clock is the simulation's."""

    def __init__(self, wire):
        self.wire = wire
        self.reader = Reader()

    def turn(self, data, cycles=4000):
        return self.reader.feed(self.wire.turn(data, cycles))

    def identify(self):
        pages = {}
        for n in range(Identity.PAGES):
            for frame in self.turn(b"\0" + encode(Frame(IDENTIFY.code, n)), 20_000):
                if frame.code == IDENTITY.code:  # a status may still be on its way
                    pages[frame.sequence] = frame.payload
        return Identity.from_bytes(b"".join(pages[n] for n in sorted(pages)))

    def run(self, network, spikes, identity=None, session=7):
        identity = identity or self.identify()
        trains = stimulus(network, spikes)
        ports = [Port.of(node, n, identity) for n, node in enumerate(network.inputs)]
        layout = ResultLayout(network)
        payloads = (
            payload
            for n in range(len(trains))
            for payload in data_payloads(ports, trains.sample(n))
        )
        exchange = Exchange(session, payloads, len(trains) * layout.frames, self.wire.cycles / HZ)
        end = self.wire.cycles + 300_000 * len(trains)
        while not exchange.done:
            assert self.wire.cycles < end
            for frame in self.turn(exchange.send(self.wire.cycles / HZ), 200):
                exchange.hear(frame, self.wire.cycles / HZ)
        results = [
            b"".join(exchange.received[at : at + layout.frames])
            for at in range(0, len(exchange.received), layout.frames)
        ]
        return layout.result(results, "board")


def simulated(target, network, lanes, wire=None):
    """Return a session with a simulated board; where a host of USB is part of it, compiled."""
    if wire is None:
        wire = InterpretedWire if target.usb is None else CompiledWire
    accelerator = Accelerator(network, Mapping.folded(network, lanes))
    return Talk(wire(BoardOnWire(target, Link(accelerator, version=spiker_hdl.__version__))))


@pytest.fixture(scope="module")
def digits():
    """Return the network of the digits, and what encodes so many of them."""
    network = load("networks/digits.spiker")
    values = load_dataset("digits").x_test
    return network, lambda count: encoders.encoder_of("rate")(values[:count], 2)


# -- every board, from its UART or USB -----------------------------------------------------------


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_answers_real_samples_as_the_reference(digits, name):
    network, spikes = digits
    board = simulated(BOARDS[name], network, 8)
    identity = board.identify()
    assert identity == Identity.of(network, Mapping.folded(network, 8), spiker_hdl.__version__)
    result = board.run(network, spikes(1), identity)
    assert not spiker_hdl.run(network, spikes(1)).differences(result)


def test_a_zynq_answers_its_arm_as_the_reference(digits):
    network, spikes = digits
    link = Link(Accelerator(network, Mapping.folded(network, 8)), version=spiker_hdl.__version__)
    board = Talk(CompiledWire(ArmOnWire(link)))
    assert not spiker_hdl.run(network, spikes(200)).differences(board.run(network, spikes(200)))


def test_many_samples_compiled(digits):
    network, spikes = digits
    board = simulated(BOARDS["icebreaker"], network, 2, CompiledWire)
    result = board.run(network, spikes(200))
    assert not spiker_hdl.run(network, spikes(200)).differences(result)


def test_the_recurrent_network_on_a_board():
    network = load("networks/fsdd_recurrent.spiker")
    spikes = np.random.default_rng(1).integers(0, 2, (2, 3, network.inputs[0].size))
    board = simulated(BOARDS["ulx3s_25f"], network, 16, CompiledWire)
    assert not spiker_hdl.run(network, spikes).differences(board.run(network, spikes))


# -- pins, level by level ------------------------------------------------------------------------

DIVISOR = 6


def pins(target):
    link = Link(Accelerator(make_network(3)), version="0.1.0")
    return BoardPins(BoardTop(target, link, clock=ModelClock, divisor=DIVISOR))


def levels_of(text):
    """Return the levels of a wire, a bit each: start, lowest bit first, stop."""
    return [level for octet in text for level in (0, *(octet >> n & 1 for n in range(8)), 1)]


def octets_of(levels):
    """Return the bytes on a wire, read in the middle of each bit."""
    octets, at = bytearray(), 0
    while at < len(levels):
        if levels[at]:
            at += 1
            continue
        middle = at + DIVISOR // 2
        bits = [
            levels[middle + DIVISOR * n] for n in range(10) if middle + DIVISOR * n < len(levels)
        ]
        if len(bits) == 10 and bits[0] == 0 and bits[9] == 1:
            octets.append(sum(bit << n for n, bit in enumerate(bits[1:9])))
        at += 10 * DIVISOR - DIVISOR // 2
    return bytes(octets)


class Wires:
    """Drives a board's pins, half a clock at a time, and notes what they show."""

    def __init__(self, dut):
        self.dut = dut
        self.tx, self.leds = [], []

    async def cycle(self, ctx, level):
        ctx.set(self.dut.wires.rx, level)
        for clock in (1, 0):
            ctx.set(self.dut.clk, clock)
            await ctx.delay(1e-8)
        self.tx.append(ctx.get(self.dut.wires.tx))
        self.leds.append(ctx.get(self.dut.leds))

    async def say(self, ctx, text):
        for level in levels_of(text):
            for _ in range(DIVISOR):
                await self.cycle(ctx, level)

    async def wait(self, ctx, cycles):
        for _ in range(cycles):
            await self.cycle(ctx, 1)

    def frames(self, start=0):
        return Reader().feed(octets_of(self.tx[start:]))


def simulate(dut, process):
    simulator = Simulator(dut)
    simulator.add_testbench(process)
    simulator.run()


ASK = b"\0" + encode(Frame(IDENTIFY.code, 0))


@pytest.mark.parametrize("name, dark", [("icebreaker", 3), ("ulx3s_25f", 0)])
def test_clock_reset_wires_and_lights(name, dark):
    dut = pins(BOARDS[name])
    wires = Wires(dut)
    marks = {}

    async def process(ctx):
        ctx.set(dut.wires.rx, 1)
        await wires.wait(ctx, 400)  # until the reset is over
        marks["quiet"] = len(wires.tx)
        await wires.wait(ctx, 20)
        await wires.say(ctx, ASK)
        await wires.wait(ctx, 64 * 10 * DIVISOR + 500)
        marks["damaged"] = len(wires.tx)
        await wires.say(ctx, b"\x05wrong\0")
        await wires.wait(ctx, 40)
        marks["pressed"] = len(wires.tx)
        ctx.set(dut.pressed, 1)
        await wires.say(ctx, ASK)  # to nobody
        await wires.wait(ctx, 64 * 10 * DIVISOR)
        ctx.set(dut.pressed, 0)
        await wires.wait(ctx, 100)
        marks["again"] = len(wires.tx)
        await wires.say(ctx, ASK)
        await wires.wait(ctx, 64 * 10 * DIVISOR + 500)

    simulate(dut, process)
    identity = Identity.of(make_network(3), Mapping.default(make_network(3)), "0.1.0")
    page = Frame(IDENTITY.code, 0, 0, identity.to_bytes()[:48])
    assert wires.frames(marks["quiet"])[0] == page
    assert not [frame for frame in wires.frames(marks["pressed"])[:1] if frame != page]
    assert wires.frames(marks["again"]) == [page]
    text = octets_of(wires.tx[marks["pressed"] : marks["again"]])
    assert not text.strip(b"\0")
    # Busy while it speaks, dark when it does not; and the other light behind a damaged frame.
    lights = np.array(wires.leds) ^ dark
    assert lights[marks["quiet"] + 19] == 0
    spoken = lights[marks["quiet"] + 20 : marks["damaged"]]
    assert set(spoken.tolist()) == {0, 1}
    assert lights[marks["damaged"] - 1] == 0
    assert lights[marks["pressed"] - 1] & 2
    assert not lights[marks["again"]] & 2
