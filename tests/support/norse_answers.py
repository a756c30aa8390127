"""Make ``norse_answers.json`` anew: what Norse answers, for :mod:`test_outside`.

It needs norse 1.1.0 and torch, in an environment of their own: ``python norse_answers.py``.
"""

import json
from pathlib import Path

import torch
from norse.torch.functional import iaf, leaky_integrator_box, lif, lif_box, lsnn

SAMPLES, STEPS, CHANNELS, SIZE, DT = 6, 40, 8, 6, 1e-3


def drawn(low, high):
    """Draw one value per neuron, short enough to be read."""
    return torch.round(low + (high - low) * torch.rand(SIZE), decimals=4).double()


def cells():
    """Return for each cell its parameters, its first state and its step."""
    membrane = {"tau_mem_inv": drawn(40, 250), "v_leak": drawn(-0.2, 0.2)}
    synapse = {"tau_syn_inv": drawn(100, 400)}
    firing = {"v_th": drawn(0.3, 0.7), "v_reset": drawn(-0.2, 0.1)}
    none = torch.zeros(SAMPLES, SIZE, dtype=torch.float64)
    recurrent = torch.round(torch.randn(SIZE, SIZE), decimals=4).double()

    def fixed(step, kind, parameters):
        instance = kind(**parameters)
        return lambda current, state: step(current, state, instance, DT)

    p = membrane | synapse | firing
    yield (
        "lif_feed_forward",
        p,
        {},
        lif.LIFFeedForwardState(v=none, i=none),
        fixed(lif.lif_feed_forward_step, lif.LIFParameters, p),
    )
    settings = lif.LIFParameters(**p)
    once = torch.eye(SIZE, dtype=torch.float64)
    yield (
        "lif_recurrent",
        p,
        {"recurrent": recurrent},
        lif.LIFState(none, none, none),
        (lambda current, state: lif.lif_step(current, state, once, recurrent, settings, DT)),
    )
    p = membrane | firing
    yield (
        "lif_box",
        p,
        {},
        lif_box.LIFBoxFeedForwardState(v=none),
        fixed(lif_box.lif_box_feed_forward_step, lif_box.LIFBoxParameters, p),
    )
    yield (
        "iaf",
        firing,
        {},
        iaf.IAFFeedForwardState(v=none),
        fixed(iaf.iaf_feed_forward_step, iaf.IAFParameters, firing),
    )
    yield (
        "li_box",
        membrane,
        {},
        leaky_integrator_box.LIBoxState(v=none),
        fixed(
            leaky_integrator_box.li_box_feed_forward_step,
            leaky_integrator_box.LIBoxParameters,
            membrane,
        ),
    )
    # A synapse that forgets at once: the input of a step is the current of the next.
    p = (
        membrane
        | firing
        | {
            "tau_syn_inv": torch.full((SIZE,), 1 / DT, dtype=torch.float64),
            "tau_adapt_inv": drawn(20, 100),
            "beta": drawn(0.1, 0.4),
            "v_reset": torch.zeros(SIZE, dtype=torch.float64),
            "v_leak": torch.zeros(SIZE, dtype=torch.float64),
        }
    )
    state = lsnn.LSNNFeedForwardState(v=none, i=none, b=p["v_th"].expand(SAMPLES, SIZE))
    yield "lsnn", p, {}, state, fixed(lsnn.lsnn_feed_forward_step, lsnn.LSNNParameters, p)


def make(path):
    """Run each cell on the same spikes and write all down."""
    torch.manual_seed(0)
    events = (torch.rand(SAMPLES, STEPS, CHANNELS) < 0.3).double()
    weights = torch.round(0.3 + 3 * torch.randn(SIZE, CHANNELS), decimals=4).double()
    document = {"dt": DT, "events": events.int().tolist(), "cells": {}}
    for name, parameters, more, state, step in cells():
        gain = 0.1 if name == "iaf" else 1.0
        spikes, potentials = [], []
        for current in (events @ (gain * weights).T).unbind(1):
            fired, state = step(current, state)
            spikes.append(fired)
            potentials.append(state.v)
        document["cells"][name] = {
            "parameters": {key: value.tolist() for key, value in parameters.items()},
            "weights": (gain * weights).tolist(),
            "recurrent": more["recurrent"].tolist() if more else None,
            "spikes": None if name == "li_box" else torch.stack(spikes, 1).int().tolist(),
            "potentials": torch.round(torch.stack(potentials, 1), decimals=10).tolist(),
        }
    path.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    make(Path(__file__).with_name("norse_answers.json"))
