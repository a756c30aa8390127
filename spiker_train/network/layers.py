"""Layers and connections: the parts of a floating-point network."""

from collections.abc import Iterable
from copy import deepcopy
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl import model
from spiker_hdl.base.checks import check_kind, shown
from spiker_hdl.base.conversions import number_array
from spiker_hdl.model import (
    Convolution,
    Dense,
    Input,
    MaxPooling,
    Neuron,
    OneToOne,
    Projection,
    Sparse,
    Synapses,
)

from .arithmetic import through
from .cell import Cell, IntegerCell
from .convolution import MaxPool, Window, make_convolution, make_pooling
from .coupling import WinnerTakeAll, as_coupling
from .learned_kinds import in_run, parameters_of, valued
from .normalization import BatchNormalization
from .rounding import nearest, rounded
from .synapse_kinds import FirstOrder, SynapseKind
from .time import Duration, in_whole_units

__all__ = ["KINDS", "Connection", "Layer", "check_finite"]

KINDS = ("dense", "one_to_one", "sparse", "convolution")
"""How the weights of a connection may be arranged."""


class Layer(nn.Module):
    """Neurons of one model, with floating-point parameters.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of neurons, or their arrangement, such as (channels, y, x).
    cell : Cell, IntegerCell or Neuron
        Model of every neuron; a :class:`~spiker_hdl.model.Neuron` has the scale 1. Arrays of
        parameters of a :class:`Cell` have a value per neuron, or one per channel, which is the
        first axis of the shape.
    bias : bool, "channel", float, array of float, or callable
        Current that is added in every step, which is learned: True for one value per neuron and
        ``"channel"`` for one per channel, both starting from zero; or the values to start from, of
        either number; False for none. A callable ``(rng, shape)`` draws a value per neuron when
        the network is made.
    coupling : WinnerTakeAll, optional
        What the neurons do to each other; without it, nothing.
    """

    def __init__(
        self,
        name: str,
        shape: int | tuple[int, ...],
        cell: Cell | IntegerCell | Neuron,
        bias: Any = False,
        coupling: WinnerTakeAll | model.WinnerTakeAll | None = None,
    ):
        super().__init__()
        if isinstance(cell, Neuron):
            cell = IntegerCell(cell, scale=1.0)
        if not isinstance(cell, Cell | IntegerCell):
            raise TypeError(f"Cell of layer {name!r} must be a Cell or a Neuron, not {shown(cell)}")
        plan = Input(name, shape)  # checks both
        self.name, self.shape, self.size = plan.name, plan.shape, plan.size
        if isinstance(cell, Cell) and (cell.draws or self.channels in cell.sizes - {self.size}):
            # So that layers that were given one cell have values and channels of their own.
            cell = deepcopy(cell)
            cell.arrange(self.channels, self.size)
        self.cell = cell
        self.coupling: WinnerTakeAll | None = as_coupling(f"Coupling of layer {name!r}", coupling)
        if self.coupling is not None and not cell.spiking:
            raise ValueError(
                f"Coupling of layer {name!r} must be of neurons that fire, not {cell.kind.__name__}"
            )
        self.incoming: tuple[Connection, ...] = ()
        self.taken = False  # whether a network has it
        self._check_sizes()
        self.draw = bias if callable(bias) else None
        bias = True if callable(bias) else bias
        self.bias: nn.Parameter | None = None
        if bias is not False and bias is not None:
            self.bias = nn.Parameter(self._biases(bias))

    @property
    def channels(self) -> int:
        """Number of channels, which is the first axis of the shape."""
        return self.shape[0] if isinstance(self.shape, tuple) else self.shape

    @property
    def biases(self) -> torch.Tensor | None:
        """Bias of each neuron, shape (size,), with gradients, or None."""
        if self.bias is None or self.bias.shape == (self.size,):
            return self.bias
        return self.bias.repeat_interleave(self.size // self.channels)

    def _biases(self, bias: Any) -> torch.Tensor:
        what = f"Bias of {self.name!r}"
        if isinstance(bias, str):
            if bias != "channel":
                raise ValueError(f"{what} must be True, 'channel' or numbers, not {shown(bias)}")
            return torch.zeros(self.channels)
        values = torch.zeros(self.size) if bias is True else _float_tensor(what, bias)
        if values.ndim == 0:
            values = values.expand(self.size)
        if values.shape not in {(self.size,), (self.channels,)}:
            per_channel = "" if self.channels == self.size else f" or ({self.channels},)"
            raise ValueError(
                f"Bias of layer {self.name!r} must have the shape ({self.size},){per_channel}, "
                f"not {tuple(values.shape)}"
            )
        return values.clone()

    def _check_sizes(self) -> None:
        for count in self.cell.sizes - {self.size}:
            if count == self.channels and isinstance(self.cell, Cell):
                continue
            raise ValueError(
                f"Parameters per neuron of layer {self.name!r} must be {self.size}, not {count}"
            )

    @property
    def has_seconds(self) -> bool:
        """Whether a time of its neurons or coupling is in seconds."""
        coupled = self.coupling is not None and self.coupling.has_seconds
        return self.cell.has_seconds or coupled

    def build(self, incoming: "Iterable[Connection]", seed: int) -> None:
        """Take the connections that reach the layer, and draw the values that are drawn."""
        self.incoming = tuple(incoming)
        rng = _generator(seed, self.name)
        self.cell.build(rng, self.size)
        self._check_sizes()
        if self.draw is not None:
            self.bias = nn.Parameter(self._biases(self.draw(rng, (self.size,))))
            self.draw = None

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.shape}"


