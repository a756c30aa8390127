"""Frames between a host and a board, stated once for host, gateware, tests and documentation.

A frame is a header, a payload and a CRC-32, after Cheshire and Baker's COBS (*Consistent Overhead
Byte Stuffing*, IEEE/ACM Transactions on Networking 7(2), 1999), so that a zero ends a frame and
occurs nowhere else: whatever was lost or added, the frame behind the next zero is whole again.

Frames are exchanged in *sessions*, which the host opens. Each side numbers what must arrive, keeps
it until the other side says that it has it, and sends again alone what was lost.
"""

import zlib
from dataclasses import dataclass
from typing import ClassVar

from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import structure

from .registers import MAGIC, identity, words

__all__ = [
    "CRC_BYTES",
    "DATA",
    "FRAME",
    "HEADER",
    "IDENTIFY",
    "IDENTITY",
    "KINDS",
    "LINK_VERSION",
    "MOST",
    "PAGE",
    "POLL",
    "RESET",
    "RESULT",
    "SEQUENCES",
    "SESSIONS",
    "STATUS",
    "WINDOW",
    "Field",
    "Frame",
    "Identity",
    "Kind",
    "Reader",
    "encode",
    "frames_table",
    "header_table",
]

LINK_VERSION = 2
"""Raised when a frame means something else."""

FRAME = 64
"""Most bytes of a frame on the wire, with its delimiter."""

WINDOW = 8
"""Frames that may be on their way in each direction: a power of two, at most 8."""

SEQUENCES = 256
"""Sequence numbers, after which they start anew."""

SESSIONS = 2**16
"""Sessions; a board is in session 0 after its reset, and a host opens others."""


@dataclass(frozen=True)
class Field:
    """A part of a header, least significant byte first.

    Members
    -------
    name : str
    width : int
        Bytes.
    meaning : str
    """

    name: str
    width: int
    meaning: str


HEADER = (
    Field("length", 1, "bytes of the payload"),
    Field("type", 1, "which kind of frame it is"),
    Field("sequence", 1, "see the table of kinds; modulo 256"),
    Field("session", 2, "that the sender is in; 0 is a board after its reset"),
)
"""What stands before a payload."""

HEADER_BYTES = sum(one.width for one in HEADER)
CRC_BYTES = 4
"""Bytes of the CRC-32 of header and payload, that of zlib, least significant byte first."""

MOST = FRAME - 2 - HEADER_BYTES - CRC_BYTES
"""Most bytes of a payload: COBS and the delimiter take a byte each."""

PAGE = 48
"""Bytes of a page of what a board says of itself; zeros fill the last one."""


@dataclass(frozen=True)
class Kind:
    """A kind of frame.

    Members
    -------
    name : str
    code : int
        In the field ``type``.
    sender : {"host", "board"}
    sequence : str
        What the field of that name holds.
    payload : str
    """

    name: str
    code: int
    sender: str
    sequence: str
    payload: str


IDENTIFY = Kind("identify", 0x01, "host", "page that is asked for", "none; taken in any session")
RESET = Kind(
    "reset",
    0x02,
    "host",
    "0",
    "none; opens the session in its header: the board drops all samples, data and results, and "
    "answers with a status",
)
DATA = Kind(
    "data",
    0x03,
    "host",
    "number of this frame of data",
    "a byte with the input's number in bits 6:0, and in bit 7 whether the sample ends there; then "
    "whole beats. The number behind the last input's is that of what is loaded",
)
POLL = Kind(
    "poll",
    0x04,
    "host",
    "first frame of results that the host lacks",
    "a tag; a byte whose bit n asks once more for the frame of results with number n modulo 8. "
    "The board forgets the results before the first that is lacking, and answers with a status, in "
    "any session",
)
IDENTITY = Kind("identity", 0x81, "board", "page", "48 bytes of what the board is")
STATUS = Kind(
    "status",
    0x83,
    "board",
    "first frame of data that the accelerator has not taken whole",
    "the tag of the last poll, 0 after a reset; a byte whose bit n tells whether the frame of data "
    "with number n modulo 8 waits whole; number of the first frame of results that was not sent",
)
RESULT = Kind("result", 0x84, "board", "number of this frame of results", "bytes of one result")

