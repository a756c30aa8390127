"""Tests of modules that keep state: they are read, and are after the import what they were."""

import random
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from spiker_train import from_snntorch

snn = pytest.importorskip("snntorch")

INPUTS, SIZE = 6, 5
EARLIER = "state that an earlier run left in "
STEPS = "each call of forward is a step: its state is kept between them"


def described(value, seen=None):
    """Return what an object and all that it leads to is: which objects, with which values."""
    seen = {} if seen is None else seen
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = name = f"object {len(seen)}"
    if isinstance(value, torch.Tensor):
        # As text, in which what is no number equals itself: neurons of other tests may hold such.
        grad = described(value.grad, seen) if value.is_leaf else None
        flags = value.requires_grad, tuple(value.shape), str(value.dtype)
        return (name, id(value), type(value), flags, str(value.tolist()), grad, vars(value).copy())
    if isinstance(value, np.ndarray):
        return (name, id(value), value.tolist())
    if isinstance(value, torch.Generator):
        return (name, value.get_state().tolist())
    if isinstance(value, np.random.Generator):
        return (name, str(value.bit_generator.state))
    if isinstance(value, dict):
        return (name, id(value), [(key, described(item, seen)) for key, item in value.items()])
    if isinstance(value, list | tuple | deque | set):
        return (name, id(value), [described(item, seen) for item in value])
    if isinstance(value, nn.Module) or type(value).__module__ == __name__:
        names = [*getattr(value, "__slots__", ()), *getattr(value, "__dict__", {})]
        names += [key for key in vars(type(value)) if key.startswith("kept")]
        if isinstance(value, nn.Module):
            names += ["_buffers", "_parameters", "_modules"]
        attributes = [
            (attribute, described(getattr(value, attribute), seen)) for attribute in names
        ]
        return (name, id(value), type(value), attributes)
    return (name, id(value))


def everything(module):
    """Return what a module is, and what else a run of it may change."""
    instances = snn.SpikingNeuron.instances
    return (
        described(module),
        (id(instances), [described(instance) for instance in instances]),
        torch.get_rng_state().tolist(),
        str(np.random.get_state()),
        random.getstate(),
        (torch.is_grad_enabled(), torch.get_default_dtype(), module.training),
    )


@dataclass
class Held:
    """State in an object of the user's."""

    spikes: object = None
    record: list = field(default_factory=list)


class Slots:
    """State in an object without a dictionary."""

    __slots__ = ("spikes",)

    def __init__(self):
        self.spikes = None


class Streaming(nn.Module):
    """A module of which each call is a step, with recurrent spikes that it keeps itself."""

    kept_by_class = None

    def __init__(self, way="attribute", samples=None):
        super().__init__()
        torch.manual_seed(3)
        self.way, self.samples = way, samples
        self.fc, self.back = nn.Linear(INPUTS, SIZE), nn.Linear(SIZE, SIZE)
        with torch.no_grad():
            self.fc.weight.mul_(3)
        self.lif = snn.Leaky(beta=0.8, learn_beta=True)
        self.mem = self.lif.reset_mem()
        self.spikes, self.all = None, {"spikes": [None], "log": deque(maxlen=3), "seen": set()}
        self.held, self.slots = Held(), Slots()
        self.register_buffer("buffer", torch.zeros(4, SIZE))
        self.register_buffer("hidden", torch.zeros(4, SIZE), persistent=False)
        self.draws, self.noise = torch.Generator().manual_seed(1), np.random.default_rng(1)
        self.counts = np.zeros(3)
        self.drop = nn.Dropout(0.4).eval()

    def last(self, x):
        """Return the spikes of the step before."""
        kept = {
            "attribute": self.spikes,
            "nested": self.all["spikes"][0],
            "object": self.held.spikes,
            "slots": self.slots.spikes,
            "class": type(self).kept_by_class,
            "buffer": self.buffer,
            "hidden": self.hidden,
            "copied": self.buffer,
        }[self.way]
        return torch.zeros(x.shape[0], SIZE) if kept is None else kept

    def keep(self, spikes):
        """Keep them for the next."""
        match self.way:
            case "attribute":
                self.spikes = spikes
            case "nested":
                self.all["spikes"][0] = spikes
            case "object":
                self.held.spikes = spikes
                self.held.record.append(spikes)
            case "slots":
                self.slots.spikes = spikes
            case "class":
                type(self).kept_by_class = spikes
            case "buffer":
                self.buffer = spikes
            case "hidden":
                self.hidden = spikes
            case "copied":
                self.buffer.copy_(spikes)

    def forward(self, x):
        spikes, self.mem = self.lif(self.fc(self.drop(x)) + self.back(self.last(x)), self.mem)
        self.keep(spikes)
        self.all["log"].append(spikes)
        self.all["seen"].add("run")
        torch.rand(3), torch.rand(3, generator=self.draws), np.random.rand(), random.random()
        self.noise.random()
        self.counts += 1
        return spikes


