# amaranth: UnusedElaboratable=no

"""Tests of the core of a population: against plain loops, its cycles, and bad input."""

from random import Random

import naive
import numpy as np
import pytest
from events import END, LAST, converts, plain, random_samples, written

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    Core,
    CurrentLif,
    Decay,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
)
from spiker_hdl.rtl import PopulationCore

from bench import get, pause, put, simulate

NEURONS = {
    "lif": Lif(width=8, threshold=20, decay=Decay.shift(2)),
    "lif, late and refractory": Lif(
        width=8, threshold=12, decay=Decay.shift(3), late=True, refractory=2, floor=-9
    ),
    "current": CurrentLif(
        width=9, threshold=30, decay=Decay.shift(3), current_decay=Decay(3, 3), current_width=7
    ),
    "adaptive": AdaptiveLif(
        width=9, threshold=10, decay=Decay.shift(2), rise=8, rise_decay=Decay.shift(2)
    ),
    "integrator": Integrator(width=10, decay=Decay.shift(3), v=5),
    "accumulator": Accumulator(width=7),
}


def network(random, neuron, size, sources=(5, 3), values=(-2, 3)):
    """Make a population with two inputs, the second of which is graded and late by a step."""
    weights = [
        np.array([[random.randint(-8, 9) for _ in range(source)] for _ in range(size)])
        for source in sources
    ]
    # With one bias for all, neurons that are not there would fire, too.
    bias = 9 if size == 7 else tuple(random.randint(-4, 6) for _ in range(size))
    readouts = [Readout("p", "last", "potentials")]
    if neuron.spiking:
        readouts.append(Readout("p", "count", "spikes"))
    return Network(
        [Input("x", sources[0]), Input("y", sources[1], *values)],
        [Population("p", size, neuron, bias)],
        [Projection("x", "p", weights[0]), Projection("y", "p", weights[1], 1)],
        readouts,
    )


def mapping(made, lanes, units, stores):
    queues = {one.name: 10 for one in made.projections}
    kinds = dict(zip(queues, stores, strict=True))
    return Mapping({"p": Core(lanes, units)}, queues, stores=kinds)


def given_to(core, n, event):
    """Return the payloads of an event at input ``n``, whose synapses may be stored one by one."""
    if event in {END, LAST}:
        return [{"end": 1, "last": int(event == LAST)}]
    projection = core.projections[n]
    if projection in core.dense:
        return [written(event)]
    address, value = event
    found = []
    for target, weight in enumerate(projection.synapses.matrix()[:, address].tolist()):
        fold, lane = divmod(target, core.core.lanes)
        if weight:
            found.append({"fold": fold, "lane": lane, "weight": weight * (value or 1)})
    return found


def answer(made, trains):
    """Return, for each step, who fires and the potentials; the trains are those that arrive."""
    one = made.population["p"]
    matrices = [projection.synapses.matrix() for projection in made.projections]
    found = []
    for sample in range(len(trains[0])):
        states = [naive.rest(one.neuron, n) for n in range(one.size)]
        for t in range(len(trains[0][sample])):
            sums = [naive.own(one.bias, n) for n in range(one.size)]
            for matrix, train in zip(matrices, trains, strict=True):
                for address, value in train[sample][t].items():
                    for n in range(one.size):
                        sums[n] += int(matrix[n, address]) * (value or 1)
            row = []
            for n in range(one.size):
                fired, states[n] = naive.advance(one.neuron, n, states[n], sums[n])
                row.append((bool(fired), states[n]["v"]))
            found.append(row)
    return found


