"""Networks built part by part are those that are built at once, whatever the order of the parts."""

from collections import Counter

import numpy as np
import pytest
import torch

from spiker_hdl.model import Decay, If, Input, Integrator, Lif, Readout
from spiker_train import Cell, Connection, Duration, Layer, NetworkBuilder, SpikingNetwork

LEAK = Decay.shift(3)


def described():
    builder = NetworkBuilder("sum", seed=3)
    builder.input("in", 4)
    builder.layer("out", 2, Integrator, decay=LEAK)
    builder.layer("hidden", 8, Lif, threshold=1.0, decay=LEAK, bias=0.25)
    builder.connect("in", "hidden")
    builder.connect("hidden", "out", np.ones((2, 8)))
    builder.connect("hidden", "hidden", np.eye(8), delay=1)
    builder.readout("out", "last")
    return builder


def spikes(size, steps=6, samples=3, seed=0):
    drawn = np.random.default_rng(seed).random((samples, steps, size)) < 0.5
    return torch.from_numpy(drawn.astype(np.float32))


def traces(net, size):
    record = [f"{layer.name}.v" for layer in net.layers]
    with torch.no_grad():
        outcome = net(spikes(size), record=record)
    return {name: trace.numpy() for name, trace in {**outcome.states, **outcome.spikes}.items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert np.array_equal(a[name], b[name]), name


def test_it_is_the_network_that_is_built_at_once():
    net = described().build()
    at_once = SpikingNetwork(
        [Input("in", 4)],
        [
            Layer("hidden", 8, Cell(Lif, threshold=1.0, decay=LEAK), 0.25),
            Layer("out", 2, Cell(Integrator, decay=LEAK)),
        ],
        [
            Connection("hidden", "hidden", np.eye(8), delay=1),
            Connection("in", "hidden"),
            Connection("hidden", "out", np.ones((2, 8))),
        ],
        [Readout("out", "last")],
        seed=3,
        name="sum",
    )
    assert net.graph == at_once.graph
    assert_equal(traces(net, 4), traces(at_once, 4))


def test_it_can_be_built_again_and_networks_share_nothing():
    builder = described()
    first = builder.build()
    before = traces(first, 4)
    second = builder.build()
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    assert_equal(traces(first, 4), before)
    assert_equal(traces(builder.build(), 4), before)


# -- changes -------------------------------------------------------------------------------------


def test_parameters_are_changed_by_name():
    builder = described()
    builder.change("hidden", threshold=[2.0] * 8, reset="zero", bias=False)
    builder.change("in", high=3)
    builder.change("hidden->out", weights=np.zeros((2, 8)))
    net = builder.build()
    cell = net.layer["hidden"].cell
    assert isinstance(cell, Cell)
    assert cell.value("threshold").tolist() == [2.0] * 8
    assert cell.settings["reset"] == "zero"
    assert cell.value("decay") == LEAK.factor
    assert net.layer["hidden"].bias is None
    assert net.inputs[0].high == 3
    (link,) = (connection for connection in net.connections if connection.target == "out")
    assert not link.weights.any()


def test_a_connection_is_called_by_its_ends_and_delay():
    builder = described()
    builder.change("hidden->hidden late 1", delay=2)
    assert "hidden->hidden late 2" in builder.parts
    assert "hidden->hidden late 1" not in builder.parts
    builder.change("in->hidden", name="first")
    assert builder.remove("first") == ("first",)


def test_neurons_are_replaced_and_connections_stay():
    builder = described()
    builder.replace("hidden", If, threshold=2.0)
    assert builder.build().layer["hidden"].cell.kind is If
    builder.replace("hidden", Cell(Lif, threshold=1.0, decay=LEAK))
    net = builder.build()
    assert net.layer["hidden"].cell.kind is Lif
    assert net.layer["hidden"].size == 8
    assert len(net.connections) == 3


def test_what_hangs_on_a_layer_goes_with_it():
    builder = described()
    removed = builder.remove("out")
    assert removed == ("out", "hidden->out", "out")
    builder.readout("hidden", "count")
    assert [layer.name for layer in builder.build().layers] == ["hidden"]


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "add",
    [
        lambda builder: builder.input("hidden", 3),
        lambda builder: builder.layer("in", 3, If, threshold=1.0),
        lambda builder: builder.connect("in", "hidden"),
        lambda builder: builder.connect("in", "out", name="in->hidden"),
        lambda builder: builder.readout("out", "sum"),
        lambda builder: builder.change("hidden->out", name="in->hidden"),
    ],
)
def test_a_name_is_given_once(add):
    builder = described()
    parts = builder.parts
    with pytest.raises(ValueError, match=r"must be new, not '.*', which is taken"):
        add(builder)
    assert builder.parts == parts


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda b: b.change("hiden", threshold=2), "Part must be one of .*'hidden'.*not 'hiden'"),
        (lambda b: b.remove("hiden"), "Part must be one of .*not 'hiden'"),
        (lambda b: b.replace("in", If, threshold=1.0), "Layer must be one of 'hidden', 'out', not"),
        (lambda b: b.change("hidden", name="h"), "Name of 'hidden' must stay as it is"),
    ],
)
def test_a_part_that_does_not_exist_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act(described())


