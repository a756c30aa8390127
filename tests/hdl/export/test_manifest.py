# amaranth: UnusedElaboratable=no

"""Tests of manifests: they describe the Verilog and the vectors as these are."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from amaranth import Value
from amaranth.sim import Simulator

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.link.axi.accelerator import AxiAccelerator
from spiker_hdl.link.protocol.registers import mapping_digest, register, registers_json
from spiker_hdl.model import Mapping
from spiker_hdl.payloads.beats import payloads, unpack
from spiker_hdl.payloads.fields import Field, pack
from spiker_hdl.rtl import Accelerator

from support.manifest_bench import ManifestBench
from support.networks import ODD_NAMES, random_mapping, random_network, random_spikes
from support.small import make_network

RECEPTOR = "The receptor of the neurons that the events reach, 0 where none is stated."


def case(seed):
    random = Random(seed)
    network = random_network(random, names=ODD_NAMES)
    stimulus = random_spikes(network, random, 3, (1, 8))
    return network, stimulus, random_mapping(network, random)


@pytest.fixture(scope="module", params=[0, 1, 64])  # the last has receptors
def emitted(request, tmp_path_factory):
    network, spikes, mapping = case(request.param)
    directory = tmp_path_factory.mktemp("emitted")
    path = emit(network, directory, mapping=mapping, samples=spikes, command="make it", generated=0)
    return json.loads(path.read_text()), network, spikes, mapping, directory


def test_manifest_states_its_origin(emitted):
    manifest, network, _, mapping, _ = emitted
    assert (manifest["format"], manifest["version"]) == ("spiker-emission", 2)
    assert manifest["network"] == {
        "name": "random",
        "sha256": network.digest,
        "max_steps": network.max_steps,
        "projections": {
            projection.name: {
                "from": projection.source,
                "to": projection.target,
                "shift": projection.shift,
            }
            | ({"receptor": projection.receptor} if projection.receptor else {})
            for projection in network.projections
        },
        "projection_fields": {
            "shift": "An event adds its weight times 2 to the power of `shift` to its target.",
        }
        | ({"receptor": RECEPTOR} if any(p.receptor for p in network.projections) else {}),
        "notes": dict(network.notes),
    }
    assert len(manifest["network"]["projections"]) == len(network.projections) > 0
    assert manifest["mapping"] == mapping.to_json()
    assert manifest["command"] == "make it"
    assert manifest["generator"]["spiker-hdl"] == spiker_hdl.__version__
    assert re.search(r"Yosys \d+\.\d+", manifest["generator"]["tool"])


def test_manifest_lists_every_file(emitted):
    manifest, *_, directory = emitted
    actual = {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert manifest["files"] == actual


def test_ports_are_the_ports_of_the_verilog(emitted):
    manifest, *_, directory = emitted
    text = (directory / f"{manifest['top']}.v").read_text()
    (body,) = re.findall(rf"^module {manifest['top']}\(.*?^endmodule", text, re.M | re.S)
    actual = {
        (name, "in" if way == "input" else "out", int(high or 0) + 1)
        for way, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body, re.M)
    }
    ports = {(port["name"], port["direction"], port["width"]) for port in manifest["ports"]}
    assert ports == actual
    named = {manifest["clock"]["port"], manifest["reset"]["port"], manifest["idle"]["port"]}
    for stream in manifest["streams"].values():
        named |= {stream["payload"], stream["valid"], stream["ready"]}
    assert named == {name for name, *_ in ports}


def cut(payload, field):
    values = []
    for n in range(max(1, field.get("count", 0))):
        value = payload >> field["offset"] + n * field["width"] & (1 << field["width"]) - 1
        if field["signed"] and value >> field["width"] - 1:
            value -= 1 << field["width"]
        values.append(value)
    return values if "count" in field else values[0]


def test_fields_suffice_to_read_a_result(emitted):
    manifest, network, spikes, _, directory = emitted
    result = spiker_hdl.run(network, spikes)
    o = manifest["streams"]["o"]
    fields = {field["name"]: field for field in o["fields"]}
    for n, line in enumerate((directory / "vectors" / "expected.hex").read_text().split()):
        payload = int(line, 16)
        assert [readout.get("groups") for readout in o["readouts"]] == [
            r.groups for r in network.readouts
        ]
        for readout in o["readouts"]:
            answer = result.answers[readout["name"]]
            assert cut(payload, fields[f"{readout['field']}.winner"]) == answer.classes[n]
            assert cut(payload, fields[f"{readout['field']}.scores"]) == answer.scores[n].tolist()
            assert cut(payload, fields[f"{readout['field']}.steps"]) == result.steps[n]
        for count in o["counts"]:
            assert cut(payload, fields[count["field"]]) == result.counts[count["name"]][n]
    covered = sum(field["width"] * field.get("count", 1) for field in o["fields"])
    assert covered == o["width"]


def test_fields_suffice_to_write_an_input(emitted):
    manifest, _, spikes, mapping, directory = emitted
    for port, stream in manifest["streams"].items():
        if port == "o":
            continue
        samples = list(spikes[stream["input"]])
        fields = {field["name"]: field for field in stream["fields"]}
        sample = events = step = word = 0
        values = {}
        for line in (directory / "vectors" / f"{port}.hex").read_text().split():
            payload = int(line, 16)
            if mapping.form == "words":
                beat = cut(payload, fields["values"])
                values |= {word * len(beat) + n: value for n, value in enumerate(beat) if value}
                word += 1
                end = word * len(beat) >= stream["channels"]
            else:
                end = cut(payload, fields["end"])
                if not end:
                    value = fields["value"]
                    values[cut(payload, fields["address"])] = (
                        cut(payload, value) if value["width"] else 1
                    )
            last = end and cut(payload, fields["last"])
            assert (payload >> stream["width"]) == last
            if end:
                expected = samples[sample][step]
                assert values == {n: value for n, value in enumerate(expected.tolist()) if value}
                events += len(values)
                values, word, step = {}, 0, step + 1
            if last:
                assert step == len(samples[sample])
                sample, step = sample + 1, 0
        assert sample == len(samples)
        assert events > 0


@pytest.mark.parametrize("ports", ["streams", "axis"])
@pytest.mark.parametrize("seed", range(1))
def test_outputs_have_the_stated_values_after_a_reset(tmp_path, seed, ports):
    network, _, mapping = case(seed)
    path = emit(network, tmp_path, mapping=mapping, ports=ports, generated=0)
    manifest = json.loads(path.read_text())
    stated = {
        port["name"]: port["reset"] for port in manifest["ports"] if port["direction"] == "out"
    }
    assert {port["latency"] for port in manifest["ports"] if port["direction"] == "out"} == {1}
    assert all(
        port["reset"] is None and port["latency"] is None
        for port in manifest["ports"]
        if port["direction"] == "in"
    )
    dut = Accelerator(network, mapping)
    if ports == "axis":
        dut = AxiAccelerator(dut, version="0.1.0")
    outs = [
        (re.sub("__", "_", "__".join(map(str, path))), Value.cast(value))
        for path, member, value in dut.signature.flatten(dut)
        if member.flow.name == "Out"
    ]
    actual = {}

    async def bench(ctx):
        actual.update({name: ctx.get(value) for name, value in outs})
        await ctx.tick()
        # m_axis_tlast is always 1; the others are as they were while nothing happens.
        assert {name: ctx.get(value) for name, value in outs} == actual

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert actual == stated


@pytest.mark.parametrize("form", ["words", "events"])
def test_outputs_depend_on_registers_alone(form):
    random = Random(5)
    network = random_network(random, inputs=(2, 2), neurons=(1, 8))
    dut = Accelerator(network, Mapping.default(network, form=form))
    ports = [(member.flow.name, Value.cast(v)) for _, member, v in dut.signature.flatten(dut)]
    ins = [value for flow, value in ports if flow == "In"]
    outs = [value for flow, value in ports if flow == "Out"]

    async def bench(ctx):
        for _ in range(100):
            before = [ctx.get(value) for value in outs]
            for value in ins:
                ctx.set(value, random.getrandbits(len(value)))
            assert [ctx.get(value) for value in outs] == before
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_axi_manifest_has_streams_registers_and_reset(tmp_path):
    network, spikes, mapping = case(1)
    path = emit(network, tmp_path, mapping=mapping, samples=spikes, ports="axis", generated=0)
    manifest = json.loads(path.read_text())
    assert manifest["interface"] == "axis"
    assert (manifest["clock"]["port"], manifest["reset"]["port"]) == ("aclk", "aresetn")
    assert manifest["reset"]["active"] == "low"
    assert manifest["registers"]["map"] == registers_json()
    assert manifest["mapping_sha256"] == mapping_digest(mapping)
    widths = {port["name"]: port["width"] for port in manifest["ports"]}
    named = {"aclk", "aresetn", "idle", "irq", *manifest["registers"]["bus"].values()}
    for name, stream in manifest["streams"].items():
        assert widths[stream["tdata"]] == stream["width"]
        assert stream["width"] % 8 == 0
        assert stream["tdata"] == f"{name}_tdata"
        used = sum(field["width"] * field.get("count", 1) for field in stream["fields"])
        assert 0 <= stream["width"] - used < 8 or stream["width"] == 8
        assert "last" not in {field["name"] for field in stream["fields"]}
        named |= {stream[part] for part in ("tdata", "tlast", "tvalid", "tready")}
    assert named == set(widths)


@pytest.mark.parametrize("value", [-5, 4])
def test_value_that_does_not_fit_its_field_is_refused(value):
    fields = {("cycles",): Field(("cycles",), 4, 3, True)}
    with pytest.raises(ValueError, match=f"Expected cycles must be in -4..3, not {value}"):
        pack(fields, {("cycles",): [value]})
    assert pack(fields, {("cycles",): [-4]}) == 0b1000000


# -- a test bench of the manifest alone ---------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in (4, 5))])
def test_manifest_suffices_to_write_a_test_bench(seed, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog must be installed")
    random = Random(seed)
    network = random_network(random, neurons=(1, 8), static=0.3)
    stimulus = random_spikes(network, random, 3, (1, 5))
    emit(network, tmp_path, mapping=random_mapping(network, random), generated=0)
    bench = ManifestBench(tmp_path)
    assert bench.manifest["network"]["max_steps"] >= 5
    actual = bench.run(
        {name: [np.asarray(sample) for sample in samples] for name, samples in stimulus.items()}, 3
    )
    expected = spiker_hdl.run(network, stimulus)
    assert len(actual) == 3
    for n, result in enumerate(actual):
        for readout in bench.result["readouts"]:
            answer, stem = expected.answers[readout["name"]], readout["field"]
            assert result[f"{stem}.scores"] == answer.scores[n].tolist()
            assert result[f"{stem}.winner"] == answer.classes[n]
            scores = result[f"{stem}.scores"]
            if readout["kind"] != "first":  # the manifest says so of ties
                assert result[f"{stem}.winner"] == scores.index(max(scores))
            assert result[f"{stem}.steps"] == expected.steps[n]
            assert result[f"{stem}.answer"] == result[f"{stem}.last"] == 1
        for count in bench.result["counts"]:
            assert result[count["field"]] == expected.counts[count["name"]][n]


@pytest.mark.parametrize("ports", ["streams", "axis"])
def test_every_field_has_a_stated_meaning(ports, tmp_path):
    network = replace(make_network(), max_steps=9)
    emit(network, tmp_path, ports=ports, generated=2)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["network"]["max_steps"] == 9
    assert manifest["network"]["notes"] == {"data": "digits", "encoder": "rate", "steps": "3"}
    result = manifest["streams"]["m_axis" if ports == "axis" else "o"]
    explained = {name.split(".")[-1] for name in result["meaning"]} | {"*"}
    parts = {field["name"].split(".")[-1] for field in result["fields"]}
    assert {"winner", "scores", "steps", "answer", "last", "cycles"} <= parts & explained
    assert parts - {"hidden", "output"} <= explained
    assert "lowest" in result["meaning"]["winner"]
    assert all(readout["scores"] for readout in result["readouts"])
    assert {"bits", "arrays", "channels", "words"} <= set(manifest["packing"])
    assert any("max_steps" in name for name in manifest["protocol_violations"])
    bits = set(re.findall(r"`error\.(\w+)`", str(manifest["protocol_violations"])))
    assert bits == ({bit.name for bit in register("error").bits} if ports == "axis" else set())


def test_protocol_violations_have_the_stated_effect(tmp_path):
    """With plain streams, results wrap, and `last` inside a step is ignored."""
    network = replace(make_network(size=8), max_steps=3)
    dut = Accelerator(network, Mapping.default(network, word=4))
    whole = payloads(dut, network.inputs[0], np.ones((4, 8), dtype=int))
    right = payloads(dut, network.inputs[0], np.ones((2, 8), dtype=int))
    actual = []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        last = 1 << Value.cast(dut.i.payload).shape().width - 1
        for beat in [*whole, *right, right[0] | last, *right[1:]]:
            ctx.set(dut.i.payload.as_value(), beat)
            ctx.set(dut.i.valid, 1)
            taken = 0
            while not taken:
                _, _, taken, there, payload = await ctx.tick().sample(
                    dut.i.ready, dut.o.valid, dut.o.payload.as_value()
                )
                actual.extend([unpack(dut, payload)] if there else [])
        ctx.set(dut.i.valid, 0)
        for _ in range(100):
            _, _, there, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload.as_value())
            actual.extend([unpack(dut, payload)] if there else [])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    expected = spiker_hdl.run(network, np.ones((1, 2, 8), dtype=int))
    assert [result["steps"] for result in actual] == [0, 2, 2]
    for answer in actual[1:]:
        assert answer["scores"]["output"] == expected.scores[0].tolist()
