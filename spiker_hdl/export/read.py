"""An emitted directory read back: nothing in it is taken at its word.

What the manifest says is checked against the files, by their SHA-256, and against the network that
is beside it. So a design that was altered is refused; and where somebody alters the manifest too,
what is simulated is still the design in the directory, whose answers are compared with those of a
network that has a digest of its own.
"""

import hashlib
import re
from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from spiker_hdl.base import FileError, read_bytes, reader, reading, shown, strict_json
from spiker_hdl.base.members import NAME, identifier, member, number
from spiker_hdl.export.testbench.adapter import Inlet, adapted_ports, adapter
from spiker_hdl.hdl.rtlil.memory_init import inlined, loads
from spiker_hdl.link.axi.lite import AxiLite
from spiker_hdl.link.protocol.registers import ADDRESS_BITS
from spiker_hdl.model import Input, Mapping, Network
from spiker_hdl.model.files.load import models_of, unpack
from spiker_hdl.model.neurons.base import Neuron
from spiker_hdl.model.scores import class_count
from spiker_hdl.payloads.design import DesignPorts, Payload, result_timeout
from spiker_hdl.payloads.fields import Field, fields_of
from spiker_hdl.rtl.input_port import beat_of

from .manifest import FORMAT, VERSION

__all__ = ["MANIFEST", "Emission", "Stream", "read_emission", "read_files"]

MANIFEST = "manifest.json"
NETWORK = "network.spiker"
SUFFIXES = {"verilog": "v", "vhdl": "vhd"}

_MOST_MANIFEST = 2**24
_MOST_FILES = 2**30
_MOST_WIDTH = 2**24
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Stream:
    """A stream of an emitted design.

    Members
    -------
    node : str
        Input that it belongs to; empty for the results.
    port : str
        Name in Amaranth, without AXI: ``i``, ``i_NAME`` or ``o``.
    names : mapping of str to str
        Ports: ``payload``, ``valid`` and ``ready``, or those of AXI4-Stream.
    width : int
        Bits of the payload, ``last`` among them.
    fields : tuple of Field
    tdata : int
        Bits of ``tdata``; 0 without AXI.
    """

    node: str
    port: str
    names: Table[str, str]
    width: int
    fields: tuple[Field, ...]
    tdata: int = 0


@dataclass(frozen=True)
class Emission:
    """What an emitted directory holds.

    Members
    -------
    directory : Path
    language : str
    top : str
    network : Network
    mapping : Mapping
    design : str
        Text of the design, with what it reads from files in it.
    inputs : tuple of Stream
    result : Stream
    readouts, counts : mapping of str to str
        Fields of the result, by readout and by population.
    ports : mapping of str to str
        Names of the ports that a simulation drives and reads, by those in Amaranth without AXI.
    streams_top : str
        Name of the module that has these ports: the topmost module of the design, or of the
        adapter around it.
    adapter : str
        Text of that adapter; empty where the design has plain streams itself.
    samples : int
        Samples of the test bench.
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


def read_emission(directory: str | Path, *, neurons: Iterable[type[Neuron]] = ()) -> Emission:
    """Read an emitted directory, and check that its files are those that were emitted.

    Parameters
    ----------
    directory : str or Path
    neurons : iterable of type
        Neuron classes of the user's own that the network may name.

    Raises
    ------
    FileError
        If the manifest is none, or does not fit the files or the network, or a file was altered.
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If one of ``neurons`` is no class of neurons, or has the name of another.
    """
    return _read(Path(directory), [*models_of(neurons).values()])


@reader("an emitted directory", "")
def _read(directory: Path, neurons: Iterable[type[Neuron]]) -> Emission:
    held, contents = read_files(directory)
    network, _ = unpack(contents[NETWORK], directory / NETWORK, neurons=neurons)
    with reading(directory / MANIFEST, "a manifest that `spiker emit` made", "json"):
        return _emission(directory, held, network, contents)


@reader("an emitted directory", "")
def read_files(directory: str | Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read an emitted directory's manifest, and the files that it names, each once.

    Raises
    ------
    FileError
        If the manifest is none, or a file is not what it says.
    OSError
        If a file cannot be read.
    """
    directory = Path(directory)
    path = directory / MANIFEST
    if not path.is_file():
        found = "nothing there" if directory.is_dir() else "no directory"
        raise FileError(f"must be a manifest that `spiker emit` made, not {found}", path)
    with reading(path, "a manifest that `spiker emit` made", "json"):
        held = strict_json.parse_object(read_bytes(path, _MOST_MANIFEST))
        for key, wanted in (("format", FORMAT), ("version", VERSION)):
            found = held.get(key)
            if type(found) is not type(wanted) or found != wanted:
                raise FileError(f"must be of {key} {wanted!r}, not {shown(found)}")
        files = _files(held)
    contents, left = {}, _MOST_FILES
    for name, digest in files.items():
        contents[name] = _whole(directory, name, digest, left)
        left -= len(contents[name])
    return held, contents


# -- files ---------------------------------------------------------------------------------------


