"""How texts and values are shown in messages: short, printable, and in one line.

Loads nothing, so that the command can say what is wrong before anything else is loaded.
"""

import reprlib
from typing import Any

__all__ = ["shortened", "shown", "visible", "with_article"]

_MOST = 120
_MOST_BITS = 256  # of an integer that is written in digits


def visible(text: str, kept: str = "") -> str:
    """Return a text in which characters that do not print are shown as Python escapes them.

    Parameters
    ----------
    text : str
    kept : str
        Characters that stay as they are. Line breaks and tabs not among them become spaces.
    """
    if text.isprintable():
        return text
    spaces = {ord(space): " " for space in "\n\r\t" if space not in kept}
    return "".join(
        c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text.translate(spaces)
    )


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters: of a longer one, both ends."""
    if len(text) <= most:
        return text
    tail = (most - 3) // 3
    return f"{text[: most - 3 - tail]}...{text[-tail:]}"


def shown(value: Any, most: int = _MOST) -> str:
    """Return a value as a message shows it, in a time that does not grow with its size."""
    try:
        return shortened(visible(_Short(most).repr(value)), most)
    except (ValueError, RecursionError):  # whatever another library's value raises
        return f"a long {type(value).__name__}"


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article, such as ``"an Outcome"`` and ``"a UnitTest"``."""
    # Of the names in messages, those that begin with a u are spoken with a consonant.
    return f"{'an' if noun[:1] in {*'aeioAEIO'} else 'a'} {noun}"


class _Short(reprlib.Repr):
    """A representation that stays short, whatever the value: arrays by their kind and shape."""

    def __init__(self, most: int):
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 8
        self.maxstring = self.maxother = most
        self.maxlong = 50

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write integers of thousands of digits.
        return f"an int of {x.bit_length()} bits" if x.bit_length() > _MOST_BITS else repr(x)

    def repr_instance(self, x: Any, level: int) -> str:
        if isinstance(x, str):
            return self.repr_str(str.__str__(x), level)
        dtype, shape = getattr(x, "dtype", None), getattr(x, "shape", None)
        if dtype is None or not isinstance(shape, tuple) or shape == ():
            return " ".join(super().repr_instance(x, level).split())
        # NumPy's own are known by their name, since NumPy is not to be loaded here.
        numpy = any(f"{c.__module__}.{c.__name__}" == "numpy.ndarray" for c in type(x).__mro__)
        kind = "array" if numpy else type(x).__name__
        return f"{with_article(kind)} of {dtype} of shape {tuple(shape)}"
