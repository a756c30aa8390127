"""The registers behind AXI4-Lite, defined once for gateware, host, manifest and documentation.

:data:`REGISTERS` are those of an accelerator, :data:`MAILBOX` those of a mailbox.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.canonical import frozen_mapping

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
    "constant_values",
    "mapping_digest",
    "register",
    "registers_json",
    "registers_table",
    "version_numbers",
    "words",
]

WORD = 32
"""Number of bits of a register."""

MAGIC = int.from_bytes(b"SPKR", "big")
MAP_VERSION = 2
"""Version of the map, increased whenever a register is added, moved or changed."""


@dataclass(frozen=True)
class Bits:
    """A field of a register.

    Members
    -------
    name : str
        Name of the field.
    offset, width : int
        Number of the lowest bit, and of bits.
    meaning : str
        What it contains, for the documentation.
    """

    name: str
    offset: int
    width: int
    meaning: str


@dataclass(frozen=True)
class Register:
    """A register, or several consecutive ones that have one value together.

    Members
    -------
    name : str
        Name of the register.
    address : int
        Byte address of the first.
    access : {"constant", "read", "write"}
        Constant; read-only; or readable and writable.
    meaning : str
        What it contains, for the documentation.
    bits : tuple of Bits
        Its fields; all other bits are 0.
    count : int
        Number of consecutive registers.
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
        "a packet ended inside a step; nothing fires in the rest of that step",
    ),
    Bits(
        "long",
        1,
        1,
        "a packet had more steps than a sample may have; the excess was dropped",
    ),
    Bits(
        "unequal",
        2,
        1,
        "packets of several inputs for one sample had different numbers of steps: the first input "
        "to end a step decided whether the sample went on; nothing fires in steps that a packet "
        "lacked, and steps that it had in excess were dropped",
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
                "1 drops all samples in flight and the rest of packets that have begun, and sets "
                "the counters to 0; a result on offer stays, and so does the register `error`",
            ),
        ),
    ),
    Register(
        "status",
        0x14,
        "read",
        "state of the accelerator",
        (
            Bits("idle", 0, 1, "the result of every sample that has begun to enter was taken"),
            Bits("result", 1, 1, "a result is on offer"),
        ),
    ),
    Register(
        "samples", 0x18, "read", "samples that the first input has taken as a whole, modulo 2**32"
    ),
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
        "faults of packets since they were cleared: a bit stays 1 until 1 is written to it",
        _ERRORS,
    ),
    Register(
        "interrupt",
        0x64,
        "write",
        "conditions for which the port `irq` is 1 while they hold; after a hardware reset those "
        "that have a bit in `error`",
        (
            *_ERRORS,
            Bits("result", 8, 1, "a result is on offer"),
        ),
    ),
    Register(
        "faults",
        0x68,
        "read",
        "results with `fault`, of samples with malformed packets, modulo 2**32",
    ),
)
"""All registers, of :data:`WORD` bits each; accesses elsewhere are answered by SLVERR."""

ADDRESS_BITS = (REGISTERS[-1].address + 4 * REGISTERS[-1].count - 1).bit_length()
"""Number of bits of a byte address."""

MAILBOX_AT = 0x43C0_0000
"""Address of a mailbox for the ARM of a Zynq, in the range of its first port to the logic."""

MAILBOX_DEPTH = 64
"""Number of bytes that a mailbox stores in each direction."""

MAILBOX = (
    Register(
        "rx", 0x0, "read", "the next byte from the board, which is removed; SLVERR if there is none"
    ),
    Register("tx", 0x4, "write", "a byte for the board; SLVERR, and lost, if there is no room"),
    Register(
        "stat",
        0x8,
        "read",
        "state of the queues",
        (
            Bits("rx_valid", 0, 1, "there is a byte from the board"),
            Bits("rx_full", 1, 1, "there is no room for another byte from the board"),
            Bits(
                "tx_empty",
                2,
                1,
                f"the queue to the board is empty: there is room for {MAILBOX_DEPTH} bytes",
            ),
            Bits("tx_full", 3, 1, "there is no room for another byte for the board"),
            Bits("enabled", 4, 1, "interrupts are on"),
        ),
    ),
    Register(
        "ctrl",
        0xC,
        "write",
        "reads 0",
        (
            Bits("clear_tx", 0, 1, "1 drops the bytes that the board has not taken"),
            Bits("clear_rx", 1, 1, "1 drops the bytes that have come from the board"),
            Bits("enable", 4, 1, "whether interrupts are on"),
        ),
    ),
)
"""Registers of a mailbox, at the addresses of those of AXI UART Lite (AMD PG142)."""


def register(name: str, among: Sequence[Register] = REGISTERS) -> Register:
    """Return the register with a name."""
    (result,) = [reg for reg in among if reg.name == name]
    return result


def words(name: str) -> Iterator[int]:
    """Return an iterator over the byte addresses of the words of a register."""
    reg = register(name)
    return iter(range(reg.address, reg.address + 4 * reg.count, 4))


def mapping_digest(mapping: Mapping) -> str:
    """Return the SHA-256 of a mapping, in hexadecimal."""
    text = json.dumps(frozen_mapping(mapping.to_json()), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def version_numbers(version: str) -> tuple[int, int, int]:
    """Return the first three numbers of a version, each at most 255; 0 where there is none."""
    numbers = [min(int(number), 255) for number in re.findall(r"\d+", version)[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major, minor, patch


def constant_values(network: Network, mapping: Mapping, version: str) -> dict[int, int]:
    """Return the values of the constant registers, by byte address.

    Parameters
    ----------
    network : Network
        Network of the accelerator.
    mapping : Mapping
        Mapping of the accelerator.
    version : str
        Version of the library, of which the first three numbers are used.

    Returns
    -------
    dict of int to int
    """
    names = ("major", "minor", "patch")
    numbers: dict[str, int] = dict(zip(names, version_numbers(version), strict=True))
    library = sum(numbers[bits.name] << bits.offset for bits in register("library").bits)
    contents = {
        "magic": MAGIC,
        "map": MAP_VERSION,
        "library": library,
        "network": int(network.digest, 16),
        "mapping": int(mapping_digest(mapping), 16),
    }
    # A value of several registers has its highest bits in the first of them.
    return {
        address: contents[reg.name] >> WORD * (reg.count - 1 - n) & (1 << WORD) - 1
        for reg in REGISTERS
        if reg.access == "constant"
        for n, address in enumerate(words(reg.name))
    }


def registers_json() -> list[dict[str, Any]]:
    """Return the map as values for JSON."""
    return [
        {
            "name": reg.name,
            "address": reg.address,
            "count": reg.count,
            "access": reg.access,
            "meaning": reg.meaning,
            "bits": [vars(bits) for bits in reg.bits],
        }
        for reg in REGISTERS
    ]


def registers_table(among: Sequence[Register] = REGISTERS) -> str:
    """Return the map as a table in Markdown."""
    lines = ["| address | name | access | holds |", "|---|---|---|---|"]
    for reg in among:
        last = reg.address + 4 * (reg.count - 1)
        place = f"0x{reg.address:02X}" + (f" to 0x{last:02X}" if reg.count > 1 else "")
        lines.append(f"| {place} | `{reg.name}` | {reg.access} | {reg.meaning} |")
        for bits in reg.bits:
            top = bits.offset + bits.width - 1
            span = f"{top}:{bits.offset}" if bits.width > 1 else f"{bits.offset}"
            lines.append(f"| bit {span} | `{reg.name}.{bits.name}` | | {bits.meaning} |")
    return "\n".join(lines) + "\n"
