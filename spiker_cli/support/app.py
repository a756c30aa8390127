"""The `spiker` command without its subcommands, and how one of them is called."""

from importlib import import_module
from typing import Annotated, Any

import typer

import spiker_hdl

from .process import interrupts

__all__ = ["app", "call"]

app = typer.Typer(
    name="spiker",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def call(module: str, *arguments: Any) -> None:
    """Load what a subcommand needs, and run it."""
    command = getattr(import_module(f"spiker_cli.commands.{module}"), module)
    interrupts.starting = False
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
