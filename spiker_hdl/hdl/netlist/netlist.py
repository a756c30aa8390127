"""What a module computes, tidied so that it reads well when written out."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from spiker_hdl.hdl.rtlil.tree import Assign, Bits, Case, Cell, Module, Part, Process, Spec, Switch

from .bits import constant, cut, join, number
from .cells import NARROWABLE, VECTORS, Cells, Op
from .constant_folding import fold, inverts

__all__ = ["Netlist"]


class Netlist(Cells):
    """One module: operators without repetition, registers, processes and the rest.

    Parameters
    ----------
    module : Module
        What it is made from.
    known : dict of str to Module
        All modules in the design.

    Raises
    ------
    UnsupportedConstructError
        If the module has a cell or port that cannot be written.
    """

    def __init__(self, module: Module, known: dict[str, Module]):
        super().__init__(module, known)
        # What is cut may turn out to be constant, or the same as something else.
        for _ in range(2):
            self._share()
            self._narrow()
        self._name()
        self._prune()
        self._count()

    def _share(self) -> None:
        """Compute each thing once, and nothing that is constant."""
        known: dict[tuple, str] = {}
        # One-bit results that were computed wider are read as parts of these.
        result: dict[str, Spec] = dict(self.links[: self._halves])
        dead = []
        for op in self._ordered():
            op.a, op.b, op.select = (_substitute(spec, result) for spec in op.operands())
            if inverts(op):
                op.kind, op.b = "not", ()
            simple = fold(op, self.ops)
            if simple is None and op.kind == "mux" and self._guards(op):
                simple = op.b
            if simple is None:
                key = (op.kind, op.width, op.signed, *op.operands())
                first = known.setdefault(key, op.wire)
                if first == op.wire:
                    continue
                simple = (Part(first, 0, op.width),)
            result[op.wire] = simple
            dead.append(op.wire)
            if not self.anonymous(op.wire):
                self.links.append((op.wire, simple))
        for wire in dead:
            del self.ops[wire]
        # An operator in a loop may have been read before it was seen to be simple.
        self._rewrite(result)

    def _guards(self, op: Op) -> bool:
        """Tell whether ``op`` only makes a division by zero give zero, as ours do anyhow."""
        if len(op.b) != 1 or not isinstance(op.b[0], Part) or not constant(op.a):
            return False
        divided = self.ops.get(op.b[0].wire)
        if divided is None or divided.kind not in {"divfloor", "modfloor"}:
            return False
        (select,) = op.select
        assert isinstance(select, Part)
        test = self.ops.get(select.wire)
        tested = test.a if test and test.kind == "reduce_bool" else op.select
        return op.b[0].low == 0 and number(op.a, False) == 0 and tested == divided.b

    def _ordered(self) -> Iterator[Op]:
        """Give the operators so that operands come first, as far as there are no loops."""
        seen: set[str] = set()
        for first in list(self.ops):
            stack = [(first, False)]
            while stack:
                wire, done = stack.pop()
                if done:
                    yield self.ops[wire]
                    continue
                if wire in seen:
                    continue
                seen.add(wire)
                stack.append((wire, True))
                for part in _parts(self.ops[wire].operands()):
                    if part.wire in self.ops and part.wire not in seen:
                        stack.append((part.wire, False))

    def _rewrite(self, result: dict[str, Spec]) -> None:
        """Read ``result`` instead of the wires that it names, everywhere."""

        def change(spec: Spec) -> Spec:
            while any(isinstance(part, Part) and part.wire in result for part in spec):
                spec = _substitute(spec, result)
            return spec

        for op in self.ops.values():
            op.a, op.b, op.select = map(change, op.operands())
        for register in self.registers:
            register.data = change(register.data)
            register.clock = change(register.clock)
            register.areset = change(register.areset)
        for target, process in self.processes.items():
            body = _rewrite_body(process.body, change)
            self.processes[target] = Process(process.name, body, process.attributes)
        self.links = [(wire, change(value)) for wire, value in self.links]
        for name in ("memory_cells", "instances", "checks"):
            cells = getattr(self, name)
            setattr(self, name, [self._rewrite_cell(cell, change) for cell in cells])

    def _rewrite_cell(self, cell: Cell, change) -> Cell:
        ports = {
            port: spec if port in self.outputs(cell) else change(spec)
            for port, spec in cell.ports.items()
        }
        return replace(cell, ports=ports)

    def outputs(self, cell: Cell) -> set[str]:
        """Name the ports of ``cell`` that it drives."""
        if cell.kind == "$memrd_v2":
            return {"DATA"}
        if cell.kind.startswith("$"):
            return set()
        inner = self._known.get(cell.kind.removeprefix("\\"))
        if inner is None:
            return cell.whole
        return {
            wire.name.removeprefix("\\")
            for wire in inner.wires.values()
            if wire.direction == "output"
        }

    def _roots(self) -> Iterator[Spec]:
        """Give all values that are read by anything but an operator."""
        for register in self.registers:
            yield from (register.data, register.clock, register.areset)
        for process in self.processes.values():
            yield from body_values(process.body)
        for cell in (*self.memory_cells, *self.instances, *self.checks):
            outputs = self.outputs(cell)
            yield from (spec for port, spec in cell.ports.items() if port not in outputs)
        for wire, value in self.links:
            if self.wires[wire].direction:
                yield value

    def _narrow(self) -> None:
        """Drop what nobody reads, and compute no more bits than are read."""
        demand = dict.fromkeys(self.ops, 0)
        work = []
        # A result that is read at all is as wide as the signal that may give it its name.
        least: dict[str, int] = {}
        for _, value in self.links:
            if len(value) == 1 and isinstance(value[0], Part) and value[0].low == 0:
                part = value[0]
                least[part.wire] = max(least.get(part.wire, 0), part.width)

        def read(specs: Iterable[Spec]) -> None:
            for part in _parts(specs):
                if part.wire in demand:
                    need = max(part.low + part.width, least.get(part.wire, 0))
                    if need > demand[part.wire]:
                        demand[part.wire] = need
                        work.append(part.wire)

        read(self._roots())
        for wire, op in self.ops.items():
            if not self.anonymous(wire):
                demand[wire] = op.width
                work.append(wire)
        while work:
            op = self.ops[work.pop()]
            need = demand[op.wire]
            if op.kind in VECTORS - {"add", "sub"}:
                need = demand[op.wire] = max(need, 2)
            if op.kind in NARROWABLE:
                read((cut(op.a, 0, need), cut(op.b, 0, need), op.select))
            else:
                read(op.operands())
        for wire, need in demand.items():
            op = self.ops[wire]
            if not need:
                del self.ops[wire]
            elif need == 1 and op.kind in {"add", "sub"}:
                op.kind, op.width = "xor", 1
                op.a, op.b = (cut(spec, 0, 1) or (Bits("0"),) for spec in (op.a, op.b))
                self.wires[wire] = replace(self.wires[wire], width=1)
            elif op.kind in NARROWABLE:
                op.width = need
                op.a, op.b = cut(op.a, 0, op.width), cut(op.b, 0, op.width)
                self.wires[wire] = replace(self.wires[wire], width=op.width)

    def _name(self) -> None:
        """Give nameless results the names of the signals that stand for them."""
        drivers = {register.wire for register in self.registers} | set(self.processes)
        names: dict[str, str] = {}
        ranked = sorted(self.links, key=lambda link: self._rank(link[0]))
        for wire, value in ranked:
            if len(value) != 1 or not isinstance(value[0], Part):
                continue
            part = value[0]
            inner = self.wires[part.wire]
            fits = part.low == 0 and part.width >= inner.width
            if part.wire in names or not self.anonymous(part.wire) or not fits:
                continue
            if part.wire in self.ops or part.wire in drivers:
                names[part.wire] = wire
        for old, new in names.items():
            self.wires[new] = replace(
                self.wires[new], attributes=self.wires[old].attributes | self.wires[new].attributes
            )
            if old in self.ops:
                op = self.ops.pop(old)
                op.wire = new
                op.width = self.wires[new].width
                self.ops[new] = op
            if old in self.processes:
                process = self.processes.pop(old)
                self.processes[new] = process
        for register in self.registers:
            register.wire = names.get(register.wire, register.wire)
        self._rewrite({old: (Part(new, 0, self.wires[new].width),) for old, new in names.items()})
        for target, process in self.processes.items():
            body = _retarget(process.body, target, self.wires[target].width)
            self.processes[target] = Process(process.name, body, process.attributes)
        self.links = [
            (wire, value)
            for wire, value in self.links
            if value != (Part(wire, 0, self.wires[wire].width),)
        ]

    def _prune(self) -> None:
        """Drop signals from which nothing follows that can be seen from outside."""
        follows: dict[str, list[Spec]] = {}
        for wire, op in self.ops.items():
            follows.setdefault(wire, []).extend(op.operands())
        for register in self.registers:
            specs = (register.data, register.clock, register.areset)
            follows.setdefault(register.wire, []).extend(specs)
        for wire, process in self.processes.items():
            follows.setdefault(wire, []).extend(body_values(process.body))
        for wire, value in self.links:
            follows.setdefault(wire, []).append(value)
        # Ports, and what cells other than operators read.
        work = [wire for wire in follows if self.wires[wire].direction]
        cells = (*self.memory_cells, *self.instances, *self.checks)
        work += [part.wire for cell in cells for part in _parts(cell.ports.values())]
        seen = set(work)
        while work:
            for part in _parts(follows.get(work.pop(), ())):
                if part.wire not in seen:
                    seen.add(part.wire)
                    work.append(part.wire)
        self.ops = {wire: op for wire, op in self.ops.items() if wire in seen}
        self.registers = [register for register in self.registers if register.wire in seen]
        self.processes = {wire: one for wire, one in self.processes.items() if wire in seen}

    def _rank(self, wire: str) -> int:
        if self.wires[wire].direction:
            return 0
        return 2 if "." in wire or "[" in wire else 1

    def _count(self) -> None:
        live = [spec for op in self.ops.values() for spec in op.operands()]
        for part in _parts((*live, *self._roots())):
            self.uses[part.wire] = self.uses.get(part.wire, 0) + 1
            if part.width != self.wires[part.wire].width:
                self.sliced.add(part.wire)


def body_values(body: Iterable[Assign | Switch]) -> Iterator[Spec]:
    """Give all values that the statements of a process read."""
    for item in body:
        if isinstance(item, Assign):
            yield item.value
        else:
            yield item.subject
            for case in item.cases:
                yield from body_values(case.body)


def _parts(specs: Iterable[Spec]) -> Iterator[Part]:
    for spec in specs:
        for chunk in spec:
            if isinstance(chunk, Part):
                yield chunk


def _substitute(spec: Spec, result: dict[str, Spec]) -> Spec:
    if not any(isinstance(chunk, Part) and chunk.wire in result for chunk in spec):
        return spec
    pieces = []
    for chunk in spec:
        if isinstance(chunk, Part) and chunk.wire in result:
            pieces.extend(cut(result[chunk.wire], chunk.low, chunk.low + chunk.width))
        else:
            pieces.append(chunk)
    return join(pieces)


def _rewrite_body(body, change) -> list[Assign | Switch]:
    return [
        Assign(item.target, change(item.value))
        if isinstance(item, Assign)
        else Switch(
            change(item.subject),
            [Case(case.patterns, _rewrite_body(case.body, change)) for case in item.cases],
        )
        for item in body
    ]


def _retarget(body, wire: str, width: int) -> list[Assign | Switch]:
    """Let all assignments drive ``wire``, less those beyond its width."""
    new = []
    for item in body:
        if isinstance(item, Switch):
            cases = [Case(case.patterns, _retarget(case.body, wire, width)) for case in item.cases]
            new.append(Switch(item.subject, cases))
            continue
        part = item.target[0]
        assert isinstance(part, Part)
        high = min(part.low + part.width, width)
        if high > part.low:
            target = (Part(wire, part.low, high - part.low),)
            new.append(Assign(target, cut(item.value, 0, high - part.low)))
    return new
