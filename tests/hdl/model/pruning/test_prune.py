"""Tests of what is dropped of a network, and that nothing changes by it."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from spiker_hdl import run
from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    AnswerPolicy,
    CurrentLif,
    Decay,
    Dense,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
    load,
    reference,
)
from spiker_hdl.model.pruning.channels import Channels, channels, describe
from spiker_hdl.model.pruning.prune import prune

from support.networks import everything, networks, random_network, random_spikes
from support.places import ROOT

NETWORKS = ROOT / "networks"

# -- by hand -------------------------------------------------------------------------------------


def chain(weights, *, neuron=None, bias=0, out=None, source=None, **options):
    """Return input -> hidden -> output, where ``weights`` are those of hidden."""
    weights = np.array(weights)
    hidden = len(weights)
    out = np.ones((2, hidden), dtype=int) if out is None else np.array(out)
    return Network(
        (source or Input("x", weights.shape[1]),),
        (
            Population("hidden", hidden, neuron or If(width=8, threshold=4), bias),
            Population("output", len(out), Integrator(width=12, decay=Decay.shift(2))),
        ),
        (
            Projection("x", "hidden", weights, **options),
            Projection("hidden", "output", out),
        ),
        (Readout("output", "last"),),
    )


def dropped(network):
    report = prune(network).report
    return report.inputs.get("x", ()), report.silent.get("hidden", ())


LEAKY = Lif(width=8, threshold=4, decay=Decay.shift(1))


@pytest.mark.parametrize(
    "neuron, weight, bias, dead",
    [
        (If(width=8, threshold=4), 1, 0, False),  # sums up in the end
        (If(width=8, threshold=4), -1, 0, True),
        (If(width=8, threshold=4), 0, 0, True),
        (If(width=8, threshold=4), 0, 1, False),
        (If(width=16, threshold=1000), 0, 1, False),  # long after all bounds are looked at
        (Lif(width=16, threshold=2000, decay=Decay.shift(10)), 1, 0, False),  # too slow to tell
        (Lif(width=16, threshold=2000, decay=Decay.shift(8)), 1, 0, True),
        (If(width=8, threshold=4), -3, 3, False),  # a silent input leaves the bias
        (If(width=8, threshold=0), 0, 0, True),
        (If(width=8, threshold=0, fire=">="), 0, 0, False),
        (If(width=8, threshold=4, v=5), -1, 0, False),  # fires at once, from its rest
        (If(width=8, threshold=4, v=4), -1, 0, True),
        (If(width=8, threshold=-3, reset="zero"), -1, 0, False),
        (If(width=8, threshold=4, countdown=1, refractory=2, v=5), 0, 0, False),
        (LEAKY, 2, 0, True),  # 2, 3, 4, 4: v - (v >> 1) + 2 stays at 4
        (LEAKY, 3, 0, False),
        (replace(LEAKY, fire=">="), 2, 0, False),
        (replace(LEAKY, threshold=3), 2, 0, False),
        (replace(LEAKY, floor=0), -100, 2, True),
        (replace(LEAKY, decay=Decay(0, 0)), 1, 0, False),
        (
            CurrentLif(
                width=8,
                threshold=8,
                decay=Decay.shift(1),
                current_decay=Decay.shift(1),
                current_width=6,
            ),
            2,
            0,
            True,  # the current reaches 4, and v - (v >> 1) + 4 stays at 8
        ),
        (
            CurrentLif(
                width=8,
                threshold=7,
                decay=Decay.shift(1),
                current_decay=Decay.shift(1),
                current_width=6,
            ),
            2,
            0,
            False,
        ),
        (
            AdaptiveLif(width=8, threshold=4, decay=Decay.shift(1), rise=3, rise_decay=Decay(1, 1)),
            2,
            0,
            True,
        ),
    ],
)
def test_neuron_that_never_fires_is_removed(neuron, weight, bias, dead):
    # The second neuron fires, so that the population lives on.
    network = chain([[weight], [100]], neuron=neuron, bias=(bias, 50))
    assert dropped(network) == ((), (0,) if dead else ())


@pytest.mark.parametrize("shift, dead", [(0, True), (1, True), (2, False)])
def test_a_shift_may_let_a_neuron_fire(shift, dead):
    network = chain([[1], [100]], neuron=LEAKY, bias=(0, 50))
    links = [replace(network.projections[0], shift=shift), *network.projections[1:]]
    network = replace(network, projections=tuple(links))
    assert dropped(network) == ((), (0,) if dead else ())
    assert prune(network).network.projections[0].shift == shift


def test_neurons_are_judged_one_by_one():
    neuron = If(width=8, threshold=(1, 9, 9, 127 - 1), v=(0, 0, 10, 0), floor=-3)
    network = chain([[1], [-1], [-1], [-1]], neuron=neuron, bias=(0, 0, 0, 1))
    pruned = prune(network)
    assert pruned.report.silent == {"hidden": (1,)}
    small = pruned.network.population["hidden"]
    assert small.neuron == If(width=8, threshold=(1, 9, 126), v=(0, 10, 0), floor=-3)
    assert small.bias == (0, 0, 1)
    assert pruned.network.projections[1].synapses == Dense(np.ones((2, 3), dtype=int))
    decays = Decay((1, 2, 3), 3)
    network = chain([[1], [0], [2]], neuron=Lif(width=8, threshold=0, decay=decays))
    assert prune(network).network.population["hidden"].neuron.decay == Decay((1, 3), 3)


def test_channels_without_weights_are_dropped():
    pruned = prune(chain([[0, 2, 0, 5], [0, 0, 0, 7]], bits=5))
    assert pruned.report.inputs == {"x": (0, 2)}
    assert pruned.report.silent == {}
    assert pruned.network.inputs == (Input("x", 2),)
    assert pruned.network.projections[0] == Projection(
        "x", "hidden", np.array([[2, 5], [0, 7]]), 0, 5
    )
    assert pruned.kept["x"].tolist() == [1, 3]
    assert pruned.report.bits_saved == 4 * 5
    assert pruned.report.bits_before == 8 * 5 + 4 * 2
    assert pruned.report.changed


def test_channels_that_reach_only_dropped_neurons_go_too():
    network = chain([[3, 0], [0, -2]])
    assert dropped(network) == ((1,), (1,))


def test_neuron_excited_only_by_removed_neurons_is_removed():
    names = ["a", "b", "c"]
    neuron = If(width=8, threshold=2)
    layers = [Population(name, 2, neuron) for name in names]
    across = np.array([[5, 0], [0, 5]])
    network = Network(
        (Input("x", 2),),
        (*layers, Population("out", 1, neuron)),
        (
            Projection("x", "a", np.array([[1, 0], [0, -1]])),
            Projection("a", "b", across),
            Projection("b", "c", OneToOne(np.array([3, 3])), delay=2),
            Projection("c", "out", np.array([[1, 1]])),
        ),
        (Readout("out"),),
    )
    report = prune(network).report
    assert report.silent == dict.fromkeys(names, (1,))
    assert report.inputs == {"x": (1,)}
    assert report.sparse == ()


def test_a_loop_that_nothing_starts_is_dropped():
    neuron = If(width=8, threshold=2)
    loop = Sparse.from_matrix(np.array([[0, 0, 9], [0, 9, 0], [0, 9, 0]]))
    projections = (
        Projection("x", "a", np.array([[4], [0], [0]])),
        Projection("a", "a", loop, delay=1),
        Projection("a", "out", np.array([[1, 1, 1]])),
    )
    parts = (Population("a", 3, neuron), Population("out", 1, neuron))
    network = Network((Input("x", 1),), parts, projections, (Readout("out"),))
    assert prune(network).report.silent == {"a": (1, 2)}
    started = replace(network, populations=(replace(parts[0], bias=(0, 1, 0)), parts[1]))
    assert prune(started).report.silent == {}


def test_neurons_of_readouts_stay_and_are_named():
    network = chain([[1], [-1]])
    read = replace(network, readouts=(Readout("hidden"), Readout("output", "last")))
    pruned = prune(read)
    assert (pruned.report.silent, pruned.report.kept_silent) == ({}, {"hidden": (1,)})
    assert not pruned.report.changed
    assert pruned.network == read
    assert pruned.network.notes == ()


def test_neuron_whose_spikes_reach_nothing_is_reported_and_kept():
    network = chain([[1], [2], [3]], out=[[1, 0, 0], [0, 0, 2]])
    assert prune(network).report.unread == {"hidden": (1,)}
    assert prune(network).network == network


@pytest.mark.parametrize("neuron", [If(width=8, threshold=4), Accumulator(width=8)])
def test_a_population_keeps_one_with_the_fewest_synapses(neuron):
    chained = chain([[-1, -1], [0, -1], [-3, 0]])
    extra = Population("aside", 3, neuron)
    network = replace(
        chained,
        populations=(*chained.populations, extra),
        projections=(
            *chained.projections,
            Projection("x", "aside", chained.projections[0].synapses),
        ),
    )
    pruned = prune(network)
    assert pruned.report.silent == {"hidden": (0, 2), "aside": (0, 2)}
    assert pruned.report.inputs == {"x": (0,)}
    assert [population.size for population in pruned.network.populations] == [1, 2, 1]
    spiking = {"hidden": (1,), "aside": (1,)} if neuron.spiking else {"hidden": (1,)}
    assert pruned.report.kept_silent == spiking
    assert pruned.report.unread == {}


def test_an_input_keeps_a_channel():
    network = chain([[0, 0, 0]], bias=1)
    assert prune(network).report.inputs == {"x": (1, 2)}
    alone = replace(network, projections=network.projections[1:])
    assert prune(alone).report.inputs == {"x": (1, 2)}
    assert prune(alone).network.inputs[0].size == 1


def test_one_to_one_becomes_sparse_where_its_ends_differ():
    neuron = If(width=8, threshold=2)
    network = Network(
        (Input("x", (2, 2), -3, 3),),
        (Population("a", (2, 2), neuron, (0, 0, 0, 0)), Population("b", 4, neuron)),
        (
            Projection("x", "a", OneToOne(np.array([1, 0, 2, 3])), bits=4),
            Projection("x", "b", OneToOne(np.array([0, 3, 0, 1])), delay=1),
            Projection("a", "b", OneToOne(np.array([1, 0, -2, 5]))),
        ),
        (Readout("b"),),
    )
    pruned = prune(network)
    assert pruned.report.silent == {"a": (1,)}
    assert pruned.report.sparse == ("x->a", "a->b")
    first, second, third = pruned.network.projections
    assert first.synapses == Sparse(
        np.array([0, 2, 3]), np.array([0, 1, 2]), np.array([1, 2, 3]), 4, 3
    )
    assert (first.bits, second.synapses) == (4, OneToOne(np.array([0, 3, 0, 1])))
    assert third.synapses == Sparse(
        np.array([0, 1, 2]), np.array([0, 2, 3]), np.array([1, -2, 5]), 3, 4
    )


def test_one_to_one_stays_where_its_ends_agree():
    neuron = If(width=8, threshold=2)
    network = Network(
        (Input("x", 3),),
        (Population("a", 3, neuron), Population("b", 1, neuron)),
        (
            Projection("x", "a", OneToOne(np.array([1, -1, 2]))),
            Projection("a", "b", np.array([[1, 1, 1]])),
        ),
        (Readout("b"),),
    )
    pruned = prune(network)
    assert pruned.network.projections[0].synapses == OneToOne(np.array([1, 2]))
    assert pruned.report.sparse == ()


def test_report_converts_to_json():
    report = prune(chain([[0, 2], [0, -7]])).report
    assert report.to_json() == {
        "inputs": {"x": [0]},
        "silent": {"hidden": [1]},
        "kept_silent": {},
        "unread": {},
        "sparse": [],
        "bits_before": 4 * 4 + 4 * 2,
        "bits_after": 3 + 2 * 2,
        "bits_saved": 17,
    }


# -- samples and results -------------------------------------------------------------------------


def test_select_takes_all_forms_of_samples():
    pruned = prune(chain([[0, 2, 0], [0, 0, 7]]))
    spikes = np.array([[[1, 1, 0], [1, 0, 1]], [[0, 0, 1], [1, 1, 1]]])
    for samples in (spikes, list(spikes), {"x": spikes}, {"x": [*spikes]}, spikes.astype(bool)):
        chosen = pruned.select(samples)
        assert list(chosen) == ["x"]
        assert np.array_equal(np.array(chosen["x"]), spikes[:, :, 1:])
        assert not reference.run(pruned.network, chosen).differences(
            reference.run(pruned.original, samples)
        )


@pytest.mark.parametrize(
    "spikes, message",
    [
        (np.zeros((1, 2, 2), int), r"must have the shape \(samples, steps, 3\), not \(1, 2, 2\)"),
        (np.full((1, 2, 3), 2), "must be in 0..1, not 2"),
        ({"y": np.zeros((1, 2, 3), int)}, r"must be given for \['x'\], not \['y'\]"),
    ],
)
def test_select_refuses_spikes_of_another_network(spikes, message):
    with pytest.raises(ValueError, match=message):
        prune(chain([[0, 2, 0], [0, 0, 7]])).select(spikes)


def test_expand_inserts_constant_states_and_refuses_others():
    neuron = If(width=8, threshold=4, v=(0, 3, -2), floor=-9)
    # The second never moves; the third goes down.
    network = chain([[3, 0], [0, 0], [0, -2]], neuron=neuron)
    pruned = prune(network)
    assert pruned.report.silent == {"hidden": (1, 2)}
    spikes = np.ones((2, 5, 2), dtype=int)
    small = reference.run(pruned.network, pruned.select(spikes), record=["hidden", "output.v"])
    whole = pruned.expand(small)
    expected = reference.run(network, spikes, record=["hidden", "output.v"])
    assert whole.spikes["hidden"].shape == (2, 5, 3)
    assert not expected.differences(whole)
    states = reference.run(pruned.network, pruned.select(spikes), record=["hidden.v"])
    with pytest.raises(ValueError, match=r"not 'hidden.v': neuron 2 was, and its state changes"):
        pruned.expand(states)
    steady = chain([[3, 0], [0, 0]], neuron=replace(neuron, v=(0, 3)))
    pruned = prune(steady)
    states = reference.run(pruned.network, pruned.select(spikes), record=["hidden.v"])
    whole = pruned.expand(states)
    assert (whole.spikes["hidden.v"][:, :, 1] == 3).all()
    assert not reference.run(steady, spikes, record=["hidden.v"]).differences(whole)


# -- against the model ---------------------------------------------------------------------------


def thinned(network, random):
    """Return a network with channels that nothing weighs and neurons held down."""
    draw = np.random.default_rng(random.getrandbits(64))
    deaf = {
        population.name: draw.random(population.size) < 0.3 for population in network.populations
    }
    mute = {node.name: draw.random(node.size) < 0.3 for node in network.inputs}
    projections = []
    for projection in network.projections:
        synapses = projection.synapses
        if isinstance(synapses, Sparse):
            sources, targets = synapses.sources, synapses.targets
        elif isinstance(synapses, OneToOne):
            sources = targets = np.arange(len(synapses.weights))
        else:
            targets, sources = np.indices(synapses.weights.shape)
        zero = deaf[projection.target][targets]
        if projection.source in mute:
            zero = zero | mute[projection.source][sources]
        weights = np.where(zero, 0, synapses.weights)
        projections.append(replace(projection, synapses=replace(synapses, weights=weights)))
    populations = []
    for population in network.populations:
        bias = (
            population.bias
            if isinstance(population.bias, tuple)
            else (population.bias,) * population.size
        )
        down = deaf[population.name] & (draw.random(population.size) < 0.7)
        bias = tuple(-1000 if low else own for low, own in zip(down, bias, strict=True))
        populations.append(replace(population, bias=bias))
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def check(network, spikes):
    """Assert that nothing changes but sizes, and return what was dropped."""
    pruned = prune(network)
    report, small = pruned.report, pruned.network
    names, expected = everything(network), {}
    known = [
        name
        for name in names
        if "." not in name
        or set(report.silent.get(name.split(".")[0], ())) <= set(pruned.constant.get(name, ()))
    ]
    expected = reference.run(network, spikes, record=names)
    result = reference.run(small, pruned.select(spikes), record=known)
    whole = pruned.expand(result)
    assert not expected.differences(whole)
    assert set(whole.spikes) == set(known)
    for name, these in report.silent.items():  # what the report says of them holds
        if name in expected.spikes:
            assert not any(np.any(trace[:, list(these)]) for trace in expected.spikes[name])
    for node in small.inputs:  # nothing is left over
        used = np.zeros(node.size, dtype=bool)
        for projection in small.out_of(node.name):
            used |= projection.synapses.matrix().any(axis=0)
        assert used.all() or node.size == 1
    again = prune(small)
    assert again.network == small
    assert not again.report.changed
    assert report.bits_saved == network.weight_bits - small.weight_bits >= 0
    assert report.changed == (small != network)
    for name, these in pruned.kept.items():
        assert len(these) == small.nodes[name].size > 0
    taken = channels(small)
    assert {name: item.kept.tolist() for name, item in taken.items()} == {
        name: pruned.kept[name].tolist() for name in report.inputs
    }
    return report


def test_random_networks_answer_as_before():
    drawn = []
    for seed in range(14):
        random = Random(seed)
        network = thinned(random_network(random, populations=(1, 4), neurons=(1, 20)), random)
        drawn.append((network, check(network, random_spikes(network, random, 4, (1, 12)))))
    reports = [report for _, report in drawn]
    fires = [
        population.size
        for network, _ in drawn
        for population in network.populations
        if population.neuron.spiking
    ]
    silent = sum(len(these) for report in reports for these in report.silent.values())
    inputs = sum(len(these) for report in reports for these in report.inputs.values())
    print(f"{silent} neurons and {inputs} channels dropped of {len(drawn)} networks")
    assert silent > 0.1 * sum(fires)
    assert inputs > 3 * len(drawn)
    assert sum(bool(report.silent) for report in reports) > 0.4 * len(drawn)
    assert sum(bool(report.kept_silent) for report in reports) > 0.3 * len(drawn)
    assert any(report.sparse for report in reports)
    assert any(report.unread for report in reports)


@settings(deadline=None, max_examples=8)
@given(networks(neurons=12, channels=12), strategies.integers(0, 2**32), strategies.booleans())
def test_any_network_answers_as_before(network, seed, thin):
    random = Random(seed)
    network = thinned(network, random) if thin else network
    check(network, random_spikes(network, random, 3, (1, 8)))


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(networks(), strategies.integers(0, 2**32))
def test_many_networks_answer_as_before(network, seed):
    random = Random(seed)
    network = thinned(network, random)
    check(network, random_spikes(network, random, 3, (1, 16)))


@pytest.mark.parametrize("reports", [AnswerPolicy(window=3), AnswerPolicy(early="exact")])
def test_windows_and_early_answers_are_as_before(reports):
    neuron = Lif(width=8, threshold=6, decay=Decay.shift(2))
    draws = np.random.default_rng(3)
    network = chain(np.where(draws.random((9, 7)) < 0.4, draws.integers(-6, 9, (9, 7)), 0))
    network = replace(
        network, populations=(*network.populations[:1], Population("output", 2, neuron))
    )
    network = replace(network, readouts=(Readout("output", "count"),))
    network = replace(thinned(network, Random(0)), max_steps=12)
    pruned = prune(network)
    assert pruned.report.inputs
    assert pruned.report.silent
    spikes = draws.integers(0, 2, (20, 12, 7))
    result = reference.run(
        pruned.network, pruned.select(spikes), reports=reports, record=["hidden"]
    )
    expected = reference.run(network, spikes, reports=reports, record=["hidden"])
    assert not expected.differences(pruned.expand(result))


@pytest.mark.parametrize("static", [False, True])
def test_hardware_of_the_pruned_network_answers_as_the_original(static):
    draws = np.random.default_rng(5)
    weights = np.where(draws.random((6, 10)) < 0.5, draws.integers(-4, 7, (6, 10)), 0)
    weights[:, [0, 4, 9]], weights[[1, 3]] = 0, -1
    source = Input("x", (2, 5), 0, 3, static=static)
    out = draws.integers(-3, 4, (2, 6))
    network = chain(weights, source=source, out=out, bias=(1, 0, 0, -1, 0, 2))
    pruned = prune(network)
    assert pruned.report.silent == {"hidden": (1, 3)}
    spikes = draws.integers(0, 4, (4, 1 if static else 5, 10))
    spikes = np.repeat(spikes, 5, axis=1) if static else spikes
    result = run(pruned.network, pruned.select(spikes), engine="amaranth")
    assert not run(network, spikes).differences(result)


@pytest.mark.parametrize("name", ["mnist", "mnist_static"])
def test_channels_without_weights_are_removed_from_a_trained_network(name):
    network = load(NETWORKS / f"{name}.spiker")
    assert not prune(network).report.changed  # training leaves weights everywhere
    first = network.projections[0]
    weights = np.where(np.abs(first.synapses.weights) > 3, first.synapses.weights, 0)
    weights[::7] = -1
    cut = replace(first, synapses=Dense(weights))
    network = replace(network, projections=(cut, *network.projections[1:]))
    report = check(network, np.random.default_rng(0).integers(0, 2, (9, 1, 784)))
    print(f"{name}: {len(report.inputs['input'])} channels, {report.bits_saved} bits")
    assert len(report.silent["hidden"]) >= 19


# -- notes ---------------------------------------------------------------------------------------


def test_notes_list_the_remaining_channels():
    network = replace(chain([[0, 2, 3, 0, 9]]), notes={"data": "mine"})
    small = prune(network).network
    assert small.note == {"data": "mine", "channels of input 0": "5: 1-2,4"}
    assert channels(network) == {}
    taken = channels(small)["x"]
    assert (taken.size, taken.kept.tolist()) == (5, [1, 2, 4])
    assert taken.select(np.arange(5)[None]).tolist() == [[1, 2, 4]]


def test_notes_go_back_to_the_first_network():
    once = prune(chain([[0, 2, 3, 0, 9]])).network
    weights = np.array([[2, 0, 9]])
    twice = prune(
        replace(once, projections=(Projection("x", "hidden", weights), once.projections[1]))
    )
    assert twice.network.note == {"channels of input 0": "5: 1,4"}
    assert twice.kept["x"].tolist() == [0, 2]


def test_long_notes_are_cut_into_parts(tmp_path):
    weights = np.zeros((1, 4096), dtype=int)
    weights[0, ::2] = 5
    network = prune(chain(weights)).network
    assert len(network.notes) > 4
    network.save(tmp_path / "a.spiker")
    assert channels(load(tmp_path / "a.spiker"))["x"].kept.tolist() == [*range(0, 4096, 2)]
    assert describe(network, {}) == {}


@settings(deadline=None)
@given(strategies.sets(strategies.integers(0, 60), min_size=1), strategies.integers(0, 5))
def test_channels_are_read_as_written(kept, more):
    created = Channels(max(kept) + 1 + more, np.array(sorted(kept)))
    read = Channels.parse(created.text)
    assert (read.size, read.kept.tolist()) == (created.size, created.kept.tolist())


@pytest.mark.parametrize(
    "notes, message",
    [
        ({"channels of input 0": "all"}, "must be such as '784: 12-15,20', not 'all'"),
        ({"channels of input 0": "5: 1,1,4"}, r"must ascend within 0..4, not \[1, 1, 4\]"),
        ({"channels of input 0": "5: 3,1,4"}, r"must ascend within 0..4, not \[3, 1, 4\]"),
        ({"channels of input 0": "5: 4-2"}, r"must ascend within 0..4, not \[4, 2\]"),
        ({"channels of input 0": "5: 3-5"}, r"must ascend within 0..4, not \[3, 5\]"),
        ({"channels of input 0": "5: 3-4"}, "must name 3, which the input takes, not 2"),
        ({"channels of input 1": "5: 1-3"}, "of its inputs, not 'channels of input 1'"),
        ({"channels of input 0 part 2": "5: 1-3"}, "not 'channels of input 0 part 2'"),
    ],
)
def test_notes_that_lie_are_refused(notes, message):
    network = replace(chain([[1, 2, 3]]), notes=notes)
    with pytest.raises(ValueError, match=message):
        channels(network)
    with pytest.raises(ValueError, match=message):
        prune(network)


def test_a_projection_too_large_to_be_sparse_is_refused():
    size = 20000
    weights = np.ones(size, dtype=int)
    weights[0] = -1
    neuron = If(width=8, threshold=0)
    network = Network(
        (Input("x", size),),
        (Population("a", size, neuron), Population("b", 1, neuron)),
        (
            Projection("x", "a", OneToOne(weights)),
            Projection("x", "b", np.ones((1, size), dtype=int)),
            Projection("a", "b", np.ones((1, size), dtype=int)),
        ),
        (Readout("b"),),
    )
    with pytest.raises(ValueError, match=r"Projection 'x->a': Synapses must be among at most"):
        prune(network)
