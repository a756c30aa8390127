"""Operators whose results need no operator."""

from spiker_hdl.hdl.rtlil.tree import Bits, Part, Spec

from .bits import constant, cut, join, number, width_of

__all__ = ["fold", "inverts"]


def fold(op, ops) -> Spec | None:
    """Find what ``op`` always gives, in terms of its operands; None where that is not simple.

    Parameters
    ----------
    op : Op
    ops : dict of str to Op
        Operators that its operands may be results of.
    """
    if op.kind == "mux":
        if constant(op.select):
            return op.b if number(op.select, False) else op.a
        return op.a if op.a == op.b else None
    if all(constant(spec) for spec in op.operands()):
        value = _value(op)
        return (Bits(f"{value & (1 << op.width) - 1:0{op.width}b}"),)
    if op.kind in {"reduce_or", "reduce_bool", "reduce_and", "reduce_xor"}:
        return op.a if width_of(op.a) == 1 else None
    if op.kind in {"divfloor", "modfloor"} and constant(op.b) and not number(op.b, False):
        return (Bits("0" * op.width),)
    if op.kind == "mul" and not (op.a and op.b):
        return (Bits("0" * op.width),)
    if op.kind == "not":
        inner = _whole(op.a, ops)
        return inner.a if inner and inner.kind == "not" and width_of(inner.a) == op.width else None
    if op.kind in {"and", "or", "xor"}:
        return _masked(op)
    if op.kind in {"lt", "le", "gt", "ge"} and constant(op.b) and not op.signed:
        return _decided(op, ops)
    if op.kind in {"eq", "ne"} and _tests_bit(op):
        return op.a if number(op.b, False) == (op.kind == "eq") else None
    if op.kind == "add" and constant(op.a) and number(op.a, False) == 0:
        return _extended(op.b, op.width, op.signed)
    if op.kind in {"shl", "shr", "sshr", "shift", "add", "sub"} and constant(op.b):
        if number(op.b, False) == 0:
            return _extended(op.a, op.width, op.signed)
    return None


def _masked(op) -> Spec | None:
    """Find what a bitwise operator gives where one side is all zeros or ones, or both are one."""
    if op.a == op.b and op.kind != "xor":
        return _extended(op.a, op.width, op.signed)
    ones = (1 << op.width) - 1
    for known, other in ((op.a, op.b), (op.b, op.a)):
        value = number(known, op.signed) & ones if constant(known) else -1
        if value == (ones if op.kind == "and" else 0):
            return _extended(other, op.width, op.signed)
        if value == {"and": 0, "or": ones}.get(op.kind):
            return (Bits(f"{value:0{op.width}b}"),)
    return None


def _whole(spec: Spec, ops):
    """Find the operator whose result a value is as a whole."""
    part = spec[0] if len(spec) == 1 else None
    if not isinstance(part, Part) or part.low:
        return None
    op = ops.get(part.wire)
    return op if op and part.width == op.width else None


def _decided(op, ops) -> Spec | None:
    """Find what a comparison gives that is the same for all values."""
    limit = number(op.b, False) + (op.kind in {"le", "gt"})
    if limit and _most(op.a, ops) >= limit:
        return None
    below = limit > 0
    return (Bits("1" if below == (op.kind in {"lt", "le"}) else "0"),)


def _most(spec: Spec, ops, depth: int = 4) -> int:
    """Find a bound of an unsigned value."""
    result = low = 0
    for chunk in spec:
        bound = (1 << chunk.width) - 1
        if isinstance(chunk, Bits):
            bound = number((chunk,), False)
        elif chunk.low == 0 and depth and (op := ops.get(chunk.wire)) and not op.signed:
            sides = [_most(side, ops, depth - 1) for side in (op.a, op.b)]
            bounds = {"add": sum(sides), "mul": sides[0] * sides[1], "and": min(sides)}
            bound = min(bound, bounds.get(op.kind, bound))
        result += bound << low
        low += chunk.width
    return result


def inverts(op) -> bool:
    """Tell whether an operator on a bit and a constant gives the opposite of the bit."""
    if op.kind == "xor" and op.width != 1:
        return False
    return (
        op.kind in {"eq", "ne", "xor"}
        and _tests_bit(op)
        and number(op.b, False) == (op.kind != "eq")
    )


def _tests_bit(op) -> bool:
    """Tell whether the operands are a bit and a constant 0 or 1."""
    if width_of(op.a) != 1 or not constant(op.b) or number(op.b, False) > 1:
        return False
    return not op.signed or width_of(op.b) == 1


def _extended(spec: Spec, width: int, signed: bool) -> Spec | None:
    missing = width - width_of(spec)
    if missing <= 0:
        return cut(spec, 0, width)
    top = cut(spec, width_of(spec) - 1, width_of(spec)) if signed else (Bits("0"),)
    return join((*spec, *(top * missing))) if top else None


def _value(op) -> int:
    a, b = number(op.a, op.signed), number(op.b, op.signed)
    shift = number(op.b, False)
    ones = (1 << width_of(op.a)) - 1
    low = number(op.a, False)
    match op.kind:
        case "not":
            return ~a
        case "neg":
            return -a
        case "reduce_and":
            return low == ones
        case "reduce_or" | "reduce_bool":
            return low != 0
        case "reduce_xor":
            return low.bit_count() & 1
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "divfloor":
            return a // b if b else 0
        case "modfloor":
            return a % b if b else 0
        case "and":
            return a & b
        case "or":
            return a | b
        case "xor":
            return a ^ b
        case "eq":
            return a == b
        case "ne":
            return a != b
        case "lt":
            return a < b
        case "le":
            return a <= b
        case "gt":
            return a > b
        case "ge":
            return a >= b
        case "shl":
            return a << min(shift, op.width)
        case "shr" | "sshr" | "shift":
            return a >> shift
    raise AssertionError(f"no value of {op.kind}")
