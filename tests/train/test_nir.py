"""NIR graphs that are read: against their equations, integrated node by node."""

import itertools

import nir
import numpy as np
import pytest
import torch
from train.nir_reference import integrate

from spiker_hdl.model import Accumulator, CurrentLif, If, Integrator, Lif
from spiker_train import from_nir, from_nir_with_report
from spiker_train.nir_rules import Rules

DT = 1e-3
SIZE, CHANNELS, SAMPLES, STEPS = 12, 10, 6, 40
KINDS = ("IF", "LIF", "CubaLIF", "I", "LI", "CubaLI", "Threshold")


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def events(seed, channels=CHANNELS, share=0.3):
    """Make binary spikes at random."""
    return (np.random.default_rng(seed).random((SAMPLES, STEPS, channels)) < share).astype(np.uint8)


def neurons(kind, seed=0, shape=(SIZE,), dt=DT):
    """Draw a node with all its parameters, for each neuron; ``dt`` is its order of time."""
    random = np.random.default_rng(seed)

    def draw(low, high):
        return random.uniform(low, high, shape)

    leak = {"r": draw(0.5, 2.0), "v_leak": draw(-0.2, 0.3)}
    times = {"tau": draw(3, 20) * dt}
    fires = {"v_threshold": draw(0.4, 0.9), "v_reset": draw(-0.3, 0.2)}
    if kind in {"I", "IF"}:
        leak, times = {"r": draw(0.05, 0.2) / dt}, {}
    if kind.startswith("Cuba"):
        times = {"tau_mem": draw(3, 20) * dt, "tau_syn": draw(2, 10) * dt, "w_in": draw(0.5, 4)}
    if kind == "Threshold":
        return nir.Threshold(draw(0.1, 0.9))
    return getattr(nir, kind)(**leak, **times, **(fires if kind.endswith("F") else {}))


def affine(outputs, inputs, seed=1, bias=True):
    """Draw a matrix, with a bias."""
    random = np.random.default_rng(seed)
    weight = random.normal(0.1, 1.0, (outputs, inputs))
    return nir.Affine(weight, random.normal(0, 0.3, outputs)) if bias else nir.Linear(weight)


def graph(*edges, **nodes):
    """Make a graph of nodes by name and edges such as ``"a b c"``, a path."""
    pairs = []
    for path in edges:
        names = path.split()
        pairs += list(itertools.pairwise(names))
    return nir.NIRGraph(nodes, pairs)


def chain(node, **more):
    """Make a graph of a matrix and neurons."""
    width = int(np.prod(node.input_type["input"]))
    return graph(
        "x w n y", x=nir.Input([CHANNELS]), w=affine(width, CHANNELS), n=node,
        y=nir.Output(node.input_type["input"]), **more,
    )  # fmt: skip


def compare(made, x, layers, dt=DT, least=0.01, **options):
    """Read a graph and compare spikes and potentials with its equations; return the network.

    ``layers`` gives for each layer of ours the node of its spikes and that of its potentials.
    """
    writes = {key: options[key] for key in ("rule", "start") if key in options}
    outputs, states = integrate(made, x, dt, **writes)
    net = from_nir(made, dt=dt, dtype=torch.float64, **options)
    record = [name for name in layers if net.layer[name].cell.spiking]
    with torch.no_grad():
        found = net(x, record=record + [f"{name}.v" for name in layers])
    for name, (spikes, potentials) in layers.items():
        if spikes is not None:
            theirs = outputs[spikes].reshape(*outputs[spikes].shape[:2], -1)
            assert least < theirs.mean() < 0.9
            np.testing.assert_array_equal(found.spikes[name].numpy(), theirs)
        if potentials is not None:
            theirs = states[potentials].reshape(*states[potentials].shape[:2], -1)
            assert np.abs(theirs).max() > 0.3
            np.testing.assert_allclose(found.states[f"{name}.v"].numpy(), theirs, 0, 1e-10)
    return net


