# amaranth: UnusedElaboratable=no

"""Tests of the camera example: bus, time steps, and the whole of it against the reference."""

import sys
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from amaranth.hdl import Fragment, ResetInserter, Signal
from amaranth.sim import Simulator

from spiker_boards.builder.bitstream import make_plan
from spiker_boards.simulation.board import ModelPins
from spiker_hdl.model import (
    Convolution,
    Decay,
    Input,
    Integrator,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    Population,
    Projection,
    Readout,
    load,
    reference,
)
from spiker_hdl.simulate.byte_stream import InterpretedWire
from spiker_train import ConversionLoss, Events, events_to_dense

from support.bench import get, pause, put, simulate
from support.places import ROOT


@pytest.fixture(scope="module")
def camera():
    """Import the example: its data and its components."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        import camera_data
        import camera_digits

        yield camera_data, camera_digits
        for name in ("camera_data", "camera_digits"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def board(camera):
    import camera_board

    yield camera_board
    sys.modules.pop("camera_board")


def small(steps=3):
    """Make a convolutional network of 2x8x8 pixels, whose answers differ."""
    draws = np.random.default_rng(4)
    convolution = Convolution(draws.integers(-3, 5, (4, 2, 3, 3)), (2, 8, 8), 2, 1)
    second = Convolution(draws.integers(-3, 5, (4, 4, 3, 3)), (4, 4, 4), padding=1)
    pooling = MaxPooling((4, 4, 4), 2)
    return Network(
        [Input("camera", (2, 8, 8))],
        [
            Population("first", (4, 4, 4), Lif(threshold=6, decay=Decay.shift(2), width=9)),
            Population("second", (4, 2, 2), Lif(threshold=6, decay=Decay.shift(2), width=9)),
            Population("output", 5, Integrator(decay=Decay.shift(4), width=12)),
        ],
        [
            Projection("camera", "first", convolution),
            Projection("first", "second", second, pooling=pooling),
            Projection("second", "output", draws.integers(-7, 8, (5, 16))),
        ],
        [Readout("output", "last")],
        max_steps=steps,
        notes={"steps": str(steps)},
    )


def tiny():
    """Make a convolutional network of 2x4x4 pixels, which is simulated within a second."""
    draws = np.random.default_rng(0)
    convolution = Convolution(draws.integers(-3, 5, (2, 2, 3, 3)), (2, 4, 4), 2, 1)
    return Network(
        [Input("camera", (2, 4, 4))],
        [
            Population("maps", (2, 2, 2), Lif(threshold=3, decay=Decay.shift(2), width=9)),
            Population("output", 3, Integrator(decay=Decay.shift(4), width=12)),
        ],
        [
            Projection("camera", "maps", convolution),
            Projection("maps", "output", draws.integers(-7, 8, (3, 8))),
        ],
        [Readout("output", "last")],
        max_steps=2,
        notes={"steps": "2"},
    )


def recordings(count, shape=(2, 8, 8), duration=0.3, events=60):
    """Draw recordings in which pixels fire several times."""
    draws = np.random.default_rng(2)
    return [
        Events(
            np.sort(draws.uniform(0, duration * 0.999, events)),
            np.stack([draws.integers(0, size, events) for size in shape], axis=1),
            shape,
            duration,
        )
        for _ in range(count)
    ]


# -- by hand -------------------------------------------------------------------------------------


def test_addresses_are_those_of_a_dvs128(camera):
    channels = [[0, 0, 0], [1, 0, 0], [0, 33, 0], [0, 0, 33]]
    numbers = camera[0].addresses(channels, (0, 0)).tolist()
    assert numbers == [127 << 8, 127 << 8 | 1, 94 << 8, 127 << 8 | 33 << 1]
    assert camera[0].addresses([[1, 2, 3]], (10, 20)).tolist() == [115 << 8 | 23 << 1 | 1]


def test_shipped_recordings_are_one_of_each_digit(camera):
    parts, labels = camera[0].handful()
    assert labels.tolist() == list(range(10))
    assert {events.shape for events in parts} == {camera[0].SHAPE}
    assert all(1000 < len(events) < 8000 for events in parts)


# -- in hardware ---------------------------------------------------------------------------------


def test_handshake_has_four_phases(camera):
    dut = camera[1].AddressReceiver()
    trace = []

    async def send(ctx):
        for level, taken in ((0, 0), (1, 0), (1, 0), (1, 0), (1, 1), (1, 0), (0, 0), (0, 0)):
            ctx.set(dut.request, level)
            ctx.set(dut.address, 5 if level else 0)
            ctx.set(dut.o.ready, taken)
            await ctx.tick()
            trace.append((ctx.get(dut.o.valid), ctx.get(dut.acknowledge)))
        for _ in range(2):
            await ctx.tick()
            trace.append((ctx.get(dut.o.valid), ctx.get(dut.acknowledge)))

    simulate(dut, send)
    # Two flip-flops and the state delay an offer by three cycles, and the release too.
    offered = [(0, 0), (0, 0), (0, 0), (1, 0)]
    assert trace == [*offered, (0, 1), (0, 1), (0, 1), (0, 1), (0, 0), (0, 0)]


@pytest.mark.parametrize("pauses", [(0, 0), (0.4, 0), (0.2, 0.5)])
def test_each_address_is_taken_once(camera, pauses):
    dut, random = camera[1].AddressReceiver(), Random(3)
    sent = [random.randrange(1 << 15) for _ in range(20)]
    taken = []

    async def send(ctx):
        for address in sent:
            await pause(ctx, random, pauses[0])
            ctx.set(dut.address, address)
            ctx.set(dut.request, 1)
            while not ctx.get(dut.acknowledge):
                await ctx.tick()
            ctx.set(dut.request, 0)
            ctx.set(dut.address, random.randrange(1 << 15))
            while ctx.get(dut.acknowledge):
                await ctx.tick()

    async def receive(ctx):
        for _ in sent:
            await pause(ctx, random, pauses[1])
            taken.append(await get(ctx, dut.o))

    simulate(dut, send, receive, watch=[dut.o])
    assert taken == sent


def binned(camera, events, period, steps, origin=(60, 50), pauses=(0, 0)):
    """Put events of cycles and addresses through a binner; return what came out of each step."""
    dut, random = camera[1].EventBinner((2, 4, 5), steps, period, origin), Random(1)
    result, now = [], [0]

    async def clock(ctx):
        while True:
            await ctx.tick()
            now[0] += 1

    async def send(ctx):
        for cycle, address in events:
            while now[0] < cycle:
                await ctx.tick()
            await put(ctx, dut.i, address)

    async def receive(ctx):
        step = []
        while len(result) < 2 * steps:
            await pause(ctx, random, pauses[1])
            event = await get(ctx, dut.o)
            if event.end:
                result.append((step, event.last))
                step = []
            else:
                step.append(event.address)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clock, background=True)
    simulator.add_testbench(send)
    simulator.add_testbench(receive)
    simulator.run_until((2 * steps + 1) * period * 1e-6)
    assert len(result) == 2 * steps
    return result


def test_each_pixel_passes_once_in_a_step(camera):
    at = camera[0].addresses
    first, last, beside, other = at([[0, 0, 0], [1, 3, 4], [0, 0, 4], [1, 0, 0]], (60, 50)).tolist()
    events = [(20, first), (22, last), (24, first), (26, beside), (28, last), (30, first)]
    events += [(70, last), (72, other), (74, first), (76, last)]
    steps = binned(camera, events, 50, 3)
    assert steps == [([0, 39, 4], 0), ([39, 20, 0], 0), ([], 1), ([], 0), ([], 0), ([], 1)]


def test_after_reset_no_pixel_has_had_an_event(camera):
    dut, reset = camera[1].EventBinner((2, 4, 5), 3, 200, (60, 50)), Signal()
    place = camera[0].addresses([[1, 1, 1]], (60, 50)).tolist()[0]
    passed = []

    async def send(ctx):
        ctx.set(dut.o.ready, 1)
        for _ in range(2):
            for _ in range(2):
                await put(ctx, dut.i, place)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)

    async def watch(ctx):
        while True:
            *_, valid, address = await ctx.tick().sample(dut.o.valid, dut.o.p.address)
            if valid:
                passed.append(address)

    simulator = Simulator(ResetInserter(reset)(dut))
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert passed == [26, 26]


def test_addresses_outside_of_the_window_are_dropped(camera):
    outside = [[0, -1, 0], [0, 4, 0], [1, 0, -1], [1, 0, 5], [0, -60, -50], [1, 67, 77]]
    inside = [[0, 3, 0], [1, 0, 4]]
    places = camera[0].addresses(outside + inside, (60, 50)).tolist()
    steps = binned(camera, [(12, place) for place in places], 60, 1)
    assert steps == [([15, 24], 1), ([], 1)]


def test_an_event_that_comes_as_a_step_ends_is_in_one_of_the_two(camera):
    place = camera[0].addresses([[0, 1, 1]], (60, 50)).tolist()[0]
    for cycle in range(60, 70):
        steps = binned(camera, [(cycle, place)], 64, 1)
        assert [len(step) for step, _ in steps] in ([1, 0], [0, 1])


def test_overrun_is_seen(camera):
    dut = camera[1].EventBinner((2, 4, 5), 3, 32)

    async def wait(ctx):
        for _ in range(32):
            await ctx.tick()
        for _ in range(31):
            assert not ctx.get(dut.overrun)
            await ctx.tick()
        await ctx.tick()
        assert ctx.get(dut.overrun)

    simulate(dut, wait)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (((1, 4, 5), 3, 64), "Window must have 2 polarities, not 1"),
        (((2, 4, 5), 0, 64), "Steps must be .*1.*, not 0"),
        (((2, 4, 5), 3, 31), "Period must be .*32.*, not 31"),
        (((2, 4, 5), 3, 64, (125, 0)), "Origin of the window must be .*124.*, not 125"),
    ],
    ids=["polarities", "steps", "period", "origin"],
)
def test_a_binner_says_what_it_takes(camera, arguments, message):
    with pytest.raises(ValueError, match=message):
        camera[1].EventBinner(*arguments)


def test_samples_enter_as_events(camera):
    network = small()
    with pytest.raises(ValueError, match="Input form must be 'events', not 'words'"):
        camera[1].CameraDigits(network, Mapping.default(network), period=500)
    with pytest.raises(ValueError, match="Network must have a note 'steps', not lack it"):
        camera[1].CameraDigits(replace(network, notes={}), period=500)


# -- on a board ----------------------------------------------------------------------------------


def shows_what_the_reference_says(board, network, parts, period, origin=(20, 90), **options):
    mapping = Mapping.default(network, form="events")
    seen = board.watch(network, mapping, parts, period, origin=origin, **options)
    np.testing.assert_array_equal(seen.digits, reference.run(network, seen.spikes).classes)
    steps = seen.spikes.shape[1]
    dense = events_to_dense(parts, parts[0].duration / steps, steps=steps, loss=ConversionLoss())
    rows, columns = network.inputs[0].shape[1:]
    dense = dense.reshape(len(parts), steps, *parts[0].shape)[..., :rows, :columns]
    dense = dense.reshape(seen.spikes.shape)
    return seen, int((seen.spikes != dense).sum())


def test_a_simulated_board_shows_what_its_camera_sees(board):
    parts = recordings(1, (2, 4, 4), events=10)
    seen, moved = shows_what_the_reference_says(board, tiny(), parts, 100, wire=InterpretedWire)
    assert seen.digits.tolist() == [2]  # of silence it is 0
    assert moved <= 4  # events that came as a step ended


def test_a_board_shows_what_its_camera_sees(board):
    parts = recordings(8, (2, 12, 10), events=120)  # many of them outside of the window
    seen, moved = shows_what_the_reference_says(board, small(), parts, 2000)
    assert len(set(seen.digits.tolist())) >= 2
    assert moved <= 8


def test_the_pins_of_the_board(board, tmp_path):
    network = small()
    make_plan(board.CameraBoard(network, Mapping.default(network, form="events")), tmp_path, {})
    lines = (tmp_path / "top.lpf").read_text().splitlines()
    pins = dict(
        line.replace('"', "").rstrip(";").split()[2::2] for line in lines if "LOCATE" in line
    )
    assert pins["camera_0__request__io"] == "B11"
    assert pins["camera_0__acknowledge__io"] == "A10"
    assert [pins[f"camera_0__address__io[{n}]"] for n in (0, 14)] == ["A9", "N16"]
    assert [pins[f"led_{n}__io"] for n in (0, 6)] == ["B2", "E1"]


def test_a_step_is_as_long_as_in_training(board, camera):
    network = small()
    design = board.CameraBoard(network, Mapping.default(network, form="events"))
    Fragment.get(design, ModelPins(board.TARGET))  # as is wanted of every component
    period = design.digits.binner.period
    assert period / 25e6 == pytest.approx(camera[0].DT)


def test_the_shipped_network_has_the_steps_of_the_example(board, camera):
    network = load(board.NETWORK)
    assert network.inputs[0].shape == camera[0].SHAPE
    assert int(network.note["steps"]) == camera[0].STEPS
    assert float(network.note["dt"]) == camera[0].DT


@pytest.mark.slow
def test_a_board_shows_real_digits_as_the_reference(board, camera):
    parts, _ = camera[0].handful()
    period = round(25e6 * camera[0].DT / 20)
    seen, moved = shows_what_the_reference_says(board, load(board.NETWORK), parts[:4], period)
    assert len(set(seen.digits.tolist())) >= 3
    assert moved <= 8
