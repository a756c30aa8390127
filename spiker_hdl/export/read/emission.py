"""An emitted directory that is read back without trust in its contents.

What the manifest says is checked against the files, by their SHA-256, and against the network that
is beside it. So an altered design is refused. Where somebody alters the manifest too, the design in
the directory is still the one that is simulated, and its answers are compared with those of a
network that has a digest of its own.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiker_hdl.base import FileError, reader, reading, shown
from spiker_hdl.base.files.members import identifier, member, number
from spiker_hdl.export.testbench.adapter import Inlet, adapted_ports, adapter, adapter_name
from spiker_hdl.hdl.rtlil.memory_init import inlined, loads
from spiker_hdl.link.axi.lite import AxiLite
from spiker_hdl.link.protocol.registers import ADDRESS_BITS
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.files.load import models_of, unpack
from spiker_hdl.model.neurons.base import Component
from spiker_hdl.payloads.design import DesignPorts, Payload, result_timeout

from .files import MANIFEST, NETWORK, read_files
from .streams import Stream, input_streams, result_stream

__all__ = ["Emission", "read_emission"]

SUFFIXES = {"verilog": "v", "vhdl": "vhd"}


@dataclass(frozen=True)
class Emission:
    """The contents of an emitted directory.

    Members
    -------
    directory : Path
    language : str
    top : str
        Name of the topmost module.
    network : Network
    mapping : Mapping
    design : str
        Text of the design, with the contents of memory files in it.
    inputs : tuple of Stream
    result : Stream
    readouts, counts : mapping of str to str
        Fields of the result, by readout and by population.
    ports : mapping of str to str
        Names of the ports that a simulation drives and reads, by their names in Amaranth without
        AXI.
    streams_top : str
        Name of the module that has these ports: the topmost module of the design, or of the
        adapter around it.
    adapter : str
        Text of that adapter; empty where the design has plain streams itself.
    samples : int
        Number of samples of the test bench.
    vectors : mapping of str to bytes
        Files of the test bench, by their paths within the directory.
    """

    directory: Path
    language: str
    top: str
    network: Network
    mapping: Mapping
    design: str
    inputs: tuple[Stream, ...]
    result: Stream
    readouts: Table[str, str]
    counts: Table[str, str]
    ports: Table[str, str]
    streams_top: str
    adapter: str
    samples: int
    vectors: Table[str, bytes]

    @property
    def text(self) -> str:
        """Text of the design, and of the adapter around it."""
        return f"{self.design}\n{self.adapter}"

    @property
    def design_ports(self) -> DesignPorts:
        """Ports that a simulation drives and reads, without AXI."""

        def payload(stream: Stream) -> Payload:
            return Payload(stream.node, stream.port, stream.width, stream.fields)

        return DesignPorts(
            self.ports,
            inputs=tuple(payload(stream) for stream in self.inputs),
            observed=(),
            result=payload(self.result),
            readouts=self.readouts,
            counts=self.counts,
            stepwise=False,
            timeout=result_timeout(self.network, self.mapping, self.network.max_steps),
        )


def read_emission(directory: str | Path, *, neurons: Iterable[type[Component]] = ()) -> Emission:
    """Read an emitted directory, and check that its files are those that were emitted.

    Parameters
    ----------
    directory : str or Path
    neurons : iterable of type
        Neuron classes of the user's own that the network may name.

    Raises
    ------
    FileError
        If there is no manifest, or it does not fit the files or the network, or a file was altered.
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If one of ``neurons`` is no class of neurons, or has the name of another.
    """
    return _read(Path(directory), [*models_of(neurons).values()])


@reader("an emitted directory", "")
def _read(directory: Path, neurons: Iterable[type[Component]]) -> Emission:
    manifest, contents = read_files(directory)
    network, _ = unpack(contents[NETWORK], directory / NETWORK, neurons=neurons)
    with reading(directory / MANIFEST, "a manifest that `spiker emit` made", "json"):
        return _emission(directory, manifest, network, contents)


def _emission(
    directory: Path, manifest: dict[str, Any], network: Network, contents: dict[str, bytes]
) -> Emission:
    _check_network(manifest, network)
    language = member(manifest, "", "language", str)
    if language not in SUFFIXES:
        raise FileError(f"language must be one of {sorted(SUFFIXES)}, not {shown(language)}")
    mapping = _mapping(manifest, network)
    top = identifier(manifest, "", "top")
    interface = member(manifest, "", "interface", str)
    if interface not in {"streams", "axis"}:
        raise FileError(f"interface must be 'streams' or 'axis', not {shown(interface)}")
    axis = interface == "axis"
    streams = member(manifest, "", "streams", dict)
    inputs = input_streams(streams, network, mapping, axis)
    result, readouts, counts = result_stream(streams, network, axis)
    if len(streams) != len(inputs) + 1:
        raise FileError(f"streams must be {len(inputs) + 1}, not {len(streams)}")
    file = f"{top}.{SUFFIXES[language]}"
    if file not in contents:
        raise FileError(f"files must name {file}, not {shown(sorted(contents))}")
    ports, adapter_text = (
        _axi_ports(manifest, language, top, (*inputs, result))
        if axis
        else (_stream_ports(manifest, (*inputs, result)), "")
    )
    return Emission(
        directory=directory,
        language=language,
        top=top,
        network=network,
        mapping=mapping,
        design=_design(file, contents),
        inputs=inputs,
        result=result,
        readouts=readouts,
        counts=counts,
        ports=ports,
        streams_top=adapter_name(top) if axis else top,
        adapter=adapter_text,
        samples=number(manifest, "", "samples", 2**31),
        vectors={name: data for name, data in contents.items() if name.startswith("vectors/")},
    )


def _check_network(manifest: dict[str, Any], network: Network) -> None:
    digest = member(manifest, "", "network", dict).get("sha256")
    if digest != network.digest:
        raise FileError(
            f"network sha256 must be {network.digest}, which {NETWORK} has, not {shown(digest)}"
        )


def _mapping(manifest: dict[str, Any], network: Network) -> Mapping:
    try:
        mapping = Mapping.from_json(member(manifest, "", "mapping", dict))
        mapping.check(network)
    except FileError:
        raise
    except (TypeError, ValueError) as error:
        raise FileError(f"mapping must fit the network: {error}") from None
    return mapping


# -- text ----------------------------------------------------------------------------------------


def _design(name: str, contents: dict[str, bytes]) -> str:
    """Return the text of the design, with the contents of its memory files in it."""
    if not name.endswith(".v"):
        return _text(name, contents[name])
    text = _decoded(name, contents[name])
    memories = {file: _decoded(file, contents[file]) for file in loads(text) if file in contents}
    try:
        text = inlined(text, memories)
    except ValueError as error:
        raise FileError(str(error)) from None
    return _text(name, text.encode("ascii"))


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FileError(f"{name} must be text, not with: {error}") from None


def _text(name: str, data: bytes) -> str:
    try:
        text = data.decode("ascii" if name.endswith(".v") else "utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{name} must be text, not with: {error}") from None
    if name.endswith(".v"):
        # An emission never has these, with which a simulator could read, write or run things.
        odd = re.search(r"`|\$(?!(?:un)?signed\b)\w*|\b(?:import|export|bind|verilator)\b", text)
        if odd:
            raise FileError(f"{name} must have no directives or system tasks, not {odd[0]!r}")
    return text


# -- ports ---------------------------------------------------------------------------------------


def _common_ports(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the ports of clock, reset and idle."""
    return tuple(
        identifier(member(manifest, "", part, dict), part, "port")
        for part in ("clock", "reset", "idle")
    )


