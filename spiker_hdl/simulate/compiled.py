"""Cycle-by-cycle simulation of the accelerator's Verilog, compiled to machine code."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import (
    Answer,
    AnswerPolicy,
    Mapping,
    Network,
    Result,
    Stimulus,
    check_record,
    stimulus,
)
from spiker_hdl.model.mapping.layout import in_network_order, neuron_order
from spiker_hdl.model.mapping.reload import beats_between
from spiker_hdl.payloads.beats import check_back_to_back, totals
from spiker_hdl.payloads.bits import take, unpacked
from spiker_hdl.payloads.design import Payload

from .model_pool import ModelPool, Part, Runner, groups
from .shared_library import Build, VerilogDesign, build, build_verilog
from .stall import SimulationError, allowance

__all__ = ["SimulationError", "VerilogDesign", "run"]

AT_THE_END = AnswerPolicy()
CHUNK = 32
"""Samples that a thread runs at a time."""


def run(
    network: Network,
    spikes: Any,
    *,
    mapping: Mapping | None = None,
    record: Sequence[str] = (),
    reports: AnswerPolicy = AT_THE_END,
    progress: Callable[[int], None] | None = None,
    back_to_back: bool = False,
    workers: int | None = None,
    tool: str | None = None,
    verilog: VerilogDesign | None = None,
    built: Network | Build | None = None,
) -> Result:
    """Run samples through the accelerator, compiled; the first run of a design builds it.

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
        result: cycles then include the time that a sample waits inside. One thread runs them all.
    workers : int, optional
        Number of threads that share the samples; one for each core by default.
    tool : str, optional
        ``"verilator"`` or ``"cxxrtl"``; the first that is installed by default.
    verilog : VerilogDesign, optional
        Verilog to compile, in place of Verilog that is written from the network. Its ports say
        what can be recorded and whether answers may come early.
    built : Network or Build, optional
        Network for which the accelerator is built, before the memories are written with those of
        ``network``: see :mod:`spiker_hdl.model.mapping.reload`. Or a library to run, in place of
        one that is built from the network.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If the spikes, the names to record or the mapping are not what the network has.
    BuildError
        If a tool is missing.
    SimulationError
        If the accelerator waits for ever: see :mod:`~.stall`.
    """
    reports.check(network)
    stimuli = stimulus(network, spikes, window=reports.window)
    record = check_record(network, record)
    if back_to_back:
        check_back_to_back(reports, stimuli.steps)
    observed = [*dict.fromkeys(name.split(".")[0] for name in record)]
    if workers is not None:
        workers = check_int("Workers", workers, 1)
    mapping = Mapping.default(network) if mapping is None else mapping.filled
    words: list[int] = []
    if isinstance(built, Build):
        compiled = built
    elif verilog is not None:
        compiled = build_verilog(verilog, tool=tool)
    else:
        base = network if built is None else built
        words = [] if built is None else beats_between(built, network, mapping)
        compiled = build(base, mapping, observe=observed, stepwise=reports.stepwise, tool=tool)
    size = len(stimuli) if back_to_back else CHUNK
    chunks = [range(n, min(n + size, len(stimuli))) for n in range(0, len(stimuli), size)]

    def limit(chunk: range) -> int:
        return allowance(network, mapping, stimuli, chunk, back_to_back=back_to_back)

    runner = Runner(network, stimuli, reports, compiled.design, back_to_back)
    with ModelPool(compiled, min(len(chunks), workers or _cores()), limit, words) as models:
        parts = models.run(runner, chunks, progress)
    return _gather(network, mapping, compiled, parts, stimuli, record, reports)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


# -- results ---------------------------------------------------------------------------


def _gather(
    network: Network,
    mapping: Mapping,
    compiled: Build,
    parts: Sequence[Part],
    stimuli: Stimulus,
    record: Sequence[str],
    reports: AnswerPolicy,
) -> Result:
    design = compiled.design
    bits = unpacked(np.concatenate([part.results for part in parts]))
    answers = np.ones(len(stimuli), dtype=np.int64)
    if reports.window:
        answers = stimuli.steps // reports.window
    ends = np.cumsum(answers)
    equal = len(set(answers.tolist())) == 1

    def by_sample(name: str) -> Any:
        values = take(bits, design.result.field[name])
        if reports.window is None:
            return values
        samples = np.split(values, ends[:-1])
        return np.stack(samples) if equal else samples

    def total(name: str) -> np.ndarray:
        field = design.result.field[name]
        return totals(take(bits, field), field.width, ends)

    scored = {
        name: Answer(by_sample(f"{field}.winner"), by_sample(f"{field}.scores"))
        for name, field in design.readouts.items()
    }
    steps = total(f"{design.readouts[network.readout.name]}.steps")
    traces = {}
    for name in record:
        traces[name] = _trace(network, mapping, design.observed, parts, name, stimuli.steps, steps)
    return Result(
        scored[network.readout.name].classes,
        scored[network.readout.name].scores,
        steps,
        {name: total(field) for name, field in design.counts.items()},
        traces,
        take(bits[ends - 1], design.result.field["cycles"]),
        scored,
        "compiled",
        network,
    )


def _trace(
    network: Network,
    mapping: Mapping,
    observed: Sequence[Payload],
    parts: Sequence[Part],
    name: str,
    steps: np.ndarray,
    counted: np.ndarray,
) -> Any:
    """Return the spikes or a state of a population in the steps before a sample was answered."""
    population, _, state = name.partition(".")
    (layout,) = [payload for payload in observed if payload.node == population]
    size = network.population[population].size
    units = layout.field["fired"].width
    rows = []
    for part in parts:
        bits = unpacked(part.outcomes[population])
        if state:
            fields = [layout.field[f"states.{n}.{state}"] for n in range(units)]
            values = np.stack([take(bits, field) for field in fields], axis=1)
        elif "values" in layout.field:
            values = take(bits, layout.field["values"])
        else:
            place = layout.field["fired"].offset
            values = bits[:, place : place + units]
        values = values.reshape(-1, groups(network, layout) * units)[:, :size]
        rows.append(in_network_order(neuron_order(network, mapping, population), values))
    samples = np.split(np.concatenate(rows), np.cumsum(steps)[:-1])
    samples = [sample[:count] for sample, count in zip(samples, counted, strict=True)]
    return np.stack(samples) if len(set(counted.tolist())) == 1 else samples
