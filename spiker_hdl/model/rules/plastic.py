"""A projection whose weights change: the reference of a rule of learning, in NumPy."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from spiker_hdl.model.neurons.arithmetic import ARRAYS
from spiker_hdl.model.synapses.sparse import Sparse

from .rounding import random_bits, rounded, row_words

if TYPE_CHECKING:
    from spiker_hdl.model.graph import Projection
    from spiker_hdl.model.network import Network

__all__ = ["Plastic", "plastic"]

SIDES = ("pre", "post", "pair")


class Plastic:
    """Weights and traces of a projection during a sample, for visited pairs only.

    Parameters
    ----------
    network : Network
    projection : Projection
        One with a rule, whose weights and traces have an array for all pairs.
    """

    pair_shape: tuple[int, ...]

    def __init__(self, network: "Network", projection: "Projection"):
        assert projection.rule is not None
        assert projection.bits is not None
        self.projection = projection
        self.rule = rule = projection.rule
        self.number = network.projections.index(projection)
        self.sizes = projection.synapses.source_size, projection.synapses.target_size
        self.weight_range = rule.weight_range(projection.bits)
        self.idle_without_third = network.rule_bounds[projection.name].idle_without_third
        self.p = rule.bind({
            name: np.asarray(value.value, dtype=np.int64) for name, value in rule.parameters.items()
        })
        self.p.low, self.p.high = self.weight_range
        self.visits = frozenset(rule.visits)
        self.weights: np.ndarray = self.stored()
        self.names = {side: [trace.name for trace in rule.of_side(side)] for side in SIDES}
        self.begin()

    def begin(self) -> None:
        """Begin a sample: all traces are 0."""
        shapes = {"pre": self.sizes[0], "post": self.sizes[1], "pair": self.weights.shape}
        self.traces = {
            side: {name: np.zeros(shapes[side], dtype=np.int64) for name in self.names[side]}
            for side in SIDES
        }
        self.kept: np.ndarray | None = None
        if self.rule.apply == "sample":
            self.kept = np.zeros(self.weights.shape, dtype=np.int64)

    def step(
        self, word: int, pre_events: np.ndarray, post_events: np.ndarray, potential: Any
    ) -> None:
        """Take the events of a step: traces, and weights where the rule changes them now.

        Parameters
        ----------
        word : int
            :func:`~.rounding.step_word` of the step.
        pre_events, post_events : array of bool
            Of sources and targets.
        potential : array of int
            Potentials of the targets after the step.
        """
        rows = self._rows(pre_events)
        columns = post_events.nonzero()[0] if "on_post" in self.visits else None
        decayed = {
            side: self.rule.decayed(side, self.p, self.traces[side], ARRAYS) for side in SIDES
        }
        pre = SimpleNamespace(event=pre_events, **decayed["pre"])
        post = SimpleNamespace(event=post_events, potential=potential, **decayed["post"])
        after = dict(decayed["pair"])
        per_step = self.rule.third is None
        if per_step or after:
            for block in self.blocks(rows, columns):
                operands = self.operands(block, pre, post, decayed["pair"])
                if per_step:
                    change = self.rule.update(self.p, *operands, None, ARRAYS)
                    self._keep(block, word, change)
                for name, value in self.rule.pair_step(self.p, *operands, ARRAYS).items():
                    if after[name] is decayed["pair"][name]:
                        after[name] = after[name].copy()
                    after[name][self.at(block)] = value
        self.traces = {
            "pre": _full(self.rule.pre_step(self.p, pre, ARRAYS), self.sizes[0]),
            "post": _full(self.rule.post_step(self.p, post, ARRAYS), self.sizes[1]),
            "pair": after,
        }

    def end(self, word: int, third: np.ndarray | None) -> None:
        """End a sample: apply what was kept, or what the third factor makes of the traces."""
        everything = self.blocks(np.arange(self.sizes[0]), None)
        if self.kept is not None:
            for block in everything:
                self._change(block, word, self.kept[self.at(block)])
        if third is None or (self.idle_without_third and not third.any()):
            return
        never = np.zeros(self.sizes[0], dtype=bool)
        pre = SimpleNamespace(event=never, **self.traces["pre"])
        post = SimpleNamespace(
            event=np.zeros(self.sizes[1], dtype=bool),
            potential=np.zeros(self.sizes[1], dtype=np.int64),
            **self.traces["post"],
        )
        if "at_sample_end" not in self.visits:
            everything = self.blocks(self._rows(never), None)
        third = np.broadcast_to(third, self.sizes[1])
        for block in everything:
            operands = self.operands(block, pre, post, self.traces["pair"])
            factor = self.of_targets(block, third)
            self._change(block, word, self.rule.update(self.p, *operands, factor, ARRAYS))

    def _rows(self, events: np.ndarray) -> np.ndarray:
        """Return the rows that are visited because of their source, or of traces that live."""
        visited = np.zeros(self.sizes[0], dtype=bool)
        if "on_pre" in self.visits:
            visited |= events
        if "while_alive" in self.visits:
            for trace in self.traces["pre"].values():
                visited |= trace != 0
            for trace in self.traces["pair"].values():
                visited |= self.rows_with(trace != 0)
        return visited.nonzero()[0]

    def _keep(self, block: Any, word: int, change: Any) -> None:
        if self.kept is None:
            self._change(block, word, change)
        else:
            self.kept[self.at(block)] += change

    def _change(self, block: Any, word: int, change: Any) -> None:
        """Round a change of the weights of a block, add it and saturate."""
        rule, random = self.rule, None
        if rule.rounding == "stochastic" and rule.shift:
            sources, targets = self.ends(block)
            random = random_bits(row_words(word, sources), targets, rule.shift)
        if rule.shift:
            change = rounded(change, rule.shift, rule.rounding, random, ARRAYS)
        at = self.at(block)
        self.weights[at] = np.clip(self.weights[at] + change, *self.weight_range)

    # What follows depends on how the pairs are arranged.

    def stored(self) -> np.ndarray:
        """Return a copy of the weights, as they are arranged here."""
        raise NotImplementedError

    @property
    def values(self) -> np.ndarray:
        """Weights as the synapses store them."""
        raise NotImplementedError

    def sums(self, events: np.ndarray) -> np.ndarray:
        """Return the weighted sum of each target, before the shift of the projection."""
        raise NotImplementedError

    def rows_with(self, test: np.ndarray) -> np.ndarray:
        """Tell for each source whether a test holds for any of its pairs."""
        raise NotImplementedError

    def blocks(self, rows: np.ndarray, columns: np.ndarray | None) -> list:
        """Return disjoint blocks of all pairs in some rows or in some columns."""
        raise NotImplementedError

    def at(self, block: Any) -> Any:
        """Return the index of a block in arrays of pairs."""
        raise NotImplementedError

    def ends(self, block: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return sources and targets of a block, to be broadcast."""
        raise NotImplementedError

    def of_targets(self, block: Any, values: np.ndarray) -> np.ndarray:
        """Return values of targets for the pairs of a block, to be broadcast."""
        raise NotImplementedError

    def of_sources(self, block: Any, values: np.ndarray) -> np.ndarray:
        """Return values of sources for the pairs of a block, to be broadcast."""
        raise NotImplementedError

    def operands(self, block: Any, pre: Any, post: Any, pair: Any) -> tuple[Any, Any, Any]:
        """Return source, target and pair of a block's update."""
        at = self.at(block)
        synapse = {name: trace[at] for name, trace in pair.items()}
        return (
            SimpleNamespace(**{n: self.of_sources(block, v) for n, v in vars(pre).items()}),
            SimpleNamespace(**{n: self.of_targets(block, v) for n, v in vars(post).items()}),
            SimpleNamespace(weight=self.weights[at], **synapse),
        )


