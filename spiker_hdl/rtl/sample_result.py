"""The result of a sample, which joins the results of all readouts and spike counters."""

from typing import TYPE_CHECKING

from amaranth import *
from amaranth.lib import data

from .readout import ReadoutCore
from .sample_control import CYCLE_BITS, SampleControl

if TYPE_CHECKING:
    from .accelerator import Accelerator

__all__ = ["SampleResult", "collect_results"]


class SampleResult(data.StructLayout):
    """Result of a sample.

    Members
    -------
    answers : StructLayout
        A :class:`~.readout.ReadoutResult` for each readout, by its identifier.
    counts : StructLayout
        Number of spikes of each population that fires, by its identifier.
    cycles : unsigned(CYCLE_BITS)
        Latency: from the cycle in which the first beat at the first input was taken to the first
        cycle in which this result is valid.
    """

    def __init__(self, answers: dict, counts: dict):
        super().__init__({
            "answers": data.StructLayout(answers),
            "counts": data.StructLayout(counts),
            "cycles": CYCLE_BITS,
        })


def collect_results(m: Module, accelerator: "Accelerator", control: SampleControl) -> None:
    """Join the results of all readouts and counters into the result of a sample.

    A result is taken from all of them in the same cycle, once each offers one. Those that are an
    answer go to the output register of the accelerator; the others are dropped.

    Parameters
    ----------
    m : Module
        Module of the accelerator, to which the logic is added.
    accelerator : Accelerator
        Accelerator whose readouts and counters are joined.
    control : SampleControl
        Control of the samples in flight, which learns when a sample finishes.
    """
    out = accelerator.o
    parts = {
        **{
            ("answers", accelerator.readout_names[n]): readout.o
            for n, readout in accelerator.readouts.items()
        },
        **{("counts", accelerator.names[n]): c.o for n, c in accelerator.counters.items()},
    }
    first = next(iter(accelerator.readouts.values()))
    answered = Signal()  # the sample has had its early answer: what is left of it is dropped
    answers = Signal()  # these results are an answer
    ready = Signal()  # these results are taken
    decided = _decided(m, accelerator, first) if accelerator.stepwise else 0
    m.d.comb += [
        answers.eq(~answered & (first.o.p.answer | decided)),
        # Only an answer waits for the output register. A sample must have begun at every input, or
        # ``control`` would count it as finished before it was counted as in flight.
        ready.eq(
            Cat(part.valid for part in parts.values()).all()
            & (~answers | out.ready | ~out.valid)
            & control.begun
        ),
        control.finish.eq(ready & first.o.p.last),
        control.answered.eq(answered),
    ]
    with m.If(out.ready):
        m.d.sync += out.valid.eq(0)
    # Readouts and counters go on to the sample's last step, whether it was answered or not.
    with m.If(ready):
        m.d.sync += answered.eq(~first.o.p.last & (answered | decided))
    # Overrides the assignment above, so that a result can replace the one that is being taken.
    with m.If(ready & answers):
        m.d.sync += [out.valid.eq(1), out.p.cycles.eq(control.cycles)]
    for (group, name), part in parts.items():
        m.d.comb += part.ready.eq(ready)
        with m.If(ready & answers):
            m.d.sync += out.p[group][name].eq(part.p)
    for readout in accelerator.readouts.values() if accelerator.stepwise else ():
        m.d.comb += readout.window.eq(accelerator.window)


def _decided(m: Module, accelerator: "Accelerator", first: ReadoutCore):
    """Return whether the sample can be answered now, before its last step."""
    result = first.o.p
    best = result.scores[result.winner]
    # The most that another class can gain: all of its neurons fire in all steps to come.
    gain = (accelerator.length - result.steps) * first.share
    sure = Signal(first.classes)  # classes that can no longer overtake the winner
    ahead = Signal(first.classes)  # classes that the winner leads by the margin
    # Scores differ by less than 2**reach, so a margin that is greater is never reached. Only the
    # low bits of the margin are added, which keeps the adders as narrow as the scores.
    reach = Shape.cast(first.score).width
    margin, beyond = accelerator.margin[:reach], accelerator.margin[reach:].any()
    for n in range(first.classes):
        lower = n < result.winner  # wins a tie
        m.d.comb += sure[n].eq((best >= result.scores[n] + gain + lower) | (result.winner == n))
        leads = ~beyond & (best >= result.scores[n] + margin)
        m.d.comb += ahead[n].eq(leads | (result.winner == n))
    # With the first spike, no later one matters.
    certain = sure.all() if first.readout.kind == "count" else best > 0
    return (accelerator.exact & certain) | (accelerator.margin.any() & ahead.all())
