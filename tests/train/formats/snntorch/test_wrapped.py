"""Tests of modules as people have them: compiled, spread, in other precisions, parametrised."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from spiker_hdl.model import encoders
from spiker_train import from_snntorch, load_dataset

snn = pytest.importorskip("snntorch")

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


class Net(nn.Module):
    """A module with a convolution, two layers, and the loop in it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.norm = nn.Conv2d(1, 2, 3, padding=1, stride=2), nn.BatchNorm2d(2)
        self.lif1 = snn.Leaky(beta=0.8, learn_beta=True, learn_threshold=True)
        self.drop = nn.Dropout2d(0.2)
        self.fc = nn.Linear(32, 10)
        self.lif2 = snn.Synaptic(alpha=0.5, beta=0.7, init_hidden=True, output=True)
        with torch.no_grad():
            self.conv.weight.mul_(4)
            self.fc.weight.mul_(3)

    def step(self, x, mem):
        """Compute a step."""
        spikes, mem = self.lif1(self.drop(self.norm(self.conv(x))), mem)
        # snnTorch's spikes are float32 in every precision.
        spikes = spikes.flatten(1).to(self.lif1.beta.dtype)
        return self.lif2(self.fc(spikes))[0], mem

    def forward(self, x):
        mem, record = self.lif1.reset_mem(), []
        self.lif2.reset_mem()
        for step in range(x.shape[0]):
            spikes, mem = self.step(x[step].view(-1, 1, 8, 8), mem)
            record.append(spikes)
        return torch.stack(record)


def compiled_part(net):
    net.conv = torch.compile(net.conv)
    net.lif1 = torch.compile(net.lif1)
    return net


def compiled_method(net):
    net.step = torch.compile(net.step)
    return net


def compiled_in_place(net):
    net.compile()
    return net


def parametrised(net):
    parametrizations.weight_norm(net.fc)
    parametrizations.spectral_norm(net.conv)
    return net


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def hooked(net):
    nn.utils.weight_norm(net.fc)
    return net


def pruned(net):
    prune.l1_unstructured(net.fc, "weight", amount=0.4)
    return net


def pruned_for_good(net):
    prune.remove(pruned(net).fc, "weight")
    return net


WRAPPED = {
    "plain": lambda net: net,
    "compiled": torch.compile,
    "DataParallel": nn.DataParallel,
    "both": lambda net: nn.DataParallel(torch.compile(net)),
    "part": compiled_part,
    "method": compiled_method,
    "in-place": compiled_in_place,
    "double": lambda net: net.double(),
    "half": lambda net: net.half(),
    "bfloat16": lambda net: net.bfloat16(),
    "parametrised": parametrised,
    "hooked": hooked,
    "pruned": pruned,
    "pruned-for-good": pruned_for_good,
}
EXAMPLE = torch.zeros(6, 4, 64)


@pytest.fixture(scope="module")
def digits():
    """Spikes of digits, shape (samples, steps, 64)."""
    return encoders.rate(load_dataset("digits").x_test[:40], steps=10)


def inner(net):
    """Return the module itself."""
    while type(net) is not Net:
        net = getattr(net, "_orig_mod", None) or net.module
    return net


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("how", WRAPPED)
def test_a_module_is_read_as_it_acts(how, digits):
    module = WRAPPED[how](Net())
    own = inner(module)
    parts, names = dict(own.named_modules()), list(module.state_dict())
    net = from_snntorch(module, example=EXAMPLE)
    report = net.import_report
    assert dict(own.named_modules()) == parts
    assert list(module.state_dict()) == names
    assert all(submodule.training for submodule in own.modules())
    assert report.layers == {"layer1": "Leaky 'lif1'", "layer2": "Synaptic 'lif2'"}
    assert "dropout does nothing here, as in evaluation: 'drop'" in report.notes
    kind = {"half": "float16", "bfloat16": "bfloat16"}.get(how)
    assert any(f"weights of {kind} are kept" in note for note in report.notes) == (kind is not None)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        x = torch.as_tensor(digits).transpose(0, 1).to(next(own.parameters()).dtype)
        expected = own.eval()(x).transpose(0, 1).float().numpy()
    actual = net.run(digits, record=["layer2"]).spikes["layer2"]
    assert 0.02 < expected.mean() < 0.8
    assert (actual != expected).mean() < {"float16": 0.01, "bfloat16": 0.05}.get(kind, 1e-3)


def test_wrapped_module_is_imported_like_the_module():
    plain = from_snntorch(Net(), example=EXAMPLE)
    for how in ("compiled", "both", "part", "method", "in-place"):
        net = from_snntorch(WRAPPED[how](Net()), example=EXAMPLE)
        for parameter, other in zip(net.parameters(), plain.parameters(), strict=True):
            assert torch.equal(parameter, other)


def scripted_part():
    net = Net()
    net.conv = torch.jit.trace(net.conv, torch.zeros(1, 1, 8, 8))
    return net


def lazy_part():
    net = Net()
    net.fc = nn.LazyLinear(10)
    return net


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: torch.jit.script(nn.Linear(2, 2)),
            TypeError,
            "Model must be a module of Python, not one that torch.jit scripted or traced: ",
        ),
        (scripted_part, TypeError, "Part 'conv' must be a module of Python, not one that torch"),
        (lazy_part, ValueError, "Part 'fc' must have its weights, not a weight that it makes when"),
    ],
    ids=["scripted", "traced part", "lazy part"],
)
def test_object_that_is_no_module_is_refused(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        from_snntorch(make(), example=EXAMPLE)


CASTS = {
    "half": lambda x: x.half().float(),
    "bfloat16": lambda x: x.bfloat16().to(torch.float32),
    "double": lambda x: x.double().type(torch.float32),
}


@pytest.mark.parametrize("cast", CASTS)
def test_casts_of_spikes_are_followed(cast):
    class Cast(Net):
        def step(self, x, mem):
            return super().step(CASTS[cast](x), mem)

    net, plain = (from_snntorch(kind(), example=EXAMPLE) for kind in (Cast, Net))
    for parameter, other in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.equal(parameter, other)


@pytest.mark.parametrize("name", ["index_select", "roll", "gather"])
def test_movement_of_values_is_traced_or_refused_with_its_line(name, digits):
    acts = {
        "index_select": lambda x: x.index_select(1, torch.arange(64)),
        "roll": lambda x: x.roll(3, 1),
        "gather": lambda x: x.gather(1, torch.zeros(4, 64, dtype=torch.long)),
    }

    class Moved(Net):
        def forward(self, x):
            mem, record = self.lif1.reset_mem(), []
            for step in range(x.shape[0]):
                now = acts[name](x[step])
                spikes, mem = self.step(now.view(-1, 1, 8, 8), mem)
                record.append(spikes)
            return torch.stack(record)

    if name == "gather":
        with pytest.raises(ValueError, match=r"which test_wrapped\.py:\d+: .* is not"):
            from_snntorch(Moved(), example=EXAMPLE)
        return
    module = Moved()
    net = from_snntorch(module, example=EXAMPLE)
    with torch.no_grad():
        expected = module.eval()(torch.as_tensor(digits).transpose(0, 1).float()).transpose(0, 1)
    actual = net.run(digits, record=["layer2"]).spikes["layer2"]
    assert (actual != expected.numpy()).mean() < 1e-3
