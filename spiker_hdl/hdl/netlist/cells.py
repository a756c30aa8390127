"""What a module is made of, as its RTLIL cells say it."""

from dataclasses import dataclass

from spiker_hdl.hdl.rtlil.tree import (
    Assign,
    Bits,
    Case,
    Cell,
    Module,
    Part,
    Process,
    Spec,
    Switch,
    Wire,
)

from .bits import cut, width_of

__all__ = ["COMPARISONS", "NARROWABLE", "VECTORS", "Cells", "Op", "Register"]
__all__ += ["UnsupportedConstructError"]

UNARY = frozenset("not neg reduce_and reduce_or reduce_xor reduce_bool".split())
COMPARISONS = frozenset("eq ne lt le gt ge".split())
BINARY = COMPARISONS | frozenset("add sub mul divfloor modfloor and or xor shl shr sshr".split())
# The low bits of these depend on the low bits of their operands alone.
NARROWABLE = frozenset("add sub mul neg not and or xor mux".split())
# VHDL cannot take a bit out of an expression, so these are not computed to one bit.
VECTORS = frozenset("mul divfloor modfloor neg add sub shl shr sshr shift".split())


class UnsupportedConstructError(ValueError):
    """Something in a design that has no counterpart here."""


@dataclass(slots=True)
class Op:
    """Operator with one output.

    Members
    -------
    kind : str
        Cell of that name, less the dollar sign.
    wire : str
        Output.
    width : int
        Bits of the output.
    a, b, select : tuple
        Operands; for a ``mux``, ``b`` is taken where ``select`` is 1.
    signed : bool
        Whether the operands are.
    src : str
        Where it stands in the source.
    """

    kind: str
    wire: str
    width: int
    a: Spec = ()
    b: Spec = ()
    select: Spec = ()
    signed: bool = False
    src: str = ""

    def operands(self) -> tuple[Spec, Spec, Spec]:
        return self.a, self.b, self.select


@dataclass(slots=True)
class Register:
    """Flip-flops with one clock; ``areset`` is empty unless they have an asynchronous reset."""

    wire: str
    data: Spec
    clock: Spec
    rising: bool
    init: str
    areset: Spec = ()
    src: str = ""


