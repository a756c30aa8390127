"""An adapter with plain streams around a design with AXI, for test benches and simulations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Template

__all__ = ["Inlet", "adapted_ports", "adapter", "adapter_name"]


@dataclass(frozen=True)
class Inlet:
    """A stream as both sides of the adapter have it.

    Members
    -------
    port : str
        Name of the plain stream: ``i``, ``i_NAME`` or ``o``.
    axis : str
        Name in Amaranth of the AXI4-Stream.
    width, tdata : int
        Bits of the payload, and of ``tdata``.
    """

    port: str
    axis: str
    width: int
    tdata: int


def adapter_name(top: str) -> str:
    """Return the name of the adapter around a design."""
    return f"{top}_streams"


def adapted_ports(inlets: Iterable[Inlet]) -> dict[str, str]:
    """Return the names of the adapter's ports, by the names of an accelerator's in Amaranth."""
    return {
        **{name: name for name in ("clk", "rst", "idle")},
        **{
            f"{inlet.port}__{part}": f"{inlet.port}_{part}"
            for inlet in inlets
            for part in ("payload", "valid", "ready")
        },
    }


_VERILOG = Template("""\
// Plain streams around $top, whose AXI4-Lite registers are neither written nor read: its inputs
// there are 0.
module $name(
  input clk,
  input rst,
$declarations  output idle
);
$constants
  $top dut (
$connections
  );
endmodule
""")

_VHDL = Template("""\
-- Plain streams around $top, whose AXI4-Lite registers are neither written nor read: its inputs
-- there are 0.

library ieee;
use ieee.std_logic_1164.all;

entity $name is
  port (
    clk : in std_logic;
    rst : in std_logic;
$declarations    idle : out std_logic
  );
end entity;

architecture around of $name is
$constants
begin
  $assignments
  dut : entity work.$top
    port map (
$connections
    );
end architecture;
""")


def adapter(
    language: str, top: str, ports: Mapping[str, str], inlets: Iterable[Inlet], widths: dict
) -> str:
    """Return the text of an adapter.

    Parameters
    ----------
    language : {"verilog", "vhdl"}
    top : str
        Name of the module with AXI.
    ports : mapping of str to str
        Names of the ports of that module, by their names in Amaranth.
    inlets : iterable of Inlet
        The streams of that module, the results last.
    widths : mapping of str to int
        Bits of each port, by its name in Amaranth.
    """
    *inputs, result = inlets
    make = _verilog if language == "verilog" else _vhdl
    lite = [name for name in ports if name.startswith("s_axil__")]
    return make(top, ports, inputs, result, lite, widths)


def _is_input(name: str) -> bool:
    """Return whether a port of an AXI4-Lite subordinate is an input."""
    signal = name.partition("__")[2]
    # Address and write channels come in, but for their ready; the response channels go out.
    if signal in {"bready", "rready"}:
        return True
    return signal[0] in "aw" and not signal.endswith("ready")


def _verilog(top, ports, inputs, result, lite, widths) -> str:
    declarations = ""
    links = {"aclk": "clk", "aresetn": "!rst", "idle": "idle"}
    for inlet in inputs:
        declarations += (
            f"  input [{inlet.width - 1}:0] {inlet.port}_payload,\n"
            f"  input {inlet.port}_valid,\n  output {inlet.port}_ready,\n"
        )
        filling = inlet.tdata - inlet.width + 1
        data = f"{inlet.port}_payload[{inlet.width - 2}:0]"
        links |= {
            f"{inlet.axis}__tdata": f"{{{filling}'d0, {data}}}" if filling else data,
            f"{inlet.axis}__tlast": f"{inlet.port}_payload[{inlet.width - 1}]",
            f"{inlet.axis}__tvalid": f"{inlet.port}_valid",
            f"{inlet.axis}__tready": f"{inlet.port}_ready",
        }
    port = result.port
    declarations += (
        f"  output [{result.width - 1}:0] {port}_payload,\n"
        f"  output {port}_valid,\n  input {port}_ready,\n"
    )
    links |= {
        f"{result.axis}__tdata": "tdata",
        f"{result.axis}__tvalid": f"{port}_valid",
        f"{result.axis}__tready": f"{port}_ready",
    }
    links |= {name: f"{widths[name]}'d0" for name in lite if _is_input(name)}
    constants = (
        f"  wire [{result.tdata - 1}:0] tdata;\n"
        f"  assign {port}_payload = tdata[{result.width - 1}:0];\n"
    )
    connections = [f"    .{name}({links.get(key, '')})" for key, name in ports.items()]
    return _VERILOG.substitute(
        top=top,
        name=adapter_name(top),
        declarations=declarations,
        constants=constants,
        connections=",\n".join(connections),
    )


def _vhdl(top, ports, inputs, result, lite, widths) -> str:
    declarations, constants, assignments = "", "", []
    links = {"aclk": "clk", "aresetn": "aresetn", "idle": "idle"}
    constants += "  signal aresetn : std_logic;\n"
    assignments.append("aresetn <= not rst;")
    for inlet in inputs:
        declarations += (
            f"    {inlet.port}_payload : in std_logic_vector({inlet.width - 1} downto 0);\n"
            f"    {inlet.port}_valid : in std_logic;\n    {inlet.port}_ready : out std_logic;\n"
        )
        constants += (
            f"  signal {inlet.port}_tdata : std_logic_vector({inlet.tdata - 1} downto 0);\n"
        )
        high = inlet.width - 2
        assignments.append(
            f"{inlet.port}_tdata({high} downto 0) <= {inlet.port}_payload({high} downto 0);"
        )
        if inlet.tdata > inlet.width - 1:
            filling = f"{inlet.tdata - 1} downto {inlet.width - 1}"
            assignments.append(f"{inlet.port}_tdata({filling}) <= (others => '0');")
        links |= {
            f"{inlet.axis}__tdata": f"{inlet.port}_tdata",
            f"{inlet.axis}__tlast": f"{inlet.port}_payload({inlet.width - 1})",
            f"{inlet.axis}__tvalid": f"{inlet.port}_valid",
            f"{inlet.axis}__tready": f"{inlet.port}_ready",
        }
    port = result.port
    declarations += (
        f"    {port}_payload : out std_logic_vector({result.width - 1} downto 0);\n"
        f"    {port}_valid : out std_logic;\n    {port}_ready : in std_logic;\n"
    )
    constants += f"  signal tdata : std_logic_vector({result.tdata - 1} downto 0);\n"
    assignments.append(f"{port}_payload <= tdata({result.width - 1} downto 0);")
    links |= {
        f"{result.axis}__tdata": "tdata",
        f"{result.axis}__tvalid": f"{port}_valid",
        f"{result.axis}__tready": f"{port}_ready",
    }
    for name in lite:
        if _is_input(name):
            zero = "'0'" if widths[name] == 1 else '"' + "0" * widths[name] + '"'
            links[name] = zero
    connections = [f"      {name} => {links.get(key, 'open')}" for key, name in ports.items()]
    return _VHDL.substitute(
        top=top,
        name=adapter_name(top),
        declarations=declarations,
        constants=constants.rstrip("\n"),
        assignments="\n  ".join(assignments),
        connections=",\n".join(connections),
    )
