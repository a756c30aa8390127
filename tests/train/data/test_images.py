"""Tests of data sets: where they are found, and what is no data set."""

import gzip
import hashlib
import os
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spiker_train import Dataset, load_dataset
from spiker_train.data import images
from spiker_train.data.files.published import FILES, PUBLISHED, contents

from support.file_server import serving


def idx(array):
    """Write an array in LeCun's format."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def drawn(seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (5, 28, 28)).astype(np.uint8)
    return {
        "x_train": x,
        "y_train": np.arange(5, dtype=np.uint8),
        "x_test": x[:2],
        "y_test": np.array([3, 1], dtype=np.uint8),
    }


@pytest.fixture
def known(monkeypatch):
    """Small stand-ins for the published data sets, by name, with their own checksums."""
    stand_ins = {}
    for seed, (name, published) in enumerate(PUBLISHED.items()):
        stand_ins[name] = drawn(seed)
        own = replace(published, contents=contents(stand_ins[name]))
        monkeypatch.setitem(PUBLISHED, name, own)
        monkeypatch.setattr(images, name.upper(), own)
    monkeypatch.setattr(images, "places", lambda: [Path(os.environ["SPIKER_DATA"])])
    return stand_ins


@pytest.fixture
def tiny(known):
    return known["mnist"]


def lay(place, arrays, form, name):
    """Write a data set into a folder, in one of the forms that are found."""
    place.mkdir(exist_ok=True, parents=True)
    if form == "npz":
        np.savez(place / f"{name}.npz", **arrays)
        return
    for key, file in FILES.items():
        archive = idx(arrays[key])
        path = place / (f"{file}.gz" if form == "gz" else file)
        path.write_bytes(gzip.compress(archive, mtime=0) if form == "gz" else archive)


@pytest.mark.parametrize("form", ["npz", "idx", "gz"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_data_are_recognised_by_checksums(tmp_path, monkeypatch, known, name, form):
    others = [other for other in PUBLISHED if other != name]
    for other in others:  # in the place that is looked at first, under the same names
        lay(tmp_path, known[other], form, PUBLISHED[name].archives[0].removesuffix(".npz"))
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"^{PUBLISHED[name].title} must be in one of"):
        getattr(images, name)(download=False)
    folder = PUBLISHED[name].folders[-1]
    lay(tmp_path / folder, known[name], form, PUBLISHED[name].archives[-1].removesuffix(".npz"))
    dataset = load_dataset(name)
    assert dataset.name == name
    np.testing.assert_array_equal(dataset.x_train, known[name]["x_train"])


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("form", ["npz", "idx", "gz"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_altered_values_are_no_published_data_set(tmp_path, monkeypatch, known, name, form, key):
    arrays = known[name] | {key: known[name][key].copy()}
    arrays[key].flat[-1] ^= 1
    lay(tmp_path, arrays, form, PUBLISHED[name].archives[0].removesuffix(".npz"))
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=f"must hold {PUBLISHED[name].title} as it was published"):
        load_dataset(name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_data_have_the_stored_checksums(data_file, name):
    path = data_file(PUBLISHED[name].archives[0])
    with np.load(path) as held_out:
        assert contents(held_out) == PUBLISHED[name].contents
    assert load_dataset(name).name == name


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("folder", [".", "mnist"])
@pytest.mark.parametrize("dot", [False, True])
def test_mnist_is_read_from_idx_files(tmp_path, monkeypatch, tiny, zipped, folder, dot):
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    for key, name in FILES.items():
        archive = idx(tiny[key])
        name = name.replace("-idx", ".idx") if dot else name
        if zipped:
            (place / f"{name}.gz").write_bytes(gzip.compress(archive))
        else:
            (place / name).write_bytes(archive)
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    dataset = load_dataset("mnist")
    for key, value in tiny.items():
        np.testing.assert_array_equal(getattr(dataset, key), value)
    assert dataset.shape == (28, 28)
    assert dataset.classes == 5


def test_mnist_is_read_from_npz(tmp_path, monkeypatch, tiny):
    np.savez(tmp_path / "mnist.npz", **tiny)
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    np.testing.assert_array_equal(load_dataset("mnist").x_train, tiny["x_train"])
    assert load_dataset(tmp_path / "mnist.npz").size == 784


def test_mnist_in_14x14_pixels_is_mnist_at_half_its_size(tmp_path, monkeypatch, tiny):
    np.savez(tmp_path / "mnist.npz", **tiny)
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    dataset = load_dataset("mnist_14x14")
    assert dataset.name == "mnist_14x14"
    for part in ("x_train", "x_test"):
        blocks = tiny[part].reshape(-1, 14, 2, 14, 2).mean((2, 4))
        np.testing.assert_array_equal(getattr(dataset, part), np.floor(blocks + 0.5))
    for part in ("y_train", "y_test"):
        np.testing.assert_array_equal(getattr(dataset, part), tiny[part])


def test_halved_pictures_are_means_rounded():
    picture = np.array([[0, 1, 255, 255], [0, 0, 255, 255], [0, 1, 7, 9], [1, 0, 8, 9]], np.uint8)
    assert images.halved(picture[None]).tolist() == [[[0, 255], [1, 8]]]


@pytest.mark.parametrize(
    "pictures, message",
    [
        (np.zeros((2, 3, 4), np.uint8), "not uint8 of (2, 3, 4)"),
        (np.zeros((2, 4, 3), np.uint8), "not uint8 of (2, 4, 3)"),
        (np.zeros((4, 4), np.uint8), "not uint8 of (4, 4)"),
        (np.zeros((2, 4, 4)), "not float64 of (2, 4, 4)"),
    ],
)
def test_halved_rejects(pictures, message):
    expected = f"Pictures must be uint8 of the shape (samples, even, even), {message}"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        images.halved(pictures)


def test_missing_mnist_is_refused_with_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "places", lambda: [tmp_path])
    with pytest.raises(FileNotFoundError, match=r"^MNIST must be in one of .*SPIKER_DATA points$"):
        images.mnist(download=False)


def test_downloaded_files_are_verified(tmp_path, monkeypatch, tiny):
    files = {f"{name}.gz": gzip.compress(idx(tiny[key])) for key, name in FILES.items()}
    sums = {
        key: f"sha256:{hashlib.sha256(files[f'{name}.gz']).hexdigest()}"
        for key, name in FILES.items()
    }
    monkeypatch.setattr(images, "places", lambda: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with serving(files) as (address, asked):
        own = replace(images.MNIST, source=address, downloads=sums)
        monkeypatch.setattr(images, "MNIST", own)
        np.testing.assert_array_equal(images.mnist().x_train, tiny["x_train"])
        assert len(asked) == 4
        wrong = own.downloads | {"y_test": f"sha256:{'0' * 64}"}
        (tmp_path / "spiker/mnist/t10k-labels-idx1-ubyte.gz").unlink()
        monkeypatch.setattr(images, "MNIST", replace(own, downloads=wrong))
        with pytest.raises(FileNotFoundError, match=r"downloaded \(.* must have the checksum"):
            images.mnist()


def test_digits_are_split_once_and_for_all():
    pytest.importorskip("sklearn")
    a, b = load_dataset("digits"), load_dataset("digits")
    assert a.x_train.shape == (1437, 8, 8)
    assert a.x_test.shape == (360, 8, 8)
    assert a.x_train.max() == 255
    assert np.bincount(a.y_test).min() > 20
    np.testing.assert_array_equal(a.x_test, b.x_test)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "must be an IDX file of bytes"),
        (b"PK\x03\x04....", "must be an IDX file of bytes"),
        (idx(np.zeros((3, 4), np.uint8))[:-1], "must have 24 bytes, not 23"),
        (idx(np.zeros((3, 4), np.uint8)) + b"x", "must have 24 bytes, not 25"),
        (idx(np.zeros((3, 4), np.uint8))[:9], "must have 12 bytes of header, not 9"),
        (gzip.compress(idx(np.zeros(9, np.uint8)))[:-9], "must be a whole gzip file"),
        (b"\x1f\x8bnot gzip", "must be a whole gzip file"),
    ],
)
def test_files_that_are_no_idx_are_rejected(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        images.read_idx(tmp_path / "file")


def test_files_that_are_no_npz_are_rejected(tmp_path, tiny):
    np.savez(tmp_path / "whole.npz", **tiny)
    stored = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(stored[: len(stored) // 2])
    (tmp_path / "text.npz").write_text("no arrays")
    del tiny["y_test"]
    np.savez(tmp_path / "part.npz", **tiny)
    for name in ("cut", "text", "part"):
        with pytest.raises(ValueError, match=rf"{name}\.npz: must "):
            load_dataset(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError, match=r"must be a file, and is not there$"):
        load_dataset(tmp_path / "none.npz")
    with pytest.raises(
        ValueError,
        match=r"^Data set must be one of 'digits', 'mnist', 'mnist_14x14', 'fashion' or an",
    ):
        load_dataset("cifar")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x_train": np.zeros((5, 2))}, "x_train must be uint8"),
        ({"y_train": np.zeros(4, int)}, r"y_train must be integers of the shape \(5,\)"),
        ({"y_train": np.zeros(5)}, "y_train must be integers"),
        ({"y_test": np.array([0, -1])}, "y_test must be at least 0, not -1"),
        ({"x_test": np.zeros((2, 3, 3), np.uint8)}, r"x_test must be of shape \(28, 28\)"),
    ],
)
def test_data_sets_reject(tiny, change, message):
    with pytest.raises(ValueError, match=message):
        Dataset(**tiny | change, name="tiny")
