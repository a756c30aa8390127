"""A directory with the accelerator in another language, and all that proves and explains it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amaranth import Value

from spiker_hdl.base.atomic_directory import Listing, replacing, write_files
from spiker_hdl.base.checks import check_choice, check_int, check_kind
from spiker_hdl.base.identifiers import identifiers
from spiker_hdl.export.netlist.makefile import NETLIST
from spiker_hdl.export.samples.generated import MOST, Coverage, generate
from spiker_hdl.export.samples.vectors import Vectors, make_vectors
from spiker_hdl.export.testbench.adapter import Inlet, adapted_ports, adapter, adapter_name
from spiker_hdl.export.testbench.common import bench_name
from spiker_hdl.export.testbench.verilog import verilog_bench
from spiker_hdl.export.testbench.vhdl import vhdl_bench
from spiker_hdl.hdl.source import Source
from spiker_hdl.hdl.verilog import MEMORIES, to_verilog
from spiker_hdl.hdl.vhdl.convert import vhdl_source
from spiker_hdl.hdl.vhdl.names import PREDEFINED
from spiker_hdl.link.axi.accelerator import AxiAccelerator, FramedResult
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.model import Mapping, Network, Result, Stimulus, reference, stimulus
from spiker_hdl.model.files.save import pack
from spiker_hdl.payloads.fields import fault_field
from spiker_hdl.rtl import Accelerator

from .flows import PERIOD, Package, check_period, packaging
from .manifest import manifest
from .meanings import bench_json

__all__ = ["EMISSION", "INLINE", "LANGUAGES", "PORTS", "Language", "emit"]

EMISSION = Listing(
    "manifest.json",
    "emission",
    ("*.vvp", "*.o", "work-obj*.cf"),
    (NETLIST,),
)
"""How an emitted directory is known again."""

INLINE = 2**20
"""Bits of weights that Verilog holds without files beside it, unless asked to."""

_VERILOG_MAKE = """\
IVERILOG ?= iverilog
VVP ?= vvp
ARGS ?=

.PHONY: sim clean

sim: {bench}.vvp  ## Compare all samples; ARGS="{harder}" makes it harder
	$(VVP) -n $< $(ARGS)

{bench}.vvp: {top}.v {bench}.v
	$(IVERILOG) -g2005 -s {bench} -o $@ $^

clean:
	rm -f {bench}.vvp
"""

_VHDL_MAKE = """\
GHDL ?= ghdl
ARGS ?=

.PHONY: sim clean

sim: work-obj08.cf  ## Compare all samples; ARGS="{harder}" makes it harder
	$(GHDL) -r --std=08 {bench} $(ARGS)

work-obj08.cf: {top}.vhd {bench}.vhd
	$(GHDL) -a --std=08 $^
	$(GHDL) -e --std=08 {bench}

clean:
	$(GHDL) --remove --std=08
"""

_README = """\
{network}: a spiking network as {title}

{design}  the accelerator; its top is {top}
manifest.json  its ports, the fields of their payloads, timing, versions
network.spiker  the network, with which `spiker simulate` compares what is here

For other flows, which all take the files as they are:

Makefile  make lint
{top}.core  for FuseSoC: fusesoc --cores-root . run --target=sim {top}
vivado.tcl, quartus.tcl  place and route, for area and speed
{top}.xdc, {top}.sdc  the clock
"""

_MEMORIES_README = """\
*.mem  what its memories hold, which it reads from where tools run, here for those above
"""

_BENCH_README = """\
{bench}  test bench; compares {given} samples, and {more} that are made up, with what the network
answers; manifest.json says what share of flipped bits of weights they show
vectors/  their beats, and the results expected, in hexadecimal

To run it, with {simulator} installed:

    make sim
    make sim ARGS="{harder}"
    make sim ARGS="{few}"

