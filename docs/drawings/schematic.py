"""Block diagrams of components: their own submodules and ports, and what joins them."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from .connections import INPUTS, OUTPUTS, Block, Design
from .svg import Drawing, text_width

__all__ = ["draw_design"]

PITCH = 16  # between pins
GAP = 22  # between blocks of a column
HEAD = 34  # height of a block's names
LANE = 7  # between the lines of a channel


@dataclass(eq=False)
class _Node:
    """A block, or the place where a long line passes a column."""

    block: Block | None
    column: int = 0
    left: list[str] = field(default_factory=list)  # pins, from top to bottom
    right: list[str] = field(default_factory=list)
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def height(self) -> float:
        if self.block is None:
            return 4
        head = HEAD if self.block.kind else 8
        return head + PITCH * max(1, len(self.left), len(self.right))

    def pin_y(self, name: str, right: bool) -> float:
        if self.block is None:
            return self.y + 2
        head = HEAD if self.block.kind else 8
        pins = self.right if right else self.left
        return self.y + head + PITCH * (pins.index(name) + 0.5)


@dataclass(eq=False)
class _Line:
    """A connection, from its left end to its right end."""

    ends: tuple[tuple[_Node, str], tuple[_Node, str]]
    forward: bool
    kind: str
    path: list[_Node] = field(default_factory=list)


def draw_design(design: Design, title: str) -> Drawing:
    """Draw a component that was read before."""
    nodes = {
        name: _Node(block)
        for name, block in design.blocks.items()
        if block.inputs or block.outputs or block.kind
    }
    columns = _columns(design, nodes)
    lines = _lines(design, nodes)
    grid: list[list[_Node]] = [[] for _ in range(columns)]
    for node in nodes.values():
        grid[node.column].append(node)
    for line in lines:
        _route(line, grid)
    _order(grid, lines)
    _place(grid, lines)
    return _draw(design, grid, lines, title)


def _columns(design: Design, nodes: dict[str, _Node]) -> int:
    """Put blocks into columns, so that most lines lead to the right."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for connection in sorted(design.connections, key=lambda edge: not edge.direct):
        source, target = connection.source[0], connection.target[0]
        if source != target and target not in after[source]:
            after[source].append(target)
    back: set[tuple[str, str]] = set()
    done: dict[str, bool] = {}

    def visit(name: str) -> None:
        done[name] = False
        for target in after[name]:
            if target not in done:
                visit(target)
            elif not done[target]:
                back.add((name, target))
        done[name] = True

    for name in nodes:
        if name not in done:
            visit(name)
    for _ in nodes:
        for name in nodes:
            for target in after[name]:
                if (name, target) not in back:
                    column = max(nodes[target].column, nodes[name].column + 1)
                    nodes[target].column = column
    inner = [node.column for name, node in nodes.items() if name != OUTPUTS]
    if INPUTS in nodes:
        # What only the inside drives stands beside what it drives, not at the left.
        for name, node in nodes.items():
            if name != INPUTS and node.column == 0:
                targets = [nodes[t].column for t in after[name] if (name, t) not in back]
                node.column = max(1, min(targets, default=1) - 1)
    inner = [node.column for name, node in nodes.items() if name != OUTPUTS]
    if OUTPUTS in nodes:
        nodes[OUTPUTS].column = max(nodes[OUTPUTS].column, max(inner, default=0) + 1)
    return max((node.column for node in nodes.values()), default=0) + 1


def _lines(design: Design, nodes: dict[str, _Node]) -> list[_Line]:
    lines = []
    for connection in design.connections:
        (source, output), (target, name) = connection.source, connection.target
        start, end = nodes[source], nodes[target]
        forward = start.column < end.column
        pin = start.block.outputs[output] if start.block else None
        kind = "logic" if not connection.direct else "stream" if pin and pin.stream else "line"
        ends = ((start, output), (end, name))
        if start is end:
            _pin(start.right, output)
            _pin(start.left, name)
            continue
        _pin(start.right if forward else start.left, output)
        _pin(end.left if forward else end.right, name)
        lines.append(_Line(ends if forward else ends[::-1], forward, kind))
    for node in nodes.values():
        if node.block is not None:
            used = {*node.left, *node.right}
            node.left += [name for name in node.block.inputs if name not in used]
            node.right += [name for name in node.block.outputs if name not in used]
    return lines


