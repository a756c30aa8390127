"""Tests of the choice between kernels and runs step by step, and of what stands in for kernels."""

import logging
import shutil

import numpy as np
import pytest
import torch

from spiker_hdl.base.compile_cache import BuildError
from spiker_hdl.model import Input, Integrator, Lif, Readout
from spiker_train import Cell, Connection, Layer, SpikingNetwork
from spiker_train.kernels import choice, compiler, run


def network():
    return SpikingNetwork.chain("12-7-3", cell=Cell(Lif, threshold=1.0, decay=0.75))


X = (np.random.default_rng(0).random((2, 5, 12)) < 0.5).astype(np.uint8)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    choice.note.cache_clear()
    monkeypatch.delenv("SPIKER_KERNEL", raising=False)


def test_large_runs_use_kernels_and_small_ones_do_not(monkeypatch):
    net = network()
    assert net(X).kernels == {"hidden": "eager", "output": "eager"}
    monkeypatch.setattr(choice, "WORTH", 2 * 5 * 10)
    assert net(X).kernels == {"hidden": "fused", "output": "fused"}
    assert net(X, kernel="eager").kernels == {"hidden": "eager", "output": "eager"}
    monkeypatch.setattr(choice, "WORTH", 2 * 5 * 10 + 1)
    assert net(X).kernels == {"hidden": "eager", "output": "eager"}
    assert net(X, kernel="fused").kernels == {"hidden": "fused", "output": "fused"}


def test_environment_chooses_where_the_call_does_not(monkeypatch):
    net = network()
    monkeypatch.setenv("SPIKER_KERNEL", "fused")
    assert net(X).kernels["hidden"] == "fused"
    assert net(X, kernel="auto").kernels["hidden"] == "eager"
    monkeypatch.setenv("SPIKER_KERNEL", "quick")
    with pytest.raises(ValueError, match=r"^SPIKER_KERNEL must be one of .*, not 'quick'$"):
        net(X)
    with pytest.raises(ValueError, match=r"^Kernel must be one of .*, not 'quick'$"):
        net(X, kernel="quick")


def test_run_without_a_compiler_is_eager_with_one_note(monkeypatch, caplog, tmp_path):
    for cached in (compiler._compiler, compiler.compile_kernel):
        cached.cache_clear()
    monkeypatch.setattr(run, "_kernels", {})
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CC", "no-such-compiler")
    net = network()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = net(X, kernel="fused")
    assert result.kernels == {"hidden": "eager", "output": "eager"}
    assert torch.equal(result.scores, net(X, kernel="eager").scores)
    notes = [message for message in caplog.messages if "Lif" in message]
    assert notes == [
        "A layer of Lif runs step by step, without a kernel, since Kernels must have a C compiler, "
        "not 'no-such-compiler'; on Debian and Ubuntu: apt-get install gcc"
    ]
    compiler.compile_kernel.cache_clear()


def test_kernel_is_compiled_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "cache"))
    source = "int answer(void) { return 42; }\n"
    compiler.compile_kernel.cache_clear()
    assert compiler.compile_kernel(source).answer() == 42
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".so"]
    compiler.compile_kernel.cache_clear()
    calls = []
    monkeypatch.setattr(compiler, "_call", lambda *arguments: calls.append(arguments))
    assert compiler.compile_kernel(source).answer() == 42
    assert calls == []
    compiler.compile_kernel.cache_clear()


def test_kernel_that_does_not_compile_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "cache"))
    name = shutil.which("gcc") and "gcc"
    with pytest.raises(BuildError, match=f"^{name or ''}.* must compile kernels, not fail with: "):
        compiler.compile_kernel("int answer(void) { return x; }\n")


@pytest.mark.parametrize(
    "like, reason",
    [
        (torch.zeros(1), None),
        (torch.zeros(1, dtype=torch.float64), None),
        (torch.zeros(1, dtype=torch.float16), "torch.float16"),
        (torch.zeros(1, device="meta"), "on meta"),
    ],
)
def test_tensors_that_kernels_cannot_take_are_named(like, reason):
    found = choice.obstacle(like)
    assert (found is None) if reason is None else (reason in found)


def test_transforms_of_pytorch_are_an_obstacle():
    def reason(x):
        reasons.append(choice.obstacle(x))
        return x

    reasons = []
    torch.func.vmap(reason)(torch.zeros(2))
    assert reasons == ["PyTorch transforms the run"]


def test_gradient_of_a_gradient_equals_the_one_step_by_step():
    net = SpikingNetwork(
        [Input("in", 12)],
        [
            Layer("hidden", 7, Cell(Lif, threshold=1.0, decay=0.75, learn=["decay"])),
            Layer("out", 3, Cell(Integrator, decay=0.75)),
        ],
        [
            Connection("in", "hidden"),
            Connection("hidden", "hidden", delay=1),
            Connection("hidden", "out"),
        ],
        [Readout("out", "last")],
    ).double()
    leaves = [*net.parameters()]
    gradients = []
    for kernel in ("eager", "fused"):
        scores = net(X, kernel=kernel).scores.square().sum()
        first = torch.autograd.grad(scores, leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
        gradients.append([*first, *second])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)
    assert all(g.abs().max() > 0 for g in gradients[0])
