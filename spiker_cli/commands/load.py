"""`spiker load`: put a network's weights into a board as it runs."""

from pathlib import Path

from spiker_boards import Board
from spiker_boards.builder.build import BUILD, read_build
from spiker_cli.support.files import find_mapping, open_mapping, open_network
from spiker_cli.support.terminal import progress, table
from spiker_hdl.link.protocol.payloads import load_payloads
from spiker_hdl.model import Mapping
from spiker_hdl.model.mapping.reload import beats

__all__ = ["load"]


def load(
    path: Path,
    port: str,
    built: Path | None,
    baud: int | None,
    lanes: str | None,
    form: str | None,
    word: int | None,
    writable: list[str] | None,
    uninitialized: list[str] | None,
) -> int:
    """Load, and return the exit code."""
    network = open_network(path)
    if built is None:
        mapping = open_mapping(
            network, find_mapping(network, path, lanes, form, word), writable, uninitialized
        )
    else:
        if any(one is not None for one in (lanes, form, word)) or writable or uninitialized:
            raise ValueError(f"Mapping must be that of {built / BUILD}, or said by options")
        report = read_build(built)
        mapping = Mapping.from_json(report["mapping"])
        baud = report["baud"] if baud is None else baud
        mapping.check(network)
    if not mapping.writable:
        raise ValueError("Mapping must have a writable population for a network to be loaded")
    words = beats(network, mapping)
    frames = sum(1 for _ in load_payloads(len(network.inputs), words))
    with (
        Board(port, **({} if baud is None else {"baud": baud})) as board,
        progress(f"{path.name} into {port}", frames) as advance,
    ):
        board.load(network, mapping, progress=advance)
        said = board.identify()
    table(
        port,
        [
            ("network", f"{network.name} (SHA-256 {said.network[:16]})"),
            ("populations", ", ".join(sorted(mapping.writable))),
            ("frames", f"{frames:,}, of which {board.resent:,} were sent again"),
            ("kept", "until the power goes"),
        ],
    )
    return 0
