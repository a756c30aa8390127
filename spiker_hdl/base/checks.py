"""Checks of what users give: each returns the plain form, or says what must be and what was given.

What Python takes as an index is an integer here, NumPy's and others' included, and never a bool or
a float; it is made an :class:`int`. What is an array elsewhere (of NumPy, of PyTorch, in lists; in
any byte order and memory order) becomes a NumPy array of native integers in C order.
"""

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .messages import shortened, shown

__all__ = [
    "check_choice",
    "check_int",
    "check_ints",
    "check_kind",
    "check_name",
    "check_shape",
    "frozen_integers",
    "integer_array",
    "is_array",
    "number_array",
    "plain",
    "set_fields",
    "shown",
]

_DEEPEST = 8


# -- integers ------------------------------------------------------------------------------------


def _index(value: Any) -> int | None:
    """Return an integer of any make as a plain one, and None for all else."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        return None
    if getattr(value, "shape", ()) != () or np.ma.is_masked(value):
        return None
    try:
        return int(operator.index(value))
    except Exception:  # whatever another library raises, it is no integer
        return None


def check_int(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Return ``value`` as a plain integer of ``least..most``.

    Raises
    ------
    TypeError
        If ``value`` is no integer; a :class:`bool` is none.
    ValueError
        If ``value`` is out of range.
    """
    number = _index(value)
    if number is None:
        raise TypeError(f"{name} must be an int, not {shown(value)}")
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, not {shown(number)}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be at most {most}, not {shown(number)}")
    return number


def check_ints(
    name: str, value: Any, least: int | None = None, most: int | None = None
) -> int | tuple[int, ...]:
    """Return ``value`` as a plain integer of ``least..most``, or as a tuple of such.

    Parameters
    ----------
    name : str
    value : int, or sequence or array of int
    least, most : int, optional

    Raises
    ------
    TypeError
        If ``value`` is neither an integer nor several of them.
    ValueError
        If one is out of range, or there is none.
    """
    if not _is_several(value):
        if _index(value) is None:
            raise TypeError(f"{name} must be an int or a tuple of ints, not {shown(value)}")
        return check_int(name, value, least, most)
    values = _listed(name, value, "an int or a tuple of ints")
    if not values:
        raise ValueError(f"{name} must have a value for each neuron, not ()")
    if all(type(each) is int for each in values) and (
        (least is None or min(values) >= least) and (most is None or max(values) <= most)
    ):
        return tuple(values)
    return tuple(
        check_int(f"{name} of neuron {n}", each, least, most) for n, each in enumerate(values)
    )


def check_shape(name: str, value: Any, most: int) -> int | tuple[int, ...]:
    """Return ``value`` as a size, or as a tuple of the sizes of its axes.

    Parameters
    ----------
    name : str
    value : int, or sequence or array of int
    most : int
        Limit of the size, which is the product of the axes.

    Raises
    ------
    TypeError
        If ``value`` is neither an integer nor several of them.
    ValueError
        If it has no axis, or a size is not in ``1..most``.
    """
    if not _is_several(value):
        return check_int(f"{name} size", value, 1, most)
    shape = tuple(
        check_int(f"{name} shape", axis, 1, most)
        for axis in _listed(f"{name} shape", value, "an int or a tuple of ints")
    )
    if not shape:
        raise ValueError(f"{name} shape must have at least one axis, not ()")
    check_int(f"{name} size", int(np.prod(shape, dtype=object)), 1, most)
    return shape


def _listed(name: str, value: Any, wanted: str) -> list[Any]:
    """List what a sequence or an array of one axis holds, integers of arrays as plain ones."""
    if _is_sequence(value):
        return list(value)
    values = _as_array(name, value)
    if values.ndim != 1 or values.dtype.kind not in "iuO":
        raise TypeError(f"{name} must be {wanted}, not {shown(value)}")
    return values.tolist()


