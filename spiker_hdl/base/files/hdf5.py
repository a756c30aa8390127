"""HDF5, read in a process of its own: its library may never return from a damaged file, or crash.

The process is started with the first file and kept; one that takes too long or dies is replaced.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from math import prod
from os import PathLike
from pathlib import Path
from threading import Lock, Timer
from typing import IO, Any, NamedTuple

import numpy as np

from spiker_hdl.base.errors import FileError

__all__ = ["Ragged", "read_hdf5"]

WORKER = Path(__file__).with_name("hdf5_worker.py")
SECONDS = 1.0
"""Of computing for a file of no size; a second for each 10 MB is added."""

_STARTING, _WAITING = 60.0, 10.0
_PER_BYTE = 1e-7
_FLOOR, _RATIO = 2**28, 64


class Ragged(NamedTuple):
    """Rows of different lengths.

    Members
    -------
    lengths : array of int64, shape (rows,)
    flat : array, shape (sum of lengths,)
        All rows, one after the other.
    """

    lengths: np.ndarray
    flat: np.ndarray


class StoppedError(Exception):
    """The process ended before it answered."""


class _Worker:
    """A process that reads HDF5."""

    def __init__(self) -> None:
        self.owner, self.requests = os.getpid(), 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        with self._within(_STARTING):
            ready = self._out.readline() == b"ready\n"
        if not ready:
            self.close()
            raise RuntimeError("A process with h5py must start, and does not")

    def _within(self, seconds: float) -> "_Deadline":
        return _Deadline(seconds, self._process.terminate)

    def ask(self, request: dict[str, Any]) -> Any:
        """Return what a file holds; raise :exc:`StoppedError` where the process ends."""
        self.requests += 1
        # It has its own limit of computing time; this is for when it gets none to compute in.
        with self._within(10 * request["seconds"] + _WAITING):
            try:
                self._in.write(json.dumps(request).encode() + b"\n")
                self._in.flush()
                size = int.from_bytes(_exactly(self._out, 8), "little")
                response = json.loads(_exactly(self._out, size))
                if "error" in response:
                    raise FileError(
                        f"must be a whole file in HDF5, not one where {response['error']}"
                    )
                return self._tree(response["tree"])
            except BrokenPipeError:
                raise StoppedError from None

    def _tree(self, tree: dict[str, Any]) -> dict[str, Any]:
        return {name: self._node(node) for name, node in tree.items()}

    def _node(self, node: dict[str, Any]) -> Any:
        if "group" in node:
            return self._tree(node["group"])
        if "text" in node:
            return node["text"]
        if "ragged" in node:
            lengths, flat = (self._node(part) for part in node["ragged"])
            return Ragged(lengths, flat)
        shape = tuple(node["shape"])
        if "texts" in node:
            return np.array(node["texts"], dtype=object).reshape(shape)
        array = np.empty(prod(shape), node["kind"])
        if array.size:
            _fill(self._out, array.data.cast("B"))
        array = array.reshape(shape)
        return array if shape else array[()]

    @property
    def late(self) -> bool:
        """Whether the process was ended since it took too long."""
        return -self._process.wait() in {getattr(signal, "SIGPROF", 0), signal.SIGTERM}

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for file in (self._in, self._out):
            with suppress(OSError):
                file.close()
        self._process.wait()


class _Deadline:
    """Ends a process that has not answered in time."""

    def __init__(self, seconds: float, end: Any):
        self._timer = Timer(seconds, end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise StoppedError
    return data


def _fill(file: Any, place: memoryview) -> None:
    at = 0
    while at < len(place):
        count = file.readinto(place[at:])
        if not count:
            raise StoppedError
        at += count


class _Pool:
    """The one process of this one, made when it is needed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._worker: _Worker | None = None

    def ask(self, request: dict[str, Any]) -> Any:
        with self._lock:
            while True:
                worker = self._worker
                if worker is None or worker.owner != os.getpid():  # a fork has its own
                    worker = self._worker = _Worker()
                try:
                    return worker.ask(request)
                except FileError:
                    raise
                except BaseException as error:
                    if not isinstance(error, StoppedError):
                        self._close()
                        raise
                    late = worker.late
                    self._close()
                    if worker.requests == 1 or late:
                        raise
                    # What came before may have damaged it: asked again of a new one.

    def _close(self) -> None:
        if self._worker is not None and self._worker.owner == os.getpid():
            self._worker.close()
        self._worker = None

    def close(self) -> None:
        with self._lock:
            self._close()


_pool = _Pool()
atexit.register(_pool.close)


def read_hdf5(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the groups of an HDF5 file as nested dicts, of arrays, :class:`Ragged` and text.

    Metadata of NIR, which may be anything, is left out.

    Raises
    ------
    FileError
        If it is none, or the library finds no end, crashes, or takes too much memory.
    OSError
        If it cannot be read.
    ModuleNotFoundError
        If h5py is not installed.
    """
    if find_spec("h5py") is None:
        raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
    most = max(_FLOOR, _RATIO * size)
    seconds = SECONDS + _PER_BYTE * size
    request = {
        "path": str(Path(path).absolute()),
        "seconds": seconds,
        "bytes": most,
        "memory": 2 * most + 2 * size + 2**28,
    }
    try:
        return _pool.ask(request)
    except StoppedError:
        raise FileError(
            f"must be a file that the HDF5 library reads within {seconds:.1f} s, not one that "
            "stops it"
        ) from None
