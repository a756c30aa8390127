"""Tests of boards with a convolutional network: the host's order, files, and loaded kernels."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_boards import Board
from spiker_boards.builder.build import build_board
from spiker_boards.catalog import find_board
from spiker_boards.simulation.server import Faults, Served, simulated_link
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.model import (
    Convolution,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    Population,
    Projection,
    Readout,
    load,
    load_mapping,
)
from spiker_hdl.model.encoders import encoder_of

from support.places import ROOT
from support.writable import another

MNIST = ROOT / "networks" / "mnist_icebreaker.spiker"
SHAPE = 2, 3, 4
DRAWS = np.random.default_rng(8)


def map_network(*, largest=1, static=False):
    """Return two maps, the second behind maxima of currents, and a readout of each population."""
    first = Convolution(DRAWS.integers(-3, 5, (4, 2, 3, 3)), SHAPE, padding=1)
    second = Convolution(DRAWS.integers(-3, 5, (2, 4, 3, 3)), first.target_shape, padding=1)
    pooling = MaxPooling(second.target_shape, (2, 2))
    lif = Lif(threshold=6 * largest, decay=Decay.shift(2), width=10)
    size = int(np.prod(pooling.target_shape))
    return Network(
        [Input("in", SHAPE, 0, largest, static=static)],
        [
            Population("first", first.target_shape, lif),
            Population("second", pooling.target_shape, If(threshold=7, width=10)),
            Population("head", 3, Integrator(decay=Decay.shift(3), width=14)),
        ],
        [
            Projection("in", "first", first, bits=4),
            Projection("first", "second", second, bits=4, pooling=pooling),
            Projection("second", "head", DRAWS.integers(-4, 5, (3, size)), bits=4),
        ],
        [Readout("head", "last"), Readout("second", "count"), Readout("first", "count")],
        notes={"encoder": "graded", "steps": "3"},
    )


def uneven(network, samples, steps):
    """Draw samples whose channels, rows and columns differ, so that an exchanged order shows."""
    channel, y, x = np.indices(SHAPE)
    share = (1 + channel) * (1 + y) * (1 + x) / np.prod([1 + n for n in SHAPE])
    node = network.inputs[0]
    values = DRAWS.random((samples, steps, *SHAPE)) < 3 * share
    return (values * DRAWS.integers(1, node.high + 1, values.shape)).reshape(samples, steps, -1)


def test_maps_and_kernels_are_sent_by_channel_row_and_column():
    network = map_network()
    mapping = Mapping.folded(network, 2).with_writable(network, ["first"])
    assert mapping.store(network, network.into("first")[0]) == "kernel"
    other = another(Random(4), network, mapping)
    spikes = uneven(network, 2, 2)
    before, after = spiker_hdl.run(network, spikes), spiker_hdl.run(other, spikes)
    assert after.differences(before)
    assert min(before.counts["first"].max(), before.counts["second"].max()) > 0
    wire, _ = simulated_link(network, mapping, engine="amaranth")
    with Served(wire) as served, Board(served.port) as host:
        assert not before.differences(host.run(network, spikes))
        host.load(other, mapping)
        assert host.identify().network == other.digest
        assert not after.differences(host.run(other, spikes))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["words", "events"])
def test_maps_are_answered_over_a_bad_wire(form):
    network = map_network(largest=3)
    mapping = Mapping.folded(network, 2, form=form)
    spikes = uneven(network, 20, 4)
    wire, _ = simulated_link(network, mapping, engine="compiled")
    with Served(wire, faults=Faults(0.002, 3)) as served, Board(served.port) as host:
        result = host.run(network, spikes)
        identity = host.identify()
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert identity == Identity.of(network, mapping, spiker_hdl.__version__)


@pytest.mark.slow
def test_a_project_of_a_convolutional_network_holds_what_the_host_needs(tmp_path):
    network = map_network(largest=3, static=True)
    report = build_board(
        network, find_board("pynq_z2"), tmp_path / "built", mapping=Mapping.default(network)
    )
    assert load(tmp_path / "built" / "network.spiker").digest == network.digest
    assert report["network"]["sha256"] == network.digest
    assert Mapping.from_json(report["mapping"]) == Mapping.default(network)
    assert (tmp_path / "built" / "ip" / "system.tcl").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f", "pynq_z2"])
def test_a_whole_board_answers_maps_from_its_pins(name):
    network = map_network(largest=3, static=True)
    spikes = uneven(network, 4, 3)[:, :1].repeat(3, axis=1)
    mapping = Mapping.folded(network, 4)
    wire, _ = simulated_link(network, mapping, engine="compiled", target=find_board(name))
    with Served(wire) as served, Board(served.port, timeout=60) as host:
        result = host.run(network, spikes)
    assert not spiker_hdl.run(network, spikes).differences(result)


@pytest.mark.slow
def test_an_icebreaker_answers_mnist_from_its_pins(data_file):
    images = np.load(data_file("mnist.npz"))["x_test"][:20].reshape(20, -1)
    images = encoder_of("graded")(images, 1)
    network, mapping = load(MNIST), load_mapping(MNIST)
    wire, _ = simulated_link(network, mapping, engine="compiled", target=find_board("icebreaker"))
    with Served(wire) as served, Board(served.port, timeout=300) as host:
        result = host.run(network, images)
    assert not spiker_hdl.run(network, images).differences(result)


@pytest.mark.slow
def test_a_bitstream_of_mnist_for_an_icebreaker(tmp_path):
    network, mapping = load(MNIST), load_mapping(MNIST)
    assert mapping is not None
    report = build_board(network, find_board("icebreaker"), tmp_path / "built", mapping=mapping)
    assert report["utilization"]["luts"]["used"] < 5280
    assert report["utilization"]["block_rams"]["used"] <= 30
    assert report["utilization"]["sprams"]["used"] == 4
    assert report["fmax_hz"] >= report["clock_hz"]


@pytest.mark.slow
@pytest.mark.parametrize("name, luts", [("icebreaker", 5280), ("ulx3s_25f", 24_288)])
def test_a_bitstream_of_a_small_convolutional_network(name, luts, tmp_path):
    network = map_network()
    network = replace(network, readouts=network.readouts[:1])
    report = build_board(
        network, find_board(name), tmp_path / name, mapping=Mapping.folded(network, 1)
    )
    assert 1000 < report["utilization"]["luts"]["used"] < luts
    assert report["fmax_hz"] >= report["clock_hz"]
    assert (tmp_path / name / report["bitstream"]["file"]).stat().st_size > 10_000
