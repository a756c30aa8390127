r"""Rounding of the changes of weights, and the bits of stochastic rounding.

The bits of a pair are a pure function of the seed, the sample, the step, the projection, the source
and the target, and so of no order in which pairs are visited. The function consists of additions,
shifts and exclusive ors of 32 bits: a word for each visited row, and a constant for each target,
which is added to it:

.. math::

    w &= S(S(S(S(\text{seed}) \oplus \text{sample}) \oplus \text{step} + 2^{16} \text{projection})
        \oplus \text{source}) \\
    r &= \left\lfloor \frac{(w + S(2^{31} + \text{target})) \bmod 2^{32}}{2^{32 - b}} \right\rfloor

:math:`S`
    the invertible function :func:`scramble` of a word
:math:`b`
    number of bits

Each pair's bits are uniform. Those of one row in one step differ by constants.
"""

from typing import Any

import numpy as np

__all__ = [
    "MOST_SHIFT",
    "ROUNDINGS",
    "random_bits",
    "rounded",
    "row_words",
    "scramble",
    "step_word",
    "target_words",
]

ROUNDINGS = {
    "down": "toward minus infinity",
    "nearest": "to the nearest integer, halves up",
    "stochastic": "up with a probability that is the fraction",
}
"""Ways of rounding."""

MOST_SHIFT = 24
"""Greatest number of bits that are rounded off."""

_WORD = 2**32 - 1
_TARGETS = 2**31


def scramble(word: Any) -> Any:
    """Return a word of 32 bits that is mixed by additions, shifts and exclusive ors.

    Parameters
    ----------
    word : int, or array of int64
    """
    word = word ^ 0x6A09E667
    for left, right in ((10, 15), (3, 11), (7, 16), (12, 13)):
        word = (word + (word << left) + 0x3C6EF372) & _WORD
        word = word ^ (word >> right)
    return word


def step_word(seed: int, sample: int, step: int, projection: int) -> int:
    """Return the word of a step, from which those of its rows follow.

    Parameters
    ----------
    seed, sample : int
        Of 32 bits; of a greater number of a sample the last 32 bits count.
    step, projection : int
        Of 16 bits: the number of the step, counted from 0, and of the projection in its network.
    """
    word = scramble(scramble(seed) ^ (sample & _WORD))
    return scramble(word ^ (step + (projection << 16)))


def row_words(word: int, sources: Any) -> np.ndarray:
    """Return the words of the rows of some sources in a step of this :func:`step_word`."""
    return scramble(word ^ np.asarray(sources, dtype=np.int64))


def target_words(targets: Any) -> Any:
    """Return the constants of some targets, which are added to the words of rows.

    Parameters
    ----------
    targets : array or tensor of int64
    """
    return scramble(_TARGETS + targets)


def random_bits(rows: np.ndarray, targets: np.ndarray, bits: int) -> np.ndarray:
    """Return the bits of pairs as numbers of ``0..2**bits - 1``.

    Parameters
    ----------
    rows : array of int
        Results of :func:`row_words`, to be broadcast against ``targets``.
    targets : array of int
        Numbers of the targets.
    bits : int
    """
    total = rows + target_words(np.asarray(targets, dtype=np.int64))
    return (total & _WORD) >> (32 - bits)


def rounded(change: Any, shift: int, rounding: str, random: Any, via: Any) -> Any:
    """Return a change of a weight, divided by ``2**shift`` and rounded.

    Parameters
    ----------
    change : operand
    shift : int
    rounding : str
        One of :data:`ROUNDINGS`.
    random : operand
        Bits of ``0..2**shift - 1`` for stochastic rounding.
    via : Arithmetic
    """
    if rounding == "nearest":
        return via.divide(change, 2**shift)
    return via.shift(change + random if rounding == "stochastic" else change, shift)
