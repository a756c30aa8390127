"""Time of the reference's convolutions beside PyTorch's, for sums that are exact in float32.

One thread, runs in turns, medians of the ratios within a round. PyTorch's tensors hold the same
integers as the reference's arrays in the same format, and both answers are compared. Prints a
table, and writes ``benchmarks/results/convolution_reference.json``.
"""

import argparse
import json
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
import torch

from spiker_hdl.model import Convolution

RESULTS = Path(__file__).parent / "results" / "convolution_reference.json"
DENSITY = 0.1
EVENTS = 2**19
"""Entries of the spikes of a run, so that all rows have runs of a similar length."""

CASES = [
    # kernel (outputs, channels / groups, *size), positions, stride, padding, groups
    ((16, 1, 3, 3), (28, 28), 1, 1, 1),
    ((12, 1, 5, 5), (28, 28), 1, 0, 1),
    ((64, 12, 5, 5), (12, 12), 1, 0, 1),
    ((32, 16, 3, 3), (14, 14), 1, 1, 1),
    ((32, 2, 5, 5), (34, 34), 1, 0, 1),
    ((32, 32, 3, 3), (17, 17), 2, 1, 1),
    ((64, 64, 3, 3), (8, 8), 1, 1, 1),
    ((64, 64, 1, 1), (16, 16), 1, 0, 1),
    ((32, 1, 3, 3), (16, 16), 1, 1, 32),
    ((32, 16, 5), (200,), 1, 2, 1),
]


def measure(case: tuple, rounds: int) -> dict:
    """Time one convolution in turns; return what was run, and the medians."""
    shape, positions, stride, padding, groups = case
    draw = np.random.default_rng(0)
    kernel = draw.integers(-7, 8, shape)
    source = shape[1] * groups, *positions
    synapses = Convolution(kernel, source, stride, padding, groups=groups)
    samples = max(1, EVENTS // synapses.source_size)
    events = (draw.random((samples, synapses.source_size)) < DENSITY).astype(np.float32)
    maps = torch.from_numpy(events).reshape(samples, *source)
    weights = torch.from_numpy(kernel).float()
    convolve = torch.nn.functional.conv1d if len(shape) == 3 else torch.nn.functional.conv2d
    pairs = []
    for _ in range(rounds + 1):
        began = time.process_time()
        sums = synapses.sums(events)
        between = time.process_time()
        expected = convolve(maps, weights, None, stride, padding, 1, groups)
        pairs.append((between - began, time.process_time() - between))
    if not np.array_equal(sums.ravel(), expected.numpy().ravel()):
        raise SystemExit(f"Sums of {synapses!r} must be PyTorch's")
    own, theirs = (1000 * float(np.median(times)) for times in zip(*pairs[1:], strict=True))
    return {
        "convolution": repr(synapses),
        "stride": stride,
        "groups": groups,
        "samples": samples,
        "reference ms": round(own, 1),
        "PyTorch ms": round(theirs, 1),
        "times PyTorch": round(float(np.median([a / b for a, b in pairs[1:]])), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="runs of each row")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    print(f"{'convolution':<52} stride  groups  samples  reference ms  PyTorch ms   ratio")
    for case in CASES:
        run = measure(case, options.rounds)
        runs.append(run)
        print(
            f"{run['convolution']:<52} {run['stride']:>6}  {run['groups']:>6}  "
            f"{run['samples']:>7}  {run['reference ms']:>12}  {run['PyTorch ms']:>10}  "
            f"{run['times PyTorch']:>6}",
            flush=True,
        )
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    report = {
        "command": "python benchmarks/convolution_reference.py",
        "commit": done.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("torch", "numpy")},
        "density": DENSITY,
        "rounds": options.rounds,
        "runs": runs,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
