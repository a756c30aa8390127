"""The samples of an emitted test bench, read back."""

import re
from collections.abc import Sequence

import numpy as np

from spiker_hdl.base import FileError, reading
from spiker_hdl.model import Input
from spiker_hdl.payloads.fields import Field

from .emission import Emission
from .streams import Stream

__all__ = ["read_samples"]

_MAX_BEATS = 2**22
_MAX_VALUES = 2**26


def read_samples(emission: Emission) -> dict[str, list[np.ndarray]]:
    """Return the samples in an emitted directory's ``vectors``.

    Parameters
    ----------
    emission : Emission

    Returns
    -------
    dict of str to list of array of int, shape (steps, size)
        By input, as :func:`spiker_hdl.run` takes them.

    Raises
    ------
    FileError
        If there are none, or the network does not take them.
    """
    if not emission.samples:
        raise FileError(f"{emission.directory}: must have samples in vectors, not none")
    samples = {}
    for node, stream in zip(emission.network.inputs, emission.inputs, strict=True):
        name = f"vectors/{stream.port}.hex"
        path = emission.directory / name
        if name not in emission.vectors:
            raise FileError("must be a file that the manifest names, not missing", path)
        with reading(path, "samples of a test bench", "text"):
            beats = _beats(emission.vectors[name], stream.width + 1)
            reader = _SampleReader(node, stream, emission.network.max_steps)
            samples[node.name] = reader.read(beats)
            if len(samples[node.name]) != emission.samples:
                raise FileError(
                    f"must hold {emission.samples} samples, not {len(samples[node.name])}"
                )
    return samples


def _beats(data: bytes, width: int) -> list[int]:
    """Return the number in each line."""
    lines = data.split(b"\n")
    if lines.pop() or not lines:
        raise FileError("must hold whole lines, not part of one or none")
    if len(lines) > _MAX_BEATS:
        raise FileError(f"must have at most {_MAX_BEATS} lines, not {len(lines)}")
    digits = -(-width // 4)
    pattern = re.compile(rb"[0-9a-f]{%d}" % digits)
    beats = []
    for n, line in enumerate(lines, 1):
        beat = int(line, 16) if pattern.fullmatch(line) else 1 << width
        if beat >> width:
            raise FileError(
                f"line {n} must have {width} bits in {digits} hexadecimal digits, not {line[:40]!r}"
            )
        beats.append(beat)
    return beats


class _SampleReader:
    """Reads the beats of an input, step by step and sample by sample."""

    def __init__(self, node: Input, stream: Stream, max_steps: int):
        self.node, self.stream, self.max_steps = node, stream, max_steps
        self.fields = {field.name: field for field in stream.fields}
        self.words = "values" in self.fields
        self.values_left = _MAX_VALUES
        self.samples: list[np.ndarray] = []
        self.steps: list[np.ndarray] = []
        self._start_step()

    def read(self, beats: Sequence[int]) -> list[np.ndarray]:
        """Return the samples, which end with the last beat."""
        take = self._take_word if self.words else self._take_event
        for line, beat in enumerate(beats, 1):
            # A static input sends its values in a sample's first step alone.
            repeated = self.node.static and bool(self.steps)
            ends_step = take(beat, line, repeated)
            last, mark = _values(beat, self.fields["last"])[0], beat >> self.stream.width
            if last != mark or (last and not ends_step):
                raise FileError(
                    f"line {line} must mark the end of a sample twice, and a step's, or not"
                )
            if repeated and self.values.any():
                raise FileError(
                    f"line {line} must be empty, behind the first step of a static input"
                )
            if ends_step:
                self._end_step(repeated)
            if len(self.steps) > self.max_steps:
                raise FileError(
                    f"line {line} must be of a sample of at most {self.max_steps} steps, not more"
                )
            if last:
                self.samples.append(np.stack(self.steps))
                self.steps = []
        if self.steps or self.position:
            raise FileError(f"line {len(beats)} must end a sample, not leave it open")
        return self.samples

    def _start_step(self) -> None:
        self.values = np.zeros(self.node.size, dtype=np.int64)
        # Words of the step so far, or the lowest address that may come next.
        self.position = 0

    def _end_step(self, repeated: bool) -> None:
        self.values_left -= 0 if repeated else self.node.size
        if self.values_left < 0:
            raise FileError(f"must be samples of at most {_MAX_VALUES} values, not more")
        self.steps.append(self.steps[0] if repeated else self.values)
        self._start_step()

    def _take_word(self, beat: int, line: int, repeated: bool) -> bool:
        """Take a beat of the form ``words``; return whether it ends the step."""
        field = self.fields["values"]
        self._put(self.position * field.count, _values(beat, field), line)
        self.position += 1
        return repeated or self.position == -(-self.node.size // field.count)

    def _take_event(self, beat: int, line: int, repeated: bool) -> bool:
        """Take a beat of the form ``events``; return whether it ends the step."""
        (address,) = _values(beat, self.fields["address"])
        if _values(beat, self.fields["end"])[0]:
            return True
        if not self.position <= address < self.node.size:
            raise FileError(
                f"line {line} must have an address of {self.position} to {self.node.size - 1}, "
                f"since they ascend, not {address}"
            )
        value = self.fields["value"]
        self._put(address, _values(beat, value) if value.width else [1], line)
        self.position = address + 1
        return False

    def _put(self, start: int, values: Sequence[int], line: int) -> None:
        """Put the values of channels from ``start`` on in place."""
        node = self.node
        for channel, value in enumerate(values, start):
            if channel >= node.size:
                if value:
                    raise FileError(f"line {line} must be 0 beyond channel {node.size - 1}")
            elif not node.low <= value <= node.high:
                raise FileError(f"line {line} must be in {node.low}..{node.high}, not {value}")
            else:
                self.values[channel] = value


def _values(beat: int, field: Field) -> list[int]:
    """Return the elements of a field."""
    values = []
    for n in range(max(1, field.count)):
        value = beat >> field.offset + n * field.width & (1 << field.width) - 1
        if field.signed and value >> field.width - 1:
            value -= 1 << field.width
        values.append(value)
    return values
