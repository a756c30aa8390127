"""Export of networks as NIR graphs (Pedersen et al., Nature Communications 15, 2024)."""

from math import prod
from typing import Any

import numpy as np

from spiker_train.network.layers import Connection, Layer, check_finite
from spiker_train.network.network import SpikingNetwork, check_network
from spiker_train.network.time import Duration

from .nodes import Written, written
from .rules import Rules
from .windows import Pool, convolution, kernel, pool

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
    """Export a network as a NIR graph; ``nir.write`` writes it to a file.

    Layers become nodes of the same name: decays become time constants, with ``r`` and ``w_in`` such
    that weights stay as they are, and biases go into an ``Affine``. Connections become ``Linear``,
    ``Affine``, or ``Scale`` if they are one to one, with a ``Delay`` in front; a connection that is
    a convolution of arranged neurons is written as one, or as ``SumPool2d`` or ``AvgPool2d``. A
    recurrent connection of a layer with a delay of one step is written without ``Delay``, as
    snnTorch and Norse do. A layer without reset becomes an integrator and a ``Threshold``. Every
    readout becomes an ``Output``, that of a sum without memory directly. NIR has neither the kind
    of a readout nor the range of the inputs.

    ``from_nir`` with the same ``dt``, ``rule`` and ``start`` makes a network that computes the
    same.

    Parameters
    ----------
    network : SpikingNetwork
    dt : float
        Time of a step, in the unit of the time constants.
    rule : {"euler", "exponential"}
        Rule by which readers turn a time constant into a decay: ``1 - dt / tau``, or
        ``exp(-dt / tau)``.
    start : {"zero", "leak"}
        Initial value of the potentials for readers: zero, or ``v_leak``.
    exact : bool
        Whether to refuse properties that NIR cannot express: resets that subtract or take place in
        the next step, firing at the threshold, and readouts of potentials of spiking neurons.
        Otherwise they are left out.

    Returns
    -------
    NIRGraph

    Raises
    ------
    TypeError
        If ``network`` is not a network, or has neurons for which NIR has no node.
    ValueError
        If a weight or parameter is not finite, or if NIR cannot express a property of a layer or
        connection, such as the maximum of currents, with the names of both.
    """
    check_network(network)
    check_finite(network.layers, network.connections)
    return _Writer(network, Rules(dt, rule, start=start), exact).graph()


