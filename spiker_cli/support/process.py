"""What the command has of its process: standard streams that may be closed or full, and Ctrl-C."""

import errno
import io
import os
import signal
import sys
from types import FrameType
from typing import Any, Self

__all__ = ["CUT", "INTERRUPTED", "STOPPED", "Streams", "interrupts"]

CUT = 141
"""Exit code where the reader of standard output has left, as of a program that SIGPIPE ends."""

INTERRUPTED = 130
STOPPED = "interrupted"


class _Output(io.TextIOWrapper):
    """Standard output, which keeps the first error in mind: others hide it, or end the program."""

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
    """Standard error: what nobody can be told is dropped, and the work goes on."""

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
        # Else the next file that is opened were a standard stream.
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
        """Write what is left; return the exit code, and what went wrong.

        Parameters
        ----------
        code : int
            That of the command, if all its output arrives.
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
    """Let a stream end nowhere, so that what it still holds is no error at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


class Interrupts:
    """Ctrl-C, from when it is entered to when it is left.

    Attributes
    ----------
    seen : bool
        Whether there was one: whatever error ends the command then, it comes from that.
    starting : bool
        Whether nothing has begun that must be put right: the process then ends at once. What is
        interrupted as it loads may make any error of it, or none.
    """

    def __init__(self) -> None:
        self.seen = False
        self.starting = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self.seen = self.starting = False
        # Else it is ignored, as what runs in the background does, or is for others to handle.
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
        """Let what follows be ended by an interrupt without a word: Python has only to end."""
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
"""Those of the command that runs."""
