"""Digits before an event camera on a board: a ULX3S with the camera's bus and lamps, and no host.

    camera's bus on the header -> CameraDigits of camera_digits.py -> lamps

Lamps 0 to 3 are the digit as a binary number, lamp 4 changes with each answer and lamp 5 with each
step, and lamp 6 says that steps are too short for the network. Nobody here has had the board, or
the camera, in hand.

    python examples/camera_board.py               simulates the board from its pins
    python examples/camera_board.py --build DIR   makes its bitstream
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import *
from amaranth.build import Attrs, Pins, PinsN, Resource, Subsignal
from amaranth.hdl import Fragment
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out
from camera_data import DT, ORIGIN, addresses, handful
from camera_digits import ADDRESS, CameraDigits

from spiker_boards.builder.bitstream import make_bitstream
from spiker_boards.catalog import BOARDS
from spiker_boards.gateware.pll import Clock
from spiker_boards.gateware.top import add_clock, request
from spiker_boards.simulation.board import ModelClock, ModelPins
from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Mapping, Network, load, reference
from spiker_hdl.simulate.byte_stream import CompiledWire, Wire
from spiker_hdl.tools.programs import find_tools
from spiker_train import ConversionLoss, Events, events_to_dense

__all__ = ["TARGET", "CameraBoard", "CameraOnWire", "Seen", "watch"]

NETWORK = Path(__file__).parent.parent / "networks" / "nmnist.spiker"
RECORD = 6
"""Bytes of an event for :class:`CameraOnWire`: sample, cycle (three) and address (two)."""

LANES = 8
"""Lanes of a population: the camera is slow, so a few will do."""

MOST = 255
"""Recordings of a simulation: the number of a sample has eight bits."""


def _platform():
    board = BOARDS["ulx3s_25f"].platform()
    wires = " ".join(f"{n}+" for n in range(2, 2 + ADDRESS))
    board.add_resources([
        # Request and acknowledge are active low, as the DVS128 has them.
        Resource(
            "camera",
            0,
            Subsignal("request", PinsN("0+", dir="i", conn=("gpio", 0))),
            Subsignal("acknowledge", PinsN("1+", dir="o", conn=("gpio", 0))),
            Subsignal("address", Pins(wires, dir="i", conn=("gpio", 0))),
            Attrs(IO_TYPE="LVCMOS33"),
        )
    ])
    return board


TARGET = replace(
    BOARDS["ulx3s_25f"],
    platform=_platform,
    frequency=25_000_000,
    leds=tuple(("led", n) for n in range(7)),
)


class CameraBoard(wiring.Component):
    """The classifier on a board.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    period : int, optional
        Cycles of a step; those of :data:`~camera_data.DT` where none are given.
    origin : (int, int)
        As for :class:`~camera_digits.CameraDigits`.
    clock : callable
        As that of :class:`spiker_boards.gateware.top.BoardTop`.
    """

    target = TARGET
    frequency = TARGET.frequency

    def __init__(
        self,
        network: Network,
        mapping: Mapping,
        *,
        period: int | None = None,
        origin: tuple[int, int] = ORIGIN,
        clock: Callable[..., Any] = Clock,
    ):
        period = round(self.frequency * DT) if period is None else period
        self.digits = CameraDigits(network, mapping, period=period, origin=origin)
        self.clock = clock
        super().__init__({})

    def elaborate(self, platform):
        m = Module()

        target = self.target
        parts = [("camera", 0, name) for name in ("request", "address", "acknowledge")]
        oscillator, button, *ins, acknowledge = request(
            platform, [target.clock, target.reset, *parts]
        )
        lamps = request(platform, target.leds)
        add_clock(m, target, self.frequency, self.clock, oscillator, [button])
        m.submodules.digits = digits = self.digits
        for n, (port, value) in enumerate(zip(ins, (digits.request, digits.address), strict=True)):
            m.submodules[f"in_{n}"] = pin = io.Buffer(io.Direction.Input, port)
            m.d.comb += value.eq(pin.i)
        shown = [*digits.digit, digits.answered, digits.step, digits.overrun]
        outs = [(acknowledge, digits.acknowledge), *zip(lamps, shown, strict=True)]
        for n, (port, value) in enumerate(outs):
            m.submodules[f"out_{n}"] = pin = io.Buffer(io.Direction.Output, port)
            m.d.comb += pin.o.eq(value)

        return m


class CameraOnWire(wiring.Component):
    """The board's pins, a model of the camera, and bytes in and out.

    The camera holds each event until it is acknowledged, as the board sees it. It has its own
    clock: cycle 0 of a sample is when the lamp has shown the last step of the sample before. Sample
    0 begins after the first sample of the board.

    Members
    -------
    i : In(stream.Signature(8))
        Events, :data:`RECORD` bytes each: number of the sample, cycle within it from which on the
        event is there, and address, the latter two from the lowest byte on.
    o : Out(stream.Signature(8))
        A byte for each cycle in which something changed at the pins: whether a step ended (bit 7),
        an event was acknowledged (bit 6), and an answer was given (bit 5), and the digit.
    idle : Out(1)
        Never.
    """

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))
    idle: Out(1)

    def __init__(self, board: CameraBoard):
        self.board = board
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        pins = ModelPins(TARGET)
        m.submodules.board = DomainRenamer("board")(Fragment.get(self.board, pins))
        ports = pins.ports
        asked, address, taken = (
            ports["camera", 0, name] for name in ("request", "address", "acknowledge")
        )
        lamps = Cat(ports[lamp].o for lamp in TARGET.leds)
        event = Signal(8 * RECORD)
        sample, cycle, number = event[:8], event[8:32], event[32 : 32 + ADDRESS]
        count = Signal(range(RECORD + 1))  # bytes of the event that have come
        requested = Signal()
        acknowledged = ~taken.o
        now = self._time(m, lamps[5])
        due = (now.sample > sample + 1) | ((now.sample == sample + 1) & (now.cycle >= cycle))
        m.d.comb += [
            ports[TARGET.clock].i.eq(ClockSignal()),
            ports[TARGET.reset].i.eq(ports[TARGET.reset].invert[0]),
            asked.i.eq(~requested),
            address.i.eq(number),
            self.i.ready.eq(count != RECORD),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [event.eq(Cat(event[8:], self.i.payload)), count.eq(count + 1)]
        with m.If((count == RECORD) & due & ~requested & ~acknowledged):
            m.d.sync += requested.eq(1)
        with m.If(requested & acknowledged):
            m.d.sync += [requested.eq(0), count.eq(0)]

        seen = Cat(requested & acknowledged, lamps[5], lamps[4])
        before = Signal(3)
        m.d.sync += before.eq(seen)
        changes = Cat((seen ^ before)[2], seen[0] & ~before[0], (seen ^ before)[1])
        m.d.comb += [
            self.o.payload.eq(Cat(lamps[:4], C(0, 1), changes)),
            self.o.valid.eq(changes.any()),
        ]

        return m

    def _time(self, m, step):
        """Count samples, and the cycles of each, by the lamp that changes with each step."""

        @dataclass
        class Now:
            sample: Signal
            cycle: Signal

        steps = self.board.digits.binner.steps
        now = Now(Signal(9), Signal(24))
        before, ended = Signal(), Signal(range(steps))
        m.d.sync += [before.eq(step), now.cycle.eq(now.cycle + 1)]
        with m.If(step != before):
            m.d.sync += ended.eq(ended + 1)
            with m.If(ended == steps - 1):
                m.d.sync += [ended.eq(0), now.cycle.eq(0), now.sample.eq(now.sample + 1)]
        return now


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen at the pins of the board.

    Members
    -------
    digits : array of int, shape (recordings,)
        What the lamps showed after each recording.
    spikes : array of uint8, shape (recordings, steps, size)
        Events that were acknowledged in each step, 1 for those of the window, however often.
    """

    digits: np.ndarray
    spikes: np.ndarray


