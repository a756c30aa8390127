"""The registers behind AXI4-Lite, stated once.

Gateware, host, manifest and documentation are made of :data:`REGISTERS`, an accelerator's, and of
:data:`MAILBOX`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spiker_hdl.model import Mapping, Network

__all__ = [
    "ADDRESS_BITS",
    "MAGIC",
    "MAILBOX",
    "MAILBOX_AT",
    "MAILBOX_DEPTH",
    "MAP_VERSION",
    "REGISTERS",
    "WORD",
    "Bits",
    "Register",
    "identity",
    "mapping_digest",
    "register",
    "registers_json",
    "registers_table",
    "words",
]

WORD = 32
"""Bits of a register."""

MAGIC = int.from_bytes(b"SPKR", "big")
MAP_VERSION = 2
"""Raised when a register comes, moves or means something else."""


@dataclass(frozen=True)
class Bits:
    """Neighbouring bits of a register.

    Members
    -------
    name : str
    offset, width : int
        The lowest bit, and how many.
    meaning : str
    """

    name: str
    offset: int
    width: int
    meaning: str


@dataclass(frozen=True)
class Register:
    """One register, or several in a row that hold one value.

    Members
    -------
    name : str
    address : int
        In bytes, of the first.
    access : {"constant", "read", "write"}
        Constant, read alone, or also written.
    meaning : str
    bits : tuple of Bits
        Parts that mean something of their own; the others are 0.
    count : int
        Registers in a row.
    """

    name: str
    address: int
    access: str
    meaning: str
    bits: tuple[Bits, ...] = ()
    count: int = 1


_ERRORS = (
    Bits(
        "partial",
        0,
        1,
        "a packet ended inside a step; nothing fires in what was missing of the step",
    ),
    Bits(
        "long",
        1,
        1,
        "a packet went on behind the most steps that a sample may have; the excess was dropped",
    ),
    Bits(
        "unequal",
        2,
        1,
        "packets of several inputs for one sample had different steps: the first to end a step "
        "decided whether the sample went on; nothing fires in the steps that one lacked, and those "
        "that one had in excess were dropped",
    ),
    Bits(
        "invalid",
        3,
        1,
        "a packet had an event or a value that its input does not have, or events that did not "
        "ascend; these were left out",
    ),
)

REGISTERS = (
    Register("magic", 0x00, "constant", f"0x{MAGIC:08X}, which is SPKR in ASCII"),
    Register("map", 0x04, "constant", f"{MAP_VERSION}, the version of this map"),
    Register(
        "library",
        0x08,
        "constant",
        "version of spiker-hdl",
        (
            Bits("patch", 0, 8, "third number"),
            Bits("minor", 8, 8, "second number"),
            Bits("major", 16, 8, "first number"),
        ),
    ),
    Register(
        "control",
        0x10,
        "write",
        "reads 0",
        (
            Bits(
                "reset",
                0,
                1,
                "1 drops all samples inside and what is still to come of those that have begun to "
                "enter, and sets the counters to 0; a result that is offered stays, and so does "
                "what `error` holds",
            ),
        ),
    ),
    Register(
        "status",
        0x14,
        "read",
        "what is going on",
        (
            Bits("idle", 0, 1, "no sample has begun to enter whose result was not taken"),
            Bits("result", 1, 1, "a result is offered"),
        ),
    ),
    Register("samples", 0x18, "read", "samples that the first input has taken whole, modulo 2**32"),
    Register("results", 0x1C, "read", "results that were taken, modulo 2**32"),
    Register(
        "network",
        0x20,
        "constant",
        "SHA-256 of the network, the first 8 hexadecimal digits in the first register",
        count=8,
    ),
    Register(
        "mapping",
        0x40,
        "constant",
        "SHA-256 of the mapping as JSON with sorted keys, in the same order",
        count=8,
    ),
    Register(
        "error",
        0x60,
        "write",
        "what was wrong with packets since it was cleared: a bit stays 1 until 1 is written to it",
        _ERRORS,
    ),
    Register(
        "interrupt",
        0x64,
        "write",
        "which of these make the port `irq` 1 for as long as they are so; after a hardware "
        "reset those that have a bit in `error`",
        (
            *_ERRORS,
            Bits("result", 8, 1, "a result is offered"),
        ),
    ),
    Register(
        "faults",
        0x68,
        "read",
        "results that came with `fault`, since something was wrong with their packets, modulo "
        "2**32",
    ),
)
"""All registers; each is of :data:`WORD` bits, and an access elsewhere is answered by SLVERR."""

ADDRESS_BITS = (REGISTERS[-1].address + 4 * REGISTERS[-1].count - 1).bit_length()
"""Bits of a byte address."""

MAILBOX_AT = 0x43C0_0000
"""Where a Zynq's ARM sees a mailbox, in the range of its first port to the logic."""