def run(made, given, trains, random, pauses=(0, 0)):
    """Send what arrives at the inputs; return the events of spikes, potentials, and outcomes."""
    dut = PopulationCore(made, "p", mapping=given)
    lengths = [len(sample) for sample in trains[0]]
    spikes, potentials, outcomes, finishes = [], [], [], []

    def source(n):
        i = getattr(dut, f"i{n}")

        async def drive(ctx):
            for sample in trains[n]:
                for t, step in enumerate(sample):
                    token = LAST if t == len(sample) - 1 and not dut.projections[n].delay else END
                    for event in [*sorted(step.items()), token]:
                        for payload in given_to(dut, n, event):
                            await pause(ctx, random, pauses[0])
                            await put(ctx, i, payload)

        return drive

    def sink(stream, found):
        async def take(ctx):
            while found.count(END) + found.count(LAST) < sum(lengths):
                await pause(ctx, random, pauses[1])
                found.append(plain(await get(ctx, stream)))

        return take

    async def watch(ctx):
        groups = -(-dut.population.size // dut.core.units)
        while len(outcomes) < groups * sum(lengths):
            _, _, outcome, finish = await ctx.tick().sample(dut.outcome, dut.finish)
            finishes.append(finish)
            if outcome.valid:
                outcomes.append(outcome)

    benches = [source(0), source(1), sink(dut.potentials, potentials), watch]
    streams = [dut.potentials]
    if dut.population.neuron.spiking:
        benches.append(sink(dut.o, spikes))
        streams.append(dut.o)
    simulate(dut, *benches, watch=streams, deadline=30_000)
    assert sum(finishes) == len(lengths)
    return spikes, potentials, outcomes


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size, lanes, units, stores",
    [
        (1, 1, 1, ("rows", "rows")),
        (6, 6, 6, ("rows", "rows")),
        (7, 7, 2, ("rows", "synapses")),
        (7, 3, 3, ("rows", "rows")),
        (5, 1, 1, ("synapses", "rows")),
        (6, 2, 2, ("synapses", "synapses")),
    ],
)
@pytest.mark.parametrize("name", NEURONS)
def test_core_computes_what_loops_do(name, size, lanes, units, stores):
    random = Random(f"{name} {size}")
    made = network(random, NEURONS[name], size)
    xs = random_samples(random, 5, samples=4, steps=7)
    ys = [random_samples(random, 3, samples=len(sample), steps=1, values=(-2, 3)) for sample in xs]
    trains = [xs, [[step for (step, *_) in sample] for sample in ys]]
    pauses = random.choice([(0, 0), (0.3, 0), (0, 0.4)])
    spikes, potentials, outcomes = run(
        made, mapping(made, lanes, units, stores), trains, random, pauses
    )
    wanted = answer(made, trains)
    ends = [LAST if t == len(sample) - 1 else END for sample in xs for t in range(len(sample))]
    told = []
    for row, end in zip(wanted, ends, strict=True):
        told += [*enumerate(v for _, v in row), end]
    assert potentials == told
    if NEURONS[name].spiking:
        told = []
        for row, end in zip(wanted, ends, strict=True):
            told += [*[(n, 0) for n, (fired, _) in enumerate(row) if fired], end]
        assert spikes == told
        assert len(told) > len(ends)
    seen = [unit.v for outcome in outcomes for unit in outcome.states]
    groups = -(-size // units)
    rows = [seen[n * groups * units :][:size] for n in range(len(wanted))]
    assert rows == [[v for _, v in row] for row in wanted]


# -- cycles --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size, lanes, units", [(8, 8, 8), (9, 9, 1), (8, 2, 2), (12, 4, 4)])
def test_a_step_takes_no_longer_than_it_says(size, lanes, units):
    random = Random(size)
    silent = Lif(width=24, threshold=2**22, decay=Decay.shift(2))
    weights = np.ones((size, 4), dtype=int)
    made = Network(
        [Input("x", 4)],
        [Population("p", size, silent)],
        [Projection("x", "p", weights)],
        [Readout("p")],
    )
    dut = PopulationCore(made, "p", mapping=Mapping({"p": Core(lanes, units)}, {"x->p": 1}))
    # Empty steps may have to wait for the tokens of those before them to leave.
    drawn = random_samples(random, 4, samples=30, steps=1)
    steps = [(step or {0: 0, 1: 0, 2: 0},) for (step,) in drawn]
    taken, now = [], [0]

    async def drive(ctx):
        for n, (step,) in enumerate(steps):
            for event in [*sorted(step.items()), LAST if n == len(steps) - 1 else END]:
                ctx.set(dut.i0.payload, written(event))
                ctx.set(dut.i0.valid, 1)
                ready = 0
                while not ready:
                    _, _, ready = await ctx.tick().sample(dut.i0.ready)
                    now[0] += 1
            taken.append(now[0])

    async def take(ctx):
        for _ in steps:
            await get(ctx, dut.o)

    simulate(dut, drive, take, watch=[dut.o])
    folds, groups = -(-size // lanes), -(-size // units)
    for before, after, (step,) in zip(taken, taken[1:], steps[1:], strict=False):
        assert after - before <= len(step) * folds + max(4, groups)


def test_core_converts():
    made = network(Random(0), NEURONS["lif"], 5)
    given = mapping(made, 2, 2, ("rows", "synapses"))
    assert converts(PopulationCore(made, "p", mapping=given))


# -- bad input -----------------------------------------------------------------------------------


def test_core_rejects():
    made = network(Random(0), NEURONS["lif"], 5)
    with pytest.raises(TypeError, match=r"^Mapping must be a Mapping, not None$"):
        PopulationCore(made, "p", mapping=None)
