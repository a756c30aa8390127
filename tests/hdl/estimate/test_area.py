"""The estimate of block RAMs and look-up tables, against counts by hand and of synthesis."""

from dataclasses import replace

import numpy as np

from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.model import (
    Decay,
    Dendrite,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    load,
)


def test_block_rams_by_hand():
    digits = load("networks/digits.spiker")
    # On iCE40, one for received frames and two for transmitted ones, and one for each of the three
    # queues of events. Weights in 64 rows of 128 bits are cheaper in logic than in 8 blocks.
    assert estimate_area(digits, Mapping.folded(digits, 32), "ice40").block_rams == 6
    # Writable weights of the output, 32 rows of 40 bits, take 3 blocks; the others stay in logic.
    writable = Mapping.folded(digits, 32).with_writable(digits, ["output"])
    assert estimate_area(digits, writable, "ice40").block_rams == 9
    # With 8 lanes, 256 words of 32 bits take 2 blocks, and 4 words of states are registers.
    assert estimate_area(digits, Mapping.folded(digits, 8), "ice40").block_rams == 8
    # Counts of synthesis, of which the estimate is a near lower bound.
    recurrent, small = load("networks/fsdd_recurrent.spiker"), load("networks/mnist_14x14.spiker")
    assert estimate_area(recurrent, Mapping.folded(recurrent, 8), "ice40").block_rams == 52
    assert estimate_area(small, Mapping.folded(small, 1), "ice40").block_rams == 31
    assert 33 <= estimate_area(small, Mapping.folded(small, 4), "ice40").block_rams <= 37
    assert 14 <= estimate_area(digits, Mapping.folded(digits, 2), "ice40").block_rams <= 16
    # A block of ECP5 holds 256 words of 32 bits.
    assert estimate_area(digits, Mapping.folded(digits, 8), "ecp5").block_rams == 3
    # There, 64 rows are in look-up tables of 16 bits each.
    flat, folded = (Mapping.folded(digits, lanes) for lanes in (32, 8))
    assert estimate_area(digits, flat, "ecp5").block_rams == 2
    rows = (64 * 32 + 32 * 10) * 4 // 16
    assert (
        estimate_area(digits, flat, "ecp5").luts > rows + estimate_area(digits, folded, "ecp5").luts
    )


def test_block_rams_of_states_and_of_queues():
    recurrent = load("networks/fsdd_recurrent.spiker")

    def blocks(**changes):
        mapping = Mapping.folded(recurrent, 8)
        core = replace(mapping.cores["hidden"], **changes)
        mapping = replace(mapping, cores={**mapping.cores, "hidden": core})
        return estimate_area(recurrent, mapping, "ice40").block_rams

    # 16 words of 80 bits of states, and of 88 bits of sums, in blocks 16 bits wide.
    assert blocks() - blocks(states="registers") == 5 + 6
    # Two banks have sums of their own; each has half of the rows of weights.
    assert blocks(banks=2) - blocks() >= 6


def test_products_and_queues_of_values():
    def network(low, high):
        dendrite = Dendrite(width=10, decay=Decay.shift(3), resolution=1, low=low, high=high)
        return Network(
            [Input("in", 8)],
            [
                Population("d", 200, dendrite),
                Population("out", 12, Lif(width=10, threshold=9, decay=Decay.shift(3))),
            ],
            [
                Projection("in", "d", np.ones((200, 8), dtype=int), bits=4),
                Projection("d", "out", np.ones((12, 200), dtype=int), bits=5),
            ],
            [Readout("out")],
        )

    def estimate(low, high, store="rows"):
        graph = network(low, high)
        mapping = Mapping.folded(graph, 12, stores={"d->out": store}, queues=QUEUES)
        return estimate_area(graph, mapping, "ice40")

    binary, graded, signed = estimate(0, 1), estimate(0, 15), estimate(-8, 7)
    # Three adders of 9 bits in each of 12 lanes.
    assert graded.luts - binary.luts == signed.luts - binary.luts == 12 * 3 * 9
    # Events of 10 bits become 14, and words of 12 channels have 4 bits more in each.
    assert graded.block_rams > binary.block_rams
    # Words of a population's output, of 4 channels and 8 bits, have 12 bits, or 28: blocks have 16.
    blocks = []
    for high in (1, 15):
        graph = network(0, high)
        mapping = Mapping.folded(graph, 4, queues={"in->d": 16, "d->out": 16})
        blocks.append(estimate_area(graph, mapping, "ice40").block_rams)
    assert blocks[1] - blocks[0] == 1
    # A look-up has a single product.
    looked_up = [estimate(0, high, "synapses").luts for high in (1, 15)]
    assert looked_up[1] - looked_up[0] == 3 * 9


QUEUES = {"in->d": 16, "d->out": 2000}
