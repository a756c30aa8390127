"""Tests of the models that snnTorch's tutorials build, as users have them: the same spikes."""

from math import gcd
from random import Random
from time import perf_counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spiker_hdl.model import reference
from spiker_train import Quantization, compare, from_snntorch, load_dataset, quantize

from support.outside import BESIDE, Layered, count, own

snn = pytest.importorskip("snntorch")
from snntorch import utils  # noqa: E402

SAMPLES, STEPS = 4, 5


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def leaky(beta=0.5, **options):
    """Make neurons that keep their state, as in a sequence."""
    return snn.Leaky(beta=beta, init_hidden=True, **options)


def digits(samples=SAMPLES):
    """Return pictures of 28 x 28 pixels from 0 to 255, channels first."""
    small = load_dataset("digits").x_test[:samples].reshape(-1, 8, 8)
    large = np.kron(small, np.ones((3, 3))) * (255 / 16)
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).round().astype(np.uint8)[:, None]


def events(*shape, share=0.1, seed=0):
    """Draw binary events, shape (samples, steps, ...)."""
    return (np.random.default_rng(seed).random((SAMPLES, STEPS, *shape)) < share).astype(np.uint8)


def stronger(module, gain):
    """Multiply the weights of a module, so that its neurons fire."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
                part.weight.mul_(gain)
    return module


def spikes_of(module, x):
    """Run a module step by step, and return spikes and potentials by neurons, in their order."""
    record, hooks = {}, []

    def note(neurons, _, result):
        spikes, *states = result if isinstance(result, tuple) else (result,)
        potential = states[-1] if states else neurons.mem
        record.setdefault(neurons, []).append((spikes.flatten(1), potential.flatten(1)))

    for part in module.modules():
        if isinstance(part, snn.SpikingNeuron):
            hooks.append(part.register_forward_hook(note))
    utils.reset(module)
    with torch.no_grad():
        for step in x.transpose(0, 1):
            module(step)
    for hook in hooks:
        hook.remove()
    return {
        neurons: [torch.stack(steps, 1).numpy() for steps in zip(*pairs, strict=True)]
        for neurons, pairs in record.items()
    }


def same_spikes(module, x, scale=1.0, least=0.01, **options):
    """Import a module, compare its spikes and potentials with ours, and return the network."""
    values = torch.as_tensor(x, dtype=torch.float32) * scale
    module.eval()
    given = {"example": values[:, 0], **options}
    if scale != 1:
        given |= {"input_scale": scale, "values": (0, int(x.max()))}
    net = from_snntorch(module, **given)
    theirs = spikes_of(module, values)
    names = [layer.name for layer in net.layers if layer.name.startswith("layer")]
    ours = own(net, x.reshape(*x.shape[:2], -1), names)
    assert len(names) == len(theirs)
    layers = [
        Layered(*record, *ours[name], np.asarray(neurons.threshold.numpy()).reshape(-1))
        for (neurons, record), name in zip(theirs.items(), names, strict=True)
    ]
    result = count(layers)
    print(f"\n{result}")
    assert least < result.activity < 0.8
    assert all(layer.spikes.any() for layer in layers)
    assert result.furthest < BESIDE
    assert result.different <= 1
    return net


def windows_of(net):
    """Return the kinds of connections, and the windows of their maxima."""
    return [
        (connection.kind, None if connection.pooling is None else connection.pooling.size)
        for connection in net.connections
    ]


KEPT = [("convolution", (2, 2)), ("convolution", (2, 2)), ("dense", None)]


@pytest.fixture
def tutorial_6():
    """Make the sequence of the sixth tutorial."""
    torch.manual_seed(0)
    return stronger(
        nn.Sequential(
            nn.Conv2d(1, 12, 5), nn.MaxPool2d(2), leaky(),
            nn.Conv2d(12, 64, 5), nn.MaxPool2d(2), leaky(),
            nn.Flatten(), nn.Linear(64 * 4 * 4, 10), leaky(output=True),
        ),
        3,
    )  # fmt: skip


def test_the_sequence_of_tutorial_6(tutorial_6):
    images = np.repeat(digits(2)[:, None], STEPS, 1)
    net = same_spikes(tutorial_6, images, scale=1 / 255)
    assert windows_of(net) == KEPT
    assert [layer.shape for layer in net.layers] == [(12, 12, 12), (64, 4, 4), 10]
    assert [tuple(layer.bias.shape) for layer in net.layers] == [(12,), (64,), (10,)]
    assert net.inputs[0].shape == (1, 28, 28)


class Tutorial6(nn.Module):
    """The class of the sixth tutorial, one step in each call."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch
        self.conv1, self.lif1 = nn.Conv2d(1, 12, 5), snn.Leaky(beta=0.5)
        self.conv2, self.lif2 = nn.Conv2d(12, 64, 5), snn.Leaky(beta=0.5)
        self.fc1, self.lif3 = nn.Linear(64 * 4 * 4, 10), snn.Leaky(beta=0.5)

    def forward(self, x):
        mem1, mem2, mem3 = (lif.init_leaky() for lif in (self.lif1, self.lif2, self.lif3))
        spk1, mem1 = self.lif1(functional.max_pool2d(self.conv1(x), 2), mem1)
        spk2, mem2 = self.lif2(functional.max_pool2d(self.conv2(spk1), 2), mem2)
        spk3, mem3 = self.lif3(self.fc1(spk2.view(self.batch, -1)), mem3)
        return spk3, mem3


