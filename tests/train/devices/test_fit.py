"""Tests of devices that are fitted to tables of measurements."""

import numpy as np
import pytest
import torch

from spiker_hdl.base import FileError
from spiker_train import Device, GaussianNoise, PowerLawDrift, fit_device, generator


def write(path, header, rows):
    """Write a table of measurements."""
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def programming(path):
    """Write cells of four targets of a known device."""
    device = Device(high=20e-6, programming=GaussianNoise(absolute=0.2e-6, relative=0.05))
    target = torch.tensor([1e-6, 5e-6, 10e-6, 20e-6]).repeat(400)
    cells = device.program(target, generator(1)).read(generator(2))
    return write(
        path, "target_siemens,measured_siemens", zip(target.tolist(), cells.tolist(), strict=True)
    )


def drift(path):
    """Write devices over five decades of time."""
    device = Device(high=20e-6, drift=PowerLawDrift(exponent=0.06, deviation=0.01, start=10))
    programmed = device.program(torch.full((200,), 15e-6), generator(1))
    rows = [
        (f"cell {n}", seconds, value)
        for seconds in (10.0, 1e3, 1e5, 1e6)
        for n, value in enumerate(programmed.at(seconds).conductance.tolist())
    ]
    return write(path, "device,seconds,siemens", rows)


def test_fit_returns_the_device_that_was_measured(tmp_path):
    fit = fit_device(programming(tmp_path / "p.csv"), drift(tmp_path / "d.csv"))
    device = fit.device
    assert device.high == pytest.approx(20e-6)
    assert device.levels.values == pytest.approx((1e-6, 5e-6, 10e-6, 20e-6))
    assert fit.programming[:, 2] == pytest.approx(
        [np.hypot(0.2e-6, 0.05 * target) for target in (1e-6, 5e-6, 10e-6, 20e-6)], rel=0.1
    )
    assert device.drift.exponent == pytest.approx(0.06, abs=0.002)
    assert device.drift.deviation == pytest.approx(0.01, rel=0.15)
    assert device.drift.start == 10
    assert "p.csv, d.csv" in device.source
    cells = device.program(torch.full((2000,), 10e-6), generator(3)).conductance
    assert float(cells.std()) == pytest.approx(fit.programming[2, 2], rel=0.1)


def test_picture_has_the_band_of_the_fit(tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    drawn = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    fit_device(programming(tmp_path / "p.csv"), drift(tmp_path / "d.csv")).picture("fit.png")
    first, second = drawn[0].axes
    corners = first.collections[0].get_paths()[0].vertices
    ends = corners[corners[:, 0] > 19.99, 1]
    assert (ends.min(), ends.max()) == pytest.approx((-1.02, 1.02), rel=0.1)  # of 20 uS
    assert len(first.lines[0].get_xdata()) == 1600
    middle = second.lines[-1]
    assert middle.get_xdata()[[0, -1]].tolist() == pytest.approx([10, 1e6])
    assert middle.get_ydata()[-1] / middle.get_ydata()[0] == pytest.approx(1e5**-0.06, rel=0.03)


def test_picture_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    fit_device(programming(tmp_path / "p.csv"), drift(tmp_path / "d.csv")).picture(
        tmp_path / "fit.png"
    )
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


P, D = "target_siemens,measured_siemens", "device,seconds,siemens"


@pytest.mark.parametrize(
    "header, rows, message",
    [
        ("a,b", [(1, 2)], r"line 1 must be 'target_siemens,measured_siemens' or .*, not 'a,b'"),
        (P, [], "there must be at least one line of measurements, not none"),
        (P, [(1e-6, 1e-6), (1e-6,)], "line 3 must have 2 columns, not 1"),
        (P, [(1e-6, "x")], "line 2: measured_siemens must be a number, not 'x'"),
        (P, [(1e-6, 1e-6), (-1, 1e-6)], "line 3: target_siemens must be finite and at least 0"),
        (P, [("nan", 1e-6)], "line 2: target_siemens must be finite and at least 0, not nan"),
        (D, [("a", 0, 1e-6)], "line 2: seconds must be finite and greater than 0, not 0"),
        (
            D,
            [("a", 5, 1e-6), ("a", 3, 1e-6)],
            "line 3: seconds of device 'a' must increase from line to line, not from 5 to 3",
        ),
        (D, [("a", 5, 0)], "line 2: siemens must be greater than 0 for drift, not 0"),
        (P, [(0, 0), (0, 1e-9)], "there must be a target greater than 0, not 0 alone"),
        (D, [("a", 5, 1e-6)], "device 'a' must have at least two times, not one"),
    ],
)
def test_bad_tables_are_refused_with_their_line(header, rows, message, tmp_path):
    path = write(tmp_path / "x.csv", header, rows)
    with pytest.raises(FileError, match=message) as caught:
        fit_device(path)
    assert str(path) in str(caught.value)


def test_blank_lines_of_a_table_are_counted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"{D}\n\na,5,1e-6\n\n\na,3,1e-6\n")
    with pytest.raises(FileError, match="line 6: seconds of device 'a' must increase"):
        fit_device(path)
    path.write_text(f"{D}\n\na,5,0\n")
    with pytest.raises(FileError, match="line 3: siemens must be greater than 0 for drift"):
        fit_device(path)


def test_exponents_of_drift_have_the_deviation_of_a_sample(tmp_path):
    exponents = {"a": 0.04, "b": 0.06, "c": 0.08}
    rows = [
        (name, seconds, 20e-6 * seconds**-exponent)
        for name, exponent in exponents.items()
        for seconds in (1, 100)
    ]
    law = fit_device(write(tmp_path / "x.csv", D, rows)).device.drift
    # Of three exponents that are 0.02 apart, with n - 1 in the divisor: (2 * 0.02**2 / 2)**0.5.
    assert (law.exponent, law.deviation) == pytest.approx((0.06, 0.02), rel=1e-9)
    alone = fit_device(write(tmp_path / "y.csv", D, rows[:2])).device.drift
    assert (alone.exponent, alone.deviation) == pytest.approx((0.04, 0), rel=1e-9)


def test_cells_beside_their_target_count_as_noise(tmp_path):
    rows = [(target, 1.1 * target) for target in (1e-6, 2e-6) for _ in range(3)]
    fit = fit_device(write(tmp_path / "x.csv", P, rows))
    assert fit.programming[:, 1] == pytest.approx([1.1e-6, 2.2e-6])
    assert fit.programming[:, 2] == pytest.approx([1e-7, 2e-7])


def test_table_of_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(f"\ufeff{P}\r\n1e-6,1.1e-6\r\n2e-6,1.9e-6\r\n".encode())
    assert fit_device(path).device.levels.values == (1e-6, 2e-6)


def test_files_of_one_kind_and_no_files_are_refused(tmp_path):
    path = write(tmp_path / "x.csv", P, [(1e-6, 1e-6)])
    with pytest.raises(ValueError, match="Measurements of programming must be in one file"):
        fit_device(path, path)
    with pytest.raises(ValueError, match="Measurements must be in at least one file"):
        fit_device()
