"""A heart monitor without a host: a converter in, lamps out.

    values of an 8-bit converter, 180 a second
      -> BeatCutter          finds a beat by how steep the signal is, and cuts it out
      -> delta modulation    ON and OFF events at four thresholds
      -> recurrent network   48 neurons, in integers
      -> leds                the class of the latest beat: N, S, V or F

A beat begins for the network where the cutter says so: 32 values before the place where two values
22 ms apart differ by 0.4 mV, and it ends 56 values behind; no other beat is looked for until then.
So nobody tells the hardware where beats are.

    python examples/ecg_monitor.py

simulates it cycle by cycle on neighbouring beats of patients that the network was not trained on.
"""

import argparse
from pathlib import Path

import numpy as np
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from ecg_data import (
    AFTER,
    BEFORE,
    CLASSES,
    ENCODING,
    SPAN,
    STEEP,
    STEPS,
    Beats,
    detect,
    handful,
    signal_of,
    windows,
)

from spiker_hdl.model import Mapping, Network, load, reference
from spiker_hdl.rtl import EncodedAccelerator, RawSample

__all__ = ["BeatCutter", "EcgMonitor", "simulate"]

BITS = ENCODING.bits
NETWORK = Path(__file__).parent.parent / "networks" / "ecg.spiker"