class Connection(nn.Module):
    """Floating-point weights from a source to a layer.

    Parameters
    ----------
    source, target : str
        Names of an input or layer, and of a layer.
    weights : array of float, or callable, optional
        Shape (target size, source size), or (size,) for ``"one_to_one"``, or (channels of the
        target, channels of the source / groups, size of the window along each axis) for
        ``"convolution"``: then they are the kernel, the same at every position. A callable
        ``(rng, shape)`` draws them when the network is made; ``rng`` is a
        :class:`numpy.random.Generator` that depends on the seed of the network and the name of the
        connection alone. Where none are given, they are drawn from a uniform distribution.
    delay : int or Duration
        Number of time steps by which events arrive later, or time. Events are emitted at the
        beginning of a step, and after a time they arrive in the first step that begins then or
        later; those that fall due in one step are added.
    kind : {"dense", "one_to_one", "sparse", "convolution"}
        How weights are arranged; ``"sparse"`` has a ``mask``, and ``"convolution"`` a ``window``.
    mask : array of bool, shape (target size, source size), optional
        Which weights exist; where none is given, those of ``weights`` that are not 0.
    name : str
        Label; made from source, target and delay where none is given.
    grid : float, optional
        Number of which all weights are integer multiples, where there is one. Quantisation keeps
        these integers exactly if the bits suffice.
    dynamics : SynapseKind, optional
        What weighted events become before they reach the neurons, such as
        :class:`~.synapse_kinds.FirstOrder`; where none is given, they reach them as they are. Its
        attribute has the present values of what is learned.
    receptor : int
        Receptor of the neurons that the events reach, where a model of neurons has several by
        itself.
    window : Window, optional
        How the kernel of a convolution slides over its source, one position after the other and
        without padding where none is given.
    pooling : MaxPool, optional
        Windows of the sums of a convolution whose maxima reach the target, in place of the sums.

    Members
    -------
    convolution : spiker_hdl.model.Convolution or None
        Geometry of a convolution, with weights of 0, once a network has it.
    maxima : spiker_hdl.model.MaxPooling or None
        Geometry of its pooling, in the same way.
    """

    mask: torch.Tensor | None

    def __init__(
        self,
        source: str,
        target: str,
        weights: Any = None,
        *,
        delay: int = 0,
        kind: str = "dense",
        mask: Any = None,
        name: str = "",
        grid: float | None = None,
        dynamics: SynapseKind | None = None,
        receptor: int = 0,
        window: Window | None = None,
        pooling: MaxPool | None = None,
    ):
        super().__init__()
        steps: Any = delay
        if isinstance(delay, Duration):
            if delay.draw is not None or not isinstance(delay.picoseconds, int):
                raise TypeError(f"Delay must be one Duration, not {shown(delay)}")
            steps = 0
            if delay.picoseconds and not name:
                name = f"{source}->{target} late {in_whole_units(delay.picoseconds)}"
        plan = Projection(
            source,
            target,
            np.zeros((1, 1), dtype=np.int64),
            steps,
            name=name,
            receptor=receptor,
        )
        self.receptor = plan.receptor
        self.name = plan.name
        self.source, self.target = plan.source, plan.target
        self.delay: int | Duration = delay if isinstance(delay, Duration) else plan.delay
        self.kind = kind
        if dynamics is not None and not isinstance(dynamics, SynapseKind):
            raise TypeError(
                f"Dynamics of {self.name!r} must be a SynapseKind such as FirstOrder, not "
                f"{shown(dynamics)}"
            )
        self._dynamics = dynamics
        self.learned: nn.ParameterDict = nn.ParameterDict()
        self._valued: tuple[Any, Any] = ((), None)
        if kind not in KINDS:
            listed = ", ".join(map(repr, KINDS))
            raise ValueError(f"Connection kind must be one of {listed}, not {shown(kind)}")
        self._take_window(window, pooling)
        self.draw = weights if callable(weights) else None
        if self.draw is not None:
            weights = None
        if weights is not None:
            weights = _float_tensor(f"Weights of {self.name!r}", weights)
        if kind == "sparse":
            if mask is None and weights is None:
                raise ValueError(f"Connection {self.name!r}: sparse must have a mask or weights")
            if mask is None:
                there = weights != 0
            else:
                there = torch.from_numpy(number_array(f"Mask of {self.name!r}", mask) != 0)
            self.register_buffer("mask", there)
        elif mask is not None:
            raise ValueError(
                f"Connection {self.name!r}: a mask must be of a sparse one, not {kind}"
            )
        else:
            self.mask = None
        if grid is not None and not (isinstance(grid, int | float) and 0 < grid < float("inf")):
            raise ValueError(
                f"Grid of connection {self.name!r} must be a positive number, not {grid!r}"
            )
        self.grid = grid
        self.initial = weights
        self.taken = False  # whether a network has it
        self.drawn: torch.Tensor | None = None
        # What follows is there while it is trained.
        self.normalization: BatchNormalization | None = None
        self.rounding: tuple[int | str, int] | None = None  # bits, and number of scales
        self.weights: nn.Parameter = nn.Parameter(torch.zeros(0))

    def _take_window(self, window: Window | None, pooling: MaxPool | None) -> None:
        for what, value, kind in (("Window", window, Window), ("Pooling", pooling, MaxPool)):
            if value is None:
                continue
            check_kind(f"{what} of {self.name!r}", value, kind)
            if self.kind != "convolution":
                raise ValueError(
                    f"{what} of {self.name!r} must be of a convolution, not of the kind "
                    f"{self.kind!r}"
                )
        self.window = Window() if window is None and self.kind == "convolution" else window
        self.pooling = pooling
        self.convolution: Convolution | None = None
        self.maxima: MaxPooling | None = None

    def build(
        self,
        source: Input | Layer,
        layer: Layer,
        generator: torch.Generator,
        typical: float = 1.0,
    ) -> None:
        """Take the initial weights, or draw them for events of a typical value."""
        source_size = source.size
        if self.receptor >= layer.cell.receptors:
            raise ValueError(
                f"Connection {self.name!r}: the receptor must be one of {layer.cell.receptors} of "
                f"{layer.name!r}, counted from 0, not {self.receptor}"
            )
        shape = (layer.size,) if self.kind == "one_to_one" else (layer.size, source_size)
        if self.window is not None:
            outputs = layer.channels if isinstance(layer.shape, tuple) else None
            kernel = None if self.initial is None else tuple(self.initial.shape)
            self.convolution = make_convolution(
                self.name, self.window, source.shape, outputs, kernel
            )
            shape = self.convolution.kernel.shape
            if self.pooling is not None:
                self.maxima = make_pooling(self.name, self.pooling, self.convolution)
            ends = self.convolution if self.maxima is None else self.maxima
            if layer.shape not in {ends.target_shape, ends.target_size}:
                raise ValueError(
                    f"Connection {self.name!r}: the shape of {layer.name!r} must be "
                    f"{ends.target_shape}, or the size {ends.target_size} alone, not {layer.shape}"
                )
        if self.kind == "one_to_one" and source_size != layer.size:
            raise ValueError(
                f"Connection {self.name!r}: sizes must be equal one to one, "
                f"not {source_size} and {layer.size}"
            )
        if self.draw is not None:
            drawn = self.draw(_generator(generator.initial_seed(), f"{self.name} weights"), shape)
            self.initial = _float_tensor(f"Weights of {self.name!r}", drawn)
            self.draw = None
        for what, array in (("weights", self.initial), ("mask", self.mask)):
            if array is not None and array.shape != shape:
                raise ValueError(
                    f"Connection {self.name!r}: {what} must have the shape {shape}, "
                    f"not {tuple(array.shape)}"
                )
        values = self.initial
        if values is None:
            inputs = prod(shape[1:])
            if self.mask is not None:
                inputs = max(1, int(self.mask.sum(1).max()))
            reach = 2 * layer.cell.unit / inputs**0.5 / typical  # inputs are mostly silent
            values = torch.rand(shape, generator=generator).mul_(2).sub_(1).mul_(reach)
        self.weights = nn.Parameter(values)
        if self._dynamics is not None:
            self._build_dynamics(layer.size, source_size, generator)

    def _build_dynamics(self, targets: int, sources: int, generator: torch.Generator) -> None:
        """Draw the values of the synapse kind that are drawn, and check their shapes."""
        assert self._dynamics is not None
        rng = _generator(generator.initial_seed(), self.name)
        kind = self.dynamics = self._dynamics.drawn(rng, targets, sources)
        what = f"Connection {self.name!r}"
        kind.check_shapes(what, targets, 1 if self.kind == "one_to_one" else sources)
        if self.convolution is not None and not kind.pooled:
            raise ValueError(
                f"{what}: dynamics of a convolution must have a state for each target, not one for "
                "each pair"
            )
        if self.convolution is not None and self.gain_in_weights and self.gain().ndim:
            raise ValueError(
                f"{what}: dynamics of a convolution must have one gain, since its weights are the "
                f"same at all positions, not one for each of {targets} targets"
            )
        if self.grid is not None and bool((self.gain() != 1).any()):
            raise ValueError(f"{what}: grid must be None where dynamics have a gain")

    @property
    def dynamics(self) -> SynapseKind | None:
        """Dynamics with the present values of what they learn, as numbers.

        Raises
        ------
        ValueError
            If learning has made values that these dynamics cannot have.
        """
        if self._dynamics is None or not self.learned:
            return self._dynamics
        seen = tuple((id(value), value._version) for value in self.learned.values())
        if self._valued[0] != seen:
            try:
                self._valued = seen, valued(self._dynamics, dict(self.learned))
            except ValueError as error:
                raise ValueError(f"Connection {self.name!r}: {error}") from None
        return self._valued[1]

    @dynamics.setter
    def dynamics(self, kind: SynapseKind | None) -> None:
        self._dynamics = kind
        self.learned = nn.ParameterDict({} if kind is None else parameters_of(kind))

    @property
    def dynamics_in_run(self) -> SynapseKind | None:
        """Dynamics whose learned values are tensors with gradients."""
        if self._dynamics is None or not self.learned:
            return self._dynamics
        return in_run(self._dynamics, dict(self.learned))

    @property
    def late(self) -> bool:
        """Whether events arrive later than they are emitted."""
        delay = self.delay
        return bool(delay.picoseconds if isinstance(delay, Duration) else delay)

    @property
    def has_seconds(self) -> bool:
        """Whether its delay or dynamics are in seconds, so that runs need the length of steps."""
        kind = self._dynamics
        return (self.late and isinstance(self.delay, Duration)) or (
            kind is not None and kind.has_seconds
        )

    @property
    def pooled(self) -> bool:
        """Whether the state of its dynamics is kept for each target, and not for each pair."""
        return self._dynamics is None or self.kind == "one_to_one" or self._dynamics.pooled

    def state_shape(self, samples: int) -> tuple[int, ...]:
        """Return the shape of the states of its dynamics."""
        if self.convolution is not None:
            ends = self.convolution if self.maxima is None else self.maxima
            return samples, ends.target_size
        size = (self.weights.shape[0],) if self.pooled else tuple(self.weights.shape)
        return samples, *size

    def gain(self, step: int | None = None, *, charge: bool = False) -> torch.Tensor:
        """Return the factor of the weights that their dynamics have.

        Parameters
        ----------
        step : int, optional
            Length of the step in picoseconds.
        charge : bool
            Whether to include the integral over a step of dynamics with ``output="charge"``, which
            is part of the weights in integers.

        Returns
        -------
        tensor, of a shape that broadcasts to that of the weights, with the gradients of learned
        values alone
        """
        kind, like = self.dynamics_in_run, self.weights.detach()
        if kind is None:
            return torch.ones((), dtype=like.dtype, device=like.device)
        # A gain does not depend on the step; any length will do to resolve the rest.
        operands = kind.resolve(1 if step is None else step, like, self.pooled)
        gain = torch.as_tensor(kind.weight_gain(operands)).to(like)
        if charge and isinstance(kind, FirstOrder) and kind.output == "charge":
            gain = gain * operands.tau.integral
        if not self.gain_in_weights:
            raise ValueError(
                f"Connection {self.name!r}: a gain for each sample is no part of its weights"
            )
        dense = self.kind != "one_to_one" and self.pooled and gain.ndim
        return gain.unsqueeze(-1) if dense else gain

    @property
    def gain_in_weights(self) -> bool:
        """Whether weights are multiplied by the gain of the dynamics, which no sample has alone."""
        return self._dynamics is None or np.ndim(getattr(self._dynamics, "gain", 1.0)) < 3

    def _effective(self, weights: torch.Tensor, step: int | None, integers: bool) -> torch.Tensor:
        if self._dynamics is None or (not integers and not self.gain_in_weights):
            return weights
        return weights * self.gain(step, charge=integers)

    def masked(self, step: int | None = None, *, integers: bool = False) -> torch.Tensor:
        """Return the weights times the gain of their dynamics, with 0 where the mask has none.

        Where there are ``drawn`` weights, such as those that devices hold, a run computes with
        them, and their gradient passes to the weights unchanged. Several draws are stacked along
        a first axis: see :func:`~.stacked.project`.

        Parameters
        ----------
        step : int, optional
            Length of the step in picoseconds.
        integers : bool
            Whether the gain is that of integers, which includes the integral over a step of
            dynamics with ``output="charge"``.
        """
        weights = self.weights if self.rounding is None else through(self.weights, self.nearest())
        if self.drawn is not None:
            drawn = self.drawn.to(weights)
            weights = through(weights.expand_as(drawn), drawn)
        weights = self._effective(weights, step, integers)
        return weights if self.mask is None else weights * self.mask

    def nearest(self) -> torch.Tensor:
        """Return the weights rounded to the bits of ``rounding``."""
        assert self.rounding is not None
        bits, scales = self.rounding
        shape = (scales, -1)
        mask = None if self.mask is None else self.mask.reshape(shape)
        return nearest(self.weights.reshape(shape), bits, mask).reshape(self.weights.shape)

    def stored(self, step: int | None = None, *, integers: bool = False) -> torch.Tensor:
        """Return the weights that exist, without gradient: of a sparse one those of the mask.

        They are multiplied by their gain, as by :meth:`masked`.
        """
        weights = self._effective(self.weights.detach(), step, integers).detach()
        return weights if self.mask is None else weights[self.mask]

    def matrix(self, absent: float = 0.0) -> np.ndarray:
        """Return the weights of all pairs, float64 of shape (target size, source size).

        Those of a convolution are of its sums, before they are pooled.

        Parameters
        ----------
        absent : float
            Value where there is no synapse.
        """
        weights = self.weights.detach().cpu().double().numpy()
        if self.convolution is not None:
            # At each pair the number of its weight in the kernel, counted from 1.
            numbers = np.arange(1, weights.size + 1).reshape(weights.shape)
            return np.append(absent, weights)[self.convolution.with_values(numbers).matrix()]
        if self.kind == "one_to_one":
            return np.where(np.eye(len(weights), dtype=bool), weights, absent)
        return weights if self.mask is None else np.where(self.mask.cpu(), weights, absent)

    def synapses(self, scale: float, low: int, high: int, step: int | None = None) -> Synapses:
        """Return the integer weights at a scale."""
        weights = self.stored(step, integers=True)
        values = rounded(weights, scale, low, high).cpu().numpy().astype(np.int64)
        if self.kind == "one_to_one":
            return OneToOne(values)
        if self.convolution is not None:
            return self.convolution.with_values(values)
        if self.mask is None:
            return Dense(values)
        mask = self.mask.cpu().numpy()
        targets, sources = np.nonzero(mask)
        kept = values != 0
        target_size, source_size = mask.shape
        return Sparse(sources[kept], targets[kept], values[kept], source_size, target_size)

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.kind} {tuple(self.weights.shape)}"


