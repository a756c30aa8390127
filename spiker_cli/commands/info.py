"""`spiker info`: what a network file holds."""

from typing import Any

from spiker_cli.support.options import Json, Lanes, MappingName, NetworkFile
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import columns, table, write_json

__all__ = ["info"]


def info(
    path: NetworkFile,
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    json: Json = None,
) -> int:
    """Describe a network: its graph, neurons, bit widths and bounds, and its mapping to hardware.

    Prints tables. With --json FILE, the file has the same as JSON; its "mapping" is what --mapping
    FILE reads, so that a mapping can be edited.

    For example:

        spiker info networks/digits.spiker
        spiker info networks/digits.spiker --mapping small
        spiker info networks/digits.spiker --lanes 8 --json -
    """
    from spiker_cli.support.description import describe
    from spiker_cli.support.files import check_output, open_network
    from spiker_cli.support.mappings import MappingOptions

    begin_work()
    check_output(json, "--json")
    options = MappingOptions(lanes, mapping_name)
    network = open_network(path)
    mapping = options.find(network, path)
    report = {"file": str(path), "bytes": path.stat().st_size} | describe(network, mapping)
    if not write_json(json, report):
        _print_network(report)
        _print_populations(report["populations"])
        _print_cores(report["populations"])
        _print_connections(report)
    return 0


def _print_network(report: dict[str, Any]) -> None:
    mapping = report["mapping"]
    words = f"words of {mapping['word']} channels"
    table(
        report["file"],
        [
            ("file", f"{report['file']}, {report['bytes']:,} bytes"),
            ("network", report["name"]),
            ("digest", report["digest"][:16]),
            *report["notes"].items(),
            ("weights", f"{report['weight_bits']:,} bits"),
            ("states", f"{report['state_bits']:,} bits"),
            ("longest sample", f"{report['max_steps']} steps"),
            ("input form", words if mapping["form"] == "words" else "events"),
        ],
    )


def _print_populations(populations: list[dict[str, Any]]) -> None:
    columns(
        "Populations, in the order in which they are updated",
        ["name", "shape", "neuron", "sum of weights", "accumulator", "range of states"],
        [
            [
                population["name"],
                _shape(population["shape"]),
                _population(population),
                ", ".join("..".join(map(str, own["sum"])) for own in _receptors(population)),
                ", ".join(f"{own['accumulator_width']} bits" for own in _receptors(population)),
                ", ".join(f"{n} {low}..{high}" for n, (low, high) in population["states"].items()),
            ]
            for population in populations
        ],
    )


def _print_cores(populations: list[dict[str, Any]]) -> None:
    columns(
        "Cores of the populations",
        [
            "name",
            "lanes",
            "update units",
            "stages",
            "banks",
            "positions at once",
            "takes events during updates",
        ],
        [
            [
                population["name"],
                f"{population['lanes']} of {population['size']}",
                population["units"],
                population["stages"],
                population["banks"],
                population["positions"],
                "yes" if population["overlap"] else "no",
            ]
            for population in populations
        ],
    )


def _print_connections(report: dict[str, Any]) -> None:
    inputs = [
        [
            node["name"],
            "input, static" if node["static"] else "input",
            _shape(node["shape"]),
            "",
            "",
            f"{node['range'][0]}..{node['range'][1]}",
        ]
        for node in report["inputs"]
    ]
    projections = [
        [
            projection["name"],
            _kind(projection),
            _ends(projection),
            projection["delay"],
            f"{projection['weight_bits']:,}",
            _weights(projection),
        ]
        for projection in report["projections"]
    ]
    readouts = [
        [
            readout["name"],
            f"readout: {readout['kind']}",
            f"of {readout['population']}",
            "",
            "",
            f"in {readout['groups']} groups of neurons" if "groups" in readout else "",
        ]
        for readout in report["readouts"]
    ]
    columns(
        "Inputs, projections and readouts",
        ["name", "kind", "shape", "delay", "bits", "values"],
        [*inputs, *projections, *readouts],
    )


def _kind(projection: dict[str, Any]) -> str:
    pooling = projection.get("pooling")
    return projection["kind"] + (f", max of {_shape(pooling['size'])}" if pooling else "")


def _ends(projection: dict[str, Any]) -> str:
    """Return the shape of the weights: of a convolution the kernel and what differs from 1 or 0."""
    convolution = projection.get("convolution")
    if convolution is None:
        return _shape(projection["shape"])
    options = [f"kernel {_shape(convolution['kernel'])}"]
    for name in ("stride", "dilation"):
        if max(convolution[name]) > 1:
            options.append(f"{name} {_shape(convolution[name])}")
    if any(map(any, convolution["padding"])):
        sides = [f"{a}" if a == b else f"{a}+{b}" for a, b in convolution["padding"]]
        options.append(f"padding {'x'.join(sides)}")
    if convolution["groups"] > 1:
        options.append(f"{convolution['groups']} groups")
    return f"{_shape(convolution['shape'])}, {', '.join(options)}"


def _weights(projection: dict[str, Any]) -> str:
    shift = f", times {2 ** projection['shift']}" if projection["shift"] else ""
    store, bits = projection["store"], projection["store_bits"]
    others = ", ".join(f"{bits[other]:,} by {other}" for other in bits if other != store)
    memory = f"{bits[store]:,} by {store}" + (f" ({others})" if others else "")
    to = f", to receptor {projection['receptor']}" if "receptor" in projection else ""
    return f"{projection['weight_width']} bits each{shift}{to}; in memory {memory}"


def _shape(shape: Any) -> str:
    return "x".join(map(str, shape)) if isinstance(shape, list | tuple) else str(shape)


def _receptors(population: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the sums of each receptor, of which most populations have one."""
    return population.get("receptors", [population])


def _population(population: dict[str, Any]) -> str:
    text = _neuron(population["neuron"])
    if "coupling" not in population:
        return text
    steps = population["coupling"]["steps"]
    return f"{text}, winner takes all" + (f" for {steps} steps" if steps else "")


def _neuron(neuron: dict[str, Any]) -> str:
    if "synapse" in neuron:
        return f"{_neuron(neuron['neuron'])} behind {_neuron(neuron['synapse'])}"
    if "synapses" in neuron:
        kinds = [
            f"{n}: {'plain' if synapse is None else _neuron(synapse)}"
            for n, synapse in enumerate(neuron["synapses"])
        ]
        return f"{_neuron(neuron['neuron'])} behind receptors {', '.join(kinds)}"
    settings = []
    for name in ("width", "threshold", "fire", "reset", "decay", "rise", "low", "high"):
        if name not in neuron:
            continue
        value = neuron[name]
        if isinstance(value, dict):
            value = f"{_range(value['numerator'])}/{2 ** value['bits']} lost"
        settings.append(f"{name} {_range(value)}")
    return f"{neuron['model']} ({', '.join(settings)})"


def _range(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{min(value)}..{max(value)}"
    return str(value)
