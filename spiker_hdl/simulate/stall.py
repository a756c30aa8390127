"""Detection of a simulation that has stalled, with what waits for what in it."""

from collections.abc import Iterable, Sequence

from spiker_hdl.model import Mapping, Network, Stimulus
from spiker_hdl.model.timing import predict
from spiker_hdl.model.timing.pipeline.accelerator import DeadlockError

__all__ = ["SLACK", "SOURCE", "SimulationError", "allowance", "stalled"]

SOURCE = "the source of samples"

SLACK = 1000
"""Cycles without a transfer that are always allowed."""

MARGIN = 2
_MAX_WAITS = 12


class SimulationError(RuntimeError):
    """A simulated accelerator that has stalled."""


def allowance(
    network: Network,
    mapping: Mapping,
    stimuli: Stimulus,
    samples: Iterable[int],
    *,
    back_to_back: bool = False,
) -> int:
    """Return how many cycles may pass without a transfer at the accelerator's ports.

    That is the time of the slowest sample as a whole, which the timing model predicts, times a
    margin.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    stimuli : Stimulus
    samples : iterable of int
        Numbers of the samples that are run.
    back_to_back : bool
        Whether they are offered back to back.
    """
    samples = [*samples]
    max_steps = max(int(stimuli.steps[n]) for n in samples)
    # With windows, a sample may be longer than max_steps: then the time of its part is scaled.
    values = {
        name: [inputs[n][: network.max_steps] for n in samples]
        for name, inputs in stimuli.values.items()
    }
    try:
        times = predict(network, values, mapping=mapping, streams=1 if back_to_back else None)
    except DeadlockError:
        return SLACK
    return MARGIN * -(-max_steps // network.max_steps) * int(times.cycles.max()) + SLACK


def stalled(
    samples: range,
    cycles: int,
    ends: Sequence[tuple[str, str]],
    bits: Sequence[tuple[int, int]],
    *,
    held_back: bool = False,
) -> SimulationError:
    """Return the error that says what waits for what.

    Parameters
    ----------
    samples : range
        Numbers of the samples that were run.
    cycles : int
        Cycles without a transfer.
    ends : sequence of (str, str)
        Source and sink of each stream that is observed.
    bits : sequence of (int, int)
        Its ``valid`` and ``ready``.
    held_back : bool
        Whether a sample waits until the accelerator is idle.
    """
    blocked = ["the next sample waits until the accelerator is idle"] if held_back else []
    blocked += [
        f"{source} offers what {sink} does not take"
        for (source, sink), (valid, ready) in zip(ends, bits, strict=True)
        if valid and not ready
    ]
    missing: dict[str, list[str]] = {}
    for (source, sink), (valid, _) in zip(ends, bits, strict=True):
        if not valid and source != SOURCE and not sink.startswith(("all ", "its ")):
            missing.setdefault(sink, []).append(source)
    starved = [f"{sink} waits for {' and '.join(sources)}" for sink, sources in missing.items()]
    waits = [*dict.fromkeys(blocked + starved)]
    more = f"; and {len(waits) - _MAX_WAITS} more" if len(waits) > _MAX_WAITS else ""
    which = f"sample {samples[0]}" if len(samples) == 1 else f"samples {samples[0]}..{samples[-1]}"
    return SimulationError(
        f"Accelerator must answer {which}, and nothing has moved for {cycles} cycles: "
        f"{'; '.join(waits[:_MAX_WAITS])}{more}"
    )
