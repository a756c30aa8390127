"""Tests of sources of spikes: worked cases, the hardware's encoders, statistics, bad input."""

import hashlib
import math
import re

import numpy as np
import pytest

from spiker_hdl.model import encoders
from spiker_train import ConversionLoss, LossyConversionError
from spiker_train.data.sources import delta, first_spike, intervals, poisson, rate, spike_times

VALUES = np.arange(256).reshape(2, 128)


# -- times and intervals -------------------------------------------------------------------------


def test_spike_times_are_in_their_steps():
    spikes = spike_times([[[0.0, 0.35], []], [[0.1], [0.3, 0.1 + 0.1]]], 0.1, steps=4)
    assert spikes.dtype == np.uint8
    assert spikes[0].T.tolist() == [[1, 0, 0, 1], [0, 0, 0, 0]]
    assert spikes[1].T.tolist() == [[0, 1, 0, 0], [0, 0, 1, 1]]


def test_spike_times_that_do_not_fit_are_refused_or_counted():
    times = [[[0.01, 0.02, 0.5]]]
    with pytest.raises(LossyConversionError, match=r"not lose 1 over .* and 1 after the last"):
        spike_times(times, 0.1, steps=4)
    loss = ConversionLoss()
    assert spike_times(times, 0.1, steps=4, loss=loss)[0, :, 0].tolist() == [1, 0, 0, 0]
    assert (loss.clipped, loss.cut) == (1, 1)
    assert spike_times(times, 0.1, steps=6, greatest=2)[0, :, 0].tolist() == [2, 0, 0, 0, 0, 1]


def test_intervals_add_up_and_one_repeats():
    spikes = intervals([[[0.2, 0.1], 0.2, math.inf, [], [0.3, math.inf]]], 0.1, steps=7)
    assert spikes[0].T.tolist() == [
        [0, 0, 1, 1, 0, 0, 0],
        [0, 0, 1, 0, 1, 0, 1],
        [0] * 7,
        [0] * 7,
        [0, 0, 0, 1, 0, 0, 0],
    ]


def test_intervals_repeat_without_drift():
    spikes = intervals([[1e-3]], 1e-3, steps=5000)
    assert spikes[0, :, 0].tolist() == [0] + [1] * 4999


# -- Poisson -------------------------------------------------------------------------------------


def test_poisson_spikes_have_the_exact_probability():
    rates = np.array([[0.0, 100.0, 500.0, 1000.0]])
    spikes = poisson(rates, 1e-3, steps=40_000, seed=1)[0]
    chance = 1 - np.exp(-rates[0] * 1e-3)
    error = np.sqrt(chance * (1 - chance) / 40_000)
    assert (abs(spikes.mean(0) - chance) <= 4 * error).all()
    assert spikes.max() == 1


def test_poisson_counts_have_the_mean_and_the_variance_of_the_rate():
    means = np.array([[0.0, 0.3, 4.0, 128.0]])
    counts = poisson(means * 10, 0.1, steps=20_000, seed=2, form="counts")[0].astype(float)
    error = np.sqrt(means[0] / 20_000)
    assert (abs(counts.mean(0) - means[0]) <= 4 * error).all()
    assert counts.var(0) == pytest.approx(means[0], rel=0.05)
    chance = [math.exp(-4) * 4**n / math.factorial(n) for n in range(10)]
    share = [(counts[:, 2] == n).mean() for n in range(10)]
    assert share == pytest.approx(chance, abs=0.012)


def test_poisson_sample_depends_on_seed_and_number_alone():
    rates = np.full((5, 6), 300.0)
    spikes = poisson(rates, 1e-3, steps=20, seed=7)
    np.testing.assert_array_equal(spikes, poisson(rates, 1e-3, steps=20, seed=7))
    np.testing.assert_array_equal(spikes[:2], poisson(rates[:2], 1e-3, steps=20, seed=7))
    assert not np.array_equal(spikes, poisson(rates, 1e-3, steps=20, seed=8))
    assert not np.array_equal(spikes[0], spikes[1])
    by_step = np.repeat(rates[:, None], 20, axis=1)
    np.testing.assert_array_equal(spikes, poisson(by_step, 1e-3, steps=20, seed=7))
    digest = hashlib.sha256(np.packbits(spikes).tobytes()).hexdigest()
    assert digest[:16] == "b6fd9134a27acd51"  # the same bits with every version of NumPy


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 4, 7, 255])
def test_rate_is_the_hardware_encoder(steps):
    expected = encoders.rate(VALUES, steps)
    np.testing.assert_array_equal(rate(VALUES, steps), expected)
    np.testing.assert_array_equal(rate(VALUES / 256, steps), expected)
    np.testing.assert_array_equal(rate(VALUES.tolist(), steps), expected)


