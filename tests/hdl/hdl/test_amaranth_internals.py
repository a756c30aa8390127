"""Tests of the private names of Amaranth that are used: they exist, and stand in one file alone."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from amaranth import Fragment, Module, Signal
from amaranth.back import rtlil
from amaranth.hdl import MemoryData
from amaranth.lib.memory import Memory

from spiker_hdl.hdl import amaranth_internals
from spiker_hdl.hdl.amaranth_internals import (
    TESTED,
    MemoryInstance,
    PortDirection,
    driven_signals,
    initial_rows,
    memory_data,
    private,
    replace_initial_rows,
)

ROOT = Path(__file__).resolve().parents[3]
PRIVATE = re.compile(
    r"amaranth(\.\w+)*\._|from amaranth\S* import .*\b_[a-z]|(?<!self)\._(data|init|raw|driving)\b"
)


def test_amaranth_is_of_a_tested_version():
    assert version("amaranth") in TESTED, (
        f"Amaranth {version('amaranth')} is installed: run all tests with it, then add it to "
        "TESTED in spiker_hdl/hdl/amaranth_internals.py"
    )


def test_private_names_of_amaranth_are_used_in_one_file():
    sources = [
        path
        for folder in ("spiker_hdl", "boards", "spiker_cli", "spiker_train", "tests/support")
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
