"""Tests of Monte-Carlo runs: draws at once are those of a loop, and can be stopped and gone on."""

import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from spiker_hdl import run
from spiker_hdl.base import FileError
from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout
from spiker_train import (
    BitFaults,
    Cell,
    Connection,
    Device,
    Faults,
    FirstOrder,
    GaussianNoise,
    Layer,
    MonteCarlo,
    NeuronSpread,
    PowerLawDrift,
    Quantization,
    SpikingNetwork,
    Tau,
    quantize,
)
from spiker_train.monte_carlo.integers import as_tensors
from spiker_train.monte_carlo.neurons import draw_neurons, with_neurons
from spiker_train.network.drawn import draw_weights, with_weights

DEVICE = Device(
    high=20e-6,
    levels=16,
    programming=GaussianNoise(relative=0.2, absolute=1e-6),
    drift=PowerLawDrift(exponent=0.05, deviation=0.02),
    reading=GaussianNoise(relative=0.02),
    faults=Faults(stuck_low=0.05, stuck_high=0.02),
)
TIMES = (0.0, 1e4)


def make():
    """Return a small network in double precision."""
    cells = {
        "cell": Cell(Lif, threshold=1.0, decay=0.9),
        "output": Cell(Integrator, decay=Decay.shift(3)),
    }
    return SpikingNetwork.chain("12-10-4", bias=True, seed=3, **cells).double()


def samples(count=20):
    """Return spikes, and the classes that the network finds without devices."""
    spikes = (np.random.default_rng(1).random((count, 6, 12)) < 0.3).astype(np.uint8)
    return spikes, make().run(spikes).classes


def by_loop(study, spikes, labels):
    """Return right answers of each draw and time, one network at a time."""
    right = []
    for draw in range(study.draws):
        row = []
        for seconds in study.times:
            with torch.no_grad(), with_weights(study.net, study.weights(draw, seconds)):
                classes = study.net.run(spikes, study.integers).classes
            row.append(int((classes == labels).sum()))
        right.append(row)
    return np.array(right)


@pytest.mark.parametrize("stack, batch", [(2, 7), (None, 20)])
@pytest.mark.parametrize("integers", [None, Quantization(4, 10)], ids=["float", "integers"])
def test_draws_at_once_are_those_of_a_loop(integers, stack, batch):
    spikes, labels = samples()
    study = MonteCarlo(
        make(), DEVICE, 5, 5, integers=integers, times=TIMES, stack=stack, batch=batch
    )
    draws = study.run(spikes, labels, progress=False)
    expected = by_loop(study, spikes, labels)
    assert np.array_equal(draws.accuracy() * 20, expected)
    assert len(np.unique(expected)) > 3


@pytest.mark.parametrize("stack", [1, 2])
def test_counts_by_class_are_those_of_scikit_learn(stack):
    metrics = pytest.importorskip("sklearn.metrics")
    spikes, labels = samples()
    study = MonteCarlo(make(), DEVICE, 3, 5, times=TIMES, stack=stack, batch=7)
    draws = study.run(spikes, labels, progress=False)
    assert draws.classes == tuple(np.bincount(labels, minlength=4))
    with torch.no_grad(), with_weights(study.net, study.weights(2, TIMES[1])):
        classes = study.net.run(spikes).classes
    expected = metrics.precision_recall_fscore_support(
        labels, classes, labels=range(4), zero_division=np.nan
    )
    for own, other in zip((draws.precision(), draws.recall(), draws.f1()), expected, strict=False):
        assert own[2, 1] == pytest.approx(other, nan_ok=True)


def test_integer_network_is_the_reference():
    network = quantize(make(), 4, 8)
    net, integers = as_tensors(network)
    spikes, _ = samples()
    assert not run(network, spikes).differences(net.run(spikes, integers))
    study = MonteCarlo(network, DEVICE, 3, 5)
    assert study.integers == integers
    weights = study.weights(1)
    assert all(values.equal(values.round()) for values in weights.values())
    assert not weights["input->hidden"].equal(study.weights(2)["input->hidden"])


def test_draw_depends_on_its_seed_and_number_alone():
    net = make()
    first = draw_weights(net, DEVICE, 5, 2, 100.0)
    assert all(
        first[name].equal(values) for name, values in draw_weights(net, DEVICE, 5, 2, 100.0).items()
    )
    for other in (draw_weights(net, DEVICE, 5, 3, 100.0), draw_weights(net, DEVICE, 6, 2, 100.0)):
        assert not any(first[name].equal(values) for name, values in other.items())
    few = MonteCarlo(net, DEVICE, 2, 5).run(*samples(), progress=False)
    many = MonteCarlo(net, DEVICE, 5, 5).run(*samples(), progress=False)
    assert [many.right[draw] for draw in (0, 1)] == [few.right[draw] for draw in (0, 1)]


