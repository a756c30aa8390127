"""The streams that a manifest describes, checked against the network and its mapping."""

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any

from spiker_hdl.base import FileError, shown
from spiker_hdl.base.files.members import NAME, identifier, member, number
from spiker_hdl.model import Input, Mapping, Network
from spiker_hdl.model.scores import class_count
from spiker_hdl.payloads.fields import Field, fields_of
from spiker_hdl.rtl.input_port import beat_of

__all__ = ["Stream", "input_streams", "result_stream"]

_MAX_WIDTH = 2**24


@dataclass(frozen=True)
class Stream:
    """A stream of an emitted design.

    Members
    -------
    node : str
        Input that the stream belongs to; empty for the results.
    port : str
        Name of the stream in Amaranth, without AXI: ``i``, ``i_NAME`` or ``o``.
    names : mapping of str to str
        Names of its ports, by ``payload``, ``valid`` and ``ready``, or by those of AXI4-Stream.
    width : int
        Bits of the payload, ``last`` included.
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


def input_streams(
    streams: dict[str, Any], network: Network, mapping: Mapping, axis: bool
) -> tuple[Stream, ...]:
    """Return the streams of the inputs, in the order of the network.

    Raises
    ------
    FileError
        If the manifest describes another stream than the network and its mapping have.
    """
    return tuple(_input(streams, node, mapping, axis) for node in network.inputs)


def result_stream(
    streams: dict[str, Any], network: Network, axis: bool
) -> tuple[Stream, dict[str, str], dict[str, str]]:
    """Return the stream of results, and its fields by readout and by population.

    Raises
    ------
    FileError
        If the manifest lacks a field that the network's results have.
    """
    key = "m_axis" if axis else "o"
    description, names, width, fields = _stream(streams, key, axis)
    where = f"stream {key}"
    readouts = _named_fields(
        description, where, "readouts", [readout.name for readout in network.readouts]
    )
    counts = _named_fields(
        description,
        where,
        "counts",
        [population.name for population in network.populations if population.neuron.emits],
    )
    required = [("cycles", 0), *((field, 0) for field in counts.values())]
    if axis:
        required.append(("fault", 0))
    for readout in network.readouts:
        stem = readouts[readout.name]
        scores = class_count(network, readout)
        required += [(f"{stem}.winner", 0), (f"{stem}.steps", 0), (f"{stem}.scores", scores)]
    by_name = {field.name: field for field in fields}
    for name, count in required:
        if name not in by_name or by_name[name].count != count:
            raise FileError(f"{where} must have the field {shown(name)} with {count} places")
    payload = _bits(fields)
    if width != (-(-payload // 8) * 8 if axis else payload):
        raise FileError(f"{where} width must be that of its fields, {payload}, not {width}")
    stream = Stream("", "o", names, payload, fields, width if axis else 0)
    return stream, readouts, counts


# -- parts ---------------------------------------------------------------------------------------


def _bits(fields: Iterable[Field]) -> int:
    return sum(field.width * max(1, field.count) for field in fields)


def _fields(description: Any, where: str, width: int) -> tuple[Field, ...]:
    """Return the fields of a payload, which must lie side by side from bit 0 on."""
    fields: list[Field] = []
    offset = 0
    for n, entry in enumerate(member(description, where, "fields", list)):
        place = f"{where} field {n}"
        name = member(entry, place, "name", str)
        # A number is read as 64 bits; the field of a value that is always 1 has no bits.
        field = Field(
            tuple(name.split(".")),
            number(entry, place, "offset", _MAX_WIDTH),
            number(entry, place, "width", 63),
            member(entry, place, "signed", bool),
            number(entry, place, "count", _MAX_WIDTH) if "count" in entry else 0,
        )
        if field.offset != offset:
            raise FileError(
                f"{place} offset must be {offset}, after the one before, not {field.offset}"
            )
        offset += _bits([field])
        fields.append(field)
    if offset > width:
        raise FileError(f"{where} width must be at least {offset}, not {width}")
    if len({field.name for field in fields}) != len(fields):
        raise FileError(f"{where} fields must have names of their own, not one twice")
    return tuple(fields)


def _stream(
    streams: dict[str, Any], key: str, axis: bool
) -> tuple[Any, dict[str, str], int, tuple[Field, ...]]:
    """Return the description of a stream, the names of its ports, its width and its fields."""
    where = f"stream {key}"
    description = member(streams, "streams", key, dict)
    parts = ("tdata", "tlast", "tvalid", "tready") if axis else ("payload", "valid", "ready")
    names = {part: identifier(description, where, part) for part in parts}
    width = number(description, where, "width", _MAX_WIDTH)
    return description, names, width, _fields(description, where, width)


def _input(streams: dict[str, Any], node: Input, mapping: Mapping, axis: bool) -> Stream:
    keys = [
        key
        for key, entry in streams.items()
        if isinstance(entry, dict)
        and entry.get("direction") == "in"
        and entry.get("input") == node.name
    ]
    if len(keys) != 1:
        raise FileError(f"streams must have one for input {node.name!r}, not {len(keys)}")
    (key,) = keys
    _, names, width, fields = _stream(streams, key, axis)
    if axis:
        # AXI has a port of its own for `last`, which is the highest field without AXI.
        fields = (*fields, Field(("last",), _bits(fields), 1, False))
    expected = tuple(fields_of(beat_of(node, mapping)))
    if fields != expected:
        raise FileError(
            f"stream {key} fields must be {_listed(expected)}, which the network and its mapping "
            f"make, not {shown(_listed(fields))}"
        )
    if not NAME.fullmatch(key):
        raise FileError(f"stream {shown(key)} must be named after a port")
    payload = expected[-1].offset + 1
    expected_width = max(1, -(-(payload - 1) // 8)) * 8 if axis else payload
    if width != expected_width:
        raise FileError(f"stream {key} width must be {expected_width}, not {width}")
    port = "i" + key.removeprefix("s_axis") if axis else key
    return Stream(node.name, port, names, payload, fields, width if axis else 0)


def _listed(fields: Iterable[Field]) -> str:
    return ", ".join(f"{field.name} of {field.width} x {max(1, field.count)}" for field in fields)


def _named_fields(
    description: dict[str, Any], where: str, kind: str, nodes: list[str]
) -> dict[str, str]:
    """Return the field of each readout, or of each population whose spikes are counted."""
    pairs = [
        (member(entry, kind, "name", str), member(entry, kind, "field", str))
        for entry in member(description, where, kind, list)
    ]
    names = [name for name, _ in pairs]
    if sorted(names) != sorted(nodes):
        raise FileError(f"{kind} must be of {nodes}, not {shown(names)}")
    return dict(pairs)
