"""Tests of what modules of snnTorch return: the network that is read answers the same."""

import re
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spiker_hdl.model import reference
from spiker_train import Quantization, from_snntorch, quantize

snn = pytest.importorskip("snntorch")
losses = pytest.importorskip("snntorch.functional.loss")

SIZE, HIDDEN, OUT, STEPS, SAMPLES = 12, 10, 6, 9, 64


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


Both = namedtuple("Both", ["spikes", "potentials"])


@dataclass
class Made:
    """What some return instead of a tuple."""

    spikes: torch.Tensor
    note: str = "a note"


class Net(nn.Module):
    """Two layers of neurons; ``end`` says what is returned of them."""

    def __init__(self, end, more=None, out=OUT, steps_first=True):
        super().__init__()
        torch.manual_seed(8)
        self.fc1, self.fc2 = nn.Linear(SIZE, HIDDEN), nn.Linear(HIDDEN, out)
        self.lif1, self.lif2 = snn.Leaky(beta=0.8), snn.Leaky(beta=0.7, threshold=0.6)
        self.end, self.steps_first = end, steps_first
        for name, part in (more or {}).items():
            setattr(self, name, part)
        with torch.no_grad():
            self.fc1.weight.mul_(3)
            self.fc2.weight.mul_(3)

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        r = SimpleNamespace(spk=[], mem=[], spk1=[], mem1=[], net=self)
        for now in x.unbind(0 if self.steps_first else 1):
            spk1, mem1 = self.lif1(self.fc1(now), mem1)
            spk1 = spk1.to(now.dtype)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2 = spk2.to(now.dtype)
            for record, value in ((r.spk, spk2), (r.mem, mem2), (r.spk1, spk1), (r.mem1, mem1)):
                record.append(value)
        return self.end(r)


def spikes():
    """Return spikes of samples, shape (samples, steps, channels)."""
    return (np.random.default_rng(3).random((SAMPLES, STEPS, SIZE)) < 0.4).astype(np.uint8)


def answered(net, module, x, pick=lambda output: output):
    """Return the scores of the network, and what the module returns."""
    with torch.no_grad():
        steps = torch.as_tensor(x, dtype=torch.float64)
        result = module.double()(steps.transpose(0, 1) if module.steps_first else steps)
        return net.double()(x).scores.numpy(), np.asarray(pick(result))


def check_order(scores, values):
    """Check that values rise where scores do."""
    assert scores.shape == values.shape
    for row, value in zip(scores, values, strict=True):
        a, b = row[:, None] - row, value[:, None] - value
        clear = (np.abs(a) > 1e-9) | (np.abs(b) > 1e-9)
        assert (np.sign(a) == np.sign(b))[clear].all()


def stack(many):
    return torch.stack(many, dim=0)


def added(r):
    total = torch.zeros_like(r.spk[0])
    for step in r.spk:
        total += step
    return total


def written(r):
    record = torch.zeros(len(r.spk), *r.spk[0].shape)
    for t, step in enumerate(r.spk):
        record[t] = step
    return record.sum(0)


def first(r):
    before = torch.cumsum(stack(r.spk), 0)
    return (before > 0).sum(0).float()


