"""Readers of what `spiker import` takes: NIR files, snnTorch modules, Spiker's configurations."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiker_hdl.base import FileError, read_bytes, reader, shown, strict_json
from spiker_hdl.base.files.kinds import kind_of

from .files import way_of
from .process import interrupts

if TYPE_CHECKING:
    from spiker_train import SpikingNetwork

__all__ = ["MODULE", "READERS", "check_for", "errors_of_models", "kind_of_source"]

MODULE = "MODULE:OBJECT"
KINDS = {"nir": "a NIR file", "json": "a configuration of Spiker", "module": MODULE}
OPTIONS = {
    "--dt": ("nir",),
    "--rule": ("nir",),
    "--writer": ("nir",),
    "--reset": ("nir",),
    "--reset-timing": ("nir",),
    "--fire": ("nir",),
    "--state": ("module", "json"),
    "--shape": ("module",),
    "--groups": ("module",),
    "--unrolled": ("nir", "module"),
    "--levels": ("nir", "module"),
}
"""For which kinds of source an option is."""


def kind_of_source(source: str) -> str:
    """Return which of :data:`READERS` reads a source.

    Raises
    ------
    ValueError
        If there is none.
    """
    path = Path(source)
    if not path.is_file():
        if ":" in source:
            return "module"
        where = f"{source}, which is " + ("a directory" if path.is_dir() else "not there")
        raise ValueError(f"Source must be a NIR file, {MODULE} or a .json file, not {where}")
    kind = kind_of(path)
    if source.endswith(".json") or kind == "json":
        return "json"
    if path.suffix == ".py":
        raise ValueError(
            f"Source must name what in {source} is the model: {path.stem}:NAME, in its directory"
        )
    other = "" if kind == "hdf5" else way_of(path, "hdf5")
    if other:
        raise ValueError(
            f"Source must be a NIR file, {MODULE} or a .json file, not {source}: {other}"
        )
    return "nir"


def check_for(kind: str, source: str, options: dict[str, Any]) -> None:
    """Raise :exc:`ValueError` where an option is given that is not for such a source."""
    for option, value in options.items():
        if value is not None and kind not in OPTIONS[option]:
            kinds = " or ".join(KINDS[name] for name in OPTIONS[option])
            raise ValueError(f"{option} must be for {kinds}, not for {source}")


@contextmanager
def errors_of_models(source: str) -> Iterator[None]:
    """Turn whatever other people's modules raise into a :exc:`ValueError`, which is one line."""
    try:
        yield
    except (ValueError, OSError):
        raise
    except ModuleNotFoundError as error:
        if error.name and source.partition(":")[0].split(".")[0] == error.name.split(".")[0]:
            raise ValueError(
                f"{MODULE} must name a module that Python finds from here, not {source!r}"
            ) from None
        raise
    except BaseException as error:
        if interrupts.seen or isinstance(error, MemoryError):
            raise
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ValueError(f"{source} must be a model to read, and raises {text}") from error


def _read_nir(source: str, **options: Any) -> "SpikingNetwork":
    from spiker_train import from_nir

    return from_nir(source, name=Path(source).stem, **options)


def _read_spiker(source: str, state: Path | None = None, **options: Any) -> "SpikingNetwork":
    from spiker_train import from_spiker

    if not Path(source).is_file():
        raise ValueError(f"Source must be a file that is there, not {source}")
    net_dict, options["optim_config"] = _read_configuration(source)
    return from_spiker(net_dict, state, name=Path(source).stem, **options)


@reader("a configuration of Spiker, in JSON", "json")
def _read_configuration(source: str) -> tuple[dict[str, Any], Any]:
    """Return the ``net_dict`` that a file is or holds, and the ``optim_config`` beside it."""
    text = strict_json.parse_object(read_bytes(source))
    if "net_dict" not in text:
        return text, None
    unknown = sorted(set(text) - {"net_dict", "optim_config"})
    if unknown:
        raise FileError(f"must have net_dict and optim_config, not {shown(unknown)}")
    return text["net_dict"], text.get("optim_config")


def _read_module(
    source: str, shape: str | None = None, state: Path | None = None, **options: Any
) -> "SpikingNetwork":
    import torch

    from spiker_train import from_snntorch, load_state

    module, _, name = source.partition(":")
    if not module or module.startswith(".") or not name:
        raise ValueError(f"Source must be {MODULE}, such as my_model:net, not {source!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        model: Any = import_module(module)
        for part in name.split("."):
            model = getattr(model, part)
        if state is not None:
            model = load_state(model, state)
        elif not isinstance(model, torch.nn.Module) and callable(model):
            model = model()
    finally:
        sys.path.pop(0)
    if shape is not None:
        axes = shape.split("x")
        if not all(axis.isdecimal() and 0 < int(axis) < 2**24 for axis in axes):
            raise ValueError(f"Shape must be sizes such as 25x1x784, not {shape!r}")
        options["example"] = torch.zeros(*map(int, axes))
    return from_snntorch(model, name=name.rpartition(".")[2], **options)


READERS = {"nir": _read_nir, "json": _read_spiker, "module": _read_module}
"""Readers by the kind of a source."""
