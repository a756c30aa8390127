"""What every subcommand checks of its parameters before it runs.

Numbers are plain digits, texts are not empty, and no file is written that is also read.
"""

import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from spiker_hdl.base.messages import shortened

__all__ = ["checked", "number_of", "text_of"]

DIGITS = r"[+-]?[0-9]{1,20}"
FLOATING_POINT = r"[+-]?([0-9]{1,20}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?"

WRITTEN = ("output", "json", "picture", "saif")
"""Parameters that name what is written."""


def checked(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Return a command whose numbers and texts are checked, and whose files are kept apart.

    What it returns is the exit code.
    """
    hints = get_type_hints(command, include_extras=True)
    hints.pop("return", None)
    for hint in hints.values():
        _set_parser(hint)

    @wraps(command)
    def run(**arguments: Any) -> int | None:
        files: dict[str, list[Any]] = {}
        for name, value in arguments.items():
            option = _option_of(name, hints[name])
            values = value if isinstance(value, list) else [value]
            files[option] = [path for path in values if isinstance(path, str | Path)]
            if name not in WRITTEN:
                _check_read(option, values)
        for name in WRITTEN:
            if arguments.get(name) is not None:
                _check_written(_option_of(name, hints[name]), arguments[name], files)
        return command(**arguments)

    return run


# -- files ---------------------------------------------------------------------------------------


def _check_read(option: str, values: list[Any]) -> None:
    """Refuse what would be waited for, or be read for ever."""
    for path in values:
        if isinstance(path, Path) and path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError(
                f"{option} must be a file or a directory, not the device or pipe {path}"
            )


def _check_written(option: str, path: Path, files: dict[str, list[Any]]) -> None:
    """Refuse a file that another parameter also names, or that is in another one's directory."""
    if str(path) == "-":
        if option != "--json":
            raise ValueError(
                f"{option} must be a file or a directory, not -: only --json takes -, which is "
                "standard output"
            )
        return
    for other, others in files.items():
        if other == option:
            continue
        if any(_same(path, value) for value in others):
            raise ValueError(f"{option} must be another file than that of {other}, not {path}")
        if other == "--output" and any(_inside(path, value) for value in others):
            raise ValueError(
                f"{option} must be outside the directory that --output writes as a whole, not "
                f"{path}"
            )


def _same(path: Path, other: str | Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _inside(path: Path, directory: str | Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def _option_of(name: str, hint: Any) -> str:
    """Return what users call a parameter: its option, or the name of the argument in the help."""
    information = hint.__metadata__[0]
    if isinstance(information, typer.models.ArgumentInfo):
        return (information.metavar or name).strip("[]")
    declarations = getattr(information, "param_decls", None) or ()
    options = [declaration for declaration in declarations if declaration.startswith("--")]
    return options[0] if options else f"--{name.replace('_', '-')}"


# -- numbers and texts ---------------------------------------------------------------------------


def _set_parser(hint: Any) -> None:
    """Have Typer read a parameter by :func:`number_of` or :func:`text_of`."""
    if get_origin(hint) is not Annotated:
        return
    kind, information = get_args(hint)[:2]
    kinds = {kind, *get_args(kind), *(inner for part in get_args(kind) for inner in get_args(part))}
    for number in (int, float):
        if number in kinds:
            information.parser = number_of(number, information.min, information.max)
    for text in (str, Path):
        if text in kinds:
            information.parser = text_of(text)


def number_of(kind: type, least: float | None, most: float | None) -> Callable[[Any], Any]:
    """Return what reads an ``int`` or a ``float`` of an option, within its limits.

    What Python takes beside digits (``1_000``, digits of other scripts, ``nan``) is more often a
    mistake than meant.
    """
    form, title = (DIGITS, "an integer") if kind is int else (FLOATING_POINT, "a finite number")

    def read(text: Any) -> Any:
        if not isinstance(text, str):
            return text  # a default
        value = kind(text) if re.fullmatch(form, text, re.ASCII) else None
        if value is None or value in {float("inf"), float("-inf")}:
            raise typer.BadParameter(f"it must be {title}, not {shortened(text, 40)!r}")
        if least is not None and value < least:
            raise typer.BadParameter(f"it must be at least {least}, not {text}")
        if most is not None and value > most:
            raise typer.BadParameter(f"it must be at most {most}, not {text}")
        return value

    read.__name__ = kind.__name__  # which help shows
    return read


def text_of(kind: type) -> Callable[[Any], Any]:
    """Return what reads a ``str`` or a ``Path``, and refuses an empty one, as ``"$UNSET"`` is.

    A path that is empty would be the directory in which this runs.
    """

    def read(text: Any) -> Any:
        if text == "":
            raise typer.BadParameter("it must not be empty")
        return kind(text) if isinstance(text, str) else text

    read.__name__ = kind.__name__.lower()
    return read
