"""The process of the command: its standard streams, which may be closed or full, and Ctrl-C."""

import errno
import io
import os
import signal
import sys
from types import FrameType
from typing import Any, Self

__all__ = ["CUT", "INTERRUPTED", "STOPPED", "Streams", "begin_work", "interrupts"]

CUT = 141
"""Exit code if the reader of standard output has left, as for a program that SIGPIPE ends."""

INTERRUPTED = 130
STOPPED = "interrupted"


class _Output(io.TextIOWrapper):
    """Standard output, which keeps its first error: later ones hide it, or end the program."""

    failure: OSError | None = None

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.failure = self.failure or error
            raise

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self.failure = self.failure or error
            raise


class _Errors(io.TextIOWrapper):
    """Standard error: where nothing can be written, output is dropped and the work goes on."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            _drop(2)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _drop(2)


class Streams:
    """The standard streams of the process, from when it is entered to its end."""

    def __init__(self) -> None:
        self.closed = False

    def __enter__(self) -> Self:
        self.closed = sys.stdout is None
        # Otherwise the next file that is opened would become a standard stream.
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)
        sys.stdout = _wrapped(_Output, sys.stdout, 1)
        sys.stderr = _wrapped(_Errors, sys.stderr, 2)
        return self

    def __exit__(self, *_: object) -> None:
        sys.stderr.flush()

    def finish(self, code: int) -> tuple[int, str | None]:
        """Write what is left; return the exit code, and an error if there is one.

        Parameters
        ----------
        code : int
            Exit code of the command, if all its output arrives.
        """
        try:
            sys.stdout.flush()
        except OSError:
            pass
        failure = getattr(sys.stdout, "failure", None)
        if failure is None:
            return code, None
        _drop(1)
        if failure.errno == errno.EPIPE:
            return CUT, None
        return 2, f"Standard output must take all that is written: {failure.strerror}"


def _wrapped(kind: type[io.TextIOWrapper], stream: Any, number: int) -> Any:
    if stream is None:
        return kind(open(number, "wb", closefd=False), errors="backslashreplace")
    if not hasattr(stream, "buffer"):
        return stream
    return kind(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _drop(number: int) -> None:
    """Connect a stream to nothing, so that what it still buffers is no error at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


class Interrupts:
    """Handler of Ctrl-C, as a context.

    Attributes
    ----------
    seen : bool
        Whether there was an interrupt: whatever error then ends the command, it comes from that.
    starting : bool
        Whether the command is still loading, so that nothing must be put right: an interrupt then
        ends the process at once. A module that is interrupted while it loads may turn that into
        any error, or into none.
    """

    def __init__(self) -> None:
        self.seen = False
        self.starting = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self.seen = self.starting = False
        # Otherwise it is ignored, as in the background, or somebody else handles it.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            try:
                self._before = signal.signal(signal.SIGINT, self._note)
            except ValueError:  # in a thread that is not the main one
                self._before = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def last(self) -> None:
        """Have an interrupt from here on end the process silently: only Python's exit is left."""
        if self._before is not None:
            self._before = signal.SIG_DFL

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        if self.starting:
            try:
                os.write(2, f"spiker: {STOPPED}\n".encode())
            except OSError:
                pass
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt


interrupts = Interrupts()
"""The handler of the command that runs."""


def begin_work() -> None:
    """Have an interrupt end the command in order from here on, not at once.

    Every subcommand calls it when it has loaded what it needs, before anything that must be put
    right: see :attr:`Interrupts.starting`.
    """
    interrupts.starting = False
