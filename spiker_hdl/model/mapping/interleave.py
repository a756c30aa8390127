"""The banks of a map of sums: neighbours that one event reaches lie in different ones."""

from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from spiker_hdl.model.synapses.convolution import Convolution

__all__ = [
    "Interleave",
    "bank_count",
    "bank_places",
    "bank_rows",
    "interleaves",
    "parallel_axes",
    "sums_clocked",
]

SHALLOW = 64
"""Rows up to which several banks are in memory that is read without a clock."""


@dataclass(frozen=True)
class Interleave:
    """The banks of the targets along one axis of a convolution.

    The targets that an event reaches along an axis are ``step`` apart, and consecutive ones of
    these are in consecutive banks. As there are as many banks as an event reaches at most, no two
    of its targets are in the same bank.

    Members
    -------
    count : int
        Targets along the axis.
    banks : int
    step : int
    """

    count: int
    banks: int
    step: int

    def bank(self, target: int) -> int:
        """Return the bank of a target."""
        return target // self.step % self.banks

    def row(self, target: int) -> int:
        """Return the number of a target within its bank."""
        return target // (self.step * self.banks) * self.step + target % self.step

    @property
    def rows(self) -> int:
        """Number of rows of a bank along the axis."""
        return 1 + max(map(self.row, range(self.count)))


def parallel_axes(synapses: Convolution, positions: str) -> int:
    """Return along how many axes, the last ones, an event is added to all positions at once."""
    return {"one": 0, "line": 1, "window": len(synapses.shape) - 1}[positions]


def interleaves(synapses: Convolution, positions: str) -> list[Interleave]:
    """Return the banks along each axis; a single one along axes that are walked through.

    Parameters
    ----------
    synapses : Convolution
    positions : {"one", "line", "window"}
        Positions to which an event is added at once: see :class:`~spiker_hdl.model.Core`.
    """
    windows, results = synapses.windows, []
    serial = len(windows.shape) - parallel_axes(synapses, positions)
    for n, count in enumerate(windows.counts):
        most = 1 if n < serial else max(1, *map(len, windows.pairs(n)))
        step = windows.dilation[n] // gcd(windows.stride[n], windows.dilation[n])
        results.append(Interleave(count, most, step if most > 1 else 1))
    return results


def bank_count(synapses: Convolution, positions: str) -> int:
    """Return the number of banks of a convolution's sums."""
    return prod(axis.banks for axis in interleaves(synapses, positions))


def bank_places(synapses: Convolution, lanes: int, positions: str) -> np.ndarray:
    """Return where the rows of sums lie.

    Returns
    -------
    array of int, shape (positions, parts, 2)
        For each target position, and each row of lanes of it: the bank, and the row within it.
    """
    axes, parts = interleaves(synapses, positions), len(synapses.kernel) // lanes
    banks, rows = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for axis in axes:
        targets = range(axis.count)
        banks = np.add.outer(banks * axis.banks, [axis.bank(t) for t in targets]).ravel()
        rows = np.add.outer(rows * axis.rows, [axis.row(t) for t in targets]).ravel()
    places = np.empty((len(banks), parts, 2), dtype=np.int64)
    places[..., 0] = banks[:, None]
    places[..., 1] = rows[:, None] * parts + np.arange(parts)
    return places


def bank_rows(synapses: Convolution, lanes: int, positions: str) -> int:
    """Return the number of rows of sums in a bank."""
    return int(bank_places(synapses, lanes, positions)[..., 1].max()) + 1


def sums_clocked(synapses: Convolution, lanes: int, positions: str, states: str) -> bool:
    """Return whether sums by position are in memory that is read with the clock, as block RAM is.

    Parameters
    ----------
    synapses : Convolution
    lanes, positions, states
        As members of :class:`~spiker_hdl.model.Core`.
    """
    if states != "auto":
        return states == "block"
    return bank_count(synapses, positions) == 1 or bank_rows(synapses, lanes, positions) > SHALLOW
