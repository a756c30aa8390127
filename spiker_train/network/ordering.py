"""The order of layers and connections, which depends on their names and delays alone."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

__all__ = ["in_order", "layer_order"]

End = tuple[str, str, str, bool]
"""A connection: its name, its source, its target, and whether its events arrive later."""


def layer_order(layers: Iterable[str], connections: Iterable[End]) -> list[str]:
    """Return the layers, each after those that reach it without delay, else by name.

    Layers of a cycle without delay come last.

    Parameters
    ----------
    layers : iterable of str
    connections : iterable of (str, str, str, bool)
    """
    waiting = dict.fromkeys(layers, 0)
    following: dict[str, list[str]] = {name: [] for name in waiting}
    for _, source, target, late in connections:
        if source in waiting and target in waiting and not late:
            waiting[target] += 1
            following[source].append(target)
    ready = [name for name, count in waiting.items() if not count]
    heapify(ready)
    order = []
    while ready:
        name = heappop(ready)
        order.append(name)
        for target in following[name]:
            waiting[target] -= 1
            if not waiting[target]:
                heappush(ready, target)
    return order + sorted(set(waiting) - set(order))


def in_order(layers: Iterable[str], connections: Iterable[End]) -> list[str]:
    """Return the names of the connections by the order of their targets, then by their sources."""
    connections = list(connections)
    place = {name: n for n, name in enumerate(layer_order(layers, connections))}
    return [
        name
        for *_, name in sorted(
            (place.get(target, len(place)), source, name) for name, source, target, _ in connections
        )
    ]
