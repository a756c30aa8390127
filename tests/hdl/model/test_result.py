"""Tests of results: how two of them differ, in words."""

from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.model import Answer, Result


def result(**changes):
    classes, scores = np.array([0, 1]), np.array([[3, 1], [0, 2]])
    created = Result(
        classes,
        scores,
        np.array([4, 4]),
        {"p": np.array([5, 6])},
        {"p": np.array([[[0, 1]], [[1, 1]]])},
        None,
        {"p": Answer(classes, scores)},
    )
    return replace(created, **changes)


@pytest.mark.parametrize(
    "changes, lines",
    [
        ({}, []),
        ({"cycles": np.array([9, 9]), "engine": "other"}, []),
        ({"steps": np.array([4, 3])}, ["sample 1: steps 4, not 3"]),
        ({"counts": {"p": np.array([5, 7])}}, ["sample 1: spikes of 'p' 6, not 7"]),
        (
            {"answers": {"p": Answer(np.array([0, 0]), np.array([[3, 1], [0, 2]]))}},
            ["sample 1: readout 'p' class 1, not 0"],
        ),
        (
            {"answers": {"p": Answer(np.array([0, 1]), np.array([[3, 9], [5, 2]]))}},
            [
                "sample 0: readout 'p' scores at 1 1, not 9",
                "sample 1: readout 'p' scores at 0 0, not 5",
            ],
        ),
        (
            {"spikes": {"p": np.array([[[0, 1]], [[1, 0]]])}},
            ["sample 1: record 'p' at 0, 1 1, not 0"],
        ),
        (
            {"spikes": {"p": [np.zeros((2, 2)), np.array([[1, 1]])]}},
            ["sample 0: record 'p' of shape (1, 2), not (2, 2)"],
        ),
        ({"spikes": {}}, []),  # what only one holds is not compared
        ({"steps": np.array([4])}, ["steps: 2 samples, not 1"]),
    ],
)
def test_differences_are_listed(changes, lines):
    assert result().differences(result(**changes)) == lines
