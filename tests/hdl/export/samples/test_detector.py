"""Which samples detect a flipped bit, against networks in which the bit is flipped."""

from dataclasses import replace

import numpy as np

import spiker_hdl
from spiker_hdl.export.samples.bit_flips import draw_flips
from spiker_hdl.export.samples.detector import Detector
from spiker_hdl.model import (
    Decay,
    Input,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
    WinnerTakeAll,
)


def test_flips_in_coupled_neurons_are_detected_where_answers_change():
    draw = np.random.default_rng(1)
    neuron = Lif(width=8, threshold=9, decay=Decay.shift(2))
    network = Network(
        [Input("in", 3)],
        [Population("own", 5, neuron, 0, WinnerTakeAll(1)), Population("out", 2, neuron)],
        [
            Projection("in", "own", draw.integers(-3, 8, (5, 3))),
            Projection("own", "out", draw.integers(0, 8, (2, 5))),
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
        for name in ("own", "out"):
            changed |= after.counts[name] != before.counts[name]
        assert np.array_equal(row, changed)
    assert 0.1 < detected.mean() < 0.9
