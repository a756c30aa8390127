"""Learning in integers, one sample at a time, by rules that hardware can follow.

``supervised``: 784-H-10 with weights of 8 bits. Output errors are small integers, hidden errors
come back through the output weights, and weights change once at the end of a sample, with
stochastic rounding; the shift of the changes grows by 1 after each epoch. Pixels are thermometer
codes: pixel p of 255 fires in the first ``round(T * p / 255)`` steps.

``unsupervised``: STDP and homeostasis in one winner-take-all population. Labels are assigned to
neurons by their responses to training images alone. Pixels are Bernoulli spikes, whose expected
number is the same for all images.

The test images are run once, at the end, through the frozen network. Prints a line for each part of
an epoch, and writes ``benchmarks/results/learning.json``.
"""

import argparse
import json
import os
import platform
import subprocess
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np

from spiker_hdl.model import (
    Accumulator,
    Decay,
    DeltaRule,
    Feedback,
    Homeostasis,
    Input,
    LearningState,
    Lif,
    Network,
    OutputDelta,
    Population,
    PostStdp,
    Projection,
    Readout,
    WinnerTakeAll,
    learn,
    reference,
)
from spiker_train.data.load import load_data

RESULTS = Path(__file__).parent / "results" / "learning.json"
CHUNK = 2500
CLASSES = 10

SUPERVISED = {
    "mnist": {"steps": 5, "threshold": 512, "temperature": 5, "hidden": 8, "output": 3},
    "fashion": {"steps": 8, "threshold": 1024, "temperature": 6, "hidden": 9, "output": 2},
}
"""Settings by data set: steps, threshold, temperature of the errors, and shifts of the changes."""


def supervised_network(data: str, hidden: int, seed: int) -> Network:
    """Make the network that learns by errors; its input has one channel more, for the bias."""
    draw, own = np.random.default_rng(seed), SUPERVISED[data]
    error = OutputDelta("classes", temperature=own["temperature"], levels=3)
    bits = {"count_bits": own["steps"].bit_length(), "low": -127}
    into = DeltaRule(
        third=Feedback(error, "out", shift=3, limit=63),
        gate_low=0,
        gate_high=own["threshold"],
        shift=own["hidden"],
        **bits,
    )
    out = DeltaRule(third=error, shift=own["output"], **bits)
    neuron = Lif(threshold=own["threshold"], width=16, decay=Decay.shift(3), fire=">=")
    return Network(
        [Input("pixels", 785)],
        [
            Population("hidden", hidden, neuron),
            Population("classes", CLASSES, Accumulator(width=18)),
        ],
        [
            Projection(
                "pixels", "hidden", draw.integers(-16, 17, (hidden, 785)), 0, 8, "in", rule=into
            ),
            Projection(
                "hidden",
                "classes",
                draw.integers(-32, 33, (CLASSES, hidden)),
                0,
                8,
                "out",
                rule=out,
            ),
        ],
        [Readout("classes", "last")],
        max_steps=own["steps"],
        learning=LearningState(seed),
    )


def thermometer(images: np.ndarray, steps: int) -> np.ndarray:
    """Encode images as spikes in their first steps; the last channel fires in every step."""
    counts = np.rint(images.reshape(len(images), -1) / 255 * steps)
    counts = np.concatenate([counts, np.full((len(images), 1), steps)], axis=1)
    return (np.arange(steps)[None, :, None] < counts[:, None]).astype(np.uint8)


def supervised(options: argparse.Namespace, seed: int) -> dict:
    """Learn by errors for some epochs; return accuracies and times."""
    data, own = load_data(options.data), SUPERVISED[options.data]
    images, labels = np.asarray(data.x_train), np.asarray(data.y_train)
    network = supervised_network(options.data, options.hidden, seed)
    rules = {link.name: link.rule for link in network.projections}
    draw, spent, epochs = np.random.default_rng(seed), 0.0, []
    for epoch in range(options.epochs):
        network = network.with_rules({
            name: replace(rule, shift=rule.shift + epoch) for name, rule in rules.items()
        })
        right, order = 0, draw.permutation(len(images))[: options.samples]
        for start in range(0, len(order), CHUNK):
            chosen = order[start : start + CHUNK]
            spikes = thermometer(images[chosen], own["steps"])
            began = time.process_time()
            learned = learn(network, spikes, labels=labels[chosen])
            spent += time.process_time() - began
            network = learned.network
            right += int((learned.result.classes == labels[chosen]).sum())
        epochs.append(round(100 * right / len(order), 2))
        print(
            f"seed {seed} epoch {epoch + 1}: {epochs[-1]} % before learning, {spent:.0f} s",
            flush=True,
        )
    test = thermometer(np.asarray(data.x_test), own["steps"])
    answers = reference.run(network.frozen(), test).classes
    return {
        "seed": seed,
        "test": round(100 * float((answers == np.asarray(data.y_test)).mean()), 2),
        "training images before they are learned, by epoch": epochs,
        "processor seconds of learning": round(spent, 1),
        "digest": network.digest,
    }


