"""Plant faults in the model and the hardware, and see how many of them the fast tests find.

Each fault is one small change of one source file, in a copy of the project: an operator, the end of
a comparison, a constant, a condition, a bit range, a statement left out. The tests of the package
that was changed run on it, the file's own tests first; a fault that none of them finds survives,
and is printed with its line.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATHS = ("spiker_hdl/model", "spiker_hdl/rtl")
COPIED = ("spiker_hdl", "spiker_train", "spiker_cli", "boards", "networks", "tests")

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
    """A change of one line.

    Members
    -------
    path : str
    line : int
    kind : str
    text : str
        The line as it was.
    source : str
        The whole file with the fault.
    """

    path: str
    line: int
    kind: str
    text: str
    source: str


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
            given = getattr(node, end)
            if given is not None:
                yield "bit range", _with(node, **{end: ast.BinOp(given, ast.Add(), _one())})
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


def _one() -> ast.Constant:
    return ast.Constant(1)


class _Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old = old
        self.new = new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def plant(root: Path, path: str, n: int) -> Fault:
    """Return the ``n``-th fault that can be planted in a file."""
    source = (root / path).read_text()
    tree = ast.parse(source)
    node, kind, new = [*_places(tree)][n]
    line = node.lineno
    text = source.splitlines()[line - 1].strip()
    changed = ast.unparse(ast.fix_missing_locations(_Replace(node, new).visit(tree)))
    return Fault(path, line, kind, text, _silenced(source, changed))


def _silenced(source: str, changed: str) -> str:
    # Unparsing loses comments, and one of them means something to Amaranth.
    first = source.partition("\n")[0]
    return f"{first}\n{changed}\n" if first.startswith("# amaranth") else f"{changed}\n"


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
    skipped = set()
    for node in ast.walk(tree):
        # Annotations and what is only said to the reader of an error are no behaviour.
        for name in ("annotation", "returns", "exc", "decorator_list"):
            part = getattr(node, name, None)
            for one in part if isinstance(part, list) else [part] if part else []:
                skipped.update(id(inner) for inner in ast.walk(one))
    for node in ast.walk(tree):
        if id(node) in skipped or not (hasattr(node, "lineno") or isinstance(node, ast.Slice)):
            continue
        for kind, new in changes(node):
            yield node, kind, new


def tests_of(path: str) -> list[str]:
    """Return the tests to run for a source file, those of its own name first."""
    folder = Path("tests/hdl") / Path(path).parent.name
    own = folder / f"test_{Path(path).stem.lstrip('_')}.py"
    chosen = [str(own)] if (ROOT / own).exists() else []
    for other in [folder, Path("tests/hdl/rtl"), Path("tests/hdl/model")]:
        if (ROOT / other).is_dir() and str(other) not in chosen:
            chosen.append(str(other))
    return chosen


def outcome(scratch: Path, tests: str, timeout: float) -> str:
    """Say what some tests make of the copy: killed, timeout (which kills, too), or survived."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-m", "not slow"]
    command += ["-p", "no:cacheprovider", tests]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env={**os.environ, "PYTHONPATH": str(scratch)},
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    # 5: no tests there.
    return "survived" if done.returncode in (0, 5) else "killed"


def verdict(scratch: Path, fault: Fault, timeout: float) -> str:
    """Say what became of a fault."""
    target = scratch / fault.path
    kept = target.read_text()
    target.write_text(fault.source)
    try:
        found = (outcome(scratch, tests, timeout) for tests in tests_of(fault.path))
        return next((one for one in found if one != "survived"), "survived")
    finally:
        target.write_text(kept)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60, help="faults to plant (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default: 0)")
    parser.add_argument("--paths", nargs="+", default=PATHS, help="files or folders of sources")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each run of tests")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)

    files = []
    for path in chosen.paths:
        at = ROOT / path
        files += sorted(at.glob("*.py")) if at.is_dir() else [at]
    possible = [
        (str(one.relative_to(ROOT)), n)
        for one in files
        for n, _ in enumerate(_places(ast.parse(one.read_text())))
    ]
    picked = random.Random(chosen.seed).sample(possible, min(chosen.count, len(possible)))
    planted = [plant(ROOT, path, n) for path, n in picked]
    started, results = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        scratch = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, scratch / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", scratch)
        # A test that fails anyway would find every fault.
        for tests in sorted({one for fault in planted for one in tests_of(fault.path)}):
            if (found := outcome(scratch, tests, chosen.timeout)) != "survived":
                print(f"{tests} must pass without a fault, not be {found}", file=sys.stderr)
                return 1
        for n, fault in enumerate(planted):
            result = verdict(scratch, fault, chosen.timeout)
            results.append((fault, result))
            print(
                f"{n + 1}/{len(planted)} {result}: {fault.path}:{fault.line} {fault.kind}",
                file=sys.stderr,
                flush=True,
            )
    survivors = [fault for fault, result in results if result == "survived"]
    rate = 1 - len(survivors) / len(results) if results else None
    report = {
        "possible": len(possible),
        "planted": len(results),
        "killed": len(results) - len(survivors),
        "timeouts": sum(result == "timeout" for _, result in results),
        "kill_rate": rate,
        "seed": chosen.seed,
        "seconds": round(time.monotonic() - started, 1),
        "survivors": [
            {name: value for name, value in asdict(one).items() if name != "source"}
            for one in survivors
        ],
    }
    if chosen.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{report['killed']} of {report['planted']} faults found ({rate:.0%})")
        for one in survivors:
            print(f"  {one.path}:{one.line}: {one.kind}: {one.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
