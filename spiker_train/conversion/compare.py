"""A network of real numbers, what it became in integers, and the hardware, on the same samples."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spiker_hdl.base.atomic_file import write_whole
from spiker_hdl.base.conversions import integer_array
from spiker_hdl.model import Network, Result, reference
from spiker_train.network.network import SpikingNetwork, check_network

__all__ = ["Agreement", "Comparison", "compare"]

SILENT = 0.02
LOST = 0.5


@dataclass(frozen=True)
class Agreement:
    """How near a population's spikes stay to those of the real numbers.

    Members
    -------
    real, fixed : float
        Spikes a sample, in real numbers and in integers.
    equal : float
        Share of neurons and samples whose number of spikes is the same.
    difference : float
        Mean difference of those numbers, in units of their mean in real numbers.
    worst : int
        Neuron whose spikes over all samples differ most.
    worst_real, worst_fixed : int
        Its spikes.
    counts : array of int, shape (2, neurons)
        Spikes of each neuron over all samples, in real numbers and in integers.
    """

    real: float
    fixed: float
    equal: float
    difference: float
    worst: int
    worst_real: int
    worst_fixed: int
    counts: np.ndarray


@dataclass
class Comparison:
    """What becomes of a network's answers on the way to hardware.

    Members
    -------
    samples : int
    accuracy : dict of str to float
        ``"real"``, ``"fixed"`` and, where it was run, ``"hardware"``; empty without labels.
    same : float
        Share of samples with the same class in real numbers and in integers.
    populations : dict of str to Agreement
    mismatches : list of str
        What the hardware answers otherwise than the integers: none, or it is a bug.
    engine : str or None
        What ran the hardware.
    cycles : float or None
        Mean clock cycles of a sample.
    warnings : list of str
        Populations whose spikes were lost, or came from nothing, by name.
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
            f"{'population':<20} {'real':>9} {'fixed':>9} {'equal':>8} {'differ':>8}  worst neuron"
        )
        lines += [
            f"{name:<20} {agreement.real:>9.2f} {agreement.fixed:>9.2f} {agreement.equal:>8.2%} "
            f"{agreement.difference:>8.2%}  {agreement.worst}: {agreement.worst_real} became "
            f"{agreement.worst_fixed}"
            for name, agreement in self.populations.items()
        ]
        if self.engine is not None:
            cycles = "" if self.cycles is None else f", {self.cycles:.1f} cycles a sample"
            lines.append(f"hardware ({self.engine}): {len(self.mismatches)} mismatches{cycles}")
        return "\n".join(lines + [f"warning: {warning}" for warning in self.warnings])

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as what JSON can hold."""
        content = asdict(self)
        for agreement in content["populations"].values():
            agreement["counts"] = agreement["counts"].tolist()
        return content

    def figure(self) -> Any:
        """Return a matplotlib figure: spikes of each neuron, real against fixed, by population."""
        from matplotlib.figure import Figure  # only where there is something to draw

        count = max(1, len(self.populations))
        figure = Figure(figsize=(4 * count, 4), layout="constrained")
        axes = figure.subplots(1, count, squeeze=False)[0]
        for axis, (name, agreement) in zip(axes, self.populations.items(), strict=False):
            greatest = max(1, int(agreement.counts.max()))
            axis.plot([0, greatest], [0, greatest], color="0.7", linewidth=1, zorder=0)
            axis.scatter(*agreement.counts, s=12, color="tab:blue")
            worst = f"worst: neuron {agreement.worst}"
            at = [agreement.worst_real], [agreement.worst_fixed]
            axis.scatter(*at, s=60, facecolors="none", edgecolors="tab:red", label=worst)
            axis.set(title=name, xlabel="spikes in real numbers", ylabel="spikes in integers")
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
) -> Comparison:
    """Run samples in real numbers, in integers and in hardware, and say how they differ.

    Parameters
    ----------
    net : SpikingNetwork
        The network of real numbers.
    network : Network
        What it became.
    spikes : array of int, shape (samples, steps, size), or mapping from input names to such
    labels : array of int, shape (samples,), optional
    run : callable, optional
        What runs the hardware, as :func:`spiker_hdl.run` with an engine chosen:
        ``functools.partial(spiker_hdl.run, engine="auto")``.

    Raises
    ------
    ValueError
        If the two networks have not the same populations, or labels are not one a sample or no
        classes.
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
    real = net.run(spikes, record=spiking)
    fixed = reference.run(network, spikes, record=spiking)
    if labels is not None:
        labels = integer_array("Labels", labels)
        if labels.shape != real.classes.shape:
            raise ValueError(
                f"Labels must be one a sample, {real.classes.shape}, not {labels.shape}"
            )
        if labels.min() < 0 or labels.max() >= real.scores.shape[1]:
            off = labels.min() if labels.min() < 0 else labels.max()
            raise ValueError(f"Labels must be in 0..{real.scores.shape[1] - 1}, not {off}")
    runs = {"real": real, "fixed": fixed}
    comparison = Comparison(
        samples=len(real.classes),
        accuracy={},
        same=float((real.classes == fixed.classes).mean()),
        populations={
            name: _agreement(np.asarray(real.spikes[name]), np.asarray(fixed.spikes[name]))
            for name in spiking
        },
    )
    if run is not None:
        hardware = runs["hardware"] = run(network, spikes)
        comparison.mismatches = fixed.differences(hardware)
        comparison.engine = hardware.engine
        comparison.cycles = None if hardware.cycles is None else float(np.mean(hardware.cycles))
    if labels is not None:
        comparison.accuracy = {
            what: float((result.classes == labels).mean()) for what, result in runs.items()
        }
    for name, agreement in comparison.populations.items():
        if agreement.real > 0 and agreement.fixed <= SILENT * agreement.real:
            comparison.warnings.append(
                f"{name!r} goes silent: {agreement.real:.2f} spikes became {agreement.fixed:.2f}"
            )
        elif agreement.difference > LOST:
            comparison.warnings.append(
                f"spikes of {name!r} differ by {agreement.difference:.0%}: "
                "give its weights or its decay "
                "more bits, or fine-tune with labels"
            )
    return comparison


def _agreement(real: np.ndarray, fixed: np.ndarray) -> Agreement:
    mine, theirs = (spikes.sum(axis=1, dtype=np.int64) for spikes in (real, fixed))
    totals = np.stack([mine.sum(axis=0), theirs.sum(axis=0)])
    worst = int(np.abs(totals[1] - totals[0]).argmax())
    mean = float(mine.mean())
    off = float(np.abs(theirs - mine).mean())
    return Agreement(
        real=float(mine.sum(axis=1).mean()),
        fixed=float(theirs.sum(axis=1).mean()),
        equal=float((mine == theirs).mean()),
        difference=off / mean if mean else float(off > 0),
        worst=worst,
        worst_real=int(totals[0, worst]),
        worst_fixed=int(totals[1, worst]),
        counts=totals,
    )
