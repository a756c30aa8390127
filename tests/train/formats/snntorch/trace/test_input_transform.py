"""Tests of what a module does to its input: factors, offsets, bounds and encoders, on images."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spiker_train import from_snntorch, load_dataset

snn = pytest.importorskip("snntorch")
spikegen = pytest.importorskip("snntorch.spikegen")

STEPS, TOP = 8, 16
ROW = torch.linspace(0.2, 2.0, 64)


class Image(nn.Module):
    """A module that reads an image in each step, after what is done before the loop."""

    def __init__(self, before, within=False, conv=False):
        super().__init__()
        torch.manual_seed(2)
        self.before, self.within = before, within
        self.conv = nn.Conv2d(1, 2, 3, padding=1, stride=2) if conv else None
        self.fc, self.lif1 = nn.Linear(32 if conv else 64, 12), snn.Leaky(beta=0.8)
        self.lif0 = snn.Leaky(beta=0.7)
        self.norm, self.act = nn.BatchNorm1d(64), nn.ReLU(inplace=True)
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(5 if conv else 2)
            self.norm.running_mean.uniform_(0, 1)

    def forward(self, x):
        mem0, mem1 = self.lif0.reset_mem(), self.lif1.reset_mem()
        record = []
        if not self.within:
            x = self.before(x)
        for _ in range(STEPS):
            now = self.before(x) if self.within else x
            if self.conv is not None:
                now, mem0 = self.lif0(self.conv(now.view(-1, 1, 8, 8)), mem0)
                now = now.flatten(1)
            spikes, mem1 = self.lif1(self.fc(now), mem1)
            record.append(spikes)
        return torch.stack(record)


class Sequence(Image):
    """The same of a sequence, of which all steps are acted on at once."""

    def forward(self, x):
        mem0, mem1 = self.lif0.reset_mem(), self.lif1.reset_mem()
        record = []
        for now in x if self.within else self.before(x):
            now = self.before(now) if self.within else now
            if self.conv is not None:
                now, mem0 = self.lif0(self.conv(now.reshape(-1, 1, 8, 8)), mem0)
                now = now.flatten(1)
            spikes, mem1 = self.lif1(self.fc(now), mem1)
            record.append(spikes)
        return torch.stack(record)


def in_place(x):
    x = x.clone()
    x.div_(TOP)
    x -= 0.25
    return x.mul_(2.0)


def added_in_place(x):
    x += 1
    x /= 8
    return x


BEFORE = {
    "divided": lambda x: x / TOP,
    "normalised": lambda x: (x - 3.1) / 5.3,
    "scaled, then shifted": lambda x: x * (1 / TOP) - 0.5,
    "negative": lambda x: 1 - x / TOP,
    "by place": lambda x: (x / TOP - ROW / 4) / ROW,
    "functions": lambda x: torch.sub(torch.mul(torch.div(x, 4), 2), 1),
    "methods": lambda x: x.float().div(TOP).sub(0.2).neg().add(1).contiguous(),
    "in place": in_place,
    "added in place": added_in_place,
    "moved": lambda x: (x.unflatten(-1, (8, 8)) / ROW.view(8, 8) - 1).flip(-1).flatten(-2),
    "transposed": lambda x: (x.unflatten(-1, (8, 8)).transpose(-1, -2) / ROW.view(8, 8)).reshape(
        x.shape
    ),
    "clamped": lambda x: (x / TOP).clamp(0, 1),
    "bounded": lambda x: functional.relu(torch.minimum(x, torch.tensor(20.0))) / TOP,
    "hardtanh": lambda x: functional.hardtanh(x / TOP),
    "clamped in place": lambda x: (x / TOP).clamp_(0, 1).clip_(max=1.0) - 0.1,
    "relu in place": lambda x: functional.relu(x * 2, inplace=True) / 32,
    "data": lambda x: (x / TOP).detach().data.to(torch.float32),
}


@pytest.fixture(scope="module")
def images():
    """Images, shape (samples, 64), of 0 to 16."""
    return load_dataset("digits").x_test[:30].reshape(30, 64).astype(np.int64) * TOP // 255


def compare(module, x, argument=None, different=3e-3, **options):
    """Compare the spikes of a module and of what is read of it."""
    net = from_snntorch(module, **options)
    report = net.import_report
    module.eval()
    with torch.no_grad():
        steps = torch.as_tensor(x, dtype=torch.float32).transpose(0, 1).contiguous()
        expected = module(steps if argument is None else argument.clone())
    expected = expected.transpose(0, 1).numpy()
    name = net.layers[-1].name
    actual = net.run(x, record=[name]).spikes[name]
    assert 0.02 < expected.mean() < 0.9
    assert (actual != expected).mean() <= different
    return net, report


@pytest.mark.parametrize(
    "kind, within, conv",
    [(Image, True, False), (Sequence, False, True)],
    ids=["each step", "all steps"],
)
@pytest.mark.parametrize("what", BEFORE)
def test_operations_on_the_input_are_traced(what, kind, within, conv, images):
    within = within and what != "added in place"  # it would add anew in each step
    module = kind(BEFORE[what], within, conv)
    x = np.repeat(images[:, None], STEPS, axis=1)
    image = torch.as_tensor(images, dtype=torch.float32) if kind is Image else None
    example = torch.zeros(4, 64) if kind is Image else torch.zeros(STEPS, 4, 64)
    compare(module, x, image, values=(0, TOP), example=example)


REPEATED = {
    "repeat": lambda x: x.unsqueeze(0).repeat(STEPS, 1, 1),
    "tile": lambda x: x.tile((STEPS, 1, 1)),
    "repeat_interleave": lambda x: x[None].repeat_interleave(STEPS, 0),
    "expand": lambda x: x.expand(STEPS, -1, -1),
    "broadcast_to": lambda x: x.broadcast_to(STEPS, *x.shape),
    "stack": lambda x: torch.stack([x for _ in range(STEPS)]),
    "stack of factors": lambda x: torch.stack([x / ROW, x / ROW] * (STEPS // 2), dim=0),
    "cat": lambda x: torch.cat([x.unsqueeze(0)] * STEPS),
    "vstack": lambda x: torch.vstack([x[None] - 0.1] * STEPS),
    "rolled": lambda x: (x / ROW).roll(3, 1).expand(STEPS, -1, -1),
    "gathered": lambda x: x.index_select(1, torch.arange(63, -1, -1)).repeat(STEPS, 1, 1),
}


class Repeated(Image):
    """The same of an image that is repeated before the loop."""

    def forward(self, x):
        mem1, record = self.lif1.reset_mem(), []
        for now in self.before((x / TOP - 0.2) / 0.5):
            spikes, mem1 = self.lif1(self.fc(now), mem1)
            record.append(spikes)
        return torch.stack(record)


@pytest.mark.parametrize("what", REPEATED)
def test_an_image_that_is_repeated_for_the_loop_is_followed(what, images):
    x, image = np.repeat(images[:, None], STEPS, axis=1), torch.as_tensor(images).float()
    module = Repeated(REPEATED[what])
    _, report = compare(module, x, image, values=(0, TOP), example=torch.zeros(4, 64))
    assert f"forward reads the whole input in each of {STEPS} steps: repeat it" in report.notes


@pytest.mark.parametrize(
    "differs",
    [lambda x: x * (x.new_ones(()) * 2), lambda x: x + 1, lambda x: x.roll(1, 0)],
    ids=["a factor", "an offset", "another sample"],
)
def test_images_that_differ_by_step_are_refused(differs):
    with pytest.raises(ValueError, match=r"same in each step|mixes samples"):
        from_snntorch(
            Repeated(lambda x: torch.stack([x, differs(x)] * 4)),
            values=(0, TOP),
            example=torch.zeros(4, 64),
        )


def test_dropout_that_acts_in_evaluation_is_noted():
    module = Image(lambda x: functional.dropout(x, 0.5), within=True)
    report = from_snntorch(module, example=torch.zeros(4, 64)).import_report
    assert re.search(r"dropout acts in evaluation too, and does nothing here", str(report))


def test_an_input_scale_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"^Input scale must be a number other than 0, not 0$"):
        from_snntorch(Image(lambda x: x), input_scale=0)


def test_an_offset_before_a_padded_convolution_is_a_bias_by_place():
    module = Image(lambda x: x - 3.0, conv=True)
    options = {"values": (0, TOP), "example": torch.zeros(4, 64)}
    net = from_snntorch(module, **options)
    report = net.import_report
    below = torch.full((1, 1, 8, 8), -3.0)
    whole = functional.conv2d(below, module.conv.weight, module.conv.bias, stride=2, padding=1)
    assert torch.allclose(net.layers[0].bias, whole.flatten(), atol=1e-6)
    assert len(set(net.layers[0].bias[:16].tolist())) == 4  # a corner, two edges and the inside
    line = r"what test_input_transform.py:\d+ adds to the input costs a bias of each of the 32 "
    line += "neurons of 'lif0', and no events"
    assert any(re.fullmatch(line, note) for note in report.notes)
    plain = from_snntorch(Image(lambda x: x, conv=True), **options)
    assert torch.equal(net.connections[0].weights, plain.connections[0].weights)
    report = from_snntorch(Image(lambda x: x / 2), **options).import_report
    assert all("adds to the input" not in note for note in report.notes)


def test_all_steps_at_once_and_then_weights(images):
    class First(Image):
        def forward(self, x):
            mem, record = self.lif1.reset_mem(), []
            for now in (self.fc((x - 8) / TOP) * 1.5 - 0.1).unbind(0):
                spikes, mem = self.lif1(now, mem)
                record.append(spikes)
            return torch.stack(record)

    x = np.repeat(images[:, None], STEPS, axis=1)
    compare(First(None), x, values=(0, TOP))


# -- bounds that act --

ACTING = {
    "below": lambda x: x.clamp(min=4),
    "above": lambda x: torch.clamp(x, max=9.0),
    "shifted": lambda x: functional.relu(x - 5),
    "scaled": lambda x: (x / 4).clamp(0, 1),
    "negative": lambda x: (-x).clamp_max(-2),
    "in place": lambda x: (x + 0).clamp_(min=4),
}


@pytest.mark.parametrize("what", ACTING)
def test_a_bound_that_acts_is_folded_of_two_values_and_else_refused(what, images):
    module = Image(ACTING[what])
    with pytest.raises(ValueError, match=r"test_input_transform\.py:\d+: \w+ must leave all values "
                       r"of the input as they are, which are .* here: give the range"):  # fmt: skip
        from_snntorch(module, values=(0, TOP))
    two = (images > 7).astype(np.int64)
    x = np.repeat(two[:, None], STEPS, axis=1)
    scaled = torch.as_tensor(two * TOP, dtype=torch.float32)
    compare(module, x, scaled, values=(0, 1), input_scale=float(TOP))


def test_a_bound_beyond_all_values_is_a_bias(images):
    module = Image(lambda x: (x / TOP).clamp(2, 3))
    net = from_snntorch(module, values=(0, TOP))
    assert not net.connections[0].weights.any()
    expected = module.fc(torch.full((1, 64), 2.0))[0]
    assert torch.allclose(net.layers[0].bias, expected, atol=1e-5)


@pytest.mark.parametrize(
    "act, name",
    [
        (lambda x: x - x.mean(), "mean"),
        (lambda x: x / x.max(), "max"),
        (lambda x: x**2, "pow"),
        (lambda x: 1 / (x + 1), "rtruediv"),
        (lambda x: x.sqrt(), "sqrt"),
        (lambda x: torch.div(x, 2, rounding_mode="floor"), "div"),
    ],
    ids=["mean", "max", "power", "inverse", "root", "floor"],
)
def test_operation_that_is_not_linear_is_refused_with_its_line(act, name):
    with pytest.raises(ValueError, match=rf"which test_input_transform\.py:\d+: \w+ is not|{name}"):
        from_snntorch(Image(act), values=(0, TOP))


def test_a_factor_that_differs_by_step_or_sample_is_refused():
    steps = torch.linspace(1, 2, STEPS)[:, None, None]
    for act in (lambda x: x * steps, lambda x: x * torch.linspace(1, 2, 4)[:, None]):
        with pytest.raises(ValueError, match=r"by the same in each step|differs by sample"):
            from_snntorch(Sequence(act), values=(0, TOP), example=torch.zeros(STEPS, 4, 64))


def test_a_view_that_was_written_through_is_refused():
    def written(x):
        x[..., :3] -= 1
        return x

    for kind in (Image, Sequence):
        with pytest.raises(ValueError, match="writing into a"):
            from_snntorch(kind(written), example=torch.zeros(*[STEPS, 4, 64][kind is Image :]))


# -- encoders --


class Encoded(nn.Module):
    """A module that encodes its input."""

    def __init__(self, encode):
        super().__init__()
        torch.manual_seed(3)
        self.encode, self.fc, self.lif = encode, nn.Linear(64, 10), snn.Leaky(beta=0.9)

    def forward(self, x):
        mem, record = self.lif.reset_mem(), []
        for step in self.encode(x):
            spikes, mem = self.lif(self.fc(step), mem)
            record.append(spikes)
        return torch.stack(record)


rate, latency, delta = spikegen.rate, spikegen.latency, spikegen.delta
ENCODERS = {
    "rate": (lambda x: spikegen.rate(x, num_steps=5), "rate", "'bernoulli'", (0, 1)),
    "imported": (lambda x: rate(x / TOP, num_steps=5, gain=0.5), "rate", "gain=0.5", (0, 1)),
    "in time": (lambda x: rate(x, time_var_input=True), "rate", "time_var_input=True", (0, 1)),
    "bare": (lambda x: spikegen.rate_conv(x), "rate_conv", "'bernoulli'", (0, 1)),
    "latency": (
        lambda x: latency(x, num_steps=5, normalize=True, linear=True),
        "latency",
        "linear=True",
        (0, 1),
    ),
    "logarithmic": (
        lambda x: latency(x, num_steps=9, tau=1, bypass=True),
        "latency",
        "'first_spike'",
        (0, 1),
    ),
    "delta": (lambda x: delta(x, threshold=0.2), "delta", "threshold=0.2", (0, 1)),
    "signed": (lambda x: delta(x, off_spike=True), "delta", "off_spike=True", (-1, 1)),
}


@pytest.mark.parametrize("what", ENCODERS)
def test_encoders_are_cut_there_and_noted(what):
    encode, name, words, values = ENCODERS[what]
    module = Encoded(encode)
    images = what in {"rate", "imported", "latency", "logarithmic"}
    drawn = torch.get_rng_state()
    for example in (None, torch.zeros(4, 64) if images else torch.zeros(7, 4, 64)):
        if example is None and what == "bare":
            continue  # which axis is of steps, an example says
        net = from_snntorch(module, values=values, example=example)
        report = net.import_report
        note = next(line for line in report.notes if line.startswith("input: the spikes that "))
        assert f"{name} (test_input_transform.py:" in note
        assert words in note
        scaled = any(line.startswith("samples are scaled or shifted") for line in report.notes)
        assert scaled == (what == "imported")
        assert "encoder '" in note
        assert (net.inputs[0].size, net.inputs[0].low) == (64, values[0])
        assert torch.equal(net.connections[0].weights, module.fc.weight)
    assert torch.equal(drawn, torch.get_rng_state())
    x = np.random.default_rng(0).random((5, 9, 64)).astype(np.float32)
    samples = torch.as_tensor(x[:, 0] if images else x.swapaxes(0, 1))
    torch.manual_seed(0)
    spikes = encode(samples)
    torch.manual_seed(0)
    expected = module(samples).detach().transpose(0, 1).numpy()
    events = spikes.transpose(0, 1).numpy().astype(np.int64)
    actual = net.run(events, record=["layer1"]).spikes["layer1"]
    np.testing.assert_array_equal(actual, expected)


MISUSED = {
    "values": (lambda x: rate(x, num_steps=5), {"values": (0, 255)}, r"Values must be \(0, 1\), "),
    "scale": (lambda x: rate(x, num_steps=5), {"input_scale": 0.5}, r"Values must be \(0, 1\), "),
    "twice": (
        lambda x: rate(rate(x, num_steps=5), time_var_input=True), {}, "must encode the input, not"
    ),
    "both": (lambda x: rate(x, num_steps=5) + x, {}, "as it is or encoded once, not both"),
    "every step": (
        lambda x: [spikegen.rate_conv(x) for _ in range(4)], {}, "as it is or encoded once, not"
    ),
    "targets": (lambda x: latency(x, num_steps=5, on_target=3), {}, "put out spikes alone"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISUSED)
def test_other_uses_of_encoders_are_refused(what):
    encode, options, message = MISUSED[what]
    with pytest.raises(ValueError, match=message):
        from_snntorch(Encoded(encode), example=torch.zeros(4, 64), **options)
