"""Import of snnTorch modules: with a forward of their own, or as a sequence of layers."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from spiker_hdl.base.checks import check_choice
from spiker_hdl.model import READOUTS, Input, Readout
from spiker_hdl.model.graph import SPIKE_READOUTS
from spiker_train.formats.arrangement import agreed_shapes, arrangement, channel_bias
from spiker_train.formats.snntorch.answer.answer import Answer, Answers
from spiker_train.formats.snntorch.answer.readouts import choose, in_groups
from spiker_train.formats.snntorch.trace.encoders import check_encoded
from spiker_train.formats.snntorch.trace.flow import INPUT, Trace
from spiker_train.formats.snntorch.trace.input_transform import Levels
from spiker_train.linear.compose import UNROLLED, Folded, Scale
from spiker_train.network.cell import IntegerCell
from spiker_train.network.import_report import ImportReport
from spiker_train.network.integers.grids import grid_of
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.plausibility import implausible, warn_of

from .cells import read_neurons
from .example import follow, follow_longer, lead_of, neurons_of
from .graph import check_reached, edges_of, notes_of
from .levels import check_on_levels, levelled_grid
from .pooled import Pools, in_order
from .wrapped import notes_of_parts, unwrapped

__all__ = ["SnntorchReport", "from_snntorch"]


@dataclass
class SnntorchReport(ImportReport):
    """An account of what was read from an snnTorch module.

    Members
    -------
    layers : dict of str to str
        By name of the layer, the neurons of the module that it was read from.
    connections : dict of str to str
        By name of the connection, the linear layers that were folded into it.
    readouts : dict of str to str
        By name of the layer that is read out, the kind of readout and the reason for it.
    notes : list of str
        Further remarks.
    """

    layers: dict[str, str] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    readouts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{own}: {its}" for own, its in (*self.layers.items(), *self.connections.items())]
        lines += [f"{own} answers: {its}" for own, its in self.readouts.items()]
        return "\n".join([
            *lines,
            *self.notes,
            *(f"warning: {warning}" for warning in self.warnings),
        ])


def from_snntorch(
    module: nn.Module,
    *,
    example: Any = None,
    readout: str | None = None,
    groups: int | None = None,
    output: str | None = None,
    values: tuple[int, int] = (0, 1),
    input_scale: float = 1.0,
    name: str = "network",
    unrolled: int = UNROLLED,
) -> SpikingNetwork:
    """Import the network that an snnTorch module computes.

    The module may have a ``forward`` of its own, as tutorials write it, with or without the loop
    over time steps. It is run once, on zeros, and the linear maps from spikes to neurons are
    traced. It may also be an ``nn.Sequential``, or have its layers as attributes in the order in
    which they act.

    Supported neurons are ``Leaky``, ``Synaptic``, ``RLeaky``, ``RSynaptic``, ``Lapicque``,
    ``LeakyParallel`` and, without reset and bias, ``Alpha``. All operations between them must be
    linear: ``Linear``, ``Conv``, ``BatchNorm`` with the statistics of training, average pooling,
    ``Flatten``, sums, slices and factors. These are folded into connections, in which a convolution
    stays one where that is exact; ``Dropout`` is left out. ``MaxPool`` may stand between a
    convolution and neurons, as the maximum of currents, or behind neurons, whose spikes it pools:
    then it becomes a layer. There may be skip connections, and recurrent connections with a delay.
    Parameters of neurons that snnTorch learns are also learned here.

    Spikes and potentials are those of snnTorch 1.0, up to the rounding of floating-point sums, with
    every ``reset_mechanism`` and ``reset_delay``. The docstring of
    :class:`~spiker_hdl.model.SpikingNeuron` describes how each kind of reset is represented.

    Parameters
    ----------
    module : nn.Module
    example : tensor or tuple, optional
        Arguments of ``forward``, of which only the shapes matter. Where none are given, an input
        with steps, samples and the channels of the first ``Linear`` is made up.
    readout : str, optional
        Kind of the readout: see :data:`~spiker_hdl.model.READOUTS`. Where none is given, it is
        found from the value that ``forward`` returns, and named in the report.
    groups : int, optional
        Number of classes, where the scores of several neurons per class are summed outside of
        ``forward``: ``num_classes`` of snnTorch's losses with ``population_code=True``.
    output : str, optional
        Name in the module of the neurons that are read out; where none is given, those whose
        output is returned.
    values : (int, int)
        Smallest and greatest value of the input.
    input_scale : float
        Value for the module of an input value of 1: ``1 / 255`` for pixels that it takes as 0 to 1.
    name : str
    unrolled : int
        Greatest number of weights that a convolution or pooling may be unrolled into, where it
        cannot stay one.

    Returns
    -------
    SpikingNetwork
        Its ``import_report`` is a :class:`SnntorchReport`. What the report warns of is also given
        as :class:`~spiker_train.ImplausibleWarning`.

    Raises
    ------
    TypeError
        If the module holds neurons of another type, with their name.
    ValueError
        If an operation cannot be traced or is not linear, with its line; if no readout has the
        order of the returned values; or if a neuron has an option that is not supported.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"Model must be an nn.Module, not {module!r}")
    if readout is not None:
        check_choice("Readout", readout, READOUTS)
    if not isinstance(values, tuple | list) or len(values) != 2:
        raise ValueError(f"Values must be the least and the greatest of the input, not {values!r}")
    if input_scale == 0:
        raise ValueError("Input scale must be a number other than 0, not 0")
    ends = values[0], values[1]
    with unwrapped(module) as inner:
        net, report = _network(
            inner, example, readout, groups, output, ends, input_scale, name, unrolled
        )
    net.import_report = report
    warn_of(report.warnings)
    return net


