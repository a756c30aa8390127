"""The blocks of a component and what joins them, read from what it elaborates to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Fragment, Signal, Value
from amaranth.lib import fifo, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.memory import Memory

from spiker_hdl.hdl.amaranth_internals import (
    Assign,
    Concat,
    Operator,
    Slice,
    Switch,
    assigned_signals,
    read_signals,
)

__all__ = ["INPUTS", "OUTPUTS", "Block", "Connection", "Design", "Pin", "read_designs"]

INPUTS, OUTPUTS = "(inputs)", "(outputs)"
"""Names of the blocks that stand for the component's own ports."""

STREAM = ("payload", "valid", "ready")


@dataclass(frozen=True)
class Pin:
    """A port, or all signals of a stream.

    Members
    -------
    width : int
        Bits of the port, or of the stream's payload.
    stream : bool
        Whether it is a stream.
    """

    name: str
    width: int
    stream: bool


@dataclass
class Block:
    """A submodule, or the component's own inputs or outputs.

    Members
    -------
    kind : str
        Class of the submodule.
    """

    name: str
    kind: str
    inputs: dict[str, Pin] = field(default_factory=dict)
    outputs: dict[str, Pin] = field(default_factory=dict)


@dataclass(frozen=True)
class Connection:
    """What leads from an output of one block to an input of another.

    Members
    -------
    source, target : tuple of str
        Block and pin.
    direct : bool
        Whether there is neither logic nor a register between them.
    """

    source: tuple[str, str]
    target: tuple[str, str]
    direct: bool


@dataclass
class Design:
    """A component: its blocks, what joins them, and its own registers with their widths."""

    component: type
    blocks: dict[str, Block]
    connections: list[Connection]
    registers: list[tuple[str, int]]

    @property
    def name(self) -> str:
        return self.component.__name__


def read_designs(component: wiring.Component, known: Iterable[str] = ()) -> Iterator[Design]:
    """Elaborate a component, and give it and all components of this library within it.

    Each class is given once, as it is met first, and the whole before its parts.

    Parameters
    ----------
    component : wiring.Component
        Not elaborated before.
    known : iterable of str
        Names of classes that are left out.
    """
    known = set(known)
    todo = [Fragment.get(component, None)]
    while todo:
        fragment = todo.pop(0)
        origin = _origin(fragment)
        todo += [inner for inner, *_ in fragment.subfragments]
        name = type(origin).__name__
        ours = type(origin).__module__.startswith("spiker_")
        if isinstance(origin, wiring.Component) and ours and name not in known:
            known.add(name)
            yield _Tracer(origin, fragment).design()


def _origin(fragment: Fragment) -> Any:
    """Return what a fragment was made from: its component, where there is one."""
    origins = getattr(fragment, "origins", None) or (fragment,)
    return next((origin for origin in origins if isinstance(origin, wiring.Component)), origins[0])


class _Tracer:
    """Follows signals from where they are read to the ports on which they depend."""

    def __init__(self, component: wiring.Component, fragment: Fragment):
        self.component = component
        self.fragment = fragment
        self.blocks = {INPUTS: Block(INPUTS, ""), OUTPUTS: Block(OUTPUTS, "")}
        # By the identity of a signal: the port that drives it, and what is assigned to its bits.
        self.ends: dict[int, tuple[str, str]] = {}
        self.assigned: dict[int, list[_Assigned]] = {}
        self.reads: list[tuple[tuple[str, str], Any, bool]] = []
        self.registers: dict[int, tuple[str, int]] = {}

    def design(self) -> Design:
        for path, value, driven, stream in _ports(self.component):
            self._port(INPUTS if driven else OUTPUTS, path, value, not driven, stream)
        for fragment, name, *_ in self.fragment.subfragments:
            self._submodule(fragment, name)
        for domain, statements in self.fragment.statements.items():
            for assign, subjects in _assignments(statements, []):
                self._assign(domain, assign, subjects)
        return Design(
            type(self.component),
            self.blocks,
            self._connections(),
            [register for register in self.registers.values() if register[1]],
        )

    def _submodule(self, fragment: Fragment, name: str | None) -> None:
        origin = _origin(fragment)
        name = name or "(unnamed)"
        kind = type(origin).__name__
        if isinstance(origin, Memory):
            kind = f"Memory of {origin.depth} rows"
        self.blocks[name] = Block(name, kind)
        for port in _ports(origin):
            self._port(name, *port)

    def _port(self, block: str, path: tuple, value: Any, read: bool, stream: bool) -> None:
        """Note a port that ``block`` reads, or drives."""
        name = ".".join(map(str, path[:-1] if stream else path))
        if read:
            self.reads.append(((block, name), value, stream and path[-1] == "ready"))
        else:
            for signal in read_signals(Value.cast(value)):
                self.ends[id(signal)] = (block, name)
        if stream and path[-1] != "payload":
            return
        side = self.blocks[block].inputs if read else self.blocks[block].outputs
        side[name] = Pin(name, len(Value.cast(value)), stream)

    def _assign(self, domain: str, assign: Assign, subjects: list) -> None:
        whole = domain == "comb" and not subjects
        sources = [*_parts(assign.rhs)]
        targets = [*_parts(assign.lhs, assigned_signals(assign.lhs))]
        if domain != "comb":
            self.registers |= {id(signal): (signal.name, len(signal)) for signal, *_ in targets}
        if isinstance(_plain(assign.lhs), Concat):
            # Of `Cat(a, b).eq(c)`, each target has bits of its own.
            pairs = [*_aligned(targets, sources)]
        else:
            pairs = [(target, sources) for target in targets]
        for (signal, low, high), values in pairs:
            straight = len(values) == 1 and values[0][2] - values[0][1] == high - low
            known = self.assigned.setdefault(id(signal), [])
            known.append(_Assigned(low, high, values, straight, whole and len(values) == 1))
            known.append(_Assigned(low, high, [*map(_whole, subjects)], False, False))

    def _connections(self) -> list[Connection]:
        result: dict[tuple, bool] = {}
        for (block, pin), value, back in self.reads:
            if back:
                continue
            for (source, output), direct in self._drivers(value).items():
                if (source, block) == (INPUTS, OUTPUTS) or pin not in self.blocks[block].inputs:
                    continue
                if output in self.blocks[source].outputs:
                    key = ((source, output), (block, pin))
                    result[key] = result.get(key, False) or direct
        return [Connection(*key, direct) for key, direct in result.items()]

    def _drivers(self, value: Any) -> dict[tuple[str, str], bool]:
        """Return the ports on which a value depends, and whether it is them without logic."""
        result: dict[tuple[str, str], bool] = {}
        seen: set[tuple] = set()
        todo = [(part, True) for part in _parts(Value.cast(value))]
        while todo:
            (signal, low, high), direct = todo.pop()
            if (id(signal), low, high, direct) in seen:
                continue
            seen.add((id(signal), low, high, direct))
            if id(signal) in self.ends:
                end = self.ends[id(signal)]
                result[end] = result.get(end, False) or direct
                continue
            for assignment in self.assigned.get(id(signal), ()):
                start, stop = max(low, assignment.low), min(high, assignment.high)
                if start >= stop:
                    continue
                for source, first, last in assignment.sources:
                    if assignment.straight:
                        first, last = first + start - assignment.low, first + stop - assignment.low
                    todo.append(((source, first, last), direct and assignment.direct))
        return result


