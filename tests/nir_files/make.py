"""Make the NIR files beside this, by the programs that write them, and what these answer.

It needs an environment of its own: ``pip install -r requirements.txt``, then ``python make.py``.
The answers are those of the models before they were written: of every neuron layer by the name of
its node, after each step.
"""

import json
import warnings
from pathlib import Path

import nir
import norse.torch as norse
import numpy as np
import rockpool.nn.modules as rockpool
import sinabs.activation as activation
import sinabs.layers as sinabs
import torch
from rockpool.nn.combinators import Sequential as Chain
from rockpool.nn.modules.torch.nir import to_nir as rockpool_to_nir
from sinabs.nir import to_nir as sinabs_to_nir
from torch import nn

SAMPLES, STEPS, CHANNELS, HIDDEN, OUT = 4, 40, 8, 6, 4
HERE = Path(__file__).parent


def drawn(low, high, size):
    """Draw a number per neuron."""
    return low + (high - low) * torch.rand(size)


def linear(outputs, inputs, gain, bias=True):
    """Make a matrix that lets neurons fire."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight.copy_(gain * (0.3 + torch.randn(outputs, inputs)))
    return layer


def quarters(outputs, inputs):
    """Make a matrix whose sums meet a threshold of 1 exactly."""
    layer = nn.Linear(inputs, outputs, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-2, 4, (outputs, inputs)) / 4)
    return layer


# -- Norse ---------------------------------------------------------------------------------------


def by_norse():
    """Yield names, models, inputs and the step of a model, by Norse."""
    membrane = {"tau_mem_inv": drawn(40, 250, HIDDEN), "v_leak": drawn(-0.2, 0.2, HIDDEN)}
    firing = {"v_th": drawn(0.3, 0.7, HIDDEN), "v_reset": torch.zeros(HIDDEN)}
    box = norse.LIFBoxParameters(**membrane, **firing)
    out = norse.LIBoxParameters(tau_mem_inv=drawn(40, 250, OUT), v_leak=drawn(-0.2, 0.2, OUT))
    yield (
        "norse_lif_box",
        norse.SequentialState(
            linear(HIDDEN, CHANNELS, 1.5),
            norse.LIFBoxCell(box),
            linear(OUT, HIDDEN, 1.0, False),
            norse.LIBoxCell(out),
        ),
    )
    synapse = {"tau_syn_inv": drawn(100, 400, HIDDEN)}
    lif = norse.LIFParameters(**membrane, **firing, **synapse)
    yield "norse_lif", norse.SequentialState(
        linear(HIDDEN, CHANNELS, 0.6),
        norse.LIFCell(lif),
        linear(OUT, HIDDEN, 1.0),
        norse.LIFBoxCell(norse.LIFBoxParameters(
            tau_mem_inv=drawn(40, 250, OUT), v_leak=torch.zeros(OUT), v_th=drawn(0.2, 0.4, OUT),
            v_reset=torch.zeros(OUT),
        )),
    )  # fmt: skip
    iaf = norse.IAFParameters(v_th=drawn(0.5, 1.5, HIDDEN), v_reset=torch.zeros(HIDDEN))
    whole = norse.IAFParameters(v_th=torch.ones(HIDDEN), v_reset=torch.zeros(HIDDEN))
    yield "norse_ties", norse.SequentialState(quarters(HIDDEN, CHANNELS), norse.IAFCell(whole))
    yield "norse_iaf", norse.SequentialState(linear(HIDDEN, CHANNELS, 0.5), norse.IAFCell(iaf))


def answers_of_norse(model, x):
    """Run a model step by step; return what each neuron layer puts out."""
    states, results = {}, {}
    for step in x.unbind(1):
        for name, part in model.named_children():
            if isinstance(part, nn.Linear):
                step = part(step)
                continue
            step, states[name] = part(step, states.get(name))
            results.setdefault(name, []).append(step)
    return {name: torch.stack(array, 1) for name, array in results.items()}


# -- sinabs --------------------------------------------------------------------------------------


def by_sinabs():
    """Yield names and models of sinabs, each with the shape of a step's input."""
    single = {"spike_fn": activation.SingleSpike, "batch_size": 1}
    yield "sinabs_lif", nn.Sequential(
        linear(HIDDEN, CHANNELS, 4.0),
        sinabs.LIFSqueeze(tau_mem=drawn(5, 20, HIDDEN), spike_threshold=drawn(0.5, 1.5, HIDDEN),
                          norm_input=True, **single),
        linear(OUT, HIDDEN, 2.0),
        sinabs.ExpLeakSqueeze(tau_mem=drawn(5, 20, OUT), norm_input=True, batch_size=1),
    ), (CHANNELS,)  # fmt: skip
    exact = sinabs.IAFSqueeze(spike_threshold=torch.ones(HIDDEN), **single)
    yield "sinabs_ties", nn.Sequential(quarters(HIDDEN, CHANNELS), exact), (CHANNELS,)
    conv = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(0.4 * (0.3 + torch.randn(3, 2, 3, 3)))
    yield (
        "sinabs_conv",
        nn.Sequential(
            conv,
            sinabs.IAFSqueeze(spike_threshold=torch.tensor(1.0), **single),
            sinabs.SumPool2d(2),
            nn.Flatten(),
            linear(OUT, 12, 0.12, False),
            sinabs.IAFSqueeze(spike_threshold=torch.tensor(1.5), **single),
        ),
        (2, 4, 4),
    )


