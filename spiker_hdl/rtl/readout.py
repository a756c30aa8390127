"""The answer to a sample: a score for each class, and the winner."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Network, Readout
from spiker_hdl.model.graph import SPIKE_READOUTS
from spiker_hdl.model.scores import class_count, score_range
from spiker_hdl.rtl.common.shapes import range_shape
from spiker_hdl.rtl.streams.events import AddressEvent

__all__ = ["ReadoutCore", "ReadoutResult", "score_shape"]


def score_shape(network: Network, readout: Readout) -> Shape:
    """Return the shape of the scores of a readout."""
    low, high = score_range(network, readout)
    # Scores that are always zero have one bit, since an array of them is addressed.
    return range_shape(low, high) if low or high else unsigned(1)


class ReadoutResult(data.StructLayout):
    """Result of a readout for a sample, a window of it or a step.

    Parameters
    ----------
    classes : int
        Number of classes.
    score : Shape
        Shape of a score.
    max_steps : int
        Maximum number of steps of a sample.

    Members
    -------
    winner : unsigned
        Class with the highest score; among equals, the lowest number.
    scores : ArrayLayout(score, classes)
        Score of each class.
    steps : unsigned
        Time steps of the sample so far.
    answer : unsigned(1)
        Whether the sample or a window ends with this step.
    last : unsigned(1)
        Whether the sample ends with this step.
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
    """Scores of the classes, and the best of them so far, so that no search is needed at the end.

    One event in each cycle. The result is valid in the cycle after the token of the sample's last
    step was taken; that token waits until the result before it has been taken. Results come in the
    order of the samples. After reset all scores are zero and a sample begins.

    Parameters
    ----------
    network : Network
        Network to which the readout belongs.
    readout : Readout
        How scores are computed, and from which population.
    stepwise : bool
        Whether there is a result for every step, and windows are supported.

    Members
    -------
    i : In(stream.Signature(AddressEvent))
        Spikes of the population, in any order within a step; or the potential of every neuron in
        every step, in ascending order.
    window : In(range(max_steps + 1))
        If ``stepwise``: number of steps after which the scores are cleared, or 0. It is sampled in
        every step, and must not change during a sample.
    o : Out(stream.Signature(ReadoutResult))
        Result of each sample; of each step, if ``stepwise``.
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

        # State of the window so far; all of it is set back in the cycle in which the window ends.
        scores = Signal(data.ArrayLayout(self.score, self.classes))
        best = Signal(self.score)
        winner = Signal(range(self.classes))
        steps = Signal(range(self.network.max_steps + 1))  # of the sample that have ended
        seen = Signal(self.classes)  # classes that have had a spike
        early = Signal()  # an earlier step of this window has had an event
        none = Signal(init=1)  # this step has not had one
        fresh = Signal(init=1)  # this step is the first of its window
        left = Signal(range(self.network.max_steps + 1))  # steps of the window, including this one
        end = Signal()
        result = Signal()
        # ``left`` is loaded with the window's first step, in which the port itself is read instead.
        steps_left = Mux(fresh, self.window, left)
        window_ends = (steps_left == 1) if self.stepwise else 0
        m.d.comb += end.eq(self.i.p.end & (self.i.p.last | window_ends))
        m.d.comb += result.eq(self.i.p.end if self.stepwise else end)
        # Only a token with a result must wait, since that alone overwrites the output register.
        m.d.comb += self.i.ready.eq(~result | ~self.o.valid | self.o.ready)
        advance = self.i.ready & self.i.valid

        # The winner is updated with each event, so that it is known without a search.
        address, begins, whole = self.locate(m, advance)
        score, better = self._compare(
            scores[address], best, address < winner, begins, whole, (early, none, fresh)
        )
        final = self._final(m, scores, seen)

        with m.If(advance & ~self.i.p.end):
            m.d.sync += [scores[address].eq(score), none.eq(none & ~whole)]
            m.d.sync += seen.bit_select(address, 1).eq(1)
            with m.If(better):
                m.d.sync += [best.eq(score), winner.eq(address)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance & self.i.p.end):
            m.d.sync += [scores.eq(final), steps.eq(steps + 1), fresh.eq(0), none.eq(1)]
            m.d.sync += [early.eq(seen.any()), left.eq(steps_left - 1)]
            with m.If(self.i.p.last):
                m.d.sync += steps.eq(0)
        with m.If(advance & result):
            m.d.sync += [self.o.p.winner.eq(winner), self.o.p.scores.eq(final), self.o.valid.eq(1)]
            m.d.sync += [self.o.p.steps.eq(steps + 1), self.o.p.last.eq(self.i.p.last)]
            m.d.sync += self.o.p.answer.eq(end)
        # Stands behind the assignments of a token, which it overrides: the next window starts anew.
        with m.If(advance & end):
            m.d.sync += [scores.eq(0), best.eq(0), winner.eq(0), fresh.eq(1), seen.eq(0)]
            m.d.sync += early.eq(0)

        return m

    def _compare(self, before, best, lower, begins, whole, flags):
        """Return the score of the event's class, and whether that class now wins.

        Parameters
        ----------
        before, best : Value
            Scores of the class and of the winner, without this event.
        lower : Value
            Whether the class has a lower number than the winner, and so wins a tie.
        begins, whole : Value
            As :meth:`locate` returns them.
        flags : tuple of Signal
            ``early``, ``none`` and ``fresh`` of :meth:`elaborate`.
        """
        early, none, fresh = flags
        if self.readout.kind == "first":
            # Only the first step with an event decides, in which events come in any order.
            return before, ~early & (none | lower)
        if self.readout.kind == "count":
            score = before + 1
            return score, (score > best) | ((score == best) & lower)
        # Potentials ascend by class, so a later class wins only if its score is greater.
        score = self.add(before, begins, fresh)
        return score, whole & (none | (score > best))

    def _final(self, m, scores, seen):
        """Return the scores at the end of a step, which its events alone do not give."""
        final = Signal.like(scores)
        m.d.comb += final.eq(scores)
        # A class scores one for each step since its first spike, including this one.
        if self.readout.kind == "first":
            for n in range(self.classes):
                m.d.comb += final[n].eq(scores[n] + seen[n])
        return final

    def locate(self, m, advance):
        """Return the class of the event, and whether it is the first and the last of the class."""
        address = self.i.p.address
        if self.share == 1:
            return address, Const(1), Const(1)
        group = Signal(range(self.classes))
        if self.spikes:
            ends = range(self.share, self.classes * self.share, self.share)
            m.d.comb += group.eq(sum(address >= end for end in ends))
            return group, Const(1), Const(1)
        # Potentials of all neurons come in ascending order, so counting them gives the class.
        place = Signal(range(self.share))  # of the neuron within its class
        whole = place == self.share - 1
        with m.If(advance & self.i.p.end):
            m.d.sync += group.eq(0)
        with m.Elif(advance):
            m.d.sync += [place.eq(Mux(whole, 0, place + 1)), group.eq(group + whole)]
        return group, place == 0, whole

    def add(self, before, begins, fresh):
        """Return the score of a class with the event's potential taken into account."""
        value = self.i.p.value
        return {
            "last": lambda: Mux(begins, 0, before) + value,
            "sum": lambda: before + value,
            "largest": lambda: Mux(fresh | (value > before), value, before),
        }[self.readout.kind]()
