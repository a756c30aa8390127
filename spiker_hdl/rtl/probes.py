"""What can be seen of an accelerator that has stopped: who offers, and who takes."""

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
        Who offers, and who takes, as a message names them.
    stream : stream.Interface
    """

    source: str
    sink: str
    stream: stream.Interface

    @property
    def signals(self) -> tuple[Value, Value]:
        """``valid`` and ``ready``."""
        return self.stream.valid, self.stream.ready


def probes(accelerator: "Accelerator") -> Iterator[Probe]:
    """Give the streams between inputs, populations, readouts and counters."""
    network = accelerator.network
    for name, entry in accelerator.entries.items():
        yield Probe("the source of samples", f"input {name!r}", entry.i)
        yield Probe(f"input {name!r}", "all that read it", entry.o)
    for name, core in accelerator.cores.items():
        here = f"population {name!r}"
        for n, one in enumerate(core.projections):
            yield Probe(_node(accelerator, one.source), here, getattr(core, f"i{n}"))
        if core.clocked:
            ticks = f"the steps of {_node(accelerator, network.inputs[0].name)}"
            yield Probe(ticks, here, getattr(core, f"i{len(core.projections)}"))
        if core.population.neuron.spiking:
            yield Probe(here, "all that read it", core.o)
        if core.reads_potential:
            yield Probe(f"the potentials of {here}", "all that read them", core.potentials)
    for one in network.readouts:
        readout = accelerator.readouts[one.name]
        spikes = one.kind in SPIKE_READOUTS
        of = f"{'' if spikes else 'the potentials of '}population {one.population!r}"
        yield Probe(of, f"readout {one.name!r}", readout.i)
        yield Probe(f"readout {one.name!r}", "the result", readout.o)
    for name, counter in accelerator.counters.items():
        yield Probe(f"population {name!r}", "its counter of spikes", counter.i)
        yield Probe(f"the counter of population {name!r}", "the result", counter.o)


def _node(accelerator: "Accelerator", name: str) -> str:
    return f"{'input' if name in accelerator.entries else 'population'} {name!r}"
