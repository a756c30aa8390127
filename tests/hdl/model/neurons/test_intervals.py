"""Tests of intervals: by hand, and that no value of any expression ever leaves its interval."""

import operator
import re
from itertools import product
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import INTEGERS, Decay, Ranges

EXPRESSIONS = 1000


def ends(interval):
    """Return both ends of an interval of one."""
    return int(interval.low), int(interval.high)


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compute, expected",
    [
        (lambda via, a, b: a + b, (-5, 12)),
        (lambda via, a, b: a - b, (-10, 7)),
        (lambda via, a, b: b - a, (-7, 10)),
        (lambda via, a, b: -a, (-5, 3)),
        (lambda via, a, b: a * b, (-21, 35)),
        (lambda via, a, b: a + 1, (-2, 6)),
        (lambda via, a, b: 1 - a, (-4, 4)),
        (lambda via, a, b: 3 * a, (-9, 15)),
        (lambda via, a, b: via.shift(a, 1), (-2, 2)),
        (lambda via, a, b: via.decay(a, Decay.shift(1)), (-1, 3)),  # -3 + 2 and 5 - 2
        (lambda via, a, b: via.decay(a, Decay(0, 3)), (-3, 5)),
        (lambda via, a, b: via.decay(a, Decay(1, 0)), (0, 0)),
        (lambda via, a, b: via.maximum(a, b), (-2, 7)),
        (lambda via, a, b: via.clamp(a, -1, 2), (-1, 2)),
        (lambda via, a, b: via.clamp(a, -9, 9), (-3, 5)),
        (lambda via, a, b: via.clamp(a, 7, 9), (7, 7)),
        (lambda via, a, b: via.saturate(a + b, -4, 3), (-4, 3)),
        (lambda via, a, b: via.select(a > 2, a, 0), (0, 5)),
        (lambda via, a, b: via.select(a > 5, 100, a), (-3, 5)),  # never
        (lambda via, a, b: via.select(a >= 5, 100, a), (-3, 100)),  # 4 at most where it does not
        (lambda via, a, b: via.select(a >= -3, a, 100), (-3, 5)),  # always
        (lambda via, a, b: via.select(a > b, 1, 0), (0, 1)),
        (lambda via, a, b: via.select(a > 2, a - 2, a), (-3, 3)),
        (lambda via, a, b: via.select(a >= 2, a - 2, a), (-3, 3)),
        (lambda via, a, b: via.select(a < 2, a, 0), (-3, 1)),
        (lambda via, a, b: via.select(a <= 2, a, 0), (-3, 2)),
        (lambda via, a, b: via.select(via.invert(a > 2), a, 0), (-3, 2)),
        (lambda via, a, b: via.select(via.both(a > 0, b > 0), a, 1), (1, 5)),
        (lambda via, a, b: via.select(via.either(a > 0, b > 0), 0, a), (-3, 0)),
        (lambda via, a, b: via.select(a > b, a - b, 0), (0, 7)),
        (lambda via, a, b: via.select(a > b, 0, b - a), (0, 10)),
        (lambda via, a, b: via.select(a == 3, a, 3), (3, 3)),
        # What exceeds a choice exceeds what both of its arms hold: b >= -2, and so b + b >= b - 2.
        (lambda via, a, b: via.select(a > via.select(b > 0, b + b, b), a - b, 9), (-1, 9)),
        (lambda via, a, b: via.select(a >= via.select(b > 0, b + b, b), a - b, 9), (-2, 9)),
        (lambda via, a, b: via.select(a > via.select(b > 0, b + 3, b), a - b, 9), (1, 9)),
        (lambda via, a, b: via.select(a > via.select(b > 0, b + 3, b + 2), a - b, 9), (3, 9)),
        (lambda via, a, b: via.select(a > via.select(b > 0, b + a, b), a - b, 9), (-2, 9)),
        (lambda via, a, b: via.select(a > via.select(b > 0, 1, b), a - b, 9), (-8, 9)),
    ],
)
def test_intervals_by_hand(compute, expected):
    via = Ranges()
    assert ends(compute(via, via.interval(-3, 5), via.interval(-2, 7))) == expected


