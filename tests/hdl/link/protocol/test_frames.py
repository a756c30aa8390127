"""Tests of the frames and what is in them: by hand, with faults, and against the hardware."""

from random import Random

import numpy as np
import pytest
from amaranth import Fragment, Shape

from spiker_boards.simulation.server import Faults
from spiker_hdl.link.protocol.frames import (
    DATA,
    KINDS,
    MAX_FRAME,
    MAX_PAYLOAD,
    POLL,
    RESET,
    SESSIONS,
    STATUS,
    WINDOW,
    Frame,
    Reader,
    encode,
    frames_table,
    header_table,
)
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import LAST, Port, ResultLayout, data_payloads
from spiker_hdl.model import Input
from spiker_hdl.payloads.beats import payloads, unpack
from spiker_hdl.rtl import Accelerator

from support.networks import random_mapping, random_network, random_spikes
from support.places import read_page


def random_frame(random, max_payload=MAX_PAYLOAD):
    size = random.choice([0, 1, max_payload, random.randint(0, max_payload)])
    few = random.choice([1, 3, 256])
    payload = bytes(random.randrange(few) for _ in range(size))
    kind = random.choice(KINDS)
    return Frame(kind.code, random.randrange(256), random.randrange(SESSIONS), payload)


# -- by hand -------------------------------------------------------------------------------------

# Header, payload and CRC-32, each zero replaced by the way to the next.
BY_HAND = [
    (Frame(RESET.code, 0, 7), "01 02 02 02 07 05 51 a9 6a 23 00"),
    (Frame(STATUS.code, 5, 0x0102, b"\x09\x00\x06"), "07 03 83 05 02 01 09 06 06 e9 13 50 26 00"),
]


@pytest.mark.parametrize("frame, expected", BY_HAND)
def test_frames_by_hand(frame, expected):
    assert encode(frame).hex(" ") == expected


def test_the_crc_is_that_of_ieee_802_3():
    # 0xCBF43926 is the check value of "123456789" in every catalogue; here over a whole frame,
    # bit by bit.
    def crc(data):
        register = 0xFFFFFFFF
        for octet in data:
            register ^= octet
            for _ in range(8):
                register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
        return register ^ 0xFFFFFFFF

    assert crc(b"123456789") == 0xCBF43926
    body = bytes([3, POLL.code, 1, 2, 3, 0xAA, 0xBB, 0xCC])
    result = encode(Frame(POLL.code, 1, 0x0302, b"\xaa\xbb\xcc"))
    assert result[1 : 1 + len(body)] == body
    assert result[1 + len(body) : -1] == crc(body).to_bytes(4, "little")


def test_a_frame_fits_and_has_one_zero():
    random = Random(0)
    for _ in range(500):
        frame = random_frame(random)
        text = encode(frame)
        assert len(text) <= MAX_FRAME
        assert text.index(0) == len(text) - 1
        assert Reader().feed(text) == [frame]
    assert len(encode(Frame(DATA.code, payload=bytes(MAX_PAYLOAD)))) == MAX_FRAME


def test_a_long_payload_is_refused():
    with pytest.raises(
        ValueError, match=f"Payload must have at most {MAX_PAYLOAD} bytes, not {MAX_PAYLOAD + 1}"
    ):
        encode(Frame(DATA.code, payload=bytes(MAX_PAYLOAD + 1)))


# -- on a bad wire -------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, 19))
def test_what_was_cut_or_doubled_is_lost_alone(cut):
    short, two = Frame(DATA.code, 1, 9, b"\x00" * 9), Frame(DATA.code, 2, 9, b"\x01" * 9)
    first, second = encode(short), encode(two)
    reader = Reader()
    assert reader.feed(first[cut:]) == []
    assert reader.feed(second) == [two]
    assert reader.damaged == 1
    assert Reader().feed(first[:cut] + first[cut - 1 :] + second) == [two]
    # A delimiter before says where a frame begins, whatever was before.
    assert Reader().feed(first[:cut] + b"\0" + second) == [two]


def test_on_a_bad_wire_frames_are_lost_and_never_wrong():
    random, faults, reader = Random(1), Faults(0.01, 2), Reader()
    sent = [random_frame(random) for _ in range(2000)]
    results, whole = [], True
    for frame in sent:
        text = encode(frame)
        damaged = faults(text)
        results += reader.feed(damaged)
        whole = damaged == text
    assert whole == (results[-1] == sent[-1])
    left = iter(sent)
    assert all(any(node == frame for node in left) for frame in results)  # in order, each once
    assert 1000 < len(results) < 1900
    assert reader.damaged > 100


