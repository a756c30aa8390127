# amaranth: UnusedElaboratable=no

"""Tests of the whole: a network by hand, every stream inside it, its ports, and bad input."""

import re
from random import Random

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.lib import stream, wiring

from spiker_hdl.model import (
    Convolution,
    Decay,
    Dendrite,
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
from spiker_hdl.payloads.beats import payloads, unpack
from spiker_hdl.rtl import Accelerator

from support.bench import get, pause, put, simulate
from support.events import END, LAST, converts, written
from support.networks import random_mapping, random_network, random_spikes

PAIR = Network(
    [Input("x", 3)],
    [Population("p", 2, If(width=8, threshold=2, fire=">="))],
    [Projection("x", "p", np.array([[1, 2, 0], [-1, 1, 1]]))],
    [Readout("p")],
)

# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_pair_of_neurons_by_hand(lanes):
    dut = Accelerator(PAIR, Mapping.folded(PAIR, lanes, form="events"))
    results = []

    async def drive(ctx):
        for event in [
            *((0, 0), (1, 0), END),  # 3 and 0: the first fires, and keeps 1
            *((0, 0), (2, 0), END),  # 2 and 0: fires, keeps 0
            *((1, 0), (2, 0), LAST),  # 2 and 2: both fire
            *((2, 0), END, (1, 0), LAST),  # 0 and 1, then 2 and 2: both fire
            LAST,
        ]:
            await put(ctx, dut.i, written(event))

    async def take(ctx):
        for _ in range(3):
            result = await get(ctx, dut.o)
            p = result.answers.p
            results.append((p.winner, [*p.scores], p.steps, result.counts.p))

    simulate(dut, drive, take, watch=[dut.o])
    assert results == [(0, [3, 1], 3, 4), (0, [1, 1], 2, 2), (0, [0, 0], 1, 0)]


# -- every stream --------------------------------------------------------------------------------


def outputs_of(component):
    """Return the output streams of a component."""

    def streams(value):
        return (
            [output for part in value for output in streams(part)]
            if isinstance(value, list)
            else [value]
        )

    results = []
    for name, member in component.signature.members.items():
        if member.is_signature and isinstance(member.signature, stream.Signature):
            if member.flow == wiring.Out:
                results += streams(getattr(component, name))
    return results


@pytest.fixture
def components(monkeypatch):
    """Collect all components that are made."""
    results = []
    before = wiring.Component.__init__

    def remember(self, *args, **named):
        before(self, *args, **named)
        results.append(self)

    monkeypatch.setattr(wiring.Component, "__init__", remember)
    return results


@pytest.mark.parametrize(
    "seed, chances", [(1, (0.3, 0.7)), (4, (0, 0.95)), (6, (0.7, 0)), (1, (0, 0))]
)
def test_no_stream_anywhere_takes_back_what_it_offered(components, seed, chances):
    random = Random(seed)
    network = random_network(
        random, populations=(2, 3), neurons=(1, 6), channels=(1, 6), inputs=(2, 2), delay=2
    )
    spikes = random_spikes(network, random, 4, (1, 5))
    dut = Accelerator(network, random_mapping(network, random))
    # Most components are made only as the simulator is.
    streams = (output for component in components for output in outputs_of(component))
    expected = reference.run(network, spikes)
    results = []

    def source(node):
        async def drive(ctx):
            for sample in spikes[node.name]:
                for payload in payloads(dut, node, sample):
                    await pause(ctx, random, chances[0])
                    await put(ctx, port(dut, node), payload)

        return drive

    async def take(ctx):
        for _ in range(4):
            await pause(ctx, random, chances[1])
            results.append(unpack(dut, (await get(ctx, dut.o)).as_bits()))

    simulate(dut, *map(source, network.inputs), take, watch=streams)
    kinds = {type(component).__name__ for component in components}
    assert {"Queue", "Broadcast", "Scanner", "SpikeOutput"} <= kinds
    for readout in network.readouts:
        answer = expected.answers[readout.name]
        assert [result["winners"][readout.name] for result in results] == answer.classes.tolist()
        assert [result["scores"][readout.name] for result in results] == answer.scores.tolist()


def port(dut, node):
    """Return a port of which the payload is a plain number."""
    result = getattr(dut, dut.ports[node.name])
    return Bare(result.payload.as_value(), result.valid, result.ready)


class Bare:
    """A stream without layout."""

    def __init__(self, payload, valid, ready):
        self.payload, self.valid, self.ready = payload, valid, ready


# -- ports ---------------------------------------------------------------------------------------


def test_ports_have_safe_names():
    network = Network(
        [Input("in", 2), Input("In", 2)],
        [Population("signal", 2, Lif(width=8, threshold=2, decay=Decay.shift(1)))],
        [
            Projection("in", "signal", np.ones((2, 2), dtype=int)),
            Projection("In", "signal", np.ones((2, 2), dtype=int), 1),
        ],
        [Readout("signal", name="out"), Readout("signal", "last", name="out put")],
    )
    dut = Accelerator(network, observe=["signal"])
    assert dut.names == {"in": "in_n", "In": "In_n_2", "signal": "signal_n"}
    assert {*dut.signature.members} >= {"i_in_n", "i_In_n_2", "o", "observe_signal_n", "idle"}
    fields = dut.o.p.shape()
    assert [name for name, _ in fields["answers"].shape] == ["out_n", "out_put"]
    assert [name for name, _ in fields["counts"].shape] == ["signal_n"]
    text = rtlil.convert(dut, name="top")
    assert "observe_signal_n" in text


def test_one_input_is_just_i():
    dut = Accelerator(PAIR)
    assert {"i", "o"} <= {*dut.signature.members}
    assert dut.mapping == Mapping.default(PAIR)
    assert converts(dut)


def test_an_observer_sees_every_step():
    dut = Accelerator(PAIR, Mapping.default(PAIR, form="events"), observe=["p"])
    seen = []

    async def drive(ctx):
        for event in [(1, 0), END, (2, 0), LAST]:
            await put(ctx, dut.i, written(event))
        await get(ctx, dut.o)

    async def watch(ctx):
        while len(seen) < 2:
            _, _, outcome = await ctx.tick().sample(dut.observe_p)
            if outcome.valid:
                seen.append((outcome.fired, [state.v for state in outcome.states], outcome.last))

    simulate(dut, drive, watch)
    assert seen == [(0b01, [0, 1], 0), (0b10, [0, 0], 1)]


def test_spikes_may_leave_as_they_come():
    dut = Accelerator(PAIR, Mapping.default(PAIR, form="events"), streams=["p"])
    seen = []

    async def drive(ctx):
        for event in [(1, 0), END, (2, 0), LAST]:
            await put(ctx, dut.i, written(event))
        await get(ctx, dut.o)

    async def watch(ctx):
        while LAST not in seen:
            payload = await get(ctx, dut.events_p)
            seen.append((LAST if payload.last else END) if payload.end else (payload.address, 0))

    simulate(dut, drive, watch, watch=[dut.events_p])
    assert seen == [(0, 0), END, (1, 0), LAST]


def test_outputs_that_are_values_may_leave_as_they_come():
    dendrite = Dendrite(width=8, decay=Decay(1, 0), resolution=2, low=-4, high=3)
    network = Network(
        [Input("x", 2)],
        [Population("p", 2, dendrite)],
        [Projection("x", "p", np.array([[3, 0], [0, -10]]))],
        [Readout("p", "last")],
    )
    dut = Accelerator(network, Mapping.default(network, form="events"), streams=["p"])
    seen = []

    async def drive(ctx):
        for event in [(0, 0), END, (0, 0), (1, 0), LAST]:
            await put(ctx, dut.i, written(event))
        result = await get(ctx, dut.o)
        assert result.counts.p == 3

    async def watch(ctx):
        while LAST not in seen:
            payload = await get(ctx, dut.events_p)
            end = LAST if payload.last else END
            seen.append(end if payload.end else (payload.address, payload.value))

    simulate(dut, drive, watch, watch=[dut.events_p])
    # 3 / 2 is rounded up, and -10 / 2 is clipped.
    assert seen == [(0, 2), END, (0, 2), (1, -4), LAST]


def test_spikes_of_a_map_leave_by_position_with_the_addresses_of_the_network():
    convolution = Convolution(np.array([1, -1, 1]).reshape(3, 1, 1), (1, 2))
    network = Network(
        [Input("x", (1, 2))],
        [Population("p", (3, 2), If(threshold=1, width=4, fire=">="))],
        [Projection("x", "p", convolution)],
        [Readout("p", "count")],
    )
    dut = Accelerator(network, Mapping.default(network, form="events"), streams=["p"])
    seen = []

    async def drive(ctx):
        for event in [(0, 0), (1, 0), END, (1, 0), LAST]:
            await put(ctx, dut.i, written(event))
        result = await get(ctx, dut.o)
        assert [*result.answers.p.scores] == [1, 2, 0, 0, 1, 2]

    async def watch(ctx):
        while LAST not in seen:
            payload = await get(ctx, dut.events_p)
            seen.append((LAST if payload.last else END) if payload.end else (payload.address, 0))

    simulate(dut, drive, watch, watch=[dut.events_p])
    assert seen == [(0, 0), (4, 0), (1, 0), (5, 0), END, (1, 0), (5, 0), LAST]


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (("p",), TypeError, "Network must be a Network, not 'p'"),
        ((PAIR, 3), TypeError, "Mapping must be a Mapping, not 3"),
        (
            (PAIR, Mapping({}, {"x->p": 1})),
            ValueError,
            "Mapping cores must be for ['p'], not []",
        ),
    ],
)
def test_accelerator_rejects(arguments, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Accelerator(*arguments)
