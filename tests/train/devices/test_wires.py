"""Tests of the resistance of wires, against equations that are solved by hand and densely."""

import numpy as np
import pytest
import torch

from spiker_train import WireResistance, generator


def dense(g, wires, voltages):
    """Return the currents of columns by Gauss elimination of every node, one equation at a time."""
    rows, columns = g.shape
    size = 2 * rows * columns
    a, b = np.zeros((size, size)), np.zeros(size)

    def node(i, j, side):
        return side * rows * columns + i * columns + j

    for i in range(rows):
        for j in range(columns):
            u, v = node(i, j, 0), node(i, j, 1)
            for here, there in ((u, v), (v, u)):
                a[here, here] += g[i, j]
                a[here, there] -= g[i, j]
            left = wires.row + (wires.driver if j == 0 else 0)
            a[u, u] += 1 / left
            if j == 0:
                b[u] += voltages[i] / left
            else:
                a[u, node(i, j - 1, 0)] -= 1 / left
            if j + 1 < columns:
                a[u, u] += 1 / wires.row
                a[u, node(i, j + 1, 0)] -= 1 / wires.row
            below = wires.column + (wires.sense if i == rows - 1 else 0)
            a[v, v] += 1 / below
            if i + 1 < rows:
                a[v, node(i + 1, j, 1)] -= 1 / below
            if i:
                a[v, v] += 1 / wires.column
                a[v, node(i - 1, j, 1)] -= 1 / wires.column
    potentials = np.linalg.solve(a, b)
    last = [potentials[node(rows - 1, j, 1)] for j in range(columns)]
    return np.array(last) / (wires.column + wires.sense)


def test_one_cell_is_in_series_with_its_wires():
    wires = WireResistance(row=10, column=20, driver=100, sense=30)
    effective = wires.effective(torch.tensor([[1e-3]]).double())
    assert float(effective) == pytest.approx(1 / (1e3 + 160))


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (4, 3), (3, 6)])
def test_currents_are_those_of_the_node_equations(shape):
    targets, sources = shape
    g = 1e-4 * torch.rand(targets, sources, generator=generator(1), dtype=torch.float64)
    wires = WireResistance(row=50, column=80, driver=20, sense=5)
    effective = wires.effective(g).numpy()
    draws = np.random.default_rng(2)
    for voltages in (np.ones(sources), draws.random(sources)):
        expected = dense(g.numpy().T, wires, voltages)
        np.testing.assert_allclose(effective @ voltages, expected, rtol=1e-10)
    assert (effective < g.numpy()).all()


def test_tiles_are_solved_alone_and_ideal_wires_change_nothing():
    g = 1e-4 * torch.rand(5, 7, generator=generator(1), dtype=torch.float64)
    whole = WireResistance(row=50, column=50)
    tiled = WireResistance(row=50, column=50, tile=(4, 3))
    effective = tiled.effective(g)
    assert effective[:3, 4:].equal(whole.effective(g[:3, 4:].contiguous()))
    assert effective[3:, :4].equal(whole.effective(g[3:, :4].contiguous()))
    assert WireResistance(row=0, column=0).effective(g).equal(g)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"row": -1, "column": 1}, "Wire of a row must be at least 0, not -1"),
        ({"row": 1, "column": 0}, "Wires must both have a resistance, or none, not 1 and 0 ohms"),
        ({"row": 0, "column": 0, "sense": 1}, "Wires must have a resistance where drivers"),
        ({"row": 1, "column": 1, "tile": (512, 512)}, "Tile must have at most 16384 cells to be"),
        ({"row": 1, "column": 1, "tile": (0, 4)}, "Size of a tile must be at least 1, not 0"),
    ],
)
def test_bad_wires_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        WireResistance(**options)
    with pytest.raises(ValueError, match="crossbar must have two axes, not 1"):
        WireResistance(row=1, column=1).effective(torch.ones(3).double())
