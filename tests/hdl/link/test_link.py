# amaranth: UnusedElaboratable=no

"""Tests of the link in gateware: frames, windows, and whole sessions over bad wires."""

import zlib
from dataclasses import replace
from functools import partial
from random import Random

import numpy as np
import pytest
from amaranth import Fragment
from amaranth.back import rtlil
from amaranth.lib import data

import spiker_hdl
from spiker_boards.simulation.server import Faults
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.packets import Packer, Unpacker
from spiker_hdl.link.protocol.frames import (
    DATA,
    IDENTIFY,
    IDENTITY,
    KINDS,
    MAX_PAYLOAD,
    PAGE,
    POLL,
    RESET,
    RESULT,
    SESSIONS,
    STATUS,
    WINDOW,
    Frame,
    Reader,
    encode,
)
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import LAST, Port, ResultLayout, data_payloads
from spiker_hdl.link.reader import FrameReader
from spiker_hdl.link.replies import Replies
from spiker_hdl.link.writer import FrameWriter
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator
from spiker_hdl.simulate.byte_stream import InterpretedWire

from support.bench import get, pause, put, simulate
from support.networks import random_mapping, random_network, random_spikes
from support.small import make_network
from support.talking import converse, load, say, spikes_for
from support.writable import another, as_rows, random_writable


def random_frame(random):
    size = random.choice([0, 1, MAX_PAYLOAD, random.randint(0, MAX_PAYLOAD)])
    few = random.choice([1, 3, 256])
    payload = bytes(random.randrange(few) for _ in range(size))
    kind = random.choice(KINDS)
    return Frame(kind.code, random.randrange(256), random.randrange(SESSIONS), payload)


def wire_of(network, mapping=None):
    return InterpretedWire(Link(Accelerator(network, mapping), version="0.1.0"))


# -- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chance", [0, 0.4])
def test_reader_finds_the_frames_that_python_finds(chance):
    random = Random(5)
    faults = Faults(0.01, 3)
    text = b"".join(faults(encode(random_frame(random))) for _ in range(60))
    text += bytes(random.choices([0, 1, 2, 70, 255], k=400))  # noise, with long frames
    # A CRC that is right, and a length that is not.
    body = bytes([2, 4, 1, 1, 1, 9, 9, 9])
    body += zlib.crc32(body).to_bytes(4, "little")
    assert 0 not in body
    text += b"\0" + bytes([len(body) + 1]) + body + b"\0"
    text += b"\0" + b"\x20" * 300 + b"\0" + encode(Frame(1)) + encode(Frame(2, payload=b"\0"))
    frames, dut, body = [], FrameReader(), bytearray()

    async def source(ctx):
        for octet in text:
            await pause(ctx, random, chance)
            await put(ctx, dut.i, octet)

    async def sink(ctx):
        while len(frames) < len(expected):
            octet = await get(ctx, dut.o)
            if not octet.end:
                assert octet.index == min(len(body), 62)
                body.append(octet.data)
                continue
            if octet.good:
                assert octet.index == len(body)
                session = int.from_bytes(body[3:5], "little")
                frames.append(Frame(body[1], body[2], session, bytes(body[5:-4])))
            body.clear()

    expected = Reader().feed(text)
    assert 20 < len(expected) < 60
    simulate(dut, source, sink, watch=[dut.o] if not chance else [], deadline=20_000)
    assert frames == expected


@pytest.mark.parametrize("chance", [0, 0.4])
def test_writer_makes_what_python_makes_and_sends_it_again(chance):
    random = Random(6)
    frames = [random_frame(random) for _ in range(10)]
    times = [random.randint(1, 2) for _ in frames]
    expected = b"\0" + b"".join(encode(frame) * n for frame, n in zip(frames, times, strict=True))
    sent = bytearray()
    dut = FrameWriter(3)

    async def build(ctx):
        for n, frame in enumerate(frames):
            head = bytes([len(frame.payload), frame.code, frame.sequence])
            text = head + frame.session.to_bytes(2, "little") + frame.payload
            ctx.set(dut.slot, n % 3)
            for at, octet in enumerate(text):
                await pause(ctx, random, chance)
                await put(ctx, dut.i, {"data": octet, "end": at == len(text) - 1})
            written = 0
            while not written:
                *_, written = await ctx.tick().sample(dut.written)
            for _ in range(times[n]):
                await put(ctx, dut.send, n % 3)

    async def take(ctx):
        while len(sent) < len(expected):
            await pause(ctx, random, chance)
            sent.append(await get(ctx, dut.o))

    simulate(dut, build, take, watch=[dut.o])
    assert bytes(sent) == expected