class Cells:
    """One module: its operators, registers, processes and the rest.

    Parameters
    ----------
    module : Module
        What it is made from.
    known : container of str
        Names of the modules in the design.

    Raises
    ------
    UnsupportedConstructError
        If the module has a cell or port that cannot be written.
    """

    def __init__(self, module: Module, known):
        self.module = module
        self.wires: dict[str, Wire] = dict(module.wires)
        self.ops: dict[str, Op] = {}
        self.registers: list[Register] = []
        self.processes: dict[str, Process] = {}
        self.memory_cells: list[Cell] = []
        self.instances: list[Cell] = []
        self.checks: list[Cell] = []
        self.links: list[tuple[str, Spec]] = []
        self.uses: dict[str, int] = {}
        self.sliced: set[str] = set()
        self._fresh = 0
        self._known = known
        for wire in module.wires.values():
            if wire.direction == "inout":
                raise self.unsupported(f"port {wire.name[1:]}, which is inout")
        for cell in module.cells:
            self._add(cell)
        self._halves = len(self.links)
        for process in module.processes:
            if (target := _target(process)) is not None:
                body = _with_bits(process.body)
                self.processes[target] = Process(process.name, body, process.attributes)
        for target, value in module.connections:
            self._link(target, value)

    def anonymous(self, wire: str) -> bool:
        return wire.startswith("$")

    def source(self, cell: Cell | Process | Wire) -> str:
        return str(cell.attributes.get("src", ""))

    def unsupported(self, what: str, src: str = "") -> UnsupportedConstructError:
        where = f" ({src})" if src else ""
        return UnsupportedConstructError(
            f"Module {self.module.name} must be synchronous logic that VHDL can say, "
            f"not {what}{where}"
        )

    def _add(self, cell: Cell) -> None:
        kind = cell.kind.removeprefix("$")
        src = self.source(cell)
        if not cell.kind.startswith("$"):
            self.instances.append(cell)
        elif kind in UNARY | BINARY | {"mux", "shift"}:
            self._add_op(kind, cell, src)
        elif kind in {"dff", "adff"}:
            self._add_register(cell, src)
        elif kind in {"memrd_v2", "memwr_v2", "meminit_v2"}:
            self.memory_cells.append(cell)
        elif kind in {"check", "print"} and cell.parameters.get("FLAVOR") != "cover":
            self.checks.append(cell)
        elif kind == "check":
            raise self.unsupported("a $check cell of flavour cover", src)
        else:
            raise self.unsupported(f"a {cell.kind} cell", src)

    def _add_op(self, kind: str, cell: Cell, src: str) -> None:
        output = cell.ports["Y"]
        if not output:
            return
        wire = _whole(output)
        op = Op(kind, wire, width_of(output), src=src)
        op.a = cell.ports["A"]
        op.b = cell.ports.get("B", ())
        op.select = cell.ports.get("S", ())
        op.signed = cell.parameters.get("A_SIGNED", 0) == 1
        if kind in COMPARISONS | {"add", "sub", "mul", "divfloor", "modfloor"}:
            op.signed = op.signed and cell.parameters["B_SIGNED"] == 1
        if kind in {"shl", "shr", "sshr", "shift"} and width_of(op.b) > 31:
            op.b = self._saturated(op.b, max(width_of(op.a), op.width), src)
        if op.width == 1 and kind in VECTORS:
            # One bit wider than needed, of which the wire is a part.
            op.wire = self._wire(2)
            op.width = 2
            self.links.append((wire, (Part(op.wire, 0, 1),)))
        self.ops[op.wire] = op

    def _saturated(self, amount: Spec, most: int, src: str) -> Spec:
        """Limit a shift amount that does not fit VHDL's integers to one that shifts all out."""
        width = most.bit_length()
        over, limited = self._wire(1), self._wire(width)
        self.ops[over] = Op("reduce_or", over, 1, cut(amount, width, width_of(amount)), src=src)
        self.ops[limited] = Op(
            "mux",
            limited,
            width,
            cut(amount, 0, width),
            (Bits("1" * width),),
            (Part(over, 0, 1),),
            src=src,
        )
        return (Part(limited, 0, width),)

    def _wire(self, width: int) -> str:
        self._fresh += 1
        name = f"$w{self._fresh}"
        self.wires[name] = Wire(name, width)
        return name

    def _add_register(self, cell: Cell, src: str) -> None:
        if not cell.ports["Q"]:
            return
        wire = _whole(cell.ports["Q"])
        known = self.wires[wire].attributes | cell.parameters
        init = known.get("init", known.get("ARST_VALUE"))
        self.registers.append(
            Register(
                wire,
                cell.ports["D"],
                cell.ports["CLK"],
                cell.parameters["CLK_POLARITY"] == 1,
                init.text if isinstance(init, Bits) else "0" * self.wires[wire].width,
                cell.ports.get("ARST", ()),
                src,
            )
        )

    def _link(self, target: Spec, value: Spec) -> None:
        low = 0
        for part in target:
            assert isinstance(part, Part)
            if part.width != self.wires[part.wire].width:
                raise self.unsupported(f"a partial connection of {part.wire}")
            self.links.append((part.wire, cut(value, low, low + part.width)))
            low += part.width


def _whole(output: Spec) -> str:
    """Name the wire that is an output."""
    part = output[0]
    assert isinstance(part, Part)
    return part.wire


def _target(process: Process) -> str | None:
    """Name what a process drives, which its first statement always does; None without bits."""
    first = process.body[0]
    assert isinstance(first, Assign)
    if not first.target:
        return None
    part = first.target[0]
    assert isinstance(part, Part)
    return part.wire


def _with_bits(body) -> list[Assign | Switch]:
    """Drop assignments to nothing."""
    return [
        Switch(item.subject, [Case(case.patterns, _with_bits(case.body)) for case in item.cases])
        if isinstance(item, Switch)
        else item
        for item in body
        if isinstance(item, Switch) or item.target
    ]
