"""Tests of augmentation as text."""

import pytest

from spiker_cli.support.augmentation import augmentation
from spiker_train.data.augmentation import AddNoise, Affine, Compose, Drop, Jitter, Shift


def test_recordings_are_altered_in_the_order_of_the_text():
    made = augmentation("rotate=10,scale=0.1,shift=2,jitter=0.001,drop=0.1,noise=3")(True)
    parts = [Affine(rotation=10), Affine(scale=0.1), Shift(2), Jitter(0.001), Drop(0.1)]
    assert made == Compose([*parts, AddNoise(3)])


def test_pictures_are_altered_at_once():
    assert augmentation("shift=2,rotate=10")(False) == Affine(10, 0, 2)
    assert augmentation(None) is None


def test_recordings_are_shifted_by_whole_channels():
    with pytest.raises(ValueError, match=r"shift must be a whole number of channels, not 0\.5"):
        augmentation("shift=0.5")(True)
