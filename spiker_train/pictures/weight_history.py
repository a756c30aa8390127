"""Weights of a network at several times: of a training, or after devices were programmed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, check_kind
from spiker_train.devices.checks import check_number
from spiker_train.network.drawn import check_devices, draw_weights
from spiker_train.network.network import SpikingNetwork, check_network

__all__ = ["WeightHistory"]


@dataclass
class WeightHistory:
    """Weights of each connection at increasing times.

    Members
    -------
    label : str
        What the times are, with their unit, such as ``"epoch"``.
    times : list of float
    weights : dict of str to list of array of float64
        By connection, its weights at each time; synapses that do not exist are left out.

    Examples
    --------
    >>> from spiker_train import SpikingNetwork
    >>> from spiker_train.pictures import WeightHistory
    >>> net = SpikingNetwork.chain("3-4-2")
    >>> history = WeightHistory("epoch")
    >>> history.add(0, net)
    >>> history.times, [len(w) for w in history.weights["input->hidden"]]
    ([0.0], [12])
    """

    label: str = "epoch"
    times: list[float] = field(default_factory=list)
    weights: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, time: float, net: SpikingNetwork) -> None:
        """Keep a copy of the present weights of a network.

        Parameters
        ----------
        time : float
            Such as the number of epochs so far.
        net : SpikingNetwork

        Raises
        ------
        ValueError
            If the time is not after the one before, or the network has other connections.
        """
        check_network(net)
        values = {connection.name: connection.weights.detach() for connection in net.connections}
        self._add(time, net, values)

    def _add(self, time: float, net: SpikingNetwork, values: dict[str, Any]) -> None:
        time = check_number("Time of weights", time)
        if self.times and time <= self.times[-1]:
            raise ValueError(f"Time of weights must be after {self.times[-1]:g}, not {time:g}")
        if self.times and set(values) != set(self.weights):
            raise ValueError(
                f"Weights must be of the connections {sorted(self.weights)}, not {sorted(values)}"
            )
        self.times.append(time)
        for connection in net.connections:
            if connection.name in values:
                array = values[connection.name].cpu().double().numpy()
                mask = connection.mask
                array = array[mask.cpu().numpy()] if mask is not None else array.ravel()
                self.weights.setdefault(connection.name, []).append(array.copy())

    @classmethod
    def of_devices(
        cls,
        net: SpikingNetwork,
        devices: Any,
        times: Sequence[float],
        *,
        seed: int = 0,
        draw: int = 0,
    ) -> "WeightHistory":
        """Return the weights that devices hold at times after programming.

        Parameters
        ----------
        net : SpikingNetwork
        devices : Device or array of devices, or mapping of str to such
            As for :class:`~spiker_train.MonteCarlo`, of whose draw they are.
        times : sequence of float
            Seconds after programming, which increase.
        seed, draw : int
        """
        check_kind("Network", net, SpikingNetwork)
        check_devices(net, devices)
        seed, draw = check_int("Seed", seed, 0), check_int("Draw", draw, 0)
        history = cls("time after programming (s)")
        for seconds in times:
            weights = draw_weights(net, devices, seed, draw, seconds)
            history._add(seconds, net, weights)
        return history
