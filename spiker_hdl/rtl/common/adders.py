"""Adders and multipliers that synthesis maps to look-up tables and carry chains."""

from amaranth import *

__all__ = ["adder_tree", "product"]


def product(weight, value):
    """Multiply by shifting and adding, so that no multiplier block is used.

    A ``value`` without bits stands for 1: the event is binary.
    """
    value = Value.cast(value)
    if not len(value):
        return weight
    # Partial products, one for each bit of the value.
    terms = [Mux(bit, weight << k, 0) for k, bit in enumerate(value)]
    if value.shape().signed:
        # The highest bit of a two's complement number counts negatively.
        terms[-1] = -terms[-1]
    return adder_tree(terms)


def adder_tree(terms: list):
    """Add up terms in a tree, whose depth is the logarithm of their number."""
    while len(terms) > 1:
        terms = [sum(terms[n + 1 : n + 2], terms[n]) for n in range(0, len(terms), 2)]
    return terms[0]
