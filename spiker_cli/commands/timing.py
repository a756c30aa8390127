"""`spiker timing`: cycles of samples, predicted exactly, and where they are spent."""

from typing import Annotated, Any

import typer

from spiker_cli.support.options import (
    Data,
    Encoder,
    Form,
    Json,
    Lanes,
    MappingName,
    NetworkFile,
    Steps,
    Word,
)
from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import progress, table, text, write, write_json

__all__ = ["timing"]

STREAMS = 100
"""Independent streams of back-to-back samples, which are predicted side by side."""

FASTEST = 10_000
"""Most MHz of the clock."""


def timing(
    path: NetworkFile,
    data: Data = None,
    samples: Annotated[int | None, typer.Option(help="Number of samples; all by default.")] = None,
    lanes: Lanes = None,
    mapping_name: MappingName = None,
    form: Form = None,
    word: Word = None,
    encoder: Encoder = None,
    steps: Steps = None,
    clock: Annotated[float, typer.Option(help="Clock in MHz, to turn cycles into time.")] = 100.0,
    json: Json = None,
) -> int:
    """Predict how many cycles samples take, exactly and without simulating the hardware.

    Prints JSON: the latency (from the first beat of a sample to its result, with no other sample
    inside), the interval (from result to result, with samples back to back), and where the cycles
    of each population go: adding events, updating neurons, waiting. With --json FILE, prints a
    table, and the file has the JSON.

    For example:

        spiker timing networks/mnist.spiker --data mnist
        spiker timing networks/digits.spiker --mapping balanced --clock 48
    """
    import numpy as np

    from spiker_cli.support.files import check_output, open_network
    from spiker_cli.support.mappings import MappingOptions
    from spiker_cli.support.runs import statistics
    from spiker_cli.support.samples import find_samples
    from spiker_hdl.model.timing import predict

    begin_work()
    if not 0 < clock <= FASTEST:
        raise ValueError(f"Clock must be more than 0 and at most {FASTEST} MHz, not {clock:g}")
    check_output(json, "--json")
    options = MappingOptions(lanes, mapping_name, form, word)
    network = open_network(path)
    mapping = options.find(network, path)
    chosen = find_samples(network, data, samples, encoder, steps)
    streams = max(1, min(STREAMS, len(chosen) // 2))
    title = f"{len(chosen)} samples of {chosen.data}"
    with progress(f"{title}, alone", len(chosen)) as advance:
        alone = predict(network, chosen.spikes, mapping=mapping, progress=advance)
    with progress(f"{title}, back to back", len(chosen)) as advance:
        crowded = predict(
            network, chosen.spikes, mapping=mapping, streams=streams, progress=advance
        )
    interval = crowded.interval
    report: dict[str, Any] = {
        "network": str(path),
        "digest": network.digest,
        "data": chosen.data,
        "samples": len(chosen),
        "mapping": mapping.to_json(),
        "latency": statistics(alone.cycles),
        "interval": statistics(interval) if len(interval) else None,
        "clock_mhz": clock,
        "latency_us": round(float(alone.cycles.mean()) / clock, 3),
        "results_per_second": round(clock * 1e6 / interval.mean()) if len(interval) else None,
        "populations": {
            name: {
                activity: round(float(np.mean(getattr(spent, activity))), 2)
                for activity in ("events", "firing", "waiting")
            }
            for name, spent in alone.spent.items()
        },
    }
    if json is None:
        write(text(report).rstrip())
    elif not write_json(json, report):
        table(str(path), _rows(report))
    return 0


def _rows(report: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("samples", f"{report['samples']} of {report['data']}"),
        ("latency, cycles", _statistics(report["latency"])),
        ("interval, cycles", _statistics(report["interval"])),
        (f"latency at {report['clock_mhz']:g} MHz", f"{report['latency_us']:g} us"),
        ("results a second", report["results_per_second"]),
        *(
            (f"cycles of {name}", _statistics(cycles))
            for name, cycles in report["populations"].items()
        ),
    ]


def _statistics(counts: dict[str, Any] | None) -> str:
    if counts is None:
        return "not known of one sample"
    return ", ".join(f"{name} {count:g}" for name, count in counts.items())
