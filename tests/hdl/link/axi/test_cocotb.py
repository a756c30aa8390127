"""Tests of emitted AXI by a model of AXI that is not ours: cocotbext-axi, on Icarus Verilog."""

import json
import shutil
import sys
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from amaranth import Fragment

import spiker_hdl
from spiker_hdl.export import emit, read_emission
from spiker_hdl.link.axi.accelerator import AxiAccelerator
from spiker_hdl.link.protocol.registers import constant_values, register
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator

from support.axi_driver import beats
from support.framed import broken_packet, fit, sample_of
from support.networks import random_mapping, random_network, random_spikes
from support.places import ROOT
from support.small import make_network

SUPPORT = ROOT / "tests" / "support"


def packets(directory, stream, interface):
    """Return the samples in the vectors of a stream, each as bytes of a packet."""
    width = stream.width - 1
    results, packet = [], b""
    path = directory / "vectors" / f"{stream.port}.hex"
    for line in path.read_text().split():
        beat = int(line, 16)
        packet += (beat & (1 << width) - 1).to_bytes(interface // 8, "little")
        if beat >> stream.width:
            results.append(packet.hex())
            packet = b""
    assert not packet
    return results


def cut(payload, field):
    results = []
    for n in range(max(1, field.count)):
        value = payload >> field.offset + n * field.width & (1 << field.width) - 1
        if field.signed and value >> field.width - 1:
            value -= 1 << field.width
        results.append(value)
    return results if field.count else results[0]


def prefix_of(stream):
    return stream.names["tdata"].removesuffix("_tdata")


def compare(emission, frame, expected, n, fault):
    """Compare a result with what the reference answers to a sample."""
    fields = {field.name: field for field in emission.result.fields}
    payload = int.from_bytes(bytes.fromhex(frame), "little")
    assert len(frame) * 4 == emission.result.tdata
    for name, stem in emission.readouts.items():
        answer = expected.answers[name]
        assert cut(payload, fields[f"{stem}.winner"]) == answer.classes[n]
        assert cut(payload, fields[f"{stem}.scores"]) == answer.scores[n].tolist()
        assert cut(payload, fields[f"{stem}.steps"]) == expected.steps[n]
    for name, field in emission.counts.items():
        assert cut(payload, fields[field]) == expected.counts[name][n]
    assert cut(payload, fields["fault"]) == fault


def cocotb(emission, where, monkeypatch, seed, sent, **task):
    """Run emitted Verilog under cocotb; return what it has found."""
    if not shutil.which("iverilog"):
        pytest.skip("iverilog must be installed")
    pytest.importorskip("cocotbext.axi", reason="cocotbext-axi must be installed")
    from cocotb_tools.runner import get_runner

    task |= {"samples": sent, "results": len(next(iter(sent.values()))), "seed": seed}
    task |= {"bytes": 0x60, "answers": str(where / "answers.json")}
    (where / "task.json").write_text(json.dumps(task))
    monkeypatch.setenv("AXI_TASK", str(where / "task.json"))
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    monkeypatch.setattr(sys, "path", [str(SUPPORT), *sys.path])
    runner = get_runner("icarus")
    runner.build(
        sources=[where / f"{emission.top}.v"],
        hdl_toplevel=emission.top,
        build_dir=where / "build",
        build_args=["-g2005"],
        timescale=("1ns", "1ps"),
    )
    runner.test(
        hdl_toplevel=emission.top,
        test_module="axi_bench",
        build_dir=where / "build",
        test_dir=where / "build",
        timescale=("1ns", "1ps"),
    )
    return json.loads((where / "answers.json").read_text())


def check(network, stimulus, mapping, where, monkeypatch, seed):
    """Emit, run under cocotb, and compare with the reference."""
    emit(network, where, mapping=mapping, samples=stimulus, ports="axis", generated=0)
    emission = read_emission(where)
    sent = {prefix_of(node): packets(where, node, node.tdata) for node in emission.inputs}
    result = cocotb(emission, where, monkeypatch, seed, sent)
    expected = spiker_hdl.run(network, stimulus)
    assert len(result["frames"]) == emission.samples
    for n, frame in enumerate(result["frames"]):
        compare(emission, frame, expected, n, 0)
    constants = constant_values(network, emission.mapping, spiker_hdl.__version__)
    assert {
        4 * n: word for n, word in enumerate(result["words"]) if 4 * n in constants
    } == constants
    assert max(constants) == register("mapping").address + 28 == 0x5C
    assert (result["error"], result["faults"], result["interrupt"]) == (0, 0, 0)
    assert (result["samples"], result["results"]) == (emission.samples, emission.samples)
    assert (result["status"], result["nothing"], result["written"], result["after"]) == (1, 2, 0, 0)


def test_answers_under_back_pressure(tmp_path, monkeypatch):
    network = make_network()
    spikes = np.random.Generator(np.random.PCG64(9)).integers(0, 2, (4, 3, 64))
    check(network, spikes, Mapping.default(network), tmp_path, monkeypatch, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_networks_under_back_pressure(seed, tmp_path, monkeypatch):
    random = Random(seed)
    network = random_network(random, neurons=(1, 12))
    stimulus = random_spikes(network, random, 3, (1, 6))
    check(network, stimulus, random_mapping(network, random), tmp_path, monkeypatch, seed)


def broken_traffic(seed):
    """Draw a network, its mapping, and packets of which many are no samples."""
    random = Random(seed)
    network = make_network()
    network = replace(network, max_steps=4)
    mapping = Mapping.default(network, form=["words", "events"][seed % 2])
    if seed > 1:
        network = replace(random_network(random, neurons=(1, 8), static=0.3), max_steps=5)
        mapping = random_mapping(network, random)
    dut = AxiAccelerator(Accelerator(network, mapping), version="0.1.0")
    Fragment.get(dut, None)  # as is wanted of every component
    sent = {node.name: [] for node in network.inputs}
    for n in range(12):
        stimulus = random_spikes(network, random, 1, random.randint(1, network.max_steps))
        for node in network.inputs:
            whole = beats(dut, node, np.asarray(stimulus[node.name][0]))
            breaks = n % 3 and random.random() < 0.7
            sent[node.name].append(broken_packet(dut, node, whole, random) if breaks else whole)
    return network, mapping, dut, sent


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
def test_packets_that_are_no_samples(seed, tmp_path, monkeypatch):
    """Short, long, empty and wrong packets, with resets: the sample behind each is right."""
    network, mapping, dut, sent = broken_traffic(seed)
    emit(network, tmp_path, mapping=mapping, ports="axis", generated=0)
    emission = read_emission(tmp_path)
    prefixes = {node.node: (prefix_of(node), node.tdata // 8) for node in emission.inputs}

    def text(name, packet):
        return b"".join(tdata.to_bytes(prefixes[name][1], "little") for tdata, _ in packet).hex()

    changes = {prefixes[name][0]: [text(name, packet) for packet in sent[name]] for name in sent}
    anew = [{prefix: each[n] for prefix, each in changes.items()} for n in range(1, 11)]
    result = cocotb(emission, tmp_path, monkeypatch, seed, changes, anew=anew)
    received, faults = {name: [] for name in sent}, []
    steps = next(field for field in emission.result.fields if field.name.endswith(".steps"))
    for n, frame in enumerate(result["frames"]):
        length = cut(int.from_bytes(bytes.fromhex(frame), "little"), steps)
        each = {name: sample_of(dut, name, sent[name][n]) for name in sent}
        lengths = {len(samples) for samples, _ in each.values()}
        assert length in lengths
        faults.append(int(len(lengths) > 1 or any(causes for _, causes in each.values())))
        for node in network.inputs:
            received[node.name].append(fit(node, each[node.name][0], length))
    expected = spiker_hdl.run(network, received)
    for n, frame in enumerate(result["frames"]):
        compare(emission, frame, expected, n, faults[n])
    assert 0 < sum(faults) == result["faults"] < len(faults)
    assert result["error"]
    assert result["interrupt"] == 1
    assert [result["samples"], result["results"]] == [12, 12]
    assert len(result["anew"]) == 10
    for pair in result["anew"]:
        for frame in pair:
            compare(emission, frame, expected, 0, 0)
