"""Every reader of the project with files that it takes, and how they are damaged and read."""

import gzip
import hashlib
import importlib
import io
import json
import pkgutil
import re
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from spiker_train.network.plausibility import ImplausibleWarning

from support import emitted, mutations, small
from support.places import ROOT

PACKAGES = ("spiker_hdl", "spiker_train", "spiker_boards", "spiker_cli")
SECONDS, BYTES = 2.0, 2**30
"""Most that a file may take."""


def registered():
    """Load all modules; return all readers by name."""
    for top in PACKAGES:
        for one in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
            if not one.name.endswith("hdf5_worker"):
                importlib.import_module(one.name)
    from spiker_hdl.base import READERS

    return dict(READERS)


@dataclass
class Target:
    """A reader, or a public door that leads to it, with files that it takes.

    Members
    -------
    seeds : list
        Files, each as bytes; for a directory, dicts of bytes by name.
    call : callable
        Takes the path.
    kinds : tuple of type
        What it may raise.
    seal : callable, optional
        Makes digests fit again.
    """

    seeds: list
    call: Callable
    kinds: tuple
    seal: Callable | None = None


# -- seeds ---------------------------------------------------------------------------------------


def npz(compressed=False, **arrays):
    held = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(held, **arrays)
    return held.getvalue()


def idx(array):
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + shape + array.tobytes()


def contents(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def sealed_network(data):
    """Give a network file, whose text was altered, the digest that it would have."""
    import zipfile

    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = json.loads(parts["network.json"])
    text.pop("digest", None)
    total = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name, held in parts.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(held))
            total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode() + array.tobytes())
    parts["network.json"] = json.dumps(text | {"digest": total.hexdigest()}).encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, held in parts.items():
            archive.writestr(name, held)
    return whole.getvalue()


def sealed_directory(listing):
    """Return what makes the digests in a listing fit the other files."""

    def seal(files):
        held = json.loads(files[listing])
        for name, data in files.items():
            if name in held["files"]:
                held["files"][name] = hashlib.sha256(data).hexdigest()
        return files | {listing: json.dumps(held).encode()}

    return seal


