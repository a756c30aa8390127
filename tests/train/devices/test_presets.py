"""Tests of the devices of publications, by their equations as numbers."""

from math import log

import pytest
import torch

from spiker_train import generator, hfox_reram, pcm

COUNT = 20000


@pytest.mark.parametrize(
    "g, sigma, mu, deviation, q",
    [
        (1.0, 1.0569, 0.049, 0.008, 0.0088),
        (0.5, 0.9527, 0.049, 0.008, 0.01381),
        (0.1, 0.4483, 0.06009, 0.02288, 0.03931),
    ],
)
def test_phase_change_memory_has_the_numbers_of_its_source(g, sigma, mu, deviation, q):
    programmed = pcm().program(torch.full((COUNT,), g * 25e-6), generator(1))
    noise = programmed.initial * 1e6 - 25 * g
    assert float(noise.std()) == pytest.approx(sigma, rel=0.03)
    late = programmed.at(20 * 1e4)
    exponents = -(late.conductance / programmed.initial).log() / log(1e4)
    assert float(exponents.mean()) == pytest.approx(mu, abs=0.001)
    assert float(exponents.std()) == pytest.approx(deviation, rel=0.03)
    reads = (late.read(generator(2)) / late.conductance) - 1
    grown = log((2e5 + 250e-9) / 500e-9) ** 0.5
    assert float(reads.std()) == pytest.approx(q * grown, rel=0.03)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize(
    "seconds, sigma", [(1, 2.02294), (86400, 3.909), (172800, 3.92913), (0.5, 2.02294)]
)
def test_hafnium_oxide_has_the_numbers_of_its_source(seconds, sigma, scale):
    g = 0.5
    high = scale * 40e-6
    programmed = hfox_reram(high).program(torch.full((COUNT,), g * high), generator(1))
    spread = float(programmed.at(seconds).conductance.std()) * 1e6
    assert spread == pytest.approx(scale * sigma, rel=0.02)


def test_hafnium_oxide_is_refused_after_its_measurements():
    programmed = hfox_reram().program([10e-6], generator(1))
    with pytest.raises(ValueError, match="Time must be at most 172800 s"):
        programmed.at(200000).read(generator(2))
