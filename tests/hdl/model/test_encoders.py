"""Tests of the encoders: by hand, what must hold of each, and bad input."""

import re

import numpy as np
import pytest

from spiker_hdl.model import Accumulator, Input, Network, Population, Projection, Readout
from spiker_hdl.model.encoders import (
    ENCODERS,
    Encoding,
    bernoulli,
    binary,
    delta,
    first_spike,
    graded,
    lfsr,
    rate,
)

ALL = np.arange(256).reshape(1, -1)


def train(spikes):
    """Return the train of the one channel of the one sample."""
    assert spikes.shape[0] == spikes.shape[2] == 1
    return spikes[0, :, 0].tolist()


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, bits, steps, expected",
    [
        (0, 2, 4, [0, 0, 0, 0]),
        (1, 2, 4, [0, 1, 0, 0]),  # 2 + 1 = 3; 4 carries, 0; 1; 2
        (2, 2, 4, [1, 0, 1, 0]),  # 4 carries; 2; 4 carries; 2
        (3, 2, 5, [1, 1, 0, 1, 1]),  # 5, 1; 4, 0; 3; 6, 2; 5, 1
        (128, 8, 4, [1, 0, 1, 0]),
        (255, 8, 3, [1, 1, 1]),  # 383, 127; 382, 126; 381, 125
        (127, 8, 3, [0, 1, 0]),  # 255; 382, 126; 253
        (1, 1, 3, [1, 0, 1]),  # 1 + 1 carries, 0; 1; carries
        (65535, 16, 3, [1, 1, 1]),  # 98303, 32767; 98302, 32766; 98301, 32765
    ],
)
def test_rate_by_hand(value, bits, steps, expected):
    assert train(rate(np.array([[value]]), steps, bits=bits)) == expected


@pytest.mark.parametrize(
    "seed, expected",
    [
        # Shifted right; a one that falls out flips the taps 0xD008.
        (0x0002, [0x0001, 0xD008, 0x6804, 0x3402, 0x1A01, 0xDD08]),
        (0x0001, [0xD008]),
        (0xFFFF, [0xAFF7]),  # 0x7FFF ^ 0xD008
        (0x8000, [0x4000, 0x2000]),
    ],
)
def test_lfsr_by_hand(seed, expected):
    assert lfsr(len(expected), seed).tolist() == expected


def test_bernoulli_by_hand():
    # From seed 2: 1, 0xD008, 0x6804, 0x3402 end in 1, 0, 0, 2 of two bits, two channels a step.
    values = np.array([[1, 1], [2, 0], [3, 3]])
    assert bernoulli(values, 2, bits=2, seed=2).tolist() == [
        [[0, 1], [1, 0]],
        [[1, 0], [1, 0]],
        [[1, 1], [1, 1]],
    ]


@pytest.mark.parametrize(
    "value, bits, steps, expected",
    [
        (3, 2, 4, [1, 0, 0, 0]),
        (2, 2, 4, [0, 1, 0, 0]),
        (1, 2, 4, [0, 0, 1, 0]),
        (0, 2, 4, [0, 0, 0, 0]),
        (1, 2, 2, [0, 1]),  # 2 * 2 / 4
        (2, 2, 2, [1, 0]),  # 1 * 2 / 4 is rounded down
        (255, 8, 3, [1, 0, 0]),
        (1, 8, 3, [0, 0, 1]),  # 254 * 3 / 256 = 2.98
        (200, 8, 1, [1]),
    ],
)
def test_first_spike_by_hand(value, bits, steps, expected):
    assert train(first_spike(np.array([[value]]), steps, bits=bits)) == expected


def test_binary_by_hand():
    result = binary(np.array([[0, 127, 128, 255]]), 2)
    assert result.tolist() == [[[0, 0, 1, 1]] * 2]
    assert result.dtype == np.uint8


