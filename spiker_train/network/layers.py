"""Layers and connections: the parts of a floating-point network."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.checks import shown
from spiker_hdl.base.conversions import number_array
from spiker_hdl.model import Dense, Input, Neuron, OneToOne, Projection, Sparse, Synapses

from .arithmetic import through
from .cell import Cell, IntegerCell
from .rounding import rounded

__all__ = ["Connection", "Layer", "check_finite"]


class Layer(nn.Module):
    """Neurons of one model, with floating-point parameters.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of neurons, or their arrangement.
    cell : Cell, IntegerCell or Neuron
        Model of every neuron; a :class:`~spiker_hdl.model.Neuron` has the scale 1.
    bias : bool, float or array of float
        Current that is added in every step, one value per neuron, which is learned: True to start
        from zero, or the values to start from; False for none.
    """

    def __init__(
        self,
        name: str,
        shape: int | tuple[int, ...],
        cell: Cell | IntegerCell | Neuron,
        bias: Any = False,
    ):
        super().__init__()
        if isinstance(cell, Neuron):
            cell = IntegerCell(cell, scale=1.0)
        if not isinstance(cell, Cell | IntegerCell):
            raise TypeError(f"Cell of layer {name!r} must be a Cell or a Neuron, not {shown(cell)}")
        plan = Input(name, shape)  # checks both
        self.name, self.shape, self.size = plan.name, plan.shape, plan.size
        self.cell = cell
        for count in cell.sizes - {self.size}:
            raise ValueError(
                f"Parameters per neuron of layer {name!r} must be {self.size}, not {count}"
            )
        self.bias: nn.Parameter | None = None
        if bias is not False and bias is not None:
            values = (
                torch.zeros(self.size) if bias is True else _float_tensor(f"Bias of {name!r}", bias)
            )
            if values.ndim == 0:
                values = values.expand(self.size)
            if values.shape != (self.size,):
                raise ValueError(
                    f"Bias of layer {name!r} must have the shape ({self.size},), "
                    f"not {tuple(values.shape)}"
                )
            self.bias = nn.Parameter(values.clone())

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.shape}"


class Connection(nn.Module):
    """Floating-point weights from a source to a layer.

    Parameters
    ----------
    source, target : str
        Names of an input or layer, and of a layer.
    weights : array of float, optional
        Shape (target size, source size), or (size,) for ``"one_to_one"``; drawn at random where
        none are given.
    delay : int
        Number of time steps by which events arrive later.
    kind : {"dense", "one_to_one", "sparse"}
        How weights are arranged; ``"sparse"`` has a ``mask``.
    mask : array of bool, shape (target size, source size), optional
        Which weights exist; where none is given, those of ``weights`` that are not 0.
    name : str
        Label; made from source, target and delay where none is given.
    grid : float, optional
        Number of which all weights are integer multiples, where there is one. Quantisation keeps
        these integers exactly if the bits suffice.
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
    ):
        super().__init__()
        plan = Projection(source, target, np.zeros((1, 1), dtype=np.int64), delay, name=name)
        self.name = plan.name
        self.source, self.target, self.delay = plan.source, plan.target, plan.delay
        self.kind = kind
        if kind not in {"dense", "one_to_one", "sparse"}:
            raise ValueError(
                f"Connection kind must be one of 'dense', 'one_to_one', 'sparse', not {shown(kind)}"
            )
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
        self.drawn: torch.Tensor | None = None
        self.weights: nn.Parameter = nn.Parameter(torch.zeros(0))

    def build(self, source_size: int, layer: Layer, generator: torch.Generator) -> None:
        """Take the initial weights, or draw them."""
        shape = (layer.size,) if self.kind == "one_to_one" else (layer.size, source_size)
        if self.kind == "one_to_one" and source_size != layer.size:
            raise ValueError(
                f"Connection {self.name!r}: sizes must be equal one to one, "
                f"not {source_size} and {layer.size}"
            )
        for what, array in (("weights", self.initial), ("mask", self.mask)):
            if array is not None and array.shape != shape:
                raise ValueError(
                    f"Connection {self.name!r}: {what} must have the shape {shape}, "
                    f"not {tuple(array.shape)}"
                )
        values = self.initial
        if values is None:
            inputs = 1 if self.kind == "one_to_one" else source_size
            if self.mask is not None:
                inputs = max(1, int(self.mask.sum(1).max()))
            reach = 2 * layer.cell.unit / inputs**0.5  # inputs are mostly silent
            values = (torch.rand(shape, generator=generator) * 2 - 1) * reach
        self.initial = None
        self.weights = nn.Parameter(values.clone())

    def masked(self) -> torch.Tensor:
        """Return the weights, with 0 where the mask has none.

        Where there are ``drawn`` weights, such as those that devices hold, a run computes with
        them, and their gradient passes to the weights unchanged. Several draws are stacked along
        a first axis: see :func:`~.stacked.project`.
        """
        weights = self.weights
        if self.drawn is not None:
            drawn = self.drawn.to(weights)
            weights = through(weights.expand_as(drawn), drawn)
        return weights if self.mask is None else weights * self.mask

    def stored(self) -> torch.Tensor:
        """Return the weights that exist, without gradient: of a sparse one those of the mask."""
        weights = self.weights.detach()
        return weights if self.mask is None else weights[self.mask]

    def synapses(self, scale: float, low: int, high: int) -> Synapses:
        """Return the integer weights at a scale."""
        values = rounded(self.stored(), scale, low, high).cpu().numpy().astype(np.int64)
        if self.kind == "one_to_one":
            return OneToOne(values)
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
    tensors = [
        (f"Weights of {connection.name!r}", connection.weights) for connection in connections
    ]
    for layer in layers:
        tensors += [
            (f"Layer {layer.name!r}: {what}", value) for what, value in layer.named_parameters()
        ]
    for what, value in tensors:
        _check_finite(what.replace("cell.float_", ""), value.detach())


def _float_tensor(what: str, value: Any) -> torch.Tensor:
    # A copy, so that training does not write into the caller's array.
    tensor = torch.from_numpy(np.array(number_array(what, value, np.float64))).float()
    _check_finite(what, tensor)
    return tensor


def _check_finite(what: str, tensor: torch.Tensor) -> None:
    bad = tensor[~torch.isfinite(tensor)]
    if bad.numel():
        raise ValueError(f"{what} must be finite, not {float(bad[0])}")
