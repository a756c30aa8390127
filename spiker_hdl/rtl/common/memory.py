"""Memories that a host can write while the accelerator runs."""

from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.identifiers import UNINITIALIZED
from spiker_hdl.model.mapping.reload import ADDRESS, DATA, MEMORY, WORD, Store

__all__ = ["Load", "LoadBeat", "Loader", "kept_in", "readable"]


class LoadBeat(data.StructLayout):
    """A word for a memory, or the place of the words that follow.

    See :mod:`spiker_hdl.model.mapping.reload`.

    Members
    -------
    data : unsigned(32)
        A word, the number of a memory, or a row.
    kind : unsigned(2)
        Which of these ``data`` is: ``DATA``, ``MEMORY`` or ``ADDRESS``.
    """

    def __init__(self):
        super().__init__({"data": WORD, "kind": 2})


class Loader(wiring.Component):
    """Decoder of the beats that are meant for one memory.

    A beat is decoded in the cycle in which it is valid, so ``row`` and ``enable`` belong to the
    word on the bus in that cycle; one beat a cycle. The words of a row follow each other, the
    lowest first, and so do the rows. After reset no memory is selected: the number of a memory
    comes first.

    Parameters
    ----------
    store : Store
        The memory to be written.

    Members
    -------
    load : In(Load)
        Beats for all memories, sampled in each cycle with ``valid``.
    row : Out(range(depth))
        Row to which the word on the bus belongs.
    enable : Out(slices)
        One bit for each word of the row: the one that is written in this cycle.
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
        selected = Signal()  # the latest number is the number of this memory
        slice_ = Signal(self.store.slices, init=1)  # one-hot: which word of the row comes next
        m.d.comb += self.enable.eq(Mux(self.load.valid & selected & (beat.kind == DATA), slice_, 0))
        with m.If(self.load.valid):
            with m.Switch(beat.kind):
                with m.Case(MEMORY):
                    m.d.sync += selected.eq(beat.data == self.store.number)
                with m.Case(ADDRESS):
                    m.d.sync += [self.row.eq(beat.data), slice_.eq(1)]
                with m.Case(DATA):
                    # The next slice, and behind the last slice of a row the next row. Words for
                    # other memories move the place too, which is harmless: each load begins with an
                    # address.
                    m.d.sync += slice_.eq(slice_.rotate_left(1))
                    m.d.sync += self.row.eq(self.row + slice_[-1])

        return m


class Load(wiring.Signature):
    """Beats that go to all memories at once. There is no ``ready``: a memory never waits.

    Members
    -------
    valid : Out(1)
        There is a beat in this cycle.
    beat : Out(LoadBeat)
        The beat, sampled in each cycle with ``valid``.
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "beat": Out(LoadBeat())})


def kept_in(kind: str, *, fixed: bool = False) -> dict[str, str]:
    """Return the synthesis attributes for a kind of memory: see :class:`~spiker_hdl.model.Core`.

    Contents that are ``fixed`` are logic where they shall be in small memories: synthesis has no
    such memory that is never written.
    """
    if fixed and kind == "distributed":
        kind = "registers"
    # Memories without contents are large ones, which Yosys knows by this name.
    style = "huge" if kind == UNINITIALIZED else kind
    return {} if kind == "auto" else {"ram_style": style}


def readable(m: Module, name: str, store: Store, init, load, *, kind: str = "auto"):
    """Make a memory that a host can write.

    Parameters
    ----------
    m : Module
    name : str
        Name of the memory; its loader is named after it.
    store : Store
        Number, depth and width of the memory.
    init : sequence of int
        Initial contents, not used for memories of the kind ``"uninitialized"``.
    load : interface of Load
        Beats from the host.
    kind : str
        Kind of memory.

    Returns
    -------
    row, data : Signal
        The row to be read, and its contents in the next cycle. Nothing is read while words are
        written.
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
    # Synthesis scripts find the memories without initial contents by this suffix.
    m.submodules[f"{name}_{UNINITIALIZED}" if uninitialized else name] = memory
    read = memory.read_port()
    write = memory.write_port(granularity=store.granule)
    row = Signal(range(store.depth), name=f"{name}_row")
    m.d.comb += [
        read.addr.eq(row),
        write.addr.eq(loader.row),
        write.en.eq(loader.enable),
        # The word is offered to all slices of the row; ``enable`` picks the one that is written.
        write.data.eq(load.beat.data[: store.granule].replicate(store.slices)),
    ]
    if uninitialized:
        # Single-port RAM such as SPRAM has one address, which writing takes precedence over.
        address, writing = Signal.like(row), loader.enable.any()
        m.d.comb += [
            address.eq(Mux(writing, loader.row, row)),
            read.addr.eq(address),
            write.addr.eq(address),
            read.en.eq(~writing),
        ]
    return row, read.data[: store.width]
