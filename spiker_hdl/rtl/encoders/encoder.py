"""Values into spikes: the encoders of :mod:`spiker_hdl.model.encoders` as hardware."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model import Input
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.rtl.streams.events import SPIKE, value_shape

from .delta_encoder import DeltaEncoder
from .image_encoder import ImageEncoder
from .samples import Packer, RawSample

__all__ = ["Encoder"]


class Encoder(wiring.Component):
    """Make the words of spikes with which samples enter an accelerator from pixels or signals.

    Its output does not depend on when values are offered and words taken. After reset, and after
    each sample, it is as new.

    Parameters
    ----------
    node : Input
        Where the samples enter.
    encoding : Encoding
    word : int
        Channels of a word, as in the :class:`~spiker_hdl.model.Mapping`.

    Members
    -------
    i : In(stream.Signature(Reading(bits)))
    o : Out(stream.Signature(Word))
    rest : Out(1)
        No sample is half in, and nothing waits.

    Raises
    ------
    TypeError, ValueError
        If the encoding is not for such an input.
    """

    i: stream.Interface
    o: stream.Interface
    rest: Signal

    def __init__(self, node: Input, encoding: Encoding, *, word: int = 32):
        check_kind("Input", node, Input, "an")
        check_kind("Encoding", encoding, Encoding, "an")
        word = check_int("Word", word, 1, 256)
        if (node.low, node.high) != (0, encoding.greatest):
            raise ValueError(
                f"Values of {node.name!r} must be those that {encoding.name!r} makes, "
                f"0..{encoding.greatest}, not {node.low}..{node.high}"
            )
        if node.size % encoding.fan:
            raise ValueError(
                f"Size of {node.name!r} must be a multiple of the {encoding.fan} channels of a "
                f"signal, not {node.size}"
            )
        if node.static and encoding.name == "delta":
            raise ValueError(f"Input {node.name!r} must not be static where signals enter")
        self.node = node
        self.encoding = encoding
        self.word = word
        if encoding.name == "delta":
            self.coder = DeltaEncoder(node.size // encoding.fan, encoding)
        else:
            self.coder = ImageEncoder(node.size, encoding, static=node.static)
        shape = value_shape(node) if node.graded else SPIKE
        self.packer = Packer(node.size, width=min(word, node.size), value=shape)
        super().__init__({
            "i": In(stream.Signature(RawSample(encoding.bits))),
            "o": Out(stream.Signature(self.packer.o.p.shape())),
            "rest": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.coder = self.coder
        m.submodules.packer = self.packer
        wiring.connect(m, wiring.flipped(self.i), self.coder.i)
        wiring.connect(m, self.coder.o, self.packer.i)
        wiring.connect(m, self.packer.o, wiring.flipped(self.o))
        m.d.comb += self.rest.eq(self.coder.rest & self.packer.rest)

        return m
