"""Tests of what other flows build an emission with: they parse it, lint it, run it."""

import json
import re
import shutil
import subprocess
import sys
from random import Random

import numpy as np
import pytest

from spiker_hdl.export import emit
from spiker_hdl.hdl.rtlil.dead_code import without_unread
from spiker_hdl.hdl.rtlil.rename import plain_names
from spiker_hdl.hdl.rtlil.statements import split, written
from spiker_hdl.model import load

from support.networks import ODD_NAMES, random_mapping, random_network
from support.places import ROOT
from support.small import make_network


def tool(name):
    result = shutil.which(name)
    if not result:
        pytest.skip(f"{name} must be installed")
    return result


def spikes():
    return np.random.Generator(np.random.PCG64(5)).integers(0, 2, (3, 3, 64))


@pytest.fixture(scope="module", params=["verilog", "vhdl"])
def emitted(request, tmp_path_factory):
    where = tmp_path_factory.mktemp("emitted")
    emit(make_network(), where, language=request.param, samples=spikes(), period=8, generated=0)
    return where, request.param


# -- lint ----------------------------------------------------------------------------------------


def lint(directory):
    """Return what `make lint` says, and fail unless it succeeds."""
    done = subprocess.run(
        ["make", "-s", "lint"], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "name, ports",
    [
        ("digits", "axis"),
        pytest.param("digits", "streams", marks=pytest.mark.slow),
        pytest.param("mnist", "axis", marks=pytest.mark.slow),
        pytest.param("mnist", "streams", marks=pytest.mark.slow),
    ],
)
def test_lint_of_shipped_networks_is_clean(name, ports, tmp_path):
    tool("verilator")
    emit(load(ROOT / "networks" / f"{name}.spiker"), tmp_path, ports=ports, generated=0)
    assert lint(tmp_path) == ""


def check_lint(seed, where):
    random = Random(seed)
    network = random_network(random, names=ODD_NAMES if seed % 2 else None)
    mapping = random_mapping(network, random)
    emit(network, where, mapping=mapping, ports=random.choice(["streams", "axis"]), generated=0)
    assert lint(where) == "", seed


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1))
def test_lint_of_random_networks_is_clean(seed, tmp_path):
    tool("verilator")
    check_lint(seed, tmp_path)


@pytest.mark.slow
def test_lint_of_many_random_networks_is_clean(tmp_path):
    tool("verilator")
    for seed in range(20, 32):
        check_lint(seed, tmp_path / str(seed))


