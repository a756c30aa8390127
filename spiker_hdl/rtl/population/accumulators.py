"""Accumulators side by side, in a ring of registers or folded into memory."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.common.memory import kept_in

__all__ = ["FoldedLanes", "Lanes", "RingLanes", "Turn", "product", "total"]


def product(weight, value):
    """Multiply by shifting and adding, which takes no multiplier block."""
    value = Value.cast(value)
    if not len(value):
        return weight
    terms = [Mux(bit, weight << k, 0) for k, bit in enumerate(value)]
    if value.shape().signed:
        terms[-1] = -terms[-1]
    return total(terms)


def total(terms: list):
    """Add up, in a tree."""
    while len(terms) > 1:
        terms = [sum(terms[n + 1 : n + 2], terms[n]) for n in range(0, len(terms), 2)]
    return terms[0]


class Turn(data.StructLayout):
    """Which sums are taken in the next cycle, a group of step units at a time.

    Parameters
    ----------
    folds : int
        Rows of sums.
    parts : int
        Groups in a row.

    Members
    -------
    take : unsigned(1)
        Some are; those of the lowest neurons come first.
    start, final : unsigned(1)
        They are the first of the step; the last.
    row, part : unsigned
        Where they lie.
    keep : unsigned(1)
        The sums stay as they are, for the next step too.
    empty : unsigned(1)
        No event has come: the sums are all zero.
    """

    def __init__(self, folds: int, parts: int):
        names = ("take", "start", "final", "keep", "empty")
        super().__init__({"row": range(folds), "part": range(parts), **dict.fromkeys(names, 1)})


class Lanes(wiring.Component):
    """Sums of a time step's weights.

    Parameters
    ----------
    size : int
        Number of neurons.
    lanes : int
        Accumulators side by side.
    units : int
        Sums that are taken at once; a divisor of ``lanes`` if these are fewer than ``size``.
    width : int
        Bits of a sum.
    weight : int
        Bits of a weight.
    value : Shape
        Shape of an event's value, of no width for binary events.
    scattered : bool
        Whether an event may add to some rows only, so that each must know whether it is zero.
    overlap : bool
        Whether weights are added while sums are taken: those of the next step.

    Members
    -------
    add : In(1)
        Add ``weights``, times ``value``, to the sums of ``row``, which was ``ahead`` the cycle
        before. Without ``overlap``, never while sums are taken; with it, not in the cycle in which
        the first are, nor, of :class:`FoldedLanes`, while any are that are kept.
    first : In(1)
        With ``add``: the sums of all rows were zero; not looked at if ``scattered``.
    row, ahead : In(range(folds))
        Rows to which is added in this cycle and in the next.
    weights : In(ArrayLayout(signed(weight), lanes))
        All zero in cycles without ``add``.
    value : In(value)
    turn : In(Turn)
        What is taken in the next cycle. Sums that were taken are zero from then on, unless they are
        kept. Whether they are ``empty`` is not looked at if ``scattered``.
    sums : Out(ArrayLayout(signed(width), units))
    """

    add: Signal
    first: Signal
    row: Signal
    ahead: Signal
    weights: data.View
    value: Signal
    turn: data.View
    sums: data.View

    def __init__(
        self,
        size: int,
        *,
        lanes: int,
        units: int,
        width: int,
        weight: int,
        value: Shape,
        scattered: bool = False,
        overlap: bool = False,
        kind: str = "auto",
    ):
        size = check_int("Size", size, 1)
        lanes = check_int("Lanes", lanes, 1, size)
        units = check_int("Step units", units, 1, lanes)
        width = check_int("Sum width", width, 1)
        weight = check_int("Weight width", weight, 1)
        if lanes < size and lanes % units:
            raise ValueError(f"Step units must divide {lanes} lanes, not be {units}")
        self.size = size
        self.lanes = lanes
        self.units = units
        self.width = width
        self.weight = weight
        self.value_shape = value
        self.scattered = scattered
        self.overlap = overlap
        self.kind = kind
        self.folds = -(-size // lanes)
        self.parts = -(-lanes // units)
        super().__init__({
            "add": In(1),
            "first": In(1),
            "row": In(range(self.folds)),
            "ahead": In(range(self.folds)),
            "weights": In(data.ArrayLayout(signed(weight), lanes)),
            "value": In(value),
            "turn": In(Turn(self.folds, self.parts)),
            "sums": Out(data.ArrayLayout(signed(width), units)),
        })


class RingLanes(Lanes):
    """A lane for each neuron, and a ring that turns by ``units`` as sums are taken.

    The lanes themselves are the ring; or, to overlap, the sums are copied to one when a step ends.
    """

    def elaborate(self, platform):
        m = Module()

        now = Signal.like(self.turn)
        m.d.sync += now.eq(self.turn)
        padded = self.parts * self.units
        accumulators = Signal(data.ArrayLayout(signed(self.width), padded))
        weights = [product(self.weights[n], self.value) for n in range(self.lanes)]
        weights += [C(0)] * (padded - self.lanes)
        if self.overlap:
            self._aside(m, now, accumulators, weights)
            return m
        for n in range(self.units):
            m.d.comb += self.sums[n].eq(accumulators[n])
        # The weight, which needs no gate, comes first: so the turning of the ring fits into the
        # look-up tables of the adders.
        for n in range(padded):
            around = n + self.units - padded
            behind = (
                accumulators[n + self.units]
                if around < 0
                else Mux(now.keep, accumulators[around], 0)
            )
            m.d.sync += accumulators[n].eq(weights[n] + Mux(now.take, behind, accumulators[n]))

        return m

    def _aside(self, m, now, accumulators, weights: list) -> None:
        rest = len(weights) - self.units
        ring = Signal(data.ArrayLayout(signed(self.width), len(weights)))
        for n, weight in enumerate(weights):
            cleared = now.start & ~now.keep
            m.d.sync += accumulators[n].eq(weight + Mux(cleared, 0, accumulators[n]))
        for n in range(rest):
            k = n + self.units
            m.d.sync += ring[n].eq(Mux(now.start, accumulators[k], ring[k]))
        for n in range(self.units):
            m.d.comb += self.sums[n].eq(Mux(now.start, accumulators[n], ring[n]))


class FoldedLanes(Lanes):
    """Fewer lanes than neurons: the sums lie in memory, a row of them is read at a time.

    To overlap, there are two rows of each: one to add to, one to take from.
    """

    def elaborate(self, platform):
        m = Module()

        now = Signal.like(self.turn)
        m.d.sync += now.eq(self.turn)
        layout = data.ArrayLayout(signed(self.width), self.lanes)
        m.submodules.memory = memory = Memory(
            shape=unsigned(layout.size),
            depth=self.folds * (1 + self.overlap),
            init=[],
            attrs=kept_in(self.kind),
        )
        write = memory.write_port()
        # A row may be read as it is written only where its turn may come twice running.
        read = memory.read_port(transparent_for=[write] if self.scattered else [])
        before, after = data.View(layout, read.data), data.View(layout, write.data)
        if self.overlap:
            taken = self._second(m, memory, read, write, layout)
        else:
            taken = before
            m.d.comb += read.addr.eq(Mux(self.turn.take, self.turn.row, self.ahead))
            m.d.comb += write.addr.eq(self.row)
        m.d.comb += write.en.eq(self.add)

        zero, none = self._touched(m, now) if self.scattered else (self.first, now.empty)
        for n in range(self.lanes):
            kept = Mux(zero, 0, before[n])
            m.d.comb += after[n].eq(kept + product(self.weights[n], self.value))
        for n in range(self.units):
            parts = Array(taken[part * self.units + n] for part in range(self.parts))
            m.d.comb += self.sums[n].eq(Mux(none, 0, parts[now.part]))

        return m

    def _second(self, m, memory: Memory, read, write, layout):
        """Lead adding and taking to halves of the memory that change places at each step's end."""
        half, other = Signal(), Signal()
        takes = memory.read_port(transparent_for=[write] if self.scattered else [])
        with m.If(self.turn.start):
            m.d.sync += [other.eq(half), half.eq(half ^ ~self.turn.keep)]
        m.d.comb += [
            read.addr.eq(self.ahead + Mux(half, self.folds, 0)),
            write.addr.eq(self.row + Mux(half, self.folds, 0)),
            takes.addr.eq(self.turn.row + Mux(Mux(self.turn.start, half, other), self.folds, 0)),
        ]
        return data.View(layout, takes.data)

    def _touched(self, m, now):
        """Tell which rows are zero: that which is added to, and that which is taken."""
        touched, taken = Signal(self.folds), Signal(self.folds)
        with m.If(now.take & (now.start if self.overlap else now.final)):
            m.d.sync += touched.eq(0)
        with m.If(self.add):
            m.d.sync += touched.bit_select(self.row, 1).eq(1)
        if not self.overlap:
            m.d.comb += taken.eq(touched)
        else:
            aside = Signal(self.folds)
            m.d.comb += taken.eq(Mux(now.start, touched, aside))
            m.d.sync += aside.eq(taken)
        return ~touched.bit_select(self.row, 1), ~taken.bit_select(now.row, 1)
