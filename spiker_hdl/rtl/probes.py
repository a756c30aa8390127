"""Probes of the streams within an accelerator, which show where it is blocked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amaranth import *
from amaranth.lib import stream

from spiker_hdl.model.graph import SPIKE_READOUTS

if TYPE_CHECKING:
    from .accelerator import Accelerator

__all__ = ["Probe", "probes"]


@dataclass(frozen=True)
class Probe:
    """A stream within the accelerator.

    Members
    -------
    source, sink : str
        Names of the component that offers and of the one that takes, for messages.
    stream : stream.Interface
        The stream itself.
    """

    source: str
    sink: str
    stream: stream.Interface

    @property
    def signals(self) -> tuple[Value, Value]:
        """``valid`` and ``ready`` of the stream."""
        return self.stream.valid, self.stream.ready


def probes(accelerator: "Accelerator") -> Iterator[Probe]:
    """Yield the streams between inputs, populations, readouts and counters."""
    network = accelerator.network
    for name, port in accelerator.input_ports.items():
        yield Probe("the source of samples", f"input {name!r}", port.i)
        yield Probe(f"input {name!r}", "all that read it", port.o)
    for name, core in accelerator.cores.items():
        here = f"population {name!r}"
        for n, projection in enumerate(core.projections):
            yield Probe(_node(accelerator, projection.source), here, getattr(core, f"i{n}"))
        # Behind the streams of its projections, a clocked core has one of tokens alone.
        if core.clocked:
            ticks = f"the steps of {_node(accelerator, network.inputs[0].name)}"
            yield Probe(ticks, here, getattr(core, f"i{len(core.projections)}"))
        if core.population.neuron.emits:
            yield Probe(here, "all that read it", core.o)
        if core.reads_potential:
            yield Probe(f"the potentials of {here}", "all that read them", core.potentials)
    for node in network.readouts:
        readout = accelerator.readouts[node.name]
        spikes = node.kind in SPIKE_READOUTS
        source = f"{'' if spikes else 'the potentials of '}population {node.population!r}"
        yield Probe(source, f"readout {node.name!r}", readout.i)
        yield Probe(f"readout {node.name!r}", "the result", readout.o)
    for name, counter in accelerator.counters.items():
        yield Probe(f"population {name!r}", "its counter of spikes", counter.i)
        yield Probe(f"the counter of population {name!r}", "the result", counter.o)


def _node(accelerator: "Accelerator", name: str) -> str:
    return f"{'input' if name in accelerator.input_ports else 'population'} {name!r}"
