# amaranth: UnusedElaboratable=no
"""The rows that events of a convolution add are those of a plain statement, in order, none missing.

Where an event is added to several positions at once, no two of them are in the same bank.

The addresses of all positions of small shapes are proved, with any events, and any pauses.
"""

from itertools import product
from math import prod

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume
from amaranth.lib import data

from spiker_hdl.model import Convolution
from spiker_hdl.model.mapping.interleave import bank_places
from spiker_hdl.rtl import AddressEvent
from spiker_hdl.rtl.synapses import convolution_lookup, map_address, parallel_lookup

from support.prover import Harness, inside, opened, planted, prove

pytestmark = pytest.mark.slow


def items(synapses, lanes, place):
    """Return the registers of each item of an event, said plainly: every target, every offset."""
    channel, *position = place
    outputs, inputs, *size = synapses.kernel.shape
    windows = synapses.windows
    parts, results = outputs // synapses.groups // lanes, []
    for target, offset in product(product(*map(range, windows.counts)), product(*map(range, size))):
        reached = [
            t * stride - before + n * dilation
            for t, stride, (before, _), n, dilation in zip(
                target, windows.stride, windows.padding, offset, windows.dilation, strict=True
            )
        ]
        if reached != position:
            continue
        at = int(np.ravel_multi_index(target, windows.counts))
        tap = channel * prod(size) + int(np.ravel_multi_index(offset, size))
        group = channel // inputs * parts
        for part in range(parts):
            fold = at * synapses.groups * parts + group + part
            results.append({"target": target, "row": tap * parts + part, "fold": fold})
    for n, item in enumerate(results):
        line = [other for other in results if other["target"][:-1] == item["target"][:-1]]
        item["part"] = n % parts
        lefts = [
            len({other["target"][axis] for other in results if other["target"] > item["target"]
                 and other["target"][:axis] == item["target"][:axis]} - {item["target"][axis]})
            for axis in range(len(position))
        ]  # fmt: skip
        item |= {f"left_{axis}": left for axis, left in enumerate(lefts)}
        if len(position) > 1:
            item["more"] = len(line) // parts - 1
            item |= {"line_row": line[0]["row"], "line_fold": line[0]["fold"]}
    return results


