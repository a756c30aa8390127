"""Tests of dynamics in integers: they become part of the neurons that they reach."""

import re
from copy import deepcopy

import numpy as np
import pytest
import torch

from spiker_hdl.model import (
    CurrentLif,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Readout,
    WithSynapse,
    WithSynapses,
    reference,
)
from spiker_hdl.model import FirstOrder as IntegerFirstOrder
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    IntegerCell,
    Layer,
    Quantization,
    SecondOrder,
    SpikingNetwork,
    Summed,
    Tau,
    Wire,
    load_floating_point,
    quantize,
    save_floating_point,
)
from spiker_train.monte_carlo.integers import as_tensors
from tests.support.quantized import quantize_and_report

pytestmark = pytest.mark.filterwarnings("ignore::spiker_train.ImplausibleWarning")

MS = 1e-3
WEIGHTS = np.random.default_rng(1).normal(size=(4, 5))
MORE = np.random.default_rng(2).normal(size=(4, 4))


def network(kind, cell=None, again=None, bias=False):
    """Return a recurrent network whose connections have dynamics."""
    if cell is None:
        cell = Cell(Lif, threshold=0.9, decay=Tau(20 * MS), refractory=Duration(2 * MS))
    return SpikingNetwork(
        [Input("in", 5)],
        [Layer("a", 4, cell, bias)],
        [
            Connection("in", "a", WEIGHTS, dynamics=kind, delay=Duration(3 * MS)),
            Connection("a", "a", MORE, dynamics=kind if again is None else again, delay=1),
        ],
        [Readout("a", "count")],
        dt=1 * MS,
    )


def plain(**options):
    cell = Cell(
        CurrentLif,
        threshold=0.9,
        decay=Tau(20 * MS),
        current_decay=Tau(5 * MS),
        refractory=Duration(2 * MS),
        **options,
    )
    return network(None, cell)


@pytest.mark.parametrize("form", ["shift", "shifts", "multiplier"])
def test_first_order_into_lif_is_current_lif_bit_for_bit(form):
    settings = {"decay": form, "weights": 5, "potentials": 9}
    fused = quantize(network(FirstOrder(Tau(5 * MS))), **settings)
    assert fused.populations == quantize(plain(), **settings).populations
    (neuron,) = (population.neuron for population in fused.populations)
    assert (type(neuron), neuron.refractory) == (CurrentLif, 2)
    assert [projection.delay for projection in fused.projections] == [3, 1]
    x = (np.random.default_rng(3).random((5, 30, 5)) < 0.4).astype(int)
    net, integers = network(FirstOrder(Tau(5 * MS))), Quantization(**settings)
    record = ["a", "a.v", "a.i", "a.countdown"]
    expected = reference.run(fused, x, record=record)
    assert expected.spikes["a"].any()
    assert expected.differences(net.run(x, integers, record=record)) == []


@pytest.mark.parametrize("case", ["gain", "charge"])
def test_gain_goes_into_the_weights_before_they_are_rounded(case):
    gain = np.array([0.5, 1, 2, 3])
    if case == "gain":
        kind, factor = FirstOrder(Tau(5 * MS), gain=gain), gain
    else:
        kind = FirstOrder(Tau(5 * MS), gain=gain, output="charge")
        factor = gain * 5 * MS * (1 - np.exp(-1 / 5))
    net, other = network(kind), network(FirstOrder(Tau(5 * MS)))
    with torch.no_grad():
        for connection in other.connections:
            connection.weights *= torch.from_numpy(factor).float()[:, None]
    layers = [n.layers[0] for n in (net, other)]
    for layer in layers:
        layer.cell.float_threshold *= float(factor.mean())
    networks = [quantize(n, weights=6, potentials=12) for n in (net, other)]
    assert networks[0].digest == networks[1].digest
    x = (np.random.default_rng(3).random((3, 12, 5)) < 0.4).astype(int)
    expected = reference.run(networks[0], x, record=["a.v"])
    integers = Quantization(weights=6, potentials=12)
    assert expected.differences(net.run(x, integers, record=["a.v"])) == []