def test_rate_of_one_spikes_in_every_step():
    assert rate(np.array([[1.0, 0.5, 0.25, 0.0]]), 4)[0].T.tolist() == [
        [1, 1, 1, 1],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize("steps", [1, 4, 7, 256])
def test_linear_first_spike_is_the_hardware_encoder(steps):
    expected = encoders.first_spike(VALUES, steps)
    np.testing.assert_array_equal(first_spike(VALUES, steps), expected)
    fractions = np.where(VALUES > 0, (VALUES + 1) / 256, 0)
    np.testing.assert_array_equal(first_spike(fractions, steps), expected)


def test_logarithmic_first_spike_is_when_an_integrator_reaches_its_threshold():
    values = np.array([[0.0, 0.1, 0.1001, 0.2, 0.5, 1.0]])
    spikes = first_spike(values, 40, form="logarithmic", tau=10.0, threshold=0.1)[0]
    for x, channel in zip(values[0], spikes.T, strict=True):
        potential = [x * (1 - math.exp(-t / 10)) for t in range(1, 60)]
        reached = [t for t, v in enumerate(potential) if v >= 0.1]
        expected = reached[0] if reached and reached[0] < 40 else None
        assert channel.tolist() == [int(k == expected) for k in range(40)]
    of_bytes = first_spike(VALUES, 40, form="logarithmic", tau=10.0)
    np.testing.assert_array_equal(
        of_bytes, first_spike(VALUES / 255, 40, form="logarithmic", tau=10.0)
    )


def test_delta_is_the_hardware_encoder():
    signals = np.random.default_rng(0).integers(0, 256, (3, 30, 2))
    expected = encoders.delta(signals, (20, 90))
    np.testing.assert_array_equal(delta(signals, (20, 90)), expected)
    np.testing.assert_array_equal(delta(signals.astype(float), (20, 90)), expected)
    assert delta(np.array([[0.0, 0.4, 0.6, 0.0]]), [0.5])[0].T.tolist() == [
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]


# -- bad input -----------------------------------------------------------------------------------

ONE = np.array([[0.5]])


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: spike_times([], 0.1, steps=3), TypeError, "Times must be a list for each sample"),
        (
            lambda: spike_times([[[-0.1]]], 0.1, steps=3),
            ValueError,
            "Times of sample 0 must be at least 0 s, not -0.1",
        ),
        (
            lambda: spike_times([[[0.1]], [[0.1], []]], 0.1, steps=3),
            ValueError,
            "Times of sample 1 must be a list for each of 1 channels, not [[0.1], []]",
        ),
        (
            lambda: intervals([[[0.1, 0.0]]], 0.1, steps=3),
            ValueError,
            "Intervals must be more than 0 s, not 0.0",
        ),
        (
            lambda: poisson([[1001.0]], 1e-3, steps=3, seed=0),
            ValueError,
            "Rate times dt must be at most 1 of the form 'spike', not 1.001: take a smaller dt",
        ),
        (
            lambda: poisson([[1300.0]], 0.1, steps=3, seed=0, form="counts"),
            ValueError,
            "Rate times dt must be at most 128 of the form 'counts', not 130: take a smaller dt",
        ),
        (
            lambda: poisson([[-1.0]], 0.1, steps=3, seed=0),
            ValueError,
            "Rates must be at least 0 Hz and finite, not negative or NaN",
        ),
        (
            lambda: poisson([1.0], 0.1, steps=3, seed=0),
            ValueError,
            "Rates must have the shape (samples, channels) or (samples, 3, channels), not (1,)",
        ),
        (
            lambda: poisson(ONE, 0.1, steps=3, seed=0, form="binary"),
            ValueError,
            "Form must be one of 'spike', 'counts', not 'binary'",
        ),
        (lambda: rate(ONE * 3, 4), ValueError, "Floating-point values must be in 0..1, not 1.5"),
        (lambda: rate(ONE * np.nan, 4), ValueError, "Floating-point values must be in 0..1, not"),
        (lambda: rate(np.array([[256]]), 4), ValueError, "Values must be in 0..255, not 256"),
        (lambda: first_spike(ONE, 4, tau=1.0), ValueError, "Tau must be None in the linear form"),
        (
            lambda: first_spike(ONE, 4, form="logarithmic"),
            TypeError,
            "Tau must be a number, not None",
        ),
        (
            lambda: first_spike(ONE, 4, form="logarithmic", tau=1.0, threshold=1.0),
            ValueError,
            "Threshold must be less than 1, not 1.0",
        ),
        (
            lambda: first_spike(np.array([[300]]), 4, form="logarithmic", tau=1.0),
            ValueError,
            "Values must be in 0..255, not 300",
        ),
        (lambda: delta(ONE, [0.0]), ValueError, "Thresholds must be numbers above 0, not [0.0]"),
        (lambda: delta(ONE[0], [1.0]), ValueError, "Signals must be finite numbers of the shape"),
    ],
)
def test_sources_reject(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
