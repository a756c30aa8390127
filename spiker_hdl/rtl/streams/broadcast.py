"""Copies of one stream for several readers."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = ["Broadcast"]


class Broadcast(wiring.Component):
    """Copy each payload to every branch; each branch takes its copy when it is ready.

    The payload reaches all branches in the cycle in which it is offered, and is taken from the
    input in the cycle in which the last branch takes it. With branches that are always ready, a
    payload passes in each cycle, in order. After reset no branch has taken the payload on offer.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a payload.
    branches : int
        Number of branches; with none, every payload is taken and dropped.

    Members
    -------
    i : In(stream.Signature(shape))
        Payloads; each must stay on offer until it is taken.
    o : Out(stream.Signature(shape)).array(branches)
        The same payload for each branch; ``valid`` until that branch has taken it.
    """

    i: stream.Interface
    o: list[stream.Interface]

    def __init__(self, shape, *, branches: int):
        branches = check_int("Branches", branches, 0)
        self.shape = shape
        self.branches = branches
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)).array(branches),
        })

    def elaborate(self, platform):
        m = Module()

        # Branches differ in when they are ready: a bit for each remembers that it has its copy.
        done = Signal(self.branches)
        now = Signal(self.branches)  # including those that take it in this cycle
        for n, branch in enumerate(self.o):
            m.d.comb += [
                branch.payload.eq(self.i.payload),
                branch.valid.eq(self.i.valid & ~done[n]),
                now[n].eq(done[n] | branch.ready),
            ]
        m.d.comb += self.i.ready.eq(now.all())
        # With the last branch the payload is taken, and the next one begins with no copy made.
        with m.If(self.i.valid):
            m.d.sync += done.eq(Mux(self.i.ready, 0, now))

        return m
