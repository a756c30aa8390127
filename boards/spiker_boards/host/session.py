"""A session with a board: frames of data out, frames of results in, and lost frames once more.

It uses no port and no clock: the caller asks for the bytes to write, and passes on arrived frames.
"""

from collections.abc import Iterable, Iterator

from spiker_hdl.link.protocol.frames import (
    DATA,
    POLL,
    RESET,
    RESULT,
    SEQUENCES,
    STATUS,
    WINDOW,
    Frame,
    encode,
)

__all__ = ["Exchange", "SessionError"]

FIRST, LEAST, MOST = 0.25, 0.005, 2.0
"""Seconds until an answer counts as lost: before the first one has come, at least, and at most."""

REST, LONGEST_REST = 0.001, 0.05
"""Seconds until a board without news is polled again: at first, and at most."""


class SessionError(Exception):
    """A board that has left the session, since it was reset."""


class Exchange:
    """The host's side of a session.

    The host keeps each frame of data until a status says that the accelerator has taken it or that
    it waits whole; the board keeps each frame of results until a poll says that the host has it.
    Bytes that arrive do so in the order in which they were sent, so that a status says for sure
    which of the frames before its poll were lost: these alone are sent again.

    Parameters
    ----------
    session : int
        Number of the session: not 0, and not the number of an earlier session.
    payloads : iterable of bytes
        Payloads of the frames of data.
    results : int
        Number of frames of results that are expected.
    now : float
        Seconds, of any clock.

    Attributes
    ----------
    received : list of bytes
        Payloads of results so far, in order.
    progressed : float
        Time of the last news.
    resent : int
        Frames of data that were sent more than once.
    """

    def __init__(self, session: int, payloads: Iterable[bytes], results: int, now: float):
        self.session = session
        self.results = results
        self.received: list[bytes] = []
        self.progressed = float("-inf")
        self.resent = 0
        self._payloads: Iterator[bytes] = iter(payloads)
        self._spent = False  # of them all
        self._open = False
        self._due = now
        self._round = 0  # polls so far; the tag is this, modulo 256
        self._polled = now
        self._answered = True
        self._mean: float | None = None
        self._spread = 0.0
        self._limit = FIRST
        self._rest = REST
        self._base = 0  # of data: the first that the board still needs
        self._next = 0
        self._kept: dict[int, bytes] = {}
        self._sent: dict[int, int] = {}  # round in which each of them was last sent
        self._lost: set[int] = set()
        self._early: dict[int, bytes] = {}  # results whose predecessors are missing
        self._missing: dict[int, int] = {}  # results that were lost, and the round of the request

    @property
    def done(self) -> bool:
        """Whether all results are there; or all data was taken, where no results are to come."""
        if not self.results:
            return self._spent and self._base == self._next
        return len(self.received) == self.results

    @property
    def taken(self) -> int:
        """Number of frames of data that the board has taken."""
        return self._base

    @property
    def due(self) -> float:
        """Time at which :meth:`send` next has bytes, if no frame arrives before."""
        return self._due

    # -- out -------------------------------------------------------------------------------------

    def send(self, now: float) -> bytes:
        """Return the bytes to write now, which may be none."""
        if now < self._due:
            return b""
        if not self._answered:
            self._limit = min(2 * self._limit, MOST)
        self._answered = False
        self._polled = now
        self._due = now + self._limit
        if not self._open:
            # A delimiter ends any frame that was cut off before.
            return b"\0" + encode(Frame(RESET.code, 0, self.session))
        self._round += 1
        frames = [self._data(n) for n in sorted(self._lost)]
        self.resent += len(frames)
        self._lost.clear()
        while self._next < self._base + WINDOW:
            payload = next(self._payloads, None)
            if payload is None:
                self._spent = True
                break
            self._kept[self._next] = payload
            frames.append(self._data(self._next))
            self._next += 1
        return b"".join(frames) + self._poll()

    def _data(self, n: int) -> bytes:
        self._sent[n] = self._round
        return encode(Frame(DATA.code, n % SEQUENCES, self.session, self._kept[n]))

    def _poll(self) -> bytes:
        mask = 0
        for n, asked in self._missing.items():
            if not asked:
                self._missing[n] = self._round
                mask |= 1 << n % WINDOW
        payload = bytes([self._round % SEQUENCES, mask])
        return encode(Frame(POLL.code, len(self.received) % SEQUENCES, self.session, payload))

    # -- in --------------------------------------------------------------------------------------

    def hear(self, frame: Frame, now: float) -> None:
        """Take a frame that arrived.

        Raises
        ------
        SessionError
            If the board has left the session.
        """
        if frame.session != self.session:
            if self._open:
                raise SessionError(f"Board must be in session {self.session}, not {frame.session}")
        elif frame.code == STATUS.code and len(frame.payload) == 3:
            self._hear_status(frame, now)
        elif frame.code == RESULT.code and self._open:
            self._hear_result(frame, now)

    def _hear_result(self, frame: Frame, now: float) -> None:
        first = len(self.received)
        ahead = (frame.sequence - first) % SEQUENCES
        if ahead >= WINDOW or first + ahead >= self.results:
            return  # a frame that came before
        self._early[first + ahead] = frame.payload
        self._missing.pop(first + ahead, None)
        while len(self.received) in self._early:
            self.received.append(self._early.pop(len(self.received)))
        self._news(now)
        if self._answered:
            self._due = min(self._due, now + self._rest)

    def _hear_status(self, frame: Frame, now: float) -> None:
        tag, waiting, unsent = frame.payload
        if not self._open:
            self._open = True
            self._answer(now)
            return
        behind = (self._round - tag) % SEQUENCES
        asked = self._round - behind
        ahead = (frame.sequence - self._base) % SEQUENCES
        if asked < 1 or ahead > self._next - self._base:
            return  # a status of an old poll
        for n in range(self._base, self._base + ahead):
            del self._kept[n], self._sent[n]
            self._lost.discard(n)
        self._base += ahead
        # Bytes keep their order: a frame that was sent before the poll and is not there was lost.
        for n in range(self._base, self._next):
            if not waiting >> n % WINDOW & 1 and self._sent[n] <= asked:
                self._lost.add(n)
        first = len(self.received)
        count = (unsent - first) % SEQUENCES
        for n in range(first, first + count if count <= WINDOW else first):
            if n not in self._early and self._missing.get(n, 0) <= asked:
                self._missing[n] = 0
        if not behind:
            self._answer(now)
        if ahead:
            self._news(now)
        if self._answered and not (ahead or self._lost or 0 in self._missing.values()):
            self._due = now + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)

    def _answer(self, now: float) -> None:
        """Adapt the timeout to the time that the last answer took."""
        if not self._answered:
            took = now - self._polled
            if self._mean is None:
                self._mean, self._spread = took, took / 2
            else:  # RFC 6298
                self._spread += (abs(took - self._mean) - self._spread) / 4
                self._mean += (took - self._mean) / 8
            self._limit = min(max(self._mean + 4 * self._spread, LEAST), MOST)
        self._answered = True
        self._due = now

    def _news(self, now: float) -> None:
        self.progressed = now
        self._rest = REST
