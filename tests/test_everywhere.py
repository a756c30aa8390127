"""The same bits everywhere: reference, torch, and the accelerator cycle by cycle.

What is compared: spikes of every population in every step, all states, every readout, the counts,
on random networks that are alive and on real images; with stalls on both sides, samples back to
back and alone, early answers and windows.
"""

from collections import Counter
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from spiker_hdl import run
from spiker_hdl.model import (
    Accumulator,
    Answer,
    AnswerPolicy,
    Input,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    Result,
    encoders,
    load,
    queue_minimum,
    timing,
)
from spiker_hdl.model.mapping.core import row_parts
from spiker_hdl.simulate import compiled, interpreted

from support.events import Bounded
from support.networks import (
    assert_alive,
    cases,
    describe,
    everything,
    liveness,
    random_mapping,
    random_network,
    random_spikes,
)

FAST = 8
MANY = 500
CHUNK = 20
LARGE = 4
IMAGES = 100
SMALL = {"populations": (1, 3), "neurons": (1, 8), "channels": (1, 7)}
GRAPHS = {"populations": (1, 8), "neurons": (1, 8), "channels": (1, 8), "static": 0.7}


@pytest.fixture(autouse=True)
def bounded(monkeypatch):
    """Let nothing run forever."""
    monkeypatch.setattr(interpreted, "Simulator", Bounded)


# -- the torch rung ------------------------------------------------------------------------------


def run_torch(network, spikes):
    """Run samples in the arithmetic of training; return what the reference does."""
    torch = pytest.importorskip("torch")
    from spiker_train.network.arithmetic import Tensors

    counts = {population.name: [] for population in network.populations if population.neuron.emits}
    traces = {name: [] for name in everything(network)}
    answers = {readout.name: ([], []) for readout in network.readouts}
    samples = [*zip(*(spikes[node.name] for node in network.inputs), strict=True)]
    for sample in samples:
        arguments = {
            node.name: torch.as_tensor(np.asarray(values), dtype=torch.float64)
            for node, values in zip(network.inputs, sample, strict=True)
        }
        actual = _torch_sample(torch, Tensors, network, arguments)
        for name, trace in traces.items():
            trace.append(actual[name])
        for name, count in counts.items():
            count.append(int(np.count_nonzero(actual[name])))
        for readout in network.readouts:
            scores = _scores(readout.kind, actual, readout.population, network)
            if readout.groups is not None:
                scores = np.array([group.sum() for group in np.split(scores, readout.groups)])
            answers[readout.name][0].append(int(np.argmax(scores)))
            answers[readout.name][1].append(scores)
    variants = {name: Answer(np.array(c), np.array(s)) for name, (c, s) in answers.items()}
    first = variants[network.readout.name]
    steps = np.array([len(sample[0]) for sample in samples])
    return Result(
        first.classes,
        first.scores,
        steps,
        {name: np.array(count) for name, count in counts.items()},
        traces,
        answers=variants,
        engine="torch",
    )


def _torch_sample(torch, arithmetic, network, trains):
    """Run one sample on tensors of the format that the bounds say is exact."""
    steps = len(next(iter(trains.values())))
    recorded, states, couplings = {}, {}, {}
    for name in network.order:
        population = network.population[name]
        kind = getattr(torch, network.bounds[name].float_format)
        states[name] = {
            key: torch.as_tensor(np.broadcast_to(state.rest, population.size).copy(), dtype=kind)
            for key, state in population.neuron.states.items()
        }
        trains[name] = torch.zeros(steps, population.size, dtype=torch.float64)
        for key in population.neuron.states:
            recorded[f"{name}.{key}"] = np.zeros((steps, population.size), dtype=np.int64)
    for t in range(steps):
        for name in network.order:
            population = network.population[name]
            kind = getattr(torch, network.bounds[name].float_format)
            neuron = population.neuron
            currents = torch.zeros(neuron.receptors, population.size, dtype=kind)
            currents[neuron.bias_receptor] += torch.as_tensor(population.bias, dtype=kind)
            for into in network.into(name):
                if t >= into.delay:
                    weights = torch.tensor(into.synapses.matrix() * 2**into.shift, dtype=kind)
                    currents[into.receptor] += weights @ trains[into.source][t - into.delay].to(
                        kind
                    )
            values = {
                key: torch.as_tensor(np.asarray(p.value), dtype=kind)
                for key, p in population.neuron.parameters.items()
            }
            coupling = population.coupling
            if coupling is not None:
                none = torch.zeros(population.size, dtype=torch.bool)
                couplings.setdefault(name, (none, torch.zeros(1, dtype=torch.int64)))
                currents = torch.where(coupling.inhibited(*couplings[name]), 0, currents)
            fired, after = neuron.step(
                neuron.bind(values),
                SimpleNamespace(**states[name]),
                neuron.as_current(currents),
                arithmetic(dtype=kind),
            )
            if coupling is not None:
                fired, *couplings[name] = coupling.emit(fired > 0, *couplings[name])
            states[name] = {
                key: torch.as_tensor(value, dtype=kind).expand(population.size)
                for key, value in after.items()
            }
            if fired is not None:
                trains[name][t] = fired.to(torch.float64)
            for key, value in states[name].items():
                recorded[f"{name}.{key}"][t] = value.numpy()
    for name, population in network.population.items():
        if population.neuron.emits:
            recorded[name] = trains[name].numpy().astype(np.int64)
    return recorded


