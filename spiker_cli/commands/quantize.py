"""`spiker quantize`: a network of real numbers as one of integers."""

import shlex
from pathlib import Path
from typing import Any

from spiker_cli.support.files import check_output, check_picture, way_of
from spiker_cli.support.samples import Samples, find_samples
from spiker_cli.support.terminal import progress, table, write, write_json
from spiker_hdl.base.checks import check_int
from spiker_train import Quantization, QuantizationReport, TrainingOptions, load_real
from spiker_train import quantize as quantize_network
from spiker_train.conversion.compare import compare
from spiker_train.conversion.convert import count_weights

from .train import EPOCHS, bits

__all__ = ["LONGEST", "max_steps_of", "open_real", "quantize", "samples_for"]

FEW = 500
USUAL = 256
LONGEST = 2**16 - 1
"""Steps of a sample that a network takes where nothing else is said, and at most."""


def quantize(
    path: Path,
    output: Path,
    weights: str,
    potentials: str,
    decay: str,
    data: str | None,
    samples: int | None,
    encoder: str | None,
    steps: int | None,
    max_steps: int | None,
    scales: str | None,
    shifts: str | None,
    saturation: float,
    tune: int,
    picture: Path | None,
    json: Path | None,
) -> int:
    """Quantise, save, report, and return the exit code."""
    for what, given in (("Output", output), ("--json", json)):
        check_output(given, what)
    check_picture(picture)
    sized = potentials in {"bounds", "calibration"}
    wished = (
        bits("Weight bits", weights, ("ternary",)),
        (potentials if sized else bits("Potential bits", potentials)),
    )
    fixed = {} if scales is None else _scales(scales)
    finer = None if shifts is None else bits("Shifts", shifts)
    # Before anything is loaded.
    Quantization(wished[0], 8 if sized else wished[1], decay, scales=fixed, shifts=finer)
    if max_steps is not None:
        check_int("Longest sample", max_steps, 1, LONGEST)
    if not 0 <= saturation < 1:
        raise ValueError(f"Saturation must be in 0..1, below 1, not {saturation:g}")
    if not 0 <= tune <= EPOCHS:
        raise ValueError(f"Epochs of fine-tuning must be 0 to {EPOCHS}, not {tune}")
    for option, given in (("--samples", samples), ("--encoder", encoder), ("--steps", steps)):
        if data is None and given is not None:
            raise ValueError(f"{option} must be given with --data, not alone")
    net = open_real(path)
    found = samples_for(net, data, samples, encoder, steps)
    if found is None and (potentials == "calibration" or tune or picture):
        raise ValueError("--data must be given to calibrate, to fine-tune or to draw")
    if tune and (found is None or found.labels is None):
        raise ValueError("--data must have labels to fine-tune with")
    said = ["spiker", "quantize", path.name, "--weights", weights, "--potentials", potentials]
    said += ["--decay", decay, *(["--data", Path(data).name] if data else [])]
    said += [
        *(["--encoder", encoder] if encoder else []),
        *(["--steps", str(steps)] if steps else []),
    ]
    said += [
        *(["--max-steps", str(max_steps)] if max_steps else []),
        *(["--scales", scales] if scales else []),
        *(["--shifts", shifts] if shifts else []),
    ]
    said += [*(["--tune", str(tune)] if tune else []), "-o", output.name]
    notes = {"command": shlex.join(said)}
    if found is not None and encoder and steps and data:
        notes |= {"data": Path(data).name, "encoder": encoder, "steps": str(steps)}
    options: dict[str, Any] = {}
    if tune and found is not None:
        training = TrainingOptions(epochs=tune, progress=False, title="fine-tuning")
        options = {"labels": found.labels, "training": training}
    options["max_steps"] = max_steps_of(found, max_steps)
    report = QuantizationReport()
    with progress("Weights", count_weights(net)) as done:
        network = quantize_network(
            net,
            *wished,
            decay,
            notes=notes,
            calibration=None if found is None else found.spikes,
            saturation=saturation,
            scales=fixed,
            shifts=finer,
            report=report,
            progress=done,
            **options,
        )
    comparison = None if found is None else compare(net, network, found.spikes, found.labels)
    network.save(output)
    if comparison is not None and picture is not None:
        comparison.picture(picture)
    made = {
        "network": str(output),
        "digest": network.digest,
        "weight_bits": network.weight_bits,
        "quantization": report.to_json(),
        "comparison": None if comparison is None else comparison.to_json(),
    }
    if not write_json(json, made):
        write(str(report))
        if comparison is not None:
            write(str(comparison))
        table(str(output), [("weights", f"{network.weight_bits:,} bits")])
    return 0


def _scales(given: str) -> dict[str, float]:
    """Read scales by layer, such as ``"hidden=0.05,output=0.1"``."""
    found: dict[str, float] = {}
    for one in given.split(","):
        name, there, value = one.partition("=")
        name = name.strip()
        try:
            scale = float(value)
        except ValueError:
            scale = 0.0
        if not there or not name or name in found or not 0 < scale < float("inf"):
            raise ValueError(f"Scales must be above 0 and as hidden=0.05,output=0.1, not {given!r}")
        found[name] = scale
    return found


def max_steps_of(samples: Samples | None, max_steps: int | None) -> int:
    """Return the most steps that a network is to take: 256, or what its samples have.

    Raises
    ------
    ValueError
        If the samples have more than is asked for.
    """
    steps = 0 if samples is None else samples.spikes.shape[1]
    if max_steps is not None and steps > max_steps:
        raise ValueError(
            f"--max-steps must be at least the {steps} steps of the data, not {max_steps}"
        )
    return max_steps or max(USUAL, steps)


def open_real(path: Path) -> Any:
    """Load a network of real numbers."""
    if not path.is_file():
        raise ValueError(f"Network must be a file that `spiker import` made, and {path} is missing")
    other = way_of(path, "safetensors")
    if other:
        raise ValueError(f"Network must be a file that `spiker import` made, and {path} is {other}")
    return load_real(path)


def samples_for(
    net: Any, data: str | None, count: int | None, encoder: str | None, steps: int | None
) -> Samples | None:
    """Return samples for a network of real numbers, :data:`FEW` by default; None without data."""
    if data is None:
        return None
    found = find_samples(net.graph, data, count, encoder, steps)
    return found if count is not None else found.first(min(FEW, len(found)))
