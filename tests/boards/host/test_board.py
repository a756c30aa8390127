"""Tests of the host against a simulated board on a pseudo-terminal, also over a bad wire."""

import os
import subprocess
import sys
import threading
import time
import tty
from contextlib import ExitStack

import numpy as np
import pytest

import spiker_hdl
from spiker_boards import Board, BoardError
from spiker_boards.simulation.server import Faults, Served, simulated_link
from spiker_hdl.link.protocol.frames import (
    IDENTIFY,
    IDENTITY,
    LINK_VERSION,
    PAGE,
    Frame,
    Reader,
    encode,
)
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.model import AnswerPolicy, Mapping, load

from support.places import ROOT
from support.small import make_network
from support.talking import spikes_for


def served(network, *, faults=None, engine="amaranth"):
    """Return a simulated board, to be entered."""
    return Served(simulated_link(network, engine=engine)[0], faults=faults)


def later(seconds, what):
    """Do something in a while."""
    timer = threading.Timer(seconds, what)
    timer.start()
    return timer


@pytest.fixture(scope="module")
def board():
    """Give a board with a small network, which tests share."""
    network = make_network(3)
    with served(network) as link:
        yield network, link


# -- answers -------------------------------------------------------------------------------------


def test_a_board_answers_as_the_reference(board):
    network, link = board
    spikes = spikes_for(network, 1, 6, 2)
    done = []
    with Board(link.port) as host:
        result = host.run(network, spikes, progress=done.append)
        again = host.run(network, [spikes[0], spikes[1][:1]])
        identity = host.identify()
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert not spiker_hdl.run(network, [spikes[0], spikes[1][:1]]).differences(again)
    assert result.engine == "board"
    assert sum(done) == 6
    assert (host.resent, host.sessions) == (0, 2)
    # A slow board is asked twice who it is, and the session that begins cuts its second answer.
    assert host.damaged <= host.sessions
    assert identity == Identity.of(network, Mapping.default(network), spiker_hdl.__version__)


def test_over_a_bad_wire_with_noise_and_a_reset_no_sample_is_lost_or_wrong():
    network = make_network(3)
    spikes = spikes_for(network, 2, 25, 1)
    faults = Faults(0.01, 3)
    with served(network, faults=faults) as link, Board(link.port) as host:
        host.identify()
        os.write(link._master, b"\x07noise" * 30)  # to the host, without a delimiter

        def count(done):
            seen.append(done)
            if len(seen) == 4:
                link.reset()

        seen = []
        result = host.run(network, spikes, progress=count)
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert sum(seen) == 25
    assert host.sessions > 1
    assert host.damaged
    assert faults.done > 20


def test_a_board_that_was_unplugged_goes_on(tmp_path):
    network = make_network(3)
    spikes = spikes_for(network, 3, 12, 1)
    name = tmp_path / "tty"
    first = ExitStack()
    with served(network) as second:
        name.symlink_to(first.enter_context(served(network)).port)

        def unplug(done):
            if not moved:
                moved.append(done)
                name.unlink()
                first.close()
                later(0.2, lambda: name.symlink_to(second.port))

        moved = []
        with Board(str(name)) as host:
            result = host.run(network, spikes, progress=unplug)
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert host.sessions == 2


# -- refusals ------------------------------------------------------------------------------------


