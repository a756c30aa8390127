"""The small designs that are drawn."""

from collections.abc import Iterator

import numpy as np
from amaranth.lib import wiring

from spiker_hdl import __version__
from spiker_hdl.link.axi.accelerator import AxiAccelerator
from spiker_hdl.link.axi.mailbox import AxiLink, Mailbox
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.uart import Uart
from spiker_hdl.model import (
    Convolution,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    WinnerTakeAll,
)
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.rtl import Accelerator, EncodedAccelerator

__all__ = ["make_designs", "make_network", "make_writable"]


def make_network(hidden: int = 4, seed: int = 1) -> Network:
    """Return a network with one input, a hidden population and an output.

    Parameters
    ----------
    hidden : int
        Neurons of the hidden population.
    seed : int
        From which its weights are drawn.
    """
    draws, others = (np.random.Generator(np.random.PCG64(n)) for n in (seed, 3))
    return Network(
        (Input("pixels", 4),),
        (
            Population("hidden", hidden, Lif(threshold=5, decay=Decay.shift(3), width=8)),
            Population("classes", 2, Integrator(decay=Decay.shift(3), width=8)),
        ),
        (
            Projection("pixels", "hidden", draws.integers(-1, 6, (hidden, 4)), bits=4),
            Projection("hidden", "classes", others.integers(-4, 5, (2, hidden)), bits=4),
        ),
        (Readout("classes", "last"),),
        name="small",
    )


def make_writable(network: Network) -> Mapping:
    """Return a mapping whose hidden weights can be replaced as the hardware runs."""
    return Mapping.default(network).with_writable(network, ["hidden"])


def make_designs() -> Iterator[wiring.Component]:
    """Give designs that have every component of the hardware between them."""
    network = make_network(hidden=8)
    yield Accelerator(network)
    yield Accelerator(network, Mapping.folded(network, 4))
    various = make_various()
    yield Accelerator(various, Mapping.fast(various))
    yield Accelerator(network, make_writable(network))
    maps = make_maps()
    yield Accelerator(maps)
    yield Accelerator(maps, Mapping.fast(maps), streams=["pooled"])
    for encoding in (Encoding("rate", steps=4), Encoding("delta", thresholds=(8, 16))):
        yield EncodedAccelerator(network, encoding=encoding)
    yield Link(Accelerator(network), version=__version__)
    yield Uart(8)
    yield AxiTop(AxiAccelerator(Accelerator(various), version=__version__))
    yield AxiLink(Link(Accelerator(network), version=__version__))
    yield Mailbox()


def make_maps() -> Network:
    """Return a network of two maps, one of which has the maximum of sums over windows."""
    draws = np.random.Generator(np.random.PCG64(7))
    first = Convolution(draws.integers(-3, 4, (2, 1, 3, 3)), (1, 4, 4), padding=1)
    second = Convolution(draws.integers(-3, 4, (2, 2, 2, 2)), (2, 2, 2))
    return Network(
        (Input("image", (1, 4, 4)),),
        (
            Population("pooled", (2, 2, 2), If(threshold=5, width=8)),
            Population("classes", (2, 1, 1), If(threshold=5, width=8)),
        ),
        (
            Projection("image", "pooled", first, pooling=MaxPooling((2, 4, 4), 2)),
            Projection("pooled", "classes", second),
        ),
        (Readout("classes"),),
        name="maps",
    )


def make_various() -> Network:
    """Return a network with recurrence, delays, coupling, two inputs, and synapses one to one."""
    draws = np.random.Generator(np.random.PCG64(5))
    neuron = Lif(threshold=5, decay=Decay.shift(3), width=8)
    return Network(
        (Input("left", 8), Input("right", 4, low=0, high=3)),
        (
            Population("hidden", 8, neuron, coupling=WinnerTakeAll(2)),
            Population("classes", 4, neuron),
        ),
        (
            Projection("left", "hidden", draws.integers(-3, 4, (8, 8)), bits=4),
            Projection("right", "hidden", draws.integers(-3, 4, (8, 4)), bits=4, delay=2),
            Projection("hidden", "hidden", OneToOne(np.full(8, -2)), bits=4, delay=1),
            Projection("hidden", "classes", draws.integers(-3, 4, (4, 8)), bits=4, delay=1),
        ),
        (Readout("classes", "count"),),
        name="various",
    )
