"""Tests of networks for single steps: the answers of the first step, without states."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    reference,
    timing,
)
from spiker_hdl.model.pruning.single_step import for_single_steps
from spiker_hdl.simulate import interpreted

from support.convolutions import random_map_network
from support.networks import everything, random_network, random_spikes

DRAWS = np.random.default_rng(5)
NEURONS = {
    "if": If(threshold=3, width=5),
    "at the threshold": If(threshold=3, width=5, fire=">=", reset="value", reset_value=2),
    "bounded": If(threshold=3, width=4, floor=-2),
    "of each": If(threshold=tuple(range(6)), width=6, reset="zero"),
    "leaks": Lif(threshold=4, width=6, decay=Decay.shift(2), v=-9, rest=-3),
    "always": If(threshold=-4, width=5, floor=-2, reset="zero"),
}


def of(neuron, **options):
    weights = [DRAWS.integers(-4, 5, (6, 9)), DRAWS.integers(-4, 5, (3, 6))]
    return Network(
        [Input("in", 9, 0, 3, static=True)],
        [
            Population("hidden", 6, neuron, **options),
            Population("head", 3, Integrator(decay=Decay.shift(3), width=9)),
        ],
        [Projection("in", "hidden", weights[0]), Projection("hidden", "head", weights[1])],
        [Readout("head", "last")],
    )


@pytest.mark.parametrize("bias", [0, (2, -1, 0, 4, -3, 1)])
@pytest.mark.parametrize("name", NEURONS)
def test_neurons_fire_as_in_their_first_step_and_have_no_state(name, bias):
    network = of(NEURONS[name], bias=bias)
    single = for_single_steps(network)
    spikes = DRAWS.integers(0, 4, (200, 1, 9))
    record = ["hidden"]
    expected = reference.run(network, spikes, record=record)
    result = reference.run(single, spikes, record=record)
    assert (result.spikes["hidden"] == expected.spikes["hidden"]).all()
    assert (result.classes == expected.classes).all()
    if name == "always":
        assert single.population["hidden"].neuron == NEURONS[name]
    else:
        assert {*single.bounds["hidden"].states.values()} == {(0, 0)}
        assert 0 < expected.counts["hidden"].sum() < 200 * 6
    assert single.population["head"] == network.population["head"]
    assert (single.max_steps, single.inputs[0].static) == (1, False)


def test_what_has_another_first_step_stays():
    waits = If(threshold=3, width=5, refractory=2, countdown=1)
    again = If(threshold=3, width=5, reset_timing="snntorch_immediate")
    for neuron in (waits, again):
        assert for_single_steps(of(neuron)).population["hidden"].neuron == neuron


def test_delayed_projections_are_refused():
    network = of(NEURONS["if"])
    delayed = replace(network.projections[1], delay=2)
    network = replace(network, projections=[network.projections[0], delayed])
    with pytest.raises(ValueError, match=r"^Projection 'hidden->head' must have no delay in a net"):
        for_single_steps(network)


@pytest.mark.slow
def test_random_networks_answer_as_in_their_first_step():
    count = 0
    for seed in range(80):
        random = Random(seed)
        network = random_map_network(random) if seed % 2 else random_network(random)
        if any(projection.delay for projection in network.projections):
            continue
        spikes = random_spikes(network, random, 10, 1)
        names = everything(network)
        expected = reference.run(network, spikes, record=names)
        result = reference.run(for_single_steps(network), spikes, record=names)
        for name in network.population:
            if name in expected.spikes:
                assert (result.spikes[name] == expected.spikes[name]).all(), seed
        assert (result.classes == expected.classes).all()
        count += 1
    assert count >= 10


def test_hardware_of_a_network_for_single_steps_has_no_memory_of_states():
    network = for_single_steps(of(NEURONS["leaks"]))
    mapping = Mapping.folded(network, 2)
    spikes = DRAWS.integers(0, 4, (4, 1, 9))
    result = interpreted.run(network, spikes, mapping=mapping)
    assert reference.run(network, spikes).differences(result) == []
    assert (timing.predict(network, spikes, mapping=mapping).cycles == result.cycles).all()
