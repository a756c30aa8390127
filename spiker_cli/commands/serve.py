"""`spiker serve`: a simulated board on a pseudo-terminal."""

from pathlib import Path

from spiker_boards.catalog import find_board
from spiker_boards.simulation.server import ENGINES, Faults, Served, simulated_link
from spiker_cli.support.files import find_mapping, open_mapping, open_network
from spiker_cli.support.terminal import progress, say, write
from spiker_hdl.base.checks import check_choice
from spiker_hdl.model.encoders import Encoding

__all__ = ["serve"]


def serve(
    path: Path,
    engine: str,
    lanes: str | None,
    form: str | None,
    word: int | None,
    faults: float,
    seed: int,
    board: str | None,
    writable: list[str] | None,
    uninitialized: list[str] | None,
    encoded: bool,
) -> None:
    """Say the name of the port, and serve until interrupted."""
    check_choice("Engine", engine, sorted(ENGINES))
    target = None if board is None else find_board(board)
    wrong = Faults(faults, seed) if faults else None
    network = open_network(path)
    mapping = open_mapping(
        network, find_mapping(network, path, lanes, form, word), writable, uninitialized
    )
    with progress(f"{path.name} behind a link", 1) as advance:
        encoding = Encoding.of(network) if encoded else None
        wire, chosen = simulated_link(
            network, mapping, engine=engine, target=target, encoding=encoding
        )
        advance(1)
    with Served(wire, faults=wrong) as served:
        say(f"{path.name}, simulated by {chosen}, until interrupted: spiker_boards.Board(port)")
        write(served.port)
        served.wait()