def test_the_largest_met_on_the_way_is_known():
    via = Ranges()
    a = via.interval(-3, 5)
    assert via.largest == 5
    via.clamp(a * 100 - 1000, -10, 10)
    assert via.largest == 1300
    via.decay(a, Decay(255, 8))
    assert via.largest == 1300
    via.decay(via.interval(0, 127), Decay(3, 4))  # 381 on the way to a loss of 23
    assert via.largest == 1300
    via.decay(via.interval(0, 1000), Decay(3, 4))
    assert via.largest == 3000


def test_intervals_per_neuron():
    via = Ranges()
    v = via.interval(np.array([0, -8], dtype=object), np.array([7, 20], dtype=object))
    theta = via.interval(np.array([3, 5], dtype=object), np.array([3, 5], dtype=object))
    after = via.select(v > theta, v - theta, v)
    assert (after.low.tolist(), after.high.tolist()) == ([0, -8], [4, 15])
    assert (via.select(v > 7, 99, 0).high).tolist() == [0, 99]  # the first never passes 7


def test_intervals_are_exact_beyond_64_bits():
    via = Ranges()
    a = via.interval(-(2**70), 2**70)
    assert ends(a * a) == (-(2**140), 2**140)
    assert ends(via.shift(a, 3)) == (-(2**67), 2**67)
    assert via.largest == 2**140


# -- soundness: every value of every expression --------------------------------------------------


class Watch:
    """Arithmetic on integers that remembers the greatest magnitude it met."""

    def __init__(self):
        self.largest = 0

    def seen(self, x):
        self.largest = max(self.largest, abs(x))
        return x


def draw(random, count, shared):
    """Draw an expression of ``count`` operations, as a list of them, on values and on tests."""
    lines, values, tests = [], [*range(shared)], []
    for n in range(count):
        kinds = ["add", "subtract", "shift", "decay", "maximum", "clamp", "compare", "compare"]
        kinds += ["select"] * 3 + ["multiply", "both", "either", "invert", "reduce"]
        kind = random.choice(kinds)
        recent = [*values[-4:], random.choice(values)]
        pick = [random.choice(recent) for _ in range(3)]
        numbers = sorted(random.randint(-9, 9) for _ in range(2))
        if kind in {"select", "both", "either", "invert"}:
            if not tests:
                kind = "compare"
            else:
                pick[0] = random.choice(tests)
                if kind in {"both", "either"}:
                    pick[1] = random.choice(tests)
        if kind in {"compare", "both", "either", "invert"}:
            tests.append(shared + n)
        else:
            values.append(shared + n)
        lines.append((kind, pick, numbers, random.randrange(4), random.random() < 0.5))
    return lines


def evaluate(lines, values, via, seen):
    """Compute an expression; return all that it computed."""
    computed = [*values]
    for kind, (a, b, c), (low, high), which, other in lines:
        x, y, z = computed[a], computed[b], computed[c]
        if kind == "add":
            value = seen(x + y) if other else seen(x + low)
        elif kind == "subtract":
            value = seen(x - y) if other else seen(high - x)
        elif kind == "multiply":
            value = seen(x * low)
        elif kind == "shift":
            value = via.shift(x, which)
        elif kind == "decay":
            decay = [Decay(1, 2), Decay(3, 4), Decay(0, 1), Decay(5, 3)][which]
            seen(x * decay.numerator)
            value = via.decay(x, decay)
        elif kind == "maximum":
            value = via.maximum(x, y if other else low)
        elif kind == "clamp":
            value = via.clamp(x, low, high)
        elif kind == "compare":
            y = y if other else high
            value = [via.above, via.reaches, operator.lt, operator.le][which](x, y)
        elif kind == "reduce":  # as a reset does
            y = y if other else high
            test = via.above(x, y) if which else via.reaches(x, y)
            value = via.select(test, seen(x - y), x)
        elif kind == "select":
            value = via.select(x, y, z if other else low)
        elif kind == "both":
            value = via.both(x, y)
        elif kind == "either":
            value = via.either(x, y)
        else:
            value = via.invert(x)
        computed.append(value)
    return computed


