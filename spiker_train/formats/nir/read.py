"""Import of NIR graphs and files (Pedersen et al., Nature Communications 15, 2024)."""

from dataclasses import dataclass
from typing import Any

import torch

from spiker_hdl.base.checks import check_choice
from spiker_train.linear.compose import UNROLLED
from spiker_train.network.import_report import ImportReport
from spiker_train.network.network import SpikingNetwork
from spiker_train.network.plausibility import implausible, warn_of

from .files import read_flow
from .graph import Reader
from .rules import WRITERS, Rules

__all__ = ["NirReport", "from_nir"]


@dataclass
class NirReport(ImportReport):
    """An account of what was read from a NIR graph.

    Members
    -------
    rules : Rules
        Rules by which nodes became layers.
    lines : tuple of str
        A line for each input, layer and connection, and for each deviation from NIR.
    unrolled : tuple of str
        Convolutions and pooling that were unrolled.
    """

    rules: Rules
    lines: tuple[str, ...]
    unrolled: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*self.lines, *(f"warning: {warning}" for warning in self.warnings)])


def from_nir(
    source: Any,
    *,
    dt: float | None = None,
    rule: str | None = None,
    writer: str = "nir",
    reset: str | None = None,
    reset_timing: str | None = None,
    fire: str | None = None,
    current: str | None = None,
    start: str | None = None,
    readout: str | None = None,
    values: tuple[int, int] = (0, 1),
    name: str = "network",
    dtype: torch.dtype = torch.float32,
    unrolled: int = UNROLLED,
) -> SpikingNetwork:
    """Import the network that a NIR graph describes.

    Neurons become layers of the same name; subgraphs are opened, their names in front. Linear nodes
    in a row (``Affine``, ``Linear``, ``Scale``, ``Flatten``, ``Conv1d``, ``Conv2d``, ``AvgPool2d``,
    ``SumPool2d``) become one connection and a bias, a convolution where that is exact, and
    ``Delay`` its delay, in groups where there is one per neuron. Constants of the differential
    equations become decays, weights, biases and rests: :mod:`~.rules` has the algebra. An
    integrator with a ``Threshold`` behind it is one layer without reset, a ``Threshold`` alone is
    one without memory, and an output that is a sum of spikes is an integrator without memory.

    In a cycle, a spike arrives one step later: in every connection of a cycle without a ``Delay``
    that leads to a neuron as far from the inputs, counted in neurons, as where it comes from, or
    less far. That is what snnTorch and Norse compute for neurons that are connected to themselves.

    Parameters
    ----------
    source : NIRGraph or path
    dt : float
        Time of a step, in the unit of the time constants; needed unless ``writer`` has one.
    rule : {"euler", "exponential"}
        How a time constant becomes a decay: ``1 - dt / tau``, or ``exp(-dt / tau)``.
    writer : str
        Program that wrote the graph, one of :data:`~.rules.WRITERS`, with the conventions that it
        does not write into the graph. Other arguments take precedence over these.
    reset : {"value", "subtract"}
        Whether a spike sets the potential to ``v_reset``, as NIR says, or subtracts the threshold.
    reset_timing : {"immediate", "next_step", "next_step_keep_input", "snntorch_immediate"}
        When the reset takes place, as for :class:`~spiker_hdl.model.SpikingNeuron`; NIR's is
        ``"immediate"``.
    fire : {">", ">="}
        NIR's is ``">"``.
    current : {"new", "old"}
        Whether a step's input reaches the potential of ``CubaLI`` and ``CubaLIF`` in that step, or
        in the next.
    start : {"zero", "leak"}
        Initial value of the potentials: zero, or ``v_leak``.
    readout : str, optional
        Kind of the readout of each output, see :data:`~spiker_hdl.model.READOUTS`; where none is
        given, ``"count"`` of spikes or the ``"last"`` potential.
    values : (int, int)
        Smallest and greatest value of the inputs.
    name : str
    dtype : torch.dtype
        Format of weights and biases.
    unrolled : int
        Greatest number of weights that a convolution or pooling may be unrolled into, where it
        cannot stay one.

    Returns
    -------
    SpikingNetwork
        Its ``import_report`` is a :class:`NirReport`. What the report warns of is also given as
        :class:`~spiker_train.ImplausibleWarning`.

    Raises
    ------
    TypeError
        If the source or an argument is of another type.
    ValueError
        If the source is not NIR, or cannot be represented, with the node and the parameter.
    """
    check_choice("Writer", writer, WRITERS)
    settings = {"dt": dt, "rule": rule, "reset": reset, "reset_timing": reset_timing,
             "fire": fire, "current": current, "start": start}  # fmt: skip
    settings = WRITERS[writer].rules | {
        key: value for key, value in settings.items() if value is not None
    }
    if "dt" not in settings:
        raise ValueError("Time step dt must be given, in the unit of the graph's time constants")
    rules = Rules(**settings)
    if dtype not in {torch.float32, torch.float64}:
        raise ValueError(f"dtype must be torch.float32 or torch.float64, not {dtype}")
    flow = read_flow(source)
    meant = WRITERS[writer].meant
    flow.leaves = {label: meant(leaf, rules) for label, leaf in flow.leaves.items()}
    reader = Reader(flow, rules, values, unrolled)
    network = reader.network(readout, name, dtype)
    warnings = implausible(network)
    network.import_report = NirReport(
        rules, tuple(reader.lines), tuple(reader.unrolled), warnings=warnings
    )
    warn_of(warnings)
    return network
