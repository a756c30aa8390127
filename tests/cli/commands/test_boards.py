# amaranth: UnusedElaboratable=no

"""Tests of what boards say of themselves, of their clocks, and of `spiker boards`."""

import json
import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment, IOPort
from amaranth.lib import io

from spiker_boards.catalog import BOARDS
from spiker_boards.gateware.pll import Clock, find_dividers
from spiker_boards.gateware.top import request
from spiker_hdl.tools.families import FAMILIES

WANTED = {
    "icebreaker",
    "ulx3s_25f",
    "ulx3s_45f",
    "ulx3s_85f",
    "orangecrab",
    "colorlight_i5",
    "tang_nano_9k",
    "tang_nano_20k",
    "arty_a7_35",
    "arty_z7_20",
    "pynq_z2",
    "de10_nano",
}

# Clock; receiver and transmitter, or D+, D- and the pull-up; by the boards' documents.
PINS = {
    "icebreaker": ("35", "6", "9"),
    "ulx3s_25f": ("G2", "M1", "L4"),
    "ulx3s_45f": ("G2", "M1", "L4"),
    "ulx3s_85f": ("G2", "M1", "L4"),
    "orangecrab": ("A9", "N1", "M2", "N2"),
    "colorlight_i5": ("P3", "H18", "J17"),
    "tang_nano_9k": ("52", "18", "17"),
    "tang_nano_20k": ("4", "70", "69"),
    "arty_a7_35": ("E3", "A9", "D10"),
    "arty_z7_20": ("H16", "Y16", "Y19"),
    "pynq_z2": ("H16", "Y16", "Y19"),
    "de10_nano": ("V11", "AG13", "AF13"),
}


class Constraints:
    """A platform that takes constraints, and no more."""

    def add_clock_constraint(self, clock, frequency):
        self.frequency = frequency


def test_the_boards_there_are():
    assert set(BOARDS) == WANTED
    assert all(name == board.name for name, board in BOARDS.items())
    assert {board.family for board in BOARDS.values()} == set(FAMILIES)
    assert not any(board.touched for board in BOARDS.values())
    assert [board.name for board in BOARDS.values() if board.zynq] == ["arty_z7_20", "pynq_z2"]


@pytest.mark.parametrize("name", BOARDS)
def test_pins_and_clock_are_those_of_the_board(name):
    target = BOARDS[name]
    platform = target.platform()
    assert platform.lookup(*target.clock).clock.frequency == target.oscillator
    pins = (target.clock, target.port, *target.leds, target.reset)
    clock, link, *others = request(platform, pins)
    inward, outward, both = io.Direction.Input, io.Direction.Output, io.Direction.Bidir
    expected = {"rx": inward, "tx": outward}
    if target.usb is not None:
        expected = {"d_p": both, "d_n": both, "pullup": outward}
    ports = [clock, *(getattr(link, part) for part in expected)]
    assert tuple(port.io.metadata[0].name for port in ports) == PINS[name]
    assert [port.direction for port in ports] == [inward, *expected.values()]
    names = [port.io.metadata[0].name for port in (*ports, *others)]
    assert len(set(names)) == len(names)
    assert target.document.startswith("https://")
    assert target.loader


@pytest.mark.parametrize("name", BOARDS)
def test_clock_and_link_fit_each_other(name):
    target = BOARDS[name]
    clock = Clock(None, target.family, target.device, target.oscillator, target.frequency)
    assert clock.frequency == pytest.approx(target.frequency, rel=0.01)
    if target.usb is None:
        divisor = target.divisor(clock.frequency)
        assert clock.frequency / divisor == pytest.approx(target.baud, rel=0.02)


@pytest.mark.parametrize(
    "family, source, target, expected",
    [
        # 12 MHz * 64 / 32 = 24 MHz, the oscillator at 768 MHz.
        ("ice40", 12_000_000, 24_000_000, (1, 64, 32, 24e6)),
        ("ecp5", 25_000_000, 50_000_000, (1, 2, None, 50e6)),
        ("gowin", 27_000_000, 54_000_000, (1, 2, None, 54e6)),
        ("xc7", 125_000_000, 100_000_000, (1, 8, 10, 100e6)),
    ],
)
def test_dividers_by_hand(family, source, target, expected):
    dividers = find_dividers(family, source, target)
    divide, multiply, out, frequency = expected
    assert (dividers.divide, dividers.multiply, dividers.frequency) == (divide, multiply, frequency)
    if out is not None:
        assert dividers.out == out


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("target", [18, 31, 40, 61, 75, 110])
def test_dividers_make_the_frequency_within_the_data_sheet(family, target):
    source = 25_000_000
    dividers = find_dividers(family, source, target * 1_000_000)
    detector = source / dividers.divide
    inside = family in {"ecp5", "gowin"}
    frequency = detector * dividers.multiply / (1 if inside else dividers.out)
    assert frequency == pytest.approx(target * 1e6, rel=0.01)
    assert dividers.frequency == pytest.approx(frequency)
    oscillator = detector * dividers.multiply * (dividers.out if inside else 1) / 1e6
    low, high = {
        "ice40": (533, 1066),
        "ecp5": (400, 800),
        "gowin": (500, 1200),
        "xc7": (800, 1600),
        "cyclonev": (600, 1300),
    }[family]
    assert low <= oscillator <= high


