"""`spiker energy`: what samples make the hardware do, of one mapping beside another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.options import Data, Encoder, Form, Json, NetworkFile, Steps, Word
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import columns, progress, write_json, write_text

if TYPE_CHECKING:
    from spiker_cli.support.samples import Samples
    from spiker_hdl.model import Mapping, Network

__all__ = ["SHOWN", "energy"]

FEW = 10
SHOWN = {
    "cycles": "cycles, with those between samples",
    "synaptic_operations": "synaptic operations",
    "additions": "accumulators that add",
    "updates": "neurons updated",
    "weight_reads": "rows of weights read",
    "weight_bits": "bits of weights read",
    "sum_bits": "bits of sums read and written",
    "state_bits": "bits of states read and written",
    "parameter_bits": "bits of parameters read",
    "memory_bits": "bits read and written in all memories",
    "register_bits": "bits of registers",
    "register_toggles": "changes of register bits",
    "memory_output_toggles": "changes of memory outputs",
}
"""What the table shows, and what it calls that."""


def energy(
    path: NetworkFile,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(help="Number of samples; 10 by default.")] = None,
    lanes: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Most lanes of a population: neurons that add a weight at the same time. Several "
            "numbers are compared.",
        ),
    ] = None,
    mapping_name: Annotated[
        str | None,
        typer.Option(
            "--mapping",
            metavar="NAME[,NAME...]",
            help="Presets, or JSON files with a mapping, to compare: fast (few cycles), balanced, "
            "small (little area). By default the mapping that was saved with the network.",
        ),
    ] = None,
    form: Form = None,
    word: Word = None,
    encoder: Encoder = None,
    steps: Steps = None,
    counts: Annotated[
        bool,
        typer.Option("--counts", help="Count without simulating, which needs no other tool."),
    ] = False,
    saif: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the switching activity of the first mapping as SAIF."
        ),
    ] = None,
    period: Annotated[
        float, typer.Option(help="Nanoseconds of a clock period, for the SAIF file.")
    ] = 10.0,
    json: Json = None,
) -> int:
    """Report what samples make the hardware do, of one mapping beside another. No watts.

    Counts exactly the synaptic operations, the additions, and the bits read from memories and
    written to them; and simulates the emitted Verilog with Verilator to count how often the bits
    of registers change. Prints a table in which every mapping is compared with the first. With
    --json FILE, the file has the same for each population; with --saif FILE, that file has the
    activity that a power tool reads.

    For example:

        spiker energy networks/digits.spiker --lanes 32,8
        spiker energy networks/digits.spiker --mapping fast,small --counts
        spiker energy networks/digits.spiker --samples 5 --saif digits.saif
    """
    from spiker_cli.support.files import check_output, open_network
    from spiker_cli.support.samples import find_samples

    begin_work()
    check_output(saif, "--saif")
    check_output(json, "--json")
    if saif is not None and counts:
        raise ValueError("--saif must be of what is simulated, not with --counts")
    if not 0 < period < 1e6:
        raise ValueError(f"Period must be more than 0 ns, not {period:g}")
    network = open_network(path)
    mappings = _mappings(network, path, lanes, mapping_name, form, word)
    chosen = find_samples(network, data, samples, encoder, steps, FEW)
    reports = {
        name: _measure(network, chosen, mapping, name, not counts, saif if n == 0 else None, period)
        for n, (name, mapping) in enumerate(mappings.items())
    }
    first = next(iter(reports.values()))["total"]
    for measured in reports.values():
        measured["relative"] = {
            what: round(measured["total"][what] / value, 4)
            for what, value in first.items()
            if value
        }
    report = {
        "network": str(path),
        "digest": network.digest,
        "data": chosen.data,
        "samples": len(chosen),
        "mappings": reports,
    }
    if json is None or not write_json(json, report):
        _show(report)
    return 0


def _mappings(
    network: "Network",
    path: Path,
    lanes: str | None,
    names: str | None,
    form: str | None,
    word: int | None,
) -> "dict[str, Mapping]":
    """Return the mappings that are compared, by what the table calls them."""
    from spiker_cli.support.mappings import MappingOptions

    if lanes is not None and names is not None:
        MappingOptions(1, names)  # which refuses both
    options = {"mapping": MappingOptions(form=form, word=word)}
    if lanes is not None:
        counts = lanes.split(",")
        if not all(count.strip().isdecimal() and len(count) <= 6 for count in counts):
            raise ValueError(f"--lanes must be numbers such as 128 or 8,16, not {lanes!r}")
        options = {
            f"{int(count)} lanes": MappingOptions(int(count), form=form, word=word)
            for count in counts
        }
        if len(options) < len(counts):
            raise ValueError(f"--lanes must be different numbers, not {lanes!r}")
    if names is not None:
        chosen = names.split(",")
        options = {name: MappingOptions(name=name, form=form, word=word) for name in chosen}
        if len(options) < len(chosen):
            raise ValueError(f"--mapping must be different mappings, not {names!r}")
    return {title: option.find(network, path) for title, option in options.items()}


def _measure(
    network: "Network",
    samples: "Samples",
    mapping: "Mapping",
    name: str,
    simulated: bool,
    saif: Path | None,
    period: float,
) -> dict[str, Any]:
    from spiker_hdl.report.operation_counts import total, work

    operations = work(network, samples.spikes, mapping=mapping)
    whole = {what: value for what, value in total(operations).to_json().items() if what in SHOWN}
    report: dict[str, Any] = {
        "mapping": mapping.to_json(),
        "populations": {
            population: counted.to_json() for population, counted in operations.items()
        },
        "total": whole,
    }
    if simulated:
        from spiker_hdl.report import switching, to_saif  # which load Amaranth

        with progress(f"{len(samples)} samples of {samples.data}, {name}", len(samples)):
            activity = switching(network, samples.spikes, mapping=mapping)
        report["simulation"] = simulation = activity.to_json()
        report["total"] = {what: simulation[what] for what in SHOWN if what in simulation} | whole
        if saif is not None:
            write_text(saif, to_saif(activity, period=period))
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
        for name, measured in mappings.items():
            row.append(f"{measured['total'][what]:,.0f}")
            if name != first:
                share = measured["relative"].get(what)
                row.append("" if share is None else f"{share:.2f} x")
        rows.append(row)
    columns(f"{report['network']}: mean of {report['samples']} samples, each", heads, rows)
