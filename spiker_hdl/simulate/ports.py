"""What it takes to drive an accelerator and to read it, without making it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spiker_hdl.export.read import Emission, Stream
from spiker_hdl.export.samples.vectors import timeout
from spiker_hdl.payloads.fields import Field, fields_of
from spiker_hdl.rtl import Accelerator

__all__ = ["Design", "Payload"]


@dataclass(frozen=True)
class Payload:
    """Bits that a port carries.

    Members
    -------
    node : str
        Input or population that they belong to.
    port : str
        Name in Amaranth.
    width : int
    fields : tuple of Field
    """

    node: str
    port: str
    width: int
    fields: tuple[Field, ...]

    @property
    def words(self) -> int:
        """Words of 32 bits."""
        return max(1, -(-self.width // 32))

    @property
    def field(self) -> dict[str, Field]:
        """Fields by name."""
        return {one.name: one for one in self.fields}

    @classmethod
    def of(cls, node: str, port: str, layout: Any) -> "Payload":
        """Describe a layout."""
        return cls(node, port, layout.size, tuple(fields_of(layout)))

    def to_json(self) -> dict[str, Any]:
        """Return the payload in what JSON can hold."""
        fields = [[one.path, one.offset, one.width, one.signed, one.count] for one in self.fields]
        return {"node": self.node, "port": self.port, "width": self.width, "fields": fields}

    @classmethod
    def from_json(cls, text: Any) -> "Payload":
        """Read what :meth:`to_json` made."""
        fields = tuple(Field(tuple(path), *rest) for path, *rest in text["fields"])
        return cls(text["node"], text["port"], text["width"], fields)


@dataclass(frozen=True)
class Design:
    """An accelerator's ports and payloads.

    Members
    -------
    ports : mapping of str to str
        Names in Verilog, by those in Amaranth.
    inputs, observed : tuple of Payload
    result : Payload
    readouts, counts : mapping of str to str
        Fields of the result, by readout and by population.
    stepwise : bool
        Whether answers may come before a sample's end.
    timeout : int
        Cycles in which something must happen.
    probes : tuple of (str, str)
        Who offers and who takes, of each stream within that can be looked at.
    """

    ports: Mapping[str, str]
    inputs: tuple[Payload, ...]
    observed: tuple[Payload, ...]
    result: Payload
    readouts: Mapping[str, str]
    counts: Mapping[str, str]
    stepwise: bool
    timeout: int
    probes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, accelerator: Accelerator, ports: Mapping[str, str]) -> "Design":
        """Describe an accelerator whose ports have these names in Verilog."""
        network = accelerator.network

        def payloads(nodes: Sequence[str], port, shape) -> tuple[Payload, ...]:
            return tuple(Payload.of(name, port(name), shape(name)) for name in nodes)

        return cls(
            ports,
            payloads(
                [one.name for one in network.inputs],
                lambda name: accelerator.ports[name],
                lambda name: accelerator.entries[name].i.p.shape(),
            ),
            payloads(
                accelerator.observe,
                lambda name: f"observe_{accelerator.names[name]}",
                lambda name: accelerator.cores[name].outcome.shape(),
            ),
            Payload.of("", "o", accelerator.o.p.shape()),
            {name: f"answers.{one}" for name, one in accelerator.readout_names.items()},
            {name: f"counts.{accelerator.names[name]}" for name in accelerator.counters},
            accelerator.stepwise,
            timeout(network, accelerator.mapping, network.max_steps),
            tuple((one.source, one.sink) for one in accelerator.probes)
            if accelerator.probed
            else (),
        )

    @classmethod
    def read(cls, emission: Emission) -> "Design":
        """Describe what an emitted directory holds."""

        def payload(one: Stream) -> Payload:
            return Payload(one.node, one.port, one.width, one.fields)

        return cls(
            emission.ports,
            tuple(payload(one) for one in emission.inputs),
            (),
            payload(emission.result),
            emission.readouts,
            emission.counts,
            stepwise=False,
            timeout=timeout(emission.network, emission.mapping, emission.network.max_steps),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the design in what JSON can hold."""
        return {
            **vars(self),
            "ports": dict(self.ports),
            "inputs": [one.to_json() for one in self.inputs],
            "observed": [one.to_json() for one in self.observed],
            "result": self.result.to_json(),
        }

    @classmethod
    def from_json(cls, text: Any) -> "Design":
        """Read what :meth:`to_json` made."""
        return cls(**{
            **text,
            "inputs": tuple(Payload.from_json(one) for one in text["inputs"]),
            "observed": tuple(Payload.from_json(one) for one in text["observed"]),
            "result": Payload.from_json(text["result"]),
            "probes": tuple((source, sink) for source, sink in text["probes"]),
        })
