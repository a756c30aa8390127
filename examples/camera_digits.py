"""Digits before an event camera, classified without a host: the camera's bus in, lamps out.

    request, address of 15 bits          four-phase handshake of a camera such as the DVS128
      -> AddressReceiver                 takes an address, and acknowledges it
      -> EventBinner                     events of the window, each pixel once in a time step
      -> convolutional network           one event after the other, as they come
      -> digit                           of the latest sample

Time steps come from the clock, and samples of some steps follow each other without a gap. The
convolutions are computed while the camera sends: nothing is stored but one bit for each pixel.

The bus is that of K. A. Boahen, "Point-to-Point Connectivity Between Neuromorphic Chips Using
Address Events", IEEE Trans. Circuits Syst. II 47(5), 2000, as the DVS128 has it: P. Lichtsteiner,
C. Posch and T. Delbruck, "A 128x128 120 dB 15 us Latency Asynchronous Temporal Contrast Vision
Sensor", IEEE J. Solid-State Circuits 43(2), 2008.
"""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from camera_data import ORIGIN

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Mapping, Network
from spiker_hdl.rtl import Accelerator
from spiker_hdl.rtl.common.division import by_constant
from spiker_hdl.rtl.streams.events import AddressEvent

__all__ = ["ADDRESS", "NO_DIGIT", "AddressReceiver", "CameraDigits", "EventBinner"]

ADDRESS = 15
"""Bits of an address of the DVS128: y, x and the polarity."""

SIDE = 128  # rows and columns of the DVS128
NO_DIGIT = 15
"""What ``digit`` shows before the first answer."""


