"""`spiker serve`: a simulated board on a pseudo-terminal."""

from typing import Annotated

import typer

from spiker_cli.support.options import (
    Encoded,
    Form,
    Lanes,
    MappingName,
    NetworkFile,
    Spram,
    Word,
    Writable,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, say, write

__all__ = ["serve"]


def serve(
    path: NetworkFile,
    engine: Annotated[
        str,
        typer.Option(
            help="compiled (the Verilog of link and accelerator, by a C++ compiler), amaranth "
            "(its simulator, which is slow and needs no tools), or auto, the fastest that is "
            "installed.",
        ),
    ] = "auto",
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    form: Form = None,
    word: Word = None,
    faults: Annotated[
        float,
        typer.Option(
            help="Share of the bytes, in both directions, that are damaged, dropped or doubled."
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the faults.")] = 0,
    board: Annotated[
        str | None,
        typer.Option(
            help="Simulate the whole design of this board: from the pins of its UART, or of a Zynq "
            "from the registers that its ARM sees."
        ),
    ] = None,
    writable: Writable = None,
    uninitialized: Spram = None,
    encoded: Encoded = False,
) -> None:
    """Simulate a board behind a pseudo-terminal, for host programs.

    Prints the name of the port, and serves until it is interrupted. The accelerator and the link
    before it are simulated cycle by cycle; a UART by its bytes alone. With --board, all of the
    board's design is simulated but its clock generator and pins: the UART too, or the mailbox of a
    Zynq.

    For example:

        spiker serve networks/digits.spiker
        spiker serve networks/digits.spiker --faults 0.01
        spiker serve networks/digits.spiker --board icebreaker --lanes 4

    and then, in Python:

        from spiker_boards import Board
        result = Board("/dev/pts/3").run(network, spikes)
    """
    from spiker_boards.catalog import find_board
    from spiker_boards.simulation.server import ENGINES, Faults, Served, simulated_link
    from spiker_cli.support.files import open_network
    from spiker_cli.support.mappings import MappingOptions
    from spiker_hdl.base.checks import check_choice
    from spiker_hdl.model.encoders import Encoding

    begin_work()
    check_choice("Engine", engine, sorted(ENGINES))
    target = None if board is None else find_board(board)
    wrong = Faults(faults, seed) if faults else None
    options = MappingOptions(lanes, mapping_name, form, word, writable, uninitialized)
    network = open_network(path)
    mapping = options.find(network, path)
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
