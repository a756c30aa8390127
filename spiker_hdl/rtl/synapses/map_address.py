"""Addresses of maps: their channel and position, and constants that belong to these."""

from math import prod
from typing import Any

from amaranth import *
from amaranth.lib import stream

from spiker_hdl.model import Convolution
from spiker_hdl.rtl.common.division import divided

__all__ = ["divided_address", "handshake", "table"]


def divided_address(
    m, i: stream.Interface, synapses: Convolution, by_position: bool, free
) -> tuple[dict[str, Any], Any, Any]:
    """Divide addresses into channel and position, each part behind a register.

    Returns
    -------
    place : dict of str to Value
        The event whose walk comes next: whether there is one (``valid``), its ``value``, its
        ``channel``, and its position on each axis: ``position_0`` and ``position_1``.
    ready : Value
        Whether an event is taken in this cycle.
    waiting : Value
        Whether there is an event in the registers.
    """
    channels, *axes = synapses.shape
    sizes = {f"position_{n}": size for n, size in enumerate(axes)} | {"channel": channels}
    minor = [*reversed([*sizes][:-1])]
    minor = ["channel", *minor] if by_position else [*minor, "channel"]
    place: dict[str, Any] = {
        "valid": i.valid & ~i.p.end,
        "value": i.p.value,
        "rest": i.p.address,
    }
    limit, registers = prod(sizes.values()), []
    for name in minor[:-1]:
        place["rest"], place[name] = divided(place["rest"], sizes[name], limit)
        limit //= sizes[name]
        register = {
            key: Signal(Value.cast(value).shape(), name=f"{key}_{len(registers)}")
            for key, value in place.items()
        }
        registers.append((register, place))
        place = dict(register)
    # Each register moves on as soon as the one behind it is empty, or moves on too.
    ready = free
    for register, before in reversed(registers):
        ready = ~register["valid"] | ready
        with m.If(ready):
            m.d.sync += [register[key].eq(value) for key, value in before.items()]
    place[minor[-1]] = place.pop("rest")
    return place, ready, Cat(register["valid"] for register, _ in registers).any()


def handshake(lookup: Any, walk: Any, ready, waiting) -> list:
    """Return the assignments of a look-up's ports that its event and its tokens share.

    Parameters
    ----------
    lookup : ConvolutionLookup or ParallelLookup
    walk : View
        Its event: whether there is one (``valid``), and its ``value``.
    ready, waiting : Value
        As :func:`divided_address` returns them.
    """
    i, o = lookup.i, lookup.o
    empty = ~walk.valid & ~waiting
    return [
        lookup.idle.eq(empty),
        # A token has no place in the registers: it passes by them when they are empty.
        o.valid.eq(walk.valid | (i.valid & i.p.end & empty)),
        o.p.value.eq(walk.value),
        o.p.end.eq(~walk.valid),
        o.p.last.eq(i.p.last & ~walk.valid),
        i.ready.eq(Mux(i.p.end, o.ready & empty, ready)),
    ]


def table(m, index, values: list[int], name: str):
    """Return the constant that belongs to an index."""
    if len({*values}) == 1:
        return C(values[0], range(values[0] + 1))
    entry = Signal(range(max(values) + 1), name=f"{name}_entry")
    with m.Switch(index):
        for n, value in enumerate(values):
            with m.Case(n):
                m.d.comb += entry.eq(value)
    return entry
