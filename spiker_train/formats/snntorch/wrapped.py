"""Wrapped modules: compiled, distributed over devices, scripted, or without weights so far."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.parameter import is_lazy

__all__ = ["notes_of_parts", "unwrapped"]

LOW = {torch.bfloat16: 8, torch.float16: 11}
"""Significant bits of types with fewer than float32."""


@contextmanager
def unwrapped(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module without its wrappers, those of its parts removed too.

    Within the context nothing is compiled; after it, the module is as before.

    Raises
    ------
    TypeError
        If it, or a part, is scripted or traced by ``torch.jit``.
    ValueError
        If a part has no weights yet.
    """
    with ExitStack() as stack:
        inner = _inner(module)
        _check(inner, "")
        for name, part in list(inner.named_modules()):
            for label, child in list(part._modules.items()):
                if child is None:
                    continue
                bare = _inner(child)
                _check(bare, f"{name}.{label}".lstrip("."))
                if bare is not child:
                    part._modules[label] = bare
                    stack.callback(part._modules.__setitem__, label, child)
        # Compiled in another way: a method, or a module in place.
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield inner


def _inner(module: Any) -> Any:
    while True:
        if isinstance(module, DataParallel | DistributedDataParallel):
            module = module.module
        elif "_orig_mod" in getattr(module, "_modules", {}):
            module = module._modules["_orig_mod"]
        else:
            return module


def _check(module: nn.Module, name: str) -> None:
    what = f"Part {name!r}" if name else "Model"
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            f"{what} must be a module of Python, not one that torch.jit scripted or traced: give "
            "the module that it was made of, with its weights by load_state"
        )
    for label, parameter in module.named_parameters(recurse=False):
        if is_lazy(parameter):
            raise ValueError(
                f"{what} must have its weights, not a {label} that it makes when it first runs: "
                "run it, train it, or load its state first"
            )


def notes_of_parts(module: nn.Module) -> list[str]:
    """Return remarks on parts that compute differently here than in training."""
    drops = [
        repr(name or type(part).__name__)
        for name, part in module.named_modules()
        if isinstance(part, _DropoutNd) and part.training and part.p > 0
    ]
    notes = []
    if drops:
        notes.append(f"dropout does nothing here, as in evaluation: {', '.join(drops)}")
    kinds = sorted(
        {parameter.dtype for parameter in module.parameters() if parameter.dtype in LOW}, key=str
    )
    for kind in kinds:
        name = str(kind).removeprefix("torch.")
        notes.append(
            f"weights of {name} are kept as they are; the module rounds its sums to {LOW[kind]} "
            "bits, and the network here to 24"
        )
    return notes
