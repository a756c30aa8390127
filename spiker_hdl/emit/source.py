"""A design as text."""

from dataclasses import dataclass

__all__ = ["Source"]


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
    """

    text: str
    ports: dict[str, str]
    tool: str
