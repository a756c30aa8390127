"""`spiker prune`: a network without what cannot change its answers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spiker_cli.support.options import Json, NetworkFile, NetworkOutput
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import say, table, write_json

if TYPE_CHECKING:
    from spiker_hdl.model.pruning.prune import Pruned

__all__ = ["prune"]


def prune(path: NetworkFile, output: NetworkOutput, json: Json = None) -> int:
    """Remove neurons and channels that cannot change an answer, and report which.

    Removed are the neurons that can never fire, whatever the input, unless a readout reads them;
    and the channels from which no remaining neuron has a weight. Classes, scores and spike counts
    stay the same. The notes of the new file say which channels it takes: the other commands choose
    these from the data by themselves.

    For example:

        spiker prune my.spiker -o my_small.spiker
        spiker timing my_small.spiker
    """
    from spiker_cli.support.files import check_output, open_network
    from spiker_hdl.model.files.load import load_mapping
    from spiker_hdl.model.pruning.prune import prune as remove

    begin_work()
    check_output(output, "Output")
    check_output(json, "--json")
    network = open_network(path)
    pruned = remove(network)
    small = pruned.network
    small.save(output)
    if load_mapping(path) is not None:
        say(f"The mapping that was saved in {path} is for all neurons, so that {output} has none")
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


def _rows(pruned: "Pruned") -> list[tuple[str, Any]]:
    report, before = pruned.report, pruned.original.nodes

    def counts(removed: Mapping[str, tuple[int, ...]]) -> str:
        parts = [f"{len(at)} of {before[name].size} of {name}" for name, at in removed.items()]
        return ", ".join(parts) or "none"

    rows = [
        ("channels removed", counts(report.inputs)),
        ("neurons removed", counts(report.silent)),
        ("never fire, but kept", counts(report.kept_silent)),
        ("fire, but unread", counts(report.unread)),
        ("now sparse", ", ".join(report.sparse) or "none"),
        ("weights", f"{report.bits_after:,} bits, {report.bits_saved:,} fewer"),
    ]
    return [(name, value) for name, value in rows if name != "now sparse" or report.sparse]
