"""The handshakes of the accelerator's components, for many machines in lockstep.

Each class does in NumPy what a component of ``spiker_hdl.rtl`` does with its handshakes in a cycle.
What flows is known beforehand, so that a stream is a :class:`Trace` and its readers keep places on
it: no weight is looked at. Arrays have the shape (..., machines).

Most cycles of a folded mapping only count: in them nothing moves but the turn of an event, a pause,
or the group of neurons whose word is empty. What a part ``changed`` beyond that in a cycle tells
where the next one is the same, and ``horizon`` for how many; these are skipped together.
"""

from collections.abc import Sequence

import numpy as np

from .traces import ENDS, EVENT, LAST, STEP_ENDS, Trace

__all__ = [
    "Branches",
    "Delay",
    "EventMerger",
    "Feed",
    "Part",
    "Queue",
    "Readout",
    "Scanner",
    "Serializer",
    "SparseLookup",
    "SpikeOutput",
    "Starts",
]


FAR = np.iinfo(np.int32).max
"""More cycles than anything that only counts takes."""


class Part:
    """A component whose state is arrays, the last axis for machines."""

    def changed(self) -> np.ndarray | None:
        """Tell where the last cycle changed more than counters; None for what never does alone."""
        return None

    def horizon(self) -> np.ndarray | None:
        """Return how many cycles like the last one follow, as far as this part has to say."""
        return None

    def skip(self, cycles: np.ndarray) -> None:
        """Count on for so many cycles like the last one."""

    def select(self, kept: np.ndarray) -> None:
        """Keep some machines."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[..., kept])


class Queue(Part):
    """First in, first out, with a register at its output: ``rtl.queue``.

    Attributes
    ----------
    valid : array of bool
        Where there is an item.
    place : array of int
        Which item of the stream that is.
    """

    def __init__(self, machines: int, depth: int):
        self.depth = depth
        self.inner = np.zeros(machines, np.int32)
        self.valid = np.zeros(machines, bool)
        self.place = np.zeros(machines, np.int32)

    def ready(self) -> np.ndarray:
        """Tell where an item is accepted."""
        return ~self.valid if self.depth == 1 else self.inner != self.depth - 1

    def clock(self, written: np.ndarray, taking: np.ndarray) -> None:
        """Move on, where an item was accepted, and where the reader was ready."""
        taken = self.valid & taking
        self.place += taken
        self.moved = written | taken
        if self.depth == 1:
            self.valid = (self.valid & ~taking) | written
            return
        moved = (self.inner != 0) & (~self.valid | taking)
        self.inner += written
        self.inner -= moved
        self.valid = moved | (self.valid & ~taking)
        self.moved |= moved

    def changed(self) -> np.ndarray:
        return self.moved


class Starts(Part):
    """When samples began: the queue of ``rtl.control``.

    Attributes
    ----------
    queue : Queue
        Of those that have not finished.
    """

    def __init__(self, machines: int, room: int):
        self.queue = Queue(machines, room)
        self.comes = np.zeros(machines, bool)

    def clock(self, begin: np.ndarray, finish: np.ndarray) -> None:
        """Move on, where a sample begins, and where one ends."""
        self.queue.clock(self.comes, finish)
        self.comes = begin
        self.ends = begin | finish

    def changed(self) -> np.ndarray:
        return self.ends | self.queue.moved

    def select(self, kept: np.ndarray) -> None:
        super().select(kept)
        self.queue.select(kept)


class Feed(Part):
    """A source that is always valid until its stream ends."""

    def __init__(self, tape: Trace):
        self.place = np.zeros(len(tape.lengths), np.int32)
        self.length = tape.lengths

    @property
    def valid(self) -> np.ndarray:
        """Where there is an item."""
        return self.place < self.length

    def clock(self, taken: np.ndarray) -> None:
        """Move on, where an item was taken."""
        self.place += taken
        self.moved = taken

    def changed(self) -> np.ndarray:
        return self.moved


class Scanner(Part):
    """Words into items, of an event or several, and tokens: ``rtl.scanner``.

    Attributes
    ----------
    place : array of int
        Which item of the stream is, or will be, offered.
    """

    def __init__(self, machines: int):
        self.full = np.zeros(machines, bool)
        self.left = np.zeros(machines, np.int32)
        self.ends = np.zeros(machines, bool)
        self.place = np.zeros(machines, np.int32)

    @property
    def valid(self) -> np.ndarray:
        """Where there is an item."""
        return self.full & (self.ends | (self.left > 0))

    def ready(self, taken: np.ndarray) -> np.ndarray:
        """Tell where a word is accepted, where ``taken`` tells of the item that is offered."""
        none = self.left == 0
        emptied = (taken | none) & (self.left <= 1)
        return ~self.full | np.where(self.ends, taken & none, emptied)

    def clock(self, taken, ready, comes, word) -> None:
        """Move on, where a ``word`` comes: its number of items, and the bits that it ends."""
        self.place += taken
        self.moved = taken | (ready & (comes | self.full))
        self.full = np.where(ready, comes, self.full)
        self.left = np.where(ready, word >> ENDS, np.maximum(self.left - taken, 0))
        self.ends = np.where(ready, (word & STEP_ENDS) > 0, self.ends)

    def changed(self) -> np.ndarray:
        return self.moved


class Branches(Part):
    """One stream into several: ``rtl.broadcast``."""

    def __init__(self, machines: int, branches: int):
        self.done = np.zeros((branches, machines), bool)

    def clock(self, valid: np.ndarray, ready: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return what each branch takes, shape (branches, machines), and what the source gives."""
        if not ready:
            self.moved = valid
            return self.done, valid
        able = np.stack(ready)
        taken = valid & (self.done | able).all(axis=0)
        into = valid & ~self.done & able
        self.done = np.where(valid, (self.done | able) & ~taken, self.done)
        self.moved = into.any(axis=0) | taken
        return into, taken

    def changed(self) -> np.ndarray:
        return self.moved


