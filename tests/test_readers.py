"""Tests of readers: files are read nowhere else, and damaged files are read or refused."""

import ast
import io
import json
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spiker_hdl.base import FileError, reading, shown, strict_json, visible
from spiker_hdl.base.files import hdf5
from spiker_hdl.base.files.arrays import read_npz
from spiker_hdl.base.files.kinds import KINDS, kind_of
from spiker_hdl.model import Input, Network, Population, Projection, Readout, archive, load, save
from spiker_hdl.model.files import parse as contents
from spiker_train import (
    SpikingNetwork,
    from_nir,
    load_floating_point,
    load_state,
    save_floating_point,
)
from spiker_train.data.images import read_idx

from support import reader_targets, readers
from support.places import ROOT
from support.small import make_network

SOURCES = ("spiker_hdl", "spiker_train", "boards", "spiker_cli", "examples")

# -- nothing is read elsewhere -------------------------------------------------------------------

RAW = {
    "read_bytes", "read_text", "fromfile", "loadtxt", "genfromtxt", "memmap", "open_memmap",
    "loads", "ZipFile", "is_zipfile", "GzipFile", "BZ2File", "LZMAFile", "TarFile", "decompress",
    "decompressobj", "safe_open", "load_file", "Unpickler", "File", "load", "reader", "DictReader",
    "parse", "parse_object", "read_npz", "open_archive", "Archive", "gunzip", "read_hdf5", "mmap",
}  # fmt: skip
"""Calls that read or decode a file."""

OF = {
    "load": {"np", "numpy", "torch", "json", "pickle", "nir", "yaml", "tomllib", "marshal"},
    "loads": {"json", "pickle", "yaml", "tomllib", "marshal"},
    "File": {"h5py"},
    "reader": {"csv"},
    "parse": {"strict_json", "ElementTree", "ET"},
    "read_bytes": None,
    "read_text": None,
    "parse_object": {"strict_json"},
    "mmap": {"mmap"},
}
"""Of which modules, for names that mean something else elsewhere; None: as methods alone."""

WRITERS = {"pack", "_archive", "_locked", "_clear_lock"}
"""Functions that use what decodes for what they write, or lock files that they do not read."""

DEVICES = {"protocol_mailbox.py"}
"""Files that map the memory of a device, which is no file."""


def calls(function):
    """Give the names that a function calls, with what stands before the dot."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            yield node.func.id, None, node
        elif isinstance(node.func, ast.Attribute):
            owner = node.func.value
            yield node.func.attr, owner.id if isinstance(owner, ast.Name) else "?", node


def raw(name, owner, node):
    """Tell whether a call reads or decodes a file."""
    if name == "open" or (name == "fdopen" and owner == "os"):
        modes = [*node.args, *(keyword.value for keyword in node.keywords)]
        texts = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
        reads = any(isinstance(text, str) and "r" in text and len(text) < 4 for text in texts)
        writes = any(
            isinstance(text, str) and text[:1] in "wxa" and len(text) < 4 for text in texts
        )
        return owner != "os" and not writes and (reads or owner != "self")
    if name not in RAW:
        return False
    if name in OF:
        expected = OF[name]
        return owner is not None if expected is None else owner in expected
    return True


def guarded(function):
    """Tell whether whatever a function's body raises becomes the error of a file."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "reader":
            return True
    return any(
        isinstance(item.context_expr, ast.Call)
        and getattr(item.context_expr.func, "id", "") == "reading"
        for node in ast.walk(function)
        if isinstance(node, ast.With)
        for item in node.items
    )


