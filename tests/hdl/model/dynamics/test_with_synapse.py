"""Neurons with synaptic dynamics: what they compute, everywhere, and how they are saved."""

import json
import zipfile
from dataclasses import dataclass, field, replace
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.model import (
    ARRAYS,
    INTEGERS,
    Accumulator,
    CurrentLif,
    Decay,
    Dynamics,
    FirstOrder,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    SecondOrder,
    SpikingNeuron,
    WithSynapse,
    load,
    signed_range,
    state,
)
from spiker_hdl.model.neurons.spiking import RESET_TIMINGS
from spiker_hdl.model.pruning.prune import prune

SLOW, FAST = Decay.shift(2), Decay.shift(1)
FIRST = FirstOrder(decay=SLOW, width=7)
SECOND = SecondOrder(decay=SLOW, rise=FAST, width=8)


def small(neuron, readout="count", size=5):
    """Make a network of one population, with a bias."""
    weights = np.random.default_rng(3).integers(-4, 9, (size, 6))
    return Network(
        [Input("in", 6)],
        [Population("own", size, neuron, tuple(n % 3 - 1 for n in range(size)))],
        [Projection("in", "own", weights)],
        [Readout("own", readout)],
    )


SPIKES = (np.random.default_rng(0).random((3, 16, 6)) < 0.4).astype(int)


@pytest.mark.parametrize("seed", range(6))
def test_first_order_into_lif_equals_current_lif_bit_for_bit(seed):
    random = Random(seed)
    for _ in range(20):
        timing = random.choice([*RESET_TIMINGS])
        decays = [Decay(tuple(random.choices(range(9), k=4)), 3) for _ in range(2)]
        own = {
            "width": 7,
            "threshold": tuple(random.choices(range(40), k=4)),
            "decay": decays[0],
            "reset": random.choice(RESET_TIMINGS[timing]),
            "reset_timing": timing,
            "refractory": random.choice([0, (0, 2, 1, 3)]),
            "refractory_input": random.choice(["lost", "kept"]),
            "rest": random.choice([0, 7]),
            "floor": random.choice([None, -9]),
        }
        wide, start = random.choice([5, 9]), random.randint(-9, 9)
        current = CurrentLif(**own, current_decay=decays[1], current_width=wide, i=start)
        composed = WithSynapse(
            neuron=Lif(**own), synapse=FirstOrder(decay=decays[1], width=wide, i=start)
        )
        names = {name: "synapse_i" if name == "i" else name for name in current.states}
        assert set(names.values()) == set(composed.states)
        states = [_rest(neuron) for neuron in (current, composed)]
        for _ in range(24):
            x = np.array(random.choices(range(-20, 40), k=4))
            (fired, states[0]), (also, states[1]) = (
                _step(neuron, before, x)
                for neuron, before in zip((current, composed), states, strict=True)
            )
            assert np.array_equal(fired, also)
            for name, other in names.items():
                assert np.array_equal(states[0][name], states[1][other])


def _rest(neuron):
    return {name: np.broadcast_to(state.rest, 4) for name, state in neuron.states.items()}


def _step(neuron, before, x):
    p = neuron.bind({name: np.asarray(p.value) for name, p in neuron.parameters.items()})
    return neuron.step(p, SimpleNamespace(**before), x, ARRAYS)


def test_first_order_into_lif_has_the_bounds_of_current_lif():
    own = {"width": 8, "threshold": 20, "decay": SLOW}
    first = small(CurrentLif(**own, current_decay=FAST, current_width=9))
    other = small(WithSynapse(neuron=Lif(**own), synapse=FirstOrder(decay=FAST, width=9)))
    bounds, also = first.bounds["own"], other.bounds["own"]
    assert replace(bounds, states={}) == replace(also, states={})
    assert {"v": bounds.states["v"], "synapse_i": bounds.states["i"]} == {
        name: also.states[name] for name in ("v", "synapse_i")
    }


NEURONS = {
    "first order": WithSynapse(neuron=Lif(width=8, threshold=20, decay=SLOW), synapse=FIRST),
    "second order": WithSynapse(neuron=If(width=8, threshold=20), synapse=SECOND),
    "integrator": WithSynapse(neuron=Integrator(width=9, decay=FAST, floor=-9), synapse=SECOND),
    "nested": WithSynapse(
        neuron=WithSynapse(
            neuron=WithSynapse(
                neuron=If(width=9, threshold=20, refractory=(0, 1, 2, 0, 1)), synapse=FIRST
            ),
            synapse=SECOND,
        ),
        synapse=replace(FIRST, decay=Decay((1, 2, 3, 4, 0), 2), width=8),
    ),
}


