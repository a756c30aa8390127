"""Make the golden files that are missing; loops, not the library, say what they must answer.

Files that are there stay as they are: what a seed draws changes as the random networks grow, but a
file and its answer must not.
"""

import json
from pathlib import Path
from random import Random

from support import naive
from support.networks import random_network, random_spikes

SEEDS = (1, 2, 3, 5, 8, 13, 21, 34)


def make(directory: Path) -> None:
    """Write a network and its answers for each seed without a file."""
    for n, seed in enumerate(SEEDS):
        path = directory / f"random_{seed}.spiker"
        if path.exists():
            continue
        random = Random(seed)
        network = random_network(random, populations=(2, 4), neurons=(1, 10), channels=(2, 8))
        window = 4 if n % 4 == 3 else None
        spikes = random_spikes(network, random, 2, 8)
        spikes = {name: train.tolist() for name, train in spikes.items()}
        answers = {readout.name: [] for readout in network.readouts}
        record: dict = {}
        for sample in range(2):
            sample_spikes = {name: train[sample] for name, train in spikes.items()}
            result, seen = naive.simulate(network, sample_spikes, window)
            for name, value in result.items():
                answers[name].append(value)
            for name, value in seen.items():
                record.setdefault(name, []).append(value)
        network.save(path)
        document = {"spikes": spikes, "window": window, "answers": answers, "record": record}
        path.with_suffix(".json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    make(Path(__file__).parent)
