"""N-MNIST, 1,100 recordings of an event camera: five-fold accuracy in integers, and cycles.

The network takes the camera's addresses as they are, 2x34x34, in steps of 52.5 ms, two for each of
the camera's three movements: a pixel counts once in a step. Each fold is answered by a network that
was trained on the four others alone, with events moved at random, first in floating point, then in
the integers of the hardware; no recording is set aside, and the weights after the last epoch count.
The reference answers the recordings of each fold once. The settings were chosen on the recordings
of the first two folds, so that the mean of the other three stands beside that of all. The fixed 100
are N-MNIST's own test recordings, answered by a network that was trained on the other 1,000.

Cycles are those of the timing model, with a beat for each event, each recording alone in the
machine; recordings are simulated too, cycle by cycle. Prints a table; ``--json`` keeps it with the
versions and the commit that made it.
"""

import argparse
import json
import math
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t

import spiker_hdl
from spiker_hdl.model import (
    Convolution,
    Decay,
    Integrator,
    Lif,
    Mapping,
    Network,
    Result,
    reference,
)
from spiker_hdl.model.timing import predict
from spiker_train import (
    Cell,
    EventDataset,
    FastSigmoid,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    equalize_channels,
    load_data,
    quantize,
    train,
)
from spiker_train.data.augmentation import Affine, Compose, Drop, Jitter
from spiker_train.data.recordings import Recordings

RESULTS = Path(__file__).parent / "results" / "camera.json"
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
BEGIN, END = "<!-- camera: written by benchmarks/camera.py -->", "<!-- end of camera -->"
FOLDS = 5
SPLIT = 123  # seed of the order in which recordings are divided into folds
CHOSEN_ON = 2  # folds, the first ones, on whose recordings settings were compared
SIMULATED = ("fold 0", "fixed test set")
AT_ONCE = "windows at once"
"""Mapping of the fixed test set beside the default one."""

STEPS, DT = 6, 0.0525
LAYERS = "2x34x34-16c5/2-32c3-p2-32c3-p2-10"
WEIGHTS, POTENTIALS = 4, 10
EPOCHS = (60, 20)
"""In floating point, and then in integers."""

LEARNING_RATE, BATCH = 4e-3, 32
MOVED = Compose([Drop(0.15), Affine(12, 0.12, 3), Jitter(0.003)])
CHANCE = 0.95
"""Of the intervals."""


def whole(data: EventDataset) -> EventDataset:
    """Return a data set whose training part has all recordings, the fixed test part at its end."""
    parts = data.x_train, data.x_test
    recordings = Recordings(
        np.concatenate([part.ticks for part in parts]),
        np.concatenate([part.flat for part in parts]),
        np.concatenate([parts[0].offset, parts[0].offset[-1] + parts[1].offset[1:]]),
        data.shape,
        np.concatenate([part.durations for part in parts]),
        parts[0].unit,
    )
    labels = np.concatenate([data.y_train, data.y_test])
    return replace(data, x_train=recordings, y_train=labels)


def trained(data: EventDataset, members: np.ndarray, seed: int, epochs: tuple[int, int]) -> Network:
    """Train a network on some recordings, first in floating point, then in integers."""
    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(2), surrogate=FastSigmoid(1.0))
    output = Cell(Integrator, decay=Decay.shift(2))
    net = SpikingNetwork.chain(LAYERS, cell=cell, output=output, bias=True, seed=seed)
    labels = data.y_train[members]

    def dense(chosen: np.ndarray, generator: np.random.Generator | None = None) -> np.ndarray:
        moved = {"augment": MOVED, "generator": generator} if generator is not None else {}
        return data.dense("train", members[chosen], steps=STEPS, dt=DT, **moved)

    # The epoch is not chosen: these are recordings of the training itself, of which all are right
    # in the end, and of epochs that are as good, the last one counts.
    some = np.arange(100)
    seen = dense(some), labels[some]
    options = TrainingOptions(
        epochs=epochs[0],
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        seed=seed,
        progress=False,
        title="floating point",
    )
    train(net, dense, labels, options, validation=seen)
    net, settings = equalize_channels(net, Quantization(WEIGHTS, POTENTIALS))
    integers = settings.fit(net)
    options = replace(options, epochs=epochs[1], learning_rate=LEARNING_RATE / 2, title="integers")
    train(net, dense, labels, options, validation=seen, integers=integers)
    notes = {
        "data": data.name,
        "dt": str(DT),
        "steps": str(STEPS),
        "seed": str(seed),
        "command": "python benchmarks/camera.py --save networks",
    }
    return quantize(net, integers, max_steps=STEPS, name=data.name, notes=notes)


