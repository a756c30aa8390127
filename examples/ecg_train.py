"""Train the recurrent network that tells heart beats apart, and measure it on other patients.

Beats are cut where the detector of the hardware finds them, turned into events by delta modulation,
and shown to a network that is trained in floating point and then in its integers. Five records of
the training part choose the epoch; the records of the test part are answered once, at the end, by
the reference.

    SPIKER_DATA=DIR python examples/ecg_train.py --save networks
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ecg_data import CLASSES, ENCODING, STEPS, TEST, TRAIN, Beats, aligned, beats

from spiker_hdl.model import Decay, Input, Integrator, Lif, Network, Readout, reference
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

# Its published results are of trainings step by step: a kernel sums gradients in another order.
os.environ.setdefault("SPIKER_KERNEL", "eager")

VALIDATION = (109, 124, 201, 205, 223)
MOST = (300, 400, 400, 400)
"""Beats of each class that are taken from each record: some have thousands that are alike."""


def draw(data: Beats, records: tuple[int, ...], random: np.random.Generator) -> Beats:
    """Choose beats of some records, at most :data:`MOST` of a kind from each."""
    kept = []
    for record in records:
        for kind, maximum in enumerate(MOST):
            own = np.flatnonzero((data.records == record) & (data.labels == kind))
            kept.append(random.permutation(own)[:maximum])
    return data[np.concatenate(kept)]


def vary(data: Beats, copies: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return encoded copies of beats, cut a little elsewhere and of other heights, and labels."""
    parts = []
    for _ in range(copies):
        cut = np.stack([aligned(data, shift)[0] for shift in range(-3, 4)])
        cut = cut[random.integers(0, len(cut), len(data)), np.arange(len(data))]
        height = random.uniform(0.7, 1.4, (len(data), 1))
        parts.append(np.clip(np.rint(128 + (cut - 128) * height), 0, 255).astype(np.int64))
    return ENCODING.encode(np.concatenate(parts)), np.tile(data.labels, copies)


def network(hidden: int, seed: int) -> SpikingNetwork:
    """Make the network: recurrent LIF neurons of several decays, and an integrator a class."""
    slow = np.resize(np.arange(1, 7), hidden)
    decay = Decay(tuple(2 ** (6 - int(k)) for k in slow), 6)
    draws = np.random.Generator(np.random.PCG64(seed))
    weak = draws.uniform(-0.02, 0.02, (hidden, hidden))
    return SpikingNetwork(
        [Input("ecg", ENCODING.fan)],
        [
            Layer("hidden", hidden, Cell(Lif, threshold=1.0, decay=decay, surrogate=SURROGATE)),
            Layer("output", len(CLASSES), Cell(Integrator, decay=Decay.shift(6))),
        ],
        [
            Connection("ecg", "hidden"),
            Connection("hidden", "hidden", weak, delay=1),
            Connection("hidden", "output"),
        ],
        [Readout("output", "last")],
        seed=seed,
        name="ecg",
    )


SURROGATE = FastSigmoid(0.1)


def confusion(trained: Network, data: Beats) -> np.ndarray:
    """Count beats by their class and the reference's answer."""
    answers = reference.run(trained, ENCODING.encode(aligned(data)[0])).classes
    table = np.zeros((len(CLASSES), len(CLASSES)), dtype=int)
    np.add.at(table, (data.labels, answers), 1)
    return table


def show(title: str, table: np.ndarray) -> None:
    """Print accuracy, and the recall and precision of each class."""
    print(f"{title}: {table.trace() / table.sum():.2%} of {table.sum()} beats")
    for n, name in enumerate(CLASSES):
        hits, own, predicted = table[n, n], table[n].sum(), table[:, n].sum()
        row = " ".join(f"{count:>6}" for count in table[n])
        print(
            f"  {name}: {row}   recall {hits / own:.1%}, precision {hits / max(1, predicted):.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=48)
    parser.add_argument("--copies", type=int, default=2, help="of each beat, varied")
    parser.add_argument("--float-epochs", type=int, default=6, help="epochs in floating point")
    parser.add_argument("--integer-epochs", type=int, default=4, help="epochs in integers")
    parser.add_argument("--activity", type=float, default=0.01, help="what spikes cost")
    parser.add_argument("--rate", type=float, default=4e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--untested", action="store_true", help="leave the test records alone")
    parser.add_argument("--save", type=Path, help="directory for the network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    random = np.random.Generator(np.random.PCG64(options.seed))
    data = beats()
    held_out = data[np.isin(data.records, VALIDATION)]
    held_out = draw(held_out, VALIDATION, random)
    drawn = draw(data, tuple(set(TRAIN) - set(VALIDATION)), random)
    spikes, labels = vary(drawn, options.copies, random)
    validation = ENCODING.encode(aligned(held_out)[0]), held_out.labels
    settings = TrainingOptions(
        epochs=options.float_epochs,
        learning_rate=options.rate,
        activity_penalty=options.activity,
        temperature=2.0,
        max_grad_norm=0.5,
        seed=options.seed,
        title="floating point",
    )
    net = network(options.hidden, options.seed)
    train(net, spikes, labels, settings, validation=validation)
    quantization = Quantization(4, {"hidden": 10, "output": 14}).fit(net)
    settings = replace(
        settings, epochs=options.integer_epochs, learning_rate=options.rate / 2, title="integers"
    )
    history = train(net, spikes, labels, settings, validation=validation, integers=quantization)
    print("Validation in integers:", " ".join(f"{epoch:.1%}" for epoch in history.validation))
    quantized = quantize(net, quantization, max_steps=256, calibration=spikes[:500])
    show("Records held back", confusion(quantized, held_out))
    if options.untested:
        return
    test = data[np.isin(data.records, TEST)]
    show("Test records", confusion(quantized, test))
    print(f"Found by the detector: {aligned(test)[1].mean():.2%}")
    counts = reference.run(
        quantized, ENCODING.encode(aligned(test[np.arange(0, len(test), 50)])[0])
    )
    print(f"Hidden spikes of a beat: {counts.counts['hidden'].mean():.0f}")
    if options.save is not None:
        notes = {
            "data": "mitbih",
            "encoder": ENCODING.name,
            "thresholds": ",".join(map(str, ENCODING.thresholds)),
            "steps": str(STEPS),
            "classes": "".join(CLASSES),
            "seed": str(options.seed),
            "command": "python examples/ecg_train.py --save networks",
        }
        options.save.mkdir(parents=True, exist_ok=True)
        replace(quantized, notes=notes).save(options.save / "ecg.spiker")


if __name__ == "__main__":
    main()
