"""`spiker train`: train on a data set, in the integers that ship, and save the network."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.augmentation import augmentation
from spiker_cli.support.by_layer import bits
from spiker_cli.support.options import ENCODERS, Json, NetworkOutput, Seed
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import say, table, write_json

if TYPE_CHECKING:
    from spiker_hdl.model import Network
    from spiker_train.data.images import Dataset
    from spiker_train.data.recordings import EventDataset

__all__ = ["EPOCHS", "check_layers", "train", "train_quietly"]

STEPS, EPOCHS = 2**16 - 1, 10**6
"""Most steps of a sample, and most epochs."""


def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Values: digits, mnist, fashion. Recordings: fsdd, fsdd_audio, mitbih, nmnist, "
            "shd, ssc. Or an .npz file, tonic:NAME, or MODULE:FUNCTION.",
        ),
    ],
    net: Annotated[
        str,
        typer.Option(
            metavar="LAYERS",
            help="Layers, such as 784-128-10, or 28x28-8c3-p2-16c3-p2-10 with convolutions: "
            "see above.",
        ),
    ],
    output: NetworkOutput,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Time steps of a sample, 1 to 65535; by default 4 of values, and of recordings as "
            "many as the data set says."
        ),
    ] = None,
    dt: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Length of a step of recordings; by default as the data set says, such as 0.01.",
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(help="Bits of a weight, 2 to 16, or ternary; or by layer: hidden=4,output=6."),
    ] = "4",
    potentials: Annotated[
        str,
        typer.Option(
            help="Bits of a membrane potential, 2 to 32; or by layer: hidden=8,output=10."
        ),
    ] = "8",
    shifts: Annotated[
        str | None,
        typer.Option(
            help="Bits by which potentials, thresholds and biases have a finer grid than weights: "
            "2, or by layer: hidden=2,output=0."
        ),
    ] = None,
    seed: Seed = 0,
    encoder: Annotated[str, typer.Option(help=f"How values become spikes: {ENCODERS}")] = "rate",
    static: Annotated[
        bool,
        typer.Option(
            "--static",
            help="With graded or binary: send a sample's values once, for all its steps.",
        ),
    ] = False,
    readout: Annotated[
        str,
        typer.Option(
            help="How a class is scored: last, largest or sum (of its potentials), count (of its "
            "spikes) or first (spike)."
        ),
    ] = "last",
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs in total; by default as many as are known to suffice."),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Size of the pictures, where samples are flattened ones: they are shifted in "
            "training.",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=NUMBER,...",
            help="Alter samples at random in training. Pictures: rotate (degrees), shift (pixels), "
            "scale (share), mirror (probability). Recordings: shift (channels), jitter (seconds), "
            "drop (probability), noise (events a channel and second); of cameras, rotate, scale "
            "and mirror, too.",
        ),
    ] = None,
    batch_norm: Annotated[
        bool,
        typer.Option(
            "--batch-norm",
            help="Normalise the currents of hidden layers over each batch while the network is "
            "trained in floating point; this is folded into weights and biases.",
        ),
    ] = False,
    threads: Annotated[
        int,
        typer.Option(help="Threads of PyTorch; the last bits of its sums depend on them."),
    ] = 1,
    json: Json = None,
) -> int:
    """Train a network: first in floating point, then in the integers that ship.

    A tenth of the training samples is held back to choose the epoch; the test samples are used
    once, at the end. The same command gives the same file on the same machine.

    An .npz file has y_train and y_test (classes), and x_train and x_test (uint8, a sample in each
    row) or spikes_train and spikes_test (0 and 1: samples, steps, channels).

    Recordings are binned into steps: fsdd and fsdd_audio have 128 channels, mitbih 8, nmnist 2312,
    shd and ssc 700.
    tonic:NAME is a class of tonic.datasets, such as tonic:SHD. MODULE:FUNCTION is a function of
    yours that returns two data sets of PyTorch, to train and to test, such as my_data:make.

    Layers are written with hyphens between them. The first is the input: 784, 28x28 (height x
    width) or 2x34x34 (channels x height x width). 8c3 is a convolution to 8 channels with a 3x3
    kernel, padded so that the size stays; 8c3v has no padding, and 8c3/2 a stride of 2. d3 is a
    depthwise convolution: each channel has a 3x3 kernel of its own. p2 behind a convolution is the
    maximum of its currents in windows of 2x2. s2 and a2 are layers whose neurons get the sum or
    the average of the events in windows of 2x2, with weights that are not learned. 128 is a fully
    connected layer; the last number is the output.

    For example:

        spiker train digits --net 64-32-10 -o digits.spiker
        spiker train mnist --net 784-128-10 --steps 4 --weights 4 --potentials 8 -o mnist.spiker
        spiker train mnist --net 784-128-10 --steps 3 --encoder binary --static -o static.spiker
        spiker train mnist --net 28x28-8c3-p2-16c3-p2-10 --augment rotate=10,shift=2 -o maps.spiker
        spiker train fsdd --net 128-64-10 --steps 64 --dt 0.01 --readout sum -o fsdd.spiker
        spiker train my.npz --net 100-50-50-3 --weights hidden1=3,hidden2=4,output=6 -o my.spiker
    """
    from spiker_cli.support.files import check_output
    from spiker_hdl.base.checks import check_choice, check_int
    from spiker_hdl.model import READOUTS, encoders
    from spiker_train.data.load import load_data

    begin_work()
    check_output(output, "Output")
    check_output(json, "--json")
    encoders.encoder_of(encoder)
    if static:
        check_choice("Encoder of a static input", encoder, encoders.STEADY)
    if steps is not None and not 1 <= steps <= STEPS:
        raise ValueError(f"Steps must be 1 to {STEPS}, not {steps}")
    check_choice("Readout kind", readout, READOUTS)
    if epochs is not None:
        check_int("Epochs", epochs, 2, EPOCHS)
    check_layers(net)
    altered = augmentation(augment)
    widths = {
        "weights": bits("Weight bits", weights, ("ternary",)),
        "potentials": bits("Potential bits", potentials),
    }
    finer = None if shifts is None else bits("Shifts", shifts)
    dataset = _load(load_data, data)
    recorded = hasattr(dataset, "dt")
    if dt is not None and not recorded:
        raise ValueError(f"--dt must be for recordings, not for values of {dataset.name!r}")
    if steps is None:
        steps = getattr(dataset, "steps", 4)
    command = ["spiker", "train", Path(data).name, "--net", net, "--steps", str(steps)]
    command += ["--dt", str(dt)] if dt is not None else []
    command += ["--weights", weights, "--potentials", potentials]
    command += ["--shifts", shifts] if shifts is not None else []
    command += ["--seed", str(seed)]
    command += [] if recorded else ["--encoder", encoder, *(["--static"] if static else [])]
    command += ["--readout", readout] if readout != "last" else []
    command += ["--epochs", str(epochs)] if epochs is not None else []
    command += ["--picture", picture] if picture is not None else []
    command += ["--augment", augment] if augment is not None else []
    command += ["--batch-norm"] if batch_norm else []
    command += ["--threads", str(threads)] if threads != 1 else []
    command += ["-o", output.name]
    network, report = train_quietly(
        dataset,
        net,
        threads,
        steps=steps,
        **widths,
        shifts=finer,
        seed=seed,
        encoder=encoder,
        static=static,
        epochs=epochs,
        dt=dt,
        readout=readout,
        picture=_sides(picture),
        augment=altered(recorded) if altered is not None else None,
        batch_norm=batch_norm,
    )
    network = replace(network, notes={**network.note, "command": shlex.join(command)})
    network.save(output)
    report |= {"output": str(output), "digest": network.digest, "weight_bits": network.weight_bits}
    if not write_json(json, report):
        table(str(output), _rows(report))
    return 0


def _rows(report: dict[str, Any]) -> list[tuple[str, Any]]:
    accuracy = report["accuracy"]
    return [
        ("accuracy in floating point", f"{accuracy['float']:.2%}"),
        ("rounded to integers", f"{accuracy['rounded']:.2%}"),
        ("trained in integers", f"{accuracy['integers']:.2%}"),
        ("spikes a sample", ", ".join(f"{n} {count:.0f}" for n, count in report["spikes"].items())),
        ("weights", f"{report['weight_bits']:,} bits"),
        ("pictures shifted", f"by up to {report['shift']} pixels" if report["shift"] else "no"),
        ("seconds", report["seconds"]),
        *(("warning", f"{warning} (--picture 28x28)") for warning in report["warnings"]),
        *(("warning", warning) for warning in report["quantization"]["warnings"]),
    ]


def train_quietly(
    data: "Dataset | EventDataset", net: str, threads: int, **options: Any
) -> "tuple[Network, dict[str, Any]]":
    """Train with a fixed number of threads, on which the last bits of sums depend."""
    import torch  # seconds to load: only once all arguments are known to be good

    from spiker_train import Quantization, train_network

    if not 1 <= threads <= 256:
        raise ValueError(f"Threads must be 1 to 256, not {threads}")
    Quantization(options["weights"], options["potentials"], shifts=options.get("shifts"))
    torch.set_num_threads(threads)
    say(f"Training {net} on {data.name}: in floating point, then in the integers that ship")
    return train_network(data, net, progress=True, **options)


def _load(load: Any, data: str) -> Any:
    """Load a data set; modules are found in the present directory, too."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        return load(data)
    finally:
        sys.path.pop(0)


def check_layers(net: str) -> None:
    """Raise :exc:`ValueError` unless text describes layers, such as ``"784-128-10"``."""
    from spiker_train.network.chain import chain_of

    try:
        chain_of(net)
    except ValueError as error:
        # A picture may be known to the data set alone.
        if "must be behind an input" not in str(error):
            raise ValueError(f"--net: {error}") from None


def _sides(picture: str | None) -> tuple[int, int] | None:
    if picture is None:
        return None
    high, _, wide = picture.partition("x")
    if not (high.isdecimal() and wide.isdecimal() and len(picture) < 12):
        raise ValueError(f"--picture must be a height and a width such as 28x28, not {picture!r}")
    return int(high), int(wide)
