"""Devices fitted to tables of measurements."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.checks import shown
from spiker_hdl.base.files.reading import read_text

from .checks import check_number
from .curves import Table, value_of
from .device import Device
from .drift import PowerLawDrift
from .levels import MeasuredLevels
from .noise import GaussianNoise

__all__ = ["COLUMNS", "Fit", "fit_device", "read_measurements"]

COLUMNS = {
    "programming": ("target_siemens", "measured_siemens"),
    "drift": ("device", "seconds", "siemens"),
}
"""Columns of a table of each kind, which its first line names."""

MOST_BYTES = 2**28


@dataclass(frozen=True)
class Fit:
    """A device that was fitted to measurements.

    Members
    -------
    device : Device
    programming : array of float, shape (targets, 4), or None
        By target: the target, mean and standard deviation in siemens, and the number of cells.
    drift : array of float, shape (devices, 3), or None
        By device: conductance at the start in siemens, exponent, and the root mean square of the
        differences of the logarithms.
    measured : dict of str to array
        The measurements by kind, with the columns of :data:`COLUMNS`.
    """

    device: Device
    programming: np.ndarray | None
    drift: np.ndarray | None
    measured: dict[str, np.ndarray]

    def picture(self, path: str | Path) -> None:
        """Draw the measurements and the fit, and write them as a picture, such as a PNG file.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from matplotlib.figure import Figure

        kinds = list(self.measured)
        figure = Figure(figsize=(5 * len(kinds), 4), layout="constrained")
        axes = figure.subplots(1, len(kinds), squeeze=False)[0]
        for kind, axis in zip(kinds, axes, strict=True):
            _PICTURES[kind](self, axis)
        figure.savefig(path, dpi=120)


def fit_device(*paths: str | Path, high: float | None = None, low: float = 0.0) -> Fit:
    r"""Fit a device to tables of measurements in CSV files.

    The first line of a file names its columns, which decide what is fitted; conductances are in
    siemens and times in seconds:

    ``target_siemens,measured_siemens``
        Programming: one line for each cell. The targets become the levels, and the standard
        deviation of the cells of each target the noise of programming, interpolated between.
    ``device,seconds,siemens``
        Drift: at least two times for each device. A straight line through :math:`\ln G` over
        :math:`\ln t` gives the exponent of each device; their mean and standard deviation are those
        of a power law that starts at the earliest time.

    Parameters
    ----------
    *paths : str or Path
        One file of each kind at most.
    high, low : float, optional
        Range of the device in siemens; the greatest target or conductance where none is given.

    Raises
    ------
    FileError
        If a file is no such table, with its line.
    ValueError
        If two files are of the same kind, or there is none.
    """
    if not paths:
        raise ValueError("Measurements must be in at least one file")
    measured: dict[str, np.ndarray] = {}
    for path in paths:
        kind, table = read_measurements(path)
        if kind in measured:
            raise ValueError(f"Measurements of {kind} must be in one file, not also in {path}")
        measured[kind] = table
    greatest = max(
        float(table[:, 0 if kind == "programming" else 2].max()) for kind, table in measured.items()
    )
    high = greatest if high is None else check_number("Greatest conductance", high, above=0)
    stages: dict[str, Any] = {}
    programming = drift = None
    if "programming" in measured:
        programming = _programming(measured["programming"])
        targets, deviations = programming[:, 0], programming[:, 2]
        curve = Table(tuple(targets / high), tuple(deviations / high))
        stages["programming"] = GaussianNoise(curve=curve)
        if len(targets) > 1:
            stages["levels"] = MeasuredLevels(tuple(targets))
    if "drift" in measured:
        table = measured["drift"]
        drift, start = _drift(table), float(table[:, 1].min())
        deviation = float(drift[:, 1].std(ddof=1)) if len(drift) > 1 else 0.0
        stages["drift"] = PowerLawDrift(
            exponent=float(drift[:, 1].mean()), deviation=deviation, start=start
        )
    source = "fit of " + ", ".join(Path(path).name for path in paths)
    return Fit(Device(high=high, low=low, source=source, **stages), programming, drift, measured)


@reader("a table of measurements in CSV", "text")
def read_measurements(path: str | Path) -> tuple[str, np.ndarray]:
    """Return the kind of a table, and its numbers with a row for each line.

    Raises
    ------
    FileError
        If the columns are not those of a kind, or a line has no such numbers.
    """
    # Spreadsheets write a byte order mark in front of the first name.
    lines = csv.reader(StringIO(read_text(path, MOST_BYTES).removeprefix("\ufeff")))
    header = tuple(name.strip() for name in next(lines, []))
    kinds = {columns: kind for kind, columns in COLUMNS.items()}
    if header not in kinds:
        known = " or ".join(repr(",".join(columns)) for columns in kinds)
        raise FileError(f"line 1 must be {known}, not {shown(','.join(header))}")
    kind, rows, numbers = kinds[header], [], []
    names: dict[str, int] = {}
    for cells in lines:
        if cells:
            numbers.append(lines.line_num)
            rows.append(_row(cells, numbers[-1], header, names))
    if not rows:
        raise FileError("there must be at least one line of measurements, not none")
    table = np.array(rows)
    if kind == "drift":
        _check_drift(table, numbers, list(names))
    elif not table[:, 0].any():
        raise FileError("there must be a target greater than 0, not 0 alone")
    return kind, table


