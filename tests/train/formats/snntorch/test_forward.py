"""Tests of modules with a forward of their own: what is read spikes as snnTorch does, on digits."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spiker_hdl.model import encoders, reference
from spiker_train import (
    Quantization,
    from_snntorch,
    load_dataset,
    quantize,
)

from support.outside import BESIDE, Layered, count, own

snn = pytest.importorskip("snntorch")

STEPS, HIDDEN, OUT = 20, 30, 10


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def drawn_alike():
    """Draw the same weights in whatever order tests run: of others, some could never fire."""
    torch.manual_seed(1)


@pytest.fixture(scope="module")
def digits():
    """Spikes of digits, shape (samples, steps, 64)."""
    return encoders.rate(load_dataset("digits").x_test[:60], steps=STEPS)


class Base(nn.Module):
    """Two layers, and what a tutorial does with them; subclasses say what is in between."""

    neurons = staticmethod(lambda size: snn.Leaky(beta=0.9))
    gain = 2.0

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.fc1 = nn.Linear(64, HIDDEN)
        self.lif1 = self.neurons(HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, OUT)
        self.lif2 = self.neurons(OUT)
        self.more()
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(self.gain)

    def more(self):
        """Make further parts."""

    def begin(self, size):
        """Return the states and spikes at the start."""
        self.state = {
            neurons: list(state) if isinstance(state := neurons.reset_mem(), tuple) else [state]
            for neurons in (self.lif1, self.lif2)
        }
        self.spikes = torch.zeros(size, HIDDEN)

    def fire(self, neurons, current):
        """Take a step, and keep the states; note spikes and potentials."""
        result = neurons(current, *self.state[neurons])
        recurrent = type(neurons).__name__.startswith("R")
        self.state[neurons] = list(result if recurrent else result[1:])
        if not isinstance(result[0], torch.Tensor) or type(result[0]) is torch.Tensor:
            self.seen.setdefault(neurons, []).append((result[0], result[-1]))
        return result[0]

    def forward(self, x):
        self.seen = {}
        self.begin(x.shape[1])
        record = []
        for step in range(x.shape[0]):
            record.append(self.step(x[step]))
        return torch.stack(record)

    def step(self, x):
        """Compute a step."""
        spikes = self.fire(self.lif1, self.fc1(x))
        return self.fire(self.lif2, self.fc2(spikes))


def compare(module, x, net=None, exact=0, argument=None, what=None, **options):
    """Compare a module with what is read of it, in both precisions, and print what was counted."""
    net = from_snntorch(module, **options) if net is None else net
    names = [layer.name for layer in net.layers]
    actual = own(net, x, names)
    module.eval()
    with torch.no_grad():
        steps = torch.as_tensor(x, dtype=torch.float32).transpose(0, 1)
        module(steps if argument is None else argument)
    seen = {layer: [torch.stack(steps, 1).numpy() for steps in zip(*pairs, strict=True)]
            for layer, pairs in module.seen.items()}  # fmt: skip
    layers = [
        Layered(
            *(steps.reshape(*steps.shape[:2], -1) for steps in seen[record]),
            *actual[name],
            np.asarray(record.threshold.detach().numpy()).reshape(-1),
            snntorch_immediate=not getattr(record, "reset_delay", True)
            and record.reset_mechanism == "subtract",
        )
        for record, name in zip(seen, names, strict=True)
    ]
    result = count(layers)
    print(f"\n{what or type(module).__name__}: {result}")
    assert 0.02 < result.activity < 0.8
    assert result.furthest < BESIDE
    assert result.different <= max(1, result.samples // 8)
    same = np.all([(layer.spikes == layer.own_spikes).all((1, 2)) for layer in layers], axis=0)
    for layer in layers:
        np.testing.assert_allclose(layer.own_potentials[same], layer.potentials[same], 0, 2e-5)
    return net


class Skip(Base):
    """The input reaches both layers, the second by two ways."""

    def more(self):
        self.skip, self.drop = nn.Linear(64, OUT, bias=False), nn.Dropout(0.5)

    def step(self, x):
        spikes = self.fire(self.lif1, self.fc1(x))
        return self.fire(self.lif2, self.fc2(self.drop(spikes)) + self.skip(x) * 0.5)


class Loop(Base):
    """Spikes of the step before come back through maps."""

    def more(self):
        self.back, self.own = nn.Linear(OUT, HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def begin(self, size):
        super().begin(size)
        self.last = torch.zeros(size, OUT)

    def step(self, x):
        current = self.fc1(x) + self.own(self.spikes) - self.back(self.last)
        self.spikes = self.fire(self.lif1, current)
        self.last = self.fire(self.lif2, self.fc2(self.spikes))
        return self.last


class Norm(Base):
    """Normalised currents, two maps in a row, and a slice with a permutation."""

    gain = 1.5

    def more(self):
        self.norm, self.wide = nn.BatchNorm1d(HIDDEN), nn.Linear(HIDDEN, 2 * HIDDEN)
        with torch.no_grad():
            self.norm.running_mean.uniform_(-0.2, 0.2)
            self.norm.running_var.uniform_(0.1, 0.4)
            self.norm.weight.uniform_(0.5, 1.5)
            self.norm.bias.uniform_(-0.1, 0.5)

    def step(self, x):
        current = self.wide(self.norm(self.fc1(x)))
        spikes = self.fire(self.lif1, current[:, :HIDDEN] + current[:, HIDDEN:].flip(1) / 2)
        return self.fire(self.lif2, self.fc2(spikes))


class Pictures(Base):
    """Convolution and pooling of the input, and of spikes."""

    def more(self):
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc1, self.pool = nn.Linear(64, HIDDEN), nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(4, 2, 2)
        self.fc2 = nn.Linear(18, OUT)

    def step(self, x):
        spikes = self.fire(self.lif1, self.pool(self.conv(x.view(-1, 1, 8, 8))))
        return self.fire(self.lif2, self.fc2(self.conv2(spikes).flatten(1)))


class Joined(Base):
    """Spikes of both layers side by side, and weights used as such."""

    def more(self):
        self.mixed = nn.Parameter(torch.randn(OUT, 64 + HIDDEN) / 6)

    def step(self, x):
        spikes = self.fire(self.lif1, functional.linear(x, self.fc1.weight))
        return self.fire(self.lif2, torch.cat([x, spikes], 1) @ self.mixed.T)


class Before(Base):
    """Currents of all steps at once, before the loop."""

    def forward(self, x):
        self.seen = {}
        self.begin(x.shape[1])
        record = []
        for current in self.fc1(x).unbind(0):
            spikes = self.fire(self.lif1, current)
            record.append(self.fire(self.lif2, self.fc2(spikes)))
        return torch.stack(record)


class Rows(Base):
    """A map on the rows of pictures."""

    def more(self):
        self.fc1, self.row = nn.Linear(64, HIDDEN), nn.Linear(8, 6)
        self.fc2 = nn.Linear(48, OUT)

    def step(self, x):
        spikes = self.fire(self.lif1, self.row(x.view(-1, 8, 8)).transpose(1, 2).flatten(1))
        return self.fire(self.lif2, self.fc2(spikes))


PLACES = torch.randperm(HIDDEN, generator=torch.Generator().manual_seed(3))
INDICES = {
    "a tensor of places": lambda x: x[:, PLACES],
    "a list of places": lambda x: x[:, PLACES.tolist()],
    "places, some of them twice": lambda x: x[:, PLACES // 2],
    "places in two axes": lambda x: x.view(-1, 5, 6)[:, PLACES % 5, PLACES // 5],
    "a mask": lambda x: torch.cat([x[:, PLACES < 5], x[:, PLACES >= 5]], 1),
    "an axis more": lambda x: x[:, None, PLACES].squeeze(1),
}


@pytest.mark.parametrize("what", INDICES)
def test_spikes_are_picked_by_tensors(what, digits):
    class Indexed(Base):
        def step(self, x):
            spikes = self.fire(self.lif1, self.fc1(x))
            return self.fire(self.lif2, self.fc2(INDICES[what](spikes)))

    compare(Indexed(), digits, what=what)


@pytest.mark.parametrize("kind", [Base, Skip, Loop, Norm, Pictures, Joined, Before, Rows])
def test_forward_is_followed(kind, digits):
    module = kind()
    net = compare(module, digits)
    links = {connection.name: connection for connection in net.connections}
    assert (
        set(links)
        == {
            Base: {"input->layer1", "layer1->layer2"},
            Skip: {"input->layer1", "input->layer2", "layer1->layer2"},
            Loop: {
                "input->layer1",
                "layer1->layer1 late 1",
                "layer2->layer1 late 1",
                "layer1->layer2",
            },
            Norm: {"input->layer1", "layer1->layer2"},
            Pictures: {"input->layer1", "layer1->layer2"},
            Joined: {"input->layer1", "input->layer2", "layer1->layer2"},
            Before: {"input->layer1", "layer1->layer2"},
            Rows: {"input->layer1", "layer1->layer2"},
        }[kind]
    )
    if kind not in {Pictures, Norm, Rows}:
        assert torch.equal(links["input->layer1"].weights, module.fc1.weight)
    if kind is Pictures:
        link = links["input->layer1"]
        assert (net.layers[0].shape, link.kind) == ((4, 4, 4), "convolution")
        # A window of 3 x 3 and an average of 2 x 2 are one of 4 x 4.
        assert tuple(link.weights.shape) == (4, 1, 4, 4)
    if kind is Joined:
        assert net.layers[0].bias is None


def per_neuron(size, low, high):
    """Return a value for each neuron."""
    return torch.linspace(low, high, size)[torch.randperm(size)]


KINDS = {
    "Leaky": lambda size: snn.Leaky(beta=per_neuron(size, 0.5, 1.0), learn_beta=True),
    "Leaky zero": lambda size: snn.Leaky(
        beta=0.8, threshold=per_neuron(size, 0.4, 1.0), reset_mechanism="zero"
    ),
    "Leaky at once": lambda size: snn.Leaky(
        beta=per_neuron(size, 0.5, 1.0), threshold=per_neuron(size, 0.4, 1.0), reset_delay=False
    ),
    "Leaky zero at once": lambda size: snn.Leaky(
        beta=0.8, reset_mechanism="zero", reset_delay=False
    ),
    "Synaptic": lambda size: snn.Synaptic(
        alpha=per_neuron(size, 0.1, 0.6), beta=0.7, learn_alpha=True, learn_threshold=True
    ),
    "Synaptic at once": lambda size: snn.Synaptic(alpha=0.4, beta=0.7, reset_delay=False),
    "RLeaky": lambda size: snn.RLeaky(beta=0.8, linear_features=size),
    "RLeaky at once": lambda size: snn.RLeaky(beta=0.8, linear_features=size, reset_delay=False),
    "RLeaky one to one": lambda size: snn.RLeaky(
        beta=0.8, all_to_all=False, V=per_neuron(size, -0.5, 0.2), reset_mechanism="zero"
    ),
    "RSynaptic": lambda size: snn.RSynaptic(alpha=0.3, beta=0.7, linear_features=size),
    "Lapicque": lambda size: snn.Lapicque(R=4.0, C=1.7, time_step=0.9),
    "Lapicque zero": lambda size: snn.Lapicque(beta=0.7, threshold=0.3, reset_mechanism="zero"),
    "Lapicque none": lambda size: snn.Lapicque(
        beta=0.6, R=0.5, threshold=0.1, reset_mechanism="none"
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_neurons_in_a_forward(name, digits):
    class Kind(Base):
        neurons = staticmethod(KINDS[name])

    compare(Kind(), digits, what=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_all_digits_of_the_test(name):
    class Kind(Loop):
        neurons = staticmethod(KINDS[name])

    digits = encoders.rate(load_dataset("digits").x_test, steps=40)
    compare(Kind(), digits, what=f"{name}, {len(digits)} digits")


def test_alpha_is_a_second_order_neuron_a_step_late(digits):
    class Kind(Base):
        gain = 8.0

        @staticmethod
        def neurons(size):
            return snn.Alpha(
                alpha=per_neuron(size, 0.8, 0.9), beta=0.6, threshold=0.5, reset_mechanism="none"
            )

        def step(self, x):
            spikes = self.fire(self.lif1, x @ self.fc1.weight.T)
            return self.fire(self.lif2, spikes @ self.fc2.weight.T)

    net = compare(Kind(), digits)
    assert [connection.delay for connection in net.connections] == [1, 1]


@pytest.mark.parametrize("bias", [True, False])
def test_leaky_parallel_is_a_neuron_without_reset_and_with_a_floor(bias, digits):
    torch.manual_seed(1)
    module = nn.Sequential(
        snn.LeakyParallel(64, HIDDEN, beta=0.7, bias=bias, threshold=0.8),
        nn.Dropout(0.3),
        snn.LeakyParallel(HIDDEN, OUT, beta=0.9, bias=bias, learn_threshold=True),
    ).eval()
    net = from_snntorch(module)
    x = torch.as_tensor(digits, dtype=torch.float32).transpose(0, 1)
    layers, actual = [], own(net, digits, ["layer1", "layer2"])
    with torch.no_grad():
        for part, name in ((module[0], "layer1"), (module[2], "layer2")):
            potentials, x = part.rnn(x)[0], part(x)
            traces = [trace.transpose(0, 1).numpy() for trace in (x, potentials)]
            layers.append(Layered(*traces, *actual[name], part.threshold.detach().numpy()))
    result = count(layers)
    print(f"\nLeakyParallel, bias={bias}: {result}")
    assert 0.02 < result.activity < 0.8
    assert result.furthest < BESIDE
    assert result.different <= 6
    assert net.layers[0].cell.settings["reset"] == "none"


def test_recurrence_by_convolution(digits):
    class Kind(Base):
        gain = 2.5

        def more(self):
            self.lif1 = snn.RLeaky(beta=0.7, conv2d_channels=2, kernel_size=3)
            self.conv = nn.Conv2d(1, 2, 3, stride=2)
            self.fc1 = nn.Identity()
            self.fc2 = nn.Linear(18, OUT)

        def step(self, x):
            spikes = self.fire(self.lif1, self.conv(x.view(-1, 1, 8, 8)))
            return self.fire(self.lif2, self.fc2(spikes.flatten(1)))

    module = Kind()
    with pytest.raises(ValueError, match=r"; give an example of what its forward takes$"):
        from_snntorch(module)
    example = torch.zeros(6, 4, 64)
    net = compare(module, digits, what="RLeaky, a convolution", example=example)
    back = next(connection for connection in net.connections if connection.delay)
    assert (back.kind, tuple(back.weights.shape)) == ("convolution", (2, 2, 3, 3))
    assert net.layers[0].shape == (2, 3, 3)


def test_imported_network_is_exact_in_integers(digits):
    net = from_snntorch(Pictures())
    q = Quantization(6, 12, "multiplier").fit(net)
    record = ["layer1", "layer2", "layer2.v"]
    result = reference.run(quantize(net, q), digits[:20], record=record)
    assert result.differences(net.run(digits[:20], q, record=record)) == []
    real = net.run(digits[:20], record=["layer1"]).spikes["layer1"]
    assert (real == result.spikes["layer1"]).mean() > 0.9


class Tutorial(nn.Module):
    """The module of snnTorch's fifth tutorial: an image in each of 25 steps."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.fc1 = nn.Linear(64, HIDDEN)
        self.lif1 = snn.Leaky(beta=0.95)
        self.fc2 = nn.Linear(HIDDEN, OUT)
        self.lif2 = snn.Leaky(beta=0.95)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec = []
        mem2_rec = []
        for _ in range(25):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


