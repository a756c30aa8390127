"""The `spiker` command, and its exit code, whatever happens.

Loads next to nothing before it can handle an interrupt.
"""

import os
import sys
from collections.abc import Sequence

from spiker_cli.support.process import INTERRUPTED, STOPPED, Streams, interrupts

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Returns
    -------
    int
        0; 1 if hardware and reference differ; 2 if an argument or a file is not as it must be, or
        something fails that the command needs; 130 if it was interrupted; 141 if the reader of its
        output left.
    """
    with interrupts:
        if arguments is not None:
            return _exit_code([*arguments])
        interrupts.starting = True
        with Streams() as streams:
            if streams.closed:
                return _say("Standard output must be open, not closed")
            code, failure = streams.finish(_exit_code(sys.argv[1:]))
            if failure is not None:
                _say(failure)
        interrupts.last()
    return code


def _exit_code(arguments: list[str]) -> int:
    """Run a command, and return its exit code; print one line for an error that ends it."""
    from spiker_hdl.base.messages import visible

    from .support.lines import line

    try:
        return _run(arguments or ["--help"])
    except BaseException as error:
        if interrupts.seen:
            return _say(STOPPED, INTERRUPTED)
        if os.environ.get("SPIKER_TRACEBACK"):
            from traceback import format_exception

            sys.stderr.write(visible("".join(format_exception(error)), kept="\n\t"))
        if getattr(sys.stdout, "failure", None) is not None:
            return 2  # Streams.finish returns the error itself
        if isinstance(error, KeyboardInterrupt):
            return _say(STOPPED, INTERRUPTED)
        return _say(line(error))


def _run(arguments: list[str]) -> int:
    from typer import Exit

    from .subcommands import GROUP

    try:
        # Not through typer's own main, which has exit codes of its own for errors.
        with GROUP.make_context("spiker", arguments) as context:
            return GROUP.invoke(context) or 0
    except Exit as end:
        return end.exit_code


def _say(text: str, code: int = 2) -> int:
    sys.stderr.write(f"spiker: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