def test_no_value_ever_leaves_its_interval():
    random, narrower = Random(5), 0
    for _ in range(EXPRESSIONS):
        spans = [sorted(random.randint(-7, 7) for _ in range(2)) for _ in range(2)]
        lines = draw(random, random.randint(2, 9), len(spans))
        via = Ranges()
        result = evaluate(lines, [via.interval(*span) for span in spans], via, lambda x: x)
        watch = Watch()
        for values in product(*(range(low, high + 1) for low, high in spans)):
            for n, value in enumerate(evaluate(lines, values, INTEGERS, watch.seen)):
                if isinstance(value, bool):
                    assert result[n].can_be(value), (spans, lines[: n - 1])
                else:
                    low, high = ends(result[n])
                    assert low <= value <= high, (spans, lines[: n - 1])
        assert watch.largest <= via.largest
        narrower += any(line[0] == "select" for line in lines)
    assert narrower > EXPRESSIONS / 4


# -- tightness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", range(-4, 5))
def test_a_conditional_subtract_is_no_wider_than_it_must_be(theta):
    for low, high in [(lo, hi) for lo, hi in product(range(-6, 7), repeat=2) if lo <= hi]:
        for strict in (False, True):
            via = Ranges()
            v = via.interval(low, high)
            fired = via.above(v, theta) if strict else via.reaches(v, theta)
            result = via.select(fired, v - theta, v)
            values = [
                x - theta if (x > theta if strict else x >= theta) else x
                for x in range(low, high + 1)
            ]
            assert ends(result) == (min(values), max(values))


def test_a_clamp_is_no_wider_than_it_must_be():
    spans = [(lo, hi) for lo, hi in product(range(-4, 5), repeat=2) if lo <= hi]
    for (low, high), (minimum, maximum) in product(spans, repeat=2):
        via = Ranges()
        values = [min(max(x, minimum), maximum) for x in range(low, high + 1)]
        assert ends(via.clamp(via.interval(low, high), minimum, maximum)) == (
            min(values),
            max(values),
        )


def test_a_decay_is_no_wider_than_it_must_be():
    for m, (low, high) in product(range(9), [(-9, 9), (0, 7), (-5, -1), (3, 3), (-1, 0)]):
        via = Ranges()
        decay = Decay(m, 3)
        values = [INTEGERS.decay(x, decay) for x in range(low, high + 1)]
        assert ends(via.decay(via.interval(low, high), decay)) == (min(values), max(values))


def test_a_conditional_subtract_of_a_threshold_per_neuron_stays_in_range():
    via = Ranges()
    v, theta = via.interval(-128, 127), via.interval(0, 126)
    after = via.select(v > theta, v - theta, v)
    assert ends(after) == (-128, 127)


# -- what must not be written --------------------------------------------------------------------

BRANCH = (
    "A neuron's step must not branch on an operand with `if`, `and`, `or` or `not`: write "
    "via.select(test, yes, no), via.both, via.either or via.invert"
)


@pytest.mark.parametrize(
    "compute, message",
    [
        (lambda via, a: a if a > 0 else 0, BRANCH),
        (lambda via, a: a > 0 and a < 3, BRANCH),
        (lambda via, a: a > 3 or a < 0, BRANCH),
        (lambda via, a: not a > 3, BRANCH),
        (lambda via, a: a or 1, BRANCH),
        (lambda via, a: max(a, 3), BRANCH),
        (lambda via, a: 0 < a < 3, BRANCH),
        (lambda via, a: (a > 0) + a, "A test is no number: write via.select(test, yes, no)"),
        (lambda via, a: a + (a > 0), "A test is no number: write via.select(test, yes, no)"),
        (lambda via, a: ~(a > 0), "A test is no number: write via.select(test, yes, no)"),
        (
            lambda via, a: via.select(True, a, 0),
            "The test of a select must come from a comparison, not True",
        ),
        (
            lambda via, a: via.select(1, a, 0),
            "The test of a select must come from a comparison, not 1",
        ),
    ],
)
def test_refused_operation_is_answered_with_its_remedy(compute, message):
    via = Ranges()
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        compute(via, via.interval(-3, 5))
