"""Instances of other entities and of components that are written elsewhere."""

from dataclasses import dataclass

from spiker_hdl.hdl.netlist.bits import constant, text_of, width_of
from spiker_hdl.hdl.netlist.netlist import Netlist
from spiker_hdl.hdl.rtlil.tree import Bits, Cell, Part, Spec

from .expressions import constant_value
from .names import Identifiers
from .statements import Statements
from .text import TYPES, bit_string, source_note

__all__ = ["Instances", "Port", "driven_by", "type_of"]


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
        return type_of(self.kind, self.width)


class Instances:
    """Writer of the instances of one architecture.

    Parameters
    ----------
    statements : Statements
        Writer of what is around.
    scope : Identifiers
        Where names are taken.
    inner : dict of str to (str, list of Port)
        For each module that has been written, what stands for its name, and its ports.

    Members
    -------
    boxes : dict of str to list of str
        Declarations of components.
    signals : list of str
        Declarations of what stands between ports and signals of other types.
    """

    def __init__(
        self, statements: Statements, scope: Identifiers, inner: dict[str, tuple[str, list[Port]]]
    ):
        self._statements = statements
        self._via = statements.expressions
        self._netlist = self._via.netlist
        self._scope = scope
        self._inner = inner
        self.boxes: dict[str, list[str]] = {}
        self.signals: list[str] = []
        for cell in self._netlist.instances:
            if cell.kind.removeprefix("\\") not in inner:
                scope.add(cell.kind)

    def write(self, cell: Cell) -> list[str]:
        label = self._scope.add(cell.name.lstrip("\\$"))
        kind = cell.kind.removeprefix("\\")
        note = source_note(self._netlist.source(cell))
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
            whole = part.width == self._netlist.wires[part.wire].width
            if have == port.kind and (whole or port.direction == "in"):
                return str(via.reference(part)), []
        elif port.direction == "in" and constant(spec):
            bits = text_of(spec)
            return (f"'{bits}'" if port.width == 1 else bit_string(bits)), []
        name = self._scope.add(f"{label}_{port.name}")
        zeros = constant_value("0" * port.width, port.kind)
        self.signals.append(f"signal {name} : {port.type} := {zeros};")
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
        if self.boxes.setdefault(kind, box) != box:
            raise self._netlist.unsupported(
                f"instances of {kind} with ports of different widths", self._netlist.source(cell)
            )
        return ports


def driven_by(netlist: Netlist, inner: dict[str, tuple[str, list[Port]]]) -> dict[str, str]:
    """Name wires after the instances and their ports that drive them or that they are there for."""
    names = {}
    for direction in ("out", "in"):
        for cell in netlist.instances:
            label = cell.name.lstrip("\\$")
            for port in inner.get(cell.kind.removeprefix("\\"), ("", []))[1]:
                spec = cell.ports.get(port.source, ())
                part = spec[0] if len(spec) == 1 else None
                if port.direction != direction or not isinstance(part, Part):
                    continue
                wire = netlist.wires[part.wire]
                known = direction == "out" or part.wire.partition("$")[0] == f"\\{port.source}"
                if known and not wire.direction and part.width == wire.width:
                    names.setdefault(part.wire, f"{label}_{port.name}")
    return names


def type_of(kind: str, width: int) -> str:
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
