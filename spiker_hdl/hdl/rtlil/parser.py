"""Amaranth's RTLIL text, read back as objects."""

import re
from collections.abc import Iterator

from .tree import Assign, Bits, Case, Cell, Chunk, Memory, Module, Part, Process, Spec, Switch, Wire

__all__ = ["parse"]


def parse(text: str) -> dict[str, Module]:
    """Read RTLIL as Amaranth writes it.

    Parameters
    ----------
    text : str
        Result of :func:`amaranth.back.rtlil.convert`.

    Returns
    -------
    dict of str to Module
        Modules by name, in the order of the text: whoever contains another comes first.

    Raises
    ------
    ValueError
        If the text has something that Amaranth does not write.
    """
    return _Reader(text).design()


_INDEX = re.compile(r"\[(\d+)(?::(\d+))?\]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class _Reader:
    def __init__(self, text: str):
        self._lines = self._split(text)
        self._widths: dict[str, int] = {}

    @staticmethod
    def _split(text: str) -> Iterator[tuple[str, str]]:
        for line in text.splitlines():
            line = line.strip()
            if line:
                word, _, rest = line.partition(" ")
                yield word, rest.strip()

    def design(self) -> dict[str, Module]:
        modules = {}
        attributes = {}
        for word, rest in self._lines:
            if word == "attribute":
                name, value = self._setting(rest)
                attributes[name] = value
            elif word == "module":
                module = self._module(rest.removeprefix("\\"), attributes)
                modules[module.name] = module
                attributes = {}
            else:
                raise self._unknown(word, rest)
        return modules

    def _module(self, name: str, attributes: dict) -> Module:
        module = Module(name, attributes=attributes)
        self._widths = {}
        attributes = {}
        for word, rest in self._lines:
            if word == "end":
                return module
            if word == "attribute":
                key, value = self._setting(rest)
                attributes[key] = value
                continue
            if word == "connect":
                target, value = self._two(rest)
                module.connections.append((target, value))
                continue
            if word == "wire":
                wire = self._wire(rest, attributes)
                module.wires[wire.name] = wire
            elif word == "memory":
                _, width, _, depth, key = rest.split()
                module.memories[key] = Memory(key, int(width), int(depth), attributes)
            elif word == "cell":
                module.cells.append(self._cell(rest, attributes))
            elif word == "process":
                process = Process(rest, attributes=attributes)
                self._body(process.body)
                module.processes.append(process)
            else:
                raise self._unknown(word, rest)
            attributes = {}
        raise ValueError(f"Module {name} must have an end")

    def _wire(self, rest: str, attributes: dict) -> Wire:
        words = rest.split()
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
                raise self._unknown("wire", rest)
            position += 2
        self._widths[wire.name] = wire.width
        return wire

    def _cell(self, rest: str, attributes: dict) -> Cell:
        kind, _, name = rest.partition(" ")
        cell = Cell(kind, name, attributes=attributes)
        for word, line in self._lines:
            if word == "end":
                return cell
            if word == "parameter":
                line = line.removeprefix("signed ").removeprefix("real ")
                key, value = self._setting(line)
                cell.parameters[key] = value
            elif word == "connect":
                key, _, value = line.partition(" ")
                key = key.removeprefix("\\")
                cell.ports[key] = self._spec(value)
                if value in self._widths:
                    cell.whole.add(key)
            else:
                raise self._unknown(word, line)
        raise ValueError(f"Cell {name} must have an end")

    def _body(self, body: list) -> None:
        # What stands outside the cases of a switch is in `places[-1]`.
        places: list[list] = [body]
        switches: list[Switch] = []
        for word, rest in self._lines:
            if word == "assign":
                places[-1].append(Assign(*self._two(rest)))
            elif word == "switch":
                switch = Switch(self._spec(rest))
                places[-1].append(switch)
                switches.append(switch)
                places.append([])
            elif word == "case":
                patterns = [self._bits(text) for text in rest.split(", ") if text]
                case = Case(tuple(pattern.text for pattern in patterns))
                switches[-1].cases.append(case)
                places[-1] = case.body
            elif word == "end":
                if not switches:
                    return
                switches.pop()
                places.pop()
            else:
                raise self._unknown(word, rest)
        raise ValueError("Process must have an end")

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
            raise self._unknown("assign", text)
        return first, second

    def _spec(self, text: str) -> Spec:
        spec, rest = self._take(text.split())
        if rest:
            raise self._unknown("connect", text)
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

    @staticmethod
    def _unknown(word: str, rest: str) -> ValueError:
        return ValueError(f"RTLIL must be as Amaranth writes it, not {word} {rest[:60]!r}")
