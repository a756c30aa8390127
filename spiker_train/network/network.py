"""Spiking networks in floating point: graphs as PyTorch modules, which also run in integers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.checks import check_kind
from spiker_hdl.base.conversions import number_array
from spiker_hdl.model import (
    Accumulator,
    Answer,
    Decay,
    Dendrite,
    Input,
    Integrator,
    Lif,
    Network,
    Neuron,
    OneToOne,
    Population,
    Projection,
    Readout,
    Result,
    Sparse,
    Synapses,
    stimulus,
)

from .cell import Cell
from .chain import chain_of
from .import_report import ImportReport
from .integers.quantization import Quantization, with_step
from .layers import Connection, Layer, check_finite
from .ordering import in_order
from .runs.run import Outcome, groups, run_network
from .runs.state import NetworkState, check_state
from .time import Duration, Steps, make_steps

__all__ = ["Connection", "Layer", "Outcome", "SpikingNetwork", "check_network"]


class SpikingNetwork(nn.Module):
    """A spiking network in floating point, which can be trained and quantised.

    Called with spikes, it runs in floating point. Called with ``integers`` too, it computes exactly
    what the hardware computes, and its floating-point weights have gradients all the same.

    Parameters
    ----------
    inputs : sequence of Input
    layers : sequence of Layer
    connections : sequence of Connection
    readouts : sequence of Readout
    seed : int
        Seed of the weights and parameters that are drawn at random. They depend on it and on the
        names, ends and delays of the parts, and not on the order of the sequences.
    name : str
    dt : float, optional
        Length in seconds of the steps of runs, trainings and quantisations that state none.

    Members
    -------
    import_report : ImportReport or None
        Report of the importer that made the network; None for all other networks. It is not saved
        with the network.

    Raises
    ------
    TypeError
        If a part is of another type.
    ValueError
        If the graph is not valid for a :class:`~spiker_hdl.model.Network`, or a layer or connection
        is part of another network already, whose weights and parameters it has.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        layers: Sequence[Layer],
        connections: Sequence[Connection],
        readouts: Sequence[Readout],
        *,
        seed: int = 0,
        name: str = "network",
        dt: float | None = None,
    ):
        super().__init__()
        self.name = name
        self.dt = dt
        make_steps(dt, None, 1)  # checks it
        self.import_report: ImportReport | None = None
        self.inputs = tuple(inputs)
        self.layers = tuple(layers)
        self.connections = tuple(connections)
        self.readouts = tuple(readouts)
        _check_parts(self.inputs, self.layers, self.connections, self.readouts)
        self.parts = nn.ModuleList([*self.layers, *self.connections])
        self.layer: dict[str, Layer] = {layer.name: layer for layer in self.layers}
        sources = {part.name: part for part in (*self.inputs, *self.layers)}
        generator = torch.Generator().manual_seed(seed)
        _check_new(*self.layers, *self.connections)
        for layer in self.layers:  # first, since random weights depend on drawn thresholds
            layer.build((link for link in self.connections if link.target == layer.name), seed)
        for connection in _drawn_in_order(self.layers, self.connections):
            if connection.source in sources and connection.target in self.layer:
                connection.build(
                    sources[connection.source],
                    self.layer[connection.target],
                    generator,
                    self.typical(connection.source),
                )
        self.known: tuple[Any, dict] = (None, {})
        self.graph = self._skeleton()
        self.groups = groups(self.graph)
        for readout in self.readouts:
            cell = self.layer[readout.population].cell
            if readout.kind not in {"count", "first"} and cell.potential not in cell.states:
                raise ValueError(
                    f"Readout {readout.name!r}: {readout.kind!r} must read neurons with a state "
                    f"{cell.potential!r}, not {cell.kind.__name__}"
                )
        for part in (*self.layers, *self.connections):
            part.taken = True
            if isinstance(part, Connection):
                part.initial = None

    def typical(self, source: str) -> float:
        """Return the typical value of the events of a source."""
        if source in self.layer:
            cell = self.layer[source].cell
            ends = (0, 1) if cell.spiking else cell.event_range or (0, 1)
        else:
            ends = next((node.low, node.high) for node in self.inputs if node.name == source)
        return max(1.0, max(map(abs, ends)) / 2)

    def _skeleton(self) -> Network:
        # The model checks a graph of the same shape, with stand-in neurons and without weights.
        def stand_in(layer: Layer) -> Neuron:
            if layer.cell.spiking:
                return Lif(width=8, threshold=1, decay=Decay.shift(1))
            if layer.cell.emits:
                return Dendrite(width=8, decay=Decay.shift(1), resolution=1, low=-128, high=127)
            return Accumulator(width=8)

        return Network(
            inputs=self.inputs,
            populations=tuple(
                Population(layer.name, layer.shape, stand_in(layer)) for layer in self.layers
            ),
            projections=tuple(
                Projection(
                    connection.source,
                    connection.target,
                    self._nothing(connection),
                    (
                        int(connection.late)
                        if isinstance(connection.delay, Duration)
                        else connection.delay
                    ),
                    name=connection.name,
                    pooling=connection.maxima,
                )
                for connection in self.connections
            ),
            readouts=self.readouts,
            max_steps=2**16 - 1,
            name=self.name,
        )

    def _nothing(self, connection: Connection) -> Synapses:
        if connection.convolution is not None:
            return connection.convolution
        shape = tuple(connection.weights.shape)
        if connection.kind == "one_to_one" and len(shape) == 1 and shape[0]:
            return OneToOne(np.zeros(shape, dtype=np.int64))
        size = shape if len(shape) == 2 else (1, 1)
        none = np.zeros(0, dtype=np.int64)
        return Sparse(none, none, none, size[1], size[0])

    @classmethod
    def chain(
        cls,
        sizes: str | Sequence[int],
        *,
        cell: Cell | None = None,
        output: Cell | None = None,
        readout: str = "last",
        bias: bool = False,
        seed: int = 0,
        shape: int | tuple[int, ...] | None = None,
        values: tuple[int, int] = (0, 1),
        static: bool = False,
        name: str = "network",
    ) -> "SpikingNetwork":
        """Make a chain of layers, fully connected or convolutional.

        Parameters
        ----------
        sizes : str or sequence of int
            Such as ``"784-128-10"``: the input, hidden layers, and the output; or with
            convolutions and pooling, such as ``"28x28-8c3-p2-16c3-p2-10"``: see
            :func:`~.network.chain.chain_of`.
        cell : Cell, optional
            Cell of the hidden layers. Where none is given, a LIF neuron with a threshold of 1 that
            leaks with beta = 0.875 and is reset by subtraction.
        output : Cell, optional
            Cell of the last layer. Where none is given, a leaky integrator with the same leak, or
            ``cell`` for the readouts that need spikes.
        readout : str
            See :data:`~spiker_hdl.model.READOUTS`.
        bias : bool
            Whether all layers have biases to learn, convolutional ones one per channel, and those
            of sums and averages none.
        seed : int
        shape : tuple of int, optional
            Arrangement of the input's channels, where ``sizes`` has their number alone.
        values : (int, int)
            Smallest and greatest value of the input.
        static : bool
            Whether each channel of the input keeps its value through all steps of a sample.
        name : str
        """
        chain = chain_of(sizes, shape)
        if shape is not None and int(np.prod(shape)) != chain.size:
            raise ValueError(f"Input of shape {shape} must have {chain.size} channels")
        if shape is None or chain.convolutional:
            shape = chain.shape
        leak = Decay.shift(3)
        cell = Cell(Lif, threshold=1.0, decay=leak) if cell is None else cell
        if output is None:
            output = cell if readout in {"count", "first"} else Cell(Integrator, decay=leak)
        count = len(chain.layers)
        names = ["input", *(f"hidden{n}" for n in range(1, count)), "output"]
        if count == 2:
            names[1] = "hidden"
        cells = [cell] * (count - 1) + [output]
        net = cls(
            inputs=[Input("input", shape, *values, static)],
            layers=[
                Layer(
                    name,
                    layer.shape,
                    deepcopy(cell_of_layer),
                    layer.bias(bias),
                )
                for name, layer, cell_of_layer in zip(names[1:], chain.layers, cells, strict=True)
            ],
            connections=[
                Connection(
                    source,
                    target,
                    kind="dense" if layer.window is None else "convolution",
                    weights=layer.weights,
                    window=layer.window,
                    pooling=layer.pooling,
                )
                for (source, target), layer in zip(pairwise(names), chain.layers, strict=True)
            ],
            readouts=[Readout("output", readout)],
            seed=seed,
            name=name,
        )
        for connection, layer in zip(net.connections, chain.layers, strict=True):
            connection.weights.requires_grad_(layer.weight is None)
        return net

    def forward(
        self,
        spikes: Any,
        integers: Quantization | None = None,
        record: Sequence[str] = (),
        *,
        dt: float | None = None,
        plan: Sequence[tuple[float, int]] | None = None,
        start: NetworkState | None = None,
        kernel: str | None = None,
    ) -> Outcome:
        """Run samples of the same number of steps.

        Parameters
        ----------
        spikes : tensor or array, shape (samples, steps, size), or mapping from input names to such
        integers : Quantization, optional
            Run in integers; scales that it lacks are fitted to the present weights.
        record : sequence of str
            What to record, besides the spikes and outputs of all layers: ``"layer.state"`` for a
            state of neurons, ``"layer.current"`` for the current that reaches them, and
            ``"connection.state"`` and ``"connection.current"`` for a connection and its dynamics,
            whose name is ``"source->target"`` where none was given.
        dt : float, optional
            Length of a step in seconds, which a network with times in seconds needs.
        plan : sequence of (float, int), optional
            In place of ``dt``, lengths in seconds, each with the number of steps that have it, in
            order.
        start : NetworkState, optional
            State to start from, such as ``after`` of the outcome of another run; the network's
            state at rest where none is given.
        kernel : {"auto", "eager", "fused"}, optional
            How to run: by kernels that are fused over time where the run is large enough to be
            worth their compilation, step by step, or by kernels wherever they can. Where none is
            given, the environment variable ``SPIKER_KERNEL`` says which, or else ``"auto"``.

        Raises
        ------
        ValueError
            If the network has times in seconds and there is neither ``dt`` nor ``plan``, a step is
            too long for a neuron model, or ``start`` is no state of this network and these samples.
        """
        inputs = self._check_spikes(spikes)
        if start is not None:
            check_state(start)
        count = next(iter(inputs.values())).shape[1]
        integers, steps = self._steps(
            integers, dt, plan, count, 0 if start is None else start.clock
        )
        with _exact_products():
            return run_network(self, inputs, integers, record, steps, start, kernel)

    def _steps(
        self,
        integers: Quantization | None,
        dt: float | None,
        plan: Sequence[tuple[float, int]] | None,
        count: int,
        clock: int,
    ) -> tuple[Quantization | None, Steps]:
        """Return the quantization, fitted, and the steps of a run."""
        if integers is not None:
            integers = with_step(integers, dt, plan)
            if not integers.fits(self):
                integers = integers.fit(self)
            dt = integers.dt
        if dt is None and plan is None:
            dt = self.dt
        if dt is None and plan is None and self.has_seconds:
            raise ValueError(
                f"Network {self.name!r} has times in seconds, and so a run must have the length of "
                "its steps: write net(x, dt=1e-3) or net(x, plan=[(1e-3, steps)]), or set net.dt"
            )
        return integers, make_steps(dt, plan, count, clock)

    @property
    def has_seconds(self) -> bool:
        """Whether a time is in seconds, so that runs need the length of their steps."""
        return any(layer.has_seconds for layer in self.layers) or any(
            connection.has_seconds for connection in self.connections
        )

    @property
    def sweeps(self) -> bool:
        """Whether parameters are those of single samples, which all have to run at once."""
        return any(layer.cell.samples for layer in self.layers) or any(
            connection.dynamics is not None and bool(connection.dynamics.samples)
            for connection in self.connections
        )

    def _check_spikes(self, spikes: Any) -> dict[str, torch.Tensor]:
        if not isinstance(spikes, Mapping):
            if len(self.inputs) != 1:
                names = ", ".join(repr(declared.name) for declared in self.inputs)
                raise ValueError(f"Spikes must be a mapping with an array for each of {names}")
            spikes = {self.inputs[0].name: spikes}
        if set(spikes) != {declared.name for declared in self.inputs}:
            expected = sorted(declared.name for declared in self.inputs)
            raise ValueError(f"Spikes must be given for {expected}, not {sorted(spikes)}")
        device = self.like().device
        tensors, frames = {}, set()
        for declared in self.inputs:
            value = _tensor(f"Spikes of input {declared.name!r}", spikes[declared.name], device)
            if value.ndim != 3 or value.shape[2] != declared.size or 0 in value.shape:
                raise ValueError(
                    f"Spikes of input {declared.name!r} must have the shape (samples, steps, "
                    f"{declared.size}), not {tuple(value.shape)}"
                )
            # The sum of numbers is finite unless one of them is not, or they are huge.
            if value.is_floating_point() and not bool(torch.isfinite(value.sum())):
                bad = value[~torch.isfinite(value)]
                if bad.numel():
                    raise ValueError(
                        f"Spikes of input {declared.name!r} must be finite, not {float(bad[0])}"
                    )
            frames.add(tuple(value.shape[:2]))
            tensors[declared.name] = value
        if len(frames) > 1:
            raise ValueError("Spikes of all inputs must have the same samples and steps")
        return tensors

    def like(self) -> torch.Tensor:
        """Return a tensor of the type and on the device of the parameters."""
        return next(iter(self.parameters()), torch.zeros(1))

    def run(
        self,
        spikes: Any,
        integers: Quantization | None = None,
        *,
        record: Sequence[str] = (),
        batch: int = 1024,
        dt: float | None = None,
        plan: Sequence[tuple[float, int]] | None = None,
        start: NetworkState | None = None,
        kernel: str | None = None,
    ) -> Result:
        """Run samples without gradients, and return a result as every engine does.

        Parameters
        ----------
        spikes : array of int, or mapping from input names to such
            Shape (samples, steps, size).
        integers : Quantization, optional
            As for :meth:`forward`; without it, scores and states are floating-point numbers.
        record : sequence of str
            Layers whose spikes or outputs are recorded, and states and currents as for
            :meth:`forward`.
        batch : int
            Number of samples that run at a time.
        dt, plan, start, kernel
            As for :meth:`forward`, whose outcome has the state ``after`` the run too.
        """
        samples = stimulus(self.graph, spikes)
        if start is not None:
            check_state(start)
            if start.samples != len(samples):
                raise ValueError(
                    f"Start must be of as many samples as the spikes, {len(samples)}, not "
                    f"{start.samples}"
                )
        if len(set(samples.steps.tolist())) > 1:
            raise ValueError("Samples must have the same number of steps")
        check_finite(self.layers, self.connections)
        kind = float if integers is None else np.int64
        if integers is not None:
            integers = with_step(integers, dt, plan).fit(self)
        if self.sweeps:
            batch = len(samples)  # values of single samples are for all of them at once
        parts = []
        with torch.no_grad():
            for begin in range(0, len(samples), batch):
                members = np.arange(begin, min(begin + batch, len(samples)))
                group = samples.group(members)
                before = None if start is None else start.select(members)
                options: dict[str, Any] = {"dt": dt, "plan": plan, "kernel": kernel}
                parts.append(self.forward(group, integers, record, start=before, **options))

        def join(pick: Any) -> np.ndarray:
            return np.concatenate([pick(outcome).cpu().numpy() for outcome in parts])

        answers = {}
        for readout in self.readouts:
            scores = join(lambda part, name=readout.name: part.answers[name]).astype(kind)
            answers[readout.name] = Answer(scores.argmax(axis=1), scores)
        counts = {
            layer.name: join(
                lambda part, name=layer.name: part.spikes[name].count_nonzero((1, 2))
            ).astype(np.int64)
            for layer in self.layers
            if layer.cell.emits
        }
        trains = {
            name: join(lambda part, name=name: part.states[name]).astype(kind)
            if "." in name
            else join(lambda part, name=name: part.spikes[name]).astype(
                np.uint8 if self.layer[name].cell.spiking else kind
            )
            for name in record
        }
        first = answers[self.readouts[0].name]
        return Result(
            first.classes, first.scores, samples.steps, counts, trains, None, answers, "torch"
        )


