"""Values of a netlist as VHDL expressions."""

from spiker_hdl.hdl.netlist.bits import constant, cut, integer, number, text_of, width_of
from spiker_hdl.hdl.netlist.cells import COMPARISONS, Op
from spiker_hdl.hdl.netlist.netlist import Netlist
from spiker_hdl.hdl.rtlil.tree import Bits, Part, Spec

from .names import Identifiers
from .operators import Arithmetic
from .signals import Signals
from .text import ADD, ATOM, LOGIC, RELATION, TYPES, UNARY, Text, bit_string, logic, paren

__all__ = ["Expressions"]

_RELATIONS = {"eq": "=", "ne": "/=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_INVERSE = {"=": "/=", "/=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_LONG = 72  # characters of an expression that is better given a name of its own


class Expressions(Signals):
    """Writer of expressions of one architecture.

    Parameters
    ----------
    netlist, scope, vectors, driven : Netlist, Identifiers, set of str, dict of str to str
        As of :class:`Signals`.
    """

    def __init__(
        self,
        netlist: Netlist,
        scope: Identifiers,
        vectors: set[str],
        driven: dict[str, str],
    ):
        super().__init__(netlist, scope, vectors, driven)
        self.arithmetic = Arithmetic(self)

    def inlined(self, spec: Spec) -> Op | None:
        """Find the operator of a value, if the reader had better see it than a name."""
        if len(spec) != 1 or not isinstance(spec[0], Part):
            return None
        wire = spec[0].wire
        op = self.netlist.ops.get(wire)
        if op is None or not self.netlist.anonymous(wire) or wire in self.needed:
            return None
        if wire in self.netlist.sliced or spec[0].width != op.width:
            return None
        if op.kind in {"divfloor", "modfloor"} and not constant(op.b):
            return None
        if self.netlist.uses.get(wire, 0) == 1:
            return op
        return op if op.kind in COMPARISONS | {"not"} and self._plain(op) else None

    def _plain(self, op: Op) -> bool:
        return all(len(spec) <= 1 and self.inlined(spec) is None for spec in op.operands())

    def boolean(self, spec: Spec) -> bool:
        """Tell whether a bit is a condition by its nature."""
        op = self.inlined(spec)
        if op is None:
            return False
        if op.kind in {"and", "or", "not"} and op.width == 1:
            return self.boolean(op.a) or self.boolean(op.b)
        return op.kind in COMPARISONS

    def _short(self, op: Op, text: Text, spec: Spec) -> Text | None:
        """Give ``text``, unless a name reads better."""
        if len(text) <= _LONG:
            return text
        self.name(op.wire)
        return None

    # --- expressions ---

    @staticmethod
    def convert(text: Text, kind: str, to: str) -> Text:
        """Convert between kinds of vector."""
        return text if kind == to else Text(f"{TYPES[to]}({text})")

    def reference(self, part: Part) -> Text:
        name = self.name(part.wire)
        if part.width == self.netlist.wires[part.wire].width:
            return Text(name)
        if part.width == 1:
            return Text(f"{name}({part.low})")
        return Text(f"{name}({part.low + part.width - 1} downto {part.low})")

    def bit(self, spec: Spec) -> Text:
        """Write a value of one bit as a std_logic."""
        if constant(spec):
            return Text(f"'{number(spec, False)}'")
        op = self.inlined(spec)
        if op and op.kind != "mux" and not self.boolean(spec):
            text = self._short(op, self.bit_result(op), spec)
            if text is not None:
                return text
        if spec in self.aliases:
            return Text(self.name(self.aliases[spec]))
        (part,) = spec
        assert isinstance(part, Part)
        return self.reference(part)

    def bit_result(self, op: Op) -> Text:
        a, b = cut(op.a, 0, 1) or (Bits("0"),), cut(op.b, 0, 1) or (Bits("0"),)
        match op.kind:
            case "not":
                return Text(f"not {paren(self.bit(a), ATOM)}", UNARY)
            case "and" | "or" | "xor":
                return logic(op.kind, self.bit(a), self.bit(b))
            case "reduce_and" | "reduce_or" | "reduce_bool" | "reduce_xor":
                operator = {"reduce_and": "and", "reduce_xor": "xor"}.get(op.kind, "or")
                return Text(f"{operator} {paren(self.natural_vector(op.a), ATOM)}", LOGIC)
        raise AssertionError(f"{op.kind} is no bit")

    def condition(self, spec: Spec, *, wanted: bool = True) -> Text:
        """Write as a condition that a bit is 1, or 0 if that is what is ``wanted``."""
        if constant(spec):
            return Text("true" if number(spec, False) == wanted else "false")
        op = self.inlined(spec)
        if op and op.kind != "mux":
            text = self._short(op, self.condition_result(op, wanted), spec)
            if text is not None:
                return text
        bit = self.bit(spec)
        return Text(f"{paren(bit, ADD)} = '{int(wanted)}'", RELATION)

    def condition_result(self, op: Op, wanted: bool = True) -> Text:
        if op.kind == "not":
            return self.condition(op.a, wanted=not wanted)
        if op.kind in {"and", "or"} and op.a and op.b:
            operator = op.kind if wanted else {"and": "or", "or": "and"}[op.kind]
            a, b = (self.condition(side, wanted=wanted) for side in (op.a, op.b))
            return logic(operator, a, b)
        if op.kind in {"reduce_or", "reduce_bool"}:
            relation = "/=" if wanted else "="
            return Text(f"{paren(self.vector(op.a, 'u'), ADD)} {relation} 0", RELATION)
        if op.kind in COMPARISONS:
            return self._comparison(op, wanted)
        return Text(f"{paren(self.bit_result(op), ADD)} = '{int(wanted)}'", RELATION)

    def _comparison(self, op: Op, wanted: bool) -> Text:
        relation = _RELATIONS[op.kind]
        relation = relation if wanted else _INVERSE[relation]
        a, b = op.a, op.b
        if width_of(a) == width_of(b) == 1 and relation in {"=", "/="}:
            if constant(b) or constant(a):
                bit, known = (a, b) if constant(b) else (b, a)
                value = number(known, False) == (relation == "=")
                return self.condition(bit, wanted=value)
            sides = [paren(self.bit(side), ADD) for side in (a, b)]
            return Text(f" {relation} ".join(sides), RELATION)
        kind = "s" if op.signed else "u"
        if relation in {"=", "/="} and width_of(a) == width_of(b):
            kind = self.natural(b if constant(a) else a)
        if kind == "u" and relation in {"<=", ">"} and constant(b) and not number(b, False):
            relation = {"<=": "=", ">": "/="}[relation]
        sides = [self._side(side, kind) for side in (a, b)]
        return Text(f" {relation} ".join(sides), RELATION)

    def _side(self, spec: Spec, kind: str) -> str:
        if constant(spec):
            value = number(spec, kind == "s")
            if abs(value) < 1 << 31:
                return str(value)
        return paren(self.vector(spec, kind), ADD)

    def natural_vector(self, spec: Spec) -> Text:
        return self.vector(spec, self.natural(spec))

    def vector(self, spec: Spec, kind: str) -> Text:
        """Write a value as a vector of just its width."""
        if constant(spec):
            return self.literal(text_of(spec), kind)
        if op := self.inlined(spec):
            if op.kind != "mux" and op.width > 1:
                result = self.arithmetic.result(op)
                text = self._short(op, self.convert(*result, kind), spec)
                if text is not None:
                    return text
        if width_of(spec) == 1:
            return Text(f"{TYPES[kind]}'(0 => {self.bit(spec)})")
        if spec in self.aliases:
            wire = self.aliases[spec]
            return self.convert(Text(self.name(wire)), self.kind(wire), kind)
        if len(spec) == 1:
            assert isinstance(spec[0], Part)
            return self.convert(self.reference(spec[0]), self.kind(spec[0].wire), kind)
        if kind == "v":
            natural = self.natural(spec)
            return self.convert(self.vector(spec, natural), natural, kind)
        return self._joined(spec, kind)

    def literal(self, bits: str, kind: str) -> Text:
        bits = bits or "0"
        value = integer(bits, kind == "s")
        if kind != "v" and abs(value) < 1 << 31:
            return Text(f"to_{TYPES[kind]}({value}, {len(bits)})")
        return Text(f"{TYPES[kind]}'({bit_string(bits)})")

    def value(self, spec: Spec, kind: str) -> Text:
        """Write a value as the right-hand side of an assignment to something of its width."""
        if kind == "b":
            return self.bit(spec)
        if constant(spec):
            bits = text_of(spec)
            return constant_value(bits, kind)
        return self.vector(spec, kind)

    def _joined(self, spec: Spec, kind: str) -> Text:
        width = width_of(spec)
        if all(chunk == spec[0] for chunk in spec):
            if spec[0].width == 1:
                return Text(f"{TYPES[kind]}'({width - 1} downto 0 => {self.bit(spec[:1])})")
        elif base := self.sign_extended(spec):
            if width_of(base) > 1:
                extended = Text(f"resize({self.vector(base, 's')}, {width})")
                return self.convert(extended, "s", kind)
        top = spec[-1]
        if isinstance(top, Bits) and set(top.text) == {"0"} and width - top.width > 1:
            extended = Text(f"resize({self.vector(spec[:-1], 'u')}, {width})")
            return self.convert(extended, "u", kind)
        pieces = []
        typed = False
        position = len(spec)
        while position:
            chunk = spec[position - 1]
            same = position - 1
            while same and spec[same - 1] == chunk and chunk.width == 1:
                same -= 1
            if position - same > 1:
                pieces.append(self.vector(spec[same:position], kind))
                typed = True
            elif isinstance(chunk, Bits):
                mark = "'" if chunk.width == 1 else '"'
                pieces.append(Text(f"{mark}{chunk.text}{mark}"))
            elif chunk.width == 1:
                pieces.append(self.bit((chunk,)))
            else:
                pieces.append(self.vector((chunk,), kind))
                typed = True
            position = same
        text = " & ".join(paren(piece, ATOM) for piece in pieces)
        return Text(text, ADD) if typed else Text(f"{TYPES[kind]}'({text})")


def constant_value(bits: str, kind: str) -> Text:
    """Write a constant as what an object of ``kind`` and of its width is given."""
    bits = bits.replace("x", "0")
    if kind == "b":
        return Text(f"'{bits}'")
    if set(bits) <= {"0"} or (set(bits) == {"1"} and not (kind == "u" and len(bits) < 32)):
        return Text(f"(others => '{bits[0]}')")
    if kind == "v":
        return Text(bit_string(bits))
    value = integer(bits, kind == "s")
    if abs(value) < 1 << 31:
        return Text(f"to_{TYPES[kind]}({value}, {len(bits)})")
    return Text(bit_string(bits))
