"""Signals of one architecture: their names, their types, and which of them are needed."""

from spiker_hdl.hdl.netlist.bits import constant, number, single
from spiker_hdl.hdl.netlist.cells import Op
from spiker_hdl.hdl.netlist.netlist import Netlist
from spiker_hdl.hdl.rtlil.tree import Chunk, Part, Spec

from .names import Identifiers

__all__ = ["Signals"]

_NOUNS = {
    "add": "sum",
    "and": "masked",
    "divfloor": "quotient",
    "eq": "equal",
    "ge": "at_least",
    "gt": "greater",
    "le": "at_most",
    "lt": "less",
    "modfloor": "remainder",
    "mul": "product",
    "mux": "selected",
    "ne": "unequal",
    "neg": "negated",
    "not": "inverted",
    "or": "joined",
    "reduce_and": "all_set",
    "reduce_bool": "any_set",
    "reduce_or": "any_set",
    "reduce_xor": "parity",
    "shift": "part",
    "shl": "shifted",
    "shr": "shifted",
    "sshr": "shifted",
    "sub": "difference",
    "xor": "differing",
}


class Signals:
    """Names and kinds of wires, and a list of those that are read or driven.

    A value is one of four kinds: ``b`` is a std_logic, ``u``, ``s`` and ``v`` are unsigned,
    signed and std_logic_vector.

    Parameters
    ----------
    netlist : Netlist
        What the wires belong to.
    scope : Identifiers
        Where names of nameless results are taken.
    vectors : set of str
        Wires that are declared as std_logic_vector.
    driven : dict of str to str
        Names of wires that instances drive.
    """

    def __init__(
        self,
        netlist: Netlist,
        scope: Identifiers,
        vectors: set[str],
        driven: dict[str, str],
    ):
        self.netlist = netlist
        self.needed: dict[str, None] = {}
        self._scope = scope
        self._vectors = vectors
        self._kinds: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for wire in netlist.wires:
            if not netlist.anonymous(wire) and netlist.wires[wire].width:
                # Fields are named after the whole.
                whole, dot, rest = wire.partition(".")
                self.names[wire] = scope.add(driven.get(whole, whole[1:]) + dot + rest)
        self.aliases: dict[tuple[Chunk, ...], str] = {
            value: wire
            for wire, value in reversed(netlist.links)
            if not netlist.wires[wire].direction
            and not constant(value)
            and (len(value) > 1 or single(value).width != netlist.wires[single(value).wire].width)
        }

    def name(self, wire: str) -> str:
        """Name a wire, which is thereby needed."""
        self.needed[wire] = None
        if wire not in self.names:
            self.names[wire] = self._scope.add(self._suggestion(wire))
        return self.names[wire]

    def _suggestion(self, wire: str) -> str:
        op = self.netlist.ops.get(wire)
        if op is None:
            return "chosen" if wire in self.netlist.processes else "value"
        noun = _NOUNS[op.kind]
        for spec in (op.a, op.b):
            if len(spec) == 1 and isinstance(spec[0], Part):
                known = self.names.get(self.aliases.get(spec, spec[0].wire), "")
                if known and len(known) <= 24:
                    if op.kind == "eq" and constant(op.b):
                        return f"{known}_is_{number(op.b, False)}"
                    return f"{known}_{noun}"
        return noun

    def kind(self, wire: str) -> str:
        """Tell how a wire is declared."""
        if self.netlist.wires[wire].width == 1:
            return "b"
        if wire in self._vectors:
            return "v"
        if wire not in self._kinds:
            self._kinds[wire] = "s" if self.netlist.wires[wire].signed else "u"
            op = self.netlist.ops.get(wire)
            if op and self.netlist.anonymous(wire):
                self._kinds[wire] = self.result_kind(op)
        return self._kinds[wire]

    def result_kind(self, op: Op) -> str:
        """Tell what kind a result has by its nature."""
        if op.kind == "neg":
            return "s"
        if op.kind == "mux":
            arms = [spec for spec in (op.a, op.b) if not constant(spec)]
            return "s" if any(self.natural(arm) == "s" for arm in arms) else "u"
        if op.kind in {"and", "or", "xor", "not"}:
            return self.natural(op.a)
        return "s" if op.signed else "u"

    def natural(self, spec: Spec) -> str:
        """Tell whether a value reads best as signed or unsigned."""
        if spec in self.aliases:
            return "s" if self.netlist.wires[self.aliases[spec]].signed else "u"
        if len(spec) == 1 and isinstance(spec[0], Part):
            wire = self.netlist.wires[spec[0].wire]
            if spec[0].width < wire.width or wire.width == 1:
                return "u"
            if wire.name in self._vectors:
                return "s" if wire.signed else "u"
            return self.kind(spec[0].wire)
        return "s" if self.sign_extended(spec) else "u"

    def sign_extended(self, spec: Spec) -> Spec:
        """Find what is sign-extended to give ``spec``; empty if nothing is."""
        count = len(spec)
        top = spec[-1] if spec else None
        if not isinstance(top, Part) or top.width != 1:
            return ()
        while count > 1 and spec[count - 1] == top:
            count -= 1
        base = spec[:count]
        last = base[-1]
        if not isinstance(last, Part) or count == len(spec):
            return ()
        if last == top or (last.wire == top.wire and last.low + last.width - 1 == top.low):
            return base
        return ()
