"""A neuron with several receptors, each with synaptic dynamics of its own."""

from dataclasses import dataclass, field, replace
from typing import Any

from spiker_hdl.base.checks import check_kind, shown
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic
from spiker_hdl.model.neurons.base import MAX_RECEPTORS, Neuron

from .base import Dynamics
from .wrapped import Wrapped

__all__ = ["WithSynapses"]


@dataclass(frozen=True)
class WithSynapses(Wrapped):
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
        for receptor, synapse in self.dynamics.items():
            check_kind(f"Synapse of receptor {receptor}", synapse, Dynamics)
        self.check_names()
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
    def dynamics(self) -> dict[int, Dynamics]:
        """The dynamics of the receptors that are not plain."""
        return {k: synapse for k, synapse in enumerate(self.synapses) if synapse is not None}

    def outer(self, place: int, name: str) -> str:
        return f"receptor{place}_{name}"

    def rewrapped(self, neuron: Neuron, dynamics: dict[int, Dynamics]) -> Any:
        synapses = tuple(dynamics.get(k) for k in range(self.receptors))
        return replace(self, neuron=neuron, synapses=synapses)

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        total, own = None, {}
        for receptor, value in enumerate(current):
            if receptor in self.dynamics:
                value, after = self.current(receptor, p, s, value, via)
                own |= after
            total = value if total is None else total + value
        fired, after = self.inner_step(p, s, total, via)
        return fired, after | own
