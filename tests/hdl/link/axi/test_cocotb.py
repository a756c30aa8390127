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
from spiker_hdl.link.protocol.registers import identity, register
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
    held, packet = [], b""
    path = directory / "vectors" / f"{stream.port}.hex"
    for line in path.read_text().split():
        beat = int(line, 16)
        packet += (beat & (1 << width) - 1).to_bytes(interface // 8, "little")
        if beat >> stream.width:
            held.append(packet.hex())
            packet = b""
    assert not packet
    return held


def cut(payload, field):
    found = []
    for n in range(max(1, field.count)):
        value = payload >> field.offset + n * field.width & (1 << field.width) - 1
        if field.signed and value >> field.width - 1:
            value -= 1 << field.width
        found.append(value)
    return found if field.count else found[0]


def prefix_of(stream):
    return stream.names["tdata"].removesuffix("_tdata")


def compare(emission, frame, wanted, n, fault):
    """Compare a result with what the reference answers to a sample."""
    fields = {one.name: one for one in emission.result.fields}
    payload = int.from_bytes(bytes.fromhex(frame), "little")
    assert len(frame) * 4 == emission.result.tdata
    for name, stem in emission.readouts.items():
        answer = wanted.answers[name]
        assert cut(payload, fields[f"{stem}.winner"]) == answer.classes[n]
        assert cut(payload, fields[f"{stem}.scores"]) == answer.scores[n].tolist()
        assert cut(payload, fields[f"{stem}.steps"]) == wanted.steps[n]
    for name, field in emission.counts.items():
        assert cut(payload, fields[field]) == wanted.counts[name][n]
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


def check(network, given, mapping, where, monkeypatch, seed):
    """Emit, run under cocotb, and compare with the reference."""
    emit(network, where, mapping=mapping, samples=given, ports="axis", generated=0)
    emission = read_emission(where)
    sent = {prefix_of(one): packets(where, one, one.tdata) for one in emission.inputs}
    found = cocotb(emission, where, monkeypatch, seed, sent)
    wanted = spiker_hdl.run(network, given)
    assert len(found["frames"]) == emission.samples
    for n, frame in enumerate(found["frames"]):
        compare(emission, frame, wanted, n, 0)
    constants = identity(network, emission.mapping, spiker_hdl.__version__)
    assert {4 * n: one for n, one in enumerate(found["words"]) if 4 * n in constants} == constants
    assert max(constants) == register("mapping").address + 28 == 0x5C
    assert (found["error"], found["faults"], found["interrupt"]) == (0, 0, 0)
    assert (found["samples"], found["results"]) == (emission.samples, emission.samples)
    assert (found["status"], found["nothing"], found["written"], found["after"]) == (1, 2, 0, 0)


def test_answers_under_back_pressure(tmp_path, monkeypatch):
    network = make_network()
    given = np.random.Generator(np.random.PCG64(9)).integers(0, 2, (4, 3, 64))
    check(network, given, Mapping.default(network), tmp_path, monkeypatch, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_networks_under_back_pressure(seed, tmp_path, monkeypatch):
    random = Random(seed)
    network = random_network(random, neurons=(1, 12))
    given = random_spikes(network, random, 3, (1, 6))
    check(network, given, random_mapping(network, random), tmp_path, monkeypatch, seed)


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
    sent = {one.name: [] for one in network.inputs}
    for n in range(12):
        given = random_spikes(network, random, 1, random.randint(1, network.max_steps))
        for one in network.inputs:
            whole = beats(dut, one, np.asarray(given[one.name][0]))
            breaks = n % 3 and random.random() < 0.7
            sent[one.name].append(broken_packet(dut, one, whole, random) if breaks else whole)
    return network, mapping, dut, sent


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
def test_packets_that_are_no_samples(seed, tmp_path, monkeypatch):
    """Short, long, empty and wrong packets, with resets: the sample behind each is right."""
    network, mapping, dut, sent = broken_traffic(seed)
    emit(network, tmp_path, mapping=mapping, ports="axis", generated=0)
    emission = read_emission(tmp_path)
    prefixes = {one.node: (prefix_of(one), one.tdata // 8) for one in emission.inputs}

    def text(name, packet):
        return b"".join(tdata.to_bytes(prefixes[name][1], "little") for tdata, _ in packet).hex()

    told = {prefixes[name][0]: [text(name, one) for one in sent[name]] for name in sent}
    anew = [{prefix: each[n] for prefix, each in told.items()} for n in range(1, 11)]
    found = cocotb(emission, tmp_path, monkeypatch, seed, told, anew=anew)
    given, faults = {name: [] for name in sent}, []
    steps = next(one for one in emission.result.fields if one.name.endswith(".steps"))
    for n, frame in enumerate(found["frames"]):
        length = cut(int.from_bytes(bytes.fromhex(frame), "little"), steps)
        each = {name: sample_of(dut, name, sent[name][n]) for name in sent}
        lengths = {len(one) for one, _ in each.values()}
        assert length in lengths
        faults.append(int(len(lengths) > 1 or any(causes for _, causes in each.values())))
        for one in network.inputs:
            given[one.name].append(fit(one, each[one.name][0], length))
    wanted = spiker_hdl.run(network, given)
    for n, frame in enumerate(found["frames"]):
        compare(emission, frame, wanted, n, faults[n])
    assert 0 < sum(faults) == found["faults"] < len(faults)
    assert found["error"]
    assert found["interrupt"] == 1
    assert [found["samples"], found["results"]] == [12, 12]
    assert len(found["anew"]) == 10
    for pair in found["anew"]:
        for frame in pair:
            compare(emission, frame, wanted, 0, 0)
