"""Tests of synapses: three ways to keep the same weights, and bad input."""

import re

import numpy as np
import pytest

from spiker_hdl.model import Dense, OneToOne, Sparse, Synapses

MATRIX = np.array([[0, 3, 0], [-2, 0, 5]])


def ints(*values):
    return np.array(values, dtype=np.int64)


def test_sparse_by_hand():
    synapses = Sparse(ints(2, 0, 1), ints(1, 1, 0), ints(5, -2, 3), 3, 2)
    # Kept by source, then target.
    assert synapses.sources.tolist() == [0, 1, 2]
    assert synapses.targets.tolist() == [1, 0, 1]
    assert synapses.values.tolist() == [-2, 3, 5]
    assert synapses.matrix().tolist() == MATRIX.tolist()
    assert synapses == Sparse.from_matrix(MATRIX)
    assert hash(synapses) == hash(Sparse.from_matrix(MATRIX))
    assert repr(synapses) == "Sparse(2x3, 3 synapses)"


def test_dense_by_hand():
    synapses = Dense(MATRIX.astype(np.int8))
    assert (synapses.target_size, synapses.source_size) == (2, 3)
    assert synapses.matrix().dtype == np.int64
    assert synapses.values.tolist() == MATRIX.tolist()
    assert synapses == Dense(MATRIX)
    assert hash(synapses) == hash(Dense(MATRIX))
    assert repr(synapses) == "Dense(2x3)"


def test_one_to_one_by_hand():
    synapses = OneToOne(ints(4, 0, -1))
    assert synapses.matrix().tolist() == [[4, 0, 0], [0, 0, 0], [0, 0, -1]]
    assert (synapses.source_size, synapses.target_size) == (3, 3)
    assert repr(synapses) == "OneToOne(3)"


def test_a_one_to_one_is_never_squared():
    synapses = OneToOne(np.ones(2**20, dtype=np.int8))
    assert synapses == OneToOne(np.ones(2**20, dtype=np.int16))
    low, high = synapses.reach(-1, 3)
    assert (low.min(), low.max(), high.min(), high.max()) == (-1, -1, 3, 3)


def test_different_objects_are_not_equal():
    assert Dense(MATRIX) != Sparse.from_matrix(MATRIX)
    assert Dense(MATRIX) != Dense(MATRIX + 1)
    assert Dense(MATRIX) != MATRIX.tolist()
    assert Dense(np.ones((1, 4), int)) != Dense(np.ones((4, 1), int))
    assert Sparse.from_matrix(np.array([[1, 0]])) != Sparse.from_matrix(np.array([[0, 1]]))
    assert Sparse.from_matrix(np.array([[1, 0]])) != Sparse.from_matrix(np.array([[1, 0, 0]]))
    zero = Sparse(ints(0), ints(0), ints(0), 1, 1)
    assert zero != Sparse.from_matrix(np.array([[0]]))  # one has a synapse, of weight zero


@pytest.mark.parametrize("low, high", [(0, 1), (0, 7), (-3, 2), (-4, 1)])
def test_all_kinds_reach_as_far(low, high):
    random = np.random.default_rng(high)
    for _ in range(20):
        matrix = random.integers(-9, 10, (4, 5)) * random.integers(0, 2, (4, 5))
        events = random.integers(low, high, (500, 5), endpoint=True)
        for synapses in (Dense(matrix), Sparse.from_matrix(matrix)):
            lows, highs = synapses.reach(low, high)
            sums = events @ matrix.T
            assert (lows <= sums.min(axis=0)).all()
            assert (sums.max(axis=0) <= highs).all()
            expected = [
                (
                    sum(min(w * low, w * high) for w in row),
                    sum(max(w * low, w * high) for w in row),
                )
                for row in matrix.tolist()
            ]
            assert [*zip(lows.tolist(), highs.tolist(), strict=True)] == expected
        square = OneToOne(matrix[0])
        for a, b in zip(
            square.reach(low, high), Dense(square.matrix()).reach(low, high), strict=True
        ):
            assert np.array_equal(a, b)


def test_the_base_says_nothing():
    with pytest.raises(NotImplementedError):
        Synapses().matrix()
    with pytest.raises(NotImplementedError):
        Synapses().reach(0, 1)
    with pytest.raises(NotImplementedError):
        _ = Synapses().values


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: Dense(np.zeros((2, 0), int)),
            ValueError,
            "Weights must have the shape (target, source), not (2, 0)",
        ),
        (lambda: Dense(7), TypeError, "Weights must be an array of integers, not 7"),
        (
            lambda: OneToOne(np.zeros((2, 2), int)),
            ValueError,
            "One-to-one weights must have the shape (size,), not (2, 2)",
        ),
        (
            lambda: OneToOne(np.zeros(2)),
            TypeError,
            "Weights must be integers, not float64",
        ),
        (
            lambda: OneToOne(ints(2**31)),
            ValueError,
            "Weight must be within 32 bits, not 2147483648",
        ),
        (
            lambda: Sparse(ints(0), ints(0), MATRIX, 3, 2),
            ValueError,
            "Sparse weights must have the shape (synapses,), not (2, 3)",
        ),
        (
            lambda: Sparse(ints(0, 1), ints(0), ints(1), 3, 2),
            ValueError,
            "Sparse sources must have the shape (1,), not (2,)",
        ),
        (
            lambda: Sparse(["0"], ints(0), ints(1), 3, 2),
            TypeError,
            "Sparse sources must be integers, not '0'",
        ),
        (
            lambda: Sparse(ints(0), np.array([0.0]), ints(1), 3, 2),
            TypeError,
            "Sparse targets must be integers, not float64",
        ),
        (
            lambda: Sparse(ints(3), ints(0), ints(1), 3, 2),
            ValueError,
            "Source must be in 0..2, not 3",
        ),
        (
            lambda: Sparse(ints(0), ints(2), ints(1), 3, 2),
            ValueError,
            "Target must be in 0..1, not 2",
        ),
        (
            lambda: Sparse(ints(0), ints(-1), ints(1), 3, 2),
            ValueError,
            "Target must be in 0..1, not -1",
        ),
        (
            lambda: Sparse(ints(2, 0, 2), ints(1, 1, 1), ints(1, 2, 3), 3, 2),
            ValueError,
            "Synapses must not repeat a pair, not 2 -> 1 twice",
        ),
        (
            lambda: Sparse(ints(0), ints(0), ints(-(2**31)), 3, 2),
            ValueError,
            "Weight must be within 32 bits, not -2147483648",
        ),
        (
            lambda: Sparse(ints(), ints(), ints(), 0, 2),
            ValueError,
            "Source size must be at least 1, not 0",
        ),
        (
            lambda: Sparse(ints(), ints(), ints(), 3, 2.0),
            TypeError,
            "Target size must be an int, not 2.0",
        ),
        (
            lambda: Sparse(ints(), ints(), ints(), 2**20, 2**20),
            ValueError,
            f"Synapses must be among at most {2**28} pairs, not {2**40}",
        ),
    ],
)
def test_synapses_reject(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