@pytest.mark.parametrize("start", ["zero", "leak"])
@pytest.mark.parametrize("rule", ["euler", "exponential"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_node(kind, rule, start):
    fires = kind.endswith("F") or kind == "Threshold"
    layers = {"n": ("n" if fires else None, None if kind == "Threshold" else "n")}
    net = compare(chain(neurons(kind)), events(2), layers, rule=rule, start=start)
    cell = net.layer["n"].cell
    assert cell.kind is {
        "IF": If, "LIF": Lif, "CubaLIF": CurrentLif, "I": Accumulator, "LI": Integrator,
        "CubaLI": CurrentLif, "Threshold": Lif,
    }[kind]  # fmt: skip
    assert net.readouts[0].kind == ("count" if fires else "last")


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
def test_one_parameter_at_a_time_matters(kind):
    # A parameter that was dropped would leave the potentials as they are.
    x, base = events(2), chain(neurons(kind))
    with torch.no_grad():
        plain = from_nir(base, dt=DT, dtype=torch.float64)(x, record=["n.v"]).states["n.v"]
    parameters = [one for one, value in vars(base.nodes["n"]).items() if np.shape(value) == (SIZE,)]
    assert len(parameters) == (5 if kind == "LIF" else 7)
    for one in parameters:
        node = neurons(kind)
        setattr(node, one, getattr(node, one) * 1.5)
        net = compare(chain(node), x, {"n": ("n", "n")})
        with torch.no_grad():
            assert (net(x, record=["n.v"]).states["n.v"] != plain).any()


def test_a_leaky_neuron_by_hand():
    # tau 4, dt 1, r 2, v_leak 1: beta 3/4, weights times 1/2, bias 1/4 (1 + 2 b).
    node = nir.LIF(*(np.array([one]) for one in (4.0, 2.0, 1.0, 2.0, -1.0)))
    made = graph(
        "x w n y", x=nir.Input([1]), w=nir.Affine(np.array([[3.0]]), np.array([0.5])), n=node,
        y=nir.Output([1]),
    )  # fmt: skip
    net = from_nir(made, dt=1.0)
    (link,) = net.connections
    assert link.weights.tolist() == [1.5]
    assert link.kind == "one_to_one"
    assert net.layer["n"].bias.tolist() == [0.5]
    cell = net.layer["n"].cell
    values = {one: float(cell.real(one)) for one in ("threshold", "decay", "reset_value", "v")}
    assert values == {"threshold": 2.0, "decay": 0.75, "reset_value": -1.0, "v": 0.0}
    with torch.no_grad():
        found = net(np.array([[[1], [0], [1], [0]]]), record=["n.v"])
    # 2.0 is not above 2; 0.75 * 2 + 0.5 = 2; then 0.75 * 2 + 2 = 3.5 fires; -0.75 + 0.5.
    assert found.states["n.v"].ravel().tolist() == [2.0, 2.0, -1.0, -0.25]
    assert found.spikes["n"].ravel().tolist() == [0, 0, 1, 0]
    sharp = from_nir(made, dt=1.0, rule="exponential").layer["n"].cell
    assert float(sharp.real("decay")) == pytest.approx(np.exp(-0.25), abs=1e-15)


def test_a_synapse_of_the_step_before_by_hand():
    # alpha 1/2, beta 3/4; g = 1/4 * 2 * 1/2 * 4 = 1; c = 1/4; bias (1/2) / 4 + 1/2.
    node = nir.CubaLIF(*(np.array([one]) for one in (2.0, 4.0, 2.0, 1.0, 99.0, 0.0, 4.0)))
    made = graph(
        "x w n y", x=nir.Input([1]), w=nir.Affine(np.array([[3.0]]), np.array([0.5])), n=node,
        y=nir.Output([1]),
    )  # fmt: skip
    x = np.array([[[1], [0], [1], [0], [0]]])
    v = i = 0.0
    wanted = []
    for (given,) in x[0]:
        flows = i
        i = i / 2 + 2.0 * (3 * given + 0.5)
        v = 0.75 * v + 0.25 * (1 + 2 * flows)
        wanted.append(v)
    net = from_nir(made, dt=1.0, current="old", dtype=torch.float64)
    assert net.connections[0].delay == 1
    with torch.no_grad():
        found = net(x, record=["n.v"]).states["n.v"].ravel().tolist()
    assert found == pytest.approx(wanted, abs=1e-12)
    assert found[0] == 0.25  # no current has come
    with torch.no_grad():
        new = from_nir(made, dt=1.0, dtype=torch.float64)(x, record=["n.v"]).states["n.v"]
    assert new.ravel()[0] == 0.25 * (1 + 2 * 2 * 3.5)


def test_resets_that_nir_does_not_say():
    node = nir.LIF(*(np.array([one]) for one in (2.0, 2.0, 0.0, 1.0, 0.0)))
    made = graph("x n y", x=nir.Input([1]), n=node, y=nir.Output([1]))
    x = np.array([[[2], [0], [2]]])

    def potentials(**options):
        with torch.no_grad():
            found = from_nir(made, dt=1.0, values=(0, 2), **options)(x, record=["n.v"])
        return found.states["n.v"].ravel().tolist()

    assert potentials() == [0.0, 0.0, 0.0]
    assert potentials(reset="subtract") == [1.0, 0.5, 1.25]
    assert potentials(reset="subtract", late=True) == [2.0, 0.0, 2.0]
    assert from_nir(made, dt=1.0, fire=">=").layer["n"].cell.settings["fire"] == ">="


def test_what_all_neurons_share_is_one_number():
    values = [np.full(SIZE, one) for one in (4e-3, 4.0, 0.0, 1.0, 0.0)]
    net = from_nir(chain(nir.LIF(*values)), dt=DT)
    assert net.layer["n"].cell.sizes == set()
    weight = torch.as_tensor(affine(SIZE, CHANNELS).weight).float()
    assert torch.equal(net.connections[0].weights, weight)  # r is tau / dt, up to its rounding


def test_numbers_for_all_take_the_shape_that_comes():
    values = [np.array(one, dtype=np.float32) for one in (4e-3, 4.0, 0.0, 1.0, 0.0)]
    made = nir.NIRGraph(
        {"x": nir.Input([CHANNELS]), "w": affine(SIZE, CHANNELS), "n": nir.LIF(*values),
         "y": nir.Output([SIZE])},
        [("x", "w"), ("w", "n"), ("n", "y")], type_check=False,
    )  # fmt: skip
    net = from_nir(made, dt=DT)
    assert net.layer["n"].size == SIZE
    assert torch.equal(net.connections[0].weights,
                       torch.as_tensor(affine(SIZE, CHANNELS).weight).float())  # fmt: skip


# -- linear maps and delays ----------------------------------------------------------------------


def test_linear_nodes_fold_along_all_paths():
    random = np.random.default_rng(5)
    made = graph(
        "x a s n y", "x b n", "x s2 c n",
        x=nir.Input([CHANNELS]), a=affine(SIZE, CHANNELS), b=affine(SIZE, CHANNELS, 7, bias=False),
        s=nir.Scale(random.normal(0, 1, SIZE)), s2=nir.Scale(random.normal(0, 1, CHANNELS)),
        c=affine(SIZE, CHANNELS, 8), n=neurons("LIF"), y=nir.Output([SIZE]),
    )  # fmt: skip
    net = compare(made, events(3), {"n": ("n", "n")})
    assert len(net.connections) == 1


@pytest.mark.parametrize("depth", ["one", "stack"])
def test_matrices_for_parts_of_the_input(depth):
    random = np.random.default_rng(5)
    if depth == "one":
        made = chain(neurons("LIF"))
    else:
        weight, bias = random.normal(0.1, 1, (2, 6, 5)), random.normal(0, 0.3, (2, 6))
        made = graph(
            "x w n y", x=nir.Input([2, 5]), w=nir.Affine(weight, bias),
            n=neurons("LIF", shape=(2, 6)), y=nir.Output([2, 6]),
        )  # fmt: skip
    net = compare(made, events(3), {"n": ("n", "n")})
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


@pytest.mark.parametrize("window", WINDOWS, ids=lambda one: type(one).__name__)
def test_windows_unroll(window):
    made = nir.NIRGraph(
        {"x": nir.Input([2, 6, 6]), "c": window, "y": nir.Output(None)},
        [("x", "c"), ("c", "y")], type_check=False,
    )  # fmt: skip
    shape = integrate(made, events(3, 72)[:, :1], DT)[0]["c"].shape[2:]
    made = nir.NIRGraph(
        {"x": nir.Input([2, 6, 6]), "c": window, "n": neurons("LIF", shape=shape),
         "f": nir.Flatten(None, 0), "w": affine(SIZE, int(np.prod(shape))), "m": neurons("IF"),
         "y": nir.Output([SIZE])},
        [("x", "c"), ("c", "n"), ("n", "f"), ("f", "w"), ("w", "m"), ("m", "y")],
        type_check=False,
    )  # fmt: skip
    nodes = dict(made.nodes)
    nodes["f"] = nir.Flatten({"input": np.array(shape)}, 0)
    made = nir.NIRGraph(nodes, made.edges, type_check=False)
    net, report = from_nir_with_report(made, dt=DT)
    assert report.unrolled == (f"{type(window).__name__} 'c'",)
    assert f"{type(window).__name__} 'c' unrolled" in str(report)
    assert net.layer["n"].shape == shape
    compare(made, events(3, 72), {"n": ("n", "n"), "m": ("m", "m")}, least=0.005)


def test_a_convolution_of_one_dimension():
    weight = np.random.default_rng(3).normal(0.1, 0.8, (3, 2, 3))
    window = nir.Conv1d(5, weight, 2, 1, 1, 1, np.array([0.1, 0.0, -0.2]))
    made = graph(
        "x c n y", x=nir.Input([2, 5]), c=window, n=neurons("LIF", shape=(3, 3)),
        y=nir.Output([3, 3]),
    )  # fmt: skip
    compare(made, events(3), {"n": ("n", "n")})


def test_a_large_convolution_is_refused():
    window = nir.Conv2d((6, 6), np.ones((3, 2, 3, 3)), 1, 1, 1, 1, np.zeros(3))
    made = graph(
        "x c n y", x=nir.Input([2, 6, 6]), c=window, n=neurons("LIF", shape=(3, 6, 6)),
        y=nir.Output([3, 6, 6]),
    )  # fmt: skip
    with pytest.raises(ValueError, match="Conv2d 'c' must unroll into at most 1943 weights"):
        from_nir(made, dt=DT, unrolled=1943)
    from_nir(made, dt=DT, unrolled=1944)


def test_delays_are_of_connections_in_groups():
    late = np.repeat([0.0, 2.0, 5.0], 4) * DT
    made = graph(
        "x w d n m y", x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS, bias=False),
        d=nir.Delay(late), n=neurons("LIF"), m=neurons("Threshold"), y=nir.Output([SIZE]),
    )  # fmt: skip
    net = compare(made, events(3), {"n": ("n", "n"), "m": ("m", None)})
    assert sorted(one.delay for one in net.connections) == [0, 0, 2, 5]
    made.nodes["d"] = nir.Delay(late + 0.4 * DT)
    with pytest.raises(ValueError, match="delay of Delay 'd' must be a multiple of dt"):
        from_nir(made, dt=DT)
    made.nodes["d"], made.nodes["w"] = nir.Delay(late), affine(SIZE, CHANNELS)
    with pytest.raises(ValueError, match="Delay 'd' must delay spikes alone, not a bias"):
        from_nir(made, dt=DT)


# -- graphs --------------------------------------------------------------------------------------


def test_an_integrator_and_a_threshold_are_one_layer():
    for kind in ("I", "LI", "CubaLI"):
        made = graph(
            "x w n t w2 m y", "n z",
            x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), n=neurons(kind),
            t=nir.Threshold(np.linspace(-0.5, 1, SIZE)), w2=affine(SIZE, SIZE, 9),
            m=neurons("LIF"), y=nir.Output([SIZE]), z=nir.Output([SIZE]),
        )  # fmt: skip
        net = compare(made, events(3), {"n": ("t", "n"), "m": ("m", "m")}, least=0.01)
        assert {(one.population, one.kind) for one in net.readouts} == {
            ("n", "last"), ("m", "count"),
        }  # fmt: skip


