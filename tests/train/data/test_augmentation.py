"""Tests of augmentation: what it changes, what it keeps, and that it draws from its generator."""

import re

import numpy as np
import pytest

from spiker_train import Events
from spiker_train.data.augmentation import (
    AddNoise,
    Affine,
    Compose,
    Drop,
    Jitter,
    Mirror,
    Scale,
    Shift,
    Sometimes,
)


def events(count=400, seed=0):
    random = np.random.default_rng(seed)
    return Events(random.random(count), random.integers(0, 40, count), (2, 4, 5), 1.0)


def draws(seed=0):
    return np.random.default_rng(seed)


ALL = [Shift(1), Jitter(0.01), Drop(0.3), AddNoise(2.0), Affine(90, 0.5, 1)]


@pytest.mark.parametrize("alter", [*ALL, Compose(ALL)], ids=lambda part: type(part).__name__)
def test_same_generator_gives_the_same_events(alter):
    sample = events()
    first = alter(sample, draws())
    assert first == alter(sample, draws())
    assert first != sample
    assert first != alter(sample, draws(3))
    assert (first.shape, first.duration) == (sample.shape, sample.duration)
    assert sample == events()


def test_shift_moves_all_pixels_alike_and_keeps_polarity():
    sample = events()
    moved = Shift(2)(sample, draws(3))
    expected = draws(3)
    offsets = np.array([int(expected.integers(-m, m + 1)) for m in (0, 2, 2)])
    assert offsets.any()
    columns = sample.channels + offsets
    inside = ((columns >= 0) & (columns < sample.shape)).all(axis=1)
    np.testing.assert_array_equal(moved.channels, columns[inside])
    np.testing.assert_array_equal(moved.times, sample.times[inside])
    line = Events([0.1], [2], 9, 1.0)
    assert {int(Shift(1)(line, draws(n)).flat[0]) for n in range(20)} == {1, 2, 3}


def test_jitter_has_its_deviation_and_stays_inside():
    sample = Events(np.full(4000, 0.5), np.zeros(4000, int), 1, 1.0)
    times = Jitter(0.02)(sample, draws()).times
    assert times.std() == pytest.approx(0.02, rel=0.05)
    assert times.mean() == pytest.approx(0.5, abs=1e-3)
    edge = Events(np.zeros(100), np.zeros(100, int), 1, 0.001)
    assert len(Jitter(1.0)(edge, draws())) == 100


def test_drop_loses_its_share():
    assert len(Drop(0.25)(events(4000), draws())) == pytest.approx(3000, abs=110)
    assert len(Drop(1.0)(events(), draws())) == 0
    assert Drop(0.0)(events(), draws()) == events()


def test_noise_adds_its_rate():
    added = len(AddNoise(100.0)(events(0), draws()))
    assert added == pytest.approx(4000, abs=260)


def test_scale_rounds_and_clips():
    frames = np.array([[0, 100, 200]], np.uint8)
    assert Scale(1.5, 1.5)(frames, draws()).tolist() == [[0, 150, 255]]
    assert Scale(0.5, 0.5)(frames / 255.0, draws())[0, 1] == pytest.approx(50 / 255)
    assert Scale(0.0, 2.0)(frames, draws()).dtype == np.uint8


class Fixed(np.random.Generator):
    """A generator whose draws are known."""

    def __init__(self, *draws):
        super().__init__(np.random.PCG64(0))
        self.draws = draws

    def uniform(self, low, high, count):
        assert (low, high, count) == (-1, 1, 4)
        return np.array(self.draws, dtype=float)


def test_affine_turns_grows_and_shifts_pictures():
    picture = np.zeros((2, 5, 5), np.uint8)
    picture[:, 1, 2] = 100, 200
    turned = Affine(rotation=90)(picture, Fixed(1, 0, 0, 0))
    assert np.array_equal(turned, np.rot90(picture, axes=(2, 1)))
    assert turned.dtype == np.uint8
    moved = Affine(shift=2)(picture, Fixed(0, 0, 1, -0.5))
    assert np.argwhere(moved).tolist() == [[0, 3, 1], [1, 3, 1]]
    assert moved.max(axis=(1, 2)).tolist() == [100, 200]
    half = Affine(shift=1)(picture[0] / 1.0, Fixed(0, 0, 0.5, 0))
    assert half[1:3, 2].tolist() == [50.0, 50.0]
    bar = np.zeros((5, 5))
    bar[2] = 1
    assert Affine(scale=0.5)(bar, Fixed(0, -1, 0, 0)).sum(axis=0).tolist() == [0, 1, 1, 1, 0]


def test_affine_draws_anew_for_each_picture():
    picture = np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8)
    alter, generator = Affine(20, 0.1, 2), draws()
    first = alter(picture, generator)
    assert not np.array_equal(first, alter(picture, generator))
    assert np.array_equal(first, alter(picture, draws()))