def test_bits_fail_in_other_places_in_each_draw():
    study = MonteCarlo(quantize(make(), 4, 10), {}, 3, 5, bit_faults=BitFaults(upset=0.1))
    drawn = [study.weights(draw)["input->hidden"] for draw in (0, 1, 0)]
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    other = MonteCarlo(quantize(make(), 4, 10), {}, 3, 6, bit_faults=BitFaults(upset=0.1))
    assert not torch.equal(drawn[0], other.weights(0)["input->hidden"])


def test_clipped_weights_are_counted_where_there_are_synapses():
    random = np.random.default_rng(2)
    mask = random.random((6, 12)) < 0.5
    layers = [Layer("out", 6, Cell(Integrator, decay=0.9))]
    links = [Connection("in", "out", random.normal(size=(6, 12)), kind="sparse", mask=mask)]
    net = SpikingNetwork([Input("in", 12)], layers, links, [Readout("out", "last")]).double()
    study = MonteCarlo(net, DEVICE, 1, 5, integers=Quantization(3, 10))
    weights, clipped = study.drawn(0, 0.0)
    scale = study.integers.weight_scale(net.layers[0], net.connections[0])
    held = (draw_weights(net, DEVICE, 5, 0)["in->out"] / scale).round().numpy()
    beyond = (held < -4) | (held > 3)
    assert clipped == (beyond & mask).sum() > 0
    assert held[~mask].any()  # noise of cells without a synapse
    assert not weights["in->out"].numpy()[~mask].any()


def test_devices_may_be_of_one_connection():
    net = make()
    weights = draw_weights(net, {"hidden->output": DEVICE}, 5, 0)
    assert list(weights) == ["hidden->output"]
    spikes, labels = samples()
    draws = MonteCarlo(net, {"hidden->output": DEVICE}, 4, 5).run(spikes, labels, progress=False)
    assert 0 < draws.accuracy().min() < 1


@pytest.mark.parametrize("kind", ["float", "integers"])
def test_neurons_spread_as_those_of_a_loop(kind):
    net, spread = make(), NeuronSpread(threshold=0.3, time_constant=0 if kind != "float" else 0.5)
    network = net if kind == "float" else quantize(net, 5, 8)
    if kind == "float":
        net.layer["output"].cell.exact.clear()
    spikes, labels = samples()
    study = MonteCarlo(network, Device(high=1.0), 5, 5, neurons=spread, batch=11)
    draws = study.run(spikes, labels, progress=False)
    expected = []
    for draw in range(5):
        values = draw_neurons(study.net, spread, 5, draw)
        with torch.no_grad(), with_neurons(study.net, values):
            scores = study.net(spikes, study.integers).scores
        expected.append(int((scores.numpy().argmax(1) == labels).sum()))
    assert draws.accuracy().ravel() * 20 == pytest.approx(expected)
    assert len(set(expected)) > 1
    after = MonteCarlo(network, Device(high=1.0), 1, 5).run(spikes, labels, progress=False)
    assert after.accuracy() == (1 if kind == "float" else pytest.approx(after.accuracy()))


@pytest.mark.parametrize("learn", [(), ("decay",)], ids=["fixed", "learned"])
def test_time_constants_in_seconds_spread(learn):
    spread = NeuronSpread(time_constant=0.8)

    def make_timed(tau):
        cell = Cell(Lif, threshold=1.0, decay=Tau(tau), learn=learn)
        net = SpikingNetwork.chain("12-10-4", cell=cell, readout="count", seed=3).double()
        net.dt = 1e-3
        return net

    net = make_timed(5e-3)
    spikes, _ = samples()
    labels = net.run(spikes).classes
    study = MonteCarlo(net, Device(high=1.0), 4, 5, neurons=spread)
    draws = study.run(spikes, labels, progress=False)
    for draw in range(4):
        values = draw_neurons(net, spread, 5, draw)
        other = make_timed(5e-3)
        for layer in other.layers:
            tau = values[layer.name, "decay"]
            assert tau.std() > 1e-4
            layer.cell.taus["decay"] = Tau(tau.numpy())
            if learn:
                layer.cell.float_decay.data = tau.log()
        assert draws.right[draw] == (int((other.run(spikes).classes == labels).sum()),)
    assert net.layer["hidden"].cell.taus["decay"].seconds == pytest.approx(5e-3)
    assert len(set(draws.right.values())) > 1