def test_an_output_may_be_a_sum_of_spikes():
    made = graph(
        "x w n w2 y", "n y",
        x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), n=neurons("LIF"),
        w2=affine(SIZE, SIZE, 9), y=nir.Output([SIZE]),
    )  # fmt: skip
    x = events(3)
    net = compare(made, x, {"n": ("n", "n")})
    with torch.no_grad():
        found = net(x, record=["y.v"]).states["y.v"].numpy()
    np.testing.assert_allclose(found, integrate(made, x, DT)[0]["y"], 0, 1e-10)
    assert net.readouts[0].population == "y"
    assert net.readouts[0].kind == "last"


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
        made, name = graph("x w g y", g=deeper, **around), "g.r.lif"
    else:
        more = {f"r.{one}": inner.nodes[one] for one in ("lif", "w_rec")}
        made, name = graph("x w r.lif r.w_rec r.lif y", **more, **around), "r.lif"
    net = compare(made, events(3), {name.replace(".", "_"): (name, name)})
    loop = next(one for one in net.connections if one.source == one.target)
    assert loop.delay == 1
    assert len(net.connections) == 2


def test_a_longer_cycle_is_late_where_it_leads_back():
    made = graph(
        "x w a ab b y", "b bc c ca a", "a ac c",
        x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), y=nir.Output([SIZE]),
        a=neurons("LIF", 1), b=neurons("LIF", 2), c=neurons("IF", 3),
        ab=affine(SIZE, SIZE, 2), bc=affine(SIZE, SIZE, 3), ca=affine(SIZE, SIZE, 4),
        ac=affine(SIZE, SIZE, 5),
    )  # fmt: skip
    net = from_nir(made, dt=DT)
    delays = {(one.source, one.target): one.delay for one in net.connections}
    # c is as far from the input as b, so that nothing says which of the two comes first.
    assert delays == {("x", "a"): 0, ("a", "b"): 0, ("a", "c"): 0, ("b", "c"): 1, ("c", "a"): 1}


