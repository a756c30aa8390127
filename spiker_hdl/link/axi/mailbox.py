"""Frames over AXI4-Stream, and a mailbox through which a processor exchanges them."""

from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.registers import MAILBOX, MAILBOX_DEPTH, register
from spiker_hdl.rtl.streams.queue import Queue

from .lite import AxiLite, AxiLitePort
from .ports import AxiStream

__all__ = ["AxiLink", "Mailbox"]

DELIMITER = 0
"""The byte that ends a frame."""

AT = {reg.name: reg.address >> 2 for reg in MAILBOX}
"""Word addresses of the mailbox's registers."""


class AxiLink(wiring.Component):
    """A link whose bytes are beats of AXI4-Stream, for any carrier: see :mod:`~.frames`.

    Beats pass in the same cycle; order, throughput and the state after reset are those of the link.

    Parameters
    ----------
    link : Link
        The link.

    Members
    -------
    s_axis : In(AxiStream)
        Bytes from the host, one in each beat; ``tlast`` is ignored.
    m_axis : Out(AxiStream)
        Bytes to the host; ``tlast`` is 1 with the last byte of a frame.
    idle : Out(1)
        Nothing happens before the next byte from the host.
    damaged : Out(1)
        1 in the cycle after a damaged frame of the host has ended.

    Raises
    ------
    TypeError
        If ``link`` is not a link.
    """

    s_axis: Any
    m_axis: Any
    idle: Signal
    damaged: Signal

    def __init__(self, link: Link):
        check_kind("Link", link, Link)
        self.link = link
        super().__init__({
            "s_axis": In(AxiStream(8)),
            "m_axis": Out(AxiStream(8)),
            "idle": Out(1),
            "damaged": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.link = link = self.link
        m.d.comb += [
            link.i.payload.eq(self.s_axis.tdata),
            link.i.valid.eq(self.s_axis.tvalid),
            self.s_axis.tready.eq(link.i.ready),
            self.m_axis.tdata.eq(link.o.payload),
            self.m_axis.tlast.eq(link.o.payload == DELIMITER),
            self.m_axis.tvalid.eq(link.o.valid),
            link.o.ready.eq(self.m_axis.tready),
            self.idle.eq(link.idle),
        ]
        # A register, so that no path leads from one port to another.
        m.d.sync += self.damaged.eq(link.damaged)

        return m


class Mailbox(wiring.Component):
    """Two queues of bytes behind registers, between a processor and a pair of streams.

    The registers are those of :data:`~.registers.MAILBOX`, so that a driver for AXI UART Lite (AMD
    PG142), as Linux has one, makes a serial port of it. Bytes keep their order, and none is lost:
    if the queue for the processor is full, the stream waits; if the other one is full, the write is
    answered by SLVERR. Each byte takes one access of the bus. After reset both queues are empty and
    interrupts are off.

    Members
    -------
    s_axil : In(AxiLite)
        Registers.
    m_axis : Out(AxiStream)
        Bytes that the processor wrote; ``tlast`` is 1 with a zero, which ends a frame.
    s_axis : In(AxiStream)
        Bytes for the processor; ``tlast`` is ignored.
    interrupt : Out(1)
        If interrupts are on: 1 while there is a byte to read, and for one cycle when the last byte
        that was written has left the queue.
    empty : Out(1)
        Both queues are empty.
    """

    s_axil: Any
    m_axis: Any
    s_axis: Any
    interrupt: Signal
    empty: Signal

    def __init__(self):
        super().__init__({
            "s_axil": In(AxiLite(4)),
            "m_axis": Out(AxiStream(8)),
            "s_axis": In(AxiStream(8)),
            "interrupt": Out(1),
            "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.port = port = AxiLitePort(4)
        wiring.connect(m, wiring.flipped(self.s_axil), port.bus)
        write = {name: port.write & (port.write_at == AT[name]) & port.strobe[0] for name in AT}
        ctrl = {
            bits.name: write["ctrl"] & port.data[bits.offset]
            for bits in register("ctrl", MAILBOX).bits
        }
        tx, rx = Queue(8, depth=MAILBOX_DEPTH), Queue(8, depth=MAILBOX_DEPTH)
        out = Queue(8, depth=1)  # never cleared: a byte on offer must stay until it is taken
        m.submodules.tx = ResetInserter(ctrl["clear_tx"])(tx)
        m.submodules.rx = ResetInserter(ctrl["clear_rx"])(rx)
        m.submodules.exit = out
        wiring.connect(m, tx.o, out.i)
        m.d.comb += [
            tx.i.payload.eq(port.data),
            tx.i.valid.eq(write["tx"]),
            self.m_axis.tdata.eq(out.o.payload),
            # The delimiter occurs nowhere but at the end of a frame.
            self.m_axis.tlast.eq(out.o.payload == DELIMITER),
            self.m_axis.tvalid.eq(out.o.valid),
            out.o.ready.eq(self.m_axis.tready),
            rx.i.payload.eq(self.s_axis.tdata),
            rx.i.valid.eq(self.s_axis.tvalid),
            self.s_axis.tready.eq(rx.i.ready),
            # Reading the register removes the byte.
            rx.o.ready.eq(port.read & (port.read_at == AT["rx"])),
            self.empty.eq(tx.empty & rx.empty & out.empty),
        ]
        enabled = Signal()
        with m.If(write["ctrl"]):
            m.d.sync += enabled.eq(ctrl["enable"])
        self._answer(m, port, tx, rx, enabled)
        # An edge of ``tx.empty``: AXI UART Lite too interrupts when its queue becomes empty.
        drained = Signal(init=1)
        m.d.sync += drained.eq(tx.empty)
        m.d.sync += self.interrupt.eq(enabled & (rx.o.valid | (tx.empty & ~drained)))

        return m

    @staticmethod
    def _answer(m, port: AxiLitePort, tx: Queue, rx: Queue, enabled: Signal) -> None:
        """Answer reads and writes of the registers."""
        stat = {
            "rx_valid": rx.o.valid,
            "rx_full": ~rx.i.ready,
            "tx_empty": tx.empty,
            "tx_full": ~tx.i.ready,
            "enabled": enabled,
        }
        values = {
            "rx": (rx.o.payload, rx.o.valid),
            "tx": (0, 1),
            "stat": (Cat(stat[bits.name] for bits in register("stat", MAILBOX).bits), 1),
            "ctrl": (0, 1),
        }
        with m.Switch(port.read_at):
            for name, (value, okay) in values.items():
                with m.Case(AT[name]):
                    m.d.comb += [port.value.eq(value), port.read_okay.eq(okay)]
        # A byte that finds no room is lost, and the processor learns so by SLVERR.
        m.d.comb += port.write_okay.eq(
            Mux(port.write_at == AT["tx"], tx.i.ready, port.write_at == AT["ctrl"])
        )
