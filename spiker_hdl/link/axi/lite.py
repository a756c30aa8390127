"""Registers behind AXI4-Lite."""

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.registers import ADDRESS_BITS, REGISTERS, WORD, Bits, register

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
    error : In(4)
        What is wrong in this cycle, as bits of the register ``error``.
    fault : In(1)
        A result has come, in this cycle, that has ``fault``.
    interrupt : Out(1)
        As the register ``interrupt`` says.
    """

    bus: Any
    reset: Signal
    sample: Signal
    result: Signal
    idle: Signal
    waiting: Signal
    error: Signal
    fault: Signal
    interrupt: Signal

    def __init__(self, constants: Mapping[int, int]):
        self.constants = dict(constants)
        super().__init__({
            "bus": In(AxiLite(ADDRESS_BITS)),
            "reset": Out(1),
            "sample": In(1),
            "result": In(1),
            "idle": In(1),
            "waiting": In(1),
            "error": In(len(register("error").bits)),
            "fault": In(1),
            "interrupt": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        counted = {"samples": self.sample, "results": self.result, "faults": self.fault}
        counters = {name: Signal(WORD, name=name) for name in counted}
        for name, counter in counters.items():
            m.d.sync += counter.eq(Mux(self.reset, 0, counter + counted[name]))
        status = {"idle": self.idle, "result": self.waiting}
        values = {
            **self.constants,
            register("control").address: Const(0),
            register("status").address: Cat(status[one.name] for one in register("status").bits),
            **{register(name).address: counter for name, counter in counters.items()},
        }
        m.submodules.port = port = AxiLitePort(ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.bus), port.bus)
        values |= self._interrupt(m, port)
        with m.Switch(port.read_at):
            for address, value in values.items():
                with m.Case(address >> 2):
                    m.d.comb += [port.value.eq(value), port.read_okay.eq(1)]
        writable = [one.address >> 2 for one in REGISTERS if one.access == "write"]
        m.d.comb += port.write_okay.eq(Cat(port.write_at == at for at in writable).any())
        (asked,) = register("control").bits
        m.d.sync += self.reset.eq(
            _written(port, "control") & port.data[asked.offset] & _strobed(port, asked)
        )

        return m

    def _interrupt(self, m, port: AxiLitePort) -> dict[int, Value]:
        """Keep what was wrong, and say so; return what the registers of this hold."""
        parts = register("interrupt").bits
        errors = Signal(WORD)
        enabled = Signal(WORD, init=sum(1 << one.offset for one in register("error").bits))
        cleared, now = Signal(WORD), Signal(WORD)
        for one in register("error").bits:
            written = _written(port, "error") & _strobed(port, one) & port.data[one.offset]
            m.d.comb += cleared[one.offset].eq(written)
        for n, one in enumerate(register("error").bits):
            # What is wrong in the cycle in which it is cleared is wrong still.
            bit = errors[one.offset]
            m.d.sync += bit.eq((bit & ~cleared[one.offset]) | self.error[n])
        for one in parts:
            with m.If(_written(port, "interrupt") & _strobed(port, one)):
                m.d.sync += enabled[one.offset].eq(port.data[one.offset])
        (waits,) = [one for one in parts if one.name == "result"]
        m.d.comb += [now.eq(errors), now[waits.offset].eq(self.waiting)]
        m.d.sync += self.interrupt.eq((now & enabled).any())
        return {register("error").address: errors, register("interrupt").address: enabled}


def _written(port: AxiLitePort, name: str):
    return port.write & (port.write_at == register(name).address >> 2)


def _strobed(port: AxiLitePort, bits: Bits):
    return port.strobe[bits.offset // 8]
