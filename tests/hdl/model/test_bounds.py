"""Tests of bounds: sums, states that brute force reaches, and neurons that leave their range."""

import re
from dataclasses import dataclass
from itertools import product
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest

from spiker_hdl.model import (
    INTEGERS,
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    Sparse,
    bounds,
    parameter,
    reference,
    signed_range,
    state,
)
from spiker_hdl.model.bounds import signed_width

from support import naive
from support.networks import everything, random_network, random_spikes


def network_of(neuron, weights=((1, -1),), *, low=0, high=1, bias=0):
    """Make a network of one population."""
    weights = np.array(weights)
    return Network(
        [Input("in", weights.shape[1], low, high)],
        [Population("p", weights.shape[0], neuron, bias)],
        [Projection("in", "p", weights)],
        [Readout("p", "last")],
    )


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "low, high, width",
    [
        (0, 0, 1),
        (-1, 0, 1),
        (0, 1, 2),
        (-2, 1, 2),
        (-3, 0, 3),
        (-128, 127, 8),
        (-128, 128, 9),
        (-129, 0, 9),
        (5, 5, 4),
        (-5, -5, 4),
    ],
)
def test_signed_width_by_hand(low, high, width):
    assert signed_width(low, high) == width
    assert signed_range(width)[0] <= low
    assert high <= signed_range(width)[1]


@pytest.mark.parametrize(
    "low, high, bias, expected",
    [
        # W = [[3, -2, 4], [-1, -1, 0]]
        (0, 1, 0, (-2, 7, -2, 7)),
        (0, 1, (10, -10), (-2, 7, -12, 17)),
        (0, 3, 0, (-6, 21, -6, 21)),
        (-1, 2, 5, (-11, 16, -6, 21)),  # -3 - 4 - 4 and 6 + 2 + 8
        (-4, 1, 0, (-30, 15, -30, 15)),
    ],
)
def test_sums_by_hand(low, high, bias, expected):
    network = network_of(
        Accumulator(width=4), [[3, -2, 4], [-1, -1, 0]], low=low, high=high, bias=bias
    )
    result = network.bounds["p"]
    assert (result.sum_low, result.sum_high, result.current_low, result.current_high) == expected
    assert result.sum_width == signed_width(*expected[:2])


def test_sums_over_several_projections_by_hand():
    network = Network(
        [Input("a", 2), Input("b", 1, -2, 3)],
        [Population("p", 2, If(width=6, threshold=3))],
        [
            Projection("a", "p", np.array([[1, 2], [-3, 4]])),  # 0..3 and -3..4
            Projection("b", "p", np.array([[5], [-1]]), 2),  # -10..15 and -3..2
            Projection("p", "p", Sparse.from_matrix(np.array([[0, -7], [0, 0]])), 1),  # -7..0, 0
        ],
        [Readout("p")],
    )
    result = network.bounds["p"]
    assert (result.sum_low, result.sum_high) == (-17, 18)
    assert result.sum_width == 6


@pytest.mark.parametrize(
    "shifts, expected, width",
    [
        ((0, 0), (-10, 18), 6),
        ((2, 2), (-40, 72), 6),  # an accumulator holds -10..18
        ((0, 3), (-80, 123), 8),
        ((3, 1), (-30, 54), 6),  # -15..27
        ((24, 24), (-10 * 2**24, 18 * 2**24), 6),
    ],
)
def test_sums_of_shifted_projections_by_hand(shifts, expected, width):
    network = Network(
        [Input("a", 2), Input("b", 1, -2, 3)],
        [Population("p", 2, Accumulator(width=40))],
        [
            Projection("a", "p", np.array([[1, 2], [-3, 4]]), shift=shifts[0]),  # 0..3 and -3..4
            Projection("b", "p", np.array([[5], [-1]]), 2, shift=shifts[1]),  # -10..15 and -3..2
        ],
        [Readout("p", "last")],
    )
    result = network.bounds["p"]
    assert (result.sum_low, result.sum_high) == expected
    assert result.sum_width == width


