"""`spiker boards`: the boards there are, and what fits on them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spiker_boards.catalog import BOARDS
from spiker_boards.fit import estimate_board_area, find_fit
from spiker_boards.rate import typical_rate
from spiker_boards.target import Target
from spiker_cli.support.files import check_output, open_network
from spiker_cli.support.terminal import columns, write_json
from spiker_hdl.model import Mapping, Network

__all__ = ["boards"]


def boards(networks: list[Path], json: Path | None) -> int:
    """List, and return the exit code."""
    check_output(json, "--json")
    opened = {path.stem: open_network(path) for path in networks}
    found = [_described(one, opened) for one in BOARDS.values()]
    if write_json(json, {"boards": found}):
        return 0
    columns(
        "Boards; nobody here has had one in hand",
        ["board", "device", "clock", "look-up tables", "block RAMs", "makes", "link"],
        ([*_row(one), one["link"]] for one in found),
    )
    if opened:
        columns(
            "What likely fits (weights in SPRAM must be loaded), and samples a second that the "
            "link lets through at most",
            ["board", *opened],
            ([one["name"], *(_fits(one["fits"][name]) for name in opened)] for one in found),
        )
    return 0


def _described(target: Target, networks: dict[str, Network]) -> dict[str, Any]:
    fits = {}
    for name, network in networks.items():
        fit = find_fit(target, network)
        mapping = Mapping.folded(network, 1) if fit is None else fit.mapping(network)
        estimate = estimate_board_area(target, network, mapping)
        fits[name] = {
            "lanes": None if fit is None else fit.lanes,
            "uninitialized": [] if fit is None else [*fit.uninitialized],
            "luts": estimate.luts,
            "block_rams": estimate.block_rams,
            "sprams": estimate.sprams,
            "link_rate": typical_rate(target, network, mapping).to_json(),
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
    if fit["lanes"] is None:
        return "no"
    most = fit["link_rate"]["samples_per_second"]
    memory = " + SPRAM" if fit["uninitialized"] else ""
    rate = "as the ARM's program" if most is None else f"{most:,.0f}/s"
    lanes = fit["lanes"] if isinstance(fit["lanes"], str) else f"{fit['lanes']} lanes"
    return f"{lanes}{memory}, {rate}"
