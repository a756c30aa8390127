"""Time to emulate and train a network in PyTorch, beside snnTorch and other emulators.

The network is 700-200-20, of LIF neurons that are reset by subtraction, with 100 time steps and
batches of 128 samples, on one thread; the loss is the cross entropy of the output spikes. Runs of
all rows alternate, so that other work on the machine slows all of them alike, and ratios are the
medians of ratios within a round. Times are of the CPU. Prints a table; ``--json`` keeps it with the
versions that made it.

SHIP takes part where it can be imported; ``--help`` says where it is from. Any other emulator takes
part with ``--beside FILE``: a Python file with a function ``make(x, sizes, leak)`` that returns
something with a ``zero_grad``, such as the module of the same network, and a function without
arguments that runs it on ``x`` and returns scores (samples, classes).
"""

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable
from copy import deepcopy
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from statistics import median
from typing import Any

import _ship
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from spiker_hdl.model import Input, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    FastSigmoid,
    FirstOrder,
    Layer,
    Quantization,
    SpikingNetwork,
)

RESULTS = Path(__file__).parent / "results" / "emulation.json"
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
BEGIN, END = "<!-- emulation: written by benchmarks/emulation.py -->", "<!-- end of emulation -->"
SIZES, STEPS, BATCH = (700, 200, 20), 100, 128
DENSITY = 0.05
LEAK = 0.9
FEW, FEW_STEPS = 32, 20
"""Samples and steps of the comparison of synapses."""

Run = Callable[[], torch.Tensor]


def ours(x: torch.Tensor, kernel: str, *, integers: bool = False) -> tuple[torch.nn.Module, Run]:
    cell = Cell(Lif, threshold=1.0, decay=LEAK, surrogate=FastSigmoid(0.25))
    net = SpikingNetwork.chain(SIZES, cell=cell, readout="count")
    settings = Quantization(4, 8).fit(net) if integers else None
    return net, lambda: net(x, settings, kernel=kernel).scores


def snntorch(x: torch.Tensor) -> tuple[torch.nn.Module, Run]:
    import snntorch
    from snntorch import surrogate

    gradient = surrogate.fast_sigmoid(slope=4)
    layers = torch.nn.ModuleList()
    for source, target in pairwise(SIZES):
        layers.append(torch.nn.Linear(source, target, bias=False))
        layers.append(snntorch.Leaky(beta=LEAK, spike_grad=gradient))
    steps = x.transpose(0, 1).contiguous()

    def run() -> torch.Tensor:
        potentials = [layer.init_leaky() for layer in layers[1::2]]
        fired = []
        for step in steps:
            events = step
            for n, (weights, neurons) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
                events, potentials[n] = neurons(weights(events), potentials[n])
            fired.append(events)
        return torch.stack(fired).sum(0)

    return layers, run


def synapses(
    x: torch.Tensor, tau: float, *, pairs: bool = False, kernel: str = "eager"
) -> tuple[torch.nn.Module, Run]:
    """Make a network with first-order synapses, with a state for each target or for each pair."""
    cell = Cell(Lif, threshold=1.0, decay=LEAK, surrogate=FastSigmoid(0.25))
    names = ["input", "hidden", "output"]
    connections = []
    for n, (source, target) in enumerate(pairwise(SIZES)):
        factor = torch.full((target, source), tau).numpy() if pairs else tau
        connections.append(Connection(names[n], names[n + 1], dynamics=FirstOrder(factor)))
    net = SpikingNetwork(
        [Input("input", SIZES[0])],
        [
            Layer(name, size, deepcopy(cell))
            for name, size in zip(names[1:], SIZES[1:], strict=True)
        ],
        connections,
        [Readout("output", "count")],
    )
    return net, lambda: net(x, kernel=kernel).scores


class Largest(TorchDispatchMode):
    """Watch for the largest memory of a tensor, in bytes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.size = max(self.size, tensor.untyped_storage().nbytes())
        return out


def largest(model: torch.nn.Module, run: Run, labels: torch.Tensor) -> int:
    """Return the bytes of the largest tensor of a forward and backward pass."""
    with Largest() as watch:
        timed(model, run, labels)
    return watch.size


def beside(path: Path, x: torch.Tensor) -> tuple[Any, Run]:
    """Make the network of another emulator, by the function ``make`` of a file of the user's."""
    return run_path(str(path))["make"](x, SIZES, LEAK)


