"""Random networks in seconds, with delays, cycles and dynamics, which tests of time share."""

import numpy as np
import torch

from spiker_hdl.model import CurrentLif, Input, Integrator, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    Layer,
    SecondOrder,
    SpikingNetwork,
    Tau,
)


def timed_network(seed=0, *, dynamics=True, refractory=True):
    """Return a network whose times are all in seconds, in float64."""
    random = np.random.default_rng(seed)

    def tau(low=2e-3, high=30e-3):
        return Tau(random.uniform(low, high))

    wait = {"refractory": Duration([1e-3, 2e-3, 0.0, 3e-3])} if refractory else {}
    kinds = [FirstOrder(tau()), SecondOrder(Tau(1e-3), tau(), normalised=True), None]
    if not dynamics:
        kinds = [None] * 3
    net = SpikingNetwork(
        [Input("in", 5)],
        [
            Layer("a", 4, Cell(Lif, threshold=0.4, decay=tau(), **wait)),
            Layer("b", 3, Cell(CurrentLif, threshold=0.4, decay=tau(), current_decay=tau())),
            Layer("out", 2, Cell(Integrator, decay=tau()), bias=[0.01, -0.02]),
        ],
        [
            Connection("in", "a", dynamics=kinds[0], delay=Duration(2e-3)),
            Connection("a", "b", dynamics=kinds[1]),
            Connection("b", "a", delay=Duration(3e-3), dynamics=kinds[2]),
            Connection("a", "a", delay=2, kind="one_to_one"),
            Connection("in", "out", delay=1),
            Connection("b", "out"),
        ],
        [Readout("out", "last"), Readout("a", "count")],
        seed=seed,
    ).double()
    with torch.no_grad():
        for connection in net.connections:
            connection.weights.mul_(2)
    return net


def recordable(net):
    """Return the names of all that can be recorded of a network in floating point."""
    names = [f"{layer.name}.current" for layer in net.layers]
    names += [f"{layer.name}.{state}" for layer in net.layers for state in layer.cell.states]
    for connection in net.connections:
        names.append(f"{connection.name}.current")
        kind = connection.dynamics
        names += [f"{connection.name}.{state}" for state in (kind.states if kind else ())]
    return names


def random_spikes(samples=4, steps=24, size=5, share=0.4, seed=0):
    """Return random spikes as float64."""
    random = np.random.default_rng(seed)
    return torch.from_numpy((random.random((samples, steps, size)) < share) * 1.0)
