"""States that count down times, and the unit in which a kernel counts them."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from .gradients import LEAVES
from .graph import TESTS, Graph, NotRecordedError

__all__ = ["states_in_time", "unit_of"]

IN_ANY_UNIT = frozenset({"add", "sub", "select", "max", "min", "gt", "ge", "eq"})
"""Operations that mean the same in every unit of time."""

WHOLE = {torch.float32: 2**24, torch.float64: 2**53}
"""Number up to which a format has all whole numbers."""


def states_in_time(graph: Graph, times: Sequence[torch.Tensor]) -> frozenset[str]:
    """Return the states that are times, as they follow from parameters that are times.

    Parameters
    ----------
    graph : Graph
    times : sequence of tensor
        The parameters that are times.

    Raises
    ------
    NotRecordedError
        If times are multiplied, or compared with a number other than 0, so that another unit of
        time would have another result.
    """
    known = {id(time) for time in times}
    leaves = {n for n, tensor in enumerate(graph.tensors) if id(tensor) in known}
    states: frozenset[str] = frozenset()
    while True:
        flags: list[bool] = []
        for name, parts in graph.nodes:
            if name in {"state", "parameter"}:
                flags.append(parts[0] in (states if name == "state" else leaves))
            else:
                numbers = _numbers(name, parts)
                flags.append(name not in TESTS and any(flags[part] for part in numbers))
        following = states | {name for name, index in graph.after.items() if flags[index]}
        if following == states:
            break
        states = following
    for name, parts in graph.nodes:
        numbers = _numbers(name, parts)
        if any(flags[part] for part in numbers):
            # Zero is the same in every unit.
            zero = ("literal", (0,))
            alike = all(flags[part] or graph.nodes[part] == zero for part in numbers)
            if name not in IN_ANY_UNIT or not alike:
                raise NotRecordedError("its step computes with times and other numbers")
    return states


def _numbers(name: str, parts: tuple) -> tuple[int, ...]:
    """Return the operands of a node that are of one unit."""
    if name in LEAVES:
        return ()
    return parts[1:] if name == "select" else parts


def unit_of(times: Iterable[torch.Tensor | int], dtype: torch.dtype) -> int:
    """Return the greatest time of which all times are whole multiples, in their unit.

    Parameters
    ----------
    times : iterable of tensor or int
        Whole numbers.
    dtype : torch.dtype
        Format that must have all multiples exactly.

    Raises
    ------
    NotRecordedError
        If it has not.
    """
    arrays = [np.unique(np.asarray(time, dtype=np.float64)).astype(np.int64) for time in times]
    values = np.concatenate(arrays)
    unit = max(1, int(np.gcd.reduce(values)))
    if int(values.max()) // unit > WHOLE[dtype]:
        raise NotRecordedError(f"its times are too many multiples of {unit} ps for {dtype}")
    return unit
