"""Names that are safe in both Verilog and VHDL."""

import re
from collections.abc import Iterable

__all__ = ["RESERVED", "Identifiers", "identifiers"]

_VHDL = """
    abs access after alias all and architecture array assert assume assume_guarantee attribute
    begin block body buffer bus case component configuration constant context cover default
    disconnect downto else elsif end entity exit fairness file for force function generate generic
    group guarded if impure in inertial inout is label library linkage literal loop map mod nand
    new next nor not null of on open or others out package parameter port postponed procedure
    process property protected pure range record register reject release rem report restrict
    restrict_guarantee return rol ror select sequence severity shared signal sla sll sra srl strong
    subtype then to transport type unaffected units until use variable view vmode vprop vunit wait
    when while with xnor xor private
"""

_VERILOG = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endspecify endsequence endtable
    endtask enum event eventually expect export extends extern final first_match for force foreach
    forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
    illegal_bins implements implies import incdir include initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype
    new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter
    pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
    realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
    s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1
    struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
    time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type
    typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual
    void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""

# Not keywords, but a signal of such a name would hide what the text around it needs.
_PACKAGES = """
    bit bit_vector boolean character delay_length error failure false falling_edge ieee integer
    line minimum maximum natural note now numeric_std positive real resize rising_edge rtl
    severity_level shift_left shift_right signed std std_logic std_logic_1164 std_logic_vector
    std_match std_ulogic std_ulogic_vector string textio time to_bstring to_hstring to_integer
    to_ostring to_signed to_string to_unsigned true u_signed u_unsigned unresolved_signed
    unresolved_unsigned unsigned warning work
"""

RESERVED = frozenset(f"{_VHDL} {_VERILOG} {_PACKAGES}".split())
"""Words, in lower case, that an identifier must not be in either language."""


class Identifiers:
    """Identifiers of one scope: safe, and distinct even where case does not count.

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
        base = _clean(name)
        folded = base.lower()
        if folded not in self._taken and folded not in RESERVED:
            self._taken.add(folded)
            return base
        count = self._counts.get(folded, 1)
        while True:
            count += 1
            candidate = f"{base}_{count}"
            if candidate.lower() not in self._taken:
                break
        self._counts[folded] = count
        self._taken.add(candidate.lower())
        return candidate


def identifiers(names: Iterable[str], *, taken: Iterable[str] = ()) -> dict[str, str]:
    """Give each name an identifier of its own, the first come having the first choice.

    Parameters
    ----------
    names : iterable of str
        Any text; a name that occurs again is the same name.
    taken : iterable of str
        Identifiers that must not be used.

    Returns
    -------
    dict of str to str
        For each name a letter, then letters, digits and single underscores, none at the end; clear
        of the keywords of VHDL, Verilog and SystemVerilog, and distinct where case does not count.
        The same names in the same order always give the same.
    """
    scope = Identifiers(taken)
    return {name: scope.add(name) for name in dict.fromkeys(names)}


def _clean(name: str) -> str:
    # VHDL allows neither two underscores in a row nor one at either end.
    clean = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    if not clean:
        return "unnamed"
    return clean if clean[0].isalpha() else f"n{clean}"
