"""The accelerator behind AXI4-Stream and AXI4-Lite.

After ARM IHI 0051A (AXI4-Stream) and IHI 0022 (AXI4-Lite), for Amaranth's domain ``sync``;
:class:`~.axi_ports.AxiTop` gives that the clock and the reset that AXI has.
"""

from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..model.check import check_kind
from ..rtl import Accelerator
from ..rtl.queue import Queue
from .axi_lite import AxiLite, ControlBlock
from .axi_ports import AxiStream
from .registers import ADDRESS_BITS, identity

__all__ = ["AxiAccelerator", "tdata_width"]

ENTRANCE = 3
"""Entries of the queue behind an input; with as many, a beat passes in each cycle."""


def tdata_width(layout: data.Layout) -> int:
    """Return the bits of ``tdata`` that hold a payload but its ``last``: a multiple of 8."""
    width = Shape.cast(layout).width - (1 if _has_last(layout) else 0)
    return max(1, -(-width // 8)) * 8


def _has_last(layout: data.Layout) -> bool:
    """Tell whether the highest bit of a layout says what ``tlast`` does."""
    names = [name for name, _ in layout]
    return names[-1] == "last" and layout["last"].offset == Shape.cast(layout).width - 1


class AxiAccelerator(wiring.Component):
    """An accelerator with AXI4-Stream for samples and results, and AXI4-Lite for control.

    A packet is a sample, or a result. Queues cut every chain of logic from one of the ports to
    another: each output comes from registers.

    Parameters
    ----------
    accelerator : Accelerator
        Without observers, streams of events, or answers before the last step.
    version : str
        Of the library, for the register that tells it.

    Members
    -------
    s_axis : In(AxiStream), if there is one input
        ``tdata`` holds the payload without ``last``, which is ``tlast``.
    s_axis_NAME : In(AxiStream), for each of several inputs
    m_axis : Out(AxiStream)
        ``tdata`` holds a result; ``tlast`` is always 1.
    s_axil : In(AxiLite)
        Registers: see :mod:`~.registers`.
    idle : Out(1)
        As the bit of the register ``status``.

    Raises
    ------
    TypeError
        If it is no accelerator.
    ValueError
        If it has more ports than samples and results need.
    """

    m_axis: Any
    s_axil: Any
    idle: Signal

    def __init__(self, accelerator: Accelerator, *, version: str):
        check_kind("Accelerator", accelerator, Accelerator, "an")
        if accelerator.observe or accelerator.streams or accelerator.stepwise:
            raise ValueError(
                "Accelerator must have no ports but those of samples and results, not observers, "
                "events or early answers"
            )
        if accelerator.mapping.writable:
            raise ValueError(
                "Mapping must have no writable population behind AXI, which has no way to load "
                f"one, not {sorted(accelerator.mapping.writable)}: take plain streams"
            )
        self.accelerator = accelerator
        self.version = version
        self.ports = {
            name: "s_axis" + port.removeprefix("i") for name, port in accelerator.ports.items()
        }
        shapes = {name: entry.i.p.shape() for name, entry in accelerator.entries.items()}
        super().__init__({
            **{port: In(AxiStream(tdata_width(shapes[n]))) for n, port in self.ports.items()},
            "m_axis": Out(AxiStream(tdata_width(accelerator.o.p.shape()))),
            "s_axil": In(AxiLite(ADDRESS_BITS)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        inner = self.accelerator
        held = identity(inner.network, inner.mapping, self.version)
        m.submodules.control = control = ControlBlock(held)
        wiring.connect(m, wiring.flipped(self.s_axil), control.bus)
        m.submodules.accelerator = ResetInserter(control.reset)(inner)
        occupied = [self._enter(m, name, control) for name in self.ports]

        # Not reset by software: what is offered stays until it is taken.
        m.submodules.exit = out = Queue(inner.o.p.shape(), depth=1)
        wiring.connect(m, inner.o, out.i)
        m.d.comb += [
            self.m_axis.tdata.eq(Value.cast(out.o.payload)),
            self.m_axis.tlast.eq(1),
            self.m_axis.tvalid.eq(out.o.valid),
            out.o.ready.eq(self.m_axis.tready),
            control.result.eq(out.o.valid & self.m_axis.tready),
            control.waiting.eq(out.o.valid),
            control.idle.eq(inner.idle & ~inner.o.valid & ~out.o.valid & ~Cat(occupied).any()),
            self.idle.eq(control.idle),
        ]

        return m

    def _enter(self, m, name: str, control: ControlBlock):
        """Lead a stream into the accelerator; return whether a sample is on its way there."""
        inner = self.accelerator
        port, sink = getattr(self, self.ports[name]), getattr(inner, inner.ports[name])
        queue = Queue(sink.p.shape(), depth=ENTRANCE)
        m.submodules[f"entrance_{inner.names[name]}"] = ResetInserter(control.reset)(queue)
        wiring.connect(m, queue.o, sink)

        inside, discard = Signal(), Signal()
        take = port.tvalid & port.tready
        level = Signal(range(ENTRANCE + 3))
        width = Value.cast(queue.i.payload).shape().width
        m.d.comb += [
            Value.cast(queue.i.payload).eq(Cat(port.tdata[: width - 1], port.tlast)),
            queue.i.valid.eq(port.tvalid & ~discard & ~control.reset),
            port.tready.eq(discard | (queue.i.ready & ~control.reset)),
        ]
        with m.If(take):
            m.d.sync += inside.eq(~port.tlast)
        # A sample that software has dropped is taken to its end, so that the next is whole.
        with m.If(take & port.tlast):
            m.d.sync += discard.eq(0)
        with m.Elif(control.reset):
            m.d.sync += discard.eq(inside)
        entered = queue.i.valid & queue.i.ready
        left = queue.o.valid & queue.o.ready
        with m.If(control.reset):
            m.d.sync += level.eq(0)
        with m.Else():
            m.d.sync += level.eq(level + entered - left)
        if name == inner.network.inputs[0].name:
            m.d.comb += control.sample.eq(entered & port.tlast)
        return inside | level.any()
