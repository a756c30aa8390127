"""What goes to the host: results, kept until it has them; status; what the board is."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import (
    IDENTIFY,
    IDENTITY,
    MOST,
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

from .window import Heard, Octet
from .writer import FrameWriter

__all__ = ["Replies"]

CONTROL = WINDOW
"""Slot of what is not kept: status and pages."""

NUMBER = (SEQUENCES - 1).bit_length()
SLOT = (WINDOW - 1).bit_length()


class Replies(wiring.Component):
    """Frame results, and send them again as the host asks; answer its commands.

    A status is made when all results that were asked for, or made before, have been sent.

    Parameters
    ----------
    pages : bytes
        What the board says of itself: see :class:`~.frames.Identity`.
    writable : bool
        Whether the network's digest among it is replaced as another is loaded.

    Members
    -------
    i : In(stream.Signature(Octet))
        Payloads of frames of results.
    length : In(range(MOST + 1))
        Bytes that are to come of the payload that is being offered.
    heard : In(Heard)
    session : In(range(SESSIONS))
    base : In(range(SEQUENCES))
    held : In(WINDOW)
        See :class:`~.window.ReceiveWindow`.
    busy : Out(1)
        Something is to be made or sent.
    o : Out(stream.Signature(8))
    load : In(Load), if ``writable``
    """

    load: Any
    i: Any
    length: Signal
    heard: Any
    session: Signal
    base: Signal
    held: Signal
    busy: Signal
    o: Any

    def __init__(self, pages: bytes, *, writable: bool = False):
        if not pages or len(pages) % PAGE:
            raise ValueError(f"Pages must be of {PAGE} bytes each, not {len(pages)} in all")
        self.pages = pages
        self.writable = writable
        super().__init__({
            "i": In(stream.Signature(Octet())),
            "length": In(range(MOST + 1)),
            "heard": In(Heard()),
            "session": In(range(SESSIONS)),
            "base": In(range(SEQUENCES)),
            "held": In(WINDOW),
            "busy": Out(1),
            "o": Out(stream.Signature(8)),
            **({"load": In(Load())} if writable else {}),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.writer = writer = FrameWriter(WINDOW + 1)
        wiring.connect(m, writer.o, wiring.flipped(self.o))
        # Results first..next - 1 are kept; pending are the slots that are to be sent.
        first, next_ = Signal(NUMBER), Signal(NUMBER)
        pending = Signal(WINDOW + 1)
        sending, chosen = Signal(), Signal(range(WINDOW + 1))
        asked, page = Signal(), Signal(range(len(self.pages) // PAGE))
        # Not reset by the frame that asks for it.
        due = Signal(reset_less=True)
        tag = Signal(8)

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
        self._hear(m, first, next_, pending, asked, page, due, tag)

        return m

    def _build(self, m, writer, first, next_, pending, asked, page, due, tag):
        """Make a frame at a time."""
        code, sequence = Signal(8), Signal(NUMBER)
        count = Signal(range(PAGE))
        idle, ready = Signal(), Signal()
        slot = next_[:SLOT]
        kept = (next_ - first)[:NUMBER]
        length = Signal(8)
        # What is pending or being sent stays as it is, even when the host has it by now.
        m.d.comb += [
            idle.eq(~pending[CONTROL]),
            ready.eq(self.i.valid & (kept < WINDOW) & ~pending.bit_select(slot, 1)),
            writer.slot.eq(Mux(code == RESULT.code, slot, CONTROL)),
        ]
        # Each state says which byte comes next, which a memory needs to know a cycle before.
        ahead = Signal.like(count)
        m.d.comb += ahead.eq(count)
        m.d.sync += count.eq(ahead)
        octet = self._octet(m, sequence, count, ahead)
        head = Array([length, code, sequence, self.session[:8], self.session[8:]])
        polled, held = Signal(8), Signal(WINDOW)  # at the time of the number in the header
        status = Array([polled, held, next_])
        with m.FSM():
            with m.State("Choose"):
                m.d.comb += ahead.eq(0)
                with m.If(asked & idle):
                    m.d.sync += [code.eq(IDENTITY.code), sequence.eq(page), asked.eq(0)]
                    m.d.sync += length.eq(PAGE)
                    m.next = "Head"
                with m.Elif(due & idle & ~pending.any()):
                    m.d.sync += [code.eq(STATUS.code), sequence.eq(self.base), due.eq(0)]
                    m.d.sync += [length.eq(len(status)), polled.eq(tag), held.eq(self.held)]
                    m.next = "Head"
                with m.Elif(ready & ~due):
                    m.d.sync += [code.eq(RESULT.code), sequence.eq(next_)]
                    m.d.sync += length.eq(self.length)
                    m.next = "Head"
            with m.State("Head"):
                m.d.comb += [writer.i.valid.eq(1), writer.i.p.data.eq(head[count])]
                with m.If(writer.i.ready):
                    m.d.comb += ahead.eq(count + 1)
                    with m.If(count == len(head) - 1):
                        m.d.comb += ahead.eq(0)
                        m.next = "Payload"
            with m.State("Payload"):
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
                with m.If(writer.i.valid & writer.i.ready):
                    m.d.comb += ahead.eq(count + 1)
                    with m.If(writer.i.p.end):
                        m.next = "Keep"
            with m.State("Keep"):
                with m.If(writer.written):
                    m.d.sync += pending.bit_select(writer.slot, 1).eq(1)
                    with m.If(code == RESULT.code):
                        m.d.sync += next_.eq(next_ + 1)
                    m.next = "Choose"

    def _octet(self, m, page, count, ahead):
        """Return a byte of a page."""
        octet = Array(self.pages)[page * PAGE + count]
        if not self.writable:
            return octet
        first = Identity.NETWORK
        held = Store(DIGEST, "", "digest", 0, 8, DIGEST_BYTES)
        digest = self.pages[first : first + DIGEST_BYTES]
        row, found = readable(m, "digest", held, digest, self.load)
        m.d.comb += row.eq(ahead - first)
        inside = (page == 0) & (count >= first) & (count < first + DIGEST_BYTES)
        return Mux(inside, found, octet)

    def _hear(self, m, first, next_, pending, asked, page, due, tag):
        """Do what the host commands."""
        heard = self.heard
        with m.If(heard.valid):
            with m.Switch(heard.code):
                with m.Case(IDENTIFY.code):
                    with m.If(heard.sequence < len(self.pages) // PAGE):
                        m.d.sync += [asked.eq(1), page.eq(heard.sequence)]
                with m.Case(RESET.code):
                    m.d.sync += due.eq(1)
                with m.Case(POLL.code):
                    m.d.sync += [due.eq(1), tag.eq(heard.tag)]
                    with m.If(heard.session == self.session):
                        taken = (heard.sequence - first)[:NUMBER]
                        kept = (next_ - first)[:NUMBER]
                        oldest = Signal(NUMBER)
                        m.d.comb += oldest.eq(Mux(taken <= kept, heard.sequence, first))
                        m.d.sync += first.eq(oldest)
                        for n in range(WINDOW):
                            ahead = (n - oldest[:SLOT])[:SLOT]
                            here = ahead < (next_ - oldest)[:NUMBER]
                            with m.If(heard.mask[n] & here):
                                m.d.sync += pending[n].eq(1)
