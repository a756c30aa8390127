"""`spiker energy`: what samples make the hardware do, of one mapping beside another."""

from pathlib import Path
from typing import Any

from spiker_cli.support.files import check_output, find_mapping, open_network
from spiker_cli.support.samples import Samples, find_samples
from spiker_cli.support.terminal import columns, progress, write_json, write_text
from spiker_hdl.model import Mapping, Network
from spiker_hdl.report.operation_counts import total, work

__all__ = ["energy"]

FEW = 10
SHOWN = {
    "cycles": "cycles, with those between samples",
    "synaptic_operations": "synaptic operations",
    "additions": "accumulators that add",
    "updates": "neurons that step",
    "weight_reads": "rows of weights read",
    "weight_bits": "bits of weights read",
    "sum_bits": "bits of sums read and written",
    "state_bits": "bits of states read and written",
    "parameter_bits": "bits of parameters read",
    "memory_bits": "bits of all memories",
    "register_bits": "bits of registers there are",
    "register_toggles": "changes of register bits",
    "memory_output_toggles": "changes of memories' outputs",
}


def energy(
    path: Path,
    data: str | None,
    samples: int | None,
    lanes: str | None,
    form: str | None,
    word: int | None,
    encoder: str | None,
    steps: int | None,
    simulated: bool,
    saif: Path | None,
    period: float,
    json: Path | None,
) -> int:
    """Count, simulate, report, and return the exit code."""
    check_output(saif, "--saif")
    check_output(json, "--json")
    if saif is not None and not simulated:
        raise ValueError("--saif must be of what is simulated, not with --counts")
    if not 0 < period < 1e6:
        raise ValueError(f"Period must be more than 0 ns, not {period:g}")
    network = open_network(path)
    mappings = _mappings(network, path, lanes, form, word)
    found = find_samples(network, data, samples, encoder, steps, FEW)
    reports = {}
    for n, (name, mapping) in enumerate(mappings.items()):
        kept = saif if n == 0 else None
        reports[name] = _measure(network, found, mapping, name, simulated, kept, period)
    first = next(iter(reports.values()))["total"]
    for one in reports.values():
        one["relative"] = {
            what: round(one["total"][what] / value, 4) for what, value in first.items() if value
        }
    report = {
        "network": str(path),
        "digest": network.digest,
        "data": found.data,
        "samples": len(found),
        "mappings": reports,
    }
    if json is None or not write_json(json, report):
        _show(report)
    return 0


def _mappings(
    network: Network, path: Path, lanes: str | None, form: str | None, word: int | None
) -> dict[str, Mapping]:
    if lanes is None:
        return {"mapping": find_mapping(network, path, None, form, word)}
    found = {}
    for one in lanes.split(","):
        if not one.strip().isdecimal() or len(one) > 6:
            raise ValueError(f"--lanes must be numbers such as 128 or 8,16, not {lanes!r}")
        count = int(one)
        found[f"{count} lanes"] = find_mapping(network, path, count, form, word)
    return found


def _measure(
    network: Network,
    found: Samples,
    mapping: Mapping,
    name: str,
    simulated: bool,
    saif: Path | None,
    period: float,
) -> dict[str, Any]:
    done = work(network, found.spikes, mapping=mapping)
    whole = {what: value for what, value in total(done).to_json().items() if what in SHOWN}
    report: dict[str, Any] = {
        "mapping": mapping.to_json(),
        "populations": {one: each.to_json() for one, each in done.items()},
        "total": whole,
    }
    if simulated:
        from spiker_hdl.report import switching, to_saif  # which load Amaranth

        with progress(f"{len(found)} samples of {found.data}, {name}", len(found)):
            seen = switching(network, found.spikes, mapping=mapping)
        report["simulation"] = simulation = seen.to_json()
        report["total"] = {what: simulation[what] for what in SHOWN if what in simulation} | whole
        if saif is not None:
            write_text(saif, to_saif(seen, period=period))
    return report


def _show(report: dict[str, Any]) -> None:
    mappings = report["mappings"]
    first = next(iter(mappings))
    heads = [""]
    for name in mappings:
        heads += [name] if name == first else [name, f"of {first}"]
    rows = []
    for what, title in SHOWN.items():
        if what not in mappings[first]["total"]:
            continue
        row = [title]
        for name, one in mappings.items():
            row.append(f"{one['total'][what]:,.0f}")
            if name != first:
                share = one["relative"].get(what)
                row.append("" if share is None else f"{share:.2f} x")
        rows.append(row)
    columns(f"{report['network']}: each of {report['samples']} samples, mean", heads, rows)
