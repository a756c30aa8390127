"""Emitted directories to simulate, and the samples of their test benches."""

from pathlib import Path

from spiker_hdl.export import Emission, read_emission
from spiker_hdl.export.read.samples import read_samples

from .mappings import MappingOptions
from .samples import Samples, find_samples

__all__ = ["VECTORS", "find_samples_of", "open_emission"]

VECTORS = "vectors"
"""What ``--data`` calls the samples of a directory's own test bench."""


def open_emission(path: Path, options: MappingOptions) -> Emission:
    """Read an emitted directory.

    Raises
    ------
    ValueError
        If it is none, or was altered, or the options choose a mapping: it has one of its own.
    """
    for option in options.chosen:
        raise ValueError(f"{option} must be for a network file, not for the directory {path}")
    return read_emission(path)


def find_samples_of(
    emission: Emission,
    data: str | None,
    count: int | None,
    encoder: str | None,
    steps: int | None,
) -> Samples:
    """Find samples for an emitted directory: those that its network takes, or its own.

    Raises
    ------
    ValueError
        If there are none, or fewer than ``count``, or they are not what the network takes.
    """
    if data == VECTORS or (data is None and "data" not in emission.network.note):
        return Samples(VECTORS, read_samples(emission), None).first(count)
    return find_samples(emission.network, data, count, encoder, steps)
