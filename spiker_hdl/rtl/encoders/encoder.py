"""The encoders of :mod:`spiker_hdl.model.encoders` as hardware."""

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
    """An encoder that turns pixels or signals into the words of spikes that an accelerator takes.

    One channel of a step is made in each cycle; a word is valid in the cycle after its last
    channel. Words are the same whenever values are offered and words are taken, and leave in order.
    After reset, and after each sample, it begins anew.

    Parameters
    ----------
    node : Input
        The input of the network.
    encoding : Encoding
        How values become spikes.
    word : int
        Number of channels in a word, as in the :class:`~spiker_hdl.model.Mapping`.

    Members
    -------
    i : In(stream.Signature(RawSample(bits)))
        Values; each is taken with the last channel that is made of it in its first step.
    o : Out(stream.Signature(Word))
        Words of each step in ascending order.
    idle : Out(1)
        No sample has entered in part, and no word waits.

    Raises
    ------
    TypeError, ValueError
        If the encoding does not fit the input.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, node: Input, encoding: Encoding, *, word: int = 32):
        check_kind("Input", node, Input)
        check_kind("Encoding", encoding, Encoding)
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
        # Signals have a value in each step; pictures have one value for all steps.
        if encoding.name == "delta":
            self.coder = DeltaEncoder(node.size // encoding.fan, encoding)
        else:
            self.coder = ImageEncoder(node.size, encoding, static=node.static)
        shape = value_shape(node) if node.graded else SPIKE
        self.packer = Packer(node.size, width=min(word, node.size), value=shape)
        super().__init__({
            "i": In(stream.Signature(RawSample(encoding.bits))),
            "o": Out(stream.Signature(self.packer.o.p.shape())),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.coder = self.coder
        m.submodules.packer = self.packer
        wiring.connect(m, wiring.flipped(self.i), self.coder.i)
        wiring.connect(m, self.coder.o, self.packer.i)
        wiring.connect(m, self.packer.o, wiring.flipped(self.o))
        m.d.comb += self.idle.eq(self.coder.idle & self.packer.idle)

        return m