def functions(tree, path):
    """Give all functions of a file, and its own body as one."""
    body = ast.Module([statement for statement in tree.body if not _defines(statement)], [])
    body.name, body.decorator_list = f"<{path.name}>", []
    yield body
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _defines(node):
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def unguarded(sources):
    """Return the functions that read a file where its faults become no error of a file."""
    names, callers, reads, safe = {}, {}, set(), set()
    for path, text in sources.items():
        for function in functions(ast.parse(text), path):
            place = f"{path.name}: {function.name}"
            names[place] = function.name
            if guarded(function) or function.name in WRITERS:
                safe.add(place)
            for name, owner, node in calls(function):
                callers.setdefault(name, set()).add(place)
                if raw(name, owner, node):
                    reads.add(place)
    while True:  # what is called from within readers alone is within them
        inside = {
            place
            for place, name in names.items()
            if place not in safe and callers.get(name) and callers[name] - {place} <= safe
        }
        if not inside:
            return sorted(reads - safe)
        safe |= inside


def sources():
    return {
        path: path.read_text()
        for top in SOURCES
        for path in sorted((ROOT / top).rglob("*.py"))
        if (ROOT / "spiker_hdl/base") not in path.parents and path.name not in DEVICES
    }


def test_files_are_read_by_registered_readers_alone():
    assert unguarded(sources()) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f(path):\n    return np.load(path)\n",
        "def f(path):\n    return path.read_bytes()\n",
        "def f(path):\n    with open(path) as file:\n        return file.read()\n",
        "def f(path):\n    with path.open('rb') as file:\n        return json.load(file)\n",
        "def f(path):\n    return torch.load(path, weights_only=True)\n",
        "def g(path):\n    return read_npz(path, 'x')\n\ndef f(path):\n    return g(path)\n",
        "x = json.loads(text)\n",
        "class A:\n    def f(self, path):\n        return zipfile.ZipFile(path)\n",
    ],
    ids=["npy", "bytes", "open", "json", "torch", "through", "module", "method"],
)
def test_read_outside_a_reader_is_detected(text):
    assert len(unguarded({Path("a.py"): text})) == 1


def test_read_within_a_reader_is_allowed():
    inner = "def g(path):\n    return np.load(path)\n\n"
    outer = '@reader("a", "npy")\ndef f(path):\n    return g(path)\n'
    assert unguarded({Path("a.py"): inner + outer}) == []
    assert unguarded({Path("a.py"): inner + outer + "g(1)\n"}) == ["a.py: g"]


# -- damage --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return readers.targets(tmp_path_factory.mktemp("seeds"))


def test_every_reader_has_seeds(targets):
    # An example that was imported meanwhile has readers, too; the packages' are all here.
    own = {name for name in readers.registered() if name.startswith("spiker_")}
    assert {name.partition("+")[0] for name in targets} == own
    assert all(reader.kind in {"", *KINDS} for reader in readers.registered().values())


def test_every_seed_is_read(targets, tmp_path):
    for name, target in targets.items():
        for seed in target.seeds:
            trials = readers.Trials()
            path = readers.written(seed, tmp_path, name)
            assert readers.read(target, path, trials) == "read", name


@pytest.mark.parametrize(
    "count", [660, pytest.param(5000, marks=pytest.mark.slow)], ids=["share", "all"]
)
def test_damaged_files_are_read_or_refused(targets, tmp_path, count):
    trials = readers.fuzz(tmp_path, count, known=targets)
    assert trials.faults == []
    assert trials.count == count
    for name in targets:
        assert trials.outcomes[name, "refused"] > 0, name
    assert sum(n for (_, what), n in trials.outcomes.items() if what == "read") > count / 20


@pytest.mark.parametrize(
    "call, fault",
    [
        (lambda path: {}["x"], "raises KeyError"),
        (lambda path: (_ for _ in ()).throw(RecursionError()), "raises RecursionError"),
        (lambda path: (_ for _ in ()).throw(FileError("must be", "other")), "does not name"),
        (lambda path: np.array([1j]).astype(float), "warns"),
        (lambda path: bytearray(2**27), "takes 13"),
        (lambda path: spend(0.3), "takes 0."),
        (lambda path: spend(9), "takes too long"),
    ],
    ids=["key", "recursion", "another", "warning", "memory", "time", "ever"],
)
def test_harness_detects_violations(call, fault, tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "SECONDS", 0.2)
    monkeypatch.setattr(readers, "BYTES", 2**26)
    target, trials = readers.Target([b"a"], call, (FileError,)), readers.Trials()
    with readers.limited():
        readers.attempt("a", target, 1, tmp_path, trials)
    assert [line.startswith(f"a 1: {fault}") for line in trials.faults] == [True]


