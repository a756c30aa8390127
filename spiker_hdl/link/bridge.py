"""An accelerator behind streams of bytes, whatever carries them."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.protocol.frames import MOST, RESET, SESSIONS, Identity
from spiker_hdl.link.protocol.payloads import LAST, Port
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.rtl import Accelerator, EncodedAccelerator
from spiker_hdl.rtl.common.memory import LoadBeat
from spiker_hdl.rtl.streams.queue import Queue

from .packets import Packer, Unpacker
from .quiet import add_rest
from .reader import FrameReader
from .replies import Replies
from .window import ReceiveWindow

__all__ = ["Link"]

ENTRANCE = 3
"""Entries of the queue before an input."""

QUIET = 16
"""Cycles without a sign of work after which there is none: longer than a byte is between parts."""


class Link(wiring.Component):
    """An accelerator that speaks in frames: see :mod:`~.frames`.

    Bytes may be lost, damaged or added on both ways: what is whole and new is taken, and each
    sample is answered once. A byte is taken in each cycle.

    Parameters
    ----------
    accelerator : Accelerator or EncodedAccelerator
        Without observers, streams of events, or answers before the last step.
    version : str
        Of the library, which the board tells.

    Members
    -------
    i, o : stream.Signature(8)
        From and to the host.
    idle : Out(1)
        Nothing happens until the next byte comes.
    damaged : Out(1)
        In this cycle a frame of the host has ended that was not whole.

    Raises
    ------
    TypeError
        If it is no accelerator.
    ValueError
        If it has more ports than samples and results need, more inputs than frames have numbers
        for, or beats that are longer than a frame.
    """

    i: Any
    o: Any
    idle: Signal
    damaged: Signal

    def __init__(self, accelerator: Accelerator | EncodedAccelerator, *, version: str):
        encoded = isinstance(accelerator, EncodedAccelerator)
        if not encoded:
            check_kind("Accelerator", accelerator, Accelerator, "an")
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
        said = Identity.of(inner.network, inner.mapping, self.version, self.encoding)
        writable = bool(inner.mapping.writable)
        ports = [getattr(inner, name) for name in inner.ports.values()]
        beats = [port.p.shape() for port in ports]
        if writable:
            # What is loaded comes as beats of one more input, whose highest bit says nothing.
            beats.append(data.StructLayout({"beat": LoadBeat(), "last": 1}))
        window, replies = ReceiveWindow(), Replies(said.to_bytes(), writable=writable)
        unpacker, packer = Unpacker(beats), Packer(inner.o.p.shape())
        entrances = [Queue(beat, depth=ENTRANCE) for beat in beats]
        m.submodules.reader = reader = FrameReader()
        m.submodules.exit = out = Queue(8, depth=ENTRANCE)

        # A reset that the host asks for drops all but the byte that is being offered to it.
        session, clear = Signal(range(SESSIONS)), Signal()
        m.d.comb += clear.eq(window.heard.valid & (window.heard.code == RESET.code))
        with m.If(clear):
            m.d.sync += session.eq(window.heard.session)
        cleared = {
            "window": window,
            "unpacker": unpacker,
            "accelerator": inner,
            "packer": packer,
            "replies": replies,
            **{f"entrance_{n}": queue for n, queue in enumerate(entrances)},
        }
        for name, part in cleared.items():
            m.submodules[name] = ResetInserter(clear)(part)

        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, reader.o, window.i)
        wiring.connect(m, window.o, unpacker.i)
        for n, queue in enumerate(entrances):
            wiring.connect(m, getattr(unpacker, f"o{n}"), queue.i)
        for queue, port in zip(entrances, ports, strict=False):
            wiring.connect(m, queue.o, port)
        if writable:
            self._load(m, entrances[-1].o, replies)
        wiring.connect(m, inner.o, packer.i)
        wiring.connect(m, packer.o, replies.i)
        wiring.connect(m, replies.o, out.i)
        wiring.connect(m, out.o, wiring.flipped(self.o))
        # A delimiter behind another ends no frame.
        ended = reader.o.valid & reader.o.p.end & (reader.o.p.index != 0)
        m.d.comb += [
            self.damaged.eq(ended & ~reader.o.p.good),
            replies.heard.eq(window.heard),
            replies.length.eq(packer.length),
            replies.session.eq(session),
            replies.base.eq(window.base),
            replies.held.eq(window.held),
            window.session.eq(session),
        ]
        busy = self.i.valid | window.o.valid | ~inner.idle | replies.busy | out.o.valid
        add_rest(m, busy, self.idle, QUIET)

        return m

    def _load(self, m, given: stream.Interface, replies: Replies) -> None:
        """Lead what is loaded into the accelerator, and tell of it what was taken."""
        port = self.accelerator.load
        m.d.comb += [
            port.valid.eq(given.valid),
            port.p.eq(given.p.beat),
            given.ready.eq(port.ready),
            replies.load.valid.eq(port.valid & port.ready),
            replies.load.beat.eq(port.p),
        ]


def _check_inputs(accelerator: Accelerator) -> None:
    network, mapping = accelerator.network, accelerator.mapping
    count = len(network.inputs) + bool(mapping.writable)
    if count > LAST:
        raise ValueError(
            f"Accelerator must have at most {LAST} inputs, with that for what is loaded, not "
            f"{count}"
        )
    for n, one in enumerate(network.inputs):
        size = Port(one, n, mapping.form, min(mapping.word, one.size)).beat_bytes
        if size >= MOST:
            raise ValueError(
                f"Word of input {one.name!r} must have at most {MOST - 1} bytes, which a frame "
                f"holds, not {size}: map it to fewer channels"
            )