def test_shift_moves_pictures_by_whole_pixels():
    picture = np.arange(1, 25, dtype=np.uint8).reshape(2, 3, 4)
    seen, generator = set(), draws()
    padded = np.pad(picture, ((0, 0), (1, 1), (2, 2)))
    for _ in range(200):
        moved = Shift((0, 1, 2))(picture, generator)
        assert (moved.dtype, moved.shape) == (np.uint8, (2, 3, 4))
        places = [
            (y, x)
            for y in range(3)
            for x in range(5)
            if np.array_equal(moved, padded[:, y : y + 3, x : x + 4])
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 15
    gone = [Shift((2, 0, 0))(np.ones((1, 3, 3)), generator).sum() for _ in range(20)]
    assert set(gone) == {0, 9}
    assert np.array_equal(Shift(0)(picture[0], generator), picture[0])


def test_share_of_samples_is_altered():
    picture, generator = np.arange(4).reshape(2, 2), draws()
    alter = Sometimes(Mirror(1), 0.25)
    mirrored = sum(alter(picture, generator)[0, 0] == 1 for _ in range(400))
    assert 70 < mirrored < 130
    assert not any(Sometimes(Mirror(1), 0)(picture, generator)[0, 0] for _ in range(9))


def test_mirror_exchanges_left_and_right():
    picture = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert np.array_equal(Mirror(1)(picture, draws()), picture[..., ::-1])
    assert np.array_equal(Mirror(0)(picture, draws()), picture)
    sample = Events([0.1, 0.2], [[1, 0, 1], [0, 2, 4]], (2, 3, 5), 1.0)
    assert Mirror(1)(sample, draws()).channels.tolist() == [[1, 0, 3], [0, 2, 0]]
    generator, some = draws(), 0
    for _ in range(100):
        some += int(Mirror(0.3)(picture, generator)[0, 0, 0] == 3)
    assert 15 < some < 45


def middle(counts):
    """Return the mean place of what a picture has."""
    rows, columns = np.indices(counts.shape)
    return [(counts * axis).sum() / counts.sum() for axis in (rows, columns)]


@pytest.mark.parametrize("drawn", [(1, 0, 0, 0), (0.3, 0.4, 0.2, -0.7), (-0.5, -1, 0, 1)])
def test_affine_moves_events_as_it_moves_pictures(drawn):
    block = [[0, 5 + y, 8 + x] for y in range(3) for x in range(3)]
    block += [[1, 8 + y, 5 + x] for y in range(3) for x in range(3)]
    pixels = np.tile(block, (200, 1))
    sample = Events(np.linspace(0, 0.9, 3600), pixels, (2, 17, 17), 1.0)
    picture, counts = np.zeros((2, *sample.shape))
    np.add.at(picture, tuple(pixels.T), 1)
    moved = Affine(60, 0.3, 2)(sample, Fixed(*drawn))
    np.add.at(counts, tuple(moved.channels.T), 1)
    for events, expected in zip(counts, Affine(60, 0.3, 2)(picture, Fixed(*drawn)), strict=True):
        assert events.sum() == 1800
        np.testing.assert_allclose(middle(events), middle(expected), atol=0.15)
    assert np.array_equal(moved.times, sample.times)


def test_affine_leaves_no_empty_lines_where_it_enlarges():
    whole = np.stack(np.divmod(np.arange(400) % 400, 20), axis=1)
    sample = Events(np.linspace(0, 0.9, 8000), np.tile(whole, (20, 1)), (20, 20), 1.0)
    moved = Affine(scale=0.9)(sample, Fixed(0, 1, 0, 0))
    assert len(np.unique(moved.flat)) == 400


def test_affine_loses_events_that_leave():
    sample = Events([0.1, 0.2], [[1, 1, 1], [1, 1, 4]], (2, 3, 5), 1.0)
    moved = Affine(shift=2)(sample, Fixed(0, 0, 0, -1))
    assert moved.channels.tolist() == [[1, 1, 2]]
    assert moved.times.tolist() == [0.2]
    flat = Affine(shift=2)(Events([0.1], [[1, 4]], (3, 5), 1.0), Fixed(0, 0, 0.5, -1))
    assert flat.channels.tolist() == [[2, 2]]


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: Shift(-1), ValueError, "Greatest shift must be at least 0, not -1"),
        (lambda: Shift((1, 1))(events(), draws()), ValueError, "Greatest shift must be of 3 axes"),
        (lambda: Jitter(-0.1), ValueError, "Deviation must be at least 0, not -0.1"),
        (lambda: Drop(1.1), ValueError, "Probability must be in 0..1, not 1.1"),
        (lambda: Drop("a"), TypeError, "Probability must be a number, not 'a'"),
        (lambda: AddNoise(float("nan")), ValueError, "Rate must be at least 0, not nan"),
        (lambda: Shift(1)(np.ones((2, 2)), 3), TypeError, "Generator must be a Generator"),
        (lambda: Mirror()(np.ones((2, 2)), 3), TypeError, "Generator must be a Generator"),
        (lambda: Sometimes(3, 0.5), TypeError, "Part must be an augmentation, not 3"),
        (lambda: Sometimes(Mirror(), -1), ValueError, "Probability must be in 0..1, not -1"),
        (lambda: Mirror(2), ValueError, "Probability must be in 0..1, not 2"),
        (lambda: Mirror()(np.zeros(3), draws()), ValueError, "Picture must have height and width"),
        (lambda: Scale(2.0, 1.0), ValueError, "Factors must be in order, not 2.0..1.0"),
        (lambda: Affine(-1), ValueError, "Rotation must be at least 0, not -1"),
        (lambda: Affine(scale=1.0), ValueError, "Change of size must be in 0..0.9, not 1.0"),
        (lambda: Affine()(np.zeros(3), draws()), ValueError, "Picture must have height and width"),
        (
            lambda: Affine()(Events([0.1], [1], 9, 1.0), draws()),
            ValueError,
            "Picture must have height and width, not the shape (9,)",
        ),
        (lambda: Compose(3), TypeError, "Parts must be a list of augmentations, not 3"),
        (lambda: Drop(0.1)(np.zeros(3), draws()), TypeError, "Sample must be an Events, not"),
        (lambda: Compose([])(0, 1), TypeError, "Generator must be a Generator, not 1"),
        (lambda: Affine()(np.zeros((3, 3)), 1), TypeError, "Generator must be a Generator, not 1"),
        (lambda: Scale(1, 1)(np.zeros(3), 1), TypeError, "Generator must be a Generator, not 1"),
    ],
)
def test_augmentation_rejects(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
