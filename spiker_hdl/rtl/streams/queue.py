"""A FIFO between two streams."""

from amaranth import *
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = ["Queue"]


class Queue(wiring.Component):
    """FIFO whose outputs come from registers, so that no path leads from one side to the other.

    Entries leave in the order in which they entered. An entry can be taken two cycles after it was
    accepted (one cycle if ``depth`` is 1). With a ``depth`` of at least 3, one entry passes in each
    cycle. After reset the queue is empty.

    Parameters
    ----------
    shape : ShapeLike
        Shape of an entry.
    depth : int
        Number of entries.

    Members
    -------
    i : In(stream.Signature(shape))
        Entries; ``ready`` while there is room for one.
    o : Out(stream.Signature(shape))
        The oldest entry; ``valid`` while there is one.
    empty : Out(1)
        No entry is stored.

    Raises
    ------
    ValueError
        If ``depth`` is less than 1.
    """

    i: stream.Interface
    o: stream.Interface
    empty: Signal

    def __init__(self, shape, *, depth: int):
        depth = check_int("Queue depth", depth, 1)
        self.shape = shape
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # The oldest entry waits in the output register of a memory, which can become block RAM.
        m.submodules.fifo = buffer = fifo.SyncFIFOBuffered(
            width=Shape.cast(self.shape).width, depth=self.depth
        )
        m.d.comb += [
            buffer.w_data.eq(self.i.payload),
            buffer.w_en.eq(self.i.valid),
            self.i.ready.eq(buffer.w_rdy),
            Value.cast(self.o.payload).eq(buffer.r_data),
            self.o.valid.eq(buffer.r_rdy),
            buffer.r_en.eq(self.o.ready),
            # The level includes the entry at the output, and one that is on its way to it.
            self.empty.eq(buffer.r_level == 0),
        ]

        return m
