"""Subcommands that make networks and look at them."""

from pathlib import Path
from typing import Annotated

import typer

from spiker_cli.support.app import call
from spiker_cli.support.options import (
    ENCODERS,
    Data,
    Encoder,
    Json,
    Lanes,
    NetworkFile,
    Picture,
    RealFile,
    Seed,
    Steps,
)

__all__ = ["compare", "demo", "import_", "info", "prune", "quantize", "train"]


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where files go.")
    ] = Path("demo"),
    seed: Seed = 0,
) -> None:
    """Train a small network, prove its hardware, emit Verilog, and draw pictures.

    On the 8x8 digits of scikit-learn. Trains 64-32-10 in the hardware's own arithmetic, runs all
    360 test samples through the reference and 50 through the hardware in Amaranth's simulator, and
    writes all that it makes in one directory. The exit code is 1 if the hardware ever answers
    otherwise.

    For example:

        spiker demo -o demo
    """
    call("demo", output, seed)


def train(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="digits, mnist, fashion, or an .npz file.")
    ],
    net: Annotated[str, typer.Option(metavar="SIZES", help="Sizes of the layers: 784-128-10.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="NET", help="Network file to write.")
    ],
    steps: Annotated[int, typer.Option(help="Time steps of a sample, 1 to 65535.")] = 4,
    weights: Annotated[
        str, typer.Option(help="Bits of a weight, 2 to 16, or ternary; or hidden=4,output=6.")
    ] = "4",
    potentials: Annotated[
        str, typer.Option(help="Bits of a potential, 2 to 32; or hidden=8,output=10.")
    ] = "8",
    seed: Seed = 0,
    encoder: Annotated[str, typer.Option(help=ENCODERS)] = "rate",
    static: Annotated[
        bool,
        typer.Option(
            "--static",
            help="With graded or binary: send a sample's values once, for all its steps.",
        ),
    ] = False,
    readout: Annotated[str, typer.Option(help="last, largest, sum, count or first.")] = "last",
    epochs: Annotated[
        int | None, typer.Option(help="In all; as many as are known to do by default.")
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Of flattened pictures, so that they are shifted as pictures are.",
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(help="Of PyTorch. Results depend on it in the last bits of sums.")
    ] = 1,
    json: Json = None,
) -> None:
    """Train a network: first in real numbers, then in the integers that ship.

    A tenth of the training samples is held back to choose the epoch; the test samples are looked
    at once, at the end. The same command gives the same file on the same machine.

    An .npz file has x_train and x_test (uint8, one sample a row) and y_train and y_test (classes).

    For example:

        spiker train digits --net 64-32-10 -o digits.spiker
        spiker train mnist --net 784-128-10 --steps 4 --weights 4 --potentials 8 -o mnist.spiker
        spiker train mnist --net 784-128-10 --steps 3 --encoder binary --static -o mnist_held.spiker
        spiker train my.npz --net 100-50-50-3 --weights hidden1=3,hidden2=4,output=6 -o my.spiker
    """
    call(
        "train",
        data,
        net,
        steps,
        weights,
        potentials,
        seed,
        encoder,
        static,
        readout,
        epochs,
        picture,
        threads,
        output,
        json,
    )


def import_(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE.nir|MODULE:OBJECT|CONFIG.json", help="What to read."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="REAL", help="File to write: .safetensors.")
    ],
    dt: Annotated[
        float | None, typer.Option(help="NIR: time of a step, in the unit of its constants.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(help="NIR: euler (1 - dt/tau) or exponential decays.")
    ] = None,
    writer: Annotated[
        str,
        typer.Option(help="NIR: program that wrote it: nir, snntorch, norse, sinabs, rockpool."),
    ] = "nir",
    reset: Annotated[
        str | None,
        typer.Option(
            help="NIR: what a spike does to a potential, as files do not say for all programs: "
            "value (set it to v_reset) or subtract (take the threshold from it)."
        ),
    ] = None,
    reset_timing: Annotated[
        str | None,
        typer.Option(
            metavar="immediate|next_step|...",
            help="NIR: when a reset takes place: in the step of the spike (immediate), or in the "
            "step after it, where a reset to v_reset discards that step's input (next_step, "
            "snnTorch's default) or keeps it (next_step_keep_input); snntorch_immediate is what "
            "snnTorch computes with reset_delay=False and a reset that subtracts.",
        ),
    ] = None,
    fire: Annotated[
        str | None,
        typer.Option(
            metavar="above|reached",
            help="NIR: a neuron spikes when its potential is above its threshold, or has "
            "reached it; or > and >=.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="MODULE:OBJECT: checkpoint with the values of the module, as torch saves a "
            "state_dict, or .safetensors; nothing in it is run. CONFIG.json: trained weights.",
        ),
    ] = None,
    readout: Annotated[
        str | None,
        typer.Option(
            help="How the output answers: last, largest or sum of potentials, count of spikes, "
            "first spike; by default as the file or the module says."
        ),
    ] = None,
    groups: Annotated[
        int | None, typer.Option(help="MODULE:OBJECT: classes of a population code.")
    ] = None,
    levels: Annotated[int, typer.Option(help="Number of values of an input; 2 for spikes.")] = 2,
    shape: Annotated[
        str | None, typer.Option(help="MODULE:OBJECT: what its forward takes, such as 25x1x784.")
    ] = None,
    unrolled: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**32,
            help="NIR and MODULE:OBJECT: most weights that a convolution or pooling may be "
            "unrolled into; 1048576 by default.",
        ),
    ] = None,
) -> None:
    """Read a model of another program: a NIR file, an snnTorch module, or Spiker's configuration.

    OBJECT is an nn.Module, or a function that makes one; the module is imported from here, so it
    must be one that you trust. CONFIG.json holds Spiker's net_dict, alone or beside optim_config.
    What became of each part is said; what cannot be kept exactly is refused.

    For example:

        spiker import model.nir --dt 1e-4 --writer norse -o model.safetensors
        spiker import model.nir --dt 1e-4 --reset subtract --reset-timing next_step -o m.safetensors
        spiker import my_model:build --shape 25x1x784 -o model.safetensors
        spiker import my_model:Net --state net.pth -o model.safetensors
        spiker import spiker.json --state trained.pt -o model.safetensors
    """
    call(
        "importer",
        source,
        output,
        dt,
        rule,
        writer,
        reset,
        reset_timing,
        fire,
        state,
        readout,
        groups,
        levels,
        shape,
        unrolled,
    )


