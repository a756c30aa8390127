"""Tests of `spiker serve`."""

import signal
import subprocess
import sys

import pytest

import spiker_hdl
from spiker_boards import Board
from spiker_boards.catalog import BOARDS
from spiker_boards.simulation.server import Served, simulated_link
from spiker_hdl.model import load

from support.talking import spikes_for


def test_a_host_is_answered_until_the_interrupt(network_file):
    network = load(network_file)
    spikes = spikes_for(network, 5, 3, 2)
    arguments = ["serve", str(network_file), "--engine", "amaranth", "--lanes", "2"]
    run = subprocess.Popen(
        [sys.executable, "-m", "spiker_cli.main", *arguments, "--faults", "0.002"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell makes what it starts in the background deaf to interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        text=True,
    )
    try:
        port = run.stdout.readline().strip()
        with Board(port) as board:
            result = board.run(network, spikes)
            identity = board.identify()
        run.send_signal(signal.SIGINT)
        rest, output = run.communicate(timeout=20)
    finally:
        run.kill()
        run.communicate()
    assert not spiker_hdl.run(network, spikes).differences(result)
    folded = spiker_hdl.Mapping.folded(network, 2)
    assert identity == identity.of(network, folded, spiker_hdl.__version__)
    assert run.returncode == 130
    assert rest == ""
    assert "simulated by amaranth" in output
    assert "Traceback" not in output


def test_a_whole_board_answers_a_host():
    network = load("networks/digits.spiker")
    spikes = spikes_for(network, 5, 3, 2)
    mapping = spiker_hdl.Mapping.folded(network, 2)
    wire, _ = simulated_link(network, mapping, target=BOARDS["ulx3s_25f"])
    with Served(wire) as served, Board(served.port) as board:
        result = board.run(network, spikes)
    assert not spiker_hdl.run(network, spikes).differences(result)


@pytest.mark.parametrize(
    "options, line",
    [
        (["--engine", "reference"], "Engine must be one of 'amaranth', 'auto', 'compiled'"),
        (["--faults", "2"], "Rate of faults must be in 0..1, not 2.0"),
        (["--lanes", "0"], "Lanes must be at least 1, not 0"),
        (["--board", "icebraker"], "Board must be one of 'icebreaker'"),
        (
            ["--board", "icebreaker", "--engine", "amaranth"],
            "Engine must be 'compiled' for a whole board, not 'amaranth'",
        ),
    ],
)
def test_bad_options_are_refused(refused, network_file, options, line):
    assert line in refused("serve", network_file, *options)
