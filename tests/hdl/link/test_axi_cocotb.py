"""Tests of emitted AXI by a model of AXI that is not ours: cocotbext-axi, on Icarus Verilog."""

import json
import shutil
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from small import make_network

import spiker_hdl
from networks import random_mapping, random_network, random_spikes
from spiker_hdl.emit import emit, read_emission
from spiker_hdl.link.registers import identity, register
from spiker_hdl.model import Mapping

HERE = Path(__file__).resolve().parent


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


def check(network, given, mapping, where, monkeypatch, seed):
    """Emit, run under cocotb, and compare with the reference."""
    if not shutil.which("iverilog"):
        pytest.skip("iverilog must be installed")
    pytest.importorskip("cocotbext.axi", reason="cocotbext-axi must be installed")
    from cocotb_tools.runner import get_runner

    emit(network, where, mapping=mapping, samples=given, ports="axis")
    emission = read_emission(where)
    sent = {
        one.names["tdata"].removesuffix("_tdata"): packets(where, one, one.tdata)
        for one in emission.inputs
    }
    task = {
        "samples": sent,
        "results": emission.samples,
        "seed": seed,
        "bytes": 0x60,
        "answers": str(where / "answers.json"),
    }
    (where / "task.json").write_text(json.dumps(task))
    monkeypatch.setenv("AXI_TASK", str(where / "task.json"))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
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
    found = json.loads((where / "answers.json").read_text())
    wanted = spiker_hdl.run(network, given)
    fields = {one.name: one for one in emission.result.fields}
    assert len(found["frames"]) == emission.samples
    for n, frame in enumerate(found["frames"]):
        payload = int.from_bytes(bytes.fromhex(frame), "little")
        assert len(frame) * 4 == emission.result.tdata
        for name, stem in emission.readouts.items():
            answer = wanted.answers[name]
            assert cut(payload, fields[f"{stem}.winner"]) == answer.classes[n]
            assert cut(payload, fields[f"{stem}.scores"]) == answer.scores[n].tolist()
        for name, field in emission.counts.items():
            assert cut(payload, fields[field]) == wanted.counts[name][n]
    constants = identity(network, emission.mapping, spiker_hdl.__version__)
    assert {4 * n: one for n, one in enumerate(found["words"]) if 4 * n in constants} == constants
    assert max(constants) == register("mapping").address + 28 == task["bytes"] - 4
    assert not any(
        cut(int.from_bytes(bytes.fromhex(frame), "little"), fields["fault"])
        for frame in found["frames"]
    )
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
