"""The readout that gives the value that an snnTorch module returns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from spiker_hdl.model.graph import GROUPED
from spiker_train.formats.snntorch.trace.flow import INPUT, Trace, TraceError
from spiker_train.formats.snntorch.trace.tape import Operation, Ref, refs_in

from .head import Head, head_of, of_record
from .probe import Expression, Probe, Values, affine_in
from .returned import Returned, returned
from .scores import (
    agree_in_each_step,
    agrees,
    divides,
    grouped,
    on_a_line,
    said_of_groups,
    scale_of,
)

__all__ = ["Answer", "Answers"]

KINDS = "'count', 'last', 'largest', 'sum', 'first'"
POTENTIALS = {"last", "largest", "sum"}
LOOKED_AT = 40  # number of operations before the value that are searched for a readout


@dataclass
class Answer:
    """The readout of a population.

    Members
    -------
    label : str
        Label of the neurons; empty for a head.
    kind : str
        Kind of the readout.
    groups : int or None
        Number of classes, where the scores of several neurons per class are summed.
    head : Head or None
        Linear layer on the spikes, where one is read out.
    path : str
        Position of the value in what ``forward`` returns.
    recorded : bool
        Whether a value per step was returned, from which the readout computes its score.
    why : str
        Reason for the readout, for the report.
    scale : str
        Relation of the returned value to the score, for the report.
    """

    label: str
    kind: str
    why: str
    path: str = ""
    groups: int | None = None
    head: Head | None = None
    recorded: bool = False
    scale: str = ""

    def __str__(self) -> str:
        at = f" ({self.path} of what forward returns)" if self.path else ""
        return f"{self.why}{at}{self.scale}"


class Answers:
    """Finds the readout that computes a returned value.

    Parameters
    ----------
    trace : Trace
    lead : int
        Number of axes before those of a sample.
    again : callable
        Returns the trace of a sample with a given number of further steps, or None.
    """

    def __init__(self, trace: Trace, lead: int, again: Callable[[int], Trace | None]):
        self.probe = Probe(trace, lead)
        self.lead = lead
        self.again = again

    def find(self, output: Returned, readout: str | None = None) -> Answer | None:
        """Return the readout; None for a value that belongs to no sample, such as a mean of all.

        Raises
        ------
        ValueError
            If no readout has the order of its values.
        """
        what = output.what
        sources = self.probe.tape.sources(what.refs)
        if any(source.name == INPUT for source in sources):
            raise self._refused(output, "the input and neurons together", "")
        axis = self.probe.axis_of_samples(what)
        values = self.probe.compute(what, self.probe.draw(what, 0))
        if axis is None and values.ndim == 0:
            return None
        if axis is None and self.probe.samples > 1:
            raise self._refused(output, "several samples together", "")
        steps = self.probe.axis_of_steps(what, axis)
        if steps is not None or self.probe.steps == 1:
            answer = self._recorded(output, axis, steps, readout)
        else:
            answer = self._valued(output, axis)
        if answer is None:
            raise self._refused(output, *self._culprit(output))
        answer.path = output.path
        return answer

    # -- what a value is in numbers --

    def _rows(self, what: Expression, axis: int | None, values: Values) -> torch.Tensor:
        """Return values of shape (samples, values)."""
        value = self.probe.compute(what, values)
        if axis is None:
            return value.reshape(1, -1)
        return value.movedim(axis, 0).reshape(self.probe.samples, -1)

    def _frames(
        self, what: Expression, axis: int | None, steps: int | None, values: Values
    ) -> torch.Tensor:
        """Return values of shape (steps, samples, values)."""
        if steps is None:
            return self._rows(what, axis, values)[None]
        value = self.probe.compute(what, values)
        if axis is None:
            return value.movedim(steps, 0).reshape(self.probe.steps, 1, -1)
        value = value.movedim((steps, axis), (0, 1))
        return value.reshape(self.probe.steps, self.probe.samples, -1)

    def _all(self, what: Expression, function: Callable[[Values], torch.Tensor]) -> np.ndarray:
        """Return a function of all draws for a value, joined along the last axis but one."""
        few = self.probe.few(what)
        parts = [function(draw)[..., :few, :] for draw in self.probe.draws(what)]
        return torch.cat(parts, dim=-2).numpy()

    def _flat(self, what: Expression, key: tuple[str, str]) -> np.ndarray:
        """Return the outputs of neurons in all draws for a value: (steps, samples, neurons)."""
        few = self.probe.few(what)
        parts = [draw[key][:, :few].flatten(2) for draw in self.probe.draws(what)]
        return torch.cat(parts, dim=1).numpy()

    # -- values for each step --

    def _recorded(
        self, output: Returned, axis: int | None, steps: int | None, readout: str | None
    ) -> Answer | None:
        frames = self._all(output.what, lambda drawn: self._frames(output.what, axis, steps, drawn))
        whole = "in each step" if steps is not None else "for a step, the loop being elsewhere"
        for label, what in self.probe.keys(output.what):
            values = self._flat(output.what, (label, what))
            if what not in {"mem", "spikes"} or not divides(frames.shape[2], values.shape[2]):
                continue
            scores = grouped(values, frames.shape[2])
            groups, groups_text = said_of_groups(frames.shape[2], values.shape[2])
            if what == "mem" and agree_in_each_step(frames, scores):
                why = (
                    f"potentials of {label!r}{groups_text} are returned {whole}; "
                    "the last are the answer"
                )
                scale = scale_of(frames[-1], scores[-1])
                return Answer(label, "last", why, groups=groups, recorded=True, scale=scale)
            if what == "spikes" and on_a_line(frames, scores):
                why = f"spikes of {label!r}{groups_text} are returned {whole}; snnTorch counts them"
                return Answer(label, "count", why, groups=groups, recorded=True)
        head = self._head_of_record(output.what, axis, steps)
        if head is None or (head.decay == 0 and readout not in POTENTIALS):
            return None
        why = f"{head} is returned {whole}"
        why += "; the last values are the answer" if readout is None else ""
        return Answer("", readout or "last", why, head=head, recorded=True)

    def _head_of_record(self, what: Expression, axis: int | None, steps: int | None) -> Head | None:
        keys = self.probe.keys(what)
        if any(key[1] != "spikes" for key in keys):
            return None
        affine = affine_in(
            self.probe, lambda values: self._frames(what, axis, steps, values)[-1], keys
        )
        if affine is None:
            return None
        factors = {key[0]: factor for key, factor in affine[0].items()}
        head = head_of(factors, affine[1], self._name(what))
        if head is None:
            return None
        frames = self._all(what, lambda values: self._frames(what, axis, steps, values))
        return of_record(head, {key[0]: self._flat(what, key) for key in keys}, frames)

    # -- one value for a sample --

    def _valued(self, output: Returned, axis: int | None) -> Answer | None:
        try:
            values = self._all(
                output.what, lambda drawn: self._rows(output.what, axis, drawn).double()
            )
        except RuntimeError:
            return None
        ties = not self.probe.compute(
            output.what, self.probe.draw(output.what, 0)
        ).is_floating_point()
        for label, what in self.probe.keys(output.what):
            for kind, groups, scores in self._scores(output.what, (label, what), values.shape[1]):
                if agrees(values, scores, chosen=ties):
                    of = "spikes" if kind in {"count", "first"} else "potentials"
                    groups_text = "" if groups is None else f", summed in {groups} groups,"
                    why = f"{WORDS[kind]} of the {of} of {label!r}{groups_text} is returned"
                    scale = "" if ties else self._scaled(kind, values, scores)
                    return Answer(label, kind, why, groups=groups, scale=scale)
        return self._headed(output, axis, values, ties)

    def _scores(
        self, whole: Expression, key: tuple[str, str], size: int
    ) -> Iterator[tuple[str, int | None, np.ndarray]]:
        """Return the scores of all readouts of neurons, summed in groups where values are fewer."""
        recorded, what = self._flat(whole, key), key[1]
        by_kind: dict[str, np.ndarray] = {}
        if what == "mem":
            by_kind = {"last": recorded[-1], "largest": recorded.max(0), "sum": recorded.sum(0)}
        elif what == "spikes":
            by_kind = {"count": recorded.sum(0), "first": (1 - (1 - recorded).cumprod(0)).sum(0)}
        for kind, scores in by_kind.items():
            yield kind, None, scores
            neurons = scores.shape[1]
            if kind in GROUPED and size < neurons and divides(size, neurons):
                yield kind, size, grouped(scores, size)

    def _headed(
        self, output: Returned, axis: int | None, values: np.ndarray, ties: bool
    ) -> Answer | None:
        """Return a readout of a head that is found among the operands of the value."""
        for what in self._before(output.what):
            keys = self.probe.keys(what)
            if not keys or any(key[1] != "spikes" for key in keys):
                continue
            samples = self.probe.axis_of_samples(what)
            if samples is None and self.probe.samples > 1:
                continue
            steps = self.probe.axis_of_steps(what, samples)
            if steps is None:
                head = self._head(what, samples, output)
            else:
                head = self._head_of_record(what, samples, steps)
            if head is None:
                continue
            potentials = head.potentials({key[0]: self._flat(output.what, key) for key in keys})
            for kind, scores in (
                ("last", potentials[-1]),
                ("largest", potentials.max(0)),
                ("sum", potentials.sum(0)),
            ):
                if agrees(values, scores, chosen=ties):
                    why = f"{WORDS[kind]} of {head} is returned"
                    scale = "" if ties else self._scaled("sum", values, scores)
                    return Answer("", kind, why, head=head, scale=scale)
        return None

    def _head(self, what: Expression, axis: int | None, output: Returned) -> Head | None:
        keys = self.probe.keys(what)
        affine = affine_in(self.probe, lambda values: self._rows(what, axis, values), keys)
        if affine is None:
            return None
        factors = {key[0]: factor for key, factor in affine[0].items()}
        head = head_of(factors, affine[1], self._name(what))
        if head is None or not affine[1].any() or head.decay == 0:
            return head
        return self._with_bias(head, affine[1], what, output)

    def _with_bias(self, head: Head, added: np.ndarray, what: Expression, output: Returned) -> Head:
        """Tell from a longer sample whether a constant is added in each step, or once."""
        longer = self.again(1)
        if longer is None:
            return head
        place = self._before(output.what).index(what)
        others = {its.path: its.what for its in returned(longer)[0]}
        if output.path in others:
            other = Answers(longer, self.lead, lambda _: None)
            affine = other._affine_at(others[output.path], place)
            if affine is not None and other.probe.steps == self.probe.steps + 1:
                return _biased(head, added, affine, self.probe.steps, output)
        return head

    def _affine_at(self, whole: Expression, place: int) -> tuple[dict, np.ndarray] | None:
        many = self._before(whole)
        if place >= len(many):
            return None
        what = many[place]
        axis = self.probe.axis_of_samples(what)
        return affine_in(
            self.probe, lambda values: self._rows(what, axis, values), self.probe.keys(what)
        )

    def _before(self, what: Expression) -> list[Expression]:
        """Return a value and its operands, the nearest first."""
        before, waiting = [what], list(what.refs) if not what.stacked else []
        seen = set(waiting)
        while waiting and len(before) < LOOKED_AT:
            ref = waiting.pop(0)
            if Expression((ref,)) not in before:
                before.append(Expression((ref,)))
            entry = self.probe.tape.entries[ref.entry]
            if isinstance(entry, Operation):
                for inner in refs_in((entry.args, entry.kwargs)):
                    if inner not in seen and self.probe.keys(Expression((inner,))):
                        seen.add(inner)
                        waiting.append(inner)
        return before

    # -- words --

    def _scaled(self, kind: str, values: np.ndarray, scores: np.ndarray) -> str:
        scale = scale_of(values, scores)
        depends = kind in {"count", "sum", "first"} and "times" in scale
        return f"{scale}, of a sample of {self.probe.steps} steps" if depends else scale

    def _name(self, what: Expression) -> str:
        """Return the name of the last module with weights before the value, or of a function."""
        for expression in self._before(what):
            for ref in expression.refs:
                entry = self.probe.tape.entries[ref.entry]
                if isinstance(entry, Operation) and entry.module:
                    return repr(entry.module)
        return "a linear map"

    def _culprit(self, output: Returned) -> tuple[str, str]:
        """Return the function whose operands have a readout, but whose result has none."""
        ref: Ref | None = None if output.what.stacked else output.what.refs[0]
        last = ""
        while ref is not None:
            entry = self.probe.tape.entries[ref.entry]
            if not isinstance(entry, Operation):
                break
            last = f"what {entry} makes of them", entry.line
            inner = [operand for operand in refs_in((entry.args, entry.kwargs))
                     if self.probe.keys(Expression((operand,)))]  # fmt: skip
            if len(inner) != 1:
                break
            ref = inner[0]
            try:
                if self._known(Expression((ref,))):
                    break
            except (RuntimeError, ValueError):
                break
        return last or ("something else", "")

    def _known(self, what: Expression) -> bool:
        axis = self.probe.axis_of_samples(what)
        steps = self.probe.axis_of_steps(what, axis)
        here = Returned("", what)
        if steps is not None or self.probe.steps == 1:
            return self._recorded(here, axis, steps, "last") is not None
        return self._valued(here, axis) is not None

    def _refused(self, output: Returned, computed: str, line: str) -> ValueError:
        at = f" ({line})" if line else ""
        return TraceError(
            f"{output.name} must be spikes or potentials of neurons, their count, sum, last or "
            f"greatest values, or linear in counted spikes, not {computed}{at}; "
            "or name readout=, one "
            f"of {KINDS}"
        )


WORDS = {
    "count": "the count",
    "first": "the first",
    "last": "the last",
    "largest": "the greatest",
    "sum": "the sum",
}


def _biased(
    head: Head, added: np.ndarray, longer: tuple[dict, np.ndarray], steps: int, output: Returned
) -> Head:
    """Return the head with its bias placed as a sample of one more step shows."""
    factors = {key[0]: factor[:, -1] for key, factor in longer[0].items()}
    size = sum(float((weights**2).sum()) for weights in head.weights.values())
    scale = (
        sum(float((factors[name] * weights).sum()) for name, weights in head.weights.items()) / size
    )
    now = longer[1] / scale
    none = np.zeros_like(added)
    powers = head.decay ** np.arange(steps + 1.0)
    bias = added / powers[:-1].sum()
    if np.allclose(now, bias * powers.sum(), 1e-6, 1e-9):
        return Head(head.weights, head.decay, bias, none, head.name)
    if head.decay == 1 and np.allclose(now, added, 1e-6, 1e-9):
        return Head(head.weights, head.decay, none, added, head.name)
    raise TraceError(
        f"{output.name} must have a bias that is added once in a sample or in each step, "
        "not another "
        f"in one of {steps + 1} steps than in one of {steps}"
    )
