"""Tests of cells: values in seconds, for samples, drawn and learned, and neurons of one's own."""

import re
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from spiker_hdl.model import (
    INTEGERS,
    Decay,
    Dendrite,
    Input,
    Integrator,
    Lif,
    Neuron,
    Readout,
    parameter,
    reference,
    signed_range,
    state,
)
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    Layer,
    Quantization,
    QuantizationReport,
    SpikingNetwork,
    Tau,
    TrainingOptions,
    WinnerTakeAll,
    quantize,
    train,
)

from support.places import ROOT

MS = 1e-3


def network(cell, weights=None, **options):
    """Return a network of one layer of four neurons."""
    weights = np.random.default_rng(0).uniform(0, 1, (4, 3)) if weights is None else weights
    return SpikingNetwork(
        [Input("in", 3)],
        [Layer("a", len(weights), cell)],
        [Connection("in", "a", weights)],
        [Readout("a", "count" if cell.spiking else "last")],
        **options,
    )


def spikes(samples=3, steps=20, size=3):
    return torch.from_numpy((np.random.default_rng(1).random((samples, steps, size)) < 0.4) * 1.0)


def test_values_of_samples_are_a_sweep_along_the_batch():
    threshold = np.linspace(0.5, 2, 12).reshape(3, 4)
    tau = np.linspace(5, 40, 12).reshape(3, 4) * MS
    refractory = np.arange(12).reshape(3, 4) * MS
    x = spikes()
    swept = network(Cell(Lif, threshold=threshold, decay=Tau(tau), refractory=Duration(refractory)))
    with torch.no_grad():
        outcome = swept(x, dt=MS, record=["a.v"])
        assert outcome.spikes["a"].sum((1, 2)).min() > 0
        for n in range(3):
            values = {"decay": Tau(tau[n]), "refractory": Duration(refractory[n])}
            single = network(Cell(Lif, threshold=threshold[n], **values))
            alone = single(x[n : n + 1], dt=MS, record=["a.v"])
            assert torch.equal(outcome.spikes["a"][n], alone.spikes["a"][0])
            assert torch.equal(outcome.states["a.v"][n], alone.states["a.v"][0])
    whole = swept.run(x.int(), dt=MS, batch=2)
    assert whole.scores.tolist() == outcome.scores.tolist()
    with pytest.raises(ValueError, match="Layer 'a' has parameters for 3 samples, and so the run"):
        swept(x[:2], dt=MS)


def test_values_are_drawn_from_the_seed_and_the_name_of_the_layer():
    def draw(rng, shape):
        return rng.uniform(0.5, 1.5, shape)

    def drawn(seed, names):
        layers = [
            Layer(
                name,
                4,
                Cell(Lif, threshold=draw, decay=Tau(lambda rng, shape: 0.01 * draw(rng, shape))),
            )
            for name in names
        ]
        net = SpikingNetwork(
            [Input("in", 3)],
            layers,
            [Connection("in", name) for name in names],
            [Readout(names[0], "count")],
            seed=seed,
        )
        return {layer.name: layer.cell for layer in net.layers}

    first, other, seeded = drawn(0, "ab"), drawn(0, "ba"), drawn(1, "ab")
    for name in "ab":
        assert first[name].value("threshold").tolist() == other[name].value("threshold").tolist()
        assert first[name].taus == other[name].taus
    assert first["a"].value("threshold").shape == (4,)
    assert first["a"].value("threshold").tolist() != first["b"].value("threshold").tolist()
    assert first["a"].value("threshold").tolist() != seeded["a"].value("threshold").tolist()
    assert first["a"].unit == first["a"].value("threshold").max()


def test_weights_and_biases_are_drawn_and_weights_fit_drawn_thresholds():
    def net(seed=0, threshold=1.0, kind="dense"):
        return SpikingNetwork(
            [Input("in", 4)],
            [
                Layer("a", 4, Cell(Lif, threshold=threshold, decay=0.5), bias=rule),
                Layer("b", 4, Cell(Lif, threshold=threshold, decay=0.5)),
            ],
            [Connection("in", "a", rule, kind=kind), Connection("a", "b")],
            [Readout("b", "count")],
            seed=seed,
        )

    def rule(rng, shape):
        return rng.normal(size=shape)

    first, again, other = net(), net(), net(1)
    for name, value in first.named_parameters():
        assert torch.equal(value, dict(again.named_parameters())[name]), name
        assert not torch.equal(value, dict(other.named_parameters())[name]), name
    assert first.connections[0].weights.shape == (4, 4)
    assert net(kind="one_to_one").connections[0].weights.shape == (4,)
    assert first.layers[0].bias.shape == (4,)
    tenfold = net(threshold=lambda rng, shape: np.full(shape, 10.0))
    assert torch.allclose(tenfold.connections[1].weights, 10 * first.connections[1].weights)
    with pytest.raises(ValueError, match=re.escape("weights must have the shape (4, 3), not (2,)")):
        network(Cell(Lif, threshold=1.0, decay=0.5), Drawn((2,)))


