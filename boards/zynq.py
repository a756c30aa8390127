"""For a Zynq: the accelerator as an IP with AXI ports, and scripts that package and place it."""

import json
from pathlib import Path
from string import Template

from spiker_hdl.emit import emit
from spiker_hdl.model import Mapping, Network

from .target import Target

__all__ = ["write_ip"]

_PACKAGE = Template("""\
# Packages the accelerator of $network as an IP, into the directory packaged beside this file:
#
#   vivado -mode batch -source package_ip.tcl
set here [file dirname [file normalize [info script]]]
set made [file join $$here packaged]

create_project -in_memory -part $part
add_files -norecurse [file join $$here $top.v]
set_property top $top [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir $$made -vendor spiker -library networks -taxonomy /Spiker \\
  -import_files -force
set core [ipx::current_core]
set_property name $top $$core
set_property version $version $$core
set_property display_name {Spiking network $network} $$core

proc bus {core name kind mode signals} {
  set one [ipx::add_bus_interface $$name $$core]
  set_property abstraction_type_vlnv xilinx.com:interface:$${kind}_rtl:1.0 $$one
  set_property bus_type_vlnv xilinx.com:interface:$${kind}:1.0 $$one
  set_property interface_mode $$mode $$one
  foreach signal $$signals {
    set map [ipx::add_port_map [string toupper $$signal] $$one]
    set_property physical_name $${name}_$${signal} $$map
  }
}

foreach one [ipx::get_bus_interfaces -of_objects $$core] {
  ipx::remove_bus_interface [get_property name $$one] $$core
}
$buses
set clock [ipx::add_bus_interface aclk $$core]
set_property abstraction_type_vlnv xilinx.com:signal:clock_rtl:1.0 $$clock
set_property bus_type_vlnv xilinx.com:signal:clock:1.0 $$clock
set_property interface_mode slave $$clock
set_property physical_name aclk [ipx::add_port_map CLK $$clock]
set_property value {$associated} [ipx::add_bus_parameter ASSOCIATED_BUSIF $$clock]
set_property value aresetn [ipx::add_bus_parameter ASSOCIATED_RESET $$clock]
set reset [ipx::add_bus_interface aresetn $$core]
set_property abstraction_type_vlnv xilinx.com:signal:reset_rtl:1.0 $$reset
set_property bus_type_vlnv xilinx.com:signal:reset:1.0 $$reset
set_property interface_mode slave $$reset
set_property physical_name aresetn [ipx::add_port_map RST $$reset]
set_property value ACTIVE_LOW [ipx::add_bus_parameter POLARITY $$reset]

set map [ipx::add_memory_map s_axil $$core]
set_property slave_memory_map_ref s_axil [ipx::get_bus_interfaces s_axil -of_objects $$core]
set_property range 4096 [ipx::add_address_block registers $$map]
ipx::update_checksums $$core
ipx::save_core $$core
""")

_SYSTEM = Template("""\
# A system for $title with the packaged IP, $dmas and the ARM, up to the bitstream:
#
#   vivado -mode batch -source package_ip.tcl
#   vivado -mode batch -source system.tcl
#
# It is built in the directory system beside this file. Put system.bit and system.hwh on the board.
set here [file dirname [file normalize [info script]]]
create_project system [file join $$here system] -part $part -force
set_property ip_repo_paths [file join $$here packaged] [current_project]
update_ip_catalog

create_bd_design system
set arm [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 arm]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
  -config {make_external "FIXED_IO, DDR" apply_board_preset 0} $$arm
set_property -dict [list CONFIG.PCW_USE_S_AXI_HP0 1 \\
  CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $megahertz] $$arm
set network [create_bd_cell -type ip -vlnv spiker:networks:$top:$version network]
$cells
foreach port {$managed} {
  apply_bd_automation -rule xilinx.com:bd_rule:axi4 -config \\
    [list Master /arm/M_AXI_GP0 Clk /arm/FCLK_CLK0] [get_bd_intf_pins $$port]
}
foreach port {$masters} {
  apply_bd_automation -rule xilinx.com:bd_rule:axi4 -config \\
    [list Master $$port Slave /arm/S_AXI_HP0 Clk /arm/FCLK_CLK0] [get_bd_intf_pins arm/S_AXI_HP0]
}
$wires
validate_bd_design
save_bd_design

make_wrapper -files [get_files system.bd] -top -import
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property STATS.WNS [get_runs impl_1]] < 0} {
  error "timing is not met"
}
""")


