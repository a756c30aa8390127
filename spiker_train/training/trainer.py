"""Training with surrogate gradients, in floating point or in the integers of the hardware."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_train.network.drawn import check_devices, draw_weights, with_weights
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.quantization import Quantization, clip

from .batches import ImageShifter, batch_of, checked_labels, checked_spikes, split
from .losses import classification_loss, spikes_per_sample
from .optimizer import Adam, parameter_groups
from .options import TrainingOptions
from .progress import progress_bar

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
        Accuracy on the validation samples after each epoch, in the arithmetic of the training.
    spikes : list of float
        Spikes of all hidden layers per validation sample, after each epoch.
    best : int
        Epoch whose weights were kept: the one of the greatest accuracy, the latest among equals.
    integers : Quantization or None
        The quantization of a training in integers, with its scales.
    """

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    spikes: list[float] = field(default_factory=list)
    best: int = -1
    integers: Quantization | None = None


def train(
    net: SpikingNetwork,
    spikes: Any,
    labels: np.ndarray,
    options: TrainingOptions,
    *,
    validation: tuple[Any, np.ndarray] | None = None,
    integers: Quantization | None = None,
) -> History:
    """Train a network in place; the weights of the best epoch are kept.

    The optimiser is Adam with a learning rate that falls as a cosine to zero; the loss is the cross
    entropy of the first readout's scores. The same seed, thread count and machine give the same
    weights.

    Parameters
    ----------
    net : SpikingNetwork
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
        Or a function of sample numbers and a NumPy generator that returns such: it is called for
        each batch, and so can alter samples at random before they are encoded.
    labels : array of int, shape (samples,)
    options : TrainingOptions
    validation : (spikes, labels), optional
        Samples that choose the best epoch, as ``spikes`` and ``labels``. Where none are given, a
        share of the training samples is set aside; a function of spikes needs them.
    integers : Quantization, optional
        Train in integers, with these scales, or with those that fit the weights at the start.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        If spikes or labels do not suit the network.
    """
    if not isinstance(options, TrainingOptions):
        raise TypeError(f"Options must be TrainingOptions, not {options!r}")
    x = {} if callable(spikes) else checked_spikes(net, spikes)
    y = checked_labels(net, labels, len(next(iter(x.values()))) if x else len(labels))
    if validation is not None:
        x_aside = checked_spikes(net, validation[0])
        y_aside = checked_labels(net, validation[1], len(next(iter(x_aside.values()))))
    elif callable(spikes):
        raise TypeError("Validation of spikes from a function must be (spikes, labels), not None")
    else:
        kept, aside = split(len(y), options.validation_share, options.seed)
        x_aside, y_aside = {name: array[aside] for name, array in x.items()}, y[aside]
        x, y = {name: array[kept] for name, array in x.items()}, y[kept]
    run = _Run(net, options, None if integers is None else integers.fit(net), len(y))
    best: dict[str, torch.Tensor] = {}
    history = History(integers=run.integers)
    with progress_bar(options.progress, options.title, run.optimizer.steps) as advance:
        for epoch in range(options.epochs):
            history.losses.append(run.epoch(spikes, x, y, advance))
            with run.devices(run.validation_draw):
                accurate, fired = _validate(net, x_aside, y_aside, run.integers, run.hidden)
            history.validation.append(accurate)
            history.spikes.append(fired)
            if history.best < 0 or accurate >= history.validation[history.best]:
                history.best = epoch
                best = {name: value.detach().clone() for name, value in net.state_dict().items()}
    net.load_state_dict(best)
    return history