def test_the_class_of_tutorial_6_is_its_sequence(tutorial_6):
    module = Tutorial6(SAMPLES)
    own_parts = [module.conv1, module.conv2, module.fc1]
    for part, other in zip(own_parts, [tutorial_6[0], tutorial_6[3], tutorial_6[7]], strict=True):
        part.load_state_dict(other.state_dict())
    net, sequence = (
        from_snntorch(part, example=torch.zeros(SAMPLES, 1, 28, 28))
        for part in (module, tutorial_6)
    )
    assert windows_of(net) == KEPT
    assert "MaxPool 'test_tutorials.py:" in net.import_report.connections["input->layer1"]
    for one, other in zip(net.connections, sequence.connections, strict=True):
        assert torch.equal(one.weights, other.weights)


def test_the_first_step_of_tutorial_6_is_from_rest():
    torch.manual_seed(1)
    same_spikes(stronger(Tutorial6(SAMPLES), 3), events(1, 28, 28)[:, :1])


def neuromorphic(pooled):
    """Make the sequence of the seventh tutorial, with its maxima in front of neurons or behind."""
    torch.manual_seed(3)
    first, second = [nn.MaxPool2d(2), leaky()], [nn.MaxPool2d(2), leaky()]
    return stronger(
        nn.Sequential(
            nn.Conv2d(2, 12, 5), *(first if pooled == "currents" else first[::-1]),
            nn.Conv2d(12, 32, 5), *(second if pooled == "currents" else second[::-1]),
            nn.Flatten(), nn.Linear(32 * 5 * 5, 10), leaky(output=True),
        ),
        3 if pooled == "currents" else 5,
    )  # fmt: skip


@pytest.mark.parametrize("pooled", ["currents", "spikes"])
def test_tutorial_7_drops_a_remainder(pooled):
    x = events(2, 34, 34)[:2, :4]
    net = same_spikes(neuromorphic(pooled), x)
    if pooled == "currents":
        assert windows_of(net) == KEPT
        assert net.layer["layer2"].shape == (32, 5, 5)
        return
    names = [layer.name for layer in net.layers]
    assert names == ["layer1", "pool1", "layer2", "pool2", "layer3"]
    assert net.layer["pool2"].shape == (32, 5, 5)
    spikes = net.run(x.reshape(2, 4, -1), record=["layer2", "pool2"]).spikes
    maps = torch.as_tensor(spikes["layer2"].reshape(-1, 32, 11, 11)).float()
    expected = functional.max_pool2d(maps, 2).flatten(1).numpy()
    assert np.array_equal(spikes["pool2"].reshape(expected.shape), expected)
    assert 0.02 < expected.mean() < 0.9


def test_the_quickstart():
    torch.manual_seed(4)
    module = stronger(
        nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), leaky(0.9), nn.Conv2d(8, 16, 5), nn.MaxPool2d(2),
            leaky(0.9), nn.Flatten(), nn.Linear(16 * 4 * 4, 10), leaky(0.9, output=True),
        ),
        2,
    )  # fmt: skip
    images = np.repeat(digits(2)[:, None], STEPS, 1)
    assert windows_of(same_spikes(module, images, scale=1 / 255)) == KEPT


