"""When a simulation has stopped for good, and what waits for what in it."""

from collections.abc import Iterable, Sequence

from spiker_hdl.model import Mapping, Network, Stimulus
from spiker_hdl.model.timing import predict
from spiker_hdl.model.timing.pipeline.accelerator import DeadlockError

__all__ = ["SLACK", "SOURCE", "SimulationError", "allowance", "stalled"]

SOURCE = "the source of samples"

SLACK = 1000
"""Cycles without anything that are always allowed."""

MARGIN = 2
_MOST = 12


class SimulationError(RuntimeError):
    """A simulated accelerator that answers no more."""


def allowance(
    network: Network,
    mapping: Mapping,
    given: Stimulus,
    samples: Iterable[int],
    *,
    back_to_back: bool = False,
) -> int:
    """Return how many cycles may go by without a beat taken or a result.

    What the timing model says that the slowest of the samples takes as a whole, times a margin.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    given : Stimulus
    samples : iterable of int
        Those in question.
    back_to_back : bool
        Whether they are offered so.
    """
    samples = [*samples]
    most = max(int(given.steps[n]) for n in samples)
    # Those in windows may be longer than a network's samples: then a part stands for the whole.
    values = {
        name: [each[n][: network.max_steps] for n in samples] for name, each in given.values.items()
    }
    try:
        times = predict(network, values, mapping=mapping, streams=1 if back_to_back else None)
    except DeadlockError:
        return SLACK
    return MARGIN * -(-most // network.max_steps) * int(times.cycles.max()) + SLACK


def stalled(
    samples: range,
    cycles: int,
    ends: Sequence[tuple[str, str]],
    bits: Sequence[tuple[int, int]],
    *,
    held_back: bool = False,
) -> SimulationError:
    """Return an error that says what waits for what.

    Parameters
    ----------
    samples : range
        Those that were being run.
    cycles : int
        In which nothing happened.
    ends : sequence of (str, str)
        Who offers, and who takes, of each stream that was looked at.
    bits : sequence of (int, int)
        Its ``valid`` and ``ready``.
    held_back : bool
        Whether a sample is offered only once the accelerator is idle, and that it is not.
    """
    held = ["the next sample waits until the accelerator is idle"] if held_back else []
    held += [
        f"{source} offers what {sink} does not take"
        for (source, sink), (valid, ready) in zip(ends, bits, strict=True)
        if valid and not ready
    ]
    missing: dict[str, list[str]] = {}
    for (source, sink), (valid, _) in zip(ends, bits, strict=True):
        if not valid and source != SOURCE and not sink.startswith(("all ", "its ")):
            missing.setdefault(sink, []).append(source)
    waits = [f"{sink} waits for {' and '.join(each)}" for sink, each in missing.items()]
    said = [*dict.fromkeys(held + waits)]
    more = f"; and {len(said) - _MOST} more" if len(said) > _MOST else ""
    which = f"sample {samples[0]}" if len(samples) == 1 else f"samples {samples[0]}..{samples[-1]}"
    return SimulationError(
        f"Accelerator must answer {which}, and nothing has moved for {cycles} cycles: "
        f"{'; '.join(said[:_MOST])}{more}"
    )
