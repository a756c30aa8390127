"""Tests of what a run takes: spikes and names to record, and bad input."""

import re

import numpy as np
import pytest

from spiker_hdl.model import (
    Accumulator,
    AnswerPolicy,
    If,
    Input,
    Network,
    Population,
    Projection,
    Readout,
    check_record,
    reference,
    stimulus,
)

ONE = Network(
    [Input("x", 2)],
    [Population("p", 2, If(width=6, threshold=3)), Population("v", 1, Accumulator(width=6))],
    [Projection("x", "p", np.eye(2, dtype=int))],
    [Readout("p")],
    max_steps=8,
)
TWO = Network(
    [Input("x", 2), Input("y", 1, -2, 3)],
    ONE.populations,
    [*ONE.projections, Projection("y", "v", np.array([[1]]))],
    [Readout("p")],
    max_steps=8,
)


def zeros(*shape, of=int):
    return np.zeros(shape, dtype=of)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int8, np.int64, np.uint64, ">i4"])
def test_every_kind_of_integer_is_accepted(kind):
    spikes = np.array([[[0, 1], [1, 1]], [[0, 0], [1, 0]]]).astype(kind)
    result = stimulus(ONE, spikes)
    assert len(result) == 2
    assert result.steps.tolist() == [2, 2]
    assert result.sample(1)["x"].astype(int).tolist() == [[0, 0], [1, 0]]
    assert result.group(np.array([1, 0]))["x"].shape == (2, 2, 2)
    expected = reference.run(ONE, spikes.astype(np.int64)).scores
    assert np.array_equal(reference.run(ONE, spikes).scores, expected)


def test_lists_and_mappings_are_accepted():
    lists = [zeros(3, 2), zeros(1, 2), zeros(8, 2)]
    for spikes in (lists, tuple(lists), {"x": lists}):
        result = stimulus(ONE, spikes)
        assert result.steps.tolist() == [3, 1, 8]
        assert result.sample(2)["x"].shape == (8, 2)
    result = stimulus(TWO, {"y": zeros(4, 5, 1), "x": zeros(4, 5, 2)})
    assert result.steps.tolist() == [5] * 4
    mixed = stimulus(TWO, {"y": [zeros(5, 1)] * 4, "x": zeros(4, 5, 2)})
    assert mixed.group(np.array([0, 3]))["y"].shape == (2, 5, 1)


def test_windows_may_go_beyond_the_longest():
    assert stimulus(ONE, zeros(2, 24, 2), window=8).steps.tolist() == [24, 24]


