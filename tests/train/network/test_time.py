"""Tests of times in seconds: whole picoseconds, factors of steps, and the steps of a run."""

import re

import numpy as np
import pytest

from spiker_train import Duration, Tau
from spiker_train.network.time import Steps, in_whole_units, make_steps, whole_steps

MS = 10**9


def test_times_are_whole_picoseconds():
    assert Tau(20e-3).picoseconds == 20 * MS
    assert Tau(0.1 + 0.2).picoseconds == 300 * MS
    assert Duration([1e-3, 2e-12]).picoseconds.tolist() == [MS, 2]
    assert Tau(20e-3).seconds == 0.02
    assert Duration(0).picoseconds == 0


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 20, 333, 1000])
def test_whole_number_of_steps_is_exact(steps):
    for dt in (1e-4, 1e-3, 3e-4, 0.7e-6):
        length = make_steps(dt, None, 1).lengths[0]
        assert whole_steps("Delay", Duration(steps * dt), length, nearest=False) == steps


def test_factor_and_integral_of_a_step():
    tau = Tau([10e-3, 20e-3])
    assert tau.factor(5 * MS) == pytest.approx(np.exp([-0.5, -0.25]), rel=1e-15)
    assert tau.integral(5 * MS) == pytest.approx(
        [10e-3 * (1 - np.exp(-0.5)), 20e-3 * (1 - np.exp(-0.25))], rel=1e-14
    )
    # A step far shorter than the time constant: 1 - exp would lose all digits.
    assert Tau(1000).integral(1) == pytest.approx(1e-12, rel=1e-12)
    euler = Tau(10e-3, method="euler")
    assert euler.factor(5 * MS) == 0.5
    assert euler.integral(5 * MS) == 5e-3


def test_euler_step_longer_than_the_time_constant_is_refused():
    text = (
        "Lif decay must be at least as long as the step of 0.02 s with method='euler', not 0.01 s"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        Tau(10e-3, method="euler").factor(20 * MS, "Lif decay")


BAD = {
    "negative": (-1.0, ValueError, "must be a positive number of seconds, not -1.0"),
    "zero": (0.0, ValueError, "must be a positive number of seconds, not 0.0"),
    "nan": (float("nan"), ValueError, "must be a finite number of seconds, not nan"),
    "infinite": (float("inf"), ValueError, "must be a finite number of seconds, not inf"),
    "long": (1e4, ValueError, "must be at most 9000 s, not 10000.0"),
    "short": (1e-13, ValueError, "must be at least a picosecond, not 1e-13"),
    "text": ("1 ms", TypeError, "must be a number of seconds, not '1 ms'"),
    "bool": (True, TypeError, "must be a number of seconds, not True"),
    "one of several": ([1e-3, -2.0], ValueError, "must be a positive number of seconds, not -2.0"),
    "none": ([], ValueError, "must have at least one value, not none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_time_is_refused(case):
    value, error, text = BAD[case]
    with pytest.raises(error, match=re.escape(f"Time constant {text}")):
        Tau(value)
    if case != "zero":
        with pytest.raises(error):
            Duration(value)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="Method of a time constant must be one of"):
        Tau(1e-3, method="guess")


def test_times_are_compared_by_value():
    assert Tau(1e-3) == Tau(0.001) != Tau(2e-3)
    assert Tau(1e-3) != Tau(1e-3, method="euler")
    assert Tau(1e-3) != Duration(1e-3)
    assert Tau([1e-3, 2e-3]) == Tau(np.array([1e-3, 2e-3]))
    assert hash(Tau([1e-3, 2e-3])) == hash(Tau((1e-3, 2e-3)))
    assert repr(Tau(1e-3)) == "Tau(0.001)"
    assert repr(Duration([0.5, 1])) == "Duration([0.5, 1.0])"
    assert repr(Tau(0.5, method="euler")) == "Tau(0.5, method='euler')"


def test_time_is_drawn_by_a_callable():
    tau = Tau(lambda rng, shape: rng.uniform(1e-3, 2e-3, shape))
    with pytest.raises(ValueError, match="must be drawn before it has a value"):
        _ = tau.picoseconds
    rng = np.random.default_rng(3)
    drawn = tau.drawn(rng, (4,))
    assert drawn == Tau(np.random.default_rng(3).uniform(1e-3, 2e-3, 4))


def test_steps_of_a_run():
    steps = make_steps(None, [(1e-4, 3), (1e-3, 2)], 5, clock=7)
    assert steps.lengths == (MS // 10,) * 3 + (MS,) * 2
    assert steps.begins.tolist() == [7 + MS * t // 10 for t in (0, 1, 2, 3, 13)]
    assert steps.end == 7 + 23 * MS // 10
    assert steps.distinct == (MS // 10, MS)
    plain = make_steps(None, None, 4, clock=2)
    assert (plain.begins.tolist(), plain.end, plain.distinct) == ([2, 3, 4, 5], 6, (None,))


def test_bad_plan_is_refused():
    for plan, error, text in (
        ([(1e-3, 3)], ValueError, "as many steps as the samples, which is 4, not 3"),
        ([(1e-3, 0)], ValueError, "Steps of a plan must be at least 1, not 0"),
        ([(-1e-3, 4)], ValueError, "Step of a plan must be a positive number of seconds"),
        ([(1e-3,)], TypeError, "Plan must be a sequence of (seconds, steps)"),
        (1e-3, TypeError, "Plan must be a sequence of (seconds, steps)"),
        ([([1e-3], 4)], TypeError, "Step of a plan must be one number of seconds"),
    ):
        with pytest.raises(error, match=re.escape(text)):
            make_steps(None, plan, 4)
    with pytest.raises(ValueError, match="must have dt or plan, not both"):
        make_steps(1e-3, [(1e-3, 4)], 4)
    with pytest.raises(ValueError, match="Step dt must be a positive number of seconds"):
        make_steps(0.0, None, 4)
    with pytest.raises(ValueError, match="Time of a run must be below"):
        Steps((9000 * 10**12,) * 1000, 1000)


def test_time_that_is_no_whole_number_of_steps_is_refused_or_rounded():
    text = (
        "Delay must be a whole number of steps of 0.001 s, not 2.5 of them: choose another dt, or "
        "rounding='nearest'"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        whole_steps("Delay", Duration(2.5e-3), MS, nearest=False)
    assert whole_steps("Delay", Duration([2.6e-3, 1e-3]), MS, nearest=True) == (3, 1)


def test_time_is_shown_in_its_largest_whole_unit():
    assert [in_whole_units(n) for n in (2 * 10**12, 5 * MS, 50 * 10**6, 7000, 3)] == [
        "2 s",
        "5 ms",
        "50 us",
        "7 ns",
        "3 ps",
    ]