def _files(held: dict[str, Any]) -> dict[str, str]:
    files = member(held, "", "files", dict)
    for name, digest in files.items():
        path = PurePosixPath(name)
        plain = name == str(path) and re.fullmatch(r"[\w./-]{1,200}", name, re.ASCII)
        if not plain or path.is_absolute() or ".." in path.parts or name == ".":
            raise FileError(f"files must be paths within the directory, not {shown(name)}")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise FileError(f"files {name} must be a SHA-256, not {shown(digest)}")
    if NETWORK not in files:
        raise FileError(f"files must name {NETWORK}, not {shown(sorted(files))}")
    return files


def _whole(directory: Path, name: str, digest: str, most: int) -> bytes:
    path = directory / name
    inside = path.resolve().is_relative_to(directory.resolve())
    if not inside or not path.is_file():
        found = "missing" if inside else "outside"
        raise FileError(f"must be a file in the directory that {MANIFEST} names, not {found}", path)
    data = read_bytes(path, most)
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise FileError(
            f"must have the SHA-256 {digest}, which {MANIFEST} says, not {found}: it was altered",
            path,
        )
    return data


# -- what they mean ------------------------------------------------------------------------------


def _emission(
    directory: Path, held: dict[str, Any], network: Network, contents: dict[str, bytes]
) -> Emission:
    said = member(held, "", "network", dict)
    if said.get("sha256") != network.digest:
        raise FileError(
            f"network sha256 must be {network.digest}, which {NETWORK} has, not "
            f"{shown(said.get('sha256'))}"
        )
    language = member(held, "", "language", str)
    if language not in SUFFIXES:
        raise FileError(f"language must be one of {sorted(SUFFIXES)}, not {shown(language)}")
    mapping = _mapping(held, network)
    top = identifier(held, "", "top")
    interface = member(held, "", "interface", str)
    if interface not in {"streams", "axis"}:
        raise FileError(f"interface must be 'streams' or 'axis', not {shown(interface)}")
    axis = interface == "axis"
    streams = member(held, "", "streams", dict)
    inputs = tuple(_input(streams, node, mapping, axis) for node in network.inputs)
    result, readouts, counts = _result(streams, network, axis)
    if len(streams) != len(inputs) + 1:
        raise FileError(f"streams must be {len(inputs) + 1}, not {len(streams)}")
    file = f"{top}.{SUFFIXES[language]}"
    if file not in contents:
        raise FileError(f"files must name {file}, not {shown(sorted(contents))}")
    ports, streams_top, around = _ports(held, language, top, (*inputs, result), axis)
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
        streams_top=streams_top,
        adapter=around,
        samples=number(held, "", "samples", 2**31),
        vectors={name: data for name, data in contents.items() if name.startswith("vectors/")},
    )


def _mapping(held: dict[str, Any], network: Network) -> Mapping:
    try:
        mapping = Mapping.from_json(member(held, "", "mapping", dict))
        mapping.check(network)
    except FileError:
        raise
    except (TypeError, ValueError) as error:
        raise FileError(f"mapping must fit the network: {error}") from None
    return mapping


def _design(name: str, contents: dict[str, bytes]) -> str:
    if not name.endswith(".v"):
        return _text(name, contents[name])
    text = _decoded(name, contents[name])
    read = {one: _decoded(one, contents[one]) for one in loads(text) if one in contents}
    try:
        text = inlined(text, read)
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
        # What an emission never has, and what could make a simulator read, write or run things.
        odd = re.search(r"`|\$(?!(?:un)?signed\b)\w*|\b(?:import|export|bind|verilator)\b", text)
        if odd:
            raise FileError(f"{name} must have no directives or system tasks, not {odd[0]!r}")
    return text


def _fields(held: Any, where: str, width: int) -> tuple[Field, ...]:
    found, taken = [], 0
    for n, one in enumerate(member(held, where, "fields", list)):
        place = f"{where} field {n}"
        name = member(one, place, "name", str)
        # Numbers are read as 64 bits; a field without any is that of a value that is always 1.
        field = Field(
            tuple(name.split(".")),
            number(one, place, "offset", _MOST_WIDTH),
            number(one, place, "width", 63),
            member(one, place, "signed", bool),
            number(one, place, "count", _MOST_WIDTH) if "count" in one else 0,
        )
        if field.offset != taken:
            raise FileError(
                f"{place} offset must be {taken}, after the one before, not {field.offset}"
            )
        taken += field.width * max(1, field.count)
        found.append(field)
    if taken > width:
        raise FileError(f"{where} width must be at least {taken}, not {width}")
    if len({one.name for one in found}) != len(found):
        raise FileError(f"{where} fields must have names of their own, not one twice")
    return tuple(found)


def _stream(
    streams: dict[str, Any], key: str, axis: bool
) -> tuple[Any, dict[str, str], int, tuple[Field, ...]]:
    where = f"stream {key}"
    held = member(streams, "streams", key, dict)
    wanted = ("tdata", "tlast", "tvalid", "tready") if axis else ("payload", "valid", "ready")
    names = {one: identifier(held, where, one) for one in wanted}
    width = number(held, where, "width", _MOST_WIDTH)
    return held, names, width, _fields(held, where, width)


