"""NIR graphs that are read: linear maps, delays, subgraphs and cycles."""

import re

import nir
import numpy as np
import pytest
import torch

from spiker_train import from_nir, to_nir
from spiker_train.formats.nir.rules import Rules

from support.nir_graphs import (
    CHANNELS,
    DT,
    SIZE,
    affine,
    chain,
    compare,
    events,
    graph,
    neurons,
)
from support.nir_reference import integrate


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- linear maps and delays ----------------------------------------------------------------------


def test_linear_nodes_fold_along_all_paths():
    random = np.random.default_rng(5)
    exported = graph(
        "x a s n y", "x b n", "x s2 c n",
        x=nir.Input([CHANNELS]), a=affine(SIZE, CHANNELS), b=affine(SIZE, CHANNELS, 7, bias=False),
        s=nir.Scale(random.normal(0, 1, SIZE)), s2=nir.Scale(random.normal(0, 1, CHANNELS)),
        c=affine(SIZE, CHANNELS, 8), n=neurons("LIF"), y=nir.Output([SIZE]),
    )  # fmt: skip
    net = compare(exported, events(3), {"n": ("n", "n")})
    assert len(net.connections) == 1


@pytest.mark.parametrize("depth", ["one", "stack"])
def test_matrices_for_parts_of_the_input(depth):
    random = np.random.default_rng(5)
    if depth == "one":
        exported = chain(neurons("LIF"))
    else:
        weight, bias = random.normal(0.1, 1, (2, 6, 5)), random.normal(0, 0.3, (2, 6))
        exported = graph(
            "x w n y", x=nir.Input([2, 5]), w=nir.Affine(weight, bias),
            n=neurons("LIF", shape=(2, 6)), y=nir.Output([2, 6]),
        )  # fmt: skip
    net = compare(exported, events(3), {"n": ("n", "n")})
    assert net.layer["n"].shape == (SIZE if depth == "one" else (2, 6))


WINDOWS = [
    nir.Conv2d((6, 6), np.random.default_rng(1).normal(0.05, 0.6, (3, 2, 3, 3)), 1, 1, 1, 1,
               np.array([0.1, 0.0, -0.2])),
    nir.Conv2d((6, 6), np.random.default_rng(2).normal(0.05, 0.6, (4, 1, 3, 2)), (2, 1), (1, 0),
               (1, 2), 2, np.zeros(4)),
    nir.Conv2d((6, 6), np.random.default_rng(2).normal(0.1, 0.6, (2, 2, 3, 5)), 1, "same", 1, 1,
               np.zeros(2)),
    nir.AvgPool2d(np.array([2, 3]), np.array([2, 3]), np.array([0, 0])),
    nir.SumPool2d(np.array([3, 3]), np.array([2, 2]), np.array([1, 1])),
]  # fmt: skip


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: type(window).__name__)
def test_windows_before_neurons_of_several_resistances_are_unrolled(window):
    exported = nir.NIRGraph(
        {"x": nir.Input([2, 6, 6]), "c": window, "y": nir.Output(None)},
        [("x", "c"), ("c", "y")], type_check=False,
    )  # fmt: skip
    shape = integrate(exported, events(3, 72)[:, :1], DT)[0]["c"].shape[2:]
    exported = nir.NIRGraph(
        {"x": nir.Input([2, 6, 6]), "c": window, "n": neurons("LIF", shape=shape),
         "f": nir.Flatten(None, 0), "w": affine(SIZE, int(np.prod(shape))), "m": neurons("IF"),
         "y": nir.Output([SIZE])},
        [("x", "c"), ("c", "n"), ("n", "f"), ("f", "w"), ("w", "m"), ("m", "y")],
        type_check=False,
    )  # fmt: skip
    nodes = dict(exported.nodes)
    nodes["f"] = nir.Flatten({"input": np.array(shape)}, 0)
    exported = nir.NIRGraph(nodes, exported.edges, type_check=False)
    net = from_nir(exported, dt=DT)
    report = net.import_report
    name = f"{type(window).__name__} 'c'"
    assert report.unrolled == (name,)
    assert f"{name} unrolled since LIF 'n' has several factors in a channel" in str(report)
    assert net.layer["n"].shape == shape
    compare(exported, events(3, 72), {"n": ("n", "n"), "m": ("m", "m")}, least=0.005)


