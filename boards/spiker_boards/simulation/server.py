"""A simulated board on a pseudo-terminal, for host programs and their tests."""

import os
import select
import threading
import tty
from random import Random

from spiker_boards.target import Target
from spiker_hdl.base.checks import check_choice
from spiker_hdl.base.version import LIBRARY_VERSION
from spiker_hdl.engines import fastest
from spiker_hdl.link.bridge import Link
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.simulate.byte_stream import CompiledWire, InterpretedWire, Wire

from .board import BoardOnWire
from .zynq_ps import ArmOnWire

__all__ = ["ENGINES", "Faults", "Served", "simulated_link"]

ENGINES = {"auto", "compiled", "amaranth"}
BUSY = 4096
"""Bytes that wait for the host at most; further ones are lost, as on a wire."""


def simulated_link(
    network: Network,
    mapping: Mapping | None = None,
    *,
    engine: str = "auto",
    target: Target | None = None,
    encoding: Encoding | None = None,
) -> tuple[Wire, str]:
    """Return a simulated link with an accelerator behind it, and the engine that simulates it.

    Parameters
    ----------
    network : Network
    mapping : Mapping, optional
    engine : {"auto", "compiled", "amaranth"}
        The link's Verilog compiled, or Amaranth's simulator, which needs no tools and is slow.
    target : Target, optional
        A board whose whole top is simulated, from the pins of its link on, or a Zynq's from the
        registers that its ARM sees. This takes the compiled engine, since the other is too slow
        for a host that waits.
    encoding : Encoding, optional
        Encoding of an encoder before the accelerator, which then takes values.

    Raises
    ------
    ValueError
        If there is no such engine, or it cannot simulate boards.
    BuildError
        If a tool that it needs is missing.
    """
    check_choice("Engine", engine, sorted(ENGINES))
    engine = fastest() if engine == "auto" else engine
    if target is not None and engine != "compiled":
        raise ValueError(f"Engine must be 'compiled' for a whole board, not {engine!r}")
    link = Link.of(network, mapping, encoding, version=LIBRARY_VERSION)
    if target is not None:
        return CompiledWire(ArmOnWire(link) if target.zynq else BoardOnWire(target, link)), engine
    return (CompiledWire(link) if engine == "compiled" else InterpretedWire(link)), engine


class Faults:
    """Faults of a bad wire: each byte may be damaged, dropped or doubled.

    Parameters
    ----------
    rate : float
        Share of the bytes with a fault, 0 to 1.
    seed : int

    Attributes
    ----------
    done : int
        Number of faults so far.
    """

    def __init__(self, rate: float, seed: int):
        if not 0 <= rate <= 1:
            raise ValueError(f"Rate of faults must be in 0..1, not {rate!r}")
        self.rate = rate
        self.done = 0
        self._random = Random(seed)

    def __call__(self, data: bytes) -> bytes:
        """Return the bytes that arrive."""
        random, arrived = self._random, bytearray()
        for octet in data:
            if random.random() >= self.rate:
                arrived.append(octet)
                continue
            self.done += 1
            fault = random.randrange(3)
            if fault == 0:
                arrived.append(octet ^ random.randrange(1, 256))
            elif fault == 1:
                arrived += bytes([octet, octet])
        return bytes(arrived)


class Served:
    """A simulated board behind a port, within a ``with`` statement.

    Parameters
    ----------
    wire : Wire
        See :func:`simulated_link`.
    faults : Faults, optional
        In both directions.

    Attributes
    ----------
    port : str
        Name for the host to open.
    """

    def __init__(self, wire: Wire, *, faults: Faults | None = None):
        self.wire = wire
        self.faults = faults
        self._master, self._slave = os.openpty()
        # The host's end stays open, so that hosts may come and go, and is raw before they come.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._out = b""
        self._stop = threading.Event()
        self._reset = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    def __enter__(self) -> "Served":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)
        if self._error is not None:
            raise self._error

    def reset(self) -> None:
        """Reset the board, as its button does."""
        self._reset.set()

    def wait(self) -> None:
        """Serve until the program is interrupted, or the simulation fails."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def _guarded(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except BaseException as error:  # raised again by the thread that leaves
            self._error = error

    def _turn(self) -> None:
        if self._reset.is_set():
            self._reset.clear()
            self.wire.reset()
            self._out = b""
        # A simulation that has work to do must not wait for the host.
        timeout = 0.02 if self.wire.idle else 0
        writers = [self._master] if self._out else []
        readable, writable, _ = select.select([self._master], writers, [], timeout)
        data = os.read(self._master, BUSY) if readable else b""
        if writable:
            self._out = self._out[os.write(self._master, self._out) :]
        if self.faults is not None:
            data = self.faults(data)
        if not data and self.wire.idle:
            return
        answer = self.wire.turn(data, self.wire.pace)
        if self.faults is not None:
            answer = self.faults(answer)
        self._out = (self._out + answer)[:BUSY]
