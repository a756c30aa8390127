"""Resistance of the wires of a crossbar, by the exact solution of its node equations."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.frozen import set_fields

from .checks import check_number

__all__ = ["WireResistance"]

MOST_CELLS = 128 * 128
"""Greatest number of cells of a tile, whose equations are solved in about a second."""


@dataclass(frozen=True, kw_only=True)
class WireResistance:
    r"""Wires of a crossbar, each with a resistance between one cell and the next (IR drop).

    Source :math:`i` drives row :math:`i` from one end with a voltage, or with 0 V where it is
    silent; target :math:`j` senses the current of column :math:`j` at the end of the last row, at
    0 V. Each cell has a node on its row and one on its column. Kirchhoff's current law at both:

    .. math::
        \frac{u_{i,j} - u_{i,j-1}}{R_r} + \frac{u_{i,j} - u_{i,j+1}}{R_r}
        + G_{ij} (u_{i,j} - v_{i,j}) &= 0 \\
        \frac{v_{i,j} - v_{i-1,j}}{R_c} + \frac{v_{i,j} - v_{i+1,j}}{R_c}
        + G_{ij} (v_{i,j} - u_{i,j}) &= 0

    where a driver and a sense amplifier are one more segment away, plus their own resistance. The
    equations are linear, so that the currents are those of effective conductances, which are
    computed exactly, without approximation. A large matrix is cut into tiles with wires of their
    own, whose currents are added; there is no other approximation.

    Parameters
    ----------
    row, column : float
        Resistance of a segment, in ohms; both are 0 for ideal wires.
    driver, sense : float
        Resistance of a driver, and of a sense amplifier, in ohms.
    tile : (int, int)
        Sources and targets of a tile, of at most 16,384 cells.
    """

    row: float
    column: float
    driver: float = 0.0
    sense: float = 0.0
    tile: tuple[int, int] = (64, 64)

    def __post_init__(self) -> None:
        for name in ("row", "column", "driver", "sense"):
            what = f"Resistance of a {name}" if name in {"driver", "sense"} else f"Wire of a {name}"
            set_fields(self, **{name: check_number(what, getattr(self, name), 0)})
        if (self.row == 0) != (self.column == 0):
            raise ValueError(
                f"Wires must both have a resistance, or none, not {self.row:g} and "
                f"{self.column:g} ohms"
            )
        if self.row == 0 and (self.driver or self.sense):
            raise ValueError("Wires must have a resistance where drivers or amplifiers have one")
        if not (isinstance(self.tile, tuple) and len(self.tile) == 2):
            raise TypeError(f"Tile must be sources and targets, not {shown(self.tile)}")
        for size in self.tile:
            check_int("Size of a tile", size, 1)
        if self.tile[0] * self.tile[1] > MOST_CELLS:
            raise ValueError(
                f"Tile must have at most {MOST_CELLS} cells to be solved exactly, not "
                f"{self.tile[0] * self.tile[1]}: give smaller tiles"
            )

    def effective(self, conductance: torch.Tensor) -> torch.Tensor:
        """Return the conductances that the currents at the ends of the columns have.

        Parameters
        ----------
        conductance : tensor of float64, shape (targets, sources)
            In siemens.
        """
        if conductance.ndim != 2:
            raise ValueError(
                f"Conductances of a crossbar must have two axes, not {conductance.ndim}"
            )
        if self.row == 0:
            return conductance
        effective = conductance.clone()
        sources, targets = self.tile
        for j in range(0, conductance.shape[0], targets):
            for i in range(0, conductance.shape[1], sources):
                part = conductance[j : j + targets, i : i + sources]
                solved = self._solve(part.T.numpy())
                effective[j : j + targets, i : i + sources] = torch.from_numpy(solved.T)
        return effective

    def _solve(self, g: np.ndarray) -> np.ndarray:
        """Return effective conductances of a tile, shape (sources, targets)."""
        rows, columns = g.shape
        u = np.arange(rows * columns).reshape(rows, columns)
        v = u + rows * columns
        pairs, values = [], []

        def join(a: np.ndarray, b: np.ndarray, conductance: np.ndarray) -> None:
            pairs.append((a.ravel(), b.ravel()))
            values.append(np.broadcast_to(conductance, a.shape).ravel())

        join(u[:, :-1], u[:, 1:], np.array(1 / self.row))
        join(v[:-1], v[1:], np.array(1 / self.column))
        join(u, v, g)
        a, b = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
        w = np.concatenate(values)
        diagonal = np.bincount(a, w, 2 * g.size) + np.bincount(b, w, 2 * g.size)
        into, out = 1 / (self.row + self.driver), 1 / (self.column + self.sense)
        diagonal[u[:, 0]] += into
        diagonal[v[-1]] += out
        every = np.arange(2 * g.size)
        index = np.concatenate([every, a, b]), np.concatenate([every, b, a])
        matrix = coo_matrix((np.concatenate([diagonal, -w, -w]), index)).tocsc()
        # The matrix is symmetric: by reciprocity, solving for the fewer ends gives all currents.
        few, many = (u[:, 0], v[-1]) if rows <= columns else (v[-1], u[:, 0])
        ends = np.zeros((2 * g.size, len(few)))
        ends[few, np.arange(len(few))] = 1
        currents = splu(matrix).solve(ends)[many].T * into * out
        return currents if rows <= columns else currents.T
