# amaranth: UnusedElaboratable=no

"""Tests of the step units: every neuron model against its step, cycle by cycle, and bad input."""

import re
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amaranth import *

from spiker_hdl.model import (
    INTEGERS,
    Accumulator,
    AdaptiveLif,
    Arithmetic,
    CurrentLif,
    Decay,
    Dendrite,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    parameter,
    state,
)
from spiker_hdl.rtl import NeuronUpdate
from spiker_hdl.rtl.common.shapes import range_shape

from support.bench import simulate
from support.events import converts


@dataclass(frozen=True)
class Flipper(Neuron):
    """A user's neuron: fires when the sum of its currents changes its sign.

    Parameters
    ----------
    least : int or tuple of int
        Magnitude of the sum below which it keeps its sign.
    total, sign : int or tuple of int
        At rest: the sum, and its sign.
    """

    potential = "total"
    least: Any = parameter(4, default=1)
    total: Any = state(7)
    sign: Any = state(lambda n: (0, 1))

    def step(self, p, s, current, via: Arithmetic = INTEGERS):
        total = via.saturate(s.total + current, -64, 63)
        positive, negative = via.reaches(total, p.least), via.reaches(0 - total, p.least)
        sign = via.select(positive, 1, via.select(negative, 0, s.sign))
        fired = via.either(
            via.both(positive, via.invert(s.sign > 0)), via.both(negative, s.sign > 0)
        )
        return fired, {"total": total, "sign": sign}


QUICK = {"width": 8, "threshold": 40, "decay": Decay.shift(2)}
NEURONS = {
    "if": If(width=6, threshold=9),
    "lif": Lif(**QUICK),
    "lif at": Lif(**QUICK, fire=">="),
    "lif, all per neuron": Lif(
        width=8,
        threshold=(20, 40, 3, 90, 0, 126),
        decay=Decay((1, 3, 0, 7, 8, 5), 3),
        v=(0, 5, -7, 100, -128, 127),
    ),
    "lif, to zero": Lif(**QUICK, reset="zero", floor=-3),
    "lif, to values": Lif(**QUICK, reset="value", reset_value=(1, -2, 3, -4, 5, 0), floor=-50),
    "lif, no reset": Lif(**QUICK, reset="none"),
    "lif, late": Lif(**QUICK, reset_timing="next_step", pending=(0, 1, 0, 1, 1, 0)),
    "lif, late to zero": Lif(**QUICK, reset_timing="next_step", reset="zero"),
    "lif, refractory": Lif(**QUICK, refractory=3, countdown=(0, 1, 2, 3, 0, 0)),
    "lif, refractory, input kept": Lif(**QUICK, refractory=2, refractory_input="kept"),
    "current": CurrentLif(
        **QUICK, current_decay=Decay.shift(1), current_width=7, i=(0, 1, -2, 9, 63, -64)
    ),
    "current, refractory": CurrentLif(
        **QUICK, current_decay=Decay.shifts(1, 2), current_width=7, refractory=1
    ),
    "adaptive": AdaptiveLif(**QUICK, rise=(0, 10, 127, 5, 1, 30), rise_decay=Decay.shift(3)),
    "adaptive, late": AdaptiveLif(
        **QUICK, rise=30, rise_decay=Decay(3, 4), reset_timing="next_step", a=(0, 1, 2, 3, 4, 127)
    ),
    "integrator": Integrator(width=9, decay=Decay.shift(3)),
    "accumulator": Accumulator(width=7, v=(0, -64, 63, 1, 2, 3)),
    "dendrite": Dendrite(width=9, decay=Decay.shift(3), resolution=16, low=-5, high=7),
    "a user's": Flipper(least=(1, 2, 3, 4, 5, 7)),
}


def population(neuron, bias=0, reach=60):
    """Make a population of six, with a network that drives it with currents up to ``reach``."""
    pop = Population("p", 6, neuron, bias)
    weights = np.full((6, 1), reach)
    readout = Readout("p", "count" if neuron.spiking else "last")
    network = Network([Input("x", 1, -1, 1)], [pop], [Projection("x", "p", weights)], [readout])
    return pop, network.bounds["p"]


def own(value, n):
    return value[n] if isinstance(value, tuple) else value


def answer(pop, samples):
    """Return the output and the states of every neuron, after every step of samples of sums."""
    neuron = pop.neuron
    results = []
    for sample in samples:
        states = [
            {name: own(declared.rest, n) for name, declared in neuron.states.items()}
            for n in range(pop.size)
        ]
        for sums in sample:
            row = []
            for n in range(pop.size):
                p = {name: own(declared.value, n) for name, declared in neuron.parameters.items()}
                fired, states[n] = neuron.step(
                    neuron.bind(p),
                    SimpleNamespace(**states[n]),
                    sums[n] + own(pop.bias, n),
                    INTEGERS,
                )
                row.append((int(fired or 0), dict(states[n])))
            results.append(row)
    return results


