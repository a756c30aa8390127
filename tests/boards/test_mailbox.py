# amaranth: UnusedElaboratable=no
"""Tests of a Zynq: frames over AXI4-Stream, the mailbox, and the host that uses it."""

from collections import deque
from random import Random

import numpy as np
import pytest
import serial
from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

import spiker_hdl
from spiker_boards import Board, BoardError
from spiker_boards.host import protocol_mailbox
from spiker_boards.host.protocol_mailbox import Registers
from spiker_boards.simulation.zynq_ps import ArmSystem
from spiker_hdl.link.axi.mailbox import AxiLink, Mailbox
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.frames import IDENTIFY, Frame, Reader, encode
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.registers import MAILBOX, MAILBOX_DEPTH, register, registers_table
from spiker_hdl.model import Mapping
from spiker_hdl.rtl import Accelerator

from support.places import read_page
from support.small import make_network
from support.writable import another, as_rows

AT = {listed.name: listed.address for listed in MAILBOX}
STAT = {bit.name: 1 << bit.offset for bit in register("stat", MAILBOX).bits}
CTRL = {bit.name: 1 << bit.offset for bit in register("ctrl", MAILBOX).bits}
ERROR = 2  # SLVERR
URL = "mailbox:///dev/mem?at=0x43c00000"
HZ = 1e5  # cycles that the host takes for a second


# -- registers in a simulation -------------------------------------------------------------------


class Simulated:
    """The ARM's accesses, of which each takes the simulation on by what it lasts.

    It is also the clock of the host's program.
    """

    def __init__(self, dut, between=6):
        self.dut = dut
        self.between = between  # cycles of the program before an access
        self.strobe = 15
        self.cycles = 0
        self.responses = []
        self.interrupts = 0
        self._todo = deque()
        self._found = None
        self._simulator = Simulator(dut)
        self._simulator.add_clock(1e-8)
        self._simulator.add_testbench(self._bench, background=False)
        self._simulator.add_testbench(self._watch, background=True)

    async def _watch(self, ctx):
        before = 0
        async for _, _, interrupt in ctx.tick().sample(self.dut.interrupt):
            self.interrupts += interrupt & ~before  # edges, as an ARM counts them
            before = interrupt
            self.cycles += 1

    def monotonic(self):
        return self.cycles / HZ

    def sleep(self, seconds):
        end = self.cycles + seconds * HZ
        while self.cycles < end:
            self._simulator.advance()

    async def _bench(self, ctx):
        bus = self.dut.s_axil
        ctx.set(bus.rready, 1)
        ctx.set(bus.bready, 1)
        while True:
            if not self._todo:
                await ctx.tick()
                continue
            address, value = self._todo.popleft()
            for _ in range(self.between):
                await ctx.tick()
            if value is None:
                ctx.set(bus.araddr, address)
                ctx.set(bus.arvalid, 1)
                await ctx.tick().until(bus.arready)
                ctx.set(bus.arvalid, 0)
                self._found = await ctx.tick().sample(bus.rdata, bus.rresp).until(bus.rvalid)
                continue
            ctx.set(bus.awaddr, address)
            ctx.set(bus.wdata, value)
            ctx.set(bus.wstrb, self.strobe)
            ctx.set(bus.awvalid, 1)
            ctx.set(bus.wvalid, 1)
            await ctx.tick().until(bus.awready & bus.wready)
            ctx.set(bus.awvalid, 0)
            ctx.set(bus.wvalid, 0)
            self._found = (0, *await ctx.tick().sample(bus.bresp).until(bus.bvalid))

    def _access(self, address, value=None):
        self._found = None
        self._todo.append((address, value))
        while self._found is None:
            self._simulator.advance()
        value, response = self._found
        self.responses.append(response)
        return value

    def __getitem__(self, address):
        return self._access(address)

    def __setitem__(self, address, value):
        self._access(address, value)

    def close(self):
        """Do nothing: the system stays."""