def test_unknown_parameters_are_refused_when_it_is_built():
    builder = described()
    builder.change("hidden", treshold=2.0)
    with pytest.raises(ValueError, match=r"Fields of Lif must be of .*, not 'treshold'"):
        builder.build()


def test_a_finished_cell_is_replaced_and_not_changed():
    builder = described()
    builder.replace("hidden", Cell(If, threshold=1.0))
    with pytest.raises(TypeError, match="threshold must be changed by cell="):
        builder.change("hidden", threshold=2.0)
    with pytest.raises(TypeError, match="values must be of a neuron class"):
        builder.replace("hidden", Cell(If, threshold=1.0), threshold=2.0)
    builder.change("hidden", cell=Cell(If, threshold=3.0))
    cell = builder.build().layer["hidden"].cell
    assert isinstance(cell, Cell)
    assert cell.value("threshold") == 3


def test_ends_that_do_not_exist_are_refused_when_it_is_built():
    builder = described()
    builder.connect("hidden", "beyond")
    with pytest.raises(ValueError, match=r"'hidden->beyond': target must be one of .*'beyond'"):
        builder.build()
    builder.layer("beyond", 2, If, threshold=1.0)
    builder.build()


def test_a_cycle_without_delay_is_refused_by_name():
    builder = NetworkBuilder()
    builder.input("in", 2)
    for name in "abc":
        builder.layer(name, 2, If, threshold=1.0)
    builder.connect("in", "a")
    for source, target in ("ab", "bc", "ca"):
        builder.connect(source, target)
    builder.readout("c", "count")
    with pytest.raises(ValueError, match=r"A cycle must have a delay.*(a -> b -> c|b -> c -> a)"):
        builder.build()
    builder.change("c->a", delay=1)
    builder.build()


def test_a_time_of_zero_is_no_delay():
    builder = NetworkBuilder(dt=1e-3)
    builder.input("in", 2)
    for name in "abc":
        builder.layer(name, 2, If, threshold=1.0)
    for source, target in (("in", "c"), ("a", "b")):
        builder.connect(source, target)
    builder.connect("c", "a", delay=Duration(0))
    builder.readout("b", "count")
    net = builder.build()
    assert [layer.name for layer in net.layers] == list(net.graph.order) == ["c", "a", "b"]
    assert net.dt == pytest.approx(1e-3)
    builder.connect("b", "c", delay=Duration(0), name="back")
    with pytest.raises(ValueError, match="A cycle must have a delay"):
        builder.build()
    with pytest.raises(ValueError, match="Step dt must be a positive number of seconds, not -1"):
        NetworkBuilder(dt=-1)