class LookedUp(Harness):
    """A look-up, and beside it the events that it was given, of which the first is walked through.

    The events beside it move on as soon as there is room, so that the look-up must be as fast.
    """

    def __init__(self, dut):
        super().__init__()
        self.dut = dut
        synapses, self.items = dut.synapses, {}
        for place in product(*map(range, synapses.shape)):
            channel, *position = place
            at = int(np.ravel_multi_index(position, synapses.shape[1:]))
            if dut.by_position:
                address = at * synapses.shape[0] + channel
            else:
                address = channel * prod(synapses.shape[1:]) + at
            self.items[address] = place, self.registers(place)

    def registers(self, place):
        """Return what the registers are for each item of an event."""
        return items(self.dut.synapses, self.dut.lanes, place)

    def output(self, entry):
        """Return what must be so of an item that is offered."""
        o = self.dut.o.p
        return [Assert(o.row == entry.row), Assert(o.fold == entry.fold)]

    def properties(self, m):
        dut = self.dut
        module = opened(dut)
        m.submodules.dut = module
        self.offer(m, dut.i, "i")
        self.accept(m, dut.o, "o")
        i, o = dut.i.p, dut.o.p
        m.d.comb += Assume(i.address < dut.synapses.source_size)

        layout = data.StructLayout({"valid": 1, "address": i.address.shape(), "value": dut.value})
        stages = [Signal(layout, name=f"stage_{n}") for n in range(len(dut.synapses.shape) - 1)]
        walked, turn = (
            Signal(layout),
            Signal(range(max(len(e) for _, e in self.items.values()) + 1)),
        )
        # Items of the event that is walked through, and of the one that comes next.
        entry, total = self.entry(m, walked.address, turn)
        coming = stages[-1]
        _, next_total = self.entry(m, coming.address, C(0, 16))
        over = walked.valid & dut.o.ready & (turn == total - 1)
        free = ~walked.valid | over
        with m.If(dut.o.ready & walked.valid):
            m.d.sync += turn.eq(turn + 1)
        with m.If(free):
            m.d.sync += [walked.eq(coming), turn.eq(0)]
            m.d.sync += walked.valid.eq(coming.valid & (next_total > 0))
        room = free
        for n in reversed(range(len(stages))):
            room = ~stages[n].valid | room
            with m.If(room):
                if n:
                    m.d.sync += stages[n].eq(stages[n - 1])
                else:
                    m.d.sync += [stages[0].address.eq(i.address), stages[0].value.eq(i.value)]
                    m.d.sync += stages[0].valid.eq(dut.i.valid & ~i.end)
        within = walked.valid | Cat(stage.valid for stage in stages).any()

        item = dut.o.valid & ~o.end
        m.d.comb += [
            Assert(item == walked.valid),
            Assert(dut.idle == ~within),
            Assert((dut.o.valid & o.end) == (~within & dut.i.valid & i.end)),
            Assert(~(dut.o.valid & o.end) | (o.last == i.last)),
            Assert((dut.i.ready & ~i.end) == (room & ~i.end)),
            Assert(~i.end | (dut.i.ready == (~within & dut.o.ready))),
        ]
        with m.If(item):
            m.d.comb += self.output(entry)
            m.d.comb += [Assert(o.value == walked.value), Assert(~o.last)]
        self.stable(m, dut.o)
        self.invariants(m, module, stages, walked, turn, entry, total)

    def banks(self, entry, item):
        """Return the assignments of what an item has for each bank."""
        return []

    def entry(self, m, address, turn):
        """Return the item of an event, and how many it has."""
        layout = self.dut._walk()
        entry = Signal(layout, name="entry")
        total = Signal(16, name="total")
        with m.Switch(address):
            for number, (_, own) in self.items.items():
                with m.Case(number):
                    m.d.comb += total.eq(len(own))
                    with m.Switch(turn):
                        for n, item in enumerate(own):
                            with m.Case(n):
                                m.d.comb += [
                                    entry[name].eq(value)
                                    for name, value in item.items()
                                    if name in layout.members
                                ]
                                m.d.comb += self.banks(entry, item)
        return entry, total

    def invariants(self, m, module, stages, walked, turn, entry, total):
        """Say for induction what the registers are, by the events that are beside them."""
        dut = self.dut
        walk = data.View(dut._walk(), inside(module, "walk"))
        m.d.comb += [Assert(walk.valid == walked.valid), Assert(~walked.valid | (turn < total))]
        for event in (*stages, walked):
            m.d.comb += Assert(~event.valid | (event.address < dut.synapses.source_size))
        with m.If(walked.valid):
            m.d.comb += self.stated(walk, entry)
        for n, stage in enumerate(stages):
            m.d.comb += Assert(inside(module, f"valid_{n}") == stage.valid)
            with m.If(stage.valid):
                m.d.comb += Assert(inside(module, f"value_{n}") == stage.value)
                with m.Switch(stage.address):
                    for address, (place, _) in self.items.items():
                        with m.Case(address):
                            m.d.comb += [
                                Assert(inside(module, name) == value)
                                for name, value in self.divided(n, place).items()
                            ]

    def stated(self, walk, entry):
        """Return what must be so of the registers, by the item that they stand for."""
        members = [*self.dut._walk().members]
        return [
            Assert(walk[name] == entry[name]) for name in members if name not in {"valid", "value"}
        ]

    def divided(self, n, place):
        """Return what register ``n`` has of an address: its last parts, and the rest of it."""
        names = ["channel", *(f"position_{axis}" for axis in range(len(place) - 1))]
        parts = dict(zip(names, place, strict=True))
        sizes = dict(zip(names, self.dut.synapses.shape, strict=True))
        major = [*names[1:], "channel"] if self.dut.by_position else names
        rest, apart = major[: -1 - n], major[-1 - n :]
        number = int(np.ravel_multi_index([parts[k] for k in rest], [sizes[k] for k in rest]))
        return {f"rest_{n}": number} | {f"{name}_{n}": parts[name] for name in apart}


class AllLookedUp(LookedUp):
    """The same of a look-up that reaches several positions at once, each in a bank of its own."""

    def registers(self, place):
        dut = self.dut
        places = bank_places(dut.synapses, dut.lanes, dut.positions).reshape(-1, 2)
        lines = {}
        for item in items(dut.synapses, dut.lanes, place):
            line = item["target"][: dut.serial]
            lines.setdefault((line, item["part"]), []).append(item)
        results = []
        for (line, part), own in sorted(lines.items()):
            where = [tuple(places[item["fold"]].tolist()) for item in own]
            assert len({bank for bank, _ in where}) == len(own)  # in different banks
            slots = {bank: (item["row"], row) for item, (bank, row) in zip(own, where, strict=True)}
            left = len({other for other, _ in lines if other > line})
            results.append({"part": part, "left": left, "slots": slots})
        return results

    def banks(self, entry, item):
        return [
            assignment
            for bank, (row, fold) in item["slots"].items()
            for assignment in (
                entry.banks[bank].present.eq(1),
                entry.banks[bank].row.eq(row),
                entry.banks[bank].fold.eq(fold),
            )
        ]

    def reached(self, bank, row, fold, entry):
        same = (row == entry.row) & (fold == entry.fold)
        return [Assert(bank.present == entry.present), Assert(~entry.present | same)]

    def output(self, entry):
        return [
            claim
            for bank, own in zip(self.dut.o.p.banks, entry.banks, strict=True)
            for claim in self.reached(bank, bank.row, bank.fold, own)
        ]

    def stated(self, walk, entry):
        # The rows of a bank are what they are behind the adders: of no width is what is not there.
        return [Assert(walk.part == entry.part), Assert(walk.left == entry.left)]


