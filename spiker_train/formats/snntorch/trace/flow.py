"""Tensors that carry the sources of their values, and the record of a trace."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spiker_train.linear.compose import LinearMap

if TYPE_CHECKING:
    from .encoders import Encoder
    from .input_transform import Gain
    from .tape import Ref, Tape
    from .trace import Tracer

__all__ = [
    "BRANCHING",
    "INPUT",
    "MOVING",
    "SAME",
    "TELLING",
    "Call",
    "RunError",
    "Source",
    "Term",
    "Trace",
    "TraceError",
    "Traced",
    "name_of",
    "plain_of",
    "replaced",
    "swapped",
    "traced",
    "where",
]

INPUT = "input"
LIBRARIES = ("torch", "snntorch", "spiker_train")
"""Packages whose frames are not the user's code."""


class TraceError(ValueError):
    """Raised for an operation of a module that cannot be traced."""


class RunError(TraceError):
    """Raised where a module does not run on an example."""


@dataclass(frozen=True)
class Source:
    """The source of values: the input, or an output of neurons, in one step.

    Members
    -------
    name : str
        Label of the neurons, or ``"input"``.
    what : str
        ``"spikes"``, or the name of a state.
    step : int or None
        None for an input that is the same in each step.
    """

    name: str
    what: str
    step: int | None


@dataclass(frozen=True)
class Term:
    """A source, and the linear maps from it, the first to act first."""

    source: Source
    maps: tuple[LinearMap, ...] = ()


@dataclass
class Call:
    """The current of neurons in one step.

    Members
    -------
    terms : tuple of Term
        Linear parts of the current.
    constant : tensor, shape of a sample
        Constant part of the current.
    biased : bool
        Whether a bias was added on the way.
    line : str
        Line of the user's code.
    """

    terms: tuple[Term, ...]
    constant: torch.Tensor
    biased: bool
    line: str


@dataclass
class Trace:
    """The record of a traced run.

    Members
    -------
    calls : dict of str to list of Call
        Calls by label of the neurons, in the order of their first calls.
    sizes : dict of str to tuple of int
        Shape of a sample of each source.
    outputs : set of str
        Labels of the neurons on which the returned values depend.
    static : bool
        Whether the whole input is read in each step.
    step_axis : int
        Axis of the steps in the input, where it has one.
    returned : any
        Values that the module returned.
    tape : Tape
        All operations of the run.
    example : tuple
        Arguments of the run.
    offsets : dict of str to set of str
        Lines that add values to the input, by label of the neurons.
    encoder : Encoder or None
        Encoder in the module that makes the spikes of the input.
    streams : bool
        Whether each call of ``forward`` was one step.
    unrested : str
        Message on a state that was not zero at the start, perhaps left by an earlier run.
    notes : list of str
        Further remarks for the report.
    quantized : bool
        Whether layers quantise their own weights.
    """

    calls: dict[str, list[Call]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    static: bool = True
    step_axis: int = 0
    returned: Any = None
    tape: "Tape | None" = None
    example: tuple = ()
    offsets: dict[str, set[str]] = field(default_factory=dict)
    encoder: "Encoder | None" = None
    streams: bool = False
    unrested: str = ""
    notes: list[str] = field(default_factory=list)
    quantized: bool = False


class Traced(torch.Tensor):
    """A tensor that carries the sources of its values, and the linear maps from them."""

    tracer: "Tracer"
    terms: tuple[Term, ...] | None  # None for parts of the input, and for what is not linear
    raw: torch.Tensor | None  # of parts of the input: the place of each value in it
    gain: "Gain | None"  # of parts of the input
    pending: tuple[LinearMap, ...]  # on the last axis of parts of the input, after the gain
    offsets: frozenset[str]  # where values were added to the input
    encoder: Any  # that makes it of the input
    input: torch.Tensor  # that parts are of
    version: int  # of its values, when this was known of them
    biased: bool
    seen: frozenset[str]  # neurons that reach it
    broken: str  # why it is not linear
    node: "Ref"  # its place on the tape

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        operand = next(traced((args, kwargs)))
        with torch._C.DisableTorchFunctionSubclass():
            return operand.tracer.apply(func, args, kwargs)


def traced(value: Any) -> Iterator[Traced]:
    if isinstance(value, Traced):
        yield value
    elif isinstance(value, tuple | list):
        for element in value:
            yield from traced(element)
    elif isinstance(value, dict):
        yield from traced(list(value.values()))


def alike(value: tuple | list, parts: list) -> Any:
    """Return a tuple, named tuple or list of the same type with other elements."""
    kind: Any = type(value)
    return getattr(kind, "_make", kind)(parts)


def is_quantized(value: Any) -> bool:
    """Tell whether there is a quantised tensor, as layers of Brevitas pass it on.

    Such a tensor is a named tuple of values, a scale, a zero point and others.
    """
    if isinstance(value, tuple) and {"value", "scale", "zero_point"} <= {*dir(type(value))}:
        return True
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, tuple | list) and any(map(is_quantized, value))


