r"""The voltage-dependent rule.

In the equations, :math:`x_i` and :math:`y_j` are traces of source :math:`i` and target :math:`j`
after their decay and before the events of the present step, :math:`s_i` and :math:`s_j` are 1 where
there is an event in this step, and :math:`w_{ji}` is the weight from :math:`i` to :math:`j`.
Changes are in units of :math:`2^{-\text{shift}}`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_int
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic, Decay
from spiker_hdl.model.neurons.base import parameter

from .base import Rule, Trace, trace_range

__all__ = ["Voltage"]

_FACTOR = (-128, 127)
"""Range of potentials and thresholds, in units of ``2**potential_shift``."""


@dataclass(frozen=True)
class Voltage(Rule):
    r"""Voltage-dependent STDP of Clopath et al., in which potentials take the place of spikes.

    .. math::

        \Delta w_{ji} = [u_j - \theta_+]_+ \, [\bar{u}^+_j - \theta_-]_+ \, x_i
        - s_i \, [\bar{u}^-_j - \theta_-]_+

    :math:`u_j`
        potential of the target after the step; a neuron that fires has ``spike_potential``. It and
        both averages are taken in units of :math:`2^\text{potential_shift}`
    :math:`\bar{u}^\pm_j`
        averages of the potential,
        :math:`\bar{u} \leftarrow \bar{u} + \lfloor 2^{-k_\pm} (u - \bar{u}) \rfloor`, with
        ``plus_shift`` and ``minus_shift``, before the present step
    :math:`\theta_+, \theta_-`
        ``threshold_plus`` and ``threshold_minus``
    :math:`x_i`
        trace of the source, with the jump ``potentiation``

    The factor of depression is 1, to which ``potentiation`` is relative. The distances above the
    thresholds saturate to ``distance_bits`` bits, so that products are few shifted sums in
    hardware.

    References
    ----------
    C. Clopath, L. Büsing, E. Vasilaki, W. Gerstner, "Connectivity reflects coding: a model of
    voltage-based STDP with homeostasis", Nature Neuroscience 13 (2010), 344-352.

    Parameters
    ----------
    pre_decay : Decay
    potentiation : int
    threshold_plus, threshold_minus, spike_potential : int
        In units of ``2**potential_shift``, -128 to 127.
    plus_shift, minus_shift : int
        Shifts of the averages, 1 to 16: their time constants are about ``2**shift`` steps.
    potential_shift : int
    average_bits : int
        Bits of an average, with sign, of which all but 8 are fractional.
    trace_bits, distance_bits : int
    """

    visits: ClassVar[Any] = ("on_pre", "while_alive")
    reads_potential: ClassVar[bool] = True
    traces: ClassVar[tuple[Trace, ...]] = (
        Trace("x", "pre", "trace_bits", "potentiation", "pre_decay"),
        Trace("plus", "post", "average_bits", signed=True),
        Trace("minus", "post", "average_bits", signed=True),
    )

    pre_decay: Decay = field(kw_only=True)
    potentiation: int = parameter(trace_range)
    threshold_plus: int = parameter(_FACTOR)
    threshold_minus: int = parameter(_FACTOR)
    spike_potential: int = parameter(_FACTOR)
    plus_shift: int = field(default=3, kw_only=True)
    minus_shift: int = field(default=3, kw_only=True)
    potential_shift: int = field(default=0, kw_only=True)
    average_bits: int = field(default=12, kw_only=True)
    trace_bits: int = field(default=8, kw_only=True)
    distance_bits: int = field(default=4, kw_only=True)

    def check_settings(self) -> None:
        super().check_settings()
        for name in ("plus_shift", "minus_shift"):
            check_int(f"Voltage {name.replace('_', ' ')}", getattr(self, name), 1, 16)
        check_int("Voltage potential shift", self.potential_shift, 0, 31)
        check_int("Bits of a distance", self.distance_bits, 1, 8)
        check_int("Bits of an average", self.average_bits, 8, 24)

    def _potential(self, p: Any, post: Any, via: Arithmetic) -> Any:
        u = via.saturate(via.shift(post.potential, self.potential_shift), *_FACTOR)
        return via.select(post.event, p.spike_potential, u)

    def _above(self, value: Any, threshold: Any, via: Arithmetic) -> Any:
        return via.clamp(value - threshold, 0, 2**self.distance_bits - 1)

    def post_step(self, p: Any, post: Any, via: Arithmetic = INTEGERS) -> dict[str, Any]:
        u = self._potential(p, post, via)
        after = {}
        # Averages have fractional bits, so that they come near to a constant potential.
        for name, shift in (("plus", self.plus_shift), ("minus", self.minus_shift)):
            average = getattr(post, name)
            scaled = u * 2 ** (self.average_bits - 8)
            low, high = self.range_of(self.of_side("post")[0])
            after[name] = via.saturate(average + via.shift(scaled - average, shift), low, high)
        return after

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        fraction = self.average_bits - 8
        plus = self._above(via.shift(post.plus, fraction), p.threshold_minus, via)
        minus = self._above(via.shift(post.minus, fraction), p.threshold_minus, via)
        now = self._above(self._potential(p, post, via), p.threshold_plus, via)
        return now * plus * pre.x - via.select(pre.event, minus, 0)
