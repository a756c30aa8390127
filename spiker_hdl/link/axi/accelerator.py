"""The accelerator behind AXI4-Stream (ARM IHI 0051A) and AXI4-Lite (ARM IHI 0022).

It is in Amaranth's domain ``sync``; :class:`~.ports.AxiTop` adds the clock and the reset of AXI.
"""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.protocol.registers import ADDRESS_BITS, constant_values
from spiker_hdl.rtl import Accelerator
from spiker_hdl.rtl.streams.queue import Queue

from .framing import Agreement, Framer
from .lite import AxiLite, ControlBlock
from .ports import AxiStream

__all__ = ["AxiAccelerator", "FramedResult", "tdata_width"]

ENTRANCE = 3
"""Entries of the queue behind an input, with which a beat passes in each cycle."""


def tdata_width(layout: data.Layout) -> int:
    """Return the width of ``tdata`` for a payload without its ``last``, a multiple of 8."""
    width = Shape.cast(layout).width - (1 if _has_last(layout) else 0)
    return max(1, -(-width // 8)) * 8


def _has_last(layout: data.Layout) -> bool:
    """Return whether the highest bit of a layout has the meaning of ``tlast``."""
    names = [name for name, _ in layout]
    return names[-1] == "last" and layout["last"].offset == Shape.cast(layout).width - 1


class FramedResult(data.StructLayout):
    """A result, and whether the packets of its sample were well formed.

    Members
    -------
    result : SampleResult
        Result of the sample.
    fault : unsigned(1)
        Whether a packet of the sample was malformed: see the register ``error``.
    """

    def __init__(self, accelerator: Accelerator):
        super().__init__({"result": accelerator.o.p.shape(), "fault": 1})


class AxiAccelerator(wiring.Component):
    """An accelerator with AXI4-Stream for samples and results, and AXI4-Lite for control.

    Each packet at an input is a sample, and each packet at the output is a result, in the same
    order. Beats enter one in each cycle. Queues cut every path from one port to another: each
    output comes from registers. After reset, no sample is in flight and every register has its
    reset value; after a reset by software, the result on offer stays until it is taken.

    Parameters
    ----------
    accelerator : Accelerator
        Accelerator without observers, streams of events, or answers before the last step.
    version : str
        Version of the library, for the register that has it.

    Members
    -------
    s_axis : In(AxiStream), if there is one input
        Beats of the samples: ``tdata`` has the payload without ``last``, which is ``tlast``.
    s_axis_NAME : In(AxiStream), for each of several inputs
        The same for the input of that name.
    m_axis : Out(AxiStream)
        Results: ``tdata`` has a :class:`FramedResult`, and ``tlast`` is always 1.
    s_axil : In(AxiLite)
        Registers: see :mod:`~.registers`.
    idle : Out(1)
        The bit ``idle`` of the register ``status``.
    irq : Out(1)
        1 while a condition holds that the register ``interrupt`` enables.

    Raises
    ------
    TypeError
        If ``accelerator`` is not an accelerator.
    ValueError
        If the accelerator has other ports than those of samples and results.
    """

    m_axis: Any
    s_axil: Any
    idle: Signal
    irq: Signal

    def __init__(self, accelerator: Accelerator, *, version: str):
        check_kind("Accelerator", accelerator, Accelerator)
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
        shapes = {name: port.i.p.shape() for name, port in accelerator.input_ports.items()}
        super().__init__({
            **{port: In(AxiStream(tdata_width(shapes[n]))) for n, port in self.ports.items()},
            "m_axis": Out(AxiStream(tdata_width(FramedResult(accelerator)))),
            "s_axil": In(AxiLite(ADDRESS_BITS)),
            "idle": Out(1),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        inner = self.accelerator
        constants = constant_values(inner.network, inner.mapping, self.version)
        m.submodules.control = control = ControlBlock(constants)
        wiring.connect(m, wiring.flipped(self.s_axil), control.bus)
        m.submodules.accelerator = ResetInserter(control.reset)(inner)
        # Input by input: packets, samples without faults, and the queue before the accelerator.
        framers = {name: self._enter(m, name, control) for name in self.ports}
        occupied = [framer.busy | entered for framer, entered in framers.values()]
        framers = [framer for framer, _ in framers.values()]
        self._agree(m, framers, control)
        m.d.comb += control.error.eq(reduce(or_, (framer.causes.as_value() for framer in framers)))

        # Not reset by software: AXI requires that a beat on offer stays until it is taken.
        m.submodules.exit = out = Queue(FramedResult(inner), depth=1)
        self._flag(m, framers, out, control)
        m.d.comb += [
            self.m_axis.tdata.eq(Value.cast(out.o.payload)),
            self.m_axis.tlast.eq(1),
            self.m_axis.tvalid.eq(out.o.valid),
            out.o.ready.eq(self.m_axis.tready),
            # A result counts when it is taken, and is not idle before that.
            control.result.eq(out.o.valid & self.m_axis.tready),
            control.waiting.eq(out.o.valid),
            control.idle.eq(inner.idle & ~inner.o.valid & ~out.o.valid & ~Cat(occupied).any()),
            self.idle.eq(control.idle),
            self.irq.eq(control.interrupt),
        ]

        return m

    @property
    def _inside(self) -> int:
        """Maximum number of samples that have passed a framer and whose results have not left."""
        # A beat in the entrance may be a whole sample; behind it are the samples in flight, and the
        # results on their way out.
        return ENTRANCE + self.accelerator.max_in_flight + 2

    def _enter(self, m, name: str, control: ControlBlock):
        """Connect an input; return its framer, and whether beats of it wait in the queue."""
        inner = self.accelerator
        port, sink = getattr(self, self.ports[name]), getattr(inner, inner.ports[name])
        queue = Queue(sink.p.shape(), depth=ENTRANCE)
        m.submodules[f"entrance_{inner.names[name]}"] = ResetInserter(control.reset)(queue)
        wiring.connect(m, queue.o, sink)
        framer = Framer(
            inner.input_ports[name], max_steps=inner.network.max_steps, width=len(port.tdata)
        )
        m.submodules[f"framer_{inner.names[name]}"] = framer
        wiring.connect(m, wiring.flipped(port), framer.i)
        wiring.connect(m, framer.o, queue.i)
        m.d.comb += framer.reset.eq(control.reset)
        # Every sample passes the first input, so counting there counts each once.
        if name == inner.network.inputs[0].name:
            m.d.comb += control.sample.eq(framer.done)

        # Counts from the cycle in which a beat enters, which ``queue.empty`` shows one later.
        level = Signal(range(ENTRANCE + 3))
        entered = queue.i.valid & queue.i.ready
        left = queue.o.valid & queue.o.ready
        m.d.sync += level.eq(Mux(control.reset, 0, level + entered - left))
        return framer, level.any()

    def _agree(self, m, framers: list[Framer], control: ControlBlock) -> None:
        """Make all inputs end a sample with the same step."""
        # A single input decides for itself, and has nobody to wait for.
        if len(framers) == 1:
            m.d.comb += [framers[0].last.eq(framers[0].wish), framers[0].known.eq(1)]
            return
        m.submodules.agreement = agreement = Agreement(
            len(framers), max_steps=framers[0].max_steps, apart=self._inside
        )
        m.d.comb += agreement.reset.eq(control.reset)
        for n, framer in enumerate(framers):
            m.d.comb += [
                agreement.step[n].eq(framer.step),
                agreement.closes[n].eq(framer.closes),
                agreement.wish[n].eq(framer.wish),
                framer.last.eq(agreement.last[n]),
                framer.known.eq(agreement.known[n]),
            ]

    def _flag(self, m, framers: list[Framer], out: Queue, control: ControlBlock) -> None:
        """Join each result with the faults of its packets, and send it."""
        # A sample's faults are known when its last beat enters, and wait here for its result.
        flags = []
        for n, framer in enumerate(framers):
            queue = Queue(1, depth=self._inside)
            m.submodules[f"flags_{n}"] = ResetInserter(control.reset)(queue)
            m.d.comb += [
                queue.i.payload.eq(framer.fault),
                queue.i.valid.eq(framer.done),
                framer.room.eq(queue.i.ready),
                queue.o.ready.eq(out.i.valid & out.i.ready),
            ]
            flags.append(queue.o)
        # A result waits for the faults that each input has stored for it.
        result, ready = self.accelerator.o, Cat(flag.valid for flag in flags).all()
        m.d.comb += [
            out.i.p.result.eq(result.p),
            out.i.p.fault.eq(Cat(flag.payload for flag in flags).any()),
            out.i.valid.eq(result.valid & ready),
            result.ready.eq(out.i.ready & ready),
            control.fault.eq(out.i.valid & out.i.ready & out.i.p.fault),
        ]
