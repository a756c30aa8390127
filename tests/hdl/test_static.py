"""Tests of static inputs: one value a channel and sample, sent once, the same bits everywhere."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from amaranth import Fragment

from spiker_hdl import emit, run
from spiker_hdl.export import read_emission
from spiker_hdl.export.read.samples import read_samples
from spiker_hdl.model import (
    Core,
    Decay,
    FileError,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    load,
    timing,
)
from spiker_hdl.payloads.beats import payloads
from spiker_hdl.rtl import Accelerator
from spiker_hdl.simulate import compiled, interpreted

from support.emitted import simulate
from support.networks import random_mapping


def draw(seed):
    """Draw a network with static inputs, samples of several lengths, and a mapping."""
    random, draws = Random(seed), np.random.default_rng(seed)
    channels, hidden, output = random.randint(1, 12), random.randint(1, 11), random.randint(1, 5)
    low, high = random.choice([(0, 1), (0, 3), (0, 15), (-2, 2)])
    inputs = [Input("x", channels, low, high, static=True)]
    links = [
        Projection("x", "h", draws.integers(-4, 5, (hidden, channels)), random.choice([0, 0, 2])),
        Projection("h", "o", draws.integers(-4, 5, (output, hidden))),
    ]
    if seed % 3 == 0:
        inputs.append(Input("y", 3, static=True))
        links.append(Projection("y", "h", draws.integers(-4, 5, (hidden, 3)), 1))
    network = Network(
        inputs,
        [
            Population("h", hidden, Lif(threshold=4, decay=Decay.shift(2), width=9)),
            Population("o", output, Integrator(decay=Decay.shift(2), width=10)),
        ],
        links,
        [Readout("o", "last"), Readout("h", "count", "spikes")],
    )
    steps = [random.randint(1, 6) for _ in range(4)]
    spikes = {
        node.name: [
            np.repeat(
                draws.integers(node.low, node.high + 1, (1, node.size))
                * (draws.random((1, node.size)) < 0.6),
                count,
                axis=0,
            )
            for count in steps
        ]
        for node in inputs
    }
    return network, spikes, random_mapping(network, random), random


@pytest.mark.parametrize("seed", range(8))
def test_engines_agree_and_cycles_are_predicted(seed):
    network, spikes, mapping, random = draw(seed)
    record = ["h", "h.v", "o.v"]
    expected = run(network, spikes, record=record)
    alone = run(network, spikes, engine="amaranth", mapping=mapping, record=record)
    assert expected.differences(alone) == []
    assert (timing.predict(network, spikes, mapping=mapping).cycles == alone.cycles).all()
    crowded = interpreted.run(network, spikes, mapping=mapping, back_to_back=True)
    assert expected.differences(crowded) == []
    predicted = timing.predict(network, spikes, mapping=mapping, streams=1)
    assert (predicted.cycles == crowded.cycles).all()
    stalled = interpreted.run(
        network,
        spikes,
        mapping=mapping,
        record=record,
        back_to_back=True,
        pauses=(lambda: random.random() < 0.3, lambda: random.random() < 0.4),
    )
    assert expected.differences(stalled) == []


def test_samples_are_alive():
    counts = [run(*draw(seed)[:2]).counts["h"] for seed in range(8)]
    assert sum((count > 0).mean() > 0.5 for count in counts) >= 5


@pytest.mark.slow
def test_compiled_engine_agrees():
    for seed in (1, 3):
        network, spikes, mapping, _ = draw(seed)
        expected = run(network, spikes, record=["h", "o.v"])
        result = compiled.run(network, spikes, mapping=mapping, record=["h", "o.v"])
        assert expected.differences(result) == []
        assert (timing.predict(network, spikes, mapping=mapping).cycles == result.cycles).all()


def held_and_not(static):
    draws = np.random.default_rng(0)
    return Network(
        [Input("x", 9, static=static)],
        [Population("o", 4, Lif(threshold=9, decay=Decay.shift(3), width=8))],
        [Projection("x", "o", draws.integers(-4, 5, (4, 9)))],
        [Readout("o", "count")],
    )


def test_static_input_is_added_once():
    spikes = np.repeat(np.random.default_rng(1).integers(0, 2, (2, 1, 9)), 5, axis=1)
    static, other = held_and_not(True), held_and_not(False)
    assert run(static, spikes).differences(run(other, spikes)) == []
    events = spikes[:, 0].sum(axis=1)
    for mapping in (Mapping.default(static), Mapping.folded(static, 2, form="events")):
        folds = -(-4 // mapping.cores["o"].lanes)
        assert timing.predict(static, spikes, mapping=mapping).spent["o"].events.tolist() == [
            *(folds * events)
        ]
        assert timing.predict(other, spikes, mapping=mapping).spent["o"].events.tolist() == [
            *(folds * 5 * events)
        ]


@pytest.mark.parametrize("core", [Core(16, 1), Core(8, 8), Core(8, 1), Core(4, 2, 2)])
def test_late_static_input_does_not_reach_the_step_before(core):
    # The events of ``y`` come while the neurons take the step in which those of ``x`` came.
    draws = np.random.default_rng(0)
    weights = draws.integers(-4, 5, (2, 16, 6))
    network = Network(
        [Input("x", 6, static=True), Input("y", 6, static=True)],
        [Population("p", 16, Lif(threshold=9, decay=Decay.shift(3), width=9))],
        [Projection("x", "p", weights[0]), Projection("y", "p", weights[1], 1)],
        [Readout("p", "count")],
    )
    spikes = {n: np.repeat(draws.integers(0, 2, (3, 1, 6)), 6, axis=1) for n in "xy"}
    cores = {"p": replace(core, overlap=True)}
    mapping = Mapping.default(network, cores=cores, form="events")
    expected = run(network, spikes)
    assert expected.differences(run(network, spikes, engine="amaranth", mapping=mapping)) == []
    assert expected.counts["p"].min() > 10


def test_later_steps_have_one_beat_each():
    network = held_and_not(True)
    sample = np.ones((3, 9), int)
    for form, beats in (("words", 3 + 1 + 1), ("events", 9 + 1 + 1 + 1)):
        accelerator = Accelerator(network, Mapping.default(network, form=form, word=4))
        assert len(payloads(accelerator, network.inputs[0], sample)) == beats
        Fragment.get(accelerator, None)  # elaborated, as each component must be


def test_files_and_manifests_state_static_inputs(tmp_path):
    network = held_and_not(True)
    network.save(tmp_path / "net.spiker")
    again = load(tmp_path / "net.spiker")
    assert again == network
    assert again.inputs[0].static
    assert network.digest != held_and_not(False).digest
    spikes = np.ones((2, 3, 9), int)
    emit(network, tmp_path / "out", samples=spikes, generated=0)
    assert (
        "After a sample's first step, each step has one beat"
        in (tmp_path / "out" / "manifest.json").read_text()
    )


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_samples_of_test_benches_are_read_back(tmp_path, seed):
    network, spikes, mapping, _ = draw(seed)
    emit(network, tmp_path, mapping=mapping, samples=spikes, generated=0)
    actual = read_samples(read_emission(tmp_path))
    for name, samples in spikes.items():
        assert [result.tolist() for result in actual[name]] == [
            sample.tolist() for sample in samples
        ]
    assert run(network, actual).differences(run(network, spikes)) == []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["verilog", "vhdl"])
@pytest.mark.parametrize("ports", ["streams", "axis"])
def test_test_benches_pass(tmp_path, language, ports):
    harder = {
        "verilog": ["+stalls=1", "+back_to_back"],
        "vhdl": ["-gstalls=1", "-gback_to_back=true"],
    }
    for seed in (0, 2):
        network, spikes, mapping, _ = draw(seed)
        where = tmp_path / str(seed)
        timed = run(network, spikes, engine="amaranth", mapping=mapping)
        emit(
            network,
            where,
            language=language,
            ports=ports,
            mapping=mapping,
            samples=spikes,
            expected=timed,
            generated=0,
        )
        for arguments in ([], harder[language]):
            status, text = simulate(language, where, *arguments)
            assert (status, text.strip()) == (0, "PASS 4 samples")


@pytest.mark.parametrize("form", ["words", "events"])
def test_vectors_that_repeat_static_values_are_refused(tmp_path, form):
    network = held_and_not(True)
    mapping = Mapping.default(network, form=form, word=9)
    emit(network, tmp_path, mapping=mapping, samples=np.ones((1, 2, 9), int), generated=0)
    emission = read_emission(tmp_path)
    lines = emission.vectors["vectors/i.hex"].splitlines(keepends=True)
    again = {"vectors/i.hex": b"".join([*lines[:-1], lines[0], lines[-1]])}
    emission = replace(emission, vectors=again)
    with pytest.raises(FileError, match="must be empty, behind the first step of a static input"):
        read_samples(emission)


def test_input_that_cannot_be_static_is_refused():
    spikes = np.zeros((2, 3, 9), int)
    spikes[1, 2, 4] = 1
    with pytest.raises(ValueError, match=r"'x' must be the same in every step.*step 2 of sample 1"):
        run(held_and_not(True), spikes)
    with pytest.raises(TypeError, match="Input 'x' static must be a bool, not 1"):
        Input("x", 3, static=1)
    neuron = Lif(threshold=9, decay=Decay.shift(3), width=8)
    with pytest.raises(ValueError, match="'o' must take static inputs alone, not 'o' beside 'x'"):
        Network(
            [Input("x", 2, static=True)],
            [Population("o", 2, neuron)],
            [
                Projection("x", "o", np.ones((2, 2), int)),
                Projection("o", "o", np.ones((2, 2), int), delay=1),
            ],
            [Readout("o", "count")],
        )
    network = held_and_not(True)
    with pytest.raises(ValueError, match="Store of 'x->o' must be 'rows', not 'synapses'"):
        Mapping.default(network, stores={"x->o": "synapses"})