class Loop(wiring.Component):
    """A mailbox whose bytes come back, one at most in so many cycles."""

    def __init__(self, pause=1):
        self.mailbox = Mailbox()
        self.pause = pause
        super().__init__({
            "s_axil": In(self.mailbox.s_axil.signature.flip()),
            "interrupt": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.mailbox = box = self.mailbox
        wiring.connect(m, wiring.flipped(self.s_axil), box.s_axil)
        count = Signal(range(self.pause + 1))
        ready = count == self.pause - 1
        m.d.sync += count.eq(Mux(ready, 0, count + 1))
        m.d.comb += [
            box.s_axis.tdata.eq(box.m_axis.tdata),
            box.s_axis.tvalid.eq(box.m_axis.tvalid & ready),
            box.m_axis.tready.eq(box.s_axis.tready & ready),
            self.interrupt.eq(box.interrupt),
        ]
        return m


def status(registers):
    value = registers[AT["stat"]]
    return {name for name, bit in STAT.items() if value & bit}


def test_the_documentation_has_the_registers():
    assert registers_table(MAILBOX) in read_page("axi")


# -- the mailbox ---------------------------------------------------------------------------------


def test_registers_tell_how_full_the_queues_are():
    registers = Simulated(Loop())
    assert status(registers) == {"tx_empty"}
    registers[AT["tx"]] = 0x1A5  # of which a byte counts
    assert status(registers) == {"tx_empty", "rx_valid"}
    assert registers[AT["rx"]] == 0xA5
    assert status(registers) == {"tx_empty"}
    assert set(registers.responses) == {0}
    for name in ("tx", "ctrl"):
        assert registers[AT[name]] == 0
    assert set(registers.responses) == {0}


def test_no_byte_is_lost_where_queues_are_full():
    registers, sent = Simulated(Loop()), []
    while "tx_full" not in status(registers):
        sent.append(len(sent) % 251)
        registers[AT["tx"]] = sent[-1]
    assert {"tx_full", "rx_full", "rx_valid"} == status(registers)
    assert 2 * MAILBOX_DEPTH <= len(sent) <= 2 * MAILBOX_DEPTH + 2
    assert set(registers.responses) == {0}
    registers[AT["tx"]] = 7
    assert registers.responses[-1] == ERROR
    results = []
    while "rx_valid" in status(registers):
        results.append(registers[AT["rx"]])
    assert results == sent
    assert registers[AT["rx"]] == 0
    assert registers.responses[-1] == ERROR


def test_what_cannot_be_written_is_told():
    registers = Simulated(Loop())
    for name in ("rx", "stat"):
        registers[AT[name]] = 1
        assert registers.responses[-1] == ERROR


@pytest.mark.parametrize("which", ["clear_tx", "clear_rx"])
def test_queues_are_cleared_apart(which):
    registers = Simulated(Loop(100))
    registers[AT["tx"]] = 1
    while "rx_valid" not in status(registers):
        pass
    registers[AT["tx"]] = 2  # which is offered
    registers[AT["tx"]] = 3
    assert "tx_empty" not in status(registers)
    registers[AT["ctrl"]] = CTRL[which]
    assert status(registers) == ({"rx_valid", "tx_empty"} if which == "clear_tx" else set())
    results = []
    for _ in range(40):
        if "rx_valid" in status(registers):
            results.append(registers[AT["rx"]])
    assert results == ([1, 2] if which == "clear_tx" else [2, 3])


def test_a_write_counts_where_its_byte_does():
    registers = Simulated(Loop())
    registers.strobe = 14
    registers[AT["tx"]] = registers[AT["ctrl"]] = 0xFF
    assert status(registers) == {"tx_empty"}


def test_what_is_written_comes_out_and_zeros_are_last():
    dut = Mailbox()
    registers, results, empty = Simulated(dut), [], []
    go = {"ready": 0, "offer": 0}
    into, out = dut.s_axis, dut.m_axis

    async def watch(ctx):
        while True:
            ctx.set(out.tready, go["ready"])
            ctx.set(into.tvalid, go["offer"])
            _, _, none, taken, moved, *beat = await ctx.tick().sample(
                dut.empty, into.tvalid & into.tready, out.tvalid & out.tready, out.tdata, out.tlast
            )
            empty.append(none)
            if taken:
                go["offer"] = 0
            if moved:
                results.append(tuple(beat))

    registers._simulator.add_testbench(watch, background=True)
    status(registers)
    assert empty[-1]
    registers[AT["tx"]] = 5
    assert status(registers) == {"tx_empty"}  # it is offered
    assert not empty[-1]
    go["ready"] = 1
    for octet in (0, 7):
        registers[AT["tx"]] = octet
    status(registers)
    assert results == [(5, 0), (0, 1), (7, 0)]
    assert empty[-1]
    go["offer"] = 1
    status(registers)
    assert not empty[-1]
    registers[AT["rx"]]
    status(registers)
    assert empty[-1]


def test_interrupts_come_while_there_is_a_byte_and_behind_the_last_one():
    registers = Simulated(Loop(30))
    registers[AT["tx"]] = 1
    assert registers.interrupts == 0
    while "rx_valid" not in status(registers):
        pass
    registers[AT["ctrl"]] = CTRL["enable"]  # as Linux does, behind a byte that came before
    assert "enabled" in status(registers)
    assert registers.interrupts == 1
    registers[AT["rx"]]
    registers[AT["tx"]] = 1
    registers[AT["tx"]] = 2
    while "tx_empty" not in status(registers):
        pass
    while "rx_valid" not in status(registers):
        pass
    assert registers.interrupts == 3  # one was sent; the other one was as the first one came
    registers[AT["ctrl"]] = 0
    registers[AT["rx"]], registers[AT["rx"]]
    registers[AT["tx"]] = 1
    assert registers.interrupts == 3


# -- frames over AXI4-Stream ---------------------------------------------------------------------


def test_tlast_ends_a_frame_and_what_is_offered_stays():
    dut = AxiLink(Link(Accelerator(make_network(3)), version="0.1.0"))
    octets, ends = bytearray(), []
    text = b"\0" + encode(Frame(IDENTIFY.code, 0))
    random = np.random.default_rng(1)

    async def send(ctx):
        for octet in text:
            ctx.set(dut.s_axis.tdata, octet)
            ctx.set(dut.s_axis.tvalid, 1)
            await ctx.tick().until(dut.s_axis.tready)
            ctx.set(dut.s_axis.tvalid, 0)

    async def receive(ctx):
        port, offered = dut.m_axis, None
        for _ in range(1500):
            ready = int(random.integers(2))
            ctx.set(port.tready, ready)
            _, _, valid, *now = await ctx.tick().sample(port.tvalid, port.tdata, port.tlast)
            assert offered in (None, now if valid else ())
            offered = now if valid and not ready else None
            if valid and ready:
                octets.append(now[0])
                ends.append(now[1])

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(send, background=True)
    simulator.add_testbench(receive)
    simulator.run()
    (frame,) = Reader().feed(bytes(octets))
    network = make_network(3)
    assert frame.payload == Identity.of(network, Mapping.default(network), "0.1.0").to_bytes()[:48]
    assert [n for n, end in enumerate(ends) if end] == [
        n for n, value in enumerate(octets) if not value
    ]


def test_a_damaged_frame_is_told():
    dut = AxiLink(Link(Accelerator(make_network(3)), version="0.1.0"))
    pulses = []

    async def bench(ctx):
        for octet in b"\5wrong\0" + bytes(4):
            ctx.set(dut.s_axis.tdata, octet)
            ctx.set(dut.s_axis.tvalid, 1)
            await ctx.tick().until(dut.s_axis.tready)
            pulses.append(ctx.get(dut.damaged))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert sum(pulses) == 1


def test_only_links_are_led_over_axi():
    with pytest.raises(TypeError, match="Link must be a Link, not 3"):
        AxiLink(3)


# -- the host on the ARM -------------------------------------------------------------------------


@pytest.fixture
def system(monkeypatch):
    """Return a function that puts a simulated system where the host opens its registers."""

    def make(network, mapping=None):
        bench = Simulated(ArmSystem(Link.of(network, mapping, None, version="0.1.0")), between=0)

        def opened(path, at):
            assert (path, at) == ("/dev/mem", 0x43C00000)
            return bench

        monkeypatch.setattr(protocol_mailbox, "Registers", opened)
        monkeypatch.setattr(protocol_mailbox, "time", bench)
        monkeypatch.setattr("spiker_boards.host.connection.time", bench)
        return bench

    return make


def test_the_host_on_the_arm_answers_as_the_reference(system):
    network = make_network(3)
    bench = system(network)
    spikes = np.random.default_rng(2).integers(0, 2, (3, 4, network.inputs[0].size))
    with Board(URL) as board:
        assert board.identify() == Identity.of(network, Mapping.default(network), "0.1.0")
        result = board.run(network, spikes)
        assert (board.damaged, board.resent) == (0, 0)
    assert not spiker_hdl.run(network, spikes).differences(result)
    assert set(bench.responses) == {0}


def test_the_arm_is_interrupted_when_there_is_an_answer(system):
    bench = system(make_network(3))
    with serial.serial_for_url(URL, timeout=1) as port:
        bench[AT["ctrl"]] = CTRL["enable"]
        port.write(b"\0" + encode(Frame(IDENTIFY.code, 0)))
        assert len(Reader().feed(port.read(70))) == 1
    assert bench.interrupts > 1


def test_the_host_on_the_arm_loads_another_network(system):
    network = make_network(3)
    mapping = Mapping.default(network).with_writable(network, ["output"])
    other = another(Random(5), network, mapping)
    assert other.digest != network.digest
    system(as_rows(network, mapping), mapping)
    spikes = np.random.default_rng(3).integers(0, 2, (2, 4, network.inputs[0].size))
    with Board(URL) as board:
        board.load(other, mapping)
        result = board.run(other, spikes)
    assert not spiker_hdl.run(other, spikes).differences(result)


def test_bytes_wait_for_a_board_that_is_slow(monkeypatch):
    bench = Simulated(Loop(20), between=0)
    monkeypatch.setattr(protocol_mailbox, "Registers", lambda path, at: bench)
    monkeypatch.setattr(protocol_mailbox, "time", bench)
    port = serial.serial_for_url(URL, timeout=1, write_timeout=1)
    text = bytes(n % 256 for n in range(4 * MAILBOX_DEPTH))
    assert port.write(text) == len(text)
    assert port.read(len(text)) == text
    assert set(bench.responses) == {0}


def test_without_a_time_limit_a_byte_is_waited_for(monkeypatch):
    bench = Simulated(Loop(500), between=0)
    monkeypatch.setattr(protocol_mailbox, "Registers", lambda path, at: bench)
    monkeypatch.setattr(protocol_mailbox, "time", bench)
    port = serial.serial_for_url(URL, timeout=None)
    port.write(b"abc")
    assert port.read(3) == b"abc"


def test_what_came_before_a_port_was_opened_is_dropped(monkeypatch):
    bench = Simulated(Loop())
    bench[AT["tx"]] = 1
    assert status(bench) == {"tx_empty", "rx_valid"}
    monkeypatch.setattr(protocol_mailbox, "Registers", lambda path, at: bench)
    monkeypatch.setattr(protocol_mailbox, "time", bench)
    port = serial.serial_for_url(URL, timeout=0.01)
    assert port.read(2) == b""
    port.write(b"ab")
    assert port.read(1) == b"a"
    assert port.read(2) == b"b"


def test_buffers_are_emptied_by_name(monkeypatch):
    bench = Simulated(Loop(1000), between=0)
    monkeypatch.setattr(protocol_mailbox, "Registers", lambda path, at: bench)
    monkeypatch.setattr(protocol_mailbox, "time", bench)
    port = serial.serial_for_url(URL, timeout=0.02, write_timeout=1)
    port.write(bytearray([1, 2, 3]))
    with pytest.raises(TypeError):
        port.write(3)
    port.reset_output_buffer()
    assert port.read(3) == b"\1"  # which was on its way
    port.write(b"\4")
    bench.sleep(2000 / HZ)
    assert port.in_waiting == 1
    port.reset_input_buffer()
    assert port.in_waiting == 0


def test_a_board_that_takes_nothing_is_told(monkeypatch):
    class Full(dict):
        def close(self):
            pass

    full = Full({AT["stat"]: STAT["tx_full"], AT["rx"]: 0})
    monkeypatch.setattr(protocol_mailbox, "Registers", lambda path, at: full)
    port = serial.serial_for_url(URL, timeout=0.01, write_timeout=0.05)
    with pytest.raises(serial.SerialTimeoutException, match="Mailbox must take bytes"):
        port.write(b"abc")
    assert port.read(3) == b""
    with Board(URL, timeout=0.3) as board, pytest.raises(BoardError, match="Mailbox must take"):
        board.identify()


def test_a_mailbox_that_always_has_a_byte_does_not_hold_the_host(monkeypatch):
    class Busy(dict):
        reads = 0

        def __getitem__(self, address):
            self.reads += 1
            assert self.reads < 1000
            return super().__getitem__(address)

    busy = Busy({AT["stat"]: STAT["rx_valid"], AT["rx"]: 7})
    monkeypatch.setattr(protocol_mailbox, "Registers", lambda path, at: busy)
    port = serial.serial_for_url(URL, timeout=0)
    assert port.in_waiting == MAILBOX_DEPTH
    assert port.read(2) == b"\7\7"


def test_registers_lie_in_a_file_where_the_address_says(tmp_path):
    path = tmp_path / "memory"
    path.write_bytes(bytes(range(256)) * 32)
    registers = Registers(str(path), 4100)
    assert registers[4] == int.from_bytes(bytes([8, 9, 10, 11]), "little")
    registers[12] = 0xDEADBEEF
    registers.close()
    contents = path.read_bytes()
    assert contents[4112:4116] == bytes.fromhex("efbeadde")
    assert len(contents) == 8192
    assert (
        contents[:4112] + contents[4116:]
        == (bytes(range(256)) * 32)[:4112] + (bytes(range(256)) * 32)[4116:]
    )


@pytest.mark.parametrize(
    "url",
    [
        "mailbox://",
        "mailbox://[",
        "mailbox://a/dev/mem",
        "mailbox:///dev/mem#4",
        "mailbox:///dev/mem?at=x",
        "mailbox:///dev/mem?at=2",
        "mailbox:///dev/mem?at=-4",
        "mailbox:///dev/mem?at=4&at=8",
        "mailbox:///dev/mem?to=4",
    ],
)
def test_addresses_that_say_something_else(url):
    with pytest.raises(ValueError, match="Mailbox must be named as mailbox:///dev/mem"):
        Board(url)


def test_a_mailbox_that_is_not_there():
    with pytest.raises(BoardError, match="must be one that opens"):
        Board("mailbox:///dev/no_such_memory")


def test_a_mailbox_is_held_by_one_host_and_others_in_its_memory_are_free(tmp_path):
    path = tmp_path / "memory"
    path.write_bytes(bytes(64))
    first = Board(f"mailbox://{path}?at=16")
    for at in (16, 4, 28):
        with pytest.raises(BoardError, match="must be free, and another program has it"):
            Board(f"mailbox://{path}?at={at}")
    for at in (0, 32):
        Board(f"mailbox://{path}?at={at}").close()
    first.close()
    Board(f"mailbox://{path}?at=16").close()


@pytest.mark.parametrize("at", [0, 4096, 1 << 80])
def test_a_file_that_ends_before_the_registers(tmp_path, at):
    path = tmp_path / "memory"
    path.write_bytes(bytes(12))
    with pytest.raises(BoardError, match=f"must have 16 bytes at {at:#x}, and ends before"):
        Board(f"mailbox://{path}?at={at}")


def test_a_port_that_was_closed_says_so(tmp_path):
    path = tmp_path / "memory"
    path.write_bytes(bytes(16))
    port = serial.serial_for_url(f"mailbox://{path}", timeout=0)
    assert port.read() == b""
    port.close()
    port.close()
    for use in (lambda: port.in_waiting, port.read, lambda: port.write(b"a")):
        with pytest.raises(serial.PortNotOpenError):
            use()
