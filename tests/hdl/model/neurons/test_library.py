"""Tests of the neuron models: by hand, and every state of small ones against naive equations."""

import re
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from spiker_hdl.model import (
    ARRAYS,
    INTEGERS,
    NEURONS,
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Decay,
    If,
    Integrator,
    Lif,
    signed_range,
)
from spiker_hdl.model.neurons.spiking import RESET_TIMINGS

from support import naive

LIF = {"width": 8, "threshold": 100, "decay": Decay.shift(2)}
KEPT = {"reset": "zero", "reset_timing": "next_step_keep_input"}


def step(neuron, current, **before):
    """Advance a neuron from rest, but for the states given; return who fires and all states."""
    states = {name: state.rest for name, state in neuron.states.items()} | before
    operands = {name: parameter.value for name, parameter in neuron.parameters.items()}
    return neuron.step(neuron.bind(operands), SimpleNamespace(**states), current, INTEGERS)


# -- by hand: one step of one neuron, (v, x) to (fired, v) ---------------------------------------


@pytest.mark.parametrize(
    "options, v, x, fired, after",
    [
        ({}, 0, 0, False, 0),
        ({}, 80, 30, False, 90),  # 80 - 20 + 30
        ({}, 80, 40, False, 100),  # at the threshold, not above it
        ({}, 80, 41, True, 1),  # 101 - 100
        ({}, 127, 0, False, 96),  # 127 - 31
        ({}, 127, 127, True, 27),  # 223 saturates to 127
        ({}, -128, -128, False, -128),  # -224 saturates to -128
        ({}, 3, 0, False, 3),  # too small to leak
        ({}, 4, 0, False, 3),
        ({}, -1, 0, False, 0),  # floor(-1 / 4) = -1: a negative potential comes back to zero
        ({}, -3, 0, False, -2),
        ({}, -4, 0, False, -3),
        ({}, -5, 0, False, -3),  # floor(-5 / 4) = -2
        # Fire at the threshold, too.
        ({"fire": ">="}, 80, 39, False, 99),
        ({"fire": ">="}, 80, 40, True, 0),
        ({"fire": ">=", "threshold": 127}, 127, 30, False, 126),
        ({"fire": ">=", "threshold": 127}, 127, 31, True, 0),
        # The other resets.
        ({"reset": "zero"}, 80, 40, False, 100),
        ({"reset": "zero"}, 80, 41, True, 0),
        ({"reset": "zero"}, 127, 127, True, 0),
        ({"reset": "value", "reset_value": -7}, 80, 41, True, -7),
        ({"reset": "value", "reset_value": 120}, 80, 41, True, 120),
        ({"reset": "value"}, 80, 41, True, 0),
        ({"reset": "none"}, 80, 41, True, 101),
        ({"reset": "none"}, 127, 127, True, 127),
        ({"reset": "none", "reset_value": 5}, 80, 40, False, 100),
        # Thresholds of zero and below.
        ({"threshold": 0}, 0, 0, False, 0),
        ({"threshold": 0}, 0, 1, True, 1),
        ({"threshold": 0, "fire": ">="}, 0, 0, True, 0),
        ({"threshold": 0, "fire": ">="}, -1, 0, True, 0),  # the leak brings it to zero
        ({"threshold": 0, "fire": ">="}, 0, -1, False, -1),
        ({"threshold": -5, "reset": "zero"}, -8, 1, False, -5),  # -8 + 2 + 1
        ({"threshold": -5, "reset": "zero"}, -8, 2, True, 0),
        # A floor.
        ({"floor": -10}, -8, -4, False, -10),  # -8 + 2 - 4
        ({"floor": -10}, -8, -5, False, -10),
        ({"floor": -10}, -8, -3, False, -9),
        ({"floor": 0}, 0, -1, False, 0),
        ({"floor": 0}, 5, -3, False, 1),  # 5 - 1 - 3
        ({"floor": 0}, 80, 41, True, 1),
        ({"floor": -128}, -128, -128, False, -128),
        # Other decays.
        ({"decay": Decay(0, 0)}, 99, 1, False, 100),
        ({"decay": Decay(1, 0)}, 99, 101, True, 1),  # nothing remains of 99
        ({"decay": Decay(3, 4)}, 100, 0, False, 82),  # 300 / 16 = 18.75
        ({"decay": Decay(3, 4)}, -100, 0, False, -81),  # -18.75 becomes -19
    ],
)
def test_lif_by_hand(options, v, x, fired, after):
    neuron = Lif(**LIF | options)
    assert step(neuron, x, v=v) == (fired, {"v": after, "countdown": 0, "pending": 0})


