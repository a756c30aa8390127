"""How many cycles the accelerator takes, exactly, without simulating it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model import reference
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network
from spiker_hdl.model.stimulus import stimulus

from .pipeline import Machines, Spent

__all__ = ["Spent", "Timing", "predict"]

BATCH = 2048


@dataclass(frozen=True)
class Timing:
    """Cycles that the accelerator takes.

    Members
    -------
    cycles : array of int, shape (samples,)
        From the cycle in which a sample's first beat is taken to the first in which its result is
        valid: what the engines count. Of a lone sample this is its latency.
    finished : array of int, shape (samples,)
        In which cycle the result is valid, from the cycle in which the first sample of its stream
        is offered.
    streams : array of int, shape (samples,)
        In which stream a sample was.
    spent : dict of str to Spent
        For each population, of each stream.
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
    """Return the cycles that samples take, for a source always valid and a sink always ready.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        As :func:`spiker_hdl.run` takes them. All steps are run: of early answers it says nothing.
    mapping : Mapping, optional
        :meth:`Mapping.default` if none is given.
    streams : int, optional
        Offer the samples back to back, in so many streams of neighbouring samples, each to a
        machine of its own; each sample to an idle machine if not given.
    progress : callable, optional
        Called with the number of samples done, as they are.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes.
    """
    check_kind("Network", network, Network)
    mapping = Mapping.default(network) if mapping is None else mapping
    check_kind("Mapping", mapping, Mapping)
    mapping.check(network)
    given = stimulus(network, spikes)
    if streams is not None:
        streams = check_int("Streams", streams, 1, len(given))
    chunks = np.array_split(np.arange(len(given)), len(given) if streams is None else streams)
    fired = [one.name for one in network.populations if one.neuron.spiking]
    trains = dict(reference.run(network, spikes, record=fired).spikes) | dict(given.values)
    found = []
    for start in range(0, len(chunks), BATCH):
        batch = chunks[start : start + BATCH]
        found.append(Machines(network, mapping, given, trains, batch).run())
        if progress is not None:
            progress(sum(len(chunk) for chunk in batch))
    spent = {name: Spent.join([one.spent[name] for one in found]) for name in network.population}
    return Timing(
        np.concatenate([one.cycles for one in found]),
        np.concatenate([one.finished for one in found]),
        np.repeat(np.arange(len(chunks)), [len(chunk) for chunk in chunks]),
        spent,
    )
