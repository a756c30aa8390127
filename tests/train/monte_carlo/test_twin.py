"""Tests of draws in one built design: hardware, reference and Monte-Carlo have the same bits."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from spiker_boards import Board
from spiker_boards.simulation.server import Served, simulated_link
from spiker_hdl import run
from spiker_hdl.model import (
    Decay,
    FirstOrder,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
    WithSynapses,
)
from spiker_hdl.model.mapping.reload import check_structure, structure
from spiker_hdl.simulate import interpreted
from spiker_train import (
    BitFaults,
    Device,
    DifferentialPair,
    Faults,
    GaussianNoise,
    NeuronSpread,
    PowerLawDrift,
    Twin,
)

from support.small import make_network

DEVICE = Device(
    high=20e-6,
    programming=GaussianNoise(relative=0.3, absolute=1e-6),
    drift=PowerLawDrift(exponent=0.05, deviation=0.02),
    faults=Faults(stuck_low=0.02, stuck_high=0.02),
)
SPIKES = np.random.default_rng(1).integers(0, 2, (12, 3, 64))


def mixed():
    """Return a network with all arrangements of weights, a delay, a shift and a loop."""
    draws = np.random.default_rng(2)
    sources, targets = np.nonzero(draws.integers(0, 2, (8, 6)))
    weights = draws.integers(1, 7, len(sources))
    return Network(
        [Input("input", 8)],
        [
            Population("first", 6, Lif(threshold=40, decay=Decay.shift(3), width=10), (1,) * 6),
            Population("second", 6, Lif(threshold=20, decay=Decay.shift(2), width=10)),
            Population("output", 3, Integrator(decay=Decay.shift(3), width=10)),
        ],
        [
            Projection("input", "first", Sparse(sources, targets, weights, 8, 6), bits=4, shift=2),
            Projection("first", "first", draws.integers(-3, 2, (6, 6)), delay=1, bits=4, shift=1),
            Projection("first", "second", OneToOne(draws.integers(5, 8, 6)), bits=5, shift=1),
            Projection("second", "output", draws.integers(-7, 8, (3, 6)), delay=2, bits=4),
        ],
        [Readout("output", "largest")],
    )


@pytest.mark.parametrize("seconds", [0.0, 1e5])
def test_monte_carlo_has_the_accuracy_of_the_reference(seconds):
    network = mixed()
    spikes = np.random.default_rng(3).integers(0, 2, (20, 8, 8))
    labels = run(network, spikes).classes
    options = {"neurons": NeuronSpread(threshold=0.2), "bit_faults": BitFaults(upset=0.02)}
    for changes in ({}, options):
        twin = Twin(network, DEVICE, 4, **changes)
        draws = twin.monte_carlo(5, times=(seconds,)).run(spikes, labels, progress=False)
        chips = [twin.chip(draw, seconds) for draw in range(5)]
        right = [int((run(chip.network, spikes).classes == labels).sum()) for chip in chips]
        assert draws.accuracy()[:, 0] * 20 == pytest.approx(right)
        assert [draws.clipped[draw][0] for draw in range(5)] == [chip.clipped for chip in chips]
        assert len({chip.network.digest for chip in chips}) == 5
        assert len(set(right)) > 1


def test_draws_reach_the_receptors_of_the_reference():
    network = mixed()
    first, *others = network.populations
    fast, slow = (FirstOrder(decay=Decay.shift(n), width=10) for n in (1, 3))
    first = replace(first, neuron=WithSynapses(neuron=first.neuron, synapses=(fast, slow, None)))
    into, loop, *behind = network.projections
    network = replace(
        network,
        populations=(first, *others),
        projections=(replace(into, receptor=1), replace(loop, receptor=2), *behind),
    )
    spikes = np.random.default_rng(3).integers(0, 2, (20, 8, 8))
    labels = run(network, spikes).classes
    twin = Twin(network, DEVICE, 4)
    draws = twin.monte_carlo(4).run(spikes, labels, progress=False)
    chips = [twin.chip(draw).network for draw in range(4)]
    assert [[p.receptor for p in chip.projections] for chip in chips] == [[1, 2, 0, 0]] * 4
    right = [int((run(chip, spikes).classes == labels).sum()) for chip in chips]
    assert draws.accuracy()[:, 0] * 20 == pytest.approx(right)
    assert len(set(right)) > 1


def test_draws_are_clipped_to_declared_bits_and_counted():
    network = make_network()
    twin = Twin(network, DifferentialPair(device=DEVICE), 1)
    chips = [twin.chip(draw) for draw in range(5)]
    assert sum(chip.clipped for chip in chips) > 2
    for chip in chips:
        for projection in chip.network.projections:
            values = projection.synapses.matrix()
            assert -8 <= values.min() <= values.max() <= 7
        check_structure(chip.network, twin.mapping, structure(twin.network, twin.mapping))
    # Nominal weights of -7..7 with an ideal device are held as they are.
    ideal = Twin(network, Device(high=1.0), 1).chip(0)
    assert not ideal.clipped
    assert not run(network, SPIKES).differences(run(ideal.network, SPIKES))


def test_weights_that_are_not_there_stay_so():
    twin = Twin(mixed(), DEVICE, 4)
    projection, nominal = twin.chip(0).network.projections[0], mixed().projections[0]
    assert not projection.synapses.matrix()[nominal.synapses.matrix() == 0].any()


@pytest.mark.parametrize(
    "faults, expected",
    [
        (BitFaults(stuck_low=1.0), 0),
        (BitFaults(stuck_high=1.0), -1),
        (BitFaults(upset=1.0), None),
        (BitFaults(), "same"),
    ],
    ids=["low", "high", "flipped", "none"],
)
def test_faults_of_bits_by_hand(faults, expected):
    network = make_network()
    chip = Twin(network, Device(high=1.0), 1, bit_faults=faults).chip(0)
    for projection, nominal in zip(chip.network.projections, network.projections, strict=True):
        values, before = projection.synapses.matrix(), nominal.synapses.matrix()
        if expected is None:
            assert (values == ~before).all()
        else:
            assert (values == (before if expected == "same" else expected)).all()


def test_loaded_design_answers_as_the_reference():
    twin = Twin(make_network(), DEVICE, 2, neurons=NeuronSpread(threshold=0.2))

    def simulated(network, spikes):
        return interpreted.run(network, spikes, mapping=twin.mapping, built=twin.network)

    assert twin.differences(range(1), SPIKES[:2], simulated) == []


def test_difference_is_seen():
    twin = Twin(make_network(), DEVICE, 2)
    other = twin.differences(range(2), SPIKES, lambda network, spikes: run(twin.network, spikes))
    assert any(text.startswith("draw 1: ") for text in other)


@pytest.mark.slow
@pytest.mark.parametrize("bit_faults", [None, BitFaults(upset=0.01, stuck_low=0.01)])
def test_board_holds_twenty_draws_one_after_the_other(bit_faults):
    network = make_network()
    twin = Twin(
        network,
        DEVICE,
        3,
        mapping=Mapping.folded(network, 4),
        neurons=NeuronSpread(threshold=0.2),
        bit_faults=bit_faults,
    )
    labels = run(network, SPIKES).classes
    right = []
    wire, _ = simulated_link(twin.network, twin.mapping, engine="compiled")
    with Served(wire) as board, Board(board.port) as host:

        def loaded(chip, spikes):
            host.load(chip, twin.mapping)
            result = host.run(chip, spikes)
            right.append(int((result.classes == labels).sum()))
            return result

        assert twin.differences(range(20), SPIKES, loaded) == []
    draws = twin.monte_carlo(20).run(SPIKES, labels, progress=False)
    assert [row[0] for row in draws.right.values()] == right
    assert len(set(right)) > 2


@pytest.mark.slow
def test_compiled_engine_holds_twenty_draws_in_one_design(monkeypatch):
    twin = Twin(mixed(), DEVICE, 3, neurons=NeuronSpread(threshold=0.2))
    spikes = np.random.default_rng(3).integers(0, 2, (40, 8, 8))
    options = {"engine": "compiled", "mapping": twin.mapping, "built": twin.network}
    run(twin.network, spikes, **options)
    # From here on nothing is built.
    monkeypatch.setattr("spiker_hdl.simulate.shared_library._compile", None)
    monkeypatch.setattr("spiker_hdl.simulate.shared_library.to_verilog", None)
    assert twin.differences(range(20), spikes, partial(run, **options)) == []
    stale = twin.differences([1], spikes, lambda _, spikes: run(twin.network, spikes, **options))
    assert stale


def test_bad_twins_are_refused():
    network = make_network()
    with pytest.raises(TypeError, match="Network must be a Network, not 3"):
        Twin(3, DEVICE, 0)
    with pytest.raises(ValueError, match="Draw must be at least 0, not -1"):
        Twin(network, DEVICE, 0).chip(-1)
    with pytest.raises(ValueError, match=r"Share of upset bits must be in 0..1, not 2"):
        BitFaults(upset=2)
    with pytest.raises(ValueError, match=r"Shares of stuck bits must sum to at most 1, not 1\.2"):
        BitFaults(stuck_low=0.6, stuck_high=0.6)
    with pytest.raises(TypeError, match="Bit faults must be a BitFaults, not 3"):
        Twin(network, DEVICE, 0, bit_faults=3)
    wide = replace(network.projections[0], synapses=network.projections[0].synapses, bits=17)
    with pytest.raises(ValueError, match="Weights of 'input->hidden' must have at most 16 bits"):
        Twin(replace(network, projections=[wide, network.projections[1]]), DEVICE, 0)