KINDS = (IDENTIFY, RESET, DATA, POLL, IDENTITY, STATUS, RESULT)
"""All kinds of frames."""


@dataclass(frozen=True)
class Frame:
    """What a frame says.

    Members
    -------
    code : int
        That of its :class:`Kind`.
    sequence, session : int
    payload : bytes
    """

    code: int
    sequence: int = 0
    session: int = 0
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return a frame as it goes over the wire, with its delimiter.

    Raises
    ------
    ValueError
        If the payload is too long.
    """
    if len(frame.payload) > MOST:
        raise ValueError(f"Payload must have at most {MOST} bytes, not {len(frame.payload)}")
    values = {
        "length": len(frame.payload),
        "type": frame.code,
        "sequence": frame.sequence,
        "session": frame.session,
    }
    head = b"".join(values[one.name].to_bytes(one.width, "little") for one in HEADER)
    body = head + frame.payload
    whole = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    # A frame is shorter than 254 bytes, so each zero is replaced by the way to the next.
    blocks = whole.split(b"\0")
    return b"".join(bytes([len(one) + 1]) + one for one in blocks) + b"\0"


def _decode(text: bytes) -> Frame | None:
    """Return the frame before a delimiter, or None where it is damaged."""
    blocks, at = [], 0
    while at < len(text):
        end = at + text[at]
        blocks.append(text[at + 1 : end])
        at = end
    body = b"\0".join(blocks)
    if at != len(text) or len(body) < HEADER_BYTES + CRC_BYTES:
        return None
    body, check = body[:-CRC_BYTES], body[-CRC_BYTES:]
    if zlib.crc32(body).to_bytes(CRC_BYTES, "little") != check:
        return None
    values, start = {}, 0
    for one in HEADER:
        values[one.name] = int.from_bytes(body[start : start + one.width], "little")
        start += one.width
    payload = body[start:]
    if values["length"] != len(payload):
        return None
    return Frame(values["type"], values["sequence"], values["session"], payload)


class Reader:
    """What finds frames among bytes, whatever was lost or added.

    Attributes
    ----------
    damaged : int
        Runs of bytes up to a delimiter that were no frame.
    """

    def __init__(self):
        self.damaged = 0
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes, and return the frames that they end."""
        found = []
        *ended, rest = data.split(b"\0")
        for one in ended:
            self._hold(one)
            frame = _decode(bytes(self._held)) if len(self._held) < FRAME else None
            if frame is not None:
                found.append(frame)
            elif self._held:
                self.damaged += 1
            self._held.clear()
        self._hold(rest)
        return found

    def _hold(self, data: bytes) -> None:
        # Beyond the length of a frame it cannot become one, however long the noise goes on.
        self._held += data[: FRAME - len(self._held)]


FORMS = ("words", "events", "values")
"""How samples enter, by the number that a board tells."""

MARKS = 256
"""Populations of which a board tells whether they are writable."""