def write_ip(
    network: Network, mapping: Mapping, target: Target, directory: Path, *, frequency: int
) -> None:
    """Write the accelerator with AXI ports, and what packages it and puts it beside the ARM.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    target : Target
        A Zynq.
    directory : Path
        Made if need be.
    frequency : int
        In Hz.
    """
    manifest = emit(network, directory, mapping=mapping, ports="axis", period=1e9 / frequency)
    said = json.loads(manifest.read_text())
    widths = {one["name"]: one["width"] for one in said["ports"]}
    buses: dict[str, list[str]] = {}
    for name in widths:
        bus, _, signal = name.rpartition("_")
        if bus:
            buses.setdefault(bus, []).append(signal)
    lines = [
        f"bus $core {name} {'aximm' if name == 's_axil' else 'axis'} "
        f"{'master' if name == 'm_axis' else 'slave'} {{{' '.join(signals)}}}"
        for name, signals in buses.items()
    ]
    inputs = [name for name in buses if name.startswith("s_axis")]
    part = f"{target.device.lower().split('-')[0]}clg400-1"
    names = {
        "network": network.name,
        "top": said["top"],
        "part": part,
        "version": "1.0",
        "title": target.title,
        "megahertz": f"{frequency / 1e6:g}",
    }
    cells, managed, masters, wires, clocked = [], ["network/s_axil"], [], [], []
    for n, name in enumerate(inputs):
        # The first also brings the results back.
        back = n == 0
        cells += [
            f"set dma_{n} [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma_{n}]",
            f"set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_include_stscntrl_strm 0 "
            f"CONFIG.c_include_mm2s 1 CONFIG.c_include_s2mm {int(back)} "
            f"CONFIG.c_m_axis_mm2s_tdata_width 8] $dma_{n}",
            *_converter(f"in_{n}", 1, widths[f"{name}_tdata"] // 8),
        ]
        managed.append(f"dma_{n}/S_AXI_LITE")
        masters += [f"/dma_{n}/M_AXI_MM2S", *([f"/dma_{n}/M_AXI_S2MM"] if back else [])]
        wires += [
            _wire(f"dma_{n}/M_AXIS_MM2S", f"in_{n}/S_AXIS"),
            _wire(f"in_{n}/M_AXIS", f"network/{name}"),
        ]
        clocked.append(f"in_{n}")
    cells += _converter("out", widths["m_axis_tdata"] // 8, 4)
    wires += [_wire("network/m_axis", "out/S_AXIS"), _wire("out/M_AXIS", "dma_0/S_AXIS_S2MM")]
    for name in (*clocked, "out"):
        wires += [
            f"connect_bd_net [get_bd_pins arm/FCLK_CLK0] [get_bd_pins {name}/aclk]",
            f"connect_bd_net [get_bd_pins network/aresetn] [get_bd_pins {name}/aresetn]",
        ]
    texts = {
        "package_ip.tcl": _PACKAGE.substitute(
            names,
            buses="\n".join(lines),
            associated=":".join(buses),
        ),
        "system.tcl": _SYSTEM.substitute(
            names,
            dmas="a DMA for each stream" if len(inputs) > 1 else "a DMA",
            cells="\n".join(cells),
            managed=" ".join(managed),
            masters=" ".join(masters),
            wires="\n".join(wires),
        ),
    }
    for name, text in texts.items():
        (directory / name).write_text(text)


def _converter(name: str, before: int, after: int) -> list[str]:
    # DMAs know powers of two alone.
    return [
        f"set {name} [create_bd_cell -type ip -vlnv xilinx.com:ip:axis_dwidth_converter {name}]",
        f"set_property -dict [list CONFIG.S_TDATA_NUM_BYTES {before} "
        f"CONFIG.M_TDATA_NUM_BYTES {after} CONFIG.HAS_TLAST 1] ${name}",
    ]


def _wire(source: str, sink: str) -> str:
    return f"connect_bd_intf_net [get_bd_intf_pins {source}] [get_bd_intf_pins {sink}]"