class _Run:
    """What lives as long as a training: optimiser, random numbers, and what is learned."""

    def __init__(
        self,
        net: SpikingNetwork,
        options: TrainingOptions,
        integers: Quantization | None,
        count: int,
    ):
        self.net = net
        self.options = options
        self.integers = integers
        self.shifter = ImageShifter(net, options.max_shift) if options.max_shift else None
        steps = options.epochs * -(-count // options.batch_size)
        self.optimizer = Adam(parameter_groups(net), steps)
        self.generator = np.random.Generator(np.random.PCG64([options.seed, 1]))
        answering = net.readouts[0].population
        self.hidden = [
            layer.name for layer in net.layers if layer.cell.spiking and layer.name != answering
        ]
        self.learned = [value for layer in net.layers for value in layer.cell.parameters()]
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

    def epoch(self, spikes: Any, x: dict[str, np.ndarray], y: np.ndarray, advance: Any) -> float:
        """Train on all samples once, in random order, and return the mean loss."""
        order = self.generator.permutation(len(y))
        total = 0.0
        for start in range(0, len(y), self.options.batch_size):
            members = order[start : start + self.options.batch_size]
            batch = batch_of(self.net, spikes, x, members, self.generator)
            if self.shifter is not None:
                batch = self.shifter(batch, self.generator)
            total += self._step(batch, y[members]) * len(members)
            advance()
        return total / len(y)

    def _step(self, batch: dict[str, torch.Tensor], labels: np.ndarray) -> float:
        """Update the weights after one batch, and return its loss without the penalty."""
        net, options = self.net, self.options
        with self.devices(TRAINING_DRAWS + self.batches):
            outcome = net(batch, self.integers)
        self.batches += 1
        device = outcome.logits.device
        loss = classification_loss(
            outcome, torch.as_tensor(labels, device=device), options.temperature
        )
        mean = float(loss.detach())
        if options.activity_penalty:
            penalty = options.activity_penalty * spikes_per_sample(outcome, self.hidden)
            loss = loss + penalty / 100
        net.zero_grad(set_to_none=True)
        loss.backward()
        if options.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), options.max_grad_norm)
        before = [value.detach().clone() for value in self.learned]
        self.optimizer.step(options.learning_rate)
        if self.integers is not None:
            clip(net, self.integers)
            _undo(net, self.integers, self.learned, before)
        return mean


def accuracy(
    net: SpikingNetwork,
    spikes: Any,
    labels: np.ndarray,
    integers: Quantization | None = None,
    batch: int = 1000,
) -> float:
    """Return the share of samples that are classified as their labels say.

    Parameters
    ----------
    net : SpikingNetwork
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
    labels : array of int, shape (samples,)
    integers : Quantization, optional
        Run in integers; in floating point where none is given.
    batch : int
        Samples that are run at a time.
    """
    x = checked_spikes(net, spikes)
    y = checked_labels(net, labels, len(next(iter(x.values()))))
    return _validate(net, x, y, integers, [], batch)[0]


def _validate(
    net: SpikingNetwork,
    x: dict[str, np.ndarray],
    y: np.ndarray,
    integers: Quantization | None,
    hidden: list[str],
    batch: int = 1000,
) -> tuple[float, float]:
    """Return the accuracy, and the spikes of the hidden layers per sample."""
    right, fired = 0, 0.0
    with torch.no_grad():
        for start in range(0, len(y), batch):
            part = slice(start, start + batch)
            outcome = net({name: array[part] for name, array in x.items()}, integers)
            # NumPy breaks ties to the lowest class, as the hardware does.
            classes = outcome.scores.cpu().numpy().argmax(axis=1)
            right += int((classes == y[part]).sum())
            fired += sum(float(outcome.spikes[name].sum()) for name in hidden)
    return right / len(y), fired / len(y)


@torch.no_grad()
def _undo(
    net: SpikingNetwork,
    integers: Quantization,
    learned: list[nn.Parameter],
    before: list[torch.Tensor],
) -> None:
    """Restore the learned parameters of neurons if their update makes an impossible neuron."""
    try:
        for layer in net.layers:
            if layer.cell.learned:
                integers.neuron(layer)
    except ValueError:
        for parameter, value in zip(learned, before, strict=True):
            parameter.copy_(value)