SECOND = SecondOrder(Tau(2 * MS), Tau(8 * MS), normalised=True)
BEHIND = {
    "second order, lif": (SECOND, Cell(Lif, threshold=0.9, decay=Tau(20 * MS), learn=["decay"])),
    "second order, integrator": (SECOND, Cell(Integrator, decay=Tau(20 * MS))),
    "first order, if": (FirstOrder(Tau(5 * MS), i=0.5), Cell(If, threshold=0.9)),
    "first order, current lif": (
        FirstOrder(0.5),
        Cell(CurrentLif, threshold=0.9, decay=0.8, current_decay=0.5, refractory=[0, 1, 2, 3]),
    ),
    "first order, integers": (
        FirstOrder(Decay.shift(2)),
        IntegerCell(If(width=9, threshold=40), scale=0.02),
    ),
}


@pytest.mark.parametrize("case", BEHIND)
def test_neuron_behind_a_synapse_computes_the_same_as_the_reference(case):
    kind, cell = BEHIND[case]
    spiking = cell.spiking
    net = network(kind, cell) if spiking else feedforward(kind, cell)
    integers = Quantization(weights=6, potentials=12, decay="multiplier")
    quantized, report = quantize_and_report(net, integers)
    (neuron,) = (population.neuron for population in quantized.populations)
    assert isinstance(neuron, WithSynapse)
    x = (np.random.default_rng(3).random((4, 20, 5)) < 0.4).astype(int)
    record = [f"a.{state}" for state in neuron.states] + (["a"] if spiking else [])
    expected = reference.run(quantized, x, record=record)
    assert expected.spikes["a.v"].any()
    assert not spiking or expected.spikes["a"].any()
    assert expected.differences(net.run(x, integers, record=record)) == []
    reported = {change.what for change in report.changes if change.where.startswith("in->a")}
    second = isinstance(kind, SecondOrder)
    assert reported >= ({"decay", "rise"} if second else {"tau"})


def test_gradients_reach_what_is_learned_behind_a_synapse():
    kind, cell = BEHIND["second order, lif"]
    net = network(kind, deepcopy(cell))
    x = torch.ones(2, 12, 5)
    net(x, Quantization(weights=6, potentials=12)).spikes["a"].sum().backward()
    assert bool(net.layers[0].cell.float_decay.grad.abs() > 0)
    assert bool((net.connections[0].weights.grad != 0).any())


def feedforward(kind, cell):
    return SpikingNetwork(
        [Input("in", 5)],
        [Layer("a", 4, cell)],
        [Connection("in", "a", WEIGHTS, dynamics=kind)],
        [Readout("a", "last")],
        dt=1 * MS,
    )


def test_training_clips_the_product_of_weight_and_gain():
    from spiker_train.network.integers.quantization import clip

    net = network(FirstOrder(Tau(5 * MS), gain=[-0.5, 1, 2, 4]))
    integers = Quantization().fit(net)
    with torch.no_grad():
        for connection in net.connections:
            connection.weights *= 100
    clip(net, integers)
    scale = integers.scale(net.layers[0])
    for connection in net.connections:
        stored = connection.stored() / scale
        for products in stored:  # the gain of the first row is negative
            assert float(products.min()) == pytest.approx(-8)
            assert float(products.max()) == pytest.approx(7)


def test_report_names_what_became_of_times():
    net = network(FirstOrder(Tau(5 * MS)))
    net.connections[0].delay = Duration(2.6 * MS)
    _, report = quantize_and_report(net, rounding="nearest")
    changes = {(change.where, change.what): change for change in report.changes}
    delay = changes["in->a late 3 ms", "delay"]
    assert (delay.target, delay.quantized, delay.integer) == (2.6e-3, 3e-3, "3 steps")
    assert delay.error == pytest.approx(0.4 / 2.6)
    wait = changes["a", "refractory"]
    assert (wait.integer, wait.error) == ("2 steps", 0)
    assert changes["a->a late 1", "tau"].target == pytest.approx(np.exp(-1 / 5))
    assert changes["a", "decay"].target == pytest.approx(np.exp(-1 / 20))


