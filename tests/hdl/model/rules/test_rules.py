"""Tests of rules of learning: what is proved of them, what is refused, and a rule of one's own."""

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.model import (
    Accumulator,
    Convolution,
    Decay,
    DeltaRule,
    EProp,
    Feedback,
    Homeostasis,
    Input,
    LearningState,
    Lif,
    Mapping,
    Network,
    OneToOne,
    OutputDelta,
    PairStdp,
    Population,
    PostStdp,
    Projection,
    Readout,
    Reward,
    RewardStdp,
    Rule,
    Sparse,
    Trace,
    TripletStdp,
    learn,
    load,
    parameter,
    reference,
    timing,
)
from spiker_hdl.model.files.parse import FileError
from spiker_hdl.model.pruning.prune import prune
from spiker_hdl.model.rules.proof import rule_bounds
from spiker_hdl.model.rules.rounding import random_bits, row_words, step_word

LEAK = Decay.shift(2)
STDP = PairStdp(pre_decay=LEAK, post_decay=LEAK, potentiation=40, depression=30, shift=2)
WEIGHTS = np.arange(12).reshape(3, 4)


def network(rule=STDP, synapses=WEIGHTS, neuron=None, readout="last", bits=6, **changes):
    """Make a network of an input of 4 channels and 3 neurons, whose projection has a rule."""
    neuron = neuron or Lif(threshold=9, width=12, decay=LEAK)
    options = {"static": changes.pop("static", False)}
    return Network(
        [Input("in", 4, **options)],
        [Population("out", 3, neuron)],
        [Projection("in", "out", synapses, bits=bits, rule=rule)],
        [Readout("out", readout)],
        **changes,
    )


@dataclass(frozen=True)
class Hebb(Rule):
    """Potentiation at spikes of the target, less a constant loss: the rule of a user."""

    traces = (Trace("x", "pre", bits=6, jump="rise", decay="decay"),)
    visits = ("on_post",)
    decay: Decay = field(kw_only=True)
    rise: int = parameter((1, 63), default=32)

    def update(self, p, pre, post, synapse, third, via):
        return via.select(post.event, pre.x - 4, 0)


@dataclass(frozen=True)
class Forgetful(Hebb):
    """A rule that changes rows that it says it does not visit."""

    def update(self, p, pre, post, synapse, third, via):
        return pre.x - 4


@dataclass(frozen=True)
class Branching(Hebb):
    """A rule with a Python branch on an operand."""

    def update(self, p, pre, post, synapse, third, via):
        return pre.x if pre.x > 3 else 0


@dataclass(frozen=True)
class Overflowing(Hebb):
    """A rule whose trace leaves its range."""

    def pre_step(self, p, pre, via):
        return {"x": pre.x + 20}


