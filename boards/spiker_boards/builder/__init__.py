"""From a network and a board to a bitstream, or to a project for a vendor."""
