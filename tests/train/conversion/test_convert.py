"""Tests of quantisation, from floating point to integers."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from spiker_hdl.model import AdaptiveLif, CurrentLif, Decay, If, Input, Integrator, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Layer,
    Quantization,
    SpikingNetwork,
    quantize,
)
from spiker_train.conversion import convert as conversion
from spiker_train.conversion.convert import count_weights
from spiker_train.network import layers, rounding
from spiker_train.network.integers import quantization
from spiker_train.network.rounding import rounded, weight_range
from tests.support.quantized import quantize_and_report


def small(weights, threshold=1.0, decay=0.9, bias=False, **more):
    """Make a network of one layer of two LIF neurons."""
    return SpikingNetwork(
        [Input("in", 2)],
        [Layer("own", 2, Cell(Lif, threshold=threshold, decay=decay, **more), bias)],
        [Connection("in", "own", weights)],
        [Readout("own")],
    )


@pytest.mark.parametrize(
    "real, scale, bits, integer",
    [
        (0.25, 0.1, 4, 2),
        (0.26, 0.1, 4, 3),
        (-0.26, 0.1, 4, -3),
        (0.5, 1.0, 4, 0),  # ties to even
        (1.5, 1.0, 4, 2),
        (-2.5, 1.0, 4, -2),
        (9.0, 1.0, 4, 7),
        (-9.0, 1.0, 4, -8),
        (9.0, 1.0, 2, 1),
        (-9.0, 1.0, 2, -2),
        (-9.0, 1.0, "ternary", -1),
        (0.6, 1.0, "ternary", 1),
        (1e9, 1.0, 16, 32767),
    ],
)
def test_rounding_by_hand(real, scale, bits, integer):
    weight = torch.tensor([real], requires_grad=True)
    value = rounded(weight, scale, *weight_range(bits))
    assert value.tolist() == [integer]
    value.sum().backward()
    assert weight.grad.tolist() == pytest.approx([1 / scale])


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8, 12, 16, "ternary"])
def test_training_meets_the_very_weights_that_ship(bits):
    net = SpikingNetwork.chain("50-40-10", seed=1)
    chosen = Quantization(bits, 16).fit(net)
    network = quantize(net, chosen)
    for connection, shipped in zip(net.connections, network.projections, strict=True):
        scale = chosen.scale(net.layer[connection.target])
        seen = rounded(connection.weights, scale, *weight_range(bits)).detach().numpy()
        real = connection.weights.detach().numpy().astype(np.float64)
        alone = np.clip(np.rint(real / scale), *weight_range(bits))
        np.testing.assert_array_equal(seen, shipped.synapses.matrix())
        np.testing.assert_array_equal(alone, shipped.synapses.matrix())
        assert len(np.unique(seen)) >= (3 if bits in {2, "ternary"} else 2**bits * 3 // 4 % 400)
        assert shipped.bits == (2 if bits == "ternary" else bits)


def test_a_layer_shares_its_scale():
    net = small(
        [[0.7, -0.3], [0.2, 0.1]], threshold=0.55, bias=[0.31, -0.04], floor=-0.42, v=[0.1, 0.2]
    )
    network = quantize(net, 4, 8, scales={"own": 0.1})
    (population,) = network.populations
    assert network.projections[0].synapses.matrix().tolist() == [[7, -3], [2, 1]]
    assert population.neuron.threshold == 6  # 5.5 in double precision, ties to even
    assert population.neuron.floor == -4
    assert population.neuron.v == (1, 2)
    assert population.bias == (3, 0)
    assert population.neuron.width == 8


@pytest.mark.parametrize(
    "form, more, decay, error",
    [
        ("shift", {}, Decay(1, 3), 0.025),
        ("shifts", {}, Decay(3, 5), 0.00625),
        ("shifts", {"decay_terms": 4}, Decay(13, 7), 0.0015625),
        ("multiplier", {}, Decay(13, 7), 0.0015625),
        ("multiplier", {"decay_bits": 4}, Decay(1, 3), 0.025),
    ],
)
def test_quantised_decay_is_as_reported(form, more, decay, error):
    network, report = quantize_and_report(small(np.eye(2)), 4, 8, form, **more)
    (change,) = (entry for entry in report.changes if entry.what == "decay")
    assert network.populations[0].neuron.decay == decay
    assert change.target == 0.9
    assert change.quantized == decay.factor
    assert change.error == pytest.approx(error / 0.9)


@pytest.mark.parametrize(
    "form, more, asked, reachable, means",
    [
        ("shift", {}, 0.01, 0.025, "one term of 8 bits"),
        ("shifts", {"decay_terms": 1}, 1e-4, 0.025, "1 terms of 8 bits"),
        ("shifts", {"decay_terms": 2}, 1e-4, 0.00625, "2 terms of 8 bits"),
        ("multiplier", {}, 1e-3, 0.0015625, "a multiplier of 8 bits"),
        ("multiplier", {"decay_bits": 3}, 0, 0.025, "a multiplier of 3 bits"),
    ],
)
def test_decay_beyond_the_allowed_error_is_refused(form, more, asked, reachable, means):
    message = f"Layer 'own': Decay error must be at least {reachable} with {means}, not {asked:.6g}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        quantize(small(np.eye(2)), decay=form, decay_error=asked, **more)
    # What the message names is within reach.
    _, report = quantize_and_report(small(np.eye(2)), decay=form, decay_error=reachable, **more)
    (change,) = (entry for entry in report.changes if entry.what == "decay")
    assert abs(change.quantized - 0.9) == pytest.approx(reachable)


def test_error_bound_applies_to_the_worst_neuron():
    net = small(np.eye(2), decay=[0.875, 0.9])
    message = "Layer 'own': Decay error must be at least 0.025 with one term of 8 bits, not 0.02"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        quantize(net, decay_error=0.02)


@pytest.mark.parametrize("form", ["shift", "shifts", "multiplier"])
def test_every_decay_is_in_the_report_with_its_error(form):
    wished = {
        ("lif", "decay"): [0.875, 0.9],
        ("current", "decay"): 0.93,
        ("current", "current_decay"): [0.31, 0.5],
        ("adaptive", "decay"): Decay(3, 5),
        ("adaptive", "rise_decay"): 0.995,
        ("sum", "decay"): [1.0, 0.77],
    }
    options = {"threshold": 1.0}
    cells = {
        "lif": (Lif, options),
        "current": (CurrentLif, options),
        "adaptive": (AdaptiveLif, options | {"rise": 0.25}),
        "sum": (Integrator, {}),
    }
    layers = []
    for name, (kind, more) in cells.items():
        decays = {what: value for (where, what), value in wished.items() if where == name}
        layers.append(Layer(name, 2, Cell(kind, **more, **decays)))
    names = ["in", *cells]
    links = [Connection(a, b, np.eye(2)) for a, b in pairwise(names)]
    net = SpikingNetwork([Input("in", 2)], layers, links, [Readout("sum", "last")])
    network, report = quantize_and_report(net, decay=form)
    results = {
        (entry.where, entry.what): entry for entry in report.changes if "decay" in entry.what
    }
    assert set(results) == set(wished)
    for (where, what), value in wished.items():
        change, shipped = results[where, what], getattr(network.population[where].neuron, what)
        if isinstance(value, Decay):
            assert shipped == value
            assert change.error == 0
            continue
        real = np.broadcast_to(value, 2)
        became = np.broadcast_to(shipped.factor, 2)
        off = np.abs(became - real)
        assert change.integer == repr(shipped)
        assert (change.target, change.quantized) == (real[off.argmax()], became[off.argmax()])
        assert change.error == pytest.approx((off / real)[off.argmax()])
        if isinstance(value, list):
            assert change.errors == pytest.approx(off / real)
        else:
            assert change.errors == ()
        line = next(
            splitline
            for splitline in str(report).splitlines()
            if splitline.split()[:2] == [where, what]
        )
        assert f"{change.error:.2%}" in line
        assert repr(shipped) in line
    stored = json.loads(json.dumps(report.to_json()))["changes"]
    assert [
        entry["errors"] for entry in stored if (entry["where"], entry["what"]) == ("lif", "decay")
    ] == [list(results["lif", "decay"].errors)]


def test_a_scale_is_found_at_which_the_threshold_fits():
    weights = [[0.01, -0.01], [0.002, 0.003]]
    network, report = quantize_and_report(small(weights, threshold=1.0), 4, 6)
    assert network.populations[0].neuron.threshold <= 30
    assert any("all become 0" in warning for warning in report.warnings)
    network, _ = quantize_and_report(small(weights, threshold=[0.02, 1.0]), 4, 6)
    assert max(network.populations[0].neuron.threshold) <= 30
    assert quantize(small(weights, threshold=0.0)).populations[0].neuron.threshold == 0


def test_the_scale_keeps_the_weights_best():
    random = np.random.default_rng(0)
    weights = random.normal(0, 1, (2, 2))
    net = small(weights, threshold=1.0)
    best = Quantization(4, 8).fit(net).scales["own"]

    def error(scale):
        result = quantize(net, 4, 8, scales={"own": scale}).projections[0].synapses.matrix()
        return np.square(result * scale - weights).sum()

    assert all(error(best) <= error(best * factor) * 1.2 for factor in (0.5, 0.8, 1.25, 2))


def test_each_column_of_the_report_has_the_named_values():
    draws = np.random.default_rng(1)
    weights = draws.normal(size=(3, 4)) * (draws.random((3, 4)) < 0.7)
    net = SpikingNetwork(
        [Input("in", 4)],
        [Layer("own", 3, Cell(Lif, threshold=1.0, decay=0.9), bias=[0.3, -0.2, 0.0])],
        [Connection("in", "own", weights, kind="sparse")],
        [Readout("own", "count")],
    )
    network, report = quantize_and_report(net, 3)
    scale = report.scales["own"]
    there = weights != 0
    became = network.projections[0].synapses.matrix()[there] * scale
    wished = weights[there].astype(np.float32).astype(float)

    def rms(values):
        return np.sqrt(np.mean(values**2))

    (change,) = (entry for entry in report.changes if entry.what == "weights")
    expected = [rms(wished), rms(became), rms(became - wished) / rms(wished)]
    np.testing.assert_allclose([change.target, change.quantized, change.error], expected, 1e-9)
    head, *lines = str(report).splitlines()
    assert head.split() == ["where", "what", "target", "quantised", "error", "integer"]
    for line, entry in zip(lines, report.changes, strict=False):
        start = head.index("target") + len("target") - 10
        numbers = [line[start:][n : n + 10].strip() for n in (0, 11)]
        assert [float(number) for number in numbers] == pytest.approx(
            [entry.target, entry.quantized], rel=1e-4
        )
        assert line[start + 22 :].split()[0] == f"{entry.error:.2%}"


@pytest.mark.parametrize("count", [1, 2])
def test_progress_tells_of_every_weight_once(count):
    inputs = [Input(f"in{n}", 5) for n in range(count)]
    mask = np.tri(4, 5, dtype=bool)
    net = SpikingNetwork(
        inputs,
        [
            Layer("a", 4, Cell(Lif, threshold=1.0, decay=0.9)),
            Layer("b", 4, If(width=8, threshold=9)),
        ],
        [
            *(Connection(node.name, "a", kind="sparse", mask=mask) for node in inputs),
            Connection("a", "b", kind="one_to_one"),
        ],
        [Readout("b", "count")],
    )
    done = []
    quantize(net, progress=done.append)
    assert sum(done) == count_weights(net) == count * int(mask.sum()) + 4
    assert len(done) > 10


def test_quantising_takes_sparse_weights_without_looking_at_all_pairs(monkeypatch):
    # A pass for each of 41 scales over pairs, not weights, took minutes for a million weights.
    draws = np.random.default_rng(2)
    mask = np.zeros((300, 400), dtype=bool)
    mask[draws.integers(0, 300, 500), draws.integers(0, 400, 500)] = True
    net = SpikingNetwork(
        [Input("in", 400)],
        [Layer("a", 300, Cell(Lif, threshold=1.0, decay=0.9))],
        [Connection("in", "a", kind="sparse", mask=mask)],
        [Readout("a", "count")],
    )
    sizes = []
    real = rounding.rounded

    def watched(values, *rest):
        sizes.append(values.numel())
        return real(values, *rest)

    for module in (conversion, layers, quantization):
        monkeypatch.setattr(module, "rounded", watched)
    network = quantize(net)
    assert len(sizes) > 41
    assert max(sizes) == mask.sum()
    weights = net.connections[0].weights.detach().numpy() * mask
    scale = Quantization().fit(net).scales["a"]
    expected = np.clip(np.rint(weights.astype(float) / scale), -8, 7)
    assert np.array_equal(network.projections[0].synapses.matrix(), expected)


def test_bits_are_by_name():
    net = SpikingNetwork.chain("8-6-2")
    network = quantize(net, {"input->hidden": "ternary", "output": 5}, {"hidden": 7, "output": 12})
    assert [projection.bits for projection in network.projections] == [2, 5]
    assert [population.neuron.width for population in network.populations] == [7, 12]


def test_masked_weights_stay_away():
    mask = np.array([[True, False], [False, True]])
    net = SpikingNetwork(
        [Input("in", 2)],
        [Layer("own", 2, Cell(Integrator, decay=0.5))],
        [Connection("in", "own", [[1.0, 2.0], [3.0, -4.0]], kind="sparse", mask=mask)],
        [Readout("own", "last")],
    )
    synapses = quantize(net).projections[0].synapses
    assert synapses.kind == "sparse"
    assert (synapses.matrix() != 0).tolist() == mask.tolist()


def test_saturated_and_silent_layers_are_warned_of_by_name():
    net = SpikingNetwork(
        [Input("in", 2)],
        [
            Layer("quiet", 3, Cell(Lif, threshold=9.0, decay=0.5)),
            Layer("loud", 3, Cell(Lif, threshold=0.1, decay=0.5)),
            Layer("full", 3, Cell(Integrator, decay=1.0)),
        ],
        [
            Connection("in", "quiet", np.full((3, 2), 0.1)),
            Connection("in", "loud", np.ones((3, 2))),
            Connection("loud", "full", np.ones((3, 3))),
        ],
        [Readout("full", "last")],
    )
    _, report = quantize_and_report(net, calibration=np.ones((2, 20, 2), dtype=int))
    assert [warning.split(" ")[0] for warning in report.warnings if "never" in warning] == [
        "'quiet'"
    ]
    assert "'loud' fires in 100% of steps" in report.warnings
    assert any(
        warning.startswith("potentials of 'full' are at the end") for warning in report.warnings
    )
    assert json.loads(json.dumps(report.to_json()))["activity"]["loud"] == 1.0
    assert "warning: 'quiet' never fires" in str(report)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"weights": 1}, ValueError, "Weight bits must be in 2..16, not 1"),
        ({"weights": 17}, ValueError, "Weight bits must be in 2..16, not 17"),
        ({"weights": 4.0}, TypeError, "Weight bits must be an int or 'ternary', not 4.0"),
        ({"potentials": 1}, ValueError, "Potential bits must be in 2..32, not 1"),
        ({"potentials": "8"}, TypeError, "Potential bits must be an int, not '8'"),
        (
            {"decay": "table"},
            ValueError,
            "Decay must be one of 'shift', 'shifts', 'multiplier', not 'table'",
        ),
        ({"decay_error": -0.1}, ValueError, "Decay error must be a number of at least 0, not -0.1"),
        ({"decay_error": "1"}, ValueError, "Decay error must be a number of at least 0, not '1'"),
        (
            {"scales": {"own": 0.0}},
            ValueError,
            "Scale of layer 'own' must be a positive number, not 0.0",
        ),
        ({"scales": [1.0]}, TypeError, "Scales must be a mapping of layers, not [1.0]"),
        ({"decay_terms": 0}, ValueError, "Decay terms must be at least 1, not 0"),
        ({"decay_bits": 25}, ValueError, "Decay bits must be at most 24, not 25"),
        ({"saturation": 2}, ValueError, "Saturation must be in 0..1, below 1, not 2"),
        ({"saturation": "a"}, ValueError, "Saturation must be in 0..1, below 1, not 'a'"),
        ({"scales": {"one": 1.0}}, ValueError, "Scales must be for own, not 'one'"),
        ({"weights": {"one": 4}}, ValueError, "Weight bits must be for in->own, own, not 'one'"),
        (
            {"potentials": {}},
            ValueError,
            "Potential bits must be given for 'own' as well, not as {}",
        ),
        (
            {"scales": {"own": 0.001}},
            ValueError,
            "Layer 'own': Lif threshold must be at most 127, not 1000",
        ),
        (
            {"scales": {"own": 1 / 127}},
            ValueError,
            "Layer 'own': Threshold must be in 0..126, which a potential of 8 bits that fires at "
            "'>' can reach, not 127",
        ),
    ],
)
def test_quantize_rejects(options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        quantize(small(np.eye(2)), **options)


def test_parameters_that_are_not_finite_are_refused_by_name():
    net = small(np.eye(2))
    with torch.no_grad():
        net.connections[0].weights[0, 1] = float("nan")
    with pytest.raises(ValueError, match=r"^Weights of 'in->own' must be finite, not nan$"):
        quantize(net)
    net = small(np.eye(2), bias=True)
    with torch.no_grad():
        net.layers[0].bias[1] = float("inf")
    with pytest.raises(ValueError, match=r"^Layer 'own': bias must be finite, not inf$"):
        quantize(net)


def test_a_module_of_another_library_is_refused():
    with pytest.raises(TypeError, match=r"^Network must be a SpikingNetwork, .*of type Linear$"):
        quantize(torch.nn.Linear(3, 2))


def test_weights_that_are_lost_are_warned_of_by_name():
    net = small(0.01 * np.eye(2))  # of which nothing is left where 1 is the threshold
    _, report = quantize_and_report(net, potentials=3)
    lost = "weights of 'in->own' all become 0: give potentials of 'own' more bits"
    assert report.warnings == [
        lost,
        "'own' can never fire: give weights or potentials more bits",
    ]
    assert lost not in quantize_and_report(net, potentials=10)[1].warnings
