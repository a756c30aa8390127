"""What neurons behind dynamics of synapses have in common: the fields of both, by one name each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from spiker_hdl.model.neurons.arithmetic import Arithmetic
from spiker_hdl.model.neurons.base import Neuron, Parameter, State

from .base import Dynamics

__all__ = ["Wrapped"]


@dataclass(frozen=True)
class Wrapped(Neuron):
    """A neuron whose input passes through dynamics, one or several side by side.

    As a whole it is a neuron like any other: its states, and its parameters, are those of the
    neuron inside, under their own names, and those of the dynamics. A subclass has the dynamics as
    a field, and defines ``dynamics``, ``outer``, ``rewrapped`` and ``step``.

    Parameters
    ----------
    neuron : Neuron
        The neuron inside.
    """

    neuron: Neuron = field(kw_only=True)

    @property
    def dynamics(self) -> dict[int, Dynamics]:
        """The dynamics by their place: the number of the receptor, or 0."""
        raise NotImplementedError

    def outer(self, place: int, name: str) -> str:
        """Return the name by which a field of the dynamics in a place is known."""
        raise NotImplementedError

    def rewrapped(self, neuron: Neuron, dynamics: dict[int, Dynamics]) -> Any:
        """Return the same with another neuron inside, and other dynamics in the same places."""
        raise NotImplementedError

    def check_names(self) -> None:
        """Raise ValueError if a field of the dynamics is known by the name of one of the neuron."""
        for name in self.own_names:
            if name in self.neuron.parameters or name in self.neuron.states:
                raise ValueError(
                    f"Fields of {type(self.neuron).__name__} must not be named {name!r}, as its "
                    "synapse's is"
                )

    @property
    def own_names(self) -> dict[str, tuple[int, str]]:
        """Place and name in the dynamics of each of their fields, by the name that it has here."""
        return {
            self.outer(place, name): (place, name)
            for place, dynamics in self.dynamics.items()
            for name in (*dynamics.parameters, *dynamics.states)
        }

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
        return self._both("parameters")

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        return self._both("replaceable")

    @cached_property
    def states(self) -> Mapping[str, State]:
        """States by name."""
        return self._both("states")

    def _both(self, what: str) -> dict[str, Any]:
        return getattr(self.neuron, what) | {
            self.outer(place, name): value
            for place, dynamics in self.dynamics.items()
            for name, value in getattr(dynamics, what).items()
        }

    def with_values(self, values: Mapping[str, Any]) -> Any:
        own: dict[int, dict[str, Any]] = {place: {} for place in self.dynamics}
        others = {}
        for name, value in values.items():
            if name in self.own_names:
                place, inner = self.own_names[name]
                own[place][inner] = value
            else:
                others[name] = value
        dynamics = {place: kind.with_values(own[place]) for place, kind in self.dynamics.items()}
        return self.rewrapped(self.neuron.with_values(others), dynamics)

    def choose(self, indices: Any) -> Any:
        dynamics = {place: kind.choose(indices) for place, kind in self.dynamics.items()}
        return self.rewrapped(self.neuron.choose(indices), dynamics)

    def bind(self, operands: Mapping[str, Any]) -> SimpleNamespace:
        """Return the parameters of a step: those of ``neuron``, and of the dynamics by place."""
        return SimpleNamespace(
            neuron=self.neuron.bind({name: operands[name] for name in self.neuron.parameters}),
            dynamics={
                place: dynamics.bind({
                    name: operands[self.outer(place, name)] for name in dynamics.parameters
                })
                for place, dynamics in self.dynamics.items()
            },
        )

    def current(self, place: int, p: Any, s: Any, x: Any, via: Arithmetic) -> tuple[Any, dict]:
        """Return what the dynamics in a place make of their input, and their new states."""
        dynamics = self.dynamics[place]
        before = {name: getattr(s, self.outer(place, name)) for name in dynamics.states}
        current, after = dynamics.step(p.dynamics[place], SimpleNamespace(**before), x, via)
        return current, {self.outer(place, name): value for name, value in after.items()}

    def inner_step(self, p: Any, s: Any, current: Any, via: Arithmetic) -> tuple[Any, dict]:
        """Return what the neuron inside emits, and its new states."""
        before = {name: getattr(s, name) for name in self.neuron.states}
        return self.neuron.step(p.neuron, SimpleNamespace(**before), current, via)
