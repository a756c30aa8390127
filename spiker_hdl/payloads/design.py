"""What it takes to drive an accelerator and to read its results, without elaborating it again."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any

from spiker_hdl.model import Mapping, Network
from spiker_hdl.rtl import Accelerator

from .fields import Field, fields_of

__all__ = ["DesignPorts", "Payload", "result_timeout"]


@dataclass(frozen=True)
class Payload:
    """The payload of a port.

    Members
    -------
    node : str
        Input or population that the payload belongs to; empty for the result.
    port : str
        Name of the port in Amaranth.
    width : int
        Bits of the payload.
    fields : tuple of Field
    """

    node: str
    port: str
    width: int
    fields: tuple[Field, ...]

    @property
    def words(self) -> int:
        """Number of 32-bit words that hold the payload."""
        return max(1, -(-self.width // 32))

    @property
    def field(self) -> dict[str, Field]:
        """Fields by name."""
        return {field.name: field for field in self.fields}

    @classmethod
    def of(cls, node: str, port: str, layout: Any) -> "Payload":
        """Describe a layout of Amaranth."""
        return cls(node, port, layout.size, tuple(fields_of(layout)))

    def to_json(self) -> dict[str, Any]:
        """Return the payload as JSON values."""
        fields = [
            [field.path, field.offset, field.width, field.signed, field.count]
            for field in self.fields
        ]
        return {"node": self.node, "port": self.port, "width": self.width, "fields": fields}

    @classmethod
    def from_json(cls, text: Any) -> "Payload":
        """Read what :meth:`to_json` returned."""
        fields = tuple(Field(tuple(path), *rest) for path, *rest in text["fields"])
        return cls(text["node"], text["port"], text["width"], fields)


@dataclass(frozen=True)
class DesignPorts:
    """The ports of an accelerator in Verilog, and the payloads that they carry.

    Members
    -------
    ports : mapping of str to str
        Names of ports in Verilog, by their names in Amaranth.
    inputs, observed : tuple of Payload
        Payloads of the inputs, and of the populations whose outcomes are ports.
    result : Payload
    readouts, counts : mapping of str to str
        Fields of the result, by readout and by population.
    stepwise : bool
        Whether a sample may be answered before its last step.
    timeout : int
        Cycles within which a beat must be taken or a result must come.
    probes : tuple of (str, str)
        Source and sink of each internal stream whose handshake can be observed.
    """

    ports: Table[str, str]
    inputs: tuple[Payload, ...]
    observed: tuple[Payload, ...]
    result: Payload
    readouts: Table[str, str]
    counts: Table[str, str]
    stepwise: bool
    timeout: int
    probes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, accelerator: Accelerator, ports: Table[str, str]) -> "DesignPorts":
        """Describe an accelerator whose ports have these names in Verilog."""
        network = accelerator.network

        def payloads(
            nodes: Sequence[str], port: Callable[[str], str], layout: Callable[[str], Any]
        ) -> tuple[Payload, ...]:
            return tuple(Payload.of(name, port(name), layout(name)) for name in nodes)

        return cls(
            ports,
            inputs=payloads(
                [node.name for node in network.inputs],
                lambda name: accelerator.ports[name],
                lambda name: accelerator.input_ports[name].i.p.shape(),
            ),
            observed=payloads(
                accelerator.observe,
                lambda name: f"observe_{accelerator.names[name]}",
                lambda name: accelerator.cores[name].outcome.shape(),
            ),
            result=Payload.of("", "o", accelerator.o.p.shape()),
            readouts={n: f"answers.{port}" for n, port in accelerator.readout_names.items()},
            counts={name: f"counts.{accelerator.names[name]}" for name in accelerator.counters},
            stepwise=accelerator.stepwise,
            timeout=result_timeout(network, accelerator.mapping, network.max_steps),
            probes=(
                tuple((probe.source, probe.sink) for probe in accelerator.probes)
                if accelerator.probed
                else ()
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ports as JSON values."""
        return {
            **vars(self),
            "ports": dict(self.ports),
            "inputs": [payload.to_json() for payload in self.inputs],
            "observed": [payload.to_json() for payload in self.observed],
            "result": self.result.to_json(),
        }

    @classmethod
    def from_json(cls, text: Any) -> "DesignPorts":
        """Read what :meth:`to_json` returned."""
        return cls(**{
            **text,
            "inputs": tuple(Payload.from_json(payload) for payload in text["inputs"]),
            "observed": tuple(Payload.from_json(payload) for payload in text["observed"]),
            "result": Payload.from_json(text["result"]),
            "probes": tuple((source, sink) for source, sink in text["probes"]),
        })


def result_timeout(network: Network, mapping: Mapping, steps: int) -> int:
    """Return far more cycles than a sample takes, even if each stream pauses half of the time."""
    total = sum(2 * node.size for node in network.inputs)
    for population in network.populations:
        core = mapping.cores[population.name]
        events = sum(
            network.nodes[projection.source].size + 1
            for projection in network.into(population.name)
        )
        total += -(-population.size // core.lanes) * events + 2 * population.size + 32
    max_delay = max((projection.delay for projection in network.projections), default=0)
    # Integers of Verilog and of VHDL hold no more.
    return min(1000 + 8 * (steps + max_delay + 2) * total, 2**31 - 1)
