"""Adders and multipliers that synthesis maps to look-up tables and carry chains."""

from amaranth import *

__all__ = ["adder_tree", "product"]

NARROW = 4
"""Bits of a weight that is multiplied by two bits of a value at once."""


def product(weight, value):
    """Multiply by shifting and adding, so that no multiplier block is used.

    A ``value`` without bits stands for 1: the event is binary.
    """
    value = Value.cast(value)
    if not len(value):
        return weight
    weight = Value.cast(weight)
    if not value.shape().signed and len(value) > 1 and len(weight) <= NARROW:
        return adder_tree(_pairwise(weight, value))
    # Partial products, one for each bit of the value.
    terms = [Mux(bit, weight << k, 0) for k, bit in enumerate(value)]
    if value.shape().signed:
        # The highest bit of a two's complement number counts negatively.
        terms[-1] = -terms[-1]
    return adder_tree(terms)


def _pairwise(weight: Value, value: Value) -> list:
    """Return the partial products of a narrow weight, one for each two bits of the value.

    A bit of such a product depends on the bits of the weight and two of the value, which fit into
    a look-up table of six inputs. This takes half of the adders.
    """
    width = len(weight)
    numbers = [Const(n, weight.shape()).value for n in range(2**width)]
    triple = Array(Const(3 * n, signed(width + 3)) for n in numbers)[weight.as_unsigned()]
    terms = []
    for k in range(0, len(value), 2):
        if k + 1 < len(value):
            multiples = Array([C(0, 1), weight, weight << 1, triple])
            terms.append(multiples[value[k : k + 2]] << k)
        else:
            terms.append(Mux(value[k], weight << k, 0))
    return terms


def adder_tree(terms: list):
    """Add up terms in a tree, whose depth is the logarithm of their number."""
    while len(terms) > 1:
        terms = [sum(terms[n + 1 : n + 2], terms[n]) for n in range(0, len(terms), 2)]
    return terms[0]
