"""`spiker simulate`: run samples on an engine, and compare with the reference."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.options import (
    Data,
    Encoder,
    Form,
    Json,
    Lanes,
    MappingName,
    Steps,
    Word,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import say, table, text, write, write_json

if TYPE_CHECKING:
    from spiker_cli.support.mappings import MappingOptions
    from spiker_cli.support.samples import Samples
    from spiker_hdl.export import Emission
    from spiker_hdl.model import Mapping, Network

__all__ = ["simulate"]

FEW = 100
"""Samples that hardware runs where no number is given."""


def simulate(
    path: Annotated[
        Path,
        typer.Argument(metavar="NET", help="Network file, or a directory that spiker emit wrote."),
    ],
    data: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Number of samples; by default all for the reference, 100 for hardware."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="reference (NumPy); or hardware, cycle by cycle: amaranth (its simulator), "
            "compiled (its Verilog, by a C++ compiler), or auto, the fastest that is installed.",
        ),
    ] = "auto",
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    form: Form = None,
    word: Word = None,
    encoder: Encoder = None,
    steps: Steps = None,
    json: Json = None,
) -> int:
    """Run samples, and compare each answer, score and spike count with the reference.

    Prints JSON: the samples, the accuracy, the mismatches against the reference, and the cycles of
    a sample (mean, median, 99th percentile, maximum). With --json FILE, prints a table, and the
    file has the JSON. The exit code is 1 if there are mismatches.

    Of a directory that `spiker emit` wrote, the Verilog in it is compiled and run; a file that was
    altered is refused. --data vectors are the samples of its test bench, and the default where the
    network has no note of its data.

    For example:

        spiker simulate networks/mnist.spiker --data mnist --samples 10000 --engine reference
        spiker simulate networks/digits.spiker --samples 50 --engine amaranth --lanes 8
        spiker simulate networks/digits.spiker --mapping fast
        spiker simulate networks/digits.spiker --data my_spikes.npz
        spiker simulate digits_verilog --samples 100
    """
    import spiker_hdl
    from spiker_cli.support.files import check_output
    from spiker_cli.support.mappings import MappingOptions
    from spiker_cli.support.runs import cycles, differences, run
    from spiker_hdl.base.checks import check_choice
    from spiker_hdl.engines import CHOICES

    begin_work()
    check_choice("Engine", engine, CHOICES)
    check_output(json, "--json")
    options = MappingOptions(lanes, mapping_name, form, word)
    design, mapping, chosen = _open(path, options, data, samples, encoder, steps)
    network = design if isinstance(design, spiker_hdl.Network) else design.network
    if samples is None and engine != "reference":
        chosen = chosen.first(min(FEW, len(chosen)))
    result = run(design, chosen, engine, mapping)
    wrong: dict[int, list[str]] = {}
    if engine != "reference":
        wrong = differences(run(network, chosen, "reference", None), result)
    report = {
        "network": str(path),
        "digest": network.digest,
        "data": chosen.data,
        "samples": len(chosen),
        "engine": result.engine,
        "accuracy": chosen.accuracy(result.classes),
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


def _open(
    path: Path,
    options: "MappingOptions",
    data: str | None,
    count: int | None,
    encoder: str | None,
    steps: int | None,
) -> "tuple[Network | Emission, Mapping | None, Samples]":
    """Return what is run, its mapping where it is no directory, and the samples."""
    from spiker_cli.support.files import open_network
    from spiker_cli.support.samples import find_samples

    if path.is_dir():
        # A directory needs Amaranth, which a network file may do without.
        from spiker_cli.support.vectors import find_samples_of, open_emission

        emission = open_emission(path, options)
        return emission, None, find_samples_of(emission, data, count, encoder, steps)
    network = open_network(path)
    mapping = options.find(network, path)
    return network, mapping, find_samples(network, data, count, encoder, steps)


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
