"""Homeostasis: thresholds that follow the activity of each neuron from sample to sample."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic
from spiker_hdl.model.neurons.base import Component

__all__ = ["Homeostasis", "check_homeostasis"]


@dataclass(frozen=True)
class Homeostasis(Component):
    r"""Adaptation of the threshold of each neuron at the end of a sample.

    .. math::

        \theta_j \leftarrow \operatorname{clamp}(\theta_j + r \, n_j - f, \,
        \text{low}, \, \text{high})

    :math:`\theta_j`
        threshold of neuron :math:`j`
    :math:`n_j`
        number of its spikes in the sample
    :math:`r, f`
        ``rise`` and ``fall``

    Where no threshold is at its bound, each neuron comes to fire ``fall / rise`` times in a sample
    on average, so that all neurons of a winner-take-all population take part.

    References
    ----------
    P. U. Diehl, M. Cook, "Unsupervised learning of digit recognition using spike-timing-dependent
    plasticity", Frontiers in Computational Neuroscience 9 (2015), 99: adaptive thresholds, whose
    decay is there exponential, and not linear.

    Parameters
    ----------
    rise, fall : int
        Increment for each spike, and decrement for each sample, at least 0.
    low, high : int
        Range of the thresholds, which the neuron must be able to have.
    """

    rise: int
    fall: int
    low: int
    high: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("Homeostasis rise", self.rise, 0, 2**24)
        check_int("Homeostasis fall", self.fall, 0, 2**24)
        check_int("Homeostasis low", self.low, -(2**31), 2**31 - 2)
        check_int("Homeostasis high", self.high, self.low + 1, 2**31 - 1)

    def update(self, threshold: Any, spikes: Any, via: Arithmetic = INTEGERS) -> Any:
        """Return the thresholds after a sample.

        Parameters
        ----------
        threshold : operand
        spikes : operand
            Number of spikes of the neuron in the sample.
        via : Arithmetic
        """
        return via.clamp(threshold + spikes * self.rise - self.fall, self.low, self.high)


def check_homeostasis(what: str, homeostasis: Homeostasis, neuron: Any) -> None:
    """Check that the neurons of a population can have all thresholds of a homeostasis.

    Raises
    ------
    ValueError
        If they do not fire, or a threshold is out of range.
    """
    if not neuron.spiking or "threshold" not in neuron.parameters:
        raise ValueError(
            f"{what}: homeostasis must be of neurons that fire at a threshold, not "
            f"{type(neuron).__name__}"
        )
    low, high = neuron.replaceable["threshold"]
    if homeostasis.low < low or homeostasis.high > high:
        raise ValueError(
            f"{what}: thresholds of a homeostasis must be in {low}..{high}, which the neuron can "
            f"reach, not {homeostasis.low}..{homeostasis.high}"
        )
    own = np.asarray(neuron.parameters["threshold"].value)
    if own.min() < homeostasis.low or own.max() > homeostasis.high:
        raise ValueError(
            f"{what}: thresholds must be in {homeostasis.low}..{homeostasis.high} of the "
            f"homeostasis, not {own.min()}..{own.max()}"
        )
