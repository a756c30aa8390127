"""Amaranth's RTLIL text with names that need no escape in any language."""

import re
from collections.abc import Iterator

from spiker_hdl.base.identifiers import identifiers

__all__ = ["plain_names"]

WAKE = "always_wake"
"""Left free in every module: what Yosys adds so that ``always @*`` runs at time zero."""

_MANY = 4
_SLICE = re.compile(r"assign (?P<target>\S+) \[(?P<high>\d+)(?::(?P<low>\d+))?\] (?P<value>.*)$")
_NAME = re.compile(r"(?<!\S)[\\$]\S+")
_DROPPED = re.compile(r"attribute \\(src|generator|top|amaranth\.\S+) ")


def plain_names(text: str, name: str) -> tuple[str, dict[str, str]]:
    r"""Give everything in a design an identifier, and leave out what nothing reads.

    What is left out are wires of no width, fields of signals, which repeat bits of others, and
    notes of where in Python something stands, which differ from machine to machine.

    Parameters
    ----------
    text : str
        Result of :func:`amaranth.back.rtlil.convert`.
    name : str
        Identifier of the topmost module; those inside begin with it.

    Returns
    -------
    text : str
        The same design.
    ports : dict of str to str
        New name of each port of the topmost module.
    """
    modules = [_gather(lines) for lines in _modules(text)]
    old = [lines[0].split()[1] for lines in modules]
    top = next(each for each in old if "." not in each)
    names = identifiers([name, *(name + each.removeprefix(top) for each in old if each != top)])
    renamed = {each: "\\" + names[name + each.removeprefix(top)] for each in old}
    scopes = {
        each: _scope(lines, top if each == top else "")
        for each, lines in zip(old, modules, strict=True)
    }
    written = []
    for each, lines in zip(old, modules, strict=True):
        written += _rename(lines, scopes[each], scopes, renamed)
    ports = {
        wire.removeprefix("\\"): scopes[top][wire].removeprefix("\\")
        for line in modules[old.index(top)]
        if (wire := _port(line))
    }
    return "\n".join(written) + "\n", ports


def _modules(text: str) -> Iterator[list[str]]:
    """Give the lines of each module without space around them, its attributes left out."""
    lines: list[str] = []
    depth = 0
    for line in map(str.strip, text.splitlines()):
        word = line.partition(" ")[0]
        if not line or (not depth and word != "module"):
            continue
        lines.append(line)
        if word in {"module", "cell", "process", "switch"}:
            depth += 1
        elif word == "end":
            depth -= 1
            if not depth:
                yield lines
                lines = []


def _gather(lines: list[str]) -> list[str]:
    """Assign neighbouring slices at once, from a wire of their own, where they are many.

    A process is woken by each of its operands; with as many assignments, that takes simulators
    quadratic time.
    """
    written: list[str] = []
    added: list[str] = []
    joined: list[str] = []
    named: dict[str, int] = {}
    run: list[re.Match[str]] = []

    def finish() -> None:
        if len(run) < _MANY:
            written.extend(one[0] for one in run)
        else:
            target, high = run[0]["target"], int(run[-1]["high"])
            low = int(run[0]["low"] or run[0]["high"])
            named[target] = named.get(target, 0) + 1
            wire = f"{target}$parts{named[target] if named[target] > 1 else ''}"
            values = " ".join(one["value"] for one in reversed(run))
            added.append(f"wire width {high - low + 1} {wire}")
            joined.append(f"connect {wire} {{ {values} }}")
            written.append(f"assign {target} [{high}:{low}] {wire} [{high - low}:0]")
        run.clear()

    for line in lines[:-1]:
        found = _SLICE.match(line)
        if run and not (
            found
            and found["target"] == run[-1]["target"]
            and int(found["low"] or found["high"]) == int(run[-1]["high"]) + 1
        ):
            finish()
        if found:
            run.append(found)
        else:
            written.append(line)
    return [lines[0], *added, *written[1:], *joined, lines[-1]]


def _port(line: str) -> str:
    words = line.split()
    is_port = words[0] == "wire" and ("input" in words or "output" in words or "inout" in words)
    return words[-1] if is_port else ""


def _scope(lines: list[str], top: str) -> dict[str, str]:
    """Return the new name of everything that a module declares, ports having the first choice."""
    declared = {}
    for line in lines:
        if line.startswith(("wire ", "memory ", "cell \\")):
            declared[line.split()[-1]] = not _port(line)
    order = sorted(declared, key=lambda each: (declared[each], each.startswith("$")))
    wanted = {each: f"n{each[1:]}" if each.startswith("$") else each[1:] for each in order}
    # Distinct names may want the same identifier: numbers tell them apart here, not in the text.
    unique = {each: f"{want} {n}" for n, (each, want) in enumerate(wanted.items())}
    seen: set[str] = set()
    for each, want in wanted.items():
        if want not in seen:
            unique[each] = want
            seen.add(want)
    found = identifiers(unique.values(), taken=(WAKE,))
    return {each: "\\" + found[unique[each]] for each in order}


def _rename(
    lines: list[str],
    scope: dict[str, str],
    scopes: dict[str, dict[str, str]],
    modules: dict[str, str],
) -> list[str]:
    def new(match: re.Match[str]) -> str:
        found = match[0]
        used.add(found)
        return scope.get(found, found)

    used: set[str] = set()
    empty: set[str] = set()  # wires without width
    written: list[tuple[str, str]] = []  # with the name of the wire that the line is all about
    inside: list[str] = []  # cells, processes and switches that are open
    ports: dict[str, str] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        alone = ""
        if word == "module":
            line = f"module {modules[rest]}"
        elif word == "end":
            if inside:
                inside.pop()
        elif word == "attribute":
            if _DROPPED.match(line):
                continue
        elif word in {"wire", "memory"}:
            start, _, name = rest.rpartition(" ")
            if start == "width 0":
                empty.add(name)
            line = f"{word} {start} {scope[name]}"
            alone = name if (_field(name) or name in empty) and not _port(line) else ""
        elif word == "cell":
            kind, _, name = rest.partition(" ")
            inside.append(word)
            ports = scopes.get(kind, {})
            line = f"cell {modules.get(kind, kind)} {scope.get(name, name)}"
        elif word == "process":
            inside.append(word)
        elif word == "parameter":
            key, _, value = rest.partition(" ")
            if key == "\\MEMID":
                memory = scope[value.strip('"').replace("\\\\", "\\")]
                line = f'parameter {key} "{memory}"'.replace('"\\', '"\\\\')
        elif word == "connect" and inside:
            port, _, value = rest.partition(" ")
            line = f"connect {ports.get(port, port)} {_NAME.sub(new, value)}"
        elif word == "connect":
            target, _, value = rest.partition(" ")
            alone = target if _field(target) or target in empty else ""
            if alone:
                line = f"connect {scope[target]} {_NAME.sub(new, value)}"
            else:
                line = f"connect {_NAME.sub(new, rest)}"
        else:  # assign, switch, case
            if word == "switch":
                inside.append(word)
            line = _NAME.sub(new, line)
        written.append((alone, line))
    return [line for alone, line in written if not alone or alone in used]


def _field(name: str) -> bool:
    return "." in name or "[" in name
