"""Tests of states that count down times, and of the unit in which they are counted."""

from types import SimpleNamespace

import pytest
import torch

from spiker_hdl.model import Decay, Lif
from spiker_train.kernels.graph import NotRecordedError
from spiker_train.kernels.recording import record
from spiker_train.kernels.times import states_in_time, unit_of


def test_states_that_follow_from_times_are_times():
    neuron = Lif(
        width=8, threshold=20, decay=Decay.shift(3), reset_timing="next_step", refractory=3
    )
    p = neuron.bind({name: torch.tensor(1.0) for name in neuron.parameters})
    p.refractory, p.time_step = torch.tensor(3.0), torch.tensor(1.0)
    graph = record(neuron, p, neuron.states, None, counted=frozenset({"countdown", "pending"}))
    assert states_in_time(graph, [p.refractory, p.time_step]) == {"countdown"}
    assert states_in_time(graph, []) == set()


@pytest.mark.parametrize(
    "step",
    [
        lambda t, v, x, via: via.select(x > 0, t, v * 2),
        lambda t, v, x, via: via.select(v > 1, t, v),
        lambda t, v, x, via: v + t + x,
    ],
    ids=["product", "comparison", "sum"],
)
def test_step_that_depends_on_the_unit_of_time_is_refused(step):
    time = torch.tensor(5.0)

    class Own:
        spiking = True

        def step(self, p, s, x, via):
            return via.above(x, 1), {"v": step(p.time, s.v, x, via)}

    graph = record(Own(), SimpleNamespace(time=time), ["v"], None)
    with pytest.raises(NotRecordedError, match="computes with times and other numbers"):
        states_in_time(graph, [time])


def test_unit_is_the_greatest_common_measure():
    times = [torch.tensor([[6e9], [0.0]], dtype=torch.float64), 15 * 10**8, 2**24 * 3 * 10**8]
    assert unit_of(times, torch.float32) == 3 * 10**8
    with pytest.raises(NotRecordedError, match="too many multiples of 100000000 ps"):
        unit_of([*times, 4 * 10**8], torch.float32)
    assert unit_of([*times, 4 * 10**8], torch.float64) == 10**8
    assert unit_of([torch.zeros(2)], torch.float32) == 1
