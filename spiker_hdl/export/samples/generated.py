"""Generated samples for test benches, which detect faults that real samples do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.model import Convolution, Input, Network, Stimulus

from .bit_flips import Flip, draw_flips
from .detector import Detector
from .near_threshold import near_threshold_samples

__all__ = ["MAX_GENERATED", "Coverage", "generate"]

MAX_GENERATED = 1024
"""Maximum number of generated samples, each of which takes time and memory."""

_SEED = 20
_MIN_STEPS = 16
_MAX_STEPS = 64
_MAX_USER_SAMPLES = 32
_MIN_CANDIDATES, _MAX_CANDIDATES = 48, 256
_MIN_FLIPS, _MAX_FLIPS = 100, 600
_WORK = 2**27
"""About how many neuron updates are computed at most, to choose samples and to measure them."""

_SIMULATION = 2**26
"""About how many cycles times neurons a simulator of the test bench takes at most."""


@dataclass(frozen=True)
class Coverage:
    """The faults that the samples of a test bench detect: flipped bits, injected one at a time.

    Members
    -------
    injected : int
        Bits of weights, thresholds and biases that were drawn and flipped.
    observable : int
        Flips that change the answer to any sample, of the test bench or among the candidates.
    detected : int
        Flips that change the answer to a sample of the test bench.
    pool : int
        Generated candidates, from which the generated samples of the test bench were chosen.
    user_samples : int
        Samples of the user that were looked at.
    """

    injected: int
    observable: int
    detected: int
    pool: int
    user_samples: int


def generate(
    network: Network, stimuli: Stimulus | None, max_samples: int | None = None
) -> tuple[dict[str, list[np.ndarray]], Coverage]:
    """Generate samples that detect flipped bits, and measure which share of flips they detect.

    Candidates are sparse, dense, graded, extreme or near the thresholds. The candidate is chosen
    that detects most flips which none before it detects, in relation to its simulation time, and
    so on. Then the coverage is measured with flips that were drawn anew. The same network and
    samples give the same result.

    Parameters
    ----------
    network : Network
    stimuli : Stimulus or None
        The user's samples for the test bench.
    max_samples : int, optional
        Maximum number of samples, 1 or more; by default as many as a simulator runs in some
        minutes.

    Returns
    -------
    samples : dict of str to list of array of int, shape (steps, size)
        By input.
    coverage : Coverage
    """
    draw = np.random.default_rng(_SEED)
    steps = _steps(network, stimuli)
    flips, count = _extent(network, steps, max_samples)
    pool = _candidates(network, steps, count, draw)
    detectors = [Detector(network, group) for group in _groups(stimuli)]
    candidates = Detector(network, pool)
    _, detects = _detected(detectors, candidates, draw_flips(network, flips, draw))
    chosen = _choose(detects, _costs(network, pool), max_samples)
    # The flips by which samples were chosen would flatter them: others measure the coverage.
    by_user, detects = _detected(detectors, candidates, draw_flips(network, flips, draw))
    samples = {name: [values[n] for n in chosen] for name, values in pool.items()}
    coverage = Coverage(
        injected=len(by_user),
        observable=int((by_user | detects.any(axis=1)).sum()),
        detected=int((by_user | detects[:, chosen].any(axis=1)).sum()),
        pool=count,
        user_samples=sum(detector.count for detector in detectors),
    )
    return samples, coverage


def _steps(network: Network, stimuli: Stimulus | None) -> int:
    """Return the steps of generated samples: the usual number, and enough for leaks to matter."""
    usual = 0
    note = dict(network.notes).get("steps", "")
    if stimuli is not None:
        usual = int(np.median(stimuli.steps))
    elif note.isascii() and note.isdigit() and len(note) < 6:
        usual = int(note)
    max_delay = max((projection.delay for projection in network.projections), default=0)
    return max(1, min(max(usual, _MIN_STEPS, max_delay + 2), _MAX_STEPS, network.max_steps))


def _extent(network: Network, steps: int, max_samples: int | None) -> tuple[int, int]:
    """Return how many flips and candidates can be computed with little work."""
    size = sum(population.size for population in network.populations)
    recurrent = any(
        projection.delay and projection.source in network.population
        for projection in network.projections
    )
    # A neuron in a loop changes all others; otherwise its own spikes decide about most flips.
    cost = 4 * size if recurrent else 8 + size // 16 + _positions(network)
    work = _WORK / (steps * cost)
    count = int(min(_MAX_CANDIDATES, max(_MIN_CANDIDATES, work**0.5 / 2)))
    flips = int(min(_MAX_FLIPS, max(_MIN_FLIPS, work / count)))
    return flips, max(count, 2 * (max_samples or 0))


def _positions(network: Network) -> int:
    """Return how many more neurons a flip changes in the mean, since it is in a kernel."""
    bits, positions = 0, 0
    for projection in network.projections:
        synapses = projection.synapses
        own = synapses.values.size * projection.width
        bits += own
        if isinstance(synapses, Convolution):
            positions += own * (projection.target_size // len(synapses.kernel))
    return positions // max(1, bits)


def _costs(network: Network, pool: dict[str, np.ndarray]) -> np.ndarray:
    """Return about how many cycles times neurons each candidate takes in a simulator."""
    size = sum(population.size for population in network.populations)
    cycles = np.zeros(len(pool[network.inputs[0].name]))
    for node in network.inputs:
        events = (pool[node.name] != 0).sum(axis=2)
        events = events[:, :1] if node.static else events
        cycles += events.sum(axis=1) + (1 if node.static else len(events[0])) * node.size / 16
    return (cycles + 20) * (size + 20)


def _groups(stimuli: Stimulus | None) -> list[dict[str, np.ndarray]]:
    """Return some of the user's samples, grouped by their number of steps."""
    if stimuli is None:
        return []
    steps = stimuli.steps[:_MAX_USER_SAMPLES]
    return [stimuli.group(np.flatnonzero(steps == length)) for length in np.unique(steps)]


