"""What the accelerator's components take: the facts that hardware and timing model share."""

from spiker_hdl.model.network import Network

from .core import Core

__all__ = [
    "STEP_ROOM",
    "TICK_ROOM",
    "clocked",
    "emitter_depth",
    "interval",
    "max_in_flight",
    "outcome_delay",
    "overlaps",
    "reads_potential",
]

STEP_ROOM = 2
"""Steps whose events may wait to leave a population."""

TICK_ROOM = 16
"""Entries of a queue of bare tokens."""


def emitter_depth(words: int) -> int:
    """Return the entries of the queue in which a population's words wait to be scanned."""
    return max(3, STEP_ROOM * words)


def outcome_delay(core: Core) -> int:
    """Return the cycles from the end of a step to the outcome of its first group of neurons.

    Weights of several banks are added up in a cycle of its own.
    """
    return 3 + core.stages + (core.banks > 1)


def interval(core: Core, groups: int) -> int:
    """Return the least cycles from one step of so many groups of neurons to the next.

    A group's states must have come through the stepper into their memory before they are read.
    """
    return max(3 + core.stages, groups)


def overlaps(network: Network, name: str, core: Core) -> bool:
    """Tell whether a population takes events of the next step while its neurons step.

    Sums in memory that are kept for the next step are not there twice.
    """
    folded = core.lanes < network.population[name].size
    return core.overlap and not (folded and network.holds(name))


def max_in_flight(network: Network) -> int:
    """Return how many samples may be inside at once."""
    return len(network.populations) + 2


def clocked(network: Network, name: str) -> bool:
    """Tell whether bare tokens must say when a population steps, since all its input is delayed."""
    return all(one.delay for one in network.into(name))


def reads_potential(network: Network, name: str) -> bool:
    """Tell whether a readout wants the potentials of a population."""
    kinds = {"last", "largest", "sum"}
    return any(one.population == name and one.kind in kinds for one in network.readouts)
