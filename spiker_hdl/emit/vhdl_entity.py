"""One entity with its architecture."""

from dataclasses import dataclass

from .rtlil import Assign, Bits, Cell, Module, Part, Spec, Switch, Wire
from .vhdl_bodies import Body, merged, settled, simplified, subjects
from .vhdl_checks import Checks
from .vhdl_expressions import Expressions, constant_value
from .vhdl_memories import Memories
from .vhdl_names import Identifiers
from .vhdl_netlist import Netlist, Register
from .vhdl_specs import constant, width_of
from .vhdl_statements import Statements
from .vhdl_text import TYPES, bit_string, source_note, wrapped

__all__ = ["Entity", "Port"]

_OWN = "\x01"  # stands for the entity's name until all names are known
_PREAMBLE = ["library ieee;", "use ieee.std_logic_1164.all;", "use ieee.numeric_std.all;", ""]


@dataclass(frozen=True, slots=True)
class Port:
    """Port of an entity.

    Members
    -------
    name : str
        Its identifier in VHDL.
    source : str
        Its name in Amaranth.
    direction : str
        ``in`` or ``out``.
    width : int
        Number of bits; a port of one bit is a ``std_logic``.
    signed : bool
        Whether it is a signed number.
    """

    name: str
    source: str
    direction: str
    width: int
    signed: bool
    kind: str

    @property
    def type(self) -> str:
        """Its type in VHDL."""
        return _type(self.kind, self.width)


