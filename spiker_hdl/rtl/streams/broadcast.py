"""One stream into several."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = ["Broadcast"]


class Broadcast(wiring.Component):
    """Give each payload to every branch, each of which takes it when it can.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a payload.
    branches : int
        Number of branches; with none, all is taken and dropped.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape)).array(branches)
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

        done = Signal(self.branches)
        now = Signal(self.branches)
        for n, branch in enumerate(self.o):
            m.d.comb += [
                branch.payload.eq(self.i.payload),
                branch.valid.eq(self.i.valid & ~done[n]),
                now[n].eq(done[n] | branch.ready),
            ]
        m.d.comb += self.i.ready.eq(now.all())
        with m.If(self.i.valid):
            m.d.sync += done.eq(Mux(self.i.ready, 0, now))

        return m
