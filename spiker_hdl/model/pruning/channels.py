"""Which channels of its data a network takes: kept in its notes, where some were dropped.

The note ``"channels of input 0"`` says ``"784: 12-15,20"``: of 784 channels the first input takes
13, counted from 0 to be 12, 13, 14, 15 and 20. What is too long for one note goes on in ``"channels
of input 0 part 2"``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.conversions import frozen_integers
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model.network import Network

__all__ = ["Channels", "channels", "describe"]

_LONGEST = 1900
_NAME = re.compile(r"channels of input (0|[1-9][0-9]{0,5})( part [1-9][0-9]{0,5})?")
_RUN = "[0-9]{1,7}(?:-[0-9]{1,7})?"
_TEXT = re.compile(rf"([1-9][0-9]{{0,6}}): ({_RUN}(?:,{_RUN})*)")


@dataclass(frozen=True, eq=False)
class Channels:
    """Some of the channels of an input.

    Parameters
    ----------
    size : int
        Channels that there are.
    kept : array of int
        Those that are taken, ascending.

    Raises
    ------
    ValueError
        If there are none, or they do not ascend from 0 or more to less than ``size``.
    """

    size: int
    kept: Any

    def __post_init__(self) -> None:
        size = check_int("Channels", self.size, 1, 2**24)
        kept = frozen_integers("Channels", self.kept)
        if kept.ndim != 1:
            raise ValueError(f"Channels must have the shape (kept,), not {kept.shape}")
        if not kept.size or kept[0] < 0 or kept[-1] >= size or (np.diff(kept) < 1).any():
            channels = shown(kept.tolist())
            raise ValueError(f"Channels must ascend within 0..{size - 1}, not {channels}")
        set_fields(self, size=size, kept=kept)

    def select(self, spikes: np.ndarray) -> np.ndarray:
        """Return spikes of the shape (..., kept) from some of the shape (..., size)."""
        return spikes[..., self.kept]

    @property
    def text(self) -> str:
        """The channels as a note says them, however long."""
        cuts = np.flatnonzero(np.diff(self.kept) > 1) + 1
        runs = [(int(run[0]), int(run[-1])) for run in np.split(self.kept, cuts)]
        return f"{self.size}: " + ",".join(f"{a}-{b}" if b > a else str(a) for a, b in runs)

    @classmethod
    def parse(cls, text: str) -> "Channels":
        """Read what :attr:`text` says.

        Raises
        ------
        ValueError
            If it says no such thing.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"Channels must be such as '784: 12-15,20', not {text[:40]!r}")
        runs = [[int(end) for end in run.split("-")] for run in match[2].split(",")]
        size = int(match[1])
        for run in runs:
            if not run[0] <= run[-1] < size:
                raise ValueError(f"Channels must ascend within 0..{size - 1}, not {run}")
        return cls(size, np.concatenate([np.arange(run[0], run[-1] + 1) for run in runs]))


def describe(network: Network, taken: Mapping[str, Channels]) -> dict[str, str]:
    """Return the notes of a network that takes but these channels, by input.

    Parameters
    ----------
    network : Network
        Its other notes are kept.
    taken : mapping of str to Channels
        For inputs of the network by name; of others, all channels are taken.
    """
    notes = {name: text for name, text in network.note.items() if not _NAME.fullmatch(name)}
    for n, node in enumerate(network.inputs):
        if node.name not in taken:
            continue
        rest, part, name = taken[node.name].text, 1, f"channels of input {n}"
        while rest:
            cut = len(rest) if len(rest) <= _LONGEST else rest.rindex(",", 0, _LONGEST) + 1
            notes[name], rest = rest[:cut], rest[cut:]
            part += 1
            name = f"channels of input {n} part {part}"
    return notes


def channels(network: Network) -> dict[str, Channels]:
    """Read from a network's notes which channels of its data each input takes.

    Returns
    -------
    dict of str to Channels
        The channels of each input that is in the notes.

    Raises
    ------
    ValueError
        If a note says nothing of the kind, or other than the network has.
    """
    taken = {}
    known = {name for name in network.note if _NAME.fullmatch(name)}
    for n, node in enumerate(network.inputs):
        name, text, part = f"channels of input {n}", "", 1
        while name in known:
            known.remove(name)
            text += network.note[name]
            part += 1
            name = f"channels of input {n} part {part}"
        if not text:
            continue
        try:
            taken[node.name] = Channels.parse(text)
        except ValueError as error:
            raise ValueError(f"Network's note 'channels of input {n}': {error}") from None
        if len(taken[node.name].kept) != node.size:
            raise ValueError(
                f"Network's note 'channels of input {n}' must name {node.size}, which the input "
                f"takes, not {len(taken[node.name].kept)}"
            )
    if known:
        raise ValueError(f"Network's notes must be of its inputs, not {min(known)!r}")
    return taken