WAYS = ("attribute", "nested", "object", "slots", "class", "buffer", "hidden", "copied")


@pytest.fixture
def x():
    """Spikes, shape (samples, steps, channels)."""
    return np.random.default_rng(5).integers(0, 2, (4, 12, INPUTS))


def run(module, x):
    """Run a module step by step, from rest."""
    results = []
    with torch.no_grad():
        for step in torch.as_tensor(x, dtype=torch.float32).unbind(1):
            results.append(module(step))
    return torch.stack(results, 1).numpy()


@pytest.mark.parametrize("way", WAYS)
def test_state_that_a_module_keeps_is_followed_and_left(way, x):
    module = Streaming(way)
    before = everything(module)
    for _ in range(2):  # a second import reads the same
        net = from_snntorch(module)
        report = net.import_report
        assert everything(module) == before
        assert [connection.name for connection in net.connections] == [
            "input->layer1",
            "layer1->layer1 late 1",
        ]
        assert STEPS in report.notes
    try:
        expected = run(module, x)
    finally:
        Streaming.kept_by_class = None
    actual = net.run(x, record=["layer1"]).spikes["layer1"]
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("way", ["attribute", "nested", "object", "buffer", "hidden"])
@pytest.mark.parametrize("samples", [4, 7])
def test_state_that_an_earlier_run_left_is_taken_as_zero(way, samples):
    module = Streaming(way)
    fresh = from_snntorch(module)
    if way in {"buffer", "hidden"}:
        setattr(module, way, torch.zeros(samples, SIZE))
    earlier = np.random.default_rng(1).integers(0, 2, (samples, 9, INPUTS))
    run(module, earlier)
    before = everything(module)
    net = from_snntorch(module)
    report = net.import_report
    assert everything(module) == before
    assert [note for note in report.notes if note.startswith(EARLIER)]
    for connection, other in zip(net.connections, fresh.connections, strict=True):
        assert torch.equal(connection.weights, other.weights)
    assert torch.equal(net.layers[0].bias, fresh.layers[0].bias)


def test_a_potential_that_is_no_rest_is_refused_and_kept():
    class Raised(Streaming):
        def __init__(self):
            super().__init__()
            self.mem = torch.full((1, SIZE), 0.5)

    module = Raised()
    before = everything(module)
    with pytest.raises(ValueError, match=r"Leaky 'lif': mem must be zero at the start"):
        from_snntorch(module)
    assert everything(module) == before


class Failing(Streaming):
    """A module that changes much of what it is, and fails."""

    def forward(self, x):
        super().forward(x)
        with torch.no_grad():
            self.fc.weight.mul_(0)
            self.fc.bias.data = torch.ones(3)
            self.back.weight.requires_grad_(False)
        self.buffer += x.sum()
        self.mem.resize_(2, 3)
        self.lif.reset_mechanism = "zero"
        self.fc.weight.grad = None
        self.more = nn.Linear(2, 2)
        self.all["more"] = 3
        self.held.record.clear()
        del self.spikes, self._modules["back"]
        self.lif.mem = x
        snn.Leaky.reset_hidden()
        snn.SpikingNeuron.instances.append(self.lif)
        self.train()
        self.drop.train()
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float64)
        raise RuntimeError("lost")


@pytest.mark.parametrize("example", [None, torch.zeros(4, INPUTS)], ids=["guessed", "given"])
def test_a_module_that_fails_is_left_as_it_was(example):
    module, other = Failing(), snn.Leaky(beta=0.5, init_hidden=True)
    other(torch.ones(2, 3))
    module.held.record.append(torch.ones(2))
    module.fc.weight.grad = torch.ones(SIZE, INPUTS)
    before = everything(module)
    assert other.mem.any()
    with pytest.raises(
        ValueError,
        match="not fail with RuntimeError: " + ("lost" if example is not None else "The size"),
    ):
        from_snntorch(module, example=example)
    assert everything(module) == before
    assert torch.equal(other.mem, torch.ones(2, 3))


