"""Convolutions whose sums lie by position, in banks of their own, until their step ends."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Projection
from spiker_hdl.model.mapping.interleave import bank_count, bank_places, bank_rows, sums_clocked
from spiker_hdl.model.mapping.layout import pooled_rows
from spiker_hdl.model.mapping.reload import Store
from spiker_hdl.rtl.common.memory import Load
from spiker_hdl.rtl.streams.events import AddressEvent
from spiker_hdl.rtl.synapses.convolution_lookup import ConvolutionLookup
from spiker_hdl.rtl.synapses.parallel_lookup import ParallelLookup
from spiker_hdl.rtl.synapses.weight_memory import WeightMemory

from .sum_bank import SumBank

__all__ = ["PooledConvolution", "PooledEvent"]


class PooledEvent(data.StructLayout):
    """The maxima of a window, which are added to a row of sums, or the token that ends a step.

    Parameters
    ----------
    folds, lanes : int
        Number of rows of sums, and of sums in a row.
    width : int
        Bits of a maximum.

    Members
    -------
    fold : unsigned
        Row of sums.
    maxima : ArrayLayout(signed(width), lanes)
        What is added to each sum of the row; zero with the token.
    end : unsigned(1)
        Whether this is the token that ends a step.
    last : unsigned(1)
        Whether the step is the last of its sample.
    """

    def __init__(self, folds: int, lanes: int, width: int):
        self.width = width
        super().__init__({
            "fold": range(folds),
            "maxima": data.ArrayLayout(signed(width), lanes),
            "end": 1,
            "last": 1,
        })


class PooledConvolution(wiring.Component):
    """Add the events of a step to sums by position, then give the maximum of each window.

    A row of the kernel is added to each bank in each cycle, as :class:`ConvolutionLookup` and
    :class:`ParallelLookup` give them. When the token of a step with such rows is offered, the sums
    are read by windows: a row of ``lanes`` sums in each cycle, the first two cycles after the token
    was offered. The maxima of a window are valid two cycles after its last row was read; if they
    are not taken, the window after the next waits. From block RAM, the first row is read a cycle
    later, and maxima are valid a cycle later. A row is set to zero as it is read for the last time.
    The token passes when the last maxima have left. The token of a step without rows passes in the
    cycle in which it is offered. After reset all rows are set to zero, one in each bank in a cycle,
    until ``clean``; no event must come before.

    Without pooling, every position is a window of its own.

    Parameters
    ----------
    projection : Projection
        A convolution.
    event : AddressEvent
        Layout of the source's events.
    lanes : int
        Number of sums in a row.
    width : int
        Bits of a sum: see :func:`~spiker_hdl.model.mapping.layout.pooled_width`.
    positions : {"one", "line", "window"}
        Positions to which an event is added in a cycle: see :class:`~spiker_hdl.model.Core`.
    by_position : bool
        Whether addresses are numbered ``y, x, channel``, not ``channel, y, x``.
    weights, states : str
        Kind of memory for the kernel and for the sums: see :class:`~spiker_hdl.model.Core`.
    block : int
        Rows of a block RAM: see :class:`~spiker_hdl.model.Core`.
    store : Store, optional
        The memory of the kernel, if a host can write it. Every bank has a copy.

    Attributes
    ----------
    banks : int
        Number of banks of sums.
    rows : int
        Number of rows of sums in a bank.

    Members
    -------
    i : In(stream.Signature(event))
        Events and tokens.
    o : Out(stream.Signature(PooledEvent))
        Maxima of every window of a step in which a row was added, in ascending order; tokens.
    idle : Out(1)
        There is no event within, and all sums are zero.
    clean : Out(1)
        All sums have been set to zero after reset.
    load : In(Load), if there is a ``store``
        A new kernel, which may be written only while the accelerator is idle.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal
    clean: Signal
    load: Any

    def __init__(
        self,
        projection: Projection,
        event: AddressEvent,
        *,
        lanes: int,
        width: int,
        positions: str = "one",
        by_position: bool = False,
        weights: str = "auto",
        states: str = "auto",
        block: int = 0,
        store: Store | None = None,
    ):
        self.projection = projection
        self.event = event
        self.lanes = check_int("Lanes", lanes, 1)
        self.width = check_int("Sum width", width, 1)
        self.positions = positions
        self.by_position = by_position
        self.weights = weights
        self.states = states
        self.block = block
        self.store = store
        self.banks = bank_count(projection.synapses, positions)
        self.places = bank_places(projection.synapses, lanes, positions).reshape(-1, 2)
        self.rows = bank_rows(projection.synapses, lanes, positions)
        self.output = PooledEvent(projection.target_size // lanes, lanes, width)
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(self.output)),
            "idle": Out(1),
            "clean": Out(1),
            **({"load": In(Load())} if store else {}),
        })

    @property
    def clocked(self) -> bool:
        """Whether the banks are in memory that is read with the clock."""
        return sums_clocked(self.projection.synapses, self.lanes, self.positions, self.states)

    def elaborate(self, platform):
        m = Module()

        m.submodules.lookup = lookup = self._lookup()
        wiring.connect(m, wiring.flipped(self.i), lookup.i)
        offered = Signal()  # maxima are offered
        some = Signal()  # a row was added in this step
        passes = Signal()  # the token is offered
        there = Signal()  # the banks give a row of a window
        onward = Signal()  # the next row of the windows is requested
        reading = Signal()  # rows are requested for windows, not for events
        adding = lookup.o.valid & ~lookup.o.p.end
        free = ~offered | self.o.ready
        entry, ahead = self._windows(m, onward)
        banks = self._banks(m, lookup, adding)
        row = Signal(_Row(self.lanes, self.width))  # the row that joins the maxima
        full = Signal()  # all rows of a window have joined its maxima
        # The next row waits while those maxima wait for the ones before to be taken.
        blocked = row.valid & full & ~free
        joins = row.valid & ~blocked
        left = row.valid | full | offered  # maxima of the step have not left yet
        for n, bank in enumerate(banks):
            # All other banks give their row of zeros.
            with m.If(reading):
                m.d.comb += bank.ahead.eq(Mux(ahead.bank == n, ahead.row, bank.rows))
        m.d.comb += [
            self.o.valid.eq(offered | passes),
            self.o.p.end.eq(~offered),
            # The token of the step is there until its last maxima have left.
            self.o.p.last.eq(lookup.o.p.last),
        ]
        with m.If(free):
            m.d.sync += [offered.eq(full), full.eq(0)]
        with m.If(joins & row.final):
            m.d.sync += full.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.p.fold.eq(Mux(offered, self.o.p.fold + 1, 0))
        with m.FSM() as fsm:
            # Set one row after the other to zero, in all banks at once.
            with m.State("Clear"):
                m.d.comb += [bank.clear.eq(1) for bank in banks]
                m.d.comb += [bank.ahead.eq(banks[0].row + 1) for bank in banks]
                with m.If(banks[0].row == self.rows - 1):
                    m.next = "Add"
            # Add rows; let the token pass once the maxima of its step have left.
            with m.State("Add"):
                m.d.comb += passes.eq(lookup.o.valid & lookup.o.p.end & ~some & ~left)
                m.d.comb += lookup.o.ready.eq(adding | (passes & self.o.ready))
                with m.If(adding):
                    m.d.sync += some.eq(1)
                with m.Elif(lookup.o.valid & some):
                    m.next = "Write" if self.clocked else "Request"
            # The last row is written in this cycle, and block RAM gives it only in the next one.
            with m.State("Write"):
                m.next = "Request"
            # All rows are written, or are in this cycle: the first of the sums can be requested.
            with m.State("Request"):
                m.d.comb += [reading.eq(1), onward.eq(1)]
                m.next = "Pool"
            # A row of sums is there, and the next one is requested, or the same one again.
            with m.State("Pool"):
                m.d.comb += [reading.eq(1), there.eq(1), onward.eq(~blocked)]
                m.d.comb += [bank.clear.eq(onward & entry.clear) for bank in banks]
                with m.If(onward & entry.over):
                    m.d.sync += some.eq(0)
                    m.next = "Add"
        joined = reduce(or_, (bank.sums.as_value() for bank in banks))
        arriving = Cat(there, entry.first, entry.final, joined)
        if self.clocked:
            # A register keeps the maxima out of the path through a block RAM, which is slow.
            with m.If(~blocked):
                m.d.sync += row.eq(arriving)
        else:
            m.d.comb += row.eq(arriving)
        self._maximise(m, row, joins, full, free)
        m.d.comb += [
            self.clean.eq(~fsm.ongoing("Clear")),
            self.idle.eq(lookup.idle & ~some & ~left & fsm.ongoing("Add")),
        ]

        return m

    def _lookup(self) -> ConvolutionLookup | ParallelLookup:
        synapses, by_position = self.projection.synapses, self.by_position
        if self.positions == "one":
            return ConvolutionLookup(
                synapses, self.event, lanes=self.lanes, by_position=by_position
            )
        return ParallelLookup(
            synapses,
            self.event,
            lanes=self.lanes,
            positions=self.positions,
            by_position=by_position,
        )

    def _banks(self, m, lookup, adding) -> list[SumBank]:
        """Add the rows of the kernel to the sums, two cycles after the look-up gave them."""
        items = [lookup.o.p] if isinstance(lookup, ConvolutionLookup) else [*lookup.o.p.banks]
        banks = []
        for n, item in enumerate(items):
            kernel = WeightMemory(
                (),
                lanes=self.lanes,
                kind=self.weights,
                stores=[self.store] if self.store else (),
                block=self.block,
                kernels=[self.projection],
            )
            if self.store:
                wiring.connect(m, wiring.flipped(self.load), kernel.load)
            bank = SumBank(
                self.rows,
                lanes=self.lanes,
                width=self.width,
                weight=kernel.width,
                value=self.event.value_shape,
                clocked=self.clocked,
                kind="distributed" if self.states == "auto" and not self.clocked else self.states,
            )
            m.submodules[f"kernel_{n}" if n else "kernel"] = kernel
            m.submodules[f"sums_{n}" if n else "sums"] = bank
            present = adding & lookup.o.ready
            if len(items) > 1:
                present = present & item.present
            fields = {"add": 1, "fold": item.fold.shape(), "value": self.event.value_shape}
            read, arrived = (
                Signal(data.StructLayout(fields), name=f"{name}_{n}") for name in ("read", "due")
            )
            m.d.comb += [kernel.row[0].eq(item.row), kernel.read.eq(present)]
            m.d.sync += [
                read.add.eq(present),
                read.fold.eq(item.fold),
                read.value.eq(lookup.o.p.value),
                arrived.eq(read),
                bank.row.eq(bank.ahead),
            ]
            m.d.comb += [
                bank.ahead.eq(read.fold),
                bank.add.eq(arrived.add),
                bank.value.eq(arrived.value),
                bank.weights.eq(kernel.weights[0]),
            ]
            banks.append(bank)
        return banks

    def _windows(self, m, onward) -> tuple[data.View, data.View]:
        """Request the sums of one window after the other.

        The next row is requested with ``onward``, and the same one again without.

        Returns
        -------
        entry, ahead : View
            Which row is there, and which is requested.
        """
        windows = pooled_rows(self.projection, self.lanes)
        last_read = {row: (n, k) for n, own in enumerate(windows) for k, row in enumerate(own)}
        entries: list[Any] = [
            {
                "bank": int(self.places[row, 0]),
                "row": int(self.places[row, 1]),
                "first": int(k == 0),
                "final": int(k == len(own) - 1),
                "over": int(n == len(windows) - 1 and k == len(own) - 1),
                # What no window reads is never cleared, which does no harm.
                "clear": int(last_read[row] == (n, k)),
            }
            for n, own in enumerate(windows)
            for k, row in enumerate(own)
        ]
        flags = dict.fromkeys(("first", "final", "over", "clear"), 1)
        layout = data.StructLayout({"bank": range(self.banks), "row": range(self.rows), **flags})
        m.submodules.windows = memory = Memory(shape=layout, depth=len(entries), init=entries)
        port, entry, place = memory.read_port(), Signal(layout), Signal(range(len(entries)))
        ahead = Signal(layout)
        # The memory gives what comes next, so its address moves on with it. Behind the last window
        # it gives the first one, and stays there.
        over = port.data.over | entry.over
        m.d.comb += port.addr.eq(Mux(onward, Mux(over, 0, place + 1), place))
        m.d.comb += ahead.eq(Mux(onward, port.data, entry))
        m.d.sync += [place.eq(port.addr), entry.eq(ahead)]
        return entry, ahead

    def _maximise(self, m, row, joins, full, free) -> None:
        """Keep the maxima of a window so far, and offer them in the cycle after its last row."""
        for n in range(self.lanes):
            best = Signal(signed(self.width), name=f"best_{n}")
            # The first row of a window is its maximum so far, whatever it is. The sign of a
            # difference takes fewer look-up tables than a comparison.
            exceeds = C(1) if self.projection.pooling is None else (best - row.sums[n])[-1]
            with m.If(joins & (row.first | exceeds)):
                m.d.sync += best.eq(row.sums[n])
            with m.If(free & full):
                m.d.sync += self.o.p.maxima[n].eq(best)
        # A step of which only the token is offered has maxima of zero.
        with m.If(free & ~full):
            m.d.sync += self.o.p.maxima.eq(0)


class _Row(data.StructLayout):
    """A row of sums of a window, and whether it is the window's first and its last."""

    def __init__(self, lanes: int, width: int):
        sums = data.ArrayLayout(signed(width), lanes)
        super().__init__({"valid": 1, "first": 1, "final": 1, "sums": sums})