def targets(folder):
    """Make files for all readers; return targets by the readers' names, doors with a ``+``."""
    import torch
    from safetensors.torch import save

    from spiker_boards.builder.build import read_build
    from spiker_cli.support.importers import _read_spiker
    from spiker_cli.support.mappings import MappingOptions
    from spiker_cli.support.samples import find_samples
    from spiker_hdl import emit
    from spiker_hdl.base import FileError
    from spiker_hdl.export.read.emission import read_emission
    from spiker_hdl.export.read.samples import read_samples
    from spiker_hdl.model import Mapping
    from spiker_hdl.model import save as save_network
    from spiker_hdl.model.files.load import load_whole
    from spiker_train import SpikingNetwork, from_nir, load_real, load_state, save_real
    from spiker_train.data.images import load_dataset, read_idx
    from spiker_train.data.spoken_digits import spoken_digits
    from spiker_train.formats.nir.files import _read_file

    plain = {name: one.read for name, one in registered().items()}
    only, any_of = (FileError, OSError), (ValueError, TypeError, OSError)
    draw = np.random.default_rng(1)

    network = small.make_network()
    network.save(folder / "a.spiker")
    little = emitted.small()
    mapping = Mapping.default(little)
    save_network(little, folder / "b.spiker", mapping)
    networks = [(folder / name).read_bytes() for name in ("a.spiker", "b.spiker")]
    networks.append((ROOT / "tests/golden/random_1.spiker").read_bytes())

    emission = folder / "emission"
    emit(
        little, emission, language="verilog", samples=emitted.spikes_for(little, 2, 3), generated=0
    )
    emission = contents(emission)
    listing = json.dumps({"files": {"a": "0" * 64, "b/c.v": "1" * 64}}).encode()

    hop = {"type": "logic", "delay": 0.5, "to": {"cell": "a"}, "net": "n"}
    route = {"from": "posedge clk", "to": "posedge clk", "path": [hop, hop]}
    report = {
        "fmax": {"clk": {"achieved": 99.5, "constraint": 12.0}},
        "utilization": {"LUT4": {"used": 5, "available": 5280}},
        "critical_paths": [route],
    }
    cells = {"design": {"num_cells_by_type": {"SB_LUT4": 12, "SB_DFF": 3}}}
    plan = {"commands": [["yosys", "-q", "top.ys"], ["nextpnr-ice40", "--json", "top.json"]]}

    bits = b"bits of a board"
    build = {
        "format": 1,
        "board": "icebreaker",
        "network": {"name": "little", "sha256": "0" * 64},
        "mapping": mapping.to_json(),
        "baud": 1_000_000,
        "bitstream": {"file": "top.bin", "sha256": hashlib.sha256(bits).hexdigest()},
    }
    build = {"build.json": json.dumps(build).encode(), "top.bin": bits}

    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 2))
    state = module.state_dict()
    held = io.BytesIO()
    torch.save({"state_dict": state, "epoch": 3}, held)
    old = io.BytesIO()
    torch.save(state, old, _use_new_zipfile_serialization=False)
    few = {name: one.to(torch.bfloat16) for name, one in state.items()}
    checkpoints = [held.getvalue(), old.getvalue(), save(state), save(few)]
    save_real(SpikingNetwork.chain("4-3-2"), folder / "net.safetensors")
    real = (folder / "net.safetensors").read_bytes()

    pictures, labels = draw.integers(0, 256, (6, 8, 8), dtype=np.uint8), draw.integers(0, 3, 6)
    parts = {"x_train": pictures, "y_train": labels, "x_test": pictures[:2], "y_test": labels[:2]}
    spikes = draw.integers(0, 2, (3, 4, 64), dtype=np.uint8)
    spoken = {
        "offset": np.array([0, 3, 5]), "channels": np.array(128), "label": np.array([1, 2]),
        "times_ms": np.array([1, 5, 90, 2, 2], np.uint16),
        "units": np.array([0, 1, 127, 3, 4], np.uint8),
        "speaker": np.array([0, 1]), "take": np.array([0, 7]),
    }  # fmt: skip
    nir = [
        (ROOT / "tests/nir_files" / name).read_bytes()
        for name in ("norse_lif.nir", "sinabs_lif.nir", "sinabs_conv.nir")
    ]
    layers = {
        f"layer_{n}": {"neuron_model": one, "n_neurons": 3, "beta": 0.9, "alpha": 0.8}
        for n, one in enumerate(("lif", "rsyn"))
    }
    spiker = {"n_cycles": 5, "n_inputs": 4} | layers
    spiker = [json.dumps(one).encode() for one in (spiker, {"net_dict": spiker})]

    placed = mapping.to_json()
    sets = [npz(**parts), npz(True, **parts)]
    runs = [npz(spikes=spikes, labels=labels[:3]), npz(True, spikes=spikes), sets[0]]
    images = [idx(pictures), idx(labels.astype(np.uint8)), gzip.compress(idx(pictures), mtime=0)]
    seal = sealed_directory("manifest.json")

    def both(path):
        made = read_emission(path)
        return read_samples(made)

    def at(name, seeds, *doors, seal=None):
        found = {name: Target(seeds, plain[name], only, seal)}
        return found | {
            f"{name}+{n}": Target(seeds, one, any_of, seal) for n, one in enumerate(doors)
        }

    made = {
        **at("spiker_hdl.base.atomic_directory._listed", [listing]),
        **at("spiker_hdl.export.read.files.read_files", [emission], seal=seal),
        **at("spiker_hdl.tools.synthesis.cell_counts", [json.dumps(cells).encode()]),
        **at("spiker_hdl.tools.place_and_route.open_report", [json.dumps(report).encode()]),
        **at("spiker_boards.builder.bitstream.commands_of", [json.dumps(plan).encode()]),
        **at("spiker_boards.builder.build.read_whole_build", [build], read_build),
        **at(
            "spiker_train.formats.checkpoints._read", checkpoints, lambda p: load_state(module, p)
        ),
        **at("spiker_train.data.images._idx", images, read_idx),
        **at(
            "spiker_cli.support.samples._spikes",
            runs,
            lambda p: find_samples(network, str(p), None),
        ),
        **at(
            "spiker_train.formats.nir.files._read_file",
            nir,
            lambda p: from_nir(p, dt=1e-3, rule="exponential"),
        ),
        **at(
            "spiker_cli.support.importers._read_configuration",
            spiker,
            lambda p: _read_spiker(str(p), None),
        ),
        **at(
            "spiker_cli.support.mappings._read_mapping",
            [json.dumps(text).encode() for text in (placed, {"mapping": placed})],
            lambda p: MappingOptions(name=str(p)).find(little, None),
        ),
    }
    for name, seeds, call in (
        ("spiker_hdl.model.files.load._read", networks, load_whole),
        ("spiker_hdl.export.read.emission._read", [emission], both),
        ("spiker_train.data.images._npz", sets, load_dataset),
        ("spiker_train.files._read", [real], load_real),
        (
            "spiker_train.data.spoken_digits._read",
            [npz(**spoken)],
            lambda p: spoken_digits(8, 10, p),
        ),
    ):
        made[name] = Target(seeds, call, only)
    made["spiker_hdl.model.files.load._read"].seal = sealed_network
    made["spiker_hdl.export.read.emission._read"].seal = seal
    made["spiker_train.formats.nir.files._read_file"].call = lambda p: _read_file(str(p))
    return made


