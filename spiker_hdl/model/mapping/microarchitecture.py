"""What the accelerator's components take: the facts that hardware and timing model share."""

from spiker_hdl.model.network import Network

from .core import Core
from .layout import summed_apart
from .mapping import Mapping

__all__ = [
    "TOKEN_QUEUE_DEPTH",
    "WAITING_STEPS",
    "clears",
    "clocked",
    "group_delay",
    "interval",
    "max_in_flight",
    "outcome_delay",
    "overlaps",
    "reads_potential",
    "scatters",
    "spike_output_depth",
    "start_queue_depth",
    "window_interval",
]

WAITING_STEPS = 2
"""Steps whose events may wait to leave a population."""

FLAGS = 64
"""Maximum number of rows of sums of which each has a flip-flop that says whether it is zero."""

TOKEN_QUEUE_DEPTH = 16
"""Entries of a queue of tokens without events."""


def spike_output_depth(words: int) -> int:
    """Return the entries of the queue between a population and its scanner, of a word each."""
    return max(3, WAITING_STEPS * words)


def start_queue_depth(max_in_flight: int) -> int:
    """Return the entries of the queue of the samples' start times.

    Samples may begin in consecutive cycles, and a queue of two entries takes only one of them.
    """
    return max(3, max_in_flight)


def outcome_delay(core: Core) -> int:
    """Return the cycles from the end of a step to the outcome of its first group of neurons.

    With several banks, one more cycle adds up their weights.
    """
    return 2 + group_delay(core) + (core.banks > 1)


def group_delay(core: Core) -> int:
    """Return the cycles from the sums of a group of neurons to its outcome."""
    return 1 + core.stages


def interval(core: Core, groups: int, coupled: bool = False) -> int:
    """Return the minimum number of cycles between updates of a population of so many groups.

    The states of a group must be written back to memory by the update before they are read again.
    If the neurons are ``coupled``, the last group of a step decides which neurons of the first
    group have an input in the next step.
    """
    return max(3 + core.stages, groups + (1 + core.stages if coupled else 0))


def window_interval(core: Core, groups: int) -> int:
    """Return the minimum number of cycles from a step's last group of neurons to the next's first.

    Groups may come at any time within a step, and one after the other in the next one, in which
    the states of each must have been written back to memory before they are read again.
    """
    return max(1, interval(core, 1) - (groups - 1))


def overlaps(network: Network, name: str, core: Core) -> bool:
    """Tell whether a population accepts events of the next step while its neurons are updated.

    Sums in memory that are reused in the next step are not stored twice.
    """
    folded = core.lanes < network.population[name].size
    return core.overlap and not (folded and network.holds(name))


def scatters(network: Network, mapping: Mapping, name: str) -> bool:
    """Tell whether an event may add to some rows of a population's sums only.

    The sums of a single projection that lie apart come once in a step, one for each neuron. With
    several receptors, the first event of a step is that of one of them alone.
    """
    projections = network.into(name)
    if len(projections) == 1 and summed_apart(network, mapping, projections[0]):
        return False
    return any(
        projection.receptor or mapping.store(network, projection) != "rows"
        for projection in projections
    )


def clears(network: Network, mapping: Mapping, name: str) -> bool:
    """Tell whether rows of sums are cleared when they are read, and after a reset.

    Otherwise each row has a flip-flop that says whether it is zero, or the first event of a step
    replaces all of them.
    """
    core = mapping.cores[name]
    rows = -(-network.population[name].size // core.lanes)
    many = rows > FLAGS and scatters(network, mapping, name)
    return core.sums == "uninitialized" or (many and not overlaps(network, name, core))


def max_in_flight(network: Network, mapping: Mapping) -> int:
    """Return how many samples the accelerator may have accepted and not answered."""
    return len(network.populations) + 2 if mapping.in_flight is None else mapping.in_flight


def clocked(network: Network, name: str) -> bool:
    """Tell whether tokens must say when a population is updated, since all its input is delayed."""
    return all(projection.delay for projection in network.into(name))


def reads_potential(network: Network, name: str) -> bool:
    """Tell whether a readout compares the potentials of a population."""
    kinds = {"last", "largest", "sum"}
    return any(readout.population == name and readout.kind in kinds for readout in network.readouts)
