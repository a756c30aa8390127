"""Everything that a run of a module may change, saved and restored: attributes, tensors, seeds."""

import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CellType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["Kept", "Place", "holds", "kept", "left_over", "samples_of"]

LIBRARIES = {"builtins", "numpy", "snntorch", "spiker_hdl", "spiker_train", "torch"}
"""Packages whose objects, other than modules, have no user state that a run could change."""


@dataclass(frozen=True)
class Place:
    """The place of a value of a module: a key of a dict or a list.

    Members
    -------
    holder : dict or list
    key : str or int
    value : tensor
        Value before the run.
    """

    holder: Any
    key: Any
    value: torch.Tensor

    def clear(self) -> None:
        """Replace the value by zeros."""
        self.holder[self.key] = torch.zeros_like(self.value)


def left_over(value: Any) -> bool:
    """Tell whether a state was left by an earlier run of several samples, since rows differ."""
    if type(value) is not torch.Tensor or value.ndim < 2:
        return False
    return bool((value != value[:1]).any())


def holds(module: nn.Module, kind: type) -> bool:
    """Tell whether a tensor of a class can be reached through the attributes of a module."""
    state = Kept(copying=False)
    state.keep(module)
    return any(type(value) is kind for value in state.seen.values())


def samples_of(module: nn.Module) -> list[int]:
    """Return numbers of samples that states left by earlier runs may have, a few at most."""
    state = Kept(copying=False)
    state.keep(module)
    sizes = [
        len(value)
        for value in state.seen.values()
        if type(value) is torch.Tensor and value.ndim > 1 and value.is_floating_point()
    ]
    return sorted(set(sizes))[:3]


@contextmanager
def kept(module: nn.Module) -> Iterator["Kept"]:
    """Restore everything that a run of a module may change, whatever happens in the context.

    These are all objects that can be reached from the attributes of the module and its parts, with
    their contents: tensors, buffers, parameters and their gradients, lists, training flags; the
    attributes of the user's classes; and the random number generators. In the context, snnTorch's
    list of all neurons has those of the module alone, so that class methods which reset hidden
    states leave all others as they are.
    """
    from snntorch import SpikingNeuron

    state = Kept()
    state.keep(module)
    with _own_instances(state):
        state.keep_class(SpikingNeuron)
        yield from _restored(state)


@contextmanager
def _own_instances(state: "Kept") -> Iterator[None]:
    """Have snnTorch know the neurons that are kept alone.

    It keeps every neuron that was ever made, of which a session may have many thousands.
    """
    from snntorch import SpikingNeuron

    every = SpikingNeuron.instances
    SpikingNeuron.instances = [x for x in state.seen.values() if isinstance(x, SpikingNeuron)]
    try:
        yield
    finally:
        SpikingNeuron.instances = every


def _restored(state: "Kept") -> Iterator["Kept"]:
    """Yield a state, and restore it and the random number generators after that."""
    drawn, python = np.random.get_state(), random.getstate()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    dtype, grads = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        with torch.random.fork_rng(devices=devices):
            yield state
    finally:
        np.random.set_state(drawn)
        random.setstate(python)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grads)
        state.restore()


