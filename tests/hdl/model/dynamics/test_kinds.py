"""Synaptic dynamics, step by step and by hand."""

from types import SimpleNamespace

import pytest

from spiker_hdl.model import Decay, Dynamics, FirstOrder, SecondOrder


def run(dynamics, events):
    """Return the current of each step, and the states after it."""
    p = dynamics.bind({name: parameter.value for name, parameter in dynamics.parameters.items()})
    states = {name: state.rest for name, state in dynamics.states.items()}
    results = []
    for x in events:
        current, states = dynamics.step(p, SimpleNamespace(**states), x)
        results.append((current, *states.values()))
    return results


def test_first_order_by_hand():
    dynamics = FirstOrder(decay=Decay.shift(1), width=5, i=-3)
    # -3 + 2 = -1, and a negative current comes back to 0; 9 + 9 and -20 saturate.
    currents = [-1, 0, 8, 4, 2, 1, 1, 10, 14, 15, -12, -16]
    events = [0, 0, 8, 0, 0, 0, 0, 9, 9, 9, -20, -20]
    assert run(dynamics, events) == [(i, i) for i in currents]


def test_second_order_by_hand():
    dynamics = SecondOrder(decay=Decay.shift(2), rise=Decay.shift(1), width=6)
    assert run(dynamics, [16, 0, 0, 8, 0, 31, 0]) == [
        (0, 16, 16),  # an event alone changes nothing yet
        (4, 12, 8),
        (5, 9, 4),
        (5, 15, 10),
        (7, 12, 5),
        (0, 31, 31),  # 9 + 31 and 3 + 31 both saturate
        (8, 24, 16),
    ]


def test_second_order_follows_the_difference_of_two_exponentials():
    dynamics = SecondOrder(decay=Decay(13, 8), rise=Decay(51, 8), width=31)
    weight = 2**28
    results = run(dynamics, [weight] + 60 * [0])
    for t, (current, *_) in enumerate(results):
        expected = weight * ((1 - 13 / 256) ** t - (1 - 51 / 256) ** t)
        assert abs(current - expected) < 2 * (t + 1)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: FirstOrder(decay=0.9, width=8), TypeError, "Decay must be a Decay, not 0.9"),
        (
            lambda: FirstOrder(decay=Decay(1, 1), width=1),
            ValueError,
            "Current width must be at least 2, not 1",
        ),
        (
            lambda: FirstOrder(decay=Decay(1, 1), width=4, i=8),
            ValueError,
            "FirstOrder i must be at most 7, not 8",
        ),
        (
            lambda: SecondOrder(decay=Decay(1, 1), rise=1, width=4),
            TypeError,
            "Rise must be a Decay, not 1",
        ),
        (
            lambda: SecondOrder(decay=Decay(1, 1), rise=Decay(1, 1), width=4, fast=(0, -9)),
            ValueError,
            "SecondOrder fast of neuron 1 must be at least -8, not -9",
        ),
        (
            lambda: Dynamics().step(None, None, 0),
            NotImplementedError,
            "Dynamics must define step(p, s, x, via)",
        ),
    ],
)
def test_bad_dynamics_are_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value) == message
