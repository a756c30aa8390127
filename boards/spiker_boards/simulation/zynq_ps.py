"""A Zynq's accelerator beside its ARM, between registers, for simulation."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.axi.lite import AxiLite
from spiker_hdl.link.axi.mailbox import AxiLink, Mailbox
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.registers import MAILBOX, register
from spiker_hdl.link.quiet import add_rest

__all__ = ["ArmOnWire", "ArmSystem"]

AT = {one.name: one.address for one in MAILBOX}
STAT = {one.name: one.offset for one in register("stat", MAILBOX).bits}
QUIET = 64
"""Cycles without a sign of a byte after which there is none: more than one takes."""


class ArmSystem(wiring.Component):
    """The IPs of a Zynq's accelerator, wired as ``system.tcl`` does.

    Parameters
    ----------
    link : Link
        With the accelerator.

    Members
    -------
    s_axil : In(AxiLite)
        Registers of the mailbox.
    interrupt : Out(1)
    idle : Out(1)
        Nothing happens until the next byte comes, or is taken.
    """

    s_axil: Any
    interrupt: Signal
    idle: Signal

    def __init__(self, link: Link):
        self.link = link
        super().__init__({"s_axil": In(AxiLite(4)), "interrupt": Out(1), "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()

        m.submodules.network = network = AxiLink(self.link)
        m.submodules.mailbox = mailbox = Mailbox()
        wiring.connect(m, wiring.flipped(self.s_axil), mailbox.s_axil)
        wiring.connect(m, mailbox.m_axis, network.s_axis)
        wiring.connect(m, network.m_axis, mailbox.s_axis)
        m.d.comb += [
            self.interrupt.eq(mailbox.interrupt),
            self.idle.eq(network.idle & mailbox.empty),
        ]

        return m


class ArmOnWire(wiring.Component):
    """A Zynq with what a host has before it: bytes, which a model of the ARM moves by registers.

    Parameters
    ----------
    link : Link
        With the accelerator.

    Members
    -------
    i, o : stream.Signature(8)
        From and to the host.
    idle : Out(1)
        Nothing happens until the next byte comes.
    """

    i: Any
    o: Any
    idle: Signal

    def __init__(self, link: Link):
        self.system = ArmSystem(link)
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.system = system = self.system
        bus = system.s_axil
        m.d.comb += [bus.wdata.eq(self.i.payload), bus.wstrb.eq(1), self.o.payload.eq(bus.rdata)]
        m.d.comb += [bus.awaddr.eq(AT["tx"]), bus.araddr.eq(AT["stat"])]
        with m.FSM():
            with m.State("Ask"):
                m.d.comb += bus.arvalid.eq(1)
                with m.If(bus.arready):
                    m.next = "Decide"
            with m.State("Decide"):
                m.d.comb += bus.rready.eq(1)
                with m.If(bus.rvalid):
                    with m.If(bus.rdata[STAT["rx_valid"]]):
                        m.next = "Read"
                    with m.Elif(self.i.valid & ~bus.rdata[STAT["tx_full"]]):
                        m.next = "Write"
                    with m.Else():
                        m.next = "Ask"
            with m.State("Read"):
                m.d.comb += [bus.arvalid.eq(1), bus.araddr.eq(AT["rx"])]
                with m.If(bus.arready):
                    m.next = "Take"
            with m.State("Take"):
                m.d.comb += [self.o.valid.eq(bus.rvalid), bus.rready.eq(self.o.ready)]
                with m.If(bus.rvalid & bus.rready):
                    m.next = "Ask"
            with m.State("Write"):
                # The mailbox is ready for both at once.
                m.d.comb += [bus.awvalid.eq(1), bus.wvalid.eq(1)]
                with m.If(bus.awready & bus.wready):
                    m.d.comb += self.i.ready.eq(1)
                    m.next = "Written"
            with m.State("Written"):
                m.d.comb += bus.bready.eq(1)
                with m.If(bus.bvalid):
                    m.next = "Ask"
        add_rest(m, self.i.valid | ~system.idle | self.o.valid, self.idle, QUIET)

        return m