@pytest.mark.parametrize(
    "neuron, weights, expected",
    [
        # Sums -2..7; from rest at 0.
        (If(width=8, threshold=10, floor=-3), [[3, -2, 4]], {"v": (-3, 10)}),
        (If(width=8, threshold=10, floor=-3, fire=">="), [[3, -2, 4]], {"v": (-3, 9)}),
        (If(width=8, threshold=10, reset="zero"), [[3, 0, 4]], {"v": (0, 10)}),
        (If(width=8, threshold=100, reset="none"), [[3, 0, 4]], {"v": (0, 127)}),
        (If(width=8, threshold=10, v=40), [[3, 0, 4]], {"v": (1, 40)}),  # above 10, it gives up 10
        # What a reset leaves settles at 12: 12 - 6 + 16 - 10. One above 10 keeps up to twice 10.
        (Lif(width=8, threshold=10, decay=Decay.shift(1)), [[14, 2]], {"v": (0, 12)}),
        (
            Lif(width=8, threshold=10, decay=Decay.shift(1), reset_timing="snntorch_immediate"),
            [[14, 2]],
            {"v": (0, 20)},
        ),
        (
            If(width=8, threshold=10, reset_timing="snntorch_immediate"),
            [[3, 0, 4]],
            {"v": (0, 10)},
        ),  # and none does
        # 40 - 10 + 20 - 10; a spike leaves something above zero, whatever the threshold rose to.
        (
            AdaptiveLif(
                width=8,
                threshold=10,
                decay=Decay.shift(2),
                rise=3,
                rise_decay=Decay.shift(1),
                floor=0,
                reset_timing="snntorch_immediate",
            ),
            [[20]],
            {"v": (0, 40), "a": (0, 6)},
        ),
        (
            Lif(
                width=8,
                threshold=10,
                decay=Decay.shift(1),
                reset="value",
                reset_value=-7,
                reset_timing="next_step_keep_input",
            ),
            [[9, -2]],
            {"v": (-9, 18)},  # -7 - 2; 18 - 9 + 9
        ),
        (Accumulator(width=6), [[3, -2, 4]], {"v": (-32, 31)}),
        (Accumulator(width=6), [[0, 0, 0]], {"v": (0, 0)}),
        # v = v - floor(v / 4) + x settles at 4 x and what is too small to leak: 28 + 3.
        (Integrator(width=8, decay=Decay.shift(2)), [[3, 0, 4]], {"v": (0, 28)}),
        (Integrator(width=8, decay=Decay.shift(2)), [[-3, 0, 0]], {"v": (-9, 0)}),  # -9 + 3 - 3
    ],
)
def test_states_by_hand(neuron, weights, expected):
    states = network_of(neuron, weights).bounds["p"].states
    assert {name: states[name] for name in expected} == expected


@pytest.mark.parametrize(
    "width, decay, largest, format_",
    [
        (8, Decay.shift(2), 128, "float32"),  # -128 itself; a leak comes before x
        (8, Decay(3, 4), 3 * 128, "float32"),  # v * 3
        (22, Decay(7, 4), 7 * 2**21, "float32"),
        (22, Decay(8, 4), 2**24, "float64"),
        (30, Decay(2**23 - 1, 24), (2**23 - 1) * 2**29, "float64"),
        (30, Decay(2**24, 24), 2**53, None),
    ],
)
def test_the_largest_says_which_float_is_exact(width, decay, largest, format_):
    result = network_of(Integrator(width=width, decay=decay)).bounds["p"]
    assert (result.largest, result.float_format) == (largest, format_)


# -- brute force ---------------------------------------------------------------------------------


def test_sums_are_exact():
    random = Random(1)
    for _ in range(100):
        weights = [[random.randint(-8, 7) for _ in range(4)] for _ in range(2)]
        low, high = random.choice([(0, 1), (0, 2), (-1, 1), (-2, 1)])
        result = network_of(Accumulator(width=4), weights, low=low, high=high).bounds["p"]
        sums = [
            sum(w * x for w, x in zip(row, events, strict=True))
            for row in weights
            for events in product(range(low, high + 1), repeat=4)
        ]
        assert (result.sum_low, result.sum_high) == (min(sums), max(sums))


