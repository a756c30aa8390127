"""Tests of the private names of Amaranth that are used: they exist, and stand in one file alone."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from amaranth import Cat, Fragment, Module, Signal
from amaranth.back import rtlil
from amaranth.hdl import MemoryData
from amaranth.lib.memory import Memory

from spiker_hdl.hdl import amaranth_internals
from spiker_hdl.hdl.amaranth_internals import (
    TESTED,
    Assign,
    Concat,
    MemoryInstance,
    Operator,
    PortDirection,
    Slice,
    Switch,
    assigned_signals,
    driven_signals,
    initial_rows,
    memory_data,
    private,
    read_signals,
    replace_initial_rows,
)

ROOT = Path(__file__).resolve().parents[3]
PRIVATE = re.compile(
    r"amaranth(\.\w+)*\._|from amaranth\S* import .*\b_[a-z]"
    r"|(?<!self)\._(data|init|raw|driving|[lr]hs_signals)\b"
)

FOLDERS = ("spiker_hdl", "boards", "spiker_cli", "spiker_train")
FOLDERS += ("benchmarks", "docs", "examples", "tests/support")


def test_amaranth_is_of_a_tested_version():
    assert version("amaranth") in TESTED, (
        f"Amaranth {version('amaranth')} is installed: run all tests with it, then add it to "
        "TESTED in spiker_hdl/hdl/amaranth_internals.py"
    )


def test_private_names_of_amaranth_are_used_in_one_file():
    sources = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(amaranth_internals.__file__).resolve()
    ]
    assert len(sources) > 100
    assert [str(path) for path in sources if PRIVATE.search(path.read_text())] == []


def test_missing_name_is_reported_with_the_versions_that_have_it():
    with pytest.raises(ImportError) as error:
        private(MemoryData(shape=1, depth=1, init=[]), "_gone")
    assert str(error.value) == (
        "Amaranth must be 0.5.9 or 0.5.10, in which MemoryData has '_gone', not "
        f"{version('amaranth')}"
    )


def test_initial_rows_are_replaced_in_what_the_back_end_reads():
    memory = Memory(shape=8, depth=2, init=[0x12, 0x34])
    memory.read_port()
    instance = Fragment.get(memory, None)
    assert isinstance(instance, MemoryInstance)
    data = memory_data(instance)
    assert [*initial_rows(data)] == [0x12, 0x34]
    replace_initial_rows(data, [0x56, 0x78])
    assert [*initial_rows(data)] == [0x56, 0x78]


def test_direction_of_ports_is_taken_by_the_back_end():
    m = Module()
    a, b = Signal(), Signal()
    m.d.comb += b.eq(~a)
    ports = {"a": (a, PortDirection.Input), "b": (b, PortDirection.Output)}
    text = rtlil.convert(m, ports=ports)
    assert re.search(r"wire .*input \d +\\a\n", text)
    assert re.search(r"wire .*output \d +\\b\n", text)


def test_driven_signals_are_those_that_are_assigned():
    m = Module()
    a = Signal()
    b = Signal()
    c = Signal()
    m.d.comb += b.eq(a)
    m.d.sync += c.eq(a)
    rtlil.convert(m, ports=[a, b, c])
    assert {signal.name for signal in driven_signals(m)} == {"b", "c"}


def test_statements_and_values_have_the_classes_that_are_told_apart():
    a, b, c = Signal(4), Signal(2), Signal(2)
    m = Module()
    with m.If(a[0]):
        m.d.comb += Cat(b, c).eq(~a)
    (switch,) = Fragment.get(m, None).statements["comb"]
    assert isinstance(switch, Switch)
    ((_, (assign,), *_),) = switch.cases
    assert isinstance(assign, Assign)
    assert isinstance(assign.lhs, Concat)
    assert isinstance(assign.rhs, Operator)
    assert isinstance(a[1:3], Slice)


def test_signals_of_a_value_are_those_that_are_read_or_assigned():
    a, b = Signal(4), Signal(4)
    assert [*read_signals(a + b)] == [a, b]
    assert [*assigned_signals(Cat(a[:2], b))] == [a, b]
