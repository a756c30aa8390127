"""A process that reads HDF5 for another one, since what it is given may keep or crash the library.

It imports nothing of this package and is run by its path. A request is a line of JSON with the
path and the limits; the answer is the length of a JSON text, that text, and the bytes of the arrays
that it names.
"""

import json
import signal
import sys

import h5py
import numpy as np

try:
    import resource
except ImportError:  # where there are no such limits
    resource = None

MOST_NODES = 2**16
MOST_DEPTH = 64


class Reading:
    """What one file holds, as it is collected."""

    def __init__(self, most):
        self.left = most
        self.nodes = 0
        self.arrays = []

    def group(self, group, depth=0):
        """Return a group as a tree, its arrays aside."""
        if depth > MOST_DEPTH:
            raise ValueError(f"it has groups in each other deeper than {MOST_DEPTH}")
        tree = {}
        for name in group:
            self.nodes += 1
            if self.nodes > MOST_NODES:
                raise ValueError(f"it has more than {MOST_NODES} nodes")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{group.name!r} leads elsewhere by {name!r}")
            if name == "metadata":
                continue
            part = group[name]
            whole = isinstance(part, h5py.Group)
            tree[name] = {"group": self.group(part, depth + 1)} if whole else self.leaf(part)
        return tree

    def leaf(self, node):
        """Return a data set: text in it, or which array it is."""
        if not isinstance(node, h5py.Dataset):
            raise ValueError(f"{node.name!r} is no array")
        if node.size is None:
            raise ValueError(f"{node.name!r} has no value")
        size = node.size * max(1, node.dtype.itemsize)
        if size > self.left:
            raise ValueError(f"{node.name!r} has {size} bytes, more than the {self.left} left")
        self.left -= size
        if isinstance(h5py.check_vlen_dtype(node.dtype), np.dtype):  # str is of texts
            return self.ragged(node)
        value = node[()]
        if isinstance(value, bytes | str):
            return {"text": plain(value)}
        value = np.asarray(value)
        if value.dtype.kind in "OS":
            return {"texts": [plain(item) for item in value.reshape(-1)], "shape": value.shape}
        if value.dtype.kind not in "biuf":
            raise ValueError(f"{node.name!r} holds {value.dtype}, which are no numbers")
        return self.array(np.ascontiguousarray(value).reshape(value.shape))

    def array(self, value):
        """Put an array aside; return which it is."""
        self.arrays.append(value)
        return {"kind": value.dtype.str, "shape": value.shape, "bytes": value.nbytes}

    def ragged(self, node):
        """Return rows of different lengths as their lengths and one array of all rows."""
        kind = h5py.check_vlen_dtype(node.dtype)
        if kind.kind not in "biuf" or node.ndim != 1:
            raise ValueError(f"{node.name!r} holds rows of {kind}, which are no numbers")
        rows = []
        for row in node:
            self.left -= row.nbytes
            if self.left < 0:
                raise ValueError(f"{node.name!r} has more bytes than may be")
            rows.append(row)
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        flat = np.concatenate(rows) if rows else np.zeros(0, dtype=kind)
        return {"ragged": [self.array(lengths), self.array(flat.astype(kind, copy=False))]}


def plain(value):
    """Return text of a file."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def answer(request):
    """Read a file; return what to say of it, and its arrays."""
    try:
        with h5py.File(request["path"], "r") as file:
            reading = Reading(request["bytes"])
            return {"tree": reading.group(file)}, reading.arrays
    except Exception as error:  # whatever the library finds
        return {"error": str(error) or type(error).__name__}, []


def limit(request):
    """Bound the time and memory of what follows, where the system can."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
    if resource is None or not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + request["memory"], hard))


def main():
    """Answer requests until there are no more."""
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        limit(request)
        response, arrays = answer(request)
        text = json.dumps(response).encode()
        out.write(len(text).to_bytes(8, "little") + text)
        for array in arrays:
            out.write(array.data if array.ndim else array.tobytes())
        out.flush()
        del arrays
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
