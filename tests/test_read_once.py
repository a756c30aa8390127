"""Tests that what is checked is what is used: each file of a directory is read once, or not at all.

Whoever reads a file a second time, or gives its name to another program, uses what nobody checked.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import spiker_hdl
from spiker_boards.builder.build import read_build
from spiker_boards.builder.program import program_board
from spiker_cli.main import main
from spiker_cli.support.files import open_network
from spiker_cli.support.mappings import MappingOptions
from spiker_hdl.base.compile_cache import keep, load_library, open_cache
from spiker_hdl.export import emit, read_emission
from spiker_hdl.export.netlist.check import _read as read_for_a_netlist
from spiker_hdl.export.read.samples import read_samples
from spiker_hdl.model import Mapping, load, load_mapping, save

from support.small import make_network

SAMPLES = np.random.default_rng(3).integers(0, 2, (2, 3, 64))
watching: list[Counter] = []


def _hook(event, arguments):
    if not watching:
        return
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        watching[-1][os.path.realpath(arguments[0])] += 1
    if event == "subprocess.Popen":
        _, command, where, _ = arguments
        for word in command:
            # Whatever it is told to open, it opens.
            watching[-1][os.path.realpath(os.path.join(where or ".", word))] += 1


sys.addaudithook(_hook)


@contextmanager
def opened(directory):
    """Give how often each file in a directory is opened, by us or by whom we start."""
    seen, inside = Counter(), Counter()
    watching.append(seen)
    try:
        yield inside
    finally:
        watching.pop()
        for path, count in seen.items():
            if Path(path).is_relative_to(os.path.realpath(directory)) and Path(path).is_file():
                inside[Path(path).relative_to(os.path.realpath(directory)).as_posix()] += count


@pytest.fixture(scope="module")
def emission(tmp_path_factory):
    where = tmp_path_factory.mktemp("emission") / "out"
    emit(make_network(), where, samples=SAMPLES, ports="axis", generated=0)
    return where


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Return a build, and have its loader only pretend."""
    path = tmp_path / "out"
    path.mkdir()
    network = make_network()
    report = {
        "format": 1,
        "board": "icebreaker",
        "network": {"name": network.name, "sha256": network.digest},
        "mapping": Mapping.default(network).to_json(),
        "baud": None,
        "bitstream": {"file": "top.bin", "sha256": hashlib.sha256(b"bits").hexdigest()},
    }
    (path / "top.bin").write_bytes(b"bits")
    (path / "build.json").write_text(json.dumps(report))
    loader = tmp_path / "loader"
    loader.write_text('#!/bin/sh\ntest -f "$3" && echo done\n')
    loader.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(loader))
    return path


@pytest.fixture
def saved(tmp_path):
    (tmp_path / "out").mkdir()
    network = make_network()
    save(network, tmp_path / "out" / "a.spiker", Mapping.folded(network, 2))
    return tmp_path / "out"


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "out"))
    (tmp_path / "a.c").write_text("int answer(void) { return 7; }\n")
    try:
        command = ["gcc", "-shared", "-fPIC", "-o", "a.so", "a.c", "-Wl,--build-id=sha1"]
        subprocess.run(command, cwd=tmp_path, check=True)
    except OSError:
        pytest.skip("gcc must be installed")
    keep(open_cache() / "a.so", (tmp_path / "a.so").read_bytes() + os.urandom(8))
    return tmp_path / "out"


def _simulate(directory):
    assert main(["simulate", str(directory), "--engine", "reference", "--data", "vectors"]) == 0


def _design(directory):
    emission = read_emission(directory)
    read_samples(emission)
    assert emission.design_ports


DOORS = {
    "samples and design": ("emission", _design),
    "run": ("emission", lambda d: spiker_hdl.run(d, SAMPLES, engine="reference")),
    "spiker simulate": ("emission", _simulate),
    "netlist": ("emission", read_for_a_netlist),
    "read_build": ("built", read_build),
    "program_board": ("built", program_board),
    "spiker program": ("built", lambda d: main(["program", str(d)])),
    "load": ("saved", lambda d: load(d / "a.spiker")),
    "load_mapping": ("saved", lambda d: load_mapping(d / "a.spiker")),
    "load_library": ("cached", lambda d: load_library(d / "a.so")),
}


@pytest.mark.parametrize("door", [pytest.param(door, id=door) for door in DOORS])
def test_each_file_is_opened_once_at_most(door, request):
    kind, call = DOORS[door]
    directory = request.getfixturevalue(kind)
    with opened(directory) as seen:
        call(directory)
    assert seen
    assert {name: count for name, count in seen.items() if count > 1} == {}


def test_audit_hook_counts_reads_and_arguments_of_commands(built):
    with opened(built) as seen:
        for _ in range(2):
            (built / "top.bin").read_bytes()
        subprocess.run(["cat", "build.json"], cwd=built, check=True, stdout=subprocess.DEVNULL)
    assert seen == {"top.bin": 2, "build.json": 1}


def test_network_replaced_between_two_reads_is_refused(saved):
    path = saved / "a.spiker"
    network = open_network(path)
    assert MappingOptions().find(network, path) == Mapping.folded(network, 2)
    make_network(9).save(path)
    with pytest.raises(
        ValueError, match=r"Network must stay as it is while it is read, and .* was"
    ):
        MappingOptions().find(network, path)
