"""The weights of a population, in rows as wide as its lanes."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..model import Projection
from ..model.check import check_int
from ..model.loading import Store, weight_rows
from .loader import Load, kept_in, readable

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
    kind : str
        Memory that holds them: see :class:`~spiker_hdl.model.Core`.
    stores : sequence of Store
        For each bank, how it is written, if it can be.

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
    ):
        check_int("Lanes", lanes, 1)
        check_int("Banks", banks, 1)
        if not projections:
            raise ValueError("Synapses must have a projection, not none")
        self.projections = tuple(projections)
        self.lanes = lanes
        self.banks = banks
        self.kind = kind
        self.stores = tuple(stores)
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
            row, data = self._memory(m, bank)
            m.d.comb += row.eq(self.row[bank])
            m.d.sync += self.weights[bank].as_value().eq(Mux(found[bank], data, 0))

        return m

    def _memory(self, m, bank: int):
        """Return the row that is read of a bank's memory, and what is found there."""
        name = "memory" if self.banks == 1 else f"memory_{bank}"
        init = self.contents(bank)
        if self.stores:
            return readable(m, name, self.stores[bank], init, self.load, kind=self.kind)
        m.submodules[name] = memory = Memory(
            shape=unsigned(self.lanes * self.width),
            depth=self.folds * self.rows,
            init=init,
            attrs=kept_in(self.kind),
        )
        port = memory.read_port()
        return port.addr, port.data