@pytest.mark.parametrize("name", NEURONS)
def test_neuron_with_a_synapse_is_the_same_on_every_engine(name, tmp_path):
    torch = pytest.importorskip("torch")
    from spiker_train import Connection, IntegerCell, Layer, Quantization, SpikingNetwork, quantize

    neuron = NEURONS[name]
    network = small(neuron, "count" if neuron.spiking else "last")
    record = [f"own.{state}" for state in neuron.states] + ["own"] * neuron.spiking
    reference = spiker_hdl.run(network, SPIKES, record=record)
    if neuron.spiking:
        assert 0.02 < reference.spikes["own"].mean() < 0.9
    assert (
        reference.differences(spiker_hdl.run(network, SPIKES, engine="amaranth", record=record))
        == []
    )
    network.save(tmp_path / "own.spiker")
    assert load(tmp_path / "own.spiker") == network
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("own", 5, IntegerCell(neuron, scale=1.0), bias=np.arange(5) % 3 - 1.0)],
        [Connection("in", "own", network.projections[0].synapses.weights.astype(float))],
        [Readout("own", "count" if neuron.spiking else "last")],
    )
    settings = Quantization(weights=5, potentials=9)
    assert quantize(net, settings).populations == network.populations
    with torch.no_grad():
        trained = net(SPIKES, integers=settings.fit(net), record=record)
    for state_name in record:
        values = {**trained.states, **trained.spikes}[state_name].numpy()
        assert np.array_equal(values, reference.spikes[state_name])


def test_names_of_nested_synapses_count_from_the_neuron():
    assert [*NEURONS["nested"].states] == [
        *("v", "countdown", "pending", "synapse_i", "synapse2_slow", "synapse2_fast"),
        "synapse3_i",
    ]
    assert [*NEURONS["nested"].parameters][-4:] == [
        *("synapse_decay", "synapse2_decay", "synapse2_rise", "synapse3_decay"),
    ]
    assert NEURONS["nested"].potential == "v"
    assert not NEURONS["integrator"].spiking


def test_pruning_keeps_the_values_of_the_neurons_that_remain():
    neuron = WithSynapse(
        neuron=If(width=8, threshold=(9, 100, 7), refractory=(1, 2, 3)),
        synapse=FirstOrder(decay=Decay((1, 2, 3), 2), width=5, i=(3, -4, 5)),
    )
    network = Network(
        [Input("in", 2)],
        [
            Population("own", 3, neuron),
            Population("out", 1, Accumulator(width=12)),
        ],
        [
            Projection("in", "own", np.array([[3, 0], [-1, 0], [4, 2]])),
            Projection("own", "out", np.ones((1, 3), dtype=int)),
        ],
        [Readout("out", "last")],
    )
    kept = prune(network).network.population["own"]
    assert kept.neuron == WithSynapse(
        neuron=If(width=8, threshold=(9, 7), refractory=(1, 3)),
        synapse=FirstOrder(decay=Decay((1, 3), 2), width=5, i=(3, 5)),
    )


def test_file_has_version_2_and_names_the_dynamics(tmp_path):
    small(NEURONS["second order"]).save(path := tmp_path / "own.spiker")
    with zipfile.ZipFile(path) as archive:
        text = json.loads(archive.read("network.json"))
    neuron = text["populations"][0]["neuron"]
    assert text["version"] == 2
    assert (neuron["model"], neuron["neuron"]["model"]) == ("WithSynapse", "If")
    assert neuron["synapse"] == {
        "model": "SecondOrder",
        "decay": {"numerator": 1, "bits": 2},
        "rise": {"numerator": 1, "bits": 1},
        "width": 8,
        "slow": 0,
        "fast": 0,
    }


@dataclass(frozen=True)
class Doubled(Dynamics):
    """Dynamics of a user: the sum of the events of two steps."""

    width: int = field(kw_only=True)
    last: Any = state("width")

    def step(self, p, s, x, via=INTEGERS):
        return s.last + x, {"last": via.saturate(x, *signed_range(self.width))}


def test_dynamics_of_a_user_are_handed_to_load(tmp_path):
    network = small(WithSynapse(neuron=If(width=8, threshold=20), synapse=Doubled(width=6)))
    network.save(path := tmp_path / "own.spiker")
    assert load(path, neurons=[Doubled]) == network
    with pytest.raises(spiker_hdl.model.FileError) as info:
        load(path)
    assert "not 'Doubled'; hand the classes" in str(info.value)
    reference = spiker_hdl.run(network, SPIKES)
    assert reference.differences(spiker_hdl.run(network, SPIKES, engine="amaranth")) == []


@dataclass(frozen=True)
class Clash(SpikingNeuron):
    """A neuron with a state that a synapse has, too."""

    synapse_i: Any = state(4)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: WithSynapse(neuron=FIRST, synapse=FIRST),
            TypeError,
            f"Neuron of a synapse must be a Neuron, not {FIRST!r}",
        ),
        (
            lambda: WithSynapse(neuron=If(width=8, threshold=2), synapse=None),
            TypeError,
            "Synapse of a neuron must be a Dynamics, not None",
        ),
        (
            lambda: WithSynapse(neuron=Clash(width=8, threshold=2), synapse=FIRST),
            ValueError,
            "Fields of Clash must not be named 'synapse_i', as its synapse's is",
        ),
        (
            lambda: small(WithSynapse(neuron=NEURONS["nested"], synapse=FIRST), size=4),
            ValueError,
            "Parameters per neuron of population 'own' must be 4, not 5",
        ),
    ],
)
def test_bad_neuron_with_a_synapse_is_refused(make, error, message):
    assert issubclass(WithSynapse, Neuron)
    with pytest.raises(error) as info:
        make()
    assert str(info.value) == message