def test_noise_without_end_is_not_kept():
    reader = Reader()
    assert reader.feed(b"\x55" * 100_000) == []
    assert len(reader._buffer) <= MAX_FRAME
    assert reader.feed(b"\0" + encode(Frame(1))) == [Frame(1)]


# -- samples and results -------------------------------------------------------------------------


def beats_in(frames, ports):
    """Take payloads apart by what the documentation says: beats by port, and where samples end."""
    results = {n: [] for n in range(len(ports))}
    for text in frames:
        assert 1 < len(text) <= MAX_PAYLOAD
        port, last = text[0] & 0x7F, text[0] >> 7
        size = ports[port].beat_bytes
        assert (len(text) - 1) % size == 0
        whole = [text[at : at + size] for at in range(1, len(text), size)]
        results[port] += [(int.from_bytes(word, "little"), 0) for word in whole[:-1]]
        results[port].append((int.from_bytes(whole[-1], "little"), last))
    return results


@pytest.mark.parametrize("seed", range(12))
def test_samples_and_results_lie_as_in_hardware(seed):
    random = Random(seed)
    network = random_network(random, neurons=(1, 9), inputs=(1, 3))
    mapping = random_mapping(network, random)
    accelerator = Accelerator(network, mapping)
    identity = Identity.of(network, mapping, "0.1.0")
    ports = [Port.of(node, n, identity) for n, node in enumerate(network.inputs)]
    spikes = random_spikes(network, random, samples=3, steps=4)
    for n in range(3):
        sample = {name: train[n] for name, train in spikes.items()}
        actual = beats_in(data_payloads(ports, sample), ports)
        for port in ports:
            width = Shape.cast(accelerator.input_ports[port.node.name].i.p.shape()).width
            expected = payloads(accelerator, port.node, sample[port.node.name])
            assert [beat | last << width - 1 for beat, last in actual[port.number]] == expected
    Fragment.get(accelerator, None)  # as is wanted of every component
    shape = accelerator.o.p.shape()
    layout = ResultLayout(network)
    assert layout.width == shape.size
    texts = [random.getrandbits(shape.size) for _ in range(3)]
    result = layout.result([text.to_bytes(layout.size, "little") for text in texts], "board")
    for n, text in enumerate(texts):
        expected = unpack(accelerator, text)
        assert result.steps[n] == expected["steps"]
        assert result.cycles[n] == expected["cycles"]
        assert {name: count[n] for name, count in result.counts.items()} == expected["counts"]
        for name, answer in result.answers.items():
            assert answer.classes[n] == expected["winners"][name]
            assert answer.scores[n].tolist() == expected["scores"][name]


@pytest.mark.parametrize("form", ["words", "events"])
def test_held_inputs_are_sent_once(form):
    ports = [
        Port(Input(name, 5, 0, 7, static=name == "a"), n, form, 2) for n, name in enumerate("ab")
    ]
    steps = np.tile([1, 0, 2, 0, 7], (3, 1))
    sample = {"a": steps, "b": steps}
    if form == "words":  # 2 channels of 3 bits
        first, middle, last = [(0x01, 0), (0x02, 0), (0x07, 0)], [(0, 0)], [(0, 1)]
    else:  # 3 bits of address, 3 of value, and the token
        first, middle, last = [(0x08, 0), (0x12, 0), (0x3C, 0), (0x40, 0)], [(0x40, 0)], [(0x40, 1)]
    actual = beats_in(data_payloads(ports, sample), ports)
    assert actual[0] == first + middle + last
    assert actual[1] == 2 * first + first[:-1] + [(first[-1][0], 1)]
    alone = beats_in(data_payloads(ports[:1], {"a": steps}), ports)
    assert alone[0] == actual[0]


def test_steps_of_several_inputs_take_turns():
    ports = [Port(Input(name, 3), n, "events", 3) for n, name in enumerate("ab")]
    sample = {name: np.eye(2, 3, dtype=np.int64) for name in "ab"}
    heads = [text[0] for text in data_payloads(ports, sample)]
    assert heads == [0, 1, 0 | LAST, 1 | LAST]


# -- the page ------------------------------------------------------------------------------------


def test_the_page_has_the_tables():
    page = read_page("link")
    assert header_table() in page
    assert frames_table() in page
    assert f"at most {MAX_FRAME} bytes" in page
    assert f"{WINDOW} frames" in page
