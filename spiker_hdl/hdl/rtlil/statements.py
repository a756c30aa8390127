"""RTLIL text as a tree of statements: the one place that splits it, and the one that writes it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Statement", "split", "written"]

_BLOCKS = {"module", "cell", "process", "switch"}


@dataclass(slots=True, eq=False)
class Statement:
    r"""A statement, the attributes before it, and the statements within.

    Two statements are equal only if they are the same object, so that sets can hold them.

    Members
    -------
    word : str
        Its first word, such as ``wire``, ``cell``, ``connect`` or ``assign``.
    rest : str
        The rest of its line.
    attributes : tuple of str
        Name and value of each attribute: ``\init 2'10``.
    body : list of Statement or None
        What stands before its ``end``; None for a statement of one line. A ``case`` is one: what
        follows in the body of its ``switch``, up to the next, belongs to it.
    """

    word: str
    rest: str
    attributes: tuple[str, ...] = ()
    body: "list[Statement] | None" = None

    @property
    def inner(self) -> "list[Statement]":
        """The statements within; none in a statement of one line."""
        return self.body or []


def split(text: str) -> list[Statement]:
    """Split RTLIL, as Amaranth writes it, into statements: modules, in a whole design.

    Raises
    ------
    ValueError
        If a block has no end, or an attribute no statement.
    """
    statements: list[Statement] = []
    places = [statements]
    blocks: list[Statement] = []  # that are open
    attributes: list[str] = []
    for line in map(str.strip, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "attribute":
            attributes.append(rest)
        elif word == "end" and blocks:
            _refuse_loose(attributes)
            blocks.pop()
            places.pop()
        elif line:
            statement = Statement(word, rest.strip(), tuple(attributes))
            attributes = []
            places[-1].append(statement)
            if word in _BLOCKS:
                statement.body = []
                blocks.append(statement)
                places.append(statement.body)
    if blocks:
        raise ValueError(f"{_title(blocks[-1])} must have an end")
    _refuse_loose(attributes)
    return statements


def _refuse_loose(attributes: list[str]) -> None:
    if attributes:
        raise ValueError(f"Attribute must stand before a statement, not alone: {attributes[0]!r}")


def written(statements: Iterable[Statement]) -> str:
    """Return statements as RTLIL, without indentation."""
    return "".join(f"{line}\n" for line in _lines(statements))


def _lines(statements: Iterable[Statement]) -> Iterator[str]:
    for statement in statements:
        for attribute in statement.attributes:
            yield f"attribute {attribute}"
        yield f"{statement.word} {statement.rest}" if statement.rest else statement.word
        if statement.body is not None:
            yield from _lines(statement.body)
            yield "end"


def _title(block: Statement) -> str:
    """Return how a message names a block."""
    name = block.rest.rpartition(" ")[2].removeprefix("\\")
    title = block.word.capitalize()
    return f"{title} {name}" if block.word in {"module", "cell"} else title
