"""The time steps and the initial states with which a training, or a check, runs its batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spiker_train.network.integers.quantization import Quantization, with_step
from spiker_train.network.runs.state import NetworkState, check_state
from spiker_train.network.time import lengths_of_plan, make_steps

__all__ = ["AT_REST", "RunTimes"]


@dataclass(frozen=True)
class RunTimes:
    """The time steps of samples, and the states from which they start.

    Members
    -------
    dt : float or None
        Length of every step in seconds.
    plan : sequence of (float, int), or None
        In place of ``dt``, lengths in seconds, each with the number of steps that have it. A sample
        that is shorter than the plan has the first of its steps.
    start : NetworkState or None
        State of each sample before its first step, or one from which all samples start; None for
        the state at rest.
    """

    dt: float | None = None
    plan: Sequence[tuple[float, int]] | None = None
    start: NetworkState | None = None

    def quantization(self, integers: Quantization | None) -> Quantization | None:
        """Return a quantization with these steps, None in floating point.

        Raises
        ------
        ValueError
            If there is a plan, or the steps are not those of the quantization.
        """
        if integers is None:
            return None
        return with_step(integers, self.dt, self.plan)

    def check(self, what: str, samples: int, steps: int | None) -> None:
        """Check that samples can run in these steps and from these states.

        Parameters
        ----------
        what : str
            Name of the samples in messages.
        samples : int
        steps : int or None
            Steps of the longest sample; None where samples are made for each batch.

        Raises
        ------
        TypeError
            If the plan has a wrong form, or the start is no :class:`~.NetworkState`.
        ValueError
            If the plan has another number of steps, or the start another number of samples.
        """
        if self.plan is not None and steps is None:
            steps = len(lengths_of_plan(self.plan))
        make_steps(self.dt, self.plan, 1 if steps is None else steps)
        if self.start is None:
            return
        check_state(self.start)
        if self.start.samples not in {1, samples}:
            raise ValueError(
                f"Start must be of one sample, or of as many as the {what}, {samples}, not "
                f"{self.start.samples}"
            )

    def take(self, members: np.ndarray) -> "RunTimes":
        """Return the same for some of the samples, by their numbers."""
        return RunTimes(self.dt, self.plan, self._start(members))

    def of_batch(self, members: Any, steps: int) -> dict[str, Any]:
        """Return the keywords of the run of a batch.

        Parameters
        ----------
        members : array of int
            Numbers of the samples.
        steps : int
            Steps of the batch, which are those of its longest sample.
        """
        plan = self.plan
        if plan is not None:
            plan, left = [], steps
            for length, count in self.plan or ():
                if left:
                    plan.append((length, min(count, left)))
                    left -= plan[-1][1]
        start = self._start(np.asarray(members))
        if start is not None and start.samples != len(members):
            start = start.map(lambda value: value.expand(len(members), *value.shape[1:]))
        return {"dt": self.dt, "plan": plan, "start": start}

    def _start(self, members: np.ndarray) -> NetworkState | None:
        # A state may have a gradient of the run that it is after, which is none of this one.
        if self.start is None or self.start.samples == 1:
            return None if self.start is None else self.start.detach()
        return self.start.detach().select(torch.as_tensor(members))

    @property
    def given(self) -> bool:
        """Whether any of them is given."""
        return self.dt is not None or self.plan is not None or self.start is not None


AT_REST = RunTimes()
"""Runs from rest, in the steps that the network or its quantization has."""
