"""The makefile beside a netlist."""

from collections.abc import Sequence
from string import Template

from spiker_hdl.base.files.atomic_directory import Listing

__all__ = ["NETLIST", "SIMULATORS", "makefile"]

NETLIST = Listing("cells.json", "netlist", ("*.vvp", "obj/*"))
"""Files by which the directory of a netlist is recognised."""

SIMULATORS = ("icarus", "verilator")
"""Simulators that run a test bench on a netlist: the first builds fast, the second runs fast."""

_MAKE = Template("""\
# Runs the test bench of the directory above on the netlist here.
IVERILOG ?= iverilog
VVP ?= vvp
VERILATOR ?= verilator
TOOL ?= $tool
ARGS ?=

SOURCES := ../$bench.v $top.v $models

.PHONY: sim icarus verilator clean

sim: $$(TOOL)  ## Compare all samples; TOOL may be: $tools

icarus: $bench.vvp
	cd .. && $$(VVP) -n $place/$bench.vvp $$(ARGS)

# A value that a model leaves open is random.
verilator: obj/sim
	cd .. && $place/obj/sim +verilator+rand+reset+2 +verilator+seed+1 $$(ARGS)

$bench.vvp: $$(SOURCES)
	$$(IVERILOG) -g2005 -I. $defines -s $bench -o $$@ $$(SOURCES)

obj/sim: $$(SOURCES)
	@mkdir -p obj
	$$(VERILATOR) --cc --exe --main --timing --top-module $bench -I. $defines --Mdir obj -o sim \\
		--x-assign unique --x-initial unique -Wno-fatal -Wno-lint -Wno-style $$(SOURCES) \\
		> obj/log 2>&1 || { cat obj/log >&2; exit 1; }
	$$(MAKE) -C obj -f V$bench.mk OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0 \\
		>> obj/log 2>&1 || { cat obj/log >&2; exit 1; }

clean:
	rm -rf $bench.vvp obj
""")


def makefile(
    top: str,
    bench: str,
    place: str,
    models: Sequence[str],
    defines: Sequence[str],
    tools: Sequence[str],
) -> str:
    """Return a makefile.

    Parameters
    ----------
    top, bench : str
        Names of the modules, and of their files.
    place : str
        Directory of the netlist, relative to the directory of the test bench.
    models : sequence of str
        Files with cells.
    defines : sequence of str
        Macros with which these are read.
    tools : sequence of str
        Those of :data:`SIMULATORS` that take them, the preferred one first.
    """
    return _MAKE.substitute(
        top=top,
        bench=bench,
        place=place,
        models=" ".join(models),
        defines=" ".join(f"-D{name}" for name in defines),
        tool=tools[0],
        tools=", ".join(tools),
    )