def layouts():
    words = data.StructLayout({"values": 11, "last": 1})
    events = data.StructLayout({"address": 3, "end": 1, "last": 1})
    return words, events


def test_unpacker_by_hand():
    dut = Unpacker(layouts())
    packets = [
        bytes([0, 0x34, 0xFA, 0x78, 0x01]),  # two beats of two bytes; bits 11 and up are dropped
        bytes([1 | LAST, 0x03, 0x08]),  # two of one byte, the second ends the sample
        bytes([0 | LAST, 0x01, 0x02, 0x03]),  # a beat, and a part of one
        bytes([5, 0x01]),  # for nobody
        bytes([1]),  # nothing
        bytes([1, 0x05]),
    ]
    expected = [(0, 0x234), (0, 0x178), (1, 0x03), (1, 0x18), (0, 0x201), (1, 0x05)]
    results = []

    async def source(ctx):
        for packet in packets:
            for n, octet in enumerate(packet):
                await put(ctx, dut.i, {"data": octet, "end": n == len(packet) - 1})

    async def sink(ctx, port):
        stream = getattr(dut, f"o{port}")
        while len(results) < len(expected):
            ctx.set(stream.ready, 1)
            *_, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
            if valid:
                results.append((port, payload.as_bits()))

    simulate(dut, source, partial(sink, port=0), partial(sink, port=1))
    # The third packet's whole beat is not its last byte's: nothing ends there.
    assert results == expected


@pytest.mark.parametrize("width", [1, 8, 9, 8 * MAX_PAYLOAD, 8 * MAX_PAYLOAD + 1, 1000])
def test_packer_cuts_results(width):
    random = Random(width)
    results = [random.getrandbits(width) for _ in range(3)]
    dut, packets = Packer(width), [b""]

    async def source(ctx):
        for result in results:
            await pause(ctx, random, 0.3)
            await put(ctx, dut.i, result)

    async def sink(ctx):
        for _ in range(3 * dut.size):
            await pause(ctx, random, 0.3)
            left = ctx.get(dut.length)
            octet = await get(ctx, dut.o)
            packets[-1] += bytes([octet.data])
            if octet.end:
                assert left == 1 or not ctx.get(dut.o.valid)
                packets.append(b"")

    simulate(dut, source, sink, watch=[dut.o])
    texts = [result.to_bytes(dut.size, "little") for result in results]
    expected = [
        text[at : at + MAX_PAYLOAD] for text in texts for at in range(0, len(text), MAX_PAYLOAD)
    ]
    assert packets == [*expected, b""]


# -- a conversation, by hand ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def little():
    """Give a network, spikes of twelve samples, and each of these as a payload."""
    network = make_network()
    spikes = spikes_for(network, 0, 12, 3)
    identity = Identity.of(network, Mapping.default(network), "0.1.0")
    ports = [Port.of(network.inputs[0], 0, identity)]
    samples = [[*data_payloads(ports, {"input": train})] for train in spikes]
    assert all(len(sample) == 1 for sample in samples)
    return network, spikes, [sample[0] for sample in samples]


def classes(network, frames):
    """Return the classes that frames of results have, each of one sample."""
    result = ResultLayout(network).result([frame.payload for frame in frames], "board")
    return result.classes.tolist()


