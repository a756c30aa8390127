"""`spiker simulate`: run samples on an engine, and compare with the reference."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import spiker_hdl
from spiker_cli.support.files import check_output, find_mapping, open_network
from spiker_cli.support.samples import Samples, find_samples
from spiker_cli.support.terminal import progress, say, table, text, write, write_json
from spiker_hdl.base.checks import check_choice
from spiker_hdl.engines import CHOICES
from spiker_hdl.model import Mapping, Network, Result

if TYPE_CHECKING:
    from spiker_hdl.export import Emission

__all__ = ["compare", "cycles", "run", "simulate", "statistics"]

FEW = 100


def simulate(
    path: Path,
    data: str | None,
    samples: int | None,
    engine: str,
    lanes: str | None,
    form: str | None,
    word: int | None,
    encoder: str | None,
    steps: int | None,
    json: Path | None,
) -> int:
    """Run samples, report, and return the exit code."""
    check_choice("Engine", engine, CHOICES)
    check_output(json, "--json")
    emission = None
    if path.is_dir():
        # Loaded where it is wanted, since it loads Amaranth.
        from spiker_cli.support.vectors import find_samples_of, open_emission

        emission = open_emission(path, lanes, form, word)
        network, mapping = emission.network, None
        found = find_samples_of(emission, data, samples, encoder, steps)
    else:
        network = open_network(path)
        mapping = find_mapping(network, path, lanes, form, word)
        found = find_samples(network, data, samples, encoder, steps)
    if samples is None and engine != "reference":
        found = found.first(min(FEW, len(found)))
    result = run(emission or network, found, engine, mapping)
    wrong: dict[int, list[str]] = {}
    if engine != "reference":
        wrong = compare(run(network, found, "reference", None), result)
    report = {
        "network": str(path),
        "digest": network.digest,
        "data": found.data,
        "samples": len(found),
        "engine": result.engine,
        "accuracy": found.accuracy(result.classes),
        "mismatches": None if engine == "reference" else len(wrong),
        "differences": [line for lines in wrong.values() for line in lines][:10],
        "cycles": cycles(result),
    }
    if json is None:
        write(text(report).rstrip())
    elif not write_json(json, report):
        table(str(path), _rows(report))
    if wrong:
        say(f"The hardware must answer as the reference, not otherwise: {report['differences'][0]}")
    return 1 if wrong else 0


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


def compare(reference: Result, result: Result) -> dict[int, list[str]]:
    """Return what differs, by the number of the sample."""
    found: dict[int, list[str]] = {}
    for line in reference.differences(result):
        where = line.split(":")[0].removeprefix("sample ")
        found.setdefault(int(where) if where.isdecimal() else -1, []).append(line)
    return found


def cycles(result: Result) -> dict[str, Any] | None:
    """Return statistics of the cycles, where the engine knows them."""
    return None if result.cycles is None else statistics(result.cycles)


def statistics(cycles: np.ndarray) -> dict[str, Any]:
    """Return mean, median, 99th percentile and the most of cycle counts."""
    found = np.asarray(cycles)
    return {
        "mean": round(float(found.mean()), 2),
        "median": float(np.median(found)),
        "p99": int(np.percentile(found, 99, method="inverted_cdf")),
        "max": int(found.max()),
    }


def _rows(report: dict[str, Any]) -> list[tuple[str, Any]]:
    rows = [
        ("samples", f"{report['samples']} of {report['data']}"),
        ("engine", report["engine"]),
        ("accuracy", "no labels" if report["accuracy"] is None else f"{report['accuracy']:.2%}"),
        ("mismatches", "not compared" if report["mismatches"] is None else report["mismatches"]),
    ]
    if report["cycles"] is not None:
        rows.append(("cycles", ", ".join(f"{k} {v:g}" for k, v in report["cycles"].items())))
    return rows
