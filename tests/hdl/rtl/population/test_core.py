# amaranth: UnusedElaboratable=no

"""Tests of the core of a population: against plain loops, its cycles, and bad input."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    Core,
    CurrentLif,
    Decay,
    Dendrite,
    Dense,
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

from support import naive
from support.bench import get, pause, put, simulate
from support.events import END, LAST, converts, given, items_of, plain, random_samples

NEURONS = {
    "lif": Lif(width=8, threshold=20, decay=Decay.shift(2)),
    "lif, late and refractory": Lif(
        width=8,
        threshold=12,
        decay=Decay.shift(3),
        reset_timing="next_step",
        refractory=2,
        floor=-9,
    ),
    "current": CurrentLif(
        width=9, threshold=30, decay=Decay.shift(3), current_decay=Decay(3, 3), current_width=7
    ),
    "adaptive": AdaptiveLif(
        width=9, threshold=10, decay=Decay.shift(2), rise=8, rise_decay=Decay.shift(2)
    ),
    "integrator": Integrator(width=10, decay=Decay.shift(3), v=5),
    "accumulator": Accumulator(width=7),
    "dendrite": Dendrite(width=10, decay=Decay.shift(2), resolution=16, low=-2, high=5),
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


def mapping(net, lanes, units, stores, banks=1, overlap=False, stages=1):
    queues = {projection.name: 10 for projection in net.projections}
    kinds = dict(zip(queues, stores, strict=True))
    return Mapping({"p": Core(lanes, units, banks, overlap, stages)}, queues, stores=kinds)


def given_to(core, n, events):
    """Return the payloads of an item at input ``n``, whose synapses may be stored one by one."""
    projection = core.projections[n]
    if projection in core.dense:
        return [given(events, core.core.banks)]
    if events[0] in {END, LAST}:
        return [{"end": 1, "last": int(events[0] == LAST)}]
    ((address, value),) = events
    results = []
    for target, weight in enumerate(projection.synapses.matrix()[:, address].tolist()):
        fold, lane = divmod(target, core.core.lanes)
        if weight:
            results.append({"fold": fold, "lane": lane, "weight": weight * (value or 1)})
    return results


def answer(net, trains):
    """Return, for each step, outputs and potentials; the trains are those that arrive."""
    population = net.population["p"]
    matrices = [projection.synapses.matrix() for projection in net.projections]
    results = []
    for sample in range(len(trains[0])):
        states = [naive.rest(population.neuron, n) for n in range(population.size)]
        for t in range(len(trains[0][sample])):
            sums = [naive.own(population.bias, n) for n in range(population.size)]
            for matrix, train in zip(matrices, trains, strict=True):
                for address, value in train[sample][t].items():
                    for n in range(population.size):
                        sums[n] += int(matrix[n, address]) * (value or 1)
            row = []
            for n in range(population.size):
                fired, states[n] = naive.advance(population.neuron, n, states[n], sums[n])
                row.append((fired, states[n]["v"]))
            results.append(row)
    return results


def run(net, laid, trains, random, pauses=(0, 0)):
    """Send what arrives at the inputs; return the events of spikes, potentials, and outcomes."""
    dut = PopulationCore(net, "p", mapping=laid)
    lengths = [len(sample) for sample in trains[0]]
    spikes, potentials, outcomes, finishes = [], [], [], []

    def source(n):
        i = getattr(dut, f"i{n}")

        async def drive(ctx):
            projection = dut.projections[n]
            banks = dut.core.banks if projection in dut.dense else 1
            for events in items_of(trains[n], banks, random):
                # What is late never says that a sample ends.
                late = projection.delay and events == [LAST]
                for payload in given_to(dut, n, [END] if late else events):
                    await pause(ctx, random, pauses[0])
                    await put(ctx, i, payload)

        return drive

    def sink(stream, items):
        async def take(ctx):
            while items.count(END) + items.count(LAST) < sum(lengths):
                await pause(ctx, random, pauses[1])
                items.append(plain(await get(ctx, stream)))

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
    if dut.population.neuron.emits:
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
    compare(name, size, stores, lanes, units)


@pytest.mark.parametrize(
    "size, stores, lanes, units, banks, overlap",
    [
        (7, ("rows", "rows"), 7, 2, 2, False),
        (8, ("rows", "rows"), 8, 8, 4, True),
        (9, ("rows", "rows"), 9, 2, 1, True),
        (9, ("rows", "rows"), 3, 1, 1, True),
        (8, ("rows", "rows"), 4, 2, 8, False),
        (8, ("rows", "synapses"), 4, 2, 4, True),
        (6, ("synapses", "rows"), 2, 1, 2, True),
        (6, ("synapses", "synapses"), 2, 1, 1, True),
        (7, ("synapses", "synapses"), 7, 3, 2, True),
    ],
)
@pytest.mark.parametrize("name", ["lif", "integrator", "dendrite"])
def test_core_computes_the_same_with_banks_and_overlap(
    name, size, stores, lanes, units, banks, overlap
):
    compare(name, size, stores, lanes, units, banks, overlap)


@pytest.mark.parametrize(
    "size, lanes, units, banks, overlap, stages",
    [
        (6, 6, 6, 1, True, 3),
        (6, 6, 6, 1, False, 2),
        (7, 7, 1, 2, True, 4),
        (7, 7, 2, 1, True, 4),
        (6, 3, 3, 1, True, 4),
        (6, 2, 1, 4, False, 3),
    ],
)
def test_core_computes_the_same_in_stages(size, lanes, units, banks, overlap, stages):
    # Silent steps follow each other as soon as they may, whose states are those just computed.
    compare("lif", size, ("rows", "rows"), lanes, units, banks, overlap, stages)


def compare(name, size, stores, *core):
    """Compare a core with loops, spikes and potentials; ``core`` is how it lies in hardware."""
    random = Random(f"{name} {size}")
    lanes, units, *more = core
    net = network(random, NEURONS[name], size)
    xs = random_samples(random, 5, samples=4, steps=7)
    ys = [random_samples(random, 3, samples=len(sample), steps=1, values=(-2, 3)) for sample in xs]
    trains = [xs, [[step for (step, *_) in sample] for sample in ys]]
    pauses = random.choice([(0, 0), (0.3, 0), (0, 0.4)])
    spikes, potentials, outcomes = run(
        net, mapping(net, lanes, units, stores, *more), trains, random, pauses
    )
    expected = answer(net, trains)
    ends = [LAST if t == len(sample) - 1 else END for sample in xs for t in range(len(sample))]
    events = []
    for row, end in zip(expected, ends, strict=True):
        events += [*enumerate(v for _, v in row), end]
    assert potentials == events
    if NEURONS[name].emits:
        events = []
        for row, end in zip(expected, ends, strict=True):
            outputs = [
                (n, 0 if fired is True else fired) for n, (fired, _) in enumerate(row) if fired
            ]
            events += [*outputs, end]
        assert spikes == events
        assert len(events) > len(ends)
    seen = [unit.v for outcome in outcomes for unit in outcome.states]
    groups = -(-size // units)
    rows = [seen[n * groups * units :][:size] for n in range(len(expected))]
    assert rows == [[v for _, v in row] for row in expected]


@pytest.mark.parametrize("overlap", [False, True])
def test_the_last_event_of_a_step_is_in_that_step(overlap):
    neuron = Accumulator(width=9)
    net = network(Random(5), neuron, 6)
    laid = mapping(net, 2, 2, ("synapses", "synapses"), 1, overlap)
    # The lowest row, which is taken first, is that to which is added last.
    weights = np.zeros((6, 5), dtype=int)
    weights[0] = range(1, 6)
    projections = [replace(net.projections[0], synapses=Dense(weights)), net.projections[1]]
    net = replace(net, projections=projections)
    steps = [{n: 0} for n in (0, 3, 4, 2, 1)]
    trains = [[steps], [[{}] * 5]]
    _, potentials, _ = run(net, laid, trains, Random(0))
    expected = [
        each for row in answer(net, trains) for each in (*enumerate(v for _, v in row), END)
    ]
    assert potentials == [*expected[:-1], LAST]


# -- cycles --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "core",
    [
        *(Core(8, 8), Core(9, 1), Core(2, 2), Core(4, 4), Core(4, 1)),
        *(Core(9, 9, 2), Core(9, 2, 4), Core(3, 3, 2), Core(6, 2, 8)),
        *(Core(9, 9, 1, True), Core(9, 1, 1, True), Core(3, 1, 2, True), Core(4, 4, 4, True)),
        *(Core(8, 8, stages=2), Core(9, 3, 2, stages=3), Core(4, 4, stages=4)),
        *(Core(9, 1, 1, True, 3), Core(3, 3, 2, True, 4)),
    ],
)
def test_a_step_takes_no_longer_than_it_says(core):
    size = {8: 8, 9: 9, 2: 8, 4: 12, 3: 11, 6: 12}[core.lanes]
    random = Random(size)
    silent = Lif(width=24, threshold=2**22, decay=Decay.shift(2))
    weights = np.ones((size, 40), dtype=int)
    net = Network(
        [Input("x", 40)],
        [Population("p", size, silent)],
        [Projection("x", "p", weights)],
        [Readout("p")],
    )
    dut = PopulationCore(net, "p", mapping=Mapping({"p": core}, {"x->p": 1}))
    # Short steps may have to wait for the tokens of those before them to leave.
    minimum = min(40, (6 + core.stages) * core.banks)
    steps = [dict.fromkeys(range(random.randint(minimum, 40)), 0) for _ in range(20)]
    items = items_of([steps], core.banks)
    taken, now = [], [0]

    async def drive(ctx):
        for events in items:
            ctx.set(dut.i0.payload, given(events, core.banks))
            ctx.set(dut.i0.valid, 1)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i0.ready)
                now[0] += 1
            if events[0] in {END, LAST}:
                taken.append(now[0])

    async def take(ctx):
        for _ in steps:
            await get(ctx, dut.o)

    simulate(dut, drive, take, watch=[dut.o])
    folds, groups = -(-size // core.lanes), -(-size // core.units)
    interval = max(3 + core.stages, groups)
    for before, after, step in zip(taken, taken[1:], steps[1:], strict=False):
        events = -(-len(step) // core.banks) * folds
        expected = max(events + 1, interval) if core.overlap else events + interval
        assert after - before == expected


def test_core_converts():
    net = network(Random(0), NEURONS["lif"], 5)
    for laid in (
        mapping(net, 2, 2, ("rows", "synapses")),
        mapping(net, 4, 2, ("rows", "synapses"), 4, True),
    ):
        assert converts(PopulationCore(net, "p", mapping=laid))


# -- bad input -----------------------------------------------------------------------------------


def test_core_rejects():
    net = network(Random(0), NEURONS["lif"], 5)
    with pytest.raises(TypeError, match=r"^Mapping must be a Mapping, not None$"):
        PopulationCore(net, "p", mapping=None)
