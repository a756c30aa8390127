"""The inputs and comparisons of a test bench, for all languages."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.payloads.fields import Field
from spiker_hdl.rtl import Accelerator

__all__ = [
    "Check",
    "Feed",
    "bench_name",
    "checks_of",
    "connections",
    "feeds_of",
    "substitutes",
]


@dataclass(frozen=True)
class Feed:
    """An input that a test bench drives.

    Members
    -------
    port : str
        Name of its stream among the ports of the accelerator.
    label : str
        Name of the input for a reader of the test bench.
    width : int
        Bits of a payload; the vectors have one more, which marks the last beat of a sample.
    beats : int
        Number of beats of all samples.
    noise : int
        Bit of a random number, 0 to 30, that decides when the stream pauses.
    """

    port: str
    label: str
    width: int
    beats: int
    noise: int

    @property
    def substitutes(self) -> dict[str, Any]:
        """Values of the placeholders in the templates of an input."""
        return {
            "port": self.port,
            "label": self.label,
            "width": self.width,
            "high": self.width - 1,
            "last": self.beats - 1,
            "bit": self.noise,
        }


@dataclass(frozen=True)
class Check:
    """A field of a result that a test bench compares.

    Members
    -------
    field : Field
    what : str
        ``class``, ``score``, ``steps``, ``spikes``, ``cycles`` or ``fault``.
    node : str
        Readout or population that the field belongs to; empty for the cycles and the fault.
    """

    field: Field
    what: str
    node: str

    @property
    def timed(self) -> bool:
        """Whether the value depends on when samples are offered and results are taken."""
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


def connections(
    accelerator: Accelerator,
    vectors: Vectors,
    ports: Mapping[str, str],
    form: str,
    ties: Mapping[str, str],
) -> str:
    """Return the ports of all inputs, each with its signal, and those of a load stream tied off.

    Parameters
    ----------
    accelerator : Accelerator
    vectors : Vectors
    ports : mapping of str to str
        Name of each port in the language, by its name in Amaranth.
    form : str
        Form of a connection, with ``{port}`` and ``{signal}``.
    ties : mapping of str to str
        What is connected to each part of a load stream, where the weights are writable.
    """
    pairs = [
        (f"{feed.port}__{part}", f"{feed.port}_{part}")
        for feed in feeds_of(accelerator, vectors)
        for part in ("payload", "valid", "ready")
    ]
    if accelerator.mapping.writable:
        pairs += [(f"load__{part}", level) for part, level in ties.items()]
    return "".join(form.format(port=ports[name], signal=signal) for name, signal in pairs)


def substitutes(vectors: Vectors, top: str, ports: Mapping[str, str], dut: str) -> dict[str, Any]:
    """Return values of the placeholders that the test benches of all languages have.

    Parameters
    ----------
    vectors : Vectors
    top : str
        Name of the topmost module of the design.
    ports : mapping of str to str
        Name of each port in the language, by its name in Amaranth.
    dut : str
        Name of an adapter around the design, or empty.
    """
    return {
        "top": top,
        "dut": dut or top,
        "bench": bench_name(top),
        "idle": ports["idle"],
        "samples": vectors.samples,
        "user_samples": vectors.user_samples,
        "timed": vectors.timed,
        "timeout": vectors.timeout,
        "high": vectors.width - 1,
    }


def checks_of(accelerator: Accelerator, vectors: Vectors) -> Iterator[Check]:
    """Give the fields that are compared, in the order in which they are."""
    plain = accelerator.names | accelerator.readout_names
    for (kind, *names), field in vectors.fields.items():
        if field.width:
            node = "".join(_label(name, plain[name]) for name in names)
            node = f"readout {node}" if kind in {"class", "scores", "steps"} else node
            yield Check(field, "score" if kind == "scores" else kind, node)


def _label(name: str, identifier: str) -> str:
    """Return a name that strings and comments of all languages can have: else the identifier."""
    return name if re.fullmatch(r"[\w +.,:;<>=-]+", name, re.ASCII) else identifier
