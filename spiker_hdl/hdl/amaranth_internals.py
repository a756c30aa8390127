"""Everything that this project takes from Amaranth's private interface.

No other file may use a private name of Amaranth. Where another version of Amaranth lacks one of
them, the error says which, and names the versions that have it.
"""

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

from amaranth.hdl import Signal

__all__ = [
    "TESTED",
    "Assign",
    "Concat",
    "MemoryInstance",
    "Operator",
    "PortDirection",
    "Slice",
    "Switch",
    "assigned_signals",
    "driven_signals",
    "initial_rows",
    "memory_data",
    "read_signals",
    "replace_initial_rows",
]

TESTED = ("0.5.9", "0.5.10")
"""Versions of Amaranth with which this module was tested."""


def private(owner: Any, name: str) -> Any:
    """Return an attribute that Amaranth does not promise to keep.

    Raises
    ------
    ImportError
        If this version of Amaranth does not have it.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        raise ImportError(
            f"Amaranth must be {' or '.join(TESTED)}, in which {_name_of(owner)} has {name!r}, not "
            f"{version('amaranth')}"
        ) from None


def _name_of(owner: Any) -> str:
    return getattr(owner, "__name__", type(owner).__name__)


MemoryInstance: Any = import_module("amaranth.hdl").MemoryInstance
"""A memory in a fragment. The name is public, but ``amaranth-stubs`` leave it out."""

PortDirection: Any = private(import_module("amaranth.hdl._ir"), "PortDirection")
"""Direction of a port, which ``rtlil.convert`` takes beside each port's value."""

_ast = import_module("amaranth.hdl._ast")

Assign: Any = private(_ast, "Assign")
"""An assignment among the statements of a fragment."""

Switch: Any = private(_ast, "Switch")
"""A choice among the statements of a fragment."""

Concat: Any = private(_ast, "Concat")
"""The value that ``Cat`` returns."""

Operator: Any = private(_ast, "Operator")
"""A value that an operator computes from others."""

Slice: Any = private(_ast, "Slice")
"""Neighbouring bits of a value."""


def memory_data(instance: Any) -> Any:
    """Return the ``MemoryData`` of a ``MemoryInstance``."""
    return private(instance, "_data")


def initial_rows(data: Any) -> Sequence[int]:
    """Return the initial contents of a ``MemoryData``, one integer for each row.

    The back end reads these. The public ``init`` has values of the memory's own shape instead.
    """
    return private(private(data, "_init"), "_raw")


def replace_initial_rows(data: Any, rows: Sequence[int]) -> None:
    """Set the initial contents of a ``MemoryData`` that the back end writes.

    The public ``init`` cannot be changed once the memory has been elaborated.
    """
    initial_rows(data)
    data._init._raw = rows


def driven_signals(module: Any) -> Iterable[Signal]:
    """Return the signals that statements of a ``Module`` assign."""
    return private(module, "_driving")


def read_signals(value: Any) -> Iterable[Signal]:
    """Return the signals from which a ``Value`` is computed."""
    return private(value, "_rhs_signals")()


def assigned_signals(value: Any) -> Iterable[Signal]:
    """Return the signals of which an assignment to a ``Value`` changes bits."""
    return private(value, "_lhs_signals")()
