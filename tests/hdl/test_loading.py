"""Tests of networks that are loaded into what was built for others of the same structure."""

import json
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import pytest
import test_everywhere as everywhere
from amaranth import Value

from spiker_hdl import emit, run
from spiker_hdl.export import read_emission
from spiker_hdl.model import (
    INTEGERS,
    AdaptiveLif,
    Core,
    Decay,
    Dense,
    Input,
    Lif,
    Mapping,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    bounds,
    parameter,
    state,
)
from spiker_hdl.model.mapping.reload import (
    ADDRESS,
    DATA,
    MEMORY,
    WORD,
    beats,
    beats_between,
    check_structure,
    stores,
    structure,
    with_worst_case_bounds,
)
from spiker_hdl.payloads.beats import payloads, unpack
from spiker_hdl.rtl import Accelerator
from spiker_hdl.simulate import interpreted

from support.bench import get, put
from support.bench import simulate as clocked
from support.emitted import simulate
from support.small import make_network
from support.writable import another, as_rows, random_writable


def writable(network, **changes):
    """Return the default mapping with everything writable."""
    mapping = Mapping.default(network)
    cores = {name: replace(core, writable=True, **changes) for name, core in mapping.cores.items()}
    return replace(mapping, cores=cores)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 25))]
)
def test_written_network_is_the_one_that_runs(seed):
    network, spikes, mapping, random = everywhere.of_seed(20_000 + seed, everywhere.GRAPHS, steps=5)
    mapping = random_writable(random, network, mapping)
    mapping.check(network)
    built, network = as_rows(network, mapping), another(random, network, mapping)
    result = interpreted.run(network, spikes, mapping=mapping, built=built)
    assert not run(network, spikes).differences(result)


def test_other_network_has_other_answers():
    network = make_network()
    mapping = writable(network)
    other = another(Random(2), network, mapping)
    spikes = np.random.default_rng(1).integers(0, 2, (3, 4, 64))
    built = interpreted.run(network, spikes, mapping=mapping)
    result = run(other, spikes, engine="amaranth", mapping=mapping, built=network)
    assert not run(network, spikes).differences(built)
    assert not run(other, spikes).differences(result)
    assert built.differences(result)
    assert (built.cycles == run(network, spikes, engine="amaranth").cycles).all()


def test_hardware_has_the_width_that_any_weights_need():
    network = make_network()
    widest = with_worst_case_bounds(network, ["hidden"])
    assert widest.digest == network.digest
    assert widest.bounds["hidden"].sum_low == 64 * -8
    assert widest.bounds["hidden"].sum_high == 64 * 7
    assert widest.bounds["output"] == network.bounds["output"]
    assert network.bounds["hidden"].sum_low > 64 * -8
    assert with_worst_case_bounds(network, []) is network
    for seed in range(20):
        mapping = writable(network)
        other = another(Random(seed), network, mapping)
        for name, reached in bounds(other).items():
            room = with_worst_case_bounds(network, mapping.writable).bounds[name]
            assert room.sum_low <= reached.sum_low <= reached.sum_high <= room.sum_high
            assert room.current_low <= reached.current_low
            assert reached.current_high <= room.current_high


def test_shift_widens_sums_and_no_memory():
    network = make_network()
    first, second = network.projections
    shifted = replace(network, projections=[replace(first, shift=3), second])
    mapping = writable(network)
    before, after = (
        with_worst_case_bounds(variant, ["hidden"]).bounds["hidden"]
        for variant in (network, shifted)
    )
    assert (after.sum_low, after.sum_high) == (8 * before.sum_low, 8 * before.sum_high)
    assert after.sum_width == before.sum_width
    assert stores(shifted, mapping) == stores(network, mapping)
    other = another(Random(2), shifted, mapping)
    spikes = np.random.default_rng(1).integers(0, 2, (3, 4, 64))
    result = interpreted.run(other, spikes, mapping=mapping, built=shifted)
    assert not run(other, spikes).differences(result)


def test_beats_write_every_row_of_every_memory_between_two_digests():
    network = make_network()
    mapping = writable(network)
    words = beats(network, mapping)
    kinds, values = words >> np.uint64(WORD), words & np.uint64(2**WORD - 1)
    heads = np.flatnonzero(kinds == MEMORY)
    memories = stores(network, mapping)
    assert values[heads].tolist() == [0, *range(1, len(memories) + 1), 0]
    assert (kinds[heads + 1] == ADDRESS).all()
    assert not values[heads + 1].any()
    ends = [*heads[1:].tolist(), len(words)]
    sizes = [end - begin - 2 for begin, end in zip(heads.tolist(), ends, strict=True)]
    assert sizes == [32, *(memory.depth * memory.slices for memory in memories), 32]
    assert not values[heads[0] + 2 : heads[1]].any()
    assert bytes(values[heads[-1] + 2 :].astype(np.uint8)).hex() == network.digest
    assert (kinds[heads[0] + 2 : heads[1]] == DATA).all()