SMALL = [
    *(
        Lif(
            width=5,
            threshold=threshold,
            decay=decay,
            reset=reset,
            reset_value=-2,
            reset_timing=timing,
            floor=floor,
            refractory=refractory,
        )
        for threshold, decay, reset, timing, floor, refractory in product(
            [3, 9],
            [Decay.shift(1), Decay(3, 4)],
            ["subtract", "zero", "value", "none"],
            ["immediate", "next_step"],
            [None, -4],
            [0, 2],
        )
    ),
    *(
        Lif(
            width=5,
            threshold=threshold,
            decay=Decay.shift(1),
            reset_value=-2,
            floor=floor,
            refractory=refractory,
            **when,
        )
        for threshold, when, floor, refractory in product(
            [3, 9],
            [
                {"reset_timing": "snntorch_immediate"},
                {"reset_timing": "snntorch_immediate", "fire": ">="},
                {"reset_timing": "next_step_keep_input", "reset": "zero"},
                {"reset_timing": "next_step_keep_input", "reset": "value"},
            ],
            [None, -4],
            [0, 2],
        )
    ),
    *(If(width=5, threshold=6, reset=reset) for reset in ("subtract", "none")),
    *(
        CurrentLif(
            width=5, threshold=6, decay=Decay.shift(2), current_decay=Decay(3, 2), current_width=w
        )
        for w in (3, 5)
    ),
    *(
        AdaptiveLif(
            width=5, threshold=4, decay=Decay.shift(2), rise=rise, rise_decay=Decay.shift(1)
        )
        for rise in (0, 3, 15)
    ),
    AdaptiveLif(
        width=5,
        threshold=4,
        decay=Decay.shift(2),
        rise=3,
        rise_decay=Decay.shift(1),
        floor=-1,
        reset_timing="snntorch_immediate",
    ),
    Integrator(width=5, decay=Decay.shift(2)),
    Integrator(width=5, decay=Decay(5, 3)),
    Accumulator(width=5),
]


@pytest.mark.parametrize("weights", [[[2, -1]], [[3, 4]], [[-2, -3]]], ids=str)
def test_every_state_that_is_reached_is_within(weights):
    currents = range(min(0, *weights[0], sum(weights[0])), max(0, *weights[0], sum(weights[0])) + 1)
    for neuron in SMALL:
        states = network_of(neuron, weights).bounds["p"].states
        seen, open_ = set(), [tuple(declared.rest for declared in neuron.states.values())]
        while open_:
            values = open_.pop()
            if values in seen:
                continue
            seen.add(values)
            before = dict(zip(neuron.states, values, strict=True))
            for x in currents:
                _, after = naive.advance(neuron, 0, before, x)
                open_.append(tuple(after[name] for name in neuron.states))
        for name, values in zip(neuron.states, zip(*seen, strict=True), strict=True):
            low, high = states[name]
            assert low <= min(values), (neuron, name)
            assert max(values) <= high, (neuron, name)
            assert neuron.states[name].low <= low
            assert high <= neuron.states[name].high


def test_no_intermediate_is_larger_than_the_largest():
    class Watched(int):
        """An integer that tells of all that is made of it."""

        def _made(self, value):
            Watched.largest = max(Watched.largest, abs(value))
            return Watched(value)

        def __add__(self, other):
            return self._made(int(self) + int(other))

        def __sub__(self, other):
            return self._made(int(self) - int(other))

        def __mul__(self, other):
            return self._made(int(self) * int(other))

        def __rshift__(self, bits):
            return self._made(int(self) >> bits)

        __radd__, __rmul__ = __add__, __mul__

    for neuron in SMALL[::3] + SMALL[-9:]:
        result = network_of(neuron, [[9, -7]]).bounds["p"]
        Watched.largest = 0
        operands = {name: Watched(declared.value) for name, declared in neuron.parameters.items()}
        ends = [
            sorted({
                declared.low,
                declared.rest,
                declared.high,
                (declared.low + declared.high) // 2,
            })
            for declared in neuron.states.values()
        ]
        for values, x in product(product(*ends), (-7, 0, 9)):
            states = dict(zip(neuron.states, map(Watched, values), strict=True))
            neuron.step(neuron.bind(operands), SimpleNamespace(**states), Watched(x), INTEGERS)
        assert Watched.largest <= result.largest


def test_random_networks_stay_within_their_bounds():
    for seed in range(60):
        random = Random(seed)
        network = random_network(random, neurons=(1, 12), channels=(1, 8))
        spikes = random_spikes(network, random, 6, 12)
        result = reference.run(network, spikes, record=everything(network))
        for name, values in result.spikes.items():
            if "." in name:
                population, key = name.split(".")
                low, high = network.bounds[population].states[key]
                assert low <= values.min(), (seed, name)
                assert values.max() <= high, (seed, name)


def test_bounds_are_those_of_the_network():
    network = random_network(Random(3))
    assert bounds(network) == network.bounds
    assert set(network.bounds) == set(network.population)


# -- neurons of the user's own -------------------------------------------------------------------


@dataclass(frozen=True)
class Own(Neuron):
    """A neuron whose step is handed over, and may leave the range of its state."""

    gain: int = parameter(8, default=1)
    v: int = state(8)

    def step(self, p, s, current, via):
        return self.recipe(p, s, current, via)


