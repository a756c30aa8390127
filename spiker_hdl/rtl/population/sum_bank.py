"""A bank of sums by position: a row of them is added to, read or cleared in each cycle."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.common.adders import product
from spiker_hdl.rtl.common.memory import kept_in

__all__ = ["SumBank"]


class SumBank(wiring.Component):
    """Rows of sums, and a further row that is always zero.

    A row is read and written in the same cycle, so that no event waits for the one before it. In
    memory that is read without a clock, this takes a single address. In block RAM the row is
    requested a cycle before. Nothing is cleared by a reset.

    Parameters
    ----------
    rows : int
        Number of rows that can be written. Row ``rows`` is always zero.
    lanes : int
        Number of sums in a row.
    width, weight : int
        Bits of a sum, and of a weight.
    value : Shape
        Shape of an event's value, without width for binary events.
    clocked : bool
        Whether the memory is read with the clock, as block RAM is.
    kind : str
        Kind of memory: see :class:`~spiker_hdl.model.Core`.

    Members
    -------
    ahead, row : In(range(rows + 1))
        The row of the next cycle, and that of this one.
    add : In(1)
        Add the ``weights`` times ``value`` to the row in this cycle.
    clear : In(1)
        Set the row to zero in this cycle, in which nothing is added.
    weights : In(ArrayLayout(signed(weight), lanes))
        Weights of the row; must be zero in cycles without ``add``.
    value : In(value)
        Value of the event, sampled with ``add``.
    sums : Out(ArrayLayout(signed(width), lanes))
        Sums of the row in this cycle, before anything is added. From block RAM, they are valid if
        the row was not written in the cycle before.
    """

    ahead: Signal
    row: Signal
    add: Signal
    clear: Signal
    weights: data.View
    value: Signal
    sums: data.View

    def __init__(
        self,
        rows: int,
        *,
        lanes: int,
        width: int,
        weight: int,
        value: Shape,
        clocked: bool,
        kind: str = "auto",
    ):
        self.rows = check_int("Rows", rows, 1)
        self.lanes = check_int("Lanes", lanes, 1)
        self.width = check_int("Sum width", width, 1)
        self.weight = check_int("Weight width", weight, 1)
        self.value_shape = value
        self.clocked = clocked
        self.kind = kind
        super().__init__({
            "ahead": In(range(rows + 1)),
            "row": In(range(rows + 1)),
            "add": In(1),
            "clear": In(1),
            "weights": In(data.ArrayLayout(signed(weight), lanes)),
            "value": In(value),
            "sums": Out(data.ArrayLayout(signed(width), lanes)),
        })

    def elaborate(self, platform):
        m = Module()

        layout = data.ArrayLayout(signed(self.width), self.lanes)
        m.submodules.memory = memory = Memory(
            shape=unsigned(layout.size), depth=self.rows + 1, init=[], attrs=kept_in(self.kind)
        )
        write = memory.write_port()
        m.d.comb += [write.addr.eq(self.row), write.en.eq(self.add | self.clear)]
        if self.clocked:
            read = memory.read_port()
            m.d.comb += read.addr.eq(self.ahead)
            before = data.View(layout, self._forwarded(m, read.data, write))
        else:
            read = memory.read_port(domain="comb")
            m.d.comb += read.addr.eq(self.row)
            before = data.View(layout, read.data)
        after = data.View(layout, write.data)
        m.d.comb += self.sums.as_value().eq(read.data)
        for n in range(self.lanes):
            # The sum is the second operand, so that what selects it fits into the adder's tables.
            own = product(self.weights[n], self.value)
            m.d.comb += after[n].eq(own + Mux(self.clear, 0, before[n]))

        return m

    def _forwarded(self, m, row: Value, write) -> Value:
        """Return a row that was requested, or what was written to it in that cycle.

        A transparent port would do so for ``sums`` too, whose readers need it not.
        """
        again, written = Signal(), Signal.like(write.data)
        m.d.sync += [again.eq(write.en & (self.ahead == self.row)), written.eq(write.data)]
        return Mux(again, written, row)
