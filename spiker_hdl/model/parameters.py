"""Parameters, values at rest and biases of neurons, and how they are stored in memory."""

from typing import TYPE_CHECKING, Any

from spiker_hdl.model.neurons.base import signed_width

if TYPE_CHECKING:
    from .graph import Population

__all__ = ["field_width", "fields_of", "parameter_rows", "values_of"]


BIAS_UNIT = 4
"""Unit of the width of a writable bias: wider biases can then often be loaded, too."""


def field_width(low: int, high: int) -> int:
    """Return the bits of the narrowest field that holds ``low..high``, without a sign if it can."""
    return high.bit_length() if low >= 0 else signed_width(low, high)


def values_of(population: "Population") -> dict[str, Any]:
    """Return parameters, values at rest and bias, by name, each one or one per neuron."""
    neuron = population.neuron
    rests = {f"rest_{name}": state.rest for name, state in neuron.states.items()}
    parameters = {name: parameter.value for name, parameter in neuron.parameters.items()}
    bias = population.bias
    none = isinstance(bias, tuple) and not any(bias)
    return parameters | rests | {"bias": 0 if none else bias}


def fields_of(population: "Population", writable: bool = False) -> dict[str, tuple[int, int]]:
    """Return the ranges of the values in memory: those per neuron, and the writable ones."""
    ranges, replaceable = {}, population.neuron.replaceable
    for name, value in values_of(population).items():
        parts = value if isinstance(value, tuple) else (value,)
        low, high = min(parts), max(parts)
        if writable and name in replaceable:
            ranges[name] = replaceable[name]
        elif writable and name == "bias" and (low or high):
            width = -(-signed_width(low, high) // BIAS_UNIT) * BIAS_UNIT
            ranges[name] = -(2 ** (width - 1)), 2 ** (width - 1) - 1
        elif isinstance(value, tuple):
            ranges[name] = low, high
    return ranges


def parameter_rows(
    population: "Population", units: int, writable: bool = False, order: Any = None
) -> list[int]:
    """Return the rows of the memory of a population's parameters, each for a group of units.

    The fields of a unit are adjacent, the first of :func:`fields_of` in the least significant bits.

    Parameters
    ----------
    population : Population
    units : int
    writable : bool
    order : sequence of int, optional
        For each neuron in the machine its number in the population, where these differ.
    """
    numbers = range(population.size) if order is None else [int(number) for number in order]
    values, fields = values_of(population), fields_of(population, writable)
    sizes = [field_width(*ends) for ends in fields.values()]
    rows = [0] * -(-population.size // units)
    for n, number in enumerate(numbers):
        row, unit = divmod(n, units)
        place = unit * sum(sizes)
        for name, size in zip(fields, sizes, strict=True):
            value = values[name][number] if isinstance(values[name], tuple) else values[name]
            rows[row] |= (value & (1 << size) - 1) << place
            place += size
    return rows
