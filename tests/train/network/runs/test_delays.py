"""Tests of delays in seconds: when events arrive, under steps of one length and of several."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Accumulator, If, Input, Readout
from spiker_train import Cell, Connection, Duration, Layer, SpikingNetwork
from spiker_train.network.runs.delays import (
    DelayLine,
    arrivals,
    delayed,
    pending_arrivals,
    still_delayed,
)
from spiker_train.network.time import make_steps

MS = 10**9


def link(delay):
    return Connection("in", "out", delay=delay)


def network(delay):
    """Return a network whose potentials sum up what a wire of a delay brings."""
    return SpikingNetwork(
        [Input("in", 1, 0, 9)],
        [Layer("out", 1, Cell(Accumulator))],
        [Connection("in", "out", [[1.0]], delay=delay, name="wire")],
        [Readout("out", "last")],
    )


@pytest.mark.parametrize(
    "delay, dt, expected",
    [
        (2e-3, 1e-4, 20),
        (1e-3, 1e-3, 1),
        (1.5e-3, 1e-3, 2),  # the first step that begins then or later
        (1e-12, 1e-3, 1),
        (0.0, 1e-3, 0),
    ],
)
def test_events_arrive_in_the_first_step_that_begins_after_the_delay(delay, dt, expected):
    steps = make_steps(dt, None, 30)
    assert arrivals(link(Duration(delay)), steps).tolist() == [
        min(t + expected, 30) for t in range(30)
    ]


def test_events_of_a_plan_that_fall_due_together_are_added():
    # Steps begin at 0, 1, 2, 3, 13, 23 (in 0.1 ms) and the delay is 0.2 ms.
    steps = make_steps(None, [(1e-4, 3), (1e-3, 3)], 6)
    assert arrivals(link(Duration(2e-4)), steps).tolist() == [2, 3, 4, 4, 5, 6]
    x = torch.tensor([[[1], [2], [3], [4], [5], [6]]])
    outcome = network(Duration(2e-4))(x, plan=[(1e-4, 3), (1e-3, 3)], record=["wire.current"])
    assert outcome.states["wire.current"].flatten().tolist() == [0, 0, 1, 2, 3 + 4, 5]
    # By steps, whatever their length:
    outcome = network(2)(x, plan=[(1e-4, 3), (1e-3, 3)], record=["wire.current"])
    assert outcome.states["wire.current"].flatten().tolist() == [0, 0, 1, 2, 3, 4]


def test_sum_of_events_does_not_overflow_small_integers():
    x = torch.full((1, 4, 1), 200, dtype=torch.uint8)
    steps = make_steps(None, [(1e-4, 2), (1e-3, 2)], 4)
    connection = link(Duration(2e-4))
    total = delayed(connection, x, steps, None, torch.float32)
    assert arrivals(connection, steps).tolist() == [2, 3, 3, 4]
    assert total.flatten().tolist() == [0, 0, 200, 400]


def test_events_that_are_on_their_way_arrive_in_the_next_run():
    connection = link(Duration(2.5e-3))
    x = torch.tensor([[[1.0], [2], [3], [4]]])
    first = make_steps(1e-3, None, 4)
    line = still_delayed(connection, x, first, None)
    assert line.due == tuple(n * MS // 2 for n in (7, 9, 11))  # emitted at 1, 2 and 3 ms
    assert line.events.flatten().tolist() == [2, 3, 4]
    # A run of one step, in which none of its own arrive, and one of those that came before.
    second = make_steps(1e-3, None, 1, clock=first.end)
    assert pending_arrivals(connection, line, second).tolist() == [0, 1, 1]
    y = torch.tensor([[[5.0]]])
    assert delayed(connection, y, second, line, torch.float32).flatten().tolist() == [2]
    line = still_delayed(connection, y, second, line)
    assert line.due == tuple(n * MS // 2 for n in (9, 11, 13))
    assert line.events.flatten().tolist() == [3, 4, 5]


def test_events_delayed_by_steps_arrive_in_the_next_run():
    connection = link(3)
    x = torch.tensor([[[1.0], [2]]])
    steps = make_steps(None, None, 2)
    line = still_delayed(connection, x, steps, None)
    assert (line.due, line.events.flatten().tolist()) == ((1, 2), [1, 2])
    line = still_delayed(connection, x + 2, make_steps(None, None, 2, 2), line)
    assert (line.due, line.events.flatten().tolist()) == ((0, 1, 2), [2, 3, 4])


def test_delay_line_is_of_the_events_before_the_weights():
    net = network(Duration(3e-3))
    with torch.no_grad():
        net.connections[0].weights.fill_(10.0)
    outcome = net(torch.ones(2, 2, 1), dt=1e-3)
    line = outcome.after.delays["wire"]
    assert isinstance(line, DelayLine)
    assert line.events.shape == (2, 2, 1)
    assert bool((line.events == 1).all())


def test_delay_has_a_name_in_its_largest_whole_unit():
    assert link(Duration(1e-3)).name == "in->out late 1 ms"
    assert link(Duration(1.5e-3)).name == "in->out late 1500 us"
    assert link(Duration(0)).name == "in->out"
    assert not link(Duration(0)).has_seconds


def test_delay_per_neuron_is_refused():
    with pytest.raises(TypeError, match="Delay must be one Duration, not"):
        link(Duration([1e-3, 2e-3]))


def test_cycle_without_delay_is_refused_whatever_its_unit():
    def cycle(delay):
        return SpikingNetwork(
            [Input("in", 1)],
            [Layer(name, 1, Cell(If, threshold=1.0)) for name in "ab"],
            [Connection("in", "a"), Connection("a", "b"), Connection("b", "a", delay=delay)],
            [Readout("b", "last")],
        )

    assert cycle(Duration(1e-6)).groups == [["a", "b"]]
    for delay in (0, Duration(0)):
        with pytest.raises(ValueError, match="cycle"):
            cycle(delay)


def test_arrivals_of_every_delay_and_plan_are_as_defined():
    random = np.random.default_rng(0)
    for _ in range(50):
        plan = [(float(random.integers(1, 9)) * 1e-4, int(random.integers(1, 5))) for _ in "abc"]
        count = sum(n for _, n in plan)
        steps = make_steps(None, plan, count)
        delay = Duration(float(random.integers(0, 30)) * 0.5e-4)
        begins = steps.begins.tolist()
        expected = [
            next((t for t in range(count) if begins[t] >= begins[s] + delay.picoseconds), count)
            for s in range(count)
        ]
        assert arrivals(link(delay), steps).tolist() == expected
