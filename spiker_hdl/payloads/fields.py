"""Where the fields of a payload lie among its bits."""

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
    """Neighbouring bits of a payload, or several of one shape in a row.

    Members
    -------
    path : tuple of str
        Names from the outside in.
    offset, width : int
        Where its first bit lies, and bits of each.
    signed : bool
        Whether it is in two's complement.
    count : int
        How many lie in a row, the first lowest; 0 where it is no array.
    """

    path: tuple[str, ...]
    offset: int
    width: int
    signed: bool
    count: int = 0

    @property
    def name(self) -> str:
        """Names joined by dots."""
        return ".".join(self.path)

    def to_json(self) -> dict[str, Any]:
        """Return the field in what JSON can hold."""
        found = {
            "name": self.name,
            "offset": self.offset,
            "width": self.width,
            "signed": self.signed,
        }
        return found | {"count": self.count} if self.count else found


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
    """Return the fields of a result that are compared, in the order in which they are.

    Returns
    -------
    dict
        By ``("class" | "scores" | "steps", readout)``, ``("spikes", population)`` and
        ``("cycles",)``, with the names that the network gives.
    """
    found = {field.path: field for field in fields_of(accelerator.o.p.shape())}
    readouts = accelerator.readout_names.items()
    return {
        **{("class", n): found["answers", i, "winner"] for n, i in readouts},
        **{("scores", n): found["answers", i, "scores"] for n, i in readouts},
        **{("steps", n): found["answers", i, "steps"] for n, i in readouts},
        **{("spikes", n): found["counts", accelerator.names[n]] for n in accelerator.counters},
        ("cycles",): found["cycles",],
    }


def fault_field(accelerator: Accelerator) -> Field:
    """Return the field behind a result, with AXI, that says whether its packets were samples."""
    return Field(("fault",), accelerator.o.p.shape().size, 1, False)


def values_of(result: Result, n: int) -> dict[tuple[str, ...], list[int]]:
    """Return what sample ``n`` of a result holds, as :func:`result_fields` names it."""
    found = {}
    for name, one in result.answers.items():
        found["class", name] = [int(one.classes[n])]
        found["scores", name] = [int(score) for score in one.scores[n]]
        found["steps", name] = [int(result.steps[n])]
    for name, counts in result.counts.items():
        found["spikes", name] = [int(counts[n])]
    found["cycles",] = [0 if result.cycles is None else int(result.cycles[n])]
    return found


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
