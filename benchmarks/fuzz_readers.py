"""Damage files of every reader, and see that each is read or refused, in bounded time and memory.

Files are made by ``tests/support/readers.py``, and damaged by ``tests/support/mutations.py``:
trial N is the same each time. The trials run in processes of their own, each a part of them, so
that one that never returns or dies is found too.
"""

import argparse
import faulthandler
import json
import multiprocessing
import platform
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/fuzz_readers.json"
PART = 10_000
PATIENCE = 1800.0
"""Seconds for a part of the trials, of which each has its own limit."""


def part(start: int, count: int, pipe: Any) -> None:
    """Make some of the trials, and send what came of them."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support import readers

    faulthandler.dump_traceback_later(PATIENCE - 10, exit=True)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = readers.fuzz(Path(folder), count, start)
    outcomes = [[name, what, times] for (name, what), times in sorted(result.outcomes.items())]
    pipe.send({
        "faults": result.faults,
        "outcomes": outcomes,
        "slowest": result.slowest,
        "largest": result.largest,
        "count": result.count,
        "seconds": time.process_time() - began,
    })


def run(start: int, count: int) -> dict[str, Any]:
    """Run a part in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=part, args=(start, count, there))
    process.start()
    there.close()
    try:
        result = here.recv() if here.poll(PATIENCE) else None
    except EOFError:
        result = None
    process.join(10)
    process.kill()
    fault = f"trials {start} to {start + count - 1}: a process that dies or never returns"
    empty = {"outcomes": [], "slowest": 0.0, "largest": 0, "count": 0, "seconds": 0.0}
    return {"faults": [fault]} | empty if result is None else result


def main() -> int:
    """Run all trials, print and write what came of them, and return 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="files to damage")
    parser.add_argument("--start", type=int, default=0, help="number of the first")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON file to write")
    options = parser.parse_args()
    faults, outcomes, parts = [], Counter(), []
    starts = range(options.start, options.start + options.count, PART)
    counts = [min(PART, options.start + options.count - start) for start in starts]
    with ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(run, starts, counts):
            parts.append(result)
            faults += result["faults"]
            for name, what, times in result["outcomes"]:
                outcomes[name, what] += times
            done = sum(piece["count"] for piece in parts)
            print(f"{done:,} files, {len(faults)} faults", flush=True)
    report = {
        "files": sum(piece["count"] for piece in parts),
        "first": options.start,
        "faults": faults,
        "beyond_2_s": sum(" s" in fault and ": takes" in fault for fault in faults),
        "beyond_1_GB": sum("bytes" in fault and ": takes" in fault for fault in faults),
        "slowest_s": round(max(piece["slowest"] for piece in parts), 2),
        "largest_MB": max(piece["largest"] for piece in parts) >> 20,
        "seconds": round(sum(piece["seconds"] for piece in parts)),
        "readers": {
            name: {what: outcomes[name, what] for what in ("read", "refused", "fault")}
            for name in sorted({name for name, _ in outcomes})
        },
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numpy", "torch", "h5py", "safetensors")},
    }
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    for name, row in report["readers"].items():
        print(f"{name:60} {row['read']:6} read {row['refused']:6} refused {row['fault']:3} faults")
    print(f"slowest {report['slowest_s']} s, largest {report['largest_MB']} MB")
    for fault in faults[:50]:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