def slower(net):
    """Return a network with other dynamics, and the same weights."""
    net.connections[0].dynamics = FirstOrder(0.5)
    return net


def test_time_constants_spread_around_their_nominal_mean():
    cells = [Cell(Integrator, decay=decay) for decay in (Tau(0.01), float(np.exp(-0.1)))]
    layers = [Layer(name, 4000, cell) for name, cell in zip("ab", cells, strict=True)]
    net = SpikingNetwork([Input("in", 1)], layers, [], [Readout("a", "last")], dt=1e-3)
    drawn = draw_neurons(net, NeuronSpread(time_constant=0.5), 1, 0)
    seconds, factors = drawn["a", "decay"], drawn["b", "decay"]
    for steps in (seconds / 1e-3, -1 / factors.log()):
        assert float(steps.mean()) == pytest.approx(10, rel=0.03)
        assert float(steps.log().std()) == pytest.approx(0.5, rel=0.05)


def test_stopped_study_goes_on(tmp_path, monkeypatch):
    spikes, labels = samples()
    file = tmp_path / "draws.json"

    def study(draws=6):
        return MonteCarlo(make(), DEVICE, draws, 5, times=TIMES, stack=2)

    whole = study().run(spikes, labels, progress=False)
    count = MonteCarlo.count
    seen = []

    def stopping(self, draws, x, y):
        seen.extend(draws)
        if len(seen) > 4:
            raise KeyboardInterrupt
        return count(self, draws, x, y)

    monkeypatch.setattr(MonteCarlo, "count", stopping)
    with pytest.raises(KeyboardInterrupt):
        study().run(spikes, labels, file=file, progress=False)
    monkeypatch.setattr(MonteCarlo, "count", count)
    assert json.loads(file.read_text())["draws"] == [0, 1, 2, 3]
    resumed = study().run(spikes, labels, file=file, progress=False)
    assert resumed == whole
    monkeypatch.setattr(MonteCarlo, "count", None)  # nothing is left to run
    assert study().run(spikes, labels, file=file, progress=False) == whole
    assert list(study(3).run(spikes, labels, file=file, progress=False).right) == [0, 1, 2]
    monkeypatch.setattr(MonteCarlo, "count", count)
    content = json.loads(file.read_text())
    for name in ("classes", "hits", "answers"):
        del content[name]
    file.write_text(json.dumps(content | {"right": [[0, 0]] * 6}))  # without counts by class
    assert study().run(spikes, labels, file=file, progress=False) == whole
    for other in (
        MonteCarlo(make(), DEVICE, 6, 6, times=TIMES),
        MonteCarlo(make(), Device(high=20e-6), 6, 5, times=TIMES),
        MonteCarlo(slower(make()), DEVICE, 6, 5, times=TIMES),
    ):
        with pytest.raises(FileError, match="must be of the same network, devices, seed, times"):
            other.run(spikes, labels, file=file, progress=False)


def run_until_killed(file):
    """Run a study whose fourth chunk of draws never ends."""
    count = MonteCarlo.count

    def stopping(self, draws, x, y):
        while draws[0] >= 6:
            time.sleep(1)
        return count(self, draws, x, y)

    MonteCarlo.count = stopping
    study = MonteCarlo(make(), DEVICE, 12, 5, times=TIMES, stack=2)
    study.run(*samples(), file=file, progress=False)


@pytest.mark.slow
def test_killed_study_goes_on(tmp_path):
    file = tmp_path / "draws.json"
    process = multiprocessing.get_context("spawn").Process(target=run_until_killed, args=(file,))
    process.start()
    deadline = time.monotonic() + 300
    while not file.exists() or len(json.loads(file.read_bytes())["draws"]) < 6:
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["draws.json"]
    seen = []
    study = MonteCarlo(make(), DEVICE, 12, 5, times=TIMES, stack=2)
    count = study.count
    study.count = lambda draws, x, y: seen.extend(draws) or count(draws, x, y)
    spikes, labels = samples()
    resumed = study.run(spikes, labels, file=file, progress=False)
    assert seen == [6, 7, 8, 9, 10, 11]
    assert resumed == study.run(spikes, labels, progress=False)


class Client:
    """A cluster of one worker, which runs a task when its result is wanted, and the last first."""

    def __init__(self):
        self.calls = 0

    def submit(self, function, *args):
        self.calls += 1
        client, done = self, function(*args)

        class Future:
            def result(self):
                assert client.calls > 1
                return done

        return Future()


