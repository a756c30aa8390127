"""Operators on vectors as VHDL, each with just the width that the netlist gives it."""

from typing import TYPE_CHECKING

from spiker_hdl.hdl.netlist.bits import constant, number, width_of
from spiker_hdl.hdl.netlist.cells import Op
from spiker_hdl.hdl.rtlil.tree import Bits, Spec

from .text import ADD, ATOM, MULTIPLY, TYPES, UNARY, Text, bit_string, logic, paren

if TYPE_CHECKING:
    from .expressions import Expressions

__all__ = ["Arithmetic"]


class Arithmetic:
    """Writer of operators whose results are vectors."""

    def __init__(self, expressions: "Expressions"):
        self._via = expressions

    def result(self, op: Op) -> tuple[Text, str]:
        """Write an operator; return the text and its kind."""
        match op.kind:
            case "add" | "sub":
                return self._sum(op)
            case "neg":
                text = self.sized(op.a, "s" if op.signed else "u", op.width)
                operand = text if op.signed else Text(f"signed({text})")
                return Text(f"-{paren(operand, ATOM)}", ADD), "s"
            case "mul":
                return self._product(op)
            case "divfloor" | "modfloor":
                return self._division(op)
            case "not":
                kind = self._via.natural(op.a)
                return Text(f"not {paren(self._pattern(op, op.a, kind), ATOM)}", UNARY), kind
            case "and" | "or" | "xor":
                kind = self._via.natural(op.b if constant(op.a) else op.a)
                a, b = (self._pattern(op, side, kind) for side in (op.a, op.b))
                return logic(op.kind, a, b), kind
            case "shl":
                kind = "s" if op.signed else "u"
                value = self.sized(op.a, kind, op.width)
                return Text(f"shift_left({value}, {self.amount(op.b)})"), kind
        return self._shifted_right(op)

    def sized(self, spec: Spec, kind: str, width: int) -> Text:
        """Write a value, extended to ``width`` bits as its kind says."""
        missing = width - width_of(spec)
        if missing <= 0:
            return self._via.vector(spec, kind)
        if constant(spec):
            value = number(spec, kind == "s") & ((1 << width) - 1)
            return self._via.literal(f"{value:0{width}b}", kind)
        if width_of(spec) == 1:
            filler = (*spec * missing,) if kind == "s" else (Bits("0" * missing),)
            return self._via.vector((*spec, *filler), kind)
        return Text(f"resize({self._via.vector(spec, kind)}, {width})")

    def amount(self, spec: Spec) -> str:
        """Write how far a shift goes."""
        if constant(spec):
            return str(number(spec, False))
        return f"to_integer({self._via.vector(spec, 'u')})"

    def _sum(self, op: Op) -> tuple[Text, str]:
        kind = "s" if op.signed else "u"
        sign = "+" if op.kind == "add" else "-"
        a, b, width = op.a, op.b, op.width
        if constant(a) and op.kind == "add":
            a, b = b, a
        value = number(b, op.signed) if constant(b) else None
        if value is not None and abs(value) < 1 << 31:
            left = paren(self.sized(a, kind, width), ADD)
            if value < 0 and -value >> (width - 1):
                # The least number has no counterpart above zero.
                return Text(f"{left} {sign} ({value})", ADD), kind
            if value < 0:
                sign = "-" if sign == "+" else "+"
            return Text(f"{left} {sign} {abs(value)}", ADD), kind
        value = number(a, op.signed) if constant(a) else None
        if value is not None and abs(value) < 1 << 31:
            right = paren(self.sized(b, kind, width), MULTIPLY)
            return Text(f"{value} {sign} {right}", ADD), kind
        # The library extends the shorter operand.
        if width_of(b) == width and not constant(a) and width_of(a) > 1:
            left = self._via.vector(a, kind)
        else:
            left = self.sized(a, kind, width)
        right = self._via.vector(b, kind)
        return Text(f"{paren(left, ADD)} {sign} {paren(right, MULTIPLY)}", ADD), kind

    def _product(self, op: Op) -> tuple[Text, str]:
        kind = "s" if op.signed else "u"
        factor = number(op.b, op.signed) if constant(op.b) else 0
        if factor > 0 and factor.bit_count() == 1 and op.width >= width_of(op.a) > 1:
            value = self.sized(op.a, kind, op.width)
            return Text(f"shift_left({value}, {factor.bit_length() - 1})"), kind
        a, b = (paren(self._via.vector(side, kind), MULTIPLY) for side in (op.a, op.b))
        text = Text(f"{a} * {b}", MULTIPLY)
        full = width_of(op.a) + width_of(op.b)
        if op.width == full:
            return text, kind
        if op.width < full and op.signed:
            # Shortening a signed number would keep its sign.
            return Text(f"resize(unsigned({text}), {op.width})"), "u"
        return Text(f"resize({text}, {op.width})"), kind

    def _division(self, op: Op) -> tuple[Text, str]:
        kind = "s" if op.signed else "u"
        b = paren(self.sized(op.b, kind, 1), UNARY)
        if op.kind == "modfloor":
            a = paren(self.sized(op.a, kind, 1), MULTIPLY)
            return Text(f"resize({a} mod {b}, {op.width})"), kind
        if not op.signed:
            a = paren(self.sized(op.a, kind, 1), MULTIPLY)
            return Text(f"resize({a} / {b}, {op.width})"), kind
        # The library's division rounds towards zero, so what remains is taken off first.
        a = self._via.vector(op.a, kind)
        wide = self.sized(op.a, kind, max(op.width, width_of(op.a), width_of(op.b)) + 1)
        text = f"({paren(wide, ADD)} - ({paren(a, MULTIPLY)} mod {b})) / {b}"
        return Text(f"resize({text}, {op.width})"), kind

    def _pattern(self, op: Op, spec: Spec, kind: str) -> Text:
        """Write an operand of a bitwise operator."""
        if constant(spec):
            value = number(spec, op.signed) & ((1 << op.width) - 1)
            if constant(op.a) and constant(op.b):
                return self._via.literal(f"{value:0{op.width}b}", kind)
            return Text(bit_string(f"{value:0{op.width}b}"))
        if width_of(spec) == op.width:
            return self._via.vector(spec, kind)
        text = self.sized(spec, "s" if op.signed else "u", op.width)
        have = "s" if op.signed else "u"
        return text if have == kind else Text(f"{TYPES[kind]}({text})")

    def _shifted_right(self, op: Op) -> tuple[Text, str]:
        kind = "s" if op.signed else "u"
        have = width_of(op.a)
        wide = max(have, op.width)
        shifted = f"shift_right({self.sized(op.a, kind, wide)}, {self.amount(op.b)})"
        if op.width == wide:
            return Text(shifted), kind
        if op.signed:
            return Text(f"resize(unsigned({shifted}), {op.width})"), "u"
        return Text(f"resize({shifted}, {op.width})"), kind