class AddressReceiver(wiring.Component):
    """Take addresses from a bus with a four-phase handshake.

    The sender holds an address while ``request`` is 1, until ``acknowledge`` is 1. It then takes
    ``request`` back, and with it ``acknowledge`` returns to 0. ``request`` may change at any time:
    it passes two flip-flops. The address is stable by then, and needs none. An address is
    acknowledged when it was taken from ``o``, so the sender waits while the network is busy.

    Members
    -------
    request : In(1)
    address : In(ADDRESS)
    acknowledge : Out(1)
    o : Out(stream.Signature(ADDRESS))
    """

    request: In(1)
    address: In(ADDRESS)
    acknowledge: Out(1)
    o: Out(stream.Signature(ADDRESS))

    def elaborate(self, platform):
        m = Module()

        request = Signal()
        m.submodules.synchronizer = FFSynchronizer(self.request, request)
        with m.FSM():
            with m.State("Wait"):
                with m.If(request):
                    m.d.sync += self.o.payload.eq(self.address)
                    m.next = "Offer"
            with m.State("Offer"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += self.acknowledge.eq(1)
                    m.next = "Release"
            # The same request must not be taken twice: wait until it was taken back.
            with m.State("Release"):
                with m.If(~request):
                    m.d.sync += self.acknowledge.eq(0)
                    m.next = "Wait"

        return m


class EventBinner(wiring.Component):
    """Sort the events of a camera into time steps, and pass each pixel once in a step.

    Of the events in a step, the first of each pixel and polarity within the window is passed at
    once. A step ends ``period`` cycles after the one before: its token is sent, and the bits that
    say which pixels had an event are cleared, for which addresses wait as many cycles as there are
    rows of pixels, of both polarities. After reset, these are cleared first.

    Parameters
    ----------
    shape : (int, int, int)
        Two polarities, rows and columns of the window.
    steps : int
        Number of steps of a sample.
    period : int
        Cycles of a step: at least four for each row.
    origin : (int, int)
        Row and column of the camera at which the window begins.

    Members
    -------
    i : In(stream.Signature(ADDRESS))
        Addresses: bits 14..8 are y, from the lowest row on, 7..1 are x, and bit 0 is the polarity.
    o : Out(stream.Signature(AddressEvent(polarities * rows * columns)))
        Events of each step, in the order in which they came, and its token. Elsewhere events have
        the order of their addresses; sums do not depend on it.
    step : Out(1)
        Changes with each token, when it was taken.
    overrun : Out(1)
        A step ended before the token of the step before was taken. Steps are longer than
        ``period`` since then. It stays 1 until reset.
    """

    i: stream.Interface
    o: stream.Interface
    step: Signal
    overrun: Signal

    def __init__(
        self,
        shape: tuple[int, int, int],
        steps: int,
        period: int,
        origin: tuple[int, int] = ORIGIN,
    ):
        polarities, rows, columns = (check_int("Size of the window", size, 1) for size in shape)
        if polarities != 2:
            raise ValueError(f"Window must have 2 polarities, not {polarities}")
        for first, size in zip(origin, (rows, columns), strict=True):
            check_int("Origin of the window", first, 0, SIDE - size)
        self.shape = shape
        self.steps = check_int("Steps", steps, 1)
        self.period = check_int("Period", period, 4 * polarities * rows)
        self.origin = origin
        super().__init__({
            "i": In(stream.Signature(ADDRESS)),
            "o": Out(stream.Signature(AddressEvent(polarities * rows * columns))),
            "step": Out(1),
            "overrun": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        polarities, rows, columns = self.shape
        # A row of the memory has a bit for each column: whether the pixel had an event.
        m.submodules.seen = seen = Memory(shape=columns, depth=polarities * rows, init=[])
        write, read = seen.write_port(), seen.read_port()
        line, column, inside = self._place(m)
        number = Signal(range(self.steps))
        ended = self._clock(m)
        kept = Signal(range(polarities * rows))  # line of the event that is looked up, or cleared
        m.d.comb += [
            read.addr.eq(line),
            write.addr.eq(kept),
            self.o.p.address.eq(by_constant(kept, columns) + column),
            self.o.p.last.eq(self.o.p.end & (number == self.steps - 1)),
        ]

        with m.FSM(init="Clear"):
            # Take addresses; those outside of the window are dropped. The end of a step goes first.
            with m.State("Listen"):
                with m.If(ended):
                    m.next = "Token"
                with m.Elif(self.i.valid):
                    m.d.sync += kept.eq(line)
                    m.d.comb += self.i.ready.eq(~inside)
                    with m.If(inside):
                        m.next = "Look-Up"
            # The row is there a cycle after its address. A pixel that had an event is dropped.
            with m.State("Look-Up"):
                m.d.comb += write.data.eq(read.data | (1 << column))
                with m.If(read.data.bit_select(column, 1)):
                    m.d.comb += self.i.ready.eq(1)
                    m.next = "Listen"
                with m.Else():
                    m.d.comb += write.en.eq(1)
                    m.next = "Pass"
            with m.State("Pass"):
                m.d.comb += [self.o.valid.eq(1), self.i.ready.eq(self.o.ready)]
                with m.If(self.o.ready):
                    m.next = "Listen"
            with m.State("Token"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.end.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += [
                        self.step.eq(~self.step),
                        number.eq(Mux(self.o.p.last, 0, number + 1)),
                        kept.eq(0),
                    ]
                    m.next = "Clear"
            with m.State("Clear"):
                m.d.comb += write.en.eq(1)
                m.d.sync += kept.eq(kept + 1)
                with m.If(kept == polarities * rows - 1):
                    m.next = "Listen"

        # A step that ends is noted until its token was taken.
        with m.If(self.o.valid & self.o.ready & self.o.p.end):
            m.d.sync += ended.eq(0)

        return m

    def _place(self, m):
        """Return line, column, and whether it is in the window, of the address that is offered."""
        _, rows, columns = self.shape
        top, left = self.origin
        polarity, x, y = self.i.payload[0], self.i.payload[1:8], self.i.payload[8:15]
        line = Signal(range(2 * rows))
        column = Signal(range(columns))
        inside = Signal()
        row = SIDE - 1 - y  # the camera numbers rows from the lowest one on
        m.d.comb += [
            inside.eq((row >= top) & (row < top + rows) & (x >= left) & (x < left + columns)),
            line.eq(row - top + Mux(polarity, rows, 0)),
            column.eq(x - left),
        ]
        return line, column, inside

    def _clock(self, m):
        """Count the cycles of a step, and return the flip-flop that says that one has ended."""
        ended = Signal()
        cycles = Signal(range(self.period))
        with m.If(cycles == self.period - 1):
            m.d.sync += [cycles.eq(0), ended.eq(1)]
            with m.If(ended):
                m.d.sync += self.overrun.eq(1)
        with m.Else():
            m.d.sync += cycles.eq(cycles + 1)
        return ended


class CameraDigits(wiring.Component):
    """Show which digit is in front of a camera.

    Parameters
    ----------
    network : Network
        With one input, of two polarities, rows and columns, whose first readout says the class.
        Its note ``steps`` says how many steps a sample has.
    mapping : Mapping, optional
        Whose samples enter as events.
    period : int
        Cycles of a step.
    origin : (int, int)
        Row and column of the camera at which the input of the network begins.

    Members
    -------
    request : In(1)
    address : In(ADDRESS)
    acknowledge : Out(1)
        The camera's bus: see :class:`AddressReceiver`.
    digit : Out(4)
        Class of the latest sample; :data:`NO_DIGIT` before the first one.
    answered : Out(1)
        Changes in the cycle in which ``digit`` shows the class of a new sample.
    step : Out(1)
        Changes when a step has ended.
    overrun : Out(1)
        Steps were longer than ``period``: see :class:`EventBinner`.
    """

    request: In(1)
    address: In(ADDRESS)
    acknowledge: Out(1)
    digit: Out(4, init=NO_DIGIT)
    answered: Out(1)
    step: Out(1)
    overrun: Out(1)

    def __init__(
        self,
        network: Network,
        mapping: Mapping | None = None,
        *,
        period: int,
        origin: tuple[int, int] = ORIGIN,
    ):
        mapping = Mapping.default(network, form="events") if mapping is None else mapping
        if mapping.form != "events":
            raise ValueError(f"Input form must be 'events', not {mapping.form!r}")
        if "steps" not in network.note:
            raise ValueError("Network must have a note 'steps', not lack it")
        steps = int(network.note["steps"])
        self.network = network
        self.mapping = mapping
        self.accelerator = Accelerator(network, mapping)
        self.binner = EventBinner(network.inputs[0].shape, steps, period, origin)
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        m.submodules.receiver = receiver = AddressReceiver()
        m.submodules.binner = binner = self.binner
        m.submodules.accelerator = accelerator = self.accelerator
        wiring.connect(m, receiver.o, binner.i)
        port = accelerator.ports[self.network.inputs[0].name]
        wiring.connect(m, binner.o, getattr(accelerator, port))
        m.d.comb += [
            receiver.request.eq(self.request),
            receiver.address.eq(self.address),
            self.acknowledge.eq(receiver.acknowledge),
            self.step.eq(binner.step),
            self.overrun.eq(binner.overrun),
            accelerator.o.ready.eq(1),
        ]
        readout = accelerator.readout_names[self.network.readout.name]
        with m.If(accelerator.o.valid):
            m.d.sync += [
                self.digit.eq(accelerator.o.p.answers[readout].winner),
                self.answered.eq(~self.answered),
            ]

        return m
