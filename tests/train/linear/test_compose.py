"""Tests of linear maps and what they fold into: PyTorch's layers, value for value."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from spiker_hdl.model import If, Input, Readout
from spiker_train import Cell, Connection, Layer, SpikingNetwork
from spiker_train.formats.arrangement import arrangement
from spiker_train.linear import sparse
from spiker_train.linear.compose import (
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Flatten,
    MaxPool,
    Pad,
    Reshape,
    Scale,
    Shift,
    SumPool,
    add,
    compose,
)

RANDOM = np.random.default_rng(5)


def numbers(*shape):
    """Draw numbers about zero."""
    return RANDOM.normal(size=shape)


def applied(folded, x):
    """Apply the folded matrix, maximum and bias to a batch, and compare them with the kernel."""
    out = x.reshape(len(x), -1) @ folded.matrix().T
    out = out if folded.pooling is None else folded.pooling.maxima(out)
    out = out if folded.bias is None else out + folded.bias
    assert np.allclose(out, [folded.apply(sample.reshape(-1)) for sample in x], 1e-12, 1e-12)
    return out.reshape(len(x), *folded.output_shape)


def normal(channels):
    """Make a normalisation of PyTorch that has seen something."""
    layer = nn.BatchNorm1d(channels).double().eval()
    with torch.no_grad():
        layer.running_mean.copy_(torch.as_tensor(numbers(channels)))
        layer.running_var.copy_(torch.as_tensor(numbers(channels) ** 2))
        layer.weight.copy_(torch.as_tensor(numbers(channels)))
        layer.bias.copy_(torch.as_tensor(numbers(channels)))
    return layer


def batch_norm(layer):
    """Read it."""
    values = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    return BatchNorm(*(value.detach().numpy() for value in values), layer.eps)


CONVOLUTIONS = [
    {},
    {"stride": 2},
    {"stride": (2, 1), "padding": (1, 2)},
    {"padding": "same", "dilation": (2, 2)},
    {"dilation": 2, "padding": 3},
    {"groups": 2, "bias": False},
    {"groups": 4, "padding": 1},
]


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_convolutions_of_two_dimensions(options):
    layer = nn.Conv2d(4, 8, (3, 2), **options).double()
    arguments = {name: option for name, option in options.items() if name != "bias"}
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    folded = compose([Conv(layer.weight.detach().numpy(), bias, **arguments)], (4, 7, 9))
    x = numbers(3, 4, 7, 9)
    expected = layer(torch.as_tensor(x)).detach().numpy()
    assert folded.output_shape == expected.shape[1:]
    assert np.abs(applied(folded, x) - expected).max() < 1e-12
    assert (folded.bias is None) == (layer.bias is None)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("options", [{}, {"stride": 3, "padding": 2}, {"padding": "same"}], ids=str)
def test_convolutions_of_one_dimension(options):
    layer = nn.Conv1d(3, 5, 4, **options).double()
    own = Conv(layer.weight.detach().numpy(), layer.bias.detach().numpy(), **options)
    x = numbers(2, 3, 11)
    result = applied(compose([own], (3, 11)), x)
    assert np.abs(result - layer(torch.as_tensor(x)).detach().numpy()).max() < 1e-12


@pytest.mark.parametrize(
    "own, layer",
    [
        (AvgPool(2), nn.AvgPool2d(2)),
        (AvgPool((3, 2), (1, 2), (1, 0)), nn.AvgPool2d((3, 2), (1, 2), (1, 0))),
        (AvgPool(3, 2, 1, padded=False), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
        (SumPool(2, 3), nn.AvgPool2d(2, 3, divisor_override=1)),
    ],
    ids=["square", "strided-padded", "padding-not-counted", "sum"],
)
def test_pooling(own, layer):
    x = numbers(2, 3, 7, 8)
    folded = compose([own], (3, 7, 8))
    expected = layer(torch.as_tensor(x)).numpy()
    assert folded.output_shape == expected.shape[1:]
    assert np.abs(applied(folded, x) - expected).max() < 1e-12


def test_pooling_of_one_dimension():
    x = numbers(2, 3, 9)
    expected = nn.AvgPool1d(4, 2)(torch.as_tensor(x)).numpy()
    assert (
        np.abs(applied(compose([AvgPool(4, 2, dimensions=1)], (3, 9)), x) - expected).max() < 1e-12
    )


def test_linear_maps_in_a_row_are_composed():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(2, 3, 3, padding=1).double(), normal(48)
    first, second = nn.Linear(48, 10).double(), nn.Linear(10, 4, bias=False).double()
    module = nn.Sequential(conv, nn.AvgPool2d(2), nn.Flatten(), norm, first, second)
    factor, shift = numbers(4), numbers(4)
    maps = [
        Conv(conv.weight.detach().numpy(), conv.bias.detach().numpy(), padding=1, name="conv"),
        AvgPool(2),
        Flatten(),
        batch_norm(norm),
        Affine(first.weight.detach().numpy(), first.bias.detach().numpy(), name="first"),
        Affine(second.weight.detach().numpy()),
        Scale(factor),
        Shift(shift),
    ]
    folded = compose(maps, (2, 8, 8))
    x = numbers(5, 2, 8, 8)
    expected = module(torch.as_tensor(x)).detach().numpy() * factor + shift
    assert np.abs(applied(folded, x) - expected).max() < 1e-12
    assert (folded.input_shape, folded.output_shape) == ((2, 8, 8), (4,))
    assert str(folded) == (
        "Conv 'conv', AvgPool, Flatten, BatchNorm, Affine 'first', Affine, Scale, Shift folded "
        "into a dense projection of 128 to 4 with 512 weights, Conv 'conv' and AvgPool unrolled "
        "since BatchNorm has several factors in a channel"
    )


def test_maps_of_windows_in_a_row_stay_one_kernel():
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(4).double().eval()
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.1, 2)
    first, second = nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.Conv2d(4, 6, 3, groups=2)
    module = nn.Sequential(
        nn.ZeroPad2d((1, 0, 2, 1)), first, norm, nn.AvgPool2d(2, 1), second, nn.Flatten()
    ).double()
    maps = [
        Pad(((2, 1), (1, 0)), name="pad"),
        Conv(first.weight.detach(), first.bias.detach(), stride=2, padding=1, name="first"),
        BatchNorm(norm.running_mean, norm.running_var, epsilon=norm.eps),
        AvgPool(2, 1),
        Conv(second.weight.detach(), second.bias.detach(), groups=2, name="second"),
        Flatten(),
    ]
    folded = compose(maps, (2, 11, 9))
    x = numbers(3, 2, 11, 9)
    assert np.abs(applied(folded, x) - module(torch.as_tensor(x)).detach().numpy()).max() < 1e-12
    assert str(folded) == (
        "Pad 'pad', Conv 'first', BatchNorm, AvgPool, Conv 'second', Flatten kept as a convolution "
        "of 2x11x9 to 6x4x2 with a kernel of 9x9"
    )


def test_padding_is_even_where_it_can_be():
    strided = [Conv(numbers(1, 1, 3, 3), stride=2, padding=1), Scale(2.0)]
    kernel = compose([*strided, Conv(numbers(1, 1, 1, 1))], (1, 8, 8)).operator
    assert kernel.windows.padding == ((1, 1), (1, 1))
    # A padded row of windows after the last, of which there are 3, would be a fourth.
    kernel = compose([AvgPool(2), Conv(numbers(1, 1, 2, 2), padding=((1, 1)))], (1, 4, 4)).operator
    assert (kernel.windows.padding, kernel.windows.counts) == (((2, 2), (2, 2)), (3, 3))


def test_maps_of_another_shape_are_no_part_of_a_kernel():
    first, second = nn.Conv2d(1, 4, 5).double(), nn.Conv2d(1, 2, 3).double()
    module = nn.Sequential(first, nn.Flatten(), nn.Unflatten(1, (1, 8, 8)), second)
    maps = [
        Conv(first.weight.detach(), first.bias.detach()),
        Reshape((1, 8, 8)),
        Conv(second.weight.detach(), second.bias.detach()),
    ]
    folded, x = compose(maps, (1, 8, 8)), numbers(2, 1, 8, 8)
    assert np.abs(applied(folded, x) - module(torch.as_tensor(x)).detach().numpy()).max() < 1e-12


def test_factors_of_channels_in_front_of_groups():
    layer, factors = nn.Conv1d(4, 6, 3, groups=2, padding=1).double(), numbers(4, 1)
    own = Conv(layer.weight.detach(), layer.bias.detach(), groups=2, padding=1)
    folded, x = compose([Scale(factors), own], (4, 7)), numbers(3, 4, 7)
    assert folded.kind == "convolution"
    expected = layer(torch.as_tensor(x * factors)).detach().numpy()
    assert np.abs(applied(folded, x) - expected).max() < 1e-12


@pytest.mark.parametrize(
    "positions, size, stride, padding",
    [(7, 2, 2, 0), (7, 3, 2, 1), (8, 3, 3, 1), (6, 2, 3, 1), (5, 2, 4, 0), (9, 2, 4, 1)],
)
def test_maxima_of_a_remainder_are_those_of_torch(positions, size, stride, padding):
    x = numbers(2, 1, positions)
    expected = nn.functional.max_pool1d(torch.as_tensor(x), size, stride, padding, ceil_mode=True)
    pool = MaxPool(size, stride, padding, dimensions=1, ceil=True)
    assert np.array_equal(applied(compose([pool], (1, positions)), x), expected.numpy())


def test_kernels_stay_apart_in_groups():
    maps = [SumPool(2), Conv(numbers(6, 1, 3, 3), groups=3), Conv(numbers(9, 2, 1, 1), groups=3)]
    kernel = compose(maps, (3, 12, 12)).operator
    assert (kernel.groups, kernel.weights.shape) == (3, (9, 1, 6, 6))


@pytest.mark.parametrize(
    "maps, shape, why",
    [
        (
            [AvgPool(2, name="p"), Conv(numbers(2, 1, 3, 3), padding=1, name="c")],
            (1, 7, 7),
            "AvgPool 'p' and Conv 'c' unrolled since the padding of Conv 'c' lies where AvgPool "
            "'p' would have more windows",
        ),
        (
            [Conv(numbers(2, 1, 3, 3), padding=1), Conv(numbers(2, 2, 3, 3), padding=1, name="c")],
            (1, 7, 7),
            "Conv and Conv 'c' unrolled since the padding of Conv 'c' lies where Conv would have "
            "more windows",
        ),
        (
            [AvgPool(2, 2, 1, padded=False, name="p")],
            (1, 6, 6),
            "AvgPool 'p' unrolled since its windows have different weights",
        ),
    ],
    ids=["a-remainder", "padding-twice", "padding-not-counted"],
)
def test_convolutions_are_unrolled_where_one_kernel_would_differ(maps, shape, why):
    folded = compose(maps, shape)
    assert folded.kind in {"sparse", "dense"}
    assert str(folded).endswith(f" weights, {why}")


@pytest.mark.parametrize("trial", range(12))
def test_rows_of_random_maps_are_those_of_torch(trial):
    draws = np.random.default_rng([3, trial])
    axes = int(draws.integers(1, 3))
    shape = (2, *(int(size) for size in draws.integers(9, 13, axes)))
    x = value = torch.as_tensor(draws.normal(size=(2, *shape)))
    convolve, average, maximum = (
        (nn.functional.conv1d, nn.functional.avg_pool1d, nn.functional.max_pool1d)
        if axes == 1
        else (nn.functional.conv2d, nn.functional.avg_pool2d, nn.functional.max_pool2d)
    )
    maps = []
    for kind in draws.permutation(["conv", "conv", "pool"]):
        size, stride, padding = (int(draws.integers(*ends)) for ends in ((2, 4), (1, 3), (0, 2)))
        if kind == "pool":
            maps.append(AvgPool(size, stride, padding, dimensions=axes))
            value = average(value, size, stride, padding)
            continue
        weight, bias = draws.normal(size=(4, value.shape[1], *[size] * axes)), draws.normal(size=4)
        maps.append(Conv(weight, bias, stride, padding))
        value = convolve(value, *map(torch.as_tensor, (weight, bias)), stride, padding)
    folded = compose(maps, shape)
    assert np.abs(applied(folded, x.numpy()) - value.numpy()).max() < 1e-11
    if folded.kind != "convolution" or (folded.bias.reshape(4, -1).std(1) > 0).any():
        return
    size, ceil = min(2, *value.shape[2:]), bool(draws.integers(2))
    value = maximum(value, size, 2, size // 2, ceil_mode=ceil) * 1.5 - 2
    pool = MaxPool(size, 2, size // 2, dimensions=axes, ceil=ceil)
    folded = compose([*maps, pool, Scale(1.5), Shift(-2.0), Flatten()], shape)
    assert folded.pooling is not None
    assert np.abs(applied(folded, x.numpy()) - value.flatten(1).numpy()).max() < 1e-11


def test_maxima_have_factors_and_biases_behind_them():
    conv, norm, pool = nn.Conv1d(3, 4, 3, padding=1), nn.BatchNorm1d(4), nn.MaxPool1d(3, 2, 1)
    norm.running_var.uniform_(0.5, 2)
    norm.running_mean.uniform_(-1, 1)
    module = nn.Sequential(conv, pool, norm, nn.Flatten()).double().eval()
    own = Conv(conv.weight.detach(), conv.bias.detach(), padding=1, name="conv")
    maps = [own, MaxPool(3, 2, 1, dimensions=1, name="pool"), batch_norm(norm), Flatten()]
    folded = compose(maps, (3, 10))
    x = numbers(4, 3, 10)
    assert np.abs(applied(folded, x) - module(torch.as_tensor(x)).detach().numpy()).max() < 1e-12
    assert str(folded) == (
        "Conv 'conv', MaxPool 'pool', BatchNorm, Flatten kept as a convolution of 3x10 to 4x10 "
        "with a kernel of 3, the maximum over windows of 3"
    )


@pytest.mark.parametrize(
    "first, second, size",
    [
        ((2, 2, 0), (2, 2, 0), 4),
        ((3, 1, 1), (2, 2, 0), 4),
        ((3, 2, 1), (3, 1, 1), 7),
        ((2, 1, 1), (3, 3, 1), 4),
        ((1, 2, 0), (2, 2, 0), None),
        ((2, 2, 0), (2, 1, 1), None),
        ((2, 3, 0), (2, 1, 0), None),
        ((3, 3, 0), (2, 2, 1), 6),
    ],
)
def test_maxima_in_a_row_are_one_maximum(first, second, size):
    shape = (2, 12, 10)
    conv = Conv(numbers(4, 2, 2, 2), numbers(4))
    maps = [conv, MaxPool(*first, name="a"), MaxPool(*second, name="b"), Scale(2.0), Flatten()]
    if size is None:
        message = "^MaxPool 'b' must have with MaxPool 'a' the positions of one window, not others"
        with pytest.raises(ValueError, match=message):
            compose(maps, shape)
        return
    folded = compose(maps, shape)
    x = torch.as_tensor(numbers(2, *shape))
    pools = nn.Sequential(nn.MaxPool2d(*first), nn.MaxPool2d(*second))
    expected = nn.functional.conv2d(x, *map(torch.as_tensor, (conv.weight, conv.bias)))
    expected = pools(expected).flatten(1) * 2
    assert np.abs(applied(folded, x.numpy()) - expected.numpy()).max() < 1e-12
    assert (folded.pooling.size, folded.maps[1:3]) == ((size, size), ("MaxPool 'a'", "MaxPool 'b'"))


def test_sums_of_kernels_are_one_kernel():
    shape, x = (4, 9, 8), numbers(2, 4, 9, 8)
    wide = compose([Conv(numbers(4, 4, 3, 5), padding=(1, 2), name="wide")], shape)
    apart = compose([Conv(numbers(4, 2, 3, 3), padding=2, dilation=2, groups=2)], shape)
    skip = compose([Scale(2.0, name="skip")], shape)
    (total,) = add([wide, apart, skip])
    assert np.abs(applied(total, x) - sum(applied(part, x) for part in (wide, apart, skip))).max(
    ) < 1e-12  # fmt: skip
    assert (total.kind, total.operator.windows.size) == ("convolution", (5, 5))
    strided = compose([Conv(numbers(4, 4, 1, 1), stride=2)], (4, 7, 7))
    dense = compose([Conv(numbers(4, 4, 4, 4))], (4, 7, 7))
    (both,), more = add([strided, dense]), numbers(2, 4, 7, 7)
    assert both.kind != "convolution"
    expected = applied(strided, more) + applied(dense, more)
    assert np.abs(applied(both, more) - expected).max() < 1e-12
    pooled = compose([Conv(numbers(4, 4, 2, 2)), MaxPool(1)], (4, 10, 9))
    narrow = compose([Conv(numbers(4, 4, 2, 2))], (4, 10, 9))
    assert add([pooled, narrow]) == [narrow, pooled]
    halves = compose([Conv(numbers(4, 4, 1, 1), stride=1)], shape)
    (mixed,) = add([compose([Affine(numbers(8, 8))], shape), halves])
    assert (mixed.kind, "unrolled since it is added to a map of other windows" in str(mixed)) == (
        "sparse", True,
    )  # fmt: skip


def test_a_matrix_acts_on_the_last_axis():
    layer = nn.Linear(5, 2).double()
    x = numbers(3, 4, 6, 5)
    own = Affine(layer.weight.detach().numpy(), layer.bias.detach().numpy())
    folded = compose([own, Flatten(1)], (4, 6, 5))
    expected = layer(torch.as_tensor(x)).flatten(2).detach().numpy()
    assert folded.output_shape == (4, 12)
    assert np.abs(applied(folded, x) - expected).max() < 1e-12
    assert (folded.kind, len(folded.entries)) == ("sparse", 4 * 6 * 10)


def test_wide_matrices_meet_in_dense_arithmetic():
    a, b = numbers(300, 400), numbers(400, 300)
    folded = compose([Affine(a), Affine(b)], (400,))
    assert np.abs(folded.matrix() - b @ a).max() < 1e-10
    assert folded.kind == "dense"


def test_arrangements_by_hand():
    layer = compose([Scale([2.0, 0.0, -1.0]), Flatten()], (3,))
    keywords = arrangement(layer)
    assert (keywords["kind"], keywords["weights"].tolist()) == ("one_to_one", [2, 0, -1])
    pool = arrangement(compose([SumPool(2)], (2, 4, 4)))
    assert (pool["kind"], pool["weights"].tolist()) == ("convolution", [[[[1, 1], [1, 1]]]] * 2)
    assert (pool["window"].stride, pool["window"].groups) == ((2, 2), 2)
    edge = arrangement(compose([AvgPool(2, 2, 1, padded=False)], (1, 4, 4)))
    assert (edge["kind"], edge["mask"].sum()) == ("sparse", 16)
    assert edge["weights"][1].reshape(4, 4).tolist() == [[0, 0.5, 0.5, 0]] + [[0] * 4] * 3
    zeros = arrangement(compose([Affine(np.zeros((2, 3)))], (3,)))
    assert (zeros["kind"], zeros["weights"].shape) == ("dense", (2, 3))
    plain = compose([], (2, 2))
    assert (plain.kind, plain.output_shape, plain.bias) == ("one_to_one", (2, 2), None)


@pytest.mark.parametrize(
    "maps",
    [
        [Conv(np.abs(numbers(2, 1, 3, 3)) / 5)],
        [Conv(numbers(2, 1, 2, 2), stride=2), MaxPool(2, 1, 1)],
        [Conv(numbers(2, 1, 2, 2)), MaxPool(2, 2, dilation=2)],
        [Scale(2.0)],
        [Affine(numbers(9, 5))],
    ],
    ids=["convolution", "padded-maximum", "dilated-maximum", "factor", "matrix"],
)
def test_folded_maps_are_a_connection(maps):
    shape = (1, 6, 5)
    folded = compose([*maps, Flatten()], shape)
    size = folded.output_shape[0]
    net = SpikingNetwork(
        [Input("in", shape)],
        [Layer("own", size, Cell(If, threshold=0.5, reset="zero"))],
        [Connection("in", "own", **arrangement(folded))],
        [Readout("own")],
    )
    x = (RANDOM.random((4, 1, 30)) < 0.5).astype(np.uint8)
    actual = net.run(x, record=["own"]).spikes["own"]
    assert np.array_equal(actual[:, 0], applied(folded, x[:, 0]) > 0.5)
    assert 0 < actual.mean() < 1


@pytest.mark.parametrize(
    "maps, shape, message",
    [
        (
            [Affine(numbers(3, 4), name="one"), Affine(numbers(2, 5), name="two")],
            (4,),
            "Input of Affine 'two' must have 5 values on its last axis, not the shape (3,) of "
            "Affine 'one'",
        ),
        (
            [Affine(numbers(3, 4))],
            (5,),
            "Input of Affine must have 4 values on its last axis, not the shape (5,) of the input",
        ),
        (
            [Conv(numbers(2, 3, 2, 2), name="c")],
            (2, 8, 8),
            "Input of Conv 'c' must have 3 channels and 2 more axes, not the shape (2, 8, 8) of "
            "the input",
        ),
        (
            [Conv(numbers(2, 3, 5, 2))],
            (3, 4, 8),
            "Input of Conv must have room for a kernel of (5, 2), not the shape (3, 4, 8) of the "
            "input: take a smaller one, or padding",
        ),
        (
            [Flatten(), AvgPool(2)],
            (2, 4, 4),
            "Input of AvgPool must have channels and 2 more axes, not the shape (32,) of Flatten",
        ),
        (
            [BatchNorm(numbers(3), 1.0)],
            (4,),
            "Input of BatchNorm must have 3 channels, not the shape (4,) of the input",
        ),
        (
            [Scale(numbers(3))],
            (4,),
            "Input of Scale must have a shape that (3,) goes with, not the shape (4,) of the input",
        ),
        (
            [Shift(numbers(2, 3))],
            (3,),
            "Input of Shift must have a shape that (2, 3) goes with, not the shape (3,) of the "
            "input",
        ),
        (
            [Flatten(1, 3)],
            (2, 3),
            "Input of Flatten must have axes 1 to 3, not the shape (2, 3) of the input",
        ),
        (
            [Conv(numbers(2, 1, 3, 3)), MaxPool(7, name="pool")],
            (1, 8, 8),
            "Input of MaxPool 'pool' must have room for a window of (7, 7), not the shape "
            "(2, 6, 6) of Conv: take a smaller one, or padding",
        ),
        (
            [Flatten(), Affine(numbers(16, 16), name="fc"), Reshape((1, 4, 4)), MaxPool(2)],
            (1, 4, 4),
            "MaxPool must be behind a convolution that stays one, not behind Flatten and Affine "
            "'fc' and Reshape: the maximum is of the sums of one kernel; put neurons in front of "
            "it, whose spikes it pools",
        ),
        (
            [Conv(numbers(2, 1, 3, 3)), MaxPool(2, name="pool"), Conv(numbers(1, 2, 2, 2))],
            (1, 8, 8),
            "Conv must be behind neurons, not behind MaxPool 'pool' alone: the greatest of several "
            "currents is not linear in them; put neurons between the two",
        ),
        (
            [Conv(numbers(2, 1, 3, 3)), MaxPool(1, 2, name="a"), MaxPool(2, name="b")],
            (1, 8, 8),
            "MaxPool 'b' must have with MaxPool 'a' the positions of one window, not others: pool "
            "once, over larger windows, or put neurons between the two",
        ),
        (
            [Conv(np.ones((2, 1, 3, 3))), MaxPool(2, name="p"), Scale([[[1.0]], [[-0.5]]])],
            (1, 8, 8),
            "Scale must have factors of at least 0 behind MaxPool 'p', not -0.5 in channel 1, with "
            "which the greatest current becomes the least: put it in front of the maximum",
        ),
        (
            [Conv(np.ones((2, 1, 3, 3))), MaxPool(2, name="p"), Scale(np.arange(3.0), name="s")],
            (1, 8, 8),
            "Scale 's' must have one factor for each channel behind MaxPool 'p', not several in "
            "channel 0",
        ),
        (
            [Conv(np.ones((2, 1, 3, 3))), Shift(np.arange(6.0)), MaxPool(2, name="p")],
            (1, 8, 8),
            "Bias in front of MaxPool 'p' must be the same in all of a window, not 0 to 1: it "
            "would decide which current is the greatest",
        ),
        (
            [Conv(numbers(64, 3, 3, 3), name="large"), Scale(np.arange(62.0), name="s")],
            (3, 64, 64),
            "Conv 'large' must unroll into at most 1048576 weights, not 6642432 from (3, 64, 64) "
            "to (64, 62, 62), since Scale 's' has several factors in a channel: unrolled=6642432 "
            "allows as many",
        ),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_maps_that_do_not_meet_are_refused_by_name(maps, shape, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compose(maps, shape)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: Affine([[1.0, np.nan]], name="fc"),
            ValueError,
            "Weights of Affine 'fc' must be finite, not nan",
        ),
        (lambda: Affine("w"), TypeError, "Weights of Affine must be numbers, not 'w'"),
        (
            lambda: Affine([1.0]),
            ValueError,
            "Weights of Affine must have 2 axes, not the shape (1,)",
        ),
        (
            lambda: Affine([[1.0]], [1.0, 2.0]),
            ValueError,
            "Bias of Affine must have the shape (1,), not (2,)",
        ),
        (
            lambda: Conv(numbers(2, 2)),
            ValueError,
            "Weights of Conv must have 3 or 4 axes, not the shape (2, 2)",
        ),
        (
            lambda: Conv(numbers(3, 2, 2), groups=2),
            ValueError,
            "Groups of Conv must divide 3, not be 2",
        ),
        (
            lambda: Conv(numbers(3, 2, 2), stride=0),
            ValueError,
            "Stride of Conv must be 1 integers of at least 1, not 0",
        ),
        (
            lambda: Conv(numbers(3, 2, 2), padding="full"),
            ValueError,
            "Padding of Conv must be 'valid' or 'same', not 'full'",
        ),
        (
            lambda: Conv(numbers(3, 2, 2), padding="same", stride=2),
            ValueError,
            "Padding of Conv must be numbers with a stride, not 'same'",
        ),
        (
            lambda: BatchNorm([0.0], [-1.0]),
            ValueError,
            "Variance of BatchNorm must be above 0 with its epsilon, not -0.99999",
        ),
    ],
)
def test_bad_maps(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_folding_that_is_too_large_is_refused(monkeypatch):
    small = Affine(numbers(2, 2), name="small")
    message = (
        "Affine 'small' must have at most 67108864 weights, not 80000000 from (5000, 4000, 2) to "
        "(5000, 4000, 2)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compose([small], (5000, 4000, 2))
    first, second = (Affine(np.zeros(size), name="all") for size in ((900, 200), (2, 900)))
    monkeypatch.setattr(sparse, "PAIRS", 10**5)
    monkeypatch.setattr(sparse, "PRODUCTS", 10**5)
    message = "Affine 'all' must fold into matrices of at most 100000 pairs, not 180000"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compose([first, second], (200,))
