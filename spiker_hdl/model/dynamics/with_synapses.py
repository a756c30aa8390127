"""A neuron with several receptors, each with synaptic dynamics of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from spiker_hdl.base.checks import check_kind, shown
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic
from spiker_hdl.model.neurons.base import MAX_RECEPTORS, Neuron, Parameter, State

from .base import Dynamics
from .with_synapse import MODELS

__all__ = ["WithSynapses"]


@dataclass(frozen=True)
class WithSynapses(Neuron):
    """A neuron with several receptors, whose currents are added.

    A projection names the receptor that its events reach. The sum of the weighted events of a step
    is the input of the dynamics of that receptor, and the sum of the currents of all receptors is
    the input of ``neuron`` in the same step. A plain receptor, without dynamics, passes its sum on
    as it is. The bias is added at the first plain receptor, or at the first receptor where none is
    plain.

    States and parameters of ``neuron`` keep their names. Names of those of the dynamics of receptor
    0 begin with ``receptor0_``, such as ``receptor0_i``, and so on.

    Parameters
    ----------
    neuron : Neuron
        Neuron of any model with one receptor.
    synapses : sequence of Dynamics or None
        Dynamics of each receptor, None for a plain one; 2 to 16.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If there are too few or too many receptors, or the neuron has several itself, or a field
        whose name is that of a field of a receptor.
    """

    neuron: Neuron = field(kw_only=True)
    synapses: tuple[Dynamics | None, ...] = field(kw_only=True)

    def __post_init__(self) -> None:
        check_kind("Neuron of several receptors", self.neuron, Neuron)
        if not isinstance(self.synapses, list | tuple):
            raise TypeError(f"Synapses must be a sequence of Dynamics, not {shown(self.synapses)}")
        if not 2 <= len(self.synapses) <= MAX_RECEPTORS:
            raise ValueError(
                f"Synapses must be those of 2 to {MAX_RECEPTORS} receptors, not "
                f"{len(self.synapses)}"
            )
        if self.neuron.receptors > 1:
            raise ValueError(
                f"Neuron of several receptors must have one receptor itself, not "
                f"{self.neuron.receptors}"
            )
        names = {*self.neuron.parameters, *self.neuron.states}
        for k, synapse in enumerate(self.synapses):
            if synapse is None:
                continue
            check_kind(f"Synapse of receptor {k}", synapse, Dynamics)
            for name in (*synapse.parameters, *synapse.states):
                if _outer(k, name) in names:
                    raise ValueError(
                        f"Fields of {type(self.neuron).__name__} must not be named "
                        f"{_outer(k, name)!r}, as one of a receptor is"
                    )
        super().__post_init__()

    @property
    def receptors(self) -> int:  # type: ignore[override]
        """Number of receptors."""
        return len(self.synapses)

    @property
    def bias_receptor(self) -> int:  # type: ignore[override]
        """Receptor at which the bias is added: the first plain one, or the first."""
        return self.synapses.index(None) if None in self.synapses else 0

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

    def _present(self) -> list[tuple[int, Dynamics]]:
        return [(k, synapse) for k, synapse in enumerate(self.synapses) if synapse is not None]

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters by name, decays as their numerators."""
        own = {
            _outer(k, name): value
            for k, synapse in self._present()
            for name, value in synapse.parameters.items()
        }
        return {**self.neuron.parameters, **own}

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        own = {
            _outer(k, name): ends
            for k, synapse in self._present()
            for name, ends in synapse.replaceable.items()
        }
        return self.neuron.replaceable | own

    @cached_property
    def states(self) -> Mapping[str, State]:
        """States by name."""
        own = {
            _outer(k, name): value
            for k, synapse in self._present()
            for name, value in synapse.states.items()
        }
        return {**self.neuron.states, **own}

    @property
    def own_names(self) -> dict[str, tuple[int, str]]:
        """Receptors and names in their dynamics of fields, by the names that they have here."""
        return {
            _outer(k, name): (k, name)
            for k, synapse in self._present()
            for name in (*synapse.parameters, *synapse.states)
        }

    def with_values(self, values: Mapping[str, Any]) -> Any:
        names = self.own_names
        own: dict[int, dict[str, Any]] = {}
        for name, value in values.items():
            if name in names:
                receptor, inner = names[name]
                own.setdefault(receptor, {})[inner] = value
        others = {name: value for name, value in values.items() if name not in names}
        synapses: list[Any] = list(self.synapses)
        for k, changes in own.items():
            synapses[k] = synapses[k].with_values(changes)
        return replace(self, neuron=self.neuron.with_values(others), synapses=tuple(synapses))

    def choose(self, indices: Any) -> Any:
        synapses = [None if s is None else s.choose(indices) for s in self.synapses]
        return replace(self, neuron=self.neuron.choose(indices), synapses=tuple(synapses))

    def bind(self, operands: Mapping[str, Any]) -> SimpleNamespace:
        """Return the parameters of a step: those of ``neuron`` and of each receptor by itself."""
        return SimpleNamespace(
            neuron=self.neuron.bind({name: operands[name] for name in self.neuron.parameters}),
            synapses={
                k: synapse.bind({name: operands[_outer(k, name)] for name in synapse.parameters})
                for k, synapse in self._present()
            },
        )

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        total, own = None, {}
        for k, synapse in enumerate(self.synapses):
            value = current[k]
            if synapse is not None:
                before = {name: getattr(s, _outer(k, name)) for name in synapse.states}
                value, after = synapse.step(p.synapses[k], SimpleNamespace(**before), value, via)
                own |= {_outer(k, name): state for name, state in after.items()}
            total = value if total is None else total + value
        before = {name: getattr(s, name) for name in self.neuron.states}
        fired, after = self.neuron.step(p.neuron, SimpleNamespace(**before), total, via)
        return fired, after | own


def _outer(receptor: int, name: str) -> str:
    """Return the name by which a field of the dynamics of a receptor is known."""
    return f"receptor{receptor}_{name}"


MODELS[WithSynapses.__name__] = WithSynapses
