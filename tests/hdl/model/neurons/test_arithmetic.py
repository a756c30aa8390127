"""Tests of the arithmetic: decays by hand and fitted, and arrays against integers, exhaustively."""

import re
from fractions import Fraction
from itertools import combinations, product
from math import floor
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import ARRAYS, INTEGERS, Decay

# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x, bits, after",
    [
        (7, 0, 7),
        (7, 1, 3),
        (8, 3, 1),
        (-1, 1, -1),
        (-7, 1, -4),
        (-8, 3, -1),
        (-9, 3, -2),
        (0, 5, 0),
    ],
)
def test_shift_by_hand(x, bits, after):
    assert INTEGERS.shift(x, bits) == after
    assert ARRAYS.shift(np.array([x]), bits).tolist() == [after]


@pytest.mark.parametrize(
    "decay, x, after",
    [
        (Decay.shift(2), 100, 75),
        (Decay.shift(2), 3, 3),
        (Decay.shift(2), -3, -2),
        (Decay.shift(0), 100, 0),
        (Decay.shift(0), -100, 0),
        (Decay(0, 8), 100, 100),
        (Decay(0, 8), -100, -100),
        (Decay(3, 4), 100, 82),  # floor(18.75) = 18
        (Decay(3, 4), -100, -81),  # floor(-18.75) = -19
        (Decay(3, 4), 5, 5),
        (Decay(3, 4), 6, 5),
        (Decay(3, 4), -1, 0),
        # 1/2 + 1/8 is rounded once: 75 >> 3 is 9, though 7 + 1 is 8.
        (Decay.shifts(1, 3), 15, 6),
        (Decay.shifts(1, 3), 7, 3),
        (Decay.shifts(1, 3), -3, -1),
        (Decay.shifts(3, 3), 16, 12),
        (Decay.shifts(), 9, 9),
        (Decay(256, 8), 77, 0),
    ],
)
def test_decay_by_hand(decay, x, after):
    assert INTEGERS.decay(x, decay) == after
    assert ARRAYS.decay(np.array([x]), decay).tolist() == [after]


@pytest.mark.parametrize(
    "decay, numerator, bits, factor",
    [
        (Decay.shift(3), 1, 3, 0.875),
        (Decay.shift(0), 1, 0, 0),
        (Decay.shifts(1, 3), 5, 3, 0.375),
        (Decay.shifts(2, 2), 2, 2, 0.5),
        (Decay.shifts(), 0, 0, 1),
        (Decay((0, 3), 2), (0, 3), 2, (1, 0.25)),
    ],
)
def test_forms_of_decay(decay, numerator, bits, factor):
    assert (decay.numerator, decay.bits, decay.factor) == (numerator, bits, factor)


def test_equal_decays():
    assert Decay.shift(2) == Decay(1, 2)
    assert hash(Decay.shift(2)) == hash(Decay(1, 2))
    assert Decay(1, 2) != Decay(2, 3)  # rounds alike, and is said otherwise
    assert Decay(1, 2) != (1, 2)
    assert repr(Decay((1, 2), 3)) == "Decay((1, 2), 3)"


def test_decay_is_exact_for_all_small_values():
    for bits in range(5):
        for m, x in product(range(2**bits + 1), range(-40, 41)):
            expected = x - floor(Fraction(x * m, 2**bits))
            assert INTEGERS.decay(x, Decay(m, bits)) == expected
            assert 0 <= expected * (1 if x >= 0 else -1) <= abs(x)  # toward zero, never beyond


