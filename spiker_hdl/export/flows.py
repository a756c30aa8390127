"""Files with which other flows build an emission: FuseSoC, Vivado, Quartus, make, constraints."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

__all__ = ["PERIOD", "Package", "check_period", "packaging"]

PERIOD = 10.0
"""Nanoseconds of a clock period where none is given."""

_PARTS = {"vivado": "xc7a100tcsg324-1", "family": "Cyclone V", "device": "5CSEMA5F31C6"}


@dataclass(frozen=True)
class Package:
    """What is to be built.

    Members
    -------
    language : {"verilog", "vhdl"}
    network : str
        Name of the network.
    top, bench : str
        Topmost modules of the design and of the test bench; no test bench, an empty string.
    design, test : str
        Files of these.
    vectors : sequence of str
        Files that the test bench reads.
    memories : sequence of str
        Files that the design reads.
    clock : str
        Port of the clock.
    period : float
        Nanoseconds.
    version : str
        Of the library.
    """

    language: str
    network: str
    top: str
    bench: str
    design: str
    test: str
    vectors: Sequence[str]
    memories: Sequence[str]
    clock: str
    period: float
    version: str


def check_period(period: float) -> None:
    """Raise unless a clock period is a number of nanoseconds from 0.1 to 1,000,000.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is out of range.
    """
    if type(period) not in {int, float}:
        raise TypeError(f"Clock period must be a number, not {period!r}")
    if not 0.1 <= period <= 1e6:
        raise ValueError(f"Clock period must be 0.1 to 1000000 nanoseconds, not {period!r}")


# -- constraints ---------------------------------------------------------------------------------

_CLOCK = """\
# {top}: {clock} at {frequency:.6g} MHz; ports are registers or close to them, and have no delays
# of their own here: add set_input_delay and set_output_delay where they leave the device.
create_clock -name {clock} -period {period:.3f} [get_ports {{{clock}}}]
"""

# -- what lints ----------------------------------------------------------------------------------

_WAIVERS = """\
`verilator_config
// What Verilator's -Wall says of {design} otherwise, and why that is as it should be.

// All modules are in one file, which is named after the topmost.
lint_off -rule DECLFILENAME -file "*{design}"

// Operands of different widths are extended as the language says, and a sum is cut where it is
// stored, which Amaranth's arithmetic makes explicit: no overflow goes unnoticed there.
lint_off -rule WIDTH -file "*{design}"

// What a case does not list keeps what was assigned before it in the same block.
lint_off -rule CASEINCOMPLETE -file "*{design}"

// Upper bits of sums that are cut, and fields of a payload that a core has no use for.
lint_off -rule UNUSEDSIGNAL -file "*{design}" -match "Bits of signal are not used*"

// Constants and second names of the same bits, which Yosys has put where they are read. What
// nothing reads, it was not given.
lint_off -rule UNUSEDSIGNAL -file "*{design}" -match "Signal is not used*"
"""

_LINT = {
    "verilog": """\
VERILATOR ?= verilator

.PHONY: lint

lint:  ## Let Verilator look for mistakes; {top}.vlt has what it may find, with reasons
	$(VERILATOR) --lint-only -Wall --top-module {top} {top}.vlt {design}
""",
    "vhdl": """\
GHDL ?= ghdl

.PHONY: lint

lint:  ## Let GHDL look for mistakes
	$(GHDL) -s --std=08 {design}
""",
}

# -- vendors' tools ------------------------------------------------------------------------------

_VIVADO = Template("""\
# Synthesis, place and route of $top alone, to learn its area and speed:
#
#   vivado -mode batch -source vivado.tcl -tclargs $part
#
# Reports and a checkpoint go to build_vivado.
set part [expr {$$argc > 0 ? [lindex $$argv 0] : "$part"}]
set here [file dirname [file normalize [info script]]]
set made [file join $$here build_vivado]
file mkdir $$made

$read [file join $$here $design]
${memories}read_xdc [file join $$here $top.xdc]
# The ports are not pins here.
synth_design -top $top -part $$part -mode out_of_context
opt_design
place_design
phys_opt_design
route_design
report_utilization -file [file join $$made utilization.txt]
report_timing_summary -file [file join $$made timing.txt]
write_checkpoint -force [file join $$made $top.dcp]
""")

_QUARTUS = Template("""\
# A project for $top alone, compiled, to learn its area and speed:
#
#   quartus_sh -t quartus.tcl "$family" $device
#
# Without arguments it is for the device above.
package require ::quartus::project
package require ::quartus::flow

set family "$family"
set device "$device"
if {[llength $$quartus(args)] == 2} {
  lassign $$quartus(args) family device
}

project_new $top -overwrite
set_global_assignment -name FAMILY $$family
set_global_assignment -name DEVICE $$device
set_global_assignment -name TOP_LEVEL_ENTITY $top
set_global_assignment -name $kind $design
set_global_assignment -name $version_name $version
set_global_assignment -name SDC_FILE $top.sdc
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY build_quartus
# The ports are not pins here, but for the clock.
set_instance_assignment -name VIRTUAL_PIN ON -to *
set_instance_assignment -name VIRTUAL_PIN OFF -to $clock
export_assignments
execute_flow -compile
project_close
""")

_VENDORS = {
    "verilog": {
        "read": "read_verilog",
        "kind": "VERILOG_FILE",
        "version_name": "VERILOG_INPUT_VERSION",
        "version": "VERILOG_2001",
    },
    "vhdl": {
        "read": "read_vhdl -vhdl2008",
        "kind": "VHDL_FILE",
        "version_name": "VHDL_INPUT_VERSION",
        "version": "VHDL_2008",
    },
}

# -- FuseSoC -------------------------------------------------------------------------------------

_KINDS = {"verilog": "verilogSource-2005", "vhdl": "vhdlSource-2008"}


def _core(one: Package) -> str:
    """Return a core file of FuseSoC's CAPI2, which is YAML and here JSON but for its first line."""
    kind = _KINDS[one.language]
    verilog = one.language == "verilog"
    filesets = {
        "design": {
            "files": [
                one.design,
                *({name: {"file_type": "user", "copyto": name}} for name in one.memories),
            ],
            "file_type": kind,
        },
        "vivado_clock": {"files": [f"{one.top}.xdc"], "file_type": "xdc"},
        "quartus_clock": {"files": [f"{one.top}.sdc"], "file_type": "SDC"},
    }
    targets = {
        "default": {"filesets": ["design"], "toplevel": one.top},
        "vivado": {
            "description": f"Place and route for {_PARTS['vivado']}",
            "default_tool": "vivado",
            "filesets": ["design", "vivado_clock"],
            "toplevel": one.top,
            "tools": {"vivado": {"part": _PARTS["vivado"]}},
        },
        "quartus": {
            "description": f"Place and route for {_PARTS['device']}",
            "default_tool": "quartus",
            "filesets": ["design", "quartus_clock"],
            "toplevel": one.top,
            "tools": {"quartus": {"family": _PARTS["family"], "device": _PARTS["device"]}},
        },
    }
    if verilog:
        filesets["waivers"] = {"files": [f"{one.top}.vlt"], "file_type": "vlt"}
        targets["lint"] = {
            "description": "Let Verilator look for mistakes",
            "default_tool": "verilator",
            "filesets": ["waivers", "design"],
            "toplevel": one.top,
            "tools": {"verilator": {"mode": "lint-only", "verilator_options": ["-Wall"]}},
        }
    if one.bench:
        filesets["bench"] = {
            "files": [
                {one.test: {"file_type": kind}},
                *({name: {"file_type": "user", "copyto": name}} for name in one.vectors),
            ]
        }
        options = {"icarus": {"iverilog_options": ["-g2005"]}}
        if not verilog:
            options = {"ghdl": {"analyze_options": ["--std=08"], "run_options": []}}
        targets["sim"] = {
            "description": "Compare all samples with what is expected",
            "default_tool": next(iter(options)),
            "filesets": ["design", "bench"],
            "toplevel": one.bench,
            "tools": options,
        }
    held = {
        "name": f"spiker:networks:{one.top}:{one.version}",
        "description": f"Accelerator of the spiking network {one.network}",
        "filesets": filesets,
        "targets": targets,
    }
    return "CAPI=2:\n" + json.dumps(held, indent=2) + "\n"


def packaging(one: Package, makefile: str) -> dict[str, str]:
    """Return the text of each file, by name.

    Parameters
    ----------
    one : Package
    makefile : str
        What the makefile does with the test bench; without one, empty.
    """
    names = {"top": one.top, "design": one.design, "clock": one.clock}
    clock = _CLOCK.format(**names, period=one.period, frequency=1000 / one.period)
    lint = _LINT[one.language].format(**names)
    # The same assignment twice would do no harm, and be no use.
    lint = "\n".join(
        line for line in lint.split("\n") if " ?= " not in line or line not in makefile
    )
    found = {
        "Makefile": makefile + "\n" * bool(makefile) + lint.lstrip("\n"),
        f"{one.top}.sdc": clock,
        f"{one.top}.xdc": clock,
        f"{one.top}.core": _core(one),
        "vivado.tcl": _VIVADO.substitute(
            names,
            **_VENDORS[one.language],
            part=_PARTS["vivado"],
            memories="".join(f"read_mem [file join $here {name}]\n" for name in one.memories),
        ),
        "quartus.tcl": _QUARTUS.substitute(
            names,
            **_VENDORS[one.language],
            family=_PARTS["family"],
            device=_PARTS["device"],
        ),
    }
    if one.language == "verilog":
        found[f"{one.top}.vlt"] = _WAIVERS.format(**names)
    return found
