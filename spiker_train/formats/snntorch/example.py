"""The run of an snnTorch module that is traced, on an example that is given or made up."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from spiker_train.formats.snntorch.trace.flow import RunError, Trace, Traced, TraceError
from spiker_train.formats.snntorch.trace.functions import convert
from spiker_train.formats.snntorch.trace.input_transform import Levels
from spiker_train.formats.snntorch.trace.module_state import holds, kept, left_over, samples_of
from spiker_train.formats.snntorch.trace.trace import Tracer

from .cells import NAMES, STATES, is_neuron, states

__all__ = ["follow", "follow_longer", "lead_of", "neurons_of"]

GUESSED = (6, 4)  # steps and samples of an example that is made up
LONGEST = 1024
SILENT = (nn.Flatten, nn.Dropout, nn.Identity)


def neurons_of(module: nn.Module) -> dict[nn.Module, str]:
    labels = {}
    for label, part in module.named_modules():
        if not is_neuron(part):
            continue
        if type(part).__name__ not in STATES:
            raise TypeError(
                f"Module {label!r} must be one of {NAMES}, not of type {type(part).__name__}"
            )
        labels[part] = label or type(part).__name__
    if not labels:
        raise ValueError(
            f"Model must have neurons of snnTorch ({NAMES}), not {type(module).__name__} alone"
        )
    return labels


def follow(
    module: nn.Module,
    neurons: dict[nn.Module, str],
    example: Any,
    levels: Levels,
    streams: bool = False,
) -> Trace:
    """Run the module on zeros, and return the trace.

    Parameters
    ----------
    module : nn.Module
    neurons : dict of nn.Module to str
    example : tensor or tuple, optional
    levels : Levels
        Range of the input's values, in the units of the module.
    streams : bool
        Whether ``forward`` is called once for each step of the example.
    """
    lead = lead_of(neurons)
    chain = _chain(module, neurons)
    forward: Callable = module if chain is None else _in_turn(chain)

    def run(example_input: torch.Tensor, more: tuple, streams: bool) -> Trace:
        tracer = Tracer(neurons, convert, states, chain=chain is not None, lead=lead, levels=levels)
        return tracer.run(module, _in_steps(forward) if streams else forward, example_input, more)

    if example is not None:
        many = example if isinstance(example, tuple) else (example,)
        if not many or not isinstance(many[0], torch.Tensor) or not many[0].numel():
            raise TypeError(
                f"Example must be a tensor, or a tuple that begins with one, not {example!r}"
            )
        return _attempt(run, module, many[0], many[1:], streams)
    size = _first_size(module)
    more = () if chain is not None else _blank(module)
    steps, samples = GUESSED
    shapes = [(steps, samples, size), (LONGEST, samples, size), (samples, size)]
    if chain is not None and lead == 1:
        shapes = [(samples, size)]
    else:
        sizes = [count for count in samples_of(module) if count != samples]
        shapes += [shape for count in sizes for shape in [(steps, count, size), (count, size)]]
    refused: list[TraceError] = []
    static = False
    for shape in shapes:
        if static and len(shape) == 3:
            continue
        try:
            trace = _attempt(run, module, torch.zeros(shape), more)
        except TraceError as error:
            refused.append(error)
            continue
        images = trace.encoder is not None and trace.encoder.images
        static = trace.static or trace.streams or images
        if static and len(shape) == 3 and lead == 1:
            continue  # axes before the last are samples: one is enough
        return trace
    # An error of tracing says more than the failure of a run on a made-up shape.
    raise min(refused, key=lambda error: isinstance(error, RunError))


def lead_of(neurons: dict[nn.Module, str]) -> int:
    """Return the number of axes before those of a sample: 2 if neurons take all steps at once."""
    return 2 if any(type(part).__name__ == "LeakyParallel" for part in neurons) else 1


def follow_longer(
    module: nn.Module, neurons: dict[nn.Module, str], trace: Trace, levels: Levels, steps: int
) -> Trace | None:
    """Return the trace of a sample of more steps, or None if the module fixes their number."""
    if (trace.static and lead_of(neurons) == 1) or trace.encoder is not None:
        return None
    first, *more = trace.example
    last = first.narrow(trace.step_axis, first.shape[trace.step_axis] - 1, 1)
    try:
        example = torch.cat([first, *[last] * steps], trace.step_axis), *more
        return follow(module, neurons, example, levels, trace.streams)
    except TraceError:
        return None


def _attempt(
    run: Callable, module: nn.Module, zeros: torch.Tensor, more: tuple, streams: bool = False
) -> Trace:
    """Run the module, once per step if one call is one step, and restore its state."""
    with kept(module) as state:
        trace = _tried(run, module, zeros, more, streams)
        places = state.replaced(Traced)
        first = not streams and trace.static and holds(module, Traced)
    left = places if any(left_over(place.value) for place in places) else []
    first = first and all(len(calls) == 1 for calls in trace.calls.values())
    streams = streams or first
    if not (left or first):
        return _rested(trace)
    with kept(module):
        for place in left:
            place.clear()
        if first:
            zeros = torch.zeros(GUESSED[0], *zeros.shape, dtype=zeros.dtype)
        trace = _rested(_tried(run, module, zeros, more, streams))
    names = ", ".join(sorted({repr(place.key) for place in left}))
    if names:
        trace.notes.append(f"state that an earlier run left in {names} is taken as zero")
    if streams:
        trace.streams = True
        trace.notes.append("each call of forward is a step: its state is kept between them")
    return trace


def _rested(trace: Trace) -> Trace:
    if trace.unrested:
        raise TraceError(trace.unrested)
    return trace


def _tried(
    run: Callable, module: nn.Module, zeros: torch.Tensor, more: tuple, streams: bool = False
) -> Trace:
    try:
        return run(zeros, more, streams)
    except TraceError:
        raise
    except Exception as error:
        raise RunError(
            f"{type(module).__name__} must run on zeros of the shape {tuple(zeros.shape)}, not "
            f"fail with {type(error).__name__}: {error}; give an example of what its forward takes"
        ) from error


def _in_steps(forward: Callable) -> Callable:
    """Return a function that calls a module in each step, and stacks the returned values."""

    def stepped(steps_of_input: torch.Tensor, *more: Any) -> Any:
        return _stacked([
            forward(step_of_input, *more) for step_of_input in steps_of_input.unbind(0)
        ])

    return stepped


def _stacked(steps: list[Any]) -> Any:
    first = steps[0]
    if isinstance(first, torch.Tensor):
        return torch.stack(steps)
    if isinstance(first, tuple | list):
        return tuple(_stacked(list(outputs)) for outputs in zip(*steps, strict=True))
    return steps


def _chain(module: nn.Module, neurons: dict) -> list[tuple[str, nn.Module]] | None:
    """Return the parts of a sequence, or None for a module with a forward of its own."""
    plain = type(module).forward in {nn.Module.forward, nn.Sequential.forward}
    if not plain:
        return [("", module)] if module in neurons else None
    parts = []
    # named_children would leave out a module that occurs a second time.
    for label, part in module._modules.items():
        if part is None:
            continue
        inner = _chain(part, neurons) if list(part.children()) and part not in neurons else []
        if inner is None:
            return None
        parts += [(f"{label}.{name}", inner_part) for name, inner_part in inner] or [(label, part)]
    return parts


def _in_turn(parts: list[tuple[str, nn.Module]]) -> Callable:
    def forward(value):
        seen: dict[nn.Module, str] = {}
        for label, part in parts:
            if part in seen and is_neuron(part):
                raise TraceError(
                    f"Module {label!r} must have a state of its own, not that of {seen[part]!r}"
                )
            seen.setdefault(part, label)
            value = part(value)
        acting = [part for _, part in parts if type(part) not in SILENT]
        if not is_neuron(acting[-1]):
            kind = type(acting[-1]).__name__
            raise TraceError(f"The last {kind} must be followed by one of {NAMES}")
        return value

    return forward


def _first_size(module: nn.Module) -> int:
    inside: set[nn.Module] = set()
    for label, part in module.named_modules():
        if is_neuron(part):
            inside |= set(part.modules()) - {part}
        if part in inside:
            continue
        if isinstance(part, nn.Linear):
            return part.in_features
        if isinstance(part, nn.BatchNorm1d):
            return part.num_features
        if type(part).__name__ == "LeakyParallel":
            return int(part.get_submodule("rnn").input_size)  # type: ignore[arg-type]
        if (
            not list(part.children())
            and list(part.parameters(recurse=False))
            and not is_neuron(part)
        ):
            raise ValueError(
                f"Example must be given, a tensor as forward takes it: {type(part).__name__} "
                f"{label!r} does not tell the shape of its input"
            )
    raise ValueError(
        "Example must be given, a tensor as forward takes it, where there is no Linear"
    )


def _blank(module: nn.Module) -> tuple:
    """Return empty tensors for the arguments of ``forward`` after the input."""
    needed = [
        parameter for parameter in signature(module.forward).parameters.values()
        if parameter.default is Parameter.empty
        and parameter.kind in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
    ]  # fmt: skip
    return tuple(torch.zeros(0) for _ in needed[1:])
