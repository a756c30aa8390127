"""RTLIL text without what nothing reads: wires, what drives them, and ports that lead nowhere."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["without_unread"]

_NAME = re.compile(r"(?<!\S)\\\S+")
_OUTPUTS = {"\\Y", "\\Q"}
_READS = {"$memrd", "$memrd_v2"}

Place = tuple[str, str]
"""A wire: the name of its module, and its own."""


@dataclass
class _Cell:
    """A cell, or an instance of another module: its first line, and those within."""

    start: int
    kind: str
    connects: dict[str, int] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)


class _Module:
    """A module's lines, and what each of them reads and drives."""

    def __init__(self, lines: list[str]):
        self.lines = lines
        self.name = lines[0].split()[1]
        self.wires: dict[str, int] = {}
        self.ports: set[str] = set()
        self.cells: list[_Cell] = []
        self.connects: list[int] = []  # of the module itself
        self.assigns: list[tuple[int, tuple[str, ...]]] = []  # with what their switches look at
        self.blocks: list[tuple[int, int]] = []  # first and last line of processes and switches
        self._scan()

    def _scan(self) -> None:
        cell: _Cell | None = None
        switches: list[tuple[str, ...]] = []
        inside: list[tuple[str, int]] = []
        for n, line in enumerate(self.lines[1:-1], 1):
            word, _, rest = line.partition(" ")
            if word == "end":
                closed, begin = inside.pop()
                if closed != "cell":
                    self.blocks.append((begin, n))
                if closed == "switch":
                    switches.pop()
                elif closed == "cell" and cell is not None:
                    cell.lines.append(n)
                    cell = None
                continue
            if word in {"cell", "process", "switch"}:
                inside.append((word, n))
            if word == "cell":
                cell = _Cell(n, rest.split()[0])
                self.cells.append(cell)
            elif word == "switch":
                switches.append(_names(rest))
            elif word == "wire":
                name = rest.rpartition(" ")[2]
                self.wires[name] = n
                if " input " in f" {rest}" or " output " in f" {rest}" or " inout " in f" {rest}":
                    self.ports.add(name)
            elif word == "connect" and cell is not None:
                cell.connects[rest.partition(" ")[0]] = n
            elif word == "connect":
                self.connects.append(n)
            elif word == "assign":
                self.assigns.append((n, sum(switches, ())))
            if cell is not None:
                cell.lines.append(n)

    def value(self, n: int) -> tuple[str, ...]:
        """Return the names in what a cell's port is connected to."""
        return _names(self.lines[n].split(" ", 2)[2])


def _names(text: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(text))


