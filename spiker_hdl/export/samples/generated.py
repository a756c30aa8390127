"""Samples for test benches that are made up, so that what no real sample shows is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.model import Input, Network, Stimulus

from .bit_flips import Detector, Flip, draw_flips
from .near_threshold import aimed

__all__ = ["MOST", "Coverage", "generate"]

MOST = 1024
"""Samples that are made up at most, which take time and memory by their number."""

_SEED = 20
_STEPS = 16
_MOST_STEPS = 64
_MOST_GIVEN = 32
_POOL = 256
_FLIPS = 600
_LEAST_FLIPS = 100
_WORK = 2**27
"""Steps of neurons that are computed at most, about, to choose samples and to measure them."""

_SIMULATION = 2**26
"""Cycles times neurons that a simulator of the test bench is asked for at most, about."""


@dataclass(frozen=True)
class Coverage:
    """What was measured of the samples of a test bench.

    Members
    -------
    flips : int
        Bits of weights, thresholds and biases that were drawn, and turned over one at a time.
    change : int
        Those that change an answer: to a sample of the test bench, or to one of the pool.
    caught : int
        Those that change an answer to a sample of the test bench.
    pool : int
        Samples that were made up, of which the test bench has some.
    given : int
        Samples of the user that were looked at.
    """

    flips: int
    change: int
    caught: int
    pool: int
    given: int


def generate(
    network: Network, given: Stimulus | None, most: int | None = None
) -> tuple[dict[str, list[np.ndarray]], Coverage]:
    """Make up samples that show bits that are not what they should be, and measure them.

    Of a pool of samples, sparse, dense, graded, extreme, and aimed at the thresholds, those are
    taken that show the most flips which nothing before has shown, the best first; then other flips
    tell what share of them is shown. The same network and samples give the same.

    Parameters
    ----------
    network : Network
    given : Stimulus or None
        Samples that the test bench has already.
    most : int, optional
        How many are made up at most, 1 or more; by default as many as can be simulated in a while.

    Returns
    -------
    samples : dict of str to list of array of int, shape (steps, size)
        By input.
    coverage : Coverage
    """
    draw = np.random.default_rng(_SEED)
    steps = _length(network, given)
    flips, number = _extent(network, steps, most)
    pool = _make(network, steps, number, draw)
    detectors = [Detector(network, each) for each in _groups(given)]
    candidates = Detector(network, pool)
    seen, shows = _shown(detectors, candidates, draw_flips(network, flips, draw))
    chosen = _choose(shows, _costs(network, pool), most)
    # Other flips than those by which they were chosen say how good they are.
    seen, shows = _shown(detectors, candidates, draw_flips(network, flips, draw))
    caught = seen | shows[:, chosen].any(axis=1)
    change = seen | shows.any(axis=1)
    samples = {name: [each[n] for n in chosen] for name, each in pool.items()}
    looked = sum(one.count for one in detectors)
    return samples, Coverage(len(seen), int(change.sum()), int(caught.sum()), number, looked)


def _length(network: Network, given: Stimulus | None) -> int:
    """Return the steps of what is made up: what a network is for, and enough to tell leaks."""
    usual = 0
    said = dict(network.notes).get("steps", "")
    if given is not None:
        usual = int(np.median(given.steps))
    elif said.isascii() and said.isdigit() and len(said) < 6:
        usual = int(said)
    delay = max((one.delay for one in network.projections), default=0)
    return max(1, min(max(usual, _STEPS, delay + 2), _MOST_STEPS, network.max_steps))


def _extent(network: Network, steps: int, most: int | None) -> tuple[int, int]:
    """Return how many flips and samples can be looked at in little time."""
    size = sum(one.size for one in network.populations)
    recurrent = any(one.delay and one.source in network.population for one in network.projections)
    # A neuron in a loop changes all others; else most flips are judged by one neuron alone.
    cost = 4 * size if recurrent else 8 + size // 16
    work = _WORK / (steps * cost)
    number = int(min(_POOL, max(48, work**0.5 / 2)))
    flips = int(min(_FLIPS, max(_LEAST_FLIPS, work / number)))
    return flips, max(number, 2 * (most or 0))


def _costs(network: Network, pool: dict[str, np.ndarray]) -> np.ndarray:
    """Return about how many cycles times neurons the samples take in a simulator."""
    size = sum(one.size for one in network.populations)
    cycles = np.zeros(len(pool[network.inputs[0].name]))
    for one in network.inputs:
        events = (pool[one.name] != 0).sum(axis=2)
        events = events[:, :1] if one.static else events
        cycles += events.sum(axis=1) + (1 if one.static else len(events[0])) * one.size / 16
    return (cycles + 20) * (size + 20)


def _groups(given: Stimulus | None) -> list[dict[str, np.ndarray]]:
    """Return some of the samples given, those of the same steps together."""
    if given is None:
        return []
    steps = given.steps[:_MOST_GIVEN]
    return [given.group(np.flatnonzero(steps == length)) for length in np.unique(steps)]


def _shown(
    detectors: Sequence[Detector], candidates: Detector, flips: list[Flip]
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which flips the samples given show, and of the others which made-up ones do."""
    seen = np.zeros(len(flips), dtype=bool)
    for one in detectors:
        left = np.flatnonzero(~seen)
        seen[left] = one.shows([flips[n] for n in left]).any(axis=1)
    shows = np.zeros((len(flips), candidates.count), dtype=bool)
    shows[~seen] = candidates.shows([one for one, by in zip(flips, seen, strict=True) if not by])
    return seen, shows


