"""Samples as the beats that enter an accelerator, and results from the payloads that leave it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from spiker_hdl.model import Answer, AnswerPolicy, Input, Mapping, Result
from spiker_hdl.model.stimulus import transmitted
from spiker_hdl.rtl import Accelerator

__all__ = ["check_back_to_back", "gather", "payloads", "totals", "unpack"]


def check_back_to_back(reports: AnswerPolicy, steps: np.ndarray) -> None:
    """Raise :exc:`ValueError` if samples differ in length where one length must fit all inside."""
    if reports.early == "exact" and steps.min() < steps.max():
        raise ValueError(
            "Samples back to back must have the same number of steps for an early exit, not "
            f"{int(steps.min())} to {int(steps.max())}"
        )


def payloads(accelerator: Accelerator, node: Input, sample: np.ndarray) -> list[int]:
    """Return the payloads of the beats of one sample, each as an unsigned integer.

    Parameters
    ----------
    accelerator : Accelerator
    node : Input
        Input at which the sample enters.
    sample : array of int, shape (steps, size)

    Returns
    -------
    list of int
    """
    layout = accelerator.input_ports[node.name].i.p.shape()
    make = _words if accelerator.mapping.form == "words" else _events
    sample = transmitted(node, np.asarray(sample, dtype=np.int64))
    return make(layout, node, accelerator.mapping, sample)


def _words(layout: Any, node: Input, mapping: Mapping, sample: np.ndarray) -> list[int]:
    width = min(mapping.word, node.size)
    words = -(-node.size // width)
    bits = layout["values"].width // width
    padded = np.zeros((len(sample), words * width), dtype=np.int64)
    padded[:, : node.size] = sample
    digits = (padded[..., None] >> np.arange(bits) & 1).astype(np.uint8)
    packed = np.packbits(digits.reshape(len(sample) * words, -1), axis=1, bitorder="little")
    beats = [int.from_bytes(row.tobytes(), "little") for row in packed]
    beats[-1] |= 1 << layout["last"].offset
    return beats[:words] + beats[2 * words - 1 :: words] if node.static else beats


def _events(layout: Any, node: Input, mapping: Mapping, sample: np.ndarray) -> list[int]:
    end, last = 1 << layout["end"].offset, 1 << layout["last"].offset
    place, mask = layout["value"].offset, (1 << layout["value"].width) - 1
    beats = []
    for step in sample:
        for address in np.flatnonzero(step):
            beats.append(int(address) | (int(step[address]) & mask) << place)
        beats.append(end)
    beats[-1] |= last
    return beats


def unpack(accelerator: Accelerator, payload: int) -> dict[str, Any]:
    """Return the numbers in a result's payload, by the names of readouts and populations.

    Returns
    -------
    dict
        ``winners`` and ``scores`` by readout, ``counts`` by population, ``steps`` and ``cycles``.
    """
    result = accelerator.o.p.shape().from_bits(payload)
    answers = {name: result.answers[port] for name, port in accelerator.readout_names.items()}
    return {
        "winners": {name: answer.winner for name, answer in answers.items()},
        "scores": {name: [*answer.scores] for name, answer in answers.items()},
        "counts": {name: result.counts[accelerator.names[name]] for name in accelerator.counters},
        "steps": next(iter(answers.values())).steps,
        "cycles": result.cycles,
    }


def gather(
    accelerator: Accelerator,
    answers: list[dict[str, Any]],
    counts: np.ndarray,
    reports: AnswerPolicy,
    engine: str,
) -> Result:
    """Return the result of all samples.

    Parameters
    ----------
    accelerator : Accelerator
    answers : list of dict
        What :func:`unpack` returned for each answer, in order.
    counts : array of int, shape (samples,)
        Number of answers of each sample.
    reports : AnswerPolicy
        When samples were answered.
    engine : str
    """
    network = accelerator.network
    ends = np.cumsum(counts)

    def by_sample(pick: Callable[[dict], Any]) -> Any:
        values = np.array([pick(answer) for answer in answers])
        if reports.window is None:
            return values
        samples = np.split(values, ends[:-1])
        return np.stack(samples) if len(set(counts.tolist())) == 1 else samples

    def total(pick: Callable[[dict], Any], greatest: int) -> np.ndarray:
        values = np.array([pick(answer) for answer in answers])
        return totals(values, greatest.bit_length(), ends)

    scored = {
        readout.name: Answer(
            by_sample(lambda answer, name=readout.name: answer["winners"][name]),
            by_sample(lambda answer, name=readout.name: answer["scores"][name]),
        )
        for readout in network.readouts
    }
    spikes = {
        name: total(lambda answer, name=name: answer["counts"][name], counter.max_events)
        for name, counter in accelerator.counters.items()
    }
    first = scored[network.readout.name]
    return Result(
        first.classes,
        first.scores,
        total(lambda answer: answer["steps"], network.max_steps),
        spikes,
        {},
        np.array([answers[end - 1]["cycles"] for end in ends]),
        scored,
        engine,
        network,
    )


def totals(counts: np.ndarray, width: int, ends: np.ndarray) -> np.ndarray:
    """Return what a counter that wraps has counted in each sample.

    Parameters
    ----------
    counts : array of int, shape (answers,)
        Value of the counter with each answer; between two answers it counts less than its range.
    width : int
        Bits of the counter.
    ends : array of int, shape (samples,)
        Number of answers to the end of each sample.
    """
    begins = np.concatenate([[0], ends[:-1]])
    before = np.concatenate([[0], counts[:-1]])
    before[begins] = 0
    return np.add.reduceat((counts - before) % 2**width, begins)
