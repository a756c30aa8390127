"""The self-checking test bench of an emitted directory, run by whatever is installed."""

import shutil
from pathlib import Path

import spiker_hdl
from spiker_hdl.export import Emission, read_emission
from spiker_hdl.export.read.files import read_files
from spiker_hdl.export.read.samples import read_samples
from spiker_hdl.payloads.fields import Field, pack, values_of
from spiker_hdl.simulate.shared_library import BuildError, find_tool
from spiker_hdl.tools.programs import Tool, call_tool

from .terminal import progress

__all__ = ["run_bench"]


def run_bench(directory: Path) -> str:
    """Run the test bench in Icarus Verilog; without it, its samples on the compiled engine.

    Returns
    -------
    str
        Begins with ``PASS``, with ``FAIL``, or with ``not run`` where nothing is installed that can
        simulate Verilog.
    """
    if shutil.which("make") and shutil.which("iverilog"):
        return _run_in_icarus(directory)
    try:
        tool = find_tool()
    except BuildError as error:
        return f"not run: iverilog or make is missing, and nothing stands in for them: {error}"
    return _run_in_engine(directory, tool)


def _run_in_icarus(directory: Path) -> str:
    with progress("Test bench, in Icarus Verilog", 1) as advance:
        arguments = ["--no-print-directory", "sim", "clean"]
        done = call_tool(Tool("make", ("make",)), arguments, directory, apart=True)
        advance(1)
    lines = (done.text + done.errors).strip().splitlines()
    verdict = next((line for line in lines if line.startswith(("PASS", "FAIL"))), None)
    if done.status == 0 and verdict and verdict.startswith("PASS"):
        return verdict
    return verdict or f"FAIL {lines[-1] if lines else done.status}"


def _run_in_engine(directory: Path, tool: str) -> str:
    """Run the samples of the test bench through the emitted Verilog, compiled.

    Every result is compared with what the test bench expects of it; of its own text, nothing runs.
    """
    emission = read_emission(directory)
    samples = read_samples(emission)
    bench = read_files(directory)[0]["test_bench"]
    title = {"verilator": "Verilator", "cxxrtl": "CXXRTL"}[tool]
    with progress(f"Emitted Verilog, compiled by {title}", emission.samples) as advance:
        result = spiker_hdl.run(emission, samples, engine="compiled", progress=advance)
    fields = _fields(emission)
    expected = emission.vectors["vectors/expected.hex"].split()
    missing = "make" if shutil.which("iverilog") else "iverilog"
    how = (
        f"; {missing} is not installed, so the Verilog was compiled by {title} and run on the "
        "samples of its test bench"
    )
    timed = bench["samples_with_cycles"]
    for n, line in enumerate(expected):
        values = values_of(result, n) | ({} if n < timed else {("cycles",): [0]})
        wrong = pack(fields, values) ^ int(line, 16)
        if wrong:
            first = (wrong & -wrong).bit_length() - 1
            field = max((f for f in fields.values() if f.offset <= first), key=lambda f: f.offset)
            return f"FAIL sample {n}: {field.name} must be as in vectors/expected.hex{how}"
    generated = bench["generated_samples"]
    more = f" and {generated} generated samples" if generated else ""
    return f"PASS {bench['user_samples']} samples{more}{how}"


def _fields(emission: Emission) -> dict[tuple[str, ...], Field]:
    """Return the fields of a result that a test bench compares, as `values_of` names them."""
    named = {field.name: field for field in emission.result.fields}
    answers = emission.readouts.items()
    return {
        **{("class", readout): named[f"{answer}.winner"] for readout, answer in answers},
        **{("scores", readout): named[f"{answer}.scores"] for readout, answer in answers},
        **{("steps", readout): named[f"{answer}.steps"] for readout, answer in answers},
        **{("spikes", name): named[field] for name, field in emission.counts.items()},
        ("cycles",): named["cycles"],
    }
