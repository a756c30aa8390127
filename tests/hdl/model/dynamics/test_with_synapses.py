"""Neurons with several receptors, each with synaptic dynamics of its own."""

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.model import (
    Core,
    Decay,
    If,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    WithSynapse,
    WithSynapses,
    bounds,
    load,
)
from spiker_hdl.model.pruning.prune import prune
from spiker_hdl.model.pruning.reachability import find_live
from spiker_hdl.report.operation_counts import work

from support.receptors import FAST, SLOW, neuron, potentials, single, small_network


def test_currents_of_all_receptors_are_added_by_hand():
    # An event of 8 decays by half; one of 3 passes as it is; the bias reaches the plain receptor.
    network = single(neuron(FAST, None), [(8, 0), (3, 1)], bias=1)
    events = {"in0": [1, 0, 0, 1], "in1": [0, 1, 0, 1]}
    currents = np.diff([0, *potentials(network, events)]).tolist()
    assert currents == [8 + 1, 4 + 3 + 1, 2 + 1, 9 + 3 + 1]
    # Where no receptor is plain, the bias reaches the first one.
    network = single(neuron(FAST, SLOW), [(8, 0), (0, 1)], bias=2)
    currents = np.diff([0, *potentials(network, {"in0": [1, 0, 0], "in1": [0] * 3})]).tolist()
    assert currents == [10, 7, 6]


def test_one_receptor_with_events_is_a_neuron_with_a_synapse():
    for synapse in (FAST, SLOW):
        events = {"in0": [1, 0, 1, 1, 0, 0, 1]}
        both = neuron(None, synapse)
        one = WithSynapse(neuron=both.neuron, synapse=synapse)
        assert potentials(single(both, [(9, 1)]), events) == potentials(
            single(one, [(9, 0)]), events
        )


def test_writable_receptors_have_the_bounds_of_any_weights():
    network = small_network(False)
    first, second = bounds(network, ["own"])["own"].receptors
    # Weights of 4 bits from two channels; weights of 3 bits, times two, and from two neurons.
    assert [projection.width for projection in network.projections] == [4, 3, 3]
    assert (first.sum_low, first.sum_high) == (2 * -8, 2 * 7)
    assert (second.sum_low, second.sum_high) == (2 * 2 * -4 + 2 * -4, 2 * 2 * 3 + 2 * 3)


def test_each_receptor_has_bounds_of_its_own():
    lif = Lif(width=12, threshold=50, decay=Decay.shift(1))
    own = WithSynapses(neuron=lif, synapses=(FAST, None))
    network = single(own, [(100, 0), (-3, 1)], bias=2)
    first, second = network.bounds["own"].receptors
    assert (first.sum_low, first.sum_high, first.sum_width) == (0, 100, 8)
    assert (second.sum_low, second.sum_high, second.sum_width) == (-3, 0, 3)
    assert (second.current_low, second.current_high) == (-1, 2)
    assert network.bounds["own"].states["receptor0_i"] == (0, 200)


def test_network_with_receptors_is_saved(tmp_path):
    network = small_network(False)
    network.save(path := tmp_path / "own.spiker")
    assert load(path) == network
    plain = single(neuron(FAST, None), [(8, 0), (3, 0)])
    other = single(neuron(FAST, None), [(8, 0), (3, 1)])
    assert plain.digest != other.digest


def test_silent_neurons_are_pruned_by_the_current_of_all_receptors():
    own = WithSynapses(
        neuron=If(width=8, threshold=(9, 9, 100), reset="zero"), synapses=(None, FAST)
    )
    network = Network(
        [Input("in", 1)],
        [Population("own", 3, own), Population("out", 1, If(width=8, threshold=3))],
        [
            Projection("in", "own", [[5], [-1], [5]], receptor=1),
            Projection("in", "own", [[5], [0], [1]], name="b"),
            Projection("own", "out", [[3, 4, 7]]),
        ],
        [Readout("out")],
    )
    pruned = prune(network).network
    assert pruned.population["own"].size < 3
    x = np.ones((1, 9, 1), dtype=int)
    scores = spiker_hdl.run(pruned, x).scores.tolist()
    assert scores == spiker_hdl.run(network, x).scores.tolist()


def test_what_neurons_may_reach_is_by_receptor():
    # A current of 10 settles below 20, and behind FAST it would below 40.
    lif = Lif(width=10, threshold=(30, 30, 8), decay=Decay.shift(1))
    own = WithSynapses(neuron=lif, synapses=(FAST, None))
    network = Network(
        [Input("in", 1)],
        [Population("own", 3, own, 10)],
        [
            Projection("in", "own", [[-4], [0], [0]], receptor=1),
            Projection("in", "own", [[0], [6], [-2]], name="b"),
        ],
        [Readout("own")],
    )
    fires, states = find_live(network)
    assert fires["own"].tolist() == [False, True, True]
    low, high = states["own"]["receptor0_i"]
    assert (low[0], high[0]) == (0, 0)