def answers_of_sinabs(model, x):
    """Run samples one by one, over all steps at once; return what each neuron layer puts out."""
    results = {}
    for step in x:
        for name, part in model.named_children():
            if isinstance(part, sinabs.StatefulLayer):
                part.reset_states()
            step = part(step)
            if isinstance(part, sinabs.StatefulLayer):
                results.setdefault(name, []).append(step)
    return {name: torch.stack(array) for name, array in results.items()}


# -- Rockpool ------------------------------------------------------------------------------------


def by_rockpool():
    """Yield names and models of Rockpool."""
    steps = {"dt": 1e-3}

    def matrix(outputs, inputs, gain):
        weight = gain * (0.3 + torch.randn(inputs, outputs))
        return rockpool.LinearTorch((inputs, outputs), weight=weight, has_bias=False)

    def times(low, high, size):
        return drawn(low, high, size)

    yield "rockpool_lif", Chain(
        matrix(HIDDEN, CHANNELS, 0.12),
        rockpool.LIFTorch(HIDDEN, tau_mem=times(4e-3, 2e-2, HIDDEN),
                          tau_syn=times(2e-3, 1e-2, HIDDEN)[:, None],
                          threshold=drawn(0.8, 1.5, HIDDEN), max_spikes_per_dt=1.0, **steps),
        matrix(OUT, HIDDEN, 0.4),
        rockpool.ExpSynTorch(OUT, tau=times(5e-3, 2e-2, OUT), **steps),
    )  # fmt: skip
    yield "rockpool_neuron", Chain(
        matrix(HIDDEN, CHANNELS, 0.2),
        rockpool.LIFNeuronTorch(HIDDEN, tau_mem=times(4e-3, 2e-2, HIDDEN),
                                threshold=drawn(0.8, 1.5, HIDDEN), max_spikes_per_dt=1.0, **steps),
    )  # fmt: skip
    # The first input after a spike brings the potential from zero to the threshold.
    once = rockpool.LinearTorch((CHANNELS, HIDDEN), weight=torch.eye(CHANNELS, HIDDEN),
                                has_bias=False)  # fmt: skip
    yield "rockpool_ties", Chain(
        once,
        rockpool.LIFNeuronTorch(HIDDEN, tau_mem=times(4e-3, 2e-2, HIDDEN),
                                threshold=torch.ones(HIDDEN), max_spikes_per_dt=1.0, **steps),
    )  # fmt: skip


def answers_of_rockpool(model, x):
    """Run a model over all steps at once; return what each neuron layer puts out."""
    results = {}
    for name, part in model.modules().items():
        x, _, _ = part(x)
        if "Linear" not in type(part).__name__:
            results[name] = x
    return results


def save(name, graph, x, answers, document):
    """Write a graph, and note what its model answered."""
    for node in graph.nodes.values():  # NumPy's have a type that nir.write knows
        for key, value in vars(node).items():
            if isinstance(value, torch.Tensor):
                setattr(node, key, value.detach().numpy())
    nir.write(HERE / f"{name}.nir", graph, compression=None)
    kept = {}
    for node, values in answers.items():
        values = values.detach().reshape(SAMPLES, STEPS, -1).double()
        whole = bool((values == values.round()).all())
        share = values.mean().item()
        assert not whole or 0.02 < share < 0.7, (name, node, share)
        print(name, node, "spikes" if whole else "potentials", round(share, 3), sorted(graph.nodes))
        kept[node] = values.int().tolist() if whole else np.round(values.numpy(), 9).tolist()
    document[name] = {"events": x.reshape(SAMPLES, STEPS, -1).int().tolist(), "answers": kept}


def make():
    """Make all files."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    document = {}
    with torch.no_grad():
        x = (torch.rand(SAMPLES, STEPS, CHANNELS) < 0.3).float()
        for name, model in by_norse():
            graph = norse.to_nir(model, x[0, 0])
            save(name, graph, x, answers_of_norse(model, x), document)
        for name, model, shape in by_sinabs():
            x = (torch.rand(SAMPLES, STEPS, *shape) < 0.3).float()
            answers = answers_of_sinabs(model, x)
            graph = sinabs_to_nir(model, x[0, :1])
            graph.infer_types()  # shapes that sinabs leaves out, and nir.write needs
            save(name, graph, x, answers, document)
        x = (torch.rand(SAMPLES, STEPS, CHANNELS) < 0.3).float()
        for name, model in by_rockpool():
            answers = answers_of_rockpool(model, x)
            save(name, rockpool_to_nir(model), x, answers, document)
    (HERE / "answers.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    make()