def _detected(
    detectors: Sequence[Detector], candidates: Detector, flips: list[Flip]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which flips the user's samples detect, and which candidates detect the others.

    Returns
    -------
    by_user : array of bool, shape (flips,)
    detects : array of bool, shape (flips, candidates)
    """
    by_user = np.zeros(len(flips), dtype=bool)
    for detector in detectors:
        left = np.flatnonzero(~by_user)
        by_user[left] = detector.detects([flips[n] for n in left]).any(axis=1)
    detects = np.zeros((len(flips), candidates.count), dtype=bool)
    others = [flip for flip, detected in zip(flips, by_user, strict=True) if not detected]
    detects[~by_user] = candidates.detects(others)
    return by_user, detects


def _choose(detects: np.ndarray, costs: np.ndarray, max_samples: int | None) -> list[int]:
    """Return the candidates that detect most flips, for their costs, that none before detects."""
    chosen: list[int] = []
    left, free = detects.copy(), np.ones(len(costs), dtype=bool)
    spent, rounds = 0.0, 0
    while free.any() and (max_samples is None or len(chosen) < max_samples):
        if max_samples is None and chosen and spent + costs[free].min() > _SIMULATION:
            break
        gains = left.sum(axis=0) / costs * free
        if not gains.any():
            # All flips are detected once. Similar flips are likelier to be detected if more
            # samples detect these, so a second round begins.
            rounds += 1
            left = detects.copy()
            if rounds > 1 or not (left.sum(axis=0) * free).any():
                break
            continue
        best = int(gains.argmax())
        if max_samples is None and chosen and spent + costs[best] > _SIMULATION:
            free[best] = False
            continue
        chosen.append(best)
        free[best] = False
        spent += costs[best]
        left[left[:, best]] = False
    return chosen or [0]


# -- candidates ----------------------------------------------------------------------------------


def _candidates(
    network: Network, steps: int, count: int, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return candidates: a third at random, the others near the thresholds."""
    plain = count // 3
    drawn = {node.name: [] for node in network.inputs}
    for n in range(plain):
        kind = _KINDS[n % len(_KINDS)]
        for node in network.inputs:
            drawn[node.name].append(kind(node, steps, draw))
    others = near_threshold_samples(network, steps, count - plain, draw)
    return {
        name: np.concatenate([np.stack(samples), others[name]]) for name, samples in drawn.items()
    }


def _kind(rates: Callable[[int, Any], np.ndarray], extreme: bool = False) -> Callable:
    """Return a function that draws a sample in which channels have events at given rates."""

    def sample(node: Input, steps: int, draw: np.random.Generator) -> np.ndarray:
        shape = (1 if node.static else steps, node.size)
        events = draw.random(shape) < rates(node.size, draw)
        if extreme:
            values = draw.choice([node.low or node.high, node.high], shape)
        else:
            values = draw.integers(node.low, node.high + 1, shape)
            values[values == 0] = node.high
        drawn = np.where(events, values, 0)
        return np.repeat(drawn, steps // len(drawn), axis=0)

    return sample


def _block(size: int, draw: np.random.Generator) -> np.ndarray:
    """Return the rates of a block of neighbouring channels that always have events."""
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
"""Sparse, medium and dense rates, different rates of all or of some channels, extreme values of a
block and of nearly all channels, and a rate that is drawn for each sample."""
