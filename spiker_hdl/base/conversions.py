"""Conversions of integers and arrays of any library to plain ones.

What Python takes as an index is an integer here, NumPy's and others' included, and never a bool or
a float; it becomes an :class:`int`. An array of NumPy or PyTorch, or in lists, in any byte order
and memory order, becomes a NumPy array of native integers in C order.
"""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .messages import shortened, shown

__all__ = [
    "as_array",
    "as_index",
    "frozen_integers",
    "integer_array",
    "is_array",
    "is_sequence",
    "is_several",
    "number_array",
    "plain",
]

_DEEPEST = 8
"""Maximum depth of nested sequences."""


def as_index(value: Any) -> int | None:
    """Return an integer of any library as a plain one, and None for everything else."""
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


def plain(value: Any, depth: int = 0) -> Any:
    """Return integers, strings and sequences of them as Python's own, and all else as it is."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    number = as_index(value)
    if number is not None:
        return number
    if isinstance(value, list | tuple | range):
        return tuple(plain(item, depth + 1) for item in value)
    if is_array(value):
        try:
            return plain(integer_array("Value", value).tolist(), depth)
        except (TypeError, ValueError):
            return value
    return value


def is_array(value: Any) -> bool:
    """Tell whether ``value`` says that it is an array, of whatever library."""
    if isinstance(value, type):
        return False
    return any(hasattr(value, name) for name in ("__array__", "__array_interface__", "__dlpack__"))


def is_sequence(value: Any) -> bool:
    """Tell whether ``value`` is a sequence of items, which text and bytes are not."""
    return isinstance(value, Sequence) and not isinstance(
        value, str | bytes | bytearray | memoryview
    )


def is_several(value: Any) -> bool:
    """Tell whether ``value`` is a sequence, or an array of at least one axis."""
    return is_sequence(value) or (is_array(value) and getattr(value, "shape", None) != ())


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
    array = as_array(name, value)
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
    """Return ``value`` as a read-only copy of int64 in C order.

    Parameters
    ----------
    name : str
    value : array, or nested sequences, of int
    shape : tuple of int, optional
        Required shape.

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
    value : array, nested sequences, or a single one, of numbers
    dtype : data type, optional
        Data type of the result; by default the data type of ``value``.

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
    if is_sequence(value):
        return _from_numbers(name, value, depth)
    if isinstance(value, int | float) or not is_array(value):
        return np.asarray(_number(name, value))
    array = as_array(name, value)
    if array.dtype.kind == "O":
        array = np.array([_number(name, item) for item in array.flat]).reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, not {array.dtype}")
    return array


def _from_numbers(name: str, value: Sequence[Any], depth: int) -> np.ndarray:
    if not any(is_sequence(item) or getattr(item, "shape", ()) != () for item in value):
        return np.array([float(_number(name, item)) for item in value])
    if depth == _DEEPEST:
        raise ValueError(f"{name} must have at most {_DEEPEST} axes, not {shown(value)}")
    rows = [_numbers(name, item, depth + 1) for item in value]
    for row in rows:
        if row.shape != rows[0].shape:
            raise ValueError(
                f"{name} must have rows of one shape, not of {rows[0].shape} and {row.shape}"
            )
    return np.stack(rows)


def _number(name: str, value: Any) -> float | bool:
    """Return an integer or floating-point number of any type as a number of Python."""
    if not isinstance(value, int | float) and is_array(value):
        array = as_array(name, value)
        value = array.item() if array.dtype.kind in "biufO" and array.shape == () else value
    if not isinstance(value, int | float):
        raise TypeError(f"{name} must be numbers, not {shown(value)}")
    if isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be numbers of 64 bits, not {shown(value)}") from None


def as_array(name: str, value: Any, depth: int = 0) -> np.ndarray:
    """Return ``value`` as a NumPy array of any data type.

    Raises
    ------
    TypeError
        If ``value`` is no array, or no sequence of integers.
    ValueError
        If rows differ in length, a value is masked, or one does not fit in 64 bits.
    """
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            count = int(np.ma.count_masked(value))
            raise ValueError(f"{name} must have no masked values, not {count} of {value.size}")
        return np.asarray(value.data)
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if is_sequence(value):
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
    if not any(is_sequence(item) or getattr(item, "shape", ()) != () for item in value):
        return _from_scalars(name, value)
    rows = [as_array(name, item, depth + 1) for item in value]
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
    if values and all(isinstance(item, bool | np.bool_) for item in values):
        return np.array(values, dtype=bool)
    numbers = []
    for item in values:
        number = as_index(item)
        if number is None:
            raise TypeError(f"{name} must be integers, not {shown(item)}")
        numbers.append(number)
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        beyond = max(numbers, key=abs)
        raise ValueError(f"{name} must fit in 64 bits with sign, not {shown(beyond)}") from None