@pytest.mark.parametrize(
    "options, v, pending, x, fired, after, due",
    [
        ({}, 80, 0, 40, False, 100, 0),
        ({}, 80, 0, 41, True, 101, 1),  # fires, and keeps its potential
        ({}, 101, 1, 10, False, -14, 0),  # 101 - 25 + 10 - 100
        ({}, 127, 1, 127, True, 123, 1),  # 96 + 127 - 100: fires again
        ({}, 100, 1, 100, False, 75, 0),  # 75 + 100 - 100, not 127 - 100: saturates once
        ({}, -128, 1, 0, False, -128, 0),  # -96 - 100 saturates
        ({"fire": ">="}, 127, 1, 104, True, 100, 1),
        ({"reset": "zero"}, 101, 1, 50, False, 0, 0),  # this step's input is lost
        ({"reset": "zero"}, 101, 1, -50, False, 0, 0),
        ({"reset": "zero", "threshold": -1}, 101, 1, -50, True, 0, 1),  # zero is above -1
        ({"reset": "value", "reset_value": 20}, 101, 1, 50, False, 20, 0),
        ({"reset": "value", "reset_value": 20, "threshold": 10}, 50, 1, 0, True, 20, 1),
        ({"reset": "none"}, 101, 1, 10, False, 86, 0),  # 101 - 25 + 10
        ({"reset": "none"}, 101, 1, 30, True, 106, 1),
        (KEPT, 101, 1, 50, False, 50, 0),  # 101 is forgotten, this step's input is not
        (KEPT, 101, 1, -50, False, -50, 0),
        (KEPT, 101, 1, 101, True, 101, 1),  # fires again
        (KEPT, 127, 1, 127, True, 127, 1),
        (KEPT, 80, 0, 41, True, 101, 1),
        (KEPT, 80, 0, 40, False, 100, 0),
        (KEPT | {"floor": -20}, 101, 1, -50, False, -20, 0),
        (KEPT | {"reset": "value", "reset_value": 20}, 101, 1, 50, False, 70, 0),
        (KEPT | {"reset": "value", "reset_value": 120}, 101, 1, 50, True, 127, 1),
        (KEPT | {"reset": "value", "reset_value": -90}, 101, 1, -50, False, -128, 0),
        ({"floor": 0}, 101, 1, 0, False, 0, 0),  # 76 - 100
        ({"floor": -20}, 101, 1, 0, False, -20, 0),
        ({"floor": -25}, 101, 1, 0, False, -24, 0),
    ],
)
def test_reset_in_the_next_step_by_hand(options, v, pending, x, fired, after, due):
    neuron = Lif(**LIF | {"reset_timing": "next_step"} | options)
    expected = {"v": after, "countdown": 0, "pending": due}
    assert step(neuron, x, v=v, pending=pending) == (fired, expected)


@pytest.mark.parametrize(
    "options, v, x, fired, after",
    [
        ({}, 40, 11, True, 1),  # at 40, not above it: 30 + 11 fires as ever
        ({}, 40, 60, True, 50),
        ({}, 40, 10, False, 40),
        ({}, 41, 10, False, 41),  # 41 - 10 + 10: above 40, but 80 is to be passed
        ({}, 41, 49, False, 80),  # at 80
        ({}, 41, 50, True, 41),  # 81, from which 40 is subtracted once
        ({}, 80, 60, True, 80),  # 60 + 60
        ({}, 127, 127, True, 87),  # saturates to 127
        ({}, 100, -75, False, 0),
        ({"fire": ">="}, 39, 10, True, 0),  # 39 - 9 + 10
        ({"fire": ">="}, 40, 49, False, 79),  # 40 - 10 + 49, where 80 is to be reached
        ({"fire": ">="}, 40, 50, True, 40),
        ({"threshold": 0}, 1, 0, True, 1),  # twice nothing
        ({"threshold": 70}, 71, 127, False, 127),  # 140 is beyond the potential
        ({"refractory": 1, "countdown": 1}, 41, 127, False, 31),
        ({"floor": -5}, 41, -99, False, -5),
    ],
)
def test_snntorch_immediate_reset_by_hand(options, v, x, fired, after):
    countdown = options.pop("countdown", 0)
    neuron = Lif(**LIF | {"threshold": 40, "reset_timing": "snntorch_immediate"} | options)
    result, state = step(neuron, x, v=v, countdown=countdown)
    assert (result, state["v"]) == (fired, after)


