"""From real numbers to the integers that ship, with an account of what changed."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from spiker_hdl.model import Decay, Network, Population, Projection, reference
from spiker_train.network.cell import Cell
from spiker_train.network.grids import NEAR
from spiker_train.network.network import Connection, Layer, SpikingNetwork, check_network
from spiker_train.network.plausibility import implausible_integers, lost_decays, warn_of
from spiker_train.network.quantization import Quantization
from spiker_train.network.rounding import rounded
from spiker_train.training.trainer import train

from .bit_widths import SIZES, end_shares, size_potentials

__all__ = ["Change", "Report", "count_weights", "quantize", "quantize_with_report"]

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
        What that is in real units; of weights, their root mean square.
    error : float
        Greatest difference, in units of the wished value; of weights, the root mean square of their
        differences, in units of that of the wished weights.
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
        By name, what can never fire or always does, weights, thresholds and decays that are lost,
        and layers that saturate or go silent on the calibration data.
    activity : dict of str to float
        By layer, spikes per neuron and step on the calibration data.
    widths : dict of str to int
        By layer, bits of its potentials.
    grids : dict of str to float
        By connection whose weights were integers times one number and stay so, that number.
    shifts : dict of str to int
        By connection, by how many bits the grid of its target is finer than that of its weights.
    saturation : dict of str to float
        By layer, in what share of neurons and steps a potential is at the end of its range, on the
        calibration data.
    tuned : list of float
        Of each epoch of fine-tuning, the share of right answers among samples held back for that.
    implausible : list of str
        Those of the warnings that are true of any samples.
    """

    scales: dict[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    activity: dict[str, float] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    grids: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, int] = field(default_factory=dict)
    saturation: dict[str, float] = field(default_factory=dict)
    tuned: list[float] = field(default_factory=list)
    implausible: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{'where':<20} {'what':<14} {'target':>10} {'became':>10} {'error':>8}  integer"]
        lines += [
            f"{one.where:<20} {one.what + ' (rms)' if one.what == 'weights' else one.what:<14} "
            f"{one.wished:>10.5g} {one.became:>10.5g} {one.error:>8.2%}  {one.integer}"
            for one in self.changes
        ]
        for name, bits in self.widths.items():
            share = self.saturation.get(name)
            said = "" if share is None else f", at their ends in {share:.2%} of steps"
            lines.append(f"{name:<20} potentials of {bits} bits{said}")
        for name, grid in self.grids.items():
            lines.append(f"{name:<20} integers times {grid:.5g} are kept")
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
        Potentials may also be ``"bounds"`` or ``"calibration"``: see
        :func:`quantize_with_report`.
    **options
        Further fields of :class:`~.quantization.Quantization`, and ``max_steps``, ``name``,
        ``notes``, ``calibration``, ``saturation`` and ``progress``, as for
        :func:`quantize_with_report`.

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        If a parameter does not fit, with the name of its layer.
    """
    network, report = quantize_with_report(net, weights, potentials, decay, **options)
    warn_of(report.implausible)
    return network


def quantize_with_report(
    net: SpikingNetwork,
    weights: Any = 4,
    potentials: Any = 8,
    decay: str = "shift",
    *,
    max_steps: int = 256,
    name: str | None = None,
    notes: Mapping[str, str] | None = None,
    calibration: Any = None,
    saturation: float = 0.0,
    labels: Any = None,
    epochs: int = 5,
    training: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> tuple[Network, Report]:
    """Turn a network of real numbers into one of integers, and say what changed.

    Parameters
    ----------
    net : SpikingNetwork
    weights, potentials, decay
        As for :func:`quantize`. Potentials may also be ``"bounds"``: as many bits as no current
        that the weights can make goes beyond; or ``"calibration"``: as many as the calibration
        samples need.
    max_steps : int
        Most time steps of a sample.
    name : str, optional
        That of ``net`` where none is given.
    notes : mapping of str to str, optional
        Notes of the network.
    calibration : array of int or mapping, optional
        Spikes on which saturation and silence are looked for.
    saturation : float
        With ``"calibration"``, the share of neurons and steps that may lie beyond, at most.
    labels : array of int, shape (samples,), optional
        Classes of the calibration samples: a copy of ``net`` is then trained on them further, in
        the integers' own arithmetic, at the scales that were found.
    epochs : int
        How long.
    training : mapping of str to any, optional
        Other options of :func:`~.trainer.train`.
    progress : callable, optional
        Called with the number of weights done, as they are: as many as :func:`count_weights` tells.
    **options
        Further fields of :class:`~.quantization.Quantization`.

    Returns
    -------
    Network
    Report
    """
    check_network(net)
    if not (isinstance(saturation, int | float) and 0 <= saturation < 1):
        raise ValueError(f"Saturation must be in 0..1, below 1, not {saturation!r}")
    if isinstance(weights, Quantization):
        if options or potentials != 8 or decay != "shift":
            raise TypeError("Quantization must be given alone, or field by field, not both")
        wished = weights
    else:
        given = 8 if potentials in SIZES else potentials
        wished = Quantization(weights, given, decay, **options)

    def make(chosen: Quantization, report: Report) -> Network:
        # Of `net` as it is then: fine-tuning puts another in its place.
        return Network(
            inputs=net.inputs,
            populations=tuple(_population(one, chosen, report) for one in net.layers),
            projections=tuple(_projection(net, one, chosen, report) for one in net.connections),
            readouts=net.readouts,
            max_steps=max_steps,
            name=net.name if name is None else name,
            notes=notes or {},
        )

    if potentials in SIZES:
        chosen = size_potentials(
            net,
            wished,
            potentials,
            lambda one: make(one, Report()),
            calibration,
            saturation,
            progress,
        )
    else:
        chosen = wished.fit(net, progress)
    report = Report(scales=dict(chosen.scales))
    if labels is not None:
        if calibration is None:
            raise ValueError("Calibration samples must be given with their labels")
        net = deepcopy(net)
        options = {"progress": False, "title": "fine-tuning"} | dict(training or {})
        history = train(net, calibration, labels, epochs=epochs, integers=chosen, **options)
        report.tuned = list(history.validation)
    network = make(chosen, report)
    report.warnings += implausible_integers(network)
    report.implausible = list(report.warnings)
    report.widths = {one.name: chosen.width(one) for one in net.layers}
    if calibration is not None:
        _calibrate(network, calibration, report)
    return network, report


def count_weights(net: SpikingNetwork) -> int:
    """Return how many weights a network has that quantisation looks at."""
    check_network(net)
    return sum(one.stored().numel() for one in net.connections)


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
                report.warnings += lost_decays(layer.name, one.name, real, became)
            elif one.metadata.get("scales") and value is not None:
                real = layer.cell.real(one.name)
                integer = np.asarray(value, dtype=float)
                if one.name == "threshold" and np.any(real) and not np.any(integer):
                    report.warnings.append(
                        f"thresholds of {layer.name!r} all become 0: give its potentials more bits"
                    )
                if np.any(real) or np.any(integer):
                    report.changes.append(_change(layer.name, one.name, real, integer, scale))
    return Population(layer.name, layer.shape, neuron, bias)


def _projection(
    net: SpikingNetwork, one: Connection, chosen: Quantization, report: Report
) -> Projection:
    scale = chosen.weight_scale(net.layer[one.target], one)
    low, high = chosen.range(one)
    synapses = one.synapses(scale, low, high)
    bits = chosen.bits(one)
    real = one.stored().cpu().double().numpy()
    became = rounded(one.stored(), scale, low, high).cpu().double().numpy() * scale
    if real.any() and not became.any():
        report.warnings.append(
            f"weights of {one.name!r} all become 0: give potentials of {one.target!r} more bits"
        )
    size, off = _rms(real), _rms(became - real)
    label = "ternary" if bits == "ternary" else f"{bits} bits"
    grid, shift = one.grid, chosen.shift(one)
    kept = grid is not None and abs(scale - grid) <= NEAR * grid and chosen.holds(one)
    if grid is not None and kept:
        report.grids[one.name] = grid
    integer = f"{label}, 1 = {scale:.5g}" + (f" = {2**shift} of {one.target!r}" if shift else "")
    report.changes.append(
        Change(one.name, "weights", size, integer, _rms(became), off / size if size else 0)
    )
    if grid is not None and not kept:
        report.warnings.append(
            f"weights of {one.name!r} are integers times {grid:.5g} and do not stay so: give "
            f"them bits enough, and all that reaches {one.target!r} such weights"
        )
    width = bits if isinstance(bits, int) else 2
    report.shifts[one.name] = shift
    return Projection(one.source, one.target, synapses, one.delay, width, one.name, shift)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


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
    report.saturation = end_shares(network, spikes)
    for name, share in report.saturation.items():
        if share > SATURATED:
            report.warnings.append(
                f"potentials of {name!r} are at the end of their range in {share:.1%} of steps: "
                "give them more bits, or train in integers"
            )
    spiking = [one.name for one in network.populations if one.neuron.spiking]
    found = reference.run(network, spikes, record=spiking)
    for name in spiking:
        train = found.spikes[name]
        train = train if isinstance(train, np.ndarray) else np.concatenate(train)
        report.activity[name] = float(train.mean())
        silent = int((train.reshape(-1, train.shape[-1]).sum(0) == 0).sum())
        if silent == train.shape[-1]:
            report.warnings.append(f"{name!r} never fires")
        elif report.activity[name] > ACTIVE:
            report.warnings.append(f"{name!r} fires in {report.activity[name]:.0%} of steps")
