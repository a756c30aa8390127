"""Delays of connections: when events arrive, and those that are on their way when a run ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from spiker_train.network.time import Duration, Steps

if TYPE_CHECKING:
    from spiker_train.network.layers import Connection

__all__ = ["DelayLine", "arrivals", "delayed", "pending_arrivals", "still_delayed"]


@dataclass(frozen=True)
class DelayLine:
    """Events of a delayed connection that are on their way between two runs.

    Members
    -------
    due : tuple of int
        When each arrives: the time in picoseconds on the clock of the state, or, for a delay of
        whole steps, the number of the step in the run that follows, which begins at 0.
    events : tensor, shape (samples, len(due), source size)
        Events as the source emitted them, before the weights.
    """

    due: tuple[int, ...]
    events: torch.Tensor


def arrivals(connection: "Connection", steps: Steps) -> np.ndarray:
    """Return the step in which the events of each step arrive, ``steps.count`` if after the end.

    An event is emitted at the beginning of the step in which its source fires. With a
    :class:`~.time.Duration` it arrives in the first step that begins at or after emission plus
    delay.
    """
    delay = connection.delay
    if isinstance(delay, Duration):
        if steps.lengths is None:
            raise ValueError(f"Connection {connection.name!r} must have steps in seconds")
        due = np.searchsorted(steps.begins, steps.begins + delay.picoseconds)
        return due.astype(np.int64)
    return np.minimum(np.arange(steps.count) + delay, steps.count)


def pending_arrivals(connection: "Connection", line: DelayLine, steps: Steps) -> np.ndarray:
    """Return the step in which each event of a delay line arrives, as :func:`arrivals`."""
    due = np.asarray(line.due, dtype=np.int64)
    if isinstance(connection.delay, Duration):
        return np.searchsorted(steps.begins, due).astype(np.int64)
    return np.minimum(due, steps.count)


def delayed(
    connection: "Connection",
    train: torch.Tensor,
    steps: Steps,
    line: DelayLine | None,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return the events of a source as they arrive over a connection.

    Those that fall due in one step are added.

    Parameters
    ----------
    connection : Connection
    train : tensor, shape (samples, steps, source size)
    steps : Steps
    line : DelayLine or None
        Events that were on their way when the run began.
    dtype : torch.dtype
        Format in which events are added.
    """
    count = steps.count
    due = arrivals(connection, steps)
    late = int(due[0])
    if np.array_equal(due, np.minimum(np.arange(count) + late, count)):
        if late:
            train = torch.cat([torch.zeros_like(train[:, :late]), train[:, : count - late]], dim=1)
    else:
        train = _added(torch.zeros_like(train, dtype=dtype), due, train)
    if line is None or not line.due:
        return train
    return _added(train.to(dtype), pending_arrivals(connection, line, steps), line.events)


def _added(total: torch.Tensor, due: np.ndarray, events: torch.Tensor) -> torch.Tensor:
    """Return ``total`` with each event added in its step, those after the end left out."""
    arrives = due < total.shape[1]
    if not arrives.any():
        return total
    index = torch.as_tensor(due[arrives], device=total.device)
    kept = torch.as_tensor(np.flatnonzero(arrives), device=total.device)
    return total.index_add(1, index, events.index_select(1, kept).to(total.dtype))


def still_delayed(
    connection: "Connection", train: torch.Tensor, steps: Steps, line: DelayLine | None
) -> DelayLine:
    """Return the events of a connection that have not arrived when the run ends."""
    count = steps.count
    due = arrivals(connection, steps)
    begin = int(np.searchsorted(due, count))  # delays are equal, so that the last events are late
    events = [train[:, begin:]]
    if isinstance(connection.delay, Duration):
        times = [int(t) for t in steps.begins[begin:] + connection.delay.picoseconds]
    else:
        times = [s + connection.delay - count for s in range(begin, count)]
    if line is not None:
        kept = np.flatnonzero(pending_arrivals(connection, line, steps) >= count)
        if len(kept):
            shift = 0 if isinstance(connection.delay, Duration) else count
            times = [line.due[n] - shift for n in kept] + times
            events.insert(0, line.events[:, kept].to(train.dtype))
    return DelayLine(tuple(times), events[0] if len(events) == 1 else torch.cat(events, dim=1))
