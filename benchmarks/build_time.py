"""Time in which a network of 100 layers is built part by part, in any order, and checked.

Prints processor time of one thread, the median of several networks; layers are added in a random
order, and every third is skipped to.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from spiker_hdl.model import Decay, Lif
from spiker_train import NetworkBuilder, SpikingNetwork


def build(count: int, size: int, seed: int) -> SpikingNetwork:
    """Build a chain with skips from parts in a random order."""
    builder = NetworkBuilder("layers", seed=seed)
    builder.input("in", size)
    names = ["in", *(f"layer{n}" for n in range(count))]
    for n in np.random.default_rng(seed).permutation(np.arange(1, count + 1)):
        builder.layer(names[n], size, Lif, threshold=1.0, decay=Decay.shift(3))
        builder.connect(names[n - 1], names[n])
        if n >= 3 and n % 3 == 0:
            builder.connect(names[n - 2], names[n])
    builder.readout(names[-1], "count")
    return builder.build()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--neurons", type=int, default=32, help="of a layer")
    parser.add_argument("--networks", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    seconds = []
    for seed in range(options.networks):
        began = time.process_time()
        build(options.layers, options.neurons, seed)
        seconds.append(time.process_time() - began)
    print(
        f"{options.layers} layers of {options.neurons} neurons: "
        f"{statistics.median(seconds):.3f} s (slowest: {max(seconds):.3f} s)"
    )


if __name__ == "__main__":
    main()
