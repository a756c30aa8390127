"""Checkpoints: files of trained values, which are loaded into a module.

No code in a file is ever run: PyTorch's files are read with ``weights_only=True``, and files of
safetensors cannot contain code.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.kinds import kind_of

from .tensor_files import read_safetensors, read_torch

__all__ = ["load_state", "read_state"]

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Names under which training scripts store the values of a module."""

NETWORK = "spiker-real-network"
RESET = "reset_mechanism_val"
RESETS: dict[int, Any] = dict(enumerate(("subtract", "zero", "none")))  # of snnTorch


def load_state(model: nn.Module | Callable[[], nn.Module], state: Any) -> nn.Module:
    """Load the values of a checkpoint into a module.

    A checkpoint is what ``torch.save(net.state_dict(), path)`` writes, alone or beside other values
    under ``"state_dict"``, ``"model_state_dict"``, ``"model"`` or any one name, or a safetensors
    file. Names may have what ``torch.compile``, ``DataParallel`` and training frameworks put in
    front of them.

    Parameters
    ----------
    model : nn.Module, or class or callable that makes one without arguments
        A module that is given takes the values itself, all of them or, where there is an error,
        none.
    state : str, Path or mapping of str to tensor

    Returns
    -------
    nn.Module

    Raises
    ------
    FileError
        If the file is of another kind, or is truncated.
    OSError
        If it cannot be read.
    TypeError
        If the model or the state is of another type.
    ValueError
        If names, shapes or types are not those of the module, with the first that differs.
    """
    module = _made(model)
    what = str(state) if isinstance(state, str | Path) else "State"
    values = read_state(state)
    expected = module.state_dict()
    names = _matched(what, type(module).__name__, list(values), list(expected))
    for own, name in names.items():
        _check_value(what, name, values[name], expected[own])
    module.load_state_dict({own: values[name] for own, name in names.items()})
    return module


def _made(model: Any) -> nn.Module:
    if isinstance(model, nn.Module):
        return model
    if not callable(model):
        raise TypeError(f"Model must be an nn.Module, or what makes one, not {model!r}")
    name = getattr(model, "__qualname__", type(model).__name__)
    try:
        module = model()
    except TypeError as error:
        raise TypeError(
            f"Model {name} must be made without arguments, not fail with: {error}; give a module, "
            "or a function that makes it"
        ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(f"Model {name} must make an nn.Module, not {type(module).__name__}")
    return module


# -- files --


def read_state(state: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by name.

    Parameters
    ----------
    state : str, Path or mapping
        As for :func:`load_state`.
    """
    if isinstance(state, str | Path):
        what, content = str(state), _read(Path(state))
        refuse: Callable[[str], Exception] = FileError
    else:
        what, content, refuse = "State", state, TypeError
    if not isinstance(content, Mapping):
        raise refuse(
            f"{what} must hold tensors by name, as torch.save(net.state_dict(), ...) writes them, "
            f"not {type(content).__name__}"
        )
    content = _unwrapped(content)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            kind = type(value).__name__
            raise refuse(f"{what} must hold a tensor under each name, not {kind} under {name!r}")
    if not content:
        raise refuse(f"{what} must hold tensors by name, not nothing")
    return dict(content)


@reader("a file of tensors by name, as torch.save or safetensors writes it", "pytorch")
def _read(path: Path) -> Any:
    if kind_of(path) != "safetensors":
        return read_torch(path)
    metadata, tensors = read_safetensors(path)
    if NETWORK in metadata:
        raise FileError(
            "must be a checkpoint of a module, not a network that save_floating_point wrote, which "
            "load_floating_point reads"
        )
    return tensors


def _holds_tensors(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(element, torch.Tensor) for element in value.values())
    )


def _unwrapped(content: Mapping) -> Mapping:
    """Return the mapping of tensors from a checkpoint with other values beside it."""
    if _holds_tensors(content):
        return content
    inside = {name: value for name, value in content.items() if _holds_tensors(value)}
    for name in WRAPPERS:
        if name in inside:
            return inside[name]
    return next(iter(inside.values())) if len(inside) == 1 else content


# -- names --


def _plain(name: str) -> str:
    """Return a name without the prefixes of ``torch.compile``, those of parts of a module too."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _matched(what: str, model: str, stored: list[str], expected: list[str]) -> dict[str, str]:
    """Return the names in a checkpoint by those in the module.

    Raises
    ------
    ValueError
        If a name is missing, or unknown to the module.
    """
    names = {_plain(name): name for name in stored}
    own = {_plain(name): name for name in expected}
    shorter = names
    # Such as "module." of DataParallel and "model." of training frameworks, perhaps both.
    while set(shorter) != set(own) and (front := _front(list(shorter))):
        shorter = {name.removeprefix(front): full for name, full in shorter.items()}
    if set(shorter) == set(own):
        names = shorter
    missing = [name for name in own if name not in names]
    more = [full for name, full in names.items() if name not in own]
    if missing or more:
        lacks = f"lack {_few(missing)}" if missing else ""
        has = f"have {_few(more)}" if more else ""
        raise ValueError(
            f"{what} must have the names of {model}, not {' and '.join(filter(None, [lacks, has]))}"
        )
    return {own[name]: names[name] for name in own}


def _front(names: list[str]) -> str:
    first, dot, _ = names[0].partition(".") if names else ("", "", "")
    front = first + dot
    return front if dot and all(name.startswith(front) for name in names) else ""


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more


def _check_value(what: str, name: str, value: torch.Tensor, expected: torch.Tensor) -> None:
    if not is_lazy(expected) and value.shape != expected.shape:
        raise ValueError(
            f"{what}: {name!r} must have the shape {tuple(expected.shape)}, not "
            f"{tuple(value.shape)}"
        )
    if (value.is_floating_point(), value.is_complex()) != (
        expected.is_floating_point(),
        expected.is_complex(),
    ):
        raise ValueError(f"{what}: {name!r} must be {_kind(expected)}, not {_kind(value)}")
    # snnTorch chooses the reset when a neuron is made, and ignores a value that is loaded.
    if name.rpartition(".")[2] == RESET and not torch.equal(value, expected):
        was, now = (RESETS.get(int(tensor), int(tensor)) for tensor in (value, expected))
        raise ValueError(f"{what}: {name!r} must be that of the model, {now!r}, not {was!r}")


def _kind(value: torch.Tensor) -> str:
    return f"of type {str(value.dtype).removeprefix('torch.')}"
