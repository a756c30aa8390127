"""Bits side by side: parts of wires and constants, the least significant first."""

from collections.abc import Iterable

from spiker_hdl.hdl.rtlil.tree import Bits, Chunk, Part, Spec

__all__ = ["constant", "cut", "integer", "join", "number", "single", "text_of", "width_of"]


def width_of(spec: Spec) -> int:
    return sum(chunk.width for chunk in spec)


def join(chunks: Iterable[Chunk]) -> Spec:
    """Put chunks together, and neighbours of the same wire or constants into one."""
    joined: list[Chunk] = []
    for chunk in chunks:
        last = joined[-1] if joined else None
        if not chunk.width:
            continue
        if isinstance(chunk, Bits) and isinstance(last, Bits):
            joined[-1] = Bits(chunk.text + last.text)
        elif (
            isinstance(chunk, Part)
            and isinstance(last, Part)
            and chunk.wire == last.wire
            and chunk.low == last.low + last.width
        ):
            joined[-1] = Part(last.wire, last.low, last.width + chunk.width)
        else:
            joined.append(chunk)
    return tuple(joined)


def cut(spec: Spec, low: int, high: int) -> Spec:
    """Take bits ``low`` to ``high - 1``, as far as there are any."""
    if low == 0 and high >= width_of(spec):
        return spec
    pieces: list[Chunk] = []
    start = 0
    for chunk in spec:
        first, last = max(low - start, 0), min(high - start, chunk.width)
        if first < last:
            if isinstance(chunk, Bits):
                pieces.append(Bits(chunk.text[chunk.width - last : chunk.width - first]))
            else:
                pieces.append(Part(chunk.wire, chunk.low + first, last - first))
        start += chunk.width
    return tuple(pieces)


def constant(spec: Spec) -> bool:
    return all(isinstance(chunk, Bits) for chunk in spec)


def integer(bits: str, signed: bool) -> int:
    """Read bits, the most significant first, as a number; ``x`` counts as 0."""
    value = int(bits.replace("x", "0") or "0", 2)
    return value - (1 << len(bits)) if signed and bits.startswith("1") else value


def text_of(spec: Spec) -> str:
    """Give the bits of a constant, the most significant first."""
    return "".join(chunk.text for chunk in reversed(spec) if isinstance(chunk, Bits))


def single(spec: Spec) -> Part:
    """Give the one part that a value is."""
    (part,) = spec
    assert isinstance(part, Part)
    return part


def number(spec: Spec, signed: bool) -> int:
    """Read a constant as a number."""
    return integer(text_of(spec), signed)