def test_a_module_that_trains_on_keeps_its_graph():
    module = Streaming()
    loss = module(torch.ones(4, INPUTS)).sum() + module.mem.sum()
    from_snntorch(module)
    loss.backward()
    assert module.fc.weight.grad.any()


def test_hidden_states_of_snntorch_are_left(x):
    net = nn.Sequential(
        nn.Linear(INPUTS, SIZE),
        snn.Leaky(beta=0.7, init_hidden=True),
        nn.Linear(SIZE, 3),
        snn.Synaptic(alpha=0.5, beta=0.7, init_hidden=True),
    )
    run(net, x)
    before = everything(net)
    states = net[1].mem.clone(), net[3].syn.clone(), net[3].mem.clone()
    assert all(state.any() for state in states)
    from_snntorch(net)
    assert everything(net) == before
    assert all(map(torch.equal, states, (net[1].mem, net[3].syn, net[3].mem)))


# -- what is written in place, and what is no state --


class Written(Streaming):
    """Recurrent spikes that are written into a buffer."""

    def forward(self, x):
        buffer, way = self.buffer, self.way
        spikes, self.mem = self.lif(self.fc(x) + self.back(buffer), self.mem)
        match way:
            case "added":
                buffer.mul_(0).add_(spikes)
            case "zeroed":
                buffer.zero_()
                buffer += spikes
            case "filled":
                buffer.fill_(0.0)
                buffer.copy_(spikes)
            case "a part":
                buffer[:].copy_(spikes)
            case "index":
                buffer[:] = spikes
            case "rows":
                buffer[0:4].add_(spikes)
            case "out":
                torch.mul(spikes, 1.0, out=buffer)
        return spikes


@pytest.mark.parametrize("way", ["added", "zeroed", "filled"])
def test_overwritten_buffer_is_traced(way, x):
    module = Written(way)
    before = everything(module)
    net = from_snntorch(module)
    assert everything(module) == before
    np.testing.assert_array_equal(net.run(x, record=["layer1"]).spikes["layer1"], run(module, x))


@pytest.mark.parametrize("way", ["a part", "index", "rows", "out"])
def test_other_writes_into_a_buffer_are_refused(way):
    module = Written(way)
    before = everything(module)
    with pytest.raises(ValueError, match=r"test_module_state\.py:\d+: (writing into|mul must)"):
        from_snntorch(module)
    assert everything(module) == before


def test_a_sum_that_leaks_outside_of_neurons_is_refused():
    class Leaking(Streaming):
        def forward(self, x):
            spikes, self.mem = self.lif(self.fc(x) + self.back(self.last(x)), self.mem)
            self.spikes = self.last(x) * 0.5 + spikes
            return spikes

    with pytest.raises(ValueError, match="spikes of the last few steps, not of all steps before"):
        from_snntorch(Leaking())


def test_an_argument_is_a_state_and_no_current():
    class Step(Streaming):
        def forward(self, x, spikes, mem):
            return self.lif(self.fc(x) + self.back(spikes), mem)

    example = torch.zeros(4, INPUTS), torch.ones(4, SIZE), torch.zeros(4, SIZE)
    with pytest.raises(ValueError, match="which argument 2 of forward, which only neurons may"):
        from_snntorch(Step(), example=example)


class Untouchable:
    """What stands for a neuron of another module, and must not be looked at."""

    def __getattribute__(self, name):
        raise AssertionError(f"{name} of a neuron of another module must not be read")


class Resetting(nn.Module):
    """Neurons whose hidden states are reset by the methods of their class."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(INPUTS, SIZE), snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x):
        snn.Leaky.reset_hidden()
        return torch.stack([self.lif(self.fc(step)) for step in x])


def test_neurons_of_other_modules_are_not_looked_at():
    module, other = Resetting(), snn.Leaky(beta=0.9, init_hidden=True)
    other(torch.full((2, SIZE), 0.3))
    instances, before = snn.SpikingNeuron.instances, other.mem
    stranger = Untouchable()
    instances.append(stranger)
    own = list(instances)
    try:
        net = from_snntorch(module, example=torch.zeros(3, 2, INPUTS))
    finally:
        del instances[-1]
    assert net.layers[0].size == SIZE
    assert snn.SpikingNeuron.instances is instances
    assert [id(x) for x in [*instances, stranger]] == [id(x) for x in own]
    assert other.mem is before
    assert before.unique().tolist() == [pytest.approx(0.3)]