# -- trials --------------------------------------------------------------------------------------


class OverrunError(BaseException):
    """A reader takes too long; no Exception, which it would catch."""


@dataclass
class Trials:
    """What came of all damaged files.

    Members
    -------
    faults : list of str
        What must not happen, with the number of the trial.
    outcomes : Counter
        By reader: how many files were read, and how many refused.
    """

    faults: list = field(default_factory=list)
    outcomes: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0
    count: int = 0


SUFFIX = {"npz": ".npz", "_spikes": ".npz", "spoken": ".npz"}


def attempt(name, target, number, folder, trials):
    """Damage a file as its number says, read it, and note what came of it."""
    random = Random(f"{name}:{number}")
    seed = random.choice(target.seeds)
    if isinstance(seed, dict):
        weights = [8 if one.endswith(".json") else 1 for one in seed]
        part = random.choices([*seed], weights)[0]
        damaged = seed | {part: mutations.mutate(seed[part], random)}
    else:
        damaged = mutations.mutate(seed, random)
    if target.seal is not None and random.random() < 0.7:
        try:
            damaged = target.seal(damaged)
        except Exception:  # too damaged for that
            pass
    path = written(damaged, folder, name)
    try:
        said = read(target, path, trials)
    except OverrunError:
        said = "takes too long"
    if said not in {"read", "refused"}:
        trials.faults.append(f"{name} {number}: {said}")
    trials.outcomes[name, said if said in {"read", "refused"} else "fault"] += 1
    trials.count += 1


def written(damaged, folder, name):
    suffix = next((end for part, end in SUFFIX.items() if part in name), ".net")
    if isinstance(damaged, bytes):
        path = folder / f"file{suffix}"
        path.write_bytes(damaged)
        return path
    path = folder / f"directory {name}"
    for one, data in damaged.items():
        (path / one).parent.mkdir(parents=True, exist_ok=True)
        if not (path / one).exists() or (path / one).read_bytes() != data:
            (path / one).write_bytes(data)
    return path


def read(target, path, trials):
    before, began = memory(reset=True), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 5 * SECONDS)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ImplausibleWarning)  # the library's own
            target.call(path)
        said = f"warns: {warned[0].message}" if warned else "read"
    except target.kinds as error:
        said = _judged(error, path)
    except OverrunError:
        raise
    except BaseException as error:
        said = f"raises {type(error).__name__}: {str(error)[:200]!r}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds, size = time.process_time() - began, memory() - before
    trials.slowest, trials.largest = max(trials.slowest, seconds), max(trials.largest, size)
    if size > BYTES:
        return f"takes {size} bytes"
    return f"takes {seconds:.1f} s" if seconds > SECONDS else said


def _judged(error, path):
    """Tell whether an error is as it must be."""
    from spiker_hdl.base import FileError

    text = str(error)
    if isinstance(error, FileError):
        if str(path) not in text:
            return f"does not name the file: {text[:300]!r}"
        if not text.isprintable() or len(text) > 800 + len(str(path)):
            return f"says what no message may: {text[:300]!r}"
    return "refused"


def memory(reset=False):
    """Return the most memory that was held since the last reset, where the system tells."""
    if not sys.platform.startswith("linux"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if reset:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", text)[1])


@contextmanager
def limited():
    """End what takes too long."""

    def overrun(number, frame):
        raise OverrunError

    before = signal.signal(signal.SIGPROF, overrun)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def fuzz(folder, count, start=0, made=None, trials=None, tell=lambda n: None):
    """Damage ``count`` files, from trial ``start`` on; return what came of them."""
    made = targets(folder) if made is None else made
    trials = Trials() if trials is None else trials
    with limited():
        names = sorted(made)
        for n in range(start, start + count):
            name = names[n % len(names)]
            attempt(name, made[name], n // len(names), folder, trials)
            tell(n)
    return trials