class _Writer:
    """Makes the nodes and edges of a graph from a network."""

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
        names = [part.name for part in (*network.inputs, *network.layers)]
        for declared in network.inputs:
            self.nodes[declared.name] = nir.Input({"input": np.array(self.shapes[declared.name])})
            self.spikes[declared.name] = declared.name
        self.taken = set(names)
        nodes = {layer.name: self._layer(layer) for layer in network.layers}
        for layer in network.layers:
            self._connect(layer, nodes[layer.name])
        for readout in network.readouts:
            self._read(readout, nodes[readout.population])
        return nir.NIRGraph(self.nodes, self.edges)

    def _fresh(self, name: str) -> str:
        label, n = name, 1
        while label in self.taken:
            n += 1
            label = f"{name}_{n}"
        self.taken.add(label)
        return label

    def _arrange(self) -> None:
        """Choose the layers that keep the arrangement of their neurons; others become flat."""
        network = self.network
        for part in (*network.inputs, *network.layers):
            self.shapes[part.name] = part.shape if isinstance(part.shape, tuple) else (part.size,)
        again = True
        while again:
            again = False
            for layer in network.layers:
                if len(self.shapes[layer.name]) > 1 and not self._keeps(layer):
                    self.shapes[layer.name] = (layer.size,)
                    again = True

    def _keeps(self, layer: Layer) -> bool:
        shape = self.shapes[layer.name]
        bias = written(layer, self.rules, shape, self.exact).bias
        into = [
            connection for connection in self.network.connections if connection.target == layer.name
        ]
        for connection in into:
            source = self.shapes[connection.source]
            if connection.kind == "one_to_one" and (
                source == shape or (bias is None and _flattened(source, shape))
            ):
                continue
            pooled = bias is None and self._pool(connection) is not None
            if not pooled and self._window(connection) is None:
                return False
        if bias is not None and _by_channel(bias, shape) is None:
            return False
        return any(connection.kind != "one_to_one" for connection in into) or (
            bias is None and bool(into)
        )

    def _window(self, connection: Connection) -> dict[str, Any] | None:
        """Return the convolution of a connection between arranged neurons, or None."""
        source, target = self.shapes[connection.source], self.shapes[connection.target]
        if (
            len(source) != len(target)
            or len(source) not in {2, 3}
            or connection.kind == "one_to_one"
        ):
            return None
        key = f"{connection.name} {source} {target}"
        if key not in self.windows:
            geometry = connection.convolution
            if geometry is None:
                window = convolution(_weights(connection), source, target)
            else:
                _check_sums(connection)
                fits = (geometry.shape, geometry.target_shape) == (source, target)
                window = kernel(_own_weights(connection), geometry) if fits else None
            if window is not None and not _is_known(window, source, target):
                window = None
            self.windows[key] = window
        return self.windows[key]

    def _pool(self, connection: Connection) -> Pool | None:
        """Return how a connection sums or averages over windows, or None for another one."""
        geometry = connection.convolution
        ends = self.shapes[connection.source], self.shapes[connection.target]
        if geometry is None or ends != (geometry.shape, geometry.target_shape):
            return None
        _check_sums(connection)
        return pool(_own_weights(connection), geometry)

    def _layer(self, layer: Layer) -> Written:
        if layer.coupling is not None:
            raise ValueError(
                f"Coupling of layer {layer.name!r} must be None to be in NIR, not "
                f"{type(layer.coupling).__name__}"
            )
        node = written(layer, self.rules, self.shapes[layer.name], self.exact)
        name = layer.name
        kinds = {readout.kind for readout in self.network.readouts if readout.population == name}
        feeds = any(connection.source == name for connection in self.network.connections)
        if node.node is None:
            return node
        self.nodes[name] = node.node
        self.spikes[name] = self.potentials[name] = name
        if node.threshold is not None and (feeds or kinds & {"count", "first"} or not kinds):
            behind = self.spikes[name] = self._fresh(f"{name}_spikes")
            self.nodes[behind] = node.threshold
            self.edges.append((name, behind))
        return node

    def _connect(self, layer: Layer, node: Written) -> None:
        into = [
            connection for connection in self.network.connections if connection.target == layer.name
        ]
        bias, holder = node.bias, None
        if bias is not None:
            if not into:
                raise ValueError(
                    f"Layer {layer.name!r} must have a connection to be in NIR: a bias alone has "
                    "no node"
                )
            holder = min(
                into,
                key=lambda connection: (
                    connection.kind == "one_to_one",
                    connection.source == connection.target,
                ),
            )
        if node.node is None:
            target = self.spikes[layer.name] = layer.name
            self._output(target, self.shapes[layer.name])
        for connection in into:
            self._project(connection, bias if connection is holder else None)

    def _output(self, name: str, shape: Shape) -> None:
        import nir

        self.nodes[name] = nir.Output({"output": np.array(shape)})

    def _project(self, connection: Connection, bias: np.ndarray | None) -> None:
        """Add the nodes of a connection."""
        import nir

        _check_sums(connection)
        shape, target = self.shapes[connection.source], self.shapes[connection.target]
        before = self.spikes[connection.source]
        itself = connection.source == connection.target
        if connection.dynamics is not None:
            raise ValueError(
                f"Dynamics of {connection.name!r} must be None to be in NIR, not "
                f"{type(connection.dynamics).__name__}"
            )
        if connection.late and not (itself and connection.delay == 1):
            time = connection.delay
            delay = np.full(
                shape, time.seconds if isinstance(time, Duration) else time * self.rules.dt
            )
            before = self._node(
                f"{connection.source}_to_{connection.target}_delay", nir.Delay(delay), before
            )
        name = f"{connection.source}_to_{connection.target}"
        plain = not itself or len(shape) > 1  # readers expect a matrix in a recurrent connection
        window = self._window(connection)
        pooled = self._pool(connection) if bias is None else None
        if pooled is not None:
            node = (nir.AvgPool2d if pooled.averages else nir.SumPool2d)(*pooled.windows)
            if pooled.factors is not None:
                before = self._node(f"{name}_sums", node, before)
                factors = pooled.factors.reshape(-1, *[1] * (len(target) - 1))
                node = nir.Scale(np.broadcast_to(factors, target).copy())
        elif window is not None and (shift := _by_channel(bias, target)) is not None:
            node = _convolve(window, shape, shift)
        elif connection.kind == "one_to_one" and bias is None and plain and (
            shape == target or _flattened(shape, target) is not None
        ):  # fmt: skip
            node = nir.Scale(_weights(connection).reshape(shape))
            if shape != target:
                before = self._node(f"{name}_scale", node, before)
                start, end = _flattened(shape, target) or (0, 0)
                node = nir.Flatten({"input": np.array(shape)}, start_dim=start, end_dim=end)
        else:
            weights = _weights(connection)
            if len(shape) > 1:
                flat = nir.Flatten({"input": np.array(shape)}, start_dim=0)
                before = self._node(f"{name}_flat", flat, before)
            matrix = np.diag(weights) if connection.kind == "one_to_one" else weights
            narrowed = None if bias is None else _narrow(bias, matrix.dtype)
            node = nir.Linear(matrix) if narrowed is None else nir.Affine(matrix, narrowed)
        self.edges.append((self._node(name, node, before), connection.target))

    def _node(self, name: str, node: Any, before: str) -> str:
        label = self._fresh(name)
        self.nodes[label] = node
        self.edges.append((before, label))
        return label

    def _read(self, readout: Any, node: Written) -> None:
        if readout.groups is not None:
            raise ValueError(
                f"Readout {readout.name!r} must have a class for each neuron to be in NIR, not "
                f"{readout.groups} groups: NIR has no word for what is made of outputs"
            )
        if node.node is None:  # the sum is an output itself
            return
        name = readout.population
        spikes = readout.kind in {"count", "first"}
        if not spikes and self.network.layer[name].cell.spiking and node.threshold is None:
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


