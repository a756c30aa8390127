"""The link: an accelerator behind two streams of bytes, for any carrier."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.protocol.frames import MAX_PAYLOAD, RESET, SESSIONS
from spiker_hdl.link.protocol.identity import Identity
from spiker_hdl.link.protocol.payloads import LAST, Port
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.rtl import Accelerator, EncodedAccelerator
from spiker_hdl.rtl.common.memory import LoadBeat
from spiker_hdl.rtl.streams.queue import Queue

from .idle_detector import add_idle_detector
from .packets import Packer, Unpacker
from .reader import FrameReader
from .replies import Replies
from .window import ReceiveWindow

__all__ = ["Link"]

EXIT = 3
"""Entries of the queue behind the replies, with which a byte passes in each cycle."""

QUIET = 16
"""Cycles without visible activity after which the link is idle; no stage works that long unseen."""


class Link(wiring.Component):
    """An accelerator that exchanges frames with a host: see :mod:`~.frames`.

    Bytes may be lost, damaged or added in both directions: only frames that are undamaged and new
    have an effect, and each sample is answered once, in order. One byte is taken in each cycle, and
    one leaves in two cycles. After reset, and after a frame that asks for it, no sample is in
    flight and no result is stored; the session is 0 or the session of the frame.

    Parameters
    ----------
    accelerator : Accelerator or EncodedAccelerator
        Accelerator without observers, streams of events, or answers before the last step.
    version : str
        Version of the library, which the board reports.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes from the host; always ready, so that a UART loses none.
    o : Out(stream.Signature(8))
        Bytes to the host.
    idle : Out(1)
        Nothing happens before the next byte from the host.
    damaged : Out(1)
        1 in the cycle in which a damaged frame of the host ends.

    Raises
    ------
    TypeError
        If ``accelerator`` is not an accelerator.
    ValueError
        If the accelerator has other ports than those of samples and results, more inputs than
        frames have numbers for, or beats that are longer than a frame.
    """

    i: Any
    o: Any
    idle: Signal
    damaged: Signal

    def __init__(self, accelerator: Accelerator | EncodedAccelerator, *, version: str):
        encoded = isinstance(accelerator, EncodedAccelerator)
        if not encoded:
            check_kind("Accelerator", accelerator, Accelerator)
        inner = accelerator.accelerator if encoded else accelerator
        if inner.observe or inner.streams or inner.stepwise:
            raise ValueError(
                "Accelerator must have no ports but those of samples and results, not observers, "
                "events or early answers"
            )
        if not encoded:
            _check_inputs(accelerator)
        self.encoding = accelerator.encoding if encoded else None
        self.accelerator = accelerator
        self.version = version
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "idle": Out(1),
            "damaged": Out(1),
        })

    @classmethod
    def of(
        cls, network: Network, mapping: Mapping | None, encoding: Encoding | None, *, version: str
    ) -> "Link":
        """Return the link of a network's accelerator, behind an encoder if there is one."""
        if encoding is None:
            return cls(Accelerator(network, mapping), version=version)
        return cls(EncodedAccelerator(network, mapping, encoding=encoding), version=version)

    def elaborate(self, platform):
        m = Module()

        inner = self.accelerator
        identity = Identity.of(inner.network, inner.mapping, self.version, self.encoding)
        writable = bool(inner.mapping.writable)
        ports = [getattr(inner, name) for name in inner.ports.values()]
        beats = [port.p.shape() for port in ports]
        if writable:
            # Weights are loaded as beats of one more input, whose highest bit is not used.
            beats.append(data.StructLayout({"beat": LoadBeat(), "last": 1}))
        window, replies = ReceiveWindow(), Replies(identity.to_bytes(), writable=writable)
        unpacker, packer = Unpacker(beats), Packer(inner.o.p.shape())
        # The unpacker gives a beat in two cycles at most, as a queue of one entry passes them.
        entrances = [Queue(beat, depth=1) for beat in beats]
        m.submodules.reader = reader = FrameReader()
        m.submodules.exit = out = Queue(8, depth=EXIT)

        # What a reset by the host clears. The reader is at the end of the frame that asks for it,
        # and the byte at the exit must stay on offer, so these two are not cleared.
        parts = {
            "window": window,
            "unpacker": unpacker,
            "accelerator": inner,
            "packer": packer,
            "replies": replies,
            **{f"entrance_{n}": queue for n, queue in enumerate(entrances)},
        }
        session = self._add_cleared(m, window.command, parts)

        # From the host through reader, window and unpacker to the accelerator, and back.
        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, reader.o, window.i)
        wiring.connect(m, window.o, unpacker.i)
        for n, queue in enumerate(entrances):
            wiring.connect(m, getattr(unpacker, f"o{n}"), queue.i)
        self._enter(m, entrances, ports, replies)
        wiring.connect(m, inner.o, packer.i)
        wiring.connect(m, packer.o, replies.i)
        wiring.connect(m, replies.o, out.i)
        wiring.connect(m, out.o, wiring.flipped(self.o))
        # A delimiter right after another one ends no frame.
        ended = reader.o.valid & reader.o.p.end & (reader.o.p.index != 0)
        m.d.comb += [
            self.damaged.eq(ended & ~reader.o.p.good),
            window.session.eq(session),
            replies.session.eq(session),
            # A packet's length is in its header, and so must be known before its first byte.
            replies.length.eq(packer.length),
        ]
        self._report(m, window, replies)
        # What cannot be seen from here, such as a beat within the unpacker, ends within QUIET
        # cycles.
        busy = self.i.valid | window.o.valid | ~inner.idle | replies.busy | out.o.valid
        add_idle_detector(m, busy, self.idle, QUIET)

        return m

    @staticmethod
    def _report(m, window: ReceiveWindow, replies: Replies) -> None:
        """Give the replies the commands of the host, and what a status reports of the window."""
        m.d.comb += [
            replies.command.eq(window.command),
            replies.base.eq(window.base),
            replies.received.eq(window.received),
        ]

    def _add_cleared(self, m, command, parts: dict[str, Elaboratable]) -> Signal:
        """Add the submodules that a reset by the host clears; return the session."""
        session, clear = Signal(range(SESSIONS)), Signal()
        m.d.comb += clear.eq(command.valid & (command.code == RESET.code))
        # The session is not cleared, as all else is: the replies to the reset belong to the new
        # one.
        with m.If(clear):
            m.d.sync += session.eq(command.session)
        for name, part in parts.items():
            m.submodules[name] = ResetInserter(clear)(part)
        return session

    def _enter(self, m, entrances: list[Queue], ports: list, replies: Replies) -> None:
        """Connect each queue of beats to its input; the one for loading comes last."""
        for queue, port in zip(entrances, ports, strict=False):
            wiring.connect(m, queue.o, port)
        if self.accelerator.mapping.writable:
            self._load(m, entrances[-1].o, replies)

    def _load(self, m, beats: stream.Interface, replies: Replies) -> None:
        """Send the beats that load weights to the accelerator, and to the digest in the replies."""
        # A beat counts for the digest in the cycle in which the accelerator takes it.
        port = self.accelerator.load
        m.d.comb += [
            port.valid.eq(beats.valid),
            port.p.eq(beats.p.beat),
            beats.ready.eq(port.ready),
            replies.load.valid.eq(port.valid & port.ready),
            replies.load.beat.eq(port.p),
        ]


def _check_inputs(accelerator: Accelerator) -> None:
    network, mapping = accelerator.network, accelerator.mapping
    count = len(network.inputs) + bool(mapping.writable)
    if count > LAST:
        raise ValueError(
            f"Accelerator must have at most {LAST} inputs, including the one for loading, not "
            f"{count}"
        )
    for n, node in enumerate(network.inputs):
        size = Port(node, n, mapping.form, min(mapping.word, node.size)).beat_bytes
        if size >= MAX_PAYLOAD:
            raise ValueError(
                f"Word of input {node.name!r} must have at most {MAX_PAYLOAD - 1} bytes, which a "
                f"frame holds, not {size}: map it to fewer channels"
            )
