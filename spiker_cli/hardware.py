"""Subcommands that bring networks into hardware."""

from pathlib import Path
from typing import Annotated

import typer

from spiker_cli.support.app import call
from spiker_cli.support.options import (
    Data,
    Encoded,
    Encoder,
    Form,
    Json,
    Lanes,
    NetworkFile,
    Spram,
    Steps,
    Word,
    Writable,
)

__all__ = ["boards", "build", "emit", "load", "program", "serve"]


def serve(
    path: NetworkFile,
    engine: Annotated[
        str,
        typer.Option(
            help="compiled (the Verilog of link and accelerator, by a C++ compiler), amaranth "
            "(its simulator, which is slow and needs no tools), or auto, the fastest there is."
        ),
    ] = "auto",
    lanes: Lanes = None,
    form: Form = None,
    word: Word = None,
    faults: Annotated[
        float,
        typer.Option(help="Share of the bytes, both ways, that are damaged, dropped or doubled."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the faults.")] = 0,
    board: Annotated[
        str | None,
        typer.Option(
            help="Simulate the whole top of this board, from its UART's pins on, or a Zynq from "
            "the registers that its ARM sees."
        ),
    ] = None,
    writable: Writable = None,
    uninitialized: Spram = None,
    encoded: Encoded = False,
) -> None:
    """Simulate a board, and put it on a pseudo-terminal for host programs.

    Prints the name of the port, and serves until it is interrupted. What is simulated, cycle by
    cycle, is the accelerator and the link before it; of the UART only the bytes are, but for a
    --board, of which all but clock generator and pins is, or the mailbox of a Zynq.

    For example:

        spiker serve networks/digits.spiker
        spiker serve networks/digits.spiker --faults 0.01
        spiker serve networks/digits.spiker --board icebreaker --lanes 4

    and then, in Python:

        from spiker_boards import Board
        result = Board("/dev/pts/3").run(network, spikes)
    """
    call(
        "serve",
        path,
        engine,
        lanes,
        form,
        word,
        faults,
        seed,
        board,
        writable,
        uninitialized,
        encoded,
    )


def emit(
    path: NetworkFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory, made if need be.")
    ],
    language: Annotated[str, typer.Option(help="verilog or vhdl.")] = "verilog",
    data: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Samples of the test bench, 10 by default; 0 for no test bench."),
    ] = None,
    encoder: Encoder = None,
    steps: Steps = None,
    lanes: Lanes = None,
    form: Form = None,
    word: Word = None,
    timed: Annotated[
        bool,
        typer.Option("--timed", help="Simulate first, so that the test bench compares cycles too."),
    ] = False,
    ports: Annotated[
        str,
        typer.Option(help="streams (valid, ready, payload), or axis (AXI4-Stream and AXI4-Lite)."),
    ] = "streams",
    period: Annotated[
        float, typer.Option(help="Nanoseconds of a clock period, for the constraints.")
    ] = 10.0,
) -> None:
    """Write the accelerator in Verilog or VHDL, with a test bench that checks itself.

    Beside it lie scripts for FuseSoC, Vivado, Quartus and make, and the network: spiker simulate
    takes the directory.

    For example:

        spiker emit networks/digits.spiker -o digits_verilog
        make -C digits_verilog sim
        spiker emit networks/digits.spiker -o digits_vhdl --language vhdl
        spiker emit networks/mnist.spiker -o mnist_verilog --lanes 32 --samples 3 --timed
        spiker emit networks/digits.spiker -o digits_axi --ports axis --period 8
    """
    call(
        "emit",
        path,
        output,
        language,
        data,
        samples,
        encoder,
        steps,
        lanes,
        form,
        word,
        timed,
        ports,
        period,
    )


def build(
    path: NetworkFile,
    board: Annotated[str, typer.Option(help="Name of a board: see spiker boards.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Directory: new, empty, or an earlier build."
        ),
    ],
    lanes: Annotated[
        str | None,
        typer.Option(
            help="Most accumulators side by side in a population, or a preset: fast, balanced, "
            "small; by default what likely fits."
        ),
    ] = None,
    form: Form = None,
    word: Word = None,
    clock: Annotated[
        float | None, typer.Option(help="MHz of the accelerator; by default the board's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of placement.")] = 1,
    data: Annotated[
        str | None,
        typer.Option(
            help="Samples whose cycles are told: digits, mnist, fashion, or an .npz file; by "
            "default the network's own, or random ones."
        ),
    ] = None,
    json: Json = None,
    writable: Writable = None,
    uninitialized: Spram = None,
    encoded: Encoded = False,
) -> None:
    """Build the bitstream of a board, or the whole project where only its vendor can.

    Prints utilisation, the fastest clock, and cycles and time of a sample. A network that does not
    fit is refused, and so is a design that is too slow for the clock; nothing is left behind then.

    For example:

        spiker build networks/digits.spiker --board icebreaker -o digits_icebreaker
        spiker build networks/mnist.spiker --board ulx3s_45f --lanes 32 -o mnist_ulx3s
        spiker build networks/digits.spiker --board pynq_z2 -o digits_pynq
    """
    call(
        "build",
        path,
        board,
        output,
        lanes,
        form,
        word,
        clock,
        seed,
        data,
        json,
        writable,
        uninitialized,
        encoded,
    )


def program(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory that spiker build made.")
    ],
    flash: Annotated[
        bool, typer.Option("--flash", help="Write the flash, so that it stays without power.")
    ] = False,
) -> None:
    """Load a build into the board that is connected, by openFPGALoader.

    What the directory says is checked first; a bitstream that was altered is refused.

    For example:

        spiker program digits_icebreaker
    """
    call("program", directory, flash)


def load(
    path: NetworkFile,
    port: Annotated[str, typer.Option(help="Serial port of the board.")],
    built: Annotated[
        Path | None,
        typer.Option("--build", metavar="DIR", help="What spiker build made for the board."),
    ] = None,
    baud: Annotated[
        int | None, typer.Option(min=1, help="Bits a second; by default the build's, else 1000000.")
    ] = None,
    lanes: Lanes = None,
    form: Form = None,
    word: Word = None,
    writable: Writable = None,
    uninitialized: Spram = None,
) -> None:
    """Load a network's weights, thresholds and biases into a board that was built for them.

    The board must have been built with --writable or --spram, for a network that differs in nothing
    else; its mapping is that of --build DIR, or is said by the same options as then. What was
    loaded stays until the power goes.

    For example:

        spiker build networks/digits.spiker --board ulx3s_25f --writable all -o digits_ulx3s
        spiker program digits_ulx3s
        spiker load other.spiker --port /dev/ttyUSB0 --build digits_ulx3s
    """
    call("load", path, port, built, baud, lanes, form, word, writable, uninitialized)


def boards(
    networks: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[NET]", help="Networks of which is told what fits."),
    ] = None,
    json: Json = None,
) -> None:
    """List the boards: device, clock, link, and which networks likely fit.

    Prints tables; with --json FILE, the file has the same as JSON.

    For example:

        spiker boards networks/digits.spiker networks/mnist.spiker
    """
    call("boards", networks or [], json)