def test_bits_of_sums_are_those_of_their_receptor_by_hand():
    network = single(neuron(None, None), [(5, 0), (-1, 1)], size=4)
    mapping = Mapping({"own": Core(2, 1)}, {"in0->own": 20, "in1->own": 20})
    first, second = (own.sum_width for own in network.bounds["own"].receptors)
    assert first > second
    events = {"in0": [1, 1, 0], "in1": [0, 0, 1]}
    x = {name: np.array(own).reshape(1, -1, 1) for name, own in events.items()}
    # Each event adds to two rows of two lanes; each of four groups reads a row in each of 3 steps.
    bits = 3 * 4 * (first + second) + 2 * 2 * 2 * first + 2 * 2 * second
    assert work(network, x, mapping=mapping)["own"].sum_bits.tolist() == [2 * bits]


def test_bias_is_added_at_the_first_plain_receptor():
    assert neuron(FAST, None, None).bias_receptor == 1
    assert neuron(FAST, SLOW).bias_receptor == 0


def test_area_and_work_have_the_sums_of_each_receptor():
    def folded(receptor, synapses):
        own = WithSynapses(neuron=If(width=8, threshold=9), synapses=synapses)
        network = Network(
            [Input("in", 3)],
            [Population("own", 400, own)],
            [
                Projection("in", "own", np.ones((400, 3), dtype=int)),
                Projection("in", "own", np.ones((400, 3), dtype=int), name="b", receptor=receptor),
            ],
            [Readout("own")],
        )
        mapping = Mapping({"own": Core(2, 1, 1)}, {"in->own": 9, "b": 9})
        counts = work(network, np.ones((1, 2, 3), dtype=int), mapping=mapping)["own"]
        return estimate_area(network, mapping, "ice40").block_rams, counts

    (rams, before), (more, other) = folded(0, (None, None)), folded(1, (None, None))
    assert more == rams + 1
    assert other.sum_reads[0] == before.sum_reads[0] + 2 * 400
    # The first event of a step is that of one receptor alone, and so all 200 rows of both are
    # cleared as they are read in its two steps.
    assert other.sum_writes[0] == before.sum_writes[0] + 2 * 2 * 200


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: single(neuron(FAST, None), [(8, 2)]),
            ValueError,
            "Projection 'in0->own': the receptor must be one of 2 of 'own', counted from 0, not 2",
        ),
        (
            lambda: Projection("a", "b", [[1]], receptor="fast"),
            TypeError,
            "Projection 'a->b' receptor must be an int, not 'fast'",
        ),
        (
            lambda: single(If(width=8, threshold=1), [(8, 1)]),
            ValueError,
            "Projection 'in0->own': the receptor must be one of 1 of 'own', counted from 0, not 1",
        ),
        (
            lambda: Projection("a", "b", [[1]], receptor=16),
            ValueError,
            "Projection 'a->b' receptor must be at most 15, not 16",
        ),
        (
            lambda: neuron(FAST),
            ValueError,
            "Synapses must be those of 2 to 16 receptors, not 1",
        ),
        (
            lambda: WithSynapses(neuron=If(width=8, threshold=1), synapses=FAST),
            TypeError,
            f"Synapses must be a sequence of Dynamics, not {FAST!r}"[:60],
        ),
        (
            lambda: neuron(FAST, 3),
            TypeError,
            "Synapse of receptor 1 must be a Dynamics, not 3",
        ),
        (
            lambda: WithSynapses(neuron=neuron(FAST, None), synapses=(None, None)),
            ValueError,
            "Neuron of several receptors must have one receptor itself, not 2",
        ),
        (
            lambda: WithSynapse(neuron=neuron(FAST, None), synapse=FAST),
            ValueError,
            "Neuron of a synapse must have one receptor, not 2",
        ),
    ],
)
def test_bad_receptors_are_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value).startswith(message)


def test_currents_are_one_for_each_receptor():
    two = neuron(None, None)
    assert two.as_current([3, 4]) == [3, 4]
    assert two.neuron.as_current([3]) == 3
    for cell, currents in ((two, [3]), (two.neuron, [3, 4])):
        with pytest.raises(ValueError, match=r"^Currents must be those of \d receptors, not \d$"):
            cell.as_current(currents)
