"""`spiker quantize`: a floating-point network as one of integers."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.by_layer import bits, scales
from spiker_cli.support.options import ENCODERS, FloatingPointFile, Json, NetworkOutput, Picture
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, table, write, write_json

from .train import EPOCHS

if TYPE_CHECKING:
    from spiker_cli.support.samples import Samples
    from spiker_hdl.model import Network
    from spiker_train import QuantizationReport
    from spiker_train.conversion.compare import Comparison

__all__ = ["quantize"]


def quantize(
    path: FloatingPointFile,
    output: NetworkOutput,
    weights: Annotated[
        str,
        typer.Option(help="Bits of a weight, 2 to 16, or ternary; or by layer: hidden=4,output=6."),
    ] = "4",
    potentials: Annotated[
        str,
        typer.Option(
            help="Bits of a membrane potential, 2 to 32, or by layer; or bounds (as many as can "
            "ever be needed); or calibration (as many as the data need)."
        ),
    ] = "8",
    decay: Annotated[
        str,
        typer.Option(help="How potentials leak: shift, shifts (a sum of them) or multiplier."),
    ] = "shift",
    data: Annotated[
        str | None,
        typer.Option(
            help="Samples to calibrate and to compare with: digits, mnist, fashion, or an .npz "
            "file."
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Number of samples; at most 500 by default.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help=f"How values become spikes: {ENCODERS}")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps of each sample.")] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            help="Most time steps of a sample that the network takes, 1 to 65535; by default "
            "256, or as many as the data have where that is more."
        ),
    ] = None,
    scale_text: Annotated[
        str | None,
        typer.Option(
            "--scales",
            metavar="NAME=X[,...]",
            help="Value of an integer weight of 1, by layer: hidden=0.05,output=0.1. Scales that "
            "are not given are fitted to the weights.",
        ),
    ] = None,
    shifts: Annotated[
        str | None,
        typer.Option(
            metavar="BITS or NAME=BITS[,...]",
            help="Bits, 0 to 24, by which the grid of potentials, thresholds and biases is finer "
            "than that of the weights; for all, or by layer or connection: hidden=3,output=2. By "
            "default 0, or what keeps weights that were quantised already.",
        ),
    ] = None,
    channel_scales: Annotated[
        bool,
        typer.Option(
            "--channel-scales",
            help="Multiply the channels of convolutional layers, with their thresholds, so that "
            "one scale suits the weights of all.",
        ),
    ] = False,
    saturation: Annotated[
        float,
        typer.Option(
            help="With --potentials calibration: share of potentials that may be cut off."
        ),
    ] = 0.0,
    tune: Annotated[
        int, typer.Option(help="Epochs of further training in integers, on the data's labels.")
    ] = 0,
    picture: Picture = None,
    json: Json = None,
) -> int:
    """Quantise a floating-point network to integers, and report what changed.

    Prints the target and the quantised value of each weight, threshold, bias and decay; and, with
    --data, how the spikes and answers of both networks differ.

    For example:

        spiker quantize model.safetensors --weights 6 --potentials bounds -o model.spiker
        spiker quantize model.safetensors --data digits --encoder rate --steps 8 -o model.spiker
        spiker quantize model.safetensors --scales layer1=0.0625 --max-steps 1000 -o model.spiker
        spiker quantize model.safetensors --shifts layer1=4 --potentials 16 -o model.spiker
    """
    from spiker_cli.support.files import check_output, check_picture
    from spiker_cli.support.floating_point import (
        MOST_STEPS,
        max_steps_of,
        open_floating_point,
        samples_for,
    )
    from spiker_hdl.base.checks import check_int
    from spiker_train import Quantization, QuantizationReport
    from spiker_train import quantize as quantize_network
    from spiker_train.conversion.compare import compare
    from spiker_train.conversion.convert import count_weights

    begin_work()
    check_output(output, "Output")
    check_output(json, "--json")
    check_picture(picture)
    sized = potentials in {"bounds", "calibration"}
    widths = (
        bits("Weight bits", weights, ("ternary",)),
        potentials if sized else bits("Potential bits", potentials),
    )
    fixed = {} if scale_text is None else scales(scale_text)
    finer = None if shifts is None else bits("Shifts", shifts)
    # Before anything is loaded.
    Quantization(widths[0], 8 if sized else widths[1], decay, scales=fixed, shifts=finer)
    if max_steps is not None:
        check_int("--max-steps", max_steps, 1, MOST_STEPS)
    _check_training(saturation, tune)
    for option, value in (("--samples", samples), ("--encoder", encoder), ("--steps", steps)):
        if data is None and value is not None:
            raise ValueError(f"{option} must be given with --data, not alone")
    net = open_floating_point(path)
    chosen = None if data is None else samples_for(net, data, samples, encoder, steps)
    if chosen is None and (potentials == "calibration" or tune or picture):
        raise ValueError("--data must be given to calibrate, to fine-tune or to draw")
    options = {
        "--decay": decay,
        "--data": Path(data).name if data else None,
        "--encoder": encoder,
        "--steps": steps,
        "--max-steps": max_steps,
        "--scales": scale_text,
        "--shifts": shifts,
        "--tune": tune,
    }
    command = _command(path, output, weights, potentials, options, channel_scales)
    notes = {"command": command}
    if data and encoder and steps:
        notes |= {"data": Path(data).name, "encoder": encoder, "steps": str(steps)}
    most_steps, tuning = max_steps_of(chosen, max_steps), _tuning(tune, chosen)
    report = QuantizationReport()
    with progress("Weights", count_weights(net)) as done:
        network = quantize_network(
            net,
            *widths,
            decay,
            notes=notes,
            calibration=None if chosen is None else chosen.spikes,
            max_steps=most_steps,
            saturation=saturation,
            scales=fixed,
            shifts=finer,
            channel_scales=channel_scales,
            report=report,
            progress=done,
            **tuning,
        )
    comparison = None if chosen is None else compare(net, network, chosen.spikes, chosen.labels)
    network.save(output)
    if comparison is not None and picture is not None:
        comparison.picture(picture)
    _write_report(network, output, report, comparison, json)
    return 0


def _check_training(saturation: float, tune: int) -> None:
    if not 0 <= saturation < 1:
        raise ValueError(f"Saturation must be in 0..1, below 1, not {saturation:g}")
    if not 0 <= tune <= EPOCHS:
        raise ValueError(f"Epochs of fine-tuning must be 0 to {EPOCHS}, not {tune}")


def _write_report(
    network: "Network",
    output: Path,
    report: "QuantizationReport",
    comparison: "Comparison | None",
    json: Path | None,
) -> None:
    summary = {
        "network": str(output),
        "digest": network.digest,
        "weight_bits": network.weight_bits,
        "quantization": report.to_json(),
        "comparison": None if comparison is None else comparison.to_json(),
    }
    if write_json(json, summary):
        return
    write(str(report))
    if comparison is not None:
        write(str(comparison))
    table(str(output), [("weights", f"{network.weight_bits:,} bits")])


def _command(
    path: Path,
    output: Path,
    weights: str,
    potentials: str,
    options: dict[str, Any],
    channel_scales: bool,
) -> str:
    """Return the command, for the network's notes: with all that shapes the file."""
    command = ["spiker", "quantize", path.name, "--weights", weights, "--potentials", potentials]
    for option, value in options.items():
        command += [option, str(value)] if value else []
    command += ["--channel-scales"] if channel_scales else []
    return shlex.join([*command, "-o", output.name])


def _tuning(epochs: int, samples: "Samples | None") -> dict[str, Any]:
    """Return what quantisation is given to train further."""
    if not epochs:
        return {}
    from spiker_train import TrainingOptions

    if samples is None or samples.labels is None:
        raise ValueError("--data must have labels to fine-tune with")
    training = TrainingOptions(epochs=epochs, progress=False, title="fine-tuning")
    return {"labels": samples.labels, "training": training}
