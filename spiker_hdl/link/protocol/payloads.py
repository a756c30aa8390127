"""Conversion of samples into payloads of data frames, and of result frames into results.

It needs NumPy alone, for the host. Tests compare it with the layouts of the hardware.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spiker_hdl.model import Answer, Input, Network, Result
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.mapping.reload import LOAD_BITS
from spiker_hdl.model.scores import class_count, score_range
from spiker_hdl.model.stimulus import transmitted

from .frames import MAX_PAYLOAD
from .identity import Identity

__all__ = ["LAST", "Port", "ResultLayout", "data_payloads", "load_payloads", "value_payloads"]

LAST = 0x80
"""Bit of a payload's first byte: whether the sample ends with this payload."""


@dataclass(frozen=True)
class Port:
    """An input of a board, and the encoding of its samples in bytes.

    A beat is padded to whole bytes, and sent without the field ``last``.

    Members
    -------
    node : Input
        The input of the network.
    number : int
        Number of the input in the network.
    form : {"words", "events"}
        Form of its beats.
    channels : int
        Number of channels in a word.
    """

    node: Input
    number: int
    form: str
    channels: int

    @classmethod
    def of(cls, node: Input, number: int, identity: Identity) -> "Port":
        """Return the port of an input of the board with an identity."""
        return cls(node, number, identity.form, min(identity.word, node.size))

    @property
    def value_bits(self) -> int:
        """Bits of a value; 0 if every value is 1."""
        if not self.node.graded:
            return 0
        low, high = self.node.low, self.node.high
        return high.bit_length() if low == 0 else signed_width(low, high)

    @property
    def address_bits(self) -> int:
        """Bits of an event's address."""
        return (self.node.size - 1).bit_length()

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat."""
        bits = self.address_bits + self.value_bits + 1
        if self.form == "words":
            bits = self.channels * max(1, self.value_bits)
        return -(-bits // 8)

    def beats(self, steps: np.ndarray, *, first: bool = True) -> np.ndarray:
        """Return time steps as beats.

        Parameters
        ----------
        steps : array of int, shape (steps, size)
            Values of each channel in each step.
        first : bool
            Whether they are the first steps of a sample.

        Returns
        -------
        array of uint8, shape (beats, beat_bytes)
        """
        steps = np.asarray(steps, dtype=np.int64)
        if self.node.static and not first:
            steps = np.zeros_like(steps)
        steps = transmitted(self.node, steps)
        if self.form == "events":
            return self._events(steps)
        words = -(-self.node.size // self.channels)
        beats = self._words(steps)
        if not self.node.static:
            return beats
        # For a static input, each step after the first is a single word.
        start = words if first else 0
        return np.concatenate([beats[:start], beats[start + words - 1 :: words]])

    def _words(self, steps: np.ndarray) -> np.ndarray:
        words, bits = -(-self.node.size // self.channels), max(1, self.value_bits)
        padded = np.zeros((len(steps), words * self.channels), dtype=np.int64)
        padded[:, : self.node.size] = steps
        # The bits of each channel, the lowest first, as they lie in a word.
        digits = (padded[..., None] >> np.arange(bits) & 1).astype(np.uint8)
        return np.packbits(digits.reshape(len(steps) * words, -1), axis=1, bitorder="little")

    def _events(self, steps: np.ndarray) -> np.ndarray:
        step, address = np.nonzero(steps)
        events = address.astype(np.int64)
        if self.value_bits:
            # The mask makes negative values two's complement of as many bits.
            mask = (1 << self.value_bits) - 1
            events |= (steps[step, address] & mask) << self.address_bits
        # A token follows the events of each step.
        ends = np.cumsum(np.bincount(step, minlength=len(steps)) + 1) - 1
        beats = np.zeros(len(step) + len(steps), dtype="<i8")
        beats[np.arange(len(step)) + step] = events
        beats[ends] = 1 << self.address_bits + self.value_bits
        return np.ascontiguousarray(beats.view(np.uint8).reshape(-1, 8)[:, : self.beat_bytes])


def data_payloads(ports: list[Port], sample: dict[str, np.ndarray]) -> Iterator[bytes]:
    """Yield the payloads of the data frames of a sample, in order.

    With several inputs, the inputs take turns step by step, since the board needs a step of all of
    them to go on.

    Parameters
    ----------
    ports : list of Port
        All inputs of the board.
    sample : dict of str to array of int, shape (steps, size)
        Values by the names of the inputs.
    """
    # A single input has no others to wait for: its frames may span steps.
    length = len(next(iter(sample.values())))
    stride = length if len(ports) == 1 else 1
    for start in range(0, length, stride):
        for port in ports:
            steps = sample[port.node.name][start : start + stride]
            beats = port.beats(steps, first=start == 0)
            beats_per_frame = (MAX_PAYLOAD - 1) // port.beat_bytes
            for first in range(0, len(beats), beats_per_frame):
                last_beats = first + beats_per_frame >= len(beats)
                ends = start + stride >= length and last_beats
                head = port.number | (LAST if ends else 0)
                yield bytes([head]) + beats[first : first + beats_per_frame].tobytes()


def value_payloads(bits: int, values: np.ndarray) -> Iterator[bytes]:
    """Yield the payloads of the data frames of a sample that the board encodes, in order.

    Parameters
    ----------
    bits : int
        Number of bits of a value.
    values : array of int
        Pixels, or the signals of each step in turn.
    """
    size = -(-bits // 8)
    text = values.astype("<u8").reshape(-1).view(np.uint8).reshape(-1, 8)[:, :size]
    values_per_frame = (MAX_PAYLOAD - 1) // size
    for first in range(0, len(text), values_per_frame):
        head = LAST if first + values_per_frame >= len(text) else 0
        yield bytes([head]) + text[first : first + values_per_frame].tobytes()


def load_payloads(number: int, beats: np.ndarray) -> Iterator[bytes]:
    """Yield the payloads of the data frames that load a network, in order.

    Parameters
    ----------
    number : int
        Number of the input for loading: the number after the last input's.
    beats : array of uint64
        Beats for the memories: see :func:`spiker_hdl.model.mapping.reload.beats`.
    """
    size = -(-LOAD_BITS // 8)
    text = np.ascontiguousarray(beats.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :size])
    values_per_frame = (MAX_PAYLOAD - 1) // size
    for first in range(0, len(text), values_per_frame):
        yield bytes([number]) + text[first : first + values_per_frame].tobytes()


@dataclass(frozen=True)
class _Bits:
    """A field of a result; an array of ``count`` elements if that is not 0."""

    offset: int
    width: int
    signed: bool = False
    count: int = 0

    def take(self, bits: np.ndarray) -> np.ndarray:
        """Return the field of each row of bits."""
        count = max(1, self.count)
        part = bits[:, self.offset : self.offset + count * self.width]
        part = part.reshape(len(bits), count, self.width).astype(np.int64)
        weights = 1 << np.arange(self.width, dtype=np.int64)
        # The highest bit of a two's complement number counts negatively.
        if self.signed:
            weights[-1] *= -1
        values = part @ weights
        return values if self.count else values[:, 0]


class ResultLayout:
    """The layout of the result that a board sends for a sample.

    Parameters
    ----------
    network : Network
        Network of the board.

    Attributes
    ----------
    width : int
        Number of bits of a result.
    """

    CYCLE_BITS = 32

    def __init__(self, network: Network):
        self.network = network
        self.width = 0
        steps = network.max_steps.bit_length()
        self._winners, self._scores, self._steps, self._counts = {}, {}, {}, {}
        for readout in network.readouts:
            classes = class_count(network, readout)
            low, high = score_range(network, readout)
            signed = low < 0
            width = signed_width(low, high) if signed else max(1, high.bit_length())
            self._winners[readout.name] = self._place((classes - 1).bit_length())
            self._scores[readout.name] = self._place(width, signed, classes)
            self._steps[readout.name] = self._place(steps)
            self._place(2)  # ``answer`` and ``last``, which are 1
        for population in network.populations:
            if population.neuron.emits:
                max_count = population.size * network.max_steps
                self._counts[population.name] = self._place(max_count.bit_length())
        self._cycles = self._place(self.CYCLE_BITS)

    def _place(self, width: int, signed: bool = False, count: int = 0) -> _Bits:
        placed = _Bits(self.width, width, signed, count)
        self.width += width * max(1, count)
        return placed

    @property
    def size(self) -> int:
        """Number of bytes of a result."""
        return -(-self.width // 8)

    @property
    def frames(self) -> int:
        """Number of frames that a result takes."""
        return -(-self.size // MAX_PAYLOAD)

    def result(self, payloads: list[bytes], engine: str) -> Result:
        """Return the result of a run from the payloads of each sample's result, in order."""
        rows = np.frombuffer(b"".join(payloads), dtype=np.uint8).reshape(len(payloads), self.size)
        bits = np.unpackbits(rows, axis=1, bitorder="little")
        answers = {
            name: Answer(self._winners[name].take(bits), self._scores[name].take(bits))
            for name in self._winners
        }
        first = self.network.readout.name
        return Result(
            answers[first].classes,
            answers[first].scores,
            self._steps[first].take(bits),
            {name: field.take(bits) for name, field in self._counts.items()},
            {},
            self._cycles.take(bits),
            answers,
            engine,
            self.network,
        )
