"""Pieces of VHDL: expressions that know how tightly they bind, literals, and long lines."""

import re

__all__ = ["ADD", "ATOM", "LOGIC", "MULTIPLY", "RELATION", "TYPES", "UNARY", "Text"]
__all__ += ["bit_string", "logic", "paren", "source_note", "wrapped"]

# From loose to tight.
LOGIC, RELATION, ADD, MULTIPLY, UNARY, ATOM = range(6)

# After what lines are broken, the best first.
_BREAKS = {",": 0, "&": 0, "and": 0, "or": 0, "xor": 0, "+": 1, "-": 1, "<=": 2, "=>": 2}

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
    name = re.split(r"[/\\]", src)[-1]
    # Clock and reset come from nowhere in the design.
    return f"  -- {name}" if name and not name.startswith("_ir.py:") else ""


def wrapped(line: str, width: int = 100) -> list[str]:
    """Break a line where it reads best, never inside quotes; a comment goes before it."""
    if len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    code, mark, note = line.partition("  -- ")
    lines = [f"{indent}-- {note}"] if mark else []
    if len(code) <= width:
        return [*lines, code]
    # Each choice has a line of its own if it fits.
    for n, piece in enumerate(re.split(r"(?<= else) ", code)):
        rest = f"{indent}  {piece}" if n else piece
        while len(rest) > width and (place := _break(rest, width)):
            lines.append(rest[:place])
            rest = f"{indent}    {rest[place + 1 :]}"
        lines.append(rest)
    return lines


def _break(line: str, width: int) -> int:
    """Find the space at which a line is best broken: outside of most, and after an operator."""
    best, cost = 0, 1000
    depth = 0
    quoted = False
    start = len(line) - len(line.lstrip())
    for place, mark in enumerate(line[: width + 1]):
        quoted ^= mark == '"'
        depth += not quoted and (mark == "(") - (mark == ")")
        if mark == " " and not quoted and place > start:
            before = line[:place].rpartition(" ")[2]
            price = 4 * depth + _BREAKS.get(before[-1] if before[-1] in ",&" else before, 3)
            if price <= cost:
                best, cost = place, price
    return best
