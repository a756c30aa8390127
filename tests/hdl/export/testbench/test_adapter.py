"""Tests of the adapter around a design with AXI: every port is declared and connected, once."""

import re

import pytest

from spiker_hdl.export.testbench.adapter import Inlet, adapted_ports, adapter, adapter_name

INLETS = [
    Inlet("i_a", "s_axis_a", 5, 8),
    Inlet("i_b", "s_axis_b", 9, 8),
    Inlet("o", "m_axis", 3, 8),
]
WIDTHS = {"s_axil__awaddr": 6, "s_axil__awvalid": 1, "s_axil__awready": 1}
NAMES = ["aclk", "aresetn", "idle", "s_axis_a__tlast", "s_axis_b__tlast", *WIDTHS]
NAMES += [f"{inlet.axis}__{part}" for inlet in INLETS for part in ("tdata", "tvalid", "tready")]
PORTS = {name: name.replace("__", "_") for name in NAMES}

DECLARED = {
    "verilog": r"  (?:in|out)put (?:\[\d+:0\] )?(\w+)",
    "vhdl": r"    (\w+) : (?:in|out) ",
}
CONNECTED = {"verilog": r"    \.(\w+)\((.*)\)", "vhdl": r"      (\w+) => (.*?),?\n"}

# The highest bit of a payload marks the last beat of a sample; what is never read is open, and what
# is never written is zero.
LINKS = {
    "verilog": {
        "s_axis_a_tlast": "i_a_payload[4]",
        "s_axis_b_tlast": "i_b_payload[8]",
        "s_axis_a_tvalid": "i_a_valid",
        "m_axis_tready": "o_ready",
        "s_axil_awaddr": "6'd0",
        "s_axil_awvalid": "1'd0",
        "s_axil_awready": "",
    },
    "vhdl": {
        "s_axis_a_tlast": "i_a_payload(4)",
        "s_axis_b_tlast": "i_b_payload(8)",
        "s_axis_a_tvalid": "i_a_valid",
        "m_axis_tready": "o_ready",
        "s_axil_awaddr": '"000000"',
        "s_axil_awvalid": "'0'",
        "s_axil_awready": "open",
    },
}


@pytest.mark.parametrize("language", ["verilog", "vhdl"])
def test_every_port_is_declared_and_connected_once(language):
    text = adapter(language, "net", PORTS, INLETS, WIDTHS)
    assert text.count(adapter_name("net")) == {"verilog": 1, "vhdl": 2}[language]
    declared = re.findall(DECLARED[language], text)
    assert sorted(declared) == sorted(adapted_ports(INLETS).values())
    connected = re.findall(CONNECTED[language], text)
    assert sorted(name for name, _ in connected) == sorted(PORTS.values())
    assert LINKS[language].items() <= dict(connected).items()
