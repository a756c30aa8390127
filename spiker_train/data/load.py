"""Data sets by name: of pictures, of recordings, from files, and of other libraries."""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.arrays import read_npz

from .heart_beats import heart_beat_events, heart_beats
from .heidelberg import heidelberg
from .images import Dataset, cache, datasets, from_npz
from .neuromorphic_mnist import neuromorphic_mnist
from .recordings import EventDataset
from .representations import dense_to_events
from .spoken_audio import spoken_audio_recordings
from .spoken_digits import spoken_recordings
from .torch_datasets import convert_torch

__all__ = ["event_datasets", "load_data"]

SPIKES = ("spikes_train", "y_train", "spikes_test", "y_test")

event_datasets: Mapping[str, Callable[[], EventDataset]] = {
    "fsdd": spoken_recordings,
    "fsdd_audio": spoken_audio_recordings,
    "mitbih": lambda: heart_beat_events(heart_beats()),
    "nmnist": neuromorphic_mnist,
    "shd": lambda: heidelberg("shd"),
    "ssc": lambda: heidelberg("ssc"),
}
"""Functions that load data sets of recordings, by name."""


def load_data(name: str | Path) -> Dataset | EventDataset:
    """Return a data set, of values or of recordings.

    Parameters
    ----------
    name : str or Path
        One of :data:`~.images.datasets` or :data:`event_datasets`; an ``.npz`` file with
        ``x_train``, ``y_train``, ``x_test`` and ``y_test`` of values, or with ``spikes_train``,
        ``y_train``, ``spikes_test`` and ``y_test``, where spikes are dense, of 0 and 1;
        ``"tonic:NAME"``, a class of ``tonic.datasets``; or ``"MODULE:FUNCTION"``, which returns a
        pair of data sets of PyTorch, a :class:`Dataset` or an :class:`EventDataset`.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is no data set.
    FileNotFoundError
        If the files are not there and cannot be downloaded.
    ModuleNotFoundError
        If a library that is needed is not installed.
    """
    text = str(name)
    if text in datasets:
        return datasets[text]()
    if text in event_datasets:
        return event_datasets[text]()
    if text.endswith(".npz"):
        if not Path(name).is_file():
            raise FileNotFoundError(f"Data set {name} must be a file, and is not there")
        spikes = _read_spikes(Path(name))
        return from_npz(name) if spikes is None else spikes
    module, separator, attribute = text.partition(":")
    if separator and module.replace(".", "_").isidentifier() and attribute.isidentifier():
        return _tonic(attribute) if module == "tonic" else _called(module, attribute)
    listed = ", ".join(repr(known) for known in (*datasets, *event_datasets))
    raise ValueError(
        f"Data set must be one of {listed}, an .npz file, tonic:NAME or MODULE:FUNCTION, "
        f"not {text!r}"
    )


@reader("an .npz file of spikes or of a data set", "npz")
def _read_spikes(path: Path) -> EventDataset | None:
    arrays = read_npz(path, SPIKES)
    if "spikes_train" not in arrays and "spikes_test" not in arrays:
        return None
    missing = [name for name in SPIKES if name not in arrays]
    if missing:
        raise FileError(f"must have {', '.join(SPIKES)}, not lack {', '.join(missing)}")
    for part in SPIKES[::2]:
        array = arrays[part]
        if array.ndim != 3 or array.dtype.kind not in "biu":
            raise FileError(
                f"must have {part} of integers, shape (samples, steps, channels), "
                f"not {array.dtype} of {array.shape}"
            )
        if array.size and int(array.max()) > 1:
            raise FileError(f"must have {part} of 0 and 1, not up to {int(array.max())}")
    dt = 1e-3
    return EventDataset(
        dense_to_events(arrays["spikes_train"], dt),
        arrays["y_train"],
        dense_to_events(arrays["spikes_test"], dt),
        arrays["y_test"],
        path.stem,
        dt,
        arrays["spikes_train"].shape[1],
    )


def _tonic(name: str) -> Dataset | EventDataset:
    if find_spec("tonic") is None:
        raise ModuleNotFoundError(
            f"Data set tonic:{name} must have tonic installed: pip install tonic", name="tonic"
        )
    kind = getattr(import_module("tonic.datasets"), name, None)
    if not callable(kind):
        raise ValueError(f"Data set of tonic must be a class of tonic.datasets, not {name!r}")
    folder = str(cache() / "tonic")
    try:
        train, test = kind(save_to=folder, train=True), kind(save_to=folder, train=False)
    except TypeError:  # others name their parts
        train, test = kind(save_to=folder, split="train"), kind(save_to=folder, split="test")
    return convert_torch(train, test, name.lower(), dt=0.01)


def _called(module: str, attribute: str) -> Dataset | EventDataset:
    try:
        function: Any = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"Data set {module}:{attribute} must be importable: {error}") from None
    if not callable(function):
        raise ValueError(f"Data set {module}:{attribute} must be a function, not {function!r}")
    result: Any = function()
    if isinstance(result, Dataset | EventDataset):
        return result
    if isinstance(result, tuple) and len(result) == 2:
        return convert_torch(*result, attribute)
    raise TypeError(
        f"Function {module}:{attribute} must return data to train with and to test, "
        f"not {type(result).__name__}"
    )
