"""Files of event cameras: N-MNIST's, AEDAT 2 and AEDAT 4.

The channels of a camera have the axes polarity (0 OFF, 1 ON), y and x. Times are from the first
event on, but for N-MNIST, whose recordings begin at 0.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from spiker_hdl.base import FileError, read_bytes, reader
from spiker_hdl.base.checks import check_choice
from spiker_train.data.events import MAX_DURATION, Events

__all__ = ["CAMERAS", "NMNIST_SHAPE", "parse_nmnist", "read_aedat", "read_nmnist"]

MICROSECONDS = 10**6
CAMERAS = {
    "DVS128": (128, 128),
    "DAVIS240": (180, 240),
    "DAVIS346": (260, 346),
    "DAVIS640": (480, 640),
}
"""Height and width of the cameras whose addresses AEDAT 2 files are decoded for."""

NMNIST_SHAPE = (2, 34, 34)


def read_nmnist(path: str | Path) -> Events:
    """Read a recording of N-MNIST (Orchard et al., 2015), of 34x34 pixels.

    An event has five bytes: x, y, and 24 bits of which the highest is the polarity and the others
    are the time in microseconds.

    Raises
    ------
    FileError
        If the size is not that of whole events, or a pixel is outside.
    OSError
        If the file cannot be read.
    """
    return _nmnist(path)


@reader("a recording of N-MNIST, five bytes an event", "")
def _nmnist(path: str | Path) -> Events:
    ticks, channels = parse_nmnist(read_bytes(path, 2**28))
    return _events(ticks, channels, NMNIST_SHAPE)


def parse_nmnist(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the times in microseconds and the channels of a recording of N-MNIST.

    Raises
    ------
    FileError
        If the size is not that of whole events, or a pixel is outside.
    """
    if not data or len(data) % 5:
        raise FileError(f"must have five bytes for each of its events, not {len(data)} bytes")
    x, y, high, middle, low = np.frombuffer(data, np.uint8).reshape(-1, 5).T.astype(np.int64)
    ticks = (high & 127) << 16 | middle << 8 | low
    channels = np.stack([high >> 7, y, x], axis=1)
    if int(max(x.max(), y.max())) > 33:
        raise FileError(f"must have pixels in 0..33, not {int(max(x.max(), y.max()))}")
    return ticks, channels


def read_aedat(path: str | Path, camera: str | None = None) -> Events:
    """Read the events of an AEDAT file of version 2 or 4, as its first line says.

    Version 2.0 is of jAER, as iniVation describes the format: an event has an address and a time in
    microseconds, of 32 bits each, big-endian. Of a DVS128, bits 14..8 of the address are y, 7..1
    are x, and bit 0 is the polarity; y = 0 is the lowest row. Of a DAVIS, bits 30..22 are y, 21..12
    are x, and bit 11 is the polarity. Samples of frames and of the motion sensor, and external
    events, are left out. A time that runs over 32 bits goes on.

    Version 4 is of DV, and is read by the library aedat.

    Parameters
    ----------
    path : str or Path
    camera : str, optional
        One of :data:`CAMERAS`, for files of version 2 whose header does not name it by
        ``# AEChip: ...``.

    Raises
    ------
    ValueError
        If the camera is unknown.
    FileError
        If the file is of another version, not whole, has no event, or one outside the camera; or
        if it is of version 4 and the library is not installed.
    OSError
        If it cannot be read.
    """
    if camera is not None:
        check_choice("Camera", camera, CAMERAS)
    return _aedat(path, camera)


@reader("an AEDAT file of version 2 or 4", "")
def _aedat(path: str | Path, camera: str | None) -> Events:
    data = read_bytes(path)
    if data.startswith(b"#!AER-DAT2.0"):
        return _aedat2(data, camera)
    if data.startswith(b"#!AER-DAT4.0"):
        return _aedat4(path)
    raise FileError(f"must begin with #!AER-DAT2.0 or #!AER-DAT4.0, not {data[:14]!r}")


