# amaranth: UnusedElaboratable=no

"""Tests of the accelerator behind AXI: streams, registers, reset, and no way around registers."""

import re
from random import Random

import numpy as np
import pytest
from amaranth import Fragment, Value
from amaranth.back import rtlil
from amaranth.sim import Simulator

import spiker_hdl
from spiker_hdl.link.axi.accelerator import AxiAccelerator, tdata_width
from spiker_hdl.link.axi.lite import ControlBlock
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.link.protocol.registers import (
    MAGIC,
    REGISTERS,
    WORD,
    constant_values,
    mapping_digest,
    register,
    registers_json,
    registers_table,
    words,
)
from spiker_hdl.model import Mapping
from spiker_hdl.payloads.beats import unpack
from spiker_hdl.rtl import Accelerator
from spiker_hdl.rtl.streams.events import AddressEvent, Word

from support.axi_driver import beats, make, offer, read, simulate, take, write
from support.bench import pause
from support.networks import random_mapping, random_network, random_spikes
from support.places import read_page
from support.small import make_network

CONTROL, STATUS = register("control").address, register("status").address
SAMPLES, RESULTS = register("samples").address, register("results").address
ERROR, INTERRUPT = register("error").address, register("interrupt").address
WRITTEN = {reg.address for reg in REGISTERS if reg.access == "write"}
ENABLED = sum(1 << bit.offset for bit in register("error").bits)


# -- registers -----------------------------------------------------------------------------------


def test_registers_lie_apart():
    places = [address for reg in REGISTERS for address in words(reg.name)]
    assert len(set(places)) == len(places)
    assert all(place % 4 == 0 for place in places)
    for reg in REGISTERS:
        taken = [bit for each in reg.bits for bit in range(each.offset, each.offset + each.width)]
        assert len(set(taken)) == len(taken)
        assert all(0 <= bit < WORD for bit in taken)


def test_the_documentation_has_the_map():
    assert registers_table() in read_page("axi")
    assert [entry["name"] for entry in registers_json()] == [entry.name for entry in REGISTERS]


def test_identity():
    network = make_network()
    mapping = Mapping.folded(network, 2)
    values = constant_values(network, mapping, "1.20.3")
    assert values[register("library").address] == 0x01_14_03
    assert values[register("magic").address].to_bytes(4, "big") == b"SPKR"
    for name, digest in (("network", network.digest), ("mapping", mapping_digest(mapping))):
        assert "".join(f"{values[address]:08x}" for address in words(name)) == digest
    short = constant_values(network, mapping, "2.dev1+g00")
    assert short[register("library").address] == 0x02_01_00
    assert mapping_digest(mapping) != mapping_digest(Mapping.default(network))


def test_every_address_reads_as_the_map_says():
    network = make_network()
    dut = make(network)
    constants = constant_values(network, dut.accelerator.mapping, spiker_hdl.__version__)
    assert constants[0] == MAGIC
    known = {address for reg in REGISTERS for address in words(reg.name)}

    async def bench(ctx):
        for address in range(0, 1 << len(dut.s_axil.araddr), 4):
            value, response = await read(ctx, dut.s_axil, address)
            if address in constants:
                assert (value, response) == (constants[address], 0)
            elif address in known:
                expected = {STATUS: 1, INTERRUPT: ENABLED}.get(address, 0)
                assert (value, response) == (expected, 0)
            else:
                assert (value, response) == (0, 2)

    simulate(dut, bench)


@pytest.mark.parametrize("first, wait", [("aw", 0), ("w", 3)])
def test_writes(first, wait):
    dut = make(make_network())

    async def bench(ctx):
        for address in range(0, 1 << len(dut.s_axil.awaddr), 4):
            response = await write(ctx, dut.s_axil, address, 0, first=first, wait=wait)
            assert response == (0 if address in WRITTEN else 2)
        assert await write(ctx, dut.s_axil, CONTROL, 1, strobe=14) == 0

    simulate(dut, bench)


@pytest.mark.parametrize("value, strobe, resets", [(1, 15, 1), (1, 1, 1), (1, 14, 0), (2, 15, 0)])
def test_a_write_resets_for_a_cycle_where_its_bit_counts(value, strobe, resets):
    dut = ControlBlock({})
    seen = []

    async def watch(ctx):
        while True:
            seen.append((await ctx.tick().sample(dut.reset))[-1])

    async def bench(ctx):
        assert await write(ctx, dut.bus, CONTROL, value, strobe) == 0
        for _ in range(5):
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert sum(seen) == resets


def test_a_write_waits_until_the_answer_before_is_taken():
    dut = ControlBlock({})
    results = []

    async def give(ctx):
        for address in (CONTROL, STATUS):
            await offer(ctx, dut.bus, "awvalid", "awready", awaddr=address)
            await offer(ctx, dut.bus, "wvalid", "wready", wdata=1, wstrb=15)

    async def answer(ctx):
        for _ in range(2):
            await ctx.tick().repeat(10)
            results.append((await take(ctx, dut.bus, "bvalid", "bready", "bresp"))[0])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(give)
    simulator.add_testbench(answer)
    simulator.run_until(1e-4)
    assert results == [0, 2]


