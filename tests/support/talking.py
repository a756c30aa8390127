"""A host of a simulated link in the same program: the session alone, without port and clock."""

import numpy as np

from spiker_boards.host.session import Exchange, SessionError
from spiker_hdl.link.protocol.frames import IDENTIFY, Frame, Reader, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import Port, ResultLayout, data_payloads, load_payloads
from spiker_hdl.model import stimulus
from spiker_hdl.model.mapping.reload import beats, with_worst_case_bounds

__all__ = ["converse", "identify", "load", "say", "spikes_for"]

TICK = 1e-3  # seconds of a turn, for the session


def say(wire, *frames, cycles=20_000, idle=True):
    """Send frames to a wire; return its frames. Afterwards the wire is idle, or not, as given."""
    received = wire.turn(b"".join(encode(frame) for frame in frames), cycles)
    assert wire.idle == idle
    return Reader().feed(received)


def identify(wire):
    """Return the identity of the board on a wire."""
    pages = [say(wire, Frame(IDENTIFY.code, n)) for n in range(Identity.PAGES)]
    return Identity.from_bytes(b"".join(page.payload for (page,) in pages))


def load(wire, network, mapping, *, faults=None, cycles=200, turns=20_000):
    """Load a network over a wire, in a separate session."""
    faults, reader = faults or bytes, Reader()
    exchange = Exchange(999, load_payloads(len(network.inputs), beats(network, mapping)), 0, 0.0)
    for turn in range(turns):
        for frame in reader.feed(faults(wire.turn(faults(exchange.send(turn * TICK)), cycles))):
            exchange.hear(frame, turn * TICK)
        if exchange.done:
            break
    assert exchange.done
    say(wire, Frame(IDENTIFY.code, Identity.PAGES))  # to no answer, until the last beats are taken


def converse(wire, network, spikes, *, faults=None, resets=(), cycles=200, turns=20_000):
    """Run samples over a wire.

    Parameters
    ----------
    faults : callable, optional
        Function that damages bytes, in both directions.
    resets : sequence of int
        Turns after which the board is reset.
    cycles : int
        Cycles that are simulated in a turn.
    turns : int
        Turns after which the test fails.

    Returns
    -------
    result : Result
    sessions : list of Exchange
    """
    identity = identify(wire)
    assert identity.network == network.digest
    writable = [network.populations[n].name for n in identity.writable]
    stimulus_sent, layout = (
        stimulus(network, spikes),
        ResultLayout(with_worst_case_bounds(network, writable)),
    )
    ports = [Port.of(node, n, identity) for n, node in enumerate(network.inputs)]
    faults = faults or bytes
    results, sessions, reader = [], [], Reader()
    turn = 0

    def begin():
        start = len(results)
        samples = range(start, len(stimulus_sent))
        payloads = (
            payload for n in samples for payload in data_payloads(ports, stimulus_sent.sample(n))
        )
        frames = (len(stimulus_sent) - start) * layout.frames
        sessions.append(Exchange(len(sessions) + 1, payloads, frames, turn * TICK))
        return start

    start = begin()
    while len(results) < len(stimulus_sent):
        turn += 1
        assert turn < turns, f"still running after {turns} turns"
        if turn in resets:
            wire.reset()
        session = sessions[-1]
        received = faults(wire.turn(faults(session.send(turn * TICK)), cycles))
        try:
            for frame in reader.feed(received):
                session.hear(frame, turn * TICK)
        except SessionError:
            start = begin()
            continue
        while (len(results) - start + 1) * layout.frames <= len(session.received):
            at = (len(results) - start) * layout.frames
            results.append(b"".join(session.received[at : at + layout.frames]))
    return layout.result(results, "board"), sessions


def spikes_for(network, seed, samples, steps):
    """Draw spikes for a network with one input."""
    draw = np.random.default_rng(seed)
    return (draw.random((samples, steps, network.inputs[0].size)) < 0.3).astype(np.int64)