def even(shape, threshold):
    """Make neurons with the same parameters, whose currents have a weight of 1."""
    values = {"r": 4.0, "tau": 4 * DT, "v_leak": 0.0, "v_threshold": threshold, "v_reset": 0.0}
    return nir.LIF(**{name: np.full(shape, value) for name, value in values.items()})


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: type(window).__name__)
def test_windows_stay_windows_both_ways(window, tmp_path):
    ends = [("x", "c"), ("c", "y")]
    probe = {"x": nir.Input([2, 6, 6]), "c": window, "y": nir.Output(None)}
    probe_graph = nir.NIRGraph(probe, ends, type_check=False)
    shape = integrate(probe_graph, events(3, 72)[:, :1], DT)[0]["c"].shape[2:]
    nodes = {"x": nir.Input([2, 6, 6]), "c": window, "n": even(shape, 0.8), "y": nir.Output(shape)}
    nodes["n"].v_threshold *= {nir.SumPool2d: 8.0, nir.AvgPool2d: 1.0}.get(type(window), 1.0)
    edges = [("x", "c"), ("c", "n"), ("n", "y")]
    net = compare(
        nir.NIRGraph(nodes, edges, type_check=False), events(3, 72), {"n": ("n", "n")}, least=0.005
    )
    name = f"{type(window).__name__} 'c'"
    assert f"{name} kept as a convolution of 2x6x6 to " in str(net.import_report)
    assert net.import_report.unrolled == ()
    (link,) = net.connections
    assert (net.layer["n"].shape, link.kind) == (shape, "convolution")
    nir.write(tmp_path / "again.nir", to_nir(net, dt=DT))
    written = nir.read(tmp_path / "again.nir").nodes["x_to_n"]
    assert type(written) is type(window)
    # Convolutions whose kernel is not square have more zeros: nir infers wrong shapes for them.
    square = not hasattr(window, "weight") or len(set(window.weight.shape[2:])) == 1
    again = from_nir(tmp_path / "again.nir", dt=DT, dtype=torch.float64)
    if square:
        assert torch.equal(again.connections[0].weights, link.weights)
    x = events(3, 72)
    first, second = (n.run(x, record=["n"]).spikes["n"] for n in (net, again))
    assert np.array_equal(first, second)


def test_a_convolution_of_one_dimension():
    weight = np.random.default_rng(3).normal(0.1, 0.8, (3, 2, 3))
    window = nir.Conv1d(5, weight, 2, 1, 1, 1, np.array([0.1, 0.0, -0.2]))
    exported = graph(
        "x c n y", x=nir.Input([2, 5]), c=window, n=neurons("LIF", shape=(3, 3)),
        y=nir.Output([3, 3]),
    )  # fmt: skip
    compare(exported, events(3), {"n": ("n", "n")})


def test_a_large_map_without_one_kernel_is_refused():
    exported = graph(
        "x p c n y", x=nir.Input([2, 7, 7]),
        p=nir.AvgPool2d(*map(np.array, ([2, 2], [2, 2], [0, 0]))),
        c=nir.Conv2d((3, 3), np.ones((3, 2, 3, 3)), 1, 1, 1, 1, np.zeros(3)),
        n=neurons("LIF", shape=(3, 3, 3)), y=nir.Output([3, 3, 3]),
    )  # fmt: skip
    message = (
        "Conv2d 'c' must unroll into at most 485 weights, not 486 from (2, 3, 3) to (3, 3, 3), "
        "since the padding of Conv2d 'c' lies where AvgPool2d 'p' would have more windows: "
        "unrolled=486 allows as many"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_nir(exported, dt=DT, unrolled=485)
    net = from_nir(exported, dt=DT, unrolled=486)
    assert net.import_report.unrolled == ("AvgPool2d 'p'", "Conv2d 'c'")
    compare(exported, events(3, 98), {"n": ("n", "n")})


def test_delays_are_of_connections_in_groups():
    late = np.repeat([0.0, 2.0, 5.0], 4) * DT
    exported = graph(
        "x w d n m y", x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS, bias=False),
        d=nir.Delay(late), n=neurons("LIF"), m=neurons("Threshold"), y=nir.Output([SIZE]),
    )  # fmt: skip
    net = compare(exported, events(3), {"n": ("n", "n"), "m": ("m", None)})
    assert sorted(connection.delay for connection in net.connections) == [0, 0, 2, 5]
    exported.nodes["d"] = nir.Delay(late + 0.4 * DT)
    with pytest.raises(ValueError, match="delay of Delay 'd' must be a multiple of dt"):
        from_nir(exported, dt=DT)
    exported.nodes["d"], exported.nodes["w"] = nir.Delay(late), affine(SIZE, CHANNELS)
    with pytest.raises(ValueError, match="Delay 'd' must delay spikes alone, not a bias"):
        from_nir(exported, dt=DT)