def test_a_read_waits_until_the_answer_before_is_taken():
    dut = ControlBlock({0: 5, 4: 6})
    results = []

    async def ask(ctx):
        for address in (0, 4):
            await offer(ctx, dut.bus, "arvalid", "arready", araddr=address)

    async def answer(ctx):
        for _ in range(2):
            await ctx.tick().repeat(6)
            results.append(await take(ctx, dut.bus, "rvalid", "rready", "rdata", "rresp"))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(ask)
    simulator.add_testbench(answer)
    simulator.run_until(1e-4)
    assert results == [[5, 0], [6, 0]]


# -- samples -------------------------------------------------------------------------------------


def run(seed, chance, deadline=100_000):
    """Run a random network behind AXI with pauses everywhere; compare with the reference."""
    random = Random(seed)
    network = random_network(random, neurons=(1, 12))
    stimulus = random_spikes(network, random, 3, (1, 6))
    mapping = random_mapping(network, random)
    dut = make(network, mapping)
    results, counters = [], []
    number = len(next(iter(stimulus.values())))

    def source(node):
        async def bench(ctx):
            draws = Random(f"{seed}{node.name}")
            for sample in stimulus[node.name]:
                for tdata, tlast in beats(dut, node, np.asarray(sample)):
                    await pause(ctx, draws, chance)
                    port = getattr(dut, dut.ports[node.name])
                    await offer(ctx, port, "tvalid", "tready", tdata=tdata, tlast=tlast)

        return bench

    async def sink(ctx):
        draws = Random(f"{seed}sink")
        for _ in range(number):
            await pause(ctx, draws, chance)
            tdata, tlast = await take(ctx, dut.m_axis, "tvalid", "tready", "tdata", "tlast")
            assert tlast == 1
            results.append(tdata)
        # What is left of a sample behind its result may take some cycles.
        status = [(await read(ctx, dut.s_axil, STATUS))[0] for _ in range(20)]
        assert status[-1] == 1
        counters.append((await read(ctx, dut.s_axil, SAMPLES))[0])
        counters.append((await read(ctx, dut.s_axil, RESULTS))[0])

    simulate(dut, sink, *[source(node) for node in network.inputs], deadline=deadline)
    expected = spiker_hdl.run(network, stimulus)
    width = dut.accelerator.o.p.shape().size
    assert all(tdata >> width == 0 for tdata in results)
    for n, tdata in enumerate(results):
        result = unpack(dut.accelerator, tdata)
        for name, answer in expected.answers.items():
            assert result["winners"][name] == answer.classes[n]
            assert result["scores"][name] == answer.scores[n].tolist()
        assert result["steps"] == expected.steps[n]
        assert result["counts"] == {name: count[n] for name, count in expected.counts.items()}
    assert counters == [number, number]


@pytest.mark.parametrize("seed, chance", [(2, 0.5), pytest.param(1, 0.0, marks=pytest.mark.slow)])
def test_samples_answer_as_the_reference(seed, chance):
    run(seed, chance)


@pytest.mark.slow
def test_many_random_networks():
    for seed in range(10, 25):
        run(seed, Random(seed).choice([0.0, 0.3, 0.7]))


def test_a_beat_passes_in_each_cycle():
    network = make_network()
    stimulus = np.zeros((1, 40, 64), dtype=int)
    mapping = Mapping.default(network)
    dut = make(network, mapping)
    plain = spiker_hdl.run(network, stimulus, engine="amaranth").cycles[0]
    results = []

    async def source(ctx):
        for tdata, tlast in beats(dut, network.inputs[0], stimulus[0]):
            await offer(ctx, dut.s_axis, "tvalid", "tready", tdata=tdata, tlast=tlast)

    async def sink(ctx):
        results.append((await take(ctx, dut.m_axis, "tvalid", "tready", "tdata"))[0])

    simulate(dut, source, sink)
    assert unpack(dut.accelerator, results[0])["cycles"] == plain