# -- order ---------------------------------------------------------------------------------------


def graph(rng, layers):
    """Draw a graph without cycles but by delay: calls of the builder that describe its nodes."""
    names = [f"n{k}" for k in rng.permutation(layers)]
    calls: list[tuple[str, tuple, dict]] = [("input", ("in", 3), {})]
    links = []
    for k, name in enumerate(names):
        kind = (
            (Lif, {"threshold": 0.75, "decay": LEAK})
            if k < layers - 1
            else (If, {"threshold": 1.0})
        )
        calls.append(("layer", (name, int(rng.integers(1, 4)), kind[0]), kind[1]))
        sources = ["in", *names[:k]]
        for source in rng.choice(sources, min(len(sources), 2), replace=False):
            links.append((str(source), name, int(rng.integers(0, 2))))
    source, target = names[-1], names[int(rng.integers(0, layers))]
    links.append((source, target, 2))
    unique = {(a, b, delay) for a, b, delay in links}
    calls += [("connect", (a, b), {"delay": delay}) for a, b, delay in sorted(unique)]
    return calls, names[-1]


def check_graph(seed, orders=5):
    rng = np.random.default_rng(seed)
    calls, last = graph(rng, int(rng.integers(2, 7)))
    results = []
    for _ in range(orders):
        builder = NetworkBuilder(seed=seed)
        for n in rng.permutation(len(calls)):
            what, arguments, options = calls[n]
            getattr(builder, what)(*arguments, **options)
        builder.readout(last, "count")
        net = builder.build()
        results.append((net.graph.order, traces(net, 3)))
    for order, result in results[1:]:
        assert order == results[0][0]
        assert_equal(result, results[0][1])
    # A layer comes after all that reach it without delay.
    place = {name: n for n, name in enumerate(results[0][0])}
    for what, ends, options in calls:
        if what == "connect" and ends[0] != "in" and not options["delay"]:
            assert place[ends[0]] < place[ends[1]]
    return results[0][1]


def test_the_order_of_adding_changes_nothing():
    fired = Counter()
    for seed in range(3):
        fired.update(bool(trace.any()) for trace in check_graph(seed, orders=3).values())
    assert fired[True] > fired[False]


@pytest.mark.slow
def test_the_order_of_adding_changes_nothing_in_a_thousand_graphs():
    for seed in range(8, 1008):
        check_graph(seed)


def test_random_weights_do_not_depend_on_the_order_of_the_lists():
    def parts():
        cell = {"threshold": 1.0, "decay": LEAK}
        layers = [Layer(name, 3, Cell(Lif, **cell)) for name in ("b", "a", "c")]
        layers.append(Layer("out", 2, Cell(Integrator, decay=LEAK)))
        ends = [("in", "b"), ("in", "a"), ("a", "b"), ("b", "c"), ("c", "out"), ("a", "out")]
        links = [Connection(*pair) for pair in ends]
        return layers, [*links, Connection("c", "a", delay=1), Connection("b", "a", delay=2)]

    def weights(shuffled):
        random = np.random.default_rng(shuffled)
        layers, links = parts()
        if shuffled:
            random.shuffle(layers)
            random.shuffle(links)
        net = SpikingNetwork([Input("in", 4)], layers, links, [Readout("out", "last")], seed=5)
        return {link.name: link.weights.detach().numpy() for link in net.connections}

    expected = weights(0)
    for shuffled in range(1, 6):
        assert_equal(weights(shuffled), expected)
    builder = NetworkBuilder(seed=5)
    builder.input("in", 4)
    layers, links = parts()
    for link in reversed(links):
        builder.connect(link.source, link.target, delay=link.delay)
    for layer in layers:
        builder.layer(layer.name, layer.size, layer.cell)
    builder.readout("out", "last")
    assert_equal(
        {link.name: link.weights.detach().numpy() for link in builder.build().connections}, expected
    )
