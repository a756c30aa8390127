"""Maxima of spikes: neurons that fire once in a step where a spike of their window does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from spiker_hdl.model import If
from spiker_train.formats.snntorch.trace.flow import INPUT, Trace
from spiker_train.linear.compose import Chain, Folded, LinearMap, MaxPool, Scale, compose
from spiker_train.linear.kernel import Kernel
from spiker_train.network.cell import IntegerCell

__all__ = ["Pool", "Pools", "in_order"]


@dataclass(frozen=True)
class Pool:
    """A layer of neurons, each of which fires where a spike of its window does.

    Members
    -------
    label : str
        Label of the layer, with the name of the map.
    source : str
        Label of the neurons, the input or the layer whose spikes are pooled.
    target : str
        Label of the first neurons that it reaches.
    folded : Folded
        The number of spikes in each window.
    """

    label: str
    source: str
    target: str
    folded: Folded

    @property
    def cell(self) -> IntegerCell:
        """The neurons: one spike reaches their threshold, and a spike leaves nothing behind."""
        most = prod(self.folded.operator.values.shape) // self.folded.input_shape[0]
        width = most.bit_length() + 1
        return IntegerCell(If(width=width, threshold=1, fire=">=", reset="zero"), scale=1.0)


@dataclass
class Pools:
    """The maxima of spikes of a traced module.

    Members
    -------
    trace : Trace
        Its shapes get those of the layers.
    first : sequence of LinearMap
        Maps that act on the input first.
    binary : bool
        Whether the input has no values but 0 and 1.
    layers : dict of str to Pool
    """

    trace: Trace
    first: Sequence[LinearMap]
    binary: bool
    layers: dict[str, Pool] = field(default_factory=dict)

    def split(self, source: str, maps: list, target: str) -> tuple[str, list[LinearMap]]:
        """Return the last layer of maxima of spikes that maps begin with, and the maps behind it.

        Where they begin with none, it is their source.

        Raises
        ------
        ValueError
            If the input has values, whose maximum is none of spikes.
        """
        maps = [*(self.first if source == INPUT else []), *maps]
        while any(isinstance(linear_map, MaxPool) for linear_map in maps):
            at = [isinstance(linear_map, MaxPool) for linear_map in maps].index(True)
            before = compose(maps[:at], self.trace.shapes[source], before=source)
            factor = _one_factor(before.chain)
            if factor is None:
                break
            pool = maps[at]
            if source == INPUT and not self.binary:
                raise ValueError(
                    f"{pool} must be of spikes or behind a convolution, not of an input with "
                    "values: pool samples before the network"
                )
            source = self._layer(pool, source, before.output_shape, target)
            maps = [*([] if factor == 1 else [Scale(factor)]), *maps[at + 1 :]]
        return source, maps

    def _layer(self, pool: MaxPool, source: str, shape: Sequence[int], target: str) -> str:
        pooling = pool.pooling(tuple(shape), source)
        for known in self.layers.values():
            folded = known.folded
            assert isinstance(folded.operator, Kernel)
            ends = folded.input_shape, folded.operator.windows
            if known.source == source and ends == (tuple(shape), pooling.windows):
                return known.label
        label = plain = str(pool)
        n = 1
        while label in self.layers:
            n += 1
            label = f"{plain} {n}"
        ones = np.ones((shape[0], 1, *pooling.size))
        kernel = Kernel(ones, pooling.windows, shape[0])
        chain = Chain(kernel, maps=(plain,), kept=(plain,))
        folded = Folded(chain, None, tuple(shape), pooling.target_shape)
        self.trace.shapes[label] = pooling.target_shape
        self.layers[label] = Pool(label, source, target, folded)
        return label


def _one_factor(chain: Chain) -> float | None:
    """Return the positive number by which all values are multiplied, each at its own place."""
    values = chain.operator.values
    if isinstance(chain.operator, Kernel) or not chain.operator.is_diagonal:
        return None
    if len(values) < chain.operator.shape[0] or not values[0] > 0 or (values != values[0]).any():
        return None
    return float(values[0])


def in_order(edges: dict[str, tuple], pools: Pools) -> dict[str, tuple]:
    """Return the maps that reach each layer, those of maxima in front of what they reach."""
    ordered: dict[str, tuple] = {}
    for label, own in edges.items():
        for pool in pools.layers.values():
            if pool.target == label:
                ordered[pool.label] = {(pool.source, 0): [pool.folded]}, False
        ordered[label] = own
    return ordered
