"""When a sample is answered: at its end, in windows, or by an early exit."""

from dataclasses import dataclass

import numpy as np

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.frozen import set_fields

from .graph import SPIKE_READOUTS
from .network import Network

__all__ = ["MARGIN_BITS", "AnswerPolicy"]

MARGIN_BITS = 31
"""Bits of a margin."""


@dataclass(frozen=True)
class AnswerPolicy:
    """When a sample is answered.

    Without ``window`` and ``early``, a sample is answered after its last step.

    Parameters
    ----------
    window : int, optional
        Steps from one answer to the next, for a continuous signal. After each answer the states are
        kept, and the scores start anew.
    early : "exact" or int, optional
        Early exit. With ``"exact"``, a sample ends after the first step in which the winner of the
        first readout can no longer change; the class is the same as at the end. With an integer, it
        ends after the first step in which the winner leads by at least that margin; the class may
        differ.

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
        """Whether samples may be answered before their last step."""
        return self.window is not None or self.early is not None

    def check(self, network: Network) -> None:
        """Raise :exc:`ValueError` unless the policy suits the readout of ``network``."""
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
                # All neurons of another class may still spike in all remaining steps.
                share = network.population[network.readout.population].size // classes
                gain = np.arange(steps)[::-1, None] * share
                need = gain + (np.arange(classes) < leader[..., None])
            known = (~others | (best[..., None] >= scores + need)).all(axis=2)
        known[:, -1] = True
        return known.argmax(axis=1)
