"""Spoken digits, 4-bit weights, T = 64: networks with memory trained in the hardware's integers.

Four networks of 128 channels, 128 hidden neurons and 10 classes: recurrent LIF, recurrent adaptive
LIF, recurrent current-based LIF, and feed-forward LIF with synapses of several delays. The
official split tests the first five takes of each speaker; leaving one speaker out is the honest
one, and stands beside it. A tenth of the training recordings chooses the epoch; the reference
answers the test recordings once, at the end.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from spiker_hdl.model import (
    AdaptiveLif,
    CurrentLif,
    Decay,
    Input,
    Integrator,
    Lif,
    Readout,
    reference,
)
from spiker_train import (
    Cell,
    Connection,
    FastSigmoid,
    Layer,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    quantize,
    train,
)
from spiker_train.data.spoken_digits import spoken_digits
from spiker_train.training.batches import split

# Its published results are of trainings step by step: a kernel sums gradients in another order.
os.environ.setdefault("SPIKER_KERNEL", "eager")

RESULTS = Path(__file__).parent / "results" / "fsdd.json"
NETWORKS = ("recurrent", "adaptive", "current", "delays")
TAPS = (0, 3, 6, 9)


def network(kind: str, seed: int) -> SpikingNetwork:
    """Make a network of one of the four kinds."""
    # Decays of 2 to 64 steps side by side: a word lasts some 40.
    slow = np.repeat(np.arange(1, 7), 22)[:128]
    decay = Decay(tuple(2 ** (6 - int(k)) for k in slow), 6)
    shared = {"threshold": 1.0, "decay": decay, "surrogate": FastSigmoid(0.1)}
    cell = {
        "recurrent": lambda: Cell(Lif, **shared),
        "adaptive": lambda: Cell(AdaptiveLif, rise=0.25, rise_decay=Decay.shift(5), **shared),
        "current": lambda: Cell(CurrentLif, current_decay=Decay.shift(2), **shared),
        "delays": lambda: Cell(Lif, **shared),
    }[kind]()
    taps = TAPS if kind == "delays" else (0,)
    links = [Connection("cochlea", "hidden", delay=tap) for tap in taps]
    if kind != "delays":
        # Weak at first: what a spike stirs up in 64 steps must not drown what comes in.
        draws = np.random.Generator(np.random.PCG64(seed))
        weak = draws.uniform(-0.02, 0.02, (128, 128))
        links.append(Connection("hidden", "hidden", weak, delay=1))
    return SpikingNetwork(
        [Input("cochlea", 128)],
        [
            Layer("hidden", 128, cell),
            Layer("output", 10, Cell(Integrator, decay=Decay.shift(6))),
        ],
        [*links, Connection("hidden", "output")],
        [Readout("output", "last")],
        seed=seed,
        name=f"fsdd {kind}",
    )


def measure(kind: str, parts: tuple[np.ndarray, np.ndarray], data, options) -> dict:
    """Train on one part, first in floating point, then in integers, and answer the other."""
    began = time.monotonic()
    kept, held_out = split(len(parts[0]), 0.1, options.seed)
    kept, held_out = parts[0][kept], parts[0][held_out]
    net = network(kind, options.seed)
    validation = data.spikes[held_out], data.labels[held_out]
    settings = TrainingOptions(
        epochs=options.float_epochs,
        batch_size=64,
        learning_rate=5e-3,
        activity_penalty=0.002,
        temperature=2.0,
        max_grad_norm=0.5,
        seed=options.seed,
        title=f"{kind}, floating point",
    )
    training = data.spikes[kept], data.labels[kept]
    train(net, *training, settings, validation=validation)
    quantization = Quantization(4, {"hidden": 10, "output": 14}).fit(net)
    settings = replace(settings, epochs=options.integer_epochs, learning_rate=2e-3, title=kind)
    history = train(net, *training, settings, validation=validation, integers=quantization)
    quantized = quantize(net, quantization, max_steps=256, calibration=training[0][:500])
    result = reference.run(quantized, data.spikes[parts[1]])
    if options.save is not None:
        options.save.mkdir(parents=True, exist_ok=True)
        command = f"python benchmarks/fsdd.py {kind} --save networks --seed {options.seed}"
        quantized = replace(quantized, notes={"data": "fsdd", "steps": "64", "command": command})
        quantized.save(options.save / f"fsdd_{kind}.spiker")
    return {
        "network": kind,
        "accuracy": float((result.classes == data.labels[parts[1]]).mean()),
        "validation": history.validation[history.best],
        "hidden_spikes": float(result.counts["hidden"].mean()),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS, help=", ".join(NETWORKS))
    parser.add_argument("--speakers", action="store_true", help="leave one speaker out, too")
    parser.add_argument("--float-epochs", type=int, default=15, help="epochs in floating point")
    parser.add_argument("--integer-epochs", type=int, default=10, help="epochs in integers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="results depend on it")
    parser.add_argument("--save", type=Path, help="directory for the networks")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = spoken_digits()
    splits = {"official": data.official}
    if options.speakers:
        splits |= {f"without {n}": data.without(n) for n in range(int(data.speakers.max()) + 1)}
    kept = json.loads(options.json.read_text()) if options.json.is_file() else {"runs": []}
    print(f"{'network':<10} {'split':<10} {'accuracy':>9} {'hidden':>7} {'seconds':>8}")
    for kind in options.networks:
        for name, parts in splits.items():
            row = measure(kind, parts, data, options)
            row |= {
                "split": name,
                "seed": options.seed,
                "epochs": [options.float_epochs, options.integer_epochs],
            }
            options.save = None if name == "official" else options.save
            print(
                f"{kind:<10} {name:<10} {row['accuracy']:>9.2%} {row['hidden_spikes']:>7.1f} "
                f"{row['seconds']:>8.1f}",
                flush=True,
            )
            same = ("network", "split", "seed")
            kept["runs"] = [
                old for old in kept["runs"] if any(old[key] != row[key] for key in same)
            ] + [row]
            kept |= {
                "command": f"python benchmarks/fsdd.py {' '.join(sys.argv[1:])}".strip(),
                "commit": _commit(),
                "python": platform.python_version(),
                "threads": torch.get_num_threads(),
                "versions": {name: version(name) for name in ("torch", "numpy")},
            }
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _commit() -> str:
    result = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()


if __name__ == "__main__":
    main()