class Delay(Part):
    """Empty steps before those of a sample, and as many dropped at its end: ``rtl.delay``."""

    BEFORE, DURING, AFTER = 0, 1, 2

    def __init__(self, machines: int, delay: int):
        self.delay = delay
        self.state = np.zeros(machines, np.int8)
        self.ahead = np.zeros(machines, np.int32)

    def offer(self, valid: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item behind the delay, and where that is a token."""
        before = self.state == self.BEFORE
        return before | ((self.state == self.DURING) & valid), before | (item != EVENT)

    def clock(self, valid, item, ready, finish) -> np.ndarray:
        """Move on, and return where items before the delay are taken.

        ``ready`` is where what it offers is taken, ``finish`` where its reader ends a sample.
        """
        before, after = self.state == self.BEFORE, self.state == self.AFTER
        taking = np.where(before, False, after | ready)
        token = before & ready
        self.state[token & (self.ahead == self.delay - 1)] = self.DURING
        self.state[finish & ~after] = self.AFTER
        self.state[after & valid & (item == LAST)] = self.BEFORE
        self.ahead = np.where(after, 0, self.ahead + token)
        return taking


class SparseLookup(Part):
    """An event into one for each of its synapses: ``rtl.expander``."""

    WAIT, LOOK_UP, READ = 0, 1, 2

    def __init__(self, machines: int, straight: bool):
        self.begin = self.READ if straight else self.LOOK_UP
        self.state = np.zeros(machines, np.int8)
        self.left = np.zeros(machines, np.int32)

    def offer(self, valid: np.ndarray, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item behind the expander, and where that is a token."""
        reads = self.state == self.READ
        return reads | ((self.state == self.WAIT) & valid & token), ~reads

    def clock(self, valid, token, ready, synapses) -> np.ndarray:
        """Move on, and return where items before the expander are taken.

        ``ready`` is where what it offers is taken, ``synapses`` how many an event has.
        """
        waits, looks = self.state == self.WAIT, self.state == self.LOOK_UP
        reads = self.state == self.READ
        begins = waits & valid & ~token
        done = reads & ready & (self.left == 1)
        taking = done | (looks & (synapses == 0)) | (waits & ready & token)
        self.left = np.where(begins, synapses, self.left - (reads & ready))
        self.state[looks] = self.READ
        self.state[begins] = self.begin
        self.state[taking] = self.WAIT
        self.moved = begins | looks
        return taking

    def changed(self) -> np.ndarray:
        return self.moved


class Serializer(Part):
    """An item's events in turns: ``rtl.serializer``.

    Attributes
    ----------
    given : array of int
        Turns of the item that were taken.
    """

    def __init__(self, machines: int):
        self.given = np.zeros(machines, np.int32)

    def clock(self, valid, ready, turns) -> np.ndarray:
        """Move on, and return where items before it are taken, which have so many ``turns``."""
        taking = ready & (self.given == turns - 1)
        self.given = np.where(taking, 0, self.given + (valid & ready))
        return taking


class EventMerger(Part):
    """Events one by one, and all tokens at once: ``rtl.intake``."""

    def __init__(
        self,
        machines: int,
        direct: Sequence[bool],
        *,
        folds: int,
        interval: int,
        overlap: bool = False,
    ):
        self.direct = tuple(direct)
        self.folds = folds
        self.interval = interval
        self.overlap = overlap
        self.turn = np.zeros(machines, np.int32)
        self.kept = np.zeros(machines, np.int64)
        self.pause = np.zeros(machines, np.int32)

    def clock(self, valid: Sequence[np.ndarray], token: Sequence[np.ndarray], free: np.ndarray):
        """Move on.

        Returns
        -------
        ready : list of array of bool
            Where each input's item is taken.
        event, complete : array of bool
            Where an event adds to a row of sums, and where a step ends.
        """
        runs = self.pause == 0
        waits = np.stack([v & ~t for v, t in zip(valid, token, strict=True)])
        event = (runs | self.overlap) & waits.any(axis=0)
        complete = runs & free
        for v, t in zip(valid, token, strict=True):
            complete = complete & v & t
        chosen = np.where(self.turn == 0, waits.argmax(axis=0), self.kept)
        done = event & (np.array(self.direct)[chosen] | (self.turn == self.folds - 1))
        ready = [np.where(t, complete, done & (chosen == n)) for n, t in enumerate(token)]
        self.kept = chosen
        self.turn = np.where(done, 0, self.turn + event)
        self.moved = done | complete | (self.pause == 1)
        self.pause = np.where(complete, self.interval - 1, self.pause - ~runs)
        self.event = event
        return ready, event, complete

    def changed(self) -> np.ndarray:
        return self.moved

    def horizon(self) -> np.ndarray:
        turns = np.where(self.event, self.folds - 1 - self.turn, FAR)
        return np.where(self.pause > 0, np.minimum(turns, self.pause), turns)

    def skip(self, cycles: np.ndarray) -> None:
        self.turn += cycles * self.event
        self.pause -= cycles * (self.pause > 0)


class SpikeOutput(Part):
    """The words of a population's steps, and the scanner behind them: ``rtl.emitter``.

    Parameters
    ----------
    machines : int
    groups : int
        Words of a step.
    depth, room : int
        Words and steps that may wait.
    delay : int
        Cycles from a step's end to its first word.
    silent : Tape
        For each word, how many from it on are not written.
    """

    def __init__(
        self, machines: int, *, groups: int, depth: int, room: int, delay: int, silent: Trace
    ):
        self.groups = groups
        self.room = room
        self.queue = Queue(machines, depth)
        self.scanner = Scanner(machines)
        self.coming = np.zeros((delay, machines), bool)
        self.group = np.full(machines, groups, np.int32)
        self.made = np.zeros(machines, np.int32)
        self.waiting = np.zeros(machines, np.int32)
        self.silent = silent

    @property
    def free(self) -> np.ndarray:
        """Where there is room for one more step."""
        return self.waiting < self.room

    def clock(self, complete, taken, token, words: Trace, kept: Trace) -> None:
        """Move on.

        ``complete`` is where a step ends, ``taken`` where an item leaves, ``token`` where that is a
        token. ``words`` has every word, ``kept`` those that are written.
        """
        group = np.where(self.coming[-1], 0, self.group)
        comes = group < self.groups
        written = comes & ((group == self.groups - 1) | (words.read(self.made) > 0))
        ready = self.scanner.ready(taken)
        word = kept.read(self.queue.place)
        self.scanner.clock(taken, ready, self.queue.valid, word)
        self.queue.clock(written, ready)
        self.moved = self.coming.any(axis=0) | complete | self.queue.moved | self.scanner.moved
        self.made += comes
        self.group = np.minimum(group + 1, self.groups)
        self.coming = np.concatenate([complete[None], self.coming[:-1]])
        self.waiting = self.waiting + complete - (taken & token)

    def changed(self) -> np.ndarray:
        return self.moved

    def horizon(self) -> np.ndarray:
        return np.where(self.group < self.groups, self.silent.read(self.made), FAR)

    def skip(self, cycles: np.ndarray) -> None:
        counts = cycles * (self.group < self.groups)
        self.made += counts
        self.group += counts

    def select(self, kept: np.ndarray) -> None:
        super().select(kept)
        self.queue.select(kept)
        self.scanner.select(kept)


class Readout(Part):
    """The register in which an answer waits: ``rtl.readout``."""

    def __init__(self, machines: int):
        self.valid = np.zeros(machines, bool)

    def ready(self, item: np.ndarray, finish: np.ndarray) -> np.ndarray:
        """Tell where an item is accepted, where ``finish`` is where the answer is taken."""
        return (item != LAST) | ~self.valid | finish

    def clock(self, taken: np.ndarray, item: np.ndarray, finish: np.ndarray) -> None:
        """Move on."""
        self.valid = (self.valid & ~finish) | (taken & (item == LAST))
