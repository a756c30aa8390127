"""Tests of runs of convolutions: in integers as the reference, in floating point as PyTorch."""

from random import Random

import numpy as np
import pytest
import torch
from torch.nn import functional

from spiker_hdl.model import (
    Accumulator,
    Convolution,
    Decay,
    Input,
    Integrator,
    Lif,
    MaxPooling,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_train import (
    Cell,
    Connection,
    Device,
    FastSigmoid,
    FirstOrder,
    GaussianNoise,
    Layer,
    MaxPool,
    Quantization,
    SpikingNetwork,
    Twin,
    Window,
    quantize,
)
from spiker_train.kernels import choice
from spiker_train.monte_carlo.integers import as_tensors
from spiker_train.network.drawn import with_weights
from spiker_train.network.plausibility import implausible
from spiker_train.network.runs import fused as fused_module
from spiker_train.network.runs import run as run_module
from spiker_train.network.runs.convolved import _padded, _pooled, _product, _sums, convolved_ends
from spiker_train.network.runs.prepare import cores
from tests.support.convolutions import random_convolution, random_map_network

CELL = {"threshold": 1.0, "decay": 0.875, "surrogate": FastSigmoid(0.5)}
WINDOW = Window(stride=(1, 2), padding=((1, 0), (2, 1)), dilation=(2, 1), groups=2)


def network(seed=0, **options):
    """Make a network of two convolutions, of lines and of images, one of them in a cycle."""
    random = np.random.default_rng(seed)
    kernel = random.standard_normal((4, 1, 2, 3))
    return SpikingNetwork(
        [Input("in", (2, 6, 7), 0, 3)],
        [
            Layer("maps", (4, 2, 3), Cell(Lif, **CELL, learn=["threshold"]), "channel"),
            Layer("more", (3, 2, 3), Cell(Lif, **CELL)),
            Layer("out", 3, Cell(Integrator, decay=0.9)),
        ],
        [
            Connection("in", "maps", kernel, kind="convolution", window=WINDOW,
                       pooling=MaxPool((3, 2), (2, 1), ((1, 0), (0, 0))), **options),
            Connection("in", "maps", 0.2 * random.standard_normal((24, 84)), name="beside"),
            Connection("maps", "more", kind="convolution", window=Window(3, padding=1)),
            Connection("more", "maps", kind="convolution", window=Window((1, 3), padding=(0, 1)),
                       delay=2),
            Connection("more", "out"),
        ],
        [Readout("out", "last")],
        seed=seed,
    )  # fmt: skip


def samples(seed=0, steps=5):
    random = np.random.default_rng([seed, 1])
    return random.integers(0, 4, (3, steps, 84)) * (random.random((3, steps, 84)) < 0.4)


def differences(seed, *, static):
    """Return in what training arithmetic differs from the reference on a random network."""
    network = random_map_network(Random(seed), static=static)
    node, random = network.inputs[0], np.random.default_rng(seed)
    x = random.integers(node.low, node.high + 1, (2, 5, node.size))
    x = np.repeat(x[:, :1], 5, 1) if static else x * (random.random(x.shape) < 0.5)
    record = [population.name for population in network.populations if population.neuron.emits]
    expected = reference.run(network, x, record=record)
    tensors, integers = as_tensors(network)
    return [
        difference
        for kernel in ("eager", "fused")
        for difference in expected.differences(tensors.run(x, integers, record=record,
                                                           kernel=kernel))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_training_arithmetic_is_that_of_the_reference(seed):
    assert not differences(seed, static=seed == 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_training_arithmetic_is_that_of_the_reference_on_many_networks(seed):
    for n in range(25):
        assert not differences(1000 * seed + n, static=n % 3 == 0)


def test_quantised_network_computes_what_training_in_integers_does():
    net, x = network(), samples()
    integers = Quantization(weights=4, potentials=10).fit(net)
    quantized = quantize(net, integers)
    record = ["maps", "more"]
    expected = reference.run(quantized, x, record=record)
    assert expected.spikes["more"].any()
    for kernel in ("eager", "fused"):
        assert not expected.differences(net.run(x, integers, record=record, kernel=kernel))


def plain(net, x):
    """Run the network above in plain PyTorch, and return its scores."""
    links = {connection.name: connection.weights for connection in net.connections}
    samples, steps = x.shape[:2]
    v, u, w = (torch.zeros(samples, *shape).double() for shape in ((4, 2, 3), (3, 2, 3), (3,)))
    fired = [torch.zeros_like(u)] * 2
    for t in range(steps):
        maps = functional.pad(x[:, t].unflatten(-1, (2, 6, 7)), (2, 1, 1, 0))
        sums = functional.conv2d(maps, links["in->maps"], None, (1, 2), 0, (2, 1), 2)
        sums = functional.pad(sums, (0, 0, 1, 0), value=-torch.inf)
        current = functional.max_pool2d(sums, (3, 2), (2, 1))
        current = current + (x[:, t] @ links["beside"].T).unflatten(-1, (4, 2, 3))
        current = current + functional.conv2d(fired[-2], links["more->maps late 2"], padding=(0, 1))
        limit = net.layer["maps"].cell.float_threshold
        v = 0.875 * v + current + net.layer["maps"].bias[:, None, None]
        spikes = FastSigmoid(0.5)(v - limit)
        v = v - spikes.detach() * limit
        u = 0.875 * u + functional.conv2d(spikes, links["maps->more"], padding=1)
        fired.append(FastSigmoid(0.5)(u - 1))
        u = u - fired[-1].detach()
        w = 0.9 * w + fired[-1].flatten(1) @ links["more->out"].T
    return w


@pytest.mark.parametrize("kernel", ["eager", "fused"])
def test_scores_and_gradients_are_those_of_plain_pytorch(kernel):
    net = network().double()
    x = torch.from_numpy(samples(steps=4)).double()
    direction = torch.from_numpy(np.random.default_rng(2).standard_normal((3, 3)))
    expected = plain(net, x)
    torch.testing.assert_close(net(x, kernel=kernel).scores, expected)
    names = [name for name, _ in net.named_parameters()]
    wanted = torch.autograd.grad((expected * direction).sum(), [*net.parameters()])
    actual = torch.autograd.grad(
        (net(x, kernel=kernel).scores * direction).sum(), [*net.parameters()]
    )
    assert all(gradient.any() for gradient in wanted)
    for name, one, other in zip(names, wanted, actual, strict=True):
        torch.testing.assert_close(other, one, msg=name)


def test_convolutions_of_a_cycle_run_in_a_kernel_unless_they_are_large(monkeypatch, caplog):
    net, x = network(), samples()
    assert set(net(x, kernel="fused").kernels.values()) == {"fused"}
    monkeypatch.setattr(fused_module, "MOST_PAIRS", 24 * 18 - 1)
    choice.note.cache_clear()
    kernels = net(x, kernel="fused").kernels
    assert kernels == {"maps": "eager", "more": "eager", "out": "fused"}
    assert "a convolution of a cycle is too large to run as a matrix" in caplog.text


def test_pooled_sums_of_a_cycle_run_step_by_step(caplog):
    choice.note.cache_clear()
    net = SpikingNetwork(
        [Input("in", (1, 4))],
        [Layer("maps", (1, 4), Cell(Lif, **CELL))],
        [
            Connection("in", "maps", np.ones(4), kind="one_to_one"),
            Connection("maps", "maps", np.ones((1, 1, 1)), kind="convolution", delay=1,
                       pooling=MaxPool(3, 1, 1)),
        ],
        [Readout("maps", "count")],
    )  # fmt: skip
    x = np.eye(4)[None]
    outcome = net(x, kernel="fused")
    assert outcome.kernels == {"maps": "eager"}
    assert "sums of a cycle are pooled" in caplog.text
    assert torch.equal(outcome.spikes["maps"], net(x, kernel="eager").spikes["maps"])


def test_first_of_equal_sums_has_the_gradient():
    net = SpikingNetwork(
        [Input("in", (1, 4))],
        [Layer("out", (1, 2), Cell(Integrator, decay=1.0))],
        [Connection("in", "out", np.ones((1, 1, 1)), kind="convolution", pooling=MaxPool(2))],
        [Readout("out", "last")],
    )
    x = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]], requires_grad=True)
    net(x).scores.sum().backward()
    assert x.grad.tolist() == [[[1.0, 0.0, 1.0, 0.0]]]


