"""A serial port that is a mailbox in memory, by an address that pyserial opens.

``mailbox:///dev/mem?at=0x43c00000``, or ``mailbox:///dev/uio0`` for a mailbox at its beginning. It
loads NumPy and pyserial, and neither Amaranth nor PyTorch.
"""

import fcntl
import mmap
import os
import struct
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import serial

from spiker_hdl.link.protocol.registers import MAILBOX, MAILBOX_AT, MAILBOX_DEPTH, WORD, register

__all__ = ["Registers", "Serial"]

AT = {entry.name: entry.address for entry in MAILBOX}
STAT = {bit.name: 1 << bit.offset for bit in register("stat", MAILBOX).bits}
CTRL = {bit.name: 1 << bit.offset for bit in register("ctrl", MAILBOX).bits}
BYTES = len(MAILBOX) * WORD // 8
WAIT = 50e-6
"""Seconds between two reads of the status."""


class Registers:
    """Registers in memory, by their address in bytes; each access is one of 32 bits.

    They are locked: another program that opens them in this way is refused.

    Parameters
    ----------
    path : str
        File of the memory.
    at : int
        Offset of the first register in it, in bytes.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be mapped, or another program has locked it.
    """

    def __init__(self, path: str, at: int):
        before = at % mmap.ALLOCATIONGRANULARITY
        self._file = os.open(path, os.O_RDWR | os.O_SYNC)
        try:
            _lock(self._file, at)
            self._memory = mmap.mmap(self._file, before + BYTES, offset=at - before)
        except BaseException as error:
            os.close(self._file)
            if not isinstance(error, ValueError | OverflowError | struct.error):
                raise
            raise OSError(f"{path} must have {BYTES} bytes at {at:#x}, and ends before") from None
        # NumPy reads and writes a word of its own size in one access, never bytes of it.
        self._words: Any = np.frombuffer(self._memory, "<u4", len(MAILBOX), before)

    def __getitem__(self, address: int) -> int:
        return int(self._words[address // 4])

    def __setitem__(self, address: int, value: int) -> None:
        self._words[address // 4] = value

    def close(self) -> None:
        """Give the memory back."""
        self._words = None
        self._memory.close()
        os.close(self._file)


def _lock(file: int, at: int) -> None:
    """Lock the bytes of a mailbox for this open file; others in the same memory stay free."""
    command = getattr(fcntl, "F_OFD_SETLK", None)  # Linux has it
    if command is not None:
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, at, BYTES, 0)
        fcntl.fcntl(file, command, lock)


class Serial(serial.SerialBase):
    """A port of pyserial for such an address; rate and parity have no effect."""

    _registers: Any = None
    _received = b""

    def open(self) -> None:
        """Open the mailbox, and drop the bytes that are still in it.

        Raises
        ------
        ValueError
            If the address does not name a file and an offset in it.
        OSError
            If there is no such file, or it cannot be mapped.
        """
        path, at = _place(self.port)
        self.close()
        self._registers = Registers(path, at)
        self._clear("clear_tx", "clear_rx")
        self.is_open = True

    def close(self) -> None:
        """Close the mailbox."""
        if self._registers is not None:
            self._registers.close()
            self._registers = None
        self.is_open = False

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        self._fetch()
        return len(self._received)

    def reset_input_buffer(self) -> None:
        """Drop the bytes that have come from the board."""
        self._clear("clear_rx")

    def reset_output_buffer(self) -> None:
        """Drop the bytes that the board has not taken."""
        self._clear("clear_tx")

    def _clear(self, *which: str) -> None:
        self._opened[AT["ctrl"]] = sum(CTRL[bit] for bit in which)
        if "clear_rx" in which:
            self._received = b""

    @property
    def _opened(self) -> Registers:
        if self._registers is None:
            raise serial.PortNotOpenError
        return self._registers

    def read(self, size: int = 1) -> bytes:
        """Return so many bytes, or fewer after the timeout."""
        end = None if self.timeout is None else time.monotonic() + self.timeout
        while self.in_waiting < size and (end is None or time.monotonic() < end):
            time.sleep(WAIT)
        data, self._received = self._received[:size], self._received[size:]
        return data

    def write(self, data: Any) -> int:
        """Write bytes.

        Raises
        ------
        serial.SerialTimeoutException
            If the board takes none until the timeout.
        """
        data, registers = bytes(memoryview(data)), self._opened
        limit = self.write_timeout
        left, end = data, None if limit is None else time.monotonic() + limit
        while left:
            stat = registers[AT["stat"]]
            # An empty FIFO takes as many bytes as it holds; any that is not full takes one.
            space = MAILBOX_DEPTH if stat & STAT["tx_empty"] else int(not stat & STAT["tx_full"])
            for octet in left[:space]:
                registers[AT["tx"]] = octet
            left = left[space:]
            self._fetch()  # since a board that cannot send stops receiving
            if not space:
                if end is not None and time.monotonic() > end:
                    raise serial.SerialTimeoutException("Mailbox must take bytes, and takes none")
                time.sleep(WAIT)
        return len(data)

    def _fetch(self) -> None:
        registers, data = self._opened, bytearray()
        while registers[AT["stat"]] & STAT["rx_valid"] and len(data) < MAILBOX_DEPTH:
            data.append(registers[AT["rx"]] & 0xFF)
        self._received += bytes(data)

    def _reconfigure_port(self) -> None:
        """Do nothing: a mailbox has no rate."""


def _place(url: str | None) -> tuple[str, int]:
    """Return the file of an address, and the offset in it."""
    try:
        parts = urlsplit(url or "")
        options = parse_qs(parts.query, keep_blank_values=True)
        (text,) = options.pop("at", ["0"])
        at = int(text, 0)
        if at >= 0 and at % (WORD // 8) == 0 and parts.path:
            if not (parts.netloc or parts.fragment or options):
                return parts.path, at
    except ValueError:
        pass
    raise ValueError(
        f"Mailbox must be named as mailbox:///dev/mem?at=0x{MAILBOX_AT:08x}, with a file and a "
        f"multiple of {WORD // 8}, not {url!r}"
    )