def _scores(kind, recorded, population, network):
    if kind == "count":
        return recorded[population].sum(axis=0, dtype=np.int64)
    if kind == "first":
        fired = recorded[population] > 0
        return np.where(fired.any(axis=0), len(fired) - fired.argmax(axis=0), 0)
    v = recorded[f"{population}.{network.population[population].neuron.potential}"]
    return {"last": v[-1], "largest": v.max(axis=0), "sum": v.sum(axis=0)}[kind]


# -- what is compared ----------------------------------------------------------------------------


def stalls(random, source, sink):
    """Make the pauses of a simulation, each cycle one by the given chances."""
    return (lambda: random.random() < source, lambda: random.random() < sink)


def compare(network, spikes, mapping, random):
    """Run everywhere, alone and back to back; return what the reference says."""
    names = everything(network)
    expected = run(network, spikes, record=names)
    assert expected.differences(run_torch(network, spikes)) == []
    alone = run(network, spikes, engine="amaranth", mapping=mapping, record=names)
    assert expected.differences(alone) == []
    assert (timing.predict(network, spikes, mapping=mapping).cycles == alone.cycles).all()
    pauses = stalls(random, random.choice([0, 0.2, 0.6]), random.choice([0, 0.3, 0.97]))
    crowded = interpreted.run(
        network, spikes, mapping=mapping, record=names, back_to_back=True, pauses=pauses
    )
    assert expected.differences(crowded) == []
    assert set(alone.spikes) == set(crowded.spikes) == set(names)
    return expected


def of_seed(seed, limits, samples=3, steps=8):
    """Draw a network, spikes and a mapping."""
    random = Random(seed)
    network = random_network(random, **limits)
    spikes = random_spikes(network, random, samples, (1, steps))
    return network, spikes, random_mapping(network, random), random


