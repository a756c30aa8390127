"""RTLIL without dead code: wires that nothing reads, their drivers, and ports that lead nowhere."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .statements import Statement

__all__ = ["without_unread"]

_NAME = re.compile(r"(?<!\S)\\\S+")
_TARGET = re.compile(r"\{.*?\}|\S+( \[[\d:]+\])?")
_OUTPUTS = {"\\Y", "\\Q"}
_READS = {"$memrd", "$memrd_v2"}

Names = tuple[str, ...]

Place = tuple[str, str]
"""A wire: the name of its module, and its own."""


@dataclass
class _Cell:
    """A cell, or an instance of another module: its kind, and the names in its connections."""

    statement: Statement
    kind: str
    connects: dict[str, Names]

    @property
    def outputs(self) -> set[str]:
        """Ports with which a cell of the library drives; none if it does more."""
        outputs = _OUTPUTS | ({"\\DATA"} if self.kind in _READS else set())
        return outputs & set(self.connects)


class _Module:
    """A module, and what each of its statements reads and drives."""

    def __init__(self, statement: Statement):
        self.statement = statement
        self.name = statement.rest
        self.wires: dict[str, Statement] = {}
        self.ports: set[str] = set()
        self.cells: list[_Cell] = []
        # Names on both sides of each connection and assignment; an assignment also depends on what
        # the switches around it look at.
        self.drives: list[tuple[Names, Names]] = []
        for inner in statement.inner:
            if inner.word == "wire":
                name = inner.rest.rpartition(" ")[2]
                self.wires[name] = inner
                if not {"input", "output", "inout"}.isdisjoint(inner.rest.split()):
                    self.ports.add(name)
            elif inner.word == "cell":
                self.cells.append(_cell(inner))
            elif inner.word == "connect":
                self.drives.append(_sides(inner))
            elif inner.word == "process":
                self._assignments(inner, ())

    def _assignments(self, block: Statement, switches: Names) -> None:
        for inner in block.inner:
            if inner.word == "assign":
                left, right = _sides(inner)
                self.drives.append((left, right + switches))
            elif inner.word == "switch":
                self._assignments(inner, switches + _names(inner.rest))


def _cell(statement: Statement) -> _Cell:
    connects = {}
    for inner in statement.inner:
        if inner.word == "connect":
            port, _, value = inner.rest.partition(" ")
            connects[port] = _names(value)
    return _Cell(statement, statement.rest.split()[0], connects)


def _names(text: str) -> Names:
    return tuple(_NAME.findall(text))


def _sides(statement: Statement) -> tuple[Names, Names]:
    """Return the names on the left and on the right of ``connect`` or ``assign``."""
    target = _TARGET.match(statement.rest)
    assert target is not None  # which a connection always has
    return _names(target[0]), _names(statement.rest[target.end() :])


def without_unread(statements: Iterable[Statement]) -> list[Statement]:
    """Leave out all of a design that no port of its topmost module depends on, memories aside.

    Parameters
    ----------
    statements : iterable of Statement
        Modules as :func:`~.rename.plain_names` returns them: the topmost first, each of the others
        in one place.
    """
    modules = {module.name: module for module in map(_Module, statements)}
    top = next(iter(modules))
    needs = dict[Place, set[Place]]()
    roots: set[Place] = {(top, port) for port in modules[top].ports}
    for module in modules.values():
        roots |= set(_trace(module, modules, needs))
    live, todo = set(roots), list(roots)
    while todo:
        for place in needs.get(todo.pop(), ()):
            if place not in live:
                live.add(place)
                todo.append(place)
    closed = _closed(modules, live)
    return [_kept(module, modules, live, closed) for module in modules.values()]


def _closed(modules: dict[str, _Module], live: set[Place]) -> set[Place]:
    """Return the ports of inner modules that lead nowhere: dead, or read within alone."""
    return {
        (cell.kind, port)
        for module in modules.values()
        for cell in module.cells
        if cell.kind in modules
        for port, names in cell.connects.items()
        if names and not any((module.name, name) in live for name in names)
    }


def _trace(
    module: _Module, modules: dict[str, _Module], needs: dict[Place, set[Place]]
) -> Iterator[Place]:
    """Note what each wire needs; give those that are needed in any case."""

    def note(targets: Iterable[str], sources: Iterable[str]) -> None:
        places = {(module.name, name) for name in sources}
        for name in targets:
            needs.setdefault((module.name, name), set()).update(places)

    for left, right in module.drives:
        note(left, right)
    for cell in module.cells:
        inner = modules.get(cell.kind)
        if inner is not None:
            # The direction in which a port is driven does not matter: both sides are one wire.
            for port, names in cell.connects.items():
                is_output = " output " in inner.wires[port].rest
                for name in names:
                    outside, inside = (module.name, name), (inner.name, port)
                    if is_output:
                        needs.setdefault(outside, set()).add(inside)
                    else:
                        needs.setdefault(inside, set()).add(outside)
            continue
        outputs = cell.outputs
        sources = [
            name for port, names in cell.connects.items() if port not in outputs for name in names
        ]
        if outputs:
            for port in outputs:
                note(cell.connects[port], sources)
        else:
            # A cell without outputs has an effect of its own, such as writing to a memory.
            yield from ((module.name, name) for name in sources)


def _kept(
    module: _Module, modules: dict[str, _Module], live: set[Place], closed: set[Place]
) -> Statement:
    """Return a module without what is dead, its closed ports as wires."""

    def dead(names: Iterable[str]) -> bool:
        return not any((module.name, name) in live for name in names)

    def blocks(statements: Iterable[Statement]) -> Iterator[Statement]:
        for statement in statements:
            if statement.word == "assign":
                if not dead(_sides(statement)[0]):
                    yield statement
            elif statement.word in {"process", "switch"}:
                body = list(blocks(statement.inner))
                # A switch without assignments would still look at wires that may be gone.
                if any(inner.word in {"assign", "switch"} for inner in body):
                    yield Statement(statement.word, statement.rest, statement.attributes, body)
            else:
                yield statement

    body: list[Statement] = []
    cells = {cell.statement: cell for cell in module.cells}
    for statement in module.statement.inner:
        if statement.word == "wire":
            name = statement.rest.rpartition(" ")[2]
            if not dead([name]):
                body.append(_as_wire(statement) if (module.name, name) in closed else statement)
        elif statement.word == "connect":
            if not dead(_sides(statement)[0]):
                body.append(statement)
        elif statement.word == "process":
            body += blocks([statement])
        elif statement.word == "cell":
            cell = cells[statement]
            inner = modules.get(cell.kind)
            if inner is not None:
                body.append(_with_open_ports(cell, inner.name, live, closed))
            elif not cell.outputs or not all(dead(cell.connects[port]) for port in cell.outputs):
                body.append(statement)
        else:
            body.append(statement)
    return Statement("module", module.name, module.statement.attributes, body)


def _as_wire(port: Statement) -> Statement:
    """Return an output that leads nowhere as a wire."""
    return Statement("wire", re.sub(r" output \d+ ", " ", port.rest), port.attributes)


def _with_open_ports(cell: _Cell, module: str, live: set[Place], closed: set[Place]) -> Statement:
    """Return an instance without connections of ports that are dead or closed."""
    open_ports = {
        port for port in cell.connects if (module, port) in live and (module, port) not in closed
    }
    body = [
        statement
        for statement in cell.statement.inner
        if statement.word != "connect" or statement.rest.partition(" ")[0] in open_ports
    ]
    return Statement("cell", cell.statement.rest, cell.statement.attributes, body)
