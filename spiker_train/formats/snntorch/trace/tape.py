"""The tape: all operations of a run, recorded so that they can be repeated on other values."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .flow import MOVING, SAME, Source, Traced, TraceError, where

__all__ = ["Operation", "Ref", "Tape", "refs_in"]

IN_PLACE = {"iadd", "iand", "idiv", "imul", "ior", "ipow", "isub", "itruediv", "setitem"}
CASTS = {"bfloat16", "cpu", "cuda", "detach", "double", "float", "half", "requires_grad_", "to",
         "type", "type_as"}  # fmt: skip
"""Functions that change neither floating-point values nor their gradient here."""


@dataclass(frozen=True)
class Ref:
    """A value of a tape: the value of an entry, or one of several that the entry has."""

    entry: int
    item: int | None = None


@dataclass
class Leaf:
    """An output of neurons in one step, or the input."""

    source: Source
    shape: tuple[int, ...]
    root: int


@dataclass
class Constant:
    """A tensor that comes neither from the input nor from neurons."""

    value: torch.Tensor
    version: int
    root: int
    copied: bool = False


@dataclass
class Operation:
    """A function of PyTorch, on values of the tape."""

    func: Callable
    name: str
    args: Any
    kwargs: Any
    floating: bool
    in_place: bool
    root: int
    line: str
    module: str

    def __str__(self) -> str:
        inside = f" in {self.module!r}" if self.module else ""
        return f"{self.name.strip('_')}{inside}"


class Tape:
    """All operations on the input and on outputs of neurons, in order."""

    def __init__(self):
        self.entries: list[Leaf | Constant | Operation] = []
        self.constants: dict[int, int] = {}
        self.known: dict[tuple[Ref, ...], list[int]] = {}

    def leaf(self, tensor: Traced, source: Source, shape: Sequence[int]) -> None:
        """Record an output of neurons, or the input."""
        tensor.node = Ref(len(self.entries))
        self.entries.append(Leaf(source, tuple(shape), len(self.entries)))

    def before(self, name: str, args: tuple) -> None:
        """Save a tensor of the user's before a function writes into it."""
        target = args[0] if args else None
        if not _writes(name) or not isinstance(target, torch.Tensor) or isinstance(target, Traced):
            return
        entry = self.entries[self._constant(target).entry]
        if isinstance(entry, Constant) and not entry.copied:
            entry.value, entry.copied = target.clone(), True

    def note(
        self, func: Callable, name: str, args: tuple, kwargs: dict, result: Any, module: str
    ) -> None:
        """Record a function and its result."""
        its, named = self._kept(args), self._kept(kwargs)
        first = next(refs_in(its), None)
        target = its[0] if its and isinstance(its[0], Ref) else None
        written = target if _writes(name) else None
        same = written is not None or name in MOVING or name in SAME
        entry = len(self.entries)
        root = self.entries[first.entry].root if same and first is not None else entry
        floating = isinstance(result, torch.Tensor) and result.is_floating_point()
        self.entries.append(
            Operation(func, name, its, named, floating, written is not None, root, where(), module)
        )
        if written is not None:
            for value in (args[0], result):
                if isinstance(value, Traced):
                    value.node = written
        elif isinstance(result, Traced):
            result.node = Ref(entry)
        elif isinstance(result, tuple | list):
            for n, part in enumerate(result):
                if isinstance(part, Traced):
                    part.node = Ref(entry, n)

    def _kept(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            node = getattr(value, "node", None)
            return self._constant(value, lost=isinstance(value, Traced)) if node is None else node
        if isinstance(value, tuple | list):
            kept = [self._kept(element) for element in value]
            return kept if isinstance(value, list) else tuple(kept)
        if isinstance(value, dict):
            return {name: self._kept(element) for name, element in value.items()}
        return value

    def _constant(self, value: torch.Tensor, lost: bool = False) -> Ref:
        constant = self.constants.get(id(value))
        version = LOST if lost else 0 if value.is_inference() else value._version
        if constant is not None:
            entry = self.entries[constant]
            if isinstance(entry, Constant) and (entry.copied or entry.version == version):
                return Ref(constant)
        self.constants[id(value)] = len(self.entries)
        self.entries.append(Constant(value, version, len(self.entries)))
        return Ref(len(self.entries) - 1)

    # -- again --

    def needed(self, refs: Sequence[Ref]) -> list[int]:
        """Return the entries that are needed to compute values, in order."""
        key = tuple(refs)
        if key not in self.known:
            self.known[key] = self._needed(key)
        return self.known[key]

    def _needed(self, refs: tuple[Ref, ...]) -> list[int]:
        entries = {ref.entry for ref in refs}
        roots = {self.entries[number].root for number in entries}
        for n in range(len(self.entries) - 1, -1, -1):
            entry = self.entries[n]
            if not isinstance(entry, Operation):
                continue
            if n in entries or (entry.in_place and entry.root in roots):
                entries.add(n)
                inner = {ref.entry for ref in refs_in((entry.args, entry.kwargs))}
                entries |= inner
                roots |= {self.entries[number].root for number in inner}
        return sorted(entries)

    def sources(self, refs: Sequence[Ref]) -> set[Source]:
        """Return the sources of values."""
        entries = [self.entries[n] for n in self.needed(refs)]
        return {entry.source for entry in entries if isinstance(entry, Leaf)}

    def replay(
        self, refs: Sequence[Ref], value_of: Callable[[Source], torch.Tensor]
    ) -> list[torch.Tensor]:
        """Compute values again, in double precision, from other outputs of the neurons."""
        values: dict[int, Any] = {}

        def value(operand: Any) -> Any:
            if isinstance(operand, Ref):
                known = values[operand.entry]
                return known if operand.item is None else known[operand.item]
            if isinstance(operand, tuple | list):
                many = [value(element) for element in operand]
                return many if isinstance(operand, list) else tuple(many)
            if isinstance(operand, dict):
                return {name: value(element) for name, element in operand.items()}
            return (
                torch.float64
                if isinstance(operand, torch.dtype) and operand in FLOATING
                else operand
            )

        for n in self.needed(refs):
            entry = self.entries[n]
            if isinstance(entry, Leaf):
                values[n] = value_of(entry.source).clone()
            elif isinstance(entry, Constant):
                values[n] = _as_it_was(entry)
            elif entry.name in CASTS and entry.floating:
                values[n] = value(entry.args[0])
            else:
                values[n] = entry.func(*value(entry.args), **value(entry.kwargs))
        return [value(ref) for ref in refs]


LOST = -1
FLOATING = (torch.float16, torch.bfloat16, torch.float32)


def refs_in(value: Any) -> Iterator[Ref]:
    """Yield the values of the tape that occur in arguments."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, tuple | list):
        for element in value:
            yield from refs_in(element)
    elif isinstance(value, dict):
        yield from refs_in(list(value.values()))


def _writes(name: str) -> bool:
    return name in IN_PLACE or (name.endswith("_") and name not in CASTS)


def _as_it_was(entry: Constant) -> torch.Tensor:
    value = entry.value
    if entry.version == LOST:
        raise TraceError("What is returned must come from neurons by functions of PyTorch alone")
    changed = not value.is_inference() and value._version != entry.version
    if changed and not entry.copied:
        raise TraceError(
            f"A tensor of the shape {tuple(value.shape)} must stay as it is where what is returned "
            "depends on it, not be written into later"
        )
    value = value.detach().clone()
    return value.double() if value.is_floating_point() else value
