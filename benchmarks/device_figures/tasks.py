"""The data sets of the studies, each with a small network, its training and its test samples."""

from collections.abc import Callable

import numpy as np

from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout
from spiker_hdl.model.encoders import rate
from spiker_train import Cell, Connection, FastSigmoid, Layer, SpikingNetwork
from spiker_train.data.images import load_dataset
from spiker_train.data.spoken_digits import spoken_digits

from .beats import ecg
from .task import Stratum, Task

__all__ = ["TASKS"]

DIGITS = tuple(str(digit) for digit in range(10))


def mnist(seed: int, scale: float) -> Task:
    """Return pictures of 14 x 14 pixels in 4 steps."""
    data = load_dataset("mnist_14x14")
    draws = np.random.default_rng(seed)
    order = draws.permutation(len(data.y_train))
    aside, kept = order[: int(2000 * scale)], order[2000 : 2000 + int(20000 * scale)]
    tested = draws.permutation(len(data.y_test))
    part = tested[: int(1000 * scale)]
    whole = tested if scale >= 1 else part
    return Task(
        SpikingNetwork.chain("196-64-10", seed=seed),
        rate(data.x_train[kept], 4),
        data.y_train[kept],
        (rate(data.x_train[aside], 4), data.y_train[aside]),
        [Stratum(rate(data.x_test[part], 4), data.y_test[part])],
        [Stratum(rate(data.x_test[whole], 4), data.y_test[whole])],
        6,
        2,
        4e-3,
        DIGITS,
        False,
        "training and validation from the 60,000 training pictures, curves on pictures drawn from "
        "the 10,000 test pictures, recall of each class on all of them",
    )


def fsdd(seed: int, scale: float) -> Task:
    """Return spoken digits in 32 steps of 20 ms, for a network with synapses of four delays."""
    data = spoken_digits(steps=32, width=20)
    draws = np.random.default_rng(seed)
    training, test = (draws.permutation(part)[: int(len(part) * scale)] for part in data.official)
    late = data.takes[training] >= 45
    kept, aside = training[~late], training[late]
    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(3), surrogate=FastSigmoid(0.1))
    net = SpikingNetwork(
        [Input("cochlea", 128)],
        [
            Layer("hidden", 64, cell),
            Layer("output", 10, Cell(Integrator, decay=Decay.shift(5))),
        ],
        [
            *(Connection("cochlea", "hidden", delay=tap) for tap in (0, 2, 4, 6)),
            Connection("hidden", "output"),
        ],
        [Readout("output", "last")],
        seed=seed,
    )
    tested = [Stratum(data.spikes[test], data.labels[test])]
    return Task(
        net,
        data.spikes[kept],
        data.labels[kept],
        (data.spikes[aside], data.labels[aside]),
        tested,
        tested,
        8,
        4,
        3e-3,
        DIGITS,
        False,
        "the official one: takes 0 to 4 of each speaker and digit test, takes 45 to 49 choose the "
        "epoch, the others train; all six speakers are in all parts",
    )


TASKS: dict[str, Callable[[int, float], Task]] = {"mnist": mnist, "fsdd": fsdd, "ecg": ecg}
