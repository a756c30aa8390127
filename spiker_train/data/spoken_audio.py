r"""Recordings of spoken digits as audio, and spikes of an artificial cochlea that are made of them.

The Free Spoken Digit Dataset (Z. Jackson et al., https://doi.org/10.5281/zenodo.1342401, under the
CC BY-SA 4.0) has 3,000 files such as ``7_jackson_32.wav``: digit, speaker and take.

:func:`cochlea` is a bank of gammatone filters of the fourth order, whose centre frequencies are
equally spaced on the scale of equivalent rectangular bandwidths,

.. math:: E(f) = 21.4 \log_{10}(1 + 0.00437 f)

with half-wave rectification, the mean over each millisecond, and the cube root of that, which
drives a leaky integrate-and-fire cell for each channel,

.. math:: v_t = \beta v_{t-1} + g x_t, \qquad \text{spike and } v_t \leftarrow v_t - 1
    \text{ where } v_t \ge 1

with :math:`\beta = e^{-1/10}`, a time constant of 10 ms. Sources: B. R. Glasberg and B. C. J.
Moore, Hearing Research 47 (1990), 103-138, for the scale; R. D. Patterson et al., "An efficient
auditory filterbank based on the gammatone function", APU report 2341 (1988), for the filters. The
cube root stands for the compression of the ear. The spikes of ``fsdd_spikes.npz`` are of another
cochlea.
"""

import hashlib
import io
import re
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, read_bytes, reader
from spiker_hdl.base.checks import check_int
from spiker_hdl.base.files.arrays import read_npz

from .images import places
from .recordings import EventDataset, Recordings

__all__ = ["PUBLISHED_AUDIO", "SpokenAudio", "cochlea", "spoken_audio", "spoken_audio_recordings"]

PUBLISHED_AUDIO = "d223db62d58d7df66a7ed0092b38316a1ccdc8ea73da78be65a5794ad99e1246"
"""SHA-256 of the 3,000 recordings, as :attr:`SpokenAudio.digest` has it."""

WHOLE = 3000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
"""Of the archive, which has their numbers."""

RATE = 8000
MOST_SAMPLES = 2**20
FOLDERS = ("fsdd", "free-spoken-digit-dataset", "FSDD")
MILLISECOND = 10**9
LEAK = float(np.exp(-0.1))
GAIN = 0.1
LOWEST, HIGHEST = 80.0, 3800.0
_NAME = re.compile(r"(\d)_([A-Za-z]+)_(\d{1,4})\.wav")


