"""Detection of idle gateware, by the time since its last activity."""

from amaranth import *

__all__ = ["add_idle_detector"]


def add_idle_detector(m: Module, busy: Value, idle: Signal, cycles: int) -> None:
    """Set a signal once there has been no activity for a number of cycles.

    Parameters
    ----------
    m : Module
        Module to which the detector is added.
    busy : Value
        Whether there is visible activity in this cycle.
    idle : Signal
        1 from the last of these cycles until ``busy`` has been 1 again.
    cycles : int
        Number of cycles, greater than the longest activity that ``busy`` does not show.
    """
    quiet = Signal(range(cycles))
    with m.If(busy):
        m.d.sync += quiet.eq(0)
    # The count stops at its end, since it would wrap around otherwise.
    with m.Elif(~idle):
        m.d.sync += quiet.eq(quiet + 1)
    m.d.comb += idle.eq(quiet == cycles - 1)
