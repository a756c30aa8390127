"""`spiker timing`: cycles of samples, predicted exactly, and where they go."""

from pathlib import Path
from typing import Any

import numpy as np

from spiker_cli.support.files import check_output, find_mapping, open_network
from spiker_cli.support.samples import find_samples
from spiker_cli.support.terminal import progress, table, text, write, write_json
from spiker_hdl.model import Mapping
from spiker_hdl.model.timing import predict

from .simulate import statistics

__all__ = ["timing"]

STREAMS = 100
FASTEST = 10_000


def timing(
    path: Path,
    data: str | None,
    samples: int | None,
    lanes: str | None,
    form: str | None,
    word: int | None,
    encoder: str | None,
    steps: int | None,
    clock: float,
    json: Path | None,
) -> int:
    """Predict cycles, report, and return the exit code."""
    if not 0 < clock <= FASTEST:
        raise ValueError(f"Clock must be more than 0 and at most {FASTEST} MHz, not {clock:g}")
    check_output(json, "--json")
    network = open_network(path)
    mapping = find_mapping(network, path, lanes, form, word) or Mapping.default(network)
    found = find_samples(network, data, samples, encoder, steps)
    streams = max(1, min(STREAMS, len(found) // 2))
    with progress(f"{len(found)} samples of {found.data}, alone", len(found)) as advance:
        alone = predict(network, found.spikes, mapping=mapping, progress=advance)
    with progress(f"{len(found)} samples of {found.data}, back to back", len(found)) as advance:
        crowded = predict(network, found.spikes, mapping=mapping, streams=streams, progress=advance)
    interval = crowded.interval
    report: dict[str, Any] = {
        "network": str(path),
        "digest": network.digest,
        "data": found.data,
        "samples": len(found),
        "mapping": mapping.to_json(),
        "latency": statistics(alone.cycles),
        "interval": statistics(interval) if len(interval) else None,
        "clock_mhz": clock,
        "latency_us": round(float(alone.cycles.mean()) / clock, 3),
        "results_per_second": round(clock * 1e6 / interval.mean()) if len(interval) else None,
        "populations": {
            name: {
                what: round(float(np.mean(value)), 2)
                for what, value in (
                    ("events", spent.events),
                    ("firing", spent.firing),
                    ("waiting", spent.waiting),
                )
            }
            for name, spent in alone.spent.items()
        },
    }
    if json is None:
        write(text(report).rstrip())
    elif not write_json(json, report):
        table(str(path), _rows(report))
    return 0


def _rows(report: dict[str, Any]) -> list[tuple[str, Any]]:
    def shown(each: dict[str, Any] | None) -> str:
        return "one sample" if each is None else ", ".join(f"{k} {v:g}" for k, v in each.items())

    rows = [
        ("samples", f"{report['samples']} of {report['data']}"),
        ("latency, cycles", shown(report["latency"])),
        ("interval, cycles", shown(report["interval"])),
        (f"latency at {report['clock_mhz']:g} MHz", f"{report['latency_us']:g} us"),
        ("results a second", report["results_per_second"]),
    ]
    return rows + [
        (f"cycles of {name}", ", ".join(f"{what} {value:g}" for what, value in each.items()))
        for name, each in report["populations"].items()
    ]
