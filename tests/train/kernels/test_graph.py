"""Tests of recorded steps: what their graphs hold, and what cannot be recorded."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spiker_hdl.model import INTEGERS, Decay, Lif, Neuron, state
from spiker_train.kernels.gradients import Structure, backward, required
from spiker_train.kernels.graph import NotRecordedError
from spiker_train.kernels.recording import record


def structure_of(graph, inline=True):
    count = len(graph.tensors)
    return Structure(*graph.structure, (False,) * count, (False,) * len(graph.after), inline)


def lif(**settings):
    settings = {"width": 8, "threshold": 20, "decay": Decay.shift(3)} | settings
    neuron = Lif(**settings)
    p = neuron.bind({name: torch.tensor(1.0) for name in neuron.parameters})
    return record(neuron, p, neuron.states, 0.05)


def test_graph_of_a_step_depends_on_its_form_and_not_on_its_numbers():
    assert lif().structure == lif(width=12, threshold=99).structure
    assert lif().constants != lif(width=12).constants
    assert lif().structure != lif(fire=">=").structure
    assert lif().structure != lif(reset="zero").structure


def test_states_without_a_path_from_the_current_have_no_gradient():
    graph = lif(refractory=3)
    flags = required(structure_of(graph))
    states = {
        parts[0]: flag
        for (name, parts), flag in zip(graph.nodes, flags, strict=True)
        if name == "state"
    }
    assert states == {"v": True, "countdown": False, "pending": False}
    assert structure_of(graph).constant_states == {"pending"}


def test_forward_pass_saves_as_little_as_it_can():
    # The sum before saturation tells the distance from the threshold, the clamp and the reset.
    graph = lif()
    saved = backward(structure_of(graph)).saved
    assert [graph.nodes[n][0] for n in saved] == ["add"]
    # The countdown that blocks a spike is needed beside it.
    graph = lif(refractory=3, refractory_input="kept")
    saved = backward(structure_of(graph)).saved
    assert sorted(graph.nodes[n][0] for n in saved) == ["add", "state"]


@dataclass(frozen=True)
class Own(Neuron):
    """A neuron whose step is given."""

    body: Any = field(kw_only=True)
    v: Any = state((-100, 100))

    def step(self, p, s, current, via=INTEGERS):
        return self.body(s, current, via)


def fire(via, v):
    return via.above(v, 1)


@pytest.mark.parametrize(
    "body, reason",
    [
        (lambda s, x, via: (fire(via, x), {"v": x if s.v > 0 else s.v}), "branches"),
        (lambda s, x, via: (fire(via, x), {"v": x and s.v}), "branches"),
        (lambda s, x, via: (fire(via, x), {"v": torch.exp(x)}), "calls exp"),
        (lambda s, x, via: (fire(via, x), {"v": x.clamp(0, 1)}), "does not take symbols"),
        (lambda s, x, via: (fire(via, x), {"v": x + (s.v > 0)}), "outcome of a test"),
        (lambda s, x, via: (x > 1, {"v": x}), "without a gradient"),
        (lambda s, x, via: (fire(via, x), {"v": s.v > 1}), "test as a state"),
        (lambda s, x, via: (fire(via, x), {"w": x}), "other states"),
        (lambda s, x, via: (fire(via, x), {"v": torch.ones(2, dtype=torch.int64) * x}), "int64"),
        (lambda s, x, via: (fire(via, x), {"v": "x"}), "of type str"),
    ],
)
def test_step_that_has_no_kernel_is_refused_with_the_reason(body, reason):
    with pytest.raises(NotRecordedError, match=reason):
        record(Own(body=body), SimpleNamespace(), ["v"], None)


def test_operands_of_many_kinds_are_recorded():
    def step(s, x, via):
        tensor = torch.tensor(0.25)
        v = tensor - x / 4 + (2 - x) * tensor
        quiet = via.either(v <= 0, ~via.both(v >= 1, v != 2))
        return fire(via, v), {"v": via.select(quiet, -v, via.clamp(v, 0, 9))}

    graph = record(Own(body=step), SimpleNamespace(), ["v"], None)
    names = {name for name, _ in graph.nodes}
    assert names >= {"sub", "div", "add", "mul", "gt", "ge", "eq", "not", "or", "and", "select"}
    assert len(graph.tensors) == 1
