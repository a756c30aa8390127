"""Bodies of processes: brought together where they decide alike, less what has no effect."""

from collections.abc import Iterable

from spiker_hdl.hdl.rtlil.tree import Assign, Bits, Case, Part, Spec, Switch

from .bits import constant, cut, join, width_of

__all__ = ["Body", "grouped", "merged", "redirected", "settled", "simplified", "subjects"]
__all__ += ["changing", "unreset"]

Body = list[Assign | Switch]


def settled(body: Body) -> Body:
    """Join assignments to the same wire; for each bit, the last one counts.

    Parameters
    ----------
    body : list
        Statements of a process that drives one wire, the first giving it a value as a whole.
    """
    count = 0
    while count < len(body) and isinstance(body[count], Assign):
        count += 1
    if count < 2:
        return body
    first = body[0]
    assert isinstance(first, Assign)
    value = first.value
    for item in body[1:count]:
        assert isinstance(item, Assign)
        (part,) = item.target
        assert isinstance(part, Part)
        high = part.low + part.width
        value = join((*cut(value, 0, part.low), *item.value, *cut(value, high, width_of(value))))
    return [Assign(first.target, value), *body[count:]]


def merged(bodies: Iterable[Body]) -> Body:
    """Join bodies that drive different signals, each choice being written once if it can be."""
    result: Body = []
    for body in bodies:
        _merge(result, body)
    return result


def _merge(into: Body, body: Body) -> None:
    position = 0
    for item in body:
        place = None
        if isinstance(item, Switch):
            places = range(position, len(into))
            place = next((n for n in places if _alike(into[n], item)), None)
        if place is not None:
            switch = into[place]
            assert isinstance(switch, Switch)
            assert isinstance(item, Switch)
            for mine, theirs in zip(switch.cases, item.cases, strict=True):
                _merge(mine.body, theirs.body)
            position = place + 1
            continue
        # Assignments, which are to other signals, come first, in the order of the signals.
        while position < len(into) and isinstance(into[position], Assign):
            position += 1
        if isinstance(item, Switch):
            cases = [Case(case.patterns, merged([case.body])) for case in item.cases]
            item = Switch(item.subject, cases)
        into.insert(position, item)
        position += 1


def _alike(first: Assign | Switch, second: Switch) -> bool:
    return (
        isinstance(first, Switch)
        and first.subject == second.subject
        and [case.patterns for case in first.cases] == [case.patterns for case in second.cases]
    )


def subjects(body: Body) -> set[Spec]:
    """Give what the outermost choices look at."""
    return {item.subject for item in body if isinstance(item, Switch)}


def simplified(body: Body) -> Body:
    """Drop what does nothing: choices among nothing, and cases that never fit."""
    result: Body = []
    for item in body:
        if isinstance(item, Assign):
            result.append(item)
            continue
        cases = _possible(item)
        while cases and not cases[-1].body:
            cases.pop()
        if cases and not cases[0].patterns:
            result.extend(cases[0].body)
        elif cases:
            result.append(Switch(item.subject, cases))
    return result


def _possible(switch: Switch) -> list[Case]:
    """Give the cases that can fit, the last without patterns if it fits whenever it is reached."""
    known = "".join(
        chunk.text if isinstance(chunk, Bits) else "-" * chunk.width
        for chunk in reversed(switch.subject)
    )
    cases = []
    seen: set[str] = set()
    for case in switch.cases:
        patterns = []
        for pattern in case.patterns:
            fits = all("-" in {a, b} or a == b for a, b in zip(pattern, known, strict=True))
            if fits and pattern not in seen:
                seen.add(pattern)
                # A constant bit of the subject need not be looked at.
                patterns.append(
                    "".join("-" if k != "-" else p for p, k in zip(pattern, known, strict=True))
                )
        always = not case.patterns or any(set(pattern) <= {"-"} for pattern in patterns)
        if always or patterns:
            cases.append(Case(() if always else tuple(patterns), simplified(case.body)))
        if always:
            break
    else:
        complete = all("-" not in pattern for pattern in seen)
        if cases and complete and len(seen) == 1 << min(width_of(switch.subject), 30):
            # All values are listed, so the last case is what is left.
            cases[-1] = Case((), cases[-1].body)
    return cases


def changing(body: Body) -> Body:
    """Drop what lets a register keep its value, where nothing before would have changed it.

    Parameters
    ----------
    body : list
        Statements of a clocked process that drives one register.
    """
    return _changing(body, False)[0]


def _changing(body: Body, changed: bool) -> tuple[Body, bool]:
    result: Body = []
    for item in body:
        if isinstance(item, Assign):
            if changed or item.value != item.target:
                result.append(item)
                changed = True
            continue
        cases = []
        after = changed
        for case in item.cases:
            inner, inside = _changing(case.body, changed)
            cases.append(Case(case.patterns, inner))
            after |= inside
        result.append(Switch(item.subject, cases))
        changed = after
    return result, changed


def redirected(body: Body, wire: str) -> Body:
    """Let all assignments drive ``wire``."""
    new: Body = []
    for item in body:
        if isinstance(item, Assign):
            part = item.target[0]
            assert isinstance(part, Part)
            new.append(Assign((Part(wire, part.low, part.width),), item.value))
        else:
            cases = [Case(case.patterns, redirected(case.body, wire)) for case in item.cases]
            new.append(Switch(item.subject, cases))
    return new


def unreset(body: Body) -> Body:
    """Take away a reset at the end, which says nothing about what belongs together."""
    last = body[-1] if body else None
    if isinstance(last, Switch) and [case.patterns for case in last.cases] == [("1",)]:
        items = last.cases[0].body
        if all(isinstance(item, Assign) and constant(item.value) for item in items):
            return body[:-1]
    return body


def grouped(choices: dict[str, set[Spec]], together: bool = False) -> list[list[str]]:
    """Bring together what decides by the same values, and, if asked, what does not decide."""
    groups: list[tuple[list[str], set[Spec]]] = []
    for wire, subject in choices.items():
        sharing = [group for group in groups if group[1] & subject]
        if together and not subject:
            sharing = [group for group in groups if not group[1]]
        if not sharing:
            groups.append(([wire], set(subject)))
            continue
        for other in sharing[1:]:
            sharing[0][0].extend(other[0])
            sharing[0][1].update(other[1])
            groups.remove(other)
        sharing[0][0].append(wire)
        sharing[0][1].update(subject)
    return [wires for wires, _ in groups]
