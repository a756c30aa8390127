"""Trials of a returned value on random spikes and potentials, which show how it depends on them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spiker_train.formats.snntorch.trace.flow import INPUT, Source, Trace
from spiker_train.formats.snntorch.trace.tape import Leaf, Operation, Ref, Tape

__all__ = ["Expression", "Probe", "affine_in"]

SAMPLES = 96
MANY = 2**20
LARGE = 1000  # from this draw on, values are large, which shows where they are clipped
FLAT = {"erf", "exp", "expm1", "log_softmax", "logsigmoid", "sigmoid", "sigmoid_", "softmax",
        "softmax_", "softplus", "softsign", "tanh", "tanh_"}  # fmt: skip
"""Functions that are strictly increasing, but whose values round to the same far from zero."""

Values = dict[tuple[str, str], torch.Tensor]


@dataclass(frozen=True)
class Expression:
    """A returned value: one of the tape, or several that are stacked, one per step."""

    refs: tuple[Ref, ...]
    stacked: bool = False


class Probe:
    """Recomputes a returned value from other outputs of the neurons.

    Parameters
    ----------
    trace : Trace
    lead : int
        Number of axes before those of a sample: 1, or 2 where neurons take all steps at once.
    """

    def __init__(self, trace: Trace, lead: int):
        assert trace.tape is not None
        self.tape: Tape = trace.tape
        self.lead = lead
        self.shapes: dict[tuple[str, str], tuple[int, ...]] = {}
        for entry in self.tape.entries:
            if isinstance(entry, Leaf) and entry.source.name in trace.calls:
                key = entry.source.name, entry.source.what
                steps = len(trace.calls[entry.source.name])
                self.shapes[key] = tuple(entry.shape) if lead == 2 else (steps, *entry.shape)
        first = next(iter(self.shapes.values()))
        self.steps, self.samples = first[:2]
        self.values: dict[tuple[tuple[str, str], int], torch.Tensor] = {}

    def keys(self, what: Expression) -> list[tuple[str, str]]:
        """Return the labels and names of the outputs that a value depends on."""
        sources = self.tape.sources(what.refs)
        return sorted({(source.name, source.what) for source in sources if source.name != INPUT})

    def drawn(self, key: tuple[str, str], n: int) -> torch.Tensor:
        """Return random spikes or a random state, of shape (steps, samples, ...)."""
        if (key, n) not in self.values:
            generator = torch.Generator().manual_seed(12 + n + 1000 * list(self.shapes).index(key))
            shape, exact = self.shapes[key], torch.float64
            if key[1] == "spikes":
                often = min(0.5, 6 / self.steps) if n < LARGE else 0.95
                value = (torch.rand(shape, generator=generator) < often).to(exact)
            else:
                spread = 2 / self.steps**0.5 if n < LARGE else 1000.0
                value = torch.randn(shape, generator=generator, dtype=exact) * spread
            self.values[key, n] = value
        return self.values[key, n]

    def draw(self, what: Expression, n: int) -> Values:
        """Return random outputs for a value."""
        return {key: self.drawn(key, n) for key in self.keys(what)}

    def compute(self, what: Expression, values: Values) -> torch.Tensor:
        """Compute a value from outputs of the neurons."""

        def value_of(source: Source) -> torch.Tensor:
            known = values[source.name, source.what]
            return known if self.lead == 2 else known[source.step or 0]

        results = self.tape.replay(what.refs, value_of)
        return torch.stack(results) if what.stacked else results[0]

    def draws(self, what: Expression) -> list[Values]:
        """Return random outputs for a value: large ones too, unless its functions saturate."""
        count = max(2, -(-SAMPLES // self.samples)) if self._size(what) < MANY else 2
        entries = [self.tape.entries[n] for n in self.tape.needed(what.refs)]
        names = {entry.name for entry in entries if isinstance(entry, Operation)}
        large = [] if names & FLAT else [LARGE]
        return [self.draw(what, n) for n in [*range(count), *large]]

    def few(self, what: Expression) -> int:
        """Return the number of samples of each draw that are compared."""
        return max(1, MANY // (self._size(what) // self.samples))

    def _size(self, what: Expression) -> int:
        return sum(int(np.prod(self.shapes[key])) for key in self.keys(what))

    def axis_of_samples(self, what: Expression) -> int | None:
        """Return the axis of samples; None where samples are mixed or there is no such axis."""
        if self.samples == 1:
            shape = self.compute(what, self.draw(what, 0)).shape
            return next((n for n, size in enumerate(shape) if size == 1), None)
        return self._axis(what, 1, self.samples, exactly=True)

    def axis_of_steps(self, what: Expression, samples: int | None) -> int | None:
        """Return the axis of steps, along which no element depends on a later step."""
        if self.steps == 1:
            return None
        return self._axis(what, 0, self.steps, exactly=False, but=samples)

    def _axis(
        self, what: Expression, of: int, count: int, *, exactly: bool, but: int | None = None
    ) -> int | None:
        drawn, other = self.draw(what, 0), self.draw(what, 1)
        before = self.compute(what, drawn)
        axes = [n for n, size in enumerate(before.shape) if size == count and n != but]
        for at in range(count) if count <= 8 else (0, 1, count // 2, count - 2, count - 1):
            if not axes:
                return None
            mixed = {key: _put(value, other[key], of, at) for key, value in drawn.items()}
            changed = self.compute(what, mixed) != before
            axes = [n for n in axes if _stays(changed, n, at, exactly=exactly)]
        return axes[0] if axes else None


def _put(value: torch.Tensor, other: torch.Tensor, axis: int, at: int) -> torch.Tensor:
    value = value.clone()
    value.select(axis, at).copy_(other.select(axis, at))
    return value


def _stays(changed: torch.Tensor, axis: int, at: int, *, exactly: bool) -> bool:
    """Tell whether only this index of an axis changed, or, unless ``exactly``, later ones too."""
    changes = changed.movedim(axis, 0).flatten(1).any(1) if changed.ndim > 1 else changed
    return not bool(changes[:at].any()) and not (exactly and bool(changes[at + 1 :].any()))


def affine_in(
    probe: Probe, function: Callable[[Values], torch.Tensor], keys: Iterable[tuple[str, str]]
) -> tuple[dict[tuple[str, str], np.ndarray], np.ndarray] | None:
    """Return the factors and the constant of an affine function of outputs; None if it is not.

    Parameters
    ----------
    probe : Probe
    function : callable
        From outputs to an array of shape (samples, values).
    keys : iterable of (str, str)
        Labels and names of the outputs that it depends on.
    """
    keys = sorted(keys)
    generator = torch.Generator().manual_seed(21)
    first, other = (
        {key: torch.randn(probe.shapes[key], generator=generator, dtype=torch.float64)
         for key in keys}
        for _ in range(2)
    )  # fmt: skip
    mixed = {key: 0.25 * first[key] + 0.75 * other[key] for key in first}
    try:
        expected = 0.25 * function(first) + 0.75 * function(other)
        near = torch.allclose(function(mixed), expected, rtol=1e-7, atol=1e-7)
    except (RuntimeError, IndexError):
        return None
    if not near:
        return None
    with torch.enable_grad():
        variables = {key: value.requires_grad_() for key, value in first.items()}
        result = function(variables)
        if not result.requires_grad:
            return None
        rows = [
            torch.autograd.grad(
                value, [variables[key] for key in keys], retain_graph=True, allow_unused=True
            )
            for value in result[0]
        ]
    factors = {
        key: np.stack([_of_first(row[n], probe.shapes[key]) for row in rows])
        for n, key in enumerate(keys)
    }
    nothing = {key: torch.zeros(probe.shapes[key], dtype=torch.float64) for key in keys}
    added = function(nothing)[0].numpy()
    rebuilt = added + sum(
        np.tensordot(factors[key], first[key].detach()[:, 0].flatten(1).numpy(), ((1, 2), (0, 1)))
        for key in keys
    )
    return (
        (factors, added) if np.allclose(rebuilt, result[0].detach().numpy(), 1e-7, 1e-7) else None
    )


def _of_first(gradient: torch.Tensor | None, shape: Sequence[int]) -> np.ndarray:
    if gradient is None:
        return np.zeros((shape[0], int(np.prod(shape[2:]))))
    return gradient[:, 0].flatten(1).numpy()