def test_structure_covers_all_but_writable_numbers():
    network = make_network()
    mapping = writable(network)
    same = structure(network, mapping)
    assert structure(another(Random(1), network, mapping), mapping) == same
    assert structure(replace(network, name="another", notes={"a": "b"}), mapping) == same
    hidden, output = network.populations
    slower = replace(hidden, neuron=replace(hidden.neuron, fire=">="))
    assert structure(replace(network, populations=[slower, output]), mapping) != same
    first, second = network.projections
    wider = replace(first, bits=5)
    assert structure(replace(network, projections=[wider, second]), mapping) != same
    shifted = replace(first, shift=1)
    assert structure(replace(network, projections=[shifted, second]), mapping) != same
    half = replace(mapping, cores={**mapping.cores, "output": Core(10, 8)})
    assert structure(network, half) != same
    assert structure(another(Random(1), network, mapping), half) != structure(network, half)


def test_zeros_count_as_no_biases():
    network = make_network()
    hidden, output = network.populations
    mapping = Mapping.default(network).with_writable(network, ["hidden", "output"])
    plain, zeros, some = (
        replace(network, populations=[replace(hidden, bias=bias), output])
        for bias in (0, (0,) * hidden.size, (0, *[1] * (hidden.size - 1)))
    )
    assert structure(plain, mapping) == structure(zeros, mapping) != structure(some, mapping)


def test_other_memory_layout_is_another_structure(monkeypatch):
    network = make_network()
    mapping = Mapping.default(network).with_writable(network, ["output"])
    same = structure(network, mapping)
    monkeypatch.setattr("spiker_hdl.model.mapping.reload.LAYOUT", 2)
    with pytest.raises(ValueError, match="of a library that loads as this one, by layout 2"):
        check_structure(network, mapping, same)


@pytest.mark.parametrize("reset", ["subtract", "zero", "value", "none"])
@pytest.mark.parametrize("fire", [">", ">="])
@pytest.mark.parametrize("floor", [None, -3])
def test_writable_parameters_can_be_replaced_and_nothing_else(reset, fire, floor):
    how = {"width": 6, "threshold": 9, "reset": reset, "fire": fire, "floor": floor}
    decay = Decay.shift(3)
    _, output = (network := make_network(3)).populations
    for neuron in (
        Lif(decay=decay, **how),
        AdaptiveLif(decay=decay, rise=3, rise_decay=decay, **how),
    ):
        assert "threshold" in neuron.replaceable
        for name, (low, high) in neuron.replaceable.items():
            for value in (low, high, (low, high)):
                replace(neuron, **{name: value})
            for value in (low - 1, high + 1):
                with pytest.raises(ValueError, match=f"{value}$"):
                    replace(neuron, **{name: value})
        with_it = replace(network, populations=[Population("hidden", 6, neuron), output])
        with_worst_case_bounds(with_it, ["hidden"])


def test_memories_are_not_written_while_a_sample_is_inside():
    network = make_network(9)
    mapping = writable(network)
    spikes = np.random.default_rng(1).integers(0, 2, (1, 4, 9))
    accelerator = Accelerator(network, mapping)
    port, load, scores = accelerator.i, accelerator.load, []
    (readout,) = accelerator.readout_names.values()

    async def drive(ctx):
        for beat in payloads(accelerator, network.inputs[0], spikes[0]):
            await put(ctx, port, port.p.shape().from_bits(beat))
            for _ in range(50):
                await ctx.tick()

    async def offer(ctx):
        await ctx.tick().until(port.valid & port.ready)
        words = beats(another(Random(2), network, mapping), mapping).tolist()
        ctx.set(load.p, load.p.shape().from_bits(words[0]))
        ctx.set(load.valid, 1)
        ready = answered = 0
        while not ready:
            *_, ready, answered = await ctx.tick().sample(load.ready, accelerator.o.valid)
        assert answered
        for word in words[1:]:
            await put(ctx, load, load.p.shape().from_bits(word))

    async def take(ctx):
        scores.append([*(await get(ctx, accelerator.o)).answers[readout].scores])

    clocked(accelerator, drive, offer, take)
    assert scores == run(network, spikes).scores.tolist()