class Drawn:
    """A rule that draws weights of a shape, for a layer of four neurons."""

    def __init__(self, shape):
        self.shape = shape

    def __len__(self):
        return 4

    def __call__(self, rng, shape):
        return rng.normal(size=self.shape)


def test_drawn_values_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="Parameters per neuron of layer 'a' must be 4, not 2"):
        network(Cell(Lif, threshold=lambda rng, shape: rng.random(2), decay=0.5))
    with pytest.raises(ValueError, match="Time constant must be a positive number of seconds"):
        network(Cell(Lif, threshold=1.0, decay=Tau(lambda rng, shape: rng.normal(size=shape) * 0)))


@pytest.mark.parametrize("method", ["exact", "euler"])
def test_time_constant_is_learned(method):
    net = network(Cell(Integrator, decay=Tau(20 * MS, method), learn=["decay"]), dt=MS)
    cell = net.layers[0].cell
    expected = np.exp(-1 / 20) if method == "exact" else 1 - 1 / 20
    assert cell.value("decay", 10**9) == pytest.approx(expected, rel=1e-6)
    outcome = net(spikes())
    outcome.logits.sum().backward()
    assert float(cell.float_decay.grad) > 0  # a longer memory has greater potentials
    with torch.no_grad():
        cell.float_decay += np.log(2)
    assert cell.value("decay", 10**9) == pytest.approx(
        np.exp(-1 / 40) if method == "exact" else 1 - 1 / 40, rel=1e-6
    )
    decay = quantize(net, decay="multiplier").populations[0].neuron.decay
    assert decay.factor == pytest.approx(0.975, abs=2e-3)
    # In integers the gradient is the same but for rounding.
    cell.float_decay.grad = None
    net(spikes(), Quantization(decay="multiplier", potentials=12)).logits.sum().backward()
    assert float(cell.float_decay.grad) > 0


def test_network_in_seconds_is_trained_at_the_length_of_its_steps():
    net = network(Cell(Lif, threshold=1.0, decay=Tau(20 * MS), learn=["decay"]), dt=MS)
    before = float(net.layers[0].cell.float_decay.detach())
    x, labels = spikes(12).int().numpy(), np.arange(12) % 4
    options = TrainingOptions(epochs=1, progress=False)
    train(net, x, labels, options)
    train(net, x, labels, options, integers=Quantization())
    assert float(net.layers[0].cell.float_decay.detach()) != before
    integers = Quantization(potentials=12)
    expected = reference.run(quantize(net, integers), x)
    assert expected.differences(net.run(x, integers)) == []


@pytest.mark.parametrize("fire, expected", [(">", 0), (">=", 1)])
def test_potential_at_the_threshold_fires_as_asked(fire, expected):
    net = network(Cell(Lif, threshold=1.0, decay=Decay.shift(1), fire=fire), np.full((1, 3), 0.5))
    assert int(net(torch.tensor([[[1.0, 1, 0]]])).scores) == expected


