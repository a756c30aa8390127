"""The weight memory of a population, whose rows are as wide as its lanes."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Projection
from spiker_hdl.model.mapping.core import row_parts
from spiker_hdl.model.mapping.layout import kernel_size
from spiker_hdl.model.mapping.reload import Store, weight_rows
from spiker_hdl.rtl.common.memory import Load, kept_in, readable

__all__ = ["WeightMemory"]


class WeightMemory(wiring.Component):
    """Weight memory of all projections into a population.

    A source has one row for each fold of the lanes, in the bank ``source % banks``. The rows of a
    projection follow those of the projections before it, and behind them all are the rows of
    kernels that are stored once. A row is valid two cycles after its
    request: one cycle is the memory's, the other a register at its output. One row of each bank is
    read in each cycle, in the order of the requests. After reset all weights are zero until the
    first row is read.

    Parameters
    ----------
    projections : sequence of Projection
        Projections whose weights are stored in rows, between neurons as they are numbered in the
        machine; all have the same target.
    lanes : int
        Number of weights in a row.
    banks : int
        Number of rows that are read in one cycle.
    kind : str
        Kind of memory: see :class:`~spiker_hdl.model.Core`.
    stores : sequence of Store
        The memory of each bank, if a host can write it.
    block : int
        Rows of a block RAM, into which memories that cannot be written are split: see
        :class:`~spiker_hdl.model.Core`.
    kernels : sequence of Projection
        Projections to the same target whose kernels are stored.

    Attributes
    ----------
    folds : int
        Number of rows of a source.
    bases : list of int
        Row of each projection's first source, the same in every bank.
    rows : int
        Number of rows of one fold in a bank.
    kernel_bases : list of int
        Row of each kernel's first row.
    depth : int
        Number of rows of a bank.
    width : int
        Bits of a weight.

    Members
    -------
    row : In(ArrayLayout(range(depth), banks))
        Row that is requested from each bank: ``fold * rows + base + source // banks``, or that of a
        kernel.
    read : In(banks)
        Whether there is a request to each bank in this cycle.
    weights : Out(ArrayLayout(ArrayLayout(signed(width), lanes), banks))
        Weights that were requested two cycles ago; zero in banks without a request.
    load : In(Load), if it can be written
        New weights; must come only while nothing is read.
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
        kernels: Sequence[Projection] = (),
    ):
        lanes = check_int("Lanes", lanes, 1)
        banks = check_int("Banks", banks, 1)
        block = check_int("Block", block, 0)
        if not projections and not kernels:
            raise ValueError("Synapses must have a projection, not none")
        self.projections = tuple(projections)
        self.lanes = lanes
        self.banks = banks
        self.kind = kind
        self.stores = tuple(stores)
        self.block = block
        self.kernels = tuple(kernels)
        self.size = (*projections, *kernels)[0].synapses.target_size
        self.folds = -(-self.size // lanes)
        sizes = [-(-projection.synapses.source_size // banks) for projection in projections]
        self.bases = [sum(sizes[:n]) for n in range(len(sizes))]
        self.rows = sum(sizes)
        depth = [self.folds * self.rows]
        for kernel in kernels:
            depth.append(depth[-1] + kernel_size(kernel.synapses, lanes))
        *self.kernel_bases, self.depth = depth
        self.width = max(projection.width for projection in (*projections, *kernels))
        weights = data.ArrayLayout(data.ArrayLayout(signed(self.width), lanes), banks)
        super().__init__({
            "row": In(data.ArrayLayout(range(self.depth), banks)),
            "read": In(banks),
            "weights": Out(weights),
            **({"load": In(Load())} if stores else {}),
        })

    def contents(self, bank: int = 0) -> list[int]:
        """Return the rows of a bank, each as an unsigned integer with lane 0 in its lowest bits."""
        return weight_rows(self.projections, self.lanes, self.banks, bank, self.kernels)

    def elaborate(self, platform):
        m = Module()

        # The register behind the memory takes the second cycle of a read: the way out of a block
        # RAM is long. It is zero without a request, so that the accumulators can add in every
        # cycle.
        requested = Signal(self.banks)
        m.d.sync += requested.eq(self.read)
        for bank in range(self.banks):
            weights = self._weights(m, bank)
            m.d.sync += self.weights[bank].as_value().eq(Mux(requested[bank], weights, 0))

        return m

    def _weights(self, m, bank: int):
        """Return the row of a bank one cycle after its request, from the part that has it."""
        name = "memory" if self.banks == 1 else f"memory_{bank}"
        row, rows = self.row[bank], self.contents(bank)
        if self.stores:
            address, weights = readable(m, name, self.stores[bank], rows, self.load, kind=self.kind)
            m.d.comb += address.eq(row)
            return weights
        start, weights = 0, C(0)
        for n, (size, logic) in enumerate(row_parts(len(rows), self.block)):
            m.submodules[f"{name}_{n}" if n else name] = memory = Memory(
                shape=unsigned(self.lanes * self.width),
                depth=size,
                init=rows[start : start + size],
                attrs=kept_in("registers" if logic else self.kind, fixed=True),
            )
            port = memory.read_port()
            # A part begins at a multiple of its size, so the low bits of the row are its address.
            m.d.comb += port.addr.eq(row)
            if n:
                # Delayed as the contents are, to select the part that has the row.
                beyond = Signal(name=f"{name}_beyond_{n}")
                m.d.sync += beyond.eq(row >= start)
                weights = Mux(beyond, port.data, weights)
            else:
                weights = port.data
            start += size
        return weights
