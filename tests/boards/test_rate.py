"""Tests of what a link lets through, against bytes counted by hand and by the host itself."""

from dataclasses import replace

import numpy as np
import pytest

from spiker_boards.catalog import BOARDS
from spiker_boards.host.session import Exchange
from spiker_boards.rate import LinkRate, link_rate, sample_bytes, typical_rate
from spiker_hdl.link.protocol.frames import DATA, RESET, STATUS, Frame, Reader, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import LAST, Port, data_payloads
from spiker_hdl.model import Mapping, load
from spiker_hdl.model.encoders import Encoding

DIGITS = load("networks/digits.spiker")
HEADERS = 5 + 4 + 2  # header, CRC, COBS and delimiter


def silent(network, steps):
    return {node.name: np.zeros((1, steps, node.size), np.int64) for node in network.inputs}


def test_a_digit_by_hand():
    # 64 channels in words of 32, for 4 steps, behind the byte that names the input.
    mapping = Mapping.default(DIGITS)
    there, _ = sample_bytes(DIGITS, mapping, {"input": np.zeros((4, 64), np.int64)})
    assert there == 4 * 8 + 1 + HEADERS == 44
    rate = link_rate(BOARDS["icebreaker"], DIGITS, mapping, silent(DIGITS, 4))
    assert rate.samples_per_second == pytest.approx(1_000_000 / 10 / 44)
    assert rate == typical_rate(BOARDS["icebreaker"], DIGITS, mapping)
    assert "44 bytes there" in str(rate)
    assert "at most 2,273 samples a second" in str(rate)


def test_events_are_counted_one_by_one():
    mapping = replace(Mapping.default(DIGITS), form="events")
    spikes = silent(DIGITS, 4)
    quiet = link_rate(BOARDS["icebreaker"], DIGITS, mapping, spikes).bytes_in
    spikes["input"][0, 1, :10] = 1
    # An event is 6 bits of address and one of the token: a byte.
    assert link_rate(BOARDS["icebreaker"], DIGITS, mapping, spikes).bytes_in - quiet == 10


def test_a_long_sample_takes_several_frames():
    mapping = Mapping.default(DIGITS)
    there, _ = sample_bytes(DIGITS, mapping, {"input": np.zeros((40, 64), np.int64)})
    # At most 52 bytes of beats in a frame, of 4 bytes each.
    assert there == 40 * 8 + -(-40 * 8 // 52) * (1 + HEADERS)


@pytest.mark.parametrize("form", ["words", "events"])
def test_bytes_are_those_that_a_host_writes(form):
    random = np.random.default_rng(3)
    mapping = replace(Mapping.default(DIGITS), form=form)
    sample = {"input": (random.random((7, 64)) < 0.2).astype(np.int64)}
    identity = Identity.of(DIGITS, mapping, "0.1.0")
    ports = [Port.of(node, n, identity) for n, node in enumerate(DIGITS.inputs)]
    exchange = Exchange(5, data_payloads(ports, sample), 1, 0.0)
    assert Reader().feed(exchange.send(0.0))[0].code == RESET.code
    exchange.hear(Frame(STATUS.code, 0, 5, bytes(3)), 0.0)
    frames = [frame for frame in Reader().feed(exchange.send(0.1)) if frame.code == DATA.code]
    assert frames[-1].payload[0] & LAST  # the sample is whole
    written = sum(len(encode(frame)) for frame in frames)
    assert written == sample_bytes(DIGITS, mapping, sample)[0]


def test_values_are_a_byte_each():
    encoding = Encoding("rate", 4)
    rate = link_rate(
        BOARDS["icebreaker"], DIGITS, Mapping.default(DIGITS), silent(DIGITS, 4), encoding
    )
    assert rate.bytes_in == 64 + 2 * (1 + HEADERS)


def test_carriers_have_their_own_speeds():
    mapping = Mapping.default(DIGITS)
    usb = typical_rate(BOARDS["orangecrab"], DIGITS, mapping)
    assert usb.samples_per_second == pytest.approx(1_216_000 / 44)
    arm = typical_rate(BOARDS["pynq_z2"], DIGITS, mapping)
    assert arm.samples_per_second is None
    assert "at most" not in str(arm)
    assert LinkRate(**arm.to_json()) == arm