# -- graphs --------------------------------------------------------------------------------------


def test_an_integrator_and_a_threshold_are_one_layer():
    for kind in ("I", "LI", "CubaLI"):
        exported = graph(
            "x w n t w2 m y", "n z",
            x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), n=neurons(kind),
            t=nir.Threshold(np.linspace(-0.5, 1, SIZE)), w2=affine(SIZE, SIZE, 9),
            m=neurons("LIF"), y=nir.Output([SIZE]), z=nir.Output([SIZE]),
        )  # fmt: skip
        net = compare(exported, events(3), {"n": ("t", "n"), "m": ("m", "m")}, least=0.01)
        assert {(readout.population, readout.kind) for readout in net.readouts} == {
            ("n", "last"), ("m", "count"),
        }  # fmt: skip


def test_an_output_may_be_a_sum_of_spikes():
    exported = graph(
        "x w n w2 y", "n y",
        x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), n=neurons("LIF"),
        w2=affine(SIZE, SIZE, 9), y=nir.Output([SIZE]),
    )  # fmt: skip
    x = events(3)
    net = compare(exported, x, {"n": ("n", "n")})
    with torch.no_grad():
        states = net(x, record=["y.v"]).states["y.v"].numpy()
    np.testing.assert_allclose(states, integrate(exported, x, DT)[0]["y"], 0, 1e-10)
    assert net.readouts[0].population == "y"
    assert net.readouts[0].kind == "last"


def test_an_output_that_is_more_than_a_layer():
    exported = graph(
        "x w a y", "x u b y", "a z", "a late l", "one bias o", "x v one",
        x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), u=affine(SIZE, CHANNELS, 4),
        a=neurons("LIF"), b=neurons("IF"), v=affine(1, CHANNELS), one=neurons("IF", shape=(1,)),
        bias=nir.Affine(np.ones((1, 1)), np.array([0.25])), late=nir.Delay(np.full(SIZE, DT)),
        y=nir.Output([SIZE]), z=nir.Output([SIZE]), l=nir.Output([SIZE]), o=nir.Output([1]),
    )  # fmt: skip
    x = events(3)
    net = from_nir(exported, dt=DT, dtype=torch.float64)
    assert {(readout.population, readout.kind) for readout in net.readouts} == {
        ("y", "last"), ("a", "count"), ("l", "last"), ("o", "last"),
    }  # fmt: skip
    outputs, _ = integrate(exported, x, DT)
    with torch.no_grad():
        states = net(x, record=["y.v", "l.v", "o.v"]).states
    for name in "ylo":
        np.testing.assert_allclose(states[f"{name}.v"].numpy(), outputs[name], 0, 1e-10)


def test_delays_add_up():
    late = np.arange(SIZE) % 3 * DT
    exported = graph(
        "x w d e n y", x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS, bias=False),
        d=nir.Delay(late), e=nir.Delay(3 * late), n=neurons("LIF"), y=nir.Output([SIZE]),
    )  # fmt: skip
    net = compare(exported, events(3), {"n": ("n", "n")})
    assert sorted(connection.delay for connection in net.connections) == [0, 4, 8]


