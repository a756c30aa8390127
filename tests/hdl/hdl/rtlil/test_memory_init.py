# amaranth: UnusedElaboratable=no

"""Tests of what large memories hold, on its way around the tools and into files."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

import spiker_hdl
from spiker_hdl.base import FileError
from spiker_hdl.export import emit, read_emission
from spiker_hdl.export import export as emission
from spiker_hdl.export.netlist import check as netlist
from spiker_hdl.hdl.rtlil import memory_init as memories
from spiker_hdl.hdl.rtlil.memory_init import Contents, inlined, loads, marked
from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.hdl.vhdl.convert import to_vhdl
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator

from support.emitted import fails, simulate, small, spikes_for


class Rows(wiring.Component):
    """A memory that is read, and written if wished."""

    def __init__(self, shape, depth, init, *, written=False):
        self.memory = Memory(shape=shape, depth=depth, init=init)
        self.written = written
        super().__init__({
            "address": In(range(depth)),
            "write": In(1),
            "data": Out(Shape.cast(shape).width),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.kept = self.memory
        port = self.memory.read_port()
        m.d.comb += [port.addr.eq(self.address), self.data.eq(port.data)]
        if self.written:
            writer = self.memory.write_port()
            m.d.comb += [writer.addr.eq(self.address), writer.en.eq(self.write)]
        return m


ROWS = {
    "one bit": (1, 100, [n % 3 == 0 for n in range(100)]),
    "odd": (13, 40, range(40)),
    "decimal": (32, 5, [2**32 - 1, 0, 7]),
    "wide": (200, 3, [1 << 199, 5]),
    "signed": (signed(5), 33, [-1, -16, 15, 0, 3]),
    "short": (64, 1, [3]),
    "mark": (8, 4, [1, 2, 3, 4]),
    "past the mark": (8, 5, [1, 2, 3, 4, 5]),
}


FLIPPED = str.maketrans("0123456789abcdef", "fedcba9876543210")


@pytest.fixture
def all_large(monkeypatch):
    """Take every memory for a large one."""
    monkeypatch.setattr(memories, "LARGE", 1)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the directory of a design with its memories in files, which stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories, "LARGE", 1)
        where = tmp_path_factory.mktemp("written")
        emit(small(), where, samples=spikes_for(small()), memories="files", name="net", generated=0)
    return where


@pytest.fixture
def emitted(written, tmp_path):
    """Return a copy of it."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key, written",
    [
        ("odd", True),
        ("decimal", False),
        *(pytest.param(key, True, marks=pytest.mark.slow) for key in ROWS if key != "odd"),
    ],
)
def test_text_is_that_of_the_tools(monkeypatch, key, written):
    texts = []
    for large in (2**40, 1):
        monkeypatch.setattr(memories, "LARGE", large)
        component = Rows(*ROWS[key], written=written)
        texts.append(to_verilog(component, "top").text)
    assert texts[0] == texts[1]
    assert "initial begin" in texts[0]


@pytest.mark.parametrize("key", ROWS)
def test_vhdl_is_the_same_too(monkeypatch, key):
    texts = []
    for large in (2**40, 1):
        monkeypatch.setattr(memories, "LARGE", large)
        texts.append(to_vhdl(Rows(*ROWS[key]), name="top"))
    assert texts[0] == texts[1]


def test_tools_see_marks_alone(all_large):
    memory = Rows(13, 4000, range(4000))
    fragment = Fragment.get(memory, None)
    before = list(memory.memory.data.init)
    with marked(fragment) as result:
        assert result == [Contents(13, tuple(range(4000)))]
    with pytest.raises(RuntimeError, match="stop"), marked(fragment):
        raise RuntimeError("stop")
    assert list(memory.memory.data.init) == before
    with marked(fragment) as again:
        assert again == result


@pytest.mark.parametrize(
    "key",
    [
        "signed",
        "short",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ROWS if k not in {"signed", "short"}),
    ],
)
def test_files_hold_the_rows(all_large, key):
    shape, depth, init = ROWS[key]
    source = to_verilog(Rows(*ROWS[key]), "top", memories="files")
    whole = to_verilog(Rows(*ROWS[key]), "top")
    assert whole.files == {}
    if key in {"short", "mark"}:  # no longer than their marks
        assert source == whole
        return
    assert list(source.files) == loads(source.text) == ["top_kept.mem"]
    width = Shape.cast(shape).width
    (text,) = source.files.values()
    rows = [int(line, 16) for line in text.splitlines()]
    contents = [int(row) % 2**width for row in init]
    assert rows == contents + [0] * (depth - len(contents))
    assert "initial begin" not in source.text
    assert inlined(source.text, source.files) == whole.text


