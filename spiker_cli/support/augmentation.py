"""Augmentation of training samples as text, such as ``"rotate=10,shift=2"``."""

from collections.abc import Callable
from typing import Any

__all__ = ["augmentation"]

PICTURES = ("rotate", "shift", "scale", "mirror")
RECORDINGS = ("rotate", "shift", "scale", "mirror", "jitter", "drop", "noise")


def augmentation(text: str | None) -> Callable[[bool], Any] | None:
    """Return a function that makes the augmentation, for recordings or for pictures.

    Raises
    ------
    ValueError
        If the text has another form, or a name is unknown.
    """
    if text is None:
        return None
    values: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            values[name] = float(number)
        except ValueError:
            raise ValueError(f"--augment must be such as rotate=10,shift=2, not {text!r}") from None
    for name in values:
        if name not in {*PICTURES, *RECORDINGS}:
            listed = ", ".join(dict.fromkeys([*PICTURES, *RECORDINGS]))
            raise ValueError(f"--augment must be of {listed}, not {name!r}")

    def make(recorded: bool) -> Any:
        known = RECORDINGS if recorded else PICTURES
        for name in values:
            if name not in known:
                what = "recordings" if recorded else "pictures"
                raise ValueError(f"--augment of {what} must be of {', '.join(known)}, not {name!r}")
        return _of_recordings(values) if recorded else _of_pictures(values)

    return make


def _of_pictures(values: dict[str, float]) -> Any:
    from spiker_train.data.augmentation import Affine, Compose, Mirror

    moved = Affine(values.get("rotate", 0.0), values.get("scale", 0.0), values.get("shift", 0.0))
    return Compose([moved, Mirror(values["mirror"])]) if "mirror" in values else moved


def _of_recordings(values: dict[str, float]) -> Any:
    from spiker_train.data.augmentation import (
        AddNoise,
        Affine,
        Compose,
        Drop,
        Jitter,
        Mirror,
        Shift,
    )

    kinds: dict[str, Callable[[float], Any]] = {
        "rotate": lambda most: Affine(rotation=most),
        "scale": lambda most: Affine(scale=most),
        "shift": lambda most: Shift(_whole(most)),
        "mirror": Mirror,
        "jitter": Jitter,
        "drop": Drop,
        "noise": AddNoise,
    }
    return Compose([kinds[name](value) for name, value in values.items()])


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError(f"--augment shift must be a whole number of channels, not {number:g}")
    return int(number)
