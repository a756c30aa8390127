"""The `spiker` command. Each subcommand loads what it needs, so that help needs next to nothing."""

import os
import sys
from collections.abc import Sequence

from . import hardware, measures, networks
from .app import app

__all__ = ["app", "main"]

COMMANDS = {
    "demo": networks.demo,
    "train": networks.train,
    "import": networks.import_,
    "quantize": networks.quantize,
    "compare": networks.compare,
    "prune": networks.prune,
    "info": networks.info,
    "simulate": measures.simulate,
    "timing": measures.timing,
    "energy": measures.energy,
    "serve": hardware.serve,
    "emit": hardware.emit,
    "build": hardware.build,
    "program": hardware.program,
    "load": hardware.load,
    "boards": hardware.boards,
}
"""In the order in which help lists them."""

for name, command in COMMANDS.items():
    app.command(name)(command)

TOOLS = {
    "BuildError",
    "ToolError",
    "YosysError",
}  # tools that must be there; named, so that nothing is loaded


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


if __name__ == "__main__":
    sys.exit(main())
