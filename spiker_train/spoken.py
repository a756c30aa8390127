"""Spoken digits as spikes of a cochlea: recordings of different lengths, binned into time steps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiker_hdl.model.check import check_int

from .data import places

__all__ = ["Spoken", "spoken_digits"]


@dataclass(frozen=True)
class Spoken:
    """Recordings as spikes.

    Members
    -------
    spikes : array of uint8, shape (recordings, steps, channels)
    labels, speakers, takes : array of int64, shape (recordings,)
        Digit, who says it, and which of the speaker's takes of it.
    """

    spikes: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    takes: np.ndarray

    @property
    def official(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the official split, train and test: the first five takes are for testing."""
        return np.flatnonzero(self.takes >= 5), np.flatnonzero(self.takes < 5)

    def without(self, speaker: int) -> tuple[np.ndarray, np.ndarray]:
        """Return indices to train and test with: all speakers but one, and that one."""
        return np.flatnonzero(self.speakers != speaker), np.flatnonzero(self.speakers == speaker)


def spoken_digits(steps: int = 64, width: int = 10, path: str | Path | None = None) -> Spoken:
    """Load the Free Spoken Digit Dataset as spikes of a 128-channel cochlea.

    A channel has an event in a step if it spikes at all in its ``width`` milliseconds; what comes
    after the last step is dropped.

    Parameters
    ----------
    steps : int
    width : int
        Milliseconds of a step.
    path : str or Path, optional
        The file; ``fsdd_spikes.npz`` where data sets are looked for, if none is given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    steps = check_int("Steps", steps, 1)
    width = check_int("Step width", width, 1)
    if path is None:
        found = [one / "fsdd_spikes.npz" for one in places()]
        path = next((one for one in found if one.is_file()), found[0])
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"Spoken digits must be at {path}; set SPIKER_DATA to the directory of fsdd_spikes.npz"
        )
    with np.load(path, allow_pickle=False) as file:
        offsets, channels = file["offset"].astype(np.int64), int(file["channels"])
        recording = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        step, unit = file["times_ms"] // width, file["units"]
        spikes = np.zeros((len(offsets) - 1, steps, channels), dtype=np.uint8)
        kept = step < steps
        spikes[recording[kept], step[kept], unit[kept]] = 1
        each = (file[name].astype(np.int64) for name in ("label", "speaker", "take"))
        return Spoken(spikes, *each)
