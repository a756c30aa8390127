"""`spiker info`: what a network file holds."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from spiker_cli.support.files import check_output, find_mapping, open_network
from spiker_cli.support.terminal import columns, table, write_json
from spiker_hdl.model import Decay, Mapping, Network, Neuron, store_bits
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.mapping.microarchitecture import overlaps

__all__ = ["describe", "info"]


def info(path: Path, lanes: str | None, json: Path | None) -> int:
    """Describe a network file, and return the exit code."""
    check_output(json, "--json")
    network = open_network(path)
    mapping = find_mapping(network, path, lanes, None, None)
    report = {"file": str(path), "bytes": path.stat().st_size} | describe(network, mapping)
    if not write_json(json, report):
        _show(report)
    return 0


def describe(network: Network, mapping: Mapping) -> dict[str, Any]:
    """Return what there is to say of a network, as what JSON can hold."""
    return {
        "name": network.name,
        "digest": network.digest,
        "notes": network.note,
        "max_steps": network.max_steps,
        "inputs": [
            {
                "name": one.name,
                "shape": one.shape,
                "size": one.size,
                "range": [one.low, one.high],
                "static": one.static,
            }
            for one in network.inputs
        ],
        "populations": [_population(network, mapping, name) for name in network.order],
        "projections": [
            {
                "name": one.name,
                "source": one.source,
                "target": one.target,
                "kind": one.synapses.kind,
                "shape": [one.synapses.target_size, one.synapses.source_size],
                "delay": one.delay,
                "shift": one.shift,
                "weight_width": one.width,
                "weight_bits": one.synapses.values.size * one.width,
                "store": mapping.store(network, one),
                "store_bits": store_bits(network, one, mapping.cores[one.target]),
                "queue": mapping.queues[one.name],
            }
            for one in network.projections
        ],
        "readouts": [
            {"name": one.name, "population": one.population, "kind": one.kind}
            | ({} if one.groups is None else {"groups": one.groups})
            for one in network.readouts
        ],
        "weight_bits": network.weight_bits,
        "state_bits": sum(_state_bits(network, name) for name in network.order),
        "mapping": mapping.to_json(),
    }


def _population(network: Network, mapping: Mapping, name: str) -> dict[str, Any]:
    one, bounds = network.population[name], network.bounds[name]
    core = mapping.cores[name]
    return {
        "name": name,
        "shape": one.shape,
        "size": one.size,
        "neuron": _neuron(one.neuron),
        "bias": one.bias,
        "sum": [bounds.sum_low, bounds.sum_high],
        "accumulator_width": bounds.sum_width,
        "states": {n: list(ends) for n, ends in bounds.states.items() if ends[0] < ends[1]},
        "state_bits": _state_bits(network, name),
        "lanes": core.lanes,
        "units": core.units,
        "stages": core.stages,
        "banks": core.banks,
        "overlap": overlaps(network, name, core),
    }


def _state_bits(network: Network, name: str) -> int:
    one = network.population[name]
    states = (s for s in one.neuron.states.values() if s.low < s.high)
    return one.size * sum(signed_width(s.low, s.high) for s in states)


def _neuron(neuron: Neuron) -> dict[str, Any]:
    found: dict[str, Any] = {"model": type(neuron).__name__}
    for one in fields(neuron):
        value = getattr(neuron, one.name)
        if isinstance(value, Decay):
            value = {"numerator": value.numerator, "bits": value.bits}
        found[one.name] = value
    return found


def _store_text(projection: dict[str, Any]) -> str:
    chosen, bits = projection["store"], projection["store_bits"]
    others = ", ".join(f"{bits[other]:,} by {other}" for other in bits if other != chosen)
    return f"{bits[chosen]:,} by {chosen} ({others})"


def _show(report: dict[str, Any]) -> None:
    bits = report["weight_bits"]
    rows = [
        ("file", f"{report['file']}, {report['bytes']:,} bytes"),
        ("network", report["name"]),
        ("digest", report["digest"][:16]),
        *((name, value) for name, value in report["notes"].items()),
        ("weights", f"{bits:,} bits"),
        ("states", f"{report['state_bits']:,} bits"),
        ("longest sample", f"{report['max_steps']} steps"),
        ("input form", f"{report['mapping']['form']} of {report['mapping']['word']} channels")
        if report["mapping"]["form"] == "words"
        else ("input form", "events"),
    ]
    table(str(report["file"]), rows)
    columns(
        "populations, in the order in which they step",
        ["name", "shape", "neuron", "sum of weights", "accumulator", "states reach"],
        [
            [
                one["name"],
                _shape(one["shape"]),
                _neuron_text(one["neuron"]),
                f"{one['sum'][0]}..{one['sum'][1]}",
                f"{one['accumulator_width']} bits",
                ", ".join(f"{n} {low}..{high}" for n, (low, high) in one["states"].items()),
            ]
            for one in report["populations"]
        ],
    )
    columns(
        "cores of the populations",
        [
            "name",
            "lanes",
            "step units",
            "stages",
            "banks, events at once",
            "takes events while neurons step",
        ],
        [
            [
                one["name"],
                f"{one['lanes']} of {one['size']}",
                one["units"],
                one["stages"],
                one["banks"],
                "yes" if one["overlap"] else "no",
            ]
            for one in report["populations"]
        ],
    )
    sources = [
        [
            one["name"],
            "input, static" if one["static"] else "input",
            _shape(one["shape"]),
            "",
            "",
            f"{one['range'][0]}..{one['range'][1]}",
        ]
        for one in report["inputs"]
    ]
    columns(
        "inputs, projections and readouts",
        ["name", "kind", "shape", "delay", "bits", "values"],
        [
            *sources,
            *(
                [
                    one["name"],
                    one["kind"],
                    _shape(one["shape"]),
                    one["delay"],
                    f"{one['weight_bits']:,}",
                    f"{one['weight_width']} bits each{_shift(one)}; in memory {_store_text(one)}",
                ]
                for one in report["projections"]
            ),
            *(
                [
                    one["name"],
                    f"readout: {one['kind']}",
                    f"of {one['population']}",
                    "",
                    "",
                    _groups(one),
                ]
                for one in report["readouts"]
            ),
        ],
    )


def _shift(projection: dict[str, Any]) -> str:
    return f", times {2 ** projection['shift']}" if projection["shift"] else ""


def _groups(readout: dict[str, Any]) -> str:
    return f"in {readout['groups']} groups of neurons" if "groups" in readout else ""


def _shape(shape: Any) -> str:
    return "x".join(map(str, shape)) if isinstance(shape, list | tuple) else str(shape)


def _neuron_text(neuron: dict[str, Any]) -> str:
    said = []
    for name in ("width", "threshold", "fire", "reset", "decay"):
        if name not in neuron:
            continue
        value = neuron[name]
        if name == "decay":
            value = f"{_range(value['numerator'])}/{2 ** value['bits']} lost"
        said.append(f"{name} {_range(value)}")
    return f"{neuron['model']} ({', '.join(said)})"


def _range(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{min(value)}..{max(value)}"
    return str(value)
