"""The gate of a population in which at most one neuron fires, and inhibits the others."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model.dynamics.coupling import WinnerTakeAll

__all__ = ["WinnerGate"]


class WinnerGate(wiring.Component):
    """Lets the spike of one neuron pass in each step, and tells which neurons are inhibited.

    The groups of neurons pass in ascending order, one in a cycle at most. After reset there is no
    inhibition.

    Parameters
    ----------
    coupling : WinnerTakeAll
        Its equations.
    size : int
        Number of neurons.
    units : int
        Number of neurons in a group.

    Members
    -------
    ahead : In(range(groups))
        Number of the group whose inhibition is told in this cycle.
    start : In(1)
        With ``ahead``: the step is the first of its sample.
    inhibited : Out(units)
        Whether each neuron of the group ``ahead`` is inhibited, combinational. It is that of a step
        from the cycle on after the last group of the step before has passed.
    valid : In(1)
        A group passes in this cycle; the following ports belong to it.
    group : In(range(groups))
        Its number.
    first : In(1)
        The step is the first of its sample.
    fired : In(units)
        Which of its neurons would fire by themselves.
    emitted : Out(units)
        Which of them does fire, at most one, combinational.
    """

    ahead: Signal
    start: Signal
    inhibited: Signal
    valid: Signal
    group: Signal
    first: Signal
    fired: Signal
    emitted: Signal

    def __init__(self, coupling: WinnerTakeAll, size: int, *, units: int):
        check_kind("Coupling", coupling, WinnerTakeAll)
        self.coupling = coupling
        self.size = check_int("Size", size, 1)
        self.units = check_int("Step units", units, 1, size)
        self.groups = -(-size // units)
        group = range(self.groups)
        super().__init__({
            "ahead": In(group),
            "start": In(1),
            "inhibited": Out(units),
            "valid": In(1),
            "group": In(group),
            "first": In(1),
            "fired": In(units),
            "emitted": Out(units),
        })

    def elaborate(self, platform):
        m = Module()

        steps = self.coupling.steps
        winner = Signal(data.StructLayout({"group": range(self.groups), "units": self.units}))
        left = Signal(range(steps + 1))  # steps of inhibition, this one included
        won = Signal()  # a group of this step has had the winner

        def others(group, first):
            """Return which neurons of a group are inhibited."""
            own = Mux(winner.group == group, winner.units, 0)
            return Mux((left != 0) & ~first, ~own, 0)[: self.units]

        # The last group may have fewer neurons than there are units.
        present = Cat(self.group * self.units + n < self.size for n in range(self.units))
        free = Signal()
        candidates, lowest = Signal(self.units), Signal(self.units)
        m.d.comb += [
            free.eq((left == 0) | self.first),
            self.inhibited.eq(others(self.ahead, self.start)),
            candidates.eq(self.fired & present & ~others(self.group, self.first)),
            # A carry runs up to the lowest bit that is set, which alone is set in both.
            lowest.eq(candidates & (~candidates + 1)),
            self.emitted.eq(Mux(won, 0, lowest)),
        ]
        final = self.group == self.groups - 1
        wins = won | candidates.any()
        with m.If(self.valid):
            m.d.sync += won.eq(wins & ~final)
            with m.If(free & ~won & candidates.any()):
                m.d.sync += [winner.group.eq(self.group), winner.units.eq(lowest)]
            with m.If(final):
                # The inhibition of the step in progress must not change before its last group.
                m.d.sync += left.eq(Mux(free, Mux(wins, steps, 0), left - 1))

        return m
