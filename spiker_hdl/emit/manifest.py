"""What an emitted directory holds and how its ports behave, for people and programs."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from typing import Any

from amaranth import Value
from amaranth.lib.wiring import In

from ..model import Input
from ..rtl import Accelerator
from .fields import fields_of

__all__ = ["FORMAT", "VERSION", "manifest"]

FORMAT = "spiker-emission"
VERSION = 1


def manifest(
    accelerator: Accelerator,
    *,
    language: str,
    top: str,
    ports: Mapping[str, str],
    tool: str,
    command: str,
    samples: int,
    files: Mapping[str, str],
) -> str:
    """Return the manifest of an emission as JSON.

    Parameters
    ----------
    accelerator : Accelerator
    language : str
    top : str
        Name of the topmost module.
    ports : mapping of str to str
        Name of each of its ports, by its name in Amaranth.
    tool : str
        What wrote the design, with its version.
    command : str
        What makes the same again.
    samples : int
        Samples of the test bench, 0 if there is none.
    files : mapping of str to str
        Text of each of the other files, by path.
    """
    from .. import __version__

    network = accelerator.network
    streams = {
        accelerator.ports[node.name]: _input(accelerator, node, ports) for node in network.inputs
    }
    streams["o"] = _output(accelerator, ports)
    held = {
        "format": FORMAT,
        "version": VERSION,
        "command": command,
        "language": language,
        "top": top,
        "made by": {"spiker-hdl": __version__, "amaranth": installed("amaranth"), "tool": tool},
        "network": {"name": network.name, "sha256": network.digest, "longest": network.longest},
        "mapping": accelerator.mapping.to_json(),
        "clock": {"port": ports["clk"], "edge": "rising"},
        "reset": {
            "port": ports["rst"],
            "active": "high",
            "kind": "synchronous",
            "cycles": 1,
            "needed": "no: registers start with their reset values where the device loads them",
            "effect": "samples inside are lost; the next beat of each input begins a sample",
        },
        "idle": {
            "port": ports["idle"],
            "meaning": "1 while no sample is inside; a result may still wait to be taken",
        },
        "handshake": (
            "A beat is taken at a rising edge at which both valid and ready are 1. Once valid is 1 "
            "it stays, and so does the payload, until the beat is taken. Valid must not wait for "
            "ready; ready may come and go at any time."
        ),
        "ports": _ports(accelerator, ports),
        "streams": streams,
        "timing": {
            "latency": (
                "o's field `cycles`: from the cycle in which the first beat of the first input is "
                "taken to the first cycle in which the result is valid"
            ),
            "overlap": (
                f"up to {accelerator.room} samples may be inside at once; results come in the "
                "order of samples"
            ),
        },
        "samples": samples,
        "files": {n: hashlib.sha256(text.encode()).hexdigest() for n, text in files.items()},
    }
    return json.dumps(held, indent=2) + "\n"


def _ports(accelerator: Accelerator, ports: Mapping[str, str]) -> list[dict[str, Any]]:
    found = [{"name": ports[name], "direction": "in", "width": 1} for name in ("clk", "rst")]
    for path, member, value in accelerator.signature.flatten(accelerator):
        name = "__".join(map(str, path))
        found.append({
            "name": ports[name],
            "direction": "in" if member.flow == In else "out",
            "width": Value.cast(value).shape().width,
        })
    return found


def _stream(accelerator: Accelerator, name: str, ports: Mapping[str, str]) -> dict[str, Any]:
    layout = getattr(accelerator, name).p.shape()
    return {
        **{one: ports[f"{name}__{one}"] for one in ("payload", "valid", "ready")},
        "width": layout.size,
        "fields": [field.to_json() for field in fields_of(layout)],
    }


def _input(accelerator: Accelerator, node: Input, ports: Mapping[str, str]) -> dict[str, Any]:
    form = accelerator.mapping.form
    entry = accelerator.entries[node.name]
    if form == "words":
        order = (
            f"{entry.words} beats a time step, channels {entry.width} at a time in ascending "
            "order, 0 where nothing fires or a channel is beyond the last; `last` is 1 in the "
            "final beat of the sample's last step"
        )
        timing = "a beat is taken every max(1, events in it) cycles, and one more ends a step"
    else:
        order = (
            "the events of a time step, each address at most once and in ascending order, then a "
            "beat with `end`; `last` is 1 in the beat that ends the sample's last step"
        )
        timing = "a beat is taken every cycle while there is room in the queues behind"
    return {
        "direction": "in",
        "of": node.name,
        "channels": node.size,
        "values": [node.low, node.high],
        "form": form,
        "order": order,
        "timing": timing + "; a sample's first beat waits until there is room for its result",
        **_stream(accelerator, accelerator.ports[node.name], ports),
    }


def _output(accelerator: Accelerator, ports: Mapping[str, str]) -> dict[str, Any]:
    network = accelerator.network
    return {
        "direction": "out",
        "order": "one beat a sample",
        "timing": (
            "valid and payload come from registers; a result that waits stops no other stream "
            "until the room for results is used up"
        ),
        **_stream(accelerator, "o", ports),
        "readouts": [
            {
                "name": one.name,
                "field": f"answers.{accelerator.readout_names[one.name]}",
                "population": one.population,
                "kind": one.kind,
            }
            for one in network.readouts
        ],
        "counts": [
            {"name": name, "field": f"counts.{accelerator.names[name]}"}
            for name in accelerator.counters
        ],
    }
