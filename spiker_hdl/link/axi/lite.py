"""AXI4-Lite, and registers behind it."""

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
    """AXI4-Lite (ARM IHI 0022), seen from its manager, with data of :data:`~.registers.WORD` bits.

    Parameters
    ----------
    address : int
        Number of bits of a byte address.
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
    """The subordinate side of AXI4-Lite, with one read and one write at a time.

    A read is answered in the cycle after its address was taken. A write waits for its address and
    its data, in whatever order they come; it is done in the cycle after the second of them, and
    answered in the next one. Answers come from registers, in order. After reset no access is
    pending.

    Parameters
    ----------
    address : int
        Number of bits of a byte address.

    Members
    -------
    bus : In(AxiLite)
        The bus.
    read, write : Out(1)
        A word is read in this cycle; a word is written in this cycle.
    read_at, write_at : Out(address - 2)
        Word address, valid with ``read``; with ``write``.
    value : In(32)
        The word at ``read_at``, sampled with ``read``.
    data : Out(32)
        The word to be written, valid with ``write``.
    strobe : Out(4)
        For each byte of ``data``, whether it is written.
    read_okay, write_okay : In(1)
        Sampled with ``read``, and with ``write``: whether the word exists. If not, the answer is
        SLVERR, and the value 0.
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
        # Read: an address is taken only while no answer waits, so one register holds the answer.
        # The lowest bits of a byte address are left out: every register is a word.
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

        # Write: address and data have handshakes of their own, and are registered until both came
        # and the answer to the write before was taken.
        addressed, supplied = Signal(), Signal()
        m.d.comb += [
            bus.awready.eq(~addressed),
            bus.wready.eq(~supplied),
            self.write.eq(addressed & supplied & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [addressed.eq(1), self.write_at.eq(bus.awaddr[2:])]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [supplied.eq(1), self.data.eq(bus.wdata), self.strobe.eq(bus.wstrb)]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(self.write):
            m.d.sync += [
                addressed.eq(0),
                supplied.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(Mux(self.write_okay, OKAY, SLVERR)),
            ]

        return m


class ControlBlock(wiring.Component):
    """The registers of :data:`~.registers.REGISTERS`.

    Latency and order of accesses are those of :class:`AxiLitePort`. Counters include the event of
    a cycle from the next cycle on. After reset all counters and errors are 0, and the interrupts of
    all errors are enabled.

    Parameters
    ----------
    constants : mapping of int to int
        Values of the constant registers, by byte address.

    Members
    -------
    bus : In(AxiLite)
        The bus.
    reset : Out(1)
        1 for one cycle, in the cycle after the register ``control`` was written so.
    sample, result : In(1)
        A sample has entered in this cycle; a result was taken in this cycle.
    idle, waiting : In(1)
        The bits ``idle`` and ``result`` of the register ``status``.
    error : In(4)
        Faults of this cycle, as bits of the register ``error``.
    fault : In(1)
        A result with ``fault`` has come in this cycle.
    interrupt : Out(1)
        1 while a condition holds that the register ``interrupt`` enables, one cycle later.
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
            register("status").address: Cat(status[bits.name] for bits in register("status").bits),
            **{register(name).address: counter for name, counter in counters.items()},
        }
        m.submodules.port = port = AxiLitePort(ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.bus), port.bus)
        values |= self._interrupt(m, port)
        # Addresses without a register stay at the default, which is answered by SLVERR.
        with m.Switch(port.read_at):
            for address, value in values.items():
                with m.Case(address >> 2):
                    m.d.comb += [port.value.eq(value), port.read_okay.eq(1)]
        writable = [reg.address >> 2 for reg in REGISTERS if reg.access == "write"]
        m.d.comb += port.write_okay.eq(Cat(port.write_at == at for at in writable).any())
        # A register, so that the reset of the whole accelerator does not begin in the decoder. It
        # is 1 for one cycle, since a write is.
        (reset,) = register("control").bits
        m.d.sync += self.reset.eq(
            _written(port, "control") & port.data[reset.offset] & _strobed(port, reset)
        )

        return m

    def _interrupt(self, m, port: AxiLitePort) -> dict[int, Value]:
        """Store errors and raise interrupts; return the values of these registers by address."""
        conditions = register("interrupt").bits
        errors = Signal(WORD)
        enabled = Signal(WORD, init=sum(1 << bits.offset for bits in register("error").bits))
        cleared, now = Signal(WORD), Signal(WORD)
        for bits in register("error").bits:
            written = _written(port, "error") & _strobed(port, bits) & port.data[bits.offset]
            m.d.comb += cleared[bits.offset].eq(written)
        for n, bits in enumerate(register("error").bits):
            # An error in the very cycle in which its bit is cleared must not be lost.
            bit = errors[bits.offset]
            m.d.sync += bit.eq((bit & ~cleared[bits.offset]) | self.error[n])
        # A write replaces the bytes that the strobe selects, and leaves the others.
        for bits in conditions:
            with m.If(_written(port, "interrupt") & _strobed(port, bits)):
                m.d.sync += enabled[bits.offset].eq(port.data[bits.offset])
        # A result on offer is a state, not an event: it is not stored, and ends when it is taken.
        (waits,) = [bits for bits in conditions if bits.name == "result"]
        m.d.comb += [now.eq(errors), now[waits.offset].eq(self.waiting)]
        m.d.sync += self.interrupt.eq((now & enabled).any())
        return {register("error").address: errors, register("interrupt").address: enabled}


def _written(port: AxiLitePort, name: str):
    """Return whether a register is written in this cycle."""
    return port.write & (port.write_at == register(name).address >> 2)


def _strobed(port: AxiLitePort, bits: Bits):
    """Return whether the byte of some bits is written."""
    return port.strobe[bits.offset // 8]
