"""Weights of reservoirs: recurrent connections that are drawn by a rule and then frozen."""

from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.base.conversions import number_array, plain
from spiker_train.devices.checks import check_number, check_share

from .layers import Connection

__all__ = ["freeze", "reservoir_weights", "spectral_radius"]


def reservoir_weights(
    shape: int | tuple[int, ...],
    *,
    seed: int,
    density: float = 0.1,
    inhibitory: float = 0.2,
    radius: float = 0.9,
    distance: float | None = None,
) -> np.ndarray:
    r"""Draw the recurrent weights of a reservoir.

    Each source is excitatory or inhibitory, so that all of its weights have one sign. A synapse
    from neuron :math:`j` to another neuron :math:`i` exists with the probability

    .. math:: p_{ij} = \min(1, c\,e^{-(d_{ij} / \lambda)^2})

    where :math:`d_{ij}` is their distance on a grid of ``shape`` with a spacing of 1,
    :math:`\lambda` is ``distance``, and :math:`c` is such that the mean of :math:`p` is
    ``density``; without a distance, :math:`p` is the density for all pairs. Magnitudes are uniform
    in 0.5..1.5, those of
    inhibitory sources times the ratio of excitatory to inhibitory sources, so that both balance;
    then all weights are scaled to the spectral radius.

    Parameters
    ----------
    shape : int or tuple of int
        Number of neurons, or their arrangement.
    seed : int
    density : float
        Mean probability of a synapse between two neurons, in 0..1.
    inhibitory : float
        Share of inhibitory sources, in 0..1.
    radius : float
        Spectral radius: the greatest magnitude of an eigenvalue of the weights.
    distance : float, optional
        Length :math:`\lambda` of the rule of distances, in spacings of the grid.

    Returns
    -------
    array of float64, shape (neurons, neurons)
        0 where there is no synapse; none leads from a neuron to itself.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, the density cannot be reached at this distance, or the
        weights that were drawn have no cycle, so that their spectral radius is 0.

    References
    ----------
    H. Jaeger, "The echo state approach to analysing and training recurrent neural networks", GMD
    report 148 (2001), for the spectral radius; W. Maass, T. Natschlaeger, H. Markram, "Real-time
    computing without stable states", Neural Computation 14 (2002), 2531-2560, for the rule of
    distances.
    """
    sizes = plain(shape)
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    sizes = tuple(check_int("Size of a reservoir", size, 1) for size in sizes)
    count = prod(sizes)
    density = check_share("Density", density)
    inhibitory = check_share("Share of inhibitory neurons", inhibitory)
    radius = check_number("Spectral radius", radius, 0)
    random = np.random.default_rng(check_int("Seed", seed, 0))
    sources = np.ones(count)
    negative = round(inhibitory * count)
    if negative:
        balance = (count - negative) / negative if negative < count else 1.0
        sources[random.permutation(count)[:negative]] = -balance
    exists = random.random((count, count)) < _probabilities(sizes, density, distance)
    weights = np.where(exists, random.uniform(0.5, 1.5, (count, count)) * sources, 0.0)
    present = spectral_radius(weights)
    if radius and present < 1e-9:
        raise ValueError(
            f"Reservoir must have a cycle to have a spectral radius of {radius:g}, not "
            f"{int(exists.sum())} synapses without one: give a greater density or another seed"
        )
    return weights * (radius / present if radius else 0.0)


def spectral_radius(weights: Any) -> float:
    """Return the greatest magnitude of an eigenvalue of square weights."""
    matrix = np.asarray(number_array("Weights", weights, np.float64))
    if not np.isfinite(matrix).all():
        raise ValueError("Weights must be finite, not NaN or infinite")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"Weights must be a square matrix, not of shape {matrix.shape}")
    return float(np.abs(np.linalg.eigvals(matrix)).max()) if matrix.size else 0.0


def freeze(*connections: Connection) -> None:
    """Let trainings leave the weights of connections as they are."""
    for connection in connections:
        check_kind("Each of the connections", connection, Connection)
        connection.weights.requires_grad_(False)


def _probabilities(sizes: tuple[int, ...], density: float, distance: float | None) -> np.ndarray:
    """Return the probability of each synapse, shape (neurons, neurons)."""
    count = prod(sizes)
    others = ~np.eye(count, dtype=bool)
    if distance is None:
        return density * others
    distance = check_number("Distance", distance, above=0)
    places = np.stack(np.unravel_index(np.arange(count), sizes), axis=1).astype(float)
    squares = ((places[:, None] - places[None]) ** 2).sum(-1)
    near = np.exp(-squares / distance**2) * others
    pairs = max(int(others.sum()), 1)
    reachable = np.count_nonzero(near) / pairs
    if density > reachable:
        raise ValueError(f"Density must be at most {reachable:g} at this distance, not {density:g}")
    low, high = 0.0, 1.0
    while high < 1e300 and np.minimum(1, high * near).sum() < density * pairs:
        high *= 2
    for _ in range(60):  # bisection: the mean increases with the factor
        middle = (low + high) / 2
        enough = np.minimum(1, middle * near).sum() >= density * pairs
        low, high = (low, middle) if enough else (middle, high)
    return np.minimum(1, high * near)
