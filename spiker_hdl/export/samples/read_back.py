"""The samples of an emitted test bench, read back."""

import re
from collections.abc import Sequence

import numpy as np

from spiker_hdl.base import FileError, reading
from spiker_hdl.export.read import Emission, Stream
from spiker_hdl.model import Input
from spiker_hdl.payloads.fields import Field

__all__ = ["read_samples"]

_MOST_BEATS = 2**22
_MOST_VALUES = 2**26


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
        If there are none, or they are not what the network takes.
    """
    if not emission.samples:
        raise FileError(f"{emission.directory}: must have samples in vectors, not none")
    found = {}
    for node, stream in zip(emission.network.inputs, emission.inputs, strict=True):
        name = f"vectors/{stream.port}.hex"
        path = emission.directory / name
        if name not in emission.vectors:
            raise FileError("must be a file that the manifest names, not missing", path)
        with reading(path, "samples of a test bench", "text"):
            beats = _beats(emission.vectors[name], stream.width + 1)
            found[node.name] = _samples(beats, node, stream, emission.network.max_steps)
            if len(found[node.name]) != emission.samples:
                raise FileError(
                    f"must hold {emission.samples} samples, not {len(found[node.name])}"
                )
    return found


def _beats(data: bytes, width: int) -> list[int]:
    lines = data.split(b"\n")
    if lines.pop() or not lines:
        raise FileError("must hold whole lines, not part of one or none")
    if len(lines) > _MOST_BEATS:
        raise FileError(f"must have at most {_MOST_BEATS} lines, not {len(lines)}")
    digits = -(-width // 4)
    wanted = re.compile(rb"[0-9a-f]{%d}" % digits)
    found = []
    for n, line in enumerate(lines, 1):
        beat = int(line, 16) if wanted.fullmatch(line) else 1 << width
        if beat >> width:
            raise FileError(
                f"line {n} must have {width} bits in {digits} hexadecimal digits, not {line[:40]!r}"
            )
        found.append(beat)
    return found


def _samples(beats: Sequence[int], node: Input, stream: Stream, max_steps: int) -> list[np.ndarray]:
    fields = {one.name: one for one in stream.fields}
    words = "values" in fields
    per_step = -(-node.size // fields["values"].count) if words else 0
    samples: list[np.ndarray] = []
    steps: list[np.ndarray] = []
    values, place, left = np.zeros(node.size, dtype=np.int64), 0, _MOST_VALUES
    for n, beat in enumerate(beats, 1):
        later = node.static and bool(steps)
        if words:
            _put(values, place * fields["values"].count, _take(beat, fields["values"]), node, n)
            place += 1
            end = later or place == per_step
        else:
            end = bool(_take(beat, fields["end"])[0])
            (address,) = _take(beat, fields["address"])
            if not end:
                if not place <= address < node.size:
                    raise FileError(
                        f"line {n} must have an address of {place} to {node.size - 1}, since they "
                        f"ascend, not {address}"
                    )
                value = _take(beat, fields["value"])[0] if fields["value"].width else 1
                _put(values, address, [value], node, n)
                place = address + 1
        last, mark = _take(beat, fields["last"])[0], beat >> stream.width
        if last != mark or (last and not end):
            raise FileError(f"line {n} must mark the end of a sample twice, and a step's, or not")
        if later and values.any():
            raise FileError(f"line {n} must be empty, behind the first step of a static input")
        if end:
            left -= 0 if later else node.size
            if left < 0:
                raise FileError(f"must be samples of at most {_MOST_VALUES} values, not more")
            steps.append(steps[0] if later else values)
            values, place = np.zeros(node.size, dtype=np.int64), 0
        if len(steps) > max_steps:
            raise FileError(f"line {n} must be of a sample of at most {max_steps} steps, not more")
        if last:
            samples.append(np.stack(steps))
            steps = []
    if steps or place:
        raise FileError(f"line {len(beats)} must end a sample, not leave it open")
    return samples


def _take(beat: int, field: Field) -> list[int]:
    found = []
    for n in range(max(1, field.count)):
        value = beat >> field.offset + n * field.width & (1 << field.width) - 1
        if field.signed and value >> field.width - 1:
            value -= 1 << field.width
        found.append(value)
    return found


def _put(values: np.ndarray, start: int, found: Sequence[int], node: Input, line: int) -> None:
    for at, value in enumerate(found, start):
        if at >= node.size:
            if value:
                raise FileError(f"line {line} must be 0 beyond channel {node.size - 1}")
        elif not node.low <= value <= node.high:
            raise FileError(f"line {line} must be in {node.low}..{node.high}, not {value}")
        else:
            values[at] = value
