"""The fields of a payload, and their bits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amaranth import Shape
from amaranth.lib import data

from spiker_hdl.model import Result
from spiker_hdl.rtl import Accelerator

__all__ = ["Field", "fault_field", "fields_of", "pack", "result_fields", "values_of"]


@dataclass(frozen=True)
class Field:
    """A field of a payload, or an array of fields of one shape side by side.

    Members
    -------
    path : tuple of str
        Names of the layouts around the field, from the outermost on, and its own.
    offset, width : int
        Its lowest bit, and the number of bits of each element.
    signed : bool
        Whether values are in two's complement.
    count : int
        Number of elements, the first of which has the lowest bits; 0 if the field is no array.
    """

    path: tuple[str, ...]
    offset: int
    width: int
    signed: bool
    count: int = 0

    @property
    def name(self) -> str:
        """The path, joined by dots."""
        return ".".join(self.path)

    def to_json(self) -> dict[str, Any]:
        """Return the field as JSON values."""
        values = {
            "name": self.name,
            "offset": self.offset,
            "width": self.width,
            "signed": self.signed,
        }
        return values | {"count": self.count} if self.count else values


def fields_of(layout: Any, path: tuple[str, ...] = (), offset: int = 0) -> Iterator[Field]:
    """Give the fields of a layout, the lowest first; arrays of plain shapes are one field each."""
    if isinstance(layout, data.ArrayLayout):
        if isinstance(layout.elem_shape, data.Layout):
            for n, (_, field) in enumerate(layout):
                yield from fields_of(field.shape, (*path, str(n)), offset + field.offset)
        else:
            shape = Shape.cast(layout.elem_shape)
            yield Field(path, offset, shape.width, shape.signed, layout.length)
    elif isinstance(layout, data.Layout):
        for name, field in layout:
            yield from fields_of(field.shape, (*path, str(name)), offset + field.offset)
    else:
        shape = Shape.cast(layout)
        yield Field(path, offset, shape.width, shape.signed)


def result_fields(accelerator: Accelerator) -> dict[tuple[str, ...], Field]:
    """Return the fields of a result that are compared, in this order.

    Returns
    -------
    dict
        By ``("class" | "scores" | "steps", readout)``, ``("spikes", population)`` and
        ``("cycles",)``, with the names that the network gives.
    """
    fields = {field.path: field for field in fields_of(accelerator.o.p.shape())}
    readouts = accelerator.readout_names.items()
    return {
        **{("class", name): fields["answers", port, "winner"] for name, port in readouts},
        **{("scores", name): fields["answers", port, "scores"] for name, port in readouts},
        **{("steps", name): fields["answers", port, "steps"] for name, port in readouts},
        **{
            ("spikes", name): fields["counts", accelerator.names[name]]
            for name in accelerator.counters
        },
        ("cycles",): fields["cycles",],
    }


def fault_field(accelerator: Accelerator) -> Field:
    """Return the field that AXI adds to a result: whether a packet violated the protocol."""
    return Field(("fault",), accelerator.o.p.shape().size, 1, False)


def values_of(result: Result, n: int) -> dict[tuple[str, ...], list[int]]:
    """Return the values of sample ``n`` of a result, by the keys of :func:`result_fields`."""
    values = {}
    for name, answer in result.answers.items():
        values["class", name] = [int(answer.classes[n])]
        values["scores", name] = [int(score) for score in answer.scores[n]]
        values["steps", name] = [int(result.steps[n])]
    for name, counts in result.counts.items():
        values["spikes", name] = [int(counts[n])]
    values["cycles",] = [0 if result.cycles is None else int(result.cycles[n])]
    return values


def pack(
    fields: Mapping[tuple[str, ...], Field], values: Mapping[tuple[str, ...], list[int]]
) -> int:
    """Return the payload that holds ``values``.

    Raises
    ------
    ValueError
        If a value does not fit its field.
    """
    payload = 0
    for key, field in fields.items():
        low = -(1 << field.width - 1) if field.signed else 0
        high = low + (1 << field.width) - 1
        if len(values[key]) != max(1, field.count):
            raise ValueError(
                f"Expected {field.name} must have {max(1, field.count)} values, "
                f"not {len(values[key])}"
            )
        for n, value in enumerate(values[key]):
            if not low <= value <= high:
                raise ValueError(f"Expected {field.name} must be in {low}..{high}, not {value}")
            payload |= (value & (1 << field.width) - 1) << field.offset + n * field.width
    return payload