def quantize(
    path: RealFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="NET", help="Network file to write.")
    ],
    weights: Annotated[
        str, typer.Option(help="Bits of a weight, 2 to 16, or ternary; or hidden=4,output=6.")
    ] = "4",
    potentials: Annotated[
        str,
        typer.Option(
            help="Bits of a potential, 2 to 32, also by layer; or bounds; or calibration."
        ),
    ] = "8",
    decay: Annotated[str, typer.Option(help="shift, shifts (a sum of them) or multiplier.")] = (
        "shift"
    ),
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, mnist, fashion, or an .npz file: samples to calibrate and compare with."
        ),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="How many; 500 at most by default.")] = None,
    encoder: Annotated[str | None, typer.Option(help=ENCODERS)] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps of a sample.")] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            help="Most time steps of a sample that the network takes, 1 to 65535; by default "
            "256, or what the data have where that is more."
        ),
    ] = None,
    scales: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=X[,...]",
            help="What an integer of 1 is in real numbers, by layer: hidden=0.05,output=0.1; the "
            "others, and all by default, are fitted to their weights.",
        ),
    ] = None,
    shifts: Annotated[
        str | None,
        typer.Option(
            metavar="BITS or NAME=BITS[,...]",
            help="Bits, 0 to 24, by which potentials, thresholds and biases lie on a finer grid "
            "than weights; one number, or by layer or connection: hidden=3,output=2. By default 0, "
            "or what keeps weights that were quantised already.",
        ),
    ] = None,
    saturation: Annotated[
        float, typer.Option(help="With calibration: share of potentials that may be cut off.")
    ] = 0.0,
    tune: Annotated[
        int, typer.Option(help="Epochs of further training in integers, on the data's labels.")
    ] = 0,
    picture: Picture = None,
    json: Json = None,
) -> None:
    """Turn a network of real numbers into integers, and say what changed.

    Prints what became of each weight, threshold, bias and decay, with its error, and, with --data,
    how the spikes and answers of both networks differ.

    For example:

        spiker quantize model.safetensors --weights 6 --potentials bounds -o model.spiker
        spiker quantize model.safetensors --data digits --encoder rate --steps 8 -o model.spiker
        spiker quantize model.safetensors --scales layer1=0.0625 --max-steps 1000 -o model.spiker
        spiker quantize model.safetensors --shifts layer1=4 --potentials 16 -o model.spiker
    """
    call(
        "quantize",
        path,
        output,
        weights,
        potentials,
        decay,
        data,
        samples,
        encoder,
        steps,
        max_steps,
        scales,
        shifts,
        saturation,
        tune,
        picture,
        json,
    )


def compare(
    real: RealFile,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[NET]", help="Network file; made with 4 and 8 bits if not given."),
    ] = None,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(help="How many; 500 at most by default.")] = None,
    encoder: Encoder = None,
    steps: Steps = None,
    engine: Annotated[
        str, typer.Option(help="Of the hardware: auto, compiled, amaranth, or none.")
    ] = "auto",
    lanes: Lanes = None,
    picture: Picture = None,
    json: Json = None,
) -> None:
    """Run samples in real numbers, in integers and in hardware, and say how they differ.

    Accuracy of each, how near the spikes of each population stay, its worst neuron, and the
    mismatches of hardware and integers, of which there must be none: the exit code is 1 otherwise.

    For example:

        spiker compare model.safetensors model.spiker --samples 100

        spiker compare model.safetensors --data digits --encoder rate --steps 8
    """
    call("compare", real, path, data, samples, encoder, steps, engine, lanes, picture, json)


def prune(
    path: NetworkFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="NET", help="Network file to write.")
    ],
    json: Json = None,
) -> None:
    """Drop what cannot change an answer, and say what it was.

    Neurons that can never fire, whatever the input, unless a readout reads them; and channels from
    which no neuron that is left has a weight. Classes, scores and spike counts stay what they are.
    The notes of what is written say which channels it takes: the other commands choose these from
    the data by themselves.

    For example:

        spiker prune my.spiker -o my_small.spiker
        spiker timing my_small.spiker
    """
    call("prune", path, output, json)


def info(path: NetworkFile, lanes: Lanes = None, json: Json = None) -> None:
    """Say what a network file holds: graph, sizes, neurons, bounds, widths, and how it lies.

    Prints tables; with --json FILE, the file has the same as JSON.

    For example:

        spiker info networks/digits.spiker
        spiker info networks/digits.spiker --lanes 8 --json -
    """
    call("info", path, lanes, json)
