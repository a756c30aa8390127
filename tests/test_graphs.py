# amaranth: UnusedElaboratable=no

"""Every shape that a graph can have: by loops over Python integers, reference and hardware."""

import sys
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from amaranth.back import rtlil

import spiker_hdl
from spiker_hdl.model import (
    READOUTS,
    Accumulator,
    AdaptiveLif,
    Core,
    CurrentLif,
    Decay,
    Dense,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
    timing,
)
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl import Accelerator

from support import naive
from support.bench import get, put, simulate
from support.networks import everything, random_mapping, random_network, random_spikes

LEAK = Decay.shift(2)


def lif(threshold=9, **options):
    return Lif(width=8, threshold=threshold, decay=LEAK, **options)


def weights(target, source, seed=0, low=-4, high=8):
    return np.random.default_rng(seed).integers(low, high, (target, source))


def sparse(target, source, seed=0, share=0.4):
    kept = np.random.default_rng(seed + 99).random((target, source)) < share
    return Sparse.from_matrix(np.where(kept, weights(target, source, seed, 1, 8), 0))


def graph(inputs, populations, projections, readouts=None, max_steps=32):
    """Make a network from short forms.

    Parameters
    ----------
    inputs : dict of str to int, or to (size, low, high)
    populations : dict of str to (size, Neuron), or to int for LIF neurons
    projections : list of (source, target, synapses or None, delay)
        Without synapses, weights of the right shape are drawn.
    """
    inputs = [Input(name, *([x] if isinstance(x, int) else x)) for name, x in inputs.items()]
    variants = {
        name: Population(name, *((x, lif()) if isinstance(x, int) else x))
        for name, x in populations.items()
    }
    sizes = {node.name: node.size for node in (*inputs, *variants.values())}
    links = []
    for n, (source, target, synapses, *delay) in enumerate(projections):
        if synapses is None:
            synapses = weights(sizes[target], sizes[source], n)
        links.append(Projection(source, target, synapses, *delay, name=f"link {n}"))
    readouts = readouts or [Readout([*variants][-1])]
    return Network(inputs, tuple(variants.values()), links, readouts, max_steps)