def test_snntorch_immediate_reset_repeats_until_the_potential_is_below_the_threshold():
    neuron = If(width=8, threshold=4, reset_timing="snntorch_immediate")
    lossy = Lif(width=8, threshold=4, reset_timing="snntorch_immediate", decay=Decay.shift(1))
    for tested, expected in (
        # 20 - 4; 16 - 4; 12 + 6 - 4; 14 + 3 - 4; 13 - 4; 9 + 3 - 4; 8 + 4 - 4
        (neuron, [(1, 16), (1, 12), (1, 14), (1, 13), (1, 9), (1, 8), (1, 8)]),
        # 20 - 4; 8, not above 8; 4 + 6 - 4; 3 + 3, not above 8; 3; 2 + 3 - 4; 1 + 4 - 4
        (lossy, [(1, 16), (0, 8), (1, 6), (0, 6), (0, 3), (1, 1), (1, 1)]),
    ):
        state, results = {"v": 0}, []
        for x in (20, 0, 6, 3, 0, 3, 4):
            fired, state = step(tested, x, **state)
            results.append((int(fired), state["v"]))
        assert results == expected


@pytest.mark.parametrize(
    "options, v, countdown, x, fired, after, left",
    [
        ({}, 80, 0, 41, True, 1, 2),
        ({}, 80, 0, 40, False, 100, 0),
        ({}, 80, 2, 41, False, 60, 1),  # 80 - 20: the input is lost, the leak goes on
        ({}, 80, 1, 41, False, 60, 0),
        ({}, 127, 1, -50, False, 96, 0),
        ({}, -100, 2, 0, False, -75, 1),
        ({"refractory_input": "kept"}, 80, 2, 41, False, 101, 1),  # above it, and silent
        ({"refractory_input": "kept"}, 101, 1, 30, False, 106, 0),
        ({"refractory_input": "kept"}, 101, 0, 30, True, 6, 2),
        ({"refractory": 1}, 80, 0, 41, True, 1, 1),
        ({"refractory": 255}, 80, 0, 41, True, 1, 255),
        ({"reset": "none"}, 127, 1, 127, False, 96, 0),
    ],
)
def test_refractory_by_hand(options, v, countdown, x, fired, after, left):
    neuron = Lif(**LIF | {"refractory": 2} | options)
    expected = {"v": after, "countdown": left, "pending": 0}
    assert step(neuron, x, v=v, countdown=countdown) == (fired, expected)


def test_refractory_steps_with_a_reset_in_the_next_step_by_hand():
    neuron = Lif(**LIF, reset_timing="next_step", refractory=2)
    # 80 - 20 + 41 fires; then 101 - 25 - 100 = -24, the input lost; -24 + 6 = -18; then it hears.
    v, results = {"v": 80, "countdown": 0, "pending": 0}, []
    for _ in range(4):
        fired, v = step(neuron, 41, **v)
        results.append((fired, *v.values()))
    assert results == [
        (True, 2, 1, 101),
        (False, 1, 0, -24),
        (False, 0, 0, -18),
        (False, 0, 0, 28),  # -18 + 5 + 41
    ]


