"""The backward pass of a recorded step: its rules, and which values a forward pass saves for it.

The rules are those of :mod:`spiker_train.network.arithmetic`: rounding passes the gradient, a spike
has that of its surrogate, a selection passes none through its test, and at a tie all of the
gradient goes to one side.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .graph import TESTS

__all__ = ["LEAVES", "Backward", "Structure", "backward", "required"]

LEAVES = frozenset({"state", "input", "parameter", "constant", "literal"})
_NO_LIMIT = 10**6


@dataclass(frozen=True)
class Structure:
    """What the source of a kernel depends on.

    Members
    -------
    nodes : tuple of (str, tuple)
    fired : int or None
    after : tuple of (str, int)
    coupling : (int, int, int) or None
        As in :class:`~.graph.Graph`.
    learned : tuple of bool
        Which parameters have gradients.
    started : tuple of bool
        Which states have gradients at the start.
    inline : bool
        Whether the surrogate is a fast sigmoid; otherwise the gradient of each spike is an operand.
    """

    nodes: tuple[tuple[str, tuple], ...]
    fired: int | None
    after: tuple[tuple[str, int], ...]
    coupling: tuple[int, int, int] | None
    learned: tuple[bool, ...]
    started: tuple[bool, ...]
    inline: bool

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return sum(name == "input" for name, _ in self.nodes)

    @property
    def constant_states(self) -> frozenset[str]:
        """States that no step changes."""
        return frozenset(
            name for name, index in self.after if self.nodes[index] == ("state", (name,))
        )

    @property
    def spikes(self) -> tuple[int, ...]:
        """Nodes that have a surrogate gradient."""
        return tuple(n for n, (name, _) in enumerate(self.nodes) if name == "spike")


def operands(node: tuple[str, tuple]) -> tuple[int, ...]:
    """Return the operands of a node that are nodes."""
    return () if node[0] in LEAVES else node[1]


def differentiable(node: tuple[str, tuple]) -> tuple[int, ...]:
    """Return the operands of a node to which gradients pass."""
    name, parts = node
    if name in LEAVES or name in TESTS or name == "number":
        return ()
    if name in {"floor", "clamp", "spike"}:
        return parts[:1]
    return parts[1:] if name == "select" else parts


def required(structure: Structure) -> tuple[bool, ...]:
    """Tell which nodes have gradients, over all time steps."""
    states = {
        name: started for (name, _), started in zip(structure.after, structure.started, strict=True)
    }
    while True:
        flags: list[bool] = []
        for name, parts in structure.nodes:
            if name == "input":
                flags.append(True)
            elif name == "parameter":
                flags.append(structure.learned[parts[0]])
            elif name == "state":
                flags.append(states[parts[0]])
            else:
                flags.append(any(flags[part] for part in differentiable((name, parts))))
        following = {name: states[name] or flags[index] for name, index in structure.after}
        if following == states:
            return tuple(flags)
        states = following


@dataclass
class Backward:
    """The backward pass of one step.

    Members
    -------
    lines : list of str
        Statements of C, in which ``n3`` is the value of a node and ``g3`` its gradient.
    leaves : dict of int to str
        Gradient of each leaf that has one, as an expression of C.
    recomputed : list of int
        Nodes that the backward pass computes again, in order.
    saved : tuple of int
        Nodes that it reads from memory.
    """

    lines: list[str] = field(default_factory=list)
    leaves: dict[int, str] = field(default_factory=dict)
    recomputed: list[int] = field(default_factory=list)
    saved: tuple[int, ...] = ()


def backward(structure: Structure) -> Backward:
    """Derive the backward pass of a step.

    The gradients that come in are ``g_fired`` of the spikes and ``g_after_NAME`` of each state
    after the step that has one.
    """
    flags = required(structure)
    terms: dict[int, list[str]] = {}
    if structure.fired is not None and flags[structure.fired]:
        terms.setdefault(structure.fired, []).append("g_fired")
    for name, index in structure.after:
        if flags[index]:
            terms.setdefault(index, []).append(f"g_after_{name}")
    result = Backward()
    needed: set[int] = set()

    def value(index: int) -> str:
        needed.add(index)
        return f"n{index}"

    for index in range(len(structure.nodes) - 1, -1, -1):
        node = structure.nodes[index]
        if index not in terms:
            continue
        total = " + ".join(terms[index])
        if node[0] in LEAVES:
            result.leaves[index] = total
            continue
        result.lines.append(f"const real g{index} = {total};")
        for part, term in _terms(structure, flags, index, value):
            terms.setdefault(part, []).append(term)
    result.saved = _cut(structure, needed)
    result.recomputed = _again(structure, needed, set(result.saved))
    return result


def _terms(
    structure: Structure, flags: tuple[bool, ...], index: int, value: Callable[[int], str]
) -> Iterable[tuple[int, str]]:
    """Yield the gradient that each operand of a node receives from it."""
    node = structure.nodes[index]
    name, parts = node
    g = f"g{index}"
    has = {part for part in differentiable(node) if flags[part]}
    if name in {"add", "sub"}:
        if parts[0] in has:
            yield parts[0], g
        if parts[1] in has:
            yield parts[1], g if name == "add" else f"-{g}"
    elif name == "mul":
        for part, other in (parts, parts[::-1]):
            if part in has:
                yield part, f"{g} * {value(other)}"
    elif name == "div":
        top, bottom = parts
        if top in has:
            yield top, f"{g} / {value(bottom)}"
        if bottom in has:
            yield bottom, f"-{g} * (({value(top)} / {value(bottom)}) / {value(bottom)})"
    elif name == "floor":
        if has:
            yield parts[0], g
    elif name == "spike":
        if has and structure.inline:
            yield parts[0], f"{g} / square(1 + absolute({value(parts[0])}) / width)"
        elif has:
            yield parts[0], f"{g} * slope{index}[j]"
    elif name == "select":
        test, yes, no = parts
        if yes in has:
            yield yes, f"({value(test)} ? {g} : 0)"
        if no in has:
            yield no, f"({value(test)} ? 0 : {g})"
    elif name == "clamp":
        x, low, high = parts
        if has:
            inside = f"({value(x)} >= {value(low)} & {value(x)} <= {value(high)})"
            yield x, f"({inside} ? {g} : 0)"
    elif name in {"max", "min"}:
        x, y = parts
        # The first one has the gradient at a tie, unless it alone has none.
        if y in has and x not in has:
            x, y = y, x
        sign = "<" if name == "max" else ">"
        other = f"({value(x)} {sign} {value(y)})"
        if x in has:
            yield x, f"({other} ? 0 : {g})"
        if y in has:
            yield y, f"({other} ? {g} : 0)"


def _again(structure: Structure, needed: set[int], saved: set[int]) -> list[int]:
    """Return the nodes to compute again, in order, for values that are not saved."""
    found: set[int] = set()
    waiting = list(needed)
    while waiting:
        index = waiting.pop()
        if index in found or index in saved:
            continue
        found.add(index)
        waiting += operands(structure.nodes[index])
    return sorted(found)


# -- what is saved --------------------------------------------------------------------------------


def _cut(structure: Structure, needed: set[int]) -> tuple[int, ...]:
    """Return the nodes to save so that the fewest values are written and read.

    They are a minimum vertex cut between what a step begins with and what its backward pass needs
    (Ford and Fulkerson 1956). An input is in memory in any case and costs one access;
    anything else is written and read; a test has no memory, and is computed again.
    """
    capacity: dict[tuple, dict[tuple, int]] = {}

    def edge(a: tuple, b: tuple, amount: int) -> None:
        capacity.setdefault(a, {})[b] = amount
        capacity.setdefault(b, {}).setdefault(a, 0)

    for index, node in enumerate(structure.nodes):
        name, parts = node
        varying = name == "input" or (name == "state" and parts[0] not in structure.constant_states)
        amount = {"input": 1}.get(name, 2)
        edge(("in", index), ("out", index), _NO_LIMIT if name in TESTS else amount)
        if varying:
            edge(("source",), ("in", index), _NO_LIMIT)
        for part in operands(node):
            edge(("out", part), ("in", index), _NO_LIMIT)
        if index in needed:
            edge(("out", index), ("sink",), _NO_LIMIT)
    reached = _flow(capacity)
    return tuple(
        index
        for index in range(len(structure.nodes))
        if ("in", index) in reached and ("out", index) not in reached
    )


def _flow(capacity: dict[tuple, dict[tuple, int]]) -> set[tuple]:
    """Fill the edges with the greatest flow, and return what the source still reaches."""
    while True:
        before: dict[tuple, tuple] = {}
        waiting = deque([("source",)])
        reached = {("source",)}
        while waiting and ("sink",) not in reached:
            at = waiting.popleft()
            for to, amount in capacity.get(at, {}).items():
                if amount > 0 and to not in reached:
                    reached.add(to)
                    before[to] = at
                    waiting.append(to)
        if ("sink",) not in reached:
            return reached
        path = [("sink",)]
        while path[-1] != ("source",):
            path.append(before[path[-1]])
        edges = list(zip(path[1:], path[:-1], strict=True))
        amount = min(capacity[a][b] for a, b in edges)
        for a, b in edges:
            capacity[a][b] -= amount
            capacity[b][a] += amount