def static_network(static):
    return SpikingNetwork(
        [Input("in", (1, 4, 4), 0, 7, static=static)],
        [Layer("maps", (2, 3, 3), Cell(Lif, **CELL)), Layer("out", 3, Cell(Lif, **CELL))],
        [Connection("in", "maps", kind="convolution", window=Window(2)), Connection("maps", "out")],
        [Readout("out", "count")],
    )  # fmt: skip


@pytest.mark.parametrize("kernel", ["eager", "fused"])
def test_static_images_are_convolved_once(monkeypatch, kernel):
    rows = []

    def counted(connection, weights, events, *options):
        rows.append(events.shape[1])
        return convolved(connection, weights, events, *options)

    convolved = run_module.convolved
    monkeypatch.setattr(run_module, "convolved", counted)
    image = np.random.default_rng(0).integers(0, 8, (2, 1, 16)).repeat(6, 1)
    results = []
    for net in (static_network(static=True), static_network(static=False)):
        outcome = net(image, kernel=kernel)
        outcome.scores.sum().backward()
        results.append((outcome.scores, net.connections[0].weights.grad))
    assert rows == [1, 6]
    torch.testing.assert_close(results[0], results[1])


def test_images_that_change_are_convolved_in_every_step():
    image = np.random.default_rng(0).integers(0, 8, (2, 6, 16))
    trains = [static_network(static)(image).spikes["maps"] for static in (True, False)]
    assert torch.equal(*trains)


