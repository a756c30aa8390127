"""Yosys's intermediate language: read, changed and written."""
