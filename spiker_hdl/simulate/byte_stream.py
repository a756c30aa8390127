"""Components with byte streams, simulated for some cycles at a time."""

import ctypes
from collections import deque
from typing import Any, Protocol

from amaranth.lib import wiring
from amaranth.sim import Simulator

from spiker_hdl.hdl.verilog import to_verilog

from .cpp_byte_harness import byte_harness
from .shared_library import find_library, find_tool, load_library

__all__ = ["CompiledWire", "InterpretedWire", "Wire"]

MAX_RECEIVED = 1 << 16
"""Maximum number of bytes that a component sends in one turn."""

NAME = "link"
PERIOD = 1e-6


class Wire(Protocol):
    """A simulated component with byte streams ``i`` and ``o``, and ``idle``.

    Attributes
    ----------
    idle : bool
        Whether the component is idle until the next byte comes.
    cycles : int
        Number of simulated cycles.
    pace : int
        Number of cycles that are simulated in about a millisecond.
    """

    idle: bool
    cycles: int
    pace: int

    def turn(self, data: bytes, cycles: int) -> bytes:
        """Send bytes, and simulate for at most ``cycles``, or until the component is idle.

        Bytes that the component has not taken then are sent in the next turn.

        Returns
        -------
        bytes
            The bytes that the component has sent in this turn.
        """
        ...

    def reset(self) -> None:
        """Restart, as after power-up; bytes that were not taken are lost."""
        ...


class _Turn(ctypes.Structure):
    """The structure ``Turn`` of :mod:`~.cpp_byte_harness`."""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("count", ctypes.c_uint64),
        ("out", ctypes.c_void_p),
        ("out_limit", ctypes.c_uint64),
        ("max_cycles", ctypes.c_uint64),
        ("sent", ctypes.c_uint64),
        ("received", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
    )


class CompiledWire:
    """A :class:`Wire` that is compiled to machine code.

    Parameters
    ----------
    component : wiring.Component
        A component that was not elaborated before.
    tool : str, optional
        One of :data:`~.shared_library.TOOLS`, the first that is installed by default.

    Raises
    ------
    BuildError
        If a tool is missing.
    """

    pace = 4096

    def __init__(self, component: wiring.Component, *, tool: str | None = None):
        tool = find_tool(tool)
        source = to_verilog(component, NAME)
        code = byte_harness(source.ports, tool, NAME)
        library = load_library(find_library(source.text, code, NAME, tool))
        library.spiker_make.restype = ctypes.c_void_p
        library.spiker_drop.argtypes = [ctypes.c_void_p]
        library.spiker_turn.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Turn)]
        self._library = library
        self._model: int | None = library.spiker_make()
        self._out = ctypes.create_string_buffer(MAX_RECEIVED)
        self._left = b""
        self.idle = False
        self.cycles = 0

    def turn(self, data: bytes, cycles: int) -> bytes:
        data = self._left + data
        turn = _Turn(
            data=data,
            count=len(data),
            out=ctypes.addressof(self._out),
            out_limit=MAX_RECEIVED,
            max_cycles=cycles,
        )
        self.idle = bool(self._library.spiker_turn(self._model, ctypes.byref(turn)))
        self._left = data[turn.sent :]
        self.cycles += turn.cycles
        return self._out.raw[: turn.received]

    def reset(self) -> None:
        self.close()
        self._model = self._library.spiker_make()
        self._left = b""

    def close(self) -> None:
        """Free the model."""
        if self._model is not None:
            self._library.spiker_drop(self._model)
            self._model = None


class InterpretedWire:
    """A :class:`Wire` in Amaranth's own simulator.

    Parameters
    ----------
    component : wiring.Component
        A component that was not elaborated before.
    """

    pace = 64

    def __init__(self, component: Any):
        self.component = component
        self.idle = False
        self.cycles = 0
        self._in: deque[int] = deque()
        self._out = bytearray()
        self._simulator = Simulator(component)
        self._simulator.add_clock(PERIOD)
        self._simulator.add_testbench(self._bench)

    async def _bench(self, ctx):
        i, o = self.component.i, self.component.o
        ctx.set(o.ready, 1)
        while True:
            offered = bool(self._in)
            ctx.set(i.valid, offered)
            ctx.set(i.payload, self._in[0] if offered else 0)
            *_, transferred, valid, octet, idle = await ctx.tick().sample(
                i.valid & i.ready, o.valid, o.payload, self.component.idle
            )
            if transferred:
                self._in.popleft()
            if valid:
                self._out.append(octet)
            self.idle = bool(idle) and not offered and not self._in
            self.cycles += 1

    def turn(self, data: bytes, cycles: int) -> bytes:
        self._in.extend(data)
        self.idle = False
        end = self.cycles + cycles
        while self.cycles < end and not self.idle:
            self._simulator.advance()
        received = bytes(self._out)
        self._out.clear()
        return received

    def reset(self) -> None:
        self._simulator.reset()
        self._in.clear()
        self._out.clear()
        self.idle = False
