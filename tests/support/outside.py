"""Our networks beside those of other systems: how many spikes differ, and how near they were."""

from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["BESIDE", "Count", "Layered", "count", "own"]

BESIDE = 1e-5


@dataclass
class Layered:
    """What both systems did with a layer, each array of shape (samples, steps, size).

    Members
    -------
    spikes, potentials : array
        Of the system outside; potentials after the step.
    own_spikes, own_potentials : array
    threshold : float or array
    snntorch_immediate : bool
        Whether potentials above the threshold before a step must pass twice the threshold in it.
    """

    spikes: np.ndarray
    potentials: np.ndarray
    own_spikes: np.ndarray
    own_potentials: np.ndarray
    threshold: np.ndarray
    snntorch_immediate: bool = False

    def off(self, n, step):
        """Return how far from the threshold each neuron of sample ``n`` was when it was tested."""
        # A reset has moved the potential of the one that fired; the other's is what was tested.
        at = (n, step)
        tested = np.where(self.spikes[at] > 0, self.own_potentials[at], self.potentials[at])
        off = np.abs(tested - self.threshold)
        if self.snntorch_immediate:
            off = np.minimum(off, np.abs(tested - 2 * self.threshold))
        if self.snntorch_immediate and step:
            off = np.minimum(off, np.abs(self.potentials[n, step - 1] - self.threshold))
        return off


@dataclass
class Count:
    """How far two systems agree.

    Members
    -------
    slots : int
        Neurons times steps that were compared.
    activity : float
        Share of them with a spike.
    samples, different : int
        Samples, and those with a difference.
    furthest : float
        Greatest distance from the threshold of a neuron that is the first to differ.
    """

    slots: int
    activity: float
    samples: int
    different: int
    furthest: float

    def __str__(self) -> str:
        shown = f", first within {self.furthest:.1e} of the threshold" if self.different else ""
        return (
            f"{self.slots} slots, {self.activity:.1%} with a spike, "
            f"{self.different} of {self.samples} samples differ{shown}"
        )


def count(layers):
    """Compare spikes of all layers, in the order in which they act."""
    samples, steps = layers[0].spikes.shape[:2]
    unequal = [compared.spikes != compared.own_spikes for compared in layers]
    distances = []
    for n in range(samples):
        by_step = np.array([differs[n].any(1) for differs in unequal])
        if not by_step.any():
            continue
        step = int(by_step.any(0).argmax())
        layer = int(by_step[:, step].argmax())
        distances.append(float(layers[layer].off(n, step)[unequal[layer][n, step]].max()))
    fired = sum(float(compared.spikes.sum()) for compared in layers)
    slots = samples * steps * sum(compared.spikes.shape[2] for compared in layers)
    return Count(slots, fired / slots, samples, len(distances), max(distances, default=0.0))


def own(net, x, layers):
    """Run our network on real numbers, and return spikes and potentials by layer."""
    with torch.no_grad():
        outcome = net(x, record=[f"{name}.v" for name in layers])
    return {
        name: (outcome.spikes[name].numpy(), outcome.states[f"{name}.v"].numpy()) for name in layers
    }