def run(dut, samples, random, wait):
    """Step samples of sums, and return the outputs and the states, as they come out."""
    pop = dut.population
    outcomes = []
    # As many cycles as the states need to be in memory again.
    minimum = max(0, 3 + dut.stages - dut.groups)

    async def drive(ctx):
        for sample in samples:
            for n, sums in enumerate(sample):
                ctx.set(dut.ahead, 0)
                await ctx.tick()
                for group in range(dut.groups):
                    ctx.set(dut.go, 1)
                    ctx.set(dut.group, group)
                    ctx.set(dut.ahead, (group + 1) % dut.groups)
                    padded = [*sums, 0, 0, 0, 0, 0, 0][group * dut.units :][: dut.units]
                    ctx.set(dut.sums, padded)
                    ctx.set(dut.first, n == 0)
                    ctx.set(dut.last, n == len(sample) - 1)
                    await ctx.tick()
                ctx.set(dut.go, 0)
                for _ in range(minimum + (random.randrange(3) if wait else 0)):
                    await ctx.tick()
        for _ in range(3 + dut.stages):
            await ctx.tick()
        done.append(True)

    async def watch(ctx):
        while not done:
            _, _, o = await ctx.tick().sample(dut.o)
            if o.valid:
                outcomes.append(o)

    done = []
    simulate(dut, drive, watch, deadline=50_000)
    rows, lasts = [], []
    for n, o in enumerate(outcomes):
        assert o.group == n % dut.groups
        if o.group == 0:
            rows.append([])
            lasts.append(o.last)
        assert o.last == lasts[-1]
        for unit in range(dut.units):
            states = {name: int(o.states[unit][name]) for name in pop.neuron.states}
            output = o.fired >> unit & 1
            if "values" in o.shape().members:
                assert output == (o["values"][unit] != 0)
                output = int(o["values"][unit])
            rows[-1].append((output, states))
    return [row[: pop.size] for row in rows], lasts


def random_sums(random, reach, samples=5):
    return [
        [
            [
                random.choice([-reach, reach, *[random.randint(-reach, reach) for _ in range(4)]])
                for _ in range(6)
            ]
            for _ in range(random.randint(1, 12))
        ]
        for _ in range(samples)
    ]


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("units, stages", [(1, 1), (4, 1), (6, 1), (1, 2), (6, 3), (1, 4)])
@pytest.mark.parametrize("name", NEURONS)
def test_step_units_compute_what_the_model_does(name, units, stages):
    random = Random(units)
    pop, bounds = population(NEURONS[name])
    samples = random_sums(random, 60)
    dut = NeuronUpdate(pop, bounds, units=units, stages=stages)
    rows, lasts = run(dut, samples, random, wait=units != 4)
    expected = answer(pop, samples)
    assert rows == expected
    assert lasts == [int(t == len(s) - 1) for s in samples for t in range(len(s))]
    if pop.neuron.spiking:
        fired = sum(spike for row in rows for spike, _ in row)
        assert 0 < fired < len(rows) * 6
    elif pop.neuron.emits:
        assert {-5, 0, 7} <= {value for row in rows for value, _ in row}


@pytest.mark.parametrize("bias", [-7, (0, 20, -20, 3, -3, 60)])
@pytest.mark.parametrize("name", ["lif", "accumulator", "current"])
def test_bias_is_added(name, bias):
    random = Random(3)
    pop, bounds = population(NEURONS[name], bias)
    samples = random_sums(random, 60)
    rows, _ = run(NeuronUpdate(pop, bounds, units=4), samples, random, wait=False)
    assert rows == answer(pop, samples)


# -- cycle by cycle ------------------------------------------------------------------------------


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_an_outcome_comes_a_cycle_and_all_stages_after_its_sums(stages):
    pop, bounds = population(Accumulator(width=8))
    dut = NeuronUpdate(pop, bounds, units=3, stages=stages)
    trace = []
    begin = [(1, 0, [1, 2, 3]), (1, 1, [4, 5, 6])]

    async def testbench(ctx):
        for go, group, sums in [*begin, *[(0, 0, [9, 9, 9])] * (2 + stages)]:
            ctx.set(dut.go, go)
            ctx.set(dut.first, 1)
            ctx.set(dut.group, group)
            ctx.set(dut.sums, sums)
            _, _, o = await ctx.tick().sample(dut.o)
            trace.append((o.group, [unit.v for unit in o.states]) if o.valid else None)

    simulate(dut, testbench)
    waits = [None] * (1 + stages)
    assert trace == [*waits, (0, [1, 2, 3]), (1, [4, 5, 6]), None]


@pytest.mark.parametrize(
    "low, high, shape",
    [
        (0, 0, unsigned(0)),
        (0, 1, unsigned(1)),
        (0, 255, unsigned(8)),
        (3, 256, unsigned(9)),
        (-1, 0, signed(1)),
        (-1, 1, signed(2)),
        (-128, 127, signed(8)),
        (-129, 0, signed(9)),
        (-9, -2, signed(5)),
    ],
)
def test_range_shape_is_the_narrowest(low, high, shape):
    assert range_shape(low, high) == shape


@pytest.mark.parametrize("name", ["lif, all per neuron", "accumulator"])
def test_neuron_update_converts(name):
    pop, bounds = population(NEURONS[name])
    assert converts(NeuronUpdate(pop, bounds, units=2))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "units, stages, error, message",
    [
        (0, 1, ValueError, "Step units must be at least 1, not 0"),
        (7, 1, ValueError, "Step units must be at most 6, not 7"),
        ("1", 1, TypeError, "Step units must be an int, not '1'"),
        (1, 0, ValueError, "Stages must be at least 1, not 0"),
        (1, 5, ValueError, "Stages must be at most 4, not 5"),
    ],
)
def test_neuron_update_rejects(units, stages, error, message):
    pop, bounds = population(NEURONS["lif"])
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        NeuronUpdate(pop, bounds, units=units, stages=stages)