def _full(traces: dict[str, Any], size: int) -> dict[str, np.ndarray]:
    """Return traces as arrays, where a step may return one number for all."""
    return {
        name: value if np.shape(value) == (size,) else np.full(size, value, dtype=np.int64)
        for name, value in traces.items()
    }


class _DensePlastic(Plastic):
    """All pairs: arrays of the shape (sources, targets), a row for each source."""

    def stored(self) -> np.ndarray:
        return np.array(self.projection.synapses.matrix().T, dtype=np.int64, order="C")

    @property
    def values(self) -> np.ndarray:
        return self.weights.T

    def sums(self, events: np.ndarray) -> np.ndarray:
        active = events.nonzero()[0]
        rows = self.weights[active]
        if events.dtype == bool:
            return rows.sum(axis=0)
        return events[active].astype(np.int64) @ rows

    def rows_with(self, test: np.ndarray) -> np.ndarray:
        return np.any(test, axis=1)

    def blocks(self, rows: np.ndarray, columns: np.ndarray | None) -> list:
        blocks: list = [(rows, slice(None))] if len(rows) else []
        if columns is None or not len(columns) or len(rows) == self.sizes[0]:
            return blocks
        if not len(rows):
            return [(slice(None), columns)]
        others = np.ones(self.sizes[0], dtype=bool)
        others[rows] = False
        return [*blocks, (others.nonzero()[0], columns)]

    def at(self, block: Any) -> Any:
        rows, columns = block
        if isinstance(rows, slice) or isinstance(columns, slice):
            return rows, columns
        return rows[:, None], columns

    def ends(self, block: Any) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = block
        return np.arange(self.sizes[0])[rows][:, None], np.arange(self.sizes[1])[columns]

    def of_targets(self, block: Any, values: np.ndarray) -> np.ndarray:
        return values[block[1]]

    def of_sources(self, block: Any, values: np.ndarray) -> np.ndarray:
        return values[block[0]][:, None]


