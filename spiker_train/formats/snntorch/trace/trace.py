"""The tracer, which runs an snnTorch module and records the linear maps from spikes to neurons.

The module runs once on zeros. Every tensor that depends on the input or on neurons carries the
linear maps from them. Since all sources are zero, the values of a tensor are its constant part.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any

import torch
from torch import nn

from spiker_train.linear.compose import LinearMap, Reshape, Select

from .encoders import Encoder, running_encoder
from .flow import (
    BRANCHING,
    INPUT,
    TELLING,
    Source,
    Term,
    Trace,
    Traced,
    TraceError,
    alike,
    dequantized,
    is_quantized,
    name_of,
    plain_of,
    traced,
    where,
)
from .input_transform import BOUNDS, SPIKES, Levels, acted, scale_of
from .linear_operations import as_linear_map, as_movement, as_sum
from .neurons import neuron_forward
from .places import MisplacedError, part_of_input
from .tape import Tape
from .writing import argument, assigned, check_whole, encoded, written

__all__ = ["Tracer"]

IN_PLACE = {"iadd", "isub", "imul", "itruediv"}


class Tracer:
    """Runs a module, and records the currents of its neurons.

    Parameters
    ----------
    labels : dict of nn.Module to str
        Neurons, and their names in messages.
    convert : callable
        ``convert(name, args, kwargs, label)`` returns the operand, the linear map and whether it
        has a bias, for a function of PyTorch that is linear; else None.
    chain : bool
        Whether neurons return spikes alone, as in a sequence.
    lead : int
        Number of axes before those of a sample: 1, or 2 where neurons take all steps at once.
    levels : Levels
        Values that the input can have, in the units of the module.
    states : callable
        ``states(neurons)`` returns the names of the states that neurons take and return.
    """

    def __init__(
        self,
        labels: dict[nn.Module, str],
        convert: Callable,
        states: Callable[[nn.Module], Sequence[str]],
        *,
        chain: bool = False,
        lead: int = 1,
        levels: Levels = SPIKES,
    ):
        self.labels = labels
        self.convert = convert
        self.states = states
        self.chain = chain
        self.lead = lead
        self.tape = Tape()
        self.levels = levels
        self.encoder: Encoder | None = None
        self.trace = Trace(tape=self.tape)
        self.source: torch.Tensor = torch.zeros(0)
        self.axes: tuple[int, ...] | None = None
        self.stack: list[str] = []
        self.known: dict[Any, LinearMap] = {}
        self.digests: dict[Any, tuple] = {}

    def run(self, module: nn.Module, forward: Callable, example: torch.Tensor, more: tuple) -> Any:
        """Run ``forward`` on zeros of the shape of ``example``."""
        zeros = torch.zeros_like(example, dtype=_dtype(module))
        self.source = zeros
        network_input = zeros.as_subclass(Traced)
        self.mark(network_input, raw=torch.arange(zeros.numel()).reshape(zeros.shape))
        self.tape.leaf(network_input, Source(INPUT, "spikes", None), zeros.shape)
        self.trace.example = (example, *more)
        more = tuple(argument(self, n, argument_value) for n, argument_value in enumerate(more, 2))
        training = {submodule: submodule.training for submodule in module.modules()}
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(self._names(module))
            for neurons, label in self.labels.items():
                neurons.forward = neuron_forward(self, neurons, label)
                stack.callback(delattr, neurons, "forward")
            module.eval()
            try:
                returned = forward(network_input, *more)
            finally:
                for submodule, was in training.items():
                    submodule.training = was
        self.trace.returned = returned
        for tensor in traced(
            [returned] if not isinstance(returned, tuple | list | dict) else returned
        ):
            self.trace.outputs |= tensor.seen
        return self.trace

    @contextmanager
    def _names(self, module: nn.Module) -> Iterator[None]:
        names = {submodule: name for name, submodule in module.named_modules()}

        def enter(submodule, _):
            self.stack.append(names.get(submodule, ""))

        def leave(*_):
            self.stack.pop()

        first = nn.modules.module.register_module_forward_pre_hook(enter)
        last = nn.modules.module.register_module_forward_hook(leave)
        try:
            yield
        finally:
            first.remove()
            last.remove()
            self.stack.clear()

    def label(self) -> str:
        """Return the name of the module that is running, or the line."""
        return self.stack[-1] if self.stack and self.stack[-1] else where()

    def mark(
        self,
        tensor: Traced,
        terms=None,
        raw=None,
        biased=False,
        seen=frozenset(),
        broken="",
        pending=(),
        gain=None,
        offsets=frozenset(),
        encoder=None,
    ) -> Traced:  # fmt: skip
        tensor.tracer, tensor.terms, tensor.raw = self, terms, raw
        tensor.biased, tensor.seen, tensor.broken = biased, seen, broken
        tensor.pending, tensor.gain = pending, gain
        tensor.offsets, tensor.encoder = offsets, encoder
        tensor.input, tensor.version = self.source, plain_of(tensor)._version
        return tensor

    def wrap(self, plain: Any, like: Sequence[Traced], **known: Any) -> Any:
        if isinstance(plain, tuple | list):
            return alike(plain, [self.wrap(part, like, **known) for part in plain])
        if not isinstance(plain, torch.Tensor):
            return plain
        known.setdefault("seen", frozenset().union(*(operand.seen for operand in like)))
        known.setdefault("biased", any(operand.biased for operand in like))
        known.setdefault("offsets", frozenset().union(*(operand.offsets for operand in like)))
        return self.mark(plain.as_subclass(Traced), **known)

    # -- what users compute --

    def apply(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Compute a function of PyTorch, and record the sources of its result."""
        name = name_of(func)
        if is_quantized((args, kwargs)):
            self.trace.quantized = True
            args, kwargs = dequantized(args), dequantized(kwargs)
        self.tape.before(name, args)
        result = self._apply(func, name, args, kwargs)
        if name not in TELLING or name == "setitem":
            self.tape.note(func, name, args, kwargs, result, self.stack[-1] if self.stack else "")
        return result

    def _apply(self, func: Callable, name: str, args: tuple, kwargs: dict) -> Any:
        operands = list(traced((args, kwargs)))
        if (encoder := running_encoder(self.encoder, Tracer.run.__code__)) is not None:
            self.encoder = encoder
            return encoded(self, encoder, func, operands, args, kwargs)
        for operand in operands:
            check_whole(self, operand)
        if name in BRANCHING:
            raise TraceError(
                f"{where()}: control flow must not depend on spikes or potentials, whose "
                f"{name.strip('_')} is computed: return them, and decide outside of forward"
            )
        if kwargs.get("out") is not None:
            raise TraceError(f"{where()}: {name} must return what it computes, without out=")
        target: Any = args[0] if args else None
        in_place = name.endswith("_") or name in IN_PLACE
        if name.strip("_") in BOUNDS and in_place:
            func = getattr(torch, name.strip("_"))
        plain = func(*plain_of(args), **plain_of(kwargs))
        if in_place and isinstance(target, Traced):
            target.version = plain_of(
                target
            )._version  # the sources from before the function are still valid
        if name in TELLING or not isinstance(plain, torch.Tensor | tuple | list):
            if name == "setitem" or (name == "data" and plain is None):
                target.__class__ = Traced
                seen = frozenset().union(*(operand.seen for operand in operands))
                reason = f"{where()}: writing into a tensor"
                self.mark(target, broken=reason, seen=seen | getattr(target, "seen", frozenset()))
            return plain
        result = assigned(self, name, args, plain)
        if result is None:
            result = acted(self, func, name, args, kwargs, plain)
        if result is None:
            result = as_movement(self, func, name, operands, args, kwargs, plain)
        if result is None and (name.strip("_") in {"add", "radd", "iadd", "sub", "isub", "rsub"}):
            result = as_sum(self, name.strip("_"), args, kwargs, plain)
        if result is None:
            result = as_linear_map(self, name, args, kwargs, plain)
        if result is None:
            inside = f" in {self.stack[-1]!r}" if self.stack and self.stack[-1] else ""
            reason = f"{where()}: {name}{inside}"
            reason = next((operand.broken for operand in operands if operand.broken), reason)
            result = self.wrap(plain, operands, broken=reason)
        if in_place and isinstance(target, torch.Tensor) and isinstance(result, Traced):
            return written(self, target, result)
        return result

    def terms(self, tensor: Traced) -> tuple[Term, ...] | None:
        """Return the terms of a tensor; None where it is not linear in its sources."""
        check_whole(self, tensor)
        if tensor.raw is None:
            return tensor.terms
        try:
            part = part_of_input(self.source.shape, tensor.raw, self.lead)
        except MisplacedError as error:
            tensor.broken = f"{where()}: {error}"
            return None
        if self.trace.shapes.setdefault(INPUT, part.sample) != part.sample:
            tensor.broken = f"{where()}: the input once with steps and once without"
            return None
        if part.step is not None:
            self.trace.static, self.trace.step_axis = False, part.axis
        maps = [*self.placed(part.places, part.sample)]
        if tensor.gain is not None:
            factor = tensor.gain.values[(0,) * self.lead]
            if not bool((tensor.gain.values == factor).all()):
                tensor.broken = f"{where()}: a factor that differs by sample or step"
                return None
            maps.append(scale_of(self, factor, tensor.gain.name))
        maps = (*maps, *tensor.pending)
        return (Term(Source(INPUT, "spikes", part.step), maps),)

    def placed(self, places: torch.Tensor, shape: Sequence[int]) -> tuple[LinearMap, ...]:
        """Return the map that selects indices of a sample, or none if it is the identity."""
        whole = torch.arange(prod(shape))
        if places.numel() != len(whole) or not torch.equal(places.flatten(), whole):
            return (self._keep(Select(places.numpy())),)
        new = tuple(places.shape)
        return () if new == tuple(shape) else (self._keep(Reshape(new)),)

    def _keep(self, linear_map: Reshape | Select) -> LinearMap:
        # Maps are compared by identity, and so equal maps must be one object.
        content = (
            linear_map.shape
            if isinstance(linear_map, Reshape)
            else (linear_map.places.shape, linear_map.places.tobytes())
        )
        return self.known.setdefault((type(linear_map), content), linear_map)


def _dtype(module: nn.Module) -> torch.dtype:
    """Return the floating-point format of a module."""
    kinds = [parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()]
    return kinds[0] if kinds else torch.get_default_dtype()
