"""Any data set of PyTorch, tonic's among them, as arrays or events of this library."""

from collections.abc import Callable
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.conversions import as_index, is_array, number_array

from .events import Events
from .images import Dataset
from .recordings import EventDataset

__all__ = ["convert_torch"]

MICROSECOND = 1e-6
NAMES = {"t": ("t", "timestamp", "ts"), "p": ("p", "polarity", "on"), "x": ("x",), "y": ("y",)}


def convert_torch(
    train: Any,
    test: Any,
    name: str,
    *,
    dt: float = 1e-3,
    steps: int = 100,
    shape: tuple[int, ...] | None = None,
    samples: int | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Dataset | EventDataset:
    """Read two data sets of PyTorch, whose items are pairs of a sample and a class.

    A data set has ``__len__`` and ``__getitem__``, as ``torch.utils.data.Dataset`` has, those of
    torchvision and of tonic, and plain lists. What a sample is decides what is made of it:

    - a structured array with the fields ``t`` in microseconds, ``x``, and perhaps ``y`` and ``p``,
      as of tonic: events of the arrangement (polarity, y, x);
    - :class:`~spiker_train.Events`: events as they are;
    - uint8, or floating-point numbers in 0..1: values, which are rounded to 0..255.

    Parameters
    ----------
    train, test : data set
    name : str
    dt, steps
        Of the :class:`~.recordings.EventDataset`.
    shape : tuple of int, optional
        (polarities, height, width) of events. By default ``sensor_size`` of the data set, which
        tonic has as (width, height, polarities).
    samples : int, optional
        Most items to read of each; all by default.
    progress : callable, optional
        Called with 1 for each item.

    Raises
    ------
    TypeError, ValueError
        If an item is no such pair, or items differ in kind or shape.
    """
    parts = []
    for part, dataset in (("train", train), ("test", test)):
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"Data set {name!r}: {part} must have a length and items, not {shown(dataset)}"
            )
        count = len(dataset)
        if samples is not None:
            count = min(count, check_int("Samples", samples, 1))
        if count < 1:
            raise ValueError(f"Data set {name!r}: {part} must have an item, not none")
        own = shape or _sensor(dataset)
        items, labels = [], []
        for n in range(count):
            where = f"Item {n} of {part} in data set {name!r}"
            item = dataset[n]
            if not isinstance(item, list | tuple) or len(item) != 2:
                raise TypeError(f"{where} must be a sample and a class, not {shown(item)}")
            label = as_index(item[1])
            if label is None:
                raise TypeError(f"{where} must have an integer as its class, not {shown(item[1])}")
            items.append(_sample(where, item[0], own))
            labels.append(label)
            if progress is not None:
                progress(1)
        parts.append((items, np.array(labels, dtype=np.int64)))
    (x_train, y_train), (x_test, y_test) = parts
    kinds = {isinstance(item, Events) for item in [*x_train, *x_test]}
    if len(kinds) > 1:
        raise TypeError(f"Data set {name!r} must have events alone or values alone, not both")
    if kinds == {True}:
        return EventDataset(x_train, y_train, x_test, y_test, name, dt, steps)
    shapes = {item.shape for item in [*x_train, *x_test]}
    if len(shapes) > 1:
        raise ValueError(f"Data set {name!r} must have samples of one shape, not of {len(shapes)}")
    return Dataset(np.stack(x_train), y_train, np.stack(x_test), y_test, name)


def _sensor(dataset: Any) -> tuple[int, ...] | None:
    size = getattr(dataset, "sensor_size", None)
    if not isinstance(size, list | tuple) or len(size) != 3:
        return None
    if any(as_index(axis) is None for axis in size):
        return None
    width, height, polarities = (int(axis) for axis in size)
    return polarities, height, width


def _sample(where: str, sample: Any, shape: tuple[int, ...] | None) -> Any:
    if isinstance(sample, Events):
        return sample
    if isinstance(sample, np.ndarray) and sample.dtype.names:
        return _events(where, sample, shape)
    if not is_array(sample):
        raise TypeError(
            f"{where} must be an array, a tensor or events, not {shown(sample)}: a transform such "
            "as torchvision's ToTensor makes one of a picture"
        )
    values = number_array(where, sample)
    if values.ndim < 1 or not values.size:
        raise ValueError(f"{where} must have an axis and values, not the shape {values.shape}")
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f" and float(values.min()) >= 0 and float(values.max()) <= 1:
        return np.rint(values * 255).astype(np.uint8)
    raise ValueError(
        f"{where} must be uint8 or floating-point numbers in 0..1, not {values.dtype} in "
        f"{values.min()}..{values.max()}"
    )


def _events(where: str, sample: np.ndarray, shape: tuple[int, ...] | None) -> Events:
    if shape is None:
        raise ValueError(
            f"{where} has events: shape= must be (polarities, height, width), not None"
        )
    fields = sample.dtype.names or ()
    columns = {}
    for column, names in NAMES.items():
        field = next((field for field in names if field in fields), None)
        if field is None and column in "tx":
            raise ValueError(f"{where} must have the field {column!r}, not only {fields}")
        columns[column] = (
            np.zeros(len(sample), np.int64) if field is None else sample[field].astype(np.int64)
        )
    ticks = columns["t"]
    if len(ticks) and int(ticks.min()) < 0:
        raise ValueError(f"{where} must have times from 0 on, not {int(ticks.min())}")
    # A data set of one polarity may call it 1.
    polarity = columns["p"] if shape[0] > 1 else np.zeros_like(ticks)
    channels = np.stack([polarity, columns["y"], columns["x"]], axis=1)
    duration = (int(ticks.max(initial=0)) + 1) * MICROSECOND
    return Events(ticks * MICROSECOND, channels, shape, duration)