def test_stacked_draws_run_each_with_its_own_kernel():
    net, x = network(), samples()
    draws = torch.randn(3, *net.connections[0].weights.shape, dtype=torch.float64)
    with torch.no_grad():
        expected = []
        for draw in draws:
            with with_weights(net, {"in->maps": draw}):
                expected.append(net(x).scores)
        others = {c.name: c.weights.detach().expand(3, *c.weights.shape) for c in net.connections}
        with with_weights(net, others | {"in->maps": draws}):
            torch.testing.assert_close(net(x).scores, torch.cat(expected))


def test_dynamics_of_a_convolution_are_those_of_the_reference_in_integers():
    net, x = network(dynamics=FirstOrder(0.75)), samples()
    integers = Quantization(weights=5, potentials=12).fit(net)
    quantized = quantize(net, integers)
    expected = reference.run(quantized, x, record=["maps"])
    assert expected.spikes["maps"].any()
    assert not expected.differences(net.run(x, integers, record=["maps"]))
    outcome = net(x)
    assert outcome.after.synapses["in->maps"]["i"].shape == (3, 24)
    torch.testing.assert_close(net(x, kernel="fused").scores, outcome.scores)


def test_sums_beyond_float32_are_exact():
    random = np.random.default_rng(0)
    kernel = random.integers(2**14, 2**15, (2, 3, 3, 3))
    network = Network(
        [Input("in", (3, 5, 5), 0, 255)],
        [Population("out", (2, 5, 5), Accumulator(width=32))],
        [Projection("in", "out", Convolution(kernel, (3, 5, 5), padding=1))],
        [Readout("out", "last")],
    )
    x = random.integers(200, 256, (2, 3, 75))
    expected = reference.run(network, x)
    assert expected.scores.max() > 2**24
    tensors, integers = as_tensors(network)
    for kernel in ("eager", "fused"):
        assert not expected.differences(tensors.run(x, integers, kernel=kernel))


