"""Contents of large memories, which go around the tools: bit by bit, these would take minutes.

In RTLIL each stands as a short mark; in Verilog it is written as Yosys would, or as a file beside
the design that ``$readmemh`` reads.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
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

from .statements import Statement

__all__ = ["Contents", "Place", "expanded", "filled", "inlined", "loads", "marked", "taken_out"]

LARGE = 2**14
"""Bits of a memory whose contents are left out of what tools read."""

_MARK = 32
_LOAD = re.compile(
    r"^  reg (?:\[(\d+):0\] )?(\w+) \[(\d+):0\];\n"
    r'  initial \$readmemh\("([\w.]{1,200})", \2\);$',
    re.ASCII | re.MULTILINE,
)

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


def _marks(
    statements: Iterable[Statement],
) -> Iterator[tuple[Statement, Statement, dict[str, str], int]]:
    """Give the module and the cell of each mark, its settings, and the number of its contents."""
    for module in statements:
        for cell in module.inner:
            if cell.word != "cell" or not cell.rest.startswith("$meminit_v2"):
                continue
            settings = {
                inner.rest.partition(" ")[0].removeprefix("\\"): inner.rest.partition(" ")[2]
                for inner in cell.inner
            }
            width, _, digits = settings["DATA"].partition("'")
            # A mark has fewer bits than the memory.
            if digits and int(settings["WIDTH"]) * int(settings["WORDS"]) > int(width):
                yield module, cell, settings, int(digits, 2)


def expanded(statements: list[Statement], contents: list[Contents]) -> list[Statement]:
    """Return a design with contents in place of their marks, which are exchanged in place."""
    for _, cell, _, number in _marks(statements):
        for inner in cell.inner:
            if inner.word == "connect" and inner.rest.startswith("\\DATA "):
                inner.rest = f"\\DATA {contents[number].rtlil()}"
    return statements


def taken_out(statements: list[Statement]) -> tuple[list[Statement], dict[Place, int]]:
    """Return a design without marks, and the number of the contents of each memory."""
    places, marks = dict[Place, int](), set[Statement]()
    for module, cell, settings, number in _marks(statements):
        memory = settings["MEMID"].strip('"').lstrip("\\")
        places[module.rest.removeprefix("\\"), memory] = number
        marks.add(cell)
    return [
        Statement(
            module.word,
            module.rest,
            module.attributes,
            [inner for inner in module.inner if inner not in marks],
        )
        for module in statements
    ], places


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
            match = declared.fullmatch(line)
            if match and match[1] in names and (module, match[1]) in places:
                lines.append(say((module, match[1]), places[module, match[1]]))
    return "\n".join(lines)


def loads(verilog: str) -> list[str]:
    """Return the names of the files that a design reads its memories from."""
    return [match[4] for match in _LOAD.finditer(verilog)]


def inlined(verilog: str, files: Mapping[str, str]) -> str:
    """Return Verilog that holds what is in files beside it.

    Raises
    ------
    ValueError
        If a file is missing, or is not what the memory takes.
    """

    def put(match: re.Match[str]) -> str:
        width, name, depth, file = int(match[1] or 0) + 1, match[2], int(match[3]) + 1, match[4]
        if file not in files:
            raise ValueError(f"{file} must be among the files, for the memory {name} reads it")
        try:
            contents = Contents.read(files[file], width, depth)
        except ValueError as error:
            raise ValueError(f"{file} {error}") from None
        return f"{match[0].partition(chr(10))[0]}\n{contents.assignments(name)}"

    return _LOAD.sub(put, verilog)
