"""The spikes of a population as a stream of address events."""

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
    """A queue for the words of two time steps, and a scanner that makes events of them.

    Words leave as events in the order in which they entered. The first events of a word are valid
    three cycles after it, if the queue was empty and the reader is ready. The neurons cannot stall,
    so a step may start only while the queue has room for all of its words. After reset it is empty.

    Parameters
    ----------
    size : int
        Number of addresses.
    width : int
        Channels in a word.
    value : Shape
        Shape of an event's value, without width for spikes.
    banks : int
        Number of events in one payload.

    Members
    -------
    start : In(1)
        1 in the cycle in which a step begins whose words follow; only while ``free``.
    free : Out(1)
        There is room for the words of one more step.
    i : In(ScannerWord)
        A word, sampled in each cycle with ``valid``; in ascending order within its step.
    valid : In(1)
        There is a word. It is always accepted. A word without events may be left out, unless it
        ends the step.
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
        Events of each step, then its token.
    """

    start: Signal
    free: Signal
    i: data.View
    valid: Signal
    o: stream.Interface

    def __init__(self, size: int, *, width: int, value: Shape = NO_VALUE, banks: int = 1):
        size = check_int("Spike output size", size, 1)
        width = check_int("Spike output width", width, 1)
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

        # Steps are counted, not words: room is reserved when a step starts, and freed by its token.
        # The queue never refuses a word, then, so its ``ready`` is not looked at.
        waiting = Signal(range(WAITING_STEPS + 1))
        finished = self.o.valid & self.o.ready & self.o.p.end
        m.d.comb += self.free.eq(waiting < WAITING_STEPS)
        m.d.sync += waiting.eq(waiting + self.start - finished)

        return m
