"""The packages and their floors, as the imports have them."""

from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import grimp

from .svg import Drawing, text_width

__all__ = ["PACKAGES", "draw_house", "floors", "imports_of_rooms", "rooms"]

PACKAGES = ("spiker_cli", "spiker_boards", "spiker_train", "spiker_hdl")
"""What is installed."""

SPLIT = ("spiker_hdl",)
"""Packages whose sub-packages are rooms of their own; the others are one room each."""

FLOOR = 96
GAP = 26


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


@cache
def rooms() -> tuple[str, ...]:
    """Return the rooms: packages, and the sub-packages of those that are split."""
    graph = _graph()
    names = [package for package in PACKAGES if package not in SPLIT]
    for package in SPLIT:
        names += [child for child in sorted(graph.find_children(package)) if _is_package(child)]
    return tuple(names)


def _is_package(name: str) -> bool:
    return bool(_graph().find_children(name))


def _room_of(module: str) -> str | None:
    return next((room for room in rooms() if f"{module}.".startswith(f"{room}.")), None)


@cache
def imports_of_rooms() -> dict[str, frozenset[str]]:
    """Return for each room the others that its modules import."""
    graph = _graph()
    imports: dict[str, set[str]] = {room: set() for room in rooms()}
    for module in graph.modules:
        room = _room_of(module)
        for other in graph.find_modules_directly_imported_by(module) if room else ():
            target = _room_of(other)
            if room and target and target != room:
                imports[room].add(target)
    return {room: frozenset(others) for room, others in imports.items()}


def floors() -> dict[str, int]:
    """Return how high each room lies: above all that it imports.

    Raises
    ------
    ValueError
        If rooms import each other in a circle.
    """
    imports = imports_of_rooms()
    heights: dict[str, int] = {}
    while len(heights) < len(imports):
        free = [room for room in imports if room not in heights and imports[room] <= heights.keys()]
        if not free:
            circle = sorted(set(imports) - set(heights))
            raise ValueError(f"Rooms must not import each other in a circle: {circle}")
        for room in free:
            heights[room] = 1 + max((heights[other] for other in imports[room]), default=-1)
    return heights


def draw_house() -> Drawing:
    """Draw the rooms floor by floor; lines lead down to what a room imports.

    An import that follows from others is left out: where a room imports a second one, and that one
    a third, the line from the first to the third is not drawn.
    """
    heights = floors()
    paths = [
        [room, *((room, other, level) for level in _between(heights, room, other)), other]
        for room in rooms()
        for other in sorted(_drawn(room))
    ]
    rows: list[list] = [[] for _ in range(1 + max(heights.values()))]
    for room in rooms():
        rows[heights[room]].append(room)
    for path in paths:
        for passing in path[1:-1]:
            rows[passing[2]].append(passing)
    _order(rows, paths)
    boxes = _place(rows)
    drawing = Drawing("The packages, each above those that it imports")
    for level in range(len(rows)):
        drawing.text(0, (len(rows) - 1 - level) * FLOOR + 28, f"floor {level}", "small")
    for path in paths:
        _draw_import(drawing, [boxes[place] for place in path])
    for room in rooms():
        _draw_room(drawing, room, boxes[room])
    return drawing


def _between(heights: dict[str, int], room: str, other: str) -> range:
    """Return the floors that a line passes, from the top down."""
    return range(heights[room] - 1, heights[other], -1)


def _order(rows: list[list], paths: list[list]) -> None:
    """Order the floors, with the places where lines pass them, so that few lines cross."""
    near: dict = {}
    for path in paths:
        for upper, lower in pairwise(path):
            near.setdefault(upper, []).append(lower)
            near.setdefault(lower, []).append(upper)
    for turn in range(24):
        place = {room: (n + 0.5) / len(row) for row in rows for n, room in enumerate(row)}
        for row in rows if turn % 2 else rows[::-1]:
            row.sort(key=lambda room: sum(place[o] for o in near[room]) / len(near[room]))
            place |= {room: (n + 0.5) / len(row) for n, room in enumerate(row)}


def _place(rows: list[list]) -> dict[object, tuple[float, float, float, float]]:
    """Return the box of each room, and of each place where a line passes a floor."""
    widths = {room: _width(room) for room in rooms()}
    totals = [sum(widths.get(room, 0) + GAP for room in row) for row in rows]
    boxes = {}
    for level, row in enumerate(rows):
        x = 60 + (max(totals) - totals[level]) / 2
        y = (len(rows) - 1 - level) * FLOOR + 6
        for room in row:
            height = _height(room) if room in widths else 40
            boxes[room] = (x, y, widths.get(room, 0), height)
            x += widths.get(room, 0) + GAP
    return boxes


def _drawn(room: str) -> Iterable[str]:
    """Return the rooms that a room imports, but for those that these import, too."""
    imports = imports_of_rooms()

    def below(name: str) -> frozenset[str]:
        return imports[name].union(*(below(other) for other in imports[name]))

    return imports[room] - frozenset().union(*(below(other) for other in imports[room]))


def _lines(room: str) -> list[str]:
    """Return what is written in a room: its sub-packages, and how many modules it has."""
    graph = _graph()
    children = sorted(
        child.rsplit(".", 1)[1] for child in graph.find_children(room) if _is_package(child)
    )
    modules = [name for name in graph.find_descendants(room) if not _is_package(name)]
    lines, line = [], ""
    for child in children:
        if len(line) + len(child) > 34:
            lines.append(line)
            line = ""
        line += f"{child}  "
    return [*filter(None, [*lines, line.strip()]), f"{len(modules)} files"]


def _width(room: str) -> float:
    return max(text_width(room) + 20, *(5.8 * len(line) + 20 for line in _lines(room)))


def _height(room: str) -> float:
    return 24 + 13 * len(_lines(room))


def _draw_room(drawing: Drawing, room: str, box: tuple[float, float, float, float]) -> None:
    x, y, width, height = box
    drawing.box(x, y, width, height)
    drawing.text(x + width / 2, y + 16, room, "title", "middle")
    for n, line in enumerate(_lines(room)):
        drawing.text(x + width / 2, y + 30 + 13 * n, line, "small", "middle")


def _draw_import(drawing: Drawing, boxes: list[tuple[float, float, float, float]]) -> None:
    """Draw a line down from the first box through all others."""
    x, y = boxes[0][0] + boxes[0][2] / 2, boxes[0][1] + boxes[0][3]
    commands = f"M{x:.1f} {y:.1f}"
    for left, top, width, height in boxes[1:]:
        end, half = left + width / 2, (top - y) / 2
        commands += f"C{x:.1f} {y + half:.1f} {end:.1f} {top - half:.1f} {end:.1f} {top:.1f}"
        x, y = end, top if width else top + height
        commands += f"V{y:.1f}"
    drawing.path(commands, "line")
    drawing.path(f"M{x:.1f} {y:.1f}L{x - 3:.1f} {y - 6:.1f}H{x + 3:.1f}Z", "head")
