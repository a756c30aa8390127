"""Contents of large memories, which go around the tools: bit by bit, these would take minutes.

In RTLIL each stands as a short mark; in Verilog it is written as Yosys would, or as a file beside
the design that ``$readmemh`` reads.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Fragment, Shape

from spiker_hdl.hdl.amaranth_internals import (
    MemoryInstance,
    initial_rows,
    memory_data,
    replace_initial_rows,
)

__all__ = ["Contents", "Place", "expanded", "filled", "inlined", "loads", "marked", "taken_out"]

LARGE = 2**14
"""Bits of a memory whose contents are left out of what tools read."""

_MARK = 32
_LOAD = re.compile(
    r"^  reg (?:\[(\d+):0\] )?(\w+) \[(\d+):0\];\n"
    r'  initial \$readmemh\("([\w.]{1,200})", \2\);$',
    re.ASCII | re.MULTILINE,
)
_PART = re.compile(r"^ *(cell \$meminit_v2|parameter \\\w+|connect \\DATA|module|end)\b ?(.*)$")

Place = tuple[str, str]
"""A memory: the name of its module, and its own."""


@dataclass(frozen=True)
class Contents:
    """What is in a memory at the start.

    Members
    -------
    width : int
        Bits of a row.
    rows : tuple of int
        Each without sign.
    """

    width: int
    rows: tuple[int, ...]

    @property
    def bits(self) -> int:
        """Bits of all rows."""
        return self.width * len(self.rows)

    def rtlil(self) -> str:
        """Return a constant of RTLIL, the first row in its lowest bits."""
        digits = "".join(f"{row:0{self.width}b}" for row in reversed(self.rows))
        return f"{self.bits}'{digits}"

    def file(self) -> str:
        """Return the text of a file for ``$readmemh``: a row a line."""
        digits = -(-self.width // 4)
        return "".join(f"{row:0{digits}x}\n" for row in self.rows)

    @classmethod
    def read(cls, text: str, width: int, depth: int) -> "Contents":
        """Read what :meth:`file` says.

        Raises
        ------
        ValueError
            If it is not so many rows of so many bits.
        """
        lines, digits = text.splitlines(), -(-width // 4)
        if len(lines) != depth:
            raise ValueError(f"must have {depth} lines, not {len(lines)}")
        row = re.compile(f"[0-9a-f]{{{digits}}}")
        for line in lines:
            if not row.fullmatch(line) or int(line, 16) >> width:
                raise ValueError(f"must have {width} bits a line, not {line[:40]!r}")
        return cls(width, tuple(int(line, 16) for line in lines))

    def assignments(self, name: str) -> str:
        """Return an initial block of Verilog, as Yosys writes it."""
        digits = -(-self.width // 4)
        form = f"{self.width}'h{{:0{digits}x}}" if self.width != 32 else "32'd{}"
        body = "".join(f"    {name}[{n}] = {form.format(r)};\n" for n, r in enumerate(self.rows))
        return f"  initial begin\n{body}  end"


@contextmanager
def marked(fragment: Fragment) -> Iterator[list[Contents]]:
    """Put marks in place of what large memories of a fragment hold, and give what that was.

    When it is over, they have it again.
    """
    contents: list[Contents] = []
    originals: dict[int, tuple[Any, Any]] = {}  # by identity: instances may share one

    def walk(part: Any) -> None:
        if isinstance(part, MemoryInstance):
            data = memory_data(part)
            width = Shape.cast(data.shape).width
            offsets = range(0, _MARK, max(1, width))
            large = width * data.depth >= LARGE and data.depth > len(offsets)
            if large and id(data) not in originals:
                rows, mask = initial_rows(data), 2**width - 1
                originals[id(data)] = data, rows
                replace_initial_rows(data, [len(contents) >> at & mask for at in offsets])
                contents.append(Contents(width, tuple(row & mask for row in rows)))
        for inner, *_ in part.subfragments:
            walk(inner)

    walk(fragment)
    try:
        yield contents
    finally:
        for data, rows in originals.values():
            replace_initial_rows(data, rows)


def _inits(lines: list[str]) -> Iterator[tuple[str, int, int, dict[str, str], int]]:
    """Give each large memory's module, the lines of its mark, and what these say."""
    module, begin, said = "", -1, dict[str, str]()
    for n, line in enumerate(lines):
        part = _PART.match(line)
        if part is None:
            continue
        word, rest = part[1], part[2]
        if word == "module":
            module = rest.removeprefix("\\")
        elif word.startswith("cell"):
            begin, said = n, {}
        elif begin >= 0 and word != "end":
            said[word.split("\\")[1]] = rest
            if word.startswith("connect"):
                said["line"] = str(n)
        elif begin >= 0:
            width, _, digits = said["DATA"].partition("'")
            if digits and int(said["WIDTH"]) * int(said["WORDS"]) > int(width):
                yield module, begin, n, said, int(digits, 2)
            begin = -1


def expanded(text: str, contents: list[Contents]) -> str:
    """Return RTLIL with contents in place of their marks."""
    lines = text.split("\n")
    for _, _, _, said, number in [*_inits(lines)]:
        at = int(said["line"])
        lines[at] = f"{lines[at].partition('connect')[0]}connect \\DATA {contents[number].rtlil()}"
    return "\n".join(lines)


def taken_out(text: str) -> tuple[str, dict[Place, int]]:
    """Return RTLIL without marks, and the number of what belongs in each memory."""
    lines, places = text.split("\n"), dict[Place, int]()
    for module, begin, end, said, number in [*_inits(lines)]:
        places[module, said["MEMID"].strip('"').lstrip("\\")] = number
        lines[begin : end + 1] = [""] * (end + 1 - begin)
    return "\n".join(line for line in lines if line), places


def filled(verilog: str, places: Mapping[Place, int], say: Callable[[Place, int], str]) -> str:
    """Return Verilog with something said behind the declaration of each memory.

    Parameters
    ----------
    verilog : str
    places : mapping of (str, str) to int
        Memories, and the number of what each holds.
    say : callable
        Gives what to say, from the memory and the number.
    """
    module, lines = "", []
    names = {name for _, name in places}
    declared = re.compile(r"  reg (?:\[\d+:0\] )?(\w+) \[\d+:0\];")
    for line in verilog.split("\n"):
        lines.append(line)
        if line.startswith("module "):
            module = re.split(r"[ (;]", line)[1]
        elif line.startswith("  reg ") and line.endswith("];"):
            found = declared.fullmatch(line)
            if found and found[1] in names and (module, found[1]) in places:
                lines.append(say((module, found[1]), places[module, found[1]]))
    return "\n".join(lines)


def loads(verilog: str) -> list[str]:
    """Return the names of the files that a design reads its memories from."""
    return [found[4] for found in _LOAD.finditer(verilog)]


def inlined(verilog: str, files: Mapping[str, str]) -> str:
    """Return Verilog that holds what is in files beside it.

    Raises
    ------
    ValueError
        If a file is missing, or is not what the memory takes.
    """

    def put(found: re.Match[str]) -> str:
        width, name, depth, file = int(found[1] or 0) + 1, found[2], int(found[3]) + 1, found[4]
        if file not in files:
            raise ValueError(f"{file} must be among the files, for the memory {name} reads it")
        try:
            held = Contents.read(files[file], width, depth)
        except ValueError as error:
            raise ValueError(f"{file} {error}") from None
        return f"{found[0].partition(chr(10))[0]}\n{held.assignments(name)}"

    return _LOAD.sub(put, verilog)
