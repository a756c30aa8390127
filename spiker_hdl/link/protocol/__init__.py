"""What goes over the link between host and board, in plain Python."""
