"""Export of an accelerator to a directory: its design, a test bench, and files for other flows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int, check_kind
from spiker_hdl.base.files.atomic_directory import Listing, replacing, write_files
from spiker_hdl.base.identifiers import identifiers
from spiker_hdl.export.manifest.format import MANIFEST
from spiker_hdl.export.netlist.makefile import NETLIST
from spiker_hdl.export.samples.generated import MAX_GENERATED, Coverage, generate
from spiker_hdl.export.samples.vectors import Vectors, make_vectors
from spiker_hdl.hdl.verilog import MEMORIES
from spiker_hdl.hdl.vhdl.names import PREDEFINED
from spiker_hdl.model import Mapping, Network, Result, Stimulus, reference, stimulus
from spiker_hdl.payloads.fields import fault_field
from spiker_hdl.rtl import Accelerator

from .directory import Options, directory_files
from .flows import PERIOD, check_period
from .languages import LANGUAGES

__all__ = ["EMISSION", "INLINE", "PORTS", "emit"]

EMISSION = Listing(
    MANIFEST,
    "emission",
    ("*.vvp", "*.o", "work-obj*.cf"),
    (NETLIST,),
)
"""Files by which an emitted directory is recognised."""

INLINE = 2**20
"""Weight bits up to which Verilog has the contents of memories inline, by default."""

PORTS = ("streams", "axis")
"""Kinds of ports that an emission can have."""


def emit(
    network: Network,
    directory: str | Path,
    *,
    language: str = "verilog",
    mapping: Mapping | None = None,
    samples: Any = None,
    expected: Result | None = None,
    name: str | None = None,
    ports: str = "streams",
    period: float = PERIOD,
    memories: str = "auto",
    generated: int | None = None,
    command: str | None = None,
) -> Path:
    """Write the accelerator of a network to a directory, with a self-checking test bench.

    The directory appears whole or not at all. An existing directory is replaced as a whole if it is
    an earlier emission in which nothing was altered or added; nothing else is touched.

    Parameters
    ----------
    network : Network
    directory : str or Path
        A new or empty directory, or one of an earlier emission, which is replaced.
    language : str
        One of :data:`LANGUAGES`.
    mapping : Mapping, optional
    samples : array of int, list of arrays, or a mapping from input names to such, optional
        Samples for the test bench, as :func:`spiker_hdl.run` takes them.
    expected : Result, optional
        Result of these samples that the test bench expects, from any engine; if the engine counts
        cycles, the test bench compares them too. The reference's result by default.
    name : str, optional
        Name of the topmost module; by default the name of the network.
    ports : {"streams", "axis"}
        Streams of ``valid``, ``ready`` and ``payload``, or AXI4-Stream with registers behind
        AXI4-Lite: see :mod:`spiker_hdl.link.axi.accelerator`. With AXI the test bench compares no
        cycles.
    period : float
        Clock period in nanoseconds that the constraints ask for.
    memories : {"auto", "inline", "files"}
        Whether Verilog has the contents of large memories inline, or reads them from files beside
        it with ``$readmemh``. With ``"auto"`` they are in files if there are more than
        :data:`INLINE` weight bits. VHDL has them inline always.
    generated : int, optional
        Maximum number of samples, up to 1024, that are generated for the test bench beside the
        user's: they detect flipped weight bits that real samples do not, and the manifest says
        which share of such faults is detected. By default there are as many as can be simulated in
        some minutes. With 0 nothing is measured, and there is no test bench without ``samples``.
    command : str, optional
        Command that emits the same directory again, for the manifest; a call of this function by
        default.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    TypeError, ValueError
        If the network does not take an argument, or the directory holds something else.
    OSError
        If the directory cannot be written.
    YosysError
        If Verilog is to be written and there is no Yosys.
    """
    check_kind("Network", network, Network)
    check_choice("Language", language, LANGUAGES)
    check_choice("Ports", ports, PORTS)
    check_period(period)
    memories = _memories(network, language, memories)
    if name is not None:
        check_kind("Name", name, str)
    if mapping is not None:
        _check_mapping(network, mapping, ports)
    if generated is not None:
        generated = check_int("Generated samples", generated, 0, MAX_GENERATED)
    stimuli = None if samples is None else stimulus(network, samples)
    if expected is not None:
        _check_expected(network, stimuli, expected)
    elif stimuli is not None:
        expected = reference.run(network, samples)
    options = Options(
        language,
        _top(network, name, language),
        axis=ports == "axis",
        memories=memories,
        period=float(period),
        command=command or _call(language, ports, period, memories, generated),
    )
    with replacing(directory, EMISSION) as stage:
        accelerator = Accelerator(network, mapping)
        vectors, coverage = _vectors(accelerator, stimuli, expected, generated)
        if vectors is not None and options.axis:
            vectors = vectors.for_axis(fault_field(accelerator))
        write_files(stage, directory_files(accelerator, options, vectors, coverage))
    return Path(directory) / MANIFEST


# -- arguments -----------------------------------------------------------------------------------


def _memories(network: Network, language: str, memories: str) -> str:
    """Return whether Verilog has the contents of memories inline or in files."""
    check_choice("Memories", memories, ("auto", *MEMORIES))
    if memories == "files" and language != "verilog":
        raise ValueError(f"Memories must be 'inline' in {LANGUAGES[language].title}, not 'files'")
    if memories == "auto":
        return MEMORIES[language == "verilog" and network.weight_bits > INLINE]
    return memories


def _check_mapping(network: Network, mapping: Mapping, ports: str) -> None:
    check_kind("Mapping", mapping, Mapping)
    mapping.check(network)
    if ports == "axis" and mapping.writable:
        raise ValueError(
            "Ports must be 'streams' if a mapping makes populations writable, not 'axis', which "
            f"has no port to write their memories: {sorted(mapping.writable)}"
        )
    for population, core in mapping.cores.items():
        if core.weights == "uninitialized":
            raise ValueError(
                f"Weights of {population!r} must be in memory with initial contents, not "
                "'uninitialized': Verilog and VHDL have no such memory, bitstreams have"
            )


def _check_expected(network: Network, stimuli: Stimulus | None, expected: Result) -> None:
    check_kind("Expected", expected, Result)
    if stimuli is None:
        raise ValueError("Samples must be given where a result is expected")
    if expected.network is not None and expected.network.digest != network.digest:
        raise ValueError(
            "Expected result must be of the network that is emitted, of SHA-256 "
            f"{network.digest[:16]}, not of one of {expected.network.digest[:16]}"
        )
    if list(expected.steps) != list(stimuli.steps):
        raise ValueError("Expected result must be of the samples given, not of others")


def _top(network: Network, name: str | None, language: str) -> str:
    """Return the name of the topmost module."""
    name = name or network.name
    return identifiers([name], taken=PREDEFINED if language == "vhdl" else ())[name]


def _call(language: str, ports: str, period: float, memories: str, generated: int | None) -> str:
    """Return the call that emits the same directory again."""
    last = "" if generated is None else f", generated={generated}"
    return (
        f"spiker_hdl.emit(network, directory, language={language!r}, ports={ports!r}, "
        f"period={period!r}, memories={memories!r}{last})"
    )


# -- samples -------------------------------------------------------------------------------------


def _vectors(
    accelerator: Accelerator,
    stimuli: Stimulus | None,
    expected: Result | None,
    max_generated: int | None,
) -> tuple[Vectors | None, Coverage | None]:
    """Return the user's and the generated samples with their results, and their fault coverage."""
    if stimuli is None and max_generated == 0:
        return None, None
    network, vectors = accelerator.network, None
    if stimuli is not None and expected is not None:
        vectors = make_vectors(accelerator, stimuli, expected)
    if max_generated == 0:
        return vectors, None
    samples, coverage = generate(network, stimuli, max_generated)
    generated = make_vectors(
        accelerator, stimulus(network, samples), reference.run(network, samples)
    )
    if vectors is None:
        return replace(generated, user_samples=0), coverage
    return vectors.followed_by(generated), coverage
