"""The base class of synaptic dynamics."""

from dataclasses import dataclass
from typing import Any

from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic
from spiker_hdl.model.neurons.base import Component

__all__ = ["Dynamics"]


@dataclass(frozen=True)
class Dynamics(Component):
    """How the weighted events that reach a neuron become its input current, in integers.

    It is linear, so that one state for each neuron, of the sum over all its synapses, stands for a
    state of each synapse. A subclass is a frozen dataclass whose fields are declared as those of a
    :class:`~spiker_hdl.model.Neuron`, and has one :meth:`step`.
    """

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        """Advance one time step.

        Parameters
        ----------
        p : namespace
            Parameters, by name.
        s : namespace
            States before the step, by name.
        x : operand
            Sum of the weighted events that arrive in this step.
        via : Arithmetic
            Operations on such operands.

        Returns
        -------
        current : operand
            Input current of the neuron in this step.
        after : dict
            States after the step, by name.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(p, s, x, via)")
