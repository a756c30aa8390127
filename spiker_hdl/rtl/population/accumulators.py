"""Accumulators of weights, in a ring of registers or folded into memory."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.identifiers import UNINITIALIZED
from spiker_hdl.rtl.common.adders import product
from spiker_hdl.rtl.common.memory import kept_in

__all__ = ["FoldedLanes", "Lanes", "RingLanes", "Turn"]


class Turn(data.StructLayout):
    """The sums that the neurons read in the next cycle, one group of update units at a time.

    Parameters
    ----------
    folds : int
        Number of rows of sums.
    parts : int
        Number of groups in a row.

    Members
    -------
    take : unsigned(1)
        A group is read in the next cycle; the groups of a step come in ascending order.
    start, final : unsigned(1)
        With ``take``: the group is the first of its step; the last.
    row, part : unsigned
        With ``take``: the row of the group, and its number within the row.
    keep : unsigned(1)
        With ``take``: the sums are not cleared, and serve in the next step too.
    empty : unsigned(1)
        With ``take``: no event came in this step, so all sums are zero.
    """

    def __init__(self, folds: int, parts: int):
        names = ("take", "start", "final", "keep", "empty")
        super().__init__({"row": range(folds), "part": range(parts), **dict.fromkeys(names, 1)})


class Lanes(wiring.Component):
    """Sums of the weights of one time step, one for each neuron.

    One row of ``lanes`` weights is added in each cycle with ``add``. The sums that ``turn`` selects
    are at ``sums`` in the next cycle, and zero afterwards unless they are kept. After reset all
    sums are zero; those in memory are taken as zero until something is added to them, or are
    cleared: see ``clears``.

    Parameters
    ----------
    size : int
        Number of neurons.
    lanes : int
        Number of parallel accumulators.
    units : int
        Sums that are read in one cycle; a divisor of ``lanes`` if these are fewer than ``size``.
    width : int
        Bits of a sum.
    weight : int
        Bits of a weight.
    value : Shape
        Shape of an event's value, without width for binary events.
    scattered : bool
        Whether an event may add to some rows only, so that each row must know whether it is zero.
    overlap : bool
        Whether weights of the next step are added while the sums of this one are read.
    kind : str
        Kind of memory for the sums: see :class:`~spiker_hdl.model.Core`. With ``"uninitialized"``
        they lie in two memories, of the even and of the odd rows, of which each is either read or
        written in a cycle: ``row`` must be even and odd in turn in consecutive cycles with ``add``.
    clears : bool
        Whether rows are cleared, instead of a flip-flop for each row saying whether it is zero: a
        row when the last of its sums is read, unless they are kept, and all rows after a reset.
        Only for sums in memory, without ``overlap``.

    Members
    -------
    add : In(1)
        Add the ``weights`` times ``value`` to the sums of ``row`` in this cycle; ``row`` must have
        been ``ahead`` in the cycle before. Without ``overlap``, ``add`` must be 0 while sums are
        read. With it, ``add`` must be 0 in the cycle in which the first group of a step is read
        and, for :class:`FoldedLanes`, while sums are read that are kept. Where rows are cleared,
        ``add`` and ``turn.take`` must be 0 until ``clean`` is 1.
    first : In(1)
        With ``add``: the sums of all rows are still zero. Ignored if ``scattered``.
    row, ahead : In(range(folds))
        Row to which weights are added in this cycle, and in the next.
    weights : In(ArrayLayout(signed(weight), lanes))
        Weights of the row; must be zero in cycles without ``add``.
    value : In(value)
        Value of the event, sampled with ``add``.
    turn : In(Turn)
        The group that is read in the next cycle. Its sums are zero from then on, unless they are
        kept. ``empty`` is ignored if ``scattered``.
    sums : Out(ArrayLayout(signed(width), units))
        Sums of the group that ``turn`` selected in the cycle before.
    clean : Out(1), if ``clears``
        All rows have been cleared after the last reset.
    """

    add: Signal
    first: Signal
    row: Signal
    ahead: Signal
    weights: data.View
    value: Signal
    turn: data.View
    sums: data.View
    clean: Signal

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
        clears: bool = False,
    ):
        size = check_int("Size", size, 1)
        lanes = check_int("Lanes", lanes, 1, size)
        units = check_int("Step units", units, 1, lanes)
        width = check_int("Sum width", width, 1)
        weight = check_int("Weight width", weight, 1)
        if lanes < size and lanes % units:
            raise ValueError(f"Step units must divide {lanes} lanes, not be {units}")
        if clears and (overlap or lanes == size):
            raise ValueError("Sums that are cleared must be in memory, without overlap")
        if kind == UNINITIALIZED and not clears:
            raise ValueError("Sums in memory without contents must be cleared")
        self.size = size
        self.lanes = lanes
        self.units = units
        self.width = width
        self.weight = weight
        self.value_shape = value
        self.scattered = scattered
        self.overlap = overlap
        self.kind = kind
        self.clears = clears
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
            **({"clean": Out(1)} if clears else {}),
        })


class RingLanes(Lanes):
    """One accumulator for each neuron, in a ring that rotates by ``units`` as sums are read.

    The rotation replaces a multiplexer over all sums. Without ``overlap`` the accumulators
    themselves are the ring; with it, the sums are copied to a ring of their own when a step ends.
    """

    def elaborate(self, platform):
        m = Module()

        # The group that is read in this cycle: ``turn`` comes one cycle ahead.
        now = Signal.like(self.turn)
        m.d.sync += now.eq(self.turn)
        # The ring has whole groups, so that the first sum is back in its place after a step.
        padded = self.parts * self.units
        # Not named as the submodule that this becomes, which linters of Verilog warn of.
        accumulators = Signal(data.ArrayLayout(signed(self.width), padded), name="running_sums")
        weights = [product(self.weights[n], self.value) for n in range(self.lanes)]
        weights += [C(0)] * (padded - self.lanes)
        if self.overlap:
            self._copy_to_ring(m, now, accumulators, weights)
            return m
        for n in range(self.units):
            m.d.comb += self.sums[n].eq(accumulators[n])
        # The multiplexer is on one operand of the adder alone, so that the rotation fits into the
        # look-up tables of the adders.
        for n in range(padded):
            # What was read enters the ring again at its end: as zero, or as it was if it is kept.
            wrapped = n + self.units - padded
            following = (
                accumulators[n + self.units]
                if wrapped < 0
                else Mux(now.keep, accumulators[wrapped], 0)
            )
            m.d.sync += accumulators[n].eq(weights[n] + Mux(now.take, following, accumulators[n]))

        return m

    def _copy_to_ring(self, m, now, accumulators, weights: list) -> None:
        """Read the first group from the accumulators, and the others from a copy of these."""
        rest = len(weights) - self.units  # sums behind the first group, which needs no copy
        ring = Signal(data.ArrayLayout(signed(self.width), len(weights)))
        for n, weight in enumerate(weights):
            cleared = now.start & ~now.keep
            m.d.sync += accumulators[n].eq(weight + Mux(cleared, 0, accumulators[n]))
        # Copied in the cycle of the first group, shifted by a group in all others.
        for n in range(rest):
            k = n + self.units
            m.d.sync += ring[n].eq(Mux(now.start, accumulators[k], ring[k]))
        for n in range(self.units):
            m.d.comb += self.sums[n].eq(Mux(now.start, accumulators[n], ring[n]))


class FoldedLanes(Lanes):
    """Fewer accumulators than neurons: the sums are in memory, one row of them for each fold.

    With ``overlap``, the memory has two halves: one to add to and one to read from.
    """

    def elaborate(self, platform):
        m = Module()

        # The group whose row the memory gives in this cycle: it was requested with ``turn``.
        now = Signal.like(self.turn)
        m.d.sync += now.eq(self.turn)
        layout = data.ArrayLayout(signed(self.width), self.lanes)
        memory = None
        if self.kind == UNINITIALIZED:
            read, write = self._by_parity(m, layout.size)
        else:
            m.submodules.memory = memory = Memory(
                shape=unsigned(layout.size),
                depth=self.folds * (1 + self.overlap),
                init=[],
                attrs=kept_in(self.kind),
            )
            write = memory.write_port()
            # A row is read one cycle before it is written. It may be read again in the cycle in
            # which it is written only where one row can be added to twice in succession.
            read = memory.read_port(transparent_for=[write] if self.scattered else [])
        before, after = data.View(layout, read.data), data.View(layout, write.data)
        if memory is not None and self.overlap:
            selected = self._double_buffer(m, memory, read, write, layout)
        else:
            selected = before
            # One read port serves both, since nothing is added while sums are read.
            m.d.comb += read.addr.eq(Mux(self.turn.take, self.turn.row, self.ahead))
            if not self.clears:
                m.d.comb += write.addr.eq(self.row)
        if self.clears:
            zero, none = self._clear(m, now, write), 0
        else:
            # Memory is not cleared: what a row holds from the step before is masked instead.
            zero, none = self._untouched(m, now) if self.scattered else (self.first, now.empty)
            m.d.comb += write.en.eq(self.add)
        for n in range(self.lanes):
            sum_before = Mux(zero, 0, before[n])
            m.d.comb += after[n].eq(sum_before + product(self.weights[n], self.value))
        for n in range(self.units):
            parts = Array(selected[part * self.units + n] for part in range(self.parts))
            m.d.comb += self.sums[n].eq(Mux(none, 0, parts[now.part]))

        return m

    def _double_buffer(self, m, memory: Memory, read, write, layout):
        """Let adding and reading use halves of the memory that swap at the end of each step."""
        half, other = Signal(), Signal()  # the half to add to; the half that the step reads
        sums_port = memory.read_port(transparent_for=[write] if self.scattered else [])
        with m.If(self.turn.start):
            # Sums that are kept are added to again, so the halves do not swap.
            m.d.sync += [other.eq(half), half.eq(half ^ ~self.turn.keep)]
        m.d.comb += [
            read.addr.eq(self.ahead + Mux(half, self.folds, 0)),
            write.addr.eq(self.row + Mux(half, self.folds, 0)),
            # ``other`` changes with ``turn.start`` itself, one cycle too late for the first group.
            sums_port.addr.eq(
                self.turn.row + Mux(Mux(self.turn.start, half, other), self.folds, 0)
            ),
        ]
        return data.View(layout, sums_port.data)

    def _by_parity(self, m, width: int):
        """Make a memory each of the even and of the odd rows; return ports for reading and writing.

        Both memories have a single address, which writing takes precedence over.
        """
        shape = {"addr": range(self.folds), "data": width}
        read = Signal(data.StructLayout(shape), name="read")
        write = Signal(data.StructLayout(shape | {"en": 1}), name="write")
        contents = []
        for parity, name in enumerate(("even", "odd")):
            m.submodules[f"{name}_{UNINITIALIZED}"] = memory = Memory(
                shape=unsigned(width), depth=-(-self.folds // 2), init=[], attrs=kept_in(self.kind)
            )
            own_read, own_write = memory.read_port(), memory.write_port()
            writes = write.en & (write.addr[0] == parity)
            address = Signal.like(own_read.addr, name=f"{name}_row")
            m.d.comb += [
                address.eq(Mux(writes, write.addr, read.addr) >> 1),
                own_read.addr.eq(address),
                own_read.en.eq(~writes),
                own_write.addr.eq(address),
                own_write.en.eq(writes),
                own_write.data.eq(write.data),
            ]
            contents.append(own_read.data)
        odd = Signal()  # the row that was asked for in the cycle before is odd
        m.d.sync += odd.eq(read.addr[0])
        m.d.comb += read.data.eq(Mux(odd, contents[1], contents[0]))
        return read, write

    def _clear(self, m, now, write) -> Value:
        """Write zeros to a row once its sums are read, and to all after a reset.

        Returns whether zeros are written, or nothing.
        """
        # Behind a reset, all rows are cleared in turn.
        row = Signal(range(self.folds))
        with m.If(~self.clean):
            m.d.sync += [row.eq(row + 1), self.clean.eq(row == self.folds - 1)]
        # The last group of a row is read in this cycle, and nothing is added.
        over = now.take & ~now.keep & (now.final | (now.part == self.parts - 1))
        m.d.comb += [
            write.addr.eq(Mux(self.add, self.row, Mux(self.clean, now.row, row))),
            write.en.eq(self.add | over | ~self.clean),
        ]
        return ~self.add

    def _untouched(self, m, now):
        """Return whether the row that is added to, and the row that is read, are still zero."""
        touched = Signal(self.folds)  # rows with a weight of the step that is added to
        taken = Signal(self.folds)  # rows with a weight of the step that is read
        # With overlap, the next step may add as soon as the first group was read: ``saved`` has the
        # bits by then. Without, nothing is added before the final group.
        # Sums that are kept stay what they are.
        with m.If(now.take & (now.start if self.overlap else now.final) & ~now.keep):
            m.d.sync += touched.eq(0)
        with m.If(self.add):
            m.d.sync += touched.bit_select(self.row, 1).eq(1)
        if not self.overlap:
            m.d.comb += taken.eq(touched)
        else:
            # The bits of the step that is read are saved before those of the next one are set.
            saved = Signal(self.folds)
            m.d.comb += taken.eq(Mux(now.start, touched, saved))
            m.d.sync += saved.eq(taken)
        return ~touched.bit_select(self.row, 1), ~taken.bit_select(now.row, 1)
