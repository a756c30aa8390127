"""The loss: cross entropy of the scores, and a penalty on spikes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from spiker_train.network.run import Outcome

__all__ = ["classification_loss", "spikes_per_sample"]


def classification_loss(outcome: Outcome, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the mean cross entropy of the first readout's scores.

    Parameters
    ----------
    outcome : Outcome
    labels : tensor of int64, shape (samples,)
    temperature : float
        Divisor of the scores, in floating-point units.
    """
    return nn.functional.cross_entropy(outcome.logits / temperature, labels)


def spikes_per_sample(outcome: Outcome, layers: Sequence[str]) -> Any:
    """Return the mean number of spikes of some layers per sample, with its gradient."""
    return sum((outcome.spikes[name].sum((1, 2)).mean() for name in layers), start=0.0)
