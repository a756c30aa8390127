"""Networks that become NIR graphs, and graphs that come back."""

import re

import nir
import numpy as np
import pytest
import torch

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    Convolution,
    CurrentLif,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Readout,
)
from spiker_train import (
    Cell,
    Connection,
    IntegerCell,
    Layer,
    MaxPool,
    SpikingNetwork,
    Window,
    from_nir,
    to_nir,
)

from support.nir_reference import integrate

DT = 1e-3
SIZE, CHANNELS = 12, 10


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def events(channels=CHANNELS, seed=1, share=0.3):
    """Make binary spikes at random."""
    return (np.random.default_rng(seed).random((6, 40, channels)) < share).astype(np.uint8)


def drawn(low, high, seed=0):
    """Draw a number per neuron."""
    return np.random.default_rng(seed).uniform(low, high, SIZE)


FIRING = {"threshold": drawn(0.5, 1.2), "reset": "value", "reset_value": drawn(-0.4, 0.2, 1)}
CELLS = {
    "If": lambda: Cell(If, **FIRING),
    "Lif": lambda: Cell(Lif, decay=drawn(0.5, 0.95), **FIRING),
    "Lif with rest": lambda: Cell(Lif, decay=drawn(0.5, 0.95), rest=drawn(-0.3, 0.3, 2), **FIRING),
    "CurrentLif": lambda: Cell(
        CurrentLif, decay=drawn(0.5, 0.95), current_decay=drawn(0.1, 0.8), i=drawn(0, 0.1), **FIRING
    ),
    "Integrator": lambda: Cell(Integrator, decay=drawn(0.5, 0.95)),
    "Accumulator": lambda: Cell(Accumulator),
    "If without reset": lambda: Cell(If, threshold=1.0, reset="none"),
    "Lif without reset": lambda: Cell(Lif, threshold=0.7, decay=0.8, reset="none"),
    "CurrentLif without reset": lambda: Cell(
        CurrentLif, threshold=0.7, decay=0.8, current_decay=0.5, reset="none"
    ),
    "without memory": lambda: Cell(Lif, threshold=0.7, decay=0.0, reset="none"),
    "sum": lambda: Cell(Integrator, decay=0.0),
}


def layered(cell, bias=True, size=SIZE, readout=None, **more):
    """Make a network of one layer with a random input."""
    random = np.random.default_rng(3)
    weights = random.normal(0.1, 0.6, (size, CHANNELS))
    spiking = cell.spiking
    return SpikingNetwork(
        [Input("in", CHANNELS)],
        [Layer("own", size, cell, random.normal(0.05, 0.1, size) if bias else False)],
        [Connection("in", "own", weights, **more)],
        [Readout("own", readout or ("count" if spiking else "last"))],
    )


