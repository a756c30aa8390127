"""Tests of flipped bits: samples detect those with which whole runs have other answers."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export.samples.bit_flips import draw_flips
from spiker_hdl.export.samples.detector import Detector
from spiker_hdl.model import Dense, OneToOne, Sparse
from spiker_hdl.model.parameters import values_of

from support.networks import random_network, random_spikes


def altered(network, flip):
    """Return the network with the flip in it; None where that is no network."""
    projections, populations = list(network.projections), list(network.populations)
    if flip.projection is not None:
        n = projections.index(flip.projection)
        synapses = flip.projection.synapses
        matrix = np.array(synapses.matrix())
        matrix[flip.neuron, flip.source] += flip.change >> flip.projection.shift
        if synapses.kind == "one_to_one":
            synapses = OneToOne(np.diagonal(matrix))
        else:
            synapses = (Sparse.from_matrix if synapses.kind == "sparse" else Dense)(matrix)
        projections[n] = replace(flip.projection, synapses=synapses, bits=None)
    else:
        (n,) = [n for n, other in enumerate(populations) if other.name == flip.population]
        population = populations[n]
        value = values_of(population)[flip.parameter]
        value = list(value) if isinstance(value, tuple) else [value] * population.size
        value[flip.neuron] += flip.change
        changes = {flip.parameter: tuple(value)}
        populations[n] = (
            replace(population, **changes)
            if flip.parameter == "bias"
            else replace(population, neuron=population.neuron.with_values(changes))
        )
    return replace(network, projections=tuple(projections), populations=tuple(populations))


@pytest.mark.parametrize("seed", range(12))
def test_flips_are_detected_where_whole_runs_differ(seed):
    random = Random(seed)
    network = random_network(random, neurons=(1, 12), static=0.2)
    stimulus = random_spikes(network, random, 6, 5)
    stimulus = {name: np.stack(list(samples)) for name, samples in stimulus.items()}
    flips = draw_flips(network, 60, np.random.default_rng(seed))
    detects = Detector(network, stimulus).detects(flips)
    expected = spiker_hdl.run(network, stimulus)
    compared = 0
    for flip, detected in zip(flips, detects, strict=True):
        try:
            other = altered(network, flip)
        except ValueError:  # out of the range that is declared
            continue
        result = spiker_hdl.run(other, stimulus)
        differs = np.zeros(6, dtype=bool)
        for name, answer in expected.answers.items():
            differs |= (result.answers[name].scores != answer.scores).any(axis=1)
        for name, count in expected.counts.items():
            differs |= result.counts[name] != count
        assert detected.tolist() == differs.tolist(), flip
        compared += 1
    assert compared > 20
