"""Kernels run over samples and steps, on the threads that PyTorch uses."""

import ctypes
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import torch

from .compiler import compile_kernel
from .gradients import Structure
from .source import FIXED, Source, write

__all__ = ["NeuronKernel", "kernel_of", "part_count", "spread", "strided"]

REALS = {torch.float32: "float", torch.float64: "double"}
"""Formats of numbers in kernels."""

Strided = tuple[torch.Tensor, int, int]
"""A tensor with its strides over samples and steps; neurons lie side by side."""

_WORK = 2**15
"""Neuron updates below which a second thread costs more than it saves."""


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    # A process that was forked has none of its parent's threads.
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")


def spread(samples: int, work: int, call: Callable[[int, int, int], None]) -> int:
    """Call a function for parts of the samples, each on a thread of its own.

    Parameters
    ----------
    samples : int
    work : int
        Neuron updates of all samples.
    call : callable
        Takes the first sample, the one after the last, and the number of the thread.

    Returns
    -------
    threads : int
        Number of parts, which depends on the sizes and on PyTorch's number of threads alone.
    """
    threads = part_count(samples, work)
    if threads == 1:
        call(0, samples, 0)
        return 1
    ends = [samples * n // threads for n in range(threads + 1)]
    jobs = [
        _pool(threads, os.getpid()).submit(call, first, last, n)
        for n, (first, last) in enumerate(pairwise(ends))
    ]
    for job in jobs:
        job.result()
    return threads


def part_count(samples: int, work: int) -> int:
    """Return the number of parts into which :func:`spread` divides the samples."""
    return max(1, min(torch.get_num_threads(), samples, work // _WORK))


def strided(x: torch.Tensor) -> Strided:
    """Return a tensor of shape (samples, steps, neurons) with its strides, copied if need be."""
    if x.stride(2) != 1 and x.shape[2] > 1:
        x = x.contiguous()
    return x, x.stride(0), x.stride(1)


class NeuronKernel:
    """The compiled step of a neuron.

    Parameters
    ----------
    structure : Structure
    dtype : torch.dtype
        Format of all its numbers.

    Raises
    ------
    BuildError
        If it cannot be compiled.
    """

    def __init__(self, structure: Structure, dtype: torch.dtype):
        self.structure = structure
        self.dtype = dtype
        self.source: Source = write(structure, REALS[dtype])
        library = compile_kernel(self.source.text)
        self.functions = {name: getattr(library, name) for name in ("run", "record", "back")}
        for function in self.functions.values():
            function.restype = None
            function.argtypes = [ctypes.c_void_p] * 3
        self.real = ctypes.c_float if dtype == torch.float32 else ctypes.c_double

    def numbers(self, width: float, constants: list[float]) -> Any:
        """Return the numbers that a function takes: the surrogate's width, and the constants."""
        return (self.real * (1 + len(constants)))(width, *constants)

    def bind(
        self,
        name: str,
        arrays: Mapping[str, Strided | None],
        numbers: Any,
        shape: tuple[int, int, int],
        parts: Mapping[str, list[Strided]] | None = None,
    ) -> Callable[[int, int], None]:
        """Return a function that runs steps, given the first one and the one after the last.

        Parameters
        ----------
        name : {"run", "record", "back"}
        arrays : mapping of str to (tensor, int, int)
            Arrays by the names of :class:`~.source.Source`; those that are missing are null.
        numbers : array of ctypes
        shape : (int, int, int)
            Samples, steps and neurons.
        parts : mapping of str to list of such arrays, optional
            Arrays of which each thread has its own.
        """
        names = self.source.backward if name == "back" else self.source.forward
        samples, count, size = shape
        own: list[tuple[Any, Any]] = []
        for thread in range(part_count(samples, samples * count * size)):
            chosen = dict(arrays)
            chosen |= {array: entries[thread] for array, entries in (parts or {}).items()}
            pointers, strides = [], []
            for array in names:
                x, *apart = chosen.get(array) or (None, 0, 0)
                pointers.append(None if x is None else x.data_ptr())
                strides += apart
            own.append((
                (ctypes.c_void_p * len(names))(*pointers),
                (ctypes.c_longlong * (len(FIXED) + len(strides)))(
                    0, 0, 0, 0, count, size, *strides
                ),
            ))
        function = self.functions[name]

        # The arrays live as long as the function, which has their addresses.
        def run(begin: int, end: int, _arrays: Any = (arrays, parts)) -> None:
            def call(first: int, last: int, thread: int) -> None:
                pointers, layout = own[thread]
                layout[:4] = first, last, begin, end
                function(pointers, layout, numbers)

            spread(samples, samples * (end - begin) * size, call)

        return run


_kernels: dict[tuple[Structure, torch.dtype], NeuronKernel] = {}


def kernel_of(structure: Structure, dtype: torch.dtype) -> NeuronKernel:
    """Return the kernel of a structure, which is compiled once."""
    key = structure, dtype
    if key not in _kernels:
        _kernels[key] = NeuronKernel(structure, dtype)
    return _kernels[key]
