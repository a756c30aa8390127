"""One network as the bitstream of every board whose tools are open: area, speed, and time.

Each is built as `spiker build` does, with the lanes that it would choose. A design that is too slow
for the clock is built again for one that it reaches, which the table tells. Prints the
table and puts it into docs/how_to/boards.md; writes all numbers with the versions that made them
as JSON.
What the file says of other boards, of the same network, stays.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from spiker_boards.builder.build import TimingError, build_board
from spiker_boards.catalog import BOARDS
from spiker_boards.fit import FitError, estimate_board_area, find_lanes
from spiker_boards.target import Target
from spiker_hdl.model import Mapping, Network, encoders, load
from spiker_hdl.model.timing import predict
from spiker_train.data.images import load_dataset

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results" / "bitstreams.json"
PAGE = ROOT / "docs" / "how_to" / "boards.md"
BEGIN, END = "<!-- bitstreams -->", "<!-- end of bitstreams -->"
SAMPLES = 100
BUILT = [name for name, board in BOARDS.items() if board.built]


def measure(network: Network, target: Target, spikes: np.ndarray, directory: Path) -> dict:
    """Build for a board; return what the table says of it."""
    lanes, frequency = find_lanes(target, network), target.frequency
    began, used = time.monotonic(), sum(os.times()[:4])
    while True:
        if not lanes:
            raise SystemExit(f"{network.name} does not fit on {target.title}")
        mapping = Mapping.folded(network, lanes)
        try:
            report = build_board(
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
    estimate = estimate_board_area(target, network, mapping)
    return {
        "board": target.name,
        "lanes": lanes,
        "clock_hz": frequency,
        "fmax_hz": report["fmax_hz"],
        "utilization": report["utilization"],
        "estimate": {"luts": estimate.luts, "block_rams": estimate.block_rams},
        "cycles": round(float(cycles.mean()), 1),
        "microseconds": round(float(cycles.mean()) / frequency * 1e6, 2),
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(sum(os.times()[:4]) - used, 1),
        "tools": report["tools"],
    }


def commit() -> str | None:
    """Return what was measured."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def earlier(path: Path, network: Network) -> dict[str, dict]:
    """Return what a file says of boards, by name, if it is of this network."""
    if not path.is_file():
        return {}
    report = json.loads(path.read_text())
    return {
        board["board"]: board for board in report["boards"] if report["sha256"] == network.digest
    }


def table(rows: list[dict]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| board | lanes | look-up tables | estimated | block RAMs | fastest clock | clock | "
        "cycles a sample | time a sample | built in |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        luts, rams = row["utilization"]["luts"], row["utilization"]["block_rams"]
        lines.append(
            f"| `{row['board']}` | {row['lanes']} "
            f"| {luts['used']:,} of {luts['available']:,} ({luts['used'] / luts['available']:.0%}) "
            f"| {row['estimate']['luts']:,} | {rams['used']} of {rams['available']} "
            f"| {row['fmax_hz'] / 1e6:.1f} MHz "
            f"| {row['clock_hz'] / 1e6:g} MHz | {row['cycles']:.0f} | {row['microseconds']:.1f} us "
            f"| {row['cpu_seconds']:.0f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    """Build for every board, and print and write what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", type=Path, default=HERE.parent / "networks" / "digits.spiker")
    parser.add_argument("--boards", nargs="+", choices=BUILT, default=BUILT, metavar="BOARD")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write the table to")
    arguments = parser.parse_args()
    network = load(arguments.network)
    values = load_dataset(network.note["data"]).x_test[:SAMPLES]
    encode = encoders.encoder_of(network.note["encoder"])
    spikes = encode(values, int(network.note["steps"]))
    result = earlier(arguments.json, network)
    document = {"commit": commit(), "python": platform.python_version()}
    with tempfile.TemporaryDirectory() as name:
        for board in arguments.boards:
            row = measure(network, BOARDS[board], spikes, Path(name))
            result[board] = row | document
            print(json.dumps(result[board]), flush=True)
            report = {
                "network": network.name,
                "sha256": network.digest,
                "samples": len(spikes),
                "boards": [result[built] for built in BUILT if built in result],
            }
            arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    rows = table(report["boards"])
    print(rows)
    page = arguments.page.read_text()
    part = f"{BEGIN}\n{rows}\n{END}"
    arguments.page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: part, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
