"""The settings of a training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int, shown
from spiker_train.devices.checks import check_number
from spiker_train.network.integers.quantization import Quantization

from .losses import LOSSES

__all__ = ["TrainingOptions"]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The settings of :func:`~spiker_train.train`.

    Members
    -------
    epochs : int
        Number of passes over the training samples.
    batch_size : int
        Samples per step of the optimiser.
    learning_rate : float
        Greatest learning rate, for weights of about 1; it falls as a cosine to zero, unless
        ``schedule`` says otherwise.
    temperature : float
        Divisor of the scores, in floating-point units, before the cross entropy.
    loss : str or callable
        One of :data:`~.losses.LOSSES`, or a loss of :mod:`spiker_train.training.losses` with its
        settings, or a function of :class:`~.losses.Answers` and labels. ``"cross_entropy"`` is of
        the first readout's scores, divided by ``temperature``.
    regularizers : sequence of callables
        Such as :class:`~.losses.ActivityBand` and :class:`~.losses.SpikeL1`, or functions of
        :class:`~.losses.Answers`: what they return is added to the loss.
    optimizer : str or callable
        ``"adam"``; or the name of a class of ``torch.optim``, such as ``"SGD"``; or a function of
        parameter groups that returns an optimiser of PyTorch.
    schedule : str
        ``"cosine"``, or ``"constant"``.
    activity_penalty : float
        Factor in the loss of the spikes of all hidden layers per sample, in hundreds.
    max_shift : int
        Greatest shift, in pixels and in both directions, by which images are moved at random; the
        input then has a shape of two axes, or of channels and two axes.
    batch_norm : bool or sequence of str
        Whether the currents of all connections whose weights are learned, or of those that are
        named, are normalised over each batch: see :mod:`~.network.normalization`. It is folded into
        weights and biases at the end, so that the layers need biases; in floating point alone.
    rounded_weights : int or "ternary", or mapping of str to such, optional
        Bits to which weights are rounded in each run while the network is trained in floating
        point, as for :class:`~spiker_train.Quantization`; gradients pass to the weights unchanged.
        The network has the rounded weights at the end.
    max_grad_norm : float, optional
        Norm to which gradients are clipped; recurrent networks need it, whose gradients may
        explode.
    validation_share : float
        Share of the samples that is set aside to choose the best epoch, where no other samples are
        given for it.
    seed : int
        Seed of the split, the order and the shifts.
    devices : Device or array of devices, or mapping of str to such, optional
        Train with weights as these devices hold them, with new devices for each batch; gradients
        pass to the network's weights unchanged. Validation samples run with one draw of devices,
        which is the same in all epochs.
    device_draw : int, optional
        Train for one chip instead: the devices of this draw of a
        :class:`~spiker_train.MonteCarlo` with the same seed.
    device_seconds : float
        Time after programming at which devices are read.
    progress : bool
        Whether to show progress: a bar on a terminal, else a line now and then.
    title : str
        Title of the progress bar.

    Raises
    ------
    TypeError, ValueError
        If a number is of another type or out of range.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    temperature: float = 1.0
    loss: Any = "cross_entropy"
    regularizers: Sequence[Any] = ()
    optimizer: Any = "adam"
    schedule: str = "cosine"
    activity_penalty: float = 0.0
    max_shift: int = 0
    batch_norm: bool | Sequence[str] = field(default=False, metadata={"optional": True})
    rounded_weights: Any = field(default=None, metadata={"optional": True})
    max_grad_norm: float | None = None
    validation_share: float = 0.1
    seed: int = 0
    devices: Any = None
    device_draw: int | None = None
    device_seconds: float = 0.0
    progress: bool = True
    title: str = "training"

    def __post_init__(self):
        for name, what, low in (
            ("epochs", "Epochs", 1),
            ("batch_size", "Batch size", 1),
            ("max_shift", "Greatest shift", 0),
            ("seed", "Seed", 0),
        ):
            object.__setattr__(self, name, check_int(what, getattr(self, name), low))
        for what, value in (
            ("Learning rate", self.learning_rate),
            ("Temperature", self.temperature),
            ("Greatest gradient norm", self.max_grad_norm),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{what} must be a positive number, not {value!r}")
        check_number("Activity penalty", self.activity_penalty, 0)
        if isinstance(self.loss, str):
            check_choice("Loss", self.loss, LOSSES)
        elif not callable(self.loss):
            raise TypeError(f"Loss must be a name or a function, not {shown(self.loss)}")
        if not isinstance(self.regularizers, list | tuple) or not all(
            map(callable, self.regularizers)
        ):
            raise TypeError(f"Regularizers must be functions, not {shown(self.regularizers)}")
        names = self.batch_norm
        if not isinstance(names, bool) and (
            not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names)
        ):
            raise TypeError(
                f"Batch normalisation must be a bool or names of connections, not {shown(names)}"
            )
        if names and self.devices is not None:
            raise ValueError("Batch normalisation must be False where devices hold the weights")
        if self.rounded_weights is not None:
            Quantization(self.rounded_weights)  # checks it
            if self.devices is not None:
                raise ValueError("Rounded weights must be None where devices hold the weights")
        if self.device_draw is not None:
            if self.devices is None:
                raise ValueError("Device draw must be None where there are no devices")
            check_int("Device draw", self.device_draw, 0)
        check_number("Time after programming", self.device_seconds, 0)
