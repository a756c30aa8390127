"""How one population is mapped to hardware."""

from dataclasses import dataclass

from spiker_hdl.base.checks import check_choice, check_int, check_kind, shown
from spiker_hdl.base.frozen import set_fields

__all__ = ["KINDS", "POSITIONS", "Core", "row_parts"]


BANKS = (1, 2, 4, 8)


GATHERS = (1, 2, 4, 8, 16, 32)


SUMS = ("auto", "uninitialized")


POSITIONS = ("one", "line", "window")
"""Positions of a map to which an event is added at once."""


STAGES = 4
"""Maximum number of pipeline stages."""


KINDS = ("auto", "block", "distributed", "registers", "uninitialized")


def row_parts(rows: int, block: int) -> list[tuple[int, bool]]:
    """Return the memories into which the rows of weights are split, in order.

    The first memories have a number of rows that is ``block`` times a power of two, in descending
    order. The remaining rows form a memory of their own, which is in logic if it fills at most an
    eighth of a block RAM.

    Parameters
    ----------
    rows : int
    block : int
        Rows of a block RAM, a power of two; 0 for no split.

    Returns
    -------
    list of (int, bool)
        Rows of each memory, and whether it is in logic.
    """
    whole, left = divmod(rows, block) if block else (0, rows)
    sizes = [block << n for n in reversed(range(whole.bit_length())) if whole >> n & 1]
    parts = [(size, False) for size in sizes]
    return parts + ([(left, bool(parts) and 8 * left <= block)] if left else [])


@dataclass(frozen=True)
class Core:
    """How a population is mapped to hardware.

    Parameters
    ----------
    lanes : int
        Number of parallel accumulators. With a lane for each neuron, an event takes one cycle. With
        fewer lanes, it takes ``ceil(size / lanes)`` cycles, and the sums are in memory.
    units : int
        Number of neurons that are updated in parallel, at most ``lanes``. It must divide ``lanes``
        if there are fewer lanes than neurons.
    banks : {1, 2, 4, 8}
        Number of memories of weights, and so of events that are accepted in one cycle. Bank ``k``
        has the weights of the sources whose number modulo ``banks`` is ``k``. A projection that is
        stored as single synapses passes one event per cycle.
    overlap : bool
        Whether events of the next step are accepted while the neurons are updated; the sums are
        then stored twice. A population with static inputs and fewer lanes than neurons never
        overlaps.
    stages : int
        Number of pipeline stages of a neuron's update, 1 to 4, among which its operations are
        divided, so that the clock can be faster. Each further stage delays the events of a step by
        a cycle.
    weights : {"auto", "block", "distributed", "registers", "uninitialized"}
        Kind of memory for the rows of weights, as for ``ram_style`` of synthesis tools.
        ``"uninitialized"`` is a memory that a bitstream cannot initialise, such as the SPRAM of
        iCE40 UltraPlus; it is either read or written in a cycle.
    states : {"auto", "block", "distributed", "registers"}
        Kind of memory for the sums, states and parameters that are in memory.
    writable : bool
        Whether weights, thresholds and biases can be replaced at run time, by any values with the
        same numbers of bits: see :mod:`~.reload`. All weights must then be stored in rows, or
        as kernels.
    block : int
        Number of rows of a block RAM of the device in its widest form, a power of two of at least
        16. Rows of weights that are not writable are then split by :func:`row_parts`: with block
        RAMs of 256 rows, as in iCE40, 784 rows become 512, 256 and, in logic, 16. With 0 the
        synthesis tool decides.
    positions : {"one", "line", "window"}
        Positions of a map to which an event is added in a cycle, where the kernel of a convolution
        is stored once: one, those of its windows along the last axis, or those of all its windows.
        With several, the sums of the convolution lie in as many banks of their own, each with a
        copy of the kernel, and are added to those of the population when its step ends.
    gather : {1, 2, 4, 8, 16, 32}
        Number of groups of neurons whose spikes share an entry of the queue in which they wait to
        leave. A population with few step units has many groups, whose entries are mostly their
        numbers: with ``gather=16`` the queue of 1,568 neurons and one step unit has 196 entries of
        26 bits in place of 3,136 of 14. A group's spikes wait for the groups behind it.
    sums : {"auto", "uninitialized"}
        Kind of memory for the sums: ``"auto"`` is that of the states, ``"uninitialized"`` two
        memories like the SPRAM of iCE40 UltraPlus, which a bitstream cannot initialise and which
        are either read or written in a cycle. One has the even rows of sums and one the odd rows,
        so that a row is read while the row before is written. This is for a population with a
        single projection, whose rows alternate: see :func:`~.layout.alternates`.
    """

    lanes: int
    units: int
    banks: int = 1
    overlap: bool = False
    stages: int = 1
    weights: str = "auto"
    states: str = "auto"
    writable: bool = False
    block: int = 0
    positions: str = "one"
    gather: int = 1
    sums: str = "auto"

    def __post_init__(self) -> None:
        set_fields(
            self,
            lanes=check_int("Lanes", self.lanes, 1, 2**20),
            units=check_int("Step units", self.units, 1, 2**20),
            banks=check_int("Banks", self.banks),
            stages=check_int("Stages", self.stages, 1, STAGES),
            weights=check_choice("Memory of weights", self.weights, KINDS),
            states=check_choice(
                "Memory of states", self.states, [kind for kind in KINDS if kind != "uninitialized"]
            ),
            block=check_int("Block", self.block, 0, 2**16),
            positions=check_choice("Positions", self.positions, POSITIONS),
            gather=check_int("Gather", self.gather),
            sums=check_choice("Memory of sums", self.sums, SUMS),
        )
        if self.banks not in BANKS:
            raise ValueError(f"Banks must be 1, 2, 4 or 8, not {shown(self.banks)}")
        if self.gather not in GATHERS:
            raise ValueError(f"Gather must be 1, 2, 4, 8, 16 or 32, not {shown(self.gather)}")
        check_kind("Overlap", self.overlap, bool)
        check_kind("Writable", self.writable, bool)
        if self.weights == "uninitialized" and not self.writable:
            raise ValueError(
                "Weights in memory without contents ('uninitialized') must be writable"
            )
        if self.block and (self.block < 16 or self.block & (self.block - 1)):
            raise ValueError(
                f"Block must be 0 or a power of two of at least 16 rows, not {self.block}"
            )
        if self.units > self.lanes:
            raise ValueError(f"Step units must be at most the {self.lanes} lanes, not {self.units}")