@pytest.mark.parametrize(
    "network, spikes, window, error, message",
    [
        (
            ONE,
            zeros(2, 3),
            None,
            ValueError,
            "Spikes of input 'x' must have the shape (samples, steps, 2), not (2, 3)",
        ),
        (
            ONE,
            zeros(2, 3, 4),
            None,
            ValueError,
            "Spikes of input 'x' must have the shape (samples, steps, 2), not (2, 3, 4): "
            "move axis 0, of 2, to the end",
        ),
        (
            ONE,
            [zeros(2, 3, 2)],
            None,
            ValueError,
            "Spikes of input 'x' must have the shape (steps, 2), not (2, 3, 2)",
        ),
        (
            ONE,
            [zeros(3, 2), zeros(3, 1)],
            None,
            ValueError,
            "Spikes of input 'x' must have the shape (steps, 2), not (3, 1)",
        ),
        (
            ONE,
            [[[0, 1]], 3],
            None,
            TypeError,
            "Spikes of input 'x' must be a list of arrays, not of int",
        ),
        (
            ONE,
            3,
            None,
            TypeError,
            "Spikes of input 'x' must be an array or a list of arrays, not 3",
        ),
        (
            ONE,
            None,
            None,
            TypeError,
            "Spikes of input 'x' must be an array or a list of arrays, not None",
        ),
        (
            ONE,
            zeros(1, 1, 2, of=float),
            None,
            TypeError,
            "Spikes of input 'x' must be integers, not float64",
        ),
        (
            ONE,
            np.full((1, 1, 2), np.nan),
            None,
            TypeError,
            "Spikes of input 'x' must be integers, not float64",
        ),
        (
            ONE,
            np.full((1, 1, 2), None),
            None,
            TypeError,
            "Spikes of input 'x' must be integers, not None",
        ),
        (ONE, zeros(1, 1, 2) + 2, None, ValueError, "Spikes of input 'x' must be in 0..1, not 2"),
        (ONE, zeros(1, 1, 2) - 1, None, ValueError, "Spikes of input 'x' must be in 0..1, not -1"),
        (
            ONE,
            np.full((1, 1, 2), 2**64 - 1, dtype=np.uint64),
            None,
            ValueError,
            "Spikes of input 'x' must fit in 64 bits with sign, not 18446744073709551615",
        ),
        (
            TWO,
            {"x": zeros(1, 1, 2), "y": zeros(1, 1, 1) + 4},
            None,
            ValueError,
            "Spikes of input 'y' must be in -2..3, not 4",
        ),
        (
            TWO,
            {"x": zeros(1, 1, 2), "y": zeros(1, 1, 1) - 3},
            None,
            ValueError,
            "Spikes of input 'y' must be in -2..3, not -3",
        ),
        (
            TWO,
            zeros(1, 1, 2),
            None,
            ValueError,
            "Spikes must be a mapping with an array for each of 'x', 'y'",
        ),
        (
            TWO,
            {"x": zeros(1, 1, 2)},
            None,
            ValueError,
            "Spikes must be given for ['x', 'y'], not ['x']",
        ),
        (
            ONE,
            {"z": zeros(1, 1, 2)},
            None,
            ValueError,
            "Spikes must be given for ['x'], not ['z']",
        ),
        (
            TWO,
            {"x": zeros(1, 2, 2), "y": zeros(1, 1, 1)},
            None,
            ValueError,
            "Spikes of all inputs must have the same samples and steps, not 1 samples of 2 "
            "steps for 'x' and 1 samples of 1 steps for 'y'",
        ),
        (
            TWO,
            {"x": zeros(2, 1, 2), "y": zeros(1, 1, 1)},
            None,
            ValueError,
            "Spikes of all inputs must have the same samples and steps, not 2 samples of 1 "
            "steps for 'x' and 1 samples of 1 steps for 'y'",
        ),
        (ONE, zeros(0, 3, 2), None, ValueError, "Spikes must have at least one sample, not none"),
        (ONE, [], None, ValueError, "Spikes must have at least one sample, not none"),
        (
            ONE,
            zeros(1, 0, 2),
            None,
            ValueError,
            "Sample must have 1 to 8 steps (max_steps= of the network), not 0",
        ),
        (
            ONE,
            zeros(1, 9, 2),
            None,
            ValueError,
            "Sample must have 1 to 8 steps (max_steps= of the network), not 9",
        ),
        (
            ONE,
            [zeros(3, 2), zeros(0, 2)],
            None,
            ValueError,
            "Sample must have 1 to 8 steps (max_steps= of the network), not 0",
        ),
        (
            ONE,
            zeros(1, 9, 2),
            9,
            ValueError,
            "Window must have 1 to 8 steps (max_steps= of the network), not 9",
        ),
        (
            ONE,
            zeros(1, 9, 2),
            4,
            ValueError,
            "Sample must have a multiple of 4 steps, not 9",
        ),
        (ONE, zeros(1, 9, 2), 0, ValueError, "Window must be at least 1, not 0"),
        (ONE, zeros(1, 9, 2), 3.0, TypeError, "Window must be an int, not 3.0"),
        (
            ONE,
            zeros(1, 0, 2),
            4,
            ValueError,
            "Sample must have a multiple of 4 steps, not 0",
        ),
    ],
)
def test_a_run_rejects(network, spikes, window, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        reference.run(network, spikes, reports=AnswerPolicy(window))


NAMES = "'p', 'p.v', 'p.countdown', 'p.pending', 'v.v'"


@pytest.mark.parametrize(
    "record, error, message",
    [
        ("p", TypeError, "Record must be a sequence of names, not 'p'"),
        ([1], TypeError, "Record must be a sequence of names, not [1]"),
        (["q"], ValueError, f"Record must name one of {NAMES}, not 'q'"),
        (["v"], ValueError, f"Record must name one of {NAMES}, not 'v'"),  # never fires
        (["p.a"], ValueError, f"Record must name one of {NAMES}, not 'p.a'"),
        (["x"], ValueError, f"Record must name one of {NAMES}, not 'x'"),
    ],
)
def test_record_rejects(record, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        reference.run(ONE, zeros(1, 1, 2), record=record)


def test_record_takes_every_name_once_or_more():
    assert check_record(ONE, ["p", "v.v"]) == ("p", "v.v")
    assert check_record(ONE, ()) == ()
    result = reference.run(ONE, zeros(1, 3, 2), record=["p", "p", "p.v"])
    assert set(result.spikes) == {"p", "p.v"}
