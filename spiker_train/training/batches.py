"""Samples as the trainer needs them: checked, split, in batches, and shifted at random."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.conversions import integer_array
from spiker_hdl.model import stimulus
from spiker_hdl.model.scores import class_count
from spiker_train.network.network import SpikingNetwork

__all__ = ["ImageShifter", "batch_of", "checked_labels", "checked_spikes", "split"]


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


def checked_spikes(net: SpikingNetwork, spikes: Any) -> dict[str, np.ndarray]:
    """Return spikes by input, each of the shape (samples, steps, size).

    Raises
    ------
    TypeError, ValueError
        If they do not suit the network, or samples differ in their number of steps.
    """
    samples = stimulus(net.graph, spikes)
    if len(set(samples.steps.tolist())) > 1:
        raise ValueError("Samples must have the same number of steps")
    arrays = {
        name: value if isinstance(value, np.ndarray) else np.stack(value)
        for name, value in samples.values.items()
    }
    # PyTorch implements few operations on unsigned integers of more than 8 bits.
    wide = {np.dtype(kind) for kind in (np.uint16, np.uint32, np.uint64)}
    return {
        name: array.astype(np.int32) if array.dtype in wide else array
        for name, array in arrays.items()
    }


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
    x: dict[str, np.ndarray],
    members: np.ndarray,
    generator: np.random.Generator,
) -> dict[str, torch.Tensor]:
    """Return the spikes of a batch by input, each of the shape (members, steps, size).

    Parameters
    ----------
    net : SpikingNetwork
    spikes : callable, or anything else
        A function of sample numbers and a generator makes the spikes anew.
    x : dict of str to array
        All spikes by input, where ``spikes`` is no function.
    members : array of int, shape (members,)
        Numbers of the samples.
    generator : Generator
    """
    if not callable(spikes):
        return {name: torch.as_tensor(array[members]) for name, array in x.items()}
    arrays = checked_spikes(net, spikes(members, generator))
    count = len(next(iter(arrays.values())))
    if count != len(members):
        raise ValueError(f"Function must return spikes of {len(members)} samples, not {count}")
    return {name: torch.as_tensor(array) for name, array in arrays.items()}


class ImageShifter:
    """Shifts the images of each sample at random, those of all its steps alike.

    Parameters
    ----------
    net : SpikingNetwork
        Whose inputs have shapes of two axes.
    max_shift : int
        Greatest shift in both directions, in pixels; what enters from outside is 0.
    """

    def __init__(self, net: SpikingNetwork, max_shift: int):
        self.max_shift = max_shift
        self.shapes = {}
        for declared in net.inputs:
            shape = declared.shape
            if not isinstance(shape, tuple) or len(shape) != 2:
                raise ValueError(
                    f"Input {declared.name!r} must have two axes to be shifted, not {shape}"
                )
            self.shapes[declared.name] = shape

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
            images = value.reshape(samples, steps, height, width)
            padded = nn.functional.pad(images, [self.max_shift] * 4)
            stride = width + 2 * self.max_shift
            rows, columns = np.arange(height)[:, None], np.arange(width)
            base = (rows * stride + columns).reshape(-1)
            index = torch.as_tensor(base + (offsets @ [stride, 1])[:, None])
            flat = padded.reshape(samples, steps, -1)
            shifted[name] = flat.gather(2, index[:, None].expand(samples, steps, height * width))
        return shifted
