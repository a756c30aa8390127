"""`spiker import`: a model of another program as a floating-point network."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import say, write

__all__ = ["import_model"]

FIRE = {"above": ">", "reached": ">="}
"""Words for the two ways to compare a potential with its threshold."""


def import_model(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE.nir|MODULE:OBJECT|CONFIG.json", help="Model to read."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FLOAT_NET", help="File to write, such as net.safetensors."
        ),
    ],
    dt: Annotated[
        float | None,
        typer.Option(help="NIR: time of a step, in the unit of the file's time constants."),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="NIR: decays are euler (1 - dt/tau) or exponential."),
    ] = None,
    writer: Annotated[
        str,
        typer.Option(
            help="NIR: program that wrote the file: nir, snntorch, norse, sinabs or rockpool."
        ),
    ] = "nir",
    reset: Annotated[
        str | None,
        typer.Option(
            help="NIR: reset of a neuron that spikes, which not every program writes: value (to "
            "v_reset) or subtract (the threshold)."
        ),
    ] = None,
    reset_timing: Annotated[
        str | None,
        typer.Option(
            metavar="immediate|next_step|...",
            help="NIR: when a reset takes place: in the step of the spike (immediate), or in the "
            "step after it, where a reset to v_reset discards that step's input (next_step, "
            "snnTorch's default) or keeps it (next_step_keep_input); snntorch_immediate is what "
            "snnTorch computes with reset_delay=False and a reset that subtracts.",
        ),
    ] = None,
    fire: Annotated[
        str | None,
        typer.Option(
            metavar="above|reached",
            help="NIR: a neuron spikes when its potential is above its threshold (also >), or has "
            "reached it (also >=).",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="MODULE:OBJECT: checkpoint with the values of the module, as torch saves a "
            "state_dict, or .safetensors; nothing in it is run. CONFIG.json: trained weights.",
        ),
    ] = None,
    readout: Annotated[
        str | None,
        typer.Option(
            help="How a class is scored: last, largest or sum (of its potentials), count (of its "
            "spikes) or first (spike); by default as the file or the module says."
        ),
    ] = None,
    groups: Annotated[
        int | None, typer.Option(help="MODULE:OBJECT: number of classes of a population code.")
    ] = None,
    levels: Annotated[
        int, typer.Option(help="Number of values that an input takes; 2 for spikes.")
    ] = 2,
    shape: Annotated[
        str | None,
        typer.Option(help="MODULE:OBJECT: shape that its forward takes, such as 25x1x784."),
    ] = None,
    unrolled: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**32,
            help="NIR and MODULE:OBJECT: most weights that a convolution or pooling may be "
            "unrolled into where it cannot stay one; 1048576 by default.",
        ),
    ] = None,
) -> int:
    """Read a model of another program: a NIR file, an snnTorch module, or Spiker's configuration.

    OBJECT is an nn.Module, or a function that makes one. Its module is imported from the current
    directory, so it must be one that you trust. CONFIG.json holds Spiker's net_dict, alone or
    beside optim_config. A report says what became of each part; what cannot be kept exactly is
    refused.

    For example:

        spiker import model.nir --dt 1e-4 --writer norse -o model.safetensors
        spiker import model.nir --dt 1e-4 --reset subtract --reset-timing next_step -o m.safetensors
        spiker import my_model:build --shape 25x1x784 -o model.safetensors
        spiker import my_model:Net --state net.pth -o model.safetensors
        spiker import spiker.json --state trained.pt -o model.safetensors
    """
    from warnings import catch_warnings, simplefilter

    from spiker_cli.support.files import check_output
    from spiker_cli.support.importers import READERS, check_for, errors_of_models, kind_of_source
    from spiker_hdl.base.checks import check_choice
    from spiker_hdl.model.graph import READOUTS

    begin_work()
    check_output(output, "Output")
    _check_suffix(output)
    if not 2 <= levels <= 2**16:
        raise ValueError(f"Levels of input values must be 2 to 65536, not {levels}")
    kind = kind_of_source(source)
    settings = {
        "--dt": dt,
        "--rule": rule,
        "--writer": None if writer == "nir" else writer,
        "--reset": reset,
        "--reset-timing": reset_timing,
        "--fire": fire,
        "--state": state,
        "--shape": shape,
        "--groups": groups,
        "--unrolled": unrolled,
        "--levels": None if levels == 2 else levels,
    }
    check_for(kind, source, settings)
    options = _options(settings)
    if readout is not None:
        if kind != "json":
            check_choice("Readout", readout, READOUTS)
        options["readout"] = readout
    from spiker_train import ImplausibleWarning, save_floating_point  # which load torch

    with errors_of_models(source), catch_warnings():
        simplefilter("ignore", ImplausibleWarning)  # the report says the same
        net = READERS[kind](source, **options)
    save_floating_point(net, output)
    for line in _lines(net.import_report):
        write(line)
    following = [output, "-o", output.with_suffix(".spiker"), *_widths(net.import_report)]
    say(f"Wrote {output}; next: spiker quantize {shlex.join(map(str, following))}")
    return 0


def _check_suffix(output: Path) -> None:
    if output.suffix == ".spiker":
        raise ValueError(
            "Output must be a file of a floating-point network, such as net.safetensors; `spiker "
            f"quantize` makes {output.name} of that"
        )
    if output.suffix != ".safetensors":
        raise ValueError(f"Output must be a .safetensors file, not {output.name}")


def _options(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a reader that options stand for."""
    from spiker_hdl.base.checks import check_choice
    from spiker_hdl.model.neurons.spiking import RESET_TIMINGS

    arguments = {
        option.removeprefix("--"): value for option, value in settings.items() if value is not None
    }
    if "levels" in arguments:
        arguments["values"] = (0, arguments.pop("levels") - 1)
    if "reset-timing" in arguments:
        timing = arguments.pop("reset-timing")
        arguments["reset_timing"] = check_choice("Reset timing", timing, RESET_TIMINGS)
    if "fire" in arguments:
        fire = check_choice("Fire", arguments["fire"], (*FIRE, *FIRE.values()))
        arguments["fire"] = FIRE.get(fire, fire)
    return arguments


def _lines(report: Any) -> list[str]:
    """Return all lines of a report: also what its text leaves out."""
    lines = str(report).splitlines()
    for title in ("unrolled", "notes", "warnings"):
        lines += [
            f"{title}: {entry}"
            for entry in getattr(report, title, ())
            if not any(str(entry) in line for line in lines)
        ]
    return lines


def _widths(report: Any) -> list[Any]:
    """Return options for the first bit widths of Spiker, for which scales are fitted anew."""
    quantizations = getattr(report, "quantizations", ())
    if not quantizations:
        return []
    first = quantizations[0]
    return ["--weights", first.weights, "--potentials", first.potentials, "--decay", first.decay]
