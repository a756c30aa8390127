"""`spiker emit`: write the accelerator in a hardware language, with a self-checking test bench."""

import shlex
from pathlib import Path

import spiker_hdl
from spiker_cli.support.files import check_directory, find_mapping, open_network
from spiker_cli.support.samples import samples_or_random
from spiker_cli.support.terminal import progress, say, table
from spiker_hdl.base.checks import check_choice
from spiker_hdl.export import LANGUAGES, PORTS
from spiker_hdl.export.export import EMISSION
from spiker_hdl.export.flows import check_period
from spiker_hdl.export.read import read_files

from .simulate import run

__all__ = ["emit", "listing"]


def emit(
    path: Path,
    output: Path,
    language: str,
    data: str | None,
    samples: int | None,
    encoder: str | None,
    steps: int | None,
    lanes: str | None,
    form: str | None,
    word: int | None,
    timed: bool,
    ports: str,
    period: float,
) -> int:
    """Write the files, list them, and return the exit code."""
    check_choice("Language", language, LANGUAGES)
    check_choice("Ports", ports, PORTS)
    check_period(period)
    check_directory(output, "Output")
    EMISSION.check(output)
    network = open_network(path)
    mapping = find_mapping(network, path, lanes, form, word)
    if samples is not None and samples < 0:
        raise ValueError(f"Samples must be at least 0, not {samples}")
    found, reason = None, ""
    if samples != 0:
        found, reason = samples_or_random(network, data, samples, encoder, steps)
    if reason:
        say(
            f"The test bench has random samples, since those of the network are not there: {reason}"
        )
    expected = run(network, found, "auto", mapping) if found and timed else None
    command = ["spiker", "emit", path.name, "--language", language]
    command += ["--samples", str(0 if found is None else len(found))]
    command += ["--ports", ports, "--period", f"{period:g}"]
    for option, value in (
        ("--data", data),
        ("--encoder", encoder),
        ("--steps", steps),
        ("--lanes", lanes),
        ("--form", form),
        ("--word", word),
    ):
        command += [] if value is None else [option, str(value)]
    with progress(f"{path.name} as {LANGUAGES[language].title}", 1) as advance:
        spiker_hdl.emit(
            network,
            output,
            language=language,
            mapping=mapping,
            samples=None if found is None else found.spikes,
            expected=expected,
            ports=ports,
            period=period,
            generated=0 if samples == 0 else None,
            command=shlex.join(command + (["--timed"] if timed else [])),
        )
        advance(1)
    bench = "none" if found is None else f"{len(found)} samples of {found.data}{_more(output)}"
    table(str(output), [*listing(output), ("test bench", bench)])
    return 0


def _more(directory: Path) -> str:
    """Return what the test bench has beside real samples, and what share of faults it catches."""
    held = read_files(directory)[0]["bench"]
    share = held["flipped bits"]["share caught"]
    return f", and {held['made up']} made up, catch {share:.1%} of flipped bits: `make sim` there"


def listing(directory: Path) -> list[tuple[str, str]]:
    """Return the files that the manifest in a directory names, and their sizes."""
    _, files = read_files(directory)
    return [(name, f"{len(data):,} bytes") for name, data in files.items()]