def mapping_options(network, mapping):
    """Name the choices that a mapping makes."""
    options = {mapping.form}
    for population in network.populations:
        core = mapping.cores[population.name]
        options.add("folded" if core.lanes < population.size else "a lane each")
        if core.units < population.size:
            options.add("groups")
        if core.units < core.lanes < population.size:
            options.add("parts of a fold")
        options |= {f"banks {core.banks}", f"stages {core.stages}"}
        if -(-population.size // core.units) < 3 + core.stages > 4:
            options.add("stages of few groups")
        rows = sum(
            -(-projection.synapses.source_size // core.banks) * -(-population.size // core.lanes)
            for projection in network.into(population.name)
            if mapping.store(network, projection) == "rows"
        )
        if len(row_parts(rows, core.block)) > 1:
            options.add("rows in parts")
        shifts = {
            projection.shift
            for projection in network.into(population.name)
            if mapping.store(network, projection) == "rows"
        }
        if len(shifts) > 1:
            options.add("rows of several shifts")
        if core.overlap:
            options.add("folded overlap" if core.lanes < population.size else "overlap")
        if network.holds(population.name):
            options |= {"static", "static overlap"} if core.overlap else {"static"}
    for projection in network.projections:
        options.add(mapping.store(network, projection))
        rows, core = mapping.store(network, projection) == "rows", mapping.cores[projection.target]
        if mapping.banks(network, projection.source) > (core.banks if rows else 1):
            options.add("serialized")
        if not rows and core.overlap:
            options.add("synapses overlap")
        minimum = mapping.queues[projection.name] == queue_minimum(network, projection)
        options.add("least queue" if minimum else "spare queue")
        if minimum and projection.delay:
            options.add("least queue of a delay")
    return options


MAPPINGS = frozenset({
    *("words", "events", "folded", "a lane each", "groups", "rows", "synapses"),
    *("parts of a fold", "banks 1", "banks 2", "banks 4", "banks 8", "serialized"),
    *("stages 1", "stages 2", "stages 3", "stages 4", "stages of few groups", "rows in parts"),
    *(
        "rows of several shifts",
        "overlap",
        "folded overlap",
        "synapses overlap",
        "static",
        "static overlap",
    ),
    *("least queue", "spare queue", "least queue of a delay"),
})


# -- random networks -----------------------------------------------------------------------------


# The last two have receptors of several dynamics, reached by rows in two banks and by synapses.
@pytest.mark.parametrize("seed", [*range(FAST), 19, 76])
def test_random_networks_give_the_same_bits_everywhere(seed):
    compare(*of_seed(seed, SMALL))


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases(populations=3, neurons=6, channels=6, samples=3, steps=6))
def test_shrinking_networks_give_the_same_bits_everywhere(case):
    compare(case.network, case.spikes, case.mapping, Random(case.seed))


def many(seed):
    """Draw one of the many networks, with what goes with it."""
    return of_seed(10_000 + seed, GRAPHS, samples=2)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, MANY, CHUNK))
def test_many_random_graphs_give_the_same_bits_everywhere(start):
    for seed in range(start, start + CHUNK):
        network, spikes, mapping, random = many(seed)
        names = everything(network)
        expected = run(network, spikes, record=names)
        assert expected.differences(run_torch(network, spikes)) == [], f"seed {seed}"
        # Half of them meet stalls, and half are as fast as the timing model says.
        stalled = random.random() < 0.5
        pauses = stalls(random, random.choice([0.1, 0.6]), random.choice([0.3, 0.97]))
        result = interpreted.run(
            network,
            spikes,
            mapping=mapping,
            record=names,
            back_to_back=True,
            pauses=pauses if stalled else None,
        )
        assert expected.differences(result) == [], f"seed {seed}"
        if not stalled:
            predicted = timing.predict(network, spikes, mapping=mapping, streams=1)
            assert (predicted.cycles == result.cycles).all(), f"seed {seed}"
        assert set(result.spikes) == set(names), f"seed {seed}"


@pytest.mark.parametrize("kind", ["last", "largest", "sum"])
def test_scores_of_potentials_that_stay_zero(kind):
    network = Network(
        (Input("in", 2),),
        (Population("out", 3, Accumulator(width=4)),),
        (Projection("in", "out", np.zeros((3, 2), dtype=int)),),
        (Readout("out", kind),),
    )
    assert network.bounds["out"].states["v"] == (0, 0)
    spikes = {"in": np.ones((2, 3, 2), dtype=int)}
    compare(network, spikes, Mapping.default(network), Random(0))


@pytest.mark.slow
def test_many_random_graphs_are_alive_and_take_every_option(capsys):
    drawn, mappings, sizes = [], Counter(), Counter()
    for seed in range(MANY):
        network, spikes, mapping, _ = many(seed)
        expected = run(network, spikes, record=everything(network))
        drawn.append(liveness(network, expected, spikes))
        mappings.update(mapping_options(network, mapping))
        sizes[len(network.populations)] += 1
    with capsys.disabled():
        print(f"\n{describe(drawn)}")
        print(
            "\n".join(f"{mappings[name] / MANY:6.1%} mapping: {name}" for name in sorted(MAPPINGS))
        )
        print("\n".join(f"{sizes[size] / MANY:6.1%} populations: {size}" for size in sorted(sizes)))
    assert_alive(drawn)
    assert set(mappings) <= MAPPINGS
    assert all(mappings[name] >= 0.05 * MANY for name in MAPPINGS), mappings
    assert set(sizes) == set(range(1, 9))
    assert all(sizes[size] >= 0.05 * MANY for size in sizes), sizes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(LARGE))
def test_larger_networks_give_the_same_bits_everywhere(seed):
    compare(*of_seed(1000 + seed, {"populations": (2, 5)}, samples=4, steps=14))


# -- answers before the end ----------------------------------------------------------------------