@contextmanager
def _exact_products() -> Iterator[None]:
    """Keep products of integers exact: neither TF32, nor bfloat16, nor autocast."""
    before = torch.get_float32_matmul_precision()
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        if before != "highest":
            torch.set_float32_matmul_precision(before)


def _tensor(what: str, value: Any, device: torch.device) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    array = number_array(what, value)
    # PyTorch warns of a read-only array, since a tensor on it could be written to.
    return torch.as_tensor(array if array.flags.writeable else array.copy(), device=device)


def _check_parts(*parts: Sequence[Any]) -> None:
    """Check that inputs, layers, connections and readouts, in this order, are such."""
    for kind, members in zip((Input, Layer, Connection, Readout), parts, strict=True):
        for member in members:
            check_kind(f"Each of the {kind.__name__.lower()}s", member, kind)


def _drawn_in_order(layers: Sequence[Layer], connections: Sequence[Connection]) -> list[Connection]:
    """Return the connections in an order that does not depend on that of the lists."""
    ends = [(part.name, part.source, part.target, part.late) for part in connections]
    number = {name: n for n, name in enumerate(in_order([part.name for part in layers], ends))}
    return sorted(connections, key=lambda part: number[part.name])


def _check_new(*parts: Any) -> None:
    """Raise :exc:`ValueError` if a layer or connection is part of another network."""
    for part in parts:
        if part.taken:
            raise ValueError(
                f"{type(part).__name__} {part.name!r} must be part of one network, not of two: "
                "make another for each network"
            )


def check_network(net: Any) -> None:
    """Raise :exc:`TypeError` unless ``net`` is a :class:`SpikingNetwork`."""
    if not isinstance(net, SpikingNetwork):
        raise TypeError(
            f"Network must be a SpikingNetwork, such as from_snntorch or from_nir makes, not of "
            f"type {type(net).__name__}"
        )
