# amaranth: UnusedElaboratable=no
"""A scanner's output is exactly the set bits of each word, ascending, then the end token."""

from functools import reduce
from operator import or_

import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume

from spiker_hdl.rtl.streams import scanner
from spiker_hdl.rtl.streams.events import slots

from support.prover import Harness, inside, opened, planted, prove

pytestmark = pytest.mark.slow


class Scanned(Harness):
    """A scanner, the word that it was given last, and what of it is still to come."""

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def properties(self, m):
        dut = self.dut
        module = opened(dut)
        m.submodules.dut = module
        self.offer(m, dut.i, "i")
        self.accept(m, dut.o, "o")
        i, o = dut.i.p, dut.o.p
        for n in range(dut.width):
            # As the port demands: no channel beyond the last address.
            m.d.comb += Assume((i.index * dut.width + n < dut.size) | ~i.flags[n])
        m.d.comb += Assume(i.index < dut.words)

        given, token = Signal.like(dut.i.p), Signal()
        left = Signal(dut.width)
        came, went = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        after, token_after = Signal.like(left), Signal()
        m.d.comb += [after.eq(left), token_after.eq(token)]
        first = []  # what is given of a bank is the lowest that is set and not given yet
        for bank, (present, row, value) in enumerate(slots(o)):
            mine = left & sum(1 << n for n in range(bank, dut.width, dut.banks))
            lowest = mine & (~mine + 1)
            first.append(lowest[: dut.width])
            with m.If(dut.o.valid & ~o.end):
                m.d.comb += Assert(present == mine.any())
                for n in range(bank, dut.width, dut.banks):
                    with m.If(lowest[n]):
                        m.d.comb += Assert(row * dut.banks + bank == given.index * dut.width + n)
                        m.d.comb += Assert(value == given["values"][n])
        with m.If(dut.o.valid & ~o.end):
            m.d.comb += Assert(~o.last)
        with m.If(dut.o.valid & o.end):
            m.d.comb += [Assert(left == 0), Assert(token), Assert(o.last == given.last)]
        with m.If(went & ~o.end):
            m.d.comb += after.eq(left & ~reduce(or_, first))
        with m.If(went & o.end):
            m.d.comb += token_after.eq(0)
        m.d.sync += [left.eq(after), token.eq(token_after)]
        with m.If(came):
            # A word is taken only when all of the one before it has been given.
            m.d.comb += [Assert(after == 0), Assert(~token_after)]
            m.d.sync += [given.eq(dut.i.p), left.eq(i.flags), token.eq(i.end)]

        # It does not wait: what is left is offered, and where nothing is, a word is taken.
        m.d.comb += Assert(dut.o.valid == (left.any() | token))
        m.d.comb += Assert(dut.i.ready | left.any() | token)

        # For induction: the word inside is the one that was given, less what has come of it.
        word, full = inside(module, "word"), inside(module, "full")
        flags = word[: dut.width]
        m.d.comb += [
            Assert(~full | (flags == left)),
            Assert(~full | (word[dut.width :] == given.as_value()[dut.width :])),
            Assert(full | ~(left.any() | token)),
            Assert(~full | ~given.end | token),
            Assert(given.end | ~token),
        ]
        for n in range(dut.width):
            m.d.comb += Assert((given.index * dut.width + n < dut.size) | ~left[n])


@pytest.mark.parametrize(
    "size, width, banks",
    [(1, 1, 1), (4, 4, 1), (5, 3, 1), (7, 2, 1), (7, 4, 2), (3, 3, 4), (13, 8, 4)],
)
def test_events_are_the_set_bits_in_order_then_the_token(size, width, banks, tmp_path):
    dut = scanner.Scanner(size, width=width, value=unsigned(2), banks=banks)
    assert prove(Scanned(dut), tmp_path, depth=2).holds


@pytest.mark.parametrize(
    "old, new",
    [
        ("for n in reversed(range(len(channels))):", "for n in range(len(channels)):"),
        ("(flags - 1)", "(flags - 2)"),
        ("self.o.p.end.eq(~some)", "self.o.p.end.eq(~remaining.any())"),
        ("~some & word.last", "word.last"),
        ("word.index * (self.width // self.banks)", "word.index * self.width"),
        ("Mux(word.end, advance & ~some", "Mux(word.end, advance & ~remaining.any()"),
        ("(advance | ~some) & ~more", "advance & ~more"),
        ("values[place] if", "values[0] if"),
        ("channels = range(bank,", "channels = range(0,"),
        ("some = flags.any()", "some = word.flags.any()"),
        ("self.i.ready.eq(~full | done)", "self.i.ready.eq(~full)"),
    ],
)
def test_a_fault_is_found(old, new, tmp_path):
    dut = planted(scanner, old, new).Scanner(7, width=4, value=unsigned(2), banks=2)
    assert not prove(Scanned(dut), tmp_path, mode="bmc", depth=8).holds
