"""A small network for the digits, untrained, which tests share."""

import numpy as np

from spiker_hdl.model import Decay, Input, Integrator, Lif, Network, Population, Projection, Readout

NOTES = {"data": "digits", "encoder": "rate", "steps": "3"}


def make_network(size=64, notes=NOTES):
    """Return a network of random weights for pictures of ``size`` values."""
    draws = np.random.Generator(np.random.PCG64(1))
    return Network(
        (Input("input", size),),
        (
            Population("hidden", 6, Lif(threshold=12, decay=Decay.shift(3), width=8)),
            Population("output", 10, Integrator(decay=Decay.shift(3), width=8)),
        ),
        (
            Projection("input", "hidden", draws.integers(-3, 5, (6, size)), bits=4),
            Projection("hidden", "output", draws.integers(-7, 8, (10, 6)), bits=4),
        ),
        (Readout("output", "last"),),
        name="little",
        notes=notes,
    )
