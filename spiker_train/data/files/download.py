"""Downloads with checksums, which go on after a cut, and appear whole or not at all."""

import hashlib
import http.client
import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from spiker_hdl.base import FileError, reader
from spiker_train.training.progress import progress_bar

__all__ = ["Download", "download", "verify"]

CHUNK = 2**18
ATTEMPTS = 4
TIMEOUT = 30.0
MAX_SIZE = 2**36


@dataclass(frozen=True)
class Download:
    """A file that is published.

    Members
    -------
    name : str
        Name of the file in the cache.
    url : str
        Address, of http or https.
    checksum : str
        Such as ``"sha256:..."`` or ``"md5:..."``, in hexadecimal; or empty, where none is published
        and the contents are checked otherwise.
    """

    name: str
    url: str
    checksum: str


@reader("a file that was downloaded", "")
def verify(path: Path, checksum: str, remedy: str = "") -> None:
    """Raise :exc:`FileError` unless a file has the checksum."""
    if not checksum:
        return
    kind, _, expected = checksum.partition(":")
    with open(path, "rb") as file:
        actual = hashlib.file_digest(file, kind).hexdigest()
    if actual != expected.lower():
        raise FileError(f"must have the checksum {checksum}, not {kind}:{actual}{remedy}")


def download(
    item: Download, folder: Path, *, progress: bool = True, attempts: int = ATTEMPTS
) -> Path:
    """Return the path of a file in a folder, which is downloaded if it is not there.

    What arrived before a connection was cut is kept as ``NAME.part``, and the next attempt, or the
    next call, asks for the rest. A file takes its name only once its checksum is right.

    Parameters
    ----------
    item : Download
    folder : Path
        Made if it is not there.
    progress : bool
        Whether to show progress: a bar on a terminal, else a line now and then.
    attempts : int
        How often to ask in one call.

    Raises
    ------
    FileError
        If the file has another checksum; what was downloaded is removed.
    OSError
        If it cannot be downloaded, or the folder cannot be written.
    """
    if urlsplit(item.url).scheme not in {"http", "https"}:
        raise ValueError(f"URL must be of http or https, not {item.url!r}")
    path = folder / item.name
    if path.is_file():
        verify(path, item.checksum, ": remove it, and it is downloaded again")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{item.name}.part"
    for attempt in range(attempts):
        try:
            _fetch(item, part, progress)
            break
        except (OSError, http.client.HTTPException) as error:
            final = isinstance(error, HTTPError) and error.code not in {408, 429, 500, 502, 503}
            if final or attempt + 1 == attempts:
                reason = getattr(error, "reason", None) or error
                raise ConnectionError(f"{item.url} must be reachable, not fail: {reason}") from None
            time.sleep(min(0.1 * 4**attempt, 5.0))
    try:
        verify(part, item.checksum)
    except FileError as error:
        part.unlink()
        raise FileError(error.problem, item.url) from None
    os.replace(part, path)
    return path


def _fetch(item: Download, part: Path, progress: bool) -> None:
    """Append to the part of a file what it lacks; raise an error where the connection is cut."""
    begun = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "spiker"} | ({"Range": f"bytes={begun}-"} if begun else {})
    try:
        response = urlopen(Request(item.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and begun:  # nothing is left to send: the checksum decides
            return
        raise
    with response:
        # A server that knows no ranges sends the whole file again.
        resumed = response.status == 206
        begun = begun if resumed else 0
        length = response.headers.get("Content-Length")
        total = begun + int(length) if length and length.isdecimal() else None
        if total is not None and total > MAX_SIZE:
            raise URLError(f"{total} bytes, which are more than {MAX_SIZE}")
        blocks = 1 if total is None else max(1, -(-(total - begun) // CHUNK))
        with (
            open(part, "ab") as file,
            progress_bar(progress, item.name, blocks) as advance,
        ):
            size = begun
            file.truncate(begun)
            while block := response.read(CHUNK):
                file.write(block)
                size += len(block)
                advance()
                if size > MAX_SIZE:
                    raise URLError(f"more than {MAX_SIZE} bytes")
    if total is not None and size < total:
        raise URLError(f"cut after {size} of {total} bytes")