def _network(
    module: nn.Module, example: Any, readout: str | None, groups: int | None, output: str | None,
    values: tuple[int, int], input_scale: float, name: str, unrolled: int,
) -> tuple[SpikingNetwork, SnntorchReport]:  # fmt: skip
    Input("input", 1, *values)  # checks them
    neurons = neurons_of(module)
    levels = Levels(values[0] * input_scale, values[1] * input_scale, values[1] - values[0] + 1)
    trace = follow(module, neurons, example, levels)
    if trace.encoder is not None:
        check_encoded(trace.encoder, values, input_scale)
    parts = {label: part for part, label in neurons.items()}
    labels = list(trace.calls)
    own = {label: f"layer{n}" for n, label in enumerate(labels, 1)} | {INPUT: "input"}
    report = SnntorchReport()
    cells = {label: read_neurons(label, parts[label], trace.shapes[label]) for label in labels}
    first = [Scale(input_scale, name="the input's scale")] if input_scale != 1 else []
    pools = Pools(trace, first, binary=values == (0, 1))
    neuron_edges = {
        label: edges_of(label, parts[label], trace, cells[label], pools, unrolled)
        for label in labels
    }
    edges = in_order(neuron_edges, pools)

    def again(steps: int) -> Trace | None:
        return follow_longer(module, neurons, trace, levels, steps)

    finder = Answers(trace, lead_of(neurons), again)
    answers, notes = choose(trace, edges, finder, output, readout, of_any_length=example is None)
    if groups is not None:
        in_groups(answers, groups)
    kinds = {label: type(parts[label]).__name__ for label in labels}
    check_reached(kinds | dict.fromkeys(pools.layers, "Maximum"), edges, _read(answers))
    _check_levelled(parts, cells, edges, answers)
    own |= _names(pools, own)
    report.layers = {own[label]: _description(label, kinds) for label in edges}
    cells_of = {label: cells[label].cell for label in labels}
    cells_of |= {label: pool.cell for label, pool in pools.layers.items()}
    connections = []
    for label, (links, _) in edges.items():
        for (source, delay), folded_maps in links.items():
            for n, folded in enumerate(folded_maps, 1):
                what = kinds.get(label, "Maximum") + f" {label!r}"
                grid = _grid(what, cells_of[label], folded, trace)
                ends = own[source], own[label]
                link_name = f"{Connection(*ends, delay=delay).name} {n}" if n > 1 else ""
                link = Connection(
                    *ends, delay=delay, grid=grid, name=link_name, **arrangement(folded)
                )
                connections.append(link)
                on_grid = "" if grid is None else f", integers times {grid:.5g}"
                report.connections[link.name] = f"{folded}{on_grid}"
    ends = [
        (source, label, folded)
        for label, (links, _) in edges.items()
        for (source, _), folded_maps in links.items()
        for folded in folded_maps
    ]
    shapes = agreed_shapes({label: trace.shapes[label] for label in (INPUT, *edges)}, ends)
    layers = []
    for label, (_, bias) in edges.items():
        into = [folded for _, target, folded in ends if target == label]
        bias = channel_bias(bias, shapes[label], into)
        layers.append(Layer(own[label], shapes[label], cells_of[label], bias))
    readouts = [_readout(answer, own, layers, connections, report) for answer in answers]
    report.notes += [*notes_of(trace, labels, parts), *notes, *notes_of_parts(module)]
    net = SpikingNetwork(
        inputs=[Input("input", shapes[INPUT], *values)],
        layers=layers,
        connections=connections,
        readouts=readouts,
        name=name,
    )
    report.warnings += implausible(net)
    return net, report


