"""Surrogate gradients of a spike."""

import torch

__all__ = ["FastSigmoid"]


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, width):
        ctx.save_for_backward(x)
        ctx.width = width
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / (1 + x.abs() / ctx.width) ** 2, None


class FastSigmoid:
    """Step at zero whose gradient is that of a fast sigmoid, 1 at its peak.

    Any callable that maps a tensor to its step at zero serves as well, such as
    ``snntorch.surrogate.atan()``.

    Parameters
    ----------
    width : float
        Distance from the threshold at which a quarter of the gradient is left, in the real units of
        the potential.

    Raises
    ------
    ValueError
        If ``width`` is not positive.
    """

    def __init__(self, width: float = 0.25):
        if not width > 0:
            raise ValueError(f"Surrogate width must be positive, not {width!r}")
        self.width = float(width)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return _Step.apply(x, self.width)

    def __repr__(self) -> str:
        return f"FastSigmoid({self.width!r})"
