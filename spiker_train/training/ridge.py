"""Readouts by ridge regression, in closed form."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spiker_hdl.base.checks import shown
from spiker_hdl.model import Accumulator, Integrator
from spiker_train.devices.checks import check_number
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.network import SpikingNetwork, check_network
from spiker_train.network.runs.state import NetworkState
from spiker_train.network.time import make_steps

from .batches import checked_labels, checked_spikes
from .run_times import RunTimes

__all__ = ["fit_readout"]


def fit_readout(
    net: SpikingNetwork,
    spikes: Any,
    labels: Any,
    *,
    penalty: float = 1e-2,
    batch: int = 256,
    dt: float | None = None,
    plan: Sequence[tuple[float, int]] | None = None,
    start: NetworkState | None = None,
) -> float:
    r"""Fit the weights of the readout layer by ridge regression; all others stay as they are.

    The score of a class is linear in the filtered spikes of the sources at the last step,

    .. math:: f_i = \sum_t s_i(t) \prod_{u > t} \beta_u

    with the decay :math:`\beta_u` of the layer in step :math:`u`, which is 1 for an accumulator, so
    that :math:`f` are counts. The weights minimise the squared error of scores that should be 1 for
    the right class and -1 for all others, plus the penalty. They are those of the layer, and so are
    quantised and mapped to hardware as any weights are. A bias of the layer is fitted, too; it
    suits the steps of the samples.

    Parameters
    ----------
    net : SpikingNetwork
        Whose first readout is ``"last"`` and reads a layer of
        :class:`~spiker_hdl.model.Integrator` or :class:`~spiker_hdl.model.Accumulator` neurons with
        one connection, from a spiking layer, dense and without delay or dynamics.
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
    labels : array of int, shape (samples,)
    penalty : float
        Greater than 0: the factor of the sum of squared weights, in units of the mean variance of
        a feature times the number of samples.
    batch : int
        Samples that run at a time.
    dt : float, optional
        Length of a step in seconds, which a network with times in seconds needs.
    plan : sequence of (float, int), optional
        In place of ``dt``, lengths in seconds, each with the number of steps that have it.
    start : NetworkState, optional
        State before the first step, of each sample or one for all. What the readout layer has left
        of it at the last step is part of the scores.

    Returns
    -------
    float
        Accuracy of these scores on the samples.

    Raises
    ------
    TypeError, ValueError
        If the layer is another, or the samples do not suit the network.
    """
    check_network(net)
    layer, connection = _readout_layer(net)
    bias_of_layer: torch.Tensor | None = layer.bias
    penalty = check_number("Penalty", penalty, above=0)
    samples = checked_spikes(net, spikes)
    first = next(iter(samples.values()))
    classes = checked_labels(net, labels, len(first))
    parts = []
    times = RunTimes(dt, plan, start)
    times.check("samples", len(first), first.shape[1])
    steps = make_steps(net.dt if dt is None and plan is None else dt, plan, first.shape[1])
    decays = np.array([_factor(layer, steps.length(t)) for t in range(steps.count)])
    factors = np.append(np.cumprod(decays[:0:-1])[::-1], 1.0)
    with torch.no_grad():
        for begin in range(0, len(first), batch):
            members = np.arange(begin, min(begin + batch, len(first)))
            group = {name: x[members] for name, x in samples.items()}
            outcome = net(group, **times.of_batch(members, steps.count))
            train = outcome.spikes[connection.source].double()
            parts.append(torch.einsum("nts,t->ns", train, torch.from_numpy(factors)))
    features = torch.cat(parts).numpy()
    targets = np.where(np.asarray(classes)[:, None] == np.arange(layer.size), 1.0, -1.0)
    left: Any = 0.0
    if start is not None:
        before = start.neurons[layer.name][layer.cell.potential].detach().cpu().double().numpy()
        left = before * np.prod(decays)
        targets = targets - left
    centre, level = np.zeros(features.shape[1]), np.zeros(layer.size)
    if bias_of_layer is not None:
        centre, level = features.mean(0), targets.mean(0)
    x, y = features - centre, targets - level
    weights = _ridge(x, y, penalty * max(float((x**2).mean()), 1e-300) * len(x))
    bias = level - weights @ centre
    fitted: torch.Tensor = connection.weights
    with torch.no_grad():
        fitted.copy_(torch.from_numpy(weights))
        if bias_of_layer is not None:
            bias_of_layer.copy_(torch.from_numpy(bias / factors.sum()))
    scores = features @ weights.T + bias + left
    return float((scores.argmax(1) == np.asarray(classes)).mean())


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Return the weights, shape (targets, features), by the smaller of two systems."""
    if len(x) >= x.shape[1]:
        return np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y).T
    return (x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y)).T


def _factor(layer: Layer, length: int | None) -> float:
    """Return the decay of the layer in a step of a length in picoseconds."""
    if issubclass(layer.cell.kind, Accumulator):
        return 1.0
    cell: Any = layer.cell
    return float(cell.value("decay", length))


def _readout_layer(net: SpikingNetwork) -> tuple[Layer, Connection]:
    """Return the layer that the first readout reads, and its connection."""
    readout = net.readouts[0]
    layer = net.layer[readout.population]
    incoming = [connection for connection in net.connections if connection.target == layer.name]
    kind = layer.cell.kind
    if kind not in {Integrator, Accumulator} or readout.kind != "last" or readout.groups:
        raise ValueError(
            "Readout for ridge regression must be the last potential of Integrator or Accumulator "
            f"neurons, not {readout.kind!r} of {kind.__name__}"
        )
    if len(incoming) != 1:
        raise ValueError(f"Layer {layer.name!r} must have one connection, not {len(incoming)}")
    (connection,) = incoming
    if connection.source not in net.layer or not net.layer[connection.source].cell.emits:
        raise ValueError(
            f"Connection {connection.name!r} must come from a layer that emits events, not "
            f"{shown(connection.source)}"
        )
    if connection.late or connection.dynamics is not None or connection.kind != "dense":
        raise ValueError(f"Connection {connection.name!r} must be dense, without delay or dynamics")
    return layer, connection
