"""Plant faults in the sources, and see how many of them the fast tests find.

Each fault is one small change of one source file, in a copy of the project: an operator, the end of
a comparison, a constant, a condition, a bit range, a statement left out. ``faults.json`` lists the
faults that are planted: sixty in model and hardware, and sixty in all that turns a network into
files. The tests that are likely to find a fault run first: those of the module, then those of its
folder and whatever imports it, then all others. A fault that none finds survives.

Results are written after each fault, and a run goes on where an earlier one was stopped.
"""

import argparse
import ast
import difflib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAULTS = Path(__file__).resolve().parent / "faults.json"
RESULTS = Path(__file__).resolve().parent / "results" / "mutation.json"

PATHS = (
    "spiker_hdl/model",
    "spiker_hdl/rtl",
    "spiker_hdl/hdl",
    "spiker_hdl/link",
    "spiker_hdl/export",
    "spiker_train",
)
"""Where faults are drawn."""

COPIED = ("spiker_hdl", "spiker_train", "spiker_cli", "boards", "networks", "examples", "docs")
COPIED += ("notebooks", "benchmarks", "tests", "README.md", "CHANGELOG.md", "Makefile")
COPIED += ("constraints.txt", "pyproject.toml", "LICENSE")

MIRRORS = {
    "spiker_hdl": "tests/hdl",
    "spiker_train": "tests/train",
    "boards/spiker_boards": "tests/boards",
    "spiker_cli": "tests/cli",
}

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

# -- faults --------------------------------------------------------------------------------------


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


def draw(count: int, seed: int, paths=PATHS) -> list[Fault]:
    """Draw faults from all that can be planted."""
    files = []
    for path in paths:
        at = ROOT / path
        files += sorted(at.rglob("*.py")) if at.is_dir() else [at]
    possible = []
    for file in files:
        path = file.relative_to(ROOT).as_posix()
        possible += [place for place, *_ in places(path, file.read_text())]
    return random.Random(seed).sample(possible, count)


# -- tests ---------------------------------------------------------------------------------------


def stages(root: Path, path: str) -> list[list[str]]:
    """Return the tests to run for a source file: its own, those near it, and all others."""
    package = next(name for name in MIRRORS if path.startswith(name + "/"))
    inside = Path(path).relative_to(package)
    folder = Path(MIRRORS[package]) / inside.parent
    own = folder / f"test_{inside.stem.lstrip('_')}.py"
    everything = sorted(
        file.relative_to(root)
        for file in (root / "tests").rglob("test_*.py")
        if "formal" not in file.parts  # proofs are slow
    )
    dotted = ".".join((*Path(package).parts[-1:], *inside.with_suffix("").parts))
    near = [
        file
        for file in everything
        if file != own
        and (file.parent == folder or f"{dotted} import" in (root / file).read_text())
    ]
    rest = [file for file in everything if file != own and file not in near]
    ordered = [[own] if own in everything else [], near, rest]
    return [[str(file) for file in stage] for stage in ordered if stage]