def ones(*shape):
    return np.ones(shape, int)


SHAPES = {
    "one axis": (Convolution(ones(4, 1, 3), (1, 5), padding=1), 2, False),
    "strided": (Convolution(ones(2, 2, 3), (2, 6), stride=2, padding=1), 2, True),
    "dilated": (Convolution(ones(1, 1, 3), (1, 9), dilation=4, stride=2, padding=4), 1, False),
    "two axes": (Convolution(ones(2, 1, 3, 3), (1, 3, 4), padding=1), 2, False),
    "by position": (Convolution(ones(4, 3, 2, 2), (3, 2, 3)), 2, True),
    "groups": (Convolution(ones(4, 2, 2, 1), (4, 3, 1), groups=2, padding=(1, 0)), 1, True),
    "with gaps": (Convolution(ones(1, 1, 1, 2), (1, 3, 5), stride=(2, 3)), 1, False),
}


def lookup(module, name):
    synapses, lanes, by_position = SHAPES[name]
    event = AddressEvent(synapses.source_size, unsigned(1))
    return module.ConvolutionLookup(synapses, event, lanes=lanes, by_position=by_position)


def parallel(module, name, positions):
    synapses, lanes, by_position = SHAPES[name]
    event = AddressEvent(synapses.source_size, unsigned(1))
    return module.ParallelLookup(
        synapses, event, lanes=lanes, positions=positions, by_position=by_position
    )


@pytest.mark.parametrize("positions", ["line", "window"])
@pytest.mark.parametrize("name", SHAPES)
def test_rows_of_all_banks_are_those_of_the_windows_in_order(name, positions, tmp_path):
    dut = parallel(parallel_lookup, name, positions)
    verdict = prove(AllLookedUp(dut), tmp_path, depth=3)
    assert verdict.holds, verdict.log[-3000:]


@pytest.mark.parametrize(
    "name, positions, old, new",
    [
        ("two axes", "line", "(next_offset - offset) * self._offset(0)", "self._offset(0)"),
        ("two axes", "window", "to.row.eq(walk.row + own.row)", "to.row.eq(walk.row)"),
        ("groups", "line", "self.parts * (channel // inputs)", "self.parts * channel"),
        ("by position", "window", "bank.present.eq(Cat(present).all())", "bank.present.eq(1)"),
        ("strided", "line", "axis.row(target) * self._distance(n)", "target * self._distance(n)"),
        ("one axis", "window", "final = over & ~walk.left.any()", "final = ~walk.left.any()"),
    ],
)
def test_a_fault_in_all_banks_is_found(name, positions, old, new, tmp_path):
    module = planted(parallel_lookup, old, new)
    dut = parallel(module, name, positions)
    assert not prove(AllLookedUp(dut), tmp_path, mode="bmc", depth=10).holds


@pytest.mark.parametrize("name", SHAPES)
def test_rows_are_those_of_the_windows_in_order(name, tmp_path):
    verdict = prove(LookedUp(lookup(convolution_lookup, name)), tmp_path, depth=2)
    assert verdict.holds, verdict.log[-3000:]


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("by position", "final = over & ~Cat(", "final = over | ~Cat("),
        ("two axes", "walk.left_1.eq(walk.more)", "walk.left_1.eq(walk.more - 1)"),
        ("one axis", "walk.row + (inner.row_step - back)", "walk.row - 1"),
        ("with gaps", "place[\"valid\"] & Cat(some).all()", "place[\"valid\"]"),
        ("groups", "self.parts * (channel // inputs)", "self.parts * channel"),
        ("dilated", "-windows.stride[n] // common * offset", "-windows.stride[n] * offset"),
    ],
)  # fmt: skip
def test_a_fault_is_found(name, old, new, tmp_path):
    module = planted(convolution_lookup, old, new)
    verdict = prove(LookedUp(lookup(module, name)), tmp_path, mode="bmc", depth=10)
    assert not verdict.holds


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("two axes", 'ready = ~register["valid"] | ready', "ready = ready"),
        ("strided", "i.valid & ~i.p.end,", "i.valid,"),
    ],
)
def test_a_fault_in_the_division_is_found(name, old, new, tmp_path, monkeypatch):
    divided = planted(map_address, old, new).divided_address
    monkeypatch.setattr(convolution_lookup, "divided_address", divided)
    verdict = prove(LookedUp(lookup(convolution_lookup, name)), tmp_path, mode="bmc", depth=10)
    assert not verdict.holds
