"""Coupling within a layer: what its neurons do to each other in a step."""

from dataclasses import dataclass
from typing import Any

import torch

from spiker_hdl import model
from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.frozen import set_fields

from .time import Duration, whole_steps

__all__ = ["CoupledRun", "WinnerTakeAll", "as_coupling"]

MAX_STEPS = 2**16 - 1


@dataclass(frozen=True)
class WinnerTakeAll:
    """At most one neuron of a layer fires in a step, and inhibits all others for some time.

    In a step in which the layer is not inhibited, of all neurons that would fire the one with the
    lowest index fires: the winner. The others are reset as if they had fired, without a spike. From
    the end of that step on, all neurons but the winner are inhibited: the weighted events that
    reach them, and their bias, are discarded, and a spike of theirs resets them but is not emitted.
    Synaptic currents that flow already go on. The winner may fire during the inhibition, which does
    not prolong it.

    In the backward pass a spike has the gradient of its neuron's surrogate where it is emitted, or
    would be if the neuron fired: where the neuron is not inhibited and no neuron with a lower index
    fires. Elsewhere it has none. What one neuron does to the spikes of another has no gradient.

    Parameters
    ----------
    inhibition : int or Duration
        Number of steps of inhibition after a spike, 0 to 65535, or time. A step is inhibited if it
        begins before the time is over. With 0, at most one neuron fires in each step.

    Raises
    ------
    TypeError
        If ``inhibition`` is neither an integer nor one Duration.
    ValueError
        If it is out of range.
    """

    inhibition: int | Duration

    def __post_init__(self) -> None:
        if not isinstance(self.inhibition, Duration):
            steps = check_int("Steps of inhibition", self.inhibition, 0, MAX_STEPS)
            set_fields(self, inhibition=steps)
        elif self.inhibition.draw or not isinstance(self.inhibition.picoseconds, int):
            raise TypeError(f"Inhibition must be one Duration, not {shown(self.inhibition)}")

    @property
    def has_seconds(self) -> bool:
        """Whether the inhibition is in seconds, so that runs need the length of their steps."""
        return isinstance(self.inhibition, Duration)

    def in_steps(self, what: str, step: int | None, nearest: bool) -> model.WinnerTakeAll:
        """Return the coupling in integers, for steps of a length.

        Parameters
        ----------
        what : str
            Name of the inhibition in messages.
        step : int or None
            Length of a step in picoseconds, which an inhibition in seconds needs.
        nearest : bool
            Whether a time that is no whole number of steps is rounded to the nearest.

        Raises
        ------
        ValueError
            If the inhibition is no whole number of steps and is not to be rounded, or takes more
            steps than hardware counts.
        """
        steps: Any = self.inhibition
        if isinstance(steps, Duration):
            assert step is not None
            steps = whole_steps(what, steps, step, nearest)
        if steps > MAX_STEPS:
            raise ValueError(f"{what} must be at most {MAX_STEPS} steps, not {steps}")
        return model.WinnerTakeAll(steps)


def as_coupling(what: str, coupling: Any) -> WinnerTakeAll | None:
    """Return the coupling of a layer, also from that of a population, or None.

    Raises
    ------
    TypeError
        If it is no coupling.
    """
    if isinstance(coupling, model.WinnerTakeAll):
        return WinnerTakeAll(coupling.steps)
    if coupling is not None and not isinstance(coupling, WinnerTakeAll):
        raise TypeError(f"{what} must be a WinnerTakeAll, not {shown(coupling)}")
    return coupling


class CoupledRun:
    """The coupling of a layer in a run.

    Parameters
    ----------
    coupling : WinnerTakeAll
    shape : (int, int)
        Numbers of samples and of neurons.
    device : torch.device
    before : mapping of str to tensor, optional
        State that a run before ended with; without inhibition where none is given.
    """

    def __init__(
        self,
        coupling: WinnerTakeAll,
        shape: tuple[int, int],
        device: Any,
        before: Any = None,
    ):
        self.timed = coupling.has_seconds
        inhibition = coupling.inhibition
        # Whole picoseconds or steps: exact in this format.
        self.length = inhibition.picoseconds if isinstance(inhibition, Duration) else inhibition
        if before is None:
            self.winner = torch.zeros(shape, dtype=torch.bool, device=device)
            self.left = torch.zeros(shape[0], 1, dtype=torch.int64, device=device)
        else:
            self.winner, self.left = before["winner"].to(device), before["left"].to(device)
        # The equations are those of integers.
        self.equations = model.WinnerTakeAll(0)

    @property
    def states(self) -> dict[str, torch.Tensor]:
        """State after the last step."""
        return {"winner": self.winner, "left": self.left}

    def inhibited(self) -> torch.Tensor:
        """Tell which neurons are inhibited in the next step, of shape (samples, neurons)."""
        return self.equations.inhibited(self.winner, self.left)

    def emit(
        self, fired: torch.Tensor, inhibited: torch.Tensor, length: int | None
    ) -> torch.Tensor:
        """Return the spikes that are emitted in a step, with gradients, and advance the state.

        Parameters
        ----------
        fired : tensor, shape (samples, neurons)
            1 for neurons that would fire by themselves, else 0.
        inhibited : tensor of bool
            Result of :meth:`inhibited` before the step.
        length : int or None
            Length of the step in picoseconds.
        """
        emitted, self.winner, left = self.equations.emit(
            fired.detach() > 0.5,
            self.winner,
            self.left,
            steps=self.length,
            time_step=length if self.timed else 1,
        )
        self.left = left.clamp_min(0)
        beneath = emitted.cumsum(-1) - emitted.long()  # neurons with a lower index that fire
        may = ~inhibited & (beneath == 0)
        return torch.where(may, fired, torch.zeros_like(fired))
