"""A spiking network of real numbers: a graph as a PyTorch module, that also runs in integers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.model import (
    Accumulator,
    Answer,
    Decay,
    Dense,
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
from spiker_hdl.model.bounds import FLOAT32_EXACT, FLOAT64_EXACT, reach
from spiker_hdl.model.ranges import NEVER_BRANCH

from .cell import Cell, IntegerCell
from .quantization import Quantization
from .rounding import rounded
from .tensors import Reals, Tensors, through

__all__ = ["Connection", "Layer", "Outcome", "SpikingNetwork", "chain_sizes"]


class Layer(nn.Module):
    """Neurons of one model, with real parameters.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of neurons, or their arrangement.
    cell : Cell, IntegerCell or Neuron
        What every neuron computes; a :class:`~spiker_hdl.model.Neuron` at a scale of 1.
    bias : bool, float or array of float
        Current that flows in every step: True to learn one per neuron from zero, or values to start
        from; False for none.
    """

    def __init__(
        self,
        name: str,
        shape: int | tuple[int, ...],
        cell: Cell | IntegerCell | Neuron,
        bias: Any = False,
    ):
        super().__init__()
        if isinstance(cell, Neuron):
            cell = IntegerCell(cell, scale=1.0)
        if not isinstance(cell, Cell | IntegerCell):
            raise TypeError(f"Cell of layer {name!r} must be a Cell or a Neuron, not {cell!r}")
        self.name = name
        self.shape = shape
        self.size = Input(name, shape).size  # checks both
        self.cell = cell
        for count in cell.sizes - {self.size}:
            raise ValueError(
                f"Parameters per neuron of layer {name!r} must be {self.size}, not {count}"
            )
        self.bias: nn.Parameter | None = None
        if bias is not False and bias is not None:
            values = torch.zeros(self.size) if bias is True else _real(f"Bias of {name!r}", bias)
            if values.ndim == 0:
                values = values.expand(self.size)
            if values.shape != (self.size,):
                raise ValueError(
                    f"Bias of layer {name!r} must have the shape ({self.size},), "
                    f"not {tuple(values.shape)}"
                )
            self.bias = nn.Parameter(values.clone())

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.shape}"


class Connection(nn.Module):
    """Real weights from a source to a layer.

    Parameters
    ----------
    source, target : str
        Names of an input or layer, and of a layer.
    weights : array of float, optional
        Shape (target size, source size), or (size,) one to one; drawn at random where not given.
    delay : int
        Time steps by which events arrive later.
    kind : {"dense", "one_to_one", "sparse"}
        How weights are arranged; ``"sparse"`` has a ``mask``.
    mask : array of bool, shape (target size, source size), optional
        Which weights there are; the non-zeros of ``weights`` where not given.
    name : str
        Label, made from source, target and delay where none is given.
    """

    def __init__(
        self,
        source: str,
        target: str,
        weights: Any = None,
        *,
        delay: int = 0,
        kind: str = "dense",
        mask: Any = None,
        name: str = "",
    ):
        super().__init__()
        plan = Projection(source, target, np.zeros((1, 1), dtype=np.int64), delay, name=name)
        self.name = plan.name
        self.source, self.target, self.delay, self.kind = source, target, delay, kind
        if kind not in {"dense", "one_to_one", "sparse"}:
            raise ValueError(
                f"Connection kind must be one of 'dense', 'one_to_one', 'sparse', not {kind!r}"
            )
        if weights is not None:
            weights = _real(f"Weights of {self.name!r}", weights)
        if kind == "sparse":
            if mask is None and weights is None:
                raise ValueError(f"Connection {self.name!r}: sparse must have a mask or weights")
            given = weights != 0 if mask is None else torch.as_tensor(np.asarray(mask, dtype=bool))
            self.register_buffer("mask", given)
        elif mask is not None:
            raise ValueError(
                f"Connection {self.name!r}: a mask must be of a sparse one, not {kind}"
            )
        else:
            self.mask = None
        self.given = weights
        self.weights: nn.Parameter = nn.Parameter(torch.zeros(0))

    def build(self, source_size: int, layer: Layer, generator: torch.Generator) -> None:
        """Take the weights that were given, or draw them."""
        shape = (layer.size,) if self.kind == "one_to_one" else (layer.size, source_size)
        if self.kind == "one_to_one" and source_size != layer.size:
            raise ValueError(
                f"Connection {self.name!r}: sizes must be equal one to one, "
                f"not {source_size} and {layer.size}"
            )
        for what, given in (("weights", self.given), ("mask", self.mask)):
            if given is not None and given.shape != shape:
                raise ValueError(
                    f"Connection {self.name!r}: {what} must have the shape {shape}, "
                    f"not {tuple(given.shape)}"
                )
        values = self.given
        if values is None:
            inputs = 1 if self.kind == "one_to_one" else source_size
            if self.mask is not None:
                inputs = max(1, int(self.mask.sum(1).max()))
            reach = 2 * layer.cell.unit / inputs**0.5  # inputs are mostly silent
            values = (torch.rand(shape, generator=generator) * 2 - 1) * reach
        self.given = None
        self.weights = nn.Parameter(values.clone())

    def masked(self) -> torch.Tensor:
        """Return the weights, zero where the mask has none."""
        return self.weights if self.mask is None else self.weights * self.mask

    def synapses(self, scale: float, low: int, high: int) -> Synapses:
        """Return the integer weights at a scale."""
        values = rounded(self.masked().detach(), scale, low, high).cpu().numpy().astype(np.int64)
        if self.kind == "one_to_one":
            return OneToOne(values)
        return Sparse.from_matrix(values) if self.kind == "sparse" else Dense(values)

    def extra_repr(self) -> str:
        return f"{self.name!r}, {self.kind} {tuple(self.weights.shape)}"


def _real(what: str, value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
    try:
        real = torch.as_tensor(np.asarray(value, dtype=float)).float()
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be numbers, not {value!r}") from None
    if not bool(torch.isfinite(real).all()):
        bad = real[~torch.isfinite(real)][0]
        raise ValueError(f"{what} must be finite, not {float(bad)}")
    return real


@dataclass(frozen=True)
class Outcome:
    """What a network answers in training.

    Members
    -------
    scores : tensor, shape (samples, classes)
        Of the first readout; in an integer run, the integers of the reference.
    logits : tensor, shape (samples, classes)
        The same in real units.
    answers : mapping of str to tensor
        Scores of every readout.
    spikes : mapping of str to tensor, each of shape (samples, steps, size)
        Of every layer that fires; they carry gradients.
    states : mapping of str to tensor, each of shape (samples, steps, size)
        What was recorded, as ``"layer.state"``.
    """

    scores: torch.Tensor
    logits: torch.Tensor
    answers: Mapping[str, torch.Tensor]
    spikes: Mapping[str, torch.Tensor]
    states: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class _Core:
    """A layer, ready to step."""

    layer: Layer
    neuron: Neuron
    parameters: SimpleNamespace
    rest: dict[str, torch.Tensor]
    via: Any
    dtype: torch.dtype
    divisor: float | None  # of a real current that integer neurons take
    weights: dict[str, torch.Tensor]
    bias: torch.Tensor | None


class SpikingNetwork(nn.Module):
    """A spiking network of real numbers: a graph that trains, and that quantisation reads.

    Called with spikes, it runs on real numbers; with ``integers``, in exactly the arithmetic of the
    hardware, with gradients for its real weights all the same.

    Parameters
    ----------
    inputs : sequence of Input
    layers : sequence of Layer
    connections : sequence of Connection
    readouts : sequence of Readout
    seed : int
        Of the weights that are drawn.
    name : str

    Raises
    ------
    TypeError
        If a part is of another type.
    ValueError
        If the graph is none that a :class:`~spiker_hdl.model.Network` can be.
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
    ):
        super().__init__()
        self.name = name
        self.inputs = tuple(inputs)
        self.layers = tuple(layers)
        self.connections = tuple(connections)
        self.parts = nn.ModuleList([*self.layers, *self.connections])
        self.readouts = tuple(readouts)
        self.layer: dict[str, Layer] = {one.name: one for one in layers}
        sizes = {one.name: one.size for one in (*self.inputs, *layers)}
        generator = torch.Generator().manual_seed(seed)
        for one in connections:
            if one.source in sizes and one.target in self.layer:
                one.build(sizes[one.source], self.layer[one.target], generator)
        for one, kind in (*((x, Layer) for x in layers), *((x, Connection) for x in connections)):
            if not isinstance(one, kind):
                raise TypeError(f"Each part must be a {kind.__name__}, not {one!r}")
        self._known: tuple[Any, dict] = (None, {})
        self.graph = self._skeleton()
        self.groups = _groups(self.graph)
        for one in self.readouts:
            cell = self.layer[one.population].cell
            if one.kind not in {"count", "first"} and cell.potential not in cell.states:
                raise ValueError(
                    f"Readout {one.name!r}: {one.kind!r} must read neurons with a state "
                    f"{cell.potential!r}, not {cell.kind.__name__}"
                )

    def _skeleton(self) -> Network:
        # The same graph with stand-in neurons and no weights: the model checks it.
        def stand_in(layer: Layer) -> Neuron:
            if layer.cell.spiking:
                return Lif(width=8, threshold=1, decay=Decay.shift(1))
            return Accumulator(width=8)

        return Network(
            inputs=self.inputs,
            populations=tuple(
                Population(one.name, one.shape, stand_in(one)) for one in self.layers
            ),
            projections=tuple(
                Projection(one.source, one.target, self._nothing(one), one.delay, name=one.name)
                for one in self.connections
            ),
            readouts=self.readouts,
            longest=2**16 - 1,
            name=self.name,
        )

    def _nothing(self, one: Connection) -> Synapses:
        shape = tuple(one.weights.shape)
        if one.kind == "one_to_one" and len(shape) == 1 and shape[0]:
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
        shape: tuple[int, ...] | None = None,
        values: tuple[int, int] = (0, 1),
        name: str = "network",
    ) -> "SpikingNetwork":
        """Make a chain of fully connected layers.

        Parameters
        ----------
        sizes : str or sequence of int
            Such as ``"784-128-10"``: the input, hidden layers, and the output.
        cell : Cell, optional
            Of hidden layers: LIF that loses an eighth in each step and gives up its threshold of 1
            where none is given.
        output : Cell, optional
            Of the last layer: where none is given, a leaky integrator that loses as much, or with
            the readouts that need spikes, the same as ``cell``.
        readout : str
            See :data:`~spiker_hdl.model.READOUTS`.
        bias : bool
            Whether all layers have biases to learn.
        seed : int
        shape : tuple of int, optional
            Arrangement of the input.
        values : (int, int)
            Range of the input's values.
        name : str
        """
        sizes = chain_sizes(sizes)
        if shape is not None and int(np.prod(shape)) != sizes[0]:
            raise ValueError(f"Input of shape {shape} must have {sizes[0]} channels")
        leak = Decay.shift(3)
        cell = Cell(Lif, threshold=1.0, decay=leak) if cell is None else cell
        if output is None:
            output = cell if readout in {"count", "first"} else Cell(Integrator, decay=leak)
        names = ["input", *(f"hidden{n}" for n in range(1, len(sizes) - 1)), "output"]
        if len(sizes) == 3:
            names[1] = "hidden"
        cells = [cell] * (len(sizes) - 2) + [output]
        return cls(
            inputs=[Input("input", sizes[0] if shape is None else shape, *values)],
            layers=[
                Layer(name, size, deepcopy(one), bias)
                for name, size, one in zip(names[1:], sizes[1:], cells, strict=True)
            ],
            connections=[Connection(a, b) for a, b in pairwise(names)],
            readouts=[Readout("output", readout)],
            seed=seed,
            name=name,
        )

    def forward(
        self,
        spikes: Any,
        integers: Quantization | None = None,
        record: Sequence[str] = (),
    ) -> Outcome:
        """Run samples of the same number of steps.

        Parameters
        ----------
        spikes : tensor or array, shape (samples, steps, size), or mapping from input names to such
        integers : Quantization, optional
            Run in integers; scales that it does not give are fitted to the weights as they are.
        record : sequence of str
            States that are wanted, as ``"layer.state"``.
        """
        given = self._check_spikes(spikes)
        if integers is not None and set(integers.scales) < set(self.layer):
            integers = integers.fit(self)
        with _exact_products():
            return self._run(given, integers, record)

    def _check_spikes(self, spikes: Any) -> dict[str, torch.Tensor]:
        if not isinstance(spikes, Mapping):
            if len(self.inputs) != 1:
                names = ", ".join(repr(one.name) for one in self.inputs)
                raise ValueError(f"Spikes must be a mapping with an array for each of {names}")
            spikes = {self.inputs[0].name: spikes}
        if set(spikes) != {one.name for one in self.inputs}:
            wanted = sorted(one.name for one in self.inputs)
            raise ValueError(f"Spikes must be given for {wanted}, not {sorted(spikes)}")
        device = self._like().device
        found, frames = {}, set()
        for one in self.inputs:
            value = torch.as_tensor(spikes[one.name], device=device)
            if value.ndim != 3 or value.shape[2] != one.size or 0 in value.shape:
                raise ValueError(
                    f"Spikes of input {one.name!r} must have the shape (samples, steps, "
                    f"{one.size}), not {tuple(value.shape)}"
                )
            frames.add(tuple(value.shape[:2]))
            found[one.name] = value
        if len(frames) > 1:
            raise ValueError("Spikes of all inputs must have the same samples and steps")
        return found

    def _like(self) -> torch.Tensor:
        return next(iter(self.parameters()), torch.zeros(1))

    def _cores(self, integers: Quantization | None) -> dict[str, _Core]:
        if integers is None:
            return {one.name: self._real_core(one) for one in self.layers}
        return {one.name: self._integer_core(one, integers) for one in self.layers}

    def _into(self, layer: Layer) -> list[Connection]:
        return [one for one in self.connections if one.target == layer.name]

    def _real_core(self, layer: Layer) -> _Core:
        like = self._like()
        cell = layer.cell
        weights = {one.name: one.masked() for one in self._into(layer)}
        if isinstance(cell, Cell):
            neuron, parameters, rest = cell.reals(like)
            via = Reals(cell.surrogate, like.dtype)
            return _Core(
                layer, neuron, parameters, rest, via, like.dtype, None, weights, layer.bias
            )
        neuron, scale = cell.fixed, cell.scale
        via = Tensors(cell.surrogate, scale, torch.float64)
        like = torch.zeros((), dtype=via.dtype, device=like.device)
        parameters = cell.integers(neuron, scale, like)
        return _Core(
            layer,
            neuron,
            parameters,
            _rest(neuron, like),
            via,
            via.dtype,
            scale,
            weights,
            layer.bias,
        )

    def _integer_core(self, layer: Layer, integers: Quantization) -> _Core:
        scale = integers.scale(layer)
        bias = None if layer.bias is None else rounded(layer.bias, scale, -(2**31), 2**31 - 1)
        low, high = 0, 0
        weights = {}
        for one in self._into(layer):
            least, most = integers.range(one)
            weights[one.name] = rounded(one.masked(), scale, least, most)
            ends = self._ends(one)
            products = [end * weight for end in ends for weight in (least, most)]
            low += min(products) * self._fan_in(one)
            high += max(products) * self._fan_in(one)
        if bias is not None:
            most = 2 ** int(bias.detach().abs().max()).bit_length()
            low, high = low - most, high + most
        neuron, dtype = self._prepared(layer, integers, low, high)
        like = torch.zeros((), dtype=dtype, device=self._like().device)
        return _Core(
            layer,
            neuron,
            layer.cell.integers(neuron, scale, like),
            _rest(neuron, like),
            Tensors(layer.cell.surrogate, scale, dtype),
            dtype,
            None,
            {name: one.to(dtype) for name, one in weights.items()},
            None if bias is None else bias.to(dtype),
        )

    def _prepared(
        self, layer: Layer, integers: Quantization, low: int, high: int
    ) -> tuple[Neuron, torch.dtype]:
        # Training asks for the same thousands of times; a learned parameter changes each time.
        seen = tuple((id(one), one._version) for one in layer.cell.buffers())
        key = layer.name, low, high, seen
        if self._known[0] is not integers:
            self._known = integers, {}
        found = self._known[1].get(key)
        if found is None or layer.cell.learned:
            neuron = integers.neuron(layer)
            found = neuron, self._format(layer, neuron, low, high)
            self._known[1][key] = found
        return found

    def _ends(self, one: Connection) -> tuple[int, int]:
        node = self.graph.nodes[one.source]
        return node.low, node.high

    def _fan_in(self, one: Connection) -> int:
        if one.kind == "one_to_one":
            return 1
        return one.weights.shape[1] if one.mask is None else int(one.mask.sum(1).max())

    def _format(self, layer: Layer, neuron: Neuron, low: int, high: int) -> torch.dtype:
        most = reach(neuron, low, high)
        if most < FLOAT32_EXACT:
            return torch.float32
        if most < FLOAT64_EXACT:
            return torch.float64
        raise ValueError(
            f"Layer {layer.name!r} must compute within 53 bits to train in integers, "
            f"not reach {most}"
        )

    def _run(
        self, inputs: dict[str, torch.Tensor], integers: Quantization | None, record: Sequence[str]
    ) -> Outcome:
        cores = self._cores(integers)
        wanted = self._check_record(record)
        for readout in self.readouts:
            if readout.kind not in {"count", "first"}:
                cell = self.layer[readout.population].cell
                wanted.add(f"{readout.population}.{cell.potential}")
        trains: dict[str, Any] = dict(inputs)
        states: dict[str, Any] = {}
        for group in self.groups:
            self._advance([cores[name] for name in group], trains, states, wanted)
        scores = {
            one.name: _score(one.kind, one.population, self.layer, trains, states)
            for one in self.readouts
        }
        first = self.readouts[0]
        logits = scores[first.name]
        if first.kind not in {"count", "first"}:
            layer = self.layer[first.population]
            if integers is not None:
                logits = logits * integers.scale(layer)
            elif isinstance(layer.cell, IntegerCell):
                logits = logits * layer.cell.scale
        spikes = {name: train for name, train in trains.items() if name in self.layer}
        kept = {name: states[name] for name in record if "." in name}
        return Outcome(scores[first.name], logits, scores, spikes, kept)

    def _check_record(self, record: Sequence[str]) -> set[str]:
        known = {f"{one.name}.{state}" for one in self.layers for state in one.cell.states}
        known |= {one.name for one in self.layers if one.cell.spiking}
        for name in record:
            if name not in known:
                raise ValueError(
                    f"Record must name one of {', '.join(sorted(known))}, not {name!r}"
                )
        return {name for name in record if "." in name}

    def _advance(self, cores: list[_Core], trains: dict, states: dict, wanted: set[str]) -> None:
        """Run layers that depend on each other step by step; others for all time at once."""
        inside = {core.layer.name for core in cores}
        samples, steps = next(iter(trains.values())).shape[:2]
        flowing = {core.layer.name: self._flow(core, trains, inside) for core in cores}
        loops = {
            core.layer.name: [one for one in self._into(core.layer) if one.source in inside]
            for core in cores
        }
        now = {
            core.layer.name: {
                name: rest.expand(samples, core.layer.size) for name, rest in core.rest.items()
            }
            for core in cores
        }
        fired: dict[str, list] = {core.layer.name: [] for core in cores}
        traces: dict[str, list] = {name: [] for name in wanted if name.split(".")[0] in inside}
        for t in range(steps):
            for core in cores:
                name = core.layer.name
                current = flowing[name][t] if flowing[name] is not None else None
                for one in loops[name]:
                    if t >= one.delay:
                        events = fired[one.source][t - one.delay]
                        current = _plus(current, _project(one, core, events))
                current = self._current(core, current, samples)
                spikes, now[name] = self._step(core, now[name], current)
                if core.layer.cell.spiking:
                    fired[name].append(spikes)
                for trace, values in traces.items():
                    layer, state = trace.split(".")
                    if layer == name:
                        values.append(now[name][state])
        for core in cores:
            if core.layer.cell.spiking:
                trains[core.layer.name] = torch.stack(fired[core.layer.name], dim=1)
        for trace, values in traces.items():
            states[trace] = torch.stack(values, dim=1)

    def _flow(self, core: _Core, trains: dict, inside: set[str]) -> Any:
        total = None
        for one in self._into(core.layer):
            if one.source in inside:
                continue
            train = trains[one.source]
            if one.delay:
                late = min(one.delay, train.shape[1])
                none = torch.zeros_like(train[:, :late])
                train = torch.cat([none, train[:, : train.shape[1] - late]], dim=1)
            total = _plus(total, _project(one, core, train))
        return None if total is None else total.unbind(1)

    def _current(self, core: _Core, current: Any, samples: int) -> torch.Tensor:
        if current is None:
            shape = (samples, core.layer.size)
            current = torch.zeros(shape, dtype=core.dtype, device=self._like().device)
        if core.bias is not None:
            current = current + core.bias
        if core.divisor is not None:
            current = current.to(core.dtype) / core.divisor
            current = through(current, current.detach().round())
        return current

    def _step(self, core: _Core, states: dict, current: torch.Tensor) -> tuple[Any, dict]:
        shape = current.shape
        what = f"The step of {type(core.neuron).__name__}"
        try:
            fired, after = core.neuron.step(
                core.parameters, SimpleNamespace(**states), current, core.via
            )
        except RuntimeError as error:
            if "Boolean value of Tensor" not in str(error):
                raise
            raise TypeError(NEVER_BRANCH) from None
        if set(after) != set(states):
            raise ValueError(
                f"{what} must answer with the states {sorted(states)}, not {sorted(after)}"
            )
        if core.layer.cell.spiking and not (
            isinstance(fired, torch.Tensor) and fired.dtype == core.dtype
        ):
            raise TypeError(
                f"{what} must decide who fires by via.above or via.reaches, which have a "
                "gradient, not by a plain comparison"
            )
        wanted = {
            name: torch.as_tensor(after[name], dtype=core.dtype, device=current.device).expand(
                shape
            )
            for name in states
        }
        return fired, wanted

    def run(
        self,
        spikes: Any,
        integers: Quantization | None = None,
        *,
        record: Sequence[str] = (),
        batch: int = 1024,
    ) -> Result:
        """Run samples without gradients, and answer as every engine does.

        Parameters
        ----------
        spikes : array of int, or mapping from input names to such
            Shape (samples, steps, size).
        integers : Quantization, optional
            As for :meth:`forward`; without, scores and states are real numbers.
        record : sequence of str
            Layers whose spikes, and ``"layer.state"`` whose states, are wanted.
        batch : int
            Samples at a time.
        """
        given = stimulus(self.graph, spikes)
        if len(set(given.steps.tolist())) > 1:
            raise ValueError("Samples must have the same number of steps")
        kind = float if integers is None else np.int64
        if integers is not None:
            integers = integers.fit(self)
        parts = []
        with torch.no_grad():
            for start in range(0, len(given), batch):
                members = np.arange(start, min(start + batch, len(given)))
                parts.append(self.forward(given.group(members), integers, record))

        def join(pick: Any) -> np.ndarray:
            return np.concatenate([pick(one).cpu().numpy() for one in parts])

        answers = {}
        for one in self.readouts:
            scores = join(lambda part, name=one.name: part.answers[name]).astype(kind)
            answers[one.name] = Answer(scores.argmax(axis=1), scores)
        counts = {
            one.name: join(lambda part, name=one.name: part.spikes[name].sum((1, 2))).astype(
                np.int64
            )
            for one in self.layers
            if one.cell.spiking
        }
        trains = {
            name: join(lambda part, name=name: part.states[name]).astype(kind)
            if "." in name
            else join(lambda part, name=name: part.spikes[name]).astype(np.uint8)
            for name in record
        }
        first = answers[self.readouts[0].name]
        return Result(
            first.classes, first.scores, given.steps, counts, trains, None, answers, "torch"
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


def chain_sizes(sizes: str | Sequence[int]) -> list[int]:
    """Return the sizes that ``"784-128-10"``, or a sequence, says.

    Raises
    ------
    ValueError
        If it says something else.
    """
    if isinstance(sizes, str):
        parts = sizes.split("-")
        if len(parts) < 2 or not all(one.isdecimal() and int(one) for one in parts):
            raise ValueError(f"Layers must be sizes such as '784-128-10', not {sizes!r}")
        return [int(one) for one in parts]
    if len(sizes) < 2:
        raise ValueError(f"Layers must be an input and at least one layer, not {sizes!r}")
    return list(sizes)


def _plus(total: Any, value: torch.Tensor) -> torch.Tensor:
    return value if total is None else total + value


def _project(one: Connection, core: _Core, events: torch.Tensor) -> torch.Tensor:
    weights = core.weights[one.name]
    events = events.to(weights.dtype)
    return events * weights if one.kind == "one_to_one" else events @ weights.T


def _rest(neuron: Neuron, like: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        name: torch.as_tensor(one.rest, dtype=like.dtype, device=like.device)
        for name, one in neuron.states.items()
    }


def _score(
    kind: str, name: str, layers: dict[str, Layer], trains: dict, states: dict
) -> torch.Tensor:
    if kind == "count":
        return trains[name].sum(1)
    if kind == "first":
        return (1 - (1 - trains[name]).cumprod(1)).sum(1)
    potential = states[f"{name}.{layers[name].cell.potential}"]
    if kind == "last":
        return potential[:, -1]
    return potential.amax(1) if kind == "largest" else potential.double().sum(1)


def _groups(graph: Network) -> list[list[str]]:
    """Return the populations in order, those in a common cycle together (Tarjan 1972)."""
    following: dict[str, list[str]] = {name: [] for name in graph.order}
    for one in graph.projections:
        if one.source in following:
            following[one.source].append(one.target)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    held: list[str] = []
    waiting: set[str] = set()
    groups: list[list[str]] = []
    for root in graph.order:
        if root in number:
            continue
        path = [(root, iter(following[root]))]
        number[root] = low[root] = len(number)
        held.append(root)
        waiting.add(root)
        while path:
            name, ahead = path[-1]
            for target in ahead:
                if target not in number:
                    number[target] = low[target] = len(number)
                    held.append(target)
                    waiting.add(target)
                    path.append((target, iter(following[target])))
                    break
                if target in waiting:
                    low[name] = min(low[name], number[target])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == number[name]:
                    at = held.index(name)
                    groups.append(held[at:])
                    waiting.difference_update(held[at:])
                    del held[at:]
    place = {name: n for n, name in enumerate(graph.order)}
    return [sorted(group, key=place.__getitem__) for group in reversed(groups)]
