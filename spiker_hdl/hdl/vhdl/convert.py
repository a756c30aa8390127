"""Any synchronous Amaranth design as VHDL-2008."""

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from amaranth.hdl import Fragment
from amaranth.lib import wiring

from spiker_hdl.hdl.netlist.cells import UnsupportedConstructError
from spiker_hdl.hdl.rtlil.memory_init import expanded, marked
from spiker_hdl.hdl.rtlil.parser import parse
from spiker_hdl.hdl.rtlil.statements import split
from spiker_hdl.hdl.rtlil.tree import Module
from spiker_hdl.hdl.source import Source, ports_of

from .entity import Entity
from .instances import Port
from .names import Identifiers
from .text import wrapped

__all__ = ["Port", "UnsupportedConstructError", "VhdlDesign", "convert_vhdl", "to_vhdl"]
__all__ += ["vhdl_source"]


@dataclass(frozen=True, slots=True)
class VhdlDesign:
    """VHDL of a design.

    Members
    -------
    entities : dict of str to str
        Text by the name of the entity; whoever is contained in another comes before it.
    top : str
        Name of the outermost entity.
    ports : tuple of Port
        Its ports, clock and reset included; there are none without bits.
    """

    entities: dict[str, str]
    top: str
    ports: tuple[Port, ...]

    def text(self) -> str:
        """Join the entities to one file."""
        return "\n".join(self.entities.values())

    def files(self) -> dict[str, str]:
        """Give a file for each entity, in the order in which they must be analysed."""
        return {f"{name}.vhd": text for name, text in self.entities.items()}


def to_vhdl(elaboratable, *, name: str, ports=None, split: bool = False) -> str | dict[str, str]:
    """Write a design as VHDL-2008.

    There is one entity for each component, alike components sharing one. Ports of the outermost
    are ``std_logic`` or ``std_logic_vector``. Memories are arrays that synthesis infers as block
    RAM; the output of a synchronous read starts as zero in simulation only.

    Parameters
    ----------
    elaboratable : Elaboratable
        The design.
    name : str
        Name of the outermost entity.
    ports : list or dict, optional
        Signals that become ports, as Amaranth takes them; a component has its own.
    split : bool
        Whether to give a file for each entity.

    Returns
    -------
    str or dict of str to str
        The text; or, if ``split``, texts by file name, in the order in which they must be
        analysed. The same design always gives the same text.

    Raises
    ------
    UnsupportedConstructError
        If the design has something that cannot be written, which the message names.
    """
    design = convert_vhdl(elaboratable, name=name, ports=ports)
    return design.files() if split else design.text()


def convert_vhdl(elaboratable, *, name: str, ports=None) -> VhdlDesign:
    """Write a design as :func:`to_vhdl` does, and tell its entities and ports.

    Raises
    ------
    UnsupportedConstructError
        If the design has something that cannot be written.
    """
    modules = _modules(elaboratable, ports)
    top = next(iter(modules.values()))
    keys: dict[str, str] = {}
    inner: dict[str, tuple[str, list[Port]]] = {}
    texts: dict[str, str] = {}
    labels: dict[str, str] = {}
    for module in _inside_out(modules):
        entity = Entity(module, modules, inner, top=module is top)
        text = "\n".join(entity.lines()) + "\n"
        # Alike but for its name: one entity does for all.
        key = keys.setdefault(text, f"\x03{len(keys)}\x03")
        inner[module.name] = (key, entity.ports)
        texts.setdefault(key, text)
        # Where several share it, the outermost of them gives it its name.
        labels[key] = min(labels.get(key, module.name), module.name, key=_depth)
    names = _names(labels, inner[top.name][0], name)
    result = {}
    for key, text in texts.items():
        pieces = text.replace("\x01", names[key]).split("\x03")
        filled = [
            names[f"\x03{piece}\x03"] if place % 2 else piece for place, piece in enumerate(pieces)
        ]
        lines = [piece for line in "".join(filled).splitlines() for piece in wrapped(line)]
        result[names[key]] = "\n".join(lines) + "\n"
    return VhdlDesign(result, names[inner[top.name][0]], tuple(inner[top.name][1]))


def vhdl_source(component: wiring.Component, name: str) -> Source:
    """Write a component and all within it as VHDL-2008, as a part of an emission.

    Parameters
    ----------
    component : wiring.Component
        Not elaborated before.
    name : str
        Identifier of the topmost entity.

    Raises
    ------
    UnsupportedConstructError
        If the design has something that cannot be written.
    """
    from spiker_hdl.base.version import LIBRARY_VERSION

    design = convert_vhdl(component, name=name)
    tool = f"spiker-hdl {LIBRARY_VERSION}"
    text = f"-- {name}, written by {tool}\n\n{design.text()}"
    return Source(text, {port.source: port.name for port in design.ports}, tool)


def _modules(elaboratable, ports) -> dict[str, Module]:
    """Convert a design to RTLIL and read that; note the names of states, which RTLIL has not."""
    ports = ports_of(elaboratable) if ports is None else ports
    fragment = Fragment.get(elaboratable, None)
    # Loaded by name: its types are nowhere stated.
    rtlil = import_module("amaranth.back.rtlil")
    with marked(fragment) as contents:
        text, names = rtlil.convert_fragment(fragment, ports, "top")
    modules = parse(expanded(split(text), contents))
    for signal, (*path, name) in names.items():
        if callable(signal.decoder) and len(signal) <= 8:
            wire = modules[".".join(path)].wires["\\" + name]
            for value in range(1 << len(signal)):
                # A state machine's knows its states alone, and ends with the state's number.
                with suppress(KeyError):
                    label = str(signal.decoder(value)).removesuffix(f"/{value}")
                    wire.attributes[f"enum_value_{value:0{len(signal)}b}"] = label
    return modules


def _inside_out(modules: dict[str, Module]) -> list[Module]:
    """Order modules so that whoever is contained in another comes before it."""
    return sorted(modules.values(), key=lambda module: -_depth(module.name))


def _depth(name: str) -> int:
    return name.count(".")


def _names(labels: dict[str, str], top: str, name: str) -> dict[str, str]:
    """Name entities after the way from the outermost, so that designs can share a library."""
    scope = Identifiers()
    names = {top: scope.add(name)}
    for key, label in labels.items():
        if key != top:
            names[key] = scope.add("_".join([name, *label.split(".")[1:]]))
    return names
