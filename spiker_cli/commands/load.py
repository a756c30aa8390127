"""`spiker load`: put a network's weights into a board while it runs."""

from pathlib import Path
from typing import Annotated

import typer

from spiker_cli.support.options import (
    Form,
    Lanes,
    MappingName,
    NetworkFile,
    Spram,
    Word,
    Writable,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, table

__all__ = ["load"]


def load(
    path: NetworkFile,
    port: Annotated[str, typer.Option(help="Serial port of the board, such as /dev/ttyUSB0.")],
    built: Annotated[
        Path | None,
        typer.Option("--build", metavar="DIR", help="Directory that spiker build wrote."),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option(min=1, help="Bits a second; by default those of the build, else 1000000."),
    ] = None,
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    form: Form = None,
    word: Word = None,
    writable: Writable = None,
    uninitialized: Spram = None,
) -> int:
    """Load a network's weights, thresholds and biases into a board that was built for them.

    The board must have been built with --writable or --spram, for a network that differs in
    nothing else. Its mapping is that of --build DIR; without it, give the options that spiker build
    was given. What is loaded stays until the power goes.

    For example:

        spiker build networks/digits.spiker --board ulx3s_25f --writable all -o digits_ulx3s
        spiker program digits_ulx3s
        spiker load other.spiker --port /dev/ttyUSB0 --build digits_ulx3s
    """
    from spiker_boards import Board
    from spiker_boards.builder.build import BUILD, read_build
    from spiker_cli.support.files import open_network
    from spiker_cli.support.mappings import MappingOptions
    from spiker_hdl.link.protocol.payloads import load_payloads
    from spiker_hdl.model import Mapping
    from spiker_hdl.model.mapping.reload import beats

    begin_work()
    options = MappingOptions(lanes, mapping_name, form, word, writable, uninitialized)
    network = open_network(path)
    if built is None:
        mapping = options.find(network, path)
    else:
        for option in options.chosen:
            raise ValueError(
                f"Mapping must be that of {built / BUILD}, or that of the options, not of both: "
                f"drop --build or {option}"
            )
        report = read_build(built)
        mapping = Mapping.from_json(report["mapping"])
        baud = report["baud"] if baud is None else baud
        mapping.check(network)
    if not mapping.writable:
        raise ValueError(
            "Mapping must have a writable population for a network to be loaded: give --writable "
            "or --spram as spiker build was given, or --build DIR"
        )
    words = beats(network, mapping)
    frames = sum(1 for _ in load_payloads(len(network.inputs), words))
    with (
        Board(port, **({} if baud is None else {"baud": baud})) as opened,
        progress(f"{path.name} into {port}", frames) as advance,
    ):
        opened.load(network, mapping, progress=advance)
        identity = opened.identify()
    table(
        port,
        [
            ("network", f"{network.name} (SHA-256 {identity.network[:16]})"),
            ("populations", ", ".join(sorted(mapping.writable))),
            ("frames", f"{frames:,}, of which {opened.resent:,} were sent again"),
            ("kept", "until the power goes"),
        ],
    )
    return 0
