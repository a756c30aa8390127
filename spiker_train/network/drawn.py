"""Networks whose weights are those that devices hold, for the time of a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from struct import pack, unpack
from typing import TYPE_CHECKING, Any

import torch

from spiker_train.devices.arrays import as_array
from spiker_train.devices.checks import generator

if TYPE_CHECKING:
    from .network import SpikingNetwork

__all__ = ["draw_weights", "with_weights"]

PROGRAM, READ = 0, 1
"""What random numbers are for, as part of their path."""


def draw_weights(
    net: "SpikingNetwork", devices: Any, seed: int, draw: int, seconds: float = 0.0
) -> dict[str, torch.Tensor]:
    """Return the weights of a network as devices hold them, by the name of the connection.

    They depend on the network's weights, the devices, ``seed``, ``draw`` and ``seconds`` alone: the
    devices of a draw are the same at all times, and each time has a read of its own. Where a
    connection has a mask, devices without a synapse count for nothing.

    Parameters
    ----------
    net : SpikingNetwork
    devices : Device or array of devices, or mapping of str to such
        What holds the weights, for all connections, or by name of the connection; connections that
        a mapping lacks keep their weights.
    seed, draw : int
    seconds : float
        Time after programming.

    Returns
    -------
    dict of str to tensor of float64
    """
    weights = {}
    for n, connection in enumerate(net.connections):
        device = devices
        if isinstance(devices, Mapping):
            if connection.name not in devices:
                continue
            device = devices[connection.name]
        array = as_array(device)
        values = connection.weights.detach()
        if connection.mask is not None:
            values = values * connection.mask
        programmed = array.program(values, generator(seed, draw, n, PROGRAM))
        read = generator(seed, draw, n, READ, unpack("<Q", pack("<d", seconds))[0])
        weights[connection.name] = programmed.at(seconds).read(read)
    return weights


def check_devices(net: "SpikingNetwork", devices: Any) -> None:
    """Raise an error unless devices can hold the weights of a network's connections."""
    if not isinstance(devices, Mapping):
        as_array(devices)
        return
    known = [connection.name for connection in net.connections]
    for name, device in devices.items():
        if name not in known:
            raise ValueError(f"Devices must be for {', '.join(known)}, not {name!r}")
        as_array(device)


@contextmanager
def with_weights(net: "SpikingNetwork", weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Let a network run with other weights, whose gradients pass to its own weights unchanged.

    Parameters
    ----------
    net : SpikingNetwork
    weights : mapping of str to tensor
        By name of the connection, of the shape of its weights; with one axis more in front for
        several draws, each of which then runs all samples: see :mod:`~.stacked`.
    """
    try:
        for connection in net.connections:
            connection.drawn = weights.get(connection.name)
        yield
    finally:
        for connection in net.connections:
            connection.drawn = None
