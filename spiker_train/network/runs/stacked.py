"""Products of events and weights, for one set of weights or for several draws of them at once.

Draws are stacked along the first axis of the weights. The samples of all draws are then rows of one
batch: row ``draw * samples + sample`` is a sample that runs with the weights of a draw.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from spiker_train.network.layers import Connection

__all__ = ["draws_of", "project", "shared_project"]

SPARSE = 0.12
"""Share of nonzero events below which a sparse product takes less time than a dense one."""


def draws_of(connections: "Iterable[Connection]") -> int:
    """Return the number of draws that are stacked in the weights of connections, 1 for none."""
    draws = 1
    for connection in connections:
        if connection.drawn is not None and connection.drawn.ndim > connection.weights.ndim:
            draws = connection.drawn.shape[0]
    return draws


def project(weights: torch.Tensor, events: torch.Tensor, pointwise: bool) -> torch.Tensor:
    """Return the currents of events, each row of which runs with its own draw of the weights.

    Parameters
    ----------
    weights : tensor
        Shape (targets, sources), or (size,) where ``pointwise``; stacked draws have one axis more.
    events : tensor, shape (rows, ..., sources)
    pointwise : bool
        Whether each source has one target, of the same index.
    """
    if weights.ndim == (1 if pointwise else 2):
        return events * weights if pointwise else events @ weights.T
    split = events.reshape(len(weights), -1, events.shape[-1])
    if pointwise:
        return (split * weights[:, None]).reshape(events.shape)
    return torch.bmm(split, weights.transpose(1, 2)).reshape(*events.shape[:-1], -1)


def shared_project(weights: torch.Tensor, events: torch.Tensor, pointwise: bool) -> torch.Tensor:
    """Return the currents of events that are the same for every draw of the weights.

    Parameters
    ----------
    weights, pointwise
        As for :func:`project`.
    events : tensor, shape (samples, steps, sources)

    Returns
    -------
    tensor, shape (draws * samples, steps, targets)
    """
    if weights.ndim == (1 if pointwise else 2):
        return project(weights, events, pointwise)
    if pointwise:
        return (events * weights[:, None, None]).flatten(0, 1)
    # One product for all draws: the events are read once.
    currents = _product(events, weights.reshape(-1, weights.shape[-1]))
    return currents.unflatten(-1, weights.shape[:2]).movedim(2, 0).flatten(0, 1)


def _product(events: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return ``events @ weights.T``, through a sparse matrix where most events are 0."""
    learning = torch.is_grad_enabled() and (events.requires_grad or weights.requires_grad)
    if learning or events.device.type != "cpu":
        return events @ weights.T
    rows = events.detach().reshape(-1, events.shape[-1])
    if int(rows.count_nonzero()) > SPARSE * rows.numel():
        return events @ weights.T
    columns = weights.detach().T.contiguous().numpy()
    product = torch.from_numpy(csr_matrix(rows.numpy()) @ columns)
    return product.reshape(*events.shape[:-1], -1)