def test_graded_by_hand():
    values = np.array([[0, 15, 16, 255]])
    assert graded(values, 2).tolist() == [[[0, 0, 1, 15]] * 2]
    assert graded(values, 1, kept=8).tolist() == [[[0, 15, 16, 255]]]
    assert graded(values, 1, kept=1).tolist() == [[[0, 0, 0, 1]]]
    assert graded(np.array([[7]]), 1, bits=3, kept=2).tolist() == [[[3]]]


@pytest.mark.parametrize(
    "signal, threshold, on, off",
    [
        ([5, 5, 5], 1, [0, 0, 0], [0, 0, 0]),
        ([5, 6, 5, 4], 1, [0, 1, 0, 0], [0, 0, 1, 1]),
        ([5, 6, 7, 8, 9], 2, [0, 0, 1, 0, 1], [0] * 5),  # slow changes add up
        ([5, 7, 6, 5, 4], 2, [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]),  # from the event on: 7, then 5
        ([0, 255, 0], 2, [0, 1, 0], [0, 0, 1]),  # however far, one event
        ([9, 0], 10, [0, 0], [0, 0]),
    ],
)
def test_delta_by_hand(signal, threshold, on, off):
    result = delta(np.array([signal]), (threshold,))
    assert result.dtype == np.uint8
    assert result[0].T.tolist() == [on, off]


def test_delta_has_pairs_for_each_signal_and_threshold():
    signals = np.array([[[0, 50], [3, 40], [4, 45]]])
    assert delta(signals, (2, 4)).tolist() == [
        [
            [0, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 0, 1, 0, 1],
            [0, 0, 1, 0, 1, 0, 1, 0],
        ]
    ]


