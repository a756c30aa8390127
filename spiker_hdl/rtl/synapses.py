"""The weights of a population, in rows as wide as its lanes."""

from collections.abc import Sequence

import numpy as np
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..model import Projection
from ..model.check import check_int

__all__ = ["Synapses"]


class Synapses(wiring.Component):
    """Weight memory of all projections into a population.

    A source has a row for each fold of the lanes; a projection's rows stand after those of the
    projections before it. Rows are read two cycles after they were asked for, the second of which
    is a register at the memory's output.

    Parameters
    ----------
    projections : sequence of Projection
        What is stored; all have the same target.
    lanes : int
        Weights in a row.

    Attributes
    ----------
    folds : int
        Rows of a source.
    bases : list of int
        Address of each projection's first source.
    rows : int
        Addresses of a fold.
    width : int
        Bits of a weight.

    Members
    -------
    address : In(range(folds * rows))
        ``fold * rows + base + source``.
    read : In(1)
        There is an address; for a cycle without one, all weights are zero.
    weights : Out(ArrayLayout(signed(width), lanes))
    """

    address: Signal
    read: Signal
    weights: data.View

    def __init__(self, projections: Sequence[Projection], *, lanes: int):
        check_int("Lanes", lanes, 1)
        if not projections:
            raise ValueError("Synapses must have a projection, not none")
        self.projections = tuple(projections)
        self.lanes = lanes
        self.size = projections[0].synapses.target_size
        self.folds = -(-self.size // lanes)
        sizes = [one.synapses.source_size for one in projections]
        self.bases = [sum(sizes[:n]) for n in range(len(sizes))]
        self.rows = sum(sizes)
        self.width = max(one.width for one in projections)
        super().__init__({
            "address": In(range(self.folds * self.rows)),
            "read": In(1),
            "weights": Out(data.ArrayLayout(signed(self.width), lanes)),
        })

    def contents(self) -> list[int]:
        """Return the rows, each as an unsigned integer with lane 0 in its lowest bits."""
        matrix = np.concatenate([one.synapses.matrix() for one in self.projections], axis=1)
        padded = np.zeros((self.folds * self.lanes, self.rows), dtype=np.int64)
        padded[: self.size] = matrix
        bits = padded.reshape(self.folds, self.lanes, self.rows).transpose(0, 2, 1)[..., None]
        bits = (bits >> np.arange(self.width) & 1).astype(np.uint8)
        packed = np.packbits(bits.reshape(self.folds * self.rows, -1), axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    def elaborate(self, platform):
        m = Module()

        m.submodules.memory = memory = Memory(
            shape=unsigned(self.lanes * self.width),
            depth=self.folds * self.rows,
            init=self.contents(),
        )
        port = memory.read_port()
        found = Signal()
        m.d.comb += port.addr.eq(self.address)
        m.d.sync += [found.eq(self.read), self.weights.as_value().eq(Mux(found, port.data, 0))]

        return m
