"""Tests of the named mappings: they fit every network, answer alike, and cost what they are for."""

from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.model import Mapping, Network, load, timing
from spiker_hdl.model.mapping.core import Core
from spiker_hdl.model.mapping.mapping import PRESETS

from support.networks import random_network
from support.places import ROOT

NETWORKS = ROOT / "networks"


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("seed", range(12))
def test_a_preset_fits_every_network(name, seed):
    network = random_network(Random(seed))
    mapping = Mapping.preset(name, network)
    mapping.check(network)
    assert Mapping.from_json(mapping.to_json()) == mapping


def shipped(name: str) -> Network:
    return load(NETWORKS / f"{name}.spiker")


def test_presets_of_mnist():
    network = shipped("mnist_static")
    fast, balanced, small = (
        Mapping.preset(name, network) for name in ("fast", "balanced", "small")
    )
    assert fast.cores == {
        "hidden": Core(128, 16, banks=2, overlap=True),
        "output": Core(10, 10, banks=4, overlap=True),
    }
    assert balanced.cores == {
        "hidden": Core(64, 8, stages=2),
        "output": Core(10, 2, stages=2),
    }
    assert small.cores == {"hidden": Core(4, 1), "output": Core(2, 1)}
    assert (fast.word, balanced.word, small.word) == (32, 32, 16)


def test_changes_go_before_the_preset():
    mapping = Mapping.small(shipped("digits"), word=8, form="events")
    assert (mapping.word, mapping.form) == (8, "events")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_answer_as_the_reference(name):
    network = shipped("digits")
    spikes = np.random.default_rng(5).random((2, 4, network.inputs[0].size)) < 0.3
    mapping = Mapping.preset(name, network)
    result = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping)
    assert not spiker_hdl.run(network, spikes).differences(result)
    predicted = timing.predict(network, spikes, mapping=mapping)
    assert predicted.cycles.tolist() == list(result.cycles)


def test_cycles_follow_the_preset():
    network = shipped("mnist_static")
    draw = np.random.default_rng(3)
    pixels = draw.random((6, 1, network.inputs[0].size)) < 0.13
    spikes = np.repeat(pixels, 3, axis=1)
    mean = {
        name: timing.predict(network, spikes, mapping=Mapping.preset(name, network)).cycles.mean()
        for name in PRESETS
    }
    assert mean["fast"] < mean["default"] < mean["balanced"] < mean["small"]


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="Preset must be one of"):
        Mapping.preset("tiny", shipped("digits"))