def unsupervised_network(neurons: int, seed: int) -> Network:
    """Make the population that learns by STDP."""
    draw = np.random.default_rng(seed)
    rule = PostStdp(pre_decay=Decay.shift(3), potentiation=255, target=60, shift=6, low=0, high=127)
    neuron = Lif(
        threshold=60_000,
        width=20,
        decay=Decay.shift(6),
        reset="zero",
        fire=">=",
        floor=0,
        refractory=3,
    )
    own = Homeostasis(4 * neurons, 4, 200, 400_000)
    return Network(
        [Input("pixels", 784)],
        [Population("neurons", neurons, neuron, coupling=WinnerTakeAll(100), homeostasis=own)],
        [Projection("pixels", "neurons", draw.integers(0, 77, (neurons, 784)), bits=8, rule=rule)],
        [Readout("neurons")],
        max_steps=100,
        learning=LearningState(seed),
    )


def bernoulli(images: np.ndarray, draw: np.random.Generator, steps: int = 100) -> np.ndarray:
    """Encode images as random spikes, 20 in each step of every image."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    chances = np.minimum(20 * pixels / pixels.sum(axis=1, keepdims=True), 0.98)
    shape = (len(images), steps, pixels.shape[1])
    return (draw.random(shape, dtype=np.float32) < chances[:, None]).astype(np.uint8)


def responses(network: Network, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return how often each neuron of a frozen network fires for each image."""
    parts = [images[start : start + 500] for start in range(0, len(images), 500)]
    runs = [reference.run(network, bernoulli(part, draw)).scores for part in parts]
    return np.concatenate(runs)


def unsupervised(options: argparse.Namespace, seed: int) -> dict:
    """Learn by STDP from one pass; return the accuracy of neurons with assigned labels."""
    data, draw = load_data(options.data), np.random.default_rng(seed)
    images, labels = np.asarray(data.x_train), np.asarray(data.y_train)
    network, spent = unsupervised_network(options.neurons, seed), 0.0
    order = draw.permutation(len(images))[: options.samples]
    for start in range(0, len(order), 500):
        spikes = bernoulli(images[order[start : start + 500]], draw)
        began = time.process_time()
        network = learn(network, spikes).network
        spent += time.process_time() - began
    frozen = network.frozen()
    shown = order[: options.assign]
    counts, own = responses(frozen, images[shown], draw), labels[shown]
    means = np.stack([counts[own == k].mean(axis=0) for k in range(CLASSES)])
    names = means.argmax(axis=0)
    test = responses(frozen, np.asarray(data.x_test)[: options.tests], draw)
    votes = np.stack(
        [test[:, names == k].sum(axis=1) / max(1, (names == k).sum()) for k in range(CLASSES)], 1
    )
    expected = np.asarray(data.y_test)[: options.tests]
    return {
        "seed": seed,
        "test": round(100 * float((votes.argmax(axis=1) == expected).mean()), 2),
        "test images": len(expected),
        "processor seconds of learning": round(spent, 1),
        "digest": network.digest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("supervised", "unsupervised"))
    parser.add_argument("--data", choices=tuple(SUPERVISED), default="mnist")
    parser.add_argument("--hidden", type=int, default=128, help="hidden neurons, supervised")
    parser.add_argument("--epochs", type=int, default=4, help="epochs, supervised")
    parser.add_argument("--neurons", type=int, default=400, help="neurons, unsupervised")
    parser.add_argument("--samples", type=int, default=60_000, help="training images of an epoch")
    parser.add_argument("--assign", type=int, default=10_000, help="images that assign labels")
    parser.add_argument("--tests", type=int, default=10_000, help="test images, unsupervised")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to add the runs to")
    options = parser.parse_args()
    task = {"supervised": supervised, "unsupervised": unsupervised}[options.task]
    runs = []
    for seed in options.seeds:
        runs.append(task(options, seed))
        print(runs[-1], flush=True)
    names = ["data", "samples"]
    names += ["hidden", "epochs"] if task is supervised else ["neurons", "assign"]
    settings = " ".join(f"--{name} {getattr(options, name)}" for name in names)
    seeds = " ".join(map(str, options.seeds))
    command = f"python benchmarks/learning.py {options.task} {settings} --seeds {seeds}"
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(options.json.read_text()) if options.json.exists() else {}
    report[command] = {
        "commit": done.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {"numpy": version("numpy")},
        "runs": runs,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