def dequantized(value: Any) -> Any:
    """Replace quantised tensors by their values."""
    if not is_quantized(value):
        return value
    if isinstance(value, dict):
        return {name: dequantized(element) for name, element in value.items()}
    if hasattr(value, "value"):
        return value.value
    return alike(value, [dequantized(element) for element in value])


def plain_of(value: Any) -> Any:
    if isinstance(value, Traced):
        return value.as_subclass(torch.Tensor)
    if isinstance(value, tuple | list):
        return alike(value, [plain_of(element) for element in value])
    if isinstance(value, dict):
        return {name: plain_of(element) for name, element in value.items()}
    return value


def replaced(value: Any, tensors: dict[int, torch.Tensor]) -> Any:
    """Replace tensors, which are given by their ids."""
    if isinstance(value, torch.Tensor):
        return tensors.get(id(value), value)
    if isinstance(value, tuple | list):
        return alike(value, [replaced(element, tensors) for element in value])
    if isinstance(value, dict):
        return {name: replaced(element, tensors) for name, element in value.items()}
    return value


def where() -> str:
    """Return the file and line of the user's code that is running."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<") and not _in_library(name, _folders()):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return "the module"


def _folders() -> tuple[str, ...]:
    modules = [sys.modules[name] for name in LIBRARIES if name in sys.modules]
    return tuple(module.__file__ or "" for module in modules)


# Asked for every operation of a trace and every frame around it, about a few dozen files.
@lru_cache(maxsize=4096)
def _in_library(name: str, files: tuple[str, ...]) -> bool:
    return any(Path(file).parent in Path(name).parents for file in files)


MOVING = {
    "T",
    "broadcast_to",
    "chunk",
    "expand",
    "expand_as",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "gather",
    "getitem",
    "index_select",
    "iter",
    "mT",
    "moveaxis",
    "movedim",
    "narrow",
    "permute",
    "ravel",
    "repeat",
    "repeat_interleave",
    "reshape",
    "reshape_as",
    "roll",
    "rot90",
    "select",
    "split",
    "squeeze",
    "swapaxes",
    "swapdims",
    "tensor_split",
    "tile",
    "transpose",
    "unbind",
    "unflatten",
    "unfold",
    "unsqueeze",
    "view",
    "view_as",
}
SAME = {
    "bfloat16",
    "clone",
    "contiguous",
    "cpu",
    "data",
    "detach",
    "double",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "float",
    "half",
    "requires_grad_",
    "to",
    "type",
    "type_as",
}
TELLING = {
    "apply",
    "data_ptr",
    "dim",
    "element_size",
    "get_device",
    "hash",
    "is_complex",
    "is_contiguous",
    "is_floating_point",
    "len",
    "ndimension",
    "nelement",
    "numel",
    "register_hook",
    "requires_grad",
    "retain_grad",
    "size",
    "stride",
    "_version",
    "device",
    "dtype",
    "grad",
    "grad_fn",
    "is_cuda",
    "is_leaf",
    "is_sparse",
    "is_quantized",
    "itemsize",
    "layout",
    "names",
    "ndim",
    "shape",
    "zeros_like",
    "ones_like",
    "rand_like",
    "full_like",
    "empty_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_empty",
    "new_tensor",
}
BRANCHING = {"bool", "item", "int", "float_", "index", "tolist", "numpy", "contains", "array",
             "equal", "allclose", "is_nonzero"}  # fmt: skip


def name_of(func: Callable) -> str:
    name = getattr(func, "__name__", str(func))
    if name in {"__get__", "__set__"}:
        name = getattr(getattr(func, "__self__", None), "__name__", name)
    if name in {"__float__", "__int__", "__index__", "__bool__"}:
        return "float_" if name == "__float__" else name.strip("_")
    return name.strip("_") if name.startswith("__") else name


def swapped(value: Any, index: torch.Tensor, only: Traced | None = None) -> Any:
    """Replace traced tensors by the indices of their values, and all others by -1."""
    if isinstance(value, Traced):
        if only is None or value is only:
            return index
        return torch.full(value.shape, -1)
    if isinstance(value, tuple | list):
        return alike(value, [swapped(element, index, only) for element in value])
    if isinstance(value, dict):
        return {name: swapped(element, index, only) for name, element in value.items()}
    if isinstance(value, torch.Tensor) and only is not None:
        return torch.full(value.shape, -1)
    return value
