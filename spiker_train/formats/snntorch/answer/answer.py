"""Which readout the value is that a module of snnTorch returns."""

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
LOOKED_AT = 40  # functions before what is returned, among which its readout is looked for


@dataclass
class Answer:
    """How a population answers.

    Members
    -------
    label : str
        Of the neurons; of a head, empty.
    kind : str
        Of the readout.
    groups : int or None
        Classes whose neurons' scores are summed.
    head : Head or None
    path : str
    recorded : bool
        Whether a value for each step was returned, of which this is what is read.
    why : str
    scale : str
        What the returned value is of the score.
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
    """Finds the readout that a returned value is.

    Parameters
    ----------
    trace : Trace
    lead : int
        Axes before those of a sample.
    again : callable
        Returns the trace of a sample of so many more steps, or None.
    """

    def __init__(self, trace: Trace, lead: int, again: Callable[[int], Trace | None]):
        self.probe = Probe(trace, lead)
        self.lead = lead
        self.again = again

    def find(self, one: Returned, readout: str | None = None) -> Answer | None:
        """Return the readout; None for a value that is none of a sample, such as a mean of all.

        Raises
        ------
        ValueError
            If there is no readout that gives the order of its values.
        """
        what = one.what
        sources = self.probe.tape.sources(what.refs)
        if any(source.name == INPUT for source in sources):
            raise self._refused(one, "the input and neurons together", "")
        axis = self.probe.axis_of_samples(what)
        values = self.probe.compute(what, self.probe.draw(what, 0))
        if axis is None and values.ndim == 0:
            return None
        if axis is None and self.probe.samples > 1:
            raise self._refused(one, "several samples together", "")
        steps = self.probe.axis_of_steps(what, axis)
        if steps is not None or self.probe.steps == 1:
            answer = self._recorded(one, axis, steps, readout)
        else:
            answer = self._valued(one, axis)
        if answer is None:
            raise self._refused(one, *self._culprit(one))
        answer.path = one.path
        return answer

    # -- what a value is in numbers --

    def _rows(self, what: Expression, axis: int | None, given: Values) -> torch.Tensor:
        """Return values of shape (samples, values)."""
        value = self.probe.compute(what, given)
        if axis is None:
            return value.reshape(1, -1)
        return value.movedim(axis, 0).reshape(self.probe.samples, -1)

    def _frames(
        self, what: Expression, axis: int | None, steps: int | None, given: Values
    ) -> torch.Tensor:
        """Return values of shape (steps, samples, values)."""
        if steps is None:
            return self._rows(what, axis, given)[None]
        value = self.probe.compute(what, given)
        if axis is None:
            return value.movedim(steps, 0).reshape(self.probe.steps, 1, -1)
        value = value.movedim((steps, axis), (0, 1))
        return value.reshape(self.probe.steps, self.probe.samples, -1)

    def _all(self, what: Expression, function: Callable[[Values], torch.Tensor]) -> np.ndarray:
        """Return a function of all draws for a value, along the second axis from the end."""
        few = self.probe.few(what)
        found = [function(one)[..., :few, :] for one in self.probe.draws(what)]
        return torch.cat(found, dim=-2).numpy()

    def _flat(self, what: Expression, key: tuple[str, str]) -> np.ndarray:
        """Return what neurons answered in all draws for a value: (steps, samples, neurons)."""
        few = self.probe.few(what)
        found = [one[key][:, :few].flatten(2) for one in self.probe.draws(what)]
        return torch.cat(found, dim=1).numpy()

    # -- values for each step --

    def _recorded(
        self, one: Returned, axis: int | None, steps: int | None, readout: str | None
    ) -> Answer | None:
        frames = self._all(one.what, lambda given: self._frames(one.what, axis, steps, given))
        whole = "in each step" if steps is not None else "for a step, the loop being elsewhere"
        for label, what in self.probe.keys(one.what):
            values = self._flat(one.what, (label, what))
            if what not in {"mem", "spikes"} or not divides(frames.shape[2], values.shape[2]):
                continue
            scores = grouped(values, frames.shape[2])
            groups, said = said_of_groups(frames.shape[2], values.shape[2])
            if what == "mem" and agree_in_each_step(frames, scores):
                why = f"potentials of {label!r}{said} are returned {whole}; the last are the answer"
                scale = scale_of(frames[-1], scores[-1])
                return Answer(label, "last", why, groups=groups, recorded=True, scale=scale)
            if what == "spikes" and on_a_line(frames, scores):
                why = f"spikes of {label!r}{said} are returned {whole}; snnTorch counts them"
                return Answer(label, "count", why, groups=groups, recorded=True)
        head = self._head_of_record(one.what, axis, steps)
        if head is None or (head.decay == 0 and readout not in POTENTIALS):
            return None
        why = f"{head} is returned {whole}"
        why += "; the last values are the answer" if readout is None else ""
        return Answer("", readout or "last", why, head=head, recorded=True)

    def _head_of_record(self, what: Expression, axis: int | None, steps: int | None) -> Head | None:
        keys = self.probe.keys(what)
        if any(key[1] != "spikes" for key in keys):
            return None
        found = affine_in(
            self.probe, lambda given: self._frames(what, axis, steps, given)[-1], keys
        )
        if found is None:
            return None
        factors = {key[0]: each for key, each in found[0].items()}
        head = head_of(factors, found[1], self._name(what))
        if head is None:
            return None
        frames = self._all(what, lambda given: self._frames(what, axis, steps, given))
        return of_record(head, {key[0]: self._flat(what, key) for key in keys}, frames)

    # -- one value for a sample --

    def _valued(self, one: Returned, axis: int | None) -> Answer | None:
        try:
            values = self._all(one.what, lambda given: self._rows(one.what, axis, given).double())
        except RuntimeError:
            return None
        ties = not self.probe.compute(one.what, self.probe.draw(one.what, 0)).is_floating_point()
        for label, what in self.probe.keys(one.what):
            for kind, groups, scores in self._scores(one.what, (label, what), values.shape[1]):
                if agrees(values, scores, chosen=ties):
                    of = "spikes" if kind in {"count", "first"} else "potentials"
                    said = "" if groups is None else f", summed in {groups} groups,"
                    why = f"{WORDS[kind]} of the {of} of {label!r}{said} is returned"
                    scale = "" if ties else self._scaled(kind, values, scores)
                    return Answer(label, kind, why, groups=groups, scale=scale)
        return self._headed(one, axis, values, ties)

    def _scores(
        self, whole: Expression, key: tuple[str, str], size: int
    ) -> Iterator[tuple[str, int | None, np.ndarray]]:
        """Return all readouts of neurons, and those of groups that are as many as the values."""
        given, what = self._flat(whole, key), key[1]
        found: dict[str, np.ndarray] = {}
        if what == "mem":
            found = {"last": given[-1], "largest": given.max(0), "sum": given.sum(0)}
        elif what == "spikes":
            found = {"count": given.sum(0), "first": (1 - (1 - given).cumprod(0)).sum(0)}
        for kind, scores in found.items():
            yield kind, None, scores
            neurons = scores.shape[1]
            if kind in GROUPED and size < neurons and divides(size, neurons):
                yield kind, size, grouped(scores, size)

    def _headed(
        self, one: Returned, axis: int | None, values: np.ndarray, ties: bool
    ) -> Answer | None:
        """Return a readout of a head that is found among what is computed before the value."""
        for what in self._before(one.what):
            keys = self.probe.keys(what)
            if not keys or any(key[1] != "spikes" for key in keys):
                continue
            samples = self.probe.axis_of_samples(what)
            if samples is None and self.probe.samples > 1:
                continue
            steps = self.probe.axis_of_steps(what, samples)
            if steps is None:
                head = self._head(what, samples, one)
            else:
                head = self._head_of_record(what, samples, steps)
            if head is None:
                continue
            held = head.potentials({key[0]: self._flat(one.what, key) for key in keys})
            for kind, scores in (
                ("last", held[-1]),
                ("largest", held.max(0)),
                ("sum", held.sum(0)),
            ):
                if agrees(values, scores, chosen=ties):
                    why = f"{WORDS[kind]} of {head} is returned"
                    scale = "" if ties else self._scaled("sum", values, scores)
                    return Answer("", kind, why, head=head, scale=scale)
        return None

    def _head(self, what: Expression, axis: int | None, one: Returned) -> Head | None:
        keys = self.probe.keys(what)
        found = affine_in(self.probe, lambda given: self._rows(what, axis, given), keys)
        if found is None:
            return None
        factors = {key[0]: each for key, each in found[0].items()}
        head = head_of(factors, found[1], self._name(what))
        if head is None or not found[1].any() or head.decay == 0:
            return head
        return self._with_bias(head, found[1], what, one)

    def _with_bias(self, head: Head, added: np.ndarray, what: Expression, one: Returned) -> Head:
        """Tell from a longer sample whether what is added is added in each step, or once."""
        longer = self.again(1)
        if longer is None:
            return head
        place = self._before(one.what).index(what)
        others = {its.path: its.what for its in returned(longer)[0]}
        if one.path in others:
            other = Answers(longer, self.lead, lambda _: None)
            found = other._affine_at(others[one.path], place)
            if found is not None and other.probe.steps == self.probe.steps + 1:
                return _biased(head, added, found, self.probe.steps, one)
        return head

    def _affine_at(self, whole: Expression, place: int) -> tuple[dict, np.ndarray] | None:
        many = self._before(whole)
        if place >= len(many):
            return None
        what = many[place]
        axis = self.probe.axis_of_samples(what)
        return affine_in(
            self.probe, lambda given: self._rows(what, axis, given), self.probe.keys(what)
        )

    def _before(self, what: Expression) -> list[Expression]:
        """Return a value and those that it is made of, the nearest first."""
        found, waiting = [what], list(what.refs) if not what.stacked else []
        seen = set(waiting)
        while waiting and len(found) < LOOKED_AT:
            ref = waiting.pop(0)
            if Expression((ref,)) not in found:
                found.append(Expression((ref,)))
            entry = self.probe.tape.entries[ref.entry]
            if isinstance(entry, Operation):
                for inner in refs_in((entry.args, entry.kwargs)):
                    if inner not in seen and self.probe.keys(Expression((inner,))):
                        seen.add(inner)
                        waiting.append(inner)
        return found

    # -- words --

    def _scaled(self, kind: str, values: np.ndarray, scores: np.ndarray) -> str:
        scale = scale_of(values, scores)
        depends = kind in {"count", "sum", "first"} and "times" in scale
        return f"{scale}, of a sample of {self.probe.steps} steps" if depends else scale

    def _name(self, what: Expression) -> str:
        """Return the name of the last module with weights that acts, or of a function."""
        for one in self._before(what):
            for ref in one.refs:
                entry = self.probe.tape.entries[ref.entry]
                if isinstance(entry, Operation) and entry.module:
                    return repr(entry.module)
        return "a linear map"

    def _culprit(self, one: Returned) -> tuple[str, str]:
        """Return which function makes something else of what could be read."""
        ref: Ref | None = None if one.what.stacked else one.what.refs[0]
        last = ""
        while ref is not None:
            entry = self.probe.tape.entries[ref.entry]
            if not isinstance(entry, Operation):
                break
            last = f"what {entry} makes of them", entry.line
            inner = [each for each in refs_in((entry.args, entry.kwargs))
                     if self.probe.keys(Expression((each,)))]  # fmt: skip
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

    def _refused(self, one: Returned, made: str, line: str) -> ValueError:
        at = f" ({line})" if line else ""
        return TraceError(
            f"{one.name} must be spikes or potentials of neurons, their count, sum, last or "
            f"greatest values, or linear in counted spikes, not {made}{at}; or name readout=, one "
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
    head: Head, added: np.ndarray, longer: tuple[dict, np.ndarray], steps: int, one: Returned
) -> Head:
    """Put the bias where it is added, from what is added in a sample of one more step."""
    factors = {key[0]: each[:, -1] for key, each in longer[0].items()}
    size = sum(float((each**2).sum()) for each in head.weights.values())
    scale = sum(float((factors[name] * each).sum()) for name, each in head.weights.items()) / size
    now = longer[1] / scale
    none = np.zeros_like(added)
    powers = head.decay ** np.arange(steps + 1.0)
    each = added / powers[:-1].sum()
    if np.allclose(now, each * powers.sum(), 1e-6, 1e-9):
        return Head(head.weights, head.decay, each, none, head.name)
    if head.decay == 1 and np.allclose(now, added, 1e-6, 1e-9):
        return Head(head.weights, head.decay, none, added, head.name)
    raise TraceError(
        f"{one.name} must have a bias that is added once in a sample or in each step, not another "
        f"in one of {steps + 1} steps than in one of {steps}"
    )
