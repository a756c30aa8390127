"""From real numbers to the integers that ship, with an account of what changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from spiker_hdl.model import Decay, Network, Population, Projection, reference

from .cell import Cell
from .network import Connection, Layer, SpikingNetwork
from .quantization import Quantization
from .rounding import rounded

__all__ = ["Change", "Report", "quantize", "quantize_with_report"]

SATURATED = 0.01
ACTIVE = 0.6


@dataclass(frozen=True)
class Change:
    """What became of a real parameter.

    Members
    -------
    where : str
        Name of the layer or connection.
    what : str
        Field, such as ``"threshold"``, ``"decay"`` or ``"weights"``.
    wished : float
        Real value; of the neuron with the greatest error where there is one per neuron; of weights,
        their root mean square.
    integer : str
        What ships.
    became : float
        What that is in real units; of weights, the root mean square of the difference.
    error : float
        Greatest difference, in units of the wished value; of weights, relative root mean square.
    errors : tuple of float
        That of each neuron, where there is a value for each of them.
    """

    where: str
    what: str
    wished: float
    integer: str
    became: float
    error: float
    errors: tuple[float, ...] = ()


@dataclass
class Report:
    """An account of a quantisation.

    Members
    -------
    scales : dict of str to float
        By layer, what an integer of 1 is in real units.
    changes : list of Change
    warnings : list of str
        Layers that saturate or go silent on the calibration data, by name.
    activity : dict of str to float
        By layer, spikes per neuron and step on the calibration data.
    """

    scales: dict[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    activity: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{'where':<20} {'what':<12} {'wished':>10} {'became':>10} {'error':>8}  integer"]
        lines += [
            f"{one.where:<20} {one.what:<12} {one.wished:>10.5g} {one.became:>10.5g} "
            f"{one.error:>8.2%}  {one.integer}"
            for one in self.changes
        ]
        return "\n".join(lines + [f"warning: {one}" for one in self.warnings])

    def to_json(self) -> dict[str, Any]:
        """Return the account as what JSON can hold."""
        return asdict(self)


def quantize(
    net: SpikingNetwork,
    weights: Any = 4,
    potentials: Any = 8,
    decay: str = "shift",
    **options: Any,
) -> Network:
    """Turn a network of real numbers into one of integers.

    Parameters
    ----------
    net : SpikingNetwork
    weights, potentials, decay
        As for :class:`~.quantization.Quantization`; ``weights`` may be such, and then says all.
    **options
        Further fields of :class:`~.quantization.Quantization`, and ``longest``, ``name``,
        ``notes`` and ``calibration``, as for :func:`quantize_with_report`.

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        If a parameter does not fit, with the name of its layer.
    """
    return quantize_with_report(net, weights, potentials, decay, **options)[0]


def quantize_with_report(
    net: SpikingNetwork,
    weights: Any = 4,
    potentials: Any = 8,
    decay: str = "shift",
    *,
    longest: int = 256,
    name: str | None = None,
    notes: Mapping[str, str] | None = None,
    calibration: Any = None,
    **options: Any,
) -> tuple[Network, Report]:
    """Turn a network of real numbers into one of integers, and say what changed.

    Parameters
    ----------
    net : SpikingNetwork
    weights, potentials, decay
        As for :func:`quantize`.
    longest : int
        Most time steps of a sample.
    name : str, optional
        That of ``net`` where none is given.
    notes : mapping of str to str, optional
        Notes of the network.
    calibration : array of int or mapping, optional
        Spikes on which saturation and silence are looked for.
    **options
        Further fields of :class:`~.quantization.Quantization`.

    Returns
    -------
    Network
    Report
    """
    if isinstance(weights, Quantization):
        if options or potentials != 8 or decay != "shift":
            raise TypeError("Quantization must be given alone, or field by field, not both")
        wished = weights
    else:
        wished = Quantization(weights, potentials, decay, **options)
    chosen = wished.fit(net)
    report = Report(scales=dict(chosen.scales))
    populations = tuple(_population(one, chosen, report) for one in net.layers)
    projections = tuple(_projection(net, one, chosen, report) for one in net.connections)
    network = Network(
        inputs=net.inputs,
        populations=populations,
        projections=projections,
        readouts=net.readouts,
        longest=longest,
        name=net.name if name is None else name,
        notes=notes or {},
    )
    if calibration is not None:
        _calibrate(network, calibration, report)
    return network, report


def _population(layer: Layer, chosen: Quantization, report: Report) -> Population:
    scale = chosen.scale(layer)
    neuron = chosen.neuron(layer)
    bias: Any = 0
    if layer.bias is not None:
        found = rounded(layer.bias.detach(), scale, -(2**31), 2**31 - 1).cpu().double().numpy()
        bias = tuple(int(one) for one in found)
        report.changes.append(
            _change(layer.name, "bias", layer.bias.detach().cpu().double().numpy(), found, scale)
        )
    if isinstance(layer.cell, Cell):
        for one in fields(layer.cell.kind):
            value = getattr(neuron, one.name)
            if isinstance(value, Decay):
                real = layer.cell.real(one.name)
                became = np.asarray(value.factor, dtype=float)
                report.changes.append(_worst(layer.name, one.name, real, became, repr(value)))
            elif one.metadata.get("scales") and value is not None:
                real = layer.cell.real(one.name)
                integer = np.asarray(value, dtype=float)
                if np.any(real) or np.any(integer):
                    report.changes.append(_change(layer.name, one.name, real, integer, scale))
    return Population(layer.name, layer.shape, neuron, bias)


def _projection(
    net: SpikingNetwork, one: Connection, chosen: Quantization, report: Report
) -> Projection:
    scale = chosen.scale(net.layer[one.target])
    low, high = chosen.range(one)
    synapses = one.synapses(scale, low, high)
    bits = chosen.bits(one)
    real = one.masked().detach().cpu().double().numpy()
    integer = synapses.values if one.kind == "one_to_one" else synapses.matrix()
    size = float(np.sqrt(np.mean(real**2)))
    off = float(np.sqrt(np.mean((integer * scale - real) ** 2)))
    label = "ternary" if bits == "ternary" else f"{bits} bits"
    report.changes.append(
        Change(
            one.name, "weights", size, f"{label}, 1 = {scale:.5g}", off, off / size if size else 0
        )
    )
    width = bits if isinstance(bits, int) else 2
    return Projection(one.source, one.target, synapses, one.delay, width, one.name)


def _change(where: str, what: str, real: np.ndarray, integer: np.ndarray, scale: float) -> Change:
    shown = (
        f"{int(integer)}" if integer.ndim == 0 else f"{int(integer.min())}..{int(integer.max())}"
    )
    return _worst(where, what, real, integer * scale, shown)


def _worst(where: str, what: str, real: np.ndarray, became: np.ndarray, shown: str) -> Change:
    real, became = np.broadcast_arrays(np.atleast_1d(real), np.atleast_1d(became))
    off = np.abs(became - real)
    errors = off / np.where(off > 0, np.maximum(np.abs(real), 1e-300), 1.0)
    at = int(off.argmax())
    each = tuple(errors.tolist()) if len(errors) > 1 else ()
    return Change(where, what, float(real[at]), shown, float(became[at]), float(errors[at]), each)


def _calibrate(network: Network, spikes: Any, report: Report) -> None:
    potentials = {
        one.name: one.neuron.potential
        for one in network.populations
        if one.neuron.potential in one.neuron.states
    }
    spiking = [one.name for one in network.populations if one.neuron.spiking]
    record = [*spiking, *(f"{name}.{state}" for name, state in potentials.items())]
    found = reference.run(network, spikes, record=record)

    def whole(name: str) -> np.ndarray:
        value = found.spikes[name]
        return value if isinstance(value, np.ndarray) else np.concatenate(value)

    for name, state in potentials.items():
        declared = network.population[name].neuron.states[state]
        values = whole(f"{name}.{state}")
        # A spiking neuron held down at its least potential is silent, as it would be without end.
        full = values == declared.high
        if name not in spiking:
            full |= values == declared.low
        share = float(np.mean(full))
        if share > SATURATED:
            report.warnings.append(
                f"potentials of {name!r} are at the end of their range in {share:.1%} of steps: "
                "give them more bits, or train in integers"
            )
    for name in spiking:
        train = whole(name)
        report.activity[name] = float(train.mean())
        silent = int((train.reshape(-1, train.shape[-1]).sum(0) == 0).sum())
        if silent == train.shape[-1]:
            report.warnings.append(f"{name!r} never fires")
        elif report.activity[name] > ACTIVE:
            report.warnings.append(f"{name!r} fires in {report.activity[name]:.0%} of steps")
