"""A host in the same program as a simulated link: the session itself, without port and clock."""

import numpy as np

from spiker_boards.host.session import Exchange, SessionError
from spiker_hdl.link.protocol.frames import IDENTIFY, Frame, Identity, Reader, encode
from spiker_hdl.link.protocol.payloads import Port, ResultLayout, data_payloads, load_payloads
from spiker_hdl.model import stimulus
from spiker_hdl.model.mapping.reload import beats, with_worst_case_bounds

__all__ = ["converse", "identify", "load", "say", "spikes_for"]

TICK = 1e-3  # seconds that a turn counts for


def say(wire, *frames, cycles=20_000, idle=True):
    """Send frames to a wire; return those that come, until nothing happens any more if ``idle``."""
    found = wire.turn(b"".join(encode(frame) for frame in frames), cycles)
    assert wire.idle == idle
    return Reader().feed(found)


def identify(wire):
    """Ask a wire for what it says of itself."""
    pages = [say(wire, Frame(IDENTIFY.code, n)) for n in range(Identity.PAGES)]
    return Identity.from_bytes(b"".join(page.payload for (page,) in pages))


def load(wire, network, mapping, *, faults=None, cycles=200, turns=20_000):
    """Load a network over a wire, in a session of its own."""
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
        What becomes of bytes, both ways.
    resets : sequence of int
        Turns after which the board begins anew.
    cycles : int
        Simulated in a turn.
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
    given, layout = (
        stimulus(network, spikes),
        ResultLayout(with_worst_case_bounds(network, writable)),
    )
    ports = [Port.of(one, n, identity) for n, one in enumerate(network.inputs)]
    faults = faults or bytes
    found, sessions, reader = [], [], Reader()
    turn = 0

    def begin():
        start = len(found)
        samples = range(start, len(given))
        payloads = (one for n in samples for one in data_payloads(ports, given.sample(n)))
        results = (len(given) - start) * layout.frames
        sessions.append(Exchange(len(sessions) + 1, payloads, results, turn * TICK))
        return start

    start = begin()
    while len(found) < len(given):
        turn += 1
        assert turn < turns, f"still running after {turns} turns"
        if turn in resets:
            wire.reset()
        session = sessions[-1]
        came = faults(wire.turn(faults(session.send(turn * TICK)), cycles))
        try:
            for frame in reader.feed(came):
                session.hear(frame, turn * TICK)
        except SessionError:
            start = begin()
            continue
        while (len(found) - start + 1) * layout.frames <= len(session.received):
            at = (len(found) - start) * layout.frames
            found.append(b"".join(session.received[at : at + layout.frames]))
    return layout.result(found, "board"), sessions


def spikes_for(network, seed, samples, steps):
    """Draw spikes for a network with one input."""
    draw = np.random.default_rng(seed)
    return (draw.random((samples, steps, network.inputs[0].size)) < 0.3).astype(np.int64)