GRAPHS = {
    "several inputs": lambda: graph(
        {"a": 5, "b": (3, -2, 3), "c": (4, 0, 7)},
        {"p": 6},
        [("a", "p", None), ("b", "p", None), ("c", "p", None, 2)],
    ),
    "several inputs to several": lambda: graph(
        {"a": 5, "b": 3},
        {"p": 6, "q": 4, "out": 3},
        [("a", "p", None), ("b", "q", None), ("p", "out", None), ("q", "out", None)],
    ),
    "several into one": lambda: graph(
        {"a": 6},
        {"p": 5, "q": 4, "r": 3, "out": 4},
        [
            *(("a", name, None) for name in "pqr"),
            *((name, "out", None, late) for late, name in enumerate("pqr")),
        ],
    ),
    "one into several": lambda: graph(
        {"a": 6},
        {"p": 5, "q": 4, "r": 3, "out": 4},
        [
            ("a", "p", None),
            *(("p", name, None, late) for name, late in (("q", 0), ("r", 3), ("out", 1))),
            ("q", "out", None),
            ("r", "out", None),
        ],
    ),
    "recurrence": lambda: graph(
        {"a": 6}, {"p": 7}, [("a", "p", None), ("p", "p", weights(7, 7, 5, -5, 5), 1)]
    ),
    "recurrence, late": lambda: graph(
        {"a": 6},
        {"p": 7, "out": 3},
        [("a", "p", None), ("p", "p", weights(7, 7, 5, -5, 5), 4), ("p", "out", None)],
    ),
    "backwards": lambda: graph(
        {"a": 6},
        {"p": 7, "q": 5, "out": 3},
        [
            ("a", "p", None),
            ("p", "q", None),
            ("q", "out", None),
            ("q", "p", weights(7, 5, 4, -6, 3), 1),
            ("out", "p", weights(7, 3, 6, -6, 3), 2),
            ("out", "q", weights(5, 3, 7, -6, 3), 1),
        ],
    ),
    "skip": lambda: graph(
        {"a": 6},
        {"p": 5, "q": 4, "out": 3},
        [
            ("a", "p", None),
            ("p", "q", None),
            ("q", "out", None),
            ("p", "out", None),
            ("a", "out", None),
        ],
    ),
    "delays of each projection": lambda: graph(
        {"a": 6},
        {"p": 5, "out": 4},
        [("a", "p", None, 5), ("p", "out", None, 3), ("a", "out", None, 1)],
    ),
    "delays of each group of synapses": lambda: graph(
        {"a": 6},
        {"p": 5, "out": 4},
        [
            *(("a", "p", sparse(5, 6, late), late) for late in (0, 1, 2, 5)),
            *(("p", "out", None, late) for late in (0, 2)),
            *(("out", "out", sparse(4, 4, late), late) for late in (1, 3)),
        ],
    ),
    "one to one": lambda: graph(
        {"a": 6},
        {"p": 6, "q": 6},
        [
            ("a", "p", OneToOne(np.arange(4, 10))),
            ("p", "q", OneToOne(np.array([9, -9, 5, 11, 12, 0])), 1),
            ("p", "q", None),
            ("q", "q", OneToOne(np.full(6, -3)), 1),
        ],
    ),
    "sparse": lambda: graph(
        {"a": 9},
        {"p": 8, "out": 5},
        [("a", "p", sparse(8, 9)), ("p", "out", sparse(5, 8, 1)), ("p", "p", sparse(8, 8, 2), 1)],
    ),
    "no synapses at all": lambda: graph(
        {"a": 4},
        {"p": (3, lif(4)), "out": 2},
        [("a", "p", sparse(3, 4, 0, 0.0)), ("a", "out", None)],
    ),
    "clocked by a bias alone": lambda: Network(
        [Input("a", 4)],
        [Population("p", 3, lif(), bias=(1, 3, 5)), Population("out", 2, lif())],
        [Projection("a", "out", weights(2, 4)), Projection("p", "out", weights(2, 3), 1)],
        [Readout("p"), Readout("out", name="other")],
    ),
    "mixed models": lambda: graph(
        {"a": 6},
        {
            "p": (5, If(width=8, threshold=12, reset="zero", reset_timing="next_step")),
            "q": (
                4,
                CurrentLif(
                    width=9, current_width=8, threshold=20, decay=LEAK, current_decay=Decay(3, 3)
                ),
            ),
            "r": (
                4,
                AdaptiveLif(width=8, threshold=6, decay=LEAK, rise=3, rise_decay=Decay.shift(3)),
            ),
            "s": (3, lif(refractory=2, fire=">=", floor=-8)),
            "out": (3, Integrator(width=10, decay=LEAK)),
            "all": (3, Accumulator(width=12)),
        },
        [
            *(("a", name, None) for name in "pqr"),
            ("p", "s", None),
            ("q", "s", None, 1),
            ("r", "s", None),
            ("s", "p", weights(5, 3, 3, -5, 4), 1),
            *((name, "out", None) for name in "prs"),
            ("s", "all", None),
        ],
        [Readout("out", "last"), Readout("all", "sum"), Readout("s")],
    ),
    "all readouts": lambda: graph(
        {"a": 6},
        {"p": 5, "out": (4, Integrator(width=9, decay=LEAK))},
        [("a", "p", None), ("p", "out", None)],
        [
            *(Readout("p", kind, f"p {kind}") for kind in READOUTS),
            *(Readout("out", kind, f"out {kind}") for kind in ("last", "largest", "sum")),
        ],
    ),
}


def by_loops(network, spikes, samples):
    """Return what :mod:`naive` makes of samples."""
    return [
        naive.simulate(
            network, {name: np.asarray(train[n]).tolist() for name, train in spikes.items()}
        )
        for n in range(samples)
    ]


def assert_as_loops(network, spikes, result):
    """Compare a result, with all that was recorded, with loops over Python integers."""
    for n, (answers, record) in enumerate(by_loops(network, spikes, len(result.steps))):
        for name, ((winner, scores),) in answers.items():
            actual = result.answers[name]
            assert (actual.classes[n], actual.scores[n].tolist()) == (winner, scores), (n, name)
        for name, trace in record.items():
            assert np.asarray(result.spikes[name][n]).tolist() == trace, (n, name)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_engine_runs_each_graph(name):
    network = GRAPHS[name]()
    random = Random(name)
    spikes = random_spikes(network, random, 2, 12)
    record = everything(network)
    expected = spiker_hdl.run(network, spikes, record=record)
    assert_as_loops(network, spikes, expected)
    alive = {name for name, counts in expected.counts.items() if counts.sum()}
    assert len(alive) >= max(1, len(expected.counts) - 1), expected.counts
    for mapping in (
        Mapping.default(network, form="events"),
        random_mapping(network, random),
    ):
        result = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping, record=record)
        assert expected.differences(result) == []


