# amaranth: UnusedElaboratable=no

"""Tests of the heart monitor: detector and cutter, and the whole of it against the reference."""

import sys
from random import Random

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from spiker_boards.builder.bitstream import make_plan
from spiker_boards.simulation.board import ModelPins
from spiker_hdl.model import (
    Decay,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    load,
    reference,
)
from spiker_hdl.model.encoders import Encoding

from support.bench import get, pause, put, simulate
from support.places import ROOT


@pytest.fixture(scope="module")
def ecg():
    """Import the example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        import ecg_data
        import ecg_monitor

        yield ecg_data, ecg_monitor
        for name in ("ecg_data", "ecg_monitor"):
            del sys.modules[name]


def jumps(*places, length=300):
    """Return a signal that jumps up and down at some places."""
    signal = np.full(length, 100)
    for n, place in enumerate(places):
        signal[place:] = 120 if n % 2 == 0 else 100
    return signal


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "places, expected",
    [
        ((), []),
        ((50,), [50]),
        ((28,), []),  # steep from 28 to 31
        ((29,), [32]),
        ((50, 105), [50, 106]),  # 55 behind: still steep when one is looked for again
        ((50, 102), [50]),
        ((50, 106), [50, 106]),
        ((50, 150, 210), [50, 150, 210]),
    ],
)
def test_beats_are_found_where_it_is_steep(ecg, places, expected):
    assert ecg[0].detect(jumps(*places)) == expected


def test_it_is_steep_from_twenty_on_and_both_ways(ecg):
    for height, expected in ((19, []), (20, [50]), (-19, []), (-20, [50])):
        signal = np.full(200, 100)
        signal[50:] += height
        assert ecg[0].detect(signal) == expected


def test_windows_are_cut_around_the_place(ecg):
    data = ecg[0]
    cuts = data.windows(np.arange(200), [40, 100, 144, 145])
    assert cuts[:, 0].tolist() == [8, 68, 112]
    assert cuts[:, -1].tolist() == [95, 155, 199]
    assert data.windows(np.arange(9), []).shape == (0, data.STEPS)


def test_the_converter_has_eight_bits(ecg):
    values = np.array([-1024, -512, -1, 0, 3, 4, 511, 512, 1023], dtype=np.int16)
    assert ecg[0].convert(values).tolist() == [0, 0, 127, 128, 128, 129, 255, 255, 255]


def test_neighbouring_beats_become_a_signal(ecg):
    data = ecg[0]
    values = np.stack([np.full(128, 10), np.full(128, 40)])
    beats = data.Beats(values, np.zeros(2, int), np.zeros(2, int), np.array([[0, 260], [260, 9]]))
    signal, peaks = data.signal_of(beats)
    assert peaks.tolist() == [46, 176]
    assert signal[[0, 127, 128, 129, 130, 257]].tolist() == [10, 10, 20, 30, 40, 40]
    assert len(signal) == 258


def test_shipped_beats_are_found(ecg):
    data = ecg[0]
    beats = data.handful()
    assert len(beats) == 24
    assert set(beats.records.tolist()) <= set(data.TEST)
    assert not set(data.TRAIN) & set(data.TEST)
    cuts, result = data.aligned(beats)
    assert result.all()
    same = 0
    for n in range(0, 24, 3):
        signal, peaks = data.signal_of(beats[np.arange(n, n + 3)])
        places = data.detect(signal)
        assert len(places) == 3
        assert abs(np.array(places) - peaks).max() <= 13
        own = data.windows(signal, places)
        same += int((own == cuts[n : n + 3]).all(axis=1).sum())
    assert same == 23  # one is found 13 values before its peak, where `aligned` does not look


# -- in hardware ---------------------------------------------------------------------------------


@st.composite
def signals(draw):
    """Draw a signal with jumps, and pauses."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    signal = 128 + random.integers(-5, 6, draw(st.integers(90, 400)))
    for place in draw(st.lists(st.integers(0, len(signal) - 1), max_size=6)):
        signal[place:] += random.choice([-25, -20, 19, 20, 30])
    return np.clip(signal, 0, 255), draw(st.sampled_from([(0, 0), (0.3, 0), (0, 0.5), (0.2, 0.3)]))


def cut(ecg, signal, random=None, pauses=(0, 0)):
    """Put a signal through the cutter, and see that the windows come out; return how many."""
    data, monitor = ecg
    random = random or Random(0)
    expected = data.windows(signal, data.detect(signal))
    dut = monitor.BeatCutter()
    results = []

    async def drive(ctx):
        for value in signal.tolist():
            await pause(ctx, random, pauses[0])
            await put(ctx, dut.i, value)
        for _ in range(5):
            await ctx.tick()
        assert len(results) < expected.size or not ctx.get(dut.o.valid)

    async def receive(ctx):
        for _ in range(expected.size):
            await pause(ctx, random, pauses[1])
            results.append(await get(ctx, dut.o))

    simulate(dut, drive, receive, watch=[dut.o], deadline=20_000)
    assert [beat["value"] for beat in results] == expected.ravel().tolist()
    ends = [n % data.STEPS == data.STEPS - 1 for n in range(expected.size)]
    assert [beat.last for beat in results] == ends
    return len(expected)


@pytest.mark.parametrize(
    "place, height, count",
    [(50, 20, 1), (50, -20, 1), (50, 19, 0), (50, -19, 0), (28, 20, 0), (29, 20, 1), (95, -20, 0)],
)
def test_the_cutter_finds_a_jump(ecg, place, height, count):
    signal = np.full(150, 100)
    signal[place:] += height
    assert cut(ecg, signal) == count


