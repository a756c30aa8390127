"""`spiker boards`: the boards there are, and what fits on them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spiker_boards.catalog import BOARDS
from spiker_boards.fit import board_need, find_lanes
from spiker_boards.target import Target
from spiker_hdl.model import Mapping, Network

from .files import check_output, open_network
from .terminal import columns, write_json

__all__ = ["boards"]


def boards(networks: list[Path], json: Path | None) -> int:
    """List, and return the exit code."""
    check_output(json, "--json")
    opened = {path.stem: open_network(path) for path in networks}
    found = [_described(one, opened) for one in BOARDS.values()]
    if write_json(json, {"boards": found}):
        return 0
    titles = ["board", "device", "clock", "look-up tables", "block RAMs", "makes", *opened]
    columns(
        "Boards; nobody here has had one in hand",
        titles,
        ([*_row(one), *(_fits(one["fits"][name]) for name in opened)] for one in found),
    )
    columns("Links", ["board", "link"], ([one["name"], one["link"]] for one in found))
    return 0


def _described(target: Target, networks: dict[str, Network]) -> dict[str, Any]:
    fits = {}
    for name, network in networks.items():
        lanes = find_lanes(target, network)
        mapping = Mapping.folded(network, lanes or 1)
        estimate = board_need(target, network, mapping)
        fits[name] = {
            "lanes": lanes,
            "luts": estimate.luts,
            "block_rams": estimate.block_rams,
        }
    return {
        "name": target.name,
        "title": target.title,
        "device": target.device,
        "family": target.family,
        "oscillator_hz": target.oscillator,
        "clock_hz": target.frequency,
        "link": target.path,
        "luts": target.capacity.luts,
        "block_rams": target.capacity.block_rams,
        "makes": "bitstream" if target.built else f"project for {target.kind.vendor}",
        "document": target.document,
        "touched": target.touched,
        "fits": fits,
    }


def _row(one: dict[str, Any]) -> Iterable[str]:
    return (
        one["name"],
        one["device"],
        f"{one['clock_hz'] / 1e6:g} MHz",
        f"{one['luts']:,}",
        str(one["block_rams"]),
        one["makes"],
    )


def _fits(fit: dict[str, Any]) -> str:
    return "no" if fit["lanes"] is None else f"{fit['lanes']} lanes"