def timed(model: Any, run: Run, labels: torch.Tensor) -> tuple[float, float]:
    """Return the milliseconds of CPU time of a forward pass, and of forward and backward."""
    model.zero_grad(set_to_none=True)
    start = time.process_time()
    scores = run()
    forward = time.process_time() - start
    torch.nn.functional.cross_entropy(scores, labels).backward()
    return 1e3 * forward, 1e3 * (time.process_time() - start)


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, STEPS, SIZES[0], generator=generator)
    return {"spikes": (x < DENSITY).float(), "dense": 2 * DENSITY * x}


def measure(rounds: int, others: list[Path]) -> list[dict]:
    labels = torch.arange(BATCH) % SIZES[-1]
    rows: dict[tuple[str, str], tuple[Any, Run]] = {}
    for kind, x in inputs().items():
        rows[kind, "snnTorch"] = snntorch(x)
        if _ship.installed():
            rows[kind, "SHIP"] = _ship.make(x, SIZES, LEAK)
        rows[kind, "step by step"] = ours(x, "eager")
        rows[kind, "kernels"] = ours(x, "fused")
        rows |= {(kind, path.stem): beside(path, x) for path in others}
    x = inputs()["spikes"]
    rows["spikes", "step by step, integers"] = ours(x, "eager", integers=True)
    rows["spikes", "kernels, integers"] = ours(x, "fused", integers=True)
    times: dict[tuple[str, str], list[tuple[float, float]]] = {row: [] for row in rows}
    for n in range(rounds + 1):
        for row, (model, run) in rows.items():
            result = timed(model, run, labels)
            if n:  # the first round compiles, and warms up
                times[row].append(result)
    return [
        {
            "input": kind,
            "run": name,
            "forward ms": round(median(forward for forward, _ in own), 1),
            "forward and backward ms": round(median(both for _, both in own), 1),
            "times faster than snnTorch": round(
                median(
                    other / both
                    for (_, both), (_, other) in zip(own, times[kind, "snnTorch"], strict=True)
                ),
                2,
            ),
        }
        for (kind, name), own in times.items()
    ]


def measure_synapses(rounds: int) -> dict:
    """Compare pooled synapses with a state per pair, on few samples: memory is as many states."""
    x = inputs()["spikes"][:FEW, :FEW_STEPS].clone()
    labels = torch.arange(FEW) % SIZES[-1]
    runs = {
        "kernels": synapses(x, 0.8, kernel="fused"),
        "pooled": synapses(x, 0.8),
        "a state per pair": synapses(x, 0.8, pairs=True),
    }
    others = {"SHIP": _ship.make(x, SIZES, LEAK, 0.8)} if _ship.installed() else {}
    times = _alternating(runs | others, labels, rounds)
    results: dict = {"samples": FEW, "steps": FEW_STEPS}
    results |= {f"{name} ms": round(median(own), 1) for name, own in times.items()}
    for result, name in (("times faster", "pooled"), ("times faster with kernels", "kernels")):
        results[result] = _ratio(times["a state per pair"], times[name])
    if others:
        results["times faster than SHIP"] = _ratio(times["SHIP"], times["pooled"])
    # All tensors are of 4 bytes a value: one for each sample, source and target is the limit.
    pairs = FEW * max(a * b for a, b in pairwise(SIZES))
    results["sample, source and target values"] = pairs
    results["largest tensor, values"] = {
        name: largest(*run, labels) // 4 for name, run in runs.items()
    }
    return results


def measure_pooled(rounds: int) -> dict:
    """Compare kernels with runs step by step, of the whole network with pooled synapses."""
    x = inputs()["spikes"]
    labels = torch.arange(BATCH) % SIZES[-1]
    runs = {kernel: synapses(x, 0.8, kernel=kernel) for kernel in ("eager", "fused")}
    times = _alternating(runs, labels, rounds)
    return {
        "step by step ms": round(median(times["eager"]), 1),
        "kernels ms": round(median(times["fused"]), 1),
        "times faster": _ratio(times["eager"], times["fused"]),
    }


