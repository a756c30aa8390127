"""Speed of draws of devices that run at once, beside one draw after the other."""

import time

import numpy as np

from spiker_train import MonteCarlo, SpikingNetwork

from .studies import noisy

__all__ = ["speed"]


def speed(rounds: int = 5) -> list[dict]:
    """Measure 16 draws at once against a loop over them, in turns, by the medians of ratios."""
    results = []
    for sizes, steps in (("196-64-10", 8), ("784-128-10", 8), ("700-200-20", 100)):
        for batch in (16, 128):
            net = SpikingNetwork.chain(sizes, seed=0)
            spikes = np.random.default_rng(1).random((batch, steps, net.inputs[0].size)) < 0.1
            x = {"input": spikes.astype(np.uint8)}
            labels = np.zeros(batch, dtype=np.int64)
            loop, stacked = (
                MonteCarlo(net, noisy(0.05), 16, 0, stack=stack) for stack in (1, None)
            )
            weights = [loop.weights(draw) for draw in range(16)]
            for study in (loop, stacked):  # the weights are drawn before: networks are compared
                study.drawn = lambda draw, seconds, weights=weights: (weights[draw], 0)
            seconds: list[tuple[float, float]] = []
            for _ in range(rounds + 1):
                pair = []
                for study in (loop, stacked):
                    began = time.process_time()
                    study.run(x, labels, progress=False)
                    pair.append(time.process_time() - began)
                seconds.append((pair[0], pair[1]))
            ratio = float(np.median([a / b for a, b in seconds[1:]]))
            results.append({
                "network": sizes,
                "steps": steps,
                "batch": batch,
                "loop": round(float(np.median([a for a, _ in seconds[1:]])), 4),
                "ratio": round(ratio, 2),
            })
            print(f"{sizes}, {steps} steps, batch {batch}: loop {results[-1]['loop']:.3f} s, "
                  f"at once {ratio:.2f} times as fast", flush=True)  # fmt: skip
    return results
