"""Tests of samples that are made up: deterministic, as inputs take them, and that show flips."""

import json
import re
from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.export.samples.generated import generate
from spiker_hdl.model import load, stimulus

from support.emitted import TOOLS, simulate, small, spikes_for
from support.networks import random_network
from support.places import ROOT

NETWORKS = ROOT / "networks"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_made_up_is_what_inputs_take(seed):
    network = random_network(Random(seed), neurons=(1, 8), static=0.3)
    samples, coverage = generate(network, None, 7)
    again, _ = generate(network, None, 7)
    assert 1 <= len(stimulus(network, samples)) <= 7
    for name, each in samples.items():
        assert np.array_equal(np.stack(each), np.stack(again[name]))
    assert 0 <= coverage.caught <= coverage.change <= coverage.flips


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        pytest.param("mnist", marks=pytest.mark.slow),
        pytest.param("mnist_held", marks=pytest.mark.slow),
        pytest.param("fsdd_recurrent", marks=pytest.mark.slow),
    ],
)
def test_most_flips_that_change_an_answer_are_caught(name):
    _, coverage = generate(load(NETWORKS / f"{name}.spiker"), None)
    assert coverage.flips >= 100
    assert coverage.change >= 0.5 * coverage.flips
    assert coverage.caught >= 0.95 * coverage.change


def test_few_flips_are_caught_by_few_samples():
    network = load(NETWORKS / "digits.spiker")
    few, many = (generate(network, None, most)[1] for most in (1, 30))
    assert few.caught < 0.8 * few.change
    assert few.caught < many.caught


def test_the_manifest_says_what_share_is_caught(tmp_path):
    network = small()
    emit(network, tmp_path / "given", samples=spikes_for(network), generated=0)
    bench = json.loads((tmp_path / "given" / "manifest.json").read_text())["bench"]
    assert (bench["given"], bench["made up"], bench["flipped bits"]) == (6, 0, None)
    for given, made in ((None, 5), (spikes_for(network), 5)):
        where = tmp_path / f"{given is None} {made}"
        emit(network, where, samples=given, generated=made)
        bench = json.loads((where / "manifest.json").read_text())["bench"]
        _, coverage = generate(network, None if given is None else stimulus(network, given), made)
        assert (bench["given"], bench["made up"]) == (0 if given is None else 6, made)
        told = bench["flipped bits"]
        assert [told["drawn"], told["change an answer"], told["caught"]] == [
            coverage.flips,
            coverage.change,
            coverage.caught,
        ]
        assert told["share caught"] == pytest.approx(coverage.caught / coverage.change, abs=1e-4)


def test_nothing_made_up_and_nothing_given_is_no_bench(tmp_path):
    network = small()
    emit(network, tmp_path, generated=0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["samples"], manifest["bench"]) == (0, None)
    assert not (tmp_path / "vectors").exists()
    with pytest.raises(ValueError, match="Generated samples must be at least 0, not -1"):
        emit(network, tmp_path / "none", generated=-1)
    with pytest.raises(ValueError, match="Generated samples must be at most 1024, not 1000000000"):
        emit(network, tmp_path / "none", generated=10**9)


@pytest.mark.slow
@pytest.mark.parametrize("ports", ["streams", "axis"])
@pytest.mark.parametrize("language", TOOLS)
def test_benches_of_all_kinds_pass(language, ports, tmp_path):
    network = small()
    emit(network, tmp_path, language=language, ports=ports, samples=spikes_for(network))
    made = json.loads((tmp_path / "manifest.json").read_text())["bench"]["made up"]
    status, text = simulate(language, tmp_path)
    assert (status, text.splitlines()[-1]) == (0, f"PASS 6 samples and {made} that are made up")


@pytest.mark.slow
def test_flips_in_the_design_fail_the_bench(tmp_path):
    """Bits are turned over in the Verilog itself, where memories have their contents."""
    network = small()
    emit(network, tmp_path)
    design = tmp_path / "small_net.v"
    text = design.read_text()
    rows = list(re.finditer(r"memory\[\d+\] = (\d+)'h([0-9a-f]+);", text))
    draws, caught, tried = Random(4), 0, 24
    for _ in range(tried):
        row = draws.choice(rows)
        bit = draws.randrange(int(row[1]))
        digits = f"{int(row[2], 16) ^ 1 << bit:0{len(row[2])}x}"
        design.write_text(text[: row.start(2)] + digits + text[row.end(2) :])
        caught += simulate("verilog", tmp_path)[0] != 0
    assert caught >= 0.95 * tried
    design.write_text(text)
    assert simulate("verilog", tmp_path)[0] == 0


def test_the_reference_answers_what_is_expected(tmp_path):
    network = small()
    samples, _ = generate(network, None, 9)
    emit(network, tmp_path, samples=samples, generated=0)
    emit(network, tmp_path / "made", generated=9)
    for name in ("expected.hex", "i.hex"):
        one, other = (place / "vectors" / name for place in (tmp_path, tmp_path / "made"))
        assert one.read_text() == other.read_text()
    assert len(spiker_hdl.run(network, samples).classes) == len(samples["picture"])