def _aedat2(data: bytes, camera: str | None) -> Events:
    at, lines = 0, []
    while data[at : at + 1] == b"#":
        end = data.find(b"\n", at)
        if end < 0:
            raise FileError("must have a header of whole lines, not one that is cut")
        lines.append(data[at:end].decode("latin-1").strip())
        at = end + 1
    camera = camera or _camera(lines)
    if (len(data) - at) % 8 or at == len(data):
        raise FileError(f"must have eight bytes for each of its events, not {len(data) - at}")
    address, times = np.frombuffer(data, ">u4", offset=at).reshape(-1, 2).T.astype(np.int64)
    # A step down by more than half of the range is a counter that has run over.
    ticks = times + 2**32 * np.cumsum(np.diff(times, prepend=times[0]) < -(2**31))
    if camera == "DVS128":
        seen = (address >> 15) & 1 == 0
        y, x, polarity = (address >> 8) & 127, (address >> 1) & 127, address & 1
    else:
        seen = (address >> 31 == 0) & ((address >> 10) & 1 == 0)
        y, x, polarity = (address >> 22) & 511, (address >> 12) & 1023, (address >> 11) & 1
    if not seen.any():
        raise FileError("must have an event of a pixel, not only others")
    height, width = CAMERAS[camera]
    if int(x[seen].max()) >= width or int(y[seen].max()) >= height:
        raise FileError(
            f"must have pixels of a {camera}, {width}x{height}, not "
            f"{int(x[seen].max())},{int(y[seen].max())}"
        )
    channels = np.stack([polarity, y, x], axis=1)[seen]
    return _events(ticks[seen] - ticks[seen].min(), channels, (2, height, width))


def _camera(lines: list[str]) -> str:
    chips = [line.partition("AEChip:")[2].strip() for line in lines if "AEChip:" in line]
    named = chips[-1].rpartition(".")[2] if chips else ""
    for camera in CAMERAS:
        if named.upper().startswith(camera):
            return camera
    raise FileError(
        f"must name a camera of {', '.join(CAMERAS)} by # AEChip: (or pass camera=), "
        f"not {named or 'none'!r}"
    )


def _aedat4(path: str | Path) -> Events:
    if find_spec("aedat") is None:
        raise FileError(
            "must be of version 2 where the library aedat is not installed, not 4: "
            "pip install 'spiker-hdl[events]'"
        )
    try:
        return _decoded(import_module("aedat"), path)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust raises is no Exception
            raise
        raise FileError(f"must be a whole AEDAT 4 file, not one with: {error}") from None


def _decoded(aedat: Any, path: str | Path) -> Events:
    decoder = aedat.Decoder(str(path))
    streams = {
        number: stream
        for number, stream in decoder.id_to_stream().items()
        if stream.get("type") == "events"
    }
    if len(streams) != 1:
        raise FileError(f"must have one stream of events, not {len(streams)}")
    ((number, stream),) = streams.items()
    packets = [packet["events"] for packet in decoder if packet["stream_id"] == number]
    if not sum(map(len, packets)):
        raise FileError("must have an event, not none")
    events: Any = np.concatenate(packets)
    names = ("on", "y", "x")
    channels = np.stack([events[name].astype(np.int64) for name in names], axis=1)
    shape = (2, int(stream["height"]), int(stream["width"]))
    ticks = events["t"].astype(np.int64)
    return _events(ticks - ticks.min(), channels, shape)


def _events(ticks: np.ndarray, channels: np.ndarray, shape: tuple[int, ...]) -> Events:
    """Return events of times in microseconds, of a recording that ends after the last of them."""
    duration = (int(ticks.max()) + 1) / MICROSECONDS
    if duration > MAX_DURATION:
        raise FileError(f"must last at most {MAX_DURATION:g} s, not {duration}")
    return Events(ticks / MICROSECONDS, channels, shape, duration)
