"""What several subcommands are given alike."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ENCODERS",
    "Data",
    "Encoded",
    "Encoder",
    "Form",
    "Json",
    "Lanes",
    "NetworkFile",
    "Picture",
    "RealFile",
    "Seed",
    "Spram",
    "Steps",
    "Word",
    "Writable",
]

ENCODERS = "rate, bernoulli, first_spike, graded or binary."

NetworkFile = Annotated[Path, typer.Argument(metavar="NET", help="Network file.")]
Data = Annotated[
    str | None,
    typer.Option(
        help="digits, mnist, fashion, fsdd (spikes already), an .npz file of a data set or of "
        "spikes, or random spikes; by default what the network was trained on.",
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="rate, bernoulli, first_spike, graded, binary; by default as the network was trained."
    ),
]
Steps = Annotated[
    int | None, typer.Option(help="Time steps of a sample; by default as the network was trained.")
]
Lanes = Annotated[
    str | None,
    typer.Option(
        metavar="N|PRESET",
        help="Most accumulators side by side in a population, or a preset: fast, balanced, small; "
        "by default one a neuron.",
    ),
]
Form = Annotated[
    str | None, typer.Option(help="How samples enter: words (spike vectors) or events.")
]
Word = Annotated[int | None, typer.Option(help="Channels in a word of a spike vector.")]
Writable = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Population whose weights, thresholds and biases can be replaced as it runs, or all; "
        "may be given again.",
    ),
]
Spram = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Population whose weights lie in memory that bitstreams do not fill, as SPRAM of "
        "iCE40 UltraPlus, and must be loaded; may be given again.",
    ),
]
Encoded = Annotated[
    bool,
    typer.Option(
        "--encoded",
        help="With an encoder on the chip, as the network's notes say: hosts send pixels or "
        "signals (Board.run_values), and not spikes.",
    ),
]
RealFile = Annotated[
    Path, typer.Argument(metavar="REAL", help="File of real numbers, made by spiker import.")
]
Picture = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw spikes in real numbers and in integers.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of weights, order and split.")]
Json = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the report as JSON; - is standard output."),
]