class BeatCutter(wiring.Component):
    """Find beats in a signal, and put out the values around each.

    A value is taken in each cycle but while a beat is put out: from the cycle after its last value
    was taken, for one cycle and those in which its values are. The beats are those of
    :func:`ecg_data.detect` and :func:`ecg_data.windows`.

    Members
    -------
    i : In(stream.Signature(BITS))
        Values of the converter; ``ready`` unless a beat is being put out.
    o : Out(stream.Signature(RawSample(BITS)))
        ``STEPS`` values a beat.
    """

    i: In(stream.Signature(BITS))
    o: Out(stream.Signature(RawSample(BITS)))

    def elaborate(self, platform):
        m = Module()

        # The latest values are kept in a ring, whose size is a power of two: addresses wrap around.
        depth = 1 << (STEPS - 1).bit_length()
        m.submodules.kept = kept = Memory(shape=BITS, depth=depth, init=[])
        write = kept.write_port()
        read = kept.read_port()

        at = Signal(range(depth))  # where the next value goes
        left = Signal(range(STEPS + 1))  # values of the beat that are still to be put out
        place = Signal(range(depth))  # of the next value that is requested
        earlier = [Signal(BITS, name=f"earlier_{n}") for n in range(SPAN)]
        known = Signal(range(BEFORE + 1))  # values behind, as far as they are needed
        wait = Signal(range(AFTER))  # values until the beat is complete
        steep = self._steep(m, earlier[-1])
        m.d.comb += [
            write.addr.eq(at),
            write.data.eq(self.i.payload),
            read.addr.eq(place),
            self.o.p["value"].eq(read.data),
            self.o.p.last.eq(left == 1),
        ]

        with m.FSM():
            # Store values until a beat is complete; it ends with the value that comes now.
            with m.State("Listen"):
                m.d.comb += [self.i.ready.eq(1), write.en.eq(self.i.valid)]
                with m.If(self.i.valid):
                    m.d.sync += at.eq(at + 1)
                    self._track(m, earlier, known, wait, steep)
                    with m.If(wait == 1):
                        m.d.sync += [left.eq(STEPS), place.eq(at + 1 - STEPS)]
                        m.next = "Fetch"
            # The memory gives a value a cycle after its address: request the first one.
            with m.State("Fetch"):
                m.d.sync += place.eq(place + 1)
                m.next = "Offer"
            # One value a cycle. The next one is requested as the current one is taken; until then
            # the current one is requested again, since it must stay on offer.
            with m.State("Offer"):
                m.d.comb += self.o.valid.eq(1)
                m.d.comb += read.addr.eq(Mux(self.o.ready, place, place - 1))
                with m.If(self.o.ready):
                    m.d.sync += [place.eq(place + 1), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "Listen"

        return m

    def _steep(self, m, before):
        """Return whether the signal is as steep here as in a beat, by a value some way before."""
        change = Signal(signed(BITS + 1))
        steep = Signal()
        m.d.comb += [
            change.eq(self.i.payload - before),
            steep.eq((change >= STEEP) | (change <= -STEEP)),
        ]
        return steep

    def _track(self, m, earlier, known, wait, steep) -> None:
        """Remember the value on offer, and count the values until a beat is complete."""
        m.d.sync += Cat(earlier).eq(Cat(self.i.payload, earlier[:-1]))
        with m.If(known != BEFORE):
            m.d.sync += known.eq(known + 1)
        # While a beat is completed, no other is looked for. A beat needs ``BEFORE`` values before
        # the steep place.
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(steep & (known == BEFORE)):
            m.d.sync += wait.eq(AFTER - 1)


class EcgMonitor(wiring.Component):
    """Show the class of each heart beat.

    Parameters
    ----------
    network : Network
        Whose first readout says the class.
    mapping : Mapping, optional

    Members
    -------
    adc : In(stream.Signature(BITS))
        A value each 1/180 s. While a beat goes through the network, for a few thousand cycles, a
        value may have to wait.
    leds : Out(len(CLASSES))
        One is on: the latest beat's class; none before there was a beat.
    beat : Out(1)
        For one cycle, when ``leds`` show another beat.
    """

    adc: stream.Interface
    leds: Signal
    beat: Signal

    def __init__(self, network: Network, mapping: Mapping | None = None):
        self.engine = EncodedAccelerator(network, mapping, encoding=ENCODING)
        self.network = network
        self.mapping = self.engine.mapping
        super().__init__({
            "adc": In(stream.Signature(BITS)),
            "leds": Out(len(CLASSES)),
            "beat": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.cutter = cutter = BeatCutter()
        m.submodules.engine = self.engine
        wiring.connect(m, wiring.flipped(self.adc), cutter.i)
        wiring.connect(m, cutter.o, self.engine.i)

        readout = self.engine.accelerator.readout_names[self.network.readout.name]
        result = self.engine.o
        m.d.comb += result.ready.eq(1)
        m.d.sync += self.beat.eq(result.valid)
        with m.If(result.valid):
            m.d.sync += self.leds.eq(1 << result.p.answers[readout].winner)

        return m


def simulate(monitor: EcgMonitor, signal: np.ndarray, beats: int, idle: int = 0) -> list[int]:
    """Let the monitor watch a signal, cycle by cycle, and return the class of each beat it shows.

    Parameters
    ----------
    monitor : EcgMonitor
    signal : array of int, shape (values,)
    beats : int
        How many to wait for; no longer than 20000 cycles, though.
    idle : int
        Cycles from the taking of a value to the next one.
    """
    shown: list[int] = []

    async def convert(ctx):
        for value in signal.tolist():
            ctx.set(monitor.adc.payload, value)
            ctx.set(monitor.adc.valid, 1)
            ready = 0
            while not ready:
                *_, ready = await ctx.tick().sample(monitor.adc.ready)
            ctx.set(monitor.adc.valid, 0)
            for _ in range(idle):
                await ctx.tick()
        for _ in range(20_000):
            if len(shown) == beats:
                break
            await ctx.tick()

    async def watch(ctx):
        while True:
            *_, beat, leds = await ctx.tick().sample(monitor.beat, monitor.leds)
            if beat:
                shown.append(leds.bit_length() - 1)

    simulator = Simulator(monitor)
    simulator.add_clock(1e-6)
    simulator.add_testbench(convert)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8, help="of three beats, 1 to 8")
    options = parser.parse_args()
    network = load(NETWORK)
    beats = handful()
    print("record  annotated  lamps  reference")
    for n in range(options.runs):
        run: Beats = beats[np.arange(3 * n, 3 * n + 3)]
        signal, _ = signal_of(run)
        cuts = windows(signal, detect(signal))
        shown = simulate(EcgMonitor(network), signal, len(cuts))
        expected = reference.run(network, ENCODING.encode(cuts)).classes
        lamps = "".join(CLASSES[line] for line in shown)
        same = "".join(CLASSES[answer] for answer in expected)
        annotated = "".join(CLASSES[label] for label in run.labels)
        print(f"{run.records[0]:>6}  {annotated:<9}  {lamps:<5}  {same}")


if __name__ == "__main__":
    main()
