"""Speed of draws of devices that run at once, beside one draw after the other."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from spiker_train import MonteCarlo, SpikingNetwork

from .studies import noisy

__all__ = ["speed", "speed_table"]

DRAWS = 16
NETWORKS = (("196-64-10", 8), ("784-128-10", 8), ("700-200-20", 100))
BATCHES = (16, 128)

DENSITIES = (0.05, 0.1)
"""Shares of inputs that fire; the first is that of benchmarks/emulation.py."""

KERNELS = ("auto", "eager")


@contextmanager
def kernels(choice: str) -> Iterator[None]:
    """Have all runs use kernels where it is worth it, or none."""
    before = os.environ.get("SPIKER_KERNEL")
    os.environ["SPIKER_KERNEL"] = choice
    try:
        yield
    finally:
        del os.environ["SPIKER_KERNEL"]
        if before is not None:
            os.environ["SPIKER_KERNEL"] = before


def speed(rounds: int = 9) -> list[dict[str, Any]]:
    """Measure draws at once against a loop over them, in turns, by the medians of ratios."""
    results = []
    for sizes, steps in NETWORKS:
        for batch in BATCHES:
            for density in DENSITIES:
                for choice in KERNELS:
                    with kernels(choice):
                        pairs = _pairs(sizes, steps, batch, density, rounds)
                    loop, at_once = np.median(pairs, axis=0)
                    result = {
                        "network": sizes,
                        "steps": steps,
                        "batch": batch,
                        "density": density,
                        "kernels": choice,
                        "loop": round(float(loop), 5),
                        "at once": round(float(at_once), 5),
                        "ratio": round(float(np.median(pairs[:, 0] / pairs[:, 1])), 2),
                    }
                    results.append(result)
                    print(_row(result), flush=True)
    return results


def _pairs(sizes: str, steps: int, batch: int, density: float, rounds: int) -> np.ndarray:
    """Return processor seconds of a loop and of draws at once, for each round."""
    net = SpikingNetwork.chain(sizes, seed=0)
    spikes = np.random.default_rng(1).random((batch, steps, net.inputs[0].size)) < density
    x = {"input": spikes.astype(np.uint8)}
    labels = np.zeros(batch, dtype=np.int64)
    studies = [MonteCarlo(net, noisy(0.05), DRAWS, 0, stack=stack) for stack in (1, None)]
    weights = [studies[0].weights(draw) for draw in range(DRAWS)]
    for study in studies:  # the weights are drawn before: networks are compared
        study.drawn = lambda draw, seconds: (weights[draw], 0)
    pairs = []
    for _ in range(rounds + 1):
        pairs.append([])
        for study in studies:
            began = time.process_time()
            study.run(x, labels, progress=False)
            pairs[-1].append(time.process_time() - began)
    return np.array(pairs[1:])


def speed_table(results: list[dict[str, Any]]) -> str:
    """Return the table of the page."""
    return "\n".join([
        "| network, steps | batch | inputs that fire | kernels | loop, ms | at once, ms | ratio |",
        "|---|---|---|---|---|---|---|",
        *map(_row, results),
    ])


def _row(result: dict[str, Any]) -> str:
    return (
        f"| {result['network']}, {result['steps']} | {result['batch']} | {result['density']:.0%} | "
        f"{'none' if result['kernels'] == 'eager' else 'where worth it'} | "
        f"{1e3 * result['loop']:.1f} | {1e3 * result['at once']:.1f} | {result['ratio']:.2f} |"
    )
