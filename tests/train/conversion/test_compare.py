"""Tests of quantisation with samples: bits of potentials, fine-tuning, comparisons."""

import json
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import spiker_hdl  # noqa: E402
from spiker_hdl.model import (  # noqa: E402
    Accumulator,
    CurrentLif,
    Decay,
    Input,
    Integrator,
    Lif,
    Readout,
    encoders,
    reference,
)
from spiker_train import (  # noqa: E402
    Cell,
    Connection,
    Layer,
    SpikingNetwork,
    TrainingOptions,
    compare,
    load_dataset,
    quantize,
    train,
)
from tests.support.quantized import quantize_and_report  # noqa: E402


@pytest.fixture(scope="module")
def trained():
    """Return a network trained a little in floating point, with samples and labels."""
    pytest.importorskip("sklearn")
    torch.set_num_threads(1)
    data = load_dataset("digits")
    spikes = encoders.rate(data.x_train, 4)
    net = SpikingNetwork.chain("64-16-10", seed=3)
    train(net, spikes, data.y_train, TrainingOptions(epochs=3, progress=False))
    return net, spikes[:200], data.y_train[:200]


# -- bits of potentials --------------------------------------------------------------------------


def test_bits_of_bounds_are_the_fewest_that_nothing_leaves(trained):
    net, spikes, _ = trained
    network, report = quantize_and_report(net, 4, "bounds", calibration=spikes)
    for population in network.populations:
        low, high = network.bounds[population.name].states["v"]
        assert population.neuron.width == report.widths[population.name]
        # A bit less cannot hold what may come.
        assert max(-low, high + 1) > 2 ** (population.neuron.width - 2)
        assert report.saturation[population.name] == 0
    wide = quantize(net, 4, 32, scales=report.scales)
    names = ["hidden", "hidden.v", "output.v"]
    mine = reference.run(network, spikes, record=names)
    assert mine.differences(reference.run(wide, spikes, record=names)) == []


def test_bits_of_calibration_are_the_fewest_that_the_samples_need(trained):
    net, spikes, _ = trained
    network, report = quantize_and_report(net, 4, "calibration", calibration=spikes)
    wide = quantize(net, 4, 32, scales=report.scales)
    result = reference.run(wide, spikes, record=["hidden.v", "output.v"])
    for population in network.populations:
        values = result.spikes[f"{population.name}.v"]
        maximum = int(np.abs(values).max())
        bits = maximum.bit_length() + 1
        threshold = np.max(getattr(population.neuron, "threshold", 0))
        assert population.neuron.width == max(bits, int(threshold).bit_length() + 1)
    bounded = quantize_and_report(net, 4, "bounds")[1].widths
    assert all(report.widths[name] <= bits for name, bits in bounded.items())
    assert sum(report.widths.values()) < sum(bounded.values())


def test_a_share_of_saturation_saves_bits_and_is_reported(trained):
    net, spikes, _ = trained
    whole = quantize_and_report(net, 4, "calibration", calibration=spikes)[1]
    network, report = quantize_and_report(net, 4, "calibration", calibration=spikes, saturation=0.2)
    assert sum(report.widths.values()) < sum(whole.widths.values())
    assert 0 < report.saturation["output"] <= 0.2
    assert any("'output' are at the end of their range" in warning for warning in report.warnings)
    values = reference.run(network, spikes, record=["output.v"]).spikes["output.v"]
    state = network.population["output"].neuron.states["v"]
    ends = (values == state.low) | (values == state.high)
    assert report.saturation["output"] == pytest.approx(ends.mean())
    assert f"at an end of their range in {ends.mean():.2%} of steps" in str(report)


def test_currents_are_sized_too():
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("out", 3, Cell(CurrentLif, threshold=1.0, decay=0.9, current_decay=0.9))],
        [Connection("in", "out", np.full((3, 6), 0.7))],
        [Readout("out", "count")],
    )
    spikes = np.ones((2, 20, 6), int)
    network = quantize(net, 4, "calibration", calibration=spikes)
    result = reference.run(network, spikes, record=["out.i", "out.v"]).spikes
    state = network.population["out"].neuron.states["i"]
    # The layer has one width, as wide as the greater of them needs.
    maximum = max(np.abs(result["out.i"]).max(), np.abs(result["out.v"]).max())
    assert state.high // 2 < maximum <= state.high


