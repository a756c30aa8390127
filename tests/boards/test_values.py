"""Tests of boards that make spikes themselves, of the pixels or signals that a host sends."""

from dataclasses import replace

import numpy as np
import pytest

import spiker_hdl
from spiker_boards import Board, BoardError
from spiker_boards.catalog import find_board
from spiker_boards.simulation.server import Faults, Served, simulated_link
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.model import Decay, Input, Lif, Network, Population, Projection, Readout
from spiker_hdl.model.encoders import Encoding

DRAWS = np.random.default_rng(3)


def network_for(encoding, size=9, **node):
    """Return a network whose input is what an encoder makes of 9 values."""
    channels = size * encoding.fan
    return Network(
        [Input("in", channels, 0, encoding.greatest, **node)],
        [Population("out", 5, Lif(threshold=9, decay=Decay.shift(2), width=9))],
        [Projection("in", "out", DRAWS.integers(-3, 6, (5, channels)), bits=4)],
        [Readout("out", "count")],
        notes={"encoder": encoding.name, "steps": str(encoding.steps or 6)},
    )


CASES = [
    (Encoding("rate", 4), (7, 9), {}),
    (Encoding("bernoulli", 5, seed=77), (3, 9), {}),
    (Encoding("first_spike", 4, bits=3), (3, 9), {}),
    (Encoding("graded", 3, bits=12), (3, 9), {"static": True}),
    (Encoding("delta", thresholds=(3, 20)), (3, 6, 9), {}),
]


@pytest.mark.parametrize("encoding, shape, node", CASES, ids=[case.name for case, *_ in CASES])
def test_answers_are_those_of_the_reference_to_what_is_encoded(encoding, shape, node):
    network = network_for(encoding, **node)
    values = DRAWS.integers(0, 2**encoding.bits, shape)
    expected = spiker_hdl.run(network, encoding.encode(values))
    done = []
    wire, _ = simulated_link(network, engine="compiled", encoding=encoding)
    with Served(wire, faults=Faults(0.01, 1)) as board, Board(board.port) as host:
        result = host.run_values(network, values, encoding=encoding, progress=done.append)
        identity = host.identify()
    assert not expected.differences(result)
    assert expected.counts["out"].any()
    assert sum(done) == len(values)
    assert (identity.form, identity.word, identity.encoding) == (
        "values",
        encoding.bits,
        encoding.digest,
    )
    assert Identity.from_bytes(identity.to_bytes()) == identity


def test_what_a_board_does_not_take_is_refused():
    encoding = CASES[0][0]
    network = network_for(encoding)
    values = DRAWS.integers(0, 256, (2, 9))
    wire, _ = simulated_link(network, engine="compiled", encoding=encoding)
    with Served(wire) as board, Board(board.port) as host:
        with pytest.raises(BoardError, match="Board makes spikes itself, and must be given values"):
            host.run(network, encoding.encode(values))
        other = replace(encoding, steps=5)
        with pytest.raises(BoardError, match=r"Board must have the encoder 'rate' .*, not one of"):
            host.run_values(network, values, encoding=other)
        with pytest.raises(ValueError, match=r"Values must be .*255"):
            host.run_values(network, values + 256)
        # The notes say how, where nothing else does.
        result = host.run_values(network, values)
        assert not spiker_hdl.run(network, encoding.encode(values)).differences(result)
    wire, _ = simulated_link(network, engine="compiled")
    with (
        Served(wire) as board,
        Board(board.port) as host,
        pytest.raises(BoardError, match=r"not none: build it for this encoding"),
    ):
        host.run_values(network, values)


@pytest.mark.slow
def test_a_whole_board_takes_values_from_its_pins():
    encoding = CASES[0][0]
    network = network_for(encoding)
    values = DRAWS.integers(0, 256, (3, 9))
    wire, _ = simulated_link(
        network, engine="compiled", target=find_board("ulx3s_25f"), encoding=encoding
    )
    with Served(wire) as board, Board(board.port, timeout=30) as host:
        result = host.run_values(network, values)
    assert not spiker_hdl.run(network, encoding.encode(values)).differences(result)
