"""Spoken digits by a reservoir: drawn and frozen recurrence, a readout by ridge regression, gates.

The features are filtered spikes of the reservoir, and the readout is a layer of the network, which
is quantised with it. The official split tests the first five takes of each speaker; each other
speaker left out is the honest figure. With ``--devices``, the integers are those that drifting
phase-change memory holds.
"""

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import spiker_hdl
from spiker_hdl.model import Decay, Input, Integrator, Lif, Network, Readout, reference
from spiker_train import (
    Cell,
    Connection,
    DifferentialPair,
    Layer,
    MonteCarlo,
    SpikingNetwork,
    fit_readout,
    freeze,
    pcm,
    quantize,
    reservoir_weights,
)
from spiker_train.data.spoken_digits import spoken_digits

RESULTS = Path(__file__).parent / "results" / "reservoir.json"
CHANNELS = 128


def network(size: tuple[int, int], options: argparse.Namespace) -> SpikingNetwork:
    """Make a reservoir on a grid, which each input channel reaches at a few places."""
    count = size[0] * size[1]
    random = np.random.default_rng([options.seed, 1])
    reached = random.random((count, CHANNELS)) < options.fan_in / CHANNELS
    inputs = np.where(reached, random.choice([-1.0, 1.0], reached.shape, p=[0.2, 0.8]), 0.0)
    recurrent = reservoir_weights(
        size,
        seed=options.seed,
        density=options.density,
        radius=options.radius,
        distance=options.distance,
    )
    slow = np.repeat(np.arange(1, 7), -(-count // 6))[:count]  # decays of 2 to 64 steps
    decay = Decay(tuple(2 ** (6 - int(k)) for k in slow), 6)
    net = SpikingNetwork(
        [Input("cochlea", CHANNELS)],
        [
            Layer("reservoir", size, Cell(Lif, threshold=1.0, decay=decay)),
            Layer("output", 10, Cell(Integrator, decay=Decay.shift(6))),
        ],
        [
            Connection("cochlea", "reservoir", options.gain * inputs, kind="sparse"),
            Connection("reservoir", "reservoir", recurrent, kind="sparse", delay=1),
            Connection("reservoir", "output"),
        ],
        [Readout("output", "last")],
        seed=options.seed,
        name="reservoir",
    )
    freeze(*net.connections[:2])
    return net


def accuracy(network: Network, data, part: np.ndarray) -> float:
    """Return the accuracy of the reference."""
    return float((reference.run(network, data.spikes[part]).classes == data.labels[part]).mean())


def drifting(network: Network, data, part: np.ndarray, options: argparse.Namespace) -> None:
    """Print the accuracy over the time after programming."""
    times = (20.0, 3600.0, 86400.0, 30 * 86400.0)
    for compensate in (False, True):
        devices = DifferentialPair(device=pcm(), compensate=compensate)
        study = MonteCarlo(network, devices, options.devices, options.seed, times=times)
        print(f"phase-change memory, compensation {'on' if compensate else 'off'}")
        print(study.run(data.spikes[part], data.labels[part]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(16, 16), help="grid of neurons")
    parser.add_argument("--density", type=float, default=0.05)
    parser.add_argument("--radius", type=float, default=0.5, help="spectral radius")
    parser.add_argument("--distance", type=float, default=3.0, help="of the rule, in neurons")
    parser.add_argument("--fan-in", type=float, default=12, help="channels that reach a neuron")
    parser.add_argument("--gain", type=float, default=0.25, help="of the input")
    parser.add_argument("--penalty", type=float, default=0.001, help="of the ridge regression")
    parser.add_argument("--weights", type=int, default=8, help="bits of a weight")
    parser.add_argument("--speakers", action="store_true", help="leave one speaker out, too")
    parser.add_argument("--devices", type=int, default=0, help="draws of drifting devices")
    parser.add_argument("--simulate", type=int, default=0, help="samples for simulated gates")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = spoken_digits()
    splits = {"official": data.official}
    if options.speakers:
        splits |= {f"without {n}": data.without(n) for n in range(int(data.speakers.max()) + 1)}
    rows = []
    print(f"{'split':<10} {'training':>9} {'float':>8} {'gates':>8} {'spikes':>7} {'seconds':>8}")
    for name, (training, test) in splits.items():
        began = time.monotonic()
        net = network(tuple(options.size), options)
        fitted = fit_readout(
            net, data.spikes[training], data.labels[training], penalty=options.penalty
        )
        floating = net.run(data.spikes[test])
        potentials = {"reservoir": 16, "output": 22}
        quantized = quantize(net, options.weights, potentials, max_steps=256)
        row = {
            "split": name,
            "training": fitted,
            "floating_point": float((floating.classes == data.labels[test]).mean()),
            "gates": accuracy(quantized, data, test),
            "spikes": float(floating.counts["reservoir"].mean()),
            "seconds": round(time.monotonic() - began, 1),
        }
        rows.append(row)
        print(
            f"{name:<10} {row['training']:>9.2%} {row['floating_point']:>8.2%} "
            f"{row['gates']:>8.2%} {row['spikes']:>7.0f} {row['seconds']:>8.1f}",
            flush=True,
        )
        if options.simulate:
            few = data.spikes[test[: options.simulate]]
            differences = reference.run(quantized, few).differences(
                spiker_hdl.run(quantized, few, engine="auto")
            )
            print(f"gates, {len(few)} samples: {len(differences)} differences")
        if options.devices:
            drifting(quantized, data, test, options)
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    content = {
        "command": "python benchmarks/reservoir.py" + " --speakers" * options.speakers,
        "settings": settings | {"size": list(options.size)},
        "runs": rows,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "numpy")},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
