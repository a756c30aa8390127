"""The weights of a population, in rows as wide as its lanes."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Projection
from spiker_hdl.model.mapping.core import row_parts
from spiker_hdl.model.mapping.reload import Store, weight_rows
from spiker_hdl.rtl.common.memory import Load, kept_in, readable

__all__ = ["WeightMemory"]


class WeightMemory(wiring.Component):
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
    kind : str
        Memory that holds them: see :class:`~spiker_hdl.model.Core`.
    stores : sequence of Store
        For each bank, how it is written, if it can be.
    block : int
        Rows of a block RAM by which memories that are not written are split: see
        :class:`~spiker_hdl.model.Core`.

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
    load : In(Load), if it can be written
    """

    load: Any
    row: data.View
    read: Signal
    weights: data.View

    def __init__(
        self,
        projections: Sequence[Projection],
        *,
        lanes: int,
        banks: int = 1,
        kind: str = "auto",
        stores: Sequence[Store] = (),
        block: int = 0,
    ):
        lanes = check_int("Lanes", lanes, 1)
        banks = check_int("Banks", banks, 1)
        block = check_int("Block", block, 0)
        if not projections:
            raise ValueError("Synapses must have a projection, not none")
        self.projections = tuple(projections)
        self.lanes = lanes
        self.banks = banks
        self.kind = kind
        self.stores = tuple(stores)
        self.block = block
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
            **({"load": In(Load())} if stores else {}),
        })

    def contents(self, bank: int = 0) -> list[int]:
        """Return the rows of a bank, each as an unsigned integer with lane 0 in its lowest bits."""
        return weight_rows(self.projections, self.lanes, self.banks, bank)

    def elaborate(self, platform):
        m = Module()

        found = Signal(self.banks)
        m.d.sync += found.eq(self.read)
        for bank in range(self.banks):
            weights = self._weights(m, bank)
            m.d.sync += self.weights[bank].as_value().eq(Mux(found[bank], weights, 0))

        return m

    def _weights(self, m, bank: int):
        """Return a bank's row in the cycle after it was asked for, from whichever part has it."""
        name = "memory" if self.banks == 1 else f"memory_{bank}"
        row, rows = self.row[bank], self.contents(bank)
        if self.stores:
            at, weights = readable(m, name, self.stores[bank], rows, self.load, kind=self.kind)
            m.d.comb += at.eq(row)
            return weights
        start, weights = 0, C(0)
        for n, (size, logic) in enumerate(row_parts(len(rows), self.block)):
            m.submodules[f"{name}_{n}" if n else name] = memory = Memory(
                shape=unsigned(self.lanes * self.width),
                depth=size,
                init=rows[start : start + size],
                attrs=kept_in("registers" if logic else self.kind),
            )
            port = memory.read_port()
            # A part begins at a multiple of its size, so that its rows differ in their low bits.
            m.d.comb += port.addr.eq(row)
            if n:
                beyond = Signal(name=f"{name}_beyond_{n}")
                m.d.sync += beyond.eq(row >= start)
                weights = Mux(beyond, port.data, weights)
            else:
                weights = port.data
            start += size
        return weights
