"""Readers of the project's files, with valid files for each of them."""

import gzip
import hashlib
import importlib
import io
import json
import pkgutil
import warnings
import wave
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from support import emitted, small
from support.places import ROOT

__all__ = ["Target", "registered", "targets"]

PACKAGES = ("spiker_hdl", "spiker_train", "spiker_boards", "spiker_cli")


def registered():
    """Load all modules; return all readers by name."""
    for top in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
            if not module.name.endswith("hdf5_worker"):
                importlib.import_module(module.name)
    from spiker_hdl.base import READERS

    return dict(READERS)


@dataclass
class Target:
    """A reader, or a public function that calls it, with valid files.

    Members
    -------
    seeds : list
        Files, each as bytes; a directory is a dict of bytes by name.
    call : callable
        Function that takes the path.
    kinds : tuple of type
        Exceptions that it may raise.
    seal : callable, optional
        Function that makes the digests in a damaged file right again.
    """

    seeds: list
    call: Callable
    kinds: tuple
    seal: Callable | None = None


def targets(folder):
    """Make files for all readers; return targets by reader, and by reader ``+n`` for callers."""
    readers = {name: reader.read for name, reader in registered().items()}
    return {
        **network_targets(readers, folder),
        **emission_targets(readers, folder),
        **tool_targets(readers),
        **board_targets(readers),
        **training_targets(readers, folder),
        **data_targets(readers),
        **recording_targets(readers, folder),
        **format_targets(readers),
    }


def with_callers(readers, name, seeds, *callers, seal=None):
    """Return the target of a reader, and those of public functions that call it."""
    from spiker_hdl.base import FileError

    target = {name: Target(seeds, readers[name], (FileError, OSError), seal)}
    return target | {
        f"{name}+{n}": Target(seeds, caller, (ValueError, TypeError, OSError), seal)
        for n, caller in enumerate(callers)
    }


def called_by(name, seeds, caller, seal=None):
    """Return the target of a reader that is called by a public function alone."""
    from spiker_hdl.base import FileError

    return {name: Target(seeds, caller, (FileError, OSError), seal)}


# -- networks and emissions ----------------------------------------------------------------------


def network_targets(readers, folder):
    from spiker_cli.support.mappings import MappingOptions
    from spiker_hdl.model import Mapping, save
    from spiker_hdl.model.files.load import load_whole

    small.make_network().save(folder / "a.spiker")
    network = emitted.small()
    mapping = Mapping.default(network)
    save(network, folder / "b.spiker", mapping)
    networks = [(folder / name).read_bytes() for name in ("a.spiker", "b.spiker")]
    networks.append((ROOT / "tests/golden/random_1.spiker").read_bytes())
    placed = mapping.to_json()
    return {
        **called_by("spiker_hdl.model.files.load._read", networks, load_whole, sealed_network),
        **with_callers(
            readers,
            "spiker_cli.support.mappings._read_mapping",
            [json.dumps(text).encode() for text in (placed, {"mapping": placed})],
            lambda path: MappingOptions(name=str(path)).find(network, None),
        ),
    }


def emission_targets(readers, folder):
    from spiker_hdl import emit
    from spiker_hdl.export.read.emission import read_emission
    from spiker_hdl.export.read.samples import read_samples

    network, directory = emitted.small(), folder / "emission"
    samples = emitted.spikes_for(network, 2, 3)
    emit(network, directory, language="verilog", samples=samples, generated=0)
    emission = contents(directory)
    listing = json.dumps({"files": {"a": "0" * 64, "b/c.v": "1" * 64}}).encode()
    seal = sealed_directory("manifest.json")
    return {
        **with_callers(readers, "spiker_hdl.base.files.atomic_directory._listed", [listing]),
        **with_callers(readers, "spiker_hdl.export.read.files.read_files", [emission], seal=seal),
        **called_by(
            "spiker_hdl.export.read.emission._read",
            [emission],
            lambda path: read_samples(read_emission(path)),
            seal,
        ),
    }


# -- tools and boards ----------------------------------------------------------------------------


def tool_targets(readers):
    hop = {"type": "logic", "delay": 0.5, "to": {"cell": "a"}, "net": "n"}
    route = {"from": "posedge clk", "to": "posedge clk", "path": [hop, hop]}
    report = {
        "fmax": {"clk": {"achieved": 99.5, "constraint": 12.0}},
        "utilization": {"LUT4": {"used": 5, "available": 5280}},
        "critical_paths": [route],
    }
    cells = {"design": {"num_cells_by_type": {"SB_LUT4": 12, "SB_DFF": 3}}}
    return {
        **with_callers(
            readers, "spiker_hdl.tools.synthesis.cell_counts", [json.dumps(cells).encode()]
        ),
        **with_callers(
            readers, "spiker_hdl.tools.place_and_route.open_report", [json.dumps(report).encode()]
        ),
    }