def test_rows_are_read_as_written():
    contents = Contents(13, (0, 1, 2**13 - 1))
    assert contents.file() == "0000\n0001\n1fff\n"
    assert Contents.read(contents.file(), 13, 3) == contents
    with pytest.raises(ValueError, match="must have 13 bits a line, not '2000'"):
        Contents.read("0000\n0001\n2000\n", 13, 3)
    with pytest.raises(ValueError, match="must have 4 lines, not 3"):
        Contents.read(contents.file(), 13, 4)


def test_many_memories_keep_apart(all_large):
    class Both(wiring.Component):
        a: Out(13)
        b: Out(13)

        def elaborate(self, platform):
            m = Module()
            m.submodules.one = memory = Rows(13, 40, range(40))
            m.submodules.two = two = Rows(13, 40, range(40, 80))
            m.d.comb += [self.a.eq(memory.data), self.b.eq(two.data)]
            return m

    source = to_verilog(Both(), "top", memories="files")
    first = {name: int(text.split()[0], 16) for name, text in source.files.items()}
    assert len(first) == 2
    assert {name: "one" in name for name in first} == {n: v == 0 for n, v in first.items()}
    assert set(first.values()) == {0, 40}


def test_choices_are_refused(tmp_path):
    message = "Memories must be one of 'inline', 'files', not 'beside'"
    component = Rows(8, 9, [])
    with pytest.raises(ValueError, match=message):
        to_verilog(component, "top", memories="beside")
    Fragment.get(component, None)  # which was made, and is not to be left unused
    with pytest.raises(ValueError, match="Memories must be one of 'auto', 'inline', 'files'"):
        emit(small(), tmp_path, memories="beside", generated=0)
    with pytest.raises(ValueError, match="Memories must be 'inline' in VHDL-2008, not 'files'"):
        emit(small(), tmp_path, language="vhdl", memories="files", generated=0)
    assert not list(tmp_path.iterdir())


# -- emitted -------------------------------------------------------------------------------------


def test_an_emission_lists_its_files(emitted):
    names = sorted(path.name for path in emitted.glob("*.mem"))
    assert len(names) >= 2
    text = (emitted / "net.v").read_text()
    assert sorted(loads(text)) == names
    manifest = json.loads((emitted / "manifest.json").read_text())
    assert set(names) < set(manifest["files"])
    core = json.loads((emitted / "net.core").read_text().partition("\n")[2])
    files = core["filesets"]["design"]["files"]
    assert files[0] == "net.v"
    assert {name: value for contents in files[1:] for name, value in contents.items()} == {
        name: {"file_type": "user", "copyto": name} for name in names
    }
    vivado = (emitted / "vivado.tcl").read_text()
    assert all(f"read_mem [file join $here {name}]\nread" in vivado for name in names)
    assert "*.mem" in (emitted / "README.txt").read_text()


def test_what_is_read_back_holds_all(emitted):
    read = read_emission(emitted)
    # Yosys may order assignments otherwise where contents are not in the text.
    text = to_verilog(Accelerator(small()), "net").text
    assert sorted(read.design.splitlines()) == sorted(text.splitlines())
    assert "readmem" not in read.design


@pytest.mark.parametrize("options", [("+stalls=1", "+back_to_back")])
def test_the_bench_passes_with_files_and_fails_with_others(emitted, options):
    status, text = simulate("verilog", emitted, *options)
    assert (status, "PASS 6 samples" in text) == (0, True), text
    path = max(emitted.glob("*synapses*.mem"))
    path.write_text(
        path.read_text().translate(str.maketrans("0123456789abcdef", "fedcba9876543210"))
    )
    assert fails(lambda *given: simulate("verilog", *given), emitted, *options)


@pytest.mark.parametrize("tool", ["verilator", "cxxrtl"])
@pytest.mark.slow
def test_a_directory_runs_with_its_files(emitted, tool, monkeypatch, tmp_path_factory):
    from spiker_hdl.simulate.shared_library import VerilogDesign, build_verilog

    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path_factory.mktemp("cache")))
    spikes = spikes_for(small())
    if tool == "verilator" and not shutil.which("verilator"):
        pytest.skip("verilator must be installed")
    read = read_emission(emitted)
    verilog = VerilogDesign(read.text, read.streams_top, read.design_ports)
    assert build_verilog(verilog, tool=tool).library.is_file()
    result = spiker_hdl.run(emitted, spikes)
    assert not spiker_hdl.run(small(), spikes).differences(result)


