"""The heart monitor on a board: an iCEBreaker with a converter and four lamps, and no host.

    electrodes, AD8232 -> Pmod AD1 on PMOD1A -> the monitor of ecg_monitor.py -> lamps on PMOD2

The converter is asked 180 times a second for 12 bits, of which 8 count. Nobody here has had the
board, or the converter, in hand.

    python examples/ecg_board.py                  simulates the board from its pins
    python examples/ecg_board.py --build DIR      makes its bitstream
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import *
from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import Fragment
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out
from ecg_data import AFTER, CLASSES, ENCODING, detect, handful, signal_of, windows
from ecg_monitor import BITS, NETWORK, EcgMonitor

from spiker_boards.builder.bitstream import make_bitstream
from spiker_boards.catalog import BOARDS
from spiker_boards.gateware.pll import Clock
from spiker_boards.gateware.top import add_clock, request
from spiker_boards.simulation.board import ModelClock, ModelPins
from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Mapping, Network, load, reference
from spiker_hdl.simulate.byte_stream import CompiledWire
from spiker_hdl.tools.programs import find_tools

__all__ = ["TARGET", "Converter", "EcgBoard", "EcgOnWire", "expected", "watch"]

RATE = 180  # values a second
SENT = 16  # bits of a conversion, the first four of which are zeros
MEANT = 12
LEAST = 40
"""Cycles of a conversion, and a pause behind it."""


def _platform():
    board = BOARDS["icebreaker"].platform()
    standard = Attrs(IO_STANDARD="SB_LVCMOS")
    board.add_resources([
        # CS, D0, D1 and SCLK are pins 1 to 4 of the module.
        Resource(
            "converter",
            0,
            Subsignal("cs", Pins("1", dir="o", conn=("pmod", 0))),
            Subsignal("data", Pins("2", dir="i", conn=("pmod", 0))),
            Subsignal("clk", Pins("4", dir="o", conn=("pmod", 0))),
            standard,
        ),
        *board.break_off_pmod,
    ])
    return board


TARGET = replace(
    BOARDS["icebreaker"],
    platform=_platform,
    frequency=12_000_000,
    leds=tuple(("led_g", n) for n in range(1, 1 + len(CLASSES))),
)


class Converter(wiring.Component):
    """Reads an AD7476A, the converter of a Pmod AD1, every so many cycles.

    After its data sheet: where ``cs`` falls, the first of 16 bits is there, and each of the others
    behind a falling edge of ``clk``; four zeros come first, then twelve bits, highest first. A
    value that nobody has taken is replaced by the next one.

    Parameters
    ----------
    period : int
        Cycles, at least :data:`LEAST`.

    Members
    -------
    cs, clk : Out(1)
    data : In(1)
    o : Out(stream.Signature(BITS))
        The highest bits of a value.
    """

    cs: Out(1, init=1)
    clk: Out(1, init=1)
    data: In(1)
    o: Out(stream.Signature(BITS))

    def __init__(self, period: int):
        check_int("Period", period, LEAST)
        self.period = period
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        wait = Signal(range(self.period))
        left = Signal(range(SENT + 1))
        bits = Signal(MEANT)
        with m.If(wait == self.period - 1):
            m.d.sync += [wait.eq(0), self.cs.eq(0), left.eq(SENT)]
        with m.Else():
            m.d.sync += wait.eq(wait + 1)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(~self.cs):
            with m.If(left == 0):
                m.d.sync += [self.cs.eq(1), self.clk.eq(1), self.o.valid.eq(1)]
                m.d.sync += self.o.payload.eq(bits >> (MEANT - BITS))
            with m.Else():
                m.d.sync += self.clk.eq(~self.clk)
                # A bit is taken where the edge falls that brings the next one.
                with m.If(self.clk):
                    m.d.sync += [bits.eq(Cat(self.data, bits)), left.eq(left - 1)]

        return m


class EcgBoard(wiring.Component):
    """The monitor on a board.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    period : int, optional
        Cycles from a value to the next one; those of 1/180 s where none are given.
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
        clock: Callable[..., Any] = Clock,
    ):
        self.monitor = EcgMonitor(network, mapping)
        self.period = round(self.frequency / RATE) if period is None else period
        self.clock = clock
        super().__init__({})

    def elaborate(self, platform):
        m = Module()

        target = self.target
        parts = [("converter", 0, name) for name in ("cs", "clk", "data")]
        oscillator, button, cs, clk, data, *lamps = request(
            platform, [target.clock, target.reset, *parts, *target.leds]
        )
        add_clock(m, target, self.frequency, self.clock, oscillator, [button])
        m.submodules.converter = converter = Converter(self.period)
        m.submodules.monitor = self.monitor
        wiring.connect(m, converter.o, self.monitor.adc)
        outs = [
            (cs, converter.cs),
            (clk, converter.clk),
            *zip(lamps, self.monitor.leds, strict=True),
        ]
        for n, (port, value) in enumerate(outs):
            m.submodules[f"out_{n}"] = out = io.Buffer(io.Direction.Output, port)
            m.d.comb += out.o.eq(value)
        m.submodules.data = pin = io.Buffer(io.Direction.Input, data)
        m.d.comb += converter.data.eq(pin.i)

        return m


