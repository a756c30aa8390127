"""Samples as the beats that enter an accelerator, and results as what leaves it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from spiker_hdl.model import Answer, AnswerPolicy, Input, Mapping, Result
from spiker_hdl.model.stimulus import transmitted
from spiker_hdl.rtl import Accelerator

__all__ = ["check_back_to_back", "gather", "payloads", "totals", "unpack"]


def check_back_to_back(reports: AnswerPolicy, steps: np.ndarray) -> None:
    """Raise :exc:`ValueError` unless one length is right for all that is inside at once."""
    if reports.early == "exact" and steps.min() < steps.max():
        raise ValueError(
            "Samples back to back must have the same steps to be answered as soon as they are "
            f"sure, not {int(steps.min())} to {int(steps.max())}"
        )


def payloads(accelerator: Accelerator, node: Input, sample: np.ndarray) -> list[int]:
    """Return the payloads of the beats of one sample, each as an unsigned integer.

    Parameters
    ----------
    accelerator : Accelerator
    node : Input
        Where the sample enters.
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
    """Return a result's payload as plain numbers, by the names of readouts and populations.

    Returns
    -------
    dict
        ``winners`` and ``scores`` by readout, ``counts`` by population, ``steps`` and ``cycles``.
    """
    found = accelerator.o.p.shape().from_bits(payload)
    answers = {n: found.answers[i] for n, i in accelerator.readout_names.items()}
    return {
        "winners": {name: one.winner for name, one in answers.items()},
        "scores": {name: [*one.scores] for name, one in answers.items()},
        "counts": {n: found.counts[accelerator.names[n]] for n in accelerator.counters},
        "steps": next(iter(answers.values())).steps,
        "cycles": found.cycles,
    }


def gather(
    accelerator: Accelerator,
    found: list[dict[str, Any]],
    answers: np.ndarray,
    reports: AnswerPolicy,
    engine: str,
) -> Result:
    """Return what :func:`unpack` gave for each answer as one result.

    Parameters
    ----------
    accelerator : Accelerator
    found : list of dict
        Answers, in order.
    answers : array of int, shape (samples,)
        Answers of each sample.
    reports : Reports
        When samples were answered.
    engine : str
    """
    network = accelerator.network
    ends = np.cumsum(answers)

    def spread(pick: Callable[[dict], Any]) -> Any:
        each = np.array([pick(one) for one in found])
        if reports.window is None:
            return each
        samples = np.split(each, ends[:-1])
        return np.stack(samples) if len(set(answers.tolist())) == 1 else samples

    def total(pick: Callable[[dict], Any], most: int) -> np.ndarray:
        return totals(np.array([pick(one) for one in found]), most.bit_length(), ends)

    scored = {
        one.name: Answer(
            spread(lambda each, name=one.name: each["winners"][name]),
            spread(lambda each, name=one.name: each["scores"][name]),
        )
        for one in network.readouts
    }
    counts = {
        name: total(lambda each, name=name: each["counts"][name], counter.max_events)
        for name, counter in accelerator.counters.items()
    }
    first = scored[network.readout.name]
    return Result(
        first.classes,
        first.scores,
        total(lambda each: each["steps"], network.max_steps),
        counts,
        {},
        np.array([found[end - 1]["cycles"] for end in ends]),
        scored,
        engine,
        network,
    )


def totals(counts: np.ndarray, width: int, ends: np.ndarray) -> np.ndarray:
    """Return what counters that wrap have counted in each sample.

    Parameters
    ----------
    counts : array of int, shape (answers,)
        What they said with each answer; from one to the next they never count all that they hold.
    width : int
        Bits of a counter.
    ends : array of int, shape (samples,)
        Number of answers up to and with each sample.
    """
    begins = np.concatenate([[0], ends[:-1]])
    before = np.concatenate([[0], counts[:-1]])
    before[begins] = 0
    return np.add.reduceat((counts - before) % 2**width, begins)
