"""Memories as arrays, in the forms that synthesis takes for block RAM."""

from collections import Counter
from dataclasses import dataclass, field

from spiker_hdl.hdl.netlist.bits import constant, cut, number, text_of, width_of
from spiker_hdl.hdl.rtlil.tree import Bits, Cell, Part, Spec

from .expressions import Expressions, constant_value
from .names import Identifiers
from .statements import Statements
from .text import ADD, TYPES, bit_string, paren, source_note, wrapped

__all__ = ["Memories"]


@dataclass(slots=True)
class _Memory:
    name: str
    type_name: str
    width: int
    depth: int
    rows: int
    kind: str
    src: str
    contents: list[str] = field(default_factory=list)
    reads: list[Cell] = field(default_factory=list)
    writes: list[Cell] = field(default_factory=list)


class Memories:
    """Writer of the memories of one architecture.

    Parameters
    ----------
    expressions, statements : Expressions, Statements
        Writers of what is around.
    scope : Identifiers
        Where names are taken.
    """

    def __init__(self, expressions: Expressions, statements: Statements, scope: Identifiers):
        self._via = expressions
        self._statements = statements
        self._memories: dict[str, _Memory] = {}
        self.outputs: dict[str, bool] = {}  # whether each wire that is read into is a register
        netlist = expressions.netlist
        for key, memory in netlist.module.memories.items():
            if not memory.width or not memory.depth:
                continue
            name = scope.add(key[1:])
            self._memories[key] = _Memory(
                name,
                scope.add(f"{name}_t"),
                memory.width,
                memory.depth,
                memory.depth,
                "u",
                str(memory.attributes.get("src", "")),
            )
        self._missing = []
        for cell in netlist.memory_cells:
            self._add(cell)
        for memory in self._memories.values():
            self._shape(memory)

    def _add(self, cell: Cell) -> None:
        memory = self._memories.get(str(cell.parameters["MEMID"]))
        data = cell.ports["DATA"]
        if cell.kind == "$memrd_v2" and data:
            assert isinstance(data[0], Part)
            registered = cell.parameters["CLK_ENABLE"] == 1
            self.outputs[data[0].wire] = registered and memory is not None
            (memory.reads if memory else self._missing).append(cell)
        elif cell.kind == "$memwr_v2" and memory:
            memory.writes.append(cell)
        elif cell.kind == "$meminit_v2" and memory:
            text = text_of(data)
            width = memory.width
            rows = [text[start : start + width] for start in range(0, len(text), width)]
            memory.contents = rows[::-1]

    def _shape(self, memory: _Memory) -> None:
        wires = self._via.netlist.wires
        ports = [*memory.reads, *memory.writes]
        bits = max((width_of(port.ports["ADDR"]) for port in ports), default=0)
        # Where it costs little, all addresses have a row: no port must then be guarded.
        if memory.depth < 1 << bits and memory.depth * 4 >= 3 << bits:
            memory.rows = 1 << bits
        memory.contents += ["0" * memory.width] * (memory.rows - len(memory.contents))
        data = [wires[port.ports["DATA"][0].wire] for port in memory.reads]  # type: ignore
        if memory.width == 1:
            memory.kind = "b"
        elif data and all(wire.signed for wire in data):
            memory.kind = "s"
        memory.writes.sort(key=lambda cell: int(cell.parameters["PORTID"]))  # type: ignore
        if len({self._edge(cell) for cell in memory.writes}) > 1:
            raise self._via.netlist.unsupported(
                f"memory {memory.name}, which is written in several clock domains", memory.src
            )

    @staticmethod
    def _edge(cell: Cell) -> tuple[Spec, bool]:
        return cell.ports["CLK"], cell.parameters["CLK_POLARITY"] == 1

    # --- declarations ---

    def declarations(self) -> list[str]:
        lines = []
        for memory in self._memories.values():
            element = "std_logic"
            if memory.kind != "b":
                element = f"{TYPES[memory.kind]}({memory.width - 1} downto 0)"
            keyword = "signal" if memory.writes else "constant"
            lines += [
                f"type {memory.type_name} is array ({memory.rows - 1} downto 0) of {element};",
                f"{keyword} {memory.name} : {memory.type_name} := ({source_note(memory.src)}",
                *self._contents(memory),
                ");",
            ]
        return lines

    def _contents(self, memory: _Memory) -> list[str]:
        texts = [row.replace("x", "0") for row in memory.contents]
        common, count = Counter(texts).most_common(1)[0]
        form = (lambda row: f"'{row}'") if memory.kind == "b" else bit_string
        pieces = [
            f"{address} => {form(row)}"
            for address, row in enumerate(texts)
            if count < 2 or row != common
        ]
        if count >= 2:
            zeros = memory.kind != "b" and set(common) == {"0"}
            pieces.append("others => " + ("(others => '0')" if zeros else form(common)))
        # Spaces inside a row must not be broken.
        text = ", ".join(pieces).replace(" => ", "\x02")
        return [line.replace("\x02", " => ") for line in wrapped(f"  {text}", 92)]

    # --- statements ---

    def concurrent(self) -> list[str]:
        """Write the ports that are not clocked."""
        lines = []
        for cell in self._missing:
            part = cell.ports["DATA"][0]
            assert isinstance(part, Part)
            lines += self._statements.assign(part, (Bits("0" * part.width),))
        for memory in self._memories.values():
            for cell in memory.reads:
                if cell.parameters["CLK_ENABLE"] != 1:
                    target, kind = self._target(cell)
                    text = f"{target} <= {self._row(memory, cell, kind)}"
                    if guard := self._guard(memory, cell):
                        zeros = constant_value("0" * memory.width, kind)
                        text += f" when {guard} else {zeros}"
                    lines.append(f"{text};{source_note(self._via.netlist.source(cell))}")
        return lines

    def processes(self) -> list[list[str]]:
        """Write the ports that are clocked, one process for each memory and clock."""
        processes = []
        for memory in self._memories.values():
            groups: dict[tuple[Spec, bool], list[str]] = {}
            for cell in memory.writes:
                groups.setdefault(self._edge(cell), []).extend(self._write(memory, cell))
            for cell in memory.reads:
                if cell.parameters["CLK_ENABLE"] == 1:
                    groups.setdefault(self._edge(cell), []).extend(self._read(memory, cell))
            for (clock, rising), body in groups.items():
                if not constant(clock):
                    processes.append(self._statements.clocked(clock, rising, body))
        return processes

    def _target(self, cell: Cell) -> tuple[str, str]:
        part = cell.ports["DATA"][0]
        assert isinstance(part, Part)
        return self._via.name(part.wire), self._via.kind(part.wire)

    def _index(self, memory: _Memory, cell: Cell) -> str:
        address = cell.ports["ADDR"]
        if constant(address):
            return f"{memory.name}({min(number(address, False), memory.rows - 1)})"
        return f"{memory.name}(to_integer({self._via.vector(address, 'u')}))"

    def _row(self, memory: _Memory, cell: Cell, kind: str) -> str:
        row = self._index(memory, cell)
        return row if kind == memory.kind else f"{TYPES[kind]}({row})"

    def _guard(self, memory: _Memory, cell: Cell, rows: int | None = None) -> str:
        """Write that an address has a row, if it may have none."""
        address = cell.ports["ADDR"]
        rows = rows or memory.rows
        if 1 << width_of(address) <= rows:
            return ""
        if constant(address):
            return "" if number(address, False) < rows else "false"
        if width_of(address) == 1:
            return str(self._via.condition(address, wanted=False))
        return f"{paren(self._via.vector(address, 'u'), ADD)} < {rows}"

    def _write(self, memory: _Memory, cell: Cell, into: str = "", test: str = "") -> list[str]:
        """Write the enabled parts of a row, or of ``into`` where the row is just being read."""
        lines = []
        target = into or self._index(memory, cell)
        guards = [test] if test else []
        if not into and (guard := self._guard(memory, cell, memory.depth)):
            guards.append(guard)
        kind = self._target_kind(into, memory)
        for low, high, enable in _runs(cell.ports["EN"]):
            if constant(enable) and not number(enable, False):
                continue
            data = cut(cell.ports["DATA"], low, high)
            place = target
            if high - low < memory.width:
                place += f"({low})" if high - low == 1 else f"({high - 1} downto {low})"
            if high - low == 1:
                value = self._via.bit(data)
            else:
                value = self._statements.right(data, kind)
            conditions = [*guards]
            if not constant(enable):
                conditions.insert(0, str(self._via.condition(enable)))
            lines += self._if(_all(conditions), [f"{place} <= {value};"])
        return lines

    def _target_kind(self, into: str, memory: _Memory) -> str:
        if not into:
            return memory.kind
        wires = {name: wire for wire, name in self._via.names.items()}
        return self._via.kind(wires[into])

    @staticmethod
    def _if(test: str, body: list[str]) -> list[str]:
        if not test:
            return body
        return [f"if {test} then", *(f"  {line}" for line in body), "end if;"]

    def _read(self, memory: _Memory, cell: Cell) -> list[str]:
        target, kind = self._target(cell)
        body = [f"{target} <= {self._row(memory, cell, kind)};"]
        if guard := self._guard(memory, cell):
            zeros = constant_value("0" * memory.width, kind)
            body = [f"if {guard} then", f"  {body[0]}", "else", f"  {target} <= {zeros};"]
            body.append("end if;")
        mask = cell.parameters["TRANSPARENCY_MASK"]
        for position, write in enumerate(memory.writes):
            bits = mask.text if isinstance(mask, Bits) else f"{mask:b}"
            if position < len(bits) and bits[-1 - position] == "1":
                same = self._same(cell.ports["ADDR"], write.ports["ADDR"])
                body += self._write(memory, write, target, same)
        enable = cell.ports["EN"]
        return self._if("" if constant(enable) else str(self._via.condition(enable)), body)

    def _same(self, first: Spec, second: Spec) -> str:
        if first == second:
            return ""
        sides = [paren(self._via.vector(side, "u"), ADD) for side in (first, second)]
        return " = ".join(sides)


def _all(tests: list[str]) -> str:
    if len(tests) == 1:
        return tests[0]
    mixed = (" or ", " and ")
    return " and ".join(
        f"({test})" if any(word in test for word in mixed) else test for test in tests
    )


def _runs(enables: Spec) -> list[tuple[int, int, Spec]]:
    """Find neighbouring bits that are enabled together."""
    runs: list[tuple[int, int, Spec]] = []
    for bit in range(width_of(enables)):
        enable = cut(enables, bit, bit + 1)
        if runs and runs[-1][2] == enable:
            runs[-1] = (runs[-1][0], bit + 1, enable)
        else:
            runs.append((bit, bit + 1, enable))
    return runs
