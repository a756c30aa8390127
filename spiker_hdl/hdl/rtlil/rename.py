"""Amaranth's RTLIL with names that need no escape in any language."""

import re
from collections.abc import Iterable

from spiker_hdl.base.identifiers import identifiers

from .statements import Statement

__all__ = ["WAKE", "plain_names"]

WAKE = "always_wake"
"""Left free in every module: Yosys adds this register so that ``always @*`` runs at time zero."""

_MANY = 4
_SLICE = re.compile(r"(?P<target>\S+) \[(?P<high>\d+)(?::(?P<low>\d+))?\] (?P<value>.*)$")
_NAME = re.compile(r"(?<!\S)[\\$]\S+")
_DROPPED = re.compile(r"\\(src|generator|top|amaranth\.\S+) ")

Names = dict[str, str]
"""New names by old ones."""


def plain_names(
    statements: Iterable[Statement], name: str
) -> tuple[list[Statement], dict[str, str]]:
    r"""Give everything in a design an identifier, and leave out wires that nothing reads.

    The wires left out are those of no width, and fields of signals, which repeat bits of others.
    Attributes that say where in Python something stands, which differs from machine to machine, go
    too.

    Parameters
    ----------
    statements : iterable of Statement
        A design of Amaranth, split by :func:`~.statements.split`.
    name : str
        Identifier of the topmost module; those inside begin with it.

    Returns
    -------
    modules : list of Statement
        The same design.
    ports : dict of str to str
        New name of each port of the topmost module.
    """
    modules = {
        module.rest: _with_joined_slices(module) for module in statements if module.word == "module"
    }
    top = next(old for old in modules if "." not in old)
    names = identifiers([name, *(name + old.removeprefix(top) for old in modules if old != top)])
    renamed = {old: "\\" + names[name + old.removeprefix(top)] for old in modules}
    scopes = {old: _scope(module) for old, module in modules.items()}
    ports = {
        port.removeprefix("\\"): scopes[top][port].removeprefix("\\")
        for statement in modules[top].inner
        if (port := _port(statement))
    }
    written = [
        _Renamer(scopes[old], scopes, renamed).module(module) for old, module in modules.items()
    ]
    return written, ports


def _with_joined_slices(module: Statement) -> Statement:
    """Assign neighbouring slices at once, from a wire of their own, where they are many.

    A process is woken by each of its operands; with as many assignments, that takes simulators
    quadratic time.
    """
    added: list[Statement] = []
    joined: list[Statement] = []
    count: dict[str, int] = {}

    def join(run: list[tuple[Statement, re.Match[str]]]) -> Iterable[Statement]:
        if len(run) < _MANY:
            return (statement for statement, _ in run)
        first, last = run[0][1], run[-1][1]
        target, high, low = first["target"], int(last["high"]), _low(first)
        count[target] = count.get(target, 0) + 1
        wire = f"{target}$parts{count[target] if count[target] > 1 else ''}"
        values = " ".join(match["value"] for _, match in reversed(run))
        added.append(Statement("wire", f"width {high - low + 1} {wire}"))
        joined.append(Statement("connect", f"{wire} {{ {values} }}"))
        return [Statement("assign", f"{target} [{high}:{low}] {wire} [{high - low}:0]")]

    def walk(body: list[Statement]) -> list[Statement]:
        written: list[Statement] = []
        run: list[tuple[Statement, re.Match[str]]] = []
        for statement in body:
            match = _SLICE.match(statement.rest) if statement.word == "assign" else None
            if run and not (match and _follows(match, run[-1][1])):
                written += join(run)
                run = []
            if match:
                run.append((statement, match))
            elif statement.word in {"process", "switch"}:
                written.append(_with_body(statement, walk(statement.inner)))
            else:
                written.append(statement)
        return [*written, *join(run)]

    body = walk(module.inner)
    return _with_body(module, [*added, *body, *joined])


def _follows(slice_: re.Match[str], before: re.Match[str]) -> bool:
    """Return whether a slice begins where the one before it ends."""
    return slice_["target"] == before["target"] and _low(slice_) == int(before["high"]) + 1


def _low(match: re.Match[str]) -> int:
    return int(match["low"] or match["high"])


def _with_body(statement: Statement, body: list[Statement]) -> Statement:
    return Statement(statement.word, statement.rest, statement.attributes, body)


def _port(statement: Statement) -> str:
    """Return the name of the port that a statement declares, if it does."""
    words = statement.rest.split()
    is_port = statement.word == "wire" and not {"input", "output", "inout"}.isdisjoint(words)
    return words[-1] if is_port else ""


