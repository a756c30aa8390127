"""Follow a module of snnTorch through time: which spikes reach which neurons, through what.

The module runs once on zeros. Every tensor that depends on the input or on neurons carries the
linear maps that lead to it; since all sources are zero, its values are the constant that is added.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any

import torch
from torch import nn

from spiker_train.linear.compose import LinearMap, Reshape, Scale, Select

from .encoders import Encoder, running_encoder
from .flow import (
    BRANCHING,
    INPUT,
    MOVING,
    SAME,
    TELLING,
    Call,
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
    swapped,
    traced,
    where,
)
from .input_transform import BOUNDS, SPIKES, Gain, Levels, acted, scale_of
from .module_state import left_over
from .places import MisplacedError, moved_in_each_sample, part_of_input, same_rows
from .tape import Tape
from .writing import EXACT, argument, assigned, check_whole, encoded, written

__all__ = ["Tracer"]

LEADING = {"cat", "concat", "concatenate", "stack", "vstack"}
IN_PLACE = {"iadd", "isub", "imul", "itruediv"}


class Tracer:
    """Runs a module, and notes what reaches its neurons.

    Parameters
    ----------
    labels : dict of nn.Module to str
        The neurons, and what messages call them.
    convert : callable
        ``convert(name, args, kwargs, label)`` returns the operand, the linear map and whether it
        has a bias, for a function of PyTorch that is linear; else None.
    chain : bool
        Whether neurons answer with spikes alone, as in a sequence.
    lead : int
        Axes before those of a sample: 1, or 2 where neurons take all steps at once.
    levels : Levels
        What values of the input are to the module.
    states : callable
        ``states(neurons)`` returns the names of what they take and return beside spikes.
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
        given = zeros.as_subclass(Traced)
        self._set(given, raw=torch.arange(zeros.numel()).reshape(zeros.shape))
        self.tape.leaf(given, Source(INPUT, "spikes", None), zeros.shape)
        self.trace.example = (example, *more)
        more = tuple(argument(self, n, one) for n, one in enumerate(more, 2))
        training = {one: one.training for one in module.modules()}
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(self._names(module))
            for neurons, label in self.labels.items():
                neurons.forward = self._neurons(neurons, label)
                stack.callback(delattr, neurons, "forward")
            module.eval()
            try:
                found = forward(given, *more)
            finally:
                for one, was in training.items():
                    one.training = was
        self.trace.returned = found
        for one in traced([found] if not isinstance(found, tuple | list | dict) else found):
            self.trace.outputs |= one.seen
        return self.trace

    @contextmanager
    def _names(self, module: nn.Module) -> Iterator[None]:
        names = {one: name for name, one in module.named_modules()}

        def enter(one, _):
            self.stack.append(names.get(one, ""))

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

    def _set(
        self,
        one: Traced,
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
        one.tracer, one.terms, one.raw = self, terms, raw
        one.biased, one.seen, one.broken = biased, seen, broken
        one.pending, one.gain, one.offsets, one.encoder = pending, gain, offsets, encoder
        one.input, one.version = self.source, plain_of(one)._version
        return one

    def _make(self, plain: Any, like: Sequence[Traced], **given: Any) -> Any:
        if isinstance(plain, tuple | list):
            return alike(plain, [self._make(one, like, **given) for one in plain])
        if not isinstance(plain, torch.Tensor):
            return plain
        given.setdefault("seen", frozenset().union(*(one.seen for one in like)))
        given.setdefault("biased", any(one.biased for one in like))
        given.setdefault("offsets", frozenset().union(*(one.offsets for one in like)))
        return self._set(plain.as_subclass(Traced), **given)

    # -- what users compute --

    def apply(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Compute a function of PyTorch, and note what it does to where values come from."""
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
        if (encoder := running_encoder(self.encoder)) is not None:
            self.encoder = encoder
            return encoded(self, encoder, func, operands, args, kwargs)
        for one in operands:
            check_whole(self, one)
        if name in BRANCHING:
            raise TraceError(
                f"{where()}: what is done must not depend on spikes or potentials, of which "
                f"{name.strip('_')} was asked: return them, and decide outside of forward"
            )
        if kwargs.get("out") is not None:
            raise TraceError(f"{where()}: {name} must return what it computes, without out=")
        target: Any = args[0] if args else None
        in_place = name.endswith("_") or name in IN_PLACE
        if name.strip("_") in BOUNDS and in_place:
            func = getattr(torch, name.strip("_"))
        plain = func(*plain_of(args), **plain_of(kwargs))
        if in_place and isinstance(target, Traced):
            target.version = plain_of(target)._version  # what it was is still known
        if name in TELLING or not isinstance(plain, torch.Tensor | tuple | list):
            if name == "setitem" or (name == "data" and plain is None):
                target.__class__ = Traced
                seen = frozenset().union(*(one.seen for one in operands))
                reason = f"{where()}: writing into a tensor"
                self._set(target, broken=reason, seen=seen | getattr(target, "seen", frozenset()))
            return plain
        result = assigned(self, name, args, plain)
        if result is None:
            result = acted(self, func, name, args, kwargs, plain)
        if result is None:
            result = self._moved(func, name, operands, args, kwargs, plain)
        if result is None and (name.strip("_") in {"add", "radd", "iadd", "sub", "isub", "rsub"}):
            result = self._summed(name.strip("_"), args, kwargs, plain)
        if result is None:
            result = self._mapped(name, args, kwargs, plain)
        if result is None:
            inside = f" in {self.stack[-1]!r}" if self.stack and self.stack[-1] else ""
            reason = f"{where()}: {name}{inside}"
            reason = next((one.broken for one in operands if one.broken), reason)
            result = self._make(plain, operands, broken=reason)
        if in_place and isinstance(target, torch.Tensor) and isinstance(result, Traced):
            return written(self, target, result)
        return result

    def terms(self, one: Traced) -> tuple[Term, ...] | None:
        """Return the terms of a tensor; None where it is not linear in its sources."""
        check_whole(self, one)
        if one.raw is None:
            return one.terms
        try:
            part = part_of_input(self.source.shape, one.raw, self.lead)
        except MisplacedError as error:
            one.broken = f"{where()}: {error}"
            return None
        if self.trace.shapes.setdefault(INPUT, part.sample) != part.sample:
            one.broken = f"{where()}: the input once with steps and once without"
            return None
        if part.step is not None:
            self.trace.static, self.trace.step_axis = False, part.axis
        maps = [*self._placed(part.places, part.sample)]
        if one.gain is not None:
            factor = one.gain.values[(0,) * self.lead]
            if not bool((one.gain.values == factor).all()):
                one.broken = f"{where()}: a factor that differs by sample or step"
                return None
            maps.append(scale_of(self, factor, one.gain.name))
        maps = (*maps, *one.pending)
        return (Term(Source(INPUT, "spikes", part.step), maps),)

    def _placed(self, places: torch.Tensor, shape: Sequence[int]) -> tuple[LinearMap, ...]:
        """Return what picks these places of a sample, if it does anything."""
        whole = torch.arange(prod(shape))
        if places.numel() != len(whole) or not torch.equal(places.flatten(), whole):
            return (self._keep(Select(places.numpy())),)
        new = tuple(places.shape)
        return () if new == tuple(shape) else (self._keep(Reshape(new)),)

    def _keep(self, one: Reshape | Select) -> LinearMap:
        # Maps are compared by identity, so that each is made once.
        made = one.shape if isinstance(one, Reshape) else (one.places.shape, one.places.tobytes())
        return self.known.setdefault((type(one), made), one)

    def _moved(self, func, name, operands, args, kwargs, plain) -> Any:
        if name in LEADING:
            joined = self._joined(func, operands, args, kwargs, plain)
            if joined is not None:
                return joined
        joins = name in {"cat", "concat", "concatenate", "hstack"}
        if name not in MOVING and not joins and name not in SAME:
            return None
        if name in SAME:
            only = operands[0]
            exact = plain.dtype in EXACT
            if kwargs.get("training") and kwargs.get("p"):
                note = f"{where()}: {name} acts in evaluation too, and does nothing here"
                self.trace.notes += [note] * (note not in self.trace.notes)
            if not exact or only is not args[0]:
                return None
            return self._make(
                plain, operands, terms=only.terms, raw=only.raw, broken=only.broken,
                pending=only.pending, gain=only.gain,
            )  # fmt: skip
        if not joins and len(operands) != 1:
            return None
        if any(one.broken for one in operands):
            return None
        if not joins and operands[0].raw is not None:
            only = operands[0]
            moved = func(*swapped(args, only.raw), **swapped(kwargs, only.raw))
            each = [moved] if isinstance(moved, torch.Tensor) else moved
            if not only.pending or all(same_rows(only.raw, one) for one in each):
                gains = self._gains(func, only, args, kwargs)
                return self._pairwise(plain, moved, operands, gains)
        total: list[tuple[Term, ...] | None] = []
        for one in operands:
            terms = self.terms(one)
            if terms is None:
                return None
            index = torch.arange(one.numel()).reshape(one.shape)
            # A constant that is joined has no place; one that says which to take stays as it is.
            only = one if joins else None
            moved = func(*swapped(args, index, only), **swapped(kwargs, index, only))
            if isinstance(moved, torch.Tensor):
                total.append(self._picked(terms, one, moved))
                continue
            broken = f"{where()}: {name}"
            each = [self._picked(terms, one, at) for at in moved]
            return type(plain)(
                self._make(part, operands, terms=its, broken="" if its else broken)
                for part, its in zip(plain, each, strict=True)
            )
        if any(one is None for one in total):
            return None
        flat = tuple(term for terms in total if terms is not None for term in terms)
        return self._make(plain, operands, terms=flat)

    def _joined(self, func, operands, args, kwargs, plain) -> Any:
        """Return what becomes of parts of the input that are joined outside of a sample."""
        many, dim = args[0], (args[1:2] or [kwargs.get("dim", 0)])[0]
        known = [one for one in operands if one.raw is not None and not (one.pending or one.broken)]
        if dim != 0 or not many or len(known) != len(many) or not isinstance(many, tuple | list):
            return None
        gain = None
        if any(one.gain is not None for one in known):
            plain_gain = torch.ones((), dtype=torch.float64)
            each = [one.gain.values if one.gain else plain_gain for one in known]
            each = [one.broadcast_to(its.shape) for one, its in zip(each, known, strict=True)]
            name = next(one.gain.name for one in known if one.gain is not None)
            gain = Gain(func(each), name)
        return self._make(plain, known, raw=func([one.raw for one in known]), gain=gain)

    def _gains(self, func, only: Traced, args, kwargs) -> Any:
        if only.gain is None:
            return None
        values, name = only.gain.values, only.gain.name
        moved = func(*swapped(args, values), **swapped(kwargs, values))
        if isinstance(moved, torch.Tensor):
            return Gain(moved, name)
        return [Gain(one, name) for one in moved]

    def _pairwise(self, plain, moved, operands, gains) -> Any:
        pending = operands[0].pending
        if isinstance(plain, torch.Tensor):
            return self._make(plain, operands, raw=moved, pending=pending, gain=gains)
        gains = [None] * len(plain) if gains is None else gains
        return type(plain)(
            self._make(each, operands, raw=at, pending=pending, gain=gain)
            for each, at, gain in zip(plain, moved, gains, strict=True)
        )

    def _picked(self, terms, one: Traced, index: torch.Tensor) -> tuple[Term, ...] | None:
        """Add to terms what moves values about, where each sample stays what it is."""
        places = moved_in_each_sample(one.shape, index, self.lead)
        if places is None:
            return None
        step = self._placed(places, one.shape[self.lead :])
        return tuple(Term(term.source, (*term.maps, *step)) for term in terms)

    def _summed(self, name, args, kwargs, plain) -> Any:
        if len(args) != 2 or kwargs:
            return None
        total: tuple[Term, ...] = ()
        operands = [one for one in args if isinstance(one, Traced)]
        for one, minus in zip(args, (name == "rsub", name in {"sub", "isub"}), strict=True):
            if not isinstance(one, Traced):
                continue
            terms = self.terms(one)
            if terms is None or one.shape != plain.shape:
                return None
            if minus:
                scale = self.convert(self, "neg", (one,), {}, self.label())[1]
                terms = tuple(Term(term.source, (*term.maps, scale)) for term in terms)
            total += terms
        given = any(not isinstance(one, Traced) for one in args)
        biased = given or any(one.biased for one in operands)
        return self._make(plain, operands, terms=total, biased=biased)

    def _mapped(self, name, args, kwargs, plain) -> Any:
        found = self.convert(self, name, args, kwargs, self.label())
        if found is None:
            return None
        operand, one, biased = found
        if operand.raw is not None and name == "linear" and operand.ndim > self.lead + 1:
            # Perhaps of all steps: which, is seen where one is taken.
            pending = (*operand.pending, one)
            biased = biased or operand.biased
            return self._make(
                plain, [operand], raw=operand.raw, pending=pending, biased=biased, gain=operand.gain
            )
        terms = self.terms(operand)
        if terms is None:
            return None
        if isinstance(one, Scale) and not one.factor.any():
            terms = ()  # no source is left
        elif one is not None:
            terms = tuple(Term(term.source, (*term.maps, one)) for term in terms)
        return self._make(plain, [operand], terms=terms, biased=biased or operand.biased)

    # -- neurons --

    def _neurons(self, neurons: nn.Module, label: str) -> Callable:
        names = tuple(self.states(neurons))
        kind = type(neurons).__name__

        def forward(current, *given, **named):
            self._read_current(neurons, label, current)
            step = len(self.trace.calls[label]) - 1
            held = [*given, *(named[name] for name in names[len(given) :] if name in named)]
            for name, value in zip(names, held, strict=False):
                self._check_state(f"{kind} {label!r}: {name}", label, name, step, value)
            answers, shape = [], self.answer(neurons, current)
            for name in ("spikes", *names):
                what = "spikes" if name == "spk" else name
                value = current.new_zeros(shape).as_subclass(Traced)
                source = Source(label, what, step)
                self.tape.leaf(value, source, shape)
                answers.append(self._set(value, (Term(source),), seen=frozenset({label})))
            if names[:1] == ("spk",):  # recurrent neurons return it once
                del answers[1]
            alone = self.chain or not names
            if alone or (getattr(neurons, "init_hidden", False) and not neurons.output):
                return answers[0]
            return tuple(answers)

        return forward

    def answer(self, neurons: nn.Module, current: torch.Tensor) -> tuple[int, ...]:
        """Return the shape of the spikes."""
        size = getattr(neurons, "hidden_size", None)
        return tuple(current.shape) if size is None else (*current.shape[:-1], size)

    def _read_current(self, neurons: nn.Module, label: str, current: Any) -> None:
        what = f"{type(neurons).__name__} {label!r}"
        if not isinstance(current, Traced):
            raise TraceError(
                f"{what}: current must come from the input or from neurons, not from "
                f"a {'constant' if isinstance(current, torch.Tensor) else type(current).__name__} "
                f"({where()})"
            )
        terms = self.terms(current)
        if terms is None:
            reason = current.broken or f"{where()}: something else"
            raise TraceError(
                f"{what}: current must be a sum of linear maps of spikes, which {reason} is not"
            )
        for term in terms:
            if term.source.what != "spikes":
                raise TraceError(
                    f"{what}: current must come from spikes, not from {term.source.what!r} of "
                    f"{term.source.name!r} ({where()})"
                )
        if current.ndim <= self.lead:
            raise TraceError(
                f"{what}: current must have an axis of samples before those of neurons, not the "
                f"shape {tuple(current.shape)}; give an example that has"
            )
        shape = tuple(current.shape[self.lead :])
        calls = self.trace.calls.setdefault(label, [])
        known = self.trace.shapes.setdefault(label, self.answer(neurons, current)[self.lead :])
        if calls and known != self.answer(neurons, current)[self.lead :]:
            raise TraceError(f"{what}: shape must stay {known}, not become {shape} ({where()})")
        if current.offsets:
            self.trace.offsets.setdefault(label, set()).update(current.offsets)
        plain = plain_of(current).reshape(-1, *shape)
        calls.append(Call(terms, plain[0].clone(), current.biased, where()))

    def _check_state(self, what: str, label: str, name: str, step: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, Traced):
            own = Source(label, "spikes" if name == "spk" else name, step - 1)
            if step and value.terms is not None and value.terms == (Term(own),):
                return
            given = value.terms is None and value.raw is None and not value.seen
            if given and step == 0 and not bool(plain_of(value).any()):
                return
        elif isinstance(value, torch.Tensor) and step == 0 and not bool(value.any()):
            return
        rule = "what the step before returned" if step else "zero at the start"
        message = f"{what} must be {rule}, not something else ({where()})"
        if step == 0 and left_over(value):
            self.trace.unrested = self.trace.unrested or message
            return
        raise TraceError(message)


def _dtype(module: nn.Module) -> torch.dtype:
    """Return what a module computes in."""
    kinds = [one.dtype for one in module.parameters() if one.is_floating_point()]
    return kinds[0] if kinds else torch.get_default_dtype()