@pytest.mark.parametrize("store", ["rows", "synapses"])
@pytest.mark.parametrize("lanes", [8, 3])
@pytest.mark.parametrize("name", ["sparse", "one to one", "delays of each group of synapses"])
def test_rows_and_sparse_store_give_the_same_answers(name, lanes, store):
    network = GRAPHS[name]()
    stores = {projection.name: store for projection in network.projections}
    mapping = Mapping.folded(network, lanes, stores=stores)
    assert {mapping.store(network, projection) for projection in network.projections} == {store}
    spikes = random_spikes(network, Random(7), 2, 10)
    record = everything(network)
    expected = spiker_hdl.run(network, spikes, record=record)
    result = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping, record=record)
    assert expected.differences(result) == []


@pytest.mark.parametrize("engine", ["reference", "amaranth"])
def test_projections_with_different_delays_worked_out_by_hand(engine):
    # Channel 0 reaches neuron 0 at once and after 3 steps, and neuron 1 after 1.
    groups = [
        Projection("in", "p", Sparse.from_matrix(np.array([[2, 0], [0, 0]])), 0),
        Projection("in", "p", Sparse.from_matrix(np.array([[0, 0], [3, 5]])), 1),
        Projection("in", "p", Sparse.from_matrix(np.array([[7, 0], [0, 0]])), 3),
    ]
    network = Network(
        [Input("in", 2)], [Population("p", 2, Accumulator(width=8))], groups, [Readout("p", "last")]
    )
    spikes = np.zeros((1, 6, 2), dtype=int)
    spikes[0, 0, 0] = spikes[0, 2, 1] = 1
    result = spiker_hdl.run(network, spikes, engine=engine, record=["p.v"])
    assert np.asarray(result.spikes["p.v"][0]).T.tolist() == [
        [2, 2, 2, 9, 9, 9],
        [0, 3, 3, 8, 8, 8],
    ]


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize("store", ["rows", "synapses"])
@pytest.mark.parametrize("shifts", [(2, 2, 2), (0, 3, 1), (1, 1, 4)], ids=str)
def test_shifted_projections_share_an_accumulator(shifts, store, banks):
    plain = graph(
        {"a": (6, -2, 3), "b": 4},
        {"p": (8, Lif(width=14, threshold=90, decay=LEAK))},
        [("a", "p", None), ("b", "p", sparse(8, 4)), ("p", "p", weights(8, 8, 5, -5, 5), 1)],
    )
    links = [
        replace(projection, shift=shift)
        for projection, shift in zip(plain.projections, shifts, strict=True)
    ]
    network = replace(plain, projections=links)
    spikes = random_spikes(network, Random(5), 3, 12)
    record = everything(network)
    expected = spiker_hdl.run(network, spikes, record=record)
    assert_as_loops(network, spikes, expected)
    assert expected.differences(spiker_hdl.run(plain, spikes))
    # A shift costs no weight memory, and what all have in common none of an accumulator.
    assert network.weight_bits == plain.weight_bits
    if len(set(shifts)) == 1:
        assert network.bounds["p"].sum_width == plain.bounds["p"].sum_width
    stores = {projection.name: store for projection in network.projections}
    cores = {"p": Core(4, 2, banks)}
    mapping = Mapping.default(network, cores=cores, stores=stores)
    result = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping, record=record)
    assert expected.differences(result) == []
    assert (timing.predict(network, spikes, mapping=mapping).cycles == result.cycles).all()


