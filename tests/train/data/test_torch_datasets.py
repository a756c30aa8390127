"""Tests of data sets of PyTorch, and of the kind that tonic has."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from spiker_train import Dataset, EventDataset, Events, convert_torch

KIND = np.dtype([("x", np.int64), ("y", np.int64), ("t", np.int64), ("p", np.int64)])


class Camera:
    """Recordings as tonic has them: microseconds, and a size of (width, height, polarities)."""

    sensor_size = (5, 4, 2)

    def __len__(self):
        return 3

    def __getitem__(self, n):
        if n >= 3:
            raise IndexError
        return np.array([(4, 3, 10, 1), (0, 1, 2000 + n, 0)], dtype=KIND), n % 2


def test_tensors_become_values():
    x = torch.linspace(0, 1, 24).reshape(4, 2, 3)
    data = convert_torch(TensorDataset(x, torch.tensor([0, 1, 0, 1])), [(x[0], 1)], "grey")
    assert isinstance(data, Dataset)
    np.testing.assert_array_equal(data.x_train, np.rint(x.numpy() * 255))
    assert data.y_train.tolist() == [0, 1, 0, 1]
    of_bytes = convert_torch(
        [(np.array([3, 255], np.uint8), 0)] * 2, [(np.zeros(2, np.uint8), 1)], "b"
    )
    assert of_bytes.x_train[0].tolist() == [3, 255]


def test_structured_arrays_become_events():
    seen = []
    data = convert_torch(Camera(), Camera(), "camera", dt=1e-3, steps=3, progress=seen.append)
    assert isinstance(data, EventDataset)
    assert (data.shape, len(seen)) == ((2, 4, 5), 6)
    assert data.x_train[2] == Events([1e-5, 2.002e-3], [[1, 3, 4], [0, 1, 0]], (2, 4, 5), 2.003e-3)
    assert data.dense("test").sum() == 6
    assert len(convert_torch(Camera(), Camera(), "camera", samples=2).x_train) == 2


def test_cochlea_without_rows_and_with_polarity_one():
    kind = np.dtype([("t", np.int64), ("x", np.int64), ("p", np.int64)])
    item = (np.array([(5, 699, 1)], dtype=kind), 0)
    data = convert_torch([item], [item], "cochlea", shape=(1, 1, 700))
    assert data.x_train[0].flat.tolist() == [699]


def test_events_stay_as_they_are():
    events = Events([0.1], [2], 3, 1.0)
    assert convert_torch([(events, 1)], [(events, 0)], "events").x_test[0] == events


SAMPLE = (np.zeros(2, np.uint8), 0)


@pytest.mark.parametrize(
    "train, error, message",
    [
        (5, TypeError, "Data set 'd': train must have a length and items, not 5"),
        ([], ValueError, "Data set 'd': train must have an item, not none"),
        ([3], TypeError, "Item 0 of train in data set 'd' must be a sample and a class, not 3"),
        ([(SAMPLE[0], 0.5)], TypeError, "Item 0 of train in data set 'd' must have an integer as"),
        ([("a", 0)], TypeError, "Item 0 of train in data set 'd' must be an array, a tensor or"),
        ([(np.array([1.5]), 0)], ValueError, "Item 0 of train in data set 'd' must be uint8 or"),
        ([(np.zeros(3, np.uint8), 0)], ValueError, "Data set 'd' must have samples of one shape"),
        ([(Events([], [], 2, 1.0), 0)], TypeError, "Data set 'd' must have events alone or values"),
        ([Camera()[0]], ValueError, "Item 0 of train in data set 'd' has events: shape= must be"),
    ],
)
def test_other_items_are_refused(train, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        convert_torch(train, [SAMPLE], "d")
