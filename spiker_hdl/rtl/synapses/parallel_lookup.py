"""Convolutions that add an event to several positions at once: the rows for every bank of sums."""

from itertools import product
from math import prod
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Convolution
from spiker_hdl.model.mapping.interleave import Interleave, interleaves, parallel_axes
from spiker_hdl.model.mapping.layout import kernel_size
from spiker_hdl.rtl.common.division import by_constant
from spiker_hdl.rtl.streams.events import AddressEvent

from .map_address import divided_address, handshake, table

__all__ = ["ParallelEvent", "ParallelLookup"]


class ParallelEvent(data.StructLayout):
    """Rows of a kernel that are added to rows of sums, one in each bank, or a step's token.

    Parameters
    ----------
    rows, folds, banks : int
        Number of rows of the kernel and of a bank of sums, and number of banks.
    value : Shape
        Shape of an event's value, without width for binary events.

    Members
    -------
    banks : ArrayLayout(StructLayout, banks)
        For each bank: whether a row is added (``present``), the ``row`` of the kernel, and the row
        of sums (``fold``).
    value : Shape
        Factor of the weights, where events are graded.
    end : unsigned(1)
        Whether this is the token that ends a step.
    last : unsigned(1)
        With ``end``: whether the step is the last of its sample.
    """

    def __init__(self, rows: int, folds: int, banks: int, value: Shape):
        bank = data.StructLayout({"present": 1, "row": range(rows), "fold": range(folds)})
        super().__init__({
            "banks": data.ArrayLayout(bank, banks),
            "value": value,
            "end": 1,
            "last": 1,
        })