def _stream_ports(manifest: dict[str, Any], streams: tuple[Stream, ...]) -> dict[str, str]:
    """Return the ports of a design with plain streams, by their names in Amaranth."""
    clock, reset, idle = _common_ports(manifest)
    ports = {"clk": clock, "rst": reset, "idle": idle}
    for stream in streams:
        ports |= {f"{stream.port}__{part}": name for part, name in stream.names.items()}
    _check_distinct(ports)
    return ports


def _axi_ports(
    manifest: dict[str, Any], language: str, top: str, streams: tuple[Stream, ...]
) -> tuple[dict[str, str], str]:
    """Return the ports of an adapter with plain streams around a design with AXI, and its text."""
    clock, reset, idle = _common_ports(manifest)
    inlets, axi, widths = [], {"aclk": clock, "aresetn": reset, "idle": idle}, {}
    for stream in streams:
        suffix = stream.port[1:]
        name = f"m_axis{suffix}" if stream.port == "o" else f"s_axis{suffix}"
        inlets.append(Inlet(stream.port, name, stream.width, stream.tdata))
        axi |= {f"{name}__{part}": port for part, port in stream.names.items()}
    bus = member(member(manifest, "", "registers", dict), "registers", "bus", dict)
    members = AxiLite(ADDRESS_BITS).members
    if set(bus) != set(members):
        raise FileError(f"registers bus must have {sorted(members)}, not {shown(sorted(bus))}")
    for part, signal in members.items():
        axi[f"s_axil__{part}"] = identifier(bus, "registers bus", part)
        widths[f"s_axil__{part}"] = signal.shape
    _check_distinct(axi)
    return adapted_ports(inlets), adapter(language, top, axi, inlets, widths)


def _check_distinct(ports: Table[str, str]) -> None:
    if len(set(ports.values())) != len(ports):
        raise FileError("ports must have names of their own, not one twice")
