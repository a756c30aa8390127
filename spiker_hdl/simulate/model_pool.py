"""Copies of a compiled accelerator that share samples among threads, and the memory of each run."""

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from spiker_hdl.model import AnswerPolicy, Network, Stimulus
from spiker_hdl.model.stimulus import transmitted
from spiker_hdl.payloads.bits import beats_of
from spiker_hdl.payloads.design import DesignPorts, Payload

from .shared_library import Build, load_library
from .stall import SOURCE, SimulationError, stalled

__all__ = ["ModelPool", "Part", "Runner", "groups"]

FIRST_TIMEOUT = 100_000
"""Cycles without a transfer after which the timing model is asked how many there may be."""


class _Job(ctypes.Structure):
    """The structure ``Job`` of :mod:`~.cpp_harness`."""

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
        ("outcome_counts", ctypes.c_void_p),
        ("cycles", ctypes.c_uint64),
        ("offers", ctypes.c_void_p),
        ("probes", ctypes.c_void_p),
        ("held_back", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class Part:
    """The words of a chunk's results, and of its outcomes by population."""

    results: np.ndarray
    outcomes: dict[str, np.ndarray]


@dataclass(frozen=True)
class Runner:
    """Samples and how they are run; prepares the memory that the compiled model reads and writes.

    Members
    -------
    network : Network
    stimuli : Stimulus
    reports : AnswerPolicy
    design : DesignPorts
    back_to_back : bool
    """

    network: Network
    stimuli: Stimulus
    reports: AnswerPolicy
    design: DesignPorts
    back_to_back: bool

    def buffers(self, chunk: range) -> "_Buffers":
        """Return the beats of some samples, and arrays for their results."""
        steps = self.stimuli.steps[chunk.start : chunk.stop]
        answers = np.ones(len(chunk), dtype=np.uint64)
        if self.reports.window:
            answers = (steps // self.reports.window).astype(np.uint64)
        answers = np.cumsum(answers, dtype=np.uint64)
        inputs = [self._beats(payload, chunk) for payload in self.design.inputs]
        expected = [
            int(steps.sum()) * groups(self.network, payload) for payload in self.design.observed
        ]
        # C++ has no arrays of length 0.
        outcome_counts = np.array([*expected, 0], dtype=np.uint64)
        probes = -(-2 * len(self.design.probes) // 32) + 1
        return _Buffers(
            beats=[beats for beats, _ in inputs],
            ends=[ends for _, ends in inputs],
            answers=answers,
            config=_config(self.reports, steps),
            results=np.zeros((int(answers[-1]), self.design.result.words), dtype=np.uint32),
            outcomes=[
                np.zeros((count, payload.words), dtype=np.uint32)
                for payload, count in zip(self.design.observed, expected, strict=True)
            ],
            outcome_counts=outcome_counts,
            offers=np.zeros((len(inputs), 2), dtype=np.uint32),
            probes=np.zeros(probes, dtype=np.uint32),
        )

    def _beats(self, payload: Payload, chunk: range) -> tuple[np.ndarray, np.ndarray]:
        (node,) = [node for node in self.network.inputs if node.name == payload.node]
        values = self.stimuli.values[node.name]
        samples = [transmitted(node, values[n]) for n in chunk]
        return beats_of(payload.fields, payload.width, samples, node.static)

    def stall(self, chunk: range, job: _Job, buffers: "_Buffers") -> SimulationError:
        """Return the error that says what waits for what."""
        ends = [(SOURCE, f"input {payload.node!r}") for payload in self.design.inputs]
        count = 2 * len(self.design.probes)
        bits = np.unpackbits(buffers.probes.view(np.uint8), bitorder="little")[:count]
        handshakes = [*buffers.offers, *bits.reshape(-1, 2)]
        return stalled(
            chunk,
            job.timeout,
            [*ends, *self.design.probes],
            [(int(valid), int(ready)) for valid, ready in handshakes],
            held_back=bool(job.held_back),
        )


@dataclass(frozen=True, eq=False)
class _Buffers:
    """Arrays that the compiled model reads and writes while it runs a chunk of samples."""

    beats: list[np.ndarray]
    ends: list[np.ndarray]
    answers: np.ndarray
    config: np.ndarray
    results: np.ndarray
    outcomes: list[np.ndarray]
    outcome_counts: np.ndarray
    offers: np.ndarray
    probes: np.ndarray

    def tables(self) -> list[ctypes.Array]:
        """Return tables of the addresses of beats, ends and outcomes, which must outlive a run."""
        return [_addresses(arrays) for arrays in (self.beats, self.ends, self.outcomes)]


class ModelPool:
    """Several copies of a compiled accelerator, each for one thread at a time.

    Parameters
    ----------
    made : Build
    count : int
    limit : callable
        Returns, for a chunk of samples, the number of cycles that may pass without a transfer.
    words : sequence of int
        Beats that are loaded into the memories of each copy before its first sample.
    """

    def __init__(
        self,
        made: Build,
        count: int,
        limit: Callable[[range], int],
        words: Sequence[int] = (),
    ):
        self.count = count
        beats = np.asarray(words, dtype=np.uint64)
        self.beats = beats[:, None] >> np.array([0, 32], dtype=np.uint64) & np.uint64(2**32 - 1)
        self.beats = np.ascontiguousarray(self.beats, dtype=np.uint32)
        self.limit = limit
        self.timeout = min(FIRST_TIMEOUT, made.design.timeout)
        self.library = load_library(made.library)
        self.library.spiker_make.restype = ctypes.c_void_p
        self.library.spiker_drop.argtypes = [ctypes.c_void_p]
        self.library.spiker_run.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Job)]
        self.free: SimpleQueue[int] = SimpleQueue()

    def __enter__(self) -> "ModelPool":
        for _ in range(self.count):
            model = self.library.spiker_make()
            self.free.put(model)
            if len(self.beats):
                load = self.library.spiker_load
                load.restype = None
                load.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
                load(model, self.beats.ctypes.data, len(self.beats))
        return self

    def __exit__(self, *_: object) -> None:
        while not self.free.empty():
            self.library.spiker_drop(self.free.get())

    def run(
        self, runner: Runner, chunks: Sequence[range], progress: Callable[[int], None] | None
    ) -> list[Part]:
        """Run chunks of samples; return the results of each, in order."""
        with ThreadPoolExecutor(self.count) as pool:
            jobs = {pool.submit(self._chunk, runner, chunk): chunk for chunk in chunks}
            try:
                for job in as_completed(jobs):
                    job.result()
                    if progress is not None:
                        progress(len(jobs[job]))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return [job.result() for job in jobs]

    def _chunk(self, runner: Runner, chunk: range) -> Part:
        buffers = runner.buffers(chunk)
        beats, ends, outcomes = buffers.tables()
        job = _Job(
            samples=len(chunk),
            timeout=self.timeout,
            back_to_back=runner.back_to_back,
            beats=ctypes.addressof(beats),
            ends=ctypes.addressof(ends),
            answers=buffers.answers.ctypes.data,
            config=buffers.config.ctypes.data,
            results=buffers.results.ctypes.data,
            outcomes=ctypes.addressof(outcomes),
            outcome_counts=buffers.outcome_counts.ctypes.data,
            offers=buffers.offers.ctypes.data,
            probes=buffers.probes.ctypes.data,
        )
        model = self.free.get()
        try:
            failed = self.library.spiker_run(model, ctypes.byref(job))
            if failed and (limit := self.limit(chunk)) > job.timeout:
                # These samples may take longer than the first timeout: nothing is wrong yet.
                job.timeout = self.timeout = max(limit, self.timeout)
                failed = self.library.spiker_run(model, ctypes.byref(job))
        finally:
            self.free.put(model)
        if failed:
            raise runner.stall(chunk, job, buffers)
        observed = [payload.node for payload in runner.design.observed]
        return Part(buffers.results, dict(zip(observed, buffers.outcomes, strict=True)))


def _addresses(arrays: Sequence[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * (len(arrays) + 1))(*(array.ctypes.data for array in arrays), None)


def _config(reports: AnswerPolicy, steps: np.ndarray) -> np.ndarray:
    """Return, for each sample, the values of the ports that say when it is answered."""
    early = reports.early
    config = np.zeros((len(steps), 4), dtype=np.uint32)
    config[:, 0] = reports.window or 0
    config[:, 1] = steps
    config[:, 2] = early if isinstance(early, int) else 0
    config[:, 3] = early == "exact"
    return config


def groups(network: Network, payload: Payload) -> int:
    """Return in how many outcomes the step of a population comes."""
    return -(-network.population[payload.node].size // payload.field["fired"].width)