def _row(
    cells: Sequence[str], line: int, header: Sequence[str], names: dict[str, int]
) -> list[float]:
    """Return the numbers of a line; devices are numbered in the order of their names."""
    if len(cells) != len(header):
        raise FileError(f"line {line} must have {len(header)} columns, not {len(cells)}")
    row = []
    for name, cell in zip(header, cells, strict=True):
        if name == "device":
            row.append(float(names.setdefault(cell.strip(), len(names))))
            continue
        try:
            number = float(cell)
        except ValueError:
            raise FileError(
                f"line {line}: {name} must be a number, not {shown(cell.strip())}"
            ) from None
        if not isfinite(number) or number < 0 or (name == "seconds" and number == 0):
            least = "greater than 0" if name == "seconds" else "at least 0"
            raise FileError(f"line {line}: {name} must be finite and {least}, not {number:g}")
        row.append(number)
    return row


def _check_drift(table: np.ndarray, lines: Sequence[int], names: list[str]) -> None:
    last: dict[float, float] = {}
    for line, (device, seconds, siemens) in zip(lines, table, strict=True):
        if siemens == 0:
            raise FileError(f"line {line}: siemens must be greater than 0 for drift, not 0")
        if seconds <= last.get(device, 0.0):
            raise FileError(
                f"line {line}: seconds of device {shown(names[int(device)])} must increase from "
                f"line to line, not from {last[device]:g} to {seconds:g}"
            )
        last[device] = seconds
    for device in last:
        if (table[:, 0] == device).sum() < 2:
            raise FileError(
                f"device {shown(names[int(device)])} must have at least two times, not one"
            )


def _programming(table: np.ndarray) -> np.ndarray:
    rows = []
    for target in np.unique(table[:, 0]):
        cells = table[table[:, 0] == target, 1]
        deviation = float(np.sqrt(np.mean((cells - target) ** 2)))
        rows.append((target, cells.mean(), deviation, len(cells)))
    return np.array(rows)


def _drift(table: np.ndarray) -> np.ndarray:
    start, rows = table[:, 1].min(), []
    for device in np.unique(table[:, 0]):
        part = table[table[:, 0] == device]
        x, y = np.log(part[:, 1] / start), np.log(part[:, 2])
        slope, offset = np.polyfit(x, y, 1)
        rows.append((np.exp(offset), -slope, np.sqrt(np.mean((offset + slope * x - y) ** 2))))
    return np.array(rows)


def _draw_programming(fit: Fit, axis: Any) -> None:
    assert fit.programming is not None
    high = fit.device.high
    table, targets, deviations = fit.measured["programming"], *fit.programming.T[[0, 2]]
    g = torch.linspace(0, float(targets.max()), 200).double()
    sigma = (high * value_of(fit.device.programming.curve, g / high)).numpy()
    axis.plot(table[:, 0] * 1e6, (table[:, 1] - table[:, 0]) * 1e6, ".", ms=3, label="cells")
    axis.plot(targets * 1e6, deviations * 1e6, "o", label="standard deviation")
    axis.fill_between(g.numpy() * 1e6, -sigma * 1e6, sigma * 1e6, alpha=0.25, label="fit")
    axis.set(
        xlabel="target conductance (uS)",
        ylabel="difference from the target (uS)",
        title="programming",
    )
    axis.legend()


def _draw_drift(fit: Fit, axis: Any) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    assert fit.drift is not None
    table, law = fit.measured["drift"], fit.device.drift
    times = np.geomspace(law.start, table[:, 1].max(), 100)
    for device, (start, exponent, _) in enumerate(fit.drift[:50]):
        part = table[table[:, 0] == device]
        names = {} if device else {"dots": "devices", "line": "a line for each"}
        axis.plot(part[:, 1], part[:, 2] * 1e6, "C0.", ms=4, label=names.get("dots"))
        fitted = start * (times / law.start) ** -exponent
        axis.plot(times, fitted * 1e6, "C0-", lw=0.6, alpha=0.5, label=names.get("line"))
    middle = float(np.median(fit.drift[:, 0])) * 1e6
    ends = [
        middle * (times / law.start) ** -(law.exponent + law.deviation * side)
        for side in (-1, 0, 1)
    ]
    axis.fill_between(times, ends[0], ends[2], color="C1", alpha=0.25, label="deviation", zorder=3)
    axis.plot(times, ends[1], "C1-", label="fit, from the median", zorder=4)
    axis.legend(loc="lower left")
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="time after programming (s)",
        ylabel="conductance (uS)",
        title=f"drift: exponent {law.exponent:.3g} +- {law.deviation:.2g}",
    )
    # Less than a decade: powers of ten alone would leave most of the axis without a number.
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 3, 5, 7)))
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.yaxis.set_minor_formatter(NullFormatter())


_PICTURES = {"programming": _draw_programming, "drift": _draw_drift}
