"""Flips that change several neurons: in a kernel, or in weights whose sums are pooled."""

from dataclasses import replace

import numpy as np

from spiker_hdl.model import Convolution

from .bit_flips import Flip

__all__ = ["added_currents", "changed_neurons", "is_wide"]


def is_wide(flip: Flip) -> bool:
    """Return whether a flip may change more than one neuron of its population."""
    projection = flip.projection
    return projection is not None and (bool(flip.entry) or projection.pooling is not None)


def changed_neurons(flip: Flip) -> np.ndarray:
    """Return the neurons of its population that a wide flip may change, ascending."""
    projection = flip.projection
    assert projection is not None
    if not flip.entry:
        return np.arange(projection.target_size)
    positions = projection.target_size // len(projection.synapses.kernel)
    return flip.entry[0] * positions + np.arange(positions)


def added_currents(flip: Flip, events: np.ndarray) -> np.ndarray:
    """Return what a wide flip adds to the currents of the neurons that it may change.

    Parameters
    ----------
    flip : Flip
    events : array of int, shape (..., source size)

    Returns
    -------
    array of int, shape (..., neurons)
    """
    projection = flip.projection
    assert projection is not None
    events = events.astype(np.int64)
    synapses, pooling = projection.synapses, projection.pooling
    if flip.entry:
        own, events = _of_channel(synapses, flip.entry, events)
        change = _at_all_positions(own, flip, events)
        if pooling is None:
            return change
        synapses, pooling = own, replace(pooling, shape=own.target_shape)
    else:
        change = np.zeros((*events.shape[:-1], synapses.target_size), dtype=np.int64)
        change[..., flip.neuron] = events[..., flip.source] * flip.change
    assert pooling is not None
    # A maximum is not a sum: what a flip adds to it depends on the other sums of the window.
    sums = synapses.sums(events) << projection.shift
    return pooling.maxima(sums + change) - pooling.maxima(sums)


def _of_channel(
    synapses: Convolution, entry: tuple[int, ...], events: np.ndarray
) -> tuple[Convolution, np.ndarray]:
    """Return the convolution to one output channel, and the events of the channels of its group."""
    outputs, inputs = synapses.kernel.shape[:2]
    first = entry[0] // (outputs // synapses.groups) * inputs
    maps = events.reshape(*events.shape[:-1], synapses.shape[0], -1)
    maps = maps[..., first : first + inputs, :]
    own = Convolution(
        synapses.kernel[entry[0]][None],
        (inputs, *synapses.shape[1:]),
        synapses.stride,
        synapses.padding,
        synapses.dilation,
    )
    return own, maps.reshape(*events.shape[:-1], own.source_size)


def _at_all_positions(own: Convolution, flip: Flip, events: np.ndarray) -> np.ndarray:
    """Return what a changed entry of a kernel adds to the sums of its output channel."""
    _, channel, *offset = flip.entry
    maps = events.reshape(*events.shape[:-1], *own.shape)[
        (..., channel, *(slice(None) for _ in offset))
    ]
    change = np.zeros((*events.shape[:-1], *own.windows.counts), dtype=np.int64)
    for tap in own.windows.taps():
        if tap.offset == tuple(offset):
            change[(..., *tap.targets)] = maps[(..., *tap.sources)] * flip.change
    return change.reshape(*events.shape[:-1], own.target_size)
