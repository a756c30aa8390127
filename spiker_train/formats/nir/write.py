"""Write networks as NIR graphs (Pedersen et al., Nature Communications 15, 2024)."""

from math import prod
from typing import Any

import numpy as np

from spiker_train.network.layers import Connection, Layer, check_finite
from spiker_train.network.network import SpikingNetwork, check_network

from .nodes import Written, written
from .rules import Rules
from .windows import convolution

__all__ = ["to_nir"]

Shape = tuple[int, ...]


def to_nir(
    network: SpikingNetwork,
    *,
    dt: float,
    rule: str = "euler",
    start: str = "zero",
    exact: bool = True,
) -> Any:
    """Make the NIR graph that a network computes; ``nir.write`` puts it in a file.

    Layers become nodes of the same name: decays become time constants, with ``r`` and ``w_in`` such
    that weights stay as they are, and biases go into an ``Affine``. Connections become ``Linear``,
    ``Affine``, or one to one ``Scale``, with a ``Delay`` before it; what is a convolution of
    arranged neurons is written as one. A connection of a layer to itself that is one step late is
    written without ``Delay``, as snnTorch and Norse do. A layer without reset becomes an integrator
    and a ``Threshold``. Every readout becomes an ``Output``, that of a sum without memory directly;
    how it answers is not in NIR, nor is the range of the inputs' values.

    ``from_nir`` with the same ``dt``, ``rule`` and ``start`` makes a network that computes the
    same.

    Parameters
    ----------
    network : SpikingNetwork
    dt : float
        Time of a step, in the unit of the time constants.
    rule : {"euler", "exponential"}
        How readers turn a time constant into a decay: ``1 - dt / tau``, or ``exp(-dt / tau)``.
    start : {"zero", "leak"}
        Where readers let potentials start: at zero, or at ``v_leak``.
    exact : bool
        Whether to refuse resets that subtract or take place in the next step, firing at the
        threshold, and potentials of neurons that fire as answers, which NIR cannot say; else they
        are left out.

    Returns
    -------
    NIRGraph

    Raises
    ------
    TypeError
        If the network is none, or has neurons that NIR has no node for.
    ValueError
        If a weight or parameter is not finite, or the network means what NIR cannot say, with the
        names of the layer and of what that is.
    """
    check_network(network)
    check_finite(network.layers, network.connections)
    return _Writer(network, Rules(dt, rule, start=start), exact).graph()