def ring(kind, weights, inside=None):
    """Make neurons with a connection to themselves, as a graph of its own."""
    return graph(
        "input lif w_rec lif output", input=nir.Input([SIZE]), lif=neurons(kind, 3),
        w_rec=weights, output=nir.Output([SIZE]),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_recurrence_is_one_step_late(kind, bias, nested):
    inner = ring(kind, affine(SIZE, SIZE, 4, bias))
    around = {
        "x": nir.Input([CHANNELS]), "w": affine(SIZE, CHANNELS), "y": nir.Output([SIZE]),
    }  # fmt: skip
    if nested:
        deeper = graph(
            "i r o", i=nir.Input([SIZE]), r=inner, o=nir.Output([SIZE])
        )  # fmt: skip
        exported, name = graph("x w g y", g=deeper, **around), "g.r.lif"
    else:
        more = {f"r.{part}": inner.nodes[part] for part in ("lif", "w_rec")}
        exported, name = graph("x w r.lif r.w_rec r.lif y", **more, **around), "r.lif"
    net = compare(exported, events(3), {name.replace(".", "_"): (name, name)})
    loop = next(
        connection for connection in net.connections if connection.source == connection.target
    )
    assert loop.delay == 1
    assert len(net.connections) == 2


def test_a_longer_cycle_is_late_where_it_leads_back():
    exported = graph(
        "x w a ab b y", "b bc c ca a", "a ac c",
        x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), y=nir.Output([SIZE]),
        a=neurons("LIF", 1), b=neurons("LIF", 2), c=neurons("IF", 3),
        ab=affine(SIZE, SIZE, 2), bc=affine(SIZE, SIZE, 3), ca=affine(SIZE, SIZE, 4),
        ac=affine(SIZE, SIZE, 5),
    )  # fmt: skip
    net = from_nir(exported, dt=DT)
    delays = {
        (connection.source, connection.target): connection.delay for connection in net.connections
    }
    # c is as far from the input as b, so that nothing says which of the two comes first.
    assert delays == {("x", "a"): 0, ("a", "b"): 0, ("a", "c"): 0, ("b", "c"): 1, ("c", "a"): 1}


def test_a_cycle_with_a_delay_is_as_late_as_that():
    exported = graph(
        "x w n r d n y", x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), n=neurons("LIF"),
        r=affine(SIZE, SIZE, 4, bias=False), d=nir.Delay(np.full(SIZE, 3 * DT)),
        y=nir.Output([SIZE]),
    )  # fmt: skip
    loop = next(
        connection
        for connection in from_nir(exported, dt=DT).connections
        if connection.source == connection.target
    )
    assert loop.delay == 3


def test_several_inputs_and_outputs():
    exported = graph(
        "x w a y", "z v a", "a u b o",
        x=nir.Input([CHANNELS]), z=nir.Input([4]), w=affine(SIZE, CHANNELS), v=affine(SIZE, 4, 3),
        a=neurons("LIF"), y=nir.Output([SIZE]), u=affine(5, SIZE, 4), b=neurons("LI", shape=(5,)),
        o=nir.Output([5]),
    )  # fmt: skip
    x = {"x": events(3), "z": events(4, 4)}
    net = compare(exported, x, {"a": ("a", "a"), "b": (None, "b")})
    assert [(readout.population, readout.kind) for readout in net.readouts] == [
        ("a", "count"),
        ("b", "last"),
    ]
    assert [readout.kind for readout in from_nir(exported, dt=DT, readout="sum").readouts] == [
        "sum",
        "sum",
    ]


def test_names_become_names_of_layers():
    exported = nir.NIRGraph(
        {"x": nir.Input([SIZE]), "a.b": neurons("LIF"), "a_b": neurons("LIF", 2),
         "y": nir.Output([SIZE])},
        [("x", "a.b"), ("a.b", "a_b"), ("a_b", "y")],
    )  # fmt: skip
    assert [layer.name for layer in from_nir(exported, dt=DT).layers] == ["a_b", "a_b_2"]


def test_report_describes_every_layer_and_connection():
    exported = chain(neurons("LIF"))
    report = from_nir(exported, dt=DT, name="net").import_report
    assert report.rules == Rules(DT)
    assert report.lines == (
        "dt = 0.001, decays by the rule 'euler'",
        "input 'x' of 10, 0 to 1",
        "LIF 'n' is layer 'n': Lif, threshold by neuron, reset_value by neuron, "
        "decay by neuron, reset value",
        "'x' to 'n': Affine 'w' folded into a dense projection of 10 to 12 with 120 weights",
        "n answers: count: its spikes reach an output, and NIR does not say how they are read",
    )
    line = from_nir(exported, dt=DT, readout="sum").import_report.lines[-1]
    assert line == "n answers: sum: readout='sum' says so"
    message = from_nir(chain(neurons("LI")), dt=DT).import_report.lines[-1]
    assert (
        message
        == "n answers: last: its values reach an output, and NIR does not say how they are read"
    )