@pytest.mark.parametrize(
    "line, expected",
    [
        ("  wire lost;\n  assign lost = nowhere;", "nowhere"),
        ("  wire open;\n  reg seen;\n  always @(posedge clk) seen <= open;", "UNDRIVEN"),
        ("  reg kept;\n  always @* if (rst) kept = clk;", "LATCH"),
        ("  reg both;\n  always @(posedge clk) both = 1;", "BLKSEQ"),
    ],
)
def test_lint_detects_mistakes(emitted, line, expected, tmp_path):
    tool("verilator")
    where, language = emitted
    if language == "vhdl":
        return
    shutil.copytree(where, tmp_path / "copy")
    path = tmp_path / "copy" / "little.v"
    text = path.read_text()
    path.write_text(text.replace("endmodule", f"{line}\nendmodule", 1))
    done = subprocess.run(
        ["make", "-s", "lint"], cwd=path.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert expected in done.stderr


def test_every_waiver_has_a_reason(emitted):
    where, language = emitted
    if language == "vhdl":
        assert not (where / "little.vlt").exists()
        return
    lines = (where / "little.vlt").read_text().splitlines()
    waivers = [n for n, line in enumerate(lines) if line.startswith("lint_off")]
    assert waivers
    assert all(lines[n - 1].startswith("// ") for n in waivers)


# -- what nothing reads --------------------------------------------------------------------------


def test_unread_signals_are_removed():
    text = r"""
module \top
  wire width 1 input 0 \clk
  wire width 4 input 1 \a
  wire width 4 output 2 \o
  wire width 4 \unread
  wire width 4 \chain
  wire width 4 \wide
  wire width 1 \level
  wire width 1 \spare
  attribute \init 4'0000
  wire width 4 \own
  wire width 4 \next
  memory width 4 size 4 \kept
  cell \top.x \x
    connect \i \a
    connect \o \wide
    connect \level \level
    connect \unused \spare
  end
  cell $not $1
    connect \A \unread
    connect \Y \chain
  end
  attribute \note 1
  cell $dff $2
    connect \CLK \clk
    connect \D \next
    connect \Q \own
  end
  cell $memwr_v2 $3
    parameter \MEMID "\\kept"
    connect \DATA \a
    connect \CLK \clk
  end
  process $4
    assign \next \own
    switch \chain [0]
      case 1'1
        assign \next [1:0] \a [1:0]
    end
  end
  connect \unread \a
  connect \o \wide
  connect \spare \a [0]
end
module \top.x
  wire width 4 input 0 \i
  wire width 4 output 1 \o
  wire width 1 output 2 \level
  wire width 1 input 3 \unused
  connect \o { \i [3:1] \level }
  connect \level \i [0]
end
"""
    assert (
        written(without_unread(plain_names(split(text), "top")[0]))
        == r"""module \top
wire width 1 input 0 \clk
wire width 4 input 1 \a
wire width 4 output 2 \o
wire width 4 \wide
memory width 4 size 4 \kept
cell \top_x \x
connect \i \a
connect \o \wide
end
cell $memwr_v2 $3
parameter \MEMID "\\kept"
connect \DATA \a
connect \CLK \clk
end
connect \o \wide
end
module \top_x
wire width 4 input 0 \i
wire width 4 output 1 \o
wire width 1 \level
connect \o { \i [3:1] \level }
connect \level \i [0]
end
"""
    )


def test_signals_that_are_read_are_kept():
    text = r"""module \top
wire width 1 input 0 \clk
wire width 4 input 1 \a
wire width 4 output 2 \o
wire width 4 \q
wire width 4 \d
wire width 1 \s
cell $dff $1
connect \CLK \clk
connect \D \d
connect \Q \q
end
process $2
assign \d \q
switch \s
case 1'1
assign \d [1:0] \a [1:0]
end
end
connect { \o [3:1] \s } { \q [3:1] \a [0] }
connect \o [0] \q [0]
end
"""
    assert written(without_unread(split(text))) == text


# -- constraints and scripts ---------------------------------------------------------------------


def test_constraints_state_the_clock(emitted, tmp_path):
    where, _ = emitted
    for suffix in ("sdc", "xdc"):
        text = (where / f"little.{suffix}").read_text()
        assert "create_clock -name clk -period 8.000 [get_ports {clk}]" in text
        assert "at 125 MHz" in text
    assert json.loads((where / "manifest.json").read_text())["clock"]["period_ns"] == 8
    emit(make_network(), tmp_path, ports="axis", generated=0)
    text = (tmp_path / "little.xdc").read_text()
    assert "create_clock -name aclk -period 10.000 [get_ports {aclk}]" in text


@pytest.mark.parametrize(
    "period, error, message",
    [
        (0, ValueError, "Clock period must be 0.1 to 1000000 nanoseconds, not 0"),
        (-1.0, ValueError, "Clock period must be 0.1 to 1000000 nanoseconds, not -1.0"),
        (float("nan"), ValueError, "Clock period must be 0.1 to 1000000 nanoseconds, not nan"),
        (float("inf"), ValueError, "Clock period must be 0.1 to 1000000 nanoseconds, not inf"),
        (True, TypeError, "Clock period must be a number, not True"),
        ("10", TypeError, "Clock period must be a number, not '10'"),
    ],
)
def test_bad_period_is_refused(tmp_path, period, error, message):
    with pytest.raises(error, match=re.escape(message)):
        emit(make_network(), tmp_path / "made", period=period, generated=0)
    assert not (tmp_path / "made").exists()


def test_bad_ports_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Ports must be one of 'streams', 'axis', not 'wishbone'"):
        emit(make_network(), tmp_path / "made", ports="wishbone", generated=0)
    assert not (tmp_path / "made").exists()


# Commands of a vendor's tool that note how they were called.
HARNESS = """
proc unknown {args} { puts $args }
package provide ::quartus::project 1
package provide ::quartus::flow 1
set argc 0
set argv {}
array set quartus {args {}}
source SCRIPT
"""


@pytest.mark.parametrize("script", ["vivado.tcl", "quartus.tcl"])
def test_vendor_scripts_run(emitted, script, tmp_path):
    """No vendor's tool is here: the script is run by Tcl, and what it asks for is looked at."""
    where, language = emitted
    shutil.copytree(where, tmp_path / "copy")
    done = subprocess.run(
        [tool("tclsh")],
        input=HARNESS.replace("SCRIPT", script),
        cwd=tmp_path / "copy",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    calls = [line.replace("{", "").replace("}", "").split() for line in done.stdout.splitlines()]
    named = {call[0]: call for call in calls}
    suffix = {"verilog": "v", "vhdl": "vhd"}[language]
    if script == "vivado.tcl":
        read = {"verilog": ["read_verilog"], "vhdl": ["read_vhdl", "-vhdl2008"]}[language]
        path = tmp_path / "copy" / f"little.{suffix}"
        assert named[read[0]] == [*read, str(path)]
        assert path.is_file()
        assert named["read_xdc"][-1] == str(tmp_path / "copy" / "little.xdc")
        assert named["synth_design"][1:3] == ["-top", "little"]
        order = [
            command
            for command in ("synth_design", "place_design", "route_design")
            if command in named
        ]
        assert [call[0] for call in calls if call[0] in order] == order
    else:
        settings = {call[2]: call[3:] for call in calls if call[0] == "set_global_assignment"}
        kind = {"verilog": "VERILOG_FILE", "vhdl": "VHDL_FILE"}[language]
        assert settings["TOP_LEVEL_ENTITY"] == ["little"]
        assert settings["FAMILY"] == ["Cyclone", "V"]
        assert (tmp_path / "copy" / settings[kind][0]).is_file()
        assert (tmp_path / "copy" / settings["SDC_FILE"][0]).is_file()
        assert calls[-2] == ["execute_flow", "-compile"]


# -- FuseSoC -------------------------------------------------------------------------------------


def fusesoc(directory, *arguments):
    pytest.importorskip("fusesoc", reason="fusesoc must be installed")
    return subprocess.run(
        [sys.executable, "-m", "fusesoc.main", "--cores-root", str(directory), *arguments],
        cwd=directory.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("ports", [pytest.param("streams", marks=pytest.mark.slow), "axis"])
def test_fusesoc_simulates(ports, tmp_path):
    tool("iverilog")
    where = tmp_path / "cores"
    emit(make_network(), where, samples=spikes(), ports=ports, generated=0)
    done = fusesoc(where, "run", "--target=sim", "little")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS 3 samples" in done.stdout + done.stderr


@pytest.mark.slow
def test_fusesoc_lints(tmp_path):
    tool("verilator")
    where = tmp_path / "cores"
    emit(make_network(), where, generated=0)
    done = fusesoc(where, "run", "--target=lint", "little")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "%Warning" not in done.stdout + done.stderr


@pytest.mark.parametrize("target", ["vivado", "quartus"])
def test_fusesoc_sets_up_vendor_flows(emitted, target, tmp_path):
    where, language = emitted
    shutil.copytree(where, tmp_path / "cores")
    done = fusesoc(tmp_path / "cores", "run", "--setup", f"--target={target}", "little")
    assert done.returncode == 0, done.stdout + done.stderr
    files = list((tmp_path / "build").rglob("*.tcl"))
    suffix = {"verilog": "v", "vhdl": "vhd"}[language]
    assert any(f"little.{suffix}" in path.read_text() for path in files)
