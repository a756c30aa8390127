"""Tests of directories that appear whole, and replace their like alone."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from spiker_boards.builder.build import EARLIER
from spiker_cli.commands.demo import DEMO
from spiker_hdl.base.files.atomic_directory import (
    NEW,
    Listing,
    digests,
    replacing,
    staging,
    write_files,
)
from spiker_hdl.export import emit
from spiker_hdl.export.export import EMISSION
from spiker_hdl.export.netlist.makefile import NETLIST

from support.small import make_network

THING = Listing("things.json", "thing", ("*.o", "obj/*"), (Listing("parts.json", "part"),))


def write_directory(atomic_directory, files, kind=THING):
    """Write a directory as all writers do."""
    with replacing(atomic_directory, kind) as stage:
        write_files(stage, files)
        write_files(stage, {kind.file: json.dumps({"files": digests(stage)})})


def tree(atomic_directory):
    """Return what is in a directory, by path."""
    return {
        path.relative_to(atomic_directory).as_posix(): path.read_bytes() if path.is_file() else None
        for path in atomic_directory.rglob("*")
    }


def test_an_earlier_one_is_replaced_whole(tmp_path):
    where = tmp_path / "deep" / "out"
    write_directory(where, {"a": "1", "b/c": "2", "b/d": "3"})
    for product in ("x.o", "obj/deep/y"):
        (where / product).parent.mkdir(parents=True, exist_ok=True)
        (where / product).write_text("made by a makefile")
    write_directory(where / "part", {"p": "4"}, THING.nested[0])
    os.chmod(where, 0o750)
    write_directory(where, {"a": "5", "e": "6"})
    assert sorted(tree(where)) == ["a", "e", "things.json"]
    assert (where / "a").read_text() == "5"
    assert where.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in where.parent.iterdir()] == ["out"]


ALTERATIONS = {
    "a file more": (lambda d: (d / "mine").write_text("x"), "mine"),
    "a hidden file": (lambda d: (d / ".git").mkdir(), ".git/nothing"),
    "a file more below": (lambda d: (d / "b" / "mine").write_text("x"), "b/mine"),
    "an empty directory": (lambda d: (d / "mine").mkdir(), "mine/nothing"),
    "another byte": (lambda d: (d / "a").write_text("2"), "a, which was altered"),
    "a link": (
        lambda d: [(d / "a").unlink(), (d / "a").symlink_to("b/same")],
        "a, which was altered",
    ),
    "a file less": (lambda d: (d / "a").unlink(), "a, which is missing"),
    "no listing": (lambda d: (d / "things.json").unlink(), "a"),
    "another listing": (lambda d: (d / "things.json").write_text("{}"), "a"),
    "a damaged listing": (lambda d: (d / "things.json").write_text("[" * 9000), "a"),
    "a file more in a part": (lambda d: (d / "part" / "mine").write_text("x"), "part/mine"),
}


@pytest.mark.parametrize(
    "what", [pytest.param(alteration, id=alteration) for alteration in ALTERATIONS]
)
def test_altered_directory_is_kept(tmp_path, what):
    alter, stranger = ALTERATIONS[what]
    where = tmp_path / "out"
    write_directory(where, {"a": "1", "b/same": "1"})
    write_directory(where / "part", {"p": "4"}, THING.nested[0])
    alter(where)
    before = tree(where)
    message = (
        f"Directory must be new, empty or an unaltered earlier thing, and {str(where)!r} holds "
        f"{stranger}: name another, or remove it"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_directory(where, {"a": "5"})
    assert tree(where) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_replaces_nothing(tmp_path):
    with replacing(tmp_path / "out", NEW) as stage:
        write_files(stage, {"a": "1"})
    message = f"Directory must be new or empty, and {str(tmp_path / 'out')!r} holds a: name another"
    with (
        pytest.raises(ValueError, match=f"^{re.escape(message)}"),
        replacing(tmp_path / "out", NEW),
    ):
        pass
    assert tree(tmp_path / "out") == {"a": b"1"}


def test_what_comes_meanwhile_stays(tmp_path):
    def late():
        with replacing(tmp_path / "out", THING) as stage:
            write_files(stage, {"a": "1"})
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine").write_text("mine")

    with pytest.raises(ValueError, match="holds mine: name another"):
        late()
    assert tree(tmp_path) == {"out": None, "out/mine": b"mine"}


def test_a_link_to_a_directory_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_directory(tmp_path / "link", {"a": "1"})
    assert (tmp_path / "link").is_symlink()
    assert sorted(tree(tmp_path / "real")) == ["a", "things.json"]


def test_where_one_is_nothing_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    for inside in (tmp_path, tmp_path / "below"):
        monkeypatch.chdir(inside)
        with pytest.raises(ValueError, match="must be another than that in which this runs"):
            write_directory(tmp_path, {"a": "1"})
    assert sorted(tree(tmp_path)) == ["below"]


@pytest.mark.parametrize("fails", ["write", "first", "second"])
def test_failed_write_leaves_the_old_directory(tmp_path, monkeypatch, fails):
    write_directory(tmp_path / "out", {"a": "1"})
    before = tree(tmp_path)
    replace, calls = os.replace, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == ("first", "second").index(fails) + 1:
            raise OSError(28, "No space left on device")
        return replace(*arguments)

    if fails == "write":
        monkeypatch.setattr(os, "fsync", _full)
    else:
        monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match=r"^Files must find room in '.*', not fail with: No space"):
        write_directory(tmp_path / "out", {"b": "2"})
    monkeypatch.undo()
    assert tree(tmp_path) == before


def _full(*_):
    raise OSError(28, "No space left on device")


KILLED = """\
import os, signal, sys
from spiker_hdl.base.files import atomic_directory as directory
from spiker_hdl.base.files.atomic_directory import Listing, replacing, write_files

