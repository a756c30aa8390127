"""One entity with its architecture."""

from spiker_hdl.hdl.netlist.bits import constant, single, width_of
from spiker_hdl.hdl.netlist.cells import Register
from spiker_hdl.hdl.netlist.netlist import Netlist
from spiker_hdl.hdl.netlist.processes import (
    Body,
    changing,
    grouped,
    merged,
    redirected,
    settled,
    simplified,
    subjects,
    unreset,
)
from spiker_hdl.hdl.rtlil.tree import Assign, Module, Part, Wire

from .checks import Checks
from .expressions import Expressions, constant_value
from .instances import Instances, Port, driven_by, type_of
from .memories import Memories
from .names import Identifiers
from .statements import Statements
from .text import source_note, wrapped

__all__ = ["Entity"]

_OWN = "\x01"  # stands for the entity's name until all names are known
_PREAMBLE = ["library ieee;", "use ieee.std_logic_1164.all;", "use ieee.numeric_std.all;", ""]


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
        scope = Identifiers()
        ported = [wire for wire in module.wires.values() if wire.direction and wire.width]
        vectors = {wire.name for wire in ported} if top else set()
        if not top:
            # Alike components have their ports in one order, and so share an entity.
            ported.sort(key=_place)
        # Ports choose their names first.
        ordered = {wire.name: netlist.wires[wire.name] for wire in ported}
        netlist.wires = ordered | netlist.wires
        self._via = via = Expressions(netlist, scope, vectors, driven_by(netlist, inner))
        self.ports = [self._port(wire) for wire in ported]
        self._statements = Statements(via)
        self._memories = Memories(via, self._statements, scope)
        self._instances = Instances(self._statements, scope, inner)
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
        instances = [self._instances.write(cell) for cell in self.netlist.instances]
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
        lines = [line for box in self._instances.boxes.values() for line in box]
        lines += self._memories.declarations()
        needed = self._via.needed
        order = [name for name in self.netlist.wires if name in needed]
        for name in order:
            wire = self.netlist.wires[name]
            if wire.direction:
                continue
            kind = type_of(self._via.kind(name), wire.width)
            lines += self._declared(f"signal {self._via.names[name]} : {kind}", wire, ";")
        return [*lines, *self._instances.signals]

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
        for group in grouped({wire: subjects(body) for wire, body in bodies.items()}):
            body = simplified(merged([bodies[wire] for wire in group]))
            plain = [item for item in body if isinstance(item, Assign)]
            if plain == body:
                lines = [self._statements.assign(single(item.target), item.value) for item in plain]
                processes.append([line for assignment in lines for line in assignment])
                continue
            lines = self._statements.body(body, "  ")
            processes.append(["process (all)", "begin", *lines, "end process;"])
        return processes

    def _own_processes(self) -> dict[str, Register]:
        """Find the processes whose result is read by only one register."""
        netlist = self.netlist
        owners = {}
        for register in netlist.registers:
            if len(register.data) == 1 and isinstance(register.data[0], Part):
                wire = register.data[0].wire
                whole = register.data[0].width == netlist.wires[wire].width
                alone = netlist.anonymous(wire) and netlist.uses[wire] == 1
                if wire in netlist.processes and whole and alone:
                    owners[wire] = register
        return owners

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
                body = settled(redirected(process.body, register.wire))
            domain = (register.clock, register.rising, register.areset)
            # A register keeps its value without being told.
            domains.setdefault(domain, {})[register.wire] = simplified(changing(body))
        processes = []
        for (clock, rising, areset), bodies in domains.items():
            choices = {wire: subjects(unreset(body)) for wire, body in bodies.items()}
            for group in grouped(choices, together=True):
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


def _place(wire: Wire) -> tuple[bool, bool, str]:
    return wire.direction == "output", wire.name not in {"\\clk", "\\rst"}, wire.name