_Bits = tuple[Signal, int, int]
"""A signal, and which of its bits: from the first to before the last."""


@dataclass
class _Assigned:
    """What is assigned to bits of a signal; ``straight`` if bit for bit."""

    low: int
    high: int
    sources: list[_Bits]
    straight: bool
    direct: bool


def _whole(signal: Signal) -> _Bits:
    return signal, 0, len(signal)


def _plain(value: Any) -> Any:
    """Return a value without what only changes its sign."""
    while isinstance(value, Operator) and value.operator in {"u", "s"}:
        (value,) = value.operands
    return value


def _parts(value: Any, signals: Any = None) -> Iterator[_Bits]:
    """Give the bits that a value consists of, or the signals from which it is computed."""
    value = _plain(value)
    inner = _plain(value.value) if isinstance(value, Slice) else None
    if isinstance(value, Signal):
        yield _whole(value)
    elif isinstance(inner, Signal):
        yield inner, value.start, value.stop
    elif isinstance(value, Concat):
        for part in value.parts:
            yield from _parts(part, None if signals is None else assigned_signals(part))
    else:
        for signal in read_signals(value) if signals is None else signals:
            yield _whole(signal)


def _aligned(targets: list[_Bits], sources: list[_Bits]) -> Iterator[tuple[_Bits, list[_Bits]]]:
    """Give each target the sources of its own bits, where these can be told."""
    bits = [(signal, n) for signal, low, high in sources for n in range(low, high)]
    if len(bits) != sum(high - low for _, low, high in targets):
        yield from ((target, sources) for target in targets)
        return
    for target in targets:
        own, bits = bits[: target[2] - target[1]], bits[target[2] - target[1] :]
        runs: list[_Bits] = []
        for signal, n in own:
            if runs and runs[-1][0] is signal and runs[-1][2] == n:
                runs[-1] = (signal, runs[-1][1], n + 1)
            else:
                runs.append((signal, n, n + 1))
        yield target, runs


def _ports(origin: Any) -> Iterator[tuple[tuple, Any, bool, bool]]:
    """Give the ports of what was elaborated.

    Each has a path, a value, whether it is read, and whether it is part of a stream.
    """
    if isinstance(origin, Memory):
        for letter, ports in (("r", origin.read_ports), ("w", origin.write_ports)):
            for n, port in enumerate(ports):
                for path, member, value in port.signature.flatten(port):
                    yield (f"{letter}{n}.{path[0]}",), value, member.flow == wiring.In, False
    elif isinstance(origin, fifo.FIFOInterface):
        for name in ("w_data", "w_en", "r_en"):
            yield (name,), getattr(origin, name), True, False
        for name in ("r_data", "r_rdy", "w_rdy"):
            yield (name,), getattr(origin, name), False, False
    elif isinstance(origin, FFSynchronizer):
        yield ("i",), origin.i, True, False
        yield ("o",), origin.o, False, False
    elif isinstance(origin, wiring.Component):
        ports = [*origin.signature.flatten(origin)]
        payloads = {path[:-1] for path, *_ in ports if path[-1] == "payload"}
        for path, member, value in ports:
            stream = path[-1] in STREAM and path[:-1] in payloads
            yield path, value, member.flow == wiring.In, stream


def _assignments(statements: Any, subjects: list) -> Iterator[tuple[Assign, list]]:
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement, subjects
        elif isinstance(statement, Switch):
            inner = [*subjects, *read_signals(statement.test)]
            for case in statement.cases:
                yield from _assignments(case[1], inner)