MAILBOX_DEPTH = 64
"""Bytes that a mailbox holds on each way."""

MAILBOX = (
    Register(
        "rx", 0x0, "read", "the next byte from the board, which is taken; SLVERR if there is none"
    ),
    Register("tx", 0x4, "write", "a byte for the board; SLVERR, and lost, if there is no room"),
    Register(
        "stat",
        0x8,
        "read",
        "how full the queues are",
        (
            Bits("rx_valid", 0, 1, "there is a byte from the board"),
            Bits("rx_full", 1, 1, "there is no room for another one"),
            Bits("tx_empty", 2, 1, f"there is room for {MAILBOX_DEPTH} bytes"),
            Bits("tx_full", 3, 1, "there is no room for a byte"),
            Bits("enabled", 4, 1, "interrupts are on"),
        ),
    ),
    Register(
        "ctrl",
        0xC,
        "write",
        "reads 0",
        (
            Bits("clear_tx", 0, 1, "1 drops what the board has not taken"),
            Bits("clear_rx", 1, 1, "1 drops what has come from the board"),
            Bits("enable", 4, 1, "whether interrupts are on"),
        ),
    ),
)
"""Those of a mailbox, which are where AXI UART Lite has them (AMD PG142)."""


def register(name: str, among: Sequence[Register] = REGISTERS) -> Register:
    """Return the register of a name."""
    (found,) = [one for one in among if one.name == name]
    return found


def words(name: str) -> Iterator[int]:
    """Give the address of each word of a register, in bytes."""
    one = register(name)
    return iter(range(one.address, one.address + 4 * one.count, 4))


def mapping_digest(mapping: Mapping) -> str:
    """Return the SHA-256 of a mapping, in hexadecimal."""
    text = json.dumps(mapping.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(network: Network, mapping: Mapping, version: str) -> dict[int, int]:
    """Return what the constant registers hold, by address.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    version : str
        Of the library; what is not ``a.b.c`` of it is left out.

    Returns
    -------
    dict of int to int
    """
    numbers = [min(int(one), 255) for one in re.findall(r"\d+", version)[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    held = {
        "magic": [MAGIC],
        "map": [MAP_VERSION],
        "library": [major << 16 | minor << 8 | patch],
        "network": _split(network.digest),
        "mapping": _split(mapping_digest(mapping)),
    }
    return {
        address: value
        for name, values in held.items()
        for address, value in zip(words(name), values, strict=True)
    }


def _split(digest: str) -> list[int]:
    return [int(digest[n : n + 8], 16) for n in range(0, len(digest), 8)]


def registers_json() -> list[dict[str, Any]]:
    """Return the map as JSON can hold it."""
    return [
        {
            "name": one.name,
            "address": one.address,
            "count": one.count,
            "access": one.access,
            "meaning": one.meaning,
            "bits": [vars(each) for each in one.bits],
        }
        for one in REGISTERS
    ]


def registers_table(among: Sequence[Register] = REGISTERS) -> str:
    """Return the map as a table in Markdown."""
    lines = ["| address | name | access | holds |", "|---|---|---|---|"]
    for one in among:
        last = one.address + 4 * (one.count - 1)
        place = f"0x{one.address:02X}" + (f" to 0x{last:02X}" if one.count > 1 else "")
        lines.append(f"| {place} | `{one.name}` | {one.access} | {one.meaning} |")
        for each in one.bits:
            top = each.offset + each.width - 1
            span = f"{top}:{each.offset}" if each.width > 1 else f"{each.offset}"
            lines.append(f"| bit {span} | `{one.name}.{each.name}` | | {each.meaning} |")
    return "\n".join(lines) + "\n"