def unbounded():
    return SpikingNetwork(
        [Input("in", 2)],
        [Layer("out", 2, Cell(Accumulator))],
        [Connection("in", "out", np.ones((2, 2)))],
        [Readout("out", "last")],
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"potentials": "bounds"},
            "Potentials of 'out' must have bits of their own, since nothing",
        ),
        ({"potentials": "calibration"}, "Calibration samples must be given to size"),
        ({"labels": np.zeros(3, int)}, "Calibration samples must be given with their labels"),
        ({"potentials": "all"}, "Potential bits must be an int, not 'all'"),
        (
            {"potentials": "calibration", "calibration": np.ones((1, 2, 2), int), "saturation": 1},
            r"Saturation must be in 0\.\.1, below 1, not 1",
        ),
    ],
)
def test_potentials_that_cannot_be_sized_are_refused(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quantize_and_report(unbounded(), **options)


# -- fine-tuning ---------------------------------------------------------------------------------


def test_labels_tune_a_copy_in_integers(trained):
    net, spikes, labels = trained
    before = [connection.weights.detach().clone() for connection in net.connections]
    plain = quantize(net, "ternary", 6)
    training = TrainingOptions(epochs=4, learning_rate=1e-2, progress=False)
    network, report = quantize_and_report(
        net, "ternary", 6, calibration=spikes, labels=labels, training=training
    )
    assert len(report.tuned) == 4
    assert all(torch.equal(a, b.weights) for a, b in zip(before, net.connections, strict=True))

    def share(candidate):
        return (reference.run(candidate, spikes).classes == labels).mean()

    assert share(network) > share(plain)
    again = quantize_and_report(
        net, "ternary", 6, calibration=spikes, labels=labels, training=training
    )[0]
    assert again == network


# -- comparison ----------------------------------------------------------------------------------


def test_floating_point_integers_and_hardware_are_compared_in_one_call(trained):
    net, spikes, labels = trained
    network = quantize(net, 4, 10)
    result = compare(
        net, network, spikes[:5], labels[:5], run=partial(spiker_hdl.run, engine="amaranth")
    )
    real, fixed = net.run(spikes[:5], record=["hidden"]), reference.run(network, spikes[:5])
    assert result.accuracy == {
        "float": (real.classes == labels[:5]).mean(),
        "integers": (fixed.classes == labels[:5]).mean(),
        "hardware": (fixed.classes == labels[:5]).mean(),
    }
    assert (result.engine, result.mismatches, result.samples) == ("amaranth", [], 5)
    assert result.cycles > 0
    assert list(result.populations) == ["hidden"]
    hidden = result.populations["hidden"]
    assert hidden.float_spikes == pytest.approx(real.counts["hidden"].mean())
    assert hidden.integer_spikes == pytest.approx(fixed.counts["hidden"].mean())
    assert hidden.counts[0].tolist() == real.spikes["hidden"].sum((0, 1)).tolist()
    assert json.loads(json.dumps(result.to_json()))["samples"] == 5
    assert "hardware (amaranth): 0 mismatches" in str(result)


def test_agreement_counted_by_hand():
    def net(weights):
        return SpikingNetwork(
            [Input("in", 2)],
            [Layer("out", 2, Cell(Lif, threshold=1.0, decay=Decay.shift(1), reset="zero"))],
            [Connection("in", "out", np.array(weights))],
            [Readout("out", "count")],
        )

    spikes = np.ones((1, 4, 2), int)
    real = net([[2.0, 0.0], [0.0, 2.0]])  # both fire in each of four steps
    other = quantize(net([[2.0, 0.0], [0.0, 0.0]]), 4, 8)  # the second never does
    population = compare(real, other, spikes).populations["out"]
    assert (population.float_spikes, population.integer_spikes) == (8, 4)
    assert (population.equal, population.difference) == (0.5, 0.5)
    assert (population.worst, population.worst_float, population.worst_integer) == (1, 4, 0)


def test_silent_population_is_warned_of_by_name(trained):
    net, spikes, _ = trained
    network = quantize(net, 4, 8)
    with torch.no_grad():
        silent = SpikingNetwork.chain("64-16-10", seed=3)
        for connection in silent.connections:
            connection.weights.zero_()
    result = compare(net, quantize_and_report(silent, 4, 8)[0], spikes[:20])
    assert any(warning.startswith("'hidden' goes silent") for warning in result.warnings)
    assert "warning: 'hidden' goes silent" in str(result)
    assert compare(net, network, spikes[:20]).accuracy == {}


def test_the_picture_shows_each_population(trained, tmp_path):
    pytest.importorskip("matplotlib")
    net, spikes, labels = trained
    compare(net, quantize(net, 3, 8), spikes[:30], labels[:30]).picture(tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5000


def test_networks_and_labels_must_fit(trained):
    net, spikes, labels = trained
    network = quantize(net, 4, 8)
    other = SpikingNetwork.chain("64-12-10", output=Cell(Integrator, decay=0.5))
    with pytest.raises(ValueError, match="Networks must have the same populations"):
        compare(other, network, spikes[:3])
    with pytest.raises(ValueError, match="Labels must be one a sample"):
        compare(net, network, spikes[:3], labels[:2])
    with pytest.raises(TypeError, match=r"Network must be a SpikingNetwork, .*of type Network$"):
        compare(network, net, spikes[:3])
    with pytest.raises(TypeError, match="Network in integers must be a Network, not of"):
        compare(net, net, spikes[:3])
    with pytest.raises(ValueError, match=r"Labels must be in 0\.\.9, not 10"):
        compare(net, network, spikes[:3], np.array([0, 1, 10]))
    with pytest.raises(TypeError, match="Labels must be integers, not float64"):
        compare(net, network, spikes[:3], np.array([0.0, 1.0, 2.0]))