def _sides(line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names on the left and on the right of ``connect`` or ``assign``."""
    _, _, rest = line.partition(" ")
    if rest.startswith("{"):
        left, right = rest[: rest.index("}") + 1], rest[rest.index("}") + 1 :]
    else:
        found = re.match(r"\S+( \[[\d:]+\])?", rest)
        assert found is not None  # which a connection always has
        left, right = found[0], rest[found.end() :]
    return _names(left), _names(right)


def without_unread(text: str) -> str:
    """Leave out all of a design that no port of its topmost module depends on, memories aside.

    Parameters
    ----------
    text : str
        Result of :func:`~.rename.plain_names`: the topmost module first, each of the others in one
        place.
    """
    modules = {one.name: one for one in map(_Module, _split(text))}
    top = next(iter(modules))
    needs = dict[Place, set[Place]]()
    roots: set[Place] = {(top, port) for port in modules[top].ports}
    for module in modules.values():
        roots |= set(_trace(module, modules, needs))
    live, todo = set(roots), list(roots)
    while todo:
        for one in needs.get(todo.pop(), ()):
            if one not in live:
                live.add(one)
                todo.append(one)
    shut = _shut(modules, live)
    kept = (line for one in modules.values() for line in _kept(one, modules, live, shut))
    return "".join(f"{line}\n" for line in kept)


def _shut(modules: dict[str, _Module], live: set[Place]) -> set[Place]:
    """Return the ports of inner modules that lead nowhere: dead, or read within alone."""
    found: set[Place] = set()
    for module in modules.values():
        for cell in module.cells:
            if cell.kind in modules:
                for port, n in cell.connects.items():
                    names = module.value(n)
                    if names and not any((module.name, one) in live for one in names):
                        found.add((cell.kind, port))
    return found


def _split(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    depth = 0
    for line in text.splitlines():
        lines.append(line)
        word = line.partition(" ")[0]
        if word in {"module", "cell", "process", "switch"}:
            depth += 1
        elif word == "end":
            depth -= 1
            if not depth:
                yield lines
                lines = []


def _trace(
    module: _Module, modules: dict[str, _Module], needs: dict[Place, set[Place]]
) -> Iterator[Place]:
    """Note what each wire needs; give those that are needed whatever else is."""

    def note(targets: Iterable[str], sources: Iterable[str]) -> None:
        found = {(module.name, one) for one in sources}
        for one in targets:
            needs.setdefault((module.name, one), set()).update(found)

    for n in module.connects:
        note(*_sides(module.lines[n]))
    for n, switches in module.assigns:
        left, right = _sides(module.lines[n])
        note(left, (*right, *switches))
    for cell in module.cells:
        inner = modules.get(cell.kind)
        if inner is not None:
            # In which way a port leads does not matter: what is driven from both sides is one.
            for port, n in cell.connects.items():
                line = inner.lines[inner.wires[port]]
                for name in module.value(n):
                    outside, inside = (module.name, name), (inner.name, port)
                    if " output " in line:
                        needs.setdefault(outside, set()).add(inside)
                    else:
                        needs.setdefault(inside, set()).add(outside)
            continue
        outputs = _outputs(cell)
        sources = [
            name
            for port, n in cell.connects.items()
            if port not in outputs
            for name in module.value(n)
        ]
        if outputs:
            for port in outputs:
                note(module.value(cell.connects[port]), sources)
        else:
            yield from ((module.name, name) for name in sources)


def _outputs(cell: _Cell) -> set[str]:
    """Return the ports with which a cell of the library drives; none if it does more."""
    wanted = _OUTPUTS | ({"\\DATA"} if cell.kind in _READS else set())
    return wanted & set(cell.connects)


def _kept(
    module: _Module, modules: dict[str, _Module], live: set[Place], shut: set[Place]
) -> Iterator[str]:
    dropped: set[int] = set()

    def dead(names: Iterable[str]) -> bool:
        return not any((module.name, one) in live for one in names)

    for name, n in module.wires.items():
        if dead([name]):
            dropped.add(n)
            while module.lines[n - 1].startswith("attribute "):
                n -= 1
                dropped.add(n)
    for n in (*module.connects, *(n for n, _ in module.assigns)):
        if dead(_sides(module.lines[n])[0]):
            dropped.add(n)
    left = [n for n, _ in module.assigns if n not in dropped]
    for begin, end in module.blocks:
        # A switch without assignments would still look at what may be gone.
        if bisect_left(left, begin) == bisect_left(left, end):
            dropped |= {*range(begin, end + 1)}
    for cell in module.cells:
        inner = modules.get(cell.kind)
        if inner is not None:
            dropped |= {
                n
                for port, n in cell.connects.items()
                if (inner.name, port) not in live or (inner.name, port) in shut
            }
            continue
        outputs = _outputs(cell)
        if outputs and all(dead(module.value(cell.connects[port])) for port in outputs):
            dropped |= {cell.start, *cell.lines}
            n = cell.start
            while module.lines[n - 1].startswith("attribute "):
                n -= 1
                dropped.add(n)
    closed = {n for name, n in module.wires.items() if (module.name, name) in shut}
    for n, line in enumerate(module.lines):
        if n not in dropped:
            yield re.sub(r" output \d+ ", " ", line) if n in closed else line
