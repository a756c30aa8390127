# amaranth: UnusedElaboratable=no

"""Tests of Amaranth's simulator as an engine: beats, stalls, samples back to back, bad input."""

from dataclasses import replace
from functools import partial
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    AnswerPolicy,
    If,
    Input,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl import Accelerator
from spiker_hdl.simulate import interpreted

from support.events import END, LAST, Bounded, converts, plain


def network(low=0, high=1, size=5):
    weights = np.arange(3 * size).reshape(3, size) % 7 - 2
    return Network(
        [Input("x", size, low, high)],
        [Population("p", 3, If(width=9, threshold=6, reset="zero"))],
        [Projection("x", "p", weights), Projection("p", "p", -np.eye(3, dtype=int), 1)],
        [Readout("p")],
    )


def throw(random, chance):
    return random.random() < chance


def spikes(net, samples=4, steps=3, seed=0):
    node = net.inputs[0]
    random = np.random.default_rng(seed)
    values = random.integers(node.low, node.high, (samples, steps, node.size), endpoint=True)
    return values * (random.random(values.shape) < 0.6)


@pytest.fixture(autouse=True)
def bounded(monkeypatch):
    """Let nothing run forever."""
    monkeypatch.setattr(interpreted, "Simulator", Bounded)


# -- beats ---------------------------------------------------------------------------------------


def beats(net, sample, **mapping):
    dut = Accelerator(net, Mapping.default(net, **mapping))
    actual = payloads(dut, net.inputs[0], np.array(sample))
    layout = dut.i.p.shape()
    assert converts(dut)
    return [layout.from_bits(result) for result in actual]


