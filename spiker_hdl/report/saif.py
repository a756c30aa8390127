"""Switching activity as a SAIF file, which vendors' power tools read."""

import re
from collections.abc import Iterator

from .switching_activity import NAME, Activity, Net

__all__ = ["to_saif"]


def to_saif(activity: Activity, *, period: float = 10.0) -> str:
    """Return the activity of a simulation as a SAIF file of version 2.0.

    The topmost instance is the accelerator, and its clock toggles twice a cycle. Signals are
    sampled once a cycle, before the rising edge: glitches are not counted.

    Parameters
    ----------
    activity : Activity
    period : float
        Clock period in nanoseconds.

    Raises
    ------
    ValueError
        If the period is no positive number, of whole picoseconds.
    """
    picoseconds = round(1000 * period) if 0 < period < 1e6 else 0
    if picoseconds < 2 or abs(picoseconds - 1000 * period) > 1e-6:
        raise ValueError(f"Period must be more than 0 ns, in whole picoseconds, not {period!r}")
    tree: dict = {}
    for net in activity.nets:
        instance = tree
        for name in net.scope:
            instance = instance.setdefault("inside", {}).setdefault(name, {})
        instance.setdefault("nets", []).append(net)
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


def _instance(name: str, instance: dict, cycles: int, period: int, depth: int) -> Iterator[str]:
    pad = "  " * depth
    yield f"{pad}(INSTANCE {name}"
    if instance.get("nets"):
        yield f"{pad}  (NET"
        for net in instance["nets"]:
            for line in _net(net, cycles, period):
                yield f"{pad}    {line}"
        yield f"{pad}  )"
    for inner, part in instance.get("inside", {}).items():
        yield from _instance(inner, part, cycles, period, depth + 1)
    yield f"{pad})"


def _net(net: Net, cycles: int, period: int) -> Iterator[str]:
    # Sampled before each rising edge, the clock is always low.
    clock = net.name == "clk"
    name = re.sub(r"(\W)", r"\\\1", net.name)
    for bit, (toggles, high) in enumerate(zip(net.toggles, net.high, strict=True)):
        place = f"\\[{bit}\\]" if len(net.toggles) > 1 else ""
        ones = cycles * (period // 2) if clock else int(high) * period
        changes = 2 * cycles if clock else int(toggles)
        yield (
            f"({name}{place} (T0 {cycles * period - ones}) (T1 {ones}) (TX 0) "
            f"(TC {changes}) (IG 0))"
        )