VALUES = {
    "sum of a list": (lambda r: sum(r.spk), "count"),
    "sum of a stack": (lambda r: stack(r.spk).sum(0), "count"),
    "sum over steps": (lambda r: stack(r.spk).sum(0) / len(r.spk), "count"),
    "mean": (lambda r: stack(r.spk).mean(dim=0), "count"),
    "mean of steps last": (lambda r: torch.stack(r.spk, -1).mean(-1), "count"),
    "cat and view": (
        lambda r: torch.cat(r.spk, 1).view(-1, len(r.spk), OUT).sum(1),
        "count",
    ),
    "permuted": (lambda r: stack(r.spk).permute(1, 2, 0).sum(-1), "count"),
    "einsum": (lambda r: torch.einsum("tsn->sn", stack(r.spk)), "count"),
    "added in place": (added, "count"),
    "written in place": (written, "count"),
    "softmax of a count": (lambda r: stack(r.spk).sum(0).softmax(-1), "count"),
    "log_softmax of a mean": (lambda r: functional.log_softmax(stack(r.spk).mean(0), 1), "count"),
    "temperature": (lambda r: torch.sigmoid(stack(r.spk).sum(0) / 2.5 - 1), "count"),
    "last": (lambda r: r.mem[-1], "last"),
    "last of a stack": (lambda r: stack(r.mem)[-1], "last"),
    "softmax of the last": (lambda r: torch.softmax(r.mem[-1], dim=1), "last"),
    "log_softmax of the last": (lambda r: functional.log_softmax(3 * r.mem[-1], -1), "last"),
    "greatest": (lambda r: stack(r.mem).max(0)[0], "largest"),
    "amax": (lambda r: stack(r.mem).amax(dim=0), "largest"),
    "softmax of the greatest": (lambda r: stack(r.mem).max(dim=0).values.softmax(1), "largest"),
    "sum of potentials": (lambda r: stack(r.mem).sum(0), "sum"),
    "mean of potentials": (lambda r: torch.mean(torch.stack(r.mem, 1), 1), "sum"),
    "first": (first, "first"),
    "first of products": (
        lambda r: (1 - torch.cumprod(1 - stack(r.spk), 0)).sum(0) / len(r.spk),
        "first",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_a_sample_is_the_readout_that_it_is(name):
    end, kind = VALUES[name]
    module, x = Net(end), spikes()
    net = from_snntorch(module)
    report = net.import_report
    assert [(readout.population, readout.kind) for readout in net.readouts] == [("layer2", kind)]
    assert f"layer2 answers: {kind}: the " in str(report)
    check_order(*answered(net, module, x))
    network = quantize(net, weights=6, potentials=12)
    assert network.readouts == net.readouts
    q = Quantization(6, 12).fit(net)
    assert reference.run(quantize(net, q), x[:8]).differences(net.run(x[:8], q)) == []


RECORDS = {
    "spikes": (lambda r: stack(r.spk), "count", lambda output: output.sum(0)),
    "a list of spikes": (lambda r: r.spk, "count", sum),
    "steps second": (lambda r: torch.stack(r.spk, 1), "count", lambda output: output.sum(1)),
    "potentials": (lambda r: stack(r.mem), "last", lambda output: output[-1]),
    "a list of potentials": (lambda r: r.mem, "last", lambda output: output[-1]),
    "softmax in each step": (lambda r: stack(r.mem).softmax(-1), "last", lambda output: output[-1]),
    "spikes and potentials": (
        lambda r: (stack(r.spk), stack(r.mem)),
        "count",
        lambda output: output[0].sum(0),
    ),
    "potentials and spikes": (
        lambda r: (stack(r.mem), stack(r.spk)),
        "count",
        lambda output: output[1].sum(0),
    ),
    "two lists": (lambda r: (r.spk, r.mem), "count", lambda output: sum(output[0])),
    "named": (
        lambda r: Both(stack(r.spk), stack(r.mem)),
        "count",
        lambda output: output.spikes.sum(0),
    ),
    "a dictionary": (
        lambda r: {"mem": stack(r.mem)[-1], "spk": stack(r.spk)},
        "last",
        lambda output: output["mem"],
    ),
    "a class": (lambda r: Made(stack(r.spk)), "count", lambda output: output.spikes.sum(0)),
    "all layers": (
        lambda r: (stack(r.spk1), stack(r.mem1), stack(r.spk), stack(r.mem)),
        "count",
        lambda output: output[2].sum(0),
    ),
    "a value and a record": (
        lambda r: (stack(r.spk), stack(r.mem).amax(0)),
        "largest",
        lambda output: output[1],
    ),
    "a share of all": (
        lambda r: (stack(r.mem)[-1], stack(r.spk1).mean()),
        "last",
        lambda output: output[0],
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_of_steps_are_read_by_a_stated_rule(name):
    end, kind, pick = RECORDS[name]
    module = Net(end, steps_first=name != "steps second")
    net = from_snntorch(module)
    report = net.import_report
    assert [(readout.population, readout.kind) for readout in net.readouts] == [("layer2", kind)]
    assert list(report.readouts) == ["layer2"]
    check_order(*answered(net, module, spikes(), pick))
    returned = end(
        SimpleNamespace(**dict.fromkeys(("spk", "mem", "spk1", "mem1"), [torch.ones(2)] * 2))
    )
    many = len(returned) if isinstance(returned, tuple | dict) else 1
    assert len(report.notes) == many - 1


def linear(**more):
    torch.manual_seed(5)
    head = nn.Linear(OUT, 4, **more)
    with torch.no_grad():
        head.weight.sub_(head.weight.mean(1, keepdim=True)).mul_(4)
    return {"head": head}


HEADS = {
    "of a count": (lambda r: r.net.head(stack(r.spk).sum(0)), "Accumulator", "once in a sample"),
    "of a mean": (lambda r: r.net.head(stack(r.spk).mean(0)), "Accumulator", "in each step"),
    "in each step": (
        lambda r: sum(r.net.head(step) for step in r.spk),
        "Accumulator",
        "in each step",
    ),
    "mean of logits": (
        lambda r: stack([r.net.head(step) for step in r.spk]).mean(0).softmax(1),
        "Accumulator",
        "in each step",
    ),
    "log_softmax": (
        lambda r: functional.log_softmax(r.net.head(sum(r.spk) / 4), -1),
        "Accumulator",
        "once in a sample",
    ),
    "of the last spikes": (lambda r: r.net.head(r.spk[-1]), "Integrator", "in each step"),
}


def leaked(r):
    level = 0
    for step in r.spk:
        level = 0.75 * level + r.net.head(step)
    return level


def leaking(r):
    record = [torch.zeros(r.spk[0].shape[0], 4)]
    for step in r.spk:
        record.append(0.75 * record[-1] + r.net.head(step))
    return record[1:]


HEADS |= {
    "leaking": (leaked, "Integrator", "in each step"),
    "leaking, greatest": (lambda r: stack(leaking(r)).amax(0), "Integrator", "in each step"),
    "leaking, sum": (lambda r: stack(leaking(r)).sum(0), "Integrator", "in each step"),
}


@pytest.mark.parametrize("biased", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", HEADS)
def test_a_linear_head_is_a_population(name, biased):
    end, kind, where = HEADS[name]
    module = Net(end, linear(bias=biased))
    net = from_snntorch(module)
    report = net.import_report
    readout = net.readouts[0]
    expected = {"greatest": "largest", "sum": "sum"}.get(name.partition(", ")[2], "last")
    assert (readout.population, readout.kind, len(net.readouts)) == ("layer3", expected, 1)
    assert net.layers[2].cell.kind.__name__ == kind
    assert ("its bias " + where in report.layers["layer3"]) == biased
    assert "'head'" in report.layers["layer3"]
    for steps in (STEPS, 4):  # what is added once stays so in shorter samples
        check_order(*answered(net, module, spikes()[:, :steps]))
    q = Quantization(6, 14).fit(net)
    x = spikes()[:8]
    assert reference.run(quantize(net, q), x).differences(net.run(x, q)) == []


@pytest.mark.parametrize("mean", [True, False], ids=["mean", "sum"])
def test_a_head_on_parallel_neurons(mean):
    class Parallel(nn.Module):
        steps_first = True

        def __init__(self):
            super().__init__()
            torch.manual_seed(3)
            self.lif = snn.LeakyParallel(SIZE, OUT, beta=0.8, threshold=0.5)
            self.head = nn.Linear(OUT, 4)

        def forward(self, x):
            spk = self.lif(x).to(x.dtype)
            return self.head(spk.mean(0) if mean else spk.sum(0))

    module = Parallel()
    net = from_snntorch(module)
    for steps in (STEPS, 4):
        check_order(*answered(net, module, spikes()[:, :steps]))


def test_values_of_a_head_are_the_modules():
    module = Net(HEADS["of a count"][0], linear())
    net = from_snntorch(module)
    scores, values = answered(net, module, spikes())
    np.testing.assert_allclose(scores, values, 0, 1e-6)
    assert net.layers[2].bias is None
    assert np.allclose(net.layers[2].cell.value("v"), module.head.bias.detach())


def test_spikes_of_both_layers_reach_a_head():
    torch.manual_seed(1)
    more = {"head": nn.Linear(HIDDEN + OUT, 4)}
    module = Net(lambda r: r.net.head(torch.cat([sum(r.spk1), sum(r.spk)], 1)), more)
    net = from_snntorch(module)
    assert {connection.name for connection in net.connections} >= {
        "layer1->layer3",
        "layer2->layer3",
    }
    check_order(*answered(net, module, spikes()))


def test_negative_counts_are_a_head_too():
    module = Net(lambda r: -stack(r.spk).sum(0))
    net = from_snntorch(module)
    assert net.connections[-1].kind == "one_to_one"
    assert net.layers[2].cell.kind.__name__ == "Accumulator"
    check_order(*answered(net, module, spikes()))


def test_the_last_spikes_are_an_integrator_that_keeps_nothing():
    module = Net(lambda r: stack(r.spk)[-1])
    net = from_snntorch(module)
    scores, values = answered(net, module, spikes())
    assert np.array_equal(scores, values)


CLASSES = {
    "argmax": (lambda r: stack(r.spk).sum(0).argmax(1), "count"),
    "max": (lambda r: stack(r.mem).mean(0).max(1)[1], "sum"),
    "softmax and argmax": (lambda r: r.mem[-1].softmax(1).argmax(dim=-1), "last"),
    "argmax of a head": (lambda r: r.net.head(sum(r.spk)).argmax(1), "last"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_returned_class_is_that_of_the_greatest_score(name):
    end, kind = CLASSES[name]
    module = Net(end, linear())
    net = from_snntorch(module)
    assert net.readouts[0].kind == kind
    scores, classes = answered(net, module, spikes())
    assert len(set(classes)) > 1
    assert np.array_equal(scores.argmax(1), classes)


def test_regression_reports_the_scale():
    module = Net(lambda r: 2.5 * r.mem[-1] + 0.5, out=1)
    net = from_snntorch(module)
    report = net.import_report
    assert report.readouts["layer2"].endswith("is returned: 2.5 times the score and 0.5")
    scores, values = answered(net, module, spikes())
    np.testing.assert_allclose(2.5 * scores + 0.5, values, 0, 1e-6)
    squashed = from_snntorch(Net(lambda r: torch.sigmoid(r.mem[-1]), out=1)).import_report
    assert str(squashed).endswith("is returned, in the same order but not on the same scale")


class Forked(Net):
    """Two ends: an actor and a critic."""

    def forward(self, x):
        m1, m2, m3 = self.lif1.reset_mem(), self.lif2.reset_mem(), self.lif3.reset_mem()
        total = 0
        for now in x:
            spk, m1 = self.lif1(self.fc1(now), m1)
            out, m2 = self.lif2(self.fc2(spk), m2)
            _, m3 = self.lif3(self.fc3(spk), m3)
            total = total + out
        return {"value": m3, "actions": total}


def test_several_ends_are_several_readouts():
    more = {"fc3": nn.Linear(HIDDEN, 1), "lif3": snn.Leaky(beta=0.9, reset_mechanism="none")}
    module = Forked(None, more)
    net = from_snntorch(module)
    report = net.import_report
    assert [(readout.population, readout.kind) for readout in net.readouts] == [
        ("layer3", "last"),
        ("layer2", "count"),
    ]
    assert report.readouts["layer2"].endswith("(['actions'] of what forward returns)")
    with torch.no_grad():
        expected = module(torch.as_tensor(spikes(), dtype=torch.float32).transpose(0, 1))
        result = net(spikes()).answers
    torch.testing.assert_close(result["layer3"], expected["value"], rtol=0, atol=1e-5)
    assert torch.equal(result["layer2"], expected["actions"])
    with pytest.raises(ValueError, match=r"^Leaky 'lif3' must reach the output 'lif2'$"):
        from_snntorch(module, output="lif2")


def test_readout_argument_overrides_the_returned_value_and_is_reported():
    net = from_snntorch(Net(lambda r: stack(r.mem).amax(0)), readout="last")
    report = net.import_report
    assert [(readout.population, readout.kind) for readout in net.readouts] == [("layer2", "last")]
    assert report.readouts["layer2"] == (
        "last: readout='last' says so, where the greatest of the potentials of 'lif2' is returned"
    )
    net = from_snntorch(Net(lambda r: -r.mem[-1]), readout="last")
    report = net.import_report
    assert report.readouts["layer2"] == (
        "last: readout='last' says so, and what is returned is set aside"
    )
    logits = Net(lambda r: stack([r.net.head(step) for step in r.spk]), linear())
    net = from_snntorch(logits, readout="largest")
    scores, values = answered(net, logits, spikes(), lambda potentials: potentials.amax(0))
    np.testing.assert_allclose(scores, values, 0, 1e-6)
    with pytest.raises(ValueError, match=r"^Readout must be one of 'count'"):
        from_snntorch(logits, readout="least")


@pytest.mark.parametrize("values", [(0,), (0, 1, 2), 1, None], ids=str)
def test_values_of_the_input_are_two(values):
    message = f"Values must be the least and the greatest of the input, not {values!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_snntorch(Net(squared), values=values)


def squared(r):
    return r.mem[-1] ** 2


def smallest(r):
    return stack(r.mem).min(0)[0]


def negated(r):
    return -r.mem[-1]


def sorted_out(r):
    return r.mem[-1].sort(1)[0]


def weighted(r):
    return sum(t * step for t, step in enumerate(r.spk))


def late(r):
    return stack(r.spk[3:]).sum(0)


def rectified(r):
    return torch.relu(r.mem[-1])


def deep(r):
    return r.net.head(torch.relu(r.net.inner(sum(r.spk))))


def on_potentials(r):
    return r.net.head(r.mem[-1])


def cut_off(r):
    return r.mem[-1].clamp(-90, 90)


def cut_short(r):
    return stack(r.spk).sum(0).clamp(max=5)


def mixed(r):
    return sum(r.spk) + r.mem[-1]


def turned(r):
    return stack(r.spk).sum(0).flip(1)


def normalised(r):
    return r.mem[-1] / r.mem[-1].sum(1, keepdim=True)


def across(r):
    return r.mem[-1] - r.mem[-1].mean(0)


REFUSED = {
    "negative records": (lambda r: -stack(r.spk), "what neg makes of them"),
    "squared": (squared, "what pow makes of them"),
    "least": (smallest, "what min makes of them"),
    "negated": (negated, "what neg makes of them"),
    "sorted": (sorted_out, "what sort makes of them"),
    "weighted by time": (weighted, "what add makes of them"),
    "late steps alone": (late, "what stack makes of them"),
    "rectified": (rectified, "what relu makes of them"),
    "cut off": (cut_off, "what clamp makes of them"),
    "cut short": (cut_short, "what clamp makes of them"),
    "deep": (deep, "what relu makes of them"),
    "head on potentials": (on_potentials, "what linear in 'head' makes of them"),
    "mixed": (mixed, "what add makes of them"),
    "normalised": (normalised, "what div makes of them"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_value_without_a_readout_is_refused_by_name(name):
    end, what = REFUSED[name]
    more = linear() | {"inner": nn.Linear(OUT, OUT)}
    pattern = (
        "What is returned must be spikes or potentials of neurons, their count, sum, last or "
        f"greatest values, or linear in counted spikes, not {what} "
        "(test_answer.py:0); or name readout=, one of 'count', 'last', 'largest', 'sum', "
        "'first'"
    )
    pattern = re.escape(pattern).replace(":0", r":\d+")
    with pytest.raises(ValueError, match=f"^{pattern}$"):
        from_snntorch(Net(end, more))
    assert from_snntorch(Net(end, more), readout="sum").readouts[0].kind == "sum"


FIXED = {
    "last ten": lambda r: stack(r.spk)[-10:].sum(0),
    "first six": lambda r: stack(r.mem)[:6].sum(0),
    "step five": lambda r: r.mem[5],
    "greatest of the last six": lambda r: stack(r.mem)[-6:].max(0)[0],
    "at most ten": lambda r: stack(r.spk).sum(0).clamp(max=10),
    "record of the last ten": lambda r: stack(r.spk)[-10:],
    "head on the last ten": lambda r: r.net.head(stack(r.spk)[-10:].sum(0)),
}


@pytest.mark.parametrize("name", FIXED)
def test_readout_that_depends_on_the_number_of_steps_is_refused(name):
    net = Net(FIXED[name], linear())
    with pytest.raises(ValueError, match=r"must be the same of samples of any length, .* in 70: "):
        from_snntorch(net)
    assert from_snntorch(net, readout="count").readouts[0].kind == "count"
    example = torch.zeros(6, 4, SIZE)  # of which the user says that samples are so long
    assert from_snntorch(net, example=example).readouts


def test_neurons_that_are_not_returned_are_counted_where_they_are_named():
    net = from_snntorch(Net(lambda r: stack(r.spk1).sum(0)), output="lif2")
    assert [(readout.population, readout.kind) for readout in net.readouts] == [("layer2", "count")]


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_head_on_a_mean_reports_the_number_of_steps_of_its_weights(bias):
    heads = {"head": nn.Linear(OUT, 4, bias=bias)}
    message = "with weights of a sample of 6 steps"
    for end, expected in ((lambda r: stack(r.spk).mean(0), True), (added, False)):
        net = Net(lambda r, end=end: r.net.head(end(r)), heads)
        report = from_snntorch(net).import_report
        assert (message in str(report)) == expected


def test_a_loss_is_no_answer():
    with pytest.raises(ValueError, match="must have a value for each class of each sample, not"):
        from_snntorch(Net(lambda r: stack(r.spk).mean()))


def test_normalised_potentials_keep_their_order():
    net = from_snntorch(Net(lambda r: functional.normalize(r.mem[-1], dim=1)))
    assert net.readouts[0].kind == "last"


def coded(r):
    """Return counts as snnTorch's losses count a population code."""
    return losses.LossFunctions("mean", None)._population_code(stack(r.spk), 3, OUT)


GROUPS = {
    "snntorch": (coded, "count"),
    "view": (lambda r: stack(r.spk).sum(0).view(-1, 3, OUT // 3).sum(-1), "count"),
    "mean of chunks": (
        lambda r: stack([group.mean(1) for group in stack(r.spk).sum(0).chunk(3, 1)]).T,
        "count",
    ),
    "in each step": (lambda r: sum(step.unflatten(1, (3, -1)).sum(2) for step in r.spk), "count"),
    "average pooling": (
        lambda r: functional.avg_pool1d(stack(r.spk).mean(0)[:, None], OUT // 3)[:, 0].softmax(1),
        "count",
    ),
    "last potentials": (lambda r: r.mem[-1].unflatten(1, (3, -1)).mean(2), "last"),
    "sum of potentials": (lambda r: stack(r.mem).sum(0).unflatten(1, (3, -1)).sum(2), "sum"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_population_code_is_a_readout_of_groups(name):
    end, kind = GROUPS[name]
    module, x = Net(end), spikes()
    net = from_snntorch(module)
    report = net.import_report
    assert [(readout.kind, readout.groups) for readout in net.readouts] == [(kind, 3)]
    assert ", summed in 3 groups, is returned" in report.readouts["layer2"]
    check_order(*answered(net, module, x))
    assert quantize(net, weights=6, potentials=12).readouts == net.readouts


def test_groups_in_each_step_are_groups():
    def record(r):
        return stack(r.spk).unflatten(2, (2, -1)).sum(3), stack(r.mem).unflatten(2, (2, -1)).mean(3)

    module = Net(record)
    net = from_snntorch(module)
    report = net.import_report
    assert [(readout.kind, readout.groups) for readout in net.readouts] == [("count", 2)]
    check_order(*answered(net, module, spikes(), lambda output: output[0].sum(0)))
    assert "potentials of 'lif2' in 2 groups are returned in each step" in report.notes[0]


def test_groups_that_are_summed_elsewhere_are_named():
    module, x = Net(lambda r: stack(r.spk)), spikes()
    net = from_snntorch(module, groups=3)
    report = net.import_report
    assert [(readout.kind, readout.groups) for readout in net.readouts] == [("count", 3)]
    assert report.readouts["layer2"].endswith("counts them; groups=3 sums those of neighbours")
    losses_own = losses.LossFunctions("mean", None)
    check_order(
        *answered(net, module, x, lambda output: losses_own._population_code(output, 3, OUT))
    )
    assert from_snntorch(Net(coded), groups=3).readouts == net.readouts
    with pytest.raises(ValueError, match=r"^Groups must be of neurons that answer by themselves"):
        from_snntorch(Net(coded), groups=2)
    with pytest.raises(ValueError, match=r"^Groups must be of neurons that answer by themselves"):
        from_snntorch(Net(HEADS["of a mean"][0], linear()), groups=2)
    more = {"fc3": nn.Linear(HIDDEN, 1), "lif3": snn.Leaky(beta=0.9)}
    with pytest.raises(ValueError, match=r"^Groups must be of one layer that answers: name it"):
        from_snntorch(Forked(None, more), groups=3)


@pytest.mark.parametrize(
    "bad, error, message",
    [
        (4, ValueError, "Readout 'layer2': groups must be a divisor of the 6 neurons of 'layer2'"),
        (0, ValueError, "Groups must be at least 1, not 0"),
        ("3", TypeError, "Groups must be an int"),
    ],
)
def test_groups_are_checked(bad, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        from_snntorch(Net(lambda r: stack(r.spk)), groups=bad)


def test_groups_that_are_not_neighbours_are_a_head():
    module = Net(lambda r: sum(r.spk).view(-1, OUT // 3, 3).sum(1))
    net = from_snntorch(module)
    assert net.connections[-1].kind == "sparse"
    assert net.layers[2].cell.kind.__name__ == "Accumulator"
    check_order(*answered(net, module, spikes()))


def test_values_that_mix_samples_or_the_input_are_refused():
    start = (
        "What is returned must be spikes or potentials of neurons, their count, sum, last or "
        "greatest values, or linear in counted spikes, not "
    )
    with pytest.raises(ValueError, match=f"^{re.escape(start)}several samples together; or name"):
        from_snntorch(Net(across))

    class Beside(Net):
        def forward(self, x):
            return super().forward(x) + x.sum((0, 2))[:, None]

    with pytest.raises(
        ValueError, match=f"^{re.escape(start)}the input and neurons together; or name"
    ):
        from_snntorch(Beside(lambda r: sum(r.spk)))


@pytest.mark.parametrize(
    "end",
    [lambda r: None, lambda r: torch.ones(3), lambda r: (3, "four")],
    ids=["none", "one", "two"],
)
def test_nothing_of_neurons_is_no_answer(end):
    message = (
        "What is returned must come from neurons, for it to be known what answers; or name "
        "readout=, and output= if several could answer"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_snntorch(Net(end))
    net = from_snntorch(Net(end), readout="count")
    report = net.import_report
    assert str(report).endswith("\nlayer2 answers: count: readout='count' says so")
    net = from_snntorch(Net(end), output="lif2")
    report = net.import_report
    assert net.readouts[0].kind == "count"
    assert report.readouts["layer2"] == (
        "count: output= names it, which is not returned; spikes are counted"
    )


def test_the_input_that_is_returned_is_noted():
    class Echo(Net):
        def forward(self, x):
            return super().forward(x), x

    report = from_snntorch(Echo(lambda r: sum(r.spk))).import_report
    assert report.notes == ["What is returned at [1] comes from no neurons"]


class Step(nn.Module):
    """One step, the loop being elsewhere."""

    def __init__(self, end):
        super().__init__()
        self.fc, self.lif, self.end = nn.Linear(SIZE, OUT), snn.Leaky(beta=0.8), end
        self.head = nn.Linear(OUT, 4)

    def forward(self, x, mem):
        return self.end(self, *self.lif(self.fc(x), mem))


ONES = {
    "spikes and potentials": (lambda m, spk, mem: (spk, mem), "count", "lif"),
    "potentials": (lambda m, spk, mem: mem, "last", "lif"),
    "softmax": (lambda m, spk, mem: mem.softmax(1), "last", "lif"),
}


@pytest.mark.parametrize("name", ONES)
def test_returned_step_is_read_like_a_record_of_steps(name):
    end, kind, label = ONES[name]
    net = from_snntorch(Step(end))
    report = net.import_report
    assert [(readout.population, readout.kind) for readout in net.readouts] == [("layer1", kind)]
    assert f"of {label!r} are returned for a step, the loop being elsewhere" in str(report)


def test_linear_value_of_the_spikes_of_a_step_needs_a_readout():
    module = Step(lambda m, spk, mem: m.head(spk))
    with pytest.raises(ValueError, match=r"not what linear in 'head' makes of them \("):
        from_snntorch(module)
    net = from_snntorch(module, readout="sum")
    assert [(readout.population, readout.kind) for readout in net.readouts] == [("layer2", "sum")]
    assert net.layers[1].cell.kind.__name__ == "Integrator"


@pytest.mark.parametrize("shape", [(6, 1), (6, 6), (4, 6), (1, 4)], ids=str)
def test_examples_of_any_size(shape):
    for end, kind in (VALUES["last"], VALUES["mean"]):
        net = from_snntorch(Net(end), example=torch.zeros(*shape, SIZE))
        assert net.readouts[0].kind == kind
    squeezed = Net(lambda r: sum(r.spk).squeeze(0))
    assert from_snntorch(squeezed, example=torch.zeros(*shape, SIZE)).readouts[0].kind == "count"


def test_lists_that_are_as_long_as_a_sample_are_no_records():
    module = Net(lambda r: [stack(r.mem), stack(r.spk)])
    for steps in (2, 3):
        net = from_snntorch(module, example=torch.zeros(steps, 4, SIZE))
        assert [(readout.population, readout.kind) for readout in net.readouts] == [
            ("layer2", "count")
        ]


def test_a_mean_reports_its_steps():
    report = from_snntorch(Net(lambda r: stack(r.mem).mean(0))).import_report
    assert str(report).endswith("is returned: 0.166667 times the score, of a sample of 6 steps")


def test_a_tensor_that_is_written_into_later_is_refused():
    def end(r):
        scale = torch.ones(OUT)
        result = sum(r.spk) * scale
        scale.add_(1)
        return result

    with pytest.raises(ValueError, match=r"^A tensor of the shape \(6,\) must stay as it is"):
        from_snntorch(Net(end))
