"""Choose the beats of ``ecg_beats.npz``: three neighbours from each of eight test records.

SPIKER_DATA=DIR python examples/ecg_pick.py
"""

import numpy as np
from ecg_data import CLASSES, HERE, Beats, beats

RUNS = (
    (100, "N"),
    (103, "N"),
    (213, "F"),
    (200, "V"),
    (221, "V"),
    (228, "V"),
    (232, "S"),
    (233, "V"),
)
"""Record, and the class of the run's middle beat."""


def choose(data: Beats, record: int, kind: str) -> np.ndarray:
    """Return the first three beats of a record that are neighbours, the middle one of a class."""
    own = np.flatnonzero(data.records == record)
    for n in range(1, len(own) - 1):
        a, b, c = own[n - 1 : n + 2]
        joined = (data.gaps[[a, b], 1] == data.gaps[[b, c], 0]).all()
        if joined and CLASSES[data.labels[b]] == kind and data.gaps[b].max() < 400:
            return own[n - 1 : n + 2]
    raise ValueError(f"Record {record} must have a beat of class {kind} between others")


def main() -> None:
    data = beats()
    kept = data[np.concatenate([choose(data, *run) for run in RUNS])]
    arrays = {
        "values": kept.values.astype(np.uint8),
        "labels": kept.labels.astype(np.uint8),
        "records": kept.records.astype(np.uint8),
        "gaps": kept.gaps.astype(np.uint16),
    }
    np.savez_compressed(HERE / "ecg_beats.npz", **arrays)
    print("".join(CLASSES[label] for label in kept.labels))


if __name__ == "__main__":
    main()
