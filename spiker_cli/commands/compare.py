"""`spiker compare`: floating point, integers and hardware on the same samples."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiker_cli.support.options import (
    Data,
    Encoder,
    FloatingPointFile,
    Json,
    Lanes,
    MappingName,
    Picture,
    Steps,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import write, write_json

if TYPE_CHECKING:
    from spiker_hdl.model import Network

__all__ = ["compare"]


def compare(
    floating_point: FloatingPointFile,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[NET]",
            help="Network file; without it, FLOAT_NET is quantised to weights of 4 bits and "
            "potentials of 8.",
        ),
    ] = None,
    data: Data = None,
    samples: Annotated[
        int | None, typer.Option(help="Number of samples; at most 500 by default.")
    ] = None,
    encoder: Encoder = None,
    steps: Steps = None,
    engine: Annotated[
        str,
        typer.Option(help="Engine of the hardware: auto, compiled, amaranth, or none."),
    ] = "auto",
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    picture: Picture = None,
    json: Json = None,
) -> int:
    """Run samples in floating point, in integers and in hardware, and say how they differ.

    Prints the accuracy of each, how close the spikes of each population stay and its worst neuron,
    and the mismatches of hardware and integers. There must be none of these: else the exit code
    is 1.

    For example:

        spiker compare model.safetensors model.spiker --samples 100
        spiker compare model.safetensors --data digits --encoder rate --steps 8
    """
    import spiker_hdl
    from spiker_cli.support.files import check_output, check_picture, open_network
    from spiker_cli.support.floating_point import max_steps_of, open_floating_point, samples_for
    from spiker_cli.support.mappings import MappingOptions
    from spiker_hdl.base.checks import check_choice
    from spiker_hdl.engines import CHOICES
    from spiker_train import quantize
    from spiker_train.conversion.compare import compare as compare_networks

    begin_work()
    check_choice("Engine", engine, [*CHOICES, "none"])
    check_output(json, "--json")
    check_picture(picture)
    options = MappingOptions(lanes, mapping_name)
    net = open_floating_point(floating_point)
    network = None if path is None else open_network(path)
    data, encoder, steps = _noted(network, data, encoder, steps)
    chosen = samples_for(net, data, samples, encoder, steps)
    if network is None:
        network = quantize(net, max_steps=max_steps_of(chosen, None))
    run: Any = None
    if engine not in {"none", "reference"}:
        mapping = options.find(network, path)
        run = partial(spiker_hdl.run, engine=engine, mapping=mapping)
    comparison = compare_networks(net, network, chosen.spikes, chosen.labels, run=run)
    if picture is not None:
        comparison.picture(picture)
    if not write_json(json, comparison.to_json()):
        write(str(comparison))
    return 1 if comparison.mismatches else 0


def _noted(
    network: "Network | None", data: str | None, encoder: str | None, steps: int | None
) -> tuple[str, str | None, int | None]:
    """Return which samples to run, from the network's notes where no option says it."""
    notes = {} if network is None else network.note
    data = data or notes.get("data")
    if data is None:
        raise ValueError("--data must be given, since the network has no note of it")
    if steps is None and notes.get("steps", "").isdecimal():
        steps = int(notes["steps"])
    return data, encoder or notes.get("encoder"), steps
