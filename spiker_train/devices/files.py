"""Files of devices and of arrays of devices, in JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from math import inf
from pathlib import Path
from typing import Any

from spiker_hdl.base import FileError, reader, shown, strict_json
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.base.files.reading import read_bytes

from .arrays import DifferentialPair, ReferenceColumn
from .curves import Logarithm, Polynomial, Power, Table
from .device import Device
from .drift import Arrhenius, PowerLawDrift, TabulatedDrift
from .faults import Faults
from .levels import MeasuredLevels, UniformLevels
from .noise import FlickerNoise, GaussianNoise, Spread
from .pulses import PulseUpdate
from .wires import WireResistance

__all__ = ["DEVICE_FORMAT", "load_devices", "save_devices"]

DEVICE_FORMAT = "spiker-devices"
VERSION = 1
MOST_BYTES = 2**26

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Arrhenius,
        Device,
        DifferentialPair,
        Faults,
        FlickerNoise,
        GaussianNoise,
        Logarithm,
        MeasuredLevels,
        Polynomial,
        Power,
        PowerLawDrift,
        PulseUpdate,
        ReferenceColumn,
        Spread,
        Table,
        TabulatedDrift,
        UniformLevels,
        WireResistance,
    )
}
"""Devices, arrays, and the stages of devices, by name."""


def save_devices(devices: Any, path: str | Path, *, seed: int | None = None) -> None:
    """Write devices to a JSON file, whole or not at all.

    Parameters
    ----------
    devices : Device, array of devices, or mapping of str to such
        As :class:`~spiker_train.MonteCarlo` takes them, by name of the connection.
    path : str or Path
    seed : int, optional
        Seed of the draws, which is kept beside them.

    Raises
    ------
    TypeError
        If a stage is no dataclass, such as a function in the place of a curve.
    OSError
        If the file cannot be written.
    """
    content: dict[str, Any] = {DEVICE_FORMAT: VERSION, "seed": seed}
    if isinstance(devices, Mapping):
        content["devices"] = {
            name: _frozen(f"Devices of {name!r}", device) for name, device in devices.items()
        }
    else:
        content["device"] = _frozen("Device", devices)
    with write_whole(path) as file:
        file.write((json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def _frozen(what: str, value: Any) -> Any:
    """Return a device or a value in it as JSON holds it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"infinite": 1 if value > 0 else -1} if abs(value) == inf else value
    if isinstance(value, tuple | list):
        return [_frozen(f"{what} {n}", entry) for n, entry in enumerate(value)]
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{what} must be a dataclass or a number to be saved, not {shown(value)}")
    name = type(value).__name__
    values = {
        declared.name: _frozen(f"{name} {declared.name}", getattr(value, declared.name))
        for declared in fields(value)
        if declared.init
    }
    return {"kind": name, "values": values}


def load_devices(path: str | Path, *, kinds: Iterable[type] = ()) -> tuple[Any, int | None]:
    """Read devices, and the seed beside them.

    Parameters
    ----------
    path : str or Path
    kinds : iterable of type
        Classes of your own that the file may name, since reading never imports modules.

    Returns
    -------
    devices : Device, array of devices, or dict of str to such
    seed : int or None

    Raises
    ------
    FileError
        If the file is of another kind, or not whole, or has a number that a device refuses.
    OSError
        If it cannot be read.
    """
    return _read(path, {**KINDS, **{kind.__name__: kind for kind in kinds}})


@reader("a file of devices in JSON", "json")
def _read(path: str | Path, kinds: dict[str, type]) -> tuple[Any, int | None]:
    content = strict_json.parse_object(read_bytes(path, MOST_BYTES), MOST_BYTES)
    version = content.get(DEVICE_FORMAT)
    if type(version) is not int or version != VERSION:
        raise FileError(f"must be {DEVICE_FORMAT!r} of version {VERSION}, not {shown(version)}")
    seed = content["seed"]
    if seed is not None and (type(seed) is not int or seed < 0):
        raise FileError(f"seed must be a whole number of at least 0, not {shown(seed)}")
    if "device" in content:
        return _device(content["device"], kinds), seed
    devices = content["devices"]
    return {name: _device(device, kinds) for name, device in devices.items()}, seed


def _device(text: Any, kinds: dict[str, type]) -> Any:
    device = _thawed(text, kinds)
    if not hasattr(device, "program"):
        raise FileError(f"must be of devices, not of {shown(device)}")
    return device


def _thawed(value: Any, kinds: dict[str, type]) -> Any:
    """Return the value that :func:`_frozen` wrote."""
    if isinstance(value, list):
        return tuple(_thawed(entry, kinds) for entry in value)
    if not isinstance(value, dict):
        return value
    if "infinite" in value:
        return inf if value["infinite"] == 1 else -inf
    if value["kind"] not in kinds:
        raise FileError(
            f"must name kinds of {sorted(kinds)}, not {shown(value['kind'])}; hand the classes of "
            "your own to load_devices(path, kinds=[...])"
        )
    values = {name: _thawed(entry, kinds) for name, entry in value["values"].items()}
    return kinds[value["kind"]](**values)
