"""`spiker compare`: real numbers, integers and hardware on the same samples."""

from functools import partial
from pathlib import Path

import spiker_hdl
from spiker_cli.support.files import (
    check_output,
    check_picture,
    find_mapping,
    open_network,
    read_lanes,
)
from spiker_cli.support.terminal import write, write_json
from spiker_hdl.base.checks import check_choice
from spiker_hdl.engines import CHOICES
from spiker_train import quantize

from .quantize import max_steps_of, open_real, samples_for

__all__ = ["compare"]


def compare(
    real: Path,
    fixed: Path | None,
    data: str | None,
    samples: int | None,
    encoder: str | None,
    steps: int | None,
    engine: str,
    lanes: str | None,
    picture: Path | None,
    json: Path | None,
) -> int:
    """Compare, report, and return the exit code."""
    check_choice("Engine", engine, [*CHOICES, "none"])
    check_output(json, "--json")
    check_picture(picture)
    net = open_real(real)
    network = None if fixed is None else open_network(fixed)
    notes = {} if network is None else network.note
    data = data or notes.get("data")
    if data is None:
        raise ValueError("--data must be given, since the network has no note of it")
    steps = steps or (int(notes["steps"]) if notes.get("steps", "").isdecimal() else None)
    found = samples_for(net, data, samples, encoder or notes.get("encoder"), steps)
    assert found is not None  # there are data
    if network is None:
        network = quantize(net, max_steps=max_steps_of(found, None))
    run = None
    if engine not in {"none", "reference"}:
        mapping = find_mapping(network, fixed, lanes, None, None) if fixed else None
        if fixed is None and lanes is not None:
            mapping = read_lanes(network, lanes)
        run = partial(spiker_hdl.run, engine=engine, mapping=mapping)
    from spiker_train.conversion.compare import compare as compared

    made = compared(net, network, found.spikes, found.labels, run=run)
    if picture is not None:
        made.picture(picture)
    if not write_json(json, made.to_json()):
        write(str(made))
    return 1 if made.mismatches else 0
