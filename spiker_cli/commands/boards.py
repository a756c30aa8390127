"""`spiker boards`: the boards that are supported, and what fits on them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.options import Json
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import columns, write_json

if TYPE_CHECKING:
    from spiker_boards.target import Target
    from spiker_hdl.model import Network

__all__ = ["boards"]


def boards(
    networks: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[NET]", help="Network files; each is tried on every board."),
    ] = None,
    json: Json = None,
) -> int:
    """List the boards: device, clock and link, and which networks likely fit.

    Prints tables. With --json FILE, the file has the same as JSON.

    For example:

        spiker boards
        spiker boards networks/digits.spiker networks/mnist.spiker
    """
    from spiker_boards.catalog import BOARDS
    from spiker_cli.support.files import check_output, open_network

    begin_work()
    check_output(json, "--json")
    opened = {path.stem: open_network(path) for path in networks or ()}
    described = [_describe(target, opened) for target in BOARDS.values()]
    if write_json(json, {"boards": described}):
        return 0
    columns(
        "Boards; none has been tested on physical hardware yet",
        ["board", "device", "clock", "look-up tables", "block RAMs", "makes", "link"],
        map(_row, described),
    )
    if opened:
        columns(
            "Mappings that likely fit (weights in SPRAM must be loaded), and the maximum number of "
            "samples per second over the link",
            ["board", *opened],
            (
                [board["name"], *(_fit(board["fits"][name]) for name in opened)]
                for board in described
            ),
        )
    return 0


def _describe(target: "Target", networks: "dict[str, Network]") -> dict[str, Any]:
    from spiker_boards.fit import estimate_board_area, find_fit
    from spiker_boards.rate import typical_rate
    from spiker_hdl.model import Mapping

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


def _row(board: dict[str, Any]) -> Iterable[str]:
    return (
        board["name"],
        board["device"],
        f"{board['clock_hz'] / 1e6:g} MHz",
        f"{board['luts']:,}",
        str(board["block_rams"]),
        board["makes"],
        board["link"],
    )


def _fit(fit: dict[str, Any]) -> str:
    if fit["lanes"] is None:
        return "no"
    most = fit["link_rate"]["samples_per_second"]
    memory = " + SPRAM" if fit["uninitialized"] else ""
    rate = "as the ARM's program" if most is None else f"{most:,.0f}/s"
    lanes = fit["lanes"] if isinstance(fit["lanes"], str) else f"{fit['lanes']} lanes"
    return f"{lanes}{memory}, {rate}"
