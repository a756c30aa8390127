"""When a sample is answered: at its end, every few steps, or as soon as the answer is known."""

from dataclasses import dataclass

import numpy as np

from spiker_hdl.base.checks import check_int, set_fields, shown

from .graph import SPIKE_READOUTS
from .network import Network

__all__ = ["MARGIN_BITS", "AnswerPolicy"]

MARGIN_BITS = 31
"""Bits of a margin."""


@dataclass(frozen=True)
class AnswerPolicy:
    """When a sample is answered.

    Parameters
    ----------
    window : int, optional
        Steps from one answer to the next: an unbroken signal, in which states go on and scores
        start anew.
    early : "exact" or int, optional
        Stop the sample after the first step in which the first readout's leader can no longer be
        overtaken (``"exact"``), which never changes the class; or leads by that much, which may.

    Raises
    ------
    TypeError
        If ``window`` is no integer, or ``early`` neither that nor a string.
    ValueError
        If one is out of range, or both are given.
    """

    window: int | None = None
    early: str | int | None = None

    def __post_init__(self) -> None:
        if self.window is not None:
            set_fields(self, window=check_int("Window", self.window, 1, 2**16 - 1))
        if isinstance(self.early, str):
            if self.early != "exact":
                raise ValueError(f"Early must be 'exact' or a margin, not {shown(self.early)}")
            set_fields(self, early="exact")
        elif self.early is not None:
            margin = check_int("Early margin", self.early, 1, 2**MARGIN_BITS - 1)
            set_fields(self, early=margin)
        if self.window is not None and self.early is not None:
            raise ValueError("A run must have a window or an early answer, not both")

    @property
    def stepwise(self) -> bool:
        """Whether there may be answers before the last step."""
        return self.window is not None or self.early is not None

    def check(self, network: Network) -> None:
        """Raise :exc:`ValueError` unless ``network`` can be answered so."""
        kind = network.readout.kind
        if self.early == "exact" and kind not in SPIKE_READOUTS:
            raise ValueError(
                "An early answer must be by a margin where the readout compares potentials, which "
                f"have no bound to come: {kind!r} is never exact"
            )

    def stops(self, network: Network, scores: np.ndarray) -> np.ndarray:
        """Return the step after which each sample is answered early.

        Parameters
        ----------
        network : Network
        scores : array of int, shape (samples, steps, classes)
            Scores of the first readout after each step.

        Returns
        -------
        array of int, shape (samples,)
        """
        _, steps, classes = scores.shape
        best, leader = scores.max(axis=2), scores.argmax(axis=2)
        if self.early == "exact" and network.readout.kind == "first":
            known = best > 0
        else:
            others = np.arange(classes) != leader[..., None]
            need: np.ndarray = np.full((steps, 1), self.early)
            if self.early == "exact":
                share = network.population[network.readout.population].size // classes
                gain = np.arange(steps)[::-1, None] * share  # all neurons in all steps to come
                need = gain + (np.arange(classes) < leader[..., None])
            known = (~others | (best[..., None] >= scores + need)).all(axis=2)
        known[:, -1] = True
        return known.argmax(axis=1)