class ParallelLookup(wiring.Component):
    """Give the rows of the kernel for all windows of an event along some axes at once.

    The windows along an axis in front of these are walked through. Of each line of windows there
    are ``parts`` items, one for each ``lanes`` output channels of the group of the event's channel.
    The handshake is that of :class:`~.convolution_lookup.ConvolutionLookup`.

    Parameters
    ----------
    synapses : Convolution
    event : AddressEvent
        Layout of the source's events.
    lanes : int
        Number of sums in a row, which divides the output channels of a group.
    positions : {"line", "window"}
        Whether the windows along the last axis, or along all, come at once.
    by_position : bool
        Whether addresses are numbered ``y, x, channel``, not ``channel, y, x``.

    Attributes
    ----------
    parts : int
        Rows of a window.
    rows, folds : int
        Number of rows of the kernel, and of a bank of sums.
    banks : int
        Number of banks of sums.

    Members
    -------
    i : In(stream.Signature(event))
        Events and tokens.
    o : Out(stream.Signature(ParallelEvent))
        Items of each event; tokens.
    idle : Out(1)
        There is no event within.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(
        self,
        synapses: Convolution,
        event: AddressEvent,
        *,
        lanes: int,
        positions: str,
        by_position: bool = False,
    ):
        lanes = check_int("Lanes", lanes, 1)
        channels = len(synapses.kernel) // synapses.groups
        if channels % lanes:
            raise ValueError(f"Lanes must divide {channels} output channels, not be {lanes}")
        self.synapses = synapses
        self.positions = positions
        self.lanes = lanes
        self.by_position = by_position
        self.axes = interleaves(synapses, positions)
        self.serial = len(self.axes) - parallel_axes(synapses, positions)
        self.parts = channels // lanes
        self.rows = kernel_size(synapses, lanes)
        self.folds = self._distance(-1)
        self.banks = prod(axis.banks for axis in self.axes)
        self.value = event.value_shape
        item = ParallelEvent(self.rows, self.folds, self.banks, self.value)
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(item)),
            "idle": Out(1),
        })

    def _distance(self, n: int) -> int:
        """Return the distance of neighbouring rows of sums along an axis; of -1, all of them."""
        rows = [axis.rows for axis in self.axes[n + 1 :]]
        return self.parts * self.synapses.groups * prod(rows)

    def elaborate(self, platform):
        m = Module()

        walk = Signal(self._walk())
        over = walk.part == self.parts - 1
        final = over & ~walk.left.any()  # no further line of windows
        free = ~walk.valid | (self.o.ready & final)
        place, ready, waiting = divided_address(m, self.i, self.synapses, self.by_position, free)
        with m.If(free):
            self._begin(m, walk, place)
        with m.Elif(self.o.ready):
            self._advance(m, walk, over)
        m.d.comb += handshake(self, walk, ready, waiting)
        for to, own in zip(self.o.p.banks, walk.banks, strict=True):
            m.d.comb += [
                to.present.eq(own.present),
                to.row.eq(walk.row + own.row),
                to.fold.eq(walk.fold + own.fold),
            ]

        return m

    def _walk(self) -> data.StructLayout:
        """Return the layout of the registers that hold an event, its line and its row."""
        row, fold = range(self.rows), range(self.folds)
        bank = data.StructLayout({"present": 1, "row": row, "fold": fold})
        left = max([1, *(len(own) for n in range(self.serial) for own in self._pairs(n))])
        return data.StructLayout({
            "valid": 1,
            "row": row,
            "fold": fold,
            "value": self.value,
            "part": range(self.parts),
            "left": range(left),
            "banks": data.ArrayLayout(bank, self.banks),
        })

    def _pairs(self, n: int) -> list[list[tuple[int, int]]]:
        return self.synapses.windows.pairs(n)

    def _offset(self, n: int) -> int:
        """Return the distance of the rows of the kernel for neighbouring offsets along an axis."""
        return self.parts * prod(self.synapses.windows.size[n + 1 :])

    def _begin(self, m, walk, place: dict[str, Any]) -> None:
        """Take the event whose turn it is, unless it has no window."""
        synapses = self.synapses
        inputs = synapses.kernel.shape[1]
        groups = [self.parts * (channel // inputs) for channel in range(synapses.shape[0])]
        rows = [by_constant(place["channel"], self.rows // synapses.shape[0])]
        folds = [table(m, place["channel"], groups, "group")]
        some, left = [], C(0, 1)
        for n in range(len(self.axes)):
            within = [int(len(own) > 0) for own in self._pairs(n)]
            some.append(table(m, place[f"position_{n}"], within, f"some_{n}").any())
        for n in range(self.serial):
            position = place[f"position_{n}"]
            firsts = [own[0] if own else (0, 0) for own in self._pairs(n)]
            offsets = [offset * self._offset(n) for _, offset in firsts]
            targets = [target * self._distance(n) for target, _ in firsts]
            rows.append(table(m, position, offsets, f"row_{n}"))
            folds.append(table(m, position, targets, f"fold_{n}"))
            counts = [max(0, len(own) - 1) for own in self._pairs(n)]
            left = table(m, position, counts, f"left_{n}")
        m.d.sync += walk.valid.eq(place["valid"] & Cat(some).all())
        # Without an event the registers stay as they are, for they are part of what a token offers.
        with m.If(place["valid"]):
            m.d.sync += [
                walk.value.eq(place["value"]),
                walk.part.eq(0),
                walk.left.eq(left),
                walk.row.eq(sum(rows, C(0))),
                walk.fold.eq(sum(folds, C(0))),
            ]
            along = [self._along(m, n, place) for n in range(self.serial, len(self.axes))]
            for bank, own in zip(walk.banks, product(*along), strict=True):
                present, rows, folds = zip(*own, strict=True)
                m.d.sync += [
                    bank.present.eq(Cat(present).all()),
                    bank.row.eq(sum(rows, C(0))),
                    bank.fold.eq(sum(folds, C(0))),
                ]

    def _along(self, m, n: int, place: dict[str, Any]) -> list[tuple]:
        """Return for each bank along an axis: whether a target is in it, and the rows for it."""
        axis: Interleave = self.axes[n]
        results = []
        for bank in range(axis.banks):
            entries = []
            for own in self._pairs(n):
                # There is at most one, as neighbours are in different banks.
                in_bank = [pair for pair in own if axis.bank(pair[0]) == bank]
                target, offset = in_bank[0] if in_bank else (0, 0)
                row, fold = offset * self._offset(n), axis.row(target) * self._distance(n)
                entries.append((int(len(in_bank) > 0), row, fold))
            position = place[f"position_{n}"]
            present, rows, folds = (
                table(m, position, [*values], f"{name}_{n}_{bank}")
                for name, values in zip(
                    ("present", "row", "fold"), zip(*entries, strict=True), strict=True
                )
            )
            results.append((present, rows, folds))
        return results

    def _advance(self, m, walk, over) -> None:
        """Go on to the next row of an event that has one."""
        back = self.parts - 1  # from the last row of a window to its first
        with m.If(~over):
            m.d.sync += [
                walk.part.eq(walk.part + 1),
                walk.row.eq(walk.row + 1),
                walk.fold.eq(walk.fold + 1),
            ]
        pairs = [own for own in self._pairs(0) if self.serial and len(own) > 1]
        if pairs:
            # From a line to the next, the offset falls by as much as it must for the position to
            # stay the same.
            (target, offset), (next_target, next_offset), *_ = pairs[0]
            row = (next_offset - offset) * self._offset(0)
            fold = (next_target - target) * self._distance(0)
            with m.Else():
                m.d.sync += [
                    walk.part.eq(0),
                    walk.left.eq(walk.left - 1),
                    walk.row.eq(walk.row + (row - back)),
                    walk.fold.eq(walk.fold + (fold - back)),
                ]
