"""Tests of data sets by name: recordings, files of spikes, other libraries, and what is none."""

import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train import Dataset, EventDataset, load_data
from spiker_train.data import load as module

ITEM = np.array([0.5, 1.0], np.float32), 1


@pytest.fixture
def own_module(monkeypatch):
    mine = ModuleType("my_data_sets")
    mine.pair = lambda: ([ITEM, ITEM], [ITEM])
    mine.three = lambda: (1, 2, 3)
    mine.number = 3
    monkeypatch.setitem(sys.modules, "my_data_sets", mine)


def test_functions_of_modules_return_data_sets(own_module):
    data = load_data("my_data_sets:pair")
    assert isinstance(data, Dataset)
    assert (data.name, data.x_train.tolist()) == ("pair", [[128, 255]] * 2)


def test_classes_of_tonic_are_made_with_their_parts(monkeypatch):
    kind = np.dtype([("t", int), ("x", int), ("p", int)])

    class Parts(list):
        sensor_size = (700, 1, 1)

        def __init__(self, save_to, split):
            assert save_to.endswith("tonic")
            item = np.array([(5, {"train": 1, "test": 2}[split], 1)], dtype=kind), 0
            super().__init__([item])

    fake = SimpleNamespace(SSC=Parts)
    monkeypatch.setitem(sys.modules, "tonic", ModuleType("tonic"))
    monkeypatch.setitem(sys.modules, "tonic.datasets", fake)
    monkeypatch.setattr(module, "find_spec", lambda name: True)
    data = load_data("tonic:SSC")
    assert isinstance(data, EventDataset)
    assert (data.name, data.x_train[0].flat[0], data.x_test[0].flat[0]) == ("ssc", 1, 2)
    with pytest.raises(ValueError, match=r"^Data set of tonic must be a class .*, not 'None'$"):
        load_data("tonic:None")


def test_files_of_dense_spikes_are_read(tmp_path):
    spikes = np.random.default_rng(0).integers(0, 2, (6, 5, 3))
    parts = {"spikes_train": spikes[:4], "spikes_test": spikes[4:]}
    labels = {"y_train": np.arange(4) % 2, "y_test": np.arange(2)}
    np.savez(tmp_path / "mine.npz", **parts, **labels)
    data = load_data(tmp_path / "mine.npz")
    assert (data.name, data.steps, data.dt, data.classes) == ("mine", 5, 1e-3, 2)
    np.testing.assert_array_equal(data.dense("train"), spikes[:4])
    np.testing.assert_array_equal(data.dense("test"), spikes[4:])
    np.savez(tmp_path / "half.npz", spikes_train=spikes)
    with pytest.raises(FileError, match=r"half\.npz: must have .* lack y_train, spikes_test, y_t"):
        load_data(tmp_path / "half.npz")
    np.savez(tmp_path / "flat.npz", **parts | {"spikes_test": np.zeros(3)}, **labels)
    with pytest.raises(FileError, match=r"flat\.npz: must have spikes_test of integers, shape"):
        load_data(tmp_path / "flat.npz")


def test_counts_in_files_of_dense_spikes_are_refused(tmp_path):
    spikes = np.zeros((2, 5, 3), np.uint8)
    spikes[1, 2, 0] = 3
    parts = {"spikes_train": spikes, "spikes_test": spikes[:1], "y_train": [0, 1], "y_test": [0]}
    np.savez(tmp_path / "x.npz", **parts)
    with pytest.raises(FileError, match=r"x\.npz: must have spikes_train of 0 and 1, not up to 3$"):
        load_data(tmp_path / "x.npz")


def test_names_of_recordings_call_their_loaders(monkeypatch):
    monkeypatch.setitem(module.event_datasets, "shd", lambda: "loaded")
    assert load_data("shd") == "loaded"


@pytest.mark.parametrize(
    "name, error, message",
    [
        (
            "cats",
            ValueError,
            "Data set must be one of 'digits', 'mnist', 'mnist_14x14', 'fashion', 'fsdd', "
            "'fsdd_audio', 'mitbih', 'nmnist', 'shd', 'ssc', an .npz file, tonic:NAME or "
            "MODULE:FUNCTION, not",
        ),
        ("none.npz", FileNotFoundError, "Data set none.npz must be a file, and is not there"),
        ("nowhere:make", ValueError, "Data set nowhere:make must be importable: No module named"),
        ("my_data_sets:number", ValueError, "Data set my_data_sets:number must be a function, not"),
        ("my_data_sets:three", TypeError, "Function my_data_sets:three must return data to train"),
    ],
)
def test_what_is_no_data_set_is_refused(own_module, name, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        load_data(name)


def test_tonic_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"must have tonic installed: pip install tonic"):
        load_data("tonic:SHD")
