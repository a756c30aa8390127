"""Time to quantise convolutions: unrolled into sparse synapses, by number of weights, and kept.

A convolution of 3x3 from 16 channels to 32 over pictures of growing sides becomes a sparse
projection; what is timed is folding it, making the network of real numbers, quantising that and
taking the digest of what comes out. A network of 2x34x34 inputs and two convolutions of 5x5 to 32
channels stays convolutional; it is quantised with potentials of 8 bits, of as many as the bounds
prove to suffice, and with scales per channel. Prints a table; ``--json`` keeps it with the versions
that made it.
"""

import argparse
import json
import platform
import resource
import subprocess
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from spiker_hdl.model import Input, Lif, Readout
from spiker_train import Cell, Connection, Layer, SpikingNetwork, quantize
from spiker_train.linear.compose import Conv, compose

RESULTS = Path(__file__).parent / "results" / "quantize_time.json"
STAGES = ("folded", "network", "quantised", "digest")
LAYERS = "2x34x34-32c5-p2-32c5-p2-10"
SETTINGS = {
    "8 bits": {},
    "bounds": {"potentials": "bounds", "readout": "count"},
    "channel scales": {"channel_scales": True},
}


def measure(side: int) -> dict:
    kernel = np.random.default_rng(0).normal(size=(32, 16, 3, 3))
    shape = (16, side, side)
    marks = [time.perf_counter()]
    folded = compose([Conv(kernel, padding=1)], shape, limit=2**22)
    marks.append(time.perf_counter())
    net = SpikingNetwork(
        [Input("in", shape)],
        [Layer("out", folded.output_shape, Cell(Lif, threshold=1.0, decay=0.9))],
        [Connection("in", "out", folded.matrix(), kind="sparse", mask=folded.entries.mask())],
        [Readout("out", "count")],
    )
    marks.append(time.perf_counter())
    network = quantize(net)
    marks.append(time.perf_counter())
    digest = network.digest
    marks.append(time.perf_counter())
    seconds = [round(b - a, 2) for a, b in pairwise(marks)]
    return {
        "side": side,
        "pairs": net.connections[0].weights.numel(),
        "weights": len(folded.entries),
        "not zero": int(np.count_nonzero(network.projections[0].synapses.values)),
        "digest": digest,
        "seconds": dict(zip(STAGES, seconds, strict=True)),
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def measure_kept(name: str) -> dict:
    options = dict(SETTINGS[name])
    net = SpikingNetwork.chain(LAYERS, bias=True, readout=options.pop("readout", "last"))
    start = time.perf_counter()
    network = quantize(net, **options)
    seconds = round(time.perf_counter() - start, 2)
    return {"settings": name, "layers": LAYERS, "digest": network.digest, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[4, 8, 12, 16])
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    print("  weights       pairs  folded s  network s  quantised s  digest s")
    for side in options.sides:
        run = measure(side)
        runs.append(run)
        seconds = run["seconds"]
        print(
            f"{run['weights']:>9,}  {run['pairs']:>10,}  {seconds['folded']:>8}  "
            f"{seconds['network']:>9}  {seconds['quantised']:>11}  {seconds['digest']:>8}",
            flush=True,
        )
    kept = [measure_kept(name) for name in SETTINGS]
    for run in kept:
        print(f"{LAYERS}, kept, {run['settings']}: {run['seconds']} s", flush=True)
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    results = {
        "command": "python benchmarks/quantize_time.py",
        "commit": done.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("torch", "numpy")},
        "runs": runs,
        "kept": kept,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
