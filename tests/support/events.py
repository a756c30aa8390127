"""Events as tests write them, and what tests of streams share.

An event is ``(address, value)``, with the value 0 where the events are binary; ``END`` and ``LAST``
are the tokens that end a step, and a sample with it.
"""

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.sim import Simulator

from support.bench import get, pause, put, simulate

__all__ = [
    "END",
    "LAST",
    "Bounded",
    "clocked",
    "converts",
    "events_in",
    "events_of",
    "given",
    "item",
    "items_of",
    "plain",
    "random_samples",
    "token",
    "transfer",
    "written",
]

END, LAST = "end", "last"


class Bounded(Simulator):
    """A simulator whose runs end: what waits forever fails after ``deadline`` cycles.

    It takes the place of the simulator that an engine uses, so that a deadlock does not hang.
    """

    deadline = 200_000

    def run(self):
        async def give_up(ctx):
            for _ in range(self.deadline):
                await ctx.tick()
            pytest.fail(f"still running after {self.deadline} cycles")

        self.add_testbench(give_up, background=True)
        super().run()


def written(event) -> dict:
    """Return the payload of an event."""
    if event in {END, LAST}:
        return {"address": 0, "value": 0, "end": 1, "last": int(event == LAST)}
    return {"address": event[0], "value": event[1], "end": 0, "last": 0}


def plain(payload):
    """Return the event of a payload."""
    if payload.end:
        return LAST if payload.last else END
    return payload.address, payload.value


def item(events, banks) -> dict:
    """Return the payload of an item that has these events, at most one of each bank."""
    slots = [{"present": 0, "row": 0, "value": 0} for _ in range(banks)]
    for address, value in events:
        assert not slots[address % banks]["present"]
        slots[address % banks] = {"present": 1, "row": address // banks, "value": value}
    return {"slots": slots, "end": 0, "last": 0}


def token(kind) -> dict:
    """Return the payload of a token where there are banks."""
    return {"end": 1, "last": int(kind == LAST)}


def events_in(payload) -> list:
    """Return the events of an item with banks, or its token."""
    if payload.end:
        assert not any(slot.present for slot in payload.slots)
        return [LAST if payload.last else END]
    slots = [*payload.slots]
    return [
        (slot.row * len(slots) + bank, slot.value)
        for bank, slot in enumerate(slots)
        if slot.present
    ]


def items_of(samples, banks, random=None, width=None) -> list:
    """Return events and tokens of samples as lists, the events of one item each.

    Each bank is in ascending order, and as early as it can be in words of so many addresses; with
    ``random``, as late as may be.
    """
    items = []
    for sample in samples:
        for n, step in enumerate(sample):
            size = max(step, default=0) + 1
            for start in range(0, size, width or size):
                left = [
                    [
                        (a, v)
                        for a, v in sorted(step.items())
                        if a % banks == bank and start <= a < start + (width or size)
                    ]
                    for bank in range(banks)
                ]
                while any(left):
                    some = [queue for queue in left if queue]
                    if random is not None:
                        some = random.sample(some, random.randint(1, len(some)))
                    chosen = [queue.pop(0) for queue in some]
                    items.append(sorted(chosen, key=lambda event: event[0] % banks))
            items.append([LAST if n == len(sample) - 1 else END])
    return items


def given(events, banks) -> dict:
    """Return the payload of an element of :func:`items_of`."""
    if banks == 1:
        return written(events[0])
    return token(events[0]) if events[0] in {END, LAST} else item(events, banks)


def random_samples(random, size, *, samples=4, steps=6, values=(0, 0)):
    """Draw samples, each a list of steps, each a dict from address to value; some are extreme.

    Parameters
    ----------
    random : Random
    size : int
        Number of addresses.
    samples, steps : int
        Number of samples, and most steps of each.
    values : (int, int)
        Range of the values, of which 0 is drawn only if there is no other.
    """
    low, high = values
    drawn = []
    for _ in range(samples):
        sample = []
        for _ in range(random.randint(1, steps)):
            chance = random.choice([0, 0.2, 0.5, 1])
            own = [n for n in range(size) if random.random() < chance]
            values = [random.choice([low, high, random.randint(low, high)]) for _ in own]
            sample.append({n: value or high for n, value in zip(own, values, strict=True)})
        drawn.append(sample)
    return drawn


def events_of(samples) -> list:
    """Return the events and tokens of samples."""
    events = []
    for sample in samples:
        for n, step in enumerate(sample):
            events += sorted(step.items())
            events.append(LAST if n == len(sample) - 1 else END)
    return events


def clocked(dut) -> Module:
    """Return a module with a clock around a component that has none."""
    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.dut = dut
    return m


def transfer(dut, sent, count, *, random, pauses=(0, 0), top=None):
    """Send payloads in, and return those that come out.

    Parameters
    ----------
    dut : wiring.Component
    sent : list
        Payloads for the input.
    count : int
        Number of payloads to wait for.
    random : Random
    pauses : (float, float)
        Chance to pause before each payload in, and out.
    top : Elaboratable, optional
        What is simulated, where it is not the component alone.
    """
    received = []

    async def drive(ctx):
        for payload in sent:
            await pause(ctx, random, pauses[0])
            await put(ctx, dut.i, payload)

    async def receive(ctx):
        for _ in range(count):
            await pause(ctx, random, pauses[1])
            received.append(await get(ctx, dut.o))

    simulate(top or dut, drive, receive, watch=[dut.o], deadline=50_000)
    return received


def converts(dut) -> bool:
    """Tell whether a component becomes RTLIL."""
    name = type(dut).__name__
    return name in rtlil.convert(dut, name=name)
