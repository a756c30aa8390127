"""Timing diagrams, drawn from the signals of a simulation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import data
from amaranth.sim import Simulator

from .svg import Drawing, text_width

__all__ = [
    "Lane",
    "Raw",
    "Waveform",
    "binary",
    "draw_waveform",
    "hexadecimal",
    "put",
    "record",
    "show_streams",
    "take",
]

CYCLE = 26  # pixels
ROW = 26
HIGH = 14  # between the levels of a bit
QUIET = 8  # cycles without a change that are drawn as fewer


@dataclass
class Lane:
    """A signal of a diagram.

    Parameters
    ----------
    label : str
        What is written beside it.
    value : Value
        What is shown.
    show : callable, optional
        Makes text of a value; without it, a signal of one bit is drawn as its level, and others as
        numbers.
    when : Value, optional
        Where this is 0, the value does not matter, and is left grey.
    """

    label: str
    value: Any
    show: Callable[[Any], str] | None = None
    when: Any = None
    seen: list[Any] = field(default_factory=list)
    matters: list[bool] = field(default_factory=list)

    @property
    def level(self) -> bool:
        return self.show is None and len(Value.cast(self.value)) == 1


def show_streams(dut: Any) -> tuple[list[Lane], dict[str, tuple[Value, Value]]]:
    """Return the lanes of the streams ``i`` and ``o`` of a component, and their valid and ready."""
    lanes, streams = [], {}
    for name in ("i", "o"):
        stream = getattr(dut, name)
        lanes += [
            Lane(f"{name}.valid", stream.valid),
            Lane(f"{name}.ready", stream.ready),
            Lane(f"{name}.payload", stream.payload, hexadecimal, when=stream.valid),
        ]
        streams[f"{name}.payload"] = (stream.valid, stream.ready)
    return lanes, streams


@dataclass
class Waveform:
    """What a simulation showed.

    Members
    -------
    lanes : list of Lane
        From top to bottom, with what was seen in each cycle.
    transfers : dict of str to list of bool
        For the label of a lane, the cycles in which its stream transfers.
    first : int
        Number of the first cycle.
    whole : bool
        Whether each cycle is drawn, though nothing changes.
    """

    lanes: list[Lane]
    transfers: dict[str, list[bool]]
    first: int = 0
    whole: bool = False


def record(
    dut: Any,
    lanes: Sequence[Lane],
    *testbenches: Callable,
    cycles: int,
    first: int = 0,
    streams: dict[str, tuple[Any, Any]] | None = None,
    whole: bool = False,
) -> Waveform:
    """Simulate, and note what the signals are in each cycle, just before the clock rises.

    Parameters
    ----------
    dut : wiring.Component
    lanes : sequence of Lane
    *testbenches : async functions
        What drives the inputs; as long as they need.
    cycles : int
        How many cycles are noted, from ``first`` on.
    first : int
    streams : dict, optional
        For each label of a lane: its ``valid`` and ``ready``, which are both 1 in a transfer.
    whole : bool
        Whether each cycle is drawn, though nothing changes.
    """
    lanes = list(lanes)
    streams = streams or {}
    transfers: dict[str, list[bool]] = {label: [] for label in streams}

    async def watch(ctx):
        for n in range(first + cycles):
            if n >= first:
                for lane in lanes:
                    lane.seen.append(ctx.get(lane.value))
                    lane.matters.append(lane.when is None or bool(ctx.get(lane.when)))
                for label, (valid, ready) in streams.items():
                    transfers[label].append(bool(ctx.get(valid)) and bool(ctx.get(ready)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    return Waveform(lanes, transfers, first, whole)


def hexadecimal(value: int) -> str:
    return f"{value:x}"


def binary(width: int) -> Callable[[int], str]:
    """Return what shows a value bit by bit, the lowest at the right."""
    return lambda value: f"{value:0{width}b}"


class Raw:
    """A stream whose payload is set as bits."""

    def __init__(self, stream):
        self.payload = Value.cast(stream.payload)
        self.valid = stream.valid
        self.ready = stream.ready


async def put(ctx, stream, payload, pause: int = 0) -> None:
    """Offer ``payload`` after ``pause`` cycles, until it is taken."""
    for _ in range(pause):
        await ctx.tick()
    ctx.set(stream.payload, payload)
    ctx.set(stream.valid, 1)
    ready = 0
    while not ready:
        _, _, ready = await ctx.tick().sample(stream.ready)
    ctx.set(stream.valid, 0)


async def take(ctx, stream, pause: int = 0) -> None:
    """Wait for ``pause`` cycles, and take a payload."""
    for _ in range(pause):
        await ctx.tick()
    ctx.set(stream.ready, 1)
    valid = 0
    while not valid:
        _, _, valid = await ctx.tick().sample(stream.valid)
    ctx.set(stream.ready, 0)


def draw_waveform(waveform: Waveform, title: str) -> Drawing:
    """Draw a clock above the lanes; cycles in which a stream transfers are shaded.

    Of a stretch in which nothing changes, but for the first and last cycles, one column stands for
    all, with their number.
    """
    drawing = Drawing(title)
    left = max(text_width(lane.label) for lane in waveform.lanes) + 12
    columns = _columns(waveform)
    firsts = [cycles.start for cycles in columns]
    height = ROW * (len(waveform.lanes) + 1) + 16
    for n in range(len(columns) + 1):
        drawing.path(f"M{left + n * CYCLE} 14V{height}", "grid")
    for row, lane in enumerate(waveform.lanes):
        y = 16 + ROW * (row + 1)
        moved = waveform.transfers.get(lane.label)
        for n, first in enumerate(firsts):
            if moved and moved[first]:
                drawing.box(left + n * CYCLE, y - 1, CYCLE, ROW - 2, "transfer")
    _draw_clock(drawing, left, 16, columns)
    drawing.text(left - 8, 16 + HIGH, "clk", "", "end")
    for row, lane in enumerate(waveform.lanes):
        y = 16 + ROW * (row + 1) + 4
        drawing.text(left - 8, y + HIGH - 2, lane.label, "", "end")
        shown = replace(
            lane,
            seen=[lane.seen[n] for n in firsts],
            matters=[lane.matters[n] for n in firsts],
        )
        if lane.level:
            _draw_level(drawing, left, y, shown)
        else:
            _draw_values(drawing, left, y, shown)
    for n, cycles in enumerate(columns):
        middle = left + (n + 0.5) * CYCLE
        if len(cycles) > 1:
            drawing.box(middle - 9, 14, 18, height - 14, "room")
            drawing.text(middle, 9, f"{len(cycles)} x", "small", "middle")
        elif (waveform.first + cycles.start) % 5 == 0:
            drawing.text(middle, 9, str(waveform.first + cycles.start), "small", "middle")
    drawing.width = left + len(columns) * CYCLE
    return drawing


def _columns(waveform: Waveform) -> list[range]:
    """Return the cycles of each column: one, or all but the ends of a stretch without a change."""
    count = len(waveform.lanes[0].seen)
    states = [
        [(str(lane.seen[n]), lane.matters[n]) for lane in waveform.lanes]
        + [moved[n] for moved in waveform.transfers.values()]
        for n in range(count)
    ]
    changes = [0, *(n for n in range(1, count) if states[n] != states[n - 1]), count]
    columns = []
    for start, stop in pairwise(changes):
        if waveform.whole or stop - start < QUIET:
            columns += [range(n, n + 1) for n in range(start, stop)]
        else:
            columns += [range(n, n + 1) for n in (start, start + 1)]
            columns.append(range(start + 2, stop - 2))
            columns += [range(n, n + 1) for n in (stop - 2, stop - 1)]
    return columns


def _draw_clock(drawing: Drawing, left: float, y: float, columns: list[range]) -> None:
    commands = f"M{left:.1f} {y + HIGH}"
    for n, cycles in enumerate(columns):
        x = left + n * CYCLE
        if len(cycles) == 1:
            commands += f"V{y}H{x + CYCLE / 2:.1f}V{y + HIGH}H{x + CYCLE:.1f}"
        else:
            commands += f"M{x + CYCLE:.1f} {y + HIGH}"
    drawing.path(commands, "line")


def _draw_level(drawing: Drawing, left: float, y: float, lane: Lane) -> None:
    commands = ""
    for n, (value, matters) in enumerate(zip(lane.seen, lane.matters, strict=True)):
        x = left + n * CYCLE
        if not matters:
            drawing.box(x, y + HIGH / 2 - 2, CYCLE, 4, "unknown")
            continue
        level = y if value else y + HIGH
        joined = n > 0 and lane.matters[n - 1]
        commands += f"{'L' if joined else 'M'}{x + (2 if joined else 0):.1f} {level}"
        commands += f"H{x + CYCLE - 2:.1f}"
    drawing.path(commands, "wave")


def _draw_values(drawing: Drawing, left: float, y: float, lane: Lane) -> None:
    texts = [
        _text(lane, value) if matters else None
        for value, matters in zip(lane.seen, lane.matters, strict=True)
    ]
    start = 0
    for n in range(1, len(texts) + 1):
        if n < len(texts) and texts[n] == texts[start]:
            continue
        x0, x1, middle = left + start * CYCLE, left + n * CYCLE, y + HIGH / 2
        text = texts[start]
        if text is None:
            drawing.box(x0 + 1, y + HIGH / 2 - 2, x1 - x0 - 2, 4, "unknown")
        else:
            commands = f"M{x0} {middle}L{x0 + 3} {y}H{x1 - 3}L{x1} {middle}"
            drawing.path(f"{commands}L{x1 - 3} {y + HIGH}H{x0 + 3}Z", "value")
            fits = int((x1 - x0 - 2) / 5.7)
            if len(text) > fits:
                text = text[: max(0, fits - 1)] + "…" if fits > 1 else ""
            drawing.text((x0 + x1) / 2, middle + 4, text, "small strong", "middle")
        start = n


def _text(lane: Lane, value: Any) -> str:
    if lane.show is not None:
        return lane.show(value)
    return f"{value.as_bits():x}" if isinstance(value, data.Const) else str(value)
