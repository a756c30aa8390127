"""A Zynq's accelerator beside its ARM, between registers, for simulation."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.axi.lite import AxiLite
from spiker_hdl.link.axi.mailbox import AxiLink, Mailbox
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.idle_detector import add_idle_detector
from spiker_hdl.link.protocol.registers import MAILBOX, register

__all__ = ["ArmOnWire", "ArmSystem"]

AT = {entry.name: entry.address for entry in MAILBOX}
STAT = {bit.name: bit.offset for bit in register("stat", MAILBOX).bits}
QUIET = 64
"""Cycles without activity after which no byte is on its way: a byte takes fewer."""


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
        High while nothing changes until the next byte is written or read.
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
    """A Zynq behind bytes, which a model of a program on the ARM moves through the registers.

    Parameters
    ----------
    link : Link
        With the accelerator.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes from the host; ready in the cycle in which one was written to the mailbox.
    o : Out(stream.Signature(8))
        Bytes to the host; valid while one was read from the mailbox and not yet taken.
    idle : Out(1)
        High while nothing changes until the next byte of the host.
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
            # The program polls the status first, since a read of an empty mailbox gives no byte.
            with m.State("Ask"):
                m.d.comb += bus.arvalid.eq(1)
                with m.If(bus.arready):
                    m.next = "Decide"
            # Bytes from the board come first: a full mailbox would stall it.
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
            # The bus holds the word until the host takes the byte.
            with m.State("Take"):
                m.d.comb += [self.o.valid.eq(bus.rvalid), bus.rready.eq(self.o.ready)]
                with m.If(bus.rvalid & bus.rready):
                    m.next = "Ask"
            with m.State("Write"):
                # The mailbox takes address and data in the same cycle.
                m.d.comb += [bus.awvalid.eq(1), bus.wvalid.eq(1)]
                with m.If(bus.awready & bus.wready):
                    m.d.comb += self.i.ready.eq(1)
                    m.next = "Written"
            # The next access waits for the response to the write.
            with m.State("Written"):
                m.d.comb += bus.bready.eq(1)
                with m.If(bus.bvalid):
                    m.next = "Ask"
        add_idle_detector(m, self.i.valid | ~system.idle | self.o.valid, self.idle, QUIET)

        return m