class Entity:
    """Writer of one module.

    Parameters
    ----------
    module : Module
        What is written.
    modules : dict of str to Module
        All modules of the design.
    inner : dict of str to (str, list of Port)
        For each module that has been written, what stands for its name, and its ports.
    top : bool
        Whether it is the outermost, whose ports are all of std_logic types.
    """

    def __init__(self, module: Module, modules, inner, *, top: bool):
        self.netlist = netlist = Netlist(module, modules)
        self._inner = inner
        self._scope = scope = Identifiers()
        ported = [wire for wire in module.wires.values() if wire.direction and wire.width]
        vectors = {wire.name for wire in ported} if top else set()
        if not top:
            # Alike components have their ports in one order, and so share an entity.
            ported.sort(key=_place)
        # Ports choose their names first.
        ordered = {wire.name: netlist.wires[wire.name] for wire in ported}
        netlist.wires = ordered | netlist.wires
        self._via = via = Expressions(netlist, scope, vectors)
        self.ports = [self._port(wire) for wire in ported]
        self._statements = Statements(via)
        self._memories = Memories(via, self._statements, scope)
        self._boxes: dict[str, list[str]] = {}
        self._extra: list[str] = []
        self._init = {register.wire: register.init for register in netlist.registers}

    def _port(self, wire: Wire) -> Port:
        return Port(
            self._via.names[wire.name],
            wire.name[1:],
            {"input": "in", "output": "out"}[wire.direction],
            wire.width,
            wire.signed,
            self._via.kind(wire.name),
        )

    def lines(self) -> list[str]:
        """Write everything; the character 1 stands for the entity's name."""
        for cell in self.netlist.instances:
            if cell.kind.removeprefix("\\") not in self._inner:
                self._scope.add(cell.kind)
        instances = [self._instance(cell) for cell in self.netlist.instances]
        clocked = self._clocked()
        processes = [*self._combinational(), *self._memories.processes(), *clocked]
        processes += [lines for lines in Checks(self._via, self._statements).processes() if lines]
        plain = [*self._memories.concurrent(), *self._links()]
        first = self._operators()
        body: list[str] = []
        for block in (*instances, first + plain, *processes):
            if block:
                body += ["", *block] if body else block
        wires = self.netlist.module
        note = source_note(str(wires.attributes.get("src", "")))
        text = [
            *_PREAMBLE,
            f"entity {_OWN} is{note}",
            *self._port_clause(),
            "end entity;",
            "",
            f"architecture rtl of {_OWN} is",
            *(f"  {line}" for line in self._declarations()),
            "begin",
            *(f"  {line}" if line else "" for line in body),
            "end architecture;",
        ]
        return [piece for line in text for piece in wrapped(line)]

    # --- declarations ---

    def _port_clause(self) -> list[str]:
        if not self.ports:
            return []
        lines = []
        for port in self.ports:
            wire = self.netlist.wires["\\" + port.source]
            end = "" if port is self.ports[-1] else ";"
            text = f"    {port.name} : {port.direction} {port.type}"
            lines += self._declared(text, wire, end, started=port.direction == "out")
        return ["  port (", *lines, "  );"]

    def _start(self, wire: str) -> str:
        """Write the initial value of a wire."""
        width = self.netlist.wires[wire].width
        return str(constant_value(self._init.get(wire, "0" * width), self._via.kind(wire)))

    def _declarations(self) -> list[str]:
        lines = [line for box in self._boxes.values() for line in box]
        lines += self._memories.declarations()
        needed = self._via.needed
        order = [name for name in self.netlist.wires if name in needed]
        for name in order:
            wire = self.netlist.wires[name]
            if wire.direction:
                continue
            kind = _type(self._via.kind(name), wire.width)
            lines += self._declared(f"signal {self._via.names[name]} : {kind}", wire, ";")
        return [*lines, *self._extra]

    def _declared(self, text: str, wire: Wire, end: str, started: bool = True) -> list[str]:
        """Complete a declaration by what the wire starts with."""
        note = source_note(self.netlist.source(wire))
        start = f" := {self._start(wire.name)}" if started else ""
        if not self._memories.outputs.get(wire.name):
            return [f"{text}{start}{end}{note}"]
        # No block RAM has an initial output, so only simulation is given one.
        indent = text[: len(text) - len(text.lstrip())]
        return [
            f"{text}{note}",
            f"{indent}  -- pragma translate_off",
            f"{indent} {start}",
            f"{indent}  -- pragma translate_on",
            *([f"{indent}{end}"] if end else []),
        ]

    # --- statements ---

    def _operators(self) -> list[str]:
        """Write the operators that have signals, and what those need in turn."""
        via, netlist = self._via, self.netlist
        written: dict[str, list[str]] = {}
        for wire in netlist.ops:
            if not netlist.anonymous(wire):
                via.name(wire)
        links = dict(netlist.links)
        while True:
            fresh = [wire for wire in via.needed if wire not in written]
            if not fresh:
                break
            for wire in fresh:
                written[wire] = []
                if wire in netlist.ops:
                    written[wire] = self._statements.concurrent(netlist.ops[wire])
                elif wire in links and not netlist.wires[wire].direction:
                    part = Part(wire, 0, netlist.wires[wire].width)
                    aliases = via.aliases
                    via.aliases = {}
                    written[wire] = self._statements.assign(part, links[wire])
                    via.aliases = aliases
        order = [*links, *netlist.ops]
        return [line for wire in dict.fromkeys(order) for line in written.get(wire, [])]

    def _links(self) -> list[str]:
        lines = []
        for wire, value in self.netlist.links:
            if self.netlist.wires[wire].direction == "output" and value:
                lines += self._statements.assign(Part(wire, 0, width_of(value)), value)
        return lines

    def _combinational(self) -> list[list[str]]:
        bodies = {
            wire: settled(simplified(process.body))
            for wire, process in self.netlist.processes.items()
            if wire not in self._own_processes()
        }
        processes = []
        for group in _groups({wire: subjects(body) for wire, body in bodies.items()}):
            body = simplified(merged([bodies[wire] for wire in group]))
            if all(isinstance(item, Assign) for item in body):
                processes.append([
                    line
                    for item in body
                    for line in self._statements.assign(item.target[0], item.value)
                ])
                continue
            lines = self._statements.body(body, "  ")
            processes.append(["process (all)", "begin", *lines, "end process;"])
        return processes

    def _own_processes(self) -> dict[str, Register]:
        """Find the processes of which only one register takes notice."""
        netlist = self.netlist
        found = {}
        for register in netlist.registers:
            if len(register.data) == 1 and isinstance(register.data[0], Part):
                wire = register.data[0].wire
                whole = register.data[0].width == netlist.wires[wire].width
                alone = netlist.anonymous(wire) and netlist.uses[wire] == 1
                if wire in netlist.processes and whole and alone:
                    found[wire] = register
        return found

    def _clocked(self) -> list[list[str]]:
        netlist = self.netlist
        own = {register.wire: wire for wire, register in self._own_processes().items()}
        domains: dict[tuple, dict[str, Body]] = {}
        for register in netlist.registers:
            if constant(register.clock):
                continue
            target = (Part(register.wire, 0, netlist.wires[register.wire].width),)
            body: Body = [Assign(target, register.data)]
            if register.wire in own:
                process = netlist.processes[own[register.wire]]
                body = settled(_redirected(process.body, register.wire))
            domain = (register.clock, register.rising, register.areset)
            first = body[0]
            if isinstance(first, Assign) and first.value == target:
                # A register keeps its value without being told.
                body = body[1:]
            domains.setdefault(domain, {})[register.wire] = simplified(body)
        processes = []
        for (clock, rising, areset), bodies in domains.items():
            choices = {wire: subjects(_unreset(body)) for wire, body in bodies.items()}
            for group in _groups(choices, together=True):
                body = simplified(merged([bodies[wire] for wire in group]))
                lines = self._statements.body(body, "")
                start = [
                    f"{self._via.name(wire)} <= {self._start(wire)};" for wire in group if areset
                ]
                if lines or start:
                    processes.append(
                        self._statements.clocked(clock, rising, lines or ["null;"], areset, start)
                    )
        return processes

    # --- instances ---

    def _instance(self, cell: Cell) -> list[str]:
        label = self._scope.add(cell.name.lstrip("\\$"))
        kind = cell.kind.removeprefix("\\")
        note = source_note(self.netlist.source(cell))
        maps = []
        after: list[str] = []
        if kind in self._inner:
            key, ports = self._inner[kind]
            lines = [f"{label} : entity work.{key}{note}"]
        else:
            ports = self._box(cell)
            lines = [f"{label} : {_extended(kind)}{note}"]
            if cell.parameters:
                generics = [
                    f"    {_extended(name)} => {_generic(value)}"
                    for name, value in cell.parameters.items()
                ]
                lines += ["  generic map (", *_listed(generics), "  )"]
        for port in ports:
            spec = cell.ports.get(port.source, ())
            actual, extra = self._actual(label, port, spec)
            maps.append(f"    {port.name} => {actual}")
            after += extra
        if maps:
            lines += ["  port map (", *_listed(maps), "  )"]
        lines[-1] += ";"
        # A note in the middle of a statement ends its line, so it stands on the first.
        return lines + after

    def _actual(self, label: str, port: Port, spec: Spec) -> tuple[str, list[str]]:
        """Find what a port is connected to, and what else that takes."""
        via = self._via
        part = spec[0] if len(spec) == 1 else None
        if isinstance(part, Part) and (port.direction == "out" or via.inlined(spec) is None):
            have = "b" if part.width == 1 else via.kind(part.wire)
            whole = part.width == self.netlist.wires[part.wire].width
            if have == port.kind and (whole or port.direction == "in"):
                return str(via.reference(part)), []
        elif port.direction == "in" and constant(spec):
            bits = "".join(chunk.text for chunk in reversed(spec))  # type: ignore
            return (f"'{bits}'" if port.width == 1 else bit_string(bits)), []
        name = self._scope.add(f"{label}_{port.name}")
        zeros = constant_value("0" * port.width, port.kind)
        self._extra.append(f"signal {name} : {port.type} := {zeros};")
        if port.direction == "in":
            return name, [f"{name} <= {self._statements.right(spec, port.kind)};"]
        lines = []
        low = 0
        for chunk in spec:
            assert isinstance(chunk, Part)
            have = "b" if chunk.width == 1 else via.kind(chunk.wire)
            source = name
            if chunk.width < port.width:
                high = low + chunk.width - 1
                source += f"({low})" if chunk.width == 1 else f"({high} downto {low})"
            if have not in {"b", port.kind}:
                source = f"{TYPES[have]}({source})"
            lines.append(f"{via.reference(chunk)} <= {source};")
            low += chunk.width
        return name, lines

    def _box(self, cell: Cell) -> list[Port]:
        """Declare a component that is defined elsewhere; give its ports."""
        kind = cell.kind.removeprefix("\\")
        ports = []
        for name, spec in cell.ports.items():
            width = width_of(spec)
            if width:
                direction = "out" if name in cell.whole else "in"
                shape = "b" if width == 1 else "v"
                ports.append(Port(_extended(name), name, direction, width, False, shape))
        generics = [
            f"    {_extended(name)} : {_generic_type(value)}"
            for name, value in cell.parameters.items()
        ]
        box = [f"component {_extended(kind)} is"]
        if generics:
            box += ["  generic (", *_listed(generics, ";"), "  );"]
        if ports:
            listed = [f"    {port.name} : {port.direction} {port.type}" for port in ports]
            box += ["  port (", *_listed(listed, ";"), "  );"]
        box.append("end component;")
        if self._boxes.setdefault(kind, box) != box:
            raise self.netlist.unsupported(
                f"instances of {kind} with ports of different widths", self.netlist.source(cell)
            )
        return ports


