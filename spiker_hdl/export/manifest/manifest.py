"""The manifest of an emitted directory, for people and for programs."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from typing import Any

from amaranth import Value
from amaranth.lib.wiring import In

from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.link.protocol.registers import MAP_VERSION, mapping_digest, registers_json
from spiker_hdl.model import Network
from spiker_hdl.rtl import Accelerator

from .format import FORMAT, VERSION
from .meanings import (
    handshake,
    idle_meaning,
    packing,
    port_fields,
    protocol_violations,
    sample_meaning,
)
from .streams import input_stream, load_stream, result_stream

__all__ = ["manifest"]

RECEPTOR = "The receptor of the neurons that the events reach, 0 where none is stated."
"""Meaning of a field of projections."""

_HIGH_AFTER_RESET = ("ready", "idle", "tlast")
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
    test_bench: Mapping[str, Any] | None,
    period: float,
    files: Mapping[str, str | bytes],
) -> str:
    """Return the manifest of an emission as JSON.

    Parameters
    ----------
    accelerator : Accelerator
    axis : AxiTop or None
        The AXI wrapper around the accelerator, where the ports are those of AXI.
    language : str
    top : str
        Name of the topmost module.
    ports : mapping of str to str
        Name of each port of that module, by its name in Amaranth.
    tool : str
        Name and version of the program that wrote the design.
    command : str
        Command that emits the same directory again.
    test_bench : mapping or None
        Contents of the test bench: see :func:`~.bench.bench_json`.
    period : float
        Clock period in nanoseconds that the constraints ask for.
    files : mapping of str to str or bytes
        Content of each of the other files, by path.
    """
    mapping = accelerator.mapping
    contents = {
        **_origin(accelerator.network, language, top, tool, command),
        "mapping": mapping.to_json(),
        "mapping_sha256": mapping_digest(mapping),
        "interface": "axis" if axis else "streams",
        **_clock_and_reset(ports, axis is not None, period),
        "handshake": handshake(axis is not None),
        "sample": sample_meaning(),
        "packing": packing(accelerator),
        "protocol_violations": protocol_violations(axis is not None),
        "port_fields": port_fields(),
        "ports": _ports(axis or accelerator, ports, axis is None),
        "streams": _streams(accelerator, ports, axis),
    }
    if axis:
        contents["registers"] = {
            "bus": _bus(ports),
            "version": MAP_VERSION,
            "map": registers_json(),
        }
    if mapping.writable:
        contents["loading"] = load_stream(accelerator, ports)
    contents |= {
        "timing": _timing(accelerator),
        "samples": test_bench["samples"] if test_bench else 0,
        "test_bench": test_bench,
        "files": {name: _digest(content) for name, content in files.items()},
    }
    return json.dumps(contents, indent=2) + "\n"


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def _origin(network: Network, language: str, top: str, tool: str, command: str) -> dict[str, Any]:
    """Return how the directory was made, and from which network."""
    from spiker_hdl.base.version import LIBRARY_VERSION

    return {
        "format": FORMAT,
        "version": VERSION,
        "command": command,
        "language": language,
        "top": top,
        "generator": {
            "spiker-hdl": LIBRARY_VERSION,
            "amaranth": installed("amaranth"),
            "tool": tool,
        },
        "network": {
            "name": network.name,
            "sha256": network.digest,
            "max_steps": network.max_steps,
            "projections": {
                projection.name: {
                    "from": projection.source,
                    "to": projection.target,
                    "shift": projection.shift,
                }
                | ({"receptor": projection.receptor} if projection.receptor else {})
                for projection in network.projections
            },
            "projection_fields": {
                "shift": "An event adds its weight times 2 to the power of `shift` to its target.",
            }
            | ({"receptor": RECEPTOR} if any(p.receptor for p in network.projections) else {}),
            "notes": dict(network.notes),
        },
    }


def _clock_and_reset(ports: Mapping[str, str], axis: bool, period: float) -> dict[str, Any]:
    clock, reset = ("aclk", "aresetn") if axis else ("clk", "rst")
    return {
        "clock": {"port": ports[clock], "edge": "rising", "period_ns": period},
        "reset": {
            "port": ports[reset],
            "active": "low" if axis else "high",
            "kind": "synchronous",
            "min_cycles": 1,
            "required": (
                "No, on a device that initialises its registers: they start with the same values "
                "as after a reset."
            ),
            "effect": (
                "Samples inside the accelerator are lost. The next beat of each input is the first "
                "beat of a sample."
            ),
        },
        "idle": {"port": ports["idle"], "meaning": idle_meaning(axis)},
    }


def _timing(accelerator: Accelerator) -> dict[str, str]:
    return {
        "latency": (
            "The field `cycles` of the result is the number of cycles from the one in which the "
            "first beat of the first input is transferred to the first one in which the result is "
            "valid."
        ),
        "overlap": (
            f"Up to {accelerator.max_in_flight} samples may be inside the accelerator at once. "
            "Results come in the order of the samples."
        ),
    }


def _streams(
    accelerator: Accelerator, ports: Mapping[str, str], axis: AxiTop | None
) -> dict[str, Any]:
    names = axis.inner.ports if axis else accelerator.ports
    return {
        **{
            names[node.name]: input_stream(accelerator, node, ports, axis)
            for node in accelerator.network.inputs
        },
        "m_axis" if axis else "o": result_stream(accelerator, ports, axis),
    }


def _ports(component: Any, ports: Mapping[str, str], clocked: bool) -> list[dict[str, Any]]:
    described = [
        {"name": ports[name], "direction": "in", "width": 1, "reset": None, "latency": None}
        for name in (("clk", "rst") if clocked else ())
    ]
    for path, member, value in component.signature.flatten(component):
        name = "__".join(map(str, path))
        is_input = member.flow == In
        described.append({
            "name": ports[name],
            "direction": "in" if is_input else "out",
            "width": Value.cast(value).shape().width,
            "reset": None if is_input else int(name.endswith(_HIGH_AFTER_RESET)),
            "latency": None if is_input else 1,
        })
    return described


def _bus(ports: Mapping[str, str]) -> dict[str, str]:
    """Return the name of each port of AXI4-Lite, by the name that the standard gives it."""
    mark = "s_axil__"
    return {name.removeprefix(mark): ports[name] for name in ports if name.startswith(mark)}