def test_events_by_hand():
    actual = beats(network(), [[0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], form="events")
    assert [plain(result) for result in actual] == [(1, 0), (4, 0), END, LAST]


def test_graded_events_by_hand():
    actual = beats(network(-3, 2), [[0, -3, 0, 0, 2], [1, 0, 0, 0, 0]], form="events")
    assert [plain(result) for result in actual] == [(1, -3), (4, 2), END, (0, 1), LAST]


def test_words_by_hand():
    actual = beats(network(), [[0, 1, 0, 0, 1], [1, 1, 1, 1, 0]], word=2)
    assert [([*result["values"]], result.last) for result in actual] == [
        ([0, 1], 0),
        ([0, 0], 0),
        ([1, 0], 0),
        ([1, 1], 0),
        ([1, 1], 0),  # in the step's final word alone
        ([0, 0], 1),
    ]


def test_graded_words_by_hand():
    actual = beats(network(-3, 2), [[0, -3, 0, 0, 2]], word=4)
    assert [([*result["values"]], result.last) for result in actual] == [
        ([0, -3, 0, 0], 0),
        ([2, 0, 0, 0], 1),
    ]


# -- against the reference -----------------------------------------------------------------------


@pytest.mark.parametrize("low, high", [(0, 1), (-4, 9)])
@pytest.mark.parametrize("form", ["words", "events"])
@pytest.mark.parametrize("back_to_back", [False, True])
def test_answers_equal_the_reference(low, high, form, back_to_back):
    random = Random(1)
    net = network(low, high)
    stimulus = spikes(net)
    record = ["p", "p.v"]
    expected = reference.run(net, stimulus, record=record)
    assert 0 < expected.counts["p"].sum()
    for chance in (0, 0.5):
        result = interpreted.run(
            net,
            stimulus,
            mapping=Mapping.default(net, form=form, word=3),
            record=record,
            back_to_back=back_to_back,
            pauses=(partial(throw, random, chance), partial(throw, random, chance)),
        )
        assert expected.differences(result) == []
        assert set(result.spikes) == set(record)


def test_earlier_samples_make_no_difference():
    net = network()
    stimulus = spikes(net, samples=4)
    together = interpreted.run(net, stimulus, record=["p.v"], back_to_back=True)
    for n in range(4):
        alone = interpreted.run(net, stimulus[n : n + 1], record=["p.v"])
        assert alone.scores.tolist() == together.scores[n : n + 1].tolist()
        assert alone.spikes["p.v"].tolist() == together.spikes["p.v"][n : n + 1].tolist()


# -- cycles --------------------------------------------------------------------------------------


def test_idle_accelerator_takes_the_same_cycles_each_time():
    net = network()
    stimulus = np.repeat(spikes(net, samples=1), 3, axis=0)
    cycles = interpreted.run(net, stimulus).cycles
    assert len(set(cycles.tolist())) == 1


def test_cycles_include_pauses_of_the_source_but_not_of_the_sink():
    net = network()
    stimulus = spikes(net, samples=2)
    plain_cycles = interpreted.run(net, stimulus).cycles
    calls = []

    def mostly():
        calls.append(None)
        return len(calls) % 20 > 0

    slow_source = interpreted.run(net, stimulus, pauses=(mostly, lambda: False)).cycles
    slow_sink = interpreted.run(net, stimulus, pauses=(lambda: False, mostly)).cycles
    assert (slow_source > plain_cycles).all()
    assert slow_sink.tolist() == plain_cycles.tolist()


def test_back_to_back_samples_overlap():
    net = network()
    stimulus = spikes(net, samples=8, steps=6)
    alone = interpreted.run(net, stimulus).cycles
    together = interpreted.run(net, stimulus, back_to_back=True).cycles
    # A sample waits inside for those before it: it takes longer, the lot of them does not.
    assert (together >= alone).all()


def test_progress_counts_samples():
    done = []
    net = network()
    interpreted.run(net, spikes(net), progress=done.append)
    assert done == [1, 1, 1, 1]


def test_progress_counts_windows():
    net = network()
    stimulus = spikes(net, samples=2, steps=6)
    result = interpreted.run(net, stimulus, reports=AnswerPolicy(window=2))
    expected = reference.run(net, stimulus, reports=AnswerPolicy(window=2))
    assert result.scores.shape == (2, 3, 3)
    assert expected.differences(result) == []


def test_wrapped_counters_of_an_unbroken_signal_are_unwrapped():
    net = replace(network(), max_steps=2)
    stimulus = [spikes(net, samples=1, steps=steps)[0] for steps in (40, 2, 14)]
    options = {"record": ["p"], "reports": AnswerPolicy(window=2)}
    expected = reference.run(net, stimulus, **options)
    result = interpreted.run(net, stimulus, **options)
    assert expected.counts["p"].max() > 7  # which 3 bits hold
    assert expected.differences(result) == []


@pytest.mark.parametrize("margin", [1, 4, 5, 9, 2**31 - 1])
def test_a_margin_beyond_all_scores_is_never_reached(margin):
    net = replace(network(), max_steps=3)  # scores of 2 bits
    stimulus = spikes(net, samples=6)
    reports = AnswerPolicy(early=margin)
    expected = reference.run(net, stimulus, reports=reports)
    assert expected.steps.min() < 3 or margin > 1
    assert expected.differences(interpreted.run(net, stimulus, reports=reports)) == []


# -- bad input -----------------------------------------------------------------------------------


def test_bad_arguments_of_run_are_refused():
    net = network()
    with pytest.raises(ValueError, match=r"^Spikes must have at least one sample, not none$"):
        interpreted.run(net, np.zeros((0, 3, 5), dtype=int))
    with pytest.raises(ValueError, match=r"^Record must name one of 'p', .*, not 'q'$"):
        interpreted.run(net, spikes(net), record=["q"])
    stimulus = [spikes(net, samples=1, steps=steps)[0] for steps in (4, 2)]
    with pytest.raises(
        ValueError, match=r"^Samples back to back must .* for an early exit, not 2 to 4$"
    ):
        interpreted.run(net, stimulus, reports=AnswerPolicy(early="exact"), back_to_back=True)
    net = Network(net.inputs, net.populations, net.projections, [Readout("p", "last")])
    with pytest.raises(ValueError, match=r"^An early answer must be by a margin"):
        interpreted.run(net, spikes(net), reports=AnswerPolicy(early="exact"))
