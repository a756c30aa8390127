"""Comparison of a floating-point network, its integers and the hardware on the same samples."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spiker_hdl.base.conversions import integer_array
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.model import Network, Result, reference
from spiker_train.network.network import SpikingNetwork, check_network

__all__ = ["Agreement", "Comparison", "compare"]

SILENT = 0.02
"""Share of the spikes in floating point, at or below which a population goes silent."""

LOST = 0.5
"""Relative difference of the spikes above which a population is warned of."""


@dataclass(frozen=True)
class Agreement:
    """How well the spikes of a population in integers agree with those in floating point.

    Members
    -------
    float_spikes, integer_spikes : float
        Spikes of the population per sample, in floating point and in integers.
    equal : float
        Share of neurons and samples whose number of spikes is the same.
    difference : float
        Mean absolute difference of these numbers, relative to their mean in floating point.
    worst : int
        Neuron whose number of spikes over all samples differs most.
    worst_float, worst_integer : int
        Spikes of this neuron over all samples.
    counts : array of int, shape (2, neurons)
        Spikes of each neuron over all samples, in floating point and in integers.
    """

    float_spikes: float
    integer_spikes: float
    equal: float
    difference: float
    worst: int
    worst_float: int
    worst_integer: int
    counts: np.ndarray


@dataclass
class Comparison:
    """A network's results in floating point, in integers and in hardware.

    Members
    -------
    samples : int
        Number of samples.
    accuracy : dict of str to float
        Share of right classes in ``"float"``, in ``"integers"`` and, where it was run, in
        ``"hardware"``; empty without labels.
    same : float
        Share of samples with the same class in floating point and in integers.
    populations : dict of str to Agreement
        Agreement of the spikes, by population.
    mismatches : list of str
        Differences between the hardware and the integers. There are none, unless there is a bug.
    engine : str or None
        Engine that ran the hardware.
    cycles : float or None
        Mean number of clock cycles per sample.
    warnings : list of str
        Populations, by name, that go silent or whose spikes differ much.
    """

    samples: int
    accuracy: dict[str, float]
    same: float
    populations: dict[str, Agreement]
    mismatches: list[str] = field(default_factory=list)
    engine: str | None = None
    cycles: float | None = None
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        accuracies = ", ".join(f"{what} {share:.2%}" for what, share in self.accuracy.items())
        lines = [f"{self.samples} samples: {accuracies or 'no labels'}; same class {self.same:.2%}"]
        lines.append(
            f"{'population':<20} {'float':>9} {'integers':>9} {'equal':>8} {'differ':>8}  "
            "spikes of the worst neuron"
        )
        lines += [
            f"{name:<20} {agreement.float_spikes:>9.2f} {agreement.integer_spikes:>9.2f} "
            f"{agreement.equal:>8.2%} {agreement.difference:>8.2%}  "
            f"{agreement.worst}: {agreement.worst_float}, in integers {agreement.worst_integer}"
            for name, agreement in self.populations.items()
        ]
        if self.engine is not None:
            cycles = "" if self.cycles is None else f", {self.cycles:.1f} cycles a sample"
            lines.append(f"hardware ({self.engine}): {len(self.mismatches)} mismatches{cycles}")
        return "\n".join(lines + [f"warning: {warning}" for warning in self.warnings])

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as values that JSON can hold."""
        content = asdict(self)
        for agreement in content["populations"].values():
            agreement["counts"] = agreement["counts"].tolist()
        return content

    def figure(self) -> Any:
        """Return a matplotlib figure: the spikes of each neuron, integers over floating point."""
        from matplotlib.figure import Figure  # only where there is something to draw

        count = max(1, len(self.populations))
        figure = Figure(figsize=(4 * count, 4), layout="constrained")
        axes = figure.subplots(1, count, squeeze=False)[0]
        for axis, (name, agreement) in zip(axes, self.populations.items(), strict=False):
            greatest = max(1, int(agreement.counts.max()))
            axis.plot([0, greatest], [0, greatest], color="0.7", linewidth=1, zorder=0)
            axis.scatter(*agreement.counts, s=12, color="tab:blue")
            worst = f"worst: neuron {agreement.worst}"
            at = [agreement.worst_float], [agreement.worst_integer]
            axis.scatter(*at, s=60, facecolors="none", edgecolors="tab:red", label=worst)
            axis.set(title=name, xlabel="spikes in floating point", ylabel="spikes in integers")
            axis.legend(frameon=False)
        accuracies = ", ".join(f"{what} {share:.2%}" for what, share in self.accuracy.items())
        figure.suptitle(accuracies or f"same class {self.same:.2%}")
        return figure

    def picture(self, path: str | Path) -> None:
        """Write :meth:`figure` to a file, whole or not at all, of a type that matplotlib knows."""
        figure = self.figure()
        with write_whole(path) as file:
            figure.savefig(file, dpi=120, format=Path(path).suffix[1:] or None)


