"""The optimiser: Adam with a learning rate that falls to zero."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from spiker_hdl.base.checks import check_choice, shown
from spiker_train.network.network import SpikingNetwork

__all__ = ["SCHEDULES", "Adam", "TorchOptimizer", "make_optimizer", "parameter_groups"]


SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "cosine": lambda done, steps: 0.5 + 0.5 * math.cos(math.pi * done / steps),
    "constant": lambda done, steps: 1.0,
}
"""Factor of the learning rate after so many of all steps, by name."""


def parameter_groups(net: SpikingNetwork) -> list[tuple[nn.Parameter, float]]:
    """Return the parameters of a network, each with its typical size.

    Adam moves a parameter by the learning rate whatever the size of the gradient. So the rate is
    multiplied by the size of what is moved: for biases, by a typical potential of their layer, and
    for weights, by that over a typical value of their events.
    """
    groups = [
        (
            connection.weights,
            net.layer[connection.target].cell.unit / net.typical(connection.source),
        )
        for connection in net.connections
    ]
    groups += [
        (connection.normalization.gain, connection.normalization.unit)
        for connection in net.connections
        if connection.normalization is not None
    ]
    groups += [(layer.bias, layer.cell.unit) for layer in net.layers if layer.bias is not None]
    groups += [(p, 1.0) for layer in net.layers for p in layer.cell.parameters()]
    return groups + [(p, 1.0) for part in net.connections for p in part.learned.values()]


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
    schedule : callable, optional
        One of :data:`SCHEDULES`; the cosine by default.
    """

    def __init__(
        self,
        groups: list[tuple[nn.Parameter, float]],
        steps: int,
        schedule: Callable[[int, int], float] | None = None,
    ):
        self.steps = steps
        self.schedule = SCHEDULES["cosine"] if schedule is None else schedule
        self.done = 0
        self.groups = [(p, size, torch.zeros_like(p), torch.zeros_like(p)) for p, size in groups]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update all parameters that have a gradient, at a greatest learning rate."""
        rate *= self.schedule(self.done, self.steps)
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

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return tensors and numbers from which :meth:`load` goes on."""
        tensors = {}
        for n, (_, _, mean, square) in enumerate(self.groups):
            tensors |= {f"{n}/mean": mean, f"{n}/square": square}
        return tensors, {"done": self.done}

    @torch.no_grad()
    def load(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a state."""
        self.done = int(numbers["done"])
        for n, (_, _, mean, square) in enumerate(self.groups):
            mean.copy_(tensors[f"{n}/mean"])
            square.copy_(tensors[f"{n}/square"])


class TorchOptimizer:
    """An optimiser of PyTorch, with a learning rate in proportion to the sizes of parameters.

    Parameters
    ----------
    groups : list of (Parameter, float)
        Parameters, and their typical sizes, by which their learning rates are multiplied.
    steps : int
        Number of steps of the whole training.
    make : callable
        Takes a list of parameter groups, as of ``torch.optim``, and returns an optimiser.
    rate : float
        Greatest learning rate, which the groups have at first.
    schedule : callable
        One of :data:`SCHEDULES`.
    """

    def __init__(
        self,
        groups: list[tuple[nn.Parameter, float]],
        steps: int,
        make: Callable[..., Any],
        rate: float,
        schedule: Callable[[int, int], float],
    ):
        self.steps, self.done, self.schedule = steps, 0, schedule
        self.sizes = [size for _, size in groups]
        self.optimizer = make([{"params": [p], "lr": rate * size} for p, size in groups])
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            raise TypeError(
                "Optimizer must return a torch.optim.Optimizer, "
                f"not {type(self.optimizer).__name__}"
            )
        if len(self.optimizer.param_groups) != len(groups):
            raise ValueError("Optimizer must keep the parameter groups that it is given")

    def step(self, rate: float) -> None:
        """Update all parameters that have a gradient, at a greatest learning rate."""
        rate *= self.schedule(self.done, self.steps)
        self.done += 1
        for group, size in zip(self.optimizer.param_groups, self.sizes, strict=True):
            group["lr"] = rate * size
        self.optimizer.step()

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return tensors and numbers from which :meth:`load` goes on."""
        tensors: dict[str, torch.Tensor] = {}
        numbers: dict[str, Any] = {"done": self.done}
        for n, values in self.optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"{n}/{name}"] = value
                else:
                    numbers[f"{n}/{name}"] = value
        return tensors, numbers

    def load(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a state."""
        self.done = int(numbers["done"])
        state: dict[int, dict[str, Any]] = {}
        for key, value in (tensors | numbers).items():
            n, separator, name = key.partition("/")
            if separator:
                state.setdefault(int(n), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def make_optimizer(
    net: SpikingNetwork, kind: Any, steps: int, rate: float, schedule: str
) -> Adam | TorchOptimizer:
    """Return the optimiser of a name, or of a function of parameter groups.

    Raises
    ------
    TypeError, ValueError
        If there is no such optimiser or schedule.
    """
    check_choice("Schedule", schedule, SCHEDULES)
    groups = parameter_groups(net)
    if kind == "adam":
        return Adam(groups, steps, SCHEDULES[schedule])
    if isinstance(kind, str):
        known = getattr(torch.optim, kind, None)
        if not (isinstance(known, type) and issubclass(known, torch.optim.Optimizer)):
            raise ValueError(
                f"Optimizer must be 'adam', a class of torch.optim such as 'SGD', or a function, "
                f"not {kind!r}"
            )
        kind = known
    if not callable(kind):
        raise TypeError(f"Optimizer must be a name or a function, not {shown(kind)}")
    return TorchOptimizer(groups, steps, kind, rate, SCHEDULES[schedule])
