"""The files of an emitted directory."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth import Value

from spiker_hdl.export.manifest.bench import bench_json
from spiker_hdl.export.manifest.format import MANIFEST
from spiker_hdl.export.manifest.manifest import manifest
from spiker_hdl.export.samples.generated import Coverage
from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.export.testbench.adapter import Inlet, adapted_ports, adapter, adapter_name
from spiker_hdl.export.testbench.common import bench_name
from spiker_hdl.hdl.source import Source
from spiker_hdl.link.axi.accelerator import AxiAccelerator, FramedResult
from spiker_hdl.link.axi.ports import AxiTop
from spiker_hdl.model.files.save import pack
from spiker_hdl.rtl import Accelerator

from .flows import Package, packaging
from .languages import LANGUAGES

__all__ = ["Options", "directory_files", "inlets_of"]

_README = """\
{network}: a spiking network as {title}

{design}  the accelerator; its topmost module is {top}
manifest.json  its ports, the fields of their payloads, timing, versions
network.spiker  the network, with which `spiker simulate` compares this design

Other flows take the files as they are:

Makefile  make lint
{top}.core  for FuseSoC: fusesoc --cores-root . run --target=sim {top}
vivado.tcl, quartus.tcl  synthesis, place and route, for area and speed
{top}.xdc, {top}.sdc  the clock
"""

_MEMORIES_README = """\
*.mem  the contents of memories, which the design reads from the directory in which a tool runs:
this one, for all flows above
"""

_BENCH_README = """\
{bench}  the test bench; it compares the results of {user_samples} samples of the user and of
{generated} generated samples with the network's answers; manifest.json says which share of flipped
weight bits they detect
vectors/  the beats of these samples and the expected results, in hexadecimal

To run it, with {simulator} installed:

    make sim
    make sim ARGS="{stressed}"
    make sim ARGS="{shortened}"

prints PASS and the number of samples, or FAIL and the first difference.
"""


@dataclass(frozen=True)
class Options:
    """How an accelerator is emitted.

    Members
    -------
    language : {"verilog", "vhdl"}
    top : str
        Name of the topmost module.
    axis : bool
        Whether the ports are those of AXI.
    memories : {"inline", "files"}
        Where Verilog has the contents of memories.
    period : float
        Clock period in nanoseconds.
    command : str
        Command that emits the same directory again.
    """

    language: str
    top: str
    axis: bool
    memories: str
    period: float
    command: str


def directory_files(
    accelerator: Accelerator,
    options: Options,
    vectors: Vectors | None,
    coverage: Coverage | None,
) -> dict[str, str | bytes]:
    """Return the content of every file by its path, the manifest last.

    Parameters
    ----------
    accelerator : Accelerator
    options : Options
    vectors : Vectors or None
        Samples of the test bench; there is no test bench without them.
    coverage : Coverage or None
        Which faults these samples detect, where that was measured.
    """
    from spiker_hdl.base.version import LIBRARY_VERSION

    axis = AxiTop(AxiAccelerator(accelerator, version=LIBRARY_VERSION)) if options.axis else None
    language, top = LANGUAGES[options.language], options.top
    # VHDL has the contents of memories inline always.
    where = {"memories": options.memories} if options.language == "verilog" else {}
    source = language.design(axis or accelerator, top, **where)
    design = f"{top}.{language.suffix}"
    bench = _bench_files(accelerator, axis, options, vectors, source)
    package = _package(accelerator, options, vectors, source, list(bench))
    makefile = ""
    if vectors is not None:
        makefile = language.makefile.format(
            top=top, bench=bench_name(top), stressed=language.stressed
        )
    files: dict[str, str | bytes] = {
        design: source.text,
        **source.files,
        **bench,
        **packaging(package, makefile),
        "network.spiker": pack(accelerator.network, accelerator.mapping),
        "README.txt": _readme(accelerator.network.name, options, vectors, source),
    }
    files[MANIFEST] = manifest(
        accelerator,
        axis=axis,
        language=options.language,
        top=top,
        ports=source.ports,
        tool=source.tool,
        command=options.command,
        test_bench=None if vectors is None else bench_json(vectors, coverage),
        period=options.period,
        files=files,
    )
    return files


def _package(
    accelerator: Accelerator,
    options: Options,
    vectors: Vectors | None,
    source: Source,
    bench_files: list[str],
) -> Package:
    suffix, bench = LANGUAGES[options.language].suffix, bench_name(options.top)
    from spiker_hdl.base.version import LIBRARY_VERSION

    return Package(
        language=options.language,
        network=accelerator.network.name,
        top=options.top,
        bench=bench if vectors is not None else "",
        design=f"{options.top}.{suffix}",
        test=f"{bench}.{suffix}",
        vectors=[name for name in bench_files if name.startswith("vectors/")],
        memories=list(source.files),
        clock=source.ports["aclk" if options.axis else "clk"],
        period=options.period,
        version=LIBRARY_VERSION,
    )


def _readme(network: str, options: Options, vectors: Vectors | None, source: Source) -> str:
    language, top = LANGUAGES[options.language], options.top
    text = _README.format(
        network=network, title=language.title, design=f"{top}.{language.suffix}", top=top
    )
    if source.files:
        text += _MEMORIES_README
    if vectors is not None:
        text += _BENCH_README.format(
            bench=f"{bench_name(top)}.{language.suffix}",
            user_samples=vectors.user_samples,
            generated=vectors.samples - vectors.user_samples,
            simulator=language.simulator,
            stressed=language.stressed,
            shortened=language.shortened,
        )
    return text


# -- test bench ----------------------------------------------------------------------------------


def _bench_files(
    accelerator: Accelerator,
    axis: AxiTop | None,
    options: Options,
    vectors: Vectors | None,
    source: Source,
) -> Mapping[str, str]:
    """Return the test bench and the files that it reads; none without samples."""
    if vectors is None:
        return {}
    suffix = LANGUAGES[options.language].suffix
    return {
        f"{bench_name(options.top)}.{suffix}": _bench(accelerator, axis, options, vectors, source),
        **{f"vectors/{name}": text for name, text in vectors.files().items()},
    }


def _bench(
    accelerator: Accelerator,
    axis: AxiTop | None,
    options: Options,
    vectors: Vectors,
    source: Source,
) -> str:
    """Return the test bench, with an adapter to plain streams around a design with AXI."""
    test_bench, top = LANGUAGES[options.language].test_bench, options.top
    if axis is None:
        return test_bench(accelerator, vectors, top=top, ports=source.ports)
    inlets = inlets_of(axis)
    widths = {
        "__".join(map(str, path)): Value.cast(value).shape().width
        for path, _, value in axis.signature.flatten(axis)
    }
    around = adapter(options.language, top, source.ports, inlets, widths)
    text = test_bench(
        accelerator, vectors, top=top, ports=adapted_ports(inlets), dut=adapter_name(top)
    )
    # VHDL wants an entity before its first use.
    return f"{around}\n{text}" if options.language == "vhdl" else f"{text}\n{around}"


def inlets_of(axis: AxiTop) -> list[Inlet]:
    """Return the streams of a design with AXI, the results last."""
    accelerator = axis.inner.accelerator
    inputs = [
        Inlet(
            accelerator.ports[name],
            port,
            Value.cast(getattr(accelerator, accelerator.ports[name]).payload).shape().width,
            axis.signature.members[port].signature.width,
        )
        for name, port in axis.inner.ports.items()
    ]
    width = FramedResult(accelerator).size
    return [*inputs, Inlet("o", "m_axis", width, axis.signature.members["m_axis"].signature.width)]
