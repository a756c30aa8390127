"""Amaranth's RTLIL, read back as objects."""

import re
from collections.abc import Iterable

from .statements import Statement
from .tree import Assign, Bits, Case, Cell, Chunk, Memory, Module, Part, Process, Spec, Switch, Wire

__all__ = ["parse"]


def parse(statements: Iterable[Statement]) -> dict[str, Module]:
    """Read RTLIL as Amaranth writes it.

    Parameters
    ----------
    statements : iterable of Statement
        A design, split by :func:`~.statements.split`.

    Returns
    -------
    dict of str to Module
        Modules by name, in the order of the text: a module comes before those that it contains.

    Raises
    ------
    ValueError
        If there is a statement that Amaranth does not write.
    """
    modules = {}
    for statement in statements:
        if statement.word != "module":
            raise _unknown(statement)
        module = _Reader().module(statement)
        modules[module.name] = module
    return modules


_INDEX = re.compile(r"\[(\d+)(?::(\d+))?\]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}

Attributes = dict[str, str | int | Bits]


class _Reader:
    """Reader of a module, which knows the widths of the wires that it has come across."""

    def __init__(self):
        self._widths: dict[str, int] = {}

    def module(self, statement: Statement) -> Module:
        module = Module(statement.rest.removeprefix("\\"), attributes=self._attributes(statement))
        for inner in statement.inner:
            rest, attributes = inner.rest, self._attributes(inner)
            if inner.word == "connect":
                module.connections.append(self._two(rest))
            elif inner.word == "wire":
                wire = self._wire(inner, attributes)
                module.wires[wire.name] = wire
            elif inner.word == "memory":
                _, width, _, depth, key = rest.split()
                module.memories[key] = Memory(key, int(width), int(depth), attributes)
            elif inner.word == "cell":
                module.cells.append(self._cell(inner, attributes))
            elif inner.word == "process":
                body = self._body(inner.inner)
                module.processes.append(Process(rest, body, attributes=attributes))
            else:
                raise _unknown(inner)
        return module

    def _attributes(self, statement: Statement) -> Attributes:
        return dict(map(self._setting, statement.attributes))

    def _wire(self, statement: Statement, attributes: Attributes) -> Wire:
        words = statement.rest.split()
        wire = Wire(words[-1], 1, attributes=attributes)
        position = 0
        while position < len(words) - 1:
            word = words[position]
            if word == "signed":
                wire.signed = True
                position += 1
                continue
            if word == "width":
                wire.width = int(words[position + 1])
            elif word in {"input", "output", "inout"}:
                wire.direction = word
            else:
                raise _unknown(statement)
            position += 2
        self._widths[wire.name] = wire.width
        return wire

    def _cell(self, statement: Statement, attributes: Attributes) -> Cell:
        kind, _, name = statement.rest.partition(" ")
        cell = Cell(kind, name, attributes=attributes)
        for inner in statement.inner:
            if inner.word == "parameter":
                setting = inner.rest.removeprefix("signed ").removeprefix("real ")
                key, value = self._setting(setting)
                cell.parameters[key] = value
            elif inner.word == "connect":
                key, _, value = inner.rest.partition(" ")
                key = key.removeprefix("\\")
                cell.ports[key] = self._spec(value)
                if value in self._widths:
                    cell.whole.add(key)
            else:
                raise _unknown(inner)
        return cell

    def _body(self, statements: Iterable[Statement]) -> list[Assign | Switch]:
        body: list[Assign | Switch] = []
        for statement in statements:
            if statement.word == "assign":
                body.append(Assign(*self._two(statement.rest)))
            elif statement.word == "switch":
                body.append(self._switch(statement))
            else:
                raise _unknown(statement)
        return body

    def _switch(self, statement: Statement) -> Switch:
        switch = Switch(self._spec(statement.rest))
        bodies: list[list[Statement]] = []
        for inner in statement.inner:
            if inner.word == "case":
                patterns = [self._bits(text) for text in inner.rest.split(", ") if text]
                switch.cases.append(Case(tuple(pattern.text for pattern in patterns)))
                bodies.append([])
            elif bodies:
                bodies[-1].append(inner)
            else:
                raise _unknown(inner)
        for case, body in zip(switch.cases, bodies, strict=True):
            case.body = self._body(body)
        return switch

    def _setting(self, text: str) -> tuple[str, str | int | Bits]:
        name, _, value = text.partition(" ")
        name = name.removeprefix("\\")
        if value.startswith('"'):
            return name, re.sub(
                r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), value[1:-1]
            )
        if "'" in value:
            return name, self._bits(value)
        return name, int(value)

    @staticmethod
    def _bits(text: str) -> Bits:
        width, _, bits = text.partition("'")
        if int(width) == 0:
            return Bits("")
        if len(bits) != int(width):
            raise ValueError(f"Constant must have {width} bits, not {bits!r}")
        return Bits(bits)

    def _two(self, text: str) -> tuple[Spec, Spec]:
        words = text.split()
        first, rest = self._take(words)
        second, rest = self._take(rest)
        if rest:
            raise _unknown(Statement("assign", text))
        return first, second

    def _spec(self, text: str) -> Spec:
        spec, rest = self._take(text.split())
        if rest:
            raise _unknown(Statement("connect", text))
        return spec

    def _take(self, words: list[str]) -> tuple[Spec, list[str]]:
        """Read one value from the beginning of ``words``; return it and what follows."""
        if words[0] == "{}":
            return (), words[1:]
        if words[0] != "{":
            chunk, used = self._chunk(words, 0)
            return self._joined([chunk]), words[used:]
        chunks = []
        position = 1
        while words[position] != "}":
            chunk, position = self._chunk(words, position)
            chunks.append(chunk)
        return self._joined(chunks[::-1]), words[position + 1 :]

    @staticmethod
    def _joined(chunks: list[Chunk]) -> Spec:
        return tuple(chunk for chunk in chunks if chunk.width)

    def _chunk(self, words: list[str], position: int) -> tuple[Chunk, int]:
        word = words[position]
        if word[0].isdigit():
            # A bare number is an integer parameter's and has as many bits as it needs.
            return self._bits(word) if "'" in word else Bits(f"{int(word):b}"), position + 1
        if position + 1 < len(words) and (match := _INDEX.fullmatch(words[position + 1])):
            high = int(match[1])
            low = int(match[2] or match[1])
            return Part(word, low, high - low + 1), position + 2
        return Part(word, 0, self._widths[word]), position + 1


def _unknown(statement: Statement) -> ValueError:
    return ValueError(
        f"RTLIL must be as Amaranth writes it, not {statement.word} {statement.rest[:60]!r}"
    )
