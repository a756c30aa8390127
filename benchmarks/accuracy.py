"""Accuracy of the networks that ship, trained anew over seeds.

Each is trained as ``spiker train`` does: the epoch is chosen on a validation split, and the test
samples are run through the reference once, at the end. Prints a table; ``--json`` keeps it with
the versions that made it, beside what other tasks left there. ``--save``
writes the network of the first seed.
"""

import argparse
import json
import platform
import statistics
from importlib.metadata import version
from pathlib import Path

import torch

from spiker_train import train_network

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
MNIST = {
    "layers": "784-128-10",
    "steps": 4,
    "weights": 4,
    "potentials": 8,
    "encoder": "rate",
}
TASKS = {
    "mnist": MNIST,
    "fashion": MNIST,  # the same recipe, unchanged
    "digits": {
        "layers": "64-32-10",
        "steps": 4,
        "weights": 4,
        "potentials": 8,
        "encoder": "rate",
    },
}


def measure(task: str, seed: int, save: Path | None) -> dict:
    network, report = train_network(task, seed=seed, **TASKS[task])
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        network.save(save / f"{task}.spiker")
    del report["quantization"]
    return report | {"weight_bits": network.weight_bits, "digest": network.digest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="of mnist, fashion and digits; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--save", type=Path, help="directory for the networks of the first seed")
    parser.add_argument("--threads", type=int, default=1, help="results depend on it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'data':<8} {'seed':>4} {'float':>8} {'rounded':>8} {'integers':>8} "
          f"{'input':>7} {'hidden':>7} {'seconds':>8}")  # fmt: skip
    runs = []
    for task in options.tasks or TASKS:
        for seed in options.seeds:
            save = options.save if seed == options.seeds[0] else None
            runs.append(measure(task, seed, save))
            row = runs[-1]
            reached, spikes = row["accuracy"], row["spikes"]
            print(
                f"{task:<8} {seed:>4} {reached['float']:>8.2%} {reached['rounded']:>8.2%} "
                f"{reached['integers']:>8.2%} {spikes['input']:>7.1f} {spikes['hidden']:>7.1f} "
                f"{row['seconds']:>8.1f}",
                flush=True,
            )
    kept = json.loads(options.json.read_text()) if options.json.is_file() else {}
    for task in options.tasks or TASKS:
        own = [entry for entry in runs if entry["data"] == task]
        median = statistics.median(entry["accuracy"]["integers"] for entry in own)
        print(f"{task}: median {median:.2%} over seeds {options.seeds}")
        kept[task] = {
            "command": f"python benchmarks/accuracy.py {task}",
            "python": platform.python_version(),
            "machine": platform.machine(),
            "threads": options.threads,
            "versions": {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
            "median": median,
            "runs": own,
        }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