# -- what must hold ------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 4, 7, 100, 256, 300])
def test_a_rate_counts_to_the_nearest(steps):
    counts = rate(ALL, steps).sum(axis=1)[0].astype(int)
    # A phase from one half: floor(x * steps / 256 + 1 / 2).
    assert counts.tolist() == [(2 * x * steps + 256) // 512 for x in range(256)]


def test_a_rate_is_even():
    spikes = rate(ALL, 512)[0].astype(int)
    for x in range(1, 256):
        gaps = np.diff(np.flatnonzero(spikes[:, x]))
        assert set(gaps.tolist()) <= {256 // x, -(-256 // x)}


def test_the_register_has_the_longest_period_and_repeats_nothing():
    states = lfsr(65535, 1)
    assert len(set(states.tolist())) == 65535
    assert states.min() == 1
    assert states.max() == 65535
    assert states[-1] == 1  # back at the seed
    longer = lfsr(65535 * 2 + 10, 1)
    assert np.array_equal(longer[:65535], states)
    assert np.array_equal(longer[65535 : 2 * 65535], states)
    assert np.array_equal(longer[-10:], states[:10])


def test_the_register_goes_on_from_any_seed():
    states = lfsr(50, 77)
    for n in (0, 7, 48):
        assert np.array_equal(lfsr(49 - n, int(states[n])), states[n + 1 :])
    assert len(lfsr(0, 1)) == 0


def test_bernoulli_spikes_as_often_as_it_should():
    steps = 2000
    values = np.tile(np.array([0, 1, 32, 64, 128, 200, 255]), (1, 9))
    counts = bernoulli(values, steps, seed=1234)[0].sum(axis=0).reshape(9, 7).sum(axis=0)
    for x, count in zip(values[0, :7], counts.tolist(), strict=True):
        mean, spread = 9 * steps * x / 256, (9 * steps * x / 256 * (1 - x / 256)) ** 0.5
        assert abs(count - mean) <= 5 * spread
    assert counts[0] == 0


def test_bernoulli_over_a_period_is_exact():
    spikes = bernoulli(np.array([[77]]), 65535)
    # The low byte takes each value 256 times, but zero 255 times.
    assert spikes.sum() == 77 * 256 - 1


def test_bernoulli_depends_on_its_seed_and_not_on_other_samples():
    values = np.full((3, 20), 128)
    spikes = bernoulli(values, 10, seed=5)
    assert np.array_equal(spikes[0], spikes[2])
    assert np.array_equal(bernoulli(values[:1], 10, seed=5), spikes[:1])
    assert not np.array_equal(bernoulli(values, 10, seed=6), spikes)
    channels = spikes[0].T.tolist()
    assert len({tuple(channel) for channel in channels}) == 20


@pytest.mark.parametrize("steps", [1, 3, 16, 300])
def test_one_spike_for_all_but_zero_and_never_later_for_more(steps):
    spikes = first_spike(ALL, steps)[0]
    assert spikes.sum(axis=0).tolist() == [0] + [1] * 255
    when = spikes.argmax(axis=0)[1:]
    assert (np.diff(when) <= 0).all()
    assert when[-1] == 0
    assert when.max() <= steps - 1


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_agree_on_shape_and_type(name):
    values = np.random.default_rng(1).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    spikes = ENCODERS[name](values, 6)
    assert spikes.shape == (3, 6, 20)
    assert spikes.dtype == (np.uint16 if name == "graded" else np.uint8)
    flat = ENCODERS[name](values.reshape(3, 20).astype(np.int64), 6)
    assert np.array_equal(spikes, flat)
    assert ENCODERS[name](values[:0], 6).shape == (0, 6, 20)


def test_delta_follows_the_signal():
    draws = np.random.default_rng(3)
    signals = np.clip(128 + draws.integers(-9, 10, (5, 200, 2)).cumsum(axis=1), 0, 255)
    result = delta(signals, (7, 20)).reshape(5, 200, 2, 2, 2).astype(bool)
    assert not (result[..., 0] & result[..., 1]).any()
    assert np.array_equal(delta(255 - signals, (7, 20)).reshape(result.shape), result[..., ::-1])
    for sample, n, k in np.ndindex(5, 2, 2):
        signal, events = signals[sample, :, n], result[sample, :, n, k].any(axis=1)
        last = np.maximum.accumulate(np.where(events, np.arange(200), 0))
        away = abs(signal - signal[last])
        before = abs(signal[1:] - signal[last[:-1]])
        assert (away < (7, 20)[k]).all()
        assert np.array_equal(before >= (7, 20)[k], events[1:])
    assert delta(signals[:0], (7,)).shape == (0, 200, 4)
    assert np.array_equal(delta(signals[..., 0], (7,)), delta(signals[..., :1], (7,)))


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoding_encodes(name):
    values = np.random.default_rng(1).integers(0, 32, (3, 4))
    own = {"graded": {"kept": 3}, "bernoulli": {"seed": 9}}.get(name, {})
    encoding = Encoding(name, 5, bits=5, **own)
    assert np.array_equal(encoding.encode(values), ENCODERS[name](values, 5, bits=5, **own))
    assert (encoding.fan, encoding.greatest) == (1, 7 if name == "graded" else 1)


def test_an_encoding_of_signals():
    encoding = Encoding("delta", bits=9, thresholds=(3, 300))
    values = np.random.default_rng(1).integers(0, 512, (3, 7, 2))
    assert np.array_equal(encoding.encode(values), delta(values, (3, 300), bits=9))
    assert (encoding.fan, encoding.greatest) == (4, 1)


def noted(**notes):
    population = Population("o", 2, Accumulator(width=8))
    link = Projection("x", "o", np.eye(2, dtype=np.int64))
    return Network([Input("x", 2)], [population], [link], [Readout("o", "last")], notes=notes)


def test_notes_say_the_encoding():
    assert Encoding.of(noted(encoder="rate", steps="4")) == Encoding("rate", 4)
    result = Encoding.of(noted(encoder="delta", thresholds="2,5", steps="88"))
    assert result == Encoding("delta", thresholds=(2, 5))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize(
    "values, options, error, message",
    [
        ([[1.5]], {}, TypeError, "Values must be integers, not 1.5"),
        (np.ones((1, 1)), {}, TypeError, "Values must be integers, not float64"),
        (
            np.full((1, 1), np.nan),
            {},
            TypeError,
            "Values must be integers, not float64",
        ),
        (np.array([1]), {}, ValueError, "Values must have the shape (samples, ...), not (1,)"),
        (np.array([[256]]), {}, ValueError, "Values must be in 0..255, not 256"),
        (np.array([[-1, 256]]), {}, ValueError, "Values must be in 0..255, not -1"),
        (np.array([[16]]), {"bits": 4}, ValueError, "Values must be in 0..15, not 16"),
        (np.array([[1]]), {"bits": 17}, ValueError, "Value bits must be at most 16, not 17"),
        (np.array([[1]]), {"bits": 0}, ValueError, "Value bits must be at least 1, not 0"),
        (np.array([[1]]), {"steps": 0}, ValueError, "Steps must be at least 1, not 0"),
        (np.array([[1]]), {"steps": 2.0}, TypeError, "Steps must be an int, not 2.0"),
    ],
)
def test_encoders_reject(name, values, options, error, message):
    if name == "graded":
        options = {"kept": 1} | options
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        ENCODERS[name](values, **{"steps": 4} | options)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: lfsr(1, 0), "Seed must be at least 1, not 0"),
        (lambda: lfsr(1, 65536), "Seed must be at most 65535, not 65536"),
        (lambda: bernoulli(ALL, 1, seed=0), "Seed must be at least 1, not 0"),
        (lambda: graded(ALL, 1, kept=0), "Kept bits must be at least 1, not 0"),
        (lambda: graded(ALL, 1, kept=9), "Kept bits must be at most 8, not 9"),
    ],
)
def test_other_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: delta(ALL, (0,)),
            ValueError,
            "Threshold must be at least 1, not 0",
        ),
        (lambda: delta(ALL, (256,)), ValueError, "Threshold must be at most 255, not 256"),
        (
            lambda: delta(ALL, ()),
            TypeError,
            "Thresholds must be a tuple with an int or more, not ()",
        ),
        (
            lambda: delta(ALL, [3.0]),
            TypeError,
            "Threshold must be an int, not 3.0",
        ),
        (lambda: delta(ALL + 1, (3,)), ValueError, "Values must be in 0..255, not 256"),
        (
            lambda: delta(np.zeros((1, 2, 3, 4), dtype=int), (3,)),
            ValueError,
            "Signals must be (samples, steps, signals), not (1, 2, 3, 4)",
        ),
        (
            lambda: Encoding("morse", 4),
            ValueError,
            "Encoder must be one of 'rate', 'bernoulli', 'first_spike', 'graded', 'binary', "
            "'delta', not 'morse'",
        ),
        (lambda: Encoding("rate"), TypeError, "Steps must be an int, not None"),
        (lambda: Encoding("rate", 0), ValueError, "Steps must be at least 1, not 0"),
        (lambda: Encoding("rate", 4, bits=17), ValueError, "Value bits must be at most 16, not 17"),
        (lambda: Encoding("bernoulli", 4, seed=0), ValueError, "Seed must be at least 1, not 0"),
        (lambda: Encoding("graded", 4, kept=9), ValueError, "Kept bits must be at most 8, not 9"),
        (
            lambda: Encoding("rate", 4, thresholds=(1,)),
            ValueError,
            "Thresholds of 'rate' must be none, not (1,)",
        ),
        (
            lambda: Encoding("delta", 4, thresholds=(1,)),
            ValueError,
            "Steps of 'delta' must be none, not 4",
        ),
        (
            lambda: Encoding.of(noted(encoder="rate", steps="many")),
            ValueError,
            "Network's note 'steps' must be integers, not 'many'",
        ),
        (
            lambda: Encoding.of(noted(encoder="rate")),
            ValueError,
            "Network's note 'steps' must be integers, not None",
        ),
        (
            lambda: Encoding.of(noted(steps="4")),
            ValueError,
            "Encoder in the network's notes must be one of 'rate', 'bernoulli', 'first_spike', "
            "'graded', 'binary', 'delta', not ''",
        ),
    ],
)
def test_encodings_are_checked(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