def _pin(pins: list[str], name: str) -> None:
    if name not in pins:
        pins.append(name)


def _route(line: _Line, grid: list[list[_Node]]) -> None:
    (first, _), (last, _) = line.ends
    line.path = [first]
    for column in range(first.column + 1, last.column):
        passing = _Node(None, column)
        grid[column].append(passing)
        line.path.append(passing)
    line.path.append(last)


def _order(grid: list[list[_Node]], lines: list[_Line]) -> None:
    """Order each column, and the pins of each block, so that few lines cross."""
    near: dict[_Node, dict[int, list[_Node]]] = {}
    for line in lines:
        for node, following in zip(line.path, line.path[1:], strict=False):
            near.setdefault(node, {}).setdefault(1, []).append(following)
            near.setdefault(following, {}).setdefault(-1, []).append(node)
    for turn in range(12):
        side = -1 if turn % 2 == 0 else 1
        for column in grid if side < 0 else grid[::-1]:
            place = {node: n for other in grid for n, node in enumerate(other)}

            def middle(node, place=place, side=side):
                others = near.get(node, {}).get(side)
                return sum(place[o] for o in others) / len(others) if others else place[node]

            column.sort(key=middle)
    place = {node: n for column in grid for n, node in enumerate(column)}
    for column in grid:
        for node in column:
            node.left.sort(key=lambda pin, node=node: _far(node, pin, False, lines, place))
            node.right.sort(key=lambda pin, node=node: _far(node, pin, True, lines, place))


def _far(node: _Node, pin: str, right: bool, lines: list[_Line], place: dict) -> float:
    places = []
    for line in lines:
        (start, first), (end, last) = line.ends
        if right and (start, first) == (node, pin):
            places.append(place[line.path[1]])
        if not right and (end, last) == (node, pin):
            places.append(place[line.path[-2]])
    return sum(places) / len(places) if places else 1000


def _place(grid: list[list[_Node]], lines: list[_Line]) -> None:
    x = 0.0
    for column in grid:
        width = 0.0
        for node in column:
            if node.block is not None:
                left = max((text_width(name) for name in node.left), default=0)
                right = max((text_width(name) for name in node.right), default=0)
                node.width = max(
                    left + right + 24,
                    text_width(node.block.name) + 16 if node.block.kind else 0,
                    text_width(node.block.kind) + 16,
                )
            width = max(width, node.width)
        for node in column:
            node.x = x
            if node.block is None:
                node.width = width
            elif node.block.name != OUTPUTS:
                node.width = max(node.width, width if node.block.name != INPUTS else node.width)
        leaving = sum(1 for line in lines for node in line.path[:-1] if node in column)
        x += width + 30 + LANE * min(leaving, 10)
    for column in grid:
        y = 0.0
        for node in column:
            node.y = y
            y += node.height + GAP
    for turn in range(16):
        for column in grid if turn % 2 == 0 else grid[::-1]:
            _settle(column, lines)


def _settle(column: list[_Node], lines: list[_Line]) -> None:
    """Move the blocks of a column to where their lines are straight, as far as there is space."""
    wish: dict[_Node, list[float]] = {}
    for line in lines:
        points = [_point(line, n) for n in range(len(line.path))]
        for n, node in enumerate(line.path):
            if node in column:
                if n > 0:
                    wish.setdefault(node, []).append(points[n - 1][1] - points[n][0])
                if n + 1 < len(line.path):
                    wish.setdefault(node, []).append(points[n + 1][0] - points[n][1])
    for node, moves in wish.items():
        node.y += sum(moves) / len(moves)
    middle = sum(node.y + node.height / 2 for node in column) / max(1, len(column))
    for upper, lower in itertools.pairwise(column):
        gap = GAP if upper.block or lower.block else 8
        lower.y = max(lower.y, upper.y + upper.height + gap)
    shift = middle - sum(node.y + node.height / 2 for node in column) / max(1, len(column))
    for node in column:
        node.y += shift


