"""Registers behind AXI4-Lite."""

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .registers import ADDRESS_BITS, WORD, register

__all__ = ["OKAY", "SLVERR", "AxiLite", "AxiLitePort", "ControlBlock"]

OKAY, SLVERR = 0, 2  # ARM IHI 0022, RRESP and BRESP encoding
PROTECTION = 3  # bits of AxPROT
RESPONSE = 2  # bits of xRESP


class AxiLite(wiring.Signature):
    """AXI4-Lite from its manager, with data of :data:`~.registers.WORD` bits.

    Parameters
    ----------
    address : int
        Bits of an address, which counts bytes.
    """

    def __init__(self, address: int):
        self.address = address
        super().__init__({
            "awaddr": Out(address),
            "awprot": Out(PROTECTION),
            "awvalid": Out(1),
            "awready": In(1),
            "wdata": Out(WORD),
            "wstrb": Out(WORD // 8),
            "wvalid": Out(1),
            "wready": In(1),
            "bresp": In(RESPONSE),
            "bvalid": In(1),
            "bready": Out(1),
            "araddr": Out(address),
            "arprot": Out(PROTECTION),
            "arvalid": Out(1),
            "arready": In(1),
            "rdata": In(WORD),
            "rresp": In(RESPONSE),
            "rvalid": In(1),
            "rready": Out(1),
        })

    def __eq__(self, other):
        return isinstance(other, AxiLite) and self.address == other.address


class AxiLitePort(wiring.Component):
    """The side of AXI4-Lite that is asked: a read and a write at a time.

    Each answer comes a cycle after what it answers, from registers; a write waits for both its
    address and its data, in whatever order they come.

    Parameters
    ----------
    address : int
        Bits of an address, which counts bytes.

    Members
    -------
    bus : In(AxiLite)
    read, write : Out(1)
        A word is asked for, or given, in this cycle.
    read_at, write_at : Out(address - 2)
        Which: addresses of words.
    value : In(32)
        What is read.
    data : Out(32)
        What is written.
    strobe : Out(4)
        Which bytes of it count.
    read_okay, write_okay : In(1)
        Whether there is such a word; the answer is SLVERR, and 0, if there is none.
    """

    bus: Any
    read: Signal
    read_at: Signal
    value: Signal
    read_okay: Signal
    write: Signal
    write_at: Signal
    data: Signal
    strobe: Signal
    write_okay: Signal

    def __init__(self, address: int):
        super().__init__({
            "bus": In(AxiLite(address)),
            "read": Out(1),
            "read_at": Out(address - 2),
            "value": In(WORD),
            "read_okay": In(1),
            "write": Out(1),
            "write_at": Out(address - 2),
            "data": Out(WORD),
            "strobe": Out(WORD // 8),
            "write_okay": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        bus = self.bus
        m.d.comb += [
            bus.arready.eq(~bus.rvalid),
            self.read.eq(bus.arvalid & bus.arready),
            self.read_at.eq(bus.araddr[2:]),
        ]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(self.read):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(Mux(self.read_okay, self.value, 0)),
                bus.rresp.eq(Mux(self.read_okay, OKAY, SLVERR)),
            ]

        addressed, given = Signal(), Signal()
        m.d.comb += [
            bus.awready.eq(~addressed),
            bus.wready.eq(~given),
            self.write.eq(addressed & given & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [addressed.eq(1), self.write_at.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [given.eq(1), self.data.eq(bus.wdata), self.strobe.eq(bus.wstrb)]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(self.write):
            m.d.sync += [
                addressed.eq(0),
                given.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(Mux(self.write_okay, OKAY, SLVERR)),
            ]

        return m


class ControlBlock(wiring.Component):
    """The registers of :data:`~.registers.REGISTERS`.

    Parameters
    ----------
    constants : mapping of int to int
        What the constant registers hold, by address in bytes.

    Members
    -------
    bus : In(AxiLite)
    reset : Out(1)
        1 for a cycle after a write that asks for it.
    sample, result : In(1)
        A sample has entered, and a result was taken, in this cycle.
    idle, waiting : In(1)
        The bits of the register ``status``.
    """

    bus: Any
    reset: Signal
    sample: Signal
    result: Signal
    idle: Signal
    waiting: Signal

    def __init__(self, constants: Mapping[int, int]):
        self.constants = dict(constants)
        super().__init__({
            "bus": In(AxiLite(ADDRESS_BITS)),
            "reset": Out(1),
            "sample": In(1),
            "result": In(1),
            "idle": In(1),
            "waiting": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        samples, results = Signal(WORD), Signal(WORD)
        with m.If(self.reset):
            m.d.sync += [samples.eq(0), results.eq(0)]
        with m.Else():
            m.d.sync += [samples.eq(samples + self.sample), results.eq(results + self.result)]
        status = {"idle": self.idle, "result": self.waiting}
        values = {
            **self.constants,
            register("control").address: Const(0),
            register("status").address: Cat(status[one.name] for one in register("status").bits),
            register("samples").address: samples,
            register("results").address: results,
        }
        m.submodules.port = port = AxiLitePort(ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.bus), port.bus)
        with m.Switch(port.read_at):
            for address, value in values.items():
                with m.Case(address >> 2):
                    m.d.comb += [port.value.eq(value), port.read_okay.eq(1)]
        (asked,) = register("control").bits
        m.d.comb += port.write_okay.eq(port.write_at == register("control").address >> 2)
        m.d.sync += self.reset.eq(
            port.write & port.write_okay & port.data[asked.offset] & port.strobe[asked.offset // 8]
        )

        return m
