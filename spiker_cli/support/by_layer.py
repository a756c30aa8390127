"""Values that are given for all layers at once, or by layer: ``4``, or ``hidden=4,output=6``."""

from typing import Any

__all__ = ["bits", "scales"]


def bits(what: str, text: str, words: tuple[str, ...] = ()) -> Any:
    """Read numbers of bits: ``"4"``, ``"ternary"``, or by layer ``"hidden=4,output=6"``.

    Parameters
    ----------
    what : str
        What the numbers are, for messages.
    text : str
    words : tuple of str
        What may stand in place of a number.
    """
    if "=" not in text:
        return _bits(what, text, text, words)
    return {name: _bits(what, value, text, words) for name, value in _pairs(what, text).items()}


def scales(text: str) -> dict[str, float]:
    """Read scales by layer, such as ``"hidden=0.05,output=0.1"``."""
    by_layer: dict[str, float] = {}
    for name, value in _pairs("Scales", text).items():
        try:
            scale = float(value)
        except ValueError:
            scale = 0.0
        if not name or not 0 < scale < float("inf"):
            raise ValueError(f"Scales must be above 0 and as hidden=0.05,output=0.1, not {text!r}")
        by_layer[name] = scale
    return by_layer


def _pairs(what: str, text: str) -> dict[str, str]:
    """Return what stands behind each name."""
    pairs: dict[str, str] = {}
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name in pairs:
            raise ValueError(f"{what} must be given once for each name, not twice for {name!r}")
        pairs[name] = value
    return pairs


def _bits(what: str, value: str, text: str, words: tuple[str, ...]) -> int | str:
    if value in words:
        return value
    if not (value.isascii() and value.isdecimal()) or len(value) > 4:
        raise ValueError(f"{what} must be such as 4 or hidden=4,output=6, not {text!r}")
    return int(value)
