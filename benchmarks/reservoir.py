"""Spoken digits by a reservoir: drawn and frozen recurrence, a readout by ridge regression, gates.

The settings (spectral radius, leak, gain, size, readout and penalty) are those of the greatest mean
accuracy on speakers that were left out, one after the other, of the training part; the test part
is answered once, with these settings. The official split tests the first five takes of each
speaker, who are all in training, too. With ``--speakers``, each speaker is also left out as the
test part, and the settings are chosen on the other five.

The readout is a layer of the network, which is quantised with it. With ``--devices``, the integers
are those that drifting phase-change memory holds, over the time after programming; with
``--simulate``, the accelerator answers some samples, cycle by cycle, with the nominal integers and
with those of two drifted chips, and every spike and state is compared with the reference.

Results are written after each part; ``--json`` says where. Answers of reservoirs are kept in
``build/reservoir``, and a search that was interrupted goes on.

    SPIKER_DATA=DIR python benchmarks/reservoir.py --speakers --devices 20 --simulate 20
"""

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _reservoir import CHOICES, PENALTIES, READOUTS, Choice, choose, network

from spiker_hdl.engines import run
from spiker_hdl.model import Network, reference
from spiker_train import DifferentialPair, MonteCarlo, Twin, fit_readout, pcm, quantize
from spiker_train.data.spoken_digits import Spoken, spoken_digits

RESULTS = Path(__file__).parent / "results" / "reservoir.json"
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
BEGIN, END = "<!-- reservoir: written by benchmarks/reservoir.py -->", "<!-- end of reservoir -->"
RECORD = ("reservoir", "reservoir.v", "output.v")
TIMES = (20.0, 3600.0, 86400.0, 30 * 86400.0, 365 * 86400.0)
WHEN = ("20 s", "1 hour", "1 day", "30 days", "1 year")
CHIPS = 2
"""Draws of devices that the accelerator answers, a month after programming."""


def answered(
    choice: Choice, data: Spoken, split: tuple[np.ndarray, np.ndarray], options: argparse.Namespace
) -> tuple[dict[str, Any], Network]:
    """Fit the readout on a training part, answer its test part once, and return the integers."""
    training, test = split
    net = network(choice.settings, choice.readout, options.seed)
    fitted = fit_readout(net, data.spikes[training], data.labels[training], penalty=choice.penalty)
    floating = net.run(data.spikes[test])
    potentials = {"reservoir": 16, "output": 22}
    quantized = quantize(net, options.weights, potentials, max_steps=256)
    integers = reference.run(quantized, data.spikes[test])
    return {
        "chosen": asdict(choice.settings) | {"readout": choice.readout, "penalty": choice.penalty},
        "validation": choice.accuracy,
        "training": fitted,
        "floating point": float((floating.classes == data.labels[test]).mean()),
        "integers": float((integers.classes == data.labels[test]).mean()),
        "test samples": len(test),
        "spikes": float(floating.counts["reservoir"].mean()),
    }, quantized


def drifting(
    quantized: Network, data: Spoken, test: np.ndarray, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the accuracy of chips over the time after programming."""
    report: dict[str, Any] = {"draws": options.devices, "seconds": list(TIMES)}
    for compensate in (False, True):
        devices = DifferentialPair(device=pcm(), compensate=compensate)
        study = MonteCarlo(quantized, devices, options.devices, options.seed, times=TIMES)
        draws = study.run(data.spikes[test], data.labels[test], progress=options.progress)
        title = "compensation" if compensate else "no compensation"
        low, high = draws.quantiles((0.05, 0.95))
        report[title] = {
            "mean": draws.mean().round(4).tolist(),
            "5%": low.round(4).tolist(),
            "95%": high.round(4).tolist(),
            "clipped": int(max(max(row) for row in draws.clipped.values())),
        }
        print(f"\nphase-change memory, {title}\n{draws}", flush=True)
    return report


def simulated(
    quantized: Network, data: Spoken, test: np.ndarray, options: argparse.Namespace
) -> dict[str, Any]:
    """Let the accelerator answer some samples, and count what differs from the reference."""
    few = data.spikes[np.random.default_rng(options.seed).permutation(test)[: options.simulate]]
    expected = reference.run(quantized, few, record=RECORD)
    began = time.monotonic()
    result = run(quantized, few, engine=options.engine, record=RECORD)
    report: dict[str, Any] = {
        "engine": result.engine,
        "samples": len(few),
        "differences": len(expected.differences(result)),
        "cycles of a sample": float(np.mean(result.cycles)),
        "compared values": sum(np.asarray(x).size for row in result.spikes.values() for x in row),
        "seconds": round(time.monotonic() - began, 1),
    }
    twin = Twin(quantized, DifferentialPair(device=pcm(), compensate=True), options.seed)

    def accelerator(chip: Network, spikes: np.ndarray) -> Any:
        return run(chip, spikes, engine=options.engine, mapping=twin.mapping)

    differences = twin.differences(range(CHIPS), few, accelerator, seconds=TIMES[3])
    report["drifted chips"] = {
        "chips": CHIPS,
        "seconds": TIMES[3],
        "differences": len(differences),
    }
    print(f"\n{report}", flush=True)
    return report


def report_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the head of the results: what made them."""
    return {
        "command": "python benchmarks/reservoir.py --speakers --devices 20 --simulate 20",
        "seed": options.seed,
        "candidates": options.candidates,
        "searched": {name: list(values) for name, values in CHOICES.items()}
        | {"readout": list(READOUTS), "penalty": list(PENALTIES)},
        "weights": options.weights,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "numpy", "amaranth")},
    }