def spikes_of_windows(network, random, window):
    """Draw samples of whole windows."""
    samples = [random_spikes(network, random, 1, window * random.randint(1, 3)) for _ in range(3)]
    return {node.name: [sample[node.name][0] for sample in samples] for node in network.inputs}


@pytest.mark.parametrize("seed", [0, 3])
def test_windows_give_the_same_bits_everywhere(seed):
    random = Random(seed)
    network = random_network(random, **SMALL)
    window = random.randint(1, 4)
    spikes = spikes_of_windows(network, random, window)
    mapping, names = random_mapping(network, random), everything(network)
    expected = run(network, spikes, record=names, window=window)
    result = run(network, spikes, engine="amaranth", mapping=mapping, record=names, window=window)
    assert expected.differences(result) == []
    crowded = interpreted.run(
        network,
        spikes,
        mapping=mapping,
        reports=AnswerPolicy(window=window),
        back_to_back=True,
        pauses=stalls(random, 0.2, 0.5),
    )
    assert expected.differences(crowded) == []


@pytest.mark.parametrize("seed, early", [(0, "exact"), (13, 1), (7, 2), (9, "exact")])
def test_early_answers_give_the_same_bits_everywhere(seed, early):
    random = Random(seed)
    network = random_network(random, **SMALL)
    while early == "exact" and network.readout.kind not in {"count", "first"}:
        network = random_network(random, **SMALL)
    spikes = random_spikes(network, random, 4, (4, 10))
    mapping, names = random_mapping(network, random), everything(network)
    expected = run(network, spikes, record=names, early=early)
    lengths = np.array([len(sample) for sample in spikes[network.inputs[0].name]])
    assert (expected.steps < lengths).any(), "no sample is answered early"
    result = run(network, spikes, engine="amaranth", mapping=mapping, record=names, early=early)
    assert expected.differences(result) == []
    stalled = interpreted.run(
        network,
        spikes,
        mapping=mapping,
        record=names,
        reports=AnswerPolicy(early=early),
        pauses=stalls(random, 0.3, 0.3),
    )
    assert expected.differences(stalled) == []


# -- real data -----------------------------------------------------------------------------------


@pytest.fixture
def mnist(data_file, request):
    """Return the shipped network for MNIST, and test images as its spikes, with their digits."""
    network = load(request.config.rootpath / "networks" / "mnist.spiker")
    with np.load(data_file("mnist.npz")) as archive:
        images, digits = archive["x_test"], archive["y_test"]
    notes = dict(network.notes)
    encode = encoders.ENCODERS[notes["encoder"]]
    return network, encode(images, int(notes["steps"])), digits


@pytest.mark.slow
def test_images_give_the_same_bits_in_few_cycles(mnist):
    network, spikes, digits = mnist
    spikes, digits = spikes[:IMAGES], digits[:IMAGES]
    names = [population.name for population in network.populations if population.neuron.spiking]
    mapping = Mapping.default(network)
    expected = run(network, spikes, record=names)
    result = run(network, spikes, engine="amaranth", mapping=mapping, record=names)
    assert expected.differences(result) == []
    assert (expected.classes == digits).mean() >= 0.95
    assert result.cycles.mean() <= 700


@pytest.mark.slow
def test_all_images_give_the_same_bits_in_the_predicted_cycles(mnist):
    network, spikes, digits = mnist
    expected = run(network, spikes)
    result = compiled.run(network, spikes)
    assert len(result.classes) == len(digits) == 10_000
    assert expected.differences(result) == []
    assert (result.cycles == timing.predict(network, spikes).cycles).all()
    assert (result.classes == digits).mean() >= 0.982


@pytest.mark.slow
def test_all_spoken_digits_give_the_same_bits_in_the_predicted_cycles(data_file, request):
    spoken = pytest.importorskip("spiker_train.data.spoken_digits")
    network = load(request.config.rootpath / "networks" / "fsdd_recurrent.spiker")
    assert any(projection.source == projection.target for projection in network.projections)
    data = spoken.spoken_digits(path=data_file("fsdd_spikes.npz"))
    expected = run(network, data.spikes)
    result = compiled.run(network, data.spikes)
    assert expected.differences(result) == []
    assert (result.cycles == timing.predict(network, data.spikes).cycles).all()
    assert (result.classes == data.labels)[data.official[1]].mean() >= 0.97
