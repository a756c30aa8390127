"""Tests of networks in training: in integers they answer what the reference does."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Readout,
    reference,
)
from spiker_train import (
    Cell,
    Connection,
    FastSigmoid,
    IntegerCell,
    Layer,
    Quantization,
    SpikingNetwork,
    quantize,
)
from tests.support.quantized import quantize_and_report

LEAK = Decay.shift(3)

# Random networks are of all kinds, those that can never fire included.
pytestmark = pytest.mark.filterwarnings("ignore::spiker_train.ImplausibleWarning")


def spikes(size, seed=0, samples=6, steps=8, low=0, high=1, share=0.3):
    """Make random input, with values in ``low..high`` where an event comes."""
    random = np.random.default_rng(seed)
    values = random.integers(low, high + 1, (samples, steps, size))
    return values * (random.random(values.shape) < (1 if low or high > 1 else 2 * share))


def states(net):
    """Name all that can be recorded of a network."""
    results = []
    for layer in net.layers:
        results += [layer.name] if layer.cell.spiking else []
        results += [f"{layer.name}.{state}" for state in layer.cell.states]
    return results


def assert_equal(net, x, quantization):
    """Compare everything that a network does with the reference; return the spikes."""
    fitted = quantization.fit(net)
    record = states(net)
    expected = reference.run(quantize(net, fitted), x, record=record)
    assert expected.differences(net.run(x, fitted, record=record)) == []
    return expected.counts


CELLS = {
    "lif": lambda: Cell(Lif, threshold=0.9, decay=0.8),
    "if": lambda: Cell(If, threshold=0.7, fire=">="),
    "lif zero": lambda: Cell(Lif, threshold=0.5, decay=0.6, reset="zero", reset_timing="next_step"),
    "lif value": lambda: Cell(Lif, threshold=0.5, decay=0.9, reset="value", reset_value=-0.3),
    "lif value late": lambda: Cell(
        Lif,
        threshold=0.5,
        decay=0.9,
        reset="value",
        reset_value=-0.3,
        reset_timing="next_step",
        fire=">=",
    ),
    "lif none": lambda: Cell(Lif, threshold=0.0, decay=0.5, reset="none"),
    "lif below zero": lambda: Cell(Lif, threshold=-0.2, decay=0.5, reset="zero"),
    "lif late": lambda: Cell(Lif, threshold=0.6, decay=LEAK, reset_timing="next_step", floor=-0.4),
    "lif floor": lambda: Cell(Lif, threshold=0.6, decay=LEAK, floor=0.0),
    "lif refractory": lambda: Cell(Lif, threshold=0.4, decay=LEAK, refractory=2),
    "lif refractory kept": lambda: Cell(
        Lif,
        threshold=0.4,
        decay=LEAK,
        refractory=1,
        refractory_input="kept",
        reset_timing="next_step",
    ),
    "lif refractory each": lambda: Cell(
        Lif, threshold=0.4, decay=LEAK, refractory=[0, 2, 1, 0, 3, 0, 1]
    ),
    "lif rest": lambda: Cell(Lif, threshold=0.6, decay=LEAK, rest=-0.4, floor=-0.5, v=-0.4),
    "lif rest learned": lambda: Cell(Lif, threshold=0.6, decay=0.8, rest=0.0, learn=["rest"]),
    "lif each": lambda: Cell(
        Lif,
        threshold=[0.2, 0.4, 0.6, 0.8, 1.0, 0.3, 0.5],
        decay=[0.5, 0.75, 0.875, 0.9, 0.1, 0.0, 1.0],
        v=[0.1, 0.0, 0.2, -0.1, 0.0, 0.0, 0.3],
    ),
    "current": lambda: Cell(CurrentLif, threshold=0.9, decay=0.8, current_decay=0.5),
    "current late": lambda: Cell(
        CurrentLif,
        threshold=0.9,
        decay=0.8,
        current_decay=0.5,
        reset_timing="next_step",
        refractory=1,
    ),
    "adaptive": lambda: Cell(AdaptiveLif, threshold=0.3, decay=0.8, rise=0.2, rise_decay=0.9),
    "adaptive late": lambda: Cell(
        AdaptiveLif, threshold=0.3, decay=0.8, rise=0.2, rise_decay=0.9, reset_timing="next_step"
    ),
    "integers": lambda: IntegerCell(Lif(width=9, threshold=40, decay=LEAK), scale=0.02),
    "learned": lambda: Cell(Lif, threshold=0.6, decay=0.8, learn=["threshold", "decay"]),
}


@pytest.mark.parametrize("form", ["shift", "shifts", "multiplier"])
@pytest.mark.parametrize("kind", CELLS)
def test_each_neuron_computes_the_same_as_the_reference(kind, form):
    net = SpikingNetwork(
        inputs=[Input("in", 12)],
        layers=[
            Layer("own", 7, CELLS[kind](), bias=np.linspace(-0.1, 0.2, 7)),
            Layer("out", 3, Cell(Integrator, decay=0.9, rest=[0.2, 0, -0.3], floor=-0.5)),
        ],
        connections=[
            Connection("in", "own", np.random.default_rng(1).normal(0.1, 0.5, (7, 12))),
            Connection("own", "own", delay=2),
            Connection("own", "out"),
        ],
        readouts=[
            Readout("out", "last", "last"),
            Readout("out", "largest", "largest"),
            Readout("out", "sum", "sum"),
            Readout("own", "count", "count"),
            Readout("own", "first", "first"),
            *(Readout("out", kind, f"whole {kind}", 1) for kind in ("last", "sum")),
            *(Readout("own", "count", f"in {groups}", groups) for groups in (1, 7)),
        ],
    )
    counts = assert_equal(net, spikes(12), Quantization(5, 9, form))
    share = counts["own"].sum() / (6 * 8 * 7)
    assert 0.02 < share < 0.9


@pytest.mark.parametrize("shifts", [2, {"own": 3, "own->out": 1}, {"in->own": 4}], ids=str)
@pytest.mark.parametrize("kind", ["lif", "integers", "learned"])
def test_shifted_weights_are_those_of_the_reference(kind, shifts):
    random = np.random.default_rng(1)
    net = SpikingNetwork(
        [Input("in", 12, -2, 3)],
        [Layer("own", 7, CELLS[kind](), bias=True), Layer("out", 3, Cell(Integrator, decay=0.9))],
        [
            Connection("in", "own", random.normal(0.1, 0.5, (7, 12)), name="in->own"),
            Connection("own", "own", delay=2),
            Connection("own", "out"),
        ],
        [Readout("out", "last"), Readout("own", "count")],
    )
    wished = Quantization(4, 12, shifts=shifts)
    assert_equal(net, spikes(12), wished)
    links = {projection.name: projection for projection in quantize(net, wished).projections}
    shifts_of = {link: shifts if isinstance(shifts, int) else shifts.get(link) for link in links}
    for name, link in links.items():
        own = None if isinstance(shifts, int) else shifts.get(link.target)
        assert link.shift == (shifts_of[name] or own or 0)


def test_a_shift_is_a_finer_grid_at_the_same_bits_of_weights():
    net = SpikingNetwork(
        [Input("in", 12)],
        [Layer("own", 7, Cell(Lif, threshold=0.777, decay=0.875))],
        [Connection("in", "own", np.random.default_rng(1).normal(0.1, 0.5, (7, 12)))],
        [Readout("own")],
    )
    results = {}
    for shift in (0, 6):
        network, report = quantize_and_report(net, 3, 12, shifts=shift)
        results[shift] = network
        (off,) = (change.error for change in report.changes if change.what == "threshold")
        assert (off < 0.005) == (shift == 6)
    plain, finer = results[0].projections[0], results[6].projections[0]
    assert np.array_equal(plain.synapses.values, finer.synapses.values)
    assert (plain.width, plain.shift, finer.width, finer.shift) == (3, 0, 3, 6)


def graph(seed):
    """Draw a network: sources, delays, loops, kinds and bits at random."""
    random = np.random.default_rng(seed)
    sizes = [int(n) for n in random.integers(2, 9, random.integers(1, 5))]
    names = [f"p{n}" for n in range(len(sizes))]
    kinds = [k for k in CELLS if not k.endswith("each")]
    inputs = [Input("a", 6)] + ([Input("b", (2, 2), -3, 7)] if random.random() < 0.5 else [])
    layers = [
        Layer(name, size, CELLS[str(random.choice(kinds))](), bias=bool(random.random() < 0.5))
        for name, size in zip(names, sizes, strict=True)
    ]
    layers.append(Layer("out", 4, Cell(Accumulator)))
    known = {node.name: node.size for node in (*inputs, *layers)}
    connections = {}

    def connect(source, target, delay):
        kind = "dense"
        extra = {}
        if known[source] == known[target] and random.random() < 0.5:
            kind = "one_to_one"
        elif random.random() < 0.3:
            kind = "sparse"
            extra = {"mask": random.random((known[target], known[source])) < 0.6}
        shape = (known[target],) if kind == "one_to_one" else (known[target], known[source])
        weights = random.normal(0.1, 0.7 / known[source] ** 0.5, shape)
        connection = Connection(source, target, weights, delay=delay, kind=kind, **extra)
        connections[connection.name] = connection

    for n, name in enumerate(names):
        connect(inputs[n % len(inputs)].name if n < 2 else names[n - 1], name, 0)
        for source in (*(node.name for node in inputs), *names[:n]):
            if random.random() < 0.3:
                connect(source, name, int(random.integers(0, 4)))
        for source in names[n:]:
            if random.random() < 0.3:
                connect(source, name, int(random.integers(1, 10)))
    connect(names[-1], "out", 0)
    bits = {name: [2, 3, 4, 8, 16, "ternary"][random.integers(6)] for name in connections}
    potentials = {name: int(random.integers(6, 17)) for name in (*names, "out")}
    net = SpikingNetwork(
        inputs,
        layers,
        list(connections.values()),
        [Readout("out", "last"), Readout(names[-1], "count", "spikes")],
    )
    form = ["shift", "shifts", "multiplier"][random.integers(3)]
    x = {node.name: spikes(node.size, seed, 3, 7, node.low, node.high) for node in inputs}
    return net, x, Quantization(bits, potentials, form)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_random_graphs_compute_the_same_as_the_reference(seed):
    assert_equal(*graph(seed))


@pytest.mark.slow
@settings(max_examples=500)
@given(st.integers(0, 2**32 - 1))
def test_many_random_graphs_compute_the_same_as_the_reference(seed):
    assert_equal(*graph(seed))


def test_random_graphs_are_alive():
    alive = [np.mean(list(assert_equal(*graph(seed)).values())) > 0 for seed in range(12)]
    assert np.mean(alive) > 0.8


def test_floating_point_run_follows_the_equation():
    net = SpikingNetwork(
        [Input("in", 1)],
        [Layer("own", 1, Cell(Lif, threshold=1.0, decay=0.5), bias=[0.25])],
        [Connection("in", "own", [[0.6]])],
        [Readout("own")],
    )
    result = net.run(np.ones((1, 4, 1), dtype=int), record=["own", "own.v"])
    # 0.85; 0.425 + 0.85 = 1.275 fires, leaves 0.275; 0.9875; 0.49375 + 0.85 = 1.34375 fires
    np.testing.assert_allclose(result.spikes["own.v"].ravel(), [0.85, 0.275, 0.9875, 0.34375], 1e-6)
    assert result.spikes["own"].ravel().tolist() == [0, 1, 0, 1]
    assert result.scores.tolist() == [[2]]


def test_a_wide_potential_is_computed_in_double_precision():
    net = SpikingNetwork(
        [Input("in", 40, 0, 65535)],
        [Layer("own", 3, Cell(Lif, threshold=1.0, decay=0.9))],
        [Connection("in", "own", np.random.default_rng(0).normal(0, 1e-4, (3, 40)))],
        [Readout("own")],
    )
    x = spikes(40, high=65535)
    counts = assert_equal(net, x, Quantization(16, 32, "multiplier", scales={"own": 1e-8}))
    assert counts["own"].sum() > 0
    outcome = net(x, Quantization(16, 32, "multiplier", scales={"own": 1e-8}), ["own.v"])
    assert outcome.states["own.v"].dtype == torch.float64


def test_integer_beyond_floats_is_refused_by_name():
    net = SpikingNetwork(
        [Input("in", 2)],
        [Layer("own", 1, Cell(Integrator, width=48, decay=Decay(1, 24)))],
        [Connection("in", "own")],
        [Readout("own", "last")],
    )
    net(spikes(2), Quantization())
    wide = Cell(Integrator, width=48, decay=Decay(2**24 - 1, 24))
    net = SpikingNetwork(
        [Input("in", 2)], [Layer("own", 1, wide)], [Connection("in", "own")], net.readouts
    )
    with pytest.raises(ValueError, match=r"^Layer 'own' must compute within 53 bits"):
        net(spikes(2), Quantization())


def test_training_ignores_lower_precision_of_products():
    seen = []

    def surrogate(x):
        seen.append((torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu")))
        return FastSigmoid()(x)

    cell = Cell(Lif, threshold=0.5, decay=LEAK, surrogate=surrogate)
    net = SpikingNetwork.chain("40-20-4", cell=cell, seed=3)
    x = spikes(40)
    q = Quantization(8, 12).fit(net)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert_equal(net, x, q)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert set(seen) == {("highest", False)}


def test_every_learned_number_has_a_gradient():
    net = SpikingNetwork(
        [Input("in", 8)],
        [
            Layer(
                "a",
                6,
                Cell(Lif, threshold=[0.1] * 6, decay=0.8, learn=["threshold", "decay"], unit=1.0),
                bias=True,
            ),
            Layer("b", 5, Cell(CurrentLif, threshold=0.1, decay=0.8, current_decay=0.5, unit=1.0)),
            Layer("out", 2, Cell(Integrator, decay=0.9)),
        ],
        [
            Connection("in", "a"),
            Connection("a", "a", delay=1),
            Connection("a", "b", delay=1),
            Connection("b", "out"),
        ],
        [Readout("out", "last")],
    )
    for integers in (None, Quantization(4, 8)):
        net.zero_grad()
        net(spikes(8, share=0.5), integers).logits.sub(1).square().sum().backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all()
            assert parameter.grad.abs().sum() > 0, name


def test_the_same_seed_draws_the_same_weights():
    a, b, c = (SpikingNetwork.chain("6-5-2", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["parts.2.weights"], c["parts.2.weights"])


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: SpikingNetwork.chain("784"),
            ValueError,
            "Layers must be such as '784-128-10' or '28x28-8c3-p2-16c3-p2-10', not '784'",
        ),
        (
            lambda: SpikingNetwork.chain("4-x-2"),
            ValueError,
            "Layers must be such as '784-128-10' or '28x28-8c3-p2-16c3-p2-10', not '4-x-2': see "
            "'x'",
        ),
        (
            lambda: Layer("a", 3, Cell(Lif, threshold=[1.0, 2.0], decay=0.5)),
            ValueError,
            "Parameters per neuron of layer 'a' must be 3, not 2",
        ),
        (
            lambda: Layer("a", 3, "lif"),
            TypeError,
            "Cell of layer 'a' must be a Cell or a Neuron, not 'lif'",
        ),
        (
            lambda: Layer("a", 3, CELLS["lif"](), bias=[1.0]),
            ValueError,
            "Bias of layer 'a' must have the shape (3,), not (1,)",
        ),
        (
            lambda: Connection("a", "b", [[float("nan")]]),
            ValueError,
            "Weights of 'a->b' must be finite, not nan",
        ),
        (
            lambda: Connection("a", "b", kind="ring"),
            ValueError,
            "Connection kind must be one of 'dense', 'one_to_one', 'sparse', 'convolution', not "
            "'ring'",
        ),
        (
            lambda: SpikingNetwork(
                [Input("in", 2)],
                [Layer("a", 3, CELLS["lif"]())],
                [Connection("in", "a", np.zeros((3, 4)))],
                [Readout("a")],
            ),
            ValueError,
            "Connection 'in->a': weights must have the shape (3, 2), not (3, 4)",
        ),
        (
            lambda: SpikingNetwork(
                [Input("in", 2)],
                [Layer("a", 2, CELLS["lif"]()), Layer("b", 2, CELLS["lif"]())],
                [Connection("a", "b"), Connection("b", "a")],
                [Readout("a")],
            ),
            ValueError,
            "A cycle must have a delay of at least 1 somewhere, not a -> b -> a",
        ),
        (
            lambda: SpikingNetwork(
                [Input("in", 2)],
                [Layer("a", 2, CELLS["lif"]())],
                [Connection("out", "a")],
                [Readout("a")],
            ),
            ValueError,
            "Projection 'out->a': the source must be an input or population, not 'out'",
        ),
        (
            lambda: SpikingNetwork(
                [Input("in", 2)],
                [Layer("a", 2, Cell(Integrator, decay=0.5))],
                [Connection("in", "a")],
                [Readout("a")],
            ),
            ValueError,
            "Readout 'a': 'count' must read neurons that fire, not Accumulator",
        ),
    ],
)
def test_networks_reject(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(
    "bad, message",
    [
        (
            np.zeros((2, 3, 5)),
            "Spikes of input 'input' must have the shape (samples, steps, 4), not (2, 3, 5)",
        ),
        (
            np.zeros((2, 4)),
            "Spikes of input 'input' must have the shape (samples, steps, 4), not (2, 4)",
        ),
        ({"in": np.zeros((1, 1, 4))}, "Spikes must be given for ['input'], not ['in']"),
    ],
)
def test_spikes_of_another_shape_are_rejected(bad, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SpikingNetwork.chain("4-3-2")(bad)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_spikes_that_are_no_numbers_are_rejected(bad):
    spikes = torch.rand(2, 3, 4)
    spikes[1, 2, 0] = bad
    message = f"Spikes of input 'input' must be finite, not {bad}"
    with pytest.raises(ValueError, match=re.escape(message)):
        SpikingNetwork.chain("4-3-2")(spikes)
    SpikingNetwork.chain("4-3-2")(torch.full((2, 3, 4), 3e38))  # their sum alone is not finite


def test_weights_that_are_no_numbers_are_rejected():
    net = SpikingNetwork.chain("4-3-2")
    with torch.no_grad():
        net.connections[0].weights[1, 2] = float("nan")
    name = net.connections[0].name
    with pytest.raises(ValueError, match=f"^Weights of {name!r} must be finite, not nan$"):
        net.run(np.zeros((1, 2, 4), int))


def test_parts_of_a_network_are_of_no_other():
    ends = [Input("in", 2)], [Readout("a", "count")]
    layer = Layer("a", 2, Cell(If, threshold=1.0))
    link = Connection("in", "a", [[1.0, 2.0], [3.0, 4.0]])
    wrong = Connection("in", "a", [[1.0]], name="wrong")
    with pytest.raises(ValueError, match="'wrong': weights must have the shape"):
        SpikingNetwork(ends[0], [layer], [link, wrong], ends[1])
    net = SpikingNetwork(ends[0], [layer], [link], ends[1])  # as if there had been no failure
    assert net.connections[0].weights.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    fresh = Layer("a", 2, Cell(If, threshold=1.0)), Connection("in", "a")
    for layers, links, name in (
        ([layer], [fresh[1]], "Layer 'a'"),
        ([fresh[0]], [link], "Connection 'in->a'"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be part of one network, not of two"):
            SpikingNetwork(ends[0], layers, links, ends[1])
    assert net.connections[0].weights.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_layers_of_one_cell_draw_values_of_their_own():
    cell = Cell(Lif, threshold=lambda rng, shape: rng.uniform(1, 2, shape), decay=0.5)
    layers = [Layer("a", 3, cell), Layer("b", 3, cell), Layer("c", 2, cell)]
    links = [Connection("in", "a"), Connection("a", "b"), Connection("b", "c")]
    net = SpikingNetwork([Input("in", 2)], layers, links, [Readout("c", "count")])
    first, second, third = (layer.cell.value("threshold") for layer in net.layers)
    assert len({*first, *second, *third}) == 8


@pytest.mark.parametrize(
    "values, error, message",
    [
        ({}, ValueError, "Cell of Lif must have a value for 'threshold'"),
        (
            {"threshold": 1.0, "decay": 1.5},
            ValueError,
            "Lif decay factor must be in 0..1, not 1.5",
        ),
        (
            {"threshold": float("nan"), "decay": 1},
            ValueError,
            "Lif threshold must be finite, not nan",
        ),
        (
            {"threshold": "one", "decay": 1},
            TypeError,
            "Lif threshold must be numbers, not 'one'",
        ),
        (
            {"threshold": 1.0, "decay": 1, "learn": ["v"]},
            ValueError,
            "What Lif learns must be of threshold, reset_value, decay, rest, not 'v'",
        ),
    ],
)
def test_cells_reject(values, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Cell(Lif, **values)


def test_a_field_that_is_not_there_is_rejected():
    with pytest.raises(ValueError, match=r"^Fields of If must be of .*, not 'leak'$"):
        Cell(If, threshold=1.0, leak=3)


@pytest.mark.parametrize("neurons, groups", [(20, 10), (12, 3), (7, 1), (5, 5)])
def test_groups_are_the_population_code_of_snntorch(neurons, groups):
    code = pytest.importorskip("snntorch.functional").acc._population_code
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("own", neurons, CELLS["lif"]())],
        [Connection("in", "own", np.random.default_rng(1).normal(0.2, 0.5, (neurons, 6)))],
        [Readout("own", "count", groups=groups)],
    )
    result = net(torch.as_tensor(spikes(6), dtype=torch.float32))
    expected = code(result.spikes["own"].transpose(0, 1), groups, neurons)
    assert 0.02 < result.spikes["own"].mean() < 0.9
    assert torch.equal(result.scores, expected)


@pytest.mark.parametrize(
    "place, text",
    [
        (0, "inputs must be an Input"),
        (1, "layers must be a Layer"),
        (2, "connections must be a Connection"),
        (3, "readouts must be a Readout"),
    ],
)
def test_part_of_another_type_is_refused_by_its_place(place, text):
    parts = [[Input("in", 2)], [Layer("a", 2, Cell(Accumulator))], [], [Readout("a")]]
    parts[place] = [3]
    with pytest.raises(TypeError, match=f"^Each of the {text}, not 3$"):
        SpikingNetwork(*parts)


def test_record_of_what_is_not_there_is_refused():
    net = SpikingNetwork.chain("2-1")
    x = spikes(2)
    with pytest.raises(ValueError, match=r"^Record must name one of input->output\.current, ou"):
        net(x, record=["output.w"])
    with pytest.raises(TypeError, match=r"^Record must be a list of names, such as \['output\.v'"):
        net(x, record="output.v")
