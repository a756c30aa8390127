"""Tests of layers run by kernels: equal to runs step by step, with their gradients."""

from dataclasses import fields
from itertools import product

import pytest
import torch

from spiker_hdl.model import NEURONS, SpikingNeuron
from spiker_hdl.model.neurons.spiking import RESET_TIMINGS, RESETS
from spiker_train import Cell, FloatingPoint, Layer, Tensors
from spiker_train.network.runs import fused
from spiker_train.network.runs.prepare import Core

SAMPLES, STEPS, SIZE = 3, 12, 21
SETTINGS = {
    "threshold": 1.0,
    "decay": 0.8,
    "current_decay": 0.6,
    "rise": 0.3,
    "rise_decay": 0.9,
    "resolution": 0.2,
    "low": -3,
    "high": 2,
}


def cells():
    """Make a cell of each neuron of the library, with each reset that it can have."""
    for kind in NEURONS.values():
        names = {field.name for field in fields(kind) if field.init}
        values = {name: value for name, value in SETTINGS.items() if name in names}
        if not issubclass(kind, SpikingNeuron):
            yield kind, values
            continue
        for reset, timing, (fire, floor) in product(
            RESETS, RESET_TIMINGS, ((">", None), (">=", -0.4))
        ):
            if reset in RESET_TIMINGS[timing]:
                own = values | {"reset": reset, "reset_timing": timing, "fire": fire}
                own |= {"floor": floor} if floor is not None else {}
                own |= {"reset_value": -0.25} if reset == "value" else {}
                yield kind, own
                yield kind, own | {"refractory": 2, "refractory_input": "lost"}
                yield kind, own | {"refractory": 1, "refractory_input": "kept"}


def cores(kind, values, learn=(), surrogate=None, dtype=torch.float64):
    """Prepare a layer in floating point and in integers."""
    like = torch.zeros((), dtype=dtype)
    cell = Cell(kind, learn=learn, surrogate=surrogate, **values)
    layer = Layer("layer", SIZE, cell)
    neuron, parameters, rest = cell.floating_point(like)
    via = FloatingPoint(cell.surrogate, dtype)
    yield Core(layer, neuron, {None: parameters}, rest, via, dtype, None, {}, None)
    scale = 1 / 40
    neuron = cell.neuron(scale, 7, {"form": "shifts"})  # so few bits that states saturate
    rest = {name: torch.as_tensor(state.rest, dtype=dtype) for name, state in neuron.states.items()}
    parameters = cell.integers(neuron, scale, like)
    via = Tensors(cell.surrogate, scale, dtype)
    yield Core(layer, neuron, {None: parameters}, rest, via, dtype, None, {}, None)


def compare(core, *, tolerance=1e-12):
    """Compare a kernel with a run step by step: outputs bit for bit, gradients nearly so."""
    generator = torch.Generator().manual_seed(0)
    wide = isinstance(core.via, Tensors)
    current = torch.rand(SAMPLES, STEPS, SIZE, generator=generator, dtype=torch.float64) * 2 - 0.6
    current = ((current * 40).round() if wide else current).to(core.dtype).requires_grad_()
    starts = {name: rest.expand(SAMPLES, SIZE) for name, rest in core.rest.items()}
    traces = [name for name in core.rest if name in {"v", "i", "a"}]
    ready = fused.Ready(core, (current,), starts, tuple(traces))
    (advanced,) = fused.advance_group([ready], [])
    got = [*advanced.states.values(), *advanced.after.values()]
    got = got if advanced.spikes is None else [advanced.spikes, *got]
    plan = fused._planned(ready)
    tensors = [current, *plan.run.graphs[0].tensors, *plan.starts]
    expected = fused._step_by_step([plan], [])(*tensors)
    factors = [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in expected]
    leaves = [current, *(value for value in core.layer.cell.parameters())]
    gradients = []
    for outputs in (expected, got):
        total = sum((x * factor).sum() for x, factor in zip(outputs, factors, strict=True))
        gradients.append(torch.autograd.grad(total, leaves, retain_graph=True))
    for x, y in zip(expected, got, strict=True):
        assert torch.equal(x, y)
    for x, y in zip(*gradients, strict=True):
        torch.testing.assert_close(y, x, rtol=tolerance, atol=tolerance * float(x.abs().max()))
    assert gradients[0][0].abs().max() > 0
    if core.layer.cell.spiking:
        assert 0.02 < float(expected[0].detach().mean()) < 0.9


CELLS = [*cells()]
FEW = [
    ("Lif", {"reset": "subtract", "fire": ">=", "reset_timing": "immediate"}, "integers"),
    ("AdaptiveLif", {"reset": "value", "fire": ">", "reset_timing": "next_step"}, "reals"),
]


def find(name, settings):
    """Return the first cell of a kind that has some settings."""
    return next(
        (kind, values)
        for kind, values in CELLS
        if kind.__name__ == name and settings.items() <= values.items()
    )


def core_of(kind, values, reading, **options):
    return [*cores(kind, values, **options)][reading == "integers"]


@pytest.mark.parametrize("name, settings, reading", FEW)
def test_layer_equals_the_one_step_by_step(name, settings, reading):
    compare(core_of(*find(name, settings), reading))


@pytest.mark.slow
@pytest.mark.parametrize("reading", ["reals", "integers"])
@pytest.mark.parametrize("name", NEURONS)
def test_layers_of_all_neurons_equal_those_step_by_step(name, reading):
    for kind, values in CELLS:
        if kind.__name__ == name:
            compare(core_of(kind, values, reading))


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURONS)
def test_layers_in_single_precision_equal_those_step_by_step(name):
    for kind, values in CELLS[::5]:
        if kind.__name__ == name:
            compare(core_of(kind, values, "integers", dtype=torch.float32), tolerance=1e-4)


def test_surrogate_of_ones_own_and_learned_parameters_have_their_gradients():
    surrogate = Arctangent()
    kind, values = find("CurrentLif", {"reset": "zero", "refractory_input": "kept"})
    values |= {"threshold": torch.linspace(0.5, 1.5, SIZE).tolist()}
    learn = ["threshold", "decay", "current_decay"]
    core = core_of(kind, values, "reals", learn=learn, surrogate=surrogate)
    compare(core)
    assert surrogate.calls > STEPS


class Arctangent:
    """A surrogate that a user may write."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return torch.atan(3 * x) / torch.pi + 0.5


def test_layer_on_several_threads_equals_the_one_on_one(monkeypatch):
    monkeypatch.setattr("spiker_train.kernels.run._WORK", 10)
    kind, values = find("CurrentLif", {"reset": "zero", "refractory_input": "kept"})
    learn = ["threshold", "decay", "current_decay"]
    values = values | {"threshold": torch.linspace(0.5, 1.5, SIZE).tolist()}
    core = core_of(kind, values, "reals", learn=learn, surrogate=Arctangent())
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        compare(core)
    finally:
        torch.set_num_threads(threads)


def test_surrogate_that_learns_is_not_fused(caplog):
    surrogate = torch.nn.Sigmoid()
    surrogate.slope = torch.nn.Parameter(torch.ones(()))
    core = core_of(*find("Lif", {}), "reals", surrogate=surrogate)
    ready = fused.Ready(core, (torch.zeros(1, 2, SIZE).double(),), core.rest, ())
    assert fused.advance_group([ready], []) is None
    assert "surrogate has parameters" in caplog.text