def _description(label: str, kinds: dict[str, str]) -> str:
    if label in kinds:
        return f"{kinds[label]} {label!r}"
    return f"{label} of spikes: a neuron fires where a spike of its window does"


def _names(pools: Pools, own: dict[str, str]) -> dict[str, str]:
    """Return the names of the layers of maxima: those of their modules, if they have any."""
    names: dict[str, str] = {}
    for label, pool in pools.layers.items():
        module = pool.folded.maps[0].removeprefix("MaxPool").strip(" '").replace(".", "_")
        name = plain = module if module.isidentifier() else f"pool{len(names) + 1}"
        n = 1
        while name in {*own.values(), *names.values()}:
            n += 1
            name = f"{plain}_{n}"
        names[label] = name
    return names


def _grid(what: str, cell: Any, folded: Folded, trace: Trace) -> float | None:
    """Return the number of which all weights of a connection are multiples, or None."""
    values = folded.values
    if isinstance(cell, IntegerCell):
        check_on_levels(what, cell, values, "weights")
        return levelled_grid(cell, values)
    return grid_of(values) if trace.quantized else None


def _check_levelled(parts: dict, cells: dict, edges: dict, answers: list[Answer]) -> None:
    """Check biases and readouts of neurons whose potentials have levels."""
    for label, neurons in cells.items():
        if not isinstance(neurons.cell, IntegerCell):
            continue
        what = f"{type(parts[label]).__name__} {label!r}"
        bias = edges[label][1]
        if bias is not False:
            check_on_levels(what, neurons.cell, bias, "bias")
        if getattr(neurons.cell.fixed, "reset", "") != "value":
            continue
        for answer in answers:
            if answer.head is None and answer.label == label and answer.kind not in SPIKE_READOUTS:
                raise ValueError(
                    f"{what}: answers must be read of spikes where it has state_quant and a reset "
                    f"to zero, not as {answer.kind!r} of potentials, which differ where it fires"
                )


def _read(answers: list[Answer]) -> list[str]:
    """Return the labels of the neurons that are read out, or whose spikes a head sums."""
    return [
        label
        for answer in answers
        for label in (answer.head.weights if answer.head else [answer.label])
    ]


def _readout(
    answer: Answer, own: dict[str, str], layers: list, connections: list, report: SnntorchReport
) -> Readout:
    """Return the readout of an answer, and add the layer of its head if it has one."""
    if answer.head is None:
        name = own[answer.label]
    else:
        name = f"layer{len(layers) + 1}"
        layers.append(answer.head.layer(name))
        report.layers[name] = f"{answer.head.kind} for {answer.head}"
        for label in answer.head.weights:
            link = Connection(own[label], name, **answer.head.arrangement(label))
            connections.append(link)
            report.connections[link.name] = f"weights of {answer.head.name}"
    report.readouts[name] = f"{answer.kind}: {answer}"
    return Readout(name, answer.kind, groups=answer.groups)
