"""`spiker demo`: from training to verified hardware, once, in less than a minute."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.options import Seed
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, say, table, text, write_text
from spiker_hdl.base.files.atomic_directory import Listing, digests, replacing

from .train import train_quietly

if TYPE_CHECKING:
    from spiker_cli.support.samples import Samples
    from spiker_hdl.model import Network, Result

__all__ = ["DEMO", "demo"]

NET = "64-32-10"
OPTIONS: dict[str, Any] = {"steps": 4, "weights": 4, "potentials": 8, "encoder": "rate"}
DEMO = Listing("report.json", "demo")
SIMULATED = 50
"""Samples that the hardware runs."""

WANTED = 0.97
"""Accuracy below which something must be wrong."""


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory to write.")
    ] = Path("demo"),
    seed: Seed = 0,
) -> int:
    """Train a small network, verify its hardware, emit Verilog, and draw pictures.

    Trains a network of 64-32-10 neurons on the 8x8 digits of scikit-learn, in the hardware's own
    arithmetic. Runs all 360 test samples through the reference and 50 through the hardware in
    Amaranth's simulator, and the emitted Verilog through its own test bench: in Icarus Verilog, or,
    where that is not installed, compiled by Verilator or CXXRTL, as the table then says. All files
    are in one directory. The exit code is 1 if the hardware ever answers otherwise.

    For example:

        spiker demo -o demo
    """
    from spiker_cli.support.files import check_directory
    from spiker_train.data.images import load_dataset

    begin_work()
    began = time.monotonic()
    check_directory(output, "Output")
    DEMO.check(output)
    network, trained = train_quietly(load_dataset("digits"), NET, 1, seed=seed, **OPTIONS)
    notes = {**network.note, "command": f"spiker demo --seed {seed}"}
    network = replace(network, notes=notes)
    with replacing(output, DEMO) as stage:
        report, wrong = _prove(network, trained, stage, seed)
        report["seconds"] = round(time.monotonic() - began, 1)
        report["files"] = digests(stage)
        write_text(stage / DEMO.file, text(report))
    table(f"{NET} on {report['data']}, in the hardware's own integers", _rows(report, output))
    return _verdict(report, wrong)


def _prove(
    network: "Network", trained: dict[str, Any], output: Path, seed: int
) -> tuple[dict[str, Any], dict[int, list[str]]]:
    """Write all but the report; return that, and the samples that differ."""
    from spiker_cli.support.bench import run_bench
    from spiker_cli.support.runs import cycles, differences, run
    from spiker_cli.support.samples import find_samples
    from spiker_hdl.model import Mapping
    from spiker_hdl.report.pictures import recorded_names

    network.save(output / "digits.spiker")
    whole = find_samples(network, None, None)
    reference = run(network, whole, "reference", None)
    part = whole.first(SIMULATED)
    record = recorded_names(network)
    hardware = run(network, part, "amaranth", Mapping.default(network), record)
    wrong = differences(run(network, part, "reference", None, record), hardware)
    _emit(network, part, hardware, output / "verilog")
    bench = run_bench(output / "verilog")
    _draw(network, part, hardware, output)
    report = {
        "network": NET,
        "data": whole.data,
        "seed": seed,
        **{f"{name}_accuracy": share for name, share in trained["accuracy"].items()},
        "samples": len(whole),
        "reference_accuracy": whole.accuracy(reference.classes),
        "simulated": len(part),
        "simulated_accuracy": part.accuracy(hardware.classes),
        "mismatches": len(wrong),
        "cycles": cycles(hardware),
        "weight_bits": network.weight_bits,
        "test_bench": bench,
    }
    return report, wrong


def _emit(network: "Network", part: "Samples", expected: "Result", output: Path) -> None:
    from spiker_hdl import emit

    with progress("Verilog, with a test bench", 1) as advance:
        emit(network, output, samples=part.spikes, expected=expected, command="spiker demo")
        advance(1)


def _draw(network: "Network", part: "Samples", result: "Result", output: Path) -> None:
    import numpy as np

    from spiker_hdl.report import draw_activity, draw_cycles

    assert part.labels is not None
    labels = part.labels
    with progress("Pictures", 2) as advance:
        spikes = {network.inputs[0].name: part.spikes}
        chosen = int(np.argmax(np.asarray(result.classes) == labels))
        figure = draw_activity(
            network,
            spikes,
            result,
            chosen,
            label=int(labels[chosen]),
            title=f"test sample {chosen}",
        )
        figure.savefig(output / "activity.png", dpi=120)
        advance(1)
        draw_cycles(network, spikes, result).savefig(output / "cycles.png", dpi=120)
        advance(1)


def _rows(report: dict[str, Any], output: Path) -> list[tuple[str, Any]]:
    cycles = report["cycles"]
    return [
        (
            "floating point",
            f"{report['float_accuracy']:.2%} of {report['samples']} test samples are right",
        ),
        ("trained in integers", f"{report['integers_accuracy']:.2%}"),
        (
            "hardware",
            f"{report['reference_accuracy']:.2%} by the reference, "
            f"{report['simulated_accuracy']:.2%} of the {report['simulated']} simulated",
        ),
        ("mismatches", f"{report['mismatches']} of {report['simulated']} samples simulated"),
        ("cycles a sample", f"mean {cycles['mean']:.1f}, maximum {cycles['max']}"),
        ("weights", f"{report['weight_bits']:,} bits"),
        ("Verilog test bench", report["test_bench"]),
        ("files", "\n".join(str(output / name) for name in [*report["files"], DEMO.file])),
        ("seconds", report["seconds"]),
    ]


def _verdict(report: dict[str, Any], wrong: dict[int, list[str]]) -> int:
    share = report["reference_accuracy"]
    if share < WANTED:
        say(f"Accuracy should be at least {WANTED:.0%}, not {share:.2%}")
    if wrong:
        first = next(iter(wrong.values()))[0]
        say(f"The hardware must answer as the reference, not otherwise: {first}")
    failed = report["test_bench"].startswith("FAIL")
    if failed:
        say(f"The Verilog must answer as the reference, not otherwise: {report['test_bench']}")
    return 1 if wrong or failed else 0
