"""`spiker emit`: write the accelerator in a hardware language, with a self-checking test bench."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from spiker_cli.support.options import (
    Data,
    Encoder,
    Form,
    Lanes,
    MappingName,
    NetworkFile,
    Steps,
    Word,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, say, table

__all__ = ["emit"]


def emit(
    path: NetworkFile,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Directory to write: new, or an earlier emission."
        ),
    ],
    language: Annotated[str, typer.Option(help="verilog or vhdl.")] = "verilog",
    data: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(help="Samples of the test bench, 10 by default; 0 for no test bench."),
    ] = None,
    encoder: Encoder = None,
    steps: Steps = None,
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    form: Form = None,
    word: Word = None,
    timed: Annotated[
        bool,
        typer.Option(
            "--timed", help="Simulate first, so that the test bench compares cycles as well."
        ),
    ] = False,
    ports: Annotated[
        str,
        typer.Option(help="streams (valid, ready, payload), or axis (AXI4-Stream and AXI4-Lite)."),
    ] = "streams",
    period: Annotated[
        float, typer.Option(help="Nanoseconds of a clock period, for the constraints.")
    ] = 10.0,
) -> int:
    """Write the accelerator in Verilog or VHDL, with a test bench that checks itself.

    The directory also has scripts for FuseSoC, Vivado, Quartus and make, and the network: spiker
    simulate takes the directory.

    For example:

        spiker emit networks/digits.spiker -o digits_verilog
        make -C digits_verilog sim
        spiker emit networks/digits.spiker -o digits_vhdl --language vhdl
        spiker emit networks/mnist.spiker -o mnist_verilog --mapping small --samples 3 --timed
        spiker emit networks/digits.spiker -o digits_axi --ports axis --period 8
    """
    import spiker_hdl
    from spiker_cli.support.files import check_directory, open_network
    from spiker_cli.support.mappings import MappingOptions
    from spiker_cli.support.runs import run
    from spiker_cli.support.samples import samples_or_random
    from spiker_hdl.base.checks import check_choice
    from spiker_hdl.export import LANGUAGES, PORTS
    from spiker_hdl.export.export import EMISSION
    from spiker_hdl.export.flows import check_period

    begin_work()
    check_choice("Language", language, LANGUAGES)
    check_choice("Ports", ports, PORTS)
    check_period(period)
    check_directory(output, "Output")
    EMISSION.check(output)
    options = MappingOptions(lanes, mapping_name, form, word)
    network = open_network(path)
    mapping = options.find(network, path)
    if samples is not None and samples < 0:
        raise ValueError(f"Samples must be at least 0, not {samples}")
    chosen, reason = None, ""
    if samples != 0:
        chosen, reason = samples_or_random(network, data, samples, encoder, steps)
    if reason:
        say(f"The test bench has random samples, since those of the network are missing: {reason}")
    expected = run(network, chosen, "auto", mapping) if chosen and timed else None
    command = ["spiker", "emit", path.name, "--language", language]
    command += ["--samples", str(0 if chosen is None else len(chosen))]
    command += ["--ports", ports, "--period", f"{period:g}"]
    values = {"--data": data, "--encoder": encoder, "--steps": steps, **options.chosen}
    for option, value in values.items():
        command += [] if value is None else [option, str(value)]
    with progress(f"{path.name} as {LANGUAGES[language].title}", 1) as advance:
        spiker_hdl.emit(
            network,
            output,
            language=language,
            mapping=mapping,
            samples=None if chosen is None else chosen.spikes,
            expected=expected,
            ports=ports,
            period=period,
            generated=0 if samples == 0 else None,
            command=shlex.join(command + (["--timed"] if timed else [])),
        )
        advance(1)
    title = None if chosen is None else f"{len(chosen)} samples of {chosen.data}"
    table(str(output), _rows(output, title))
    return 0


def _rows(directory: Path, samples: str | None) -> list[tuple[str, str]]:
    """Return the files that a manifest names with their sizes, and what the test bench has."""
    from spiker_hdl.export.read.files import read_files

    manifest, files = read_files(directory)
    text = "none"
    if samples is not None:
        test_bench = manifest["test_bench"]
        count, share = test_bench["generated_samples"], test_bench["fault_injection"]["coverage"]
        text = (
            f"{samples} and {count} generated samples detect {share:.1%} of flipped bits: "
            "`make sim` in the directory runs it"
        )
    sizes = [(name, f"{len(data):,} bytes") for name, data in files.items()]
    return [*sizes, ("test bench", text)]
