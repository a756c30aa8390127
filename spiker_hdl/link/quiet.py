"""When nothing happens any more."""

from amaranth import *

__all__ = ["add_rest"]


def add_rest(m: Module, busy: Value, idle: Signal, cycles: int) -> None:
    """Raise a signal where there was no sign of work for some cycles.

    Parameters
    ----------
    m : Module
    busy : Value
        Whether there is a sign of work.
    idle : Signal
    cycles : int
        Longer than what happens without a sign.
    """
    quiet = Signal(range(cycles))
    with m.If(busy):
        m.d.sync += quiet.eq(0)
    with m.Elif(~idle):
        m.d.sync += quiet.eq(quiet + 1)
    m.d.comb += idle.eq(quiet == cycles - 1)