def _place(wire: Wire) -> tuple[bool, bool, str]:
    return wire.direction == "output", wire.name not in {"\\clk", "\\rst"}, wire.name


def _type(kind: str, width: int) -> str:
    return "std_logic" if kind == "b" else f"{TYPES[kind]}({width - 1} downto 0)"


def _extended(name: str) -> str:
    """Write a name that is not ours to choose, between backslashes where VHDL must have them."""
    return name if Identifiers().add(name) == name else "\\" + name.replace("\\", "\\\\") + "\\"


def _generic_type(value: str | int | Bits) -> str:
    if isinstance(value, Bits):
        return f"std_logic_vector({value.width - 1} downto 0)"
    return "string" if isinstance(value, str) else "integer"


def _generic(value: str | int | Bits) -> str:
    if isinstance(value, Bits):
        return bit_string(value.text)
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else str(value)


def _listed(lines: list[str], mark: str = ",") -> list[str]:
    return [*(line + mark for line in lines[:-1]), lines[-1]]


def _redirected(body: Body, wire: str) -> Body:
    """Let all assignments drive ``wire``."""
    new: Body = []
    for item in body:
        if isinstance(item, Assign):
            part = item.target[0]
            assert isinstance(part, Part)
            new.append(Assign((Part(wire, part.low, part.width),), item.value))
        else:
            cases = [type(case)(case.patterns, _redirected(case.body, wire)) for case in item.cases]
            new.append(Switch(item.subject, cases))
    return new


def _unreset(body: Body) -> Body:
    """Take away a reset at the end, which says nothing about what belongs together."""
    last = body[-1] if body else None
    if isinstance(last, Switch) and [case.patterns for case in last.cases] == [("1",)]:
        items = last.cases[0].body
        if all(isinstance(item, Assign) and constant(item.value) for item in items):
            return body[:-1]
    return body


def _groups(choices: dict[str, set[Spec]], together: bool = False) -> list[list[str]]:
    """Bring together what decides by the same values, and, if asked, what does not decide."""
    groups: list[tuple[list[str], set[Spec]]] = []
    for wire, subject in choices.items():
        found = [group for group in groups if group[1] & subject]
        if together and not subject:
            found = [group for group in groups if not group[1]]
        if not found:
            groups.append(([wire], set(subject)))
            continue
        for other in found[1:]:
            found[0][0].extend(other[0])
            found[0][1].update(other[1])
            groups.remove(other)
        found[0][0].append(wire)
        found[0][1].update(subject)
    return [wires for wires, _ in groups]