def test_time_that_is_no_whole_number_of_steps_is_refused():
    net = network(FirstOrder(Tau(5 * MS)))
    text = "Delay of 'in->a late 3 ms' must be a whole number of steps of 0.002 s, not 1.5 of them"
    with pytest.raises(ValueError, match=re.escape(text)):
        quantize(net, dt=2 * MS)
    net.connections[0].delay = 0
    text = "Layer 'a': Lif refractory must be a whole number of steps of 0.0003 s, not 6.66667"
    with pytest.raises(ValueError, match=re.escape(text)):
        quantize(net, dt=0.3 * MS)


def test_plan_is_refused_in_integers():
    net = network(FirstOrder(Tau(5 * MS)))
    with pytest.raises(ValueError, match="Plan must be None in integers"):
        net(np.ones((1, 4, 5), int), Quantization(), plan=[(1e-3, 4)])
    with pytest.raises(ValueError, match="Plan must be none in integers"):
        quantize(net, plan=[(1e-3, 4)])


def test_integers_need_the_length_of_a_step():
    net = network(FirstOrder(Tau(5 * MS)))
    net.dt = None
    text = "Network 'network' has times in seconds, and so a quantization must have dt"
    with pytest.raises(ValueError, match=text):
        quantize(net)
    x = np.ones((2, 6, 5), int)
    one = net.run(x, Quantization(dt=1e-3))
    assert one.differences(net.run(x, Quantization(), dt=1e-3)) == []
    with pytest.raises(ValueError, match=re.escape("must be that of the integers, 0.001, not")):
        net(x, Quantization(dt=1e-3), dt=2e-3)


