"""Tests of downloads: checksums, cut connections, and what is left behind."""

import hashlib
import re

import pytest

from spiker_hdl.base import FileError
from spiker_train.data.files import download as module
from spiker_train.data.files.download import Download, download

from support.file_server import serving

DATA = bytes(range(256)) * 40
SHA = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


def item(address, checksum=SHA):
    return Download("file.bin", f"{address}file.bin", checksum)


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_file_is_downloaded_once(tmp_path, kind):
    checksum = f"{kind}:{hashlib.new(kind, DATA).hexdigest()}"
    with serving({"file.bin": DATA}) as (address, asked):
        path = download(item(address, checksum), tmp_path / "new", progress=False)
        assert path.read_bytes() == DATA
        assert download(item(address, checksum), tmp_path / "new") == path
    assert asked == [""]
    assert [file.name for file in path.parent.iterdir()] == ["file.bin"]


def test_cut_connection_goes_on_where_it_was_cut(tmp_path):
    with serving({"file.bin": DATA}, cuts=[1000, 3000]) as (address, asked):
        path = download(item(address), tmp_path, progress=False)
    assert path.read_bytes() == DATA
    assert asked == ["", "bytes=1000-", "bytes=4000-"]


def test_server_without_ranges_sends_the_whole_file_again(tmp_path):
    with serving({"file.bin": DATA}, cuts=[1000], ranges=False) as (address, asked):
        path = download(item(address), tmp_path, progress=False)
    assert path.read_bytes() == DATA
    assert asked == ["", "bytes=1000-"]


def test_next_call_goes_on_after_an_interruption(tmp_path):
    with serving({"file.bin": DATA}, cuts=[1000] * 2) as (address, asked):
        with pytest.raises(ConnectionError, match=r"must be reachable, not fail: cut after 2000"):
            download(item(address), tmp_path, progress=False, attempts=2)
        assert [file.name for file in tmp_path.iterdir()] == ["file.bin.part"]
        assert download(item(address), tmp_path, progress=False).read_bytes() == DATA
    assert asked[-1] == "bytes=2000-"


def test_whole_part_that_was_left_is_verified(tmp_path):
    (tmp_path / "file.bin.part").write_bytes(DATA)
    with serving({"file.bin": DATA}) as (address, asked):
        assert download(item(address), tmp_path, progress=False).read_bytes() == DATA
    assert asked == [f"bytes={len(DATA)}-"]


def test_wrong_checksum_is_refused_and_nothing_is_left(tmp_path):
    wrong = DATA[:-1] + b"x"
    message = f"/file.bin: must have the checksum {SHA}, not sha256:"
    with serving({"file.bin": wrong}) as (address, _):
        with pytest.raises(FileError, match=re.escape(message)):
            download(item(address), tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_altered_file_in_the_cache_is_refused_and_kept(tmp_path):
    (tmp_path / "file.bin").write_bytes(DATA[:-1])
    with pytest.raises(FileError, match=r"file\.bin: must have .*: remove it, and it is downloa"):
        download(item("http://127.0.0.1:9/"), tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == DATA[:-1]


@pytest.mark.parametrize("status, requests", [(404, 1), (403, 1), (503, 4)])
def test_server_that_refuses_is_asked_again_if_that_may_help(tmp_path, status, requests):
    with serving({"file.bin": DATA}, status=status) as (address, asked):
        with pytest.raises(ConnectionError, match=r"^http://.*/file\.bin must be reachable, not"):
            download(item(address), tmp_path, progress=False)
    assert len(asked) == requests


def test_addresses_of_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^URL must be of http or https, not 'file:///etc/x'$"):
        download(Download("x", "file:///etc/x", SHA), tmp_path)