@pytest.mark.filterwarnings("ignore::spiker_train.network.plausibility.ImplausibleWarning")
def test_a_graph_is_left_as_it_is():
    exported = chain(neurons("CubaLIF"))
    before = {key: np.copy(value) for key, value in vars(exported.nodes["n"]).items()
              if isinstance(value, np.ndarray)}  # fmt: skip
    from_nir(exported, writer="norse")
    for key, value in before.items():
        np.testing.assert_array_equal(value, getattr(exported.nodes["n"], key))
    assert list(exported.nodes) == ["x", "w", "n", "y"]


# -- at random -----------------------------------------------------------------------------------


def drawn(seed):
    """Draw a graph: neurons of all kinds, paths that fork and join, and what lies on them."""
    random = np.random.default_rng(seed)
    fires = ["IF", "LIF", "CubaLIF", "Threshold"]
    nodes = {"x": nir.Input([CHANNELS])}
    edges, sizes = [], {"x": CHANNELS}

    def path(source, target):
        size, before = sizes[source], source
        parts = [choice for choice in ("Scale", "Delay") if random.random() < 0.3] + ["matrix"]
        parts += [choice for choice in ("Scale",) if random.random() < 0.3]
        for part in parts:
            name = f"{source}_{target}_{len(nodes)}"
            if part == "matrix":
                node = affine(sizes[target], size, int(random.integers(99)), random.random() < 0.6)
                size = sizes[target]
            elif part == "Scale":
                node = nir.Scale(random.uniform(0.5, 1.5, size))
            else:
                node = nir.Delay(random.integers(0, 4, size) * DT)
            nodes[name] = node
            edges.append((before, name))
            before = name
        edges.append((before, target))

    for n in range(int(random.integers(2, 5))):
        name, sizes[f"n{n}"] = f"n{n}", int(random.integers(3, 9))
        kind = str(random.choice(fires))
        nodes[name] = neurons(kind, int(random.integers(99)), (sizes[name],))
        for source in [f"n{n - 1}" if n else "x"] + [
            size for size in list(sizes)[:-2] if random.random() < 0.4
        ]:
            path(source, name)
        if kind != "Threshold" and random.random() < 0.5:
            nodes[f"{name}_loop"] = affine(sizes[name], sizes[name], n, random.random() < 0.5)
            edges += [(name, f"{name}_loop"), (f"{name}_loop", name)]
    if random.random() < 0.5:
        nodes["v"] = neurons(str(random.choice(["I", "LI", "CubaLI"])), 1, (4,))
        sizes["v"] = 4
        path(name, "v")
        name = "v"
    nodes["y"] = nir.Output([sizes[name]])
    edges.append((name, "y"))
    return nir.NIRGraph(nodes, edges), [
        node for node in nodes if node[0] in "nv" and "_" not in node
    ]


def compare_drawn(seeds):
    """Compare graphs drawn at random; return the activity of layers, and delays and loops."""
    alive, late, loops = [], 0, 0
    for seed in seeds:
        graph_, names = drawn(seed)
        x = events(seed)
        rule = ("euler", "exponential")[seed % 2]
        outputs, states = integrate(graph_, x, DT, rule)
        net = from_nir(graph_, dt=DT, rule=rule, dtype=torch.float64)
        with torch.no_grad():
            result = net(x, record=[f"{name}.v" for name in names])
        for name in names:
            if name == "v":
                np.testing.assert_allclose(result.states["v.v"], states["v"], 0, 1e-9)
                continue
            np.testing.assert_array_equal(result.spikes[name], outputs[name])
            alive.append(outputs[name].mean())
        late += sum(
            connection.delay > 0
            for connection in net.connections
            if connection.source != connection.target
        )
        loops += sum(connection.source == connection.target for connection in net.connections)
    print(f"\n{len(alive)} layers of {len(seeds)} graphs, {late} late connections, {loops} loops")
    assert np.mean([0.02 < flag < 0.6 for flag in alive]) > 0.6
    assert late > len(seeds)
    assert loops > len(seeds) / 2


def test_random_graphs():
    compare_drawn(range(10))


@pytest.mark.slow
def test_many_random_graphs():
    compare_drawn(range(10, 160))