@pytest.mark.parametrize(
    "family, target, cell, parameters",
    [
        # 25 / 1 * 23 / 16 = 35.9 MHz: each divider of iCE40 is one more than its field, or a power.
        ("ice40", 35_937_500, "SB_PLL40_PAD", {"DIVR": 0, "DIVF": 22, "DIVQ": 4}),
        ("ecp5", 75_000_000, "EHXPLLL", {"CLKI_DIV": 1, "CLKFB_DIV": 3}),
        ("gowin", 75_000_000, "rPLL", {"IDIV_SEL": 0, "FBDIV_SEL": 2}),
        ("xc7", 75_000_000, "PLLE2_BASE", {"DIVCLK_DIVIDE": 1}),
        ("cyclonev", 75_000_000, "altera_pll", {}),
    ],
)
def test_cells_have_the_dividers(family, target, cell, parameters):
    port = io.SingleEndedPort(IOPort(1, name="oscillator"), direction="i")
    clock = Clock(port, family, "GW2A-18C", 25_000_000, target)
    dividers = clock.dividers
    text = rtlil.convert(
        Fragment.get(clock, Constraints()), ports=[clock.clk, clock.locked], emit_src=False
    )
    (body,) = re.findall(rf"cell \\{cell} .*?\n  end", text, re.DOTALL)
    set_values = dict(re.findall(r"parameter (?:signed )?\\(\w+) (\S.*)", body))

    def number(name):
        value = set_values[name]
        return int(value.partition("'")[2], 2) if "'" in value else int(value)

    # What the fields make of the oscillator, by the data sheets.
    frequency = {
        "ice40": lambda: (number("DIVF") + 1) / (number("DIVR") + 1) / 2 ** number("DIVQ"),
        "ecp5": lambda: number("CLKFB_DIV") / number("CLKI_DIV"),
        "gowin": lambda: (number("FBDIV_SEL") + 1) / (number("IDIV_SEL") + 1),
        "xc7": lambda: number("CLKFBOUT_MULT") / number("DIVCLK_DIVIDE") / number("CLKOUT0_DIVIDE"),
        "cyclonev": lambda: float(set_values["output_clock_frequency0"].strip('"').split()[0]) / 25,
    }[family]()
    assert frequency * 25e6 == pytest.approx(target)
    assert {name: number(name) for name in parameters} == parameters
    inside = {"ecp5": "CLKOP_DIV", "gowin": "ODIV_SEL"}.get(family)
    if inside:
        assert number(inside) == dividers.out
    if family == "gowin":
        assert set_values["FCLKIN"] == '"25"'


def test_dividers_that_there_are_not():
    message = "Clock must be one that a PLL of Lattice iCE40 makes of 12 MHz, not 1 MHz: 8.4"
    with pytest.raises(ValueError, match=message):
        find_dividers("ice40", 12_000_000, 1_000_000)
    with pytest.raises(ValueError, match="Family must be one of"):
        find_dividers("ice", 1, 1)
    with pytest.raises(ValueError, match="Frequency must be at least 1, not 0"):
        find_dividers("ice40", 12_000_000, 0)


def test_the_command_lists_them(spiker, network_file):
    code, out, _ = spiker("boards", network_file)
    assert code == 0
    assert all(name in out for name in WANTED)
    code, out, _ = spiker("boards", network_file, "networks/mnist.spiker", "--json", "-")
    boards = {board["name"]: board for board in json.loads(out)["boards"]}
    assert set(boards) == WANTED
    assert boards["tang_nano_9k"]["fits"]["mnist"]["lanes"] is None
    ice = boards["icebreaker"]["fits"]["mnist"]
    assert (ice["lanes"], ice["uninitialized"], ice["sprams"]) == ("small", ["hidden"], 2)
    # 784 channels in 49 words of 2 bytes for 4 steps, 26 words in a frame of data.
    assert ice["link_rate"]["bytes_in"] == 4 * 49 * 2 + 8 * 12
    code, out, _ = spiker("boards", network_file, "networks/mnist.spiker")
    assert "small + SPRAM, 205/s" in out
    assert "weights in SPRAM must be loaded" in out
    assert boards["ulx3s_85f"]["fits"]["mnist"]["lanes"] == 128
    assert boards["icebreaker"]["fits"]["small"]["lanes"] >= 1
    assert boards["pynq_z2"]["makes"] == "project for Vivado"


def test_networks_that_are_missing_are_refused(refused):
    assert "Network must be a file that `spiker train` made" in refused("boards", "nowhere.spiker")
