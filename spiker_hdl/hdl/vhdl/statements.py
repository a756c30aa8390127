"""Statements of processes and concurrent assignments."""

import re

from spiker_hdl.hdl.netlist.bits import constant, cut, text_of, width_of
from spiker_hdl.hdl.netlist.cells import Op
from spiker_hdl.hdl.netlist.processes import Body
from spiker_hdl.hdl.rtlil.tree import Assign, Bits, Case, Part, Spec, Switch

from .expressions import Expressions
from .text import ADD, LOGIC, RELATION, Text, bit_string, logic, paren, source_note

__all__ = ["Statements"]


class Statements:
    """Writer of statements.

    Parameters
    ----------
    expressions : Expressions
        Writer of what the statements read.
    """

    def __init__(self, expressions: Expressions):
        self.expressions = self._via = expressions
        self._wires = expressions.netlist.wires

    # --- concurrent ---

    def concurrent(self, op: Op) -> list[str]:
        """Assign the result of an operator to its signal."""
        via = self._via
        name, kind = via.name(op.wire), via.kind(op.wire)
        note = source_note(op.src)
        if op.kind == "mux":
            return [f"{name} <= {self._chosen(op, kind)};{note}"]
        if kind == "b" and op.width == 1:
            if self._is_condition(op):
                return [f"{name} <= '1' when {via.condition_result(op)} else '0';{note}"]
            return [f"{name} <= {via.bit_result(op)};{note}"]
        text, have = via.arithmetic.result(op)
        text = text if have == kind else via.convert(text, have, kind)
        if op.kind in {"divfloor", "modfloor"} and not constant(op.b):
            divisor = via.vector(op.b, "s" if op.signed else "u")
            text = f"{text} when {paren(divisor, ADD)} /= 0 else (others => '0')"
        return [f"{name} <= {text};{note}"]

    def _is_condition(self, op: Op) -> bool:
        if op.kind in {"and", "or", "not"}:
            return self._via.boolean(op.a) or self._via.boolean(op.b)
        return op.kind in {"eq", "ne", "lt", "le", "gt", "ge", "reduce_or", "reduce_bool"}

    def _chosen(self, op: Op, kind: str) -> str:
        via = self._via
        pieces = []
        last, following = op.a, op
        while following is not None:
            taken = self.right(following.b, kind)
            pieces.append(f"{taken} when {via.condition(following.select)} else ")
            last = following.a
            following = via.inlined(last)
            if following and following.kind != "mux":
                following = None
        return "".join(pieces) + self.right(last, kind)

    def assign(self, part: Part, value: Spec, src: str = "") -> list[str]:
        """Assign a value to a wire or a part of it."""
        kind = self._via.kind(part.wire) if part.width > 1 else "b"
        target = self._via.reference(part)
        return [f"{target} <= {self.right(value, kind)};{self._enumerator(part, value, src)}"]

    def right(self, value: Spec, kind: str) -> Text:
        return self._via.value(value, kind)

    def _enumerator(self, part: Part, value: Spec, src: str = "") -> str:
        """Note the name of an enumeration's value."""
        wire = self._wires[part.wire]
        if constant(value) and part.width == wire.width:
            bits = text_of(value)
            name = wire.attributes.get(f"enum_value_{bits}")
            if name is not None:
                return "  -- " + re.sub(r"[^ -~]", "?", str(name))
        return source_note(src)

    # --- sequential ---

    def clocked(
        self, clock: Spec, rising: bool, body: list[str], areset: Spec = (), start=()
    ) -> list[str]:
        """Write a process in which ``body`` happens on a clock edge.

        Where there is an asynchronous reset, ``start`` is what it does.
        """
        (part,) = clock
        assert isinstance(part, Part)
        name = self._via.reference(part)
        edge = f"{'rising' if rising else 'falling'}_edge({name})"
        if not areset:
            return [
                f"process ({name})",
                "begin",
                f"  if {edge} then",
                *(f"    {line}" for line in body),
                "  end if;",
                "end process;",
            ]
        (part,) = areset
        assert isinstance(part, Part)
        return [
            f"process ({name}, {self._via.reference(part)})",
            "begin",
            f"  if {self._via.reference(part)} = '1' then",
            *(f"    {line}" for line in start),
            f"  elsif {edge} then",
            *(f"    {line}" for line in body),
            "  end if;",
            "end process;",
        ]

    def body(self, body: Body, indent: str) -> list[str]:
        """Write the statements of a process."""
        lines = []
        for item in body:
            if isinstance(item, Switch):
                lines += self._switch(item, indent)
            else:
                lines += self._assign(item, indent)
        return lines

    def _assign(self, item: Assign, indent: str) -> list[str]:
        part = item.target[0]
        assert isinstance(part, Part)
        op = self._via.inlined(item.value)
        if op and op.kind == "mux":
            first, second = Assign(item.target, op.b), Assign(item.target, op.a)
            condition = self._via.condition(op.select)
            return [
                f"{indent}if {condition} then",
                *self._assign(first, indent + "  "),
                f"{indent}else",
                *self._assign(second, indent + "  "),
                f"{indent}end if;",
            ]
        return [indent + line for line in self.assign(part, item.value)]

    def _switch(self, switch: Switch, indent: str) -> list[str]:
        subject = switch.subject
        if subject in self._via.aliases:
            subject = (Part(self._via.aliases[subject], 0, width_of(subject)),)
        first, *others = switch.cases
        if not first.body and len(others) == 1 and first.patterns in {("0",), ("1",)}:
            # Nothing happens but in the other case.
            other = ("1",) if first.patterns == ("0",) else ("0",)
            switch = Switch(switch.subject, [Case(other, others[0].body)])
        if self._is_case(subject, switch):
            return self._case(subject, switch, indent)
        lines = []
        word = "if"
        for case in switch.cases:
            note = self._names(subject, switch, case)
            if case.patterns:
                test = self.matches(switch.subject, case.patterns)
                lines.append(f"{indent}{word} {test} then{note}")
            else:
                lines.append(f"{indent}else{note}")
            lines += self.body(case.body, indent + "  ") or [f"{indent}  null;"]
            word = "elsif"
        return [*lines, f"{indent}end if;"]

    def _is_case(self, subject: Spec, switch: Switch) -> bool:
        patterns = [pattern for case in switch.cases for pattern in case.patterns]
        full = all("-" not in pattern for pattern in patterns)
        return len(subject) == 1 and full and width_of(subject) > 1 and len(switch.cases) > 1

    def _case(self, subject: Spec, switch: Switch, indent: str) -> list[str]:
        part = subject[0]
        assert isinstance(part, Part)
        lines = [f"{indent}case {self._via.reference(part)} is"]
        for case in switch.cases:
            body = self.body(case.body, indent + "    ") or [f"{indent}    null;"]
            choices = " | ".join(bit_string(pattern) for pattern in case.patterns)
            note = self._names(subject, switch, case)
            lines += [f"{indent}  when {choices or 'others'} =>{note}", *body]
        if switch.cases[-1].patterns:
            lines.append(f"{indent}  when others => null;")
        return [*lines, f"{indent}end case;"]

    def _names(self, subject: Spec, switch: Switch, case: Case) -> str:
        """Note the names of an enumeration's values that a case is for."""
        part = subject[0]
        if len(subject) > 1 or not isinstance(part, Part):
            return ""
        patterns = case.patterns
        if not patterns:
            prefix = "enum_value_"
            listed = {pattern for other in switch.cases for pattern in other.patterns}
            known = [name for name in self._wires[part.wire].attributes if name.startswith(prefix)]
            patterns = [name.removeprefix(prefix) for name in known]
            patterns = [pattern for pattern in patterns if pattern not in listed]
        comments = [self._enumerator(part, (Bits(pattern),)) for pattern in patterns]
        names = [name.removeprefix("  -- ") for name in comments]
        return "  -- " + ", ".join(names) if names and all(names) and len(names) <= 4 else ""

    def matches(self, subject: Spec, patterns: tuple[str, ...]) -> Text:
        """Write as a condition that a value fits one of several patterns."""
        tests = [self._match(subject, pattern) for pattern in patterns]
        result = tests[0]
        for test in tests[1:]:
            result = logic("or", result, test)
        return result

    def _match(self, subject: Spec, pattern: str) -> Text:
        tests = []
        low = 0
        for chunk in subject:
            wanted = pattern[len(pattern) - low - chunk.width : len(pattern) - low]
            tests += self._compare(chunk, wanted)
            low += chunk.width
        tests.reverse()
        if not tests:
            return Text("true", LOGIC)
        result = tests[0]
        for test in tests[1:]:
            result = logic("and", result, test)
        return result

    def _compare(self, chunk: Part | Bits, wanted: str) -> list[Text]:
        """Compare each run of bits that is not ``-``."""
        tests = []
        width = len(wanted)
        start = 0
        while start < width:
            end = start
            while end < width and (wanted[width - 1 - end] != "-"):
                end += 1
            if end == start:
                start += 1
                continue
            spec = cut((chunk,), start, end)
            bits = wanted[width - end : width - start]
            if len(bits) == 1:
                tests.append(self._via.condition(spec, wanted=bits == "1"))
            else:
                side = paren(self._via.vector(spec, self._via.natural(spec)), ADD)
                kind = self._via.natural(spec)
                value = int(bits, 2)
                if kind == "s" and bits[0] == "1":
                    value -= 1 << len(bits)
                known = str(value) if abs(value) < 1 << 31 else bit_string(bits)
                tests.append(Text(f"{side} = {known}", RELATION))
            start = end
        return tests
