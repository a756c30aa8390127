"""Cycle by cycle in machine code: the emitted Verilog, compiled."""

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from queue import SimpleQueue
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
from spiker_hdl.model.stimulus import transmitted
from spiker_hdl.payloads.beats import check_back_to_back, totals
from spiker_hdl.payloads.bits import beats_of, take, unpacked
from spiker_hdl.payloads.design import Payload

from .shared_library import Build, VerilogDesign, build, build_verilog, load_library
from .stall import SOURCE, SimulationError, allowance, stalled

__all__ = ["SimulationError", "VerilogDesign", "run"]

AT_THE_END = AnswerPolicy()
CHUNK = 32
"""Samples that one thread takes at a time."""

QUICK = 100_000
"""Cycles without anything after which it is worth while to ask how many there may be."""


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
    built: Build | None = None,
) -> Result:
    """Run samples through the accelerator, compiled; the first run of a design builds it.

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
        result of that: cycles then count the time that it waits inside. One thread does it all.
    workers : int, optional
        Threads that share the samples; one for each core by default.
    tool : str, optional
        ``"verilator"`` or ``"cxxrtl"``; the first that is installed by default.
    verilog : VerilogDesign, optional
        Verilog to compile, in place of Verilog that is written from the network. Its ports say
        what can be recorded and whether answers may come early.
    built : Build, optional
        Library to run, in place of one that is built from the network.

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
    given = stimulus(network, spikes, window=reports.window)
    record = check_record(network, record)
    if back_to_back:
        check_back_to_back(reports, given.steps)
    observed = [*dict.fromkeys(name.split(".")[0] for name in record)]
    if workers is not None:
        workers = check_int("Workers", workers, 1)
    if built is not None:
        made = built
    elif verilog is not None:
        made = build_verilog(verilog, tool=tool)
    else:
        made = build(network, mapping, observe=observed, stepwise=reports.stepwise, tool=tool)
    size = len(given) if back_to_back else CHUNK
    chunks = [range(n, min(n + size, len(given))) for n in range(0, len(given), size)]
    placed = Mapping.default(network) if mapping is None else mapping.filled

    def limit(chunk: range) -> int:
        return allowance(network, placed, given, chunk, back_to_back=back_to_back)

    with _Models(made, min(len(chunks), workers or _cores()), limit) as models:
        parts = models.run(network, given, reports, chunks, back_to_back, progress)
    return _gather(network, made, parts, given, record, reports)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class _Job(ctypes.Structure):
    """What the harness calls ``Job``."""

    _fields_ = (
        ("samples", ctypes.c_uint64),
        ("timeout", ctypes.c_uint64),
        ("back_to_back", ctypes.c_uint64),
        ("beats", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("answers", ctypes.c_void_p),
        ("config", ctypes.c_void_p),
        ("results", ctypes.c_void_p),
        ("outcomes", ctypes.c_void_p),
        ("wanted", ctypes.c_void_p),
        ("cycles", ctypes.c_uint64),
        ("offers", ctypes.c_void_p),
        ("probe", ctypes.c_void_p),
        ("held_back", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class _Part:
    """What a chunk of samples answered: bits of results, and of outcomes by population."""

    results: np.ndarray
    outcomes: dict[str, np.ndarray]


class _Models:
    """Several copies of a compiled accelerator, each for one thread at a time."""

    def __init__(self, made: Build, count: int, limit: Callable[[range], int]):
        self.made = made
        self.count = count
        self.limit = limit
        self.timeout = min(QUICK, made.design.timeout)
        self.library = load_library(made.library)
        self.library.spiker_make.restype = ctypes.c_void_p
        self.library.spiker_drop.argtypes = [ctypes.c_void_p]
        self.library.spiker_run.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Job)]
        self.idle: SimpleQueue[int] = SimpleQueue()

    def __enter__(self) -> "_Models":
        for _ in range(self.count):
            self.idle.put(self.library.spiker_make())
        return self

    def __exit__(self, *_: object) -> None:
        while not self.idle.empty():
            self.library.spiker_drop(self.idle.get())

    def run(
        self,
        network: Network,
        given: Stimulus,
        reports: AnswerPolicy,
        chunks: Sequence[range],
        back_to_back: bool,
        progress: Callable[[int], None] | None,
    ) -> list[_Part]:
        """Run chunks of samples; return what each answered, in order."""
        with ThreadPoolExecutor(self.count) as pool:
            jobs = {
                pool.submit(self._chunk, network, given, reports, chunk, back_to_back): chunk
                for chunk in chunks
            }
            try:
                for job in as_completed(jobs):
                    job.result()
                    if progress is not None:
                        progress(len(jobs[job]))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return [job.result() for job in jobs]

    def _chunk(
        self,
        network: Network,
        given: Stimulus,
        reports: AnswerPolicy,
        chunk: range,
        back_to_back: bool,
    ) -> _Part:
        design = self.made.design
        steps = given.steps[chunk.start : chunk.stop]
        answers = np.ones(len(chunk), dtype=np.uint64)
        if reports.window:
            answers = (steps // reports.window).astype(np.uint64)
        answers = np.cumsum(answers, dtype=np.uint64)
        nodes = {node.name: node for node in network.inputs}
        inputs = [
            beats_of(
                one.fields,
                one.width,
                [transmitted(nodes[one.node], given.values[one.node][n]) for n in chunk],
                nodes[one.node].static,
            )
            for one in design.inputs
        ]
        results = np.zeros((int(answers[-1]), design.result.words), dtype=np.uint32)
        wanted = np.array(
            [int(steps.sum()) * _groups(network, one) for one in design.observed] + [0],
            dtype=np.uint64,
        )
        outcomes = [
            np.zeros((int(count), one.words), dtype=np.uint32)
            for one, count in zip(design.observed, wanted, strict=False)
        ]
        beats, ends = [each[0] for each in inputs], [each[1] for each in inputs]
        config = _config(reports, steps)
        offers = np.zeros((len(inputs), 2), dtype=np.uint32)
        probe = np.zeros(-(-2 * len(design.probes) // 32) + 1, dtype=np.uint32)
        tables = [_addresses(each) for each in (beats, ends, outcomes)]
        job = _Job(
            samples=len(chunk),
            timeout=self.timeout,
            back_to_back=back_to_back,
            beats=ctypes.addressof(tables[0]),
            ends=ctypes.addressof(tables[1]),
            answers=answers.ctypes.data,
            config=config.ctypes.data,
            results=results.ctypes.data,
            outcomes=ctypes.addressof(tables[2]),
            wanted=wanted.ctypes.data,
            offers=offers.ctypes.data,
            probe=probe.ctypes.data,
        )
        model = self.idle.get()
        try:
            failed = self.library.spiker_run(model, ctypes.byref(job))
            if failed and (limit := self.limit(chunk)) > job.timeout:
                # Nothing is wrong yet: such samples may take so long.
                job.timeout = self.timeout = max(limit, self.timeout)
                failed = self.library.spiker_run(model, ctypes.byref(job))
        finally:
            self.idle.put(model)
        if failed:
            ends = [(SOURCE, f"input {one.node!r}") for one in design.inputs]
            bits = np.unpackbits(probe.view(np.uint8), bitorder="little")[: 2 * len(design.probes)]
            seen = [(int(v), int(r)) for v, r in [*offers, *bits.reshape(-1, 2)]]
            raise stalled(
                chunk,
                job.timeout,
                [*ends, *design.probes],
                seen,
                held_back=bool(job.held_back),
            )
        named = {one.node: each for one, each in zip(design.observed, outcomes, strict=True)}
        return _Part(results, named)


def _addresses(arrays: Sequence[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * (len(arrays) + 1))(*(one.ctypes.data for one in arrays), None)


def _config(reports: AnswerPolicy, steps: np.ndarray) -> np.ndarray:
    """Return what an accelerator that may answer early is told of each sample."""
    early = reports.early
    config = np.zeros((len(steps), 4), dtype=np.uint32)
    config[:, 0] = reports.window or 0
    config[:, 1] = steps
    config[:, 2] = early if isinstance(early, int) else 0
    config[:, 3] = early == "exact"
    return config


def _groups(network: Network, one: Payload) -> int:
    """Return in how many outcomes a population's step comes."""
    return -(-network.population[one.node].size // one.field["fired"].width)


# -- what was answered ---------------------------------------------------------------------------


def _gather(
    network: Network,
    made: Build,
    parts: Sequence[_Part],
    given: Stimulus,
    record: Sequence[str],
    reports: AnswerPolicy,
) -> Result:
    design = made.design
    bits = unpacked(np.concatenate([one.results for one in parts]))
    answers = np.ones(len(given), dtype=np.int64)
    if reports.window:
        answers = given.steps // reports.window
    ends = np.cumsum(answers)
    whole = len(set(answers.tolist())) == 1

    def spread(field: str) -> Any:
        each = take(bits, design.result.field[field])
        if reports.window is None:
            return each
        samples = np.split(each, ends[:-1])
        return np.stack(samples) if whole else samples

    def total(field: str) -> np.ndarray:
        found = design.result.field[field]
        return totals(take(bits, found), found.width, ends)

    scored = {
        name: Answer(spread(f"{field}.winner"), spread(f"{field}.scores"))
        for name, field in design.readouts.items()
    }
    steps = total(f"{design.readouts[network.readout.name]}.steps")
    traces = {}
    for name in record:
        traces[name] = _trace(network, design.observed, parts, name, given.steps, steps)
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
    observed: Sequence[Payload],
    parts: Sequence[_Part],
    name: str,
    steps: np.ndarray,
    counted: np.ndarray,
) -> Any:
    """Return the spikes or a state of a population, as far as samples were answered."""
    population, _, state = name.partition(".")
    (layout,) = [one for one in observed if one.node == population]
    size = network.population[population].size
    units = layout.field["fired"].width
    rows = []
    for part in parts:
        bits = unpacked(part.outcomes[population])
        if state:
            each = [take(bits, layout.field[f"states.{n}.{state}"]) for n in range(units)]
            found = np.stack(each, axis=1)
        else:
            place = layout.field["fired"].offset
            found = bits[:, place : place + units]
        rows.append(found.reshape(-1, _groups(network, layout) * units)[:, :size])
    samples = np.split(np.concatenate(rows), np.cumsum(steps)[:-1])
    samples = [sample[:count] for sample, count in zip(samples, counted, strict=True)]
    return np.stack(samples) if len(set(counted.tolist())) == 1 else samples