@pytest.mark.parametrize(("outputs", "dtype"), [(1, torch.float32), (8, torch.float64)])
def test_format_holds_the_sum_of_a_whole_window(outputs, dtype):
    kernel = np.full((1, outputs, 1, 3), 2**15 - 1)
    network = Network(
        [Input("in", (outputs, 2, 3), 0, 100)],
        [Population("out", (1, 2, 1), Lif(threshold=1, decay=Decay.shift(3), width=16))],
        [Projection("in", "out", Convolution(kernel, (outputs, 2, 3)))],
        [Readout("out", "count")],
    )
    assert cores(*as_tensors(network))["out"].dtype == dtype


@pytest.mark.parametrize("seed", range(4))
def test_matrix_products_of_other_devices_have_the_same_sums(seed):
    random = Random(seed)
    shape = random.randint(1, 4), *(random.randint(3, 8) for _ in range(1 + seed % 2))
    convolution = random_convolution(random, shape)
    kernel = torch.from_numpy(np.array(convolution.kernel)).double()
    maps = torch.rand(2, *shape).double()
    expected = _sums(convolution, kernel, maps, exact=False)
    product = _product(convolution, kernel, *_padded(maps, convolution.padding, 0.0))
    torch.testing.assert_close(product, expected)


@pytest.mark.parametrize("seed", range(3))
def test_ends_of_currents_are_those_of_the_bounds(seed):
    network = random_map_network(Random(seed), recurrent=False)
    tensors, _ = as_tensors(network)
    projection, connection = network.projections[0], tensors.connections[0]
    weights = connection.weights.detach().double()
    ends = convolved_ends(connection, (weights.clamp(min=0), weights.clamp(max=0)), -2, 3)
    for end, expected in zip(ends, projection.reach(-2, 3), strict=True):
        assert end.tolist() == expected.tolist()


def test_layer_that_can_never_fire_is_named():
    kernel = np.full((1, 1, 2, 2), 0.3)
    options = {"kind": "convolution", "pooling": MaxPool(2)}
    messages = []
    for threshold in (1.19, 1.21):
        net = SpikingNetwork(
            [Input("in", (1, 5, 5))],
            [Layer("maps", (1, 2, 2), Cell(Lif, threshold=threshold, decay=0.0), "channel")],
            [Connection("in", "maps", kernel, **options)],
            [Readout("maps", "count")],
        )
        messages.append(implausible(net))
    assert messages[0] == []
    assert "'maps' can never fire: no input brings a potential above 1.2" in messages[1][0]


def test_chips_of_a_twin_have_the_kernels_of_their_draws():
    network = random_map_network(Random(4), pooling=False)
    device = Device(high=20e-6, programming=GaussianNoise(relative=0.3, absolute=1e-6))
    twin = Twin(network, device, 3)
    study = twin.monte_carlo(2)
    node, random = network.inputs[0], np.random.default_rng(0)
    x = random.integers(node.low, node.high + 1, (3, 5, node.size))
    for draw in range(2):
        expected = reference.run(twin.chip(draw).network, x)
        with with_weights(study.net, study.weights(draw)):
            assert not expected.differences(study.net.run(x, study.integers))


@pytest.mark.parametrize("shape", [(2, 3, 6, 8), (2, 1, 5, 7), (1, 2, 2, 3)], ids=str)
def test_maximum_of_four_and_its_gradient_are_those_of_pytorch(shape):
    draw = torch.Generator().manual_seed(0)
    values = torch.randint(-2, 3, (9, *shape), generator=draw).float()  # many are equal
    pooling = MaxPooling(shape[1:], 2)
    for sums in values:
        sums.requires_grad_()
        pooled = _pooled(pooling, sums)
        expected = functional.max_pool2d(sums, 2)
        assert torch.equal(pooled, expected)
        weights = torch.rand(pooled.shape, generator=draw)
        (gradient,) = torch.autograd.grad((pooled * weights).sum(), sums)
        (known,) = torch.autograd.grad((expected * weights).sum(), sums)
        assert torch.equal(gradient, known)