def test_an_image_in_each_step_is_a_graded_input():
    pixels = load_dataset("digits").x_test[:60].reshape(60, 64)
    module = Tutorial()
    top = int(pixels.max())
    net = from_snntorch(module, values=(0, top), input_scale=1 / top)
    report = net.import_report
    assert report.notes == [
        "forward reads the whole input in each of 25 steps: repeat it",
        "What is returned at [1] is not read: potentials of 'lif2' are returned in each step; the "
        "last are the answer; readout='last' reads it",
    ]
    with torch.no_grad():
        spikes, potentials = module(torch.as_tensor(pixels / top, dtype=torch.float32))
    x = np.repeat(pixels[:, None], 25, axis=1)
    actual = own(net, x, ["layer2"])["layer2"]
    layer = Layered(
        *(trace.transpose(0, 1).numpy() for trace in (spikes, potentials)), *actual, 1.0
    )
    result = count([layer])
    print(f"\nTutorial: {result}")
    assert 0.02 < result.activity < 0.8
    assert result.furthest < BESIDE
    assert result.different <= 6


def test_steps_on_the_second_axis_and_hidden_states(digits):
    class Second(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(4)
            self.net = nn.Sequential(
                nn.Flatten(),
                nn.Linear(64, HIDDEN),
                snn.Leaky(beta=0.8, threshold=0.4, init_hidden=True),
                nn.Linear(HIDDEN, OUT),
                snn.Leaky(beta=0.7, threshold=0.4, init_hidden=True, output=True),
            )

        def forward(self, x):
            snn.utils.reset(self.net)
            record = []
            for step in range(x.size(1)):
                record.append(self.net(x[:, step])[0])
            return torch.stack(record, 1)

    import snntorch.utils  # noqa: F401

    module = Second()
    net = from_snntorch(module)
    report = net.import_report
    with torch.no_grad():
        expected = module(torch.as_tensor(digits, dtype=torch.float32)).numpy()
    actual = net.run(digits, record=["layer2"]).spikes["layer2"]
    assert (actual != expected).mean() < 1e-3
    assert 0.02 < expected.mean() < 0.8
    assert report.layers == {"layer1": "Leaky 'net.2'", "layer2": "Leaky 'net.4'"}
    assert report.notes == []
    assert str(report).splitlines()[2] == (
        "input->layer1: Affine 'net.1' folded into a dense projection of 64 to 30 with 1920 weights"
    )


class Styles(Base):
    """Ways to write the loop."""

    way = ""

    def more(self):
        self.turn = nn.Linear(OUT, HIDDEN, bias=False)

    def forward(self, x):
        self.seen = {}
        if self.way == "permuted":
            x = x.transpose(0, 1).permute(1, 0, 2)
        self.begin(x.shape[1])
        record = torch.zeros(len(x), x.shape[1], OUT)
        last, kept = torch.zeros_like(x[0])[:, :OUT], []
        for t, now in enumerate(x):
            if self.way == "cast":
                now = x[t].detach().clone().view(-1, 64).float().contiguous()
            current = self.fc1(functional.dropout(now, 0.5, self.training))
            current += self.turn(last)
            last = self.fire(self.lif2, self.fc2(self.fire(self.lif1, current).to(torch.float32)))
            record[t] = last
            kept.append(last)
        if self.way == "written":
            return record
        kept = torch.stack(kept)
        return kept.mean(0).softmax(-1), {"spikes": [kept]}


@pytest.mark.parametrize("way", ["permuted", "cast", "written"])
def test_ways_to_write_a_loop(way, digits):
    module = Styles()
    module.way = way
    net = compare(module, digits, what=way)
    names = ["input->layer1", "layer2->layer1 late 1", "layer1->layer2"]
    assert [connection.name for connection in net.connections] == names


def test_a_step_without_a_loop(digits):
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(4)
            self.fc = nn.Linear(64, OUT)
            self.lif = snn.Synaptic(alpha=0.3, beta=0.8)

        def forward(self, x, syn, mem):
            return self.lif(self.fc(x), syn, mem)

    module = Step()
    net = from_snntorch(module)
    state, expected = module.lif.reset_mem(), []
    with torch.no_grad():
        for x in torch.as_tensor(digits, dtype=torch.float32).unbind(1):
            spikes, *state = module(x, *state)
            expected.append(spikes)
    actual = net.run(digits, record=["layer1"]).spikes["layer1"]
    assert (actual != torch.stack(expected, 1).numpy()).mean() < 1e-3


def test_the_first_linear_is_none_within_neurons():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.lif = snn.RLeaky(beta=0.5, linear_features=5)
            self.fc = nn.Linear(7, 5)

        def forward(self, x):
            return self.lif(self.fc(x))

    assert from_snntorch(Turned()).inputs[0].size == 7


def test_the_module_is_left_as_it_was(digits):
    module = Skip()
    module.drop.eval()
    module.lif1.mem = torch.ones(3)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    from_snntorch(module)
    assert module.training
    assert not module.drop.training
    assert "forward" not in vars(module.lif1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    x = torch.as_tensor(digits, dtype=torch.float32).transpose(0, 1)
    assert type(module(x)) is torch.Tensor


# -- what is refused --


def written(step, start=None, more=None):
    """Make a module of two layers from what it does."""

    class Written(Base):
        def more(self):
            if more is not None:
                more(self)

        def forward(self, x):
            mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
            if start is not None:
                mem1 = start(mem1)
            record = []
            for t in range(x.shape[0]):
                spk2, mem1, mem2 = step(self, t, x[t], mem1, mem2)
                record.append(spk2)
            return torch.stack(record)

    return Written()


def plainly(m, current, mem1, mem2, second=None):
    """Take the rest of a step."""
    spk1, mem1 = m.lif1(current, mem1)
    spk2, mem2 = m.lif2(m.fc2(spk1) if second is None else second(spk1), mem2)
    return spk2, mem1, mem2


CHOSEN = torch.stack([torch.arange(64).roll(n) for n in range(4)])


def crossed(spikes):
    return spikes.flip(0)[:, :OUT]


def sorted_out(x):
    return x.sort(dim=1)[0]


def branches(m, t, x, a, b):
    spk1, a = m.lif1(m.fc1(x), a)
    if spk1.sum() > 3:
        spk1 = spk1 * 0
    spk2, b = m.lif2(m.fc2(spk1), b)
    return spk2, a, b


def read_out(m, t, x, a, b):
    _, a = m.lif1(m.fc1(x), a)
    spk2, b = m.lif2(m.fc2(a), b)
    return spk2, a, b


def swapped(m, t, x, a, b):
    spk1, a = m.lif1(m.fc1(x), a)
    spk2, b = m.lif2(m.fc2(spk1), a[:, :OUT])
    return spk2, a, b


def twice(m, t, x, a, b):
    spk1, a = m.lif1(m.fc1(x), a)
    spk1, a = m.lif1(m.fc1(x), a)
    spk2, b = m.lif2(m.fc2(spk1), b)
    return spk2, a, b


def lonely(m, t, x, a, b):
    _, a = m.lif1(m.fc1(x), a)
    spk2, b = m.lif2(m.fc2(torch.ones(x.shape[0], HIDDEN)), b)
    return spk2, a, b


def here(what):
    """Return a pattern for a line of this file."""
    return rf"test_forward\.py:\d+{what}"


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: written(branches),
            here(": control flow must not depend on spikes or potentials, whose bool is ")
            + "computed: return them, and decide outside of forward",
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, torch.relu(m.fc1(x)), a, b)),
            "Leaky 'lif1': current must be a sum of linear maps of spikes, which "
            + here(": relu is not"),
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, m.fc1(x) * x.sum(), a, b)),
            "Leaky 'lif1': current must be a sum of linear maps of spikes, which "
            + here(": sum is not"),
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, m.fc1(sorted_out(x)), a, b)),
            "Leaky 'lif1': current must be a sum of linear maps of spikes, which "
            + here(": sort is not"),
        ),
        (
            lambda: written(
                lambda m, t, x, a, b: plainly(m, m.fc1(x).to(torch.int8).float(), a, b)
            ),
            "Leaky 'lif1': current must be a sum of linear maps of spikes, which "
            + here(": to is not"),
        ),
        (
            lambda: written(
                lambda m, t, x, a, b: plainly(m, m.fc1(x[torch.arange(4)[:, None], CHOSEN]), a, b)
            ),
            "Leaky 'lif1': current must be a sum of linear maps of spikes, which "
            + here(": parts of the input that differ by sample is not"),
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, m.fc1(x.flip(0)), a, b)),
            "Leaky 'lif1': current must be a sum of linear maps of spikes, which "
            + here(": a part of the input that mixes samples is not"),
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, m.fc1(x), a, b, crossed)),
            "Leaky 'lif2': current must be a sum of linear maps of spikes, which "
            + here(": flip is not"),
        ),
        (
            lambda: written(read_out),
            "Leaky 'lif2': current must come from spikes, not from 'mem' of 'lif1' "
            + here("").join(["\\(", "\\)"]),
        ),
        (
            lambda: written(swapped),
            "Leaky 'lif2': mem must be zero at the start, not something else "
            + here("").join(["\\(", "\\)"]),
        ),
        (
            lambda: written(
                lambda m, t, x, a, b: plainly(m, m.fc1(x), a, b),
                start=lambda x: torch.ones(4, HIDDEN),
            ),
            "Leaky 'lif1': mem must be zero at the start, not something else "
            + here("").join(["\\(", "\\)"]),
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, m.fc1(x), a * 0.5, b)),
            "Leaky 'lif1': mem must be what the step before returned, not something else "
            + here("").join(["\\(", "\\)"]),
        ),
        (
            lambda: written(twice),
            "Leaky 'lif1' must be called once in each step, not 12 times while others are 6; see "
            + here(""),
        ),
        (
            lambda: written(lonely),
            "Leaky 'lif2': current must come from the input or from neurons, not from a constant "
            + here("").join(["\\(", "\\)"]),
        ),
        (
            lambda: written(lambda m, t, x, a, b: plainly(m, m.fc1(x) + t, a, b)),
            "Leaky 'lif1' must be reached by the same in each step, which step 0 and step 5 are "
            + "not " + here("").join(["\\(", "\\)"]),
        ),
    ],
)  # fmt: skip
def test_operation_that_cannot_be_traced_is_refused_with_its_line(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        from_snntorch(make())


def test_neurons_that_lead_nowhere_are_named():
    def ends(m, t, x, a, b):
        _, a = m.lif1(m.fc1(x), a)
        spk2, b = m.lif2(m.skip(x), b)
        return spk2, a, b

    module = written(ends, more=lambda m: setattr(m, "skip", nn.Linear(64, OUT)))
    with pytest.raises(ValueError, match=r"^Leaky 'lif1' must reach the output 'lif2'$"):
        from_snntorch(module)

    def circles(m, t, x, a, b):
        spk1, a = m.lif1(m.turn(m.last), a)
        m.last, b = m.lif2(m.fc2(spk1), b)
        return m.last, a, b

    def more(m):
        m.turn, m.last = nn.Linear(OUT, HIDDEN), torch.zeros(4, OUT)

    with pytest.raises(ValueError, match=r"^Leaky 'lif1': current must come from the input or"):
        from_snntorch(written(circles, more=more))
    message = "Output must be one of 'lif1', 'lif2', not 'lif3'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_snntorch(module, output="lif3")


def test_layers_that_are_not_linear_are_named():
    layers = [nn.Linear(3, 3), nn.ReLU(), snn.Leaky(beta=0.5)]
    message = "^Leaky '2': current must be a sum of linear maps of spikes, which " + here(
        ": relu in '1' is not$"
    )
    with pytest.raises(ValueError, match=message):
        from_snntorch(nn.Sequential(*layers))
    message = "^Leaky '1': current must come from the input or from neurons, not from a tuple "
    with pytest.raises(ValueError, match=message):
        from_snntorch(nn.Sequential(nn.LSTM(3, 3), snn.Leaky(beta=0.5)), example=torch.zeros(2, 3))


@pytest.mark.parametrize(
    "layer, message",
    [
        (
            lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
            "MaxPool '0.0': return_indices must be False, not True",
        ),
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2)),
            "Conv '0.2' must be behind neurons, not behind MaxPool '0.1' alone: the greatest of "
            "several currents is not linear in them; put neurons between the two",
        ),
        (
            lambda: nn.Sequential(nn.AvgPool2d(3), nn.Conv2d(1, 2700, 3, padding=1)),
            "Conv '0.1' must unroll into at most 10000 weights, not 97200 from (1, 2, 2) to "
            "(2700, 2, 2), since the padding of Conv '0.1' lies where AvgPool '0.0' would have "
            "more windows: unrolled=97200 allows as many",
        ),
        (
            lambda: nn.AdaptiveAvgPool2d(3),
            "AdaptiveAvgPool '0' must have an output size that divides (8, 8), so that its windows "
            "are alike, not (3, 3)",
        ),
        (
            lambda: nn.BatchNorm2d(1, track_running_stats=False),
            "BatchNorm '0' must have the statistics of training (track_running_stats=True), not "
            "those of each batch",
        ),
        (
            lambda: nn.AvgPool2d(3, ceil_mode=True),
            "AvgPool '0': ceil_mode must be False where its windows leave a remainder, not True: "
            "pad, or take windows that leave none",
        ),
    ],
)
def test_layers_that_are_no_projection_are_named(layer, message):
    module = nn.Sequential(layer(), nn.Flatten(), snn.Leaky(beta=0.5))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_snntorch(module, example=torch.zeros(2, 1, 8, 8), unrolled=10000)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: snn.Leaky(beta=torch.tensor([0.5, float("nan"), 0.1])),
            "Leaky '1': beta must be finite, not nan",
        ),
        (
            lambda: snn.Lapicque(R=1.0, C=0.5),
            "Lapicque '1': 1 - time_step / (R * C) must be in 0..1, not -1",
        ),
        (
            lambda: snn.RLeaky(beta=0.5, all_to_all=False, V=torch.ones(4)),
            "RLeaky '1': V must be one or 3 values, not 4",
        ),
    ],
)
def test_bad_neurons(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_snntorch(nn.Sequential(nn.Linear(2, 3), make()))
    linear = nn.Linear(2, 3)
    with torch.no_grad():
        linear.weight[1, 1] = float("inf")
    with pytest.raises(ValueError, match=r"^Weights of Affine '0' must be finite, not inf$"):
        from_snntorch(nn.Sequential(linear, snn.Leaky(beta=0.5)))


def test_parallel_potentials_that_mix_are_refused():
    mixed = snn.LeakyParallel(4, 3, weight_hh_enable=True)
    message = (
        "LeakyParallel '0': weight_hh_enable must be False, not True: potentials that leak into "
        "those of other neurons have no place here"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_snntorch(nn.Sequential(mixed))


@pytest.mark.parametrize("example", [torch.zeros(0), 3, ()])
def test_bad_examples(example):
    message = f"Example must be a tensor, or a tuple that begins with one, not {example!r}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        from_snntorch(Base(), example=example)
    with pytest.raises(ValueError, match=r"^Base must run on zeros of the shape \(6, 4, 9\), not"):
        from_snntorch(Base(), example=torch.zeros(6, 4, 9))
