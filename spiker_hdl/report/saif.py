"""Switching activity in the interchange format that vendors' power tools read."""

import re
from collections.abc import Iterator

from .switching_activity import NAME, Activity, Net

__all__ = ["to_saif"]


def to_saif(activity: Activity, *, period: float = 10.0) -> str:
    """Return the activity of a simulation as a SAIF file of version 2.0.

    The topmost instance is the accelerator; its clock is written as one that runs. Gates are seen
    once a cycle, before the rising edge: their glitches are in no number.

    Parameters
    ----------
    activity : Activity
    period : float
        Nanoseconds of a clock period.

    Raises
    ------
    ValueError
        If the period is no positive number, of whole picoseconds.
    """
    picoseconds = round(1000 * period) if 0 < period < 1e6 else 0
    if picoseconds < 2 or abs(picoseconds - 1000 * period) > 1e-6:
        raise ValueError(f"Period must be more than 0 ns, in whole picoseconds, not {period!r}")
    tree: dict = {}
    for one in activity.nets:
        at = tree
        for name in one.scope:
            at = at.setdefault("inside", {}).setdefault(name, {})
        at.setdefault("nets", []).append(one)
    lines = [
        "(SAIFILE",
        '(SAIFVERSION "2.0")',
        '(DIRECTION "backward")',
        f'(DESIGN "{NAME}")',
        '(PROGRAM_NAME "spiker")',
        "(DIVIDER / )",
        "(TIMESCALE 1 ps)",
        f"(DURATION {activity.cycles * picoseconds})",
        *_instance(NAME, tree, activity.cycles, picoseconds, 0),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _instance(name: str, at: dict, cycles: int, period: int, depth: int) -> Iterator[str]:
    pad = "  " * depth
    yield f"{pad}(INSTANCE {name}"
    if at.get("nets"):
        yield f"{pad}  (NET"
        for one in at["nets"]:
            for line in _net(one, cycles, period):
                yield f"{pad}    {line}"
        yield f"{pad}  )"
    for inner, part in at.get("inside", {}).items():
        yield from _instance(inner, part, cycles, period, depth + 1)
    yield f"{pad})"


def _net(one: Net, cycles: int, period: int) -> Iterator[str]:
    # Seen before each rising edge, the clock is always low.
    clock = one.name == "clk"
    name = re.sub(r"(\W)", r"\\\1", one.name)
    for bit, (toggles, high) in enumerate(zip(one.toggles, one.high, strict=True)):
        place = f"\\[{bit}\\]" if len(one.toggles) > 1 else ""
        ones = cycles * (period // 2) if clock else int(high) * period
        changes = 2 * cycles if clock else int(toggles)
        yield (
            f"({name}{place} (T0 {cycles * period - ones}) (T1 {ones}) (TX 0) "
            f"(TC {changes}) (IG 0))"
        )
