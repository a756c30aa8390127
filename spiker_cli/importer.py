"""`spiker import`: a model of another program as a network of real numbers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from spiker_hdl.base import FileError, read_bytes, reader, shown, strict_json
from spiker_hdl.base.kinds import KINDS, kind_of

from .files import check_output
from .terminal import say, write

__all__ = ["importer"]

MODULE = "MODULE:OBJECT"


def importer(
    source: str,
    output: Path,
    dt: float | None,
    rule: str | None,
    writer: str,
    state: Path | None,
    readout: str | None,
    groups: int | None,
    levels: int,
    shape: str | None,
) -> int:
    """Read a model, save it, say what became of it, and return the exit code."""
    check_output(output, "Output")
    if output.suffix == ".spiker":
        raise ValueError(
            "Output must be a file of real numbers, such as net.safetensors; `spiker quantize` "
            f"makes {output.name} of that"
        )
    if output.suffix != ".safetensors":
        raise ValueError(f"Output must be a .safetensors file, not {output.name}")
    if not 2 <= levels <= 2**16:
        raise ValueError(f"Levels of input values must be 2 to 65536, not {levels}")
    read, options = _reader(source, state, dt, rule, writer, groups, shape)
    if readout is not None:
        options["readout"] = readout
    if read is not _spiker:
        options["values"] = (0, levels - 1)
    elif levels != 2:
        raise ValueError("Levels of input values must not be given with a configuration of Spiker")
    with _one_line(source):
        net, report = read(source, **options)
    from spiker_train import save_real  # torch is loaded by now

    save_real(net, output)
    for line in str(report).splitlines():
        write(line)
    found = [output, "-o", output.with_suffix(".spiker"), *_widths(report)]
    say(f"Wrote {output}; next: spiker quantize {' '.join(map(str, found))}")
    return 0


def _reader(
    source: str,
    state: Path | None,
    dt: float | None,
    rule: str | None,
    writer: str,
    groups: int | None,
    shape: str | None,
) -> tuple[Any, dict[str, Any]]:
    kind = "json" if source.endswith(".json") else "nir" if ":" not in source else "module"
    given = {
        "--dt": (dt is not None, "nir"),
        "--rule": (rule is not None, "nir"),
        "--writer": (writer != "nir", "nir"),
        "--state": (state is not None, "json"),
        "--groups": (groups is not None, "module"),
        "--shape": (shape is not None, "module"),
    }
    of = {"nir": "a NIR file", "json": "a configuration of Spiker", "module": MODULE}
    for option, (there, wanted) in given.items():
        if there and kind != wanted:
            raise ValueError(f"{option} must be for {of[wanted]}, not for {source}")
    if kind == "json":
        return _spiker, {"state": state}
    if kind == "nir":
        if not Path(source).is_file():
            raise ValueError(f"Source must be a NIR file, {MODULE} or a .json file, not {source!r}")
        found = kind_of(source)
        if found not in {"hdf5", ""}:
            raise FileError(
                f"must be a NIR file, in HDF5, to be imported alone, not {KINDS[found]}", source
            )
        return _nir, {"dt": dt, "rule": rule, "writer": writer}
    return _module, {"shape": shape, "groups": groups}


def _widths(report: Any) -> list[Any]:
    """Return options for the first bit widths of Spiker, of which scales are fitted anew."""
    found = getattr(report, "quantizations", ())
    if not found:
        return []
    one = found[0]
    return ["--weights", one.weights, "--potentials", one.potentials, "--decay", one.decay]


def _nir(source: str, **options: Any) -> tuple[Any, Any]:
    from spiker_train import from_nir_with_report

    return from_nir_with_report(source, name=Path(source).stem, **options)


def _spiker(source: str, state: Path | None, **options: Any) -> tuple[Any, Any]:
    from spiker_train import from_spiker_with_report

    if not Path(source).is_file():
        raise ValueError(f"Source must be a file that is there, not {source}")
    given, options["optim_config"] = _configuration(source)
    return from_spiker_with_report(given, state, name=Path(source).stem, **options)


@reader("a configuration of Spiker, in JSON", "json")
def _configuration(source: str) -> tuple[dict[str, Any], Any]:
    """Return the ``net_dict`` that a file is or holds, and the ``optim_config`` beside it."""
    given = strict_json.parse_object(read_bytes(source))
    if "net_dict" not in given:
        return given, None
    unknown = sorted(set(given) - {"net_dict", "optim_config"})
    if unknown:
        raise FileError(f"must have net_dict and optim_config, not {shown(unknown)}")
    return given["net_dict"], given.get("optim_config")


def _module(source: str, shape: str | None, **options: Any) -> tuple[Any, Any]:
    import torch

    from spiker_train import from_snntorch_with_report

    module, _, name = source.partition(":")
    if not module or module.startswith(".") or not name:
        raise ValueError(f"Source must be {MODULE}, such as my_model:net, not {source!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, torch.nn.Module) and callable(found):
            found = found()
    finally:
        sys.path.pop(0)
    if shape is not None:
        axes = shape.split("x")
        if not all(one.isdecimal() and 0 < int(one) < 2**24 for one in axes):
            raise ValueError(f"Shape must be sizes such as 25x1x784, not {shape!r}")
        options["example"] = torch.zeros(*map(int, axes))
    return from_snntorch_with_report(found, name=name.rpartition(".")[2], **options)


@contextmanager
def _one_line(source: str) -> Iterator[None]:
    # What others wrote may raise anything; ValueError is what the command says in one line.
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
    except Exception as error:
        raise ValueError(f"{source} must be a model to read: {error}") from error
