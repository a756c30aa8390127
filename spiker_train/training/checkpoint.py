"""Checkpoints of a training, from which it goes on as if it had not been interrupted.

A file is in the safetensors format, which has arrays and strings and cannot contain code.
"""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as pack_tensors

from spiker_hdl.base import FileError, reader, strict_json
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_train.formats.tensor_files import read_safetensors

from .options import TrainingOptions

__all__ = ["Checkpoint", "fingerprint", "read_checkpoint", "write_checkpoint"]

FORMAT = "spiker-training"
UNTOLD = {"progress", "title"}
"""Options that do not change what is learned."""


@dataclass
class Checkpoint:
    """The state of a training after an epoch.

    Members
    -------
    tensors : dict of str to tensor
        ``net/...``, ``best/...`` and ``optimizer/...``.
    content : dict
        Values that JSON can hold: ``fingerprint``, ``epoch``, ``batches``, ``generator``,
        ``optimizer`` and ``history``.
    """

    tensors: dict[str, torch.Tensor]
    content: dict[str, Any]

    def part(self, name: str) -> dict[str, torch.Tensor]:
        """Return the tensors whose names begin so, without that."""
        start = f"{name}/"
        return {
            key.removeprefix(start): value
            for key, value in self.tensors.items()
            if key.startswith(start)
        }


def fingerprint(options: TrainingOptions, arrays: Any, settings: str) -> str:
    """Return a digest of all that a training starts from.

    Parameters
    ----------
    options : TrainingOptions
    arrays : iterable of array
        Initial weights, samples and labels.
    settings : str
        Whatever else there is.
    """
    total = hashlib.sha256(settings.encode())
    for declared in fields(options):
        if declared.name not in UNTOLD:
            value = getattr(options, declared.name)
            if declared.metadata.get("optional") and not value:
                continue  # it is newer than checkpoints that lack it
            # A function is known by its name alone.
            text = getattr(value, "__qualname__", None) or repr(value).partition(" at 0x")[0]
            total.update(f"{declared.name}={text};".encode())
    for array in arrays:
        plain = np.ascontiguousarray(array)
        total.update(f"{plain.dtype.str}{plain.shape}".encode())
        total.update(plain.data.cast("B") if plain.size else b"")
    return total.hexdigest()


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()
    }
    data = pack_tensors(tensors, metadata={FORMAT: json.dumps(checkpoint.content)})
    with write_whole(path) as file:
        file.write(data)


@reader("a checkpoint of a training", "safetensors")
def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    FileError
        If it is none.
    OSError
        If it cannot be read.
    """
    metadata, tensors = read_safetensors(path)
    if FORMAT not in metadata:
        raise FileError(f"must say of itself {FORMAT!r}, not {sorted(metadata)!r}")
    content = strict_json.parse_object(metadata[FORMAT], 2**26)
    kinds = {
        "fingerprint": str,
        "epoch": int,
        "batches": int,
        "generator": dict,
        "optimizer": dict,
        "history": dict,
    }
    for name, kind in kinds.items():
        if type(content.get(name)) is not kind:
            raise FileError(f"must have {name} of {kind.__name__}, not {content.get(name)!r}")
    return Checkpoint(tensors, content)
