"""Train the classifier of 14x14 pixels that fits on an iCE40 UP5K, and measure it.

Pictures of MNIST are turned, stretched, slanted and moved at random, by parts of a pixel, while
they still have 28x28 pixels; then they are halved and encoded as a deterministic rate. The network
is trained in floating point and then in its integers. A tenth of the training pictures is held
back, as it is, and chooses the epoch; the test pictures are answered once, at the end, by the
reference.

    python examples/mnist_14x14.py --save networks
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from spiker_hdl.model import Decay, Lif, Network, encoders, reference
from spiker_train import (
    Cell,
    FastSigmoid,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    load_dataset,
    quantize,
    train,
)
from spiker_train.data.images import Dataset, halved
from spiker_train.training.batches import split
from spiker_train.training.trainer import accuracy

TURN, STRETCH, SLANT, MOVE = 8.0, 0.08, 0.08, 1.0
"""Most degrees, shares of the size, and pixels by which pictures are altered."""
LEFT = 0.2
"""Share of the pictures that are left as they are."""


def altered(pictures: torch.Tensor, draws: np.random.Generator) -> np.ndarray:
    """Return pictures turned, stretched, slanted and moved, each in its own way, and halved."""
    count, high, wide = pictures.shape
    limits = np.array([np.deg2rad(TURN), STRETCH, STRETCH, SLANT, 2 * MOVE / wide, 2 * MOVE / high])
    by = draws.uniform(-1, 1, (count, 6)) * limits
    by[draws.uniform(size=count) < LEFT] = 0
    turn, across, along, slant, right, down = by.T
    cosine, sine = np.cos(turn), np.sin(turn)
    rows = [
        np.stack([(1 + across) * cosine, slant - (1 + across) * sine, right], 1),
        np.stack([(1 + along) * sine, (1 + along) * cosine, down], 1),
    ]
    maps = torch.as_tensor(np.stack(rows, 1), dtype=torch.float32)
    places = functional.affine_grid(maps, [count, 1, high, wide], align_corners=False)
    moved = functional.grid_sample(pictures[:, None].float(), places, align_corners=False)
    return functional.avg_pool2d(moved, 2)[:, 0].add(0.5).to(torch.uint8).numpy()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--weights", type=int, default=4, help="bits")
    parser.add_argument("--potentials", type=int, default=9, help="bits")
    parser.add_argument("--float-epochs", type=int, default=45, help="epochs in floating point")
    parser.add_argument("--integer-epochs", type=int, default=25, help="epochs in integers")
    parser.add_argument("--activity", type=float, default=0.003, help="what spikes cost")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="results depend on it")
    parser.add_argument("--progress", action="store_true", help="show progress bars")
    parser.add_argument("--save", type=Path, help="directory for the network")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def trained(
    data: Dataset, test: np.ndarray, options: argparse.Namespace
) -> tuple[Network, dict[str, float], dict[str, float]]:
    """Return the network, and the accuracy on the pictures held back and on the test pictures."""
    kept, aside = split(len(data.x_train), 0.1, options.seed)
    pictures, labels = torch.as_tensor(data.x_train[kept]), data.y_train[kept]

    def varied(members: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        varied_pictures = altered(pictures[torch.as_tensor(members)], draws)
        return encoders.rate(varied_pictures, options.steps)

    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(3), surrogate=FastSigmoid(0.5))
    net = SpikingNetwork.chain(
        [196, options.hidden, 10],
        cell=cell,
        readout="last",
        seed=options.seed,
        shape=(14, 14),
        name="mnist_14x14",
    )
    held_back = encoders.rate(halved(data.x_train[aside]), options.steps)
    validation = held_back, data.y_train[aside]
    settings = TrainingOptions(
        epochs=options.float_epochs,
        learning_rate=options.rate,
        activity_penalty=options.activity,
        seed=options.seed,
        progress=options.progress,
    )
    history = train(net, varied, labels, settings, validation=validation)
    validated = {"float": history.validation[history.best]}
    results = {"float": accuracy(net, test, data.y_test)}
    integers = Quantization(options.weights, options.potentials).fit(net)
    settings = replace(settings, epochs=options.integer_epochs, learning_rate=options.rate / 2)
    history = train(net, varied, labels, settings, validation=validation, integers=integers)
    validated["integers"] = history.validation[history.best]
    return quantize(net, integers, max_steps=256, name="mnist_14x14"), validated, results


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    data = load_dataset("mnist")
    test = encoders.rate(halved(data.x_test), options.steps)
    network, validated, results = trained(data, test, options)
    answers = reference.run(network, test)
    results["integers"] = float((answers.classes == data.y_test).mean())
    figures = {
        "validation": validated,
        "accuracy": results,
        "spikes": {
            "input": float(np.count_nonzero(test) / len(test)),
            "hidden": float(answers.counts["hidden"].mean()),
        },
        "weight_bits": network.weight_bits,
    }
    print(json.dumps(figures))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.save is not None:
        notes = {
            "data": "mnist_14x14",
            "encoder": "rate",
            "steps": str(options.steps),
            "seed": str(options.seed),
            "command": "python examples/mnist_14x14.py --save networks",
        }
        options.save.mkdir(parents=True, exist_ok=True)
        replace(network, notes=notes).save(options.save / "mnist_14x14.spiker")


if __name__ == "__main__":
    main()
