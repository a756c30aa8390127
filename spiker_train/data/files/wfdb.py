"""Records of the WFDB format, in which PhysioNet publishes signals with annotations.

The formats 212 and 16 of signals and the MIT format of annotations are read, as the WFDB
Applications Guide describes them (G. B. Moody, physionet.org/physiotools/wag).
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, read_bytes, read_text, reader

__all__ = ["Annotations", "Record", "read_annotations", "read_record"]

MAX_SIGNALS = 64
SYMBOLS = dict(enumerate(' NLRaVFJASEj/Q~ | sT*D"=pB^t+u?![]en@xf()r'))
"""Symbols of annotations by their codes."""

SKIP, NUMBER, SUBTYPE, CHANNEL, TEXT = 59, 60, 61, 62, 63


@dataclass(frozen=True)
class Record:
    """Signals of one recording.

    Members
    -------
    name : str
    rate : float
        Values of each signal per second.
    signals : array of int16, shape (values, signals)
        As the converter gave them.
    gains : array of float64, shape (signals,)
        Converter units per physical unit.
    baselines : array of int64, shape (signals,)
        Converter units at physical 0.
    units, leads : tuple of str
        Physical units, such as "mV", and descriptions, such as "MLII", of the signals.
    invalid : int
        What stands in for a missing value: the least value of the format.
    """

    name: str
    rate: float
    signals: np.ndarray
    gains: np.ndarray
    baselines: np.ndarray
    units: tuple[str, ...]
    leads: tuple[str, ...]
    invalid: int = -(2**15)

    @property
    def physical(self) -> np.ndarray:
        """Signals in physical units, float64 of the shape (values, signals); NaN where missing."""
        values = (self.signals - self.baselines) / self.gains
        return np.where(self.signals == self.invalid, np.nan, values)


@dataclass(frozen=True)
class Annotations:
    """Annotations of one recording.

    Members
    -------
    samples : array of int64, shape (annotations,)
        Number of the value at which each annotation is.
    codes : array of int64, shape (annotations,)
    texts : tuple of str
        Such as "(AFIB" where a rhythm begins; most are empty.
    """

    samples: np.ndarray
    codes: np.ndarray
    texts: tuple[str, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbol of each annotation, such as "N" for a normal beat."""
        return tuple(SYMBOLS.get(int(code), "?") for code in self.codes)


@dataclass(frozen=True)
class _Signal:
    file: str
    form: int
    gain: float
    baseline: int
    units: str
    first: int
    checksum: int
    lead: str


def read_record(path: str | Path) -> Record:
    """Read a record: its header, and the file of signals beside it that the header names.

    Parameters
    ----------
    path : str or Path
        The header, ``NAME.hea``, or the record's name without ending.

    Raises
    ------
    FileError
        If a file is not whole, of a format other than 212 and 16, or the checksum of a signal in
        the header is not that of the values.
    OSError
        If a file cannot be read.
    """
    path = Path(path)
    path = path if path.suffix == ".hea" else path.with_name(f"{path.name}.hea")
    name, rate, count, signals = _read_header(path)
    values = _read_signals(path.with_name(signals[0].file), count, signals)
    return Record(
        name,
        rate,
        values,
        np.array([signal.gain for signal in signals]),
        np.array([signal.baseline for signal in signals], dtype=np.int64),
        tuple(signal.units for signal in signals),
        tuple(signal.lead for signal in signals),
        -(2**15) if signals[0].form == 16 else -(2**11),
    )