BAD = {
    "tau for a parameter": (
        {"threshold": Tau(1.0), "decay": 0.5},
        "Lif threshold must be no Tau, which is for decays, not Tau(1.0)",
    ),
    "duration for a decay": (
        {"threshold": 1.0, "decay": Duration(1.0)},
        "Lif decay must be no Duration, which is for refractory periods, not Duration(1.0)",
    ),
    "time for a setting": (
        {"threshold": 1.0, "decay": 0.5, "fire": Tau(1.0)},
        "Lif fire must not be a time, not Tau(1.0)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_time_of_a_wrong_kind_is_refused(case):
    values, text = BAD[case]
    with pytest.raises(TypeError, match=re.escape(text)):
        Cell(Lif, **values)


BAD_SETTINGS = {
    "fire": (Lif, {"fire": "=>"}, "Fire must be one of '>', '>=', not '=>'"),
    "reset": (
        Lif,
        {"reset": "x"},
        "Reset must be one of 'subtract', 'zero', 'value', 'none', not 'x'",
    ),
    "reset timing": (
        Lif,
        {"reset": "zero", "reset_timing": "snntorch_immediate"},
        "Reset timing must be one of 'immediate', 'next_step', 'next_step_keep_input' with "
        "reset='zero', not 'snntorch_immediate'",
    ),
    "refractory input": (
        Lif,
        {"refractory_input": "x"},
        "Refractory input must be one of 'lost', 'kept', not 'x'",
    ),
    "floor of neurons that fire": (Lif, {"floor": 2.0}, "Floor must be at most 0, not 2.0"),
    "floor of an integrator": (Integrator, {"floor": 0.5}, "Floor must be at most 0, not 0.5"),
    "range of a dendrite": (
        Dendrite,
        {"low": 1, "high": 3, "resolution": 1.0},
        "Dendrite low must be at most 0, not 1",
    ),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_setting_that_integers_refuse_is_refused_in_floating_point(case):
    kind, values, text = BAD_SETTINGS[case]
    threshold = {"threshold": 1.0} if kind is Lif else {}
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Cell(kind, decay=0.5, **threshold, **values)


@pytest.mark.parametrize("value", [-1, 2.5, float("nan"), [1, 0.5]])
def test_number_of_steps_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="Lif refractory must be a whole number of steps, at"):
        Cell(Lif, threshold=1.0, decay=0.5, refractory=value)


def test_potential_leaks_towards_its_rest_exactly_under_a_plan():
    rest = [-0.5, 0.0, 0.25, 1.0]
    cell = Cell(Integrator, decay=Tau(10 * MS), rest=rest, v=0.5)
    net = network(cell, np.zeros((4, 3))).double()
    outcome = net(spikes(1, 8), plan=[(1 * MS, 3), (4 * MS, 5)], record=["a.v"])
    left = torch.exp(-torch.from_numpy(outcome.ends) / (10 * MS))
    towards = torch.tensor(rest, dtype=torch.float64)
    expected = towards + (0.5 - towards) * left[:, None]
    assert torch.allclose(outcome.states["a.v"][0], expected, rtol=1e-13)


def test_potential_stays_above_its_floor():
    cell = Cell(Integrator, decay=Tau(10 * MS), floor=-0.25)
    net = network(cell, [[-1.0, 0, 0], [-0.2, 0, 0], [1.0, 0, 0], [0, 0, 0]])
    x = torch.zeros(1, 3, 3)
    x[0, :2, 0] = 1
    v = net(x, dt=10 * MS, record=["a.v"]).states["a.v"][0].detach()
    factor = float(np.exp(-1))
    assert v[0].tolist() == pytest.approx([-0.25, -0.2, 1, 0])
    assert v[1].tolist() == pytest.approx([-0.25, -0.25, 1 + factor, 0])
    assert v[2, 0] == pytest.approx(-0.25 * factor)


def test_value_in_seconds_needs_the_length_of_a_step():
    cell = Cell(Lif, threshold=1.0, decay=Tau(0.01))
    with pytest.raises(ValueError, match="Lif decay is in seconds, and so dt must be given"):
        cell.value("decay")
    with pytest.raises(ValueError, match="must have at most two axes, not 3"):
        Cell(Lif, threshold=1.0, decay=Tau(np.ones((2, 2, 2))))


def izhikevich():
    """Return the module of the example."""
    spec = spec_from_file_location(
        "izhikevich_in_seconds", ROOT / "examples/izhikevich_in_seconds.py"
    )
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def test_neuron_of_ones_own_is_right_under_a_changing_step():
    example = izhikevich()
    net = example.network(d=[6.0]).double()
    plan = [(0.5 * MS, 120), (0.25 * MS, 60)]
    x = torch.full((1, 180, 1), 12.0, dtype=torch.float64)
    with torch.no_grad():
        outcome = net(x, plan=plan, record=["cortex.v", "cortex.u"])
    v, u, fired = -65.0, -13.0, []
    for h in [0.5] * 120 + [0.25] * 60:
        v, u = v + h * (0.04 * v * v + 5 * v + 140 - u + 12), u + h * 0.02 * (0.2 * v - u)
        fired.append(float(v >= 30))
        v, u = (-65.0, u + 6) if v >= 30 else (v, u)
    assert sum(fired) >= 3
    assert outcome.spikes["cortex"].flatten().tolist() == fired
    assert float(outcome.states["cortex.v"][0, -1, 0]) == pytest.approx(v, rel=1e-9)
    text = "Izhikevich millisecond must be at least as long as the step of 0.002 s"
    with pytest.raises(ValueError, match=text):
        net(x, dt=2 * MS)


@pytest.mark.parametrize(
    "dynamics, name", [(None, "Izhikevich"), (FirstOrder(Tau(5 * MS)), "WithSynapse of Izhikevich")]
)
def test_neuron_that_needs_fractions_is_refused_in_integers_by_name(dynamics, name):
    net = izhikevich().network()
    net.connections[0].dynamics = dynamics
    message = f"Population 'cortex': the step of {name} must keep 'v' in -2147483648..2147483647, "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        quantize(net, 8, 16, "multiplier", dt=0.5 * MS)


def test_neuron_of_ones_own_is_trained():
    net = izhikevich().network(a=[0.02], learn=["a"])
    net.dt = 0.5 * MS
    x = torch.full((1, 60, 1), 15.0)
    net(x).logits.sum().backward()
    for learned in net.parameters():
        assert float(learned.grad.abs().max()) > 0


@dataclass(frozen=True)
class Scaled(Neuron):
    """A neuron whose state is a multiple of its current, whatever the scale."""

    factor: Any = parameter(8)
    width: int = field(kw_only=True)
    v: Any = state("width")
    spiking: ClassVar[bool] = False

    def step(self, p, s, current, via=INTEGERS):
        return None, {"v": via.saturate(current * p.factor, *signed_range(self.width))}


@pytest.mark.parametrize(
    "factor, warnings",
    [
        (0.3, ["factor of 'a' becomes 0, from 0.3: it has no scale, and is rounded to an integer"]),
        (2.25, []),
    ],
)
def test_parameter_without_a_scale_is_reported_where_it_is_rounded(factor, warnings):
    report = QuantizationReport()
    net = network(Cell(Scaled, factor=factor))
    quantize(net, 8, 16, report=report)
    (change,) = [change for change in report.changes if change.what == "factor"]
    assert (change.target, change.integer) == (factor, str(round(factor)))
    assert change.error == pytest.approx(abs(round(factor) - factor) / factor)
    assert report.warnings == warnings
    exact = QuantizationReport()
    quantize(network(Cell(Scaled, factor=2)), 8, 16, report=exact)
    assert "factor" not in {change.what for change in exact.changes}


def test_rounded_times_are_reported_with_their_errors():
    cell = Cell(Lif, threshold=1.0, decay=Tau(10 * MS), refractory=Duration([1e-3, 2.4e-3, 3e-3]))
    net = SpikingNetwork(
        [Input("in", 3)],
        [Layer("a", 3, cell, coupling=WinnerTakeAll(Duration(0.4e-3)))],
        [Connection("in", "a", delay=Duration(1.4e-3))],
        [Readout("a", "count")],
        dt=MS,
    )
    report = QuantizationReport()
    integers = quantize(net, 6, 12, "multiplier", rounding="nearest", report=report)
    assert integers.populations[0].neuron.refractory == (1, 2, 3)
    assert (integers.populations[0].coupling.steps, integers.projections[0].delay) == (0, 1)
    changes = {change.what: change for change in report.changes}
    for what, target, quantized, text in (
        ("refractory", 2.4e-3, 2e-3, "1..3 steps"),
        ("inhibition", 0.4e-3, 0.0, "0 steps"),
        ("delay", 1.4e-3, 1e-3, "1 step"),
    ):
        change = changes[what]
        assert (change.target, change.quantized) == pytest.approx((target, quantized))
        assert change.error == pytest.approx((target - quantized) / target)
        assert change.integer == text
    assert changes["refractory"].errors == pytest.approx((0, 1 / 6, 0))
    net.layers[0].coupling = None
    with pytest.raises(ValueError, match=r"^Delay of 'in->a late 1400 us' must be a whole number "):
        quantize(net, 6, 12, "multiplier")


def test_settings_of_the_page_on_ship_are_its_equations():
    # A current of first order whose integral reaches a neuron that discards the step after a spike.
    tau, tau_current, dt = 10 * MS, 5 * MS, 1 * MS
    weights = np.random.default_rng(3).uniform(-100, 400, (4, 3))
    cell = Cell(
        Lif, threshold=1.0, decay=Tau(tau), reset="zero", reset_timing="next_step", fire=">=",
        floor=0,
    )  # fmt: skip
    net = SpikingNetwork(
        [Input("in", 3)],
        [Layer("a", 4, cell)],
        [Connection("in", "a", weights, dynamics=FirstOrder(Tau(tau_current), output="charge"))],
        [Readout("a", "count")],
    ).double()
    x = spikes(1, 40)
    current, u, fired = np.zeros((4, 3)), np.zeros(4), np.zeros(4, bool)
    counts = 0
    for step, events in enumerate(np.asarray(x[0], dtype=float)):
        current = current * np.exp(-dt / tau_current) + weights * events
        charge = (current * tau_current * (1 - np.exp(-dt / tau_current))).sum(1)
        u = np.where(fired, 0, np.maximum(u * np.exp(-dt / tau) + charge, 0))
        fired = u >= 1
        counts = counts + fired
        if step == 20:
            middle = counts.copy()
    assert net(x, dt=dt).scores[0].tolist() == counts.tolist()
    assert 0 < middle.sum() < counts.sum()
