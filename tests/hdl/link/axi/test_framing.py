# amaranth: UnusedElaboratable=no

"""Tests of packets that are no samples: what is made of them, how it is told, and what follows."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from amaranth import Value
from amaranth.back import rtlil

import spiker_hdl
from spiker_hdl.link.axi.framing import Agreement, Framer
from spiker_hdl.link.protocol.registers import register
from spiker_hdl.model import (
    Accumulator,
    Decay,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
)
from spiker_hdl.payloads.beats import unpack
from spiker_hdl.rtl.input_port import InputPort

from support.axi_driver import beats, make, offer, read, simulate, take, write
from support.bench import pause
from support.framed import broken_packet, fit, sample_of
from support.networks import random_mapping, random_network, random_spikes

CONTROL, STATUS = register("control").address, register("status").address
ERROR, INTERRUPT = register("error").address, register("interrupt").address
SAMPLES, RESULTS = register("samples").address, register("results").address
FAULTS = register("faults").address
BIT = {bit.name: 1 << bit.offset for bit in register("interrupt").bits}


def graded(inputs=1, static=False, max_steps=4):
    """Make a network whose values and addresses do not fill their bits, and that sums them up."""
    draw = np.random.default_rng(5)
    names = [f"in{n}" for n in range(inputs)]
    return Network(
        [Input(name, 11, -2, 5, static=static) for name in names],
        [
            Population("hidden", 5, Lif(width=10, decay=Decay.shift(2), threshold=20)),
            Population("out", 3, Accumulator(width=12)),
        ],
        [
            *[Projection(name, "hidden", draw.integers(-7, 8, (5, 11)), bits=4) for name in names],
            Projection("hidden", "out", draw.integers(-7, 8, (3, 5)), bits=4),
        ],
        [Readout("out", "last")],
        max_steps,
        "graded",
    )


# -- a bench -------------------------------------------------------------------------------------


class Traffic:
    """Send packets to all inputs, take the results, and read what the registers say."""

    def __init__(self, dut, packets, chance, seed, late):
        self.dut = dut
        self.late = late
        self.packets = packets
        self.chance = chance
        self.seed = seed
        self.results, self.flags, self.words, self.raised = [], [], {}, []

    async def send(self, ctx, name):
        draws = Random(f"{self.seed}{name}")
        port = getattr(self.dut, self.dut.ports[name])
        for packet in self.packets[name]:
            for tdata, tlast in packet:
                await pause(ctx, draws, 0.9 if name == self.late else self.chance)
                await offer(ctx, port, "tvalid", "tready", tdata=tdata, tlast=tlast)

    async def collect(self, ctx):
        draws = Random(f"{self.seed}sink")
        width = self.dut.accelerator.o.p.shape().size
        for _ in range(len(next(iter(self.packets.values())))):
            await pause(ctx, draws, self.chance)
            (tdata,) = await take(ctx, self.dut.m_axis, "tvalid", "tready", "tdata")
            self.results.append(unpack(self.dut.accelerator, tdata & (1 << width) - 1))
            self.flags.append(tdata >> width)
            self.raised.append(ctx.get(self.dut.irq))
        for _ in range(400):
            await ctx.tick()
        for at in (STATUS, SAMPLES, RESULTS, FAULTS, ERROR):
            self.words[at], _ = await read(ctx, self.dut.s_axil, at)

    def run(self):
        benches = [
            lambda ctx, name=name: self.send(ctx, name)
            for name in self.packets  # each a coroutine function
        ]
        simulate(self.dut, self.collect, *map(_coroutine, benches), deadline=200_000)
        return self


def _coroutine(bench):
    async def run(ctx):
        await bench(ctx)

    return run


def check(dut, packets, chance=0.0, seed=0, late=""):
    """Send packets; compare with what the reference answers to what they are taken for."""
    network = dut.accelerator.network
    outcome = Traffic(dut, packets, chance, seed, late).run()
    number = len(outcome.results)
    taken = {name: [sample_of(dut, name, packet) for packet in packets[name]] for name in packets}
    received = {name: [] for name in packets}
    flags, errors = [], 0
    for n, result in enumerate(outcome.results):
        each = {name: taken[name][n] for name in packets}
        lengths = {len(steps) for steps, _ in each.values()}
        assert result["steps"] in lengths
        causes = {cause for _, results in each.values() for cause in results}
        causes |= {"unequal"} if len(lengths) > 1 else set()
        flags.append(int(bool(causes)))
        errors |= sum(BIT[cause] for cause in causes)
        for node in network.inputs:
            received[node.name].append(fit(node, each[node.name][0], result["steps"]))
    expected = spiker_hdl.run(network, received)
    for n, result in enumerate(outcome.results):
        for name, answer in expected.answers.items():
            assert result["winners"][name] == answer.classes[n]
            assert result["scores"][name] == answer.scores[n].tolist()
        assert result["counts"] == {name: count[n] for name, count in expected.counts.items()}
    assert outcome.flags == flags
    actual = outcome.words[ERROR]
    if len(packets) > 1:  # that one is too long may go unsaid where another has ended before
        actual, errors = actual & ~BIT["long"], errors & ~BIT["long"]
    assert actual == errors
    assert [outcome.words[at] for at in (STATUS, SAMPLES, RESULTS, FAULTS)] == [
        1,
        number,
        number,
        sum(flags),
    ]
    first = flags.index(1) if any(flags) else number
    assert not any(outcome.raised[: max(0, first - 12)])
    assert outcome.raised[-1] == any(flags)
    return outcome


# -- one at a time -------------------------------------------------------------------------------

FORMS = [("words", False), ("events", False), ("words", True), ("events", True)]
IDS = ["words", "events", "static words", "static events"]


def by_hand(form, static):
    """Return a design, and the beats of a whole sample of three steps for it."""
    network = graded(static=static)
    mapping = Mapping.default(network, form=form, **({"word": 4} if form == "words" else {}))
    dut = make(network, mapping)
    given = np.arange(33).reshape(3, 11) % 5 + 1
    return dut, beats(dut, network.inputs[0], given[[0, 0, 0]] if static else given)


@pytest.mark.parametrize("form, static", FORMS, ids=IDS)
@pytest.mark.parametrize("kind", ["short", "long", "empty", "invalid", "below"])
def test_the_sample_behind_a_broken_packet_is_right(form, static, kind):
    dut, whole = by_hand(form, static)
    last = whole[-1][0]
    broken = {
        "short": [*whole[:1], (whole[1][0], 1)],
        "long": [*((tdata, 0) for tdata, _ in whole), *[(last, 0)] * 20, (last, 1)],
        "empty": [(0, 1)],
        "invalid": [((6 << 8 if form == "words" else 13), 0), *whole[1:]],
        "below": [((11 if form == "words" else 11 << 4), 0), *whole[1:]],  # -5
    }[kind]
    if kind == "long" and not static and form == "words":
        broken = [*((tdata, 0) for tdata, _ in whole * 2), *whole]
    outcome = check(dut, {"in0": [whole, broken, whole, whole]})
    assert outcome.flags[0] == outcome.flags[2] == outcome.flags[3] == 0
    if static and kind == "long":
        assert outcome.results[1]["steps"] == 4
    assert outcome.flags[1] == 1


def test_more_steps_than_may_be_are_cut_and_told():
    network = graded(max_steps=4)
    dut = make(network)
    draw = np.random.default_rng(1)
    samples = [draw.integers(-2, 6, (n, 11)) for n in (4, 5, 4, 8, 16, 3)]
    whole = [beats(dut, network.inputs[0], sample) for sample in samples]
    outcome = check(dut, {"in0": whole})
    assert outcome.flags == [0, 1, 0, 1, 1, 0]
    assert [result["steps"] for result in outcome.results] == [4, 4, 4, 4, 4, 3]
    assert outcome.words[ERROR] == BIT["long"]


@pytest.mark.parametrize("late", ["in0", "in1"])
def test_inputs_of_different_steps_go_with_the_one_that_is_ahead(late):
    network = graded(inputs=2, max_steps=6)
    dut = make(network, Mapping.default(network, form="events"))
    draw = np.random.default_rng(1)
    lengths = {"in0": [3, 2, 4, 5], "in1": [3, 4, 2, 5]}
    packets = {
        node.name: [beats(dut, node, draw.integers(-2, 6, (n, 11))) for n in lengths[node.name]]
        for node in network.inputs
    }
    outcome = check(dut, packets, late=late)
    assert outcome.flags == [0, 1, 1, 0]
    assert outcome.words[ERROR] == BIT["unequal"]
    (ahead,) = set(lengths) - {late}
    assert [result["steps"] for result in outcome.results] == lengths[ahead]


# -- random --------------------------------------------------------------------------------------


def random_traffic(seed):
    """Draw a network behind AXI, and packets of which many are broken."""
    random = Random(seed)
    network = random_network(random, neurons=(1, 8), static=0.3)
    network = replace(network, max_steps=random.choice([1, 2, 3, 4, 7]))
    mapping = random_mapping(network, random)
    dut = make(network, mapping)
    packets = {node.name: [] for node in network.inputs}
    for n in range(9):
        stimulus = random_spikes(network, random, 1, random.randint(1, network.max_steps))
        for node in network.inputs:
            whole = beats(dut, node, np.asarray(stimulus[node.name][0]))
            breaks = n % 3 and random.random() < 0.7
            packets[node.name].append(broken_packet(dut, node, whole, random) if breaks else whole)
    return dut, packets, random.choice([0.0, 0.3, 0.7])


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 40))]
)
def test_random_packets(seed):
    dut, packets, chance = random_traffic(seed)
    check(dut, packets, chance, seed)


@pytest.mark.parametrize("seed", range(100, 104))
def test_random_packets_and_resets(seed):
    """After a reset anywhere, and the end of the packets that had begun, samples are right."""
    dut, packets, chance = random_traffic(seed)
    network = dut.accelerator.network
    random = Random(seed)
    spikes = random_spikes(network, random, 3, random.randint(1, network.max_steps))
    reference = spiker_hdl.run(network, spikes)
    whole = {
        node.name: [beats(dut, node, np.asarray(each)) for each in spikes[node.name]]
        for node in network.inputs
    }
    results, sent = [], []

    def source(name):
        async def bench(ctx):
            port = getattr(dut, dut.ports[name])
            draws = Random(f"{seed}{name}")
            for n, packet in enumerate([*packets[name][:4], *whole[name]]):
                if n == 4:
                    sent.append(name)
                    while len(results) < 1:
                        await ctx.tick()
                for tdata, tlast in packet:
                    await pause(ctx, draws, chance)
                    await offer(ctx, port, "tvalid", "tready", tdata=tdata, tlast=tlast)

        return bench

    async def sink(ctx):
        ctx.set(dut.m_axis.tready, 1)
        await ctx.tick().repeat(random.randint(1, 150))
        assert await write(ctx, dut.s_axil, CONTROL, 1) == 0
        while len(sent) < len(packets):
            await ctx.tick()
        # What came whole behind the reset has a result, too: these are dropped by another one.
        assert await write(ctx, dut.s_axil, CONTROL, 1) == 0
        await ctx.tick().repeat(4)
        ctx.set(dut.m_axis.tready, 0)
        results.append("reset")
        for _ in range(3):
            (tdata,) = await take(ctx, dut.m_axis, "tvalid", "tready", "tdata")
            results.append(tdata)

    simulate(dut, sink, *[source(name) for name in packets], deadline=200_000)
    for n, tdata in enumerate(results[1:]):
        width = dut.accelerator.o.p.shape().size
        result = unpack(dut.accelerator, tdata & (1 << width) - 1)
        assert tdata >> width == 0
        assert result["steps"] == reference.steps[n]
        for name, answer in reference.answers.items():
            assert result["scores"][name] == answer.scores[n].tolist()


# -- registers -----------------------------------------------------------------------------------


def test_errors_stay_until_cleared_and_interrupt_where_they_may():
    network = graded()
    dut = make(network, Mapping.default(network, word=4))
    whole = beats(dut, network.inputs[0], np.ones((2, 11), dtype=int))
    seen = []

    async def look(ctx):
        await ctx.tick()
        seen.append(((await read(ctx, dut.s_axil, ERROR))[0], ctx.get(dut.irq)))

    async def bench(ctx):
        async def send(packet):
            for tdata, tlast in packet:
                await offer(ctx, dut.s_axis, "tvalid", "tready", tdata=tdata, tlast=tlast)

        async def result():
            return (await take(ctx, dut.m_axis, "tvalid", "tready", "tdata"))[0]

        await send([*whole[:1], (0, 1)])
        await result()
        await look(ctx)
        await send(whole)
        await result()
        await look(ctx)  # is still told
        await write(ctx, dut.s_axil, CONTROL, 1)
        await look(ctx)  # and a reset of the samples does not change that
        await write(ctx, dut.s_axil, ERROR, BIT["long"])
        await look(ctx)  # nor does a 1 for another cause
        await write(ctx, dut.s_axil, ERROR, BIT["partial"], strobe=14)
        await look(ctx)  # nor one that does not count
        await write(ctx, dut.s_axil, INTERRUPT, BIT["long"])
        await look(ctx)
        await write(ctx, dut.s_axil, INTERRUPT, BIT["partial"])
        await look(ctx)
        await write(ctx, dut.s_axil, ERROR, BIT["partial"])
        await look(ctx)
        await write(ctx, dut.s_axil, INTERRUPT, BIT["result"])
        await send(whole)
        await ctx.tick().until(dut.m_axis.tvalid)
        await look(ctx)
        await result()
        await look(ctx)

    simulate(dut, bench)
    message = (BIT["partial"], 1)
    assert seen == [
        message,
        message,
        message,
        message,
        message,
        (message[0], 0),
        message,
        (0, 0),
        (0, 1),
        (0, 0),
    ]


# -- the parts -----------------------------------------------------------------------------------


def test_parts_convert():
    network = graded()
    entry = InputPort(network.inputs[0], Mapping.default(network))
    width = len(Value.cast(entry.i.p))
    rtlil.convert(Framer(entry, max_steps=4, width=-(-width // 8) * 8))
    rtlil.convert(Agreement(2, max_steps=4, apart=3))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1, 4, 3), "Inputs must be at least 2, not 1"),
        ((2, 0, 3), "Steps of a sample must be at least 1, not 0"),
        ((2, 4, 0), "Samples apart must be at least 1, not 0"),
    ],
    ids=["inputs", "max_steps", "apart"],
)
def test_bad_arguments(arguments, message):
    inputs, max_steps, apart = arguments
    with pytest.raises(ValueError, match=message):
        Agreement(inputs, max_steps=max_steps, apart=apart)


def test_events_that_do_not_ascend_are_left_out():
    dut, whole = by_hand("events", False)
    outcome = check(dut, {"in0": [[whole[1], whole[0], *whole[2:]], [whole[0], *whole], whole]})
    assert outcome.flags == [1, 1, 0]
    assert outcome.words[ERROR] == BIT["invalid"]
