"""Accuracy of networks whose weights are held by devices: levels, noise, time, stuck cells, yield.

For each data set a network is trained in floating point, and a copy with clipped weights is trained
further with new noisy devices for each batch. Studies follow, each over draws of devices with
seeds:

- ``levels``: number of levels of a device;
- ``noise``: programming noise, as a share of the greatest conductance, with and without training
  for it;
- ``time``: seconds after programming a phase-change memory, with and without compensation of the
  drift;
- ``stuck``: share of stuck cells, half of them at each end, with and without training each chip
  again with its faults known;
- ``yield``: share of 200 chips that reach an accuracy, with noise of 5 % and 1 % of stuck cells;
- ``recall``: with the same devices, the share of each class's samples that are found.

Data sets are found through SPIKER_DATA. Prints tables; ``--json`` keeps the numbers and
``--pictures`` writes a picture for each study.

    SPIKER_DATA=DIR python benchmarks/devices.py --pictures pictures
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout
from spiker_hdl.model.encoders import delta, rate
from spiker_train import (
    Cell,
    Connection,
    Device,
    DifferentialPair,
    Draws,
    FastSigmoid,
    Faults,
    GaussianNoise,
    Layer,
    MonteCarlo,
    SpikingNetwork,
    TrainingOptions,
    pcm,
    train,
)
from spiker_train.data.heart_beats import heart_beats
from spiker_train.data.images import load_dataset
from spiker_train.data.spoken_digits import spoken_digits
from spiker_train.monte_carlo.result import draw_picture, table

RESULTS = Path(__file__).parent / "results" / "devices.json"
HIGH = 25e-6
LEVELS = (2, 3, 4, 6, 8, 12, 16, 32, 64)
NOISE = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
TIMES = (20.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
STUCK = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6)
TRAINED_NOISE = 0.1
CHIPS = 200
DEVIATIONS = 2.0
"""Standard deviations at which weights are clipped before a network is trained for noise."""


@dataclass
class Task:
    """A network with training and test samples.

    Members
    -------
    net : SpikingNetwork
    spikes, labels, test_spikes, test_labels : array
    epochs : int
    rate : float
        Learning rate.
    classes : tuple of str
    """

    net: SpikingNetwork
    spikes: np.ndarray
    labels: np.ndarray
    test_spikes: np.ndarray
    test_labels: np.ndarray
    epochs: int
    rate: float
    classes: tuple[str, ...]


def mnist(seed: int, size: int) -> Task:
    """Return pictures of 14 x 14 pixels in 4 steps."""
    data = load_dataset("mnist_14x14")
    digits = tuple(str(digit) for digit in range(10))
    draws = np.random.default_rng(seed)
    kept, tested = (
        draws.permutation(len(y))[:count]
        for y, count in ((data.y_train, 20 * size), (data.y_test, size))
    )
    net = SpikingNetwork.chain("196-64-10", seed=seed)
    return Task(
        net,
        rate(data.x_train[kept], 4),
        data.y_train[kept],
        rate(data.x_test[tested], 4),
        data.y_test[tested],
        6,
        4e-3,
        digits,
    )


def fsdd(seed: int, size: int) -> Task:
    """Return spoken digits in 32 steps of 20 ms, for a network with synapses of four delays."""
    data = spoken_digits(steps=32, width=20)
    kept, tested = data.official
    tested = np.random.default_rng(seed).permutation(tested)[:size]
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
    return Task(
        net,
        data.spikes[kept],
        data.labels[kept],
        data.spikes[tested],
        data.labels[tested],
        8,
        3e-3,
        tuple(str(digit) for digit in range(10)),
    )


def ecg(seed: int, size: int) -> Task:
    """Return heart beats of other patients than those of the training, as changes of the signal."""
    data, draws = heart_beats(download=False), np.random.default_rng(seed)
    values = np.clip((data.values.astype(np.int64) + 512) >> 2, 0, 255)

    def some(indices: np.ndarray, most: int) -> np.ndarray:
        labels = data.labels[indices]
        return np.concatenate([
            draws.permutation(indices[labels == label])[:most] for label in range(4)
        ])

    train_part, test_part = data.inter_patient
    kept, tested = some(train_part, 4 * size), some(test_part, size // 3)
    slow = np.resize(np.arange(1, 7), 48)
    decay = Decay(tuple(2 ** (6 - int(shift)) for shift in slow), 6)
    weak = draws.uniform(-0.02, 0.02, (48, 48))
    encoded = [delta(values[part], (2, 5, 12, 30)) for part in (kept, tested)]
    net = SpikingNetwork(
        [Input("ecg", encoded[0].shape[2])],
        [
            Layer("hidden", 48, Cell(Lif, threshold=1.0, decay=decay, surrogate=FastSigmoid(0.1))),
            Layer("output", 4, Cell(Integrator, decay=Decay.shift(6))),
        ],
        [
            Connection("ecg", "hidden"),
            Connection("hidden", "hidden", weak, delay=1),
            Connection("hidden", "output"),
        ],
        [Readout("output", "last")],
        seed=seed,
    )
    return Task(
        net,
        encoded[0],
        data.labels[kept].astype(np.int64),
        encoded[1],
        data.labels[tested].astype(np.int64),
        20,
        4e-3,
        ("N", "S", "V", "F"),
    )


TASKS = {"mnist": mnist, "fsdd": fsdd, "ecg": ecg}


def noisy(share: float, **stages) -> Device:
    """Return a device whose programming noise is a share of its greatest conductance."""
    return Device(high=HIGH, programming=GaussianNoise(absolute=share * HIGH), **stages)


IMPERFECT = noisy(0.05, faults=Faults(stuck_low=0.005, stuck_high=0.005))


def stuck(share: float) -> Device:
    """Return a device of which a share of the cells is stuck, half of them at each end."""
    return Device(high=HIGH, faults=Faults(stuck_low=share / 2, stuck_high=share / 2))


def clip(net: SpikingNetwork) -> None:
    """Clip the weights of each connection, since its greatest weight decides what noise does.

    The greatest conductance stands for the greatest weight: a few large ones make noise large
    against all others.
    """
    with torch.no_grad():
        for connection in net.connections:
            limit = DEVIATIONS * float(connection.weights.std())
            connection.weights.clamp_(-limit, limit)


class Studies:
    """The studies of one data set."""

    def __init__(self, task: Task, options: argparse.Namespace):
        self.task, self.options = task, options
        settings = TrainingOptions(
            epochs=task.epochs,
            learning_rate=task.rate,
            max_grad_norm=1.0,
            seed=options.seed,
            progress=options.progress,
        )
        self.settings = settings
        self.plain = task.net
        train(self.plain, task.spikes, task.labels, settings)
        self.aware = deepcopy(self.plain)
        clip(self.aware)
        aware = replace(settings, learning_rate=task.rate / 2, devices=noisy(TRAINED_NOISE))
        train(self.aware, task.spikes, task.labels, aware)
        self.ideal = {
            name: self.draws(net, Device(high=HIGH), 1).mean()[0]
            for name, net in (("usual", self.plain), ("noise-aware", self.aware))
        }

    def draws(self, net: SpikingNetwork, devices, draws: int = 0, **options) -> Draws:
        """Run draws of devices on the test samples."""
        study = MonteCarlo(net, devices, draws or self.options.draws, self.options.seed, **options)
        return study.run(
            self.task.test_spikes, self.task.test_labels, progress=self.options.progress
        )

    def levels(self) -> dict:
        return {
            "usual": {n: self.draws(self.plain, Device(high=HIGH, levels=n), 1) for n in LEVELS},
            "noise-aware": {
                n: self.draws(self.aware, Device(high=HIGH, levels=n), 1) for n in LEVELS
            },
        }

    def noise(self) -> dict:
        return {
            name: {share: self.draws(net, noisy(share)) for share in NOISE}
            for name, net in (("usual", self.plain), ("noise-aware", self.aware))
        }

    def time(self) -> dict:
        return {
            name: self.draws(
                net, DifferentialPair(device=pcm(HIGH), compensate=compensate), times=TIMES
            )
            for name, net, compensate in (
                ("no compensation", self.plain, False),
                ("compensation", self.plain, True),
                ("noise-aware, compensation", self.aware, True),
            )
        }

    def stuck(self) -> dict:
        usual = {share: self.draws(self.plain, stuck(share)) for share in STUCK}
        return {"usual": usual, "retrained": {share: self._retrained(share) for share in STUCK}}

    def _retrained(self, share: float) -> Draws:
        """Return draws of a few chips, each of which was trained again with its faults known."""
        result = None
        for chip in range(self.options.chips):
            net = deepcopy(self.plain)
            settings = replace(
                self.settings,
                epochs=2,
                learning_rate=self.task.rate / 2,
                devices=stuck(share),
                device_draw=chip,
            )
            train(net, self.task.spikes, self.task.labels, settings)
            draws = self.draws(net, stuck(share), chip + 1)
            result = draws if result is None else result
            result.right[chip], result.clipped[chip] = draws.right[chip], draws.clipped[chip]
        return result

    def chips(self) -> dict:
        return {
            "usual": self.draws(self.plain, IMPERFECT, CHIPS),
            "noise-aware": self.draws(self.aware, IMPERFECT, CHIPS),
        }

    def recall(self) -> dict:
        """Return draws on the samples of one class at a time, whose accuracy is the recall."""
        curves = {}
        for name, net in (("usual", self.plain), ("noise-aware", self.aware)):
            for label, title in enumerate(self.task.classes):
                own = self.task.test_labels == label
                study = MonteCarlo(net, IMPERFECT, self.options.draws, self.options.seed)
                curves[f"{name}, {title}"] = study.run(
                    self.task.test_spikes[own], self.task.test_labels[own], progress=False
                )
        return curves


LABELS = {
    "levels": "levels of a device",
    "noise": "programming noise / greatest conductance",
    "time": "time after programming (s)",
    "stuck": "share of stuck cells",
}


def rows(curves: dict) -> dict[str, Draws]:
    """Return draws by a label for the table."""
    result = {}
    for name, curve in curves.items():
        if isinstance(curve, Draws):
            result[name] = curve
        else:
            result |= {f"{name}, {x:g}": draws for x, draws in curve.items()}
    return result


def numbers(draws: Draws, target: float) -> dict:
    """Return what the results keep of draws."""
    return {
        "times": list(draws.times),
        "draws": len(draws.right),
        "mean": draws.mean().round(4).tolist(),
        "5%": draws.quantiles((0.05,))[0].round(4).tolist(),
        "95%": draws.quantiles((0.95,))[0].round(4).tolist(),
        "yield": draws.reaching(target).round(4).tolist(),
    }


def measure(name: str, options: argparse.Namespace) -> Iterator[dict]:
    """Run the studies of a data set, and yield the results of each."""
    began = time.monotonic()
    studies = Studies(TASKS[name](options.seed, options.size), options)
    target = studies.ideal["usual"] - options.margin
    print(
        f"\n{name}: {studies.ideal['usual']:.2%} without devices, "
        f"{studies.ideal['noise-aware']:.2%} noise-aware, on {len(studies.task.test_labels)} test "
        f"samples; yield is of chips with at least {target:.2%}"
    )
    yield {"ideal": studies.ideal, "target": target}
    for study in options.studies:
        curves = studies.chips() if study == "yield" else getattr(studies, study)()
        labelled = rows(curves)
        print(f"\n{name}, {study}\n" + table(labelled, target), flush=True)
        yield {study: {label: numbers(draws, target) for label, draws in labelled.items()}}
        if options.pictures is not None and study != "recall":
            options.pictures.mkdir(parents=True, exist_ok=True)
            picture = options.pictures / f"{name}_{study}.png"
            if study == "yield":
                yield_picture(curves, target, picture, name)
            else:
                draw_picture(curves, picture, label=LABELS[study], title=f"{name}: {study}")
    yield {"seconds": round(time.monotonic() - began, 1)}


def yield_picture(curves: dict, target: float, path: Path, name: str) -> None:
    """Draw how many chips reach each accuracy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for label, draws in curves.items():
        reached = np.sort(draws.accuracy()[:, 0])[::-1] * 100
        axis.step(reached, np.arange(1, len(reached) + 1) / len(reached) * 100, label=label)
    axis.axvline(target * 100, color="grey", lw=0.8, ls="--")
    axis.set(xlabel="accuracy (%)", ylabel="chips that reach it (%)", title=f"{name}: yield")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=120)


