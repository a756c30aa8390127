"""Assertions and messages."""

import re

from spiker_hdl.hdl.netlist.bits import constant, cut
from spiker_hdl.hdl.rtlil.tree import Cell

from .expressions import Expressions
from .statements import Statements

__all__ = ["Checks"]

_FIELD = re.compile(r"\{(\d+):(?:(U)|([<>=])(.)(\d*)([bodhHc])([-+ ]?)(#?)([_,]?)([us]?))\}", re.S)


class Checks:
    """Writer of assertions, assumptions and messages.

    Parameters
    ----------
    expressions, statements : Expressions, Statements
        Writers of what is around.
    """

    def __init__(self, expressions: Expressions, statements: Statements):
        self._via = expressions
        self._statements = statements

    def processes(self) -> list[list[str]]:
        return [self._process(cell) for cell in self._via.netlist.checks]

    def _process(self, cell: Cell) -> list[str]:
        message = self._message(cell)
        if cell.kind == "$print":
            text = message or '""'
            body = [f"report {text} severity note;"]
        else:
            test = self._via.condition(cell.ports["A"])
            flavor = "Assumption" if cell.parameters["FLAVOR"] == "assume" else "Assertion"
            text = message or f'"{flavor} violated"'
            body = [f"assert {test} report {text} severity failure;"]
        enable = cell.ports["EN"]
        if not constant(enable) or enable[0].text != "1":  # type: ignore
            body = [f"if {self._via.condition(enable)} then", f"  {body[0]}", "end if;"]
        trigger = cell.ports["TRG"]
        if trigger:
            if constant(trigger):
                return []
            rising = cell.parameters["TRG_POLARITY"] == 1
            return self._statements.clocked(trigger, rising, body)
        # Postponed: not before all signals have settled.
        return [
            "postponed process (all)",
            "begin",
            *(f"  {line}" for line in body),
            "end process;",
        ]

    def _message(self, cell: Cell) -> str:
        """Write the format as a string expression."""
        text = str(cell.parameters["FORMAT"]).removesuffix("\n")
        pieces = []
        low = position = 0
        plain = ""
        while position < len(text):
            if text[position : position + 2] in {"{{", "}}"}:
                plain += text[position]
                position += 2
                continue
            if text[position] != "{":
                plain += text[position]
                position += 1
                continue
            match = _FIELD.match(text, position)
            if match is None or match[2]:
                raise self._via.netlist.unsupported(
                    f"the format {text[position:]!r} of a {cell.kind} cell",
                    self._via.netlist.source(cell),
                )
            width = int(match[1])
            pieces += [*_quoted(plain), self._field(cell, low, width, match[6], match[10] == "s")]
            plain = ""
            low += width
            position = match.end()
        return " & ".join([*pieces, *_quoted(plain)])

    def _field(self, cell: Cell, low: int, width: int, form: str, signed: bool) -> str:
        spec = cut(cell.ports["ARGS"], low, low + width)
        if form == "d" and width <= 31 + signed:
            value = self._via.vector(spec, "s" if signed else "u")
            return f"integer'image(to_integer({value}))"
        if form == "c":
            return f"character'image(character'val(to_integer({self._via.vector(spec, 'u')})))(2)"
        function = {"b": "to_string", "o": "to_ostring"}.get(form, "to_hstring")
        return f"{function}({self._via.vector(spec, 'u')})"


def _quoted(text: str) -> list[str]:
    """Write plain text as string literals; what cannot be in one stands between them."""
    pieces = []
    for line in re.split(r"(\n|[^ -~])", text):
        if line == "\n":
            pieces.append("LF")
        elif re.fullmatch(r"[^ -~]", line):
            pieces.append('"?"')
        elif line:
            pieces.append('"' + line.replace('"', '""') + '"')
    return pieces
