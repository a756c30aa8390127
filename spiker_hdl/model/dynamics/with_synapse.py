"""A neuron whose input passes through synaptic dynamics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic
from spiker_hdl.model.neurons.base import Neuron, Parameter, State
from spiker_hdl.model.neurons.library import NEURONS

from .base import Dynamics

__all__ = ["MODELS", "WithSynapse"]


@dataclass(frozen=True)
class WithSynapse(Neuron):
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
        Neuron of any model.
    synapse : Dynamics
        Dynamics of all its synapses.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If the neuron has a field whose name is that of a field of the synapse.
    """

    neuron: Neuron = field(kw_only=True)
    synapse: Dynamics = field(kw_only=True)

    def __post_init__(self) -> None:
        check_kind("Neuron of a synapse", self.neuron, Neuron)
        check_kind("Synapse of a neuron", self.synapse, Dynamics)
        if self.neuron.receptors > 1:
            raise ValueError(
                f"Neuron of a synapse must have one receptor, not {self.neuron.receptors}"
            )
        names = {*self.neuron.parameters, *self.neuron.states}
        for name in map(self._outer, (*self.synapse.parameters, *self.synapse.states)):
            if name in names:
                raise ValueError(
                    f"Fields of {type(self.neuron).__name__} must not be named {name!r}, as its "
                    "synapse's is"
                )
        super().__post_init__()

    @property
    def depth(self) -> int:
        """Number of synapses that the events pass through."""
        return 1 + self.neuron.depth if isinstance(self.neuron, WithSynapse) else 1

    def _outer(self, name: str) -> str:
        """Return the name by which a field of the synapse is known."""
        return f"synapse{self.depth if self.depth > 1 else ''}_{name}"

    @property
    def spiking(self) -> bool:  # type: ignore[override]
        """Whether neurons fire."""
        return self.neuron.spiking

    @property
    def event_range(self) -> tuple[int, int] | None:
        """Range of the value of an event; None if no events are emitted."""
        return self.neuron.event_range

    @property
    def potential(self) -> str:  # type: ignore[override]
        """The state that a readout of potentials compares."""
        return self.neuron.potential

    @property
    def threshold(self) -> Any:
        """Threshold of the neuron, or 0 where it has none."""
        return getattr(self.neuron, "threshold", 0)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters by name, decays as their numerators."""
        own = {self._outer(name): value for name, value in self.synapse.parameters.items()}
        return {**self.neuron.parameters, **own}

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        own = {self._outer(name): ends for name, ends in self.synapse.replaceable.items()}
        return self.neuron.replaceable | own

    @cached_property
    def states(self) -> Mapping[str, State]:
        """States by name."""
        own = {self._outer(name): value for name, value in self.synapse.states.items()}
        return {**self.neuron.states, **own}

    @property
    def own_names(self) -> dict[str, str]:
        """Names that fields of the synapse have in it, by the names that they have here."""
        names = (*self.synapse.parameters, *self.synapse.states)
        return {self._outer(name): name for name in names}

    def with_values(self, values: Mapping[str, Any]) -> Any:
        names = self.own_names
        own = {names[name]: value for name, value in values.items() if name in names}
        others = {name: value for name, value in values.items() if name not in names}
        return replace(
            self,
            neuron=self.neuron.with_values(others),
            synapse=self.synapse.with_values(own),
        )

    def bind(self, operands: Mapping[str, Any]) -> SimpleNamespace:
        """Return the parameters of a step: those of ``neuron`` and ``synapse``, each by itself."""
        return SimpleNamespace(
            neuron=self.neuron.bind({name: operands[name] for name in self.neuron.parameters}),
            synapse=self.synapse.bind({
                name: operands[self._outer(name)] for name in self.synapse.parameters
            }),
        )

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        before = {name: getattr(s, self._outer(name)) for name in self.synapse.states}
        current, own = self.synapse.step(p.synapse, SimpleNamespace(**before), current, via)
        before = {name: getattr(s, name) for name in self.neuron.states}
        fired, after = self.neuron.step(p.neuron, SimpleNamespace(**before), current, via)
        return fired, after | {self._outer(name): value for name, value in own.items()}


MODELS: dict[str, type[Neuron]] = {**NEURONS, WithSynapse.__name__: WithSynapse}
"""All models of neurons that come with the library, by name."""
