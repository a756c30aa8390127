"""Streams that are known beforehand, for many machines, which the timing model reads."""

import numpy as np

__all__ = ["ENDS", "EVENT", "LAST", "SAMPLE_ENDS", "STEP_ENDS", "TOKEN", "Trace", "Train"]

EVENT, TOKEN, LAST = 0, 1, 2
"""Kinds of items: an event, the token of a step, and the token of the last step of a sample."""

STEP_ENDS, SAMPLE_ENDS, ENDS = 1, 2, 2
"""A word of a spike vector is ``items << ENDS``, with a bit each for the end of step and sample."""


class Trace:
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
        """Return the items at ``places``, and any value where a stream has ended."""
        return self.values[self.starts + np.minimum(places, self.lengths)]

    def select(self, kept: np.ndarray) -> None:
        """Keep the streams of some machines."""
        self.starts, self.lengths = self.starts[kept], self.lengths[kept]


class Train:
    """The events of a node in all machines of a batch, as streams.

    Parameters
    ----------
    samples : list of array of bool, shape (steps, size)
    machines : array of int, shape (samples,)
        Machine of each sample.
    count : int
        Number of machines.
    width : int
        Neighbouring addresses that are scanned together.
    banks : int
        Events that an item carries in parallel.
    """

    def __init__(
        self, samples: list[np.ndarray], machines: np.ndarray, count: int, width: int, banks: int
    ):
        self.samples = samples
        self.machines = machines
        self.count = count
        self.width = width
        self.banks = banks

    def trace(self, streams: list[np.ndarray]) -> Trace:
        """Return a stream for each sample as streams of the machines."""
        lengths = np.bincount(
            self.machines, weights=[len(stream) for stream in streams], minlength=self.count
        )
        return Trace(np.concatenate(streams), lengths.astype(np.int64))

    def items(self) -> Trace:
        """Return items and tokens."""
        kinds = []
        for sample in self.samples:
            counts = self._counts(sample).max(axis=2).sum(axis=1)
            kind = np.full(counts.sum() + len(counts), EVENT, np.int8)
            kind[np.cumsum(counts + 1) - 1] = TOKEN
            kind[-1] = LAST
            kinds.append(kind)
        return self.trace(kinds)

    def words(self, *, static: bool = False) -> list[np.ndarray]:
        """Return the words of each sample: their items, and what ends with them.

        If ``static``, every step after the first of a sample has a single word.
        """
        words = []
        for sample in self.samples:
            word = self._counts(sample).max(axis=2) << ENDS
            word[:, -1] |= STEP_ENDS
            word[-1, -1] |= SAMPLE_ENDS
            words.append(np.append(word[0], word[1:, -1]) if static else word.ravel())
        return words

    def turns(self, banks: int) -> Trace:
        """Return for each item, and token, in how many turns a reader with fewer banks takes it."""
        turns = []
        for sample in self.samples:
            counts = self._counts(sample)
            rank = np.arange(counts.max(), dtype=np.int32)
            present = counts[:, :, None, :] > rank[:, None]
            parts = present.reshape(*present.shape[:-1], self.banks // banks, banks).any(axis=4)
            turn = parts.sum(axis=3, dtype=np.int32).reshape(len(sample), -1)
            turn = np.append(turn, np.ones((len(sample), 1), np.int32), axis=1)
            turns.append(turn[turn > 0])
        return self.trace(turns)

    def fan_out(self, counts: np.ndarray) -> tuple[Trace, Trace]:
        """Return the count of each event, one by one, and the first event of each item.

        ``counts`` has one for each address, and at the end one for tokens, which count as events.
        """
        of_events, firsts = [], []
        for sample in self.samples:
            padded = self._padded(sample)
            rank = np.cumsum(padded, axis=2) - 1
            step, word, row, bank = padded.nonzero()
            rank = rank[step, word, row, bank]
            address = word * self.width + row * self.banks + bank
            order = np.lexsort((bank, rank, word, step))
            keys = np.stack([step, word, rank, address])[:, order]
            # A token stands behind all other items of its step.
            ends = np.zeros((4, len(sample)), keys.dtype)
            ends[0], ends[1], ends[3] = range(len(sample)), padded.shape[1], sample.shape[1]
            keys = np.append(keys, ends, axis=1)
            keys = keys[:, np.argsort(keys[0] * (padded.shape[1] + 1) + keys[1], kind="stable")]
            of_events.append(counts[keys[3]])
            new = (np.diff(keys[:3], axis=1, prepend=-1) != 0).any(axis=0)
            firsts.append(new.nonzero()[0])
        # Places are counted from the start of a machine's stream.
        ahead = np.zeros(self.count, np.int64)
        for n, machine in enumerate(self.machines):
            firsts[n] = firsts[n] + ahead[machine]
            ahead[machine] += len(of_events[n])
        return self.trace(of_events), self.trace(firsts)

    def _padded(self, sample: np.ndarray) -> np.ndarray:
        """Return a sample's events, shape (steps, words, rows of a word, banks)."""
        words, rows = -(-sample.shape[1] // self.width), -(-self.width // self.banks)
        flat = np.zeros((len(sample), words * self.width), bool)
        flat[:, : sample.shape[1]] = sample
        padded = np.zeros((len(sample), words, rows * self.banks), bool)
        padded[:, :, : self.width] = flat.reshape(len(sample), words, self.width)
        return padded.reshape(len(sample), words, rows, self.banks)

    def _counts(self, sample: np.ndarray) -> np.ndarray:
        """Return the events in each bank of each word, shape (steps, words, banks)."""
        return self._padded(sample).sum(axis=2, dtype=np.int32)
