"""Samples as the trainer needs them: checked, split, in batches, and shifted at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.conversions import integer_array, number_array
from spiker_hdl.model import stimulus
from spiker_hdl.model.scores import class_count
from spiker_train.network.network import SpikingNetwork

__all__ = [
    "ImageShifter",
    "Samples",
    "batch_of",
    "checked_labels",
    "checked_samples",
    "checked_spikes",
    "checked_targets",
    "orders",
    "padded",
    "split",
]

POOL = 8
"""Batches whose samples are sorted by length together, where they differ."""


def split(count: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training samples and of validation samples, chosen at random.

    Parameters
    ----------
    count : int
        Number of samples.
    share : float
        Share of the samples for validation.
    seed : int

    Raises
    ------
    ValueError
        If ``share`` leaves either without a sample.
    """
    aside = round(count * share)
    if not 0 < aside < count:
        raise ValueError(
            f"Validation share must leave samples on both sides, not {share!r} of {count}"
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    return np.sort(order[aside:]), np.sort(order[:aside])


@dataclass(frozen=True)
class Samples:
    """Checked spikes of samples, which may differ in their number of steps.

    Members
    -------
    values : dict of str to array or list
        For each input, an array of the shape (samples, steps, size), or a list of arrays of the
        shape (steps, size) where samples differ in their steps.
    lengths : array of int64, shape (samples,), or None
        Steps of each sample; None where all have the same.
    """

    values: dict[str, Any]
    lengths: np.ndarray | None

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))

    @property
    def steps(self) -> int | None:
        """Steps of the longest sample; None without samples."""
        if self.lengths is not None:
            return int(self.lengths.max())
        array = next(iter(self.values.values()), None)
        return None if array is None else array.shape[1]

    def take(self, members: np.ndarray) -> "Samples":
        """Return some samples by their numbers."""
        if self.lengths is None:
            return Samples({name: array[members] for name, array in self.values.items()}, None)
        rows = {name: [rows[n] for n in members] for name, rows in self.values.items()}
        return Samples(rows, self.lengths[members])

    def batch(self, members: Any) -> tuple[dict[str, torch.Tensor], np.ndarray | None]:
        """Return the spikes of some samples, padded with 0 at their ends, and their lengths."""
        part = self.take(members)
        if part.lengths is None:
            return {name: torch.as_tensor(array) for name, array in part.values.items()}, None
        most = int(part.lengths.max())
        return {
            name: torch.as_tensor(padded(rows, most)) for name, rows in part.values.items()
        }, part.lengths


