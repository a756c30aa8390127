"""The languages in which an accelerator can be emitted."""

from collections.abc import Callable
from dataclasses import dataclass

from spiker_hdl.export.testbench.verilog import verilog_bench
from spiker_hdl.export.testbench.vhdl import vhdl_bench
from spiker_hdl.hdl.source import Source
from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.hdl.vhdl.convert import vhdl_source

__all__ = ["LANGUAGES", "Language"]

_VERILOG_MAKE = """\
IVERILOG ?= iverilog
VVP ?= vvp
ARGS ?=

.PHONY: sim clean

sim: {bench}.vvp  ## Compare all samples; ARGS="{stressed}" adds pauses and overlap
	$(VVP) -n $< $(ARGS)

{bench}.vvp: {top}.v {bench}.v
	$(IVERILOG) -g2005 -s {bench} -o $@ $^

clean:
	rm -f {bench}.vvp
"""

_VHDL_MAKE = """\
GHDL ?= ghdl
ARGS ?=

.PHONY: sim clean

sim: work-obj08.cf  ## Compare all samples; ARGS="{stressed}" adds pauses and overlap
	$(GHDL) -r --std=08 {bench} $(ARGS)

work-obj08.cf: {top}.vhd {bench}.vhd
	$(GHDL) -a --std=08 $^
	$(GHDL) -e --std=08 {bench}

clean:
	$(GHDL) --remove --std=08
"""


@dataclass(frozen=True)
class Language:
    """A language in which an accelerator can be emitted.

    Members
    -------
    title : str
        Name for people.
    suffix : str
        Suffix of its files.
    design : callable
        Function that writes a component: ``design(component, name)`` returns a
        :class:`~spiker_hdl.hdl.source.Source`.
    test_bench : callable
        Function that writes a test bench: ``test_bench(accelerator, vectors, top=, ports=)``
        returns its text.
    makefile : str
        Template with ``{top}``, ``{bench}`` and ``{stressed}``.
    simulator : str
        Simulator that the makefile calls.
    stressed : str
        Arguments with which the test bench pauses streams at random and overlaps samples.
    shortened : str
        Arguments with which it stops after 20 samples.
    """

    title: str
    suffix: str
    design: Callable[..., Source]
    test_bench: Callable[..., str]
    makefile: str
    simulator: str
    stressed: str
    shortened: str


LANGUAGES = {
    "verilog": Language(
        "Verilog",
        "v",
        to_verilog,
        verilog_bench,
        _VERILOG_MAKE,
        "Icarus Verilog",
        "+stalls=1 +back_to_back",
        "+samples=20",
    ),
    "vhdl": Language(
        "VHDL-2008",
        "vhd",
        vhdl_source,
        vhdl_bench,
        _VHDL_MAKE,
        "GHDL",
        "-gstalls=1 -gback_to_back=true",
        "-gsamples=20",
    ),
}
"""Languages by the names that :func:`~.export.emit` takes."""
