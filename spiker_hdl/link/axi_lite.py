"""Registers behind AXI4-Lite."""

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .registers import ADDRESS_BITS, REGISTERS, WORD, register

__all__ = ["OKAY", "SLVERR", "AxiLite", "ControlBlock"]

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


class ControlBlock(wiring.Component):
    """The registers of :data:`~.registers.REGISTERS`.

    Each answer comes a cycle after what it answers, from registers; a write waits for both its
    address and its data, in whatever order they come.

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
        self._read(m, values)
        self._write(m)

        return m

    def _read(self, m, values) -> None:
        bus = self.bus
        m.d.comb += bus.arready.eq(~bus.rvalid)
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += bus.rvalid.eq(1)
            with m.Switch(bus.araddr[2:]):
                for address, value in values.items():
                    with m.Case(address >> 2):
                        m.d.sync += [bus.rdata.eq(value), bus.rresp.eq(OKAY)]
                with m.Default():
                    m.d.sync += [bus.rdata.eq(0), bus.rresp.eq(SLVERR)]

    def _write(self, m) -> None:
        bus = self.bus
        addressed, given = Signal(), Signal()
        address = Signal.like(bus.awaddr)
        data, strobe = Signal.like(bus.wdata), Signal.like(bus.wstrb)
        m.d.comb += [bus.awready.eq(~addressed), bus.wready.eq(~given)]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [addressed.eq(1), address.eq(bus.awaddr)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [given.eq(1), data.eq(bus.wdata), strobe.eq(bus.wstrb)]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        m.d.sync += self.reset.eq(0)
        with m.If(addressed & given & ~bus.bvalid):
            m.d.sync += [addressed.eq(0), given.eq(0), bus.bvalid.eq(1), bus.bresp.eq(SLVERR)]
            with m.Switch(address[2:]):
                for one in REGISTERS:
                    if one.access == "write":
                        with m.Case(one.address >> 2):
                            m.d.sync += bus.bresp.eq(OKAY)
                            for bits in one.bits:
                                asked = data[bits.offset] & strobe[bits.offset // 8]
                                m.d.sync += getattr(self, bits.name).eq(asked)
