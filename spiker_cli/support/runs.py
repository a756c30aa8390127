"""Runs of samples on an engine, what differs between two of them, and statistics of cycles."""

from typing import TYPE_CHECKING, Any

import numpy as np

import spiker_hdl
from spiker_hdl.model import Mapping, Network, Result

from .samples import Samples
from .terminal import progress

if TYPE_CHECKING:
    from spiker_hdl.export import Emission

__all__ = ["cycles", "differences", "run", "statistics"]


def run(
    network: "Network | Emission",
    samples: Samples,
    engine: str,
    mapping: Mapping | None,
    record: tuple[str, ...] = (),
) -> Result:
    """Run samples on an engine under a progress bar."""
    title = f"{len(samples)} samples of {samples.data}, {engine}"
    with progress(title, len(samples)) as advance:
        return spiker_hdl.run(
            network,
            samples.spikes,
            engine=engine,
            mapping=mapping,
            record=record,
            progress=advance,
        )


def differences(reference: Result, result: Result) -> dict[int, list[str]]:
    """Return what differs, by the number of the sample."""
    lines: dict[int, list[str]] = {}
    for line in reference.differences(result):
        sample = line.split(":")[0].removeprefix("sample ")
        lines.setdefault(int(sample) if sample.isdecimal() else -1, []).append(line)
    return lines


def cycles(result: Result) -> dict[str, Any] | None:
    """Return statistics of the cycles, where the engine counts them."""
    return None if result.cycles is None else statistics(result.cycles)


def statistics(counts: np.ndarray) -> dict[str, Any]:
    """Return mean, median, 99th percentile and maximum of cycle counts."""
    counts = np.asarray(counts)
    return {
        "mean": round(float(counts.mean()), 2),
        "median": float(np.median(counts)),
        "p99": int(np.percentile(counts, 99, method="inverted_cdf")),
        "max": int(counts.max()),
    }
