"""Tests of networks that the host loads into a board as it runs."""

import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_boards import Board, BoardError
from spiker_boards.builder.build import BUILD
from spiker_boards.catalog import find_board
from spiker_boards.fit import FitError, check_fit
from spiker_boards.simulation.server import Faults, Served, simulated_link
from spiker_cli.main import main
from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.model import (
    Decay,
    Input,
    Integrator,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
)

from support.small import make_network
from support.talking import spikes_for
from support.writable import another, as_rows

NETWORK = make_network()
MAPPING = Mapping.folded(NETWORK, 4).with_writable(NETWORK, ["hidden", "output"])
UNINITIALIZED = Mapping.folded(NETWORK, 4).with_writable(NETWORK, ["output"], ["hidden"])
OTHER = another(Random(5), NETWORK, MAPPING)
SPIKES = spikes_for(NETWORK, 1, 6, 2)


def served(mapping, **options):
    """Return a simulated board, to be entered."""
    wrong = options.pop("faults", None)
    wire, _ = simulated_link(as_rows(NETWORK, mapping), mapping, engine="compiled", **options)
    return Served(wire, faults=wrong)


def test_a_board_holds_what_was_loaded_last():
    expected, first = spiker_hdl.run(OTHER, SPIKES), spiker_hdl.run(NETWORK, SPIKES)
    progress = []
    with served(MAPPING) as board, Board(board.port) as host:
        assert not first.differences(host.run(NETWORK, SPIKES))
        host.load(OTHER, MAPPING, progress=progress.append)
        assert not expected.differences(host.run(OTHER, SPIKES))
        with pytest.raises(BoardError, match=r"Board must hold the network .*: load it, or build"):
            host.run(NETWORK, SPIKES)
        assert host.identify().network == OTHER.digest
        host.load(as_rows(NETWORK, MAPPING), MAPPING)
        assert not first.differences(host.run(NETWORK, SPIKES))
    assert expected.differences(first)
    assert sum(progress) > 10


def test_what_is_loaded_goes_behind_the_last_of_several_inputs():
    draws = np.random.default_rng(2)
    network = Network(
        [Input("left", 3), Input("right", 2)],
        [Population("output", 3, Integrator(decay=Decay.shift(3), width=8), (1, -2, 3))],
        [
            Projection("left", "output", draws.integers(-8, 8, (3, 3)), bits=4),
            Projection("right", "output", draws.integers(-8, 8, (3, 2)), delay=1, bits=4),
        ],
        [Readout("output", "last")],
    )
    mapping = Mapping.default(network).with_writable(network, ["output"])
    other = another(Random(1), network, mapping)
    spikes = {"left": draws.integers(0, 2, (3, 4, 3)), "right": draws.integers(0, 2, (3, 4, 2))}
    expected = spiker_hdl.run(other, spikes)
    assert expected.differences(spiker_hdl.run(network, spikes))
    wire, _ = simulated_link(network, mapping, engine="amaranth")
    with Served(wire) as board, Board(board.port) as host:
        host.load(other, mapping)
        assert not expected.differences(host.run(other, spikes))


@pytest.mark.slow
def test_loading_over_a_bad_wire_ends_whole_after_a_reset_in_the_middle():
    with served(MAPPING, faults=Faults(0.01, 3)) as board, Board(board.port) as host:
        seen = []

        def reset(count):
            seen.append(count)
            if len(seen) == 2:
                board.reset()

        host.load(OTHER, MAPPING, progress=reset)
        assert not spiker_hdl.run(OTHER, SPIKES).differences(host.run(OTHER, SPIKES))
        assert host.sessions > 2


@pytest.mark.slow
def test_memory_without_contents_holds_no_network_before_it_is_loaded():
    network = as_rows(NETWORK, UNINITIALIZED)
    with (
        served(UNINITIALIZED, target=find_board("icebreaker")) as board,
        Board(board.port, timeout=30) as host,
    ):
        assert not int(host.identify().network, 16)
        with pytest.raises(BoardError, match=r"not none: load it, or build it for this network"):
            host.run(network, SPIKES)
        host.load(network, UNINITIALIZED)
        assert not spiker_hdl.run(network, SPIKES).differences(host.run(network, SPIKES))


def test_what_the_board_cannot_take_is_refused():
    plain = Mapping.folded(NETWORK, 4)
    hidden, output = OTHER.populations
    wider = replace(
        OTHER, populations=[replace(hidden, neuron=replace(hidden.neuron, fire=">=")), output]
    )
    with served(MAPPING) as board, Board(board.port) as host:
        with pytest.raises(ValueError, match="Mapping must have a writable population"):
            host.load(OTHER, plain)
        with pytest.raises(BoardError, match="Mapping must be that of the board"):
            host.load(OTHER, MAPPING.with_writable(NETWORK, (), ["hidden"]))
        with pytest.raises(BoardError, match=r"must differ from that for which .* alone"):
            host.load(wider, MAPPING)
        assert not spiker_hdl.run(NETWORK, SPIKES).differences(host.run(NETWORK, SPIKES))
    with served(plain) as board, Board(board.port) as host:
        with pytest.raises(BoardError, match="Board must have writable memories, not none"):
            host.load(OTHER, MAPPING)


@pytest.mark.parametrize("board", ["ulx3s_25f", "pynq_z2"])
def test_the_command_loads_by_what_the_build_says(board, tmp_path, capsys):
    OTHER.save(tmp_path / "other.spiker")
    report = {
        "format": 1,
        "board": board,
        "network": {"name": NETWORK.name, "sha256": NETWORK.digest},
        "mapping": MAPPING.to_json(),
        "baud": 1_000_000,
        "bitstream": {
            "file": "top.bit",
            "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
    }
    if board == "pynq_z2":  # a project, whose bitstream the vendor's tool makes
        report["bitstream"] = None
    (tmp_path / BUILD).write_text(json.dumps(report))
    (tmp_path / "top.bit").write_bytes(b"")
    with served(MAPPING) as link:
        command = ["load", str(tmp_path / "other.spiker"), "--port", link.port]
        assert main([*command, "--build", str(tmp_path)]) == 0
        assert OTHER.digest[:16] in capsys.readouterr().out
        assert main([*command, "--lanes", "4", "--writable", "all"]) == 0
        assert main([*command, "--lanes", "4"]) == 2
        assert "must have a writable population" in capsys.readouterr().err
        with Board(link.port) as host:
            assert not spiker_hdl.run(OTHER, SPIKES).differences(host.run(OTHER, SPIKES))


def test_large_memories_are_counted_apart():
    network = make_network(784)
    mapping = Mapping.folded(network, 4)
    uninitialized = mapping.with_writable(network, (), ["hidden"])
    assert estimate_area(network, uninitialized, "ice40").sprams == 1
    assert estimate_area(network, mapping, "ice40").sprams == 0
    assert (
        estimate_area(network, uninitialized, "ice40").block_rams
        < estimate_area(network, mapping, "ice40").block_rams
    )
    check_fit(find_board("icebreaker"), network, uninitialized)
    line = r"needs 1 blocks of SPRAM of 0: give no --spram, since this board has none$"
    with pytest.raises(FitError, match=line):
        check_fit(find_board("ulx3s_25f"), network, uninitialized)
