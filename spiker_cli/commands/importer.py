"""`spiker import`: a model of another program as a network of real numbers."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from spiker_cli.support.files import check_output, way_of
from spiker_cli.support.process import interrupts
from spiker_cli.support.terminal import say, write
from spiker_hdl.base import FileError, read_bytes, reader, shown, strict_json
from spiker_hdl.base.checks import check_choice
from spiker_hdl.base.kinds import kind_of
from spiker_hdl.model.graph import READOUTS
from spiker_hdl.model.neurons.library import RESET_TIMINGS

__all__ = ["importer"]

MODULE = "MODULE:OBJECT"
KINDS = {"nir": "a NIR file", "json": "a configuration of Spiker", "module": MODULE}
OF = {
    "dt": ("nir",),
    "rule": ("nir",),
    "writer": ("nir",),
    "reset": ("nir",),
    "reset_timing": ("nir",),
    "fire": ("nir",),
    "state": ("module", "json"),
    "shape": ("module",),
    "groups": ("module",),
    "unrolled": ("nir", "module"),
    "values": ("nir", "module"),
}
"""By parameter of the importers, for what sources it is."""

CALLED = {"reset_timing": "--reset-timing", "values": "--levels"}
"""Options that have another name than the parameter."""


def importer(
    source: str,
    output: Path,
    dt: float | None,
    rule: str | None,
    writer: str,
    reset: str | None,
    reset_timing: str | None,
    fire: str | None,
    state: Path | None,
    readout: str | None,
    groups: int | None,
    levels: int,
    shape: str | None,
    unrolled: int | None,
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
    kind = _kind(source)
    options = _options(
        source,
        kind,
        dt=dt,
        rule=rule,
        writer=None if writer == "nir" else writer,
        reset=reset,
        reset_timing=_reset_timing(reset_timing),
        fire=_fire(fire),
        state=state,
        shape=shape,
        groups=groups,
        unrolled=unrolled,
        values=None if levels == 2 else (0, levels - 1),
    )
    if readout is not None:
        if kind != "json":
            check_choice("Readout", readout, READOUTS)
        options["readout"] = readout
    from spiker_train import ImplausibleWarning, save_real  # which load torch

    with _one_line(source), catch_warnings():
        simplefilter("ignore", ImplausibleWarning)  # the report says the same
        net = READERS[kind](source, **options)
    save_real(net, output)
    for line in _told(net.import_report):
        write(line)
    found = [output, "-o", output.with_suffix(".spiker"), *_widths(net.import_report)]
    say(f"Wrote {output}; next: spiker quantize {shlex.join(map(str, found))}")
    return 0


def _kind(source: str) -> str:
    """Return which of the readers is that of a source."""
    path = Path(source)
    if not path.is_file():
        if ":" in source:
            return "module"
        where = f"{source}, which is " + ("a directory" if path.is_dir() else "not there")
        raise ValueError(f"Source must be a NIR file, {MODULE} or a .json file, not {where}")
    if source.endswith(".json"):
        return "json"
    found = kind_of(path)
    if found == "json":
        return "json"
    if path.suffix == ".py":
        raise ValueError(
            f"Source must name what in {source} is the model: {path.stem}:NAME, in its directory"
        )
    other = "" if found == "hdf5" else way_of(path, "hdf5")
    if other:
        raise ValueError(
            f"Source must be a NIR file, {MODULE} or a .json file, not {source}: {other}"
        )
    return "nir"


def _options(source: str, kind: str, **given: Any) -> dict[str, Any]:
    """Return what is given; raise :exc:`ValueError` where something is not for such a source."""
    found = {name: value for name, value in given.items() if value is not None}
    for name in found:
        if kind not in OF[name]:
            wanted = " or ".join(KINDS[one] for one in OF[name])
            raise ValueError(
                f"{CALLED.get(name, f'--{name}')} must be for {wanted}, not for {source}"
            )
    return found


def _reset_timing(timing: str | None) -> str | None:
    return None if timing is None else check_choice("Reset timing", timing, RESET_TIMINGS)


def _fire(fire: str | None) -> str | None:
    if fire is None:
        return None
    words = {"above": ">", "reached": ">="}
    check_choice("Fire", fire, (*words, *words.values()))
    return words.get(fire, fire)


def _told(report: Any) -> list[str]:
    """Return all lines of a report: also what its text leaves out."""
    lines = str(report).splitlines()
    for what in ("unrolled", "notes", "warnings"):
        found = getattr(report, what, ())
        lines += [f"{what}: {one}" for one in found if not any(str(one) in x for x in lines)]
    return lines


def _widths(report: Any) -> list[Any]:
    """Return options for the first bit widths of Spiker, of which scales are fitted anew."""
    found = getattr(report, "quantizations", ())
    if not found:
        return []
    one = found[0]
    return ["--weights", one.weights, "--potentials", one.potentials, "--decay", one.decay]


def _nir(source: str, **options: Any) -> Any:
    from spiker_train import from_nir

    return from_nir(source, name=Path(source).stem, **options)


def _spiker(source: str, state: Path | None = None, **options: Any) -> Any:
    from spiker_train import from_spiker

    if not Path(source).is_file():
        raise ValueError(f"Source must be a file that is there, not {source}")
    given, options["optim_config"] = _configuration(source)
    return from_spiker(given, state, name=Path(source).stem, **options)


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


def _module(
    source: str, shape: str | None = None, state: Path | None = None, **options: Any
) -> Any:
    import torch

    from spiker_train import from_snntorch, load_state

    module, _, name = source.partition(":")
    if not module or module.startswith(".") or not name:
        raise ValueError(f"Source must be {MODULE}, such as my_model:net, not {source!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if state is not None:
            found = load_state(found, state)
        elif not isinstance(found, torch.nn.Module) and callable(found):
            found = found()
    finally:
        sys.path.pop(0)
    if shape is not None:
        axes = shape.split("x")
        if not all(one.isdecimal() and 0 < int(one) < 2**24 for one in axes):
            raise ValueError(f"Shape must be sizes such as 25x1x784, not {shape!r}")
        options["example"] = torch.zeros(*map(int, axes))
    return from_snntorch(found, name=name.rpartition(".")[2], **options)


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
    except BaseException as error:
        if interrupts.seen or isinstance(error, MemoryError):
            raise
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ValueError(f"{source} must be a model to read, and raises {said}") from error


READERS = {"nir": _nir, "json": _spiker, "module": _module}
