"""Choice of the readouts among the values that an snnTorch module returns."""

from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_train.formats.snntorch.trace.flow import Trace, TraceError

from .answer import Answer, Answers
from .head import Head
from .returned import Returned, returned

__all__ = ["choose", "in_groups"]

MORE = 64  # steps of a longer sample, which show where values are clipped


def choose(
    trace: Trace,
    edges: dict,
    finder: Answers,
    output: str | None,
    readout: str | None,
    *,
    of_any_length: bool,
) -> tuple[list[Answer], list[str]]:
    """Return the readouts of the network, and remarks on the values that are left out.

    A value per sample is preferred to a record of all steps, a record of spikes to one of
    potentials, and an earlier value to a later one. A record of neurons that have targets is left
    out.

    Parameters
    ----------
    trace : Trace
    edges : dict
        Maps that reach each layer, by its label.
    finder : Answers
    output : str, optional
        Label of the neurons that are read out.
    readout : str, optional
        Kind of the readout, whatever is returned.
    of_any_length : bool
        Whether samples may have more steps than the example.

    Raises
    ------
    ValueError
        If a value is returned that no readout computes.
    """
    only = None if output is None else _output_of(trace, edges, output)
    values, others = returned(trace)
    notes = [f"What is returned at {path or 'all'} comes from no neurons" for path in others]
    if readout is not None:
        return _as_told(trace, edges, finder, values, only, readout), notes
    answers_found = _understood(values, finder, edges, notes)
    if only is not None:
        chosen = _of_each([answer for answer in answers_found if answer.label == only], notes)
        plain = Answer(only, "count", "output= names it, which is not returned; spikes are counted")
        answers = chosen or [plain]
        answers_found = chosen
    elif not answers_found and values:
        raise TraceError(
            "What is returned must have a value for each class of each sample, not one of all "
            "together, such as a loss; or name readout="
        )
    elif not answers_found:
        raise TraceError(
            "What is returned must come from neurons, for it to be known what answers; or name "
            "readout=, and output= if several could answer"
        )
    else:
        answers = answers_found = _of_each(_ends(answers_found, edges, notes), notes)
    if of_any_length:
        _check_steps(answers_found, finder)
    return answers, notes


def _as_told(
    trace: Trace,
    edges: dict,
    finder: Answers,
    values: list[Returned],
    only: str | None,
    readout: str,
) -> list[Answer]:
    reason = f"readout={readout!r} says so"
    beside = ""
    for output in values:
        try:
            answer = finder.find(output, readout)
        except TraceError:
            beside = beside or f", and {output.name.lower()} is set aside"
            continue
        if answer is None or only is not None:
            continue
        if answer.head is not None and answer.kind == readout:
            answer.why = f"{reason}, of {answer.head}" if answer.recorded else answer.why
            return [answer]
        if answer.kind != readout and not answer.recorded:
            beside = beside or f", where {answer.why}"
    label = _output_of(trace, edges, only)
    return [Answer(label, readout, f"{reason}{beside}")]


def _understood(
    values: list[Returned], finder: Answers, edges: dict, notes: list[str]
) -> list[Answer]:
    answers = []
    feeding = _feeding(edges)
    for output in values:
        sources = finder.probe.tape.sources(output.what.refs)
        try:
            answer = finder.find(output)
        except TraceError:
            # States other than spikes and potentials, and values of hidden neurons, may be
            # returned for other purposes; every other value might be the answer.
            beside = all(
                source.what not in {"spikes", "mem"} or source.name in feeding for source in sources
            )
            if len(values) == 1 or not beside:
                raise
            answer = None
        if answer is None:
            notes.append(f"{output.name} is no value of a sample that is read, and left out")
        else:
            answers.append(answer)
    return answers


def _feeding(edges: dict) -> set[str]:
    return {source for label, (links, _) in edges.items() for source, _ in links if source != label}


