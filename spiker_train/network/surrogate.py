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
    r"""A step function with the gradient of a fast sigmoid.

    In the forward pass it is the Heaviside step :math:`\Theta(x)`, and in the backward pass

    .. math::

        \frac{\partial \Theta}{\partial x} \approx \frac{1}{(1 + |x| / w)^2}

    with :math:`x` the distance from the threshold and :math:`w` the width. Any callable with such
    a forward and backward pass can take its place, such as ``snntorch.surrogate.atan()``.

    Parameters
    ----------
    width : float
        Distance from the threshold at which the gradient is a quarter of its peak of 1, in
        floating-point units of the potential.

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
