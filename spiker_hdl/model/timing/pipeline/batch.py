"""What a batch of machines shares."""

from typing import Any

import numpy as np

from spiker_hdl.model.mapping import microarchitecture
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network

from ..components.part import Part
from ..traces import Trace

__all__ = ["Batch"]


class Batch:
    """Machines side by side, with all parts whose state is an array over the machines.

    Parameters
    ----------
    network : Network
        What each machine runs.
    mapping : Mapping
    count : int
        Number of machines.

    Attributes
    ----------
    max_in_flight : int
        Samples that a machine may have accepted and not answered.
    parts : list of Part or Trace
    """

    def __init__(self, network: Network, mapping: Mapping, count: int):
        self.network = network
        self.count = count
        self.max_in_flight = microarchitecture.max_in_flight(network, mapping)
        self.parts: list[Part | Trace] = []

    def add(self, part: Any) -> Any:
        """Register a part and return it; it is compacted when machines are done."""
        self.parts.append(part)
        return part

    def select(self, kept: np.ndarray) -> None:
        """Keep some machines."""
        for part in self.parts:
            part.select(kept)