def test_a_conversation(little):
    network, spikes, payloads = little
    expected = spiker_hdl.run(network, spikes).classes.tolist()
    wire = wire_of(network)
    talk = partial(say, wire)

    def send(*numbers, session=7):
        return [Frame(DATA.code, n, session, payloads[n]) for n in numbers]

    def status(base, tag, samples, results, session=7):
        return Frame(STATUS.code, base, session, bytes([tag, samples, results]))

    pages = Identity.of(network, Mapping.default(network), "0.1.0").to_bytes()
    for n in range(Identity.PAGES):
        text = pages[n * PAGE : (n + 1) * PAGE]
        assert talk(Frame(IDENTIFY.code, n)) == [Frame(IDENTITY.code, n, 0, text)]
    assert talk(Frame(IDENTIFY.code, Identity.PAGES)) == []
    # Out of session nothing is taken, and a status says in which session the board is.
    assert talk(*send(0), Frame(POLL.code, 0, 7, b"\x05\x00")) == [status(0, 5, 0, 0, 0)]
    assert talk(Frame(RESET.code, 0, 7)) == [status(0, 0, 0, 0)]
    # Data that came before what is missing waits; what is twice there is dropped.
    assert talk(*send(1, 1, 3), Frame(POLL.code, 0, 7, b"\x06\x00")) == [status(0, 6, 0b1010, 0)]
    assert talk(*send(8, 9)) == []  # beyond the window
    assert talk(*send(2, session=8)) == []
    result = talk(*send(0, 1, 0))
    assert classes(network, result) == expected[:2]
    assert [frame.sequence for frame in result] == [0, 1]
    assert talk(Frame(POLL.code, 0, 7, b"\x07\x00")) == [status(2, 7, 0b1000, 2)]
    # Results are kept until the host has them, and sent again when it asks: before the status.
    again = talk(Frame(POLL.code, 0, 7, b"\x08\xff"))
    assert again == [*result, status(2, 8, 0b1000, 2)]
    again = talk(Frame(POLL.code, 1, 7, b"\x09\xff"))
    assert again == [result[1], status(2, 9, 0b1000, 2)]
    assert talk(Frame(POLL.code, 0, 7, b"\x0a\x01")) == [status(2, 10, 0b1000, 2)]  # forgotten
    assert talk(Frame(POLL.code, 1, 8, b"\x0b\xff")) == [status(2, 11, 0b1000, 2)]  # of another
    assert talk(Frame(POLL.code, 9, 7, b"\x0c\x00")) == [status(2, 12, 0b1000, 2)]  # not made yet
    # A window of results without a poll, and no more.
    result = [*talk(*send(2)), *talk(*send(*range(4, 12)), cycles=2500, idle=False)]
    assert [frame.sequence for frame in result] == [2, 3, 4, 5, 6, 7, 8]
    assert classes(network, result) == expected[2:9]
    result = talk(Frame(POLL.code, 9, 7, b"\x0d\x00"))
    rest = [frame for frame in result if frame.code == RESULT.code]
    rest += talk(*send(11))
    assert [frame.sequence for frame in rest] == [9, 10, 11]
    assert classes(network, rest) == expected[9:12]
    # A reset drops results, data and samples.
    assert talk(Frame(RESET.code, 0, 9)) == [status(0, 0, 0, 0, 9)]
    assert talk(Frame(POLL.code, 0, 9, b"\x01\xff")) == [status(0, 1, 0, 0, 9)]
    result = talk(*send(0, session=9))
    assert classes(network, result) == expected[:1]


def test_a_reset_amid_a_sample_and_a_frame_leaves_nothing(little):
    network, spikes, payloads = little
    expected = spiker_hdl.run(network, spikes).classes.tolist()
    wire = wire_of(network)
    say(wire, Frame(RESET.code, 0, 1))
    for cycles in range(1, 400, 97):
        reader = Reader()
        wire.turn(encode(Frame(DATA.code, 0, 1, payloads[3])), cycles)
        # What was being sent is cut off, and the next frame is whole all the same.
        came = wire.turn(b"\0" + encode(Frame(RESET.code, 0, 1)), 2000)
        assert reader.feed(b"\0" + came)[-1] == Frame(STATUS.code, 0, 1, bytes(3))
        (actual,) = say(wire, Frame(DATA.code, 0, 1, payloads[4]))
        assert classes(network, [actual]) == expected[4:5]
        say(wire, Frame(RESET.code, 0, 1))