def _scope(module: Statement) -> Names:
    """Return the new name of everything that a module declares, ports having the first choice."""
    declared = {
        statement.rest.split()[-1]: not _port(statement)
        for statement in module.inner
        if statement.word in {"wire", "memory"}
        or (statement.word == "cell" and statement.rest.startswith("\\"))
    }
    order = sorted(declared, key=lambda old: (declared[old], old.startswith("$")))
    wishes = {old: f"n{old[1:]}" if old.startswith("$") else old[1:] for old in order}
    # Distinct names may wish for the same identifier: numbers tell them apart in here alone.
    unique = {old: f"{wish} {n}" for n, (old, wish) in enumerate(wishes.items())}
    seen: set[str] = set()
    for old, wish in wishes.items():
        if wish not in seen:
            unique[old] = wish
            seen.add(wish)
    new = identifiers(unique.values(), taken=(WAKE,))
    return {old: "\\" + new[unique[old]] for old in order}


class _Renamer:
    """New names for a module's statements, with a note of the names that are used.

    Parameters
    ----------
    scope : dict of str to str
        New names within the module.
    scopes : dict of str to dict
        Those within each module, for ports of instances.
    modules : dict of str to str
        New names of modules.
    """

    def __init__(self, scope: Names, scopes: dict[str, Names], modules: Names):
        self._scope = scope
        self._scopes = scopes
        self._modules = modules
        self._used: set[str] = set()
        self._empty: set[str] = set()  # wires without width

    def module(self, module: Statement) -> Statement:
        # Beside each statement, the wire that it is about and that may turn out to be unused.
        body = [(self._subject(inner), self._renamed(inner)) for inner in module.inner]
        kept = [renamed for wire, renamed in body if not wire or wire in self._used]
        return Statement("module", self._modules[module.rest], (), kept)

    def _subject(self, statement: Statement) -> str:
        """Return the wire that a statement declares or drives, if it may be left out."""
        if statement.word == "wire":
            start, _, wire = statement.rest.rpartition(" ")
            if start == "width 0":
                self._empty.add(wire)
            if _port(statement):
                return ""
        elif statement.word == "memory":
            wire = statement.rest.rpartition(" ")[2]
        elif statement.word == "connect":
            wire = statement.rest.partition(" ")[0]
        else:
            return ""
        return wire if _is_field(wire) or wire in self._empty else ""

    def _renamed(self, statement: Statement) -> Statement:
        kept = tuple(text for text in statement.attributes if not _DROPPED.match(text))
        if statement.word == "cell":
            return self._cell(statement, kept)
        if statement.word in {"wire", "memory"}:
            start, _, name = statement.rest.rpartition(" ")
            return Statement(statement.word, f"{start} {self._scope[name]}", kept)
        if statement.word == "process":
            return Statement("process", statement.rest, kept, self._body(statement.inner))
        if statement.word == "switch":
            subject = self._value(statement.rest)
            return Statement("switch", subject, kept, self._body(statement.inner))
        if statement.word == "connect" and self._subject(statement):
            # What is driven here is no use of the wire.
            target, _, value = statement.rest.partition(" ")
            return Statement("connect", f"{self._scope[target]} {self._value(value)}", kept)
        return Statement(statement.word, self._value(statement.rest), kept)

    def _body(self, statements: list[Statement]) -> list[Statement]:
        return [self._renamed(statement) for statement in statements]

    def _cell(self, cell: Statement, attributes: tuple[str, ...]) -> Statement:
        kind, _, name = cell.rest.partition(" ")
        ports = self._scopes.get(kind, {})
        body = []
        for statement in cell.inner:
            key, _, value = statement.rest.partition(" ")
            if statement.word == "connect":
                rest = f"{ports.get(key, key)} {self._value(value)}"
            elif key == "\\MEMID":
                memory = self._scope[value.strip('"').replace("\\\\", "\\")]
                rest = f'{key} "{memory}"'.replace('"\\', '"\\\\')
            else:
                rest = statement.rest
            body.append(Statement(statement.word, rest, statement.attributes))
        head = f"{self._modules.get(kind, kind)} {self._scope.get(name, name)}"
        return Statement("cell", head, attributes, body)

    def _value(self, text: str) -> str:
        """Return text with new names in place of old ones, which count as used."""

        def new(match: re.Match[str]) -> str:
            self._used.add(match[0])
            return self._scope.get(match[0], match[0])

        return _NAME.sub(new, text)


def _is_field(name: str) -> bool:
    return "." in name or "[" in name
