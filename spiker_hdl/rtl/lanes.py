"""Accumulators side by side, in a ring of registers or folded into memory."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..model.check import check_int

__all__ = ["FoldedLanes", "Lanes", "RingLanes"]


def product(weight, value):
    """Multiply by shifting and adding, which takes no multiplier block."""
    value = Value.cast(value)
    if not len(value):
        return weight
    terms = [Mux(bit, weight << k, 0) for k, bit in enumerate(value)]
    if value.shape().signed:
        terms[-1] = -terms[-1]
    while len(terms) > 1:
        terms = [sum(terms[n + 1 : n + 2], terms[n]) for n in range(0, len(terms), 2)]
    return terms[0]


class Lanes(wiring.Component):
    """Sums of a time step's weights.

    Parameters
    ----------
    size : int
        Number of neurons.
    lanes : int
        Accumulators side by side.
    units : int
        Sums that are read at once.
    width : int
        Bits of a sum.
    weight : int
        Bits of a weight.
    value : Shape
        Shape of an event's value, of no width for binary events.
    scattered : bool
        Whether an event may add to some rows only, so that each must know whether it is zero.

    Members
    -------
    add : In(1)
        Add ``weights``, times ``value``, to the sums of ``row``, which was ``ahead`` the cycle
        before.
    first : In(1)
        With ``add``: the sums of all rows were zero; not looked at if ``scattered``.
    row, ahead : In(range(folds))
        Rows of this cycle and of the next.
    weights : In(ArrayLayout(signed(weight), lanes))
        All zero in cycles without ``add``.
    value : In(value)
    take : In(1)
        Give the next ``units`` sums, which are zero from then on; never together with ``add``. The
        first of a step is the lowest neuron's; their row was ``ahead`` a cycle before.
    keep : In(1)
        With ``take``: the sums stay as they are.
    empty : In(1)
        With ``take``: the sums are all zero; not looked at if ``scattered``.
    sums : Out(ArrayLayout(signed(width), units))
    """

    add: Signal
    first: Signal
    row: Signal
    ahead: Signal
    weights: data.View
    value: Signal
    take: Signal
    keep: Signal
    empty: Signal
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
    ):
        check_int("Size", size, 1)
        check_int("Lanes", lanes, 1, size)
        check_int("Step units", units, 1, lanes)
        check_int("Sum width", width, 1)
        check_int("Weight width", weight, 1)
        self.size = size
        self.lanes = lanes
        self.units = units
        self.width = width
        self.weight = weight
        self.value_shape = value
        self.scattered = scattered
        self.folds = -(-size // lanes)
        super().__init__({
            "add": In(1),
            "first": In(1),
            "row": In(range(self.folds)),
            "ahead": In(range(self.folds)),
            "weights": In(data.ArrayLayout(signed(weight), lanes)),
            "value": In(value),
            "take": In(1),
            "keep": In(1),
            "empty": In(1),
            "sums": Out(data.ArrayLayout(signed(width), units)),
        })


class RingLanes(Lanes):
    """A lane for each neuron; the ring turns by ``units`` as sums are taken."""

    def elaborate(self, platform):
        m = Module()

        padded = -(-self.lanes // self.units) * self.units
        ring = Signal(data.ArrayLayout(signed(self.width), padded))
        for n in range(self.units):
            m.d.comb += self.sums[n].eq(ring[n])
        # The weight, which needs no gate, comes first: so the turning of the ring fits into the
        # look-up tables of the adders.
        for n in range(padded):
            weight = product(self.weights[n], self.value) if n < self.lanes else C(0)
            around = n + self.units - padded
            behind = ring[n + self.units] if around < 0 else Mux(self.keep, ring[around], 0)
            m.d.sync += ring[n].eq(weight + Mux(self.take, behind, ring[n]))

        return m


class FoldedLanes(Lanes):
    """Fewer lanes than neurons: the sums lie in memory, a row of them is read at a time."""

    def elaborate(self, platform):
        m = Module()

        row_layout = data.ArrayLayout(signed(self.width), self.lanes)
        m.submodules.memory = memory = Memory(
            shape=unsigned(self.lanes * self.width), depth=self.folds, init=[]
        )
        write = memory.write_port()
        # A row may be read as it is written only where its turn may come twice running.
        read = memory.read_port(transparent_for=[write] if self.scattered else [])
        before = data.View(row_layout, read.data)
        after = data.View(row_layout, write.data)
        m.d.comb += [read.addr.eq(self.ahead), write.addr.eq(self.row), write.en.eq(self.add)]
        zero, none = self.first, self.empty
        if self.scattered:
            touched = Signal(self.folds)
            zero = none = ~touched.bit_select(self.row, 1)
            with m.If(self.add | self.take):
                m.d.sync += touched.bit_select(self.row, 1).eq(self.add)  # rows alone are kept
        for n in range(self.lanes):
            kept = Mux(zero, 0, before[n])
            m.d.comb += after[n].eq(kept + product(self.weights[n], self.value))
            m.d.comb += self.sums[n].eq(Mux(none, 0, before[n]))

        return m