class Binary(nn.Conv2d):
    """A convolution whose weights are 1 and -1."""

    def forward(self, x):
        return functional.conv2d(x, torch.sign(self.weight), None, self.stride, self.padding)


def trained(channels, least):
    """Make a normalisation that has seen something."""
    norm = nn.BatchNorm2d(channels)
    norm.running_var.uniform_(1, 20)
    norm.running_mean.uniform_(-1, 1)
    nn.init.uniform_(norm.weight, least, 1)
    nn.init.uniform_(norm.bias, -0.2, 0.4)
    return norm


@pytest.mark.parametrize("order", ["pool first", "norm first", "average"])
def test_a_binarised_network(order):
    torch.manual_seed(5)

    def block(inputs, outputs):
        pool = nn.AvgPool2d(2) if order == "average" else nn.MaxPool2d(2)
        behind = [pool, trained(outputs, 0.1 if order == "pool first" else -1)]
        return Binary(inputs, outputs, 5), *(behind[::-1] if order == "norm first" else behind)

    module = nn.Sequential(
        *block(1, 16), leaky(0.9), *block(16, 16), leaky(0.9), nn.Flatten(),
        nn.Linear(256, 10), leaky(0.9, output=True),
    )  # fmt: skip
    net = same_spikes(stronger(module, 4), events(1, 28, 28, share=0.2)[:2], least=0.005)
    assert [kind for kind, _ in windows_of(net)] == ["convolution", "convolution", "dense"]
    assert torch.linalg.matrix_rank(net.connections[0].weights.flatten(1)) > 1


def test_a_normalisation_with_a_negative_factor_behind_a_maximum_is_refused_by_channel():
    norm = trained(3, 0.1)
    with torch.no_grad():
        norm.weight[1] = -0.5
        norm.running_var[1] = 4.0
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), norm, leaky(output=True))
    message = (
        r"^BatchNorm '2' must have factors of at least 0 behind MaxPool '1', not -0.25 in channel "
        r"1, with which the greatest current becomes the least: put it in front of the maximum$"
    )
    with pytest.raises(ValueError, match=message):
        from_snntorch(module, example=torch.zeros(2, 1, 8, 8))


def test_the_population_codes_of_the_tutorial():
    torch.manual_seed(6)
    module = stronger(
        nn.Sequential(
            nn.Flatten(), nn.Linear(784, 128), leaky(0.9), nn.Linear(128, 500),
            leaky(0.9, output=True),
        ),
        2,
    )  # fmt: skip
    net = same_spikes(module, events(784), groups=10)
    assert (net.readouts[0].kind, net.readouts[0].groups) == ("count", 10)


class Regression(nn.Module):
    """The module of the first tutorial on regression: a potential follows a curve."""

    def __init__(self, hidden):
        super().__init__()
        torch.manual_seed(7)
        thresholds, decays = torch.rand(hidden), torch.rand(hidden)
        self.fc_in = nn.Linear(1, hidden)
        self.lif_in = snn.Leaky(beta=decays, threshold=thresholds, learn_beta=True)
        self.fc_hidden = nn.Linear(hidden, hidden)
        self.lif_hidden = snn.Leaky(beta=decays, threshold=thresholds, learn_beta=True)
        self.fc_out = nn.Linear(hidden, 1)
        self.li_out = snn.Leaky(
            beta=torch.rand(1), threshold=1.0, learn_beta=True, reset_mechanism="none"
        )

    def forward(self, x):
        mem_in, mem_hidden, mem_out = (
            lif.init_leaky() for lif in (self.lif_in, self.lif_hidden, self.li_out)
        )
        record = []
        for step in range(x.shape[0]):
            spikes, mem_in = self.lif_in(self.fc_in(x[step]), mem_in)
            spikes, mem_hidden = self.lif_hidden(self.fc_hidden(spikes), mem_hidden)
            _, mem_out = self.li_out(self.fc_out(spikes), mem_out)
            record.append(mem_out)
        return torch.stack(record)


