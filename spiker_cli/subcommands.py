"""The subcommands, in the order in which help lists them. Each loads what it needs as it runs."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.main import get_command

from spiker_cli.support.app import app
from spiker_cli.support.values import number_of, text_of

from . import hardware, measures, networks

__all__ = ["COMMANDS", "GROUP"]

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

WRITTEN = ("output", "json", "picture", "saif")
"""Parameters that name what is written."""


def _checked(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes plain numbers alone, and no files that stand in for others."""
    declared = get_type_hints(command, include_extras=True)
    for one in declared.values():
        _read(one)

    @wraps(command)
    def checked(**given: Any) -> None:
        files: dict[str, list[Any]] = {}
        for name, value in given.items():
            called = _called(name, declared[name])
            values = value if isinstance(value, list) else [value]
            files[called] = [one for one in values if isinstance(one, str | Path)]
            if name not in WRITTEN:
                _check_read(called, values)
        for name in WRITTEN:
            if given.get(name) is not None:
                _check(_called(name, declared[name]), given[name], files)
        command(**given)

    return checked


def _read(declared: Any) -> None:
    """Let a parameter be read by what says more of it than the type does."""
    if get_origin(declared) is not Annotated:
        return
    kind, said = get_args(declared)[:2]
    kinds = {kind, *get_args(kind), *(inner for one in get_args(kind) for inner in get_args(one))}
    for number in (int, float):
        if number in kinds:
            said.parser = number_of(number, said.min, said.max)
    for text in (str, Path):
        if text in kinds:
            said.parser = text_of(text)


def _check_read(called: str, values: list[Any]) -> None:
    """Refuse what would be waited for, or be read for ever."""
    for path in values:
        if isinstance(path, Path) and path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError(
                f"{called} must be a file or a directory, not the device or pipe {path}"
            )


def _check(written: str, path: Path, files: dict[str, list[Any]]) -> None:
    if str(path) == "-":
        return
    for other, paths in files.items():
        if other != written and any(_same(path, one) for one in paths):
            raise ValueError(f"{written} must be another file than that of {other}, not {path}")


def _same(path: Path, other: str | Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _called(name: str, declared: Any) -> str:
    """Return what users call a parameter."""
    said = declared.__metadata__[0]
    options = [one for one in getattr(said, "param_decls", None) or () if one.startswith("--")]
    if isinstance(said, typer.models.ArgumentInfo):
        return (said.metavar or name).strip("[]")
    return options[0] if options else f"--{name.replace('_', '-')}"


for name, command in COMMANDS.items():
    app.command(name)(_checked(command))

GROUP = get_command(app)
"""What parses arguments, made once."""
