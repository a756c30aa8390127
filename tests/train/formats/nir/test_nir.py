"""NIR nodes that are read: against their equations, integrated node by node."""

import nir
import numpy as np
import pytest
import torch

from spiker_hdl.model import Accumulator, CurrentLif, If, Integrator, Lif
from spiker_train import from_nir

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

KINDS = ("IF", "LIF", "CubaLIF", "I", "LI", "CubaLI", "Threshold")


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
def test_each_parameter_alone_matters(kind):
    # A parameter that was dropped would leave the potentials as they are.
    x, base = events(2), chain(neurons(kind))
    with torch.no_grad():
        plain = from_nir(base, dt=DT, dtype=torch.float64)(x, record=["n.v"]).states["n.v"]
    parameters = [
        name for name, value in vars(base.nodes["n"]).items() if np.shape(value) == (SIZE,)
    ]
    assert len(parameters) == (5 if kind == "LIF" else 7)
    for parameter in parameters:
        node = neurons(kind)
        setattr(node, parameter, getattr(node, parameter) * 1.5)
        net = compare(chain(node), x, {"n": ("n", "n")})
        with torch.no_grad():
            assert (net(x, record=["n.v"]).states["n.v"] != plain).any()


def test_a_leaky_neuron_by_hand():
    # tau 4, dt 1, r 2, v_leak 1: beta 3/4, weights times 1/2, bias 1/4 (1 + 2 b).
    node = nir.LIF(*(np.array([value]) for value in (4.0, 2.0, 1.0, 2.0, -1.0)))
    exported = graph(
        "x w n y", x=nir.Input([1]), w=nir.Affine(np.array([[3.0]]), np.array([0.5])), n=node,
        y=nir.Output([1]),
    )  # fmt: skip
    net = from_nir(exported, dt=1.0)
    (link,) = net.connections
    assert link.weights.tolist() == [1.5]
    assert link.kind == "one_to_one"
    assert net.layer["n"].bias.tolist() == [0.5]
    cell = net.layer["n"].cell
    values = {name: float(cell.value(name)) for name in ("threshold", "decay", "reset_value", "v")}
    assert values == {"threshold": 2.0, "decay": 0.75, "reset_value": -1.0, "v": 0.0}
    with torch.no_grad():
        result = net(np.array([[[1], [0], [1], [0]]]), record=["n.v"])
    # 2.0 is not above 2; 0.75 * 2 + 0.5 = 2; then 0.75 * 2 + 2 = 3.5 fires; -0.75 + 0.5.
    assert result.states["n.v"].ravel().tolist() == [2.0, 2.0, -1.0, -0.25]
    assert result.spikes["n"].ravel().tolist() == [0, 0, 1, 0]
    sharp = from_nir(exported, dt=1.0, rule="exponential").layer["n"].cell
    assert float(sharp.value("decay")) == pytest.approx(np.exp(-0.25), abs=1e-15)


@pytest.mark.filterwarnings("ignore::spiker_train.network.plausibility.ImplausibleWarning")
def test_a_synapse_of_the_step_before_by_hand():
    # alpha 1/2, beta 3/4; g = 1/4 * 2 * 1/2 * 4 = 1; c = 1/4; bias (1/2) / 4 + 1/2.
    node = nir.CubaLIF(*(np.array([value]) for value in (2.0, 4.0, 2.0, 1.0, 99.0, 0.0, 4.0)))
    exported = graph(
        "x w n y", x=nir.Input([1]), w=nir.Affine(np.array([[3.0]]), np.array([0.5])), n=node,
        y=nir.Output([1]),
    )  # fmt: skip
    x = np.array([[[1], [0], [1], [0], [0]]])
    v = i = 0.0
    expected = []
    for (current,) in x[0]:
        flows = i
        i = i / 2 + 2.0 * (3 * current + 0.5)
        v = 0.75 * v + 0.25 * (1 + 2 * flows)
        expected.append(v)
    net = from_nir(exported, dt=1.0, current="old", dtype=torch.float64)
    assert net.connections[0].delay == 1
    with torch.no_grad():
        states = net(x, record=["n.v"]).states["n.v"].ravel().tolist()
    assert states == pytest.approx(expected, abs=1e-12)
    assert states[0] == 0.25  # no current has come
    with torch.no_grad():
        new = from_nir(exported, dt=1.0, dtype=torch.float64)(x, record=["n.v"]).states["n.v"]
    assert new.ravel()[0] == 0.25 * (1 + 2 * 2 * 3.5)


def test_resets_that_nir_does_not_say():
    node = nir.LIF(*(np.array([value]) for value in (2.0, 2.0, 0.0, 1.0, 0.0)))
    exported = graph("x n y", x=nir.Input([1]), n=node, y=nir.Output([1]))
    x = np.array([[[2], [0], [2]]])

    def potentials(**options):
        with torch.no_grad():
            result = from_nir(exported, dt=1.0, values=(0, 2), **options)(x, record=["n.v"])
        return result.states["n.v"].ravel().tolist()

    assert potentials() == [0.0, 0.0, 0.0]
    assert potentials(reset="subtract") == [1.0, 0.5, 1.25]
    assert potentials(reset="subtract", reset_timing="next_step") == [2.0, 0.0, 2.0]
    assert from_nir(exported, dt=1.0, fire=">=").layer["n"].cell.settings["fire"] == ">="


def test_parameter_shared_by_all_neurons_is_one_number():
    values = [np.full(SIZE, value) for value in (4e-3, 4.0, 0.0, 1.0, 0.0)]
    net = from_nir(chain(nir.LIF(*values)), dt=DT)
    assert net.layer["n"].cell.sizes == set()
    weight = torch.as_tensor(affine(SIZE, CHANNELS).weight).float()
    assert torch.equal(net.connections[0].weights, weight)  # r is tau / dt, up to its rounding


def test_numbers_for_all_take_the_shape_that_comes():
    values = [np.array(value, dtype=np.float32) for value in (4e-3, 4.0, 0.0, 1.0, 0.0)]
    exported = nir.NIRGraph(
        {"x": nir.Input([CHANNELS]), "w": affine(SIZE, CHANNELS), "n": nir.LIF(*values),
         "y": nir.Output([SIZE])},
        [("x", "w"), ("w", "n"), ("n", "y")], type_check=False,
    )  # fmt: skip
    net = from_nir(exported, dt=DT)
    assert net.layer["n"].size == SIZE
    assert torch.equal(net.connections[0].weights,
                       torch.as_tensor(affine(SIZE, CHANNELS).weight).float())  # fmt: skip
