"""The connection to a board: a port that may go and come back, and sessions on it.

It loads pyserial, and neither Amaranth nor PyTorch.
"""

import errno
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import serial

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.link.protocol.frames import (
    IDENTIFY,
    IDENTITY,
    PAGE,
    SESSIONS,
    Frame,
    Reader,
    encode,
)
from spiker_hdl.link.protocol.identity import Identity

from .session import Exchange, SessionError

__all__ = ["BoardError", "Line"]

ASK, PAUSE, TICK = 0.2, 0.05, 0.002
"""Seconds until an identity is asked for again, between attempts to open a port, and of a read."""

RESTARTS = 100
"""Sessions without progress after which a board is given up."""

GONE = (serial.SerialException, OSError)
FASTEST = 2**31 - 1
"""Highest baud rate that a system call takes."""

# Ports such as mailbox:///dev/mem?at=0x43c00000.
serial.protocol_handler_packages.append(__name__.rpartition(".")[0])


class BoardError(RuntimeError):
    """A board that does not answer, or holds another network."""


class Line:
    """A port with a board behind it; parameters, attributes and errors are those of a board.

    A request that fails is tried again, in a new session, until the timeout is over.
    """

    def __init__(self, port: str, *, baud: int = 1_000_000, timeout: float = 10.0):
        check_kind("Port", port, str)
        baud = check_int("Baud", baud, 1, FASTEST)
        if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not timeout > 0:
            raise ValueError(f"Timeout must be a number of seconds above 0, not {timeout!r}")
        self.port = port
        self.baud = baud
        self.timeout = timeout
        self.damaged = 0
        self.resent = 0
        self.sessions = 0
        self._session = random.randrange(1, SESSIONS)
        self._reader = Reader()
        self._began = time.monotonic()  # start of the timeout
        self._serial: Any = None
        try:
            self._connect()
        except GONE as error:
            raise BoardError(_unopened(port, error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        if self._serial is not None:
            self._serial.close()
            self._serial = None

    def _persist(
        self,
        action: Callable[[], Any],
        lacking: Callable[[], str],
        count: Callable[[], int] = lambda: 0,
    ) -> Any:
        """Repeat an action that may fail, as long as there is progress within the timeout."""
        before, reason, attempts = count(), "no answer", 0
        self._began = time.monotonic()
        while True:
            try:
                if self._serial is None:
                    self._connect()
                return action()
            except SessionError as error:
                reason = str(error)
            except TimeoutError as error:
                reason = str(error)
            except GONE as error:
                reason = f"port {self.port!r} is gone: {_why(error)}"
                self.close()
                time.sleep(PAUSE)
            if count() > before:
                before, attempts = count(), 0
            attempts += self._serial is not None
            if time.monotonic() > self._deadline or attempts > RESTARTS:
                raise BoardError(
                    f"Board must answer within {self.timeout:g} s, but {lacking()}: {reason}"
                )

    @property
    def _deadline(self) -> float:
        return self._began + self.timeout

    def _connect(self) -> None:
        self._reader = Reader()
        self._serial = serial.serial_for_url(
            self.port,
            baudrate=self.baud,
            timeout=TICK,
            write_timeout=self.timeout,
            exclusive=True,  # two hosts would take each other's answers
        )

    def _read(self, until: float) -> list[Frame]:
        """Wait for bytes, at most until a time; return the frames that they complete."""
        port = self._serial
        waiting = port.in_waiting
        while not waiting and time.monotonic() < until:
            data = port.read(1)  # waits for a TICK at most
            if data:
                break
        else:
            data = port.read(waiting) if waiting else b""
        before = self._reader.damaged
        frames = self._reader.feed(data)
        self.damaged += self._reader.damaged - before
        return frames

    def _identify(self) -> Identity:
        pages: dict[int, bytes] = {}
        while len(pages) < Identity.PAGES:
            (number, *_) = (n for n in range(Identity.PAGES) if n not in pages)
            now = time.monotonic()
            if now > self._deadline:
                raise TimeoutError("it does not say what it is")
            self._serial.write(b"\0" + encode(Frame(IDENTIFY.code, number)))
            until = now + ASK
            while number not in pages and time.monotonic() < until:
                for frame in self._read(until):
                    if frame.code == IDENTITY.code and len(frame.payload) == PAGE:
                        pages[frame.sequence] = frame.payload
        try:
            return Identity.from_bytes(b"".join(pages[n] for n in sorted(pages)))
        except ValueError as error:
            raise BoardError(str(error)) from None

    def _open(self, payloads: Iterator[bytes], results: int) -> Exchange:
        self._session = self._session % (SESSIONS - 1) + 1
        self.sessions += 1
        return Exchange(self._session, payloads, results, time.monotonic())

    def _talk(self, exchange: Exchange, note: Callable[[], None]) -> None:
        """Go through a session, and call ``note`` after each exchange of frames."""
        try:
            while not exchange.done:
                now = time.monotonic()
                self._began = max(self._began, exchange.progressed)
                if now > self._deadline:
                    raise TimeoutError("it has nothing new to say")
                out = exchange.send(now)
                if out:
                    self._serial.write(out)
                for frame in self._read(exchange.due):
                    exchange.hear(frame, time.monotonic())
                note()
        finally:
            self.resent += exchange.resent


def _unopened(port: str, error: OSError) -> str:
    if error.errno == errno.EAGAIN:
        return f"Port {port!r} must be free, and another program has it"
    hint = ""
    if error.errno == errno.EACCES:
        hint = " (its group may: often dialout or uucp)"
    return f"Port {port!r} must be one that opens: {_why(error)}{hint}"


def _why(error: OSError) -> str:
    if error.errno == errno.EAGAIN:
        return "another program has it"
    return os.strerror(error.errno) if error.errno else str(error)