def test_stdp_of_one_pair_by_hand():
    # The source fires in step 1, the target in step 3, by its own bias from step 3 on.
    rule = replace(STDP, rounding="down", shift=0)
    spikes = np.zeros((1, 4, 4), dtype=int)
    spikes[0, 1, 0] = 1
    spikes[0, 3, 1] = 1
    weights = np.array([[0, 10, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    learned = learn(network(rule, weights, bits=8, readout="count"), spikes)
    # The trace is 40 after step 1, then 30, then 22; the second input meets no trace of the target.
    assert learned.network.projections[0].synapses.values[0].tolist() == [22, 10, 0, 0]
    assert learned.result.counts["out"].tolist() == [1]


def test_update_is_visible_in_the_next_step_and_with_sample_in_the_next_sample():
    spikes = np.ones((1, 6, 4), dtype=int)
    rule = replace(STDP, rounding="down", shift=0, depression=0)
    steps = learn(network(rule, readout="sum"), spikes).result
    sample = learn(network(replace(rule, apply="sample"), readout="sum"), spikes)
    frozen = spiker_hdl.run(network(rule, readout="sum").frozen(), spikes)
    assert sample.result.differences(frozen) == []
    assert steps.differences(frozen)
    assert (sample.network.projections[0].synapses.values > WEIGHTS).all()


def test_learning_goes_on_where_it_was_and_through_a_file(tmp_path):
    spikes = (np.random.default_rng(0).random((4, 9, 4)) < 0.5).astype(int)
    start = network(learning=LearningState(seed=7))
    whole = learn(start, spikes, record=["out", "out.v"])
    half = learn(start, spikes[:2]).network
    half.save(tmp_path / "half.spiker")
    again = load(tmp_path / "half.spiker")
    assert again == half
    assert again.digest == half.digest != start.digest
    rest = learn(again, spikes[2:], record=["out", "out.v"])
    assert rest.network == whole.network
    assert rest.network.learning == LearningState(7, 4)
    assert np.array_equal(rest.result.spikes["out.v"], whole.result.spikes["out.v"][2:])
    other = learn(replace(start, learning=LearningState(8)), spikes).network
    assert other.projections[0] != whole.network.projections[0]


def test_frozen_network_runs_everywhere_and_has_a_file_of_an_earlier_version(tmp_path):
    frozen = network().frozen()
    assert frozen.learning is None
    assert frozen.projections[0].bits == 6
    spikes = (np.random.default_rng(0).random((2, 5, 4)) < 0.5).astype(int)
    assert not spiker_hdl.run(frozen, spikes, engine="amaranth").differences(
        spiker_hdl.run(frozen, spikes)
    )
    plain = replace(network(), projections=frozen.projections, learning=None)
    assert plain == frozen
    assert plain.digest == frozen.digest
    assert frozen.with_rules({"in->out": STDP}) == network()


def test_bounds_hold_for_all_weights_that_can_be_reached():
    own = network(synapses=np.zeros((3, 4), dtype=int)).bounds["out"]
    assert (own.sum_low, own.sum_high) == (-4 * 32, 4 * 31)
    narrow = network(replace(STDP, low=0, high=9), np.zeros((3, 4), dtype=int)).bounds["out"]
    assert (narrow.sum_low, narrow.sum_high) == (0, 4 * 9)
    sparse = Sparse([0, 1, 2], [0, 0, 1], [1, 1, 1], 4, 3)
    assert network(synapses=sparse).bounds["out"].sum_high == 2 * 31


def test_rule_of_a_users_own_learns_and_is_saved(tmp_path):
    own = network(Hebb(decay=LEAK, shift=3))
    spikes = (np.random.default_rng(0).random((3, 9, 4)) < 0.5).astype(int)
    learned = learn(own, spikes).network
    assert learned.projections[0] != own.projections[0]
    learned.save(tmp_path / "own.spiker")
    assert load(tmp_path / "own.spiker", neurons=[Hebb]) == learned
    with pytest.raises(FileError, match=r"rule model must be one of .*own rules to load"):
        load(tmp_path / "own.spiker")


def test_lifetimes_of_traces():
    value, steps = 255, 0
    while value:
        value -= -(-value // 4)
        steps += 1
    assert STDP.lifetimes == {"x": steps, "y": steps} == {"x": 17, "y": 17}
    assert DeltaRule(third=OutputDelta("out")).lifetimes == {"n": None}


def test_random_bits_are_uniform_and_differ_with_each_argument():
    words = row_words(step_word(1, 2, 3, 4), np.arange(4096))
    bits = random_bits(words[:, None], np.arange(16), 4)
    assert abs(np.bincount(bits.ravel(), minlength=16) - 4096).max() < 5 * 62
    for other in (step_word(2, 2, 3, 4), step_word(1, 3, 3, 4), step_word(1, 2, 4, 4)):
        again = random_bits(row_words(other, np.arange(4096))[:, None], np.arange(16), 4)
        assert abs((again == bits).mean() - 1 / 16) < 0.01
    # Of one row, samples and steps that follow each other are not correlated.
    series = [random_bits(row_words(step_word(0, n, 0, 0), 5), 3, 8) for n in range(2000)]
    centred = np.array(series) - 127.5
    for lag in (1, 2, 4):
        assert abs(np.mean(centred[lag:] * centred[:-lag])) < 5 * 5461 / 2000**0.5


@pytest.mark.parametrize(
    "rule, message",
    [
        (
            lambda: Forgetful(decay=LEAK),
            "Forgetful must not change weights of rows that it does not visit, ('on_post',), not "
            "by -4..43: add a visit, or let traces be 0 there",
        ),
        (
            lambda: Overflowing(decay=LEAK),
            "Overflowing must keep trace 'x' in 0..63, not 20..67: use via.saturate",
        ),
        (
            lambda: Hebb(decay=LEAK, shift=24, rounding="down"),
            None,
        ),
        (
            lambda: DeltaRule(third=OutputDelta("out"), shift=9, rounding="nearest"),
            "DeltaRule must be able to change a weight: changes of -120..120 in units of 1/512 "
            "round to 0; let `shift` be less, or rounding 'stochastic'",
        ),
    ],
    ids=["not visited", "trace", "warned", "nothing"],
)
def test_rule_that_cannot_be_proved_is_refused(rule, message):
    if message is None:
        with pytest.warns(UserWarning, match=r"Hebb: every rise of a weight rounds to 0"):
            rule_bounds(rule(), 8, 10)
        return
    with pytest.raises(ValueError, match="^" + re.escape(f"Rule: {message}") + "$"):
        rule_bounds(rule(), 8, 10)


def test_rule_that_branches_is_refused():
    with pytest.raises(TypeError, match=r"must not branch on an operand"):
        rule_bounds(Branching(decay=LEAK), 8, 10)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: network(bits=None), "bits of weights that a rule changes must be declared"),
        (lambda: network(static=True), "not from the static input 'in': declare it as not static"),
        (
            lambda: Projection("in", "out", Convolution([[[1, 1]]], (1, 4)), rule=STDP),
            "must be of a projection that is one of dense, sparse, one_to_one, not convolution",
        ),
        (
            lambda: network(replace(STDP, high=99)),
            "the range of a rule's weights must be within -32..31 of 6 bits, not -32..99",
        ),
        (
            lambda: network(replace(STDP, low=0, high=9)),
            "a weight must be in 0..9, the range of its rule, not 10",
        ),
        (
            lambda: network(neuron=Accumulator(width=12)),
            "PairStdp must have a target that emits events, not Accumulator",
        ),
        (
            lambda: network(DeltaRule(third=OutputDelta("none"))),
            "the readout of an error must be one of ['out'], not 'none'",
        ),
        (
            lambda: network(DeltaRule(third=Feedback(OutputDelta("out"), "none"))),
            "must come back through a projection from 'out' to 'out', not 'none'",
        ),
        (lambda: DeltaRule(), "DeltaRule must have a third factor, not None"),
        (lambda: replace(STDP, third=Reward()), "PairStdp must have no third factor, not Reward("),
        (lambda: replace(STDP, pre_decay=Decay(0, 3)), "trace 'x' must decay, not by Decay(0, 3)"),
        (lambda: replace(STDP, potentiation=256), "PairStdp potentiation must be at most 255"),
        (lambda: replace(STDP, potentiation=(1, 2)), "must be one for all pairs, not one per"),
        (
            lambda: replace(network().frozen(), learning=LearningState()),
            "Network learning must be None without a rule of learning",
        ),
    ],
    ids=lambda value: " ".join(value.split()[:5]) if isinstance(value, str) else "",
)
def test_what_cannot_learn_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)


