"""Tests of N-MNIST: its archives, the prepared file, downloads, and damage."""

import hashlib
import io
import zipfile

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train import Events
from spiker_train.data import neuromorphic_mnist as module
from spiker_train.data.neuromorphic_mnist import neuromorphic_mnist

from support.file_server import serving

EVENT = bytes([33, 2, 128, 1, 0])  # x 33, y 2, ON, after 256 us


def archive(names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as parts:
        for n, name in enumerate(names):
            parts.writestr(name, EVENT * (n + 1))
    return content.getvalue()


FILES = {
    "Train.zip": archive(["Train/0/00001.bin", "Train/7/00002.bin"]),
    "Test.zip": archive(["Test/3/00001.bin"]),
}


def test_archives_are_read_in_order(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    data = neuromorphic_mnist(tmp_path)
    assert (data.shape, data.y_train.tolist(), data.y_test.tolist()) == ((2, 34, 34), [0, 7], [3])
    event = [[1, 2, 33]]
    assert data.x_test[0] == Events([256e-6], event, (2, 34, 34), 257e-6)
    assert data.x_train[1] == Events([256e-6] * 2, event * 2, (2, 34, 34), 257e-6)


def test_archives_are_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "places", lambda: [tmp_path / "none"])
    monkeypatch.setattr(module, "cache", lambda: tmp_path)
    sums = {n: (n, f"md5:{hashlib.md5(data).hexdigest()}") for n, data in FILES.items()}
    monkeypatch.setattr(module, "ARCHIVES", sums)
    with serving({f"{n}/file_downloaded": data for n, data in FILES.items()}) as (address, _):
        monkeypatch.setattr(module, "SOURCE", address)
        assert len(neuromorphic_mnist(progress=False).x_train) == 2
    with pytest.raises(FileNotFoundError, match=r"^N-MNIST must be in one of .*SPIKER_DATA point"):
        neuromorphic_mnist(download=False)


@pytest.mark.parametrize(
    "names, message",
    [
        (["readme.txt"], "must have recordings such as Train/0/00002.bin, not none"),
        (["Train/x/1.bin"], "must have recordings in folders 0 to 9, not 'Train/x/1.bin'"),
    ],
)
def test_other_archives_are_refused(tmp_path, names, message):
    for name in FILES:
        (tmp_path / name).write_bytes(archive(names))
    with pytest.raises(FileError, match=rf"Train\.zip: {message}"):
        neuromorphic_mnist(tmp_path)


def small(**changes):
    return {
        "t_us": np.array([5, 9, 7], np.uint32), "x": np.array([0, 33, 2], np.uint8),
        "y": np.array([1, 2, 3], np.uint8), "p": np.array([0, 1, 1], np.uint8),
        "offset": np.array([0, 2, 3]), "label": np.array([4, 5], np.uint8),
        "is_test": np.array([0, 1], np.uint8),
    } | changes  # fmt: skip


def test_prepared_file_is_read(tmp_path):
    np.savez(tmp_path / "nmnist_small.npz", **small())
    data = neuromorphic_mnist(tmp_path)
    assert data.x_train[0] == Events([5e-6, 9e-6], [[0, 1, 0], [1, 2, 33]], (2, 34, 34), 1e-5)
    assert (data.y_train.tolist(), data.y_test.tolist()) == ([4], [5])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"x": np.array([0, 34, 2])}, "must have pixels in 0..33 and polarities in 0..1"),
        ({"p": np.array([0, 1])}, "must have as many x, y and p as t_us"),
        ({"offset": np.array([0, 0, 3])}, "must have offsets of recordings, each with an event"),
        ({"label": np.array([0])}, "must have a label and is_test of each recording"),
        ({"is_test": np.array([0, 0])}, "must have recordings to train with and to test"),
        ({"t_us": np.zeros(3)}, "must have t_us of integers along one axis, not float64"),
    ],
)
def test_damaged_files_are_refused(tmp_path, changes, message):
    np.savez(tmp_path / "nmnist_small.npz", **small(**changes))
    with pytest.raises(FileError, match=rf"nmnist_small\.npz: {message}"):
        neuromorphic_mnist(tmp_path)