def measure(data: Spoken, options: argparse.Namespace) -> dict[str, Any]:
    """Choose settings for each split, and answer its test part; results are written at once."""
    splits = {"official": data.official}
    if options.speakers:
        splits |= {f"without {n}": data.without(n) for n in range(int(data.speakers.max()) + 1)}
    parts = {name: split[0] for name, split in splits.items()}
    chosen = choose(data, parts, options.candidates, options.seed, options.progress)
    report = report_of(options) | {"runs": {}}
    print(f"{'split':<10} {'validation':>10} {'training':>9} {'float':>8} {'integers':>8}")
    for name, split in splits.items():
        row, quantized = answered(chosen[name], data, split, options)
        report["runs"][name] = row
        print(
            f"{name:<10} {row['validation']:>10.2%} {row['training']:>9.2%} "
            f"{row['floating point']:>8.2%} {row['integers']:>8.2%}",
            flush=True,
        )
        save(report, options)
        if name == "official":
            official = quantized
    if options.devices:
        report["devices"] = drifting(official, data, splits["official"][1], options)
        save(report, options)
    if options.simulate:
        report["simulated"] = simulated(official, data, splits["official"][1], options)
        save(report, options)
    return report


def table(report: dict[str, Any]) -> str:
    """Return the part of the page that shows the results."""
    runs = report["runs"]
    chosen = runs["official"]["chosen"]
    lines = [
        "| test part | validation, other speakers | floating point | integers |",
        "|---|---|---|---|",
    ]
    for name, row in runs.items():
        title = name.replace("official", "takes 0 to 4 of all speakers")
        title = title.replace("without", "all takes of speaker")
        lines.append(
            f"| {title} ({row['test samples']:,}) | {row['validation']:.1%} | "
            f"{row['floating point']:.1%} | {row['integers']:.1%} |"
        )
    names = {
        "side": "neurons on a side",
        "radius": "spectral radius",
        "fan_in": "channels a neuron",
    }
    settings = ", ".join(f"{names.get(name, name)} {value:g}" for name, value in chosen.items())
    lines += [
        "",
        f"Settings of the first row, chosen among {report['candidates']} drawn with a seed, times "
        f"{len(READOUTS) * len(PENALTIES)} readouts: {settings}.",
    ]
    if "devices" in report:
        devices = report["devices"]
        lines += [
            "",
            f"| phase-change memory, mean of {devices['draws']} chips | " + " | ".join(WHEN) + " |",
            "|---|" + "---|" * len(WHEN),
        ]
        for title in ("no compensation", "compensation"):
            cells = " | ".join(f"{share:.1%}" for share in devices[title]["mean"])
            lines.append(f"| {title} | {cells} |")
    if "simulated" in report:
        gates, chips = report["simulated"], report["simulated"]["drifted chips"]
        lines += [
            "",
            f"The accelerator, cycle by cycle ({gates['engine']} engine): {gates['samples']} test "
            f"samples, {gates['compared values']:,} spikes and states, {gates['differences']} "
            f"differences from the reference, {gates['cycles of a sample']:,.0f} cycles a sample. "
            f"Loaded with the integers of {chips['chips']} chips 30 days after programming: "
            f"{chips['differences']} differences.",
        ]
    return "\n".join(lines)


def save(report: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the results."""
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=20, help="settings to choose from")
    parser.add_argument("--weights", type=int, default=8, help="bits of a weight")
    parser.add_argument("--speakers", action="store_true", help="leave one speaker out, too")
    parser.add_argument("--devices", type=int, default=0, help="draws of drifting devices")
    parser.add_argument("--simulate", type=int, default=0, help="samples for simulated gates")
    parser.add_argument("--engine", default="compiled", help="that simulates the gates")
    parser.add_argument("--share", type=float, default=1.0, help="of the recordings, for a trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=sys.stderr.isatty()
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = spoken_digits()
    if options.share < 1:
        kept = np.sort(
            np.random.default_rng(options.seed).permutation(len(data.labels))[
                : int(options.share * len(data.labels))
            ]
        )
        data = Spoken(data.spikes[kept], data.labels[kept], data.speakers[kept], data.takes[kept])
    report = measure(data, options)
    if options.json == RESULTS:
        before, _, rest = PAGE.read_text().partition(f"{BEGIN}\n")
        after = rest.partition(f"\n{END}")[2]
        PAGE.write_text(f"{before}{BEGIN}\n{table(report)}\n{END}{after}")


if __name__ == "__main__":
    main()
