"""Streams that are known beforehand, for many machines: what the timing model reads from."""

import numpy as np

__all__ = ["ENDS", "EVENT", "LAST", "SAMPLE_ENDS", "STEP_ENDS", "TOKEN", "Tape", "Train"]

EVENT, TOKEN, LAST = 0, 1, 2
"""What an item of a stream is: an event, the token of a step, that of a sample's last step."""

STEP_ENDS, SAMPLE_ENDS, ENDS = 1, 2, 2
"""A word of a spike vector is ``events << ENDS``, with bits for what ends with it."""


class Tape:
    """A stream for each machine, known beforehand.

    Parameters
    ----------
    values : array of int, shape (items,)
        The streams of all machines, one after the other.
    lengths : array of int, shape (machines,)
    """

    def __init__(self, values: np.ndarray, lengths: np.ndarray):
        self.values = np.append(values, 0)
        self.starts = np.cumsum(lengths) - lengths
        self.lengths = lengths

    def read(self, places: np.ndarray) -> np.ndarray:
        """Return what stands at ``places``, or something where a stream has ended."""
        return self.values[self.starts + np.minimum(places, self.lengths)]

    def select(self, kept: np.ndarray) -> None:
        """Keep the streams of some machines."""
        self.starts, self.lengths = self.starts[kept], self.lengths[kept]


class Train:
    """The events of a node in all machines of a batch, as streams."""

    def __init__(self, samples: list[np.ndarray], machines: np.ndarray, count: int):
        self.samples = samples  # each bool, shape (steps, size)
        self.machines = machines  # of each sample
        self.count = count

    def tape(self, streams: list[np.ndarray]) -> Tape:
        """Return what is made of each sample as streams of the machines."""
        lengths = np.bincount(
            self.machines, weights=[len(one) for one in streams], minlength=self.count
        )
        return Tape(np.concatenate(streams), lengths.astype(np.int64))

    def items(self) -> tuple[Tape, list[np.ndarray]]:
        """Return events and tokens as a tape, and the addresses of each sample's items."""
        kinds, addresses = [], []
        for sample in self.samples:
            # A token as one more address, behind all others.
            ended = np.ones((len(sample), sample.shape[1] + 1), bool)
            ended[:, :-1] = sample
            address = ended.nonzero()[1]
            kind = np.where(address == sample.shape[1], TOKEN, EVENT).astype(np.int8)
            kind[-1] = LAST
            kinds.append(kind)
            addresses.append(address)
        return self.tape(kinds), addresses

    def words(self, width: int, *, held: bool = False) -> list[np.ndarray]:
        """Return the words of each sample: their events, and what ends with them.

        If ``held``, a step behind a sample's first has one.
        """
        made = []
        for sample in self.samples:
            words = -(-sample.shape[1] // width)
            padded = np.zeros((len(sample), words * width), np.int32)
            padded[:, : sample.shape[1]] = sample
            each = padded.reshape(len(sample), words, width).sum(axis=2, dtype=np.int32) << ENDS
            each[:, -1] |= STEP_ENDS
            each[-1, -1] |= SAMPLE_ENDS
            made.append(np.append(each[0], each[1:, -1]) if held else each.ravel())
        return made
