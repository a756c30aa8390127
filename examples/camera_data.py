"""Digits before an event camera: ten recordings, and how the camera of the example sends them.

The recordings are of N-MNIST's test set: an event camera was moved in front of a screen by three
saccades of about 100 ms (G. Orchard, A. Jayawant, G. K. Cohen and N. Thakor, "Converting Static
Image Datasets to Spiking Neuromorphic Datasets Using Saccades", Frontiers in Neuroscience 9, 2015,
under the CC BY-SA 4.0). ``python examples/camera_data.py`` chose them: the first of each digit.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.arrays import read_npz
from spiker_train import Events, load_data

__all__ = ["DT", "ORIGIN", "SHAPE", "STEPS", "addresses", "handful"]

SHAPE = (2, 34, 34)
"""Polarity (0 OFF, 1 ON), rows and columns of what is classified."""

STEPS, DT = 6, 0.0525
"""Steps of a sample, two for each saccade, and the length of each in seconds."""

ORIGIN = (47, 47)
"""Row and column of the camera's 128x128 pixels at which the 34x34 begin."""

HERE = Path(__file__).parent
FILE = HERE / "camera_digits.npz"
TICKS = 10**6  # of the file, in a second


def addresses(channels: np.ndarray, origin: tuple[int, int] = ORIGIN) -> np.ndarray:
    """Return the addresses that a DVS128 sends for the pixels of the window.

    Bits 14..8 are y, 7..1 are x, and bit 0 is the polarity; y = 0 is the lowest row.

    Parameters
    ----------
    channels : array of int, shape (events, 3)
        Polarity, row and column within the window.
    origin : (int, int)
        Row and column of the camera at which the window begins.
    """
    polarity, row, column = np.asarray(channels, dtype=np.int64).T
    return (127 - row - origin[0]) << 8 | (column + origin[1]) << 1 | polarity


def handful() -> tuple[list[Events], np.ndarray]:
    """Load the recordings that are in this directory, without what follows the last step."""
    times, flat, offset, labels = _read(FILE, ("times", "flat", "offset", "labels"))
    parts = [slice(*ends) for ends in pairwise(offset)]
    recordings = [
        Events(times[part] / TICKS, flat[part], SHAPE, 1.0).cut(0, STEPS * DT) for part in parts
    ]
    return recordings, labels


@reader("an .npz file of recordings", "npz")
def _read(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    file = read_npz(path, names)
    if missing := [name for name in names if name not in file]:
        raise FileError(f"must have {', '.join(names)}, not lack {', '.join(missing)}")
    return [file[name].astype(np.int64, casting="safe") for name in names]


def main() -> None:
    data = load_data("nmnist")
    chosen = [int(np.flatnonzero(data.y_test == digit)[0]) for digit in range(data.classes)]
    kept = data.x_test.take(chosen)
    np.savez_compressed(
        FILE,
        times=kept.ticks.astype(np.uint32),
        flat=kept.flat.astype(np.uint16),
        offset=kept.offset.astype(np.uint32),
        labels=data.y_test[chosen].astype(np.uint8),
    )
    print(f"{len(kept)} recordings, {len(kept.ticks):,} events: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
