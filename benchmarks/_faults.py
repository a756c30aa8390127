"""Faults: what may go wrong at each place of a source file, and how a place is found again."""

import ast
import difflib
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Fault", "places", "plant", "relocate"]

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


@dataclass(frozen=True)
class Fault:
    """A change of one expression or statement, described so that it is found in a later version.

    Members
    -------
    path : str
    scope : str
        Classes and functions around it, with dots between them.
    kind : str
    before, after : str
        What stands there, and what the fault puts in its place.
    n : int
        Which one, where the scope has several that are the same.
    note : str
        Why no test can find it, if that is so.
    """

    path: str
    scope: str
    kind: str
    before: str
    after: str
    n: int = 0
    note: str = ""

    @property
    def key(self) -> tuple:
        """What tells a fault from others."""
        return (self.path, self.scope, self.kind, self.before, self.after, self.n)


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield what may go wrong at a node: the kind of fault, and what stands there instead."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield "operator", _with(node, op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield "comparison", _with(node, ops=[COMPARISONS[type(node.ops[0])](), *node.ops[1:]])
    if isinstance(node, ast.BoolOp):
        yield "condition", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
        yield "condition", node.operand
    if isinstance(node, ast.IfExp | ast.If):
        yield "condition", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "constant", _with(node, value=node.value + 1)
        yield "constant", _with(node, value=node.value - 1)
    if isinstance(node, ast.Slice):
        for end in ("lower", "upper"):
            index = getattr(node, end)
            if index is not None:
                more = ast.BinOp(index, ast.Add(), ast.Constant(1))
                yield "bit range", _with(node, **{end: more})
    # Not a docstring, and not what only declares, such as __all__.
    if (isinstance(node, ast.Assign | ast.AugAssign) and not _declares(node)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "statement", ast.Pass()


def _declares(node: ast.AST) -> bool:
    target = getattr(node, "targets", [None])[0]
    return isinstance(target, ast.Name) and target.id.startswith("__")


def _with(node: ast.AST, **fields) -> ast.AST:
    changed = deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


class _Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old = old
        self.new = new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def places(path: str, source: str) -> Iterator[tuple[Fault, ast.AST, ast.AST, ast.AST]]:
    """Yield the faults that can be planted in a source: fault, tree, and old and new node."""
    tree = ast.parse(source)
    skipped, scopes = set(), {}
    for node in ast.walk(tree):
        inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        scope = [*scopes.get(node, []), node.name] if inner else scopes.get(node, [])
        scopes.update((child, scope) for child in ast.iter_child_nodes(node))
        # Annotations and what is only said to the reader of an error are no behaviour.
        for name in ("annotation", "returns", "exc", "decorator_list"):
            part = getattr(node, name, None)
            for root in part if isinstance(part, list) else [part] if part else []:
                skipped.update(ast.walk(root))
    same = Counter()
    for node in ast.walk(tree):
        if node in skipped or not (hasattr(node, "lineno") or isinstance(node, ast.Slice)):
            continue
        for kind, new in changes(node):
            before = ast.unparse(node)
            after = ast.unparse(ast.fix_missing_locations(ast.copy_location(new, node)))
            if kind == "condition" and isinstance(node, ast.If):
                before, after = ast.unparse(node.test), f"not ({ast.unparse(node.test)})"
            fault = Fault(path, ".".join(scopes[node]), kind, before, after)
            yield Fault(*fault.key[:5], same[fault.key]), tree, node, new
            same[fault.key] += 1


def plant(root: Path, fault: Fault) -> str | None:
    """Return the source of a file with a fault, or None where there is no longer such a place."""
    file = root / fault.path
    if not file.is_file():
        return None
    source = file.read_text()
    for place, tree, node, new in places(fault.path, source):
        if place.key == fault.key:
            changed = ast.unparse(ast.fix_missing_locations(_Replace(node, new).visit(tree)))
            # Unparsing loses comments, and one of them means something to Amaranth.
            first = source.partition("\n")[0]
            return f"{first}\n{changed}\n" if first.startswith("# amaranth") else f"{changed}\n"
    return None


LIKENESS = 0.7
"""Least likeness of a place in which a fault is taken to be after its text has changed."""


def relocate(root: Path, fault: Fault) -> Fault | None:
    """Return the fault where it is now, if names or files around it have changed."""
    file = root / fault.path
    package = Path(*Path(fault.path).parts[:2])
    files = [file] if file.is_file() else sorted((root / package).rglob("*.py"))
    best, place = LIKENESS, None
    for path in (file.relative_to(root).as_posix() for file in files):
        for other, *_ in places(path, (root / path).read_text()):
            if other.kind != fault.kind:
                continue
            if other.key == fault.key:
                return fault
            pairs = [(fault.scope, other.scope), (fault.before, other.before)]
            pairs += [(fault.after, other.after)]
            matchers = [difflib.SequenceMatcher(None, *pair) for pair in pairs]
            if min(matcher.quick_ratio() for matcher in matchers) < LIKENESS:
                continue
            likeness = min(matcher.ratio() for matcher in matchers) - 0.1 * (other.n != fault.n)
            if likeness > best:
                best, place = likeness, Fault(*other.key, note=fault.note)
    return place
