"""Plant faults in the sources, and see how many of them the fast tests find.

Each fault is one small change of one source file, in a copy of the project: an operator, the end of
a comparison, a constant, a condition, a bit range, a statement left out. ``faults.json`` lists the
faults that are planted: sixty in model and hardware, and sixty in all that turns a network into
files. The tests that are likely to find a fault run first: those of the module, then those of its
folder and whatever imports it, then all others. A fault that none finds survives.

Results are written after each fault, and a run goes on where an earlier one was stopped.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from _faults import Fault, places, plant, relocate

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
COPIED += ("constraints.txt", "pyproject.toml", "MANIFEST.in", "LICENSE")

MIRRORS = {
    "spiker_hdl": "tests/hdl",
    "spiker_train": "tests/train",
    "boards/spiker_boards": "tests/boards",
    "spiker_cli": "tests/cli",
}

# -- faults --------------------------------------------------------------------------------------


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
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow"]
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
                faults[n] = {
                    key: value for key, value in asdict(place).items() if key != "note" or value
                }
    FAULTS.write_text(json.dumps(lists, indent=1) + "\n")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
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
    return parser.parse_args(arguments)


def plant_all(
    picked: list[Fault], faults: list[Fault], results: dict[tuple, str], options: argparse.Namespace
) -> bool:
    """Plant faults that have no result yet, and add and write each result.

    Returns whether the tests pass without a fault, without which nothing is planted.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        scratch = Path(folder)
        copy(scratch)
        # A test that fails anyway would find every fault.
        if (
            not options.unproved
            and outcome(scratch, ["tests"], options.timeout * 3, options.jobs) != "survived"
        ):
            return False
        for n, fault in enumerate(picked):
            if results.get(fault.key) in RESULTS_OF_A_FAULT:
                continue
            result = verdict(scratch, fault, options.timeout, options.jobs, options.near)
            results[fault.key] = result
            print(f"{n + 1}/{len(picked)} {result}: {fault.path}: {fault.kind}", file=sys.stderr)
            text = json.dumps(report(faults, results, time.monotonic() - started), indent=1)
            RESULTS.write_text(text + "\n")
    return True


def show(picked: list[Fault], results: dict[tuple, str], seconds: float) -> None:
    """Print the counts of results, and the faults that no test found."""
    summary = report(picked, results, seconds)
    print({name: value for name, value in summary.items() if name != "faults"})
    for fault in picked:
        if results.get(fault.key) not in ("killed", "timeout"):
            note = f" ({fault.note})" if fault.note else ""
            print(
                f"  {results.get(fault.key)}: {fault.path}: {fault.before} -> {fault.after}{note}"
            )


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.relocate:
        return relocate_all()
    if options.draw:
        print(json.dumps([asdict(fault) for fault in draw(options.draw, options.seed)], indent=1))
        return 0

    lists = json.loads(FAULTS.read_text())
    faults = [Fault(**fault) for name in lists for fault in lists[name]]
    names = [options.set] if options.set else [*lists]
    picked = [Fault(**fault) for name in names for fault in lists[name]]
    picked = [fault for fault in picked if (options.only or "") in fault.path]
    results = {} if options.again else load(RESULTS)
    known = {fault.key for fault in faults}
    results = {key: result for key, result in results.items() if key in known}
    started = time.monotonic()
    if not plant_all(picked, faults, results, options):
        print("The fast tests must pass without a fault: make test", file=sys.stderr)
        return 1
    show(picked, results, time.monotonic() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
