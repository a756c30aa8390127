"""Tests of weights of reservoirs."""

import numpy as np
import pytest

from spiker_train.network.reservoir import (
    _probabilities,
    freeze,
    reservoir_weights,
    spectral_radius,
)


def test_weights_have_their_density_signs_and_radius():
    weights = reservoir_weights(100, seed=1, density=0.2, inhibitory=0.25, radius=1.3)
    assert not weights.diagonal().any()
    assert (weights != 0).sum() / 9900 == pytest.approx(0.2, abs=0.02)
    assert np.abs(np.linalg.eigvals(weights)).max() == pytest.approx(1.3)
    negative, positive = (weights < 0).any(0), (weights > 0).any(0)
    assert negative.sum() == 25
    assert not (negative & positive).any()
    assert weights[:, negative].sum() == pytest.approx(-weights.sum(where=weights > 0), rel=0.15)
    np.testing.assert_array_equal(
        weights, reservoir_weights(100, seed=1, density=0.2, inhibitory=0.25, radius=1.3)
    )


def test_near_neurons_are_connected_more_often():
    weights = reservoir_weights((10, 10), seed=2, density=0.1, distance=2.0)
    place = np.stack(np.unravel_index(np.arange(100), (10, 10)), 1)
    length = np.sqrt(((place[:, None] - place[None]) ** 2).sum(-1))
    assert (weights != 0).sum() / 9900 == pytest.approx(0.1, abs=0.015)
    assert length[weights != 0].mean() < 2.5
    assert (weights[length == 1] != 0).mean() > 5 * (
        weights[(length > 3) & (length < 4)] != 0
    ).mean()


def test_probability_follows_the_rule_of_distances():
    # In a row of three with the length 2: c (4 exp(-1/4) + 2 exp(-1)) = 0.3 * 6.
    near, far = np.exp(-1 / 4), np.exp(-1)
    factor = 0.3 * 6 / (4 * near + 2 * far)
    expected = factor * np.array([[0, near, far], [near, 0, near], [far, near, 0]])
    np.testing.assert_allclose(_probabilities((3,), 0.3, 2.0), expected, rtol=1e-9)


def test_radius_of_a_cycle():
    assert spectral_radius([[0, 4.0], [1.0, 0]]) == pytest.approx(2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"density": 1.5}, "Density must be in 0..1, not 1.5"),
        ({"density": 0.0}, "Reservoir must have a cycle to have a spectral radius of 0.9, not 0"),
        ({"distance": -1.0}, "Distance must be greater than 0"),
        ({"radius": float("nan")}, "Spectral radius must be finite"),
    ],
    ids=["density", "cycle", "distance", "radius"],
)
def test_rule_that_cannot_be_followed_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        reservoir_weights(10, seed=0, **options)


def test_weights_and_connections_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"^Weights must be finite, not NaN or infinite$"):
        spectral_radius([[float("nan")]])
    with pytest.raises(TypeError, match=r"^Each of the connections must be a Connection, not 3$"):
        freeze(3)
