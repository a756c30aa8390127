"""`spiker build`: from a network to the bitstream of a board, or to a project for it."""

from pathlib import Path
from typing import Any

from spiker_boards.builder.build import EARLIER, build_board
from spiker_boards.catalog import find_board
from spiker_boards.fit import Fit, find_fit
from spiker_boards.rate import LinkRate, link_rate
from spiker_boards.target import Target
from spiker_cli.support.files import (
    check_directory,
    check_output,
    find_mapping,
    open_mapping,
    open_network,
)
from spiker_cli.support.samples import samples_or_random
from spiker_cli.support.terminal import progress, say, table, write_json
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.timing import predict
from spiker_hdl.tools.programs import find_tools

__all__ = ["build"]

SAMPLES = 10


def build(
    path: Path,
    board: str,
    output: Path,
    lanes: str | None,
    form: str | None,
    word: int | None,
    clock: float | None,
    seed: int,
    data: str | None,
    json: Path | None,
    writable: list[str] | None,
    uninitialized: list[str] | None,
    encoded: bool,
) -> int:
    """Build, report, and return the exit code."""
    target = find_board(board)
    check_directory(output, "Output")
    EARLIER.check(output)
    check_output(json, "--json")
    if clock is not None and not 0 < clock <= 1000:
        raise ValueError(f"Clock must be more than 0 and at most 1000 MHz, not {clock:g}")
    network = open_network(path)
    mapping = _mapping(network, target, path, lanes, form, word, writable, uninitialized)
    samples, _ = samples_or_random(network, data, None, few=SAMPLES)
    tools = find_tools(target.kind.tools)
    for tool in tools.values():
        say(f"{tool.name} {tool.version}")
    if not tools:
        say(f"{target.kind.vendor} makes the bitstream; here is its project")
    frequency = None if clock is None else round(clock * 1e6)

    encoding = Encoding.of(network) if encoded else None

    def extra() -> dict[str, Any]:
        cycles = predict(network, samples.spikes, mapping=mapping).cycles
        rate = link_rate(target, network, mapping, samples.spikes, encoding)
        timing = {"samples": len(cycles), "data": samples.data, "cycles": float(cycles.mean())}
        return {"timing": timing, "link_rate": rate.to_json()}

    steps = [*("synthesis", "place and route", "packing")] if tools else ["project"]
    with progress(f"{path.name} for {target.title}, steps", len(steps)) as advance_bar:
        begun: list[str] = []

        def step(name: str) -> None:
            if begun:
                advance_bar(1)
            begun.append(name)
            say(name)

        report = build_board(
            network,
            target,
            output,
            mapping=mapping,
            encoding=encoding,
            frequency=frequency,
            seed=seed,
            progress=step,
            extra=extra,
        )
        advance_bar(1)
    if not write_json(json, report):
        table(str(output), rows(report, target))
    return 0


def _mapping(
    network: Network,
    target: Target,
    path: Path,
    lanes: str | None,
    form: str | None,
    word: int | None,
    writable: list[str] | None,
    uninitialized: list[str] | None,
) -> Mapping:
    """Return the mapping that is asked for; else the one saved with the network, or what fits."""
    mapping = find_mapping(network, path, lanes, form, word)
    if lanes is not None or mapping != Mapping.default(
        network, form=mapping.form, word=mapping.word
    ):
        return open_mapping(network, mapping, writable, uninitialized)
    # What fits nowhere is refused by what builds, with what is short.
    fit = find_fit(target, network, open_mapping(network, mapping, writable, uninitialized)) or Fit(
        1
    )
    changes = {name: value for name, value in (("form", form), ("word", word)) if value is not None}
    mapping = fit.mapping(network, **changes)
    return open_mapping(network, mapping, writable, [*(uninitialized or ()), *fit.uninitialized])


def rows(report: dict[str, Any], target: Target) -> list[tuple[str, Any]]:
    """Return what a build's table says."""
    clock = report["clock_hz"]
    cycles = report["timing"]["cycles"]
    found: list[tuple[str, Any]] = [("board", f"{target.title}, {target.device}")]
    used = report["utilization"] or {}
    names = {
        "luts": "look-up tables",
        "flip_flops": "flip-flops",
        "block_rams": "block RAMs",
        "sprams": "single-port RAMs",
    }
    for kind, each in used.items():
        share = each["used"] / each["available"]
        found.append((names[kind], f"{each['used']:,} of {each['available']:,} ({share:.0%})"))
    if report["fmax_hz"]:
        fmax = f"{report['fmax_hz'] / 1e6:.1f} MHz, of which {clock / 1e6:g} MHz are used"
        found.append(("fastest clock", fmax))
    else:
        found.append(("clock", f"{clock / 1e6:g} MHz; {target.kind.vendor} says whether it is met"))
    found += [
        ("cycles a sample", f"{cycles:,.0f} ({report['timing']['data']})"),
        ("time a sample", f"{cycles / clock * 1e6:,.1f} us of computing, the link not counted"),
        ("link", target.path),
        ("through the link", str(LinkRate(**report["link_rate"]))),
        ("built in", f"{report['seconds']:g} s"),
    ]
    loaded = [
        name
        for name, core in report["mapping"]["cores"].items()
        if core["weights"] == "uninitialized"
    ]
    if loaded:
        found.append((
            "to be loaded",
            f"weights of {', '.join(loaded)} lie in SPRAM, which no bitstream fills: spiker load",
        ))
    if not target.touched:
        found.append(("untouched", "nobody here has had this board in hand"))
    return found
