"""VHDL-2008 of a netlist."""
