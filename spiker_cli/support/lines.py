"""An error in one line, with nothing in it that controls a terminal."""

from pathlib import Path

from spiker_hdl.base.messages import shortened, visible

__all__ = ["LONGEST", "line"]

LONGEST = 400
"""Most characters of a line that says what went wrong."""

EXTRAS = {
    "aedat": "events",
    "amaranth_boards": "build",
    "h5py": "nir",
    "luna": "build",
    "matplotlib": "plot",
    "nir": "nir",
    "nirtorch": "nir",
    "rich": "cli",
    "safetensors": "train",
    "serial": "host",
    "sklearn": "train",
    "snntorch": "train",
    "torch": "train",
    "typer": "cli",
    "z3": "formal",
}
"""Which of the package's extras installs a module."""

MEANT = (ValueError, OSError, RuntimeError, ImportError)
"""Errors of the library, and of what it calls, whose text is meant for users."""


def line(error: BaseException) -> str:
    """Return the one line that says what an error is."""
    return shortened(visible(" ".join(_text(error).split())), LONGEST)


def _text(error: BaseException) -> str:
    format_message = getattr(error, "format_message", None)  # which Click's errors have
    if callable(format_message):
        return str(format_message())
    if isinstance(error, ModuleNotFoundError) and error.name and " must " not in str(error):
        extra = EXTRAS.get(error.name.partition(".")[0])
        remedy = "" if extra is None else f": pip install 'spiker-hdl[{extra}]'"
        return f"{error.name} must be installed, and is missing{remedy}"
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return f"File: {error.strerror}"
        return f"{Path(_name(error.filename))}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"Memory must be enough for what is asked: {error or 'there is no more'}"
    if isinstance(error, RecursionError):
        return f"What is read must not be nested as deeply: {error}"
    text = str(error)
    if text and (isinstance(error, MEANT) or (isinstance(error, TypeError) and " must " in text)):
        return text
    return f"{type(error).__name__}: {text} (SPIKER_TRACEBACK=1 shows where)"


def _name(name: object) -> str:
    return name.decode(errors="surrogateescape") if isinstance(name, bytes) else str(name)
