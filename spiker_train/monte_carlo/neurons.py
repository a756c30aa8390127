"""Spread of the parameters of neurons, drawn for each chip."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from spiker_hdl.base.frozen import set_fields
from spiker_train.devices.checks import check_number, generator, normal
from spiker_train.network.cell import Cell, IntegerCell
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.time import Tau

__all__ = ["NeuronSpread", "draw_neurons", "with_neurons"]

NEURONS = 2
"""What random numbers are for, as part of their path."""


@dataclass(frozen=True, kw_only=True)
class NeuronSpread:
    r"""Spread of the thresholds and time constants of analog neurons.

    Each neuron of each draw has

    .. math:: \theta \leftarrow \theta (1 + \sigma_\theta z), \quad
        \tau \leftarrow \tau \exp(\sigma_\tau z' - \sigma_\tau^2 / 2)

    with standard normal :math:`z` and :math:`z'`; a decay by :math:`\beta = e^{-\Delta t / \tau}`
    then becomes :math:`\beta^{\tau / \tau'}`, and a time constant in seconds is drawn as such.
    Neurons in integers have the rounded threshold, within the range of their width, and keep their
    decays.

    Parameters
    ----------
    threshold, time_constant : float
        Relative standard deviations :math:`\sigma_\theta` and :math:`\sigma_\tau`.
    """

    threshold: float = 0.0
    time_constant: float = 0.0

    def __post_init__(self) -> None:
        set_fields(
            self,
            threshold=check_number("Spread of thresholds", self.threshold, 0),
            time_constant=check_number("Spread of time constants", self.time_constant, 0),
        )


def draw_neurons(
    net: SpikingNetwork, spread: NeuronSpread, seed: int, draw: int
) -> dict[tuple[str, str], torch.Tensor]:
    """Return the parameters of a draw's neurons by layer and field, each of shape (size,).

    Raises
    ------
    ValueError
        If time constants are to spread in neurons whose parameters are integers.
    """
    drawn = {}
    for n, layer in enumerate(net.layers):
        rng = generator(seed, draw, n, NEURONS)
        cell = layer.cell
        z, other = normal((layer.size,), rng), normal((layer.size,), rng)
        if isinstance(cell, IntegerCell):
            if spread.time_constant:
                raise ValueError(
                    f"Time constants of layer {layer.name!r} must not spread, since its neurons "
                    "are in integers, whose decays are part of the hardware"
                )
            if "threshold" in cell.fixed.parameters:
                parameter = cell.fixed.parameters["threshold"]
                nominal = torch.as_tensor(np.asarray(parameter.value)).double()
                value = (nominal * (1 + spread.threshold * z)).round()
                drawn[layer.name, "threshold"] = value.clamp(parameter.low, parameter.high)
            continue
        assert isinstance(cell, Cell)
        for name, role in cell.roles.items():
            if name == "threshold":
                nominal = torch.as_tensor(np.asarray(cell.value(name)))
                drawn[layer.name, name] = nominal * (1 + spread.threshold * z)
            elif role == "decay" and spread.time_constant:
                if name in cell.exact:
                    raise ValueError(
                        f"Decay {name!r} of layer {layer.name!r} must be a factor for its time "
                        "constant to spread, not an exact Decay"
                    )
                sigma = spread.time_constant
                slower = (sigma * other - sigma**2 / 2).exp()
                if name in cell.taus:
                    drawn[layer.name, name] = torch.as_tensor(cell.seconds(name)) * slower
                    continue
                drawn[layer.name, name] = torch.as_tensor(np.asarray(cell.value(name))) ** (
                    1 / slower
                )
    return drawn


@contextmanager
def with_neurons(
    net: SpikingNetwork, values: Mapping[tuple[str, str], torch.Tensor]
) -> Iterator[None]:
    """Let a network run with other parameters of its neurons.

    Parameters
    ----------
    net : SpikingNetwork
    values : mapping of (str, str) to tensor
        By layer and field, of shape (size,), or (samples, size) in floating point; time constants
        in seconds.
    """
    fixed, taus = {}, {}
    net.known = (None, {})  # neurons that were prepared with the nominal parameters
    try:
        for (name, field), value in values.items():
            cell = net.layer[name].cell
            if isinstance(cell, IntegerCell):
                fixed[name] = cell.fixed
                whole = tuple(int(number) for number in value.tolist())
                cell.fixed = replace(cell.fixed, **{field: whole})
            elif field in cell.taus and field not in cell.learned:
                taus[name, field] = cell.taus[field]
                cell.taus[field] = Tau(value.numpy(), cell.taus[field].method)
            elif field in cell.taus:
                cell.__dict__[f"float_{field}"] = value.log()
            else:
                # What is in the instance stands before the module's parameters and buffers.
                cell.__dict__[f"float_{field}"] = value
        yield
    finally:
        for name, neuron in fixed.items():
            cell = net.layer[name].cell
            assert isinstance(cell, IntegerCell)
            cell.fixed = neuron
        for (name, field), tau in taus.items():
            cell = net.layer[name].cell
            assert isinstance(cell, Cell)
            cell.taus[field] = tau
        for name, field in values:
            net.layer[name].cell.__dict__.pop(f"float_{field}", None)
        net.known = (None, {})