def plain(value: Any, depth: int = 0) -> Any:
    """Return integers, strings and sequences of them as Python's own, and all else as it is."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    number = _index(value)
    if number is not None:
        return number
    if isinstance(value, list | tuple | range):
        return tuple(plain(each, depth + 1) for each in value)
    if is_array(value):
        try:
            return plain(integer_array("Value", value).tolist(), depth)
        except (TypeError, ValueError):
            return value
    return value


# -- arrays --------------------------------------------------------------------------------------


def is_array(value: Any) -> bool:
    """Tell whether ``value`` says that it is an array, of whatever library."""
    if isinstance(value, type):
        return False
    return any(hasattr(value, name) for name in ("__array__", "__array_interface__", "__dlpack__"))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(
        value, str | bytes | bytearray | memoryview
    )


def _is_several(value: Any) -> bool:
    return _is_sequence(value) or (is_array(value) and getattr(value, "shape", None) != ())


def integer_array(name: str, value: Any, *, booleans: bool = False) -> np.ndarray:
    """Return ``value`` as a NumPy array of native integers in C order, copied only if it must be.

    Parameters
    ----------
    name : str
    value : array, or nested sequences, of int
    booleans : bool
        Whether booleans count as integers.

    Raises
    ------
    TypeError
        If ``value`` is no array, or not of integers.
    ValueError
        If rows differ in length, a value is masked, or one does not fit in 64 bits with sign.
    """
    array = _as_array(name, value)
    if array.dtype.kind == "O":
        array = _from_scalars(name, array.ravel().tolist()).reshape(array.shape)
    if booleans and array.dtype.kind == "b":
        return np.asarray(array, dtype=np.int8, order="C")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.dtype.itemsize == 8 and array.dtype.kind == "u":
        if array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{name} must fit in 64 bits with sign, not {int(array.max())}")
        return np.asarray(array, dtype=np.int64, order="C")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def frozen_integers(name: str, value: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return ``value`` as a read-only int64 array in C order that nobody else holds.

    Parameters
    ----------
    name : str
    value : array, or nested sequences, of int
    shape : tuple of int, optional
        What its shape must be.

    Raises
    ------
    TypeError
        If ``value`` is no array of integers.
    ValueError
        If its shape is another, or as :func:`integer_array`.
    """
    array = integer_array(name, value)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    frozen = np.array(array, dtype=np.int64, order="C")
    frozen.flags.writeable = False
    return frozen


def number_array(name: str, value: Any, dtype: Any = None) -> np.ndarray:
    """Return numbers as a NumPy array, native and in C order, copied only if it must be.

    Parameters
    ----------
    name : str
    value : array, nested sequences, or one, of real numbers
    dtype : data type, optional
        What they are to be; by default what they are.

    Raises
    ------
    TypeError
        If ``value`` is not of numbers.
    ValueError
        If rows differ in length, or a value is masked.
    """
    array = _numbers(name, value, 0)
    return np.asarray(array, dtype=dtype or array.dtype.newbyteorder("="), order="C")


def _numbers(name: str, value: Any, depth: int) -> np.ndarray:
    if _is_sequence(value):
        return _from_numbers(name, value, depth)
    if isinstance(value, int | float) or not is_array(value):
        return np.asarray(_number(name, value))
    array = _as_array(name, value)
    if array.dtype.kind == "O":
        array = np.array([_number(name, each) for each in array.flat]).reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, not {array.dtype}")
    return array


def _from_numbers(name: str, value: Sequence[Any], depth: int) -> np.ndarray:
    if not any(_is_sequence(each) or getattr(each, "shape", ()) != () for each in value):
        return np.array([float(_number(name, each)) for each in value])
    if depth == _DEEPEST:
        raise ValueError(f"{name} must have at most {_DEEPEST} axes, not {shown(value)}")
    rows = [_numbers(name, each, depth + 1) for each in value]
    for row in rows:
        if row.shape != rows[0].shape:
            raise ValueError(
                f"{name} must have rows of one shape, not of {rows[0].shape} and {row.shape}"
            )
    return np.stack(rows)


