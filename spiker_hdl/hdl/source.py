"""A design as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amaranth import Value
from amaranth.lib import wiring

from .amaranth_internals import PortDirection

__all__ = ["Source", "ports_of"]


@dataclass(frozen=True)
class Source:
    """A design in a hardware language.

    Members
    -------
    text : str
        The design.
    ports : mapping of str to str
        Name of each port of the topmost module, by its name in Amaranth: ``"i__payload"``.
    tool : str
        What wrote it, with its version.
    files : mapping of str to str
        What it reads from files beside it, by their names.
    """

    text: str
    ports: dict[str, str]
    tool: str
    files: Mapping[str, str] = field(default_factory=dict)


def ports_of(component: Any) -> dict[str, tuple[Value, Any]]:
    """Return the ports of a component as Amaranth's back end takes them."""
    sides = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}
    return {
        "__".join(map(str, path)): (Value.cast(value), sides[member.flow])
        for path, member, value in component.signature.flatten(component)
    }
