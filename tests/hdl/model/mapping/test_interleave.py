"""Tests of banks: where sums lie, and that no two positions of an event are in the same bank."""

from itertools import product

import numpy as np
import pytest

from spiker_hdl.model import Convolution
from spiker_hdl.model.mapping.interleave import (
    bank_count,
    bank_places,
    bank_rows,
    interleaves,
    sums_clocked,
)


def axis_of(count, kernel, **options):
    """Return the banks along the only axis of a convolution."""
    synapses = Convolution(np.ones((1, 1, kernel), int), (1, count), **options)
    (axis,) = interleaves(synapses, "window")
    return synapses, axis


def test_neighbours_are_in_consecutive_banks():
    _, axis = axis_of(7, 3)
    assert (axis.banks, axis.step, axis.rows) == (3, 1, 2)
    assert [axis.bank(t) for t in range(5)] == [0, 1, 2, 0, 1]
    assert [axis.row(t) for t in range(5)] == [0, 0, 0, 1, 1]


def test_targets_of_a_dilated_kernel_are_a_step_apart():
    # An event reaches every other target: 0, 2 and 4, or 1, 3 and 5.
    _, axis = axis_of(10, 3, dilation=2)
    assert (axis.banks, axis.step) == (3, 2)
    assert [axis.bank(t) for t in range(6)] == [0, 0, 1, 1, 2, 2]
    assert [axis.row(t) for t in range(6)] == [0, 1, 0, 1, 0, 1]


def test_windows_that_do_not_overlap_have_one_bank():
    _, axis = axis_of(8, 2, stride=2)
    assert (axis.banks, axis.step, axis.rows) == (1, 1, 4)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_no_two_targets_of_an_event_are_in_the_same_bank(kernel):
    for count, stride, dilation, padding in product((5, 9, 12), (1, 2, 3, 4), (1, 2, 3, 4), (0, 2)):
        if (kernel - 1) * dilation + 1 > count + 2 * padding:
            continue
        options = {"stride": stride, "dilation": dilation, "padding": padding}
        synapses, axis = axis_of(count, kernel, **options)
        pairs = synapses.windows.pairs(0)
        for targets in pairs:
            assert len({axis.bank(target) for target, _ in targets}) == len(targets), options
        assert axis.banks == max(1, *map(len, pairs))
        places = {(axis.bank(t), axis.row(t)) for t in range(axis.count)}
        assert len(places) == axis.count
        assert axis.rows == 1 + max(row for _, row in places)


def test_places_of_two_axes():
    synapses = Convolution(np.ones((4, 1, 2, 3), int), (1, 3, 4))
    places = bank_places(synapses, 2, "window")
    # Targets 2 x 2, two rows of lanes each; two banks along y, of one row, and two along x.
    assert bank_count(synapses, "window") == 4
    assert bank_rows(synapses, 2, "window") == 2
    assert places[:, 0].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]
    assert places[:, 1].tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]
    line = bank_places(synapses, 2, "line")
    assert line[:, 0].tolist() == [[0, 0], [1, 0], [0, 2], [1, 2]]
    one = bank_places(synapses, 2, "one")
    assert one[:, 0].tolist() == [[0, 0], [0, 2], [0, 4], [0, 6]]


def test_banks_with_few_rows_are_read_without_a_clock():
    few, more = (
        Convolution(np.ones((1, 1, 1, 3), int), (1, rows, 3), padding=(0, 1)) for rows in (64, 65)
    )
    assert sums_clocked(few, 1, "one", "auto")
    assert not sums_clocked(few, 1, "line", "auto")
    assert sums_clocked(more, 1, "line", "auto")
    assert sums_clocked(few, 1, "line", "block")
    assert not sums_clocked(more, 1, "line", "distributed")
