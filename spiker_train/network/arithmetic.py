"""Arithmetic on tensors for a neuron's step: on integers, and in floating point."""

from collections.abc import Callable
from typing import Any

import torch

from spiker_hdl.model import Arithmetic, Decay

from .surrogate import FastSigmoid

__all__ = ["FloatingPoint", "FloatingPointDecay", "Tensors", "through"]

Surrogate = Callable[[torch.Tensor], torch.Tensor]


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, unrounded, value):
        return value.view_as(value)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def through(unrounded: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return ``value``, bit for bit, with the gradient of ``unrounded``."""
    return _Through.apply(unrounded, value)


class _Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.floor()

    @staticmethod
    def backward(ctx, grad):
        return grad


class _Tests(Arithmetic):
    """Comparisons whose results are tensors: booleans, or 0 and 1 with the gradient of a spike."""

    def __init__(self, surrogate: Surrogate | None, dtype: torch.dtype):
        self.surrogate = FastSigmoid() if surrogate is None else surrogate
        self.dtype = dtype

    def _spike(self, distance: torch.Tensor, fired: torch.Tensor) -> torch.Tensor:
        return through(self.surrogate(distance), fired.to(self.dtype))

    def _operand(self, x: Any, like: Any) -> Any:
        if isinstance(x, torch.Tensor):
            return x
        return torch.as_tensor(x, dtype=self.dtype, device=getattr(like, "device", None))

    def both(self, a, b):
        if a.dtype == b.dtype == torch.bool:
            return a & b
        return a.to(self.dtype) * b.to(self.dtype)

    def either(self, a, b):
        if a.dtype == b.dtype == torch.bool:
            return a | b
        a, b = a.to(self.dtype), b.to(self.dtype)
        return a + b - a * b

    def invert(self, test):
        return ~test if test.dtype == torch.bool else 1 - test

    def select(self, test, yes, no):
        # A reset passes no gradient through the test.
        chosen = test if test.dtype == torch.bool else test.detach() > 0.5
        return torch.where(chosen, self._operand(yes, test), self._operand(no, test))

    # At a tie torch.maximum passes half of the gradient to each side. A neuron at its floor is at
    # such a tie in every step, and so all of the gradient passes here, as with torch.clamp.

    def maximum(self, x, y):
        x, y = self._ordered(x, y)
        return torch.where(x < y, y, x)

    def _minimum(self, x, y):
        x, y = self._ordered(x, y)
        return torch.where(x > y, y, x)

    def clamp(self, x, low, high):
        x = self._operand(x, low if isinstance(low, torch.Tensor) else high)
        return self._minimum(self.maximum(x, low), high)

    def _ordered(self, x: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return two operands as tensors, first the one that gets the gradient at a tie."""
        x = self._operand(x, y)
        y = self._operand(y, x)
        return (y, x) if y.requires_grad and not x.requires_grad else (x, y)


class Tensors(_Tests):
    """Operations on floating-point tensors that hold integers, with gradients for training.

    In the forward pass, every result is the integer that the hardware computes, as long as the
    format of the tensors represents it exactly. In the backward pass, rounding passes the gradient
    through, a spike has a surrogate gradient, and a reset has none.

    Parameters
    ----------
    surrogate : callable, optional
        Step function of the distance from the threshold, in floating-point units, with a gradient;
        :class:`~.surrogate.FastSigmoid` where none is given.
    scale : float
        Floating-point value of the integer potential 1.
    dtype : torch.dtype
        Format of the tensors.
    """

    def __init__(
        self,
        surrogate: Surrogate | None = None,
        scale: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(surrogate, dtype)
        self.scale = scale

    def shift(self, x, bits: int):
        return _Floor.apply(x / 2**bits) if bits else x

    def above(self, x, limit):
        # The surrogate's edge lies half-way between the two integers that the test separates.
        return self._spike((x - limit - 0.5) * self.scale, x > limit)

    def reaches(self, x, limit):
        return self._spike((x - limit + 0.5) * self.scale, x >= limit)

    def saturate(self, x, low: int, high: int):
        return x.clamp(low, high)


class FloatingPointDecay:
    r"""A decay by a factor of any value, for :class:`FloatingPoint`.

    Parameters
    ----------
    factor : float or tensor
        Factor :math:`\beta` of a step of decay, :math:`x \leftarrow \beta x`.
    integral : tensor, optional
        Integral over the step of what begins at 1 and decays, in seconds; where none is given, it
        follows from the factor, in steps.
    """

    def __init__(self, factor: Any, integral: Any = None):
        self.factor = factor
        self._integral = integral

    @property
    def integral(self) -> Any:
        r"""Integral over the step of what begins at 1 and decays.

        In steps, it is :math:`-(1 - \beta) / \ln \beta`, and 1 without decay.
        """
        if self._integral is not None:
            return self._integral
        factor = torch.as_tensor(self.factor)
        none = factor >= 1
        inside = torch.where(none, torch.full_like(factor, 0.5), factor)
        return torch.where(none, torch.ones_like(factor), (inside - 1) / inside.log())

    def map(self, change: Callable[[Any], Any]) -> "FloatingPointDecay":
        """Return the decay with a function applied to its tensors."""
        integral = self._integral
        return FloatingPointDecay(
            change(self.factor), None if integral is None else change(integral)
        )

    @property
    def numerator(self) -> Any:
        """Share of a value that is lost in a step, 1 - factor."""
        return 1 - self.factor

    @property
    def bits(self) -> int:
        """Binary places of the share that is lost: 0, since nothing is rounded."""
        return 0


class FloatingPoint(_Tests):
    """Operations on floating-point tensors, without rounding to integers and without saturation.

    Parameters
    ----------
    surrogate : callable, optional
        As for :class:`Tensors`.
    dtype : torch.dtype
        Format of the tensors.
    """

    def __init__(self, surrogate: Surrogate | None = None, dtype: torch.dtype = torch.float32):
        super().__init__(surrogate, dtype)

    def shift(self, x, bits: int):
        return x / 2**bits

    def divide(self, x, divisor):
        return x / divisor

    def decay(self, x, decay: Decay | FloatingPointDecay):
        return x * decay.factor

    def vanish(self, x, decay: Decay | FloatingPointDecay):
        return self.decay(x, decay)

    def above(self, x, limit):
        return self._spike(x - limit, x > limit)

    def reaches(self, x, limit):
        return self._spike(x - limit, x >= limit)

    def saturate(self, x, low: int, high: int):
        return x
