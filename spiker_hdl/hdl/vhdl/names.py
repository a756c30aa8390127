"""Identifiers of one VHDL scope."""

import re
from collections.abc import Iterable

from spiker_hdl.base.identifiers import identifiers

__all__ = ["PREDEFINED", "Identifiers"]

PREDEFINED = frozenset(
    """
    bit bit_vector boolean character delay_length error failure false falling_edge ieee integer
    line maximum minimum natural note now numeric_std positive real resize rising_edge rtl
    severity_level shift_left shift_right std std_logic std_logic_1164 std_logic_vector std_match
    std_ulogic std_ulogic_vector textio to_bstring to_hstring to_integer to_ostring to_signed
    to_string to_unsigned true u_signed u_unsigned unresolved_signed unresolved_unsigned warning
    work
    """.split()
)
"""No keywords, but what is so named would hide what the text around it needs."""


class Identifiers:
    """Identifiers that differ even where case does not count.

    Parameters
    ----------
    taken : iterable of str
        Identifiers that the scope has already.
    """

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {name.lower() for name in taken}
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> str:
        """Find an identifier as close to ``name`` as may be, and take it."""
        # A number with which Amaranth tells signals apart says nothing; ours begin with 2.
        name = re.sub(r"(?<=.)\$\d+(?=$|[.\[])", "", name)
        base = identifiers([name], taken=PREDEFINED)[name]
        candidate, count = base, self._counts.get(base.lower(), 1)
        while candidate.lower() in self._taken:
            count += 1
            candidate = f"{base}_{count}"
        self._counts[base.lower()] = count
        self._taken.add(candidate.lower())
        return candidate
