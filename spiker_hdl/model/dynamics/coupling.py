"""Coupling within a population: what the neurons of a population do to each other in a step."""

from dataclasses import dataclass
from typing import Any

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.frozen import set_fields

__all__ = ["WinnerTakeAll"]


@dataclass(frozen=True)
class WinnerTakeAll:
    """At most one neuron of a population fires, and inhibits all others for some steps.

    In a step in which the population is not inhibited, of all neurons that would fire the one with
    the lowest index fires: the winner. The others are reset as if they had fired, but their spikes
    are not emitted. In the next ``steps`` steps all neurons but the winner are inhibited: their
    input, bias included, is discarded, and a spike of theirs is not emitted, though it resets them.
    The winner may fire in these steps, which does not prolong them. A sample starts without
    inhibition.

    Parameters
    ----------
    steps : int
        Number of steps of inhibition after a spike, 0 to 65535. With 0, at most one neuron fires in
        each step.

    Raises
    ------
    TypeError
        If ``steps`` is no integer.
    ValueError
        If it is out of range.
    """

    steps: int

    def __post_init__(self) -> None:
        set_fields(self, steps=check_int("Steps of inhibition", self.steps, 0, 2**16 - 1))

    # The operands are arrays of any library, of shape (samples, neurons), and ``left`` (samples,
    # 1). They are combined by operators that all of them have.

    def inhibited(self, winner: Any, left: Any) -> Any:
        """Tell which neurons are inhibited in a step.

        Parameters
        ----------
        winner : array of bool, shape (samples, neurons)
            Which neuron fired last while there was no inhibition.
        left : array, shape (samples, 1)
            Remaining steps of inhibition.
        """
        return (left > 0) & ~winner

    def emit(
        self, fired: Any, winner: Any, left: Any, *, steps: Any = None, time_step: Any = 1
    ) -> tuple[Any, Any, Any]:
        """Tell which neurons emit a spike in a step.

        Parameters
        ----------
        fired : array of bool, shape (samples, neurons)
            Which neurons would fire by themselves.
        winner, left : array
            As for :meth:`inhibited`, before the step.
        steps, time_step : number
            Length of the inhibition, and of the present step; ``steps`` and 1 unless given.

        Returns
        -------
        emitted : array of bool, shape (samples, neurons)
        winner, left : array
            After the step.
        """
        candidates = fired & ~self.inhibited(winner, left)
        before = candidates.cumsum(-1)
        emitted = candidates & (before == 1)
        free = left <= 0
        won = before[..., -1:] > 0
        winner = (free & emitted) | (~free & winner)
        left = (free & won) * (self.steps if steps is None else steps) + ~free * (left - time_step)
        return emitted, winner, left
