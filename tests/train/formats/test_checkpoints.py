"""Tests of checkpoints: what training scripts write is put into its module, or refused whole."""

import re
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from spiker_hdl.model import FileError
from spiker_train import SpikingNetwork, from_snntorch, load_state, save_floating_point

snn = pytest.importorskip("snntorch")


class Net(nn.Module):
    """A module of every kind of value: learned, normalised, and of snnTorch."""

    def __init__(self, seed=0, reset="subtract"):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))
        self.lif = snn.Leaky(beta=0.1 * (seed + 1), learn_beta=True, reset_mechanism=reset)

    def forward(self, x):
        return self.lif(self.body(x))


def trained(**options):
    return Net(seed=7, **options)


def front(words, state):
    """Put words before all names."""
    return {words + name: value for name, value in state.items()}


def within(state):
    """Put what compiling a part of a module puts into names."""
    return {name.replace("body.", "body._orig_mod."): value for name, value in state.items()}


def doubled(state):
    return {
        name: tensor.double() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }


def parameters(state):
    return {
        name: nn.Parameter(tensor, tensor.is_floating_point()) for name, tensor in state.items()
    }


WRAPPED = {
    "bare": lambda state: state,
    "ordered": OrderedDict,
    "parameters": parameters,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state},
    "model_state_dict": lambda state: {
        "model_state_dict": state,
        "optimizer_state_dict": {"state": {0: {"step": torch.ones(1)}}, "param_groups": [{}]},
        "loss": 0.5,
        "scaler": torch.ones(2),
    },
    "model and average": lambda state: {"ema": front("module.", state), "model": state},
    "one other name": lambda state: {"best": state, "accuracy": 0.9},
    "DataParallel": lambda state: front("module.", state),
    "compiled": lambda state: front("_orig_mod.", state),
    "compiled in DataParallel": lambda state: front("module._orig_mod.", state),
    "DataParallel, compiled": lambda state: front("_orig_mod.module.", state),
    "compiled part": within,
    "framework": lambda state: {"state_dict": front("model.net.", state), "hparams": {"lr": 1.0}},
    "double": doubled,
}


@pytest.mark.parametrize("how", WRAPPED)
def test_a_checkpoint_is_put_into_its_module(how, tmp_path):
    state = trained().state_dict()
    torch.save(WRAPPED[how](state), tmp_path / "net.pth")
    for source in (tmp_path / "net.pth", str(tmp_path / "net.pth"), WRAPPED[how](state)):
        result = load_state(Net, source)
        assert type(result) is Net
        assert all(torch.equal(tensor, state[name]) for name, tensor in result.state_dict().items())
    assert [layer.cell.value("decay") for layer in from_snntorch(result).layers] == [
        pytest.approx(0.8)
    ]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_module_loads_the_state_of_its_compiled_parts():
    module = Net()
    module.body = torch.compile(module.body)
    load_state(module, trained().state_dict())
    assert torch.equal(module.body._orig_mod[0].weight, trained().body[0].weight)


def test_safetensors_and_a_module_that_is_there(tmp_path):
    state = trained().state_dict()
    save_file(state, tmp_path / "net.safetensors", {"format": "pt"})
    module = Net()
    assert load_state(module, tmp_path / "net.safetensors") is module
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


def less(name):
    return {key: value for key, value in trained().state_dict().items() if key != name}


def changed(name, value):
    return trained().state_dict() | {name: value}


NAMES = "State must have the names of Net, not "
REFUSED = {
    "missing": (less("lif.beta"), NAMES + "lack 'lif.beta'"),
    "too many": (changed("fc9.weight", torch.ones(1)), NAMES + "have 'fc9.weight'"),
    "others": (
        front("a.", trained().state_dict()) | {"b": torch.ones(1)},
        NAMES
        + "lack 'body.0.weight', 'body.0.bias', 'body.1.weight' and 8 more and have "
        + "'a.body.0.weight', 'a.body.0.bias', 'a.body.1.weight' and 9 more",
    ),
    "shape": (
        changed("body.0.weight", torch.ones(4, 6)),
        "State: 'body.0.weight' must have the shape (4, 5), not (4, 6)",
    ),
    "integers": (
        changed("body.0.bias", torch.ones(4, dtype=torch.int8)),
        "State: 'body.0.bias' must be of type float32, not of type int8",
    ),
    "complex": (
        changed("body.0.bias", torch.ones(4, dtype=torch.complex64)),
        "State: 'body.0.bias' must be of type float32, not of type complex64",
    ),
    "reset": (
        trained(reset="zero").state_dict(),
        "State: 'lif.reset_mechanism_val' must be that of the model, 'subtract', not 'zero'",
    ),
    "no tensor": (changed("lif.beta", 0.9), "State must hold a tensor under each name, not float "
        "under 'lif.beta'"),
    "no name": ({3: torch.ones(1)}, "State must hold a tensor under each name, not Tensor under 3"),
    "two": (
        {"a": trained().state_dict(), "b": trained().state_dict()},
        "State must hold a tensor under each name, not OrderedDict under 'a'",
    ),
    "nothing": ({}, "State must hold tensors by name, not nothing"),
    "a list": ([1], "State must hold tensors by name, as torch.save(net.state_dict(), ...) writes "
        "them, not list"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_another_state_is_refused_whole(what):
    state, message = REFUSED[what]
    module = Net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises((TypeError, ValueError), match=re.escape(message) + "$"):
        load_state(module, state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def whole_module(path):
    torch.save(nn.Linear(2, 2), path)


def floating_point_network(path):
    save_floating_point(SpikingNetwork.chain("3-2"), path)


def scripted(path):
    torch.jit.script(nn.Linear(2, 2)).save(str(path))


def cut_short(path):
    torch.save(trained().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-40])


def cut_safetensors(path):
    save_file(trained().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-4])


NO_FILE = "must be a whole file of tensors by name, as torch.save"
FILES = {
    "text": (lambda path: path.write_bytes(b"text"), "must be a file of tensors by name, .* text"),
    "empty": (lambda path: path.write_bytes(b""), "must be a file of tensors by name, .* empty"),
    "a module": (whole_module, NO_FILE),
    "code": (lambda path: torch.save({"run": print}, path), NO_FILE),
    "scripted": (scripted, NO_FILE + ".*, not of code that was compiled"),
    "cut short": (cut_short, "must be a ZIP archive, whole"),
    "cut safetensors": (cut_safetensors, "must be a file of tensors by name, .*, whole, not one"),
    "floating-point network": (
        floating_point_network,
        "must be a checkpoint of a module, not a network that save_",
    ),
    "a tensor": (lambda path: torch.save(torch.ones(2), path), "must hold tensors by name"),
    "a number": (lambda path: torch.save({"epoch": 1}, path), "must hold a tensor under each name"),
    "other names": (lambda path: torch.save({"a": torch.ones(1)}, path), "must have the names of"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("what", FILES)
def test_another_file_is_refused_by_its_name(what, tmp_path):
    make, message = FILES[what]
    path = tmp_path / "net.pth"
    make(path)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}:? {message}") as caught:
        load_state(Net, path)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FileError) or what == "other names"


def test_no_file_and_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        load_state(Net, tmp_path / "none.pth")
    state = trained().state_dict()
    for model, message in {
        3: "Model must be an nn.Module, or what makes one, not 3",
        dict: "Model dict must make an nn.Module, not dict",
        nn.Linear: "Model Linear must be made without arguments, not fail with: .*; give a module, "
        "or a function that makes it",
    }.items():
        with pytest.raises(TypeError, match=f"^{message}$"):
            load_state(model, state)
