"""Tests of the cache of compiled libraries: the checked bytes are the loaded bytes."""

import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest

from spiker_hdl.base import compile_cache as cache
from spiker_hdl.base.compile_cache import keep, load_library, open_cache, read
from spiker_hdl.simulate import compiled
from spiker_hdl.simulate import shared_library as builds
from spiker_hdl.simulate.shared_library import BuildError

from support.places import ROOT
from support.small import make_network


@pytest.fixture
def compilers():
    """Skip without the tools that compile."""
    for tool in ("verilator", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} must be installed")


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Return the directory of a cache of its own."""
    monkeypatch.setenv("SPIKER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Return the bytes of a library, in which ``answer`` returns 7."""
    where = tmp_path_factory.mktemp("library")
    (where / "a.c").write_text("int answer(void) { return 7; }\n")
    try:
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", "a.so", "a.c"], cwd=where, check=True)
    except OSError:
        pytest.skip("gcc must be installed")
    return (where / "a.so").read_bytes()


# -- what was altered ----------------------------------------------------------------------------


def test_unaltered_files_are_read_and_no_others(directory):
    path = open_cache() / "name.so"
    assert read(path) is None
    keep(path, b"some bytes")
    assert read(path) == b"some bytes"
    assert names(directory) == ["name.so"]
    whole = path.read_bytes()
    (directory / "other.so").write_bytes(whole)
    assert read(directory / "other.so") is None  # it has another's name
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read(path) is None
        path.write_bytes(whole[:at])
        assert read(path) is None
        path.write_bytes(whole[at + 1 :])
        assert read(path) is None


def test_loaded_library_is_the_checked_bytes(directory, library, monkeypatch):
    path = open_cache() / "name.so"
    keep(path, library)
    load, loaded = ctypes.CDLL, []

    def late(name):
        # Whoever exchanges the file now comes too late.
        path.write_bytes(b"other bytes")
        loaded.append(Path(name).read_bytes())
        assert Path(name).parent.stat().st_mode & 0o077 == 0
        return load(name)

    monkeypatch.setattr(ctypes, "CDLL", late)
    monkeypatch.setattr(cache, "_loaded", {})
    assert load_library(path).answer() == 7
    assert loaded == [library]
    assert names(directory) == ["name.so"]
    with pytest.raises(BuildError, match=r"must be the library that was built, and '.*' was alter"):
        load_library(path)


def test_damaged_file_is_built_again(compilers, directory, monkeypatch):
    network, spikes = make_network(), np.eye(64, dtype=int)[:, None]
    expected = compiled.run(network, spikes)
    before = names(directory)
    assert {Path(name).suffix for name in before} == {".so", ".note", ".o"}
    (library,) = directory.glob("*.so")
    data, built = read(library), []
    monkeypatch.setattr(builds, "_compile", lambda *arguments: built.append(arguments) or data)
    random = Random(0)
    for suffix, rebuilt in ((".so", 1), (".note", 0)):
        (path,) = directory.glob(f"*{suffix}")
        damaged = bytearray(path.read_bytes())
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        path.write_bytes(damaged)
        del built[:]
        assert not compiled.run(network, spikes).differences(expected)
        assert (names(directory), len(built)) == (before, rebuilt)
        assert read(path) is not None


def test_library_that_does_not_load_is_a_one_line_error(directory, monkeypatch):
    path = open_cache() / "name.so"
    keep(path, b"no library")
    with pytest.raises(BuildError, match="Compiled code must be a library that loads: "):
        load_library(path)
    assert names(directory) == ["name.so"]


def test_digest_covers_each_package_that_a_build_imports():
    code = (
        "import sys, spiker_hdl.simulate.compiled\n"
        "print(*(name for name in sys.modules if name.startswith('spiker_hdl.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.split(".")[1] for name in done.stdout.split()}
    assert imported == set(builds.SHAPING)


# -- whose it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o722, 0o1777], ids=oct)
def test_cache_that_others_can_write_is_refused(directory, mode):
    directory.mkdir()
    directory.chmod(mode)
    message = (
        "Cache of compiled libraries must be a directory of one's own that nobody else can "
        f"write, since libraries are loaded from it, not {str(directory)!r} (its owner is user "
        f"{os.getuid()}, its mode {mode & 0o777:o}); remove it, or SPIKER_CACHE may name another"
    )
    with pytest.raises(BuildError, match=f"^{re.escape(message)}$"):
        open_cache()
    directory.chmod(0o755)
    assert open_cache() == directory


def test_cache_of_another_user_is_refused(directory, monkeypatch):
    assert open_cache().stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "getuid", lambda: directory.stat().st_uid + 1)
    with pytest.raises(BuildError, match="must be a directory of one's own"):
        open_cache()


# -- processes -----------------------------------------------------------------------------------

BUILD = """\
import sys
sys.path.insert(0, {tests!r})
from support.small import make_network
from spiker_hdl.simulate.shared_library import build
build(make_network())
"""


def test_leftovers_of_a_killed_build_are_removed(compilers, directory):
    script = BUILD.format(tests=str(ROOT / "tests"))
    running = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    deadline = time.monotonic() + 60
    while not [*directory.glob(".build.*/harness.cpp")] and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert [*directory.glob(".build.*")]
    assert [*directory.glob("*.lock")]
    assert open_cache() == directory
    assert [name for name in names(directory) if not name.endswith(".o")] == []


def test_build_in_progress_is_left_alone(directory):
    open_cache()
    with cache.lone(directory / "key.lock"), cache.workplace(directory) as stage:
        (stage / "half").write_text("")
        open_cache()
        assert names(directory) == sorted([stage.name, "key.lock"])
        assert (stage / "half").exists()
    assert names(directory) == []


def test_one_process_at_a_time_holds_a_lock(directory):
    path = open_cache() / "key.lock"
    script = f"""\
import sys, time
from pathlib import Path
from spiker_hdl.base.compile_cache import lone
with lone(Path({str(path)!r})):
    with open({str(directory / "log")!r}, "a") as log:
        log.write("in "); log.flush(); time.sleep(0.05); log.write("out ")
"""
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert (directory / "log").read_text() == "in out " * 4
    assert names(directory) == ["log"]


def test_digest_covers_name_and_bytes():
    seal = cache._seal("a", b"bc")
    assert seal == hashlib.sha256(b"spiker-hdl 1\na\nbc").digest() + b"spiker-hdl 1\n"