class _Writer:
    """What makes nodes and edges of a network."""

    def __init__(self, network: SpikingNetwork, rules: Rules, exact: bool):
        self.network, self.rules, self.exact = network, rules, exact
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.spikes: dict[str, str] = {}
        self.potentials: dict[str, str] = {}
        self.shapes: dict[str, Shape] = {}
        self.windows: dict[str, dict[str, Any] | None] = {}

    def graph(self) -> Any:
        """Make the graph."""
        import nir

        network = self.network
        self._arrange()
        names = [one.name for one in (*network.inputs, *network.layers)]
        for one in network.inputs:
            self.nodes[one.name] = nir.Input({"input": np.array(self.shapes[one.name])})
            self.spikes[one.name] = one.name
        self.taken = set(names)
        found = {one.name: self._layer(one) for one in network.layers}
        for layer in network.layers:
            self._connect(layer, found[layer.name])
        for one in network.readouts:
            self._read(one, found[one.population])
        return nir.NIRGraph(self.nodes, self.edges)

    def _fresh(self, name: str) -> str:
        label, n = name, 1
        while label in self.taken:
            n += 1
            label = f"{name}_{n}"
        self.taken.add(label)
        return label

    def _arrange(self) -> None:
        """Decide which layers keep an arrangement of their neurons; others are one row."""
        network = self.network
        for one in (*network.inputs, *network.layers):
            self.shapes[one.name] = one.shape if isinstance(one.shape, tuple) else (one.size,)
        again = True
        while again:
            again = False
            for layer in network.layers:
                if len(self.shapes[layer.name]) > 1 and not self._keeps(layer):
                    self.shapes[layer.name] = (layer.size,)
                    again = True

    def _keeps(self, layer: Layer) -> bool:
        shape = self.shapes[layer.name]
        into = [one for one in self.network.connections if one.target == layer.name]
        for one in into:
            if one.kind == "one_to_one" and self.shapes[one.source] == shape:
                continue
            if self._window(one) is None:
                return False
        bias = written(layer, self.rules, shape, self.exact).bias
        if bias is not None and _by_channel(bias, shape) is None:
            return False
        return any(one.kind != "one_to_one" for one in into) or (bias is None and bool(into))

    def _window(self, one: Connection) -> dict[str, Any] | None:
        """Return the convolution that a connection is between arranged neurons, if it is one."""
        source, target = self.shapes[one.source], self.shapes[one.target]
        if len(source) != len(target) or len(source) not in {2, 3} or one.kind == "one_to_one":
            return None
        key = f"{one.name} {source} {target}"
        if key not in self.windows:
            found = convolution(_weights(one), source, target)
            if found is not None and not _is_known(found, source, target):
                found = None
            self.windows[key] = found
        return self.windows[key]

    def _layer(self, layer: Layer) -> Written:
        found = written(layer, self.rules, self.shapes[layer.name], self.exact)
        name = layer.name
        wanted = {one.kind for one in self.network.readouts if one.population == name}
        feeds = any(one.source == name for one in self.network.connections)
        if found.node is None:
            return found
        self.nodes[name] = found.node
        self.spikes[name] = self.potentials[name] = name
        if found.threshold is not None and (feeds or wanted & {"count", "first"} or not wanted):
            behind = self.spikes[name] = self._fresh(f"{name}_spikes")
            self.nodes[behind] = found.threshold
            self.edges.append((name, behind))
        return found

    def _connect(self, layer: Layer, found: Written) -> None:
        into = [one for one in self.network.connections if one.target == layer.name]
        bias, holder = found.bias, None
        if bias is not None:
            if not into:
                raise ValueError(
                    f"Layer {layer.name!r} must have a connection to be in NIR: a bias alone has "
                    "no node"
                )
            holder = min(into, key=lambda one: (one.kind == "one_to_one", one.source == one.target))
        if found.node is None:
            target = self.spikes[layer.name] = layer.name
            self._output(target, self.shapes[layer.name])
        for one in into:
            self._project(one, bias if one is holder else None)

    def _output(self, name: str, shape: Shape) -> None:
        import nir

        self.nodes[name] = nir.Output({"output": np.array(shape)})

    def _project(self, one: Connection, bias: np.ndarray | None) -> None:
        """Add the nodes of a connection."""
        import nir

        shape, weights = self.shapes[one.source], _weights(one)
        target = self.shapes[one.target]
        before = self.spikes[one.source]
        itself = one.source == one.target
        if one.delay and not (itself and one.delay == 1):
            delay = np.full(shape, one.delay * self.rules.dt)
            before = self._node(f"{one.source}_to_{one.target}_delay", nir.Delay(delay), before)
        name = f"{one.source}_to_{one.target}"
        plain = not itself or len(shape) > 1  # readers look for a matrix in a recurrence
        window = self._window(one)
        if window is not None and (shift := _by_channel(bias, target)) is not None:
            node = _convolve(window, shape, shift)
        elif one.kind == "one_to_one" and bias is None and shape == target and plain:
            node = nir.Scale(weights.reshape(shape))
        else:
            if len(shape) > 1:
                flat = nir.Flatten({"input": np.array(shape)}, start_dim=0)
                before = self._node(f"{name}_flat", flat, before)
            matrix = np.diag(weights) if one.kind == "one_to_one" else weights
            held = None if bias is None else _narrow(bias, matrix.dtype)
            node = nir.Linear(matrix) if held is None else nir.Affine(matrix, held)
        self.edges.append((self._node(name, node, before), one.target))

    def _node(self, name: str, node: Any, before: str) -> str:
        label = self._fresh(name)
        self.nodes[label] = node
        self.edges.append((before, label))
        return label

    def _read(self, readout: Any, found: Written) -> None:
        if readout.groups is not None:
            raise ValueError(
                f"Readout {readout.name!r} must have a class for each neuron to be in NIR, not "
                f"{readout.groups} groups: NIR has no word for what is made of outputs"
            )
        if found.node is None:  # the sum is an output itself
            return
        name = readout.population
        spikes = readout.kind in {"count", "first"}
        if not spikes and self.network.layer[name].cell.spiking and found.threshold is None:
            if self.exact:
                raise ValueError(
                    f"Readout of layer {name!r} must be 'count' or 'first' to be in NIR, not "
                    f"{readout.kind!r}: a node that fires puts out spikes"
                )
            spikes = True
        source = (self.spikes if spikes else self.potentials)[name]
        label = self._fresh("output" if len(self.network.readouts) == 1 else f"{name}_output")
        self._output(label, self.shapes[name])
        self.edges.append((source, label))


def _weights(one: Connection) -> np.ndarray:
    return one.masked().detach().cpu().numpy()


def _narrow(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Return numbers in the precision of others where that keeps them."""
    narrow = values.astype(dtype)
    return narrow if (narrow == values).all() else values


def _is_known(window: dict[str, Any], source: Shape, target: Shape) -> bool:
    """Tell whether NIR's own check of shapes, which takes kernels as square, lets it pass."""
    node = _convolve(window, source, np.zeros(target[0]))
    return tuple(int(one) for one in node.output_type["output"]) == target


def _by_channel(bias: np.ndarray | None, shape: Shape) -> np.ndarray | None:
    """Return a bias by channel; None where neurons of a channel have different ones."""
    if bias is None:
        return np.zeros(shape[0])
    rows = bias.reshape(shape[0], prod(shape[1:]))
    return rows[:, 0] if (rows == rows[:, :1]).all() else None


def _convolve(window: dict[str, Any], shape: Shape, bias: np.ndarray) -> Any:
    import nir

    kind = nir.Conv1d if len(shape) == 2 else nir.Conv2d
    weight = window["weight"]
    options = {one: window[one] for one in ("stride", "padding", "dilation")}
    inside: Any = shape[1:]
    if len(shape) == 2:
        inside, options = inside[0], {name: value[0] for name, value in options.items()}
    held = _narrow(bias, weight.dtype)
    return kind(input_shape=inside, weight=weight, groups=1, bias=held, **options)