def watch(
    network: Network,
    mapping: Mapping,
    recordings: Sequence[Events],
    period: int,
    *,
    origin: tuple[int, int] = ORIGIN,
    wire: type[Wire] = CompiledWire,
) -> Seen:
    """Put recordings in front of a board, one after the other, and watch its pins.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    recordings : sequence of Events
        At most :data:`MOST`, each as long as the steps of a sample. Channels are polarity, row and
        column, counted from the window on; the camera may see more than the window.
    period : int
        Cycles of a step. Times of events are stretched to it.
    origin : (int, int)
        Row and column of the camera at which the window begins.
    wire : type
        :class:`CompiledWire`, or ``InterpretedWire``, which needs no compiler and is slow.
    """
    check_int("Recordings", len(recordings), 1, MOST)
    board = CameraBoard(network, mapping, period=period, origin=origin, clock=ModelClock)
    steps, shape = board.digits.binner.steps, network.inputs[0].shape
    sent, data = [], bytearray()
    for n, events in enumerate(recordings):
        cycles = (events.times / events.duration * steps * period).astype(np.int64)
        inside = (events.channels < shape).all(axis=1)
        flat = np.ravel_multi_index(tuple(events.channels.T), shape, mode="clip")
        sent += np.where(inside, flat, -1).tolist()
        for cycle, address in zip(cycles, addresses(events.channels, origin), strict=True):
            data += bytes([n]) + int(cycle).to_bytes(3, "little")
            data += int(address).to_bytes(2, "little")
    digits: list[int] = []
    spikes = np.zeros((len(recordings), steps, network.inputs[0].size), np.uint8)
    pins, taken, ended = wire(CameraOnWire(board)), 0, -steps
    feed = bytes(data)
    # The answer to the last step comes in the next one: give up some steps later.
    for _ in range(steps * (len(recordings) + 2) + 2):
        for byte in pins.turn(feed, period):
            # The lamp changes after the step's events were acknowledged, and before others are.
            ended += byte >> 7
            if byte >> 6 & 1:
                if sent[taken] >= 0 and ended < len(recordings) * steps:
                    spikes[ended // steps, ended % steps, sent[taken]] = 1
                taken += 1
            if byte >> 5 & 1:
                digits.append(byte & 15)
        feed = b""
        if len(digits) > len(recordings):
            break
    else:
        raise RuntimeError(f"Answers must be {len(recordings) + 1}, not {len(digits)}")
    return Seen(np.array(digits[1:]), spikes)


def build(directory: Path, network: Network, mapping: Mapping) -> None:
    """Make the bitstream, and say what it takes."""
    tools = find_tools(TARGET.kind.tools)
    directory.mkdir(parents=True, exist_ok=True)
    top = CameraBoard(network, mapping)
    result = make_bitstream(
        top, tools, directory, seed=1, progress=lambda step: print(f"{step} ...")
    )
    for kind, used in result.used.items():
        print(f"{kind:<12}{used:>6} of {result.available[kind]}")
    print(f"fastest clock {result.fmax / 1e6:.1f} MHz, of which {top.frequency / 1e6:g} are used")
    if result.fmax < top.frequency:
        raise SystemExit("the design is too slow for its clock")
    print(directory / result.bitstream)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    recordings, labels = handful()
    runs = range(1, 1 + len(recordings))
    parser.add_argument(
        "--recordings", type=int, default=3, choices=runs, metavar="N", help="1 to 10"
    )
    parser.add_argument(
        "--speed", type=int, default=20, metavar="N", help="times as fast as the camera saw it"
    )
    parser.add_argument("--build", type=Path, metavar="DIR", help="make the bitstream there")
    options = parser.parse_args()
    network = load(NETWORK)
    mapping = Mapping.folded(network, LANES, form="events")
    if options.build is not None:
        build(options.build, network, mapping)
        return
    period = round(CameraBoard.frequency * DT / options.speed)
    compare(network, mapping, recordings[: options.recordings], labels, period)


def compare(
    network: Network,
    mapping: Mapping,
    recordings: Sequence[Events],
    labels: np.ndarray,
    period: int,
) -> None:
    """Print what the lamps show of recordings beside what the reference says."""
    seen = watch(network, mapping, recordings, period)
    expected = reference.run(network, seen.spikes).classes
    dense = events_to_dense(recordings, DT, steps=seen.spikes.shape[1], loss=ConversionLoss())
    print("digit  lamps  reference  events  in another step than by their times")
    for n, label in enumerate(labels[: len(recordings)]):
        moved = int((seen.spikes[n] & ~dense[n] & 1).sum())
        print(
            f"{label:>5}  {seen.digits[n]:>5}  {expected[n]:>9}  {len(recordings[n]):>6}  {moved}"
        )
    if not np.array_equal(seen.digits, expected):
        raise SystemExit("the lamps must show what the reference says, and do not")


if __name__ == "__main__":
    main()
