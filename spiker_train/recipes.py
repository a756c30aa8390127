"""Ways to train on a data set that are known to work."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Decay, Lif, Network, encoders, reference
from spiker_train.conversion.convert import quantize_with_report
from spiker_train.data.images import Dataset, load_dataset
from spiker_train.network.cell import Cell
from spiker_train.network.network import SpikingNetwork, chain_sizes
from spiker_train.network.quantization import Quantization
from spiker_train.network.surrogate import FastSigmoid
from spiker_train.training.trainer import accuracy, split, train

__all__ = ["encode", "train_network"]

MANY = 10_000
GREATEST = {"graded": 15}  # all others make binary spikes
STEADY = ("graded", "binary")
"""Encoders that give every step the same, so that the input may be static."""


@dataclass(frozen=True)
class Recipe:
    """How to train: epochs in real numbers, then in integers, and what else serves."""

    real: int
    integer: int
    batch: int
    rate: float
    activity: float
    shift: int
    surrogate: float = 0.5


LARGE = Recipe(20, 12, batch=128, rate=2e-3, activity=0.02, shift=1)
SMALL = Recipe(40, 20, batch=64, rate=8e-3, activity=0.02, shift=0, surrogate=1.0)


def encode(values: np.ndarray, steps: int, encoder: str = "rate") -> np.ndarray:
    """Turn values in 0..255 into spikes by an encoder of :mod:`spiker_hdl.model.encoders`.

    Raises
    ------
    ValueError
        If the encoder is unknown.
    """
    return encoders.encoder_of(encoder)(values, steps)


def train_network(
    dataset: str | Path | Dataset,
    layers: str,
    steps: int = 4,
    weights: Any = 4,
    potentials: Any = 8,
    seed: int = 0,
    *,
    encoder: str = "rate",
    static: bool = False,
    epochs: int | None = None,
    readout: str = "last",
    picture: tuple[int, int] | None = None,
    progress: bool = True,
) -> tuple[Network, dict[str, Any]]:
    """Train a chain of layers on pictures, first in real numbers, then in the integers that ship.

    Hidden neurons are LIF that lose an eighth in each step and give up their threshold; the output
    is a leaky integrator, or spiking with the readouts that need it. A tenth of the training
    samples is held back, and chooses the epoch; nothing is chosen on the test samples.

    Parameters
    ----------
    dataset : str, Path or Dataset
        Name of a data set, or an ``.npz`` file.
    layers : str
        Such as ``"784-128-10"``: as many inputs as values, as many outputs as classes or more.
    steps : int
        Time steps of a sample.
    weights, potentials
        Bits, as for :class:`~.quantization.Quantization`.
    seed : int
        Of the weights, the order and the split.
    encoder : str
        One of :data:`spiker_hdl.model.encoders.ENCODERS`.
    static : bool
        Whether the input is static: an encoder of :data:`STEADY` gives every step the same.
    epochs : int, optional
        In all, about two thirds of them in real numbers; as many as are known to do where none is
        given.
    readout : str
        See :data:`~spiker_hdl.model.READOUTS`.
    picture : (int, int), optional
        Height and width of samples that are pictures without saying so, as of flattened ones. With
        many samples, pictures are shifted at random while they train; ``shift`` in the report says
        by how many pixels, and ``warnings`` where that cannot be, for want of a height and width.
    progress : bool
        Whether to show progress bars, if rich is installed.

    Returns
    -------
    network : Network
        Its notes say data set, encoder, steps and seed.
    report : dict
        What JSON can hold: ``accuracy`` on the test samples in real numbers (``float``), rounded
        without further training (``rounded``) and trained in integers (``integers``, by the
        reference); ``validation`` likewise; ``spikes`` per test sample, by layer; ``seconds`` and
        ``processor_seconds``; and the account of the quantisation.

    Raises
    ------
    TypeError, ValueError
        If data, layers and bits do not go together.
    """
    began, worked = time.monotonic(), time.process_time()
    data = dataset if isinstance(dataset, Dataset) else load_dataset(dataset)
    sizes = chain_sizes(layers)
    if sizes[0] != data.size:
        raise ValueError(f"Layers for {data.name!r} must begin with {data.size}, not {sizes[0]}")
    if sizes[-1] < data.classes:
        raise ValueError(
            f"Layers for {data.name!r} must end with at least {data.classes}, not {sizes[-1]}"
        )
    seed, steps = check_int("Seed", seed, 0), check_int("Steps", steps, 1)
    if static and encoder not in STEADY:
        raise ValueError(f"Encoder of a static input must be one of {STEADY}, not {encoder!r}")
    recipe = LARGE if len(data.x_train) > MANY else SMALL
    shape, shift, warnings = _shifted(data, picture, recipe)
    real, integer = _epochs(recipe, epochs)
    spikes = encode(data.x_train, steps, encoder)
    test = encode(data.x_test, steps, encoder)
    net = _network(shape, sizes, readout, seed, GREATEST.get(encoder, 1), recipe, static)
    kept, aside = split(len(spikes), 0.1, seed)
    options: dict[str, Any] = {
        "validation": (spikes[aside], data.y_train[aside]),
        "batch": recipe.batch,
        "activity": recipe.activity,
        "shift": shift,
        "seed": seed,
        "progress": progress,
        "temperature": 0.5 if readout in {"count", "first"} else 1.0,
    }
    x, y = spikes[kept], data.y_train[kept]
    Quantization(weights, potentials).fit(net)  # what cannot be is refused before training
    history = train(net, x, y, epochs=real, rate=recipe.rate, title="in real numbers", **options)
    validation = {"float": history.validation[history.best]}
    results = {"float": accuracy(net, test, data.y_test)}
    quantization = Quantization(weights, potentials).fit(net)
    results["rounded"] = accuracy(net, test, data.y_test, quantization)
    history = train(
        net,
        x,
        y,
        epochs=integer,
        rate=recipe.rate / 2,
        integers=quantization,
        title="in integers",
        **options,
    )
    validation["integers"] = history.validation[history.best]
    network, account = quantize_with_report(
        net,
        quantization,
        max_steps=max(256, steps),
        name=data.name if data.name.isprintable() else "network",
        calibration=x[:1000],
        notes={
            "data": data.name,
            "encoder": encoder,
            "steps": str(steps),
            "seed": str(seed),
        },
    )
    found = reference.run(network, test)
    results["integers"] = float((found.classes == data.y_test).mean())
    return network, {
        "data": data.name,
        "layers": "-".join(map(str, sizes)),
        "steps": steps,
        "encoder": encoder,
        "readout": readout,
        "weights": weights,
        "potentials": potentials,
        "seed": seed,
        "epochs": [real, integer],
        "shift": shift,
        "warnings": warnings,
        "accuracy": results,
        "validation": validation,
        "spikes": _spikes(test, found.counts),
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "quantization": account.to_json(),
    }


def _shifted(
    data: Dataset, picture: tuple[int, int] | None, recipe: Recipe
) -> tuple[tuple[int, ...], int, list[str]]:
    """Return the shape of samples, by how many pixels they are shifted, and what to say of it."""
    if picture is not None:
        given = tuple(check_int("Side of a picture", side, 1) for side in picture)
        if len(given) != 2 or prod(given) != data.size:
            raise ValueError(
                f"Picture must be a height and a width of {data.size} values for {data.name!r}, "
                f"not {given}"
            )
        return given, recipe.shift, []
    sides = tuple(side for side in data.shape if side > 1)
    if len(sides) == 2:
        return sides, recipe.shift, []
    if not recipe.shift:
        return data.shape, 0, []
    return (
        data.shape,
        0,
        [
            f"samples of the shape {data.shape} are not shifted while they train, as pictures are: "
            "give the height and width of a picture, if they are such"
        ],
    )


def _epochs(recipe: Recipe, epochs: int | None) -> tuple[int, int]:
    if epochs is None:
        return recipe.real, recipe.integer
    epochs = check_int("Epochs", epochs, 2)
    integer = max(1, round(epochs * recipe.integer / (recipe.real + recipe.integer)))
    return epochs - integer, integer


def _network(
    shape: tuple[int, ...],
    sizes: list[int],
    readout: str,
    seed: int,
    greatest: int,
    recipe: Recipe,
    static: bool,
) -> SpikingNetwork:
    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(3), surrogate=FastSigmoid(recipe.surrogate))
    return SpikingNetwork.chain(
        sizes,
        cell=cell,
        readout=readout,
        seed=seed,
        shape=shape,
        values=(0, greatest),
        static=static,
        name="network",
    )


def _spikes(events: np.ndarray, counts: Mapping[str, np.ndarray]) -> dict[str, float]:
    found = {"input": float(np.count_nonzero(events) / len(events))}
    return found | {name: float(one.mean()) for name, one in counts.items()}