SPIKES = np.ones((1, 3, 4), dtype=int)


@pytest.mark.parametrize(
    "call",
    [
        reference.run,
        spiker_hdl.run,
        lambda net, spikes: spiker_hdl.run(net, spikes, engine="amaranth"),
        lambda net, spikes: spiker_hdl.run(net, spikes, mapping=Mapping.default(net.frozen())),
        lambda net, _: Mapping.fast(net),
        lambda net, _: prune(net),
        lambda net, spikes: timing.predict(net, spikes),
    ],
    ids=["reference", "run", "amaranth", "mapping", "preset", "prune", "timing"],
)
def test_everything_else_refuses_a_network_that_learns(call):
    message = re.escape("the rule PairStdp of projection 'in->out': take network.frozen(), or")
    with pytest.raises(ValueError, match=message):
        call(network(), SPIKES)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"labels": [1]}, "Labels must be None: no rule learns from them"),
        ({"rewards": [1]}, "Rewards must be None: no rule learns from them"),
    ],
    ids=["labels", "rewards"],
)
def test_labels_that_no_rule_needs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        learn(network(), SPIKES, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "Labels must be given for each sample: a rule learns from them"),
        ({"labels": [3]}, "Labels must be in -1..2, not 3"),
        ({"labels": [0, 1]}, r"Labels must have the shape \(1,\), not \(2,\)"),
    ],
    ids=["missing", "beyond", "too many"],
)
def test_labels_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        learn(network(DeltaRule(third=OutputDelta("out"))), SPIKES, **options)


