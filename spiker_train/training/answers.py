"""Answers of a network to batches whose samples may differ in their number of steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from spiker_hdl.model import Readout
from spiker_train.network.cell import IntegerCell
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.runs.run import Outcome

from .losses import Answers

__all__ = ["answer"]


def answer(
    net: SpikingNetwork,
    batch: dict[str, torch.Tensor],
    lengths: np.ndarray | None,
    integers: Quantization | None,
    potentials: bool = False,
    times: Mapping[str, Any] | None = None,
) -> Answers:
    """Run a batch, and return its answers, in which each sample has its own steps alone.

    Parameters
    ----------
    net : SpikingNetwork
    batch : dict of str to tensor, each of shape (samples, steps, size)
        Spikes by input, padded with 0 at their ends.
    lengths : array of int, shape (samples,), or None
        Steps of each sample; None where all have all.
    integers : Quantization, optional
    potentials : bool
        Whether to return the potentials of the first readout's population.
    times : mapping, optional
        The keywords ``dt``, ``plan`` and ``start`` of the run.
    """
    first = net.readouts[0]
    layer = net.layer[first.population]
    state = f"{first.population}.{layer.cell.potential}"
    read = {state} if potentials else set()
    if lengths is not None:
        read |= {
            f"{readout.population}.{net.layer[readout.population].cell.potential}"
            for readout in net.readouts
            if readout.kind not in {"count", "first"}
        }
    if potentials and layer.cell.potential not in layer.cell.states:
        raise ValueError(
            f"Loss of potentials must have neurons with a state {layer.cell.potential!r}, "
            f"not {layer.cell.kind.__name__}"
        )
    outcome = net(batch, integers, sorted(read), **(times or {}))
    samples, steps = next(iter(batch.values())).shape[:2]
    device = outcome.logits.device
    if lengths is None:
        mask = torch.ones(samples, steps, dtype=torch.bool, device=device)
    else:
        ends = torch.as_tensor(lengths, device=device)
        mask = torch.arange(steps, device=device) < ends[:, None]
        outcome = _own(net, outcome, mask, integers)
    # Outputs of layers that do not fire are no spikes, and may be negative.
    firing = {n: train for n, train in outcome.spikes.items() if net.layer[n].cell.spiking}
    outcome = replace(outcome, spikes=firing)
    scale = _scale(net, integers)
    return Answers(
        outcome,
        outcome.spikes.get(first.population),
        outcome.states[state] * scale if potentials else None,
        mask,
    )


def _own(
    net: SpikingNetwork, outcome: Outcome, mask: torch.Tensor, integers: Quantization | None
) -> Outcome:
    """Return the outcome as of each sample alone: what is after its last step is not read."""
    spikes = {name: train * mask[..., None] for name, train in outcome.spikes.items()}
    answers = {}
    for readout in net.readouts:
        name = readout.population
        state = outcome.states.get(f"{name}.{net.layer[name].cell.potential}")
        scores = _score(readout, spikes.get(name), state, mask)
        if readout.groups is not None:
            scores = scores.unflatten(1, (readout.groups, -1)).sum(2)
        answers[readout.name] = scores
    first = net.readouts[0]
    scores = answers[first.name]
    spiking = first.kind in {"count", "first"}
    logits = scores if spiking else scores * _scale(net, integers)
    return replace(outcome, scores=scores, logits=logits, answers=answers, spikes=spikes)


def _score(readout: Readout, spikes: Any, potential: Any, mask: torch.Tensor) -> torch.Tensor:
    own = mask[..., None]
    if readout.kind == "count":
        return spikes.sum(1)
    if readout.kind == "first":
        return ((1 - (1 - spikes).cumprod(1)) * own).sum(1)
    if readout.kind == "last":
        last = mask.sum(1) - 1
        return potential[torch.arange(len(mask), device=mask.device), last]
    if readout.kind == "largest":
        return potential.masked_fill(~own, -torch.inf).amax(1)
    return (potential.double() * own).sum(1)


def _scale(net: SpikingNetwork, integers: Quantization | None) -> Any:
    """Return the size of a unit of the first readout's potentials in floating point."""
    layer = net.layer[net.readouts[0].population]
    if integers is not None:
        return integers.scale(layer)
    return layer.cell.scale if isinstance(layer.cell, IntegerCell) else 1.0
