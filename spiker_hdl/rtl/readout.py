"""The answer of a sample: a score for each class, and the winner."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Network, Readout
from spiker_hdl.model.graph import SPIKE_READOUTS
from spiker_hdl.model.scores import class_count, score_range
from spiker_hdl.rtl.population.neuron_update import range_shape
from spiker_hdl.rtl.streams.events import AddressEvent

__all__ = ["ReadoutCore", "ReadoutResult", "score_shape"]


def score_shape(network: Network, readout: Readout) -> Shape:
    """Return the shape of a score."""
    low, high = score_range(network, readout)
    # Scores that are always zero have a bit too: their array is addressed.
    return range_shape(low, high) if low or high else unsigned(1)


class ReadoutResult(data.StructLayout):
    """What a readout says of a sample.

    Parameters
    ----------
    classes : int
        Number of classes.
    score : Shape
    max_steps : int
        Most steps of a sample.

    Members
    -------
    winner : unsigned
        Class with the greatest score, the lowest of those that share it.
    scores : ArrayLayout(score, classes)
    steps : unsigned
        Time steps of the sample so far.
    answer : unsigned(1)
        Whether the sample or a window ends here.
    last : unsigned(1)
        Whether the sample ends here.
    """

    def __init__(self, classes: int, score: Shape, max_steps: int):
        super().__init__({
            "winner": range(classes),
            "scores": data.ArrayLayout(score, classes),
            "steps": range(max_steps + 1),
            "answer": 1,
            "last": 1,
        })


class ReadoutCore(wiring.Component):
    """Keep the scores, and the best of them so far, so that the last token has the answer.

    An event takes a cycle. The result comes the cycle after the last token was taken, which waits
    while a result before it has not been taken.

    Parameters
    ----------
    network : Network
    readout : Readout
    stepwise : bool
        Whether every token has a result, and windows are told apart.

    Members
    -------
    i : In(stream.Signature(AddressEvent))
        Spikes of the population, those of a step in any order, or its potentials in every step, in
        ascending order.
    window : In(range(max_steps + 1))
        Steps after which the scores start anew, if ``stepwise``; 0 for never.
    o : Out(stream.Signature(ReadoutResult))
    """

    i: stream.Interface
    window: Signal
    o: stream.Interface

    def __init__(self, network: Network, readout: Readout, *, stepwise: bool = False):
        check_kind("Readout", readout, Readout)
        self.network = network
        self.readout = readout
        self.stepwise = stepwise
        population = network.population[readout.population]
        self.classes = class_count(network, readout)
        self.share = population.size // self.classes
        self.score = score_shape(network, readout)
        self.spikes = readout.kind in SPIKE_READOUTS
        value = unsigned(0)
        if not self.spikes:
            ends = network.bounds[population.name].states[population.neuron.potential]
            value = range_shape(*ends)
        super().__init__({
            "i": In(stream.Signature(AddressEvent(population.size, value))),
            "window": In(range(network.max_steps + 1)),
            "o": Out(stream.Signature(ReadoutResult(self.classes, self.score, network.max_steps))),
        })

    def elaborate(self, platform):
        m = Module()

        scores = Signal(data.ArrayLayout(self.score, self.classes))
        best = Signal(self.score)
        winner = Signal(range(self.classes))
        steps = Signal(range(self.network.max_steps + 1))
        seen = Signal(self.classes)
        early = Signal()  # in a step before, of this window
        none = Signal(init=1)  # in this step
        fresh = Signal(init=1)  # in this window
        left = Signal(range(self.network.max_steps + 1))
        end = Signal()
        result = Signal()
        window_ends = (Mux(fresh, self.window, left) == 1) if self.stepwise else 0
        m.d.comb += end.eq(self.i.p.end & (self.i.p.last | window_ends))
        m.d.comb += result.eq(self.i.p.end if self.stepwise else end)
        m.d.comb += self.i.ready.eq(~result | ~self.o.valid | self.o.ready)
        advance = self.i.ready & self.i.valid

        # The winner is kept up to date with each event, and so known without a search.
        address, begins, whole = self.locate(m, advance)
        before = scores[address]
        if self.readout.kind == "first":
            # Events of a step come in any order: the first step that has some decides.
            score, better = before, ~early & (none | (address < winner))
        elif self.readout.kind == "count":
            score = before + 1
            better = (score > best) | ((score == best) & (address < winner))
        else:
            score = self.add(before, begins, fresh)
            better = whole & (none | (score > best))
        final = Signal.like(scores)
        m.d.comb += final.eq(scores)
        if self.readout.kind == "first":
            for n in range(self.classes):
                m.d.comb += final[n].eq(scores[n] + seen[n])

        with m.If(advance & ~self.i.p.end):
            m.d.sync += [scores[address].eq(score), none.eq(none & ~whole)]
            m.d.sync += seen.bit_select(address, 1).eq(1)
            with m.If(better):
                m.d.sync += [best.eq(score), winner.eq(address)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance & self.i.p.end):
            m.d.sync += [scores.eq(final), steps.eq(steps + 1), fresh.eq(0), none.eq(1)]
            m.d.sync += [early.eq(seen.any()), left.eq(Mux(fresh, self.window, left) - 1)]
            with m.If(self.i.p.last):
                m.d.sync += steps.eq(0)
        with m.If(advance & result):
            m.d.sync += [self.o.p.winner.eq(winner), self.o.p.scores.eq(final), self.o.valid.eq(1)]
            m.d.sync += [self.o.p.steps.eq(steps + 1), self.o.p.last.eq(self.i.p.last)]
            m.d.sync += self.o.p.answer.eq(end)
        with m.If(advance & end):
            m.d.sync += [scores.eq(0), best.eq(0), winner.eq(0), fresh.eq(1), seen.eq(0)]
            m.d.sync += early.eq(0)

        return m

    def locate(self, m, advance):
        """Return the event's class, and whether the event is the first and the last of it now."""
        address = self.i.p.address
        if self.share == 1:
            return address, Const(1), Const(1)
        group = Signal(range(self.classes))
        if self.spikes:
            ends = range(self.share, self.classes * self.share, self.share)
            m.d.comb += group.eq(sum(address >= end for end in ends))
            return group, Const(1), Const(1)
        # Potentials come in ascending order, so that counting says whose they are.
        place = Signal(range(self.share))
        whole = place == self.share - 1
        with m.If(advance & self.i.p.end):
            m.d.sync += group.eq(0)
        with m.Elif(advance):
            m.d.sync += [place.eq(Mux(whole, 0, place + 1)), group.eq(group + whole)]
        return group, place == 0, whole

    def add(self, before, begins, fresh):
        """Return the score that the event's potential makes of the one before."""
        value = self.i.p.value
        return {
            "last": lambda: Mux(begins, 0, before) + value,
            "sum": lambda: before + value,
            "largest": lambda: Mux(fresh | (value > before), value, before),
        }[self.readout.kind]()
