"""Tests of the reference against answers worked out elsewhere: by hand, and by loops long ago."""

import pytest
from golden import FILES, GOLDEN, check
from golden.make import SEEDS

from spiker_hdl.model import AnswerPolicy, reference

from support import naive
from support.networks import everything


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda case: case.name)
def test_golden_networks_answer_as_they_must(golden):
    result = reference.run(
        golden.network,
        golden.spikes,
        record=everything(golden.network),
        reports=AnswerPolicy(golden.window),
    )
    check(golden, result)
    assert set(golden.record) <= set(result.spikes)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda case: case.name)
def test_the_naive_simulation_answers_as_it_must(golden):
    for n in range(len(next(iter(golden.spikes.values())))):
        sample = {name: train[n].tolist() for name, train in golden.spikes.items()}
        answers, record = naive.simulate(golden.network, sample, golden.window)
        for name, answer in golden.answers.items():
            assert answers[name] == [(c, list(s)) for c, s in answer[n]]
        for name, expected in golden.record.items():
            assert record[name] == expected[n]


def test_all_golden_files_are_there():
    assert [path.stem for path in FILES] == sorted(f"random_{seed}" for seed in SEEDS)
