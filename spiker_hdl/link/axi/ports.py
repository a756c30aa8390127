"""AXI4-Stream, and the clock and reset of AXI."""

from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AxiStream", "AxiTop"]


class AxiStream(wiring.Signature):
    """AXI4-Stream (ARM IHI 0051A), seen from its transmitter.

    A beat moves in each cycle with ``tvalid`` and ``tready``; until then it is stable.

    Parameters
    ----------
    width : int
        Number of bits of ``tdata``, a multiple of 8.
    """

    def __init__(self, width: int):
        self.width = width
        super().__init__({
            "tdata": Out(width),
            "tlast": Out(1),
            "tvalid": Out(1),
            "tready": In(1),
        })

    def __eq__(self, other):
        return isinstance(other, AxiStream) and self.width == other.width


class AxiTop(wiring.Component):
    """A wrapper that gives a component of the domain ``sync`` the clock and the reset of AXI.

    It adds no logic: order, latency and the state after reset are those of the component.

    Parameters
    ----------
    inner : wiring.Component
        Component whose members the wrapper has too.

    Members
    -------
    aclk : In(1)
        Clock; all ports are sampled at, and change after, its rising edges.
    aresetn : In(1)
        Reset, active low and synchronous: sampled at rising edges of ``aclk``.
    """

    aclk: Signal
    aresetn: Signal

    def __init__(self, inner: wiring.Component):
        self.inner: Any = inner
        super().__init__({"aclk": In(1), "aresetn": In(1), **inner.signature.members})

    def elaborate(self, platform):
        m = Module()

        # AXI has a reset that is active low, and Amaranth one that is active high.
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.inner = self.inner
        for name, member in self.inner.signature.members.items():
            outer, inner = getattr(self, name), getattr(self.inner, name)
            # Plain ports are assigned by their direction; interfaces are connected as a whole.
            if member.is_port:
                m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
            elif member.flow == In:
                wiring.connect(m, wiring.flipped(outer), inner)
            else:
                wiring.connect(m, inner, wiring.flipped(outer))

        return m
