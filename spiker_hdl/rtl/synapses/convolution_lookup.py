"""Convolutions whose kernel is stored once: the rows that an event adds, and where."""

from dataclasses import dataclass
from math import gcd, prod
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Convolution
from spiker_hdl.model.mapping.layout import kernel_size
from spiker_hdl.rtl.common.division import by_constant
from spiker_hdl.rtl.streams.events import AddressEvent

from .map_address import divided_address, handshake, table

__all__ = ["ConvolutionLookup", "KernelEvent"]


class KernelEvent(data.StructLayout):
    """A row of a kernel that is added to a row of sums, or the token that ends a step.

    Parameters
    ----------
    rows, folds : int
        Number of rows of the kernel, and of sums.
    value : Shape
        Shape of an event's value, without width for binary events.

    Members
    -------
    row : unsigned
        Row of the kernel.
    fold : unsigned
        Row of sums.
    value : Shape
        Factor of the weights, where events are graded.
    end : unsigned(1)
        Whether this is the token that ends a step.
    last : unsigned(1)
        With ``end``: whether the step is the last of its sample.
    """

    def __init__(self, rows: int, folds: int, value: Shape):
        self.value_shape = value
        super().__init__({
            "row": range(rows),
            "fold": range(folds),
            "value": value,
            "end": 1,
            "last": 1,
        })


@dataclass(frozen=True)
class _Axis:
    """The windows of each position of an axis, in rows of the kernel and of sums.

    Members
    -------
    rows, folds, counts : list of int
        For each position: what its first window adds to the number of the row, and how many windows
        it is in.
    row_step, fold_step : int
        What the next window adds.
    """

    rows: list[int]
    folds: list[int]
    counts: list[int]
    row_step: int
    fold_step: int