def test_decay_of_other_width_is_another_structure():
    network = make_network()
    mapping = writable(network)
    hidden, output = network.populations

    def decaying(numerators, bits):
        neuron = replace(hidden.neuron, decay=Decay(numerators, bits))
        return replace(network, populations=[replace(hidden, neuron=neuron), output])

    first = decaying((3, 5, 4, 4, 5, 3), 3)
    assert structure(decaying((5, 3, 3, 3, 4, 4), 3), mapping) == structure(first, mapping)
    assert structure(decaying((3, 5, 4, 4, 5, 3), 4), mapping) != structure(first, mapping)
    assert structure(decaying((3, 6, 4, 4, 5, 3), 3), mapping) != structure(first, mapping)


@pytest.mark.parametrize("engine", ["amaranth", pytest.param("compiled", marks=pytest.mark.slow)])
def test_uninitialized_memory_changes_no_answer(engine):
    network = make_network(9)
    mapping = Mapping.default(network).with_writable(network, [], ["hidden", "output"])
    spikes = np.random.default_rng(1).integers(0, 2, (3, 4, 9))
    expected = run(network, spikes, engine="amaranth")
    result = run(network, spikes, engine=engine, mapping=mapping)
    assert not expected.differences(result)
    assert expected.scores.any()
    assert (expected.cycles == result.cycles).all()
    assert mapping.filled == Mapping.default(network).with_writable(network, ["hidden", "output"])


@dataclass(frozen=True)
class Tight(Neuron):
    """A neuron of one's own that holds its potential with thresholds of 0 or more alone."""

    threshold: Any = parameter((-8, 8), scales=True)
    v: Any = state((-32, 31))

    def step(self, p, s, current, via=INTEGERS):
        v = via.saturate(s.v + current, -32, 31)
        fired = via.above(v, p.threshold)
        return fired, {"v": via.select(fired, v - p.threshold, v)}


@dataclass(frozen=True)
class Loose(Tight):
    """As it is, and says so."""

    replaceable = property(lambda self: {"threshold": (0, 8)})


def test_user_neuron_states_what_can_be_replaced():
    _, output = (network := make_network()).populations
    variants = [
        replace(network, populations=[Population("hidden", 6, kind(threshold=5)), output])
        for kind in (Tight, Loose)
    ]
    with pytest.raises(
        ValueError, match=r"not -32..39: use via.saturate, or let `replaceable` be less than thres"
    ):
        with_worst_case_bounds(variants[0], ["hidden"])
    assert variants[0].bounds["hidden"].states["v"][0] >= -32
    network = variants[1]
    mapping = writable(network)
    other = another(Random(3), network, mapping)
    spikes = np.random.default_rng(1).integers(0, 2, (2, 3, 64))
    result = interpreted.run(other, spikes, mapping=mapping, built=network)
    assert not run(other, spikes).differences(result)


def test_network_of_another_structure_is_refused():
    network = make_network()
    plain, mapping = Mapping.default(network), writable(network)
    with pytest.raises(ValueError, match="Mapping must have a writable population"):
        beats_between(network, network, plain)
    _, output = network.populations
    lif = Lif(threshold=12, decay=Decay.shift(3), width=9)
    wider = replace(network, populations=[Population("hidden", 6, lif), output])
    with pytest.raises(
        ValueError, match=r"Network 'little' must differ from that for which .* alone"
    ):
        beats_between(network, wider, mapping)
    with pytest.raises(ValueError, match=r"\('uninitialized'\) must be writable"):
        Core(6, 6, weights="uninitialized")
    with pytest.raises(ValueError, match="Memory of states must be one of"):
        Core(6, 6, states="uninitialized", writable=True)
    with pytest.raises(ValueError, match=r"Store of .* must be 'rows', not 'synapses', where"):
        replace(mapping, stores={network.projections[0].name: "synapses"}).check(network)


def test_emitted_streams_have_a_load_port_and_axi_has_none(tmp_path):
    network = make_network()
    mapping = writable(network)
    spikes = np.random.default_rng(1).integers(0, 2, (2, 3, 64))
    for language in ("verilog", "vhdl"):
        where = tmp_path / language
        emit(network, where, mapping=mapping, language=language, samples=spikes, generated=0)
        assert (
            "load_valid"
            in (where / f"little.{language[:1]}{'hd' * (language == 'vhdl')}").read_text()
        )
        assert simulate(language, where)[0] == 0
        loading = json.loads((where / "manifest.json").read_text())["loading"]
        assert loading["valid"] == "load_valid"
        assert [memory["rows"] for memory in loading["memories"]] == [64, 1, 6]
        assert read_emission(where).mapping == mapping
    with pytest.raises(ValueError, match=r"Ports must be 'streams' if .* not 'axis'"):
        emit(network, tmp_path / "axis", mapping=mapping, ports="axis", generated=0)
    assert not (tmp_path / "axis").exists()
    with pytest.raises(ValueError, match="must be in memory with initial contents"):
        emit(
            network,
            tmp_path / "uninitialized",
            mapping=writable(network, weights="uninitialized"),
            generated=0,
        )


