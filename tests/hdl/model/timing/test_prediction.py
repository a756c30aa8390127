"""Tests of the timing model: hand-worked cycles, the simulated ones, and what it refuses."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from spiker_hdl import run
from spiker_hdl.model import (
    Decay,
    If,
    Input,
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
from spiker_hdl.model.timing import prediction
from spiker_hdl.model.timing.pipeline import accelerator as pipeline
from spiker_hdl.simulate import interpreted

from support.events import Bounded
from support.networks import random_mapping, random_network, random_spikes
from support.small import make_network

SMALL = {"populations": (1, 3), "neurons": (1, 8), "channels": (1, 7)}


def chain(weight, size=4, targets=1, **options):
    """Return one population that counts, behind one input."""
    weights = np.full((targets, size), weight)
    return Network(
        (Input("in", size),),
        (Population("out", targets, If(threshold=1, width=6)),),
        (Projection("in", "out", weights, **options),),
        (Readout("out", "count"),),
        max_steps=16,
    )


# Events form: a beat is taken at cycle 0 and sits at the queue's output at cycle 2. A step's token
# taken in at cycle c gives its outcome at c + 4, through the emitter's queue to its scanner at
# c + 6 and so to readout and counter at c + 7; their answers are there at c + 9 (the counter's
# through a queue), and the result is valid one later.
STEP_TO_RESULT = 10


@pytest.mark.parametrize(
    "sample, cycles",
    [
        ([[0, 0, 0, 0]], 2 + STEP_TO_RESULT),  # the token alone
        ([[1, 0, 0, 0]], 3 + STEP_TO_RESULT + 1),  # an event before it; a spike before its token
        ([[1, 1, 0, 1]], 5 + STEP_TO_RESULT + 1),  # an event a cycle
        ([[0, 0, 0, 0], [0, 0, 0, 0]], 2 + 4 + STEP_TO_RESULT),  # a silent step takes four
        ([[0, 0, 0, 0], [1, 1, 1, 1]], 2 + 4 + 4 + STEP_TO_RESULT + 1),
    ],
)
def test_cycles_counted_by_hand(sample, cycles):
    network = chain(2)
    result = timing.predict(
        network, np.array([sample]), mapping=Mapping.default(network, form="events")
    )
    assert result.cycles.tolist() == [cycles]


def test_fewer_lanes_take_an_event_in_several_cycles():
    network = chain(0, targets=6)
    spikes = np.ones((1, 1, 4), int)
    cycles = [
        timing.predict(network, spikes, mapping=Mapping.folded(network, n, form="events")).cycles[0]
        for n in (6, 3, 2)
    ]
    # Four events, each one fold more, and one more group until the step's token leaves.
    assert np.diff(cycles).tolist() == [4 + 1, 4 + 1]


def test_words_take_a_cycle_for_each_event_but_at_least_one():
    network = chain(0, size=12)
    mapping = Mapping.default(network, form="words", word=4)
    silent = timing.predict(network, np.zeros((1, 1, 12), int), mapping=mapping).cycles[0]
    spikes = np.zeros((1, 1, 12), int)
    spikes[0, 0, [0, 1, 4]] = 1  # words of two, one and no event: one cycle more than three words
    assert timing.predict(network, spikes, mapping=mapping).cycles[0] == silent + 1


def test_cycles_are_divided_into_events_firing_and_waiting():
    network = chain(1, targets=6)
    spikes = np.ones((2, 3, 4), int)
    result = timing.predict(network, spikes, mapping=Mapping.folded(network, 3))
    spent = result.spent["out"]
    assert spent.events.tolist() == [2 * 4 * 3] * 2  # folds, events, steps
    assert spent.firing.tolist() == [3 * 3] * 2  # no event in three cycles after each step's end
    assert (spent.events + spent.firing + spent.waiting).tolist() == result.cycles.tolist()


def simulated(network, spikes, mapping):
    """Return cycles of lone samples, of crowded ones, and when those are valid."""
    alone = run(network, spikes, engine="amaranth", mapping=mapping).cycles
    crowded = interpreted.run(network, spikes, mapping=mapping, back_to_back=True)
    return alone, crowded.cycles


@pytest.mark.parametrize("seed", range(6))
def test_cycles_are_those_of_the_simulation(seed):
    random = Random(seed)
    network = random_network(random, **SMALL)
    spikes = random_spikes(network, random, 4, (1, 6))
    mapping = random_mapping(network, random)
    alone, crowded = simulated(network, spikes, mapping)
    assert timing.predict(network, spikes, mapping=mapping).cycles.tolist() == alone.tolist()
    result = timing.predict(network, spikes, mapping=mapping, streams=1)
    assert result.cycles.tolist() == crowded.tolist()


@pytest.mark.parametrize("gather", [8, *(pytest.param(n, marks=pytest.mark.slow) for n in (4, 16))])
def test_a_last_word_of_fewer_groups_is_written_with_the_step(gather):
    # Few neurons fire, and those in the last word alone when all else has come to rest.
    weights = np.zeros((13, 4), int)
    weights[[1, 12], [0, 1]] = 9
    network = Network(
        (Input("in", 4),),
        (
            Population("few", 13, If(threshold=3, width=8)),
            Population("out", 2, If(threshold=1, width=8)),
        ),
        (
            Projection("in", "few", weights),
            Projection("few", "out", np.ones((2, 13), dtype=int)),
        ),
        (Readout("out", "count"),),
    )
    spikes = np.zeros((4, 3, 4), int)
    spikes[[1, 2, 3, 3], [0, 1, 0, 2], [0, 1, 1, 1]] = 1
    mapping = Mapping.folded(network, 1)
    cores = {**mapping.cores, "few": replace(mapping.cores["few"], gather=gather)}
    mapping = replace(mapping, cores=cores)
    alone, crowded = simulated(network, spikes, mapping)
    assert timing.predict(network, spikes, mapping=mapping).cycles.tolist() == alone.tolist()
    result = timing.predict(network, spikes, mapping=mapping, streams=1)
    assert result.cycles.tolist() == crowded.tolist()


def test_events_of_several_banks_for_a_core_with_one():
    # The first core takes events of several banks in a cycle, and the second one each in its turn.
    weights = np.array([[(3 * n + 5 * k) % 7 - 2 for n in range(8)] for k in range(4)])
    network = Network(
        (Input("in", 8),),
        (
            Population("wide", 4, If(threshold=3, width=8)),
            Population("out", 4, If(threshold=4, width=8)),
        ),
        (
            Projection("in", "wide", weights),
            Projection("in", "out", Sparse.from_matrix(np.maximum(weights, 0))),
            Projection("wide", "out", np.eye(4, dtype=int)),
        ),
        (Readout("out", "count"),),
        max_steps=16,
    )
    mapping = Mapping.default(network)
    cores = dict(mapping.cores) | {"wide": replace(mapping.cores["wide"], banks=4)}
    mapping = replace(mapping, cores=cores, stores={"in->out": "synapses"})
    spikes = random_spikes(network, Random(3), 2, (2, 3))
    alone, crowded = simulated(network, spikes, mapping)
    assert timing.predict(network, spikes, mapping=mapping).cycles.tolist() == alone.tolist()
    result = timing.predict(network, spikes, mapping=mapping, streams=1)
    assert result.cycles.tolist() == crowded.tolist()


def test_results_follow_each_other_as_simulated(monkeypatch):
    network = make_network()
    spikes = random_spikes(network, Random(1), 5, (2, 4))
    times = []

    class Watched(interpreted._Bench):
        def sink(self):
            port = self.accelerator.o

            async def take(ctx):
                ctx.set(port.ready, 1)
                cycle = 0
                while len(self.results) < self.result_count:
                    *_, valid, payloads = await ctx.tick().sample(
                        port.valid, port.payload.as_value()
                    )
                    if valid:
                        self.results.append(payloads)
                        times.append(cycle)
                    cycle += 1

            return take

    monkeypatch.setattr(interpreted, "_Bench", Watched)
    interpreted.run(network, spikes, back_to_back=True)
    result = timing.predict(network, spikes, streams=1)
    assert result.finished.tolist() == times
    assert result.interval.tolist() == np.diff(times).tolist()
    assert (result.streams == 0).all()


@pytest.mark.parametrize("size", [3, 12, 33])
@pytest.mark.parametrize("read", ["never", "late"])
def test_an_input_that_nothing_waits_for_holds_nothing_up(size, read, monkeypatch):
    monkeypatch.setattr(interpreted, "Simulator", Bounded)
    late = [Projection("i0", "h", np.ones((1, size), int), delay=6)] if read == "late" else []
    network = Network(
        [Input("i0", size), Input("i1", 3)],
        [Population("h", 1, Lif(threshold=2, decay=Decay.shift(2), width=8))],
        [*late, Projection("i1", "h", np.ones((1, 3), int))],
        [Readout("h", "count")],
    )
    spikes = {node.name: np.ones((3, 4, node.size), int) for node in network.inputs}
    mapping = Mapping.default(network)
    expected = run(network, spikes)
    alone = run(network, spikes, engine="amaranth", mapping=mapping)
    crowded = interpreted.run(network, spikes, mapping=mapping, back_to_back=True)
    assert expected.differences(alone) == []
    assert expected.differences(crowded) == []
    assert timing.predict(network, spikes).cycles.tolist() == alone.cycles.tolist()
    predicted = timing.predict(network, spikes, streams=1)
    assert predicted.cycles.tolist() == crowded.cycles.tolist()


def test_streams_and_batches_change_nothing(monkeypatch):
    random = Random(5)
    network = random_network(random, **SMALL)
    spikes = random_spikes(network, random, 9, (1, 6))
    whole = timing.predict(network, spikes)
    monkeypatch.setattr(prediction, "BATCH", 2)
    monkeypatch.setattr(pipeline, "COMPACT", 1)
    steps = []
    split = timing.predict(network, spikes, progress=steps.append)
    assert steps == [2, 2, 2, 2, 1]
    assert whole.cycles.tolist() == split.cycles.tolist()
    for name, spent in whole.spent.items():
        for what, mine in vars(spent).items():
            assert mine.tolist() == getattr(split.spent[name], what).tolist()
    crowded = timing.predict(network, spikes, streams=3)
    assert crowded.streams.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(crowded.interval) == 6
    firsts = crowded.cycles[::3]
    assert firsts.tolist() == whole.cycles[::3].tolist()


def everything(predicted):
    """Return all that a prediction says."""
    spent = {
        name: {k: v.tolist() for k, v in vars(operations).items()}
        for name, operations in predicted.spent.items()
    }
    return predicted.cycles.tolist(), predicted.finished.tolist(), spent


def compare_skipped(monkeypatch, network, spikes, mapping):
    """Compare with what is predicted without skipping; return how many cycles were skipped."""
    skipped = [0]
    with monkeypatch.context() as patch:
        skip = pipeline.Machines._skip

        def counted(machines, runs):
            cycles = skip(machines, runs)
            skipped.append(int((cycles * runs).sum()))
            return cycles

        patch.setattr(pipeline.Machines, "_skip", counted)
        for streams in (None, 1):
            results = []
            for worthwhile, seldom in ((10**9, 10**9), (0, 1)):  # never, and in every cycle
                patch.setattr(pipeline, "WORTHWHILE", worthwhile)
                patch.setattr(pipeline, "SELDOM", seldom)
                results.append(timing.predict(network, spikes, mapping=mapping, streams=streams))
            assert everything(results[0]) == everything(results[1])
    return sum(skipped)


@pytest.mark.parametrize("seed", range(6))
def test_skipped_cycles_are_those_that_are_not(monkeypatch, seed):
    random = Random(seed)
    network = random_network(random, neurons=(6, 20), populations=(1, 3))
    spikes = random_spikes(network, random, 2, (1, 4))
    for mapping in (
        random_mapping(network, random),
        Mapping.folded(network, 1),
        Mapping.preset("small", network),
    ):
        compare_skipped(monkeypatch, network, spikes, mapping)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("overlap", [False, True], ids=["in turns", "overlapping"])
def test_many_cycles_of_a_folded_mapping_are_skipped(monkeypatch, lanes, overlap):
    network = chain(2, size=24, targets=24)
    spikes = np.random.default_rng(1).integers(0, 2, (3, 4, 24))
    mapping = Mapping.folded(network, lanes)
    cores = {name: replace(core, overlap=overlap) for name, core in mapping.cores.items()}
    mapping = replace(mapping, cores=cores)
    skipped = compare_skipped(monkeypatch, network, spikes, mapping)
    taken = timing.predict(network, spikes, mapping=mapping).cycles.sum()
    assert skipped > taken / 2


def test_stored_synapses_without_weight_take_cycles():
    spikes = np.ones((1, 2, 3), int)
    cycles = []
    for value in (0, 1):
        network = Network(
            (Input("in", 3),),
            (Population("out", 3, Lif(threshold=9, decay=Decay.shift(1), width=6)),),
            (Projection("in", "out", OneToOne(np.full(3, value))),),
            (Readout("out", "count"),),
        )
        mapping = Mapping.default(network, stores={network.projections[0].name: "synapses"})
        alone, _ = simulated(network, spikes, mapping)
        cycles.append(timing.predict(network, spikes, mapping=mapping).cycles.tolist())
        assert cycles[-1] == alone.tolist()
    assert cycles[0] == cycles[1]


def test_arguments_are_checked():
    network = chain(1)
    spikes = np.ones((2, 1, 4), int)
    with pytest.raises(TypeError, match="Network must be a Network, not 3"):
        timing.predict(3, spikes)
    with pytest.raises(TypeError, match="Mapping must be a Mapping"):
        timing.predict(network, spikes, mapping=3)
    with pytest.raises(ValueError, match=r"Streams must be at most 2, not 3"):
        timing.predict(network, spikes, streams=3)
    with pytest.raises(ValueError, match="must have the shape"):
        timing.predict(network, spikes[0])
