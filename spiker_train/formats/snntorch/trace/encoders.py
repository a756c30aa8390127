"""snnTorch's encoders in a module, and the encoders here that correspond to them."""

import sys
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from .flow import TraceError, where

__all__ = ["Encoder", "check_encoded", "running_encoder"]

STAND_INS = {
    "rate": "draws a spike in each step with the value as its probability: encoder 'bernoulli' "
    "draws so too, by a shift register and the same in every run, and 'rate' spaces as many "
    "spikes evenly, without chance",
    "rate_conv": "draws a spike with the value as its probability: encoder 'bernoulli' draws so "
    "too, by a shift register and the same in every run, and 'rate' spaces as many spikes evenly, "
    "without chance",
    "latency": "fires once, the sooner the greater the value: encoder 'first_spike' does so "
    "linearly in the value, and not for 0, where this is logarithmic but for linear=True, and "
    "fires last for 0 but for clip=True",
    "delta": "fires where a value has changed by a threshold since the step before: encoder "
    "'delta' compares with the value of the last event, and has channels of their own for steps "
    "up and down",
}
IMAGES = ("latency", "rate", "rate_conv")


@dataclass(frozen=True)
class Encoder:
    """A call of one of snnTorch's encoders.

    Members
    -------
    name : str
        Name of the encoder.
    line : str
        Line of the user's code that calls it.
    images : bool
        Whether samples have no steps before the encoder.
    low, high : int
        Range of its output.
    options : tuple of (str, any)
        Arguments that differ from the defaults.
    frame : FrameType
        Frame of the call.
    """

    name: str
    line: str
    images: bool
    low: int
    high: int
    options: tuple[tuple[str, Any], ...]
    frame: FrameType

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options)
        return (
            f"input: the spikes that {self.name} ({self.line}{options}) makes of samples; it "
            f"{STAND_INS[self.name]}"
        )


def running_encoder(last: Encoder | None, outside: CodeType) -> Encoder | None:
    """Return the outermost of snnTorch's encoders that is running, or None.

    Parameters
    ----------
    last : Encoder, optional
        Encoder that ran before, which is returned if the call is still the same.
    outside : CodeType
        Function that runs the module: its callers are not searched.
    """
    codes = _codes()
    frame = sys._getframe(1) if codes else None
    innermost = None
    while frame is not None and frame.f_code is not outside:
        if frame.f_code in codes:
            innermost = frame
        frame = frame.f_back
    if innermost is None or (last is not None and last.frame is innermost):
        return last if innermost is not None else None
    function = codes[innermost.f_code]
    values = innermost.f_locals
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    defaults = dict(zip(names, function.__defaults__ or (), strict=True))
    options = {
        name: values[name]
        for name, default in defaults.items()
        if isinstance(values.get(name), bool | int | float) and values[name] != default
    }
    name = function.__name__
    if name == "latency" and options.keys() & {"on_target", "off_target", "interpolate"}:
        raise TraceError(
            f"{where()}: latency must put out spikes alone, without on_target, off_target and "
            "interpolate"
        )
    images = name in IMAGES and not options.get("time_var_input", False)
    low = -1 if options.get("off_spike") else 0
    return Encoder(name, where(), images, low, 1, tuple(options.items()), innermost)


def _codes() -> dict[CodeType, Any]:
    module = sys.modules.get("snntorch.spikegen")
    if module is None:
        return {}
    functions = [getattr(module, name, None) for name in STAND_INS]
    return {function.__code__: function for function in functions if function is not None}


def check_encoded(encoder: Encoder, values: tuple[int, int], scale: float) -> None:
    """Raise :exc:`ValueError` unless the declared range of the input is that of the encoder."""
    expected = encoder.low, encoder.high
    if tuple(values) != expected or scale != 1:
        raise ValueError(
            f"Values must be {expected}, what {encoder.name} ({encoder.line}) puts out, with an "
            f"input_scale of 1, not {tuple(values)} with {scale:g}: encode samples with an encoder "
            "before the network"
        )
