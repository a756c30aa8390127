"""Which samples detect a flipped bit, against networks in which the bit is flipped."""

from dataclasses import replace

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export.samples.bit_flips import draw_flips
from spiker_hdl.export.samples.detector import Detector
from spiker_hdl.model import (
    Decay,
    Dendrite,
    Input,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
    WinnerTakeAll,
)

LIF = Lif(width=8, threshold=9, decay=Decay.shift(2))
DENDRITE = Dendrite(width=9, decay=Decay.shift(2), resolution=2, low=-3, high=4)
POPULATIONS = {
    "coupled neurons": Population("own", 5, LIF, 0, WinnerTakeAll(1)),
    "dendrites": Population("own", 5, DENDRITE),
    "recurrent dendrites": Population("own", 5, DENDRITE),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_flips_are_detected_where_answers_change(name):
    draw = np.random.default_rng(1)
    loop = draw.integers(-2, 3, (5, 5))
    network = Network(
        [Input("in", 3)],
        [POPULATIONS[name], Population("out", 2, LIF)],
        [
            Projection("in", "own", draw.integers(-3, 8, (5, 3))),
            Projection("own", "out", draw.integers(0, 8, (2, 5))),
            *([Projection("own", "own", loop, 1)] if name.startswith("recurrent") else []),
        ],
        [Readout("out", "count")],
    )
    spikes = (draw.random((4, 10, 3)) < 0.5).astype(int)
    before = spiker_hdl.run(network, spikes)
    flips = [flip for flip in draw_flips(network, 40, draw) if flip.projection is not None]
    detected = Detector(network, {"in": spikes}).detects(flips)
    for flip, row in zip(flips, detected, strict=True):
        projections = []
        for projection in network.projections:
            if projection == flip.projection:
                weights = projection.synapses.matrix().copy()
                weights[flip.neuron, flip.source] += flip.change
                projection = replace(projection, synapses=weights)
            projections.append(projection)
        after = spiker_hdl.run(replace(network, projections=projections), spikes)
        changed = (after.scores != before.scores).any(axis=1)
        for population in ("own", "out"):
            changed |= after.counts[population] != before.counts[population]
        assert np.array_equal(row, changed)
    assert 0.1 < detected.mean() < 0.9