class ConvolutionLookup(wiring.Component):
    """Walk through the windows of each event, and give the row of the kernel for each.

    The address of an event is divided into channel and position, with a register behind each
    division, while the event before is walked through. A window gives ``parts`` items, one for each
    ``lanes`` output channels of the group of the event's channel. The first item of an event is
    valid ``1 + axes`` cycles after the event was taken, unless items of an earlier event are still
    to come; then one item follows the other in each cycle with ``ready``. An event without a window
    is dropped. A token passes in the cycle in which it is offered if all earlier items have left,
    and waits otherwise. After reset there is no event within.

    Parameters
    ----------
    synapses : Convolution
    event : AddressEvent
        Layout of the source's events.
    lanes : int
        Number of parallel accumulators, which divides the output channels of a group.
    by_position : bool
        Whether addresses are numbered ``y, x, channel``, not ``channel, y, x``.

    Attributes
    ----------
    parts : int
        Rows of a window.

    Members
    -------
    i : In(stream.Signature(event))
        Events and tokens.
    o : Out(stream.Signature(KernelEvent))
        Items of each event, in ascending order of their targets; tokens.
    idle : Out(1)
        There is no event within.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(
        self, synapses: Convolution, event: AddressEvent, *, lanes: int, by_position: bool = False
    ):
        lanes = check_int("Lanes", lanes, 1)
        channels = len(synapses.kernel) // synapses.groups
        if channels % lanes:
            raise ValueError(f"Lanes must divide {channels} output channels, not be {lanes}")
        self.synapses = synapses
        self.event = event
        self.lanes = lanes
        self.by_position = by_position
        self.parts = channels // lanes
        self.folds = synapses.target_size // lanes
        self.rows = kernel_size(synapses, lanes)
        self.value = event.value_shape
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(KernelEvent(self.rows, self.folds, self.value))),
            "idle": Out(1),
        })

    def axes(self) -> list[_Axis]:
        """Return the windows along each axis, the innermost last."""
        windows, axes = self.synapses.windows, []
        for n in range(len(windows.shape)):
            # Distance in memory of neighbouring offsets, and of neighbouring targets.
            offset = self.parts * prod(windows.size[n + 1 :])
            target = self.parts * self.synapses.groups * prod(windows.counts[n + 1 :])
            pairs = windows.pairs(n)
            firsts = [own[0] if own else (0, 0) for own in pairs]
            # From a position's window to its next one, the offset falls by as much as it must for
            # the position to stay the same.
            common = gcd(windows.stride[n], windows.dilation[n])
            axes.append(
                _Axis(
                    [place * offset for _, place in firsts],
                    [window * target for window, _ in firsts],
                    [len(own) for own in pairs],
                    -windows.stride[n] // common * offset,
                    windows.dilation[n] // common * target,
                )
            )
        return axes

    def elaborate(self, platform):
        m = Module()

        walk = Signal(self._walk())
        over = walk.part == self.parts - 1  # the window's last row
        final = over & ~Cat(walk[f"left_{n}"] for n in range(len(self.axes()))).any()
        free = ~walk.valid | (self.o.ready & final)
        place, ready, waiting = divided_address(m, self.i, self.synapses, self.by_position, free)
        with m.If(free):
            self._begin(m, walk, place)
        with m.Elif(self.o.ready):
            self._advance(m, walk, over)
        m.d.comb += handshake(self, walk, ready, waiting)
        m.d.comb += [self.o.p.row.eq(walk.row), self.o.p.fold.eq(walk.fold)]

        return m

    def _walk(self) -> data.StructLayout:
        """Return the layout of the registers that walk through the windows of an event."""
        row, fold = range(self.rows), range(self.folds)
        members: dict[str, Any] = {"valid": 1, "row": row, "fold": fold, "value": self.value}
        members["part"] = range(self.parts)
        for n, axis in enumerate(self.axes()):
            members[f"left_{n}"] = range(max(1, *axis.counts))
        if len(self.axes()) > 1:
            # With two axes: where the line of windows began, and how many windows are in a line.
            members |= {"line_row": row, "line_fold": fold, "more": members["left_1"]}
        return data.StructLayout(members)

    def _begin(self, m, walk, place: dict[str, Any]) -> None:
        """Begin to walk through the windows of an event, unless it has none."""
        axes, synapses = self.axes(), self.synapses
        rows = [by_constant(place["channel"], self.rows // synapses.shape[0])]
        inputs = synapses.kernel.shape[1]
        groups = [self.parts * (channel // inputs) for channel in range(synapses.shape[0])]
        folds = [table(m, place["channel"], groups, "group")]
        some, lefts = [], []
        for n, axis in enumerate(axes):
            position = place[f"position_{n}"]
            rows.append(table(m, position, axis.rows, f"row_{n}"))
            folds.append(table(m, position, axis.folds, f"fold_{n}"))
            left = [max(0, count - 1) for count in axis.counts]
            lefts.append(table(m, position, left, f"left_{n}"))
            within = [int(count > 0) for count in axis.counts]
            some.append(table(m, position, within, f"some_{n}").any())
        row, fold = sum(rows, C(0)), sum(folds, C(0))
        m.d.sync += walk.valid.eq(place["valid"] & Cat(some).all())
        # Without an event the registers stay as they are, for they are part of what a token offers.
        with m.If(place["valid"]):
            m.d.sync += [
                walk.value.eq(place["value"]),
                walk.part.eq(0),
                walk.row.eq(row),
                walk.fold.eq(fold),
                *(walk[f"left_{n}"].eq(left) for n, left in enumerate(lefts)),
            ]
            if len(axes) > 1:
                m.d.sync += [walk.line_row.eq(row), walk.line_fold.eq(fold), walk.more.eq(lefts[1])]

    def _advance(self, m, walk, over) -> None:
        """Go on to the next row of an event that has one."""
        *outer, inner = self.axes()
        last = f"left_{len(outer)}"
        back = self.parts - 1  # from the last row of a window to its first
        with m.If(~over):
            m.d.sync += [
                walk.part.eq(walk.part + 1),
                walk.row.eq(walk.row + 1),
                walk.fold.eq(walk.fold + 1),
            ]
        with m.Elif(walk[last] > 0):
            m.d.sync += [
                walk.part.eq(0),
                walk[last].eq(walk[last] - 1),
                walk.row.eq(walk.row + (inner.row_step - back)),
                walk.fold.eq(walk.fold + (inner.fold_step - back)),
            ]
        if outer:
            # The next line begins below the begin of this one.
            row = walk.line_row + outer[0].row_step
            fold = walk.line_fold + outer[0].fold_step
            with m.Else():
                m.d.sync += [
                    walk.part.eq(0),
                    walk.left_0.eq(walk.left_0 - 1),
                    walk.left_1.eq(walk.more),
                    walk.row.eq(row),
                    walk.fold.eq(fold),
                    walk.line_row.eq(row),
                    walk.line_fold.eq(fold),
                ]
