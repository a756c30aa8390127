"""The spikes of a population as a stream of address events."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiker_hdl.base.checks import check_int
from spiker_hdl.model.mapping.microarchitecture import WAITING_STEPS, spike_output_depth

from .events import NO_VALUE, AddressEvent
from .queue import Queue
from .scanner import Scanner, ScannerWord

__all__ = ["SpikeOutput"]


class SpikeOutput(wiring.Component):
    """A queue for the words of two time steps, and a scanner that makes events of them.

    A word has the channels of one group of neurons or, so that the queue has fewer entries, of
    several that come one after the other. Words without events are not stored, unless they end a
    step. Words leave as events in the order in which they entered. The first events of a word are
    valid three cycles after its last group, if the queue was empty and the reader is ready. The
    neurons cannot stall, so a step may start only while the queue has room for all of its words.
    After reset it is empty.

    Parameters
    ----------
    size : int
        Number of addresses.
    width : int
        Channels in a group.
    value : Shape
        Shape of an event's value, without width for spikes.
    banks : int
        Number of events in one payload.
    gather : int
        Number of groups in a word, a power of two.

    Members
    -------
    start : In(1)
        1 in the cycle in which a step begins whose words follow; only while ``free``.
    free : Out(1)
        There is room for the words of one more step.
    i : In(ScannerWord)
        A group, sampled in each cycle with ``valid``; in ascending order within its step.
    valid : In(1)
        There is a group. It is always accepted. Of the groups without events, only those that end a
        step and, with ``gather``, those that end a word must be given.
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
        Events of each step, then its token.
    """

    start: Signal
    free: Signal
    i: data.View
    valid: Signal
    o: stream.Interface

    def __init__(
        self, size: int, *, width: int, value: Shape = NO_VALUE, banks: int = 1, gather: int = 1
    ):
        size = check_int("Spike output size", size, 1)
        width = check_int("Spike output width", width, 1)
        gather = check_int("Gather", gather, 1)
        if gather & (gather - 1):
            raise ValueError(f"Gather must be a power of two, not {gather}")
        self.size = size
        self.banks = banks
        self.width = width
        self.value = value
        self.gather = gather
        self.groups = -(-size // width)
        self.words = -(-self.groups // gather)
        super().__init__({
            "start": In(1),
            "free": Out(1),
            "i": In(ScannerWord(width, self.groups, value)),
            "valid": In(1),
            "o": Out(stream.Signature(AddressEvent(size, value, banks))),
        })

    def elaborate(self, platform):
        m = Module()

        width = self.width * self.gather
        layout = ScannerWord(width, self.words, self.value)
        m.submodules.queue = queue = Queue(layout, depth=spike_output_depth(self.words))
        m.submodules.scanner = scanner = Scanner(
            self.size, width=width, value=self.value, banks=self.banks
        )
        wiring.connect(m, queue.o, scanner.i)
        wiring.connect(m, scanner.o, wiring.flipped(self.o))
        word = queue.i.p
        if self.gather == 1:
            m.d.comb += word.eq(self.i)
            over = C(1)
        else:
            over = self._gather(m, word)
        m.d.comb += queue.i.valid.eq(self.valid & over & (word.flags.any() | word.end))

        # Steps are counted, not words: room is reserved when a step starts, and freed by its token.
        # The queue never refuses a word, then, so its ``ready`` is not looked at.
        waiting = Signal(range(WAITING_STEPS + 1))
        finished = self.o.valid & self.o.ready & self.o.p.end
        m.d.comb += self.free.eq(waiting < WAITING_STEPS)
        m.d.sync += waiting.eq(waiting + self.start - finished)

        return m

    def _gather(self, m, word) -> Value:
        """Put groups together; return whether the word ends with the group that is given."""
        part = self.i.index[: exact_log2(self.gather)]
        # The events of the word's earlier groups; values without an event are never read.
        held = Signal(data.ArrayLayout(self.width, self.gather), name="held_flags")
        flags = Signal(data.ArrayLayout(self.width, self.gather), name="gathered_flags")
        values = Signal(data.ArrayLayout(self.value, self.width * self.gather), name="held_values")
        over = (part == self.gather - 1) | self.i.end
        for n in range(self.gather):
            m.d.comb += flags[n].eq(Mux(part == n, self.i.flags, held[n]))
            for k in range(self.width if self.value.width else 0):
                channel = n * self.width + k
                value = Mux(part == n, self.i["values"][k], values[channel])
                m.d.comb += word["values"][channel].eq(value)
                with m.If(self.valid):
                    m.d.sync += values[channel].eq(value)
        with m.If(self.valid):
            m.d.sync += held.eq(Mux(over, 0, Value.cast(flags)))
        m.d.comb += [
            word.flags.eq(flags),
            word.index.eq(self.i.index >> exact_log2(self.gather)),
            word.end.eq(self.i.end),
            word.last.eq(self.i.last),
        ]
        return over