def test_the_regression_of_the_tutorial():
    module = Regression(32)
    x = np.arange(20).reshape(1, 20, 1)
    example = torch.as_tensor(x).transpose(0, 1) / 10.0
    net = from_snntorch(module, example=example, values=(0, 20), input_scale=0.1)
    with torch.no_grad():
        expected = module(example)[:, 0, 0].numpy()
    _, potentials = own(net, x, ["layer3"])["layer3"]
    assert np.abs(expected).max() > 0.2
    np.testing.assert_allclose(potentials[0, :, 0], expected, 0, 1e-5)
    assert net.readouts[0].kind == "last"


@pytest.mark.parametrize("pool", [nn.MaxPool1d, nn.AvgPool1d])
def test_time_series_are_convolved_along_one_axis(pool):
    torch.manual_seed(8)
    module = stronger(
        nn.Sequential(
            nn.Conv1d(3, 8, 5, padding=2), pool(3), leaky(0.8), nn.Conv1d(8, 8, 3, stride=2),
            nn.AdaptiveMaxPool1d(1) if pool is nn.MaxPool1d else nn.AdaptiveAvgPool1d(1),
            leaky(0.8), nn.Flatten(), nn.Linear(8, 4), leaky(0.8, output=True),
        ),
        3 if pool is nn.MaxPool1d else 8,
    )  # fmt: skip
    net = same_spikes(module, events(3, 50, share=0.2))
    sizes = [((3,), (7,)), (None, None)][pool is nn.AvgPool1d]
    assert windows_of(net) == [*(("convolution", size) for size in sizes), ("dense", None)]
    assert [layer.shape for layer in net.layers] == [(8, 16), (8, 1), 4]


def test_maxima_in_a_row_and_averages_with_a_divisor_keep_their_spikes():
    torch.manual_seed(17)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(2), leaky(),
        nn.AvgPool2d(2, divisor_override=3, ceil_mode=True), nn.Flatten(),
        nn.Linear(36, 5), leaky(output=True),
    )  # fmt: skip
    net = same_spikes(stronger(module, 3), events(2, 14, 14))
    assert windows_of(net) == [("convolution", (4, 4)), ("dense", None)]
    assert net.layer["layer1"].shape == (4, 6, 6)


def test_maxima_of_the_same_spikes_over_several_windows_are_several_layers():
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(18)
            self.conv, self.lif1 = nn.Conv2d(2, 3, 3), leaky()
            self.narrow, self.wide = nn.Linear(27, 4), nn.Linear(12, 4, bias=False)
            self.lif2 = leaky(output=True)
            stronger(self, 3)

        def forward(self, x):
            spikes = self.lif1(self.conv(x))
            narrow, wide = (functional.max_pool2d(spikes, size).flatten(1) for size in (2, 3))
            return self.lif2(self.narrow(narrow) + self.wide(wide))

    net = same_spikes(Several(), events(2, 8, 8))
    assert [layer.size for layer in net.layers] == [108, 27, 12, 4]


def test_maxima_of_a_binary_input_are_its_spikes():
    torch.manual_seed(10)
    module = nn.Sequential(
        nn.MaxPool2d(2), nn.MaxPool2d(2, 1), stronger(nn.Conv2d(1, 4, 3), 4), leaky(output=True)
    )
    x = events(1, 16, 16)
    net = from_snntorch(module, example=torch.zeros(4, 1, 16, 16), input_scale=0.5)
    theirs = spikes_of(module, torch.as_tensor(x, dtype=torch.float32) / 2)[module[3]][0]
    ours = net.run(x.reshape(SAMPLES, STEPS, -1), record=["layer1"]).spikes["layer1"]
    assert 0.05 < theirs.mean() < 0.9
    assert np.array_equal(ours, theirs)
    assert [layer.shape for layer in net.layers] == [(1, 8, 8), (1, 7, 7), (4, 5, 5)]
    with pytest.raises(ValueError, match=r"^MaxPool '0' must be of spikes or behind a convolution"):
        from_snntorch(module, example=torch.zeros(4, 1, 16, 16), values=(0, 255))