def _choose(shows: np.ndarray, costs: np.ndarray, most: int | None) -> list[int]:
    """Return samples of which each shows most flips, for its cost, that none before has shown."""
    chosen: list[int] = []
    left, free = shows.copy(), np.ones(len(costs), dtype=bool)
    spent, rounds = 0.0, 0
    while free.any() and (most is None or len(chosen) < most):
        if most is None and chosen and spent + costs[free].min() > _SIMULATION:
            break
        gains = left.sum(axis=0) / costs * free
        if not gains.any():
            # Flips like those that are shown once are likelier to be where more show them.
            rounds += 1
            left = shows.copy()
            if rounds > 1 or not (left.sum(axis=0) * free).any():
                break
            continue
        best = int(gains.argmax())
        if most is None and chosen and spent + costs[best] > _SIMULATION:
            free[best] = False
            continue
        chosen.append(best)
        free[best] = False
        spent += costs[best]
        left[left[:, best]] = False
    return chosen or [0]


# -- what samples are like -----------------------------------------------------------------------


def _make(
    network: Network, steps: int, number: int, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    plain = number // 3
    found = {one.name: [] for one in network.inputs}
    for n in range(plain):
        kind = _KINDS[n % len(_KINDS)]
        for one in network.inputs:
            found[one.name].append(kind(one, steps, draw))
    rest = aimed(network, steps, number - plain, draw)
    return {name: np.concatenate([np.stack(each), rest[name]]) for name, each in found.items()}


def _kind(rates: Callable[[int, Any], np.ndarray], extreme: bool = False) -> Callable:
    """Return what draws a sample in which channels have events at given rates."""

    def make(node: Input, steps: int, draw: np.random.Generator) -> np.ndarray:
        shape = (1 if node.static else steps, node.size)
        events = draw.random(shape) < rates(node.size, draw)
        if extreme:
            values = draw.choice([node.low or node.high, node.high], shape)
        else:
            values = draw.integers(node.low, node.high + 1, shape)
            values[values == 0] = node.high
        sample = np.where(events, values, 0)
        return np.repeat(sample, steps // len(sample), axis=0)

    return make


def _block(size: int, draw: np.random.Generator) -> np.ndarray:
    """Return the rates of some neighbours that always have events."""
    length = int(draw.integers(1, max(2, size // 2 + 1)))
    return (np.arange(size) - int(draw.integers(size))) % size < length


_KINDS = (
    _kind(lambda size, draw: np.full(size, min(1, 2 / size + 0.02))),
    _kind(lambda size, draw: np.full(size, 0.15)),
    _kind(lambda size, draw: np.full(size, 0.5)),
    _kind(lambda size, draw: draw.random(size) ** 2),
    _kind(lambda size, draw: (draw.random(size) < 0.3) * draw.random(size)),
    _kind(_block, extreme=True),
    _kind(lambda size, draw: np.full(size, 0.9), extreme=True),
    _kind(lambda size, draw: np.full(size, draw.random() ** 2)),
)
"""Sparse, medium, dense, graded, graded in part, extreme among neighbours, all, and of any kind."""