def test_a_cycle_with_a_delay_is_as_late_as_that():
    made = graph(
        "x w n r d n y", x=nir.Input([CHANNELS]), w=affine(SIZE, CHANNELS), n=neurons("LIF"),
        r=affine(SIZE, SIZE, 4, bias=False), d=nir.Delay(np.full(SIZE, 3 * DT)),
        y=nir.Output([SIZE]),
    )  # fmt: skip
    loop = next(one for one in from_nir(made, dt=DT).connections if one.source == one.target)
    assert loop.delay == 3


def test_several_inputs_and_outputs():
    made = graph(
        "x w a y", "z v a", "a u b o",
        x=nir.Input([CHANNELS]), z=nir.Input([4]), w=affine(SIZE, CHANNELS), v=affine(SIZE, 4, 3),
        a=neurons("LIF"), y=nir.Output([SIZE]), u=affine(5, SIZE, 4), b=neurons("LI", shape=(5,)),
        o=nir.Output([5]),
    )  # fmt: skip
    x = {"x": events(3), "z": events(4, 4)}
    net = compare(made, x, {"a": ("a", "a"), "b": (None, "b")})
    assert [(one.population, one.kind) for one in net.readouts] == [("a", "count"), ("b", "last")]
    assert [one.kind for one in from_nir(made, dt=DT, readout="sum").readouts] == ["sum", "sum"]


