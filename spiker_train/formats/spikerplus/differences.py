"""Differences between an imported network and Spiker's hardware."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import log2

import numpy as np

from spiker_train.network.import_report import ImportReport
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.layers import Layer
from spiker_train.network.network import SpikingNetwork

from .widths import cell_values, fits, widths

__all__ = ["SpikerReport", "compare_all", "compare_layer", "compare_widths"]


@dataclass
class SpikerReport(ImportReport):
    """An account of what was read from a configuration of Spiker.

    Members
    -------
    steps : int
        Steps of a sample (``n_cycles``).
    layers : dict of str to str
        Neuron models by layer.
    differences : list of str
        What Spiker's hardware would have computed differently, by layer.
    notes : list of str
        Settings that were not given, and have Spiker's defaults.
    quantizations : list of Quantization
        Quantizations of ``optim_config``, in the order in which Spiker tries them.
    """

    steps: int
    layers: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quantizations: list[Quantization] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{name}: {model}" for name, model in self.layers.items()]
        warned = [f"warning: {warning}" for warning in self.warnings]
        return "\n".join([*lines, *self.differences, *self.notes, *warned])


def compare_layer(
    label: str, settings: dict, layer: Layer, trained: bool, report: SpikerReport
) -> None:
    """Report the differences of a layer."""
    model, note = settings["neuron_model"], report.differences.append
    if model in {"if", "rif"}:
        note(
            f"{label}: {model!r} keeps nothing from step to step in Spiker; "
            + ("so it does here, as it was trained" if trained else "here it integrates")
        )
    else:
        betas = np.unique(cell_values(layer, "decay"))
        for beta in betas[:1]:
            if beta == 1:
                note(f"{label}: beta 1 is kept; Spiker cannot generate it")
            elif (factor := 1 - 2.0 ** -int(abs(log2(1 - beta)))) != beta:
                note(f"{label}: beta {beta:.6g} is kept; Spiker would have made it {factor:.6g}")
        if len(betas) > 1:
            note(f"{label}: a beta for each neuron is kept; Spiker has one for all")
    if model in {"syn", "rsyn"}:
        note(f"{label}: its synaptic current is kept; Spiker would have dropped it")
    if settings["reset_mechanism"] != "subtract":
        note(
            f"{label}: reset {settings['reset_mechanism']!r} is kept; "
            "Spiker would have subtracted the threshold"
        )
    if model.startswith("r"):
        note(
            f"{label}: spikes come back in the next step, as in training; Spiker fails to generate "
            "this, or brings them a step later"
        )
    if layer.bias is not None:
        note(f"{label}: its bias is kept; Spiker would have dropped it")


def compare_all(layers: dict, inputs: int, steps: int, report: SpikerReport) -> None:
    """Report the differences of the whole network."""
    sizes = [inputs, *(settings["n_neurons"] for settings in layers.values())]
    shapes: dict[tuple[int, int], str] = {}
    for label, shape in zip(layers, pairwise(sizes), strict=True):
        if shape in shapes:
            report.differences.append(
                f"{label}: has its own weights; Spiker would have given it those of "
                f"{shapes[shape]}, of the same shape"
            )
        shapes.setdefault(shape, label)
    lost = min(steps, 2 * (len(layers) - 1))
    if lost:
        report.differences.append(
            f"all {steps} steps reach the output; in Spiker the last {lost} never do"
        )
    report.differences.append(
        "neurons leak in each step, and sums saturate once; Spiker's do not leak in the step of a "
        "spike, and saturate after each addition"
    )


def compare_widths(net: SpikingNetwork, optim_config: Mapping, report: SpikerReport) -> None:
    """Report the differences that come of bit widths."""
    choices = widths(optim_config)
    note = report.differences.append
    for layer in net.layers:
        threshold = float(np.abs(cell_values(layer, "threshold")).max())
        for places in choices["fp_dec"]:
            narrow = [width for width in choices["neurons_bw"] if not fits(layer, width, places)]
            if narrow:
                note(
                    f"{layer.name}: threshold {threshold:.6g} is {threshold * 2**places:.6g} with "
                    f"{places} places, beyond {max(narrow)} bits; Spiker would have let it wrap, "
                    "here another scale is fitted"
                )
    for connection in net.connections:
        greatest = float(connection.weights.detach().abs().max())
        for places in choices["fp_dec"]:
            bits = min(choices["weights_bw"])
            reach = 2 ** (bits - 1) / 2**places
            if greatest > reach:
                kept = fits(net.layer[connection.target], max(choices["neurons_bw"]), places)
                cut = "they are cut off, as in Spiker" if kept else "Spiker would cut them off"
                note(
                    f"{connection.name}: weights up to {greatest:.4g} are "
                    f"beyond the {reach:.4g} of {bits} "
                    f"bits with {places} places; {cut}"
                )