class Kept:
    """Saved contents of objects, which :meth:`restore` puts back into the same objects."""

    def __init__(self, copying: bool = True) -> None:
        self.copying = copying  # otherwise only places are recorded
        self.seen: dict[int, Any] = {}  # references that keep ids from being used again
        self.storages: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.containers: list[tuple[Any, Any]] = []
        self.undo: list[Callable[[], Any]] = []

    def keep(self, root: Any) -> None:
        """Save an object and all objects that can be reached from it."""
        waiting = [root]
        while waiting:
            value = waiting.pop()
            if id(value) in self.seen or isinstance(value, str | bytes | int | float | None):
                continue
            self.seen[id(value)] = value
            waiting += self._contents(value)

    def keep_class(self, kind: type) -> None:
        """Save the attributes of a class, and the objects that can be reached from them."""
        for value in self._class(kind):
            self.keep(value)

    def restore(self) -> None:
        """Restore all saved contents."""
        for undo in self.undo:
            undo()
        for container, was in self.containers:
            _refill(container, was)
        for storage, was in self.storages.values():
            if storage.nbytes() != was.nbytes():
                storage.resize_(was.nbytes())
            storage.copy_(was)

    def replaced(self, kind: type) -> list[Place]:
        """Return the places where a tensor of another class has replaced a saved tensor."""
        replaced = []
        for holder, was in self.containers:
            pairs = was.items() if isinstance(was, dict) else enumerate(was)
            for key, value in pairs:
                if not isinstance(value, torch.Tensor) or isinstance(value, nn.Parameter):
                    continue
                if isinstance(holder, dict):
                    now = holder.get(key)
                else:
                    now = holder[key] if isinstance(holder, list) and key < len(holder) else None
                if type(now) is kind:
                    replaced.append(Place(holder, key, value))
        return replaced

    # -- one kind of object each --

    def _contents(self, value: Any) -> list[Any]:
        """Save the contents of an object, and return them."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, dict):
            self.containers.append((value, dict(value)))
            return list(value.values())
        if isinstance(value, list | set | deque | bytearray):
            self.containers.append((value, list(value)))
            return list(value)
        if isinstance(value, tuple | frozenset):
            return list(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, CellType):
            return self._cell(value)
        if isinstance(value, FunctionType):
            return [*(value.__closure__ or ()), *(value.__defaults__ or ())]
        if isinstance(value, MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, torch.Generator | np.random.Generator | random.Random):
            self._generator(value)
            return []
        if isinstance(value, type):
            return self._class(value) if _is_users(value) else []
        if isinstance(value, nn.Module) or _is_users(type(value)):
            return self._object(value)
        return []

    def _tensor(self, value: torch.Tensor) -> list[Any]:
        kind, grads, data = type(value), value.requires_grad, value.data
        grad = value.grad if value.is_leaf else None

        def undo() -> None:
            if type(value) is not kind:
                value.__class__ = kind
            if value.is_leaf and value.requires_grad != grads:
                value.requires_grad_(grads)
            if value.shape != data.shape or value.data_ptr() != data.data_ptr():
                value.data = data
            if value.is_leaf and value.grad is not grad:
                value.grad = grad

        self.undo.append(undo)
        if self.copying and data.layout is torch.strided and data.device.type != "meta":
            storage = data.untyped_storage()
            if storage.nbytes() and storage.data_ptr() not in self.storages:
                self.storages[storage.data_ptr()] = storage, storage.clone()
        return [vars(value), *([] if grad is None else [grad])]

    def _array(self, value: np.ndarray) -> list[Any]:
        was = value.copy() if self.copying else value

        def undo() -> None:
            if value.flags.writeable:
                value[...] = was

        self.undo.append(undo)
        return list(value.flat) if value.dtype == object else []

    def _cell(self, value: CellType) -> list[Any]:
        try:
            was = value.cell_contents
        except ValueError:  # its contents do not exist yet
            return []
        self.undo.append(lambda: setattr(value, "cell_contents", was))
        return [was]

    def _generator(self, value: Any) -> None:
        if isinstance(value, torch.Generator):
            drawn = value.get_state()
            self.undo.append(lambda: value.set_state(drawn))
        elif isinstance(value, random.Random):
            state = value.getstate()
            self.undo.append(lambda: value.setstate(state))
        else:
            bits, bit_state = value.bit_generator, value.bit_generator.state
            self.undo.append(lambda: setattr(bits, "state", bit_state))

    def _object(self, value: Any) -> list[Any]:
        kind = type(value)
        slots = {name: getattr(value, name) for name in _slots(kind) if hasattr(value, name)}

        def undo() -> None:
            if type(value) is not kind:
                value.__class__ = kind
            for name, was in slots.items():
                if getattr(value, name, None) is not was:
                    setattr(value, name, was)

        self.undo.append(undo)
        own = getattr(value, "__dict__", None)
        return [kind, *slots.values(), *([own] if isinstance(own, dict) else [])]

    def _class(self, kind: type) -> list[Any]:
        attributes = {
            name: attribute for name, attribute in vars(kind).items() if not name.startswith("__")
        }

        def undo() -> None:
            now = {
                name: attribute
                for name, attribute in vars(kind).items()
                if not name.startswith("__")
            }
            for name in now.keys() - attributes.keys():
                delattr(kind, name)
            for name, was in attributes.items():
                if now.get(name, kind) is not was:
                    setattr(kind, name, was)

        self.undo.append(undo)
        return [*vars(kind).values(), *kind.__bases__]


def _is_users(kind: type) -> bool:
    package = getattr(kind, "__module__", "builtins").partition(".")[0]
    return package not in LIBRARIES and package not in sys.stdlib_module_names


def _slots(kind: type) -> list[str]:
    slots: list[str] = []
    for base in kind.__mro__:
        names = vars(base).get("__slots__", ())
        slots += [names] if isinstance(names, str) else list(names)
    return [name for name in slots if not name.startswith("__")]


def _refill(container: Any, was: Any) -> None:
    """Put contents back where they have changed."""
    now = container.items() if isinstance(container, dict) else container
    before = was.items() if isinstance(container, dict) else was
    if isinstance(container, bytearray | set):
        same = list(now) == was
    elif isinstance(container, dict):
        same = len(now) == len(before) and all(
            a == b and x is y for (a, x), (b, y) in zip(now, before, strict=True)
        )
    else:
        same = len(now) == len(was) and all(x is y for x, y in zip(now, was, strict=True))
    if same:
        return
    container.clear()
    if isinstance(container, dict | set):
        container.update(was)
    else:
        container.extend(was)