def padded(rows: Sequence[np.ndarray], steps: int) -> np.ndarray:
    """Return arrays of the shape (steps, size) as one, with 0 after the end of each."""
    array = np.zeros((len(rows), steps, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for place, row in zip(array, rows, strict=True):
        place[: len(row)] = row
    return array


def checked_samples(net: SpikingNetwork, spikes: Any) -> Samples:
    """Return spikes by input.

    Raises
    ------
    TypeError, ValueError
        If they do not suit the network.
    """
    samples = stimulus(net.graph, spikes)
    # PyTorch implements few operations on unsigned integers of more than 8 bits.
    wide = {np.dtype(kind) for kind in (np.uint16, np.uint32, np.uint64)}

    def narrow(array: np.ndarray) -> np.ndarray:
        return array.astype(np.int32) if array.dtype in wide else array

    if len(set(samples.steps.tolist())) > 1:
        lists = {name: [narrow(row) for row in rows] for name, rows in samples.values.items()}
        for rows in lists.values():
            kind = np.result_type(*{row.dtype for row in rows})
            rows[:] = [row.astype(kind, copy=False) for row in rows]
        return Samples(lists, samples.steps)
    arrays = {
        name: narrow(value if isinstance(value, np.ndarray) else np.stack(value))
        for name, value in samples.values.items()
    }
    return Samples(arrays, None)


def checked_spikes(net: SpikingNetwork, spikes: Any) -> dict[str, np.ndarray]:
    """Return spikes by input, each of the shape (samples, steps, size).

    Raises
    ------
    TypeError, ValueError
        If they do not suit the network, or samples differ in their number of steps.
    """
    samples = checked_samples(net, spikes)
    if samples.lengths is not None:
        raise ValueError("Samples must have the same number of steps")
    return samples.values


def checked_targets(net: SpikingNetwork, targets: Any, samples: Samples) -> list[np.ndarray]:
    """Return the targets of a loss over time, an array of the shape (steps, size) for each sample.

    Raises
    ------
    TypeError, ValueError
        If they are no finite numbers, or of another shape than the readout's population has.
    """
    size = net.layer[net.readouts[0].population].size
    steps = samples.lengths
    if steps is None:
        length = next(iter(samples.values.values())).shape[1]
        steps = np.full(len(samples), length)
    if not hasattr(targets, "__len__") or len(targets) != len(steps):
        raise ValueError(f"Targets must be of {len(steps)} samples, as the spikes are, not others")
    rows = []
    for n, length in enumerate(steps):
        row = number_array(f"Targets of sample {n}", targets[n], np.float32)
        if row.shape != (length, size) or not np.isfinite(row).all():
            raise ValueError(
                f"Targets of sample {n} must be finite numbers of the shape ({length}, {size}), "
                f"not {row.shape}"
            )
        rows.append(row)
    return rows


def orders(
    generator: np.random.Generator, count: int, size: int, lengths: np.ndarray | None
) -> list[np.ndarray]:
    """Return the numbers of the samples of each batch, in random order.

    Samples that differ in their steps are with others of about the same: they are sorted by length
    within each few batches' worth of a random order, and the batches are in random order.
    """
    order = generator.permutation(count)
    if lengths is None:
        return [order[start : start + size] for start in range(0, count, size)]
    batches = []
    for start in range(0, count, POOL * size):
        pool = order[start : start + POOL * size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    return [batches[n] for n in generator.permutation(len(batches))]


def checked_labels(net: SpikingNetwork, labels: Any, count: int) -> np.ndarray:
    """Return the labels of ``count`` samples as int64.

    Raises
    ------
    TypeError, ValueError
        If they are no integers, or of another shape or range.
    """
    classes = class_count(net.graph, net.readouts[0])
    y = integer_array("Labels", labels)
    if y.shape != (count,):
        raise ValueError(f"Labels must have the shape ({count},), not {y.shape}")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        outside = int(y.min()) if int(y.min()) < 0 else int(y.max())
        raise ValueError(f"Labels must be in 0..{classes - 1}, not {outside}")
    return y.astype(np.int64)


def batch_of(
    net: SpikingNetwork,
    spikes: Any,
    x: Samples,
    members: np.ndarray,
    generator: np.random.Generator,
) -> tuple[dict[str, torch.Tensor], np.ndarray | None]:
    """Return the spikes of a batch by input, each of the shape (members, steps, size).

    The second result has the steps of each sample, or is None where all have the same.

    Parameters
    ----------
    net : SpikingNetwork
    spikes : callable, or anything else
        A function of sample numbers and a generator makes the spikes anew.
    x : Samples
        All samples, where ``spikes`` is no function.
    members : array of int, shape (members,)
        Numbers of the samples.
    generator : Generator
    """
    if not callable(spikes):
        return x.batch(members)
    drawn = checked_samples(net, spikes(members, generator))
    if len(drawn) != len(members):
        raise ValueError(f"Function must return spikes of {len(members)} samples, not {len(drawn)}")
    return drawn.batch(np.arange(len(drawn)))


class ImageShifter:
    """Shifts the images of each sample at random, those of all its steps alike.

    Parameters
    ----------
    net : SpikingNetwork
        Whose inputs have shapes of two axes, or of channels and two axes.
    max_shift : int
        Greatest shift in both directions, in pixels; what enters from outside is 0.
    """

    def __init__(self, net: SpikingNetwork, max_shift: int):
        self.max_shift = max_shift
        self.shapes = {}
        for declared in net.inputs:
            shape = declared.shape
            if not isinstance(shape, tuple) or len(shape) not in {2, 3}:
                raise ValueError(
                    f"Input {declared.name!r} must have two axes to be shifted, or channels and "
                    f"two axes, not {shape}"
                )
            self.shapes[declared.name] = shape[-2:]

    def __call__(
        self, spikes: Mapping[str, torch.Tensor], generator: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return shifted spikes by input, each of the shape (samples, steps, size)."""
        shifted = {}
        count = len(next(iter(spikes.values())))
        offsets = generator.integers(0, 2 * self.max_shift + 1, (count, 2))
        for name, value in spikes.items():
            height, width = self.shapes[name]
            samples, steps, _ = value.shape
            images = value.reshape(samples, -1, height, width)
            padded = nn.functional.pad(images, [self.max_shift] * 4)
            stride = width + 2 * self.max_shift
            rows, columns = np.arange(height)[:, None], np.arange(width)
            base = (rows * stride + columns).reshape(-1)
            index = torch.as_tensor(base + (offsets @ [stride, 1])[:, None])
            flat = padded.flatten(2)
            index = index[:, None].expand(samples, flat.shape[1], height * width)
            shifted[name] = flat.gather(2, index).reshape(samples, steps, -1)
        return shifted
