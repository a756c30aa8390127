"""The exact number of cycles that the accelerator takes, without a simulation of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model import reference
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network
from spiker_hdl.model.stimulus import stimulus

from .pipeline.accelerator import Machines
from .pipeline.elapsed import Spent

__all__ = ["Spent", "Timing", "predict"]

BATCH = 2048


@dataclass(frozen=True)
class Timing:
    """Cycles that the accelerator takes.

    Members
    -------
    cycles : array of int, shape (samples,)
        From the cycle in which the first beat of a sample is taken to the first in which its result
        is valid, as the engines count. For a single sample this is its latency.
    finished : array of int, shape (samples,)
        Cycle in which the result is valid, counted from the cycle in which the first sample of its
        stream is offered.
    streams : array of int, shape (samples,)
        Stream of each sample.
    spent : dict of str to Spent
        For each population, its cycles in each stream.
    """

    cycles: np.ndarray
    finished: np.ndarray
    streams: np.ndarray
    spent: dict[str, Spent]

    @property
    def interval(self) -> np.ndarray:
        """Cycles from a result to the next one of its stream, shape (samples - streams,)."""
        return np.diff(self.finished)[np.diff(self.streams) == 0]


def predict(
    network: Network,
    spikes: Any,
    *,
    mapping: Mapping | None = None,
    streams: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Timing:
    """Return the cycles that samples take with a source always valid and a sink always ready.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        As for :func:`spiker_hdl.run`. All steps are run: early answers are not predicted.
    mapping : Mapping, optional
        :meth:`Mapping.default` if none is given.
    streams : int, optional
        Number of streams. Each offers its share of consecutive samples back to back to a machine of
        its own. Without it, each sample is offered to an idle machine.
    progress : callable, optional
        Called with the number of samples that were completed since the last call.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes.
    """
    check_kind("Network", network, Network)
    mapping = Mapping.default(network) if mapping is None else mapping
    check_kind("Mapping", mapping, Mapping)
    mapping.check(network)
    stimuli = stimulus(network, spikes)
    if streams is not None:
        streams = check_int("Streams", streams, 1, len(stimuli))
    chunks = np.array_split(np.arange(len(stimuli)), len(stimuli) if streams is None else streams)
    emitting = [node.name for node in network.populations if node.neuron.emits]
    trains = dict(reference.run(network, spikes, record=emitting).spikes) | dict(stimuli.values)
    results = []
    for start in range(0, len(chunks), BATCH):
        batch = chunks[start : start + BATCH]
        results.append(Machines(network, mapping, stimuli, trains, batch).run())
        if progress is not None:
            progress(sum(len(chunk) for chunk in batch))
    spent = {
        name: Spent.join([result.spent[name] for result in results]) for name in network.population
    }
    return Timing(
        np.concatenate([result.cycles for result in results]),
        np.concatenate([result.finished for result in results]),
        np.repeat(np.arange(len(chunks)), [len(chunk) for chunk in chunks]),
        spent,
    )