def outcome(scratch: Path, tests: list[str], timeout: float, jobs: int) -> str:
    """Run some tests on the copy; return what they make of it: killed, timeout or survived."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-m", "not slow"]
    command += ["-p", "no:cacheprovider"]
    command += ["-n", str(jobs)] if jobs > 1 and len(tests) > 20 else []
    try:
        run = subprocess.run(
            [*command, *tests],
            cwd=scratch,
            env={**os.environ, "PYTHONPATH": f"{scratch}:{scratch / 'boards'}"},
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    # 5: no tests there.
    return "survived" if run.returncode in (0, 5) else "killed"


def verdict(scratch: Path, fault: Fault, timeout: float, jobs: int, near: bool) -> str:
    """Plant a fault in the copy; return killed, timeout, survived, or missing."""
    source = plant(scratch, fault)
    if source is None:
        return "missing"
    target = scratch / fault.path
    original = target.read_text()
    target.write_text(source)
    try:
        for tests in stages(scratch, fault.path)[: -1 if near else None]:
            result = outcome(scratch, tests, timeout, jobs)
            if result != "survived":
                return result
        return "unfinished" if near else "survived"
    finally:
        target.write_text(original)


def copy(scratch: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "_build")
            shutil.copytree(ROOT / name, scratch / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, scratch)


# -- results -------------------------------------------------------------------------------------


def load(path: Path) -> dict[tuple, str]:
    """Return the results of an earlier run, by fault."""
    if not path.is_file():
        return {}
    text = json.loads(path.read_text())
    return {
        Fault(**{name: value for name, value in fault.items() if name != "result"}).key: fault[
            "result"
        ]
        for fault in text.get("faults", [])
    }


def report(faults: list[Fault], results: dict[tuple, str], seconds: float) -> dict:
    """Return the results as they are written: counts, and each fault with its result."""
    planted = [fault for fault in faults if results.get(fault.key) in RESULTS_OF_A_FAULT]
    counts = Counter(results[fault.key] for fault in planted)
    return {
        "planted": len(planted),
        "killed": counts["killed"],
        "timeouts": counts["timeout"],
        "survived": counts["survived"],
        "kill_rate": round(counts["killed"] / len(planted), 3) if planted else None,
        "seconds": round(seconds, 1),
        "faults": [
            asdict(fault) | {"result": results[fault.key]}
            for fault in faults
            if fault.key in results
        ],
    }


RESULTS_OF_A_FAULT = ("killed", "timeout", "survived")


def relocate_all() -> int:
    """Write the list of faults anew, with their places as they are now."""
    lists = json.loads(FAULTS.read_text())
    for faults in lists.values():
        for n, fault in enumerate([Fault(**fault) for fault in faults]):
            place = relocate(ROOT, fault)
            if place is None:
                print(f"missing: {fault.path}: {fault.before}")
            elif place != fault:
                print(f"{fault.path}: {fault.before} is now {place.path}: {place.before}")
                faults[n] = {key: value for key, value in asdict(place).items() if value != ""}
    FAULTS.write_text(json.dumps(lists, indent=1) + "\n")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", choices=["first", "second"], help="one of the lists of faults")
    parser.add_argument("--only", metavar="TEXT", help="faults whose path holds a text")
    parser.add_argument(
        "--near", action="store_true", help="only the tests that are likely to find it"
    )
    parser.add_argument("--again", action="store_true", help="forget the results of earlier runs")
    parser.add_argument("--jobs", type=int, default=1, help="processes for all tests (default: 1)")
    parser.add_argument("--timeout", type=float, default=1200, help="seconds for each run of tests")
    parser.add_argument(
        "--unproved", action="store_true", help="do not run the tests without a fault"
    )
    parser.add_argument("--draw", type=int, metavar="N", help="print N new faults, and plant none")
    parser.add_argument("--seed", type=int, default=0, help="which ones are drawn (default: 0)")
    parser.add_argument(
        "--relocate", action="store_true", help="find faults again whose text has changed"
    )
    chosen = parser.parse_args(arguments)
    if chosen.relocate:
        return relocate_all()
    if chosen.draw:
        print(json.dumps([asdict(fault) for fault in draw(chosen.draw, chosen.seed)], indent=1))
        return 0

    lists = json.loads(FAULTS.read_text())
    faults = [Fault(**fault) for name in lists for fault in lists[name]]
    names = [chosen.set] if chosen.set else [*lists]
    picked = [Fault(**fault) for name in names for fault in lists[name]]
    picked = [fault for fault in picked if (chosen.only or "") in fault.path]
    results = {} if chosen.again else load(RESULTS)
    known = {fault.key for fault in faults}
    results = {key: result for key, result in results.items() if key in known}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        scratch = Path(folder)
        copy(scratch)
        # A test that fails anyway would find every fault.
        if (
            not chosen.unproved
            and outcome(scratch, ["tests"], chosen.timeout * 3, chosen.jobs) != "survived"
        ):
            print("The fast tests must pass without a fault: make test", file=sys.stderr)
            return 1
        for n, fault in enumerate(picked):
            if results.get(fault.key) in RESULTS_OF_A_FAULT:
                continue
            result = verdict(scratch, fault, chosen.timeout, chosen.jobs, chosen.near)
            results[fault.key] = result
            print(f"{n + 1}/{len(picked)} {result}: {fault.path}: {fault.kind}", file=sys.stderr)
            text = json.dumps(report(faults, results, time.monotonic() - started), indent=1)
            RESULTS.write_text(text + "\n")
    summary = report(picked, results, time.monotonic() - started)
    print({name: value for name, value in summary.items() if name != "faults"})
    for fault in picked:
        if results.get(fault.key) not in ("killed", "timeout"):
            note = f" ({fault.note})" if fault.note else ""
            print(
                f"  {results.get(fault.key)}: {fault.path}: {fault.before} -> {fault.after}{note}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
