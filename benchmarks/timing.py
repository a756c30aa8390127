"""How long it takes to predict the cycles of samples, where neurons share lanes.

The first test images run through the timing model of the shipped MNIST network, in every preset:
each image alone in a machine, and in a hundred streams. Some of them run through the hardware, too,
simulated cycle by cycle, and every cycle is compared. Prints a table; ``--json`` keeps it with the
versions and the commit that made it.
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

import spiker_hdl
from spiker_hdl.model import Mapping, encoders, load, timing
from spiker_hdl.model.mapping.mapping import PRESETS
from spiker_train.data.images import load_dataset

HERE = Path(__file__).parent
NETWORK = HERE.parent / "networks" / "mnist.spiker"
RESULTS = HERE / "results" / "timing.json"
TARGET = 10.0  # seconds for 300 images, each alone, in the smallest mapping
STREAMS = (None, 100)


def measure(network, spikes, preset: str, compared: int) -> list[dict]:
    mapping = Mapping.preset(preset, network)
    result = spiker_hdl.run(network, spikes[:compared], engine="auto", mapping=mapping)
    rows = []
    for streams in STREAMS:
        if streams is not None and streams > len(spikes):
            continue
        began = time.perf_counter()
        predicted = timing.predict(network, spikes, mapping=mapping, streams=streams)
        seconds = time.perf_counter() - began
        wrong = (
            int((predicted.cycles[:compared] != result.cycles).sum()) if streams is None else None
        )
        rows.append({
            "preset": preset,
            "streams": len(spikes) if streams is None else streams,
            "samples": len(spikes),
            "cycles": int(predicted.cycles.sum()),
            "seconds": round(seconds, 2),
            "compared": compared if streams is None else 0,
            "mismatches": wrong,
        })
    return rows


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--compared", type=int, default=20, help="that are simulated, too")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    network = load(NETWORK)
    encode = encoders.ENCODERS[network.note["encoder"]]
    images = load_dataset("mnist").x_test[: options.samples]
    spikes = encode(images, int(network.note["steps"]))
    rows = []
    print(f"{'preset':<10} {'streams':>7} {'samples':>7} {'cycles':>11} {'seconds':>8} mismatches")
    for preset in PRESETS:
        for row in measure(network, spikes, preset, min(options.compared, len(spikes))):
            rows.append(row)
            wrong = "" if row["mismatches"] is None else f"{row['mismatches']} of {row['compared']}"
            print(
                f"{preset:<10} {row['streams']:>7} {row['samples']:>7} {row['cycles']:>11,} "
                f"{row['seconds']:>8.2f} {wrong}",
                flush=True,
            )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "command": shlex.join(["python", "benchmarks/timing.py", *sys.argv[1:]]),
        "commit": commit(),
        "network": {"networks/mnist.spiker": network.digest},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("amaranth", "numpy")},
        "rows": rows,
    }
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    alone = max(row["seconds"] for row in rows if row["streams"] == row["samples"])
    failed = alone > TARGET or any(row["mismatches"] for row in rows)
    if failed:
        print(
            f"Every cycle must be that of the simulation, and {options.samples} images must take "
            f"at most {TARGET:g} s, not {alone:g}",
            file=sys.stderr,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