def board_targets(readers):
    from spiker_boards.builder.build import read_build
    from spiker_hdl.model import Mapping

    plan = {"commands": [["yosys", "-q", "top.ys"], ["nextpnr-ice40", "--json", "top.json"]]}
    bits = b"bits of a board"
    build = {
        "format": 1,
        "board": "icebreaker",
        "network": {"name": "little", "sha256": "0" * 64},
        "mapping": Mapping.default(emitted.small()).to_json(),
        "baud": 1_000_000,
        "bitstream": {"file": "top.bin", "sha256": hashlib.sha256(bits).hexdigest()},
    }
    build = {"build.json": json.dumps(build).encode(), "top.bin": bits}
    return {
        **with_callers(
            readers, "spiker_boards.builder.bitstream.commands_of", [json.dumps(plan).encode()]
        ),
        **with_callers(
            readers, "spiker_boards.builder.build.read_whole_build", [build], read_build
        ),
    }


# -- training ------------------------------------------------------------------------------------


def training_targets(readers, folder):
    import torch
    from safetensors.torch import save

    from spiker_train import (
        DifferentialPair,
        SpikingNetwork,
        hfox_reram,
        load_devices,
        load_floating_point,
        load_network_state,
        load_state,
        pcm,
        save_devices,
        save_floating_point,
        save_network_state,
    )
    from spiker_train.training.checkpoint import Checkpoint, write_checkpoint
    from tests.support.timed import random_spikes, timed_network

    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 2))
    state = module.state_dict()
    new, old = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": state, "epoch": 3}, new)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    half = {name: tensor.to(torch.bfloat16) for name, tensor in state.items()}
    checkpoints = [new.getvalue(), old.getvalue(), save(state), save(half)]
    save_floating_point(SpikingNetwork.chain("4-3-2"), folder / "net.safetensors")
    network = (folder / "net.safetensors").read_bytes()
    content = {
        "fingerprint": "0",
        "epoch": 1,
        "batches": 2,
        "generator": {"bit_generator": "PCG64"},
    }
    course = {"optimizer": {"done": 2}, "history": {"losses": [0.5], "best": 0}}
    write_checkpoint(folder / "run", Checkpoint({"net/a": torch.ones(3)}, content | course))
    checkpoint = (folder / "run").read_bytes()
    timed = timed_network()
    save_floating_point(timed, folder / "timed.safetensors")
    save_network_state(timed(random_spikes(), dt=1e-3).after, folder / "state.safetensors")
    in_seconds, state_of_network = (
        (folder / f"{name}.safetensors").read_bytes() for name in ("timed", "state")
    )
    save_devices(pcm(), folder / "device.json", seed=3)
    save_devices({"a->b": DifferentialPair(device=hfox_reram())}, folder / "devices.json")
    devices = [(folder / f"{name}.json").read_bytes() for name in ("device", "devices")]
    return {
        **called_by("spiker_train.devices.files._read", devices, load_devices),
        **called_by(
            "spiker_train.state_files.load_network_state", [state_of_network], load_network_state
        ),
        **with_callers(
            readers,
            "spiker_train.formats.checkpoints._read",
            checkpoints,
            lambda path: load_state(module, path),
        ),
        **with_callers(readers, "spiker_train.training.checkpoint.read_checkpoint", [checkpoint]),
        **called_by("spiker_train.files._read", [network, in_seconds], load_floating_point),
    }