# -- whole sessions ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_answer_as_the_reference(seed):
    random = Random(seed)
    network = random_network(random, neurons=(1, 6), inputs=(1, 3), channels=(1, 12))
    mapping = random_mapping(network, random)
    spikes = random_spikes(network, random, samples=3, steps=(1, 5))
    faults = Faults(0.01, seed) if seed % 2 else None
    result, (session,) = converse(wire_of(network, mapping), network, spikes, faults=faults)
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert faults or not session.resent
    assert (result.cycles > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_are_loaded_over_a_wire(seed):
    random = Random(10 + seed)
    network = random_network(random, neurons=(1, 6), inputs=(2, 3), channels=(1, 12))
    mapping = random_writable(random, network, random_mapping(network, random))
    built, other = as_rows(network, mapping), another(random, network, mapping)
    spikes = random_spikes(network, random, samples=3, steps=(1, 5))
    wire = wire_of(built, mapping)
    load(wire, other, mapping, faults=Faults(0.01, seed) if seed % 2 else None)
    result, _ = converse(wire, other, spikes)
    assert not spiker_hdl.run(other, spikes).differences(result)


@pytest.mark.slow
def test_sequence_numbers_start_anew_and_faults_and_resets_lose_nothing():
    network = make_network(2)
    spikes = spikes_for(network, 4, 270, 1)
    faults = Faults(0.01, 4)
    mapping = Mapping.folded(network, 4, form="events")
    result, sessions = converse(
        wire_of(network, mapping), network, spikes, faults=faults, resets=[40]
    )
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert len(sessions) == 2
    assert sessions[1].resent
    assert faults.done > 100


@pytest.mark.parametrize("form", ["words", "events"])
def test_held_inputs_answer_as_the_reference(form):
    network = make_network(7)
    network = replace(network, inputs=(replace(network.inputs[0], high=7, static=True),))
    spikes = np.repeat(np.random.default_rng(0).integers(0, 8, (3, 1, 7)), 4, axis=1)
    mapping = Mapping.default(network, form=form, word=3)
    result, _ = converse(wire_of(network, mapping), network, spikes)
    assert not spiker_hdl.run(network, spikes).differences(result)


def test_without_faults_nothing_is_sent_again():
    network = make_network(2)
    spikes = spikes_for(network, 4, 16, 1)
    result, (session,) = converse(wire_of(network), network, spikes)
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert session.resent == 0


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Link(7, version="1"), TypeError, "Accelerator must be an Accelerator, not 7"),
        (lambda: Replies(b"abc"), ValueError, f"Pages must be of {PAGE} bytes each, not 3 in all"),
        (lambda: FrameWriter(0), ValueError, "Slots must be at least 1, not 0"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_other_ports_are_refused():
    accelerator = Accelerator(make_network(), stepwise=True)
    with pytest.raises(ValueError, match="no ports but those of samples and results"):
        Link(accelerator, version="0.1.0")
    Fragment.get(accelerator, None)  # as is wanted of every component


def test_what_frames_cannot_carry_is_refused(monkeypatch):
    network = make_network(40)
    network = replace(network, inputs=[replace(network.inputs[0], high=2**14 - 1)])
    long, fits = (Accelerator(network, Mapping.default(network, word=n)) for n in (30, 29))
    with pytest.raises(ValueError, match=r"Word of input 'input' must have at most 52 .* not 53: "):
        Link(long, version="0.1.0")
    Link(fits, version="0.1.0")
    # As if there were 127 inputs more.
    monkeypatch.setattr("spiker_hdl.link.bridge.LAST", 1)
    loaded = Accelerator(network, fits.mapping.with_writable(network, ["hidden"]))
    with pytest.raises(ValueError, match=r"must have at most 1 inputs, including the one .* not 2"):
        Link(loaded, version="0.1.0")
    for design in (long, fits, loaded):  # as is wanted of every component
        Fragment.get(design, None)


def test_converts():
    network = make_network()
    link = Link(Accelerator(network), version="0.1.0")
    assert "memory" in rtlil.convert(link)
    assert WINDOW & (WINDOW - 1) == 0
