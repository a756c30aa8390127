"""Quantisation: from a floating-point network to the integers of the hardware."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from spiker_hdl.model import (
    Decay,
    Network,
    Population,
    Projection,
    WithSynapse,
    WithSynapses,
    reference,
)
from spiker_train.network.cell import Cell
from spiker_train.network.integers.channel_scales import equalize_channels
from spiker_train.network.integers.fusion import factor_of, fused_decays, receptors_of
from spiker_train.network.integers.grids import NEAR
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.network import Connection, Layer, SpikingNetwork, check_network
from spiker_train.network.plausibility import implausible_integers, lost_decays, warn_of
from spiker_train.network.rounding import rounded
from spiker_train.network.time import Duration
from spiker_train.training.options import TrainingOptions
from spiker_train.training.trainer import train

from .bit_widths import SIZES, WIDE, end_shares, size_potentials
from .report import Change, QuantizationReport, change_of, change_of_time, rms, worst_change

__all__ = ["count_weights", "quantize"]

SATURATED = 0.01
ACTIVE = 0.6
"""Shares of steps, of saturated potentials and of spikes, beyond which a layer is warned of."""

FINE_TUNING = TrainingOptions(epochs=5, progress=False, title="fine-tuning")


def quantize(
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
    training: TrainingOptions = FINE_TUNING,
    channel_scales: bool = False,
    report: QuantizationReport | None = None,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Network:
    """Turn a floating-point network into the integer network of the hardware.

    Parameters
    ----------
    net : SpikingNetwork
    weights, potentials, decay
        As for :class:`~.quantization.Quantization`. ``weights`` may itself be a quantization, which
        then has all settings. ``potentials`` may also be ``"bounds"``, for as many bits as the
        weights can ever make necessary, or ``"calibration"``, for as many as the calibration
        samples need.
    max_steps : int
        Greatest number of time steps of a sample.
    name : str, optional
        Name of the network; by default the name of ``net``.
    notes : mapping of str to str, optional
        Notes of the network.
    calibration : array of int, shape (samples, steps, size), or mapping, optional
        Spikes of samples that are searched for saturated and silent layers.
    saturation : float
        With ``potentials="calibration"``, the greatest share of neurons and steps whose potential
        may be out of range.
    labels : array of int, shape (samples,), optional
        Classes of the calibration samples. A copy of ``net`` is then fine-tuned on them, in the
        arithmetic of the integers and at the scales that were chosen.
    training : TrainingOptions
        How the copy is fine-tuned; for five epochs where nothing else is given.
    channel_scales : bool
        Whether to multiply the channels of convolutional layers so that one scale suits all, see
        :func:`~spiker_train.equalize_channels`. The report is then of the multiplied parameters.
    report : QuantizationReport, optional
        A new report, which is filled in. Where none is given, the warnings that do not depend on
        samples are given as :class:`~spiker_train.ImplausibleWarning`.
    progress : callable, optional
        Called with the number of weights that have just been looked at;
        :func:`count_weights` returns their total.
    **options
        Further fields of :class:`~.quantization.Quantization`, such as ``dt``, the length of a step
        in seconds.

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        If a parameter does not fit, with the name of its layer.
    """
    check_network(net)
    if "plan" in options:
        raise ValueError(
            "Plan must be none in integers, in which all steps have one length: give dt"
        )
    if not (isinstance(saturation, int | float) and 0 <= saturation < 1):
        raise ValueError(f"Saturation must be in 0..1, below 1, not {saturation!r}")
    warn = report is None
    report = QuantizationReport() if report is None else report
    if report != QuantizationReport():
        raise ValueError("Report must be a new one, not that of another quantisation")
    settings = _settings(weights, potentials, decay, options)
    if channel_scales:
        net, settings = equalize_channels(net, _wide(settings, potentials))
    described = {"max_steps": max_steps, "name": name, "notes": notes or {}}

    if potentials in SIZES:
        quantization = size_potentials(
            net,
            settings,
            potentials,
            lambda chosen: _network(net, chosen, QuantizationReport(), **described),
            calibration,
            saturation,
            progress,
        )
    else:
        quantization = settings.fit(net, progress)
    report.scales |= quantization.scales
    if labels is not None:
        net = _fine_tuned(net, calibration, labels, quantization, training, report)
    network = _network(net, quantization, report, **described)
    report.warnings += implausible_integers(network)
    report.implausible += report.warnings
    report.widths |= {layer.name: quantization.width(layer) for layer in net.layers}
    if calibration is not None:
        _calibrate(network, calibration, report)
    if warn:
        warn_of(report.implausible)
    return network


def count_weights(net: SpikingNetwork) -> int:
    """Return the number of weights that quantisation looks at."""
    check_network(net)
    return sum(connection.stored().numel() for connection in net.connections)


def _settings(weights: Any, potentials: Any, decay: str, options: dict) -> Quantization:
    """Return the quantization that the arguments of :func:`quantize` describe, without scales."""
    if isinstance(weights, Quantization):
        if options or potentials != 8 or decay != "shift":
            raise TypeError("Quantization must be given alone, or field by field, not both")
        return weights
    # Potentials that are still to be sized have some width until then.
    return Quantization(weights, 8 if potentials in SIZES else potentials, decay, **options)


def _wide(settings: Quantization, potentials: Any) -> Quantization:
    """Return the settings, with the greatest width of potentials that are still to be sized."""
    return replace(settings, potentials=WIDE) if potentials in SIZES else settings


def _fine_tuned(
    net: SpikingNetwork,
    samples: Any,
    labels: Any,
    quantization: Quantization,
    training: TrainingOptions,
    report: QuantizationReport,
) -> SpikingNetwork:
    """Return a copy of a network that is trained further in integers."""
    if samples is None:
        raise ValueError("Calibration samples must be given with their labels")
    copy = deepcopy(net)
    history = train(copy, samples, labels, training, integers=quantization)
    report.tuned += history.validation
    return copy


def _network(
    net: SpikingNetwork,
    quantization: Quantization,
    report: QuantizationReport,
    *,
    max_steps: int,
    name: str | None,
    notes: Mapping[str, str],
) -> Network:
    return Network(
        inputs=net.inputs,
        populations=tuple(_population(layer, quantization, report) for layer in net.layers),
        projections=tuple(
            _projection(net, connection, quantization, report) for connection in net.connections
        ),
        readouts=net.readouts,
        max_steps=max_steps,
        name=net.name if name is None else name,
        notes=notes,
    )


def _population(layer: Layer, quantization: Quantization, report: QuantizationReport) -> Population:
    """Return the integer neurons of a layer, and report their parameters."""
    scale = quantization.scale(layer)
    neuron = quantization.neuron(layer)
    bias: Any = 0
    biases = layer.biases
    if biases is not None:
        target = biases.detach()
        integers = rounded(target, scale, -(2**31), 2**31 - 1).cpu().double().numpy()
        bias = tuple(int(value) for value in integers)
        report.changes.append(
            change_of(layer.name, "bias", target.cpu().double().numpy(), integers, scale)
        )
    if isinstance(layer.cell, Cell):
        own = neuron.neuron if isinstance(neuron, WithSynapse | WithSynapses) else neuron
        for declared in fields(layer.cell.kind):
            value = getattr(own, declared.name)
            if isinstance(value, Decay):
                target = layer.cell.value(declared.name, quantization.step)
                _report_decay(layer.name, declared.name, target, value, report)
            elif declared.name in layer.cell.durations:
                duration = Duration(layer.cell.seconds(declared.name))
                report.changes.append(
                    change_of_time(layer.name, declared.name, duration, value, quantization.step)
                )
            elif declared.metadata.get("scales") and value is not None:
                target = layer.cell.value(declared.name)
                integers = np.asarray(value, dtype=float)
                if declared.name == "threshold" and np.any(target) and not np.any(integers):
                    report.warnings.append(
                        f"thresholds of {layer.name!r} all become 0: give its potentials more bits"
                    )
                if np.any(target) or np.any(integers):
                    report.changes.append(
                        change_of(layer.name, declared.name, target, integers, scale)
                    )
            elif declared.metadata.get("role") == "parameter" and not declared.metadata["counts"]:
                target = layer.cell.value(declared.name)
                _report_unscaled(layer.name, declared.name, target, value, report)
    receptors = receptors_of(layer)
    for connection in layer.incoming:
        receptor = receptors[connection.name]
        for name, (decay, quantized) in fused_decays(connection, neuron, receptor).items():
            target = factor_of(decay, quantization.step)
            _report_decay(connection.name, name, target, quantized, report)
    coupling = quantization.coupling(layer)
    duration = None if layer.coupling is None else layer.coupling.inhibition
    if coupling is not None and isinstance(duration, Duration):
        report.changes.append(
            change_of_time(layer.name, "inhibition", duration, coupling.steps, quantization.step)
        )
    return Population(layer.name, layer.shape, neuron, bias, coupling)


def _report_unscaled(
    where: str, name: str, target: np.ndarray, value: Any, report: QuantizationReport
) -> None:
    """Report a parameter without a scale, such as a factor, that is no integer by itself."""
    integers = np.asarray(value, dtype=float)
    if np.any(target != integers):
        report.changes.append(change_of(where, name, target, integers, 1.0))
    if np.any(target) and not np.any(integers):
        report.warnings.append(
            f"{name.replace('_', ' ')} of {where!r} becomes 0, from {target.flat[0]:g}: it has no "
            "scale, and is rounded to an integer"
        )


def _report_decay(
    where: str, name: str, target: np.ndarray, decay: Decay, report: QuantizationReport
) -> None:
    quantized = np.asarray(decay.factor, dtype=float)
    report.changes.append(worst_change(where, name, target, quantized, repr(decay)))
    report.warnings += lost_decays(where, name, target, quantized)


def _projection(
    net: SpikingNetwork,
    connection: Connection,
    quantization: Quantization,
    report: QuantizationReport,
) -> Projection:
    """Return the integer weights of a connection, and report them."""
    name, into = connection.name, connection.target
    scale = quantization.weight_scale(net.layer[into], connection)
    low, high = quantization.range(connection)
    synapses = connection.synapses(scale, low, high, quantization.step)
    bits = quantization.bits(connection)
    stored = connection.stored(quantization.step, integers=True)
    target = stored.cpu().double().numpy()
    quantized = rounded(stored, scale, low, high).cpu().double().numpy() * scale
    if target.any() and not quantized.any():
        report.warnings.append(
            f"weights of {name!r} all become 0: give potentials of {into!r} more bits"
        )
    size, difference = rms(target), rms(quantized - target)
    label = "ternary" if bits == "ternary" else f"{bits} bits"
    grid, shift = connection.grid, quantization.shift(connection)
    kept = grid is not None and abs(scale - grid) <= NEAR * grid and quantization.holds(connection)
    if grid is not None and kept:
        report.grids[name] = grid
    integer = f"{label}, 1 = {scale:.5g}" + (f" = {2**shift} of {into!r}" if shift else "")
    error = difference / size if size else 0
    report.changes.append(Change(name, "weights", size, integer, rms(quantized), error))
    if grid is not None and not kept:
        report.warnings.append(
            f"weights of {name!r} are integers times {grid:.5g} and do not stay so: give "
            f"them bits enough, and all that reaches {into!r} such weights"
        )
    width = bits if isinstance(bits, int) else 2
    report.shifts[name] = shift
    delay = quantization.delay(connection)
    if isinstance(connection.delay, Duration) and connection.late:
        report.changes.append(
            change_of_time(name, "delay", connection.delay, delay, quantization.step)
        )
    receptor = receptors_of(net.layer[into])[name]
    return Projection(
        connection.source,
        into,
        synapses,
        delay,
        width,
        name,
        shift,
        receptor,
        connection.maxima,
    )


def _calibrate(network: Network, samples: Any, report: QuantizationReport) -> None:
    """Report saturation and activity of the integer network on calibration samples."""
    report.saturation |= end_shares(network, samples)
    for name, share in report.saturation.items():
        if share > SATURATED:
            report.warnings.append(
                f"potentials of {name!r} are at the end of their range in {share:.1%} of steps: "
                "give them more bits, or train in integers"
            )
    emitting = [population.name for population in network.populations if population.neuron.emits]
    result = reference.run(network, samples, record=emitting)
    for name in emitting:
        events = result.spikes[name]
        events = events if isinstance(events, np.ndarray) else np.concatenate(events)
        report.activity[name] = float(np.mean(events != 0))
        spiking = network.population[name].neuron.spiking
        if not events.any():
            silent = "never fires" if spiking else "has the output 0 in all steps"
            report.warnings.append(f"{name!r} {silent}")
        elif spiking and report.activity[name] > ACTIVE:
            report.warnings.append(f"{name!r} fires in {report.activity[name]:.0%} of steps")
