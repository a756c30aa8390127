"""`spiker prune`: a network without what cannot change its answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spiker_cli.support.files import check_output, open_network
from spiker_cli.support.terminal import say, table, write_json
from spiker_hdl.model.files.load import load_mapping
from spiker_hdl.model.pruning.prune import Pruned
from spiker_hdl.model.pruning.prune import prune as drop

__all__ = ["prune"]


def prune(path: Path, output: Path, json: Path | None) -> int:
    """Drop, save, report, and return the exit code."""
    for what, given in (("Output", output), ("--json", json)):
        check_output(given, what)
    network = open_network(path)
    pruned = drop(network)
    small = pruned.network
    small.save(output)
    if load_mapping(path) is not None:
        say(f"The mapping beside {path} is for all neurons; {output} has none")
    report = {
        "network": str(output),
        "digest": small.digest,
        "original": str(path),
        "original_digest": network.digest,
        "sizes": {name: [network.nodes[name].size, small.nodes[name].size] for name in small.nodes},
        **pruned.report.to_json(),
    }
    if not write_json(json, report):
        table(str(output), _rows(pruned))
    return 0


def _rows(pruned: Pruned) -> list[tuple[str, Any]]:
    report, before = pruned.report, pruned.original.nodes

    def each(found: Mapping[str, tuple[int, ...]]) -> str:
        said = [f"{len(these)} of {before[name].size} of {name}" for name, these in found.items()]
        return ", ".join(said) or "none"

    rows = [
        ("channels dropped", each(report.inputs)),
        ("neurons dropped", each(report.silent)),
        ("never fire, but kept", each(report.kept_silent)),
        ("fire, but unread", each(report.unread)),
        ("now sparse", ", ".join(report.sparse) or "none"),
        ("weights", f"{report.bits_after:,} bits, {report.bits_saved:,} fewer"),
    ]
    return [(name, value) for name, value in rows if name != "now sparse" or report.sparse]