prints PASS and the number of samples, or FAIL and the first difference.
"""


@dataclass(frozen=True)
class Language:
    """What it takes to emit in a language.

    Members
    -------
    title : str
        What people call it.
    suffix : str
        Of its files.
    design : callable
        Writes a component: ``design(component, name)`` gives a :class:`~.verilog.Source`.
    bench : callable
        Writes its test bench: ``bench(accelerator, vectors, top=, ports=)`` gives a text.
    makefile : str
        With ``{top}``, ``{bench}`` and ``{harder}``.
    simulator : str
        What the makefile calls.
    harder : str
        Arguments with which the test bench pauses and leaves no gaps.
    few : str
        Arguments with which it stops after 20 samples.
    """

    title: str
    suffix: str
    design: Callable[..., Source]
    bench: Callable[..., str]
    makefile: str
    simulator: str
    harder: str
    few: str


LANGUAGES = {
    "verilog": Language(
        "Verilog",
        "v",
        to_verilog,
        verilog_bench,
        _VERILOG_MAKE,
        "Icarus Verilog",
        "+stalls=1 +back_to_back",
        "+samples=20",
    ),
    "vhdl": Language(
        "VHDL-2008",
        "vhd",
        vhdl_source,
        vhdl_bench,
        _VHDL_MAKE,
        "GHDL",
        "-gstalls=1 -gback_to_back=true",
        "-gsamples=20",
    ),
}
"""Languages that can be emitted."""

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
    """Write the accelerator of a network, and a test bench with what is expected of it.

    The directory appears whole or not at all. One that is there already is replaced, whole, if it
    is an earlier emission in which nothing was altered or added; nothing else is touched.

    Parameters
    ----------
    network : Network
    directory : str or Path
        New, empty, or that of an earlier emission, which is replaced.
    language : str
        One of :data:`LANGUAGES`.
    mapping : Mapping, optional
    samples : array of int, list of arrays, or a mapping from input names to such, optional
        Samples for the test bench, as :func:`spiker_hdl.run` takes them.
    expected : Result, optional
        What the test bench expects of these, from any engine; where that counts cycles, so does
        the test bench. What the reference answers by default.
    name : str, optional
        Name of the topmost module; that of the network by default.
    ports : {"streams", "axis"}
        Streams of ``valid``, ``ready`` and ``payload``, or AXI4-Stream with registers behind
        AXI4-Lite: see :mod:`spiker_hdl.link.axi.accelerator`. With these the test bench compares no
        cycles.
    period : float
        Nanoseconds of a clock period that the constraints ask for.
    memories : {"auto", "inline", "files"}
        Whether what large memories hold stands in the Verilog, or in files beside it that it reads
        with ``$readmemh``; by itself in files where weights have more than :data:`INLINE` bits.
        VHDL always holds them.
    generated : int, optional
        Samples that are made up for the test bench beside those given, at most: they show flipped
        bits of weights that real samples do not, and the manifest says what share of them is
        caught. As many as can be simulated in some minutes by default; with 0 of them nothing is
        measured, and there is no test bench where no samples are given either. 1024 at most.
    command : str, optional
        Kept in the manifest as what makes the same again; a call of this by default.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes, or the directory holds something else.
    OSError
        If the directory cannot be written.
    YosysError
        If Verilog is wanted and there is no Yosys.
    """
    check_kind("Network", network, Network)
    check_choice("Language", language, LANGUAGES)
    check_choice("Ports", ports, PORTS)
    check_period(period)
    check_choice("Memories", memories, ("auto", *MEMORIES))
    if memories == "files" and language != "verilog":
        raise ValueError(f"Memories must be 'inline' in {LANGUAGES[language].title}, not 'files'")
    if memories == "auto":
        large = language == "verilog" and network.weight_bits > INLINE
        memories = MEMORIES[large]
    if name is not None:
        check_kind("Name", name, str)
    if mapping is not None:
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
        if ports == "axis" and mapping.writable:
            raise ValueError(
                "Ports must be 'streams' where a mapping makes populations writable, not 'axis', "
                f"by which none is loaded: {sorted(mapping.writable)}"
            )
        for which, core in mapping.cores.items():
            if core.weights == "uninitialized":
                raise ValueError(
                    f"Weights of {which!r} must lie in memory that has contents, not "
                    "'uninitialized': sources have no memory without contents, bitstreams have"
                )
    generated = None if generated is None else check_int("Generated samples", generated, 0, MOST)
    given = None if samples is None else stimulus(network, samples)
    if expected is not None:
        check_kind("Expected", expected, Result)
        if given is None:
            raise ValueError("Samples must be given where a result is expected")
        if expected.network is not None and expected.network.digest != network.digest:
            raise ValueError(
                "Expected result must be of the network that is emitted, of SHA-256 "
                f"{network.digest[:16]}, not of one of {expected.network.digest[:16]}"
            )
        if list(expected.steps) != list(given.steps):
            raise ValueError("Expected result must be of the samples given, not of others")
    elif given is not None:
        expected = reference.run(network, samples)
    wanted, taken = name or network.name, PREDEFINED if language == "vhdl" else ()
    top = identifiers([wanted], taken=taken)[wanted]
    made = command or (
        f"spiker_hdl.emit(network, directory, language={language!r}, ports={ports!r}, "
        f"period={period!r}, memories={memories!r}"
        + (")" if generated is None else f", generated={generated})")
    )
    with replacing(directory, EMISSION) as stage:
        accelerator = Accelerator(network, mapping)
        vectors, coverage = _vectors(accelerator, given, expected, generated)
        if vectors is not None and ports == "axis":
            vectors = vectors.framed(fault_field(accelerator))
        files = _files(
            accelerator, language, top, vectors, coverage, made, ports == "axis", period, memories
        )
        write_files(stage, files)
    return Path(directory) / "manifest.json"


def _vectors(
    accelerator: Accelerator,
    given: Stimulus | None,
    expected: Result | None,
    most: int | None,
) -> tuple[Vectors | None, Coverage | None]:
    """Return the samples given and made up, with what is expected, and what they were measured."""
    if given is None and most == 0:
        return None, None
    network, vectors = accelerator.network, None
    if given is not None and expected is not None:
        vectors = make_vectors(accelerator, given, expected)
    if most == 0:
        return vectors, None
    made, coverage = generate(network, given, most)
    own = make_vectors(accelerator, stimulus(network, made), reference.run(network, made))
    return replace(own, given=0) if vectors is None else vectors.then(own), coverage


def _files(
    accelerator: Accelerator,
    key: str,
    top: str,
    vectors: Vectors | None,
    coverage: Coverage | None,
    command: str,
    axis: bool,
    period: float,
    memories: str,
) -> dict[str, str | bytes]:
    """Return the content of every file, the manifest last."""
    from spiker_hdl.base.version import LIBRARY_VERSION

    language = LANGUAGES[key]
    outer = AxiTop(AxiAccelerator(accelerator, version=LIBRARY_VERSION)) if axis else None
    options = {"memories": memories} if key == "verilog" else {}
    source = language.design(outer or accelerator, top, **options)
    bench = bench_name(top)
    design, test = f"{top}.{language.suffix}", f"{bench}.{language.suffix}"
    held: dict[str, str] = {}
    makefile = ""
    readme = _README.format(
        network=accelerator.network.name, title=language.title, design=design, top=top
    )
    if source.files:
        readme += _MEMORIES_README
    if vectors is not None:
        held[test] = _bench(accelerator, outer, vectors, key, top, source)
        held |= {f"vectors/{name}": text for name, text in vectors.files().items()}
        makefile = language.makefile.format(top=top, bench=bench, harder=language.harder)
        readme += _BENCH_README.format(
            bench=test,
            given=vectors.given,
            more=vectors.samples - vectors.given,
            simulator=language.simulator,
            harder=language.harder,
            few=language.few,
        )
    package = Package(
        language=key,
        network=accelerator.network.name,
        top=top,
        bench=bench if vectors is not None else "",
        design=design,
        test=test,
        vectors=[name for name in held if name.startswith("vectors/")],
        memories=list(source.files),
        clock=source.ports["aclk" if axis else "clk"],
        period=float(period),
        version=LIBRARY_VERSION,
    )
    files: dict[str, str | bytes] = {
        design: source.text,
        **source.files,
        **held,
        **packaging(package, makefile),
        "network.spiker": pack(accelerator.network, accelerator.mapping),
        "README.txt": readme,
    }
    files["manifest.json"] = manifest(
        accelerator,
        axis=outer,
        language=key,
        top=top,
        ports=source.ports,
        tool=source.tool,
        command=command,
        bench=None if vectors is None else bench_json(vectors, coverage),
        period=float(period),
        files=files,
    )
    return files


def _bench(
    accelerator: Accelerator,
    axis: AxiTop | None,
    vectors: Vectors,
    key: str,
    top: str,
    source: Source,
) -> str:
    """Return the test bench, with plain streams around a design that has others."""
    bench = LANGUAGES[key].bench
    if axis is None:
        return bench(accelerator, vectors, top=top, ports=source.ports)
    inlets = inlets_of(axis)
    widths = {
        "__".join(map(str, path)): Value.cast(value).shape().width
        for path, _, value in axis.signature.flatten(axis)
    }
    around = adapter(key, top, source.ports, inlets, widths)
    text = bench(accelerator, vectors, top=top, ports=adapted_ports(inlets), dut=adapter_name(top))
    return f"{around}\n{text}" if key == "vhdl" else f"{text}\n{around}"


def inlets_of(axis: AxiTop) -> list[Inlet]:
    """Return the streams of a design with AXI, the results last."""
    accelerator = axis.inner.accelerator
    found = [
        Inlet(
            accelerator.ports[name],
            port,
            Value.cast(getattr(accelerator, accelerator.ports[name]).payload).shape().width,
            axis.signature.members[port].signature.width,
        )
        for name, port in axis.inner.ports.items()
    ]
    width = FramedResult(accelerator).size
    return [*found, Inlet("o", "m_axis", width, axis.signature.members["m_axis"].signature.width)]
