"""What the test benches of all languages have in common."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.payloads.fields import Field
from spiker_hdl.rtl import Accelerator

__all__ = ["Check", "Feed", "bench_name", "checks_of", "feeds_of"]


@dataclass(frozen=True)
class Feed:
    """An input that a test bench feeds.

    Members
    -------
    port : str
        Its name among the ports of the accelerator.
    label : str
        What a reader of the test bench knows it by.
    width : int
        Bits of a payload; the vectors have one more, which marks the end of a sample.
    beats : int
        How many there are.
    noise : int
        Bit of a random word, of 31, that decides when it pauses.
    """

    port: str
    label: str
    width: int
    beats: int
    noise: int


@dataclass(frozen=True)
class Check:
    """A field of a result that a test bench compares.

    Members
    -------
    field : Field
    what : str
        ``class``, ``score``, ``steps``, ``spikes``, ``cycles`` or ``fault``.
    of : str
        Of which node, in words; empty for the cycles and the fault.
    """

    field: Field
    what: str
    of: str

    @property
    def timed(self) -> bool:
        """Whether it depends on the time at which samples are offered and results are taken."""
        return self.what == "cycles"


def bench_name(top: str) -> str:
    """Return the name of the test bench of a module."""
    return f"{top}_bench"


def feeds_of(accelerator: Accelerator, vectors: Vectors) -> Iterator[Feed]:
    """Give the inputs, in the order of the network."""
    for n, node in enumerate(accelerator.network.inputs):
        port = accelerator.ports[node.name]
        label = _label(node.name, accelerator.names[node.name])
        yield Feed(port, label, vectors.widths[port], len(vectors.beats[port]), 2 * n % 31)


def checks_of(accelerator: Accelerator, vectors: Vectors) -> Iterator[Check]:
    """Give the fields that are compared, in the order in which they are."""
    plain = accelerator.names | accelerator.readout_names
    for (kind, *node), field in vectors.fields.items():
        if field.width:
            of = "".join(_label(name, plain[name]) for name in node)
            of = f"readout {of}" if kind in {"class", "scores", "steps"} else of
            yield Check(field, "score" if kind == "scores" else kind, of)


def _label(name: str, identifier: str) -> str:
    """Return a name as strings and comments of all languages may hold it."""
    return name if re.fullmatch(r"[\w +.,:;<>=-]+", name, re.ASCII) else identifier
