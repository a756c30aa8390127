"""`spiker demo`: from training to proven hardware, once, in less than a minute."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import spiker_hdl
from spiker_cli.support.files import check_directory
from spiker_cli.support.samples import Samples, find_samples
from spiker_cli.support.terminal import progress, say, table, text, write_text
from spiker_hdl.base.atomic_directory import Listing, digests, replacing
from spiker_hdl.model import Mapping, Network, Result
from spiker_hdl.tools.programs import Tool, call_tool
from spiker_train.data.images import load_dataset

from .simulate import compare, cycles, run
from .train import sizes, train_quietly

__all__ = ["demo"]

NET = "64-32-10"
OPTIONS: dict[str, Any] = {"steps": 4, "weights": 4, "potentials": 8, "encoder": "rate"}
DEMO = Listing("report.json", "demo")
SIMULATED = 50
WANTED = 0.97


def demo(output: Path, seed: int) -> int:
    """Train, prove, emit and draw; return the exit code."""
    began = time.monotonic()
    check_directory(output, "Output")
    DEMO.check(output)
    network, trained = _trained(seed)
    with replacing(output, DEMO) as stage:
        report, wrong, data = _proved(network, trained, stage, seed)
        report["seconds"] = round(time.monotonic() - began, 1)
        report["files"] = digests(stage)
        write_text(stage / DEMO.file, text(report))
    table(f"{NET} on {data}, in the hardware's own integers", _rows(report, output))
    return _verdict(report, wrong)


def _proved(
    network: Network, trained: dict[str, Any], output: Path, seed: int
) -> tuple[dict[str, Any], dict[int, list[str]], str]:
    """Write all but the report; return that, the samples that differ, and the data's name."""
    network.save(output / "digits.spiker")
    whole = find_samples(network, None, None)
    reference = run(network, whole, "reference", None)
    part = whole.first(SIMULATED)
    record = _recorded(network)
    hardware = run(network, part, "amaranth", Mapping.default(network), record)
    wrong = compare(run(network, part, "reference", None, record), hardware)
    _emitted(network, part, hardware, output / "verilog")
    bench = _bench(output / "verilog")
    _drawn(network, part, hardware, output)
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
    return report, wrong, whole.data


def _trained(seed: int) -> tuple[Network, dict[str, Any]]:
    network, report = train_quietly(load_dataset("digits"), sizes(NET), 1, seed=seed, **OPTIONS)
    command = f"spiker demo --seed {seed}"
    return replace(network, notes={**network.note, "command": command}), report


def _recorded(network: Network) -> tuple[str, ...]:
    from spiker_hdl.report.activity_picture import wanted

    return wanted(network)


def _emitted(network: Network, part: Samples, expected: Result, output: Path) -> None:
    with progress("Verilog, with a test bench", 1) as advance:
        spiker_hdl.emit(
            network, output, samples=part.spikes, expected=expected, command="spiker demo"
        )
        advance(1)


def _bench(output: Path) -> str:
    """Run the emitted test bench where its tools are; return what it says."""
    if not shutil.which("make") or not shutil.which("iverilog"):
        return "not run: iverilog is not installed"
    with progress("Test bench, in Icarus Verilog", 1) as advance:
        arguments = ["--no-print-directory", "sim", "clean"]
        done = call_tool(Tool("make", ("make",)), arguments, output, apart=True)
        advance(1)
    said = (done.text + done.errors).strip().splitlines()
    verdict = next((line for line in said if line.startswith(("PASS", "FAIL"))), None)
    if done.status == 0 and verdict and verdict.startswith("PASS"):
        return verdict
    return verdict or f"FAIL {said[-1] if said else done.status}"


def _drawn(network: Network, part: Samples, result: Result, output: Path) -> None:
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
    found = report["cycles"]
    return [
        ("float accuracy", f"{report['float_accuracy']:.2%} of {report['samples']} test samples"),
        ("trained in integers", f"{report['integers_accuracy']:.2%}"),
        (
            "hardware",
            f"{report['reference_accuracy']:.2%} by the reference, "
            f"{report['simulated_accuracy']:.2%} of {report['simulated']} simulated",
        ),
        ("mismatches", f"{report['mismatches']} of {report['simulated']} samples simulated"),
        ("cycles a sample", f"mean {found['mean']:.1f}, largest {found['max']}"),
        ("weights", f"{report['weight_bits']:,} bits"),
        ("Verilog test bench", report["test_bench"]),
        ("files", "\n".join(str(output / name) for name in [*report["files"], DEMO.file])),
        ("seconds", report["seconds"]),
    ]


def _verdict(report: dict[str, Any], wrong: dict[int, list[str]]) -> int:
    share = report["reference_accuracy"]
    if share < WANTED:
        say(f"Accuracy is wanted to be at least {WANTED:.0%}, not {share:.2%}")
    if wrong:
        first = next(iter(wrong.values()))[0]
        say(f"The hardware must answer as the reference, not otherwise: {first}")
    if report["test_bench"].startswith("FAIL"):
        say(f"The Verilog must answer as the reference, not otherwise: {report['test_bench']}")
    return 1 if wrong or report["test_bench"].startswith("FAIL") else 0