def _input(streams: dict[str, Any], node: Input, mapping: Mapping, axis: bool) -> Stream:
    keys = [
        key
        for key, one in streams.items()
        if isinstance(one, dict) and one.get("direction") == "in" and one.get("of") == node.name
    ]
    if len(keys) != 1:
        raise FileError(f"streams must have one of {node.name!r}, not {len(keys)}")
    _, names, width, fields = _stream(streams, keys[0], axis)
    if axis:
        top = sum(one.width * max(1, one.count) for one in fields)
        fields = (*fields, Field(("last",), top, 1, False))
    layout = tuple(fields_of(beat_of(node, mapping)))
    if fields != layout:
        raise FileError(
            f"stream {keys[0]} fields must be {_plain(layout)}, which the network and its mapping "
            f"make, not {shown(_plain(fields))}"
        )
    if not NAME.fullmatch(keys[0]):
        raise FileError(f"stream {shown(keys[0])} must be named after a port")
    whole = layout[-1].offset + 1
    wanted = max(1, -(-(whole - 1) // 8)) * 8 if axis else whole
    if width != wanted:
        raise FileError(f"stream {keys[0]} width must be {wanted}, not {width}")
    port = "i" + keys[0].removeprefix("s_axis") if axis else keys[0]
    return Stream(node.name, port, names, whole, fields, width if axis else 0)


def _plain(fields: Iterable[Field]) -> str:
    return ", ".join(f"{one.name} of {one.width} x {max(1, one.count)}" for one in fields)


def _result(
    streams: dict[str, Any], network: Network, axis: bool
) -> tuple[Stream, dict[str, str], dict[str, str]]:
    key = "m_axis" if axis else "o"
    held, names, width, fields = _stream(streams, key, axis)
    named = {one.name: one for one in fields}
    found: dict[str, dict[str, str]] = {}
    firing = [one.name for one in network.populations if one.neuron.spiking]
    for what, wanted in (("readouts", [one.name for one in network.readouts]), ("counts", firing)):
        listed = member(held, f"stream {key}", what, list)
        pairs = [
            (member(one, what, "name", str), member(one, what, "field", str)) for one in listed
        ]
        if sorted(name for name, _ in pairs) != sorted(wanted):
            raise FileError(f"{what} must be of {wanted}, not {shown([n for n, _ in pairs])}")
        found[what] = dict(pairs)
    needed = [
        ("cycles", 0),
        *([("fault", 0)] if axis else []),
        *((field, 0) for field in found["counts"].values()),
    ]
    for one in network.readouts:
        stem = found["readouts"][one.name]
        size = class_count(network, one)
        needed += [(f"{stem}.winner", 0), (f"{stem}.steps", 0), (f"{stem}.scores", size)]
    for name, count in needed:
        if name not in named or named[name].count != count:
            raise FileError(f"stream {key} must have the field {shown(name)} with {count} places")
    whole = sum(one.width * max(1, one.count) for one in fields)
    if width != (-(-whole // 8) * 8 if axis else whole):
        raise FileError(f"stream {key} width must be that of its fields, {whole}, not {width}")
    stream = Stream("", "o", names, whole, fields, width if axis else 0)
    return stream, found["readouts"], found["counts"]


def _ports(
    held: dict[str, Any], language: str, top: str, streams: tuple[Stream, ...], axis: bool
) -> tuple[dict[str, str], str, str]:
    """Return the ports that a simulation sees, the module that has them, and what is around."""
    clock, reset, idle = (
        identifier(member(held, "", part, dict), part, "port")
        for part in ("clock", "reset", "idle")
    )
    if not axis:
        ports = {"clk": clock, "rst": reset, "idle": idle}
        for one in streams:
            ports |= {f"{one.port}__{key}": name for key, name in one.names.items()}
        _apart(ports)
        return ports, top, ""
    inlets, outer, widths = [], {"aclk": clock, "aresetn": reset, "idle": idle}, {}
    for one in streams:
        name = "m_axis" + one.port[1:] if one.port == "o" else "s_axis" + one.port[1:]
        inlets.append(Inlet(one.port, name, one.width, one.tdata))
        outer |= {f"{name}__{key}": port for key, port in one.names.items()}
    bus = member(member(held, "", "registers", dict), "registers", "bus", dict)
    members = AxiLite(ADDRESS_BITS).members
    if set(bus) != set(members):
        raise FileError(f"registers bus must have {sorted(members)}, not {shown(sorted(bus))}")
    for key, one in members.items():
        outer[f"s_axil__{key}"] = identifier(bus, "registers bus", key)
        widths[f"s_axil__{key}"] = one.shape
    _apart(outer)
    around = adapter(language, top, outer, inlets, widths)
    ports = adapted_ports(inlets)
    return ports, f"{top}_streams", around


def _apart(ports: Table[str, str]) -> None:
    if len(set(ports.values())) != len(ports):
        raise FileError("ports must have names of their own, not one twice")