def same(net, back, x, layers=None):
    """Check that two networks fire and charge the same."""
    names = [layer.name for layer in net.layers] if layers is None else layers
    with torch.no_grad():
        first, other = (
            network.double()(x, record=[f"{name}.v" for name in names]) for network in (net, back)
        )
    for name in names:
        assert first.states[f"{name}.v"].abs().max() > 0.1
        torch.testing.assert_close(
            first.states[f"{name}.v"], other.states[f"{name}.v"], rtol=0, atol=1e-9
        )
        if name in first.spikes and net.layer[name].cell.settings["reset"] != "none":
            assert 0.01 < first.spikes[name].mean() < 0.9
        if name in first.spikes:
            assert torch.equal(first.spikes[name], other.spikes[name])
    torch.testing.assert_close(first.scores, other.scores, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rule", ["euler", "exponential"])
@pytest.mark.parametrize("name", CELLS)
def test_exported_network_is_imported_unchanged(name, rule, tmp_path):
    net = layered(CELLS[name]())
    exported = to_nir(net, dt=DT, rule=rule)
    nir.write(tmp_path / "net.nir", exported)
    back = from_nir(tmp_path / "net.nir", dt=DT, rule=rule, dtype=torch.float64)
    assert back.layers[0].cell.kind is net.layers[0].cell.kind
    assert torch.equal(back.connections[0].weights, net.connections[0].weights.double())
    same(net, back, events())


@pytest.mark.parametrize("name", CELLS)
def test_exported_network_computes_the_same(name):
    net = layered(CELLS[name]()).double()
    x = events()
    outputs, states = integrate(to_nir(net, dt=DT), x, DT)
    with torch.no_grad():
        result = net(x, record=["own.v"])
    if "own" in states and name not in {"sum", "without memory"}:
        np.testing.assert_allclose(result.states["own.v"].numpy(), states["own"], 0, 1e-9)
    out = outputs["own" if name == "sum" else "output"]
    mine = result.spikes["own"] if net.layers[0].cell.spiking else result.states["own.v"]
    np.testing.assert_allclose(mine.numpy(), out, 0, 1e-9)


def node_numbers(node):
    """Return what a node holds, by name."""
    return {
        key: np.asarray(value)
        for key, value in vars(node).items()
        if key not in {"input_type", "output_type", "metadata"}
    }


@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF", "I", "LI", "CubaLI", "Threshold"])
def test_from_nir_and_back_all_numbers_are_equal(kind):
    tau, tau_syn = drawn(3e-3, 2e-2), drawn(2e-3, 1e-2, 1)
    fires = {"v_threshold": drawn(0.4, 0.9), "v_reset": drawn(-0.3, 0.2)}
    leak = {"r": tau / DT, "v_leak": np.zeros(SIZE)}
    node = {
        "IF": lambda: nir.IF(np.full(SIZE, 1 / DT), **fires),
        "LIF": lambda: nir.LIF(tau, **leak, **fires),
        "CubaLIF": lambda: nir.CubaLIF(
            tau_syn, tau, leak["r"], drawn(-0.3, 0.3), w_in=tau_syn / DT, **fires
        ),
        "I": lambda: nir.I(np.full(SIZE, 1 / DT)),
        "LI": lambda: nir.LI(tau, **leak),
        "CubaLI": lambda: nir.CubaLI(tau_syn, tau, leak["r"], drawn(-0.3, 0.3), tau_syn / DT),
        "Threshold": lambda: nir.Threshold(drawn(0.4, 0.9)),
    }[kind]()
    weight = np.random.default_rng(1).normal(0, 1, (SIZE, CHANNELS)).astype(np.float32)
    bias = np.random.default_rng(2).normal(0, 1, SIZE).astype(np.float32)
    exported = nir.NIRGraph.from_list(nir.Affine(weight, bias), node)
    back = to_nir(from_nir(exported, dt=DT), dt=DT)
    by_name = {type(written).__name__: written for written in back.nodes.values()}
    assert set(by_name) == {"Input", "Affine", kind, "Output"}
    np.testing.assert_array_equal(by_name["Affine"].weight, weight)
    np.testing.assert_allclose(by_name["Affine"].bias, bias, 1e-6, 1e-7)
    expected = node_numbers(node)
    assert node_numbers(by_name[kind]).keys() == expected.keys()
    for key, value in node_numbers(by_name[kind]).items():
        np.testing.assert_allclose(value, expected[key], 1e-12, 1e-14, err_msg=key)
    again = to_nir(from_nir(back, dt=DT), dt=DT)
    assert again.edges == back.edges


def test_potentials_that_start_at_their_leak():
    node = nir.LIF(drawn(3e-3, 2e-2), drawn(3, 9), drawn(0.1, 0.3), drawn(0.4, 0.9))
    weight = np.random.default_rng(1).normal(0.1, 1, (SIZE, CHANNELS))
    net = from_nir(nir.NIRGraph.from_list(nir.Linear(weight), node), dt=DT, start="leak")
    with pytest.raises(ValueError, match="Rest v of layer 'lif' must be 0, not 0"):
        to_nir(net, dt=DT)
    back = from_nir(to_nir(net, dt=DT, start="leak"), dt=DT, start="leak")
    same(net, back, events())
    current = nir.CubaLIF(
        drawn(2e-3, 9e-3), drawn(3e-3, 2e-2), drawn(3, 9), drawn(0.1, 0.3), drawn(0.4, 0.9)
    )
    net = from_nir(nir.NIRGraph.from_list(nir.Linear(weight), current), dt=DT, start="leak")
    same(net, from_nir(to_nir(net, dt=DT, start="leak"), dt=DT, start="leak"), events())


@pytest.mark.parametrize("readout", ["count", "first", "last", "sum"])
def test_a_layer_without_reset_answers_by_spikes_or_potentials(readout):
    net = layered(CELLS["Lif without reset"](), readout=readout)
    exported = to_nir(net, dt=DT)
    fires = any(isinstance(node, nir.Threshold) for node in exported.nodes.values())
    assert fires == (readout in {"count", "first"})
    back = from_nir(exported, dt=DT, readout=readout)
    with torch.no_grad():
        first, other = (network.double()(events()).scores for network in (net, back))
    torch.testing.assert_close(first, other, rtol=0, atol=1e-6)


def test_groups_of_neurons_are_refused():
    net = layered(CELLS["Lif without reset"]())
    net.readouts = (Readout("own", "count", "sums", SIZE),)
    with pytest.raises(ValueError, match="'sums' must have a class for each neuron to be in NIR"):
        to_nir(net, dt=DT)


def graph_of(name):
    """Make a network with paths of every kind."""
    random = np.random.default_rng(4)
    neurons = {letter: Cell(Lif, decay=0.8, threshold=0.8, reset="zero") for letter in "abc"}
    matrix = {
        pair: random.normal(0.1, 0.5, (SIZE, CHANNELS if pair[0] == "x" else SIZE))
        for pair in ("xa", "xb", "aa", "ab", "ba", "bc")
    }
    links = {
        "skip": [("xa", 0), ("ab", 0), ("xb", 2), ("bc", 1)],
        "recurrent": [("xa", 0), ("aa", 1), ("ab", 0), ("bc", 0)],
        "late recurrence": [("xa", 0), ("aa", 3), ("ab", 0), ("bc", 0)],
        "cycle": [("xa", 0), ("ab", 0), ("ba", 1), ("bc", 0)],
        "late cycle": [("xa", 0), ("ab", 2), ("ba", 2), ("bc", 0)],
    }[name]
    connections = [Connection(pair[0], pair[1], matrix[pair], delay=late) for pair, late in links]
    connections.append(Connection("a", "c", random.normal(0, 1, SIZE), kind="one_to_one"))
    return SpikingNetwork(
        [Input("x", CHANNELS)],
        [Layer(key, SIZE, cell, random.normal(0, 0.1, SIZE)) for key, cell in neurons.items()],
        connections,
        [Readout("c", "count"), Readout("a", "count")],
    )


@pytest.mark.parametrize("name", ["skip", "recurrent", "late recurrence", "cycle", "late cycle"])
def test_graphs_come_back(name):
    net = graph_of(name)
    exported = to_nir(net, dt=DT)
    back = from_nir(exported, dt=DT)
    mine, theirs = (
        sorted(
            (connection.source, connection.target, connection.delay, connection.kind)
            for connection in network.connections
        )
        for network in (net, back)
    )
    assert mine == theirs
    same(net, back, events())
    assert [readout.population for readout in back.readouts] == ["c", "a"]


def test_a_recurrence_is_written_as_others_write_it():
    exported = to_nir(graph_of("recurrent"), dt=DT)
    assert ("a", "a_to_a") in exported.edges
    assert ("a_to_a", "a") in exported.edges
    assert not any(isinstance(node, nir.Delay) for node in exported.nodes.values())


@pytest.mark.parametrize("shared, wide", [(True, 3), (False, 3), (True, 2)])
def test_convolutions_are_found_again(shared, wide):
    # With kernels that are not square, the shapes that nir 1.0.8 infers are wrong: zeros are added.
    random = np.random.default_rng(6)
    weight = random.normal(0.1, 0.5, (3, 2, 3, wide)).astype(np.float32)
    first = nir.Conv2d((6, 5), weight, (2, 1), (1, 0), 1, 1, np.array([0.1, 0.0, 0.2]))
    shape = (3, 3, 6 - wide)

    def neuron(shape):
        full = [np.full(shape, value) for value in (4e-3, 4.0, 0.0, 0.9, 0.0)]
        return nir.LIF(*full)

    node = neuron(shape)
    if not shared:
        node.r = node.r * random.uniform(0.5, 1, shape)
    size = int(np.prod(shape))
    exported = nir.NIRGraph.from_list(
        nir.Input({"input": np.array([2, 6, 5])}), first, node,
        nir.Flatten({"input": np.array(shape)}, 0), nir.Linear(random.normal(0, 0.5, (4, size))),
        neuron((4,)), type_check=False,
    )  # fmt: skip
    net = from_nir(exported, dt=DT)
    back = to_nir(net, dt=DT)
    kinds = [type(written).__name__ for written in back.nodes.values()]
    assert ("Conv2d" in kinds) == shared
    if shared and wide == 3:
        result = next(written for written in back.nodes.values() if isinstance(written, nir.Conv2d))
        np.testing.assert_array_equal(result.weight, weight)
        np.testing.assert_array_equal(result.bias, np.float32([0.1, 0.0, 0.2]))
        assert tuple(result.stride) == (2, 1)
        assert tuple(result.padding) == (1, 0)
    again = from_nir(back, dt=DT)
    same(net, again, events(60))


def test_convolution_of_one_dimension_is_recognised():
    weight = np.random.default_rng(6).normal(0.1, 0.5, (3, 2, 4)).astype(np.float32)
    conv = nir.Conv1d(9, weight, 2, 1, 1, 1, np.zeros(3))
    node = nir.Threshold(np.full((3, 4), 0.4))
    exported = nir.NIRGraph.from_list(conv, node)
    back = to_nir(from_nir(exported, dt=DT), dt=DT)
    result = next(written for written in back.nodes.values() if isinstance(written, nir.Conv1d))
    np.testing.assert_array_equal(result.weight, weight)
    assert (result.input_shape, result.stride, result.padding) == (9, 2, 1)


def mapped(window, cell=None, shape=(2, 6, 6), **options):
    """Make a network with one convolution, and neurons of a linear layer behind it."""
    draws = np.random.default_rng(8)
    convolution = Convolution(np.zeros(options["weights"].shape, int), shape, window.stride,
                              window.padding, window.dilation, window.groups)  # fmt: skip
    target = convolution.target_shape
    if options.get("pooling") is not None:
        target = (target[0], *(size // 2 for size in target[1:]))
    cell = Cell(Lif, threshold=0.5, decay=0.5, reset="zero") if cell is None else cell
    return SpikingNetwork(
        [Input("in", shape)],
        [Layer("maps", target, cell), Layer("own", 4, Cell(Lif, threshold=0.7, decay=0.8,
                                                           reset="zero"))],
        [Connection("in", "maps", kind="convolution", window=window, **options),
         Connection("maps", "own", draws.normal(0, 0.5, (4, int(np.prod(target)))))],
        [Readout("own")],
    )  # fmt: skip


GEOMETRIES = {
    "groups": (Window(groups=2, padding=1), (4, 1, 3, 3), nir.Conv2d),
    "padding on one side": (Window(padding=((1, 0), (0, 2)), stride=2), (3, 2, 3, 3), nir.Conv2d),
    "dilation": (Window(dilation=2, padding=((2, 0), (2, 0))), (3, 2, 3, 3), nir.Conv2d),
    "dilation and padding behind": (
        Window(dilation=2, padding=((0, 2), (0, 2))), (3, 2, 3, 3), nir.Conv2d,
    ),
    "a kernel that is not square": (Window(stride=(1, 2)), (3, 2, 3, 1), nir.Conv2d),
    "padding that no zeros can even": (
        Window(dilation=2, padding=((1, 0), (1, 0))), (3, 2, 3, 3), nir.Linear,
    ),
    "sums, each twice": (Window(stride=2, groups=2), (4, 1, 2, 2), nir.Conv2d),
    "sums with a distance": (Window(dilation=2, groups=2), (2, 1, 2, 2), nir.Conv2d),
    "sums": (Window(stride=2, groups=2), (2, 1, 2, 2), nir.SumPool2d),
    "averages": (Window(stride=(1, 2), groups=2), (2, 1, 3, 2), nir.AvgPool2d),
}  # fmt: skip


@pytest.mark.parametrize("name", GEOMETRIES)
def test_kernels_are_written_and_come_back(name, tmp_path):
    window, size, node = GEOMETRIES[name]
    sums = name.startswith("sums")
    weights = np.random.default_rng(9).normal(0.1, 0.5, size)
    weights = np.ones(size) if sums else np.full(size, 1 / 6) if name == "averages" else weights
    neurons = Cell(Lif, threshold=2.5 if sums else 0.5, decay=0.5, reset="zero")
    net = mapped(window, neurons, weights=weights)
    nir.write(tmp_path / "maps.nir", to_nir(net, dt=DT))
    assert type(nir.read(tmp_path / "maps.nir").nodes["in_to_maps"]) is node
    again = from_nir(tmp_path / "maps.nir", dt=DT)
    same(net, again, events(72))
    kinds = [link.kind for link in again.connections]
    assert kinds == ["dense" if node is nir.Linear else "convolution", "dense"]
    if node is not nir.Linear:
        assert again.connections[0].convolution.groups == window.groups


def test_sums_with_a_factor_for_each_channel_are_scaled():
    neurons = Cell(Lif, threshold=0.5, decay=0.5, reset="zero")
    factors = np.array([0.3, 0.0125])
    weights = np.broadcast_to(factors.reshape(2, 1, 1, 1), (2, 1, 2, 2))
    net = mapped(Window(stride=2, groups=2), neurons, weights=weights)
    nodes = to_nir(net, dt=DT).nodes
    assert type(nodes["in_to_maps_sums"]) is nir.SumPool2d
    assert np.allclose(
        nodes["in_to_maps"].scale, np.broadcast_to(factors[:, None, None], (2, 3, 3))
    )
    again = from_nir(to_nir(net, dt=DT), dt=DT)
    same(net, again, events(72))
    assert torch.equal(again.connections[0].weights, net.connections[0].weights)
    with torch.no_grad():
        net.connections[0].weights[1] *= -1
        assert type(to_nir(net, dt=DT).nodes["in_to_maps"]) is nir.Conv2d
        net.connections[0].weights[1, 0, 1, 1] *= -1
        assert type(to_nir(net, dt=DT).nodes["in_to_maps"]) is nir.Conv2d


@pytest.mark.parametrize("shape", [(2, 16), (8, 4), 32])
def test_flattened_maps_come_back_in_their_shape(shape):
    neurons = Cell(Lif, threshold=0.5, decay=0.5, reset="zero")
    weights = np.random.default_rng(3).normal(0.3, 0.5, 32)
    net = SpikingNetwork(
        [Input("in", (2, 4, 4))],
        [Layer("flat", shape, neurons)],
        [Connection("in", "flat", weights, kind="one_to_one")],
        [Readout("flat", "count")],
    )
    nodes = to_nir(net, dt=DT).nodes
    assert [type(nodes[name]) for name in ("in_to_flat_scale", "in_to_flat")] == [
        nir.Scale, nir.Flatten,
    ]  # fmt: skip
    again = from_nir(to_nir(net, dt=DT), dt=DT)
    assert (again.layer["flat"].shape, again.connections[0].kind) == (
        net.layer["flat"].shape, "one_to_one",
    )  # fmt: skip
    same_spikes = net.run(events(32)).differences(again.run(events(32)))
    assert same_spikes == []


def test_maxima_of_spikes_are_a_sum_and_a_threshold():
    neuron = If(width=4, threshold=1, fire=">=", reset="zero")
    net = mapped(
        Window(stride=2, groups=2), IntegerCell(neuron, scale=1.0), weights=np.ones((2, 1, 2, 2))
    )
    exported = to_nir(net, dt=DT)
    kinds = [type(exported.nodes[name]).__name__ for name in ("in_to_maps", "maps")]
    assert kinds == ["SumPool2d", "Threshold"]
    again = from_nir(exported, dt=DT)
    x = events(72, share=0.1)
    first, other = (network.run(x, record=["maps", "own"]) for network in (net, again))
    assert 0.05 < first.spikes["maps"].mean() < 0.9
    assert first.differences(other) == []
    weighted = mapped(
        Window(stride=2, groups=2), IntegerCell(neuron, scale=1.0), weights=-np.ones((2, 1, 2, 2))
    )
    with pytest.raises(TypeError, match=r"must be of If, Lif, .* in floating point"):
        to_nir(weighted, dt=DT)


def test_maxima_of_currents_are_refused_by_name():
    net = mapped(Window(), weights=np.ones((2, 2, 3, 3)), pooling=MaxPool(2))
    message = (
        "Pooling of 'in->maps' must be None to be in NIR, not MaxPool(size=2, stride=None, "
        "padding=0, dilation=1): SumPool2d and AvgPool2d add, and no node has a maximum; train "
        "with average pooling, or with a stride"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        to_nir(net, dt=DT)


def cell(**more):
    """Make a neuron with options."""
    return Cell(Lif, threshold=1.0, decay=0.5, **more)


REFUSED = [
    (lambda: layered(cell()), ValueError, "reset of layer 'own' must be 'zero', 'value' or"),
    (lambda: layered(cell(reset="zero", reset_timing="next_step")), ValueError,
     "reset_timing of layer 'own' must be 'immediate' to be a node of NIR, not 'next_step'"),
    (lambda: layered(cell(reset_timing="snntorch_immediate")), ValueError,
     "reset_timing of layer 'own' must be 'immediate' to be a node of NIR, "
     "not 'snntorch_immediate'"),
    (lambda: layered(cell(reset="zero", fire=">=")), ValueError,
     "fire of layer 'own' must be '>' to be a node of NIR, not '>='"),
    (lambda: layered(cell(reset="zero", refractory=2)), ValueError,
     "refractory of layer 'own' must be 0 to be a node of NIR, not 2"),
    (lambda: layered(cell(reset="zero", floor=-1.0)), ValueError,
     "floor of layer 'own' must be None to be a node of NIR, not -1.0"),
    (lambda: layered(Cell(CurrentLif, threshold=1.0, decay=0.5, current_decay=0.5, rest=-0.5,
                          reset="zero")), ValueError,
     "rest of layer 'own' must be 0.0 to be a node of NIR, not -0.5"),
    (lambda: layered(cell(reset="zero", v=0.5)), ValueError, "Rest v of layer 'own' must be 0"),
    (lambda: layered(Cell(AdaptiveLif, threshold=1.0, decay=0.5, rise=1.0, rise_decay=0.5)),
     TypeError, "Layer 'own' must be of If, Lif, CurrentLif, Integrator, Accumulator in floating"),
    (lambda: layered(Lif(width=8, threshold=3, decay=Decay.shift(1))), TypeError,
     "Layer 'own' must be of If, Lif, CurrentLif, Integrator, Accumulator in floating point"),
    (lambda: layered(cell(reset="zero"), readout="last"), ValueError,
     "Readout of layer 'own' must be 'count' or 'first' to be in NIR, not 'last'"),
    (lambda: layered(Cell(Lif, threshold=1.0, decay=np.linspace(0.5, 1, SIZE), reset="zero")),
     ValueError, "Decay of layer 'own' must be below 1 for all neurons, or 1 for all"),
    (lambda: layered(Cell(CurrentLif, threshold=1.0, decay=0.5, current_decay=1.0, reset="zero")),
     ValueError, "Current decay of layer 'own' must be below 1, not 1"),
]  # fmt: skip


@pytest.mark.parametrize("make, error, message", REFUSED)
def test_property_that_nir_cannot_express_is_refused(make, error, message):
    with pytest.raises(error) as caught:
        to_nir(make(), dt=DT)
    assert message in str(caught.value)


def test_optional_keys_may_be_left_out():
    net = layered(cell(reset_timing="next_step"))
    back = from_nir(
        to_nir(net, dt=DT, exact=False), dt=DT, reset="subtract", reset_timing="next_step"
    )
    same(net, back, events())
    with pytest.raises(ValueError, match="refractory"):
        to_nir(layered(cell(refractory=2)), dt=DT, exact=False)


def test_other_arguments():
    with pytest.raises(TypeError, match=r"Network must be a SpikingNetwork, .*of type int"):
        to_nir(3, dt=DT)
    spoilt = layered(cell(reset="zero"))
    spoilt.connections[0].weights.data[1, 0] = float("nan")
    with pytest.raises(ValueError, match="Weights of 'in->own' must be finite, not nan"):
        to_nir(spoilt, dt=DT)
    with pytest.raises(ValueError, match="Time step dt must be positive and finite, not 0"):
        to_nir(layered(cell(reset="zero")), dt=0)
    with pytest.raises(ValueError, match="Rule must be one of 'euler', 'exponential', not 'zoh'"):
        to_nir(layered(cell(reset="zero")), dt=DT, rule="zoh")
    with pytest.raises(ValueError, match="Decay of layer 'own' must be above 0 by the rule"):
        to_nir(layered(Cell(Lif, threshold=1.0, decay=0.0, reset="zero")), dt=DT,
               rule="exponential")  # fmt: skip