# -- events as they come -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["backwards", "mixed models", "several inputs"])
def test_stream_of_events_equals_the_recorded_spikes(name):
    network = GRAPHS[name]()
    spiking = [population.name for population in network.populations if population.neuron.spiking]
    spikes = random_spikes(network, Random(3), 3, 9)
    recorded = spiker_hdl.run(network, spikes, record=spiking).spikes
    accelerator = Accelerator(network, Mapping.folded(network, 3), streams=spiking)
    ports = {label: getattr(accelerator, f"events_{accelerator.names[label]}") for label in spiking}
    actual = {label: [] for label in spiking}

    def send(node):
        async def offer(ctx):
            port = getattr(accelerator, accelerator.ports[node.name])
            for sample in spikes[node.name]:
                for beat in payloads(accelerator, node, sample):
                    await put(ctx, port, port.payload.shape().from_bits(beat))

        return offer

    def listen(population):
        async def take(ctx):
            random = Random(population)
            lasts = 0
            while lasts < len(spikes[network.inputs[0].name]):
                for _ in range(random.randint(0, 2)):
                    await ctx.tick()
                event = await get(ctx, ports[population])
                lasts += event.end & event.last
                actual[population].append(event)

        return take

    async def drain(ctx):
        for _ in range(3):
            await get(ctx, accelerator.o)

    simulate(
        accelerator,
        *map(send, network.inputs),
        *map(listen, spiking),
        drain,
        watch=ports.values(),
        deadline=50_000,
    )
    for spiking_name in spiking:
        expected = []
        for sample in recorded[spiking_name]:
            for n, step in enumerate(sample):
                expected += [(0, int(k)) for k in np.flatnonzero(step)]
                expected.append((1, int(n == len(sample) - 1)))
        assert [(e.end, e.last if e.end else e.address) for e in actual[spiking_name]] == expected
        assert recorded[spiking_name].sum() > 2


# -- answers before the end ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["backwards", "all readouts", "delays of each group of synapses"])
@pytest.mark.parametrize("window", [1, 4])
def test_unbroken_signal_is_answered_in_windows(name, window):
    network = GRAPHS[name]()
    spikes = random_spikes(network, Random(5), 2, 12)
    record = everything(network)
    expected = spiker_hdl.run(network, spikes, window=window, record=record)
    whole = spiker_hdl.run(network, spikes, record=record)
    for key in record:  # states and delays go on as if nobody had asked
        assert np.array_equal(expected.spikes[key], whole.spikes[key])
    for n in range(2):
        sample = {key: train[n].tolist() for key, train in spikes.items()}
        for key, answers in naive.simulate(network, sample, window)[0].items():
            result = expected.answers[key]
            assert [*result.classes[n]] == [winner for winner, _ in answers]
            assert result.scores[n].tolist() == [scores for _, scores in answers]
    for mapping in (None, Mapping.folded(network, 2)):
        result = spiker_hdl.run(
            network, spikes, engine="amaranth", window=window, mapping=mapping, record=record
        )
        assert expected.differences(result) == []


def test_exact_early_exit_never_changes_the_class():
    stopped, total, changed = 0, 0, 0
    for seed in range(120):
        random = Random(seed)
        network = random_network(random, neurons=(2, 8), channels=(1, 8), populations=(1, 3))
        if network.readout.kind not in {"count", "first"}:
            continue
        spikes = random_spikes(network, random, 6, random.randint(4, 16))
        whole = spiker_hdl.run(network, spikes)
        exact = spiker_hdl.run(network, spikes, early="exact")
        assert np.array_equal(exact.classes, whole.classes), seed
        margin = spiker_hdl.run(network, spikes, early=1)
        assert (margin.steps <= whole.steps).all()
        changed += int((margin.classes != whole.classes).sum())
        stopped += int((exact.steps < whole.steps).sum())
        total += len(whole.steps)
    assert total > 250
    assert 0.1 < stopped / total < 0.95
    assert changed > 0  # a margin trades answers for steps


@pytest.mark.parametrize("groups", [2, 3])
def test_early_answers_of_groups_in_hardware_equal_the_reference(groups):
    network = graph({"a": 6}, {"p": 6}, [("a", "p", None)], [Readout("p", "count", groups=groups)])
    spikes = {"a": np.random.default_rng(groups).random((12, 10, 6)) < 0.3}
    whole = spiker_hdl.run(network, spikes)
    for early in ("exact", 2):
        expected = spiker_hdl.run(network, spikes, early=early)
        assert (expected.steps < 10).any()
        result = spiker_hdl.run(network, spikes, engine="amaranth", early=early)
        assert expected.differences(result) == []
        if early == "exact":
            assert np.array_equal(expected.classes, whole.classes)