def compare(
    net: SpikingNetwork,
    network: Network,
    spikes: Any,
    labels: np.ndarray | None = None,
    *,
    run: Callable[..., Result] | None = None,
    dt: float | None = None,
) -> Comparison:
    """Run samples in floating point, in integers and in hardware, and compare the results.

    Parameters
    ----------
    net : SpikingNetwork
        The floating-point network.
    network : Network
        The integer network that quantisation made of it.
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
    labels : array of int, shape (samples,), optional
    run : callable, optional
        Function that runs the hardware, with the arguments of :func:`spiker_hdl.run`, such as
        ``functools.partial(spiker_hdl.run, engine="auto")``.
    dt : float, optional
        Length in seconds of the steps of the run in floating point, which a network with times in
        seconds needs unless it has a ``dt`` of its own.

    Raises
    ------
    ValueError
        If the populations of the two networks differ, or if labels are of another number than the
        samples, or no classes.
    TypeError
        If a network is of another type, or labels are no integers.
    """
    check_network(net)
    if not isinstance(network, Network):
        raise TypeError(
            f"Network in integers must be a Network, not of type {type(network).__name__}"
        )
    sizes = {layer.name: layer.size for layer in net.layers}
    quantized_sizes = {population.name: population.size for population in network.populations}
    if sizes != quantized_sizes:
        raise ValueError(f"Networks must have the same populations: {sizes}, not {quantized_sizes}")
    spiking = [layer.name for layer in net.layers if layer.cell.spiking]
    floating = net.run(spikes, record=spiking, dt=dt)
    integers = reference.run(network, spikes, record=spiking)
    if labels is not None:
        labels = integer_array("Labels", labels)
        if labels.shape != floating.classes.shape:
            raise ValueError(
                f"Labels must be one a sample, {floating.classes.shape}, not {labels.shape}"
            )
        if labels.min() < 0 or labels.max() >= floating.scores.shape[1]:
            off = labels.min() if labels.min() < 0 else labels.max()
            raise ValueError(f"Labels must be in 0..{floating.scores.shape[1] - 1}, not {off}")
    runs = {"float": floating, "integers": integers}
    comparison = Comparison(
        samples=len(floating.classes),
        accuracy={},
        same=float((floating.classes == integers.classes).mean()),
        populations={
            name: _agreement(np.asarray(floating.spikes[name]), np.asarray(integers.spikes[name]))
            for name in spiking
        },
    )
    if run is not None:
        hardware = runs["hardware"] = run(network, spikes)
        comparison.mismatches = integers.differences(hardware)
        comparison.engine = hardware.engine
        comparison.cycles = None if hardware.cycles is None else float(np.mean(hardware.cycles))
    if labels is not None:
        comparison.accuracy = {
            what: float((result.classes == labels).mean()) for what, result in runs.items()
        }
    comparison.warnings = _warnings(comparison)
    return comparison


def _warnings(comparison: Comparison) -> list[str]:
    """Return warnings of populations whose spikes are lost or differ much."""
    warnings = []
    for name, agreement in comparison.populations.items():
        before, after = agreement.float_spikes, agreement.integer_spikes
        if before > 0 and after <= SILENT * before:
            warnings.append(f"{name!r} goes silent: {after:.2f} spikes in place of {before:.2f}")
        elif agreement.difference > LOST:
            warnings.append(
                f"spikes of {name!r} differ by {agreement.difference:.0%}: give its weights or its "
                "decay more bits, or fine-tune with labels"
            )
    return warnings


def _agreement(floating: np.ndarray, integers: np.ndarray) -> Agreement:
    """Return the agreement of spikes of the shape (samples, steps, neurons)."""
    before, after = (spikes.sum(axis=1, dtype=np.int64) for spikes in (floating, integers))
    totals = np.stack([before.sum(axis=0), after.sum(axis=0)])
    worst = int(np.abs(totals[1] - totals[0]).argmax())
    mean = float(before.mean())
    difference = float(np.abs(after - before).mean())
    return Agreement(
        float_spikes=float(before.sum(axis=1).mean()),
        integer_spikes=float(after.sum(axis=1).mean()),
        equal=float((before == after).mean()),
        difference=difference / mean if mean else float(difference > 0),
        worst=worst,
        worst_float=int(totals[0, worst]),
        worst_integer=int(totals[1, worst]),
        counts=totals,
    )