class _ListedPlastic(Plastic):
    """Listed pairs of sparse or one-to-one synapses: arrays of one axis, in storage order."""

    def __init__(self, network: "Network", projection: "Projection"):
        synapses = projection.synapses
        if isinstance(synapses, Sparse):
            self.sources, self.targets = synapses.sources, synapses.targets
        else:
            self.sources = self.targets = np.arange(synapses.source_size)
        super().__init__(network, projection)

    def stored(self) -> np.ndarray:
        return np.array(self.projection.synapses.values, dtype=np.int64)

    @property
    def values(self) -> np.ndarray:
        return self.weights

    def sums(self, events: np.ndarray) -> np.ndarray:
        products = self.weights * events[self.sources]
        return np.bincount(self.targets, products, minlength=self.sizes[1]).astype(np.int64)

    def rows_with(self, test: np.ndarray) -> np.ndarray:
        return np.bincount(self.sources, test, minlength=self.sizes[0]) > 0

    def blocks(self, rows: np.ndarray, columns: np.ndarray | None) -> list:
        chosen = np.isin(self.sources, rows)
        if columns is not None:
            chosen |= np.isin(self.targets, columns)
        return [chosen.nonzero()[0]] if chosen.any() else []

    def at(self, block: Any) -> Any:
        return block

    def ends(self, block: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.sources[block], self.targets[block]

    def of_targets(self, block: Any, values: np.ndarray) -> np.ndarray:
        return values[self.targets[block]]

    def of_sources(self, block: Any, values: np.ndarray) -> np.ndarray:
        return values[self.sources[block]]


def plastic(network: "Network", projection: "Projection") -> Plastic:
    """Return the weights and traces of a projection with a rule."""
    dense = projection.synapses.kind == "dense"
    return (_DensePlastic if dense else _ListedPlastic)(network, projection)
