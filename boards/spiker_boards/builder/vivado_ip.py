"""For a Zynq: IPs of the accelerator and its mailbox, and scripts that place them by the ARM."""

from pathlib import Path
from string import Template
from typing import Any

from spiker_boards.target import Target
from spiker_hdl.base.files.atomic_directory import NEW, replacing, write_files
from spiker_hdl.base.identifiers import identifiers
from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.link.axi.mailbox import AxiLink, Mailbox
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.protocol.registers import MAILBOX_AT

__all__ = ["write_ip"]

_PACKAGE = Template("""\
# Packages the accelerator of $network and its mailbox as IPs, each in a directory beside this file:
#
#   vivado -mode batch -source package_ip.tcl
set here [file dirname [file normalize [info script]]]

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

proc pin {core name kind mode port} {
  set one [ipx::add_bus_interface $$name $$core]
  set_property abstraction_type_vlnv xilinx.com:signal:$${kind}_rtl:1.0 $$one
  set_property bus_type_vlnv xilinx.com:signal:$${kind}:1.0 $$one
  set_property interface_mode $$mode $$one
  set_property physical_name $$name [ipx::add_port_map $$port $$one]
  return $$one
}

proc begin {here name} {
  create_project -in_memory -part $part
  add_files -norecurse [file join $$here $$name.v]
  set_property top $$name [current_fileset]
  update_compile_order -fileset sources_1
  ipx::package_project -root_dir [file join $$here packaged $$name] -vendor spiker \\
    -library networks -taxonomy /Spiker -import_files -force
  set core [ipx::current_core]
  set_property name $$name $$core
  set_property version $version $$core
  foreach one [ipx::get_bus_interfaces -of_objects $$core] {
    ipx::remove_bus_interface [get_property name $$one] $$core
  }
  foreach one [ipx::get_memory_maps -of_objects $$core] {
    ipx::remove_memory_map [get_property name $$one] $$core
  }
  return $$core
}

proc finish {core buses} {
  set clock [pin $$core aclk clock slave CLK]
  set_property value $$buses [ipx::add_bus_parameter ASSOCIATED_BUSIF $$clock]
  set_property value aresetn [ipx::add_bus_parameter ASSOCIATED_RESET $$clock]
  set reset [pin $$core aresetn reset slave RST]
  set_property value ACTIVE_LOW [ipx::add_bus_parameter POLARITY $$reset]
  ipx::update_checksums $$core
  ipx::save_core $$core
  close_project
}
$cores""")

_CORE = Template("""
set core [begin $$here $name]
set_property display_name {$title} $$core
$lines
finish $$core $buses
""")

_REGISTERS = """\
set irq [pin $core interrupt interrupt master INTERRUPT]
set_property value EDGE_RISING [ipx::add_bus_parameter SENSITIVITY $irq]
set map [ipx::add_memory_map s_axil $core]
set_property slave_memory_map_ref s_axil [ipx::get_bus_interfaces s_axil -of_objects $core]
set_property range 4096 [ipx::add_address_block registers $map]"""

