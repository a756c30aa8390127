# amaranth: UnusedElaboratable=no

"""Tests that a run ends where nothing moves any more, and says what waits for what."""

import re
import shutil
import time
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from amaranth import Module

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.model import (
    AnswerPolicy,
    Decay,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    stimulus,
)
from spiker_hdl.model.timing import predict
from spiker_hdl.model.timing.pipeline.accelerator import DeadlockError
from spiker_hdl.simulate import compiled, interpreted
from spiker_hdl.simulate.stall import MARGIN, SLACK, SOURCE, SimulationError, allowance, stalled

from support.networks import random_mapping, random_network, random_spikes


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Keep broken builds apart from those of the user, whose digests they share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def diamond():
    """Return a network in which one way is longer by a population and shorter by three steps."""
    neuron = Lif(width=8, decay=Decay.shift(2), threshold=2)
    ways = [("in", "a", 0), ("a", "b", 0), ("b", "c", 0), ("a", "c", 3)]
    return Network(
        [Input("in", 6)],
        [Population(name, 6, neuron) for name in "abc"],
        [Projection(a, b, np.full((6, 6), 2), bits=4, delay=delay) for a, b, delay in ways],
        [Readout("c")],
        16,
    )


SPIKES = np.ones((2, 8, 6), int)


@pytest.fixture
def short(monkeypatch):
    """Return a mapping with a queue below its least depth, which nothing refuses any more."""
    mapping = Mapping.default(diamond())
    (name,) = [name for name, depth in mapping.queues.items() if depth > 16]
    monkeypatch.setattr(Mapping, "check", lambda *_: None)
    return replace(mapping, queues=dict(mapping.queues) | {name: 1})


WAITS = [
    "population 'a' offers what population 'c' does not take",
    "population 'b' waits for population 'a'",
    "population 'c' waits for population 'b'",
    "readout 'c' waits for population 'c'",
]


def tools():
    for tool in ("verilator", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} must be installed")


@pytest.mark.parametrize("engine", ["amaranth", "compiled"])
def test_queue_that_is_too_short_is_detected(short, engine):
    if engine == "compiled":
        tools()
        compiled.build(diamond(), short)
    began = time.monotonic()
    with pytest.raises(
        SimulationError, match=r"^Accelerator must answer samples 0\.\.1, and "
    ) as e:
        spiker_hdl.run(diamond(), SPIKES, engine=engine, mapping=short)
    assert time.monotonic() - began < 20  # a second where nothing else runs
    waits = str(e.value).split(": ", 1)[1].split("; ")
    assert [line for line in waits if line in WAITS] == WAITS
    assert waits[-1].startswith(
        "the result waits for readout 'c' and the counter of population 'a'"
    )
    assert "\n" not in str(e.value)


def test_timing_model_detects_the_same_deadlock(short):
    with pytest.raises(DeadlockError, match="Accelerator must go on until it has answered"):
        predict(diamond(), SPIKES, mapping=short)
    # Also where cycles are not skipped.
    with pytest.raises(DeadlockError):
        predict(diamond(), SPIKES, mapping=short, streams=1)


@pytest.mark.slow
def test_emitted_directory_stalls_in_the_same_place(short, tmp_path):
    tools()
    emit(diamond(), tmp_path / "out", mapping=short, generated=0)
    message = f"nothing has moved for .*: {SOURCE} offers what input 'in' does not take$"
    with pytest.raises(SimulationError, match=message):
        spiker_hdl.run(tmp_path / "out", SPIKES, engine="compiled")


@pytest.mark.parametrize(
    "component, expected",
    [
        ("streams.queue.Queue", "the next sample waits until the accelerator is idle"),
        ("population.event_merger.EventMerger", "population 'b' waits for population 'a'"),
        ("streams.spike_output.SpikeOutput", "population 'c' waits for population 'b'"),
        ("readout.ReadoutCore", "population 'c' offers what readout 'c' does not take"),
        ("input_port.InputPort", "the next sample waits until the accelerator is idle"),
        (
            "sample_control.SpikeCounter",
            "population 'a' offers what its counter of spikes does not take",
        ),
    ],
    ids=["queue", "event_merger", "spike_output", "readout", "input_port", "counter"],
)
def test_component_that_does_nothing_is_named(monkeypatch, component, expected):
    monkeypatch.setattr(f"spiker_hdl.rtl.{component}.elaborate", lambda *_: Module())
    network = diamond()
    with pytest.raises(SimulationError) as error:
        interpreted.run(network, SPIKES[:1, :2])
    assert re.fullmatch(
        r"Accelerator must answer sample 0, and nothing has moved for \d{4} cycles: .*",
        str(error.value),
    )
    assert expected in str(error.value).split(": ", 1)[1].split("; ")


# -- what goes on is not stopped -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_slow_simulation_is_not_stopped(monkeypatch, seed):
    # Whatever is asked, and however soon, the answer is that of the timing model.
    monkeypatch.setattr(interpreted, "SLACK", 4)
    asked = []
    monkeypatch.setattr(
        interpreted,
        "allowance",
        lambda *given, **how: asked.append(allowance(*given, **how)) or 4000,
    )
    random = Random(seed)
    network = random_network(random, neurons=(2, 6), populations=(1, 3))
    trains = random_spikes(network, random, 2, (1, 4))
    mapping = random_mapping(network, random)
    result = interpreted.run(network, trains, mapping=mapping)
    assert len(asked) <= 1
    for limit in asked:
        assert limit == MARGIN * int(result.cycles.max()) + SLACK


def test_compiled_run_asks_the_timing_model_before_it_fails(monkeypatch):
    tools()
    monkeypatch.setattr("spiker_hdl.simulate.model_pool.FIRST_TIMEOUT", 1)
    network, mapping = diamond(), Mapping.folded(diamond(), 1)
    result = compiled.run(network, SPIKES, mapping=mapping)
    assert result.cycles.tolist() == predict(network, SPIKES, mapping=mapping).cycles.tolist()


def test_allowance_is_the_predicted_time():
    network = diamond()
    mapping = Mapping.folded(network, 2)
    trains = stimulus(network, SPIKES)
    times = predict(network, SPIKES, mapping=mapping).cycles
    assert allowance(network, mapping, trains, [1]) == MARGIN * int(times[1]) + SLACK
    crowded = predict(network, SPIKES, mapping=mapping, streams=1).cycles
    both = allowance(network, mapping, trains, range(2), back_to_back=True)
    assert both == MARGIN * int(crowded.max()) + SLACK
    # In windows, samples may be longer than a network's are.
    long = np.ones((1, 40, 6), int)
    trains = stimulus(network, long, window=4)
    part = predict(network, long[:, :16], mapping=mapping).cycles
    assert allowance(network, mapping, trains, [0]) == MARGIN * 3 * int(part[0]) + SLACK
    result = interpreted.run(network, long, mapping=mapping, reports=AnswerPolicy(window=4))
    assert result.steps.tolist() == [40]


def test_message_of_a_stall_is_short():
    ends = [(f"population {n}", f"population {n + 1}") for n in range(40)]
    error = stalled(range(3, 4), 7, ends, [(1, 0)] * 40)
    assert str(error).startswith("Accelerator must answer sample 3, and nothing has moved for 7 ")
    assert str(error).endswith("population 12 does not take; and 28 more")
