"""The replies to the host: results, which are stored until it has them, status, and identity."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
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
    Identity,
)
from spiker_hdl.model.mapping.reload import DIGEST, DIGEST_BYTES, Store
from spiker_hdl.rtl.common.memory import Load, readable

from .window import Command, Octet
from .writer import FrameWriter

__all__ = ["Replies"]

CONTROL = WINDOW
"""Slot of frames that are not stored for repetition: status and pages of the identity."""

NUMBER = (SEQUENCES - 1).bit_length()
SLOT = (WINDOW - 1).bit_length()


class Replies(wiring.Component):
    """Make frames of results, repeat them on request, and answer the commands of the host.

    Results are sent in order; those that the host asks for again, before new ones. A status is made
    once all results that were requested or made earlier have been sent, so the host can tell from
    it what was lost. One byte of a frame is made in each cycle, and one is sent in two. After reset
    no result is stored and nothing is sent but a delimiter.

    Parameters
    ----------
    pages : bytes
        Pages of the board's identity: see :class:`~.frames.Identity`.
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
        # Results first..next_ - 1 are stored; slots that are pending are to be sent.
        first, next_ = Signal(NUMBER), Signal(NUMBER)
        pending = Signal(WINDOW + 1)
        sending, chosen = Signal(), Signal(range(WINDOW + 1))
        asked, page = Signal(), Signal(range(len(self.pages) // PAGE))
        # A status is due. Reset frames ask for one, and must not clear this by their reset.
        due = Signal(reset_less=True)
        tag = Signal(8)

        # A slot stays selected until all of it has been sent. Status and pages go first.
        with m.If(writer.send.ready):
            m.d.sync += [sending.eq(0), pending.bit_select(chosen, 1).eq(0)]
        with m.Elif(~sending & pending.any()):
            m.d.sync += sending.eq(1)
            for n in reversed(range(WINDOW)):
                with m.If(pending[n] & ~pending[CONTROL]):
                    m.d.sync += chosen.eq(n)
            with m.If(pending[CONTROL]):
                m.d.sync += chosen.eq(CONTROL)
        m.d.comb += [
            writer.send.payload.eq(chosen),
            writer.send.valid.eq(sending),
            self.busy.eq(pending.any() | sending | asked | due | writer.i.valid | writer.o.valid),
        ]

        self._build(m, writer, first, next_, pending, asked, page, due, tag)
        self._execute(m, first, next_, pending, asked, page, due, tag)

        return m

    def _build(self, m, writer, first, next_, pending, asked, page, due, tag):
        """Write one frame after the other to its slot."""
        code, sequence = Signal(8), Signal(NUMBER)
        count = Signal(range(PAGE))
        idle, ready = Signal(), Signal()
        slot = next_[:SLOT]
        stored = (next_ - first)[:NUMBER]
        length = Signal(8)
        # A slot that is pending or being sent must not change, even if the host has it by now.
        m.d.comb += [
            idle.eq(~pending[CONTROL]),
            ready.eq(self.i.valid & (stored < WINDOW) & ~pending.bit_select(slot, 1)),
            writer.slot.eq(Mux(code == RESULT.code, slot, CONTROL)),
        ]
        # ``ahead`` is the next value of ``count``: the memory of the digest needs it a cycle early.
        ahead = Signal.like(count)
        m.d.comb += ahead.eq(count)
        m.d.sync += count.eq(ahead)
        octet = self._octet(m, sequence, count, ahead)
        head = Array([length, code, sequence, self.session[:8], self.session[8:]])
        # Sampled together with the number in the header, so that the parts of a status agree.
        polled, waiting = Signal(8), Signal(WINDOW)
        status = Array([polled, waiting, next_])
        with m.FSM():
            # Choose the kind of the next frame: a page, a status, or a result. A result waits for a
            # status that is due, which must not be overtaken.
            with m.State("Choose"):
                m.d.comb += ahead.eq(0)
                with m.If(asked & idle):
                    m.d.sync += [code.eq(IDENTITY.code), sequence.eq(page), asked.eq(0)]
                    m.d.sync += length.eq(PAGE)
                    m.next = "Head"
                with m.Elif(due & idle & ~pending.any()):
                    m.d.sync += [code.eq(STATUS.code), sequence.eq(self.base), due.eq(0)]
                    m.d.sync += [length.eq(len(status)), polled.eq(tag), waiting.eq(self.received)]
                    m.next = "Head"
                with m.Elif(ready & ~due):
                    m.d.sync += [code.eq(RESULT.code), sequence.eq(next_)]
                    m.d.sync += length.eq(self.length)
                    m.next = "Head"
            # The header, byte by byte.
            with m.State("Head"):
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(head[count])]
                with m.If(writer.i.ready):
                    m.d.comb += ahead.eq(count + 1)
                    with m.If(count == len(head) - 1):
                        m.d.comb += ahead.eq(0)
                        m.next = "Payload"
            # The payload, from the source that belongs to the kind.
            with m.State("Payload"):
                self._payload(m, writer, code, count, status, octet)
                with m.If(writer.i.valid & writer.i.ready):
                    m.d.comb += ahead.eq(count + 1)
                    with m.If(writer.i.p.end):
                        m.next = "Store"
            # Wait until CRC and delimiter are stored; then the slot can be sent.
            with m.State("Store"):
                with m.If(writer.written):
                    m.d.sync += pending.bit_select(writer.slot, 1).eq(1)
                    with m.If(code == RESULT.code):
                        m.d.sync += next_.eq(next_ + 1)
                    m.next = "Choose"

    def _payload(self, m, writer, code, count, status: Array, octet) -> None:
        """Offer a byte of the payload to the writer."""
        with m.Switch(code):
            with m.Case(RESULT.code):
                m.d.comb += [writer.i.valid.eq(self.i.valid), writer.i.p.eq(self.i.p)]
                m.d.comb += self.i.ready.eq(writer.i.ready)
            with m.Case(STATUS.code):
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(status[count])]
                m.d.comb += writer.i.p.end.eq(count == len(status) - 1)
            with m.Default():
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(octet)]
                m.d.comb += writer.i.p.end.eq(count == PAGE - 1)

    def _octet(self, m, page, count, ahead):
        """Return a byte of a page; those of the digest come from a memory if it can change."""
        octet = Array(self.pages)[page * PAGE + count]
        if not self.writable:
            return octet
        first = Identity.NETWORK
        store = Store(DIGEST, "", "digest", 0, 8, DIGEST_BYTES)
        digest = self.pages[first : first + DIGEST_BYTES]
        row, contents = readable(m, "digest", store, digest, self.load)
        m.d.comb += row.eq(ahead - first)
        inside = (page == 0) & (count >= first) & (count < first + DIGEST_BYTES)
        return Mux(inside, contents, octet)

    def _execute(self, m, first, next_, pending, asked, page, due, tag):
        """Execute a command of the host in the cycle in which it comes."""
        command = self.command
        with m.If(command.valid):
            with m.Switch(command.code):
                with m.Case(IDENTIFY.code):
                    with m.If(command.sequence < len(self.pages) // PAGE):
                        m.d.sync += [asked.eq(1), page.eq(command.sequence)]
                with m.Case(RESET.code):
                    m.d.sync += due.eq(1)
                with m.Case(POLL.code):
                    m.d.sync += [due.eq(1), tag.eq(command.tag)]
                    # Results of another session are not those that the host means.
                    with m.If(command.session == self.session):
                        # The host has all results before ``sequence``: forget them. A number
                        # that is not stored comes from an old poll.
                        acknowledged = (command.sequence - first)[:NUMBER]
                        stored = (next_ - first)[:NUMBER]
                        oldest = Signal(NUMBER)
                        valid = acknowledged <= stored
                        m.d.comb += oldest.eq(Mux(valid, command.sequence, first))
                        m.d.sync += first.eq(oldest)
                        for n in range(WINDOW):
                            ahead = (n - oldest[:SLOT])[:SLOT]
                            here = ahead < (next_ - oldest)[:NUMBER]
                            with m.If(command.mask[n] & here):
                                m.d.sync += pending[n].eq(1)