def measured(
    network: Network, data: EventDataset, members: np.ndarray, simulated: bool, at_once: bool
) -> dict:
    """Answer recordings by the reference, predict their cycles, and simulate them."""
    spikes = data.dense("train", members, steps=STEPS, dt=DT)
    result = reference.run(network, spikes)
    right = result.classes == data.y_train[members]
    mapping = Mapping.default(network, form="events")
    row = {
        "recordings": len(members),
        "right": int(right.sum()),
        "accuracy": float(right.mean()),
        "camera_events": float(np.diff(data.x_train.offset)[members].mean()),
        "input_events": float(spikes.sum(axis=(1, 2), dtype=np.int64).mean()),
        "spikes": {name: float(count.mean()) for name, count in result.counts.items()},
        "weight_bits": network.weight_bits,
        "digest": network.digest,
        **timed(network, spikes, mapping, result, simulated),
    }
    if at_once:
        row[AT_ONCE] = timed(network, spikes, windows_at_once(network), result, simulated)
    return row


def windows_at_once(network: Network) -> Mapping:
    """Return a mapping that adds an event to all positions of a window in a cycle."""
    mapping = Mapping.balanced(network, form="events")
    convolutions = {
        projection.target
        for projection in network.projections
        if isinstance(projection.synapses, Convolution)
    }
    cores = {
        name: replace(core, positions="window") if name in convolutions else core
        for name, core in mapping.cores.items()
    }
    return replace(mapping, cores=cores)


def timed(
    network: Network, spikes: np.ndarray, mapping: Mapping, expected: Result, simulated: bool
) -> dict:
    """Return the predicted cycles of recordings, and what simulations differ in."""
    cycles = predict(network, spikes, mapping=mapping).cycles
    row: dict = {
        "cycles": float(cycles.mean()),
        "p99_cycles": int(np.percentile(cycles, 99, method="inverted_cdf")),
        "cycles_an_event": float(cycles.sum() / spikes.sum(dtype=np.int64)),
    }
    if simulated:
        hardware = spiker_hdl.run(network, spikes, engine="auto", mapping=mapping)
        row["simulated"] = {
            "engine": hardware.engine,
            "recordings": len(spikes),
            "differences": len(expected.differences(hardware)),
            "other_cycles": int((np.asarray(hardware.cycles) != cycles).sum()),
        }
    return row


def wilson(right: int, count: int) -> list[float]:
    """Return the interval of a share, after Wilson (1927)."""
    z = 1.959964
    share, spread = right / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / count / 4) / (1 + spread)
    return [middle - half, middle + half]


def summary(folds: list[dict]) -> dict:
    """Return the mean of folds with its intervals: over recordings, and over folds."""
    shares = [fold["accuracy"] for fold in folds]
    right, count = (sum(fold[name] for fold in folds) for name in ("right", "recordings"))
    mean, spread = float(np.mean(shares)), float(np.std(shares, ddof=1))
    half = float(t.ppf((1 + CHANCE) / 2, len(shares) - 1)) * spread / math.sqrt(len(shares))
    return {
        "mean": mean,
        "recordings": count,
        "interval_over_recordings": wilson(right, count),
        "interval_over_folds": [mean - half, mean + half],
        "untouched_folds": float(np.mean(shares[CHOSEN_ON:])),
    }