FIRST = FirstOrder(Tau(5e-3))
TWO = WithSynapses(neuron=If(width=9, threshold=40), synapses=(None, None))
SEVERAL = {
    "two orders": (FIRST, SECOND, False),
    "two time constants": (FIRST, FirstOrder(Tau(9e-3), gain=0.5), False),
    "one without": (FIRST, Summed(), False),
    "one plain wire": (Wire(), SECOND, [0.1, 0.0, -0.2, 0.3]),
    "bias behind dynamics": (FIRST, FIRST, [0.1, 0.0, -0.2, 0.3]),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_several_kinds_into_a_layer_become_receptors_of_its_neurons(case):
    kind, again, bias = SEVERAL[case]
    net = network(kind, again=again, bias=bias)
    with torch.no_grad():
        net.connections[1].weights *= 0.5
    integers = Quantization(weights=6, potentials=12, decay="multiplier")
    quantized, report = quantize_and_report(net, integers)
    (population,) = quantized.populations
    assert isinstance(population.neuron, WithSynapses)
    assert [p.receptor for p in quantized.projections] == (
        [0, 0] if bias and kind is again else [0, 1]
    )
    if bias:
        assert population.neuron.synapses[population.neuron.bias_receptor] is None
    x = (np.random.default_rng(3).random((4, 20, 5)) < 0.4).astype(int)
    record = ["a", *(f"a.{state}" for state in population.neuron.states)]
    expected = reference.run(quantized, x, record=record)
    assert expected.spikes["a"].any()
    assert expected.differences(net.run(x, integers, record=record)) == []
    # The same currents in floating point: integers come near them, as their weights have 6 bits.
    fine = Quantization(weights=16, potentials=24, decay="multiplier", decay_bits=20)
    same = reference.run(quantize(net, fine), x, record=["a"]).spikes["a"]
    assert np.mean(same != net.run(x, record=["a"]).spikes["a"]) < 0.01
    reported = {change.what for change in report.changes if change.where.startswith("in->a")}
    assert ("tau" in reported) == (kind is FIRST)
    # The way back: tensors of the integer network.
    again_net, settings = as_tensors(quantized)
    assert expected.differences(again_net.run(x, settings, record=record)) == []


def test_gradients_reach_weights_of_all_receptors_and_the_bias():
    net = network(FIRST, again=SECOND, bias=True)
    x = torch.ones(2, 12, 5)
    outcome = net(x, Quantization(weights=6, potentials=12), kernel="fused")
    assert outcome.kernels == {"a": "eager"}
    outcome.spikes["a"].sum().backward()
    for tensor in (net.layers[0].bias, *(link.weights for link in net.connections)):
        assert bool((tensor.grad != 0).any())


def test_receptors_of_a_neuron_of_ones_own_are_named_by_connections(tmp_path):
    net = SpikingNetwork(
        [Input("in", 5)],
        [Layer("a", 4, IntegerCell(TWO, scale=0.02))],
        [Connection("in", "a", WEIGHTS), Connection("in", "a", WEIGHTS, name="b", receptor=1)],
        [Readout("a", "count")],
    )
    x = (np.random.default_rng(3).random((2, 8, 5)) < 0.4).astype(int)
    integers = Quantization(weights=6).fit(net)
    expected = reference.run(quantize(net, integers), x, record=["a"])
    assert expected.spikes["a"].any()
    assert expected.differences(net.run(x, integers, record=["a"])) == []
    save_floating_point(net, tmp_path / "net.safetensors")
    read = load_floating_point(tmp_path / "net.safetensors")
    assert [link.receptor for link in read.connections] == [0, 1]
    with pytest.raises(ValueError, match="'in->a': the receptor must be one of 2 of 'a', counted"):
        SpikingNetwork(
            net.inputs,
            [Layer("a", 4, IntegerCell(TWO, scale=0.02))],
            [Connection("in", "a", receptor=2)],
            net.readouts,
        )


def test_dynamics_reach_the_receptor_of_their_connection():
    slow = IntegerFirstOrder(decay=Decay.shift(2), width=9)
    neuron = WithSynapses(neuron=TWO.neuron, synapses=(None, slow))

    def potentials(dynamics, receptor):
        first = Connection("in", "a", WEIGHTS, dynamics=dynamics, receptor=receptor)
        second = Connection("in", "a", WEIGHTS, name="b", receptor=1)
        layer = Layer("a", 4, IntegerCell(neuron, scale=0.02))
        net = SpikingNetwork([Input("in", 5)], [layer], [first, second], [Readout("a", "count")])
        x = (np.random.default_rng(3).random((2, 8, 5)) < 0.4).astype(int)
        return net.run(x, record=["a.v"]).spikes["a.v"]

    # What decays at once is no dynamics.
    at_once = [potentials(FirstOrder(0.0), receptor) for receptor in (0, 1)]
    plain = [potentials(None, receptor) for receptor in (0, 1)]
    assert np.array_equal(at_once, plain)
    assert not np.array_equal(*plain)


REFUSED = {
    "several": (
        lambda: network(Summed(FIRST, SECOND)),
        "Dynamics of 'in->a late 3 ms' must be FirstOrder or SecondOrder in integers, in which",
    ),
    "charge of second order": (
        lambda: network(SecondOrder(Tau(1e-3), Tau(5e-3), output="charge")),
        "Dynamics of 'in->a late 3 ms' must have output='current' in integers",
    ),
    "wire with bias": (
        lambda: network(Wire(bias=0.5)),
        "must be a Wire without a bias in integers: give the bias to the layer 'a'",
    ),
    "per pair": (
        lambda: network(FirstOrder(Tau(5e-3), per_pair=True)),
        "must have one state for each target in integers, not one for each pair",
    ),
    "receptors of their own": (
        lambda: network(FIRST, IntegerCell(TWO, scale=0.02)),
        "Connections to 'a' must have no dynamics in integers, since its neurons have 2 receptors",
    ),
    "samples": (
        lambda: network(None, Cell(Lif, threshold=np.ones((3, 4)), decay=0.5)),
        "Lif must have one set of parameters in integers, not one for each of 3 samples",
    ),
    "samples of dynamics": (
        lambda: network(FirstOrder(Tau(np.full((3, 4, 1), 5e-3)))),
        "must have one set of parameters in integers, not one for each of 3 samples",
    ),
    "samples of a gain": (
        lambda: network(FirstOrder(Tau(5e-3), gain=np.ones((3, 4, 1)))),
        "a gain for each sample is no part of its weights",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_in_integers_is_refused_with_the_reason(case):
    make, text = REFUSED[case]
    with pytest.raises(ValueError, match=re.escape(text)):
        quantize(make())


def test_wire_is_a_connection_without_dynamics():
    cell = Cell(Lif, threshold=0.9, decay=Decay.shift(2))
    plain = quantize(network(None, cell))
    assert quantize(network(Wire(), Cell(Lif, threshold=0.9, decay=Decay.shift(2)))).digest == (
        plain.digest
    )
