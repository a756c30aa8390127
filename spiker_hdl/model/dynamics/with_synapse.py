"""A neuron whose input passes through synaptic dynamics."""

from dataclasses import dataclass, field, replace
from typing import Any

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic
from spiker_hdl.model.neurons.base import Neuron

from .base import Dynamics
from .wrapped import Wrapped

__all__ = ["WithSynapse"]


@dataclass(frozen=True)
class WithSynapse(Wrapped):
    """A neuron whose input current is what its synapses make of the weighted events.

    The sum of the weighted events of a step, and the bias, is the input of ``synapse``, and the
    current that comes of it is the input of ``neuron`` in the same step. As a whole it is a neuron
    like any other: its states, and its parameters, are those of both.

    They have the names that they have in ``neuron``, and those of ``synapse`` begin with
    ``synapse_``, such as ``synapse_i``. The neuron may itself be one with a synapse: then the
    events pass through the outer one first, whose names begin with ``synapse2_``, and so on.

    Parameters
    ----------
    neuron : Neuron
        Neuron of any model with one receptor.
    synapse : Dynamics
        Dynamics of all its synapses.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If the neuron has several receptors, or a field whose name is that of a field of the
        synapse.
    """

    synapse: Dynamics = field(kw_only=True)

    def __post_init__(self) -> None:
        check_kind("Neuron of a synapse", self.neuron, Neuron)
        check_kind("Synapse of a neuron", self.synapse, Dynamics)
        if self.neuron.receptors > 1:
            raise ValueError(
                f"Neuron of a synapse must have one receptor, not {self.neuron.receptors}"
            )
        self.check_names()
        super().__post_init__()

    @property
    def depth(self) -> int:
        """Number of synapses that the events pass through."""
        return 1 + self.neuron.depth if isinstance(self.neuron, WithSynapse) else 1

    @property
    def dynamics(self) -> dict[int, Dynamics]:
        """The synapse, in place 0."""
        return {0: self.synapse}

    def outer(self, place: int, name: str) -> str:
        return f"synapse{self.depth if self.depth > 1 else ''}_{name}"

    def rewrapped(self, neuron: Neuron, dynamics: dict[int, Dynamics]) -> Any:
        return replace(self, neuron=neuron, synapse=dynamics[0])

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        current, own = self.current(0, p, s, current, via)
        fired, after = self.inner_step(p, s, current, via)
        return fired, after | own
