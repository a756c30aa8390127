"""Clock cycles of the shipped MNIST networks, from the first event to the answer.

The first test images run through the hardware, simulated cycle by cycle, each alone in the machine:
spikes that are new in each step, and pixels of one bit that are static; with a lane for each neuron
and with fewer. Every answer is compared with the reference. Prints a table; ``--json`` keeps it
with the versions and the commit that made it.
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

import spiker_hdl
from spiker_hdl.model import Mapping, encoders, load
from spiker_train.data.images import load_dataset

HERE = Path(__file__).parent
NETWORKS = HERE.parent / "networks"
NETWORK, STATIC = NETWORKS / "mnist.spiker", NETWORKS / "mnist_static.spiker"
RESULTS = HERE / "results" / "cycles.json"
TARGET = 700
SPIKER = 91_779  # measured with its own VHDL, in GHDL, on MNIST 784-128-10 at T = 100
SMALL = 8  # lanes of the small variant


def measure(network, spikes, labels, mapping, engine: str, lanes: str) -> dict:
    began = time.monotonic()
    expected = spiker_hdl.run(network, spikes)
    result = spiker_hdl.run(network, spikes, engine=engine, mapping=mapping)
    cycles = np.asarray(result.cycles)
    return {
        "lanes": lanes,
        "engine": result.engine,
        "samples": len(cycles),
        "mismatches": len(expected.differences(result)),
        "accuracy": float((result.classes == labels).mean()),
        "input_events": float(spikes.sum(axis=(1, 2)).mean()),
        "spikes": {name: float(count.mean()) for name, count in result.counts.items()},
        "mean": float(cycles.mean()),
        "median": float(np.median(cycles)),
        "p99": int(np.percentile(cycles, 99, method="inverted_cdf")),
        "max": int(cycles.max()),
        "seconds": round(time.monotonic() - began, 1),
    }


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--engine", default="auto", help="amaranth, compiled, or auto")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    network = load(NETWORK)
    data = load_dataset("mnist")
    encode = encoders.ENCODERS[network.note["encoder"]]
    spikes = encode(data.x_test[: options.samples], int(network.note["steps"]))
    labels = data.y_test[: options.samples]
    print(
        f"{'lanes':<16} {'samples':>7} {'mean':>8} {'median':>8} {'p99':>6} {'max':>6} "
        f"{'mismatches':>10} {'seconds':>8}"
    )
    runs = []
    static = load(STATIC)
    pixels = encoders.encoder_of(static.note["encoder"])(
        data.x_test[: options.samples], int(static.note["steps"])
    )
    few = max(1, len(spikes) // 10)
    for lanes, net, samples, mapping in (
        ("one a neuron", network, spikes, Mapping.default(network)),
        (f"at most {SMALL}", network, spikes[:few], Mapping.folded(network, SMALL)),
        ("static, one each", static, pixels, Mapping.default(static)),
        (f"static, at most {SMALL}", static, pixels[:few], Mapping.folded(static, SMALL)),
    ):
        runs.append(measure(net, samples, labels[: len(samples)], mapping, options.engine, lanes))
        row = runs[-1]
        print(
            f"{lanes:<16} {row['samples']:>7} {row['mean']:>8.1f} {row['median']:>8.1f} "
            f"{row['p99']:>6} {row['max']:>6} {row['mismatches']:>10} {row['seconds']:>8.1f}",
            flush=True,
        )
    mean = runs[0]["mean"]
    print(f"Spiker, measured: {SPIKER:,} cycles an image: {SPIKER / mean:.0f} times as many")
    document = {
        "command": shlex.join(["python", "benchmarks/cycles.py", *sys.argv[1:]]),
        "commit": commit(),
        "networks": {f"networks/{file.name}": load(file).digest for file in (NETWORK, STATIC)},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("amaranth", "numpy")},
        "spiker_measured": SPIKER,
        "runs": runs,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    failed = any(entry["mismatches"] for entry in runs) or mean > TARGET
    if failed:
        print(
            f"There must be no mismatches, and at most {TARGET} cycles in the mean", file=sys.stderr
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