def spend(seconds):
    began = time.process_time()
    while time.process_time() < began + seconds:
        pass


# -- bounds --------------------------------------------------------------------------------------


def peak(call):
    """Return the bytes that a call took at most, and what it raised."""
    before = readers.memory(reset=True)
    with pytest.raises(FileError) as caught:
        call()
    return readers.memory() - before, str(caught.value)


def bomb(path, name, size, declared=None):
    """Write an archive whose part has many zeros, and may say that it has few bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(name, "w", force_zip64=True) as file:
            for _ in range(size // 2**20):
                file.write(bytes(2**20))
    if declared is not None:
        data = bytearray(path.read_bytes())
        place = data.index(b"PK\x01\x02") + 24
        end = data.index(size.to_bytes(8, "little"), place) if size >= 2**32 else None
        data[place : place + 4] = declared.to_bytes(4, "little")
        assert end is None
        path.write_bytes(data)


def test_part_is_not_unpacked_beyond_its_declared_size(tmp_path):
    path = tmp_path / "a.spiker"
    bomb(path, "network.json", 2**28, 100)
    assert path.stat().st_size < 2**20
    size, message = peak(lambda: load(path))
    assert size < 2**26
    assert "a.spiker: must be a network file, whole, not one with: Bad CRC-32" in message


def test_part_with_a_large_declared_size_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    bomb(path, "spikes.npy", 2**30)
    size, message = peak(lambda: within(path, lambda: read_npz(path, ["spikes"])))
    assert size < 2**26
    assert "must have parts of at most" in message


def within(path, call):
    with reading(path, "a file"):
        return call()


def test_network_of_many_zeros_is_written_and_read(tmp_path, monkeypatch):
    for module in (archive, contents):
        monkeypatch.setattr(module, "PARTS", (2**12, 2))
    size, neuron = 200, make_network().populations[1].neuron
    network = Network(
        [Input("in", size)],
        [Population("out", size, neuron)],
        [Projection("in", "out", np.zeros((size, size), np.int8), bits=2)],
        [Readout("out", "last")],
    )
    save(network, tmp_path / "a.spiker")
    assert (tmp_path / "a.spiker").stat().st_size > size**2
    assert load(tmp_path / "a.spiker").digest == network.digest


def test_keys_are_compared_in_linear_time():
    text = "{" + ",".join(f'"{n}":0' for n in range(200_000)) + ', "7": 1}'
    began = time.process_time()
    with pytest.raises(FileError, match="must have each key once, not '7' twice"):
        strict_json.parse(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 100_000, "nested too deep"),
        ("[" + "[]," * 2**20 + "0]", "at most 1048576 objects and lists"),
        ("[" + '"a",' * 2**21 + '"a"]', "at most 2097152 strings"),
        ("1" * 5000, "Exceeds the limit"),
        ("1e999", "must have plain numbers, not '1e999'"),
        ('["' + "x" * 70_000 + '"]', "strings of at most 65536 characters, not 70000"),
        ('{"\\ud800": 1}', "not half of one"),
        (b"\xff", "must be JSON, not with: 'utf-8'"),
        ("1 2", "Extra data"),
        (" " * (2**24 + 1), "at most 16777216 bytes"),
    ],
    ids=["deep", "many", "strings", "digits", "infinite", "long", "half", "bytes", "more", "large"],
)
def test_bad_json_is_refused(text, message):
    with pytest.raises(FileError, match=message):
        strict_json.parse(text)


# -- messages ------------------------------------------------------------------------------------


def test_quoted_contents_are_shortened_and_made_visible(tmp_path):
    path = tmp_path / "a\x1b[2J.json"
    name = "x" * 20_000_000 + "\x1b]0;owned\x07\n"
    error = FileError(f"Name must be short, not {name!r}; give another", path)
    assert len(str(error)) < 400 + len(str(path))
    assert str(error).isprintable()
    assert str(error).endswith("; give another")
    assert "\\x1b[2J.json: Name must be short, not 'xxx" in str(error)
    assert visible("a\x1b[31m\nb\u202e") == "a\\x1b[31m b\\u202e"
    assert len(shown(["\x1b" * 10**6] * 10**6, 80)) <= 80
    assert shown(10**9999) == "an int of 33216 bits"


def test_name_of_a_network_is_shortened(tmp_path):
    path = tmp_path / "a.spiker"
    make_network().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = json.loads(parts["network.json"])
    text["populations"][0]["neuron"]["model"] = "Lif\x1b[31m" + "x" * 60_000
    parts["network.json"] = json.dumps(text).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(FileError) as caught:
        load(path)
    assert len(caught.value.problem) < 700
    assert str(caught.value).isprintable()
    assert "hand the classes of your own neurons" in str(caught.value)


# -- kinds ---------------------------------------------------------------------------------------


def files(tmp_path):
    """Write a file of each kind; return what each is."""
    variants = {kind: tmp_path / f"file.{kind}" for kind in KINDS}
    make_network().save(variants["network"])
    variants["npz"].write_bytes(reader_targets.npz(x=np.zeros(3)))
    with variants["npy"].open("wb") as file:
        np.save(file, np.zeros(3))
    torch.save({"a": torch.ones(2)}, variants["pytorch"])
    save_floating_point(SpikingNetwork.chain("3-2"), tmp_path / "net.safetensors")
    (tmp_path / "net.safetensors").rename(variants["safetensors"])
    variants["hdf5"].write_bytes((ROOT / "tests/nir_files/norse_lif.nir").read_bytes())
    variants["idx"].write_bytes(reader_targets.idx(np.zeros((2, 3), np.uint8)))
    variants["gzip"].write_bytes(b"\x1f\x8b\x08 cut")
    with zipfile.ZipFile(variants["zip"], "w") as archive:
        archive.writestr("a.txt", "")
    variants["json"].write_text('{"a": 1}')
    variants["text"].write_text("not a file of any kind\n")
    variants["pickle"].write_bytes(b"\x80\x04K\x01.")
    variants["empty"].write_bytes(b"")
    return variants


def test_kind_of_a_file_follows_from_its_first_bytes(tmp_path):
    paths = files(tmp_path)
    assert {kind: kind_of(path) for kind, path in paths.items()} == {kind: kind for kind in KINDS}
    torch.save({"a": torch.ones(2)}, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert kind_of(tmp_path / "old") == "pytorch"
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    assert kind_of(tmp_path / "noise") == ""


def test_every_reader_names_another_kind_of_file(tmp_path, targets):
    paths = files(tmp_path)
    for name, target in targets.items():
        reader = readers.registered()[name.partition("+")[0]]
        for kind in ("empty", "hdf5", "npy", "network"):
            if (kind, reader.kind) == ("network", "npz"):  # an archive of arrays, too
                continue
            if not reader.kind or kind == reader.kind or "+" in name:
                continue
            path = paths[kind].rename(paths[kind].with_suffix(".npz"))
            with pytest.raises(FileError) as caught:
                target.call(path)
            path.rename(paths[kind])
            expected = f"must be {reader.expected}, not {KINDS[kind]}"
            assert caught.value.problem == expected, name


# -- numbers of few bits -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_weights_of_few_bits_are_read(kind, tmp_path):
    net, path = SpikingNetwork.chain("4-3-2"), tmp_path / "net.safetensors"
    save_floating_point(net, path)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    name = "weights/0"
    tensors[name] = (torch.arange(12).reshape(3, 4) / 8 - 0.5).to(kind)
    save_file(tensors, path, metadata)
    actual = load_floating_point(path).connections[0].weights
    assert torch.equal(actual, tensors[name].float())
    module = torch.nn.Linear(2, 2).to(torch.bfloat16)
    save_file({n: tensor.detach() for n, tensor in module.state_dict().items()}, tmp_path / "b")
    assert load_state(torch.nn.Linear(2, 2), tmp_path / "b") is not None


def test_tensor_that_repeats_a_number_is_refused(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.ones(1).expand(2**40)}, path)
    with pytest.raises(FileError, match=r"must hold tensors of at most .* bytes together"):
        load_state(torch.nn.Linear(2, 2), path)


# -- what never ends -----------------------------------------------------------------------------

NIR = ROOT / "tests/nir_files/norse_lif.nir"
WORKER = """
import os, sys, time
sys.stdout.buffer.write(b"ready\\n"); sys.stdout.buffer.flush()
sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["time.sleep(60)", "os.abort()"], ids=["waits", "crashes"])
def test_file_that_hangs_the_library_is_refused_and_the_next_is_read(end, tmp_path, monkeypatch):
    hdf5._pool.close()
    (tmp_path / "worker.py").write_text(WORKER + end)
    monkeypatch.setattr(hdf5, "SECONDS", 0.1)
    monkeypatch.setattr(hdf5, "_WAITING", 0.2)
    with monkeypatch.context() as patched:
        patched.setattr(hdf5, "WORKER", tmp_path / "worker.py")
        with pytest.raises(FileError, match=r"must be a file that the HDF5 library reads within"):
            from_nir(NIR, dt=1e-3)
    monkeypatch.undo()
    assert from_nir(NIR, writer="norse").layers


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no limits of time here")
def test_reading_process_has_a_time_limit(tmp_path, monkeypatch):
    import h5py

    path = tmp_path / "slow.nir"
    with h5py.File(path, "w") as file:
        file.create_dataset("node/a", data=np.zeros(2**22), chunks=(2**16,), compression="gzip")
    assert hdf5.read_hdf5(path)["node"]["a"].shape == (2**22,)
    monkeypatch.setattr(hdf5, "SECONDS", 0.01)
    monkeypatch.setattr(hdf5, "_PER_BYTE", 0.0)
    with pytest.raises(FileError, match=r"reads within 0.0 s, not one that stops it"):
        within(path, lambda: hdf5.read_hdf5(path))
    monkeypatch.undo()
    assert hdf5.read_hdf5(path)["node"]["a"].shape == (2**22,)


