"""What there is to say of a network and its mapping, in what JSON can hold."""

from dataclasses import fields
from typing import Any

from spiker_hdl.model import (
    Component,
    Convolution,
    Decay,
    Mapping,
    Network,
    Projection,
    store_bits,
)
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.canonical import positions
from spiker_hdl.model.mapping.microarchitecture import overlaps

__all__ = ["describe"]


def describe(network: Network, mapping: Mapping) -> dict[str, Any]:
    """Return what there is to say of a network, in what JSON can hold."""
    return {
        "name": network.name,
        "digest": network.digest,
        "notes": network.note,
        "max_steps": network.max_steps,
        "inputs": [
            {
                "name": node.name,
                "shape": node.shape,
                "size": node.size,
                "range": [node.low, node.high],
                "static": node.static,
            }
            for node in network.inputs
        ],
        "populations": [_population(network, mapping, name) for name in network.order],
        "projections": _projections(network, mapping),
        "readouts": [
            {"name": readout.name, "population": readout.population, "kind": readout.kind}
            | ({} if readout.groups is None else {"groups": readout.groups})
            for readout in network.readouts
        ],
        "weight_bits": network.weight_bits,
        "state_bits": sum(_state_bits(network, name) for name in network.order),
        "mapping": mapping.to_json(),
    }


def _projections(network: Network, mapping: Mapping) -> list[dict[str, Any]]:
    return [
        {
            "name": projection.name,
            "source": projection.source,
            "target": projection.target,
            "kind": projection.synapses.kind,
            "shape": [projection.synapses.target_size, projection.synapses.source_size],
            "delay": projection.delay,
            "shift": projection.shift,
            **({"receptor": projection.receptor} if projection.receptor else {}),
            **_positions(projection),
            "weight_width": projection.width,
            "weight_bits": projection.synapses.values.size * projection.width,
            "store": mapping.store(network, projection),
            "store_bits": store_bits(network, projection, mapping.cores[projection.target]),
            "queue": mapping.queues[projection.name],
        }
        for projection in network.projections
    ]


def _positions(projection: Projection) -> dict[str, Any]:
    """Return the geometry of a convolution, with the shape of its kernel, and of pooled sums."""
    geometry, synapses = positions(projection), projection.synapses
    if isinstance(synapses, Convolution):
        geometry["convolution"] |= {"kernel": list(synapses.kernel.shape)}
    return geometry


def _population(network: Network, mapping: Mapping, name: str) -> dict[str, Any]:
    population, bounds = network.population[name], network.bounds[name]
    core, coupling = mapping.cores[name], population.coupling
    return {
        "name": name,
        "shape": population.shape,
        "size": population.size,
        "neuron": _neuron(population.neuron),
        "bias": population.bias,
        **({} if coupling is None else {"coupling": {"steps": coupling.steps}}),
        "sum": [bounds.sum_low, bounds.sum_high],
        "accumulator_width": bounds.sum_width,
        **(
            {
                "receptors": [
                    {"sum": [own.sum_low, own.sum_high], "accumulator_width": own.sum_width}
                    for own in bounds.receptors
                ]
            }
            if bounds.further
            else {}
        ),
        "states": {n: list(ends) for n, ends in bounds.states.items() if ends[0] < ends[1]},
        "state_bits": _state_bits(network, name),
        "lanes": core.lanes,
        "units": core.units,
        "stages": core.stages,
        "banks": core.banks,
        "overlap": overlaps(network, name, core),
        "positions": core.positions,
    }


def _state_bits(network: Network, name: str) -> int:
    population = network.population[name]
    states = (state for state in population.neuron.states.values() if state.low < state.high)
    return population.size * sum(signed_width(state.low, state.high) for state in states)


def _neuron(neuron: Component) -> dict[str, Any]:
    description: dict[str, Any] = {"model": type(neuron).__name__}
    for field in fields(neuron):
        value = getattr(neuron, field.name)
        if field.metadata.get("later") and value == field.default:
            continue  # as in files
        if isinstance(value, Component):
            value = _neuron(value)
        if isinstance(value, tuple):
            value = tuple(_neuron(part) if isinstance(part, Component) else part for part in value)
        if isinstance(value, Decay):
            value = {"numerator": value.numerator, "bits": value.bits}
        description[field.name] = value
    return description