class EcgOnWire(wiring.Component):
    """The board's pins, a model of the converter, and bytes in and out.

    Members
    -------
    i : In(stream.Signature(8))
        What the converter finds; the last value again when there is none.
    o : Out(stream.Signature(8))
        The lamps, as they are when the converter is asked.
    idle : Out(1)
        Never.
    """

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))
    idle: Out(1)

    def __init__(self, board: EcgBoard):
        self.board = board
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        pins = ModelPins(TARGET)
        m.submodules.board = DomainRenamer("board")(Fragment.get(self.board, pins))
        ports = pins.ports
        cs, clk, data = (ports["converter", 0, name] for name in ("cs", "clk", "data"))
        register, shift = Signal(8), Signal(SENT)
        before = Signal(2, init=0b11)
        fell = before & ~Cat(cs.o, clk.o)
        m.d.sync += before.eq(Cat(cs.o, clk.o))
        m.d.comb += [
            ports[TARGET.clock].i.eq(ClockSignal()),
            ports[TARGET.reset].i.eq(ports[TARGET.reset].invert[0]),
            # The next bit is there well before the edge rises.
            data.i.eq(Mux(fell[1], shift[-2], shift[-1])),
            self.o.payload.eq(Cat(ports[pin].o for pin in TARGET.leds)),
            self.o.valid.eq(fell[0]),
            self.i.ready.eq(fell[0]),
        ]
        with m.If(fell[0]):
            value = Mux(self.i.valid, self.i.payload, register)
            m.d.sync += [register.eq(value), shift.eq(Cat(C(0b1010, MEANT - BITS), value))]
        with m.Elif(fell[1] & ~cs.o):
            m.d.sync += shift.eq(shift << 1)

        return m


def watch(network: Network, mapping: Mapping, signal: np.ndarray, period: int) -> np.ndarray:
    """Return what the lamps show at each value of a signal, from the board's pins.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    signal : array of int, shape (values,)
        What the converter finds.
    period : int
        Cycles from a value to the next one.

    Returns
    -------
    array of int, shape (values,)
        A lamp a bit, before the value has come.
    """
    board = EcgBoard(network, mapping, period=period, clock=ModelClock)
    wire, shown = CompiledWire(EcgOnWire(board)), b""
    data = signal.astype(np.uint8).tobytes()
    while len(shown) < len(signal):
        shown += wire.turn(data, 100 * period)
        data = b""
    wire.close()
    return np.frombuffer(shown, np.uint8)[: len(signal)]


def expected(network: Network, signal: np.ndarray) -> np.ndarray:
    """Return what :func:`watch` is to return, by the reference."""
    places = [place for place in detect(signal) if place + AFTER <= len(signal)]
    classes = reference.run(network, ENCODING.encode(windows(signal, places))).classes
    lamps = np.zeros(len(signal), dtype=np.uint8)
    for place, answer in zip(places, classes.tolist(), strict=True):
        lamps[place + AFTER :] = 1 << answer
    return lamps


def build(directory: Path, network: Network, mapping: Mapping) -> None:
    """Make the bitstream, and say what it takes."""
    tools = find_tools(TARGET.kind.tools)
    directory.mkdir(parents=True, exist_ok=True)
    top = EcgBoard(network, mapping)
    result = make_bitstream(
        top, tools, directory, seed=1, progress=lambda step: print(f"{step} ...")
    )
    for kind, used in result.used.items():
        print(f"{kind:<12}{used:>6} of {result.available[kind]}")
    print(
        f"fastest clock {result.fmax / 1e6:.1f} MHz, of which {EcgBoard.frequency / 1e6:g} are used"
    )
    if result.fmax < EcgBoard.frequency:
        raise SystemExit("the design is too slow for its clock")
    print(directory / result.bitstream)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    runs = range(1, 9)
    parser.add_argument(
        "--runs", type=int, default=8, choices=runs, metavar="N", help="of three beats, 1 to 8"
    )
    parser.add_argument("--build", type=Path, metavar="DIR", help="make the bitstream there")
    options = parser.parse_args()
    network = load(NETWORK)
    mapping = Mapping.folded(network, 4, word=8)
    if options.build is not None:
        build(options.build, network, mapping)
        return
    beats = handful()
    print("record  annotated  lamps  reference")
    for n in range(options.runs):
        run = beats[np.arange(3 * n, 3 * n + 3)]
        signal, _ = signal_of(run)
        signal = np.append(signal, signal[-1])
        shown = watch(network, mapping, signal, round(EcgBoard.frequency / RATE))
        due = [at + AFTER for at in detect(signal) if at + AFTER < len(signal)]
        lamps, expected_lamps = (
            "".join(CLASSES[int(lamp).bit_length() - 1] for lamp in lamps[due])
            for lamps in (shown, expected(network, signal))
        )
        annotated = "".join(CLASSES[label] for label in run.labels)
        print(f"{run.records[0]:>6}  {annotated:<9}  {lamps:<5}  {expected_lamps}", flush=True)
        if not np.array_equal(shown, expected(network, signal)):
            raise SystemExit("the lamps must show what the reference says, and do not")


if __name__ == "__main__":
    main()
