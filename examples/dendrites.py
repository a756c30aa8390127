"""Exclusive or by a single neuron with two dendrites.

No weights let one neuron fire for either of two inputs, but not for both. Here each dendrite is
excited by one input and inhibited by the other. Its output is never negative, and so two equal
inputs cancel in both dendrites before they reach the neuron::

    python examples/dendrites.py
"""

import numpy as np

import spiker_hdl
from spiker_hdl.model import Dendrite, Input, Lif, Readout
from spiker_train import Cell, Connection, Layer, SpikingNetwork, quantize

__all__ = ["INPUTS", "answers", "make_network"]

STEPS = 20
INPUTS = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
"""Whether each of the two inputs is active, in four samples."""


def make_network() -> SpikingNetwork:
    """Return the network in floating point: two inputs, two dendrites, and one neuron."""
    dendrite = Cell(Dendrite, decay=0.75, resolution=0.25, low=0, high=7)
    soma = Cell(Lif, threshold=1.0, decay=0.875)
    return SpikingNetwork(
        [Input("in", 2)],
        [Layer("dendrites", 2, dendrite), Layer("soma", 1, soma)],
        [
            Connection("in", "dendrites", [[0.25, -0.25], [-0.25, 0.25]]),
            Connection("dendrites", "soma", [[0.125, 0.125]]),
        ],
        [Readout("soma", "count")],
    )


def answers() -> dict[str, list[int]]:
    """Return the spikes of the neuron for each sample, by what has computed them."""
    spikes = np.repeat(INPUTS[:, None], STEPS, axis=1)
    net = make_network()
    network = quantize(net, weights=4, max_steps=STEPS)
    results = {
        "floating point": net.run(spikes),
        "integers": spiker_hdl.run(network, spikes),
        "hardware": spiker_hdl.run(network, spikes, engine="amaranth"),
    }
    return {name: result.scores[:, 0].astype(int).tolist() for name, result in results.items()}


def main() -> None:
    """Print the spikes of the neuron for each sample."""
    counts_by_name = answers()
    print("a b  " + "  ".join(f"{name:>14}" for name in counts_by_name))
    for (a, b), *counts in zip(INPUTS, *counts_by_name.values(), strict=True):
        print(f"{a} {b}  " + "  ".join(f"{count:>14}" for count in counts))


if __name__ == "__main__":
    main()
