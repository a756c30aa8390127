"""Damaged files for every reader of the project, and what the readers make of them."""

import re
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from spiker_train.network.plausibility import ImplausibleWarning

from support import mutations
from support.reader_targets import Target, registered, targets

__all__ = [
    "OverrunError",
    "Target",
    "Trials",
    "attempt",
    "fuzz",
    "limited",
    "registered",
    "targets",
]

SECONDS, BYTES = 2.0, 2**30
"""Maximum time and memory that a file may take."""


class OverrunError(BaseException):
    """A reader takes too long. It is no Exception, which the reader would catch."""


@dataclass
class Trials:
    """The outcomes of reading damaged files.

    Members
    -------
    faults : list of str
        Violations, with the number of the trial.
    outcomes : Counter
        Number of files by reader, and by whether they were read or refused.
    """

    faults: list = field(default_factory=list)
    outcomes: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0
    count: int = 0


SUFFIX = {"npz": ".npz", "_spikes": ".npz", "spoken": ".npz"}


def attempt(name, target, number, folder, trials):
    """Damage a file, as the number of the trial decides, read it, and record the outcome."""
    random = Random(f"{name}:{number}")
    seed = random.choice(target.seeds)
    if isinstance(seed, dict):
        weights = [8 if part.endswith(".json") else 1 for part in seed]
        part = random.choices([*seed], weights)[0]
        damaged = seed | {part: mutations.mutate(seed[part], random)}
    else:
        damaged = mutations.mutate(seed, random)
    if target.seal is not None and random.random() < 0.7:
        try:
            damaged = target.seal(damaged)
        except Exception:  # too damaged to have digests
            pass
    path = written(damaged, folder, name)
    try:
        outcome = read(target, path, trials)
    except OverrunError:
        outcome = "takes too long"
    if outcome not in {"read", "refused"}:
        trials.faults.append(f"{name} {number}: {outcome}")
    trials.outcomes[name, outcome if outcome in {"read", "refused"} else "fault"] += 1
    trials.count += 1


def written(damaged, folder, name):
    suffix = next((end for part, end in SUFFIX.items() if part in name), ".net")
    if isinstance(damaged, bytes):
        path = folder / f"file{suffix}"
        path.write_bytes(damaged)
        return path
    path = folder / f"directory {name}"
    for part, data in damaged.items():
        (path / part).parent.mkdir(parents=True, exist_ok=True)
        if not (path / part).exists() or (path / part).read_bytes() != data:
            (path / part).write_bytes(data)
    return path


def read(target, path, trials):
    before, began = memory(reset=True), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 5 * SECONDS)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ImplausibleWarning)  # the library's own
            target.call(path)
        outcome = f"warns: {warned[0].message}" if warned else "read"
    except target.kinds as error:
        outcome = _judged(error, path)
    except OverrunError:
        raise
    except BaseException as error:
        outcome = f"raises {type(error).__name__}: {str(error)[:200]!r}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds, size = time.process_time() - began, memory() - before
    trials.slowest, trials.largest = max(trials.slowest, seconds), max(trials.largest, size)
    if size > BYTES:
        return f"takes {size} bytes"
    return f"takes {seconds:.1f} s" if seconds > SECONDS else outcome


def _judged(error, path):
    """Return whether an error is a refusal, or what is wrong with it."""
    from spiker_hdl.base import FileError

    text = str(error)
    if isinstance(error, FileError):
        if str(path) not in text:
            return f"does not name the file: {text[:300]!r}"
        if not text.isprintable() or len(text) > 800 + len(str(path)):
            return f"says what no message may: {text[:300]!r}"
    return "refused"


def memory(reset=False):
    """Return the peak memory since the last reset, on systems that report it."""
    if not sys.platform.startswith("linux"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if reset:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", text)[1])


@contextmanager
def limited():
    """Interrupt a reader that takes too long."""

    def overrun(number, frame):
        raise OverrunError

    before = signal.signal(signal.SIGPROF, overrun)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def fuzz(folder, count, start=0, known=None, trials=None, tell=lambda n: None):
    """Damage ``count`` files, from trial ``start`` on; return the outcomes."""
    known = targets(folder) if known is None else known
    trials = Trials() if trials is None else trials
    with limited():
        names = sorted(known)
        for n in range(start, start + count):
            name = names[n % len(names)]
            attempt(name, known[name], n // len(names), folder, trials)
            tell(n)
    return trials
