"""What leaves a population: its outcome as a stream of events."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model.mapping.microarchitecture import WAITING_STEPS, spike_output_depth

from .events import NO_VALUE, AddressEvent
from .queue import Queue
from .scanner import Scanner, ScannerWord

__all__ = ["SpikeOutput"]


class SpikeOutput(wiring.Component):
    """Room for the words of two time steps, and a scanner that makes events of them.

    Parameters
    ----------
    size : int
        Number of addresses.
    width : int
        Channels in a word.
    value : Shape
        Shape of an event's value, of no width for spikes.
    banks : int
        Events that leave side by side.

    Members
    -------
    start : In(1)
        A step's words will come; only while ``free``.
    free : Out(1)
        There is room for the words of one more step.
    i : In(ScannerWord)
        A word, in ascending order within its step; always accepted.
    valid : In(1)
        Whether there is a word, which may be left out if it has no events and ends no step.
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
    """

    start: Signal
    free: Signal
    i: data.View
    valid: Signal
    o: stream.Interface

    def __init__(self, size: int, *, width: int, value: Shape = NO_VALUE, banks: int = 1):
        size = check_int("Emitter size", size, 1)
        width = check_int("Emitter width", width, 1)
        self.size = size
        self.banks = banks
        self.width = width
        self.value = value
        self.words = -(-size // width)
        super().__init__({
            "start": In(1),
            "free": Out(1),
            "i": In(ScannerWord(width, self.words, value)),
            "valid": In(1),
            "o": Out(stream.Signature(AddressEvent(size, value, banks))),
        })

    def elaborate(self, platform):
        m = Module()

        layout = ScannerWord(self.width, self.words, self.value)
        m.submodules.queue = queue = Queue(layout, depth=spike_output_depth(self.words))
        m.submodules.scanner = scanner = Scanner(
            self.size, width=self.width, value=self.value, banks=self.banks
        )
        wiring.connect(m, queue.o, scanner.i)
        wiring.connect(m, scanner.o, wiring.flipped(self.o))
        m.d.comb += [queue.i.p.eq(self.i), queue.i.valid.eq(self.valid)]

        waiting = Signal(range(WAITING_STEPS + 1))
        sent = self.o.valid & self.o.ready & self.o.p.end
        m.d.comb += self.free.eq(waiting < WAITING_STEPS)
        m.d.sync += waiting.eq(waiting + self.start - sent)

        return m