def own(recipe, spiking=True):
    return type("Mine", (Own,), {"recipe": staticmethod(recipe), "spiking": spiking})()


LEAVES = "Population 'p': the step of Mine must keep 'v' in -128..127, not {}: use via.saturate"


@pytest.mark.parametrize(
    "recipe, spiking, error, message",
    [
        (
            lambda p, s, x, via: (s.v > 3, {"v": s.v + x}),
            True,
            ValueError,
            LEAVES.format("-129..128"),
        ),
        (
            lambda p, s, x, via: (s.v > 3, {"v": via.select(s.v > 3, s.v - 4, s.v - 1)}),
            True,
            ValueError,
            LEAVES.format("-129..123"),
        ),
        (
            lambda p, s, x, via: (None, {"v": via.saturate(s.v + x, -128, 128)}),
            False,
            ValueError,
            LEAVES.format("-128..128"),
        ),
        (lambda p, s, x, via: (s.v > 3, {"v": 200}), True, ValueError, LEAVES.format("200..200")),
        (
            lambda p, s, x, via: (None, {"v": s.v}),
            True,
            ValueError,
            "Population 'p': the step of Mine must return whether it fires, not None",
        ),
        (
            lambda p, s, x, via: (s.v > 3, {"w": s.v}),
            True,
            ValueError,
            "Population 'p': the step of Mine must return the states ['v'], not ['w']",
        ),
        (
            lambda p, s, x, via: (s.v > 3, {}),
            True,
            ValueError,
            "Population 'p': the step of Mine must return the states ['v'], not []",
        ),
        (
            lambda p, s, x, via: (s.v > 3, {"v": s.v if s.v > 3 else 0}),
            True,
            TypeError,
            "A neuron's step must not branch on an operand with `if`, `and`, `or` or `not`: write "
            "via.select(test, yes, no), via.both, via.either or via.invert",
        ),
        (
            lambda p, s, x, via: (None, {"v": via.saturate(s.v * 2**60, -128, 127)}),
            False,
            ValueError,
            "Population 'p': the step of Mine must compute in 63 bits, not 69",
        ),
    ],
)
def test_a_step_that_must_not_be(recipe, spiking, error, message):
    with pytest.raises(error) as caught:
        network_of(own(recipe, spiking))
    assert str(caught.value) == message


def test_only_spiking_neurons_return_a_test():
    with pytest.raises(ValueError, match=r"^Population 'p': the step of Mine must return None,"):
        network_of(own(lambda p, s, x, via: (s.v > 3, {"v": s.v}), spiking=False))


def test_a_step_that_may_be():
    network = network_of(
        own(lambda p, s, x, via: (s.v > 3, {"v": via.select(s.v > 3, s.v - 4, s.v)}))
    )
    assert network.bounds["p"].states == {"v": (0, 0)}


def test_proof_holds_for_every_neuron():
    # The second neuron's input is too large for a state of its range, the first's is not.
    def recipe(p, s, x, via):
        return None, {"v": x + 0}

    network_of(own(recipe, spiking=False), [[100], [27]])
    with pytest.raises(ValueError, match=re.escape("not 0..128: use via.saturate")):
        network_of(own(recipe, spiking=False), [[100], [128]])
    with pytest.raises(ValueError, match=re.escape("not 0..128: use via.saturate")):
        network_of(own(recipe, spiking=False), [[100], [100]], bias=(0, 28))


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: network_of(Integrator(width=48, decay=Decay(3, 16))),
            None,
        ),
        (
            lambda: network_of(Integrator(width=48, decay=Decay(2**23, 24))),
            "Population 'p': the step of Integrator must compute in 63 bits, not 72",
        ),
        (
            lambda: network_of(
                Accumulator(width=48), np.full((1, 2**16), 2**31 - 1), low=0, high=2**16 - 1
            ),
            "Population 'p': the step of Accumulator must compute in 63 bits, not 64",
        ),
    ],
)
def test_step_beyond_64_bits_is_refused(make, message):
    if message is None:
        make()
    else:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            make()


def test_sums_beyond_64_bits_are_exact():
    weights = np.full((1, 2**17), 2**31 - 1)
    for synapses in (Sparse.from_matrix(weights), Projection("a", "b", weights).synapses):
        low, high = synapses.reach(-(2**15), 2**16 - 1)
        assert int(high[0]) == 2**17 * (2**31 - 1) * (2**16 - 1)
        assert int(low[0]) == -(2**17) * (2**31 - 1) * 2**15
