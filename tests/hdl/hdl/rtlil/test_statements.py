"""RTLIL split into statements and written again."""

import re

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.hdl.rtlil.statements import Statement, split, written

TEXT = r"""attribute \generator "Amaranth"
module \top
attribute \src "a b.py:1"
attribute \init 2'10
wire width 2 \a
process $1
assign \a [0] 1'0
switch \b
case 1'1, 1'0
assign \a 2'11
case
end
end
cell $not $2
parameter \WIDTH 2
connect \A { \a [0] \b }
end
connect \b \a [1]
end
"""


def test_blocks_are_nested_and_attributes_belong_to_what_follows():
    (module,) = split(TEXT)
    assert (module.word, module.rest) == ("module", "\\top")
    assert module.attributes == ('\\generator "Amaranth"',)
    wire, process, cell, connect = module.inner
    assert wire.attributes == ('\\src "a b.py:1"', "\\init 2'10")
    assert wire.body is None
    assert [inner.word for inner in process.inner] == ["assign", "switch"]
    assert [(inner.word, inner.rest) for inner in process.inner[1].inner] == [
        ("case", "1'1, 1'0"),
        ("assign", "\\a 2'11"),
        ("case", ""),
    ]
    assert [inner.rest for inner in cell.inner] == ["\\WIDTH 2", "\\A { \\a [0] \\b }"]
    assert (connect.rest, connect.inner) == ("\\b \\a [1]", [])


def test_split_and_written_are_inverse_but_for_indentation():
    assert written(split(TEXT)) == TEXT
    indented = "".join(f"  {line}\n\n" for line in TEXT.splitlines())
    assert written(split(indented)) == TEXT


class Counter(wiring.Component):
    """A counter with an enable, which has a process with a switch."""

    enable: In(1)
    count: Out(4)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.enable):
            m.d.sync += self.count.eq(self.count + 1)
        return m


def test_a_design_of_amaranth_is_written_as_it_was():
    text = rtlil.convert(Counter())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert written(split(text)).splitlines() == lines


def test_equal_statements_are_told_apart():
    assert len({Statement("wire", "\\a"), Statement("wire", "\\a")}) == 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("module \\top\n", "Module top must have an end"),
        ("module \\top\ncell $not $1\n", "Cell $1 must have an end"),
        ("module \\top\nprocess $1\nswitch \\a\nend\n", "Process must have an end"),
    ],
)
def test_a_block_without_an_end_is_refused(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        split(text)
