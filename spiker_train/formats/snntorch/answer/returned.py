"""The values that an snnTorch module returns, and their names in messages."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from spiker_train.formats.snntorch.trace.flow import INPUT, Trace, Traced
from spiker_train.formats.snntorch.trace.tape import Ref

from .probe import Expression

__all__ = ["Returned", "returned"]


@dataclass(frozen=True)
class Returned:
    """A value that the module returns.

    Members
    -------
    path : str
        Position in what ``forward`` returns, such as ``"[1]"``; empty for all of it.
    what : Expression
    """

    path: str
    what: Expression

    @property
    def name(self) -> str:
        """Name in messages."""
        return f"What is returned at {self.path}" if self.path else "What is returned"


def returned(trace: Trace) -> tuple[list[Returned], list[str]]:
    """Return the values that come from neurons, and the paths of those that do not."""
    assert trace.tape is not None
    known: list[Returned] = []
    other: list[str] = []
    for path, refs in _leaves(trace.returned, "", trace):
        sources = {source.name for source in trace.tape.sources(refs)}
        if sources - {INPUT}:
            known.append(Returned(path, Expression(refs, len(refs) > 1)))
        else:
            other.append(path)
    return known, other


def _leaves(value: Any, path: str, trace: Trace) -> Iterator[tuple[str, tuple[Ref, ...]]]:
    if isinstance(value, Traced):
        yield path, (value.node,)
    elif isinstance(value, list) and (refs := _in_steps(value, trace)):
        yield path, refs
    elif isinstance(value, list | tuple):
        names = getattr(value, "_fields", None) or range(len(value))
        for name, element in zip(names, value, strict=True):
            yield from _leaves(element, f"{path}[{name!r}]", trace)
    elif isinstance(value, dict):
        for name, element in value.items():
            yield from _leaves(element, f"{path}[{name!r}]", trace)
    elif is_dataclass(value) and not isinstance(value, type):
        for declared in fields(value):
            yield from _leaves(getattr(value, declared.name), f"{path}.{declared.name}", trace)


def _in_steps(value: list, trace: Trace) -> tuple[Ref, ...] | None:
    """Return the values of a list that has one value per step, in order; else None."""
    steps = max((len(calls) for calls in trace.calls.values()), default=1)
    if (
        len(value) != steps
        or steps < 2
        or not all(isinstance(element, Traced) for element in value)
    ):
        return None
    assert trace.tape is not None
    for step, element in enumerate(value):
        sources = trace.tape.sources((element.node,))
        if max((source.step or 0 for source in sources), default=0) != step:
            return None
    return tuple(element.node for element in value)
