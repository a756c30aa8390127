"""Recipes: trainings on a data set with settings that are known to work."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, check_kind
from spiker_hdl.model import Decay, Lif, Network, encoders, reference
from spiker_train.conversion.convert import quantize
from spiker_train.conversion.report import QuantizationReport
from spiker_train.data.events import check_dt
from spiker_train.data.images import Dataset
from spiker_train.data.load import load_data
from spiker_train.data.recordings import EventDataset
from spiker_train.network.cell import Cell
from spiker_train.network.chain import Chain, chain_of
from spiker_train.network.integers.channel_scales import equalize_channels
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.surrogate import FastSigmoid
from spiker_train.training.batches import split
from spiker_train.training.options import TrainingOptions
from spiker_train.training.trainer import accuracy, train

__all__ = ["Recipe", "encode", "train_network"]

MANY = 10_000
MOST_BYTES = 2**30
"""Most dense spikes that are kept; more are binned anew for each batch."""
GREATEST = {"graded": 15}  # all others make binary spikes


@dataclass(frozen=True)
class Recipe:
    """Settings of a training that are known to work for a size of data set.

    Members
    -------
    float_epochs, integer_epochs : int
        Epochs in floating point, and then in integers.
    batch_size, learning_rate, activity_penalty, max_shift
        As for :class:`~.training.options.TrainingOptions`.
    surrogate : float
        Slope of the surrogate gradient, :class:`~.surrogate.FastSigmoid`.
    integer_rate : float
        Learning rate in integers, as a share of that in floating point.
    """

    float_epochs: int
    integer_epochs: int
    batch_size: int
    learning_rate: float
    activity_penalty: float
    max_shift: int
    surrogate: float = 0.5
    integer_rate: float = 0.5


LARGE = Recipe(20, 12, batch_size=128, learning_rate=2e-3, activity_penalty=0.02, max_shift=1)
SMALL = Recipe(
    40, 20, batch_size=64, learning_rate=8e-3, activity_penalty=0.02, max_shift=0, surrogate=1.0
)
CONVOLUTIONAL = Recipe(
    6, 4, batch_size=64, learning_rate=3e-3, activity_penalty=0.002, max_shift=1, surrogate=0.5
)
"""Of a convolutional network on a large data set."""
NORMALISED = Recipe(
    10,
    2,
    batch_size=64,
    learning_rate=6e-3,
    activity_penalty=3e-4,
    max_shift=1,
    surrogate=0.5,
    integer_rate=0.03,
)
"""With batch normalisation and rounded weights, which leave little to learn in integers."""


def encode(values: np.ndarray, steps: int, encoder: str = "rate") -> np.ndarray:
    """Turn values in 0..255 into spikes by an encoder of :mod:`spiker_hdl.model.encoders`.

    Raises
    ------
    ValueError
        If the encoder is unknown.
    """
    return encoders.encoder_of(encoder)(values, steps)


def train_network(
    dataset: str | Path | Dataset | EventDataset,
    layers: str,
    steps: int | None = None,
    weights: Any = 4,
    potentials: Any = 8,
    seed: int = 0,
    *,
    encoder: str = "rate",
    static: bool = False,
    epochs: int | None = None,
    readout: str = "last",
    picture: tuple[int, int] | None = None,
    dt: float | None = None,
    augment: Any = None,
    batch_norm: bool = False,
    recipe: Recipe | None = None,
    shifts: Any = None,
    progress: bool = True,
) -> tuple[Network, dict[str, Any]]:
    """Train a chain of layers on images or recordings, first in floating point, then in integers.

    Hidden neurons are LIF neurons that leak with beta = 0.875 and are reset by subtraction; the
    output is a leaky integrator, or LIF neurons for the readouts that need spikes. Convolutional
    networks have biases, one per channel of a convolutional layer. A tenth of the
    training samples is set aside to choose the epoch; nothing is chosen on the test samples.

    Parameters
    ----------
    dataset : str, Path, Dataset or EventDataset
        As :func:`~spiker_train.load_data` takes it.
    layers : str
        Such as ``"784-128-10"`` or ``"28x28-8c3-p2-16c3-p2-10"``, as
        :func:`~.network.chain.chain_of` reads it: as many inputs as values per sample, and at
        least as many outputs as classes.
    steps : int, optional
        Time steps of a sample. Where none are given, 4 for values, and as many as the data set of
        recordings says.
    weights, potentials
        Bits, as for :class:`~.quantization.Quantization`.
    seed : int
        Seed of the weights, the order and the split.
    encoder : str
        One of :data:`spiker_hdl.model.encoders.ENCODERS`. Recordings are spikes, and have none.
    static : bool
        Whether the input is static, which needs an encoder that gives the same values in every
        step: one of :data:`spiker_hdl.model.encoders.STEADY`.
    epochs : int, optional
        Number of all epochs, about two thirds of which are in floating point. Where none is given,
        as many as are known to suffice.
    readout : str
        See :data:`~spiker_hdl.model.READOUTS`.
    picture : (int, int), optional
        Height and width of samples that are flattened images. Where there are many samples, images
        are shifted at random in training; ``shift`` in the report has the greatest shift in pixels,
        and ``warnings`` say where none is possible because height and width are not known.
    dt : float, optional
        Length of a step of recordings in seconds. Where none is given, as the data set says.
    augment : callable, optional
        Function of a recording, or a picture of uint8 with the shape of a sample, and a generator
        that alters the samples of each batch, such as those of
        :mod:`spiker_train.data.augmentation`. Pictures are not shifted then, unless it does so.
    batch_norm : bool
        Whether the currents of hidden layers are normalised over each batch, and all weights are
        rounded, while the network is trained in floating point. All layers then have biases.
    recipe : Recipe, optional
        Settings of the training. Where none is given, those that are known to work for the number
        of samples; ``epochs`` are shared out as in the recipe.
    shifts : int or mapping of str to int, optional
        Bits by which potentials, thresholds and biases have a finer grid than weights, as for
        :class:`~.quantization.Quantization`.
    progress : bool
        Whether to show progress: bars on a terminal, else a line now and then.

    Returns
    -------
    network : Network
        Its notes name data set, encoder or ``dt``, steps and seed.
    report : dict
        Values that JSON can hold: ``accuracy`` on the test samples in floating point (``float``),
        quantised without further training (``rounded``) and trained in integers (``integers``,
        computed by the reference); ``validation`` likewise; ``spikes`` per test sample, by layer;
        ``seconds`` and ``processor_seconds``; and ``quantization``, the report of that.

    Raises
    ------
    TypeError, ValueError
        If data, layers and bits do not go together.
    """
    clock = _Clock()
    data = dataset if isinstance(dataset, Dataset | EventDataset) else load_data(dataset)
    chain = _chain(layers, data, picture)
    if steps is None:
        steps = data.steps if isinstance(data, EventDataset) else 4
    seed, steps = check_int("Seed", seed, 0), check_int("Steps", steps, 1)
    given = static or encoder != "rate" or picture is not None
    coding = _coding(data, encoder, dt, given)
    if picture is None and isinstance(data, Dataset) and isinstance(chain.shape, tuple):
        height, width = chain.shape[-2:]
        picture = (height, width) if height * width == data.size else None
    if static:
        check_choice("Encoder of a static input", encoder, encoders.STEADY)
    if recipe is None:
        recipe = _known_recipe(len(data.x_train) > MANY, chain.convolutional, batch_norm)
    check_kind("Recipe", recipe, Recipe)
    recipe = recipe if augment is None else replace(recipe, max_shift=0)
    shape, shift, warnings = _shifted(data, picture, recipe)
    recipe = replace(_with_epochs(recipe, epochs), max_shift=shift)
    if isinstance(data, EventDataset):
        spikes: Any = _Binned(data, steps, coding["dt"], augment)
        test = data.dense("test", steps=steps, dt=coding["dt"])
    else:
        spikes = _Encoded(data.x_train, shape, steps, encoder, augment)
        test = encode(data.x_test, steps, encoder)
    biased = chain.convolutional or batch_norm
    values = 0, GREATEST.get(encoder, 1)
    net = _network(shape, biased, layers, readout, seed, values, recipe, static)
    trained = _train_twice(
        net,
        recipe,
        Quantization(weights, potentials, shifts=shifts),
        (spikes, data.y_train),
        (test, data.y_test),
        batch_norm=_hidden(net) if batch_norm else False,
        rounded_weights=weights if batch_norm else None,
        temperature=0.5 if readout in {"count", "first"} else 1.0,
        seed=seed,
        progress=progress,
    )
    network, quantization = _quantized(trained, data, coding, steps, seed)
    result = reference.run(network, test)
    integers = float((result.classes == data.y_test).mean())
    return network, {
        "data": data.name,
        "layers": layers,
        "steps": steps,
        **coding,
        "readout": readout,
        "weights": weights,
        "potentials": potentials,
        **({} if shifts is None else {"shifts": shifts}),
        "seed": seed,
        "epochs": [recipe.float_epochs, recipe.integer_epochs],
        "shift": shift,
        "warnings": warnings,
        "accuracy": trained.accuracy | {"integers": integers},
        "validation": trained.validation,
        "spikes": _spikes(test, result.counts),
        **clock.seconds(),
        "quantization": quantization.to_json(),
    }


def _known_recipe(many: bool, convolutional: bool, batch_norm: bool) -> Recipe:
    if not many:
        return replace(SMALL, integer_rate=NORMALISED.integer_rate) if batch_norm else SMALL
    if batch_norm:
        return NORMALISED
    return CONVOLUTIONAL if convolutional else LARGE


class _Clock:
    """The time since it was made, on the wall and of the processor."""

    def __init__(self):
        self.started, self.processor_started = time.monotonic(), time.process_time()

    def seconds(self) -> dict[str, float]:
        """Return the entries of a report that say how long it took."""
        return {
            "seconds": round(time.monotonic() - self.started, 1),
            "processor_seconds": round(time.process_time() - self.processor_started, 1),
        }


@dataclass
class _Trained:
    """A training in floating point and then in integers.

    Members
    -------
    net : SpikingNetwork
        The network that was trained in integers.
    quantization : Quantization
        With the scales of the training in integers.
    samples : array of int, shape (samples, steps, size)
        Spikes of the samples that the weights were trained on.
    accuracy, validation : dict of str to float
        Accuracy on the test samples and on the validation samples, by arithmetic.
    """

    net: SpikingNetwork
    quantization: Quantization
    samples: np.ndarray
    accuracy: dict[str, float]
    validation: dict[str, float]


def _train_twice(
    net: SpikingNetwork,
    recipe: Recipe,
    settings: Quantization,
    samples: tuple[Any, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    **options: Any,
) -> _Trained:
    """Train a network in floating point, and then in integers at a smaller rate.

    In between, channels of convolutional layers are multiplied so that one scale suits all.
    """
    settings.fit(net)  # an impossible quantization is refused before training
    spikes, labels = samples
    kept, aside = split(len(labels), 0.1, options["seed"])
    in_float = TrainingOptions(
        epochs=recipe.float_epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        activity_penalty=recipe.activity_penalty,
        max_shift=recipe.max_shift,
        title="floating point",
        **options,
    )
    in_integers = replace(
        in_float,
        epochs=recipe.integer_epochs,
        learning_rate=recipe.learning_rate * recipe.integer_rate,
        batch_norm=False,
        rounded_weights=None,
        title="integers",
    )
    y, validation = labels[kept], (spikes[aside], labels[aside])
    x = spikes.function(kept)
    history = train(net, x, y, in_float, validation=validation)
    validated = {"float": history.validation[history.best]}
    accurate = {"float": accuracy(net, *test)}
    net, settings = equalize_channels(net, settings)
    quantization = settings.fit(net)
    accurate["rounded"] = accuracy(net, *test, quantization)
    history = train(net, x, y, in_integers, validation=validation, integers=quantization)
    validated["integers"] = history.validation[history.best]
    return _Trained(net, quantization, spikes[kept[:1000]], accurate, validated)


@dataclass
class _Encoded:
    """Pictures or other values to train with, which are encoded when they are indexed.

    Members
    -------
    values : array of uint8, shape (samples, ...)
    shape : int or tuple of int
        Shape of a sample that is altered.
    steps, encoder, augment
        As for :func:`train_network`.
    """

    values: np.ndarray
    shape: int | tuple[int, ...]
    steps: int
    encoder: str
    augment: Any

    def __getitem__(self, members: np.ndarray) -> np.ndarray:
        return encode(self.values[members], self.steps, self.encoder)

    def function(self, kept: np.ndarray) -> Any:
        """Return spikes, or where samples are altered the function that makes them for a batch."""
        if self.augment is None:
            return self[kept]

        def altered(members: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            pictures = self.values[kept[members]].reshape(len(members), *_axes(self.shape))
            values = np.stack([self.augment(picture, generator) for picture in pictures])
            return encode(values, self.steps, self.encoder)

        return altered


def _axes(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    return shape if isinstance(shape, tuple) else (shape,)


@dataclass
class _Binned:
    """Recordings to train with, which are binned when they are indexed.

    Members
    -------
    data : EventDataset
    steps, dt, augment
        As for :func:`train_network`.
    """

    data: EventDataset
    steps: int
    dt: float | None
    augment: Any

    def __getitem__(self, members: np.ndarray) -> np.ndarray:
        return self.data.dense("train", members, steps=self.steps, dt=self.dt)

    def function(self, kept: np.ndarray) -> Any:
        """Return dense spikes, or the function that makes them for each batch.

        They are made for each batch where they are altered, or too many to keep.
        """
        if self.augment is None and len(kept) * self.steps * self.data.size <= MOST_BYTES:
            return self[kept]
        return lambda members, generator: self.data.dense(
            "train",
            kept[members],
            steps=self.steps,
            dt=self.dt,
            augment=self.augment,
            generator=generator,
        )


def _quantized(
    trained: _Trained,
    data: Dataset | EventDataset,
    coding: dict[str, Any],
    steps: int,
    seed: int,
) -> tuple[Network, QuantizationReport]:
    """Return the network in integers, whose notes say how it was trained, and its report."""
    report = QuantizationReport()
    network = quantize(
        trained.net,
        trained.quantization,
        max_steps=max(256, steps),
        name=data.name if data.name.isprintable() else "network",
        calibration=trained.samples,
        notes={
            "data": data.name,
            **{name: str(value) for name, value in coding.items()},
            "steps": str(steps),
            "seed": str(seed),
        },
        report=report,
    )
    return network, report


def _coding(
    data: Dataset | EventDataset, encoder: str, dt: float | None, given: bool
) -> dict[str, Any]:
    """Return the encoder of values, or the length of a step of recordings, by its name."""
    if isinstance(data, EventDataset):
        if given:
            raise ValueError(
                f"Encoder, static input and picture must be for values, not for {data.name!r}, "
                "which has spikes"
            )
        dt = data.dt if dt is None else dt
        check_dt(dt)
        return {"dt": float(dt)}
    if dt is not None:
        raise ValueError(f"Dt must be for recordings, not for values of {data.name!r}")
    return {"encoder": encoder}


def _chain(layers: str, data: Dataset | EventDataset, picture: tuple[int, int] | None) -> Chain:
    """Return the layers, which must suit the data set."""
    chain = chain_of(layers, _picture(data, picture)[0])
    sides = tuple(side for side in _axes(chain.shape) if side > 1)
    known = tuple(side for side in _axes(data.shape) if side > 1)
    if chain.size != data.size or (len(sides) == len(known) and sides != known):
        first = "x".join(map(str, known)) if chain.size == data.size else data.size
        raise ValueError(
            f"Layers for {data.name!r} must begin with {first}, not {layers.split('-')[0]}"
        )
    if chain.outputs < data.classes:
        raise ValueError(
            f"Layers for {data.name!r} must end with at least {data.classes}, not {chain.outputs}"
        )
    return chain


def _picture(
    data: Dataset | EventDataset, picture: tuple[int, int] | None
) -> tuple[tuple[int, ...], bool]:
    """Return the shape of samples, and whether they are known to be pictures."""
    if isinstance(data, EventDataset):
        return data.shape, False
    if picture is not None:
        shape = tuple(check_int("Side of a picture", side, 1) for side in picture)
        if len(shape) != 2 or prod(shape) != data.size:
            raise ValueError(
                f"Picture must be a height and a width of {data.size} values for {data.name!r}, "
                f"not {shape}"
            )
        return shape, True
    sides = tuple(side for side in data.shape if side > 1)
    return (sides, True) if len(sides) == 2 else (data.shape, False)


def _shifted(
    data: Dataset | EventDataset, picture: tuple[int, int] | None, recipe: Recipe
) -> tuple[tuple[int, ...], int, list[str]]:
    """Return the shape of samples, their greatest shift in pixels, and warnings."""
    shape, known = _picture(data, picture)
    if isinstance(data, EventDataset) or not recipe.max_shift:
        return shape, 0, []
    if known:
        return shape, recipe.max_shift, []
    return (
        data.shape,
        0,
        [
            f"samples of the shape {data.shape} are not shifted while they train, as pictures are: "
            "give the height and width of a picture, if they are such"
        ],
    )


def _with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    """Return a recipe with so many epochs in all, shared out as the recipe shares out its own."""
    if epochs is None:
        return recipe
    epochs = check_int("Epochs", epochs, 2)
    known = recipe.float_epochs + recipe.integer_epochs
    integer_epochs = max(1, round(epochs * recipe.integer_epochs / known))
    return replace(recipe, float_epochs=epochs - integer_epochs, integer_epochs=integer_epochs)


def _network(
    shape: tuple[int, ...],
    biased: bool,
    layers: str,
    readout: str,
    seed: int,
    values: tuple[int, int],
    recipe: Recipe,
    static: bool,
) -> SpikingNetwork:
    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(3), surrogate=FastSigmoid(recipe.surrogate))
    return SpikingNetwork.chain(
        layers,
        cell=cell,
        bias=biased,
        readout=readout,
        seed=seed,
        shape=shape,
        values=values,
        static=static,
        name="network",
    )


def _hidden(net: SpikingNetwork) -> tuple[str, ...]:
    """Return the names of the connections that reach hidden layers, whose weights are learned."""
    last = net.layers[-1].name
    return tuple(
        part.name for part in net.connections if part.target != last and part.weights.requires_grad
    )


def _spikes(events: np.ndarray, counts: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the spikes per sample of the input and of each layer."""
    spikes = {"input": float(np.count_nonzero(events) / len(events))}
    return spikes | {name: float(count.mean()) for name, count in counts.items()}
