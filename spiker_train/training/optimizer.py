"""The optimiser: Adam with a learning rate that falls to zero."""

import math

import torch
from torch import nn

from spiker_train.network.network import SpikingNetwork

__all__ = ["Adam", "parameter_groups"]


def parameter_groups(net: SpikingNetwork) -> list[tuple[nn.Parameter, float]]:
    """Return the parameters of a network, each with its typical size.

    Adam moves a parameter by the learning rate whatever the size of the gradient. So the rate is
    multiplied by the size of what is moved: for weights and biases, by a typical potential of their
    layer.
    """
    groups = [
        (connection.weights, net.layer[connection.target].cell.unit)
        for connection in net.connections
    ]
    groups += [(layer.bias, layer.cell.unit) for layer in net.layers if layer.bias is not None]
    return groups + [(p, 1.0) for layer in net.layers for p in layer.cell.parameters()]


class Adam:
    r"""Adam (Kingma and Ba 2015) with a learning rate that falls as a cosine to zero.

    For a parameter :math:`\theta` of typical size :math:`u` with gradient :math:`g`, step
    :math:`t = 1, \ldots, T` computes

    .. math::

        m_t &= 0.9\,m_{t-1} + 0.1\,g \\
        s_t &= 0.99\,s_{t-1} + 0.01\,g^2 \\
        \eta_t &= \eta\,\tfrac{1}{2}\bigl(1 + \cos(\pi (t - 1) / T)\bigr) \\
        \theta &\leftarrow \theta - \eta_t\,u\,
            \frac{m_t / (1 - 0.9^t)}{\sqrt{s_t / (1 - 0.99^t)} + 10^{-8}}

    The first use of ``torch.optim`` loads PyTorch's compiler, which takes longer than the training
    of a small network; hence this class.

    Parameters
    ----------
    groups : list of (Parameter, float)
        Parameters :math:`\theta`, and their typical sizes :math:`u`.
    steps : int
        Number of steps :math:`T` of the whole training.
    """

    def __init__(self, groups: list[tuple[nn.Parameter, float]], steps: int):
        self.steps = steps
        self.done = 0
        self.groups = [(p, size, torch.zeros_like(p), torch.zeros_like(p)) for p, size in groups]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update all parameters that have a gradient, at a greatest learning rate."""
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