def test_client_of_a_cluster_runs_the_same_draws():
    spikes, labels = samples()
    study = MonteCarlo(make(), DEVICE, 5, 5, stack=2)
    client = Client()
    assert study.run(spikes, labels, client=client, progress=False) == study.run(
        spikes, labels, progress=False
    )
    assert client.calls == 3


@pytest.mark.slow
def test_dask_cluster_of_several_workers_survives_a_killed_one():
    distributed = pytest.importorskip("distributed")
    spikes, labels = samples()
    study = MonteCarlo(make(), DEVICE, 24, 5, stack=1)
    expected = study.run(spikes, labels, progress=False)
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        killed = []

        class Killing:
            """The client, which kills a worker after half of the tasks."""

            scatter = client.scatter

            def submit(self, *args):
                future = client.submit(*args)
                killed.append(future)
                if len(killed) == 12:
                    next(iter(cluster.workers.values())).process.process.kill()
                return future

        assert study.run(spikes, labels, client=Killing(), progress=False) == expected
        assert len(killed) == 24


@pytest.mark.parametrize(
    "make_study, error, message",
    [
        (lambda: MonteCarlo(3, DEVICE, 1, 0), TypeError, "must be a SpikingNetwork or Network"),
        (lambda: MonteCarlo(make(), DEVICE, 0, 0), ValueError, "Draws must be at least 1, not 0"),
        (lambda: MonteCarlo(make(), 3, 1, 0), TypeError, "must have a method 'program', not 3"),
        (
            lambda: MonteCarlo(make(), {"x": DEVICE}, 1, 0),
            ValueError,
            "Devices must be for input->hidden, hidden->output, not 'x'",
        ),
        (
            lambda: MonteCarlo(make(), DEVICE, 1, 0, times=(1, 1)),
            ValueError,
            "Times after programming must increase",
        ),
        (
            lambda: MonteCarlo(make(), DEVICE, 1, 0, times=20.0),
            TypeError,
            "Times after programming must be a sequence of seconds, not 20.0",
        ),
        (
            lambda: MonteCarlo(make(), DEVICE, 1, 0, neurons=0.1),
            TypeError,
            "Neurons must be a NeuronSpread or None, not 0.1",
        ),
        (
            lambda: MonteCarlo(quantize(make()), DEVICE, 1, 0, integers=Quantization()),
            ValueError,
            "Quantization must be None for a network that has integers",
        ),
        (
            lambda: MonteCarlo(make(), DEVICE, 4, 0, stack=4, memory=10_000).run(*samples()),
            ValueError,
            r"4 draws at once of 20 samples must need at most 10000 bytes of memory, not \d+: run",
        ),
        (
            lambda: MonteCarlo(
                quantize(make()), DEVICE, 1, 0, neurons=NeuronSpread(time_constant=0.1)
            ).run(*samples(), progress=False),
            ValueError,
            "Time constants of layer 'hidden' must not spread, since its neurons are in integers",
        ),
        (
            lambda: MonteCarlo(make(), DEVICE, 1, 0).run(*samples(), file="none/draws.json"),
            FileNotFoundError,
            "^Folder of the file must be there, not none$",
        ),
        (
            lambda: MonteCarlo(make(), DEVICE, 1, 0).run(*samples(), client=3, progress=False),
            TypeError,
            "Client must have a method 'submit', not 3",
        ),
    ],
)  # fmt: skip
def test_bad_studies_are_refused(make_study, error, message):
    with pytest.raises(error, match=message):
        make_study()


def test_parameters_of_single_samples_run_one_draw_at_a_time():
    spikes, _ = samples()
    thresholds = np.linspace(0.2, 2.0, 20)[:, None] * np.ones(10)
    cell = Cell(Lif, threshold=thresholds, decay=0.9)
    net = SpikingNetwork.chain("12-10-4", cell=cell, output=Cell(Integrator, decay=0.9), seed=3)
    labels = net.run(spikes).classes
    study = MonteCarlo(net, DEVICE, 3, 5, times=TIMES)
    draws = study.run(spikes, labels, progress=False)
    assert np.array_equal(draws.accuracy() * 20, by_loop(study, spikes, labels))
    for options in ({"stack": 3}, {"batch": 19}):
        with pytest.raises(ValueError, match="Draws at once must be 1, and the batch at least all"):
            MonteCarlo(net, DEVICE, 3, 5, **options).run(spikes, labels, progress=False)


def test_fewer_draws_run_at_once_where_memory_is_small():
    study = MonteCarlo(make(), DEVICE, 16, 0, memory=200_000)
    x = {"input": samples()[0]}
    assert 1 <= study._stack(x) < MonteCarlo(make(), DEVICE, 16, 0)._stack(x)
