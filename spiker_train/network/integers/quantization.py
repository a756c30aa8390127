"""Settings of quantisation: bits of weights and potentials, forms of decays, and scales."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from spiker_hdl.base.checks import check_choice, check_int, shown
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model import Neuron, WinnerTakeAll
from spiker_train.network.cell import IntegerCell
from spiker_train.network.layers import check_finite
from spiker_train.network.rounding import check_bits, rounded, weight_range
from spiker_train.network.time import Duration, step_length, whole_steps

from .fusion import fuse
from .grids import shift_between

if TYPE_CHECKING:
    from spiker_train.network.network import Connection, Layer, SpikingNetwork

__all__ = ["Quantization", "clip", "with_step"]

FORMS = ("shift", "shifts", "multiplier")
FINEST = 12
"""Greatest number of bits by which the grid of potentials is finer than one of weights."""
CANDIDATES = tuple(2.0 ** (-n / 8) for n in range(41))
"""Scales that are tried, as shares of the one at which no weight is clipped."""
POWERS = 25
"""Number of powers of two that a parameter can become that must be one."""


@dataclass(frozen=True)
class Quantization:
    """The settings by which a floating-point network is turned into integers.

    Parameters
    ----------
    weights : int or "ternary", or mapping of str to such
        Bits of a weight, 2 to 16, or ``"ternary"`` for -1, 0 and 1; by name of the connection, or
        of its target.
    potentials : int, or mapping of str to int
        Bits of potentials, and of all widths that a cell does not set; by name of the layer.
    decay : {"shift", "shifts", "multiplier"}
        Form in hardware of decays that are given by a factor: one shift, a sum of at most
        ``decay_terms`` shifts, or a multiplier of ``decay_bits`` bits.
    decay_terms, decay_bits : int
        Limits of the forms ``"shifts"`` and ``"multiplier"``.
    decay_error : float, optional
        Greatest allowed difference between the factor of a decay in floating point and in hardware.
        With ``"shifts"``, the smallest number of terms that comes this near is taken.
    scales : mapping of str to float
        By name of the layer, the floating-point value of the integer 1. :meth:`fit` finds those
        that are not given.
    shifts : int or mapping of str to int, optional
        Bits, 0 to 24, by which potentials, thresholds and biases have a finer grid than weights:
        see :class:`~spiker_hdl.model.Projection`; by name of the connection, or of its target.
        Those that are not given are 0, except where all weights of a connection are integers times
        one number (the ``grid`` of a :class:`~.layers.Connection`): such weights are kept exactly,
        and the grid of the potentials is as fine as their bits allow.
    dt : float, optional
        Length of a time step in seconds, for a network that has times in seconds. In integers all
        steps have one length.
    rounding : {"exact", "nearest"}
        Whether a :class:`~.time.Duration` must be a whole number of steps, or is rounded to the
        nearest.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If one is out of range.
    """

    weights: Any = 4
    potentials: Any = 8
    decay: str = "shift"
    decay_terms: int = 2
    decay_bits: int = 8
    decay_error: float | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    shifts: Any = None
    dt: float | None = None
    rounding: str = "exact"

    def __post_init__(self) -> None:
        set_fields(
            self,
            weights=_named("Weight bits", self.weights, check_bits),
            potentials=_named("Potential bits", self.potentials, _check_width),
        )
        if self.decay not in FORMS:
            listed = ", ".join(repr(form) for form in FORMS)
            raise ValueError(f"Decay must be one of {listed}, not {shown(self.decay)}")
        set_fields(
            self,
            decay_terms=check_int("Decay terms", self.decay_terms, 1, 24),
            decay_bits=check_int("Decay bits", self.decay_bits, 0, 24),
        )
        greatest = self.decay_error
        if greatest is not None and not (
            isinstance(greatest, int | float) and 0 <= greatest < float("inf")
        ):
            raise ValueError(f"Decay error must be a number of at least 0, not {shown(greatest)}")
        if not isinstance(self.scales, Mapping):
            raise TypeError(f"Scales must be a mapping of layers, not {shown(self.scales)}")
        for name, scale in self.scales.items():
            if not (isinstance(scale, int | float) and 0 < scale < float("inf")):
                raise ValueError(
                    f"Scale of layer {name!r} must be a positive number, not {shown(scale)}"
                )

        set_fields(self, shifts=_named("Shift", self.shifts, _check_shift))
        check_choice("Rounding of durations", self.rounding, ("exact", "nearest"))
        if self.dt is not None:
            step_length(self.dt)

    @property
    def step(self) -> int | None:
        """Length of a time step in picoseconds, None without seconds."""
        return None if self.dt is None else step_length(self.dt)

    def delay(self, connection: "Connection") -> int:
        """Return the delay of a connection in steps.

        Raises
        ------
        ValueError
            If it is in seconds, and there is no ``dt`` or it is no whole number of steps.
        """
        delay = connection.delay
        if not isinstance(delay, Duration):
            return delay
        if not connection.late:
            return 0
        if self.step is None:
            raise ValueError(_needs_dt(f"Delay of {connection.name!r}"))
        what = f"Delay of {connection.name!r}"
        steps = whole_steps(what, delay, self.step, self.rounding == "nearest")
        assert isinstance(steps, int)
        return steps

    @property
    def form(self) -> dict[str, Any]:
        """Keywords of :meth:`Decay.fit <spiker_hdl.model.Decay.fit>`."""
        return {
            "form": self.decay,
            "terms": self.decay_terms,
            "bits": self.decay_bits,
            "error": self.decay_error,
        }

    def bits(self, connection: "Connection") -> int | str:
        """Return the bits of a connection's weights."""
        return _of(self.weights, "Weight bits", connection.name, connection.target)

    def range(self, connection: "Connection") -> tuple[int, int]:
        """Return the range of a connection's weights."""
        return weight_range(self.bits(connection))

    def width(self, layer: "Layer") -> int:
        """Return the bits of a layer's potentials."""
        return _of(self.potentials, "Potential bits", layer.name)

    def scale(self, layer: "Layer") -> float:
        """Return the scale of a layer."""
        if isinstance(layer.cell, IntegerCell):
            return layer.cell.scale
        return self.scales[layer.name]

    def shift(self, connection: "Connection") -> int:
        """Return the number of bits by which a connection's weights are shifted."""
        return self._shift(connection) or 0

    def weight_scale(self, layer: "Layer", connection: "Connection") -> float:
        """Return the floating-point value of the integer weight 1 of a connection to ``layer``."""
        return self.scale(layer) * 2 ** self.shift(connection)

    def _shift(self, connection: "Connection") -> int | None:
        if not isinstance(self.shifts, Mapping):
            return self.shifts
        return self.shifts.get(connection.name, self.shifts.get(connection.target))

    def neuron(self, layer: "Layer", scale: float | None = None) -> Neuron:
        """Return the integer neuron of a layer.

        Raises
        ------
        ValueError
            If a parameter does not fit at this scale.
        """
        scale = self.scale(layer) if scale is None else scale
        width = self.width(layer)
        try:
            neuron = layer.cell.neuron(
                scale, width, self.form, self.step, nearest=self.rounding == "nearest"
            )
            return fuse(layer, neuron, scale, width, self.form, self.step)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Layer {layer.name!r}: {error}") from None

    def coupling(self, layer: "Layer") -> WinnerTakeAll | None:
        """Return the coupling of a layer in integers, None without one.

        Raises
        ------
        ValueError
            If its inhibition is in seconds, and there is no ``dt`` or it is no whole number of
            steps.
        """
        if layer.coupling is None:
            return None
        what = f"Inhibition of layer {layer.name!r}"
        if layer.coupling.has_seconds and self.step is None:
            raise ValueError(_needs_dt(what))
        return layer.coupling.in_steps(what, self.step, self.rounding == "nearest")

    def fit(
        self, network: "SpikingNetwork", progress: Callable[[int], None] | None = None
    ) -> "Quantization":
        """Return the same settings with a scale for every layer, chosen for its weights.

        All connections that reach a layer share its scale, and so do its thresholds. Of the scales
        at which all parameters of the layer fit, the one with the smallest squared error of the
        weights is taken. Where all these connections have a grid, the scale keeps their integers.

        Parameters
        ----------
        network : SpikingNetwork
        progress : callable, optional
            Called with the number of weights that have just been looked at.

        Raises
        ------
        ValueError
            If a name is unknown, a weight or parameter is not finite, or no scale lets the
            parameters of a layer fit.
        """
        check_finite(network.layers, network.connections)
        self.check_names(network)
        if self.dt is None and network.dt is not None:
            return replace(self, dt=network.dt).fit(network, progress)
        if self.dt is None and network.has_seconds:
            raise ValueError(_needs_dt(f"Network {network.name!r}"))
        for connection in network.connections:
            self.delay(connection)
        for layer in network.layers:
            self.coupling(layer)
        scales, shifts = {}, {}
        for layer in network.layers:
            into = [
                connection for connection in network.connections if connection.target == layer.name
            ]
            scales[layer.name] = self._choose(layer, into, progress)
            shifts |= {
                connection.name: self._between(connection, scales[layer.name])
                for connection in into
            }
        fitted = replace(self, scales=scales, shifts=shifts)
        for layer in network.layers:
            fitted.neuron(layer)
        return fitted

    def check_names(self, network: "SpikingNetwork") -> None:
        """Raise :exc:`ValueError` if a setting is of a layer or connection that does not exist."""
        layers = {layer.name for layer in network.layers}
        links = {connection.name for connection in network.connections}
        _known("Weight bits", self.weights, layers | links)
        _known("Potential bits", self.potentials, layers)
        _known("Scales", self.scales, layers)
        _known("Shifts", self.shifts, layers | links)

    def _stored(self, connection: "Connection") -> torch.Tensor:
        """Return the weights that are rounded: those that exist, with the gain of dynamics."""
        return connection.stored(self.step, integers=True)

    def _given(self, layer: "Layer", into: list["Connection"]) -> float | None:
        """Return the scale that is set, or that keeps the grids of the weights, or None."""
        if layer.name in self.scales:
            return self.scales[layer.name]
        if isinstance(layer.cell, IntegerCell):
            return layer.cell.scale
        return self._kept(layer, into)

    def _kept(self, layer: "Layer", into: list["Connection"]) -> float | None:
        """Return the scale at which all weights that reach a layer keep their grids, or None."""
        grids = [
            connection.grid
            for connection in into
            if connection.grid is not None and self._shift(connection) is None
        ]
        if not grids or len(grids) < len(into) or not all(map(self.holds, into)):
            return None
        apart = [shift_between(grid, min(grids)) for grid in grids]
        if None in apart:
            return None
        # Potentials must have room for four times their typical value.
        room = 2.0 ** (self.width(layer) - 3)
        for finer in range(FINEST, -1, -1):
            scale = min(grids) / 2**finer
            if (layer.cell.unit <= room * scale or not finer) and self._fits(layer, scale):
                return scale
        return None

    def fits(self, network: "SpikingNetwork") -> bool:
        """Tell whether every layer has its scale, and every connection its shift."""
        shifts = self.shifts if isinstance(self.shifts, Mapping) else {}
        if self.dt is None and network.has_seconds:
            return False
        return {layer.name for layer in network.layers} <= set(self.scales) and {
            connection.name for connection in network.connections
        } <= set(shifts)

    def holds(self, connection: "Connection") -> bool:
        """Tell whether a connection has a grid, and its integers fit the bits of a weight."""
        if connection.grid is None:
            return False
        low, high = self.range(connection)
        numbers = (self._stored(connection).double() / connection.grid).round()
        return not bool(((numbers < low) | (numbers > high)).any())

    def _between(self, connection: "Connection", scale: float) -> int:
        """Return the shift that is set, or the one that keeps weights on their grid."""
        shift = self._shift(connection)
        if shift is None and connection.grid is not None and self.holds(connection):
            shift = shift_between(connection.grid, scale)
        return shift or 0

    def _choose(
        self,
        layer: "Layer",
        into: list["Connection"],
        progress: Callable[[int], None] | None,
    ) -> float:
        links = [
            (self._stored(connection), 2 ** self.shift(connection), *self.range(connection))
            for connection in into
        ]
        count = sum(weights.numel() for weights, *_ in links)
        fixed = self._given(layer, into)
        if fixed is not None:
            if progress is not None:
                progress(count)
            return fixed
        base = max(
            (
                float(weights.abs().max()) / high / times
                for weights, times, _, high in links
                if weights.numel()
            ),
            default=0.0,
        )
        if base == 0:
            base = layer.cell.unit / 2 ** (self.width(layer) - 2)
        pinned = self._pinned(layer)
        candidates = [base * share for share in CANDIDATES] if pinned is None else pinned
        errors = []
        for n, scale in enumerate(candidates):
            errors.append(
                sum(squared_error(weights, scale * times, *ends) for weights, times, *ends in links)
            )
            if progress is not None:  # the shares of all candidates sum to the number of weights
                progress(count * (n + 1) // len(candidates) - count * n // len(candidates))
        for _, scale in sorted(zip(errors, candidates, strict=True)):
            if self._fits(layer, scale):
                return scale
        for n in range(400 if pinned is None else 0):
            if self._fits(layer, base * 2.0 ** (n / 8)):
                return base * 2.0 ** (n / 8)
        self.neuron(layer, base if pinned is None else pinned[0])
        raise AssertionError  # the line above says why nothing fits

    def smallest_scale(self, layer: "Layer") -> float:
        """Return a scale of at most that of a layer, at which its parameters fit with a spare bit.

        It is about the smallest of them.
        """
        least = scale = self.scale(layer)
        for _ in range(len(CANDIDATES)):
            if not self._fits(layer, scale / 2):
                break
            least, scale = scale, scale * CANDIDATES[1]
        return least

    @staticmethod
    def _pinned(layer: "Layer") -> list[float] | None:
        """Return the scales at which a parameter becomes a power of two, None without such."""
        cell = layer.cell
        if isinstance(cell, IntegerCell) or not cell.powers_of_two:
            return None
        value = float(cell.value(cell.powers_of_two[0]))
        return [value / 2**n for n in range(POWERS)]

    def _fits(self, layer: "Layer", scale: float) -> bool:
        try:
            self.neuron(layer, scale)
        except ValueError:
            return False
        return True


def with_step(quantization: Quantization, dt: float | None, plan: Any = None) -> Quantization:
    """Return a quantization with the step of a run, which may have it already.

    Parameters
    ----------
    quantization : Quantization
    dt : float or None
        Length of a step in seconds.
    plan : optional
        Plan of the run, which must be None.

    Raises
    ------
    ValueError
        If there is a plan, or the quantization is for another step.
    """
    if plan is not None:
        raise ValueError(
            "Plan must be None in integers, in which all steps have one length: give dt"
        )
    if dt is None:
        return quantization
    if quantization.dt not in {None, dt}:
        raise ValueError(f"Step dt must be that of the integers, {quantization.dt}, not {dt}")
    return replace(quantization, dt=dt)


def _needs_dt(what: str) -> str:
    return f"{what} has times in seconds, and so a quantization must have dt, such as dt=1e-3"


def squared_error(weights: torch.Tensor, scale: float, low: int, high: int) -> float:
    """Return the sum of the squared errors of weights that are rounded at a scale."""
    off = rounded(weights, scale, low, high) * scale - weights
    return float(off.double().square().sum())


def _named(what: str, setting: Any, check: Callable[[str, Any], Any]) -> Any:
    if isinstance(setting, Mapping):
        return {name: check(f"{what} of {name!r}", value) for name, value in setting.items()}
    return check(what, setting)


def _check_width(what: str, bits: Any) -> int:
    width = check_int(what, bits)
    if not 2 <= width <= 32:
        raise ValueError(f"{what} must be in 2..32, not {shown(width)}")
    return width


def _check_shift(what: str, bits: Any) -> int | None:
    return None if bits is None else check_int(what, bits, 0, 24)


def _of(setting: Any, what: str, *names: str) -> Any:
    if not isinstance(setting, Mapping):
        return setting
    for name in names:
        if name in setting:
            return setting[name]
    raise ValueError(f"{what} must be given for {names[0]!r} as well, not as {shown(setting)}")


def _known(what: str, setting: Any, names: set[str]) -> None:
    if isinstance(setting, Mapping):
        for name in setting:
            if name not in names:
                raise ValueError(f"{what} must be for {', '.join(sorted(names))}, not {name!r}")


def clip(network: "SpikingNetwork", quantization: Quantization) -> None:
    """Clip the weights of a network to the range of the integers of a quantization."""
    with torch.no_grad():
        for connection in network.connections:
            scale = quantization.weight_scale(network.layer[connection.target], connection)
            low, high = quantization.range(connection)
            if connection.dynamics is None:
                connection.weights.clamp_(low * scale, high * scale)
                continue
            # It is the weights times their gain that have a range.
            gain = connection.gain(quantization.step, charge=True).detach()
            ends = low * scale / gain, high * scale / gain
            connection.weights.copy_(
                connection.weights.clamp(torch.minimum(*ends), torch.maximum(*ends))
            )