def test_crash_after_other_files_is_retried(tmp_path, monkeypatch):
    hdf5._pool.close()
    hdf5.read_hdf5(NIR)
    hdf5._pool._worker._process.kill()
    assert hdf5.read_hdf5(NIR)


def test_hdf5_with_a_large_declared_size_is_refused(tmp_path):
    import h5py

    path = tmp_path / "much.nir"
    with h5py.File(path, "w") as file:
        file.create_dataset("node/a", shape=(2**28,), dtype="f8", chunks=(1024,))
    size, message = peak(lambda: from_nir(path, dt=1e-3))
    assert size < 2**26
    assert "has 2147483648 bytes, more than the 268435456 left" in message


def test_gzip_that_grows_too_much_is_refused(tmp_path):
    import gzip

    path = tmp_path / "a.gz"
    compressed = io.BytesIO()
    with gzip.GzipFile(fileobj=compressed, mode="wb", mtime=0) as file:
        for _ in range(512):
            file.write(bytes(2**20))
    path.write_bytes(compressed.getvalue())
    size, message = peak(lambda: read_idx(path))
    assert size < 2**29
    assert "must unpack to at most 134217728 bytes, not more" in message


def test_device_is_not_read_as_a_file():
    with pytest.raises(FileError, match="must be a file, not a device"):
        load("/dev/zero")
