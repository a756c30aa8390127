"""What the studies know of a data set: a network, its training and its test samples."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spiker_train import SpikingNetwork

__all__ = ["Stratum", "Task"]


@dataclass
class Stratum:
    """Test samples that stand for a number of samples each.

    Members
    -------
    spikes : array of uint8, shape (samples, steps, channels)
    labels : array of int64, shape (samples,)
    weight : float
        Number of samples of the whole test part for which a sample stands.
    """

    spikes: np.ndarray
    labels: np.ndarray
    weight: float = 1.0


@dataclass
class Task:
    """A network with training, validation and test samples.

    Members
    -------
    net : SpikingNetwork
    spikes, labels : array
        To train with.
    validation : (spikes, labels)
        Choose the best epoch of a training, and nothing else.
    test : list of Stratum
        For the curves.
    whole : list of Stratum
        For the recall of each class, with a few kinds of devices.
    epochs, retraining : int
        Epochs of a training, and of training a chip again.
    rate : float
        Learning rate.
    classes : tuple of str
    balanced : bool
        Whether the score of the curves is the mean of the classes' recall, not the accuracy.
    split : str
        Which samples are in which part.
    """

    net: SpikingNetwork
    spikes: np.ndarray
    labels: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    test: list[Stratum]
    whole: list[Stratum]
    epochs: int
    retraining: int
    rate: float
    classes: tuple[str, ...]
    balanced: bool
    split: str
    settings: dict[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[str, list[int]]:
        """Return the number of samples of each class in each part."""
        parts = {
            "training": [self.labels],
            "validation": [self.validation[1]],
            "test": [stratum.labels for stratum in self.test],
            "whole test": [stratum.labels for stratum in self.whole],
        }
        return {
            name: np.bincount(np.concatenate(labels), minlength=len(self.classes)).tolist()
            for name, labels in parts.items()
        }
