"""Tests of generated samples: deterministic, valid for the inputs, and able to detect faults."""

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
def test_inputs_take_generated_samples(seed):
    network = random_network(Random(seed), neurons=(1, 8), static=0.3)
    samples, coverage = generate(network, None, 7)
    again, _ = generate(network, None, 7)
    assert 1 <= len(stimulus(network, samples)) <= 7
    for name, sample in samples.items():
        assert np.array_equal(np.stack(sample), np.stack(again[name]))
    assert 0 <= coverage.detected <= coverage.observable <= coverage.injected


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        pytest.param("mnist", marks=pytest.mark.slow),
        pytest.param("mnist_static", marks=pytest.mark.slow),
        pytest.param("fsdd_recurrent", marks=pytest.mark.slow),
    ],
)
def test_most_observable_flips_are_detected(name):
    _, coverage = generate(load(NETWORKS / f"{name}.spiker"), None)
    assert coverage.injected >= 100
    assert coverage.observable >= 0.5 * coverage.injected
    assert coverage.detected >= 0.95 * coverage.observable


def test_few_samples_detect_few_flips():
    network = load(NETWORKS / "digits.spiker")
    few, many = (generate(network, None, maximum)[1] for maximum in (1, 30))
    assert few.detected < 0.8 * few.observable
    assert few.detected < many.detected


def test_manifest_states_the_fault_coverage(tmp_path):
    network = small()
    emit(network, tmp_path / "given", samples=spikes_for(network), generated=0)
    bench = json.loads((tmp_path / "given" / "manifest.json").read_text())["test_bench"]
    assert (bench["user_samples"], bench["generated_samples"], bench["fault_injection"]) == (
        6,
        0,
        None,
    )
    for samples, count in ((None, 5), (spikes_for(network), 5)):
        where = tmp_path / f"{samples is None} {count}"
        emit(network, where, samples=samples, generated=count)
        bench = json.loads((where / "manifest.json").read_text())["test_bench"]
        _, coverage = generate(
            network, None if samples is None else stimulus(network, samples), count
        )
        assert (bench["user_samples"], bench["generated_samples"]) == (
            0 if samples is None else 6,
            count,
        )
        faults = bench["fault_injection"]
        assert [faults["injected"], faults["observable"], faults["detected"]] == [
            coverage.injected,
            coverage.observable,
            coverage.detected,
        ]
        assert faults["coverage"] == pytest.approx(
            coverage.detected / coverage.observable, abs=1e-4
        )


def test_no_samples_give_no_test_bench(tmp_path):
    network = small()
    emit(network, tmp_path, generated=0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["samples"], manifest["test_bench"]) == (0, None)
    assert not (tmp_path / "vectors").exists()
    with pytest.raises(ValueError, match="Generated samples must be at least 0, not -1"):
        emit(network, tmp_path / "none", generated=-1)
    with pytest.raises(ValueError, match="Generated samples must be at most 1024, not 1000000000"):
        emit(network, tmp_path / "none", generated=10**9)


@pytest.mark.slow
@pytest.mark.parametrize("ports", ["streams", "axis"])
@pytest.mark.parametrize("language", TOOLS)
def test_test_benches_of_all_kinds_pass(language, ports, tmp_path):
    network = small()
    emit(network, tmp_path, language=language, ports=ports, samples=spikes_for(network))
    generated_samples = json.loads((tmp_path / "manifest.json").read_text())["test_bench"][
        "generated_samples"
    ]
    status, text = simulate(language, tmp_path)
    assert (status, text.splitlines()[-1]) == (
        0,
        f"PASS 6 samples and {generated_samples} generated samples",
    )


@pytest.mark.slow
def test_flips_in_the_design_fail_the_test_bench(tmp_path):
    """Bits are flipped in the Verilog itself, where memories have their contents."""
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


def test_expected_results_are_those_of_the_reference(tmp_path):
    network = small()
    samples, _ = generate(network, None, 9)
    emit(network, tmp_path, samples=samples, generated=0)
    emit(network, tmp_path / "made", generated=9)
    for name in ("expected.hex", "i.hex"):
        first, other = (place / "vectors" / name for place in (tmp_path, tmp_path / "made"))
        assert first.read_text() == other.read_text()
    assert len(spiker_hdl.run(network, samples).classes) == len(samples["picture"])
