"""What RTLIL text says, as objects."""

from dataclasses import dataclass, field

__all__ = ["Assign", "Bits", "Case", "Cell", "Chunk", "Memory", "Module", "Part", "Process"]
__all__ += ["Spec", "Switch", "Wire"]


@dataclass(frozen=True, slots=True)
class Bits:
    """Constant of known width.

    Members
    -------
    text : str
        Its bits, the most significant first: ``0``, ``1``, and ``x`` where it does not matter.
    """

    text: str

    @property
    def width(self) -> int:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Part:
    r"""Neighbouring bits of a wire.

    Members
    -------
    wire : str
        Name of the wire, as in the text: ``\name``, or ``$1`` where it has none.
    low : int
        Number of the least significant bit.
    width : int
        Number of bits.
    """

    wire: str
    low: int
    width: int


Chunk = Bits | Part
Spec = tuple[Chunk, ...]  # the least significant chunk first


@dataclass(slots=True)
class Wire:
    """Wire of a module, and port of it if it has a direction."""

    name: str
    width: int
    signed: bool = False
    direction: str = ""  # "input", "output", "inout"
    attributes: dict[str, "str | int | Bits"] = field(default_factory=dict)


@dataclass(slots=True)
class Memory:
    """Memory of a module; its ports and contents are cells."""

    name: str
    width: int
    depth: int
    attributes: dict[str, "str | int | Bits"] = field(default_factory=dict)


@dataclass(slots=True)
class Cell:
    """Operator, register, memory port, or instance of another module."""

    kind: str
    name: str
    parameters: dict[str, "str | int | Bits"] = field(default_factory=dict)
    ports: dict[str, Spec] = field(default_factory=dict)
    attributes: dict[str, "str | int | Bits"] = field(default_factory=dict)
    # Ports that are connected to a whole wire by its bare name, as Amaranth does for outputs.
    whole: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Assign:
    """Assignment in a process."""

    target: Spec
    value: Spec


@dataclass(slots=True)
class Case:
    """What happens where a pattern fits; no pattern fits everything."""

    patterns: tuple[str, ...]
    body: "list[Assign | Switch]" = field(default_factory=list)


@dataclass(slots=True)
class Switch:
    """Choice of the first case that fits the subject."""

    subject: Spec
    cases: list[Case] = field(default_factory=list)


@dataclass(slots=True)
class Process:
    """Assignments; of those that are reached, the last one counts."""

    name: str
    body: list[Assign | Switch] = field(default_factory=list)
    attributes: dict[str, "str | int | Bits"] = field(default_factory=dict)


@dataclass(slots=True)
class Module:
    """Module of a design."""

    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    connections: list[tuple[Spec, Spec]] = field(default_factory=list)
    attributes: dict[str, "str | int | Bits"] = field(default_factory=dict)