def _alternating(
    runs: dict[str, tuple[Any, Run]], labels: torch.Tensor, rounds: int
) -> dict[str, list[float]]:
    """Return the milliseconds of forward and backward of each run, in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for n in range(rounds + 1):
        for name, run in runs.items():
            both = timed(*run, labels)[1]
            if n:  # the first round compiles, and warms up
                times[name].append(both)
    return times


def _ratio(slow: list[float], fast: list[float]) -> float:
    return round(median(a / b for a, b in zip(slow, fast, strict=True)), 1)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("torch", "snntorch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=False)
    found["SHIP"] = _ship.version()
    return found | {"gcc": compiler.stdout.partition("\n")[0] or "not installed"}


def table(report: dict) -> str:
    """Return the table of the page."""
    lines = [
        "| input | run | forward (ms) | forward and backward (ms) | speed compared with snnTorch |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {run['input']} | {run['run']} | {run['forward ms']} | "
        f"{run['forward and backward ms']} | {run['times faster than snnTorch']} |"
        for run in report["runs"]
    ]
    kinds = report["synapses"]
    lines += [
        "",
        f"First-order synapses ({kinds['samples']} samples, {kinds['steps']} steps, forward and "
        f"backward): {kinds['pooled ms']} ms pooled, {kinds['a state per pair ms']} ms with a "
        f"state per pair, which is {kinds['times faster']} times as long.",
    ]
    if "pooled synapses" in report:
        pooled, sizes = report["pooled synapses"], kinds["largest tensor, values"]
        lines[-1] += (
            f" With kernels they take {kinds['kernels ms']} ms, and a state per pair "
            f"{kinds['times faster with kernels']} times as long. The largest tensor has "
            f"{sizes['pooled']:,} values step by step, {sizes['kernels']:,} with kernels and "
            f"{sizes['a state per pair']:,} with a state per pair; samples times sources times "
            f"targets are {kinds['sample, source and target values']:,}. With all samples and "
            f"steps, pooled synapses take {pooled['step by step ms']} ms step by step and "
            f"{pooled['kernels ms']} ms with kernels, {pooled['times faster']} times as fast."
        )
    if "SHIP ms" in kinds:
        lines[-1] += (
            f" SHIP's first-order synapses, with a state per pair, take {kinds['SHIP ms']} ms, "
            f"{kinds['times faster than SHIP']} times as long as pooled ones step by step."
        )
    return "\n".join(lines)


def write_page(report: dict) -> None:
    page = PAGE.read_text()
    before, _, rest = page.partition(f"{BEGIN}\n")
    after = rest.partition(f"\n{END}")[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(report)}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_ship.WHERE)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each row")
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="other emulators")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not _ship.installed():
        print(f"Without SHIP. {_ship.WHERE}")
    runs = measure(options.rounds, options.beside)
    print("input   run                      forward ms  with backward ms  times snnTorch")
    for run in runs:
        print(
            f"{run['input']:<7} {run['run']:<24} {run['forward ms']:>10}  "
            f"{run['forward and backward ms']:>16}  {run['times faster than snnTorch']:>14}"
        )
    kinds, pooled = measure_synapses(options.rounds), measure_pooled(options.rounds)
    for name, value in (*kinds.items(), *pooled.items()):
        print(f"first-order synapses, {name}: {value}")
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    what = {
        "commit": done.stdout.strip(),
        "versions": versions(),
        "processor": platform.processor() or platform.machine(),
        "network": "-".join(map(str, SIZES)),
        "steps": STEPS,
        "batch": BATCH,
        "density of spikes": DENSITY,
        "rounds": options.rounds,
        "runs": runs,
        "synapses": kinds,
        "pooled synapses": pooled,
    }
    options.json.write_text(json.dumps(what, indent=1) + "\n")
    if options.json == RESULTS:
        write_page(what)


if __name__ == "__main__":
    main()
