"""Accuracy of networks whose weights are held by devices: levels, noise, time, stuck cells, yield.

For each data set a network is trained in floating point, and a copy with clipped weights is trained
further with new noisy devices for each batch. Studies follow, each over draws of devices with
seeds:

- ``levels``: number of levels of a device;
- ``noise``: programming noise, as a share of the greatest conductance, with and without training
  for it;
- ``time``: seconds after programming a phase-change memory, with and without compensation of the
  drift;
- ``stuck``: share of stuck cells, half of them at each end, with and without training each chip
  again with its faults known;
- ``yield``: share of 200 chips that reach a score, with noise of 5 % and 1 % of stuck cells;
- ``classes``: recall and F1 of each class on the whole test part, with the same devices.

The score is the accuracy on ``mnist`` and ``fsdd``, and on ``ecg``, whose classes are imbalanced,
the mean of the classes' recall.

The settings of ``ecg`` are those that ``--choose`` found best on training patients who were held
out in turn. It reads no test sample.

Data sets are found through SPIKER_DATA. Trainings and draws are kept in ``build/devices``, and a
command that was interrupted goes on from there. Prints tables; ``--json`` keeps the numbers, and
``docs/devices`` has a picture of each data set.

    SPIKER_DATA=DIR python benchmarks/devices.py ecg
"""

import argparse
import json
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from device_figures.beats import choose
from device_figures.page import page
from device_figures.pictures import draw
from device_figures.scores import Scores, table
from device_figures.speed import speed, speed_table
from device_figures.studies import STUDIES, Curves, Options, Studies
from device_figures.tasks import TASKS

from spiker_hdl.base import FileError

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "devices.json"
PICTURES = ROOT / "docs" / "devices"
PAGE = ROOT / "docs" / "explanation" / "devices.md"
BEGIN, END = "<!-- devices: written by benchmarks/devices.py -->", "<!-- end of devices -->"
SPEED = "<!-- speed: written by benchmarks/devices.py --speed -->", "<!-- end of speed -->"


def rows(curves: Curves) -> dict[str, Scores]:
    """Return scores by a label for the table."""
    result = {}
    for name, curve in curves.items():
        if isinstance(curve, Scores):
            result[name] = curve
        else:
            result |= {f"{name}, {x:g}": scores for x, scores in curve.items()}
    return result


def measure(name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Run the studies of a data set, and yield the results of each."""
    began = time.monotonic()
    task = TASKS[name](options.seed, options.scale)
    studies = Studies(
        task,
        Options(
            options.seed, options.draws, options.chips, options.progress, folder(name, options)
        ),
    )
    ideal = {label: float(scores.score()[0, 0]) for label, scores in studies.ideal.items()}
    target = ideal["usual"] - options.margin
    print(
        f"\n{name}: {ideal['usual']:.2%} without devices, {ideal['noise-aware']:.2%} noise-aware; "
        f"a chip is good from {target:.2%} on",
        flush=True,
    )
    yield {
        "split": task.split,
        "class names": list(task.classes),
        "samples": task.counts(),
        "score": "mean of the classes' recall" if task.balanced else "accuracy",
        "ideal": ideal,
        "target": target,
    }
    drawn: dict[str, Curves] = {}
    for study in options.studies:
        drawn[study] = STUDIES[study](studies)
        labelled = rows(drawn[study])
        print(f"\n{name}, {study}, after {time.monotonic() - began:.0f} s")
        print(table(labelled, target, task.classes), flush=True)
        yield {study: {label: scores.numbers(target) for label, scores in labelled.items()}}
    draw(name, task, drawn, target, options.pictures / f"{name}.png")
    yield {"seconds": round(time.monotonic() - began, 1)}


def folder(name: str, options: argparse.Namespace) -> Path:
    """Return where the trainings and draws of a data set are kept."""
    return ROOT / "build" / "devices" / f"{name}-seed{options.seed}-scale{options.scale:g}"


def run(options: argparse.Namespace) -> None:
    """Run the studies of all chosen data sets; the results of each study are written at once."""
    kept = json.loads(options.json.read_text()) if options.json.is_file() else {}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    kept.pop("made_with", None)
    if options.choose:
        seeds = (options.seed, options.seed + 1)
        kept["choice"] = choose(seeds, lambda line: print(line, flush=True))
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    for name in [] if options.speed or options.choose else options.tasks or TASKS:
        if options.fresh:
            shutil.rmtree(folder(name, options), ignore_errors=True)
        kept[name] = {
            "command": f"python benchmarks/devices.py {name} --draws {options.draws} "
            f"--chips {options.chips} --scale {options.scale:g} --seed {options.seed}",
            **{key: getattr(options, key) for key in ("draws", "chips", "scale", "seed")},
            "made with": {
                "python": platform.python_version(),
                **{package: version(package) for package in ("torch", "numpy")},
            },
        }
        for results in measure(name, options):
            kept[name] |= results
            options.json.write_text(json.dumps(kept, indent=1) + "\n")
    if options.speed:
        kept["speed"] = speed()
        options.json.write_text(json.dumps(kept, indent=1) + "\n")
    if options.json == RESULTS and set(TASKS) <= set(kept):
        write(page(kept), BEGIN, END)
        write(speed_table(kept["speed"]), *SPEED)


def write(text: str, begin: str, end: str) -> None:
    """Write the part of the page between two lines."""
    before, _, rest = PAGE.read_text().partition(f"{begin}\n")
    after = rest.partition(f"\n{end}")[2]
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="of mnist, fsdd and ecg; all by default")
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--draws", type=int, default=20, help="of each point of a curve")
    parser.add_argument("--chips", type=int, default=3, help="that are trained again")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the samples to use")
    parser.add_argument("--margin", type=float, default=0.02, help="score that a chip may lose")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder for pictures")
    parser.add_argument("--speed", action="store_true", help="measure draws at once alone")
    parser.add_argument(
        "--choose", action="store_true", help="try settings of ecg on training patients alone"
    )
    parser.add_argument("--fresh", action="store_true", help="forget trainings and draws kept")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=sys.stderr.isatty()
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        run(options)
    except FileError as error:  # of trainings or draws of other settings, or of an earlier version
        raise SystemExit(f"{error}\n--fresh forgets what was kept, and begins anew") from None


if __name__ == "__main__":
    main()
