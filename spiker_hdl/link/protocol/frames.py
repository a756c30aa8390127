"""Frames between a host and a board, defined once for host, gateware, tests and documentation.

A frame is a header, a payload and a CRC-32, after Cheshire and Baker's COBS (*Consistent Overhead
Byte Stuffing*, IEEE/ACM Transactions on Networking 7(2), 1999), so that a zero ends a frame and
occurs nowhere else: whatever was lost or added, the frame after the next zero is undamaged again.

Frames are exchanged in *sessions*, which the host opens. Each side numbers the frames that must
arrive, stores them until the other side has acknowledged them, and repeats only those that were
lost (selective repeat).
"""

import zlib
from dataclasses import dataclass

__all__ = [
    "CRC_BYTES",
    "DATA",
    "HEADER",
    "IDENTIFY",
    "IDENTITY",
    "KINDS",
    "LINK_VERSION",
    "MAX_FRAME",
    "MAX_PAYLOAD",
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
    "Kind",
    "Reader",
    "encode",
    "frames_table",
    "header_table",
]

LINK_VERSION = 2
"""Version of the protocol, increased whenever the meaning of a frame changes."""

MAX_FRAME = 64
"""Maximum bytes of a frame on the wire, with its delimiter."""

WINDOW = 8
"""Frames that may be in flight in each direction: a power of two, at most 8."""

SEQUENCES = 256
"""Number of sequence numbers, which then start again from 0."""

SESSIONS = 2**16
"""Number of sessions; a board is in session 0 after its reset, and a host opens others."""


@dataclass(frozen=True)
class Field:
    """A field of the header, least significant byte first.

    Members
    -------
    name : str
        Name of the field.
    width : int
        Number of bytes.
    meaning : str
        What it contains, for the documentation.
    """

    name: str
    width: int
    meaning: str


HEADER = (
    Field("length", 1, "bytes of the payload"),
    Field("type", 1, "code of the kind of frame"),
    Field("sequence", 1, "sequence number modulo 256: see the table of kinds"),
    Field("session", 2, "session of the sender; 0 for a board after its reset"),
)
"""Fields before the payload."""

HEADER_BYTES = sum(part.width for part in HEADER)
CRC_BYTES = 4
"""Bytes of the CRC-32 of header and payload, as in zlib, least significant byte first."""

MAX_PAYLOAD = MAX_FRAME - 2 - HEADER_BYTES - CRC_BYTES
"""Maximum bytes of a payload: COBS and the delimiter take one byte each."""

PAGE = 48
"""Bytes of a page of a board's identity; zeros fill the last one."""


@dataclass(frozen=True)
class Kind:
    """A kind of frame.

    Members
    -------
    name : str
        Name of the kind.
    code : int
        Value of the field ``type``.
    sender : {"host", "board"}
        Side that sends it.
    sequence : str
        What the field ``sequence`` contains, for the documentation.
    payload : str
        What the payload contains, for the documentation.
    """

    name: str
    code: int
    sender: str
    sequence: str
    payload: str


IDENTIFY = Kind(
    "identify", 0x01, "host", "number of the requested page", "none; accepted in any session"
)
RESET = Kind(
    "reset",
    0x02,
    "host",
    "0",
    "none; opens the session in its header: the board drops all samples, data and results, and "
    "replies with a status",
)
DATA = Kind(
    "data",
    0x03,
    "host",
    "number of this data frame",
    "a byte with the input's number in bits 6:0, and in bit 7 whether the sample ends with this "
    "frame; then whole beats. The number after the last input's number is used for loading",
)
POLL = Kind(
    "poll",
    0x04,
    "host",
    "first result frame that the host does not have",
    "a tag; a byte whose bit n requests the result frame with number n modulo 8 again. The board "
    "forgets the results before the number in `sequence`, and replies with a status, in any "
    "session",
)
IDENTITY = Kind(
    "identity", 0x81, "board", "number of the page", f"{PAGE} bytes of the board's identity"
)
STATUS = Kind(
    "status",
    0x83,
    "board",
    "first data frame that the accelerator has not taken as a whole",
    "the tag of the last poll, 0 after a reset; a byte whose bit n is 1 if the data frame with "
    "number n modulo 8 waits as a whole; number of the first result frame that was not sent",
)
RESULT = Kind("result", 0x84, "board", "number of this result frame", "bytes of one result")

KINDS = (IDENTIFY, RESET, DATA, POLL, IDENTITY, STATUS, RESULT)
"""All kinds of frames."""


@dataclass(frozen=True)
class Frame:
    """The contents of a frame.

    Members
    -------
    code : int
        Code of its :class:`Kind`.
    sequence, session : int
        Fields of the header.
    payload : bytes
        The payload.
    """

    code: int
    sequence: int = 0
    session: int = 0
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return a frame as it is sent, with its delimiter.

    Raises
    ------
    ValueError
        If the payload is too long.
    """
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"Payload must have at most {MAX_PAYLOAD} bytes, not {len(frame.payload)}")
    values = {
        "length": len(frame.payload),
        "type": frame.code,
        "sequence": frame.sequence,
        "session": frame.session,
    }
    head = b"".join(values[part.name].to_bytes(part.width, "little") for part in HEADER)
    body = head + frame.payload
    whole = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    # COBS: a frame is shorter than 254 bytes, so each zero is replaced by the distance to the next.
    blocks = whole.split(b"\0")
    return b"".join(bytes([len(block) + 1]) + block for block in blocks) + b"\0"


def _decode(text: bytes) -> Frame | None:
    """Return the frame before a delimiter, or None if it is damaged."""
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
    for part in HEADER:
        values[part.name] = int.from_bytes(body[start : start + part.width], "little")
        start += part.width
    payload = body[start:]
    if values["length"] != len(payload):
        return None
    return Frame(values["type"], values["sequence"], values["session"], payload)


class Reader:
    """Reader of frames from a stream of bytes, whatever was lost or added.

    Attributes
    ----------
    damaged : int
        Number of byte sequences before a delimiter that were not undamaged frames.
    """

    def __init__(self):
        self.damaged = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Accept bytes, and return the frames that are complete with them."""
        frames = []
        *ended, rest = data.split(b"\0")
        for part in ended:
            self._append(part)
            whole = len(self._buffer) < MAX_FRAME
            frame = _decode(bytes(self._buffer)) if whole else None
            if frame is not None:
                frames.append(frame)
            elif self._buffer:
                self.damaged += 1
            self._buffer.clear()
        self._append(rest)
        return frames

    def _append(self, data: bytes) -> None:
        # More bytes than a frame has cannot become a frame, however long the noise goes on.
        self._buffer += data[: MAX_FRAME - len(self._buffer)]


def header_table() -> str:
    """Return the fields of a frame as a table in Markdown."""
    lines = ["| bytes | part | holds |", "|---|---|---|"]
    lines += [f"| {part.width} | `{part.name}` | {part.meaning} |" for part in HEADER]
    lines.append(f"| 0 to {MAX_PAYLOAD} | payload | see the table of kinds |")
    lines.append(f"| {CRC_BYTES} | CRC-32 | of all before, as zlib has it, lowest byte first |")
    return "\n".join(lines) + "\n"


def frames_table() -> str:
    """Return the kinds of frames as a table in Markdown."""
    lines = ["| type | kind | from | `sequence` | payload |", "|---|---|---|---|---|"]
    lines += [
        f"| 0x{kind.code:02X} | {kind.name} | {kind.sender} | {kind.sequence} | {kind.payload} |"
        for kind in KINDS
    ]
    return "\n".join(lines) + "\n"