_SYSTEM = Template("""\
# A system for $title with the packaged IPs and the ARM, up to the bitstream:
#
#   vivado -mode batch -source package_ip.tcl
#   vivado -mode batch -source system.tcl
#
# It is built in the directory system; system.bit and system.hwh, beside this file, go to the board.
set here [file dirname [file normalize [info script]]]
create_project system [file join $$here system] -part $part -force
set_property ip_repo_paths [file join $$here packaged] [current_project]
update_ip_catalog

create_bd_design system
set arm [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 arm]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
  -config {make_external "FIXED_IO, DDR" apply_board_preset 0} $$arm
set_property -dict [list CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $megahertz \\
  CONFIG.PCW_USE_FABRIC_INTERRUPT 1 CONFIG.PCW_IRQ_F2P_INTR 1] $$arm
create_bd_cell -type ip -vlnv spiker:networks:$network:$version network
create_bd_cell -type ip -vlnv spiker:networks:$mailbox:$version mailbox
connect_bd_intf_net [get_bd_intf_pins mailbox/m_axis] [get_bd_intf_pins network/s_axis]
connect_bd_intf_net [get_bd_intf_pins network/m_axis] [get_bd_intf_pins mailbox/s_axis]
connect_bd_net [get_bd_pins mailbox/interrupt] [get_bd_pins arm/IRQ_F2P]
apply_bd_automation -rule xilinx.com:bd_rule:axi4 \\
  -config [list Master /arm/M_AXI_GP0 Clk /arm/FCLK_CLK0] [get_bd_intf_pins mailbox/s_axil]
connect_bd_net [get_bd_pins arm/FCLK_CLK0] [get_bd_pins network/aclk]
connect_bd_net [get_bd_pins mailbox/aresetn] [get_bd_pins network/aresetn]
set segment [get_bd_addr_segs -of_objects [get_bd_addr_spaces arm/Data]]
set_property offset $at $$segment
set_property range 4K $$segment
validate_bd_design
save_bd_design

make_wrapper -files [get_files system.bd] -top -import
set_property top system_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
set run [get_runs impl_1]
if {[get_property PROGRESS $$run] ne "100%"} {
  error "no bitstream was made: [get_property STATUS $$run]"
}
if {[get_property STATS.WNS $$run] < 0} {
  error "timing is not met"
}
set bitstream [file join [get_property DIRECTORY $$run] system_wrapper.bit]
file copy -force $$bitstream [file join $$here system.bit]
set handoff [glob -directory [file join $$here system] \\
  system.*/sources_1/bd/system/hw_handoff/system.hwh]
file copy -force [lindex $$handoff 0] [file join $$here system.hwh]
""")


def write_ip(link: Link, target: Target, directory: Path, *, frequency: int) -> None:
    """Write accelerator and mailbox as IPs with AXI ports, and scripts that connect the ARM.

    Parameters
    ----------
    link : Link
        With the accelerator; not elaborated before.
    target : Target
        A Zynq.
    directory : Path
        New or empty; it appears whole or not at all.
    frequency : int
        In Hz.

    Raises
    ------
    ValueError
        If there is something in it.
    """
    with replacing(directory, NEW) as stage:
        write_files(stage, _ip_files(link, target, frequency))


def _ip_files(link: Link, target: Target, frequency: int) -> dict[str, str]:
    """Return the files by name."""
    name = link.accelerator.network.name
    title = identifiers([name])[name]  # without characters that mean something to Tcl
    platform = target.platform()
    files: dict[str, str] = {}
    cores = [
        _core("spiker_network", f"Spiking network {title}", AxiLink(link), files),
        _core("spiker_mailbox", "Mailbox for bytes", Mailbox(), files, _REGISTERS),
    ]
    names = {
        "network": "spiker_network",
        "mailbox": "spiker_mailbox",
        "part": f"{platform.device}{platform.package}-{platform.speed}",
        "version": "1.0",
        "title": target.title,
        "megahertz": f"{frequency / 1e6:g}",
        "at": f"0x{MAILBOX_AT:08X}",
    }
    package = _PACKAGE.substitute(names | {"network": title, "cores": "".join(cores)})
    return {**files, "package_ip.tcl": package, "system.tcl": _SYSTEM.substitute(names)}


def _core(name: str, title: str, inner: Any, files: dict[str, str], *lines: str) -> str:
    """Add a component as Verilog to the files; return the Tcl that packages it."""
    source = to_verilog(AxiTop(inner), name)
    files[f"{name}.v"] = source.text
    buses: dict[str, list[str]] = {}
    for port in source.ports:
        bus, double, signal = port.partition("__")
        if double:
            buses.setdefault(bus, []).append(signal)
    commands = [
        f"bus $core {bus} {'aximm' if bus == 's_axil' else 'axis'} "
        f"{'master' if bus == 'm_axis' else 'slave'} {{{' '.join(signals)}}}"
        for bus, signals in buses.items()
    ]
    return _CORE.substitute(
        name=name, title=title, lines="\n".join([*commands, *lines]), buses=":".join(buses)
    )
