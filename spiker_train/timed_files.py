"""Times in seconds and synapse kinds in files, as values that JSON can hold, and arrays."""

from dataclasses import fields
from typing import Any

import numpy as np

from spiker_hdl.base import FileError, shown
from spiker_hdl.model import Decay
from spiker_train.network.synapse_kinds import Summed, SynapseKind
from spiker_train.network.time import Duration, Tau

__all__ = ["frozen_kind", "frozen_time", "thawed_kind", "thawed_time"]


def frozen_time(time: Tau | Duration) -> dict[str, Any]:
    """Return a time as values that JSON can hold, in whole picoseconds."""
    value = time.picoseconds
    text = {"picoseconds": value.tolist() if isinstance(value, np.ndarray) else value}
    return text | ({"method": time.method} if isinstance(time, Tau) else {})


def thawed_time(text: dict[str, Any]) -> Tau | Duration:
    """Return the time that :func:`frozen_time` wrote."""
    # Below 2**53, so that they come out exactly.
    seconds = np.asarray(text["picoseconds"], dtype=np.float64) / 1e12
    seconds = float(seconds) if seconds.ndim == 0 else seconds
    return Tau(seconds, text["method"]) if "method" in text else Duration(seconds)


def frozen_kind(kind: SynapseKind, label: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return a synapse kind as values that JSON can hold; its arrays are added to ``arrays``.

    Parameters
    ----------
    kind : SynapseKind
    label : str
        Beginning of the names of its arrays.
    arrays : dict of str to array
    """
    model = type(kind).__name__
    if isinstance(kind, Summed):
        parts = [frozen_kind(part, f"{label}/{n}", arrays) for n, part in enumerate(kind.kinds)]
        return {"model": model, "kinds": parts, "per_pair": kind.per_pair}
    values: dict[str, Any] = {}
    for declared in fields(kind):
        value = getattr(kind, declared.name)
        if declared.name == "learn":
            values |= {"learn": list(value)} if value else {}
            continue
        if isinstance(value, Tau | Duration):
            value = frozen_time(value)
        elif isinstance(value, Decay):
            value = {"numerator": value.numerator, "bits": value.bits}
        elif np.ndim(value):
            arrays[f"{label}/{declared.name}"] = np.array(value, dtype=np.float64)
            continue
        elif value is not None and type(value) not in {bool, int, float, str}:
            raise TypeError(
                f"{model} {declared.name} must be a number, a time, an array, a string or None to "
                f"be saved, not {shown(value)}"
            )
        values[declared.name] = value
    return {"model": model, "values": values}


def thawed_kind(
    text: dict[str, Any],
    label: str,
    arrays: dict[str, np.ndarray],
    kinds: dict[str, type[SynapseKind]],
) -> SynapseKind:
    """Return the synapse kind that :func:`frozen_kind` wrote; its arrays are taken from ``arrays``.

    Raises
    ------
    FileError
        If the file names a kind that is not in ``kinds``.
    """
    if text["model"] not in kinds:
        raise FileError(
            f"must name synapse kinds of {sorted(kinds)}, not {shown(text['model'])}; hand the "
            "classes of your own to load_floating_point(path, synapse_kinds=[...])"
        )
    if "kinds" in text:
        parts = [
            thawed_kind(part, f"{label}/{n}", arrays, kinds) for n, part in enumerate(text["kinds"])
        ]
        return Summed(*parts, per_pair=text["per_pair"])
    values: dict[str, Any] = {}
    for name, value in text["values"].items():
        if isinstance(value, dict):
            exact = "numerator" in value
            value = _decay(value) if exact else thawed_time(value)
        values[name] = value
    start = f"{label}/"
    for name in [name for name in arrays if name.startswith(start)]:
        values[name.removeprefix(start)] = arrays.pop(name)
    return kinds[text["model"]](**values)


def _decay(text: dict[str, Any]) -> Decay:
    numerator = text["numerator"]
    return Decay(tuple(numerator) if isinstance(numerator, list) else numerator, text["bits"])