def data_targets(readers):
    from spiker_cli.support.samples import find_samples
    from spiker_train.data.images import load_dataset, read_idx
    from spiker_train.data.spoken_digits import spoken_digits
    from spiker_train.devices.fit import fit_device
    from spiker_train.monte_carlo.result import Draws

    rows = {0: (3, 1), 4: (2, 2)}
    counts = {0: ((1, 2), (0, 1)), 4: ((2, 0), (1, 1))}
    answers = {0: ((2, 3), (5, 0)), 4: ((4, 1), (1, 4))}
    study = Draws("key", 5, (0.0, 10.0), rows, rows, (3, 2), counts, answers).to_json()
    draw = np.random.default_rng(1)
    pictures, labels = draw.integers(0, 256, (6, 8, 8), dtype=np.uint8), draw.integers(0, 3, 6)
    parts = {"x_train": pictures, "y_train": labels, "x_test": pictures[:2], "y_test": labels[:2]}
    spikes = draw.integers(0, 2, (3, 4, 64), dtype=np.uint8)
    spoken = {
        "offset": np.array([0, 3, 5]), "channels": np.array(128), "label": np.array([1, 2]),
        "times_ms": np.array([1, 5, 90, 2, 2], np.uint16),
        "units": np.array([0, 1, 127, 3, 4], np.uint8),
        "speaker": np.array([0, 1]), "take": np.array([0, 7]),
    }  # fmt: skip
    sets = [npz(**parts), npz(True, **parts)]
    runs = [npz(spikes=spikes, labels=labels[:3]), npz(True, spikes=spikes), sets[0]]
    images = [idx(pictures), idx(labels.astype(np.uint8)), gzip.compress(idx(pictures), mtime=0)]
    network = small.make_network()
    return {
        **with_callers(readers, "spiker_train.data.images._idx", images, read_idx),
        **with_callers(
            readers,
            "spiker_cli.support.samples._spikes",
            runs,
            lambda path: find_samples(network, str(path), None),
        ),
        **called_by("spiker_train.data.images._npz", sets, load_dataset),
        **with_callers(
            readers,
            "spiker_train.devices.fit.read_measurements",
            [
                b"target_siemens,measured_siemens\n1e-6,1.1e-6\n2e-6,2e-6\n",
                b"device,seconds,siemens\na,1,2e-6\na,10,1e-6\n",
            ],
            fit_device,
        ),
        **with_callers(
            readers, "spiker_train.monte_carlo.result.load_draws", [json.dumps(study).encode()]
        ),
        **called_by(
            "spiker_train.data.spoken_digits._read",
            [npz(**spoken)],
            lambda path: spoken_digits(8, 10, path),
        ),
    }


