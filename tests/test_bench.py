"""Tests of the test bench: it must see the faults that it is there to see."""

from random import Random

import pytest
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from support.bench import get, pause, put, simulate


class Register(wiring.Component):
    """A stream's register, with a ``fault`` where one is wanted.

    Parameters
    ----------
    fault : str or None
        ``"changes"`` and ``"withdraws"`` break the contract of a stalled output; ``"hangs"``
        never offers anything.
    """

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def __init__(self, fault=None):
        self.fault = fault
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        with m.If(self.i.ready):
            m.d.sync += self.o.payload.eq(self.i.payload)
            m.d.sync += self.o.valid.eq(self.i.valid & (self.fault != "hangs"))
        with m.Else():
            if self.fault == "changes":
                m.d.sync += self.o.payload.eq(self.o.payload + 1)
            if self.fault == "withdraws":
                m.d.sync += self.o.valid.eq(0)
        return m


def passes(fault, vcd=None):
    """Send bytes through a register with stalls on both sides, and return what came out."""
    dut = Register(fault)
    random = Random(1)
    received = []

    async def drive(ctx):
        for payload in range(20):
            await pause(ctx, random, 0.3)
            await put(ctx, dut.i, payload)

    async def receive(ctx):
        for _ in range(20):
            await pause(ctx, random, 0.7)
            received.append(await get(ctx, dut.o))

    simulate(dut, drive, receive, watch=[dut.o], deadline=500, vcd=vcd)
    return received


def test_a_sound_component_passes():
    assert passes(None) == [*range(20)]


@pytest.mark.parametrize("fault", ["changes", "withdraws"])
def test_a_payload_that_is_not_held_is_seen(fault):
    with pytest.raises(AssertionError, match="payload not held until taken"):
        passes(fault)


def test_a_simulation_that_hangs_is_ended():
    with pytest.raises(pytest.fail.Exception, match="still running after 500 cycles"):
        passes("hangs")


def test_waveforms_are_written_when_asked_for(tmp_path):
    assert passes(None, tmp_path / "waves.vcd") == [*range(20)]
    assert "payload" in (tmp_path / "waves.vcd").read_text()
