"""Samples as payloads of frames of data, and results from those of frames of results.

NumPy alone, for the host; that it is what the hardware takes and gives is tested.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spiker_hdl.model import Answer, Input, Network, Result
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.mapping.reload import LOAD_BITS
from spiker_hdl.model.scores import class_count, score_range
from spiker_hdl.model.stimulus import transmitted

from .frames import MOST, Identity

__all__ = ["LAST", "Port", "ResultLayout", "data_payloads", "load_payloads", "value_payloads"]

LAST = 0x80
"""Bit of a payload's first byte: whether the sample ends with it."""


@dataclass(frozen=True)
class Port:
    """An input, and how its samples become bytes.

    A beat is padded to whole bytes, and goes without the field ``last``.

    Members
    -------
    node : Input
    number : int
        Which input of the network it is.
    form : {"words", "events"}
    channels : int
        In a word.
    """

    node: Input
    number: int
    form: str
    channels: int

    @classmethod
    def of(cls, node: Input, number: int, identity: Identity) -> "Port":
        """Return the port of a node of a board."""
        return cls(node, number, identity.form, min(identity.word, node.size))

    @property
    def value_bits(self) -> int:
        """Bits of a value, 0 where all are 1."""
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
        first : bool
            Whether a sample begins with them.

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
        # Of a static input, steps behind the first have a word each.
        start = words if first else 0
        return np.concatenate([beats[:start], beats[start + words - 1 :: words]])

    def _words(self, steps: np.ndarray) -> np.ndarray:
        words, bits = -(-self.node.size // self.channels), max(1, self.value_bits)
        padded = np.zeros((len(steps), words * self.channels), dtype=np.int64)
        padded[:, : self.node.size] = steps
        digits = (padded[..., None] >> np.arange(bits) & 1).astype(np.uint8)
        return np.packbits(digits.reshape(len(steps) * words, -1), axis=1, bitorder="little")

    def _events(self, steps: np.ndarray) -> np.ndarray:
        step, address = np.nonzero(steps)
        held = address.astype(np.int64)
        if self.value_bits:
            mask = (1 << self.value_bits) - 1
            held |= (steps[step, address] & mask) << self.address_bits
        ends = np.cumsum(np.bincount(step, minlength=len(steps)) + 1) - 1
        beats = np.zeros(len(step) + len(steps), dtype="<i8")
        beats[np.arange(len(step)) + step] = held
        beats[ends] = 1 << self.address_bits + self.value_bits
        return np.ascontiguousarray(beats.view(np.uint8).reshape(-1, 8)[:, : self.beat_bytes])


def data_payloads(ports: list[Port], sample: dict[str, np.ndarray]) -> Iterator[bytes]:
    """Give the payloads of the frames of a sample, in order.

    With several inputs a step of each follows the other, so that none waits for what comes behind.

    Parameters
    ----------
    ports : list of Port
    sample : dict of str to array of int, shape (steps, size)
        By the names of the inputs.
    """
    length = len(next(iter(sample.values())))
    stride = length if len(ports) == 1 else 1
    for start in range(0, length, stride):
        for port in ports:
            steps = sample[port.node.name][start : start + stride]
            beats = port.beats(steps, first=start == 0)
            most = (MOST - 1) // port.beat_bytes
            for first in range(0, len(beats), most):
                ends = start + stride >= length and first + most >= len(beats)
                head = port.number | (LAST if ends else 0)
                yield bytes([head]) + beats[first : first + most].tobytes()


def value_payloads(bits: int, values: np.ndarray) -> Iterator[bytes]:
    """Give the payloads of the frames of a sample whose spikes the board makes, in order.

    Parameters
    ----------
    bits : int
        Of a value.
    values : array of int
        Pixels, or the signals of each step in turn.
    """
    size = -(-bits // 8)
    text = values.astype("<u8").reshape(-1).view(np.uint8).reshape(-1, 8)[:, :size]
    most = (MOST - 1) // size
    for first in range(0, len(text), most):
        head = LAST if first + most >= len(text) else 0
        yield bytes([head]) + text[first : first + most].tobytes()


def load_payloads(number: int, beats: np.ndarray) -> Iterator[bytes]:
    """Give the payloads of the frames that load a network, in order.

    Parameters
    ----------
    number : int
        That behind the last input's.
    beats : array of uint64
        See :func:`spiker_hdl.model.mapping.reload.beats`.
    """
    size = -(-LOAD_BITS // 8)
    text = np.ascontiguousarray(beats.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :size])
    most = (MOST - 1) // size
    for first in range(0, len(text), most):
        yield bytes([number]) + text[first : first + most].tobytes()


@dataclass(frozen=True)
class _Bits:
    """Neighbouring bits of a result; several of one width in a row where ``count`` is not 0."""

    offset: int
    width: int
    signed: bool = False
    count: int = 0

    def take(self, bits: np.ndarray) -> np.ndarray:
        """Return the values of all rows of bits."""
        count = max(1, self.count)
        part = bits[:, self.offset : self.offset + count * self.width]
        part = part.reshape(len(bits), count, self.width).astype(np.int64)
        weights = 1 << np.arange(self.width, dtype=np.int64)
        if self.signed:
            weights[-1] *= -1
        values = part @ weights
        return values if self.count else values[:, 0]


class ResultLayout:
    """Where what a board answers lies among the bits of a result.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    width : int
        Bits of a result.
    """

    CYCLE_BITS = 32

    def __init__(self, network: Network):
        self.network = network
        self.width = 0
        steps = network.max_steps.bit_length()
        self._winners, self._scores, self._steps, self._counts = {}, {}, {}, {}
        for one in network.readouts:
            classes = class_count(network, one)
            low, high = score_range(network, one)
            signed = low < 0
            width = signed_width(low, high) if signed else max(1, high.bit_length())
            self._winners[one.name] = self._place((classes - 1).bit_length())
            self._scores[one.name] = self._place(width, signed, classes)
            self._steps[one.name] = self._place(steps)
            self._place(2)  # whether a window and the sample end there
        for one in network.populations:
            if one.neuron.spiking:
                most = one.size * network.max_steps
                self._counts[one.name] = self._place(most.bit_length())
        self._cycles = self._place(self.CYCLE_BITS)

    def _place(self, width: int, signed: bool = False, count: int = 0) -> _Bits:
        placed = _Bits(self.width, width, signed, count)
        self.width += width * max(1, count)
        return placed

    @property
    def size(self) -> int:
        """Bytes of a result."""
        return -(-self.width // 8)

    @property
    def frames(self) -> int:
        """Frames that a result takes."""
        return -(-self.size // MOST)

    def result(self, found: list[bytes], engine: str) -> Result:
        """Return what boards answered to samples, in order."""
        held = np.frombuffer(b"".join(found), dtype=np.uint8).reshape(len(found), self.size)
        bits = np.unpackbits(held, axis=1, bitorder="little")
        answers = {
            name: Answer(self._winners[name].take(bits), self._scores[name].take(bits))
            for name in self._winners
        }
        first = self.network.readout.name
        return Result(
            answers[first].classes,
            answers[first].scores,
            self._steps[first].take(bits),
            {name: one.take(bits) for name, one in self._counts.items()},
            {},
            self._cycles.take(bits),
            answers,
            engine,
            self.network,
        )