def table(document: dict) -> str:
    """Return the table of the page, and what it comes to."""
    lines = [
        "| tested on | right | events | spikes | cycles | an event | simulated | differences |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in document["rows"].items():
        run = row.get("simulated", {"recordings": "", "differences": ""})
        lines.append(
            f"| {name} ({row['recordings']}) | {row['accuracy']:.2%} | {row['input_events']:,.0f} "
            f"| {sum(row['spikes'].values()):,.0f} | {row['cycles']:,.0f} "
            f"| {row['cycles_an_event']:.1f} | {run['recordings']} | {run['differences']} |"
        )
    row = document["rows"]["fixed test set"][AT_ONCE]
    run = row["simulated"]
    lines.append(
        f"| the same, {AT_ONCE} | | | | {row['cycles']:,.0f} | {row['cycles_an_event']:.1f} "
        f"| {run['recordings']} | {run['differences']} |"
    )
    total, fixed = document["summary"], document["rows"]["fixed test set"]["accuracy"]
    spans = total["interval_over_recordings"], total["interval_over_folds"]
    recordings, folds, alone = (
        f"{low:.1%} to {high:.1%}" for low, high in (*spans, document["fixed_interval"])
    )
    events = np.mean([row["camera_events"] for row in list(document["rows"].values())[:FOLDS]])
    lines += [
        "",
        f"The camera sent {events:,.0f} events a recording. "
        f"Mean of the five folds: {total['mean']:.2%}, with 95 % intervals of {recordings} over "
        f"the {total['recordings']:,} recordings (Wilson) and {folds} over the folds (Student). "
        f"Mean of folds 2 to 4, on which no setting was chosen: {total['untouched_folds']:.2%}. "
        f"The fixed test set: {fixed:.2%} ({alone}).",
    ]
    return "\n".join(lines)


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(
        asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, nargs=2, default=EPOCHS, help="float, integers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="results depend on it")
    parser.add_argument("--save", type=Path, help="directory for the network of the fixed test set")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts = load_data("nmnist")
    data, fixed = whole(parts), len(parts.x_train)
    count = len(data.x_train)
    order = np.random.Generator(np.random.PCG64(SPLIT)).permutation(count)
    tests = {f"fold {n}": part for n, part in enumerate(np.array_split(order, FOLDS))}
    tests["fixed test set"] = np.arange(fixed, count)
    print(f"{'tested':<15} {'accuracy':>8} {'events':>7} {'spikes':>7} {'cycles':>8} "
          f"{'an event':>8} {'simulated':>9} {'differ':>6} {'seconds':>8}")  # fmt: skip
    rows = {}
    for name, members in tests.items():
        began = time.process_time()
        others = np.setdiff1d(order, members)
        network = trained(data, others, options.seed, tuple(options.epochs))
        fixed_set = name == "fixed test set"
        rows[name] = measured(network, data, members, name in SIMULATED, fixed_set)
        rows[name]["processor_seconds"] = round(time.process_time() - began, 1)
        show(name, rows[name])
        if options.save is not None and fixed_set:
            options.save.mkdir(parents=True, exist_ok=True)
            network.save(options.save / "nmnist.spiker")
    folds = [row for name, row in rows.items() if name.startswith("fold")]
    document = {
        "command": shlex.join(["python", "benchmarks/camera.py", *sys.argv[1:]]),
        "commit": commit(),
        "layers": LAYERS,
        "steps": STEPS,
        "dt": DT,
        "weights": WEIGHTS,
        "potentials": POTENTIALS,
        "epochs": list(options.epochs),
        "learning_rate": LEARNING_RATE,
        "augmentation": str(MOVED),
        "seed": options.seed,
        "threads": options.threads,
        "pretraining": None,
        "summary": summary(folds),
        "fixed_interval": wilson(*(rows["fixed test set"][n] for n in ("right", "recordings"))),
        "rows": rows,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("amaranth", "numpy", "scipy", "torch")},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.json == RESULTS:
        before, _, rest = PAGE.read_text().partition(f"{BEGIN}\n")
        after = rest.partition(f"\n{END}")[2]
        PAGE.write_text(f"{before}{BEGIN}\n{table(document)}\n{END}{after}")
    print(table(document).rpartition("\n\n")[2])
    runs = [rows[name]["simulated"] for name in SIMULATED]
    runs.append(rows["fixed test set"][AT_ONCE]["simulated"])
    wrong = any(run["differences"] or run["other_cycles"] for run in runs)
    if wrong:
        print("Hardware must answer as the reference, in the cycles predicted", file=sys.stderr)
    return int(wrong)


def show(name: str, row: dict) -> None:
    """Print a line of the table."""
    hidden = sum(row["spikes"].values())
    run = row.get("simulated", {"recordings": 0, "differences": 0})
    print(
        f"{name:<15} {row['accuracy']:>8.2%} {row['input_events']:>7.0f} {hidden:>7.0f} "
        f"{row['cycles']:>8,.0f} {row['cycles_an_event']:>8.1f} {run['recordings']:>9} "
        f"{run['differences']:>6} {row['processor_seconds']:>8.1f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
