"""Parameters that several subcommands have alike."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ENCODERS",
    "Data",
    "Encoded",
    "Encoder",
    "FloatingPointFile",
    "Form",
    "Json",
    "Lanes",
    "MappingName",
    "NetworkFile",
    "NetworkOutput",
    "Picture",
    "Seed",
    "Spram",
    "Steps",
    "Word",
    "Writable",
]

ENCODERS = "rate, bernoulli, first_spike, graded or binary."

# -- files ---------------------------------------------------------------------------------------

NetworkFile = Annotated[
    Path, typer.Argument(metavar="NET", help="Network file, such as digits.spiker.")
]
NetworkOutput = Annotated[
    Path, typer.Option("-o", "--output", metavar="NET", help="Network file to write.")
]
FloatingPointFile = Annotated[
    Path,
    typer.Argument(metavar="FLOAT_NET", help="Floating-point network, as spiker import writes it."),
]
Picture = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw the spikes of both networks, to a .png or .svg file."),
]
Json = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the report as JSON; - is standard output."),
]

# -- samples -------------------------------------------------------------------------------------

Data = Annotated[
    str | None,
    typer.Option(
        help="Samples: digits, mnist, fashion, recordings of fsdd, fsdd_audio, mitbih, nmnist, shd "
        "or ssc, an .npz file of a data set or of spikes, or random for random spikes; by default "
        "the data set that the network was trained on.",
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="How values become spikes: rate, bernoulli, first_spike, graded or binary; by default "
        "as the network was trained."
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(help="Time steps of each sample; by default as the network was trained."),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0, max=2**63 - 1, help="Seed of initial weights, of the samples' order and split."
    ),
]

# -- mappings ------------------------------------------------------------------------------------

Lanes = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Neurons of a population that add a weight at the same time, at most; by default all. "
        "Fewer lanes take less area and more cycles.",
    ),
]
MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        metavar="fast|balanced|small|FILE.json",
        help="Preset: fast (few cycles), balanced, or small (little area); or a JSON file with a "
        "mapping, such as spiker info --json writes. By default the mapping that was saved with "
        "the network, else a lane for each neuron, "
        "and for each channel of a convolution.",
    ),
]
Form = Annotated[
    str | None,
    typer.Option(help="How samples enter: words (spike vectors) or events (address events)."),
]
Word = Annotated[
    int | None,
    typer.Option(help="Channels in a word of a spike vector; 32 by default, and 16 if small."),
]
Writable = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Population whose weights, thresholds and biases can be replaced while the hardware "
        "runs, or all; may be given several times.",
    ),
]
Spram = Annotated[
    list[str] | None,
    typer.Option(
        "--spram",
        metavar="NAME",
        help="Population whose weights are stored in memory that no bitstream fills, such as the "
        "SPRAM of iCE40 UltraPlus, and must be loaded; may be given several times.",
    ),
]
Encoded = Annotated[
    bool,
    typer.Option(
        "--encoded",
        help="Put the encoder that the network's notes name on the chip: hosts send pixels or "
        "signals (Board.run_values) instead of spikes.",
    ),
]
