"""A queue between two streams."""

from amaranth import *
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = ["Queue"]


class Queue(wiring.Component):
    """First in, first out; cuts the chains of ``valid`` and of ``ready``.

    An entry can be taken two cycles after it came (one, if ``depth`` is 1). An entry a cycle goes
    through where ``depth`` is at least 3.

    Parameters
    ----------
    shape : ShapeLike
        Shape of an entry.
    depth : int
        Number of entries.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    empty : Out(1)
        There is no entry.

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

        m.submodules.fifo = held = fifo.SyncFIFOBuffered(
            width=Shape.cast(self.shape).width, depth=self.depth
        )
        m.d.comb += [
            held.w_data.eq(self.i.payload),
            held.w_en.eq(self.i.valid),
            self.i.ready.eq(held.w_rdy),
            Value.cast(self.o.payload).eq(held.r_data),
            self.o.valid.eq(held.r_rdy),
            held.r_en.eq(self.o.ready),
            self.empty.eq(held.r_level == 0),
        ]

        return m