def _ends(answers: list[Answer], edges: dict, notes: list[str]) -> list[Answer]:
    """Return the answers per sample, and the records of neurons without targets."""
    heads = {name for answer in answers if answer.head is not None for name in answer.head.weights}
    feeding = _feeding(edges) | heads
    kept = [
        answer
        for answer in answers
        if not answer.recorded or answer.head or answer.label not in feeding
    ]
    if not kept:
        last = [label for label in edges if label in {answer.label for answer in answers}][-1]
        kept = [answer for answer in answers if answer.label == last]
    notes += [
        f"What is returned at {answer.path} is not read: "
        f"it is of each step of {answer.label!r}, which "
        "feeds others"
        for answer in answers
        if answer not in kept
    ]
    return kept


def _of_each(candidates: list[Answer], notes: list[str]) -> list[Answer]:
    """Return one answer for each population, in order."""
    chosen: dict[Any, list[Answer]] = {}
    for n, answer in enumerate(candidates):
        chosen.setdefault(answer.label or f"head {n}", []).append(answer)
    answers = []
    for many in chosen.values():
        best = min(
            many, key=lambda answer: (answer.recorded, answer.recorded and answer.kind != "count")
        )
        answers.append(best)
        notes += [
            f"What is returned at {answer.path} is not read: {answer.why}; "
            f"readout={answer.kind!r} reads it"
            for answer in many
            if answer is not best
        ]
    return answers


def _check_steps(answers: list[Answer], finder: Answers) -> None:
    """Raise :exc:`TraceError` unless the readouts of much longer samples are the same."""
    longer = finder.again(MORE)
    if longer is None:
        return
    other = Answers(longer, finder.lead, lambda _: None)
    values = {output.path: output for output in returned(longer)[0]}
    for answer in answers:
        if answer.path not in values:
            continue
        try:
            answer_of_more = other.find(values[answer.path])
        except TraceError:
            answer_of_more = None
        if answer_of_more is None or _way(answer_of_more) != _way(answer):
            steps = finder.probe.steps
            raise TraceError(
                f"{values[answer.path].name} must be the same of samples of any length, not "
                f"{answer.kind!r} in {steps} steps and otherwise in {other.probe.steps}: give an "
                "example of as many steps as samples have, or name readout="
            )
        if (
            answer.head is not None
            and answer_of_more.head is not None
            and _rescaled(answer.head, answer_of_more.head)
        ):
            answer.scale += f", with weights of a sample of {finder.probe.steps} steps"


def _rescaled(head: Head, longer: Head) -> bool:
    """Tell whether weights differ in a longer sample, as those of a mean over steps do."""
    return any(not np.allclose(factor, longer.weights[key]) for key, factor in head.weights.items())


def _way(answer: Answer) -> tuple:
    return answer.label, answer.kind, answer.groups, answer.recorded, answer.head is None


def in_groups(answers: list[Answer], groups: int) -> None:
    """Let the single answer sum the scores of groups of neurons.

    Raises
    ------
    TypeError, ValueError
        If the number is invalid, or the answer is not a single one of ungrouped neurons.
    """
    groups = check_int("Groups", groups, 1, 2**20)
    answer = answers[0]
    if len(answers) > 1:
        raise ValueError("Groups must be of one layer that answers: name it, output=...")
    if answer.head is not None or answer.groups not in {None, groups}:
        raise ValueError(
            f"Groups must be of neurons that answer by themselves, not where {answer.why}"
        )
    if answer.groups is None:
        answer.groups = groups
        answer.why += f"; groups={groups} sums those of neighbours"


def _output_of(trace: Trace, edges: dict, output: str | None) -> str:
    """Return the label of the neurons that are read out."""
    labels = list(edges)
    if output is not None:
        if output not in edges:
            raise ValueError(
                f"Output must be one of {', '.join(map(repr, labels))}, not {output!r}"
            )
        return output
    feeding = {
        source for label, (links, _) in edges.items() for source, _ in links if source != label
    }
    ends = [label for label in labels if label not in feeding]
    returned = [label for label in ends if label in trace.outputs] or ends
    returned = returned or [label for label in labels if label in trace.outputs][-1:]
    if len(returned) != 1:
        listed = ", ".join(map(repr, returned or labels))
        raise ValueError(f"Output must be named, one of {listed}: output=...")
    return returned[0]
