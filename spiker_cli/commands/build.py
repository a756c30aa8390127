"""`spiker build`: from a network to the bitstream of a board, or to a project for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.options import (
    Encoded,
    Form,
    Json,
    MappingName,
    NetworkFile,
    Spram,
    Word,
    Writable,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, say, table, write_json

if TYPE_CHECKING:
    from spiker_boards.target import Target
    from spiker_cli.support.mappings import MappingOptions
    from spiker_hdl.model import Mapping, Network

__all__ = ["build"]

SAMPLES = 10
"""Samples whose cycles are predicted, where they are random."""


def build(
    path: NetworkFile,
    board: Annotated[str, typer.Option(help="Name of a board: spiker boards lists them.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Directory to write: new, empty, or an earlier build.",
        ),
    ],
    lanes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Neurons of a population that add a weight at the same time, at most; by default "
            "as many as likely fit.",
        ),
    ] = None,
    mapping_name: MappingName = None,
    form: Form = None,
    word: Word = None,
    clock: Annotated[
        float | None, typer.Option(help="Clock of the accelerator in MHz; by default the board's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of placement.")] = 1,
    data: Annotated[
        str | None,
        typer.Option(
            help="Samples whose cycles are reported: digits, mnist, fashion, or an .npz file; by "
            "default the network's own, or random ones."
        ),
    ] = None,
    json: Json = None,
    writable: Writable = None,
    uninitialized: Spram = None,
    encoded: Encoded = False,
) -> int:
    """Build the bitstream of a board, or the whole project where only the vendor's tool can.

    Prints the utilisation, the maximum clock frequency, and the cycles and time of a sample. A
    network that does not fit is refused, and so is a design that is too slow for the clock; nothing
    is left behind then. Without --lanes and --mapping, a mapping is chosen that likely fits.

    For example:

        spiker build networks/digits.spiker --board icebreaker -o digits_icebreaker
        spiker build networks/mnist.spiker --board ulx3s_45f --lanes 32 -o mnist_ulx3s
        spiker build networks/digits.spiker --board pynq_z2 -o digits_pynq
    """
    from spiker_boards.builder.build import EARLIER, build_board
    from spiker_boards.catalog import find_board
    from spiker_boards.rate import link_rate
    from spiker_cli.support.files import check_directory, check_output, open_network
    from spiker_cli.support.mappings import MappingOptions
    from spiker_cli.support.samples import samples_or_random
    from spiker_hdl.model.encoders import Encoding
    from spiker_hdl.model.timing import predict
    from spiker_hdl.tools.programs import find_tools

    begin_work()
    target = find_board(board)
    check_directory(output, "Output")
    EARLIER.check(output)
    check_output(json, "--json")
    if clock is not None and not 0 < clock <= 1000:
        raise ValueError(f"Clock must be more than 0 and at most 1000 MHz, not {clock:g}")
    options = MappingOptions(lanes, mapping_name, form, word, writable, uninitialized)
    network = open_network(path)
    mapping = _mapping(network, target, path, options)
    samples, _ = samples_or_random(network, data, None, few=SAMPLES)
    tools = find_tools(target.kind.tools)
    for tool in tools.values():
        say(f"{tool.name} {tool.version}")
    if not tools:
        say(f"{target.kind.vendor} makes the bitstream; this is the project for it")
    encoding = Encoding.of(network) if encoded else None

    def extra() -> dict[str, Any]:
        cycles = predict(network, samples.spikes, mapping=mapping).cycles
        rate = link_rate(target, network, mapping, samples.spikes, encoding)
        timing = {"samples": len(cycles), "data": samples.data, "cycles": float(cycles.mean())}
        return {"timing": timing, "link_rate": rate.to_json()}

    with _steps(f"{path.name} for {target.title}, steps", 3 if tools else 1) as begin_step:
        report = build_board(
            network,
            target,
            output,
            mapping=mapping,
            encoding=encoding,
            frequency=None if clock is None else round(clock * 1e6),
            seed=seed,
            progress=begin_step,
            extra=extra,
        )
    if not write_json(json, report):
        table(str(output), _rows(report, target))
    return 0


@contextmanager
def _steps(title: str, count: int) -> Iterator[Callable[[str], None]]:
    """Show a bar of steps; gives what to call with the name of a step as it begins."""
    with progress(title, count) as advance:
        begun: list[str] = []

        def begin(name: str) -> None:
            if begun:
                advance(1)
            begun.append(name)
            say(name)

        yield begin
        advance(1)


def _mapping(
    network: "Network", target: "Target", path: Path, options: "MappingOptions"
) -> "Mapping":
    """Return the mapping of the options; else the one saved with the network, or what fits."""
    from spiker_boards.fit import Fit, find_fit
    from spiker_hdl.model import Mapping

    mapping = options.find(network, path)
    plain = Mapping.default(network, form=mapping.form, word=mapping.word)
    if options.sized or mapping != options.with_writable(network, plain):
        return mapping
    # What fits nowhere is refused by what builds, with what is short.
    fit = find_fit(target, network, mapping) or Fit(1)
    return options.with_writable(
        network, fit.mapping(network, **options.changes), fit.uninitialized
    )


def _rows(report: dict[str, Any], target: "Target") -> list[tuple[str, Any]]:
    """Return the rows of a build's table."""
    from spiker_boards.rate import LinkRate

    clock, cycles = report["clock_hz"], report["timing"]["cycles"]
    rows: list[tuple[str, Any]] = [("board", f"{target.title}, {target.device}")]
    names = {
        "luts": "look-up tables",
        "flip_flops": "flip-flops",
        "block_rams": "block RAMs",
        "sprams": "single-port RAMs",
    }
    for kind, cells in (report["utilization"] or {}).items():
        share = cells["used"] / cells["available"]
        rows.append((names[kind], f"{cells['used']:,} of {cells['available']:,} ({share:.0%})"))
    if report["fmax_hz"]:
        fmax = f"{report['fmax_hz'] / 1e6:.1f} MHz, of which {clock / 1e6:g} MHz are used"
        rows.append(("maximum clock", fmax))
    else:
        rows.append(("clock", f"{clock / 1e6:g} MHz; {target.kind.vendor} says whether it is met"))
    rows += [
        ("cycles a sample", f"{cycles:,.0f} ({report['timing']['data']})"),
        ("time a sample", f"{cycles / clock * 1e6:,.1f} us of computing, without the link"),
        ("link", target.path),
        ("through the link", str(LinkRate(**report["link_rate"]))),
        ("built in", f"{report['seconds']:g} s"),
    ]
    cores = report["mapping"]["cores"].items()
    loaded = [name for name, core in cores if core["weights"] == "uninitialized"]
    if loaded:
        text = f"weights of {', '.join(loaded)} are in SPRAM, which no bitstream fills: spiker load"
        rows.append(("to be loaded", text))
    if not target.touched:
        rows.append(("untested", "not yet tested on physical hardware"))
    return rows
