"""Plain streams around a design that has AXI, for what drives and reads plain streams."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Template

__all__ = ["Inlet", "adapted_ports", "adapter", "adapter_name"]


@dataclass(frozen=True)
class Inlet:
    """A stream as both sides know it.

    Members
    -------
    port : str
        Name of the plain stream: ``i``, ``i_NAME`` or ``o``.
    axis : str
        Name of the stream that has ``tdata``, as Amaranth gives it.
    width, tdata : int
        Bits of the payload, and of ``tdata``.
    """

    port: str
    axis: str
    width: int
    tdata: int


def adapter_name(top: str) -> str:
    """Return the name of the module around the design."""
    return f"{top}_streams"


def adapted_ports(inlets: Iterable[Inlet]) -> dict[str, str]:
    """Return the names of the adapter's ports, by those that an accelerator has in Amaranth."""
    streams = [one.port for one in inlets]
    return {
        **{one: one for one in ("clk", "rst", "idle")},
        **{f"{s}__{one}": f"{s}_{one}" for s in streams for one in ("payload", "valid", "ready")},
    }


_VERILOG = Template("""\
// Plain streams around $top; its registers are left alone.
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
-- Plain streams around $top; its registers are left alone.

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
    """Return the text of a module with plain streams around one with AXI.

    Parameters
    ----------
    language : {"verilog", "vhdl"}
    top : str
        Name of the module within.
    ports : mapping of str to str
        Names of its ports, by those in Amaranth.
    inlets : iterable of Inlet
        Its streams, the results last.
    widths : mapping of str to int
        Bits of each port, by its name in Amaranth.
    """
    *inputs, result = inlets
    make = _verilog if language == "verilog" else _vhdl
    lite = [name for name in ports if name.startswith("s_axil__")]
    return make(top, ports, inputs, result, lite, widths)


def _is_input(name: str) -> bool:
    """Tell which way a port of AXI4-Lite's subordinate goes."""
    one = name.partition("__")[2]
    if one in {"bready", "rready"}:
        return True
    return one[0] in "aw" and not one.endswith("ready")


def _verilog(top, ports, inputs, result, lite, widths) -> str:
    declarations = ""
    links = {"aclk": "clk", "aresetn": "!rst", "idle": "idle"}
    for one in inputs:
        declarations += (
            f"  input [{one.width - 1}:0] {one.port}_payload,\n"
            f"  input {one.port}_valid,\n  output {one.port}_ready,\n"
        )
        filling = one.tdata - one.width + 1
        data = f"{one.port}_payload[{one.width - 2}:0]"
        links |= {
            f"{one.axis}__tdata": f"{{{filling}'d0, {data}}}" if filling else data,
            f"{one.axis}__tlast": f"{one.port}_payload[{one.width - 1}]",
            f"{one.axis}__tvalid": f"{one.port}_valid",
            f"{one.axis}__tready": f"{one.port}_ready",
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
    for one in inputs:
        declarations += (
            f"    {one.port}_payload : in std_logic_vector({one.width - 1} downto 0);\n"
            f"    {one.port}_valid : in std_logic;\n    {one.port}_ready : out std_logic;\n"
        )
        constants += f"  signal {one.port}_tdata : std_logic_vector({one.tdata - 1} downto 0);\n"
        high = one.width - 2
        assignments.append(
            f"{one.port}_tdata({high} downto 0) <= {one.port}_payload({high} downto 0);"
        )
        if one.tdata > one.width - 1:
            assignments.append(
                f"{one.port}_tdata({one.tdata - 1} downto {one.width - 1}) <= (others => '0');"
            )
        links |= {
            f"{one.axis}__tdata": f"{one.port}_tdata",
            f"{one.axis}__tlast": f"{one.port}_payload({one.width - 1})",
            f"{one.axis}__tvalid": f"{one.port}_valid",
            f"{one.axis}__tready": f"{one.port}_ready",
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
