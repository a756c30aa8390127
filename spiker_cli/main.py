"""The `spiker` command: what it ends with, whatever happens.

Loads next to nothing before it stands ready for an interrupt.
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
        Those of the process where none are given.

    Returns
    -------
    int
        0; 1 where hardware and reference differ; 2 where what was given is not as it must be, or
        what it needs fails; 130 where it was interrupted; 141 where the reader of its output left.
    """
    with interrupts:
        if arguments is not None:
            return _ended([*arguments])
        interrupts.starting = True
        with Streams() as streams:
            if streams.closed:
                return _say("Standard output must be open, not closed")
            code, failure = streams.finish(_ended(sys.argv[1:]))
            if failure is not None:
                _say(failure)
        interrupts.last()
    return code


def _ended(arguments: list[str]) -> int:
    """Return the exit code of a command; what ends it otherwise is said in one line."""
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
            return 2  # which is said when the streams are finished
        if isinstance(error, KeyboardInterrupt):
            return _say(STOPPED, INTERRUPTED)
        return _say(line(error))


def _run(arguments: list[str]) -> int:
    from typer import Exit

    from .subcommands import GROUP

    try:
        # Not what typer runs by itself, which makes exit codes of its own of what goes wrong.
        with GROUP.make_context("spiker", arguments) as context:
            return GROUP.invoke(context) or 0
    except Exit as end:
        return end.exit_code


def _say(text: str, code: int = 2) -> int:
    sys.stderr.write(f"spiker: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