@dataclass(frozen=True)
class Identity:
    """What a board says of itself.

    Members
    -------
    library : str
        Version of the library that built it.
    network : str
        SHA-256 of the network, in hexadecimal: of that which was loaded last, and 0 where none is
        there, or not whole.
    mapping : str
        SHA-256 of the mapping, in hexadecimal: :func:`~.registers.mapping_digest`.
    form : {"words", "events", "values"}
        How samples enter: as values where an encoder makes the spikes.
    word : int
        Channels in a word of a spike vector; bits of a value.
    structure : str
        SHA-256 of what networks must share to be loaded in each other's place, in hexadecimal:
        :func:`spiker_hdl.model.mapping.reload.structure`; empty where nothing is writable.
    writable : frozenset of int
        Numbers of the populations that are.
    encoding : str
        SHA-256 of the encoder's settings, in hexadecimal; empty where there is none.
    """

    library: str
    network: str
    mapping: str
    form: str
    word: int
    structure: str = ""
    writable: frozenset[int] = frozenset()
    encoding: str = ""

    PAGES: ClassVar[int] = 4
    NETWORK: ClassVar[int] = 12  # where the digest of the network stands

    @classmethod
    def of(
        cls, network: Network, mapping: Mapping, version: str, encoding: Encoding | None = None
    ) -> "Identity":
        """Return what a board of a network says."""
        held = identity(network, mapping, version)

        def digest(name: str) -> str:
            return "".join(f"{held[one]:08x}" for one in words(name))

        (at,) = words("library")
        numbers = ".".join(str(n) for n in held[at].to_bytes(4, "big")[1:])
        shown = digest("network")
        if any(core.weights == "uninitialized" for core in mapping.cores.values()):
            shown = "0" * len(shown)  # nothing is there before it is loaded
        writable = frozenset(
            n for n, one in enumerate(network.populations) if one.name in mapping.writable
        )
        if max(writable, default=0) >= MARKS:
            raise ValueError(
                f"Writable populations must be among the first {MARKS}, not {max(writable) + 1}"
            )
        shape = structure(network, mapping) if writable else ""
        form, word, settings = mapping.form, mapping.word, ""
        if encoding is not None:
            form, word, settings = "values", encoding.bits, encoding.digest
        return cls(
            numbers, shown, digest("mapping"), form, word, shape, writable, encoding=settings
        )

    def to_bytes(self) -> bytes:
        """Return all pages, of :data:`PAGE` bytes each."""
        text = b"".join((
            MAGIC.to_bytes(4, "big"),
            bytes([LINK_VERSION, FORMS.index(self.form)]),
            self.word.to_bytes(2, "little"),
            bytes([0, *(int(one) for one in self.library.split("."))]),
            bytes.fromhex(self.network),
            bytes.fromhex(self.mapping),
            bytes.fromhex(self.structure).ljust(32, b"\0"),
            sum(1 << n for n in self.writable).to_bytes(MARKS // 8, "little"),
            bytes.fromhex(self.encoding).ljust(32, b"\0"),
        ))
        return text.ljust(self.PAGES * PAGE, b"\0")

    @classmethod
    def from_bytes(cls, text: bytes) -> "Identity":
        """Read what :meth:`to_bytes` made.

        Raises
        ------
        ValueError
            If it is no identity, or that of another version of the link.
        """
        if len(text) != cls.PAGES * PAGE or text[:4] != MAGIC.to_bytes(4, "big"):
            raise ValueError(f"Identity must begin with SPKR, not {text[:4]!r}")
        if text[4] != LINK_VERSION:
            raise ValueError(
                f"Board must speak version {LINK_VERSION} of the link, not {text[4]}: build it "
                "with this library, or use that which built it"
            )
        return cls(
            ".".join(str(one) for one in text[9:12]),
            text[12:44].hex(),
            text[44:76].hex(),
            FORMS[text[5]],
            int.from_bytes(text[6:8], "little"),
            text[76:108].hex() if any(text[76:108]) else "",
            frozenset(n for n in range(MARKS) if text[108 + n // 8] >> n % 8 & 1),
            text[140:172].hex() if any(text[140:172]) else "",
        )


def header_table() -> str:
    """Return the parts of a frame as a table in Markdown."""
    lines = ["| bytes | part | holds |", "|---|---|---|"]
    lines += [f"| {one.width} | `{one.name}` | {one.meaning} |" for one in HEADER]
    lines.append(f"| 0 to {MOST} | payload | see the table of kinds |")
    lines.append(f"| {CRC_BYTES} | CRC-32 | of all before, as zlib has it, lowest byte first |")
    return "\n".join(lines) + "\n"


def frames_table() -> str:
    """Return the kinds of frames as a table in Markdown."""
    lines = ["| type | kind | from | `sequence` | payload |", "|---|---|---|---|---|"]
    lines += [
        f"| 0x{one.code:02X} | {one.name} | {one.sender} | {one.sequence} | {one.payload} |"
        for one in KINDS
    ]
    return "\n".join(lines) + "\n"