class Branches(nn.Module):
    """Neurons that three convolutions of the same spikes reach, each pooled in another place."""

    def __init__(self, summed=False):
        super().__init__()
        torch.manual_seed(11)
        self.summed = summed
        self.conv, self.lif1 = nn.Conv2d(1, 2, 3), leaky()
        self.wide, self.deep, self.skip = (nn.Conv2d(2, 3, 3, padding=1) for _ in range(3))
        self.lif2 = leaky(output=True)
        stronger(self, 3)

    def forward(self, x):
        spikes = self.lif1(self.conv(x))
        once, again = (functional.max_pool2d(spikes, 2) for _ in range(2))
        if self.summed:
            return self.lif2(functional.max_pool2d(self.wide(once) + self.deep(once), 2))
        current = self.wide(once) + self.deep(again)
        return self.lif2(current + functional.max_pool2d(self.skip(spikes), 3, 2, 1))


def test_maxima_of_currents_stay_apart_from_other_currents():
    net = same_spikes(Branches(), events(1, 12, 12))
    assert [layer.name for layer in net.layers] == ["layer1", "pool1", "layer2"]
    links = {link.name: link for link in net.connections}
    assert list(links) == ["input->layer1", "layer1->pool1", "pool1->layer2", "layer1->layer2"]
    assert links["layer1->layer2"].pooling is not None
    with pytest.raises(ValueError, match=r"must be of one convolution, not of a sum of 2 maps"):
        from_snntorch(Branches(summed=True), example=torch.zeros(4, 1, 12, 12))


