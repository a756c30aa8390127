"""Files for other flows: FuseSoC, Vivado, Quartus, make, and clock constraints."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

__all__ = ["PERIOD", "Package", "check_period", "packaging"]

PERIOD = 10.0
"""Default clock period in nanoseconds."""

_PARTS = {"vivado": "xc7a100tcsg324-1", "family": "Cyclone V", "device": "5CSEMA5F31C6"}


@dataclass(frozen=True)
class Package:
    """An emitted design, as build flows see it.

    Members
    -------
    language : {"verilog", "vhdl"}
    network : str
        Name of the network.
    top, bench : str
        Topmost modules of the design and of the test bench; ``bench`` is empty without one.
    design, test : str
        Files of the design and of the test bench.
    vectors : sequence of str
        Files that the test bench reads.
    memories : sequence of str
        Files that the design reads.
    clock : str
        Name of the clock's port.
    period : float
        Clock period in nanoseconds.
    version : str
        Version of the library.
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
# {top}: {clock} at {frequency:.6g} MHz. Ports are driven by registers or by little logic behind
# them. Add set_input_delay and set_output_delay where they leave the device.
create_clock -name {clock} -period {period:.3f} [get_ports {{{clock}}}]
"""

# -- lint --------------------------------------------------------------------------------------

_WAIVERS = """\
`verilator_config
// Warnings of Verilator's -Wall that {design} causes, each with the reason why it is no mistake.

// All modules are in one file, which is named after the topmost module.
lint_off -rule DECLFILENAME -file "*{design}"

// Operands of different widths are extended as the language says, and a sum is truncated where it
// is stored. Amaranth's arithmetic never overflows before that.
lint_off -rule WIDTH -file "*{design}"

// A signal that a case does not assign keeps the value assigned before it in the same block.
lint_off -rule CASEINCOMPLETE -file "*{design}"

// These are upper bits of sums that are truncated, and fields of a payload that a core ignores.
lint_off -rule UNUSEDSIGNAL -file "*{design}" -match "Bits of signal are not used*"

// These are constants and aliases, which Yosys has replaced where they are read. Signals that are
// not read at all are removed before.
lint_off -rule UNUSEDSIGNAL -file "*{design}" -match "Signal is not used*"
"""

_LINT = {
    "verilog": """\
VERILATOR ?= verilator

.PHONY: lint

lint:  ## Run Verilator's lint; {top}.vlt waives warnings, with reasons
	$(VERILATOR) --lint-only -Wall --top-module {top} {top}.vlt {design}
""",
    "vhdl": """\
GHDL ?= ghdl

.PHONY: lint

lint:  ## Check the syntax with GHDL
	$(GHDL) -s --std=08 {design}
""",
}

# -- vendors' tools ------------------------------------------------------------------------------

_VIVADO = Template("""\
# Synthesis, place and route of $top on its own, to measure its area and speed:
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
# The ports are inputs and outputs of a larger design, not pins.
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
# A project for $top on its own, compiled to measure its area and speed:
#
#   quartus_sh -t quartus.tcl "$family" $device
#
# Without arguments the device is the one above.
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
# The ports are virtual pins, except for the clock.
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


def _core(package: Package) -> str:
    """Return a core file of FuseSoC's CAPI2, which is YAML and here JSON but for its first line."""
    filesets = {
        "design": {
            "files": [package.design, *map(_copied, package.memories)],
            "file_type": _KINDS[package.language],
        },
        "vivado_clock": {"files": [f"{package.top}.xdc"], "file_type": "xdc"},
        "quartus_clock": {"files": [f"{package.top}.sdc"], "file_type": "SDC"},
    }
    targets = _core_targets(package)
    if package.language == "verilog":
        filesets["waivers"] = {"files": [f"{package.top}.vlt"], "file_type": "vlt"}
        targets["lint"] = {
            "description": "Run Verilator's lint",
            "default_tool": "verilator",
            "filesets": ["waivers", "design"],
            "toplevel": package.top,
            "tools": {"verilator": {"mode": "lint-only", "verilator_options": ["-Wall"]}},
        }
    if package.bench:
        filesets["bench"], targets["sim"] = _core_bench(package)
    core = {
        "name": f"spiker:networks:{package.top}:{package.version}",
        "description": f"Accelerator of the spiking network {package.network}",
        "filesets": filesets,
        "targets": targets,
    }
    return "CAPI=2:\n" + json.dumps(core, indent=2) + "\n"


def _copied(name: str) -> dict[str, dict[str, str]]:
    """Return a file that a design or test bench reads, and that is not compiled."""
    return {name: {"file_type": "user", "copyto": name}}


def _core_targets(package: Package) -> dict[str, dict[str, Any]]:
    """Return the targets of a core file for the design, and for the tools of vendors."""
    return {
        "default": {"filesets": ["design"], "toplevel": package.top},
        "vivado": {
            "description": f"Place and route for {_PARTS['vivado']}",
            "default_tool": "vivado",
            "filesets": ["design", "vivado_clock"],
            "toplevel": package.top,
            "tools": {"vivado": {"part": _PARTS["vivado"]}},
        },
        "quartus": {
            "description": f"Place and route for {_PARTS['device']}",
            "default_tool": "quartus",
            "filesets": ["design", "quartus_clock"],
            "toplevel": package.top,
            "tools": {"quartus": {"family": _PARTS["family"], "device": _PARTS["device"]}},
        },
    }


def _core_bench(package: Package) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the files of the test bench, and the target that runs it."""
    files = [{package.test: {"file_type": _KINDS[package.language]}}]
    options = {"icarus": {"iverilog_options": ["-g2005"]}}
    if package.language == "vhdl":
        options = {"ghdl": {"analyze_options": ["--std=08"], "run_options": []}}
    return {"files": [*files, *map(_copied, package.vectors)]}, {
        "description": "Compare the results of all samples with the expected ones",
        "default_tool": next(iter(options)),
        "filesets": ["design", "bench"],
        "toplevel": package.bench,
        "tools": options,
    }


def packaging(package: Package, makefile: str) -> dict[str, str]:
    """Return the text of each file, by name.

    Parameters
    ----------
    package : Package
    makefile : str
        Makefile of the test bench; empty without one.
    """
    names = {"top": package.top, "design": package.design, "clock": package.clock}
    clock = _CLOCK.format(**names, period=package.period, frequency=1000 / package.period)
    lint = _LINT[package.language].format(**names)
    # The makefile of the test bench may assign the same variables: once is enough.
    lint = "\n".join(
        line for line in lint.split("\n") if " ?= " not in line or line not in makefile
    )
    files = {
        "Makefile": makefile + "\n" * bool(makefile) + lint.lstrip("\n"),
        f"{package.top}.sdc": clock,
        f"{package.top}.xdc": clock,
        f"{package.top}.core": _core(package),
        "vivado.tcl": _VIVADO.substitute(
            names,
            **_VENDORS[package.language],
            part=_PARTS["vivado"],
            memories="".join(f"read_mem [file join $here {name}]\n" for name in package.memories),
        ),
        "quartus.tcl": _QUARTUS.substitute(
            names,
            **_VENDORS[package.language],
            family=_PARTS["family"],
            device=_PARTS["device"],
        ),
    }
    if package.language == "verilog":
        files[f"{package.top}.vlt"] = _WAIVERS.format(**names)
    return files