@pytest.mark.slow
def test_a_netlist_holds_what_is_in_the_files(emitted):
    gates = netlist.netlist(emitted, "ice40")
    assert netlist.check(gates) == 6


def swap(directory, name, text):
    """Alter a file, and the manifest so that it fits."""
    (directory / name).write_bytes(text)
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = hashlib.sha256(text).hexdigest()
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: text[:-3], "bits a line"),
        (lambda text: text + text.splitlines()[0] + b"\n", "must have .* lines, not"),
        (lambda text: b"", "must have .* lines, not 0"),
        (lambda text: text.replace(b"\n", b"g\n", 1), "bits a line"),
        (lambda text: b"-" + text[1:], "bits a line"),
        (lambda text: b"\xff" + text[1:], "must be text"),
    ],
)
def test_files_that_are_not_what_was_emitted_are_refused(emitted, change, message):
    name = max(emitted.glob("*synapses*.mem")).name
    text = (emitted / name).read_bytes()
    (emitted / name).write_text(text.decode().translate(FLIPPED))
    with pytest.raises(FileError, match=f"{name}: must have the SHA-256"):
        read_emission(emitted)
    swap(emitted, name, change(text))
    with pytest.raises(FileError, match=message) as caught:
        read_emission(emitted)
    assert name in str(caught.value)


@pytest.mark.parametrize("load", ["../net.mem", "/etc/hostname", "other.mem", "net.v"])
def test_a_design_reads_no_other_files(emitted, load):
    text = (emitted / "net.v").read_text()
    swap(emitted, "net.v", text.replace(loads(text)[0], load, 1).encode())
    with pytest.raises(FileError, match=r"must be among|system tasks|must have .* lines"):
        read_emission(emitted)


def test_a_missing_file_is_named(emitted):
    path = next(iter(emitted.glob("*.mem")))
    path.unlink()
    with pytest.raises(FileError, match=f"{path.name}: must be a file"):
        read_emission(emitted)


@pytest.mark.slow
def test_large_networks_have_files_by_themselves(tmp_path, monkeypatch, all_large):
    for bits, expected in ((small().weight_bits, False), (small().weight_bits - 1, True)):
        monkeypatch.setattr(emission, "INLINE", bits)
        where = tmp_path / str(bits)
        emit(small(), where, generated=0)
        assert bool(list(where.glob("*.mem"))) == expected
        command = json.loads((where / "manifest.json").read_text())["command"]
        assert f"memories={'files' if expected else 'inline'!r}" in command
    emit(small(), tmp_path / "inline", memories="inline", generated=0)
    assert not list((tmp_path / "inline").glob("*.mem"))
    emit(small(), tmp_path / "vhdl", language="vhdl", generated=0)
    assert not list((tmp_path / "vhdl").glob("*.mem"))


@pytest.mark.slow
def test_what_is_large_takes_little_time(tmp_path):
    draws = np.random.default_rng(0)
    network = small()
    grown = [
        type(projection)(projection.source, projection.target, draws.integers(-7, 8, shape), bits=4)
        for projection, shape in zip(network.projections, [(512, 1024), (4, 512)], strict=True)
    ]
    inputs = [type(network.inputs[0])("picture", 1024)]
    hidden, out = network.populations
    network = type(network)(
        inputs, [type(hidden)("hidden", 512, hidden.neuron), out], grown, network.readouts
    )
    begin = process_time()
    emit(network, tmp_path, mapping=Mapping.folded(network, 16), memories="files", generated=0)
    assert process_time() - begin < 30  # 2 Mbit; nearly a minute if the tools see them
    (path,) = tmp_path.glob("*hidden*synapses*.mem")
    rows = path.read_text().split()
    matrix = network.projections[0].synapses.weights
    assert rows[0] == "".join(f"{w & 15:x}" for w in matrix[15::-1, 0])
    assert len(rows) == 1024 * 32
    (design,) = (file for file in tmp_path.glob("*.v"))
    assert re.search(r"reg \[63:0\] \w+ \[32767:0\];", design.read_text())
    assert design.stat().st_size < 2**20
