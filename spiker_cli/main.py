"""The `spiker` command. Each subcommand loads what it needs, so that help needs next to nothing."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

import spiker_hdl

__all__ = ["app", "main"]

app = typer.Typer(
    name="spiker",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TOOLS = {
    "BuildError",
    "ToolError",
    "YosysError",
}  # tools that must be there; named, so that nothing is loaded

ENCODERS = "rate, bernoulli, first_spike, graded or binary."

NetworkFile = Annotated[Path, typer.Argument(metavar="NET", help="Network file.")]
Data = Annotated[
    str | None,
    typer.Option(
        help="digits, mnist, or an .npz file of a data set or of spikes; "
        "by default what the network was trained on.",
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
Huge = Annotated[
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process where none are given.

    Returns
    -------
    int
        0; 1 where hardware and reference differ; 2 where what was given is not as it must be; 130
        where it was interrupted.
    """
    given = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    try:
        return app(given, prog_name="spiker", standalone_mode=False) or 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        line = _line(error)
        if line is None or os.environ.get("SPIKER_TRACEBACK"):
            raise
        sys.stderr.write(f"spiker: {line}\n")
        return 2


def _line(error: Exception) -> str | None:
    """Return what to say of an error that what was given may cause, in one line."""
    said = getattr(error, "format_message", None)
    if said is not None:
        text = said()
    elif isinstance(error, ModuleNotFoundError):
        text = (
            f"{error.name} must be installed, and is missing: "
            "pip install 'spiker-hdl[train,cli,plot,verilog]'"
        )
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename or 'File'}: {error.strerror}"
    elif isinstance(error, ValueError | OSError) or type(error).__name__ in TOOLS:
        text = str(error)
    else:
        return None
    return " ".join(text.split())


def _call(module: str, *arguments: Any) -> None:
    command = getattr(import_module(f".{module}", __package__), module)
    code = command(*arguments)
    if code:
        raise typer.Exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spiker {spiker_hdl.__version__}")
        raise typer.Exit


@app.callback()
def spiker(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Spiking neural networks from training to proven hardware, bit for bit.

    First steps:

        spiker demo
        spiker train digits --net 64-32-10 -o digits.spiker
        spiker simulate digits.spiker
        spiker emit digits.spiker -o digits_verilog

    `spiker COMMAND --help` has examples of each. SPIKER_DATA names a directory with data sets of
    your own; SPIKER_TRACEBACK=1 shows where an error comes from.
    """


@app.command()
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
    _call("demo", output, seed)


@app.command()
def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="digits, mnist, or an .npz file.")],
    net: Annotated[str, typer.Option(metavar="SIZES", help="Sizes of the layers: 784-128-10.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="NET", help="Network file to write.")
    ],
    steps: Annotated[int, typer.Option(help="Time steps of a sample, 1 to 256.")] = 4,
    weights: Annotated[
        str, typer.Option(help="Bits of a weight, 2 to 16, or ternary; or hidden=4,output=6.")
    ] = "4",
    potentials: Annotated[
        str, typer.Option(help="Bits of a potential, 2 to 32; or hidden=8,output=10.")
    ] = "8",
    seed: Seed = 0,
    encoder: Annotated[str, typer.Option(help=ENCODERS)] = "rate",
    held: Annotated[
        bool,
        typer.Option(
            "--held", help="With graded or binary: send a sample's values once, for all its steps."
        ),
    ] = False,
    readout: Annotated[str, typer.Option(help="last, largest, sum, count or first.")] = "last",
    epochs: Annotated[
        int | None, typer.Option(help="In all; as many as are known to do by default.")
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
        spiker train mnist --net 784-128-10 --steps 3 --encoder binary --held -o mnist_held.spiker
        spiker train my.npz --net 100-50-50-3 --weights hidden1=3,hidden2=4,output=6 -o my.spiker
    """
    _call(
        "train",
        data,
        net,
        steps,
        weights,
        potentials,
        seed,
        encoder,
        held,
        readout,
        epochs,
        threads,
        output,
        json,
    )


@app.command("import")
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
    state: Annotated[
        Path | None, typer.Option(help="CONFIG.json: file of trained weights, as torch saves them.")
    ] = None,
    readout: Annotated[
        str | None, typer.Option(help="How the output answers; see the documentation.")
    ] = None,
    levels: Annotated[int, typer.Option(help="Number of values of an input; 2 for spikes.")] = 2,
    shape: Annotated[
        str | None, typer.Option(help="MODULE:OBJECT: what its forward takes, such as 25x1x784.")
    ] = None,
) -> None:
    """Read a model of another program: a NIR file, an snnTorch module, or Spiker's configuration.

    OBJECT is an nn.Module, or a function that makes one; the module is imported from here, so it
    must be one that you trust. CONFIG.json holds Spiker's net_dict, alone or beside optim_config.
    What became of each part is said; what cannot be kept exactly is refused.

    For example:

        spiker import model.nir --dt 1e-4 --writer norse -o model.safetensors
        spiker import my_model:build --shape 25x1x784 -o model.safetensors
        spiker import spiker.json --state trained.pt -o model.safetensors
    """
    _call("importer", source, output, dt, rule, writer, state, readout, levels, shape)


