"""The replies to the host: results, which are stored until it has them, status, and identity."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import (
    IDENTIFY,
    IDENTITY,
    MAX_PAYLOAD,
    PAGE,
    POLL,
    RESET,
    RESULT,
    SEQUENCES,
    SESSIONS,
    STATUS,
    WINDOW,
    Kind,
)
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.model.mapping.reload import DIGEST, DIGEST_BYTES, Store
from spiker_hdl.rtl.common.memory import Load, Loader

from .window import Command, Octet
from .writer import FrameWriter

__all__ = ["Replies"]

CONTROL = WINDOW
"""Slot of frames that are not stored for repetition: status and pages of the identity."""

NUMBER = (SEQUENCES - 1).bit_length()
"""Bits of a sequence number, in which differences are taken modulo :data:`~.frames.SEQUENCES`."""

SLOT = (WINDOW - 1).bit_length()
"""Bits of the number of a slot: the lowest bits of a sequence number."""


class _State:
    """Registers that the parts of :class:`Replies` share.

    Results from ``first`` to ``next_ - 1`` are stored, each in the slot of its number.
    """

    def __init__(self, pages: int):
        self.first = Signal(NUMBER)
        self.next_ = Signal(NUMBER)
        self.pending = Signal(WINDOW + 1)  # slots that are to be sent, or are being sent
        self.asked = Signal()  # the host waits for ``page``
        self.page = Signal(range(pages))
        # A status is due. Reset frames ask for one, and must not clear this by their reset.
        self.due = Signal(reset_less=True)
        self.tag = Signal(8)  # of the last poll


class _Header:
    """Registers with the fields of the frame that is being made."""

    def __init__(self):
        self.code = Signal(8)
        self.sequence = Signal(NUMBER)
        self.length = Signal(8)


class Replies(wiring.Component):
    """Make frames of results, repeat them on request, and answer the commands of the host.

    Results are sent in order; those that the host asks for again, before new ones. A status is made
    once all results that were requested or made earlier have been sent, so the host can tell from
    it what was lost. One byte of a frame is made in each cycle, and one is sent in two. After reset
    no result is stored and nothing is sent but a delimiter.

    Parameters
    ----------
    pages : bytes
        Pages of the board's identity: see :class:`~.identity.Identity`.
    writable : bool
        Whether the network's digest in the identity is replaced when another one is loaded.

    Members
    -------
    i : In(stream.Signature(Octet))
        Payloads of result frames, one packet each; wait while no slot is free.
    length : In(range(MAX_PAYLOAD + 1))
        Number of bytes that are left of the payload on offer; sampled before its first byte.
    command : In(Command)
        Command of the host, valid in single cycles: see :class:`~.window.ReceiveWindow`.
    session : In(range(SESSIONS))
        Current session, for the headers of frames.
    base : In(range(SEQUENCES))
        First data frame that has not been taken as a whole, sampled when a status is made.
    received : In(WINDOW)
        Data frames that wait, by slots; sampled when a status is made.
    busy : Out(1)
        A frame is to be made or sent.
    o : Out(stream.Signature(8))
        Bytes to the host.
    load : In(Load), if ``writable``
        Beats that load a network; the digest is computed from them.
    """

    load: Any
    i: Any
    length: Signal
    command: Any
    session: Signal
    base: Signal
    received: Signal
    busy: Signal
    o: Any

    def __init__(self, pages: bytes, *, writable: bool = False):
        if not pages or len(pages) % PAGE:
            raise ValueError(f"Pages must be of {PAGE} bytes each, not {len(pages)} in all")
        self.pages = pages
        self.writable = writable
        super().__init__({
            "i": In(stream.Signature(Octet())),
            "length": In(range(MAX_PAYLOAD + 1)),
            "command": In(Command()),
            "session": In(range(SESSIONS)),
            "base": In(range(SEQUENCES)),
            "received": In(WINDOW),
            "busy": Out(1),
            "o": Out(stream.Signature(8)),
            **({"load": In(Load())} if writable else {}),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.writer = writer = FrameWriter(WINDOW + 1)
        wiring.connect(m, writer.o, wiring.flipped(self.o))
        state = _State(len(self.pages) // PAGE)
        sending = Signal()
        chosen = Signal(range(WINDOW + 1))

        # A slot stays selected until all of it has been sent. Status and pages go first. Where
        # several results are pending, the last assignment wins, which is that of the lowest slot.
        with m.If(writer.send.ready):
            m.d.sync += [sending.eq(0), state.pending.bit_select(chosen, 1).eq(0)]
        with m.Elif(~sending & state.pending.any()):
            m.d.sync += sending.eq(1)
            for n in reversed(range(WINDOW)):
                with m.If(state.pending[n] & ~state.pending[CONTROL]):
                    m.d.sync += chosen.eq(n)
            with m.If(state.pending[CONTROL]):
                m.d.sync += chosen.eq(CONTROL)
        busy = state.pending.any() | sending | state.asked | state.due
        m.d.comb += [
            writer.send.payload.eq(chosen),
            writer.send.valid.eq(sending),
            self.busy.eq(busy | writer.i.valid | writer.o.valid),
        ]

        self._build(m, writer, state)
        self._execute(m, state)

        return m

    def _build(self, m, writer, state: _State) -> None:
        """Write one frame after the other to its slot."""
        header = _Header()
        count = Signal(range(PAGE))  # of the byte within header or payload
        idle, ready = self._slots(m, writer, state, header)
        # ``ahead`` is the next value of ``count``: the memory of the pages needs it a cycle early.
        ahead = Signal.like(count)
        m.d.comb += ahead.eq(count)
        m.d.sync += count.eq(ahead)
        octet = self._octet(m, header.sequence, ahead)
        session = self.session[:8], self.session[8:]
        fields = Array([header.length, header.code, header.sequence, *session])
        # Sampled together with the number in the header, so that the parts of a status agree.
        polled, waiting = Signal(8), Signal(WINDOW)
        status = Array([polled, waiting, state.next_])
        with m.FSM():
            # Choose the kind of the next frame, and fill in its header.
            with m.State("Choose"):
                m.d.comb += ahead.eq(0)
                with m.If(state.asked & idle):
                    m.d.sync += state.asked.eq(0)
                    self._begin(m, header, IDENTITY, state.page, PAGE)
                # Only once all that was requested is sent can the host tell from a status what was
                # lost.
                with m.Elif(state.due & idle & ~state.pending.any()):
                    m.d.sync += [state.due.eq(0), polled.eq(state.tag), waiting.eq(self.received)]
                    self._begin(m, header, STATUS, self.base, len(status))
                # A status that is due must not be overtaken by a result.
                with m.Elif(ready & ~state.due):
                    self._begin(m, header, RESULT, state.next_, self.length)
            # The header, byte by byte.
            with m.State("Head"):
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(fields[count])]
                with m.If(writer.i.ready):
                    m.d.comb += ahead.eq(count + 1)
                    with m.If(count == len(fields) - 1):
                        m.d.comb += ahead.eq(0)
                        m.next = "Payload"
            # The payload, from the source that belongs to the kind.
            with m.State("Payload"):
                self._payload(m, writer, header.code, count, status, octet)
                with m.If(writer.i.valid & writer.i.ready):
                    m.d.comb += ahead.eq(count + 1)
                    with m.If(writer.i.p.end):
                        m.next = "Store"
            # Wait until CRC and delimiter are stored; then the slot can be sent.
            with m.State("Store"):
                with m.If(writer.written):
                    m.d.sync += state.pending.bit_select(writer.slot, 1).eq(1)
                    with m.If(header.code == RESULT.code):
                        m.d.sync += state.next_.eq(state.next_ + 1)
                    m.next = "Choose"

    def _slots(self, m, writer, state: _State, header: _Header) -> tuple[Signal, Signal]:
        """Select the slot of the frame that is made.

        Returns
        -------
        idle, ready : Signal
            Whether a page or a status can be made; whether there is a result and it can be made.
        """
        idle, ready = Signal(), Signal()
        slot = state.next_[:SLOT]
        stored = (state.next_ - state.first)[:NUMBER]
        # A slot that is pending or being sent must not change, even if the host has it by now.
        m.d.comb += [
            idle.eq(~state.pending[CONTROL]),
            ready.eq(self.i.valid & (stored < WINDOW) & ~state.pending.bit_select(slot, 1)),
            writer.slot.eq(Mux(header.code == RESULT.code, slot, CONTROL)),
        ]
        return idle, ready

    @staticmethod
    def _begin(m, header: _Header, kind: Kind, sequence, length) -> None:
        """Fill in the header of the next frame."""
        m.d.sync += [
            header.code.eq(kind.code),
            header.sequence.eq(sequence),
            header.length.eq(length),
        ]
        m.next = "Head"

    def _payload(self, m, writer, code, count, status: Array, octet) -> None:
        """Offer a byte of the payload to the writer."""
        with m.Switch(code):
            # Straight from the packer, which may make the writer wait.
            with m.Case(RESULT.code):
                m.d.comb += [writer.i.valid.eq(self.i.valid), writer.i.p.eq(self.i.p)]
                m.d.comb += self.i.ready.eq(writer.i.ready)
            with m.Case(STATUS.code):
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(status[count])]
                m.d.comb += writer.i.p.end.eq(count == len(status) - 1)
            with m.Default():
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(octet)]
                m.d.comb += writer.i.p.end.eq(count == PAGE - 1)

    def _octet(self, m, page, ahead):
        """Return a byte of a page, from a memory in which the digest can be replaced."""
        # A table in logic would take hundreds of look-up tables of four inputs.
        m.submodules.pages = memory = Memory(
            shape=unsigned(8), depth=len(self.pages), init=self.pages
        )
        read = memory.read_port()
        m.d.comb += read.addr.eq(page * PAGE + ahead)
        if self.writable:
            store = Store(DIGEST, "", "digest", 0, 8, DIGEST_BYTES)
            m.submodules.digest_loader = loader = Loader(store)
            write = memory.write_port()
            m.d.comb += [
                loader.load.valid.eq(self.load.valid),
                loader.load.beat.eq(self.load.beat),
                write.addr.eq(Identity.NETWORK + loader.row),
                write.en.eq(loader.enable),
                write.data.eq(self.load.beat.data[:8]),
            ]
        return read.data

    def _execute(self, m, state: _State) -> None:
        """Execute a command of the host in the cycle in which it comes."""
        command = self.command
        with m.If(command.valid), m.Switch(command.code):
            # A page that does not exist is not answered.
            with m.Case(IDENTIFY.code):
                with m.If(command.sequence < len(self.pages) // PAGE):
                    m.d.sync += [state.asked.eq(1), state.page.eq(command.sequence)]
            # The reset itself comes from outside; what is left to do is the reply.
            with m.Case(RESET.code):
                m.d.sync += state.due.eq(1)
            with m.Case(POLL.code):
                m.d.sync += [state.due.eq(1), state.tag.eq(command.tag)]
                # Results of another session are not those that the host means.
                with m.If(command.session == self.session):
                    self._acknowledge(m, state)

    def _acknowledge(self, m, state: _State) -> None:
        """Forget the results that the host has, and send those again that it asks for."""
        command = self.command
        # The host has all results before ``sequence``. A number that is not stored comes from an
        # old poll, and changes nothing.
        acknowledged = (command.sequence - state.first)[:NUMBER]
        stored = (state.next_ - state.first)[:NUMBER]
        oldest = Signal(NUMBER)
        valid = acknowledged <= stored
        m.d.comb += oldest.eq(Mux(valid, command.sequence, state.first))
        m.d.sync += state.first.eq(oldest)
        for n in range(WINDOW):
            # How far the result in slot ``n`` is behind the oldest, and whether it is stored.
            ahead = (n - oldest[:SLOT])[:SLOT]
            here = ahead < (state.next_ - oldest)[:NUMBER]
            with m.If(command.mask[n] & here):
                m.d.sync += state.pending[n].eq(1)