def check_finite(layers: Iterable[Layer], connections: Iterable[Connection]) -> None:
    """Raise :exc:`ValueError` if a weight or parameter is not finite, with its name."""
    tensors: list[tuple[str, torch.Tensor]] = []
    for connection in connections:
        tensors.append((f"Weights of {connection.name!r}", connection.weights))
        tensors += [
            (f"Dynamics of {connection.name!r}: {what}", value)
            for what, value in connection.learned.items()
        ]
    for layer in layers:
        tensors += [
            (f"Layer {layer.name!r}: {what}", value) for what, value in layer.named_parameters()
        ]
    for what, value in tensors:
        _check_finite(what.replace("cell.float_", ""), value.detach())


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return a generator of random numbers that no other part of a network has."""
    return np.random.default_rng([seed % 2**63, *name.encode()])


def _float_tensor(what: str, value: Any) -> torch.Tensor:
    # A copy, so that training does not write into the caller's array.
    tensor = torch.from_numpy(np.array(number_array(what, value, np.float64))).float()
    _check_finite(what, tensor)
    return tensor


def _check_finite(what: str, tensor: torch.Tensor) -> None:
    bad = tensor[~torch.isfinite(tensor)]
    if bad.numel():
        raise ValueError(f"{what} must be finite, not {float(bad[0])}")
