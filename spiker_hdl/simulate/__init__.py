"""The engines behind :func:`spiker_hdl.run`."""