def speed(rounds: int = 5) -> list[dict]:
    """Measure 16 draws at once against a loop over them, in turns, by the medians of ratios."""
    results = []
    for sizes, steps in (("196-64-10", 8), ("784-128-10", 8), ("700-200-20", 100)):
        for batch in (16, 128):
            net = SpikingNetwork.chain(sizes, seed=0)
            spikes = np.random.default_rng(1).random((batch, steps, net.inputs[0].size)) < 0.1
            x = {"input": spikes.astype(np.uint8)}
            labels = np.zeros(batch, dtype=np.int64)
            loop, stacked = (
                MonteCarlo(net, noisy(0.05), 16, 0, stack=stack) for stack in (1, None)
            )
            weights = [loop.weights(draw) for draw in range(16)]
            for study in (loop, stacked):  # the weights are drawn before: networks are compared
                study.drawn = lambda draw, seconds, weights=weights: (weights[draw], 0)
            seconds: list[tuple[float, float]] = []
            for _ in range(rounds + 1):
                pair = []
                for study in (loop, stacked):
                    began = time.process_time()
                    study.run(x, labels, progress=False)
                    pair.append(time.process_time() - began)
                seconds.append((pair[0], pair[1]))
            ratio = float(np.median([a / b for a, b in seconds[1:]]))
            results.append({
                "network": sizes,
                "steps": steps,
                "batch": batch,
                "loop": round(float(np.median([a for a, _ in seconds[1:]])), 4),
                "ratio": round(ratio, 2),
            })
            print(f"{sizes}, {steps} steps, batch {batch}: loop {results[-1]['loop']:.3f} s, "
                  f"at once {ratio:.2f} times as fast", flush=True)  # fmt: skip
    return results


def main() -> None:
    every = ["levels", "noise", "time", "stuck", "yield", "recall"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="of mnist, fsdd and ecg; all by default")
    parser.add_argument("--studies", nargs="+", choices=every, default=every)
    parser.add_argument("--draws", type=int, default=20, help="of each point of a curve")
    parser.add_argument("--chips", type=int, default=3, help="that are trained again")
    parser.add_argument("--size", type=int, default=500, help="test samples")
    parser.add_argument("--margin", type=float, default=0.02, help="accuracy that a chip may lose")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--pictures", type=Path, help="directory for pictures")
    parser.add_argument("--speed", action="store_true", help="measure draws at once alone")
    parser.add_argument("--progress", action="store_true", help="show progress bars")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    kept = json.loads(options.json.read_text()) if options.json.is_file() else {}
    if options.speed:
        kept["speed"] = speed()
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    for name in [] if options.speed else options.tasks or TASKS:
        settings = {key: getattr(options, key) for key in ("draws", "chips", "size", "seed")}
        kept[name] = kept.get(name, {}) | settings
        kept["made_with"] = {"python": platform.python_version(), "torch": version("torch")}
        for results in measure(name, options):
            kept[name] |= results
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
