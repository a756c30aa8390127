"""Convolutions whose sums are pooled: sums by position, and the maximum of each window of them."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Projection
from spiker_hdl.model.mapping.layout import pooled_rows
from spiker_hdl.rtl.streams.events import AddressEvent
from spiker_hdl.rtl.synapses.convolution_lookup import ConvolutionLookup
from spiker_hdl.rtl.synapses.weight_memory import WeightMemory

from .accumulators import FoldedLanes

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
        What is added to each sum of the row.
    end : unsigned(1)
        Whether this is the token that ends a step.
    last : unsigned(1)
        With ``end``: whether the step is the last of its sample.
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

    A row of the kernel is added in each cycle, as :class:`ConvolutionLookup` gives them. When the
    token of a step with such rows is offered, the sums are read by windows: a row of ``lanes`` sums
    in each cycle, the first two cycles after the token was offered. The maxima of a window are
    valid in the cycle after its last row was read; if they are not taken, the last row of the next
    window waits. A cycle after the last window was read, the sums are zero again, and the token
    passes when the last maxima have left. The token of a step without rows passes in the cycle in
    which it is offered. After reset all sums are zero, and there is no event within.

    Parameters
    ----------
    projection : Projection
        A convolution with pooling.
    event : AddressEvent
        Layout of the source's events.
    lanes : int
        Number of sums in a row.
    width : int
        Bits of a sum: see :func:`~spiker_hdl.model.mapping.layout.pooled_width`.
    by_position : bool
        Whether addresses are numbered ``y, x, channel``, not ``channel, y, x``.
    weights, states : str
        Kind of memory for the kernel and for the sums: see :class:`~spiker_hdl.model.Core`.
    block : int
        Rows of a block RAM: see :class:`~spiker_hdl.model.Core`.

    Members
    -------
    i : In(stream.Signature(event))
        Events and tokens.
    o : Out(stream.Signature(PooledEvent))
        Maxima of every window of a step in which a row was added, in ascending order; tokens.
    idle : Out(1)
        There is no event within, and all sums are zero.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(
        self,
        projection: Projection,
        event: AddressEvent,
        *,
        lanes: int,
        width: int,
        by_position: bool = False,
        weights: str = "auto",
        states: str = "auto",
        block: int = 0,
    ):
        self.projection = projection
        self.event = event
        self.lanes = check_int("Lanes", lanes, 1)
        self.width = check_int("Sum width", width, 1)
        self.by_position = by_position
        self.weights = weights
        self.states = states
        self.block = block
        self.output = PooledEvent(projection.target_size // lanes, lanes, width)
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(self.output)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.lookup = lookup = ConvolutionLookup(
            self.projection.synapses, self.event, lanes=self.lanes, by_position=self.by_position
        )
        wiring.connect(m, wiring.flipped(self.i), lookup.i)
        offered = Signal()  # maxima are offered
        some = Signal()  # a row was added in this step
        passes = Signal()  # the token is offered
        adding = lookup.o.valid & ~lookup.o.p.end
        free = ~offered | self.o.ready
        sums = self._sums(m, lookup, adding)
        m.d.comb += [
            self.o.valid.eq(offered | passes),
            self.o.p.end.eq(~offered),
            self.o.p.last.eq(lookup.o.p.last & ~offered),
        ]
        with m.If(free):
            m.d.sync += offered.eq(0)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.p.fold.eq(Mux(offered, self.o.p.fold + 1, 0))
        onward = Signal()  # a row of sums joins the maxima, and the next one is requested
        entry = self._windows(m, sums, onward)
        self._join(m, sums, entry, onward)
        with m.FSM() as fsm:
            # Add rows; let the token pass once the maxima of its step have left.
            with m.State("Add"):
                m.d.comb += passes.eq(lookup.o.valid & lookup.o.p.end & ~some & ~offered)
                m.d.comb += lookup.o.ready.eq(adding | (passes & self.o.ready))
                with m.If(adding):
                    m.d.sync += some.eq(1)
                with m.Elif(lookup.o.valid & some):
                    m.next = "Request"
            # The last row is written in this cycle, so that the first of the sums can be requested.
            with m.State("Request"):
                m.d.comb += [sums.turn.take.eq(1), onward.eq(1)]
                m.next = "Pool"
            # A row of sums is there: it joins the maxima, and the next one is requested. The last
            # row of a window waits, and is requested again, while the maxima before are offered.
            with m.State("Pool"):
                m.d.comb += [sums.turn.take.eq(1), onward.eq(free | ~entry.final)]
                with m.If(onward & entry.final):
                    m.d.sync += offered.eq(1)
                with m.If(onward & entry.over):
                    m.next = "Clear"
            # Every window was read: the sums are zero from the next cycle on.
            with m.State("Clear"):
                m.d.comb += [sums.turn.take.eq(1), sums.turn.final.eq(1)]
                m.d.sync += some.eq(0)
                m.next = "Add"
        m.d.comb += self.idle.eq(lookup.idle & ~some & ~offered & fsm.ongoing("Add"))

        return m

    def _sums(self, m, lookup: ConvolutionLookup, adding) -> FoldedLanes:
        """Add the rows of the kernel to the sums, two cycles after the look-up gave them."""
        m.submodules.kernel = kernel = WeightMemory(
            (), lanes=self.lanes, kind=self.weights, block=self.block, kernels=[self.projection]
        )
        m.submodules.sums = sums = FoldedLanes(
            self.projection.synapses.target_size,
            lanes=self.lanes,
            units=self.lanes,
            width=self.width,
            weight=kernel.width,
            value=self.event.value_shape,
            scattered=True,
            kind=self.states,
        )
        fields = {"add": 1, "fold": lookup.o.p.fold.shape(), "value": self.event.value_shape}
        read, arrived = (Signal(data.StructLayout(fields), name=name) for name in ("read", "due"))
        m.d.comb += [kernel.row[0].eq(lookup.o.p.row), kernel.read.eq(adding & lookup.o.ready)]
        m.d.sync += [
            read.add.eq(adding & lookup.o.ready),
            read.fold.eq(lookup.o.p.fold),
            read.value.eq(lookup.o.p.value),
            arrived.eq(read),
        ]
        m.d.comb += [
            sums.ahead.eq(read.fold),
            sums.row.eq(arrived.fold),
            sums.add.eq(arrived.add),
            sums.value.eq(arrived.value),
            sums.weights.eq(kernel.weights[0]),
        ]
        return sums

    def _windows(self, m, sums: FoldedLanes, onward) -> data.View:
        """Request the sums of one window after the other, and return which row of which is there.

        The next one is requested with ``onward``, and the same one again without.
        """
        entries: list[Any] = [
            {
                "row": row,
                "first": int(n == 0),
                "final": int(n == len(window) - 1),
                "over": int(last and n == len(window) - 1),
            }
            for last, window in _with_last(pooled_rows(self.projection, self.lanes))
            for n, row in enumerate(window)
        ]
        layout = data.StructLayout({"row": range(sums.folds), "first": 1, "final": 1, "over": 1})
        m.submodules.windows = memory = Memory(shape=layout, depth=len(entries), init=entries)
        port, entry, place = memory.read_port(), Signal(layout), Signal(range(len(entries)))
        # The memory gives what comes next, so its address moves on with it. Behind the last window
        # it gives the first one, and stays there.
        over = port.data.over | entry.over
        m.d.comb += port.addr.eq(Mux(onward, Mux(over, 0, place + 1), place))
        m.d.sync += place.eq(port.addr)
        with m.If(onward):
            m.d.sync += entry.eq(port.data)
            m.d.comb += sums.turn.row.eq(port.data.row)
        with m.Else():
            m.d.comb += sums.turn.row.eq(entry.row)
        return entry

    def _join(self, m, sums: FoldedLanes, entry, onward) -> None:
        """Keep the maxima of a window so far, and offer them behind its last row."""
        for n in range(self.lanes):
            best = Signal(signed(self.width), name=f"best_{n}")
            now = sums.sums[n]
            # The first row of a window is its maximum so far, whatever it is.
            highest = Mux(entry.first | (now > best), now, best)
            with m.If(onward):
                m.d.sync += best.eq(highest)
            with m.If(onward & entry.final):
                m.d.sync += self.o.p.maxima[n].eq(highest)


def _with_last(windows: list) -> list[tuple[bool, Any]]:
    """Return each window, and whether it is the last."""
    return [(n == len(windows) - 1, window) for n, window in enumerate(windows)]
