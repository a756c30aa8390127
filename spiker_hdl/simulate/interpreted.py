"""Cycle-by-cycle simulation of the accelerator in Amaranth's own simulator."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from amaranth import Value
from amaranth.sim import Simulator

from spiker_hdl.model import AnswerPolicy, Mapping, Network, Result, check_record, stimulus
from spiker_hdl.model.mapping.layout import in_network_order, neuron_order
from spiker_hdl.model.mapping.reload import beats_between
from spiker_hdl.model.reference import event_type
from spiker_hdl.payloads.beats import check_back_to_back, gather, payloads, unpack
from spiker_hdl.rtl import Accelerator

from .stall import SLACK, allowance, stalled

__all__ = ["run"]

AT_THE_END = AnswerPolicy()
PERIOD = 1e-6
Pause = Callable[[], bool]


def run(
    network: Network,
    spikes: Any,
    *,
    mapping: Mapping | None = None,
    record: Sequence[str] = (),
    reports: AnswerPolicy = AT_THE_END,
    progress: Callable[[int], None] | None = None,
    back_to_back: bool = False,
    pauses: tuple[Pause, Pause] | None = None,
    built: Network | None = None,
) -> Result:
    """Run samples through the accelerator in Amaranth's simulator.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
    mapping : Mapping, optional
    record : sequence of str
        Populations whose spikes are recorded, and ``"population.state"`` for a state.
    reports : AnswerPolicy
        When samples are answered.
    progress : callable, optional
        Function that is called with the number of samples that were finished since the last call.
    back_to_back : bool
        Whether a sample is offered as soon as the previous one has entered, and not only after its
        result: cycles then include the time that a sample waits inside.
    pauses : (callable, callable), optional
        Functions that are called in each cycle, and return whether the sources, and whether the
        sink, pause.
    built : Network, optional
        Network for which the accelerator is built, before the memories are written with those of
        ``network``: see :mod:`spiker_hdl.model.mapping.reload`. Without it, memories are written
        only if one has no initial contents.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If the spikes, the names to record or the mapping are not what the network has.
    SimulationError
        If the accelerator waits for ever: see :mod:`~.stall`.
    """
    reports.check(network)
    stimuli = stimulus(network, spikes, window=reports.window)
    record = check_record(network, record)
    if back_to_back:
        check_back_to_back(reports, stimuli.steps)
    observed = [*dict.fromkeys(name.split(".")[0] for name in record)]
    accelerator = Accelerator(
        network if built is None else built, mapping, observe=observed, stepwise=reports.stepwise
    )
    # Memory without initial contents must be written too.
    loads = built is not None or accelerator.mapping != accelerator.mapping.filled
    words = beats_between(built or network, network, accelerator.mapping) if loads else []
    bench = _Bench(accelerator, stimuli, reports, back_to_back, pauses, progress, words)
    bench.limit = partial(
        allowance, network, accelerator.mapping.filled, stimuli, range(len(stimuli))
    )
    simulator = Simulator(accelerator)
    simulator.add_clock(PERIOD)
    for node in network.inputs:
        simulator.add_testbench(bench.source(node))
    simulator.add_testbench(bench.sink())
    if words:
        simulator.add_testbench(bench.loader())
    for name in observed:
        simulator.add_testbench(bench.observer(name), background=True)
    simulator.add_testbench(bench.stall_detector(), background=True)
    simulator.run()
    results = [unpack(accelerator, payload) for payload in bench.results]
    answers = (
        stimuli.steps // reports.window if reports.window else np.ones(len(stimuli), dtype=int)
    )
    result = gather(accelerator, results, answers, reports, "amaranth")
    traces = {name: _trace(network, bench, name, stimuli.steps, result.steps) for name in record}
    return replace(result, spikes=traces)


class _Bench:
    """The sources, the sink and the observers of a simulation."""

    def __init__(self, accelerator, stimuli, reports, back_to_back, pauses, progress, words):
        self.accelerator = accelerator
        self.stimuli = stimuli
        self.reports = reports
        self.back_to_back = back_to_back
        self.pauses = pauses or (lambda: False, lambda: False)
        self.progress = progress
        self.words = words
        self.results: list[int] = []
        self.transfers = 0
        self.held_back = False
        self.limit: Callable[..., int] = lambda **_: SLACK
        window = reports.window
        self.result_count = int((stimuli.steps // window).sum()) if window else len(stimuli)
        self.outcomes: dict[str, list[int]] = {name: [] for name in accelerator.observe}

    def source(self, node):
        port = getattr(self.accelerator, self.accelerator.ports[node.name])
        payload = Value.cast(port.payload)
        idle = self.accelerator.idle

        async def offer(ctx):
            # Memories are written before the first sample.
            while self.words:
                await ctx.tick()
            for n in range(len(self.stimuli)):
                # Unless samples are offered back to back, each waits until the previous one has
                # been answered and has left the accelerator.
                self.held_back = True
                while not (
                    self.back_to_back or (ctx.get(idle) and not ctx.get(self.accelerator.o.valid))
                ):
                    await ctx.tick()
                self.held_back = False
                if self.reports.stepwise:
                    self.configure(ctx, int(self.stimuli.steps[n]))
                sample = self.stimuli.values[node.name][n]
                for beat in payloads(self.accelerator, node, sample):
                    while self.pauses[0]():
                        await ctx.tick()
                    # Valid and payload stay until the beat is transferred.
                    ctx.set(payload, beat)
                    ctx.set(port.valid, 1)
                    ready = 0
                    while not ready:
                        *_, ready = await ctx.tick().sample(port.ready)
                    ctx.set(port.valid, 0)
                    self.transfers += 1

        return offer

    def stall_detector(self):
        """Return a test bench that raises an error when nothing is transferred for too long."""

        async def watch(ctx):
            transfers, quiet, limit = 0, 0, None
            while True:
                await ctx.delay(SLACK // 4 * PERIOD)
                quiet = quiet + SLACK // 4 if transfers == self.transfers else 0
                transfers = self.transfers
                # The timing model is slow: it is asked only when the fixed limit is passed.
                if quiet > SLACK and limit is None:
                    limit = self.limit(back_to_back=self.back_to_back)
                if limit is not None and quiet > limit:
                    probes = self.accelerator.probes
                    ends = [(probe.source, probe.sink) for probe in probes]
                    bits = [tuple(map(ctx.get, probe.signals)) for probe in probes]
                    rest = range(min(len(self.results), len(self.stimuli) - 1), len(self.stimuli))
                    raise stalled(rest, quiet, ends, bits, held_back=self.held_back)

        return watch

    def loader(self):
        """Return a test bench that writes the memories."""
        port = self.accelerator.load

        async def load(ctx):
            ctx.set(port.valid, 1)
            while self.words:
                ctx.set(Value.cast(port.payload), self.words[0])
                ready = 0
                while not ready:
                    *_, ready = await ctx.tick().sample(port.ready)
                del self.words[0]
                self.transfers += 1
            ctx.set(port.valid, 0)

        return load

    def configure(self, ctx, steps):
        """Set the ports that say when a sample of ``steps`` is answered."""
        early = self.reports.early
        ctx.set(self.accelerator.window, self.reports.window or 0)
        ctx.set(self.accelerator.length, steps)
        ctx.set(self.accelerator.exact, early == "exact")
        ctx.set(self.accelerator.margin, early if isinstance(early, int) else 0)

    def sink(self):
        port = self.accelerator.o
        payload = Value.cast(port.payload)

        async def take(ctx):
            while len(self.results) < self.result_count:
                while self.pauses[1]():
                    await ctx.tick()
                ctx.set(port.ready, 1)
                valid = result = 0
                while not valid:
                    *_, valid, result = await ctx.tick().sample(port.valid, payload)
                ctx.set(port.ready, 0)
                self.results.append(result)
                self.transfers += 1
                if self.progress is not None:
                    self.progress(1)

        return take

    def observer(self, name):
        port = getattr(self.accelerator, f"observe_{self.accelerator.names[name]}")
        payload = Value.cast(port)

        async def watch(ctx):
            while True:
                *_, valid, outcome = await ctx.tick().sample(port.valid, payload)
                if valid:
                    self.outcomes[name].append(outcome)

        return watch


def _trace(
    network: Network, bench: _Bench, name: str, steps: np.ndarray, counted: np.ndarray
) -> Any:
    """Return the spikes or a state of a population in the steps before a sample was answered."""
    population, _, state = name.partition(".")
    size = network.population[population].size
    layout = bench.accelerator.cores[population].outcome.shape()
    rows, row = [], []
    for payload in bench.outcomes[population]:
        outcome = layout.from_bits(payload)
        units = layout["fired"].width
        if state:
            row += [int(values[state]) for values in outcome.states]
        elif "values" in layout.members:
            row += [int(outcome["values"][n]) for n in range(units)]
        else:
            row += [outcome.fired >> n & 1 for n in range(units)]
        if len(row) >= size:
            rows.append(row[:size])
            row = []
    kind = np.int64 if state else event_type(network.population[population].neuron)
    order = neuron_order(network, bench.accelerator.mapping, population)
    whole = in_network_order(order, np.array(rows, dtype=kind))
    samples = np.split(whole, np.cumsum(steps)[:-1])
    samples = [sample[:count] for sample, count in zip(samples, counted, strict=True)]
    return np.stack(samples) if len(set(counted.tolist())) == 1 else samples
