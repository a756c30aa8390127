"""Pieces of VHDL: expressions that know how tightly they bind, literals, and long lines."""

import re

__all__ = ["ADD", "ATOM", "LOGIC", "MULTIPLY", "RELATION", "TYPES", "UNARY", "Text"]
__all__ += ["bit_string", "logic", "paren", "source_note", "wrapped"]

# From loose to tight.
LOGIC, RELATION, ADD, MULTIPLY, UNARY, ATOM = range(6)

TYPES = {"u": "unsigned", "s": "signed", "v": "std_logic_vector"}


class Text(str):
    """VHDL expression.

    Members
    -------
    level : int
        How tightly its outermost operator binds.
    operator : str
        The outermost operator, if it is a logical one.
    """

    __slots__ = ("level", "operator")

    def __new__(cls, text: str, level: int = ATOM, operator: str = ""):
        self = super().__new__(cls, text)
        self.level = level
        self.operator = operator
        return self


def paren(text: Text, level: int) -> str:
    """Put parentheses around what binds less tightly than ``level``."""
    return str(text) if text.level >= level else f"({text})"


def logic(operator: str, a: Text, b: Text) -> Text:
    """Join two operands by ``and``, ``or`` or ``xor``, which VHDL does not let mix."""
    sides = [
        str(side) if side.level > LOGIC or side.operator == operator else f"({side})"
        for side in (a, b)
    ]
    return Text(f" {operator} ".join(sides), LOGIC, operator)


def bit_string(bits: str) -> str:
    """Write bits as a literal: hexadecimal where there are many."""
    bits = bits.replace("x", "0")
    if len(bits) <= 8:
        return f'"{bits}"'
    digits = f'x"{int(bits, 2):0{(len(bits) + 3) // 4}X}"'
    return digits if len(bits) % 4 == 0 else f"{len(bits)}{digits}"


def source_note(src: str) -> str:
    """Name the source file, without its directory, and the line; empty where there is none."""
    return "  -- " + re.split(r"[/\\]", src)[-1] if src else ""


def wrapped(line: str, width: int = 100) -> list[str]:
    """Break a line at spaces, but never inside quotes; a comment goes before a broken line."""
    if len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    code, mark, note = line.partition("  -- ")
    lines = [f"{indent}-- {note}"] if mark else []
    if len(code) <= width:
        return [*lines, code]
    current = ""
    for piece in re.split(r"(?<= else) ", code):
        # Each choice has a line of its own if it fits.
        if current and piece:
            lines.append(current)
            current = f"{indent} "
        for word in re.findall(r'(?:[^\s"]|"[^"]*")+', piece):
            if current and len(current) + 1 + len(word) > width:
                lines.append(current)
                current = f"{indent}    {word}"
            else:
                current = f"{current} {word}" if current else f"{indent}{word}"
    return [*lines, current]