@reader("the header of a WFDB record", "text")
def _read_header(path: Path) -> tuple[str, float, int, list[_Signal]]:
    lines = [line.strip() for line in read_text(path, 2**20).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise FileError("must have a line of the record, not none")
    words = lines[0].split()
    if len(words) < 4:
        raise FileError(f"must begin with name, signals, rate and values, not {lines[0]!r}")
    name, several, _ = words[0].partition("/")
    if several:
        raise FileError(f"must be a record of one segment, not {words[0]!r}")
    count, length = _whole(words[1]), _whole(words[3])
    rate = _number(words[2].partition("/")[0].partition("(")[0])
    if not 1 <= count <= MAX_SIGNALS or length < 1 or rate <= 0:
        raise FileError(
            f"must have 1 to {MAX_SIGNALS} signals, a rate and values above 0, not {lines[0]!r}"
        )
    if len(lines) < 1 + count:
        raise FileError(f"must have a line for each of {count} signals, not {len(lines) - 1}")
    signals = [_signal(line) for line in lines[1 : 1 + count]]
    if len({(signal.file, signal.form) for signal in signals}) > 1:
        raise FileError("must have all signals in one file and format, not in several")
    return name, rate, length, signals


def _signal(line: str) -> _Signal:
    words = line.split(maxsplit=8)
    if len(words) < 8:
        raise FileError(f"must have file, format, gain, ... and checksum of a signal, not {line!r}")
    file, form, gain, _, zero, first, checksum, _ = words[:8]
    if file != Path(file).name or file in {"", ".", "..", "-"} or "\\" in file:
        raise FileError(f"must name a file in the same folder, not {file!r}")
    if form not in {"212", "16"}:
        raise FileError(f"must have signals of the format 212 or 16, not {form!r}")
    numbers, _, units = gain.partition("/")
    factor, _, baseline = numbers.partition("(")
    # 200 units per mV are meant where the gain is 0, which says that there is no calibration.
    return _Signal(
        file,
        int(form),
        _number(factor) or 200.0,
        _whole(baseline.rstrip(")")) if baseline else _whole(zero),
        units or "mV",
        _whole(first),
        _whole(checksum),
        words[8] if len(words) > 8 else "",
    )


def _whole(word: str) -> int:
    digits = word[1:] if word[:1] == "-" else word
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise FileError(f"must have an integer, not {word!r}")
    return int(word)


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not (isfinite(value) and 0 <= value < 1e9):
        raise FileError(f"must have a number, not {word!r}")
    return value


@reader("the signals of a WFDB record", "")
def _read_signals(path: Path, count: int, signals: list[_Signal]) -> np.ndarray:
    data = read_bytes(path)
    total = count * len(signals)
    size = 2 * total if signals[0].form == 16 else -(-3 * total // 2)
    if len(data) not in {size, size + 1}:
        raise FileError(f"must have {size} bytes, not {len(data)}")
    if signals[0].form == 16:
        values = np.frombuffer(data, "<i2", total)
    else:
        values = _unpack_212(data, total)
    values = np.ascontiguousarray(values.reshape(count, len(signals)), dtype=np.int16)
    for n, signal in enumerate(signals):
        own = values[:, n]
        actual = int(own.sum(dtype=np.int64))
        if (actual - signal.checksum) % 2**16:
            raise FileError(
                f"must have signal {n} of the checksum {signal.checksum}, not "
                f"{(actual + 2**15) % 2**16 - 2**15}"
            )
        if int(own[0]) != signal.first:
            raise FileError(f"must begin signal {n} with {signal.first}, not {int(own[0])}")
    return values


def _unpack_212(data: bytes, total: int) -> np.ndarray:
    """Return values of 12 bits with sign, two of which lie in three bytes."""
    padded = np.zeros(3 * -(-total // 2), dtype=np.uint8)
    raw = np.frombuffer(data, np.uint8)[: len(padded)]
    padded[: len(raw)] = raw
    low, middle, high = padded.reshape(-1, 3).astype(np.int16).T
    pairs = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8], axis=1)
    return ((pairs ^ 2**11) - 2**11).reshape(-1)[:total]


@reader("annotations of a WFDB record, such as a file .atr", "")
def read_annotations(path: str | Path) -> Annotations:
    """Read annotations in the MIT format.

    Raises
    ------
    FileError
        If the file is not whole.
    OSError
        If it cannot be read.
    """
    data = read_bytes(path, 2**26)
    words = np.frombuffer(data[: len(data) & ~1], "<u2").tolist()
    samples, codes, texts = [], [], []
    at = time = 0
    while True:
        if at >= len(words):
            raise FileError("must end with a word of 0, not without")
        code, value = words[at] >> 10, words[at] & 1023
        at += 1
        if not code and not value:
            break
        if code == SKIP:
            if at + 2 > len(words):
                raise FileError("must have four bytes after a skip, not fewer")
            skip = words[at] << 16 | words[at + 1]  # the high half is first
            time += skip - 2**32 if skip >= 2**31 else skip
            at += 2
        elif code == TEXT:
            if not codes or 2 * at + value > len(data):
                raise FileError("must have a text whole and after an annotation, not elsewhere")
            text = data[2 * at : 2 * at + value].decode("latin-1")
            texts[-1] = text.rstrip("\0")
            at += -(-value // 2)
        elif code in {NUMBER, SUBTYPE, CHANNEL}:
            continue
        else:
            time += value
            if time < 0:
                raise FileError(f"must have annotations at values from 0 on, not at {time}")
            samples.append(time)
            codes.append(code)
            texts.append("")
    return Annotations(
        np.array(samples, dtype=np.int64), np.array(codes, dtype=np.int64), tuple(texts)
    )