def test_another_network_is_refused(board):
    _, link = board
    other = make_network(4)
    with Board(link.port) as host, pytest.raises(BoardError, match="Board must hold the network"):
        host.run(other, spikes_for(other, 1, 1, 1))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"record": ["hidden"]}, r"Record must be empty on a board, not \('hidden',\)"),
        ({"reports": AnswerPolicy(window=1)}, "Reports must be after the last step on a board"),
        ({"spikes": np.zeros((1, 2, 9), dtype=int)}, r"must have the shape \(samples, steps, 3\)"),
    ],
)
def test_what_boards_cannot_do_is_refused(board, options, message):
    network, link = board
    spikes = options.pop("spikes", None)
    with Board(link.port) as host, pytest.raises(ValueError, match=message):
        host.run(network, spikes_for(network, 1, 1, 2) if spikes is None else spikes, **options)


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        ([7], {}, TypeError, "Port must be a str, not 7"),
        (["x"], {"baud": 0}, ValueError, "Baud must be at least 1, not 0"),
        (["x"], {"baud": 2**31}, ValueError, "Baud must be at most 2147483647, not 2147483648"),
        (["x"], {"timeout": 0}, ValueError, "Timeout must be a number of seconds above 0, not 0"),
        (
            ["/nowhere/tty"],
            {},
            BoardError,
            "Port '/nowhere/tty' must be one that opens: No such file or directory$",
        ),
        (["."], {}, BoardError, "Port '.' must be one that opens: Is a directory$"),
        (["/dev/null"], {}, BoardError, "Port '/dev/null' must be one that opens: Could not conf"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        Board(*arguments, **options)


def test_a_port_is_held_by_one_host(board):
    network, link = board
    with Board(link.port) as first:
        with pytest.raises(BoardError) as refused:
            Board(link.port)
        assert str(refused.value) == f"Port {link.port!r} must be free, and another program has it"
        assert first.identify().network == network.digest
    with Board(link.port) as next_one:
        assert next_one.identify().network == network.digest


def test_a_port_that_another_took_meanwhile_is_told(board):
    _, link = board
    with Board(link.port, timeout=0.3) as first:
        first.close()
        with Board(link.port), pytest.raises(BoardError, match=r"another program has it$"):
            first.identify()
        first.timeout = 10.0  # that of a board that may be slow to answer
        first.identify()


class Script:
    """Something on a pseudo-terminal that answers frames by a function, or does not."""

    def __init__(self, answer):
        self.answer = answer
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.port = os.ttyname(self.slave)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        reader = Reader()
        while not self.stop.wait(0.002):
            try:
                data = os.read(self.master, 4096)
            except BlockingIOError:
                continue
            for frame in reader.feed(data):
                for reply in self.answer(frame):
                    os.write(self.master, encode(reply))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        os.close(self.master)
        os.close(self.slave)


def pages(network, version=LINK_VERSION):
    text = bytearray(Identity.of(network, Mapping.default(network), "0.1.0").to_bytes())
    text[4] = version
    return [bytes(text[at : at + PAGE]) for at in range(0, len(text), PAGE)]


def only_identifies(network, version=LINK_VERSION):
    def answer(frame):
        if frame.code == IDENTIFY.code:
            yield Frame(IDENTITY.code, frame.sequence, 0, pages(network, version)[frame.sequence])

    return answer


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda frame: [], "but samples 0 to 2 of 3 without answer: it does not say what it is"),
        (
            only_identifies(make_network(3)),
            "but samples 0 to 2 of 3 without answer: it has nothing new to say",
        ),
        (
            only_identifies(make_network(3), 9),
            f"Board must speak version {LINK_VERSION} of the link, not 9: build it with this",
        ),
    ],
)
def test_a_board_that_does_not_answer_is_given_up(answer, message):
    network = make_network(3)
    with Script(answer) as script, Board(script.port, timeout=1.0) as host:
        began = time.monotonic()
        with pytest.raises(BoardError, match=message):
            host.run(network, spikes_for(network, 1, 3, 1))
        assert time.monotonic() - began < 5


def test_an_error_names_the_samples_that_are_left():
    network = make_network(3)
    # Patient enough for a board that is slow to say who it is, as on a busy machine.
    with served(network) as link, Board(link.port, timeout=3.0) as host:

        def stop(done):
            link._stop.set()  # the board falls silent

        with pytest.raises(BoardError, match=r"samples [1-9] to 29 of 30 without answer"):
            host.run(network, spikes_for(network, 1, 30, 1), progress=stop)


# -- what it takes -------------------------------------------------------------------------------


def test_the_host_loads_neither_amaranth_nor_torch(board, tmp_path):
    network, link = board
    network.save(tmp_path / "net.spiker")
    script = (
        "import sys; import numpy as np; from spiker_boards import Board; "
        "from spiker_hdl.model import load; network = load('net.spiker'); "
        f"host = Board({link.port!r}); spikes = np.ones((2, 2, 3), dtype=int); "
        "print(host.run(network, spikes).classes.tolist()); "
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    output, loaded = run.stdout.split("LOADED")
    assert output.strip() == str(
        spiker_hdl.run(network, np.ones((2, 2, 3), dtype=int)).classes.tolist()
    )
    assert {"serial", "numpy"} < set(loaded.split())
    assert not set(loaded.split()) & {"amaranth", "torch", "matplotlib", "typer"}


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_rates_of_faults_are_shares(rate):
    with pytest.raises(ValueError, match=f"Rate of faults must be in 0..1, not {rate}"):
        Faults(rate, 0)


def test_there_are_two_engines():
    with pytest.raises(ValueError, match="Engine must be one of 'amaranth', 'auto', 'compiled'"):
        simulated_link(make_network(3), engine="reference")


# -- many ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_thousand_digits_over_a_bad_wire():
    network = load(ROOT / "networks" / "digits.spiker")
    draw = np.random.default_rng(0)
    spikes = (draw.random((10_000, 4, 64)) < draw.random((10_000, 1, 64)) * 0.6).astype(np.int8)
    faults = Faults(0.01, 1)
    with served(network, faults=faults, engine="compiled") as link:
        with Board(link.port) as host:
            result = host.run(network, spikes)
    expected = spiker_hdl.run(network, spikes)
    assert len(result.classes) == 10_000
    assert expected.differences(result) == []
    assert len(set(expected.classes.tolist())) == 10
    assert faults.done > 5_000
    assert host.resent > 1_000
    assert host.sessions == 1