replace = os.replace
def swap(a, b):
    if sys.argv[2] == "swapped":
        replace(a, b)
    os.kill(os.getpid(), signal.SIGKILL)
directory.os.replace = swap
with replacing(sys.argv[1], Listing("things.json", "thing")) as stage:
    write_files(stage, {"b": "2"})
"""


@pytest.mark.parametrize("when", ["written", "swapped"])
def test_leftovers_of_a_killed_process_are_removed_by_the_next(tmp_path, when):
    pytest.importorskip("fcntl")
    write_directory(tmp_path / "out", {"a": "1"})
    before = tree(tmp_path / "out")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "out", when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == (2 if when == "written" else 1)
    with staging(tmp_path, ".out.", tmp_path / "out") as stage:
        assert tree(tmp_path / "out") == before
        assert {path.name for path in tmp_path.iterdir()} == {"out", stage.name}
        with staging(tmp_path, ".out.", tmp_path / "out"):
            assert stage.is_dir()  # it is in use
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_emissions_into_one_directory_leave_the_second(tmp_path):
    for name in ("first", "second"):
        emit(make_network(), tmp_path / "out", name=name, memories="inline", generated=0)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["top"] == "second"
    assert set(tree(tmp_path / "out")) == {*manifest["files"], "manifest.json"}
    # What makefiles make and a netlist are no strangers.
    out = tmp_path / "out"
    (out / "second_tb.vvp").write_text("made by make sim")
    write_directory(out / "ice40", {"second.v": "1", "Makefile": "2"}, NETLIST)
    (out / "ice40" / "obj").mkdir()
    (out / "ice40" / "obj" / "sim").write_text("made there")
    emit(make_network(), out, name="second", memories="inline", generated=0)
    assert set(tree(out)) == {*manifest["files"], "manifest.json"}
    (out / "second.v").write_text("mine")
    with pytest.raises(ValueError, match=r"holds second\.v, which was altered: name another"):
        emit(make_network(), tmp_path / "out", generated=0)


def test_every_kind_is_known_by_a_file_of_its_own():
    kinds = [EMISSION, EARLIER, DEMO, NETLIST]
    assert len({kind.file for kind in kinds}) == len({kind.what for kind in kinds}) == len(kinds)


def test_digests_are_of_every_file(tmp_path):
    write_files(tmp_path, {"a": b"1", "b/c": "2"})
    expected = {"a": b"1", "b/c": b"2"}
    assert digests(tmp_path) == {k: hashlib.sha256(v).hexdigest() for k, v in expected.items()}
