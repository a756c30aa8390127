"""The `spiker` command and its subcommands, in the order in which help lists them.

Each subcommand is a file in `commands`, with its parameters, its help and its work together. It
loads what it needs as it runs, so that help is there at once.
"""

from typing import Annotated

import typer
from typer.main import get_command

import spiker_hdl

from .commands.boards import boards
from .commands.build import build
from .commands.compare import compare
from .commands.demo import demo
from .commands.emit import emit
from .commands.energy import energy
from .commands.import_model import import_model
from .commands.info import info
from .commands.load import load
from .commands.program import program
from .commands.prune import prune
from .commands.quantize import quantize
from .commands.serve import serve
from .commands.simulate import simulate
from .commands.timing import timing
from .commands.train import train
from .support.parameters import checked

__all__ = ["COMMANDS", "GROUP"]

COMMANDS = {
    "demo": demo,
    "train": train,
    "import": import_model,
    "quantize": quantize,
    "compare": compare,
    "prune": prune,
    "info": info,
    "simulate": simulate,
    "timing": timing,
    "energy": energy,
    "serve": serve,
    "emit": emit,
    "build": build,
    "program": program,
    "load": load,
    "boards": boards,
}

app = typer.Typer(
    name="spiker",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spiker {spiker_hdl.__version__}")
        raise typer.Exit


@app.callback()
def spiker(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Spiking neural networks from training to verified hardware, bit for bit.

    First steps:

        spiker demo
        spiker train digits --net 64-32-10 -o digits.spiker
        spiker simulate digits.spiker
        spiker emit digits.spiker -o digits_verilog

    `spiker COMMAND --help` has examples of each command. SPIKER_DATA names a directory with data
    sets of your own; SPIKER_TRACEBACK=1 shows where an error comes from.
    """


for name, command in COMMANDS.items():
    app.command(name)(checked(command))

GROUP = get_command(app)
"""Parses the arguments of every subcommand; made once."""
