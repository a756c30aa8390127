"""Writing to memories as the accelerator runs."""

from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.identifiers import UNINITIALIZED
from spiker_hdl.model.mapping.reload import ADDRESS, DATA, MEMORY, WORD, Store

__all__ = ["Load", "LoadBeat", "Loader", "kept_in", "readable"]


class LoadBeat(data.StructLayout):
    """A word for a memory, or where the next ones belong.

    See :mod:`spiker_hdl.model.mapping.reload`.

    Members
    -------
    data : unsigned(32)
        A word, the number of a memory, or a row.
    kind : unsigned(2)
        Which of them.
    """

    def __init__(self):
        super().__init__({"data": WORD, "kind": 2})


class Loader(wiring.Component):
    """Find the words that are for one memory, and where they belong.

    Parameters
    ----------
    store : Store
        The memory.

    Members
    -------
    load : In(Load)
    row : Out(range(depth))
    enable : Out(slices)
        Which word of the row is written in this cycle.
    """

    load: Any
    row: Signal
    enable: Signal

    def __init__(self, store: Store):
        self.store = store
        super().__init__({
            "load": In(Load()),
            "row": Out(range(store.depth)),
            "enable": Out(store.slices),
        })

    def elaborate(self, platform):
        m = Module()

        beat = self.load.beat
        meant = Signal()
        place = Signal(self.store.slices, init=1)
        m.d.comb += self.enable.eq(Mux(self.load.valid & meant & (beat.kind == DATA), place, 0))
        with m.If(self.load.valid):
            with m.Switch(beat.kind):
                with m.Case(MEMORY):
                    m.d.sync += meant.eq(beat.data == self.store.number)
                with m.Case(ADDRESS):
                    m.d.sync += [self.row.eq(beat.data), place.eq(1)]
                with m.Case(DATA):
                    m.d.sync += place.eq(place.rotate_left(1))
                    m.d.sync += self.row.eq(self.row + place[-1])

        return m


class Load(wiring.Signature):
    """Beats on their way to all memories at once: none of them ever waits.

    Members
    -------
    valid : Out(1)
    beat : Out(LoadBeat)
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "beat": Out(LoadBeat())})


def kept_in(kind: str) -> dict[str, str]:
    """Return the attributes of a memory of a kind: see :class:`~spiker_hdl.model.Core`."""
    return {} if kind == "auto" else {"ram_style": kind}


def readable(m: Module, name: str, store: Store, init, load, *, kind: str = "auto"):
    """Make a memory that is written as it is loaded.

    Parameters
    ----------
    m : Module
    name : str
        Of the memory; its loader is named after it.
    store : Store
    init : sequence of int
        Contents at first, of which uninitialized memories have none.
    load : interface of Load
    kind : str
        Of memory.

    Returns
    -------
    row, data : Signal
        Where it is read, and, in the next cycle, the row.
    """
    m.submodules[f"{name}_loader"] = loader = Loader(store)
    m.d.comb += [loader.load.valid.eq(load.valid), loader.load.beat.eq(load.beat)]
    size, uninitialized = store.granule * store.slices, kind == "uninitialized"
    memory = Memory(
        shape=unsigned(size),
        depth=store.depth,
        init=[] if uninitialized else init,
        attrs=kept_in(kind),
    )
    # Tools must be told that these have no contents, and find them by this name.
    m.submodules[f"{name}_{UNINITIALIZED}" if uninitialized else name] = memory
    read = memory.read_port()
    write = memory.write_port(granularity=store.granule)
    row = Signal(range(store.depth), name=f"{name}_row")
    m.d.comb += [
        read.addr.eq(row),
        write.addr.eq(loader.row),
        write.en.eq(loader.enable),
        write.data.eq(load.beat.data[: store.granule].replicate(store.slices)),
    ]
    if uninitialized:
        # One port for both, as such memories have.
        place, some = Signal.like(row), loader.enable.any()
        m.d.comb += [
            place.eq(Mux(some, loader.row, row)),
            read.addr.eq(place),
            write.addr.eq(place),
            read.en.eq(~some),
        ]
    return row, read.data[: store.width]