@settings(max_examples=12)
@given(case=signals(), seed=st.integers(0, 99))
def test_the_cutter_puts_out_the_windows(ecg, case, seed):
    signal, pauses = case
    cut(ecg, signal, Random(seed), pauses)


def small(max_steps=256):
    """Make a network that tells little, but answers otherwise for most beats."""
    draws = np.random.default_rng(8)
    return Network(
        [Input("ecg", 8)],
        [
            Population("hidden", 6, Lif(threshold=9, decay=Decay.shift(3), width=9)),
            Population("output", 4, Integrator(decay=Decay.shift(4), width=12)),
        ],
        [
            Projection("ecg", "hidden", draws.integers(-3, 8, (6, 8))),
            Projection("hidden", "hidden", draws.integers(-3, 4, (6, 6)), 1),
            Projection("hidden", "output", draws.integers(-7, 8, (4, 6))),
        ],
        [Readout("output", "last")],
        max_steps=max_steps,
    )


def shows_what_the_reference_says(ecg, network, run, idle=0):
    data, monitor = ecg
    beats = data.handful()[np.arange(3 * run, 3 * run + 3)]
    signal, _ = data.signal_of(beats)
    cuts = data.windows(signal, data.detect(signal))
    expected = reference.run(network, data.ENCODING.encode(cuts)).classes.tolist()
    dut = monitor.EcgMonitor(network, Mapping.folded(network, 8, word=8))
    assert monitor.simulate(dut, signal, len(cuts), idle) == expected
    return expected


def test_lamps_show_the_beats_of_a_small_network(ecg):
    assert len(shows_what_the_reference_says(ecg, small(), 4, idle=1)) == 3


def test_the_monitor_becomes_rtlil(ecg):
    text = rtlil.convert(ecg[1].EcgMonitor(small()))
    for port in ("adc__payload", "adc__valid", "adc__ready", "leds", "beat"):
        assert f"\\{port}\n" in text


def test_the_shipped_network_says_how_its_beats_are_encoded(ecg):
    network = load(ecg[1].NETWORK)
    assert Encoding.of(network) == ecg[0].ENCODING
    assert network.note["steps"] == str(ecg[0].STEPS)
    assert network.note["classes"] == "".join(ecg[0].CLASSES)


@pytest.mark.slow
def test_lamps_show_real_beats_as_the_reference(ecg):
    network = load(ecg[1].NETWORK)
    shown = [shows_what_the_reference_says(ecg, network, run) for run in (2, 4, 6, 7)]
    assert [len(line) for line in shown] == [3] * 4
    assert len({segment for run in shown for segment in run}) >= 2


# -- on a board ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board(ecg):
    import ecg_board

    yield ecg_board
    sys.modules.pop("ecg_board")


def beats_of(ecg, run):
    signal, _ = ecg[0].signal_of(ecg[0].handful()[np.arange(3 * run, 3 * run + 3)])
    return np.append(signal, signal[-1])


def test_a_board_shows_the_beats_that_its_converter_finds(ecg, board):
    network, signal = small(), beats_of(ecg, 3)
    expected = board.expected(network, signal)
    assert len(set(expected.tolist())) >= 3  # none yet, and two classes
    shown = board.watch(network, Mapping.folded(network, 8, word=8), signal, 2500)
    np.testing.assert_array_equal(shown, expected)


def test_the_pins_of_the_board(board, tmp_path):
    network = small()
    make_plan(board.EcgBoard(network, Mapping.folded(network, 8, word=8)), tmp_path, {})
    lines = (tmp_path / "top.pcf").read_text().splitlines()
    pins = dict(line.split()[1:] for line in lines if line.startswith("set_io"))
    assert pins == {
        "clk12_0__io": "35",
        "button_0__io": "10",
        "converter_0__cs__io": "4",
        "converter_0__data__io": "2",
        "converter_0__clk__io": "45",
        "led_g_1__io": "27",
        "led_g_2__io": "25",
        "led_g_3__io": "23",
        "led_g_4__io": "21",
    }


def test_a_converter_is_asked_for_sixteen_bits_in_each_period(board):
    dut, levels = board.Converter(50), []

    async def watch(ctx):
        for _ in range(200):
            levels.append((ctx.get(dut.cs), ctx.get(dut.clk)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch)
    simulator.run()
    cs, clk = np.array(levels).T
    falls = np.flatnonzero(np.diff(cs) < 0) + 1
    assert np.diff(falls).tolist() == [50, 50]
    edges = np.flatnonzero(np.diff(clk) < 0) + 1
    for start in falls[:2]:
        inside = edges[(edges > start) & (edges < start + 50)]
        assert len(inside) == 16
        assert not cs[start : inside[-1] + 1].any()
        assert cs[start + 40 : start + 50].all()
        assert clk[start]


def test_a_converter_needs_time(board):
    with pytest.raises(ValueError, match=r"Period must be .*40.*, not 39"):
        board.Converter(39)


def test_a_value_comes_each_180th_of_a_second(board):
    network = small()
    design = board.EcgBoard(network, Mapping.default(network))
    Fragment.get(design, ModelPins(board.TARGET))  # as is wanted of every component
    assert design.period * 180 == pytest.approx(12e6, rel=1e-4)


@pytest.mark.slow
def test_a_board_shows_real_beats_as_the_reference(ecg, board):
    network = load(ecg[1].NETWORK)
    mapping = Mapping.folded(network, 4, word=8)
    for run in (2, 5):
        signal = beats_of(ecg, run)
        shown = board.watch(network, mapping, signal, round(12e6 / 180))
        np.testing.assert_array_equal(shown, board.expected(network, signal))
