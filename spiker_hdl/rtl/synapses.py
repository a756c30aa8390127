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

    A source has a row for each fold of the lanes, in the bank that its number tells; a projection's
    rows stand after those of the projections before it. Rows are read two cycles after they were
    asked for, the second of which is a register at the memory's output.

    Parameters
    ----------
    projections : sequence of Projection
        What is stored; all have the same target.
    lanes : int
        Weights in a row.
    banks : int
        Rows that are read at once; source ``s`` has its own in bank ``s % banks``.

    Attributes
    ----------
    folds : int
        Rows of a source.
    bases : list of int
        Row of each projection's first source, the same in every bank.
    rows : int
        Rows of a fold, in a bank.
    width : int
        Bits of a weight.

    Members
    -------
    row : In(ArrayLayout(range(folds * rows), banks))
        ``fold * rows + base + source // banks``.
    read : In(banks)
        There is a row; without one, the bank's weights are zero.
    weights : Out(ArrayLayout(ArrayLayout(signed(width), lanes), banks))
    """

    row: data.View
    read: Signal
    weights: data.View

    def __init__(self, projections: Sequence[Projection], *, lanes: int, banks: int = 1):
        check_int("Lanes", lanes, 1)
        check_int("Banks", banks, 1)
        if not projections:
            raise ValueError("Synapses must have a projection, not none")
        self.projections = tuple(projections)
        self.lanes = lanes
        self.banks = banks
        self.size = projections[0].synapses.target_size
        self.folds = -(-self.size // lanes)
        sizes = [-(-one.synapses.source_size // banks) for one in projections]
        self.bases = [sum(sizes[:n]) for n in range(len(sizes))]
        self.rows = sum(sizes)
        self.width = max(one.width for one in projections)
        weights = data.ArrayLayout(data.ArrayLayout(signed(self.width), lanes), banks)
        super().__init__({
            "row": In(data.ArrayLayout(range(self.folds * self.rows), banks)),
            "read": In(banks),
            "weights": Out(weights),
        })

    def contents(self, bank: int = 0) -> list[int]:
        """Return the rows of a bank, each as an unsigned integer with lane 0 in its lowest bits."""
        parts = []
        for one in self.projections:
            matrix = one.synapses.matrix()[:, bank :: self.banks]
            missing = -(-one.synapses.source_size // self.banks) - matrix.shape[1]
            parts.append(np.pad(matrix, ((0, 0), (0, missing))))
        padded = np.zeros((self.folds * self.lanes, self.rows), dtype=np.int64)
        padded[: self.size] = np.concatenate(parts, axis=1)
        bits = padded.reshape(self.folds, self.lanes, self.rows).transpose(0, 2, 1)[..., None]
        bits = (bits >> np.arange(self.width) & 1).astype(np.uint8)
        packed = np.packbits(bits.reshape(self.folds * self.rows, -1), axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    def elaborate(self, platform):
        m = Module()

        found = Signal(self.banks)
        m.d.sync += found.eq(self.read)
        for bank in range(self.banks):
            memory = Memory(
                shape=unsigned(self.lanes * self.width),
                depth=self.folds * self.rows,
                init=self.contents(bank),
            )
            m.submodules["memory" if self.banks == 1 else f"memory_{bank}"] = memory
            port = memory.read_port()
            m.d.comb += port.addr.eq(self.row[bank])
            m.d.sync += self.weights[bank].as_value().eq(Mux(found[bank], port.data, 0))

        return m