@pytest.mark.parametrize("seed", range(6))
def test_early_answers_in_hardware_equal_the_reference(seed):
    random = Random(seed)
    while True:
        network = random_network(random, neurons=(2, 6), channels=(1, 6), populations=(1, 3))
        if network.readout.kind in {"count", "first"} or seed % 4 == 3:
            break
    spikes = random_spikes(network, random, 4, 10)
    early = random.choice([1, 2, 3]) if network.readout.kind in {"last", "sum", "largest"} else None
    for option in [early] if early else ["exact", random.choice([1, 2])]:
        expected = spiker_hdl.run(network, spikes, early=option)
        mapping = random_mapping(network, random)
        result = spiker_hdl.run(network, spikes, engine="amaranth", early=option, mapping=mapping)
        assert expected.differences(result) == []


# -- order, and size -----------------------------------------------------------------------------


def chain(names, *, size=2, more=()):
    """Make a chain of populations in the order of ``names``, which are given in another."""
    shuffled = Random(1).sample(names, len(names))
    links = [("in", names[0], Dense(np.full((size, 2), 6)))]
    links += [(a, b, OneToOne(np.full(size, 12))) for a, b in pairwise(names)]
    return graph(
        {"in": 2}, {name: (size, lif()) for name in shuffled}, [*links, *more], [Readout(names[-1])]
    )


def test_order_of_evaluation_follows_the_graph():
    names = [f"n{n:02}" for n in range(40)]
    first, again = chain(names), chain(names)
    assert first.order == again.order == tuple(names)
    # Where the graph leaves it open, in the order given.
    apart = graph({"in": 2}, dict.fromkeys("zayb", 2), [("in", letter, None) for letter in "abyz"])
    assert apart.order == tuple("zayb")


def test_order_is_computed_in_linear_time():
    def lines(count):
        network = chain([f"n{n}" for n in range(count)])
        code, seen = Network._sorted.__code__, 0

        def trace(frame, event, _):
            nonlocal seen
            if frame.f_code is not code:
                return None
            seen += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            network._sorted()
        finally:
            sys.settrace(before)
        return seen

    assert lines(120) < 2.1 * lines(60)


def test_cycle_without_delay_is_refused_by_name():
    names = [f"n{n}" for n in range(6)]
    back = ("n4", "n2", OneToOne(np.ones(2, dtype=int)))
    with pytest.raises(
        ValueError,
        match=r"^A cycle must have a delay of at least 1 somewhere, not "
        r"(n2 -> n3 -> n4 -> n2|n3 -> n4 -> n2 -> n3|n4 -> n2 -> n3 -> n4)$",
    ):
        chain(names, more=[back])
    assert chain(names, more=[(*back, 1)]).order == tuple(names)


def test_forty_populations_elaborate():
    names = [f"n{n:02}" for n in range(40)]
    more = [(names[n], names[n - 3], OneToOne(np.full(2, -1)), 1) for n in range(3, 40, 5)]
    more += [(names[n], names[n + 2], OneToOne(np.full(2, 2)), 2) for n in range(0, 38, 3)]
    network = chain(names, more=more)
    text = rtlil.convert(Accelerator(network))
    modules = {line.split()[1] for line in text.splitlines() if line.startswith("module ")}
    assert {f"\\top.population_{name}" for name in names} <= modules
    queues = {
        module for module in modules if module.startswith("\\top.queue_") and module.count(".") == 1
    }
    assert len(queues) == len(network.projections) == 40 + len(more)
    delays = {
        module for module in modules if module.startswith("\\top.delay_") and module.count(".") == 1
    }
    assert len(delays) == len(more)


def test_forty_populations_run():
    names = [f"n{n:02}" for n in range(40)]
    network = chain(names)
    spikes = np.ones((1, 20, 2), dtype=int)
    result = spiker_hdl.run(network, spikes)
    assert_as_loops(
        network, {"in": spikes}, spiker_hdl.run(network, spikes, record=everything(network))
    )
    assert result.counts["n39"].sum() > 0