def recording_targets(readers, folder):
    """Return targets of the readers of recordings: events, heart beats, Heidelberg's files."""
    from spiker_train.data.files.download import verify
    from spiker_train.data.files.event_files import read_aedat, read_nmnist
    from spiker_train.data.files.wfdb import _read_signals, _signal, read_annotations
    from spiker_train.data.heart_beats import heart_beats
    from spiker_train.data.heidelberg import read_heidelberg, unzip
    from spiker_train.data.spoken_audio import spoken_audio

    golden = ROOT / "tests/golden"
    wfdb = {path.name: path.read_bytes() for path in (golden / "wfdb").iterdir()}
    header = wfdb["two12.hea"]
    signals = [_signal(line) for line in header.decode().splitlines()[1:3]]
    beats = npz(
        x=np.zeros((3, 128), np.int16), y=np.array([0, 2, 4]), record=np.arange(3),
        rr=np.full((3, 2), 300),
    )  # fmt: skip
    rows = np.random.default_rng(2).integers(0, 34, (20, 5), dtype=np.uint8)
    davis = np.array([[5 << 22 | 7 << 12 | 1 << 11, 10], [1 << 31, 20], [3 << 12, 30]], ">u4")
    aedat = [b"#!AER-DAT2.0\r\n# AEChip: a.DAVIS240C\r\n" + davis.tobytes()]
    if find_spec("aedat") is not None:
        aedat.append((golden / "events.aedat4").read_bytes())
    sounds = npz(
        audio=np.arange(9, dtype=np.int16), offset=np.array([0, 4, 9]), label=np.array([7, 1]),
        speaker=np.array([0, 2]), take=np.array([0, 6]), rate=np.array(8000),
    )  # fmt: skip
    sums = "".join(f"{n:064x} {n}.dat\n" for n in (100, 101)).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("shd_train.h5", b"spikes" * 20)
    recordings = io.BytesIO()
    with zipfile.ZipFile(recordings, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("Test/3/00001.bin", rows.tobytes())
    cameras = npz(
        t_us=np.array([5, 9, 7]), x=np.array([0, 33, 2]), y=np.array([1, 2, 3]),
        p=np.array([0, 1, 1]), offset=np.array([0, 2, 3]), label=np.array([4, 5]),
        is_test=np.array([0, 1]),
    )  # fmt: skip
    dense, few = rows[:4, None, :] & 1, np.array([0, 1, 0, 1])
    spikes = npz(spikes_train=dense, y_train=few, spikes_test=dense[:2], y_test=few[:2])
    place, whole = "spiker_train.data", b"what was downloaded"
    checksum = f"md5:{hashlib.md5(whole).hexdigest()}"
    return {
        **called_by(f"{place}.files.download.verify", [whole], lambda path: verify(path, checksum)),
        **with_callers(
            readers, f"{place}.files.event_files._nmnist", [rows.tobytes()], read_nmnist
        ),
        **called_by(f"{place}.files.event_files._aedat", aedat, read_aedat),
        **with_callers(readers, f"{place}.spoken_audio._read_wave", [wave_file()]),
        **called_by(
            f"{place}.spoken_audio._read_archive",
            [sounds],
            lambda path: spoken_audio(path, check=False),
        ),
        **called_by(f"{place}.heart_beats._read", [beats], heart_beats),
        **with_callers(readers, f"{place}.heart_beats._checksums", [sums]),
        **called_by(f"{place}.heidelberg._read", [heidelberg_file(folder)], read_heidelberg),
        **called_by(
            f"{place}.heidelberg.unzip",
            [archive.getvalue()],
            lambda path: unzip(Path(path), "shd_train.h5"),
        ),
        **with_callers(
            readers, f"{place}.neuromorphic_mnist._read_archive", [recordings.getvalue()]
        ),
        **with_callers(readers, f"{place}.neuromorphic_mnist._part", [cameras]),
        **with_callers(readers, f"{place}.load._read_spikes", [spikes, beats]),
        **with_callers(readers, f"{place}.files.wfdb._read_header", [header, wfdb["odd12.hea"]]),
        **called_by(
            f"{place}.files.wfdb._read_signals",
            [wfdb["two12.dat"]],
            lambda path: _read_signals(path, 31, signals),
        ),
        **called_by(f"{place}.files.wfdb.read_annotations", [wfdb["two12.atr"]], read_annotations),
    }


def heidelberg_file(folder):
    """Return the bytes of a file in the format of the Spiking Heidelberg data sets."""
    import h5py

    with h5py.File(folder / "shd.h5", "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            rows = file.create_dataset(f"spikes/{name}", (2,), h5py.vlen_dtype(kind))
            rows[0], rows[1] = np.arange(3, dtype=kind), np.arange(2, dtype=kind)
        file["labels"] = np.array([1, 0], np.uint8)
    return (folder / "shd.h5").read_bytes()


def format_targets(readers):
    from spiker_cli.support.importers import _read_spiker
    from spiker_train import from_nir
    from spiker_train.formats.nir.files import _read_file

    nir = [
        (ROOT / "tests/nir_files" / name).read_bytes()
        for name in ("norse_lif.nir", "sinabs_lif.nir", "sinabs_conv.nir")
    ]
    layers = {
        f"layer_{n}": {"neuron_model": model, "n_neurons": 3, "beta": 0.9, "alpha": 0.8}
        for n, model in enumerate(("lif", "rsyn"))
    }
    spiker = {"n_cycles": 5, "n_inputs": 4} | layers
    results = {
        **with_callers(
            readers,
            "spiker_train.formats.nir.files._read_file",
            nir,
            lambda path: from_nir(path, dt=1e-3, rule="exponential"),
        ),
        **with_callers(
            readers,
            "spiker_cli.support.importers._read_configuration",
            [json.dumps(text).encode() for text in (spiker, {"net_dict": spiker})],
            lambda path: _read_spiker(str(path), None),
        ),
    }
    # The library that reads HDF5 takes a string.
    results["spiker_train.formats.nir.files._read_file"].call = lambda path: _read_file(str(path))
    return results


# -- files ---------------------------------------------------------------------------------------


def npz(compressed=False, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def wave_file(samples=40, rate=8000):
    """Return a WAVE file of a tone."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        tone = 9000 * np.sin(np.arange(samples) * 2 * np.pi * 440 / 8000)
        sound.writeframes(tone.astype("<i2").tobytes())
    return file.getvalue()


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
    """Return a network file with altered text, and with the digest that belongs to it."""
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = json.loads(parts["network.json"])
    text.pop("digest", None)
    total = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name, content in parts.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content))
            total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode() + array.tobytes())
    parts["network.json"] = json.dumps(text | {"digest": total.hexdigest()}).encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return whole.getvalue()


def sealed_directory(listing):
    """Return a function that makes the digests in a listing those of the other files."""

    def seal(files):
        manifest = json.loads(files[listing])
        for name, data in files.items():
            if name in manifest["files"]:
                manifest["files"][name] = hashlib.sha256(data).hexdigest()
        return files | {listing: json.dumps(manifest).encode()}

    return seal
