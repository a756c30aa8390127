"""Tests of levels, curves, faults and pulses."""

import numpy as np
import pytest
import torch

from spiker_train import Faults, MeasuredLevels, PulseUpdate, UniformLevels, generator
from spiker_train.devices.curves import Logarithm, Polynomial, Power, Table


@pytest.mark.parametrize(
    "levels, target, nearest",
    [
        (UniformLevels(2), [-1.0, 0.0, 0.49, 0.51, 2.0], [0.0, 0.0, 0.0, 1.0, 1.0]),
        (UniformLevels(5), [0.1, 0.2, 0.4, 0.9], [0.0, 0.25, 0.5, 1.0]),
        (
            MeasuredLevels(np.array([0.1, 0.2, 0.8])),
            [0.1, 0.3, 0.9],
            [0.1, 0.2, 0.8],
        ),
        (MeasuredLevels((0.1, 0.2, 0.8)), [0.0, 0.14, 0.16, 0.51, 2.0], [0.1, 0.1, 0.2, 0.8, 0.8]),
    ],
    ids=["two", "five", "array", "measured"],
)
def test_nearest_level_by_hand(levels, target, nearest):
    result = levels.nearest(torch.tensor(target).double(), 0.0, 1.0)
    assert result.tolist() == pytest.approx(nearest)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: UniformLevels(1), "Number of levels must be at least 2, not 1"),
        (lambda: MeasuredLevels((1e-6,)), "Number of levels must be at least 2, not 1"),
        (lambda: MeasuredLevels((2e-6, 1e-6)), "Levels must increase from entry to entry"),
        (lambda: MeasuredLevels((0, float("nan"))), "Levels: entry 1 must be finite, not nan"),
        (lambda: Table((0, 1), (1,)), "Values of a table must be 2, as its conductances, not 1"),
        (lambda: Table((0, 0), (1, 1)), "Conductances of a table must increase"),
        (lambda: PulseUpdate(pulses=0), "Pulses from end to end must be at least 1, not 0"),
        (lambda: PulseUpdate(pulses=5, up=0), "Curvature up must not be 0"),
    ],
)
def test_bad_parts_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "curve, g, value",
    [
        (Polynomial((1, -3, 1)), [0, 0.2, 1], [1, 0.44, 0]),
        (Logarithm(-1, 0.5, 0.1, 2), [0, np.exp(-1), 1], [2, 1.5, 0.5]),
        (Power(2, -1, 10), [0, 0.5, 1], [10, 4, 2]),
        (Table((0.2, 0.6), (1, 3)), [0, 0.3, 1], [1, 1.5, 3]),
    ],
    ids=["polynomial", "logarithm", "power", "table"],
)
def test_curves_by_hand(curve, g, value):
    assert curve(torch.tensor(g).double()).tolist() == pytest.approx(value)


def test_more_faults_include_those_of_fewer():
    few = Faults(stuck_low=0.05, stuck_high=0.05).draw((5000,), generator(1))
    many = Faults(stuck_low=0.2, stuck_high=0.2).draw((5000,), generator(1))
    faulty = few != 0
    assert few[faulty].equal(many[faulty])
    assert float(faulty.double().mean()) == pytest.approx(0.1, abs=0.02)
    assert float((many == 2).double().mean()) == pytest.approx(0.2, abs=0.02)
    assert not Faults().draw((10,), generator(1)).any()
    assert (Faults(stuck_high=1.0).draw((100,), generator(1)) == 2).all()


@pytest.mark.parametrize("up, down", [(float("inf"), 3.0), (5.0, float("inf")), (-4.0, 8.0)])
def test_pulses_lead_from_end_to_end_along_their_curves(up, down):
    update, rng = PulseUpdate(pulses=10, up=up, down=down), generator(0)

    def apply(value, pulses):
        start = torch.tensor([value]).double()
        return float(update.apply(start, torch.tensor([pulses]), 1.0, 3.0, rng))

    assert apply(1.0, 10) == pytest.approx(3.0)
    assert apply(3.0, -10) == pytest.approx(1.0)
    # One after the other is the same as at once.
    assert apply(apply(1.0, 3), 4) == pytest.approx(apply(1.0, 7))
    assert apply(apply(3.0, -3), -4) == pytest.approx(apply(3.0, -7))
    for curvature, way in ((up, apply(1.0, 3) - 1.0), (down, 3.0 - apply(3.0, -3))):
        share = (
            0.3
            if np.isinf(curvature)
            else ((1 - np.exp(-3 / curvature)) / (1 - np.exp(-10 / curvature)))
        )
        assert way == pytest.approx(2 * share)
    assert apply(2.0, 0) == 2.0
    assert 1.0 <= apply(2.0, -100) < apply(2.0, 100) <= 3.0


def test_noise_of_pulses_grows_with_their_root():
    update = PulseUpdate(pulses=1000, noise=0.01)
    start = torch.full((4000,), 0.5).double()
    for pulses in (4, 16):
        counts = torch.full((4000,), pulses)
        changed = update.apply(start, counts, 0.0, 1.0, generator(1))
        assert float(changed.std()) == pytest.approx(0.01 * pulses**0.5, rel=0.05)
