"""What is on the FPGA around the accelerator."""
