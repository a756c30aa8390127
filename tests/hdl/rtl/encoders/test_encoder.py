# amaranth: UnusedElaboratable=no

"""Tests of the encoders in hardware: by hand, against the integer ones, cycles, and bad input."""

import re
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth import *
from hypothesis import given, settings
from hypothesis import strategies as st

from spiker_hdl.model import (
    Decay,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    load,
    reference,
)
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import beats
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl.encoded_accelerator import EncodedAccelerator
from spiker_hdl.rtl.encoders.delta_encoder import DeltaEncoder
from spiker_hdl.rtl.encoders.encoder import Encoder
from spiker_hdl.rtl.encoders.image_encoder import ImageEncoder
from spiker_hdl.rtl.encoders.samples import Packer

from support.bench import get, pause, put, simulate
from support.events import converts, transfer
from support.places import ROOT

NETWORKS = ROOT / "networks"


def values_of(samples):
    """Return the payloads of samples, each an array of values in the order they are sent."""
    results = []
    for sample in samples:
        flat = sample.ravel().tolist()
        # What is said of `last` counts with the last value of a picture or step alone.
        results += [{"value": value, "last": 0} for value in flat]
        results[-1]["last"] = 1
    return results


class Entrance:
    """What :func:`payloads` asks of an accelerator."""

    def __init__(self, dut):
        self.mapping = Mapping({}, form="words", word=dut.word)
        self.input_ports = {dut.node.name: SimpleNamespace(i=dut.o)}


def words_of(dut, samples):
    """Return the words that an accelerator is sent for encoded samples."""
    entrance = Entrance(dut)
    return [payload for sample in samples for payload in payloads(entrance, dut.node, sample)]


def encoded(dut, samples, random, pauses):
    """Return what comes out, as integers, and what should."""
    expected = words_of(dut, [dut.encoding.encode(sample[None])[0] for sample in samples])
    received = transfer(dut, values_of(samples), len(expected), random=random, pauses=pauses)
    return [item.as_bits() for item in received], expected


def node_of(encoding, channels, static=False):
    return Input("x", channels, 0, encoding.greatest, static=static)


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding, values, words",
    [
        # Of 4: 2 + 1, 2 + 2, 2 + 3, 2 + 0, then 3 + 1, 0 + 2, 1 + 3, 2 + 0.
        (Encoding("rate", 2, bits=2), [1, 2, 3, 0], [0b10, 0b01, 0b01, 0b01]),
        # Draws 1, 0, 0, 2 of the states 1, 0xD008, 0x6804, 0x3402 behind seed 2.
        (Encoding("bernoulli", 2, bits=2, seed=2), [2, 0], [0b01, 0b01]),
        (Encoding("first_spike", 4, bits=2), [3, 2], [0b01, 0b10, 0b00, 0b00]),
        (Encoding("first_spike", 2, bits=2), [0, 1], [0b00, 0b10]),
        (Encoding("binary", 3, bits=4), [8, 7], [0b01, 0b01, 0b01]),
        (Encoding("graded", 1, bits=4, kept=2), [8, 7], [0b0110]),
        # ON, OFF: nothing at first; up by 2; down by 1 from 7, by 2 from 7; up by 2 from 5.
        (Encoding("delta", thresholds=(2,)), [5, 7, 6, 5, 7], [0, 0b01, 0, 0b10, 0b01]),
    ],
)
def test_encoders_by_hand(encoding, values, words):
    channels = encoding.fan if encoding.name == "delta" else len(values)
    dut = Encoder(node_of(encoding, channels), encoding, word=2)
    received = transfer(dut, values_of([np.array(values)]), len(words), random=Random(0))
    width = dut.o.p["values"].shape().size
    assert [item.as_bits() & (1 << width) - 1 for item in received] == words
    assert [item.last for item in received] == [0] * (len(words) - 1) + [1]


def test_short_words_are_at_the_low_end():
    dut = Packer(5, width=3)
    sent = [{"value": bit, "bare": 0, "last": 1} for bit in [1, 0, 1, 1, 0, 0, 1, 1, 0, 1]]
    received = transfer(dut, sent, 4, random=Random(0))
    assert [item.as_bits() for item in received] == [0b0101, 0b1001, 0b0110, 0b1010]


# -- against the model ---------------------------------------------------------------------------