@dataclass(frozen=True, eq=False)
class SpokenAudio:
    """Recordings of spoken digits.

    Members
    -------
    audio : list of array of int16
        Samples of each recording, at 8 kHz; recordings are in the order of their names.
    labels : array of int64, shape (recordings,)
        Spoken digit.
    speakers : array of int64, shape (recordings,)
        Place in ``names``.
    takes : array of int64, shape (recordings,)
        Number of the speaker's recording of the digit.
    names : tuple of str
        Names of the speakers, in the order of the alphabet.
    """

    audio: list[np.ndarray]
    labels: np.ndarray
    speakers: np.ndarray
    takes: np.ndarray
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the names of the recordings, and of their samples."""
        total = hashlib.sha256()
        for audio, label, speaker, take in zip(
            self.audio, self.labels, self.speakers, self.takes, strict=True
        ):
            total.update(f"{label}_{self.names[speaker]}_{take}:{len(audio)}:".encode())
            total.update(audio.astype("<i2").tobytes())
        return total.hexdigest()


def spoken_audio(path: str | Path | None = None, *, check: bool = True) -> SpokenAudio:
    """Load the audio of the Free Spoken Digit Dataset.

    Parameters
    ----------
    path : str or Path, optional
        A folder with files such as ``7_jackson_32.wav``, or with a folder ``recordings`` of them,
        as the data set is published; or the file ``fsdd_audio.npz``, which has the same samples.
        Where none is given, both are searched for in the folders of data sets, the recordings also
        in their subfolders ``fsdd``, ``free-spoken-digit-dataset`` and ``FSDD``.
    check : bool
        Whether the recordings must be the 3,000 that are published, by their SHA-256.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    FileError
        If a file has other contents, or the recordings are not those that are published.
    """
    path = _found() if path is None else Path(path)
    if path.is_dir():
        sound = _read_folder(path)
    elif path.is_file():
        sound = _read_archive(path)
    else:
        raise FileNotFoundError(f"Spoken digits must be at {path}, and are not there")
    if check and sound.digest != PUBLISHED_AUDIO:
        raise FileError(
            f"must have the {WHOLE} recordings that are published, not {len(sound.audio)} with the "
            f"SHA-256 {sound.digest[:16]}...: check=False takes others",
            path,
        )
    return sound


def cochlea(
    audio: list[np.ndarray], channels: int = 128, rate: int = RATE, gain: float = GAIN
) -> Recordings:
    """Return the spikes of a cochlea, in milliseconds; the module says how they are computed.

    Parameters
    ----------
    audio : list of array of int16
    channels : int
        Filters from 80 Hz to 3.8 kHz, or to 95 % of half the rate where that is less.
    rate : int
        Samples in a second, of which a millisecond has a whole number.
    gain : float
        Weight of the drive, relative to the greatest mean drive of any channel of the recording: a
        recording that is louder as a whole has the same spikes.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.
    """
    from scipy.signal import gammatone

    channels = check_int("Channels", channels, 1, 1024)
    rate = check_int("Rate", rate, 1000)
    if not 0 < gain < float("inf"):
        raise ValueError(f"Gain must be a positive number, not {gain!r}")
    if rate % 1000:
        raise ValueError(f"Rate must be a multiple of 1000 samples in a second, not {rate}")
    filters = [gammatone(f, "iir", fs=rate) for f in frequencies(channels, rate)]
    times, units, counts, durations = [], [], [], []
    for sound in audio:
        drive = _drive(sound, filters, rate // 1000)
        loudest = float(drive.sum(0).max()) / max(len(drive), 1)
        spikes = _fire(drive * (gain / loudest if loudest else 0.0))
        step, channel = np.nonzero(spikes)
        times.append(step)
        units.append(channel)
        counts.append(len(step))
        durations.append(max(1, len(drive)))
    return Recordings(
        np.concatenate(times).astype(np.int32),
        np.concatenate(units).astype(np.int32),
        np.concatenate([[0], np.cumsum(counts)]),
        channels,
        np.array(durations),
        MILLISECOND,
    )


def frequencies(channels: int, rate: int = RATE) -> np.ndarray:
    """Return the centre frequencies of the filters in Hz, equally spaced on the ERB scale."""
    highest = min(HIGHEST, 0.475 * rate)
    low, high = 21.4 * np.log10(1 + 0.00437 * np.array([LOWEST, highest]))
    return (10 ** (np.linspace(low, high, channels) / 21.4) - 1) / 0.00437


def spoken_audio_recordings(
    path: str | Path | None = None, *, channels: int = 128, check: bool = True
) -> EventDataset:
    """Load spikes that are made of the audio, in the official split of the data set.

    The first five takes of each speaker and digit test. Parameters and errors are those of
    :func:`spoken_audio`; ``channels`` is that of :func:`cochlea`. The cochlea computes for about
    half a minute.
    """
    sound = spoken_audio(path, check=check)
    whole = cochlea(sound.audio, channels)
    test = sound.takes < 5
    parts = []
    for members in (np.flatnonzero(~test), np.flatnonzero(test)):
        if not len(members):
            raise ValueError("Spoken digits must have takes below 5 and above, not of one kind")
        parts.append((whole.take(members), sound.labels[members]))
    (x_train, y_train), (x_test, y_test) = parts
    return EventDataset(x_train, y_train, x_test, y_test, "fsdd_audio", 0.01, 64)


def _drive(sound: np.ndarray, filters: list[tuple], samples: int) -> np.ndarray:
    """Return the compressed, rectified output of all filters, shape (milliseconds, channels)."""
    from scipy.signal import lfilter

    whole = sound[: len(sound) // samples * samples].astype(float)
    outputs = np.stack([lfilter(b, a, whole) for b, a in filters], axis=1)
    means = np.maximum(outputs, 0).reshape(-1, samples, len(filters)).mean(1)
    return np.cbrt(means)


def _fire(drive: np.ndarray) -> np.ndarray:
    """Return the spikes of a cell for each channel, shape (milliseconds, channels)."""
    spikes = np.zeros(drive.shape, dtype=bool)
    potential = np.zeros(drive.shape[1])
    for step, current in enumerate(drive):
        potential = LEAK * potential + current
        spikes[step] = potential >= 1
        potential -= spikes[step]
    return spikes


def _found() -> Path:
    """Return the folder or file of the data set in the folders of data sets."""
    for place in places():
        for candidate in (place, *(place / name for name in FOLDERS)):
            if _folder(candidate) is not None:
                return candidate
        if (place / "fsdd_audio.npz").is_file():
            return place / "fsdd_audio.npz"
    looked = ", ".join(str(place) for place in places())
    raise FileNotFoundError(
        f"Spoken digits must be in one of {looked}: put the recordings that "
        "https://github.com/Jakobovski/free-spoken-digit-dataset has into a folder fsdd where the "
        "environment variable SPIKER_DATA points"
    )


def _folder(path: Path) -> Path | None:
    """Return the folder itself or its folder ``recordings``, if it has recordings."""
    for folder in (path / "recordings", path):
        if folder.is_dir() and any(_NAME.fullmatch(file.name) for file in folder.glob("*.wav")):
            return folder
    return None


def _read_folder(path: Path) -> SpokenAudio:
    folder = _folder(path)
    if folder is None:
        raise FileNotFoundError(
            f"Folder {path} must have recordings such as 7_jackson_32.wav, and has none"
        )
    names = [match for file in folder.glob("*.wav") if (match := _NAME.fullmatch(file.name))]
    keys = [(int(match[1]), match[2], int(match[3])) for match in names]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return _ordered(
        [(keys[n], _read_wave(folder / names[n].string)) for n in order],
    )


def _ordered(recordings: list[tuple[tuple[int, str, int], np.ndarray]]) -> SpokenAudio:
    """Return recordings that are in the order of digit, speaker and take."""
    names = tuple(sorted({name for (_, name, _), _ in recordings}))
    return SpokenAudio(
        [audio for _, audio in recordings],
        np.array([label for (label, _, _), _ in recordings], dtype=np.int64),
        np.array([names.index(name) for (_, name, _), _ in recordings], dtype=np.int64),
        np.array([take for (_, _, take), _ in recordings], dtype=np.int64),
        names,
    )


@reader("a WAVE file of a spoken digit", "")
def _read_wave(path: Path) -> np.ndarray:
    try:
        with wave.open(io.BytesIO(read_bytes(path, 2 * MOST_SAMPLES + 4096))) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if form != (1, 2, RATE):
                raise FileError(
                    f"must have 1 channel of 2 bytes at {RATE} samples a second, not {form[0]} of "
                    f"{form[1]} at {form[2]}"
                )
            count = file.getnframes()
            if not 1 <= count <= MOST_SAMPLES:
                raise FileError(f"must have 1..{MOST_SAMPLES} samples, not {count}")
            data = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise FileError(f"must be a WAVE file of PCM: {error}") from None
    if len(data) != 2 * count:
        raise FileError(f"must have {count} samples, not {len(data) // 2}")
    return np.frombuffer(data, dtype="<i2").astype(np.int16)


@reader("an .npz file of the spoken digits' audio", "npz")
def _read_archive(path: Path) -> SpokenAudio:
    names = ("audio", "offset", "label", "speaker", "take", "rate")
    arrays = read_npz(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FileError(f"must have {', '.join(names)}, not lack {', '.join(missing)}")
    audio, offset = arrays["audio"], arrays["offset"].astype(np.int64)
    label, speaker, take = (arrays[name].astype(np.int64) for name in ("label", "speaker", "take"))
    count = len(offset) - 1
    for name, sound in (
        ("rate", int(arrays["rate"]) == RATE),
        ("audio", audio.dtype == np.int16 and audio.ndim == 1),
        ("offset", offset.ndim == 1 and count > 0 and int(offset[0]) == 0),
        ("offset", bool((np.diff(offset) > 0).all()) and offset[-1] == len(audio)),
        ("label, speaker and take", all(x.shape == (count,) for x in (label, speaker, take))),
        ("label", bool(((label >= 0) & (label <= 9)).all())),
        ("speaker", bool(((speaker >= 0) & (speaker < len(SPEAKERS))).all())),
    ):
        if not sound:
            raise FileError(f"must have {name} of recordings, not other values")
    keys = [(int(label[n]), SPEAKERS[speaker[n]], int(take[n])) for n in range(count)]
    order = sorted(range(count), key=keys.__getitem__)
    return _ordered([(keys[n], audio[offset[n] : offset[n + 1]]) for n in order])
