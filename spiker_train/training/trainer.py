"""Training with surrogate gradients, in floating point or in the integers of the hardware."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base import FileError
from spiker_hdl.base.checks import shown
from spiker_train.network.description import described, network_described
from spiker_train.network.drawn import check_devices, draw_weights, with_weights
from spiker_train.network.integers.channel_scales import rounded_weights
from spiker_train.network.integers.quantization import Quantization, clip
from spiker_train.network.layers import check_finite
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.normalization import batch_normalized, batch_statistics
from spiker_train.network.runs.state import NetworkState

from .answers import answer
from .batches import (
    ImageShifter,
    Samples,
    batch_of,
    checked_labels,
    checked_samples,
    checked_targets,
    orders,
    padded,
    split,
)
from .checkpoint import Checkpoint, fingerprint, read_checkpoint, write_checkpoint
from .losses import LOSSES, CrossEntropy, spikes_per_sample
from .optimizer import make_optimizer
from .options import TrainingOptions
from .progress import progress_bar
from .run_times import AT_REST, RunTimes

__all__ = ["History", "accuracy", "train"]

TRAINING_DRAWS = 2**31
"""Number of the first draw of devices in training, beyond those of any study: a network is not
studied with the devices that it was trained with."""


@dataclass
class History:
    """The course of a training.

    Members
    -------
    losses : list of float
        Mean loss of each epoch.
    validation : list of float
        Accuracy on the validation samples after each epoch, in the arithmetic of the training;
        empty for a loss of other targets than labels.
    validation_losses : list of float
        Mean loss of the validation samples after each epoch, for a loss of other targets than
        labels; empty for others.
    spikes : list of float
        Spikes of all hidden layers per validation sample, after each epoch.
    best : int
        Epoch whose weights were kept: the one of the greatest accuracy, or of the least loss on
        the validation samples, the latest among equals.
    integers : Quantization or None
        The quantization of a training in integers, with its scales.
    """

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    spikes: list[float] = field(default_factory=list)
    best: int = -1
    integers: Quantization | None = None


def train(
    net: SpikingNetwork,
    spikes: Any,
    labels: Any,
    options: TrainingOptions,
    *,
    validation: tuple[Any, ...] | None = None,
    integers: Quantization | None = None,
    checkpoint: str | Path | None = None,
    dt: float | None = None,
    plan: Sequence[tuple[float, int]] | None = None,
    start: NetworkState | None = None,
) -> History:
    """Train a network in place; the weights of the best epoch are kept.

    Unless the options say otherwise, the optimiser is Adam with a learning rate that falls as a
    cosine to zero, and the loss is the cross entropy of the first readout's scores. The same seed,
    thread count and machine give the same weights.

    Parameters
    ----------
    net : SpikingNetwork
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
        Or lists of arrays of the shape (steps, size), where samples differ in their steps: samples
        of about the same length are in a batch, and readouts and losses see the steps of each
        sample alone. Or a function of sample numbers and a NumPy generator that returns either: it
        is called for each batch, and so can alter samples at random before they are encoded.
    labels : array of int, shape (samples,)
        For a loss of targets over time, arrays of the shape (steps, size of the first readout's
        population), one for each sample.
    options : TrainingOptions
    validation : (spikes, labels) or (spikes, labels, start), optional
        Samples that choose the best epoch, as ``spikes`` and ``labels``. Where none are given, a
        share of the training samples is set aside; a function of spikes needs them. They need a
        ``start`` of their own where each sample has one.
    integers : Quantization, optional
        Train in integers, with these scales, or with those that fit the weights at the start.
    checkpoint : str or Path, optional
        File that is written after each epoch. If it is there already, the training goes on from
        it, and ends with the weights of one that was not interrupted; the call must be the same.
    dt : float, optional
        Length of a step in seconds, which a network with times in seconds needs unless it has a
        ``dt`` of its own.
    plan : sequence of (float, int), optional
        In place of ``dt``, lengths in seconds, each with the number of steps that have it, in
        order; not in integers. Where samples differ in their steps, it has those of the longest,
        and shorter ones have the first of them.
    start : NetworkState, optional
        State before the first step, of each sample or one for all; gradients do not pass to the
        run that it is after. The state at rest where none is given.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        If spikes, labels, steps or states do not suit the network, or a weight is no longer finite
        after an epoch; the network then has its weights of the best epoch before.
    FileError
        If the checkpoint is of another training, or none.
    """
    if not isinstance(options, TrainingOptions):
        raise TypeError(f"Options must be TrainingOptions, not {options!r}")
    loss = _loss_of(options)
    times = RunTimes(dt, plan, start)
    x = Samples({}, None) if callable(spikes) else checked_samples(net, spikes)
    y = _targets(net, labels, x, loss, len(labels))
    times.check("training samples", len(y), x.steps)
    if validation is not None:
        x_aside, y_aside, times_aside = _validation(net, validation, loss, times)
    elif callable(spikes):
        raise TypeError("Validation of spikes from a function must be (spikes, labels), not None")
    else:
        kept, aside = split(len(y), options.validation_share, options.seed)
        x_aside, y_aside, times_aside = x.take(aside), _part(y, aside), times.take(aside)
        x, y, times = x.take(kept), _part(y, kept), times.take(kept)
    integers = times.quantization(integers)
    if options.batch_norm and integers is not None:
        raise ValueError(
            "Batch normalisation must be of a training in floating point, not in integers: train "
            "with it first, and then in integers without it"
        )
    if options.rounded_weights is not None and integers is not None:
        raise ValueError(
            "Rounded weights must be None in integers, in which all weights are rounded"
        )
    with (
        batch_normalized(net, options.batch_norm),
        rounded_weights(net, options.rounded_weights),
    ):
        run = _Run(net, options, loss, integers and integers.fit(net), len(y), times)
        best: dict[str, torch.Tensor] = {}
        history = History(integers=run.integers)
        if checkpoint is not None:
            run.fingerprint = _fingerprint(net, options, run.integers, x, y, times)
            if Path(checkpoint).exists():
                best = run.resume(checkpoint, history)
        with progress_bar(options.progress, options.title, run.optimizer.steps) as advance:
            for _ in range(run.batches):
                advance()
            for epoch in range(len(history.losses), options.epochs):
                history.losses.append(run.epoch(spikes, x, y, advance))
                _check_converging(net, best, epoch)
                with run.devices(run.validation_draw):
                    accurate, fired, cost = _validate(
                        net,
                        x_aside,
                        y_aside,
                        run.integers,
                        run.hidden,
                        loss=loss,
                        times=times_aside,
                    )
                history.spikes.append(fired)
                course = history.validation if loss.classes else history.validation_losses
                course.append(accurate if loss.classes else cost)
                sign = 1 if loss.classes else -1
                if history.best < 0 or sign * course[-1] >= sign * course[history.best]:
                    history.best = epoch
                    best = {
                        name: value.detach().clone() for name, value in net.state_dict().items()
                    }
                if checkpoint is not None:
                    write_checkpoint(checkpoint, run.checkpoint(epoch, best, history))
        net.load_state_dict(best)
    return history


def _check_converging(net: SpikingNetwork, best: dict[str, torch.Tensor], epoch: int) -> None:
    """Raise :exc:`ValueError` if a weight is no longer finite; the best weights are kept."""
    try:
        check_finite(net.layers, net.connections)
    except ValueError as error:
        if best:
            net.load_state_dict(best)
        raise ValueError(
            f"{error}, which they are after epoch {epoch + 1}: take a smaller learning rate, or "
            "max_grad_norm"
        ) from None


def _validation(
    net: SpikingNetwork, validation: Any, loss: Any, times: RunTimes
) -> tuple[Samples, Any, RunTimes]:
    """Return the samples that choose the best epoch, their targets, and how they run."""
    if not isinstance(validation, tuple | list) or len(validation) not in {2, 3}:
        raise TypeError(
            f"Validation must be (spikes, labels) or (spikes, labels, start), not "
            f"{shown(validation)}"
        )
    spikes, labels, *start = validation
    x = checked_samples(net, spikes)
    y = _targets(net, labels, x, loss, len(x))
    if start:
        times = replace(times, start=start[0])
    elif times.start is not None and times.start.samples > 1:
        raise ValueError(
            "Validation must be (spikes, labels, start) where each training sample has a start of "
            "its own, not (spikes, labels)"
        )
    times.check("validation samples", len(x), x.steps)
    return x, y, times


def _loss_of(options: TrainingOptions) -> Any:
    """Return the loss of the options, which says whether it takes labels and reads potentials."""
    if options.loss == "cross_entropy":
        return CrossEntropy(options.temperature)
    if isinstance(options.loss, str):
        return LOSSES[options.loss]()
    return options.loss if hasattr(options.loss, "classes") else _Function(options.loss)


@dataclass(frozen=True)
class _Function:
    """A loss that is a function of :class:`~.losses.Answers` and labels."""

    function: Any
    classes = True
    potentials = False

    def __call__(self, answers: Any, targets: torch.Tensor) -> torch.Tensor:
        loss = self.function(answers, targets)
        if not isinstance(loss, torch.Tensor) or loss.shape != ():
            actual = f"a tensor of {tuple(loss.shape)}" if hasattr(loss, "shape") else repr(loss)
            raise TypeError(f"Loss must return a tensor of one number, not {actual}")
        return loss


def _targets(net: SpikingNetwork, labels: Any, x: Samples, loss: Any, count: int) -> Any:
    if loss.classes:
        return checked_labels(net, labels, len(x) if x.values else count)
    if not x.values:
        raise TypeError("Loss of targets over time must have arrays of spikes, not a function")
    return checked_targets(net, labels, x)


def _part(y: Any, members: Any) -> Any:
    return y[members] if isinstance(y, np.ndarray) else [y[n] for n in members]


def _batch_targets(y: Any, members: Any, device: Any) -> torch.Tensor:
    """Return the targets of a batch; those over time are padded with 0 at their ends."""
    part = _part(y, members)
    if not isinstance(part, np.ndarray):
        part = padded(part, max(map(len, part)))
    return torch.as_tensor(part, device=device)


def _fingerprint(
    net: SpikingNetwork,
    options: TrainingOptions,
    integers: Quantization | None,
    x: Samples,
    y: Any,
    times: RunTimes,
) -> str:
    weights = (value.detach().cpu().numpy() for value in net.state_dict().values())
    samples = (row for rows in x.values.values() for row in rows)
    settings = f"{integers!r} {network_described(net)!r}"
    if times.given:
        settings += f" {described(times)!r}"
    return fingerprint(options, (*weights, *samples, *y), settings)


class _Run:
    """What lives as long as a training: optimiser, random numbers, and what is learned."""

    def __init__(
        self,
        net: SpikingNetwork,
        options: TrainingOptions,
        loss: Any,
        integers: Quantization | None,
        count: int,
        times: RunTimes,
    ):
        self.net = net
        self.options = options
        self.loss = loss
        self.fingerprint = ""
        self.integers = integers
        self.times = times
        self.shifter = ImageShifter(net, options.max_shift) if options.max_shift else None
        steps = options.epochs * -(-count // options.batch_size)
        self.optimizer = make_optimizer(
            net, options.optimizer, steps, options.learning_rate, options.schedule
        )
        self.generator = np.random.Generator(np.random.PCG64([options.seed, 1]))
        answering = net.readouts[0].population
        self.hidden = [
            layer.name for layer in net.layers if layer.cell.spiking and layer.name != answering
        ]
        self.learned = [value for layer in net.layers for value in layer.cell.parameters()]
        self.learned += [value for part in net.connections for value in part.learned.values()]
        if options.devices is not None:
            check_devices(net, options.devices)
        self.batches = 0
        self.validation_draw = TRAINING_DRAWS - 1

    def devices(self, draw: int) -> AbstractContextManager[None]:
        """Return a context in which the network has the weights that devices hold."""
        options = self.options
        if options.devices is None:
            return nullcontext()
        draw = draw if options.device_draw is None else options.device_draw
        return with_weights(
            self.net,
            draw_weights(self.net, options.devices, options.seed, draw, options.device_seconds),
        )

    def epoch(self, spikes: Any, x: Samples, y: Any, advance: Any) -> float:
        """Train on all samples once, in random order, and return the mean loss."""
        total = 0.0
        for members in orders(self.generator, len(y), self.options.batch_size, x.lengths):
            batch, lengths = batch_of(self.net, spikes, x, members, self.generator)
            if self.shifter is not None:
                batch = self.shifter(batch, self.generator)
            total += self._step(batch, lengths, y, members) * len(members)
            advance()
        return total / len(y)

    def _step(
        self, batch: dict[str, torch.Tensor], lengths: np.ndarray | None, y: Any, members: Any
    ) -> float:
        """Update the weights after one batch, and return its loss without the penalties."""
        net, options = self.net, self.options
        times = _times_of(self.times, members, batch)
        if lengths is not None and options.batch_norm:
            raise ValueError("Batch normalisation must be of samples with the same number of steps")
        with self.devices(TRAINING_DRAWS + self.batches), batch_statistics(net):
            answers = answer(net, batch, lengths, self.integers, self.loss.potentials, times)
        self.batches += 1
        outcome = answers.outcome
        loss = self.loss(answers, _batch_targets(y, members, outcome.logits.device))
        mean = float(loss.detach())
        if options.activity_penalty:
            penalty = options.activity_penalty * spikes_per_sample(outcome, self.hidden)
            loss = loss + penalty / 100
        for regularizer in options.regularizers:
            loss = loss + regularizer(answers)
        net.zero_grad(set_to_none=True)
        loss.backward()
        if options.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), options.max_grad_norm)
        before = [value.detach().clone() for value in self.learned]
        self.optimizer.step(options.learning_rate)
        for connection in net.connections:
            if connection.normalization is not None:
                connection.normalization.keep_positive()
        _undo(net, self.integers, self.learned, before)
        if self.integers is not None:
            clip(net, self.integers)
        return mean

    def checkpoint(self, epoch: int, best: dict[str, torch.Tensor], history: History) -> Checkpoint:
        """Return all from which :meth:`resume` goes on after an epoch."""
        tensors, numbers = self.optimizer.state()
        named = {"net": self.net.state_dict(), "best": best, "optimizer": tensors}
        return Checkpoint(
            {f"{part}/{name}": v for part, values in named.items() for name, v in values.items()},
            {
                "fingerprint": self.fingerprint,
                "epoch": epoch,
                "batches": self.batches,
                "generator": _text(self.generator.bit_generator.state),
                "optimizer": numbers,
                "history": {name: getattr(history, name) for name in COURSE},
            },
        )

    def resume(self, path: str | Path, history: History) -> dict[str, torch.Tensor]:
        """Go on from a checkpoint, and return the best weights up to it."""
        checkpoint = read_checkpoint(path)
        content = checkpoint.content
        if content["fingerprint"] != self.fingerprint:
            raise FileError(
                "must be a checkpoint of this training, not of another network, other options, "
                "spikes or labels",
                path,
            )
        self.net.load_state_dict(checkpoint.part("net"))
        self.optimizer.load(checkpoint.part("optimizer"), content["optimizer"])
        self.generator.bit_generator.state = _number(content["generator"])
        self.batches = content["batches"]
        for name in COURSE:
            setattr(history, name, content["history"][name])
        return checkpoint.part("best")


COURSE = ("losses", "validation", "validation_losses", "spikes", "best")


def _text(value: Any) -> Any:
    """Return the state of a generator, whose numbers of 128 bits are more than JSON takes."""
    if isinstance(value, dict):
        return {name: _text(entry) for name, entry in value.items()}
    return f"{value:d}" if isinstance(value, int) else value


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _number(entry) for name, entry in value.items()}
    return int(value) if value.isdecimal() else value


def accuracy(
    net: SpikingNetwork,
    spikes: Any,
    labels: np.ndarray,
    integers: Quantization | None = None,
    batch: int = 1000,
    *,
    dt: float | None = None,
    plan: Sequence[tuple[float, int]] | None = None,
    start: NetworkState | None = None,
) -> float:
    """Return the share of samples that are classified as their labels say.

    Parameters
    ----------
    net : SpikingNetwork
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
        Or lists of arrays of the shape (steps, size), where samples differ in their steps.
    labels : array of int, shape (samples,)
    integers : Quantization, optional
        Run in integers; in floating point where none is given.
    batch : int
        Samples that are run at a time.
    dt, plan, start
        As for :func:`train`.

    Raises
    ------
    TypeError, ValueError
        If spikes, labels, steps or states do not suit the network.
    """
    x = checked_samples(net, spikes)
    y = checked_labels(net, labels, len(x))
    times = RunTimes(dt, plan, start)
    times.check("samples", len(x), x.steps)
    integers = times.quantization(integers)
    if integers is not None and not integers.fits(net):
        integers = integers.fit(net)
    return _validate(net, x, y, integers, [], batch, times=times)[0]


def _validate(
    net: SpikingNetwork,
    x: Samples,
    y: Any,
    integers: Quantization | None,
    hidden: list[str],
    batch: int = 1000,
    loss: Any = None,
    times: RunTimes = AT_REST,
) -> tuple[float, float, float]:
    """Return the accuracy, the spikes of the hidden layers per sample, and the mean loss.

    The loss is computed where targets are no classes; the accuracy where they are.
    """
    right, fired, cost = 0, 0.0, 0.0
    loss = CrossEntropy() if loss is None else loss
    classified = loss.classes
    # Samples of about the same length together, which are padded the least.
    order = np.arange(len(y)) if x.lengths is None else np.argsort(x.lengths, kind="stable")
    with torch.no_grad():
        for start in range(0, len(y), batch):
            members = order[start : start + batch]
            spikes, lengths = x.batch(members)
            potentials = not classified and loss.potentials
            of_batch = _times_of(times, members, spikes)
            answers = answer(net, spikes, lengths, integers, potentials, of_batch)
            outcome = answers.outcome
            if classified:
                # NumPy breaks ties to the lowest class, as the hardware does.
                classes = outcome.scores.cpu().numpy().argmax(axis=1)
                right += int((classes == y[members]).sum())
            else:
                targets = _batch_targets(y, members, outcome.logits.device)
                cost += float(loss(answers, targets)) * len(members)
            fired += sum(float(outcome.spikes[name].sum()) for name in hidden)
    return right / len(y), fired / len(y), cost / len(y)


def _times_of(times: RunTimes, members: Any, batch: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the keywords of the run of a batch."""
    steps = next(iter(batch.values())).shape[1]
    return times.of_batch(members, steps)


@torch.no_grad()
def _undo(
    net: SpikingNetwork,
    integers: Quantization | None,
    learned: list[nn.Parameter],
    before: list[torch.Tensor],
) -> None:
    """Restore what neurons and dynamics learn if its update makes an impossible one."""
    try:
        changed = {part.target for part in net.connections if part.learned and part.dynamics}
        for layer in net.layers:
            if integers is not None and (layer.cell.learned or layer.name in changed):
                integers.neuron(layer)
    except ValueError:
        for parameter, value in zip(learned, before, strict=True):
            parameter.copy_(value)
