"""Bitstreams by the open tools, of a small network, and what is said of them."""

import pytest

from spiker_boards.builder.build import build_board, read_build
from spiker_boards.catalog import BOARDS
from spiker_boards.fit import estimate_board_area
from spiker_hdl.model import Mapping

from support.small import make_network


@pytest.mark.parametrize(
    "name, begin, min_bytes",
    [
        # A comment may stand before the word that starts a configuration: 7E AA 99 7E, and
        # BD B3 behind the preamble of ones.
        ("icebreaker", b"\x7e\xaa\x99\x7e", 100_000),
        ("ulx3s_25f", b"\xff\xff\xbd\xb3", 50_000),
    ],
)
def test_a_bitstream(name, begin, min_bytes, tmp_path):
    network = make_network(8)
    mapping = Mapping.folded(network, 1)
    target = BOARDS[name]
    build = build_board(network, target, tmp_path / "made", mapping=mapping)
    assert read_build(tmp_path / "made") == build
    data = (tmp_path / "made" / build["bitstream"]["file"]).read_bytes()
    assert begin in data[:400]
    assert len(data) > min_bytes
    assert build["fmax_hz"] >= build["clock_hz"] == target.frequency
    # What nextpnr makes of the settings of the PLL.
    log = (tmp_path / "made" / "place_and_route.log").read_text()
    assert f"Derived frequency constraint of {target.frequency / 1e6:.1f} MHz" in log
    luts = build["utilization"]["luts"]
    # Capacities are those of the device, and the estimate is near what was made.
    assert luts["available"] == target.capacity.luts
    assert build["utilization"]["block_rams"]["available"] == target.capacity.block_rams
    assert luts["used"] == pytest.approx(
        estimate_board_area(target, network, mapping).luts, rel=0.35
    )
    assert {"synthesis.log", "place_and_route.log"} <= {
        path.name for path in (tmp_path / "made").iterdir()
    }
    assert all(version[0].isdigit() for version in build["tools"].values())