def test_a_bias_of_positions_in_front_of_a_maximum_is_refused():
    class Uneven(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lif = nn.Conv2d(1, 2, 3), leaky(output=True)

        def forward(self, x):
            return self.lif(functional.max_pool2d(self.conv(x) + torch.arange(6.0), 2))

    with pytest.raises(ValueError, match=r"must be the same in all of a window, not .* to .*: it"):
        from_snntorch(Uneven(), example=torch.zeros(4, 1, 8, 8))


def test_padding_and_whole_maps_are_followed():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(12)
            self.conv, self.lif1 = nn.Conv2d(2, 6, 3), leaky()
            self.fc, self.lif2 = nn.Linear(6, 4), leaky(output=True)
            stronger(self, 3)

        def forward(self, x):
            spikes = self.lif1(self.conv(functional.pad(x, (2, 0, 0, 1))))
            return self.lif2(self.fc(spikes.sum((-1, -2), keepdim=True).flatten(1)))

    net = same_spikes(Whole(), events(2, 8, 7))
    assert net.layer["layer1"].shape == (6, 7, 7)

    class Channels(Whole):
        def forward(self, x):
            spikes = self.lif1(self.conv(x))
            return self.lif2(self.fc(spikes.sum(1).flatten(1)[:, :6]))

    with pytest.raises(ValueError, match=r"current must be a sum of linear maps .*: sum is not$"):
        from_snntorch(Channels(), example=torch.zeros(4, 2, 8, 7))


@pytest.mark.parametrize("kind", ["currents", "spikes"])
def test_imported_maxima_are_exact_in_integers(kind):
    net = from_snntorch(neuromorphic(kind), example=torch.zeros(2, 2, 34, 34))
    scales = Quantization(4, 10).fit(net)
    network = quantize(net, scales)
    x = events(2, 34, 34)[:2, :3].reshape(2, 3, -1)
    record = [population.name for population in network.populations]
    result = reference.run(network, x, record=record)
    assert result.differences(net.run(x, scales, record=record)) == []
    real = net.run(x, record=["layer1"]).spikes["layer1"]
    assert (real == result.spikes["layer1"]).mean() > 0.95
    # The number of spikes in a window keeps its integers, and one spike is enough.
    for pooled in (layer for layer in record if layer.startswith("pool")):
        projection = next(link for link in network.projections if link.target == pooled)
        assert (projection.synapses.values == 1).all()


def random_module(draw):
    """Draw a sequence of convolutions, pooling, norms and neurons, and its input's shape."""
    axes = draw.choice([1, 2])
    convolve, norm, greatest, average = (
        (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d)
        if axes == 1
        else (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)
    )
    channels = draw.choice([1, 2, 4])
    shape = channels, *(draw.randint(11, 15) for _ in range(axes))
    parts = []
    for _ in range(2):
        outputs = draw.choice([4, 8])
        parts.append(
            convolve(
                channels, outputs, draw.randint(1, 4), stride=draw.choice([1, 1, 2]),
                padding=draw.randint(0, 2), dilation=draw.choice([1, 1, 2]),
                groups=draw.choice([1, 1, gcd(channels, outputs)]), bias=draw.random() < 0.7,
            )
        )  # fmt: skip
        channels = outputs
        size, where = draw.choice([2, 3]), draw.choice(["front", "behind", "average", "none"])
        pool = (average if where == "average" else greatest)(
            size, draw.choice([1, 2, size]), draw.randint(0, 1)
        )
        normed = [norm(channels)] if draw.random() < 0.5 else []
        for layer in normed:
            layer.running_var.uniform_(0.05, 0.5)
            layer.running_mean.uniform_(-0.2, 0.2)
            if where != "front":
                nn.init.uniform_(layer.weight, -1, 1)
        neurons = leaky(draw.choice([0.5, 0.9]), reset_mechanism=draw.choice(["subtract", "zero"]))
        parts += [*normed, neurons, pool] if where == "behind" else (
            [*normed, neurons] if where == "none" else [pool, *normed, neurons]
        )  # fmt: skip
    return [*parts, nn.Flatten()], shape


@pytest.mark.slow
def test_random_modules_spike_as_in_snntorch():
    alive, maxima = 0, 0
    for trial in range(60):
        torch.manual_seed(trial)
        parts, shape = random_module(Random(trial))
        example = torch.zeros(SAMPLES, *shape)
        try:
            size = nn.Sequential(*(
                part for part in parts if not isinstance(part, snn.SpikingNeuron)
            )).eval()(example).shape[1]  # fmt: skip
        except RuntimeError:  # a window that is larger than its map
            continue
        module = stronger(nn.Sequential(*parts, nn.Linear(size, 5), leaky(output=True)), 3).eval()
        net = from_snntorch(module, example=example)
        x = events(*shape, share=0.3, seed=trial)
        theirs = spikes_of(module, torch.as_tensor(x, dtype=torch.float32))
        names = ["layer1", "layer2", "layer3"]
        ours = own(net, x.reshape(*x.shape[:2], -1), names)
        result = count([
            Layered(*record, *ours[name], np.ones(1))
            for name, record in zip(names, theirs.values(), strict=True)
        ])
        assert result.furthest < BESIDE, (trial, str(result), module)
        alive += 0.02 < result.activity < 0.8
        maxima += any(link.pooling for link in net.connections) or len(net.layers) > 3
        scales = Quantization(5, 12).fit(net)
        flat, record = x.reshape(*x.shape[:2], -1), [layer.name for layer in net.layers]
        integers = reference.run(quantize(net, scales), flat, record=record)
        assert integers.differences(net.run(flat, scales, record=record)) == []
    print(f"\n{alive} of 60 networks are alive, {maxima} have maxima")
    assert alive > 30
    assert maxima > 20


@pytest.mark.slow
def test_pictures_of_mnist(data_file):
    """The sixth tutorial on real pictures, in hundreds of steps of all layers."""
    with np.load(data_file("mnist.npz")) as data:
        images = data["x_test"][:40].reshape(-1, 1, 28, 28)
    torch.manual_seed(9)
    module = stronger(
        nn.Sequential(
            nn.Conv2d(1, 12, 5), nn.MaxPool2d(2), leaky(), nn.Conv2d(12, 64, 5), nn.MaxPool2d(2),
            leaky(), nn.Flatten(), nn.Linear(64 * 4 * 4, 10), leaky(output=True),
        ),
        2,
    )  # fmt: skip
    x = np.repeat(images[:, None], 25, 1)
    net = same_spikes(module, x, scale=1 / 255)
    labels = spikes_of(module, torch.as_tensor(x) / 255)[module[8]][0].sum(1).argmax(1)
    assert (net.run(x.reshape(40, 25, -1)).classes == labels).mean() > 0.95


@pytest.mark.slow
def test_a_large_network_of_events_is_quantised_in_a_minute():
    net = from_snntorch(neuromorphic("currents"), example=torch.zeros(2, 2, 34, 34))
    x = events(2, 34, 34).reshape(SAMPLES, STEPS, -1)
    before = perf_counter()
    network = quantize(net, weights=4, potentials="calibration", calibration=np.tile(x, (8, 4, 1)))
    assert perf_counter() - before < 60
    comparison = compare(net, network, x)
    assert all(agreement.equal > 0.5 for agreement in comparison.populations.values())