@app.command()
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
        typer.Option(help="digits, mnist, or an .npz file: samples to calibrate and compare with."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="How many; 500 at most by default.")] = None,
    encoder: Annotated[str | None, typer.Option(help=ENCODERS)] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps of a sample.")] = None,
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
    """
    _call(
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
        saturation,
        tune,
        picture,
        json,
    )


@app.command()
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
    _call("compare", real, path, data, samples, encoder, steps, engine, lanes, picture, json)


@app.command()
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
    _call("prune", path, output, json)


@app.command()
def info(path: NetworkFile, lanes: Lanes = None, json: Json = None) -> None:
    """Say what a network file holds: graph, sizes, neurons, bounds, widths, and how it lies.

    Prints tables; with --json FILE, the file has the same as JSON.

    For example:

        spiker info networks/digits.spiker
        spiker info networks/digits.spiker --lanes 8 --json -
    """
    _call("info", path, lanes, json)


@app.command()
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
    _call(
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


@app.command()
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
    _call("timing", path, data, samples, lanes, form, word, encoder, steps, clock, json)


@app.command()
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
    _call(
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


@app.command()
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
    seed: Annotated[int, typer.Option(help="Of the faults.")] = 0,
    board: Annotated[
        str | None,
        typer.Option(help="Simulate the whole top of this board, from its UART's pins on."),
    ] = None,
    writable: Writable = None,
    huge: Huge = None,
    encoded: Encoded = False,
) -> None:
    """Simulate a board, and put it on a pseudo-terminal for host programs.

    Prints the name of the port, and serves until it is interrupted. What is simulated, cycle by
    cycle, is the accelerator and the link before it; of the UART only the bytes are, but for a
    --board, of which all but clock generator and pins is.

    For example:

        spiker serve networks/digits.spiker
        spiker serve networks/digits.spiker --faults 0.01
        spiker serve networks/digits.spiker --board icebreaker --lanes 4

    and then, in Python:

        from spiker_boards import Board
        result = Board("/dev/pts/3").run(network, spikes)
    """
    _call("serve", path, engine, lanes, form, word, faults, seed, board, writable, huge, encoded)


@app.command()
def emit(
    path: NetworkFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory, made if need be.")
    ],
    language: Annotated[str, typer.Option(help="verilog or vhdl.")] = "verilog",
    data: Data = None,
    samples: Annotated[
        int, typer.Option(help="Samples of the test bench; 0 for no test bench.")
    ] = 10,
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
    _call(
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


@app.command()
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
            help="Samples whose cycles are told: digits, mnist, or an .npz file; by default the "
            "network's own, or random ones."
        ),
    ] = None,
    json: Json = None,
    writable: Writable = None,
    huge: Huge = None,
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
    _call(
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
        huge,
        encoded,
    )


@app.command()
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
    _call("program", directory, flash)


@app.command()
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
    huge: Huge = None,
) -> None:
    """Load a network's weights, thresholds and biases into a board that was built for them.

    The board must have been built with --writable or --huge, for a network that differs in nothing
    else; its mapping is that of --build DIR, or is said by the same options as then. What was
    loaded stays until the power goes.

    For example:

        spiker build networks/digits.spiker --board ulx3s_25f --writable all -o digits_ulx3s
        spiker program digits_ulx3s
        spiker load other.spiker --port /dev/ttyUSB0 --build digits_ulx3s
    """
    _call("load", path, port, built, baud, lanes, form, word, writable, huge)


@app.command()
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
    _call("boards", networks or [], json)


if __name__ == "__main__":
    sys.exit(main())