@st.composite
def cases(draw):
    """Draw an encoding, a shape, samples and pauses."""
    bits = draw(st.sampled_from([1, 2, 5, 8, 8, 8, 11, 16]))
    name = draw(st.sampled_from(["rate", "bernoulli", "first_spike", "graded", "binary", "delta"]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maximum = 2**bits - 1
    static = name in {"graded", "binary"} and draw(st.booleans())
    if name == "delta":
        reaches = st.integers(1, draw(st.sampled_from([maximum, min(maximum, 9)])))
        thresholds = tuple(draw(st.lists(reaches, min_size=1, max_size=4)))
        encoding = Encoding(name, bits=bits, thresholds=thresholds)
        signals = draw(st.integers(1, 4))
        shapes = [(int(random.integers(1, 9)), signals) for _ in range(3)]
        size = signals * encoding.fan
    else:
        encoding = Encoding(
            name,
            draw(st.integers(1, 9)),
            bits=bits,
            seed=draw(st.integers(1, 65535)),
            kept=draw(st.integers(1, bits)),
        )
        size = draw(st.integers(1, 20))
        shapes = [(size,)] * 3
    kinds = [
        lambda shape: random.integers(0, maximum + 1, shape),
        lambda shape: random.choice([0, maximum, maximum // 2, maximum // 2 + 1], shape),
        lambda shape: np.clip(maximum // 2 + random.integers(-3, 4, shape).cumsum(0), 0, maximum),
    ]
    samples = [kinds[random.integers(3)](shape) for shape in shapes]
    word = draw(st.sampled_from([1, 2, 3, 4, 7, 8, 32]))
    pauses = draw(st.sampled_from([(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3)]))
    return node_of(encoding, size, static), encoding, word, samples, pauses


@settings(max_examples=50)
@given(case=cases(), seed=st.integers(0, 1000))
def test_encoders_make_the_words_of_the_integer_encoders(case, seed):
    node, encoding, word, samples, pauses = case
    dut = Encoder(node, encoding, word=word)
    received, expected = encoded(dut, samples, Random(seed), pauses)
    assert received == expected


@pytest.mark.parametrize("name", ["rate", "bernoulli", "first_spike", "graded"])
def test_a_sample_may_have_several_pictures(name):
    encoding = Encoding(name, 3)
    dut = Encoder(node_of(encoding, 7), encoding, word=4)
    pictures = np.random.default_rng(5).integers(0, 256, (4, 7))
    expected = words_of(
        dut, [np.concatenate(encoding.encode(part)) for part in (pictures[:3], pictures[3:])]
    )
    sent = values_of([pictures[:3], pictures[3:]])
    received = transfer(dut, sent, len(expected), random=Random(1), pauses=(0.2, 0.2))
    assert [item.as_bits() for item in received] == expected


def test_last_counts_with_the_last_value_alone():
    encoding = Encoding("delta", thresholds=(3,))
    dut = Encoder(node_of(encoding, 4), encoding)
    sample = np.array([[9, 20], [0, 30], [40, 30]])
    sent = values_of([sample, sample])
    for n in (0, 2, 4, 6, 8, 10):
        sent[n]["last"] = 1
    expected = words_of(dut, encoding.encode(np.stack([sample, sample])))
    received = transfer(dut, sent, len(expected), random=Random(1))
    assert [item.as_bits() for item in received] == expected
    encoding = Encoding("rate", 2)
    dut = Encoder(node_of(encoding, 6), encoding)
    sent = values_of([sample, sample])
    for n in (0, 1, 7):
        sent[n]["last"] = 1
    expected = words_of(dut, encoding.encode(np.stack([sample, sample])))
    received = transfer(dut, sent, len(expected), random=Random(1))
    assert [item.as_bits() for item in received] == expected


# -- cycle by cycle ------------------------------------------------------------------------------


def cycles_of(dut, samples):
    """Return, for each cycle from the first value on, whether one was taken, and whether a word."""
    trace = []
    sent = values_of(samples)
    expected = len(words_of(dut, [dut.encoding.encode(sample[None])[0] for sample in samples]))

    async def testbench(ctx):
        left, words = [*sent], 0
        ctx.set(dut.o.ready, 1)
        assert ctx.get(dut.idle)
        while words < expected:
            ctx.set(dut.i.valid, bool(left))
            if left:
                ctx.set(dut.i.payload, left[0])
            _, _, ready, valid, rest = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.idle)
            taken = bool(left) and ready
            if taken:
                left.pop(0)
            words += valid
            trace.append((int(taken), valid, rest))
        assert ctx.get(dut.idle)

    simulate(dut, testbench, watch=[dut.o])
    return trace


def test_a_picture_takes_a_cycle_for_each_channel_and_step():
    encoding = Encoding("rate", 2)
    dut = Encoder(node_of(encoding, 3), encoding, word=2)
    taken, words, rest = zip(*cycles_of(dut, [np.full(3, 9)] * 2), strict=True)
    assert taken == (1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0)
    assert words == (0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1)
    assert rest == (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_a_signal_takes_a_cycle_for_each_of_its_channels():
    encoding = Encoding("delta", thresholds=(1, 2))
    dut = Encoder(node_of(encoding, 4), encoding, word=4)
    taken, words, rest = zip(*cycles_of(dut, [np.array([1, 2])]), strict=True)
    assert taken == (0, 0, 0, 1, 0, 0, 0, 1, 0)
    assert words == (0, 0, 0, 0, 1, 0, 0, 0, 1)
    assert rest == (1, 0, 0, 0, 0, 0, 0, 0, 0)


def test_a_held_picture_has_bare_steps():
    encoding = Encoding("graded", 3)
    dut = Encoder(node_of(encoding, 3, static=True), encoding, word=2)
    taken, words, _ = zip(*cycles_of(dut, [np.full(3, 99)] * 2), strict=True)
    assert taken == (1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0)
    assert words == (0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1)


# -- with the network behind ---------------------------------------------------------------------


def answers(dut, samples, random, pauses):
    """Return winner, scores and counts of each sample, and the cycles until all were idle."""
    results = []
    sent = values_of(samples)
    (readout,) = dut.accelerator.readout_names.values()

    async def drive(ctx):
        assert ctx.get(dut.idle)
        for n, payload in enumerate(sent):
            await pause(ctx, random, pauses[0])
            await put(ctx, dut.i, payload)
            assert n or not ctx.get(dut.idle)

    async def receive(ctx):
        for _ in samples:
            await pause(ctx, random, pauses[1])
            result = await get(ctx, dut.o)
            answer = result.answers[readout]
            count = result.counts[dut.accelerator.names["hidden"]]
            results.append((answer.winner, [*answer.scores], count))
        for _ in range(20):
            await ctx.tick()
        assert ctx.get(dut.idle)

    simulate(dut, drive, receive, watch=[dut.o], deadline=50_000)
    return results


def agrees(network, dut, samples, random=None, pauses=(0, 0)):
    expected = reference.run(network, dut.encoding.encode(np.stack(samples)))
    result = answers(dut, samples, random or Random(1), pauses)
    assert [item[0] for item in result] == expected.classes.tolist()
    assert [item[1] for item in result] == expected.scores.tolist()
    assert [item[2] for item in result] == expected.counts["hidden"].tolist()
    return expected


@pytest.mark.slow
def test_digits_are_answered_as_by_the_reference():
    datasets = pytest.importorskip("sklearn.datasets")
    network = load(NETWORKS / "digits.spiker")
    digits = datasets.load_digits()
    # Values of 0 to 16, which are trained on as 0 to 255.
    images = (digits.images[-8:] * 255 / 16).round().astype(np.int64)
    dut = EncodedAccelerator(network)
    assert dut.encoding == Encoding("rate", 4)
    result = agrees(network, dut, list(images), Random(3), (0.02, 0.1))
    assert (result.classes == digits.target[-8:]).mean() > 0.6


def network_for(node, max_steps=64):
    """Make a small network behind an input."""
    draws = np.random.default_rng(node.size)
    again = Projection("hidden", "hidden", draws.integers(-3, 4, (6, 6)), 1, name="again")
    again = [] if node.static else [again]  # what a static input drives takes nothing else
    return Network(
        [node],
        [
            Population("hidden", 6, Lif(threshold=4, decay=Decay.shift(3), width=9)),
            Population("output", 3, Integrator(decay=Decay.shift(3), width=12)),
        ],
        [
            Projection("x", "hidden", draws.integers(-7, 8, (6, node.size))),
            Projection("hidden", "output", draws.integers(-7, 8, (3, 6))),
            *again,
        ],
        [Readout("output", "last")],
        max_steps=max_steps,
    )


@pytest.mark.parametrize(
    "encoding, channels, static",
    [
        (Encoding("rate", 5), 9, False),
        pytest.param(Encoding("bernoulli", 5, seed=99), 9, False, marks=pytest.mark.slow),
        pytest.param(Encoding("first_spike", 5), 9, False, marks=pytest.mark.slow),
        (Encoding("graded", 4), 9, True),
        (Encoding("delta", thresholds=(5, 20)), 8, False),
    ],
)
def test_networks_answer_as_the_reference_to_what_is_encoded(encoding, channels, static):
    network = network_for(node_of(encoding, channels, static))
    draws = np.random.default_rng(1)
    shape = (12, 2) if encoding.name == "delta" else (channels,)
    samples = [draws.integers(0, 256, shape) for _ in range(3)]
    dut = EncodedAccelerator(network, Mapping.folded(network, 4, word=5), encoding=encoding)
    result = agrees(network, dut, samples, Random(2), (0.1, 0.1))
    assert result.counts["hidden"].sum() > 15


def test_a_network_is_loaded_behind_its_encoder():
    network = network_for(NODE)
    mapping = Mapping.folded(network, 4).with_writable(network, [], ["hidden", "output"])
    dut = EncodedAccelerator(network, mapping, encoding=RATE)
    samples = [np.random.default_rng(1).integers(0, 256, NODE.size) for _ in range(2)]
    results = []

    async def drive(ctx):
        for beat in beats(network, mapping).tolist():
            await put(ctx, dut.load, dut.load.p.shape().from_bits(beat))
        for payload in values_of(samples):
            await put(ctx, dut.i, payload)

    async def receive(ctx):
        while len(results) < len(samples):
            result = await get(ctx, dut.o)
            (readout,) = dut.accelerator.readout_names.values()
            results.append([*result.answers[readout].scores])

    simulate(dut, drive, receive, watch=[dut.o], deadline=50_000)
    assert results == reference.run(network, RATE.encode(np.stack(samples))).scores.tolist()


@pytest.mark.parametrize("name", ["rate", "bernoulli", "first_spike", "graded", "delta"])
def test_encoders_become_rtlil(name):
    delta = name == "delta"
    encoding = Encoding(name, **({"thresholds": (1, 2)} if delta else {"steps": 3}))
    assert converts(Encoder(node_of(encoding, 8), encoding))


def test_an_encoded_accelerator_becomes_rtlil():
    assert converts(EncodedAccelerator(network_for(NODE), encoding=RATE))


# -- bad input -----------------------------------------------------------------------------------

RATE = Encoding("rate", 4)
DELTA = Encoding("delta", thresholds=(1, 2))
NODE = Input("x", 6)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Packer(0, width=1), ValueError, "Packer size must be at least 1, not 0"),
        (lambda: Packer(3, width=4), ValueError, "Packer width must be at most 3, not 4"),
        (lambda: ImageEncoder(0, RATE), ValueError, "Values must be at least 1, not 0"),
        (lambda: ImageEncoder(3, "rate"), TypeError, "Encoding must be an Encoding, not 'rate'"),
        (
            lambda: ImageEncoder(3, DELTA),
            ValueError,
            "Encoding of a picture must have steps, not be 'delta'",
        ),
        (
            lambda: ImageEncoder(3, RATE, static=True),
            ValueError,
            "Encoding of a static input must be one of 'graded', 'binary', not 'rate'",
        ),
        (lambda: DeltaEncoder(0, DELTA), ValueError, "Signals must be at least 1, not 0"),
        (
            lambda: DeltaEncoder(1, RATE),
            ValueError,
            "Encoding of signals must be 'delta', not 'rate'",
        ),
        (lambda: Encoder(3, RATE), TypeError, "Input must be an Input, not 3"),
        (lambda: Encoder(NODE, RATE, word=0), ValueError, "Word must be at least 1, not 0"),
        (
            lambda: Encoder(Input("x", 6, 0, 3), RATE),
            ValueError,
            "Values of 'x' must be those that 'rate' makes, 0..1, not 0..3",
        ),
        (
            lambda: Encoder(NODE, DELTA),
            ValueError,
            "Size of 'x' must be a multiple of the 4 channels of a signal, not 6",
        ),
        (
            lambda: Encoder(Input("x", 4, static=True), DELTA),
            ValueError,
            "Input 'x' must not be static where signals enter",
        ),
        (lambda: EncodedAccelerator(None), TypeError, "Network must be a Network, not None"),
        (
            lambda: EncodedAccelerator(network_for(NODE, max_steps=3), encoding=RATE),
            ValueError,
            "Steps must be at most the 3 of the network's longest sample, not 4",
        ),
        (
            lambda: EncodedAccelerator(
                network_for(NODE),
                Mapping.default(network_for(NODE), form="events"),
                encoding=RATE,
            ),
            ValueError,
            "Input form must be 'words', not 'events'",
        ),
        (
            lambda: EncodedAccelerator(network_for(NODE), 3, encoding=RATE),
            TypeError,
            "Mapping must be a Mapping, not 3",
        ),
        (
            lambda: EncodedAccelerator(network_for(NODE), encoding="rate"),
            TypeError,
            "Encoding must be an Encoding, not 'rate'",
        ),
        (
            lambda: EncodedAccelerator(network_for(NODE)),
            ValueError,
            "Encoder in the network's notes must be one of 'rate', 'bernoulli', 'first_spike', "
            "'graded', 'binary', 'delta', not ''",
        ),
    ],
)
def test_encoders_reject(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_the_accelerator_must_have_one_input():
    nodes = [Input("x", 2), Input("y", 2)]
    population = Population("o", 2, Integrator(decay=Decay.shift(3), width=8))
    links = [Projection(node.name, "o", np.eye(2, dtype=int)) for node in nodes]
    network = Network(nodes, [population], links, [Readout("o", "last")])
    with pytest.raises(ValueError, match=r"^Network must have one input, not 2$"):
        EncodedAccelerator(network, encoding=RATE)
