"""Integer networks of the hardware as networks of tensors, which compute the same bits."""

from typing import Any

import numpy as np

from spiker_hdl.model import Convolution, Network, OneToOne, Sparse
from spiker_hdl.model.rules.refusal import refuse_rules
from spiker_train.network.cell import IntegerCell
from spiker_train.network.convolution import MaxPool, Window
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.network import SpikingNetwork

__all__ = ["as_tensors"]

MOST_BITS = 16


def as_tensors(network: Network) -> tuple[SpikingNetwork, Quantization]:
    """Return a network of tensors with the integers of ``network``, and its quantization.

    A run with this quantization computes what the hardware computes. Weights are integers times
    two to the power of the projection's shift.

    Raises
    ------
    ValueError
        If a weight has more than 16 bits, sums that are pooled are not those of a convolution, or
        the network has a rule of learning.
    """
    refuse_rules(network, "Tensors")
    connections, bits, shifts = [], {}, {}
    for projection in network.projections:
        if projection.width > MOST_BITS:
            raise ValueError(
                f"Weights of {projection.name!r} must have at most {MOST_BITS} bits, "
                f"not {projection.width}"
            )
        options: dict[str, Any] = {"delay": projection.delay, "name": projection.name}
        options["receptor"] = projection.receptor
        synapses, pooling = projection.synapses, projection.pooling
        if isinstance(synapses, Convolution):
            weights, options["kind"] = synapses.values, "convolution"
            names = "stride", "padding", "dilation", "groups", "shape"
            options["window"] = Window(**{name: getattr(synapses, name) for name in names})
            if pooling is not None:
                options["pooling"] = MaxPool(
                    pooling.size, pooling.stride, pooling.padding, pooling.dilation
                )
        elif pooling is not None:
            raise ValueError(
                f"Pooling of {projection.name!r} must be of the sums of a convolution, not of "
                f"{type(synapses).__name__} synapses"
            )
        elif isinstance(synapses, OneToOne):
            weights, options["kind"] = synapses.values, "one_to_one"
        else:
            weights = synapses.matrix()
        if isinstance(synapses, Sparse):
            mask = np.zeros(weights.shape, dtype=np.int64)
            mask[synapses.targets, synapses.sources] = 1
            options |= {"kind": "sparse", "mask": mask}
        connections.append(
            Connection(
                projection.source,
                projection.target,
                weights.astype(float) * 2.0**projection.shift,
                **options,
            )
        )
        bits[projection.name] = max(2, projection.width)
        shifts[projection.name] = projection.shift
    layers = []
    for population in network.populations:
        bias: Any = population.bias
        if isinstance(bias, tuple):
            bias = np.array(bias, dtype=float)
        layers.append(
            Layer(
                population.name,
                population.shape,
                IntegerCell(population.neuron, scale=1.0),
                float(bias) if isinstance(bias, int) and bias else bias if np.any(bias) else False,
                population.coupling,
            )
        )
    net = SpikingNetwork(network.inputs, layers, connections, network.readouts, name=network.name)
    return net, Quantization(weights=bits, shifts=shifts).fit(net)