def test_names_become_names_of_layers():
    made = nir.NIRGraph(
        {"x": nir.Input([SIZE]), "a.b": neurons("LIF"), "a_b": neurons("LIF", 2),
         "y": nir.Output([SIZE])},
        [("x", "a.b"), ("a.b", "a_b"), ("a_b", "y")],
    )  # fmt: skip
    assert [one.name for one in from_nir(made, dt=DT).layers] == ["a_b", "a_b_2"]


def test_the_report_says_what_became_of_it():
    made = chain(neurons("LIF"))
    _, report = from_nir_with_report(made, dt=DT, name="net")
    assert report.rules == Rules(DT)
    assert report.lines == (
        "dt = 0.001, decays by the rule 'euler'",
        "input 'x' of 10, 0 to 1",
        "LIF 'n' is layer 'n': Lif, threshold by neuron, reset_value by neuron, "
        "decay by neuron, reset value",
        "'x' to 'n': Affine 'w' folded into a dense projection of 10 to 12 with 120 weights",
    )


def test_a_graph_is_left_as_it_is():
    made = chain(neurons("CubaLIF"))
    before = {key: np.copy(value) for key, value in vars(made.nodes["n"]).items()
              if isinstance(value, np.ndarray)}  # fmt: skip
    from_nir(made, writer="norse")
    for key, value in before.items():
        np.testing.assert_array_equal(value, getattr(made.nodes["n"], key))
    assert list(made.nodes) == ["x", "w", "n", "y"]
