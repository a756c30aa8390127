"""An accelerator that takes pixels or signals and makes the spikes itself."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.rtl.common.memory import LoadBeat
from spiker_hdl.rtl.encoders.encoder import Encoder
from spiker_hdl.rtl.encoders.samples import RawSample

from .accelerator import Accelerator

__all__ = ["EncodedAccelerator"]


class EncodedAccelerator(wiring.Component):
    """An accelerator behind an encoder, so that spikes are made on the chip.

    The answers are those of the network to :meth:`Encoding.encode` of the same values. Results come
    in the order of the samples. How long a sample takes is the sum of the encoder's and the
    accelerator's times where these do not overlap. After reset no sample is in flight.

    Parameters
    ----------
    network : Network
        Network with one input.
    mapping : Mapping, optional
        Mapping whose samples enter as words; :meth:`Mapping.default` by default.
    encoding : Encoding, optional
        How values become spikes; by default the one in the network's notes.

    Attributes
    ----------
    ports : dict of str to str
        Name of the port, by the name of the network's input.

    Members
    -------
    i : In(stream.Signature(RawSample(bits)))
        Values of a sample: the pixels of a picture, or the signals of each step, in order.
    o : Out(stream.Signature(SampleResult))
        One result for each sample. ``cycles`` counts from the encoder's first word.
    idle : Out(1)
        No sample is in flight, and nothing is left of earlier ones.
    load : In(stream.Signature(LoadBeat)), if the mapping has writable populations
        As the port of :class:`~.accelerator.Accelerator`.

    Raises
    ------
    TypeError, ValueError
        If the encoding, the mapping and the network do not fit together.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal
    load: stream.Interface

    def __init__(
        self,
        network: Network,
        mapping: Mapping | None = None,
        *,
        encoding: Encoding | None = None,
    ):
        check_kind("Network", network, Network)
        if len(network.inputs) != 1:
            raise ValueError(f"Network must have one input, not {len(network.inputs)}")
        encoding = Encoding.of(network) if encoding is None else encoding
        check_kind("Encoding", encoding, Encoding)
        if encoding.steps is not None and encoding.steps > network.max_steps:
            raise ValueError(
                f"Steps must be at most the {network.max_steps} of the network's longest sample, "
                f"not {encoding.steps}"
            )
        mapping = Mapping.default(network) if mapping is None else mapping
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
        if mapping.form != "words":
            raise ValueError(f"Input form must be 'words', not {mapping.form!r}")
        self.network = network
        self.mapping = mapping
        self.encoding = encoding
        self.encoder = Encoder(network.inputs[0], encoding, word=mapping.word)
        self.accelerator = Accelerator(network, mapping)
        self.ports = {network.inputs[0].name: "i"}
        super().__init__({
            "i": In(stream.Signature(RawSample(encoding.bits))),
            "o": Out(stream.Signature(self.accelerator.o.p.shape())),
            "idle": Out(1),
            **({"load": In(stream.Signature(LoadBeat()))} if mapping.writable else {}),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.encoder = self.encoder
        m.submodules.accelerator = self.accelerator
        wiring.connect(m, wiring.flipped(self.i), self.encoder.i)
        port = self.accelerator.ports[self.network.inputs[0].name]
        wiring.connect(m, self.encoder.o, getattr(self.accelerator, port))
        wiring.connect(m, self.accelerator.o, wiring.flipped(self.o))
        # A word that leaves the encoder is in the accelerator in the next cycle, so that no cycle
        # in between looks idle.
        m.d.comb += self.idle.eq(self.encoder.idle & self.accelerator.idle)
        if self.mapping.writable:
            wiring.connect(m, wiring.flipped(self.load), self.accelerator.load)

        return m
