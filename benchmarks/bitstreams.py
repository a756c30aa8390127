"""One network as the bitstream of every board whose tools are open: area, speed, and time.

Each is built as `spiker build` does, with the lanes that it would choose. A design that is too slow
for the clock is built again for one that it reaches, which the table tells. Prints the
table of docs/boards.md, and writes all numbers with the versions that made them as JSON.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from spiker_boards.building import TimingError, build_board
from spiker_boards.catalog import BOARDS
from spiker_boards.fit import FitError, find_lanes, need
from spiker_boards.target import Target
from spiker_hdl.model import Mapping, Network, encoders, load
from spiker_hdl.model.timing import predict
from spiker_train.data import load_dataset

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "bitstreams.json"
SAMPLES = 100
BUILT = [name for name, one in BOARDS.items() if one.built]


def measure(network: Network, target: Target, spikes: np.ndarray, directory: Path) -> dict:
    """Build for a board; return what the table says of it."""
    lanes, frequency = find_lanes(target, network), target.frequency
    while True:
        mapping = Mapping.folded(network, lanes)
        began, used = time.monotonic(), sum(os.times()[:4])
        try:
            made = build_board(
                network, target, directory / target.name, mapping=mapping, frequency=frequency
            )
        except TimingError as error:
            # Whole MHz below what was reached, so that the UART's divisor stays a good one.
            print(f"{target.name}: {error}", flush=True)
            frequency -= 2_000_000
            continue
        except FitError as error:
            print(f"{target.name}: {error}", flush=True)
            lanes //= 2
            continue
        break
    cycles = predict(network, spikes, mapping=mapping).cycles
    estimate = need(network, mapping, target.family)
    return {
        "board": target.name,
        "lanes": lanes,
        "clock_hz": frequency,
        "fmax_hz": made["fmax_hz"],
        "utilization": made["utilization"],
        "estimate": {"luts": estimate.luts, "block_rams": estimate.block_rams},
        "cycles": round(float(cycles.mean()), 1),
        "microseconds": round(float(cycles.mean()) / frequency * 1e6, 2),
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(sum(os.times()[:4]) - used, 1),
        "tools": made["tools"],
    }


def table(found: list[dict]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| board | lanes | look-up tables | block RAMs | fastest clock | clock | cycles a sample | "
        "time a sample | built in |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        luts, rams = one["utilization"]["luts"], one["utilization"]["block_rams"]
        lines.append(
            f"| {one['board']} | {one['lanes']} "
            f"| {luts['used']:,} of {luts['available']:,} ({luts['used'] / luts['available']:.0%}) "
            f"| {rams['used']} of {rams['available']} | {one['fmax_hz'] / 1e6:.1f} MHz "
            f"| {one['clock_hz'] / 1e6:g} MHz | {one['cycles']:.0f} | {one['microseconds']:.1f} us "
            f"| {one['cpu_seconds']:.0f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """Build for every board, and print and write what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", type=Path, default=HERE.parent / "networks" / "digits.spiker")
    parser.add_argument("--boards", nargs="+", choices=BUILT, default=BUILT, metavar="BOARD")
    parser.add_argument("--json", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    network = load(arguments.network)
    values = load_dataset(network.note["data"]).x_test[:SAMPLES]
    encode = encoders.encoder_of(network.note["encoder"])
    spikes = encode(values, int(network.note["steps"]))
    found = []
    with tempfile.TemporaryDirectory() as name:
        for board in arguments.boards:
            found.append(measure(network, BOARDS[board], spikes, Path(name)))
            print(json.dumps(found[-1]), flush=True)
    report = {
        "network": network.name,
        "sha256": network.digest,
        "samples": len(spikes),
        "python": platform.python_version(),
        "boards": found,
    }
    arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