def test_a_positive_value_may_stay_and_a_negative_one_never_does():
    for m, bits in [(1, 3), (3, 4), (1, 1), (5, 6)]:
        stays = [x for x in range(-64, 65) if INTEGERS.decay(x, Decay(m, bits)) == x]
        assert stays == [*range((2**bits - 1) // m + 1)]


@pytest.mark.parametrize(
    "name, operands, answer",
    [
        ("above", (5, 5), False),
        ("above", (6, 5), True),
        ("reaches", (5, 5), True),
        ("reaches", (4, 5), False),
        ("both", (True, False), False),
        ("both", (True, True), True),
        ("either", (True, False), True),
        ("either", (False, False), False),
        ("invert", (True,), False),
        ("select", (True, 3, 4), 3),
        ("select", (False, 3, 4), 4),
        ("maximum", (-3, 2), 2),
        ("maximum", (2, -3), 2),
        ("clamp", (9, -2, 5), 5),
        ("clamp", (-9, -2, 5), -2),
        ("clamp", (5, -2, 5), 5),
        ("clamp", (-2, -2, 5), -2),
        ("saturate", (128, -128, 127), 127),
        ("saturate", (-129, -128, 127), -128),
    ],
)
def test_operations_by_hand(name, operands, answer):
    assert getattr(INTEGERS, name)(*operands) == answer
    assert getattr(ARRAYS, name)(*map(np.array, operands)).tolist() == answer


# -- arrays against integers ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["above", "reaches", "maximum"])
def test_arrays_compare_as_integers_do(name):
    pairs = [*product(range(-9, 10), repeat=2)]
    x, y = np.array(pairs).T
    expected = [getattr(INTEGERS, name)(*pair) for pair in pairs]
    assert getattr(ARRAYS, name)(x, y).tolist() == expected


@pytest.mark.parametrize("name", ["clamp", "saturate"])
def test_arrays_clamp_as_integers_do(name):
    cases = [(x, low, high) for x, low, high in product(range(-9, 10), repeat=3) if low <= high]
    x, low, high = np.array(cases).T
    expected = [getattr(INTEGERS, name)(*case) for case in cases]
    assert expected == [sorted(case)[1] for case in cases]
    assert getattr(ARRAYS, name)(x, low, high).tolist() == expected


def test_arrays_decay_as_integers_do():
    values = np.arange(-300, 301)
    for m, bits in [(0, 0), (1, 0), (1, 4), (3, 4), (13, 4), (16, 4), (201, 8)]:
        expected = [INTEGERS.decay(int(x), Decay(m, bits)) for x in values]
        assert ARRAYS.decay(values, Decay(m, bits)).tolist() == expected


# -- fitted decays -------------------------------------------------------------------------------


def sums(bits, terms):
    """List the losses of at most ``terms`` shifts of at most ``bits`` in a way of its own."""
    shifts = [Fraction(1, 2**k) for k in range(bits + 1)]
    results = {Fraction(0)}
    for count in range(1, terms + 1):
        results |= {sum(combination) for combination in combinations(shifts, count)}
    return sorted(value for value in results if value <= 1)


def choices(form, bits, terms):
    if form == "multiplier":
        return [Fraction(m, 2**bits) for m in range(2**bits + 1)]
    return sums(bits, terms if form == "shifts" else 1)


@pytest.mark.parametrize(
    "form, bits, terms",
    [
        ("shift", 8, 2),
        ("shift", 4, 1),
        ("shift", 0, 1),
        ("shifts", 6, 2),
        ("shifts", 6, 3),
        ("multiplier", 8, 2),
        ("multiplier", 1, 1),
        ("multiplier", 0, 1),
    ],
)
def test_fit_finds_the_nearest(form, bits, terms):
    random = Random(bits)
    factors = [
        0.0,
        1.0,
        0.5,
        *(random.random() for _ in range(300)),
        *(1 - 2.0**-k for k in range(12)),
    ]
    for factor in factors:
        decay = Decay.fit(factor, form, bits=bits, terms=terms)
        error = min(abs(1 - choice - Fraction(factor)) for choice in choices(form, bits, terms))
        assert abs(Fraction(decay.factor) - Fraction(factor)) == error
        assert decay.bits <= bits
        if form == "shifts":
            assert decay.numerator.bit_count() <= terms
        if form == "shift":
            assert decay.numerator in {0, 1}


@pytest.mark.parametrize(
    "factor, form, options, expected",
    [
        (0.875, "shift", {}, Decay(1, 3)),
        (0.9, "shift", {}, Decay(1, 3)),  # 0.875 is nearer than 0.9375
        (0.92, "shift", {}, Decay(1, 4)),
        (1.0, "shift", {}, Decay(0, 0)),
        (0.0, "shift", {}, Decay(1, 0)),
        (0.999, "shift", {}, Decay(0, 0)),  # 1 is nearer than 255/256
        (0.9, "shifts", {}, Decay(3, 5)),  # 1/16 + 1/32 = 0.09375
        (0.9, "multiplier", {}, Decay(13, 7)),  # 26/256
        (0.9, "multiplier", {"bits": 4}, Decay(1, 3)),  # 2/16
        (0.6, "shifts", {"terms": 1}, Decay(1, 1)),
        (0.6, "shifts", {"terms": 3}, Decay(13, 5)),  # 1/4 + 1/8 + 1/32 = 0.40625
        (0.9, "shifts", {"error": 0.1}, Decay(1, 3)),  # one term will do
        (0.9, "shifts", {"error": 0.01}, Decay(3, 5)),
        (0.75, "multiplier", {"bits": 1}, Decay(0, 0)),  # as near as a half, and loses less
        (0.625, "shift", {}, Decay(1, 2)),  # 1/4 and 1/2 are as near, and 1/4 loses less
        (0.9, "multiplier", {"error": 0.002}, Decay(13, 7)),
    ],
)
def test_fit_by_hand(factor, form, options, expected):
    assert Decay.fit(factor, form, **options) == expected


def test_fit_per_neuron_shares_its_bits():
    decay = Decay.fit([0.5, 0.875, 1.0], "shift")
    assert decay == Decay((4, 1, 0), 3)
    assert decay.factor == (0.5, 0.875, 1.0)
    assert Decay.fit(np.array([0.75, 0.75])) == Decay(1, 2)  # equal ones become one
    factors = np.random.default_rng(1).random(50)
    fitted = Decay.fit(factors, "multiplier", bits=6)
    for factor, result in zip(factors, fitted.factor, strict=True):
        assert Decay.fit(float(factor), "multiplier", bits=6).factor == result


def test_fit_takes_the_fewest_terms_for_an_error():
    for factor in np.linspace(0, 1, 41):
        for error in [0.24, 0.052, 0.011]:
            errors = [
                min(abs(float(1 - total) - factor) for total in sums(8, terms))
                for terms in (1, 2, 3, 4)
            ]
            fewest = next((n + 1 for n, deviation in enumerate(errors) if deviation <= error), None)
            if fewest is None:
                with pytest.raises(ValueError, match="Decay error must be at least"):
                    Decay.fit(float(factor), "shifts", terms=4, error=error)
                continue
            decay = Decay.fit(float(factor), "shifts", terms=4, error=error)
            assert decay.numerator.bit_count() <= fewest
            assert abs(decay.factor - factor) == pytest.approx(errors[fewest - 1])


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Decay(1, 1.0), TypeError, "Decay bits must be an int, not 1.0"),
        (lambda: Decay(1, 25), ValueError, "Decay bits must be at most 24, not 25"),
        (lambda: Decay(1, -1), ValueError, "Decay bits must be at least 0, not -1"),
        (
            lambda: Decay(0.5, 1),
            TypeError,
            "Decay numerator must be an int or a tuple of ints, not 0.5",
        ),
        (lambda: Decay(9, 3), ValueError, "Decay numerator must be at most 8, not 9"),
        (lambda: Decay(-1, 3), ValueError, "Decay numerator must be at least 0, not -1"),
        (
            lambda: Decay((1, 9), 3),
            ValueError,
            "Decay numerator of neuron 1 must be at most 8, not 9",
        ),
        (
            lambda: Decay((), 3),
            ValueError,
            "Decay numerator must have a value for each neuron, not ()",
        ),
        (lambda: Decay.shift("2"), TypeError, "Shift must be an int, not '2'"),
        (lambda: Decay.shift(25), ValueError, "Shift must be at most 24, not 25"),
        (lambda: Decay.shifts(1, -1), ValueError, "Shift must be at least 0, not -1"),
        (lambda: Decay.shifts(0, 1), ValueError, "Decay numerator must be at most 2, not 3"),
        (lambda: Decay.fit(1.5), ValueError, "Decay factor must be in 0..1, not 1.5"),
        (lambda: Decay.fit(-0.1), ValueError, "Decay factor must be in 0..1, not -0.1"),
        (lambda: Decay.fit(float("nan")), ValueError, "Decay factor must be in 0..1, not nan"),
        (lambda: Decay.fit([0.5, 2.0]), ValueError, "Decay factor must be in 0..1, not 2.0"),
        (
            lambda: Decay.fit(0.5, "table"),
            ValueError,
            "Decay form must be one of 'shift', 'shifts', 'multiplier', not 'table'",
        ),
        (lambda: Decay.fit(0.5, bits=25), ValueError, "Decay bits must be at most 24, not 25"),
        (lambda: Decay.fit(0.5, terms=0), ValueError, "Decay terms must be at least 1, not 0"),
        (
            lambda: Decay.fit(0.6, "shifts", terms=2, bits=4, error=0.001),
            ValueError,
            "Decay error must be at least 0.025 with 2 terms of 4 bits, not 0.001",
        ),
        (
            lambda: Decay.fit(0.6, error=0.001),
            ValueError,
            "Decay error must be at least 0.1 with one term of 8 bits, not 0.001",
        ),
        (
            lambda: Decay.fit(0.625, "multiplier", bits=2, error=0.1),
            ValueError,
            "Decay error must be at least 0.125 with a multiplier of 2 bits, not 0.1",
        ),
    ],
)
def test_decay_rejects(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