# -- resets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut", [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 5, 6))]
)
def test_software_drops_what_is_inside_and_the_rest_of_a_sample(cut):
    network = make_network()
    draws = np.random.Generator(np.random.PCG64(7))
    stimulus = draws.integers(0, 2, (3, 3, 64))
    expected = spiker_hdl.run(network, stimulus)
    dut = make(network)
    whole = [beats(dut, network.inputs[0], sample) for sample in stimulus]
    assert len(whole[0]) == 6
    results, states = [], []

    async def bench(ctx):
        for tdata, tlast in whole[0]:
            await offer(ctx, dut.s_axis, "tvalid", "tready", tdata=tdata, tlast=tlast)
        await ctx.tick().until(dut.m_axis.tvalid)
        for tdata, tlast in whole[1][:cut]:
            await offer(ctx, dut.s_axis, "tvalid", "tready", tdata=tdata, tlast=tlast)
        states.append((await read(ctx, dut.s_axil, STATUS))[0])
        states.append((await read(ctx, dut.s_axil, SAMPLES))[0])
        assert await write(ctx, dut.s_axil, CONTROL, 1) == 0
        await ctx.tick()
        states.append((await read(ctx, dut.s_axil, SAMPLES))[0])
        # The result that was offered is the same after the reset.
        results.append((await take(ctx, dut.m_axis, "tvalid", "tready", "tdata"))[0])
        for tdata, tlast in whole[1][cut:] + whole[2]:
            await offer(ctx, dut.s_axis, "tvalid", "tready", tdata=tdata, tlast=tlast)
        results.append((await take(ctx, dut.m_axis, "tvalid", "tready", "tdata"))[0])
        states.append((await read(ctx, dut.s_axil, SAMPLES))[0])
        states.append((await read(ctx, dut.s_axil, RESULTS))[0])
        for _ in range(100):
            await ctx.tick()
            assert not ctx.get(dut.m_axis.tvalid)
        states.append((await read(ctx, dut.s_axil, STATUS))[0])

    simulate(dut, bench)
    answers = [unpack(dut.accelerator, result) for result in results]
    for answer, n in zip(answers, (0, 2), strict=True):
        assert answer["scores"]["output"] == expected.scores[n].tolist()
        assert answer["counts"]["hidden"] == expected.counts["hidden"][n]
    assert states == [2, 1 + (cut == 6), 0, 1, 2, 1]


@pytest.mark.parametrize("size, steps", [(64, 2), (8, 1)])
def test_idle_from_the_first_beat_to_the_result(size, steps):
    network = make_network(size=size)
    dut = make(network)
    stimulus = np.ones((1, steps, size), dtype=int)

    async def bench(ctx):
        assert ctx.get(dut.idle) == 1
        for tdata, tlast in beats(dut, network.inputs[0], stimulus[0]):
            await offer(ctx, dut.s_axis, "tvalid", "tready", tdata=tdata, tlast=tlast)
            for _ in range(20):
                assert ctx.get(dut.idle) == 0
                await ctx.tick()
        while not ctx.get(dut.m_axis.tvalid):
            assert ctx.get(dut.idle) == 0
            await ctx.tick()
        for _ in range(5):
            assert ctx.get(dut.idle) == 0
            await ctx.tick()
        await take(ctx, dut.m_axis, "tvalid", "tready", "tdata")
        await ctx.tick()
        assert ctx.get(dut.idle) == 1

    simulate(dut, bench)


# -- logic ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["words", "events"])
def test_no_logic_leads_from_port_to_port(form):
    network = make_network()
    dut = make(network, Mapping.default(network, form=form))
    paths = [(member.flow.name, value) for _, member, value in dut.signature.flatten(dut)]
    ins = [Value.cast(value) for flow, value in paths if flow == "In"]
    outs = [Value.cast(value) for flow, value in paths if flow == "Out"]
    random = Random(3)

    async def bench(ctx):
        for _ in range(150):
            before = [ctx.get(value) for value in outs]
            for value in ins:
                ctx.set(value, random.getrandbits(len(value)))
            assert [ctx.get(value) for value in outs] == before
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_converts_with_the_names_of_axi():
    network = make_network()
    text = rtlil.convert(AxiTop(AxiAccelerator(Accelerator(network), version="0.1.0")), name="top")
    (body,) = re.findall(r"^module \\top\n(.*?)^end\n", text, re.M | re.S)
    result = set(re.findall(r"^  wire width \d+ (?:input|output) \d+\s+\\(\S+)", body, re.M))
    assert {"aclk", "aresetn", "idle", "s_axis__tdata", "m_axis__tlast", "s_axil__awaddr"} <= result
    assert not {"clk", "rst"} & result


@pytest.mark.parametrize("size, width", [(7, 8), (8, 8), (9, 16), (1, 8)])
def test_tdata_is_whole_bytes(size, width):
    assert tdata_width(Word(size)) == width


def test_tdata_of_events_has_the_token_of_a_step():
    assert tdata_width(AddressEvent(128)) == 8
    assert tdata_width(AddressEvent(129)) == 16


@pytest.mark.parametrize(
    "options", [{"observe": ["hidden"]}, {"streams": ["hidden"]}, {"stepwise": True}]
)
def test_other_ports_are_refused(options):
    accelerator = Accelerator(make_network(), **options)
    with pytest.raises(ValueError, match="no ports but those of samples and results"):
        AxiAccelerator(accelerator, version="0.1.0")
    Fragment.get(accelerator, None)  # as is wanted of every component


def test_only_accelerators_are_wrapped():
    with pytest.raises(TypeError, match="Accelerator must be an Accelerator, not 3"):
        AxiAccelerator(3, version="0.1.0")
