"""Tests of answers every few steps for samples of which some have more of them than others."""

import numpy as np

from spiker_hdl.model import (
    AnswerPolicy,
    If,
    Input,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)

RELAY = Network(
    [Input("x", 2)],
    [Population("p", 2, If(width=4, threshold=0, reset="zero"))],
    [Projection("x", "p", np.eye(2, dtype=int))],
    [Readout("p")],
)


def test_each_sample_has_the_answers_of_its_own_windows():
    short = np.array([[1, 0], [0, 1]])
    long = np.array([[0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [0, 1]])
    result = reference.run(RELAY, [short, long], reports=AnswerPolicy(window=2))
    answer = result.answers["p"]
    assert [score.tolist() for score in answer.scores] == [[[1, 1]], [[0, 2], [2, 0], [0, 2]]]
    assert [label.tolist() for label in answer.classes] == [[0], [1, 0, 1]]
