"""Files of tensors by name, of PyTorch and of safetensors, read without running code in them."""

import io
import warnings
from collections.abc import Mapping
from os import PathLike
from typing import Any

import torch
from safetensors import safe_open

from spiker_hdl.base import FileError, read_bytes
from spiker_hdl.base.files.arrays import Archive

__all__ = ["read_safetensors", "read_torch"]

TENSORS = (
    "must be a whole file of tensors by name, as torch.save(net.state_dict(), ...) or safetensors "
    "writes it"
)
_SMALL = {torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2}


def read_safetensors(path: str | PathLike[str]) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Return the metadata and the tensors of a safetensors file.

    Floating-point formats of few bits, which NumPy lacks, are converted exactly to single
    precision. It is called within a reader, since a file may cause any exception.
    """
    with open(path, "rb"):  # errors of a missing or unreadable file are clear by themselves
        pass
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata() or {}
    for name, tensor in tensors.items():
        if tensor.dtype in _SMALL:
            tensors[name] = tensor.float()
        elif tensor.dtype.itemsize == 1 and tensor.is_floating_point():
            raise FileError(f"tensor {name!r} must be of numbers, not of {tensor.dtype}")
    return metadata, tensors


def read_torch(path: str | PathLike[str]) -> Any:
    """Return the content of a file of ``torch.save``, if it has tensors and plain values alone.

    It is called within a reader, since a file may cause any exception.
    """
    data = read_bytes(path, 2**34)
    if data[:2] == b"PK":
        with Archive(data, len(data), 1) as archive:  # PyTorch compresses nothing
            if any(name.endswith("/constants.pkl") for name in archive.names):
                raise FileError(f"{TENSORS}, not of code that was compiled")
    try:
        with warnings.catch_warnings(action="ignore"):  # of odd versions
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception:
        # What PyTorch says here advises to load what may run code; of a file that is cut short it
        # says "Invalid argument".
        raise FileError(f"{TENSORS}, not of a module or of other objects") from None
    _check_sizes(content, len(data))
    return content


def _check_sizes(value: Any, size: int) -> None:
    """Refuse tensors that are larger than the file, which are repeated views of few numbers."""
    waiting, seen = [value], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, torch.Tensor):
            if node.layout != torch.strided or node.is_meta or node.is_quantized:
                raise FileError(f"must hold plain tensors, not one of {node.layout}")
            if node.numel() * node.itemsize > size:
                raise FileError(
                    f"must hold tensors of at most {size} bytes together, which it has, not one of "
                    f"the shape {tuple(node.shape)}"
                )
        elif isinstance(node, Mapping):
            waiting += node.values()
        elif isinstance(node, list | tuple | set):
            waiting += node
