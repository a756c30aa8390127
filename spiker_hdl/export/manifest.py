"""What an emitted directory holds and how its ports behave, for people and programs."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from typing import Any

from amaranth import Value
from amaranth.lib.wiring import In

from spiker_hdl.link.axi.accelerator import FramedResult, tdata_width
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.link.protocol.registers import MAP_VERSION, mapping_digest, registers_json
from spiker_hdl.model import Input
from spiker_hdl.model.mapping.reload import ADDRESS, DATA, MEMORY, stores, structure
from spiker_hdl.payloads.fields import fault_field, fields_of
from spiker_hdl.rtl import Accelerator

from .meanings import breaches, packing, result_meanings, score_meaning

__all__ = ["FORMAT", "VERSION", "manifest"]

FORMAT = "spiker-emission"
VERSION = 1

_AXI = "ARM IHI 0051A for streams, ARM IHI 0022 for registers. "
_HANDSHAKE = (
    "A beat is taken at a rising edge at which both valid and ready are 1. Once valid is 1 it "
    "stays, and so does the payload, until the beat is taken. Valid must not wait for ready; ready "
    "may come and go at any time."
)
_HIGH = ("ready", "idle", "tlast")
"""Ends of the names of outputs that are 1 after a reset."""


def manifest(
    accelerator: Accelerator,
    *,
    axis: AxiTop | None,
    language: str,
    top: str,
    ports: Mapping[str, str],
    tool: str,
    command: str,
    bench: Mapping[str, Any] | None,
    period: float,
    files: Mapping[str, str | bytes],
) -> str:
    """Return the manifest of an emission as JSON.

    Parameters
    ----------
    accelerator : Accelerator
    axis : AxiTop or None
        What is around it, where its ports are those of AXI.
    language : str
    top : str
        Name of the topmost module.
    ports : mapping of str to str
        Name of each of its ports, by its name in Amaranth.
    tool : str
        What wrote the design, with its version.
    command : str
        What makes the same again.
    bench : mapping or None
        What the test bench holds: see :func:`~.meanings.bench_json`.
    period : float
        Nanoseconds of a clock period that the constraints ask for.
    files : mapping of str to str or bytes
        Content of each of the other files, by path.
    """
    from spiker_hdl.base.version import LIBRARY_VERSION

    network = accelerator.network
    streams = {
        (axis.inner.ports if axis else accelerator.ports)[node.name]: _input(
            accelerator, node, ports, axis
        )
        for node in network.inputs
    }
    streams["m_axis" if axis else "o"] = _output(accelerator, ports, axis)
    clock, reset = ("aclk", "aresetn") if axis else ("clk", "rst")
    held = {
        "format": FORMAT,
        "version": VERSION,
        "command": command,
        "language": language,
        "top": top,
        "made by": {"spiker-hdl": LIBRARY_VERSION, "amaranth": installed("amaranth"), "tool": tool},
        "network": {
            "name": network.name,
            "sha256": network.digest,
            "max_steps": network.max_steps,
            "projections": {
                one.name: {"from": one.source, "to": one.target, "shift": one.shift}
                for one in network.projections
            },
            "of each projection": {
                "shift": "an event adds its weight times 2 to the power of this to its target",
            },
            "notes": dict(network.notes),
        },
        "mapping": accelerator.mapping.to_json(),
        "mapping sha256": mapping_digest(accelerator.mapping),
        "interface": "axis" if axis else "streams",
        "clock": {"port": ports[clock], "edge": "rising", "period in ns": period},
        "reset": {
            "port": ports[reset],
            "active": "low" if axis else "high",
            "kind": "synchronous",
            "cycles": 1,
            "needed": "no: registers start with their reset values where the device loads them",
            "effect": "samples inside are lost; the next beat of each input begins a sample",
        },
        "idle": {
            "port": ports["idle"],
            "meaning": (
                "1 while no sample is inside and no result waits to be taken"
                if axis
                else "1 while no sample is inside, nor anything left of one; a result may still "
                "wait to be taken"
            ),
        },
        "handshake": (_AXI if axis else "") + _HANDSHAKE,
        "sample": (
            "1 to max_steps time steps, at all inputs as many; each sample starts from rest, "
            "whatever came before; the notes of the network say how its samples were made, as "
            "far as that is known: encoder, steps, data"
        ),
        "packing": packing(accelerator),
        "breaches": breaches(axis is not None),
        "of each port": {
            "reset": "what the port holds after a reset; null where it comes from outside",
            "latency": (
                "cycles from a rising edge to the first at which the port can show what happened "
                "at it: every output depends on registers alone, on no port of the same cycle"
            ),
        },
        "ports": _ports(axis or accelerator, ports, axis is None),
        "streams": streams,
        **(
            {"registers": {"bus": _bus(ports), "version": MAP_VERSION, "map": registers_json()}}
            if axis
            else {}
        ),
        **({"loading": _loading(accelerator, ports)} if accelerator.mapping.writable else {}),
        "timing": {
            "latency": (
                "o's field `cycles`: from the cycle in which the first beat of the first input is "
                "taken to the first cycle in which the result is valid"
            ),
            "overlap": (
                f"up to {accelerator.max_in_flight} samples may be inside at once; results come in "
                "the order of samples"
            ),
        },
        "samples": bench["samples"] if bench else 0,
        "bench": bench,
        "files": {name: _digest(held) for name, held in files.items()},
    }
    return json.dumps(held, indent=2) + "\n"


def _digest(held: str | bytes) -> str:
    return hashlib.sha256(held.encode() if isinstance(held, str) else held).hexdigest()


def _ports(component: Any, ports: Mapping[str, str], clocked: bool) -> list[dict[str, Any]]:
    found = [
        {"name": ports[name], "direction": "in", "width": 1, "reset": None, "latency": None}
        for name in (("clk", "rst") if clocked else ())
    ]
    for path, member, value in component.signature.flatten(component):
        name = "__".join(map(str, path))
        came = member.flow == In
        found.append({
            "name": ports[name],
            "direction": "in" if came else "out",
            "width": Value.cast(value).shape().width,
            "reset": None if came else int(name.endswith(_HIGH)),
            "latency": None if came else 1,
        })
    return found


def _bus(ports: Mapping[str, str]) -> dict[str, str]:
    """Return the name of each port of AXI4-Lite, by that which the standard gives it."""
    mark = "s_axil__"
    return {name.removeprefix(mark): ports[name] for name in ports if name.startswith(mark)}


def _stream(
    accelerator: Accelerator, name: str, ports: Mapping[str, str], axis: str
) -> dict[str, Any]:
    """Describe a stream: of AXI, if that has a name for it."""
    layout = getattr(accelerator, name).p.shape()
    fields = list(fields_of(layout))
    if axis and name == "o":
        layout = FramedResult(accelerator)
        fields.append(fault_field(accelerator))
    if not axis:
        return {
            **{one: ports[f"{name}__{one}"] for one in ("payload", "valid", "ready")},
            "width": layout.size,
            "fields": [field.to_json() for field in fields],
        }
    return {
        **{one: ports[f"{axis}__{one}"] for one in ("tdata", "tlast", "tvalid", "tready")},
        "width": tdata_width(layout),
        "fields": [field.to_json() for field in fields if field.name != "last"],
    }


def _input(
    accelerator: Accelerator, node: Input, ports: Mapping[str, str], axis: AxiTop | None
) -> dict[str, Any]:
    form = accelerator.mapping.form
    entry = accelerator.input_ports[node.name]
    if form == "words":
        order = (
            f"{entry.words} beats a time step, channels {entry.width} at a time in ascending "
            "order, 0 where nothing fires or a channel is beyond the last; `last` is 1 in the "
            "final beat of the sample's last step"
        )
        if node.static:
            order += "; one beat for each step behind a sample's first, its values unread"
        timing = "a beat is taken every max(1, events in it) cycles, and one more ends a step"
    else:
        order = (
            "the events of a time step, each address at most once and in ascending order, then a "
            "beat with `end`; `last` is 1 in the beat that ends the sample's last step"
        )
        if node.static:
            order += "; one beat for each step behind a sample's first, with `end`"
        timing = "a beat is taken every cycle while there is room in the queues behind"
    return {
        "direction": "in",
        "of": node.name,
        "channels": node.size,
        "values": [node.low, node.high],
        "form": form,
        "order": order.replace("`last`", "`tlast`") if axis else order,
        "timing": timing + "; a sample's first beat waits until there is room for its result",
        **_stream(
            accelerator,
            accelerator.ports[node.name],
            ports,
            axis.inner.ports[node.name] if axis else "",
        ),
    }


def _loading(accelerator: Accelerator, ports: Mapping[str, str]) -> dict[str, Any]:
    """Describe how another network's numbers are put in place of those that are there."""
    network, mapping = accelerator.network, accelerator.mapping
    return {
        **_stream(accelerator, "load", ports, ""),
        "structure sha256": structure(network, mapping),
        "kinds": {"word": DATA, "memory": MEMORY, "row": ADDRESS},
        "order": (
            "the number of a memory, the row to begin with, then words: each row's from its lowest "
            "bits on, and row after row"
        ),
        "timing": "a beat is taken every cycle while no sample is inside",
        "memories": [
            {
                "number": one.number,
                "population": one.population,
                "holds": one.part,
                "bank": one.bank,
                "width": one.width,
                "rows": one.depth,
                "words": one.slices,
                "bits of a word": one.granule,
            }
            for one in stores(network, mapping)
        ],
    }


def _output(
    accelerator: Accelerator, ports: Mapping[str, str], axis: AxiTop | None
) -> dict[str, Any]:
    network = accelerator.network
    return {
        "direction": "out",
        "order": "one beat a sample" + (", which is a packet: `tlast` is always 1" if axis else ""),
        "timing": (
            "valid and payload come from registers; a result that waits stops no other stream "
            "until the room for results is used up"
        ),
        **_stream(accelerator, "o", ports, "m_axis" if axis else ""),
        "meaning": result_meanings(accelerator, axis is not None),
        "readouts": [
            {
                "name": one.name,
                "field": f"answers.{accelerator.readout_names[one.name]}",
                "population": one.population,
                "kind": one.kind,
                "scores": score_meaning(one),
                **({} if one.groups is None else {"groups": one.groups}),
            }
            for one in network.readouts
        ],
        "counts": [
            {"name": name, "field": f"counts.{accelerator.names[name]}"}
            for name in accelerator.counters
        ],
    }
