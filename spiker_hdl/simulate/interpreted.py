"""Cycle by cycle in Amaranth's own simulator."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from amaranth import Value
from amaranth.sim import Simulator

from spiker_hdl.model import AnswerPolicy, Mapping, Network, Result, check_record, stimulus
from spiker_hdl.model.mapping.reload import beats_between
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
        Populations whose spikes, and ``"population.state"`` whose states, are wanted.
    reports : Reports
        When a sample is answered.
    progress : callable, optional
        Called with the number of samples done, as they are.
    back_to_back : bool
        Whether a sample is offered as soon as the one before has been taken, not only after the
        result of that: cycles then count the time that it waits inside.
    pauses : (callable, callable), optional
        Asked in each cycle whether the sources, and whether the sink, should pause.
    built : Network, optional
        That for which the accelerator is built, and in whose place the network is loaded first:
        see :mod:`spiker_hdl.model.mapping.reload`. Without one, the network is loaded only where
        there is memory without contents.

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
    given = stimulus(network, spikes, window=reports.window)
    record = check_record(network, record)
    if back_to_back:
        check_back_to_back(reports, given.steps)
    observed = [*dict.fromkeys(name.split(".")[0] for name in record)]
    accelerator = Accelerator(
        network if built is None else built, mapping, observe=observed, stepwise=reports.stepwise
    )
    # Memory without contents is loaded, too.
    loads = built is not None or accelerator.mapping != accelerator.mapping.filled
    words = beats_between(built or network, network, accelerator.mapping) if loads else []
    bench = _Bench(accelerator, given, reports, back_to_back, pauses, progress, words)
    bench.limit = partial(allowance, network, accelerator.mapping.filled, given, range(len(given)))
    simulator = Simulator(accelerator)
    simulator.add_clock(PERIOD)
    for node in network.inputs:
        simulator.add_testbench(bench.source(node))
    simulator.add_testbench(bench.sink())
    if words:
        simulator.add_testbench(bench.loader())
    for name in observed:
        simulator.add_testbench(bench.observer(name), background=True)
    simulator.add_testbench(bench.watchman(), background=True)
    simulator.run()
    found = [unpack(accelerator, payload) for payload in bench.results]
    answers = given.steps // reports.window if reports.window else np.ones(len(given), dtype=int)
    result = gather(accelerator, found, answers, reports, "amaranth")
    traces = {name: _trace(network, bench, name, given.steps, result.steps) for name in record}
    return replace(result, spikes=traces)


class _Bench:
    """Sources, sink and observers of a simulation."""

    def __init__(self, accelerator, given, reports, back_to_back, pauses, progress, words):
        self.accelerator = accelerator
        self.given = given
        self.reports = reports
        self.back_to_back = back_to_back
        self.pauses = pauses or (lambda: False, lambda: False)
        self.progress = progress
        self.words = words
        self.results: list[int] = []
        self.moves = 0
        self.held_back = False
        self.limit: Callable[..., int] = lambda **_: SLACK
        every = reports.window
        self.wanted = int((given.steps // every).sum()) if every else len(given)
        self.outcomes: dict[str, list[int]] = {name: [] for name in accelerator.observe}

    def source(self, node):
        port = getattr(self.accelerator, self.accelerator.ports[node.name])
        payload = Value.cast(port.payload)
        idle = self.accelerator.idle

        async def offer(ctx):
            while self.words:
                await ctx.tick()
            for n in range(len(self.given)):
                self.held_back = True
                while not (
                    self.back_to_back or (ctx.get(idle) and not ctx.get(self.accelerator.o.valid))
                ):
                    await ctx.tick()
                self.held_back = False
                if self.reports.stepwise:
                    self.configure(ctx, int(self.given.steps[n]))
                sample = self.given.values[node.name][n]
                for beat in payloads(self.accelerator, node, sample):
                    while self.pauses[0]():
                        await ctx.tick()
                    ctx.set(payload, beat)
                    ctx.set(port.valid, 1)
                    ready = 0
                    while not ready:
                        *_, ready = await ctx.tick().sample(port.ready)
                    ctx.set(port.valid, 0)
                    self.moves += 1

        return offer

    def watchman(self):
        """Return what looks now and then whether anything has moved."""

        async def watch(ctx):
            moves, quiet, limit = 0, 0, None
            while True:
                await ctx.delay(SLACK // 4 * PERIOD)
                quiet = quiet + SLACK // 4 if moves == self.moves else 0
                moves = self.moves
                if quiet > SLACK and limit is None:
                    limit = self.limit(back_to_back=self.back_to_back)
                if limit is not None and quiet > limit:
                    probes = self.accelerator.probes
                    ends = [(one.source, one.sink) for one in probes]
                    bits = [tuple(map(ctx.get, one.signals)) for one in probes]
                    rest = range(min(len(self.results), len(self.given) - 1), len(self.given))
                    raise stalled(rest, quiet, ends, bits, held_back=self.held_back)

        return watch

    def loader(self):
        port = self.accelerator.load

        async def load(ctx):
            ctx.set(port.valid, 1)
            while self.words:
                ctx.set(Value.cast(port.payload), self.words[0])
                ready = 0
                while not ready:
                    *_, ready = await ctx.tick().sample(port.ready)
                del self.words[0]
                self.moves += 1
            ctx.set(port.valid, 0)

        return load

    def configure(self, ctx, steps):
        """Tell the accelerator when to answer a sample of ``steps``."""
        early = self.reports.early
        ctx.set(self.accelerator.window, self.reports.window or 0)
        ctx.set(self.accelerator.length, steps)
        ctx.set(self.accelerator.exact, early == "exact")
        ctx.set(self.accelerator.margin, early if isinstance(early, int) else 0)

    def sink(self):
        port = self.accelerator.o
        payload = Value.cast(port.payload)

        async def take(ctx):
            while len(self.results) < self.wanted:
                while self.pauses[1]():
                    await ctx.tick()
                ctx.set(port.ready, 1)
                valid = found = 0
                while not valid:
                    *_, valid, found = await ctx.tick().sample(port.valid, payload)
                ctx.set(port.ready, 0)
                self.results.append(found)
                self.moves += 1
                if self.progress is not None:
                    self.progress(1)

        return take

    def observer(self, name):
        port = getattr(self.accelerator, f"observe_{self.accelerator.names[name]}")
        payload = Value.cast(port)

        async def watch(ctx):
            while True:
                *_, valid, found = await ctx.tick().sample(port.valid, payload)
                if valid:
                    self.outcomes[name].append(found)

        return watch


def _trace(
    network: Network, bench: _Bench, name: str, steps: np.ndarray, counted: np.ndarray
) -> Any:
    population, _, state = name.partition(".")
    size = network.population[population].size
    layout = bench.accelerator.cores[population].outcome.shape()
    rows, row = [], []
    for payload in bench.outcomes[population]:
        found = layout.from_bits(payload)
        units = layout["fired"].width
        row += (
            [int(one[state]) for one in found.states]
            if state
            else [found.fired >> n & 1 for n in range(units)]
        )
        if len(row) >= size:
            rows.append(row[:size])
            row = []
    whole = np.array(rows, dtype=np.int64 if state else np.uint8)
    samples = np.split(whole, np.cumsum(steps)[:-1])
    samples = [sample[:count] for sample, count in zip(samples, counted, strict=True)]
    return np.stack(samples) if len(set(counted.tolist())) == 1 else samples