def test_reference_refuses_what_hardware_could_not_load():
    network = make_network()
    mapping, other = writable(network), make_network(3)
    spikes = np.zeros((1, 2, 64), dtype=np.uint8)
    changed = another(Random(2), network, mapping)
    loaded = run(changed, spikes, mapping=mapping, built=network)
    assert not run(changed, spikes).differences(loaded)
    with pytest.raises(ValueError, match="must differ from that for which the hardware was built"):
        run(other, spikes, mapping=writable(other), built=network)
    with pytest.raises(ValueError, match="Mapping must have a writable population"):
        run(changed, spikes, built=network)
    with pytest.raises(TypeError, match="Built must be a Network, not 3"):
        run(changed, spikes, mapping=mapping, built=3)


@pytest.mark.parametrize("after", [0, 1], ids=["same cycle", "next cycle"])
@pytest.mark.parametrize(
    "form, depth, kind",
    [
        ("events", 1, "auto"),
        ("events", 1, "uninitialized"),
        ("events", 2, "auto"),
        ("words", 1, "auto"),
    ],
)
def test_sample_that_begins_with_the_last_beat_or_behind_it_reads_what_it_wrote(
    form, depth, kind, after
):
    built, network = (
        Network(
            [Input("input", 4)],
            [Population("out", 3, Lif(width=10, threshold=20, decay=Decay.shift(2)))],
            [Projection("input", "out", weights, bits=6)],
            [Readout("out", "count")],
        )
        for weights in (np.zeros((3, 4), dtype=int), np.arange(1, 13).reshape(3, 4) * 2 + 5)
    )
    mapping = replace(writable(built, weights=kind), form=form, queues={"input->out": depth})
    accelerator = Accelerator(built, mapping)
    # The last row that is written is that of the only event of the first step.
    spikes = np.ones((1, 3, 4), dtype=np.uint8)
    spikes[0, 0, :3] = 0
    (weights,) = [store.number for store in stores(network, mapping) if store.part == "weights"]
    words = beats(network, mapping).tolist()
    first = words.index(MEMORY << WORD | weights)
    parameters = next(n for n in range(first + 1, len(words)) if words[n] >> WORD == MEMORY)
    words = words[parameters:] + words[first:parameters]
    sample = list(payloads(accelerator, network.inputs[0], spikes[0]))
    results, taken = [], {}

    async def load(ctx):
        ctx.set(accelerator.load.valid, 1)
        while words:
            ctx.set(Value.cast(accelerator.load.payload), words[0])
            *_, ready = await ctx.tick().sample(accelerator.load.ready)
            del words[:ready]
        taken["load"] = taken["now"]
        ctx.set(accelerator.load.valid, 0)

    async def offer(ctx):
        while len(words) > 1 - after:
            await ctx.tick()
        for n, beat in enumerate(sample):
            ctx.set(Value.cast(accelerator.i.payload), beat)
            ctx.set(accelerator.i.valid, 1)
            *_, ready = await ctx.tick().sample(accelerator.i.ready)
            assert ready or n
            while not ready:
                *_, ready = await ctx.tick().sample(accelerator.i.ready)
            taken.setdefault("sample", taken["now"])
        ctx.set(accelerator.i.valid, 0)

    async def take(ctx):
        ctx.set(accelerator.o.ready, 1)
        while not results:
            *_, valid, result = await ctx.tick().sample(
                accelerator.o.valid, Value.cast(accelerator.o.payload)
            )
            results.extend([result] * valid)

    async def count(ctx):
        taken["now"] = 0
        while not results:
            await ctx.tick()
            taken["now"] += 1

    clocked(accelerator, count, load, offer, take)
    waits = form == "events" and depth == 1 and not after
    assert (taken["load"] > taken["sample"]) == waits
    assert waits or taken["sample"] == taken["load"] + after
    # A beat that waits until the sample is through has no effect on it.
    matrix = network.projections[0].synapses.matrix() * ([1, 1, 1, 0] if waits else 1)
    expected = replace(
        network, projections=[replace(network.projections[0], synapses=Dense(matrix))]
    )
    scores = unpack(accelerator, results[0])["scores"]["out"]
    assert scores == run(expected, spikes).scores[0].tolist()
    assert scores != run(built, spikes).scores[0].tolist()