@pytest.mark.parametrize("refractory", [0, 1, 2, 3])
def test_exactly_k_silent_steps(refractory):
    neuron = If(width=8, threshold=10, reset="zero", refractory=refractory)
    state, train = {"v": 0}, []
    for _ in range(12):
        fired, state = step(neuron, 11, **state)
        train.append(int(fired))
    assert train == ([1] + [0] * refractory) * (12 // (refractory + 1))


@pytest.mark.parametrize(
    "options, v, x, fired, after",
    [
        ({}, 50, 50, False, 100),
        ({}, 51, 50, True, 1),
        ({}, 99, 0, False, 99),  # no leak
        ({}, -1, 0, False, -1),
        ({}, 100, 100, True, 27),  # 127 - 100
        ({}, -100, -100, False, -128),
        ({"fire": ">="}, 50, 50, True, 0),
        ({"reset": "zero"}, 51, 60, True, 0),
    ],
)
def test_if_by_hand(options, v, x, fired, after):
    neuron = If(**{"width": 8, "threshold": 100} | options)
    assert step(neuron, x, v=v) == (fired, {"v": after, "countdown": 0, "pending": 0})


@pytest.mark.parametrize(
    "options, i, v, x, fired, i_after, v_after",
    [
        ({}, 10, 20, 4, False, 9, 24),  # i = 10 - 5 + 4; v = 20 - 5 + 9
        ({}, 10, 20, 100, True, 31, 6),  # i = 105 saturates to 31; v = 15 + 31 - 40
        ({}, -7, 0, -60, False, -32, -32),  # -7 + 4 - 60 saturates
        ({}, -7, 0, 0, False, -3, -3),  # floor(-7 / 2) = -4
        ({}, 1, 0, 0, False, 1, 1),  # too small to decay
        ({}, -1, 8, 0, False, 0, 6),
        ({}, 20, 40, 0, False, 10, 40),  # 30 + 10
        ({}, 20, 40, 1, True, 11, 1),
        ({"fire": ">="}, 20, 40, 0, True, 10, 0),
        ({"refractory": 1, "countdown": 1}, 10, 20, 4, False, 9, 15),  # i hears, v does not
        ({"refractory": 1, "countdown": 1, "refractory_input": "kept"}, 10, 20, 4, False, 9, 24),
        ({"reset_timing": "next_step", "pending": 1}, 10, 60, 4, False, 9, 14),  # 45 + 9 - 40
        ({"reset_timing": "next_step", "pending": 1, "reset": "zero"}, 10, 60, 4, False, 9, 0),
        ({"pending": 1} | KEPT, 10, 60, 4, False, 9, 9),
        ({"pending": 1, "threshold": 30} | KEPT, 20, 60, 31, True, 31, 31),
        ({"reset_timing": "snntorch_immediate"}, 20, 41, 0, False, 10, 41),  # 41 - 10 + 10
        (
            {"reset_timing": "snntorch_immediate", "threshold": 20},
            20,
            41,
            0,
            True,
            10,
            21,
        ),  # 41 passes 40
        ({"floor": -2}, -32, 0, 0, False, -16, -2),
    ],
)
def test_current_lif_by_hand(options, i, v, x, fired, i_after, v_after):
    decays = {"decay": Decay.shift(2), "current_decay": Decay.shift(1)}
    neuron = CurrentLif(**{"width": 8, "threshold": 40, "current_width": 6} | decays | options)
    result, after = step(neuron, x, i=i, v=v)
    assert (result, after["i"], after["v"]) == (fired, i_after, v_after)


@pytest.mark.parametrize(
    "options, a, v, x, fired, a_after, v_after",
    [
        ({}, 0, 40, 10, False, 0, 40),  # 40 - 10 + 10, at the threshold
        ({}, 0, 40, 11, True, 10, 1),
        ({}, 8, 40, 18, False, 6, 48),  # at 40 + 8; the rise goes from 8 to 6
        ({}, 8, 40, 19, True, 16, 1),  # 49 - 48; 6 + 10
        ({}, 3, 0, 0, False, 3, 0),  # too small to decay
        ({}, 127, 127, 127, False, 96, 127),  # the threshold is beyond the potential
        ({"threshold": 0, "rise": 100}, 100, 127, 31, True, 127, 27),  # 75 + 100 saturates
        ({"rise": 0}, 8, 40, 19, True, 6, 1),
        ({"reset": "zero"}, 8, 40, 19, True, 16, 0),
        ({"reset": "none"}, 8, 40, 19, True, 16, 49),
        ({"fire": ">="}, 8, 40, 18, True, 16, 0),
        # 49 is above 40 + 8, so that 96 is to be passed.
        ({"reset_timing": "snntorch_immediate"}, 8, 49, 59, False, 6, 96),  # 49 - 12 + 59
        ({"reset_timing": "snntorch_immediate"}, 8, 49, 60, True, 16, 49),  # 97 - 48
        (
            {"reset_timing": "snntorch_immediate"},
            9,
            49,
            13,
            True,
            17,
            1,
        ),  # 50 - 49; 49 is at 40 + 9; 9 - 2 + 10
        # Late: 40 + 16, as the threshold is in the step of the reset, leaves 49 - 12 + 20.
        ({"reset_timing": "next_step", "pending": 1}, 16, 49, 20, False, 12, 1),
        ({"refractory": 1, "countdown": 1}, 8, 80, 40, False, 6, 60),
    ],
)
def test_adaptive_lif_by_hand(options, a, v, x, fired, a_after, v_after):
    decays = {"decay": Decay.shift(2), "rise_decay": Decay.shift(2)}
    neuron = AdaptiveLif(**{"width": 8, "threshold": 40, "rise": 10} | decays | options)
    result, after = step(neuron, x, a=a, v=v)
    assert (result, after["a"], after["v"]) == (fired, a_after, v_after)


@pytest.mark.parametrize(
    "v, x, after",
    [
        (8, 1, 8),  # 8 - 1 + 1
        (31, 31, 31),  # 31 - 3 + 31 saturates
        (31, 3, 31),
        (31, 2, 30),
        (-1, 0, 0),
        (-9, 0, -7),  # floor(-9 / 8) = -2
        (-32, -5, -32),  # -28 - 5 saturates
        (-32, -3, -31),
    ],
)
def test_integrator_by_hand(v, x, after):
    assert step(Integrator(width=6, decay=Decay.shift(3)), x, v=v) == (None, {"v": after})


@pytest.mark.parametrize(
    "v, x, after",
    [(0, 0, 0), (30, 1, 31), (31, 1, 31), (-31, -1, -32), (-32, -1, -32), (5, -9, -4)],
)
def test_accumulator_by_hand(v, x, after):
    assert step(Accumulator(width=6), x, v=v) == (None, {"v": after})


def test_parameters_per_neuron_by_hand():
    neuron = Lif(
        width=8,
        threshold=(10, 20, 20),
        decay=Decay((0, 1, 2), 1),  # keeps all, half, nothing
        reset="value",
        reset_value=(1, 2, 3),
        v=(1, 0, -1),
    )
    operands = {name: np.array(parameter.value) for name, parameter in neuron.parameters.items()}
    states = {
        "v": np.array([8, 16, 100]),
        "countdown": np.zeros(3, int),
        "pending": np.zeros(3, int),
    }
    current = np.array([3, 12, 21])
    fired, after = neuron.step(neuron.bind(operands), SimpleNamespace(**states), current, ARRAYS)
    # 8 + 3 > 10; 16 - 8 + 12 = 20, not above it; 0 + 21 > 20
    assert fired.tolist() == [True, False, True]
    assert after["v"].tolist() == [1, 20, 3]
    assert neuron.states["v"].rest == (1, 0, -1)


# -- every state of small neurons ----------------------------------------------------------------

RESETS = [
    {"reset": "subtract"},
    {"reset": "zero"},
    {"reset": "value", "reset_value": -2},
    {"reset": "value", "reset_value": 6},
    {"reset": "none"},
]
SHARED = [
    options | {"reset_timing": timing, "fire": fire, "floor": floor, **refractory}
    for options, timing, fire, floor, refractory in product(
        RESETS,
        RESET_TIMINGS,
        [">", ">="],
        [None, -3],
        [{}, {"refractory": 2}, {"refractory": 1, "refractory_input": "kept"}],
    )
    if options["reset"] in RESET_TIMINGS[timing]
]
SMALL = {
    "If": [{"threshold": 5}],
    "Lif": [{"threshold": 4, "decay": Decay(3, 3)}],
    "CurrentLif": [
        {"threshold": 3, "decay": Decay.shift(2), "current_decay": Decay(3, 2), "current_width": 3}
    ],
    "AdaptiveLif": [
        {"threshold": 2, "decay": Decay.shift(1), "rise": 3, "rise_decay": Decay.shift(1)}
    ],
    "Integrator": [{"decay": Decay.shift(2)}, {"decay": Decay(5, 3)}],
    "Dendrite": [
        {"decay": Decay.shift(2), "resolution": 4, "low": -2, "high": 1},
        {"decay": Decay(5, 3), "resolution": 1, "low": 0, "high": 15, "floor": -3},
        {"decay": Decay.shift(1), "resolution": 8, "low": -8, "high": 7},
    ],
    "Accumulator": [{}],
}


def small_neurons(model):
    shared = SHARED if NEURONS[model].spiking else [{}]
    return [
        NEURONS[model](width=4, **own, **options) for own, options in product(SMALL[model], shared)
    ]


def all_states(neuron):
    """List all values of the states of a neuron, by name."""
    ends = [range(state.low, state.high + 1) for state in neuron.states.values()]
    return [dict(zip(neuron.states, values, strict=True)) for values in product(*ends)]


@pytest.mark.parametrize("model", SMALL)
def test_every_state_and_option(model):
    currents = [-20, -5, -1, 0, 2, 5, 20]
    for neuron in small_neurons(model):
        cases = [(s, x) for s, x in product(all_states(neuron), currents) if naive_can(neuron, s)]
        expected = [naive.advance(neuron, 0, *case) for case in cases]
        assert expected == [step(neuron, x, **before) for before, x in cases]
        operands = {
            name: np.array(parameter.value) for name, parameter in neuron.parameters.items()
        }
        states = {name: np.array([s[name] for s, _ in cases]) for name in neuron.states}
        fired, after = neuron.step(
            neuron.bind(operands),
            SimpleNamespace(**states),
            np.array([x for _, x in cases]),
            ARRAYS,
        )
        if fired is not None:
            assert fired.tolist() == [output for output, _ in expected]
        for name in neuron.states:
            values = np.broadcast_to(after[name], len(cases))
            assert values.tolist() == [state[name] for _, state in expected]
            low, high = neuron.states[name].low, neuron.states[name].high
            assert low <= values.min()
            assert values.max() <= high


def naive_can(neuron, state):
    """Tell whether a neuron can be in a state: none is below the floor."""
    return getattr(neuron, "floor", None) is None or state["v"] >= neuron.floor


def test_every_model_is_tested():
    assert set(SMALL) == set(NEURONS)


@pytest.mark.parametrize(
    "rest, v, x, fired, after",
    [
        (20, 20, 0, False, 20),
        (20, 0, 0, False, 5),  # 20 + leak(-20) = 20 - 15
        (20, 28, 0, False, 26),
        (20, 23, 0, False, 23),  # 3 above it is too small to leak
        (20, 84, 32, False, 100),  # 20 + 48 + 32, at the threshold
        (20, 84, 33, True, 1),  # a reset subtracts the threshold, whatever the rest
        (-128, 127, 0, False, 64),  # -128 + 255 - 63
        (127, -128, 0, False, -64),  # 127 - 255 + 64
    ],
)
def test_leak_towards_rest_by_hand(rest, v, x, fired, after):
    expected = {"v": after, "countdown": 0, "pending": 0}
    assert step(Lif(**LIF | {"rest": rest}), x, v=v) == (fired, expected)
    adaptive = AdaptiveLif(**LIF, rest=rest, rise=0, rise_decay=Decay(1, 1))
    assert step(adaptive, x, v=v) == (fired, expected | {"a": 0})
    current = CurrentLif(**LIF, rest=rest, current_decay=Decay(1, 0), current_width=8)
    assert step(current, x, v=v) == (fired, expected | {"i": x})
    integrator = Integrator(width=8, decay=Decay.shift(2), rest=rest)
    assert step(integrator, x, v=v) == (None, {"v": after + 100 * fired})


@pytest.mark.parametrize(
    "floor, rest, v, x, after", [(-9, 0, 0, -9, -9), (-9, 0, 0, -10, -9), (0, 4, 0, -3, 0)]
)
def test_integrator_with_a_floor_by_hand(floor, rest, v, x, after):
    neuron = Integrator(width=8, decay=Decay.shift(2), floor=floor, rest=rest)
    assert step(neuron, x, v=v) == (None, {"v": after})


def test_each_neuron_is_silent_for_its_own_refractory_steps():
    neuron = If(width=8, threshold=10, reset="zero", refractory=(0, 3, 1), countdown=(0, 2, 0))
    p = neuron.bind({
        name: np.asarray(operand.value) for name, operand in neuron.parameters.items()
    })
    states = {name: np.broadcast_to(state.rest, 3) for name, state in neuron.states.items()}
    trains = []
    for _ in range(6):
        fired, states = neuron.step(p, SimpleNamespace(**states), np.full(3, 11), ARRAYS)
        trains.append([*map(int, fired)])
    assert [*zip(*trains, strict=True)] == [
        (1, 1, 1, 1, 1, 1),
        (0, 0, 1, 0, 0, 0),
        (1, 0, 1, 0, 1, 0),
    ]


def test_countdown_falls_by_the_length_of_the_step():
    neuron = If(width=8, threshold=10, reset="zero", refractory=5)
    p = neuron.bind({name: parameter.value for name, parameter in neuron.parameters.items()})
    states = {name: state.rest for name, state in neuron.states.items()}
    train = []
    for p.time_step in (1, 2, 2, 2, 1, 4, 1, 1):
        fired, states = neuron.step(p, SimpleNamespace(**states), 11)
        train.append(int(fired))
    # Silent where a step begins less than 5 after the end of the step of the spike.
    assert train == [1, 0, 0, 0, 1, 0, 0, 1]


# -- properties ----------------------------------------------------------------------------------


def test_fields_are_told_apart():
    neuron = AdaptiveLif(
        width=8, threshold=40, rise=(1, 2), decay=Decay.shift(2), rise_decay=Decay((1, 3), 2)
    )
    assert {name: parameter.value for name, parameter in neuron.parameters.items()} == {
        "threshold": 40,
        "reset_value": 0,
        "refractory": 0,
        "decay": 1,
        "rest": 0,
        "rise": (1, 2),
        "rise_decay": (1, 3),
    }
    assert {n: (h.low, h.high, h.scales) for n, h in neuron.parameters.items()} == {
        "threshold": (-128, 127, True),
        "reset_value": (-128, 127, True),
        "refractory": (0, 255, False),
        "decay": (0, 4, False),
        "rest": (-128, 127, True),
        "rise": (0, 127, True),
        "rise_decay": (0, 4, False),
    }
    assert {n: (h.rest, h.low, h.high, h.scales) for n, h in neuron.states.items()} == {
        "v": (0, -128, 127, True),
        "countdown": (0, 0, 0, False),
        "pending": (0, 0, 0, False),
        "a": (0, 0, 127, True),
    }
    assert neuron.settings == {
        "width": 8,
        "reset": "subtract",
        "reset_timing": "immediate",
        "fire": ">",
        "refractory_input": "lost",
        "floor": None,
    }
    assert neuron.sizes == {2}
    assert (neuron.lowest, neuron.highest) == (-128, 127)
    assert Lif(**LIF, floor=-5).lowest == -5


@pytest.mark.parametrize(
    "width, ends", [(2, (-2, 1)), (8, (-128, 127)), (32, (-(2**31), 2**31 - 1))]
)
def test_signed_range_by_hand(width, ends):
    assert signed_range(width) == ends


# -- bad input -----------------------------------------------------------------------------------

REACH = "Threshold must be in {}..{}, which a potential of 8 bits that fires at {!r} can reach"


@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"width": 8.0}, TypeError, "Potential width must be an int, not 8.0"),
        ({"width": True}, TypeError, "Potential width must be an int, not True"),
        ({"width": 1}, ValueError, "Potential width must be at least 2, not 1"),
        ({"width": 33}, ValueError, "Potential width must be at most 32, not 33"),
        ({"threshold": 1.5}, TypeError, "Lif threshold must be an int or a tuple of ints, not 1.5"),
        (
            {"threshold": float("nan")},
            TypeError,
            "Lif threshold must be an int or a tuple of ints, not nan",
        ),
        (
            {"threshold": [1, 2.0]},
            TypeError,
            "Lif threshold of neuron 1 must be an int, not 2.0",
        ),
        (
            {"threshold": np.bool_(1)},
            TypeError,
            f"Lif threshold must be an int or a tuple of ints, not {np.bool_(1)!r}",
        ),
        ({"threshold": ()}, ValueError, "Lif threshold must have a value for each neuron, not ()"),
        (
            {"threshold": (1, True)},
            TypeError,
            "Lif threshold of neuron 1 must be an int, not True",
        ),
        ({"threshold": 128}, ValueError, "Lif threshold must be at most 127, not 128"),
        ({"threshold": 127}, ValueError, REACH.format(0, 126, ">") + ", not 127"),
        ({"threshold": (5, 127)}, ValueError, REACH.format(0, 126, ">") + ", not 127"),
        (
            {"threshold": -1},
            ValueError,
            REACH.format(0, 126, ">") + " and subtract, not -1",
        ),
        (
            {"threshold": -1, "fire": ">="},
            ValueError,
            REACH.format(0, 127, ">=") + " and subtract, not -1",
        ),
        (
            {"threshold": -129, "reset": "zero"},
            ValueError,
            "Lif threshold must be at least -128, not -129",
        ),
        (
            {"reset": "soft"},
            ValueError,
            "Reset must be one of 'subtract', 'zero', 'value', 'none', not 'soft'",
        ),
        (
            {"reset": None},
            ValueError,
            "Reset must be one of 'subtract', 'zero', 'value', 'none', not None",
        ),
        ({"reset_value": 128}, ValueError, "Lif reset value must be at most 127, not 128"),
        (
            {"reset_value": -9, "floor": -8},
            ValueError,
            "Reset value must be at least the floor -8, not -9",
        ),
        *(
            (
                {"reset_timing": timing},
                ValueError,
                "Reset timing must be one of 'immediate', 'next_step', 'next_step_keep_input', "
                f"'snntorch_immediate', not {timing!r}",
            )
            for timing in ("late", True, None)
        ),
        *(
            (
                {"reset": reset, "reset_value": 0, "reset_timing": timing},
                ValueError,
                f"Reset timing must be one of {possible} with reset={reset!r}, not {timing!r}",
            )
            for reset, timing, possible in (
                (
                    "subtract",
                    "next_step_keep_input",
                    "'immediate', 'next_step', 'snntorch_immediate'",
                ),
                (
                    "zero",
                    "snntorch_immediate",
                    "'immediate', 'next_step', 'next_step_keep_input'",
                ),
                (
                    "value",
                    "snntorch_immediate",
                    "'immediate', 'next_step', 'next_step_keep_input'",
                ),
                ("none", "next_step_keep_input", "'immediate', 'next_step'"),
                ("none", "snntorch_immediate", "'immediate', 'next_step'"),
            )
        ),
        ({"fire": ">>"}, ValueError, "Fire must be one of '>', '>=', not '>>'"),
        ({"refractory": -1}, ValueError, "Refractory steps must be at least 0, not -1"),
        ({"refractory": 256}, ValueError, "Refractory steps must be at most 255, not 256"),
        (
            {"refractory_input": "held"},
            ValueError,
            "Refractory input must be one of 'lost', 'kept', not 'held'",
        ),
        ({"floor": 1}, ValueError, "Floor must be at most 0, not 1"),
        ({"floor": -129}, ValueError, "Floor must be at least -128, not -129"),
        ({"floor": 0.0}, TypeError, "Floor must be an int, not 0.0"),
        ({"v": -129}, ValueError, "Lif v must be at least -128, not -129"),
        ({"v": (0, -9), "floor": -8}, ValueError, "Rest must be at least the floor -8, not -9"),
        ({"countdown": 1}, ValueError, "Lif countdown must be at most 0, not 1"),
        ({"countdown": 3, "refractory": 2}, ValueError, "Lif countdown must be at most 2, not 3"),
        (
            {"refractory": (0, 256)},
            ValueError,
            "Refractory steps of neuron 1 must be at most 255, not 256",
        ),
        (
            {"refractory": 1.0},
            TypeError,
            "Refractory steps must be an int or a tuple of ints, not 1.0",
        ),
        (
            {"countdown": 2, "refractory": (3, 1)},
            ValueError,
            "Lif countdown of neuron 1 must be at most 1, its refractory steps, not 2",
        ),
        ({"pending": 1}, ValueError, "Lif pending must be at most 0, not 1"),
        ({"decay": 0.9}, TypeError, "Decay must be a Decay, not 0.9"),
        ({"decay": 2}, TypeError, "Decay must be a Decay, not 2"),
    ],
)
def test_lif_rejects(bad, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Lif(**LIF | bad)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: CurrentLif(**LIF, current_decay=0.5, current_width=8),
            TypeError,
            "Current decay must be a Decay, not 0.5",
        ),
        (
            lambda: CurrentLif(**LIF, current_decay=Decay(1, 1), current_width=1),
            ValueError,
            "Current width must be at least 2, not 1",
        ),
        (
            lambda: CurrentLif(**LIF, current_decay=Decay(1, 1), current_width=4, i=8),
            ValueError,
            "CurrentLif i must be at most 7, not 8",
        ),
        (
            lambda: AdaptiveLif(**LIF, rise=-1, rise_decay=Decay(1, 1)),
            ValueError,
            "AdaptiveLif rise must be at least 0, not -1",
        ),
        (
            lambda: AdaptiveLif(**LIF, rise=1, rise_decay=None),
            TypeError,
            "Rise decay must be a Decay, not None",
        ),
        (
            lambda: AdaptiveLif(**LIF, rise=1, rise_decay=Decay(1, 1), a=-1),
            ValueError,
            "AdaptiveLif a must be at least 0, not -1",
        ),
        (
            lambda: Integrator(width=49, decay=Decay(1, 1)),
            ValueError,
            "Potential width must be at most 48, not 49",
        ),
        (lambda: Integrator(width=8, decay=1), TypeError, "Decay must be a Decay, not 1"),
        *(
            (lambda options=options: Integrator(width=8, decay=Decay(1, 1), **options), error, text)
            for options, error, text in (
                ({"floor": 1}, ValueError, "Floor must be at most 0, not 1"),
                ({"floor": -1.0}, TypeError, "Floor must be an int, not -1.0"),
                (
                    {"floor": -2, "v": -3},
                    ValueError,
                    "Integrator v must be at least the floor -2, not -3",
                ),
                (
                    {"floor": -2, "rest": (0, -3)},
                    ValueError,
                    "Rest potential must be at least the floor -2, not -3",
                ),
                ({"rest": 128}, ValueError, "Integrator rest must be at most 127, not 128"),
            )
        ),
        (
            lambda: Lif(**LIF, floor=-2, rest=-3),
            ValueError,
            "Rest potential must be at least the floor -2, not -3",
        ),
        (lambda: Accumulator(width=1), ValueError, "Potential width must be at least 2, not 1"),
        (
            lambda: Accumulator(width=4, v=8),
            ValueError,
            "Accumulator v must be at most 7, not 8",
        ),
        (
            lambda: If(width=8, threshold="1"),
            TypeError,
            "If threshold must be an int or a tuple of ints, not '1'",
        ),
    ],
)
def test_other_models_reject(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'leak'"):
        Lif(**LIF, leak=3)
