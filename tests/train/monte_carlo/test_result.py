"""Tests of the answers of a Monte-Carlo."""

import json

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train import Draws
from spiker_train.monte_carlo.result import draw_accuracy, draw_picture, load_draws, table


def make(shift=0):
    """Return five draws of ten samples at two times."""
    rows = {draw: (10 - draw, 5 + (draw + shift) % 3) for draw in range(5)}
    return Draws("key", 10, (0.0, 1e3), rows, dict.fromkeys(range(5), (0, 1)))


def by_class():
    """Return two draws of ten samples of three classes at one time; the last has no samples."""
    return Draws(
        "key", 10, (0.0,), {0: (7,), 3: (6,)}, {0: (0,), 3: (0,)}, (6, 4, 0),
        {0: ((4, 3, 0),), 3: ((6, 0, 0),)}, {0: ((5, 5, 0),), 3: ((10, 0, 0),)},
    )  # fmt: skip


def test_accuracy_yield_and_quantiles_by_hand():
    draws = make()
    assert draws.accuracy()[:, 0].tolist() == [1.0, 0.9, 0.8, 0.7, 0.6]
    assert draws.mean() == pytest.approx([0.8, 0.58])
    assert draws.quantiles((0, 0.5, 1)).T == pytest.approx(
        np.array([[0.6, 0.8, 1.0], [0.5, 0.6, 0.7]])
    )
    assert draws.reaching(0.7) == pytest.approx([0.8, 0.2])
    with pytest.raises(ValueError, match=r"Target accuracy must be in 0..1, not 70"):
        draws.reaching(70)
    with pytest.raises(ValueError, match=r"Quantile must be in 0..1, not 5"):
        draws.quantiles((5,))


def test_table_has_a_line_for_each_study_and_time():
    lines = table({"4 levels": make(), "8 levels": make(1)}, target=0.7).splitlines()
    assert len(lines) == 5
    assert lines[0].split() == [
        "study", "time", "draws", "mean", "sd", "5%", "25%", "50%", "75%", "95%", ">=70.0%"
    ]  # fmt: skip
    assert "4 levels       0 s      5  80.00%  15.81%" in lines[1]
    assert lines[1].endswith("80.0%")
    assert "1000 s" in str(make())


def test_recall_precision_and_f1_by_hand():
    draws, nan = by_class(), float("nan")
    for values, expected in (
        (draws.recall(), [[4 / 6, 3 / 4, nan], [1, 0, nan]]),
        (draws.precision(), [[4 / 5, 3 / 5, nan], [6 / 10, nan, nan]]),
        (draws.f1(), [[8 / 11, 6 / 9, nan], [12 / 16, 0, nan]]),
    ):
        assert values.shape == (2, 1, 3)
        assert values[:, 0] == pytest.approx(np.array(expected), nan_ok=True)
    with pytest.raises(ValueError, match="Draws must have counts by class, and these"):
        make().recall()


@pytest.mark.parametrize("draws", [make(), by_class()], ids=["accuracy", "classes"])
def test_draws_are_saved_and_loaded(draws, tmp_path):
    draws.save(tmp_path / "x.json")
    assert load_draws(tmp_path / "x.json") == draws


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"spiker-monte-carlo": 2}, "must be 'spiker-monte-carlo' of version 1"),
        ({"samples": 0}, "samples must be a number of at least 1, not 0"),
        ({"right": [[1, 2]]}, "right must have 5 rows, not 1"),
        ({"right": [[1, 2]] * 4 + [[1, 11]]}, "right of draw 4 must be 2 numbers of 0..10"),
        ({"clipped": [[1, 2]] * 4 + [[1]]}, "clipped of draw 4 must be 2 numbers of 0.."),
        ({"draws": [0, 1, 2, 3, -1]}, "numbers of draws must be at least 0, not -1"),
    ],
)
def test_damaged_files_are_refused(changes, message, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(make().to_json() | changes))
    with pytest.raises(FileError, match=message):
        load_draws(tmp_path / "x.json")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"classes": [6, 5]}, r"classes must add up to 10 samples, not \[6, 5\]"),
        ({"classes": [11, -1, 0]}, "classes must add up to 10 samples, not"),
        ({"hits": [[[4, 3, 0]]]}, "hits must have 2 rows, not 1"),
        ({"answers": [[[5, 5, 0]], [[10, 0]]]}, "answers of draw 3 must be 1 x 3 numbers of"),
        ({"hits": [[[4, 3, 0]], [[7, -1, 0]]]}, "hits of draw 3 must be 1 x 3 numbers of"),
        ({"hits": [[[4, 3, 0]], [[5, 0, 0]]]}, r"hits of draw 3 must add up to \[6\]"),
        ({"answers": [[[5, 4, 0]], [[10, 0, 0]]]}, r"answers of draw 0 must add up to \[10\]"),
    ],
)
def test_damaged_counts_by_class_are_refused(changes, message, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(by_class().to_json() | changes))
    with pytest.raises(FileError, match=message):
        load_draws(tmp_path / "x.json")


@pytest.mark.parametrize(
    "curves",
    [{"a": make(), "b": make(1)}, {"a": {2.0: make(), 4.0: make(1)}}],
    ids=["times", "numbers"],
)
def test_picture_is_written(curves, tmp_path):
    pytest.importorskip("matplotlib")
    draw_picture(curves, tmp_path / "x.png", title="accuracy")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_picture_has_means_bands_and_the_target():
    pytest.importorskip("matplotlib")
    draws = make()
    for curves, x, expected in (
        ({"a": draws}, [0, 1000], [draws.mean(), draws.quantiles((0.05, 0.95))]),
        (
            {"a": {2.0: draws, 4.0: make(1)}},
            [2, 4],
            [[0.8, 0.8], np.repeat(draws.quantiles((0.05, 0.95))[:, :1], 2, axis=1)],
        ),
    ):
        (axis,) = draw_accuracy(curves, target=0.7).axes
        curve, target = axis.lines
        assert curve.get_xdata().tolist() == x
        assert curve.get_ydata() == pytest.approx(100 * np.array(expected[0]))
        assert target.get_ydata() == pytest.approx([70, 70])
        corners = axis.collections[0].get_paths()[0].vertices
        for n, at in enumerate(x):
            heights = corners[corners[:, 0] == at, 1]
            low, high = 100 * np.array(expected[1])[:, n]
            assert (heights.min(), heights.max()) == pytest.approx((low, high))
