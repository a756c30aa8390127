"""Training by surrogate gradients, in real numbers or in the integers that ship."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.checks import check_int, integer_array
from spiker_hdl.model import stimulus
from spiker_hdl.model.scores import class_count
from spiker_train.network.network import Outcome, SpikingNetwork
from spiker_train.network.quantization import Quantization, clip

__all__ = ["History", "accuracy", "split", "train"]


@dataclass
class History:
    """What happened in a training.

    Members
    -------
    losses : list of float
        Mean loss of each epoch.
    validation : list of float
        Accuracy on the validation samples after each epoch, in the arithmetic of the training.
    spikes : list of float
        Spikes of all hidden layers per validation sample.
    best : int
        Epoch whose weights were kept: that of the greatest accuracy, the latest of equals.
    integers : Quantization or None
        With the scales of the training.
    """

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    spikes: list[float] = field(default_factory=list)
    best: int = -1
    integers: Quantization | None = None


def split(count: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices to train with and to validate with, at random.

    Raises
    ------
    ValueError
        If ``share`` leaves either without a sample.
    """
    held = round(count * share)
    if not 0 < held < count:
        raise ValueError(
            f"Validation share must leave samples on both sides, not {share!r} of {count}"
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


def train(
    net: SpikingNetwork,
    spikes: Any,
    labels: np.ndarray,
    *,
    epochs: int,
    validation: float | tuple[Any, np.ndarray] = 0.1,
    integers: Quantization | None = None,
    batch: int = 128,
    rate: float = 2e-3,
    temperature: float = 1.0,
    activity: float = 0.0,
    shift: int = 0,
    max_grad_norm: float | None = None,
    seed: int = 0,
    progress: bool = True,
    title: str = "training",
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
    epochs : int
    validation : float, or (spikes, labels)
        Share of the samples that is held back to choose the best epoch, or other samples for it,
        which spikes from a function need.
    integers : Quantization, optional
        Train in integers, with these scales, or those fitted to the weights at the start.
    batch : int
    rate : float
        Greatest learning rate, for weights of about 1.
    temperature : float
        What scores in real units are divided by.
    activity : float
        Weight in the loss of the spikes per sample of the hidden layers, in hundreds.
    shift : int
        Move pictures at random by as many pixels in both directions; the input has a shape of two
        axes.
    max_grad_norm : float, optional
        Greatest norm of a gradient, for recurrent networks, whose gradients may explode.
    seed : int
        Of order and shifts.
    progress : bool
        Whether to show a progress bar, if rich is installed.
    title : str
        What it says.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        If spikes or labels do not suit the network, or a number is out of range.
    """
    x = {} if callable(spikes) else _arrays(net, spikes)
    y = _labels(net, labels, len(next(iter(x.values()))) if x else len(labels))
    epochs, batch = check_int("Epochs", epochs, 1), check_int("Batch", batch, 1)
    seed, shift = check_int("Seed", seed, 0), check_int("Shift", shift, 0)
    positive = [("Learning rate", rate), ("Temperature", temperature)]
    positive += [] if max_grad_norm is None else [("Steepest gradient", max_grad_norm)]
    for what, value in positive:
        if not 0 < value < float("inf"):
            raise ValueError(f"{what} must be a positive number, not {value!r}")
    if isinstance(validation, tuple):
        x_held = _arrays(net, validation[0])
        y_held = _labels(net, validation[1], len(next(iter(x_held.values()))))
    elif callable(spikes):
        raise TypeError(
            f"Validation of spikes from a function must be (spikes, labels), not {validation!r}"
        )
    else:
        kept, held = split(len(y), validation, seed)
        x_held, y_held = {name: one[held] for name, one in x.items()}, y[held]
        x, y = {name: one[kept] for name, one in x.items()}, y[kept]
    if integers is not None:
        integers = integers.fit(net)
    device = next(net.parameters()).device
    target = torch.as_tensor(y, device=device)
    shifter = _Shifter(net, shift) if shift else None
    optimiser = _Adam(_groups(net), epochs * -(-len(y) // batch))
    draws = np.random.Generator(np.random.PCG64([seed, 1]))
    history = History(integers=integers)
    hidden = [one.name for one in net.layers if one.cell.spiking and one.name != _answer(net)]
    learned = [one for layer in net.layers for one in layer.cell.parameters()]
    best: dict[str, torch.Tensor] = {}
    with _bar(progress, title, optimiser.steps) as advance:
        for epoch in range(epochs):
            order = draws.permutation(len(y))
            total = 0.0
            for start in range(0, len(y), batch):
                members = order[start : start + batch]
                given = _batch(net, spikes, x, members, draws)
                if shifter is not None:
                    given = shifter(given, draws)
                outcome = net(given, integers)
                loss = nn.functional.cross_entropy(
                    outcome.logits / temperature, target[torch.as_tensor(members, device=device)]
                )
                total += float(loss.detach()) * len(members)
                if activity:
                    loss = loss + activity * _per_sample(outcome, hidden) / 100
                net.zero_grad(set_to_none=True)
                loss.backward()
                if max_grad_norm is not None:
                    nn.utils.clip_grad_norm_(net.parameters(), max_grad_norm)
                before = [one.detach().clone() for one in learned]
                optimiser.step(rate)
                if integers is not None:
                    clip(net, integers)
                    _undo(net, integers, learned, before)
                advance()
            share, fired = _validate(net, x_held, y_held, integers, hidden)
            history.losses.append(total / len(y))
            history.validation.append(share)
            history.spikes.append(fired)
            if history.best < 0 or share >= history.validation[history.best]:
                history.best = epoch
                best = {name: one.detach().clone() for name, one in net.state_dict().items()}
    net.load_state_dict(best)
    return history


def accuracy(
    net: SpikingNetwork,
    spikes: Any,
    labels: np.ndarray,
    integers: Quantization | None = None,
    batch: int = 1000,
) -> float:
    """Return the share of samples whose class is right."""
    x = _arrays(net, spikes)
    y = _labels(net, labels, len(next(iter(x.values()))))
    return _validate(net, x, y, integers, [], batch)[0]


def _validate(
    net: SpikingNetwork,
    x: dict[str, np.ndarray],
    y: np.ndarray,
    integers: Quantization | None,
    hidden: list[str],
    batch: int = 1000,
) -> tuple[float, float]:
    right, fired = 0, 0.0
    with torch.no_grad():
        for start in range(0, len(y), batch):
            part = slice(start, start + batch)
            outcome = net({name: one[part] for name, one in x.items()}, integers)
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
    """Take back a step of learned parameters that leads to what no neuron can be."""
    try:
        for one in net.layers:
            if one.cell.learned:
                integers.neuron(one)
    except ValueError:
        for parameter, value in zip(learned, before, strict=True):
            parameter.copy_(value)


def _batch(
    net: SpikingNetwork,
    spikes: Any,
    x: dict[str, np.ndarray],
    members: np.ndarray,
    draws: np.random.Generator,
) -> dict[str, torch.Tensor]:
    """Return what samples give to each input, afresh if a function makes them."""
    if not callable(spikes):
        return {name: torch.as_tensor(one[members]) for name, one in x.items()}
    made = _arrays(net, spikes(members, draws))
    count = len(next(iter(made.values())))
    if count != len(members):
        raise ValueError(f"Function must return spikes of {len(members)} samples, not {count}")
    return {name: torch.as_tensor(one) for name, one in made.items()}


def _answer(net: SpikingNetwork) -> str:
    return net.readouts[0].population


def _per_sample(outcome: Outcome, hidden: list[str]) -> Any:
    return sum((outcome.spikes[name].sum((1, 2)).mean() for name in hidden), start=0.0)


def _groups(net: SpikingNetwork) -> list[tuple[nn.Parameter, float]]:
    # Adam moves by the learning rate whatever the gradient, so that it goes with the size of what
    # it moves.
    groups = [(one.weights, net.layer[one.target].cell.unit) for one in net.connections]
    groups += [(one.bias, one.cell.unit) for one in net.layers if one.bias is not None]
    return groups + [(p, 1.0) for one in net.layers for p in one.cell.parameters()]


class _Adam:
    """Adam (Kingma and Ba 2015) with a rate that falls as a cosine to zero.

    It is here because the first use of ``torch.optim`` loads PyTorch's compiler, which takes longer
    than to train a small network.
    """

    def __init__(self, groups: list[tuple[nn.Parameter, float]], steps: int):
        self.steps = steps
        self.done = 0
        self.groups = [(p, size, torch.zeros_like(p), torch.zeros_like(p)) for p, size in groups]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move all parameters that have a gradient."""
        rate *= 0.5 + 0.5 * math.cos(math.pi * self.done / self.steps)
        self.done += 1
        first, second = 1 - 0.9**self.done, 1 - 0.99**self.done
        for parameter, size, mean, square in self.groups:
            grad = parameter.grad
            if grad is None:
                continue
            mean.lerp_(grad, 0.1)
            square.mul_(0.99).addcmul_(grad, grad, value=0.01)
            spread = (square / second).sqrt_().add_(1e-8)
            parameter.addcdiv_(mean, spread, value=-rate * size / first)


def _arrays(net: SpikingNetwork, spikes: Any) -> dict[str, np.ndarray]:
    given = stimulus(net.graph, spikes)
    if len(set(given.steps.tolist())) > 1:
        raise ValueError("Samples must have the same number of steps")
    found = {
        name: one if isinstance(one, np.ndarray) else np.stack(one)
        for name, one in given.values.items()
    }
    # Torch does little with unsigned integers of more than 8 bits.
    wide = {np.dtype(kind) for kind in (np.uint16, np.uint32, np.uint64)}
    return {name: one.astype(np.int32) if one.dtype in wide else one for name, one in found.items()}


def _labels(net: SpikingNetwork, labels: Any, count: int) -> np.ndarray:
    classes = class_count(net.graph, net.readouts[0])
    y = integer_array("Labels", labels)
    if y.shape != (count,):
        raise ValueError(f"Labels must have the shape ({count},), not {y.shape}")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        given = int(y.min()) if int(y.min()) < 0 else int(y.max())
        raise ValueError(f"Labels must be in 0..{classes - 1}, not {given}")
    return y.astype(np.int64)


class _Shifter:
    """Moves the pictures of each sample at random, all of its steps alike."""

    def __init__(self, net: SpikingNetwork, most: int):
        self.most = most
        self.shapes = {}
        for one in net.inputs:
            shape = one.shape
            if not isinstance(shape, tuple) or len(shape) != 2:
                raise ValueError(
                    f"Input {one.name!r} must have two axes to be shifted, not {shape}"
                )
            self.shapes[one.name] = shape

    def __call__(
        self, given: Mapping[str, torch.Tensor], draws: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        moved = {}
        count = len(next(iter(given.values())))
        offsets = draws.integers(0, 2 * self.most + 1, (count, 2))
        for name, one in given.items():
            high, wide = self.shapes[name]
            samples, steps, _ = one.shape
            padded = nn.functional.pad(one.reshape(samples, steps, high, wide), [self.most] * 4)
            across = wide + 2 * self.most
            rows, columns = np.arange(high)[:, None], np.arange(wide)
            base = (rows * across + columns).reshape(-1)
            at = torch.as_tensor(base + (offsets @ [across, 1])[:, None])
            flat = padded.reshape(samples, steps, -1)
            moved[name] = flat.gather(2, at[:, None].expand(samples, steps, high * wide))
        return moved


@contextmanager
def _bar(progress: Any, title: str, total: int) -> Iterator[Callable[[], Any]]:
    bar = _rich() if progress else None
    if bar is None:
        yield lambda: None
        return
    with bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def _rich() -> Any:
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        return None
    return Progress(transient=True, console=Console(stderr=True))
