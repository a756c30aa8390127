"""The tables of the pages are those that the benchmarks make of their results."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from spiker_boards.catalog import BOARDS
from spiker_hdl.model import load
from spiker_hdl.tools.synthesis import Area

from support.places import ROOT


@pytest.fixture
def script(monkeypatch):
    """Load a script of the benchmarks by its name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")

    def find(name):
        spec = spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return find


def shown(module, begin=None, end=None):
    """Return the part of a page that a benchmark writes."""
    begin, end = begin or module.BEGIN, end or module.END
    return re.search(f"{begin}\n(.*)\n{end}", module.PAGE.read_text(), re.DOTALL)[1]


def test_bitstreams(script):
    module = script("bitstreams")
    report = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.table(report["boards"])
    # It is the network that ships, on every board that is built, as that board is.
    assert report["sha256"] == load(ROOT / "networks" / "digits.spiker").digest
    assert [board["board"] for board in report["boards"]] == module.BUILT
    for board in report["boards"]:
        target = BOARDS[board["board"]]
        used = board["utilization"]
        assert used["luts"]["available"] == target.capacity.luts
        assert used["block_rams"]["available"] == target.capacity.block_rams
        assert board["fmax_hz"] >= board["clock_hz"] == target.frequency
        assert board["estimate"]["luts"] == pytest.approx(used["luts"]["used"], rel=0.2)


def test_encoders(script):
    module = script("encoder_cost")
    report = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.table(report["rows"], report["digits"])
    assert Area(**report["digits"]["xc7"]["with"]).luts > 0


def test_area_of_options(script):
    module = script("area_estimate")
    report = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.table(report)
    assert module.rows_of(report["luts"]) == report["rows"]  # as estimated now
    far = [
        (row["name"], family)
        for row in report["rows"]
        for family, own in row["luts"].items()
        if own["estimated"] != pytest.approx(own["added"], rel=0.25, abs=40)
    ]
    # There, the sums are in small memories, and their control is more than the estimate has.
    assert far == [("2 receptors, 2 of 8 lanes", "ecp5")]


def test_devices(script):
    module = script("devices")
    from device_figures import beats

    results = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.page(results)
    assert shown(module, *module.SPEED) == module.speed_table(results["speed"])
    best = max(results["choice"], key=lambda candidate: candidate["mean"])
    assert best["label"] == str(beats.CHOSEN)
    tasks = [task for task in module.TASKS if task in results]
    assert tasks[:2] == ["mnist", "fsdd"]
    for task in tasks:
        assert results[task]["yield"]["usual"]["draws"] == 200
        assert (module.PICTURES / f"{task}.png").is_file()
        for scores in results[task]["classes"].values():
            assert (
                len(scores["recall"][0])
                == len(scores["f1"][0])
                == len(results[task]["class names"])
            )


def test_reservoir(script):
    module = script("reservoir")
    report = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.table(report)
    assert report["simulated"]["differences"] == 0
    assert report["simulated"]["drifted chips"]["differences"] == 0


def test_emulation(script):
    module = script("emulation")
    report = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.table(report)
    faster = {
        (run["input"], run["run"]): run["times faster than snnTorch"] for run in report["runs"]
    }
    assert faster["spikes", "kernels"] >= 3
    assert faster["dense", "kernels"] >= 2
    assert report["synapses"]["times faster"] >= 10


def test_camera(script):
    module = script("camera")
    report = json.loads(module.RESULTS.read_text())
    assert shown(module) == module.table(report)
    assert (
        report["rows"]["fixed test set"]["digest"] == load(ROOT / "networks/nmnist.spiker").digest
    )
    rows = [report["rows"][name] for name in module.SIMULATED]
    for row in (*rows, rows[-1][module.AT_ONCE]):
        run = row["simulated"]
        assert run["recordings"] >= 100
        assert run["differences"] == run["other_cycles"] == 0
