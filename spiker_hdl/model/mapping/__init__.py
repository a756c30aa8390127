"""How a network is mapped to hardware, and what of it can be loaded at run time."""
