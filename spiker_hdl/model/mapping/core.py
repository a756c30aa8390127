"""How one population lies in hardware."""

from dataclasses import dataclass

from spiker_hdl.base.checks import check_choice, check_int, check_kind, set_fields, shown

__all__ = ["KINDS", "Core", "row_parts"]


BANKS = (1, 2, 4, 8)


STAGES = 4  # at most


KINDS = ("auto", "block", "distributed", "registers", "uninitialized")


def row_parts(rows: int, block: int) -> list[tuple[int, bool]]:
    """Return the memories into which rows are split, in order.

    They have powers of two of rows, from the greatest down to those of a block RAM; what is left
    is a memory of its own, in logic if it would leave seven eighths of a block RAM empty.

    Parameters
    ----------
    rows : int
    block : int
        Rows of a block RAM, a power of two; 0 for no split.

    Returns
    -------
    list of (int, bool)
        Rows of each memory, and whether it lies in logic.
    """
    whole, left = divmod(rows, block) if block else (0, rows)
    sizes = [block << n for n in reversed(range(whole.bit_length())) if whole >> n & 1]
    parts = [(size, False) for size in sizes]
    return parts + ([(left, bool(parts) and 8 * left <= block)] if left else [])


@dataclass(frozen=True)
class Core:
    """How a population lies in hardware.

    Parameters
    ----------
    lanes : int
        Accumulators side by side. As many as neurons take an event in one cycle; fewer take it in
        ``ceil(size / lanes)``, and fold their sums into memory.
    units : int
        Neurons that step at once, at most ``lanes``; and a divisor of ``lanes`` where those are
        fewer than the neurons.
    banks : {1, 2, 4, 8}
        Events that are taken at once, each from weights of its own: those of sources whose number
        leaves the same remainder lie in one bank. Weights that are stored one by one come one by
        one.
    overlap : bool
        Whether events of the next step are taken while the neurons step, for which their sums are
        kept twice. Folded lanes of static inputs never do.
    stages : int
        Clock cycles of a neuron's step, 1 to 4: its operations are shared out among them, which
        lets the clock be faster. The events of a step come as many cycles later.
    weights : {"auto", "block", "distributed", "registers", "uninitialized"}
        Memory that holds the rows of weights, as ``ram_style`` of synthesis tools names it:
        ``"uninitialized"`` is what has no contents in a bitstream, as SPRAM of iCE40 UltraPlus; it
        is read or written, not both at once.
    states : {"auto", "block", "distributed", "registers"}
        Memory of sums, states and parameters, where they lie in memory.
    writable : bool
        Whether weights, thresholds and biases can be replaced as the accelerator runs, by any of
        as many bits: see :mod:`~.reload`. All must be stored in rows then.
    block : int
        Rows of the device's block RAM where it is widest, a power of two of at least 16, by which
        rows of weights that are not writable are split (see :func:`row_parts`): 784 rows into 512,
        256 and, in logic, 16 where block RAMs have 256, as those of iCE40. 0 leaves it to the
        synthesis tool.
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
        )
        if self.banks not in BANKS:
            raise ValueError(f"Banks must be 1, 2, 4 or 8, not {shown(self.banks)}")
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