def _own_weights(connection: Connection) -> np.ndarray:
    """Return the weights that a connection has: those of a convolution are its kernel."""
    return connection.masked().detach().cpu().numpy()


def _weights(connection: Connection) -> np.ndarray:
    """Return the weights of all pairs, or of a connection from one neuron to one."""
    weights = _own_weights(connection)
    if connection.convolution is None:
        return weights
    try:
        return connection.matrix().astype(weights.dtype)
    except ValueError as error:
        raise ValueError(
            f"Connection {connection.name!r} must be a node of NIR, with even padding and a bias "
            f"for each channel, or small enough for a matrix: {error}"
        ) from None


def _check_sums(connection: Connection) -> None:
    """Raise :exc:`ValueError` if a connection has the maximum of its sums, with its name."""
    if connection.pooling is not None:
        raise ValueError(
            f"Pooling of {connection.name!r} must be None to be in NIR, not "
            f"{connection.pooling}: SumPool2d and AvgPool2d add, and no node has a maximum; train "
            "with average pooling, or with a stride"
        )


def _flattened(shape: Shape, target: Shape) -> tuple[int, int] | None:
    """Return the first and last of the axes that become one, where no others change, or None."""
    joined = len(shape) - len(target)
    for start in range(len(target) if joined > 0 else 0):
        end = start + joined
        if (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]) == target:
            return start, end
    return None


def _narrow(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Return numbers in another format if it represents them exactly, or else unchanged."""
    narrow = values.astype(dtype)
    return narrow if (narrow == values).all() else values


def _is_known(window: dict[str, Any], source: Shape, target: Shape) -> bool:
    """Tell whether NIR infers the right shape, as it assumes square kernels."""
    node = _convolve(window, source, np.zeros(target[0]))
    return tuple(int(size) for size in node.output_type["output"]) == target


def _by_channel(bias: np.ndarray | None, shape: Shape) -> np.ndarray | None:
    """Return a bias per channel; None where the neurons of a channel have different biases."""
    if bias is None:
        return np.zeros(shape[0])
    rows = bias.reshape(shape[0], prod(shape[1:]))
    return rows[:, 0] if (rows == rows[:, :1]).all() else None


def _convolve(window: dict[str, Any], shape: Shape, bias: np.ndarray) -> Any:
    import nir

    kind = nir.Conv1d if len(shape) == 2 else nir.Conv2d
    weight = window["weight"]
    options = {name: window[name] for name in ("stride", "padding", "dilation")}
    inside: Any = shape[1:]
    if len(shape) == 2:
        inside, options = inside[0], {name: value[0] for name, value in options.items()}
    narrowed = _narrow(bias, weight.dtype)
    return kind(input_shape=inside, weight=weight, groups=1, bias=narrowed, **options)