def _number(name: str, value: Any) -> float | bool:
    """Return one real number, of whatever make, as Python's own."""
    if not isinstance(value, int | float) and is_array(value):
        array = _as_array(name, value)
        value = array.item() if array.dtype.kind in "biufO" and array.shape == () else value
    if not isinstance(value, int | float):
        raise TypeError(f"{name} must be numbers, not {shown(value)}")
    if isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be numbers of 64 bits, not {shown(value)}") from None


def _as_array(name: str, value: Any, depth: int = 0) -> np.ndarray:
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            count = int(np.ma.count_masked(value))
            raise ValueError(f"{name} must have no masked values, not {count} of {value.size}")
        return np.asarray(value.data)
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if _is_sequence(value):
        if depth == _DEEPEST:
            raise ValueError(f"{name} must have at most {_DEEPEST} axes, not {shown(value)}")
        return _from_sequence(name, value, depth)
    if not is_array(value):
        raise TypeError(f"{name} must be an array of integers, not {shown(value)}")
    try:
        return _from_library(value)
    except Exception as error:  # whatever another library raises
        cause = shortened(str(error).strip().split("\n", 1)[0], 120)
        raise TypeError(
            f"{name} must be an array of integers, not {shown(value)}: {cause}"
        ) from None


def _from_library(value: Any) -> np.ndarray:
    # NumPy sees no tensor that is differentiated, or that lies on another device.
    for method in ("detach", "cpu"):
        if hasattr(value, method):
            value = getattr(value, method)()
    if "bfloat16" in str(getattr(value, "dtype", "")) and hasattr(value, "float"):
        value = value.float()
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def _from_sequence(name: str, value: Sequence[Any], depth: int) -> np.ndarray:
    """Make an array of a sequence of numbers, or of rows."""
    if not any(_is_sequence(each) or getattr(each, "shape", ()) != () for each in value):
        return _from_scalars(name, value)
    rows = [_as_array(name, each, depth + 1) for each in value]
    for row in rows:
        if row.shape != rows[0].shape:
            raise ValueError(
                f"{name} must have rows of one shape, not of {rows[0].shape} and {row.shape}"
            )
    if len({row.dtype.kind == "b" for row in rows}) > 1:
        raise TypeError(f"{name} must be integers, not bool among others")
    if all(row.dtype.kind in "iuO" for row in rows):
        rows = [integer_array(name, row) for row in rows]
    return np.stack(rows)


def _from_scalars(name: str, values: Sequence[Any]) -> np.ndarray:
    if values and all(isinstance(each, bool | np.bool_) for each in values):
        return np.array(values, dtype=bool)
    numbers = []
    for each in values:
        number = _index(each)
        if number is None:
            raise TypeError(f"{name} must be integers, not {shown(each)}")
        numbers.append(number)
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        beyond = max(numbers, key=abs)
        raise ValueError(f"{name} must fit in 64 bits with sign, not {shown(beyond)}") from None


# -- all else ------------------------------------------------------------------------------------


def check_name(what: str, value: Any) -> str:
    """Return ``value`` as a plain string of printable characters that is not empty.

    Raises
    ------
    TypeError
        If ``value`` is no string.
    ValueError
        If it is empty, holds a dot or a character that does not print, or is over 200 long.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {shown(value)}")
    if not value or len(value) > 200 or not value.isprintable() or "." in value:
        raise ValueError(
            f"{what} must be 1 to 200 printable characters without a dot, not {shown(value)}"
        )
    return str.__str__(value)


def check_choice(what: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` as a plain string; raise :exc:`ValueError` unless it is of ``choices``."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{what} must be one of {listed}, not {shown(value)}")
    return str.__str__(value)


def check_kind(what: str, value: Any, kind: type, article: str = "a") -> None:
    """Raise :exc:`TypeError` unless ``value`` is a ``kind``."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} must be {article} {kind.__name__}, not {shown(value)}")


def set_fields(instance: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass that is being made."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)
