"""Time that elaboration takes, by number of populations.

Chains with skips and recurrence become RTLIL; what counts is processor time, of one thread. Prints
a table; ``--json`` keeps it with the versions that made it.
"""

import argparse
import json
import platform
import subprocess
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
from amaranth.back import rtlil

from spiker_hdl.model import Decay, Input, Lif, Network, Population, Projection, Readout
from spiker_hdl.rtl import Accelerator

RESULTS = Path(__file__).parent / "results" / "elaboration.json"
CHANNELS = 8


def chain(count: int, size: int) -> Network:
    """Make a chain; every third population is skipped to, every fifth leads back."""
    draw = np.random.default_rng(0)

    def link(source: str, target: str, delay: int = 0) -> Projection:
        width = CHANNELS if source == "in" else size
        return Projection(source, target, draw.integers(-7, 8, (size, width)), delay)

    names = [f"p{n}" for n in range(count)]
    neuron = Lif(width=8, threshold=20, decay=Decay.shift(3))
    links = [link("in", names[0])]
    for n in range(1, count):
        links.append(link(names[n - 1], names[n]))
        if n >= 2 and n % 3 == 0:
            links.append(link(names[n - 2], names[n], 2))
        if n >= 3 and n % 5 == 0:
            links.append(link(names[n], names[n - 3], 1))
    populations = [Population(name, size, neuron) for name in names]
    return Network([Input("in", CHANNELS)], populations, links, [Readout(names[-1])])


def measure(count: int, size: int) -> dict:
    marks = [time.process_time()]
    network = chain(count, size)
    marks.append(time.process_time())
    accelerator = Accelerator(network)
    marks.append(time.process_time())
    text = rtlil.convert(accelerator, emit_src=False)
    marks.append(time.process_time())
    seconds = [round(b - a, 2) for a, b in pairwise(marks)]
    return {
        "populations": count,
        "neurons": size,
        "projections": len(network.projections),
        "rtlil_bytes": len(text),
        "seconds": dict(zip(("network", "accelerator", "rtlil"), seconds, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--populations", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--neurons", type=int, default=16)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    runs = []
    print("populations  projections  network s  accelerator s  rtlil s")
    for count in options.populations:
        row = measure(count, options.neurons)
        runs.append(row)
        seconds = row["seconds"]
        print(
            f"{count:>11}  {row['projections']:>11}  {seconds['network']:>9}  "
            f"{seconds['accelerator']:>13}  {seconds['rtlil']:>7}",
            flush=True,
        )
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    kept = {
        "command": "python benchmarks/elaboration.py",
        "commit": done.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("amaranth", "numpy")},
        "runs": runs,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
