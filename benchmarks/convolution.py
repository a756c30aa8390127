"""Convolutional networks: accuracy in integers, spikes, and additions beside a dense pass.

Each is trained as ``spiker train`` does: the epoch is chosen on a validation split, and the test
samples are run through the reference once, at the end. An addition is one weight that one event
adds to one sum; a dense pass adds every weight that is not 0 in every step, and those of a static
input once. A network of one step is made one without states. Prints a table; ``--json`` keeps it
with the versions that made it, beside what other networks left there. ``--save`` writes the network
of the first seed.
"""

import argparse
import json
import platform
import statistics
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from spiker_hdl.model import Mapping, Network, encoders, reference
from spiker_hdl.model import save as save_network
from spiker_hdl.model.pruning.single_step import for_single_steps
from spiker_train import Recipe, load_dataset, train_network
from spiker_train.data.augmentation import Affine, Compose, Mirror, Shift, Sometimes

RESULTS = Path(__file__).parent / "results" / "convolution.json"
COUNTED = 1000
"""Test samples whose additions are counted."""
STATIC = {"weights": 4, "encoder": "graded", "static": True, "batch_norm": True}
DIGITS = Affine(rotation=8, scale=0.08, shift=1.5)
CLOTHES = Sometimes(Compose([Mirror(), Shift(1)]), 0.5)


def for_icebreaker(network: Network) -> Mapping:
    """Return the mapping with which a network of one step is built for an iCEBreaker."""
    mapping = Mapping.folded(network, 1)
    sums = dict.fromkeys(("hidden1", "hidden2"), "uninitialized")
    gather = {"hidden1": 32, "hidden2": 16}
    cores = {
        name: replace(core, sums=sums.get(name, "auto"), gather=gather.get(name, 1))
        for name, core in mapping.cores.items()
    }
    queues = dict.fromkeys(mapping.queues, 2)
    return Mapping.default(network, cores=cores, queues=queues, form="events", in_flight=1)


NETWORKS = {
    "mnist": {
        "data": "mnist",
        "augment": DIGITS,
        "layers": "28x28-16c3-p2-32c3-p2-32c3-p2-10",
        "steps": 2,
        "potentials": 12,
        "shifts": 2,
        "recipe": Recipe(12, 1, 64, 8e-3, activity_penalty=3e-4, max_shift=0, integer_rate=0.03),
        **STATIC,
    },
    "mnist small": {
        "data": "mnist",
        "augment": DIGITS,
        "layers": "28x28-12c3-p2-24c3-p2-24c3-p2-10",
        "steps": 2,
        "potentials": 10,
        "recipe": Recipe(13, 1, 64, 8e-3, activity_penalty=3e-4, max_shift=0, integer_rate=0.03),
        **STATIC,
    },
    "mnist icebreaker": {
        "data": "mnist",
        "augment": Affine(rotation=5, scale=0.05, shift=1.0),
        "layers": "28x28-16c5/2-24c5v/2-10",
        "steps": 1,
        "potentials": 10,
        "recipe": Recipe(28, 1, 64, 8e-3, activity_penalty=0, max_shift=0, integer_rate=0.03),
        "mapping": for_icebreaker,
        **STATIC,
    },
    "fashion": {
        "data": "fashion",
        "augment": CLOTHES,
        "layers": "28x28-16c3-p2-32c3-p2-64c3-p2-10",
        "steps": 2,
        "potentials": 12,
        "shifts": 2,
        "recipe": Recipe(15, 1, 64, 8e-3, activity_penalty=0, max_shift=0, integer_rate=0.03),
        **STATIC,
    },
    "fashion deep": {
        "data": "fashion",
        "augment": CLOTHES,
        "layers": "28x28-24c3-24c3-p2-48c3-48c3-p2-10",
        "steps": 2,
        "potentials": 12,
        "shifts": 2,
        "recipe": Recipe(9, 1, 64, 8e-3, activity_penalty=0, max_shift=0, integer_rate=0.03),
        **STATIC,
    },
    "fashion dense": {
        "data": "fashion",
        "augment": Sometimes(Shift(1), 0.25),
        "layers": "784-256-10",
        "steps": 4,
        "potentials": 14,
        "recipe": Recipe(30, 2, 128, 2e-3, activity_penalty=0, max_shift=0, integer_rate=0.01),
        **STATIC,
    },
}


def measure(name: str, seed: int, save: Path | None) -> dict:
    settings = dict(NETWORKS[name])
    data, layers = settings.pop("data"), settings.pop("layers")
    mapping_for = settings.pop("mapping", None)
    network, report = train_network(data, layers, seed=seed, progress=False, **settings)
    if settings["steps"] == 1:
        network = for_single_steps(network)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        mapping = None if mapping_for is None else mapping_for(network)
        save_network(network, save / f"{name.replace(' ', '_')}.spiker", mapping)
    del report["quantization"]
    report |= {"weight_bits": network.weight_bits, "digest": network.digest}
    return report | additions(network, load_dataset(data).x_test[:COUNTED], settings)


def additions(network: Network, values: np.ndarray, settings: dict) -> dict[str, float]:
    """Return the additions of a sample, driven by events and in a dense pass."""
    steps = settings["steps"]
    spikes = encoders.encoder_of(settings["encoder"])(values, steps)
    record = [population.name for population in network.populations if population.neuron.emits]
    trains = dict(reference.run(network, spikes, record=record).spikes)
    for node in network.inputs:
        trains[node.name] = spikes[:, :1] if node.static else spikes
    by_events, dense = 0.0, 0.0
    for projection in network.projections:
        fan_out = projection.synapses.fan_out()
        events = np.asarray(trains[projection.source]) != 0
        by_events += float((events @ fan_out).sum() / len(values))
        dense += float(fan_out.sum() * events.shape[1])
    return {"additions": by_events, "dense_additions": dense}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=f"of {', '.join(NETWORKS)}; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--save", type=Path, help="directory for the networks of the first seed")
    parser.add_argument("--threads", type=int, default=1, help="results depend on it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'network':<18} {'seed':>4} {'float':>8} {'rounded':>8} {'integers':>8} "
          f"{'spikes':>8} {'additions':>10} {'dense':>10} {'seconds':>8}")  # fmt: skip
    names = options.networks or list(NETWORKS)
    kept = json.loads(options.json.read_text()) if options.json.is_file() else {}
    for name in names:
        runs = []
        for seed in options.seeds:
            runs.append(measure(name, seed, options.save if seed == options.seeds[0] else None))
            row = runs[-1]
            reached = row["accuracy"]
            spikes = sum(count for layer, count in row["spikes"].items() if layer != "input")
            print(
                f"{name:<18} {seed:>4} {reached['float']:>8.2%} {reached['rounded']:>8.2%} "
                f"{reached['integers']:>8.2%} {spikes:>8.1f} {row['additions']:>10,.0f} "
                f"{row['dense_additions']:>10,.0f} {row['seconds']:>8.1f}",
                flush=True,
            )
        kept[name] = {
            "command": f"python benchmarks/convolution.py {name!r} --seeds "
            + " ".join(map(str, options.seeds)),
            "augmentation": repr(NETWORKS[name]["augment"]),
            "recipe": asdict(NETWORKS[name]["recipe"]),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "threads": options.threads,
            "versions": {package: version(package) for package in ("torch", "numpy", "scipy")},
            "median": statistics.median(run["accuracy"]["integers"] for run in runs),
            "runs": runs,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