def test_network_without_rules_has_nothing_to_learn():
    with pytest.raises(ValueError, match="Network must have a rule of learning to learn"):
        learn(network().frozen(), SPIKES)


def test_sample_without_label_or_without_error_changes_nothing():
    start = network(DeltaRule(third=OutputDelta("out")))
    assert learn(start, SPIKES, labels=[-1]).network.projections == start.projections
    sure = np.zeros((3, 4), dtype=int)
    sure[1] = 31
    start = network(DeltaRule(third=OutputDelta("out")), sure, Accumulator(width=12))
    assert learn(start, SPIKES, labels=[1]).network.projections == start.projections
    assert learn(start, SPIKES, labels=[0]).network.projections != start.projections


@pytest.mark.parametrize(
    "rule",
    [
        RewardStdp(
            pre_decay=LEAK,
            post_decay=LEAK,
            eligibility_decay=LEAK,
            potentiation=9,
            depression=3,
            third=Reward(),
        ),
        EProp(third=OutputDelta("out"), pre_decay=LEAK, jump=9, gate_low=-3, gate_high=9),
        PostStdp(pre_decay=LEAK, potentiation=90, target=20),
        TripletStdp(
            pre_decay=LEAK,
            post_decay=LEAK,
            slow_pre_decay=LEAK,
            slow_post_decay=LEAK,
            pair_potentiation=9,
            pair_depression=9,
        ),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_one_to_one_weights_learn_and_rules_come_back_from_files(rule, tmp_path):
    start = Network(
        [Input("in", 3)],
        [Population("out", 3, Lif(threshold=2, width=12, decay=LEAK))],
        [Projection("in", "out", OneToOne([5, 6, 7]), bits=6, rule=rule)],
        [Readout("out")],
    )
    options = {"labels": [0]} if isinstance(rule, EProp) else {}
    options |= {"rewards": [1]} if isinstance(rule, RewardStdp) else {}
    learned = learn(start, SPIKES[:, :, :3], **options).network
    learned.save(tmp_path / "n.spiker")
    assert load(tmp_path / "n.spiker") == learned


def test_row_whose_pair_alone_remembers_is_visited():
    rule = EProp(third=OutputDelta("out"), pre_decay=LEAK, jump=9, gate_low=-3, gate_high=99)
    spikes = np.zeros((1, 30, 4), dtype=int)
    spikes[0, 0, 2] = 1  # its trace is 0 long before the end
    neuron = Lif(threshold=200, width=12, decay=LEAK)
    start = network(rule, np.full((3, 4), 5), neuron, readout="sum")
    changed = learn(start, spikes, labels=[0]).network.projections[0].synapses.values - 5
    assert changed[0, 2] > 0
    assert not changed[:, [0, 1, 3]].any()


def adapting(**changes):
    options = {"rise": 5, "fall": 1, "low": 3, "high": 99} | changes
    own = Population(
        "out",
        3,
        Lif(threshold=9, width=12, decay=LEAK),
        homeostasis=Homeostasis(**options),
    )
    links = [Projection("in", "out", WEIGHTS)]
    return Network([Input("in", 4)], [own], links, [Readout("out")])


def test_homeostasis_alone_is_learned_saved_and_bounded(tmp_path):
    learned = learn(adapting(), SPIKES).network
    spikes = spiker_hdl.run(adapting().frozen(), SPIKES).scores[0]
    assert learned.populations[0].neuron.threshold == tuple(9 + 5 * n - 1 for n in spikes)
    learned.save(tmp_path / "n.spiker")
    assert load(tmp_path / "n.spiker") == learned
    # A reset subtracts up to the greatest threshold.
    wide, narrow = (adapting(high=high).bounds["out"].states["v"] for high in (900, 20))
    assert wide[1] > narrow[1]
    for call in (reference.run, lambda net, _: Mapping.default(net)):
        with pytest.raises(ValueError, match="not of one with homeostasis of population 'out'"):
            call(learned, SPIKES)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: adapting(high=4000), "thresholds of a homeostasis must be in 0..2046, which the"),
        (lambda: adapting(high=8), "thresholds must be in 3..8 of the homeostasis, not 9..9"),
        (
            lambda: Population("a", 2, Accumulator(width=9), homeostasis=Homeostasis(1, 1, 0, 9)),
            "must be of neurons that fire at a threshold, not Accumulator",
        ),
    ],
    ids=["beyond", "start", "silent"],
)
def test_homeostasis_that_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
