"""Subcommands that run networks on samples and measure."""

from pathlib import Path
from typing import Annotated

import typer

from spiker_cli.support.app import call
from spiker_cli.support.options import Data, Encoder, Form, Json, Lanes, NetworkFile, Steps, Word

__all__ = ["energy", "simulate", "timing"]


def simulate(
    path: Annotated[
        Path,
        typer.Argument(metavar="NET", help="Network file, or a directory that was emitted."),
    ],
    data: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(help="How many; by default all for the reference, 100 for hardware."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="reference (NumPy), or hardware: amaranth (its simulator), compiled (its Verilog, "
            "by a C++ compiler), or auto, the fastest there is.",
        ),
    ] = "auto",
    lanes: Lanes = None,
    form: Form = None,
    word: Word = None,
    encoder: Encoder = None,
    steps: Steps = None,
    json: Json = None,
) -> None:
    """Run samples, and compare each answer, score and spike count with the reference.

    Prints JSON: samples, accuracy, mismatches against the reference, and cycles a sample (mean,
    median, 99th percentile, largest). With --json FILE, prints a table, and the file has the JSON.
    The exit code is 1 if there are mismatches.

    Of a directory that `spiker emit` wrote, the Verilog there is what is compiled, and an altered
    file is refused; --data vectors, which is taken where the network has no note of its data, are
    the samples of its test bench.

    For example:

        spiker simulate networks/mnist.spiker --data mnist --samples 10000 --engine reference
        spiker simulate networks/digits.spiker --samples 50 --engine amaranth --lanes 8
        spiker simulate networks/digits.spiker --data my_spikes.npz
        spiker simulate digits_verilog --samples 100
    """
    call(
        "simulate",
        path,
        data,
        samples,
        engine,
        lanes,
        form,
        word,
        encoder,
        steps,
        json,
    )


def timing(
    path: NetworkFile,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(help="How many; all by default.")] = None,
    lanes: Lanes = None,
    form: Form = None,
    word: Word = None,
    encoder: Encoder = None,
    steps: Steps = None,
    clock: Annotated[float, typer.Option(help="Clock in MHz, to tell times.")] = 100.0,
    json: Json = None,
) -> None:
    """Predict how many cycles samples take, exactly and without simulating the hardware.

    Prints JSON: latency (of a sample alone in the machine, first beat in to result), interval
    (from result to result, samples back to back), and where each population's cycles go: adding
    events, firing, waiting. With --json FILE, prints a table, and the file has the JSON.

    For example:

        spiker timing networks/mnist.spiker --data mnist
        spiker timing networks/digits.spiker --lanes balanced --clock 48
    """
    call("timing", path, data, samples, lanes, form, word, encoder, steps, clock, json)


def energy(
    path: NetworkFile,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(help="How many; 10 by default.")] = None,
    lanes: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Most accumulators side by side, of each mapping that is to be compared.",
        ),
    ] = None,
    form: Form = None,
    word: Word = None,
    encoder: Encoder = None,
    steps: Steps = None,
    counts: Annotated[
        bool, typer.Option("--counts", help="Only count; simulate nothing, so that no tool is due.")
    ] = False,
    saif: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the activity of the first mapping as SAIF."),
    ] = None,
    period: Annotated[
        float, typer.Option(help="Nanoseconds of a clock period, for the SAIF file.")
    ] = 10.0,
    json: Json = None,
) -> None:
    """Say what samples make the hardware do, of one mapping beside another. No watts.

    Counts synaptic operations, additions, and what is read from memories and written to them,
    exactly; and simulates the emitted Verilog with Verilator to count how often the bits of
    registers change. Prints a table, in which all mappings stand beside the first; with --json
    FILE, the file has the same by population; with --saif FILE, it has what a power tool reads.

    For example:

        spiker energy networks/digits.spiker --lanes 32,8
        spiker energy networks/digits.spiker --samples 5 --saif digits.saif
    """
    call(
        "energy",
        path,
        data,
        samples,
        lanes,
        form,
        word,
        encoder,
        steps,
        not counts,
        saif,
        period,
        json,
    )