def _point(line: _Line, n: int) -> tuple[float, float]:
    """Return where a line enters and leaves the node ``n`` of its path."""
    node = line.path[n]
    if n == 0:
        y = node.pin_y(line.ends[0][1], True)
    elif n == len(line.path) - 1:
        y = node.pin_y(line.ends[1][1], False)
    else:
        y = node.y + 2
    return y, y


def _draw(design: Design, grid: list[list[_Node]], lines: list[_Line], title: str) -> Drawing:
    drawing = Drawing(title, margin=14)
    top = min(node.y for column in grid for node in column) - 46
    for column in grid:
        for node in column:
            node.y -= top
    boxes = [node for column in grid for node in column if node.block and node.block.kind]
    inputs = next((n for c in grid for n in c if n.block and n.block.name == INPUTS), None)
    outputs = next((n for c in grid for n in c if n.block and n.block.name == OUTPUTS), None)
    left = inputs.x + inputs.width + 8 if inputs else -16
    right = outputs.x - 8 if outputs else max(node.x + node.width for node in boxes) + 16
    if not boxes:
        right = max(right, left + text_width(design.name) + 24)
        if outputs:
            outputs.x = right + 8
    bottom = max(node.y + node.height for column in grid for node in column) + 12
    registers = _registers(design, boxes)
    least = left + 20 + 5.8 * max(map(len, registers), default=0)
    bottom = max(bottom, 28 + 13 * len(registers))
    if right < least:
        right = least
        if outputs:
            outputs.x = right + 8
    drawing.box(left, 0, right - left, bottom, "room")
    drawing.text(left + 10, 18, design.name, "title")
    for n, text in enumerate(registers):
        drawing.text(left + 10, 32 + 13 * n, text, "small")
    for line in sorted(lines, key=lambda drawn: drawn.kind != "logic"):
        _draw_line(drawing, line)
    for node in boxes:
        _draw_block(drawing, node)
    for node, right_side in ((inputs, True), (outputs, False)):
        if node is None:
            continue
        for name in node.right if right_side else node.left:
            pin = (node.block.outputs if right_side else node.block.inputs)[name]
            y = node.pin_y(name, right_side)
            x = node.x + node.width if right_side else node.x
            drawing.text(
                x - 2 if right_side else x + 2,
                y + 4,
                _label(pin, right_side),
                "",
                "end" if right_side else "start",
            )
    return drawing


def _registers(design: Design, boxes: list[_Node]) -> list[str]:
    """Return what is written of a component's registers: one by one where it has no blocks."""
    if not design.registers:
        return []
    total = sum(width for _, width in design.registers)
    lines = [f"registers of its own: {total} bits"]
    for name, width in () if boxes else design.registers:
        if len(lines) == 12:
            return [*lines, "..."]
        lines.append(f"  {name}[{width}]" if width > 1 else f"  {name}")
    return lines


def _label(pin: Any, right_side: bool) -> str:
    width = f"[{pin.width}]" if pin.width != 1 or pin.stream else ""
    return f"{pin.name}{width}"


def _draw_line(drawing: Drawing, line: _Line) -> None:
    points = []
    for n, node in enumerate(line.path):
        y, _ = _point(line, n)
        if n > 0:
            points.append((node.x, y))
        if n + 1 < len(line.path):
            points.append((node.x + node.width, y))
    commands = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for n, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(points)):
        if n % 2 == 0:
            half = (x1 - x0) / 2
            commands += f"C{x0 + half:.1f} {y0:.1f} {x1 - half:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        else:
            commands += f"L{x1:.1f} {y1:.1f}"
    drawing.path(commands, line.kind)
    x, y = points[-1] if line.forward else points[0]
    drawing.arrow(x, y, line.forward, "stream-head" if line.kind == "stream" else "head")


def _draw_block(drawing: Drawing, node: _Node) -> None:
    block = node.block
    assert block is not None
    drawing.box(node.x, node.y, node.width, node.height)
    middle = node.x + node.width / 2
    drawing.text(middle, node.y + 14, block.name, "title", "middle")
    drawing.text(middle, node.y + 26, block.kind, "small", "middle")
    for right_side, pins in ((False, node.left), (True, node.right)):
        for name in pins:
            x = node.x + node.width - 8 if right_side else node.x + 8
            anchor = "end" if right_side else "start"
            drawing.text(x, node.pin_y(name, right_side) + 4, name, "", anchor)
