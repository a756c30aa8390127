"""`spiker quantize`: a network of real numbers as one of integers."""

import shlex
from pathlib import Path
from typing import Any

from spiker_train import Quantization, load_real, quantize_with_report
from spiker_train.comparison import compare
from spiker_train.conversion import count_weights

from .files import check_apart, check_output, check_picture
from .samples import Samples, find_samples
from .terminal import progress, table, write, write_json
from .train import bits

__all__ = ["open_real", "quantize", "samples_for"]

FEW = 500


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
    saturation: float,
    tune: int,
    picture: Path | None,
    json: Path | None,
) -> int:
    """Quantise, save, report, and return the exit code."""
    for what, given in (("Output", output), ("--json", json)):
        check_output(given, what)
    check_picture(picture)
    read = None if data is None else Path(data)
    check_apart(input=path, output=output, data=read, json=json, picture=picture)
    sized = potentials in {"bounds", "calibration"}
    wished = (
        bits("Weight bits", weights, ("ternary",)),
        (potentials if sized else bits("Potential bits", potentials)),
    )
    Quantization(wished[0], 8 if sized else wished[1], decay)  # before anything is loaded
    if tune < 0:
        raise ValueError(f"Epochs of fine-tuning must be at least 0, not {tune}")
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
    said += [*(["--tune", str(tune)] if tune else []), "-o", output.name]
    notes = {"command": shlex.join(said)}
    if found is not None and encoder and steps and data:
        notes |= {"data": Path(data).name, "encoder": encoder, "steps": str(steps)}
    options: dict[str, Any] = {"labels": found.labels, "epochs": tune} if tune and found else {}
    with progress("Weights", count_weights(net)) as done:
        network, report = quantize_with_report(
            net,
            *wished,
            decay,
            notes=notes,
            calibration=None if found is None else found.spikes,
            saturation=saturation,
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


def open_real(path: Path) -> Any:
    """Load a network of real numbers."""
    if not path.is_file():
        raise ValueError(f"Network must be a file that `spiker import` made, and {path} is missing")
    return load_real(path)


def samples_for(
    net: Any, data: str | None, count: int | None, encoder: str | None, steps: int | None
) -> Samples | None:
    """Return samples for a network of real numbers, :data:`FEW` by default; None without data."""
    if data is None:
        return None
    found = find_samples(net.graph, data, count, encoder, steps)
    return found if count is not None else found.first(min(FEW, len(found)))
